//! Events that runs wait for. Which runs may, the journal says; whether an event ends a wait, and of which step, the run does, once it is told.
//!
//! An event is offered to the runs whose waits it fits in the same commit that says it was judged; one that came before a step began to
//! wait, once the step is seen to. Offers are carried out in the order of their events, as what decisions ask for is: an offer that was
//! made is neither forgotten nor, since the run knows what it has heard, taken twice.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::run::listen::{Ear, Occurrence};
use runbook_core::trigger::Decision;
use runbook_core::{RunId, limits, ticks};

use super::{Around, Dispatch, DispatchError, Done, is_of_the_store};
use crate::intake::{Arrived, Offer};
use crate::journal::{Awaited, AwaitedFilter, JournalError};
use crate::message::{Answer, Message};
use crate::session;

impl Dispatch {
    /// To which runs events are offered that are being judged.
    pub(super) fn offers(&self, arrived: &[Arrived]) -> Result<Vec<Offer>, DispatchError> {
        let mut waits: BTreeMap<&str, Vec<Awaited>> = BTreeMap::new();
        for source in arrived.iter().map(|arrived| arrived.source.as_str()).collect::<BTreeSet<_>>() {
            let of_source = self.around.journal.awaited(&AwaitedFilter::of(source))?;
            if !of_source.is_empty() {
                waits.insert(source, of_source);
            }
        }
        let mut ears: BTreeMap<&str, Vec<(&RunId, Ear<'_>)>> = BTreeMap::new();
        for (source, waits) in &waits {
            ears.insert(source, waits.iter().map(|wait| (&wait.run, wait.listening.ear())).collect());
        }
        let mut offers = Vec::new();
        for arrived in arrived {
            let Some(ears) = ears.get(arrived.source.as_str()).filter(|_| counts(arrived)) else { continue };
            let value = arrived.event.to_value();
            let fits = |ear: &Ear<'_>| ear.fits(&arrived.source, &value, arrived.received);
            let runs: BTreeSet<&RunId> = ears.iter().filter(|(_, ear)| fits(ear)).map(|(run, _)| *run).collect();
            offers.extend(runs.into_iter().map(|run| Offer::new(arrived.number, run.clone())));
        }
        Ok(offers)
    }

    /// What came before steps began to wait that nobody has looked at yet, and up to which of them that goes.
    pub(super) fn earlier(&mut self) -> Result<(Vec<Offer>, Option<u64>), DispatchError> {
        let gone = match self.gone_through {
            Some(gone) => gone,
            None => self.around.intake.gone_through()?,
        };
        self.gone_through = Some(gone);
        let filter = AwaitedFilter { after: gone.waits, limit: limits::WAITS_TOGETHER, ..AwaitedFilter::all() };
        let new = self.around.journal.awaited(&filter)?;
        let mut offers = Vec::new();
        for wait in &new {
            offers.extend(self.earlier_for(wait, gone.above)?);
        }
        Ok((offers, new.last().map(|last| last.place)))
    }

    fn earlier_for(&self, wait: &Awaited, above: u64) -> Result<Vec<Offer>, DispatchError> {
        let (source, since) = (&wait.listening.task.source, wait.listening.since);
        let intake = &self.around.intake;
        let mut next = intake.first_since(source, since, limits::AWAITED_BACK)?.map(|first| first.max(above + 1));
        let (mut offers, ear) = (Vec::new(), wait.listening.ear());
        while let Some(from) = next {
            let page = intake.judged_from(source, from, limits::RECORDS_PAGE)?;
            for arrived in &page {
                let starts = arrived.rulings.iter().any(|ruling| ruling.decision == Decision::Ran { run: wait.run.clone() });
                if !starts && counts(arrived) && ear.fits(source, &arrived.event.to_value(), arrived.received) {
                    offers.push(Offer::new(arrived.number, wait.run.clone()));
                }
            }
            // It takes one; others that wait in the run may take some before.
            let is_enough = offers.len() >= limits::AWAITED_OFFERS;
            next = page.last().map(|last| last.number + 1).filter(|_| !is_enough && page.len() == limits::RECORDS_PAGE);
        }
        Ok(offers)
    }

    /// Tells runs of the events that were offered to them.
    pub(super) async fn bring(&mut self, all: &mut Vec<Done>) -> Result<(), DispatchError> {
        let mut last = None;
        loop {
            let offered = self.around.intake.offered(last.as_ref(), limits::JUDGED_TOGETHER)?;
            last = offered.last().cloned();
            if last.is_none() {
                return Ok(());
            }
            for offer in offered {
                match self.told(&offer).await {
                    Ok(ended) => {
                        all.extend(ended.then(|| Done::Heard { run: offer.run.clone(), event: offer.event }));
                        self.around.intake.answered(offer, ended).await?;
                    }
                    Err(error) if is_of_the_store(&error) => return Err(error),
                    Err(error) => all.push(Done::Failed { run: offer.run, why: error.to_string() }),
                }
            }
        }
    }

    /// Whether the event ended a wait of the run.
    async fn told(&self, offer: &Offer) -> Result<bool, DispatchError> {
        let Around { intake, journal, clock, owner, .. } = self.around.clone();
        let Some(Arrived { number, source, received, event, .. }) = intake.event(offer.event)? else { return Ok(false) };
        if !offer.is_told {
            // Of many events one was enough.
            let waits = AwaitedFilter { run: Some(offer.run.clone()), limit: 1, ..AwaitedFilter::of(&source) };
            if journal.awaited(&waits)?.is_empty() {
                return Ok(false);
            }
            intake.tell(offer.clone()).await?;
        }
        let occurrence = Box::new(Occurrence { source, number, received, event });
        match session::deliver(journal, clock, owner, &offer.run, Message::Event { occurrence }).await {
            Ok(Answer::Accepted { .. }) => Ok(true),
            Ok(Answer::Refused { why }) => {
                tracing::debug!(run = %offer.run, event = number, why, "an event ends no wait");
                Ok(false)
            }
            Err(session::SessionError::Journal(JournalError::NoRun(_))) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether an event may end a wait: not one that may have been judged elsewhere, nor what only tells of ticks at which nobody was there.
fn counts(arrived: &Arrived) -> bool {
    !arrived.restored && ticks::missed(&arrived.event).is_none()
}
