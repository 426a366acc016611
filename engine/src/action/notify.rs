//! `notify`: one message to channels of the workspace, all at once. Each channel says for itself whether it took the message;
//! the step succeeds where all did.
//!
//! A retry sends only to the channels that did not take it before. Each delivery carries a key made from the attempt and the
//! channel, so that a receiver that can recognise a repetition of the same attempt does.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use runbook_core::Id;
use runbook_core::expr::{Destination, EvalError, Names, Template};
use runbook_core::limits;
use runbook_core::plan::{HeaderValue, JsonTemplate, SecretSource};
use runbook_core::policy::{Channel, ChannelSpec, Mail};
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::{HttpContent, Task, Work};
use runbook_core::value::{Map, Value, format_duration};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::output::{Recorder, Stream, printable};
use super::{Job, Output, Secrets, child, failure, http, masked};
use crate::hold::Hold;

mod mail;

/// One message on its way to one channel.
struct Delivery {
    /// The id of the attempt.
    attempt: String,
    /// Of this delivery alone: recognises a repetition.
    key: String,
    channel: String,
    subject: String,
    message: String,
    /// `run` in the channel's texts.
    run: Value,
    work: Work,
    root: std::path::PathBuf,
    secrets: Arc<dyn Secrets>,
    output: Shared,
    stop: CancellationToken,
    hold: Hold,
}

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let Task::Notify { to, subject, message } = &job.work.task else { return Err(failure("this work is not a `notify`")) };
    let output = Shared(Arc::new(Mutex::new(job.output)));
    let mut names: Vec<&String> = to.iter().collect();
    names.sort();
    names.dedup();
    let time = limits::CHANNEL_TIMEOUT.min(job.work.timeout);
    let deliveries = names.into_iter().map(|name| {
        let delivery = Delivery {
            attempt: job.id.clone(),
            key: format!("{}/{name}", job.id),
            channel: name.clone(),
            subject: subject.clone(),
            message: message.clone(),
            run: Value::Map(job.facts.clone()),
            work: Work { env: BTreeMap::new(), dir: None, timeout: time, ..job.work.clone() },
            root: job.root.clone(),
            secrets: job.secrets.clone(),
            output: output.clone(),
            stop: job.stop.clone(),
            hold: job.hold.clone(),
        };
        let spec = job.channels.get(name);
        let taken = job.before.get(name).and_then(|entry| entry.get("delivered")) == Some(&Value::Bool(true));
        async move {
            let outcome = if taken { Ok("took it in an earlier attempt".to_owned()) } else { delivery.send(spec).await };
            (name.clone(), outcome)
        }
    });
    let mut result = Map::new();
    let mut troubles = Vec::new();
    for (name, outcome) in join_all(deliveries).await {
        let (arrived, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(why) => (false, why),
        };
        let detail = printable(&masked(&*job.secrets, &detail));
        if !arrived {
            troubles.push(format!("`{name}`: {detail}"));
        }
        let entry = Map::from([("delivered".to_owned(), Value::Bool(arrived)), ("detail".to_owned(), Value::text(detail))]);
        result.insert(name, Value::Map(entry));
    }
    let result = Value::Map(result);
    if troubles.is_empty() {
        return Ok(AttemptEnd::Succeeded { result });
    }
    let failure = failure(format!("not delivered to {}", troubles.join("; ")));
    Ok(if job.stop.is_cancelled() { AttemptEnd::Cancelled { failure, result } } else { AttemptEnd::Failed { failure, result } })
}

impl Delivery {
    async fn send(self, spec: Option<&ChannelSpec>) -> Result<String, String> {
        let Some(spec) = spec else {
            return Err("the workspace has no channel of this name; add it under `channels`, or correct `to`".to_owned());
        };
        self.hold.wait().await;
        // A command ends its own processes, in time of its own.
        match &spec.channel {
            Channel::Log { file } => self.log(file.as_deref()),
            Channel::Command(argv) => self.command(argv).await,
            Channel::Http { url, headers, json } => self.in_time(self.http(spec, url, headers, json)).await,
            Channel::Mail(mail) => self.in_time(self.mail(spec, mail)).await,
        }
    }

