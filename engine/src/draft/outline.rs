//! A page of Markdown → the steps of a procedure, by what its parts usually mean in a runbook: headings are groups, code that a shell
//! reads is run, what an ordered list says is done by hand, item by item, and prose before a command says why. Sections that only
//! explain become the description, and one that says how to go back takes back what stands before it.

use std::collections::BTreeMap;

use super::console::{self, Part, is_shell, language};
use super::interactive::{needs_terminal, seems_to_look, title};
use super::markdown::{Block, List, Page, has_code};
use super::names::{Names, slug};
use super::secrets::Of;
use super::{Procedure, Run, Step, Work, script};

/// First words of headings whose sections explain, and hold nothing to do.
const EXPLAINS: &[&str] = &[
    "about",
    "architecture",
    "audience",
    "author",
    "authors",
    "background",
    "changelog",
    "contact",
    "contacts",
    "contents",
    "context",
    "definitions",
    "description",
    "details",
    "further reading",
    "glossary",
    "history",
    "impact",
    "introduction",
    "links",
    "meaning",
    "metadata",
    "more information",
    "notes",
    "objective",
    "overview",
    "owner",
    "owners",
    "ownership",
    "purpose",
    "reading",
    "reference",
    "references",
    "related",
    "related links",
    "resources",
    "revision history",
    "scope",
    "see also",
    "severity",
    "summary",
    "symptoms",
    "table of contents",
    "terms",
    "useful links",
    "version history",
    "what is",
    "when to use",
    "why",
    "additional resources",
    "alert",
    "alert description",
    "trigger",
    "triggers",
];
/// First words of headings that say how to go back.
const UNDOES: &[&str] = &[
    "rollback",
    "roll back",
    "rolling back",
    "backout",
    "back out",
    "undo",
    "revert",
    "reverting",
    "how to roll back",
    "how to revert",
];
/// First words of headings that say what must hold afterwards.
const VERIFIES: &[&str] = &[
    "verify",
    "verification",
    "validate",
    "validation",
    "post check",
    "post checks",
    "postchecks",
    "confirm",
    "test",
    "testing",
    "check that",
    "smoke test",
];
/// First words of what is done only in some case.
const DEPENDS: &[&str] = &[
    "if",
    "in case",
    "when",
    "unless",
    "otherwise",
    "only if",
    "optional",
    "optionally",
    "troubleshooting",
    "alternatively",
    "or",
];
const DEPENDING: &str = "confirm: it reads as if it were done only in some case; say in which with `if`, or take it out";
/// What is said where there is no way back.
const NO_WAY_BACK: &[&str] =
    &["no way back", "no rollback", "not possible", "impossible", "cannot be", "can't be", "irreversible", "not applicable", "n/a"];
/// Languages of what a command prints.
const OUTPUTS: &[&str] = &["text", "txt", "output", "log", "logs", "plaintext", "plain", "json", "none", "result"];
/// Bytes of a sentence that can be a name.
const NAME_BYTES: usize = 80;

pub(super) fn procedure(page: Page, names: &mut Names) -> Procedure {
    let mut author = Author { names, set: BTreeMap::new(), links: Vec::new(), comments: Vec::new(), bash: false };
    // First of all every secret: what is one in one place is one in all.
    author.hide(&page.blocks);
    let mut blocks = page.blocks;
    blocks.iter_mut().for_each(|block| author.without_secrets(block));
    let mut procedure = Procedure::default();
    let headline = blocks.iter().position(|block| matches!(block, Block::Heading { .. }));
    let headline = headline.filter(|at| matches!(blocks.get(*at), Some(Block::Heading { level: 1, .. })));
    if let Some(at) = headline
        && let Block::Heading { text, .. } = blocks.remove(at)
    {
        procedure.title = Some(text).filter(|text| !text.is_empty());
    }
    if !page.front.trim().is_empty() {
        let front = script::shown(page.front.trim_end(), Of::Data, author.names);
        procedure.remarks.push(format!("The head of the source:\n{front}"));
    }
    let root = sections(blocks);
    procedure.steps = author.whole(root, &mut procedure.description);
    procedure.description.append(&mut author.links);
    procedure.remarks.append(&mut author.comments);
    if !page.addresses.is_empty() {
        let addresses = script::shown(&page.addresses.join("\n"), Of::Prose, author.names);
        procedure.description.push(addresses);
    }
    if procedure.steps.is_empty() && !procedure.description.is_empty() {
        // A page that only explains is there to be read.
        let text = std::mem::take(&mut procedure.description).join("\n\n");
        procedure.steps.push(author.by_hand(&text, "read"));
    }
    procedure.bash = author.bash;
    procedure
}

