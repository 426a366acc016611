//! What is said of two versions, as tables.

use super::*;
use crate::check::{Catalogue, CheckOptions, judge};
use crate::diagnostic::Source;
use crate::document::{Document, Workspace, load};

fn plan(texts: &[&str], workspace: Option<&str>) -> Plan {
    judged(texts, workspace).0
}

fn judged(texts: &[&str], workspace: Option<&str>) -> (Plan, Vec<Trigger>) {
    let procedures: Vec<_> = texts
        .iter()
        .map(|text| match load(&Source::new("p.yaml", *text)) {
            (Some(Document::Procedure(procedure)), found) if !found.has_errors() => *procedure,
            (_, found) => panic!("{text}\n{found:#?}"),
        })
        .collect();
    let workspace: Option<Workspace> = workspace.map(|text| match load(&Source::new("workspace.yaml", text)) {
        (Some(Document::Workspace(workspace)), found) if !found.has_errors() => *workspace,
        (_, found) => panic!("{text}\n{found:#?}"),
    });
    let judgement = judge(&procedures[0], &Catalogue::new(&procedures, workspace.as_ref()), &CheckOptions::default());
    let found = judgement.found;
    (judgement.plan.unwrap_or_else(|| panic!("{}\n{found:#?}", texts[0])), judgement.triggers)
}

fn text(version: &str, rest: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: {version}\n{rest}")
}

/// Each change on a line: of the procedure `what: old → new (raise)`, of a step `fate path: its parts`.
fn told(comparison: &Comparison) -> Vec<String> {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
    let part = |part: &PartChange| format!("{}: {} → {} ({})", part.what, side(&part.old), side(&part.new), part.needs.word());
    let mut lines = Vec::new();
    for procedure in &comparison.procedures {
        lines.extend(procedure.parts.iter().map(part));
        for step in &procedure.steps {
            let fate = match &step.fate {
                Fate::Added => "added".to_owned(),
                Fate::Removed => "removed".to_owned(),
                Fate::Moved(from) if *from == step.path => "moved".to_owned(),
                Fate::Moved(from) => format!("moved from {from}"),
                Fate::Changed => "changed".to_owned(),
            };
            let parts = match step.fate {
                Fate::Added | Fate::Removed => String::new(),
                _ => step.parts.iter().map(|p| format!("; {}", part(p))).collect(),
            };
            lines.push(format!("{fate} {} ({}){parts}", step.path, step.needs.word()));
        }
    }
    lines
}

/// Each change that asks for a major version, as `where what`, or the path alone where it is of the step as a whole.
fn major(comparison: &Comparison) -> Vec<String> {
    let mut found = Vec::new();
    for procedure in &comparison.procedures {
        let parts = |parts: &[PartChange], of: &str| -> Vec<String> {
            let major = parts.iter().filter(|part| part.needs == Raise::Major);
            major.map(|part| format!("{of}{}", part.what)).collect()
        };
        found.extend(parts(&procedure.parts, ""));
        for step in procedure.steps.iter().filter(|step| step.needs == Raise::Major) {
            let of_step = parts(&step.parts, &format!("{} ", step.path));
            found.extend(if of_step.is_empty() { vec![step.path.clone()] } else { of_step });
        }
    }
    found
}

fn compared(old: &str, new: &str) -> Comparison {
    compare(&plan(&[&text("1.0.0", old)], None), &plan(&[&text("1.0.0", new)], None))
}

const READ: &str = "effect: read";

#[test]
fn what_means_the_same_is_no_change() {
    let old = "title: A thing\nsteps:\n- {id: x, exec: [a, b], effect: read}\n";
    for new in [
        "# with a comment\nsteps:\n  - effect: read\n    exec: [\"a\", 'b']\n    id: x\n    on_failure: stop\ntitle: A thing\n",
        "title: A thing\n\n\nsteps: [{id: x, exec: [a, b], effect: read}]\n",
    ] {
        let comparison = compared(old, new);
        assert!(comparison.is_empty() && comparison.is_raised_enough(), "{new}: {:?}", told(&comparison));
    }
}

