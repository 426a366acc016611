//! What shells keep of the commands that were typed: bash (plain, or with times), zsh (plain or extended, with its escaped bytes), fish,
//! and what the command `history` prints. Which of them it is shows in the text itself.

use runbook_core::expr::whole_lines;
use runbook_core::limits;

use super::{Undrafted, readable};

/// Commands in the order in which they were typed.
#[derive(Debug)]
pub struct Commands {
    pub commands: Vec<String>,
    /// How many the history holds.
    pub of: usize,
    /// What was left out, for people.
    pub(super) left_out: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Fish,
    /// `: 1700000000:0;command`
    ZshExtended,
    /// `#1700000000` before each command.
    BashTimed,
    /// `  501  command`
    Numbered,
    Plain,
}

/// Which of a history's commands are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// At most this many, the last ones.
    pub last: Option<usize>,
    /// From the last command on that holds this text.
    pub since: Option<&'a str>,
}

impl Commands {
    /// Reads a history, and keeps what is wanted of it.
    pub fn read(bytes: &[u8], wanted: Wanted) -> Result<Commands, Undrafted> {
        if bytes.len() > limits::HISTORY_BYTES {
            return Err(Undrafted::TooLarge { most: limits::HISTORY_BYTES });
        }
        let format = format_of(bytes);
        // Outside ASCII, zsh escapes bytes that mean something to it; of a plain file only those tell that zsh wrote it.
        let is_zsh = format == Format::ZshExtended || (std::str::from_utf8(bytes).is_err() && bytes.contains(&META));
        let unescaped = if is_zsh { unmetafied(bytes) } else { bytes.to_vec() };
        let (text, left_out) = readable(&unescaped)?;
        let mut commands = split(&text, format);
        let of = commands.len();
        if let Some(text) = wanted.since {
            let first = commands.iter().rposition(|command| command.contains(text));
            let first = first.ok_or_else(|| Undrafted::NoSuchCommand(text.to_owned()))?;
            commands.drain(..first);
        }
        if let Some(last) = wanted.last {
            commands.drain(..commands.len().saturating_sub(last));
        }
        Ok(Commands { commands, of, left_out })
    }
}

const META: u8 = 0x83;

/// The bytes that zsh stands for: `Meta` and a byte are that byte, its sixth bit turned.
fn unmetafied(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            &META => plain.extend(bytes.next().map(|byte| byte ^ 32)),
            byte => plain.push(*byte),
        }
    }
    plain
}

/// By the first line that says something.
pub(super) fn format_of(bytes: &[u8]) -> Format {
    let lines = || bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
    let Some(first) = lines().next() else { return Format::Plain };
    let numbered = |line: &[u8]| numbered(&String::from_utf8_lossy(line)).is_some();
    if first.starts_with(b"- cmd: ") {
        Format::Fish
    } else if lines().any(|line| extended(&String::from_utf8_lossy(line)).is_some()) && first.starts_with(b": ") {
        Format::ZshExtended
    } else if is_time(first) {
        Format::BashTimed
    } else if lines().take(20).all(numbered) {
        Format::Numbered
    } else {
        Format::Plain
    }
}

fn is_time(line: &[u8]) -> bool {
    line.strip_prefix(b"#").is_some_and(|time| (9..=12).contains(&time.len()) && time.iter().all(u8::is_ascii_digit))
}

/// The command behind its number.
fn numbered(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix('*').unwrap_or(rest);
    (rest.len() < line.len())
        .then(|| rest.strip_prefix("  ").or_else(|| rest.strip_prefix(' ')).or_else(|| rest.strip_prefix('\t')))
        .flatten()
}

/// The command behind `: begun:took;`.
fn extended(line: &str) -> Option<&str> {
    let (times, command) = line.strip_prefix(": ")?.split_once(';')?;
    let (begun, took) = times.split_once(':')?;
    let is_number = |text: &str| !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit());
    (is_number(begun) && is_number(took)).then_some(command)
}

fn split(text: &str, format: Format) -> Vec<String> {
    let commands: Vec<String> = match format {
        Format::Fish => text.lines().filter_map(|line| line.strip_prefix("- cmd: ")).map(fish).collect(),
        Format::Numbered => begun(text, numbered),
        // zsh keeps a line end as a backslash before it.
        Format::ZshExtended => {
            begun(&text.replace("\\\n", "\0"), extended).into_iter().map(|command| command.replace('\0', "\n")).collect()
        }
        Format::BashTimed | Format::Plain => as_typed(text),
    };
    commands.into_iter().map(|command| command.trim().to_owned()).filter(|command| !command.is_empty()).collect()
}

/// Each command whose line tells that one begins, with the lines behind it.
fn begun(text: &str, begins: fn(&str) -> Option<&str>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in text.split('\n') {
        match (begins(line), commands.last_mut()) {
            (Some(command), _) => commands.push(command.to_owned()),
            (None, Some(last)) => last.extend(["\n", line]),
            (None, None) => {}
        }
    }
    commands
}

/// Commands that nothing but themselves tells apart: a here-document, a quote or a loop goes on to its end. Behind a time of bash, all up
/// to the next time is one.
fn as_typed(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let (mut at, mut is_timed, mut endless) = (0, false, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let line = rest.lines().next().unwrap_or_default();
        let mut taken = line.len() + 1;
        if is_time(line.as_bytes()) {
            is_timed = true;
            commands.push(String::new());
        } else if let Some(last) = commands.last_mut().filter(|_| is_timed) {
            last.extend([line, "\n"]);
        } else if escaped_by_zsh(line).is_some() {
            let lines = rest.lines().map_while(escaped_by_zsh).count() + 1;
            taken = rest.split_inclusive('\n').take(lines).map(str::len).sum();
            let plain: Vec<&str> = rest.lines().take(lines).map(|line| escaped_by_zsh(line).unwrap_or(line)).collect();
            commands.push(plain.join("\n"));
        } else {
            if whole_lines(line).is_none() && endless < limits::DRAFT_COMMANDS {
                let near = rest.get(..rest.floor_char_boundary(limits::TEMPLATE_BYTES)).unwrap_or_default();
                let whole = whole_lines(near);
                endless += usize::from(whole.is_none());
                taken = whole.unwrap_or(taken);
            }
            commands.push(rest.get(..taken).unwrap_or(rest).to_owned());
        }
        at += taken;
    }
    commands
}

/// A line whose end zsh kept as a backslash, without it. Behind a blank a backslash was typed, and zsh keeps that as two.
fn escaped_by_zsh(line: &str) -> Option<&str> {
    let line = line.strip_suffix('\\')?;
    let typed = line.strip_suffix('\\').unwrap_or(line);
    let is_behind_blank = typed.ends_with([' ', '\t']) || typed.is_empty();
    (is_behind_blank == (typed.len() < line.len())).then_some(line)
}

/// `\n` and `\\` as they were typed.
fn fish(command: &str) -> String {
    let mut plain = String::new();
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('\\')) => plain.push('\\'),
            _ => {
                plain.push(c);
                continue;
            }
        }
        chars.next();
    }
    plain
}
