//! A storm: far more events than anybody reads, nine of ten repeated and the others flapping, and the server killed in its midst. What was
//! acknowledged is there and decided upon once by each trigger, no two runs of one key are ever under way together, and the server
//! stays small. By default a short one; `STORM=full` with a program that is optimised is the one that is promised: 10,000 events a
//! second for a minute.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::eventually;
use crate::harness::load::{Answered, Asks, drive, percentile};
use crate::server::{Place, TOKEN};

const CONNECTIONS: usize = 32;
const HOSTS: u64 = 200;
/// The most memory that the server may ever have had, in MiB.
const MEMORY: f64 = 256.0;

/// What is told of one host: it fires, is over, and fires again, each time with another beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Alert {
    host: u64,
    life: i64,
    is_over: bool,
}

impl Alert {
    fn time(seconds: i64) -> String {
        jiff::Timestamp::from_second(1_795_000_000 + seconds).unwrap().to_string()
    }

    /// As the event is called once it was read.
    fn id(self) -> String {
        let begun = Alert::time(self.life * 2);
        match self.is_over {
            true => format!("h{}/{begun}/resolved/{}", self.host, Alert::time(self.life * 2 + 1)),
            false => format!("h{}/{begun}/firing", self.host),
        }
    }

    fn body(self) -> String {
        let (status, ends) = match self.is_over {
            true => ("resolved", Alert::time(self.life * 2 + 1)),
            false => ("firing", "0001-01-01T00:00:00Z".to_owned()),
        };
        serde_json::json!({
            "version": "4", "groupKey": "{}", "status": status, "receiver": "runbook",
            "alerts": [{
                "status": status, "labels": {"alertname": "Full", "host": format!("h{}", self.host), "severity": "page"},
                "annotations": {"summary": "a disk is full"}, "startsAt": Alert::time(self.life * 2), "endsAt": ends,
                "generatorURL": "http://p/g", "fingerprint": format!("h{}", self.host),
            }],
        })
        .to_string()
    }
}

/// Where alerts come from: so many a second, whatever becomes of them.
struct Storm {
    rate: f64,
    begun: Instant,
    until: Instant,
    offered: u64,
    /// The life that each host is in, and whether it is over.
    now: Vec<Alert>,
    random: u64,
    under_way: HashMap<u64, Alert>,
    sent: u64,
    /// What was refused or lost, and when it is sent again, as real senders do.
    again: VecDeque<(Instant, Alert)>,
    acknowledged: BTreeMap<u64, Alert>,
    answers: u64,
    refused: u64,
    lost: u64,
    times: Vec<Duration>,
}

impl Storm {
    fn new(rate: f64, lasts: Duration) -> Storm {
        let begun = Instant::now();
        Storm {
            rate,
            begun,
            until: begun + lasts,
            offered: 0,
            now: (0..HOSTS).map(|host| Alert { host, life: 0, is_over: false }).collect(),
            random: 7,
            under_way: HashMap::new(),
            sent: 0,
            again: VecDeque::new(),
            acknowledged: BTreeMap::new(),
            answers: 0,
            refused: 0,
            lost: 0,
            times: Vec::new(),
        }
    }

