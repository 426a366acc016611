//! Whom a procedure names: people and groups that decide, channels that are told, and the escalation that is climbed. They stand in the workspace; where there is none, the operator is alone and nothing can be said.

use super::procedure::Checked;
use std::time::Duration;

use crate::diagnostic::{Code, Span, Spanned};
use crate::document::Scalar;
use crate::document::step::OnTimeout;

impl Checked<'_, '_> {
    /// A question that nobody may ever answer keeps its run, and what waits behind it, for ever.
    pub fn has_an_end(&mut self, at: Span, verb: &str, within: Option<&Spanned<Duration>>) {
        if within.is_none() {
            let fault = self.new_fault(Code::RB0213, at, format!("this `{verb}` may wait for ever"));
            self.report(
                fault
                    .reason("nobody has to answer it")
                    .help("add `within`, such as `within: 4h`, and `on_timeout` where a failure is not what should follow"),
            );
        }
    }

    /// The people and groups that a decision asks, and whether there are enough of them.
    pub fn asked(&mut self, from: &[Scalar], count: Option<&Spanned<u32>>, on_timeout: Option<&Spanned<OnTimeout>>) {
        if let Some(timeout) = on_timeout
            && timeout.value == OnTimeout::Escalate
            && self.procedure.escalation.is_none()
        {
            let fault = self
                .new_fault(Code::RB0314, timeout.span, "there is nobody to escalate to")
                .reason("the procedure names no `escalation`")
                .help("add `escalation: <name of the workspace>` to the procedure, or write `on_timeout: fail`");
            self.report(fault);
        }
        let unknown = self.build.policy.workspace.then(|| from.iter().filter(|name| !self.somebody(name)).count());
        let Some(count) = count.filter(|_| unknown.unwrap_or(0) == 0) else { return };
        let people = &self.build.policy.people;
        if people.people.is_empty() {
            if count.value > 1 {
                let fault =
                    self.new_fault(Code::RB0319, count.span, format!("{} people have to decide, and there is one", count.value));
                self.report(
                    fault
                        .reason("where no workspace names people, the operator decides alone")
                        .help("name people in `workspace.yaml`, or leave `count` away"),
                );
            }
        } else {
            let names: Vec<String> = from.iter().map(|name| name.value.clone()).collect();
            let there = if names.is_empty() { people.people.len() } else { people.most_asked(&names) };
            if count.value as usize > there {
                let fault = self
                    .new_fault(Code::RB0313, count.span, format!("{} people have to decide, and there are {there}", count.value))
                    .help("ask for fewer, or name a larger group in `from`");
                self.report(fault);
            }
        }
    }

    fn somebody(&mut self, name: &Scalar) -> bool {
        let people = &self.build.policy.people;
        if people.knows(&name.value) {
            return true;
        }
        let near = self.nearest(&name.value, people.names()).map(str::to_owned);
        self.absent(Code::RB0310, name, "person, group or rotation", near);
        false
    }

    pub fn channels(&mut self, to: &[Scalar]) {
        if !self.build.policy.workspace {
            return;
        }
        for name in to.iter().filter(|name| !self.build.policy.channels.contains_key(&name.value)).collect::<Vec<_>>() {
            let near = self.nearest(&name.value, self.build.policy.channels.keys().map(String::as_str)).map(str::to_owned);
            self.absent(Code::RB0311, name, "channel", near);
        }
    }

    /// The escalation of the procedure, as the workspace has it.
    pub fn escalation(&mut self) -> Option<crate::policy::Escalation> {
        let name = self.procedure.escalation.as_ref()?;
        let found = self.build.policy.escalations.get(&name.value).cloned();
        if found.is_none() && self.build.policy.workspace {
            let near = self.nearest(&name.value, self.build.policy.escalations.keys().map(String::as_str)).map(str::to_owned);
            self.absent(Code::RB0312, name, "escalation", near);
        }
        found
    }

    pub fn absent(&mut self, code: Code, name: &Scalar, what: &str, near: Option<String>) {
        let fault = self.new_fault(code, name.span, format!("the workspace has no {what} `{}`", name.value.escape_debug()));
        let fault = match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(name.span, near),
            None => fault.help("add it to the workspace, or correct the name"),
        };
        self.report(fault);
    }
}
