//! What is loosened around steps that themselves stay as they are.

use super::{compare, compared, major, plan, text};

const HEAD: &str = "inputs: {n: {type: integer, default: 1}}\nsteps:\n";
const BACKUP: &str = "- {id: backup, exec: [backup], idempotent: true}\n";
const MIGRATE: &str = "- {id: migrate, exec: [migrate], undo: {id: back, exec: [back]}}\n";
const LOOK: &str = "- {id: look, exec: [look], effect: read}\n";

fn hold(cases: &[(&[&str], &[&str], &[&str])]) {
    for (old, new, expect) in cases {
        let text = |steps: &[&str]| format!("{HEAD}{}", steps.concat());
        assert_eq!(major(&compared(&text(old), &text(new))), *expect, "{new:?}");
    }
}

#[test]
fn a_whole_that_bears_a_failure_stops_nothing() {
    let around = |keys: &str| format!("- {{id: g, {keys}, group: [{}]}}\n", BACKUP.trim_start_matches("- ").trim_end());
    let undo = |undo: &str| MIGRATE.replace("{id: back, exec: [back]}", undo);
    hold(&[
        (&[BACKUP, MIGRATE], &[&around("on_failure: continue"), MIGRATE], &["g"]),
        (&[BACKUP, MIGRATE], &[&around("on_failure: {next: migrate}"), MIGRATE], &["g"]),
        (&[BACKUP, MIGRATE], &[&around("timeout: 5m"), MIGRATE], &[]),
        (
            &[LOOK, MIGRATE],
            &[
                &around("on_failure: continue")
                    .replace(BACKUP.trim_start_matches("- ").trim_end(), LOOK.trim_start_matches("- ").trim_end()),
                MIGRATE,
            ],
            &[],
        ),
        (&[MIGRATE], &[&undo("{id: g, on_failure: continue, group: [{id: back, exec: [back]}]}")], &["migrate~undo/g"]),
        (&[MIGRATE], &[&undo("{id: back, if: inputs.n > 100, exec: [back]}")], &["migrate~undo/back if"]),
    ]);
}

#[test]
fn a_loop_over_something_else_holds_back_only_sometimes() {
    let each =
        |items: &str, keys: &str, step: &str| format!("- {{id: e, each: {{in: '{items}', as: it{keys}, steps: [{step}]}}}}\n");
    let ask = "{id: go, approve: {question: Go?, within: 1h}}";
    let change = "{id: drain, exec: [drain], idempotent: true}";
    let look = "{id: look, exec: [look], effect: read}";
    hold(&[
        (&[&each("[1]", "", ask), MIGRATE], &[&each("[]", "", ask), MIGRATE], &["e items"]),
        (&[&each("[1]", "", look), MIGRATE], &[&each("[]", "", look), MIGRATE], &[]),
        (&[&each("[1]", "", change)], &[&each("[1]", ", max_parallel: 500", change)], &["e at once"]),
        (&[&each("[1]", ", max_parallel: 500", change)], &[&each("[1]", "", change)], &[]),
        (&[&each("[1]", "", look)], &[&each("[1]", ", max_parallel: 500", look)], &[]),
    ]);
}

#[test]
fn another_condition_tells_otherwise_what_took_place() {
    let verified = |verify: &str| format!("- {{id: m, exec: [m], irreversible: so, verify: {verify}}}\n");
    hold(&[
        (&[&verified("inputs.n == 1")], &[&verified("inputs.n != 1")], &["m verify"]),
        (&[&verified("{id: v, exec: [v], effect: read}")], &[&verified("{id: v, exec: [w], effect: read}")], &[]),
    ]);
}

