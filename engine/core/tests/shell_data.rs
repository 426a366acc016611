//! Values in shell scripts: whatever quotes stand around a `{{…}}`, the value arrives byte for byte and nothing in it runs.
//! Judged by real shells: dash, bash and that of busybox.

#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;
use std::process::Command;

use runbook_core::expr::{Names, ShellScript};
use runbook_core::plan::Origin;
use runbook_core::value::Value;

struct One(Value);

impl Names for One {
    fn value(&self, _: &str, _: Option<&str>) -> Result<Value, String> {
        Ok(self.0.clone())
    }
}

const VALUES: &[&str] = &[
    "",
    "plain",
    "two words",
    "  spaces  around  ",
    "tab\there",
    "it's",
    "'",
    "''",
    "\"",
    "a\"b\"c",
    "'; touch PWNED; '",
    "\"; touch PWNED; \"",
    "'\"; touch PWNED; \"'",
    "$(touch PWNED)",
    "`touch PWNED`",
    "${x:-$(touch PWNED)}",
    "$((a[$(touch PWNED)]))",
    "$HOME $RB_1 ${RB_2} $$ $?",
    "; touch PWNED #",
    "\ntouch PWNED\n",
    "&& touch PWNED || touch PWNED &",
    "| tee PWNED",
    "> PWNED",
    "<(touch PWNED)",
    "line\nline\n\n\n",
    "E",
    "\nE\ntouch PWNED\n",
    "*",
    "[a-z]* ?",
    "~ ~root",
    "{a,b}",
    "\\",
    "a\\nb\\\\",
    "\\'\\\"",
    "-n",
    "--",
    "-e x",
    "!! !x",
    "#",
    "=x",
    "%s %d %%",
    "({[)}]",
    "{{inputs.v}}",
    "größer ‹x› 🦀 \u{202e}",
    "\u{1b}[31m\r\x07",
];

/// A script that writes the value, what it writes before and behind it, and the shells that know it.
const CONTEXTS: &[(&str, &str, &str, &[&str])] = &[
    ("printf %s {{v}}", "", "", ALL),
    ("printf %s \"{{v}}\"", "", "", ALL),
    ("printf %s '{{v}}'", "", "", ALL),
    ("printf %s \"a{{v}}b\"", "a", "b", ALL),
    ("printf %s 'a $x {{v}} b'", "a $x ", " b", ALL),
    ("printf %s a{{v}}b", "a", "b", ALL),
    ("printf %s \"it's {{v}}\"", "it's ", "", ALL),
    ("printf %s 'say \"'{{v}}'\"'", "say \"", "\"", ALL),
    ("printf %s \\\"{{v}}\\\"", "\"", "\"", ALL),
    ("printf %s \\''{{v}}'", "'", "", ALL),
    ("printf %s \"\\\"{{v}}\\$\"", "\"", "$", ALL),
    ("x={{v}}; printf %s \"$x\"", "", "", ALL),
    ("x=a'{{v}}'b; printf %s \"$x\"", "a", "b", ALL),
    ("export X={{v}}; printf %s \"$X\"", "", "", ALL),
    ("X={{v}} sh -c 'printf %s \"$X\"'", "", "", ALL),
    ("sh -c 'printf %s \"$1\"' _ {{v}}", "", "", ALL),
    ("f() { printf %s \"$1\"; }; f {{v}}", "", "", ALL),
    ("( printf %s '{{v}}' )", "", "", ALL),
    ("{ printf %s {{v}}; }", "", "", ALL),
    ("printf %s \"$(printf %s. {{v}})\"", "", ".", ALL),
    ("printf %s \"$(printf '%s.' \"{{v}}\")\"", "", ".", ALL),
    ("printf %s \"$(printf '%s.' '{{v}}')\"", "", ".", ALL),
    ("printf %s \"$( (printf '%s.' \"$(printf '%s.' {{v}})\") )\"", "", "..", ALL),
    ("for i in {{v}}; do printf %s \"$i\"; done", "", "", ALL),
    ("case {{v}} in '') ;; *) printf %s '{{v}}';; esac", "", "", ALL),
    ("if test x{{v}} = \"x{{v}}\"; then printf %s {{v}}; fi", "", "", ALL),
    ("true && printf %s {{v}} || false", "", "", ALL),
    (": # it's a \"comment {{v}}\nprintf %s \"{{v}}\"", "", "", ALL),
    ("printf %s \"${HOME:+x}{{v}}\"", "x", "", ALL),
    ("printf %s \"$((1+1)){{v}}\"", "2", "", ALL),
    ("printf %s \"`echo hi`{{v}}\"", "hi", "", ALL),
    ("printf %s \\\n  {{v}}", "", "", ALL),
    ("cat <<E\na {{v}} b\nE", "a ", " b\n", ALL),
    ("cat <<E\n'{{v}}' \"{{v}\nE\nprintf %s ''", "'", "' \"{{v}\n", NONE),
    ("cat <<-E\n\t\"{{v}}\"\n\tE", "\"", "\"\n", ALL),
    ("cat <<E; printf %s '|'\n$(echo x) {{v}}\nE", "x ", "\n|", ALL),
    ("cat <<'Q' && printf %s {{v}}\n$x `y` \"\nQ", "$x `y` \"\n", "", ALL),
    ("printf %s {{v}} 2>&1 >/dev/stdout", "", "", ALL),
    ("printf %s {{v}} | cat", "", "", ALL),
    ("printf '%s\\n' \"\\{{v}}\" >/dev/null; printf %s {{v}}", "", "", ALL),
    ("cat <<< {{v}}", "", "\n", BASH),
    ("[[ {{v}} == {{v}} ]] && printf %s {{v}}", "", "", BASH),
    ("[[ -z \"{{v}}\" || -n {{v}} ]]; printf %s {{v}}", "", "", BASH),
    ("a=({{v}} x \"{{v}}\"); printf %s \"${a[0]}\"", "", "", BASH),
    ("printf %s $'a\\n'\"{{v}}\"", "a\n", "", BASH),
    ("cat <(printf %s {{v}})", "", "", BASH),
    ("if (( 1 < 2 )); then printf %s '{{v}}'; fi", "", "", BASH),
    ("x=\"$(cat <<E\n{{v}}.\nE\n)\"; printf %s \"$x\"", "", ".", ALL),
];

