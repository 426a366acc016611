//! Scripts in which a value would run: each is shown to run it in a shell, dash, bash or that of busybox, and to be refused.

#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use runbook_core::expr::ShellScript;
use runbook_core::plan::Origin;

/// A value behind these is read as a name, and the index in it is evaluated.
const INDEX: &str = "PATH[$(touch RUN)]";

/// Scripts that are refused, and the value that really runs in them when it is put there all the same.
const RUN: &[(&str, &str)] = &[
    ("command printf -v {{v}} a", INDEX),
    ("builtin printf -v {{v}} a", INDEX),
    ("command -p printf -v {{v}} a", INDEX),
    ("command read {{v}} <<< a", INDEX),
    ("builtin unset {{v}}", INDEX),
    ("command test -v {{v}}", INDEX),
    ("command [ -v {{v}} ]", INDEX),
    ("command let {{v}}", INDEX),
    ("builtin let {{v}}", INDEX),
    ("command trap {{v}} EXIT", "touch RUN"),
    ("time -p printf -v {{v}} a", INDEX),
    ("! command -- builtin printf -v {{v}} a", INDEX),
    ("A=1 command printf -v {{v}} a", INDEX),
    (">/dev/null printf -v {{v}} a", INDEX),
    ("2>/dev/null printf -v {{v}} a", INDEX),
    ("{x}>/dev/null printf -v {{v}} a", INDEX),
    ("&>/dev/null printf -v {{v}} a", INDEX),
    (">/dev/null trap {{v}} EXIT", "touch RUN"),
    ("<<< b printf -v {{v}} a", INDEX),
    ("< <(true) printf -v {{v}} a", INDEX),
    ("printf < <(true) -v {{v}} a", INDEX),
    ("read -r < <(echo a) b {{v}}", INDEX),
    ("time -p [[ 1 -lt {{v}} ]]", INDEX),
    ("coproc [[ 1 -lt {{v}} ]]; wait", INDEX),
    ("time -p [[ -n a &&\n 1 -lt {{v}} ]]", INDEX),
    ("function f [[ -n a &&\n 1 -lt {{v}} ]]\nf", INDEX),
    ("coproc X { [[ -n a &&\n 1 -lt {{v}} ]]; }; wait", INDEX),
    ("'[[' a || read {{v}} <<< a", INDEX),
    ("printf -v{{v}} a", INDEX),
    ("printf -v\"{{v}}\" a", INDEX),
    ("true & wait -n -p {{v}}", INDEX),
    ("true & wait -np {{v}}", INDEX),
    ("true & wait -n -p{{v}}", INDEX),
    ("compgen -C {{v}}", "touch RUN"),
    ("nice -n 1 timeout 5 awk {{v}}", "BEGIN { system(\"touch RUN\") }"),
    ("busybox awk {{v}}", "BEGIN { system(\"touch RUN\") }"),
    ("env -u A {{v}} RUN", "touch"),
    ("timeout 5 {{v}} RUN", "touch"),
    ("command echo {{v}} | sh", "touch RUN"),
    ("/bin/echo {{v}} | sh", "touch RUN"),
    ("echo {{v}} | (sh)", "touch RUN"),
    ("echo {{v}} | (true; sh)", "touch RUN"),
    ("(echo {{v}}) | sh", "touch RUN"),
    ("{ echo {{v}}; } | sh", "touch RUN"),
    ("for i in 1; do echo {{v}}; done | sh", "touch RUN"),
    ("echo {{v}} | (cat) | sh", "touch RUN"),
    ("echo {{v}} | { true; sh; }", "touch RUN"),
    ("echo {{v}} | if true; then sh; fi", "touch RUN"),
    ("echo {{v}} |\n while true; do sh; break; done", "touch RUN"),
    ("cat <<E | while true; do\n{{v}}\nE\nsh; break; done", "touch RUN"),
    ("cat <<E | (sh)\n{{v}}\nE", "touch RUN"),
    ("sh /dev/stdin <<E\n{{v}}\nE", "touch RUN"),
    ("sh /dev/fd/0 <<< {{v}}", "touch RUN"),
    (". /dev/stdin <<< {{v}}", "touch RUN"),
    ("sh <(echo {{v}})", "touch RUN"),
    ("sh < <(echo {{v}})", "touch RUN"),
    ("awk -f - <<< {{v}}", "BEGIN { system(\"touch RUN\") }"),
    ("awk -f/dev/stdin <<< {{v}}", "BEGIN { system(\"touch RUN\") }"),
    ("echo {{v}} | flock . sh", "touch RUN"),
    ("echo {{v}} | xargs -I% sh -c %", "touch RUN"),
    ("echo {{v}} | nice xargs -n 1 env sh -c", "touch${IFS}RUN"),
    // What a redirection or a pipe gives to a compound command, a function, a subshell with a `case`.
    ("{ sh; } <<< {{v}}", "touch RUN"),
    ("( sh ) <<< {{v}}", "touch RUN"),
    ("{ cat | sh; } <<< {{v}}", "touch RUN"),
    ("while true; do sh; break; done <<< {{v}}", "touch RUN"),
    ("while true; do sh; break; done <<E\n{{v}}\nE", "touch RUN"),
    ("if true; then sh; fi <<E\n{{v}}\nE", "touch RUN"),
    ("{ case 1 in 1) sh;; esac; } <<< {{v}}", "touch RUN"),
    ("echo {{v}} | ( case 1 in 1) sh;; esac )", "touch RUN"),
    ("cat <<E |\n{{v}}\nE\nsh", "touch RUN"),
    ("f() { sh; }; echo {{v}} | f", "touch RUN"),
    ("g() { f; }; f() { sh; }; echo {{v}} | g", "touch RUN"),
    ("function f { sh; }; f <<E\n{{v}}\nE", "touch RUN"),
    ("f() { sh; } <<E\n{{v}}\nE\nf", "touch RUN"),
    ("f() ( sh ) <<< {{v}}\nf", "touch RUN"),
    ("f() { echo {{v}}; }; f | sh", "touch RUN"),
    ("f() { echo {{v}}; }; eval \"$(f)\"", "touch RUN"),
    ("f() { echo {{v}}; }; $(f) RUN", "touch"),
    ("exec <<< {{v}}; sh", "touch RUN"),
    ("exec <<E\n{{v}}\nE\nsh", "touch RUN"),
    ("exec 3<<< {{v}}; sh <&3", "touch RUN"),
    ("exec < <(echo {{v}}); sh", "touch RUN"),
    ("sh /dev/fd/3 3<<< {{v}}", "touch RUN"),
    (". /dev/fd/3 3<<< {{v}}", "touch RUN"),
    ("> >(sh) echo {{v}}; wait; sleep 0.2", "touch RUN"),
    ("{ echo {{v}}; } > >(sh); sleep 0.2", "touch RUN"),
    ("exec > >(sh); echo {{v}}; exec > /dev/null; sleep 0.2", "touch RUN"),
    ("coproc sh; echo {{v}} >&\"${COPROC[1]}\"; sleep 0.2", "touch RUN"),
    ("echo {{v}} > x.sh; sh x.sh; rm x.sh", "touch RUN"),
    ("echo {{v}} | tee x.sh | cat; . ./x.sh; rm x.sh", "touch RUN"),
    ("cat > x.sh <<E\n{{v}}\nE\ncat x.sh | sh; rm x.sh", "touch RUN"),
    ("echo {{v}} > \"$PWD/x.sh\"; sh < \"$PWD/x.sh\"; rm x.sh", "touch RUN"),
    // What `$( … )` writes where code stands.
    ("eval \"$(echo {{v}})\"", "touch RUN"),
    ("eval \"$(cat <<E\n{{v}}\nE\n)\"", "touch RUN"),
    ("$(echo {{v}}) RUN", "touch"),
    ("sh -c \"$(echo {{v}})\"", "touch RUN"),
    ("[[ $(echo {{v}}) -eq 1 ]]", INDEX),
    // What a plain `sh` reads otherwise than bash.
    ("true &>/dev/null {{v}} RUN", "touch"),
    ("true &>/dev/null eval {{v}}", "touch RUN"),
    ("[[ -z a || {{v}} RUN ]]", "touch"),
    ("[[ a | {{v}} RUN ]]", "touch"),
    // Words that do not stand where they seem to.
    ("set -- a; for x do {{v}} RUN; done", "touch"),
    ("for ((i = 0; i < 1; i++)) do {{v}} RUN; done", "touch"),
    ("for ((i = 0; i < 1; i++)) { {{v}} RUN; }", "touch"),
    ("set -- a; select x do {{v}} RUN; break; done <<< 1", "touch"),
    ("a[0]=1 {{v}} RUN", "touch"),
    ("a[1 + 1]=1 {{v}} RUN", "touch"),
    ("{a[1]}>/dev/null {{v}} RUN", "touch"),
    ("E=; $E {{v}} RUN", "touch"),
    ("$(true) {{v}} RUN", "touch"),
    ("$'eval' {{v}}", "touch RUN"),
    ("$\"eval\" {{v}}", "touch RUN"),
    ("find . -maxdepth 0 -exec {{v}} RUN \\;", "touch"),
    ("find . -maxdepth 0 -exec env {{v}} RUN \\;", "touch"),
    ("echo {{v}} | xargs env", "touch RUN"),
    ("jobs -x {{v}} RUN", "touch"),
    ("hash -p {{v}} ls; ls RUN", "/usr/bin/touch"),
    // Here-documents that end elsewhere than it seems.
    ("echo $(cat <<E)\n{{v}} RUN\nE\n", "touch"),
    ("cat <(cat <<E)\n{{v}} RUN\nE\n", "touch"),
    ("cat <<E\na\\\nE\ncat <<F\nE\n{{v}} RUN\nF", "touch"),
    ("x=$(cat <<E\nbody\nE)\n{{v}} RUN\nE\n)", "touch"),
    ("cat <<A $(true\n{{v}} RUN\n)\nb\nA", "touch"),
    ("cat <<E\rx\n{{v}} RUN\nE\rx\n{{v}} RUN", "touch"),
    // Variables whose value is evaluated or run.
    ("declare -i n; n={{v}}", INDEX),
    ("f() { n={{v}}; }; declare -i n; f", INDEX),
    ("f() { local -i n; n={{v}}; }; f", INDEX),
    ("declare -i n; for n in {{v}}; do :; done", INDEX),
    ("declare -n r; r={{v}}; echo $r", INDEX),
    ("RANDOM={{v}}", INDEX),
    ("OPTIND={{v}}", INDEX),
    ("PS4={{v}}; set -x; ls", "$(touch RUN)"),
    ("BASH_ENV={{v}} bash -c :", "$(touch RUN)"),
    ("env BASH_ENV={{v}} bash -c :", "$(touch RUN)"),
    ("ENV={{v}} sh -i -c :", "$(touch RUN)"),
    // Options, and what can be one.
    ("printf {{v}} x", "-vPATH[$(touch RUN)]"),
    ("true & wait {{v}}", "-npPATH[$(touch RUN)]"),
    ("echo {{v}} | sh -s x", "touch RUN"),
    ("echo {{v}} | bash -s -- x", "touch RUN"),
    ("sh +e <<< {{v}}", "touch RUN"),
    ("bash -O extglob <<< {{v}}", "touch RUN"),
    ("bash --rcfile x <<< {{v}}", "touch RUN"),
    ("bash -c 'cat | sh' <<< {{v}}", "touch RUN"),
    ("busybox sh -s x <<< {{v}}", "touch RUN"),
    ("flock . -c 'sh' <<< {{v}}", "touch RUN"),
    ("setpriv --no-new-privs {{v}} RUN", "touch"),
    ("nice env -S {{v}}", "touch RUN"),
    ("perl - x <<< {{v}}", "open(F, '>RUN')"),
    ("perl -I lib <<< {{v}}", "open(F, '>RUN')"),
    ("perl {{v}}", "-eopen(F, '>RUN')"),
    ("python3 - x <<< {{v}}", "open('RUN', 'w')"),
    ("python3 {{v}}", "-copen('RUN', 'w')"),
    ("python3 -W ignore /dev/stdin x <<< {{v}}", "open('RUN', 'w')"),
    ("node - x <<< {{v}}", "require('fs').writeFileSync('RUN', '')"),
    ("node -r fs <<< {{v}}", "require('fs').writeFileSync('RUN', '')"),
    ("node {{v}}", "--eval=require('fs').writeFileSync('RUN', '')"),
    ("sqlite3 a.db <<< {{v}}; rm a.db", ".shell touch RUN"),
    ("sqlite3 :memory: '.read /dev/stdin' <<< {{v}}", ".shell touch RUN"),
    ("ed -s <<< {{v}}", "!touch RUN"),
    ("ed -s {{v}} < /dev/null", "!touch RUN"),
    ("vim -es <<< {{v}}", "!touch RUN"),
    ("make -f - <<< {{v}}", "$(shell touch RUN)"),
    ("gdb -q <<< {{v}}", "shell touch RUN"),
];

