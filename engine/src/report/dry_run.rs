//! A dry run for whoever reviews it: what is said of each step in the order in which it is asked for, and the whole as Markdown and as a
//! page.

use std::collections::BTreeMap;

use runbook_core::document::step::{FinishOutcome, Shell, Since};
use runbook_core::effect::Effect;
use runbook_core::explore::{DryRun, PredictedEnd, PredictedRequest, PredictedStep, PredictedUndo, Supposed, Verdict};
use runbook_core::markdown::quoted;
use runbook_core::policy::People;
use runbook_core::run::decision::Purpose;
use runbook_core::run::task::{EnvText, HttpContent, Task, Work};
use runbook_core::value::{Map, Value, format_duration};

use super::asked::{self, Asked};
use super::guide::wanted;
use super::prose::Piece;
pub use super::said::{Said, What};
use super::said::{code, in_html, in_markdown, ours, prose, text};
use super::{html, markdown};

/// What is said of a step beside its verdict and its command.
pub fn said(step: &PredictedStep, people: &People) -> Vec<Said> {
    let mut said = Vec::new();
    if matches!(step.verdict, Verdict::WouldSkip { .. }) {
        return said;
    }
    done(step.repeats.as_ref(), step.ends.as_ref(), &step.requests, Some(&step.undo), people, &mut said);
    for other in &step.otherwise {
        said.push(ours("on another way", other.title.as_deref().unwrap_or(step.path.label())));
        said.extend(other.why.as_ref().map(|why| text("why", why.trim())));
        said.extend(other.work.iter().flat_map(work));
        said.extend(other.waits.as_ref().map(|waits| ours("waits", waits)));
        let requests = other.requests.as_deref().unwrap_or_default();
        done(other.repeats.as_ref(), other.ends.as_ref(), requests, other.undo.as_ref(), people, &mut said);
    }
    if !step.secrets.is_empty() {
        said.push(text("secrets", step.secrets.join(", ")));
    }
    if !step.gives.is_empty() {
        let gives: Vec<String> = step.gives.iter().map(|(name, of)| format!("{name} ({of})")).collect();
        said.push(text("gives", gives.join(", ")));
    }
    if let Some(usual) = &step.usual {
        let attempts = if usual.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", usual.attempts) };
        said.push(text("usually", format!("{}, the median of {attempts}", brief_time(usual.median))));
    }
    said.extend(step.notes.iter().map(|note| ours("note", note)));
    said
}

/// What is said of what a step does, beside its command.
fn done(
    repeats: Option<&String>,
    ends: Option<&PredictedEnd>,
    requests: &[PredictedRequest],
    undo: Option<&PredictedUndo>,
    people: &People,
    said: &mut Vec<Said>,
) {
    said.extend(repeats.map(|repeats| ours("repeats", repeats)));
    said.extend(ends.map(|end| text("ends", ending(end))));
    for asked in requests {
        said.push(ours("asks", request(asked, people)));
        let question = asked.request.question.trim().to_owned();
        let several = question.contains('\n');
        said.push(Said { name: "question", what: if several { What::Block("", question) } else { What::Text(question) } });
        said.extend(asked.request.evidence.as_ref().map(|evidence| text("evidence", evidence)));
        said.extend(wanted(&asked.request.fields).into_iter().map(|field| text("answer", field.to_string())));
    }
    match undo {
        Some(PredictedUndo::Steps(steps)) => {
            for undo in steps {
                let mut line = match undo.work.as_ref().map(|work| &work.task) {
                    Some(Task::Run { script, .. }) if script.trim_end().contains('\n') => vec![Piece::Text(undo.title.clone())],
                    // A title that was made of the verb says no more than the command.
                    Some(task) if undo.title.starts_with(verb(task)) => vec![Piece::Code(brief(task))],
                    Some(task) => vec![Piece::Text(format!("{}: ", undo.title)), Piece::Code(brief(task))],
                    None => vec![Piece::Text(undo.title.clone())],
                };
                if let Some(condition) = &undo.condition {
                    line.extend([Piece::Text(", if ".to_owned()), Piece::Code(condition.clone())]);
                }
                said.push(Said { name: "undo", what: What::Line(line) });
                if let Some(Task::Run { shell, script, values }) = undo.work.as_ref().map(|work| &work.task)
                    && script.trim_end().contains('\n')
                {
                    let values = values.iter().map(|(name, value)| format!("# {name}={}\n", shell_word(value)));
                    let block = What::Block(language(*shell), values.collect::<String>() + script.trim_end());
                    said.push(Said { name: "undo", what: block });
                }
            }
        }
        Some(PredictedUndo::Irreversible(reason)) => said.push(prose("irreversible", reason)),
        Some(PredictedUndo::None) => said.push(text("undo", "none, and nothing says that it may be done again")),
        Some(PredictedUndo::Repeatable | PredictedUndo::NotNeeded) | None => {}
    }
}

