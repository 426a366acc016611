//! The other ways to look at a run: drawn on its time, in its flow, and beside another run of its procedure.

use serde_json::json;

use crate::api::{Scene, decision_path};
use crate::harness::eventually;
use crate::pages::{Visitor, account};

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
