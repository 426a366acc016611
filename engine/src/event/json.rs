//! JSON from senders: every integer exact, bounded in depth and in the number of values. What 64 bits cannot hold becomes its text, and
//! is told; elsewhere such a number is refused, but an event is not lost for the size of a number that nobody reads.

use runbook_core::limits;
use runbook_core::value::{Map, Value};

/// The value, and where in it an integer became text: `alert.updatedAt`, `alerts[2].id`.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader { text, at: 0, values: 0, big: Vec::new() };
    let value = reader.value(0)?;
    reader.blank();
    if reader.at < text.len() {
        return Err(reader.fault("something stands behind the end of the JSON"));
    }
    Ok((value, reader.big))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    values: usize,
    big: Vec<String>,
}

impl<'t> Reader<'t> {
    fn fault(&self, what: &str) -> String {
        format!("{what} (byte {})", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.values += 1;
        if self.values > limits::DELIVERY_VALUES {
            return Err(format!("it holds more than {} values", limits::DELIVERY_VALUES));
        }
        self.blank();
        match self.peek() {
            Some(b'{' | b'[') if depth >= limits::VALUE_DEPTH => {
                Err(format!("it is nested more than {} deep", limits::VALUE_DEPTH))
            }
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => {
                for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.fault("it is not JSON"))
            }
            None => Err(self.fault("the JSON ends too early")),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut map = Map::new();
        self.blank();
        if self.takes(b'}') {
            return Ok(Value::Map(map));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.fault("the name of a member is expected"));
            }
            let key = self.string()?;
            self.blank();
            if !self.takes(b':') {
                return Err(self.fault("`:` is expected"));
            }
            let known = self.big.len();
            // What is written down of a map with such a name is one deeper.
            let value = self.value(depth + 1 + usize::from(key.starts_with('$')))?;
            for path in self.big.iter_mut().skip(known) {
                let between = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                *path = format!("{key}{between}{path}");
            }
            map.insert(key, value);
            self.blank();
            if self.takes(b'}') {
                return Ok(Value::Map(map));
            }
            if !self.takes(b',') {
                return Err(self.fault("`,` or `}` is expected"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut list = Vec::new();
        self.blank();
        if self.takes(b']') {
            return Ok(Value::List(list));
        }
        loop {
            let known = self.big.len();
            let value = self.value(depth + 1)?;
            for path in self.big.iter_mut().skip(known) {
                let between = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                *path = format!("[{}]{between}{path}", list.len());
            }
            list.push(value);
            self.blank();
            if self.takes(b']') {
                return Ok(Value::List(list));
            }
            if !self.takes(b',') {
                return Err(self.fault("`,` or `]` is expected"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.fault("a text is not closed")),
            }
        }
        let token = self.text.get(start..=end).unwrap_or_default();
        let text =
            serde_json::from_str(token).map_err(|_| self.fault("a text has an escape or a character that JSON does not know"))?;
        self.at = end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Value, String> {
        let end = self.rest().find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(self.rest().len());
        let token = self.rest().get(..end).unwrap_or_default();
        // Of a number whose digits are right, serde_json refuses only what no double can hold.
        let sound = |number: &str| serde_json::from_str::<serde_json::Number>(number).is_ok();
        let whole = !token.contains(['.', 'e', 'E']);
        let value = match token.parse::<i64>() {
            Ok(integer) if sound(token) => Value::Int(integer),
            _ if whole => {
                let digits = token.strip_prefix('-').unwrap_or(token);
                let right = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() && !digits.starts_with('0');
                if !right {
                    return Err(self.fault("a number is not one"));
                }
                if self.big.len() < limits::BIG_INTEGERS_TOLD {
                    self.big.push(String::new());
                }
                Value::text(token)
            }
            _ => match token.parse::<f64>() {
                Ok(number) if number.is_finite() && sound(token) => Value::Float(number),
                _ => return Err(self.fault("a number is not one, or beyond every double")),
            },
        };
        self.at += end;
        Ok(value)
    }
}
