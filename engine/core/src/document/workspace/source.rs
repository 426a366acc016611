//! `sources`: where events come from, and how those who send them show who they are.

use std::collections::BTreeMap;

use super::channel::{self, Secrets};
use super::{Provider, read, schedule};
use crate::diagnostic::{Code, Span, Spanned, nearest};
use crate::document::decode::{Fields, Reading, scalar, verb};
use crate::document::{Node, Scalar};
use crate::event_source::{
    Algorithm, BUILT_IN, Credential, Encoding, EventSource, Folder, Format, Generic, Hmac, KeyForm, Missed, Nats, Schedule, Signed,
    SignedTime, SourceKind, Webhook,
};
use crate::expr::Expression;
use crate::id::Id;
use crate::limits;
use crate::plan::Origin;
use crate::ticks::Timetable;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alertmanager,
    Grafana,
    Sns,
    EventBridge,
    PagerDuty,
    Datadog,
    Opsgenie,
    GitHub,
    Sentry,
    CloudEvents,
    StandardWebhooks,
    Generic,
    Schedule,
    Folder,
    Nats,
}

const KINDS: [(&str, Kind); 15] = [
    ("alertmanager", Kind::Alertmanager),
    ("grafana", Kind::Grafana),
    ("sns", Kind::Sns),
    ("eventbridge", Kind::EventBridge),
    ("pagerduty", Kind::PagerDuty),
    ("datadog", Kind::Datadog),
    ("opsgenie", Kind::Opsgenie),
    ("github", Kind::GitHub),
    ("sentry", Kind::Sentry),
    ("cloudevents", Kind::CloudEvents),
    ("standard-webhooks", Kind::StandardWebhooks),
    ("generic", Kind::Generic),
    ("schedule", Kind::Schedule),
    ("folder", Kind::Folder),
    ("nats", Kind::Nats),
];
const MISSED: [(&str, Missed); 2] = [("skip", Missed::Skip), ("once", Missed::Once)];
const ALGORITHMS: [(&str, Algorithm); 3] =
    [("sha256", Algorithm::Sha256), ("sha384", Algorithm::Sha384), ("sha512", Algorithm::Sha512)];
const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const CREDENTIALS: [&str; 4] = ["secret", "bearer", "basic", "header"];

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// How its sender can show who it is. Who always signs is taken at nothing less.
    fn credentials(self) -> &'static [&'static str] {
        match self {
            Kind::Alertmanager | Kind::EventBridge | Kind::Datadog | Kind::Opsgenie => &["bearer", "basic", "header"],
            Kind::Grafana | Kind::PagerDuty | Kind::CloudEvents | Kind::Generic => &CREDENTIALS,
            Kind::GitHub | Kind::Sentry | Kind::StandardWebhooks => &["secret"],
            Kind::Nats => &["bearer", "basic"],
            Kind::Sns | Kind::Schedule | Kind::Folder => &[],
        }
    }

    /// Whether `hmac` says how it signs, or can: of the others it is known.
    fn takes_hmac(self) -> bool {
        matches!(self, Kind::Grafana | Kind::CloudEvents | Kind::Generic)
    }

    /// How it signs where that is known.
    fn scheme(self) -> Hmac {
        let plain = |header: &str, prefix: &str| Hmac {
            header: header.to_owned(),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: prefix.to_owned(),
            signed: vec![Signed::Body],
            timestamp: None,
            key: KeyForm::Text,
        };
        let dot = || Signed::Text(".".to_owned());
        match self {
            Kind::Grafana => plain("X-Grafana-Alerting-Signature", ""),
            Kind::PagerDuty => plain("X-PagerDuty-Signature", "v1="),
            Kind::GitHub => plain("X-Hub-Signature-256", "sha256="),
            Kind::Sentry => plain("Sentry-Hook-Signature", ""),
            Kind::StandardWebhooks => Hmac {
                encoding: Encoding::Base64,
                signed: vec![Signed::Header("webhook-id".to_owned()), dot(), Signed::Timestamp, dot(), Signed::Body],
                timestamp: Some(SignedTime {
                    header: "webhook-timestamp".to_owned(),
                    prefix: String::new(),
                    within: limits::DELIVERY_WITHIN,
                }),
                key: KeyForm::Base64,
                ..plain("webhook-signature", "v1,")
            },
            _ => plain("", ""),
        }
    }
}

