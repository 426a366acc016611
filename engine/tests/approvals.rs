//! Approvals from end to end: a real store, a driver, people of a workspace, and what each of them may and may not do.

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, load};
use runbook_core::policy::ahead::{Ahead, ahead_statement};
use runbook_core::policy::{DECISION_NAMESPACE, Override};
use runbook_core::run::decision::{Choice, Standing};
use runbook_core::run::event::{Identity, Means, OutcomeKind, Part, RunStarted, Vote};
use runbook_core::{Digest, Fact, Map, Plan, Run, RunId};
use runbook_engine::clock::{Clock, ManualClock};
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Patience, Stop, World};
use runbook_engine::journal::{NewAhead, NewOverride, Owner, SharedJournal, Store};
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Message};
use runbook_engine::people::{self, SigningKey};
use runbook_engine::permit;
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Session, deliver, replay};

#[path = "approvals/told.rs"]
mod told;

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: team
environments: {production: {production: true, default: true}}
people:
  anna: {users: [anna], ssh_keys: [KEY]}
  bob: {users: [bob]}
  cleo: {users: [cleo]}
groups: {dba: [anna, bob]}
channels:
  pager: {log: {file: pager.jsonl}}
  dead: {command: ['false']}
  slow: {command: [sh, slow.sh]}
  duty: {pagerduty: {key: secrets.key, server: 'http://127.0.0.1:9'}, secrets: {key: {env: DUTY}}}
escalations: {ladder: {steps: [{to: [cleo], after: 5m, channels: [pager]}]}}
";

struct Case {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    journal: SharedJournal,
    plan: Arc<Plan>,
    id: RunId,
}

fn person(name: &str) -> Identity {
    Identity { person: name.to_owned(), means: Means::LocalUser { user: name.to_owned(), host: "here".to_owned() } }
}

