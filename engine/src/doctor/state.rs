//! The state folder and what is in it: whose it is, the disk beneath it, its databases, and what processes that have ended left there.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use runbook_core::{RunId, limits};
use rustix::fs::{StatVfsMountFlags, statfs, statvfs};

use super::{Chart, Patient, named};
use crate::access::{Access, Account, Seals};
use crate::catalogue::Catalogue;
use crate::database::{Commits, Look, Looked};
use crate::dispatch;
use crate::intake::Intake;
use crate::journal::{Archive, DecisionFilter, JournalError, Phase, RunFilter, Store, every_run};
use crate::log::Logs;
use crate::verify::{Evidence, verify_run};
use crate::words::{bytes, count};

pub(super) fn examine(patient: &Patient<'_>, chart: &mut Chart) {
    let state = &patient.state;
    let there = state.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    disk(there, chart);
    if !state.exists() {
        return match rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
            Ok(()) => chart.ok("state", format!("{} is not there yet; the first run makes it", state.display())),
            Err(_) => chart.fail(
                "state",
                format!("{} is not there, and may not be made in {}", state.display(), there.display()),
                "choose another folder with `--state DIR`",
            ),
        };
    }
    let how = if patient.thorough { Look::Through { most: u64::MAX } } else { Look::Through { most: limits::LOOKED_THROUGH } };
    let looks = [Store::look(state, how), Intake::look(state, how), Access::look(state, how)];
    if let Some(Err(refused @ JournalError::Folder { .. })) = looks.first() {
        return chart.fail_as("state", refused);
    }
    folder(state, chart);
    let [journal, events, access] = looks.map(|look| database(look, chart));
    if journal {
        told(runs(patient, chart), "runs", chart);
    }
    if events {
        told(arrived(state, chart), "events", chart);
    }
    if access {
        told(audit(patient, chart), "audit", chart);
        told(tokens(state, chart), "tokens", chart);
        told(accounts(patient, chart), "accounts", chart);
    }
}

fn told(looked: Result<(), JournalError>, about: &'static str, chart: &mut Chart) {
    if let Err(error) = looked {
        chart.fail_as(about, &error);
    }
}

/// File systems on which locks, or what was synced, cannot be relied on.
const SHARED: [(u64, &str); 5] =
    [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB"), (0x0102_1997, "9P"), (0x00c3_6400, "Ceph")];
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

fn disk(there: &Path, chart: &mut Chart) {
    let shown = there.display();
    match statfs(there) {
        Ok(found) => {
            // The type is signed on some machines, and its 32 bits are what counts.
            let kind = found.f_type as u64 & 0xffff_ffff;
            if let Some((_, name)) = SHARED.iter().find(|(magic, _)| *magic == kind) {
                chart.fail(
                    "disk",
                    format!("{shown} is on {name}: SQLite's locks and its shared memory need a disk of this machine"),
                    "choose a folder on a local disk with `--state DIR`",
                );
            } else if kind == TMPFS || kind == RAMFS {
                chart.warn(
                    "disk",
                    format!("{shown} is in memory: the records are gone when the machine restarts"),
                    "choose a folder on a disk with `--state DIR`",
                );
            }
        }
        Err(why) => return chart.fail("disk", format!("{shown} cannot be looked at: {why}"), "look at the mounts"),
    }
    let Ok(found) = statvfs(there) else { return };
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return chart.fail("disk", format!("{shown} is mounted read-only"), "look at the kernel's log, then mount it for writing");
    }
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let all = found.f_blocks.saturating_mul(found.f_frsize).max(1);
    let percent = |part: u64, whole: u64| (u128::from(part) * 100 / u128::from(whole.max(1))) as u64;
    let (room, names) = (percent(free, all), percent(found.f_favail, found.f_files));
    let next = "free space, or compact ended runs: `runbook prune --help`";
    if free < limits::SPACE_OUT {
        chart.fail("space", format!("{} free: nothing more can be recorded soon", bytes(free)), next);
    } else if free < limits::SPACE_LOW || room < limits::SPACE_LOW_PERCENT {
        chart.warn("space", format!("{} free ({room} %)", bytes(free)), next);
    } else if found.f_files > 0 && names < limits::SPACE_LOW_PERCENT {
        chart.warn("space", format!("{names} % of the disk's files are free: each log takes one"), next);
    } else {
        chart.ok("space", format!("{} free ({room} %)", bytes(free)));
    }
}

