//! The programs that read what they are given as code, as their manuals say.

/// What a program reads as code.
pub(super) struct Interpreter {
    pub names: &'static [&'static str],
    /// Options behind which code stands: letters, which may be joined with others (`-Atc`), and long names.
    pub code: &'static [&'static str],
    /// Options behind which other data stands, and how many words of it: needed to tell operands from them.
    pub data: &'static [(&'static str, usize)],
    /// Options without a word behind them after which code is read from the standard input, operands or not: `sh -s`.
    pub stream: &'static [&'static str],
    /// Which operand is code, where no option has given the code.
    pub operand: Operand,
    /// Options that name a file with the code.
    pub file: &'static [&'static str],
    pub input: Input,
    /// Whether it can do whatever a program can, so that its first operand, or its input, is one.
    pub language: bool,
    /// Whether its name is an everyday word: as an argument of another program it says nothing.
    pub word: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    Data,
    First,
    /// Behind a database or a connection.
    Second,
    All,
}

/// Whether the standard input is code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Data,
    /// Where neither an option nor an operand names a script.
    WithoutScript,
    /// Where no option gives code: operands name databases and the like.
    WithoutCode,
    /// Where an option names the standard input as the file with the code.
    Named,
}

const CLIENT: Interpreter = Interpreter {
    names: &[],
    code: &[],
    data: &[],
    stream: &[],
    operand: Operand::Data,
    file: &[],
    input: Input::WithoutCode,
    language: false,
    word: false,
};

const LANGUAGE: Interpreter = Interpreter { input: Input::WithoutScript, language: true, ..CLIENT };

const FILTER: Interpreter = Interpreter { operand: Operand::First, file: &["f", "file"], input: Input::Named, ..CLIENT };