/// Whether a value could be code in a script, by the word of `check`.
fn is_refused(source: &str) -> bool {
    ShellScript::parse(source, Origin::default()).map_or(true, |script| !script.options().is_empty())
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("shell-code-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Programs that not every machine has: where they are missing, it is only seen that the script is refused.
const SELDOM: [&str; 9] = ["perl", "python3", "node", "sqlite3", "ed", "vim", "make", "gdb", "setpriv"];

fn is_missing(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap();
    !std::env::split_paths(&paths).any(|path| path.join(program).exists())
}

#[test]
fn what_is_refused_would_run() {
    let folder = folder();
    let mut wrong = Vec::new();
    for (source, value) in RUN {
        let naive = source.replace("\"{{v}}\"", "\"$V\"").replace("\n{{v}}\n", "\n$V\n").replace("{{v}}", "\"$V\"");
        let seldom = SELDOM.iter().any(|program| source.split(' ').any(|word| word == *program) && is_missing(program));
        let runs = |shell: &[&str]| {
            let [program, arguments @ ..] = shell else { return false };
            let mut command = Command::new(program);
            command.args(arguments).args(["-u", "-c", &naive]).env("V", value).current_dir(&folder);
            command.stdin(Stdio::null()).output().unwrap();
            std::fs::remove_file(folder.join("RUN")).is_ok()
        };
        let ran = seldom || [["bash"].as_slice(), &["dash"], &["busybox", "sh"]].into_iter().any(runs);
        if !ran || !is_refused(source) {
            wrong.push(format!("{naive}: {}", if ran { "is taken" } else { "runs nothing" }));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    std::fs::remove_dir_all(folder).unwrap();
    // They need a terminal, a key, a server, root, or a program that is seldom there.
    for source in [
        "complete -C {{v}}",
        "bind -x {{v}}",
        "echo {{v}} | tee >(sh)",
        "sudo -u a {{v}}",
        "systemd-run -t {{v}}",
        "nsenter -t 1 -w {{v}}",
        "fakeroot -s state {{v}}",
        "ssh-agent -t 60 {{v}}",
        "tini -e 143 {{v}}",
        "function f { eval {{v}}; }",
        "echo {{v}} | at now",
        "batch <<E\n{{v}}\nE",
        "(crontab -l; echo {{v}}) | crontab -",
        "sudo -iu app <<E\n{{v}}\nE",
        "chroot /mnt <<E\n{{v}}\nE",
        "unshare -n <<< {{v}}",
        "runuser -u app -- {{v}}",
        "su - app -c sh <<< {{v}}",
        "su - app -c 'psql -X billing' <<E\n{{v}}\nE",
        "ssh host 'bash -s' <<E\n{{v}}\nE",
        "ssh host sudo bash -s -- x <<E\n{{v}}\nE",
        "ssh host 'cd /srv && psql billing' <<E\n{{v}}\nE",
        "docker exec -i db psql -U app <<E\n{{v}}\nE",
        "cat > q.sql <<E\nselect '{{v}}'\nE\npsql -X -f q.sql",
        "curl -s {{v}} | sh",
        "sh < {{v}}",
        "ssh {{v}} uptime",
        "sftp -b - {{v}}",
        "rsync -a {{v}} host:",
        "tar czf a.tgz {{v}}",
        "sed -n 1p {{v}}",
        "psql -X {{v}}",
        "su {{v}}",
        "tmux send-keys -t a {{v}} Enter",
        "redis-cli <<E\nset a {{v}}\nE",
        "tar cf a.tar -I {{v}} b",
        "rsync -e {{v}} a b:",
        "[[ -z a || ! {{v}} == b ]]",
        "vim -es {{v}}",
        "PATH={{v}}; ls",
        "cat <<E\n{{v}}",
        "echo a\r{{v}}; \r{{v}}",
    ] {
        assert!(is_refused(source), "{source} is taken");
    }
}

#[test]
fn what_stands_before_a_command_makes_no_data_code() {
    for source in [
        "command -v {{v}}",
        "sudo -u {{v}} ls",
        "nsenter -t {{v}} ls",
        "systemd-cat -t {{v}} ls",
        "sudo -u a -g {{v}} ls",
        "nice -n {{v}} ls",
        "timeout {{v}} ls",
        "env A={{v}} ls",
        "time ls {{v}}",
        "time -p ls {{v}}",
        "ls {{v}} > {{v}} 2>&1",
        "exec -a {{v}} ls",
        "2>/dev/null ls {{v}}",
        "echo {{v}} | xargs -n 1 rm --",
        "echo {{v}} | while read -r x; do echo \"$x\"; done\npsql <<E\nselect 1\nE",
        "{ echo {{v}}; }\npsql <<E\nselect 1\nE",
        "if true; then echo {{v}}; fi; cat a | sh",
        "(echo {{v}}) && cat a | sh",
        "diff <(echo {{v}}) <(echo b) {{v}}",
        "wait \"$x\"; printf '%s' {{v}}",
        "f() {\n echo {{v}}\n}\nf\nsh script {{v}}",
        "> {{v}} ls",
        "exec > {{v}}",
        "exec 9> {{v}}; flock 9; ls {{v}}",
        "exec > >(tee {{v}}) 2>&1",
        "ls {{v}} &> {{v}}",
        "diff <(sort {{v}}) <(sort b)",
        "psql -X -d a < {{v}}",
        "pg_dump {{v}} | psql -X -d a",
        "mysql -D {{v}} -e 'show tables'",
        "printf '%s\\n' {{v}}; printf -- {{v}}",
        "printf \"host %s\\n\" {{v}}",
        "test {{v}} = x && [ {{v}} -lt 3 ]",
        "[[ -n {{v}} && $x == {{v}} ]]",
        "ssh -- {{v}} uptime; ssh -l {{v}} host uptime; ssh app@{{v}} uptime",
        "ssh host 'tar x' < {{v}}",
        "tar czf {{v}} -C {{v}} .; tar czf a.tgz -- {{v}}",
        "sed -i 's/a/b/' -- {{v}}",
        "f() { sh; }; echo {{v}} | cat; f < script",
        "x=$(basename {{v}}); echo \"$(wc -l < {{v}})\"",
        "while read -r line; do echo \"$line {{v}}\"; done < {{v}}",
        "echo {{v}} > log; grep x log; sh script",
        "echo {{v}} > /dev/null; sh < /dev/null",
        "sh < script; echo {{v}}",
        "psql -X <<E\nselect 1\nE\necho {{v}} > out",
        "find {{v}} -name '*.log' -exec gzip {} +",
        "sudo -u {{v}} ls; sudo -S -v <<< {{v}}",
        "x={{v}}; export Y={{v}}; local z=\"$(date)\"",
        "for x in a {{v}}; do echo \"$x\"; done",
        "case {{v}} in a) echo 1;; *) echo {{v}};; esac",
        "(case a in a) echo {{v}};; esac)",
        "cat <<E > out\nit's {{v}}\\\nand {{v}}\nE\necho {{v}}",
    ] {
        let parsed = ShellScript::parse(source, Origin::default()).map(|script| script.options().len());
        assert_eq!(parsed.map_err(|error| error.message), Ok(0), "{source}");
    }
}

#[test]
fn a_script_of_very_many_words_is_read_or_refused_at_once() {
    let repeated = |before: &str, part: &str, behind: &str| {
        let many = part.repeat(60_000 / part.len());
        format!("{before}{many}{behind}\necho {{{{v}}}}")
    };
    for (script, right) in [
        (repeated("", "xargs ", ""), false),
        (repeated("", "time ", ""), false),
        (repeated("sudo ", "-a ", ""), false),
        (repeated("sudo ", "-u [[ ", ""), false),
        (repeated("[[ ", "a&&", "a ]]"), true),
        (repeated("[[ ", "-eq ", "]]"), true),
        (repeated("", "case a in a) ", ""), false),
        (repeated("", "(", ""), false),
        (repeated("", "exec <a;", ""), true),
        (repeated("", "${a:-", ""), false),
        (repeated("", "\"$(", ""), false),
        (repeated("", "f() { g; }; ", ""), true),
        (repeated("", "f() { cat <<E; }\nx {{v}}\nE\n", ""), true),
        (repeated("", "f() { ", ""), false),
        (repeated("", "ssh a b c d e f g\n", ""), true),
        (repeated("echo ", "{{v}} a ", ""), true),
        (repeated("cat ", "<<E ", ""), false),
        (repeated("echo ", "a ", ""), true),
        (repeated("env ", "A=1 ", "rm"), false),
    ] {
        let begun = std::time::Instant::now();
        let read = ShellScript::parse(&script, Origin::default());
        let shown = script.get(..30).unwrap_or_default();
        // Of what was read word by word it took minutes.
        assert!(begun.elapsed().as_secs() < 5, "{shown}: {:?}", begun.elapsed());
        assert_eq!(read.is_ok(), right, "{shown}: {:?}", read.err());
    }
}

#[test]
fn what_people_write_about_hosts_and_files_asks_for_two_dashes_only_where_an_option_runs_code() {
    for (script, options) in [
        ("psql -h {{v}} -d {{v}} -f a.sql", 0),
        ("psql -v who={{v}} -f a.sql", 0),
        ("grep {{v}} file", 0),
        ("psql -X --set A=1 --single-transaction --file {{v}}", 0),
        ("psql -X --single-transaction -f a.sql {{v}}", 1),
        ("ssh {{v}} uptime", 1),
        ("ssh -- {{v}} uptime", 0),
        ("ssh -p 22 \"{{v}}\" uptime", 1),
        ("ssh -l app -- \"{{v}}\" uptime", 0),
        ("ssh app@{{v}} uptime", 0),
        ("tar czf {{v}} dir", 0),
        ("tar czf a.tgz {{v}}", 1),
        ("tar czf a.tgz -- {{v}}", 0),
        ("rsync -a {{v}}/ there:/srv", 1),
        ("rsync -a -- {{v}}/ there:/srv", 0),
    ] {
        let read = ShellScript::parse(script, Origin::default()).map(|script| script.options().len());
        assert_eq!(read.ok(), Some(options), "{script}");
    }
}
