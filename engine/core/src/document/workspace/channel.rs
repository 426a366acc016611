//! `channels`: where messages go.

use std::collections::BTreeMap;

use super::{Provider, read, source};
use crate::diagnostic::{Code, nearest};
use crate::document::decode::{Fields, Reading, procedure, scalar, step, verb};
use crate::document::procedure::SecretFrom;
use crate::document::{Node, NodeKind, Scalar};
use crate::expr::{Template, data_as_code};
use crate::id::Id;
use crate::plan::{HeaderValue, JsonTemplate, Origin, SecretSource};
use crate::policy::{Channel, ChannelSpec, Chat, Mail, MailSecurity, Ntfy, PagerDuty, Severity, Words};

const KINDS: [&str; 8] = ["log", "command", "http", "mail", "slack", "teams", "ntfy", "pagerduty"];
/// What the texts of a channel can name.
const NAMES: [&str; 4] = ["message", "subject", "channel", "run"];
const RUN: [&str; 6] = ["id", "name", "version", "environment", "requested_by", "url"];
const SECURITY: [(&str, MailSecurity); 3] =
    [("starttls", MailSecurity::Starttls), ("tls", MailSecurity::Tls), ("none", MailSecurity::None)];
const PRIORITIES: [(&str, u8); 5] = [("min", 1), ("low", 2), ("default", 3), ("high", 4), ("max", 5)];
const SEVERITIES: [(&str, Severity); 4] =
    [("critical", Severity::Critical), ("error", Severity::Error), ("warning", Severity::Warning), ("info", Severity::Info)];
const NTFY: &str = "https://ntfy.sh";
const PAGERDUTY: &str = "https://events.pagerduty.com";

pub(super) fn channels(
    reading: &Reading,
    entries: &[(Scalar, Node)],
    providers: &BTreeMap<String, Provider>,
    absent: &[Absent],
) -> BTreeMap<String, ChannelSpec> {
    let mut channels = BTreeMap::new();
    for (name, node) in entries {
        let Some(key) = read::named(reading, name, "a channel") else { continue };
        if let Some(channel) = channel(reading, node, providers, absent) {
            channels.insert(key, channel);
        }
    }
    channels
}

pub(super) type Secrets = BTreeMap<Id, SecretSource>;

/// A member of `run` that is nothing, and the key of the workspace that gives it.
pub(super) type Absent = (&'static str, &'static str);

/// What a channel is read in.
struct Within<'r> {
    reading: &'r Reading<'r>,
    secrets: Secrets,
    absent: &'r [Absent],
}

fn channel(reading: &Reading, node: &Node, providers: &BTreeMap<String, Provider>, absent: &[Absent]) -> Option<ChannelSpec> {
    let mut fields = Fields::of(reading, node, "a channel")?;
    read::only_one_of(&fields, &KINDS, "a channel does not say how it delivers");
    let within = Within { reading, secrets: secrets(reading, fields.entries("secrets"), providers), absent };
    let mut found = None;
    if let Some(mut log) = fields.map("log", "`log`") {
        found = Some(Channel::Log { file: log.text("file").map(|text| text.value) });
        log.finish();
    }
    if let Some(node) = fields.take("command") {
        let channel = command(&within, node);
        found = found.or(channel);
    }
    if let Some(http) = fields.map("http", "`http`") {
        let channel = self::http(&within, http);
        found = found.or(channel);
    }
    if let Some(mail) = fields.map("mail", "`mail`") {
        let channel = self::mail(&within, mail);
        found = found.or(channel.map(Channel::Mail));
    }
    if let Some(slack) = fields.map("slack", "`slack`") {
        let channel = chat(&within, slack);
        found = found.or(channel.map(Channel::Slack));
    }
    if let Some(teams) = fields.map("teams", "`teams`") {
        let channel = chat(&within, teams);
        found = found.or(channel.map(Channel::Teams));
    }
    if let Some(ntfy) = fields.map("ntfy", "`ntfy`") {
        let channel = self::ntfy(&within, ntfy);
        found = found.or(channel.map(|ntfy| Channel::Ntfy(Box::new(ntfy))));
    }
    if let Some(pagerduty) = fields.map("pagerduty", "`pagerduty`") {
        let channel = self::pagerduty(&within, pagerduty);
        found = found.or(channel.map(|pagerduty| Channel::Pagerduty(Box::new(pagerduty))));
    }
    fields.finish();
    Some(ChannelSpec { channel: found?, secrets: within.secrets })
}

