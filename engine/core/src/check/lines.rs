//! Positions of many places of one source: one pass over the text, then a search per place.

use crate::diagnostic::{Position, Source};

pub(super) struct Lines<'s> {
    text: &'s str,
    /// Where each line starts, in bytes.
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub fn new(source: &'s Source) -> Lines<'s> {
        let breaks = source.text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(n, _)| n + 1);
        Lines { text: &source.text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The same as [`Source::position`].
    pub fn position(&self, offset: u32) -> Position {
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= end);
        let start = line.checked_sub(1).and_then(|n| self.starts.get(n)).copied().unwrap_or(0);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position { line: count(line), column: count(self.text[start..end].chars().count() + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_source() {
        for text in ["", "a", "a\nb", "\n\n", "é: ü\n  – x\r\nend"] {
            let source = Source::new("a.yaml", text);
            let lines = Lines::new(&source);
            for offset in 0..=text.len() as u32 + 2 {
                assert_eq!(lines.position(offset), source.position(offset), "{text:?} at {offset}");
            }
        }
    }
}
