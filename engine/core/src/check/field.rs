//! The fields of a procedure in their two languages: each is parsed, and each name in it is looked up where it stands.

use std::cell::LazyCell;

use super::procedure::{Checked, Item};
use super::survey::{Language, Name};
use super::tree::Place;
use super::types::Members;
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::input::InputType;
use crate::document::{Input, Scalar};
use crate::expr::{
    BEFORE_IT, Beginning, COULD_BE_AN_OPTION, Expression, ParseError, Reference, Script, ShellScript, Template, Type, data_as_code,
    is_code_variable, plain_text,
};
use crate::id::Id;
use crate::plan::{EnvValue, HeaderValue, Origin};
use crate::value::Value;

/// Where a field stands, which decides what its names can mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub place: Place,
    pub sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A field of a step, read before or while it runs.
    Step,
    /// A field over the verb's result.
    Result,
    /// The outputs of the procedure, read when it has succeeded.
    Outputs,
    /// `lock`: read before the run starts.
    Lock,
    /// Read from the event alone, before there is a run.
    Trigger,
    /// A field of a step, read whenever an event comes that it may wait for.
    Awaited,
}

impl Scope {
    pub fn at(place: Place) -> Scope {
        Scope { place, sort: Sort::Step }
    }

    pub fn lock() -> Scope {
        Scope { place: Place::start(), sort: Sort::Lock }
    }

    pub fn outputs(end: Place) -> Scope {
        Scope { place: end, sort: Sort::Outputs }
    }

    pub fn trigger() -> Scope {
        Scope { place: Place::start(), sort: Sort::Trigger }
    }

    /// With the event that comes.
    pub fn awaited(self) -> Scope {
        Scope { sort: Sort::Awaited, ..self }
    }

    /// Behind the step at hand, with its verb's `result`.
    pub fn result(self) -> Scope {
        Scope { place: Place { after: true, ..self.place }, sort: Sort::Result }
    }
}

