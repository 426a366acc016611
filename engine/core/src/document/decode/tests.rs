//! Whole files: what loads, and every fault of what does not.

use super::*;

fn load(text: &str) -> (Option<Document>, Vec<Diagnostic>) {
    let (document, diagnostics) = document(&Source::new("test.yaml", text));
    (document, diagnostics.into_sorted())
}

#[test]
fn the_example_of_the_format_loads() {
    let (document, diagnostics) = load(include_str!("tests/whole.yaml"));
    assert_eq!(diagnostics, []);
    let Some(Document::Procedure(procedure)) = document else { panic!("a procedure") };
    assert_eq!(procedure.steps.len(), 6);
    assert_eq!(procedure.name.value.as_str(), "pg-replica-lag");
}

/// Faults as `code line:column message`.
fn faults(text: &str) -> Vec<String> {
    let source = Source::new("test.yaml", text);
    let place = |span: Span| {
        let at = source.position(span.start);
        format!("{}:{}", at.line, at.column)
    };
    load(text).1.iter().map(|fault| format!("{} {} {}", fault.code.as_str(), place(fault.span), fault.message)).collect()
}

/// A runbook with these steps.
fn with_steps(steps: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nsteps:\n{steps}")
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let text = include_str!("tests/wrong.yaml");
    let source = Source::new("wrong.yaml", text);
    let (_, diagnostics) = document(&source);
    let shown: Vec<String> = diagnostics
        .into_sorted()
        .iter()
        .map(|diagnostic| crate::diagnostic::render::to_text(diagnostic, &source, crate::diagnostic::render::Look::Plain))
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn each_fault_of_a_step_has_its_code() {
    for (step, expect) in [
        ("{run: x}", &[][..]),
        ("{run: x, timout: 5s}", &["RB0010 a step has no key `timout`"]),
        ("{rum: x}", &["RB0020 a step without a verb"]),
        ("{name: x}", &["RB0020 a step without a verb"]),
        (
            "{run: x, exec: [y], set: {a: 1}}",
            &["RB0021 a step with two verbs: `run` and `exec`", "RB0021 a step with two verbs: `run` and `set`"],
        ),
        ("{run: }", &["RB0019 `run` has no value"]),
        ("{run: ''}", &["RB0019 `run` is empty"]),
        ("{run: x, id: A}", &["RB0014 `A` is not an identifier: a lower-case letter, then lower-case letters, digits and `_`"]),
        ("{run: x, effect: reads}", &["RB0013 `reads` is not a value of `effect`"]),
        ("{run: x, idempotent: yes}", &["RB0012 `idempotent` is a boolean, not text"]),
        ("{run: x, timeout: 30}", &["RB0015 `30` is not a duration; write a number and a unit, such as `30s`, `1h 30m` or `7d`"]),
        ("{run: x, timeout: 0s}", &["RB0018 `timeout` is no time at all"]),
        ("{run: x, timeout: 99999d}", &["RB0015 `99999d` is longer than ten years"]),
        ("{run: x, retry: 3}", &["RB0012 `retry` is a map, not a whole number"]),
        ("{run: x, retry: {attempts: 0}}", &["RB0018 `attempts` is 0; it must be from 1 to 100"]),
        ("{run: x, retry: {delay: 1s}}", &["RB0011 `retry` has no `attempts`"]),
        ("{run: x, retry: {attempts: '3'}}", &["RB0012 `attempts` is a whole number, not text"]),
        ("{run: x, retry: {attempts: 3, delay: 10s, max_delay: 1s}}", &["RB0023 `max_delay` is shorter than `delay`"]),
        ("{run: x, retry: {attempts: 3, jitter: 2}}", &["RB0018 `jitter` is 2; it must be from 0 to 1"]),
        ("{run: x, on_failure: ignore}", &["RB0013 `ignore` is not a value of `on_failure`"]),
        ("{run: x, on_failure: {next: there}}", &[]),
        ("{run: x, env: {'a b': '1'}}", &["RB0014 `a b` is not the name of an environment variable"]),
        ("{run: x, env: {A: [1]}}", &["RB0012 `A` is an expression, not a list"]),
        ("{run: x, if: ' '}", &["RB0019 `if` is an empty expression"]),
        ("{run: x, shell: zsh}", &["RB0013 `zsh` is not a value of `shell`"]),
        ("{exec: [x], shell: bash}", &["RB0023 `shell` belongs beside `run`, not beside `exec`"]),
        ("{exec: ls -l}", &["RB0012 `exec` is a list of arguments, not text"]),
        ("{exec: []}", &["RB0019 `exec` names no program"]),
        ("{run: x, undo: []}", &["RB0019 `undo` has no step"]),
        ("{run: x, undo: {exec: [y]}, verify: {run: z}}", &[]),
        ("{run: x, verify: a == b, undo: [{run: y}]}", &[]),
        ("{run: x, example: {n: 99999999999999999999}}", &["RB0018 the number does not fit 64 bits; quote it to keep it as text"]),
        ("{http: {url: x, json: {}}}", &["RB0011 a request with a body does not say its method"]),
        ("{http: {url: x, method: GET, json: {}}}", &[]),
        ("{http: {url: x, method: PUT, json: {}, form: {}}}", &["RB0023 `http` has `json` or `form`, not both"]),
        ("{http: {url: x, method: get}}", &["RB0013 `get` is not a value of `method`"]),
        ("{http: {method: GET}}", &["RB0011 `http` has no `url`"]),
        ("{http: {url: x, expect: {status: [200, 99]}}}", &["RB0018 `status` is 99; it must be from 100 to 599"]),
        ("{http: {url: x, headers: {'a b': c}}}", &["RB0014 `a b` is not the name of a header"]),
        ("{check: []}", &["RB0019 `check` asserts nothing"]),
        ("{check: [{else: x}]}", &["RB0011 an assertion has no `that`"]),
        ("{check: {that: x}}", &["RB0012 `check` is a list, not a map"]),
        ("{set: {A: 1}}", &["RB0014 `A` is not an identifier: a lower-case letter, then lower-case letters, digits and `_`"]),
        ("{wait: 5m}", &["RB0012 `wait` is a map"]),
        ("{wait: {for: 5m, until: x}}", &["RB0023 `wait` has `for` or `until`, not both"]),
        ("{wait: {within: 5m}}", &["RB0011 `wait` does not say what for"]),
        ("{wait: {until: a, every: 0s, within: 0m}}", &["RB0018 `every` is no time at all", "RB0018 `within` is no time at all"]),
        ("{wait: {for: 5m, every: 1s}}", &["RB0023 `every` belongs to a `wait` with `until`"]),
        ("{wait: {event: {source: a, when: b, since: step}, within: 1h}}", &[]),
        ("{wait: {event: {when: b}, within: 1h}}", &["RB0011 `event` has no `source`"]),
        ("{wait: {event: a, within: 1h}}", &["RB0012 `event` is a map, not text"]),
        (
            "{wait: {event: {source: a, since: ever, with: c}, within: 1h}}",
            &["RB0010 `event` has no key `with`", "RB0013 `ever` is not a value of `since`"],
        ),
        ("{wait: {event: {source: a}, every: 1s, within: 1h}}", &["RB0023 `every` belongs to a `wait` with `until`"]),
        (
            "{approve: {from: a, count: 0}}",
            &["RB0011 `approve` has no `question`", "RB0018 `count` is 0; it must be from 1 to 100"],
        ),
        ("{approve: {question: a, on_timeout: approve}}", &["RB0013 `approve` is not a value of `on_timeout`"]),
        ("{ask: {question: a}}", &["RB0011 `ask` has no `fields`"]),
        ("{ask: {question: a, fields: {n: {type: int}}}}", &["RB0013 `int` is not a value of `type`"]),
        ("{manual: Pull the plug}", &[]),
        ("{manual: {expect: silence}}", &["RB0011 `manual` has no `do`"]),
        ("{notify: {to: [], message: x}}", &["RB0019 `to` names nothing"]),
        ("{approve: {from: [], question: a}}", &["RB0019 `from` names nothing"]),
        ("{notify: {message: x}}", &["RB0011 `notify` has no `to`"]),
        ("{call: a@^1, with: {b: c}}", &[]),
        ("{run: x, with: {b: c}}", &["RB0023 `with` belongs beside `call`, not beside `run`"]),
        ("{choose: [{when: a, steps: [{run: x}]}, {otherwise: [{run: y}]}]}", &[]),
        (
            "{choose: [{otherwise: [{run: y}]}, {when: a, steps: [{run: x}]}]}",
            &["RB0023 branches behind `otherwise` are never taken"],
        ),
        ("{choose: [{steps: [{run: x}]}]}", &["RB0011 a branch of `choose` has no `when`"]),
        ("{parallel: {a: [{run: x}], b: [{run: y}]}, max_parallel: 2}", &[]),
        ("{parallel: [{run: x}]}", &["RB0012 `parallel` is a map of named branches, not a list"]),
        ("{each: {in: xs, as: x, steps: [{run: y}], batches: [1, 10%, 100%], max_failures: 1, max_parallel: 5}}", &[]),
        ("{each: {steps: [{run: y}], batches: [0%]}}", &["RB0011 `each` has no `in`", "RB0018 this is not the size of a batch"]),
        (
            "{each: {in: xs, steps: [{run: y}]}, max_parallel: 2}",
            &["RB0023 `max_parallel` belongs beside `parallel`, not beside `each`"],
        ),
        ("{repeat: {until: a, times: 3, every: 5s, steps: [{run: x}]}}", &[]),
        (
            "{repeat: {until: a, times: 100001, steps: []}}",
            &["RB0018 `times` is 100001; it must be from 1 to 10000", "RB0019 `steps` has no step"],
        ),
        ("{group: [{run: x}]}", &[]),
        ("{group: {steps: [{run: x}]}}", &[]),
        ("{group: {run: x}}", &["RB0010 `group` has no key `run`", "RB0011 `group` has no `steps`"]),
        ("{finish: {message: x}}", &["RB0011 `finish` has no `outcome`"]),
        ("{finish: {outcome: success}}", &["RB0013 `success` is not a value of `outcome`"]),
        ("{run: x, secrets: {a: {env: A}}}", &[]),
        ("{run: x, secrets: {a: {env: A}}, undo: {run: y, secrets: {a: {env: B}}}}", &["RB0002 the secret `a` is declared twice"]),
        ("run: x", &["RB0012 a step is a map, not text"]),
    ] {
        let text = with_steps(&if step.starts_with('{') { format!("  - {step}\n") } else { format!("  - \"{step}\"\n") });
        let mut found: Vec<String> =
            load(&text).1.iter().map(|fault| format!("{} {}", fault.code.as_str(), fault.message)).collect();
        found.sort();
        assert_eq!(found, expect, "{step}");
    }
}

#[test]
fn each_fault_of_a_document_has_its_code() {
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nsteps: [{run: x}]\n";
    for (text, expect) in [
        ("x: y\n".to_owned(), &["RB0011 1:1 a document has no `apiVersion`", "RB0011 1:1 a document has no `kind`"][..]),
        ("just text".to_owned(), &["RB0012 1:1 a document is a map, not text"]),
        (head.replace("runbook/v1", "runbook/v2"), &["RB0008 1:13 `runbook/v2` is not a version of the format"]),
        (head.replace("Runbook", "runbook"), &["RB0009 2:7 `runbook` is not a kind of document"]),
        (head.replace("1.0.0", "1.0"), &["RB0017 4:10 `1.0` is not a version; write three numbers, such as `1.2.0`"]),
        (
            head.replace("name: a", "name: A b"),
            &["RB0014 3:7 `A b` is not a procedure name: a lower-case letter, then lower-case letters, digits, `-` and `_`"],
        ),
        (head.replace("name: a\n", ""), &["RB0011 1:1 a runbook has no `name`"]),
        (
            head.replace("Runbook", "Playbook"),
            &[
                "RB0011 1:1 a playbook has no `escalation`",
                "RB0011 1:1 a playbook has no `impact`",
                "RB0011 1:1 a playbook has no `owner`",
                "RB0011 1:1 a playbook has no `triggers`",
            ],
        ),
        (
            format!("{head}triggers: [{{source: a}}]\n"),
            &["RB0023 6:1 a runbook has no triggers: a person or another procedure starts it"],
        ),
        (format!("{head}reviewed: 2026-13-02\n"), &["RB0016 6:11 `2026-13-02` is not a date of the calendar"]),
        (format!("{head}impact: urgent\n"), &["RB0013 6:9 `urgent` is not a value of `impact`"]),
        (
            format!(
                "{head}secrets: {{a: {{env: A, file: b}}, c: {{}}, d: {{command: []}}, e: {{from: v}}, f: {{env: A, key: k}}}}\n"
            ),
            &[
                "RB0023 6:23 a secret has `env` or `file`, not both",
                "RB0011 6:36 a secret does not say where it comes from",
                "RB0019 6:53 `command` names no program",
                "RB0011 6:62 a secret has no `key`",
                "RB0023 6:84 `key` belongs to a secret `from` a provider",
            ],
        ),
        (
            format!("{head}defaults: {{timeout: 1h, retry: {{attempts: 3}}, env: {{A: inputs.a}}, shell: bash, dir: x}}\n"),
            &["RB0010 6:80 `defaults` has no key `dir`"],
        ),
        (
            format!("{head}outputs: {{A: x}}\n"),
            &["RB0014 6:11 `A` is not an identifier: a lower-case letter, then lower-case letters, digits and `_`"],
        ),
        (head.replace("[{run: x}]", "[]"), &["RB0019 5:8 `steps` has no step"]),
        (head.replace("[{run: x}]", "{run: x}"), &["RB0012 5:8 `steps` is a list of steps, not a map"]),
        (
            "apiVersion: runbook/v1\nkind: Test\nprocedure: a\ncases:\n  - {name: x, expect: {outcome: failed}}\n  - {name: x}\n  - {}\n"
                .to_owned(),
            &[
                "RB0011 6:6 a case has no `expect`",
                "RB0002 6:12 two cases have the same name",
                "RB0011 7:5 a case has no `expect`",
                "RB0011 7:5 a case has no `name`",
            ],
        ),
        (
            "apiVersion: runbook/v1\nkind: Test\nprocedure: a\ncases:\n  - {name: x, steps: {s: {fails: y, gives: null}}, cancel: {by: z}, from_setup: {n: 1}, setup: [], expect: {outcome: failed}}\n"
                .to_owned(),
            &[
                "RB0011 5:61 somebody who ends the run has no `after`",
                "RB0023 5:69 `from_setup` stands without `setup`",
                "RB0019 5:96 `setup` has no step",
            ],
        ),
    ] {
        assert_eq!(faults(&text), expect, "{text}");
    }
}

#[test]
fn each_fault_of_a_trigger_has_its_code() {
    let head = "apiVersion: runbook/v1\nkind: Playbook\nname: a\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\nsteps: [{run: x}]\n";
    for (rest, expect) in [
        ("triggers: [{source: a}]", &[][..]),
        ("triggers: []", &["RB0019 `triggers` names no event"]),
        ("triggers: [{when: event.a}]", &["RB0011 a trigger has no `source`"]),
        ("triggers: [{source: a, dedup: {key: event.id, window: 30m}, limit: {runs: 5, per: 10m, then: defer}}]", &[]),
        ("triggers: [{id: x, source: a}, {id: x, source: b}]", &["RB0002 the trigger `x` stands twice"]),
        (
            "triggers: [{source: a, environment: staging, accumulate: {events: 3, within: 5m}, quiet: [{days: [sat-sun], from: '00:00', to: '24:00'}]}]",
            &[],
        ),
        (
            "triggers: [{source: a, accumulate: {events: 1, key: event.id}, quiet: [{from: now}]}]",
            &[
                "RB0011 `accumulate` has no `within`",
                "RB0011 a window has no `to`",
                "RB0018 `events` is 1; it must be from 2 to 10000",
            ],
        ),
        (
            "triggers: [{source: a, dedup: {kee: event.id, window: 30}}]",
            &[
                "RB0010 `dedup` has no key `kee`",
                "RB0011 `dedup` has no `key`",
                "RB0015 `30` is not a duration; write a number and a unit, such as `30s`, `1h 30m` or `7d`",
            ],
        ),
        (
            "triggers: [{source: a, limit: {runs: 0, per: 0s, then: explode}}]",
            &[
                "RB0013 `explode` is not a value of `then`",
                "RB0018 `per` is no time at all",
                "RB0018 `runs` is 0; it must be from 1 to 10000",
            ],
        ),
        (
            "triggers: [{source: a, on_resolved: dance, correlate: {key: event.id}, concurrency: {key: event.id, then: skip}}]",
            &["RB0013 `dance` is not a value of `on_resolved`"],
        ),
        (
            "triggers: [{source: a}]\nconcurrency: {then: wait}\nmust: [{never: x}, {nevr: y}, 5, {always_before: {step: x, run: failed}}, {never: {}, comes: x}]",
            &[
                "RB0010 a property of `must` has no key `nevr`",
                "RB0011 `concurrency` has no `key`",
                "RB0011 a moment of `must` has no `step`",
                "RB0011 a property of `must` has no `comes`",
                "RB0011 a property of `must` has no `never`",
                "RB0012 a property of `must` is a map, not a whole number",
                "RB0013 `wait` is not a value of `then`",
                "RB0023 `comes` stands beside `always_before`",
                "RB0023 a moment of `must` has `step` or `run`, not both",
            ],
        ),
    ] {
        let mut found: Vec<String> =
            load(&format!("{head}{rest}\n")).1.iter().map(|fault| format!("{} {}", fault.code.as_str(), fault.message)).collect();
        found.sort();
        assert_eq!(found, expect, "{rest}");
    }
}

#[test]
fn code_keeps_its_lines() {
    for (step, expect) in [
        ("  - run: >\n      a\n      b\n", Some("RB0022 7:7")),
        ("  - run: a\n      b\n", Some("RB0022 6:10")),
        ("  - rhai: >-\n      a\n", Some("RB0022 7:7")),
        ("  - run: x\n    if: >\n      a\n", Some("RB0022 8:7")),
        ("  - run: |\n      a\n      b\n", None),
        ("  - run: x\n    if: a\n      && b\n", None),
        ("  - run: \"a\\u202eb\"\n", Some("RB0004 6:12")),
        ("  - run: \"a\\tb\"\n", None),
        ("  - exec: [\"a\u{a0}b\"]\n", Some("RB0004 6:14")),
        ("  - run: x\n    name: a\u{a0}b \u{1f469}\u{200d}\u{1f680}\n", None),
    ] {
        let found = faults(&with_steps(step));
        let places: Vec<String> = found.iter().map(|fault| fault.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(places.first().map(String::as_str), expect, "{step}: {found:?}");
        assert!(places.len() <= 1, "{step}: {found:?}");
    }
}

#[test]
fn suggestions_mend_what_they_are_about() {
    // Applying every suggestion of the file gives one without faults.
    for step in [
        "{run: x, timout: 5s}",
        "{rum: x}",
        "{script: x}",
        "name: fix: it\n    run: x",
        "run: {{run.id}} now",
        "{run: x, when: a}",
        "{run: x, retries: {attempts: 2}}",
        "{run: x, timeout: 30}",
        "{run: x, idempotent: yes}",
        "{run: x, effect: Read}",
        "{run: x, id: myStep}",
        "{exec: ls -l}",
        "{wait: 5m}",
        "{run: x, retry: 3}",
        "{run: x, retry: {attempts: '3'}}",
        "{http: {url: x, method: post}}",
        "{finish: {outcome: suceeded}}",
    ] {
        let mut text = with_steps(&format!("  - {step}\n"));
        let mut suggestions: Vec<_> = load(&text).1.into_iter().filter_map(|fault| fault.suggestion).collect();
        assert!(!suggestions.is_empty(), "{step}");
        suggestions.sort_by_key(|suggestion| std::cmp::Reverse(suggestion.span));
        suggestions.dedup();
        for suggestion in suggestions {
            text.replace_range(suggestion.span.start as usize..suggestion.span.end as usize, &suggestion.replacement);
        }
        assert_eq!(faults(&text), Vec::<String>::new(), "{step} became\n{text}");
    }
}

#[test]
fn a_broken_end_hides_nothing_before_it_and_invents_nothing_behind() {
    let text = "apiVersion: runbook/v1\nkind: Runbook\nname: A\nsteps:\n  - run: x\n    timout: 1s\n  - name: [open\n";
    let found = faults(text);
    let codes: Vec<&str> = found.iter().map(|fault| &fault[..6]).collect();
    assert_eq!(codes, ["RB0014", "RB0010", "RB0001"], "{found:?}");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let (source, document, diagnostics) = bytes("a.yaml", b"a: b\nc: \xff\xfe\n");
    assert!(document.is_none());
    let found = diagnostics.into_sorted();
    let [fault] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((fault.code, source.position(fault.span.start).line), (Code::RB0026, 2));
    let (_, document, diagnostics) = bytes("a.yaml", &vec![b' '; limits::DOCUMENT_BYTES + 1]);
    assert!(document.is_none());
    assert_eq!(diagnostics.into_sorted().first().map(|fault| fault.code), Some(Code::RB0003));
}

#[test]
fn too_many_faults_are_cut_short() {
    let keys: String = (0..50_000).map(|n| format!("key{n}: 1\n")).collect();
    let found = load(&format!("apiVersion: runbook/v1\nkind: Runbook\n{keys}")).1;
    assert_eq!(found.len(), limits::DIAGNOSTICS + 1);
    assert_eq!(found.last().map(|fault| fault.code), Some(Code::RB0005));
}

mod any_bytes {
    use proptest::prelude::*;

    /// Pieces that files are made of, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "apiVersion: runbook/v1\n",
            "kind: Runbook\n",
            "kind: Workspace\n",
            "kind: Test\n",
            "name: a\n",
            "version: 1.0.0\n",
            "steps:\n",
            "  - ",
            "run: ",
            "x\n",
            "    ",
            "undo:\n",
            "choose:\n",
            "- when: a\n",
            "steps: [",
            "]",
            "{",
            "}",
            ", ",
            ": ",
            "\n",
            "|\n",
            ">\n",
            "\"",
            "'",
            "\\",
            "&a ",
            "*a",
            "!t ",
            "? ",
            "---\n",
            "\t",
            "é",
            "\u{202e}",
            "\r\n",
            "# c\n",
            "inputs:\n",
            "  a: {type: integer, default: 1}\n",
            "wait: ",
            "each: ",
            "http: ",
            "parallel: ",
            "99999999999999999999",
            "1e999",
            "~",
            "pattern: '('",
            "%YAML 1.2\n",
            "<<: ",
        ]);
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    fn answers(bytes: &[u8]) {
        let (source, document, diagnostics) = super::bytes("any.yaml", bytes);
        assert!(document.is_some() || diagnostics.has_errors());
        for fault in diagnostics.into_sorted() {
            assert!(fault.span.start <= fault.span.end && fault.span.end as usize <= source.text.len() + 3, "{fault:?}");
            assert!(!fault.message.is_empty());
            crate::diagnostic::render::to_text(&fault, &source, crate::diagnostic::render::Look::Plain);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            answers(&bytes);
        }

        #[test]
        fn that_look_like_yaml_are_answered(text in pieces()) {
            answers(text.as_bytes());
        }

        #[test]
        fn of_a_damaged_procedure_are_answered(at in 0usize..2900, with in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = include_bytes!("tests/whole.yaml").to_vec();
            if cut { bytes.truncate(at) } else if let Some(byte) = bytes.get_mut(at) { *byte = with }
            answers(&bytes);
        }
    }
}

