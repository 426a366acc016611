//! The procedures of `runbooks/`, each against a real server: it works, it fails, it takes back what it did.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::authority::Authority;
use harness::nginx::Nginx;
use harness::postgres::{PASSWORD, Postgres, USER};
use harness::program::Runbook;
use harness::service::Service;
use harness::{eventually, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).expect("a folder").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_procedure_passes_its_check() {
    Runbook::shipped().run(["check"]).assert(0);
}

// ---- pg-backup-verify

struct Backup {
    postgres: Postgres,
    runbook: Runbook,
    dir: PathBuf,
}

impl Backup {
    fn new() -> Backup {
        let postgres = Postgres::start();
        postgres.sql("postgres", "create database billing");
        postgres.sql(
            "billing",
            "create table customer (id int primary key, name text, since timestamptz);
             insert into customer select n, 'customer ' || n, now() - n * interval '1 day' from generate_series(1, 5000) n;
             create table \"Odd \"\"name\"\"; $(x)\" (v jsonb, b bytea, f float8);
             insert into \"Odd \"\"name\"\"; $(x)\" select jsonb_build_object('n', n), sha256(n::text::bytea), random() from generate_series(1, 100) n;
             alter database billing set timezone = 'Asia/Kathmandu'",
        );
        let runbook = Runbook::shipped().env("PGPASSWORD", PASSWORD);
        let dir = runbook.scratch.folder("a folder; with 'odd' $(name)");
        Backup { postgres, runbook, dir }
    }

    fn exec(&self, user: &str) -> harness::program::Ran {
        let port = self.postgres.port.to_string();
        let inputs = [("port", port.as_str()), ("user", user), ("database", "billing"), ("backup_dir", text(&self.dir))];
        self.runbook.exec("pg-backup-verify", &inputs)
    }

    fn latest(&self) -> Option<String> {
        fs::read_link(self.dir.join("latest")).ok().map(|target| target.to_string_lossy().into_owned())
    }
}

#[test]
fn a_backup_is_verified_and_promoted_once_a_person_agrees() {
    let backup = Backup::new();
    backup.exec(USER).assert(3).says("runbook approve");
    assert_eq!(backup.latest(), None, "nothing is promoted before a yes");
    backup.runbook.approve_and_resume().assert(0);
    let first = backup.latest().expect("a latest backup");
    assert!(first.starts_with("billing-") && first.ends_with(".dump"), "{first}");
    assert_eq!(backup.postgres.databases(), ["billing", "postgres"], "the scratch database is gone");

    // The second backup replaces the first as the latest; undoing that run brings the first back.
    backup.postgres.sql("billing", "delete from customer where id % 2 = 0");
    backup.exec(USER).assert(3);
    backup.runbook.approve_and_resume().assert(0);
    assert_ne!(backup.latest().as_ref(), Some(&first));
    backup.runbook.run(["undo", "last", "--yes", "--reason", "trying it"]).assert(0);
    assert_eq!(backup.latest().as_ref(), Some(&first));
    let tables = first.replace(".dump", ".tables");
    assert_eq!(files(&backup.dir), [first, tables, "latest".to_owned()], "and takes its own files away");

    backup.runbook.run(["verify", "last"]).assert(0);
    let record = run(Command::new("sh").args(["-c", "cat \"$0\"/* \"$0\"/*/* 2>/dev/null || true", text(&backup.runbook.state())]));
    assert!(!record.contains("s3cr'et"), "the password is in the record");
}

#[test]
fn a_table_that_may_not_be_read_leaves_nothing_behind() {
    let backup = Backup::new();
    let quoted = PASSWORD.replace('\'', "''");
    backup.postgres.sql("postgres", &format!("create role reader login createdb password '{quoted}'"));
    backup.exec("reader").assert(1).says("permission denied");
    assert!(files(&backup.dir).is_empty(), "{:?}", files(&backup.dir));
    assert_eq!(backup.postgres.databases(), ["billing", "postgres"]);
}

#[test]
fn a_restore_that_loses_rows_is_never_promoted() {
    let mut backup = Backup::new();
    // A pg_restore that restores, says nothing, and leaves one row out.
    let bin = backup.runbook.scratch.folder("bin");
    let real = run(Command::new("sh").args(["-c", "command -v pg_restore"]));
    let script = format!(
        "#!/bin/sh\n{} \"$@\" || exit\nfor argument; do case $argument in --dbname=*) exec psql -X -q -d \"${{argument#--dbname=}}\" -c 'delete from customer where id = 7' ;; esac; done\n",
        real.trim()
    );
    fs::write(bin.join("pg_restore"), script).expect("a script");
    run(Command::new("chmod").arg("755").arg(bin.join("pg_restore")));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    backup.runbook = backup.runbook.env("PATH", path);

    backup.exec(USER).assert(1).says("public.customer|5000").says("public.customer|4999");
    assert_eq!(backup.latest(), None);
    assert_eq!(backup.postgres.databases(), ["billing", "postgres"], "the scratch database is gone all the same");
    assert_eq!(files(&backup.dir).len(), 2, "the dump and its table list stay for whoever looks into it");
}

