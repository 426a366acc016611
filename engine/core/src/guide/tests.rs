use super::*;
use crate::check::{Catalogue, CheckOptions, check};
use crate::diagnostic::Source;
use crate::document::{Document, Procedure, load};

fn procedures(texts: &[&str]) -> Vec<Procedure> {
    let read = |text: &&str| {
        let text = format!("apiVersion: runbook/v1\nkind: Runbook\nversion: 1.0.0\n{text}");
        match load(&Source::new("p.yaml", text)) {
            (Some(Document::Procedure(procedure)), _) => *procedure,
            (_, found) => panic!("{found:#?}"),
        }
    };
    texts.iter().map(read).collect()
}

fn planned(procedures: &[Procedure]) -> Plan {
    let (plan, found) = check(&procedures[0], &Catalogue::new(procedures, None), &CheckOptions::default());
    plan.unwrap_or_else(|| panic!("{found:#?}"))
}

const MAIN: &str = "name: main
steps:
- {id: first, exec: [a], undo: {id: back, exec: [b]}}
- choose:
  - {when: 1 == 1, steps: [{id: chosen, exec: [a], effect: read}, {exec: [c], effect: read}]}
  - {otherwise: [{finish: {outcome: failed}}]}
- {id: sub, call: sub@^1}
- {id: ready, wait: {until: true, within: 1m, probe: {id: probe, exec: [a], effect: read}}, on_failure: {next: last}}
- {exec: [x], effect: read}
- {id: last, parallel: {left: [{exec: [a], effect: read}], right: [{exec: [a], effect: read}]}}
on_failure:
- {id: mend, exec: [a], effect: read}
finally:
- {id: tidy, exec: [a], effect: read}
";
const SUB: &str = "name: sub
steps:
- {id: act, exec: [a], undo: [{id: one, exec: [b]}, {id: two, exec: [b]}]}
";

#[test]
fn each_part_has_its_steps_with_the_numbers_of_a_run() {
    let procedures = procedures(&[MAIN, SUB]);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    let told = |entries: &[Entry]| {
        let told = entries.iter().map(|entry| {
            let lead = match &entry.lead {
                None => String::new(),
                Some(Lead::When(when)) => format!(" if {when}"),
                Some(Lead::Otherwise) => " otherwise".to_owned(),
                Some(Lead::Branch(name)) => format!(" {name}"),
                Some(Lead::Probe) => " probe".to_owned(),
                Some(Lead::OnFailure) => " after a failure".to_owned(),
                Some(Lead::Finally) => " in the end".to_owned(),
                Some(Lead::InPlaceOf(parts)) => format!(" in place of {}", parts.join(", ")),
                Some(Lead::PartOf(_)) => " part".to_owned(),
            };
            let within = entry.within.as_ref().map(|within| format!(" in {within}")).unwrap_or_default();
            format!("{}{} {}{within}{lead}", "  ".repeat(entry.depth), entry.number, plan.step(entry.step).label)
        });
        told.collect::<Vec<_>>()
    };
    let body = [
        "1 first",
        "2 choose-2",
        "  3 chosen in 2 if 1 == 1",
        "  4 exec-2 in 2 if 1 == 1",
        "  5 finish-1 in 2 otherwise",
        "6 sub",
        "  6.1 act in 6",
        "7 ready",
        "  8 probe in 7 probe",
        "9 exec-5",
        "10 last",
        "  11 exec-1 in 10 left",
        "  12 exec-1 in 10 right",
    ];
    assert_eq!(told(&guide.body), body);
    assert_eq!(told(&guide.finally), ["13 tidy"]);
    assert_eq!(told(&guide.on_failure), ["14 mend"]);
    assert_eq!(told(&guide.undo), ["6.U1-1 one", "6.U1-2 two", "U1 back"], "the last change first");
    assert!(guide.unopened.is_empty());

    let chart = charted(&plan).unwrap();
    let numbers: Vec<&str> = chart.body.iter().map(|item| item.number.as_str()).collect();
    assert_eq!(numbers, ["1", "2", "6", "7", "9", "10"]);
    assert!(chart.body[0].undone && matches!(&chart.body[3].fails, Fails::To(number) if number == "10"));
    assert!(matches!(&chart.body[1].shape, Shape::Chooses { lanes, open: false } if lanes.len() == 2));
    assert!(matches!(&chart.body[5].shape, Shape::Forks(lanes) if lanes[1].name == "right"));
}

