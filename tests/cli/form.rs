//! `runbook fmt`: what it writes, what it leaves, and how it exits.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::{Desk, procedure};

const LOOSE: &str =
    "# mine\napiVersion: runbook/v1\nkind: Runbook\nversion: 1.0.0\nname: try # it\nsteps:\n- effect: read\n  run: echo\n";
const LAID: &str =
    "# mine\napiVersion: runbook/v1\nkind: Runbook\nname: try # it\nversion: 1.0.0\nsteps:\n  - run: echo\n    effect: read\n";

#[test]
fn a_file_is_written_anew_and_only_once() {
    let desk = Desk::new(&[("try.yaml", LOOSE), ("compose.yaml", "services:   {}\n")]);
    std::fs::set_permissions(desk.path("try.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    desk.run("fmt --check").exits(1).prints("try.yaml").says("not in form: 1 file of 1");
    assert_eq!(std::fs::read_to_string(desk.path("try.yaml")).unwrap(), LOOSE);
    desk.run("fmt").exits(0).prints("try.yaml").says("laid out: 1 file of 1");
    assert_eq!(std::fs::read_to_string(desk.path("try.yaml")).unwrap(), LAID);
    assert_eq!(desk.mode("try.yaml"), 0o640);
    for line in ["fmt", "fmt --check", "fmt --check try", "fmt try.yaml", "fmt ."] {
        desk.run(line).exits(0).says("in form: 1 file");
    }
    let left: Vec<_> = std::fs::read_dir(desk.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn what_cannot_be_read_is_left_and_told() {
    let broken = procedure("steps:\n  - run: [\n");
    let desk = Desk::new(&[("a.yaml", &broken), ("try.yaml", LOOSE), ("compose.yaml", "services:   {}\n")]);
    desk.run("fmt").exits(2).says("error[RB0001]").says("--> a.yaml").says("laid out: 1 file of 2, 1 file left as it is");
    assert_eq!(std::fs::read_to_string(desk.path("a.yaml")).unwrap(), broken);
    assert_eq!(std::fs::read_to_string(desk.path("try.yaml")).unwrap(), LAID);
    desk.run("fmt compose.yaml").exits(2).says("left as it is, because it is no document of runbook's");
    desk.run("fmt tyr").exits(2).says("there is no procedure");
}

/// `check` says what is wrong with them, and so does `fmt`; neither is one that would be laid out.
#[test]
fn what_is_too_large_or_not_utf_8_is_left_and_told() {
    let desk = Desk::new(&[("large.yaml", &format!("{LOOSE}# {}\n", "x".repeat(1 << 20)))]);
    let latin = LOOSE.replace("# mine", "# m\u{ee}ne").chars().map(|c| c as u8).collect::<Vec<u8>>();
    std::fs::write(desk.path("latin.yaml"), &latin).unwrap();
    for line in ["fmt", "fmt --check", "fmt large.yaml latin.yaml"] {
        let ran = desk.run(line).exits(2).says("error[RB0003]: the file has 1048").says("error[RB0026]: the file is not UTF-8");
        assert_eq!(ran.out, "", "{line}");
        assert!(ran.err.contains("2 files left as they are"), "{line}: {}", ran.err);
    }
    assert_eq!(std::fs::read(desk.path("latin.yaml")).unwrap(), latin);
}

/// Where an anchor stands, the order of keys is left; that is said once for each map, with where and why, and `--check` means the same.
#[test]
fn an_order_that_is_left_is_told() {
    let bound = procedure("steps:\n  - effect: read\n    id: go\n    exec: &go [go]\n");
    let desk = Desk::new(&[("try.yaml", &bound)]);
    for line in ["fmt --check", "fmt", "fmt --check"] {
        desk.run(line)
            .exits(0)
            .says("try.yaml:6: the order of these keys is left as it is, because `&go` stands among them")
            .says("in form: 1 file");
    }
    assert_eq!(std::fs::read_to_string(desk.path("try.yaml")).unwrap(), bound);
    // Of many, the first are named, and the others counted.
    let steps: String = (0..50).map(|n| format!("  - effect: read\n    id: a{n}\n    exec: &a{n} [go]\n")).collect();
    let desk = Desk::new(&[("many.yaml", &procedure(&format!("steps:\n{steps}")))]);
    let told = desk
        .run("fmt --check")
        .exits(0)
        .says("`&a2` stands among them")
        .says("many.yaml: the order is left in 47 more maps too")
        .err;
    assert_eq!(told.matches("the order of these keys").count(), 3, "{told}");
}

#[test]
fn standard_input_is_printed_in_its_form() {
    let desk = Desk::new(&[]);
    for (line, text, code, printed) in
        [("fmt -", LOOSE, 0, LAID), ("fmt --check -", LOOSE, 1, ""), ("fmt --check -", LAID, 0, ""), ("fmt -", "a: [", 2, "")]
    {
        let mut child = desk.command(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap().as_str()), (Some(code), printed), "{line}");
    }
}

#[test]
fn what_is_shipped_is_in_form() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in ["runbooks", "examples", "cli/src/commands/init", "cli/src/commands/new"] {
        let desk = Desk::new(&[]);
        desk.run(&format!("fmt --check {}", root.join(folder).display())).exits(0).says("in form");
    }
}
