//! Tells an OpenTelemetry collector of each run that ends, over OTLP/HTTP. What is told is made from the record, so it is the same whichever
//! process looked after the run, however often that one died, and however long it took.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use runbook_core::run::Fact;
use runbook_core::{RunId, limits};
use runbook_engine::intake::EventFilter;
use runbook_engine::report::spans::{self, Cause, Stretch};
use runbook_engine::session::{self, SessionError};
use serde_json::Value as Json;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::App;
use crate::fetch::told;

/// Where a collector takes traces: `v1/traces` below the address of the collector.
pub fn endpoint(collector: &str) -> Result<Url, String> {
    let base = if collector.ends_with('/') { collector.to_owned() } else { format!("{collector}/") };
    let url = Url::parse(&base).and_then(|base| base.join("v1/traces")).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("`{other}` is neither http nor https")),
    }
}

/// Takes the runs that end. When it is dropped, what it took is still told.
pub struct Traces {
    app: Arc<App>,
    runs: Option<Sender<RunId>>,
}

impl Traces {
    /// The way in, and whoever tells. Without a collector nobody is told.
    pub fn start(app: Arc<App>, collector: Option<Url>) -> (Traces, JoinHandle<()>) {
        let (runs, ended) = channel(limits::TRACES_WAITING);
        let telling = tokio::spawn({
            let (app, collector) = (app.clone(), collector.clone());
            async move {
                if let Some(collector) = collector {
                    tell(app, collector, ended).await;
                }
            }
        });
        (Traces { app, runs: collector.map(|_| runs) }, telling)
    }

    /// Nobody waits for a collector: what it is too slow for is counted and left out.
    pub fn ended(&self, run: &RunId) {
        if let Some(runs) = &self.runs
            && runs.try_send(run.clone()).is_err()
        {
            self.app.metrics.trace("dropped");
        }
    }
}

async fn tell(app: Arc<App>, endpoint: Url, mut ended: Receiver<RunId>) {
    let client = match Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(limits::TRACE_TIME).build() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "no traces are sent"),
    };
    let mut told = Told::default();
    while let Some(run) = ended.recv().await {
        let read = tokio::task::block_in_place(|| of_run(&app, &run));
        let (seq, request) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%run, %error, "a run cannot be told of");
                app.metrics.trace("dropped");
                continue;
            }
        };
        // It is heard of from whoever drove it, and from the record.
        let Some(request) = request.filter(|_| told.is_new(&run, seq)) else { continue };
        match send(&client, &endpoint, request.to_string(), limits::TRACE_RETRY, &app.stop).await {
            Ok(()) => app.metrics.trace("sent"),
            Err(why) => {
                tracing::warn!(%run, why, "the collector did not take the trace of a run");
                app.metrics.trace("dropped");
            }
        }
    }
}

/// The number of the run's last event, and what is told of it; nothing where it goes on.
fn of_run(app: &App, id: &RunId) -> Result<(u64, Option<Json>), SessionError> {
    let mut stretch = Stretch::default();
    let (run, _) = session::replay(&*app.journal, id, &mut |_, event| match &event.fact {
        Fact::RunStarted(_) => stretch = Stretch { from: event.at, is_undo: false },
        Fact::UndoRequested { .. } => stretch = Stretch { from: event.at, is_undo: true },
        _ => {}
    })?;
    let filter = EventFilter { run: Some(id.clone()), limit: limits::TRACE_LINKS, ..EventFilter::default() };
    let events = app.intake.events(&filter)?;
    let causes: Vec<Cause<'_>> = events
        .iter()
        .map(|arrived| Cause {
            number: arrived.number,
            source: &arrived.source,
            event: &arrived.event,
            received: arrived.received,
            decided: arrived.rulings.iter().find(|ruling| ruling.decision.run() == Some(id)).map(|ruling| ruling.at),
        })
        .collect();
    Ok((run.seq(), spans::request(&run, &stretch, &causes)))
}

/// Tries again what the standard says to try again, for a while, unless the server stops.
async fn send(client: &Client, endpoint: &Url, body: String, first: Duration, stop: &CancellationToken) -> Result<(), String> {
    let mut pause = first;
    let mut left = limits::TRACE_ATTEMPTS;
    loop {
        left -= 1;
        let answered = client.post(endpoint.clone()).header(CONTENT_TYPE, "application/json").body(body.clone()).send().await;
        let why = match answered {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) if !is_passing(response.status()) => return Err(format!("it answered {}", response.status())),
            Ok(response) => format!("it answered {}", response.status()),
            Err(error) => told(&error),
        };
        if left == 0 || stop.is_cancelled() {
            return Err(why);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        pause *= 2;
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The ends that were told last.
#[derive(Default)]
struct Told {
    ends: HashSet<(RunId, u64)>,
    order: VecDeque<(RunId, u64)>,
}

impl Told {
    fn is_new(&mut self, run: &RunId, seq: u64) -> bool {
        let end = (run.clone(), seq);
        if !self.ends.insert(end.clone()) {
            return false;
        }
        self.order.push_back(end);
        if self.order.len() > limits::TRACES_WAITING
            && let Some(oldest) = self.order.pop_front()
        {
            self.ends.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn traces_go_below_the_address_of_the_collector() {
        for (collector, wanted) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://example.org/otlp", "https://example.org/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(collector).unwrap().as_str(), wanted);
        }
        assert_eq!(endpoint("file:///tmp").unwrap_err(), "`file` is neither http nor https");
        assert!(endpoint("127.0.0.1:4318").is_err());
    }

    #[test]
    fn an_end_is_told_once() {
        let (mut told, run) = (Told::default(), RunId::from_parts(1, 1));
        assert!(told.is_new(&run, 7) && !told.is_new(&run, 7), "the same end");
        assert!(told.is_new(&run, 12), "it was undone");
        for n in 0..limits::TRACES_WAITING as u128 {
            assert!(told.is_new(&RunId::from_parts(2, n), 1));
        }
        assert_eq!(told.ends.len(), limits::TRACES_WAITING);
    }

    /// Answers one request after the other with these statuses, and gives how many came.
    fn collector(statuses: &'static [&'static str]) -> (Url, std::thread::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = endpoint(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answering = std::thread::spawn(move || {
            for status in statuses {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            statuses.len()
        });
        (url, answering)
    }

    async fn sent(statuses: &'static [&'static str]) -> Result<(), String> {
        runbook_engine::action::install_provider();
        let (url, answering) = collector(statuses);
        let sent = send(&Client::new(), &url, "{}".to_owned(), Duration::from_millis(1), &CancellationToken::new()).await;
        assert_eq!(answering.join().unwrap(), statuses.len());
        sent
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_told() {
        assert_eq!(sent(&["503 Service Unavailable", "429 Too Many Requests", "200 OK"]).await, Ok(()));
        assert_eq!(sent(&["400 Bad Request"]).await, Err("it answered 400 Bad Request".to_owned()));
        let down = &["502 Bad Gateway"; limits::TRACE_ATTEMPTS as usize];
        assert_eq!(sent(down).await, Err("it answered 502 Bad Gateway".to_owned()));
    }
}
