//! The procedure as text. How YAML gives each value back exactly is left to `emit`, the order of keys to the layout.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use runbook_core::document::yaml::emit;
use runbook_core::id::ProcedureName;

use super::names::Names;
use super::script::{angle, braces, escaped, yours};
use super::{Procedure, Run, Step, Work};

/// The step that asks before anything of a draft runs.
pub(super) const GATE: &str = "draft";

pub(super) struct Written {
    pub text: String,
    pub inputs: Vec<String>,
    pub secrets: Vec<String>,
}

pub(super) fn procedure(name: &ProcedureName, from: &str, procedure: &Procedure, names: &Names) -> Written {
    let mut steps = Writer { out: String::new(), names };
    let open: usize = procedure.steps.iter().map(Step::count).sum();
    steps.gate(from, open);
    procedure.steps.iter().for_each(|step| steps.step(step, 2));
    let steps = steps.out;
    let mut env = String::new();
    procedure.env.iter().for_each(|(variable, value)| field(&mut env, variable, value, 4));
    // Only what something uses.
    let used: BTreeSet<&str> = used(&steps).chain(used(&env)).collect();
    let uses = |kind: &str, id: &str| used.contains(format!("{kind}.{id}").as_str());
    let mut out = String::new();
    comment(&mut out, &head(from), 0);
    for remark in &procedure.remarks {
        out.push_str("#\n");
        comment(&mut out, remark, 0);
    }
    let _ = write!(out, "\napiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 0.1.0\n");
    if let Some(title) = &procedure.title {
        field(&mut out, "title", title, 0);
    }
    let description = procedure.description.join("\n\n");
    if !description.trim().is_empty() {
        field(&mut out, "description", &(description + "\n"), 0);
    }
    let inputs: Vec<_> = names.inputs.iter().filter(|(id, _)| uses("inputs", id)).collect();
    if !inputs.is_empty() {
        out.push_str("\n# confirm: the type of each, and a `pattern` where not every text will do\ninputs:\n");
        for (id, input) in &inputs {
            let _ = writeln!(out, "  {id}:\n    type: string");
            if let Some(default) = &input.default {
                let _ = writeln!(out, "    default: {}", emit::quoted(default));
            }
            let written: Vec<String> = input.written.iter().map(|token| format!("`{token}`")).collect();
            field(&mut out, "description", &format!("written {} in the source", written.join(" and ")), 4);
        }
    }
    let secrets: Vec<_> = names.secrets.iter().filter(|(_, id)| uses("secrets", id)).collect();
    if !secrets.is_empty() {
        out.push_str("\n# confirm: where each comes from; its value stands in no file of this catalogue\nsecrets:\n");
        for (variable, id) in &secrets {
            let _ = writeln!(out, "  {id}: {{env: {variable}}}");
        }
    }
    if procedure.bash || !env.is_empty() {
        out.push_str("\ndefaults:\n");
        if !env.is_empty() {
            let _ = writeln!(out, "  env:\n{}", env.trim_end_matches('\n'));
        }
        if procedure.bash {
            out.push_str("  shell: bash\n");
        }
    }
    out.push_str("\nsteps:\n");
    out.push_str(&steps);
    let named = |all: Vec<&String>| all.into_iter().cloned().collect();
    let (inputs, secrets) = (inputs.iter().map(|(id, _)| *id).collect(), secrets.iter().map(|(_, id)| *id).collect());
    Written { text: out, inputs: named(inputs), secrets: named(secrets) }
}

/// Each `inputs.name` and `secrets.name` of a text.
fn used(text: &str) -> impl Iterator<Item = &str> {
    ["inputs.", "secrets."].into_iter().flat_map(move |kind| {
        text.match_indices(kind).filter_map(move |(at, _)| {
            let name = text.get(at + kind.len()..)?;
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            text.get(at..at + kind.len() + end)
        })
    })
}

fn head(from: &str) -> String {
    format!(
        "A draft, made from {from}. Nobody has confirmed it yet.\n\n\
         Every step counts as a `change` until you say what is true of it; `runbook check` names each that is still open (RB0206):\n  \
         effect: read          it only looks\n  \
         undo: …               how it is taken back\n  \
         irreversible: …       why it cannot be, and why that is acceptable\n  \
         idempotent: true      doing it again is harmless\n\
         For each step by hand a person has four hours; say what is right.\n\
         When all of them say so, remove the step `{GATE}`. Until then a run waits for a person's yes before it does anything."
    )
}

struct Writer<'n> {
    out: String,
    names: &'n Names,
}

