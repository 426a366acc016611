//! What tables a database has, and how one of an earlier version becomes one of this version.
//!
//! `user_version` counts the migrations that were made; each is one transaction. A database with more of them than this
//! build knows is refused.

use rusqlite::{Connection, TransactionBehavior};

use crate::journal::JournalError;

/// What one file of the state folder holds.
#[derive(Debug)]
pub struct Schema {
    /// Its name in the folder.
    pub file: &'static str,
    pub application_id: i32,
    /// Each with the statements that it takes.
    pub migrations: &'static [&'static str],
}

/// What keeps a database from being used.
pub(super) enum Unusable {
    Sqlite(rusqlite::Error),
    Refused(JournalError),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Unusable {
        Unusable::Sqlite(error)
    }
}

impl Schema {
    /// Writes a page and changes nothing, whatever version the database has by now.
    pub(super) fn rewrite_first_page(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "application_id", self.application_id)
    }

    /// How many migrations were made. A database of another program, or of a later version, is refused untouched.
    pub(super) fn recognise(&self, connection: &Connection) -> Result<usize, Unusable> {
        // All of it as it stood at one moment: another process may be making the tables.
        let moment = connection.unchecked_transaction()?;
        self.made(&moment)
    }

    /// The same within a transaction.
    fn made(&self, connection: &Connection) -> Result<usize, Unusable> {
        let known = self.migrations.len() as u32;
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (found, id) = (number("user_version")?, number("application_id")?);
        let tables: bool = connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        let ours = if found == 0 { id == 0 && !tables } else { id == i64::from(self.application_id) };
        if !ours {
            let what = format!("{} is a database of another program", self.file);
            return Err(Unusable::Refused(JournalError::Damaged { what }));
        }
        match usize::try_from(found) {
            Ok(made) if made <= self.migrations.len() => Ok(made),
            _ => {
                let format = u32::try_from(found).unwrap_or(u32::MAX);
                Err(Unusable::Refused(JournalError::Newer { what: "the state folder".to_owned(), format, known }))
            }
        }
    }

    /// Brings the database to this version. Several processes may do so at once.
    pub(super) fn migrate(&self, connection: &mut Connection) -> Result<(), Unusable> {
        if self.recognise(connection)? == self.migrations.len() {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for migration in self.migrations.iter().skip(self.made(&transaction)?) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", self.migrations.len() as u32)?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Schema = Schema { file: "test.db", application_id: 7, migrations: &["CREATE TABLE first (id INTEGER) STRICT"] };

    #[test]
    fn whoever_looks_while_another_process_makes_the_tables_sees_none_or_all() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = 0;
        for moment in 0.. {
            let path = folder.path().join(format!("{moment}.db"));
            let open = || Connection::open(&path).unwrap();
            open().pragma_update(None, "journal_mode", "WAL").unwrap();
            let (mut connection, mut other, mut steps) = (open(), open(), 0);
            let at_the_moment = move || {
                steps += 1;
                if steps == moment {
                    assert!(SCHEMA.migrate(&mut other).is_ok());
                }
                false
            };
            connection.progress_handler(1, Some(at_the_moment)).unwrap();
            let made = SCHEMA.recognise(&connection).ok().unwrap();
            connection.progress_handler(1, None::<fn() -> bool>).unwrap();
            // By then the look was over before the other began.
            if SCHEMA.recognise(&connection).ok().unwrap() == 0 && moment > 0 {
                break;
            }
            before += usize::from(made == 0 && moment > 0);
        }
        assert!(before > 3, "no more than {before} moments");
    }
}
