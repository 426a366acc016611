//! What can be told of a command from its words alone: whether it needs a terminal, whether it seems only to look, what it is called.
//! None of it is certain, so none of it decides an effect: it chooses words for a person, and keeps from a step what could never end
//! without a keyboard.

/// Programs that want a keyboard whatever stands behind them.
const SCREENS: &[&str] = &[
    "vi",
    "vim",
    "nvim",
    "nano",
    "emacs",
    "less",
    "more",
    "top",
    "htop",
    "iotop",
    "atop",
    "watch",
    "man",
    "tmux",
    "screen",
    "visudo",
    "vipw",
    "passwd",
    "mc",
    "ncdu",
    "k9s",
    "crontab-e",
    "telnet",
    "ftp",
    "sftp",
    "minicom",
];
/// Programs that open a session where nothing to do stands behind them.
const SESSIONS: &[&str] = &[
    "bash",
    "sh",
    "zsh",
    "fish",
    "su",
    "python",
    "python3",
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "redis-cli",
    "mongo",
    "mongosh",
    "sqlplus",
];
/// Of the programs that want a keyboard, those that hold a shell.
const TERMINALS: &[&str] = &["tmux", "screen", "telnet", "ftp", "sftp", "minicom"];
/// Programs that wait for a keyboard, or for ever, and open nothing.
const GIVES_BACK: &[&str] = &["crontab", "journalctl", "tail", "git"];
/// Commands that change the shell they are typed into.
const STEERS: &[&str] = &[
    "cd",
    "pushd",
    "popd",
    "export",
    "declare",
    "typeset",
    "readonly",
    "set",
    "unset",
    "shopt",
    "setopt",
    "source",
    ".",
    "alias",
    "unalias",
    "umask",
    "ulimit",
    "eval",
    "trap",
    "read",
    "function",
    "ssh-agent",
    "conda",
    "nvm",
    "pyenv",
    "rbenv",
    "module",
    "workon",
    "deactivate",
];
/// Options of `ssh` that take a word.
const SSH_WORDS: &str = "BbcDEeFIiJLlmOopQRSWw";

/// Programs that only look, whatever stands behind them.
const LOOKS: &[&str] = &[
    "cat",
    "cut",
    "date",
    "df",
    "dig",
    "dmesg",
    "du",
    "echo",
    "egrep",
    "fgrep",
    "file",
    "free",
    "getent",
    "grep",
    "head",
    "host",
    "hostname",
    "id",
    "iostat",
    "jq",
    "journalctl",
    "last",
    "ls",
    "lsblk",
    "lscpu",
    "lsof",
    "md5sum",
    "mpstat",
    "netstat",
    "nproc",
    "nslookup",
    "pg_isready",
    "pgrep",
    "ping",
    "printenv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "sar",
    "sha256sum",
    "sort",
    "ss",
    "stat",
    "tail",
    "test",
    "tr",
    "traceroute",
    "true",
    "uname",
    "uniq",
    "uptime",
    "vmstat",
    "w",
    "wc",
    "which",
    "who",
    "whoami",
];
/// Of programs that do both, the words that only look.
const LOOKING: &[(&str, &[&str])] = &[
    ("systemctl", &["status", "is-active", "is-enabled", "is-failed", "list-units", "list-timers", "show", "cat"]),
    ("service", &["status"]),
    ("kubectl", &["get", "describe", "logs", "top", "explain", "version", "cluster-info", "api-resources"]),
    ("oc", &["get", "describe", "logs", "adm top", "status", "whoami"]),
    ("docker", &["ps", "logs", "inspect", "images", "stats", "version", "info"]),
    ("podman", &["ps", "logs", "inspect", "images", "version", "info"]),
    ("git", &["status", "log", "show", "diff", "blame"]),
    ("helm", &["list", "ls", "status", "history", "get"]),
    ("terraform", &["plan", "show", "validate", "output"]),
    ("etcdctl", &["endpoint", "member list", "get"]),
    ("ip", &["addr", "a", "route", "link"]),
    ("zpool", &["status", "list"]),
    ("apt-cache", &["policy", "search", "show"]),
    ("rpm", &["-q", "-qa"]),
];