/// A heading with all that stands beneath it.
#[derive(Default)]
struct Section {
    level: u8,
    heading: String,
    blocks: Vec<Block>,
    inside: Vec<Section>,
}

fn sections(blocks: Vec<Block>) -> Section {
    let mut open = vec![Section::default()];
    fn close(open: &mut Vec<Section>) {
        if let Some(done) = open.pop()
            && let Some(around) = open.last_mut()
        {
            around.inside.push(done);
        }
    }
    for block in blocks {
        if let Block::Heading { level, text } = block {
            while open.len() > 1 && open.last().is_some_and(|section| section.level >= level) {
                close(&mut open);
            }
            open.push(Section { level, heading: text, ..Section::default() });
        } else if let Some(section) = open.last_mut() {
            section.blocks.push(block);
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

impl Section {
    fn has_commands(&self) -> bool {
        has_code(&self.blocks) || self.inside.iter().any(Section::has_commands)
    }

    fn is(&self, words: &[&str]) -> bool {
        begins_with(&self.heading, words)
    }

    /// As it was written, near enough.
    fn into_text(self, texts: &mut Vec<String>) {
        texts.push(format!("{} {}", "#".repeat(usize::from(self.level.max(1))), self.heading));
        texts.extend(self.blocks.into_iter().map(written));
        for section in self.inside {
            section.into_text(texts);
        }
    }
}

/// Whether a line, its number aside, begins with one of these.
fn begins_with(line: &str, words: &[&str]) -> bool {
    let line = line.to_lowercase();
    let line: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let start =
        line.iter().position(|word| !word.bytes().all(|b| b.is_ascii_digit()) && *word != "step" && *word != "the").unwrap_or(0);
    let line = line.get(start..).unwrap_or_default().join(" ");
    words.iter().any(|word| line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

fn says_no_way_back(blocks: &[Block]) -> bool {
    let says = |text: &str| NO_WAY_BACK.iter().any(|words| text.to_lowercase().contains(words));
    blocks.iter().all(|block| matches!(block, Block::Prose(_)))
        && blocks.iter().any(|block| matches!(block, Block::Prose(text) if says(text)))
}

/// A block as Markdown.
fn written(block: Block) -> String {
    match block {
        Block::Heading { level, text } => format!("{} {text}", "#".repeat(usize::from(level))),
        Block::Prose(text) => text,
        Block::List(list) => list.source,
        Block::Code { language, text } => fenced(&language, &text),
    }
}

fn fenced(language: &str, text: &str) -> String {
    // Behind tildes, a language may have the sign in its name that begins the fence here.
    let language = if language.contains('`') { "" } else { language };
    let block = runbook_core::markdown::fenced(language, text.trim_end_matches('\n'));
    block.trim_end_matches('\n').to_owned()
}

struct Author<'n> {
    names: &'n mut Names,
    /// What scripts of the page set variables to.
    set: BTreeMap<String, String>,
    /// Lists of nothing but links.
    links: Vec<String>,
    /// Comments that no reader of the page sees.
    comments: Vec<String>,
    bash: bool,
}

impl Author<'_> {
    fn hide(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Code { language, text } => drop(script::shown(text, of_code(language, text), self.names)),
                Block::List(list) => list.items.iter().for_each(|item| self.hide(item)),
                Block::Heading { text, .. } | Block::Prose(text) => drop(script::shown(text, Of::Prose, self.names)),
            }
        }
    }

    /// What is only shown, without the values of secrets. Commands keep theirs, which become variables.
    fn without_secrets(&mut self, block: &mut Block) {
        match block {
            Block::Code { language, text } if is_shell(language, text) => {}
            Block::Code { text, .. } => *text = script::shown(text, Of::Data, self.names),
            Block::Heading { text, .. } | Block::Prose(text) => *text = script::shown(text, Of::Prose, self.names),
            Block::List(list) => {
                // Its source is shown where nothing in it is run.
                list.source = script::shown(
                    &list.source,
                    if list.items.iter().any(|item| has_code(item)) { Of::Data } else { Of::Prose },
                    self.names,
                );
                list.items.iter_mut().flatten().for_each(|block| self.without_secrets(block));
            }
        }
    }

    fn whole(&mut self, mut root: Section, description: &mut Vec<String>) -> Vec<Step> {
        let blocks = std::mem::take(&mut root.blocks);
        // What stands before anything there is to do says what the page is about.
        let about = match blocks.iter().position(is_work) {
            None if root.inside.is_empty() => 0,
            None => blocks.len(),
            Some(work) => {
                let leads = |block: &Block| matches!(block, Block::Prose(text) if text.ends_with(':'));
                if work > 0 && blocks.get(work - 1).is_some_and(leads) { work - 1 } else { work }
            }
        };
        let mut blocks = blocks.into_iter();
        description.extend(blocks.by_ref().take(about).map(written));
        let mut steps = self.blocks(blocks.collect(), "");
        for section in root.inside {
            self.section(section, &mut steps, Some(&mut *description));
        }
        steps
    }

    /// Adds what a section says to the steps before it.
    fn section(&mut self, mut section: Section, steps: &mut Vec<Step>, description: Option<&mut Vec<String>>) {
        if let Some(description) = description
            && section.is(EXPLAINS)
            && !section.has_commands()
        {
            section.into_text(description);
            return;
        }
        let (undoes, verifies, depends) = (section.is(UNDOES), section.is(VERIFIES), section.is(DEPENDS));
        let says_none = !section.has_commands() && says_no_way_back(&section.blocks);
        let heading = std::mem::take(&mut section.heading);
        let id = self.names.id(&heading, "section");
        let mut inside = self.blocks(std::mem::take(&mut section.blocks), &heading);
        for section in section.inside {
            self.section(section, &mut inside, None);
        }
        let mut step = match <[Step; 1]>::try_from(inside) {
            Ok([only]) if !matches!(only.work, Work::Group(_)) => {
                let mut why = only.name.into_iter().collect::<Vec<_>>();
                why.extend(only.why);
                Step { id, name: Some(heading), why, ..only }
            }
            Ok([only]) => Step { name: Some(heading), ..Step::new(id, Work::Group(vec![only])) },
            Err(inside) if inside.is_empty() => {
                // A heading without anything beneath it.
                Step { name: None, ..Step::new(id, Work::Manual(heading)) }
            }
            Err(inside) => Step { name: Some(heading), ..Step::new(id, Work::Group(inside)) },
        };
        if verifies {
            step.remarks.push("confirm: it looks after what was done; say what must hold with `outputs` and a `check`".to_owned());
        }
        if depends {
            step.depend();
        }
        if undoes && says_none {
            step.remarks.push("confirm: the source names no way back; say so with `irreversible` where it holds".to_owned());
        }
        if undoes && !says_none && !steps.is_empty() {
            self.takes_back(steps, step);
        } else {
            steps.push(step);
        }
    }

    /// Makes a step the way back of all steps before it.
    fn takes_back(&mut self, steps: &mut Vec<Step>, undo: Step) {
        let mut whole = std::mem::take(steps);
        let mut changed = match whole.pop() {
            Some(only) if whole.is_empty() && only.undo.is_empty() => only,
            last => {
                whole.extend(last);
                let id = self.names.id("change", "change");
                Step::new(id, Work::Group(whole))
            }
        };
        changed.remarks.push("confirm: its `undo` takes back the whole, once all of it has succeeded; a part that must be taken back alone needs an `undo` of its own".to_owned());
        changed.undo.push(undo);
        steps.push(changed);
    }

    fn blocks(&mut self, blocks: Vec<Block>, heading: &str) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        // Prose that no step has taken yet.
        let mut prose: Vec<String> = Vec::new();
        for block in blocks {
            match block {
                Block::Prose(text) if text.starts_with("<!--") && text.ends_with("-->") => self.comments.push(text),
                Block::Prose(text) => prose.push(text),
                Block::Heading { text, .. } => prose.push(text),
                Block::List(list) if is_links(&list) => self.links.push(list.source),
                Block::List(list) if !(list.in_order || has_code_of_shell(&list)) => prose.push(list.source),
                Block::List(list) => {
                    let before = steps.len();
                    // What stands above it says so of all of it.
                    let depends = prose.last().is_some_and(|above| depends(above));
                    for item in list.items {
                        let mut inside = self.item(item, heading);
                        for step in inside.iter_mut().filter(|_| depends) {
                            step.depend();
                        }
                        steps.extend(inside);
                    }
                    if let Some(first) = steps.get_mut(before) {
                        let mut why = std::mem::take(&mut prose);
                        why.append(&mut first.why);
                        first.why = why;
                    }
                }
                Block::Code { language, text } => self.code(&language, &text, heading, &mut prose, &mut steps),
            }
        }
        if !prose.is_empty() {
            steps.push(self.asked(&prose.join("\n\n"), heading));
        }
        steps
    }

    /// What a person is asked to do, perhaps only in some case.
    fn asked(&mut self, text: &str, heading: &str) -> Step {
        let mut step = self.by_hand(text, heading);
        if depends(text) {
            step.depend();
        }
        step
    }

    /// An item of a list: one thing to do by hand, or what its code says.
    fn item(&mut self, blocks: Vec<Block>, heading: &str) -> Vec<Step> {
        if blocks.iter().any(|block| {
            matches!(block, Block::Code { language, text } if is_shell(language, text))
                || matches!(block, Block::List(list) if has_code_of_shell(list))
        }) {
            return self.blocks(blocks, heading);
        }
        let text: Vec<String> = blocks.into_iter().map(written).collect();
        let text = text.join("\n\n");
        if text.trim().is_empty() { Vec::new() } else { vec![self.asked(&text, "")] }
    }

    fn by_hand(&mut self, text: &str, heading: &str) -> Step {
        let words = if slug(text).is_empty() { heading } else { text };
        let id = self.names.id(words, "step");
        Step::new(id, Work::Manual(text.to_owned()))
    }

    fn code(&mut self, language: &str, text: &str, heading: &str, prose: &mut Vec<String>, steps: &mut Vec<Step>) {
        if is_output(language, text)
            && let Some(Step { work: Work::Run(run), remarks, .. }) = steps.last_mut()
            && run.output.is_none()
        {
            remarks.append(prose);
            run.output = Some(lines(text));
            return;
        }
        if !is_shell(language, text) {
            prose.push(fenced(language, text));
            let shown = std::mem::take(prose).join("\n\n");
            let mut step = self.by_hand(&shown, heading);
            step.remarks.extend(console::doubt_of_shown(language, text).map(|reason| format!("by hand, because {reason}")));
            steps.push(step);
            return;
        }
        self.bash |= matches!(language, "bash" | "zsh")
            || ["[[", "<(", "=(", "function ", "{1..", "&>"].iter().any(|sign| text.contains(sign));
        let parts = console::parts(language, text);
        // A sentence above several commands is the name of none.
        let name = prose.last().filter(|_| parts.len() == 1).and_then(|last| as_name(last));
        if name.is_some() {
            prose.pop();
        }
        let mut why = std::mem::take(prose);
        for mut part in parts {
            why.append(&mut part.notes);
            let mut step = self.part(part, language, name.clone(), &mut why);
            step.why = std::mem::take(&mut why);
            steps.push(step);
        }
    }

    /// A step that runs what the source says, or asks a person to.
    fn part(&mut self, part: Part, language: &str, name: Option<String>, why: &mut Vec<String>) -> Step {
        let typed = part.command.as_deref().unwrap_or(part.source.trim_start_matches("# "));
        let words = name.as_deref().filter(|name| !slug(name).is_empty()).map(str::to_owned);
        let words = words.unwrap_or_else(|| title(&script::shown(typed, Of::Command, self.names)));
        let id = self.names.id(&words, "run");
        let set = &self.set;
        let set_before = |variable: &str| set.get(variable).cloned();
        let made =
            part.command.as_deref().map_err(|reason| (*reason).to_owned()).and_then(|commands| match needs_terminal(commands) {
                Some(program) => Err(format!("`{program}` waits for a keyboard, and a step has none")),
                None => script::run(commands, self.names, &set_before).map_err(str::to_owned),
            });
        for (variable, value) in script::assignments(typed) {
            match value.filter(|_| !super::secrets::is_secret_name(&variable)) {
                Some(value) if script::shown(&value, Of::Command, self.names) == value => self.set.insert(variable, value),
                Some(_) => None,
                None => self.set.remove(&variable),
            };
        }
        let mut step = match made {
            Ok(run) => {
                let output = part.output.as_deref().map(|output| script::shown(&lines(output), Of::Data, self.names));
                let mut step = Step::new(id, Work::Run(Run { output, ..run }));
                if seems_to_look(typed) {
                    step.remarks.push("confirm: it seems only to look; if so, `effect: read`".to_owned());
                }
                step
            }
            Err(reason) => {
                let mut text = std::mem::take(why);
                let shown = script::shown(&part.source, Of::Command, self.names);
                text.push(fenced(language, &script::shown(&shown, Of::Data, self.names)));
                let mut step = Step::new(id, Work::Manual(text.join("\n\n")));
                step.remarks.push(format!("by hand, because {reason}"));
                // What it leaves open, a run can know.
                for blank in script::blanks(&part.source) {
                    self.names.input_for(part.source.get(blank).unwrap_or_default());
                }
                step
            }
        };
        if name.as_ref().or(why.last()).is_some_and(|said| depends(said)) {
            step.depend();
        }
        let left_out = part.left_out.into_iter().filter(|_| matches!(step.work, Work::Run(_)));
        for remark in part.remarks.into_iter().chain(left_out.collect::<Vec<_>>()) {
            step.remarks.push(script::shown(&remark, Of::Command, self.names));
        }
        step.name = name;
        step
    }
}