const ALL: &[&str] = &["dash", "bash", "busybox"];
const BASH: &[&str] = &["bash"];
const NONE: &[&str] = &[];

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("shell-data-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn every_value_arrives_byte_for_byte_in_every_context() {
    let folder = folder("bytes");
    let mut pairs = 0;
    for (source, before, behind, shells) in CONTEXTS {
        if shells.is_empty() {
            continue;
        }
        let script = ShellScript::parse(source, Origin::default()).unwrap_or_else(|error| panic!("{source}: {error}"));
        for value in VALUES {
            let (rendered, unknown) = script.render(&One(Value::text(*value))).unwrap();
            assert_eq!(unknown, Vec::<String>::new());
            for shell in *shells {
                let mut command = Command::new(shell);
                // One program is many there, and is told which.
                command.args((*shell == "busybox").then_some("sh"));
                let output =
                    command.args(["-eu", "-c", &rendered.script]).envs(&rendered.values).current_dir(&folder).output().unwrap();
                let got = String::from_utf8_lossy(&output.stdout).into_owned();
                let empty_pattern = value.is_empty() && source.starts_with("case");
                let expect = if empty_pattern { String::new() } else { format!("{before}{value}{behind}") };
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(got, expect, "{shell}: {source} with {value:?} as {} ({told})", rendered.script);
                assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{shell}: {source} with {value:?} wrote a file");
                pairs += 1;
            }
        }
    }
    assert!(pairs >= 5_000, "{pairs}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_data_is_refused_with_the_way_out() {
    for (source, offset, expect) in [
        ("{{v}} --now", 0, "which command runs"),
        ("sudo {{v}}", 5, "which command runs"),
        ("exec {{v}}", 5, "which command runs"),
        ("{{v}}=1", 0, "which command runs"),
        ("{{v}}() { :; }", 0, "which command runs"),
        ("a[{{v}}]=1", 2, "which command runs"),
        ("true; {{v}}", 6, "which command runs"),
        ("if {{v}}; then :; fi", 3, "which command runs"),
        ("x=$({{v}})", 4, "which command runs"),
        ("eval echo {{v}}", 10, "reads its words as code"),
        ("eval \"echo {{v}}\"", 11, "reads its words as code"),
        ("let x={{v}}", 6, "reads its words as code"),
        ("trap 'rm {{v}}' EXIT", 9, "reads its words as code"),
        ("unset {{v}}", 6, "reads its words as code"),
        ("read {{v}}", 5, "reads its words as code"),
        (". {{v}}", 2, "reads its words as code"),
        ("export {{v}}", 7, "name a variable"),
        ("local -i x={{v}}", 11, "name a variable"),
        ("printf -v {{v}} x", 10, "name a variable"),
        ("test -v {{v}}", 8, "name a variable"),
        ("awk '{ print \"{{v}}\" }' file", 14, "another interpreter"),
        ("sed \"s/a/{{v}}/\" file", 9, "another interpreter"),
        ("echo \"select {{v}}\" | psql -d db", 13, "from its standard input"),
        ("printf %s {{v}} |\n  tee log | sudo bash -s", 10, "from its standard input"),
        ("psql <<< \"select {{v}}\"", 17, "from its standard input"),
        ("cat <<E | ssh host\nrm {{v}}\nE", 22, "from its standard input"),
        ("python3 - <<E\nprint('{{v}}')\nE", 21, "from its standard input"),
        ("sh -c \"echo {{v}}\"", 12, "another interpreter"),
        ("sudo bash -ec 'echo {{v}}'", 20, "another interpreter"),
        ("/bin/sh -c {{v}}", 11, "another interpreter"),
        ("python3 -c \"print('{{v}}')\"", 19, "another interpreter"),
        ("psql -Atc \"select '{{v}}'\"", 19, "another interpreter"),
        ("mysql -e'drop {{v}}'", 14, "another interpreter"),
        ("ssh host rm {{v}}", 12, "on the other side"),
        ("ssh -p 22 root@host \"rm '{{v}}'\"", 25, "on the other side"),
        ("ssh -o {{v}} host", 7, "option of ssh"),
        ("[[ {{v}} -eq 1 ]]", 3, "`[ … ]`"),
        ("[[ 1 -lt {{v}} ]]", 9, "`[ … ]`"),
        ("[[ -n a &&\n 1 -lt {{v}} ]]", 18, "goes on over lines"),
        ("echo $(( {{v}} + 1 ))", 9, "arithmetic"),
        ("(( {{v}} > 1 ))", 3, "arithmetic"),
        ("a=([{{v}}]=x)", 4, "index of an array"),
        ("echo `echo {{v}}`", 11, "backticks"),
        ("echo \"`echo {{v}}`\"", 12, "backticks"),
        ("echo $'x{{v}}'", 8, "escapes"),
        ("echo \"${x:-{{v}}}\"", 11, "pattern"),
        ("echo ${x#{{v}}}", 9, "pattern"),
        ("echo ${{v}}", 6, "`$` directly before"),
        ("echo \"$${{v}}\"", 8, "`$` directly before"),
        ("echo \\\\{{v}}", 7, "backslash"),
        ("cat <<'E'\n{{v}}\nE", 10, "quoted end mark"),
        ("cat <<\\E\n{{v}}\nE", 9, "quoted end mark"),
        ("cat <<{{v}}\nx", 6, "end mark"),
        ("cat <<E\n$(echo '{{v}}')\nE", 16, "here-document"),
        ("cat <<E\n`echo {{v}}`\nE", 14, "here-document"),
        ("cat <<E\n${x:-'{{v}}'}\nE", 14, "here-document"),
        ("x=$(case a in a) echo '{{v}}';; esac)", 23, "`case` inside"),
        ("echo \"${x:-it's}\" '{{v}}'", 19, "single quote inside"),
        ("echo $[1+1] {{v}}", 12, "old arithmetic"),
        ("{{#if v}}x{{/if}}", 0, "which command runs"),
        ("echo {{#if v}}x{{/if}}", 5, "blocks are not available"),
        ("echo {{.State}}", 5, "`\\{{`"),
        ("echo {{{v}}}", 5, "raw output"),
        ("echo {{v", 5, "never closed"),
        ("echo {{uper v}}", 7, "did you mean `upper`?"),
    ] {
        let error = match ShellScript::parse(source, Origin::default()) {
            Err(error) => error,
            Ok(script) => panic!("{source} became {:?}", script.render(&One(Value::text("x")))),
        };
        assert!(error.message.contains(expect), "{source}: {}", error.message);
        assert_eq!(error.offset, offset, "{source}: {}", error.message);
        let told = ["env:", "; write `", "`\\{{`", "for", "raw output", "did you mean", "shell's own"];
        assert!(told.iter().any(|way| error.message.contains(way)), "{source}: {}", error.message);
    }
}

#[test]
fn scripts_without_values_pass_unchanged() {
    for source in [
        "echo hi",
        "docker inspect -f '\\{{.State.Status}}' web",
        "case $x in (a) echo 1;; b) echo 2;; esac",
        "x=`echo \"a b\"`; y=$(( (1 + 2) << 3 )); echo ${x#a} ${#x}",
        "cat <<'EOF'\n$(x) `y` ${z\nEOF",
        "eval \"$x\"; ssh host 'echo $HOME'",
        "# {{commented.out}} it's\necho ok",
        "echo 'open",
        "[[ $x =~ ^(a|b)$ ]] && echo $'\\''",
    ] {
        let script = ShellScript::parse(source, Origin::default()).unwrap();
        assert!(script.references().is_empty(), "{source}");
        let (rendered, _) = script.render(&One(Value::Null)).unwrap();
        assert_eq!(rendered.script, source.replace("\\{{", "{{"));
        assert!(rendered.values.is_empty());
    }
}

#[test]
fn values_that_no_variable_can_hold_are_refused() {
    let script = ShellScript::parse("echo {{steps.a.b}}", Origin::default()).unwrap();
    for (value, expect) in [(Value::text("a\0b"), "no member"), (Value::Int(1), "no member")] {
        assert!(script.render(&One(value)).unwrap_err().message.contains(expect));
    }
    let script = ShellScript::parse("echo {{inputs.a}} '{{inputs.a}}' {{inputs.b}}", Origin::default()).unwrap();
    assert!(script.render(&One(Value::text("a\0b"))).unwrap_err().message.contains("NUL"));
    assert!(script.render(&One(Value::text("x".repeat(200_000)))).unwrap_err().message.contains("longer"));
    let (rendered, unknown) = script.render(&One(Value::Unknown("steps.x".to_owned()))).unwrap();
    assert_eq!(rendered.script, "echo \"${RB_1}\" '\"${RB_1}\"' \"${RB_2}\"".replace(" '\"${RB_1}\"'", " ''\"${RB_1}\"''"));
    assert_eq!((rendered.values.len(), unknown), (2, vec!["steps.x".to_owned()]));
}
