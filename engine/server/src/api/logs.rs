//! What steps wrote: by ranges of bytes, and where a text stands in it.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use futures_util::stream;
use memchr::{memchr, memmem, memrchr};
use runbook_core::plain::plain_bytes;
use runbook_core::{Fact, RunId, StepPath, limits};
use runbook_engine::journal::RunRow;
use runbook_engine::log::{LogError, LogReader};
use runbook_engine::session;
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::runs::of_session;
use super::{Answer, Call};
use crate::problem::Problem;

/// The last attempt of a step that was begun.
async fn last_attempt(call: &Call, id: &RunId, path: &StepPath) -> Result<Option<u32>, Problem> {
    let _turn = call.turn().await;
    let mut last = None;
    let replayed = tokio::task::block_in_place(|| {
        session::replay(&*call.app().journal, id, &mut |_, event| {
            if let Fact::AttemptStarted { path: of, attempt } = &event.fact
                && of == path
            {
                last = Some(*attempt);
            }
        })
    });
    replayed.map_err(|error| of_session(call, error))?;
    Ok(last)
}

/// What an attempt of a step wrote, as far as it was kept.
pub struct Written {
    pub row: RunRow,
    pub path: StepPath,
    pub attempt: u32,
    reader: LogReader,
    /// Bytes that there are now.
    pub length: u64,
}

impl Written {
    pub async fn find(call: &Call) -> Result<Written, Problem> {
        let row = call.run()?;
        let path: StepPath = call.parsed("step")?.ok_or_else(|| Problem::malformed("`step` is missing: the path of the step"))?;
        let attempt = match call.parsed::<u32>("attempt")? {
            Some(attempt) => Some(attempt),
            None => last_attempt(call, &row.run, &path).await?,
        };
        let attempt = attempt.ok_or_else(|| nothing_of(&path))?;
        let cannot = |error: LogError| {
            tracing::debug!(%error, "a log could not be read");
            nothing_of(&path)
        };
        let reader = call.app().logs.reader(&row.run, &path, attempt).map_err(cannot)?;
        let length = reader.len().map_err(cannot)?;
        Ok(Written { row, path, attempt, reader, length })
    }

    /// The bytes from one place up to and without another, as many as are read at once.
    pub fn range(&self, from: u64, to: u64) -> Result<Vec<u8>, Problem> {
        let read = tokio::task::block_in_place(|| self.reader.range(from, to));
        read.map_err(|error| {
            tracing::warn!(%error, "a log could not be read");
            nothing_of(&self.path)
        })
    }

    /// Where a text stands, from a place on: at most so many places, each with the beginning of what follows it, and where to look on.
    pub fn matches(&self, text: &str, from: u64, most: usize) -> Result<(Vec<Match>, Option<u64>), Problem> {
        let finder = memmem::Finder::new(text.as_bytes());
        let overlap = (text.len() as u64).saturating_sub(1);
        let (mut found, mut at) = (Vec::new(), from);
        while at < self.length {
            let bytes = self.range(at, at.saturating_add(limits::LOG_RANGE).min(self.length))?;
            let read = bytes.len() as u64;
            for place in finder.find_iter(&bytes) {
                let place_in_log = at + place as u64;
                if found.len() == most {
                    return Ok((found, Some(place_in_log)));
                }
                let before = bytes.get(..place).unwrap_or_default();
                let begins = memrchr(b'\n', before).map_or(0, |end| end + 1).max(place.saturating_sub(SHOWN_BEFORE));
                let rest = bytes.get(begins..).unwrap_or_default();
                let ends = memchr(b'\n', rest).unwrap_or(rest.len()).min(SHOWN);
                found.push(Match { at: place_in_log, line: plain_bytes(rest.get(..ends).unwrap_or_default()) });
            }
            if read <= overlap || at + read >= self.length {
                break;
            }
            // What begins in one piece may end in the next.
            at += read - overlap;
        }
        Ok((found, None))
    }
}

/// A place in a log, and the line that it is in, as far as it is shown.
#[derive(Debug, Serialize)]
pub struct Match {
    pub at: u64,
    pub line: String,
}

