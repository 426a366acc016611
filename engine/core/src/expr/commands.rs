//! Which commands of a shell read their words as code a second time, or as names of variables: there a value stops being data,
//! however it is quoted, and is refused. Other programs are known in [`interpreters`](super::interpreters). Which word names the
//! command, behind all that may stand before it, is said here alone.

/// A command whose name stands further behind is not followed, so that one of very many words is read in time that grows with it.
pub(super) const HEAD: usize = 64;

/// Words after which a command is still to come.
pub(super) const RESERVED: [&str; 11] = ["if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "in"];

/// Words that open a compound command.
const COMPOUND: [&str; 8] = ["{", "[[", "if", "while", "until", "for", "case", "select"];

/// Variables of which a shell runs the value, or evaluates it as arithmetic as soon as it is assigned, and those that decide
/// which code a program loads or which command it starts.
const CODE_VARIABLES: [&str; 35] = [
    "BASH_ENV",
    "ENV",
    "PROMPT_COMMAND",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "RANDOM",
    "SRANDOM",
    "OPTIND",
    "HISTCMD",
    "PATH",
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "LESSOPEN",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EDITOR",
    "GIT_PAGER",
    "GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "SSH_ASKPASS",
    "RSYNC_RSH",
    "TAR_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "MAKEFLAGS",
    "NODE_OPTIONS",
    "PERL5OPT",
    "PYTHONSTARTUP",
    "RUBYOPT",
];

/// Commands that read their words as code or as names of variables.
const READS_CODE: [&str; 19] = [
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
    "compgen",
    "complete",
    "compopt",
    "bind",
];

/// A command behind whose options and operands the command stands.
struct Prefix {
    names: &'static [&'static str],
    /// Letters of options behind which another word stands.
    letters: &'static str,
    /// Long options behind which another word stands.
    long: &'static [&'static str],
    /// How many words stand between the options and the command.
    operands: usize,
}

const NOTHING: Prefix = Prefix { names: &[], letters: "", long: &[], operands: 0 };

