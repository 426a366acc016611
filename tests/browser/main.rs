//! What a real browser makes of our pages: nothing in them runs, whatever texts they hold, and on paper a manual has everything where it
//! is looked for.

#[path = "../harness/mod.rs"]
mod harness;

mod narrow;
mod paper;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use harness::browser::Browser;
use harness::program::Runbook;
use harness::{Scratch, eventually};

/// A loopback server that hears every request.
struct Ear {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    /// Connections that are still listened to.
    open: Arc<AtomicUsize>,
}

impl Ear {
    fn new() -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ear = Ear { address, heard: Arc::default(), open: Arc::default() };
        let (heard, open) = (ear.heard.clone(), ear.open.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, open) = (heard.clone(), open.clone());
                open.fetch_add(1, Ordering::SeqCst);
                // A browser opens connections before it needs them.
                std::thread::spawn(move || {
                    listen(stream, &heard);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        ear
    }

    /// All that was asked for since the last time. Whoever asked has ended.
    fn heard(&self) -> Vec<String> {
        let mut last = TcpStream::connect(self.address).expect("the ear listens");
        last.write_all(b"GET /last HTTP/1.1\r\n\r\n").expect("the ear listens");
        let is_last = |path: &String| path == "/last";
        eventually("the last request", || self.heard.lock().expect("nobody panics").iter().any(is_last).then_some(()));
        drop(last);
        eventually("the end of all connections", || (self.open.load(Ordering::SeqCst) == 0).then_some(()));
        let mut heard = std::mem::take(&mut *self.heard.lock().expect("nobody panics"));
        heard.retain(|path| !is_last(path));
        heard
    }
}

fn listen(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).unwrap_or_default();
    let line = String::from_utf8_lossy(&bytes[..count]).lines().next().unwrap_or_default().to_owned();
    if let Some(path) = line.split(' ').nth(1) {
        heard.lock().expect("nobody panics").push(path.to_owned());
    }
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// What somebody would write to have their code run, or be called home to, by kind.
fn payloads(ear: SocketAddr) -> Vec<(&'static str, String)> {
    let code = |kind: &str| format!("document.title='pwned';(new Image).src='http://{ear}/{kind}'");
    let home = |kind: &str| format!("http://{ear}/{kind}");
    vec![
        ("script", format!("<script>{}</script>", code("script"))),
        ("closing", format!("</code></pre></title></style></dd></dl><script>{}</script>", code("closing"))),
        ("attribute", format!("\" onmouseover=x autofocus onfocus=\"{}\" x=\"", code("attribute"))),
        ("error", format!("'\"><img src=x onerror=\"{}\">", code("error"))),
        ("image", format!("<img src=\"{}\">", home("image"))),
        ("markdown", format!("![x]({}) [x](javascript:{})", home("markdown"), code("link"))),
        ("drawing", format!("</text></svg><svg onload=\"{}\"><script>{}</script></svg>", code("onload"), code("drawing"))),
        ("foreign", format!("<svg><foreignObject><iframe src=\"{}\"></iframe></foreignObject></svg>", home("foreign"))),
        ("frame", format!("<iframe srcdoc=\"<script>(new Image).src='{}'</script>\"></iframe>", home("frame"))),
        ("style", format!("</style><style>div, p {{ background: url({}) }}</style>", home("style"))),
        ("import", format!("*/ }} @import '{}'; body {{ background: url({}) }} /*", home("import"), home("broken"))),
        ("sheet", format!("<link rel=stylesheet href=\"{}\">", home("sheet"))),
        ("object", format!("<object data=\"{}\"></object><embed src=\"{}\">", home("object"), home("embed"))),
        ("toggle", format!("<details open ontoggle=\"{}\">", code("toggle"))),
        ("media", format!("<video src=\"{}\" autoplay></video>", home("media"))),
        ("base", format!("<base href=\"http://{ear}/base/\"><img src=\"based\">")),
        ("refresh", format!("<meta http-equiv=refresh content=\"1;url={}\">", home("refresh"))),
    ]
}

/// A procedure that says each of them wherever an author may write freely.
fn procedure(payloads: &[(&str, String)]) -> String {
    let all = quoted(&payloads.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n\n"));
    let mut text = format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: hostile\nversion: 1.0.0\ntitle: {all}\ndescription: {all}\nowner: {all}\n\
         contacts: [{all}]\nlabels: {{a: {all}}}\ninputs:\n  x: {{type: string, default: {all}, description: {all}}}\nsteps:\n"
    );
    for (place, (_, payload)) in payloads.iter().enumerate() {
        let quoted = quoted(payload);
        let _ = write!(
            text,
            "- id: s{place}
  name: {quoted}
  why: {quoted}
  by_hand: {quoted}
  owner: {quoted}
  exec: [echo, {quoted}]
  undo: {{name: {quoted}, exec: [echo, {quoted}]}}
- approve: {{question: {quoted}, within: 1h}}
- manual: {{do: {quoted}, expect: {quoted}, evidence: {quoted}, within: 1h}}
  irreversible: {quoted}
- choose:
  - when: {expression}
    steps:
    - name: {quoted}
      run: |
        cat <<'E'
        {shell}
        E
      effect: read
- http: {{method: POST, url: 'https://example.org/', json: {{a: {quoted}}}}}
  effect: read
- if: {expression}
  on_failure: rollback
  group:
  - {{exec: [a], effect: read, dir: folder, env: {{A: {value}}}, on_failure: continue}}
- {{id: set{place}, set: {{v: {value}}}}}
- {{id: call{place}, call: sub@^1, with: {{x: {value}}}}}
",
            expression = self::quoted(&format!("inputs.x == {quoted}")),
            value = self::quoted(&quoted),
            shell = payload,
        );
    }
    text
}

/// What it calls, with the same texts where the caller's page shows them.
fn called(payloads: &[(&str, String)]) -> String {
    let all = quoted(&payloads.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" "));
    format!(
        "apiVersion: runbook/v1\nkind: Runbook\nname: sub\nversion: 1.0.0\ninputs:\n  x: {{type: string}}\n  y: {{type: string, default: {all}}}\n\
         steps:\n- {{name: {all}, exec: [echo, {all}], undo: {{name: {all}, exec: [a]}}}}\n\
         on_failure:\n- {{name: {all}, exec: [a], effect: read}}\nfinally:\n- {{name: {all}, exec: [a], effect: read}}\n\
         outputs: {{o: {}}}\n",
        quoted(&all)
    )
}

