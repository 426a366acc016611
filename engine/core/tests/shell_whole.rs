//! Where a script is whole, bash says so, too: it is asked about generated scripts.

#![allow(clippy::disallowed_methods)]

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use runbook_core::expr::is_whole;

/// What `bash -n` says: it is whole, more must come, or it is no script at all.
fn bash(script: &str) -> Option<bool> {
    let mut child = Command::new("bash")
        .args(["-n", "-O", "extglob"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned();
    match () {
        _ if ["unexpected EOF", "unexpected end of file", "here-document"].iter().any(|sign| said.contains(sign)) => Some(false),
        _ if said.is_empty() => Some(true),
        _ => None,
    }
}

fn script() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b c",
        " ",
        " ",
        "\n",
        "\n",
        ";",
        " | ",
        " && ",
        " || ",
        "'",
        "'",
        "\"",
        "\"",
        "\\",
        "\\\n",
        "$x",
        "${x",
        "}",
        "${x:-",
        "$(",
        ")",
        "(",
        "`",
        "$((1",
        "))",
        "# it's",
        "if a; then\n",
        "\nfi",
        "for i in a; do ",
        "for i in a; {\n",
        "for ((;;)) ",
        "$[1 << ",
        "]",
        "\ndone",
        "while a\ndo ",
        "case a in\n",
        "b) c;;\n",
        "\nesac",
        "{ ",
        "\n}",
        "f() ",
        " [[ a ",
        "function f",
        "function f { ",
        "time -p ",
        "coproc ",
        " ]]",
        "<<E\n",
        "<<'E'\n",
        "<<-E\n",
        "\nE\n",
        "\n\tE\n",
        "b <<< a",
        "$'a\\'",
        "x=(",
        "x=1",
        " b > a",
        " b 2>&1",
        " &\n",
    ]);
    prop::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is taken for whole can be run as it is: no part of a command is ever taken for all of it.
    #[test]
    fn what_is_whole_is_whole_to_bash(script in script()) {
        if is_whole(&script) {
            prop_assert_ne!(bash(&script), Some(false), "{:?}", script);
        }
    }

    /// And what bash runs is whole, but for a backslash that nothing follows.
    #[test]
    fn what_bash_takes_is_whole(script in script()) {
        if !script.trim_end_matches('\n').ends_with('\\') && bash(&script) == Some(true) {
            prop_assert!(is_whole(&script), "{script:?}");
        }
    }
}