const PREFIXES: [Prefix; 25] = [
    Prefix { names: &["command", "builtin", "nohup", "setsid", "busybox", "toybox"], ..NOTHING },
    Prefix { names: &["exec"], letters: "a", ..NOTHING },
    Prefix { names: &["time"], letters: "fo", long: &["format", "output"], ..NOTHING },
    // `-S` is the command itself.
    Prefix { names: &["env"], letters: "uCa", long: &["unset", "chdir", "argv0"], ..NOTHING },
    Prefix { names: &["nice"], letters: "n", long: &["adjustment"], ..NOTHING },
    Prefix { names: &["ionice"], letters: "cnpPu", long: &["class", "classdata", "pid", "pgid", "uid"], ..NOTHING },
    Prefix {
        names: &["sudo", "doas"],
        letters: "ughpCrtTUDR",
        long: &[
            "user",
            "group",
            "host",
            "prompt",
            "chdir",
            "chroot",
            "role",
            "type",
            "close-from",
            "command-timeout",
            "other-user",
        ],
        ..NOTHING
    },
    Prefix { names: &["stdbuf"], letters: "ioe", long: &["input", "output", "error"], ..NOTHING },
    Prefix { names: &["timeout"], letters: "sk", long: &["signal", "kill-after"], operands: 1 },
    Prefix { names: &["flock"], letters: "wE", long: &["timeout", "wait", "conflict-exit-code"], operands: 1 },
    Prefix {
        names: &["chroot", "chrt", "taskset"],
        letters: "TPD",
        long: &["userspec", "groups", "sched-runtime", "sched-period", "sched-deadline"],
        operands: 1,
    },
    // Its other options take a word only where it is written to them.
    Prefix { names: &["nsenter"], letters: "tSG", long: &["target", "setuid", "setgid"], ..NOTHING },
    Prefix { names: &["unshare"], letters: "SGRw", long: &["setuid", "setgid", "root", "wd"], ..NOTHING },
    Prefix {
        names: &["setpriv"],
        long: &["reuid", "regid", "groups", "inh-caps", "ambient-caps", "bounding-set", "securebits", "pdeathsig"],
        ..NOTHING
    },
    // Without `-u` it starts a shell, as `su` does.
    Prefix { names: &["runuser"], letters: "ugGw", long: &["user", "group", "supp-group"], ..NOTHING },
    Prefix { names: &["gosu", "su-exec"], operands: 1, ..NOTHING },
    Prefix { names: &["strace", "ltrace"], letters: "eopsuaEIOPSXbn", ..NOTHING },
    Prefix {
        names: &["systemd-run", "systemd-inhibit"],
        letters: "puEMH",
        long: &[
            "unit",
            "property",
            "description",
            "slice",
            "uid",
            "gid",
            "working-directory",
            "setenv",
            "what",
            "who",
            "why",
            "mode",
            "machine",
            "host",
            "service-type",
            "nice",
            "on-active",
            "on-boot",
            "on-startup",
            "on-unit-active",
            "on-unit-inactive",
            "on-calendar",
            "timer-property",
            "path-property",
            "socket-property",
        ],
        ..NOTHING
    },
    Prefix {
        names: &["systemd-cat"],
        letters: "tp",
        long: &["identifier", "priority", "stderr-priority", "level-prefix"],
        ..NOTHING
    },
    Prefix { names: &["unbuffer", "chronic", "eatmydata"], ..NOTHING },
    Prefix { names: &["fakeroot"], letters: "lsibf", long: &["lib", "faked"], ..NOTHING },
    Prefix { names: &["ssh-agent"], letters: "aEtPO", ..NOTHING },
    Prefix { names: &["tini"], letters: "pe", ..NOTHING },
    Prefix { names: &["dumb-init"], letters: "r", long: &["rewrite"], ..NOTHING },
    Prefix {
        names: &["xargs"],
        letters: "aEdInLPs",
        long: &["arg-file", "delimiter", "max-args", "max-procs", "max-chars", "process-slot-var"],
        ..NOTHING
    },
];

/// Prefixes whose next word must not hold a value, not even as an option.
const STRICT: [&str; 8] = ["exec", "command", "builtin", "sudo", "doas", "nohup", "env", "setsid"];

/// A value among the characters of a word.
pub(super) const HOLE: char = '\u{FFFC}';

/// Stands in the words of a `[[` that has an arithmetic test.
pub(super) const ARITHMETIC_TEST: &str = "\u{FFFC}arithmetic";

pub(super) const DECIDES: &str = "here a value would decide which command runs";

const CODE_VARIABLE: &str = "the value of this variable is run, or decides what is run";

/// The value of a word `name=value`.
pub(super) fn assigned(word: &str) -> Option<&str> {
    assignment(word).map(|(_, value)| value)
}

/// The name and the value of a word `name=value` or `name+=value`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    is_name(name).then_some((name, value))
}

/// Whether a word could be the name of a variable.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a value in a variable of this name is code, or decides which code runs.
pub fn is_code_variable(name: &str) -> bool {
    CODE_VARIABLES.contains(&name) || name.starts_with("BASH_FUNC_")
}

/// Whether a word begins as an element of an array that is assigned, `name[index]=…`, and whether it is all there.
pub(super) fn element(word: &str) -> Option<bool> {
    let (name, rest) = word.split_once('[')?;
    let whole = || rest.contains("]=") || rest.contains("]+=");
    (is_name(name) && (whole() || !rest.contains(']'))).then(whole)
}

