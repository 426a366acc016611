//! The runs of a server, read as those of a journal are: each page is a request.

use runbook_core::{Digest, RunId, limits};
use runbook_engine::journal::{Anchor, Archive, DecisionFilter, JournalError, OpenDecision, Pruned, Record, RunFilter, RunRow};
use runbook_engine::report::listed;

use super::wire::Ask;
use super::{Failure, Remote};

impl Remote {
    fn one(&self, run: &RunId) -> Result<listed::OneRun, JournalError> {
        let ask = Ask::get(["runs", run.as_str()]);
        let found = Failure::absent(self.wait(|wire| async move { wire.json(ask).await }))?;
        found.ok_or_else(|| JournalError::NoRun(run.to_string()))
    }
}

impl Archive for Remote {
    fn run(&self, run: &RunId) -> Result<RunRow, JournalError> {
        Ok(self.one(run)?.run.into_row(self.address()))
    }

    fn plan(&self, digest: &Digest) -> Result<String, JournalError> {
        let ask = Ask::get(["plans", digest.as_str()]);
        let found = Failure::absent(self.wait(|wire| async move { wire.text(ask).await }))?;
        found.map(|(text, _)| text).ok_or_else(|| JournalError::NoPlan(digest.clone()))
    }

    fn records(&self, run: &RunId, from: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let ask = Ask::get(["runs", run.as_str(), "records"]);
        // One page, which is no longer than what an answer may hold.
        let limit = limit.min(limits::REPLAY_PAGE);
        let first = Some(from.max(1).to_string());
        let lines = Failure::absent(self.wait(|wire| async move { wire.lines(ask, "from", first, limit).await }))?;
        let lines = lines.ok_or_else(|| JournalError::NoRun(run.to_string()))?;
        let read = |line: &String| {
            Record::from_line(line).map_err(|why| JournalError::Damaged { what: format!("a record of run {run}: {why}") })
        };
        lines.iter().map(read).collect()
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        let RunFilter { procedure, environment, requested_by, phase, unfinished, like, before, limit } = filter.clone();
        let ask = Ask::get(["runs"])
            .with("procedure", procedure.as_ref().map(|name| name.as_str()))
            .with("environment", environment.as_deref())
            .with("requested_by", requested_by.as_deref())
            .with("phase", phase.map(|phase| phase.as_str()))
            .with("open", unfinished.then_some("true"))
            .with("like", like.as_deref());
        let before = before.map(|before| before.to_string());
        let found: Vec<listed::Run> = self.wait(|wire| async move { wire.list(ask, "before", before, limit).await })?;
        Ok(found.into_iter().map(|run| run.into_row(self.address())).collect())
    }

    fn open_decisions(&self, filter: &DecisionFilter) -> Result<Vec<OpenDecision>, JournalError> {
        let DecisionFilter { run, after, limit } = filter.clone();
        let ask = Ask::get(["decisions"]).with("run", run.as_ref().map(RunId::as_str));
        let after = after.map(|(run, decision)| format!("{run}.{}", decision.0));
        let found: Vec<listed::Decision> = self.wait(|wire| async move { wire.list(ask, "after", after, limit).await })?;
        Ok(found.into_iter().map(listed::Decision::into_open).collect())
    }

    fn anchors(&self, run: &RunId) -> Result<Vec<Anchor>, JournalError> {
        Ok(self.one(run)?.anchors)
    }

    fn pruned(&self, run: &RunId) -> Result<Option<Pruned>, JournalError> {
        Ok(self.one(run)?.pruned)
    }
}
