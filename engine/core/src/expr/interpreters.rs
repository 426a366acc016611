//! Which programs read what they are given as code: an argument behind an option, an operand, their standard input. A value
//! there stops being data, however it is quoted, and is refused. One list serves the words of `exec` and the commands of a script.
//!
//! The list is what the usual interpreters and clients document; a program of the user's own that reads an argument as code
//! cannot be known.

use super::commands::{command_place, is_prefix, program};

/// What a program reads as code.
struct Interpreter {
    names: &'static [&'static str],
    /// Options behind which code stands: letters, which may be joined with others (`-Atc`), and long names.
    code: &'static [&'static str],
    /// Options behind which other data stands, and how many words of it: needed to tell operands from them.
    data: &'static [(&'static str, usize)],
    /// Which operand is code, where no option has given the code.
    operand: Operand,
    /// Options that name a file with the code.
    file: &'static [&'static str],
    input: Input,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Data,
    First,
    /// Behind a database or a connection.
    Second,
    All,
}

/// Whether the standard input is code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Data,
    /// Where neither an option nor an operand names a script.
    WithoutScript,
    /// Where no option gives code: operands name databases and the like.
    WithoutCode,
}

const NOTHING: Interpreter =
    Interpreter { names: &[], code: &[], data: &[], operand: Operand::Data, file: &[], input: Input::WithoutScript };

const INTERPRETERS: [Interpreter; 18] = [
    Interpreter { names: &["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"], code: &["c"], data: &[("o", 1)], ..NOTHING },
    Interpreter { names: &["su", "runuser"], code: &["c", "command"], input: Input::WithoutCode, ..NOTHING },
    Interpreter { names: &["script", "flock"], code: &["c", "command"], input: Input::Data, ..NOTHING },
    Interpreter { names: &["python", "python2", "python3", "pypy3"], code: &["c"], data: &[("W", 1), ("X", 1)], ..NOTHING },
    Interpreter { names: &["perl"], code: &["e", "E"], ..NOTHING },
    Interpreter { names: &["ruby", "lua", "Rscript", "julia", "groovy", "elixir", "osascript"], code: &["e"], ..NOTHING },
    Interpreter { names: &["node", "deno", "bun"], code: &["e", "p", "eval", "print"], ..NOTHING },
    Interpreter { names: &["php"], code: &["r"], ..NOTHING },
    Interpreter { names: &["psql"], code: &["c", "command"], file: &["f", "file"], input: Input::WithoutCode, ..NOTHING },
    Interpreter { names: &["mysql", "mariadb", "cqlsh"], code: &["e", "execute"], input: Input::WithoutCode, ..NOTHING },
    Interpreter { names: &["mongosh", "mongo"], code: &["eval"], input: Input::WithoutCode, ..NOTHING },
    Interpreter { names: &["clickhouse-client"], code: &["q", "query"], input: Input::WithoutCode, ..NOTHING },
    Interpreter {
        names: &["sqlite3", "duckdb"],
        code: &["cmd", "c"],
        operand: Operand::Second,
        data: &[("separator", 1), ("nullvalue", 1), ("init", 1)],
        ..NOTHING
    },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        code: &["e", "source"],
        data: &[("F", 1), ("v", 1), ("i", 1)],
        operand: Operand::First,
        file: &["f", "file"],
        input: Input::Data,
    },
    Interpreter {
        names: &["sed"],
        code: &["e", "expression"],
        data: &[("l", 1)],
        operand: Operand::First,
        file: &["f", "file"],
        input: Input::Data,
    },
    Interpreter {
        names: &["jq", "yq"],
        data: &[("arg", 2), ("argjson", 2), ("slurpfile", 2), ("rawfile", 2), ("indent", 1), ("L", 1)],
        operand: Operand::First,
        file: &["f", "from-file"],
        input: Input::Data,
        ..NOTHING
    },
    Interpreter { names: &["watch"], data: &[("n", 1), ("interval", 1)], operand: Operand::All, input: Input::Data, ..NOTHING },
    Interpreter { names: &["parallel"], data: &[("j", 1), ("n", 1), ("jobs", 1)], operand: Operand::All, ..NOTHING },
];

