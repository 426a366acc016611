//! A text in parts that the parser of Handlebars reads one by one, to the same effect as all at once. For each `{{…}}` that parser
//! counts lines and columns from the beginning of what it is given, so a text of thousands would cost time that grows with the square.
//!
//! What a tag does to the white space around it ends at the line, unless `~` stands in it, and a plain value does nothing to it. So
//! parts meet where a line begins and before a plain value behind another one, outside blocks.

use std::ops::Range;

use super::{Mustache, inside};
use crate::expr::ParseError;
use crate::limits;

/// The parts of a source, in order. Each but one without any `{{…}}` holds some.
pub(super) fn parts(source: &str, found: &[Mustache]) -> Result<Vec<Range<usize>>, ParseError> {
    let mut parts = Vec::new();
    let (mut from, mut tags, mut depth) = (0, 0, 0usize);
    let mut before: Option<(&Mustache, Tag)> = None;
    for mustache in found {
        // Behind braces that a backslash makes text, two more are text as well.
        if source.get(..mustache.span.start).is_some_and(|before| before.ends_with("\\{{")) {
            continue;
        }
        // Over a comment, what trims goes on to trim.
        let tag = match before {
            Some((_, Tag::Trims)) if mustache.comment => Tag::Trims,
            _ => Tag::of(source, mustache),
        };
        let cut = before.filter(|_| depth == 0).and_then(|(last, of)| {
            let between = source.get(last.span.end..mustache.span.start)?;
            // What a backslash makes text goes no further than its line.
            let escapes = between.contains("\\{{") || between.ends_with('\\');
            match (of, tag) {
                (Tag::Trims, _) | (_, Tag::Trims) => None,
                (Tag::Value, Tag::Value) if !escapes => Some(mustache.span.start),
                _ => between.rfind('\n').map(|at| last.span.end + at + 1),
            }
        });
        if let Some(cut) = cut {
            parts.push(from..cut);
            (from, tags) = (cut, 0);
        }
        tags += 1;
        if tags > limits::TEMPLATE_TAGS {
            let message =
                format!("more than {} `{{{{…}}}}` stand in one block or line; write it as several texts", limits::TEMPLATE_TAGS);
            return Err(ParseError { message, offset: mustache.span.start });
        }
        match inside(source.get(mustache.span.clone()).unwrap_or_default()).chars().next() {
            Some('#') => depth += 1,
            Some('/') => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = Some((mustache, tag));
    }
    parts.push(from..source.len());
    Ok(parts)
}

/// What a `{{…}}` does to the text around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// Nothing: a name, or a helper with its arguments.
    Value,
    /// A block or a comment, which takes its line away where it stands alone there.
    Other,
    /// With `~`: all white space, over lines.
    Trims,
}

