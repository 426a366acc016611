//! Names as they were at one moment, for an expression that is evaluated later, where nothing can be asked of a run: see
//! [`Expression::capture`](super::Expression::capture).

use super::syntax::Name;
use super::{Names, Reference};
use crate::markdown::quoted;
use crate::value::{Map, Value};

/// Answers by what was captured: maps by their roots.
pub struct Captured<'m>(pub &'m Map);

impl Names for Captured<'_> {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        let none = |name: &str| format!("{} gave nothing when it was looked at", quoted(name));
        let of_root = self.0.get(root).ok_or_else(|| none(root))?;
        match (of_root, member) {
            (value, None) => Ok(value.clone()),
            (Value::Map(members), Some(member)) => members.get(member).cloned().ok_or_else(|| none(&format!("{root}.{member}"))),
            (Value::Unknown(name), Some(_)) => Ok(Value::Unknown(name.clone())),
            (_, Some(member)) => Err(none(&format!("{root}.{member}"))),
        }
    }

    fn has(&self, root: &str, member: &str) -> Option<Value> {
        match self.0.get(root)? {
            Value::Map(members) => Some(match members.get(member) {
                Some(Value::Unknown(name)) => Value::Unknown(name.clone()),
                found => Value::Bool(found.is_some()),
            }),
            _ => None,
        }
    }
}

/// Of the value of a name, the members that paths lead to, where none asks for the whole.
pub(super) fn read_of(value: Value, name: &Name, paths: &[Reference]) -> Value {
    let whole: Vec<&String> = [&name.root].into_iter().chain(&name.member).collect();
    let through = |path: &&Reference| path.path.iter().zip(&whole).all(|(part, of)| part == *of);
    let read: Option<Vec<&String>> = paths.iter().filter(through).map(|path| path.path.get(whole.len())).collect();
    match (value, read) {
        (Value::Map(mut members), Some(read)) => {
            members.retain(|member, _| read.contains(&member));
            Value::Map(members)
        }
        (value, _) => value,
    }
}

/// Adds a value to what was captured of a root. What is known of a member stays.
pub(super) fn add(captured: &mut Map, root: &str, member: Option<&str>, value: Value) {
    let entry = captured.entry(root.to_owned());
    match (member, value) {
        (None, Value::Map(whole)) => match entry.or_insert_with(|| Value::Map(Map::new())) {
            Value::Map(members) => members.extend(whole),
            known => *known = Value::Map(whole),
        },
        (None, value) => *entry.or_insert(Value::Null) = value,
        (Some(member), value) => {
            if let Value::Map(members) = entry.or_insert_with(|| Value::Map(Map::new()))
                && (value != Value::Null || !members.contains_key(member))
            {
                members.insert(member.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;
    use super::*;
    use crate::plan::Origin;

    /// A run with an input, a step that has run, and an item.
    struct Now;

    impl Names for Now {
        fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
            let lag = [("seconds".to_owned(), Value::Int(7)), ("stdout".to_owned(), Value::text("much"))];
            let lag = Value::Map(Map::from(lag));
            match (root, member) {
                ("inputs", Some("version")) => Ok(Value::text("1.2.0")),
                ("inputs", None) => Ok(Value::Map(Map::from([("version".to_owned(), Value::text("1.2.0"))]))),
                ("steps", Some("lag")) => Ok(lag),
                ("steps", None) => Ok(Value::Map(Map::from([("lag".to_owned(), lag)]))),
                ("item", None) => Ok(Value::text("web1")),
                _ => Err(format!("there is no `{root}`")),
            }
        }

        fn has(&self, root: &str, member: &str) -> Option<Value> {
            (root == "steps").then(|| Value::Bool(member == "lag"))
        }
    }

    #[test]
    fn what_was_captured_gives_what_was_there() {
        for (source, expect) in [
            ("inputs.version == \"1.2.0\"", true),
            ("steps.lag.seconds > 5", true),
            ("item == \"web1\"", true),
            ("\"lag\" in steps && steps.lag.seconds == 7", true),
            ("\"lag\" in steps", true),
            ("\"gone\" in steps && steps.gone.seconds == 7", false),
            ("steps?.gone == ()", true),
            ("steps?.lag?.seconds == 7", true),
            ("\"version\" in inputs && \"other\" in inputs", false),
            ("inputs.len() == 1", true),
            ("steps.lag.len() == 2 && steps.lag.seconds == 7", true),
            ("steps.len() == 1 && steps.lag.stdout == \"much\"", true),
        ] {
            let expression = Expression::parse(source, Origin::default()).unwrap();
            let captured = expression.capture(&Now, &["event"]).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(expression.evaluate(&Captured(&captured)), Ok(Value::Bool(expect)), "{source}: {captured:?}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_captured() {
        let captured = |source: &str| Expression::parse(source, Origin::default()).unwrap().capture(&Now, &["event", "now"]);
        let json = |source: &str| Value::Map(captured(source).unwrap()).to_plain_json().to_string();
        assert_eq!(json("event.status == \"resolved\" && now.unix > 0"), "{}");
        assert_eq!(json("event.data.version == inputs.version"), r#"{"inputs":{"version":"1.2.0"}}"#);
        assert_eq!(json("\"lag\" in steps || \"gone\" in steps"), r#"{"steps":{"lag":null}}"#);
        assert_eq!(json("event.n > steps.lag.seconds"), r#"{"steps":{"lag":{"seconds":7}}}"#);
        assert_eq!(json("event.n > steps.lag?.minutes"), r#"{"steps":{"lag":{}}}"#);
        assert!(captured("event.id == steps.gone.id").unwrap_err().message.contains("there is no `steps`"));
    }
}
