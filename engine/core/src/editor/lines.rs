//! Places as editors count them: lines and columns from 0, columns in UTF-16 code units.

/// A place as the language server protocol writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub line: u32,
    /// In UTF-16 code units: a character beyond the first 65,536 counts twice.
    pub column: u32,
}

/// Where the lines of a text begin.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Lines<'t> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, starts }
    }

    /// Where byte `offset` stands; inside a character, where that begins.
    pub fn point(&self, offset: u32) -> Point {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        let units = if before.is_ascii() { before.len() } else { before.encode_utf16().count() };
        Point { line: count(line), column: count(units) }
    }

    /// The byte at a place. Behind the end of its line it is that end, behind the last line the end of the text; in the middle of
    /// a character, where that begins.
    pub fn offset(&self, point: Point) -> u32 {
        let Some(start) = self.starts.get(point.line as usize).copied() else { return count(self.text.len()) };
        let line = self.text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut units = 0;
        for (at, c) in line.char_indices() {
            units += count(c.len_utf16());
            if units > point.column {
                return count(start + at);
            }
        }
        count(start + line.len())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