    fn drawn(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// What comes next: nine of ten were told before.
    fn drawn_alert(&mut self) -> Alert {
        let host = self.drawn(HOSTS) as usize;
        if self.drawn(10) == 0 {
            let was = self.now[host];
            self.now[host] = match was.is_over {
                true => Alert { life: was.life + 1, is_over: false, ..was },
                false => Alert { is_over: true, ..was },
            };
        }
        self.now[host]
    }
}

impl Asks for Storm {
    fn next(&mut self, now: Instant, request: &mut Vec<u8>) -> Option<u64> {
        let is_due = self.again.front().is_some_and(|(at, _)| *at <= now);
        let alert = if is_due {
            self.again.pop_front()?.1
        } else {
            let due = (now.min(self.until).duration_since(self.begun).as_secs_f64() * self.rate) as u64;
            if self.offered >= due {
                return None;
            }
            self.offered += 1;
            self.drawn_alert()
        };
        let body = alert.body();
        let head = format!(
            "POST /events/alerts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body.as_bytes());
        self.sent += 1;
        self.under_way.insert(self.sent, alert);
        Some(self.sent)
    }

    fn answered(&mut self, what: u64, answer: &Answered<'_>) {
        let alert = self.under_way.remove(&what).expect("it was asked");
        match answer.status {
            202 => {
                let told: serde_json::Value = serde_json::from_str(answer.body).unwrap();
                let before = self.acknowledged.insert(told["events"][0].as_u64().unwrap(), alert);
                assert!(before.is_none_or(|before| before == alert), "two alerts have one number: {before:?} {alert:?}");
                self.answers += 1;
                self.times.push(answer.took);
            }
            503 => {
                let head = answer.head.to_ascii_lowercase();
                let after = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).expect("it says when");
                self.refused += 1;
                self.again.push_back((Instant::now() + Duration::from_secs(after.parse().unwrap()), alert));
            }
            status => panic!("{status}: {}", answer.body),
        }
    }

    fn lost(&mut self, what: u64) {
        let alert = self.under_way.remove(&what).expect("it was asked");
        self.lost += 1;
        self.again.push_back((Instant::now(), alert));
    }
}

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
name: stormy
people: {you: {}}
escalations: {e: {steps: [{to: [you], after: 10m}]}}
sources:
  alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: ALERTS_TOKEN}}}
";

/// A playbook whose runs say when they hold the key of their host, and when no more.
fn holding(name: &str, trigger: &str) -> String {
    format!(
        "apiVersion: runbook/v1\nkind: Playbook\nname: {name}\nversion: 1.0.0\nowner: o\nimpact: low\nescalation: e\ntriggers: [{{source: alerts, when: 'event.data.labels.severity == \"page\"', inputs: {{host: event.data.labels.host}}, {trigger}}}]\ninputs: {{host: {{type: string}}}}\nsteps: [{{id: hold, run: 'echo begin {{{{inputs.host}}}} $RUNBOOK_RUN >> {name}.txt; sleep 0.2; echo end {{{{inputs.host}}}} $RUNBOOK_RUN >> {name}.txt', effect: read}}]\n"
    )
}

