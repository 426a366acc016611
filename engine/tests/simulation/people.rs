//! People as processes of their own: they answer what is asked, rightly and wrongly, late, twice and against one another, and
//! they cancel, pause and take notes. What was acknowledged to them is kept, and so is what was refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use runbook_core::run::decision::Choice;
use runbook_core::run::event::{Identity, Means, Vote};
use runbook_core::{DecisionId, Digest, Map, RunId, Value};
use runbook_engine::journal::{Archive, DecisionFilter, OpenDecision};
use runbook_engine::message::Message;
use serde_json::Value as Json;

use crate::book::{PEOPLE, members};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::scenario::Meddling;
use crate::world::World;

/// Something that somebody is about to say.
#[derive(Clone, Debug)]
pub struct Saying {
    pub run: RunId,
    pub who: &'static str,
    pub message: Message,
    /// Stands in the message and nowhere else.
    pub token: String,
    /// What kind of message it is, as the record calls it.
    pub kind: &'static str,
    pub decision: Option<u64>,
    pub choice: Option<&'static str>,
}

/// What was said to somebody about their message.
#[derive(Clone, Debug)]
pub struct Told {
    pub saying: Saying,
    /// The number of the event, or why not. Nothing where the person, or their process, never heard.
    pub answer: Option<Result<u64, String>>,
    /// When their process began, and when it ended.
    pub from: u64,
    pub to: u64,
}

impl Told {
    /// Whether two answers to one question were under way at once, from different people or with different choices.
    pub fn races(&self, other: &Told) -> bool {
        let (one, two) = (&self.saying, &other.saying);
        let same = one.choice.is_some() && two.choice.is_some() && (&one.run, one.decision) == (&two.run, two.decision);
        same && (one.who, one.choice) != (two.who, two.choice) && self.from < other.to && other.from < self.to
    }
}

pub fn person(name: &str) -> Identity {
    Identity { person: name.to_owned(), means: Means::LocalUser { user: name.to_owned(), host: "here".to_owned() } }
}

struct Plan {
    at: u64,
    round: u64,
}

/// Everybody who may have something to say.
pub struct Crowd {
    seed: u64,
    wild: bool,
    disk: Arc<Disk>,
    world: Arc<World>,
    plans: BTreeMap<(RunId, DecisionId), Plan>,
    said: u64,
}

impl Crowd {
    pub fn new(seed: u64, wild: bool, disk: Arc<Disk>, world: Arc<World>) -> Crowd {
        Crowd { seed, wild, disk, world, plans: BTreeMap::new(), said: 0 }
    }

    fn token(&mut self) -> String {
        self.said += 1;
        format!("word-{}.", self.said)
    }

    /// What people say now. Who is `diligent` answers everything, at once and rightly.
    pub fn look(&mut self, now: u64, diligent: bool) -> Vec<Saying> {
        let mut sayings = Vec::new();
        for open in self.disk.memory().open_decisions(&DecisionFilter::all()).unwrap_or_default() {
            let key = (open.run.clone(), open.decision);
            let round = self.plans.get(&key).map_or(0, |plan| plan.round);
            let mut dice = Dice::of(self.seed, &format!("people/{}/{}/{round}", open.run, open.decision));
            let wait = match dice.roll(6) {
                _ if diligent => 0,
                0 => dice.between(5_000, 40_000),
                1 => dice.between(2_000, 10_000),
                _ => dice.between(50, 2_000),
            };
            let plan = self.plans.entry(key).or_insert(Plan { at: now + wait, round });
            if plan.at <= now || diligent {
                *plan = Plan { at: now + 500 + wait, round: round + 1 };
                sayings.extend(self.answer(&open, dice, round, diligent));
            }
        }
        sayings
    }

    /// The request as it stands in the record.
    fn request(&self, open: &OpenDecision) -> Option<Json> {
        let memory = self.disk.memory();
        let records = memory.records(&open.run, 1, usize::MAX).ok()?;
        records.iter().filter(|record| record.kind == "decision_requested").find_map(|record| {
            let body: Json = serde_json::from_str(&record.body).ok()?;
            (body["decision"] == open.decision.to_string()).then(|| body["request"].clone())
        })
    }