/// What a `finish` ends, how, and what it says.
fn ending(end: &PredictedEnd) -> String {
    let outcome = match end.outcome {
        FinishOutcome::Succeeded => "succeeded",
        FinishOutcome::Failed => "failed",
    };
    let says = if end.message.is_empty() { String::new() } else { format!(": {}", end.message.trim()) };
    format!("{}, {outcome}{says}", end.what)
}

/// Who is asked, how many must agree, how long they have, what follows, and by which rule.
pub fn request(predicted: &PredictedRequest, people: &People) -> String {
    let PredictedRequest { purpose, request, escalation } = predicted;
    let asked = Asked {
        from: &request.from,
        count: request.count,
        not_requester: request.not_requester.into(),
        signed: request.signed.into(),
        within: request.within,
        on_timeout: request.on_timeout,
        rungs: escalation.iter().map(|rung| (rung.to.as_slice(), rung.within)).collect(),
        rule: if let Purpose::Gate { rule } = purpose { Some(rule.as_str()) } else { None },
    };
    asked::asked(&asked, people)
}

/// One step as a line of a list.
pub struct Line<'d> {
    pub step: &'d PredictedStep,
    /// The path; what is done for each item of an unknown list stands in `[*]`.
    pub path: String,
    /// In one line; a reason that was given before names the step that gave it.
    pub verdict: String,
    /// How good or bad that is.
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warning,
    Quiet,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Warning => "warning",
            Tone::Quiet => "quiet",
        }
    }
}

impl Line<'_> {
    /// The path, and the title where it says more.
    fn title(&self) -> String {
        if self.step.title == self.step.path.label() { self.path.clone() } else { format!("{} · {}", self.path, self.step.title) }
    }
}

/// Every step as a line.
pub fn lines(dry: &DryRun) -> Vec<Line<'_>> {
    let mut reasons: BTreeMap<&str, &PredictedStep> = BTreeMap::new();
    let mut patterns: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for step in &dry.steps {
        let (tone, verdict) = match (&step.verdict, &step.fails) {
            (Verdict::WouldRun, None) => (Tone::Good, "would run".to_owned()),
            (Verdict::WouldRun, Some(why)) => (Tone::Bad, format!("would run and fail, because {why}")),
            (Verdict::WouldSkip { because }, _) => (Tone::Quiet, format!("would skip, because {because}")),
            (Verdict::CannotKnow { because }, _) => {
                let first = *reasons.entry(because).or_insert(step);
                let told = if first.path == step.path {
                    format!("because {because}")
                } else {
                    // Items and rounds of a step have one number.
                    let other = first.number != step.number;
                    format!("for the reason of {}", if other { first.number.as_str() } else { first.path.as_str() })
                };
                (Tone::Warning, format!("cannot know, {told}"))
            }
        };
        let mut path = step.path.to_string();
        for around in patterns.iter().rev() {
            if let Some(rest) = step.path.as_str().strip_prefix(around).and_then(|rest| rest.strip_prefix("[0]")) {
                path = format!("{around}[*]{}", path.get(path.len() - rest.len()..).unwrap_or(rest));
            }
        }
        if step.repeats.as_ref().is_some_and(|repeats| repeats.ends_with("as a pattern")) {
            patterns.push(step.path.as_str());
        }
        lines.push(Line { step, path, verdict, tone });
    }
    lines
}

