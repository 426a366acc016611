//! Who is told that somebody is asked: at once, again when nobody answers, by the next where nobody could be told, and never twice.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

use runbook_core::policy::Channel;
use runbook_core::run::event::Timer;
use runbook_engine::driver::{engine, owes_messages};

use super::*;

const ASKS: &str = "{question: Rebuild?, from: [dba], within: 10m, on_timeout: escalate}";

/// A run whose escalation tells these channels at once, and these when its steps are reached.
fn case(first: &[&str], steps: &[&[&str]], server: Option<&str>) -> Case {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let case = Case::new(ASKS, "", NO_KEY);
    let mut plan = (*case.plan).clone();
    for escalation in plan.procedures.iter_mut().flat_map(|procedure| &mut procedure.escalation) {
        escalation.channels = names(first);
        let rung = escalation.rungs[0].clone();
        escalation.rungs = steps.iter().map(|step| runbook_core::policy::Rung { channels: names(step), ..rung.clone() }).collect();
    }
    if let (Some(server), Some(spec)) = (server, plan.policy.channels.get_mut("duty"))
        && let Channel::Pagerduty(duty) = &mut spec.channel
    {
        duty.server = server.to_owned();
    }
    Case { plan: Arc::new(plan), ..case }
}

impl Case {
    fn told(&self) -> usize {
        std::fs::read_to_string(self.path().join("pager.jsonl")).unwrap_or_default().lines().count()
    }

    fn tell(&self, message: Message) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let owner = Owner::this_process("anybody");
        runtime.block_on(deliver(self.journal.clone(), self.clock.clone(), owner, &self.id, message)).unwrap()
    }

    /// What the process that tells people would have noted.
    fn note_of_the_engine(&self, text: &str) {
        self.tell(Message::Note { by: engine(), text: text.to_owned() });
    }

    /// Somebody says that they are at the first decision, and has it handed over.
    fn acknowledge(&self, by: Identity, to: Option<&str>) -> Result<(), String> {
        let (hold, to) = (Duration::from_secs(1800), to.map(str::to_owned));
        let message = Message::Acknowledge { decision: self.run().decisions()[0].id, by, to, hold, reason: String::new() };
        match self.tell(message) {
            Answer::Accepted { .. } => Ok(()),
            Answer::Refused { why } => Err(why),
        }
    }

    fn owes(&self) -> bool {
        owes_messages(&*self.journal, &self.id, &self.run()).unwrap()
    }

    fn unreached(&self) -> Vec<(Timer, String)> {
        let mut found = Vec::new();
        replay(&*self.journal, &self.id, &mut |_, event| {
            if let Fact::TimerFired { timer, unreached: Some(why), .. } = &event.fact {
                found.push((timer.clone(), why.clone()));
            }
        })
        .unwrap();
        found
    }
}

