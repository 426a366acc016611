//! Receivers that fail: what they count is what they were told, once, or the step says that it was not, or that nobody knows.

use std::collections::VecDeque;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::services::{chat, duty, message_to, topic};
use super::*;
use crate::action::fixture::failed;

/// What a receiver does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// Takes it, and says so.
    Takes,
    /// Takes it, and the connection breaks before it can say so.
    TakesAndBreaks,
    /// Takes it, and says nothing.
    TakesInSilence,
    /// Says this, and takes nothing.
    Says(&'static str),
    /// Breaks the connection, and takes nothing.
    Breaks,
}

/// A receiver that answers one request after the other so, and then takes all; and what it took.
async fn receiver(answers: &[Answer]) -> (String, Arc<Mutex<Vec<serde_json::Value>>>, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (taken, asked): (Arc<Mutex<Vec<serde_json::Value>>>, Arc<Mutex<u32>>) = Default::default();
    let mut answers: VecDeque<Answer> = answers.iter().copied().collect();
    let (kept, counted) = (taken.clone(), asked.clone());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let body = body(&mut socket).await;
            *counted.lock().unwrap() += 1;
            let answer = answers.pop_front().unwrap_or(Answer::Takes);
            if matches!(answer, Answer::Takes | Answer::TakesAndBreaks | Answer::TakesInSilence) {
                kept.lock().unwrap().push(body);
            }
            match answer {
                Answer::Takes => socket.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap(),
                Answer::Says(head) => {
                    let said = format!("HTTP/1.1 {head}\r\nContent-Length: 5\r\n\r\nsorry");
                    socket.write_all(said.as_bytes()).await.unwrap();
                }
                Answer::TakesInSilence => std::mem::forget(socket),
                Answer::Breaks | Answer::TakesAndBreaks => {
                    // A reset, and no end.
                    socket.set_zero_linger().unwrap();
                }
            }
        }
    });
    (url, taken, asked)
}

async fn body(socket: &mut TcpStream) -> serde_json::Value {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&request);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return body;
        }
        assert!(n > 0, "a request that is not whole: {text}");
    }
}

/// Pauses in milliseconds where out there they take seconds, and time enough for every answer on a busy machine.
const PACE: Pace = Pace {
    each: Duration::from_secs(60),
    whole: Duration::from_secs(300),
    first: Duration::from_millis(5),
    longest: Duration::from_millis(50),
    connect: Duration::from_secs(1),
};
/// For whoever waits in vain for an answer.
const SILENCE: Pace = Pace { each: Duration::from_secs(2), ..PACE };

async fn sent(channel: Channel, url: &str) -> AttemptEnd {
    let (job, _) = message_to(channel, url, "Rebuild?");
    perform_at(job, PACE).await.unwrap()
}

fn kinds(url: &str) -> [Channel; 4] {
    [Channel::Slack(chat()), Channel::Teams(chat()), topic(url), duty(url)]
}

