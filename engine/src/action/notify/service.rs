//! The forms in which services take a message: Slack, Microsoft Teams, ntfy and PagerDuty. What the world wrote travels as plain text:
//! no service reads marks, links or mentions in it. What a service does not take for its length is cut where it says so.

use runbook_core::Digest;
use runbook_core::policy::{ChannelSpec, Chat, Ntfy, PagerDuty, Severity, Words};
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

const MORE: &str = "…";

impl Delivery {
    pub(super) async fn slack(&self, spec: &ChannelSpec, chat: &Chat) -> Result<String, Trouble> {
        let (heading, text) = self.worded(&chat.words)?;
        let plain = |text: String| json!({"type": "plain_text", "text": text, "emoji": false});
        let mut blocks = vec![json!({"type": "header", "text": plain(beginning(&heading, limits::HEADING_CHARS))})];
        // A block without a text is refused.
        if !text.trim().is_empty() {
            blocks.push(json!({"type": "section", "text": plain(beginning(&text, limits::CHAT_CHARS))}));
        }
        if let Some(link) = self.link() {
            blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": format!("<{}>", escaped(&link))}}));
        }
        // What a notification shows of it; of this alone Slack reads marks.
        let body = json!({"text": escaped(&beginning(&heading, limits::HEADING_CHARS)), "blocks": blocks});
        self.post(self.secret(spec, &chat.webhook).await?, Vec::new(), whole(body)?).await
    }

    pub(super) async fn teams(&self, spec: &ChannelSpec, chat: &Chat) -> Result<String, Trouble> {
        let (heading, text) = self.worded(&chat.words)?;
        // Other blocks of a card read Markdown, these do not.
        let line = |run: serde_json::Value| json!({"type": "RichTextBlock", "spacing": "None", "inlines": [run]});
        let heading = beginning(&heading, limits::SUMMARY_CHARS);
        let mut blocks = vec![line(json!({"type": "TextRun", "text": heading, "weight": "Bolder", "size": "Medium"}))];
        let text = beginning(&text, limits::CHAT_CHARS);
        let lines = text.lines().take(limits::CARD_LINES).filter(|line| !line.trim().is_empty());
        blocks.extend(lines.map(|text| line(json!({"type": "TextRun", "text": text}))));
        if text.lines().count() > limits::CARD_LINES {
            blocks.push(line(json!({"type": "TextRun", "text": MORE})));
        }
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": blocks,
        });
        if let Some(link) = self.link() {
            card["actions"] = json!([{"type": "Action.OpenUrl", "title": "Open", "url": link}]);
        }
        let body = json!({
            "type": "message",
            "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}],
        });
        self.post(self.secret(spec, &chat.webhook).await?, Vec::new(), whole(body)?).await
    }

    pub(super) async fn ntfy(&self, spec: &ChannelSpec, ntfy: &Ntfy) -> Result<String, Trouble> {
        let (heading, text) = self.worded(&ntfy.words)?;
        let topic = self.credential(spec, &ntfy.topic, Destination::Plain).await?;
        let text = if text.trim().is_empty() { heading.clone() } else { text };
        let message = match fitting(&text, limits::NTFY_BYTES) {
            begun if begun.len() < text.len() => format!("{begun}{MORE}"),
            _ => text,
        };
        let mut body = json!({
            "topic": topic.expose_secret(),
            "title": beginning(&heading, limits::HEADING_CHARS),
            "message": message,
            "priority": ntfy.priority,
        });
        if let Some(link) = self.link() {
            body["click"] = json!(link);
        }
        let mut headers = Vec::new();
        if let Some(token) = &ntfy.token {
            let token = self.secret(spec, token).await?;
            let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
            headers.push(("Authorization".to_owned(), bearer, true));
        }
        self.post(SecretString::from(format!("{}/", ntfy.server)), headers, whole(body)?).await
    }

    pub(super) async fn pagerduty(&self, spec: &ChannelSpec, duty: &PagerDuty) -> Result<String, Trouble> {
        let key = self.secret(spec, &duty.key).await?;
        let mut body = json!({"routing_key": key.expose_secret(), "dedup_key": self.alert()});
        body["event_action"] = match self.news {
            News::New => json!("trigger"),
            News::Over => json!("resolve"),
        };
        if self.news == News::New {
            let (heading, text) = self.worded(&duty.words)?;
            let source = match self.run.get("name") {
                Some(Value::Text(name)) => name.as_str(),
                _ => "runbook",
            };
            let severity = match duty.severity {
                Severity::Critical => "critical",
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "info",
            };
            body["client"] = json!("runbook");
            body["payload"] = json!({
                "summary": beginning(&heading, limits::SUMMARY_CHARS),
                "source": source,
                "severity": severity,
                "custom_details": {"message": text, "run": self.run.to_plain_json()},
            });
            if let Some(link) = self.link() {
                body["client_url"] = json!(link);
            }
        }
        self.post(SecretString::from(format!("{}/v2/enqueue", duty.server)), Vec::new(), whole(body)?).await
    }

    /// By what PagerDuty knows the alert: the step, whichever attempt it is.
    fn alert(&self) -> String {
        let step = self.attempt.rsplit_once('/').map_or(self.attempt.as_str(), |(step, _)| step);
        let key = format!("runbook/{step}");
        if key.chars().count() <= limits::DEDUP_CHARS { key } else { format!("runbook/{}", Digest::of_bytes(key.as_bytes())) }
    }

    /// The heading, in one line and never empty, and the text, in words of the workspace where it has some.
    fn worded(&self, words: &Words) -> Result<(String, String), String> {
        let or = |words: &Option<Template>, own: &String| match words {
            Some(text) => self.text(text, Destination::Plain),
            None => Ok(own.clone()),
        };
        let (subject, message) = (or(&words.subject, &self.subject)?, or(&words.message, &self.message)?);
        let heading = subject.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let heading = match (heading.trim().is_empty(), self.run.get("name")) {
            (false, _) => heading,
            (true, Some(Value::Text(name))) => name.clone(),
            (true, _) => "runbook".to_owned(),
        };
        Ok((heading, message))
    }

    /// The page that the message is about, where the workspace says how people reach it.
    fn link(&self) -> Option<String> {
        match self.run.get("url") {
            Some(Value::Text(url)) => Some(url.clone()),
            _ => None,
        }
    }
}

/// As much of a text from its beginning as takes so many bytes inside JSON.
fn fitting(text: &str, most: usize) -> &str {
    let mut bytes = 0;
    let in_json = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    let end = text.char_indices().find(|(_, c)| {
        bytes += in_json(*c);
        bytes > most
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

fn whole(body: serde_json::Value) -> Result<Value, String> {
    Value::from_plain_json(body).map_err(|error| error.to_string())
}

/// At most so many characters; a sign at the end says that there were more.
fn beginning(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(MORE.chars()).collect()
}

/// The three characters that Slack reads.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
