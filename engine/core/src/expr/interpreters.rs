//! Which programs read what they are given as code: an argument behind an option, an operand, their standard input. A value
//! there stops being data, however it is quoted, and is refused. One list serves the words of `exec` and the commands of a script.
//!
//! The list is what the usual interpreters and clients document; a program of the user's own that reads an argument as code
//! cannot be known.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::commands::{DECIDES, HEAD, command_place, is_prefix, needs_a_shell, program};
use table::{INTERPRETERS, Input, Interpreter, LAUNCHERS, OPTIONS, Operand, Optioned, SSH_VALUES};

/// Longer ones are not looked into.
const WORDS: usize = 1_000;

/// How many `ssh` behind another one are followed.
const NESTED: usize = 8;

const PART: &str = "here the value would be part of a program that another interpreter reads";

pub(super) const OPTION: &str = "an option";

/// Why a value must not be an option, and what to write.
pub const COULD_BE_AN_OPTION: &str = "a value that begins with `-` would be an option here, and one of them runs code";
pub const BEFORE_IT: &str = "write `--` and a space before the value, behind all options: `-- {{…}}`; the value of a long option can be \
     joined to it: `--option={{…}}`";

const SCRIPT: &str = "here a value would decide which program an interpreter runs";

/// An argument of an `exec` that is read as code and holds a value.
pub struct Pasted {
    /// Its place among the words.
    pub place: usize,
    pub reason: &'static str,
    /// Whether it is code only where the value begins with `-`.
    pub option: bool,
    /// What to do instead.
    pub help: &'static str,
}

/// The arguments of an `exec` that are read as code and hold a value.
pub fn data_as_code(words: &[&str]) -> Vec<Pasted> {
    let holds = |word: &str| word.contains("{{");
    let program = words.first().copied().unwrap_or_default();
    // The first word decides which program runs, and so does the one behind `sudo`.
    let decides = command_place(words).filter(|at| *at == 0 || is_prefix(program));
    let first = decides.filter(|at| words.get(*at).is_some_and(|word| holds(word)));
    let mut found: Vec<_> = first.into_iter().map(|at| (at, DECIDES)).chain(code_with_values(words, &holds)).collect();
    found.sort_by_key(|(place, _)| *place);
    found.dedup_by_key(|(place, _)| *place);
    let pasted = |(place, why)| match why {
        OPTION => Pasted {
            place,
            reason: COULD_BE_AN_OPTION,
            option: true,
            help: "write `--` as an item of its own before it, behind all options; the value of a long option can be joined to it: \
                   `--option={{…}}`",
        },
        DECIDES | SCRIPT => {
            Pasted { place, reason: "the value would decide which program runs", option: false, help: way_around("{{") }
        }
        _ => Pasted {
            place,
            reason: "the program reads this argument as code, so whatever stands in the value would run",
            option: false,
            help: way_around(program),
        },
    };
    found.into_iter().map(pasted).collect()
}