fn folder(state: &Path, chart: &mut Chart) {
    let mode = std::fs::metadata(state).map(|found| found.mode() & 0o7777).unwrap_or_default();
    let shown = state.display();
    match mode & 0o077 {
        0 => chart.ok("state", format!("{shown} is yours alone (mode {mode:04o})")),
        _ => chart.warn(
            "state",
            format!("others may look into {shown} (mode {mode:04o}), and records say what your systems answered"),
            format!("chmod 700 {shown}"),
        ),
    }
}

/// Whether it can be opened as it is, without making anything anew.
fn database(look: Result<Option<Looked>, JournalError>, chart: &mut Chart) -> bool {
    const ABOUT: &str = "store";
    let looked = match look {
        Ok(Some(looked)) => looked,
        Ok(None) => return false,
        Err(error) => {
            chart.fail_as(ABOUT, &error);
            return false;
        }
    };
    let Looked { file, bytes: size, log_bytes, made, known, damage, open_to_others } = looked;
    if let Some(mode) = open_to_others {
        chart.warn(
            ABOUT,
            format!("{file} can be read by others (mode {mode:04o})"),
            format!("chmod 600 {file} in the state folder"),
        );
    }
    if log_bytes > limits::LOG_BEHIND {
        chart.warn(
            ABOUT,
            format!("{} of {file} wait in its log: some process reads and does not stop", bytes(log_bytes)),
            "end what has been reading for long (`runbook replay --follow`, a stream), or restart the server",
        );
    }
    if let Some(Some(damage)) = damage {
        chart.fail(
            ABOUT,
            format!("{file} is damaged: {damage}"),
            "stop every process of this state folder, keep a copy of it, and restore a backup: `runbook restore --help`",
        );
        return false;
    }
    if made < known {
        chart.warn(
            ABOUT,
            format!("{file} is of an earlier version ({made} of {known} steps): what is in it was not looked at"),
            "make a backup, then run any command of this version, which brings it up to date: `runbook backup FILE`",
        );
        return false;
    }
    let through = if damage.is_some() { "whole" } else { "not looked through: `--thorough` does" };
    chart.ok(ABOUT, format!("{file}: version {made}, {}, {through}", bytes(size)));
    true
}

fn runs(patient: &Patient<'_>, chart: &mut Chart) -> Result<(), JournalError> {
    let store = Store::open_with(&patient.state, Commits::OnTheSpot)?;
    let now = chart.now;
    let counts = store.counts()?;
    let of: Vec<String> = counts.iter().map(|(phase, count)| format!("{count} {}", phase.as_str())).collect();
    chart.ok("runs", if of.is_empty() { "there are none yet".to_owned() } else { of.join(", ") });
    if let Some(last) = store.last_at()?
        && now.saturating_add(limits::CLOCK_BEHIND).unwrap_or(Timestamp::MAX) < last
    {
        chart.warn(
            "clock",
            format!("it shows {now}, and something was recorded at {last}: it was set back, or was ahead"),
            "timedatectl status",
        );
    }
    let mut left: Vec<RunId> = Vec::new();
    let mut driven = 0;
    for phase in [Phase::Running, Phase::Cancelling] {
        for row in every_run(&store, RunFilter { phase: Some(phase), ..RunFilter::default() }) {
            let row = row?;
            match row.is_held(now) {
                true => driven += 1,
                false => left.push(row.run),
            }
        }
    }
    match left.first() {
        Some(first) => {
            let next = format!("runbook resume {first}");
            chart.warn("leases", format!("left in their midst by processes that have ended: {}", named(&left)), next);
        }
        None => chart.ok("leases", format!("{} under way, and none without its process", count(driven, "run is", "runs are"))),
    }
    locks(&store, now, chart)?;
    decisions(&store, now, chart)?;
    if patient.thorough {
        records(patient, &store, chart)?;
    }
    Ok(())
}

