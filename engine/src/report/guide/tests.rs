use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::Source;
use runbook_core::document::{Document, Procedure, load};
use runbook_core::guide::{Freshness, charted};

use super::*;

/// A procedure that has `text` wherever an author may write freely.
fn with(text: &str) -> Procedure {
    let quoted = serde_json::to_string(text).unwrap();
    let document = format!(
        "apiVersion: runbook/v1
kind: Runbook
name: hostile
version: 1.0.0
title: {quoted}
description: {quoted}
owner: {quoted}
contacts: [{quoted}]
labels: {{tier: {quoted}}}
inputs:
  x: {{type: string, default: {quoted}, description: {quoted}}}
secrets:
  s: {{file: secret.txt}}
steps:
- {{id: a, name: {quoted}, why: {quoted}, by_hand: {quoted}, owner: {quoted}, exec: [echo, {quoted}], env: {{A: inputs.x, S: secrets.s}}, irreversible: {quoted}}}
- {{approve: {{question: {quoted}, within: 1h}}}}
- {{manual: {{do: {quoted}, expect: {quoted}, evidence: {quoted}, within: 1h}}, undo: {{name: {quoted}, exec: [b, {quoted}]}}}}
- choose:
  - {{when: inputs.x == \"\\\"\", steps: [{{name: {quoted}, exec: [a], effect: read}}]}}
- {{ask: {{question: {quoted}, within: 1h, fields: {{f: {{type: string, description: {quoted}}}}}}}}}
- {{http: {{url: 'https://example.org/', headers: {{X-A: a}}, json: {{a: {quoted}}}}}, effect: read}}
- {{finish: {{outcome: failed, message: {quoted}}}}}
"
    );
    match load(&Source::new("hostile.yaml", document.as_str())) {
        (Some(Document::Procedure(procedure)), _) => *procedure,
        (_, found) => panic!("{found:#?}"),
    }
}

/// In all four forms.
fn told(text: &str) -> [String; 4] {
    let procedure = with(text);
    let (plan, found) = check(&procedure, &Catalogue::new([&procedure], None), &CheckOptions::default());
    let plan = plan.unwrap_or_else(|| panic!("{text:?}: {found:#?}"));
    let guide = Guide::new(&plan, &procedure, true).unwrap();
    [to_markdown(&guide), to_html(&guide), to_man(&guide), to_manual(&guide)]
}

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

/// A rule of the workspace demands it of every decision of a run, whatever step it is about.
#[test]
fn who_decides_signs_where_the_run_demands_it() {
    let workspace = |signed: &str| {
        let text = format!(
            "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {{ann: {{users: [ann]}}}}\npolicies:\n- {{name: strict, when: {{effect: destructive}}, require: {{{signed}four_eyes: true}}}}\n- {{name: seen, when: {{effect: change}}, require: {{approve: {{from: [ann], within: 1h}}}}}}\n"
        );
        match load(&Source::new("workspace.yaml", text)) {
            (Some(Document::Workspace(workspace)), _) => *workspace,
            (_, found) => panic!("{found:#?}"),
        }
    };
    let procedures = procedures(&[
        "name: a\nsteps:\n- {approve: {question: Go?, within: 1h}}\n- {manual: {do: x, within: 1h}, irreversible: x}\n- {ask: {question: x, fields: {a: {type: integer}}, within: 1h}}\n- {exec: [c], idempotent: true}\n- {exec: [d], effect: destructive, irreversible: y}\n",
    ]);
    for (signed, counts) in [("signed: true, ", [6, 6]), ("", [0, 6])] {
        let workspace = workspace(signed);
        let catalogue = Catalogue::new(&procedures, Some(&workspace));
        let (plan, found) = check(&procedures[0], &catalogue, &CheckOptions::default());
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        let guide = Guide::new(&plan, &procedures[0], true).unwrap();
        let all: Vec<String> = guide
            .entries()
            .flat_map(|entry| whole::gates(&guide, entry).into_iter().chain(whole::decides(&guide, entry)))
            .collect();
        let count = |text: &str| all.iter().filter(|who| who.contains(text)).count();
        assert_eq!([count("signed with an SSH key"), all.len()], counts, "{all:#?}");
        // Whoever asked for the run may do the work and answer.
        assert_eq!(count("not whoever asks"), 4, "{all:#?}");
    }
}

/// What a rule demands in one environment is not told of the others.
#[test]
fn what_is_demanded_somewhere_is_told_of_there() {
    let text = "apiVersion: runbook/v1\nkind: Workspace\nname: w\npeople: {ann: {users: [ann]}}\nenvironments: {staging: {}, production: {}}
policies:
- {name: strict, when: {effect: change, environments: [production]}, require: {signed: true, four_eyes: true}}
- {name: seen, when: {effect: change, environments: [production]}, require: {approve: {from: [ann], within: 1h}}}
- {name: known, when: {effect: change}, require: {approve: {from: [ann], within: 1h}}}\n";
    let (Some(Document::Workspace(workspace)), _) = load(&Source::new("workspace.yaml", text)) else { panic!("no workspace") };
    let procedures = procedures(&["name: a\nsteps:\n- {approve: {question: Go?, within: 1h}}\n- {exec: [c], idempotent: true}\n"]);
    let catalogue = Catalogue::new(&procedures, Some(&workspace));
    let told = |environment: Option<&str>| -> Vec<String> {
        let options = CheckOptions { environment: environment.map(str::to_owned), ..CheckOptions::default() };
        let (plan, found) = check(&procedures[0], &catalogue, &options);
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        let guide = Guide::new(&plan, &procedures[0], environment.is_none()).unwrap();
        let all = guide.entries().flat_map(|entry| whole::gates(&guide, entry).into_iter().chain(whole::decides(&guide, entry)));
        all.map(|who| who.split("; within").next().unwrap_or_default().to_owned()).collect()
    };
    let (in_production, strictly) = (
        "; in production not whoever asks for the run; in production signed with an SSH key",
        "; not whoever asks for the run; signed with an SSH key",
    );
    assert_eq!(
        told(None),
        [format!("whoever may operate{in_production}"), format!("in production: ann{strictly}"), format!("ann{in_production}"),]
    );
    assert_eq!(told(Some("staging")), ["whoever may operate", "ann"]);
    assert_eq!(
        told(Some("production")),
        [format!("whoever may operate{strictly}"), format!("ann{strictly}"), format!("ann{strictly}")]
    );
}

/// Where each step stands and what is told of it, in bare text.
fn steps(texts: &[&str]) -> String {
    let procedures = procedures(texts);
    let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    let guide = Guide::new(&plan, &procedures[0], true).unwrap();
    let mut out = String::new();
    for entry in guide.entries() {
        let place = super::super::said::What::Line(place(&guide, entry)).into_text();
        out.push_str(&format!("{} [{place}]\n", entry.number));
        for told in step::told(&guide, entry) {
            out.push_str(&format!("  {}: {}\n", told.said.name, told.said.what.into_text().trim_end()));
        }
    }
    out
}

#[test]
fn whoever_works_by_hand_is_told_what_a_run_would_do() {
    let main = r#"name: main
inputs: {host: {type: host}, hosts: {type: list, items: {type: host}}}
defaults: {env: {A: inputs.host}}
steps:
- id: maybe
  if: inputs.host == "a`b"
  on_failure: continue
  timeout: 10m
  dir: sub
  env: {B: '"b"'}
  retry: {attempts: 5, delay: 1s, backoff: 2, max_delay: 10s, jitter: 0.2}
  group:
  - {id: look, exec: [docker, ps, '--format=\{{.Names}}', '{{inputs.host}}'], effect: read}
  - choose:
    - {when: 1 == 2, steps: [{group: [{exec: [b], effect: read, retry: {attempts: 2, delay: 3s, backoff: 9}}]}]}
- id: sub
  call: sub@^1
  with: {host: 'inputs.hosts[0]'}
- each:
    in: inputs.hosts
    as: host
    batches: [1, 50%]
    max_failures: 2
    steps: [{exec: [fleet, '{{host}}'], irreversible: 'Nothing {{here}} is a value'}]
- {id: names, set: {first: 'inputs.hosts[0]'}}
finally:
- group: [{run: 'true', shell: bash, effect: read}]
"#;
    let sub = "name: sub
inputs: {host: {type: host}, port: {type: integer, default: 5432}, note: {type: string, required: false}}
steps:
- id: act
  group: [{id: inner, exec: [a, '{{inputs.host}}'], undo: {exec: [b]}}]
outputs: {code: steps.inner.exit_code}
";
    let expect = r#"1 []
  only if: inputs.host == "a`b"
  if not: leave out steps 2 to 5 as well
  the whole takes at most: 10m
  if a step inside fails: leave out the rest of it and go on behind it
2 [part of 1; left out where 1 is]
  variable: B = "b"
  in: sub
  run: docker ps '--format={{.Names}}' '‹inputs.host›'
  tried again: up to 5 attempts, 1s apart at first, then each time 2 times as long, at most 10s; each pause by up to 20% shorter, at random
  takes at most: 5h 15s
  if it fails: leave out the rest of 1: what follows is told there
3 [part of 1; left out where 1 is]
  choose: the first way whose condition holds; none of them, where no condition holds
4 [3, if 1 == 2; left out where 1 is]
5 [part of 4; left out where 3 is]
  variable: B = "b"
  in: sub
  run: b
  tried again: up to 2 attempts, 3s apart
  takes at most: 2h 3s
  if it fails: leave out the rest of 1: what follows is told there
6 []
  do: the procedure sub 1.0.0
  with: host = inputs.hosts[0]
  by default with: port = 5432
  names: inside, in steps 6.1 to 6.2, `inputs` and `steps` are its own
  gives: code = steps.inner.exit_code
6.1 [part of 6; names in it are those of 6]
6.2 [part of 6.1; names in it are those of 6]
  run: a '‹inputs.host›'
  takes at most: 1h
  undo: 6.U2
7 []
  for each of: inputs.hosts
  called: host
  at a time: 100
  in waves of: 1, then 50%. A wave begins when all of the one before have ended. The last size is that of all further waves.
  may fail: 2 of them, and the others go on; at one more, no further one begins
8 [part of 7]
  run: fleet '‹host›'
  takes at most: 1h
  cannot be undone: Nothing {{here}} is a value
  if it fails: leave out the rest of 7: what follows is told there
9 []
  set: first = inputs.hosts[0]
10 []
  if a step inside fails: leave out the rest of it and go on behind it
11 [part of 10]
  run in bash: true
  takes at most: 1h
  if it fails: leave out the rest of 10: what follows is told there
6.U2 [names in it are those of 6]
  run: b
  takes at most: 1h
"#;
    let told = steps(&[main, sub]);
    assert_eq!(told, expect, "{told}");
}

#[test]
fn whoever_works_by_hand_does_what_is_called_to_its_end() {
    let main = "name: main\nsteps:\n- {id: sub, call: sub@^1, on_failure: continue}\n";
    let sub = "name: sub
steps: [{exec: [act], effect: read}]
on_failure: [{exec: [look], effect: read}]
finally: [{exec: [tidy], effect: read}, {group: [{exec: [off], effect: read}]}]
";
    let expect = r#"1 []
  do: the procedure sub 1.0.0
  names: inside, in steps 1.1 to 1.5, `inputs` and `steps` are its own
  if a step inside fails: leave out the rest of it and go on behind it
1.1 [part of 1; names in it are those of 1]
  run: act
  takes at most: 1h
  if it fails: leave out the rest of 1: what follows is told there
1.5 [1, only after a failure in it; names in it are those of 1]
  run: look
  takes at most: 1h
  if it fails: go on with the next step
1.2 [1, in the end, however it ends; names in it are those of 1]
  run: tidy
  takes at most: 1h
  if it fails: go on with the next step
1.3 [1, in the end, however it ends; names in it are those of 1]
  if a step inside fails: leave out the rest of it and go on behind it
1.4 [part of 1.3; names in it are those of 1]
  run: off
  takes at most: 1h
  if it fails: leave out the rest of 1.3: what follows is told there
"#;
    let told = steps(&[main, sub]);
    assert_eq!(told, expect, "{told}");
}

#[test]
fn every_form_says_what_is_left_out() {
    let own = runbook_core::limits::GUIDE_STEPS;
    let steps = "- {exec: [a], idempotent: true}\n".repeat(own);
    let main = format!("name: main\nsteps:\n{steps}- {{call: sub@^1}}\n");
    let sub = "name: sub\nsteps: [{exec: [a], undo: {exec: [b]}}]\n";
    for (texts, left_out) in [([main.as_str(), sub], true), ([main.replace(&steps, "").as_str(), sub], false)] {
        let procedures = procedures(&texts);
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        let guide = Guide::new(&plan, &procedures[0], true).unwrap();
        for page in [to_markdown(&guide), to_html(&guide), to_man(&guide), to_manual(&guide)] {
            let page = page.replace('\\', "");
            assert_eq!(page.contains(&format!("What step {} calls is left out, which is said there.", own + 1)), left_out);
            assert_eq!(page.contains("its steps, and what takes them back: see the guide of sub 1.0.0"), left_out);
        }
    }
}

const HOSTILE: [&str; 16] = [
    "</pre></code></title></style><script>alert(1)</script>",
    "\" onload=\"alert(1)\" x=\"",
    "<svg><foreignObject><iframe src=javascript:alert(1)>",
    "*/ } body { background: url(//evil) } /*",
    "<base href=//evil><meta http-equiv=refresh content=0;url=//evil>",
    "[x](javascript:alert(1)) ![y](//evil/x.png) <https://evil>",
    "```\n```\n# heading\n| a | b |\n| - | - |\n",
    "a | b\n\n---\n\n- c\n1. d",
    "\"] --> evil[\"x\n  evil --> s1\nend\nclick s1 href \"javascript:x\"",
    "%%{init: {\"securityLevel\": \"loose\"}}%%",
    ".so /etc/passwd\n.sy touch /tmp/x\n'ex\n..",
    "\\fBbold\\fR \\*(aq \\X'tty: x' \\n(.$ \\\"",
    "\u{202e}sdrawkcab\u{200b} \u{1b}[31mred\u{7}",
    "@team #1 &lt; &amp;amp; ‹inputs.x›",
    "{{inputs.x}} ${x} $(x) `x` **x",
    "-\n.\n'\n",
];

#[test]
fn no_text_adds_to_a_page() {
    let [_, plain_html, _, plain_manual] = told("plain text");
    for text in HOSTILE {
        let [_, html, _, manual] = told(text);
        for (name, page, plain) in [("html", &html, &plain_html), ("manual", &manual, &plain_manual)] {
            let tags = |page: &str| {
                let mut tags: Vec<String> = page
                    .split('<')
                    .skip(1)
                    .map(|tag| tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '/').next().unwrap_or_default().to_owned())
                    .collect();
                tags.sort();
                tags.dedup();
                tags
            };
            // Paragraphs and lists are all that a text may make.
            let own = ["p", "/p", "ul", "/ul", "ol", "/ol", "li", "/li", "strong", "/strong", "code", "/code", "pre", "/pre", "br"];
            let known = tags(plain);
            let strange: Vec<String> =
                tags(page).into_iter().filter(|tag| !known.contains(tag) && !own.contains(&tag.as_str())).collect();
            assert!(strange.is_empty(), "{name} {text:?}: {strange:?}");
            assert!(!page.contains("javascript:alert(1)>") && !page.contains("onload=\""), "{name} {text:?}");
            let acts = |c: char| (c.is_control() && c != '\n') || ['\u{200b}', '\u{202e}'].contains(&c);
            assert!(!page.contains(acts), "{name} {text:?}");
        }
    }
}

#[test]
fn no_text_adds_to_markdown() {
    for text in HOSTILE {
        let [markdown, ..] = told(text);
        let (mut fence, mut columns): (Option<String>, Option<usize>) = (None, None);
        for line in markdown.lines() {
            let trimmed = line.trim_start();
            let ticks: String = trimmed.chars().take_while(|c| *c == '`').collect();
            if let Some(open) = &fence {
                fence = if ticks.len() >= open.len() && trimmed == ticks { None } else { fence };
                continue;
            }
            if ticks.len() >= 3 && !trimmed.trim_start_matches('`').contains('`') {
                fence = Some(ticks);
                continue;
            }
            let outside: String = trimmed.split('`').step_by(2).collect::<String>().replace("\\<", "").replace("<!---->", "");
            let outside = outside.replace("<!-- -->", "").replace("<code>", "").replace("</code>", "");
            assert!(!outside.contains('<'), "{text:?}: HTML in {line:?}");
            assert!(!outside.replace("\\]", "").contains("]("), "{text:?}: a link in {line:?}");
            assert!(!trimmed.starts_with("# heading") && trimmed != "---", "{text:?}: {line:?}");
            let bars = line.matches('|').count();
            assert!(!trimmed.starts_with('|') || columns.is_none_or(|columns| columns == bars), "{text:?}: a column in {line:?}");
            columns = trimmed.starts_with('|').then_some(bars);
        }
        assert!(fence.is_none(), "{text:?}: a fence stays open");
        assert!(!markdown.contains('\u{1b}') && !markdown.contains('\u{202e}'), "{text:?}");
    }
}

#[test]
fn no_text_adds_to_a_chart() {
    let drawn = |text: &str| {
        let procedure = with(text);
        let (plan, _) = check(&procedure, &Catalogue::new([&procedure], None), &CheckOptions::default());
        mermaid::to_mermaid(&charted(&plan.unwrap()).unwrap())
    };
    let shape = |chart: &str| {
        let line = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("…");
        chart.lines().map(line).collect::<Vec<_>>()
    };
    let plain = shape(&drawn("plain"));
    for text in HOSTILE {
        let chart = drawn(text);
        assert_eq!(shape(&chart), plain, "{text:?}");
        assert!(chart.lines().all(|line| line.matches('"').count() % 2 == 0 && !line.contains("%%{")), "{text:?}: {chart}");
    }
}

#[test]
fn a_chart_has_a_sign_for_what_is_taken_back_and_for_what_follows_a_failure() {
    let drawn = |steps: &str| {
        let procedures = procedures(&[&format!("name: main\nsteps:\n{steps}- {{exec: [a], effect: read}}\n")]);
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let chart = charted(&plan.unwrap_or_else(|| panic!("{found:#?}"))).unwrap();
        (mermaid::to_mermaid(&chart), svg::to_svg(&chart, "x"), mermaid::legend(&chart))
    };
    for (steps, sign, note, legend) in [
        ("- {exec: [a], effect: read}\n", "1 · exec", "read", ""),
        ("- {exec: [a], undo: {exec: [b]}}\n", "1 ↶ · exec", "undo: U1", "↶ it can be taken back, by U and its number"),
        (
            "- {exec: [a], effect: read, on_failure: continue}\n",
            "1 ↷ · exec",
            "fails: goes on",
            "↷ if it fails, the next one follows",
        ),
        (
            "- group: [{exec: [a], effect: read, on_failure: rollback}]\n",
            "2 ⟲ · exec",
            "fails: all is taken back",
            "⟲ if it fails, everything is taken back",
        ),
    ] {
        let (mermaid, svg, told) = drawn(steps);
        assert!(mermaid.contains(&format!("[\"{sign}\"]")), "{mermaid}");
        let (_, drawing) = svg.split_once("</desc>").unwrap();
        assert!(drawing.contains(&format!(">{note}</text>")) && svg.split_once("</desc>").unwrap().0.contains(note), "{svg}");
        assert_eq!(told, legend);
    }
}

/// What ends or leads elsewhere only under a condition, or goes on where it fails, leads on to the next step too.
#[test]
fn a_chart_leads_past_what_is_not_done() {
    const DO: &str = "exec: [a], effect: read";
    const END: &str = "{finish: {outcome: failed}}";
    const WAYS: &str = "choose: [{when: inputs.x, steps: [{exec: [a], effect: read}]}";
    // The first step, the edges out of it and out of what it holds, the arrows of the drawing, and what is said at its lines.
    for (step, edges, arrows, said) in [
        (format!("if: inputs.x, {DO}"), "s1 --> s2", 4, ""),
        (format!("if: inputs.x, next: z, {DO}"), "s1 --> s3, s1 -->|if not| s2", 4, "if not"),
        (format!("next: z, on_failure: continue, {DO}"), "s1 --> s3, s1 -->|if it fails| s2", 4, "if it fails"),
        (
            format!("if: inputs.x, next: z, on_failure: continue, {DO}"),
            "s1 --> s3, s1 -->|if not, or if it fails| s2",
            4,
            "if not, or if it fails",
        ),
        ("if: inputs.x, finish: {outcome: succeeded}".to_owned(), "s1 -->|if not| s2", 4, "if not"),
        (format!("if: inputs.x, group: [{{{DO}}}]"), "s1 --> s2, s1 -->|if not| s3, s2 --> s3", 4, ""),
        (format!("if: inputs.x, next: z, group: [{{{DO}}}]"), "s1 --> s2, s1 -->|if not| s3, s2 --> s4", 4, "if not"),
        (format!("if: inputs.x, group: [{{{DO}}}, {END}]"), "s1 --> s2, s1 -->|if not| s4, s2 --> s3", 5, "if not"),
        (
            format!("on_failure: continue, group: [{{{DO}}}, {END}]"),
            "s1 --> s2, s1 -->|if it fails| s4, s2 --> s3",
            5,
            "if it fails",
        ),
        (
            format!("group: [{{{DO}}}, {{if: inputs.x, finish: {{outcome: failed}}}}]"),
            "s1 --> s2, s2 --> s3, s3 -->|if not| s4",
            5,
            "if not",
        ),
        (
            format!("if: inputs.x, {WAYS}, {{otherwise: [{END}]}}]"),
            "s1 -->|if not| s4, s1 -->|inputs.x| s2, s1 -->|otherwise| s3, s2 --> s4",
            6,
            "inputs.x, otherwise",
        ),
        (
            format!("if: inputs.x, next: z, {WAYS}, {{otherwise: [{{{DO}}}]}}]"),
            "s1 -->|if not| s4, s1 -->|inputs.x| s2, s1 -->|otherwise| s3, s2 --> s5, s3 --> s5",
            6,
            "if not, inputs.x, otherwise, then: 5",
        ),
        (
            format!("next: z, on_failure: continue, {WAYS}]"),
            "s1 -->|if it fails| s3, s1 -->|inputs.x| s2, s1 -->|none of these| s4, s2 --> s4",
            5,
            "if it fails, inputs.x, none of these, then: 4",
        ),
        (
            format!("if: inputs.x, next: z, each: {{in: '[1]', steps: [{{{DO}}}]}}"),
            "s1 --> s2, s1 -->|if not| s3, s1 -->|no more| s4, s2 -.->|again| s1",
            5,
            "if not",
        ),
        (
            format!("if: inputs.x, parallel: {{l: [{{{DO}}}], r: [{END}]}}"),
            "s1 -->|if not| s4, s1 -->|l| s2, s1 -->|r| s3, s2 --> s4",
            6,
            "l, r",
        ),
    ] {
        let text = format!("name: main\ninputs: {{x: {{type: boolean}}}}\nsteps:\n- {{{step}}}\n- {{{DO}}}\n- {{id: z, {DO}}}\n");
        let procedures = procedures(&[&text]);
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let chart = charted(&plan.unwrap_or_else(|| panic!("{step}: {found:#?}"))).unwrap();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines.join(", ")
        };
        let behind = [&chart.body[1], &chart.body[2]].map(|item| format!("s{} ", item.number));
        let mermaid = mermaid::to_mermaid(&chart).replace('"', "");
        let drawn =
            mermaid.lines().map(str::trim).filter(|line| line.starts_with('s') && line.contains("-> ") | line.contains("->|"));
        let drawn = drawn.filter(|line| !behind.iter().any(|step| line.starts_with(step))).map(str::to_owned);
        assert_eq!(sorted(drawn.collect()), edges, "{step}: {mermaid}");
        let svg = svg::to_svg(&chart, "x");
        assert_eq!(svg.matches("class=\"tip\"").count(), arrows, "{step}: {svg}");
        let lines = svg.split("<text class=\"lane\"").skip(1);
        let at_lines = lines.filter_map(|text| text.split_once('>')?.1.split_once('<')).map(|(text, _)| text.to_owned());
        assert_eq!(sorted(at_lines.collect()), said, "{step}: {svg}");
    }
}

