//! Accounts: people of the workspace who log in with a password. One that was restored from a backup has none until somebody gives it one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Access, Entry, Hashed, session};
use crate::journal::{Durability, JournalError, Receipt};

/// An account as it is kept: all but the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The person of the workspace who logs in with it.
    pub person: String,
    pub made_at: Timestamp,
    /// The user of this machine who made it.
    pub made_by: String,
    /// When its password was set last.
    pub set_at: Timestamp,
    /// Whether anybody can log in.
    #[serde(skip_deserializing)]
    pub has_password: bool,
}

impl Access {
    /// By name.
    pub fn accounts(&self) -> Result<Vec<Account>, JournalError> {
        self.database.read(rows::accounts)
    }

    /// Makes an account, and writes down that it was made. False where the person has one.
    pub fn add_account(&self, account: Account, password: Hashed, entry: Entry) -> Receipt<bool> {
        self.database.submit(Durability::Synced, move |c| {
            let is_new = rows::add(c, &account, &password)?;
            if is_new {
                super::rows::audit(c, &entry)?;
            }
            Ok(is_new)
        })
    }

    /// Gives an account another password, and ends the sessions that were begun with the one before: how many. `None` where the person has
    /// no account.
    pub fn set_password(&self, person: &str, password: Hashed, entry: Entry) -> Receipt<Option<u64>> {
        let person = person.to_owned();
        self.database.submit(Durability::Synced, move |c| {
            if !rows::set_password(c, &person, &password, entry.at)? {
                return Ok(None);
            }
            let ended = session::rows::end_of(c, &person, entry.at)?;
            super::rows::audit(c, &entry)?;
            Ok(Some(ended))
        })
    }

    /// Removes an account and ends its sessions: how many. `None` where the person has none.
    pub fn remove_account(&self, person: &str, entry: Entry) -> Receipt<Option<u64>> {
        let person = person.to_owned();
        self.database.submit(Durability::Synced, move |c| {
            if !rows::remove(c, &person)? {
                return Ok(None);
            }
            let ended = session::rows::end_of(c, &person, entry.at)?;
            super::rows::audit(c, &entry)?;
            Ok(Some(ended))
        })
    }

    /// What is kept of a person's password, where they have one.
    pub fn password_of(&self, person: &str) -> Result<Option<Hashed>, JournalError> {
        self.database.read(|c| rows::password(c, person))
    }
}

pub(super) mod rows {
    use jiff::Timestamp;
    use rusqlite::{Connection, OptionalExtension};

    use super::{Account, Hashed};
    use crate::database::{ChangeError, from_json, to_json};

    type Found<T> = Result<T, ChangeError>;

    pub fn accounts(c: &Connection) -> Found<Vec<Account>> {
        let mut statement = c.prepare_cached("SELECT body, password IS NOT NULL FROM accounts ORDER BY person")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, bool)> = rows.collect::<Result<_, _>>()?;
        let account = |(body, has_password): (String, bool)| Ok(Account { has_password, ..from_json(&body)? });
        rows.into_iter().map(account).collect()
    }

    pub fn add(c: &Connection, account: &Account, password: &Hashed) -> Found<bool> {
        let added = c
            .prepare_cached("INSERT INTO accounts (person, password, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute([&account.person, &password.0, &to_json(account)?])?;
        Ok(added > 0)
    }

    pub fn set_password(c: &Connection, person: &str, password: &Hashed, at: Timestamp) -> Found<bool> {
        let body: Option<String> =
            c.prepare_cached("SELECT body FROM accounts WHERE person = ?1")?.query_row([person], |row| row.get(0)).optional()?;
        let Some(body) = body else { return Ok(false) };
        let account = Account { set_at: at, ..from_json(&body)? };
        c.prepare_cached("UPDATE accounts SET password = ?2, body = ?3 WHERE person = ?1")?.execute([
            person,
            &password.0,
            &to_json(&account)?,
        ])?;
        Ok(true)
    }

    pub fn remove(c: &Connection, person: &str) -> Found<bool> {
        Ok(c.prepare_cached("DELETE FROM accounts WHERE person = ?1")?.execute([person])? > 0)
    }

    pub fn password(c: &Connection, person: &str) -> Found<Option<Hashed>> {
        let found = c
            .prepare_cached("SELECT password FROM accounts WHERE person = ?1")?
            .query_row([person], |row| row.get::<_, Option<String>>(0))
            .optional()?;
        Ok(found.flatten().map(Hashed))
    }

    pub fn void_all(c: &Connection) -> Found<u64> {
        Ok(c.execute("UPDATE accounts SET password = NULL WHERE password IS NOT NULL", [])? as u64)
    }
}
