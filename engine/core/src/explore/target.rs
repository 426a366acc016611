//! What a step changes, as far as its command says: two that say the same change the same. A script that is one plain command is that
//! command, however it is written; of any other script nothing is said but its text.

use std::collections::BTreeMap;

use crate::markdown;
use crate::run::task::{EnvText, Task, Work};
use crate::run::view::StepView;

/// The address of a request, whatever its method, else all that is run.
pub(super) fn target(view: &StepView<'_>) -> Option<String> {
    let work = view.work()?;
    match &work.task {
        Task::Http(http) if http.is_safe() => None,
        Task::Http(http) => Some(format!("change {}", http.url)),
        Task::Exec { argv } => Some(format!("do {}{}", markdown::quoted(&command(argv)), surroundings(work))),
        Task::Run { script, values, .. } => match words(script, values) {
            Some(argv) => Some(format!("do {}{}", markdown::quoted(&command(&argv)), surroundings(work))),
            None => {
                let values: String = values.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                Some(format!("do the script {}{values}{}", markdown::quoted(script.trim()), surroundings(work)))
            }
        },
        Task::Rhai { .. } | Task::Notify { .. } | Task::Event(_) => None,
    }
}

/// Words as one text, so that different words are different texts.
fn command(argv: &[String]) -> String {
    let in_quotes =
        |word: &String| match !word.is_empty() && word.chars().all(|c| !c.is_whitespace() && !matches!(c, '\'' | '"' | '\\')) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        };
    argv.iter().map(in_quotes).collect::<Vec<_>>().join(" ")
}

fn surroundings(work: &Work) -> String {
    let env = work.env.iter().map(|(name, value)| match value {
        EnvText::Plain(value) => format!(" {name}={value}"),
        EnvText::Secret(secret) => format!(" {name}=secrets.{}", secret.name),
    });
    let dir = work.dir.iter().map(|dir| format!(" in {dir}"));
    env.chain(dir).collect()
}

/// The words of a script that is one plain command: none of it but its values and what stands in quotes is anything to a shell.
fn words(script: &str, values: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = script.trim();
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            ' ' | '\t' => {
                words.extend(word.take());
                after
            }
            '\'' => {
                let (text, after) = after.split_once('\'')?;
                word.get_or_insert_default().push_str(text);
                after
            }
            '"' => quoted(after, values, word.get_or_insert_default())?,
            '$' => return None,
            c if is_plain(c) => {
                // An assignment before a command is none of its words.
                if c == '=' && words.is_empty() {
                    return None;
                }
                word.get_or_insert_default().push(c);
                after
            }
            _ => return None,
        };
    }
    words.extend(word);
    // What a shell takes the first word for, where it is not the name of a program.
    const OWN: [&str; 24] = [
        "!", ".", ":", "[", "alias", "bg", "break", "builtin", "cd", "command", "continue", "eval", "exec", "exit", "export",
        "read", "return", "set", "shift", "source", "time", "trap", "ulimit", "umask",
    ];
    const WORDS: [&str; 12] = ["if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "function", "select"];
    let first = words.first()?;
    (!OWN.contains(&first.as_str()) && !WORDS.contains(&first.as_str())).then_some(words)
}

/// What stands in double quotes: plain text and values. Gives what follows.
fn quoted<'s>(mut rest: &'s str, values: &BTreeMap<String, String>, word: &mut String) -> Option<&'s str> {
    loop {
        let at = rest.find(['"', '$', '\\', '`'])?;
        word.push_str(rest.get(..at)?);
        rest = rest.get(at..)?;
        if let Some(after) = rest.strip_prefix('"') {
            return Some(after);
        }
        let (name, after) = rest.strip_prefix("${")?.split_once('}')?;
        word.push_str(values.get(name)?);
        rest = after;
    }
}

/// Whether a character means only itself, wherever it stands outside quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '@' | '%' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_is_its_words() {
        let values = BTreeMap::from([("RB_1".to_owned(), "a b".to_owned())]);
        for (script, expect) in [
            ("rebuild-index", Some("rebuild-index")),
            ("  ./bin/x --all=1 b\t c \n", Some("./bin/x --all=1 b c")),
            ("x \"${RB_1}\" 'c  d' e'f'\"g\"", Some("x 'a b' 'c  d' efg")),
            ("x 'a '\"${RB_1}\"", Some("x 'a a b'")),
            ("x ''", Some("x ''")),
            // Everything that a shell would do something with.
            ("x > y", None),
            ("x; y", None),
            ("x\ny", None),
            ("x *", None),
            ("x ~", None),
            ("x $HOME", None),
            ("x \"$HOME\"", None),
            ("x \"${HOME}\"", None),
            ("x \"${RB_1:-z}\"", None),
            ("x \\y", None),
            ("x # y", None),
            ("A=1 x", None),
            ("x 'y", None),
            ("x \"y", None),
            ("cd x", None),
            ("exec x", None),
            ("", None),
        ] {
            assert_eq!(words(script, &values).map(|argv| command(&argv)).as_deref(), expect, "{script}");
        }
        let one = |words: &[&str]| command(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_ne!(one(&["x", "a b"]), one(&["x", "a", "b"]));
        assert_ne!(one(&["x", ""]), one(&["x"]));
        assert_ne!(one(&["x", "'a"]), one(&["x", "a'"]));
    }
}