#[test]
fn steps_are_followed_by_their_ids_and_their_neighbours() {
    let steps = |steps: &str| format!("steps:\n{steps}");
    let a = "- {exec: [a], effect: read}\n";
    let b = "- {exec: [b], effect: read}\n";
    let c = "- {exec: [c], effect: read}\n";
    let x = "- {id: x, exec: [x], effect: read}\n";
    let y = "- {id: y, exec: [y], effect: read}\n";
    let z = "- {id: z, exec: [z], effect: read}\n";
    for (old, new, expect) in [
        (format!("{a}{b}"), format!("{a}{c}{b}"), vec!["added exec-2 (minor)"]),
        (format!("{a}{c}{b}"), format!("{a}{b}"), vec!["removed exec-2 (minor)"]),
        (format!("{a}{b}"), format!("{a}{c}"), vec!["changed exec-2 (minor); command: [\"b\"] → [\"c\"] (minor)"]),
        (format!("{x}{y}{z}"), format!("{z}{x}{y}"), vec!["moved z (minor)"]),
        (format!("{x}{y}"), format!("{x}- id: g\n  group:\n  {y}"), vec!["added g (minor)", "moved from y g/y (minor)"]),
        (format!("{x}{a}"), format!("{a}{x}"), vec!["moved from exec-2 exec-1 (minor)"]),
        (format!("- id: g\n  group:\n  {a}"), format!("- id: g\n  group:\n  {a}  {b}"), vec!["added g/exec-2 (minor)"]),
        (
            format!("- id: f\n  parallel:\n    l:\n    {x}    r:\n    {y}"),
            format!("- id: f\n  parallel:\n    l:\n    {y}    r:\n    {x}"),
            vec!["moved from f.right f.left"],
        ),
    ] {
        if expect[0].contains("f.right") {
            let lines = told(&compared(&steps(&old), &steps(&new)));
            assert_eq!(lines, ["moved from f.r/y f.l/y (minor)", "moved from f.l/x f.r/x (minor)"]);
            continue;
        }
        assert_eq!(told(&compared(&steps(&old), &steps(&new))), expect, "{old}\n{new}");
    }
}