pub(super) const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &[
            "sh", "bash", "dash", "ash", "rbash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "pwsh", "$SHELL", "$BASH", "$0",
        ],
        code: &["c", "Command"],
        data: &[("o", 1), ("O", 1), ("rcfile", 1), ("init-file", 1)],
        stream: &["s"],
        ..LANGUAGE
    },
    Interpreter {
        names: &["su", "runuser", "newgrp", "sg"],
        code: &["c", "command"],
        data: &[("s", 1), ("shell", 1), ("g", 1), ("G", 1), ("w", 1), ("u", 1)],
        input: Input::WithoutCode,
        language: true,
        ..CLIENT
    },
    Interpreter { names: &["script"], code: &["c", "command"], language: true, word: true, ..CLIENT },
    Interpreter { names: &["flock"], code: &["c", "command"], input: Input::Data, ..CLIENT },
    Interpreter {
        names: &["python", "python2", "python3", "pypy", "pypy3", "ipython"],
        code: &["c"],
        data: &[("W", 1), ("X", 1)],
        ..LANGUAGE
    },
    Interpreter { names: &["perl"], code: &["e", "E"], data: &[("I", 1)], ..LANGUAGE },
    Interpreter {
        names: &["ruby", "lua", "luajit", "Rscript", "julia", "groovy", "elixir", "osascript", "irb", "ghci", "scala", "guile"],
        code: &["e"],
        data: &[("I", 1), ("r", 1), ("l", 1)],
        ..LANGUAGE
    },
    Interpreter {
        names: &["node", "deno", "bun"],
        code: &["e", "p", "eval", "print"],
        data: &[("r", 1), ("require", 1), ("import", 1)],
        ..LANGUAGE
    },
    Interpreter { names: &["php"], code: &["r"], data: &[("d", 1), ("c", 1)], ..LANGUAGE },
    Interpreter {
        names: &["R", "tclsh", "wish", "expect", "octave", "gnuplot", "m4"],
        code: &["c", "e", "eval"],
        word: true,
        ..LANGUAGE
    },
    Interpreter { names: &["at"], data: &[("q", 1)], file: &["f"], language: true, word: true, ..CLIENT },
    Interpreter { names: &["batch"], language: true, word: true, ..CLIENT },
    Interpreter { names: &["crontab"], data: &[("u", 1)], word: true, ..LANGUAGE },
    Interpreter {
        names: &["make", "gmake"],
        code: &["eval"],
        file: &["f", "file", "makefile"],
        input: Input::Named,
        word: true,
        ..CLIENT
    },
    Interpreter { names: &["ex", "vi", "vim", "nvim", "gdb"], code: &["c", "cmd", "ex"], word: true, ..CLIENT },
    // A file called `!command` is that command.
    Interpreter { names: &["ed"], data: &[("p", 1)], operand: Operand::First, word: true, ..CLIENT },
    Interpreter { names: &["dc"], code: &["e", "expression"], word: true, ..CLIENT },
    Interpreter { names: &["sftp", "ftp", "lftp"], code: &["e", "c"], word: true, ..CLIENT },
    Interpreter {
        names: &["psql"],
        code: &["c", "command"],
        data: &[("d", 1), ("h", 1), ("p", 1), ("U", 1), ("v", 1), ("o", 1), ("L", 1), ("F", 1), ("R", 1), ("P", 1), ("T", 1)],
        file: &["f", "file"],
        ..CLIENT
    },
    Interpreter { names: &["mysql", "mariadb", "cqlsh"], code: &["e", "execute"], ..CLIENT },
    Interpreter { names: &["sqlplus", "isql", "snowsql", "sqlcmd", "beeline"], code: &["Q", "q", "e"], ..CLIENT },
    Interpreter { names: &["mongosh", "mongo"], code: &["eval"], ..CLIENT },
    Interpreter { names: &["clickhouse-client"], code: &["q", "query"], ..CLIENT },
    Interpreter {
        names: &["redis-cli", "valkey-cli"],
        data: &[("h", 1), ("p", 1), ("s", 1), ("a", 1), ("n", 1), ("u", 1), ("user", 1), ("pass", 1)],
        input: Input::WithoutScript,
        ..CLIENT
    },
    Interpreter {
        names: &["sqlite3", "duckdb"],
        code: &["cmd", "c"],
        operand: Operand::Second,
        data: &[
            ("separator", 1),
            ("nullvalue", 1),
            ("newline", 1),
            ("init", 1),
            ("vfs", 1),
            ("mmap", 1),
            ("heap", 1),
            ("maxsize", 1),
            ("pagecache", 2),
            ("lookaside", 2),
        ],
        input: Input::WithoutScript,
        ..CLIENT
    },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        code: &["e", "source"],
        data: &[("F", 1), ("v", 1), ("i", 1), ("l", 1), ("field-separator", 1), ("assign", 1), ("include", 1), ("load", 1)],
        ..FILTER
    },
    Interpreter { names: &["sed"], code: &["e", "expression"], data: &[("l", 1), ("line-length", 1)], ..FILTER },
    Interpreter {
        names: &["jq", "yq"],
        data: &[("arg", 2), ("argjson", 2), ("slurpfile", 2), ("rawfile", 2), ("indent", 1), ("L", 1), ("library-path", 1)],
        file: &["f", "from-file"],
        ..FILTER
    },
    Interpreter { names: &["watch"], data: &[("n", 1), ("interval", 1)], operand: Operand::All, input: Input::Data, ..CLIENT },
    Interpreter {
        names: &["parallel"],
        data: &[("j", 1), ("n", 1), ("jobs", 1)],
        operand: Operand::All,
        input: Input::WithoutScript,
        ..CLIENT
    },
    // Options that name a command.
    Interpreter {
        names: &["tar", "gtar"],
        code: &["I", "use-compress-program", "to-command", "checkpoint-action", "rsh-command", "info-script"],
        input: Input::Data,
        word: true,
        ..CLIENT
    },
    Interpreter { names: &["rsync"], code: &["e", "rsh", "rsync-path"], input: Input::Data, word: true, ..CLIENT },
    Interpreter { names: &["sort"], code: &["compress-program"], input: Input::Data, word: true, ..CLIENT },
    // What is typed into a terminal is read by what runs there.
    Interpreter {
        names: &["tmux"],
        data: &[("t", 1), ("s", 1), ("n", 1), ("c", 1), ("L", 1), ("S", 1), ("f", 1), ("x", 1), ("y", 1), ("F", 1), ("e", 1)],
        operand: Operand::All,
        input: Input::Data,
        word: true,
        ..CLIENT
    },
];

/// A program that looks for options among all its words, and of which one option, with what is joined to it, runs code: a value there
/// can be that option unless `--` stands before it.
pub(super) struct Optioned {
    pub names: &'static [&'static str],
    /// Letters of its options that take the word behind them.
    pub letters: &'static str,
    /// Its long options that do. Behind any other a value stands on its own.
    pub long: &'static [&'static str],
}

