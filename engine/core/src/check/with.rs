//! What is handed from one step to what runs inside it: the inputs of a called procedure, the items of an `each`.

use super::procedure::Checked;
use super::types::{Members, article, of_input};
use crate::diagnostic::Code;
use crate::document::step::CallStep;
use crate::document::{Procedure, Scalar};
use crate::expr::{Expression, Reference, Template, Type};
use crate::plan::Origin;

/// Names that mean something everywhere, so that an `each` cannot call its items so.
const RESERVED: [&str; 9] = ["inputs", "steps", "event", "target", "run", "now", "result", "secrets", "index"];

impl Checked<'_, '_> {
    /// Judges `with` against the inputs that the called procedure declares.
    pub fn handed(&mut self, call: &CallStep, called: &Procedure, given: &Members) {
        let name = &called.name.value;
        let declared = |wanted: &str| called.inputs.iter().find(|(id, _)| id.value.as_str() == wanted).map(|(_, input)| input);
        for (input, value) in &call.with {
            let Some(wanted) = declared(input.value.as_str()) else {
                let near = self.nearest(input.value.as_str(), called.inputs.iter().map(|(id, _)| id.value.as_str()));
                let fault = self.new_fault(Code::RB0306, input.span, format!("`{name}` has no input `{}`", input.value));
                let fault = match near {
                    Some(near) => fault.help(format!("did you mean `{near}`?")).replace(input.span, near),
                    None => fault.help("remove it, or correct the name"),
                };
                self.report(fault);
                continue;
            };
            let (wanted, found) = (of_input(wanted), given.get(input.value.as_str()).cloned().unwrap_or(Type::Any));
            // Text from a program or a person is read as what the input wants.
            let readable = found == Type::String && matches!(wanted, Type::Duration | Type::Time);
            if !readable && found != Type::Null && !wanted.may_be(&found) {
                let fault = self
                    .new_fault(
                        Code::RB0308,
                        value.span,
                        format!("`{}` of `{name}` is {}, and this is {}", input.value, article(&wanted), article(&found)),
                    )
                    .help("hand over a value of that type");
                self.report(fault);
            }
        }
        let missing: Vec<String> = called
            .inputs
            .iter()
            .filter(|(id, input)| input.required && !call.with.iter().any(|(given, _)| given.value == id.value))
            .map(|(id, _)| format!("`{}`", id.value))
            .collect();
        if !missing.is_empty() {
            let fault = self
                .new_fault(Code::RB0307, call.procedure.span, format!("`{name}` needs {}", missing.join(", ")))
                .help("hand it over in `with`, beside `call`");
            self.report(fault);
        }
    }

    /// A run takes the lock of its own procedure and none of those that it calls.
    pub fn unlocked(&mut self, call: &CallStep, called: &Procedure) {
        let Some(lock) = &called.lock else { return };
        let as_called = filled(&lock.value, |name| {
            let (_, given) = call.with.iter().find(|(input, _)| input.value.as_str() == name)?;
            let given = given.value.trim();
            let words = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
            match given.strip_prefix("inputs.") {
                Some(input) if words(input) => Some(format!("{{{{inputs.{input}}}}}")),
                _ => {
                    let bare = ['"', '\''].iter().find_map(|quote| given.strip_prefix(*quote)?.strip_suffix(*quote));
                    let number = given.parse::<i64>().is_ok().then_some(given);
                    bare.or(number).filter(|text| !text.contains(['"', '\'', '\\', '{'])).map(str::to_owned)
                }
            }
        });
        let own = self.procedure.lock.as_ref().and_then(|lock| filled(&lock.value, |name| Some(format!("{{{{inputs.{name}}}}}"))));
        if as_called.is_some() && as_called == own {
            return;
        }
        let name = &called.name.value;
        let message = format!("the lock of `{name}` is not taken here: `{}`", lock.value.trim());
        let fault = self.new_fault(Code::RB0322, call.procedure.span, message);
        let fault = fault.reason("a run takes the lock of its own procedure alone, so another run of it may go on beside");
        self.report(match as_called {
            Some(lock) => fault.help(format!("write `lock: \"{lock}\"` at the top of this procedure")),
            None => fault.help(format!("give this procedure a `lock` that no two runs may share, or run `{name}` by itself")),
        });
    }

    /// The type of each item of a list.
    pub fn item_type(&mut self, items: &Scalar, found: Option<&Type>) -> Type {
        match found {
            Some(Type::List(item)) => (**item).clone(),
            None | Some(Type::Any) => Type::Any,
            Some(other) => {
                let help = match other {
                    Type::String => "split it: `….lines()`",
                    Type::Map(_) => "take its keys or values: `….keys()`",
                    _ => "write an expression that gives a list",
                };
                let message = format!("`in` is a list, and this is {}", article(other));
                let fault = self.new_fault(Code::RB0109, items.span, message).help(help);
                self.report(fault);
                Type::Any
            }
        }
    }

    /// Names that an `each` may not give to its items: they would hide another.
    pub fn item_name(&mut self, name: &crate::diagnostic::Spanned<crate::id::Id>) {
        let text = name.value.as_str();
        let hidden = if RESERVED.contains(&text) {
            "the language uses it for something else"
        } else if self.items.iter().any(|item| item.name == text) {
            "an `each` around this one uses it"
        } else if !is_a_name(text) {
            "the two languages read it as a word of their own"
        } else {
            return;
        };
        let fault = self
            .new_fault(Code::RB0119, name.span, format!("items cannot be called `{text}`"))
            .reason(hidden)
            .help("choose another name, such as `host`");
        self.report(fault);
    }
}

/// Whether both languages read a word as a name.
fn is_a_name(word: &str) -> bool {
    let alone = |references: Vec<Reference>| matches!(&references[..], [one] if one.path == [word]);
    let expression = Expression::parse(word, Origin::default()).map(|parsed| parsed.references());
    let text = Template::parse(&format!("{{{{{word}}}}}"), Origin::default()).map(|parsed| parsed.references());
    expression.is_ok_and(alone) && text.is_ok_and(alone)
}

/// A lock with other text in the place of its inputs; `None` where one of them has none, or something else than an input stands there.
fn filled(lock: &str, with: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut rest = lock.trim();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        text.push_str(before);
        text.push_str(&with(name.trim().strip_prefix("inputs.")?)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}