#[test]
fn how_far_each_change_asks_the_version_to_be_raised() {
    let step = |keys: &str| format!("steps:\n- {{id: x, exec: [a], {keys}}}\n");
    let asks = |keys: &str| format!("steps:\n- {{id: q, approve: {{question: Go?{keys}}}}}\n- {{id: x, exec: [a], {READ}}}\n");
    let with = |keys: &str| format!("{keys}{}", step(READ));
    let takes = |spec: &str| with(&format!("inputs: {{n: {{{spec}, required: true}}}}\n"));
    let change = "effect: change, irreversible: it is only a test";
    let undone = "effect: change, undo: {exec: [b]}";
    for (old, new, needs) in [
        (step(READ), step(&format!("{READ}, why: Because.")), Raise::Patch),
        (step(READ), step(&format!("{READ}, timeout: 5s")), Raise::Minor),
        (step(READ), step(change), Raise::Major),
        (step(change), step(READ), Raise::Minor),
        (step(undone), step(change), Raise::Major),
        (step(change), step(undone), Raise::Minor),
        (step(READ), step(&format!("{READ}, on_failure: continue")), Raise::Major),
        (step(&format!("{READ}, on_failure: continue")), step(READ), Raise::Minor),
        (step(READ), format!("{}- {{exec: [b], {READ}}}\n", step(READ)), Raise::Minor),
        (step(READ), format!("{}- {{exec: [b], {change}}}\n", step(READ)), Raise::Major),
        (format!("{}- {{exec: [b], {change}}}\n", step(change)), step(change), Raise::Major),
        (asks(""), step(READ), Raise::Major),
        (step(READ), asks(""), Raise::Minor),
        (asks(", count: 2, from: [ada, ben]"), asks(", count: 1, from: [ada, ben]"), Raise::Major),
        (asks(", count: 1, from: [ada, ben]"), asks(", count: 2, from: [ada, ben]"), Raise::Minor),
        (asks(", from: [ada]"), asks(""), Raise::Major),
        (asks(""), asks(", from: [ada]"), Raise::Minor),
        (asks(", not_requester: true"), asks(""), Raise::Major),
        (asks(", within: 1h"), asks(", within: 1h, on_timeout: reject"), Raise::Major),
        (with(""), with("inputs: {n: {type: integer, required: true}}\n"), Raise::Major),
        (with(""), with("inputs: {n: {type: integer, default: 4}}\n"), Raise::Minor),
        (with("inputs: {n: {type: integer, default: 4}}\n"), with(""), Raise::Major),
        (
            with("inputs: {n: {type: integer, default: 4}}\n"),
            with("inputs: {n: {type: integer, default: 4, max: 9}}\n"),
            Raise::Major,
        ),
        (
            with("inputs: {n: {type: integer, default: 4, max: 9}}\n"),
            with("inputs: {n: {type: integer, default: 5}}\n"),
            Raise::Minor,
        ),
        (takes("type: integer, max: 5"), takes("type: integer, max: 9"), Raise::Minor),
        (takes("type: integer, max: 9"), takes("type: integer, max: 5"), Raise::Major),
        (takes("type: integer, min: 1"), takes("type: integer, min: 0"), Raise::Minor),
        (takes("type: integer, min: 0"), takes("type: integer, min: 1"), Raise::Major),
        (takes("type: integer, min: 0, max: 9"), takes("type: integer, min: 1, max: 20"), Raise::Major),
        (takes("type: number, max: 5"), takes("type: number, max: 5.5"), Raise::Minor),
        (takes("type: number, max: 5.5"), takes("type: number, max: 5"), Raise::Major),
        (takes("type: duration, max: 90s"), takes("type: duration, max: 2m"), Raise::Minor),
        (takes("type: duration, max: 2m"), takes("type: duration, max: 90s"), Raise::Major),
        (takes("type: string, pattern: '[a-z]+'"), takes("type: string"), Raise::Minor),
        (takes("type: string"), takes("type: string, pattern: '[a-z]+'"), Raise::Major),
        (takes("type: string, pattern: '[a-z]+'"), takes("type: string, pattern: '[a-z0-9]+'"), Raise::Major),
        (asks(""), asks("").replace("approve: {question: Go?}", "exec: [a], effect: read"), Raise::Major),
        (asks("").replace("approve: {question: Go?}", "exec: [a], effect: read"), asks(""), Raise::Minor),
        (with("lock: a\n"), with(""), Raise::Major),
        (with(""), with("lock: a\n"), Raise::Minor),
        (with("outputs: {n: '1'}\n"), with(""), Raise::Major),
        (with(""), with("secrets: {s: {env: S}}\n"), Raise::Major),
        (with("title: One\n"), with("title: Another\n"), Raise::Patch),
    ] {
        let workspace = "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {ada: {users: [ada]}, ben: {users: [ben]}}\n";
        let [before, after] = [&old, &new].map(|rest| plan(&[&text("1.0.0", rest)], Some(workspace)));
        let comparison = compare(&before, &after);
        assert_eq!(comparison.procedures[0].needs, needs, "{old}\n{new}\n{:?}", told(&comparison));
    }
}

#[test]
fn a_property_is_what_it_says() {
    let keeps = |must: &str, ahead: &str| {
        format!("must: [{must}]\nsteps:\n{ahead}- {{id: go, approve: {{question: Go?}}}}\n- {{id: k, exec: [a], {READ}}}\n")
    };
    let read = format!("- {{id: look, exec: [b], {READ}}}\n");
    let approved = "{always_before: k, comes: {verb: approve}}";
    let failed = "{never: {effect: read}, after: {step: go, ends: failed}}";
    let why = "{never: {effect: destructive}, why: So.}";
    for (old, ahead, new, expect) in [
        (approved.to_owned(), &*read, approved.to_owned(), vec!["added look (minor)"]),
        // In another order.
        (format!("{approved}, {failed}"), "", format!("{failed}, {approved}"), vec![]),
        (
            failed.to_owned(),
            "",
            format!("{approved}, {failed}"),
            vec!["must {always_before: k, comes: {verb: approve}}: – → yes (minor)"],
        ),
        (
            format!("{approved}, {failed}"),
            "",
            approved.to_owned(),
            vec!["must {never: {effect: read}, after: {step: go, ends: failed}}: yes → – (major)"],
        ),
        (why.to_owned(), "", why.replace("So", "Thus"), vec!["must {never: {effect: destructive}}: So. → Thus. (patch)"]),
        // Another property for the same reason.
        (
            why.to_owned(),
            "",
            why.replace("effect: destructive", "run: failed"),
            vec!["must {never: {run: failed}}: – → So. (minor)", "must {never: {effect: destructive}}: So. → – (major)"],
        ),
    ] {
        assert_eq!(told(&compared(&keeps(&old, ""), &keeps(&new, ahead))), expect, "{old}\n{new}");
    }
}

