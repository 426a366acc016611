//! `runbook verify`: what a record proves, and what it does not.

use std::fmt::Display;
use std::io::BufReader;
use std::path::Path;

use runbook_core::{Digest, RunId};
use runbook_engine::access::{Access, Seals};
use runbook_engine::anchor;
use runbook_engine::database::{Commits, Look};
use runbook_engine::journal::Anchor;
use runbook_engine::verify::{Evidence, Fault, Verification, verify_export, verify_run};

use super::store::{Home, Place};
use crate::args::Verify;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{count, when};
use crate::ui::{Tone, Ui, line};

pub fn run(args: &Verify, settings: &Settings, ui: &mut Ui) -> Outcome {
    let heads: Vec<Digest> =
        args.head.iter().map(|text| text.parse().map_err(|why| not_a_head(text, &why))).collect::<Result<_, _>>()?;
    let anchors: Vec<Anchor> = args.anchor.iter().map(|path| kept(path)).collect::<Result<_, _>>()?;
    if let Some(signers) = &args.signers {
        std::fs::File::open(signers).map_err(|why| Trouble::unreadable(signers, &why))?;
    }
    let evidence = Evidence { heads: &heads, anchors: &anchors, signers: args.signers.as_deref(), ..Evidence::default() };
    let path = Path::new(&args.what);
    let found = if path.is_file() {
        let file = std::fs::File::open(path).map_err(|why| Trouble::unreadable(path, &why))?;
        verify_export(BufReader::new(file), &evidence).map_err(|why| Trouble::unreadable(path, &why))?
    } else {
        let home = Home::open(settings)?;
        let id = home.find_or_file(&args.what)?;
        recorded(&home, settings, &id, evidence)?
    };
    report(&found, args, ui)?;
    Ok(if found.is_sound() { Exit::Succeeded } else { Exit::Failed })
}

/// What the record of a run proves, with the logs and the audit log that lie beside it.
pub fn recorded(home: &Home, settings: &Settings, id: &RunId, evidence: Evidence<'_>) -> Result<Verification, Trouble> {
    Ok(match &home.place {
        Place::Here(here) => {
            // Nothing is made anew to find that nobody has written there.
            let audit = match Access::look(&settings.state()?.value, Look::Outside)? {
                Some(_) => Some(Access::open(&settings.state()?.value, Commits::OnTheSpot)?),
                None => None,
            };
            let seals = audit.as_ref().map(Seals::of);
            verify_run(&*home.archive, id, &Evidence { logs: Some(&here.logs), seals: seals.as_ref(), ..evidence })?
        }
        // The record proves itself; logs and the audit log are compared where they are.
        Place::There(_) => verify_run(&*home.archive, id, &evidence)?,
    })
}

fn not_a_head(text: &str, why: &dyn Display) -> Trouble {
    Trouble::not_valid(format!("`{text}` is no head: {why}"))
        .next("give the whole digest, sha256: and 64 digits, as `runbook verify` prints it")
}

/// A signed head from a file.
fn kept(path: &Path) -> Result<Anchor, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|why| Trouble::unreadable(path, &why))?;
    anchor::from_text(&text, &path.display().to_string())
        .map_err(|why| Trouble::not_valid(format!("{}: {why}", path.display())).next("give a file that `runbook anchor` wrote"))
}

fn report(found: &Verification, args: &Verify, ui: &mut Ui) -> Result<(), Trouble> {
    for fault in &found.faults {
        ui.data(&format!("{}: {}", Tone::Bad.paint("fault"), line(&fault.to_string())))?;
    }
    let run = found.run.as_ref().map(ToString::to_string).unwrap_or_else(|| "?".to_owned());
    if found.is_sound() {
        ui.data(&format!(
            "{}: run {run}, {} from the first to the last",
            Tone::Good.paint("whole"),
            count(found.intact, "event", "events")
        ))?;
    } else {
        let intact = count(found.intact, "event is", "events are");
        ui.data(&format!("{}: run {run}, {intact} intact", Tone::Bad.paint("not whole")))?;
    }
    for vote in &found.votes {
        let broken = found.faults.iter().any(|fault| matches!(fault, Fault::Vote { seq, .. } if *seq == vote.seq));
        let signed = match (vote.signed, broken) {
            (true, false) => ", signed, and the signature holds",
            (true, true) => ", signed, and it does not count",
            (false, _) => "",
        };
        ui.data(&format!("  {}: {} by {}{signed}", vote.decision, vote.choice, line(&vote.person)))?;
    }
    if let Some(head) = &found.head {
        ui.data(&format!("  head {head}"))?;
    }
    for vouched in &found.signed {
        let whose = if args.signers.is_some() { "" } else { ", by the keys that the record itself names" };
        let (seq, by, at) = (vouched.seq, line(&vouched.by), when(vouched.at));
        ui.data(&format!("  after event {seq}: signed by {by}, {at}, and the signature holds{whose}"))?;
    }
    let anchors = count(found.anchors, "anchor holds", "anchors hold");
    ui.data(&format!("  {anchors}, {} compared", count(found.logs, "log", "logs")))?;
    if let Some(at) = found.pruned.as_ref().and_then(|pruned| pruned.logs_at) {
        ui.data(&format!("  its logs were let go of, {}", when(at)))?;
    }
    if let Some(at) = found.pruned.as_ref().and_then(|pruned| pruned.steps_at) {
        ui.data(&format!(
            "  compacted, {}: of what its steps did the hashes are left, and what is left is what was left then",
            when(at)
        ))?;
    }
    if found.is_sound() && args.head.is_empty() && args.anchor.is_empty() && args.signers.is_none() {
        ui.say(
            "a cut at the end, or another record in its place, shows only against a head that was kept: `runbook anchor` signs one",
        );
    }
    Ok(())
}