impl Tag {
    fn of(source: &str, mustache: &Mustache) -> Tag {
        let text = source.get(mustache.span.clone()).unwrap_or_default();
        // Of brackets and braces the parser may see the end elsewhere.
        let plain = |c: char| c.is_ascii_alphanumeric() || " _.@-,:()\"'".contains(c);
        if text.starts_with("{{~") || text.ends_with("~}}") {
            Tag::Trims
        } else if !mustache.comment && !inside(text).starts_with("else") && inside(text).chars().all(plain) {
            Tag::Value
        } else {
            Tag::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Compiler, Piece, join, mustaches, parse, template};
    use super::parts;

    /// As one part, and in its parts.
    fn both_ways(source: &str) -> [Result<String, String>; 2] {
        let shown = |read: Result<Vec<Piece>, _>| match read {
            Ok(pieces) => Ok(format!("{pieces:?}")),
            Err(crate::expr::ParseError { .. }) => Err("refused".to_owned()),
        };
        let found = mustaches(source).unwrap_or_default();
        let whole = template(source, 0..source.len()).and_then(|whole| {
            let mut pieces = Vec::new();
            join(&mut pieces, Compiler::of(source, found).pieces(&whole)?);
            Ok(pieces)
        });
        [shown(whole), shown(parse(source))]
    }

    #[test]
    fn a_text_in_parts_means_the_same() {
        for source in [
            "{{a}} {{b}}\n",
            "x\n {{ a.b }} }\n{{a.b_c.d}}}} {{true.a}}",
            "a\n{{#if a}}\nb\n{{/if}}\n{{c}}{{d}} \n {{! x }} \n{{e}}",
            "{{#if a}}b{{/if}}\n  {{#if c}}\n d {{e}} {{f}}\n {{else}}\n{{/if}}",
            "{{a}}  {{#if b}}\n{{/if}}",
            "{{#if b}}x{{/if}} {{a}}\n {{c}}",
            "{{a}}\n\n{{~b~}}\n\n{{c}}",
            "{{a~}}{{! b }}\n {{c}}",
            "{{#each a}}\\{{{{/if}}\\\n{{/each}}",
            "\\{{a}} \\{{b}} {{c}} \\\\{{d}}",
            "{{#each a as |b|}}\n{{b}} {{@index}}\n{{/each}}\n{{default c \"}}\"}} {{json d}}",
        ] {
            let [whole, in_parts] = both_ways(source);
            assert!(whole.is_ok(), "{source:?}: {whole:?}");
            assert_eq!(whole, in_parts, "{source:?}");
        }
        for source in ["{{a}} {{/if}} {{b}}", "{{a}} {{b}}\n{{#if c}}", "{{a}} {{b}} {{c d e}}", "{{else}} {{a}}"] {
            let [whole, in_parts] = both_ways(source);
            assert_eq!(whole.is_ok(), in_parts.is_ok(), "{source:?}: {whole:?} {in_parts:?}");
        }
    }

    #[test]
    fn no_part_of_many_values_is_long() {
        for part in
            ["{{run.id}} ", "{{default run.id 'x'}}, ", "{{#if a}}x{{/if}}\n", "a {{! b }}\n", "{{#if a}}\n{{b}}\n{{/if}}\n"]
        {
            let source = part.repeat(2000);
            let parts = parts(&source, &mustaches(&source).unwrap()).unwrap();
            assert!(parts.iter().all(|range| range.len() < 100) && parts.len() > 1000, "{part}: {}", parts.len());
        }
        for line in ["C:\\dir\\{{a}} \\\n", "{{a}} \\ {{b}}\n", "\\{{a}} {{b}}\n", "\\\\{{a}} \\{{b}}\n", "{{#if a}}a\\b{{/if}}\n"]
        {
            let source = line.repeat(300);
            let [_, in_parts] = both_ways(&source);
            assert!(in_parts.is_ok(), "{line}: {in_parts:?}");
        }
        let row = "{{#if a}}x{{/if}} ".repeat(2000);
        assert!(parse(&row).unwrap_err().message.contains("in one block or line"));
        assert!(parse(&"{{#if a}}x{{/if}} ".repeat(100)).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_in_parts_means_the_same(pieces in proptest::collection::vec(proptest::sample::select(vec![
            "{{a}}", "{{b.c}}", "{{ b.c }}", "{{b.c_1}}", "{{b.1}}", "{{true.a}}", "{{~d}}", "{{e~}}", "{{#if a}}", "{{/if}}", "{{else}}", "{{! c }}", "{{!-- }} --}}", "{{upper a}}",
            "{{#each l}}", "{{/each}}", " ", "  ", "\n", "\n", "x", "\t", "\\", "\\{{", "}}", "é", "\r\n", "{{eq a \"}} {{\"}}", "\\\n", "\\\\",
        ]), 0..14)) {
            let source = pieces.concat();
            if !source.contains("{{") {
                return Ok(());
            }
            let [whole, in_parts] = both_ways(&source);
            prop_assert_eq!(whole, in_parts, "{:?}", source);
        }
    }
}