impl Case {
    /// A run of a procedure with this approval, asked for by anna, in a workspace with these policies.
    fn new(approve: &str, policies: &str, key: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir(folder.path().join("state")).unwrap();
        std::fs::set_permissions(folder.path().join("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let procedure = format!(
            "apiVersion: runbook/v1\nkind: Runbook\nname: rebuild\nversion: 1.0.0\nescalation: ladder\nsteps:\n- id: go\n  approve: {approve}\n- {{id: a, run: 'echo a >> done', irreversible: it counts}}\n"
        );
        let read = |name: &str, text: &str| {
            let (document, found) = load(&Source::new(name, text));
            assert!(!found.has_errors(), "{found:#?}");
            document.unwrap()
        };
        let workspace = WORKSPACE.replace("KEY", &format!("\"{key}\"")) + policies;
        let (Document::Procedure(procedure), Document::Workspace(workspace)) =
            (read("rebuild.yaml", &procedure), read("workspace.yaml", &workspace))
        else {
            panic!("other kinds of documents")
        };
        let options = CheckOptions { environment: Some("production".to_owned()), today: None };
        let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], Some(&workspace)), &options);
        let plan = Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")));
        let start: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let journal: SharedJournal = Arc::new(Store::open(&folder.path().join("state")).unwrap());
        Case { clock: Arc::new(ManualClock::at(start)), journal, plan, id: RunId::from_parts(1, 7), folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts or resumes the run, and goes on until people are needed.
    fn drive(&self) -> Stop {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(self.driven())
    }

    async fn driven(&self) -> Stop {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let owner = Owner::this_process("anna");
        let mut session = if self.journal.run(&self.id).is_ok() {
            let mut session = Session::open(self.journal.clone(), clock.clone(), owner, Vec::new(), &self.id).await.unwrap();
            session.adopt(person("anna")).unwrap();
            session
        } else {
            let started = RunStarted {
                procedure: self.plan.main().name.clone(),
                version: self.plan.main().version,
                plan: self.plan.digest().unwrap(),
                semantics: self.plan.semantics,
                inputs: Map::new(),
                event: None,
                environment: Some("production".to_owned()),
                requested_by: person("anna"),
                seed: 1,
                part: Part::Whole,
                stepwise: false,
                catalogue: None,
                lock: None,
                root: None,
            };
            Session::create(self.journal.clone(), clock.clone(), owner, Vec::new(), self.id.clone(), self.plan.clone(), started)
                .await
                .unwrap()
        };
        let logs = Logs::open(&self.path().join("state")).unwrap();
        let secrets = Arc::new(SecretStore::new(self.path(), self.path(), [("DUTY".into(), "routing".into())]));
        let performer = Arc::new(LocalPerformer::new(self.path().to_owned(), logs, secrets));
        let (_wishes, wishes) = tokio::sync::mpsc::unbounded_channel();
        let world = World { performer, wishes };
        let stop = Driver::new(&mut session, world, Patience::Park, Box::new(|_, _| {})).drive().await.unwrap();
        session.close().await.unwrap();
        stop
    }

    fn run(&self) -> Run {
        replay(&*self.journal, &self.id, &mut |_, _| {}).unwrap().0
    }

    fn vote(&self, who: &str, choice: Choice) -> Vote {
        let run = self.run();
        let open = run.decisions().last().unwrap();
        Vote { reason: Some("as tested".to_owned()), ..Vote::new(person(who), choice, open.request.digest.clone()) }
    }

    fn say(&self, vote: Vote) -> Result<(), String> {
        let decision = self.run().decisions().last().unwrap().id;
        let message = Message::Decide { decision, vote: Box::new(vote) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let owner = Owner::this_process("anybody");
        match runtime.block_on(deliver(self.journal.clone(), self.clock.clone(), owner, &self.id, message)).unwrap() {
            Answer::Accepted { .. } => Ok(()),
            Answer::Refused { why } => Err(why),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        replay(&*self.journal, &self.id, &mut |_, event| {
            if let Fact::NoteAdded { text, .. } = &event.fact {
                notes.push(text.clone());
            }
        })
        .unwrap();
        notes
    }

    /// What became of the run, and how often its change really happened.
    fn end(&self) -> (Option<OutcomeKind>, usize) {
        let kind = match self.drive() {
            Stop::Finished(outcome) => Some(outcome.kind),
            _ => None,
        };
        (kind, std::fs::read_to_string(self.path().join("done")).unwrap_or_default().lines().count())
    }
}

const PLAIN: &str = "{question: Rebuild?, from: [dba]}";
const FOUR_EYES: &str = "policies:\n- {name: eyes, when: {effect: change}, require: {four_eyes: true}}\n";
const NO_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1xX7pZ8m7v0mB4XK1mFzQ0l0yq8mJ8m2zY1w4x6uQn";

#[test]
fn granted_and_rejected() {
    for (choice, outcome, times) in [(Choice::Approve, OutcomeKind::Succeeded, 1), (Choice::Reject, OutcomeKind::Rejected, 0)] {
        let case = Case::new(PLAIN, "", NO_KEY);
        assert!(matches!(case.drive(), Stop::Waiting(_)));
        case.say(case.vote("bob", choice)).unwrap();
        assert_eq!(case.end(), (Some(outcome), times));
    }
}

#[test]
fn who_may_decide() {
    for (policies, who, expect) in [
        ("", "anna", Ok(())),
        ("", "bob", Ok(())),
        ("", "cleo", Err("not among those who are asked")),
        ("", "mallory", Err("nobody in the workspace")),
        (FOUR_EYES, "anna", Err("asked for this run")),
        (FOUR_EYES, "bob", Ok(())),
    ] {
        let case = Case::new(PLAIN, policies, NO_KEY);
        case.drive();
        let said = case.say(case.vote(who, Choice::Approve));
        match (&said, expect) {
            (Ok(()), Ok(())) => assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1)),
            (Err(why), Err(part)) if why.contains(part) => assert_eq!(case.end(), (None, 0), "{who}"),
            _ => panic!("{who} under `{policies}`: {said:?}"),
        }
    }
}

#[test]
fn a_quorum_of_two_and_deciding_twice() {
    let case = Case::new("{question: Rebuild?, from: [dba], count: 2}", "", NO_KEY);
    case.drive();
    let anna = case.vote("anna", Choice::Approve);
    case.say(anna.clone()).unwrap();
    case.say(anna.clone()).unwrap();
    assert_eq!(case.end(), (None, 0));
    let changed = case.say(Vote { choice: Choice::Reject, ..anna }).unwrap_err();
    assert!(changed.contains("decided this already"), "{changed}");
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
}