#[test]
fn a_rejected_promotion_changes_nothing() {
    let backup = Backup::new();
    backup.exec(USER).assert(3);
    backup.runbook.run(["reject", "last", "--reason", "not tonight"]).assert(0);
    backup.runbook.run(["resume", "last", "--yes"]).assert(4);
    assert_eq!(backup.latest(), None);
    assert_eq!(backup.postgres.databases(), ["billing", "postgres"]);
}

// ---- tls-renew

struct Site {
    authority: Authority,
    nginx: Nginx,
    runbook: Runbook,
}

impl Site {
    fn with_days_left(days: u32) -> Site {
        let runbook = Runbook::shipped();
        let authority = Authority::new(runbook.scratch.join("authority"), "Test");
        let nginx = Nginx::start("shop.test", |bundle| authority.issue("shop.test", days, bundle));
        Site { authority, nginx, runbook }
    }

    fn exec(&self) -> harness::program::Ran {
        let connect = format!("127.0.0.1:{}", self.nginx.port);
        self.runbook.exec(
            "tls-renew",
            &[
                ("domain", "shop.test"),
                ("connect", &connect),
                ("bundle", text(&self.nginx.bundle)),
                ("authority", text(&self.authority.dir)),
                ("trust", text(&self.authority.trust)),
                ("nginx_prefix", text(&self.nginx.prefix)),
                ("nginx_conf", text(&self.nginx.conf)),
            ],
        )
    }
}

#[test]
fn a_certificate_with_time_left_is_left_alone() {
    let site = Site::with_days_left(60);
    let before = site.nginx.served_fingerprint();
    site.exec().assert(0).says("is good until");
    assert_eq!(site.nginx.served_fingerprint(), before);
}

#[test]
fn a_certificate_about_to_expire_is_replaced_and_can_be_put_back() {
    let site = Site::with_days_left(5);
    let before = site.nginx.served_fingerprint();
    site.exec().assert(0);
    eventually("the new certificate on the wire", || (site.nginx.served_fingerprint() != before).then_some(()));
    assert!(!site.nginx.bundle.with_extension("pem.next").exists(), "no copy of the key is left");
    let mode = run(Command::new("stat").args(["-c", "%a"]).arg(&site.nginx.bundle));
    assert_eq!(mode.trim(), "600");

    site.runbook.run(["undo", "last", "--yes", "--reason", "trying it"]).assert(0);
    eventually("the former certificate on the wire", || (site.nginx.served_fingerprint() == before).then_some(()));
}

#[test]
fn a_chain_that_clients_refuse_is_rolled_back() {
    let site = Site::with_days_left(5);
    let before = site.nginx.served_fingerprint();
    // The certificate is right, and what is sent along with it is somebody else's.
    let other = Authority::new(site.runbook.scratch.join("other"), "Other");
    fs::copy(other.dir.join("chain.crt"), site.authority.dir.join("chain.crt")).expect("a chain");
    site.exec().assert(1).says("unable to get local issuer certificate");
    eventually("the former certificate on the wire", || (site.nginx.served_fingerprint() == before).then_some(()));
    site.runbook.run(["show", "last"]).assert(0).says("rolled back");
}

// ---- disk-pressure

struct Disk {
    runbook: Runbook,
    dir: PathBuf,
    archive: PathBuf,
}

/// A name that would do harm anywhere but in a variable.
const ODD: &str = "quota's \"big\" $(touch pwned) `x` *.log";

impl Disk {
    /// A directory with 3 MiB in three files.
    fn full() -> Disk {
        let runbook = Runbook::shipped();
        let (dir, archive) = (runbook.scratch.folder("spool"), runbook.scratch.folder("archive"));
        fs::create_dir(dir.join("old")).expect("a folder");
        for (name, kib) in [("app.log", 1536), (ODD, 1024), ("old/core", 512)] {
            fs::write(dir.join(name), vec![b'x'; kib * 1024]).expect("a file");
        }
        Disk { runbook, dir, archive }
    }

    fn exec(&self, limit_mib: &str) -> harness::program::Ran {
        let inputs = [("directory", text(&self.dir)), ("limit_mib", limit_mib), ("archive", text(&self.archive))];
        self.runbook.exec("disk-pressure", &inputs)
    }