pub(super) fn secrets(reading: &Reading, entries: &[(Scalar, Node)], providers: &BTreeMap<String, Provider>) -> Secrets {
    let mut secrets = Secrets::new();
    for (name, secret) in procedure::secrets(reading, entries) {
        let source = match secret.from {
            SecretFrom::Env(variable) => Some(SecretSource::Env(variable.value)),
            SecretFrom::File(path) => Some(SecretSource::File(path.value)),
            SecretFrom::Command(argv) => Some(SecretSource::Command(argv.into_iter().map(|text| text.value).collect())),
            SecretFrom::Provider { provider, key } => match providers.get(&provider.value) {
                Some(known) => known.source(&key.value).map_err(|why| reading.fault(Code::RB0018, key.span, why)).ok(),
                None => {
                    let message = format!("the workspace has no secret provider `{}`", scalar::clipped(&provider.value));
                    let known = providers.keys().map(String::as_str);
                    read::unknown(reading, Code::RB0317, provider.span, message, &provider.value, known);
                    None
                }
            },
        };
        if let Some(source) = source {
            secrets.insert(name.value, source);
        }
    }
    secrets
}

fn http(within: &Within, mut fields: Fields) -> Option<Channel> {
    let url = fields.require_text("url");
    let url = url.and_then(|url| credential(within, &url));
    let mut headers = Vec::new();
    for (name, node) in fields.entries("headers") {
        verb::header_name(within.reading, &name.value, name.span);
        if let Some(value) = scalar::text(within.reading, node, &name.value).and_then(|value| credential(within, &value)) {
            headers.push((name.value.clone(), value));
        }
    }
    let json = fields.require("json").and_then(|node| json(within, node));
    fields.finish();
    Some(Channel::Http { url: url?, headers, json: json? })
}

fn mail(within: &Within, mut fields: Fields) -> Option<Mail> {
    let reading = within.reading;
    let (to, from) = (fields.some_texts("to"), fields.require_text("from"));
    if !fields.has("to") {
        fields.missing("to");
    }
    let server = fields.require_text("smtp");
    let security = fields.word("security", &SECURITY);
    let (user, password) = (fields.text("user"), fields.text("password"));
    fields.finish();
    for address in to.iter().chain(&from).filter(|address| !is_address(&address.value)) {
        let message = format!("`{}` is not a mail address", scalar::clipped(&address.value));
        let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, address.span), message);
        reading.report(fault.help("write `name@example.org`, or `Name <name@example.org>`"));
    }
    let server = server?;
    let address = server.value.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let Some((host, port)) = address.filter(|(host, port)| !host.is_empty() && *port > 0) else {
        let message = format!("`{}` is not a server and its port", scalar::clipped(&server.value));
        reading.report(
            reading.diagnostic(Code::RB0018, server.span, message).help("write `host:port`, such as `mail.example.org:587`"),
        );
        return None;
    };
    let login = match (user, password) {
        (Some(user), Some(password)) => match credential(within, &password)? {
            HeaderValue::Secret(name) => Some((user.value, name)),
            HeaderValue::Text(_) => {
                let fault =
                    reading.diagnostic(Code::RB0408, scalar::shown(reading, password.span), "a password stands in the file");
                reading.report(fault.help("declare it under `secrets` of the channel and write `secrets.<name>` here"));
                return None;
            }
        },
        (Some(only), None) | (None, Some(only)) => {
            let fault = reading.diagnostic(Code::RB0011, only.span, "`user` and `password` belong together");
            reading.report(fault.help("add the other one, or remove this one"));
            return None;
        }
        (None, None) => None,
    };
    if let Some(plain) = security.as_ref().filter(|s| s.value == MailSecurity::None && login.is_some()) {
        let fault = reading.diagnostic(Code::RB0408, plain.span, "a password would travel in the clear");
        reading.report(fault.help("use `security: starttls` or `tls`, or remove `user` and `password`"));
    }
    Some(Mail {
        to: to.into_iter().map(|text| text.value).collect(),
        from: from?.value,
        host: host.to_owned(),
        port,
        security: security.map(|s| s.value).unwrap_or_default(),
        login,
    })
}

