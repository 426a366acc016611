//! Valid procedures with more paths, or larger states, than anybody could walk.

use super::families::{Answer, Case};

const HEAD: &str =
    "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\ninputs: {n: {type: integer}, hosts: {type: list}}\n";

fn case(name: &str, steps: impl Fn() -> String + Send + Sync + 'static) -> Case {
    Case::new("paths", name, Answer::Any, move || format!("{HEAD}steps:\n{}", steps()))
}

fn many(count: usize, step: impl Fn(usize) -> String) -> String {
    (0..count).map(|n| format!("- {}\n", step(n))).collect()
}

const UNDO: &str = "undo: {exec: [back]}";

pub fn all() -> Vec<Case> {
    let nested = |open: &'static str, depth: usize| {
        move || {
            let (mut text, mut tail) = (String::from("- "), String::new());
            for n in 0..depth {
                text.push_str(&open.replace("NAME", &format!("b{n}")));
                tail.push_str(if open.contains("parallel") { "]}}" } else { "]}" });
            }
            format!("{text}{{exec: [change], {UNDO}}}{tail}\n")
        }
    };
    vec![
        case("9,000 changes", || many(9_000, |n| format!("{{id: s{n}, exec: [change], {UNDO}, on_failure: rollback}}"))),
        case("2,000 changes that may be skipped", || {
            many(2_000, |n| format!("{{id: s{n}, if: inputs.n > {n}, exec: [change], {UNDO}, on_failure: rollback}}"))
        }),
        case("2,000 outputs that the end reads", || {
            let reads = (0..2_000).map(|n| format!("steps.s{n}.x")).collect::<Vec<_>>().join(", ");
            let steps = many(2_000, |n| {
                format!("{{id: s{n}, if: inputs.n > {n}, exec: [look], effect: read, outputs: {{x: result.stdout}}}}")
            });
            format!(
                "{steps}- notify: {{to: [], message: x}}\n  if: 'true'\n- set: {{all: '[{}]'}}\n",
                reads.chars().take(3_000).collect::<String>().rsplit_once(',').map_or(String::new(), |(all, _)| all.to_owned())
            )
        }),
        case("4,000 questions", || {
            many(4_000, |n| format!("{{id: s{n}, approve: {{question: Go?, within: 1h}}, on_failure: continue}}"))
        }),
        case("a parallel of 500 branches of 10", || {
            let branch = |n: usize| format!("b{n}: [{}]", vec![format!("{{exec: [change], {UNDO}}}"); 10].join(", "));
            format!("- parallel: {{{}}}\n", (0..500).map(branch).collect::<Vec<_>>().join(", "))
        }),
        case("parallels in parallels", || {
            let inner = |n: usize| {
                format!(
                    "{{parallel: {{a{n}: [{{exec: [a], {UNDO}}}], b{n}: [{{exec: [b], {UNDO}}}], c{n}: [{{exec: [c], {UNDO}}}]}}}}"
                )
            };
            let outer = |n: usize| format!("x{n}: [{}]", (0..8).map(inner).collect::<Vec<_>>().join(", "));
            format!("- parallel: {{{}}}\n", (0..40).map(outer).collect::<Vec<_>>().join(", "))
        }),
        case("loops in loops", nested("{each: {in: inputs.hosts, as: NAME, max_parallel: 5, max_failures: 9, steps: [", 12)),
        case("choices in choices", nested("{choose: [{when: inputs.n > 1, steps: [", 20)),
        case("repeats in repeats", nested("{repeat: {until: inputs.n > 1, times: 10000, steps: [", 12)),
        case("one choice of 5,000 branches", || {
            let branch = |n: usize| format!("{{when: inputs.n == {n}, steps: [{{exec: [change, '{n}'], {UNDO}}}]}}");
            format!("- choose: [{}]\n", (0..5_000).map(branch).collect::<Vec<_>>().join(", "))
        }),
        case("3,000 steps of 100 attempts", || {
            many(3_000, |n| format!("{{id: s{n}, exec: [change], idempotent: true, retry: {{attempts: 100, delay: 1s}}}}"))
        }),
        case("1,000 deadlines at once", || {
            let open = "{group: [".repeat(30);
            let close = "], timeout: 1h}".repeat(30);
            format!("- {open}{}{close}\n", vec![format!("{{exec: [change], {UNDO}}}"); 1_000].join(", "))
        }),
    ]
}
