//! The pages, as browsers and those who pretend to be browsers meet them: who sees what, what a form does and what it does not, texts that would rather be
//! code, and a real browser in which somebody decides with the keyboard alone, and without scripts on a telephone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Scene, decision_path};
use crate::harness::eventually;
use crate::harness::tab::{Tab, Window};
use crate::server::{Answer, Place, Server};

pub const WORDS: &str = "four words of yours";

pub fn account(place: &Place, person: &str) {
    place.runbook.run_with(["account", "add", person], &format!("{WORDS}\n")).assert(0);
}

/// `name=value&…`, as a browser sends a form.
fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}

/// What a browser does, without one.
pub struct Visitor<'s> {
    server: &'s Server,
    cookie: String,
}

impl<'s> Visitor<'s> {
    pub fn nobody(server: &'s Server) -> Visitor<'s> {
        Visitor { server, cookie: "other=x".to_owned() }
    }

    #[track_caller]
    pub fn of(server: &'s Server, person: &str) -> Visitor<'s> {
        let mut visitor = Visitor::nobody(server);
        let answer = visitor.post("/login", &[("person", person), ("password", WORDS), ("to", "/")]);
        assert_eq!((answer.status, header(&answer, "location")), (303, Some("/".to_owned())), "{}", answer.text);
        let set = header(&answer, "set-cookie").expect("a cookie");
        visitor.cookie = set.split("; ").next().unwrap().to_owned();
        visitor
    }

    pub fn get(&self, path: &str) -> Answer {
        self.server.ask("GET", path, &[("Cookie", &self.cookie), ("Sec-Fetch-Site", "same-origin")], "")
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(path, fields, &format!("http://{}", self.server.address))
    }

    fn post_from(&self, path: &str, fields: &[(&str, &str)], origin: &str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        let headers = [("Cookie", &*self.cookie), ("Content-Type", kind), ("Origin", origin)];
        self.server.ask("POST", path, &headers, &form(fields))
    }

    /// Sends the form of a page that goes to an address below it, with what its hidden fields say, and gives what comes back.
    #[track_caller]
    pub fn fill(&self, page: &str, below: &str, fields: &[(&str, &str)], status: u16) -> String {
        let action = format!("{page}{below}");
        let mut all = self.hidden_in(page, &format!("<form method=\"post\" action=\"{action}\""));
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let answer = self.post(&action, &borrowed(&all));
        assert_eq!(answer.status, status, "{}", answer.text);
        answer.text
    }

    /// The hidden fields of the first form of a page that answers a decision.
    #[track_caller]
    fn hidden(&self, page: &str) -> Vec<(String, String)> {
        self.hidden_in(page, "<form method=\"post\" action=\"/runs/")
    }

    #[track_caller]
    fn hidden_in(&self, page: &str, begins: &str) -> Vec<(String, String)> {
        let text = self.get(page).text;
        let form = text.split(begins).nth(1).unwrap_or_else(|| panic!("no form:\n{text}"));
        let form = form.split("</form>").next().unwrap();
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        });
        fields.collect()
    }
}