#[test]
fn changes_come_in_their_order() {
    let parallel = format!("- id: p\n  parallel:\n    a:\n    {BACKUP}    b:\n    {MIGRATE}");
    let calm = format!("- id: p\n  parallel:\n    a:\n    {BACKUP}    b:\n    {LOOK}");
    let (backup, migrate) = (BACKUP.trim_end(), MIGRATE.trim_end());
    let fork = |of: &str, a: &str, b: &str| {
        format!("- id: p\n{of}  parallel:\n    a:\n    {a}\n    b:\n    {b}\n    - {{id: other, exec: [o], effect: read}}\n")
    };
    let around = |id: &str, step: &str| format!("- {{id: {id}, group: [{}]}}\n", step.trim_start_matches("- "));
    let look = "- {id: first, exec: [f], effect: read}";
    hold(&[
        // Out of the list that both stood in.
        (&[BACKUP, MIGRATE], &[&around("g", migrate), BACKUP], &["g/migrate"]),
        (&[BACKUP, MIGRATE], &[BACKUP, &around("g", migrate)], &[]),
        (&[BACKUP, &around("g", migrate)], &[&around("g", migrate), BACKUP], &["g"]),
        (&[LOOK, &around("g", migrate)], &[&around("g", migrate), LOOK], &[]),
        // Into a whole that was there.
        (&[&fork("", look, backup), MIGRATE], &[&fork("", migrate, backup)], &["p.a/migrate"]),
        (&[&fork("", migrate, backup)], &[&fork("", look, backup), MIGRATE], &[]),
        (&[&fork("", migrate, backup)], &[&fork("", backup, migrate)], &[]),
        (&[&fork("", look, backup), MIGRATE], &[&fork("  max_parallel: 1\n", look, backup), MIGRATE], &[]),
    ]);
    hold(&[
        (&[BACKUP, MIGRATE], &[MIGRATE, BACKUP], &["migrate"]),
        (&[LOOK, MIGRATE], &[MIGRATE, LOOK], &[]),
        (&[BACKUP, MIGRATE], &[&parallel], &["p.a/backup", "p.b/migrate"]),
        (&[BACKUP, LOOK], &[&calm], &[]),
    ]);
    let each = |keys: &str, steps: &str| format!("- id: e\n  each:\n    in: '[1, 2]'\n{keys}    steps:\n    {steps}");
    let both = format!("{BACKUP}    {MIGRATE}");
    let many = "    max_parallel: 3\n";
    hold(&[
        // One item's last step beside another's first.
        (&[BACKUP, MIGRATE], &[&each(many, &both)], &["e", "e/backup", "e/migrate"]),
        (&[BACKUP, MIGRATE], &[&each("    batches: [1, 2]\n", &both)], &["e", "e/backup", "e/migrate"]),
        (&[BACKUP, MIGRATE], &[&each("", &both)], &[]),
        (&[BACKUP, LOOK], &[&each(many, LOOK), BACKUP], &[]),
        // It is not beside anything, but more of it is done at once.
        (&[BACKUP, MIGRATE], &[BACKUP, &each(many, MIGRATE)], &["e"]),
        (&[&each(many, &both)], &[BACKUP, MIGRATE], &[]),
    ]);
}

