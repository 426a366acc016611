//! Messages to a real file, program, web server and mail server, all on this machine, with what they got byte for byte.

use std::sync::Arc;

use runbook_core::plan::Origin;
use runbook_core::policy::{Mail, MailSecurity};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::action::fixture::{Known, failed, job, succeeded, text};
use crate::action::http::tests::server;
use crate::action::perform;
use crate::process::survivors;

mod faults;
mod services;

const HOSTILE: &str = "it's \"down\" $(id) `id`\n.\nFrom: x\r\n\\ é 🦀 {{message}} -- <b>";

fn template(source: &str) -> Template {
    Template::parse(source, Origin::default()).unwrap()
}

fn spec(channel: Channel) -> ChannelSpec {
    let source = SecretSource::Env("HOOK".to_owned());
    ChannelSpec { channel, secrets: BTreeMap::from([("hook".parse().unwrap(), source)]) }
}

fn notify(channels: Vec<(&str, Channel)>, message: &str) -> (Job, crate::action::fixture::Log) {
    let to = channels.iter().map(|(name, _)| (*name).to_owned()).collect();
    let subject = "Run ended\r\nBcc: everybody@example.org".to_owned();
    let (mut job, log) = job(Task::Notify { to, subject, message: message.to_owned(), news: News::New });
    job.channels = Arc::new(channels.into_iter().map(|(name, channel)| (name.to_owned(), spec(channel))).collect());
    job.facts = Map::from([("name".to_owned(), Value::text("pg-backup"))]);
    job.secrets = Arc::new(Known);
    (job, log)
}

fn member<'v>(result: &'v Value, channel: &str, key: &str) -> &'v Value {
    result.get(channel).and_then(|entry| entry.get(key)).unwrap()
}