pub fn header(answer: &Answer, name: &str) -> Option<String> {
    let line = answer.raw_head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
    Some(line.split_once(": ").unwrap().1.to_owned())
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// The addresses of all pages that take a person, and the act that each needs.
fn pages(run: &str, request: &Value) -> Vec<(String, &'static str)> {
    let of_run = [
        "",
        "?from=1",
        "/timeline",
        "/timeline?from=2",
        "/flow",
        "/compare",
        &format!("/compare?with={run}"),
        "/proof",
        "/proof?logs=true",
        "/log?step=say",
        "/log?step=say&text=working&at=3",
        "/log?step=say&end=true",
    ];
    let of_runs = ["", "?open=true", "?phase=waiting&procedure=fix&environment=x&requested_by=olaf"];
    let mut pages = vec![("/".to_owned(), "view"), (decision_path(run, request), "view")];
    let of_catalogue = ["/procedures", "/procedures?after=a", "/procedures/fix", "/procedures/fix/health", "/schedule", "/on-call"];
    pages.extend(of_catalogue.map(|page| (page.to_owned(), "view")));
    let of_no_procedure = ["/events", "/problems", "/events?decision=ran&source=alerts&procedure=fix", "/server"];
    pages.extend(of_no_procedure.map(|page| (page.to_owned(), "view all")));
    pages.push(("/audit".to_owned(), "audit"));
    pages.extend(of_runs.map(|query| (format!("/runs{query}"), "view")));
    pages.extend(of_run.map(|rest| (format!("/runs/{run}{rest}"), "view")));
    pages
}

#[test]
fn each_page_is_for_whom_it_is_meant_and_nothing_of_others_loads_in_it() {
    let scene = Scene::new();
    let people = ["vera", "olaf", "bob", "anna", "wanda", "nina"];
    people.iter().for_each(|person| account(&scene.place, person));
    let run = scene.started("hidden-host");
    let request = scene.request(&run);
    for (page, act) in pages(&run, &request) {
        let path = page.split('?').next().unwrap();
        let first = Visitor::nobody(&scene.server).get(&page);
        assert_eq!(first.status, 303, "{page}: {}", first.text);
        let to = header(&first, "location").unwrap();
        assert!(to == "/login" || to.starts_with("/login?to=/"), "{page}: {to}");
        for person in people {
            let answer = Visitor::of(&scene.server, person).get(&page);
            let rights: &[&str] = match person {
                "nina" => &[],
                "wanda" => &["view"],
                "anna" => &["view", "view all", "audit"],
                _ => &["view", "view all"],
            };
            let hidden = person == "wanda" && (path.starts_with("/runs/") || path.starts_with("/procedures/"));
            let expected = match (rights.contains(&act), hidden) {
                (false, _) => 403,
                (true, true) => 404,
                (true, false) => 200,
            };
            assert_eq!(answer.status, expected, "{person} {page}: {}", answer.text);
            assert!(answer.head.contains("content-type: text/html"), "{}", answer.head);
            for wanted in [
                "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
                "referrer-policy: same-origin",
                "x-frame-options: deny",
            ] {
                assert!(answer.head.contains(wanted), "{page}: no {wanted}\n{}", answer.head);
            }
            assert!(answer.text.len() < 100_000, "{page} has {} bytes", answer.text.len());
            if expected != 200 || person == "wanda" {
                assert!(!answer.text.contains("hidden-host"), "{person} {page} shows what is hidden:\n{}", answer.text);
            }
        }
    }
    // What was only looked at has changed nothing, and who was refused stands in the audit log.
    assert_eq!(scene.get("vera", &format!("/runs/{run}"))["phase"], "waiting");
    let audit = scene.get("anna", "/audit?limit=1000");
    let refused =
        audit["items"].as_array().unwrap().iter().find(|entry| entry["act"] == "page_waiting" && entry["person"] == "nina");
    assert_eq!(refused.map(|entry| &entry["result"]), Some(&json!("not_allowed")), "{audit}");
    scene.server.stopped();
}

#[test]
fn a_form_is_of_this_page_this_session_and_this_question() {
    let scene = Scene::new();
    ["bob", "vera", "olaf"].iter().for_each(|person| account(&scene.place, person));
    let run = scene.started("db1");
    let page = decision_path(&run, &scene.request(&run));
    let (bob, vera) = (Visitor::of(&scene.server, "bob"), Visitor::of(&scene.server, "vera"));
    let shown = bob.get(&page).text;
    for part in ["Mend db1?", "echo done &gt;&gt; fixed.txt", "Asked for by", "olaf", "no undo", "digest", ">Approve</button>"] {
        assert!(shown.contains(part), "no {part}:\n{shown}");
    }
    let told = vera.get(&page).text;
    assert!(told.contains("You cannot answer here") && !told.contains(">Approve</button>"), "{told}");
    let hidden = bob.hidden(&page);
    let with = |name: &str, value: &str| -> Vec<(String, String)> {
        let mut fields: Vec<_> = hidden.iter().filter(|(known, _)| known != name).cloned().collect();
        fields.push((name.to_owned(), value.to_owned()));
        fields
    };
    let still_waits = |why: &str| assert_eq!(scene.get("vera", &format!("/runs/{run}"))["phase"], "waiting", "{why}");
    let origin = format!("http://{}", scene.server.address);
    let post =
        |visitor: &Visitor<'_>, fields: &[(String, String)], origin: &str| visitor.post_from(&page, &borrowed(fields), origin);
    for (why, answer, status) in [
        ("nobody", post(&Visitor::nobody(&scene.server), &hidden, &origin), 401),
        ("no proof", post(&bob, &with("csrf", ""), &origin), 403),
        ("the proof of another", post(&bob, &with("csrf", &"0".repeat(64)), &origin), 403),
        ("a page elsewhere", post(&bob, &hidden, "http://evil.example"), 403),
        ("from nowhere", post(&bob, &hidden, "null"), 403),
        ("another question", post(&bob, &with("digest", &format!("sha256:{}", "0".repeat(64))), &origin), 409),
        ("a no that says nothing", post(&bob, &with("choice", "reject"), &origin), 409),
        ("no choice", post(&bob, &with("choice", ""), &origin), 400),
    ] {
        assert_eq!(answer.status, status, "{why}: {}", answer.text);
        assert!(answer.head.contains("text/html") && answer.head.contains("content-security-policy"), "{why}: {}", answer.head);
        still_waits(why);
    }
    // Another's session with their own proof is another's vote, and they may not.
    let vera_csrf = vera.get("/").text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let answer = post(&vera, &with("csrf", &vera_csrf), &origin);
    assert_eq!(answer.status, 403, "{}", answer.text);
    // What somebody wrote is not lost when it was not taken.
    let mut written = with("choice", "reject");
    written.push(("reason".to_owned(), "the disk is new".to_owned()));
    let gone = Visitor { server: &scene.server, cookie: format!("{}0", bob.cookie) };
    let answer = post(&gone, &written, &origin);
    assert!(
        answer.status == 401 && answer.text.contains("the disk is new") && answer.text.contains("/login?to=/runs/"),
        "{}",
        answer.text
    );
    // A program that looks at links, and a browser that loads ahead, decide nothing.
    for (name, value) in [("Purpose", "prefetch"), ("User-Agent", "LinkScanner")] {
        let query = form(&borrowed(&hidden));
        let answer = scene.server.ask("GET", &format!("{page}?{query}"), &[("Cookie", &bob.cookie), (name, value)], "");
        assert_eq!(answer.status, 400, "{}", answer.text);
        let answer = scene.server.ask("HEAD", &page, &[("Cookie", &bob.cookie), (name, value)], "");
        assert_eq!(answer.status, 200);
    }
    still_waits("looked at");
    // As JSON, or with the cookie alone, it is nothing that a form takes.
    let headers = [("Cookie", &*bob.cookie), ("Content-Type", "text/plain"), ("Origin", &origin)];
    assert_eq!(scene.server.ask("POST", &page, &headers, &form(&borrowed(&hidden))).status, 400);
    // Once, and the same again: a double click, and the button of a page of before.
    for _ in 0..3 {
        let answer = post(&bob, &hidden, &origin);
        assert_eq!((answer.status, header(&answer, "location").as_deref()), (303, Some(&*page)), "{}", answer.text);
    }
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "succeeded").then_some(()));
    assert_eq!(std::fs::read_to_string(scene.place.books.join("fixed.txt")).unwrap(), "done\n");
    let votes = scene.place.list(&format!("show {run} --json")).iter().filter(|record| record["kind"] == "decided").count();
    assert_eq!(votes, 1);
    let other = post(&bob, &written, &origin);
    assert!(other.status == 409 && other.text.contains("has decided this already: approve"), "{}", other.text);
    assert!(bob.get(&page).text.contains("granted by bob") && bob.get("/").text.contains("Nothing waits for you"));
    scene.server.stopped();
}