/// Nobody touches the condition, and it is another one all the same.
#[test]
fn what_a_condition_rests_on_is_part_of_it() {
    let inputs = |spec: &str| format!("inputs: {{n: {{type: integer, default: 1}}, sure: {{type: boolean{spec}}}}}\nsteps:\n");
    let (off, on, optional) = (inputs(", default: false"), inputs(", default: true"), inputs(", required: false"));
    let ask = "- {id: go, if: inputs.sure, approve: {question: Go?, within: 1h}}\n";
    let through = "- {id: p, set: {ask: inputs.sure, word: '\"x\"'}}\n";
    let value = |value: &str| format!("- {{id: p, set: {{ask: {value}, word: '\"x\"'}}}}\n");
    let asked = "- {id: go, if: steps.p.ask, approve: {question: Go?, within: 1h}}\n";
    let gives = |value: &str| format!("- {{id: p, exec: [p], effect: read, outputs: {{ask: {value}}}}}\n");
    let change = |when: &str| format!("- {{id: m, if: {when}, exec: [m], undo: {{exec: [b]}}}}\n");
    for (old, new, steps, expect) in [
        (&on, &off, vec![ask, MIGRATE], vec!["input sure"]),
        (&off, &on, vec![ask, MIGRATE], vec!["input sure"]),
        (&on, &optional, vec!["- {id: go, if: inputs.sure == true, approve: {question: Go?, within: 1h}}\n"], vec!["input sure"]),
        // Around it, and through what is set of it.
        (&on, &off, vec!["- {id: g, if: inputs.sure, group: [{id: go, manual: Do it.}]}\n"], vec!["input sure"]),
        (&on, &off, vec!["- {id: g, choose: [{when: inputs.sure, steps: [{id: go, manual: Do it.}]}]}\n"], vec!["input sure"]),
        (&on, &off, vec![through, asked], vec!["input sure"]),
        (
            &on,
            &off,
            vec!["- {id: p, if: inputs.sure, set: {a: '1'}}\n", "- {id: go, if: '\"p\" in steps', manual: Do.}\n"],
            vec!["input sure"],
        ),
        (&on, &off, vec!["- {id: go, check: [{that: inputs.sure}]}\n"], vec!["input sure"]),
        (&on, &off, vec![&change("inputs.sure")], vec!["input sure"]),
        // It holds nothing back, and changes nothing.
        (&on, &off, vec!["- {id: l, if: inputs.sure, exec: [l], effect: read}\n", MIGRATE], vec![]),
        (&on, &off, vec!["- {id: l, exec: [l, '{{inputs.sure}}'], irreversible: so}\n"], vec![]),
        (&inputs(""), &off, vec![ask], vec![]),
    ] {
        let text = |head: &str| format!("{head}{}", steps.concat());
        assert_eq!(major(&compared(&text(old), &text(new))), expect, "{steps:?}");
    }
    hold(&[
        (&[&value("inputs.n > 0"), asked], &[&value("false"), asked], &["p value ask"]),
        (&[&value("true"), LOOK], &[&value("false"), LOOK], &[]),
        (&[&gives("result.exit_code == 0"), asked], &[&gives("true"), asked], &["p output ask"]),
        (&[&gives("result.exit_code == 0"), LOOK], &[&gives("true"), LOOK], &[]),
    ]);
}

#[test]
fn what_decides_in_a_called_procedure_decides_where_it_is_given() {
    let called = "apiVersion: runbook/v1\nkind: Runbook\nname: b\nversion: 1.0.0\ninputs: {sure: {type: boolean, default: true}, word: {type: string, default: x}}\nsteps:\n- {id: go, if: inputs.sure, approve: {question: 'Go, {{inputs.word}}?', within: 1h}}\n- {id: x, set: {ok: inputs.sure}}\noutputs: {ok: steps.x.ok, word: inputs.word}\n";
    let main = |with: &str, rest: &str| {
        text("1.0.0", &format!("inputs: {{n: {{type: integer, default: 1}}}}\nsteps:\n- {{id: c, call: b@^1{with}}}\n{rest}"))
    };
    let compared = |old: &str, new: &str, rest: &str| {
        let plan = |with: &str| plan(&[&main(with, rest), called], None);
        major(&compare(&plan(old), &plan(new)))
    };
    let checked = "- {id: k, check: [{that: steps.c.word == \"x\"}]}\n";
    for (old, new, rest, expect) in [
        (", with: {sure: 'true'}", ", with: {sure: 'false'}", "", vec!["c with sure"]),
        ("", ", with: {sure: 'false'}", "", vec!["c with sure"]),
        (", with: {word: '\"x\"'}", ", with: {word: '\"y\"'}", "", vec![]),
        (", with: {sure: inputs.n > 1}", ", with: {sure: inputs.n > 2}", checked, vec!["c with sure"]),
    ] {
        assert_eq!(compared(old, new, rest), expect, "{old} {new} {rest}");
    }
    // The default of an input of the caller, through both.
    let given = |default: &str| {
        let head = format!("inputs: {{n: {{type: integer, default: {default}}}, w: {{type: string, default: w{default}}}}}\n");
        let steps = format!("steps:\n- {{id: c, call: b@^1, with: {{sure: inputs.n > 1, word: inputs.w}}}}\n{checked}");
        plan(&[&text("1.0.0", &format!("{head}{steps}")), called], None)
    };
    assert_eq!(major(&compare(&given("1"), &given("2"))), ["input n", "input w"]);
}