pub(super) fn sources(
    reading: &Reading,
    entries: &[(Scalar, Node)],
    providers: &BTreeMap<String, Provider>,
    timezone: &str,
) -> BTreeMap<String, EventSource> {
    let mut sources = BTreeMap::new();
    for (name, node) in entries {
        let key = read::named(reading, name, "a source of events");
        if let Some((_, what)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name.value) {
            let fault = reading.diagnostic(Code::RB0119, name.span, format!("`{}` is a source of its own: {what}", name.value));
            reading.report(fault.help("give this one another name"));
            continue;
        }
        if let (Some(source), Some(key)) = (source(reading, node, providers, timezone), key) {
            sources.insert(key, source);
        }
    }
    sources
}

fn source(reading: &Reading, node: &Node, providers: &BTreeMap<String, Provider>, timezone: &str) -> Option<EventSource> {
    let mut fields = Fields::of(reading, node, "a source of events")?;
    if !fields.has("type") {
        fields.missing("type");
    }
    let kind = fields.word("type", &KINDS);
    let given: Vec<Scalar> = fields.keys().filter(|key| CREDENTIALS.contains(&key.value.as_str())).cloned().collect();
    if let [first, second, ..] = given.as_slice() {
        fields.exclude(first, second);
    }
    let references = [fields.some_texts("secret"), fields.some_texts("bearer")];
    let basic = fields.map("basic", "`basic`").and_then(|mut basic| {
        let (user, password) = (basic.require_text("user"), basic.some_texts("password"));
        if !basic.has("password") {
            basic.missing("password");
        }
        basic.finish();
        Some((user?, password))
    });
    let header = fields.map("header", "`header`").and_then(|mut header| {
        let (name, value) = (header.require_text("name"), header.some_texts("value"));
        if !header.has("value") {
            header.missing("value");
        }
        header.finish();
        let name = name?;
        verb::header_name(reading, &name.value, name.span);
        Some((name, value))
    });
    let hmac_at = fields.keys().find(|key| key.value == "hmac").map(|key| key.span);
    let hmac = fields.map("hmac", "`hmac`").map(|hmac| self::hmac(reading, hmac, kind.as_ref().map(|kind| kind.value)));
    let topics = topics(reading, &mut fields, kind.as_ref());
    let origins = fields.some_texts("origins");
    let items = fields.expression("items");
    let event = fields.map("event", "`event`").map(|event| self::event(event, items.is_some()));
    let secrets = channel::secrets(reading, fields.entries("secrets"), providers);
    let scheduled = kind.as_ref().is_some_and(|kind| kind.value == Kind::Schedule);
    let schedule = timetable(&mut fields, scheduled, timezone);
    let dropped = kind.as_ref().is_some_and(|kind| kind.value == Kind::Folder);
    let folder = self::folder(&mut fields, dropped);
    let fetched = kind.as_ref().is_some_and(|kind| kind.value == Kind::Nats);
    let nats = self::nats(&mut fields, fetched);
    if let Some(kind) = &kind {
        misplaced(reading, &fields, kind.value);
    }
    let head = fields.head();
    fields.finish();

    let kind = kind?.value;
    let Some(chosen) = given.first() else {
        let allowed = kind.credentials();
        if !allowed.is_empty() && !fetched {
            let message = format!("a source of type `{}` does not say how its sender shows who it is", kind.name());
            let fault = reading.diagnostic(Code::RB0011, head, message);
            reading.report(fault.help(match allowed {
                [only] => format!("add `{only}`, the secret that its deliveries are signed with"),
                _ => format!("add one of {}", scalar::listed(allowed)),
            }));
            return None;
        }
        let kind = match (schedule, folder) {
            (Some(schedule), _) => SourceKind::Schedule(schedule),
            (None, _) if scheduled => return None,
            (None, Some(folder)) => SourceKind::Folder(Box::new(Folder { reading: generic(reading, items, event), ..folder })),
            (None, None) if dropped => return None,
            (None, None) if fetched => SourceKind::Nats(Box::new(Nats { reading: generic(reading, items, event), ..nats? })),
            (None, None) => SourceKind::Webhook(Webhook { format: Format::Sns { topics }, credential: Credential::Certificate }),
        };
        return Some(EventSource { kind, secrets });
    };
    let own = |references: &[Scalar]| owned(reading, references, &secrets);
    let [secret, bearer] = references;
    let shown = basic.as_ref().map_or(&bearer, |(_, passwords)| passwords);
    if let Some(second) = shown.get(1).filter(|_| fetched) {
        let fault = reading.diagnostic(Code::RB0018, second.span, "a source of type `nats` shows one secret");
        reading.report(
            fault.reason("it is we who show it: the server of NATS takes several, while one follows another").help("remove it"),
        );
        return None;
    }
    let credential = match chosen.value.as_str() {
        "secret" => {
            let hmac = match hmac {
                Some(hmac) => hmac?,
                None if matches!(kind, Kind::CloudEvents | Kind::Generic) => {
                    let message = format!("how a sender of type `{}` signs with its secret is not said", kind.name());
                    let fault = reading.diagnostic(Code::RB0011, chosen.span, message);
                    reading.report(fault.help("add `hmac` with the `header` that the signature stands in"));
                    return None;
                }
                None => kind.scheme(),
            };
            Credential::Hmac { hmac, secrets: own(&secret)? }
        }
        _ if hmac_at.is_some() => {
            let span = hmac_at.unwrap_or(head);
            let fault = reading.diagnostic(Code::RB0023, span, format!("`hmac` stands beside `{}`", chosen.value));
            reading.report(fault.help("write `secret` in place of it, or remove `hmac`"));
            return None;
        }
        "bearer" => Credential::Bearer(own(&bearer)?),
        "basic" => {
            let (user, passwords) = basic?;
            Credential::Basic { user: user.value, passwords: own(&passwords)? }
        }
        _ => {
            let (name, values) = header?;
            Credential::Header { name: name.value, values: own(&values)? }
        }
    };
    let format = match kind {
        Kind::Alertmanager => Format::Alertmanager,
        Kind::Grafana => Format::Grafana,
        // These need no credential, and were told of the one that they have.
        Kind::Sns | Kind::Schedule | Kind::Folder => return None,
        Kind::Nats => {
            let nats = Nats { credential: Some(credential), reading: generic(reading, items, event), ..nats? };
            return Some(EventSource { kind: SourceKind::Nats(Box::new(nats)), secrets });
        }
        Kind::EventBridge => Format::EventBridge,
        Kind::PagerDuty => Format::PagerDuty,
        Kind::Datadog => Format::Datadog,
        Kind::Opsgenie => Format::Opsgenie,
        Kind::GitHub => Format::GitHub,
        Kind::Sentry => Format::Sentry,
        Kind::CloudEvents => Format::CloudEvents { origins: origins.into_iter().map(|origin| origin.value).collect() },
        Kind::StandardWebhooks => Format::StandardWebhooks,
        Kind::Generic => Format::Generic(Box::new(generic(reading, items, event))),
    };
    Some(EventSource { kind: SourceKind::Webhook(Webhook { format, credential }), secrets })
}

