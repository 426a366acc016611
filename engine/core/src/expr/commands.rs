//! Which commands read their words as code a second time, or as names of variables: there a value stops being data, however
//! it is quoted, and is refused. The lists are what shells and the usual clients document; a program of the user's that reads an
//! argument as code cannot be known.

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

/// Interpreters, and the letters of the options behind which they read code.
const INTERPRETERS: [(&str, &str); 17] = [
    ("sh", "c"),
    ("bash", "c"),
    ("dash", "c"),
    ("ash", "c"),
    ("ksh", "c"),
    ("zsh", "c"),
    ("su", "c"),
    ("python", "c"),
    ("python3", "c"),
    ("perl", "eE"),
    ("ruby", "e"),
    ("node", "ep"),
    ("php", "r"),
    ("psql", "c"),
    ("mysql", "e"),
    ("mariadb", "e"),
    ("flock", "c"),
];

/// Stands in the words of a `[[` that has an arithmetic test.
pub(super) const ARITHMETIC_TEST: &str = "\u{FFFC}arithmetic";

/// Options of ssh that take the next word.
const SSH_OPTIONS: &str = "BbcDEeFIiJLlmOoPpQRSWw";

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
    let program = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(place) = words.iter().position(|word| program(word) == "ssh") {
        return remote(words.get(place + 1..).unwrap_or_default(), word);
    }
    for (name, options) in INTERPRETERS {
        let reads = |option: &String| {
            option.len() > 1 && option.starts_with('-') && !option.starts_with("--") && option.ends_with(|c| options.contains(c))
        };
        if words.iter().any(|word| program(word) == name)
            && (words.last().is_some_and(reads)
                || word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c| options.contains(c))))
        {
            return Some("here the value would be part of a program that another interpreter reads");
        }
    }
    None
}

/// Everything behind the host of an `ssh` is joined and read by a shell over there.
fn remote(words: &[String], word: &str) -> Option<&'static str> {
    let mut words = words.iter();
    while let Some(next) = words.next() {
        match next.strip_prefix('-') {
            Some(option) if option.len() == 1 && option.chars().all(|c| SSH_OPTIONS.contains(c)) => {
                if words.next().is_none() {
                    // The word is this option's argument.
                    return (next == "-o").then_some("an option of ssh can name a command");
                }
            }
            Some(_) => {}
            None => return Some("ssh hands this to a shell on the other side, which reads it as code"),
        }
    }
    word.starts_with('-').then_some("an option of ssh can name a command")
}
