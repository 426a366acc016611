//! `exec`: a program with arguments, no shell. Each value is one argument, byte for byte.

use std::collections::BTreeMap;

use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::Task;

use super::child::{self, Program};
use super::{Job, failure};

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let Task::Exec { argv } = &job.work.task else { return Err(failure("this work is not an `exec`")) };
    let Some((name, arguments)) = argv.split_first() else {
        return Err(failure("`exec` names no program; write it as the first argument"));
    };
    let environment = child::environment(&job.id, &job.work, &BTreeMap::new(), &*job.secrets).await?;
    let (file, dir) = child::locate(&job, name, &environment)?;
    let program = Program { called: name.clone(), file, arguments: arguments.to_vec(), input: None };
    child::perform(job, program, environment, &dir).await
}
