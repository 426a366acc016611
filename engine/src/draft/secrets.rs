//! Values in a command that look like secrets. They are found by the name beside them, by the option before them, by where they
//! stand in a URL, by their shape, or by what reads them. What is wrongly taken for one costs an author a minute; what is missed stands in a
//! file for ever, so doubt counts as a secret.

mod said;

use std::ops::Range;

/// A value that must not be written, and what to call it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub span: Range<usize>,
    pub hint: String,
    /// Parts of it that look like secrets by themselves.
    pub inside: Vec<Range<usize>>,
}

impl Found {
    fn new(span: Range<usize>, hint: &str) -> Found {
        Found { span, hint: hint.to_owned(), inside: Vec::new() }
    }
}

/// Parts of names that say so.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "passcode",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "credential",
    "authkey",
    "auth_key",
    "auth-key",
    "_auth",
    "authorization",
    "cookie",
    "signature",
    "storepass",
    "keypass",
    "requirepass",
    "userpass",
    "_pass",
    "-pass",
    "dbpass",
    "pgpass",
    "sshpass",
    "_pwd",
    "client-key-data",
    "bearer",
    "session_key",
    "encryption_key",
    "encryption-key",
    "connectionstring",
    "connection_string",
];
/// Whole names that say so.
const WHOLE: &[&str] = &["pass", "pw", "auth", "sig", "psk", "pwd"];
/// Ends of names that hold something about a secret, not the secret.
const ABOUT: &[&str] = &[
    "file", "path", "name", "id", "ref", "ttl", "length", "type", "url", "uri", "policy", "count", "period", "dir", "stdin",
    "expiry", "age", "issuer", "endpoint", "provider", "-out", "version",
];
/// Headers whose whole value is one.
const HEADERS: &[&str] = &["authorization", "cookie"];
/// Words before the secret in a header.
const SCHEMES: &[&str] =
    &["bearer", "basic", "token", "digest", "apikey", "negotiate", "bot", "key", "splunk", "genie-key", "genie"];
/// How tokens of well-known services begin.
const SHAPES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glrt-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "eyJ",
    "hvs.",
    "hvb.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "AGE-SECRET-KEY-",
    "SG.",
    "shpat_",
    "ya29.",
    "dapi",
    "NRAK-",
    "lin_api_",
    "dckr_pat_",
    "atlasv1.",
    "-----BEGIN",
];
/// Programs, or words of theirs, whose option holds one: the option, what stands between a user and the secret.
const OPTIONS: &[(&[&str], &str, Option<char>)] = &[
    (
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "7z",
            "7za",
            "sshpass",
        ],
        "-p",
        None,
    ),
    (&["login"], "-p", None),
    (&["mongo", "mongosh", "mongodump", "mongorestore", "impala-shell", "rabbitmqadmin"], "-p", None),
    (&["redis-cli", "iscsiadm"], "-a", None),
    (&["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldappasswd"], "-w", None),
    (&["sqlcmd", "bcp", "zip", "unzip", "ipmitool", "osql"], "-P", None),
    (&["curl", "http", "https"], "-u", Some(':')),
    (&["http", "https"], "-a", Some(':')),
    (&["smbclient", "rpcclient", "smbmap"], "-U", Some('%')),
    (&["doctl"], "-t", None),
    (&["openssl"], "-k", None),
    (&["gh"], "-b", None),
];
/// Long options with a user before the secret.
const USERS: &[&str] = &["--user", "--proxy-user", "--auth"];
/// Programs of Oracle, which take `user/password@service`.
const ORACLE: &[&str] = &["sqlplus", "rman", "expdp", "impdp", "sqlldr"];
/// What reads a secret from the standard input of its pipe.
const READERS: &[&str] = &[
    "--password-stdin",
    "sudo -S",
    "chpasswd",
    "--stdin",
    "--with-token",
    "-pass stdin",
    "-passin stdin",
    "cryptsetup",
    "smbpasswd -s",
    "--key-file=-",
    "secret create",
    "secret set",
    "secrets versions add",
];
/// Programs whose long digests are no secrets.
const DIGESTS: &[&str] = &[
    "git",
    "docker",
    "podman",
    "crictl",
    "nerdctl",
    "ctr",
    "kubectl",
    "skopeo",
    "sha256sum",
    "sha1sum",
    "md5sum",
    "zfs",
    "btrfs",
    "nix",
    "echo",
];
/// Bytes of a value: no secret is longer than a certificate.
const VALUE_BYTES: usize = 8 * 1024;
/// From how many bytes on a word without sense is a secret.
const SENSELESS: usize = 20;
const DIGEST: usize = 32;

