//! What stands in quotes, behind `$` and between backticks, and arithmetic.

use super::super::commands::HOLE;
use super::{Close, Frame, Lexer, Place, Step, refuse, reworded};

impl Lexer<'_> {
    pub(super) fn single(&mut self) -> Step {
        self.skip('\'');
        if let Some(command) = self.command() {
            command.word.get_or_insert_default();
        }
        while let Some(c) = self.peek() {
            if let Some(span) = self.hole() {
                self.take_hole(&span, Place::Single)?;
                continue;
            }
            self.skip(c);
            if c == '\'' {
                return Ok(());
            }
            self.push_word(c);
        }
        self.open.quote = true;
        Ok(())
    }

    pub(super) fn double(&mut self) -> Step {
        if let Some(span) = self.hole() {
            return self.take_hole(&span, Place::Double);
        }
        match self.peek() {
            Some('"') => {
                self.at += 1;
                self.frames.pop();
            }
            Some('\\') => {
                self.at += 1;
                if let Some(next) = self.peek()
                    && self.hole().is_none()
                {
                    self.skip(next);
                    self.push_word(next);
                }
            }
            Some('`') => self.backticks()?,
            Some('$') => self.dollar(true)?,
            Some(c) => {
                self.skip(c);
                self.push_word(c);
            }
            None => {}
        }
        Ok(())
    }

    pub(super) fn parameter(&mut self, quoted: bool) -> Step {
        if let Some(span) = self.hole() {
            return self.take_hole(&span, Place::Double);
        }
        match self.peek() {
            Some('}') => {
                self.at += 1;
                self.push_word('}');
                self.frames.pop();
            }
            Some('\\') => {
                self.at += 1;
                if let Some(next) = self.peek() {
                    self.skip(next);
                }
            }
            Some('\'') if quoted => {
                self.lost = Some("a single quote inside `\"${…}\"` before this place means different things in different shells");
                self.at += 1;
            }
            Some('\'') => self.single()?,
            Some('"') => {
                self.at += 1;
                self.frames.push(Frame::Double);
            }
            Some('`') => self.backticks()?,
            Some('$') => self.dollar(quoted)?,
            Some(c) => {
                self.skip(c);
                self.push_word(c);
            }
            None => {}
        }
        Ok(())
    }

    /// What `$( … )` writes is part of the word around it, and so are the values in it.
    pub(super) fn take_substitution(&mut self) {
        let (first, written) = self.substituted.pop().unwrap_or_default();
        let inside = self.places.iter().zip(self.spans).skip(first);
        let hole = inside.filter(|(place, _)| **place != Place::Comment).map(|(_, span)| span.start).next();
        let in_commands = matches!(self.frames.last(), Some(Frame::Commands { .. }));
        let Some(command) = self.command() else { return };
        let word = command.word.get_or_insert_default();
        command.bare = in_commands && word == "$";
        word.push_str("()");
        if let Some(hole) = hole.or(written) {
            word.push(HOLE);
            command.holes.push(hole);
        }
    }

    /// `$( … )`, `$(( … ))`, `${ … }`, `$' … '`, or a plain variable.
    pub(super) fn dollar(&mut self, quoted: bool) -> Step {
        if let Some(command) = self.command() {
            command.word.get_or_insert_default().push('$');
        }
        if self.starts("$((") {
            self.at += 1;
            return self.arithmetic(2);
        }
        if self.starts("$(") {
            self.at += 2;
            self.substituted.push((self.places.len(), None));
            self.frames.push(Frame::Commands { command: Box::default(), close: Close::Substitution });
            return Ok(());
        }
        if self.starts("${{") && self.spans.get(self.places.len()).is_some_and(|span| span.start == self.at + 1) {
            return refuse("`$` directly before `{{` would make another variable of the value's name", self.at + 1);
        }
        if self.starts("${") {
            self.at += 2;
            self.push_word('{');
            // `${#name}` and `${name#…}` hold no comment.
            self.frames.push(Frame::Parameter { quoted });
            return Ok(());
        }
        if self.starts("$'") && !quoted {
            self.pop_dollar();
            return self.escaped();
        }
        if self.starts("$\"") && !quoted {
            self.pop_dollar();
        }
        if self.starts("$[") {
            return self.old_arithmetic();
        }
        self.at += 1;
        Ok(())
    }

    /// `$[ … ]`, which only bash reads as arithmetic.
    fn old_arithmetic(&mut self) -> Step {
        self.lost = Some("the old arithmetic `$[…]` stands before this place");
        self.at += 2;
        let (mut depth, mut quote) = (1, None);
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("in arithmetic a value would be evaluated, and can run commands", self.at);
            }
            self.skip(c);
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"' | '`') => quote = Some(c),
                (None, '[') => depth += 1,
                (None, ']') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        self.open.quote = true;
        Ok(())
    }

    /// The `$` of `$'…'` and `$"…"` is no part of the word.
    fn pop_dollar(&mut self) {
        if let Some(word) = self.command().and_then(|command| command.word.as_mut()) {
            word.pop();
        }
    }

    /// `$'…'`, where backslashes mean something.
    fn escaped(&mut self) -> Step {
        let start = self.at;
        self.at += 2;
        self.open.quote = true;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("inside `$'…'` a value would be read for escapes", self.at);
            }
            self.skip(c);
            match c {
                '\'' => {
                    self.open.quote = false;
                    break;
                }
                '\\' => {
                    self.push_word(c);
                    if let Some(next) = self.peek() {
                        self.skip(next);
                        self.push_word(next);
                    }
                }
                _ => self.push_word(c),
            }
        }
        // A plain `sh` may read `$'` as a dollar and a quote, and end it elsewhere.
        if self.source.get(start..self.at).is_some_and(|text| text.contains("\\'")) {
            self.lost = Some("a `$'…\\'…'` before this place ends differently in different shells");
        }
        Ok(())
    }

    pub(super) fn backticks(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        self.open.quote = true;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("inside backticks the quoting of a value cannot be shown to hold; write `$(…)`, or", self.at)
                    .map_err(|error| reworded(error, "; write `$( … )` instead of backticks"));
            }
            self.skip(c);
            match c {
                '`' => {
                    self.open.quote = false;
                    break;
                }
                '\\' => {
                    if let Some(next) = self.peek() {
                        self.skip(next);
                    }
                }
                _ => {}
            }
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        let (singles, doubles) = (text.matches('\'').count(), text.matches('"').count());
        if singles % 2 == 1 || doubles % 2 == 1 || text.contains('\\') {
            self.lost = Some("quotes or backslashes inside backticks stand before this place");
        }
        self.push_word('$');
        Ok(())
    }

    /// `(( … ))` and `$(( … ))`: skipped; at the start of it stand `parentheses` opening ones.
    pub(super) fn arithmetic(&mut self, parentheses: usize) -> Step {
        let start = self.at;
        self.at += parentheses;
        let mut depth = parentheses;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("in arithmetic a value would be evaluated, and can run commands", self.at);
            }
            if matches!(c, '\'' | '"' | '`' | '\\' | '#') {
                self.lost = Some("quotes inside `((…))` stand before this place");
            }
            if c == ')' && depth == parentheses && !self.starts("))") {
                self.lost = Some("a `((` before this place may be two subshells or arithmetic");
            }
            self.skip(c);
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        let is_odd = |quote| text.matches(quote).count() % 2 == 1;
        self.open.quote |= depth > 0 || ['\'', '"', '`'].into_iter().any(is_odd) || text.contains("\\'");
        Ok(())
    }
}
