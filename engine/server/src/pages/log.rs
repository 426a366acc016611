//! What a step wrote, a part at a time: by byte, from the first or the last line, with what is looked for marked. It is read where it is shown, so a log of any
//! size opens at once; an address leads to a line for as long as the log is kept.

use runbook_core::plain::plain_bytes;
use runbook_core::{StepPath, limits};
use runbook_engine::words;
use serde::Serialize;

use super::address::address;
use super::frame::Frame;
use super::render;
use crate::api::logs::{Match, Written};
use crate::api::{Answer, Call, ROOT};
use crate::problem::Problem;

/// Bytes and lines of a log on one page.
const BYTES: u64 = 24 * 1024;
const LINES: usize = 300;
/// Lines in which what is looked for is found, on one page.
const FOUND: usize = 40;

#[derive(Serialize)]
struct View {
    run: String,
    step: StepPath,
    attempt: u32,
    size: String,
    /// What is looked for.
    text: String,
    found: Vec<Found>,
    more_found: Option<String>,
    is_searched: bool,
    lines: Vec<Line>,
    from: u64,
    to: u64,
    length: u64,
    first: Option<String>,
    earlier: Option<String>,
    later: Option<String>,
    end: String,
    bytes: String,
    /// This one, and those before it.
    attempts: Vec<Attempt>,
    /// Where the last one is, where an earlier one may be shown.
    latest: Option<String>,
}

#[derive(Serialize)]
struct Line {
    at: u64,
    text: String,
    is_marked: bool,
}

#[derive(Serialize)]
struct Found {
    at: u64,
    line: String,
    address: String,
}

#[derive(Serialize)]
struct Attempt {
    number: u32,
    address: String,
    is_here: bool,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let written = Written::find(&call).await?;
    let here = format!("/runs/{}/log", written.row.run);
    let (step, attempt) = (written.path.as_str(), written.attempt.to_string());
    let text = call.text("text").unwrap_or_default().to_owned();
    let at = |more: &[(&str, &str)]| {
        let own = [("step", step), ("attempt", attempt.as_str())];
        let looked_for = Some(("text", text.as_str())).filter(|(_, text)| !text.is_empty());
        address(&here, own.into_iter().chain(looked_for).chain(more.iter().copied()))
    };
    let length = written.length;
    let from = call.parsed::<u64>("from")?;
    let marked = call.parsed::<u64>("at")?;
    // From where the end was wanted, or where a line is: some of what stands before it is shown as well.
    let begin = match (from, marked) {
        (Some(from), _) => from.min(length),
        (None, Some(marked)) => marked.min(length).saturating_sub(BYTES / 4),
        (None, None) if call.text("end").is_some() => length.saturating_sub(BYTES),
        (None, None) => 0,
    };
    let bytes = written.range(begin, (begin + BYTES).min(length))?;
    let (lines, next) = lines(&bytes, begin, begin + bytes.len() as u64 >= length, marked);
    let (found, more) = match text.is_empty() {
        true => (Vec::new(), None),
        false => {
            let _turn = call.turn().await;
            let begins = call.parsed::<u64>("search_from")?.unwrap_or_default();
            tokio::task::block_in_place(|| written.matches(&text, begins, FOUND))?
        }
    };
    let place = |place: u64| place.to_string();
    let found = found.into_iter().map(|Match { at: place, line }| Found {
        address: format!("{}#at", at(&[("at", place.to_string().as_str())])),
        at: place,
        line,
    });
    let first_shown = lines.first().map_or(begin, |line| line.at);
    let view = View {
        run: written.row.run.to_string(),
        step: written.path.clone(),
        attempt: written.attempt,
        size: words::bytes(length),
        found: found.collect(),
        more_found: more.map(|more| at(&[("search_from", place(more).as_str())])),
        is_searched: !text.is_empty(),
        from: first_shown,
        to: next,
        length,
        first: (first_shown > 0).then(|| at(&[("from", "0")])),
        earlier: (first_shown > 0).then(|| at(&[("from", place(first_shown.saturating_sub(BYTES)).as_str())])),
        later: (next < length).then(|| at(&[("from", place(next).as_str())])),
        end: at(&[("end", "true")]),
        bytes: address(&format!("{ROOT}/runs/{}/log", written.row.run), [("step", step), ("attempt", attempt.as_str())]),
        attempts: (1..=written.attempt)
            .rev()
            .take(if written.attempt > 1 { 20 } else { 0 })
            .map(|number| Attempt {
                address: address(&here, [("step", step), ("attempt", number.to_string().as_str())]),
                is_here: number == written.attempt,
                number,
            })
            .collect(),
        latest: call.text("attempt").map(|_| address(&here, [("step", step)])),
        lines,
        text: text.clone(),
    };
    let mut frame = Frame::of(Some(&call.caller), format!("{step}: what it wrote"), super::runs::PATH);
    // Whoever is at its end sees it grow.
    let is_at_end = call.text("end").is_some();
    frame.stream = Some(format!("{ROOT}/runs/{}/stream?from={}", written.row.run, written.row.seq + 1)).filter(|_| is_at_end);
    frame.is_watched = is_at_end && written.row.summary.ended_at.is_none();
    Ok(Answer::raw(render::page("log", &frame, &view)?))
}

