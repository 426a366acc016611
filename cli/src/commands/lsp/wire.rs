//! Messages between an editor and us: JSON behind a head with its length. Whatever comes, reading goes on at the next head; nothing
//! larger than its bound is ever held.

use std::io::{self, BufRead, Read, Write};

use runbook_core::limits;
use serde_json::{Value, json};

/// What an editor sent.
#[derive(Debug)]
pub enum Heard {
    Message(Value),
    /// Bytes that are no message; the text says why.
    Noise(&'static str),
}

/// The codes of JSON-RPC, and of the protocol, for requests that get no result.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    NotJson = -32700,
    NotARequest = -32600,
    NoSuchMethod = -32601,
    WrongParameters = -32602,
    Internal = -32603,
    NotInitialized = -32002,
    /// Asked for something that cannot be done.
    Failed = -32803,
}

/// Reads one message; nothing at the end of the input.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Heard>> {
    let mut length: Option<usize> = None;
    loop {
        let mut line = Vec::new();
        let bound = limits::EDITOR_HEADER_BYTES as u64;
        if input.by_ref().take(bound).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        match (line.trim_end().split_once(':'), length) {
            (Some((name, value)), _) if name.trim().eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok(),
            (None, Some(length)) if line.trim().is_empty() => return body(input, length).map(Some),
            _ => {}
        }
    }
}

fn body(input: &mut impl BufRead, length: usize) -> io::Result<Heard> {
    if length > limits::EDITOR_MESSAGE_BYTES {
        io::copy(&mut input.by_ref().take(length as u64), &mut io::sink())?;
        return Ok(Heard::Noise("the message is too long"));
    }
    let mut bytes = Vec::new();
    input.by_ref().take(length as u64).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).map_or(Heard::Noise("the message is not JSON"), Heard::Message))
}

/// The only writer of the protocol's stream.
pub struct Wire<W> {
    out: W,
    /// The number of the last request of ours.
    last: u64,
}

impl<W: Write> Wire<W> {
    pub fn new(out: W) -> Wire<W> {
        Wire { out, last: 0 }
    }

    fn send(&mut self, mut message: Value) -> io::Result<()> {
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(self.out, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        self.out.flush()
    }

    pub fn answer(&mut self, id: &Value, result: Value) -> io::Result<()> {
        self.send(json!({"id": id, "result": result}))
    }

    pub fn refuse(&mut self, id: &Value, code: Refusal, message: &str) -> io::Result<()> {
        self.send(json!({"id": id, "error": {"code": code as i32, "message": message}}))
    }

    pub fn notify(&mut self, method: &str, params: Value) -> io::Result<()> {
        self.send(json!({"method": method, "params": params}))
    }

    /// Asks the editor for something; nobody waits for the answer.
    pub fn ask(&mut self, method: &str, params: Value) -> io::Result<()> {
        self.last += 1;
        let id = format!("runbook-{}", self.last);
        self.send(json!({"id": id, "method": method, "params": params}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8]) -> Vec<String> {
        let mut input = bytes;
        std::iter::from_fn(|| read(&mut input).expect("a slice can be read"))
            .map(|heard| match heard {
                Heard::Message(value) => value.to_string(),
                Heard::Noise(why) => why.to_owned(),
            })
            .collect()
    }

    #[test]
    fn whatever_comes_the_next_message_is_heard() {
        let next = "Content-Length: 2\r\n\r\n{}";
        let huge = limits::EDITOR_MESSAGE_BYTES + 1;
        for (bytes, said) in [
            (String::new(), &[][..]),
            ("Content-Length: 4\r\nContent-Type: x\r\n\r\nnull".to_owned(), &["null"]),
            ("content-length:4\n\nnull".to_owned(), &["null"]),
            ("Content-Length: 3\r\n\r\nnul".to_owned(), &["the message is not JSON"]),
            ("Content-Length: x\r\n\r\nnoise\r\n\r\n".to_owned(), &[]),
            (format!("{}\n", "x".repeat(100_000)), &[]),
            (format!("Content-Length: {huge}\r\n\r\n{}", "x".repeat(huge)), &["the message is too long"]),
        ] {
            let whole = [said, &["{}"]].concat();
            assert_eq!(heard(format!("{bytes}{next}").as_bytes()), whole, "{:.60}", bytes);
        }
        assert_eq!(heard(b"Content-Length: 99999999999999\r\n\r\n{}"), ["the message is too long"]);
        assert_eq!(heard(b"Content-Length: 10\r\n\r\n{}"), ["{}"], "cut off, and whole by chance");
    }

    #[test]
    fn lengths_are_in_bytes() {
        let mut wire = Wire::new(Vec::new());
        wire.notify("x", json!("🔭")).expect("a vector takes everything");
        let text = String::from_utf8(wire.out).expect("JSON is UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(head, format!("Content-Length: {}", body.len()));
    }
}
