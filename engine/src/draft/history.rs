//! What shells keep of the commands that were typed: bash (plain, or with times), zsh (plain or extended, with its escaped bytes), fish,
//! and what the command `history` prints. Which of them it is shows in the text itself.

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
    let mut commands: Vec<String> = Vec::new();
    // Whether the last command goes on with the next line.
    let mut goes_on = false;
    for line in text.split('\n') {
        let begun = match format {
            Format::Fish => match line.strip_prefix("- cmd: ") {
                Some(command) => Some(fish(command)),
                None => continue,
            },
            Format::BashTimed if is_time(line.as_bytes()) => {
                goes_on = false;
                continue;
            }
            Format::BashTimed if goes_on => None,
            Format::ZshExtended => extended(line).filter(|_| !goes_on).map(str::to_owned),
            Format::Numbered => numbered(line).map(str::to_owned),
            Format::Plain | Format::BashTimed => (!goes_on).then(|| line.to_owned()),
        };
        match (begun, commands.last_mut()) {
            (Some(command), _) => commands.push(command),
            (None, Some(last)) => {
                last.push('\n');
                last.push_str(line);
            }
            (None, None) => {}
        }
        // zsh keeps a line end as a backslash before it; in a plain file a command goes on in the same way.
        goes_on = match format {
            Format::BashTimed => true,
            Format::ZshExtended | Format::Plain => line.ends_with('\\'),
            Format::Fish | Format::Numbered => false,
        };
        if goes_on
            && format == Format::ZshExtended
            && let Some(last) = commands.last_mut()
        {
            last.pop();
        }
    }
    commands.retain_mut(|command| {
        *command = command.trim().to_owned();
        !command.is_empty()
    });
    commands
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