/// How the ways end, how many there are, and of how much is not known.
pub fn summary(dry: &DryRun) -> String {
    let mut ends: Vec<&str> = Vec::new();
    for name in dry.outcomes.iter().map(|outcome| outcome.kind.name()) {
        if !ends.contains(&name) {
            ends.push(name);
        }
    }
    let ways = if dry.ways == 1 { "one way".to_owned() } else { format!("{} ways", dry.ways) };
    let from = dry.unfollowed_from.as_ref().map(|path| format!(": nothing is claimed from {} on", quoted(path.as_str())));
    let complete = match dry.complete {
        true => String::new(),
        false => format!(", and more that were not followed{}", from.unwrap_or_default()),
    };
    let more = if dry.more_steps { "; there may be more steps than are shown" } else { "" };
    let ends = match ends.as_slice() {
        [] => "followed to no end".to_owned(),
        ends => format!("ends {}", ends.join(" or ").replace('_', " ")),
    };
    format!("{ways}{complete}; {ends}; {} unknown{more}", dry.unknown)
}

/// What the whole rests on, in a sentence.
pub fn proviso(dry: &DryRun) -> String {
    let Some(Supposed { case, that, refused, left_out }) = &dry.supposes else {
        return "This is what happens as long as every step succeeds and everybody who is asked agrees.".to_owned();
    };
    let case = quoted(case);
    let others = "as long as every step succeeds of which it says nothing else, and everybody agrees of whom it does not";
    let left_out = left_out.as_ref().map(|what| format!(" That {what} is left out.")).unwrap_or_default();
    let supposed = match that.as_slice() {
        [] => format!("This is what happens with what the case {case} says, {others}."),
        [one] => format!("The case {case} supposes that {one}; this is what happens then, {others}."),
        [all @ .., last] => {
            format!("The case {case} supposes that {} and {last}; this is what happens then, {others}.", all.join(", "))
        }
    };
    let refused = refused.as_ref().map(|why| {
        let stop = if why.ends_with(['.', '?', '!']) { "" } else { "." };
        format!(" It cannot be played, and `runbook test` refuses it: {why}{stop}")
    });
    supposed + &refused.unwrap_or_default() + &left_out
}

/// A duration as short as it can be read, no more exact than it is useful.
fn brief_time(time: std::time::Duration) -> String {
    let rounded = match time.as_millis() {
        0..1_000 => std::time::Duration::from_millis(time.as_millis().try_into().unwrap_or(u64::MAX)),
        1_000..60_000 => std::time::Duration::from_millis((time.as_millis() / 100 * 100).try_into().unwrap_or(u64::MAX)),
        _ => std::time::Duration::from_secs(time.as_secs()),
    };
    if rounded.is_zero() { "1ms".to_owned() } else { format_duration(rounded) }
}

pub(super) fn language(shell: Shell) -> &'static str {
    match shell {
        Shell::Sh => "sh",
        Shell::Bash => "bash",
    }
}

fn verb(task: &Task) -> &'static str {
    match task {
        Task::Run { .. } => "run",
        Task::Exec { .. } => "exec",
        Task::Rhai { .. } => "rhai",
        Task::Http(_) => "http",
        Task::Notify { .. } => "notify",
        Task::Event(_) => "wait",
    }
}

