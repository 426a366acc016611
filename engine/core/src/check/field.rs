//! The fields of a procedure in their two languages: each is parsed, and each name in it is looked up where it stands.

use super::procedure::Checked;
use super::tree::Place;
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::Scalar;
use crate::expr::{Expression, ParseError, Script, ShellScript, Template};
use crate::id::Id;
use crate::plan::{EnvValue, HeaderValue};

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
    /// `lock`: read before the run starts.
    Lock,
}

impl Scope {
    pub fn at(place: Place) -> Scope {
        Scope { place, sort: Sort::Step }
    }

    pub fn lock() -> Scope {
        Scope { place: Place::start(), sort: Sort::Lock }
    }

    /// Behind the step at hand, with its verb's `result`.
    pub fn result(self) -> Scope {
        Scope { place: Place { after: true, ..self.place }, sort: Sort::Result }
    }
}

impl Checked<'_, '_> {
    pub fn expression(&mut self, field: &Scalar, scope: &Scope) -> Option<Expression> {
        let _ = scope;
        match Expression::parse(&field.value, self.origin(field.span)) {
            Ok(expression) => Some(expression),
            Err(why) => self.not_parsed(Code::RB0112, field, &why),
        }
    }

    /// An expression that has to give true or false.
    pub fn condition(&mut self, field: &Scalar, scope: &Scope) -> Option<Expression> {
        self.expression(field, scope)
    }

    pub fn text(&mut self, field: &Scalar, scope: &Scope) -> Option<Template> {
        let _ = scope;
        match Template::parse(&field.value, self.origin(field.span)) {
            Ok(text) => Some(text),
            Err(why) => self.not_parsed(Code::RB0113, field, &why),
        }
    }

    pub fn texts(&mut self, fields: &[Scalar], scope: &Scope) -> Option<Vec<Template>> {
        let parsed: Vec<Option<Template>> = fields.iter().map(|field| self.text(field, scope)).collect();
        parsed.into_iter().collect()
    }

    pub fn shell_script(&mut self, field: &Scalar, scope: &Scope) -> Option<ShellScript> {
        let _ = scope;
        match ShellScript::parse(&field.value, self.origin(field.span)) {
            Ok(script) => Some(script),
            Err(why) => self.not_parsed(Code::RB0113, field, &why),
        }
    }

    pub fn rhai_script(&mut self, field: &Scalar, scope: &Scope) -> Option<Script> {
        let _ = scope;
        match Script::parse(&field.value, self.origin(field.span)) {
            Ok(script) => Some(script),
            Err(why) => self.not_parsed(Code::RB0112, field, &why),
        }
    }

    /// Names and the expressions behind them.
    pub fn named(&mut self, fields: &[(Spanned<Id>, Scalar)], scope: &Scope) -> Option<Vec<(Id, Expression)>> {
        let parsed: Vec<Option<(Id, Expression)>> =
            fields.iter().map(|(name, field)| Some((name.value.clone(), self.expression(field, scope)?))).collect();
        parsed.into_iter().collect()
    }

    pub fn pairs(&mut self, fields: &[(Spanned<String>, Scalar)], scope: &Scope) -> Option<Vec<(String, Template)>> {
        let parsed: Vec<Option<(String, Template)>> =
            fields.iter().map(|(name, field)| Some((name.value.clone(), self.text(field, scope)?))).collect();
        parsed.into_iter().collect()
    }

    pub fn env_value(&mut self, field: &Scalar, scope: &Scope) -> Option<EnvValue> {
        match secret(field) {
            Some(name) => self.secret(name, field.span).map(EnvValue::Secret),
            None => self.expression(field, scope).map(EnvValue::Expression),
        }
    }

    pub fn header(&mut self, field: &Scalar, scope: &Scope) -> Option<HeaderValue> {
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
            fault = match super::nearest(name, names) {
                Some(near) => fault.help(format!("did you mean `{near}`?")).replace(span, format!("secrets.{near}")),
                None => fault.help(format!("declare it under `secrets`: `{name}: {{env: NAME}}`")),
            };
            self.report(fault);
            return None;
        };
        self.used_secrets.insert(name.to_owned());
        Some(id.value.clone())
    }

    fn not_parsed<T>(&mut self, code: Code, field: &Scalar, why: &ParseError) -> Option<T> {
        self.fault(code, field.span, why.message.clone());
        None
    }
}

/// The name behind `secrets.` of a field that says nothing else.
fn secret(field: &Scalar) -> Option<&str> {
    let name = field.value.trim().strip_prefix("secrets.")?;
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(name)
}