fn chat(within: &Within, mut fields: Fields) -> Option<Chat> {
    let webhook = fields.require_text("webhook");
    let words = words(within, &mut fields);
    fields.finish();
    let webhook = source::one(within.reading, &webhook?, &within.secrets, "the channel");
    Some(Chat { webhook: webhook?, words: words? })
}

fn ntfy(within: &Within, mut fields: Fields) -> Option<Ntfy> {
    let server = server(within.reading, &mut fields, NTFY);
    let (topic, token) = (fields.require_text("topic"), fields.text("token"));
    let priority = fields.word("priority", &PRIORITIES).map_or(3, |priority| priority.value);
    let words = words(within, &mut fields);
    fields.finish();
    let token = match token {
        Some(token) => Some(source::one(within.reading, &token, &within.secrets, "the channel")?),
        None => None,
    };
    let topic = topic.filter(|topic| is_topic(within.reading, topic));
    let topic = credential(within, &topic?);
    Some(Ntfy { server: server?, topic: topic?, token, priority, words: words? })
}

/// What ntfy takes for a topic (`topicRegex` in `server/server.go` of github.com/binwiederhier/ntfy), or a secret.
fn is_topic(reading: &Reading, topic: &Scalar) -> bool {
    let name = topic.value.as_str();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_right = name.starts_with("secrets.") || (1..=64).contains(&name.len()) && name.bytes().all(is_plain);
    if !is_right {
        let message = format!("`{}` is not a topic of ntfy", scalar::clipped(name));
        let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, topic.span), message);
        reading.report(fault.help("write at most 64 letters, digits, `-` and `_`, or `secrets.<name>`"));
    }
    is_right
}

fn pagerduty(within: &Within, mut fields: Fields) -> Option<PagerDuty> {
    let key = fields.require_text("key");
    let server = server(within.reading, &mut fields, PAGERDUTY);
    let severity = fields.word("severity", &SEVERITIES).map(|severity| severity.value).unwrap_or_default();
    let words = words(within, &mut fields);
    fields.finish();
    let key = source::one(within.reading, &key?, &within.secrets, "the channel");
    Some(PagerDuty { server: server?, key: key?, severity, words: words? })
}

/// `server`, without a slash at its end.
fn server(reading: &Reading, fields: &mut Fields, default: &str) -> Option<String> {
    let Some(server) = fields.text("server") else { return Some(default.to_owned()) };
    let is_right = read::is_web_address(reading, &server, "the address of a server", read::WEB);
    is_right.then(|| server.value.trim_end_matches('/').to_owned())
}

/// `subject` and `message`: none where one is wrong.
fn words(within: &Within, fields: &mut Fields) -> Option<Words> {
    let (subject, message) = (fields.text("subject"), fields.text("message"));
    let subject = subject.map(|subject| text(within, &subject));
    let message = message.map(|message| text(within, &message));
    let is_wrong = [&subject, &message].iter().any(|words| matches!(words, Some(None)));
    (!is_wrong).then(|| Words { subject: subject.flatten(), message: message.flatten() })
}