/// What a text is, which decides what in it can be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Command,
    /// A file, or what a command printed.
    Data,
    Prose,
}

/// Every value that looks like a secret, in order; none overlaps another.
pub(super) fn find(command: &str, of: Of) -> Vec<Found> {
    let mut found = Vec::new();
    let quoted = Quoted::new(command);
    addresses(&quoted, &mut found);
    shapes(command, &mut found);
    match of {
        Of::Prose => said::find(command, &mut found),
        Of::Command | Of::Data => named(&quoted, &mut found),
    }
    if of == Of::Command {
        let words = words(command);
        options(command, &words, &mut found);
        for word in words.iter().map(|word| inside(command, word.clone())) {
            // A command in quotes, for another shell or another host.
            if let Some(quoted) = command.get(word.clone()).filter(|text| text.contains(' ')) {
                let mut within = Vec::new();
                options(quoted, &self::words(quoted), &mut within);
                let shifted = |found: Found| Found { span: found.span.start + word.start..found.span.end + word.start, ..found };
                found.extend(within.into_iter().map(shifted));
            }
        }
        senseless(command, &words, &mut found);
        fed(&quoted, &words, &mut found);
    }
    found.retain(|found| is_value(command.get(found.span.clone()).unwrap_or_default()));
    found.sort_by_key(|found| (found.span.start, std::cmp::Reverse(found.span.end)));
    let mut apart: Vec<Found> = Vec::new();
    for next in found {
        match apart.last_mut() {
            Some(last) if next.span.start < last.span.end => {
                last.span.end = last.span.end.max(next.span.end);
                last.inside.push(next.span);
            }
            _ => apart.push(next),
        }
    }
    apart
}

/// Whether a name says that what it names is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    let about = ABOUT.iter().any(|end| name.ends_with(end) && name.len() > end.len())
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| ABOUT.contains(&word));
    !about && (NAMES.iter().any(|part| name.contains(part)) || WHOLE.contains(&name.as_str()))
}

/// Whether a text may be the value of a secret, rather than a name for it or a word that stands for it.
fn is_value(text: &str) -> bool {
    let stands_for = text.starts_with(['$', '<', '%', '*', '@', '`', '{', '[', '(', '…', '|', ';', '&', '>', '-'])
        && !text.starts_with("-----BEGIN");
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "true"
            | "false"
            | "null"
            | "none"
            | "yes"
            | "no"
            | "prompt"
            | "stdin"
            | "..."
            | "xxx"
            | "xxxx"
            | "password"
            | "secret"
            | "token"
            | "changeme"
            | "bearer"
            | "basic"
            | "env"
            | "read"
            | "write"
            | "required"
    );
    // The file that holds a key.
    let is_file = text.starts_with("file://") || [".pem", ".key", ".crt", ".p12", ".jks"].iter().any(|end| text.ends_with(end));
    let is_blank = text.to_ascii_uppercase().starts_with("YOUR") || text.bytes().all(|b| b == b'x' || b == b'*' || b == b'.');
    !stands_for && !is_word && !is_blank && !is_file
}

/// The words of a command, as byte ranges, quotes included.
pub(super) fn words(command: &str) -> Vec<Range<usize>> {
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(rest) = command.get(at..).filter(|rest| !rest.is_empty()) {
        let (found, end) = line(rest);
        words.extend(found.into_iter().map(|word| word.start + at..word.end + at));
        at += end + 1;
    }
    words
}