#[test]
fn a_storm_with_a_kill_in_its_midst_loses_and_doubles_nothing() {
    let is_full = std::env::var("STORM").is_ok_and(|how| how == "full");
    let (rate, lasts) = if is_full { (10_000.0, Duration::from_secs(60)) } else { (1_000.0, Duration::from_secs(4)) };
    let place = Place::with(&holding("fix", "concurrency: {key: event.data.labels.host}, limit: {runs: 6, per: 1s}"));
    place.write("workspace.yaml", WORKSPACE);
    let other = "concurrency: {key: event.data.labels.host, then: skip}, dedup: {key: event.data.labels.host, window: 3s}, limit: {runs: 6, per: 1s}, on_resolved: annotate";
    place.write("look.yaml", &holding("look", other));
    let listen = format!("127.0.0.1:{}", crate::harness::free_port());
    let serve = || place.start(&["serve", "--listen", &listen, "--log", "json"]);
    let server = serve();
    let address: SocketAddr = listen.parse().unwrap();
    assert_eq!(server.address, listen);

    let mut storm = Storm::new(rate, lasts);
    let until = storm.until;
    let (mut storm, server, memory) = std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            drive(address, CONNECTIONS, until, &mut storm);
            storm
        });
        std::thread::sleep(lasts / 2);
        let before = server.peak_memory();
        server.killed();
        let server = serve();
        assert_eq!(server.address, listen);
        (sending.join().unwrap(), server, before)
    });
    let state = place.runbook.state();
    let events = rusqlite::Connection::open(state.join("events.db")).unwrap();
    let count = |sql: &str| -> u64 { events.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64 };
    eventually("a decision on each event", || (count("SELECT count(*) FROM events WHERE judged = 0") == 0).then_some(()));
    let memory = memory.max(server.peak_memory());
    let log = server.stopped();
    let report = format!(
        "{} offered, {} acknowledged as {} events, {} refused, {} lost with the server, {:.1} MiB, the middle {:?}, 99 of 100 {:?}",
        storm.offered,
        storm.answers,
        storm.acknowledged.len(),
        storm.refused,
        storm.lost,
        memory,
        percentile(&mut storm.times, 50),
        percentile(&mut storm.times, 99),
    );
    println!("{report}");

    // What was acknowledged is there, under its number, and once.
    let mut statement = events.prepare("SELECT number, id FROM events").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, String>(1)?))).unwrap();
    let known: HashMap<u64, String> = rows.map(Result::unwrap).collect();
    for (number, alert) in &storm.acknowledged {
        assert_eq!(known.get(number), Some(&alert.id()), "event {number}");
    }
    assert!(storm.acknowledged.len() > HOSTS as usize && storm.answers > 5 * storm.acknowledged.len() as u64, "{report}");
    // Each has one decision of each trigger, and every run that was decided upon is there.
    let wrong = "SELECT count(*) FROM events WHERE (SELECT count(*) FROM rulings WHERE event = number) <> 2";
    assert_eq!(count(wrong), 0, "{report}");
    let twice = "SELECT count(*) FROM (SELECT run FROM rulings WHERE word = 'ran' GROUP BY run HAVING count(*) > 1)";
    assert_eq!((count(twice), count("SELECT count(*) FROM rulings WHERE owed = 1")), (0, 0), "{report}");
    let mut statement = events.prepare("SELECT run FROM rulings WHERE word = 'ran' ORDER BY run").unwrap();
    let decided: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let journal = rusqlite::Connection::open(state.join("journal.db")).unwrap();
    let mut statement = journal.prepare("SELECT run FROM runs ORDER BY run").unwrap();
    let runs: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(decided, runs, "{report}");
    // The limit held, over the kill too: by what was decided, in any second.
    assert!(runs.len() > 10 && runs.len() <= 2 * 6 * (lasts.as_secs() as usize + 30), "{} runs; {report}", runs.len());
    for name in ["fix", "look"] {
        nothing_at_once(&std::fs::read_to_string(place.books.join(format!("{name}.txt"))).unwrap());
    }
    assert!(memory <= MEMORY, "{report}");
    if is_full {
        assert!(storm.offered as f64 >= 0.95 * rate * lasts.as_secs_f64(), "the machine is too slow to offer so much: {report}");
    }
    assert!(!log.contains("\"level\":\"error\""), "{log}");
}

/// In the order in which it was said: whoever begins to hold a key finds no other run holding it.
fn nothing_at_once(said: &str) {
    let mut last: HashMap<(&str, &str), usize> = HashMap::new();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split(' ').collect()).collect();
    for (place, line) in lines.iter().enumerate() {
        last.insert((line[1], line[2]), place);
    }
    let mut holds: HashMap<&str, &str> = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        let (key, run) = (line[1], line[2]);
        assert!(
            holds.get(key).is_none_or(|other| *other == run),
            "line {place}: {} holds {key}, and {run} says {}",
            holds[key],
            line[0]
        );
        // Killed in its midst, a run says more than once that it begins.
        match last[&(key, run)] == place {
            true => drop(holds.remove(key)),
            false => drop(holds.insert(key, run)),
        }
    }
}

#[test]
fn whoever_holds_a_key_is_alone() {
    nothing_at_once("begin a 1\nbegin b 2\nend a 1\nbegin a 3\nend b 2\nend a 3\n");
    nothing_at_once("begin a 1\nbegin a 1\nend a 1\nbegin a 2\nend a 2\n");
    let twice = std::panic::catch_unwind(|| nothing_at_once("begin a 1\nbegin a 2\nend a 1\nend a 2\n"));
    assert!(twice.is_err());
}