/// The words of each simple command, quotes taken away roughly: enough to know programs and options.
fn commands(script: &str) -> impl Iterator<Item = Vec<&str>> {
    let parts = script.split(['\n', ';', '|', '&', '(', ')', '`']);
    parts.map(str::trim).filter(|part| !part.is_empty() && !part.starts_with('#')).filter_map(|part| {
        let mut words: Vec<&str> = part.split_whitespace().map(|word| word.trim_matches(['"', '\'', '\\'])).collect();
        // What stands before a program: assignments, and programs that start it.
        while let Some(first) = words.first() {
            let assigns = is_assignment(first);
            let starts_one =
                matches!(*first, "sudo" | "time" | "nohup" | "env" | "command" | "exec" | "$" | "!") && words.len() > 1;
            if !assigns && !starts_one {
                break;
            }
            let was_sudo = *first == "sudo";
            words.remove(0);
            while was_sudo
                && words.len() > 1
                && words.first().is_some_and(|word| word.starts_with('-') && !matches!(*word, "-i" | "-s" | "-S"))
            {
                let takes = words.first().is_some_and(|word| matches!(*word, "-u" | "-g" | "-h"));
                words.drain(..if takes && words.len() > 2 { 2 } else { 1 });
            }
        }
        (!words.is_empty()).then_some(words)
    })
}

fn program<'w>(words: &[&'w str]) -> &'w str {
    words.first().map(|word| word.rsplit('/').next().unwrap_or(word)).unwrap_or_default()
}

/// The program that waits for a keyboard, if there is one.
pub(super) fn needs_terminal(script: &str) -> Option<&str> {
    if script.contains("<<") {
        return None;
    }
    let fed = script.contains('<') || script.contains('|');
    commands(script).find_map(|words| {
        let name = program(&words);
        let rest = words.get(1..).unwrap_or_default();
        let plain = rest.iter().filter(|word| !word.starts_with('-')).count();
        let has = |options: &[&str]| rest.iter().any(|word| options.contains(word));
        let waits = match name {
            "top" => !has(&["-b", "-bn1"]),
            "passwd" => !has(&["-l", "-u", "-S", "--stdin"]),
            "watch" | "less" | "more" => true,
            name if SCREENS.contains(&name) => true,
            "-i" | "-s" => true,
            "ssh" => !fed && ssh_opens_a_session(rest),
            "kubectl" | "oc" => {
                (has(&["exec"]) && has(&["-it", "-ti", "-i", "-t"]) && rest.last().is_some_and(|word| word.ends_with("sh")))
                    || has(&["edit"])
                    || (has(&["rsh", "debug"]) && !has(&["--"]))
                    || (has(&["run"]) && wants_terminal(rest) && !has(&["--"]))
            }
            "docker" | "podman" => {
                has(&["exec", "run"])
                    && wants_terminal(rest)
                    && (rest.last().is_some_and(|word| word.ends_with("sh")) || runs_an_image_alone(rest))
            }
            "crontab" => has(&["-e"]),
            "journalctl" | "tail" => has(&["-f", "--follow", "-F"]),
            "psql" | "mysql" | "mariadb" | "redis-cli" | "mongo" | "mongosh" | "sqlite3" => {
                !fed && !rest.iter().any(|word| matches!(word.get(..2), Some("-c" | "-f" | "-e" | "-l")) || word.starts_with("--"))
                    && (name != "redis-cli" || plain == 0)
                    && (name != "sqlite3" || plain < 2)
            }
            "chroot" => plain < 2,
            "git" => has(&["rebase"]) && has(&["-i"]),
            name if SESSIONS.contains(&name) => {
                !fed && plain == usize::from(name == "su" && plain == 1) && !has(&["-c", "--version", "-V"])
            }
            _ => false,
        };
        waits.then_some(if name.starts_with('-') { "sudo" } else { name })
    })
}

/// Whether the options of a program that starts containers ask for a terminal, and for waiting until it is closed.
fn wants_terminal(words: &[&str]) -> bool {
    let letters: String = words
        .iter()
        .filter_map(|word| word.strip_prefix('-'))
        .filter(|letters| letters.bytes().all(|b| b.is_ascii_alphabetic()))
        .collect();
    let has = |letter: char, long: &str| letters.contains(letter) || words.contains(&long);
    has('i', "--interactive") && has('t', "--tty") && !has('d', "--detach")
}

/// Options of `docker run` that take no word.
const FLAGS: &[&str] = &[
    "--detach",
    "--init",
    "--interactive",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--privileged",
    "--publish-all",
    "--quiet",
    "--read-only",
    "--replace",
    "--rm",
    "--sig-proxy",
    "--tty",
];

/// Whether `docker run` names an image and nothing to run in it: then it is the image's own shell, or whatever waits there.
fn runs_an_image_alone(words: &[&str]) -> bool {
    let Some(run) = words.iter().position(|word| *word == "run") else { return false };
    let mut behind = words.iter().skip(run + 1);
    let mut operands = 0;
    while let Some(word) = behind.next() {
        let Some(option) = word.strip_prefix('-').filter(|_| operands == 0) else {
            operands += 1;
            continue;
        };
        let alone = match option.strip_prefix('-') {
            Some(_) => word.contains('=') || FLAGS.contains(word),
            None => option.bytes().all(|b| b"ditPq".contains(&b)) || option.contains('='),
        };
        if !alone {
            behind.next();
        }
    }
    operands == 1
}