/// The same of its first line, and where that ends: in a quote, or behind a backslash, no line does. In a comment neither is one.
pub(super) fn line(command: &str) -> (Vec<Range<usize>>, usize) {
    let (mut words, mut start, mut quote, mut escaped, mut is_comment) = (Vec::new(), None, None, false, false);
    let mut end = command.len();
    for (at, c) in command.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('"') | None if c == '\\' && !is_comment => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if (c == '"' || c == '\'') && !is_comment => quote = Some(c),
            None if c == '#' && start.is_none() => is_comment = true,
            None if c == '\n' => {
                end = at;
                break;
            }
            None if c.is_whitespace() || "|;&<>()".contains(c) => {
                words.extend(start.take().map(|start| start..at));
                continue;
            }
            None => {}
        }
        start.get_or_insert(at);
    }
    words.extend(start.map(|start| start..end));
    (words, end)
}

/// Without the quotes that a whole word stands in.
fn inside(command: &str, word: Range<usize>) -> Range<usize> {
    let text = command.get(word.clone()).unwrap_or_default();
    let quote = |q: char| text.len() >= 2 && text.starts_with(q) && text.ends_with(q);
    if quote('"') || quote('\'') { word.start + 1..word.end - 1 } else { word }
}

/// A command, and the quote that each of its bytes stands in.
struct Quoted<'c> {
    command: &'c str,
    quotes: Vec<Option<char>>,
}

