//! What is no good request, and documents that nobody would write: each is answered, and the server goes on.

use serde_json::{Value, json};

use super::{BOOK, Shelf};

#[test]
fn whatever_is_asked_is_answered() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let uri = shelf.uri("book.yaml");
    let at =
        |line: Value, character: Value| json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}});
    // The method, what is asked, and the code of the refusal, if there is one.
    let asked = [
        ("textDocument/nothing", json!({}), Some(-32601)),
        ("runbook/strange", json!(null), Some(-32601)),
        ("initialize", json!({}), Some(-32600)),
        ("textDocument/hover", json!({}), Some(-32602)),
        ("textDocument/hover", json!([1, 2]), Some(-32602)),
        ("textDocument/hover", json!({"textDocument": {"uri": uri}}), Some(-32602)),
        ("textDocument/hover", at(json!(-1), json!(0)), Some(-32602)),
        ("textDocument/hover", at(json!(1e300), json!(0)), Some(-32602)),
        ("textDocument/hover", at(json!(u64::MAX), json!(u64::MAX)), None),
        ("textDocument/hover", at(json!(8), json!(15)), None),
        ("textDocument/completion", at(json!(999_999), json!(7)), None),
        ("textDocument/definition", at(json!(9), json!(999)), None),
        ("textDocument/rename", at(json!(7), json!(9)), Some(-32602)),
        ("textDocument/hover", json!({"textDocument": {"uri": "untitled:1"}, "position": {"line": 0, "character": 0}}), None),
        (
            "textDocument/hover",
            json!({"textDocument": {"uri": "file:///nowhere/x.yaml"}, "position": {"line": 0, "character": 0}}),
            None,
        ),
        ("textDocument/codeAction", json!({"textDocument": {"uri": uri}}), None),
        ("workspace/executeCommand", json!({"command": "rm"}), Some(-32602)),
        ("workspace/executeCommand", json!({"command": "runbook.dryRun", "arguments": ["http://x/"]}), Some(-32602)),
    ];
    for (method, params, code) in asked {
        let answer = shelf.editor.ask(method, params.clone());
        assert_eq!(answer.pointer("/error/code").and_then(Value::as_i64), code, "{method} {params}: {answer}");
    }
    for noise in ["Content-Length: 3\r\n\r\n{{{", "no head at all\r\n\r\n", "Content-Length: -1\r\n\r\n"] {
        shelf.editor.write(noise.as_bytes());
    }
    for message in [json!(null), json!([]), json!({"id": 7}), json!({"method": 7}), json!({"method": "textDocument/didChange"})] {
        shelf.editor.send(&message);
    }
    let strange = json!([{"text": 5}, {"range": {}, "text": ""}, {"range": {"start": {"line": 9, "character": 9}, "end": {"line": 1, "character": 1}}, "text": "x"}]);
    shelf.editor.notify("textDocument/didChange", json!({"textDocument": {"uri": uri, "version": 3}, "contentChanges": strange}));
    shelf.editor.notify("textDocument/didOpen", json!({"textDocument": {"uri": "file:///nowhere/at/all.yaml", "text": "a: ["}}));
    assert_eq!(shelf.write("book.yaml", BOOK).last(), None, "it goes on");
    assert_eq!(shelf.editor.close(), Some(0));
}

#[test]
fn without_a_goodbye_it_exits_with_a_failure() {
    let mut shelf = Shelf::new();
    shelf.editor.notify("exit", Value::Null);
    assert_eq!(shelf.editor.wait(), Some(1));
    let mut shelf = Shelf::new();
    shelf.editor.hang_up();
    assert_eq!(shelf.editor.wait(), Some(1));
}

#[test]
fn each_place_of_a_broken_document_is_answered() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let uri = shelf.uri("book.yaml");
    // As it is typed, from the beginning on.
    let ends: Vec<usize> = BOOK.char_indices().map(|(at, _)| at).filter(|at| at % 7 == 0).collect();
    for end in ends {
        let text = &BOOK[..end];
        let _ = shelf.write("book.yaml", text);
        let line = text.matches('\n').count();
        let column: usize = text.chars().rev().take_while(|c| *c != '\n').map(char::len_utf16).sum();
        let at = json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": column}});
        for method in ["hover", "completion", "definition", "references", "prepareRename"] {
            let answer = shelf.editor.ask(&format!("textDocument/{method}"), at.clone());
            assert!(answer.get("error").is_none(), "{method} behind {text:?}: {answer}");
        }
    }
}
