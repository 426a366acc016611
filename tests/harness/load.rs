//! Load: many requests a second over connections that stay open, sent from one thread, so that the machine is left to whoever answers.
//!
//! Each connection asks one thing at a time. What a connection had asked when it broke is told to whoever asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

/// How long a connection that was refused is left alone, and how long the last answers may take.
const PAUSE: Duration = Duration::from_millis(20);
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// An answer.
pub struct Answered<'a> {
    pub status: u16,
    pub head: &'a str,
    pub body: &'a str,
    pub took: Duration,
}

/// What is asked, and what becomes of it.
pub trait Asks {
    /// Writes a whole request and gives what it is called; `None` where nothing is to be asked now.
    fn next(&mut self, now: Instant, request: &mut Vec<u8>) -> Option<u64>;

    fn answered(&mut self, what: u64, answer: &Answered<'_>);

    /// The connection broke before the answer: whether it was done is not known.
    fn lost(&mut self, what: u64);
}

struct Connection {
    stream: Option<TcpStream>,
    asked: Option<(u64, Instant)>,
    answer: Vec<u8>,
    /// Not to be tried before.
    again: Instant,
}

/// Asks over so many connections until then, and waits for what was asked. The time for which it asked.
pub fn drive(address: SocketAddr, connections: usize, until: Instant, asks: &mut impl Asks) -> Duration {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    let begun = Instant::now();
    let mut all: Vec<Connection> =
        (0..connections).map(|_| Connection { stream: None, asked: None, answer: Vec::new(), again: begun }).collect();
    let mut idle: Vec<usize> = (0..connections).collect();
    let (mut request, mut ready) = (Vec::new(), Vec::with_capacity(connections));
    let mut ended = None;
    loop {
        let now = Instant::now();
        if now >= until {
            ended.get_or_insert(now);
            if idle.len() == connections || now > until + LAST_ANSWERS {
                break;
            }
        } else {
            let mut waiting = Vec::new();
            while let Some(place) = idle.pop() {
                match all[place].ask(&epoll, address, place, now, &mut request, asks) {
                    Asked::Yes => {}
                    Asked::NotNow => {
                        waiting.push(place);
                        break;
                    }
                    Asked::NoConnection => waiting.push(place),
                }
            }
            idle.append(&mut waiting);
        }
        let pause = Timespec { tv_sec: 0, tv_nsec: if idle.is_empty() { 50_000_000 } else { 500_000 } };
        ready.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut ready), Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("epoll: {error}"),
        }
        for event in ready.drain(..) {
            let event: epoll::Event = event;
            let place = event.data.u64() as usize;
            if all[place].read(asks) {
                idle.push(place);
            }
        }
    }
    ended.unwrap_or(until).duration_since(begun)
}

enum Asked {
    Yes,
    NotNow,
    NoConnection,
}

impl Connection {
    fn ask(
        &mut self,
        epoll: &OwnedFd,
        address: SocketAddr,
        place: usize,
        now: Instant,
        request: &mut Vec<u8>,
        asks: &mut impl Asks,
    ) -> Asked {
        if self.stream.is_none() {
            if now < self.again {
                return Asked::NoConnection;
            }
            let Ok(stream) = TcpStream::connect(address) else {
                self.again = now + PAUSE;
                return Asked::NoConnection;
            };
            stream.set_nodelay(true).expect("an option");
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(epoll, &stream, data, epoll::EventFlags::IN).expect("it is watched");
            self.stream = Some(stream);
        }
        request.clear();
        let Some(what) = asks.next(now, request) else { return Asked::NotNow };
        self.asked = Some((what, now));
        self.answer.clear();
        let Some(stream) = &mut self.stream else { return Asked::NoConnection };
        if stream.write_all(request).is_err() {
            self.broke(asks);
            return Asked::NoConnection;
        }
        Asked::Yes
    }

    fn broke(&mut self, asks: &mut impl Asks) {
        self.stream = None;
        self.again = Instant::now() + PAUSE;
        if let Some((what, _)) = self.asked.take() {
            asks.lost(what);
        }
    }

    /// Whether it has nothing under way any more.
    fn read(&mut self, asks: &mut impl Asks) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let mut part = [0; 16 * 1024];
        let was_asked = self.asked.is_some();
        match stream.read(&mut part) {
            Ok(0) => {
                self.broke(asks);
                return was_asked;
            }
            Ok(length) => self.answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => return false,
            Err(_) => {
                self.broke(asks);
                return was_asked;
            }
        }
        let Some((head, body, closes)) = whole(&self.answer) else { return false };
        let Some((what, since)) = self.asked.take() else { return false };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        asks.answered(what, &Answered { status, head, body, took: since.elapsed() });
        if closes {
            self.stream = None;
        }
        true
    }
}

/// The head and the body of an answer that has come to its end, and whether its connection ends with it.
fn whole(answer: &[u8]) -> Option<(&str, &str, bool)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).expect("a head is text");
    let (mut length, mut is_chunked, mut closes) = (0, false, false);
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').expect("a header");
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().expect("a length"),
            ("transfer-encoding", _) => is_chunked = true,
            ("connection", value) => closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let body = &answer[end + 4..];
    let is_whole = if is_chunked { body.ends_with(b"0\r\n\r\n") } else { body.len() >= length };
    is_whole.then(|| (head, std::str::from_utf8(body).expect("a body is text"), closes))
}

/// The value below which so many of a hundred lie.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