#[test]
fn steps_after_a_failure_are_in_the_chart() {
    let text = "name: main\nsteps:\n- {exec: [a], undo: {exec: [b]}}\non_failure:\n- {exec: [look], effect: read}\nfinally:\n- {exec: [end], effect: read}\n";
    let procedures = procedures(&[text]);
    let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
    let chart = charted(&plan.unwrap_or_else(|| panic!("{found:#?}"))).unwrap();
    let mermaid = mermaid::to_mermaid(&chart);
    let shown = [
        "  begin -.->|\"if a step fails\"| failure\n",
        "  failure[[\"after a failure, before anything is taken back\"]]\n",
        "  s3[\"3 · exec\"]\n  failure --> s3\n",
        "  s1 --> finally\n  s3 --> finally\n",
    ];
    assert!(shown.iter().all(|shown| mermaid.contains(shown)), "{mermaid}");
    let svg = svg::to_svg(&chart, "x");
    let (told, drawn) = svg.split_once("</desc>").unwrap();
    assert!(told.contains("if a step fails: 3 exec") && drawn.contains(">only if a step fails</text>"), "{svg}");
}

#[test]
fn an_undo_in_a_loop_says_that_it_is_done_for_each_round() {
    let main = "name: main
inputs: {hosts: {type: list, items: {type: host}, min: 1}}
steps:
- {exec: [a], undo: {exec: [b]}}
- each:
    in: inputs.hosts
    as: host
    steps:
    - {exec: [c], undo: {exec: [d]}}
    - repeat: {until: '1 == 1', times: 2, steps: [{exec: [e], undo: {exec: [f]}}]}
  undo: {exec: [g]}
";
    let told = steps(&[main]);
    let told: Vec<&str> = told
        .lines()
        .filter(|line| line.contains('U') || line.contains("how often"))
        .filter(|line| !line.contains("undo:"))
        .collect();
    assert_eq!(
        told.iter().map(|line| line.split(" [").next().unwrap_or(line)).collect::<Vec<_>>(),
        [
            "U5",
            "  how often: once for each round of 2 and of 4 in which it was done, the last one first",
            "U3",
            "  how often: once for each round of 2 in which it was done, the last one first",
            "U2",
            "U1",
        ]
    );
}