/// Whoever works by hand has one sheet: nothing that a run would do is left to another.
#[test]
fn what_a_called_procedure_does_after_a_failure_and_in_the_end_is_part_of_the_call() {
    let main = "name: main\nsteps:\n- {id: first, exec: [a], effect: read}\n- {id: sub, if: 1 == 1, call: sub@^1}\n";
    let sub = "name: sub
steps:
- {id: act, exec: [a], undo: {exec: [b]}}
on_failure:
- {id: mend, exec: [a], undo: {exec: [b]}}
finally:
- {id: tidy, group: [{id: one, exec: [a], effect: read, on_failure: rollback}, {id: deeper, call: last@^1}]}
";
    let last = "name: last\nsteps:\n- {exec: [a], effect: read}\nfinally:\n- {id: off, exec: [a], effect: read}\n";
    let procedures = procedures(&[main, sub, last]);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    let told = |entry: &Entry| {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let lead = entry.lead.as_ref().map(|lead| format!(" {lead:?}")).unwrap_or_default();
        let inside = entry.inside.as_ref().map(|(first, last)| format!(" {first} to {last}")).unwrap_or_default();
        format!("{} {:?} {} {}{lead}{inside}", entry.number, entry.part, name(&entry.within), name(&entry.caught_by))
    };
    let expect = [
        "1 Body - -",
        "2 Body - - 2.1 to 2.5",
        "2.1 Body 2 -",
        "2.5 OnFailure 2 - OnFailure",
        "2.2 Finally 2 - Finally 2.3 to 2.4.2",
        "2.3 Finally 2.2 2.2",
        "2.4 Finally 2.2 2.2 2.4.1 to 2.4.2",
        "2.4.1 Finally 2.4 2.2",
        "2.4.2 Finally 2.4 2.2 Finally",
    ];
    assert_eq!(guide.body.iter().map(told).collect::<Vec<_>>(), expect);
    let beside: Vec<&str> = guide.body.iter().filter(|entry| guide.goes_on(entry)).map(|entry| entry.number.as_str()).collect();
    assert_eq!(beside, ["2.5", "2.2", "2.4.2"]);
    let undo: Vec<&str> = guide.undo.iter().map(|entry| entry.number.as_str()).collect();
    assert_eq!(undo, ["2.U5", "2.U1"], "the last change first");
    assert!(guide.unopened.is_empty());
}

#[test]
fn undo_of_a_whole_and_of_its_parts_are_told_apart() {
    let text = "name: main
steps:
- {id: before, exec: [a], undo: {exec: [b]}}
- id: whole
  group:
  - {id: one, exec: [a], undo: {exec: [b]}}
  - {id: deep, group: [{id: two, exec: [a], undo: {exec: [b]}}]}
  undo: [{exec: [b]}, {exec: [c]}]
on_failure:
- {id: mend, exec: [a], undo: {exec: [b]}}
finally:
- {id: tidy, exec: [a], undo: {exec: [b]}}
";
    let procedures = procedures(&[text]);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    let told: Vec<(&str, Option<&Lead>)> = guide.undo.iter().map(|entry| (entry.number.as_str(), entry.lead.as_ref())).collect();
    let part = Lead::PartOf("2".to_owned());
    let whole = Lead::InPlaceOf(["U5".to_owned(), "U3".to_owned()].into());
    let expect = [
        ("U6", None),
        ("U7", None),
        ("U5", Some(&part)),
        ("U3", Some(&part)),
        ("U2-1", Some(&whole)),
        ("U2-2", Some(&whole)),
        ("U1", None),
    ];
    assert_eq!(told, expect);
}

#[test]
fn gates_are_those_of_every_environment_unless_one_is_meant() {
    let procedures = procedures(&["name: main\nsteps:\n- {exec: [a], undo: {exec: [b]}}\n- {exec: [a], effect: read}\n"]);
    let workspace = "apiVersion: runbook/v1
kind: Workspace
name: w
environments: {test: {default: true}, live: {}}
people: {ann: {}}
policies:
- {name: careful, when: {effect: change, environments: [live]}, require: {approve: {from: [ann], within: 1h}}}
";
    let (Some(Document::Workspace(workspace)), _) = load(&Source::new("workspace.yaml", workspace)) else { panic!() };
    for (environment, all, expect) in [
        (None, true, vec!["careful in live"]),
        (None, false, vec![]),
        (Some("live"), false, vec!["careful in "]),
        (Some("test"), false, vec![]),
    ] {
        let options = CheckOptions { environment: environment.map(str::to_owned), today: None };
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, Some(&workspace)), &options);
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        let guide = Guide::new(&plan, &procedures[0], all).unwrap();
        let gates: Vec<String> = guide
            .entries()
            .flat_map(|entry| &entry.gates)
            .map(|found| format!("{} in {}", found.gate.rule, found.environments.join(", ")))
            .collect();
        assert_eq!(gates, expect, "{environment:?} {all}");
    }
}

#[test]
fn approvals_beyond_a_bound_are_left_out_and_counted() {
    let steps = limits::GUIDE_STEPS / 2;
    let procedures = procedures(&[&format!("name: main\nsteps:\n{}", "- {exec: [a], idempotent: true}\n".repeat(steps))]);
    let rules = limits::GUIDE_GATES / steps + 1;
    let rule = |n: usize| format!("- {{name: r{n}, when: {{effect: change}}, require: {{approve: {{within: 1h}}}}}}\n");
    let workspace =
        format!("apiVersion: runbook/v1\nkind: Workspace\nname: w\npolicies:\n{}", (0..rules).map(rule).collect::<String>());
    let (Some(Document::Workspace(workspace)), _) = load(&Source::new("workspace.yaml", workspace)) else { panic!() };
    let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, Some(&workspace)), &CheckOptions::default());
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    assert_eq!(guide.entries().map(|entry| entry.gates.len()).sum::<usize>(), limits::GUIDE_GATES);
    assert_eq!(guide.ungated, rules * steps - limits::GUIDE_GATES);
}