impl<'c> Quoted<'c> {
    fn new(command: &'c str) -> Quoted<'c> {
        let (mut quote, mut escaped) = (None, false);
        let mut quotes = Vec::with_capacity(command.len());
        for c in command.chars() {
            quotes.extend(std::iter::repeat_n(quote, c.len_utf8()));
            match quote {
                _ if escaped => escaped = false,
                Some('"') | None if c == '\\' => escaped = true,
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                _ => {}
            }
        }
        Quoted { command, quotes }
    }

    fn around(&self, at: usize) -> Option<char> {
        self.quotes.get(at).copied().flatten()
    }

    /// The value that begins at `at`: to the end of the quotes around it, or of the word. With `whole`, blanks belong to it.
    fn value(&self, at: usize, whole: bool) -> Range<usize> {
        let rest = self.command.get(at..).unwrap_or_default();
        let rest = rest.get(..rest.floor_char_boundary(VALUE_BYTES)).unwrap_or_default();
        let around = self.around(at);
        let closed =
            |skip: usize, by: &str| rest.get(skip..).map(|rest| at + skip..at + skip + rest.find(by).unwrap_or(rest.len()));
        let opening = rest.chars().next().filter(|c| matches!(c, '"' | '\'') && Some(*c) != around);
        // Within quotes it may have quotes of the other kind, or escaped ones, as JSON has.
        let quoted = match opening {
            Some(quote) => closed(1, quote.encode_utf8(&mut [0; 4])),
            None if rest.starts_with("\\\"") => closed(2, "\\\""),
            None => None,
        };
        let ends = |c: char| match around {
            Some(quote) => c == quote || c == '\n' || (!whole && (c.is_whitespace() || "&;,\"'".contains(c))),
            None => c.is_whitespace() || "|;&<>()`\"'".contains(c),
        };
        quoted.unwrap_or_else(|| at..at + rest.find(ends).unwrap_or(rest.len()))
    }
}

/// `NAME=value`, `--name=value`, `"name": "value"`, `Name: value`.
fn named(quoted: &Quoted, found: &mut Vec<Found>) {
    let command = quoted.command;
    let literals = command.find("--from-literal").unwrap_or(command.len());
    for (at, sign) in command.match_indices(['=', ':']) {
        let before = command.get(..at).unwrap_or_default().trim_end_matches(['"', '\'', '\\']);
        let start =
            before.char_indices().rev().take(80).take_while(|(_, c)| c.is_ascii_alphanumeric() || "_-.".contains(*c)).last();
        let name = before.get(start.map_or(before.len(), |(at, _)| at)..).unwrap_or_default();
        let literal = literals < at && sign == "=" && name != "--from-literal";
        if !(is_secret_name(name) || literal) || command.get(at + 1..).is_some_and(|rest| rest.starts_with("//")) {
            continue;
        }
        let after = command.get(at + 1..).unwrap_or_default();
        let blanks = if sign == ":" || quoted.around(at).is_some() { after.len() - after.trim_start_matches(' ').len() } else { 0 };
        let lower = name.to_ascii_lowercase();
        let is_header = sign == ":" && HEADERS.iter().any(|header| lower.ends_with(header));
        let mut span = quoted.value(at + 1 + blanks, is_header);
        let text = command.get(span.clone()).unwrap_or_default();
        if let Some((scheme, rest)) = text.split_once(' ')
            && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
        {
            span.start += text.len() - rest.trim_start().len();
        }
        found.push(Found::new(span, name.trim_matches(['-', '.', '_'])));
    }
}

/// `--password value`, `-pvalue`, `-u user:value`.
fn options(command: &str, words: &[Range<usize>], found: &mut Vec<Found>) {
    let text = |span: &Range<usize>| command.get(span.clone()).unwrap_or_default();
    let mut push = |span: Range<usize>, hint: &str| found.push(Found::new(span, hint));
    // The entries of the table whose program has come, and whether what comes next sets something.
    let mut of_program = [false; OPTIONS.len()];
    let (mut sets, mut is_vault, mut asks) = (false, false, false);
    // Whether what a later line says may be read by a program of Oracle.
    let mut is_oracle = false;
    let is_end = |end: usize, start: usize| command.get(end..start).is_some_and(|between| between.contains(['\n', ';', '|', '&']));
    // Of each word, the last one of its command.
    let mut ends: Vec<usize> = (0..words.len()).collect();
    for (n, two) in words.windows(2).enumerate().rev() {
        if let [one, other] = two
            && !is_end(one.end, other.start)
        {
            ends[n] = ends[n + 1];
        }
    }
    let mut end = 0;
    for (n, word) in words.iter().enumerate() {
        if is_end(end, word.start) {
            // Another command.
            (of_program, sets, is_vault, asks) = ([false; OPTIONS.len()], false, false, false);
        }
        end = word.end;
        let option = text(word);
        // The words behind it, to the end of its command.
        let behind = ends.get(n).and_then(|end| words.get(n + 1..=*end)).unwrap_or_default();
        let next = behind.first().map(|next| inside(command, next.clone()));
        let is_long = option.starts_with("--") && !option.contains('=');
        let is_plain = option.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let is_key = is_long || (is_plain && (sets || matches!(option, "-storepass" | "-keypass" | "-passphrase")));
        if let Some(next) = &next {
            if is_key && is_secret_name(option) && !USERS.contains(&option) {
                push(next.clone(), option.trim_matches('-'));
            }
            if USERS.contains(&option)
                && let Some((user, _)) = text(next).split_once(':')
            {
                push(next.start + user.len() + 1..next.end, "password");
            }
        }
        if let Some(rest) = option.strip_prefix("pass:") {
            push(word.end - rest.len()..word.end, "password");
        }
        if is_vault
            && sets
            && let Some((name, _)) = option.split_once('=')
        {
            push(inside(command, word.start + name.len() + 1..word.end), name);
        }
        for (short, separator) in
            OPTIONS.iter().zip(of_program).filter(|(_, holds)| *holds).map(|((_, short, separator), _)| (short, separator))
        {
            let Some(attached) = option.strip_prefix(short) else { continue };
            let span = if attached.is_empty() { next.clone() } else { Some(inside(command, word.start + short.len()..word.end)) };
            let Some(span) = span.filter(|_| !(attached.is_empty() && asks)) else { continue };
            let value = text(&span);
            // A port, or one of a host and one of a container.
            let is_port =
                *short == "-p" && value.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.') && value.contains(':');
            match separator {
                None if is_port => {}
                None => push(span, "password"),
                Some(sign) => {
                    if let Some(at) = value.find(*sign) {
                        push(span.start + at + 1..span.end, "password");
                    }
                }
            }
        }
        let program = option.rsplit('/').next().unwrap_or_default();
        for (holds, (programs, ..)) in of_program.iter_mut().zip(OPTIONS) {
            *holds |= programs.contains(&program);
        }
        sets |= matches!(program, "set" | "put" | "configure" | "config" | "write" | "patch");
        is_vault |= program == "vault";
        // Behind `-p` alone it asks.
        asks |= program.starts_with("mysql") || program.starts_with("mariadb");
        if matches!(program, "add_user" | "change_password" | "htpasswd" | "obscure")
            && let Some(last) = behind.last()
        {
            push(inside(command, last.clone()), "password");
        }
        is_oracle |= ORACLE.contains(&program);
        let connects = || matches!(program.to_ascii_lowercase().as_str(), "connect" | "conn");
        if ORACLE.contains(&program) || is_oracle && connects() {
            let logins = logins(command, behind);
            logins.into_iter().for_each(|span| push(span, "password"));
        }
        // `net use DRIVE /user:NAME PASSWORD`.
        if program == "use"
            && let Some(user) = behind.iter().position(|word| text(word).starts_with("/user:"))
        {
            let before = user.checked_sub(1).and_then(|before| behind.get(before));
            let before = before.filter(|word| !text(word).ends_with(':') && !text(word).starts_with("\\\\"));
            for password in before.into_iter().chain(behind.get(user + 1)) {
                push(password.clone(), "password");
            }
        }
        if is_vault
            && program == "login"
            && let Some(next) = next
        {
            push(next, "token");
        }
    }
}

/// The passwords of `user/password@service` among the words behind a program that takes such logins. A word may be a path instead, but not where
/// it comes first, names a service, or stands behind a word that a login belongs to.
fn logins(command: &str, words: &[Range<usize>]) -> Vec<Range<usize>> {
    let text = |word: &Range<usize>| command.get(word.clone()).unwrap_or_default();
    let (mut found, mut expected) = (Vec::new(), true);
    for word in words {
        let whole = inside(command, word.clone());
        let named = text(&whole).to_ascii_lowercase().find("userid=").map_or(0, |at| at + "userid=".len());
        let login = inside(command, whole.start + named..whole.end);
        let written = text(&login);
        let user = written.find('/').filter(|user| *user > 0 && !written.starts_with(['@', '.', '-', '=']));
        let is_name = |user: &usize| written.get(..*user).is_some_and(|user| !user.contains([' ', '=', ':']));
        if let Some(user) = user.filter(is_name) {
            let service = written.rfind('@').filter(|at| *at > user);
            if expected || named > 0 || service.is_some() {
                found.push(login.start + user + 1..login.start + service.unwrap_or(written.len()));
            }
            expected = false;
        }
        expected |= matches!(written.to_ascii_lowercase().as_str(), "target" | "catalog" | "auxiliary" | "connect" | "conn");
        // A script has arguments of its own.
        expected &= !written.starts_with('@') && written != "/" && written != "/nolog";
    }
    found
}

/// `scheme://user:value@host`.
fn addresses(quoted: &Quoted, found: &mut Vec<Found>) {
    let command = quoted.command;
    for (at, _) in command.match_indices("://") {
        let rest = command.get(at + 3..).unwrap_or_default();
        let host = rest.split(|c: char| c.is_whitespace() || "\"'`/?#".contains(c)).next().unwrap_or_default();
        let Some((user, _)) = host.rsplit_once('@') else { continue };
        match user.split_once(':') {
            Some((name, _)) => found.push(Found::new(at + 3 + name.len() + 1..at + 3 + user.len(), "password")),
            // A token alone, as `https://TOKEN@github.com` has it.
            None if user.len() >= SENSELESS => found.push(Found::new(at + 3..at + 3 + user.len(), "token")),
            None => {}
        }
    }
    // Addresses that are secrets themselves.
    for place in ["hooks.slack.com/services/", "discord.com/api/webhooks/", "webhook.office.com/"] {
        for (at, _) in command.match_indices(place) {
            found.push(Found::new(quoted.value(at + place.len(), false), "webhook"));
        }
    }
}

/// Each run of characters that a token is made of.
fn runs(command: &str) -> impl Iterator<Item = Range<usize>> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "_-.+/=".contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = command.get(at..)?;
        let start = at + rest.find(is_token)?;
        let run = command.get(start..)?;
        at = start + run.find(|c: char| !is_token(c)).unwrap_or(run.len());
        Some(start..at)
    })
}

