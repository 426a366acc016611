//! One procedure on its way into the plan: what stands at its top, and the settings and lists that its steps share.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::field::Scope;
use super::lines::Lines;
use super::lower::{Build, index};
use super::tree::{NodeIx, Place, Slot, Tree};
use super::types::Members;
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::document::procedure::SecretFrom;
use crate::document::step::{EnvEntry, Retry, Shell};
use crate::document::{Procedure, Scalar};
use crate::effect::Effect;
use crate::expr::{Template, Type};
use crate::limits;
use crate::plan::{self, Block, EnvValue, Origin, SecretSource, StepIx};
use crate::policy::Gate;
use crate::value::Value;

/// What steps have unless they say otherwise: from `defaults`, and from the steps they stand in.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub env: Rc<Vec<(String, EnvValue)>>,
    /// Bytes of these variables, as a plan counts them.
    pub bytes: usize,
    pub dir: Option<Template>,
    pub retry: Option<Retry>,
    pub timeout: Option<Duration>,
    pub shell: Shell,
}

/// A name that the steps of an `each` see.
pub(super) struct Item<'d> {
    pub name: &'d str,
    pub of: Type,
    /// The items, where the author wrote them all.
    pub known: Option<Vec<Value>>,
}

pub(super) struct Checked<'b, 'c> {
    pub build: &'b mut Build<'c>,
    pub procedure: &'c Procedure,
    pub tree: Tree<'c>,
    pub items: Vec<Item<'c>>,
    /// What `steps.<id>` gives, by the number of the step; `None` while it is not known.
    pub types: Vec<Option<Type>>,
    /// Every `finish` that ends the procedure with success.
    pub ends: Vec<NodeIx>,
    /// What `result` gives in the outputs at hand.
    pub result: Type,
    /// Some field could not be read, so that what it uses is not known.
    pub unread: bool,
    pub used_inputs: HashSet<&'c str>,
    pub used_secrets: HashSet<&'c str>,
    /// As rules of the workspace see them.
    pub labels: BTreeMap<String, String>,
    file: u32,
    first: u32,
    lines: Lines<'c>,
}

/// What an approval takes up in a plan.
pub(super) fn bytes_of_gate(gate: &Gate) -> usize {
    let name = |name: &String| limits::PLAN_VARIABLE_BYTES + name.len();
    name(&gate.rule) + gate.from.iter().map(name).sum::<usize>()
}

/// What a step with these variables takes of a plan.
pub(super) fn bytes(env: &[(String, EnvValue)]) -> usize {
    let of = |(name, value): &(String, EnvValue)| {
        let value = match value {
            EnvValue::Expression(expression) => expression.source.len(),
            EnvValue::Secret(secret) => secret.as_str().len(),
        };
        limits::PLAN_VARIABLE_BYTES + name.len() + value
    };
    env.iter().map(of).sum()
}

impl<'b, 'c> Checked<'b, 'c> {
    pub fn new(build: &'b mut Build<'c>, procedure: &'c Procedure, file: u32) -> Checked<'b, 'c> {
        let tree = Tree::new(procedure);
        Checked {
            build,
            procedure,
            types: vec![None; tree.len()],
            ends: Vec::new(),
            result: Type::Any,
            tree,
            items: Vec::new(),
            unread: false,
            used_inputs: HashSet::new(),
            used_secrets: HashSet::new(),
            labels: procedure.labels.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect(),
            file,
            first: 0,
            lines: Lines::new(&procedure.source),
        }
    }

    /// The procedure as a part of the plan, the highest effect of its steps, and the types of its outputs.
    pub fn lower(mut self) -> (Option<plan::Procedure>, Effect, Members) {
        let procedure = self.procedure;
        let Some(first) = self.build.reserve(self.tree.len(), procedure) else {
            return (None, Effect::None, Members::new());
        };
        self.first = first;
        self.shape();
        let settings = self.defaults();
        let mut effect = Effect::None;
        let mut block = |slot| {
            let range = self.tree.top(slot);
            effect = effect.max(self.block(range.clone(), &settings));
            self.indexes(range)
        };
        let (body, on_failure, finally) = (block(Slot::Main), block(Slot::OnFailure), block(Slot::Finally));
        let lock = procedure.lock.as_ref().map(|lock| self.text(lock, &Scope::lock()));
        let end = Place { parent: None, slot: Slot::Main, index: self.tree.top(Slot::Main).len(), after: false };
        let (outputs, types) = self.named(&procedure.outputs, &Scope::outputs(end));
        let secrets = self.secrets();
        let inputs = self.specs(&procedure.inputs);
        let must = self.properties();
        let escalation = self.escalation();
        let triggers = self.triggers(inputs.as_deref());
        self.build.started_by(triggers.unwrap_or_default());
        self.leftovers();
        self.types_surveyed();
        let text = |scalar: &Option<Scalar>| scalar.as_ref().map(|s| s.value.clone());
        let lowered = (|| {
            Some(plan::Procedure {
                kind: procedure.kind.value,
                name: procedure.name.value.clone(),
                version: procedure.version.value,
                title: text(&procedure.title),
                description: text(&procedure.description),
                owner: text(&procedure.owner),
                impact: procedure.impact.as_ref().map(|i| i.value).unwrap_or_default(),
                labels: self.labels.clone(),
                contacts: procedure.contacts.iter().map(|c| c.value.clone()).collect(),
                inputs: inputs?,
                secrets,
                lock: flip(lock)?,
                timeout: procedure.timeout.as_ref().map(|t| t.value),
                body,
                on_failure,
                finally,
                outputs: outputs?,
                escalation,
                must: must?,
            })
        })();
        (lowered, effect, types)
    }