pub(super) const OPTIONS: &[Optioned] = &[
    Optioned { names: &["ssh"], letters: SSH_VALUES, long: &[] },
    Optioned { names: &["scp"], letters: "cDFiJloPSX", long: &[] },
    Optioned { names: &["sftp"], letters: "BbcDFiJloPRSsX", long: &[] },
    Optioned { names: &["rsync"], letters: "eBTfM", long: RSYNC_VALUES },
    Optioned { names: &["tar", "gtar"], letters: "fCTXbgIKNLFHV", long: TAR_VALUES },
    Optioned { names: &["sed"], letters: "efl", long: &["expression", "file", "line-length"] },
    Optioned {
        names: &["su", "runuser"],
        letters: "cgGsuwT",
        long: &["command", "session-command", "group", "supp-group", "shell", "user", "whitelist-environment"],
    },
    Optioned {
        names: &["script"],
        letters: "cEIOBTmo",
        long: &["command", "echo", "log-in", "log-out", "log-io", "log-timing", "logging-format", "output-limit"],
    },
    Optioned { names: &["psql"], letters: "cdfFhLopPRTUv", long: PSQL_VALUES },
    Optioned { names: &["mysql", "mariadb"], letters: "hDuPSe", long: MYSQL_VALUES },
    Optioned {
        names: &["python", "python2", "python3", "perl", "ruby", "node", "php", "lua"],
        letters: "",
        long: &[
            "check-hash-based-pycs",
            "require",
            "import",
            "eval",
            "print",
            "loader",
            "experimental-loader",
            "conditions",
            "input-type",
            "define",
            "php-ini",
            "external-encoding",
            "internal-encoding",
            "encoding",
        ],
    },
    Optioned {
        names: &["ex", "vi", "vim", "nvim", "gdb"],
        letters: "cptTuUwWS",
        long: &[
            "cmd",
            "servername",
            "startuptime",
            "listen",
            "command",
            "eval-command",
            "init-command",
            "init-eval-command",
            "exec",
            "symbols",
            "core",
            "pid",
            "directory",
            "cd",
            "tty",
            "data-directory",
        ],
    },
];

const RSYNC_VALUES: &[&str] = &[
    "rsh",
    "rsync-path",
    "exclude",
    "exclude-from",
    "include",
    "include-from",
    "files-from",
    "filter",
    "bwlimit",
    "partial-dir",
    "backup-dir",
    "suffix",
    "temp-dir",
    "compare-dest",
    "copy-dest",
    "link-dest",
    "timeout",
    "contimeout",
    "port",
    "address",
    "sockopts",
    "password-file",
    "early-input",
    "log-file",
    "log-file-format",
    "out-format",
    "chmod",
    "chown",
    "usermap",
    "groupmap",
    "max-delete",
    "max-size",
    "min-size",
    "max-alloc",
    "block-size",
    "modify-window",
    "info",
    "debug",
    "protocol",
    "iconv",
    "checksum-seed",
    "checksum-choice",
    "compress-choice",
    "compress-level",
    "skip-compress",
    "outbuf",
    "remote-option",
    "write-batch",
    "only-write-batch",
    "read-batch",
    "stop-after",
    "stop-at",
];

const TAR_VALUES: &[&str] = &[
    "file",
    "directory",
    "files-from",
    "exclude",
    "exclude-from",
    "exclude-tag",
    "exclude-tag-under",
    "exclude-tag-all",
    "exclude-ignore",
    "exclude-ignore-recursive",
    "transform",
    "xform",
    "strip-components",
    "owner",
    "owner-map",
    "group",
    "group-map",
    "mode",
    "mtime",
    "sort",
    "format",
    "newer",
    "after-date",
    "newer-mtime",
    "listed-incremental",
    "level",
    "blocking-factor",
    "record-size",
    "tape-length",
    "label",
    "volno-file",
    "starting-file",
    "pax-option",
    "quoting-style",
    "quote-chars",
    "no-quote-chars",
    "suffix",
    "warning",
    "index-file",
    "add-file",
    "hole-detection",
    "sparse-version",
    "use-compress-program",
    "to-command",
    "checkpoint-action",
    "info-script",
    "new-volume-script",
    "rsh-command",
    "rmt-command",
    "set-mtime-command",
    "set-mtime-format",
];

const PSQL_VALUES: &[&str] = &[
    "command",
    "dbname",
    "file",
    "set",
    "variable",
    "log-file",
    "output",
    "field-separator",
    "pset",
    "record-separator",
    "table-attr",
    "host",
    "port",
    "username",
];

const MYSQL_VALUES: &[&str] = &[
    "user",
    "host",
    "port",
    "socket",
    "database",
    "execute",
    "protocol",
    "default-character-set",
    "character-sets-dir",
    "connect-timeout",
    "delimiter",
    "init-command",
    "max-allowed-packet",
    "max-join-size",
    "net-buffer-length",
    "select-limit",
    "plugin-dir",
    "default-auth",
    "login-path",
    "bind-address",
    "prompt",
    "tee",
    "ssl-mode",
    "ssl-ca",
    "ssl-capath",
    "ssl-cert",
    "ssl-cipher",
    "ssl-crl",
    "ssl-key",
    "tls-version",
];

/// Options of `ssh` that have a value behind them.
pub(super) const SSH_VALUES: &str = "BbcDEeFIiJLlmOopPQRSWw";

/// Programs that start a program named somewhere behind them.
pub(super) const LAUNCHERS: [&str; 4] = ["docker", "podman", "kubectl", "find"];