/// Nobody touches the condition, nor what it reads, and what it reads is there at other times, or is another all the same.
#[test]
fn what_is_read_rests_on_what_stands_around_it() {
    let head = |spec: &str| format!("inputs: {{{spec}, n: {{type: integer, default: 1}}}}\nsteps:\n");
    let sure = |default: bool| head(&format!("sure: {{type: boolean, default: {default}}}"));
    let hosts = |default: &str| head(&format!("hosts: {{type: list, items: {{type: string}}, default: [{default}]}}"));
    let (go, set) = ("- {id: go, if: '\"p\" in steps', manual: Do.}\n", "{id: p, set: {a: '1'}}");
    let group = format!("- {{id: g, if: inputs.sure, group: [{set}]}}\n");
    let fork = format!("- {{id: g, if: inputs.sure, parallel: {{l: [{set}], r: [{{id: q, set: {{b: '1'}}}}]}}}}\n");
    let choose = format!("- {{id: g, choose: [{{when: inputs.sure, steps: [{set}]}}]}}\n");
    let deep = format!("- {{id: g, choose: [{{when: inputs.sure, steps: [{{id: h, group: [{set}]}}]}}]}}\n");
    let jump = format!("- {{id: j, if: inputs.sure, set: {{b: '1'}}, next: go}}\n- {set}\n");
    for steps in [&group, &fork, &choose, &deep, &jump] {
        for (reader, expect) in [(go, vec!["input sure"]), (LOOK, vec![])] {
            let text = |default| format!("{}{steps}{}{MIGRATE}", sure(default), reader.replace("look", "go"));
            assert_eq!(major(&compared(&text(true), &text(false))), expect, "{steps}{reader}");
        }
    }
    // Of the items of an `each`: as many as there are, each by itself, and where it stands among them.
    let each = |items: &str, inside: &str| format!("- {{id: e, each: {{in: {items}, as: h, steps: [{inside}]}}}}\n");
    let ok = "{id: p, set: {ok: h != \"x\"}}";
    let all = "- {id: go, check: [{that: 'steps.e.all(|r| r.p.ok)'}]}\n";
    let some = |when: &str| format!("{{id: m, if: '{when}', exec: [m], undo: {{exec: [b]}}}}");
    let nested = format!("{{id: f, each: {{in: '[h]', as: k, steps: [{}]}}}}", some("k != \"x\""));
    for (steps, expect) in [
        (format!("{}{all}{MIGRATE}", each("inputs.hosts", ok)), vec!["input hosts"]),
        (format!("{}{LOOK}{MIGRATE}", each("inputs.hosts", ok)), vec![]),
        (each("inputs.hosts", &some("h != \"a\"")), vec!["input hosts"]),
        (each("inputs.hosts", &some("index > 0")), vec!["input hosts"]),
        (each("inputs.hosts", &nested), vec!["input hosts"]),
        (each("inputs.hosts", &some("inputs.n > 0")), vec![]),
    ] {
        let text = |default: &str| format!("{}{steps}", hosts(default));
        assert_eq!(major(&compared(&text("a"), &text("b"))), expect, "{steps}");
    }
    let (a, b) = ("'[\"a\"]'", "'[\"b\"]'");
    let value = |value: &str| format!("{{id: p, set: {{ok: '{value}'}}}}");
    let plain = format!("- {set}\n");
    let otherwise = |condition: &str| plain.replace("id: p", &format!("id: p, if: {condition}"));
    let jumps = |next: &str| format!("- {{id: j, if: inputs.n > 5, set: {{b: '1'}}{next}}}\n");
    let at_end = format!("{}- {{id: end, set: {{c: '1'}}}}\n", MIGRATE);
    hold(&[
        (&[&each(a, ok), all, MIGRATE], &[&each(b, ok), all, MIGRATE], &["e items"]),
        (&[&each(a, &some("h != \"a\""))], &[&each(b, &some("h != \"a\""))], &["e items"]),
        (&[&each(a, &some("true"))], &[&each(b, &some("true"))], &[]),
        (&[&each(a, &value("h != \"x\"")), all, MIGRATE], &[&each(a, &value("true")), all, MIGRATE], &["e/p value ok"]),
        // The condition itself is said otherwise, or is new, gone, or elsewhere.
        (&[&otherwise("inputs.n > 1"), go, MIGRATE], &[&otherwise("inputs.n > 2"), go, MIGRATE], &["p if"]),
        (&[&plain, go, MIGRATE], &[&otherwise("inputs.n > 2"), go, MIGRATE], &["p if"]),
        (&[&otherwise("inputs.n > 1"), go, MIGRATE], &[&plain, go, MIGRATE], &["p if"]),
        (&[&plain, LOOK, MIGRATE], &[&otherwise("inputs.n > 2"), LOOK, MIGRATE], &[]),
        (&[&plain, go, MIGRATE], &[&group.replace("sure", "n > 1"), go, MIGRATE], &["g/p under"]),
        (&[&plain, go, MIGRATE], &[&group.replace("if: inputs.sure, ", ""), go, MIGRATE], &[]),
        (&[&plain, LOOK, MIGRATE], &[&group.replace("sure", "n > 1"), LOOK, MIGRATE], &[]),
        (&[&group.replace("sure", "n > 1"), go, MIGRATE], &[&group.replace("sure", "n > 2"), go, MIGRATE], &["g if"]),
        (&[&choose.replace("sure", "n > 1"), go, MIGRATE], &[&choose.replace("sure", "n > 2"), go, MIGRATE], &["g branches"]),
        // It is passed over, and its reader is not.
        (&[&jumps(""), &plain, go, &at_end], &[&jumps(", next: go"), &plain, go, &at_end], &["p passed over by"]),
        (&[&plain, go, &at_end], &[&jumps(", next: go"), &plain, go, &at_end], &["p passed over by"]),
        (&[&jumps(", next: go"), &plain, go, &at_end], &[&jumps(""), &plain, go, &at_end], &[]),
        (&[&jumps(""), &plain, go, &at_end], &[&jumps(", next: end"), &plain, go, &at_end], &[]),
    ]);
}