#[test]
fn an_expired_question_is_no_yes_and_an_escalation_asks_others() {
    let case = Case::new("{question: Rebuild?, from: [dba], within: 10m}", "", NO_KEY);
    case.drive();
    let late = case.vote("bob", Choice::Approve);
    case.clock.advance(Duration::from_secs(601));
    assert_eq!(case.end(), (Some(OutcomeKind::Failed), 0));
    let refused = case.say(late).unwrap_err();
    assert!(refused.contains("time is over"), "{refused}");

    // The time is over also where nobody was there to notice.
    let case = Case::new("{question: Rebuild?, from: [dba], within: 10m}", "", NO_KEY);
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    let refused = case.say(case.vote("bob", Choice::Approve)).unwrap_err();
    assert!(refused.contains("time is over"), "{refused}");
    assert_eq!(case.end(), (Some(OutcomeKind::Failed), 0));

    let case = Case::new("{question: Rebuild?, from: [dba], within: 10m, on_timeout: escalate}", "", NO_KEY);
    case.drive();
    assert!(case.say(case.vote("cleo", Choice::Approve)).is_err(), "cleo is asked only later");
    case.clock.advance(Duration::from_secs(601));
    assert_eq!(case.end(), (None, 0));
    assert_eq!(case.run().decisions()[0].asked, ["dba", "cleo"]);
    let told: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(case.path().join("pager.jsonl")).unwrap()).unwrap();
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("cleo may decide now") && message.contains("Rebuild?"), "{message}");
    let told = ["escalation 1 of decision d1 is on its way to pager", "escalation 1 of decision d1: told pager"];
    assert_eq!(case.notes(), told);
    case.say(case.vote("cleo", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
}

/// Who was on call when it was asked may decide, whoever is on call by then; who is on call when an escalation asks, from then on.
#[test]
fn a_rotation_means_who_is_on_call_when_it_is_asked() {
    const TURNS: &str =
        "rotations:\n  night: {members: [bob, cleo], starts: 2026-03-01, hand_over: {days: mon-sun, at: '12:00'}}\n";
    let approve = "{question: Rebuild?, from: [night], within: 3h}";
    let case = Case::new(approve, TURNS, NO_KEY);
    case.drive();
    case.clock.advance(Duration::from_secs(7200 + 60));
    assert_eq!(case.run().decisions()[0].asked, ["bob"], "it is cleo's turn by now");
    let refused = case.say(case.vote("cleo", Choice::Approve)).unwrap_err();
    assert!(refused.contains("`cleo` is not among those who are asked (bob)"), "{refused}");
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));

    let ladder = format!(
        "{TURNS}policies: [{{name: asks, when: {{effect: change}}, require: {{approve: {{from: [night], within: 1h}}}}}}]\n"
    );
    let case = Case::new("{question: Rebuild?, from: [anna], within: 3h, on_timeout: escalate}", &ladder, NO_KEY);
    let case = Case { plan: Arc::new(escalates_to(&case.plan, "night")), ..case };
    case.drive();
    case.clock.advance(Duration::from_secs(3 * 3600 + 1));
    assert_eq!(case.end(), (None, 0));
    assert_eq!(case.run().decisions()[0].asked, ["anna", "cleo"]);
    let told = std::fs::read_to_string(case.path().join("pager.jsonl")).unwrap();
    assert!(told.contains("cleo (on call in night) may decide now"), "{told}");
    case.say(case.vote("cleo", Choice::Approve)).unwrap();
    case.drive();
    assert_eq!(case.run().decisions()[1].asked, ["cleo"], "a policy asks the rotation too");

    // Before the first turn nobody is on call: whoever is in the rotation is asked, and nobody else.
    let case = Case::new(approve, &TURNS.replace("2026-03-01", "2026-04-01"), NO_KEY);
    case.drive();
    assert_eq!(case.run().decisions()[0].asked, ["night"]);
    assert!(case.say(case.vote("anna", Choice::Approve)).unwrap_err().contains("is not among those who are asked"));
    case.say(case.vote("cleo", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
}

/// What is asked before an override is made stays as it is; what is asked after it asks whoever stands in, of those in the rotation.
#[test]
fn an_override_counts_for_what_is_asked_from_then_on() {
    const TURNS: &str = "rotations:\n  night: {members: [bob, cleo], starts: 2026-03-01, hand_over: {days: mon-sun, at: '12:00'}}\n\
                         policies: [{name: asks, when: {effect: change}, require: {approve: {from: [night], within: 1h}}}]\n";
    let case = Case::new("{question: Rebuild?, from: [night], within: 3h}", TURNS, NO_KEY);
    case.drive();
    let make = |who: &str| {
        let (from, to) = (case.clock.now(), case.clock.now() + Duration::from_secs(600));
        let stands_in = Override { who: who.to_owned(), from, to, reason: None };
        let new = NewOverride { rotation: "night".to_owned(), stands_in, made_by: "anna".to_owned(), made_at: from };
        case.journal.stand_in(new).wait().unwrap()
    };
    let swapped = make("cleo");
    make("anna");
    assert!(case.say(case.vote("cleo", Choice::Approve)).unwrap_err().contains("is not among those who are asked (bob)"));
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (None, 0));
    assert_eq!(case.run().decisions()[1].asked, ["cleo"], "anna takes no turns, so nobody lets her in");
    assert!(case.journal.cancel_override(swapped).wait().unwrap());
    case.say(case.vote("cleo", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1), "who was asked may decide after the override is cancelled");
}

