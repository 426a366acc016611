//! `policies` and `escalations`.

use std::collections::BTreeMap;

use super::read;
use crate::diagnostic::Code;
use crate::document::decode::{Fields, Reading, must, scalar};
use crate::document::step::OnTimeout;
use crate::document::{Node, Scalar};
use crate::effect::Effect;
use crate::limits;
use crate::plan::must::Must;
use crate::policy::{ChannelSpec, Demand, Environment, Escalation, Gate, People, Rule, Rung};

const EFFECTS: [(&str, Effect); 3] = [("read", Effect::Read), ("change", Effect::Change), ("destructive", Effect::Destructive)];

const ON_TIMEOUT: [(&str, OnTimeout); 3] =
    [("fail", OnTimeout::Fail), ("reject", OnTimeout::Reject), ("escalate", OnTimeout::Escalate)];

/// The rules that govern runs, and what policies demand of every path.
pub(super) fn rules(fields: &mut Fields, people: &People, environments: &[Environment]) -> (Vec<Rule>, Vec<Demand>) {
    let reading = fields.reading;
    let items = fields.list("policies").unwrap_or_default();
    let (mut rules, mut demands): (Vec<Rule>, Vec<Demand>) = (Vec::new(), Vec::new());
    let mut names: BTreeMap<String, Scalar> = BTreeMap::new();
    for node in items {
        let Some((name, rule, musts)) = rule(reading, node, people, environments) else { continue };
        if let Some(first) = names.insert(name.value.clone(), name.clone()) {
            let message = format!("two policies are called `{}`", scalar::clipped(&name.value));
            let fault = reading.diagnostic(Code::RB0023, name.span, message).label(first.span, "the other one");
            reading.report(fault.help("give each its own name: the record says which one asked"));
        }
        demands.extend(musts.into_iter().map(|must| Demand { of: Rule { gate: None, ..rule.clone() }, must }));
        // What demands something of paths alone is no part of any run.
        if rule.gate.is_some() || rule.four_eyes || rule.signed {
            rules.push(rule);
        }
    }
    (rules, demands)
}

fn rule(reading: &Reading, node: &Node, people: &People, environments: &[Environment]) -> Option<(Scalar, Rule, Vec<Must>)> {
    let mut fields = Fields::of(reading, node, "a policy")?;
    let name = fields.require_text("name").filter(|name| read::named(reading, name, "a policy").is_some());
    let (mut effect, mut wanted, mut labels) = (Effect::Change, Vec::new(), BTreeMap::new());
    if let Some(mut when) = fields.map("when", "`when` of a policy") {
        effect = when.word("effect", &EFFECTS).map_or(effect, |effect| effect.value);
        wanted = when.some_texts("environments");
        labels = read::labels(&mut when);
        when.finish();
    }
    for name in wanted.iter().filter(|name| !environments.iter().any(|e| e.name == name.value)) {
        let message = format!("the workspace has no environment `{}`", scalar::clipped(&name.value));
        read::unknown(reading, Code::RB0315, name.span, message, &name.value, environments.iter().map(|e| e.name.as_str()));
    }
    let head = fields.head();
    let require = fields.require("require");
    fields.finish();
    let mut require = Fields::of(reading, require?, "`require` of a policy")?;
    let four_eyes = require.boolean("four_eyes").is_some_and(|on| on.value);
    let signed = require.boolean("signed").is_some_and(|on| on.value);
    let name = name?;
    let approve = require.map("approve", "`approve` of a policy");
    let gate = approve.map(|approve| gate(approve, &name.value, people));
    let musts = must::of_policy(&mut require);
    require.finish();
    if gate.is_none() && !four_eyes && !signed && musts.is_none() {
        let fault = reading.diagnostic(Code::RB0407, head, format!("the policy `{}` requires nothing", name.value));
        reading.report(fault.help("add `approve`, `four_eyes: true`, `signed: true` or `must` under `require`"));
    }
    let environments = wanted.into_iter().map(|name| name.value).collect();
    let rule = Rule { name: name.value.clone(), effect, environments, labels, gate, four_eyes, signed };
    Some((name, rule, musts.unwrap_or_default()))
}

