//! Each fault that the doctor knows is made, and must be found; where there is none, nothing is.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{eventually, find_program, free_port, run as harness_run};
use crate::{Begun, Place};

/// `standing about` of each finding, and the exit code.
#[track_caller]
fn found(place: &Place, words: &[&str]) -> (BTreeMap<String, String>, i32) {
    let ran = place.runbook.run([&["doctor", "--json", "--listen", "127.0.0.1:0"], words].concat());
    let findings = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{ran:?}")));
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        // Whether this machine keeps its clock right is nothing that a test can know, nor how full its disk is.
        if ["clock", "space", "disk", "files", "host"].contains(&text("about").as_str()) {
            continue;
        }
        assert_eq!(finding["standing"] == "ok", text("next").is_empty(), "a fault has a next thing to do: {finding}");
        if text("standing") != "ok" {
            let told = all.entry(format!("{} {}", text("standing"), text("about"))).or_default();
            told.push_str(&format!("{}\n{}\n", text("found"), text("next")));
        }
    }
    (all, ran.code)
}

/// Exactly this is wrong, and it says so.
#[track_caller]
fn only(place: &Place, words: &[&str], fault: &str, says: &[&str]) {
    let (all, code) = found(place, words);
    assert_eq!(all.keys().collect::<Vec<_>>(), [fault], "{all:?}");
    for text in says {
        assert!(all[fault].contains(text), "it does not say `{text}`: {all:?}");
    }
    assert_eq!(code, i32::from(fault.starts_with("fail")), "{all:?}");
}

fn well() -> Place {
    Place::with("[{id: a, run: 'echo a >> EFFECTS', idempotent: true}]")
}

fn sql(state: &Path, file: &str, statement: &str) {
    let connection = Connection::open(state.join(file)).unwrap();
    connection.execute_batch(statement).unwrap();
}

#[test]
fn what_is_well_is_called_well() {
    let place = well();
    assert_eq!(found(&place, &[]), (BTreeMap::new(), 0), "before the first run");
    assert!(!place.runbook.state().exists(), "nothing is made");
    place.runbook.exec("fix", &[]).assert(0);
    place.runbook.run(["token", "create", "--for", "you"]).assert(0);
    place.runbook.run(["events"]).assert(0);
    assert_eq!(found(&place, &["--thorough"]), (BTreeMap::new(), 0));
    let told = place.runbook.run(["doctor", "--listen", "127.0.0.1:0"]).assert(0);
    assert!(told.stdout.contains(" 1 ended\n"), "{}", told.stdout);
}

#[test]
fn a_folder_that_is_open_to_others() {
    let place = well();
    place.runbook.exec("fix", &[]).assert(0);
    let state = place.runbook.state();
    let set = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set(&state, 0o755);
    only(&place, &[], "warn state", &["mode 0755", "chmod 700"]);
    set(&state, 0o777);
    only(&place, &[], "fail state", &["others may write to it (mode 0777)", "chmod 700"]);
    set(&state, 0o700);
    set(&state.join("journal.db"), 0o644);
    only(&place, &[], "warn store", &["journal.db can be read by others (mode 0644)"]);
}

