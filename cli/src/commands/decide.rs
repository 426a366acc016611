//! `approve`, `reject` and `answer`: one vote, from any terminal, at any time.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::Run;
use runbook_core::check::CheckOptions;
use runbook_core::document::input::accept_all;
use runbook_core::id::StepPath;
use runbook_core::policy::{Ahead, ahead};
use runbook_core::run::decision::{Choice, Decision, Purpose};
use runbook_core::run::event::Vote;
use runbook_core::value::{Map, Value, parse_duration};
use runbook_core::{DecisionId, Effect};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::journal::NewAhead;
use runbook_engine::message::Message;
use runbook_engine::people::SigningKey;

use super::control::{bounded, go_on};
use super::reply::{self, Reply};
use super::store::{Home, open_decision, runtime};
use super::{check, exec};
use crate::args::{Answer, Approve, Reject, Voice};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::Lines;
use crate::ui::{Ui, request};

pub fn approve(args: &Approve, settings: &Settings, ui: &mut Ui) -> Outcome {
    if args.ahead.is_some() {
        return approve_ahead(args, settings, ui);
    }
    let Some(wanted) = &args.run else { return Err(Trouble::not_valid("a run is needed").next("runbook decisions")) };
    let open = Open::find(settings, wanted, args.decision)?;
    let decision = open.decision()?;
    match decision.purpose {
        Purpose::Ask if !decision.request.fields.is_empty() => {
            return Err(Trouble::not_valid(format!("decision {} asks for answers", decision.id))
                .next(format!("runbook answer {} {}", open.row.run, decision.id)));
        }
        Purpose::Unknown | Purpose::UndoFailed => {
            return Err(Trouble::not_valid(format!("decision {} cannot be approved", decision.id))
                .next(request::answers(&open.run, decision).into_iter().next().unwrap_or_default()));
        }
        _ => {}
    }
    let decided = args.voice.reason.is_some() || args.voice.digest.is_some() || args.evidence.is_some();
    if !decided && ui.can_ask() {
        return open.in_terminal(&args.voice, ui);
    }
    if !decided {
        return Err(Trouble::not_valid("without a terminal an approval names what it is of").next(format!(
            "runbook decisions {0}; then runbook approve {0} {1} --digest {2}",
            open.row.run,
            open.id,
            decision.request.digest.short()
        )));
    }
    let mut answers = Map::new();
    if let Some(evidence) = &args.evidence {
        answers.insert("evidence".to_owned(), Value::text(bounded(evidence.clone())?));
    }
    open.say(Choice::Approve, answers, &args.voice, ui)
}

pub fn reject(args: &Reject, settings: &Settings, ui: &mut Ui) -> Outcome {
    let open = Open::find(settings, &args.run.run, args.decision)?;
    if args.voice.reason.is_none() {
        return Err(Trouble::not_valid("a rejection needs a reason")
            .next(format!("runbook reject {} {} --reason …", open.row.run, open.id)));
    }
    open.say(Choice::Reject, Map::new(), &args.voice, ui)
}

pub fn answer(args: &Answer, settings: &Settings, ui: &mut Ui) -> Outcome {
    let open = Open::find(settings, &args.run.run, args.decision)?;
    let decision = open.decision()?;
    let settled = [
        (args.choice.probe, Choice::Probe),
        (args.choice.done, Choice::Done),
        (args.choice.again, Choice::Again),
        (args.choice.leave, Choice::Leave),
    ];
    if let Some((_, choice)) = settled.iter().find(|(given, _)| *given) {
        if choice.needs_reason() && args.voice.reason.is_none() {
            return Err(Trouble::not_valid(format!("`--{}` needs a reason", choice.name())).next(format!(
                "runbook answer {} {} --{} --reason …",
                open.row.run,
                open.id,
                choice.name()
            )));
        }
        return open.say(*choice, Map::new(), &args.voice, ui);
    }
    if args.answer.is_empty() && ui.can_ask() {
        return open.in_terminal(&args.voice, ui);
    }
    if decision.purpose != Purpose::Ask {
        return Err(Trouble::not_valid(format!("decision {} does not ask for answers", decision.id))
            .next(request::answers(&open.run, decision).into_iter().next().unwrap_or_default()));
    }
    let (answers, mut faults) = exec::typed(&decision.request.fields, &args.answer);
    faults = exec::all_faults(&decision.request.fields, answers.clone(), faults);
    if faults.is_empty()
        && let Ok(answers) = accept_all(&decision.request.fields, answers)
    {
        return open.say(Choice::Approve, answers, &args.voice, ui);
    }
    Err(Trouble::not_valid(faults.join("\n")).next(format!("runbook decisions {}", open.row.run)))
}