/// Whole lines of a part of a log that begins at `begin`, and where the next part begins. A line that is longer than a part is cut.
fn lines(bytes: &[u8], begin: u64, is_end: bool, marked: Option<u64>) -> (Vec<Line>, u64) {
    // Within a line, it is shown from the next one on.
    let skipped = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) if begin > 0 && end + 1 < bytes.len() => end + 1,
        _ => 0,
    };
    let mut rest = bytes.get(skipped..).unwrap_or_default();
    let mut at = begin + skipped as u64;
    let (mut lines, mut room) = (Vec::new(), ROOM);
    while !rest.is_empty() && lines.len() < LINES && room > 0 {
        let end = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // The rest of it is on the next page, with its beginning.
            None if !is_end && !lines.is_empty() => break,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(end);
        let text = plain_bytes(line.strip_suffix(b"\n").unwrap_or(line));
        // What is escaped takes more than it was.
        room = room.saturating_sub(text.len() + text.matches(['<', '>', '&', '"', '\'', '`']).count() * 5 + OF_A_LINE);
        let is_marked = marked.is_some_and(|marked| (at..at + end as u64).contains(&marked));
        lines.push(Line { at, text, is_marked });
        at += end as u64;
        rest = after;
    }
    (lines, at)
}

/// Bytes of a page that lines may take, and those of the tags around one.
const ROOM: usize = 72 * 1024;
const OF_A_LINE: usize = 70;

const _: () = assert!(BYTES <= limits::LOG_RANGE);

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8], begin: u64, is_end: bool) -> (Vec<(u64, String)>, u64) {
        let (lines, next) = lines(bytes, begin, is_end, None);
        (lines.into_iter().map(|line| (line.at, line.text)).collect(), next)
    }

    #[test]
    fn a_part_of_a_log_is_whole_lines_wherever_it_begins() {
        let of =
            |lines: &[(u64, &str)]| -> Vec<(u64, String)> { lines.iter().map(|(at, text)| (*at, (*text).to_owned())).collect() };
        for (bytes, begin, is_end, shown, next) in [
            (&b"a\nbc\n"[..], 0, true, &[(0, "a"), (2, "bc")][..], 5),
            (b"a\nbc", 0, true, &[(0, "a"), (2, "bc")], 4),
            (b"a\nbc", 0, false, &[(0, "a")], 2),
            (b"rest\nbc\n", 10, true, &[(15, "bc")], 18),
            (b"one long line", 10, false, &[(10, "one long line")], 23),
            (b"end\n", 10, true, &[(10, "end")], 14),
            (b"", 0, true, &[], 0),
            (b"\xff\x1b[2J\n", 0, true, &[(0, "\\xff\\x1b[2J")], 6),
        ] {
            assert_eq!(cut(bytes, begin, is_end), (of(shown), next), "{bytes:?}");
        }
        let hostile = b"<>&\"'`<>&\n".repeat(3000);
        let (shown, next) = cut(hostile.get(..BYTES as usize).unwrap(), 0, false);
        assert!(shown.len() <= LINES && next == shown.len() as u64 * 10, "{}", shown.len());
        let (lines, _) = lines(b"a\nbc\nd\n", 0, true, Some(3));
        assert_eq!(lines.iter().map(|line| line.is_marked).collect::<Vec<_>>(), [false, true, false]);
    }
}
