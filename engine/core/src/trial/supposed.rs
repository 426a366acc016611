//! What a case supposes to go wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::select;
use crate::document::clipped;
use crate::document::test::{Case, StandIn, StandInEnd};
use crate::explore::Supposed;
use crate::limits;
use crate::markdown::quoted;
use crate::plan::{Plan, Step, Verb};
use crate::run::decision::Choice;
use crate::value::{Value, format_duration};

/// What a case supposes to go wrong, or otherwise than everybody hopes.
pub fn supposed(case: &Case, plan: &Arc<Plan>) -> Supposed {
    let mut that: Vec<String> = Vec::new();
    let labels = select::Labels::of(plan);
    for (name, list) in &case.setting.steps {
        let steps = select::performed(&name.value, plan, &labels);
        let name = quoted(&clipped(&name.value));
        // One stands in for all attempts, several each for its own.
        let attempt = |place: usize| if list.len() > 1 { format!("attempt {} of {name}", place + 1) } else { name.clone() };
        let wrong = list.iter().enumerate().filter_map(|(place, one)| Some(wrong(one, &steps)?.of(&attempt(place))));
        that.extend(wrong);
    }
    for (name, answers) in &case.setting.answers {
        let name = quoted(&clipped(&name.value));
        that.extend(answers.iter().filter_map(|answer| match answer.say {
            None => Some(format!("nobody answers {name}")),
            Some(Choice::Reject) => Some(format!("{name} is rejected")),
            Some(Choice::Leave) => Some(format!("{name} is left as it is")),
            Some(Choice::Approve | Choice::Probe | Choice::Done | Choice::Again) => None,
        }));
    }
    let mut told = BTreeSet::new();
    that.retain(|one| told.insert(one.clone()));
    // When that is, among steps that take as long as they take, a dry run does not know.
    let cancelled = case.setting.cancel.as_ref();
    let cancelled = cancelled.map(|cancel| format!("it is cancelled {} after its start", format_duration(cancel.after)));
    let crashes = case.setting.steps.iter().flat_map(|(_, list)| list).any(|one| one.end == StandInEnd::Crash);
    let at_once = plan.steps.iter().any(|step| step.verb.runs_at_once());
    let lost = (crashes && at_once).then(|| "what else is under way when the engine stops is lost too".to_owned());
    let left_out: Vec<String> = cancelled.into_iter().chain(lost).collect();
    let left_out = (!left_out.is_empty()).then(|| left_out.join(", and that "));
    Supposed { case: case.name.value.clone(), that, refused: super::unplayable(case, plan), left_out }
}

/// How an attempt goes wrong.
enum Wrong {
    Fails,
    TimesOut,
    NobodyKnows,
    Exits(i64),
    Answered(i64),
}

impl Wrong {
    fn of(self, step: &str) -> String {
        match self {
            Self::Fails => format!("{step} fails"),
            Self::TimesOut => format!("{step} times out"),
            Self::NobodyKnows => format!("nobody knows how {step} ended"),
            Self::Exits(code) => format!("{step} exits with {code}"),
            Self::Answered(status) => format!("{step} is answered with {status}"),
        }
    }
}

/// What goes wrong with an attempt of one of these steps that a stand-in stands in for: as the step judges it.
fn wrong(one: &StandIn, steps: &[&Step]) -> Option<Wrong> {
    let late = |step: &&Step| one.takes > step.timeout.unwrap_or(limits::STEP_TIMEOUT);
    match &one.end {
        StandInEnd::Crash | StandInEnd::Unknown => Some(Wrong::NobodyKnows),
        _ if steps.iter().any(late) => Some(Wrong::TimesOut),
        StandInEnd::TimesOut => Some(Wrong::TimesOut),
        StandInEnd::Fails(_) => Some(Wrong::Fails),
        StandInEnd::Result | StandInEnd::CrashAfter => {
            let Value::Map(result) = &one.result else { return None };
            steps.iter().find_map(|step| match (&step.verb, result.get("exit_code"), result.get("status")) {
                (Verb::Run { .. } | Verb::Exec { .. }, Some(Value::Int(code)), _) if *code != 0 => Some(Wrong::Exits(*code)),
                (Verb::Http(http), _, Some(Value::Int(status))) if !http.expects(*status) => Some(Wrong::Answered(*status)),
                _ => None,
            })
        }
        StandInEnd::Example => None,
    }
}
