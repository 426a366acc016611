//! The record of a run as it grows, told to whoever follows it: over as many connections as it takes, each of which goes on behind the last
//! event that came.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use runbook_core::{RunId, limits};
use runbook_engine::journal::Record;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Failure;
use super::wire::{Ask, Wire};
use crate::fetch::told;

/// Records that wait for whoever follows.
const AHEAD: usize = 64;

/// What a follower is told.
#[derive(Debug)]
pub enum Told {
    Record(Box<Record>),
    /// The connection was lost, and is tried again.
    Lost(String),
    /// It is there again.
    Back,
    /// The run has ended, and all of its record was told.
    Ended,
}

/// Ends with its drop.
pub struct Following(Receiver<Result<Told, Failure>>);

impl Following {
    pub(super) fn begin(wire: Arc<Wire>, run: RunId, seen: u64) -> Following {
        let (tell, told) = channel(AHEAD);
        let follower = Follower { wire: wire.clone(), run, seen, tell, is_lost: false };
        wire.spawn(follower.follow());
        Following(told)
    }

    /// What comes next. After [`Told::Ended`] and after a failure nothing does.
    pub async fn next(&mut self) -> Result<Told, Failure> {
        self.0.recv().await.unwrap_or(Ok(Told::Ended))
    }
}

struct Follower {
    wire: Arc<Wire>,
    run: RunId,
    seen: u64,
    tell: Sender<Result<Told, Failure>>,
    is_lost: bool,
}

/// Why one connection is over.
enum Over {
    /// For good: the run has ended.
    Ended,
    /// Nobody listens any more.
    Gone,
    /// It may be tried again.
    Lost(String),
    Failed(Failure),
}

impl Follower {
    async fn follow(mut self) {
        let (first, most) = limits::REMOTE_RECONNECT;
        let (mut pause, mut last_heard) = (first, Instant::now());
        loop {
            let before = self.seen;
            let over = self.connection().await.err().unwrap_or_else(|| Over::Lost("the server ended the stream".to_owned()));
            if self.seen > before || !self.is_lost {
                (pause, last_heard) = (first, Instant::now());
            }
            let failure = match over {
                Over::Gone => return,
                Over::Ended => return drop(self.tell.send(Ok(Told::Ended)).await),
                Over::Failed(failure) => failure,
                Over::Lost(why) if last_heard.elapsed() < limits::REMOTE_PATIENCE => {
                    if !std::mem::replace(&mut self.is_lost, true) && self.tell.send(Ok(Told::Lost(why))).await.is_err() {
                        return;
                    }
                    tokio::select! {
                        () = self.tell.closed() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = most.min(pause * 2);
                    continue;
                }
                Over::Lost(why) => Failure::Unreachable { server: self.wire.address().to_owned(), why },
            };
            return drop(self.tell.send(Err(failure)).await);
        }
    }

    /// One connection, to its end.
    async fn connection(&mut self) -> Result<(), Over> {
        let ask = Ask::get(["runs", self.run.as_str(), "stream"]).behind(self.seen);
        let response = self.wire.head(&ask).await.map_err(|failure| match failure {
            Failure::Unreachable { why, .. } => Over::Lost(why),
            Failure::Refused(refused) if matches!(refused.status, 408 | 429 | 500..) => Over::Lost(refused.detail),
            failure => Over::Failed(failure),
        })?;
        if response.status() == axum::http::StatusCode::NO_CONTENT {
            return Err(Over::Ended);
        }
        if std::mem::take(&mut self.is_lost) {
            self.tell(Told::Back).await?;
        }
        let mut chunks = response.bytes_stream();
        let mut events = Events::default();
        loop {
            let chunk = tokio::select! {
                () = self.tell.closed() => return Err(Over::Gone),
                chunk = chunks.next() => chunk,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            let chunk = chunk.map_err(|error| Over::Lost(told(&error)))?;
            for data in events.take(&chunk).map_err(|why| Over::Failed(self.wire.foreign(why)))? {
                let record = Record::from_line(&data).map_err(|why| Over::Failed(self.wire.foreign(&why.to_string())))?;
                if record.seq != self.seen + 1 {
                    let why = format!("event {} of run {} came where {} was to come", record.seq, self.run, self.seen + 1);
                    return Err(Over::Failed(self.wire.foreign(&why)));
                }
                self.seen = record.seq;
                self.tell(Told::Record(Box::new(record))).await?;
            }
        }
    }

    async fn tell(&self, told: Told) -> Result<(), Over> {
        self.tell.send(Ok(told)).await.map_err(|_| Over::Gone)
    }
}

/// Server-sent events, of which only the data counts: a record names its number itself.
#[derive(Default)]
struct Events {
    /// The beginning of a line.
    line: Vec<u8>,
    data: Option<String>,
}

impl Events {
    /// The data of each event that is whole with these bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > limits::REMOTE_BYTES {
                    return Err("a line of its stream is longer than any of this version");
                }
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).map_err(|_| "its stream is no text")?;
            let line = line.strip_suffix('\r').unwrap_or(&line);
            match line.strip_prefix("data:") {
                _ if line.is_empty() => whole.extend(self.data.take()),
                Some(data) => {
                    let data = data.strip_prefix(' ').unwrap_or(data);
                    let so_far = self.data.get_or_insert_default();
                    if !so_far.is_empty() {
                        so_far.push('\n');
                    }
                    so_far.push_str(data);
                }
                None => {}
            }
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "id: 1\nevent: run_started\ndata: {\"a\":1}\n\n:\n\ndata:two\r\ndata: lines\r\n\r\nid: 3\n\ndata: rest";
        for size in 1..=text.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                found.extend(events.take(chunk).unwrap());
            }
            assert_eq!(found, ["{\"a\":1}", "two\nlines"], "in pieces of {size}");
        }
    }
}