/// Whether a prefix without a command starts a shell, which reads its input: `sudo -i`, `chroot DIR`.
pub(super) fn needs_a_shell<S: AsRef<str>>(words: &[S]) -> bool {
    let shell = |option: &str| match option.strip_prefix('-') {
        Some(long) => ["login", "shell"].contains(&long),
        None => option.contains(['i', 's']),
    };
    let mut behind_sudo = false;
    words.iter().any(|word| match program(word.as_ref()) {
        "chroot" | "nsenter" | "unshare" => true,
        name => {
            behind_sudo |= ["sudo", "doas"].contains(&name);
            behind_sudo && word.as_ref().strip_prefix('-').is_some_and(shell)
        }
    })
}

/// The last part of the path of a program.
pub(super) fn program(word: &str) -> &str {
    word.bytes().rposition(|byte| byte == b'/').and_then(|at| word.get(at + 1..)).unwrap_or(word)
}

/// Whether the command that a word stands before is named behind it.
pub(super) fn is_prefix(word: &str) -> bool {
    let name = program(word);
    PREFIXES.iter().any(|prefix| prefix.names.contains(&name))
}

/// How many words at the start stand before a command by the grammar of the shell: `time -p`, `coproc NAME`, `function NAME`.
fn grammar<S: AsRef<str>>(words: &[S]) -> usize {
    let word = |n: usize| words.get(n).map(AsRef::as_ref);
    let opens = |n: usize| word(n).is_some_and(|word| COMPOUND.contains(&word));
    match word(0) {
        Some("time") => {
            let n = 1 + usize::from(word(1) == Some("-p"));
            n + usize::from(word(n) == Some("--"))
        }
        // Only a compound command can be named.
        Some("coproc") if !opens(1) && opens(2) => 2,
        Some("coproc") => 1,
        Some("function") => 2,
        Some(word) if RESERVED.contains(&word) => 1,
        _ => 0,
    }
}

/// Whether a word behind these is where the shell looks for its own words, such as `[[` and `{`.
pub(super) fn begins(words: &[String], word: &str) -> bool {
    if words.len() > HEAD || (!words.is_empty() && grammar(words) == 0) {
        return false;
    }
    let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
    all.push(word);
    let mut n = 0;
    while n < words.len() {
        match grammar(all.get(n..).unwrap_or_default()) {
            0 => return false,
            more => n += more,
        }
    }
    n == words.len()
}

/// The place of the word that names the command: behind assignments, what the grammar puts before a command, and commands that
/// run the command behind their options. `None` where it is still to come. Redirections are no words.
pub(super) fn command_place<S: AsRef<str>>(words: &[S]) -> Option<usize> {
    let mut n = 0;
    loop {
        let rest = words.get(n..).filter(|rest| !rest.is_empty())?;
        let word = rest.first()?.as_ref();
        n += match grammar(rest) {
            // As a program `time` has more options.
            more if more > 0 && word != "time" => more,
            _ if assigned(word).is_some() => 1,
            _ => match prefixed(rest) {
                Some(more) => more,
                None => return Some(n),
            },
        };
    }
}

/// How many words a prefix takes, with its options and operands.
fn prefixed<S: AsRef<str>>(words: &[S]) -> Option<usize> {
    let name = program(words.first()?.as_ref());
    let prefix = PREFIXES.iter().find(|prefix| prefix.names.contains(&name))?;
    if name == "runuser" && !words.iter().any(|word| word.as_ref().starts_with("-u") || word.as_ref().starts_with("--user")) {
        return None;
    }
    let mut n = 1;
    while let Some(option) = words.get(n).and_then(|word| word.as_ref().strip_prefix('-')) {
        // `command -v` runs nothing, and without `-u` this one is no prefix.
        if name == "command" && option.contains(['v', 'V']) {
            return None;
        }
        n += 1;
        if option == "-" {
            break;
        }
        n += usize::from(prefix.takes_a_word(option));
    }
    Some(n + prefix.operands)
}

impl Prefix {
    fn takes_a_word(&self, option: &str) -> bool {
        match option.strip_prefix('-') {
            Some(long) => self.long.contains(&long),
            None => option.find(|c| self.letters.contains(c)).is_some_and(|at| at + 1 == option.len()),
        }
    }
}