/// A failure in the whole keeps the step from running, and its reader runs.
#[test]
fn what_stands_before_a_step_that_is_read_is_part_of_the_way_to_it() {
    let (gate, set) = ("{id: c, check: [{that: inputs.n > 1}]}", "{id: r, set: {a: '1'}}");
    let deep = format!("{{id: d, group: [{gate}]}}");
    let end = "{id: f, if: inputs.n > 1, finish: {outcome: succeeded}}";
    let look = "{id: look, exec: [look], effect: read}";
    let whole = |keys: &str, steps: &[&str]| format!("- {{id: g{keys}, group: [{}]}}\n", steps.join(", "));
    let bears = |steps: &[&str]| whole(", on_failure: continue", steps);
    let outer = |steps: &[&str]| format!("- {{id: o, on_failure: continue, group: [{}]}}\n", &whole("", steps).trim_end()[2..]);
    let m = "- {id: m, if: '\"r\" in steps', exec: [m], undo: {exec: [b]}}\n";
    let each =
        |most: &str, steps: &[&str]| format!("- {{id: e, each: {{in: '[1, 2]', as: k{most}, steps: [{}]}}}}\n", steps.join(", "));
    let all = "- {id: go, check: [{that: 'steps.e.all(|i| \"r\" in i)'}]}\n";
    let finally = format!("finally:\n{m}");
    let (first, then) = (format!("- {gate}\n"), format!("- {set}\n"));
    hold(&[
        (&[&bears(&[gate, set]), m], &[&bears(&[set, gate]), m], &["g/r held back by"]),
        (&[&bears(&[set, gate]), m], &[&bears(&[gate, set]), m], &["g/c"]),
        (&[&bears(&[&deep, set]), m], &[&bears(&[set, &deep]), m], &["g/r held back by"]),
        (&[&outer(&[gate, set]), m], &[&outer(&[set, gate]), m], &["o/g/r held back by"]),
        (&[&bears(&[set]), m], &[&bears(&[gate, set]), m], &["g/r held back by"]),
        (&[&bears(&[gate, set]), m], &[&bears(&[gate]), &then, m], &["r held back by"]),
        (
            &[&each(", max_failures: 1", &[gate, set]), all, MIGRATE],
            &[&each(", max_failures: 1", &[set, gate]), all, MIGRATE],
            &["e/r held back by"],
        ),
        (&[&first, &then, &finally], &[&then, &first, &finally], &["r held back by"]),
        // Where it fails the reader does not run either, or nobody reads it.
        (&[&whole("", &[gate, set]), m], &[&whole("", &[set, gate]), m], &[]),
        (&[&each("", &[gate, set]), all, MIGRATE], &[&each("", &[set, gate]), all, MIGRATE], &[]),
        (&[&bears(&[end, set]), m], &[&bears(&[set, end]), m], &[]),
        (&[&first, &then, m], &[&then, &first, m], &[]),
        (&[&bears(&[gate, set]), MIGRATE], &[&bears(&[set, gate]), MIGRATE], &[]),
        (&[&bears(&[look, set]), m], &[&bears(&[set, look]), m], &[]),
        (&[&bears(&[gate, set]), m], &[&whole("", &[gate, set]), m], &[]),
        // What is told of the gate, or of the whole, is told once.
        (&[&bears(&[gate, set]), m], &[&bears(&[set]), m], &["g/c"]),
        (&[&whole("", &[gate, set]), m], &[&bears(&[gate, set]), m], &["g on failure"]),
    ]);
}

