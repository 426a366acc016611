//! Which commands of a shell read their words as code a second time, or as names of variables: there a value stops being data,
//! however it is quoted, and is refused. Other programs are known in [`interpreters`](super::interpreters).

/// Words after which a command is still to come.
pub(super) const RESERVED: [&str; 12] = ["if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "time", "in"];

/// Commands that read their words as code or as names of variables.
const READS_CODE: [&str; 15] = [
    "eval",
    "let",
    "declare",
    "typeset",
    "unset",
    "alias",
    "trap",
    "read",
    "mapfile",
    "readarray",
    "getopts",
    "source",
    ".",
    "function",
    "enable",
];

/// Commands whose next word is the command.
const PREFIXES: [&str; 8] = ["exec", "command", "builtin", "sudo", "doas", "nohup", "env", "setsid"];

/// Stands in the words of a `[[` that has an arithmetic test.
pub(super) const ARITHMETIC_TEST: &str = "\u{FFFC}arithmetic";

/// The value of a word `name=value`.
pub(super) fn assigned(word: &str) -> Option<&str> {
    let (name, value) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let first = name.chars().next()?;
    let plain = (first.is_ascii_alphabetic() || first == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some(value)
}

/// Why a value in `word`, behind `words` of the same command, would be read as code; `None` where it is data.
pub(super) fn second_reading(words: &[String], word: &str, in_array: bool) -> Option<&'static str> {
    if in_array {
        return word.starts_with('[').then_some("the index of an array is evaluated, and can run commands");
    }
    let Some(first) = words.first() else {
        return if assigned(word).is_some() { None } else { Some("here a value would decide which command runs") };
    };
    if let [prefix] = words
        && PREFIXES.contains(&prefix.as_str())
        && (assigned(word).is_none() || prefix == "exec" || prefix == "command")
    {
        return Some("here a value would decide which command runs");
    }
    if READS_CODE.contains(&first.as_str()) || words.iter().any(|word| word == "eval") {
        return Some("this command reads its words as code or as names of variables");
    }
    if ["export", "readonly", "local"].contains(&first.as_str())
        && (assigned(word).is_none() || words.iter().any(|word| word.starts_with('-')))
    {
        return Some("here a value would name a variable; write `name={{…}}`");
    }
    if first == "printf" && words.last().is_some_and(|word| word == "-v") {
        return Some("here a value would name a variable");
    }
    if ["[", "test"].contains(&first.as_str()) && words.iter().any(|word| word == "-v") {
        return Some("here a value would name a variable");
    }
    if words.iter().any(|word| word == ARITHMETIC_TEST) {
        return Some("`[[` evaluates what its arithmetic tests compare, and that can run commands; use `[ … ]`");
    }
    None
}
