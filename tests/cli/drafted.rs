//! `runbook new`: templates that are right from the first moment, and drafts of what somebody wrote or typed.

use std::io::Write;
use std::process::Stdio;

use super::Desk;

const PAGE: &str =
    "# Empty the queue\n\n## Stop\n\n```sh\nqueue stop <name>\n```\n\n## Empty\n\n1. Open the console.\n2. Press *empty*.\n";

/// A catalogue as `init` makes it.
fn catalogue() -> Desk {
    let desk = Desk::new(&[("page.md", PAGE)]);
    desk.run("init").exits(0);
    desk
}

#[test]
fn every_template_is_right_from_the_first_moment() {
    let desk = catalogue();
    let list = desk.run("new --list").exits(0).out;
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 5, "{list}");
    for name in names {
        desk.run(&format!("new my-{name} --template {name}")).exits(0).says(&format!("next: runbook test my-{name}"));
        desk.run(&format!("check my-{name}")).exits(0).says("no faults");
        desk.run(&format!("explore my-{name} --strict")).exits(0).says("nothing found");
        let test = std::fs::read_to_string(desk.path(&format!("my-{name}.test.yaml"))).unwrap();
        let case = test.lines().find_map(|line| line.trim().strip_prefix("- name: ")).unwrap();
        desk.run(&format!("dry-run my-{name} --env production --with 'my-{name}.test.yaml:{case}'")).exits(0).prints("would run");
        desk.run(&format!("fmt --check my-{name}")).exits(0);
        desk.run(&format!("fmt --check my-{name}.test.yaml")).exits(0);
        let tested = desk.run(&format!("test my-{name} --coverage")).exits(0);
        assert!(!tested.out.contains("no case"), "{name}: what no test covers\n{}", tested.out);
        assert!(!std::fs::read_to_string(desk.path(&format!("my-{name}.yaml"))).unwrap().contains("NAME"), "{name}");
    }
    desk.run("check").exits(0).says("no faults");
}

#[test]
fn a_page_becomes_a_draft_that_asks_before_it_runs() {
    let desk = catalogue();
    let made = desk.run("new empty-queue --from page.md").exits(0);
    made.says("3 steps to be confirmed")
        .says("what the source leaves open is an input: name")
        .says("next: runbook check empty-queue");
    let checked = desk.run("check empty-queue").exits(0);
    assert_eq!(checked.out.matches("warning[RB0206]").count(), 3, "{}", checked.out);
    desk.run("fmt --check empty-queue").exits(0);
    desk.run("dry-run empty-queue -i name=mail --env test").exits(0).prints("queue stop");
    // Nobody is there to say yes, and `--yes` does not.
    desk.run("exec empty-queue --yes -i name=mail --env test").exits(3).says("This is a draft, made from `page.md`");
    desk.run("new empty-queue --from page.md").exits(2).says("is there already");
}

#[test]
fn a_draft_is_made_of_standard_input_whichever_of_the_two_it_is() {
    let desk = catalogue();
    for (name, text, expected) in [
        ("page", PAGE, "id: stop\n"),
        ("typed", "systemctl stop web\nexit\n", "run: systemctl stop web"),
        ("listed", "  7  df -h\n  8  rm a\n", "run: rm a"),
    ] {
        let mut child = desk.command(&format!("new {name} --from -")).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{name}");
        let drafted = std::fs::read_to_string(desk.path(&format!("{name}.yaml"))).unwrap();
        assert!(drafted.contains(expected), "{name}: {drafted}");
    }
}

#[test]
fn what_cannot_be_drafted_is_refused_and_nothing_is_written() {
    let desk = catalogue();
    std::fs::write(
        desk.path("history"),
        "make a\n".repeat(3) + "ls\n" + &(0..1001).map(|n| format!("make {n}\n")).collect::<String>(),
    )
    .unwrap();
    std::fs::write(desk.path("long"), "make\n".repeat(2001)).unwrap();
    std::fs::write(desk.path("binary"), b"a\nb\0").unwrap();
    std::fs::write(desk.path("nothing.md"), "\n").unwrap();
    for (line, said) in [
        ("new try --from nowhere.md", "cannot read nowhere.md"),
        ("new try --from .", "cannot read ."),
        ("new try --from nothing.md", "nothing can be drafted from nothing.md: there is nothing in it"),
        ("new try --from binary", "line 2 holds a NUL byte"),
        ("new try --from history", "next: runbook new try --from history --last 20"),
        ("new try --from long", "it has 2001 commands, and a draft is made of at most 2000"),
        ("new try --from history --since terraform", "no command in it holds `terraform`"),
        ("new try --from page.md --last 3", "all of it is taken"),
        ("new try --from page.md --template change", "cannot be used with"),
        ("new try --template wat", "next: runbook new --list"),
        ("new try --last 3", "--from"),
        ("new", "NAME"),
    ] {
        desk.run(line).exits(2).says(said);
        assert!(!desk.path("try.yaml").exists(), "{line}");
    }
    desk.run("new try --from history --last 20").exits(0).says("20 steps to be confirmed");
}