#[test]
fn databases_that_are_damaged_newer_or_somebody_elses() {
    let place = well();
    let state = place.runbook.state();
    place.runbook.exec("fix", &[]).assert(0);
    sql(&state, "journal.db", "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = std::fs::read(state.join("journal.db")).unwrap();
    for (statement, says) in
        [("PRAGMA user_version = 99", "written in format 99"), ("PRAGMA application_id = 7", "a database of another program")]
    {
        sql(&state, "journal.db", statement);
        only(&place, &[], "fail store", &[says]);
        std::fs::write(state.join("journal.db"), &whole).unwrap();
    }
    // A page in the middle of it, with rows.
    let mut damaged = whole.clone();
    let page = damaged.len() / 4096 / 2 * 4096;
    damaged[page..page + 64].fill(0xff);
    std::fs::write(state.join("journal.db"), damaged).unwrap();
    only(&place, &[], "fail store", &["journal.db"]);
}

#[test]
fn runs_that_a_dead_process_left_with_their_lock() {
    let place = Place::with("[{id: a, run: 'echo a >> EFFECTS; sleep 600', irreversible: x}]");
    let mut child = place.under_way("a");
    assert_eq!(found(&place, &[]).0, BTreeMap::new(), "while it is driven");
    child.kill().unwrap();
    child.wait().unwrap();
    let (all, code) = found(&place, &[]);
    assert_eq!((all.keys().map(String::as_str).collect::<Vec<_>>(), code), (vec!["warn leases", "warn locks"], 0), "{all:?}");
    assert!(all["warn leases"].contains("runbook resume 0"), "{all:?}");
    assert!(all["warn locks"].contains("`one` by 0"), "{all:?}");
}

#[test]
fn records_and_an_audit_log_that_were_changed() {
    let place = well();
    let state = place.runbook.state();
    place.runbook.exec("fix", &[]).assert(0);
    place.runbook.run(["token", "create", "--for", "you"]).assert(0);
    sql(&state, "access.db", "UPDATE audit SET body = replace(body, 'token_create', 'token_revoke')");
    only(&place, &[], "fail audit", &["entry 1 of the audit log", "runbook audit"]);
    sql(&state, "access.db", "UPDATE audit SET body = replace(body, 'token_revoke', 'token_create')");
    sql(&state, "journal.db", "UPDATE events SET body = replace(body, 'fix', 'fax') WHERE seq = 1");
    assert_eq!(found(&place, &[]).0, BTreeMap::new(), "records are proved where that is asked for");
    only(&place, &["--thorough"], "fail records", &["not whole: 0", "runbook verify 0"]);
}

#[test]
fn accounts_of_nobody_and_without_a_password() {
    let place = well();
    place.runbook.run_with(["account", "add", "you"], "some words of you\n").assert(0);
    assert_eq!(found(&place, &[]).0, BTreeMap::new());
    let state = place.runbook.state();
    sql(&state, "access.db", "UPDATE accounts SET password = NULL");
    only(&place, &[], "warn accounts", &["have no password: you", "runbook account password PERSON"]);
    sql(&state, "access.db", "UPDATE accounts SET person = 'gone', body = replace(body, '\"you\"', '\"gone\"')");
    only(&place, &[], "warn accounts", &["not in the workspace any more: gone", "runbook account remove PERSON"]);
}

#[test]
fn a_token_that_ends_soon() {
    let place = well();
    place.runbook.run(["token", "create", "--for", "you", "--expires", "3d"]).assert(0);
    only(&place, &[], "warn tokens", &["of you", "runbook token create --for PERSON"]);
}

#[test]
fn a_catalogue_with_faults_and_secrets_that_cannot_be_fetched() {
    let place = well();
    let workspace = std::fs::read_to_string(place.books.join("workspace.yaml")).unwrap();
    let write = |more: &str| std::fs::write(place.books.join("workspace.yaml"), format!("{workspace}{more}\n")).unwrap();
    write("nonsense: 1");
    only(&place, &[], "fail catalogue", &["1 error", "runbook check"]);
    write("sources: {alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {env: NO_SUCH_VARIABLE}}}}");
    only(&place, &[], "fail secrets", &["`token` of the source `alerts`", "NO_SUCH_VARIABLE", "nothing is served without it"]);
    write(
        "secrets: {vault: {command: [/bin/false, '{key}']}}\nchannels: {ops: {http: {url: secrets.hook, json: {}}, secrets: {hook: {from: vault, key: k}}}}",
    );
    only(&place, &[], "fail secrets", &["`hook` of the channel `ops`", "/bin/false", "no message reaches anybody"]);
    write("");
    let fix = std::fs::read_to_string(place.books.join("fix.yaml")).unwrap();
    std::fs::write(
        place.books.join("fix.yaml"),
        fix.replace("steps:", "secrets: {k: {file: k.txt}}\nsteps:").replace("idempotent", "env: {K: secrets.k}, idempotent"),
    )
    .unwrap();
    only(&place, &[], "warn secrets", &["`k` of `fix`", "k.txt"]);
    std::fs::write(place.books.join("k.txt"), "very-secret-text").unwrap();
    let ran = place.runbook.run(["doctor", "--json"]);
    only(&place, &[], "warn secrets", &["others can read it", "chmod 600 k.txt"]);
    assert!(!ran.stdout.contains("very-secret-text"), "{}", ran.stdout);
}

#[test]
fn certificates_by_their_time_and_their_key() {
    let place = well();
    let folder = place.runbook.scratch.folder("tls");
    let make = |name: &str, days: &str| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let mut openssl = Command::new(find_program("openssl"));
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=here"]);
        harness_run(openssl.args(["-days", days, "-keyout", &key, "-out", &certificate]).current_dir(&folder));
    };
    let tls = |certificate: &str, key: &str| {
        let path = |name: &str| folder.join(name).display().to_string();
        ["--tls-certificate".to_owned(), path(certificate), "--tls-key".to_owned(), path(key)]
    };
    make("good", "90");
    make("soon", "5");
    std::fs::write(folder.join("empty.crt"), "").unwrap();
    let check = |certificate: &str, key: &str, fault: &str, says: &str| {
        let words = tls(certificate, key);
        only(&place, &words.each_ref().map(String::as_str), fault, &[says]);
    };
    let words = tls("good.crt", "good.key");
    assert_eq!(found(&place, &words.each_ref().map(String::as_str)).0, BTreeMap::new());
    check("soon.crt", "soon.key", "warn certificate", "is valid until");
    check("good.crt", "soon.key", "fail certificate", "good.crt");
    check("empty.crt", "good.key", "fail certificate", "it holds no certificate");
    check("none.crt", "good.key", "fail certificate", "none.crt");
    std::fs::set_permissions(folder.join("good.key"), PermissionsExt::from_mode(0o644)).unwrap();
    check("good.crt", "good.key", "warn certificate", "everybody can read");
}

#[test]
fn who_is_at_the_port() {
    let place = well();
    let ask = |listen: &str| {
        let ran = place.runbook.run(["doctor", "--json", "--listen", listen]);
        let port = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line["about"] == "port");
        let port = port.unwrap_or_else(|| panic!("{ran:?}"));
        (port["standing"].as_str().unwrap().to_owned(), port["found"].as_str().unwrap().to_owned())
    };
    let listen = format!("127.0.0.1:{}", free_port());
    assert_eq!(ask(&listen).0, "ok");
    let mut server = Begun::quietly(&mut place.runbook.command(["serve", "--listen", &listen]));
    eventually("a server", || (ask(&listen).1 == format!("a server listens on {listen}, and is ready")).then_some(()));
    let workspace = place.books.join("workspace.yaml");
    let text = std::fs::read_to_string(&workspace).unwrap();
    std::fs::write(&workspace, format!("{text}nonsense: 1\n")).unwrap();
    eventually("its trouble", || (ask(&listen).0 == "warn").then_some(()));
    server.kill().unwrap();
    server.wait().unwrap();
    // Somebody who says nothing, and is not waited for.
    let other = TcpListener::bind(&listen).unwrap();
    let (standing, why) = ask(&listen);
    assert!(standing == "fail" && why.contains("no `runbook serve`"), "{standing}: {why}");
    drop(other);
    let (standing, why) = ask("0.0.0.0:8480");
    assert!(standing == "fail" && why.contains("nobody has a token"), "{standing}: {why}");
}