/// Keys that say nothing of a source of this type.
fn misplaced(reading: &Reading, fields: &Fields, kind: Kind) {
    for key in fields.keys() {
        let right = match key.value.as_str() {
            credential if CREDENTIALS.contains(&credential) => kind.credentials().contains(&credential),
            "hmac" => kind.takes_hmac(),
            "topics" => kind == Kind::Sns,
            "origins" => kind == Kind::CloudEvents,
            "items" | "event" => matches!(kind, Kind::Generic | Kind::Folder | Kind::Nats),
            "url" | "stream" | "consumer" | "subject" => kind == Kind::Nats,
            "path" | "suffix" | "settled" => kind == Kind::Folder,
            "cron" | "zone" | "late" | "missed" => kind == Kind::Schedule,
            "secrets" => !matches!(kind, Kind::Schedule | Kind::Folder),
            _ => true,
        };
        if right {
            continue;
        }
        let message = format!("a source of type `{}` has no `{}`", kind.name(), key.value);
        let fault = reading.diagnostic(Code::RB0023, key.span, message);
        let fault = match (kind.credentials(), CREDENTIALS.contains(&key.value.as_str())) {
            ([], true) if kind == Kind::Schedule => fault.reason("it is our own clock that ticks").help("remove it"),
            ([], true) if kind == Kind::Folder => fault.reason("who may write to the folder may send").help("remove it"),
            ([], true) => fault.reason("SNS signs with a certificate of its own").help("remove it, and name its `topics`"),
            (_, true) if kind == Kind::Nats => {
                fault.reason("it is we who show who we are").help("write `bearer` for a token, or `basic`")
            }
            ([only], true) => fault.reason("its sender signs, and nothing less is taken").help(format!("write `{only}`")),
            (some, true) => fault.reason("its sender signs nothing").help(format!("write one of {}", scalar::listed(some))),
            (_, false) => fault.help("remove it"),
        };
        reading.report(fault);
    }
}