/// The fenced examples of a page, in order.
fn examples(page: &str) -> Vec<String> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn the_examples_of_the_pages_are_what_they_say() {
    for code in Code::ALL.iter().copied().filter(|code| code.as_str() < "RB0100") {
        let page = crate::diagnostic::explain(code);
        assert!(page.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{}", code.as_str());
        assert!(page.contains("\n## Why\n"), "{}", code.as_str());
        let examples = examples(page);
        assert!(matches!(examples.len(), 0 | 2), "{}: one wrong example and one right", code.as_str());
        for (example, is_wrong) in examples.iter().zip([true, false]) {
            let mut text = example.clone();
            for (key, line) in [
                ("steps:", "steps: [{run: x}]\n"),
                ("version:", "version: 1.0.0\n"),
                ("name:", "name: a\n"),
                ("kind:", "kind: Runbook\n"),
                ("apiVersion:", "apiVersion: runbook/v1\n"),
            ] {
                if !text.lines().any(|line| line.starts_with(key)) {
                    text.insert_str(0, line);
                }
            }
            let found = load(&text).1;
            if is_wrong {
                assert!(found.iter().any(|fault| fault.code == code), "{}: {found:?}", code.as_str());
            } else {
                assert_eq!(found, [], "{}", code.as_str());
            }
        }
    }
}