/// What is among the words of a command that can change how a value behind them is read: noted word by word, so that each value is
/// judged without a look at all words before it.
#[derive(Debug, Default)]
pub(super) struct Said {
    eval: bool,
    arithmetic: bool,
    /// Where such a word stands, the last of each: one with a dash, one with a dash or a value at its start, `-v`, `--`, `-x`, `-p…`.
    dash: Option<usize>,
    option: Option<usize>,
    v: Option<usize>,
    ends: Option<usize>,
    x: Option<usize>,
    p: Option<usize>,
}

impl Said {
    pub fn note(&mut self, at: usize, word: &str) {
        self.eval |= word == "eval";
        self.arithmetic |= word == ARITHMETIC_TEST;
        let note = |place: &mut Option<usize>, is: bool| *place = if is { Some(at) } else { *place };
        note(&mut self.dash, word.starts_with('-'));
        note(&mut self.option, word.starts_with(['-', HOLE]));
        note(&mut self.v, word == "-v");
        note(&mut self.ends, word == "--");
        note(&mut self.x, word == "-x");
        note(&mut self.p, word.starts_with("-p"));
    }
}

/// Why a value in `word`, behind `words` of the same command, would be read as code; `None` where it is data.
pub(super) fn second_reading(words: &[String], said: &Said, word: &str, in_array: bool) -> Option<&'static str> {
    if in_array {
        return word.starts_with('[').then_some("the index of an array is evaluated, and can run commands");
    }
    if assignment(word).is_some_and(|(name, _)| is_code_variable(name)) {
        return Some(CODE_VARIABLE);
    }
    if words.is_empty() && assigned(word).is_some() {
        return None;
    }
    if let [prefix] = words
        && STRICT.contains(&program(prefix))
        && (assigned(word).is_none() || prefix == "exec" || prefix == "command")
    {
        return Some(DECIDES);
    }
    let place = command_place(words);
    let before = words.get(..place.map_or(words.len(), |place| place + 1)).unwrap_or_default();
    if before.iter().any(|word| READS_CODE.contains(&word.as_str())) || said.eval {
        return Some("this command reads its words as code or as names of variables");
    }
    let Some(first) = place.and_then(|place| words.get(place)) else {
        let with: Vec<&str> = words.iter().map(String::as_str).chain([word]).collect();
        // An option with a value may be any option.
        return (word.starts_with('-') || command_place(&with) == Some(words.len())).then_some(DECIDES);
    };
    let behind = words.get(before.len()..).unwrap_or_default();
    let stands = |last: Option<usize>| last.is_some_and(|at| at >= before.len());
    let first = program(first);
    if ["export", "readonly", "local"].contains(&first) && (assigned(word).is_none() || stands(said.dash)) {
        return Some("here a value would name a variable; write `name={{…}}`");
    }
    // What begins with a value can be an option.
    let begins = |word: &str| word.starts_with(HOLE);
    let names = match first {
        "printf" => word.starts_with("-v") || words.last().is_some_and(|word| word == "-v"),
        "[" | "test" => stands(said.v) || (begins(word) && behind.last().is_some_and(|word| begins(word))),
        "wait" => !stands(said.ends) && (stands(said.option) || word.starts_with('-') || begins(word)),
        _ => false,
    };
    if names {
        return Some("here a value would name a variable");
    }
    if first == "printf" && begins(word) && behind.is_empty() {
        return Some("here a value could be an option of `printf` that names a variable; write `printf '%s\\n' {{…}}`");
    }
    if (first == "jobs" && (begins(word) || stands(said.x))) || (first == "hash" && stands(said.p)) {
        return Some(DECIDES);
    }
    if said.arithmetic {
        return Some("`[[` evaluates what its arithmetic tests compare, and that can run commands; use `[ … ]`");
    }
    None
}
