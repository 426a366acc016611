//! Requests and their answers. Each has a bound in time and bytes; what may work another time is tried again, a few times.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RANGE, RETRY_AFTER};
use futures_util::StreamExt;
use reqwest::{Certificate, Client, Method, Response, Url};
use runbook_core::limits;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::failure::{Failure, Refused};
use crate::api::ROOT;
use crate::fetch::told;

/// How a server is reached.
pub struct Reach {
    /// `https://host[:port]`, with a path where a proxy serves it below one.
    pub address: String,
    pub token: Option<SecretString>,
    /// Certificates of authorities as PEM: where they are given, no other is trusted.
    pub authorities: Option<Vec<u8>>,
}

/// One request.
pub struct Ask {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<String>,
    headers: HeaderMap,
}

impl Ask {
    pub fn get<'p>(path: impl IntoIterator<Item = &'p str>) -> Ask {
        let path = path.into_iter().map(str::to_owned).collect();
        Ask { method: Method::GET, path, query: Vec::new(), body: None, headers: HeaderMap::new() }
    }

    /// A write, with a key of its own.
    pub fn post<'p>(path: impl IntoIterator<Item = &'p str>, body: &impl Serialize) -> Result<Ask, Failure> {
        let unwritable = |error: serde_json::Error| Failure::Given { what: error.to_string(), next: "give other values" };
        let body = serde_json::to_string(body).map_err(unwritable)?;
        let (key, _) = runbook_engine::start::draw(&runbook_engine::clock::SystemClock);
        let mut ask = Ask { method: Method::POST, body: Some(body), ..Ask::get(path) };
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ask.header(HeaderName::from_static("idempotency-key"), key.as_str());
        Ok(ask)
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<&str>) -> Ask {
        self.query.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    /// Only the bytes from one up to and without another.
    #[must_use]
    pub fn bytes(mut self, from: u64, to: u64) -> Ask {
        self.header(RANGE, &format!("bytes={from}-{}", to.saturating_sub(1)));
        self
    }

    /// Only the last of them.
    #[must_use]
    pub fn last(mut self, bytes: u64) -> Ask {
        self.header(RANGE, &format!("bytes=-{bytes}"));
        self
    }

    /// A stream of events, behind the one of this number.
    #[must_use]
    pub fn behind(mut self, seen: u64) -> Ask {
        self.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.header(HeaderName::from_static("last-event-id"), &seen.to_string());
        self
    }

    fn header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }
}

pub struct Wire {
    /// As people write it: without a slash at its end.
    address: String,
    base: Url,
    http: Client,
    token: Option<HeaderValue>,
    /// Of its own, so that whoever waits for an answer may be anywhere.
    runtime: Option<Runtime>,
}

