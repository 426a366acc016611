//! `notify`: one message to channels of the workspace, all at once. Each channel says for itself whether it took the message;
//! the step succeeds where all did.
//!
//! A message is sent anew, with pauses that grow, only where that cannot double it: nothing arrived, the receiver said to come later,
//! or it knows a repetition by its key. What may have arrived is said to be unknown, and is not sent again, not by a retry of the
//! step either. A retry sends only to the channels that did not take it before. Each delivery carries a key made from the attempt
//! and the channel, so that a receiver that can recognise a repetition of the same attempt does.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use runbook_core::Id;
use runbook_core::expr::{Destination, EvalError, Names, Template};
use runbook_core::limits;
use runbook_core::plan::{HeaderValue, JsonTemplate, SecretSource};
use runbook_core::policy::{Channel, ChannelSpec, Mail};
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::{HttpContent, News, Task, Work};
use runbook_core::value::{Map, Value, format_duration};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::output::{Recorder, Stream, printable};
use super::{Job, Output, Secrets, child, failure, http, masked};
use crate::hold::Hold;

mod mail;
mod service;

/// Why a message was not taken.
enum Trouble {
    /// Nothing arrived, or it was turned away for now, perhaps with the time after which to come again.
    Later { why: String, after: Option<Duration> },
    /// It will not be taken.
    Refused(String),
    /// It may have been taken.
    Lost(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Refused(why)
    }
}

/// A message that did not arrive, or of which nobody knows.
struct Undelivered {
    why: String,
    unknown: bool,
}

/// How long, and with which pauses, a message is sent anew.
#[derive(Clone, Copy)]
struct Pace {
    each: Duration,
    whole: Duration,
    first: Duration,
    longest: Duration,
    /// What it takes to find out that nobody is there: with less time left it is not sent again, for it would not be known whether it
    /// arrived.
    connect: Duration,
}

/// One message on its way to one channel.
struct Delivery {
    /// The id of the attempt.
    attempt: String,
    /// Of this delivery alone: recognises a repetition.
    key: String,
    channel: String,
    subject: String,
    message: String,
    news: News,
    /// `run` in the channel's texts.
    run: Value,
    work: Work,
    root: std::path::PathBuf,
    secrets: Arc<dyn Secrets>,
    output: Shared,
    stop: CancellationToken,
    hold: Hold,
    pace: Pace,
}

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let (first, longest) = limits::DELIVERY_PAUSE;
    let (each, whole) = (limits::CHANNEL_TIMEOUT.min(job.work.timeout), limits::DELIVERY_TIME.min(job.work.timeout));
    // As the client of HTTP has it.
    let connect = limits::HTTP_CONNECT.min(each / 2);
    perform_at(job, Pace { each, whole, first, longest, connect }).await
}

async fn perform_at(job: Job, pace: Pace) -> Result<AttemptEnd, Failure> {
    let Task::Notify { to, subject, message, news } = &job.work.task else { return Err(failure("this work is not a `notify`")) };
    let output = Shared(Arc::new(Mutex::new(job.output)));
    let mut names: Vec<&String> = to.iter().collect();
    names.sort();
    names.dedup();
    let deliveries = names.into_iter().map(|name| {
        let delivery = Delivery {
            attempt: job.id.clone(),
            key: format!("{}/{name}", job.id),
            channel: name.clone(),
            subject: subject.clone(),
            message: message.clone(),
            news: *news,
            run: Value::Map(job.facts.clone()),
            work: Work { env: BTreeMap::new(), dir: None, timeout: pace.each, ..job.work.clone() },
            root: job.root.clone(),
            secrets: job.secrets.clone(),
            output: output.clone(),
            stop: job.stop.clone(),
            hold: job.hold.clone(),
            pace,
        };
        let spec = job.channels.get(name);
        let before = |member: &str| job.before.get(name).and_then(|entry| entry.get(member)) == Some(&Value::Bool(true));
        let (taken, unknown) = (before("delivered"), before("unknown"));
        async move {
            let outcome = if taken {
                Ok("took it in an earlier attempt".to_owned())
            } else if unknown && !spec.is_some_and(|spec| knows_repetitions(&spec.channel)) {
                let why = "it may have arrived in an earlier attempt, and is not sent twice; look there".to_owned();
                Err(Undelivered { why, unknown })
            } else {
                delivery.send(spec).await
            };
            (name.clone(), outcome)
        }
    });
    let mut result = Map::new();
    let mut troubles = Vec::new();
    for (name, outcome) in join_all(deliveries).await {
        let (arrived, unknown, detail) = match outcome {
            Ok(detail) => (true, false, detail),
            Err(Undelivered { why, unknown }) => (false, unknown, why),
        };
        let detail = printable(&masked(&*job.secrets, &detail));
        if !arrived {
            troubles.push(format!("`{name}`: {detail}"));
        }
        let mut entry = Map::from([("delivered".to_owned(), Value::Bool(arrived)), ("detail".to_owned(), Value::text(detail))]);
        if unknown {
            entry.insert("unknown".to_owned(), Value::Bool(true));
        }
        result.insert(name, Value::Map(entry));
    }
    let result = Value::Map(result);
    if troubles.is_empty() {
        return Ok(AttemptEnd::Succeeded { result });
    }
    let failure = failure(format!("not delivered to {}", troubles.join("; ")));
    Ok(if job.stop.is_cancelled() { AttemptEnd::Cancelled { failure, result } } else { AttemptEnd::Failed { failure, result } })
}