/// Programs that start a program named somewhere behind them.
const LAUNCHERS: [&str; 4] = ["docker", "podman", "kubectl", "find"];

/// Options of `ssh` that have a value behind them.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOopPQRSWw";

const PART: &str = "here the value would be part of a program that another interpreter reads";

/// The places, among the arguments of an `exec`, of those that are read as code and hold a value.
pub fn data_as_code(words: &[&str]) -> Vec<usize> {
    let holds = |word: &str| word.contains("{{");
    // The first word decides which program runs.
    let first = words.first().filter(|word| holds(word)).map(|_| 0);
    first.into_iter().chain(code_with_values(words, &holds).into_iter().map(|(at, _)| at)).collect()
}

/// What to do instead, for the program that would read a value as code.
pub fn way_around(program: &str) -> &'static str {
    match super::commands::program(program) {
        program if program.starts_with("{{") => "name the program; choose between programs with `choose`",
        "psql" => "hand it over with `-v name={{…}}` and write `:'name'` in a script on standard input or in a file",
        "ssh" => "send a fixed command, and the values on its standard input or as a file",
        "awk" | "gawk" | "mawk" | "nawk" => "hand it over with `-v name={{…}}`",
        "jq" => "hand it over with `--arg name {{…}}` and write `$name`",
        "mysql" | "mariadb" => "put the statement into a file that reads the value from the environment or a table",
        _ => "pass the value behind the code, as `\"$1\"` or `sys.argv[1]`, or in `env`",
    }
}

/// The words, among those of one command, that are read as code and hold a value, and why each is.
pub(super) fn code_with_values(words: &[&str], holds: &dyn Fn(&str) -> bool) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let rest = words.get(at + 1..).unwrap_or_default();
        if program(word) == "ssh" {
            found.extend(remote(rest, holds).into_iter().map(|(n, why)| (at + 1 + n, why)));
        } else if let Some(interpreter) = interpreter(word) {
            // As an argument of another program the name alone says too little: `apt-get install jq`.
            let first = command_place(words).unwrap_or(words.len());
            let before = words.get(..=first).unwrap_or(words);
            let started = at <= first || before.iter().any(|word| is_prefix(word) || LAUNCHERS.contains(&program(word)));
            let Read { options, operands, .. } = interpreter.read(rest);
            let code = options.into_iter().chain(operands.into_iter().filter(|_| started));
            found.extend(code.filter(|n| rest.get(*n).is_some_and(|word| holds(word))).map(|n| (at + 1 + n, PART)));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(at, _)| *at);
    found
}

/// Whether a command of these words reads its standard input as code.
pub(super) fn reads_input_as_code(words: &[&str]) -> bool {
    if let Some(at) = words.iter().position(|word| program(word) == "ssh") {
        let rest = words.get(at + 1..).unwrap_or_default();
        // Without a command the shell over there reads its input.
        if host(rest).is_none_or(|host| host + 1 == rest.len()) {
            return true;
        }
    }
    // What is read becomes words of the command behind it.
    let becomes_words = words.iter().position(|word| ["xargs", "parallel"].contains(&program(word)));
    let mut behind = becomes_words.and_then(|at| words.get(at + 1..)).unwrap_or_default().iter();
    if behind.any(|word| program(word) == "ssh" || interpreter(word).is_some()) {
        return true;
    }
    let command = command_place(words).and_then(|place| words.get(place));
    if command.is_some_and(|word| ["source", "."].contains(word)) && words.iter().any(|word| is_input(word)) {
        return true;
    }
    words.iter().enumerate().filter_map(|(at, word)| Some((at, interpreter(word)?))).any(|(at, interpreter)| {
        let read = interpreter.read(words.get(at + 1..).unwrap_or_default());
        match interpreter.input {
            _ if read.input => true,
            Input::Data => false,
            Input::WithoutScript => !read.given && !read.operand,
            Input::WithoutCode => !read.given,
        }
    })
}