#[tokio::test]
async fn a_file_gets_one_line() {
    let root = tempfile::tempdir().unwrap();
    let file = |file: Option<&str>| Channel::Log { file: file.map(str::to_owned) };
    let (mut job, _) = notify(vec![("a", file(Some("notes.jsonl"))), ("b", file(None))], HOSTILE);
    job.root = root.path().to_owned();
    let result = succeeded(perform(job).await);
    assert_eq!(member(&result, "a", "delivered"), &Value::Bool(true));
    assert_eq!(member(&result, "b", "delivered"), &Value::Bool(true));
    let written = std::fs::read_to_string(root.path().join("notes.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!((&line["message"], &line["run"]["name"]), (&HOSTILE.into(), &"pg-backup".into()));

    let (mut job, _) = notify(vec![("a", file(Some("../notes.jsonl")))], "x");
    job.root = root.path().to_owned();
    assert!(failed(perform(job).await).0.message.contains("leads out of"));
}

#[tokio::test]
async fn a_program_gets_arguments_and_input() {
    let argv = ["sh", "-c", "printf '%s|' \"$@\"; cat", "sh", "{{message}}", "{{run.name}}"];
    let (job, log) = notify(vec![("pager", Channel::Command(argv.map(template).to_vec()))], HOSTILE);
    succeeded(perform(job).await);
    assert_eq!(log.text(), format!("{HOSTILE}|pg-backup|{HOSTILE}"));

    let argv = ["sh", "-c", "cat >/dev/null; echo no route >&2; exit 7"];
    let (job, _) = notify(vec![("pager", Channel::Command(argv.map(template).to_vec()))], "x");
    let (failure, result) = failed(perform(job).await);
    assert_eq!(failure.message, "not delivered to `pager`: `sh` ended with exit code 7: no route");
    assert_eq!(member(&result, "pager", "delivered"), &Value::Bool(false));
}

#[tokio::test]
async fn a_program_that_is_cancelled_is_ended_whole_and_was_known_by_the_attempt() {
    let number = format!("120.6{:07}", std::process::id());
    let script = format!("echo \"$RUNBOOK_STEP $RUNBOOK_ATTEMPT\"; setsid sleep {number} & wait");
    let argv = ["sh", "-c", &script].map(template).to_vec();
    let (job, log) = notify(vec![("pager", Channel::Command(argv)), ("log", Channel::Log { file: None })], "x");
    let (id, stop) = (job.id.clone(), job.stop.clone());
    let running = tokio::spawn(perform(job));
    while !survivors(&id).iter().any(|left| left.program == "sleep") {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let AttemptEnd::Cancelled { failure, result } = running.await.unwrap() else { panic!() };
    assert!(failure.message.contains("`pager`: cancelled; its processes were ended"), "{}", failure.message);
    assert_eq!(member(&result, "log", "delivered"), &Value::Bool(true));
    assert_eq!(survivors(&id), []);
    let (run_and_step, _) = id.rsplit_once('/').unwrap();
    assert_eq!(log.text(), format!("{} {id}/pager\n", run_and_step.split_once('/').unwrap().1));
}

#[tokio::test]
async fn a_retry_goes_only_to_those_that_did_not_take_it() {
    let pager = || Channel::Command(["sh", "-c", "echo rang"].map(template).to_vec());
    let (mut job, log) = notify(vec![("day", pager()), ("night", pager())], "x");
    let entry = |delivered| Value::Map(Map::from([("delivered".to_owned(), Value::Bool(delivered))]));
    job.before = Value::Map(Map::from([("day".to_owned(), entry(true)), ("night".to_owned(), entry(false))]));
    let result = succeeded(perform(job).await);
    assert_eq!(log.text(), "rang\n");
    assert_eq!(member(&result, "day", "detail"), &Value::text("took it in an earlier attempt"));
    assert_eq!(member(&result, "night", "delivered"), &Value::Bool(true));
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_is_refused() {
    let root = tempfile::tempdir().unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.path().join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let (mut job, _) = notify(vec![("a", Channel::Log { file: Some("pipe".to_owned()) })], "x");
    job.root = root.path().to_owned();
    assert!(failed(perform(job).await).0.message.contains("`pipe` cannot be written"));
}

#[tokio::test]
async fn a_webhook_gets_json() {
    let (url, got) = server(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let json = JsonTemplate::Map(vec![
        ("text".to_owned(), JsonTemplate::Text(template("{{run.name}}: {{message}}"))),
        ("n".to_owned(), JsonTemplate::Value(Value::Int(1))),
    ]);
    let headers = vec![("X-Token".to_owned(), HeaderValue::Secret("hook".parse().unwrap()))];
    let channel = Channel::Http { url: HeaderValue::Text(template(&format!("{url}/hook"))), headers, json };
    let (job, _) = notify(vec![("chat", channel)], HOSTILE);
    let key = format!("{}/chat", job.id);
    let end = perform(job).await;
    assert!(!format!("{end:?}").contains("hunter2"));
    succeeded(end);
    let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("x-token: hunter2-HOOK") && head.contains(&format!("idempotency-key: {key}")), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, serde_json::json!({"text": format!("pg-backup: {HOSTILE}"), "n": 1}));
}

#[tokio::test]
async fn each_channel_stands_for_itself() {
    let (url, _) = server(b"HTTP/1.1 410 Gone\r\nContent-Length: 11\r\n\r\nno_channel\n").await;
    let json = JsonTemplate::Map(vec![]);
    let gone = Channel::Http { url: HeaderValue::Text(template(&url)), headers: vec![], json: json.clone() };
    let unknown = Channel::Http { url: HeaderValue::Secret("other".parse().unwrap()), headers: vec![], json };
    let (mut job, _) = notify(vec![("gone", gone), ("unknown", unknown), ("log", Channel::Log { file: None })], "x");
    if let Task::Notify { to, .. } = &mut job.work.task {
        to.push("absent".to_owned());
    }
    let (failure, result) = failed(perform(job).await);
    for part in ["`gone`: the server answered 410 Gone: no_channel", "`absent`: the workspace has no", "declares no secret `other`"]
    {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    assert_eq!(member(&result, "log", "delivered"), &Value::Bool(true));
}

/// Takes one mail and gives what was said to it.
async fn mail_server(refuse: bool) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let (read, mut write) = socket.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut said = String::new();
        let mut data = false;
        write.write_all(b"220 sink\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            said.push_str(&line);
            said.push('\n');
            let answer: &[u8] = match line.as_str() {
                "." if data => {
                    data = false;
                    b"250 kept\r\n"
                }
                _ if data => continue,
                "DATA" => {
                    data = true;
                    b"354 go\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                line if line.starts_with("EHLO") => b"250-sink\r\n250 AUTH PLAIN LOGIN\r\n",
                line if line.starts_with("AUTH") => b"235 ok\r\n",
                line if refuse && line.starts_with("RCPT") => b"550 no such user\r\n",
                _ => b"250 ok\r\n",
            };
            if write.write_all(answer).await.is_err() {
                break;
            }
        }
        said
    });
    (port, talk)
}

fn mail(port: u16, security: MailSecurity) -> Channel {
    Channel::Mail(Mail {
        to: vec!["Ops <ops@example.org>".to_owned()],
        from: "runbook@example.org".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        security,
        login: Some(("robot".to_owned(), "hook".parse().unwrap())),
    })
}

#[tokio::test]
async fn a_mail_cannot_be_broken_out_of() {
    let (port, talk) = mail_server(false).await;
    let (job, _) = notify(vec![("ops", mail(port, MailSecurity::None))], HOSTILE);
    let result = succeeded(perform(job).await);
    assert!(text(result.get("ops").unwrap(), "detail").contains("took it with 250"));
    let said = talk.await.unwrap();
    assert!(said.contains("MAIL FROM:<runbook@example.org>") && said.contains("RCPT TO:<ops@example.org>"), "{said}");
    let head = said.split("DATA\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(head.contains("@runbook.invalid>") && head.contains("Subject: Run ended"), "{head}");
    assert!(!head.lines().any(|line| line.starts_with("Bcc") || line.starts_with("From: x")), "{head}");
    assert_eq!(said.matches("\n.\n").count(), 1, "{said}");

    let (port, talk) = mail_server(false).await;
    succeeded(perform(notify(vec![("ops", mail(port, MailSecurity::None))], "a\r.\rMAIL FROM:<x@y>\r\nb").0).await);
    let said = talk.await.unwrap();
    assert!(said.contains("\na\n..\nMAIL FROM:<x@y>\nb\n") && !said.contains('\r'), "{said:?}");
}

#[tokio::test]
async fn a_mail_that_is_not_taken_says_why() {
    let (port, _talk) = mail_server(true).await;
    let plain = mail(port, MailSecurity::None);
    let (clear, _talk) = mail_server(false).await;
    let mut remote = mail(25, MailSecurity::None);
    if let Channel::Mail(mail) = &mut remote {
        mail.host = "mail.example.org".to_owned();
    }
    for (channel, part) in [
        (plain, "refused the mail: no such user"),
        (mail(clear, MailSecurity::Starttls), "did not take the mail"),
        (remote, "in the clear"),
    ] {
        let end = perform(notify(vec![("ops", channel)], "x").0).await;
        assert!(!format!("{end:?}").contains("hunter2"));
        let (failure, _) = failed(end);
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}