#[test]
fn a_name_alone_in_a_body_is_told_as_the_value_that_is_sent() {
    let main = "name: main
inputs: {n: {type: integer}, on: {type: boolean}}
steps:
- http: {method: POST, url: 'https://example.org/', json: {a: '{{inputs.n}}', b: 'n {{inputs.n}}', c: ['{{inputs.on}}'], d: '{{upper \"x\"}}'}}
  irreversible: It is sent.
- http: {method: POST, url: 'https://example.org/', json: '{{inputs.n}}'}
  irreversible: It is sent.
";
    let told = steps(&[main]);
    let flat: String = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("body: { \"a\": ‹inputs.n›, \"b\": \"n ‹inputs.n›\", \"c\": [ ‹inputs.on› ], \"d\": \"‹upper"), "{told}");
    assert!(flat.contains("body: ‹inputs.n›"), "{told}");
}

#[test]
fn no_text_is_a_request_of_roff() {
    let requests = [".\\\"", ".TH", ".nh", ".ad", ".SH", ".SS", ".TP", ".sp", ".RS", ".RE", ".IP", ".nf", ".fi"];
    for text in HOSTILE {
        let [_, _, man, _] = told(text);
        for line in man.lines() {
            let word = line.split(' ').next().unwrap_or_default();
            assert!(!line.starts_with(['.', '\'']) || requests.contains(&word), "{text:?}: {line:?}");
            let escapes = line.split('\\').skip(1).map(|escape| escape.get(..1).unwrap_or_default());
            for escape in escapes {
                assert!(["(", "-", "&", "f", "[", "\""].contains(&escape), "{text:?}: \\{escape} in {line:?}");
            }
            assert!(line.is_ascii(), "{text:?}: {line:?}");
        }
    }
}