#[test]
fn whoever_asks_whether_a_step_ran_reads_none_of_its_values() {
    let (asks, reads) = ("- {id: go, if: '\"p\" in steps', manual: Do.}\n", "- {id: go, if: steps.p.a == 1, manual: Do.}\n");
    let both = "- {id: go, if: '\"p\" in steps && steps.p.a == 1', manual: Do.}\n";
    let set = |value: &str| format!("- {{id: p, set: {{a: {value}}}}}\n");
    let script = |value: &str| format!("- {{id: p, rhai: '#{{a: {value}}}'}}\n");
    let gives = |value: &str| format!("- {{id: p, exec: [p], effect: read, outputs: {{a: {value}}}}}\n");
    let each = |items: &str| format!("- {{id: p, each: {{in: '{items}', as: k, steps: [{{id: q, set: {{b: k}}}}]}}}}\n");
    let through = |condition: &str| {
        format!("- {{id: s, if: {condition}, set: {{b: '1'}}}}\n- {{id: p, if: '\"s\" in steps', set: {{a: '1'}}}}\n")
    };
    hold(&[
        (&[&set("'1'"), asks, MIGRATE], &[&set("'2'"), asks, MIGRATE], &[]),
        (&[&script("1"), asks, MIGRATE], &[&script("2"), asks, MIGRATE], &[]),
        (&[&gives("result.stdout"), asks, MIGRATE], &[&gives("result.stderr"), asks, MIGRATE], &[]),
        (&[&each("[1]"), asks, MIGRATE], &[&each("[2]"), asks, MIGRATE], &[]),
        (&[&set("'1'"), reads, MIGRATE], &[&set("'2'"), reads, MIGRATE], &["p value a"]),
        (&[&set("'1'"), both, MIGRATE], &[&set("'2'"), both, MIGRATE], &["p value a"]),
        (
            &[&set("'1'"), asks, reads.replace("id: go", "id: on").as_str(), MIGRATE],
            &[&set("'2'"), asks, reads.replace("id: go", "id: on").as_str(), MIGRATE],
            &["p value a"],
        ),
        (&[&through("inputs.n > 1"), asks, MIGRATE], &[&through("inputs.n > 2"), asks, MIGRATE], &["s if"]),
    ]);
}