/// Two months of questions and escalations, each with a change of the clocks in it, held against offsets that are written down here.
#[test]
fn each_day_of_two_months_asks_whose_turn_it_is_by_the_wall_clock() {
    const TURNS: &str = "rotations:\n  night: {members: [bob, cleo], starts: 2026-03-02, hand_over: {days: mon, at: '09:00'}, zone: Europe/Paris}\n";
    let seconds = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    let (summer, winter) = (seconds("2026-03-29T01:00:00Z"), seconds("2026-10-25T01:00:00Z"));
    let whose = |at: i64| {
        let offset = if (summer..winter).contains(&at) { 7200 } else { 3600 };
        // Weeks begin on Mondays at nine.
        let weeks = (at + offset - seconds("2026-03-02T09:00:00Z")).div_euclid(7 * 24 * 3600);
        if weeks % 2 == 0 { "bob" } else { "cleo" }
    };
    for (first, between) in [("2026-03-16T07:30:00Z", 2), ("2026-10-12T07:30:00Z", 3)] {
        let mut changed = 0;
        for day in 0..31 {
            let begin = seconds(first) + day * 24 * 3600;
            let case = Case::new("{question: Rebuild?, from: [night], within: 1h, on_timeout: escalate}", TURNS, NO_KEY);
            let case = Case { plan: Arc::new(escalates_to(&case.plan, "night")), ..case };
            case.clock.set(Timestamp::from_second(begin).unwrap());
            case.drive();
            let run = case.run();
            assert_eq!(run.decisions()[0].asked, [whose(begin)], "day {day} from {first} on");
            case.clock.advance(Duration::from_secs(3600));
            case.drive();
            let (then, now) = (whose(begin), whose(begin + 3600));
            let asked = if then == now { vec![then] } else { vec![then, now] };
            assert_eq!(case.run().decisions()[0].asked, asked, "day {day} from {first} on");
            changed += usize::from(then != now);
        }
        // The hand-over is between the two by the one offset, and before both by the other.
        assert_eq!(changed, between, "from {first} on");
    }
}

/// The same plan, whose escalation asks this name alone.
fn escalates_to(plan: &Plan, name: &str) -> Plan {
    let mut plan = plan.clone();
    let rungs = plan.procedures.iter_mut().flat_map(|procedure| &mut procedure.escalation).flat_map(|ladder| &mut ladder.rungs);
    rungs.for_each(|rung| rung.to = vec![name.to_owned()]);
    plan
}

/// A message that comes to a run which nobody drives records what is due, and cannot tell anybody.
#[test]
fn who_was_asked_while_nobody_drove_the_run_is_told_once() {
    let case = Case::new("{question: Rebuild?, from: [dba], within: 10m, on_timeout: escalate}", "", NO_KEY);
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let message = Message::Note { by: person("anna"), text: "escalation 1 of decision d1: told nobody".to_owned() };
    let owner = Owner::this_process("anybody");
    runtime.block_on(deliver(case.journal.clone(), case.clock.clone(), owner, &case.id, message)).unwrap();
    assert_eq!(case.run().decisions()[0].asked, ["dba", "cleo"]);
    for _ in 0..2 {
        assert_eq!(case.end(), (None, 0));
        let told = ["escalation 1 of decision d1 is on its way to pager", "escalation 1 of decision d1: told pager"];
        assert_eq!(case.notes()[1..], told);
        assert_eq!(std::fs::read_to_string(case.path().join("pager.jsonl")).unwrap().lines().count(), 1);
    }
}

