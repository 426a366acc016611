//! What a procedure has around it.

use super::*;

const AROUND: &str = "apiVersion: runbook/v1
kind: Workspace
environments: {staging: {default: true}, production: {production: true}}
people: {ada: {users: [ada]}}
escalations: {e: {steps: [{to: [ada], after: 10m, channels: [ops]}]}}
channels:
  ops: {http: {url: 'https://u:secret@hooks.example/T0/hidden', headers: {X-Key: hidden}, json: {text: '{{message}}'}}}
  other: {log: {}}
http: {allow: [10.0.0.0/8]}
";

fn between(old: (&str, &str), new: (&str, &str)) -> Comparison {
    let [old, new] = [old, new].map(|(text, workspace)| judged(&[text], Some(workspace)));
    let rules = |plan| [Rules::of(plan, None)];
    let (then, now) = (rules(&old.0), rules(&new.0));
    compare_in_all(
        Subject { plan: &old.0, rules: &then, triggers: &old.1 },
        Subject { plan: &new.0, rules: &now, triggers: &new.1 },
    )
}

#[test]
fn what_starts_it_is_compared() {
    let text = |triggers: &[&str]| {
        format!(
            "apiVersion: runbook/v1\nkind: Playbook\nname: a\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\n\
             triggers: [{}]\ninputs: {{h: {{type: string, default: b}}}}\nsteps: [{{run: 'echo {{{{inputs.h}}}}', effect: read}}]\n",
            triggers.join(", ")
        )
    };
    let one = |keys: &str| format!("{{id: t, source: stdin, {keys}}}");
    let when = one("when: event.data.a == 1");
    for (old, new, expect) in [
        (vec![when.clone()], vec![when.clone()], None),
        (vec![when.clone()], vec![when.clone(), "{id: u, source: stdin, when: event.data.b == 1}".to_owned()], Some(Raise::Major)),
        (vec![when.clone(), "{id: u, source: stdin, when: event.data.b == 1}".to_owned()], vec![when.clone()], Some(Raise::Major)),
        (vec![when.clone()], vec![one("when: event.data.a == 2")], Some(Raise::Major)),
        (vec![when.clone()], vec![one("when: event.data.a == 1, inputs: {h: event.data.h}")], Some(Raise::Minor)),
        (vec![when.clone()], vec![one("when: event.data.a == 1, environment: production")], Some(Raise::Major)),
        (vec![when.clone()], vec![one("when: event.data.a == 1, limit: {runs: 1, per: 1h}")], Some(Raise::Minor)),
        (vec![one("limit: {runs: 1, per: 1h}")], vec![one("limit: {runs: 2, per: 1h}")], Some(Raise::Major)),
        (vec![one("limit: {runs: 2, per: 1h}")], vec![one("limit: {runs: 1, per: 1h}")], Some(Raise::Minor)),
        (vec![one("limit: {runs: 2, per: 2h}")], vec![one("limit: {runs: 2, per: 1h}")], Some(Raise::Major)),
        (vec![one("limit: {runs: 2, per: 1h}")], vec![one("limit: {runs: 2, per: 1h, then: defer}")], Some(Raise::Major)),
        (vec![one("limit: {runs: 10, per: 1h}")], vec![one("limit: {runs: 6, per: 40m}")], Some(Raise::Major)),
        (vec![one("concurrency: {key: event.id, then: skip}")], vec![one("concurrency: {key: event.id}")], Some(Raise::Major)),
        (vec![one("concurrency: {key: event.id}")], vec![one("concurrency: {key: event.id, then: skip}")], Some(Raise::Minor)),
        (vec![one("dedup: {key: event.id, window: 1h}")], vec![one("dedup: {key: event.id, window: 5m}")], Some(Raise::Major)),
        (vec![one("dedup: {key: event.id, window: 5m}")], vec![one("dedup: {key: event.id, window: 1h}")], Some(Raise::Minor)),
        (vec![one("dedup: {key: event.id, window: 5m}")], vec![one("on_resolved: annotate")], Some(Raise::Major)),
        (vec![one("concurrency: {key: event.id}")], vec![one("on_resolved: annotate")], Some(Raise::Major)),
        (vec![one("on_resolved: annotate")], vec![one("concurrency: {key: event.id}")], Some(Raise::Minor)),
        (vec![one("accumulate: {events: 5, within: 5m}")], vec![one("accumulate: {events: 3, within: 5m}")], Some(Raise::Major)),
        (vec![one("accumulate: {events: 3, within: 5m}")], vec![one("accumulate: {events: 5, within: 5m}")], Some(Raise::Minor)),
    ] {
        let side = |triggers: &[String]| text(&triggers.iter().map(String::as_str).collect::<Vec<_>>());
        let comparison = between((&side(&old), AROUND), (&side(&new), AROUND));
        let found = comparison.procedures.first().map(|change| change.needs);
        assert_eq!(found, expect, "{old:?}\n{new:?}\n{:#?}", told(&comparison));
        if expect.is_some() {
            assert!(
                comparison.procedures[0].parts.iter().all(|part| part.what.starts_with("trigger ")),
                "{:#?}",
                told(&comparison)
            );
        }
    }
    let comparison = between((&text(&[&when]), AROUND), (&text(&[&one("when: event.data.a == 2, environment: staging")]), AROUND));
    assert_eq!(
        told(&comparison),
        [
            "trigger t: source: stdin\nwhen: event.data.a == 1 → source: stdin\nwhen: event.data.a == 2\nenvironment: staging (major)"
        ]
    );
}