#[test]
fn what_a_called_procedure_gives_decides_in_it() {
    let called = |name: &str, step: &str, output: &str| {
        let inputs = "inputs: {word: {type: string, default: x}, other: {type: string, default: y}}";
        format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 1.0.0\n{inputs}\nsteps:\n- {{id: x, {step}}}\noutputs: {{word: {output}, other: inputs.other}}\n"
        )
    };
    let set = "set: {v: inputs.word}";
    let b = called("b", set, "steps.x.v");
    let through = |with: &str| called("t", &format!("call: b@^1{with}"), "steps.x.word");
    let main = |call: &str, read: &str| {
        let inputs = "inputs: {w: {type: string, default: x}}";
        text("1.0.0", &format!("{inputs}\nsteps:\n- {{id: c, call: {call}}}\n- {{id: go, {read}}}\n{MIGRATE}"))
    };
    let check = "check: [{that: steps.c.word == \"x\"}]";
    let asked = "if: steps.c.word == \"x\", approve: {question: Go?, within: 1h}";
    let covered = "outputs: {word: result.other}";
    let calls = |with: &str| main(&format!("b@^1, with: {{{with}}}"), check);
    for (old, new, expect) in [
        // What the call gives the procedure.
        (vec![calls("word: '\"x\"'"), b.clone()], vec![calls("word: '\"y\"'"), b.clone()], vec!["c with word"]),
        (vec![calls("word: '\"x\"'"), b.clone()], vec![calls("other: '\"y\"'"), b.clone()], vec!["c with word"]),
        (vec![calls("other: '\"x\"'"), b.clone()], vec![calls("other: '\"y\"'"), b.clone()], vec![]),
        // What it does with it.
        (
            vec![main("b@^1", check), b.clone()],
            vec![main("b@^1", check), called("b", "set: {v: '\"x\"'}", "steps.x.v")],
            vec!["x value v"],
        ),
        (
            vec![main("b@^1", asked), b.clone()],
            vec![main("b@^1", asked), called("b", "set: {v: '\"x\"'}", "steps.x.v")],
            vec!["x value v"],
        ),
        (vec![main("b@^1", check), b.clone()], vec![main("b@^1", check), called("b", set, "inputs.word")], vec!["output word"]),
        (
            vec![main("b@^1", check), b.clone()],
            vec![main("b@^1", check), b.replace("default: x", "default: z")],
            vec!["input word"],
        ),
        (vec![main("b@^1", check), b.clone()], vec![main("b@^1", check), b.replace("default: y", "default: z")], vec![]),
        (
            vec![main("b@^1", "exec: [a], effect: read"), b.clone()],
            vec![main("b@^1", "exec: [a], effect: read"), called("b", set, "inputs.word")],
            vec![],
        ),
        // Through a call in between.
        (
            vec![main("t@^1", check), through(", with: {word: inputs.word}"), b.clone()],
            vec![main("t@^1", check), through(", with: {word: inputs.other}"), b.clone()],
            vec!["x with word"],
        ),
        (
            vec![main("t@^1", check), through(""), b.clone()],
            vec![main("t@^1", check), through(""), called("b", "set: {v: '\"x\"'}", "steps.x.v")],
            vec!["x value v"],
        ),
        // What the caller makes of it.
        (
            vec![main(&format!("b@^1, {covered}"), check), b.clone()],
            vec![main("b@^1, outputs: {word: result.word}", check), b.clone()],
            vec!["c output word"],
        ),
        (
            vec![main(&format!("b@^1, {covered}"), check), b.clone()],
            vec![main(&format!("b@^1, {covered}"), check), b.replace("default: y", "default: z")],
            vec!["input other"],
        ),
        (
            vec![main(&format!("b@^1, {covered}"), check), b.clone()],
            vec![main(&format!("b@^1, {covered}"), check), called("b", "set: {v: '\"x\"'}", "steps.x.v")],
            vec![],
        ),
        // Another procedure.
        (vec![main("b@^1", check), b.clone()], vec![main("d@^1", check), called("d", set, "steps.x.v")], vec!["c procedure"]),
    ] {
        let plan = |texts: &[String]| plan(&texts.iter().map(String::as_str).collect::<Vec<_>>(), None);
        assert_eq!(major(&compare(&plan(&old), &plan(&new))), expect, "{old:#?}\n{new:#?}");
    }
}

