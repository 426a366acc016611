//! `kind: Runbook` and `kind: Playbook`.

use jiff::civil::Date;

use super::{Fields, Reading, input, must, scalar, step, trigger};
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::procedure::{Defaults, Impact, SecretFrom, SecretRef, Version};
use crate::document::step::EnvEntry;
use crate::document::{Node, Procedure, ProcedureKind, Scalar};
use crate::id::{Id, ProcedureName};

const IMPACTS: [(&str, Impact); 4] =
    [("low", Impact::Low), ("medium", Impact::Medium), ("high", Impact::High), ("critical", Impact::Critical)];

pub(super) fn decode(mut fields: Fields, kind: ProcedureKind, kind_span: Span) -> Procedure {
    let reading = fields.reading;
    fields.describe(match kind {
        ProcedureKind::Runbook => "a runbook",
        ProcedureKind::Playbook => "a playbook",
    });
    let span = fields.span();
    let head = fields.head();
    let name = fields.require("name").and_then(|node| scalar::text(reading, node, "name"));
    let name = name.and_then(|name| scalar::parsed::<ProcedureName>(reading, &name));
    let version = fields.require("version").and_then(|node| version(reading, node));
    let owner = fields.text("owner");
    let impact = fields.word("impact", &IMPACTS);
    let escalation = fields.text("escalation");
    if kind == ProcedureKind::Playbook {
        for key in ["owner", "impact", "escalation", "triggers"].into_iter().filter(|key| !fields.has(key)) {
            playbook_lacks(&fields, key);
        }
    }
    let triggers = trigger::decode_all(&mut fields, kind);
    let steps = match fields.require("steps") {
        Some(node) => step::decode_list(reading, node, "steps"),
        None => Vec::new(),
    };
    let mut procedure = Procedure {
        source: reading.source().clone(),
        span,
        kind: Spanned::new(kind, kind_span),
        name: name.unwrap_or_else(|| Spanned::new(ProcedureName::unnamed(), head)),
        version: version.unwrap_or_else(|| Spanned::new(Version { major: 0, minor: 0, patch: 0 }, head)),
        title: fields.text("title"),
        description: fields.text("description"),
        owner,
        impact,
        reviewed: fields.take("reviewed").and_then(|node| date(reading, node)),
        review_every: fields.period("review_every"),
        exercise_every: fields.period("exercise_every"),
        escalation,
        labels: labels(&mut fields),
        contacts: fields.texts("contacts"),
        triggers,
        inputs: input::decode_all(reading, fields.entries("inputs")),
        secrets: secrets(reading, fields.entries("secrets")),
        lock: fields.text("lock"),
        defaults: defaults(&mut fields),
        timeout: fields.period("timeout"),
        steps,
        on_failure: fields.take("on_failure").map(|node| step::decode_list(reading, node, "on_failure")).unwrap_or_default(),
        finally: fields.take("finally").map(|node| step::decode_list(reading, node, "finally")).unwrap_or_default(),
        outputs: fields.expressions("outputs"),
        must: must::decode_all(&mut fields),
        concurrency: trigger::concurrency(&mut fields),
    };
    fields.finish();
    for (name, secret) in reading.secrets.take() {
        match procedure.secrets.iter().find(|(known, _)| known.value == name.value) {
            Some((first, _)) => reading.report(
                reading
                    .diagnostic(Code::RB0002, name.span, format!("the secret `{}` is declared twice", name.value))
                    .label(first.span, "it is declared here first")
                    .help("declare it once, at the top, and use it in both steps"),
            ),
            None => procedure.secrets.push((name, secret)),
        }
    }
    procedure
}

fn playbook_lacks(fields: &Fields, key: &str) {
    let reading = fields.reading;
    if reading.is_whole(fields.span()) {
        let reason = match key {
            "triggers" => "a playbook answers events, and nothing says which",
            _ => "whoever is woken by it must know whose it is, how bad it is and whom to ask next",
        };
        reading.report(
            reading
                .diagnostic(Code::RB0011, fields.head(), format!("a playbook has no `{key}`"))
                .reason(reason)
                .help(format!("add `{key}`, or make it a `kind: Runbook`")),
        );
    }
}

