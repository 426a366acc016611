//! The triggers of a playbook: what they read is the event and nothing else, and what they start gets all that it needs.

use super::field::Scope;
use super::procedure::{Checked, flip};
use crate::diagnostic::{Code, Spanned};
use crate::document::procedure::{self as written, Concurrency};
use crate::document::workspace::NoEnvironment;
use crate::document::{Scalar, clipped};
use crate::event_source::BUILT_IN;
use crate::expr::Expression;
use crate::id::Id;
use crate::plan::InputSpec;
use crate::trigger::{self, Of, Trigger};

impl<'c> Checked<'_, 'c> {
    /// The triggers, where nothing is wrong with them.
    pub fn triggers(&mut self, specs: Option<&[InputSpec]>) -> Option<Vec<Trigger>> {
        let procedure = self.procedure;
        let own = procedure.concurrency.as_ref().map(|own| self.concurrency(own, Of::Inputs, &Scope::lock()));
        let own = flip(own);
        let triggers: Vec<Option<Trigger>> = procedure
            .triggers
            .iter()
            .enumerate()
            .map(|(index, written)| self.trigger(index, written, specs, own.as_ref()))
            .collect();
        triggers.into_iter().collect()
    }

    fn trigger(
        &mut self,
        index: usize,
        written: &written::Trigger,
        specs: Option<&[InputSpec]>,
        own: Option<&Option<trigger::Concurrency>>,
    ) -> Option<Trigger> {
        let scope = &Scope::trigger();
        let procedure = self.procedure;
        self.event_source(&written.source, Code::RB0321);
        let when = flip(written.when.as_ref().map(|when| self.condition(when, scope)));
        let inputs: Vec<Option<(Id, Expression)>> =
            written.inputs.iter().map(|(name, value)| self.given(name, value, scope)).collect();
        let environment = match &written.environment {
            Some(text) => {
                self.known_environment(text);
                self.text(text, scope).map(Some)
            }
            None => self.one_environment(written).then_some(None),
        };
        let mut key = |key: &Scalar| self.expression(key, scope);
        let dedup =
            flip(written.dedup.as_ref().map(|dedup| Some(trigger::Dedup { key: key(&dedup.key)?, window: dedup.window.value })));
        let accumulate = flip(written.accumulate.as_ref().map(|accumulate| {
            let key = flip(accumulate.key.as_ref().map(&mut key))?;
            Some(trigger::Accumulate { events: accumulate.events.value, within: accumulate.within.value, key })
        }));
        let correlate = flip(written.correlate.as_ref().map(|correlate| key(&correlate.key)));
        let concurrency = flip(written.concurrency.as_ref().map(|own| self.concurrency(own, Of::Event, scope)));
        self.left_to_default(written);
        let limit = written.limit.as_ref().map(|limit| trigger::Limit {
            runs: limit.runs.value,
            per: limit.per.value,
            then: limit.then.as_ref().map(|then| then.value).unwrap_or_default(),
        });
        Some(Trigger {
            name: trigger::TriggerName {
                procedure: procedure.name.value.clone(),
                id: written.id.as_ref().map_or_else(|| (index + 1).to_string(), |id| id.value.as_str().to_owned()),
            },
            version: procedure.version.value,
            at: self.origin(written.span),
            impact: procedure.impact.as_ref().map(|impact| impact.value).unwrap_or_default(),
            source: written.source.value.clone(),
            when: when?,
            environment: environment?,
            environments: self.environments().map(str::to_owned).collect(),
            inputs: inputs.into_iter().collect::<Option<_>>()?,
            specs: specs?.to_vec(),
            dedup: dedup?,
            accumulate: accumulate?,
            quiet: written.quiet.clone(),
            limit,
            correlate: correlate?,
            on_resolved: written.on_resolved.as_ref().map(|then| then.value).unwrap_or_default(),
            concurrency: concurrency?.or(own.cloned()?),
        })
    }

    fn concurrency(&mut self, written: &Concurrency, of: Of, scope: &Scope) -> Option<trigger::Concurrency> {
        let key = self.expression(&written.key, scope)?;
        Some(trigger::Concurrency { key, of, then: written.then.as_ref().map(|then| then.value).unwrap_or_default() })
    }

    /// One input that the event gives.
    fn given(&mut self, name: &Spanned<Id>, value: &Scalar, scope: &Scope) -> Option<(Id, Expression)> {
        let procedure = self.procedure;
        let there = procedure.inputs.iter().any(|(id, _)| id.value == name.value);
        if !there {
            let near = self.nearest(name.value.as_str(), procedure.inputs.iter().map(|(id, _)| id.value.as_str()));
            let fault = self.new_fault(Code::RB0102, name.span, format!("there is no input `{}`", name.value));
            let fault = match near {
                Some(near) => fault.help(format!("did you mean `{near}`?")).replace(name.span, near),
                None => fault.help("declare it under `inputs`"),
            };
            self.report(fault);
        }
        let value = self.expression(value, scope)?;
        there.then(|| (name.value.clone(), value))
    }

    /// An environment that is written as it is stands in the workspace; of one that the event names, nothing is known yet.
    fn known_environment(&mut self, text: &Scalar) {
        if text.value.contains("{{") {
            return;
        }
        if self.environments().any(|name| name == text.value) {
            return;
        }
        let near = self.nearest(&text.value, self.environments()).map(str::to_owned);
        let message = format!("the workspace has no environment `{}`", clipped(&text.value));
        let fault = self.new_fault(Code::RB0315, text.span, message);
        self.report(match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(text.span, near),
            None => fault.help("name an environment that workspace.yaml has"),
        });
    }

    /// Where events come from: a source of the workspace, or one that is always there. `code` is that of a catalogue without a workspace.
    pub(super) fn event_source(&mut self, name: &Scalar, code: Code) {
        // Where there is no name, that has been reported.
        if name.value.is_empty() || BUILT_IN.iter().any(|(built_in, _)| *built_in == name.value) {
            return;
        }
        let Some(workspace) = self.build.catalogue.workspace() else {
            let message = format!("nothing says where events of `{}` come from", clipped(&name.value));
            let fault = self.new_fault(code, name.span, message).reason("the catalogue has no workspace");
            self.report(fault.help("add a `workspace.yaml` with this name under `sources`"));
            return;
        };
        if !workspace.sources.contains_key(&name.value) {
            let known = workspace.sources.keys().map(String::as_str).chain(BUILT_IN.iter().map(|(built_in, _)| *built_in));
            let near = self.nearest(&name.value, known).map(str::to_owned);
            self.absent(Code::RB0320, name, "source of events", near);
        }
    }

    /// Which rules hold for the run must not be left open.
    fn one_environment(&mut self, written: &written::Trigger) -> bool {
        let why = match self.build.catalogue.workspace().map(|workspace| workspace.environment(None)) {
            Some(Err(NoEnvironment::NotNamed(names))) => {
                format!("nothing says in which environment the run is: the workspace has {}", names.join(", "))
            }
            _ => return true,
        };
        let fault = self.new_fault(Code::RB0315, written.source.span, why);
        self.report(fault.help("add `environment` to the trigger, or `default: true` to one in workspace.yaml"));
        false
    }

    fn environments(&self) -> impl Iterator<Item = &'c str> + use<'c> {
        let workspace = self.build.catalogue.workspace();
        workspace.into_iter().flat_map(|workspace| workspace.environments.iter().map(|e| e.name.as_str()))
    }

    /// Inputs that a run started by the event would lack.
    fn left_to_default(&mut self, trigger: &written::Trigger) {
        let given = |name: &Id| trigger.inputs.iter().any(|(given, _)| given.value == *name);
        let missing: Vec<String> = self
            .procedure
            .inputs
            .iter()
            .filter(|(name, input)| input.required && input.default.is_none() && !given(&name.value))
            .map(|(name, _)| format!("`{}`", name.value))
            .collect();
        if !missing.is_empty() {
            let fault = self.new_fault(Code::RB0307, trigger.source.span, format!("nothing gives the run {}", missing.join(", ")));
            self.report(fault.help("name it under `inputs` of the trigger, as an expression over `event`, or give it a `default`"));
        }
    }
}