fn locks(store: &Store, now: Timestamp, chart: &mut Chart) -> Result<(), JournalError> {
    let mut stuck = Vec::new();
    let mut held = 0;
    for (lock, run) in store.locks()? {
        let row = store.run(&run)?;
        match row.is_held(now) || matches!(row.summary.phase, Phase::Waiting) {
            true => held += 1,
            false => stuck.push((lock, run, row.standing(now))),
        }
    }
    match stuck.first() {
        None => chart.ok("locks", format!("{} held by runs that go on", count(held, "lock is", "locks are"))),
        Some((_, run, _)) => {
            let next = format!("runbook resume {run}");
            let told: Vec<String> = stuck.iter().map(|(lock, run, standing)| format!("`{lock}` by {run} ({standing})")).collect();
            chart.warn("locks", format!("held by runs that nobody drives: {}", named(&told)), next);
        }
    }
    Ok(())
}

fn decisions(store: &Store, now: Timestamp, chart: &mut Chart) -> Result<(), JournalError> {
    let open = store.open_decisions(&DecisionFilter::all())?;
    let past: Vec<&RunId> =
        open.iter().filter(|asked| asked.expires_at.is_some_and(|at| at < now)).map(|asked| &asked.run).collect();
    match past.first() {
        Some(first) => chart.warn(
            "decisions",
            format!("past their time, and nobody has said so to their runs: {}", named(&past)),
            format!("runbook serve, or runbook resume {first}"),
        ),
        None => chart.ok("decisions", format!("{} for people", count(open.len() as u64, "waits", "wait"))),
    }
    Ok(())
}

/// Proves each record, with the logs that belong to it.
fn records(patient: &Patient<'_>, store: &Store, chart: &mut Chart) -> Result<(), JournalError> {
    let Ok(logs) = Logs::open_in(store.handle(), store.folder()) else {
        chart.fail("records", "the folder of the logs cannot be opened", "look who owns `logs` in the state folder");
        return Ok(());
    };
    let access = Access::open(&patient.state, Commits::OnTheSpot)?;
    let seals = Seals::of(&access);
    let evidence = Evidence { logs: Some(&logs), seals: Some(&seals), ..Evidence::default() };
    let (mut whole, mut broken) = (0, Vec::new());
    for row in every_run(store, RunFilter::default()) {
        let row = row?;
        match verify_run(store, &row.run, &evidence) {
            Ok(found) if found.is_sound() => whole += 1,
            Ok(_) => broken.push(row.run),
            Err(error) if error.is_of_one_run() => broken.push(row.run),
            Err(error) => return Err(error),
        }
    }
    match broken.first() {
        None => chart.ok("records", format!("{} whole", count(whole, "record is", "records are"))),
        Some(first) => {
            let next = format!("runbook verify {first}");
            chart.fail("records", format!("not whole: {}", named(&broken)), next);
        }
    }
    Ok(())
}

