//! Rules → what they add to a procedure: gates before its steps, and demands on every approval in it.

use std::collections::BTreeMap;

use super::{Gate, PolicyContext, Rule};
use crate::effect::Effect;
use crate::plan::Plan;

/// What the rules in force demand of every decision of a run, whoever asks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Whoever asked for the run may not decide.
    pub four_eyes: bool,
    /// A decision counts only with an SSH signature of the person.
    pub signed: bool,
}

/// Where the rules demand something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Demanded {
    #[default]
    Nowhere,
    /// In each environment that is meant.
    Everywhere,
    /// In these of them.
    In(Vec<String>),
}

impl From<bool> for Demanded {
    fn from(is_demanded: bool) -> Demanded {
        if is_demanded { Demanded::Everywhere } else { Demanded::Nowhere }
    }
}

impl Demanded {
    /// The same where only these environments are meant; all, where none is named.
    #[must_use]
    pub fn among(&self, environments: &[String]) -> Demanded {
        let Demanded::In(names) = self else { return self.clone() };
        let among: Vec<String> = environments.iter().filter(|name| names.contains(name)).cloned().collect();
        match (environments.is_empty(), among.len()) {
            (true, _) => self.clone(),
            (_, 0) => Demanded::Nowhere,
            (_, count) if count == environments.len() => Demanded::Everywhere,
            _ => Demanded::In(among),
        }
    }
}

impl Rule {
    /// Whether the rule is about a thing of this effect, in a procedure with these labels. Where a workspace has
    /// environments and none was named, a rule for some of them applies as well: silence never escapes a rule.
    pub(crate) fn applies(&self, environment: Option<&str>, labels: &BTreeMap<String, String>, effect: Effect) -> bool {
        let environment_fits = match environment {
            Some(name) => self.environments.is_empty() || self.environments.iter().any(|e| e == name),
            None => true,
        };
        environment_fits && effect >= self.effect && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// The labels of a procedure.
type Labels = BTreeMap<String, String>;

impl PolicyContext {
    fn rules_for<'a>(
        &'a self,
        environment: Option<&'a str>,
        procedures: &'a [&'a Labels],
        effect: Effect,
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| procedures.iter().any(|labels| rule.applies(environment, labels, effect)))
    }

    fn own_environment(&self) -> Option<&str> {
        self.environment.as_ref().map(|environment| environment.name.as_str())
    }

    /// The approvals that come before a step of this effect, in the order of the rules. What any rule in force demands
    /// of decisions is part of each gate. The step stands in all of these procedures: one calls the next.
    pub fn gates_for(&self, procedures: &[&Labels], effect: Effect) -> Vec<Gate> {
        let demands = self.requirements_for(procedures, effect);
        let mut gates: Vec<Gate> = Vec::new();
        for gate in self.rules_for(self.own_environment(), procedures, effect).filter_map(|rule| rule.gate.as_ref()) {
            let mut gate = gate.clone();
            gate.not_requester |= demands.four_eyes;
            gate.signed |= demands.signed;
            gates.push(gate);
        }
        gates
    }

    /// What the rules demand of every decision of a run of these procedures whose strongest step has the effect `highest`.
    pub fn requirements_for(&self, procedures: &[&Labels], highest: Effect) -> Requirements {
        let mut demands = Requirements::default();
        for rule in self.rules_for(self.own_environment(), procedures, highest) {
            demands.four_eyes |= rule.four_eyes;
            demands.signed |= rule.signed;
        }
        demands
    }
}

impl Plan {
    /// What the rules demand of every decision of a run of this plan, whichever of its procedures asks.
    pub fn demands(&self) -> Requirements {
        self.policy.requirements_for(&self.labels(), self.highest_effect())
    }

    fn labels(&self) -> Vec<&Labels> {
        self.procedures.iter().map(|procedure| &procedure.labels).collect()
    }

