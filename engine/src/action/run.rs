//! `run`: a shell script. Its text never holds a value; values stand in the environment under the names that the text uses,
//! so that the text may be an argument without anything secret or hostile being in it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use runbook_core::document::step::Shell;
use runbook_core::limits;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::Task;

use super::child::{self, Program};
use super::{Job, failure};

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let Task::Run { shell, script, values } = &job.work.task else { return Err(failure("this work is not a `run`")) };
    let (name, options): (&str, &[&str]) = match shell {
        Shell::Sh => ("sh", &["-eu"]),
        Shell::Bash => ("bash", &["-eu", "-o", "pipefail"]),
    };
    if script.contains('\0') {
        return Err(failure("the script holds a NUL byte, which no shell reads; remove it"));
    }
    let environment = child::environment(&job.id, &job.work, values, &*job.secrets).await?;
    let (file, dir) = child::locate(&job, name, &environment)?;
    let mut arguments: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let _kept_until_the_end = if script.len() < limits::ARGUMENT_BYTES {
        arguments.extend(["-c".to_owned(), script.clone(), name.to_owned()]);
        None
    } else {
        let copy = ScriptFile::write(script)?;
        arguments.extend(["--".to_owned(), copy.path.display().to_string()]);
        Some(copy)
    };
    child::perform(job, Program { called: name.to_owned(), file, arguments, input: None }, environment, &dir).await
}

/// A script too long for an argument, in a file that only this user reads and that goes with the attempt.
struct ScriptFile {
    path: PathBuf,
}

impl ScriptFile {
    fn write(script: &str) -> Result<ScriptFile, Failure> {
        let path = std::env::temp_dir().join(format!("runbook-{:032x}.sh", rand::random::<u128>()));
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(script.as_bytes())
        };
        write().map_err(|error| {
            failure(format!("the script, too long for an argument, could not be written to `{}`: {error}", path.display()))
        })?;
        Ok(ScriptFile { path })
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