/// `is_one`: the source is a schedule, and has to say when it ticks.
fn timetable(fields: &mut Fields, is_one: bool, timezone: &str) -> Option<Schedule> {
    let reading = fields.reading;
    let cron = fields.text("cron");
    if is_one && !fields.has("cron") {
        fields.missing("cron");
    }
    let zone = match fields.text("zone") {
        Some(zone) => schedule::zone(reading, &zone),
        None => Some(timezone.to_owned()),
    };
    let late = fields.duration("late").map_or(limits::TICK_LATE, |late| late.value);
    let missed = fields.word("missed", &MISSED).map(|word| word.value).unwrap_or_default();
    let (cron, zone) = (cron?, zone?);
    if reading.is_full() {
        return None;
    }
    if let Err(why) = Timetable::of(&cron.value, &zone) {
        let message = format!("`{}` does not say when to tick", scalar::clipped(&cron.value));
        let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, cron.span), message).reason(why);
        reading.report(fault.help("write minute, hour, day of month, month and day of week, such as `30 2 * * mon-fri`"));
        return None;
    }
    Some(Schedule { cron: cron.value, zone, late, missed })
}

fn generic(reading: &Reading, items: Option<Scalar>, event: Option<Generic>) -> Generic {
    Generic { items: items.and_then(|items| expression(reading, &items, "body")), ..event.unwrap_or_default() }
}

