//! Events that are old, and on which nothing more depends, go whole, with what was decided on them. The runs that they started keep what
//! they need of them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::value::format_duration;
use serde::Serialize;

use super::{Keeper, Retention, RetentionError};
use crate::intake::Intake;
use crate::keeping::Keeping;
use crate::report::listed;

/// Events that are read, written and let go of at once: a server that takes events in meanwhile waits for no more.
const AT_ONCE: usize = 500;

/// Which events go, or went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GoneEvents {
    pub events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

impl GoneEvents {
    fn add(&mut self, number: u64) {
        self.events += 1;
        self.first.get_or_insert(number);
        self.last = Some(number);
    }
}

impl Keeper<'_> {
    /// How many events would go. Nothing is changed.
    pub fn foresee_events(&self, intake: &Intake, before: Timestamp) -> Result<GoneEvents, RetentionError> {
        let mut gone = GoneEvents::default();
        self.each_old(intake, before, |numbers, _| {
            numbers.iter().for_each(|number| gone.add(*number));
            Ok(())
        })?;
        Ok(gone)
    }

    /// Lets them go. What a process that was stopped has not let go of, the next does.
    pub fn prune_events(&self, intake: &Intake, before: Timestamp, retention: &Retention) -> Result<GoneEvents, RetentionError> {
        let _alone =
            Keeping::alone(self.store.handle()).map_err(RetentionError::Lock)?.ok_or(RetentionError::Busy(super::AT_WORK))?;
        let mut gone = GoneEvents::default();
        let (mut copy, mut begun) = (None, false);
        self.each_old(intake, before, |numbers, lines| {
            if !begun {
                begun = true;
                self.write("prune_events", None, "begun", &format!("received before {before}"))?;
            }
            if let Some(folder) = &retention.export {
                if copy.is_none() {
                    copy = Some(Copy::new(folder, self.now)?);
                }
                copy.as_mut().map_or(Ok(()), |copy| copy.add(lines))?;
            }
            intake.forget(numbers.to_vec(), before).wait()?.into_iter().for_each(|number| gone.add(number));
            Ok(())
        })?;
        if begun {
            self.write("prune_events", None, "done", &format!("{} events", gone.events))?;
        }
        Ok(gone)
    }

    /// Their numbers and what is listed of them, so many at once.
    fn each_old(
        &self,
        intake: &Intake,
        before: Timestamp,
        mut visit: impl FnMut(&[u64], &str) -> Result<(), RetentionError>,
    ) -> Result<(), RetentionError> {
        let needed = intake.looked_back()?;
        if self.now.checked_sub(needed).is_ok_and(|needed_from| before > needed_from) {
            return Err(RetentionError::Needed(format_duration(needed)));
        }
        let mut after = 0;
        loop {
            let found = intake.old(before, after, AT_ONCE)?;
            if !found.events.is_empty() {
                let numbers: Vec<u64> = found.events.iter().map(|event| event.number).collect();
                let mut lines = String::new();
                for event in &found.events {
                    lines.push_str(&crate::database::to_json(&listed::Event::of(event))?);
                    lines.push('\n');
                }
                visit(&numbers, &lines)?;
            }
            match found.last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// A file into which all goes before it goes: as much as was written into it is gone, or still there.
struct Copy {
    path: PathBuf,
    file: File,
}

impl Copy {
    fn new(folder: &Path, now: Timestamp) -> Result<Copy, RetentionError> {
        let path = folder.join(format!("events-{}.jsonl", now.strftime("%Y%m%dT%H%M%S.%3fZ")));
        let made = || {
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            File::open(folder)?.sync_all()?;
            Ok(file)
        };
        match made() {
            Ok(file) => Ok(Copy { path, file }),
            Err(why) => Err(RetentionError::Export { path, why }),
        }
    }

    fn add(&mut self, lines: &str) -> Result<(), RetentionError> {
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|why| RetentionError::Export { path: self.path.clone(), why })
    }
}