/// Tokens of known services.
fn shapes(command: &str, found: &mut Vec<Found>) {
    for span in runs(command) {
        let run = command.get(span.clone()).unwrap_or_default();
        for shape in SHAPES {
            if let Some(place) = run.find(shape)
                && (place == 0 || !run.as_bytes().get(place - 1).is_some_and(u8::is_ascii_alphanumeric))
                && run.len() >= place + shape.len() + 8
                && (*shape == "-----BEGIN" || run.get(place..).is_some_and(|token| token.bytes().any(|b| b.is_ascii_digit())))
            {
                // A private key goes on over lines and blanks.
                let end = if *shape == "-----BEGIN" { command.rfind("-----").map_or(0, |end| end + 5) } else { 0 };
                found.push(Found::new(span.start + place..end.max(span.end), "token"));
            }
        }
    }
}

/// Words without sense.
fn senseless(command: &str, words: &[Range<usize>], found: &mut Vec<Found>) {
    let first =
        words.iter().map(|word| command.get(word.clone()).unwrap_or_default()).find(|word| *word != "sudo").unwrap_or_default();
    let has_digests = DIGESTS.contains(&first);
    for span in runs(command) {
        let run = command.get(span.clone()).unwrap_or_default();
        let mut begin = span.start;
        for part in run.split_inclusive(['/', '.', '=', '-']).chain([run]) {
            // Last comes the whole.
            let from = if part.len() == run.len() { span.start } else { begin };
            begin += part.len();
            let before = command.get(..from).unwrap_or_default();
            let part = if part.len() == run.len() { part } else { part.trim_end_matches(['/', '.', '=', '-']) };
            let is_digest = before.ends_with("sha256:") || before.ends_with('@');
            if !is_digest && is_senseless(part, has_digests) {
                found.push(Found::new(from..from + part.len(), "token"));
            }
        }
    }
}