fn version(reading: &Reading, node: &Node) -> Option<Spanned<Version>> {
    let text = scalar::text(reading, node, "version")?;
    match text.value.parse::<Version>() {
        Ok(version) => Some(Spanned::new(version, text.span)),
        Err(message) => {
            let mut diagnostic = reading.diagnostic(Code::RB0017, text.span, message);
            let mended = format!("{}{}", text.value, if text.value.contains('.') { ".0" } else { ".0.0" });
            if mended.parse::<Version>().is_ok() {
                diagnostic = diagnostic.help(format!("write `{mended}`")).replace(text.span, mended);
            }
            reading.report(diagnostic);
            None
        }
    }
}

fn date(reading: &Reading, node: &Node) -> Option<Spanned<Date>> {
    let text = scalar::text(reading, node, "reviewed")?;
    match text.value.parse::<Date>() {
        Ok(date) if text.value.len() == "2026-10-02".len() => Some(Spanned::new(date, text.span)),
        _ => {
            let message = format!("`{}` is not a date of the calendar", scalar::clipped(&text.value));
            reading.report(
                reading
                    .diagnostic(Code::RB0016, scalar::shown(reading, text.span), message)
                    .help("write year, month and day, such as `2026-10-02`"),
            );
            None
        }
    }
}

fn labels(fields: &mut Fields) -> Vec<(Spanned<String>, Scalar)> {
    let reading = fields.reading;
    let entries = fields.entries("labels").iter();
    entries
        .filter_map(|(key, node)| Some((Spanned::new(key.value.clone(), key.span), scalar::text(reading, node, &key.value)?)))
        .collect()
}

pub(in crate::document) fn secrets(reading: &Reading, entries: &[(Scalar, Node)]) -> Vec<(Spanned<Id>, SecretRef)> {
    entries
        .iter()
        .filter_map(|(name, node)| {
            let id = scalar::parsed::<Id>(reading, name);
            let secret = secret(reading, node);
            Some((id?, secret?))
        })
        .collect()
}

const ORIGINS: [&str; 4] = ["from", "env", "file", "command"];

fn secret(reading: &Reading, node: &Node) -> Option<SecretRef> {
    let mut fields = Fields::of(reading, node, "a secret")?;
    let mut origins = fields.keys().filter(|key| ORIGINS.contains(&key.value.as_str()));
    let (first, second) = (origins.next(), origins.next());
    if let (Some(first), Some(second)) = (first, second) {
        fields.exclude(first, second);
    }
    let env = fields.text("env");
    let file = fields.text("file");
    let command = fields.take("command").map(|node| step::arguments(reading, node, "command"));
    let from = match first.map(|key| key.value.as_str()) {
        Some("env") => env.and_then(|name| scalar::variable(reading, &name).map(|_| SecretFrom::Env(name))),
        Some("file") => file.map(SecretFrom::File),
        Some("command") => command.filter(|argv| !argv.is_empty()).map(SecretFrom::Command),
        Some(_) => {
            let provider = fields.text("from");
            let key = fields.require_text("key");
            provider.zip(key).map(|(provider, key)| SecretFrom::Provider { provider, key })
        }
        None => {
            reading.report(
                reading
                    .diagnostic(Code::RB0011, fields.head(), "a secret does not say where it comes from")
                    .help("add `from` and `key`, or `env`, `file` or `command`"),
            );
            None
        }
    };
    for key in ["from", "key"] {
        fields.entry(key);
    }
    if let Some(key) = fields.keys().find(|key| key.value == "key")
        && first.is_some_and(|first| first.value != "from")
    {
        reading.report(
            reading
                .diagnostic(Code::RB0023, key.span, "`key` belongs to a secret `from` a provider")
                .help("remove `key`, or name the provider with `from`"),
        );
    }
    fields.finish();
    Some(SecretRef { span: node.span, from: from? })
}

fn defaults(fields: &mut Fields) -> Defaults {
    let Some(mut fields) = fields.map("defaults", "`defaults`") else { return Defaults::default() };
    let reading = fields.reading;
    let defaults = Defaults {
        timeout: fields.period("timeout"),
        retry: fields.take("retry").and_then(|node| step::retry(reading, node)),
        env: environment(&mut fields),
        shell: fields.word("shell", &step::SHELLS),
        on: fields.take("on").cloned(),
    };
    fields.finish();
    defaults
}

/// The `env` of a step or of the defaults.
pub(super) fn environment(fields: &mut Fields) -> Vec<EnvEntry> {
    let reading = fields.reading;
    fields
        .entries("env")
        .iter()
        .filter_map(|(key, node)| {
            let name = scalar::variable(reading, key);
            let value = scalar::expression(reading, node, &key.value);
            Some(EnvEntry { name: name?, value: value? })
        })
        .collect()
}