#[test]
fn a_run_is_followed_and_steered_on_its_page() {
    let scene = Scene::new();
    ["olaf", "vera"].iter().for_each(|person| account(&scene.place, person));
    let run = scene.started("db1");
    let (olaf, vera) = (Visitor::of(&scene.server, "olaf"), Visitor::of(&scene.server, "vera"));
    let csrf = olaf.get("/").text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = format!("/runs/{run}");
    let shown = olaf.get(&page).text;
    // What was done, what is asked and what is to come, under the numbers of a dry run.
    for (number, word, title) in [("1.", "succeeded", "say"), ("2.", "waiting", "go"), ("3.", "to come", "write")] {
        let row = shown.split("<li class=\"d0\"").find(|row| row.contains(&format!("<span class=\"number\">{number}</span>")));
        let row = row.unwrap_or_else(|| panic!("no {number}:\n{shown}")).split("</li>").next().unwrap();
        assert!(row.contains(word) && row.contains(title), "{number}: {row}");
    }
    let whoever_looks = vera.get(&page).text;
    assert!(shown.contains("Pause the run") && !whoever_looks.contains("Pause the run"), "{whoever_looks}");
    let say = |act: &str, more: &[(&str, &str)]| olaf.post(&format!("{page}/{act}"), &[&[("csrf", csrf.as_str())], more].concat());
    let phase = |wanted: &str| {
        eventually(wanted, || (scene.get("vera", &format!("/runs/{run}"))["phase"] == wanted).then_some(()));
    };
    assert_eq!(olaf.post(&format!("{page}/pause"), &[]).status, 403, "a form of nobody's page");
    let paused = say("pause", &[("reason", "lunch")]);
    assert_eq!((paused.status, header(&paused, "location").as_deref()), (303, Some(&*page)), "{}", paused.text);
    phase("paused");
    let again = say("pause", &[("reason", "lunch again")]);
    assert!(
        again.status == 409 && again.text.contains("This was not done") && again.text.contains("Add it to the record"),
        "{}",
        again.text
    );
    assert_eq!(say("resume", &[]).status, 303);
    phase("waiting");
    assert_eq!(say("notes", &[("text", "the disk is old\r\nvery old")]).status, 303);
    assert!(scene.place.runbook.run(["show", &run]).assert(0).stdout.contains("the disk is old\\nvery old"));
    assert_eq!(say("cancel", &[("reason", "not today")]).status, 303);
    phase("ended");
    let ended = olaf.get(&page).text;
    assert!(ended.contains("cancelled") && ended.contains("not reached") && !ended.contains("Cancel the run"), "{ended}");
    let proof = vera.get(&format!("{page}/proof?logs=true")).text;
    assert!(proof.contains("<strong>Whole</strong>") && proof.contains("1 log compared"), "{proof}");
    let found = vera.get(&format!("{page}/log?step=say&text=on db").replace(' ', "%20")).text;
    assert!(found.contains("<span class=\"number\">8</span> <code>working on db1</code>"), "{found}");
    let list = vera.get("/runs?phase=ended&procedure=&environment=");
    assert_eq!(header(&list, "location").as_deref(), Some("/runs?phase=ended"), "what is left empty is not looked for");
    let list = vera.get("/runs?phase=ended").text;
    assert!(list.contains(&page) && !vera.get("/runs?open=true").text.contains(&page), "{list}");
    assert_eq!(vera.get("/runs?phase=never").status, 400);
    scene.server.stopped();
}

