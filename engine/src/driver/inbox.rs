//! Messages to a run that is being driven: votes, cancellations, pauses, notes, from this terminal and from other
//! processes, and the decisions that were made ahead.

use runbook_core::DecisionId;
use runbook_core::run::decision::Verdict;
use runbook_core::run::event::Fact;

use super::Driver;
use crate::ahead;
use crate::message::{Answer, Message};
use crate::session::SessionError;

impl Driver<'_> {
    /// Takes what has come in since the last look. True where something was recorded.
    pub(super) async fn read_inbox(&mut self) -> Result<bool, SessionError> {
        let version = self.session.journal().version()?;
        if version == self.seen {
            return Ok(false);
        }
        self.seen = version;
        let letters = self.session.letters()?;
        if letters.is_empty() {
            return Ok(false);
        }
        for letter in letters {
            let answer = self.take_message(letter.message)?;
            self.session.reply(letter.id, answer);
        }
        self.must_sync = true;
        self.rest().await?;
        Ok(true)
    }

    /// Records what a message asks for, where it is allowed.
    pub(super) fn take_message(&mut self, message: Message) -> Result<Answer, SessionError> {
        let received = self.session.receive(message)?;
        self.queue.extend(received.commands);
        self.must_sync = true;
        Ok(received.answer)
    }

    /// Takes the votes that were cast before they were asked for, as many as fit and as are needed. True where something was
    /// recorded.
    pub(super) async fn decided_ahead(&mut self) -> Result<bool, SessionError> {
        let before = self.session.run().seq();
        while let Some(decision) = self.asked.front().copied() {
            if !self.decide_ahead(decision).await? {
                self.asked.pop_front();
            }
        }
        Ok(self.session.run().seq() > before)
    }

    /// True where another vote may follow.
    async fn decide_ahead(&mut self, decision: DecisionId) -> Result<bool, SessionError> {
        let now = self.session.now();
        let found = ahead::vote_for(self.session.run(), decision, &**self.session.journal(), now)?;
        let Some((used, vote)) = found else { return Ok(false) };
        let verdict = self.session.run().check_vote(decision, &vote);
        let Ok(Verdict::Record(fact)) = verdict else { return Ok(false) };
        if !matches!(fact, Fact::Decided { .. }) {
            self.record(fact)?;
            return Ok(false);
        }
        // Another run may have spent the last use meanwhile.
        if !self.session.use_ahead(used).await? {
            return Ok(true);
        }
        // Spending it took time, and neither a question nor an approval outlives its own. The use is lost then.
        let now = self.session.now();
        self.fire_due(now)?;
        let in_time = vote.terms.as_ref().is_some_and(|terms| now < terms.expires);
        if in_time && self.session.run().decision(decision).is_some_and(|asked| asked.is_open()) {
            self.record(fact)?;
        }
        Ok(true)
    }
}