impl Case {
    /// What bob would say ahead of time of the step `go`, once.
    fn ahead(&self) -> Ahead {
        Ahead {
            id: "a1".to_owned(),
            by: person("bob"),
            reason: "maintenance night".to_owned(),
            procedure: self.plan.main().name.clone(),
            version: self.plan.main().version,
            plan: self.plan.digest().unwrap(),
            step: "go".parse().unwrap(),
            environment: Some("production".to_owned()),
            inputs: None,
            uses: 1,
            uses_left: 1,
            expires: "2026-03-03T00:00:00Z".parse().unwrap(),
            signature: None,
        }
    }

    fn keep(&self, ahead: &Ahead) {
        let (procedure, uses, expires_at) = (ahead.procedure.clone(), ahead.uses, ahead.expires);
        let body = serde_json::to_value(ahead).unwrap();
        self.journal.decide_ahead(NewAhead { procedure, body, uses, expires_at }).wait().unwrap();
    }
}

#[test]
fn a_decision_ahead_of_time_is_used_as_often_as_it_says() {
    let mut case = Case::new(PLAIN, FOUR_EYES, NO_KEY);
    case.keep(&case.ahead());
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
    let run = case.run();
    let vote = &run.decisions()[0].votes[0];
    assert_eq!((run.decisions()[0].standing, vote.ahead.as_deref()), (Standing::Granted, Some("a1")));
    assert_eq!(vote.terms.as_deref(), Some(&case.ahead()), "the record holds what it was given for");
    case.id = RunId::from_parts(2, 7);
    assert_eq!(case.end(), (None, 1), "it was for one use");
}

#[test]
fn a_decision_ahead_of_time_covers_only_what_it_says() {
    let expired = "2026-03-02T09:59:59Z".parse().unwrap();
    for (what, change) in [
        ("it had expired", &(|a: Ahead| Ahead { expires: expired, ..a }) as &dyn Fn(Ahead) -> Ahead),
        ("of another text", &|a| Ahead { plan: Digest::of_bytes(b"other"), ..a }),
        ("for other inputs", &|a| Ahead { inputs: Some(Digest::of_bytes(b"other")), ..a }),
        ("for another step", &|a| Ahead { step: "a".parse().unwrap(), ..a }),
        ("by whoever asked for the run", &|a| Ahead { by: person("anna"), ..a }),
        ("by somebody who is not asked", &|a| Ahead { by: person("cleo"), ..a }),
        ("by a stranger", &|a| Ahead { by: person("mallory"), ..a }),
    ] {
        let case = Case::new(PLAIN, FOUR_EYES, NO_KEY);
        case.keep(&change(case.ahead()));
        assert_eq!(case.end(), (None, 0), "{what}");
    }
}

/// What was due while nobody drove the run comes first.
#[test]
fn a_decision_ahead_of_time_is_too_late_once_the_time_of_the_question_is_over() {
    for (passes, expect) in [(599, (Some(OutcomeKind::Succeeded), 1)), (600, (Some(OutcomeKind::Failed), 0))] {
        let case = Case::new("{question: Rebuild?, from: [dba], within: 10m}", "", NO_KEY);
        assert!(matches!(case.drive(), Stop::Waiting(_)));
        case.keep(&case.ahead());
        case.clock.advance(Duration::from_secs(passes));
        assert_eq!(case.end(), expect, "after {passes} s");
    }
}

#[test]
fn decisions_ahead_of_time_of_several_people_make_a_quorum() {
    let case = Case::new("{question: Rebuild?, from: [dba], count: 2}", "", NO_KEY);
    case.keep(&case.ahead());
    case.keep(&case.ahead());
    case.keep(&Ahead { id: "a3".to_owned(), by: person("anna"), ..case.ahead() });
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
    let by: Vec<String> = case.run().decisions()[0].votes.iter().map(|v| v.by.person.clone()).collect();
    assert_eq!(by, ["bob", "anna"]);
}