/// Whether the same message is told once there, however often it is sent, and shown until it is said to be over.
pub fn knows_repetitions(channel: &Channel) -> bool {
    matches!(channel, Channel::Pagerduty(_))
}

impl Delivery {
    async fn send(self, spec: Option<&ChannelSpec>) -> Result<String, Undelivered> {
        let known = |why: String| Undelivered { why, unknown: false };
        let Some(spec) = spec else {
            return Err(known("the workspace has no channel of this name; add it under `channels`, or correct `to`".to_owned()));
        };
        let knows = knows_repetitions(&spec.channel);
        // A program that gives one may take its time, and nothing is sent before it has.
        for name in spec.secrets.keys() {
            let fetched = tokio::select! {
                biased;
                () = self.stop.cancelled() => Err("cancelled before it was sent".to_owned()),
                fetched = tokio::time::timeout(self.pace.each, self.secret(spec, name)) => {
                    let late = || format!("the secret `{name}` did not come within {}", format_duration(self.pace.each));
                    fetched.unwrap_or_else(|_| Err(late()))
                }
            };
            fetched.map_err(known)?;
        }
        let begun = tokio::time::Instant::now();
        let (mut pause, mut times, mut lost) = (self.pace.first, 0u32, false);
        loop {
            self.hold.wait().await;
            let left = self.pace.whole.saturating_sub(begun.elapsed()).min(self.pace.each);
            if self.stop.is_cancelled() {
                return Err(Undelivered { why: "cancelled before it was sent".to_owned(), unknown: lost });
            }
            // Whoever waited may have slept.
            if times > 0 && left < self.pace.connect {
                return Err(Undelivered { why: "no time was left to send it again".to_owned(), unknown: lost });
            }
            times += 1;
            let again = if times > 1 { format!(", at try {times}") } else { String::new() };
            // A command ends its own processes, in time of its own.
            let sent = match &spec.channel {
                Channel::Log { file } => self.log(file.as_deref()).map_err(Trouble::Refused),
                Channel::Command(argv) => self.command(argv).await,
                _ => self.in_time(left, self.over_the_network(spec)).await,
            };
            let (why, after) = match sent {
                Ok(detail) => return Ok(detail + &again),
                Err(Trouble::Refused(why)) => return Err(Undelivered { why, unknown: lost }),
                Err(Trouble::Lost(why)) if !knows || self.stop.is_cancelled() => {
                    return Err(Undelivered { why: format!("{why}; it may have arrived"), unknown: true });
                }
                Err(Trouble::Lost(why)) => {
                    lost = true;
                    (why, None)
                }
                Err(Trouble::Later { why, after }) => (why, after),
            };
            // Never at once, whatever the receiver says.
            let wait = after.unwrap_or(pause).max(self.pace.first);
            pause = pause.saturating_mul(2).min(self.pace.longest);
            if begun.elapsed().saturating_add(wait).saturating_add(self.pace.connect) >= self.pace.whole {
                let asked = after.map(|after| format!(", and asks for {} of patience", format_duration(after))).unwrap_or_default();
                let sent = if times == 1 { "sent once".to_owned() } else { format!("sent {times} times") };
                return Err(Undelivered { why: format!("{why}{asked}; {sent}, and given up"), unknown: lost });
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    return Err(Undelivered { why: format!("{why}; cancelled before it was sent again"), unknown: lost });
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn in_time(&self, time: Duration, sending: impl Future<Output = Result<String, Trouble>>) -> Result<String, Trouble> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Trouble::Lost("cancelled on its way".to_owned())),
            outcome = tokio::time::timeout(time, sending) => {
                outcome.unwrap_or_else(|_| Err(Trouble::Lost(format!("not taken within {}", format_duration(time)))))
            }
        }
    }