    async fn in_time(&self, sending: impl Future<Output = Result<String, String>>) -> Result<String, String> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err("cancelled on its way; it may have arrived".to_owned()),
            outcome = tokio::time::timeout(self.work.timeout, sending) => outcome.unwrap_or_else(|_| {
                Err(format!("not taken within {}; it may have arrived", format_duration(self.work.timeout)))
            }),
        }
    }

    /// One line of JSON at the end of the file, in one write.
    fn log(&self, file: Option<&str>) -> Result<String, String> {
        let Some(file) = file else { return Ok("in the record of the run".to_owned()) };
        let line = serde_json::json!({
            "at": jiff::Timestamp::now().to_string(),
            "key": self.key,
            "channel": self.channel,
            "run": self.run.to_plain_json(),
            "subject": self.subject,
            "message": self.message,
        });
        let place = std::path::Path::new(file);
        let (parent, name) = (place.parent().and_then(|parent| parent.to_str()), place.file_name());
        let name = name.ok_or_else(|| format!("`{}` does not name a file", file.escape_debug()))?;
        let parent = parent.filter(|parent| !parent.is_empty());
        let folder = super::program::directory(&self.root, parent).map_err(|failure| failure.message)?;
        let mut open = std::fs::OpenOptions::new();
        // A pipe that nobody reads is refused, not waited for.
        let opened = open.append(true).create(true).custom_flags(libc::O_NONBLOCK).open(folder.join(name));
        let written = opened.and_then(|mut file| io::Write::write_all(&mut file, format!("{line}\n").as_bytes()));
        written.map_err(|error| format!("`{}` cannot be written: {error}", file.escape_debug()))?;
        Ok(format!("a line in `{file}`"))
    }

    async fn command(&self, argv: &[Template]) -> Result<String, String> {
        let argv = argv.iter().map(|text| self.text(text, Destination::Plain)).collect::<Result<Vec<String>, String>>()?;
        let (name, arguments) = argv.split_first().ok_or("the channel's command is empty")?;
        let job = Job {
            id: self.key.clone(),
            work: self.work.clone(),
            before: Value::Null,
            secrets: self.secrets.clone(),
            output: Box::new(self.output.clone()),
            stop: self.stop.clone(),
            hold: self.hold.clone(),
            root: self.root.clone(),
            programs: Arc::default(),
            facts: Map::new(),
            channels: Arc::default(),
            network: http::NetworkPolicy::Open,
        };
        let program = async {
            let environment = child::environment(&self.attempt, &job.work, &BTreeMap::new(), &*self.secrets).await?;
            let (file, dir) = child::locate(&job, name, &environment)?;
            let input = Some(self.message.clone().into_bytes());
            let program = child::Program { called: name.clone(), file, arguments: arguments.to_vec(), input };
            child::perform(job, program, environment, &dir).await
        };
        match program.await.map_err(|failure| failure.message)? {
            AttemptEnd::Succeeded { .. } => Ok(format!("`{name}` took it")),
            AttemptEnd::Failed { failure, .. } | AttemptEnd::TimedOut { failure, .. } | AttemptEnd::Cancelled { failure, .. } => {
                let last = failure.detail.as_deref().and_then(|detail| detail.lines().next_back());
                Err(last.map_or(failure.message.clone(), |last| format!("{}: {last}", failure.message)))
            }
            AttemptEnd::Unknown { why } => Err(why),
        }
    }

    async fn http(
        &self,
        spec: &ChannelSpec,
        url: &HeaderValue,
        headers: &[(String, HeaderValue)],
        json: &JsonTemplate,
    ) -> Result<String, String> {
        let mut sent = Vec::new();
        for (name, value) in headers {
            let credential = matches!(value, HeaderValue::Secret(_));
            sent.push((name.clone(), self.credential(spec, value, Destination::Plain).await?, credential));
        }
        let request = http::Request {
            method: "POST".to_owned(),
            url: self.credential(spec, url, Destination::Url).await?,
            headers: sent,
            body: Some(HttpContent::Json(self.json(json)?)),
            key: self.key.clone(),
        };
        let prepared = http::prepare(request, &http::NetworkPolicy::Open, self.work.timeout)?;
        let mut response = http::send(prepared).await.map_err(|trouble| match trouble {
            http::Trouble::Unsent(why) => why,
            http::Trouble::Lost(why) => format!("{why}; it may have arrived"),
        })?;
        let status = response.status();
        let mut recorder = Recorder::new(Box::new(self.output.clone()));
        let mut stream = Stream::new(self.secrets.mask());
        while let Ok(Some(chunk)) = response.chunk().await {
            recorder.push(&mut stream, &chunk);
            if stream.bytes() > limits::EVENT_BYTES as u64 {
                break;
            }
        }
        recorder.finish(&mut stream);
        match (status.is_success(), recorder.last_lines()) {
            (true, _) => Ok(format!("the server answered {status}")),
            (false, Some(said)) => Err(format!("the server answered {status}: {}", said.lines().next_back().unwrap_or_default())),
            (false, None) => Err(format!("the server answered {status}")),
        }
    }

    async fn mail(&self, spec: &ChannelSpec, mail: &Mail) -> Result<String, String> {
        let password = match &mail.login {
            Some((_, secret)) => Some(self.secret(spec, secret).await?),
            None => None,
        };
        mail::send(mail, &self.subject, &self.message, &self.key, password.as_ref()).await
    }

    async fn credential(&self, spec: &ChannelSpec, value: &HeaderValue, to: Destination) -> Result<SecretString, String> {
        match value {
            HeaderValue::Text(text) => Ok(SecretString::from(self.text(text, to)?)),
            HeaderValue::Secret(name) => self.secret(spec, name).await,
        }
    }

    async fn secret(&self, spec: &ChannelSpec, name: &Id) -> Result<SecretString, String> {
        let source: &SecretSource =
            spec.secrets.get(name).ok_or_else(|| format!("the channel declares no secret `{name}`; add it under `secrets`"))?;
        self.secrets.fetch(source).await.map_err(|why| format!("the secret `{name}` has no value: {why}"))
    }

    fn text(&self, text: &Template, to: Destination) -> Result<String, String> {
        text.render(to, self).map(|(text, _)| text).map_err(unrendered)
    }

    fn json(&self, json: &JsonTemplate) -> Result<Value, String> {
        Ok(match json {
            JsonTemplate::Value(value) => value.clone(),
            JsonTemplate::Text(text) => text.value(self).map_err(unrendered)?,
            JsonTemplate::List(items) => Value::List(items.iter().map(|item| self.json(item)).collect::<Result<_, _>>()?),
            JsonTemplate::Map(entries) => {
                Value::Map(entries.iter().map(|(key, value)| Ok((key.clone(), self.json(value)?))).collect::<Result<_, String>>()?)
            }
        })
    }
}

/// What is wrong with a text of the channel, and where in the workspace it stands.
fn unrendered(error: EvalError) -> String {
    format!("{} ({})", error.message, error.at.in_workspace())
}

impl Names for Delivery {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        match (root, member) {
            ("message", _) => Ok(Value::text(self.message.as_str())),
            ("subject", _) => Ok(Value::text(self.subject.as_str())),
            ("channel", _) => Ok(Value::text(self.channel.as_str())),
            ("run", None) => Ok(self.run.clone()),
            ("run", Some(member)) => {
                self.run.get(member).cloned().ok_or_else(|| format!("`run.{member}` is not known to a channel"))
            }
            _ => Err(format!("`{root}` is not known to a channel; it has `message`, `subject`, `channel` and `run`")),
        }
    }
}

/// One log for all channels of the attempt.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Output + Send>>>);

impl Output for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
}

#[cfg(test)]
mod tests;
