//! What Amazon SNS asks a receiver to get: certificates, and the address that confirms a subscription. The source has judged the address
//! before; here nothing is followed, and time, size and number are bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use reqwest::Client;
use runbook_core::limits;

#[derive(Debug, Default)]
pub struct Fetcher {
    client: OnceLock<Client>,
    /// When each source last had something fetched.
    fetched: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Fetcher {
    /// What an address gives. Forged deliveries ask for addresses too, so a source has only so many in a minute.
    pub async fn get(&self, source: &str, url: &str) -> Result<Vec<u8>, String> {
        if !self.may_fetch(source, Instant::now()) {
            return Err(format!("{} were asked for within a minute", limits::FETCHES));
        }
        let read = async {
            let response = self.client()?.get(url).send().await.map_err(|error| told(&error))?;
            if !response.status().is_success() {
                return Err(format!("the server answered {}", response.status()));
            }
            let mut body = Vec::new();
            let mut chunks = response.bytes_stream();
            while let Some(chunk) = chunks.next().await {
                body.extend_from_slice(&chunk.map_err(|error| told(&error))?);
                if body.len() > limits::FETCH_BYTES {
                    return Err(format!("it is larger than {} KiB", limits::FETCH_BYTES / 1024));
                }
            }
            Ok(body)
        };
        match tokio::time::timeout(limits::FETCH_TIME, read).await {
            Ok(read) => read,
            Err(_) => Err(format!("it took more than {:?}", limits::FETCH_TIME)),
        }
    }

    fn may_fetch(&self, source: &str, now: Instant) -> bool {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let times = fetched.entry(source.to_owned()).or_default();
        while times.front().is_some_and(|time| now.duration_since(*time) >= limits::FETCHES_PER) {
            times.pop_front();
        }
        let may = times.len() < limits::FETCHES;
        if may {
            times.push_back(now);
        }
        may
    }

    /// Made when it is first needed: most catalogues have no such source.
    fn client(&self) -> Result<Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::FETCH_TIME / 2)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| told(&error))?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

/// The innermost cause: without the address, which may hold a token.
pub fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::eq(cause as *const dyn std::error::Error as *const (), std::ptr::from_ref(error).cast()) {
        return "the request failed".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_source_has_so_many_in_a_minute() {
        let (fetcher, start) = (Fetcher::default(), Instant::now());
        let may = |source: &str, at| fetcher.may_fetch(source, at);
        assert!((0..limits::FETCHES).all(|_| may("a", start)));
        assert!(!may("a", start), "one too many");
        assert!(may("b", start), "each source for itself");
        assert!(!may("a", start + limits::FETCHES_PER / 2));
        assert!(may("a", start + limits::FETCHES_PER));
    }

    /// A server that answers one request.
    fn answering(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        });
        format!("http://{address}/x?Token=secret")
    }

    #[tokio::test]
    async fn nothing_is_followed_and_nothing_large_is_read() {
        runbook_engine::action::install_provider();
        let fetcher = Fetcher::default();
        let with = |body: &[u8]| [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        assert_eq!(fetcher.get("a", &answering(with(b"pem"))).await, Ok(b"pem".to_vec()));
        let moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec();
        assert_eq!(fetcher.get("a", &answering(moved)).await, Err("the server answered 302 Found".to_owned()));
        let large = fetcher.get("a", &answering(with(&vec![b'x'; limits::FETCH_BYTES + 1]))).await.unwrap_err();
        assert!(large.contains("larger than"), "{large}");
        let gone = fetcher.get("a", "http://127.0.0.1:1/x?Token=secret").await.unwrap_err();
        assert!(!gone.contains("secret"), "{gone}");
    }
}