/// A decision that waits, with the run as it is.
struct Open {
    home: Home,
    run: Run,
    row: runbook_engine::journal::RunRow,
    id: DecisionId,
}

impl Open {
    fn find(settings: &Settings, text: &str, wanted: Option<DecisionId>) -> Result<Open, Trouble> {
        let home = Home::open(settings)?;
        let id = home.find(text)?;
        let (run, row) = home.replay(&id)?;
        let id = open_decision(&run, wanted)?;
        Ok(Open { home, run, row, id })
    }

    fn decision(&self) -> Result<&Decision, Trouble> {
        self.run.decision(self.id).ok_or_else(|| Trouble::not_valid(format!("there is no decision {}", self.id)))
    }

    fn in_terminal(&self, voice: &Voice, ui: &mut Ui) -> Outcome {
        let decision = self.decision()?;
        let by = self.home.identity(&self.run.plan().policy.people);
        let head = self.row.head.clone();
        let mut lines = Lines::default();
        let reply = runtime()?.block_on(reply::ask(ui, &mut lines, &self.run, decision, &by, head));
        match reply {
            Reply::Vote(mut vote) => {
                if voice.sign && vote.signature.is_none() {
                    reply::sign(&self.run, decision, &mut vote, key(voice))?;
                }
                self.hand_in(*vote, ui)
            }
            Reply::Later => {
                ui.say("nothing was decided");
                Ok(Exit::Waiting)
            }
            Reply::NotYours(why) => Err(Trouble::not_valid(why).next(format!("runbook decisions {}", self.row.run))),
        }
    }

    fn say(&self, choice: Choice, answers: Map, voice: &Voice, ui: &mut Ui) -> Outcome {
        let decision = self.decision()?;
        if let Some(shown) = &voice.digest {
            let digest = &decision.request.digest;
            if shown != digest.as_str() && shown != digest.short() {
                return Err(Trouble::not_valid(format!(
                    "what is asked now has the digest {}, not {shown}: it has changed since it was shown",
                    digest.short()
                ))
                .next(format!("runbook decisions {}", self.row.run)));
            }
        }
        let by = self.home.identity(&self.run.plan().policy.people);
        let mut vote = reply::vote(decision, &by, choice, self.row.head.clone());
        vote.answers = answers;
        vote.reason = voice.reason.clone().map(bounded).transpose()?;
        if voice.sign {
            reply::sign(&self.run, decision, &mut vote, key(voice))?;
        }
        self.hand_in(vote, ui)
    }

    fn hand_in(&self, vote: Vote, ui: &mut Ui) -> Outcome {
        let choice = vote.choice.name();
        self.home.tell(&self.row.run, Message::Decide { decision: self.id, vote: Box::new(vote) })?;
        ui.say(&format!("recorded: {choice} for {} of run {}", self.id, self.row.run));
        go_on(&self.home, &self.row.run, ui)
    }
}

fn key(voice: &Voice) -> Option<SigningKey> {
    voice.key.clone().map(SigningKey::File)
}