/// One argument as a POSIX shell needs it written.
pub fn shell_word(text: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@%=:,".contains(&b);
    if !text.is_empty() && text.bytes().all(safe) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn argv(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// What a task does, on one line.
pub(super) fn brief(task: &Task) -> String {
    match task {
        Task::Run { script, values, .. } => {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", shell_word(value))).collect();
            let script = script.trim_end();
            if values.is_empty() { script.to_owned() } else { format!("{script} ({})", values.join(" ")) }
        }
        Task::Exec { argv: words } => argv(words),
        Task::Rhai { script, .. } => script.trim_end().replace('\n', " "),
        Task::Http(http) => format!("{} {}", http.method, http.url),
        Task::Notify { to, message, .. } => format!("{}: {message}", to.join(", ")),
        Task::Event(task) => {
            let when = task.when.as_ref().map(|when| format!(", when {when}")).unwrap_or_default();
            format!("for an event of {}{when}", task.source)
        }
    }
}

/// What a step does, exactly.
fn work(work: &Work) -> Vec<Said> {
    let mut said = Vec::new();
    match &work.task {
        Task::Run { shell, script, values } => {
            said.push(Said { name: "run", what: What::Block(language(*shell), script.clone()) });
            said.extend(values.iter().map(|(name, value)| code("value", format!("{name}={}", shell_word(value)))));
        }
        Task::Exec { argv: words } => said.push(code("exec", argv(words))),
        Task::Rhai { script, scope } => {
            said.push(Said { name: "rhai", what: What::Block("rhai", script.clone()) });
            said.extend(scope.iter().map(|(name, value)| code("value", format!("{name} = {}", value.to_plain_json()))));
        }
        Task::Http(http) => {
            said.push(code("http", format!("{} {}", http.method, http.url)));
            said.extend(http.headers.iter().map(|(name, value)| code("header", format!("{name}: {}", env_text(value)))));
            match &http.body {
                Some(HttpContent::Json(json)) => {
                    let pretty = serde_json::to_string_pretty(&json.to_plain_json()).unwrap_or_default();
                    said.push(Said { name: "body", what: What::Block("json", pretty) });
                }
                Some(HttpContent::Form(fields)) => {
                    said.extend(fields.iter().map(|(name, value)| code("field", format!("{name}={value}"))));
                }
                Some(HttpContent::Raw(body)) => said.push(Said { name: "body", what: What::Block("", body.clone()) }),
                None => {}
            }
        }
        Task::Notify { to, subject, message, .. } => {
            said.push(text("to", to.join(", ")));
            said.extend((!subject.is_empty()).then(|| text("subject", subject)));
            said.push(Said { name: "message", what: What::Block("", message.clone()) });
        }
        Task::Event(task) => {
            said.push(text("for", format!("an event of {}", task.source)));
            said.extend(task.when.as_ref().map(|when| code("when", when)));
            said.extend(task.names.iter().map(|(name, value)| code("value", format!("{name} = {}", value.to_plain_json()))));
            said.extend((task.since == Since::Step).then(|| text("since", "it waits")));
            said.push(text("within", format_duration(work.timeout)));
        }
    }
    said.extend(work.env.iter().map(|(name, value)| code("env", format!("{name}={}", env_text(value)))));
    said.extend(work.dir.as_ref().map(|dir| code("in", dir)));
    said
}

fn env_text(text: &EnvText) -> String {
    match text {
        EnvText::Plain(text) => text.clone(),
        EnvText::Secret(secret) => format!("‹secret {}›", secret.name),
    }
}

/// Everything that is said of a step, the command first.
fn all(step: &PredictedStep, people: &People) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    if !matches!(step.verdict, Verdict::WouldSkip { .. }) {
        all.extend(step.why.as_ref().map(|why| text("why", why.trim())));
        all.extend(step.work.iter().flat_map(work));
    }
    all.extend(said(step, people));
    if !matches!(step.verdict, Verdict::WouldSkip { .. }) {
        if !step.targets.is_empty() && step.effect > Effect::None {
            all.push(text("where", step.targets.join(", ")));
        }
        all.extend(step.longest.as_ref().map(|longest| text("at most", longest.to_string())));
    }
    all
}

fn heading(dry: &DryRun) -> String {
    let environment = dry.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    format!("{} {}{environment}", dry.procedure, dry.version)
}

fn inputs(inputs: &Map) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Null => "(not given)".to_owned(),
        other => other.to_plain_json().to_string(),
    };
    inputs.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
}

/// The facts of the whole: name and text.
fn facts(dry: &DryRun) -> Vec<(&'static str, String)> {
    let mut facts = vec![("digest", dry.digest.to_string()), ("outcome", summary(dry))];
    facts.extend(dry.lock.as_ref().map(|lock| ("lock", lock.clone())));
    facts.extend(dry.longest.as_ref().map(|longest| ("the whole takes at most", longest.to_string())));
    facts
}

/// As a comment on a change, or a page of a wiki: a table of all steps, and below it each step in full, folded.
pub fn to_markdown(dry: &DryRun, people: &People) -> String {
    let mut page = format!("## Dry run: {}\n\n", markdown::text(&heading(dry)));
    page.extend(dry.title.as_ref().map(|title| format!("{}\n\n", markdown::text(title))));
    page.push_str(&facts(dry).iter().map(|(name, fact)| format!("- **{name}**: {}\n", markdown::text(fact))).collect::<String>());
    page.extend(
        inputs(&dry.inputs).iter().map(|(name, value)| format!("- {} = {}\n", markdown::code(name), markdown::code(value))),
    );
    page.push_str(&format!("\n{}\n\n", markdown::prose(&proviso(dry))));
    let lines = lines(dry);
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let effect = if line.step.effect == Effect::None { "" } else { line.step.effect.name() };
            vec![line.step.number.clone(), markdown::text(&line.title()), effect.to_owned(), markdown::prose(&line.verdict)]
        })
        .collect();
    page.push_str(&markdown::table(&["", "step", "effect", ""], &rows));
    page.push('\n');
    for line in &lines {
        let all = all(line.step, people);
        if all.is_empty() {
            continue;
        }
        let body: String = all.iter().map(in_markdown).collect();
        page.push_str(&markdown::details(&format!("{}. {} — {}", line.step.number, line.title(), line.verdict), &body));
        page.push('\n');
    }
    page
}

