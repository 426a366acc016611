//! Requests to a real server on loopback that answers what each case says, and keeps what it got.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use runbook_core::run::task::{EnvText, SecretName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::action::fixture::{Known, job};
use crate::action::perform;

/// Answers every connection with these bytes, or keeps silent where there are none; remembers the requests.
pub async fn server(answer: &[u8]) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let got: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (kept, answer) = (got.clone(), answer.to_vec());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !complete(&request) {
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&buffer[..n]),
                }
            }
            kept.lock().unwrap().extend_from_slice(&request);
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            let _ = socket.write_all(&answer).await;
        }
    });
    (format!("http://{address}"), got)
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

fn task(method: &str, url: String) -> HttpTask {
    HttpTask { method: method.to_owned(), url, headers: vec![], body: None, expect_status: vec![] }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"a\": [1]}";

#[tokio::test]
async fn a_response_is_a_result() {
    let (url, got) = server(OK).await;
    let (job, log) = job(Task::Http(Box::new(task("GET", format!("{url}/x?q=%24%28id%29")))));
    let AttemptEnd::Succeeded { result } = perform(job).await else { panic!() };
    assert_eq!(result.get("status"), Some(&Value::Int(200)));
    assert_eq!(result.get("headers").unwrap().get("content-type"), Some(&Value::text("application/json")));
    assert_eq!(result.get("json").unwrap().get("a"), Some(&Value::List(vec![Value::Int(1)])));
    assert_eq!(log.text(), "{\"a\": [1]}");
    assert!(String::from_utf8_lossy(&got.lock().unwrap()).starts_with("GET /x?q=%24%28id%29 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn bodies_arrive_byte_for_byte() {
    let hostile = "'\"$(id)`\n\r\0é🦀\\ & = + %";
    let fields = vec![("a b".to_owned(), hostile.to_owned())];
    for (body, expect) in [
        (HttpContent::Raw(hostile.to_owned()), hostile.to_owned()),
        (HttpContent::Json(Value::text(hostile)), serde_json::to_string(hostile).unwrap()),
        (HttpContent::Form(fields), "a+b=%27%22%24%28id%29%60%0A%0D%00%C3%A9%F0%9F%A6%80%5C+%26+%3D+%2B+%25".to_owned()),
    ] {
        let (url, got) = server(OK).await;
        let mut task = task("POST", url);
        task.body = Some(body);
        let (job, _) = job(Task::Http(Box::new(task)));
        let id = job.id.clone();
        assert!(matches!(perform(job).await, AttemptEnd::Succeeded { .. }));
        let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
        let (head, sent) = got.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent, expect);
        assert!(head.contains(&format!("idempotency-key: {id}")), "{head}");
    }
}

#[tokio::test]
async fn a_credential_is_sent_and_never_shown() {
    let answer = b"HTTP/1.1 403 No\r\nX-Echo: hunter2-token\r\nContent-Length: 18\r\n\r\nyou: hunter2-token";
    let (url, got) = server(answer).await;
    let mut task = task("GET", url);
    let secret = EnvText::Secret(SecretName { procedure: 0, name: "token".parse().unwrap() });
    task.headers = vec![("Authorization".to_owned(), secret)];
    let (mut job, log) = job(Task::Http(Box::new(task)));
    job.secrets = Arc::new(Known);
    let end = perform(job).await;
    assert!(String::from_utf8_lossy(&got.lock().unwrap()).contains("authorization: hunter2-token"));
    let seen = format!("{end:?} {}", log.text());
    assert!(!seen.contains("hunter2") && seen.contains("you: •••-token"), "{seen}");
}

#[tokio::test]
async fn each_trouble_is_what_it_is() {
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n".as_slice();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".as_slice();
    for (method, answer, kind, part) in [
        ("GET", Some(redirect), "failed", "points to `http://elsewhere.test/`"),
        ("GET", Some(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".as_slice()), "failed", "answered 500, expected 200 to 299"),
        ("GET", None, "failed", "nothing was sent"),
        ("POST", None, "failed", "nothing was sent"),
        ("GET", Some(b"".as_slice()), "timed out", "no complete response"),
        ("POST", Some(b"".as_slice()), "unknown", "may have taken effect"),
        ("GET", Some(b"garbage\r\n\r\n".as_slice()), "failed", "gave no response"),
        ("DELETE", Some(b"garbage\r\n\r\n".as_slice()), "unknown", "may have taken effect"),
        ("GET", Some(cut), "failed", "broke off after 4 bytes"),
        ("POST", Some(cut), "unknown", "broke off after 4 bytes"),
    ] {
        let url = match answer {
            Some(answer) => server(answer).await.0,
            None => dead.clone(),
        };
        let (mut job, _) = job(Task::Http(Box::new(task(method, url))));
        job.work.timeout = Duration::from_millis(if answer == Some(b"") { 300 } else { 20_000 });
        let (got, text) = match perform(job).await {
            AttemptEnd::Failed { failure, .. } => ("failed", failure.message),
            AttemptEnd::TimedOut { failure, .. } => ("timed out", failure.message),
            AttemptEnd::Unknown { why } => ("unknown", why),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, kind, "{method}: {text}");
        assert!(text.contains(part), "{method}: {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_request_is_never_sent() {
    let with = |url: &str, header: (&str, &str)| {
        let mut task = task("GET", url.to_owned());
        task.headers = vec![(header.0.to_owned(), EnvText::Plain(header.1.to_owned()))];
        task
    };
    for (task, part) in [
        (with("file:///etc/passwd", ("A", "b")), "only http and https"),
        (with("not a url", ("A", "b")), "the URL is not one"),
        (with("http://127.0.0.1:1/", ("A", "b\r\nEvil: yes")), "holds a line end"),
        (with("http://127.0.0.1:1/", ("A\r\nEvil", "b")), "cannot be the name of a header"),
        (task("GE T", "http://127.0.0.1:1/".to_owned()), "is not a method"),
    ] {
        let AttemptEnd::Failed { failure, .. } = perform(job(Task::Http(Box::new(task))).0).await else { panic!("{part}") };
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_event_cannot_reach_loopback() {
    let (url, got) = server(OK).await;
    for url in [url.clone(), url.replace("127.0.0.1", "localhost")] {
        let (mut job, _) = job(Task::Http(Box::new(task("GET", url))));
        job.network = NetworkPolicy::Public { allow: vec![] };
        let AttemptEnd::Failed { failure, .. } = perform(job).await else { panic!() };
        assert!(failure.message.contains("not a public address"), "{}", failure.message);
    }
    assert!(got.lock().unwrap().is_empty());
}