impl Writer<'_> {
    fn gate(&mut self, from: &str, open: usize) {
        let steps = if open == 1 { "step has".to_owned() } else { format!("{open} steps have") };
        let question =
            format!("This is a draft, made from {from}. What its {steps} to do, nobody has confirmed yet. Run it all the same?");
        let _ = writeln!(self.out, "  - id: {GATE}\n    approve:");
        self.text("question", &question, 6);
        self.out.push_str("      within: 1h\n");
    }

    fn step(&mut self, step: &Step, indent: usize) {
        self.out.push('\n');
        for remark in &step.remarks {
            comment(&mut self.out, remark, indent);
        }
        let _ = writeln!(self.out, "{:indent$}- id: {}", "", step.id);
        let keys = indent + 2;
        if let Some(name) = step.name.as_ref().filter(|name| !name.is_empty()) {
            self.text("name", name, keys);
        }
        if !step.why.is_empty() {
            self.text("why", &step.why.join("\n\n"), keys);
        }
        match &step.work {
            Work::Manual(text) => {
                let _ = writeln!(self.out, "{:keys$}manual:", "");
                self.text("do", text, keys + 2);
                let _ = writeln!(self.out, "{:1$}within: 4h", "", keys + 2);
            }
            Work::Run(run) => self.run(run, keys),
            Work::Group(steps) => self.steps("group", steps, keys),
        }
        if !step.undo.is_empty() {
            self.steps("undo", &step.undo, keys);
        }
    }

    fn steps(&mut self, key: &str, steps: &[Step], indent: usize) {
        let _ = writeln!(self.out, "{:indent$}{key}:", "");
        steps.iter().for_each(|step| self.step(step, indent + 2));
    }

    fn run(&mut self, run: &Run, indent: usize) {
        // A line that would need quotes reads better as a block.
        let script = if emit::is_plain(&run.script) { run.script.clone() } else { format!("{}\n", run.script) };
        field(&mut self.out, "run", &script, indent);
        if let Some(dir) = &run.dir {
            self.text("dir", dir, indent);
        }
        if !run.env.is_empty() {
            let _ = writeln!(self.out, "{:indent$}env:", "");
            run.env.iter().for_each(|(variable, value)| field(&mut self.out, variable, value, indent + 2));
        }
        if let Some(output) = &run.output {
            let _ = writeln!(self.out, "{:indent$}example:", "");
            field(&mut self.out, "stdout", output, indent + 2);
        }
    }

    /// A field of text: what the source leaves open is an input, where some script made it one, and other braces are data.
    fn text(&mut self, key: &str, text: &str, indent: usize) {
        let lines: Vec<&str> = text
            .trim_end()
            .trim_start_matches('\n')
            .split('\n')
            .map(|line| if line.trim().is_empty() { "" } else { line })
            .collect();
        let text = self.rendered(&lines.join("\n"));
        let text = if text.contains('\n') { text + "\n" } else { text };
        field(&mut self.out, key, &text, indent);
    }

    fn rendered(&self, text: &str) -> String {
        let mut rendered = String::new();
        let mut from = 0;
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(next) = rest.find(['<', '{', 'Y']).map(|next| at + next) else { break };
            let rest = text.get(next..).unwrap_or_default();
            let length = angle(rest).or_else(|| braces(rest)).or_else(|| yours(rest));
            let known = length.and_then(|length| Some((length, self.names.known(rest.get(..length)?)?)));
            match known {
                Some((length, input)) => {
                    rendered.push_str(&plain(text.get(from..next).unwrap_or_default(), true));
                    let _ = write!(rendered, "{{{{inputs.{input}}}}}");
                    from = next + length;
                    at = from;
                }
                None => at = next + 1,
            }
        }
        rendered.push_str(&plain(text.get(from..).unwrap_or_default(), false));
        rendered
    }
}

/// Text whose braces are data. What stands before a value must not change it.
fn plain(text: &str, before_value: bool) -> String {
    // A backslash before braces cannot be written as such.
    let text = text.replace("\\{{", "\\ {{");
    let text = escaped(&text);
    match before_value && text.ends_with(['\\', '{']) {
        true => text + " ",
        false => text,
    }
}

fn comment(out: &mut String, text: &str, indent: usize) {
    for line in text.split('\n') {
        let line = line.trim_end();
        let _ = if line.is_empty() { writeln!(out, "{:indent$}#", "") } else { writeln!(out, "{:indent$}# {line}", "") };
    }
}

fn field(out: &mut String, key: &str, value: &str, indent: usize) {
    out.push_str(&emit::field(key, value, indent));
}