#[test]
fn a_version_is_raised_enough_or_not() {
    let old = plan(&[&text("1.2.3", "steps: [{id: x, exec: [a], effect: read}]\n")], None);
    for (steps, version, least) in [
        ("[{id: x, exec: [a], effect: read}]", "1.2.3", None),
        ("[{id: x, exec: [b], effect: read}]", "1.2.3", Some("1.3.0")),
        ("[{id: x, exec: [b], effect: read}]", "1.2.4", Some("1.3.0")),
        ("[{id: x, exec: [b], effect: read}]", "1.3.0", None),
        ("[{id: x, exec: [b], effect: read}]", "2.0.0", None),
        ("[{id: x, exec: [a], effect: destructive, irreversible: test}]", "1.9.0", Some("2.0.0")),
        ("[{id: x, exec: [a], effect: read, why: So.}]", "1.2.3", Some("1.2.4")),
        ("[{id: x, exec: [a], effect: read}]", "1.0.0", Some("1.2.3")),
    ] {
        let new = plan(&[&text(version, &format!("steps: {steps}\n"))], None);
        let comparison = compare(&old, &new);
        let said = comparison.procedures.first().and_then(|procedure| match procedure.raised {
            Raised::TooLittle(least) => Some(least.to_string()),
            _ => None,
        });
        assert_eq!(said.as_deref(), least, "{steps} {version}");
        assert_eq!(comparison.is_raised_enough(), least.is_none());
    }
}

#[test]
fn what_is_called_and_what_policy_asks_are_compared_too() {
    let main = text("1.0.0", "steps: [{id: c, call: b@^1}]\n");
    let called = |version: &str, command: &str| {
        format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: b\nversion: {version}\nsteps: [{{id: y, exec: [{command}], effect: change, irreversible: t}}]\n"
        )
    };
    let rules = |rule: &str| {
        format!(
            "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {{ada: {{users: [ada]}}, ben: {{users: [ben]}}}}\n{rule}"
        )
    };
    let gate = "policies: [{name: careful, when: {effect: change}, require: {approve: {from: [ada, ben], count: 2}}}]\n";
    let old = plan(&[&main, &called("1.0.0", "old")], Some(&rules(gate)));
    let new = plan(&[&main, &called("1.1.0", "new")], Some(&rules("")));
    let comparison = compare(&old, &new);
    let names: Vec<&str> = comparison.procedures.iter().map(|procedure| procedure.procedure.as_str()).collect();
    assert_eq!(names, ["a", "b"], "{:?}", told(&comparison));
    let lines = told(&comparison);
    assert!(lines.contains(&"changed c (minor); procedure: b 1.0.0 → b 1.1.0 (minor)".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("gate careful: 2 of ada, ben") && line.contains("→ – (major)")), "{lines:?}");
    assert_eq!(comparison.procedures[1].raised, Raised::TooLittle(Version { major: 2, minor: 0, patch: 0 }));
}

#[test]
fn long_lists_take_no_longer_than_they_must() {
    let steps = |count: usize, word: &str| -> String {
        (0..count).map(|n| format!("- {{exec: [{word}, '{n}'], effect: read}}\n")).collect()
    };
    let comparison = compared(&format!("steps:\n{}", steps(3_000, "a")), &format!("steps:\n{}", steps(3_000, "b")));
    assert_eq!(comparison.procedures[0].steps.len(), 3_000);
    assert!(comparison.procedures[0].steps.iter().all(|step| step.fate == Fate::Changed));
}

/// A workspace with these people and groups.
fn people(people: &str, groups: &str) -> String {
    format!("apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {people}\ngroups: {groups}\n")
}