impl<'c> Checked<'_, 'c> {
    pub fn expression(&mut self, field: &Scalar, scope: &Scope) -> Option<Expression> {
        self.typed(field, scope).map(|(expression, _)| expression)
    }

    /// An expression and the type of what it gives.
    pub fn typed(&mut self, field: &Scalar, scope: &Scope) -> Option<(Expression, Type)> {
        self.surveyed(field, scope, Language::Expression);
        if self.is_text(field) {
            return None;
        }
        let at = self.origin(field.span);
        match self.build.parsed.expression(&field.value, at) {
            Ok(expression) => {
                // A wrong name hides no other fault: its type is not known, and nothing is said of it twice.
                let right = self.names(&expression.references(), field, scope);
                let right = right & self.not_raced(&expression.wholes(), field, scope);
                let found = self.infer(&expression, field);
                right.then_some((expression, found))
            }
            Err(why) => self.not_parsed(Code::RB0112, field, &why),
        }
    }

    /// An expression that has to give true or false.
    pub fn condition(&mut self, field: &Scalar, scope: &Scope) -> Option<Expression> {
        self.of_type(field, scope, &[Type::Boolean], "a condition is true or false")
    }

    pub fn text(&mut self, field: &Scalar, scope: &Scope) -> Option<Template> {
        self.surveyed(field, scope, Language::Text);
        self.is_expression(field);
        let at = self.origin(field.span);
        match self.build.parsed.text(&field.value, at) {
            Ok(text) => {
                let right = self.read(&text.references(), field, scope);
                self.present(&text.needed(), field, scope);
                right.then_some(text)
            }
            Err(why) => self.not_parsed(Code::RB0113, field, &why),
        }
    }

    /// A string of a JSON body: as one name alone it keeps the type of the value, nothing included.
    pub fn json_text(&mut self, field: &Scalar, scope: &Scope) -> Option<Template> {
        self.surveyed(field, scope, Language::Text);
        let at = self.origin(field.span);
        match self.build.parsed.text(&field.value, at) {
            Ok(text) if text.is_name() => self.read(&text.references(), field, scope).then_some(text),
            _ => self.text(field, scope),
        }
    }

    pub fn texts(&mut self, fields: &[Scalar], scope: &Scope) -> Option<Vec<Template>> {
        let parsed: Vec<Option<Template>> = fields.iter().map(|field| self.text(field, scope)).collect();
        parsed.into_iter().collect()
    }

    pub fn shell_script(&mut self, field: &Scalar, scope: &Scope) -> Option<ShellScript> {
        self.surveyed(field, scope, Language::Text);
        let at = self.origin(field.span);
        match self.build.parsed.shell_script(&field.value, at) {
            Ok(script) => {
                let mut right = self.read(&script.references(), field, scope);
                self.present(&script.needed(), field, scope);
                let procedure = self.procedure;
                let places = LazyCell::new(|| field.places(&procedure.source));
                for (offset, beginnings) in script.options() {
                    if beginnings.iter().any(|beginning| self.may_be_a_dash(beginning)) {
                        right = false;
                        let span = places.span(offset, offset + 2);
                        let fault = self.new_fault(Code::RB0116, span, "a value stands where the program looks for options");
                        self.report(fault.reason(COULD_BE_AN_OPTION).help(BEFORE_IT));
                    }
                }
                right.then_some(script)
            }
            // As plain text it is right: what is wrong is the place of a value in the shell.
            Err(why) if Template::parse(&field.value, self.origin(field.span)).is_ok() => {
                self.unread = true;
                let span = field.span_of(&self.procedure.source, why.offset, why.offset + 2);
                let fault = self.new_fault(Code::RB0116, span, "a value stands where the shell would not take it as data");
                // Where a variable of its own mends nothing, the reason says what does.
                let mends = why.message.contains("env:");
                let fault = fault.reason(why.message);
                let help = "give the value a variable of its own: `env: {NAME: inputs.name}`, and write `\"$NAME\"`";
                let fault = if mends { fault.help(help) } else { fault };
                self.report(fault);
                None
            }
            Err(why) => self.not_parsed(Code::RB0113, field, &why),
        }
    }

    pub fn rhai_script(&mut self, field: &Scalar, scope: &Scope) -> Option<Script> {
        self.surveyed(field, scope, Language::Expression);
        if let Some(at) = field.value.find("{{") {
            self.unread = true;
            let fault = self
                .new_fault(Code::RB0116, field.span_of(&self.procedure.source, at, at + 2), "a value is pasted into a script")
                .reason("whatever stands in the value would run")
                .help("read it as a variable: the script sees `inputs`, `steps` and the other names");
            self.report(fault);
            return None;
        }
        match Script::parse(&field.value, self.origin(field.span)) {
            Ok(script) => self.read(&script.references(), field, scope).then_some(script),
            Err(why) => self.not_parsed(Code::RB0112, field, &why),
        }
    }

    /// Names and the expressions behind them.
    pub fn named(&mut self, fields: &[(Spanned<Id>, Scalar)], scope: &Scope) -> (Option<Vec<(Id, Expression)>>, Members) {
        let mut types = Members::new();
        let mut parsed = Vec::new();
        for (name, field) in fields {
            let (expression, of) = self.typed(field, scope).unzip();
            types.insert(name.value.to_string(), of.unwrap_or(Type::Any));
            parsed.push(expression.map(|expression| (name.value.clone(), expression)));
        }
        (parsed.into_iter().collect(), types)
    }

    /// The names of a text or script, and the members that it reads of them.
    fn read(&mut self, references: &[Reference], field: &Scalar, scope: &Scope) -> bool {
        let whole: Vec<Reference> = references.iter().filter(|reference| reference.path.len() == 1).cloned().collect();
        let right = self.names(references, field, scope) & self.not_raced(&whole, field, scope);
        self.members(references, field);
        right
    }

    pub fn pairs(&mut self, fields: &[(Spanned<String>, Scalar)], scope: &Scope) -> Option<Vec<(String, Template)>> {
        let parsed: Vec<Option<(String, Template)>> =
            fields.iter().map(|(name, field)| Some((name.value.clone(), self.text(field, scope)?))).collect();
        parsed.into_iter().collect()
    }

    pub fn env_value(&mut self, variable: &str, field: &Scalar, scope: &Scope) -> Option<EnvValue> {
        // Whatever it turns out to be, an editor asks what may be written there.
        self.surveyed(field, scope, Language::Expression);
        match secret(field) {
            Some(name) => self.secret(name, field.span).map(EnvValue::Secret),
            None if is_written_otherwise(&field.value) => {
                // `1.10` is written to the program as it was written to us.
                let text = format!("\"{}\"", field.value.trim());
                Expression::parse(&text, self.origin(field.span)).ok().map(EnvValue::Expression)
            }
            None if self.is_constant(field) => {
                self.unread = true;
                let text = format!("'\"{}\"'", field.value);
                let mut fault = self
                    .new_fault(Code::RB0120, field.span, format!("`{}` is no expression", crate::document::clipped(&field.value)))
                    .reason("a value of `env` is an expression, in which a text stands in quotes of its own");
                if !field.value.contains(['"', '\'', '\\', '\n']) {
                    fault = fault.replace(field.span, text.clone());
                }
                self.report(fault.help(format!("write `{text}`")));
                None
            }
            None => {
                let value = self.expression(field, scope)?;
                if let Some(name) = value.name() {
                    self.present(&[name], field, scope);
                }
                self.is_no_code(variable, &value, field).then_some(EnvValue::Expression(value))
            }
        }
    }

    /// Whether a field that should be an expression reads as a mere text: `C`, `/usr/bin`, `en_US.UTF-8`, `2026-01-01`.
    fn is_constant(&self, field: &Scalar) -> bool {
        let text = field.value.as_str();
        let named = |root: &str| {
            super::names::ROOTS.contains(&root)
                || self.nearest(root, super::names::ROOTS).is_some()
                || self.items.iter().any(|item| item.name == root)
                || self.tree.find(root).is_some()
                || self.procedure.inputs.iter().any(|(id, _)| id.value.as_str() == root)
        };
        let signs = text.contains(['"', '\'', '(', '[', '{', '`']);
        match Expression::parse(text, Origin::default()) {
            Err(_) => !signs && !super::names::ROOTS.iter().any(|root| text.contains(&format!("{root}."))),
            Ok(parsed) => match parsed.references().as_slice() {
                // Digits with signs between them, closed up as no sum is written: a date, a range, an address.
                [] => !signs && !text.contains(' ') && text.trim_start_matches('-').contains(['-', '+', '*', '/', '%']),
                references => references.iter().all(|r| r.path.first().is_none_or(|root| !named(root))),
            },
        }
    }

    pub fn header(&mut self, field: &Scalar, scope: &Scope) -> Option<HeaderValue> {
        self.surveyed(field, scope, Language::Text);
        match secret(field) {
            Some(name) => self.secret(name, field.span).map(HeaderValue::Secret),
            None => self.text(field, scope).map(HeaderValue::Text),
        }
    }

    fn secret(&mut self, name: &str, span: Span) -> Option<Id> {
        let declared = self.procedure.secrets.iter().find(|(id, _)| id.value.as_str() == name);
        let Some((id, _)) = declared else {
            let names = self.procedure.secrets.iter().map(|(id, _)| id.value.as_str());
            let mut fault = self.new_fault(Code::RB0111, span, format!("there is no secret `{}`", name.escape_debug()));
            fault = match self.nearest(name, names) {
                Some(near) => fault.help(format!("did you mean `{near}`?")).replace(span, format!("secrets.{near}")),
                None => fault.help(format!("declare it under `secrets`: `{name}: {{env: NAME}}`")),
            };
            self.report(fault);
            return None;
        };
        self.used_secrets.insert(id.value.as_str());
        self.used(Name::Secret(name.to_owned()), Span::new(span.end as usize - name.len(), span.end as usize));
        Some(id.value.clone())
    }

    fn not_parsed<T>(&mut self, code: Code, field: &Scalar, why: &ParseError) -> Option<T> {
        let span = field.span_of(&self.procedure.source, why.offset, why.offset + 1);
        let (what, help) = match code {
            Code::RB0112 => ("the expression cannot be read", "write one value, such as `steps.lag.seconds < 5.0`"),
            _ => ("the text cannot be read", "write values as `{{inputs.name}}`, and braces that are text as `\\{{`"),
        };
        self.unread = true;
        let fault = self.new_fault(code, span, what).reason(why.message.clone()).help(help);
        self.report(fault);
        None
    }

    fn is_text(&mut self, field: &Scalar) -> bool {
        let Some(at) = field.value.find("{{") else { return false };
        self.unread = true;
        let fault = self
            .new_fault(Code::RB0114, field.span_of(&self.procedure.source, at, at + 2), "this field is an expression, not text")
            .reason("`{{…}}` belongs into text")
            .help("write the name itself, such as `inputs.host`, and join texts with `+`");
        self.report(fault);
        true
    }

    /// A text that is a name and nothing else reads as that name to people, and prints as it stands.
    fn is_expression(&mut self, field: &Scalar) {
        let Some((root, member)) = field.value.split_once('.') else { return };
        let name = member.split('.').next().unwrap_or(member);
        let known = match root {
            "inputs" => self.procedure.inputs.iter().any(|(id, _)| id.value.as_str() == name),
            "steps" => self.tree.find(name).is_some(),
            "run" => super::names::RUN.contains(&name),
            _ => false,
        };
        if known && member.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') {
            let text = format!("{{{{{}}}}}", field.value);
            let fault = self
                .new_fault(Code::RB0115, field.span, format!("this is text: it says `{}` and not its value", field.value))
                .help(format!("write `\"{text}\"`"))
                .replace(field.span, format!("\"{text}\""));
            self.report(fault);
        }
    }

    /// Whether a word that begins so may be an option.
    fn may_be_a_dash(&self, beginning: &Beginning) -> bool {
        match beginning {
            Beginning::Text(text) => leaves_room_for_a_dash(text),
            Beginning::Name { name, goes_on } => self.may_begin_with_a_dash(name, *goes_on),
            Beginning::Anything => true,
        }
    }

    /// Whether the value behind a name may begin with `-` and be more than a number. With something behind it, a number is more.
    fn may_begin_with_a_dash(&self, name: &Reference, goes_on: bool) -> bool {
        let [root, members @ ..] = name.path.as_slice() else { return true };
        if let Some(item) = self.item(root) {
            // The author wrote each of them.
            let dashed = |item: &Value| match members.iter().try_fold(item, |value, member| value.get(member)) {
                Some(Value::List(_) | Value::Map(_)) | None => true,
                Some(value) => leaves_room_for_a_dash(&plain_text(value)),
            };
            return item.known.as_ref().is_none_or(|items| items.iter().any(dashed));
        }
        let Some(input) = self.declared_input(name) else { return true };
        match input.r#type.value {
            InputType::String | InputType::Path | InputType::List | InputType::Map => true,
            InputType::Enum => {
                input.choices.iter().any(|choice| leaves_room_for_a_dash(&plain_text(&super::literal::plain(choice))))
            }
            InputType::Integer | InputType::Number | InputType::Time => goes_on && !has_no_sign(input),
            InputType::Boolean | InputType::Duration | InputType::Url | InputType::Host => false,
        }
    }

    /// The innermost loop's item of this name.
    fn item(&self, name: &str) -> Option<&Item<'c>> {
        self.items.iter().rev().find(|item| item.name == name)
    }

    fn declared_input(&self, name: &Reference) -> Option<&'c Input> {
        let [root, input] = name.path.as_slice() else { return None };
        let procedure = self.procedure;
        let (_, input) = procedure.inputs.iter().find(|(id, _)| root == "inputs" && id.value.as_str() == input)?;
        Some(input)
    }

    /// Refuses a value from outside in a variable that decides which code runs. What the author wrote, be it one of the choices of an
    /// input, is code of his own.
    fn is_no_code(&mut self, variable: &str, value: &Expression, field: &Scalar) -> bool {
        let is_written = |name: &Reference| match self.declared_input(name) {
            Some(input) => !matches!(
                input.r#type.value,
                InputType::String | InputType::Path | InputType::Url | InputType::Host | InputType::List | InputType::Map
            ),
            None => name.path.first().and_then(|root| self.item(root)).is_some_and(|item| item.known.is_some()),
        };
        if !is_code_variable(variable) || value.references().iter().all(is_written) {
            return true;
        }
        let message = format!("a value is put into `{variable}`, which decides what code runs");
        let fault = self.new_fault(Code::RB0116, field.span, message);
        let fault = fault.reason("whatever stands in the value would run, or choose what runs").help(
            "write the value itself, in quotes of its own, choose between such steps with `choose`, or hand the value over in another variable",
        );
        self.report(fault);
        false
    }

    /// The arguments of a program, none of which may be code with values in it.
    pub fn arguments(&mut self, argv: &[Scalar], scope: &Scope) -> Option<Vec<Template>> {
        let words: Vec<&str> = argv.iter().map(|word| word.value.as_str()).collect();
        let mut found = data_as_code(&words);
        found.retain(|pasted| {
            let text = argv.get(pasted.place).filter(|_| pasted.option);
            let read = text.and_then(|text| Template::parse(&text.value, Origin::default()).ok());
            read.is_none_or(|read| read.beginnings().iter().any(|beginning| self.may_be_a_dash(beginning)))
        });
        for pasted in &found {
            let Some(argument) = argv.get(pasted.place) else { continue };
            let fault = self.new_fault(Code::RB0116, argument.span, "a value is pasted into code");
            self.report(fault.reason(pasted.reason).help(pasted.help));
        }
        self.texts(argv, scope).filter(|_| found.is_empty())
    }
}

/// Whether a word that begins with this may begin with `-`: behind nothing, what follows begins it.
fn leaves_room_for_a_dash(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with('-')
}

/// Whether a number is none below nothing.
fn has_no_sign(input: &Input) -> bool {
    let least = input.min.as_ref().map(|min| plain_text(&super::literal::plain(min)));
    least.and_then(|least| least.parse::<f64>().ok()).is_some_and(|least| least >= 0.0)
}

/// Whether a field is one number in digits that its value would not be written as: `1.10`, `0755`.
fn is_written_otherwise(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    number && text.parse::<f64>().is_ok() && text.parse::<i64>().ok().is_none_or(|whole| whole.to_string() != text)
}

/// The name behind `secrets.` of a field that says nothing else.
fn secret(field: &Scalar) -> Option<&str> {
    let name = field.value.trim().strip_prefix("secrets.")?;
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(name)
}