#[test]
fn whoever_is_asked_is_told_at_once_and_the_record_says_so_before() {
    let case = case(&["pager"], &[&["pager"]], None);
    for _ in 0..2 {
        assert_eq!(case.end(), (None, 0));
        assert_eq!(case.notes(), ["request of decision d1 is on its way to pager", "request of decision d1: told pager"]);
        assert_eq!(case.told(), 1);
    }
    case.clock.advance(Duration::from_secs(601));
    case.drive();
    assert_eq!((case.told(), case.notes().len()), (2, 4));
    case.say(case.vote("cleo", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
    assert_eq!(case.told(), 2);
}

#[test]
fn where_nobody_could_be_told_the_next_are_asked_at_once() {
    let case = case(&["dead"], &[&["dead"], &["dead", "pager"]], None);
    assert_eq!(case.end(), (None, 0));
    let fails = "not delivered to `dead`: `false` ended with exit code 1";
    let notes = [
        "request of decision d1 is on its way to dead".to_owned(),
        format!("request of decision d1: {fails}"),
        "escalation 1 of decision d1 is on its way to dead".to_owned(),
        format!("escalation 1 of decision d1: {fails}"),
        "escalation 2 of decision d1 is on its way to dead, pager".to_owned(),
        format!("escalation 2 of decision d1: told pager; {fails}"),
    ];
    assert_eq!(case.notes(), notes);
    let decision = case.run().decisions()[0].id;
    let early = |rung: u32| (Timer::Decision { decision, rung }, notes[2 * rung as usize + 1].clone());
    assert_eq!(case.unreached(), [early(0), early(1)]);
    assert_eq!((case.run().decisions()[0].asked.as_slice(), case.told()), (&["dba".to_owned(), "cleo".to_owned()][..], 1));
    // Whoever was asked first still may.
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
}

/// The last step has nobody after it: that nobody was told does not take its time away.
#[test]
fn where_nobody_is_left_to_be_asked_the_question_keeps_its_time() {
    let case = case(&["dead"], &[&["dead"]], None);
    assert_eq!(case.end(), (None, 0));
    assert_eq!(case.unreached().len(), 1);
    assert!(case.run().decisions()[0].is_open());
    case.clock.advance(Duration::from_secs(299));
    assert_eq!(case.end(), (None, 0));
    case.clock.advance(Duration::from_secs(2));
    assert_eq!(case.end(), (Some(OutcomeKind::Failed), 0));
}

/// Somebody wrote a remark while nobody drove the run, and a deadline was recorded with it.
#[test]
fn each_step_is_told_once_however_many_are_due_at_once() {
    let case = case(&[], &[&["pager"], &["pager"]], None);
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    case.note_of_the_engine("somebody looks at it");
    assert_eq!(case.run().decisions()[0].rung, 1);
    case.clock.advance(Duration::from_secs(301));
    case.drive();
    let mut notes = case.notes();
    notes[3..].sort();
    let of = |rung: u32, what: &str| format!("escalation {rung} of decision d1{what}");
    let (on_its_way, told) = (" is on its way to pager", ": told pager");
    assert_eq!(notes[1..], [of(1, on_its_way), of(2, on_its_way), of(1, told), of(2, told)]);
    assert_eq!(case.told(), 2);
}

/// The deadlines of two steps were recorded with remarks: whoever drives the run next tells both.
#[test]
fn each_step_that_was_passed_while_nobody_drove_is_told() {
    let case = case(&[], &[&["pager"], &["pager"]], None);
    case.drive();
    for (seconds, rung) in [(601, 1), (301, 2)] {
        case.clock.advance(Duration::from_secs(seconds));
        case.note_of_the_engine("somebody looks at it");
        assert_eq!(case.run().decisions()[0].rung, rung);
    }
    assert!(case.owes());
    for _ in 0..2 {
        case.drive();
        assert_eq!((case.told(), case.notes().len(), case.owes()), (2, 2 + 4, false));
    }
}

/// Whoever was about to send died, and then the next were asked, or somebody decided: the record says that nobody knows all the same.
#[test]
fn what_was_on_its_way_is_never_left_so() {
    let unknown = "escalation 1 of decision d1: nobody knows whether it arrived at pager: the engine stopped while it was on its way, and it is not sent twice";
    for is_decided in [false, true] {
        let case = case(&[], &[&["pager"], &["pager"]], None);
        case.drive();
        case.clock.advance(Duration::from_secs(601));
        case.note_of_the_engine("escalation 1 of decision d1 is on its way to pager");
        match is_decided {
            true => case.say(case.vote("bob", Choice::Approve)).unwrap(),
            false => {
                case.clock.advance(Duration::from_secs(301));
                case.note_of_the_engine("somebody looks at it");
            }
        }
        assert!(case.owes());
        case.drive();
        assert!(case.notes().contains(&unknown.to_owned()), "{:?}", case.notes());
        assert_eq!((case.told(), case.owes()), (usize::from(!is_decided), false));
    }
}

/// What an attempt of unknown end was to tell, it told only those whom no attempt before it had.
#[test]
fn whom_an_earlier_attempt_told_is_told_no_second_time() {
    let steps =
        format!("{ASKS}\n- {{id: tell, notify: {{to: [pager, slow], message: It begins}}, retry: {{attempts: 2, delay: 1ms}}}}");
    let case = Case::new(&steps, "", NO_KEY);
    // It fails, then takes its time, then takes the message.
    let slow = "n=$(cat tries 2>/dev/null); echo \"x$n\" > tries; case $n in '') exit 1;; x) exec sleep 60;; esac\n";
    std::fs::write(case.path().join("slow.sh"), slow).unwrap();
    case.drive();
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    let tries = || std::fs::read_to_string(case.path().join("tries")).unwrap_or_default().trim().len();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let second = async {
            while tries() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                case.clock.advance(Duration::from_millis(50));
            }
        };
        tokio::select! {
            stop = case.driven() => panic!("{stop:?}"),
            () = second => {}
        }
    });
    drop(runtime);
    assert_eq!(case.told(), 1);
    case.clock.advance(Duration::from_secs(60));
    assert!(matches!(case.drive(), Stop::Waiting(_)), "its end is unknown");
    case.say(case.vote("bob", Choice::Again)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
    assert_eq!((case.told(), tries()), (1, 3));
}

