//! What is handed from one step to what runs inside it: the inputs of a called procedure, the items of an `each`.

use super::procedure::Checked;
use super::types::{Members, article, of_input};
use crate::diagnostic::Code;
use crate::document::input::InputType;
use crate::document::step::CallStep;
use crate::document::{Input, Procedure, Scalar};
use crate::expr::{Expression, Names, Reference, Stand, Template, Type};
use crate::markdown::quoted;
use crate::plan::{Origin, ValueSpec};
use crate::value::Value;

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
        let read = |text: &str| Template::parse(text.trim(), Origin::default()).ok();
        let as_called = read(&lock.value).and_then(|lock| lock.filled(&|name| self.handed_over(call, called, name)));
        let own = self.procedure.lock.as_ref();
        let same = own.and_then(|own| read(&own.value)?.filled(&|name| Some(Stand::Name(name.to_vec()))));
        if as_called.is_some() && as_called == same {
            return;
        }
        let name = &called.name.value;
        // Different inputs may have the same value.
        let surely =
            own.is_none() || [&as_called, &same].into_iter().all(|lock| lock.as_ref().is_some_and(|lock| !lock.contains("{{")));
        let message = match surely {
            true => format!("the lock of `{name}` is not taken here: {}", quoted(lock.value.trim())),
            false => format!("whether the lock of `{name}` is taken here cannot be known: {}", quoted(lock.value.trim())),
        };
        let fault = self.new_fault(Code::RB0322, call.procedure.span, message);
        let fault = fault.reason("a run takes the lock of its own procedure alone, so another run of it may go on beside");
        self.report(match as_called {
            Some(lock) => fault.help(format!("write `lock: {}` at the top of this procedure", in_yaml(&lock))),
            None => fault.help(format!("give this procedure a `lock` that no two runs may share, or run `{name}` by itself")),
        });
    }

    /// What an input of a called procedure is called here, or is.
    fn handed_over(&self, call: &CallStep, called: &Procedure, name: &[String]) -> Option<Stand> {
        let [root, input, members @ ..] = name else { return None };
        let (_, wanted) = called.inputs.iter().find(|(id, _)| root == "inputs" && id.value.as_str() == input)?;
        let spec = ValueSpec::of(wanted).0;
        let value = match call.with.iter().find(|(given, _)| given.value.as_str() == input) {
            None => spec.default.clone()?,
            Some((_, given)) => {
                let given = Expression::parse(&given.value, Origin::default()).ok()?;
                match given.name() {
                    Some(name) => {
                        return self.is_the_same(&name.path, wanted, &spec).then(|| Stand::Name([&name.path, members].concat()));
                    }
                    None => constant(&given)?,
                }
            }
        };
        let value = spec.accept(&value).ok()?;
        members.iter().try_fold(&value, |value, member| value.get(member)).cloned().map(Stand::Value)
    }

    /// Whether an input of this procedure is written in the same way once it is one of another.
    fn is_the_same(&self, name: &[String], wanted: &Input, spec: &ValueSpec) -> bool {
        let [root, input, ..] = name else { return false };
        let found = self.procedure.inputs.iter().find(|(id, _)| root == "inputs" && id.value.as_str() == input);
        let Some((_, own)) = found else { return false };
        // Read from a text, these are written in another way; and nothing becomes what the other one has in its place.
        let reads = |input: &Input| matches!(input.r#type.value, InputType::Duration | InputType::Time | InputType::Number);
        let read = reads(wanted) || wanted.items.as_ref().is_some_and(|items| reads(items));
        let alike = own.r#type.value == wanted.r#type.value && name.len() == 2;
        let nothing = !own.required && own.default.is_none() && spec.default.is_some();
        (!read || alike) && !nothing
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

/// The value of an expression that reads nothing.
fn constant(expression: &Expression) -> Option<Value> {
    struct Nothing;
    impl Names for Nothing {
        fn value(&self, root: &str, _: Option<&str>) -> Result<Value, String> {
            Err(format!("`{root}` is not read here"))
        }
    }
    expression.references().is_empty().then(|| expression.evaluate(&Nothing).ok())?
}

/// A text as it is written in quotes of YAML.
fn in_yaml(text: &str) -> String {
    match text.contains(['"', '\\']) {
        true => format!("'{}'", text.replace('\'', "''")),
        false => format!("\"{text}\""),
    }
}
