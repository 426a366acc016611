//! What a name in an expression or text refers to, at the place where it stands: whether it exists, whether it has a value
//! by then on every path, and whether it may be read there at all.

use super::field::{Scope, Sort};
use super::procedure::Checked;
use super::tree::{NodeIx, Place, Seen, Slot, goes_on_after_failure};
use std::cell::LazyCell;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::document::procedure::ProcedureKind;
use crate::document::step::Verb;
use crate::document::{Input, NodeKind, Places, Scalar, Step};
use crate::expr::{Reference, Type};
use crate::id::Id;

pub(super) const ROOTS: [&str; 9] = ["inputs", "steps", "item", "index", "event", "run", "now", "result", "secrets"];

pub(super) const RUN: [&str; 7] = ["id", "name", "version", "started_at", "requested_by", "environment", "outcome"];

impl<'c> Checked<'_, 'c> {
    /// Judges every name of a field. False where one of them is wrong.
    pub fn names(&mut self, references: &[Reference], field: &Scalar, scope: &Scope) -> bool {
        let mut right = true;
        let procedure = self.procedure;
        let places = LazyCell::new(|| field.places(&procedure.source));
        self.used_members(references, field, &places);
        for reference in references {
            let mut path = reference.path.iter().map(String::as_str);
            let (Some(root), member) = (path.next(), path.next()) else { continue };
            let written = reference.path.join(".").len().max(1);
            let span = places.span(reference.offset, reference.offset + written);
            let fault = match (root, member) {
                ("inputs" | "steps" | "run", _) if scope.sort == Sort::Trigger => Some(
                    self.new_fault(Code::RB0118, span, format!("a trigger reads the event, and there is no `{root}` yet"))
                        .help("read `event`, such as `event.data.labels.instance`"),
                ),
                ("run" | "now", _) if scope.sort == Sort::Lock => Some(
                    self.new_fault(Code::RB0118, span, "this is read before the run starts")
                        .help("name it by inputs, such as `\"replica/{{inputs.replica}}\"`"),
                ),
                ("inputs", Some(member)) => self.input(member, span).map(|fault| as_written(fault, reference, 2, field, &places)),
                ("inputs", None) => {
                    self.used_inputs.extend(self.procedure.inputs.iter().map(|(id, _)| id.value.as_str()));
                    None
                }
                ("steps", _) if scope.sort == Sort::Lock => Some(
                    self.new_fault(Code::RB0118, span, "this is read before any step has run")
                        .help("name it by inputs, such as `\"replica/{{inputs.replica}}\"`"),
                ),
                ("steps", Some(member)) => {
                    let read = reference.path.get(2).map(String::as_str);
                    let fault = self.step_read(member, span, field, scope);
                    let fault = fault.map(|fault| as_written(fault, reference, 2, field, &places));
                    fault.or_else(|| self.given_in_failure(member, read, span, field, scope))
                }
                ("secrets", _) => Some(
                    self.new_fault(Code::RB0110, span, "a secret may stand only in `env` and in an HTTP header, and alone")
                        .reason("anywhere else it would end up in a command line, a text or the record")
                        .help(
                            "give it to a program as a variable, `env: {PASSWORD: secrets.name}`, or to a request as a whole header, \
                             `Authorization: secrets.name`, where the secret holds `Bearer …`",
                        ),
                ),
                ("run", Some(member)) if !RUN.contains(&member) => Some(self.unknown(
                    Code::RB0101,
                    span,
                    format!("`run` has no member `{member}`"),
                    self.nearest(member, RUN).map(|near| format!("run.{near}")),
                    format!("it has {}", RUN.join(", ")),
                )),
                ("run", Some("outcome")) if !self.in_finally(scope.place) => Some(
                    self.new_fault(Code::RB0118, span, "the run has no outcome yet")
                        .reason("`run.outcome` is known in `finally` only")
                        .help("move what needs the outcome into `finally`"),
                ),
                ("run" | "now" | "steps", _) => None,
                ("event", _) if scope.sort == Sort::Awaited || self.procedure.kind.value == ProcedureKind::Playbook => None,
                ("event", _) => Some(
                    self.new_fault(Code::RB0118, span, "a runbook is not started by an event")
                        .help("declare an input for what it needs, or make it `kind: Playbook`"),
                ),
                ("target", _) => Some(
                    self.new_fault(Code::RB0118, span, "there is no `target` without `on`, which is not built yet")
                        .help("declare an input, or use `each` over a list of hosts"),
                ),
                ("result", _) if scope.sort == Sort::Result => None,
                ("result", _) => Some(
                    self.new_fault(Code::RB0118, span, "`result` is known in `outputs` and in `expect.that` only")
                        .help("read the step by its id: `steps.<id>`"),
                ),
                (name, _) => self.local(name, span).map(|fault| as_written(fault, reference, 1, field, &places)),
            };
            if let Some(fault) = fault {
                right &= fault.severity != crate::diagnostic::Severity::Error;
                self.report(fault);
            }
        }
        right
    }

    /// Refuses to ask what branches beside this one, which run at the same time, have given so far: `"lag" in steps`, and `steps` as
    /// a whole. False where it is asked.
    pub fn not_raced(&mut self, asked: &[Reference], field: &Scalar, scope: &Scope) -> bool {
        let mut right = true;
        for reference in asked {
            let mut path = reference.path.iter().map(String::as_str);
            let beside = match (path.next(), path.next()) {
                (Some("steps"), Some(name)) => self.tree.find(name).and_then(|ix| self.beside(ix, scope.place)),
                (Some("steps"), None) => self.tree.named().find_map(|ix| self.beside(ix, scope.place)),
                _ => None,
            };
            if let Some((parent, read, name)) = beside {
                let end = reference.offset + reference.path.first().map_or(0, String::len);
                let span = field.places(&self.procedure.source).span(reference.offset, end);
                let fault = self.apart(parent, read, name, span);
                self.report(fault);
                right = false;
            }
        }
        right
    }

    /// The step of this number and its id, where it stands in a branch beside the place, with what the branches are of.
    fn beside(&self, ix: NodeIx, place: Place) -> Option<(NodeIx, &'c Step, &'c str)> {
        let Seen::Apart(parent) = self.tree.seen(ix, place) else { return None };
        matches!(self.tree.get(parent)?.step.verb.value, Verb::Parallel(_)).then_some(())?;
        let step = self.tree.get(ix)?.step;
        Some((parent, step, step.id.as_ref()?.value.as_str()))
    }

    fn unknown(&self, code: Code, span: Span, message: String, near: Option<String>, otherwise: String) -> Diagnostic {
        let fault = self.new_fault(code, span, message);
        match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(span, near),
            None => fault.help(otherwise),
        }
    }

    fn input(&mut self, name: &str, span: Span) -> Option<Diagnostic> {
        let procedure = self.procedure;
        if let Some((id, _)) = procedure.inputs.iter().find(|(id, _)| id.value.as_str() == name) {
            self.used_inputs.insert(id.value.as_str());
            return None;
        }
        let near = self.nearest(name, procedure.inputs.iter().map(|(id, _)| id.value.as_str()));
        // The right one was meant: it does not count as unread as well.
        self.used_inputs.extend(near);
        let fault = self.new_fault(Code::RB0102, span, format!("there is no input `{}`", name.escape_debug()));
        Some(match near {
            Some(near) => fault.help(format!("did you mean `inputs.{near}`?")).replace(span, format!("inputs.{near}")),
            None => fault.help(format!("declare it under `inputs`: `{name}: {{type: string}}`")),
        })
    }

    /// A name without a dot before it: what an `each` gives, or nothing.
    fn local(&mut self, name: &str, span: Span) -> Option<Diagnostic> {
        if self.items.iter().any(|item| item.name == name || name == "index") {
            return None;
        }
        if matches!(name, "item" | "index") {
            return Some(match self.items.last() {
                Some(item) => self.unknown(
                    Code::RB0118,
                    span,
                    format!("the item is called `{}` here", item.name),
                    Some(item.name.to_owned()),
                    String::new(),
                ),
                None => self
                    .new_fault(Code::RB0118, span, format!("`{name}` is known inside `each` only"))
                    .help("put the step into an `each`, or name the value another way"),
            });
        }
        let whole = if self.procedure.inputs.iter().any(|(id, _)| id.value.as_str() == name) {
            Some(format!("inputs.{name}"))
        } else if self.tree.find(name).is_some() {
            Some(format!("steps.{name}"))
        } else {
            self.nearest(name, ROOTS.into_iter().chain(self.items.iter().map(|item| item.name))).map(str::to_owned)
        };
        let message = format!("there is no name `{}`", name.escape_debug());
        Some(self.unknown(Code::RB0101, span, message, whole, format!("names begin with {}", ROOTS.join(", "))))
    }

    fn step_read(&mut self, name: &str, span: Span, field: &Scalar, scope: &Scope) -> Option<Diagnostic> {
        let Some((ix, step)) = self.tree.find(name).and_then(|ix| Some((ix, self.tree.get(ix)?.step))) else {
            let near = self.nearest(name, self.tree.ids());
            let fault = self.new_fault(Code::RB0103, span, format!("there is no step `{}`", name.escape_debug()));
            return Some(match near {
                Some(near) => fault.help(format!("did you mean `steps.{near}`?")).replace(span, format!("steps.{near}")),
                None => fault.help("give the step that is meant an `id`"),
            });
        };
        match self.tree.seen(ix, scope.place) {
            Seen::Ran if scope.sort == Sort::Outputs => self.cut_short(ix, name, span, field, scope),
            Seen::Ran => None,
            Seen::Later => Some(
                self.new_fault(Code::RB0105, span, format!("`{name}` has not run yet here"))
                    .label(step.verb.span, "it runs here, later")
                    .help("move the step before this one"),
            ),
            Seen::Inside => Some(self.own(ix, name, span, scope)),
            Seen::Apart(parent) => Some(self.apart(parent, step, name, span)),
            Seen::Maybe(why) if self.guarded(ix, why, field, scope) => None,
            Seen::Maybe(why) => {
                let fault = self.new_fault(Code::RB0107, span, format!("`{name}` may not have run here"));
                let fault = match why.and_then(|why| self.tree.get(why)) {
                    Some(why) => fault.label(why.step.verb.span, "some paths leave it out here"),
                    None => fault.reason("a failure before it leads here as well"),
                };
                Some(fault.help(format!("read it only where it has run: `if: '\"{name}\" in steps'`")))
            }
        }
    }

    /// A read of what a step does not give where it failed, behind a step that goes on all the same. What a program or a
    /// response gave is there; outputs are not, nor is anything of the other verbs.
    fn given_in_failure(&self, name: &str, read: Option<&str>, span: Span, field: &Scalar, scope: &Scope) -> Option<Diagnostic> {
        let ix = self.tree.find(name)?;
        let node = self.tree.get(ix)?;
        let step = node.step;
        let goes_on = goes_on_after_failure(step) || matches!(node.slot, Slot::OnFailure | Slot::Finally);
        if !goes_on || scope.place.slot == Slot::Undo {
            return None;
        }
        let of_result = match super::verb::result_of(&step.verb.value) {
            Type::Map(Some(members)) if gives_in_failure(&step.verb.value) => members,
            _ => Arc::default(),
        };
        let declared = |member: &str| step.outputs.iter().any(|(output, _)| output.value.as_str() == member);
        let there = read.is_none_or(|read| of_result.contains_key(read) && !declared(read));
        let mut asks = vec![format!("steps.{name}?."), format!("steps?.{name}?.")];
        asks.extend(match of_result.is_empty() {
            true => vec![format!("\"{name}\" in steps"), format!("'{name}' in steps")],
            false => ["exit_code", "status", "granted"].map(|known| format!("steps.{name}.{known}")).to_vec(),
        });
        if (there && !of_result.is_empty()) || self.asked_before(&asks, field, scope) {
            return None;
        }
        let looks = ["status < 300", "granted", "exit_code == 0"];
        let known = |look: &&str| look.split(' ').next().is_some_and(|member| of_result.contains_key(member));
        let example = looks.into_iter().find(known).unwrap_or_default();
        let help = match of_result.is_empty() {
            true => format!("read it only where it succeeded: `if: '\"{name}\" in steps'`"),
            false => format!("read it only where it succeeded: `if: steps.{name}.{example}`"),
        };
        let fault = self.new_fault(Code::RB0107, span, format!("`{name}` may have failed before here"));
        Some(
            fault
                .reason("it goes on after a failure, and then gives none of its outputs")
                .label(step.verb.span, "it runs here")
                .help(help),
        )
    }

    /// An end that comes before the step, on a path that the procedure succeeds on.
    fn cut_short(&self, ix: NodeIx, name: &str, span: Span, field: &Scalar, scope: &Scope) -> Option<Diagnostic> {
        let end = self.ends.iter().find(|end| self.tree.seen(ix, self.tree.place(**end)) != Seen::Ran)?;
        if self.guarded(ix, Some(*end), field, scope) {
            return None;
        }
        let end = self.tree.get(*end)?.step;
        Some(
            self.new_fault(Code::RB0107, span, format!("`{name}` may not have run here"))
                .label(end.verb.span, "the procedure may end here, before it")
                .help(format!("say what is given then: `if \"{name}\" in steps {{ … }} else {{ … }}`")),
        )
    }

    fn own(&self, ix: NodeIx, name: &str, span: Span, scope: &Scope) -> Diagnostic {
        let itself = self.tree.place(ix);
        let own = itself.parent == scope.place.parent && itself.slot == scope.place.slot && itself.index == scope.place.index;
        let message = if own { "a step cannot read itself" } else { "a step cannot read the step it stands in" };
        let help = if scope.sort == Sort::Result {
            "write `result` for what the step at hand gave".to_owned()
        } else {
            format!("read `{name}` in a step behind it")
        };
        self.new_fault(Code::RB0105, span, message).help(help)
    }

    fn apart(&self, parent: NodeIx, read: &Step, name: &str, span: Span) -> Diagnostic {
        let Some(around) = self.tree.get(parent).map(|node| node.step) else {
            return self.new_fault(Code::RB0106, span, format!("`{name}` cannot have run here"));
        };
        let (reason, help) = match &around.verb.value {
            Verb::Choose(_) => ("only one branch of a `choose` runs", "move the step before the `choose`".to_owned()),
            Verb::Parallel(_) => ("the branches run at the same time", "read it behind the `parallel`".to_owned()),
            Verb::Each(_) => (
                "every item has run it, so there is no one value",
                match &around.id {
                    Some(id) => format!("behind the `each`, `steps.{}` is the list of all items' results", id.value),
                    None => "give the `each` an `id`: behind it, `steps.<id>` is the list of all items' results".to_owned(),
                },
            ),
            _ => ("it belongs to an `undo` or `verify`, which this path does not run", "read a step of the main list".to_owned()),
        };
        self.new_fault(Code::RB0106, span, format!("`{name}` cannot have run here"))
            .reason(reason)
            .label(read.verb.span, "it runs here")
            .help(help)
    }

    /// Warns of names that have to have a value here and may have none: text of nothing is an error when it is rendered.
    pub fn present(&mut self, needed: &[Reference], field: &Scalar, scope: &Scope) {
        let procedure = self.procedure;
        let places = LazyCell::new(|| field.places(&procedure.source));
        for reference in needed {
            let name = reference.path.join(".");
            let Some(reason) = self.may_be_nothing(&reference.path) else { continue };
            if self.conditions(scope).any(|condition| condition.contains(&name)) {
                continue;
            }
            let span = places.span(reference.offset, reference.offset + name.len());
            let help = match field.value.contains("{{") {
                true => format!("write `{{{{default {name} \"…\"}}}}`, or ask for it first: `if: {name} != ()`"),
                false => format!("write `{name} ?? \"…\"`, or ask for it first: `if: {name} != ()`"),
            };
            let fault = self.new_fault(Code::RB0121, span, format!("`{name}` may be nothing here, which is no text"));
            self.report(fault.reason(reason).help(help));
        }
    }

    /// Why a name that can be read may still be nothing.
    fn may_be_nothing(&self, path: &[String]) -> Option<&'static str> {
        let is_optional =
            |input: &Input| !input.required && input.default.as_ref().is_none_or(|default| matches!(default.kind, NodeKind::Null));
        let declared = |fields: &[(Spanned<Id>, Input)], name: &str| {
            fields.iter().any(|(id, input)| id.value.as_str() == name && is_optional(input))
        };
        let mut path = path.iter().map(String::as_str);
        match (path.next()?, path.next()?, path.next()) {
            ("inputs", name, _) if declared(&self.procedure.inputs, name) => Some("the input is optional and has no default"),
            ("run", "environment", _) if self.build.catalogue.workspace().is_none_or(|w| w.environments.is_empty()) => {
                Some("no workspace says in which environments runs are")
            }
            ("steps", id, Some(name)) => match &self.tree.get(self.tree.find(id)?)?.step.verb.value {
                Verb::Ask(ask) if declared(&ask.fields, name) => Some("the answer is optional and has no default"),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn in_finally(&self, place: Place) -> bool {
        self.tree.around(place).last().map_or(Some(place.slot), |(outermost, _)| self.tree.get(outermost).map(|n| n.slot))
            == Some(Slot::Finally)
    }

    /// Whether what leads to the place makes sure that the step has run: it asks so, or it asks what the step itself asked.
    fn guarded(&self, ix: NodeIx, why: Option<NodeIx>, field: &Scalar, scope: &Scope) -> bool {
        let Some(id) = self.tree.get(ix).and_then(|node| node.step.id.as_ref()) else { return false };
        let id = id.value.as_str();
        let asks = [format!("\"{id}\" in steps"), format!("'{id}' in steps"), format!("steps?.{id}")];
        let same = why.and_then(|why| self.tree.get(why)).and_then(|node| node.step.condition.as_ref()).map(|c| c.value.trim());
        // Everything on the way to the end of a run that succeeded has run.
        let succeeded = |condition: &str| why.is_none() && condition.replace(' ', "").contains("run.outcome==\"succeeded\"");
        self.asked_before(&asks, field, scope)
            || self.conditions(scope).any(|condition| same == Some(condition.trim()) || succeeded(condition))
    }

    /// Whether a field, or a condition that leads to it, holds one of these questions.
    fn asked_before(&self, asks: &[String], field: &Scalar, scope: &Scope) -> bool {
        let holds = |text: &str| asks.iter().any(|ask| text.contains(ask.as_str()));
        holds(&field.value) || self.conditions(scope).any(holds)
    }

    /// The conditions that hold wherever the place is reached.
    fn conditions(&self, scope: &Scope) -> impl Iterator<Item = &'c str> {
        let here = self.tree.at(scope.place).and_then(|node| node.step.condition.as_ref());
        let around = self.tree.around(scope.place).flat_map(|(outer, slot)| {
            let step = self.tree.get(outer).map(|node| node.step);
            let chosen = step.and_then(|step| match (&step.verb.value, slot) {
                (Verb::Choose(branches), Slot::Case(n)) => branches.get(n).and_then(|branch| branch.when.as_ref()),
                _ => None,
            });
            [step.and_then(|step| step.condition.as_ref()), chosen]
        });
        here.into_iter().chain(around.flatten()).map(|condition| condition.value.as_str())
    }
}

/// Whether a verb gives a result also where it failed: what a program printed, what a server said, what people decided.
fn gives_in_failure(verb: &Verb) -> bool {
    super::verb::acts(verb) || matches!(verb, Verb::Approve(_) | Verb::Manual(_))
}

/// A fault that suggests something in the place of the first parts of a name, in the place of just those.
fn as_written(mut fault: Diagnostic, reference: &Reference, parts: usize, field: &Scalar, places: &Places) -> Diagnostic {
    if let Some(suggestion) = &mut fault.suggestion {
        let front = reference.path.get(..parts).unwrap_or_default().join(".");
        // In brackets and quotes it is written otherwise.
        match field.value.get(reference.offset..).is_some_and(|text| text.starts_with(&front)) {
            true => suggestion.span = places.span(reference.offset, reference.offset + front.len()),
            false => fault.suggestion = None,
        }
    }
    fault
}
