//! One request that may be answered: its caller, and its parameters as they were given.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use runbook_core::policy::People;
use runbook_core::policy::access::{Act, Labels};
use runbook_core::{Digest, RunId, limits};
use runbook_engine::journal::{Archive, JournalError, RunRow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;

use super::{Api, Caller, Operation, Parts, fresh_run, unread};
use crate::App;
use crate::problem::Problem;

pub struct Call {
    pub api: Arc<Api>,
    pub caller: Caller,
    path: Parts,
    query: BTreeMap<String, String>,
    pub headers: HeaderMap,
    pub body: Value,
    /// The id of the run that it starts, where it starts one.
    pub run_id: RunId,
}

impl Call {
    pub fn new(
        api: Arc<Api>,
        caller: Caller,
        path: Parts,
        query: Option<&str>,
        headers: HeaderMap,
        operation: &Operation,
    ) -> Result<Call, Problem> {
        let mut given = BTreeMap::new();
        for (name, value) in form(query.unwrap_or_default())? {
            if !operation.query.iter().any(|(known, _, _)| *known == name) {
                let known: Vec<&str> = operation.query.iter().map(|(known, _, _)| *known).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::malformed(format!(
                    "there is no parameter `{}`; there are: {known}",
                    super::caller::clipped(&name)
                )));
            }
            if given.insert(name.clone(), value).is_some() {
                return Err(Problem::malformed(format!("`{name}` is given twice")));
            }
        }
        let run_id = fresh_run(&api.app);
        Ok(Call { api, caller, path, query: given, headers, body: Value::Null, run_id })
    }

    pub fn app(&self) -> &Arc<App> {
        &self.api.app
    }

    /// A part of the address.
    pub fn part<T: FromStr>(&self, name: &str) -> Result<T, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.path.get(name).map(String::as_str).unwrap_or_default();
        // What cannot be a name is the name of nothing.
        text.parse().map_err(|_| Problem::not_found(format!("there is no {name} of this name")))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|error| Problem::malformed(format!("`{name}`: {error}")))
    }

    /// How many lines are wanted.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.parsed::<usize>("limit")? {
            None => Ok(limits::PAGE_DEFAULT),
            Some(limit) if (1..=limits::PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::malformed(format!("`limit` is between 1 and {}", limits::PAGE))),
        }
    }

    /// The body, as what it is to be; once.
    pub fn asked<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        serde_json::from_value(self.body.take()).map_err(|error| Problem::malformed(format!("the body: {error}")))
    }

    /// Reads a store, where others do not wait for it.
    pub fn read<T>(&self, read: impl FnOnce(&App) -> Result<T, JournalError>) -> Result<T, Problem> {
        tokio::task::block_in_place(|| read(self.app())).map_err(|error| unread(&self.api, &error))
    }

    /// Waits until it may do what takes long.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.api.heavy.acquire().await.ok()
    }

    /// Does what takes long, or may have to wait for a disk, where others do not wait for it.
    pub async fn apart<T>(&self, work: impl Future<Output = T>) -> T {
        let _turn = self.turn().await;
        tokio::task::block_in_place(|| Handle::current().block_on(work))
    }

    /// The run that is named, where the caller may see it: one that they may not is not there.
    pub fn run(&self) -> Result<RunRow, Problem> {
        self.visible(&self.part("run")?)
    }

    /// The run of this id, on the same terms.
    pub fn visible(&self, id: &RunId) -> Result<RunRow, Problem> {
        let row = self.read(|app| app.journal.run(id))?;
        match self.sees(&row)? {
            true => Ok(row),
            false => Err(Problem::not_found(format!("there is no run `{id}`"))),
        }
    }

    /// The same, where they may do this to it.
    pub fn run_for(&self, act: Act) -> Result<RunRow, Problem> {
        let row = self.run()?;
        self.may(act, &*self.labels(&row)?)?;
        Ok(row)
    }

    pub fn sees(&self, row: &RunRow) -> Result<bool, Problem> {
        if self.caller.rights.may_everywhere(Act::View) {
            return Ok(true);
        }
        let known = tokio::task::block_in_place(|| self.known_of(&row.plan));
        match known {
            Ok(known) => Ok(self.caller.rights.may(Act::View, &known.labels)),
            // What cannot be read has no labels.
            Err(error) if error.is_of_one_run() => Ok(false),
            Err(error) => Err(unread(&self.api, &error)),
        }
    }

    pub fn may(&self, act: Act, labels: &Labels) -> Result<(), Problem> {
        match self.caller.rights.may(act, labels) {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "not_allowed",
                format!("no role of `{}` allows this for procedures with these labels", self.caller.person),
            )),
        }
    }

    /// For what is of no procedure.
    pub fn may_everywhere(&self, act: Act) -> Result<(), Problem> {
        match self.caller.rights.may_everywhere(act) {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "not_allowed",
                format!("this needs a role of `{}` for all procedures, and it has some for certain labels", self.caller.person),
            )),
        }
    }

    /// Those of the procedure that a run is of, as it was when the run began.
    pub fn labels(&self, row: &RunRow) -> Result<Arc<Labels>, Problem> {
        Ok(self.known(row)?.labels.clone())
    }

    pub fn known(&self, row: &RunRow) -> Result<Arc<KnownPlan>, Problem> {
        self.read(|_| self.known_of(&row.plan))
    }

    pub fn known_of(&self, plan: &Digest) -> Result<Arc<KnownPlan>, JournalError> {
        self.api.plans.of(&*self.app().journal, plan)
    }
}