    fn defaults(&mut self) -> Settings {
        let defaults = &self.procedure.defaults;
        if let Some(on) = &defaults.on {
            self.no_targets(on.span);
        }
        let env = self.env(&defaults.env, &Rc::default(), &Scope::at(Place::start()));
        Settings {
            bytes: bytes(&env),
            env,
            dir: None,
            retry: defaults.retry.as_ref().map(|r| r.value),
            timeout: defaults.timeout.as_ref().map(|t| t.value),
            shell: defaults.shell.as_ref().map(|s| s.value).unwrap_or_default(),
        }
    }

    /// The environment of `outer` with `entries` in place of those of the same name.
    pub fn env(&mut self, entries: &[EnvEntry], outer: &Rc<Vec<(String, EnvValue)>>, scope: &Scope) -> Rc<Vec<(String, EnvValue)>> {
        // What it would cost is spent.
        if entries.is_empty() || self.build.is_full() {
            return outer.clone();
        }
        let mut env: BTreeMap<String, EnvValue> = outer.iter().cloned().collect();
        for entry in entries {
            if let Some(value) = self.env_value(&entry.name.value, &entry.value, scope) {
                env.insert(entry.name.value.clone(), value);
            }
        }
        Rc::new(env.into_iter().collect())
    }

    fn secrets(&mut self) -> BTreeMap<crate::id::Id, SecretSource> {
        let mut secrets = BTreeMap::new();
        for (name, secret) in &self.procedure.secrets {
            let source = match &secret.from {
                SecretFrom::Env(variable) => Some(SecretSource::Env(variable.value.clone())),
                SecretFrom::File(path) => Some(SecretSource::File(path.value.clone())),
                SecretFrom::Command(argv) => Some(SecretSource::Command(argv.iter().map(|a| a.value.clone()).collect())),
                SecretFrom::Provider { provider, key } => self.provided(provider, key),
            };
            if let Some(source) = source {
                secrets.insert(name.value.clone(), source);
            }
        }
        secrets
    }

    fn provided(&mut self, provider: &Scalar, key: &Scalar) -> Option<SecretSource> {
        let Some(workspace) = self.build.catalogue.workspace() else {
            let message = format!("there is no workspace that could have the secret provider `{}`", provider.value.escape_debug());
            let fault = self.new_fault(Code::RB0317, provider.span, message);
            self.report(fault.help("take the secret from `env`, `file` or `command`, or put the procedure into a workspace"));
            return None;
        };
        let Some(found) = workspace.providers.get(&provider.value) else {
            let near = self.nearest(&provider.value, workspace.providers.keys().map(String::as_str)).map(str::to_owned);
            self.absent(Code::RB0317, provider, "secret provider", near);
            return None;
        };
        match found.source(&key.value) {
            Ok(source) => Some(source),
            Err(why) => {
                let fault = self.new_fault(Code::RB0018, key.span, why);
                self.report(fault.help("write a key that the provider can look up"));
                None
            }
        }
    }

    pub fn indexes(&self, range: Range<NodeIx>) -> Block {
        range.map(|ix| self.index(ix)).collect()
    }

    pub fn index(&self, ix: NodeIx) -> StepIx {
        StepIx(self.first.saturating_add(index(ix)))
    }

    pub fn origin(&self, span: Span) -> Origin {
        Origin { file: self.file, position: self.lines.position(span.start) }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.build.diagnostics.push(diagnostic);
    }

    /// The nearest right spelling, for as many faults as are shown: to look for it costs more the more names there are.
    pub fn nearest<'a>(&self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.build.diagnostics.iter().len() > limits::DIAGNOSTICS { None } else { nearest(word, candidates) }
    }

    pub fn new_fault(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, &self.procedure.source, span, message)
    }
}

/// What is absent is right; what is present may have failed.
pub(super) fn flip<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
