//! The nearest right spelling of a misspelt word.

use crate::limits;

/// Longer words are not compared.
const WORD_BYTES: usize = limits::ID_BYTES;

/// The candidate that `word` was most likely meant to be: the same letters in another case or with other separators, or
/// at most a third of the letters (at least one) mistyped, left out, added or swapped.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_BYTES {
        return None;
    }
    let plain = normal(word);
    let allowed = (plain.len() / 3).max(1);
    candidates
        .into_iter()
        .take(limits::SPELLINGS)
        .filter(|candidate| candidate.len() <= WORD_BYTES && *candidate != word)
        .filter_map(|candidate| {
            let candidate_plain = normal(candidate);
            if plain.len().abs_diff(candidate_plain.len()) > allowed {
                return None;
            }
            let distance = distance(&plain, &candidate_plain);
            (distance <= allowed && distance < plain.len()).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn normal(word: &str) -> Vec<char> {
    word.chars().map(|c| if matches!(c, '-' | ' ' | '.') { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
fn distance(mut a: &[char], mut b: &[char]) -> usize {
    // Where both begin or end alike there is nothing to count: most names of one file are alike for most of their length.
    while let ([x, front @ ..], [y, other @ ..]) = (a, b)
        && x == y
    {
        (a, b) = (front, other);
    }
    while let ([front @ .., x], [other @ .., y]) = (a, b)
        && x == y
    {
        (a, b) = (front, other);
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_at_both_ends_is_not_counted() {
        for (a, b, expect) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("abcd", "abd", 1),
            ("aab", "ab", 1),
            ("abab", "ab", 2),
            ("xaby", "xbay", 1),
            ("step_number_7", "step_numbr_7", 1),
            ("step_number_71", "step_numbr_1", 2),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), expect, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), expect, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_word_is_found() {
        for (word, expect) in [
            ("timout", Some("timeout")),
            ("tiemout", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("on-failure", Some("on_failure")),
            ("onfailure", Some("on_failure")),
            ("undo", None),
            ("x", None),
            ("retyr", Some("retry")),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["timeout", "on_failure", "retry", "undo_all_of_it"]), expect, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(10_000), ["a"]), None);
    }
}