/// What is asked of a plan for each run of a list.
#[derive(Debug)]
pub struct KnownPlan {
    pub labels: Arc<Labels>,
    /// Whom its decisions may be asked of.
    pub people: Arc<People>,
    /// Whether some decision of it may want more than one person to agree.
    pub wants_several: bool,
}

/// Plans, of which each is large and never changes.
#[derive(Debug, Default)]
pub struct KnownPlans {
    known: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    plans: HashMap<Digest, Arc<KnownPlan>>,
    /// Most plans of a workspace have the same.
    people: Vec<Arc<People>>,
}

impl KnownPlans {
    fn of(&self, journal: &dyn Archive, plan: &Digest) -> Result<Arc<KnownPlan>, JournalError> {
        #[derive(Deserialize)]
        struct Part {
            procedures: Vec<Main>,
            policy: Policy,
        }
        #[derive(Deserialize)]
        struct Main {
            labels: Labels,
        }
        #[derive(Deserialize)]
        struct Policy {
            people: People,
        }
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).plans.get(plan) {
            return Ok(known.clone());
        }
        let text = journal.plan(plan)?;
        let damaged = |why: String| JournalError::Damaged { what: format!("the plan {plan} cannot be read: {why}") };
        let part: Part = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let whole: Value = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let main = part.procedures.into_iter().next().ok_or_else(|| damaged("it has no procedure".to_owned()))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.plans.len() >= limits::LABELS_KEPT {
            *known = Kept::default();
        }
        let people = known.people.iter().find(|people| ***people == part.policy.people).cloned();
        let people = people.unwrap_or_else(|| Arc::new(part.policy.people));
        known.people.retain(|kept| !Arc::ptr_eq(kept, &people));
        known.people.push(people.clone());
        let found = Arc::new(KnownPlan { labels: Arc::new(main.labels), people, wants_several: counts_several(&whole) });
        known.plans.insert(plan.clone(), found.clone());
        Ok(found)
    }
}

/// Whether a `count` of more than one stands anywhere in a plan: of a step, or of a rule.
fn counts_several(part: &Value) -> bool {
    match part {
        Value::Object(members) => members.iter().any(|(name, value)| match value.as_u64() {
            Some(count) => name == "count" && count > 1,
            None => counts_several(value),
        }),
        Value::Array(items) => items.iter().any(counts_several),
        _ => false,
    }
}

/// `name=value&…`, percent-encoded.
pub fn form(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let decoded = |text: &str| -> Result<String, Problem> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                    match (digit(rest.next()), digit(rest.next())) {
                        (Some(high), Some(low)) => (high * 16 + low) as u8,
                        _ => return Err(Problem::malformed("a `%` in the query is not followed by two digits")),
                    }
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).map_err(|_| Problem::malformed("the query is not UTF-8"))
    };
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_or_refused() {
        let read = |query: &str| form(query).ok();
        let pairs = |of: &[(&str, &str)]| Some(of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>());
        assert_eq!(read(""), pairs(&[]));
        assert_eq!(read("a=1&b=x%2Fy+z&&c"), pairs(&[("a", "1"), ("b", "x/y z"), ("c", "")]));
        assert_eq!(read("a=b=c"), pairs(&[("a", "b=c")]));
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
