//! `http`: one request, one response. The body goes to the log as it comes and its head into the result.
//!
//! What is not known is not claimed: a request other than GET and HEAD that may have reached the server and whose response
//! did not come ends `unknown`. Redirects are not followed, so that no credential travels to where nobody sent it, and
//! connections are not kept, so that a stale one cannot blur whether a request was sent.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use runbook_core::limits;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::{HttpContent, HttpTask, Task};
use runbook_core::value::{Map, Value, format_duration};
use secrecy::{ExposeSecret, SecretString};

use super::output::{Recorder, Stream, cut};
use super::{Job, failure, masked};

mod network;

pub use network::NetworkPolicy;
use network::Resolver;

/// A request with its credentials, about to be sent.
pub struct Request {
    pub method: String,
    pub url: SecretString,
    /// Name, value, and whether it is a credential.
    pub headers: Vec<(String, SecretString, bool)>,
    pub body: Option<HttpContent>,
    /// The attempt's id, for servers that can recognise a repetition.
    pub key: String,
}

/// Why there is no response.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing reached the server.
    Unsent(String),
    /// It may have.
    Lost(String),
}

pub async fn perform(job: Job) -> Result<AttemptEnd, Failure> {
    let Task::Http(task) = &job.work.task else { return Err(failure("this work is not an `http`")) };
    let mut headers = Vec::new();
    for (name, text) in &task.headers {
        let credential = matches!(text, runbook_core::run::task::EnvText::Secret(_));
        headers.push((name.clone(), super::reveal(text, &*job.secrets).await?, credential));
    }
    let request = Request {
        method: task.method.clone(),
        url: SecretString::from(task.url.clone()),
        headers,
        body: task.body.clone(),
        key: job.id.clone(),
    };
    let prepared = prepare(request, &job.network, job.work.timeout).map_err(failure)?;
    let safe = prepared.safe;
    let mut recorder = Recorder::new(job.output);
    let mut stream = Stream::new(job.secrets.mask());
    job.hold.wait().await;
    let exchange = async {
        let response = send(prepared).await?;
        Ok(receive(response, &mut recorder, &mut stream, &*job.secrets).await)
    };
    let ended = tokio::select! {
        biased;
        () = job.stop.cancelled() => {
            let message = if safe { "cancelled before the response came" } else {
                "cancelled before the response came; the request may have taken effect, look at the server"
            };
            return Ok(AttemptEnd::Cancelled { failure: failure(message), result: Value::Null });
        }
        ended = tokio::time::timeout(job.work.timeout, exchange) => ended,
    };
    recorder.finish(&mut stream);
    Ok(match ended {
        Ok(Ok((result, broken))) => judge(task, result, broken, safe, &stream, &recorder),
        Ok(Err(Trouble::Lost(why))) if !safe => {
            AttemptEnd::Unknown { why: format!("{}; the request may have taken effect", masked(&*job.secrets, &why)) }
        }
        Ok(Err(Trouble::Unsent(why) | Trouble::Lost(why))) => return Err(failure(masked(&*job.secrets, &why))),
        Err(_) => {
            let message = format!("no complete response after {}", format_duration(job.work.timeout));
            if safe {
                AttemptEnd::TimedOut { failure: failure(message), result: Value::Null }
            } else {
                AttemptEnd::Unknown { why: format!("{message}; the request may have taken effect") }
            }
        }
    })
}

pub struct Prepared {
    builder: RequestBuilder,
    target: String,
    /// Repeating it changes nothing.
    pub safe: bool,
}