#[test]
fn what_is_called_deepest_is_left_out_first_and_undo_never_of_what_is_told() {
    let mut texts: Vec<String> = (0..8)
        .map(|n| {
            let call = format!("- call: p{}@^1\n", n + 1);
            format!("name: p{n}\nsteps:\n- {{exec: [a], undo: {{exec: [b]}}}}\n{}", call.repeat(10))
        })
        .collect();
    texts.push("name: p8\nsteps:\n- {exec: [a], effect: read}\n".to_owned());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let procedures = procedures(&texts);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    // Two calls deep there are 1 + 10 + 100 times eleven steps and an undo; one deeper, more than are told.
    assert_eq!((guide.body.len(), guide.undo.len(), guide.unopened.len()), (111 * 11, 111, 1000));
    assert!(guide.entries().count() <= limits::GUIDE_STEPS);
    let deepest = guide.body.iter().map(|entry| entry.calls.len()).max();
    assert_eq!((deepest, guide.unopened.first().map(String::as_str)), (Some(2), Some("2.2.2")));
}

#[test]
fn a_procedures_own_steps_are_never_left_out() {
    let own = limits::GUIDE_STEPS + 1;
    let steps = "- {exec: [a], idempotent: true}\n".repeat(own);
    let procedures = procedures(&[&format!("name: main\nsteps:\n{steps}- call: sub@^1\n"), SUB]);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    assert_eq!(guide.body.len(), own + 1);
    assert_eq!(guide.unopened, [(own + 1).to_string()]);
}

#[test]
fn a_step_knows_what_it_is_left_out_with_and_what_follows_where_it_fails() {
    let text = "name: main
steps:
- id: maybe
  if: 1 == 1
  on_failure: continue
  group:
  - {exec: [a], effect: read}
  - choose:
    - {when: 1 == 2, steps: [{exec: [a], effect: read}, {group: [{exec: [a], effect: read}]}]}
- id: many
  each: {in: '[1]', max_failures: 1, steps: [{exec: [a], effect: read}]}
- {group: [{exec: [a], effect: read}]}
finally:
- {id: tidy, group: [{exec: [a], effect: read, on_failure: rollback}]}
";
    let procedures = procedures(&[text]);
    let plan = planned(&procedures);
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    let told = |entry: &Entry| {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let inside = entry.inside.as_ref().map(|(first, last)| format!(" {first} to {last}")).unwrap_or_default();
        format!("{} {} {}{inside}", entry.number, name(&entry.left_out_with), name(&entry.caught_by))
    };
    let expect = [
        "1 - - 2 to 6",
        "2 1 1",
        "3 1 1 4 to 6",
        "4 1 1",
        "5 1 1 6 to 6",
        "6 3 1",
        "7 - - 8 to 8",
        "8 - 7",
        "9 - - 10 to 10",
        "10 - -",
        "11 - - 12 to 12",
        "12 - 11",
    ];
    assert_eq!(guide.entries().map(told).collect::<Vec<_>>(), expect);
}

#[test]
fn a_chart_folds_before_it_gives_up() {
    let group = |steps: usize| format!("- group:\n{}", "  - {exec: [a], effect: read}\n".repeat(steps));
    for (groups, steps, folded) in [(2, 3, Some(false)), (4, 60, Some(true)), (limits::CHART_STEPS + 1, 1, None)] {
        let procedures = procedures(&[&format!("name: main\nsteps:\n{}", group(steps).repeat(groups))]);
        assert_eq!(charted(&planned(&procedures)).map(|chart| chart.folded), folded, "{groups} of {steps}");
    }
}

#[test]
fn what_is_due_is_judged_by_the_day() {
    let day = |text: &str| text.parse::<Date>().unwrap();
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 60 * 60));
    for (last, every, today, expect) in [
        (Some("2026-01-01"), days(90), "2026-03-31", Freshness::Due(day("2026-04-01"))),
        (Some("2026-01-01"), days(90), "2026-04-01", Freshness::Due(day("2026-04-01"))),
        (Some("2026-01-01"), days(90), "2026-04-02", Freshness::Overdue(day("2026-04-01"))),
        (Some("2026-01-01"), None, "2030-01-01", Freshness::Unasked),
        (None, days(90), "2026-01-01", Freshness::Never),
        (None, None, "2026-01-01", Freshness::Unasked),
        (Some("9999-12-31"), days(90), "2026-01-01", Freshness::Unasked),
    ] {
        let found = Freshness::of(last.map(day), every, day(today));
        assert_eq!(found, expect, "{last:?} {every:?} {today}");
        assert_eq!(found.is_stale(), matches!(expect, Freshness::Overdue(_) | Freshness::Never));
    }
}