fn gate(mut fields: Fields, rule: &str, people: &People) -> Gate {
    let reading = fields.reading;
    if !fields.has("within") {
        let fault = reading.diagnostic(Code::RB0213, fields.head(), "this approval may wait for ever");
        reading.report(fault.reason("nobody has to answer it").help("add `within`, such as `within: 4h`"));
    }
    let from = fields.some_texts("from");
    let from = read::known_deciders(reading, people, from);
    let count = fields.count("count", 1, limits::APPROVERS);
    // Without `from` anybody may decide, and without people the operator alone.
    let able = if from.is_empty() { people.people.len().max(1) } else { people.most_asked(&from) };
    if let Some(count) = count.as_ref().filter(|count| able < count.value as usize) {
        let message = format!("{} people must approve, and only {able} can", count.value);
        let fault = reading.diagnostic(Code::RB0313, count.span, message);
        reading.report(fault.help("lower `count`, or name more people in `from`"));
    }
    let gate = Gate {
        rule: rule.to_owned(),
        from,
        count: count.map_or(1, |count| count.value),
        within: fields.period("within").map(|within| within.value),
        not_requester: fields.boolean("not_requester").is_some_and(|on| on.value),
        signed: false,
        on_timeout: fields.word("on_timeout", &ON_TIMEOUT).map(|word| word.value).unwrap_or_default(),
    };
    fields.finish();
    gate
}

const IMPACTS: [&str; 4] = ["low", "medium", "high", "critical"];

pub(super) fn escalations(
    fields: &mut Fields,
    people: &People,
    channels: &BTreeMap<String, ChannelSpec>,
) -> BTreeMap<String, Escalation> {
    let reading = fields.reading;
    let mut escalations = BTreeMap::new();
    for (name, node) in fields.entries("escalations") {
        let Some(key) = read::named(reading, name, "an escalation") else { continue };
        let Some(mut entry) = Fields::of(reading, node, "an escalation") else { continue };
        let steps = entry.require("steps").and_then(|node| entry.as_list("steps", node)).unwrap_or_default();
        if steps.is_empty() && entry.has("steps") {
            let fault = reading.diagnostic(Code::RB0019, name.span, format!("the escalation `{key}` has no step"));
            reading.report(fault.help("say whom to ask and after which time: `{to: [group], after: 10m}`"));
        }
        let rungs = steps.iter().filter_map(|node| rung(reading, node, people, channels)).collect();
        let mut pace = BTreeMap::new();
        if let Some(mut factors) = entry.map("pace", "`pace`") {
            for impact in IMPACTS {
                if let Some(factor) = factors.number(impact, limits::PACE.0, limits::PACE.1) {
                    pace.insert(impact.to_owned(), factor.value);
                }
            }
            factors.finish();
        }
        let channels = told(&mut entry, channels);
        entry.finish();
        escalations.insert(key, Escalation { channels, rungs, pace });
    }
    escalations
}

fn rung(reading: &Reading, node: &Node, people: &People, channels: &BTreeMap<String, ChannelSpec>) -> Option<Rung> {
    let mut fields = Fields::of(reading, node, "a step of an escalation")?;
    let to = fields.some_texts("to");
    let to = read::known_deciders(reading, people, to);
    let channels = told(&mut fields, channels);
    let after = fields.require("after").and_then(|node| scalar::duration(reading, node, "after"));
    if !fields.has("to") {
        fields.missing("to");
    }
    fields.finish();
    Some(Rung { to, channels, after: after?.value })
}

/// `channels`, each of which the workspace has.
fn told(fields: &mut Fields, channels: &BTreeMap<String, ChannelSpec>) -> Vec<String> {
    let reading = fields.reading;
    let told = fields.texts("channels");
    for name in told.iter().filter(|name| !channels.contains_key(&name.value)) {
        let message = format!("the workspace has no channel `{}`", scalar::clipped(&name.value));
        read::unknown(reading, Code::RB0311, name.span, message, &name.value, channels.keys().map(String::as_str));
    }
    told.into_iter().map(|name| name.value).collect()
}
