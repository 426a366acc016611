//! What services get, byte for byte: the forms that they take, and nothing in them that they would read as more than text.

use runbook_core::Id;
use runbook_core::policy::{Chat, Ntfy, PagerDuty, Severity, Words};
use serde_json::{Value as Json, json};

use super::*;
use crate::action::fixture::Log;

const LINK: &str = "https://ops.example.org/runs/r1";
const MENTIONS: &str = "<!channel> & [all](https://evil.example)\n*bold* `code`";

fn hook() -> Id {
    "hook".parse().unwrap()
}

/// A message on its way to one channel, whose secret `hook` is this.
pub fn message_to(channel: Channel, secret: &str, message: &str) -> (Job, Log) {
    let (mut job, log) = notify(vec![("there", channel)], message);
    job.facts.insert("url".to_owned(), Value::text(LINK));
    job.secrets = Arc::new(Only(secret.to_owned()));
    (job, log)
}

/// Every secret has this value.
struct Only(String);

impl Secrets for Only {
    fn reveal<'a>(
        &'a self,
        _: &'a runbook_core::run::task::SecretName,
    ) -> futures_util::future::BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async { Ok(SecretString::from(self.0.clone())) })
    }

    fn fetch<'a>(&'a self, _: &'a SecretSource) -> futures_util::future::BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async { Ok(SecretString::from(self.0.clone())) })
    }

    fn mask(&self) -> Box<dyn crate::action::Mask + Send> {
        Box::new(crate::action::fixture::Blind)
    }
}

pub fn chat() -> Chat {
    Chat { webhook: hook(), words: Words::default() }
}

pub fn duty(server: &str) -> Channel {
    let duty = PagerDuty { server: server.to_owned(), key: hook(), severity: Severity::Critical, words: Words::default() };
    Channel::Pagerduty(Box::new(duty))
}

pub fn topic(server: &str) -> Channel {
    let topic = HeaderValue::Text(template("ops"));
    let ntfy = Ntfy { server: server.to_owned(), topic, token: Some(hook()), priority: 4, words: Words::default() };
    Channel::Ntfy(Box::new(ntfy))
}

/// The head and the body of the one request that a server got.
fn request(got: &Mutex<Vec<u8>>) -> (String, Json) {
    let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn slack_and_teams_read_nothing_in_a_text() {
    let (url, got) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    succeeded(perform(message_to(Channel::Slack(chat()), &format!("{url}/services/T/B/x"), MENTIONS).0).await);
    let (head, body) = request(&got);
    assert!(head.starts_with("POST /services/T/B/x HTTP/1.1"), "{head}");
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let link = json!({"type": "mrkdwn", "text": format!("<{LINK}>")});
    let blocks = json!([
        {"type": "header", "text": plain("Run ended Bcc: everybody@example.org")},
        {"type": "section", "text": plain(MENTIONS)},
        {"type": "section", "text": link},
    ]);
    assert_eq!(body, json!({"text": "Run ended Bcc: everybody@example.org", "blocks": blocks}));

    let (url, got) = server(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await;
    succeeded(perform(message_to(Channel::Teams(chat()), &format!("{url}/workflows/x?sig=y"), MENTIONS).0).await);
    let (head, body) = request(&got);
    assert!(head.starts_with("POST /workflows/x?sig=y HTTP/1.1"), "{head}");
    let card = &body["attachments"][0]["content"];
    assert_eq!((&body["type"], &card["type"]), (&json!("message"), &json!("AdaptiveCard")));
    assert_eq!(card["actions"][0]["url"], LINK);
    let blocks = card["body"].as_array().unwrap();
    let lines: Vec<&Json> = blocks.iter().map(|block| &block["inlines"][0]["text"]).collect();
    assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"));
    let (first, second) = MENTIONS.split_once('\n').unwrap();
    assert_eq!(lines, ["Run ended Bcc: everybody@example.org", first, second]);
}

#[tokio::test]
async fn ntfy_and_pagerduty_get_what_they_take() {
    let (url, got) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    succeeded(perform(message_to(topic(&url), "tk_1", HOSTILE).0).await);
    let (head, body) = request(&got);
    assert!(head.starts_with("POST / HTTP/1.1") && head.contains("authorization: Bearer tk_1"), "{head}");
    let subject = "Run ended Bcc: everybody@example.org";
    assert_eq!(body, json!({"topic": "ops", "title": subject, "message": HOSTILE, "priority": 4, "click": LINK}));

    let (url, got) = server(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await;
    let (job, _) = message_to(duty(&url), "R0UT1NG", HOSTILE);
    let step = job.id.rsplit_once('/').unwrap().0.to_owned();
    succeeded(perform(job).await);
    let (head, body) = request(&got);
    assert!(head.starts_with("POST /v2/enqueue HTTP/1.1"), "{head}");
    let run = json!({"name": "pg-backup", "url": LINK});
    let payload = json!({
        "summary": subject, "source": "pg-backup", "severity": "critical", "custom_details": {"message": HOSTILE, "run": run},
    });
    let expected = json!({
        "routing_key": "R0UT1NG", "event_action": "trigger", "dedup_key": format!("runbook/{step}"), "client": "runbook",
        "client_url": LINK, "payload": payload,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_words_are_those_of_the_workspace_and_no_longer_than_is_taken() {
    let words =
        Words { subject: Some(template("{{run.name}}!")), message: Some(template("{{subject}} -- {{message}} {{run.url}}")) };
    let (url, got) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let ntfy = |words, topic| Ntfy { server: url.clone(), topic, token: None, priority: 3, words };
    let secret = HeaderValue::Secret(hook());
    succeeded(perform(message_to(Channel::Ntfy(Box::new(ntfy(words, secret))), "hidden", "x").0).await);
    let (_, body) = request(&got);
    let message = format!("Run ended\r\nBcc: everybody@example.org -- x {LINK}");
    assert_eq!((&body["topic"], &body["title"], &body["message"]), (&json!("hidden"), &json!("pg-backup!"), &json!(message)));

    let long = "é🦀\n".repeat(4000);
    for (channel, place) in [
        (Channel::Slack(chat()), "/blocks/1/text/text"),
        (Channel::Teams(chat()), "/attachments/0/content/body/61/inlines/0/text"),
        (topic("."), "/message"),
    ] {
        let (url, got) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let channel = if matches!(channel, Channel::Ntfy(_)) { topic(&url) } else { channel };
        succeeded(perform(message_to(channel, &url, &long).0).await);
        let (_, body) = request(&got);
        let text = body.pointer(place).unwrap().as_str().unwrap();
        assert!(text.ends_with('…') && text.chars().count() <= 3000, "{place}");
    }
}
