//! A PostgreSQL server of its own: fresh data folder, password authentication, loopback only.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, eventually, find_program, free_port, run};

pub const USER: &str = "postgres";
/// Hostile on purpose: it must come through everything unchanged, and show up nowhere.
pub const PASSWORD: &str = "s3cr'et \"$(touch pwned)\" %41";

pub struct Postgres {
    pub port: u16,
    daemon: Daemon,
    _scratch: Scratch,
}

impl Postgres {
    pub fn start() -> Postgres {
        let scratch = Scratch::new();
        let home = home(&scratch);
        std::fs::write(home.join("password"), PASSWORD).expect("the password file");
        give_to_it(&home.join("password"));
        run(bound_to_test("initdb", As::Unprivileged(USER))
            .args(["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", "--username", USER])
            .arg("--pwfile")
            .arg(home.join("password"))
            .arg("--pgdata")
            .arg(home.join("data"))
            .current_dir(&home));
        Postgres::over(scratch, &home)
    }

    /// A replica of this one, which gets what this one writes as it is written.
    pub fn replica(&self) -> Postgres {
        let scratch = Scratch::new();
        let home = home(&scratch);
        run(bound_to_test("pg_basebackup", As::Unprivileged(USER))
            .args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--wal-method=stream"])
            .args(["--host=127.0.0.1", &format!("--port={}", self.port), "--username", USER])
            .arg("--pgdata")
            .arg(home.join("data"))
            .env("PGPASSWORD", PASSWORD)
            .current_dir(&home));
        Postgres::over(scratch, &home)
    }

    /// The server over a data folder.
    fn over(scratch: Scratch, home: &Path) -> Postgres {
        let port = free_port();
        let mut server = bound_to_test("postgres", As::Unprivileged(USER));
        server.arg("-D").arg(home.join("data")).current_dir(home);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB"] {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("port={port}")]);
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        let daemon = Daemon::start(server, Signal::INT, &scratch.join("postgres.log"));
        let mut postgres = Postgres { port, daemon, _scratch: scratch };
        eventually("a connection to PostgreSQL", || {
            postgres.daemon.assert_running();
            psql(port, "postgres", "select 1").output().ok().filter(|output| output.status.success())
        });
        postgres
    }

    /// What SQL gives in a database, one row a line, columns divided by `|`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        run(&mut psql(self.port, database, sql)).trim().to_owned()
    }

    pub fn databases(&self) -> Vec<String> {
        self.sql("postgres", "select datname from pg_database where not datistemplate order by 1")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Looks how many KiB it has received and not replayed, where it is a replica.
    pub fn looks_behind(&self) -> impl Fn() -> Option<u64> + Send + use<> {
        let port = self.port;
        let sql = "select (pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) / 1024)::bigint";
        move || String::from_utf8(psql(port, "postgres", sql).output().ok()?.stdout).ok()?.trim().parse().ok()
    }
}

/// Where its files are.
fn home(scratch: &Scratch) -> PathBuf {
    let home = scratch.folder("home");
    give_to_it(&home);
    home
}

/// Gives a file to the user as whom it runs.
fn give_to_it(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let id = |flag: &str| run(Command::new("id").args([flag, USER])).trim().parse().expect("an id");
        chown(path, Some(id("-u")), Some(id("-g"))).expect("root may chown");
    }
}

fn psql(port: u16, database: &str, sql: &str) -> Command {
    let mut psql = Command::new(find_program("psql"));
    psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER, "-d", database, "-c", sql])
        .args(["-p", &port.to_string()])
        .env("PGPASSWORD", PASSWORD);
    psql
}
