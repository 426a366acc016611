//! What was parsed of the expressions and texts of a document that is checked again and again: an editor checks with each keystroke,
//! and nearly all fields are written as they were. Scripts of `rhai` are few, and parsed each time.

use std::collections::HashMap;

use crate::expr::{Expression, ParseError, ShellScript, Template};
use crate::plan::Origin;

/// Of the last check of one document.
#[derive(Debug, Default)]
pub struct Parsed {
    expressions: Sources<Expression>,
    texts: Sources<Template>,
    scripts: Sources<ShellScript>,
}

/// By their sources: of the check before this one, and of this one.
#[derive(Debug)]
struct Sources<T> {
    before: HashMap<String, T>,
    now: HashMap<String, T>,
}

impl<T> Default for Sources<T> {
    fn default() -> Sources<T> {
        Sources { before: HashMap::new(), now: HashMap::new() }
    }
}

impl<T> Sources<T> {
    fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

impl<T: Clone> Sources<T> {
    fn parse(&mut self, source: &str, parse: impl FnOnce() -> Result<T, ParseError>) -> Result<T, ParseError> {
        if let Some(known) = self.now.get(source) {
            return Ok(known.clone());
        }
        let (source, parsed) = match self.before.remove_entry(source) {
            Some(known) => known,
            None => (source.to_owned(), parse()?),
        };
        self.now.insert(source, parsed.clone());
        Ok(parsed)
    }
}

impl Parsed {
    /// A check begins: what the one before it had no use for is let go.
    pub(super) fn begin(&mut self) {
        self.expressions.begin();
        self.texts.begin();
        self.scripts.begin();
    }

    pub(super) fn expression(&mut self, source: &str, at: Origin) -> Result<Expression, ParseError> {
        let mut parsed = self.expressions.parse(source, || Expression::parse(source, Origin::default()))?;
        parsed.at = at;
        Ok(parsed)
    }

    pub(super) fn text(&mut self, source: &str, at: Origin) -> Result<Template, ParseError> {
        let mut parsed = self.texts.parse(source, || Template::parse(source, Origin::default()))?;
        parsed.at = at;
        Ok(parsed)
    }

    pub(super) fn shell_script(&mut self, source: &str, at: Origin) -> Result<ShellScript, ParseError> {
        let mut parsed = self.scripts.parse(source, || ShellScript::parse(source, Origin::default()))?;
        parsed.at = at;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32) -> Origin {
        Origin { position: crate::diagnostic::Position { line, column: 1 }, ..Origin::default() }
    }

    #[test]
    fn what_is_written_as_before_is_not_parsed_again() {
        let mut parsed = Parsed::default();
        parsed.begin();
        assert!(parsed.expression("1 + 1", at(1)).is_ok());
        assert!(parsed.expression("1 +", at(2)).is_err(), "what is wrong stays wrong");
        parsed.begin();
        assert!(parsed.expressions.before.contains_key("1 + 1") && !parsed.expressions.before.contains_key("1 +"));
        assert!(parsed.expression("1 + 1", at(7)).is_ok());
        assert!(parsed.expressions.before.is_empty(), "it came from the check before");
        parsed.begin();
        parsed.begin();
        assert!(parsed.expressions.before.is_empty(), "nobody reads it any more");
    }

    #[test]
    fn it_stands_where_it_is_now() {
        let mut parsed = Parsed::default();
        for line in [1, 7, 3] {
            parsed.begin();
            // Twice in one document, too.
            for line in [line, line + 1] {
                let expression = parsed.expression("1 + 1", at(line)).expect("it is right");
                let text = parsed.text("a {{b}}", at(line)).expect("it is right");
                let script = parsed.shell_script("echo {{b}}", at(line)).expect("it is right");
                assert_eq!((expression.at, text.at, script.at), (at(line), at(line), at(line)));
            }
        }
    }
}