    async fn over_the_network(&self, spec: &ChannelSpec) -> Result<String, Trouble> {
        match &spec.channel {
            Channel::Http { url, headers, json } => self.http(spec, url, headers, json).await,
            Channel::Mail(mail) => self.mail(spec, mail).await,
            Channel::Slack(chat) => self.slack(spec, chat).await,
            Channel::Teams(chat) => self.teams(spec, chat).await,
            Channel::Ntfy(ntfy) => self.ntfy(spec, ntfy).await,
            Channel::Pagerduty(duty) => self.pagerduty(spec, duty).await,
            Channel::Log { .. } | Channel::Command(_) => Err(Trouble::Refused("this channel is of this machine".to_owned())),
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

    async fn command(&self, argv: &[Template]) -> Result<String, Trouble> {
        let argv = argv.iter().map(|text| self.text(text, Destination::Plain)).collect::<Result<Vec<String>, String>>()?;
        let (name, arguments) = argv.split_first().ok_or_else(|| "the channel's command is empty".to_owned())?;
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
        let said = |failure: Failure| {
            let last = failure.detail.as_deref().and_then(|detail| detail.lines().next_back());
            last.map_or(failure.message.clone(), |last| format!("{}: {last}", failure.message))
        };
        match program.await.map_err(|failure| failure.message)? {
            AttemptEnd::Succeeded { .. } => Ok(format!("`{name}` took it")),
            AttemptEnd::Failed { failure, .. } => Err(Trouble::Refused(said(failure))),
            // What it has done until then, nobody knows.
            AttemptEnd::TimedOut { failure, .. } | AttemptEnd::Cancelled { failure, .. } => Err(Trouble::Lost(said(failure))),
            AttemptEnd::Unknown { why } => Err(Trouble::Lost(why)),
        }
    }

    async fn http(
        &self,
        spec: &ChannelSpec,
        url: &HeaderValue,
        headers: &[(String, HeaderValue)],
        json: &JsonTemplate,
    ) -> Result<String, Trouble> {
        let mut sent = Vec::new();
        for (name, value) in headers {
            let credential = matches!(value, HeaderValue::Secret(_));
            sent.push((name.clone(), self.credential(spec, value, Destination::Plain).await?, credential));
        }
        self.post(self.credential(spec, url, Destination::Url).await?, sent, self.json(json)?).await
    }

    /// Posts JSON. An answer of 429 or 503 says to come again; one of another fault of the server does not say what became of it.
    async fn post(&self, url: SecretString, headers: Vec<(String, SecretString, bool)>, body: Value) -> Result<String, Trouble> {
        let request =
            http::Request { method: "POST".to_owned(), url, headers, body: Some(HttpContent::Json(body)), key: self.key.clone() };
        let prepared = http::prepare(request, &http::NetworkPolicy::Open, self.work.timeout)?;
        let mut response = http::send(prepared).await.map_err(|trouble| match trouble {
            http::Trouble::Unsent(why) => Trouble::Later { why, after: None },
            http::Trouble::Lost(why) => Trouble::Lost(why),
        })?;
        let status = response.status();
        let after = response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        let mut recorder = Recorder::new(Box::new(self.output.clone()));
        let mut stream = Stream::new(self.secrets.mask());
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                recorder.push(&mut stream, &chunk);
                if stream.bytes() > limits::EVENT_BYTES as u64 {
                    break;
                }
            }
        };
        // What became of the message is known: a text that never ends does not change it.
        let _ = tokio::time::timeout(limits::ANSWER_TEXT, reading).await;
        recorder.finish(&mut stream);
        let said = recorder.last_lines().and_then(|said| Some(format!(": {}", said.lines().next_back()?))).unwrap_or_default();
        match status.as_u16() {
            200..300 => Ok(format!("the server answered {status}")),
            429 | 503 => Err(Trouble::Later { why: format!("the server answered {status}{said}"), after }),
            500.. => Err(Trouble::Lost(format!("the server answered {status}{said}"))),
            _ => Err(Trouble::Refused(format!("the server answered {status}{said}"))),
        }
    }

    async fn mail(&self, spec: &ChannelSpec, mail: &Mail) -> Result<String, Trouble> {
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

/// `Retry-After`: seconds, or a date; of no use beyond a day.
fn retry_after(text: &str) -> Option<Duration> {
    match text.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds.min(24 * 60 * 60))),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
            Some(Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default())
        }
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