#[test]
fn a_run_is_started_from_what_it_would_do_and_once() {
    let scene = Scene::new();
    ["olaf", "vera"].iter().for_each(|person| account(&scene.place, person));
    let (olaf, vera) = (Visitor::of(&scene.server, "olaf"), Visitor::of(&scene.server, "vera"));
    let page = olaf.get("/procedures/fix").text;
    assert!(page.contains("name=\"value.host\"") && page.contains("Show what it would do"), "{page}");
    assert!(!vera.get("/procedures/fix").text.contains("Show what it would do"));
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let foresee = |host: &str| olaf.post("/procedures/fix/dry-run", &[("csrf", &csrf), ("value.host", host)]);
    let lacking = foresee("");
    assert!(lacking.status == 422 && lacking.text.contains("host&#96;: it is missing"), "{}", lacking.text);
    assert_eq!(olaf.post("/procedures/fix/dry-run", &[("value.host", "db1")]).status, 403);
    let foreseen = foresee("db1 <b>");
    assert_eq!(foreseen.status, 200, "{}", foreseen.text);
    assert!(foreseen.text.contains("Dry run: fix 1.0.0") && foreseen.text.contains("db1 &lt;b&gt;"), "{}", foreseen.text);
    assert!(scene.get("vera", "/runs")["items"].as_array().unwrap().is_empty(), "nothing was started");
    let form = foreseen.text.split("<form method=\"post\" action=\"/runs\"").nth(1).unwrap().split("</form>").next().unwrap();
    let hidden: Vec<(String, String)> = form
        .split("<input type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().replace("&lt;", "<").replace("&gt;", ">"))
        })
        .collect();
    let started: Vec<Answer> = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..3).map(|_| scope.spawn(|| olaf.post("/runs", &borrowed(&hidden)))).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    let to = header(&started[0], "location").unwrap_or_else(|| panic!("{}", started[0].text));
    for answer in &started {
        assert_eq!((answer.status, header(answer, "location").as_deref()), (303, Some(&*to)), "one run: {}", answer.text);
    }
    let runs = scene.get("vera", "/runs");
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    assert!(to.ends_with(runs["items"][0]["run"].as_str().unwrap()) && vera.get(&to).text.contains("host = db1 &lt;b&gt;"));
    // What would run is another thing by now: nothing is started that nobody has foreseen.
    let text = std::fs::read_to_string(scene.place.books.join("fix.yaml")).unwrap();
    scene.place.write("fix.yaml", &text.replace("echo done", "echo really done"));
    let mut again: Vec<(String, String)> = hidden.iter().filter(|(name, _)| name != "key").cloned().collect();
    again.push(("key".to_owned(), "another".to_owned()));
    eventually("the catalogue to be read again", || vera.get("/procedures/fix").text.contains("really done").then_some(()));
    let refused = olaf.post("/runs", &borrowed(&again));
    assert!(refused.status == 409 && refused.text.contains("has changed since it was looked at"), "{}", refused.text);
    scene.server.stopped();
}

