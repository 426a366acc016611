//! The record itself: the chain over its bytes, its order, that nothing acknowledged is missing from it and nothing refused
//! stands in it, and that its owners followed one another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::{Case, Line, at, must};

fn digest(text: &str) -> String {
    let hex: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Takes an export apart. The chain is computed over the bytes as they stand.
pub fn read(run: &str, export: &str) -> Result<Vec<Line>, String> {
    let mut texts: Vec<&str> = export.lines().collect();
    let tail: Json = serde_json::from_str(texts.pop().unwrap_or_default()).map_err(|error| error.to_string())?;
    must(!texts.is_empty(), || "the export is empty".to_owned())?;
    texts.remove(0);
    let mut head = digest(&format!("runbook journal 1 {run}"));
    let mut lines = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let seq = place as u64 + 1;
        let (front, hash) = text.rsplit_once(",\"hash\":\"").ok_or_else(|| format!("event {seq} has no hash"))?;
        head = digest(&format!("{head}{front}}}"));
        must(hash.trim_end_matches("\"}") == head, || format!("event {seq} breaks the chain"))?;
        let mut event: Json = serde_json::from_str(text).map_err(|error| format!("event {seq}: {error}"))?;
        must(event["run"] == run && event["seq"] == seq, || format!("event {seq} is not where it belongs"))?;
        let when = event["at"].as_str().and_then(at).ok_or_else(|| format!("event {seq} has no time"))?;
        must(lines.last().is_none_or(|last: &Line| last.at <= when), || format!("event {seq} is older than the one before"))?;
        let kind = event["kind"].as_str().unwrap_or_default().to_owned();
        lines.push(Line { seq, at: when, kind, body: event["body"].take() });
    }
    must(tail["head"] == head.as_str() && tail["events"] == lines.len(), || "the export ends otherwise".to_owned())?;
    Ok(lines)
}

/// What somebody was told, and what a process saw on the disk, stands in the record; what was refused does not; and no message
/// is there twice.
pub fn nothing_is_lost(case: &Case<'_>) -> Result<(), String> {
    let line = |seq: u64| case.lines.get((seq as usize).wrapping_sub(1));
    for seen in case.history.seen.iter().filter(|seen| seen.run == case.run) {
        let same = line(seen.seq).is_some_and(|line| line.kind == seen.kind && Some(line.at) == at(&seen.at));
        must(same, || format!("event {} ({}) was on the disk and is lost", seen.seq, seen.kind))?;
    }
    let texts: Vec<String> = case.lines.iter().map(|line| line.body.to_string()).collect();
    let with =
        |token: &str| case.lines.iter().zip(&texts).filter(|(_, text)| text.contains(token)).map(|(line, _)| line.seq).collect();
    for told in case.history.told.iter().filter(|told| told.saying.run.as_str() == case.run) {
        let saying = &told.saying;
        // A resolution of a later step may quote a reason; a message is its own kind of event.
        let found: Vec<u64> = with(&saying.token);
        let own: Vec<u64> = found.into_iter().filter(|seq| line(*seq).is_some_and(|line| line.kind == saying.kind)).collect();
        must(own.len() <= 1, || format!("{}: {} stands twice, at {own:?}", saying.who, saying.kind))?;
        match &told.answer {
            None => {}
            Some(Err(why)) => must(own.is_empty(), || format!("{:?} was refused ({why}) and is recorded", saying.kind))?,
            Some(Ok(seq)) => {
                let kept = match (saying.decision, saying.choice) {
                    (None, _) | (_, None) => line(*seq).is_some_and(|line| line.kind == saying.kind),
                    // The same may have been said before, by this person or another.
                    (Some(decision), Some(_)) => case.lines.iter().take(*seq as usize).any(|line| {
                        line.kind == "decided"
                            && line.body["decision"] == format!("d{decision}")
                            && line.body["vote"]["choice"].as_str() == saying.choice
                    }),
                };
                must(kept, || format!("{} of {} was accepted as event {seq} and is lost", saying.kind, saying.who))?;
            }
        }
    }
    Ok(())
}

/// Epochs rise, each is one process's, and nobody writes after a commit that failed.
pub fn one_owner(case: &Case<'_>) -> Result<(), String> {
    let mut last = 1;
    for line in case.lines.iter().filter(|line| line.kind == "run_adopted") {
        let epoch = line.body["epoch"].as_u64().unwrap_or_default();
        must(epoch > last, || format!("event {}: epoch {epoch} follows epoch {last}", line.seq))?;
        last = epoch;
    }
    let mut owner: BTreeMap<u64, u32> = BTreeMap::new();
    let mut stopped = BTreeSet::new();
    let mut newest = 0;
    for commit in case.history.commits.iter().filter(|commit| commit.run == case.run) {
        if !commit.done {
            stopped.insert((commit.process, commit.epoch));
            continue;
        }
        let who = format!("process {} with epoch {} at {} ms", commit.process, commit.epoch, commit.at);
        must(commit.epoch >= newest, || format!("{who} commits after epoch {newest}"))?;
        must(*owner.entry(commit.epoch).or_insert(commit.process) == commit.process, || format!("{who} shares its epoch"))?;
        must(!stopped.contains(&(commit.process, commit.epoch)), || format!("{who} commits after a commit that failed"))?;
        newest = commit.epoch;
    }
    Ok(())
}