/// Whether commands behind it in the same shell are typed into what it opens: another host, another user, a container, a client.
pub(super) fn opens_session(script: &str) -> bool {
    // What else waits for a keyboard gives the shell back as it was.
    let is_back = |name: &str| (SCREENS.contains(&name) && !TERMINALS.contains(&name)) || GIVES_BACK.contains(&name);
    needs_terminal(script).is_some_and(|name| !is_back(name))
}

/// Whether it opens a shell of root on the same host, and does nothing else.
pub(super) fn opens_root(script: &str) -> bool {
    let words: Vec<&str> = script.split_whitespace().collect();
    matches!(
        words.as_slice(),
        ["sudo", "-i" | "-s" | "su" | "bash" | "sh"]
            | ["sudo", "su", "-" | "-l" | "root"]
            | ["sudo", "su", "-", "root"]
            | ["su"]
            | ["su", "-" | "-l" | "root"]
            | ["su", "-", "root"]
    )
}

/// Whether commands behind it in the same shell depend on it: it moves, sets a variable, or leaves something running.
pub(super) fn steers_its_shell(script: &str) -> bool {
    let is_behind = script.trim_end().strip_suffix('&').is_some_and(|rest| !rest.ends_with('&'));
    is_behind
        || script.contains("()")
        || !super::script::assignments(script).is_empty()
        || commands(script).any(|words| STEERS.contains(&program(&words)))
}

/// Whether it means something only behind the command before it.
pub(super) fn leans_on_others(script: &str) -> bool {
    ["$?", "$!", "$_"].iter().any(|sign| script.contains(sign))
        || commands(script).any(|words| matches!(program(&words), "wait" | "fg" | "bg" | "jobs" | "disown"))
}

fn ssh_opens_a_session(words: &[&str]) -> bool {
    let mut plain = 0;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            Some(option) if option.len() == 1 && option.contains(|c: char| SSH_WORDS.contains(c)) => drop(words.next()),
            Some("N" | "f" | "fN" | "G" | "V") => return false,
            Some(_) => {}
            None => plain += 1,
        }
    }
    plain == 1
}

/// The words behind a program, without the options that say where it works.
fn unscoped<'w>(program: &str, words: &[&'w str]) -> impl Iterator<Item = &'w str> {
    let has_scopes = matches!(program, "kubectl" | "oc" | "helm" | "git" | "argocd" | "istioctl");
    let mut is_value = false;
    words.iter().copied().filter(move |word| {
        let is_scope = has_scopes && matches!(*word, "-n" | "--namespace" | "--context" | "--kubeconfig" | "-C");
        !std::mem::replace(&mut is_value, is_scope)
    })
}

/// Whether every command of a script seems only to look.
pub(super) fn seems_to_look(script: &str) -> bool {
    let harmless = script.replace("2>&1", "").replace("2>/dev/null", "").replace(">/dev/null", "").replace("> /dev/null", "");
    let mut some = false;
    !harmless.contains('>')
        && !harmless.contains("<<")
        && commands(&harmless).all(|words| {
            some = true;
            let (name, rest) = (program(&words), words.get(1..).unwrap_or_default());
            let looking = LOOKING.iter().find(|(program, _)| *program == name).is_some_and(|(_, verbs)| {
                let plain = unscoped(name, rest).find(|word| !word.starts_with('-') || name == "rpm");
                plain.is_some_and(|word| verbs.iter().any(|verb| verb.split(' ').next() == Some(word)))
            });
            let hides = rest.iter().any(|word| matches!(*word, "--vacuum-size" | "--rotate" | "-exec" | "-delete" | "-K"));
            (LOOKS.contains(&name) || looking) && !hides
        })
        && some
}

/// What a script is called where nobody gave it a name: `systemctl restart nginx`.
pub(super) fn title(script: &str) -> String {
    let words = commands(script).find(|words| program(words) != "cd").unwrap_or_default();
    let is_word = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.len() <= 24 && !word.contains(['{', '$', '=', '@', ':'])
    };
    let rest = unscoped(program(&words), words.get(1..).unwrap_or_default()).filter(is_word).take(2);
    std::iter::once(program(&words)).chain(rest).collect::<Vec<_>>().join(" ")
}