/// `is_one`: the source is a folder, and has to say which.
fn folder(fields: &mut Fields, is_one: bool) -> Option<Folder> {
    let reading = fields.reading;
    let path = fields.text("path");
    if is_one && !fields.has("path") {
        fields.missing("path");
    }
    let suffix = fields.text("suffix");
    let settled = fields.duration("settled").map_or(limits::FOLDER_SETTLED, |settled| settled.value);
    for (text, what) in [(&path, "path"), (&suffix, "suffix")] {
        let wrong = |text: &&Scalar| {
            let value = text.value.as_str();
            let whole = match what {
                // The folder of the catalogue itself, and every file of it, would be taken away.
                "path" => value.split('/').all(|part| matches!(part, "" | "." | "..")) && !value.starts_with('/'),
                _ => value.is_empty() || value.contains('/'),
            };
            whole || value.chars().any(char::is_control)
        };
        if let Some(text) = text.as_ref().filter(wrong) {
            let message = format!("`{}` cannot be a {what}", scalar::clipped(&text.value));
            let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, text.span), message);
            reading
                .report(fault.help("name a folder of its own in plain characters; a suffix is the end of a name, such as `.json`"));
            return None;
        }
    }
    let suffix = suffix.map_or_else(|| ".json".to_owned(), |suffix| suffix.value);
    is_one.then_some(Folder { path: path?.value, suffix, settled, reading: Generic::default() })
}

fn topics(reading: &Reading, fields: &mut Fields, kind: Option<&Spanned<Kind>>) -> Vec<String> {
    let topics = fields.some_texts("topics");
    if kind.is_some_and(|kind| kind.value == Kind::Sns) && !fields.has("topics") {
        fields.missing("topics");
    }
    for topic in &topics {
        let parts: Vec<&str> = topic.value.split(':').collect();
        let right = matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws") && [region, account, name].iter().all(|part| !part.is_empty()));
        if !right {
            let message = format!("`{}` is not the ARN of a topic", scalar::clipped(&topic.value));
            let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, topic.span), message);
            reading.report(fault.help("write it whole, such as `arn:aws:sns:eu-west-1:123456789012:alarms`"));
        }
    }
    topics.into_iter().map(|topic| topic.value).collect()
}

