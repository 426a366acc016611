//! What stands before a place in an expression that is still being written: the value behind whose dot it is, and the closures around it.
//! Nothing of it need be whole, so it is read by its brackets and quotes alone.

use crate::check::survey::Field;
use crate::expr::{Expression, Type, Types};
use crate::plan::Origin;

/// A call that is open at the place, with a closure begun in it.
struct Closure<'t> {
    parameter: &'t str,
    /// The value that the call is of.
    of: &'t str,
}

/// What is known at a place of a field.
pub(super) struct Typed<'t> {
    field: &'t Field,
    /// The parameters of the closures around it, the innermost last.
    pub parameters: Vec<(&'t str, Type)>,
    /// What is being written, from its first name on.
    chain: &'t str,
}

impl<'t> Typed<'t> {
    /// `before`: the expression up to the place.
    pub fn new(field: &'t Field, before: &'t str) -> Typed<'t> {
        let (start, closures) = read(before);
        let chain = before.get(start..).unwrap_or_default();
        let mut typed = Typed { field, parameters: Vec::new(), chain };
        for closure in closures {
            let item = match typed.type_of(closure.of) {
                Some(Type::List(item)) => *item,
                _ => Type::Any,
            };
            typed.parameters.push((closure.parameter, item));
        }
        typed
    }

    /// What stands before the last dot gives, where something does.
    pub fn receiver(&self) -> Option<Type> {
        let (receiver, _) = self.chain.rsplit_once('.')?;
        self.type_of(receiver.trim_end_matches('?'))
    }

    fn type_of(&self, expression: &str) -> Option<Type> {
        let parsed = Expression::parse(expression, Origin::default()).ok()?;
        let (found, faults) = parsed.infer(self);
        faults.is_empty().then_some(found)
    }
}

impl Types for Typed<'_> {
    fn of(&self, root: &str, member: Option<&str>) -> Result<Type, String> {
        let parameter = self.parameters.iter().rev().find(|(name, _)| *name == root && member.is_none());
        if let Some((_, of)) = parameter {
            return Ok(of.clone());
        }
        let name = member.map_or_else(|| root.to_owned(), |member| format!("{root}.{member}"));
        let known = self.field.names.iter().find(|(known, _)| *known == name);
        known.map(|(_, of)| of.clone()).ok_or_else(|| format!("there is no `{name}` here"))
    }
}

/// Where the value that is being written begins, and the closures that are open there.
fn read(before: &str) -> (usize, Vec<Closure<'_>>) {
    struct Open<'t> {
        /// Where the value begins that the bracket belongs to.
        start: usize,
        closure: Option<Closure<'t>>,
    }
    let mut open: Vec<Open> = Vec::new();
    let mut start: Option<usize> = None;
    let mut chars = before.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' | '\'' => {
                start.get_or_insert(at);
                let mut escaped = false;
                // To its end, if it has one.
                for (_, inside) in chars.by_ref() {
                    match inside {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        end if end == c => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' => {
                let from = start.unwrap_or(at);
                let closure = (c == '(').then(|| closure(before.get(from..at)?, before.get(at + 1..)?)).flatten();
                open.push(Open { start: from, closure });
                start = None;
            }
            ')' | ']' => start = open.pop().map(|open| open.start),
            '?' if before.get(at + 1..).is_some_and(|behind| behind.starts_with('?')) => {
                chars.next();
                start = None;
            }
            '.' | '?' => {}
            c if c.is_alphanumeric() || c == '_' => _ = start.get_or_insert(at),
            _ => start = None,
        }
    }
    (start.unwrap_or(before.len()), open.into_iter().filter_map(|open| open.closure).collect())
}

/// The closure that begins behind a bracket: `hosts.filter` and `|host| …`.
fn closure<'t>(called: &'t str, behind: &'t str) -> Option<Closure<'t>> {
    let (of, _) = called.rsplit_once('.')?;
    let (parameter, _) = behind.trim_start().strip_prefix('|')?.split_once('|')?;
    Some(Closure { parameter: parameter.trim(), of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_begins_where_its_first_name_does() {
        for (before, chain, closures) in [
            ("", "", ""),
            ("a.b.", "a.b.", ""),
            ("x && a.b(c, \")(\")[1].d", "a.b(c, \")(\")[1].d", ""),
            ("a.filter(|h| h.", "h.", "h of a"),
            ("a.filter(|h| h > 1).", "a.filter(|h| h > 1).", ""),
            ("a.map(|h| h.b.all(|k| k == h.", "h.", "h of a, k of h.b"),
            ("\"a b\".", "\"a b\".", ""),
            ("(a + b).", "(a + b).", ""),
            ("(a ?? b).", "(a ?? b).", ""),
            ("a?.b[0]?.c.", "a?.b[0]?.c.", ""),
            ("a?.b ?? c.d.", "c.d.", ""),
            ("a??b.", "b.", ""),
            ("(a||b)??c.", "c.", ""),
            ("a||b.", "b.", ""),
            ("a.filter(|h| h.b||h.", "h.", "h of a"),
            ("a.filter(|h|h??b.", "b.", "h of a"),
            (") ] a", "a", ""),
            ("\"never closed", "\"never closed", ""),
            ("f(|", "", ""),
        ] {
            let (start, found) = read(before);
            let told: Vec<String> = found.iter().map(|closure| format!("{} of {}", closure.parameter, closure.of)).collect();
            assert_eq!((&before[start..], told.join(", ").as_str()), (chain, closures), "{before}");
        }
    }
}