/// A text in double quotes, as YAML and expressions both read it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}

/// Our pages of a hostile procedure.
fn pages(folder: &Scratch, payloads: &[(&str, String)]) -> Vec<(&'static str, PathBuf)> {
    let file = folder.join("hostile.yaml");
    std::fs::write(&file, procedure(payloads)).expect("a file");
    std::fs::write(folder.join("sub.yaml"), called(payloads)).expect("a file");
    let runbook = Runbook::over(folder.path());
    let file = file.to_str().expect("a path");
    let save = |name: &'static str, page: String| {
        let path = folder.join(format!("{name}.html"));
        std::fs::write(&path, page).expect("a page");
        (name, path)
    };
    vec![
        save("guide", runbook.run(["docs", file, "--format", "html"]).assert(0).stdout),
        save("manual", runbook.run(["docs", file, "--format", "manual"]).assert(0).stdout),
        save("index", runbook.run(["docs", "--index", "--format", "html"]).assert(0).stdout),
        save("dry-run", runbook.run(["dry-run", file, "--format", "html"]).assert(0).stdout),
    ]
}

/// What of a document could run or load, whatever it did this time.
fn acting(document: &str) -> Vec<String> {
    let names = ["script", "iframe", "object", "embed", "base", "link", "img", "video", "foreignobject", "form", "input"];
    let mut found = Vec::new();
    // A browser writes its document with every sign of a text escaped that could begin an element.
    for tag in document.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let tag = tag.to_ascii_lowercase();
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        let attributes = tag
            .split('"')
            .step_by(2)
            .any(|outside| outside.split_whitespace().any(|word| word.starts_with("on") && word.ends_with('=')));
        if names.contains(&name) || attributes || tag.contains("href=\"javascript:") || tag.contains("http-equiv=\"refresh") {
            found.push(tag);
        }
    }
    found
}