#[test]
fn an_index_marks_what_is_stale_today_alone() {
    let due = "2026-04-01".parse().unwrap();
    let row = |review, exercise| Row {
        name: "a|b".to_owned(),
        page: "a.md".to_owned(),
        title: "<b>".to_owned(),
        version: "1.0.0".to_owned(),
        owner: "team".to_owned(),
        effect: "change",
        reviewed: "2026-01-01".to_owned(),
        review,
        exercised: "2026-01-02".to_owned(),
        exercise,
    };
    let rows = [row(Freshness::Overdue(due), Freshness::Never), row(Freshness::Due(due), Freshness::Unasked)];
    let line =
        |markdown: &str, place: usize| markdown.lines().filter(|line| line.starts_with('|')).nth(place + 2).unwrap().to_owned();
    let today = index_in_markdown(&rows, true);
    assert!(line(&today, 0).ends_with("| **2026-01-01, stale since 2026-04-01** | **2026-01-02** |"), "{today}");
    assert!(line(&today, 1).ends_with("| 2026-01-01, again by 2026-04-01 | 2026-01-02 |"), "{today}");
    let kept = index_in_markdown(&rows, false);
    assert_eq!(
        line(&kept, 0),
        "| [a&#124;b](a.md) | \\<b\\> | team | change | 1.0.0 | 2026-01-01, again by 2026-04-01 | 2026-01-02 |"
    );
    assert_eq!(line(&kept, 0), line(&kept, 1));
    assert!(is_ours(&kept) && is_ours(&index_in_html(&rows, false)) && !is_ours("# Notes\n"));
    assert!(index_in_html(&rows, true).contains("<span class=\"bad\">2026-01-01, stale since 2026-04-01</span>"));
}

