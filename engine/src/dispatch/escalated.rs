//! Tells people that a trigger has reached its `limit`, where that says `then: escalate`: over the channels of the procedure's escalation
//! itself, or of its first step that has any, as an escalation of a decision tells. It is written into the ruling what became of that; where that says nothing, because
//! whoever told them has died, they are told by whoever dispatches next. Nothing waits for it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::effect::Effect;
use runbook_core::run::event::AttemptEnd;
use runbook_core::run::task::{News, Task, Work};
use runbook_core::trigger::{Drop, Ruling};
use runbook_core::value::{Map, Value, format_duration};
use runbook_core::{Plan, limits};
use tokio_util::sync::CancellationToken;

use super::{Decision, Dispatch, DispatchError, Done, Judged};
use crate::action::{self, Job, NetworkPolicy, Output, Programs};
use crate::driver::local::PlanSecrets;
use crate::hold::Hold;
use crate::intake::Arrived;
use crate::secret::SecretStore;

/// Where the secrets of channels are looked for.
#[derive(Debug, Default)]
pub struct Teller {
    /// The folder of the user's settings.
    pub settings: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
}

/// What a channel prints is nobody's.
struct Nowhere;

impl Output for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

impl Dispatch {
    /// Sends what people are to be told, unless it is on its way, or as many are as may be.
    pub(super) fn escalate(&mut self, ruling: Ruling) -> Result<(), DispatchError> {
        let key = (ruling.event, ruling.trigger.clone());
        if self.messages.len() >= limits::ESCALATIONS_TOLD || self.telling.contains(&key) {
            return Ok(());
        }
        let arrived = self.around.intake.event(ruling.event)?;
        let message = self.message(&ruling, arrived.as_ref());
        self.telling.insert(key);
        self.messages.spawn(async move {
            let what = match message {
                Ok((job, channels)) => told(action::perform(job).await, &channels),
                Err(why) => format!("nobody is told: {why}"),
            };
            ruling.told(what)
        });
        Ok(())
    }

    /// Writes down what became of messages.
    pub(super) async fn note_told(&mut self, all: &mut Vec<Done>) -> Result<(), DispatchError> {
        while let Some(told) = self.messages.try_join_next() {
            // One that was lost in a fault of ours is sent again by the next process.
            let Ok(ruling) = told else { continue };
            self.telling.remove(&(ruling.event, ruling.trigger.clone()));
            if let Decision::Dropped(Drop::OverLimit { told: Some(what), .. }) = &ruling.decision {
                all.push(Done::Told { event: ruling.event, what: what.clone() });
            }
            self.write(Judged { rulings: vec![ruling], ..Judged::default() }).await?;
        }
        Ok(())
    }

    /// Waits until all messages that were begun have come to something, and writes that down.
    pub async fn finish_telling(&mut self) -> Result<Vec<Done>, DispatchError> {
        let mut all = Vec::new();
        while !self.messages.is_empty() {
            tokio::time::sleep(limits::STORE_POLL).await;
            self.note_told(&mut all).await?;
        }
        Ok(all)
    }

    fn message(&self, ruling: &Ruling, arrived: Option<&Arrived>) -> Result<(Job, Vec<String>), String> {
        let arrived = arrived.ok_or("the event is no longer there")?;
        let trigger = self.judge.trigger(&ruling.trigger).ok_or("the trigger is no longer there")?;
        let reading =
            trigger.read(&arrived.event, &arrived.event.to_value(), arrived.received).map_err(|error| error.to_string())?;
        let plan = self.served.plan(trigger, reading.environment.as_deref())?;
        let escalation = plan.main().escalation.as_ref();
        let of_steps = escalation.into_iter().flat_map(|escalation| &escalation.rungs).map(|rung| &rung.channels);
        let channels = escalation.map(|escalation| &escalation.channels).into_iter().chain(of_steps).find(|all| !all.is_empty());
        let channels = channels.ok_or("the escalation has no channels")?.clone();
        let (main, limit) = (plan.main(), trigger.limit.ok_or("the trigger has no limit any more")?);
        let (name, per) = (&main.name, format_duration(limit.per));
        let owner = main.owner.as_ref().map(|owner| format!("owner: {owner}\n")).unwrap_or_default();
        let message = format!(
            "{name} {} is not started for event {} of {} about {}: its trigger `{}` may start {} runs in {per}. Events beyond that are dropped; of others \
             within {per} there is no message.\n\n{owner}runbook events {}",
            ruling.version, ruling.event, arrived.source, ruling.keys.about, ruling.trigger, limit.runs, ruling.event,
        );
        let task = Task::Notify {
            to: channels.clone(),
            subject: format!("{name} is not started: over its limit"),
            message,
            news: News::New,
        };
        let work = Work {
            title: "escalation of a limit".to_owned(),
            task,
            effect: Effect::Change,
            env: BTreeMap::new(),
            dir: None,
            timeout: limits::DELIVERY_TIME,
        };
        let Teller { settings, environment } = &*self.around.teller;
        let root = self.served.root().to_owned();
        let store = Arc::new(SecretStore::new(&root, settings, environment.iter().cloned()));
        let job = Job {
            // The same wherever it is sent again.
            id: format!("{}/~limit/1", ruling.keys.run),
            work,
            before: Value::Null,
            facts: facts(&plan, ruling, &arrived.source),
            channels: Arc::new(plan.policy.channels.clone()),
            secrets: Arc::new(PlanSecrets { plan, store }),
            output: Box::new(Nowhere),
            stop: CancellationToken::new(),
            hold: Hold::default(),
            root,
            programs: Arc::<Programs>::default(),
            network: NetworkPolicy::Open,
        };
        Ok((job, channels))
    }
}

/// `run` as the texts of channels see it: there is none, and what it would have been is told.
fn facts(plan: &Plan, ruling: &Ruling, source: &str) -> Map {
    let environment = plan.policy.environment.as_ref().map_or(Value::Null, |environment| Value::text(environment.name.as_str()));
    Map::from([
        ("id".to_owned(), Value::Null),
        ("name".to_owned(), Value::text(ruling.trigger.procedure.as_str())),
        ("version".to_owned(), Value::text(ruling.version.to_string())),
        ("environment".to_owned(), environment),
        (
            "url".to_owned(),
            plan.policy.url.as_ref().map_or(Value::Null, |url| Value::text(format!("{url}/event/{}", ruling.event))),
        ),
        ("requested_by".to_owned(), Value::text(source)),
    ])
}

fn told(end: AttemptEnd, channels: &[String]) -> String {
    match end {
        AttemptEnd::Succeeded { .. } => format!("told {}", channels.join(", ")),
        AttemptEnd::Failed { failure, .. } | AttemptEnd::TimedOut { failure, .. } | AttemptEnd::Cancelled { failure, .. } => {
            format!("people were to be told: {}", failure.message)
        }
        AttemptEnd::Unknown { why } => format!("people were to be told, and nobody knows whether it arrived: {why}"),
    }
}