/// Programs that people write down, beside those above.
const PROGRAMS: &[&str] = &[
    "a2ensite",
    "ansible",
    "ansible-playbook",
    "apache2ctl",
    "apachectl",
    "apt",
    "apt-get",
    "argocd",
    "aws",
    "az",
    "barman",
    "bash",
    "bundle",
    "cd",
    "ceph",
    "certbot",
    "cfssl",
    "chage",
    "chmod",
    "chown",
    "chronyc",
    "consul",
    "cp",
    "createdb",
    "crictl",
    "crontab",
    "cryptsetup",
    "curl",
    "dd",
    "dnf",
    "dnsmasq",
    "docker-compose",
    "doveadm",
    "dpkg",
    "drbdadm",
    "dropdb",
    "etcdctl",
    "export",
    "find",
    "firewall-cmd",
    "for",
    "gcloud",
    "gh",
    "glab",
    "go",
    "gpg",
    "groupadd",
    "haproxy",
    "hostnamectl",
    "if",
    "initctl",
    "iptables",
    "ipvsadm",
    "istioctl",
    "java",
    "keytool",
    "kill",
    "knife",
    "kubeadm",
    "kubeseal",
    "ln",
    "loginctl",
    "logrotate",
    "lvextend",
    "lvs",
    "make",
    "mariadb",
    "mdadm",
    "mkdir",
    "mkfs",
    "modprobe",
    "mongodump",
    "mongosh",
    "mount",
    "mv",
    "mysql",
    "mysqldump",
    "nft",
    "nginx",
    "nomad",
    "npm",
    "ntpq",
    "oc",
    "openssl",
    "parted",
    "patronictl",
    "pcs",
    "pg_basebackup",
    "pg_ctl",
    "pg_ctlcluster",
    "pg_dump",
    "pg_restore",
    "pg_rewind",
    "pgbackrest",
    "pip",
    "postconf",
    "postqueue",
    "postsuper",
    "psql",
    "pvs",
    "python",
    "python3",
    "rabbitmqctl",
    "rake",
    "reboot",
    "redis-cli",
    "repmgr",
    "resize2fs",
    "restic",
    "restorecon",
    "rm",
    "rsync",
    "scp",
    "sed",
    "semanage",
    "setenforce",
    "sh",
    "shutdown",
    "smartctl",
    "source",
    "sqlite3",
    "ssh",
    "sudo",
    "supervisorctl",
    "swapoff",
    "swapon",
    "sysctl",
    "tar",
    "tee",
    "timedatectl",
    "touch",
    "ufw",
    "umount",
    "unzip",
    "update-ca-certificates",
    "update-ca-trust",
    "useradd",
    "userdel",
    "usermod",
    "vault",
    "velero",
    "vgs",
    "virsh",
    "wget",
    "while",
    "xfs_growfs",
    "yum",
    "zfs",
];

/// Whether the first line of a text that is not a comment can be a command at all.
pub(super) fn begins_as_commands(text: &str) -> bool {
    let line = text.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
    let first = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let begins = |c: char| c.is_ascii_lowercase() || "$_./~([{!:%❯➜\\".contains(c);
    let quoted = first.strip_prefix(['"', '\'']).is_some_and(|inside| inside.starts_with(['$', '/', '.']));
    let is_prompt = first.contains('@') && line.is_some_and(|line| line.contains("$ ") || line.contains("# "));
    // Other programs have prompts of their own: `mysql> `, `postgres=# `.
    if first.ends_with("=#") || (first.ends_with('>') && !first.contains('<')) {
        return false;
    }
    // A query calls a function, or selects by a label; a message names a place.
    let is_other = first.ends_with([':', ']'])
        || first
            .find('(')
            .is_some_and(|at| at > 0 && !first.get(..at).is_some_and(|before| before.ends_with('$')) && !first.contains("()"))
        || first.find('{').is_some_and(|at| at > 0 && !first.get(..at).is_some_and(|before| before.ends_with(['$', '{'])));
    (first.starts_with(begins) && (!is_other || first == "[" || first.starts_with("[[")))
        || quoted
        || is_assignment(first)
        || is_prompt
}

/// Whether a block without a language reads as commands: each line begins as a command does, and the first program is a known one, or
/// some line has an option. What is in doubt is shown to a person instead.
pub(super) fn reads_as_commands(text: &str) -> bool {
    let mut goes_on = false;
    let (mut some, mut is_sure) = (false, false);
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let was_begun = std::mem::replace(&mut goes_on, line.ends_with(['\\', '|']));
        if was_begun || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let first = words.by_ref().find(|word| !is_assignment(word));
        if let Some(first) = first {
            let begins = first.starts_with(|c: char| c.is_ascii_lowercase()) || first.starts_with(['/', '.', '$', '~']);
            let body = first.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./+$~".contains(&b));
            if !begins || !body || line.ends_with(':') || line.contains(" => ") {
                return false;
            }
            let known = |list: &[&str]| list.contains(&first);
            let is_known =
                known(PROGRAMS) || known(LOOKS) || known(SCREENS) || LOOKING.iter().any(|(program, _)| *program == first);
            is_sure |= is_known || first.starts_with("./") || words.any(|word| word.starts_with('-') && word.len() > 1);
        }
        some = true;
    }
    some && is_sure
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}