    fn answer(&mut self, open: &OpenDecision, mut dice: Dice, round: u64, diligent: bool) -> Vec<Saying> {
        let Some(request) = self.request(open) else { return Vec::new() };
        let wild = self.wild && !diligent;
        let asked: Vec<&'static str> = open.from.iter().flat_map(|name| members(name)).collect();
        let asked = if asked.is_empty() || (wild && dice.one_in(6)) { PEOPLE.to_vec() } else { asked };
        let who = asked[(dice.roll(8) * u64::from(!diligent) + round) as usize % asked.len()];
        let choices: Vec<Choice> = serde_json::from_value(request["choices"].clone()).unwrap_or_default();
        let choice = self.choose(&choices, open, &mut dice, diligent);
        let Ok(digest) = request["digest"].as_str().unwrap_or_default().parse::<Digest>() else { return Vec::new() };
        let digest = if wild && dice.one_in(10) { Digest::of_bytes(b"something else") } else { digest };
        let mut answers = Map::new();
        if request["fields"].is_array() && choice == Choice::Approve {
            let size = if wild && dice.one_in(6) { 12 } else { 4 };
            answers.insert("size".to_owned(), Value::Int(size));
        }
        let silent = wild && dice.one_in(12);
        let mut sayings = vec![self.vote(open, who, choice, digest.clone(), answers.clone(), silent)];
        if !diligent && dice.one_in(6) {
            // Twice, or against one another.
            let other = asked[(dice.roll(8) + 1) as usize % asked.len()];
            let choice = if dice.one_in(2) { choice } else { dice.pick(&choices) };
            sayings.push(self.vote(open, if dice.one_in(2) { who } else { other }, choice, digest, answers, false));
        }
        if !diligent && dice.one_in(5) {
            let saying = self.acknowledgement(open, who, asked[(dice.roll(8)) as usize % asked.len()], &mut dice);
            // Before they decide, or when somebody else just has.
            sayings.insert(if dice.one_in(4) { sayings.len() } else { 0 }, saying);
            if dice.one_in(2) {
                sayings.truncate(1);
            }
        }
        if let Some(Message::Decide { vote, .. }) = sayings.first_mut().map(|saying| &mut saying.message)
            && wild
            && dice.one_in(6)
        {
            // A claim that nobody can make: what was approved ahead is found in the journal.
            vote.ahead = Some("ahead-0.".to_owned());
        }
        sayings
    }

    fn choose(&self, choices: &[Choice], open: &OpenDecision, dice: &mut Dice, diligent: bool) -> Choice {
        let path = open.path.as_ref().map(|path| path.to_string()).unwrap_or_default();
        match choices.first() {
            Some(Choice::Approve) if diligent || !dice.one_in(6) => Choice::Approve,
            // Careful people look at what really happened, and wait for what goes on.
            Some(Choice::Probe) if !(self.wild && dice.one_in(3)) => match () {
                () if !diligent && dice.one_in(4) => Choice::Probe,
                () if self.world.changed(open.run.as_str(), &path) => Choice::Done,
                () if self.world.is_busy(open.run.as_str(), &path) => Choice::Probe,
                () => Choice::Again,
            },
            _ if diligent => Choice::Done,
            _ => dice.pick(choices),
        }
    }

    fn vote(
        &mut self,
        open: &OpenDecision,
        who: &'static str,
        choice: Choice,
        digest: Digest,
        answers: Map,
        silent: bool,
    ) -> Saying {
        let token = self.token();
        let vote =
            Vote { reason: if silent { None } else { Some(token.clone()) }, answers, ..Vote::new(person(who), choice, digest) };
        Saying {
            run: open.run.clone(),
            who,
            message: Message::Decide { decision: open.decision, vote: Box::new(vote) },
            token,
            kind: "decided",
            decision: Some(u64::from(open.decision.0)),
            choice: Some(choice.name()),
        }
    }

    /// They are at it, or hand it over.
    fn acknowledgement(&mut self, open: &OpenDecision, who: &'static str, other: &'static str, dice: &mut Dice) -> Saying {
        let token = self.token();
        let message = Message::Acknowledge {
            decision: open.decision,
            by: person(who),
            to: dice.one_in(3).then(|| other.to_owned()),
            hold: Duration::from_millis(dice.between(1, 20_000)),
            reason: token.clone(),
        };
        let decision = Some(u64::from(open.decision.0));
        Saying { run: open.run.clone(), who, message, token, kind: "acknowledged", decision, choice: None }
    }

    pub fn meddle(&mut self, run: &RunId, what: Meddling) -> Saying {
        let (token, by) = (self.token(), person("cleo"));
        let reason = token.clone();
        let (kind, message) = match what {
            Meddling::Cancel { undo } => ("cancel_requested", Message::Cancel { by, undo, reason }),
            Meddling::Pause => ("pause_requested", Message::Pause { by, reason }),
            Meddling::Resume => ("resume_requested", Message::Resume { by }),
            Meddling::Note => ("note_added", Message::Note { by, text: reason }),
            Meddling::Undo => ("undo_requested", Message::Undo { by, reason }),
        };
        Saying { run: run.clone(), who: "cleo", message, token, kind, decision: None, choice: None }
    }
}