const ASKS: &str = "apiVersion: runbook/v1
kind: Runbook
name: asks
version: 1.0.0
steps:
- id: how
  ask: {question: How?, from: [bob], within: 1h, fields: {mode: {type: enum, choices: [gentle, hard]}, keys: {type: integer, min: 1, max: 100}, note: {type: string, required: false}, now: {type: boolean, default: true}}}
- {id: hand, manual: {do: Pull the plug, expect: The light is off, evidence: A photograph, within: 1h}, irreversible: It is out.}
- {id: said, run: 'echo {{steps.how.mode}} {{steps.how.keys}} {{steps.how.now}}', effect: read}
";

#[test]
fn a_form_is_answered_with_values_of_their_types_and_keeps_what_was_typed() {
    let scene = Scene::new();
    account(&scene.place, "bob");
    scene.place.write("asks.yaml", ASKS);
    eventually("the catalogue to be read again", || {
        (scene.ask("olaf", "GET", "/procedures/asks", None).status == 200).then_some(())
    });
    let started = scene.ask("olaf", "POST", "/runs", Some(&json!({"procedure": "asks"})));
    let run = started.body["run"].as_str().unwrap_or_else(|| panic!("{}", started.text)).to_owned();
    let waits = |question: &str| {
        eventually(question, || {
            let list = scene.get("bob", &format!("/decisions?run={run}"));
            list["items"][0]["question"].as_str().is_some_and(|asked| asked.contains(question)).then_some(())
        });
    };
    waits("How?");
    let bob = Visitor::of(&scene.server, "bob");
    let page = format!("/runs/{run}/decisions/d1");
    let shown = bob.get(&page).text;
    for part in [
        "<option value=\"gentle\">gentle</option>",
        "name=\"value.keys\" value=\"\" inputmode=\"numeric\"",
        "1 to 100",
        "<option value=\"true\" selected>true</option>",
        ">Send the answers</button>",
    ] {
        assert!(shown.contains(part), "no {part}:\n{shown}");
    }
    let say = |page: &str, more: &[(&str, &str)]| {
        let hidden = bob.hidden(page);
        bob.post(page, &[&borrowed(&hidden)[..], more].concat())
    };
    let wrong = say(&page, &[("value.mode", "hard"), ("value.keys", "1000"), ("value.note", "<mind> the gap")]);
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    for part in ["keys", "value=\"1000\"", "<option value=\"hard\" selected>", "&lt;mind&gt; the gap", "This was not recorded"] {
        assert!(wrong.text.contains(part), "no {part}:\n{}", wrong.text);
    }
    let right = say(&page, &[("value.mode", "hard"), ("value.keys", "7"), ("value.note", ""), ("value.now", "false")]);
    assert_eq!(right.status, 303, "{}", right.text);
    waits("Pull the plug");
    let page = format!("/runs/{run}/decisions/d2");
    assert!(bob.get(&page).text.contains(">It is done</button>"));
    assert_eq!(say(&page, &[]).status, 409, "evidence is wanted");
    assert_eq!(say(&page, &[("value.evidence", "photo 17")]).status, 303);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "succeeded").then_some(()));
    let log = scene.ask("vera", "GET", &format!("/runs/{run}/log?step=said"), None);
    assert_eq!(log.text, "hard 7 false\n");
    scene.server.stopped();
}

