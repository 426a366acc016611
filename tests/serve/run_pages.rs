//! The other ways to look at a run: drawn on its time, in its flow, and beside another run of its procedure.

use serde_json::json;

use crate::api::{Scene, decision_path};
use crate::harness::eventually;
use crate::pages::{Visitor, account};
use crate::server::{alerts, post_alerts};

/// The part of a page about what contains this.
#[track_caller]
fn part<'t>(text: &'t str, begins: &str, ends: &str, has: &str) -> &'t str {
    let parts = text.split(begins).skip(1).map(|part| part.split(ends).next().unwrap());
    parts.into_iter().find(|part| part.contains(has)).unwrap_or_else(|| panic!("no {begins} with {has}:\n{text}"))
}

#[test]
fn a_run_is_drawn_on_its_time_and_in_its_flow() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    let run = scene.started("db1");
    let vera = Visitor::of(&scene.server, "vera");
    let (page, flow, timeline) = (
        vera.get(&format!("/runs/{run}")).text,
        vera.get(&format!("/runs/{run}/flow")).text,
        vera.get(&format!("/runs/{run}/timeline")).text,
    );
    for (number, class, word, bar) in
        [("1", "good", "succeeded", "works"), ("2", "warning", "waiting", "asks"), ("3", "quiet", "to come", "ahead")]
    {
        // Never by the colour alone, and for those who see none of it too.
        let shown = part(&flow, "<a href=\"", "</a>", &format!("step n{number} "));
        assert!(shown.contains(&format!(" was-{class}\"")) && shown.contains(&format!(">{word}</text>")), "{shown}");
        assert!(shown.contains(&format!("#step-{number}\"")) && page.contains(&format!(" id=\"step-{number}\"")), "{shown}");
        let described = part(&flow, "<desc", "</desc>", "say");
        assert!(described.contains(word), "{described}");
        let row = part(&timeline, "<li class=\"d0\">", "</li>", &format!("<span class=\"number\">{number}.</span>"));
        assert!(row.contains(word) && row.contains(&format!("<rect class=\"{bar}\"")), "{row}");
    }
    assert!(timeline.contains("Steps to come stand to the right") && timeline.contains(", asked "), "{timeline}");
    for text in [&page, &flow, &timeline] {
        assert!(text.contains(&format!("data-stream=\"/api/v1/runs/{run}/stream")), "it changes as its run does:\n{text}");
        for way in ["", "/timeline", "/flow", "/compare"] {
            assert!(text.contains(&format!("<a href=\"/runs/{run}{way}\"")), "no way to {way}:\n{text}");
        }
    }
    assert_eq!(scene.ask("olaf", "POST", &format!("/runs/{run}/cancel"), Some(&json!({}))).status, 200);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "ended").then_some(()));
    let (flow, timeline) = (vera.get(&format!("/runs/{run}/flow")).text, vera.get(&format!("/runs/{run}/timeline")).text);
    let shown = part(&flow, "<a href=\"", "</a>", "step n3 ");
    assert!(shown.contains(">not reached</text>"), "{shown}");
    assert!(!timeline.contains("\"ahead\"") && !timeline.contains("data-stream"), "{timeline}");
    scene.server.stopped();
}

const WAYS: &str = "apiVersion: runbook/v1
kind: Runbook
name: ways
version: 1.0.0
steps:
- {id: way, choose: [{when: 'true', steps: [{id: left, run: 'true', effect: read}]}, {when: 'false', steps: [{id: right, run: 'true', effect: read}]}]}
- {id: go, approve: {question: Go?, from: [bob], within: 1h}}
- {id: last, run: 'true', effect: read}
";