/// `name@host`, alone or behind a name in angle brackets. Whether anybody reads it is for the mail server.
fn is_address(text: &str) -> bool {
    let address = match text.rsplit_once('<') {
        Some((_, address)) => address.trim_end().strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let (name, host) = address.rsplit_once('@').unwrap_or_default();
    !name.is_empty() && !host.is_empty() && !address.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Text, or exactly `secrets.<name>`: one of the channel's own secrets.
fn credential(within: &Within, value: &Scalar) -> Option<HeaderValue> {
    let Within { reading, secrets, .. } = within;
    let Some(name) = value.value.strip_prefix("secrets.") else { return text(within, value).map(HeaderValue::Text) };
    let found = secrets.keys().find(|known| known.as_str() == name);
    if found.is_none() {
        let message = format!("the channel has no secret `{}`", scalar::clipped(name));
        let fault = reading.diagnostic(Code::RB0111, value.span, message);
        reading.report(match nearest(name, secrets.keys().map(Id::as_str)) {
            Some(near) => fault.help(format!("did you mean `secrets.{near}`?")).replace(value.span, format!("secrets.{near}")),
            None => fault.help("declare it under `secrets` of the channel"),
        });
    }
    found.cloned().map(HeaderValue::Secret)
}

fn text(within: &Within, value: &Scalar) -> Option<Template> {
    let reading = within.reading;
    let at = Origin { file: Origin::WORKSPACE, position: reading.source().position(value.span.start) };
    let template = match Template::parse(&value.value, at) {
        Ok(template) => template,
        Err(why) => {
            let span = value.span_of(reading.source(), why.offset, why.offset + 1);
            let fault = reading.diagnostic(Code::RB0113, span, "the text cannot be read").reason(why.message);
            reading.report(fault.help("write values as `{{message}}`, and braces that are text as `\\{{`"));
            return None;
        }
    };
    let mut right = true;
    for reference in template.references() {
        let mut path = reference.path.iter().map(String::as_str);
        let (root, member) = (path.next().unwrap_or_default(), path.next());
        let (wrong, known) = match member {
            _ if !NAMES.contains(&root) => (root, &NAMES[..]),
            Some(member) if root == "run" && !RUN.contains(&member) => (member, &RUN[..]),
            _ => continue,
        };
        right = false;
        let start = if wrong == root { reference.offset } else { reference.offset + root.len() + 1 };
        let span = value.span_of(reading.source(), start, start + wrong.len());
        let fault = reading.diagnostic(Code::RB0118, span, format!("`{}` is not known in a channel", scalar::clipped(wrong)));
        reading.report(match nearest(wrong, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")).replace(span, near),
            None => {
                fault.help(format!("the texts of a channel know {}, and of `run` {}", scalar::listed(&NAMES), scalar::listed(&RUN)))
            }
        });
    }
    for reference in template.needed() {
        let member = match reference.path.as_slice() {
            [run, member] if run == "run" => member.as_str(),
            _ => continue,
        };
        let Some((_, key)) = within.absent.iter().find(|(absent, _)| *absent == member) else { continue };
        let name = reference.path.join(".");
        let span = value.span_of(reading.source(), reference.offset, reference.offset + name.len());
        let fault = reading.diagnostic(Code::RB0121, span, format!("`{name}` is nothing here, so nothing would be sent"));
        reading
            .report(fault.help(format!(
                "add `{key}` to the workspace, or say what stands there without it: `{{{{default {name} \"…\"}}}}`"
            )));
    }
    right.then_some(template)
}

/// The command of a channel, none of whose arguments may be code with values in it.
fn command(within: &Within, node: &Node) -> Option<Channel> {
    let reading = within.reading;
    let argv = step::arguments(reading, node, "command");
    let words: Vec<&str> = argv.iter().map(|word| word.value.as_str()).collect();
    let code = data_as_code(&words);
    for pasted in &code {
        let Some(argument) = argv.get(pasted.place) else { continue };
        let fault = reading.diagnostic(Code::RB0116, argument.span, "a value is pasted into code").reason(pasted.reason);
        reading.report(fault.help("read the message from standard input, or pass it behind the code, as `\"$1\"`"));
    }
    let argv: Option<Vec<Template>> = argv.iter().map(|argument| text(within, argument)).collect();
    argv.filter(|argv| !argv.is_empty() && code.is_empty()).map(Channel::Command)
}

fn json(within: &Within, node: &Node) -> Option<JsonTemplate> {
    match &node.kind {
        NodeKind::Text(value) if value.value.contains("{{") => text(within, value).map(JsonTemplate::Text),
        NodeKind::List(items) => {
            let items: Vec<_> = items.iter().map(|item| json(within, item)).collect();
            items.into_iter().collect::<Option<_>>().map(JsonTemplate::List)
        }
        NodeKind::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| Some((key.value.clone(), json(within, value)?))).collect();
            entries.into_iter().collect::<Option<_>>().map(JsonTemplate::Map)
        }
        _ => match node.to_value() {
            Ok(value) => Some(JsonTemplate::Value(value)),
            Err((span, why)) => {
                within.reading.fault(Code::RB0018, span, why);
                None
            }
        },
    }
}