#[test]
fn each_form_knows_its_own_pages_and_takes_no_other_for_one() {
    for page in told("plain") {
        assert!(is_ours(&page), "{}", page.lines().next().unwrap_or_default());
        let quoted = format!("> {}", page.replace('\n', "\n> "));
        assert!(!is_ours(&quoted) && !is_ours(&format!("{}{page}", "\n".repeat(10))), "{quoted}");
    }
    let mark = "Written by `runbook docs`; what is changed here is lost.";
    for other in [
        super::super::html::page("Dry run: hostile 1.0.0", "<p>a report</p>"),
        format!("# Notes\n\nBeneath a page there is \"{mark}\"\n"),
        format!("<title>{mark}</title>"),
    ] {
        assert!(!is_ours(&other), "{other}");
    }
}

/// A look that fails is none of the failures that end a wait.
#[test]
fn whoever_looks_by_hand_looks_again() {
    let text = "name: main
steps:
- id: up
  on_failure: rollback
  wait:
    until: steps.look.exit_code == 0
    every: 5s
    within: 1m
    probe: {id: look, exec: [look], effect: read}
";
    let told = steps(&[text]);
    let (wait, look) = told.split_once("\n2 ").unwrap();
    assert!(wait.contains("\n  if it fails: take everything back, the last change first"), "{told}");
    assert!(look.contains("\n  if it fails: what is waited for does not hold yet: look again\n"), "{told}");
    assert!(!told.contains("inside"), "{told}");
}