fn approve_ahead(args: &Approve, settings: &Settings, ui: &mut Ui) -> Outcome {
    let (Some(name), Some(step), Some(uses), Some(expires)) = (&args.ahead, &args.step, args.uses, &args.expires) else {
        return Err(Trouble::not_valid("--ahead needs --step, --uses and --expires"));
    };
    let Some(reason) = args.voice.reason.clone() else {
        return Err(Trouble::not_valid("an approval ahead of time needs a reason").next("give --reason TEXT"));
    };
    let home = Home::open(settings)?;
    let now = home.clock.now();
    let expires = moment(expires, now)?;
    if uses == 0 || expires <= now {
        return Err(Trouble::not_valid("an approval ahead of time needs at least one use and a time that is still to come"));
    }
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let procedure = catalogue.procedure(name.as_str()).ok_or_else(|| check::unknown(&catalogue, name.as_str(), settings))?;
    let options: CheckOptions = check::options(settings.environment.value.clone());
    let (plan, found) = catalogue.plan(procedure, &options);
    let Some(plan) = plan else {
        check::show_faults(&found, &catalogue, ui);
        return Err(Trouble::not_valid(format!("`{name}` is not valid")).next(format!("runbook check {name}")));
    };
    let known = plan.steps.iter().find(|s| s.id.as_ref() == Some(step));
    let asks = |s: &runbook_core::plan::Step| matches!(s.verb, runbook_core::plan::Verb::Approve(_)) || !s.gates.is_empty();
    if !known.is_some_and(asks) {
        return Err(Trouble::not_valid(format!("step `{step}` of `{name}` asks nobody for an approval"))
            .next(format!("runbook dry-run {name}")));
    }
    if known.is_some_and(|s| s.effect == Effect::Destructive) && uses > 1 {
        return Err(Trouble::not_valid("a destructive step is approved ahead for one use at a time").next("give --uses 1"));
    }
    let by = home.identity(&plan.policy.people);
    let (id, _) = runbook_engine::start::draw(&*home.clock);
    let mut ahead = Ahead {
        id: id.to_string(),
        by,
        reason: bounded(reason)?,
        procedure: name.clone(),
        what: ahead::Covers::compatible_with(procedure.version.value),
        step: StepPath::within("", step.as_str()),
        environment: settings.environment.value.clone(),
        inputs: None,
        uses,
        uses_left: uses,
        expires,
        signature: None,
    };
    if args.voice.sign {
        let text = ahead::ahead_statement(&ahead);
        let person = plan.policy.people.people.get(&ahead.by.person);
        let failed = |why: runbook_engine::people::PeopleError| Trouble::not_valid(why.to_string());
        let key = match (key(&args.voice), person) {
            (Some(key), _) => key,
            (None, Some(person)) => runbook_engine::people::agent_key(&ahead.by.person, person).map_err(failed)?,
            (None, None) => return Err(Trouble::not_valid("you are no person of the workspace, so there is no key to sign with")),
        };
        let namespace = runbook_core::policy::DECISION_NAMESPACE;
        ahead.signature = Some(runbook_engine::people::sign(&text, namespace, &key).map_err(failed)?);
    }
    let body = serde_json::to_value(&ahead).map_err(|why| Trouble::failed(why.to_string()))?;
    home.journal.decide_ahead(NewAhead { procedure: name.clone(), body, uses, expires_at: expires }).wait()?;
    ui.say(&format!(
        "approved ahead: step `{step}` of `{name}` ({}), {uses} {}, until {}",
        ahead.what,
        if uses == 1 { "use" } else { "uses" },
        crate::ui::words::when(expires)
    ));
    Ok(Exit::Succeeded)
}

/// A time as people give it: an instant, or how long from now.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    if let Ok(after) = parse_duration(text) {
        return Ok(now.saturating_add(Duration::from_millis(after.as_millis() as u64)).unwrap_or(Timestamp::MAX));
    }
    text.parse().map_err(|_| {
        Trouble::not_valid(format!("`{text}` is no time")).next("write an instant (2026-01-31T18:00Z) or a duration (8h)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_give_them() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, expect) in [
            ("8h", Some("2026-01-01T08:00:00Z")),
            ("1d 2h", Some("2026-01-02T02:00:00Z")),
            ("2026-01-31T18:00:00Z", Some("2026-01-31T18:00:00Z")),
            ("soon", None),
            ("8", None),
        ] {
            let found = moment(text, now).ok().map(|t| t.to_string());
            assert_eq!(found.as_deref(), expect, "{text}");
        }
    }
}