#[test]
fn where_messages_and_requests_may_go_is_compared_without_secrets() {
    let tells = |channel: &str| text("1.0.0", &format!("steps: [{{id: n, notify: {{to: [{channel}], message: x}}}}]\n"));
    let sends = text("1.0.0", "steps: [{id: h, http: {url: 'https://a.example'}, effect: read}]\n");
    for (text, old, new, what, needs) in [
        (tells("ops"), "/T0/hidden", "/T0/hidden2", "channel ops", Raise::Minor),
        (tells("ops"), "hooks.example", "evil.example", "channel ops", Raise::Minor),
        (tells("ops"), "X-Key: hidden", "X-Key: hidden2", "channel ops", Raise::Minor),
        (tells("other"), "{log: {}}", "{log: {file: told.log}}", "channel other", Raise::Minor),
        (tells("other"), "{log: {}}", "{command: [notify, --token, hidden]}", "channel other", Raise::Minor),
        (sends.clone(), "[10.0.0.0/8]", "[10.0.0.0/8, 192.168.0.0/16]", "http allow", Raise::Major),
        (sends.clone(), "[10.0.0.0/8]", "[10.1.0.0/16]", "http allow", Raise::Major),
        (sends.clone(), "[10.0.0.0/8, 192.168.0.0/16]", "[10.0.0.0/8]", "http allow", Raise::Minor),
    ] {
        let then = AROUND.replace("[10.0.0.0/8]", if old.starts_with("[10") { old } else { "[10.0.0.0/8]" });
        let now = then.replace(old, new);
        let comparison = between((&text, &then), (&text, &now));
        let parts = &comparison.procedures[0].parts;
        assert_eq!(parts.iter().map(|part| (part.what.as_str(), part.needs)).collect::<Vec<_>>(), [(what, needs)], "{old} {new}");
        let all = format!("{:?}", told(&comparison));
        assert!(!all.contains("hidden") && !all.contains("secret"), "{all}");
        // What is nobody's matter is not told.
        let elsewhere = if what == "channel ops" { tells("other") } else { tells("ops") };
        assert!(what == "http allow" && old.starts_with("[10") || between((&elsewhere, &then), (&elsewhere, &now)).is_empty());
    }
    // The links in what they are told, where anybody is.
    let [then, now] = ["https://ops.example", "https://evil.example"].map(|url| format!("{AROUND}url: {url}\n"));
    let comparison = between((&tells("ops"), &then), (&tells("ops"), &now));
    assert_eq!(told(&comparison), ["url: https://ops.example → https://evil.example (minor)"]);
    assert!(between((&sends, &then), (&sends, &now)).is_empty());
    // All of a step of an escalation, and its own channels, are told at once.
    let asks = text("1.0.0", "escalation: e\nsteps: [{id: q, approve: {question: Go?, on_timeout: escalate, within: 5m}}]\n");
    let told_by = |own: &str, rung: &str| {
        AROUND.replace("{e: {", &format!("{{e: {{channels: [{own}], ")).replace("channels: [ops]", &format!("channels: [{rung}]"))
    };
    let (then, now) = (told_by("ops, other", "ops, other"), told_by("other, ops", "other, ops"));
    assert!(then != now && between((&asks, &then), (&asks, &now)).is_empty());
    assert!(!between((&asks, &then), (&asks, &told_by("other", "other, ops"))).is_empty());
    // Of a channel that comes instead of another it is told where it goes.
    let comparison = between((&tells("ops"), AROUND), (&tells("other"), AROUND));
    assert_eq!(told(&comparison)[0], "channel other: – → the record alone (none)");
}
