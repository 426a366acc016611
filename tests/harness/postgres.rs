//! A PostgreSQL server of its own: fresh data folder, password authentication, loopback only.

use std::os::unix::fs::chown;
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
        let home = scratch.folder("home");
        std::fs::write(home.join("password"), PASSWORD).expect("the password file");
        if rustix::process::geteuid().is_root() {
            let id = |flag: &str| run(Command::new("id").args([flag, USER])).trim().parse().expect("an id");
            let (user, group) = (id("-u"), id("-g"));
            for path in [home.clone(), home.join("password")] {
                chown(path, Some(user), Some(group)).expect("root may chown");
            }
        }
        let data = home.join("data");
        run(bound_to_test("initdb", As::Unprivileged(USER))
            .args(["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", "--username", USER])
            .arg("--pwfile")
            .arg(home.join("password"))
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&home));

        let port = free_port();
        let mut server = bound_to_test("postgres", As::Unprivileged(USER));
        server.arg("-D").arg(&data).current_dir(&home);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB"] {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("port={port}")]);
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        let daemon = Daemon::start(server, Signal::INT, &scratch.join("postgres.log"));
        let mut postgres = Postgres { port, daemon, _scratch: scratch };
        eventually("a connection to PostgreSQL", || {
            postgres.daemon.assert_running();
            postgres.psql(USER, PASSWORD, "postgres", "select 1").output().ok().filter(|output| output.status.success())
        });
        postgres
    }

    /// What SQL gives in a database, one row a line, columns divided by `|`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        run(&mut self.psql(USER, PASSWORD, database, sql)).trim().to_owned()
    }

    pub fn databases(&self) -> Vec<String> {
        self.sql("postgres", "select datname from pg_database where not datistemplate order by 1")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn psql(&self, user: &str, password: &str, database: &str, sql: &str) -> Command {
        let mut psql = Command::new(find_program("psql"));
        psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", user, "-d", database, "-c", sql])
            .args(["-p", &self.port.to_string()])
            .env("PGPASSWORD", password);
        psql
    }
}