fn is_senseless(word: &str, has_digests: bool) -> bool {
    let count = |test: fn(&u8) -> bool| word.bytes().filter(test).count();
    let (lower, upper, digits) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase), count(u8::is_ascii_digit));
    // Names change from small letters to large ones once in a word; chance does at nearly every place.
    let kind = |b: u8| if b.is_ascii_digit() { 0 } else { 1 + u8::from(b.is_ascii_uppercase()) };
    let turns = word.bytes().zip(word.bytes().skip(1)).filter(|(a, b)| kind(*a) != kind(*b)).count();
    let is_path = word.matches('/').count() > 2;
    let is_mixed = word.len() >= SENSELESS && lower >= 3 && upper >= 3 && digits >= 2 && turns * 5 >= word.len() * 2 && !is_path;
    let is_digest = word.len() >= DIGEST && count(u8::is_ascii_hexdigit) == word.len() && digits >= 3 && lower.max(upper) >= 3;
    is_mixed || (is_digest && !has_digests)
}

/// What `echo` puts into a program that reads a secret.
fn fed(quoted: &Quoted, words: &[Range<usize>], found: &mut Vec<Found>) {
    let command = quoted.command;
    if !READERS.iter().any(|reader| command.contains(reader)) {
        return;
    }
    for (at, _) in command.match_indices("<<<") {
        let rest = command.get(at + 3..).unwrap_or_default();
        found.push(Found::new(quoted.value(at + 3 + rest.len() - rest.trim_start().len(), true), "password"));
    }
    let pipe = command.find('|').unwrap_or(0);
    let said = words.iter().filter(|word| word.end <= pipe).skip_while(|word| {
        let word = command.get((*word).clone()).unwrap_or_default();
        !matches!(word, "echo" | "printf")
    });
    let said = said.skip(1).map(|word| inside(command, word.clone()));
    let is_form = |text: &str| text.starts_with('-') || text.starts_with('%') || text == "\\n";
    found.extend(
        said.filter(|span| !is_form(command.get(span.clone()).unwrap_or_default())).map(|span| Found::new(span, "password")),
    );
}