fn arrived(state: &Path, chart: &mut Chart) -> Result<(), JournalError> {
    let intake = Intake::open(state, Commits::OnTheSpot)?;
    let backlog = intake.backlog(limits::UNJUDGED_EVENTS + 1)?;
    let owed = intake.owed(0, limits::RECORDS_PAGE)?.len() as u64;
    let is_served = match dispatch::is_under_way(&intake) {
        Ok(is_served) => is_served,
        Err(why) => {
            chart.fail_as("events", &why);
            return Ok(());
        }
    };
    if backlog.events == 0 && owed == 0 {
        chart.ok(
            "events",
            format!("none wait for a decision; {}", if is_served { "a process decides" } else { "nobody decides now" }),
        );
    } else {
        let since = backlog.oldest.map(|at| format!(", the oldest since {at}")).unwrap_or_default();
        let found = format!("{} for a decision{since}; {owed} decided and not begun", count(backlog.events, "waits", "wait"));
        match is_served {
            true => chart.ok("events", found),
            false => chart.warn("events", format!("{found}; nobody decides now"), "runbook serve"),
        }
    }
    Ok(())
}

fn audit(patient: &Patient<'_>, chart: &mut Chart) -> Result<(), JournalError> {
    let access = Access::open(&patient.state, Commits::OnTheSpot)?;
    let (entries, broken_at) = match patient.thorough {
        true => access.through().map(|through| (through.entries, through.broken_at)),
        false => access.audited(None, limits::AUDIT_PAGE).map(|page| (page.entries.len() as u64, page.broken_at)),
    }?;
    if let Some(number) = broken_at {
        chart.fail(
            "audit",
            format!("entry {number} of the audit log does not follow from the one before it: the log was changed"),
            "keep a copy of the state folder, and compare it with a backup: `runbook audit`",
        );
        return Ok(());
    }
    let part = if patient.thorough { "" } else { "the last " };
    chart.ok("audit", format!("{part}{} of the audit log follow one from another", count(entries, "entry", "entries")));
    Ok(())
}

fn tokens(state: &Path, chart: &mut Chart) -> Result<(), JournalError> {
    let now = chart.now;
    let soon = now.saturating_add(limits::EXPIRES_SOON).unwrap_or(Timestamp::MAX);
    let tokens = Access::open(state, Commits::OnTheSpot)?.tokens()?;
    let valid: Vec<_> = tokens.iter().filter(|token| token.is_valid(now)).collect();
    let ending: Vec<String> = valid
        .iter()
        .filter(|token| token.expires_at < soon)
        .map(|token| format!("{} of {} ({})", token.id, token.person, token.expires_at))
        .collect();
    match ending.is_empty() {
        true => chart.ok("tokens", format!("{} valid", count(valid.len() as u64, "token is", "tokens are"))),
        false => chart.warn("tokens", format!("end soon: {}", named(&ending)), "runbook token create --for PERSON"),
    }
    Ok(())
}

/// Those of people who have left the workspace, and those that were restored without a password.
fn accounts(patient: &Patient<'_>, chart: &mut Chart) -> Result<(), JournalError> {
    let access = Access::open(&patient.state, Commits::OnTheSpot)?;
    let (accounts, now) = (access.accounts()?, chart.now);
    let names = |is_meant: &dyn Fn(&Account) -> bool| -> Vec<String> {
        accounts.iter().filter(|account| is_meant(account)).map(|account| account.person.clone()).collect()
    };
    let gone = match Catalogue::open(&patient.catalogue).ok().as_ref().and_then(Catalogue::workspace) {
        Some(workspace) => names(&|account| !workspace.people.people.contains_key(&account.person)),
        None => Vec::new(),
    };
    let void = names(&|account| !account.has_password);
    if !gone.is_empty() {
        chart.warn("accounts", format!("not in the workspace any more: {}", named(&gone)), "runbook account remove PERSON");
    } else if !void.is_empty() {
        chart.warn("accounts", format!("have no password: {}", named(&void)), "runbook account password PERSON");
    } else {
        let open = access.sessions()?.iter().filter(|session| session.is_valid(now)).count() as u64;
        let sessions = count(open, "session is open", "sessions are open");
        chart.ok("accounts", format!("{}; {sessions}", count(accounts.len() as u64, "account", "accounts")));
    }
    Ok(())
}