    /// Where the rules demand it of every decision of a run; of one environment, whether they do.
    pub fn demanded_in(&self, environment: Option<&str>, is_meant: impl Fn(&Rule) -> bool) -> Demanded {
        let procedures = self.labels();
        let mut found: Option<Vec<String>> = None;
        for rule in self.policy.rules_for(environment, &procedures, self.highest_effect()).filter(|rule| is_meant(rule)) {
            if environment.is_some() || rule.environments.is_empty() {
                return Demanded::Everywhere;
            }
            let known = found.get_or_insert_default();
            known.extend(rule.environments.iter().cloned());
        }
        found.map_or(Demanded::Nowhere, |mut names| {
            names.sort();
            names.dedup();
            Demanded::In(names)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Environment;

    fn rule(name: &str, effect: Effect, environments: &[&str], labels: &[(&str, &str)]) -> Rule {
        Rule {
            name: name.into(),
            effect,
            environments: environments.iter().map(|e| (*e).to_owned()).collect(),
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            gate: Some(Gate {
                rule: name.into(),
                from: vec!["ops".into()],
                count: 1,
                within: None,
                not_requester: false,
                signed: false,
                on_timeout: Default::default(),
            }),
            four_eyes: false,
            signed: false,
        }
    }

    fn context(environment: Option<&str>) -> PolicyContext {
        let eyes = Rule { gate: None, four_eyes: true, ..rule("eyes", Effect::Destructive, &["production"], &[]) };
        let ink = Rule { gate: None, signed: true, ..rule("ink", Effect::Change, &[], &[("tier", "database")]) };
        PolicyContext {
            workspace: true,
            environment: environment.map(|name| Environment { name: name.into(), ..Environment::default() }),
            rules: vec![
                rule("any-change", Effect::Change, &[], &[]),
                rule("prod-read", Effect::Read, &["production"], &[]),
                rule("db", Effect::Change, &["staging", "production"], &[("tier", "database")]),
                eyes,
                ink,
            ],
            ..PolicyContext::default()
        }
    }

    #[test]
    fn rules_add_gates_by_effect_environment_and_labels() {
        for (environment, labels, effect, expect) in [
            (Some("staging"), &[][..], Effect::None, &[][..]),
            (Some("staging"), &[], Effect::Read, &[]),
            (Some("staging"), &[], Effect::Change, &["any-change"]),
            (Some("production"), &[], Effect::Read, &["prod-read"]),
            (Some("production"), &[], Effect::Destructive, &["any-change!", "prod-read!"]),
            (Some("staging"), &[("tier", "database")], Effect::Change, &["any-change+", "db+"]),
            (Some("production"), &[("tier", "database")], Effect::Destructive, &["any-change!+", "prod-read!+", "db!+"]),
            (Some("production"), &[("tier", "web")], Effect::Change, &["any-change", "prod-read"]),
            // No environment was named: every rule that could apply does.
            (None, &[("tier", "database")], Effect::Destructive, &["any-change!+", "prod-read!+", "db!+"]),
        ] {
            let labels = labels.iter().map(|(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned())).collect();
            let gates = context(environment).gates_for(&[&labels], effect);
            let found: Vec<String> = gates
                .iter()
                .map(|g| format!("{}{}{}", g.rule, if g.not_requester { "!" } else { "" }, if g.signed { "+" } else { "" }))
                .collect();
            assert_eq!(found, expect, "{environment:?} {labels:?} {effect}");
        }
    }

    #[test]
    fn demands_on_decisions_follow_the_strongest_step() {
        let labels: BTreeMap<String, String> = [("tier".to_owned(), "database".to_owned())].into();
        for (environment, highest, four_eyes, signed) in [
            ("production", Effect::Read, false, false),
            ("production", Effect::Change, false, true),
            ("production", Effect::Destructive, true, true),
            ("staging", Effect::Destructive, false, true),
        ] {
            let demands = context(Some(environment)).requirements_for(&[&labels], highest);
            assert_eq!(demands, Requirements { four_eyes, signed }, "{environment} {highest}");
        }
    }
}
