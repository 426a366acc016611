//! An editor's end of the language server protocol: it starts a server, speaks to it over its standard streams, and answers what the
//! server asks. Nothing of it is shared with our own server.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::PATIENCE;

pub struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Receiver<Value>,
    /// Notifications that nobody has asked for yet.
    kept: VecDeque<Value>,
    last: u64,
}

impl Editor {
    /// Starts a server and greets it. What it can do is its answer.
    pub fn start(command: &mut Command, folder: &Path) -> (Editor, Value) {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|why| panic!("{command:?}: {why}; tests/setup.sh installs what is missing"));
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut stdout) {
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let mut editor = Editor { child, stdin, heard, kept: VecDeque::new(), last: 0 };
        let root = uri(folder);
        let capabilities = json!({"textDocument": {"completion": {"completionItem": {"snippetSupport": true}},
            "publishDiagnostics": {}, "hover": {"contentFormat": ["markdown"]}}, "workspace": {"configuration": true}, "window": {"showDocument": {"support": true}}});
        let able = editor.request(
            "initialize",
            json!({"processId": null, "rootUri": root, "capabilities": capabilities, "workspaceFolders": [{"uri": root, "name": "it"}]}),
        );
        editor.notify("initialized", json!({}));
        (editor, able)
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the server is told things until it ends");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the server reads");
    }

    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The answer as it comes, with its `result` or `error`.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.answer(id)
    }

    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to request {id}"));
            if message.get("method").is_none() && message["id"] == id {
                return message;
            }
            self.keep(message);
        }
    }

    /// Answers what the server asks of its editor, and keeps what it tells.
    fn keep(&mut self, message: Value) {
        match (message.get("id").cloned(), message["method"].as_str()) {
            (Some(id), Some("workspace/configuration")) => {
                let items = message["params"]["items"].as_array().map_or(0, Vec::len);
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": vec![Value::Null; items]}));
            }
            (Some(id), Some(_)) => {
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
                self.kept.push_back(message);
            }
            _ => self.kept.push_back(message),
        }
    }

    /// What the server tells or asks next by this method, and of this file where it is about one.
    pub fn told(&mut self, method: &str, file: Option<&str>) -> Value {
        loop {
            let place = self.kept.iter().position(|m| m["method"] == method && file.is_none_or(|uri| m["params"]["uri"] == uri));
            if let Some(message) = place.and_then(|place| self.kept.remove(place)) {
                return message["params"].clone();
            }
            let message = self.heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{method} is not told"));
            self.keep(message);
        }
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        self.notify(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}),
        );
    }

    pub fn change(&mut self, uri: &str, version: u32, text: &str) {
        self.notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}),
        );
    }

    /// What is wrong with a file, as far as it is told last.
    pub fn diagnostics(&mut self, uri: &str) -> Vec<Value> {
        let told = self.told("textDocument/publishDiagnostics", Some(uri));
        told["diagnostics"].as_array().cloned().unwrap_or_default()
    }

    /// Ends what it is told.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// The exit code of a server that ends by itself.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("the server ends").code()
    }

    /// Says goodbye as an editor does, and gives the server's exit code.
    pub fn close(mut self) -> Option<i32> {
        let _ = self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.stdin = None;
        self.child.wait().expect("the server ends").code()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn read(input: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("this is no header: {line:?}"));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().expect("a length is a number");
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("a message is JSON"))
}