#[tokio::test]
async fn what_was_turned_away_for_now_arrives_once() {
    let busy = "429 Too Many Requests\r\nRetry-After: 1";
    let dated = "503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT";
    for place in 0..4 {
        let begun = std::time::Instant::now();
        let (url, taken, asked) = receiver(&[Answer::Says(busy), Answer::Says(dated), Answer::Says("503 Busy")]).await;
        let result = succeeded(sent(kinds(&url)[place].clone(), &url).await);
        let detail = "the server answered 202 Accepted, at try 4";
        assert_eq!(member(&result, "there", "detail"), &Value::text(detail));
        assert_eq!((taken.lock().unwrap().len(), *asked.lock().unwrap()), (1, 4));
        assert!(begun.elapsed() >= Duration::from_secs(1), "`Retry-After` is heeded");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_yet_gets_it_once() {
    // A port that nobody listens at until later.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}");
    let sending = tokio::spawn(async move { sent(topic(&url), "").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut socket, _) = listener.accept().await.unwrap();
    assert_eq!(body(&mut socket).await["message"], "Rebuild?");
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    succeeded(sending.await.unwrap());
}

/// A repetition would be told twice there: nothing is sent again, and the step says that nobody knows.
#[tokio::test]
async fn what_may_have_arrived_is_not_sent_twice() {
    for place in 0..3 {
        for (answer, pace, said, arrived) in [
            (Answer::TakesAndBreaks, PACE, "gave no response", 1),
            (Answer::TakesInSilence, SILENCE, "not taken within 2s", 1),
            (Answer::Breaks, PACE, "gave no response", 0),
            (Answer::Says("500 Internal Server Error"), PACE, "the server answered 500 Internal Server Error: sorry", 0),
        ] {
            let (url, taken, asked) = receiver(&[answer]).await;
            let (job, _) = message_to(kinds(&url)[place].clone(), &url, "Rebuild?");
            let (failure, result) = failed(perform_at(job, pace).await.unwrap());
            assert!(failure.message.contains(said) && failure.message.contains("it may have arrived"), "{}", failure.message);
            assert_eq!(member(&result, "there", "unknown"), &Value::Bool(true));
            // Nor does a retry of the step.
            let (mut job, _) = message_to(kinds(&url)[place].clone(), &url, "Rebuild?");
            job.before = result;
            let (failure, again) = failed(perform_at(job, pace).await.unwrap());
            assert!(failure.message.contains("is not sent twice"), "{}", failure.message);
            assert_eq!(member(&again, "there", "unknown"), &Value::Bool(true));
            assert_eq!((taken.lock().unwrap().len(), *asked.lock().unwrap()), (arrived, 1));
        }
    }
}

/// PagerDuty knows a repetition by its key, so it hears of it until it says that it has.
#[tokio::test]
async fn pagerduty_hears_of_it_until_it_says_so_and_counts_it_once() {
    let faults = [Answer::TakesAndBreaks, Answer::Says("500 Oh"), Answer::TakesInSilence, Answer::Breaks];
    let (url, taken, asked) = receiver(&faults).await;
    let (job, _) = message_to(duty(&url), &url, "Rebuild?");
    succeeded(perform_at(job, SILENCE).await.unwrap());
    let taken = taken.lock().unwrap();
    let keys: std::collections::BTreeSet<&str> = taken.iter().map(|alert| alert["dedup_key"].as_str().unwrap()).collect();
    assert_eq!((keys.len(), taken.len(), *asked.lock().unwrap()), (1, 3, 5));
}

#[tokio::test]
async fn what_is_not_taken_is_given_up_and_said() {
    for place in 0..4 {
        let (url, taken, asked) = receiver(&[Answer::Says("404 Not Found")]).await;
        let (failure, result) = failed(sent(kinds(&url)[place].clone(), &url).await);
        assert!(failure.message.ends_with("the server answered 404 Not Found: sorry"), "{}", failure.message);
        assert_eq!(result.get("there").unwrap().get("unknown"), None);
        assert_eq!((taken.lock().unwrap().len(), *asked.lock().unwrap()), (0, 1), "it would not be taken later either");

        let (url, taken, asked) = receiver(&[Answer::Says("429 No\r\nRetry-After: 3600")]).await;
        let (failure, _) = failed(sent(kinds(&url)[place].clone(), &url).await);
        let said = "429 Too Many Requests: sorry, and asks for 1h of patience; sent once, and given up";
        assert!(failure.message.ends_with(said), "{}", failure.message);
        assert_eq!((taken.lock().unwrap().len(), *asked.lock().unwrap()), (0, 1));
    }
    let (url, taken, asked) = receiver(&[Answer::Says("503 Busy"); 1000]).await;
    let (job, _) = message_to(topic(&url), &url, "Rebuild?");
    let (failure, _) = failed(perform_at(job, Pace { whole: Duration::from_secs(4), ..PACE }).await.unwrap());
    let times = *asked.lock().unwrap();
    assert!(
        failure.message.ends_with(&format!("503 Service Unavailable: sorry; sent {times} times, and given up")),
        "{}",
        failure.message
    );
    assert!(times > 3 && taken.lock().unwrap().is_empty());
}

/// Whatever a receiver says, it is an answer and no fault of ours.
#[tokio::test]
async fn patience_without_end_is_not_had() {
    let (url, _, asked) = receiver(&[Answer::Says("503 Busy"), Answer::Says("429 No\r\nRetry-After: 18446744073709551615")]).await;
    let (failure, result) = failed(sent(topic(&url), &url).await);
    assert!(failure.message.ends_with("asks for 1d of patience; sent 2 times, and given up"), "{}", failure.message);
    assert_eq!((result.get("there").unwrap().get("unknown"), *asked.lock().unwrap()), (None, 2));
}

#[tokio::test]
async fn ntfy_gets_no_more_than_it_reads() {
    let (url, taken, _) = receiver(&[]).await;
    let (job, _) = message_to(topic(&url), &url, &"\u{1b}\"🦀".repeat(3000));
    succeeded(perform_at(job, PACE).await.unwrap());
    let body = taken.lock().unwrap()[0].clone();
    assert!(body["message"].as_str().unwrap().ends_with('…') && body.to_string().len() < 8192, "{}", body.to_string().len());
}

/// An alert that may have been taken before it was refused may be shown.
#[tokio::test]
async fn what_may_have_arrived_once_stays_in_doubt() {
    let (url, _, _) = receiver(&[Answer::TakesAndBreaks, Answer::Says("404 Not Found")]).await;
    let (_, result) = failed(sent(duty(&url), &url).await);
    assert_eq!(member(&result, "there", "unknown"), &Value::Bool(true));
}

#[tokio::test]
async fn a_message_that_waits_to_be_sent_again_can_be_cancelled() {
    let (url, taken, asked) = receiver(&[Answer::Says("429 No\r\nRetry-After: 60")]).await;
    let (job, _) = message_to(topic(&url), "", "x");
    let stop = job.stop.clone();
    let sending = tokio::spawn(perform_at(job, PACE));
    while *asked.lock().unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The answer is there; this thread has only to read it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.cancel();
    let AttemptEnd::Cancelled { failure, .. } = sending.await.unwrap().unwrap() else { panic!("it was cancelled") };
    assert!(failure.message.contains("cancelled before it was sent again"), "{}", failure.message);
    assert!(taken.lock().unwrap().is_empty());
}
