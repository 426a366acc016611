//! How things of the engine are said to people: counts, sizes and durations, identities, and the exact work of a step. Whatever came from
//! outside is harmless to show.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::document::step::Since;
use runbook_core::plain::{line, plain};
use runbook_core::policy::People;
use runbook_core::run::event::{Identity, Means};
use runbook_core::run::task::{EnvText, EventTask, HttpContent, Task, Work};
use runbook_core::value::{Map, Value};
use runbook_core::{Run, StepPath};

use crate::report::dry_run::shell_word;

/// `1 run`, `2 runs`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1.5 GiB`.
pub fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = units.get(unit).unwrap_or(&"B");
    if *unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") }
}

/// Time that has passed, as short as it can be read: `40ms`, `1.2s`, `3m 05s`, `2h 10m`.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Minutes and seconds since the start of a run: `0:07`, `12:30`, `3:00:00`.
pub fn stopwatch(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds % 3600 / 60, seconds % 60),
    }
}

/// The time between two instants; nothing where they are the wrong way round.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// A person and how that is known, with the name that the workspace gives to whoever is proven to be that person.
pub fn who(people: &People, identity: &Identity) -> String {
    let known = people.people.get(&identity.person).filter(|_| people.vouches_for(identity));
    let person = match known.and_then(|person| person.name.as_ref()) {
        Some(name) => format!("{name}, {}", identity.person),
        None => identity.person.clone(),
    };
    match &identity.means {
        Means::LocalUser { user, host } => format!("{person} (user {user} on {host})"),
        Means::Token { token } => format!("{person} (by token {token})"),
        Means::Session { session } => format!("{person} (by session {session})"),
        Means::Certificate { certificate } => format!("{person} (by certificate {})", certificate.short()),
        Means::SshKey { user, host } => format!("{person} (by SSH key, at the terminal of {user} on {host})"),
        Means::Engine => person,
    }
}

/// A value on one line.
pub fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => clip(text),
        other => clip(&other.to_plain_json().to_string()),
    }
}

/// A value as a person types it.
pub fn as_typed(value: &Value) -> String {
    match value.to_plain_json() {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    }
}

fn clip(text: &str) -> String {
    let text = line(text);
    match text.char_indices().nth(200) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.into_owned(),
    }
}

/// `name = value` of each, in order of names.
pub fn values(map: &Map) -> Vec<String> {
    let shown = |v: &Value| if *v == Value::Null { "(not given)".to_owned() } else { value(v) };
    map.iter().map(|(name, v)| format!("{} = {}", line(name), shown(v))).collect()
}

/// What an author says about a step, in lines that are harmless to show: the first behind its name, the others below one another.
pub fn remark(name: &str, text: &str) -> Vec<String> {
    let text = plain(text.trim());
    let head = |number: usize| if number == 0 { format!("{name}: ") } else { " ".repeat(name.len() + 2) };
    text.lines().enumerate().map(|(number, line)| format!("{}{line}", head(number))).collect()
}

/// A step by its number and its path: `3. rebuild/copy`.
pub fn step(run: &Run, path: &StepPath) -> String {
    match run.find_step(path) {
        Some(step) => format!("{}. {path}", step.number()),
        None => path.to_string(),
    }
}

/// What a step does, exactly, in lines that are harmless to show.
pub fn work(work: &Work) -> Vec<String> {
    let mut lines = Vec::new();
    match &work.task {
        Task::Run { shell, script, values } => {
            let shell = match shell {
                runbook_core::document::step::Shell::Sh => "sh",
                runbook_core::document::step::Shell::Bash => "bash",
            };
            for (number, text) in script.trim_end().lines().enumerate() {
                lines.push(format!("{}{}", if number == 0 { format!("{shell}: ") } else { "    ".to_owned() }, line(text)));
            }
            lines.extend(values.iter().map(|(name, value)| format!("    {} = {}", line(name), line(&format!("{value:?}")))));
        }
        Task::Exec { argv } => {
            let words: Vec<String> = argv.iter().map(|word| shell_word(word)).collect();
            lines.push(format!("exec: {}", line(&words.join(" "))));
        }
        Task::Rhai { script, scope } => {
            for (number, text) in script.trim_end().lines().enumerate() {
                lines.push(format!("{}{}", if number == 0 { "rhai: " } else { "    " }, line(text)));
            }
            lines.extend(values(scope).into_iter().map(|text| format!("    {text}")));
        }
        Task::Http(http) => {
            lines.push(format!("http: {} {}", line(&http.method), line(&http.url)));
            lines.extend(http.headers.iter().map(|(name, text)| format!("    {}: {}", line(name), env_text(text))));
            match &http.body {
                Some(HttpContent::Json(json)) => lines.push(format!("    {}", line(&json.to_plain_json().to_string()))),
                Some(HttpContent::Form(fields)) => {
                    lines.extend(fields.iter().map(|(name, text)| format!("    {}={}", line(name), line(text))));
                }
                Some(HttpContent::Raw(text)) => lines.extend(plain(text).lines().map(|text| format!("    {text}"))),
                None => {}
            }
        }
        Task::Notify { to, subject, message, .. } => {
            let subject = if subject.is_empty() { String::new() } else { format!(" ({})", line(subject)) };
            lines.push(format!("notify: {}{subject}: {}", line(&to.join(", ")), line(message)));
        }
        Task::Event(task) => {
            lines.push(format!("event: {}", event(task)));
            lines.extend(values(&task.names).into_iter().map(|text| format!("    {text}")));
        }
    }
    lines.extend(work.env.iter().map(|(name, text)| format!("    {}={}", line(name), env_text(text))));
    if let Some(dir) = &work.dir {
        lines.push(format!("    in {}", line(dir)));
    }
    lines
}

/// Which events end a wait: `of ci, when event.status == "resolved", from when it waits`.
pub fn event(task: &EventTask) -> String {
    let when = task.when.as_ref().map(|when| format!(", when {}", line(when))).unwrap_or_default();
    let since = if task.since == Since::Step { ", from when it waits" } else { "" };
    format!("of {}{when}{since}", line(&task.source))
}

fn env_text(text: &EnvText) -> String {
    match text {
        EnvText::Plain(text) => line(text).into_owned(),
        EnvText::Secret(name) => format!("‹secret {}›", name.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (number, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_610_612_736, "1.5 GiB"), (u64::MAX, "16384.0 PiB")]
        {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn durations_are_short() {
        for (ms, text, watch) in [
            (0, "0ms", "0:00"),
            (999, "999ms", "0:00"),
            (1_250, "1.2s", "0:01"),
            (65_000, "1m 05s", "1:05"),
            (7_800_000, "2h 10m", "2:10:00"),
            (90_000_000, "1d 01h", "25:00:00"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!((elapsed(duration).as_str(), stopwatch(duration).as_str()), (text, watch));
        }
    }

    #[test]
    fn words_of_a_shell() {
        for (text, word) in [("plain-1.txt", "plain-1.txt"), ("", "''"), ("two words", "'two words'"), ("it's", "'it'\\''s'")] {
            assert_eq!(shell_word(text), word);
        }
    }
}
