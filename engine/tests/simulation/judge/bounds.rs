//! Bounds: no more branches and items at once than stated, waves one after the other, no items behind too many failures, and
//! one holder of a lock at a time.

use std::collections::BTreeMap;

use super::{Case, Line, label, list_of, must};
use crate::book::{OnFailure, Verb};

/// First and last event of a branch or item.
type Spans<'c> = BTreeMap<&'c str, (u64, u64)>;

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let mut parts: BTreeMap<&str, Spans<'_>> = BTreeMap::new();
    let undoes = |line: &&Line| line.path().contains("~undo") || line.body["purpose"] == "undo_failed";
    for line in case.lines.iter().filter(|line| !undoes(line)) {
        let path = line.path();
        for (at, _) in path.match_indices(['.', '[']) {
            let whole = &path[..at];
            let fans = case.steps.get(label(whole)).is_some_and(|s| matches!(s.verb, Verb::Parallel { .. } | Verb::Each { .. }));
            if fans {
                let part = path[at..].split('/').next().unwrap_or_default();
                let span = parts.entry(whole).or_default().entry(part).or_insert((line.seq, line.seq));
                span.1 = line.seq;
            }
        }
    }
    for (whole, spans) in &parts {
        let Some(step) = case.step(whole) else { continue };
        let most = match &step.verb {
            Verb::Parallel { most, .. } => most.unwrap_or(100),
            Verb::Each { most, batches, .. } => most.unwrap_or(if batches.is_empty() { 1 } else { 100 }),
            _ => continue,
        };
        for (part, (first, _)) in spans {
            let beside = spans.values().filter(|(from, to)| from <= first && first <= to).count();
            must(beside <= most as usize, || format!("{first}: {whole}{part} is one of {beside} at once, and {most} may be"))?;
        }
        if let Verb::Each { items, batches, failures, .. } = &step.verb {
            waves(whole, spans, *items, batches)?;
            too_many_failures(case, whole, spans, *failures)?;
        }
    }
    one_holder(case)
}

fn waves(whole: &str, spans: &Spans<'_>, items: u32, batches: &[&str]) -> Result<(), String> {
    let (mut first, mut place) = (0, 0);
    let mut before = 0;
    while first < items && !batches.is_empty() {
        let size = batches[place.min(batches.len() - 1)];
        let size = match size.strip_suffix('%') {
            Some(share) => (items * share.parse::<u32>().unwrap_or_default()).div_ceil(100),
            None => size.parse().unwrap_or_default(),
        };
        let wave = first..(first + size.max(1)).min(items);
        let of_wave = || wave.clone().filter_map(|item| spans.get(format!("[{item}]").as_str()));
        let (begins, ends) = (of_wave().map(|span| span.0).min(), of_wave().map(|span| span.1).max());
        must(begins.is_none_or(|begins| begins > before), || format!("wave {place} of {whole} begins before the last one ends"))?;
        before = before.max(ends.unwrap_or(0));
        (first, place) = (wave.end, place + 1);
    }
    Ok(())
}

/// Counts only items that have failed for sure: a step of theirs failed, and nothing follows from that but their end.
fn too_many_failures(case: &Case<'_>, whole: &str, spans: &Spans<'_>, tolerated: u32) -> Result<(), String> {
    let mut failed = 0;
    for line in case.lines.iter().filter(|line| line.kind == "attempt_finished") {
        let path = line.path();
        let own = list_of(path).strip_prefix(whole).is_some_and(|part| spans.contains_key(part));
        let bad = matches!(line.case("end"), "failed" | "timed_out");
        let last = case.step(path).is_some_and(|step| step.on_failure == OnFailure::Stop) && case.retry(path).is_none();
        failed += u32::from(own && bad && last);
        if failed > tolerated {
            let more = spans.iter().find(|(_, (first, _))| *first > line.seq);
            must(more.is_none(), || format!("{whole}: {failed} items have failed, and {more:?} starts"))?;
        }
    }
    Ok(())
}

/// Every run of a simulation names the same lock. The order is that of the commits.
fn one_holder(case: &Case<'_>) -> Result<(), String> {
    if !case.scenario.book.main().lock {
        return Ok(());
    }
    let taken = case.lines.iter().position(|line| line.kind == "lock_taken");
    let begun = case.lines.iter().position(|line| line.kind == "step_resolved");
    must(begun.is_none() || taken.is_some_and(|taken| Some(taken) < begun), || {
        "a step comes up before the lock is taken".to_owned()
    })
}

/// When each run held the lock, as places in the order of all commits.
pub fn locked(case: &Case<'_>) -> Option<(usize, usize)> {
    let seq_of = |kind: &str| case.lines.iter().find(|line| line.kind == kind).map(|line| line.seq);
    let commit_of = |seq: u64| {
        let within = |commit: &crate::disk::Commit| {
            commit.done && commit.run == case.run && commit.events.is_some_and(|(first, last)| first <= seq && seq <= last)
        };
        case.history.commits.iter().rposition(within)
    };
    Some((commit_of(seq_of("lock_taken")?)?, commit_of(seq_of("run_finished")?)?))
}
