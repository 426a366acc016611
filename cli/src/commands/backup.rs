//! `runbook backup` and `runbook restore`.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use runbook_core::RunId;
use runbook_engine::backup::{self, Asker, BackupError, Proof, Restored, Tokens};
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::people;
use serde_json::json;

use super::store::{runtime, split};
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{count, shell_word, when};
use crate::ui::{Ui, line};

/// Runs that are named one by one.
const NAMED: usize = 20;

fn asker() -> Result<Asker, Trouble> {
    let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
    Ok(Asker { user, now: SystemClock.now() })
}

fn trouble(error: BackupError) -> Trouble {
    match error {
        BackupError::Journal(error) => error.into(),
        BackupError::Session(error) => error.into(),
        error @ (BackupError::Write(_) | BackupError::Read(_)) => {
            Trouble::failed(error.to_string()).next("look at the disk, or name another place")
        }
        error @ (BackupError::Log(_) | BackupError::Folder { .. }) => split(Exit::Failed, &error.to_string()),
        error => split(Exit::NotValid, &error.to_string()),
    }
}

fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}

pub fn backup(args: &args::Backup, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (state, asker) = (&settings.state()?.value, asker()?);
    if !state.exists() {
        return Err(trouble(BackupError::Nothing(state.clone())));
    }
    if args.json && is_stream(&args.file) {
        return Err(Trouble::not_valid("standard output holds the backup already").next("give a file, or leave out --json"));
    }
    let made = match is_stream(&args.file) {
        false => backup::to_file(state, &args.file, &asker).map_err(trouble)?,
        true => {
            let mut out = std::io::stdout().lock();
            let made = backup::to_stream(state, &mut out, &asker).map_err(trouble)?;
            out.flush()?;
            made
        }
    };
    let manifest = &made.manifest;
    if args.json {
        ui.data(&json!({"digest": made.digest, "manifest": manifest}).to_string())?;
        return Ok(Exit::Succeeded);
    }
    let logs = manifest.files.iter().filter(|file| file.name.starts_with("logs/")).count() as u64;
    let over = match manifest.unfinished {
        0 => String::new(),
        open => format!(" ({open} not over)"),
    };
    let name = line(&args.file.to_string_lossy()).into_owned();
    let (runs, logs) = (count(manifest.runs, "run", "runs"), count(logs, "log", "logs"));
    ui.say(&format!("wrote {name}: {runs}{over}, {logs}"));
    ui.say(&format!("  digest {}: keep it where the backup is not", made.digest));
    if !is_stream(&args.file) {
        ui.next(&format!("runbook restore {} --check", shell_word(&args.file.to_string_lossy())));
    }
    Ok(Exit::Succeeded)
}

pub fn restore(args: &args::Restore, settings: &Settings, ui: &mut Ui) -> Outcome {
    let asker = asker()?;
    let mut from: Box<dyn Read> = match is_stream(&args.file) {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(&args.file).map_err(|why| Trouble::unreadable(&args.file, &why))?)),
    };
    let restore = backup::Restore { from: &mut *from, digest: args.digest.as_ref(), asker: &asker };
    if args.check {
        let proof = backup::prove(restore).map_err(trouble)?;
        if args.json {
            ui.data(&of_proof(&proof).to_string())?;
        } else {
            tell_proof(&proof, "whole", ui);
            ui.next("runbook restore FILE --state DIR");
        }
        return Ok(if proof.is_whole() { Exit::Succeeded } else { Exit::Failed });
    }
    let tokens = if args.keep_tokens { Tokens::Keep } else { Tokens::Revoke };
    let restored = runtime()?.block_on(backup::restore(restore, &settings.state()?.value, tokens)).map_err(trouble)?;
    if args.json {
        ui.data(&of_restored(&restored).to_string())?;
    } else {
        tell(&restored, &settings.state()?.value, ui);
    }
    let is_whole = restored.proof.is_whole() && restored.unreadable.is_empty();
    Ok(if is_whole { Exit::Succeeded } else { Exit::Failed })
}

