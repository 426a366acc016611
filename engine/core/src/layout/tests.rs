use proptest::prelude::*;

use super::*;

const HEAD: &str = "apiVersion: runbook/v1\nkind: Runbook\n";

fn laid(text: &str) -> String {
    lay_out(&Source::new("a.yaml", text)).unwrap_or_else(|why| panic!("{why}: {why:?}\n{text}"))
}

/// What stands behind the two lines that every document begins with comes out as it should, and stays so.
#[track_caller]
fn check(text: &str, expect: &str) {
    let found = laid(&format!("{HEAD}{text}"));
    let found = found.strip_prefix(HEAD).unwrap_or(&found).to_owned();
    assert_eq!(found, expect, "\n{found}");
    assert_eq!(laid(&format!("{HEAD}{found}")), format!("{HEAD}{found}"), "a second time");
}

#[track_caller]
fn stays(text: &str) {
    check(text, text);
}

#[test]
fn keys_stand_in_their_order() {
    check(
        "steps:\n- effect: read\n  run: a\n  id: b\n- undo: {run: c, id: d}\n  exec: [x]\nversion: 1.0.0\nname: a\n",
        "name: a\nversion: 1.0.0\nsteps:\n  - id: b\n    run: a\n    effect: read\n  - exec: [x]\n    undo: {id: d, run: c}\n",
    );
    // What holds steps stands behind what they share.
    check("steps:\n- group:\n  - run: a\n  if: b\n", "steps:\n  - if: b\n    group:\n      - run: a\n");
    // Names that the author chose, and keys that nobody knows.
    stays("inputs:\n  z: {type: host}\n  a: {type: host}\nstrange: 1\nother: 2\n");
    check("inputs:\n  z: {default: 1, type: host}\n", "inputs:\n  z: {type: host, default: 1}\n");
    // Data is not ours.
    stays("steps:\n  - http: {url: a, json: {if: 1, id: 2}}\n    example: {run: 1, id: 2}\n");
}

#[test]
fn comments_stay_where_they_were() {
    check(
        "# of the name\nname: a  # behind\nversion: 1.0.0\n\n\n\n# apart\n\n# of the steps\nsteps:   # opening\n# of the first\n- # behind the dash\n  run: a # of run\n  id: b\n  # foot of the step\n- id: c # of c\n# foot of the list\n",
        "# of the name\nname: a  # behind\nversion: 1.0.0\n\n# apart\n\n# of the steps\nsteps:   # opening\n  # of the first\n  - # behind the dash\n    id: b\n    run: a # of run\n    # foot of the step\n  - id: c # of c\n# foot of the list\n",
    );
    check(
        "steps:\n  - run: a\n  # of the list\n# of what follows\nfinally:\n  - run: b\n",
        "steps:\n  - run: a\n  # of the list\n# of what follows\nfinally:\n  - run: b\n",
    );
    check(
        "steps:\n- run: a\n# of what follows\nfinally:\n- run: b\n",
        "steps:\n  - run: a\n# of what follows\nfinally:\n  - run: b\n",
    );
    // Keys move together with the comments above and behind them.
    check(
        "steps:\n  - # x\n    run: a # y\n    # of the id\n    id: b\n",
        "steps:\n  - # x\n    # of the id\n    id: b\n    run: a # y\n",
    );
    check("steps:\n  - run: a # y\n    # of the id\n    id: b\n", "steps:\n  # of the id\n  - id: b\n    run: a # y\n");
    // Between a key and its value there is no place of its own.
    check("name: # c\n  a\n", "# c\nname: a\n");
    check("name:\n  # c\n  a\n", "# c\nname: a\n");
    stays("owner: # nothing yet\nsteps:\n  - run: a\n");
}

#[test]
fn what_stands_at_the_top_stays_there() {
    let text = "# yaml-language-server: $schema=x\n# licence\n\nkind: Runbook\napiVersion: runbook/v1\n";
    assert_eq!(laid(text), format!("# yaml-language-server: $schema=x\n# licence\n\n{HEAD}"));
    assert_eq!(laid(&format!("---\n# a\n{HEAD}...\n# b\n")), format!("# a\n{HEAD}# b\n"));
}

