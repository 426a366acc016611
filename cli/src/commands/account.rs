//! `runbook account`: who may log in to the server of this state folder with a password. What they may do there is the workspace's
//! business.

use std::io::{IsTerminal, Read, stdin};

use runbook_core::limits;
use runbook_core::policy::access::{Rights, Scope};
use runbook_engine::access::{Access, Account, Hashed, Password, Unfit};
use runbook_engine::catalogue::Catalogue;
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::journal::Commits;
use runbook_engine::people;
use serde_json::json;

use super::token::{entry, tell_without_role, workspace_of};
use crate::args::{self, AccountPart};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::{count, when};
use crate::ui::{Tone, Ui, hidden, line, table};

pub fn run(args: &args::Account, settings: &Settings, ui: &mut Ui) -> Outcome {
    match &args.part {
        AccountPart::Add(args) => add(&args.person, settings, ui),
        AccountPart::List(args) => list(args.json, settings, ui),
        AccountPart::Password(args) => password(&args.person, settings, ui),
        AccountPart::Remove(args) => remove(&args.person, settings, ui),
    }
}

fn open(settings: &Settings) -> Result<Access, Trouble> {
    Ok(Access::open(&settings.state()?.value, Commits::OnTheSpot)?)
}

fn no_account(person: &str) -> Trouble {
    Trouble::not_valid(format!("`{}` has no account", line(person))).next("runbook account list")
}

/// A new password: typed twice, or the first line of standard input.
fn read(ui: &mut Ui) -> Result<Hashed, Trouble> {
    let not_read = |why: std::io::Error| Trouble::failed(format!("the password cannot be read: {why}"));
    let unfit = |why: Unfit| Trouble::not_valid(why.to_string()).next("choose some words that nobody knows of you");
    // Even where nobody sees the question: what is typed is not to be seen either.
    if stdin().is_terminal() {
        let left = || Trouble::failed("nothing was changed").exits(Exit::Cancelled);
        let first = hidden::password(ui, "new password: ").map_err(not_read)?.ok_or_else(left)?;
        let hashed = first.hashed().map_err(unfit)?;
        let second = hidden::password(ui, "once more: ").map_err(not_read)?.ok_or_else(left)?;
        return match first == second {
            true => Ok(hashed),
            false => Err(Trouble::not_valid("these are two different passwords").next("type the same one twice")),
        };
    }
    // One more than may be, and the end of a line, to see that there are more.
    let most = limits::PASSWORD_BYTES + 3;
    let mut bytes = Vec::with_capacity(most);
    stdin().take(most as u64).read_to_end(&mut bytes).map_err(not_read)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes.truncate(bytes.strip_suffix(b"\r").map_or(end, <[u8]>::len));
    Password::shown(bytes).hashed().map_err(unfit)
}

fn add(person: &str, settings: &Settings, ui: &mut Ui) -> Outcome {
    let catalogue = Catalogue::open(&settings.catalogue.value)?;
    let workspace = workspace_of(&catalogue, person)?;
    let access = open(settings)?;
    let has_one = || Trouble::not_valid(format!("`{}` has an account", line(person))).next("runbook account password PERSON");
    if access.accounts()?.iter().any(|account| account.person == person) {
        return Err(has_one());
    }
    let password = read(ui)?;
    let now = SystemClock.now();
    let made_by = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?.user;
    let account = Account { person: person.to_owned(), made_at: now, made_by, set_at: now, has_password: true };
    if !access.add_account(account, password, entry("account_add", person, now, None)?).wait()? {
        return Err(has_one());
    }
    ui.say(&format!("`{}` can log in", line(person)));
    let rights = Rights::of(&workspace.access, &workspace.people, person, &Scope::default());
    if !tell_without_role(&rights, person, ui) {
        ui.next("runbook serve");
    }
    Ok(Exit::Succeeded)
}

fn list(as_json: bool, settings: &Settings, ui: &mut Ui) -> Outcome {
    let access = open(settings)?;
    let (accounts, sessions, now) = (access.accounts()?, access.sessions()?, SystemClock.now());
    let open = |account: &Account| sessions.iter().filter(|s| s.person == account.person && s.is_valid(now)).count();
    if as_json {
        for account in &accounts {
            let mut told = json!(account);
            told["sessions"] = open(account).into();
            ui.data(&told.to_string())?;
        }
        return Ok(Exit::Succeeded);
    }
    if accounts.is_empty() {
        ui.say("there are no accounts");
        ui.next("runbook account add PERSON");
        return Ok(Exit::Succeeded);
    }
    let rows = accounts.iter().map(|account| {
        let password = match account.has_password {
            true => format!("of {}", when(account.set_at)),
            false => Tone::Bad.paint("none: nobody can log in"),
        };
        let made = format!("{} by {}", when(account.made_at), account.made_by);
        vec![line(&account.person).into_owned(), password, open(account).to_string(), line(&made).into_owned()]
    });
    ui.data(&table(&["person", "password", "sessions", "made"], rows.collect()))?;
    Ok(Exit::Succeeded)
}

fn password(person: &str, settings: &Settings, ui: &mut Ui) -> Outcome {
    let access = open(settings)?;
    if !access.accounts()?.iter().any(|account| account.person == person) {
        return Err(no_account(person));
    }
    let password = read(ui)?;
    let ended = access.set_password(person, password, entry("account_password", person, SystemClock.now(), None)?).wait()?;
    let ended = ended.ok_or_else(|| no_account(person))?;
    ui.say(&format!("`{}` logs in with the new password; {}", line(person), ended_sessions(ended)));
    Ok(Exit::Succeeded)
}

fn remove(person: &str, settings: &Settings, ui: &mut Ui) -> Outcome {
    let ended = open(settings)?.remove_account(person, entry("account_remove", person, SystemClock.now(), None)?).wait()?;
    let ended = ended.ok_or_else(|| no_account(person))?;
    ui.say(&format!("`{}` cannot log in any more; {}", line(person), ended_sessions(ended)));
    Ok(Exit::Succeeded)
}

fn ended_sessions(ended: u64) -> String {
    count(ended, "session has ended", "sessions have ended")
}