/// A list that is read a page at a time: each item as it was written.
#[derive(serde::Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Wire {
    pub fn new(Reach { address, token, authorities }: Reach) -> Result<Wire, Failure> {
        let given = |what: String, next| Failure::Given { what, next };
        let base = base(&address)?;
        let host = base.host_str().unwrap_or_default();
        let is_here = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if token.is_some() && base.scheme() == "http" && !is_here {
            let what = format!("the token would be sent to {base} in the clear, for everybody on the way to read");
            return Err(given(what, "give an address that begins with https://"));
        }
        let token = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim())).map_err(|_| {
                given("the token holds what no token can".to_owned(), "put the token into RUNBOOK_TOKEN as it was printed")
            })?;
            value.set_sensitive(true);
            Ok(value)
        });
        runbook_engine::action::install_provider();
        let mut http = Client::builder()
            .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::REMOTE_CONNECT)
            .read_timeout(limits::REMOTE_SILENCE)
            // Whatever a resolver says: this machine is this machine.
            .resolve_to_addrs(
                "localhost",
                &[IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0)),
            );
        if base.scheme() == "http" {
            http = http.no_proxy();
        }
        if let Some(pem) = authorities {
            let next = "give a file with certificates as PEM";
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|why| given(format!("the certificates of --server-ca cannot be read: {}", told(&why)), next))?;
            if certificates.is_empty() {
                return Err(given("the file of --server-ca holds no certificate".to_owned(), next));
            }
            http = http.tls_certs_only(certificates);
        }
        let unusable =
            |why: String| given(format!("the server {address} cannot be asked: {why}"), "look at the certificates of this machine");
        let http = http.build().map_err(|why| unusable(told(&why)))?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|why| unusable(why.to_string()))?;
        let address = base.as_str().trim_end_matches('/').to_owned();
        Ok(Wire { address, base, http, token: token.transpose()?, runtime: Some(runtime) })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn foreign(&self, why: &str) -> Failure {
        Failure::Foreign { server: self.address.clone(), why: why.to_owned() }
    }

    fn unreachable(&self, why: impl Into<String>) -> Failure {
        Failure::Unreachable { server: self.address.clone(), why: why.into() }
    }

    /// Works on the runtime of the connections, wherever it is asked from.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// The same, for whoever goes on meanwhile. A connection that was made elsewhere would stand still whenever nobody is there.
    pub async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, result) = oneshot::channel();
        self.spawn(async move { drop(done.send(work.await)) });
        result.await.unwrap_or_else(|_| Err(self.unreachable("the request was broken off")))
    }

    /// The same, for whoever waits for it.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Result<T, Failure> {
        let (done, result) = mpsc::sync_channel(1);
        self.spawn(async move { drop(done.send(work.await)) });
        result.recv().unwrap_or_else(|_| Err(self.unreachable("the request was broken off")))
    }

    /// One attempt.
    async fn once(&self, ask: &Ask) -> Result<Response, reqwest::Error> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(ROOT.split('/').filter(|part| !part.is_empty())).extend(&ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut headers = ask.headers.clone();
        headers.extend(self.token.clone().map(|token| (AUTHORIZATION, token)));
        let mut request = self.http.request(ask.method.clone(), url).headers(headers);
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        request.send().await
    }

    /// The head of an answer that is none of a refusal.
    pub async fn head(&self, ask: &Ask) -> Result<Response, Failure> {
        let mut left = limits::REMOTE_TRIES;
        loop {
            left -= 1;
            let (failure, pause) = match self.once(ask).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let refused = self.refused(response).await?;
                    let again = matches!(refused.status, 429 | 503) || refused.kind == "under_way";
                    let after = refused.retry_after.map_or(limits::REMOTE_PAUSE, Duration::from_secs);
                    (Failure::Refused(refused), Some(after).filter(|after| again && *after <= limits::REMOTE_PAUSE_MOST))
                }
                // Nobody is there, or nobody who is trusted.
                Err(error) if error.is_connect() => (self.unreachable(told(&error)), None),
                Err(error) => (self.unreachable(told(&error)), Some(limits::REMOTE_PAUSE)),
            };
            match pause {
                Some(pause) if left > 0 => tokio::time::sleep(pause).await,
                _ => return Err(failure),
            }
        }
    }

    async fn refused(&self, response: Response) -> Result<Refused, Failure> {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        if status.is_redirection() {
            return Err(self.foreign("it sends elsewhere, and a token is not taken there"));
        }
        let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
        let text = self.whole(response, limits::CALL_BYTES).await?;
        let problem = serde_json::from_str::<Refused>(&text).ok().filter(|_| is_problem);
        match problem {
            Some(problem) => Ok(Refused { server: self.address.clone(), retry_after, ..problem }),
            None => Err(self.foreign(&format!("it answers {status}, and says nothing of why"))),
        }
    }

    async fn whole(&self, response: Response, most: usize) -> Result<String, Failure> {
        let bytes = self.bytes(response, most).await?;
        String::from_utf8(bytes).map_err(|_| self.foreign("it answers with what is no text"))
    }

    async fn bytes(&self, response: Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            whole.extend_from_slice(&chunk.map_err(|error| self.unreachable(told(&error)))?);
            if whole.len() > most {
                return Err(self.foreign("its answer is larger than any of this version"));
            }
        }
        Ok(whole)
    }

    /// The answer, and the tag of what it holds.
    pub async fn text(&self, ask: Ask) -> Result<(String, Option<String>), Failure> {
        let response = self.head(&ask).await?;
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok((self.whole(response, limits::REMOTE_BYTES).await?, tag))
    }

    pub async fn json<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Failure> {
        let (text, _) = self.text(ask).await?;
        serde_json::from_str(&text).map_err(|error| self.foreign(&format!("its answer cannot be read: {error}")))
    }

    /// The first items of a list, as they were written: at most so many. `cursor` is the parameter that takes the `next` of a page.
    pub async fn lines(&self, ask: Ask, cursor: &'static str, first: Option<String>, limit: usize) -> Result<Vec<String>, Failure> {
        let (mut lines, mut next) = (Vec::new(), first);
        loop {
            let page = limit.saturating_sub(lines.len()).clamp(1, limits::PAGE);
            let mut ask = Ask { headers: ask.headers.clone(), ..Ask::get(ask.path.iter().map(String::as_str)) }.of(&ask.query);
            ask = ask.with("limit", Some(&page.to_string())).with(cursor, next.as_deref());
            let Page { items, next: behind } = self.json(ask).await?;
            lines.extend(items.into_iter().map(|item| item.get().to_owned()));
            next = behind;
            if next.is_none() || lines.len() >= limit {
                lines.truncate(limit);
                return Ok(lines);
            }
        }
    }

    pub async fn list<T: DeserializeOwned>(
        &self,
        ask: Ask,
        cursor: &'static str,
        first: Option<String>,
        limit: usize,
    ) -> Result<Vec<T>, Failure> {
        let read = |line: &String| {
            serde_json::from_str(line).map_err(|error| self.foreign(&format!("a line of its list cannot be read: {error}")))
        };
        self.lines(ask, cursor, first, limit).await?.iter().map(read).collect()
    }

    /// A part of a log; `None` where there is no log.
    pub async fn part(&self, ask: Ask) -> Result<Option<Vec<u8>>, Failure> {
        let response = match self.once(&ask).await {
            Ok(response) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Some(Vec::new())),
            _ => Failure::absent(self.head(&ask).await)?,
        };
        match response {
            None => Ok(None),
            Some(response) => self.bytes(response, limits::REMOTE_BYTES).await.map(Some),
        }
    }
}

impl Ask {
    fn of(mut self, query: &[(&'static str, String)]) -> Ask {
        self.query = query.to_vec();
        self
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Nobody waits for what nobody asked for any more.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The address that paths stand below.
fn base(address: &str) -> Result<Url, Failure> {
    let next = "give it as https://runbook.example.org";
    let wrong = |why: &str| Failure::Given { what: format!("`{address}` is no address of a server: {why}"), next };
    let url = Url::parse(address).map_err(|why| wrong(&why.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(wrong("it begins with neither https:// nor http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a credential, which belongs into RUNBOOK_TOKEN"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("nothing stands behind its path"));
    }
    Ok(url)
}