#[test]
fn another_version_of_what_is_called_loosens_its_callers() {
    let called = |name: &str, version: &str, rest: &str| {
        format!("apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: {version}\n{rest}")
    };
    let gate = "- {id: go, approve: {question: Go?, within: 1h}}\n";
    let b = |version: &str, steps: &[&str]| called("b", version, &format!("steps:\n{}", steps.concat()));
    let t = |version: &str, of: &str| called("t", version, &format!("steps:\n- {{id: x, call: b@^{of}}}\n"));
    let takes = |version: &str, input: &str| {
        called(
            "b",
            version,
            &format!("inputs: {{{input}: {{type: string, default: x}}}}\nlock: l-{{{{inputs.{input}}}}}\nsteps:\n{MIGRATE}"),
        )
    };
    let main = |call: &str| text("1.0.0", &format!("steps:\n- {{id: c, call: {call}}}\n"));
    for (old, new, expect) in [
        (vec![main("b@^1"), b("1.0.0", &[gate, MIGRATE])], vec![main("b@^2"), b("2.0.0", &[MIGRATE])], vec!["c procedure", "go"]),
        (vec![main("b@^1"), b("1.0.0", &[MIGRATE])], vec![main("b@^2"), b("2.0.0", &[gate, MIGRATE])], vec![]),
        // What it takes is between the two.
        (vec![main("b@^1"), takes("1.0.0", "w")], vec![main("b@^2"), takes("2.0.0", "v")], vec!["lock", "input w"]),
        // It should have been raised itself.
        (vec![main("b@^1"), b("1.0.0", &[gate, MIGRATE])], vec![main("b@^1"), b("1.1.0", &[MIGRATE])], vec!["go"]),
        (
            vec![main("t@^1"), t("1.0.0", "1"), b("1.0.0", &[gate, MIGRATE])],
            vec![main("t@^2"), t("2.0.0", "2"), b("2.0.0", &[MIGRATE])],
            vec!["c procedure", "go", "x procedure"],
        ),
    ] {
        let plan = |texts: &[String]| plan(&texts.iter().map(String::as_str).collect::<Vec<_>>(), None);
        assert_eq!(major(&compare(&plan(&old), &plan(&new))), expect, "{old:#?}\n{new:#?}");
    }
}

#[test]
fn what_the_items_of_a_list_are_is_told_apart_from_the_list() {
    let head =
        |items: &str, most: u32| format!("inputs: {{l: {{type: list, items: {{type: {items}}}, max: {most}}}}}\nsteps:\n{LOOK}");
    for (items, of) in [
        ("string", "list of string"),
        ("'integer', min: 3", "list of (integer, at least 3)"),
        ("list, items: {type: boolean}", "list of list of boolean"),
    ] {
        let comparison = compared(&head(items, 5), &head(items, 50));
        let told = super::told(&comparison);
        assert_eq!(told, [format!("input l: {of}, required, at most 5 → {of}, required, at most 50 (minor)")]);
    }
}