/// Whether anything ran, or asked for anything.
fn acted(browser: &Browser, ear: &Ear, page: &Path) -> (bool, Vec<String>, String) {
    ear.heard();
    let document = browser.document(page);
    let ran = document.contains("<title>pwned</title>");
    (ran, ear.heard(), document)
}

const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\"";

#[test]
fn no_text_acts_in_a_browser() {
    let (ear, folder, browser) = (Ear::new(), Scratch::new(), Browser::new());
    let payloads = payloads(ear.address);
    for (name, page) in pages(&folder, &payloads) {
        let (ran, heard, document) = acted(&browser, &ear, &page);
        assert!(document.contains("hostile"), "{name} is shown\n{document}");
        assert!(!ran && heard.is_empty(), "{name}: something ran: {heard:?}");
        assert_eq!(acting(&document), Vec::<String>::new(), "{name}");

        // The escaping alone is enough: the policy stands behind it.
        let text = std::fs::read_to_string(&page).expect("a page");
        assert!(text.matches(POLICY).count() == 1, "{name} has a policy");
        let bare = folder.join(format!("{name}-bare.html"));
        std::fs::write(&bare, text.replace(POLICY, "<meta name=\"none\"")).expect("a page");
        let (ran, heard, _) = acted(&browser, &ear, &bare);
        assert!(!ran && heard.is_empty(), "{name} without its policy: something ran: {heard:?}");
    }
}

/// The same texts on a page that escapes nothing: without a policy they run, so that the test above would have seen it; with ours they
/// do not.
#[test]
fn what_the_test_looks_for_is_found_where_it_is() {
    let (ear, folder, browser) = (Ear::new(), Scratch::new(), Browser::new());
    let texts = payloads(ear.address);
    let ours = std::fs::read_to_string(&pages(&folder, &texts)[0].1).expect("a page");
    let (head, _) = ours.split_once("<body>").expect("a body");
    // A policy does not keep a page from leading elsewhere: of that there is the escaping alone.
    let texts: Vec<&(&str, String)> = texts.iter().filter(|(kind, _)| *kind != "refresh").collect();
    let raw = |(kind, text): &&(&str, String)| match *kind {
        "attribute" => format!("<input value=\"{text}\">"),
        "import" => format!("<style>p {{ /* {text}</style>"),
        _ => format!("<div>{text}</div>"),
    };
    let body = format!("<body>{}</body></html>", texts.iter().map(raw).collect::<String>());
    let save = |name: &str, head: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{head}{body}")).expect("a page");
        path
    };
    let (ran, heard, document) = acted(&browser, &ear, &save("open.html", "<!doctype html><html><head><title>x</title></head>"));
    assert!(ran, "nothing ran:\n{document}");
    let kinds =
        "script closing attribute error image drawing foreign frame style broken sheet object embed toggle media base/based";
    for kind in kinds.split(' ') {
        assert!(heard.contains(&format!("/{kind}")), "{kind} was not heard, so nothing is learnt from it: {heard:?}");
    }
    assert!(acting(&document).len() >= texts.len() - 3, "{:?}", acting(&document));
    let (ran, heard, _) = acted(&browser, &ear, &save("under-policy.html", head));
    assert!(!ran && heard.is_empty(), "acts under our policy: {heard:?}");
}