#[test]
fn whoever_follows_a_link_from_elsewhere_is_who_they_were() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    let mut tab = Tab::new(Window::Telephone);
    tab.log_in(&scene.server.address, "vera", WORDS);
    // The same machine by another name is another site, and its pages bring no cookie of ours along.
    let port = scene.server.address.rsplit(':').next().unwrap();
    tab.go(&format!("http://localhost:{port}/login"));
    tab.evaluate(&format!("location.href = 'http://{}/runs?phase=ended'", scene.server.address));
    tab.until("the list", "location.search === '?phase=ended' && document.querySelector('.person')?.textContent === 'vera'");
    assert_eq!(tab.troubles(), Vec::<String>::new());
    scene.server.stopped();
}

#[test]
fn what_came_in_is_shown_with_what_was_decided_and_why() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    assert_eq!(scene.server.alert("firing", &["db7"]).status, 202);
    assert_eq!(scene.server.alert("resolved", &["db8"]).status, 202);
    let vera = Visitor::of(&scene.server, "vera");
    let decided = || scene.get("vera", "/events")["items"].as_array().unwrap().iter().all(|event| event["judged"] == true);
    eventually("both decisions", || decided().then_some(()));
    let list = vera.get("/events").text;
    assert!(list.contains("/event/1") && list.contains("/event/2") && list.contains("its run"), "{list}");
    // One of them has been answered, and the other has only ended.
    assert_eq!(scene.get("vera", "/problems")["items"], json!([]));
    assert!(list.contains("<a href=\"/problems\">") && vera.get("/problems").text.contains("Nothing recurs"), "{list}");
    let one = vera.get("/event/2").text;
    assert!(
        one.contains("What was decided, and why") && one.contains("dropped") && one.contains("&quot;host&quot;: &quot;db8&quot;"),
        "{one}"
    );
    let ran = vera.get("/events?decision=ran").text;
    assert!(ran.contains("/event/1") && !ran.contains("/event/2"), "{ran}");
    assert_eq!(vera.get("/event/99").status, 404);
    assert!(vera.get("/server").text.contains("<strong>Ready</strong>"));
    scene.server.stopped();
}

#[test]
fn who_is_on_call_is_shown_until_when_and_who_stands_in() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    let stand_in = ["oncall", "override", "night", "--until", "8h", "--reason", "<b>Vera</b> is ill", "--who"];
    scene.place.runbook.run(stand_in.iter().chain(&["bob"])).assert(0);
    let vera = Visitor::of(&scene.server, "vera");
    let shown = vera.get("/on-call").text;
    assert!(shown.contains("bob, stands in: &lt;b&gt;Vera&lt;/b&gt; is ill, until ") && shown.contains(" left"), "{shown}");
    let told = &scene.get("olaf", "/on-call")["items"][0];
    assert_eq!((&told["rotation"], &told["on_call"], &told["override_id"]), (&json!("night"), &json!("bob"), &json!(1)));
    assert_eq!(told["coming"][0]["from"], told["to"], "{told}");
    scene.place.runbook.run(["oncall", "cancel", "1"]).assert(0);
    scene.place.runbook.run(stand_in.iter().chain(&["vera"])).assert(0);
    let shown = vera.get("/on-call").text;
    assert!(shown.contains("vera, you, stands in: "), "{shown}");
    scene.server.stopped();
}