/// A page that stands by itself.
pub fn to_html(dry: &DryRun, people: &People) -> String {
    let title = format!("Dry run: {}", heading(dry));
    html::page(&title, &format!("<h1>{}</h1>\n{}", html::text(&title), body_in_html(dry, people)))
}

/// What stands below its title, for another page in the same [style](html::STYLE).
pub fn body_in_html(dry: &DryRun, people: &People) -> String {
    let mut body = String::new();
    body.extend(dry.title.as_ref().map(|title| format!("<p>{}</p>\n", html::text(title))));
    let facts = facts(dry);
    let facts = facts.iter().map(|(name, fact)| format!("<dt>{name}</dt><dd>{}</dd>\n", html::text(fact)));
    let inputs = inputs(&dry.inputs);
    let inputs = inputs.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", html::code(name), html::code(value)));
    body.push_str(&format!("<dl>\n{}</dl>\n<p>{}</p>\n", facts.chain(inputs).collect::<String>(), html::prose(&proviso(dry))));
    for line in lines(dry) {
        let step = line.step;
        let effect = if step.effect == Effect::None {
            String::new()
        } else {
            format!(" <span class=\"quiet\">[{}]</span>", step.effect.name())
        };
        body.push_str(&format!(
            "<section>\n<h3>{}. {}{effect}</h3>\n<p class=\"{}\">{}</p>\n",
            step.number,
            html::text(&line.title()),
            line.tone.class(),
            html::prose(&line.verdict)
        ));
        let all = all(step, people);
        if !all.is_empty() {
            body.push_str(&format!("<dl>\n{}</dl>\n", all.iter().map(in_html).collect::<String>()));
        }
        body.push_str("</section>\n");
    }
    body
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runbook_core::check::CheckOptions;
    use runbook_core::explore::{Nothing, Options, dry_run};
    use runbook_core::run::event::{Identity, Means, Part};
    use runbook_core::trial;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::start::Order;

    const PROCEDURE: &str = "apiVersion: runbook/v1
kind: Runbook
name: a
version: 1.0.0
steps:
- {id: look, exec: [look], effect: read, outputs: {size: result.stdout.trim().parse_int()}}
- {id: go, approve: {question: Go?, within: 1h}}
- id: all
  each:
    in: '[1, 2]'
    steps:
    - {id: one, if: steps.look.size > 3, exec: [one], idempotent: true}
- id: many
  each:
    in: steps.look.stdout.split()
    steps: [{id: each_one, exec: [one], idempotent: true}]
";

    const TEST: &str = "apiVersion: runbook/v1
kind: Test
procedure: a
cases:
- {name: nothing is said, steps: {look: {gives: {stdout: '4'}}}, expect: {outcome: succeeded}}
- {name: it fails, steps: {look: {fails: no such host}}, expect: {outcome: failed}}
- {name: nobody wants it, steps: {look: {gives: {exit_code: 7}}}, answers: {go: {say: reject}}, expect: {outcome: failed}}
- {name: somebody ends it, cancel: {after: 90s}, expect: {outcome: cancelled}}
";

    const TICKS: &str = r#"apiVersion: runbook/v1
kind: Runbook
name: a
version: 1.0.0
inputs: {x: {type: string, default: '`a`'}}
steps:
- {id: one, run: make, undo: {run: 'rm `cat x`'}}
- {id: two, run: make, undo: {name: Back, run: "exec rm '`y`'"}}
- {id: go, approve: {question: 'Is `it` so?', within: 1h}}
- {id: tell, notify: {to: [post], subject: '`s`', message: "```\n<b>\n"}}
- {id: last, if: 'inputs.x == "`b`"', run: make, idempotent: true}
"#;

    const EXPECTING: &str = "apiVersion: runbook/v1
kind: Runbook
name: a
version: 1.0.0
steps:
- {id: gone, http: {url: 'https://a.org/x', expect: {status: [404, 410]}}, timeout: 20s}
- {id: made, http: {method: PUT, url: 'https://a.org/y', expect: {status: 201}}, idempotent: true}
- {id: plan, rhai: '#{exit_code: 7}'}
- id: drop
  exec: [drop]
  undo: {http: {method: POST, url: 'https://a.org/z'}}
";

    const EXPECTED: &str = "apiVersion: runbook/v1
kind: Test
procedure: a
cases:
- {name: it is gone, steps: {gone: {status: 404}, made: {status: 201}}, expect: {outcome: succeeded}}
- {name: it is there, steps: {gone: {status: 200}}, expect: {outcome: failed}}
- {name: a status that is none of those, steps: {gone: {status: 410}, made: {status: 204}}, expect: {outcome: failed}}
- {name: a code in what a script gives, steps: {plan: {gives: {exit_code: 7}}}, expect: {outcome: succeeded}}
- {name: a code where there is an answer, steps: {made: {gives: {exit_code: 7}}}, expect: {outcome: succeeded}}
- {name: undone in vain, steps: {drop~undo: {status: 500}}, expect: {outcome: succeeded}}
- {name: too late, steps: {gone: {takes: 1m, status: 404}}, expect: {outcome: failed}}
- {name: it stops after a failure, steps: {drop: {end: crash_after, exit_code: 2}}, expect: {outcome: failed}}
";

    fn catalogue() -> (tempfile::TempDir, Catalogue, Arc<runbook_core::Plan>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("workspace.yaml"), "apiVersion: runbook/v1\nkind: Workspace\n").unwrap();
        std::fs::write(folder.path().join("a.yaml"), PROCEDURE).unwrap();
        std::fs::write(folder.path().join("a.test.yaml"), TEST).unwrap();
        let catalogue = Catalogue::open(folder.path()).unwrap();
        let (plan, found) = catalogue.plan(catalogue.procedures().next().unwrap(), &CheckOptions::default());
        (folder, catalogue, Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}"))))
    }

    fn predicted(catalogue: &Catalogue, plan: &Arc<runbook_core::Plan>) -> DryRun {
        let order = Order {
            plan: plan.clone(),
            inputs: Map::new(),
            requested_by: Identity { person: "ada".to_owned(), means: Means::Engine },
            part: Part::Whole,
            stepwise: false,
            catalogue: None,
            root: catalogue.root().to_owned(),
        };
        let started = order.started(0).unwrap();
        let mut dry = dry_run(plan, &started, jiff::Timestamp::UNIX_EPOCH, &Options::default(), &mut Nothing).unwrap();
        catalogue.add_types(&mut dry, plan);
        dry
    }

    /// In every form.
    fn forms(dry: &DryRun) -> [String; 2] {
        [to_markdown(dry, &People::default()), to_html(dry, &People::default())]
    }

    #[test]
    fn a_reason_that_was_given_is_that_of_another_step() {
        let (_folder, catalogue, plan) = catalogue();
        let dry = predicted(&catalogue, &plan);
        let told: Vec<String> = lines(&dry).iter().map(|line| format!("{} {}", line.path, line.verdict)).collect();
        let again = told.iter().find(|line| line.starts_with("all[1]/one ")).unwrap();
        assert_eq!(again, "all[1]/one cannot know, for the reason of all[0]/one");
    }

    #[test]
    fn what_a_step_gives_is_told_with_its_type() {
        let (_folder, catalogue, plan) = catalogue();
        let dry = predicted(&catalogue, &plan);
        let gives: Vec<_> =
            dry.steps.iter().filter(|step| !step.gives.is_empty()).map(|step| (step.path.as_str(), &step.gives)).collect();
        assert_eq!(gives, [("look", &BTreeMap::from([("size".to_owned(), "integer".to_owned())]))]);
        for page in forms(&dry) {
            assert!(page.contains("size (integer)"), "{page}");
        }
        assert_eq!(serde_json::to_value(&dry).unwrap()["steps"][0]["gives"]["size"], "integer");
    }

    #[test]
    fn what_cannot_be_known_of_a_whole_is_told() {
        let (_folder, catalogue, plan) = catalogue();
        let dry = predicted(&catalogue, &plan);
        for page in forms(&dry) {
            assert!(page.contains("cannot be known") && page.contains("2h"), "{page}");
        }
        let json = serde_json::to_value(&dry).unwrap();
        let longest = |path: &str| {
            let steps = json["steps"].as_array().unwrap();
            steps.iter().find(|step| step["path"] == path).map(|step| step["longest"].clone())
        };
        assert_eq!(longest("all"), Some("2h".into()));
        assert_eq!(longest("many"), Some("cannot be known".into()));
    }

    #[test]
    fn what_a_step_expects_is_not_supposed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("workspace.yaml"), "apiVersion: runbook/v1\nkind: Workspace\n").unwrap();
        std::fs::write(folder.path().join("a.yaml"), EXPECTING).unwrap();
        std::fs::write(folder.path().join("a.test.yaml"), EXPECTED).unwrap();
        let catalogue = Catalogue::open(folder.path()).unwrap();
        let (plan, found) = catalogue.plan(catalogue.procedures().next().unwrap(), &CheckOptions::default());
        let plan = Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")));
        let test = catalogue.tests().next().unwrap();
        let told = test.cases.iter().map(|case| {
            let supposes = trial::predict(&case.with(&test.defaults), &plan).unwrap().supposes.unwrap();
            (supposes.case, supposes.that)
        });
        let expected: [(&str, &[&str]); 8] = [
            ("it is gone", &[]),
            ("it is there", &["`gone` is answered with 200"]),
            ("a status that is none of those", &["`made` is answered with 204"]),
            ("a code in what a script gives", &[]),
            ("a code where there is an answer", &[]),
            ("undone in vain", &["`drop~undo` is answered with 500"]),
            ("too late", &["`gone` times out"]),
            ("it stops after a failure", &["`drop` exits with 2"]),
        ];
        let expected = expected.map(|(case, that)| (case.to_owned(), that.iter().map(|&one| one.to_owned()).collect::<Vec<_>>()));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_not_ours_keeps_its_backticks() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("workspace.yaml"),
            "apiVersion: runbook/v1\nkind: Workspace\nchannels: {post: {log: {}}}\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("a.yaml"), TICKS).unwrap();
        let catalogue = Catalogue::open(folder.path()).unwrap();
        let (plan, found) = catalogue.plan(catalogue.procedures().next().unwrap(), &CheckOptions::default());
        let plan = Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")));
        let mut dry = predicted(&catalogue, &plan);
        dry.supposes = Some(Supposed { case: "a `b` c".to_owned(), that: Vec::new(), refused: None, left_out: None });
        let page = to_markdown(&dry, &People::default());
        for shown in [
            "- **undo**: `` rm `cat x` ``\n",
            "- **undo**: Back: ``exec rm '`y`'``\n",
            "- **question**: Is \\`it\\` so?\n",
            "- **subject**: \\`s\\`\n",
            "  ````\n  ```\n  <b>\n  ````\n",
            "would skip, because ``inputs.x == \"`b`\"`` does not hold |",
            "What the case ``a `b` c`` says",
        ] {
            assert!(page.contains(&shown.replace("What the", "what the")), "{shown} in {page}");
        }
    }

    #[test]
    fn what_a_case_supposes_is_said() {
        let (_folder, catalogue, plan) = catalogue();
        let others = "as long as every step succeeds of which it says nothing else, and everybody agrees of whom it does not";
        let refused = "It cannot be played, and `runbook test` refuses it: nothing says what people answer `go`: Go?";
        let test = catalogue.tests().next().unwrap();
        let told: Vec<String> =
            test.cases.iter().map(|case| proviso(&trial::predict(&case.with(&test.defaults), &plan).unwrap())).collect();
        assert_eq!(
            told,
            [
                format!("This is what happens with what the case `nothing is said` says, {others}. {refused}"),
                format!("The case `it fails` supposes that `look` fails; this is what happens then, {others}."),
                format!(
                    "The case `nobody wants it` supposes that `look` exits with 7 and `go` is rejected; this is what happens then, {others}."
                ),
                format!(
                    "This is what happens with what the case `somebody ends it` says, {others}. {refused} That it is cancelled 1m 30s after its start is left out."
                ),
            ]
        );
        let plain = proviso(&predicted(&catalogue, &plan));
        assert_eq!(plain, "This is what happens as long as every step succeeds and everybody who is asked agrees.");
    }
}