/// What to do instead, for the program that would read a value as code.
fn way_around(program: &str) -> &'static str {
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
    let first = command_place(words).unwrap_or(words.len());
    // As an argument of another program the name alone says too little: `apt-get install jq`.
    let before = words.get(..=first).unwrap_or(words);
    let launched = before.iter().any(|word| is_prefix(word) || LAUNCHERS.contains(&program(word)));
    // Whoever writes that many of them writes no command: all of it is code.
    let named = |word: &&&str| {
        let name = program(word);
        interpreter(word).is_some() || optioned(name).is_some() || name.starts_with("-exec")
    };
    if words.len() > WORDS && words.iter().filter(named).count() > WORDS / 10 {
        return words.iter().position(|word| holds(word)).map(|at| (at, PART)).into_iter().collect();
    }
    for (at, word) in words.iter().enumerate() {
        let rest = words.get(at + 1..).unwrap_or_default();
        let started = at <= first || launched;
        if started {
            found.extend(options(program(word), rest, holds).into_iter().map(|n| (at + 1 + n, OPTION)));
        }
        let transport = at.checked_sub(1).and_then(|at| words.get(at)).is_some_and(|word| ["-e", "--rsh"].contains(word));
        if program(word) == "ssh" && !transport {
            found.extend(remote(rest, holds).into_iter().map(|(n, why)| (at + 1 + n, why)));
        } else if let Some(interpreter) = interpreter(word).filter(|interpreter| started || !interpreter.word) {
            let Read { options, operands, script, .. } = interpreter.read(rest);
            let code = options.into_iter().chain(operands.into_iter().filter(|_| started)).map(|n| (n, PART));
            let code = code.chain(script.filter(|_| started).map(|n| (n, SCRIPT)));
            found.extend(code.filter(|(n, _)| rest.get(*n).is_some_and(|word| holds(word))).map(|(n, why)| (at + 1 + n, why)));
        } else if ["-exec", "-execdir", "-ok", "-okdir"].contains(word) {
            let named = command_place(rest.get(..HEAD).unwrap_or(rest));
            let decides = match named {
                Some(n) => rest.get(n).is_some_and(|word| holds(word)).then_some(n),
                // So many words before a command are not followed.
                None => rest.iter().position(|word| holds(word)).filter(|_| rest.len() >= HEAD),
            };
            found.extend(decides.map(|n| (at + 1 + n, DECIDES)));
        }
    }
    // The reason that was found last is the one about the code itself.
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by(|later, kept| {
        later.0 == kept.0 && {
            kept.1 = later.1;
            true
        }
    });
    found
}

/// The first word that begins with a value where the program would still take it for an option.
fn options(name: &str, words: &[&str], holds: &dyn Fn(&str) -> bool) -> Option<usize> {
    let program = optioned(name)?;
    let language = interpreter(name).is_some_and(|interpreter| interpreter.input == Input::WithoutScript);
    let mut takes = false;
    for (n, word) in words.iter().enumerate() {
        let option = word.strip_prefix('-').filter(|option| !option.is_empty());
        match option {
            _ if takes => takes = false,
            Some("-") => return None,
            Some(letters) => {
                takes = match letters.strip_prefix('-') {
                    Some(long) => program.long.contains(&long),
                    None => letters.find(|c| program.letters.contains(c)).is_some_and(|at| at + 1 == letters.len()),
                }
            }
            None if word.starts_with("{{") || word.starts_with('\u{FFFC}') => return holds(word).then_some(n),
            // The old way of `tar cf FILE`.
            None if n == 0 && program.names.contains(&"tar") => takes = word.contains('f'),
            // Behind the program, or the host, stands what is not for it.
            None if language || name == "ssh" => return None,
            None => {}
        }
    }
    None
}

/// What of its standard input a command reads as code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reads {
    #[default]
    Data,
    /// Statements of a client, such as SQL.
    Statements,
    /// A program.
    Program,
}