/// Whether a word names the standard input.
fn is_input(word: &str) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(&word)
}

fn interpreter(word: &str) -> Option<&'static Interpreter> {
    let name = program(word);
    INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(&name))
}

/// What the words behind an interpreter are.
#[derive(Default)]
struct Read {
    /// Places of words that are code: behind options, and operands.
    options: Vec<usize>,
    operands: Vec<usize>,
    /// Whether an option gave the code, or the file with it.
    given: bool,
    /// Whether an option names the standard input as the file with the code.
    input: bool,
    /// Whether an operand stands where a script would be named.
    operand: bool,
}

impl Interpreter {
    fn read(&self, words: &[&str]) -> Read {
        let mut read = Read::default();
        let mut operands = Vec::new();
        let mut n = 0;
        while let Some(word) = words.get(n) {
            n += 1;
            // The standard input, which is judged on its own.
            if is_input(word) {
                continue;
            }
            let Some(option) = word.strip_prefix('-') else {
                operands.push(n - 1);
                continue;
            };
            let (name, joined) = self.option(option);
            if self.code.contains(&name) {
                read.given = true;
                read.options.push(if joined { n - 1 } else { n });
                n += usize::from(!joined);
            } else if self.file.contains(&name) {
                read.given = true;
                let value = if joined { word.get(1 + name.len()..) } else { words.get(n).copied() };
                read.input |= value.is_some_and(|value| is_input(value) || word.ends_with("=-") || word.ends_with("=/dev/stdin"));
                n += usize::from(!joined);
            } else if let Some((_, words)) = self.data.iter().find(|(data, _)| *data == name) {
                n += if joined { words - 1 } else { *words };
            }
        }
        let code = match self.operand {
            Operand::Data => &[],
            _ if read.given => &[],
            Operand::First => operands.get(..1).unwrap_or_default(),
            Operand::Second => operands.get(1..).unwrap_or_default(),
            Operand::All => operands.as_slice(),
        };
        read.operand = if self.operand == Operand::Second { !code.is_empty() } else { !operands.is_empty() };
        read.operands = code.to_vec();
        read
    }

    /// The option that decides what follows, and whether its value is joined to it: the last of `-Atc`, the first of
    /// `-cselect{{…}}`.
    fn option<'o>(&self, option: &'o str) -> (&'o str, bool) {
        if let Some(long) = option.strip_prefix('-') {
            return long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        }
        let data = self.data.iter().map(|(name, _)| name);
        if self.code.iter().chain(self.file).chain(data).any(|name| *name == option) {
            return (option, false);
        }
        let letters = option.bytes().all(|b| b.is_ascii_alphabetic());
        let place = if letters { option.char_indices().next_back() } else { option.char_indices().next() };
        let name = place.and_then(|(at, c)| option.get(at..at + c.len_utf8()));
        (name.unwrap_or(option), !letters)
    }
}

/// The place of the host among the words behind `ssh`.
fn host(words: &[&str]) -> Option<usize> {
    let mut n = 0;
    while let Some(option) = words.get(n).and_then(|word| word.strip_prefix('-')) {
        n += if option.len() == 1 && SSH_VALUES.contains(option) { 2 } else { 1 };
    }
    (n < words.len()).then_some(n)
}