#[test]
fn who_may_decide_is_a_matter_of_people_and_not_of_names() {
    const TWO: &str = "{ann: {}, ben: {}}";
    const THREE: &str = "{ann: {}, ben: {}, cyd: {}}";
    let asks = |from: &str| {
        text("1.0.0", &format!("steps:\n- {{id: q, approve: {{question: Go?{from}}}}}\n- {{id: x, exec: [a], {READ}}}\n"))
    };
    let escalates = text(
        "1.0.0",
        "escalation: up\nsteps:\n- {id: q, approve: {question: Go?, from: [ann], within: 1h, on_timeout: escalate}}\n",
    );
    let gated = text("1.0.0", "steps:\n- {id: x, exec: [a], effect: change, irreversible: t}\n");
    let rule = "policies: [{name: careful, when: {effect: change}, require: {approve: {from: [ops]}}}]\n";
    let ladder = "escalations: {up: {steps: [{to: [ops], after: 5m}]}}\n";
    let turns = |members: &str| {
        format!("rotations: {{ops: {{members: {members}, starts: 2026-01-05, hand_over: {{days: mon, at: '09:00'}}}}}}")
    };
    let (ops, all) = (", from: [ops]", "");
    for (procedure, rest, before, after, needs, said) in [
        (asks(ops), "", (THREE, "{ops: [ann]}"), (THREE, "{ops: [ann, cyd]}"), Raise::Major, "people ops: ann → ann, cyd"),
        (asks(ops), "", (THREE, "{ops: [ann, cyd]}"), (THREE, "{ops: [ann]}"), Raise::Minor, "people ops: ann, cyd → ann"),
        // Whoever is on call: people who take turns otherwise are the same people.
        (
            asks(ops),
            "",
            (THREE, &format!("{{}}\n{}", turns("[ann, ben]"))),
            (THREE, &format!("{{}}\n{}", turns("[ben, ann]"))),
            Raise::Minor,
            "people ops: ann, ben in turn from 2026-01-05 on, handed over mon at 09:00 (UTC) → ben, ann in turn from 2026-01-05 on, handed over mon at 09:00 (UTC)",
        ),
        (
            asks(ops),
            "",
            (THREE, &format!("{{}}\n{}", turns("[ann, ben]"))),
            (THREE, &format!("{{}}\n{}", turns("[ann, cyd]"))),
            Raise::Major,
            "people ops: ann, ben in turn from 2026-01-05 on, handed over mon at 09:00 (UTC) → ann, cyd in turn from 2026-01-05 on, handed over mon at 09:00 (UTC)",
        ),
        // Through another group.
        (
            asks(ops),
            "",
            (THREE, "{ops: [in], in: [ann]}"),
            (THREE, "{ops: [in], in: [ann, cyd]}"),
            Raise::Major,
            "people ops: ann → ann, cyd",
        ),
        (gated.clone(), rule, (THREE, "{ops: [ann]}"), (THREE, "{ops: [cyd]}"), Raise::Major, "people ops: ann → cyd"),
        (
            escalates.clone(),
            ladder,
            (THREE, "{ops: [ben]}"),
            (THREE, "{ops: [ben, cyd]}"),
            Raise::Major,
            "people ops: ben → ben, cyd",
        ),
        // Nobody is named: whoever may operate is asked.
        (asks(all), "", (TWO, "{}"), (THREE, "{}"), Raise::Major, "people who may operate: ann, ben → ann, ben, cyd"),
        (asks(all), "", (THREE, "{}"), (TWO, "{}"), Raise::Minor, "people who may operate: ann, ben, cyd → ann, ben"),
        // The same name is somebody else, too.
        (
            asks(", from: [ann]"),
            "",
            (TWO, "{}"),
            ("{ann: {users: [ann, eve]}, ben: {}}", "{}"),
            Raise::Major,
            "people ann: ann → ann (user ann, user eve)",
        ),
    ] {
        let [before, after] =
            [before, after].map(|(who, groups)| plan(&[&procedure], Some(&format!("{}{rest}", people(who, groups)))));
        let comparison = compare(&before, &after);
        let lines = told(&comparison);
        assert_eq!(lines, [format!("{said} ({})", needs.word())], "{procedure}");
    }
    // Others are named, and the same people are asked.
    for (from, needs) in
        [("[ann, ben]", Raise::Minor), ("[ann]", Raise::Minor), ("[ops, cyd]", Raise::Major), ("[cyd]", Raise::Major)]
    {
        let workspace = people(THREE, "{ops: [ann, ben]}");
        let [before, after] = [asks(ops), asks(&format!(", from: {from}"))].map(|text| plan(&[&text], Some(&workspace)));
        assert_eq!(compare(&before, &after).procedures[0].needs, needs, "{from}");
    }
}

