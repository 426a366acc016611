//! The manual on paper: which procedure it is of on every page, each step with the number of a run, and no step on two pages.

use crate::harness::browser::Browser;
use crate::harness::program::Runbook;
use crate::harness::{Scratch, repository};

/// `number` and `title` of each step of a guide.
fn steps(markdown: &str) -> Vec<(String, String)> {
    let heading = |line: &str| {
        let (number, title) = line.strip_prefix("### ")?.split_once(". ")?;
        let title = title.split(" · ").next().unwrap_or(title).replace('\\', "");
        Some((number.to_owned(), title))
    };
    markdown.lines().filter_map(heading).collect()
}

/// No page has a heading and nothing below it, and a chart begins where its heading stands and goes on over as many pages as it needs, in letters
/// of one size.
#[test]
fn a_chart_is_broken_over_pages() {
    let (browser, folder) = (Browser::new(), Scratch::new());
    let step = |n: usize| format!("  - {{id: step_{n}, name: Look at number {n}, exec: [look, '{n}'], effect: read}}\n");
    let procedure = |name: &str, steps: usize| {
        let steps: String = (1..=steps).map(step).collect();
        let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: {name}\nversion: 1.0.0\nsteps:\n{steps}");
        std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a file");
    };
    procedure("short", 8);
    procedure("far", 60);
    let shipped = repository().join("runbooks");
    for (catalogue, name, least) in
        [(folder.path(), "short", 1), (folder.path(), "far", 4), (shipped.as_path(), "pg-backup-verify", 1)]
    {
        let page = folder.join(format!("{name}.html"));
        let text = Runbook::over(catalogue).run(["docs", name, "--format", "html"]).assert(0).stdout;
        std::fs::write(&page, text).expect("a page");
        let pages = browser.print(&page).pages();
        let flow = pages.iter().position(|text| text.lines().any(|line| line.trim() == "Flow")).expect("a heading");
        let ends = |text: &String| text.lines().any(|line| line.trim() == "end");
        let end = flow + pages[flow..].iter().position(ends).expect("the end of the chart");
        let (_, below) = pages[flow].split_once("Flow").expect("a heading");
        assert!(below.contains("start"), "{name}: the chart does not begin below its heading:\n{}", pages[flow]);
        assert!(end - flow + 1 >= least, "{name}: the chart takes {} pages", end - flow + 1);
        for (number, text) in (1..).zip(&pages[..pages.len() - 1]) {
            let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
            assert!(lines > 8, "{name}: page {number} is all but empty:\n{text}");
        }
    }
}

/// A chart that is as wide as the paper has the right border of its last box.
#[test]
fn nothing_is_cut_at_the_edge_of_the_paper() {
    let (browser, folder) = (Browser::new(), Scratch::new());
    let branches: Vec<String> = (1..=7).map(|n| format!("b{n}: [{{exec: [look], effect: read}}]")).collect();
    let steps = format!("steps:\n  - parallel: {{{}}}\n", branches.join(", "));
    let text = format!("apiVersion: runbook/v1\nkind: Runbook\nname: wide\nversion: 1.0.0\n{steps}");
    std::fs::write(folder.join("wide.yaml"), text).expect("a file");
    let page = folder.join("wide.html");
    let text = Runbook::over(folder.path()).run(["docs", "wide", "--format", "html"]).assert(0).stdout;
    std::fs::write(&page, text).expect("a page");
    let edge = browser.print(&page).right_edge();
    let lines: Vec<usize> = edge.split(|ink| !ink).map(<[bool]>::len).filter(|rows| *rows > 0).collect();
    // A box is as high as two lines; the frame of a step is higher, and a line below a heading is none.
    assert!(lines.iter().any(|rows| (8..40).contains(rows)), "{lines:?}");
}

#[test]
fn a_manual_has_everything_where_it_is_looked_for() {
    let (browser, folder) = (Browser::new(), Scratch::new());
    let runbook = Runbook::over(&repository().join("runbooks"));
    let name = "pg-backup-verify";
    let guide = runbook.run(["docs", name]).assert(0).stdout;
    let manual = runbook.run(["docs", name, "--format", "manual"]).assert(0).stdout;
    let digest = guide.split("sha256:").nth(1).and_then(|rest| rest.get(..64)).expect("a digest");
    let letter = folder.join("letter.html");
    std::fs::write(&letter, &manual).expect("a page");
    // Another paper is another style, which the policy of the page would refuse.
    let a4 = folder.join("a4.html");
    let policy = "http-equiv=\"Content-Security-Policy\"";
    std::fs::write(&a4, manual.replace(policy, "name=\"none\"").replace("@page {", "@page { size: A4;")).expect("a page");
    for (page, size) in [(&letter, "612 x 792"), (&a4, "59")] {
        let paper = browser.print(page);
        assert!(paper.fact("Page size").starts_with(size), "{}", paper.fact("Page size"));
        let pages = paper.pages();
        assert_eq!(pages.len().to_string(), paper.fact("Pages"));
        assert!((4..=10).contains(&pages.len()), "{} pages", pages.len());
        for (place, text) in (1..).zip(&pages) {
            assert!(
                text.contains(&format!("Manual: {name} 1.0.0")) && text.contains(digest),
                "page {place} does not say of what\n{text}"
            );
            assert!(text.contains(&format!("page {place} of {}", pages.len())), "page {place} has no number\n{text}");
            let count = |word: &str| text.lines().filter(|line| line.trim_end().ends_with(word)).count();
            assert_eq!(count("time"), count("initials"), "a step stands on two pages: {place}\n{text}");
        }
        let steps = steps(&guide);
        assert!(steps.len() > 15, "{steps:?}");
        for (number, title) in &steps {
            let begins = title.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            let stands = |text: &String| {
                text.lines().any(|line| {
                    let mut words = line.split_whitespace();
                    words.next() == Some(number.as_str()) && (line.contains(&begins) || words.next() == Some("time"))
                        || line.trim_start() == number
                })
            };
            assert!(pages.iter().any(stands), "step {number} ({title}) is on no page:\n{}", pages.join("\n=====\n"));
        }
        assert_eq!(pages.iter().map(|text| text.matches("initials").count()).sum::<usize>(), steps.len());
    }
}