#[test]
fn people_log_in_and_out_with_a_page_and_come_back_to_where_they_were() {
    let scene = Scene::new();
    account(&scene.place, "bob");
    let nobody = Visitor::nobody(&scene.server);
    let page = nobody.get("/login?to=/runs/x%3Fa=1");
    assert!(page.status == 200 && page.text.contains("name=\"to\" value=\"/runs/x?a=1\""), "{}", page.text);
    assert!(page.head.contains("frame-ancestors 'none'") && page.head.contains("no-store"), "{}", page.head);
    let to = |to: &str| header(&nobody.post("/login", &[("person", "bob"), ("password", WORDS), ("to", to)]), "location");
    assert_eq!(to("/runs/x?a=1").as_deref(), Some("/runs/x?a=1"));
    for hostile in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=y", ""]
    {
        assert_eq!(to(hostile).as_deref(), Some("/"), "{hostile}");
    }
    for (person, password) in [("bob", "wrong"), ("no<b>body", WORDS), ("", "")] {
        let answer = nobody.post("/login", &[("person", person), ("password", password)]);
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(answer.text.contains("no such person here with this password") && header(&answer, "set-cookie").is_none());
        assert!(!answer.text.contains("<b>body") && !answer.text.contains(WORDS), "{}", answer.text);
    }
    let elsewhere = nobody.post_from("/login", &[("person", "bob"), ("password", WORDS)], "http://evil.example");
    assert!(elsewhere.status == 403 && header(&elsewhere, "set-cookie").is_none(), "{}", elsewhere.text);
    assert_eq!(nobody.get("/login/elsewhere").status, 404, "the workspace names no provider");
    let lost = scene.server.ask("GET", "/no/such/page", &[("Accept", "text/html,*/*;q=0.8")], "");
    assert!(lost.status == 404 && lost.text.contains("There is nothing here") && lost.head.contains("content-security-policy"));
    assert_eq!(scene.server.ask("GET", "/no/such/page", &[], "").body["kind"], "not_found");

    let bob = Visitor::of(&scene.server, "bob");
    let csrf = bob.get("/").text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(bob.post("/logout", &[]).status, 403, "nobody logs others out");
    assert_eq!(bob.get("/").status, 200);
    let out = bob.post("/logout", &[("csrf", &csrf)]);
    assert_eq!((out.status, header(&out, "location").as_deref()), (303, Some("/login")));
    assert!(header(&out, "set-cookie").unwrap().contains("Max-Age=0"));
    let again = bob.get("/");
    assert_eq!((again.status, header(&again, "location").as_deref()), (303, Some("/login?ended")), "{}", again.text);
    assert_eq!(bob.post("/logout", &[("csrf", &csrf)]).status, 303, "who is nobody any more has what they wanted");
    // A browser that follows a link of a message brings no cookie along the first time.
    let followed = scene.server.ask("GET", "/runs/x/decisions/d1", &[("Sec-Fetch-Site", "cross-site")], "");
    assert!(followed.status == 200 && followed.text.contains("content=\"0;url=/runs/x/decisions/d1\""), "{}", followed.text);
    let log = scene.server.stopped();
    assert!(!log.contains(WORDS), "{log}");
}

#[test]
fn no_text_of_the_world_acts_on_a_page() {
    let scene = Scene::new();
    ["bob", "olaf"].iter().for_each(|person| account(&scene.place, person));
    let hostile = "</title></h1></pre><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">' \" onload=x \u{202e}";
    let run = scene.started(hostile);
    let page = decision_path(&run, &scene.request(&run));
    let bob = Visitor::of(&scene.server, "bob");
    let of_run = format!("/runs/{run}");
    let log = format!("{of_run}/log?step=say&text=%3Cscript%3E");
    for address in ["/", &page, &of_run, &log] {
        let text = bob.get(address).text;
        assert!(text.contains("&lt;script&gt;document.title"), "{address} does not show it:\n{text}");
        assert!(!text.contains("<script>") && !text.contains("<img") && !text.contains('\u{202e}'), "{address}:\n{text}");
    }
    let refused = bob.get("/runs/%3Cscript%3Ealert(1)%3C%2Fscript%3E/decisions/d1");
    assert!(refused.status == 404 && !refused.text.contains("<script>"), "{}", refused.text);
    let mut tab = Tab::new(Window::Desk);
    tab.log_in(&scene.server.address, "bob", WORDS);
    for address in ["/", &page, &of_run, &log] {
        tab.go(&format!("http://{}{address}", scene.server.address));
        assert!(!tab.title().contains("pwned") && tab.text().contains("<script>document.title"), "{address}: {}", tab.text());
        assert_eq!(tab.troubles(), Vec::<String>::new(), "{address}");
    }
    scene.server.stopped();
}