    fn answer(&self, how: &str, names: &[&str]) -> harness::program::Ran {
        let list = format!("files=[{}]", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "));
        self.runbook.run(["answer", "last", "--answer", &list, "--answer", &format!("how={how}")]).assert(0);
        self.runbook.run(["resume", "last", "--yes"])
    }
}

#[test]
fn a_directory_within_its_limit_needs_nothing() {
    Disk::full().exec("100").assert(0).says("which is within 100 MiB");
}

#[test]
fn files_are_archived_and_come_back() {
    let disk = Disk::full();
    disk.exec("1").assert(3).says("app.log");
    disk.answer("archive", &["app.log", ODD]).assert(0);
    assert_eq!(files(&disk.dir), ["old"]);
    assert!(!disk.dir.join("pwned").exists());
    disk.runbook.run(["undo", "last", "--yes", "--reason", "trying it"]).assert(0);
    assert_eq!(fs::metadata(disk.dir.join(ODD)).map(|file| file.len()).ok(), Some(1024 * 1024));
    assert_eq!(fs::metadata(disk.dir.join("app.log")).map(|file| file.len()).ok(), Some(1536 * 1024));
}

#[test]
fn deleting_asks_once_more() {
    let disk = Disk::full();
    disk.exec("2").assert(3);
    disk.answer("delete", &["./app.log"]).assert(3);
    assert!(disk.dir.join("app.log").exists());
    disk.runbook.approve_and_resume().assert(0);
    assert!(!disk.dir.join("app.log").exists());
}

#[test]
fn a_path_outside_is_refused_and_what_was_archived_comes_back() {
    let disk = Disk::full();
    let outside = disk.runbook.scratch.join("precious");
    fs::write(&outside, "precious").expect("a file");
    for (names, why) in [(["app.log", "../precious"], "is outside of"), (["app.log", "old/none"], "is not a plain file")] {
        disk.exec("1").assert(3);
        disk.answer("archive", &names).assert(1).says(why);
        assert_eq!(fs::read_to_string(&outside).expect("a file"), "precious");
        assert_eq!(fs::metadata(disk.dir.join("app.log")).map(|file| file.len()).ok(), Some(1536 * 1024));
    }
}

#[test]
fn too_little_freed_is_said() {
    let disk = Disk::full();
    disk.exec("1").assert(3);
    disk.answer("archive", &["old/core"]).assert(1).says("still holds");
}

// ---- service-restart

fn restart(runbook: &Runbook, service: &Service, config: Option<&Path>, settle: &str) -> harness::program::Ran {
    let health = service.health_url();
    let mut inputs = vec![("service", text(&service.dir)), ("health", health.as_str()), ("settle", settle)];
    inputs.extend(config.map(|config| ("config", text(config))));
    runbook.exec("service-restart", &inputs)
}

/// The case that starts its own service: what an author runs before a release.
#[test]
fn the_test_of_it_restarts_a_real_service() {
    let runbook = Runbook::shipped();
    runbook.run(["test", "--real"]).assert(0).says("passed: 1 case");
}

#[test]
fn a_service_is_restarted() {
    let (runbook, service) = (Runbook::shipped(), Service::start());
    let before = service.pid();
    restart(&runbook, &service, None, "1s").assert(0);
    assert_ne!(service.pid(), before);
    assert_eq!(service.health(), Some(200));
}

#[test]
fn a_new_configuration_is_installed_and_can_be_taken_back() {
    let (runbook, service) = (Runbook::shipped(), Service::start());
    let former = fs::read_to_string(service.dir.join("config")).expect("a configuration");
    let config = runbook.scratch.join("config");
    fs::write(&config, format!("{former}# reviewed\n")).expect("a configuration");
    restart(&runbook, &service, Some(&config), "1s").assert(0);
    assert!(fs::read_to_string(service.dir.join("config")).expect("a configuration").contains("reviewed"));
    runbook.run(["undo", "last", "--yes", "--reason", "trying it"]).assert(0);
    assert_eq!(fs::read_to_string(service.dir.join("config")).expect("a configuration"), former);
    eventually("the service", || (service.health() == Some(200)).then_some(()));
}

/// Installs a configuration that the service cannot live with, and sees it go again.
fn is_rolled_back(settle: &str, edit: impl FnOnce(&str) -> String) {
    let (runbook, service) = (Runbook::shipped(), Service::start());
    let former = fs::read_to_string(service.dir.join("config")).expect("a configuration");
    let config = runbook.scratch.join("config");
    fs::write(&config, edit(&former)).expect("a configuration");
    restart(&runbook, &service, Some(&config), settle).assert(1);
    runbook.run(["show", "last"]).assert(0).says("rolled back");
    assert_eq!(fs::read_to_string(service.dir.join("config")).expect("a configuration"), former);
    eventually("the service", || (service.health() == Some(200)).then_some(()));
}

#[test]
fn a_configuration_without_a_health_page_is_rolled_back() {
    is_rolled_back("1s", |former| former.replace("/well", "/ill"));
}

#[test]
fn a_configuration_that_ends_the_service_at_once_is_rolled_back() {
    is_rolled_back("1s", |former| format!("{former}exit 1\n"));
}

#[test]
fn a_configuration_that_lets_the_service_crash_after_a_moment_is_rolled_back() {
    // It lives for less than it must stay up, whenever it is looked at first.
    is_rolled_back("3s", |former| format!("{former}(sleep 0.8; kill -9 $$) &\n"));
}

#[test]
fn in_production_somebody_looks_before_anything_changes() {
    let (runbook, service) = (Runbook::shipped().env("RUNBOOK_ENVIRONMENT", "production"), Service::start());
    let before = service.pid();
    restart(&runbook, &service, None, "1s").assert(3).says("hosts-in-production");
    assert_eq!(service.pid(), before, "nothing runs before a yes");
    runbook.approve_and_resume().assert(0);
    assert_ne!(service.pid(), before);
}