#[test]
fn brackets_of_several_lines_become_a_block() {
    check(
        "inputs: {a: {type: enum, # kind\n   choices: [x,\n y]}, # end\n  # of b\n  b: {type: host}}  # over\n",
        "inputs:  # over\n  a: # end\n    type: enum # kind\n    choices:\n      - x\n      - y\n  # of b\n  b: {type: host}\n",
    );
    check("labels: {  a : b,c: [1,2 , {d: }] }\n", "labels: {a: b, c: [1, 2, {d: }]}\n");
    check("steps: [\n]\n", "steps: []\n");
    check("labels: {\"a\":1, 'b': 2, ? c : d}\n", "labels: {\"a\": 1, 'b': 2, c: d}\n");
}

#[test]
fn texts_of_several_lines_keep_their_lines() {
    check(
        "steps:\n- run: |\n      a\n        b\n\n      c\n\n\n- run: |2-  # why\n      x\n     y\n- run: >+\n   z\n\n\nname: a\n",
        "name: a\nsteps:\n  - run: |\n      a\n        b\n\n      c\n\n  - run: |2-  # why\n        x\n       y\n  - run: >+\n      z\n\n\n",
    );
    // Spaces behind the indentation belong to the text, those before it do not.
    check(
        "steps:\n- run: |\n    a\n       \n    \n  \n  effect: read\n",
        "steps:\n  - run: |\n      a\n         \n\n    effect: read\n",
    );
    check(
        "title: a\n   b\n\n   c\ndescription: \"x \\\n    y\n\n   z\"\n",
        "title: a\n  b\n\n  c\ndescription: \"x \\\n  y\n\n  z\"\n",
    );
}

#[test]
fn anchors_hold_what_is_around_them_in_place() {
    stays("version: &v 1.0.0\nname: a\ntitle: *v\n");
    check(
        "steps:\n- &a\n  id: x\n  run: b\n- *a\n- run: &r c\n  id: d\n- effect: read\n  run: e\n",
        "steps:\n  - &a\n    id: x\n    run: b\n  - *a\n  - run: &r c\n    id: d\n  - run: e\n    effect: read\n",
    );
    check(
        "labels: &l {a: b}\nname: n\ninputs: &i # c\n  a: {type: host}\n",
        "labels: &l {a: b}\nname: n\ninputs: &i # c\n  a: {type: host}\n",
    );
}

#[test]
fn line_ends_and_the_mark_of_the_order_of_bytes_stay() {
    let head = HEAD.replace('\n', "\r\n");
    let text = format!("\u{feff}{head}name:   a\r\ndescription: |\r\n    b\r\n");
    assert_eq!(laid(&text), format!("\u{feff}{head}name: a\r\ndescription: |\r\n  b\r\n"));
}

#[test]
fn lists_in_lists() {
    check(
        "a:\n- - b\n  -   c\n-\n  - d\n  # x\n- - - e: 1\n      f: 2\n",
        "a:\n  - - b\n    - c\n  - - d\n  # x\n  - - - e: 1\n        f: 2\n",
    );
}

#[test]
fn what_cannot_be_read_or_kept_is_left() {
    for (text, why) in [
        ("a: [\n", "it cannot be read"),
        ("a: 1\na: 2\n", "it cannot be read"),
        ("\"a\n  b\": c\n", "it cannot be read"),
        ("steps: [ # nothing\n]\n", "brackets hold nothing but comments"),
        ("? |\n  a\n: b\n", "its comments cannot be told from its values"),
    ] {
        let text = format!("{HEAD}{text}");
        assert_eq!(lay_out(&Source::new("a.yaml", text.as_str())).unwrap_err().to_string(), why, "{text:?}");
    }
    for (text, why) in [
        ("", "it cannot be read"),
        ("- a\n", "it is no document of runbook's"),
        ("services: {}\n", "it is no document of runbook's"),
    ] {
        assert_eq!(lay_out(&Source::new("a.yaml", text)).unwrap_err().to_string(), why, "{text:?}");
    }
}

