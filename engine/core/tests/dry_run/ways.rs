//! What a step does on several ways: that it differs is said, and each of it is shown.

use runbook_core::explore::{PredictedStep, PredictedUndo};
use runbook_core::run::task::Work;

use super::*;

/// A value that is `1` on one way and `2` on the other.
const WAYS: &str = "- {id: look, exec: [look], effect: read}
- choose:
  - {when: 'look_at > 3', steps: [{id: x, set: {v: '1'}}]}
  - {otherwise: [{id: y, set: {v: '2'}}]}
- {id: m, set: {v: 'if \"x\" in steps { steps.x.v } else { steps.y.v }'}}
";

/// What is predicted of the last step.
fn last(steps: &str) -> PredictedStep {
    let before = WAYS.replace("look_at", "steps.look.stdout.len()");
    let mut dry = predicted(&format!("{before}{steps}"), false);
    dry.steps.pop().unwrap()
}

fn because(step: &PredictedStep) -> &str {
    if let Verdict::CannotKnow { because } = &step.verdict { because } else { "" }
}

fn argv(work: Option<&Work>) -> String {
    match work.map(|work| &work.task) {
        Some(Task::Exec { argv }) => argv.join(" "),
        _ => String::new(),
    }
}

#[test]
fn what_differs_by_the_way_is_no_claim_and_all_of_it_is_shown() {
    let does = last("- {id: z, exec: [rm, '{{steps.m.v}}'], irreversible: it is gone}\n");
    assert_eq!(because(&does), "what it runs with depends on the way before it");
    assert_eq!((argv(does.work.as_ref()), argv(does.otherwise[0].work.as_ref())), ("rm 1".to_owned(), "rm 2".to_owned()));
    for (step, shown) in [
        ("approve: {question: 'v is {{steps.m.v}}', within: 1h}", ["v is 1", "v is 2"]),
        ("ask: {question: 'v is {{steps.m.v}}', fields: {a: {type: string}}, within: 1h}", ["v is 1", "v is 2"]),
        ("manual: {do: 'do {{steps.m.v}}', within: 1h}\n  irreversible: it is done", ["do 1", "do 2"]),
    ] {
        let asks = last(&format!("- id: z\n  {step}\n"));
        assert_eq!(because(&asks), "what is asked depends on the way before it", "{step}");
        let others = asks.otherwise.iter().flat_map(|other| other.requests.iter().flatten());
        let questions: Vec<&str> = asks.requests.iter().chain(others).map(|asked| asked.request.question.as_str()).collect();
        assert!(questions.len() == 2 && questions.iter().zip(shown).all(|(found, text)| found.contains(text)), "{questions:?}");
    }
    let ends = last("- {id: z, finish: {outcome: succeeded, message: 'v is {{steps.m.v}}'}}\n");
    assert_eq!(because(&ends), "what it says depends on the way before it");
    assert_eq!(ends.otherwise[0].ends.as_ref().map(|ends| ends.message.as_str()), Some("v is 2"));
    // How to take it back is told, and what it does is known all the same.
    let undone = last("- {id: z, exec: [x], undo: {exec: [back, '{{steps.m.v}}']}}\n");
    assert_eq!(undone.verdict, Verdict::WouldRun);
    let undo = |undo: Option<&PredictedUndo>| match undo {
        Some(PredictedUndo::Steps(steps)) => argv(steps[0].work.as_ref()),
        _ => String::new(),
    };
    assert_eq!((undo(Some(&undone.undo)), undo(undone.otherwise[0].undo.as_ref())), ("back 1".to_owned(), "back 2".to_owned()));
    // What is the same on both is one.
    let same = last("- {id: z, exec: [x, '{{inputs.n}}'], effect: read}\n");
    assert_eq!((&same.verdict, same.otherwise.len()), (&Verdict::WouldRun, 0));
}

#[test]
fn how_many_items_there_are_may_differ_too() {
    let steps = WAYS.replace("look_at", "steps.look.stdout.len()")
        + "- {id: all, each: {in: 'if steps.m.v == 1 { [1] } else { [1, 2] }', steps: [{id: a, exec: [x], effect: read}]}}\n";
    let dry = predicted(&steps, false);
    let all = dry.steps.iter().find(|step| step.path.as_str() == "all").unwrap();
    assert_eq!(because(all), "how often its steps run depends on the way before it");
    assert_eq!(all.otherwise[0].repeats.as_deref(), Some("for 2 items"));
}

#[test]
fn a_name_stands_for_the_value_that_one_way_has() {
    let steps = "- {id: look, exec: [look], effect: read, outputs: {list: result.json}}
- {id: loop, each: {in: steps.look.list, as: h, steps: [{id: drain, exec: [drain, '{{h}}'], idempotent: true}]}}
- {id: n, set: {n: steps.loop.len()}}
- {id: go, approve: {question: '{{steps.n.n}} drained. Go on?', within: 1h}}
- {id: use, exec: [rm, '{{steps.n.n}}'], irreversible: it is gone}
- {id: last, finish: {outcome: succeeded, message: '{{steps.n.n}} done'}}
";
    let dry = predicted(steps, false);
    let step = |path: &str| dry.steps.iter().find(|step| step.path.as_str() == path).unwrap();
    assert_eq!(step("go").requests[0].request.question, "‹steps.n.n› drained. Go on?");
    assert_eq!(argv(step("use").work.as_ref()), "rm ‹steps.n.n›");
    assert_eq!(step("last").ends.as_ref().unwrap().message, "‹steps.n.n› done");
    assert!(dry.steps.iter().all(|step| step.otherwise.is_empty()), "{:#?}", step("go").otherwise);
}

/// A procedure that is called and ends itself badly ends what goes on beside its call.
#[test]
fn the_bad_end_of_a_called_procedure_comes_after_what_goes_on_beside_it() {
    for (finish, expect) in [("failed", "would run"), ("succeeded", "would run")] {
        let other = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: other\nversion: 1.0.0\ninputs: {{n: {{type: integer}}}}\nsteps:
- {{id: w, wait: {{for: 5s}}}}\n- {{id: a, exec: [x], effect: read}}\n- {{id: f, if: inputs.n > 3, finish: {{outcome: {finish}}}}}\n"
        );
        let steps = "- {id: all, each: {in: '[1, 2]', max_parallel: 2, steps: [{id: sub, call: other@^1, with: {n: inputs.n}}]}}\n";
        let plan = plan_with(steps, &other);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let dry = dry_run(&plan, &started(&plan), now, &Options { examples: false }, &mut Nothing).unwrap();
        for path in ["all[0]/sub/a", "all[1]/sub/a"] {
            let line = told(&dry).lines().find_map(|line| line.strip_prefix(&format!("{path}: ")).map(str::to_owned));
            assert_eq!(line.as_deref(), Some(expect), "{finish} {path}\n{}", told(&dry));
        }
    }
}
