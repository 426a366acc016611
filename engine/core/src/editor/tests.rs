use super::*;
use crate::check::CheckOptions;
use crate::document::{Document, Workspace, load};

/// The place that is asked about.
const HERE: char = '▮';

const BOOK: &str = "\
apiVersion: runbook/v1
kind: Playbook
name: book
version: 1.0.0
owner: team
impact: high
escalation: database
triggers:
  - source: alerts
inputs:
  host: {type: host, description: Where it runs, default: web-1}
  hosts: {type: list, items: {type: host}, default: []}
secrets:
  token: {env: TOKEN}
must:
  - never: last
    after: {step: look, ends: failed}
steps:
  - id: look
    name: Look 🔭 at {{inputs.host}}
    run: echo {{inputs.host}}
    effect: read
    outputs: {seconds: result.stdout.parse_float()}
  - id: each_host
    each:
      in: inputs.hosts
      as: item
      steps:
        - id: inner
          run: echo {{item}}
          effect: read
  - if: '\"look\" in steps && steps.look.seconds > 5.0 && steps.each_host.all(|h| h.inner.exit_code == 0)'
    http:
      url: https://example.org/{{steps.look.stdout}}
      headers: {Authorization: secrets.token}
    on_failure: {next: last}
  - call: other@^1
    with: {host: inputs.host}
  - id: last
    approve: {question: Go?, from: dba, within: 1h}
";

const OTHER: &str = "\
apiVersion: runbook/v1
kind: Runbook
name: other
version: 1.2.0
title: Another one
inputs:
  host: {type: host}
steps:
  - id: inside
    run: echo {{inputs.host}}
    effect: read
";

const WORKSPACE: &str = "\
apiVersion: runbook/v1
kind: Workspace
people:
  ann: {users: [ann]}
groups:
  dba: [ann]
rotations:
  night: {members: [ann], starts: 2026-01-05, hand_over: {days: mon, at: \"09:00\"}}
escalations:
  database: {steps: [{to: dba, after: 10m, channels: ops}]}
channels:
  ops: {log: {}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: TOKEN}}}
";