/// Documents to put comments into.
const BOOKS: [&str; 4] = [
    include_str!("../vocabulary/tests/playbook.yaml"),
    include_str!("../vocabulary/tests/workspace.yaml"),
    include_str!("../vocabulary/tests/test.yaml"),
    "apiVersion: runbook/v1\nkind: Runbook\nsteps:\n- &a\n  run: |+\n    x\n\n- - b: [c,\n    {d: e, f: >-\n   }]\n  - \"g\n    h\"\nlabels: {a: {b: [c, d]}}\nfinally:\n  - *a\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is put between the lines of a document, it stays what it was, and is laid out once and for all.
    #[test]
    fn no_comment_is_lost(
        book in 0..BOOKS.len(),
        changes in prop::collection::vec((0..200usize, 0..9usize, 0..4u8), 1..12),
        (moved, by) in (0..200usize, 0..4usize),
    ) {
        let mut lines: Vec<String> = BOOKS[book].lines().map(str::to_owned).collect();
        for (n, (at, spaces, what)) in changes.into_iter().enumerate() {
            let at = at % lines.len();
            match what {
                0 => lines.insert(at, format!("{:spaces$}# c{n}", "")),
                1 => lines[at].push_str(&format!("{:spaces$} # d{n}", "")),
                2 => lines.insert(at, " ".repeat(spaces)),
                _ => {
                    // Broken at a comma, where brackets go on.
                    let broken = lines[at].replacen(", ", &format!(",  # e{n}\n{:spaces$}      ", ""), 1);
                    lines[at] = broken;
                }
            }
        }
        let moved = moved % lines.len();
        lines[moved].insert_str(0, &" ".repeat(by));
        let text = lines.join("\n") + "\n";
        let source = Source::new("a.yaml", text.as_str());
        // A comment in brackets that hold nothing else is told.
        if parsed(&source).is_ok() {
            let once = laid(&text);
            prop_assert_eq!(&laid(&once), &once, "{}", text);
        }
    }
}

/// A map with an anchor keeps the order of its keys, which is said where another order is the canonical one.
#[test]
fn an_order_that_is_left_is_told() {
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\n";
    let told = |steps: &str| {
        let text = format!("{head}{steps}");
        let laid = laid_out(&Source::new("a.yaml", text.as_str())).unwrap();
        let again = laid_out(&Source::new("a.yaml", laid.text.as_str())).unwrap();
        assert_eq!((&again.text, again.left.len()), (&laid.text, laid.left.len()), "{text}");
        laid.left.into_iter().map(|left| (left.line, left.bound)).collect::<Vec<_>>()
    };
    let left = |line, bound: &str| vec![(line, bound.to_owned())];
    assert_eq!(told("steps:\n- effect: read\n  id: go\n  exec: [go]\n"), []);
    // In order already.
    assert_eq!(told("steps:\n- id: go\n  exec: &go [go]\n  effect: read\n"), []);
    assert_eq!(told("steps:\n- effect: read\n  id: go\n  exec: &go [go]\n"), left(6, "&go"));
    assert_eq!(told("steps:\n- {effect: read, id: go, exec: &go [go]}\n- id: b\n  exec: *go\n  effect: read\n"), left(6, "&go"));
    assert_eq!(told("steps:\n# why\n- {id: a, exec: &go [go]}\n-\n  # of it\n  exec: *go\n  id: b\n"), left(10, "*go"));
    // Windows writes lines otherwise, and begins with a mark.
    let text = format!("\u{feff}{head}steps:\n- effect: read\n  exec: &go [go]\n").replace('\n', "\r\n");
    let laid = laid_out(&Source::new("a.yaml", text.as_str())).unwrap();
    assert_eq!(laid.left.first().map(|left| left.line), Some(6));
    // The outermost as well.
    assert_eq!(told("on_failure: &x\n- exec: [go]\n  effect: read\nsteps:\n- id: b\n  exec: [b]\n  effect: read\n"), left(1, "&x"));
}