#[test]
fn a_way_that_was_not_taken_is_not_to_come() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    scene.place.write("ways.yaml", WAYS);
    let read_again = || (scene.ask("olaf", "GET", "/procedures/ways", None).status == 200).then_some(());
    eventually("the catalogue to be read again", read_again);
    let run = scene.ask("olaf", "POST", "/runs", Some(&json!({"procedure": "ways"}))).body["run"].as_str().unwrap().to_owned();
    eventually("its question", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "waiting").then_some(()));
    let vera = Visitor::of(&scene.server, "vera");
    let (page, timeline) = (vera.get(&format!("/runs/{run}")).text, vera.get(&format!("/runs/{run}/timeline")).text);
    for (number, word, is_ahead) in [("2", "succeeded", false), ("3", "not reached", false), ("5", "to come", true)] {
        let number = format!("<span class=\"number\">{number}.</span>");
        let row = part(&timeline, "<li class=\"", "</li>", &number);
        assert!(row.contains(&format!(">{word}</span>")) && row.contains("\"ahead\"") == is_ahead, "{row}");
        let row = part(&page, "<li class=\"", "</li>", &number);
        assert!(row.contains(&format!(">{word}</span>")), "{row}");
    }
    // By its runs, one so far: what was taken how often, and what never.
    let well = scene.get("vera", "/procedures/ways/health");
    let numbers = |list: &str| {
        well[list].as_array().unwrap().iter().map(|step| step["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (numbers("steps"), numbers("never")),
        (["1", "2", "4"].map(str::to_owned).into(), ["3", "5"].map(str::to_owned).into()),
        "{well}"
    );
    assert_eq!((&well["looked_at"], &well["ended"], &well["steps"][1]["attempts"]), (&json!(1), &json!(0), &json!(1)), "{well}");
    assert!(well["steps"][1]["p95"].is_u64() && well["steps"][2]["answered_p50"].is_null(), "{well}");
    let request = scene.request(&run);
    let vote = json!({"choice": "approve", "digest": request["request"]["digest"]});
    assert_eq!(scene.ask("bob", "POST", &decision_path(&run, &request), Some(&vote)).status, 200);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "ended").then_some(()));
    let well = scene.get("vera", "/procedures/ways/health");
    assert_eq!(
        (&well["succeeded"], &well["never"][0]["title"], &well["versions"]),
        (&json!(1), &json!("right"), &json!(["1.0.0"])),
        "{well}"
    );
    assert!(well["steps"][2]["answered_p50"].is_u64() && well["never"][1].is_null(), "{well}");
    let page = vera.get("/procedures/ways/health").text;
    assert!(
        page.contains("of 1 run that have ended 1 succeeded") && page.contains("Never run") && page.contains("right"),
        "{page}"
    );
    assert_eq!(scene.ask("wanda", "GET", "/procedures/fix/health", None).status, 404);
    scene.server.stopped();
}

#[test]
fn what_events_say_again_and_again_is_a_problem() {
    let scene = Scene::new();
    account(&scene.place, "vera");
    // Of db1 three times, with a run that is rejected, and of a thing for which no trigger is; the same once more is the same event.
    let alert = |host: &str, hour: u32| {
        let body = alerts("firing", &[host]).replace("2026-11-22T05", &format!("2026-11-22T{hour:02}"));
        assert_eq!(post_alerts(&scene.server.address, &body).expect("an answer").status, 202);
    };
    let judged =
        || scene.get("vera", "/events")["items"].as_array().unwrap().iter().all(|event| event["judged"] == true).then_some(());
    [1, 2, 3, 3].iter().for_each(|hour| alert("db1", *hour));
    eventually("decisions", judged);
    let problem = |index: usize| scene.get("vera", "/problems")["items"][index].clone();
    let db1 = problem(0);
    assert_eq!((&db1["about"], &db1["why"], &db1["times"]), (&json!("db1"), &json!(["recurs"]), &json!(3)), "{db1}");
    let run = scene.get("vera", "/runs?open=true")["items"][0]["run"].as_str().unwrap().to_owned();
    eventually("its question", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "waiting").then_some(()));
    assert_eq!(scene.ask("olaf", "POST", &format!("/runs/{run}/cancel"), Some(&json!({}))).status, 200);
    eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "ended").then_some(()));
    let db1 = problem(0);
    assert_eq!((&db1["why"], &db1["procedures"]), (&json!(["runs_fail", "recurs"]), &json!(["fix"])), "{db1}");
    assert_eq!((&db1["not_succeeded"], &db1["last_not_succeeded"]), (&json!(1), &json!(run)), "{db1}");
    // No trigger wants what is of this key.
    let text = std::fs::read_to_string(scene.place.books.join("fix.yaml")).unwrap();
    scene.place.write("fix.yaml", &text.replace("triggers: [{", "triggers: [{when: 'event.data.labels.host != \"<b>\"', "));
    std::thread::sleep(std::time::Duration::from_secs(3));
    alert("<b>", 4);
    eventually("decisions", judged);
    assert_eq!((&problem(1)["about"], &problem(1)["why"]), (&json!("<b>"), &json!(["without_playbook"])), "{}", problem(1));
    let page = Visitor::of(&scene.server, "vera").get("/problems").text;
    for wanted in [
        "its runs fail",
        "no playbook",
        "&lt;b&gt;",
        "1 of 1 run that has ended did not succeed",
        &format!("<a href=\"/runs/{run}\">"),
    ] {
        assert!(page.contains(wanted), "no {wanted}:\n{page}");
    }
    assert_eq!(scene.ask("wanda", "GET", "/problems", None).status, 403, "events are of no procedure");
    scene.server.stopped();
}