/// Everything behind the host of an `ssh` is joined and read by a shell over there; an option can name a command too.
fn remote(words: &[&str], holds: &dyn Fn(&str) -> bool) -> Vec<(usize, &'static str)> {
    let host = host(words).unwrap_or(words.len());
    let places = words.iter().enumerate().filter(|(_, word)| holds(word));
    let why = |n: usize, word: &str| {
        let before = n.checked_sub(1).and_then(|n| words.get(n));
        match word.strip_prefix('-') {
            _ if n > host => Some("ssh hands this to a shell on the other side, which reads it as code"),
            Some(option) if n < host => {
                let value = option.starts_with(|c: char| SSH_VALUES.contains(c) && c != 'o');
                (!value).then_some("an option of ssh can name a command")
            }
            _ => before.filter(|before| n < host && **before == "-o").map(|_| "an option of ssh can name a command"),
        }
    };
    places.filter_map(|(n, word)| Some((n, why(n, word)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_would_be_code() {
        for (argv, expect) in [
            ("sh -c x{{x}}", vec![2]),
            ("sh -c $1 _ {{x}}", vec![]),
            ("/bin/bash -euc {{x}}", vec![2]),
            ("sudo -u postgres psql -Atc '{{x}}'", vec![5]),
            ("psql -h {{x}} -Atc select", vec![]),
            ("psql --command=select{{x}}", vec![1]),
            ("psql --command select{{x}}", vec![2]),
            ("psql -cselect{{x}}", vec![1]),
            ("psql -v who={{x}} -f q.sql", vec![]),
            ("python3 -c print({{x}})", vec![2]),
            ("perl -E say{{x}}", vec![2]),
            ("perl -ne print{{x}} file", vec![2]),
            ("mysql -hserver{{x}} -e select", vec![]),
            ("ssh {{host}} uptime", vec![]),
            ("ssh -p 22 {{host}} systemctl restart {{x}}", vec![6]),
            ("ssh -tt db1 ls {{x}}", vec![4]),
            ("ssh -o ProxyCommand={{x}} db1", vec![2]),
            ("ssh -oProxyCommand={{x}} db1", vec![1]),
            ("grep -c {{x}} file", vec![]),
            ("awk {print\"{{x}}\"} file", vec![1]),
            ("awk -F: -v who={{x}} $1==who /etc/passwd", vec![]),
            ("awk -f program.awk {{x}}", vec![]),
            ("sed s/a/{{x}}/ file", vec![1]),
            ("sed -n -e {{x}}p file", vec![3]),
            ("sed -e p {{x}}", vec![]),
            ("sed p {{x}}", vec![]),
            ("jq .[\"{{x}}\"] file", vec![1]),
            ("jq --arg who {{x}} .[$who] file", vec![]),
            ("sqlite3 {{db}} {{x}}", vec![2]),
            ("sqlite3 -separator {{x}} db select", vec![]),
            ("watch -n 5 ls {{x}}", vec![4]),
            ("xargs sh -c {{x}}", vec![3]),
            ("mongosh --eval {{x}}", vec![2]),
            ("apt-get install jq {{x}}", vec![]),
            ("sudo jq .{{x}} file", vec![2]),
        ] {
            let words: Vec<&str> = argv.split(' ').collect();
            let found = code_with_values(&words, &|word| word.contains("{{"));
            assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expect, "{argv}");
        }
        assert_eq!(data_as_code(&["{{x}}", "a"]), [0]);
    }

    #[test]
    fn a_program_reads_code_from_its_input_where_nothing_else_gives_it() {
        for (argv, expect) in [
            ("sh", true),
            ("sh -s", true),
            ("sudo bash -eu", true),
            ("sh script.sh", false),
            ("python3", true),
            ("python3 script.py", false),
            ("psql -X -At billing", true),
            ("psql -X -f q.sql billing", false),
            ("mysql -u root", true),
            ("sqlite3 file.db", true),
            ("sqlite3 file.db .tables", false),
            ("ssh -p 22 host", true),
            ("ssh host sh", true),
            ("ssh host cat", false),
            ("su - postgres", true),
            ("cat", false),
            ("sed p", false),
        ] {
            assert_eq!(reads_input_as_code(&argv.split(' ').collect::<Vec<_>>()), expect, "{argv}");
        }
    }
}