/// Whoever was about to send died: nobody knows whether it arrived, so it is not sent again, and the next are asked.
#[test]
fn what_was_on_its_way_when_its_process_died_is_unknown_and_not_sent_twice() {
    let case = case(&[], &[&["pager"], &["pager"]], None);
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    case.note_of_the_engine("escalation 1 of decision d1 is on its way to pager");
    assert_eq!(case.end(), (None, 0));
    let unknown = "escalation 1 of decision d1: nobody knows whether it arrived at pager: the engine stopped while it was on its way, and it is not sent twice";
    let told = "escalation 2 of decision d1: told pager";
    assert_eq!(case.notes()[1..], [unknown, "escalation 2 of decision d1 is on its way to pager", told]);
    assert_eq!((case.told(), case.unreached().len()), (1, 1));
    assert_eq!(case.end(), (None, 0));
    assert_eq!((case.told(), case.notes().len()), (1, 4));
}

/// Takes alerts, and fails for the first so many.
/// Others are left alone while somebody is at it, though those who should have been asked with them were not told.
#[test]
fn nobody_is_asked_early_while_somebody_is_at_it() {
    let case = case(&[], &[&["pager"], &["pager"]], None);
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    case.note_of_the_engine("escalation 1 of decision d1 is on its way to pager");
    case.acknowledge(person("bob"), None).unwrap();
    assert_eq!(case.end(), (None, 0));
    assert!(case.notes()[1].contains("nobody knows whether it arrived"), "{:?}", case.notes());
    assert_eq!((case.unreached().len(), case.run().decisions()[0].rung, case.told()), (0, 1, 0));
    case.clock.advance(Duration::from_secs(1801));
    case.drive();
    assert_eq!((case.run().decisions()[0].rung, case.told()), (2, 1));
}

/// Whoever has answered is at it no longer, and cannot be again; and nobody is at it by a key that nothing proves.
#[test]
fn whoever_has_answered_is_no_longer_at_it() {
    let case = Case::new("{question: Rebuild?, from: [dba], count: 2, within: 10m, on_timeout: escalate}", "", NO_KEY);
    case.drive();
    let whose = || case.run().decisions()[0].acknowledged.as_ref().map(|taken| taken.holder().to_owned());
    let by_key = Identity { means: Means::SshKey { user: "bob".into(), host: "made-up".into() }, ..person("anna") };
    let refused = case.acknowledge(by_key, None).unwrap_err();
    assert!(refused.contains("no key proves that it is `anna`"), "{refused}");
    case.acknowledge(person("bob"), None).unwrap();
    assert_eq!(whose().as_deref(), Some("bob"));
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(whose(), None);
    for (by, to) in [("bob", None), ("bob", Some("anna")), ("anna", Some("bob"))] {
        assert_eq!(case.acknowledge(person(by), to), Err("`bob` has answered already, and others are asked too".to_owned()));
    }
    case.acknowledge(person("anna"), None).unwrap();
    assert_eq!(whose().as_deref(), Some("anna"));
}

