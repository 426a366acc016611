//! A block of a shell → what is typed in it, each command whole and with what it printed.
//!
//! With prompts it is a session. A prompt begins a command, and the command goes on until a shell would run it: quotes and
//! here-documents ended, nothing left open; the prompts of such lines (`> `) are taken away. Where its end cannot be told, the rest of
//! the block is for a person: no part of a command ever stands for the whole. Commands that lean on each other through their shell
//! (a folder, a variable, a session on another host) stay together; of the others each is one.
//!
//! `# ` begins a comment, and is the prompt of root. It is a prompt in a block of a console, or without a language, that has no other
//! prompt and begins with `# ` and a command, while nothing else in it could be commands; and behind what opens root's shell
//! (`sudo -i`). In a block of `sh` or `bash` it is a comment, as it is to them. What stays in doubt is for a person, or is said.

use std::ops::Range;

use runbook_core::expr::whole_lines;
use runbook_core::limits;

use super::interactive::{begins_as_commands, leans_on_others, opens_root, opens_session, reads_as_commands, steers_its_shell};
use super::recall::{self, By, refers_back};
use super::script::outdented;

/// Languages of what a console shows: commands behind prompts, and what they print.
const CONSOLES: &[&str] = &["console", "shell-session", "shellsession", "sh-session", "session", "terminal"];
/// Languages of code that a shell reads.
const SHELLS: &[&str] = &["sh", "bash", "shell", "zsh", "ksh", "dash", "ash", "shellscript", "command", "commands", "cmd", "cli"];

const ENDLESS: &str = "where a command in it ends cannot be told";
const MIXED: &str = "lines without a prompt stand before the first prompt";
const DOUBTFUL: &str = "whether `# ` is the prompt of root or begins a comment cannot be told";
const REFERS: &str = "it takes words from an earlier command (`!`), which only the shell that it was typed into knew";
const IDLE: &str = "all that it does is to open or to end a shell";
const AS_ROOT: &str = "confirm: it was typed at the prompt of root (`#`), so it has to run as root";
const COMMENTED: &str =
    "confirm: a line that begins with `# ` is a comment and does not run; if it is the prompt of root, take it away";
const IN_OUTPUT: &str = "confirm: a line of what it prints begins with `# `; if that is the prompt of root, it is a command";

/// What is done at once.
#[derive(Debug)]
pub(super) struct Part {
    /// What is typed, or why a person has to do it.
    pub command: Result<String, &'static str>,
    /// As it stands in the block, with all that it prints.
    pub source: String,
    pub output: Option<String>,
    /// Comments above it.
    pub notes: Vec<String>,
    /// For whoever confirms it.
    pub remarks: Vec<String>,
    /// The same of what its source shows between commands: right where the commands run by themselves.
    pub left_out: Vec<String>,
}

impl Part {
    fn new(command: Result<String, &'static str>, source: &str, remark: Option<String>) -> Part {
        Part {
            command,
            source: source.to_owned(),
            output: None,
            notes: Vec::new(),
            remarks: remark.into_iter().collect(),
            left_out: Vec::new(),
        }
    }
}

/// The parts of a block, in their order.
pub(super) fn parts(of: &str, text: &str) -> Vec<Part> {
    match kind(&language(of), text) {
        Kind::Script => {
            let text = text.trim_matches('\n').trim_end();
            if refers_back(text, By::Script) {
                return vec![Part::new(Err(REFERS), text, None)];
            }
            let is_doubtful = !SHELLS.contains(&language(of).as_str()) && text.lines().any(is_command_or_comment);
            vec![Part::new(Ok(text.to_owned()), text, is_doubtful.then(|| COMMENTED.to_owned()))]
        }
        Kind::Session(prompts) => {
            let text = outdented(text);
            let parts = joined(Reader::read(&text, prompts), &text);
            let nothing = if text.contains('!') { REFERS } else { IDLE };
            if parts.is_empty() { vec![Part::new(Err(nothing), text.trim_matches('\n').trim_end(), None)] } else { parts }
        }
        Kind::Unclear(reason) => vec![Part::new(Err(reason), text.trim_matches('\n').trim_end(), None)],
    }
}