#[test]
fn what_policies_demand_of_paths_and_decisions_is_compared() {
    let asks =
        text("1.0.0", "steps:\n- {id: q, approve: {question: Go?}}\n- {id: x, exec: [a], effect: change, irreversible: t}\n");
    let demand = |require: &str| {
        format!("{}policies: [{{name: p, when: {{effect: change}}, require: {require}}}]\n", people("{ann: {}}", "{}"))
    };
    let first = "{always_before: {effect: change}, comes: {verb: approve}}";
    let other = "{always_before: {effect: change}, comes: {verb: check}}";
    let (must, both) = (demand(&format!("{{must: [{first}]}}")), demand(&format!("{{must: [{first}, {other}]}}")));
    for (old, new, expect) in [
        (&must, &both, vec![format!("policy p must {other}: – → yes (minor)")]),
        (&both, &must, vec![format!("policy p must {other}: yes → – (major)")]),
        (&must, &must.replace("approve}", "approve}, why: So."), vec![format!("policy p must {first}: yes → So. (patch)")]),
        (
            &must,
            &must.replace("approve", "check"),
            vec![format!("policy p must {other}: – → yes (minor)"), format!("policy p must {first}: yes → – (major)")],
        ),
        (
            &demand("{four_eyes: true}"),
            &demand("{signed: true}"),
            vec!["signed decisions: – → yes (minor)".to_owned(), "four eyes: yes → – (major)".to_owned()],
        ),
        (
            &demand("{signed: true}"),
            &demand("{four_eyes: true}"),
            vec!["four eyes: – → yes (minor)".to_owned(), "signed decisions: yes → – (major)".to_owned()],
        ),
    ] {
        assert_eq!(told(&compare(&plan(&[&asks], Some(old)), &plan(&[&asks], Some(new)))), expect, "{old}\n{new}");
    }
}