#[test]
fn somebody_decides_with_the_keyboard_alone() {
    let scene = Scene::new();
    account(&scene.place, "bob");
    let run = scene.started("db1");
    let mut tab = Tab::new(Window::Desk);
    let here = format!("http://{}", scene.server.address);
    tab.go(&format!("{here}/"));
    // Name, password, enter.
    tab.press_until("INPUT#person");
    tab.types("bob");
    tab.press("Tab");
    tab.types(WORDS);
    tab.press("Enter");
    tab.until_text("Waiting for you");
    tab.press_until("A.card");
    tab.press("Enter");
    tab.until_text("Mend db1?");
    tab.press_until("TEXTAREA#reason-approve");
    tab.types("looked at it");
    tab.press("Tab");
    assert_eq!(tab.focused(), "BUTTON.yes");
    tab.press("Enter");
    tab.until_text("granted by bob");
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "succeeded").then_some(()));
    // Keys lead elsewhere, and do nothing where somebody types.
    tab.press("2");
    tab.until("the runs", "location.pathname === '/runs' && document.readyState === 'complete'");
    tab.press("/");
    assert_eq!(tab.focused(), "INPUT#procedure");
    tab.press("2");
    assert_eq!(tab.evaluate("document.activeElement.value"), "2");
    tab.press("Tab");
    tab.press_until("BUTTON");
    tab.press("j");
    assert_eq!(tab.focused(), "A.line");
    tab.press("?");
    tab.until("the keys", "document.querySelector('dialog.keys').open");
    assert_eq!(tab.axe(), Vec::<String>::new(), "the keys");
    tab.press("Escape");
    tab.back();
    tab.until_text("granted by bob");
    // The page of before the answer is not answered again.
    tab.back();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!tab.text().contains("Approve") || tab.text().contains("granted"), "{}", tab.text());
    let shown = scene.place.list(&format!("show {run} --json"));
    let decided: Vec<&Value> = shown.iter().filter(|record| record["kind"] == "decided").collect();
    assert!(decided.len() == 1 && decided[0].to_string().contains("looked at it"), "{decided:?}");
    assert_eq!(tab.troubles(), Vec::<String>::new());
    scene.server.stopped();
}

#[test]
fn somebody_decides_on_a_telephone_without_scripts() {
    let scene = Scene::new();
    account(&scene.place, "bob");
    let run = scene.started("db1");
    let page = decision_path(&run, &scene.request(&run));
    let mut tab = Tab::new(Window::Telephone);
    tab.without_scripts();
    // From a link in a message, by way of the log-in.
    tab.go(&format!("http://{}{page}", scene.server.address));
    tab.until_text("Log in to runbook");
    tab.tap("#person");
    tab.types("bob");
    tab.tap("#password");
    tab.types(WORDS);
    tab.tap("form.log-in button");
    tab.until_text("Mend db1?");
    assert!(tab.width() <= 360, "it is {} wide", tab.width());
    tab.tap("summary.no");
    tab.tap("#reason-reject");
    tab.types("not at night");
    tab.tap("details button.no");
    tab.until_text("rejected by bob");
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["outcome"] == "rejected").then_some(()));
    scene.server.stopped();
}

#[test]
fn pages_have_no_fault_that_axe_finds_at_any_width_and_in_the_dark() {
    let scene = Scene::new();
    ["bob", "anna"].iter().for_each(|person| account(&scene.place, person));
    let run = scene.started("db1");
    let request = scene.request(&run);
    for window in [Window::Desk, Window::Telephone, Window::Night] {
        let mut tab = Tab::new(window);
        let here = format!("http://{}", scene.server.address);
        tab.go(&format!("{here}/login"));
        assert_eq!(tab.axe(), Vec::<String>::new(), "log-in, {window:?}");
        tab.log_in(&scene.server.address, "anna", WORDS);
        for (page, _) in pages(&run, &request) {
            tab.go(&format!("{here}{page}"));
            assert_eq!(tab.axe(), Vec::<String>::new(), "{page}, {window:?}");
            assert!(tab.width() <= window.width(), "{page} is {} wide in {window:?}", tab.width());
            assert_eq!(tab.troubles(), Vec::<String>::new(), "{page}");
        }
        tab.go(&format!("{here}/runs/{run}"));
        tab.tap("a[href$='/report?format=html']");
        tab.until_text("What proves it");
        assert_eq!(tab.axe(), Vec::<String>::new(), "the report, {window:?}");
        assert!(tab.width() <= window.width(), "the report is {} wide in {window:?}", tab.width());
        assert_eq!(tab.troubles(), Vec::<String>::new(), "the report");
        tab.go(&format!("{here}/runs/nothing/decisions/d1"));
        assert_eq!(tab.axe(), Vec::<String>::new(), "a problem, {window:?}");
    }
    scene.server.stopped();
}
