//! The least that such a server has to do: axum takes a body, SQLite puts it on the disk together with those that wait, and the sender
//! is told its number. Nothing is authenticated, read, counted or decided.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::oneshot;

use crate::Server;

/// Says to this program, started anew, to be that server.
pub const SERVE: &str = "--floor-in";

pub fn start(folder: &Path) -> Server {
    fs::create_dir_all(folder).expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(SERVE).arg(folder);
    Server::start(command)
}

type Job = (Bytes, oneshot::Sender<i64>);

/// Until it is killed.
pub fn serve(folder: &Path) -> ! {
    let connection = rusqlite::Connection::open(folder.join("events.db")).expect("a database");
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("a log");
    connection
        .execute_batch("PRAGMA synchronous = FULL; CREATE TABLE events (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
        .expect("a table");
    let (jobs, queue) = channel();
    std::thread::spawn(move || write(&connection, &queue));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/events/{source}", post(take)).with_state(jobs);
        axum::serve(listener, routes).await.expect("it serves");
    });
    unreachable!("it serves until it is killed")
}

async fn take(State(jobs): State<Sender<Job>>, body: Bytes) -> (StatusCode, String) {
    let (asker, number) = oneshot::channel();
    jobs.send((body, asker)).expect("a writer");
    (StatusCode::ACCEPTED, format!("{{\"events\": [{}]}}", number.await.expect("it is written")))
}

fn write(connection: &rusqlite::Connection, queue: &Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter());
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        let mut statement = connection.prepare_cached("INSERT INTO events (body) VALUES (?1)").expect("a statement");
        let numbers: Vec<i64> = group.iter().map(|(body, _)| statement.insert([body.as_ref()]).expect("a row")).collect();
        drop(statement);
        connection.execute_batch("COMMIT").expect("a commit");
        for ((_, asker), number) in group.into_iter().zip(numbers) {
            let _ = asker.send(number);
        }
    }
}
