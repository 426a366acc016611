//! `runbook lsp`: the language server, over standard input and output. It reads files and the record, and changes neither.
//!
//! One thread reads, one answers, in order. What is typed is only noted; faults are told once nothing else is waiting, so that
//! a fast typist never waits for a check. Nothing but the protocol is written to standard output.

mod answer;
mod desk;
mod history;
mod say;
mod shelf;
mod wire;

use std::io::{BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use runbook_core::editor::Lines;
use runbook_core::limits;
use serde_json::{Value, json};

use crate::args::Lsp;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use desk::Desk;
use shelf::Shelf;
use wire::{Heard, Refusal, Wire};

pub fn run(_: &Lsp, settings: &Settings) -> Outcome {
    let (tell, heard) = sync_channel(limits::EDITOR_QUEUE);
    // It ends with the input, or with the process.
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin());
        while let Ok(Some(message)) = wire::read(&mut input) {
            if tell.send(message).is_err() {
                break;
            }
        }
    });
    let mut server = Server {
        wire: Wire::new(std::io::stdout()),
        desk: Desk::default(),
        settings,
        stage: Stage::New,
        watches: false,
        shows: false,
        shelf: Shelf::default(),
    };
    let ended = server.serve(&heard).map_err(|why| Trouble::failed(format!("cannot write to the editor: {why}")))?;
    Ok(if ended { Exit::Succeeded } else { Exit::Failed })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Ready,
    /// It has been told to shut down.
    Over,
}

struct Server<'s, W> {
    wire: Wire<W>,
    desk: Desk,
    settings: &'s Settings,
    stage: Stage,
    /// Whether the editor tells of changes to files when it is asked to.
    watches: bool,
    /// Whether the editor opens documents when it is asked to.
    shows: bool,
    shelf: Shelf,
}

impl<W: Write> Server<'_, W> {
    /// Answers until the editor goes; whether it said goodbye.
    fn serve(&mut self, heard: &Receiver<Heard>) -> std::io::Result<bool> {
        loop {
            let next = match heard.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Disconnected) => return Ok(false),
                Err(TryRecvError::Empty) => {
                    self.tell_faults()?;
                    self.desk.tidy();
                    match heard.recv() {
                        Ok(next) => next,
                        Err(_) => return Ok(false),
                    }
                }
            };
            match next {
                Heard::Noise(why) => self.wire.refuse(&Value::Null, Refusal::NotJson, why)?,
                Heard::Message(message) if message["method"] == "exit" => return Ok(self.stage == Stage::Over),
                Heard::Message(message) => self.take(&message)?,
            }
        }
    }

    fn take(&mut self, message: &Value) -> std::io::Result<()> {
        let id = message.get("id").filter(|id| id.is_string() || id.is_number());
        match (message["method"].as_str(), id) {
            (Some(method), Some(id)) => {
                // Whatever a text brings to light: the editor keeps its server, and is told.
                let answered = catch_unwind(AssertUnwindSafe(|| self.request(method, &message["params"])));
                let answered = answered.unwrap_or(Err((Refusal::Internal, "this request cannot be answered".to_owned())));
                match answered {
                    Ok(result) => self.wire.answer(id, result),
                    Err((code, why)) => self.wire.refuse(id, code, &why),
                }
            }
            (Some(method), None) if self.stage == Stage::Ready => self.notified(method, &message["params"]),
            (Some(_), None) => Ok(()),
            // The answer to something that we asked; nobody waits for it.
            (None, _) if message.get("result").is_some() || message.get("error").is_some() => Ok(()),
            (None, id) => self.wire.refuse(id.unwrap_or(&Value::Null), Refusal::NotARequest, "this is no request"),
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, (Refusal, String)> {
        match (method, self.stage) {
            ("initialize", Stage::New) => {
                self.stage = Stage::Ready;
                let can = |what: &str| params["capabilities"].pointer(what).and_then(Value::as_bool).unwrap_or_default();
                self.watches = can("/workspace/didChangeWatchedFiles/dynamicRegistration");
                self.shows = can("/window/showDocument/support");
                Ok(answer::abilities())
            }
            ("shutdown", Stage::Ready | Stage::Over) => {
                self.stage = Stage::Over;
                Ok(Value::Null)
            }
            (_, Stage::New) => Err((Refusal::NotInitialized, "`initialize` comes first".to_owned())),
            (_, Stage::Over) | ("initialize", _) => Err((Refusal::NotARequest, "not at this time".to_owned())),
            ("workspace/executeCommand", Stage::Ready) => {
                let (path, told) = answer::command(params, &self.desk, self.settings)?;
                self.show(&path, &told);
                Ok(Value::String(told))
            }
            _ => answer::request(method, params, &mut self.desk, self.settings),
        }
    }

    /// Shows a text: as a document where the editor can open one, else as a message. That it cannot be shown is no failure of what was
    /// asked, whose answer holds it too.
    fn show(&mut self, of: &std::path::Path, text: &str) {
        let document = self.shows.then(|| self.shelf.put(of, text)).flatten();
        let _ = match document {
            Some(path) => self.wire.ask("window/showDocument", json!({"uri": say::uri_of(&path), "takeFocus": false})),
            None => self.wire.notify("window/showMessage", json!({"type": 3, "message": text})),
        };
    }

    fn notified(&mut self, method: &str, params: &Value) -> std::io::Result<()> {
        let document = &params["textDocument"];
        let path = document["uri"].as_str().and_then(say::path_of);
        match (method, path) {
            ("textDocument/didOpen", Some(path)) => {
                let text = document["text"].as_str().unwrap_or_default().to_owned();
                if !self.desk.open(path, text, document["version"].clone()) {
                    let message = "runbook: too many documents are open; close some";
                    self.wire.notify("window/showMessage", json!({"type": 2, "message": message}))?;
                }
            }
            ("textDocument/didChange", Some(path)) => {
                let changes = params["contentChanges"].as_array().map(Vec::as_slice).unwrap_or_default();
                let desk = &mut self.desk;
                let _ = catch_unwind(AssertUnwindSafe(|| desk.change(&path, changes, &document["version"])));
            }
            ("textDocument/didClose", Some(path)) => {
                self.desk.close(&path);
                self.wire.notify("textDocument/publishDiagnostics", json!({"uri": say::uri_of(&path), "diagnostics": []}))?;
            }
            ("textDocument/didSave", _) | ("workspace/didChangeWatchedFiles", _) => self.desk.forget(),
            ("initialized", _) if self.watches => self.wire.ask("client/registerCapability", answer::watched())?,
            _ => {}
        }
        Ok(())
    }

    /// Tells the faults of every open document that may have others by now.
    fn tell_faults(&mut self) -> std::io::Result<()> {
        for path in self.desk.untold() {
            let (desk, settings) = (&mut self.desk, self.settings);
            let found = catch_unwind(AssertUnwindSafe(|| {
                let page = desk.page(&path)?;
                let lines = Lines::new(&page.source.text);
                let faults = page.faults(settings);
                let told: Vec<Value> = faults.iter().map(|fault| say::diagnostic(fault, page.source, &path, &lines)).collect();
                Some((told, page.version.clone()))
            }));
            if let Ok(Some((found, version))) = found {
                let mut params = json!({"uri": say::uri_of(&path), "diagnostics": found});
                if version.is_number() {
                    params["version"] = version;
                }
                self.wire.notify("textDocument/publishDiagnostics", params)?;
            }
        }
        Ok(())
    }
}