/// Bytes of a line that are shown, and before what was looked for.
const SHOWN: usize = 200;
const SHOWN_BEFORE: usize = 60;

fn nothing_of(path: &StepPath) -> Problem {
    Problem::not_found(format!("nothing of step `{path}` was kept"))
}

pub async fn matches(call: Call) -> Result<Answer, Problem> {
    let text = call.text("text").filter(|text| !text.is_empty()).map(str::to_owned);
    let text = text.ok_or_else(|| Problem::malformed("`text` is missing: what is looked for"))?;
    let (from, limit) = (call.parsed::<u64>("from")?.unwrap_or_default(), call.limit()?);
    let written = Written::find(&call).await?;
    let _turn = call.turn().await;
    let (found, next) = tokio::task::block_in_place(|| written.matches(&text, from, limit))?;
    Ok(Answer::page(found.iter().map(|found| json!(found)).collect(), next.map(|next| next.to_string())))
}

pub async fn log(call: Call) -> Result<Answer, Problem> {
    let Written { reader, length, .. } = Written::find(&call).await?;
    let asked = match call.headers.get(header::RANGE) {
        Some(range) => part_of(range.to_str().unwrap_or_default(), length),
        None => Asked::All,
    };
    let (status, from, to) = match asked {
        Asked::All => (StatusCode::OK, 0, length),
        Asked::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Asked::Beyond => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            content_range(&mut response, &format!("bytes */{length}"));
            return Ok(Answer::raw(response));
        }
    };
    let place = call.api.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::later("busy", "as many streams are open as fit; ask again", 5))?;
    let mut response = Response::new(Body::from_stream(chunks(reader, from, to, place)));
    *response.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        content_range(&mut response, &format!("bytes {from}-{}/{length}", to - 1));
    }
    let headers = response.headers_mut();
    // Never anything that a browser would show as its own.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    Ok(Answer::raw(response))
}

fn content_range(response: &mut Response<Body>, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

/// The bytes up to and without `to`, as they are wanted: a reader that stops reading makes nobody read ahead.
fn chunks(
    reader: LogReader,
    from: u64,
    to: u64,
    place: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<Bytes, LogError>> {
    stream::unfold((reader, from, place), move |(reader, from, place)| async move {
        if from >= to {
            return None;
        }
        let read = tokio::task::block_in_place(|| reader.range(from, to));
        match read {
            // It became shorter than it was.
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => {
                let next = from + bytes.len() as u64;
                Some((Ok(Bytes::from(bytes)), (reader, next, place)))
            }
            Err(error) => Some((Err(error), (reader, to, place))),
        }
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    /// From, and up to without.
    Part(u64, u64),
    Beyond,
}

/// One range of bytes (RFC 9110); of several, or what is none, all is given.
fn part_of(range: &str, length: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else { return Asked::All };
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (from, to) = match (first.is_empty(), last.is_empty()) {
        (true, _) => match number(last) {
            Some(0) => return Asked::Beyond,
            Some(count) => (length.saturating_sub(count), length),
            None => return Asked::All,
        },
        (false, true) => match number(first) {
            Some(from) => (from, length),
            None => return Asked::All,
        },
        (false, false) => match (number(first), number(last)) {
            (Some(from), Some(last)) if from <= last => (from, last.saturating_add(1).min(length)),
            _ => return Asked::All,
        },
    };
    if from >= length { Asked::Beyond } else { Asked::Part(from, to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        for (range, asked) in [
            ("bytes=0-9", Asked::Part(0, 10)),
            ("bytes=90-", Asked::Part(90, 100)),
            ("bytes=-10", Asked::Part(90, 100)),
            ("bytes=-1000", Asked::Part(0, 100)),
            ("bytes=50-1000", Asked::Part(50, 100)),
            ("bytes=0-18446744073709551615", Asked::Part(0, 100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=9-0", Asked::All),
            ("bytes=0-1,5-6", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("lines=0-9", Asked::All),
            ("bytes=-", Asked::All),
            ("", Asked::All),
        ] {
            assert_eq!(part_of(range, 100), asked, "{range}");
        }
        assert_eq!(part_of("bytes=0-0", 0), Asked::Beyond);
    }
}