/// What a command of these words reads its standard input as.
pub(super) fn reads_input_as(words: &[&str]) -> Reads {
    if words.len() > WORDS && words.iter().any(|word| interpreter(word).is_some() || program(word) == "ssh") {
        return Reads::Program;
    }
    let mut remote = words.iter().enumerate().filter(|(_, word)| program(word) == "ssh").map(|(at, _)| at);
    if let Some(at) = remote.next() {
        // Each hands all that is behind it to the next.
        if remote.nth(NESTED).is_some() {
            return Reads::Program;
        }
        let rest = words.get(at + 1..).unwrap_or_default();
        // Without a command the shell over there reads its input.
        match host(rest).map(|host| rest.get(host + 1..).unwrap_or_default()) {
            None | Some([]) => return Reads::Program,
            Some(there) => {
                let reads = text_reads_input_as(&there.join(" "));
                if reads > Reads::Data {
                    return reads;
                }
            }
        }
    }
    // What is read becomes words of the command behind it.
    if let Some(at) = words.iter().position(|word| ["xargs", "parallel"].contains(&program(word))) {
        let behind = words.get(at + 1..).unwrap_or_default();
        let place = words.get(at..).and_then(command_place).map(|place| place + at);
        let replaced = words.iter().find_map(|word| word.strip_prefix("-I")).map(|mark| if mark.is_empty() { "{}" } else { mark });
        let command = place.and_then(|place| words.get(place));
        let decides = match command {
            None => words.get(at..).is_some_and(|words| words.iter().skip(1).any(|word| is_prefix(word))),
            Some(command) => replaced.is_some_and(|mark| command.contains(mark)),
        };
        if decides || behind.iter().any(|word| program(word) == "ssh" || interpreter(word).is_some_and(|known| !known.word)) {
            return Reads::Statements;
        }
    }
    let place = command_place(words);
    let command = place.and_then(|place| words.get(place));
    if command.is_some_and(|word| ["source", "."].contains(word)) && words.iter().any(|word| is_input(word)) {
        return Reads::Program;
    }
    if place.is_none() && needs_a_shell(words) {
        return Reads::Program;
    }
    let launched = command.is_some_and(|word| LAUNCHERS.contains(&program(word)));
    let mut reads = Reads::Data;
    for (at, word) in words.iter().enumerate() {
        let Some(interpreter) = interpreter(word) else { continue };
        if interpreter.word && place.is_some_and(|place| at > place) && !launched {
            continue;
        }
        let behind = words.get(at + 1..).unwrap_or_default();
        let read = interpreter.read(behind);
        let input = match interpreter.input {
            Input::Data => false,
            _ if read.input => true,
            Input::Named => false,
            Input::WithoutScript => !read.given && !read.operand,
            Input::WithoutCode => !read.given,
        };
        if input {
            reads = reads.max(if interpreter.language { Reads::Program } else { Reads::Statements });
        }
        // Code that is given can hand its input on: `su -c psql`, `psql -c '\i /dev/stdin'`.
        for code in read.options.iter().chain(&read.operands).filter_map(|n| behind.get(*n)) {
            let within = if interpreter.language { text_reads_input_as(code) } else { Reads::Data };
            reads = reads.max(within).max(if includes_input(code) { Reads::Statements } else { Reads::Data });
        }
    }
    reads
}

/// What the commands in a text for a shell, as far as they are plain, read their standard input as.
fn text_reads_input_as(text: &str) -> Reads {
    let commands = text.split([';', '|', '&', '(', ')', '{', '}', '\n', '`']);
    let reads = commands.map(|command| {
        let words: Vec<&str> = command.split([' ', '\t', '\'', '"']).filter(|word| !word.is_empty()).collect();
        // As long as there is a command in it, it is shorter than the text around it.
        if words.is_empty() || words.len() > WORDS { Reads::Data } else { reads_input_as(&words) }
    });
    reads.max().unwrap_or_default()
}

/// Whether a statement of a client includes what stands on the standard input.
fn includes_input(code: &str) -> bool {
    let words: Vec<&str> = code.split([' ', '\t', '\'', '"']).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| {
        let [include, file] = pair else { return false };
        [".read", "\\i", "\\ir", "source", "\\."].contains(include) && is_input(file)
    })
}

/// Whether a word names the standard input, or what else a redirection opened.
pub(super) fn is_input(word: &str) -> bool {
    ["-", "/dev/stdin"].contains(&word) || word.starts_with("/dev/fd/") || word.starts_with("/proc/self/fd/")
}

fn optioned(name: &str) -> Option<&'static Optioned> {
    OPTIONS.iter().find(|program| program.names.contains(&name))
}

/// The words of a long script are looked up one by one.
static BY_NAME: LazyLock<HashMap<&str, &Interpreter>> = LazyLock::new(|| {
    // Of a name in two places the first stands.
    INTERPRETERS.iter().rev().flat_map(|interpreter| interpreter.names.iter().map(move |name| (*name, interpreter))).collect()
});

