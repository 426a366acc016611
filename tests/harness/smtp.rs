//! A mail server behind TLS, for as long as the test lives. It repeats whatever it is told, above all with which password.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// When a conversation is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    AtOnce,
    /// After STARTTLS.
    WhenAsked,
}

/// What becomes of who logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Login {
    Taken,
    Refused,
}

pub struct MailServer {
    pub port: u16,
    /// Every line that was said to it, without TLS.
    heard: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// `bundle` holds the key and the certificates of `localhost`; `repeats` is said in every answer.
    pub fn new(begins: Begins, login: Login, bundle: &Path, repeats: &str) -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (port, heard) = (listener.local_addr().expect("an address").port(), Arc::default());
        let certificates =
            CertificateDer::pem_file_iter(bundle).expect("a bundle").map(|one| one.expect("a certificate")).collect();
        let key = PrivateKeyDer::from_pem_file(bundle).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).expect("a key that fits"));
        let talk = Talk { login, repeats: repeats.to_owned(), heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Who hangs up in the middle is not our business.
                let _ = stream.and_then(|stream| talk.with(stream, begins, &config));
            }
        });
        MailServer { port, heard }
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no test has panicked").clone()
    }
}

struct Talk {
    login: Login,
    repeats: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Talk {
    fn with(&self, mut stream: TcpStream, begins: Begins, config: &Arc<ServerConfig>) -> std::io::Result<()> {
        if begins == Begins::WhenAsked {
            stream.write_all(b"220 here\r\n")?;
            answer(&mut stream, "EHLO", "250-here\r\n250 STARTTLS\r\n")?;
            answer(&mut stream, "STARTTLS", "220 go on\r\n")?;
        }
        let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
        let mut stream = BufReader::new(StreamOwned::new(connection, stream));
        if begins == Begins::AtOnce {
            stream.get_mut().write_all(b"220 here\r\n")?;
        }
        let mut in_letter = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            self.heard.lock().expect("no test has panicked").push(line.trim_end().to_owned());
            in_letter = in_letter && line != ".\r\n";
            let said = format!("{} {}", line.trim_end(), self.repeats);
            let answer = match line.split_whitespace().next() {
                _ if in_letter => continue,
                Some("EHLO") => "250-here\r\n250 AUTH PLAIN\r\n".to_owned(),
                Some("AUTH") if self.login == Login::Refused => format!("535 5.7.8 no: {said}\r\n"),
                Some("AUTH") => format!("235 2.7.0 welcome: {said}\r\n"),
                Some("DATA") => {
                    in_letter = true;
                    "354 go on\r\n".to_owned()
                }
                Some("QUIT") => return stream.get_mut().write_all(b"221 bye\r\n"),
                _ => format!("250 2.0.0 fine: {said}\r\n"),
            };
            stream.get_mut().write_all(answer.as_bytes())?;
        }
    }
}

/// Before TLS, byte by byte: what follows belongs to the handshake.
fn answer(stream: &mut TcpStream, expected: &str, answer: &str) -> std::io::Result<()> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
    }
    if !line.starts_with(expected.as_bytes()) {
        return Err(std::io::Error::other("it said something else"));
    }
    stream.write_all(answer.as_bytes())
}
