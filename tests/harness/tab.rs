//! A tab of a real browser that somebody uses: keys are pressed and places tapped as the browser takes them from a keyboard and a screen. It is spoken to
//! over two pipes, in the words of its own tools (the Chrome DevTools Protocol).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::browser::Browser;
use super::{PATIENCE, repository};

/// In what it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Desk,
    Telephone,
    /// A desk in the dark.
    Night,
}

impl Window {
    pub fn width(self) -> u64 {
        if self == Window::Telephone { 360 } else { 1280 }
    }
}

pub struct Tab {
    child: Child,
    input: ChildStdin,
    said: Receiver<Value>,
    session: String,
    asked: u64,
    troubles: Vec<String>,
    _browser: Browser,
}

impl Tab {
    pub fn new(window: Window) -> Tab {
        let browser = Browser::new();
        let chromium = browser.command();
        // It listens on its fourth descriptor and speaks on its fifth.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]).arg(chromium.get_program());
        command.args(chromium.get_args()).args(["--remote-debugging-pipe", "about:blank"]);
        command.env_clear().envs(chromium.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a browser");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (says, said) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let read = serde_json::from_slice(&message).expect("a message");
                if says.send(read).is_err() {
                    return;
                }
            }
        });
        let mut tab = Tab { child, input, said, session: String::new(), asked: 0, troubles: Vec::new(), _browser: browser };
        let target = tab.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = tab.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        tab.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            tab.ask(&format!("{domain}.enable"), json!({}));
        }
        let (height, is_small) = if window == Window::Telephone { (740, true) } else { (900, false) };
        let size = json!({"width": window.width(), "height": height, "deviceScaleFactor": 1, "mobile": is_small});
        tab.ask("Emulation.setDeviceMetricsOverride", size);
        let scheme = if window == Window::Night { "dark" } else { "light" };
        tab.ask("Emulation.setEmulatedMedia", json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}));
        tab
    }

    /// From the next page on.
    pub fn without_scripts(&mut self) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let mut said = self.said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if said["id"] == self.asked {
                return match said["error"].take() {
                    Value::Null => Ok(said["result"].take()),
                    error => Err(error.to_string()),
                };
            }
            self.hear(&said);
        }
    }

    fn hear(&mut self, said: &Value) {
        let params = &said["params"];
        match said["method"].as_str() {
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => self.troubles.push(params["entry"].to_string()),
            Some("Runtime.exceptionThrown") => self.troubles.push(params["exceptionDetails"].to_string()),
            _ => {}
        }
    }

    /// What went wrong on pages since the last time: errors of scripts, and what the policy refused.
    pub fn troubles(&mut self) -> Vec<String> {
        self.evaluate("0");
        std::mem::take(&mut self.troubles)
    }

    /// Goes to an address, and returns once the page is loaded.
    pub fn go(&mut self, address: &str) {
        let gone = self.ask("Page.navigate", json!({"url": address}));
        assert_eq!(gone["errorText"], Value::Null, "{address}: {gone}");
        self.until(&format!("{address} to be loaded"), "document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    pub fn back(&mut self) {
        let history = self.ask("Page.getNavigationHistory", json!({}));
        let before = history["currentIndex"].as_u64().expect("a place") - 1;
        let entry = &history["entries"][usize::try_from(before).expect("a place")]["id"];
        self.ask("Page.navigateToHistoryEntry", json!({"entryId": entry}));
    }

    /// The value of an expression; nothing while a page gives way to another.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        self.try_ask("Runtime.evaluate", asked).map(|mut came| came["result"]["value"].take()).unwrap_or_default()
    }

    #[track_caller]
    pub fn until(&mut self, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.evaluate(expression) != true {
            assert!(begun.elapsed() < PATIENCE, "{what} did not happen; the page is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[track_caller]
    pub fn until_text(&mut self, text: &str) {
        let quoted = Value::from(text).to_string();
        self.until(text, &format!("document.readyState === 'complete' && document.body.textContent.includes({quoted})"));
    }

    pub fn text(&mut self) -> String {
        self.evaluate("document.body.textContent").as_str().unwrap_or_default().to_owned()
    }

    pub fn title(&mut self) -> String {
        self.evaluate("document.title").as_str().unwrap_or_default().to_owned()
    }

    /// How wide its content is, in pixels.
    pub fn width(&mut self) -> u64 {
        self.evaluate("document.documentElement.scrollWidth").as_u64().expect("a width")
    }

    /// What the keyboard is at: `BUTTON.yes`, `INPUT#person`.
    pub fn focused(&mut self) -> String {
        let name = "(at => at.tagName + (at.id ? '#' + at.id : at.className ? '.' + at.className.split(' ')[0] : ''))";
        self.evaluate(&format!("{name}(document.activeElement)")).as_str().unwrap_or_default().to_owned()
    }

    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            one => (u32::from(one.to_ascii_uppercase().as_bytes()[0]), one),
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for kind in [down, "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" {
                event["text"] = text.into();
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Goes on with the tabulator until the keyboard is there.
    #[track_caller]
    pub fn press_until(&mut self, place: &str) {
        let mut passed = Vec::new();
        while self.focused() != place {
            passed.push(self.focused());
            assert!(passed.len() < 60, "the keyboard does not come to {place}: {passed:?}");
            self.press("Tab");
        }
    }

    pub fn types(&mut self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// Touches what the selector says, where it is seen.
    #[track_caller]
    pub fn tap(&mut self, selector: &str) {
        let quoted = Value::from(selector).to_string();
        let place = format!(
            "(() => {{ const at = document.querySelector({quoted}); if (!at) return null; at.scrollIntoView({{block: 'center', behavior: \
             'instant'}}); const box = at.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.evaluate(&place);
        let (x, y) = (&place[0], &place[1]);
        assert!(x.is_number(), "there is no {selector} on\n{}", self.text());
        for kind in ["mousePressed", "mouseReleased"] {
            self.ask("Input.dispatchMouseEvent", json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}));
        }
    }

    /// Logs in with the page for that.
    #[track_caller]
    pub fn log_in(&mut self, address: &str, person: &str, password: &str) {
        self.go(&format!("http://{address}/login"));
        self.tap("#person");
        self.types(person);
        self.tap("#password");
        self.types(password);
        self.press("Enter");
        self.until("the log-in", "document.readyState === 'complete' && location.pathname === '/'");
    }

    /// What axe has against the page: the rule, why, and where.
    pub fn axe(&mut self) -> Vec<String> {
        let source = repository().join("target/axe/node_modules/axe-core/axe.min.js");
        let source =
            std::fs::read_to_string(&source).unwrap_or_else(|_| panic!("run tests/setup.sh: there is no {}", source.display()));
        self.evaluate(&format!("{source}; 0"));
        let found = self.evaluate(
            "axe.run().then(found => found.violations.flatMap(one => one.nodes.map(node => \
             `${one.id}: ${one.help}: ${node.html.slice(0, 200)} (${node.failureSummary})`)))",
        );
        let found = found.as_array().unwrap_or_else(|| panic!("axe said nothing: {found}"));
        found.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.session.clear();
        let _ = self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let end = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