const TEST: &str = "\
apiVersion: runbook/v1
kind: Test
procedure: book
cases:
  - name: one
    inputs: {host: web-2}
    steps: {look: {stdout: \"3\"}, \"call-4/inside\": ok, 'each_host[0]/inner': fails}
    expect: {outcome: succeeded, steps: [look, each_host/inner], undone: [look~undo]}
";

/// The four files, one of them with the mark taken out of it.
struct Folder {
    sources: Vec<Source>,
    documents: Vec<Document>,
}

impl Folder {
    fn new(replaced: &str, text: &str) -> Folder {
        let files = [("book.yaml", BOOK), ("other.yaml", OTHER), ("workspace.yaml", WORKSPACE), ("book.test.yaml", TEST)];
        let sources: Vec<Source> =
            files.iter().map(|(name, own)| Source::new(*name, if *name == replaced { text } else { own })).collect();
        let documents = sources.iter().filter_map(|source| load(source).0).collect();
        Folder { sources, documents }
    }

    fn with<T>(&self, name: &str, ask: impl FnOnce(&Source, Around) -> T) -> T {
        let procedures = self.documents.iter().filter_map(|document| match document {
            Document::Procedure(procedure) => Some(&**procedure),
            _ => None,
        });
        let workspace: Option<&Workspace> = self.documents.iter().find_map(|document| match document {
            Document::Workspace(workspace) => Some(&**workspace),
            _ => None,
        });
        let tests: Vec<&Test> = self
            .documents
            .iter()
            .filter_map(|document| match document {
                Document::Test(test) => Some(&**test),
                _ => None,
            })
            .collect();
        let catalogue = Catalogue::new(procedures, workspace);
        let source = self.sources.iter().find(|source| &*source.name == name).unwrap();
        let is_it = |document: &&Document| match document {
            Document::Procedure(procedure) => procedure.source.name == source.name,
            Document::Test(test) => test.source.name == source.name,
            Document::Workspace(workspace) => workspace.source.name == source.name,
        };
        let document = self.documents.iter().find(is_it);
        ask(source, Around { document, catalogue: &catalogue, tests: &tests, kept: &Kept::default() })
    }
}

/// A file with the mark put where `with` replaces `from`, and where the mark was.
fn marked(name: &str, from: &str, with: &str) -> (Folder, u32) {
    let own = match name {
        "book.yaml" => BOOK,
        "book.test.yaml" => TEST,
        "other.yaml" => OTHER,
        _ => WORKSPACE,
    };
    let text = own.replacen(from, with, 1);
    let at = text.find(HERE).unwrap_or_else(|| panic!("{from:?} does not stand in {name}"));
    (Folder::new(name, &text.replacen(HERE, "", 1)), u32::try_from(at).unwrap())
}

#[test]
fn the_documents_are_right() {
    let folder = Folder::new("", "");
    folder.with("book.yaml", |_, around| {
        for procedure in around.catalogue.names().filter_map(|name| around.catalogue.newest(name)) {
            let found = crate::check::check(procedure, around.catalogue, &CheckOptions::default()).1;
            assert!(!found.has_errors(), "{found:?}");
        }
    });
}

#[test]
fn what_could_stand_at_a_place() {
    // Where the mark stands, what is offered there among others, and what is not.
    for (from, with, offered, not) in [
        ("    effect: read\n", "    ▮\n", "effect timeout undo", "run exec shapes id"),
        ("    effect: read\n", "    eff▮\n", "effect", "run"),
        ("    effect: read\n", "    eff▮: read\n", "effect", "run"),
        ("  - call: other", "  - ▮\n  - call: other", "run exec group approve id", "with shell apiVersion"),
        ("effect: read", "effect: ▮", "none read change destructive", ""),
        ("effect: read", "effect: re▮", "read", ""),
        ("{type: host, desc", "{type: ▮, desc", "host list string", ""),
        ("{type: host, desc", "{▮type: host, desc", "type", ""),
        ("web-1}", "web-1, ▮}", "pattern required", "type default"),
        ("web-1}", "web-1, p▮", "pattern", ""),
        ("with: {host: inputs.host}", "with: {▮}", "host", "hosts"),
        ("from: dba", "from: ▮", "dba ann", "ops"),
        ("from: dba", "from: [ann, ▮]", "dba", "ops"),
        ("escalation: database", "escalation: d▮", "database", "dba"),
        ("source: alerts", "source: a▮", "alerts", "dba"),
        ("source: alerts", "source: s▮", "stdin", "dba"),
        (
            "in: inputs.hosts",
            "in: ▮",
            "inputs.hosts inputs.host steps.look now run.id event",
            "steps.last steps.each_host item result",
        ),
        ("in: inputs.hosts", "in: inputs.▮", "hosts host", "look"),
        ("echo {{item}}", "echo {{▮}}", "item index inputs.host steps.look upper default", "steps.inner"),
        ("never: last", "never: ▮", "last look", "other"),
        ("echo {{item}}", "echo {{ steps.look.▮", "seconds stdout exit_code", "trim"),
        ("echo {{item}}", "echo ▮", "", "item inputs.host"),
        ("result.stdout.parse_float()", "result.▮", "stdout json exit_code", "seconds"),
        ("result.stdout.parse_float()", "result.stdout.▮", "trim parse_int lines", "seconds join"),
        ("result.stdout.parse_float()", "▮", "result inputs.host", ""),
        ("if: '\"look\" in steps && ", "if: 'steps.look.seconds.▮ && ", "round abs", "trim"),
        ("steps.look.seconds > 5.0", "run.started_at.▮", "unix year", "trim"),
        ("{Authorization: secrets.token}", "{Authorization: ▮}", "secrets.token", "inputs.host"),
        ("{Authorization: secrets.token}", "{Authorization: sec▮}", "secrets.token", "inputs.host"),
        ("{Authorization: secrets.token}", "{Authorization: secrets.▮}", "token", "secrets.token inputs.host"),
        ("{Authorization: secrets.token}", "{Authorization: secrets.t▮}", "token", "secrets.token"),
        ("{Authorization: secrets.token}", "{Authorization: 'Bearer ▮'}", "", "secrets.token token"),
        ("    effect: read\n", "    effect: read\n    env: {A: ▮}\n", "secrets.token inputs.host run.id", "token upper"),
        ("    effect: read\n", "    effect: read\n    env: {A: s▮}\n", "secrets.token inputs.host", "token"),
        ("    effect: read\n", "    effect: read\n    env: {A: in▮}\n", "secrets.token inputs.host", ""),
        ("    effect: read\n", "    effect: read\n    env:\n      A: ▮\n", "secrets.token inputs.host", "token"),
        ("    effect: read\n", "    effect: read\n    env: {A: secrets.▮}\n", "token", "secrets.token host"),
        ("    effect: read\n", "    effect: read\n    env:\n      A: secrets.t▮\n", "token", "secrets.token host"),
        ("    effect: read\n", "    effect: read\n    env: {A: inputs.▮}\n", "host hosts", "token secrets.token"),
        ("    effect: read\n", "    effect: read\n    env: {A: 1 + ▮}\n", "inputs.host", "secrets.token token"),
        ("kind: Playbook", "kind: ▮", "Runbook Playbook Workspace Test", ""),
        ("impact: high", "impact: \"▮", "low critical", ""),
    ] {
        let (folder, at) = marked("book.yaml", from, with);
        let offers = folder.with("book.yaml", |source, around| complete(source, at, around));
        let labels: Vec<&str> = offers.iter().map(|offer| offer.label.as_str()).collect();
        for label in offered.split_whitespace() {
            assert!(labels.contains(&label), "{with:?} lacks {label}: {labels:?}");
        }
        for label in not.split_whitespace() {
            assert!(!labels.contains(&label), "{with:?} has {label}: {labels:?}");
        }
    }
}

/// Nothing is offered that `check` would refuse.
#[test]
fn only_what_may_stand_there_is_offered() {
    let jumps = "  - id: one\n    group:\n      - id: in_one\n        set: {a: '1'}\n        next: ▮\n      - id: in_two\n        set: {a: '1'}\n";
    let others = "  - id: last\n";
    for (from, with, offered, not) in [
        ("{next: last}", "{next: ▮}", "last", "look each_host inner"),
        ("    effect: read\n    outputs", "    effect: read\n    next: ▮\n    outputs", "each_host last", "look inner"),
        (others, &*format!("{jumps}{others}"), "in_two", "in_one one last look"),
        ("call: other@^1", "call: ▮", "other", "book"),
        ("if: '\"look\"", "if: 'run.▮ && \"look\"", "started_at environment", "outcome"),
        ("  - id: last\n", "  - id: last\n    name: \"{{run.▮}}\"\n", "started_at", "outcome"),
        // Behind calls, and with what closures are given.
        ("steps.look.seconds > 5.0", "inputs.hosts.filter(|h| h != \"a b\").▮", "len first", "trim round"),
        ("steps.look.seconds > 5.0", "inputs.hosts.filter(|h| h.▮)", "trim len", "round sort"),
        ("steps.look.seconds > 5.0", "inputs.hosts.filter(|h| ▮)", "h inputs.host steps.look", ""),
        ("steps.look.seconds > 5.0", "steps.each_host.all(|h| h.▮)", "keys get", "trim"),
        ("steps.look.seconds > 5.0", "inputs.hosts.map(|h| h.len()).any(|n| n.▮)", "abs", "trim"),
        ("steps.look.seconds > 5.0", "inputs.host.trim().▮", "len to_upper", "sort"),
        ("steps.look.seconds > 5.0", "\"a b\".▮", "len to_upper", "sort"),
        // Of two values, what both are; where they are not the same, whatever there is.
        ("steps.look.seconds > 5.0", "(inputs.host ?? \"a\").▮", "len to_upper", "sort abs"),
        ("steps.look.seconds > 5.0", "(inputs.hosts ?? inputs.hosts).▮", "len sort", "to_upper abs"),
        ("steps.look.seconds > 5.0", "(inputs.host ?? 1).▮", "to_upper abs sort", ""),
        ("steps.look.seconds > 5.0", "inputs.hosts ?? inputs.host.▮", "len to_upper", "sort abs"),
        ("steps.look.seconds > 5.0", "inputs.hosts??inputs.host.▮", "len to_upper", "sort abs"),
        ("steps.look.seconds > 5.0", "steps.look??inputs.▮", "host hosts", "seconds stdout"),
        ("steps.look.seconds > 5.0", "(inputs.hosts.len() > 1 || inputs.host == \"a\").▮", "", "len sort to_upper abs"),
        ("steps.look.seconds > 5.0", "inputs.hosts.len() > 1||inputs.host.▮", "len to_upper", "sort abs"),
    ] {
        let (folder, at) = marked("book.yaml", from, with);
        let offers = folder.with("book.yaml", |source, around| complete(source, at, around));
        let labels: Vec<&str> = offers.iter().map(|offer| offer.label.as_str()).collect();
        for label in offered.split_whitespace() {
            assert!(labels.contains(&label), "{with:?} lacks {label}: {labels:?}");
        }
        for label in not.split_whitespace() {
            assert!(!labels.contains(&label), "{with:?} has {label}: {labels:?}");
        }
    }
    // What tidies up knows how the run ended, and what would lead back is not called.
    for (name, from, with, offered) in [
        ("book.yaml", "within: 1h}\n", "within: 1h}\nfinally:\n  - set: {a: run.▮}\n", Some("outcome")),
        ("other.yaml", "    effect: read\n", "    effect: read\n  - call: ▮\n", None),
    ] {
        let (folder, at) = marked(name, from, with);
        let offers = folder.with(name, |source, around| complete(source, at, around));
        match offered {
            Some(label) => assert!(offers.iter().any(|offer| offer.label == label), "{with}: {offers:?}"),
            None => assert_eq!(offers, [], "{with}"),
        }
    }
}

#[test]
fn what_could_stand_in_a_test_and_a_workspace() {
    for (name, from, with, offered) in [
        ("book.test.yaml", "procedure: book", "procedure: ▮", "book other"),
        ("book.test.yaml", "inputs: {host: web-2}", "inputs: {▮}", "host hosts"),
        ("book.test.yaml", "steps: [look, ", "steps: [▮, ", "look last"),
        ("book.test.yaml", "{stdout: \"3\"}", "{▮}", "stdout fails takes"),
        ("book.test.yaml", "{stdout: \"3\"}", "▮", "ok crash fails"),
        ("book.test.yaml", "outcome: succeeded", "outcome: ▮", "succeeded waiting"),
        ("workspace.yaml", "{to: dba", "{to: ▮", "dba ann night"),
        ("workspace.yaml", "members: [ann]", "members: [▮]", "ann"),
        ("workspace.yaml", "channels: ops}", "channels: ▮}", "ops"),
        ("workspace.yaml", "groups:\n", "▮\ngroups:\n", "environments policies"),
    ] {
        let (folder, at) = marked(name, from, with);
        let offers = folder.with(name, |source, around| complete(source, at, around));
        let labels: Vec<&str> = offers.iter().map(|offer| offer.label.as_str()).collect();
        for label in offered.split_whitespace() {
            assert!(labels.contains(&label), "{with:?} lacks {label}: {labels:?}");
        }
    }
}

#[test]
fn an_offer_takes_the_place_of_what_is_typed() {
    for (from, with, label, expect) in [
        ("    effect: read\n", "    eff▮\n", "effect", "    effect: \n"),
        ("    effect: read\n", "    und▮\n", "undo", "    undo:\n"),
        ("    effect: read\n", "    eff▮: read\n", "effect", "    effect: read\n"),
        ("call: other@^1", "call: ot▮", "other", "call: other@^1"),
        ("steps.look.seconds > 5.0", "steps.look.sec▮ > 5.0", "seconds", "steps.look.seconds > 5.0"),
        ("steps.look.seconds > 5.0", "loo▮ > 5.0", "steps.look", "steps.look > 5.0"),
    ] {
        let (folder, at) = marked("book.yaml", from, with);
        let text = folder.with("book.yaml", |source, around| {
            let offers = complete(source, at, around);
            let offer = offers.iter().find(|offer| offer.label == label).unwrap_or_else(|| panic!("{with}: {offers:?}"));
            let mut text = source.text.to_string();
            text.replace_range(offer.span.start as usize..offer.span.end as usize, &offer.insert);
            text
        });
        assert_eq!(text, BOOK.replacen(from, expect, 1), "{with}");
    }
}

#[test]
fn what_is_said_of_a_place() {
    for (name, from, with, said) in [
        ("book.yaml", "effect: read", "eff▮ect: read", "What it does to the world"),
        ("book.yaml", "effect: read", "effect: re▮ad", "something outside is looked at"),
        ("book.yaml", "{{inputs.host}}\n    effect", "{{inputs.ho▮st}}\n    effect", "by default `web-1`\n\nWhere it runs"),
        ("book.yaml", "steps.look.seconds", "steps.lo▮ok.seconds", "- `seconds`: number\n- `stderr`: string"),
        ("book.yaml", "steps.look.seconds", "steps.look.sec▮onds", "**`steps.look.seconds`**: number"),
        ("book.yaml", "steps.look.seconds", "steps.look.seconds▮", "**`steps.look.seconds`**: number"),
        ("book.yaml", "{{steps.look.stdout}}", "{{steps.look.std▮out}}", "**`steps.look.stdout`**: string"),
        ("book.yaml", "id: look", "id: ▮look", "**`steps.look`** (`run`) — Look 🔭"),
        ("book.yaml", "outputs: {seconds", "outputs: {sec▮onds", "**`steps.look.seconds`**: number"),
        ("book.yaml", "call: other@^1", "call: oth▮er@^1", "**other 1.2.0**: Another one"),
        ("book.yaml", "secrets.token", "secrets.to▮ken", "a secret"),
        ("book.yaml", "parse_float()", "parse_▮float()", "`text.parse_float()`"),
        ("book.yaml", "echo {{item}}", "echo {{it▮em}}", "`item`: string"),
        ("book.yaml", "from: dba", "from: db▮a", "of `people`, `groups` or `rotations`"),
        ("book.test.yaml", "steps: {look:", "steps: {lo▮ok:", "steps.look"),
        ("book.test.yaml", "each_host/inner", "each_host/in▮ner", "steps.inner"),
        ("book.test.yaml", "call-4/inside", "call-4/in▮side", ""),
    ] {
        let (folder, at) = marked(name, from, with);
        let hover = folder.with(name, |source, around| hover(source, at, around));
        match hover {
            Some(hover) => assert!(hover.text.contains(said), "{with}: {}", hover.text),
            None => assert_eq!(said, "", "{with}: nothing is said"),
        }
    }
}

#[test]
fn texts_of_others_are_no_markup_in_an_editor() {
    let book = "apiVersion: runbook/v1\nkind: Runbook\nname: book\nversion: 1.0.0\ninputs:\n  x:\n    type: string\n    default: \"a `b`\\n\"\n    \
                description: |\n      <b> [x](command:y) ``a`b``\nsteps:\n  - id: one\n    name: \"*n* `m`\"\n    run: echo {{inputs.x}}\n    \
                effect: read\n";
    let source = Source::new("book.yaml", book.to_owned());
    let document = load(&source).0;
    let around = Around { document: document.as_ref(), catalogue: &Catalogue::new(&[], None), tests: &[], kept: &Kept::default() };
    let said = |at: &str| hover(&source, u32::try_from(book.find(at).unwrap() + 2).unwrap(), around).unwrap().text;
    let given = "**`inputs.x`**: a string, by default ``\"a `b`\\n\"``\n\n\\<b\\> \\[x\\](command:y) ``a`b``";
    assert_eq!(said("s.x}}"), given);
    assert_eq!(said("one\n").lines().next(), Some("**`steps.one`** (`run`) — \\*n\\* \\`m\\`"));
}

/// However many questions are asked of one version, it is gone over once, and its fields once each.
#[test]
fn what_was_found_is_kept() {
    use crate::check::survey::SURVEYED;
    let folder = Folder::new("", "");
    let place = |of: &str| u32::try_from(BOOK.find(of).unwrap()).unwrap();
    folder.with("book.yaml", |source, around| {
        let surveyed = || SURVEYED.with(std::cell::Cell::get);
        let before = surveyed();
        for _ in 0..3 {
            for at in [place("steps.look.seconds") + 7, place("inputs.host}}\n    effect") + 8, place("id: look") + 4] {
                assert!(hover(source, at, around).is_some() && definition(source, at, around).is_some());
                assert!(references(source, at, around).len() > 1 && renamed(source, at, around).is_some());
            }
            assert!(hover(source, place("outputs: {seconds") + 12, around).is_some());
        }
        assert_eq!(surveyed() - before, 1);
        for at in 0..3 {
            assert!(hover(source, place("{{item}}") + 3 + at, around).is_some());
        }
        assert_eq!(surveyed() - before, 2);
    });
}

#[test]
fn where_it_is_declared() {
    for (name, from, with, file, line) in [
        ("book.yaml", "steps.look.seconds", "steps.lo▮ok.seconds", "book.yaml", "id: look"),
        ("book.yaml", "\"look\" in", "\"lo▮ok\" in", "book.yaml", "id: look"),
        ("book.yaml", "{{inputs.host}}", "{{inputs.▮host}}", "book.yaml", "  host: {type"),
        ("book.yaml", "{next: last}", "{next: la▮st}", "book.yaml", "id: last"),
        ("book.yaml", "call: other@^1", "call: o▮ther@^1", "other.yaml", "name: other"),
        ("book.yaml", "with: {host:", "with: {ho▮st:", "other.yaml", "  host: {type"),
        ("book.yaml", "from: dba", "from: d▮ba", "workspace.yaml", "  dba: [ann]"),
        ("book.yaml", "escalation: database", "escalation: d▮atabase", "workspace.yaml", "  database:"),
        ("book.yaml", "source: alerts", "source: a▮lerts", "workspace.yaml", "  alerts:"),
        ("book.yaml", "secrets.token", "secrets.t▮oken", "book.yaml", "  token:"),
        ("book.test.yaml", "procedure: book", "procedure: b▮ook", "book.yaml", "name: book"),
        ("book.test.yaml", "inputs: {host", "inputs: {h▮ost", "book.yaml", "  host: {type"),
        ("book.test.yaml", "each_host[0]/inner", "each_host[0]/inn▮er", "book.yaml", "id: inner"),
        ("book.test.yaml", "look~undo", "l▮ook~undo", "book.yaml", "id: look"),
    ] {
        let (folder, at) = marked(name, from, with);
        let found = folder.with(name, |source, around| definition(source, at, around));
        let found = found.unwrap_or_else(|| panic!("{with} is declared nowhere"));
        assert_eq!(&*found.source, file, "{with}");
        let text = &folder.sources.iter().find(|source| &*source.name == file).unwrap().text;
        let start = text[..found.span.start as usize].rfind('\n').map_or(0, |n| n + 1);
        assert!(text[start..].split('\n').next().unwrap().contains(line), "{with}: {}", &text[start..found.span.end as usize]);
    }
}

#[track_caller]
fn renames(name: &str, from: &str, with: &str, to: &str, changed: &[(&str, &[(&str, &str)])]) {
    let (folder, at) = marked(name, from, with);
    let edits = folder.with(name, |source, around| rename(source, at, to, around)).unwrap();
    for source in &folder.sources {
        let mut text = source.text.to_string();
        let mut mine: Vec<&Edit> = edits.iter().filter(|edit| edit.at.source == source.name).collect();
        mine.sort_by_key(|edit| std::cmp::Reverse(edit.at.span));
        for edit in mine {
            text.replace_range(edit.at.span.start as usize..edit.at.span.end as usize, &edit.text);
        }
        let mut expect = source.text.to_string();
        let own = changed.iter().filter(|(file, _)| *file == &*source.name).flat_map(|(_, changes)| *changes);
        own.for_each(|(was, is)| expect = expect.replace(was, is));
        assert_eq!(text, expect, "{}", source.name);
    }
}

#[test]
fn a_name_is_another_one_everywhere() {
    renames(
        "book.yaml",
        "id: look",
        "id: lo▮ok",
        "seen",
        &[
            (
                "book.yaml",
                &[("id: look", "id: seen"), ("step: look", "step: seen"), ("\"look\"", "\"seen\""), ("steps.look", "steps.seen")],
            ),
            ("book.test.yaml", &[("{look:", "{seen:"), ("[look,", "[seen,"), ("look~", "seen~")]),
        ],
    );
    // From a test, and through the result of an `each`.
    renames(
        "book.test.yaml",
        "each_host/inner",
        "each_host/inn▮er",
        "deep",
        &[("book.yaml", &[("id: inner", "id: deep"), ("h.inner", "h.deep")]), ("book.test.yaml", &[("/inner", "/deep")])],
    );
    renames(
        "book.yaml",
        "{next: last}",
        "{next: ▮last}",
        "end",
        &[("book.yaml", &[("next: last", "next: end"), ("id: last", "id: end"), ("never: last", "never: end")])],
    );
    renames(
        "book.yaml",
        "with: {host:",
        "with: {h▮ost:",
        "target",
        &[
            ("book.yaml", &[("with: {host:", "with: {target:")]),
            ("other.yaml", &[("  host:", "  target:"), ("inputs.host", "inputs.target")]),
        ],
    );
    renames(
        "book.yaml",
        "secrets.token",
        "secrets.▮token",
        "key",
        &[("book.yaml", &[("secrets.token", "secrets.key"), ("  token:", "  key:")])],
    );
}

#[test]
fn what_cannot_be_renamed_says_why() {
    for (from, with, to, why) in [
        ("effect: read", "eff▮ect: read", "x", "nothing that has a name of its own"),
        ("id: look", "id: l▮ook", "Look", "`Look` is not an identifier"),
        ("id: look", "id: l▮ook", "last", "`last` is taken"),
        ("id: look\n", "id: l▮ook\n    strange: 1\n", "x", "a step has no key `strange`"),
        ("id: last\n", "id: l▮ast\n    if: inputs.hst == \"\"\n", "x", "mend them first: book.yaml: there is no input `hst`"),
    ] {
        let (folder, at) = marked("book.yaml", from, with);
        match folder.with("book.yaml", |source, around| rename(source, at, to, around)) {
            Ok(_) => panic!("{with} is renamed"),
            Err(said) => assert!(said.to_string().contains(why), "{with}: {said}"),
        }
    }
}

#[test]
fn columns_count_in_sixteen_bits() {
    let text = "aé🔭b\r\n🔭\n";
    let lines = Lines::new(text);
    for (offset, line, column) in [(0, 0, 0), (1, 0, 1), (3, 0, 2), (7, 0, 4), (8, 0, 5), (10, 1, 0), (14, 1, 2), (15, 2, 0)] {
        assert_eq!(lines.point(offset), Point { line, column }, "{offset}");
        assert_eq!(lines.offset(Point { line, column }), offset, "{line}:{column}");
    }
    // In the middle of a character, behind a line, behind the text.
    assert_eq!(lines.point(5), Point { line: 0, column: 2 });
    assert_eq!(lines.offset(Point { line: 0, column: 3 }), 3);
    assert_eq!(lines.offset(Point { line: 0, column: 99 }), 8);
    assert_eq!(lines.offset(Point { line: 9, column: 0 }), 15);
    assert_eq!(lines.point(99), Point { line: 2, column: 0 });
}

#[test]
fn what_leads_back_in_any_version_is_not_offered() {
    let text = |name: &str, version: &str, calls: &[&str]| {
        let calls: String = calls.iter().map(|call| format!("- call: {call}\n")).collect();
        format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: {version}\nsteps:\n- {{exec: [a], effect: read}}\n{calls}"
        )
    };
    let own = text("own", "1.0.0", &["zq"]);
    let texts = [
        own.clone(),
        text("both", "1.0.0", &["old@^2", "old@^1"]),
        text("old", "1.0.0", &[]),
        text("old", "2.0.0", &["own@^1"]),
        text("past", "1.0.0", &["old@^1"]),
        text("free", "1.0.0", &["past@^1"]),
        text("one", "1.0.0", &["both@^1", "free@^1"]),
    ];
    let documents: Vec<Document> = texts.iter().filter_map(|text| load(&Source::new("a.yaml", text.clone())).0).collect();
    let procedures = documents.iter().filter_map(|document| match document {
        Document::Procedure(procedure) => Some(&**procedure),
        _ => None,
    });
    let catalogue = Catalogue::new(procedures, None);
    let source = Source::new("own.yaml", own.as_str());
    let around = Around { document: None, catalogue: &catalogue, tests: &[], kept: &Kept::default() };
    let at = u32::try_from(own.find("zq").unwrap() + 2).unwrap();
    let labels: Vec<String> = complete(&source, at, around).into_iter().map(|offer| offer.label).collect();
    assert_eq!(labels, ["free", "past"]);
}