#[test]
fn what_holds_a_step_back_is_not_loosened_unseen() {
    let x = |keys: &str| format!("- {{id: x, exec: [a], effect: destructive, irreversible: t{keys}}}\n");
    let x_in = |keys: &str| format!("  {}", x(keys));
    let q = |keys: &str| format!("- {{id: q, approve: {{question: Go?}}{keys}}}\n");
    let go = "inputs: {go: {type: boolean, default: true}}\n";
    let steps = |steps: &[&str]| format!("{go}steps:\n- {{id: r, exec: [r], {READ}, if: inputs.go}}\n{}", steps.concat());
    let look = "- {id: look, exec: [look], effect: read}\n";
    let check = |that: &str| {
        let all: Vec<String> = that.split(", ").map(|that| format!("{{that: {that}}}")).collect();
        format!("- {{id: c, check: [{}]}}\n", all.join(", "))
    };
    let (on, off) = (", if: inputs.go", ", if: inputs.go == false");
    let group = |keys: &str, inside: &str| format!("- id: g\n{keys}  group:\n{inside}");
    for (old, new, expect) in [
        // A gate that is asked only sometimes, or at other times.
        (steps(&[&q(""), &x("")]), steps(&[&q(on), &x("")]), vec!["q if"]),
        (steps(&[&q(on), &x("")]), steps(&[&q(off), &x("")]), vec!["q if"]),
        (steps(&[&q(on), &x("")]), steps(&[&q(""), &x("")]), vec![]),
        (
            steps(&[&group("", &format!("  {}", q(""))), &x("")]),
            steps(&[&group("  if: inputs.go\n", &format!("  {}", q(""))), &x("")]),
            vec!["g if"],
        ),
        // A step that runs where it did not.
        (steps(&[&x(on)]), steps(&[&x("")]), vec!["x if"]),
        (steps(&[&x(on)]), steps(&[&x(off)]), vec!["x if"]),
        (steps(&[&x("")]), steps(&[&x(on)]), vec![]),
        (steps(&[look]), steps(&[&look.replace("read", "read, if: inputs.go")]), vec![]),
        (steps(&[&group("  if: inputs.go\n", &x_in(""))]), steps(&[&group("", &x_in(""))]), vec!["g if"]),
        (
            steps(&[&group("  if: inputs.go\n", &format!("{}  {look}", x_in("")))]),
            steps(&[&x(""), &group("  if: inputs.go\n", &format!("  {look}"))]),
            vec!["x under"],
        ),
        // The condition went with it.
        (
            steps(&[&group("  if: inputs.go\n", &format!("{}  {look}", x_in("")))]),
            steps(&[&x(on), &group("  if: inputs.go\n", &format!("  {look}"))]),
            vec![],
        ),
        (
            steps(&["- id: o\n  choose:\n  - when: inputs.go\n    steps:\n    ", &x("")]),
            steps(&["- id: o\n  choose:\n  - when: inputs.go == false\n    steps:\n    ", &x("")]),
            vec!["o branches"],
        ),
        // Order: what stood before it does no longer, or is passed over.
        (steps(&[&q(""), &x(""), look]), steps(&[&x(""), &q(""), look]), vec!["q|x held back by"]),
        (steps(&[&q(""), look, &x("")]), steps(&[&x(""), &q(""), look]), vec!["x held back by"]),
        (
            steps(&[look, &q(""), &x("")]),
            steps(&[&look.replace("read", "read, if: inputs.go, next: x"), &q(""), &x("")]),
            vec!["x held back by"],
        ),
        (
            steps(&[look, &q(""), &x("")]),
            steps(&[&look.replace("read", "read, on_failure: {next: x}"), &q(""), &x("")]),
            vec!["look on failure", "x held back by"],
        ),
        (
            steps(&[&group("", &format!("  {}", q(""))), look, &x("")]),
            steps(&[&x(""), &group("", &format!("  {}", q(""))), look]),
            vec!["x held back by"],
        ),
        (steps(&[look, &q(""), &x("")]), steps(&[&q(""), look, &x("")]), vec!["q?"]),
        // Another step under the same name: that it does more harm than this one did is told all the same.
        (
            steps(&[look, &x("")]),
            steps(&["- {id: look, run: look, effect: destructive, irreversible: t}\n", &x("")]),
            vec!["look effect"],
        ),
        // What follows a failure.
        (steps(&[&x(", on_failure: rollback")]), steps(&[&x("")]), vec!["x on failure"]),
        (steps(&[&x("")]), steps(&[&x(", on_failure: rollback")]), vec![]),
        (steps(&[&x(""), look]), steps(&[&x(", on_failure: {next: look}"), look]), vec!["x on failure"]),
        // What is looked for.
        (steps(&[&check("inputs.go, true")]), steps(&[&check("inputs.go")]), vec!["c assertion true"]),
        (steps(&[&check("inputs.go, true")]), steps(&[&check("true, inputs.go")]), vec![]),
        (steps(&[&check("inputs.go")]), steps(&[&check("inputs.go, true")]), vec![]),
        (steps(&[&check("inputs.go")]), steps(&[&check("inputs.go || true")]), vec!["c assertion inputs.go"]),
        (
            steps(&["- {id: w, wait: {until: inputs.go, within: 1h}}\n", &x("")]),
            steps(&["- {id: w, wait: {until: true, within: 1h}}\n", &x("")]),
            vec!["w wait until"],
        ),
        (steps(&["- {id: w, wait: {until: inputs.go, within: 1h}}\n", &x("")]), steps(&[&x("")]), vec!["w"]),
        (steps(&["- {id: f, finish: {outcome: failed}, if: inputs.go}\n", &x("")]), steps(&[&x("")]), vec!["f"]),
        (
            steps(&["- {id: h, http: {url: 'https://a.example', expect: {status: [200]}}, effect: read}\n"]),
            steps(&["- {id: h, http: {url: 'https://a.example', expect: {status: [200, 500]}}, effect: read}\n"]),
            vec!["h expected status"],
        ),
        // How much may go wrong.
        (
            steps(&["- id: e\n  each: {in: '[1, 2]', max_failures: 0, steps: [{id: y, exec: [b], effect: read}]}\n"]),
            steps(&["- id: e\n  each: {in: '[1, 2]', max_failures: 1, steps: [{id: y, exec: [b], effect: read}]}\n"]),
            vec!["e failures tolerated"],
        ),
    ] {
        let comparison = compared(&old, &new);
        assert!(!comparison.is_empty() || expect.is_empty(), "{old}\n{new}");
        let found = major(&comparison);
        // Of two steps that change places either may be told to have moved.
        let ok = match expect.as_slice() {
            ["q|x held back by"] => found == ["q"] || found == ["x held back by"],
            ["q?"] => found.is_empty() || found == ["q"],
            expect => found == expect,
        };
        assert!(ok, "{old}\n{new}\n{found:?} and not {expect:?}: {:#?}", told(&comparison));
    }
}

