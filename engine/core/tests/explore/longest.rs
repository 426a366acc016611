//! How long a dry run says that a whole takes at most, where it has a time of its own.

use runbook_core::explore::dry_run_of_any;

/// What is said of the whole, and of each step that holds others.
fn longest(main: &str, inner: &str) -> Vec<(String, String)> {
    let head = |name| format!("apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 1.0.0\n");
    let (main, inner) = (format!("{}{main}", head("test")), format!("{}{inner}", head("inner")));
    let dry = dry_run_of_any(&super::plan_among(&[("test.yaml", &main), ("inner.yaml", &inner)])).unwrap();
    assert!(dry.complete);
    let whole = dry.longest.map(|longest| ("run".to_owned(), longest.to_string()));
    let steps = dry.steps.iter().filter(|step| ["call", "group", "parallel", "each"].contains(&step.verb));
    whole
        .into_iter()
        .chain(steps.map(|step| (step.path.to_string(), step.longest.map_or_else(String::new, |l| l.to_string()))))
        .collect()
}

const INNER: &str = "steps: [{id: a, exec: [a], effect: read, timeout: 30m}]
on_failure: [{id: mend, exec: [mend], effect: read, timeout: 20m}]
finally: [{id: tidy, exec: [tidy], effect: read, timeout: 3m}]
";

#[test]
fn no_time_ends_what_follows_a_body() {
    for (main, told) in [
        // Nothing has to be stopped: nothing leads to what is done about a failure.
        ("steps:\n- {id: sub, call: inner@^1, timeout: 1h}\n", &[("run", "33m"), ("sub", "33m")][..]),
        // What has to be is followed by all the rest of it.
        ("steps:\n- {id: sub, call: inner@^1, timeout: 5m}\n", &[("run", "28m"), ("sub", "28m")]),
        ("steps:\n- {id: g, timeout: 5m, group: [{id: sub, call: inner@^1}]}\n", &[("run", "28m"), ("g", "28m"), ("g/sub", "33m")]),
        ("timeout: 5m\nsteps:\n- {id: sub, call: inner@^1}\n", &[("run", "28m"), ("sub", "33m")]),
        (
            "steps:\n- {id: g, timeout: 5m, parallel: {one: [{id: sub, call: inner@^1}], other: [{id: b, exec: [b], effect: read, timeout: 7m}]}}\n",
            &[("run", "28m"), ("g", "28m"), ("g.one/sub", "33m")],
        ),
        // In nothing that is called, nothing follows.
        ("steps:\n- {id: g, timeout: 5m, group: [{id: b, exec: [b], effect: read, timeout: 7m}]}\n", &[("run", "5m"), ("g", "5m")]),
        // Of the run as of a call; where it is not shown what is done, it is not known how long that takes.
        (
            "timeout: 5m\nsteps: [{id: b, exec: [b], effect: read, timeout: 7m}]\non_failure: [{id: mend, exec: [mend], effect: read, timeout: 2m}]\nfinally: [{id: tidy, exec: [tidy], effect: read, timeout: 3m}]\n",
            &[("run", "10m")],
        ),
        (
            "timeout: 5m\nsteps: [{id: b, exec: [b], effect: read, timeout: 7m}]\non_failure: [{id: g, group: [{id: mend, exec: [mend], effect: read}]}]\n",
            &[("run", "cannot be known")],
        ),
        // Its timeout ends how long a step waits for people.
        ("steps:\n- {id: a, timeout: 5m, approve: {question: x}}\n", &[("run", "5m")]),
        ("steps:\n- {id: a, timeout: 2h, manual: {do: x, within: 1h}, irreversible: x}\n", &[("run", "1h")]),
        // A way that is shown leads there.
        (
            "steps:\n- {id: c, check: [{that: 1 > 2}]}\non_failure: [{id: mend, exec: [mend], effect: read, timeout: 2m}]\n",
            &[("run", "2m")],
        ),
    ] {
        let found = longest(main, INNER);
        let found: Vec<(&str, &str)> = found.iter().map(|(of, time)| (of.as_str(), time.as_str())).collect();
        assert_eq!(found, told, "{main}");
    }
}