#[test]
fn where_decisions_are_signed_one_ahead_of_time_is_too() {
    let keys = tempfile::tempdir().unwrap();
    let (file, other) = (key(keys.path(), "key"), key(keys.path(), "other"));
    let public = std::fs::read_to_string(keys.path().join("key.pub")).unwrap().trim().to_owned();
    let ink = "policies:\n- {name: ink, when: {effect: change}, require: {signed: true}}\n";
    let signed = |ahead: &Ahead, file: &Path| {
        let signature = people::sign(&ahead_statement(ahead), DECISION_NAMESPACE, &SigningKey::File(file.to_owned())).unwrap();
        Ahead { signature: Some(signature), ..ahead.clone() }
    };
    let by_anna = |case: &Case| Ahead { by: person("anna"), ..case.ahead() };
    for (what, make, expect) in [
        ("unsigned", &by_anna as &dyn Fn(&Case) -> Ahead, (None, 0)),
        ("another key", &|case| signed(&by_anna(case), &other), (None, 0)),
        ("stretched", &|case| Ahead { uses: 9, uses_left: 9, ..signed(&by_anna(case), &file) }, (None, 0)),
        ("signed", &|case| signed(&by_anna(case), &file), (Some(OutcomeKind::Succeeded), 1)),
    ] {
        let case = Case::new(PLAIN, ink, &public);
        case.keep(&make(&case));
        assert_eq!(case.end(), expect, "{what}");
        if expect.1 == 1 {
            let recorded = case.run().decisions()[0].votes[0].clone();
            let statement = permit::statement(&case.id, case.run().decisions()[0].id, &recorded).unwrap();
            assert!(statement.starts_with("runbook decision ahead v1\n"), "{statement}");
            let signature = recorded.signature.unwrap();
            let people = &case.plan.policy.people;
            people::verify(people, "anna", &signature, &statement, DECISION_NAMESPACE).unwrap();
        }
    }
}

fn key(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let made = Process::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status().unwrap();
    assert!(made.success());
    file
}

#[test]
fn a_signed_decision_is_checked_with_openssh_alone() {
    let keys = tempfile::tempdir().unwrap();
    let (file, other) = (key(keys.path(), "key"), key(keys.path(), "other"));
    let public = std::fs::read_to_string(keys.path().join("key.pub")).unwrap().trim().to_owned();
    let signed = "policies:\n- {name: ink, when: {effect: change}, require: {signed: true}}\n";
    let case = Case::new(PLAIN, signed, &public);
    case.drive();
    let plain = case.vote("anna", Choice::Approve);
    let refused = case.say(plain.clone()).unwrap_err();
    assert!(refused.contains("signed"), "{refused}");
    let decision = case.run().decisions()[0].id;
    let statement = permit::statement(&case.id, decision, &plain).unwrap();
    let forged = people::sign(&statement, DECISION_NAMESPACE, &SigningKey::File(other)).unwrap();
    assert!(case.say(Vote { signature: Some(forged), ..plain.clone() }).is_err(), "another key");
    let signature = people::sign(&statement, DECISION_NAMESPACE, &SigningKey::File(file)).unwrap();
    let elsewhere = Vote { signature: Some(signature.clone()), reason: Some("another reason".to_owned()), ..plain.clone() };
    assert!(case.say(elsewhere).is_err(), "the signature is over other words");
    case.say(Vote { signature: Some(signature), ..plain }).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));

    // Nothing of ours below: only what the record holds, and OpenSSH.
    let recorded = case.run().decisions()[0].votes[0].clone();
    let kept = recorded.signature.clone().unwrap();
    let allowed = keys.path().join("allowed");
    let proof = keys.path().join("proof");
    std::fs::write(&allowed, format!("anna {}\n", kept.key)).unwrap();
    std::fs::write(&proof, &kept.armoured).unwrap();
    let verify = |text: &str| {
        use std::io::Write;
        let mut child = Process::new("ssh-keygen")
            .args(["-Y", "verify", "-n", DECISION_NAMESPACE, "-I", "anna", "-f"])
            .arg(&allowed)
            .arg("-s")
            .arg(&proof)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait().unwrap().success()
    };
    let statement = permit::statement(&case.id, decision, &recorded).unwrap();
    assert!(verify(&statement));
    assert!(!verify(&statement.replace("approve", "reject")));
}