/// With all that is said of a step, and below 100 kB.
#[test]
fn the_chart_of_a_run_says_what_became_of_each_step_and_stays_small() {
    let drawn = |steps: usize| {
        let step = "- {name: Look at the part of the machine that has some number, exec: [a], if: 'true', irreversible: x}\n";
        let procedures = procedures(&[&format!("name: main\nsteps:\n{}", step.repeat(steps))]);
        let (plan, found) = check(&procedures[0], &Catalogue::new(&procedures, None), &CheckOptions::default());
        let stands = |number: &str| {
            let (word, address) = ("succeeded".to_owned(), format!("/runs/01m85d8g8sjncqdttxm6m7h6m6?from=1#step-{number}"));
            Some(runbook_core::guide::Stands { word, class: "good", address })
        };
        flow_of_run(&plan.unwrap_or_else(|| panic!("{found:#?}")), &stands)
    };
    let most = runbook_core::limits::RUN_CHART_STEPS;
    let chart = drawn(most);
    assert_eq!((chart.matches(" was-good\"").count(), chart.matches(">succeeded</text>").count()), (most, most));
    assert!(chart.contains(&format!("#step-{most}\"")) && chart.len() < 98_000, "{}", chart.len());
    assert!(drawn(most + 1).contains("more steps than a chart can show"));
}