/// The secrets that `secrets.<name>` refers to: those of the source itself.
/// `is_one`: the source is a stream of NATS, and has to say which.
fn nats(fields: &mut Fields, is_one: bool) -> Option<Nats> {
    let reading = fields.reading;
    let [url, stream, consumer, subject] = ["url", "stream", "consumer", "subject"].map(|key| fields.text(key));
    ["url", "stream"].iter().filter(|key| is_one && !fields.has(key)).for_each(|key| fields.missing(key));
    let is_plain = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    // What stands in a subject of its own interface: https://docs.nats.io/nats-concepts/jetstream/streams
    let is_name = |text: &str| is_plain(text) && !text.contains(['.', '*', '>', '/', '\\']);
    let is_address = |text: &str| {
        let host = ["nats://", "tls://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        host.is_some_and(|host| is_plain(host) && !host.contains(['@', '/']))
    };
    type Judge<'a> = (&'a Option<Scalar>, &'a dyn Fn(&str) -> bool, &'static str, &'static str);
    let judged: [Judge<'_>; 4] = [
        (
            &url,
            &is_address,
            "the address of a server of NATS",
            "write `nats://HOST:PORT`, or `tls://HOST:PORT`; a password is a secret",
        ),
        (&stream, &is_name, "the name of a stream", "a name has no space, and none of `.`, `*`, `>`, `/` and `\\`"),
        (&consumer, &is_name, "the name of a consumer", "a name has no space, and none of `.`, `*`, `>`, `/` and `\\`"),
        (&subject, &is_plain, "a subject", "write it without spaces, such as `plant.*.alarms`, or `plant.>`"),
    ];
    for (text, holds, what, help) in judged {
        if let Some(text) = text.as_ref().filter(|text| !holds(&text.value)) {
            let message = format!("`{}` is not {what}", scalar::clipped(&text.value));
            reading.report(reading.diagnostic(Code::RB0018, scalar::shown(reading, text.span), message).help(help));
            return None;
        }
    }
    let consumer = consumer.map_or_else(|| "runbook".to_owned(), |consumer| consumer.value);
    let subject = subject.map(|subject| subject.value);
    let (url, stream) = (url?.value, stream?.value);
    is_one.then_some(Nats { url, stream, consumer, subject, credential: None, reading: Generic::default() })
}

fn owned(reading: &Reading, references: &[Scalar], secrets: &Secrets) -> Option<Vec<Id>> {
    if let Some(beyond) = references.get(limits::SOURCE_SECRETS) {
        let message = format!("a source has at most {} secrets at a time", limits::SOURCE_SECRETS);
        reading.report(reading.diagnostic(Code::RB0018, beyond.span, message).help("remove those that nobody uses any more"));
        return None;
    }
    let found: Vec<Option<Id>> = references.iter().map(|reference| one(reading, reference, secrets, "the source")).collect();
    found.into_iter().collect::<Option<Vec<Id>>>().filter(|found| !found.is_empty())
}

/// That of the secrets of `what` which is meant.
pub(super) fn one(reading: &Reading, reference: &Scalar, secrets: &Secrets, what: &str) -> Option<Id> {
    let Some(name) = reference.value.strip_prefix("secrets.") else {
        let fault = reading.diagnostic(Code::RB0408, scalar::shown(reading, reference.span), "a secret stands in the file");
        reading.report(fault.help(format!("declare it under `secrets` of {what} and write `secrets.<name>` here")));
        return None;
    };
    let found = secrets.keys().find(|known| known.as_str() == name);
    if found.is_none() {
        let message = format!("{what} has no secret `{}`", scalar::clipped(name));
        let fault = reading.diagnostic(Code::RB0111, reference.span, message);
        reading.report(match nearest(name, secrets.keys().map(Id::as_str)) {
            Some(near) => fault.help(format!("did you mean `secrets.{near}`?")).replace(reference.span, format!("secrets.{near}")),
            None => fault.help(format!("declare it under `secrets` of {what}")),
        });
    }
    found.cloned()
}

fn hmac(reading: &Reading, mut fields: Fields, kind: Option<Kind>) -> Option<Hmac> {
    let known = kind.filter(|kind| *kind == Kind::Grafana).map(Kind::scheme);
    let header = match &known {
        Some(_) => fields.text("header"),
        None => fields.require_text("header"),
    };
    let algorithm = fields.word("algorithm", &ALGORITHMS);
    let encoding = fields.word("encoding", &ENCODINGS);
    let prefix = fields.text("prefix").map(|prefix| prefix.value).unwrap_or_default();
    let signed = fields.text("signed");
    let timed = fields.has("timestamp");
    let timestamp = fields.map("timestamp", "`timestamp`").and_then(|timestamp| self::timestamp(reading, timestamp));
    fields.finish();
    if let Some(header) = &header {
        verb::header_name(reading, &header.value, header.span);
    }
    let between = if known.is_some() { ":" } else { "." };
    let signed = match signed {
        Some(signed) => self::signed(reading, &signed, timed)?,
        None if timed => vec![Signed::Timestamp, Signed::Text(between.to_owned()), Signed::Body],
        None => vec![Signed::Body],
    };
    if timed && timestamp.is_none() {
        return None;
    }
    Some(Hmac {
        header: header.map(|header| header.value).or(known.map(|known| known.header))?,
        algorithm: algorithm.map(|word| word.value).unwrap_or_default(),
        encoding: encoding.map(|word| word.value).unwrap_or_default(),
        prefix,
        signed,
        timestamp,
        key: KeyForm::Text,
    })
}

fn timestamp(reading: &Reading, mut fields: Fields) -> Option<SignedTime> {
    let header = fields.require_text("header");
    let prefix = fields.text("prefix").map(|prefix| prefix.value).unwrap_or_default();
    let within = fields.period("within");
    fields.finish();
    if let Some(within) = within.as_ref().filter(|within| within.value > limits::DELIVERY_WITHIN_MOST) {
        let fault = reading.diagnostic(Code::RB0018, within.span, "`within` is longer than a day");
        reading.report(fault.reason("within this time a delivery can be sent again").help("write some minutes, such as `5m`"));
        return None;
    }
    let header = header?;
    verb::header_name(reading, &header.value, header.span);
    Some(SignedTime { header: header.value, prefix, within: within.map_or(limits::DELIVERY_WITHIN, |within| within.value) })
}

/// What is signed: text, `{timestamp}`, `{body}`, and `{Name-Of-A-Header}`.
fn signed(reading: &Reading, text: &Scalar, timed: bool) -> Option<Vec<Signed>> {
    let fault = |message: &str, help: &str| {
        reading.report(reading.diagnostic(Code::RB0018, scalar::shown(reading, text.span), message).help(help.to_owned()));
        None
    };
    let mut parts = Vec::new();
    let mut rest = text.value.as_str();
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else {
            return fault("`signed` has a brace that is not closed", "write names in braces, such as `{timestamp}.{body}`");
        };
        if !before.is_empty() {
            parts.push(Signed::Text(before.to_owned()));
        }
        parts.push(match name {
            "body" => Signed::Body,
            "timestamp" => Signed::Timestamp,
            header => {
                verb::header_name(reading, header, text.span);
                Signed::Header(header.to_owned())
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Signed::Text(rest.to_owned()));
    }
    let count = |wanted: &Signed| parts.iter().filter(|part| *part == wanted).count();
    match (count(&Signed::Body), count(&Signed::Timestamp), timed) {
        (1, 0, false) | (1, 1, true) => Some(parts),
        (0, _, _) => fault("`signed` does not name the body", "add `{body}`: what is not signed can be changed on its way"),
        (1, 0, true) => fault("`signed` does not name the timestamp", "add `{timestamp}`: one that is not signed can be changed"),
        (1, 1, false) => fault("`signed` names a timestamp, and nothing says where it stands", "add `timestamp` with its `header`"),
        _ => fault("`signed` names something twice", "name `{body}` and `{timestamp}` once"),
    }
}

fn event(mut fields: Fields, items: bool) -> Generic {
    let reading = fields.reading;
    let root = if items { "item" } else { "body" };
    let mut field = |key: &'static str| fields.expression(key).and_then(|text| expression(reading, &text, root));
    let generic = Generic {
        items: None,
        id: field("id"),
        key: field("key"),
        kind: field("type"),
        status: field("status"),
        subject: field("subject"),
        time: field("time"),
    };
    fields.finish();
    generic
}

/// An expression over `headers` and one other name.
fn expression(reading: &Reading, text: &Scalar, root: &'static str) -> Option<Expression> {
    let at = Origin { file: Origin::WORKSPACE, position: reading.source().position(text.span.start) };
    let expression = match Expression::parse(&text.value, at) {
        Ok(expression) => expression,
        Err(why) => {
            let span = text.span_of(reading.source(), why.offset, why.offset + 1);
            reading.report(reading.diagnostic(Code::RB0112, span, "the expression cannot be read").reason(why.message));
            return None;
        }
    };
    let known = [root, "headers"];
    let mut right = true;
    for reference in expression.references() {
        let name = reference.path.first().map(String::as_str).unwrap_or_default();
        if known.contains(&name) {
            continue;
        }
        right = false;
        let span: Span = text.span_of(reading.source(), reference.offset, reference.offset + name.len());
        let fault = reading.diagnostic(Code::RB0118, span, format!("`{}` is not known here", scalar::clipped(name)));
        let other = ["body", "item"].into_iter().find(|other| *other == name);
        reading.report(match (nearest(name, known), other) {
            (Some(near), _) => fault.help(format!("did you mean `{near}`?")).replace(span, near),
            (None, Some("body")) => fault.help("with `items`, each of them is read as `item`"),
            (None, Some(_)) => fault.help("add `items`, or read the whole `body`"),
            (None, None) => fault.help(format!("it knows {}", scalar::listed(&known))),
        });
    }
    right.then_some(expression)
}