fn pagerduty(failing: usize) -> (String, Arc<Mutex<Vec<serde_json::Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let kept = taken.clone();
    std::thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let mut socket = socket.unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            let body = loop {
                let n = socket.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&request);
                if let Some((_, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break body;
                }
            };
            let status = if number < failing { "500 Internal Server Error" } else { "202 Accepted" };
            if number >= failing {
                kept.lock().unwrap().push(body);
            }
            socket.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    });
    (url, taken)
}

#[test]
fn an_alert_lasts_until_the_decision_is_taken_also_by_another_process() {
    let (url, taken) = pagerduty(1);
    let case = case(&["duty"], &[&["duty"]], Some(&url));
    assert_eq!(case.end(), (None, 0));
    let actions = || {
        let taken = taken.lock().unwrap();
        let one =
            |alert: &serde_json::Value| (alert["event_action"].clone(), alert["dedup_key"].clone(), alert["routing_key"].clone());
        taken.iter().map(one).collect::<Vec<_>>()
    };
    let key = serde_json::json!(format!("runbook/{}/~escalation/d1", case.id));
    let event = |action: &str| (serde_json::json!(action), key.clone(), serde_json::json!("routing"));
    assert_eq!(actions(), [event("trigger")]);
    case.say(case.vote("bob", Choice::Approve)).unwrap();
    assert_eq!(case.end(), (Some(OutcomeKind::Succeeded), 1));
    assert_eq!(actions(), [event("trigger"), event("resolve")]);
    assert_eq!(case.notes().last().unwrap(), "end of decision d1: told duty");

    // The process died while it was on its way: there it is sent again, since it is told once.
    let (url, taken) = pagerduty(0);
    let case = self::case(&[], &[&["duty", "pager"]], Some(&url));
    case.drive();
    case.clock.advance(Duration::from_secs(601));
    case.note_of_the_engine("escalation 1 of decision d1 is on its way to duty, pager");
    case.drive();
    let note = case.notes().pop().unwrap();
    assert!(note.starts_with("escalation 1 of decision d1: told duty; nobody knows whether it arrived at pager"), "{note}");
    assert_eq!((taken.lock().unwrap().len(), case.told()), (1, 0));
}

#[test]
fn the_alert_of_a_step_is_over_when_the_run_succeeds() {
    let (url, taken) = pagerduty(0);
    for (last, actions) in [("'true'", vec!["trigger", "resolve"]), ("'false'", vec!["trigger"])] {
        taken.lock().unwrap().clear();
        let steps = format!(
            "{ASKS}\n- {{id: tell, notify: {{to: [duty], message: It begins}}}}\n- {{id: last, run: {last}, effect: read}}"
        );
        let case = Case::new(&steps, "", NO_KEY);
        let mut plan = (*case.plan).clone();
        if let Some(Channel::Pagerduty(duty)) = plan.policy.channels.get_mut("duty").map(|spec| &mut spec.channel) {
            duty.server = url.clone();
        }
        let case = Case { plan: Arc::new(plan), ..case };
        case.drive();
        case.say(case.vote("bob", Choice::Approve)).unwrap();
        case.drive();
        let taken = taken.lock().unwrap();
        let told: Vec<&str> = taken.iter().map(|alert| alert["event_action"].as_str().unwrap()).collect();
        assert_eq!(told, actions);
        assert!(taken.iter().all(|alert| alert["dedup_key"] == format!("runbook/{}/tell", case.id)), "{taken:?}");
        assert_eq!(case.notes().len(), actions.len() - 1);
    }
}
