//! Who is asked for a decision, in a sentence.

use std::time::Duration;

use runbook_core::document::step::OnTimeout;
use runbook_core::markdown::quoted;
use runbook_core::policy::{Demanded, People};
use runbook_core::value::format_duration;

pub struct Asked<'a> {
    /// Names of people, groups and rotations; empty: whoever may operate.
    pub from: &'a [String],
    pub count: u32,
    /// Where it may not be whoever asked for the run.
    pub not_requester: Demanded,
    /// Where it counts only when it is signed.
    pub signed: Demanded,
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
    /// Who is asked after those, one after the other, and how long each has.
    pub rungs: Vec<(&'a [String], Duration)>,
    /// The rule of the workspace that wants it.
    pub rule: Option<&'a str>,
}

/// Who is asked, how many must agree, how long they have, what follows, and by which rule.
pub fn asked(asked: &Asked<'_>, people: &People) -> String {
    let mut text = whom(asked.from, people);
    if asked.count > 1 {
        text.push_str(&format!("; {} must agree", asked.count));
    }
    for (demanded, what) in [(&asked.not_requester, "not whoever asks for the run"), (&asked.signed, "signed with an SSH key")] {
        match demanded {
            Demanded::Nowhere => {}
            Demanded::Everywhere => text.push_str(&format!("; {what}")),
            Demanded::In(environments) => text.push_str(&format!("; in {} {what}", environments.join(", "))),
        }
    }
    match asked.within {
        None => text.push_str("; without a time limit"),
        Some(within) => text.push_str(&format!("; within {}", format_duration(within))),
    }
    let mut last = matches!(asked.on_timeout, OnTimeout::Reject).then_some("then it counts as rejected");
    for (to, within) in &asked.rungs {
        text.push_str(&format!(", then {} within {}", whom(to, people), format_duration(*within)));
    }
    if asked.within.is_some() && last.is_none() {
        last = Some("then the step fails");
    }
    text.extend(last.iter().map(|then| format!(", {then}")));
    text.extend(asked.rule.map(|rule| format!("; added by the rule {} of the workspace", quoted(rule))));
    text
}

/// Names of those who are asked, and members of a group, that are told.
const MEMBERS: usize = 20;

/// Names of people, groups and rotations, each of the latter with those in it.
pub fn whom(names: &[String], people: &People) -> String {
    let listed = |members: &[&str]| match members.get(..MEMBERS) {
        Some(first) if members.len() > MEMBERS => format!("{} and {} others", first.join(", "), members.len() - MEMBERS),
        _ => members.join(", "),
    };
    let with_members = |name: &String| match (people.groups.get(name), people.rotations.get(name)) {
        (Some(members), _) => format!("{name} ({})", listed(&members.iter().map(String::as_str).collect::<Vec<_>>())),
        (None, Some(rotation)) => format!("{name} (who is on call of {})", listed(&rotation.members())),
        (None, None) => name.clone(),
    };
    let (first, more) = names.split_at_checked(MEMBERS).unwrap_or((names, &[]));
    match (first, more.len()) {
        ([], _) => "whoever may operate".to_owned(),
        (first, 0) => first.iter().map(with_members).collect::<Vec<_>>().join(", "),
        (first, more) => format!("{} and {more} others", first.iter().map(with_members).collect::<Vec<_>>().join(", ")),
    }
}