fn tell(restored: &Restored, state: &Path, ui: &mut Ui) {
    tell_proof(&restored.proof, &format!("restored to {}", line(&state.to_string_lossy())), ui);
    let some = |number: u64, one: &str, many: &str, ui: &mut Ui| {
        if number > 0 {
            ui.say(&format!("  {}", count(number, one, many)));
        }
    };
    some(
        restored.events_dropped,
        "event that waited for a decision, or for what it asks, is dropped",
        "events that waited for a decision, or for what it asks, are dropped",
        ui,
    );
    some(restored.aheads_void, "approval ahead of time is void", "approvals ahead of time are void", ui);
    let revoked = &restored.revoked;
    some(revoked.tokens, "token is revoked", "tokens are revoked", ui);
    some(revoked.passwords, "account has no password any more", "accounts have no password any more", ui);
    some(revoked.sessions, "session has ended", "sessions have ended", ui);
    for (run, why) in &restored.unreadable {
        ui.say(&format!("  run {run} was not over, and cannot be read: {}", line(why)));
    }
    let paused = &restored.paused;
    if paused.is_empty() {
        return ui.next("runbook doctor");
    }
    let told = count(paused.len() as u64, "run was not over and is paused", "runs were not over and are paused");
    ui.say(&format!("  {told}: what was done since the backup is not in its record"));
    for run in paused.iter().take(NAMED) {
        ui.say(&format!("    {run}"));
    }
    if paused.len() > NAMED {
        ui.say(&format!("    and {} more: `runbook runs --open`", paused.len() - NAMED));
    }
    if let Some(first) = paused.first() {
        ui.next(&format!("runbook show {first}"));
    }
}

fn tell_proof(proof: &Proof, what: &str, ui: &mut Ui) {
    let manifest = &proof.manifest;
    let (user, host) = (line(&manifest.user).into_owned(), line(&manifest.host).into_owned());
    ui.say(&format!("{what}: the backup that {user} made on {host}, {}", when(manifest.made_at)));
    let runs = count(proof.runs, "run", "runs");
    let (records, logs) = (count(proof.records, "event of theirs", "events of theirs"), count(proof.logs, "log", "logs"));
    let (events, audited) =
        (count(proof.events, "event that came in", "events that came in"), count(proof.audited, "entry", "entries"));
    ui.say(&format!("  {runs} with {records} and {logs}, {events}, {audited} of the audit log"));
    for (run, why) in proof.broken.iter().take(NAMED) {
        ui.say(&format!("  the record of run {run} is not whole: {}", line(why)));
    }
    if proof.broken.len() > NAMED {
        ui.say(&format!("  nor are those of {} more", proof.broken.len() - NAMED));
    }
    if let Some(number) = proof.audit_broken_at {
        ui.say(&format!("  entry {number} of the audit log does not follow from the one before it"));
    }
}

fn of_proof(proof: &Proof) -> serde_json::Value {
    let broken: Vec<_> = proof.broken.iter().map(of_run).collect();
    json!({
        "digest": proof.digest, "made_at": proof.manifest.made_at, "user": proof.manifest.user, "host": proof.manifest.host,
        "program": proof.manifest.program, "runs": proof.runs, "unfinished": proof.manifest.unfinished, "records": proof.records,
        "logs": proof.logs, "events": proof.events, "audited": proof.audited, "broken": broken, "audit_broken_at": proof.audit_broken_at,
    })
}

fn of_run((run, why): &(RunId, String)) -> serde_json::Value {
    json!({"run": run, "why": why})
}

fn of_restored(restored: &Restored) -> serde_json::Value {
    let unreadable: Vec<_> = restored.unreadable.iter().map(of_run).collect();
    json!({
        "backup": of_proof(&restored.proof), "paused": restored.paused, "unreadable": unreadable,
        "events_dropped": restored.events_dropped, "aheads_void": restored.aheads_void, "tokens_revoked": restored.revoked.tokens,
        "passwords_void": restored.revoked.passwords, "sessions_ended": restored.revoked.sessions,
    })
}