/// Whether a text begins as one about what is done only in some case.
fn depends(text: &str) -> bool {
    text.lines().next().is_some_and(|line| begins_with(line, DEPENDS))
}

impl Step {
    fn depend(&mut self) {
        if !self.remarks.iter().any(|remark| remark == DEPENDING) {
            self.remarks.push(DEPENDING.to_owned());
        }
    }
}

/// Whether a block is something to do, rather than something to know.
fn is_work(block: &Block) -> bool {
    match block {
        Block::Code { .. } => true,
        Block::List(list) => list.in_order || has_code_of_shell(list),
        Block::Heading { .. } | Block::Prose(_) => false,
    }
}

fn is_links(list: &List) -> bool {
    let is_link = |text: &str| ["[", "<http", "http"].iter().any(|sign| text.starts_with(sign)) && !text.contains(". ");
    !list.items.is_empty() && list.items.iter().all(|item| matches!(item.as_slice(), [Block::Prose(text)] if is_link(text)))
}

fn has_code_of_shell(list: &List) -> bool {
    list.items.iter().flatten().any(|block| match block {
        Block::Code { language, text } => is_shell(language, text),
        Block::List(list) => has_code_of_shell(list),
        Block::Heading { .. } | Block::Prose(_) => false,
    })
}

fn of_code(language: &str, text: &str) -> Of {
    if is_shell(language, text) { Of::Command } else { Of::Data }
}

fn is_output(of: &str, text: &str) -> bool {
    let language = language(of);
    OUTPUTS.contains(&language.as_str()) || (language.is_empty() && !is_shell(of, text))
}

/// Text with a line end at its end alone, and without blanks in empty lines.
fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').split('\n').map(|line| if line.trim().is_empty() { "" } else { line }).collect();
    lines.join("\n").trim_end().to_owned() + "\n"
}

/// A sentence that can stand as a name.
fn as_name(text: &str) -> Option<String> {
    let plain = text.replace("**", "").replace('`', "");
    let plain = plain.trim().trim_end_matches([':', '.']).trim_end();
    let is_one =
        !plain.is_empty() && plain.len() <= NAME_BYTES && !plain.contains(['\n', '[', '|', '<', '!', '{']) && !plain.contains(". ");
    let begins = plain.starts_with(|c: char| c.is_alphanumeric());
    (is_one && begins).then(|| plain.to_owned())
}
