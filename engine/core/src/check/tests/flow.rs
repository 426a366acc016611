//! What a place can read of the steps around it, and which steps are reached.

use super::said;

const LOOK: &str = "effect: read, exec: [look]";

#[test]
fn a_place_reads_what_has_run_there() {
    let read = |id: &str| format!("{{check: [{{that: steps.{id}.exit_code == 0}}]}}");
    for (case, steps, expect) in [
        ("a step before", format!("[{{id: a, {LOOK}}}, {}]", read("a")), ""),
        ("a step in a group before", format!("[{{group: [{{id: a, {LOOK}}}]}}, {}]", read("a")), ""),
        ("a conditional group", format!("[{{if: now.year > 1, group: [{{id: a, {LOOK}}}]}}, {}]", read("a")), "RB0107"),
        ("a group that may fail", format!("[{{on_failure: continue, group: [{{id: a, {LOOK}}}]}}, {}]", read("a")), "RB0107"),
        ("a branch of parallel before", format!("[{{parallel: {{l: [{{id: a, {LOOK}}}]}}}}, {}]", read("a")), ""),
        ("the other branch of parallel", format!("[{{parallel: {{l: [{{id: a, {LOOK}}}], r: [{}]}}}}]", read("a")), "RB0106"),
        (
            "whether the other branch of parallel has run",
            format!("[{{parallel: {{l: [{{group: [{{id: a, {LOOK}}}]}}], r: [{{if: '\"a\" in steps', {LOOK}}}]}}}}]"),
            "RB0106",
        ),
        (
            "whether its own branch has",
            format!("[{{parallel: {{l: [{{id: a, {LOOK}}}, {{if: '\"a\" in steps', {LOOK}}}], r: [{{{LOOK}}}]}}}}]"),
            "",
        ),
        ("all that steps have given", format!("[{{id: a, {LOOK}}}, {{check: [{{that: steps.len() == 1}}]}}]"), ""),
        (
            "all of them, beside others",
            format!("[{{parallel: {{l: [{{id: a, {LOOK}}}], r: [{{check: [{{that: steps.len() == 1}}]}}]}}}}]"),
            "RB0106",
        ),
        (
            "all of them in a text, beside others",
            format!("[{{parallel: {{l: [{{id: a, {LOOK}}}], r: [{{effect: read, exec: [x, '{{{{json steps}}}}']}}]}}}}]"),
            "RB0106",
        ),
        ("a round before", format!("[{{repeat: {{until: 'true', times: 2, steps: [{{id: a, {LOOK}}}]}}}}, {}]", read("a")), ""),
        (
            "the round at hand, at its end",
            format!("[{{repeat: {{until: steps.a.exit_code == 0, times: 2, steps: [{{id: a, {LOOK}}}]}}}}]"),
            "",
        ),
        ("an item", format!("[{{each: {{in: '[1]', steps: [{{id: a, {LOOK}}}, {}]}}}}]", read("a")), ""),
        ("an item, from outside", format!("[{{each: {{in: '[1]', steps: [{{id: a, {LOOK}}}]}}}}, {}]", read("a")), "RB0106"),
        (
            "all items, from outside",
            format!("[{{id: e, each: {{in: '[1]', steps: [{{id: a, {LOOK}}}]}}}}, {{check: [{{that: steps.e.len() == 1}}]}}]"),
            "",
        ),
        (
            "the only branch that goes on",
            format!(
                "[{{choose: [{{when: now.year > 1, steps: [{{id: a, {LOOK}}}]}}, {{otherwise: [{{finish: {{outcome: failed}}}}]}}]}}, {}]",
                read("a")
            ),
            "",
        ),
        (
            "one branch of two that go on",
            format!(
                "[{{choose: [{{when: now.year > 1, steps: [{{id: a, {LOOK}}}]}}, {{otherwise: [{{{LOOK}}}]}}]}}, {}]",
                read("a")
            ),
            "RB0107",
        ),
        (
            "a branch without another",
            format!("[{{choose: [{{when: now.year > 1, steps: [{{id: a, {LOOK}}}]}}]}}, {}]", read("a")),
            "RB0107",
        ),
        ("a later step", format!("[{}, {{id: a, {LOOK}}}]", read("a")), "RB0105"),
        ("a later step in a group", format!("[{}, {{group: [{{id: a, {LOOK}}}]}}]", read("a")), "RB0105"),
        ("a later item", format!("[{}, {{each: {{in: '[1]', steps: [{{id: a, {LOOK}}}]}}}}]", read("a")), "RB0105"),
        ("the group around", format!("[{{id: g, group: [{}]}}]", read("g")), "RB0105"),
        ("itself", "[{id: a, effect: read, exec: [look, '{{steps.a.stdout}}']}]".to_owned(), "RB0105"),
        (
            "its own outputs",
            format!("[{{id: a, {LOOK}, outputs: {{n: result.exit_code + 1}}}}, {{check: [{{that: steps.a.n == 1}}]}}]"),
            "",
        ),
        (
            "what a jump leaves out",
            format!(
                "[{{{LOOK}, if: now.year > 1, next: c}}, {{id: a, {LOOK}}}, {{id: c, check: [{{that: steps.a.exit_code == 0}}]}}]"
            ),
            "RB0107",
        ),
        (
            "what a jump lands behind",
            format!("[{{{LOOK}, if: now.year > 1, next: b}}, {{id: a, {LOOK}}}, {{id: b, {LOOK}}}, {}]", read("b")),
            "",
        ),
        (
            "what a failure leaves out",
            format!(
                "[{{{LOOK}, on_failure: {{next: c}}}}, {{id: a, {LOOK}}}, {{id: c, check: [{{that: steps.a.exit_code == 0}}]}}]"
            ),
            "RB0107",
        ),
        (
            "within what is jumped over",
            format!("[{{{LOOK}, if: now.year > 1, next: c}}, {{id: a, {LOOK}}}, {}, {{id: c, {LOOK}}}]", read("a")),
            "",
        ),
        ("an undo reads its step", "[{id: a, exec: [x], undo: {exec: [y, '{{steps.a.stdout}}']}}]".to_owned(), ""),
        (
            "an undo reads a later step",
            format!("[{{id: a, exec: [x], undo: {{exec: [y, '{{{{steps.b.stdout}}}}']}}}}, {{id: b, {LOOK}}}]"),
            "RB0105",
        ),
        (
            "an undo is read",
            "[{id: a, exec: [x], undo: {id: u, exec: [y]}}, {effect: read, exec: [z, '{{steps.u.stdout}}']}]".to_owned(),
            "RB0106",
        ),
        (
            "a probe, by its wait",
            format!("[{{wait: {{until: steps.p.exit_code == 0, within: 1m, probe: {{id: p, {LOOK}}}}}}}, {}]", read("p")),
            "",
        ),
        (
            "asked for",
            format!("[{{id: a, if: now.year > 1, {LOOK}}}, {{if: '\"a\" in steps && steps.a.exit_code == 0', {LOOK}}}]"),
            "",
        ),
        (
            "on the same condition",
            format!(
                "[{{id: a, if: now.year > 1, {LOOK}}}, {{if: now.year > 1, effect: read, exec: [x, '{{{{steps.a.stdout}}}}']}}]"
            ),
            "",
        ),
        (
            "on a condition of its own branch",
            format!("[{{id: a, if: now.year > 1, {LOOK}}}, {{choose: [{{when: '\"a\" in steps', steps: [{}]}}]}}]", read("a")),
            "",
        ),
    ] {
        let said = said(&format!("steps: {steps}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{case}: {steps}\n{said:#?}");
    }
}

#[test]
fn the_lists_beside_the_steps_read_what_may_have_run() {
    for (case, tail, expect) in [
        ("finally", "finally: [{effect: read, exec: [x, '{{steps.a.stdout}}']}]", "RB0107"),
        ("finally, asked", "finally: [{effect: read, if: '\"a\" in steps', exec: [x, '{{steps.a.stdout}}']}]", ""),
        (
            "finally, after success",
            "finally: [{effect: read, if: 'run.outcome == \"succeeded\"', exec: [x, '{{steps.a.stdout}}']}]",
            "",
        ),
        ("on_failure", "on_failure: [{effect: read, exec: [x, '{{steps.a.stdout}}']}]", "RB0107"),
        ("outputs", "outputs: {a: steps.a.stdout}", ""),
        ("all of the steps", "outputs: {a: steps.keys()}", ""),
        ("the lock", "lock: 'x/{{steps.a.stdout}}'", "RB0118"),
        ("the outcome, too early", "on_failure: [{effect: read, exec: [x, '{{run.outcome}}']}]", "RB0118"),
        ("the outcome, in a group of finally", "finally: [{group: [{effect: read, exec: [x, '{{run.outcome}}']}]}]", ""),
    ] {
        let said = said(&format!("steps: [{{id: a, {LOOK}}}]\n{tail}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{case}\n{said:#?}");
    }
}

#[test]
fn steps_are_reached_or_reported_once_a_row() {
    let end = "{finish: {outcome: succeeded}}";
    for (case, steps, expect) in [
        ("behind an end", format!("[{end}, {{{LOOK}}}, {{{LOOK}}}]"), 1),
        ("behind a conditional end", format!("[{{if: now.year > 1, finish: {{outcome: failed}}}}, {{{LOOK}}}]"), 0),
        ("behind a group that ends", format!("[{{group: [{{{LOOK}}}, {end}]}}, {{{LOOK}}}]"), 1),
        (
            "behind branches that all end",
            format!("[{{choose: [{{when: now.year > 1, steps: [{end}]}}, {{otherwise: [{end}]}}]}}, {{{LOOK}}}]"),
            1,
        ),
        ("behind a branch that ends", format!("[{{choose: [{{when: now.year > 1, steps: [{end}]}}]}}, {{{LOOK}}}]"), 0),
        ("jumped over", format!("[{{{LOOK}, next: c}}, {{{LOOK}}}, {{id: c, {LOOK}}}]"), 1),
        ("jumped over by some", format!("[{{{LOOK}, next: c, if: now.year > 1}}, {{{LOOK}}}, {{id: c, {LOOK}}}]"), 0),
        (
            "jumped over, and jumped to",
            format!("[{{{LOOK}, next: c, on_failure: {{next: b}}}}, {{id: b, {LOOK}}}, {{id: c, {LOOK}}}]"),
            0,
        ),
        ("jumped over by success alone", format!("[{{{LOOK}, next: c, on_failure: continue}}, {{{LOOK}}}, {{id: c, {LOOK}}}]"), 0),
        (
            "behind a group that may fail before it ends",
            format!("[{{on_failure: continue, group: [{{{LOOK}}}, {end}]}}, {{{LOOK}}}]"),
            0,
        ),
        ("behind an end that a jump passes", format!("[{{{LOOK}, next: c, if: now.year > 1}}, {end}, {{id: c, {LOOK}}}]"), 0),
        ("two rows", format!("[{{group: [{end}, {{{LOOK}}}]}}, {{{LOOK}}}]"), 2),
    ] {
        let said = said(&format!("steps: {steps}\n"));
        assert_eq!(said.iter().filter(|line| line.starts_with("RB0205")).count(), expect, "{case}: {steps}\n{said:#?}");
        assert_eq!(said.len(), expect, "{case}: {said:#?}");
    }
}

#[test]
fn outputs_are_given_wherever_the_procedure_ends_well() {
    let end = |outcome: &str| format!("{{if: now.year > 1, finish: {{outcome: {outcome}}}}}");
    let step = format!("{{id: a, {LOOK}}}");
    for (case, steps, output, expect) in [
        ("no other end", format!("[{step}]"), "steps.a.stdout", ""),
        ("an end before it", format!("[{}, {step}]", end("succeeded")), "steps.a.stdout", "RB0107"),
        ("an end behind it", format!("[{step}, {}]", end("succeeded")), "steps.a.stdout", ""),
        ("a failure before it", format!("[{}, {step}]", end("failed")), "steps.a.stdout", ""),
        (
            "an end before it, asked",
            format!("[{}, {step}]", end("succeeded")),
            "if \"a\" in steps { steps.a.stdout } else { \"\" }",
            "",
        ),
    ] {
        let said = said(&format!("steps: {steps}\noutputs: {{x: '{output}'}}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{case}\n{said:#?}");
    }
}

#[test]
fn a_step_that_may_have_failed_gives_its_result_and_no_outputs() {
    let tried = |step: &str, read: &str| format!("[{{id: a, on_failure: continue, {step}}}, {read}]");
    let run = format!("{LOOK}, outputs: {{n: result.exit_code + 1}}");
    let check = |that: &str| format!("{{check: [{{that: '{that}'}}]}}");
    for (case, steps, expect) in [
        ("an output", tried(&run, &check("steps.a.n == 1")), "RB0107"),
        ("an output, in a text", tried(&run, "{effect: read, exec: [x, '{{steps.a.n}}']}"), "RB0107"),
        ("the result", tried(&run, &check("steps.a.exit_code == 1")), ""),
        ("an output behind a look at the result", tried(&run, &check("steps.a.exit_code == 0 && steps.a.n == 1")), ""),
        ("an output, if there", tried(&run, &check("steps.a?.n ?? 0 == 1")), ""),
        (
            "an output where the result is good",
            tried(&run, "{if: steps.a.exit_code == 0, effect: read, exec: [x, '{{steps.a.n}}']}"),
            "",
        ),
        ("anything of another verb", tried("set: {n: '1'}", &check("steps.a.n == 1")), "RB0107"),
        ("anything of another verb, asked", tried("set: {n: '1'}", &check("\"a\" in steps && steps.a.n == 1")), ""),
        (
            "where a failure jumps to",
            format!("[{{id: a, {run}, on_failure: {{next: c}}}}, {{{LOOK}}}, {{id: c, check: [{{that: steps.a.n == 1}}]}}]"),
            "RB0107",
        ),
    ] {
        let said = said(&format!("steps: {steps}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{case}: {steps}\n{said:#?}");
    }
    let said = said(&format!("steps: [{{{LOOK}}}]\nfinally: [{{id: a, {run}}}, {}]\n", check("steps.a.n == 1")));
    assert_eq!(said, ["RB0107 6:101 `a` may have failed before here"]);
}