fn interpreter(word: &str) -> Option<&'static Interpreter> {
    let name = program(word);
    // `python3.11`
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let named = |name| BY_NAME.get(name).copied();
    named(name).or_else(|| if plain == name { None } else { named(plain) })
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
    /// The place of the operand that names a script.
    script: Option<usize>,
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
                read.input |= self.language && operands.is_empty() && !read.given;
                continue;
            }
            let option = word.strip_prefix('-').or_else(|| word.strip_prefix('+').filter(|_| !self.stream.is_empty()));
            let Some(option) = option else {
                operands.push(n - 1);
                continue;
            };
            let (name, joined) = self.option(option);
            if self.code.contains(&name) {
                read.given = true;
                read.options.push(if joined { n - 1 } else { n });
                n += usize::from(!joined);
            } else if self.stream.contains(&name) {
                read.input |= operands.is_empty() && !read.given;
            } else if self.file.contains(&name) {
                read.given = true;
                let value = if joined { word.get(1 + name.len()..) } else { words.get(n).copied() };
                read.input |= value.is_some_and(|value| is_input(value) || word.ends_with("=-") || word.ends_with("=/dev/stdin"));
                n += usize::from(!joined);
            } else if let Some((_, more)) = self.data.iter().find(|(data, _)| *data == name) {
                let more = if joined { more - 1 } else { *more };
                let behind = words.get(n..n + more).unwrap_or_default();
                read.input |= self.input != Input::Named && behind.iter().any(|word| is_input(word));
                n += more;
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
        let script = self.language && self.input == Input::WithoutScript && !read.given && !read.input;
        read.script = operands.first().copied().filter(|_| script);
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
            ("ssh -- {{host}} uptime", vec![]),
            ("ssh {{host}} uptime", vec![1]),
            ("ssh -p 22 -- {{host}} systemctl restart {{x}}", vec![7]),
            ("ssh -l app db-{{host}} uptime", vec![]),
            ("ssh -l {{user}} host uptime", vec![]),
            ("ssh -tt db1 ls {{x}}", vec![4]),
            ("ssh -o ProxyCommand={{x}} db1", vec![2]),
            ("ssh -oProxyCommand={{x}} db1", vec![1]),
            ("grep -c {{x}} file", vec![]),
            ("awk {print\"{{x}}\"} file", vec![1]),
            ("awk -F: -v who={{x}} $1==who /etc/passwd", vec![]),
            ("awk -f program.awk {{x}}", vec![]),
            ("sed s/a/{{x}}/ file", vec![1]),
            ("sed -n -e {{x}}p file", vec![3]),
            ("sed -e p -- {{x}}", vec![]),
            ("sed -e p {{x}}", vec![3]),
            ("sed p -- {{x}}", vec![]),
            ("sed p {{x}}", vec![2]),
            ("jq .[\"{{x}}\"] file", vec![1]),
            ("jq --arg who {{x}} .[$who] file", vec![]),
            ("sqlite3 {{db}} {{x}}", vec![2]),
            ("sqlite3 -separator {{x}} db select", vec![]),
            ("watch -n 5 ls {{x}}", vec![4]),
            ("xargs sh -c {{x}}", vec![3]),
            ("tar czf {{x}} -C {{y}} .", vec![]),
            ("tar czf a.tgz {{x}}", vec![3]),
            ("tar -czf {{x}} -- {{y}}", vec![]),
            ("rsync -a {{x}}/ b", vec![2]),
            ("rsync -a -e ssh -- {{x}}/ {{y}}", vec![]),
            ("psql -X {{x}}", vec![2]),
            ("psql -X -d {{x}} --host {{y}}", vec![]),
            ("psql --single-transaction {{x}}", vec![2]),
            ("psql --single-transaction -- {{x}}", vec![]),
            ("psql --single-transaction --dbname {{x}}", vec![]),
            ("psql --no-psqlrc --dbname={{x}} --file a.sql {{y}}", vec![5]),
            ("rsync --archive {{x}} b", vec![2]),
            ("rsync --archive --exclude {{x}} --bwlimit {{y}} a b", vec![]),
            ("tar --create --file {{x}} --directory {{y}} .", vec![]),
            ("tar --create --gzip {{x}}", vec![3]),
            ("mysql --batch --user {{x}} --host {{y}}", vec![]),
            ("mysql --batch {{x}}", vec![2]),
            ("su --login {{x}}", vec![2]),
            ("su --shell {{x}} -- app", vec![]),
            ("sed --quiet {{x}}p file", vec![2]),
            ("sed --in-place s/a/b/ -- {{x}}", vec![]),
            ("awk --field-separator : {{x}} file", vec![3]),
            ("awk --field-separator {{x}} $1 file", vec![]),
            ("awk --assign who={{x}} $1==who file", vec![]),
            ("jq --library-path . {{x}} file", vec![3]),
            ("jq --raw-output .a {{x}}", vec![]),
            ("sqlite3 -newline n db {{x}}", vec![4]),
            ("su -c true {{x}}", vec![3]),
            ("su -l -- {{x}}", vec![]),
            ("sh {{x}}", vec![1]),
            ("sh script {{x}}", vec![]),
            ("python3 -u {{x}}.py", vec![2]),
            ("python3 x.py {{x}}", vec![]),
            ("ed {{x}}", vec![1]),
            ("find . -exec {{x}} {} ;", vec![3]),
            ("find . -exec env -i {{x}} ;", vec![5]),
            ("find {{x}} -exec rm {} ;", vec![]),
            ("tmux send-keys -t {{x}} {{y}} Enter", vec![4]),
            ("mongosh --eval {{x}}", vec![2]),
            ("apt-get install jq {{x}}", vec![]),
            ("sudo jq .{{x}} file", vec![2]),
        ] {
            let words: Vec<&str> = argv.split(' ').collect();
            let found = code_with_values(&words, &|word| word.contains("{{"));
            assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expect, "{argv}");
        }
        let prefixed = format!("find . -exec {}{{{{x}}}} ;", "nice ".repeat(70));
        let words: Vec<&str> = prefixed.split(' ').collect();
        let found = code_with_values(&words, &|word| word.contains("{{"));
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [73]);
        // As one item `-- {{x}}` would be one argument.
        assert!(data_as_code(&["ssh", "{{x}}"]).iter().all(|pasted| pasted.help.contains("an item of its own")));
        assert_eq!(data_as_code(&["sudo", "--other-user", "app", "{{x}}"]).len(), 1);
        assert_eq!(data_as_code(&["{{x}}", "a"]).iter().map(|pasted| pasted.place).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_program_reads_code_from_its_input_where_nothing_else_gives_it() {
        for (argv, expect) in [
            ("sh", Reads::Program),
            ("sh -s", Reads::Program),
            ("sudo bash -eu", Reads::Program),
            ("sh script.sh", Reads::Data),
            ("python3", Reads::Program),
            ("python3 script.py", Reads::Data),
            ("psql -X -At billing", Reads::Statements),
            ("psql -X -f q.sql billing", Reads::Data),
            ("mysql -u root", Reads::Statements),
            ("sqlite3 file.db", Reads::Statements),
            ("sqlite3 file.db .tables", Reads::Data),
            ("ssh -p 22 host", Reads::Program),
            ("ssh host sh", Reads::Program),
            ("ssh host cat", Reads::Data),
            ("su - postgres", Reads::Program),
            ("python3.11 - x", Reads::Program),
            ("sh -s -- x", Reads::Program),
            ("sh +e", Reads::Program),
            ("bash -O extglob", Reads::Program),
            ("node -r fs", Reads::Program),
            ("sh -c x -s", Reads::Data),
            ("python3 -m json.tool -", Reads::Data),
            ("su postgres -c psql", Reads::Statements),
            ("su postgres -c ls", Reads::Data),
            ("ssh host 'sudo bash -s'", Reads::Program),
            ("ssh host psql billing", Reads::Statements),
            ("docker exec -i db mysql", Reads::Statements),
            ("sqlite3 -init /dev/stdin a.db .tables", Reads::Statements),
            ("sudo -iu app", Reads::Program),
            ("sudo -S -v", Reads::Data),
            ("chroot /mnt", Reads::Program),
            ("chroot /mnt ls", Reads::Data),
            ("crontab -", Reads::Program),
            ("crontab file", Reads::Data),
            ("at now", Reads::Program),
            ("at -f file now", Reads::Data),
            ("grep at", Reads::Data),
            ("make -f -", Reads::Statements),
            ("make all", Reads::Data),
            ("redis-cli", Reads::Statements),
            ("redis-cli -h host -x set key", Reads::Data),
            ("xargs env", Reads::Statements),
            ("xargs -I% % x", Reads::Statements),
            ("xargs rm --", Reads::Data),
            ("xargs", Reads::Data),
            ("cat", Reads::Data),
            ("sed p", Reads::Data),
        ] {
            assert_eq!(reads_input_as(&argv.split(' ').collect::<Vec<_>>()), expect, "{argv}");
        }
    }
}
