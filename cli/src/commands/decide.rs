//! `approve`, `reject` and `answer`: one vote, from any terminal, at any time.

use runbook_core::document::input::accept_all;
use runbook_core::run::decision::{Choice, Decision, Purpose};
use runbook_core::run::event::Vote;
use runbook_core::value::{Map, Value};
use runbook_core::{DecisionId, Run};
use runbook_engine::message::Message;
use runbook_engine::people::SigningKey;

use super::control::{bounded, go_on};
use super::reply::{self, Given, Reply};
use super::store::{Home, open_decision, runtime};
use super::{ahead, exec};
use crate::args::{Answer, Approve, Reject, Voice};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::Lines;
use crate::ui::{Ui, request};

pub fn approve(args: &Approve, settings: &Settings, ui: &mut Ui) -> Outcome {
    if let Some(procedure) = &args.ahead {
        return ahead::approve(procedure, args, settings, ui);
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
    let evidence = args.evidence.clone().map(bounded).transpose()?;
    // What is approved is what was seen: on this screen, or where its digest comes from.
    if args.voice.digest.is_none() {
        if ui.can_ask() {
            return open.in_terminal(&args.voice, evidence, ui);
        }
        let run = &open.row.run;
        let command = request::answers(&open.run, decision).into_iter().next().unwrap_or_default();
        return Err(Trouble::not_valid("without a terminal an approval names what it is of, with `--digest`")
            .next(format!("runbook decisions {run}; then {command}")));
    }
    let answers = evidence.map(|evidence| ("evidence".to_owned(), Value::text(evidence))).into_iter().collect();
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
        let likeliest = request::answers(&open.run, decision).into_iter().next().unwrap_or_default();
        if decision.request.choices.contains(choice) && !request::offered(&open.run, decision).contains(choice) {
            return Err(Trouble::not_valid("the step has no `verify` that could look again").next(likeliest));
        }
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
        return open.in_terminal(&args.voice, None, ui);
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

    fn in_terminal(&self, voice: &Voice, evidence: Option<String>, ui: &mut Ui) -> Outcome {
        let decision = self.decision()?;
        let by = self.home.speaker(&self.run.plan().policy.people, voice)?;
        let head = Some(self.row.head.clone());
        let mut lines = Lines::default();
        let reason = voice.reason.clone().map(bounded).transpose()?;
        let given = Given { reason, evidence, sign: voice.sign, key: key(voice) };
        let reply = runtime()?.block_on(reply::ask(ui, &mut lines, &self.run, decision, &by, head, given));
        match reply {
            Reply::Vote(vote) => self.hand_in(*vote, ui),
            Reply::Later => {
                ui.say("nothing was decided");
                ui.next(&format!("runbook decisions {}", self.row.run));
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
        if !decision.request.choices.contains(&choice) {
            let why = format!("decision {} cannot be answered with `{}`", decision.id, choice.name());
            return Err(Trouble::not_valid(why).next(request::answers(&self.run, decision).into_iter().next().unwrap_or_default()));
        }
        let by = self.home.speaker(&self.run.plan().policy.people, voice)?;
        let mut vote = reply::vote(decision, &by, choice, Some(self.row.head.clone()));
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