#[test]
fn two_runs_of_a_procedure_stand_beside_one_another() {
    let scene = Scene::new();
    ["vera", "wanda"].iter().for_each(|person| account(&scene.place, person));
    let (one, two) = (scene.started("db1"), scene.started("db2"));
    for (run, choice) in [(&one, "approve"), (&two, "reject")] {
        let request = scene.request(run);
        let vote = json!({"choice": choice, "digest": request["request"]["digest"], "reason": "seen"});
        assert_eq!(scene.ask("bob", "POST", &decision_path(run, &request), Some(&vote)).status, 200);
        eventually("its end", || (scene.get("vera", &format!("/runs/{run}"))["phase"] == "ended").then_some(()));
    }
    let told = scene.get("vera", &format!("/runs/{one}/comparison?with={two}"));
    assert_eq!((&told["run"], &told["other"], &told["same_plan"]), (&json!(one), &json!(two), &json!(true)));
    assert_eq!(told["inputs"], json!([{"what": "host", "of_run": "db1", "of_other": "db2"}]));
    let fact = |what: &str| told["facts"].as_array().unwrap().iter().find(|fact| fact["what"] == what).unwrap().clone();
    assert_eq!((&fact("version")["of_run"], &fact("outcome")["of_run"]), (&json!("1.0.0"), &json!("succeeded")));
    assert!(fact("outcome")["of_other"].as_str().unwrap().starts_with("rejected"), "{told}");
    let words: Vec<_> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (&step["path"], &step["of_run"]["word"], &step["of_other"]["word"]))
        .collect();
    assert_eq!(
        words,
        [(&json!("go"), &json!("succeeded"), &json!("failed")), (&json!("write"), &json!("succeeded"), &json!(null))]
    );
    assert_eq!(told["same_steps"], 1);
    let decision = &told["decisions"][0];
    assert_eq!((&decision["what"], &decision["of_run"]), (&json!("go (approve)"), &json!("approve by bob")), "{told}");
    assert_eq!(decision["of_other"], "reject by bob", "{told}");
    // The other way round all of it is the other way round; beside itself nothing differs.
    let back = scene.get("vera", &format!("/runs/{two}/comparison?with={one}"));
    assert_eq!((&back["steps"][1]["of_run"], &back["steps"][1]["path"]), (&json!(null), &json!("write")), "{back}");
    let itself = scene.get("vera", &format!("/runs/{one}/comparison?with={one}"));
    assert_eq!((&itself["steps"], &itself["same_steps"], &itself["decisions"]), (&json!([]), &json!(3), &json!([])));

    let vera = Visitor::of(&scene.server, "vera");
    let choice = vera.get(&format!("/runs/{one}/compare")).text;
    assert!(choice.contains(&format!("/runs/{one}/compare?with={two}")) && !choice.contains(&format!("with={one}")), "{choice}");
    let page = vera.get(&format!("/runs/{one}/compare?with={two}")).text;
    for row in [
        "<tr class=\"differs\"><th scope=\"row\">host</th><td>db1</td><td>db2</td></tr>",
        "<td>approve by bob</td><td>reject by bob</td>",
        "<td>not reached</td></tr>",
        "Both are of the same plan",
        "1 step and 0 decisions went the same way",
    ] {
        assert!(page.contains(row), "no {row}:\n{page}");
    }
    // What somebody may not see is not there, and what has nothing in common is not compared.
    let web = scene.ask("wanda", "POST", "/runs", Some(&json!({"procedure": "web"}))).body["run"].as_str().unwrap().to_owned();
    for (who, of, with, status, kind) in [
        ("wanda", &one, &*web, 404, "not_found"),
        ("wanda", &web, &*one, 404, "not_found"),
        ("vera", &web, &*one, 422, "not_valid"),
        ("vera", &one, "x", 400, "malformed"),
    ] {
        let answer = scene.ask(who, "GET", &format!("/runs/{of}/comparison?with={with}"), None);
        assert_eq!((answer.status, answer.body["kind"].as_str()), (status, Some(kind)), "{who} {of} {with}: {}", answer.text);
    }
    assert_eq!(scene.ask("vera", "GET", &format!("/runs/{one}/comparison"), None).body["kind"], "malformed");
    let wanda = Visitor::of(&scene.server, "wanda");
    assert!(!wanda.get(&format!("/runs/{web}/compare")).text.contains(&*one));
    assert_eq!(wanda.get(&format!("/runs/{web}/compare?with={one}")).status, 404);
    scene.server.stopped();
}
