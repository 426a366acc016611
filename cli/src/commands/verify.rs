//! `runbook verify`: what a record proves, and what it does not.

use std::io::BufReader;
use std::path::Path;

use runbook_core::Digest;
use runbook_core::policy::DECISION_NAMESPACE;
use runbook_engine::verify::{Evidence, Fault, SignedVote, Verification, verify_export, verify_run};
use runbook_engine::{people, permit};

use super::store::Home;
use crate::args::Verify;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::{Tone, Ui, line};

pub fn run(args: &Verify, settings: &Settings, ui: &mut Ui) -> Outcome {
    let anchors: Vec<Digest> =
        args.head.iter().map(|text| text.parse().map_err(|why| Trouble::not_valid(format!("{why}")))).collect::<Result<_, _>>()?;
    let path = Path::new(&args.what);
    let found = if path.is_file() {
        let cannot = |why: std::io::Error| Trouble::failed(format!("cannot read {}: {why}", path.display()));
        let file = std::fs::File::open(path).map_err(cannot)?;
        let evidence = Evidence { signature: &signature, anchors: &anchors, logs: None };
        verify_export(BufReader::new(file), &evidence).map_err(cannot)?
    } else {
        let home = Home::open(settings)?;
        let id = home.find(&args.what)?;
        let evidence = Evidence { signature: &signature, anchors: &anchors, logs: Some(&home.logs) };
        verify_run(&*home.journal, &id, &evidence)?
    };
    report(&found, ui)?;
    Ok(if found.is_sound() { Exit::Succeeded } else { Exit::Failed })
}

/// Asks OpenSSH whether a signed vote is its voter's.
fn signature(signed: &SignedVote<'_>) -> Result<(), String> {
    let (Some(run), Some(signature)) = (signed.run.id(), &signed.vote.signature) else {
        return Err("the vote carries no signature".to_owned());
    };
    let text = permit::statement(run, signed.decision, signed.vote)?;
    let people = &signed.run.plan().policy.people;
    people::verify(people, &signed.vote.by.person, signature, &text, DECISION_NAMESPACE).map_err(|why| why.to_string())
}

fn report(found: &Verification, ui: &mut Ui) -> Result<(), Trouble> {
    for fault in &found.faults {
        ui.data(&format!("{}: {}", Tone::Bad.paint("fault"), line(&fault.to_string())))?;
    }
    let run = found.run.as_ref().map(ToString::to_string).unwrap_or_else(|| "?".to_owned());
    if found.is_sound() {
        ui.data(&format!("{}: run {run}, {} events from the first to the last", Tone::Good.paint("whole"), found.intact))?;
    } else {
        ui.data(&format!("{}: run {run}, {} events are intact", Tone::Bad.paint("not whole"), found.intact))?;
    }
    for vote in &found.votes {
        let broken = found.faults.iter().any(|fault| matches!(fault, Fault::Signature { seq, .. } if *seq == vote.seq));
        let signed = match (vote.signed, broken) {
            (true, false) => ", signed, and the signature holds",
            (true, true) => ", signed, and the signature does not hold",
            (false, _) => "",
        };
        ui.data(&format!("  {}: {} by {}{signed}", vote.decision, vote.choice, line(&vote.person)))?;
    }
    if let Some(head) = &found.head {
        ui.data(&format!("  head {head}"))?;
    }
    ui.data(&format!("  {} anchors hold, {} logs compared", found.anchors, found.logs))?;
    if found.is_sound() && found.anchors == 0 {
        ui.say("a cut at the end shows only against a head that was kept elsewhere: runbook verify … --head DIGEST");
    }
    Ok(())
}