/// Whether a shell reads a block.
pub(super) fn is_shell(of: &str, text: &str) -> bool {
    let language = language(of);
    // Messages and listings are called `bash` too.
    let reads = SHELLS.contains(&language.as_str())
        || CONSOLES.contains(&language.as_str())
        || (language.is_empty() && (prompt(text.trim_start()).is_some() || reads_as_commands(text)));
    (reads && begins_as_commands(text)) || !matches!(roots(&language, &outdented(text)), Roots::No)
}

/// What to say of a block that is shown, not run, where it could be something that root typed.
pub(super) fn doubt_of_shown(of: &str, text: &str) -> Option<&'static str> {
    let shows_comments = SHELLS.contains(&language(of).as_str());
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    (shows_comments && is_command_or_comment(first)).then_some(DOUBTFUL)
}

/// The first word of what stands behind the fence.
pub(super) fn language(of: &str) -> String {
    of.trim_start_matches(['{', '.'])
        .split(|c: char| c.is_whitespace() || ",{}:".contains(c))
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

enum Kind {
    Script,
    Session(Prompts),
    Unclear(&'static str),
}

fn kind(language: &str, text: &str) -> Kind {
    let outdented = outdented(text);
    let first = outdented.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    if prompt(first).is_some() {
        let is_percent = first.trim_start().starts_with('%');
        return Kind::Session(Prompts { column: indent(first), is_percent, is_hash: false });
    }
    match roots(language, &outdented) {
        Roots::Yes => return Kind::Session(ROOT),
        Roots::Doubtful => return Kind::Unclear(DOUBTFUL),
        Roots::No => {}
    }
    // In a script a line of a here-document may look like a prompt; the first line of a command does not.
    let mut rest = outdented.as_str();
    while !rest.is_empty() {
        if prompt(rest.lines().next().unwrap_or_default()).is_some() {
            return Kind::Unclear(MIXED);
        }
        rest = whole_lines(rest).and_then(|whole| rest.get(whole..)).unwrap_or_default();
    }
    Kind::Script
}

enum Roots {
    No,
    Yes,
    Doubtful,
}

/// Whether `# ` is the prompt of root in a block.
fn roots(language: &str, text: &str) -> Roots {
    let is_console = CONSOLES.contains(&language);
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()).and_then(|line| line.strip_prefix("# ")) else {
        return Roots::No;
    };
    if !(is_console || language.is_empty()) {
        return Roots::No;
    }
    let is_sure = reads_as_commands(first);
    // Few sentences have such words.
    let has_signs = first.split_whitespace().skip(1).any(|word| word.starts_with(['-', '/', '|', '>', '<', '$', '"', '\'']));
    let may_be_one = |line: &str| {
        begins_as_commands(line)
            && (line.split_whitespace().nth(1).is_some() || line.trim_start().starts_with(['/', '.', '~', '$']))
    };
    let printed: String = Reader::read(text, ROOT).into_iter().map(|part| part.printed).collect();
    match printed.lines().find(|line| !line.trim().is_empty()) {
        Some(_) if reads_as_commands(&printed) => Roots::No,
        Some(line) if is_sure && (has_signs || !may_be_one(line)) => Roots::Yes,
        Some(line) if is_console && begins_as_commands(first) && !may_be_one(line) => Roots::Yes,
        None if is_sure => Roots::Yes,
        _ if may_be_one(first) || (is_console && begins_as_commands(first)) => Roots::Doubtful,
        _ => Roots::No,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    User,
    Root,
}

/// How prompts of a session look.
#[derive(Clone, Copy)]
struct Prompts {
    /// What stands further to the right is printed.
    column: usize,
    /// `% ` is one, not the head of a table.
    is_percent: bool,
    /// `# ` is one.
    is_hash: bool,
}

const ROOT: Prompts = Prompts { column: 0, is_percent: false, is_hash: true };

/// The command behind the prompt of a shell: `$ `, `% `, `user@host:~# `.
fn prompt(line: &str) -> Option<(Sign, &str)> {
    let line = line.trim_start();
    for sign in ["$ ", "% ", "➜ ", "❯ "] {
        if let Some(command) = line.strip_prefix(sign) {
            return Some((Sign::User, command));
        }
    }
    let at = line.find(['$', '#'])?;
    let (host, command) = (line.get(..at)?, line.get(at + 1..)?.strip_prefix(' ')?);
    let is_version = |version: &str| version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_bare = ["sh-", "bash-"].iter().any(|shell| host.strip_prefix(shell).is_some_and(is_version));
    let sign = if line.get(at..)?.starts_with('#') { Sign::Root } else { Sign::User };
    (is_bare || is_host(host)).then_some((sign, command))
}

/// `ann@db-1:~`, `[root@db-1 ~]`, `(venv) ann@db-1 ~ `.
fn is_host(text: &str) -> bool {
    let text = text.strip_prefix('(').and_then(|text| text.split_once(") ")).map_or(text, |(_, text)| text);
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let Some((user, place)) = text.split_once('@') else { return false };
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    let (host, folder) = place.split_once([':', ' ']).unwrap_or((place, ""));
    is_name(user) && is_name(host) && !folder.trim().contains([' ', '"', '\'', '=', '|', ';', '('])
}

/// What stands behind the prompt of a shell that waits for more: `> `, in zsh with what it waits for (`quote> `).
fn continued(line: &str) -> Option<&str> {
    let (waits_for, rest) = line.split_once('>')?;
    let is_prompt = waits_for.len() <= 24 && waits_for.bytes().all(|b| b.is_ascii_lowercase() || b == b' ');
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }.filter(|_| is_prompt)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line is `# ` and what reads as a command.
fn is_command_or_comment(line: &str) -> bool {
    line.trim_start().strip_prefix("# ").is_some_and(reads_as_commands)
}

/// A part, while it is read.
struct Piece {
    span: Range<usize>,
    command: Result<String, &'static str>,
    printed: String,
    notes: Vec<String>,
    remarks: Vec<String>,
    left_out: Vec<String>,
}

enum Line {
    /// A command begins so many bytes behind the start of the line.
    Command(Sign, usize),
    /// A command of root, or a comment.
    Doubtful,
    Note,
    Printed,
}

/// Goes through a session. Lines of its text begin where its prompts do, or further to the right.
struct Reader<'t> {
    text: &'t str,
    prompts: Prompts,
    at: usize,
    pieces: Vec<Piece>,
    notes: Vec<String>,
    remarks: Vec<String>,
    /// What was left out since the last command.
    left_out: Vec<String>,
    /// What is typed goes to something that a command opened.
    is_elsewhere: bool,
}

impl<'t> Reader<'t> {
    fn read(text: &'t str, prompts: Prompts) -> Vec<Piece> {
        let (notes, remarks, left_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut reader = Reader { text, prompts, at: 0, pieces: Vec::new(), notes, remarks, left_out, is_elsewhere: false };
        while let Some(line) = reader.rest().split_inclusive('\n').next() {
            let (begun, end) = (reader.at, reader.at + line.len());
            match reader.kind(line.trim_end_matches('\n')) {
                Line::Command(sign, offset) => {
                    if !reader.command(sign, begun, begun + offset) {
                        reader.push(begun..text.len(), Err(ENDLESS));
                        break;
                    }
                }
                Line::Doubtful => {
                    reader.at = end;
                    reader.push(begun..end, Err(DOUBTFUL));
                }
                Line::Note => {
                    reader.at = end;
                    let note = line.trim().trim_start_matches('#').trim();
                    reader.notes.extend((!note.is_empty()).then(|| note.to_owned()));
                }
                Line::Printed => {
                    reader.at = end;
                    // What a command prints that is left out, such as `logout`, is no output of the one before it.
                    let Some(piece) = reader.pieces.last_mut().filter(|_| reader.left_out.is_empty()) else { continue };
                    piece.printed.push_str(line);
                    piece.span.end = end;
                    let is_said = piece.remarks.iter().any(|remark| remark == IN_OUTPUT);
                    piece.remarks.extend((is_command_or_comment(line) && !is_said).then(|| IN_OUTPUT.to_owned()));
                }
            }
        }
        if let Some(last) = reader.pieces.last_mut() {
            last.remarks.append(&mut reader.remarks);
            last.remarks.append(&mut reader.left_out);
            last.remarks.append(&mut reader.notes);
        }
        reader.pieces
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, span: Range<usize>, command: Result<String, &'static str>) {
        let (notes, remarks) = (std::mem::take(&mut self.notes), std::mem::take(&mut self.remarks));
        let left_out = std::mem::take(&mut self.left_out);
        self.pieces.push(Piece { span, command, printed: String::new(), notes, remarks, left_out });
    }

    fn prompt(&self, line: &'t str) -> Option<(Sign, &'t str)> {
        let is_one = indent(line) <= self.prompts.column && (self.prompts.is_percent || !line.trim_start().starts_with('%'));
        prompt(line).filter(|_| is_one)
    }

    fn kind(&self, line: &'t str) -> Line {
        if let Some((sign, command)) = self.prompt(line) {
            return Line::Command(sign, line.len() - command.len());
        }
        if !line.starts_with('#') {
            return Line::Printed;
        }
        let has_printed = self.pieces.last().is_some_and(|piece| !piece.printed.trim().is_empty());
        let behind = line.strip_prefix("# ").unwrap_or_default();
        let is_sure = reads_as_commands(behind) || matches!(behind.trim(), "exit" | "logout");
        if self.prompts.is_hash {
            match behind {
                _ if is_sure || (self.pieces.is_empty() && begins_as_commands(behind)) => Line::Command(Sign::Root, 2),
                _ if begins_as_commands(behind) => Line::Doubtful,
                _ if has_printed && !self.is_above_a_prompt() => Line::Printed,
                _ => Line::Note,
            }
        } else {
            let is_above = self.is_above_a_prompt();
            match behind {
                _ if is_sure && (is_above || !has_printed) => Line::Doubtful,
                _ if is_above => Line::Note,
                _ => Line::Printed,
            }
        }
    }

    /// Whether this line, and others that begin with `#`, stand directly above a prompt.
    fn is_above_a_prompt(&self) -> bool {
        let mut below = self.rest().lines().skip(1).take(limits::DRAFT_COMMENT_LINES);
        let next = below.find(|line| {
            let is_typed = self.prompts.is_hash && is_command_or_comment(line);
            is_typed || !(line.starts_with('#') || line.trim().is_empty())
        });
        next.is_some_and(|line| self.prompt(line).is_some() || (self.prompts.is_hash && is_command_or_comment(line)))
    }

    /// Takes the command that begins at `typed`, as far as a shell would read it. Whether it has an end.
    fn command(&mut self, sign: Sign, begun: usize, typed: usize) -> bool {
        let Some((command, end)) = self.whole(typed) else { return false };
        self.at = end;
        let next = self.rest().lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let is_root_next = self.prompt(next).is_some_and(|(sign, _)| sign == Sign::Root) || next.starts_with("# ");
        if opens_root(&command) && is_root_next {
            self.prompts.is_hash = true;
            self.left_out.push(format!("left out: `{command}`, which opens a shell of root"));
        } else if matches!(command.trim(), "exit" | "logout") && !self.is_elsewhere {
            self.prompts.is_hash &= self.prompts.column == 0 && self.pieces.is_empty();
            self.left_out.push(format!("left out: `{command}`, which ends a shell"));
        } else if refers_back(&command, By::Keyboard) {
            self.left_out.push(recall::left_out(&command, None));
        } else if !command.trim().is_empty() {
            self.is_elsewhere |= opens_session(&command);
            match self.text.get(begun..typed).map(str::trim).filter(|prompt| prompt.contains('@')) {
                Some(prompt) => {
                    self.remarks
                        .push(format!("confirm: it was typed at `{prompt}`, so it may have to run there, and as that user"));
                }
                None => self.remarks.extend((sign == Sign::Root).then(|| AS_ROOT.to_owned())),
            }
            self.push(begun..end, Ok(command));
        }
        true
    }

    /// The command that begins here, and where the line behind it begins.
    fn whole(&mut self, typed: usize) -> Option<(String, usize)> {
        let rest = self.text.get(typed..)?;
        let first = rest.lines().next().unwrap_or_default();
        let behind = |lines: usize| typed + rest.split_inclusive('\n').take(lines).map(str::len).sum::<usize>();
        if whole_lines(first).is_some() {
            return Some((first.trim_end().to_owned(), behind(1)));
        }
        let more = || rest.lines().skip(1);
        if more().next().is_some_and(|line| continued(line).is_some()) {
            let mut lines = vec![first];
            lines.extend(more().map_while(continued));
            let all = lines.join("\n");
            let whole = all.get(..whole_lines(&all)?)?.trim_end_matches('\n');
            let count = whole.split('\n').count();
            let redirects = lines.iter().take(count).skip(1).find(|line| first.ends_with('\\') && line.split(' ').count() == 1);
            if let Some(word) = redirects {
                self.remarks
                    .push(format!("confirm: `> {word}` was read as `{word}` behind the prompt of a shell that waits for more"));
            }
            return Some((whole.to_owned(), behind(count)));
        }
        let whole = rest.get(..whole_lines(rest)?)?.trim_end_matches('\n');
        let is_document = whole.contains("<<");
        let swallows =
            |line: &'t str| self.prompt(line).is_some() || (self.prompts.is_hash && !is_document && line.starts_with("# "));
        (!whole.lines().skip(1).any(swallows)).then(|| (whole.to_owned(), behind(whole.split('\n').count())))
    }
}

/// Pieces as parts: those that lean on each other are one.
fn joined(pieces: Vec<Piece>, text: &str) -> Vec<Part> {
    let mut joined: Vec<Piece> = Vec::new();
    let mut is_steered = false;
    for mut piece in pieces {
        let typed = piece.command.as_deref().unwrap_or_default();
        let leans = is_steered || leans_on_others(typed);
        is_steered |= steers_its_shell(typed) || opens_session(typed);
        let Some(last) = joined.last_mut().filter(|_| leans) else {
            // The source of this part begins behind what was left out.
            piece.remarks.append(&mut piece.left_out);
            joined.push(piece);
            continue;
        };
        match (&mut last.command, piece.command) {
            (Ok(before), Ok(typed)) => {
                piece.notes.iter().for_each(|note| before.extend(["\n# ", note]));
                before.extend(["\n", &typed]);
            }
            (before, Err(reason)) => *before = Err(reason),
            (Err(_), Ok(_)) => {}
        }
        last.span.end = piece.span.end;
        last.printed.push_str(&piece.printed);
        piece.remarks.retain(|remark| !last.remarks.contains(remark));
        last.remarks.append(&mut piece.remarks);
        last.left_out.append(&mut piece.left_out);
    }
    let part = |piece: Piece| Part {
        command: piece.command,
        source: text.get(piece.span).unwrap_or_default().trim_end().to_owned(),
        output: (!piece.printed.trim().is_empty()).then_some(piece.printed),
        notes: piece.notes,
        remarks: piece.remarks,
        left_out: piece.left_out,
    };
    joined.into_iter().map(part).collect()
}