#[test]
fn what_a_call_does_and_holds_back_goes_with_it() {
    let main = |steps: &str| text("1.0.0", &format!("steps:\n- {{id: r, exec: [r], {READ}}}\n{steps}"));
    let called = |name: &str, steps: &str| {
        format!("apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 1.0.0\nsteps: [{steps}]\n")
    };
    let does = called("does", "{id: y, exec: [b], effect: change, irreversible: t}");
    let asks = called("asks", "{id: y, approve: {question: Go?}}");
    let reads = called("reads", "{id: y, exec: [b], effect: read}");
    let call = |name: &str| main(&format!("- {{id: c, call: {name}@^1}}\n"));
    for (old, new, expect) in [
        (call("does"), main(""), vec!["c"]),
        (call("asks"), main(""), vec!["c"]),
        (call("reads"), main(""), vec![]),
        (call("does"), call("reads"), vec!["c procedure"]),
        (call("asks"), call("reads"), vec!["c procedure", "c effect"]),
    ] {
        let [before, after] = [&old, &new].map(|text| plan(&[text, &does, &asks, &reads], None));
        assert_eq!(major(&compare(&before, &after)), expect, "{old}\n{new}");
    }
}

#[test]
fn two_versions_of_one_name_are_two() {
    let main = text("1.0.0", "steps: [{id: c, call: b@^1}, {id: d, call: b@^2}]\n");
    let called = |version: &str, command: &str| {
        format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: b\nversion: {version}\nsteps: [{{id: y, exec: [{command}], effect: read}}]\n"
        )
    };
    let old = plan(&[&main, &called("1.0.0", "one"), &called("2.0.0", "two")], None);
    let new = plan(&[&main, &called("1.0.0", "other"), &called("2.1.0", "two")], None);
    let comparison = compare(&old, &new);
    let versions = |change: &ProcedureChange| [change.old, change.new].map(|version| version.unwrap().to_string());
    let found: Vec<_> = comparison.procedures.iter().filter(|change| change.called).map(versions).collect();
    assert_eq!(found, [["1.0.0", "1.0.0"], ["2.0.0", "2.1.0"]].map(|pair| pair.map(str::to_owned)));
    assert!(matches!(comparison.procedures[1].raised, Raised::TooLittle(_)));
}

#[test]
fn a_version_comes_of_itself_or_of_the_one_below() {
    for (old, new, expect) in [
        ("1.0.0", "1.1.0", "1.0.0→1.1.0"),
        ("1.0.0 2.0.0", "1.0.1 2.0.0", "1.0.0→1.0.1 2.0.0→2.0.0"),
        ("1.0.0", "1.0.0 2.0.0", "1.0.0→1.0.0 1.0.0→2.0.0"),
        ("1.0.0 2.0.0", "2.1.0", "2.0.0→2.1.0 1.0.0→–"),
        ("2.0.0", "1.0.0", "2.0.0→1.0.0"),
        ("", "1.0.0", "–→1.0.0"),
        ("1.0.0", "", "1.0.0→–"),
    ] {
        let versions = |text: &str| -> Vec<Version> { text.split_whitespace().map(|version| version.parse().unwrap()).collect() };
        let side = |version: Option<Version>| version.map_or("–".to_owned(), |version| version.to_string());
        let pairs = successions(versions(old), versions(new)).into_iter();
        let found: Vec<String> = pairs.map(|(old, new)| format!("{}→{}", side(old), side(new))).collect();
        assert_eq!(found.join(" "), expect);
    }
}

mod around;
mod loosened;