/// Everything that can be wrong with a request before it is sent. No error holds a value of a header or the whole URL.
pub fn prepare(request: Request, network: &NetworkPolicy, timeout: Duration) -> Result<Prepared, String> {
    let url = Url::parse(request.url.expose_secret()).map_err(|error| format!("the URL is not one: {error}; correct `url`"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the URL begins with `{}:`; only http and https are spoken here", url.scheme()));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    network.admits_literal(&url)?;
    let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("`{}` is not a method; write one such as GET or POST", request.method.escape_debug()))?;
    let safe = matches!(method, Method::GET | Method::HEAD);
    let target = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, value, credential) in &request.headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{}` cannot be the name of a header; correct `headers`", name.escape_debug()))?;
        let mut value = HeaderValue::from_str(value.expose_secret())
            .or_else(|_| HeaderValue::from_bytes(value.expose_secret().as_bytes()))
            .map_err(|_| format!("the value of the header `{name}` holds a line end or control character, which no header can"))?;
        value.set_sensitive(*credential);
        headers.append(key, value);
    }
    if !safe && !headers.contains_key("idempotency-key") {
        let key = HeaderValue::from_str(&request.key).map_err(|_| "the attempt's id is no header value".to_owned())?;
        headers.insert("idempotency-key", key);
    }
    let mut body = None;
    let mut form = None;
    match request.body {
        None => {}
        Some(HttpContent::Raw(text)) => body = Some(text.into_bytes()),
        Some(HttpContent::Json(value)) => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            body = Some(value.to_plain_json().to_string().into_bytes());
        }
        Some(HttpContent::Form(fields)) => form = Some(fields),
    }
    let mut builder = client(network, timeout)?.request(method, url).headers(headers);
    if let Some(body) = body {
        builder = builder.body(body);
    }
    if let Some(fields) = form {
        builder = builder.form(&fields);
    }
    Ok(Prepared { builder, target, safe })
}

pub async fn send(prepared: Prepared) -> Result<Response, Trouble> {
    let target = prepared.target;
    prepared.builder.send().await.map_err(|error| {
        // The URL may hold a credential.
        let error = error.without_url();
        let root = root_cause(&error);
        if error.is_builder() {
            Trouble::Unsent(format!("the request cannot be made: {root}"))
        } else if error.is_connect() && error.is_timeout() {
            Trouble::Unsent(format!("no connection to {target} in time; nothing was sent; is it reachable from here?"))
        } else if error.is_connect() {
            Trouble::Unsent(format!("no connection to {target}: {root}; nothing was sent"))
        } else {
            Trouble::Lost(format!("{target} gave no response: {root}"))
        }
    })
}

/// The innermost of an error's reasons: the outer ones only say that something went wrong.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Reads the response to its end. The second part says where it broke off.
async fn receive(
    mut response: Response,
    recorder: &mut Recorder,
    stream: &mut Stream,
    secrets: &dyn super::Secrets,
) -> (Map, Option<String>) {
    let mut result = Map::from([("status".to_owned(), Value::Int(response.status().as_u16().into()))]);
    let mut headers = Map::new();
    let mut room = limits::HTTP_HEADERS_BYTES;
    for name in response.headers().keys() {
        let values = response.headers().get_all(name);
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let value = masked(secrets, &values.join(", "));
        let (value, _) = cut(&value, room);
        room = room.saturating_sub(name.as_str().len() + 2 * value.len());
        headers.insert(name.as_str().to_owned(), Value::text(value));
        if room == 0 {
            break;
        }
    }
    result.insert("headers".to_owned(), Value::Map(headers));
    let mut broken = None;
    let mut taken = 0u64;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                recorder.push(stream, &chunk);
                taken += chunk.len() as u64;
                if taken > limits::LOG_BYTES {
                    broken = Some(format!("the response is longer than {} bytes and was not read further", limits::LOG_BYTES));
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                broken = Some(format!("the response broke off after {taken} bytes: {}", root_cause(&error.without_url())));
                break;
            }
        }
    }
    (result, broken)
}

fn judge(task: &HttpTask, mut result: Map, broken: Option<String>, safe: bool, stream: &Stream, recorder: &Recorder) -> AttemptEnd {
    let (head, whole) = stream.head();
    result.insert("body".to_owned(), Value::Text(head));
    if !whole {
        result.insert("body_bytes".to_owned(), Value::Int(i64::try_from(stream.bytes()).unwrap_or(i64::MAX)));
    }
    if let Some(json) = stream.json() {
        result.insert("json".to_owned(), json);
    }
    if let Some(why) = recorder.broken() {
        result.insert("log_incomplete".to_owned(), Value::text(why));
    }
    let status = match result.get("status") {
        Some(Value::Int(status)) => *status,
        _ => 0,
    };
    let failed = |message: String, result: Map| AttemptEnd::Failed {
        failure: Failure { message, at: None, detail: recorder.last_lines() },
        result: Value::Map(result),
    };
    match (task.expects(status), broken) {
        (true, None) => AttemptEnd::Succeeded { result: Value::Map(result) },
        (true, Some(why)) if !safe => AttemptEnd::Unknown { why: format!("the server answered {status}, but {why}") },
        (true, Some(why)) => failed(why, result),
        (false, _) => failed(unexpected(status, &task.expect_status, &result), result),
    }
}

fn unexpected(status: i64, expected: &[u16], result: &Map) -> String {
    let listed = match expected {
        [] => "200 to 299".to_owned(),
        some => some.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
    };
    let location = result.get("headers").and_then(|headers| headers.get("location"));
    match location {
        Some(Value::Text(to)) if (300..400).contains(&status) => {
            format!("the server answered {status} and points to `{}`, which is not followed; write that address", to.escape_debug())
        }
        _ => format!("the server answered {status}, expected {listed}"),
    }
}

/// Time to connect never outlasts half the step's time, so that a timeout tells whether the request was on its way.
fn client(network: &NetworkPolicy, timeout: Duration) -> Result<Client, String> {
    static OPEN: OnceLock<Client> = OnceLock::new();
    let common = matches!(network, NetworkPolicy::Open) && timeout / 2 >= limits::HTTP_CONNECT;
    if let (true, Some(client)) = (common, OPEN.get()) {
        return Ok(client.clone());
    }
    install_provider();
    let mut builder = Client::builder()
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(limits::HTTP_CONNECT.min(timeout / 2))
        .pool_max_idle_per_host(0);
    if let NetworkPolicy::Public { .. } = network {
        // A proxy would resolve and connect for us, beyond the policy's reach.
        builder = builder.no_proxy().dns_resolver(std::sync::Arc::new(Resolver(network.clone())));
    }
    let client = builder.build().map_err(|error| format!("no HTTP client can be made here: {}", root_cause(&error)))?;
    Ok(if common { OPEN.get_or_init(|| client).clone() } else { client })
}

/// TLS of this program, where nobody has chosen it yet.
pub fn install_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
pub(super) mod tests;
