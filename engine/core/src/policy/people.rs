//! People and groups, and whether one of them may decide what another asked for.
//!
//! A name proves nothing by itself: somebody counts as a person of the workspace only by the operating-system user
//! that the workspace gives that person, by a signature with one of their SSH keys, or by a token, a session or a certificate that a
//! server knows to be theirs. An unmapped user who happens to be called like a person is a stranger.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Overrides, PolicyContext, Rotation};
use crate::diagnostic::nearest;
use crate::run::event::{Identity, Means};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub people: BTreeMap<String, Person>,
    /// Group → names of people and of other groups.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Who takes turns at being on call, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rotations: BTreeMap<String, Rotation>,
}

/// Rotation → who is on call; nobody where it is empty.
pub type OnCall = BTreeMap<String, Vec<String>>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub name: Option<String>,
    /// Names of the operating-system users that are this person.
    pub users: Vec<String>,
    /// SSH public keys, as in `authorized_keys`.
    pub ssh_keys: Vec<String>,
    pub mail: Option<String>,
}

/// What a decision asks of whoever takes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Names of people and groups, and of rotations in which nobody is on call; empty: whoever may operate.
    pub from: &'a [String],
    /// The request itself keeps out whoever asked for the run.
    pub not_requester: bool,
    /// A rule of the workspace keeps out whoever asked for the run.
    pub four_eyes: bool,
}

/// On what ground somebody may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The request names the person, or a group that the person is in.
    Named { by: String },
    /// The request names nobody, and the person belongs to the workspace.
    Operator,
    /// No workspace says who anybody is: the operator decides alone.
    Alone { not_asked: Vec<String> },
}

impl Standing {
    /// What the record has to say about it.
    pub fn notice(&self) -> Option<String> {
        match self {
            Standing::Named { .. } | Standing::Operator => None,
            Standing::Alone { not_asked } if not_asked.is_empty() => {
                Some("decided by the operator alone: no workspace names people, so nobody else was asked".to_owned())
            }
            Standing::Alone { not_asked } => Some(format!(
                "decided by the operator alone: no workspace says who {} is, so nobody else was asked",
                not_asked.join(", ")
            )),
        }
    }
}

/// Why somebody may not decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a decision is taken by a person, never by the engine or a trigger; ask {}", asked(from))]
    NotAPerson { from: Vec<String> },
    #[error(
        "`{who}` is nobody in the workspace's `people`; {}",
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `users: [{who}]` to the person in workspace.yaml, or ask {}", asked(from)),
        }
    )]
    Stranger { who: String, near: Option<String>, from: Vec<String> },
    #[error("`{who}` is not among those who are asked ({}); ask {}", from.join(", "), asked(members))]
    NotAsked { who: String, from: Vec<String>, members: Vec<String> },
    #[error("`{who}` asked for this run, and {rule} wants another person to decide; ask {}", asked(others))]
    Requester { who: String, rule: &'static str, others: Vec<String> },
    #[error(
        "a rule of the workspace wants this decision signed; decide again with your SSH key: \
         `--sign` takes it from the agent, `--sign --key FILE` from a file"
    )]
    NotSigned { who: String },
}

fn asked(names: &[String]) -> String {
    match names {
        [] => "somebody whom workspace.yaml lists under `people`".to_owned(),
        [one] => format!("`{one}`"),
        [first, .., last] if names.len() == 2 => format!("`{first}` or `{last}`"),
        [first, second, ..] => format!("`{first}`, `{second}` or one of {} others", names.len() - 2),
    }
}

impl People {
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Whether somebody can be asked by this name: a person, a group or a rotation.
    pub fn knows(&self, name: &str) -> bool {
        self.people.contains_key(name) || self.groups.contains_key(name) || self.rotations.contains_key(name)
    }

    /// Every name by which somebody can be asked.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.people.keys().chain(self.groups.keys()).chain(self.rotations.keys()).map(String::as_str)
    }

    /// The people behind the name of a person, a group or a rotation, groups of groups included: of a rotation everybody who is on call at some
    /// time. A name that is none of these gives nobody, and a group that contains itself adds nobody twice.
    pub fn members(&self, name: &str) -> BTreeSet<&str> {
        let mut members = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            if let Some((person, _)) = self.people.get_key_value(name) {
                members.insert(person.as_str());
            } else if let Some(inner) = self.groups.get(name) {
                open.extend(inner.iter().map(String::as_str));
            } else if let Some(rotation) = self.rotations.get(name) {
                open.extend(rotation.people());
            }
        }
        members
    }

    /// Who is on call at a moment, in those of these names that are rotations, with overrides that were made beside the workspace.
    pub fn on_call(&self, names: &[String], at: Timestamp, made: &Overrides) -> OnCall {
        let of = |name: &String| {
            let rotation = self.rotations.get(name)?.with(made.get(name).map(Vec::as_slice).unwrap_or_default());
            Some((name.clone(), rotation.shift_at(at).who.map(str::to_owned).into_iter().collect()))
        };
        names.iter().filter_map(of).collect()
    }

    /// How many people at most are asked at one time by these names: of each rotation one is on call.
    pub fn most_asked(&self, names: &[String]) -> usize {
        let (rotations, others): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| self.rotations.contains_key(*name));
        let others: BTreeSet<&str> = others.into_iter().flat_map(|name| self.members(name)).collect();
        self.members_of_all(names).len().min(others.len() + rotations.into_iter().collect::<BTreeSet<_>>().len())
    }

    /// The people behind several names.
    pub fn members_of_all(&self, names: &[String]) -> BTreeSet<&str> {
        names.iter().flat_map(|name| self.members(name)).collect()
    }

    /// The one person that an operating-system user is.
    pub fn by_user(&self, user: &str) -> Option<(&str, &Person)> {
        let mut found = self.people.iter().filter(|(_, person)| person.users.iter().any(|u| u == user));
        match (found.next(), found.next()) {
            (Some((name, person)), None) => Some((name, person)),
            _ => None,
        }
    }

    /// Whether `identity` is proven to be the person it names.
    pub fn vouches_for(&self, identity: &Identity) -> bool {
        match &identity.means {
            Means::LocalUser { user, .. } => self.by_user(user).is_some_and(|(name, _)| name == identity.person),
            // Whether the signature is theirs is looked at where it is verified.
            Means::SshKey { .. } => self.people.get(&identity.person).is_some_and(|person| !person.ssh_keys.is_empty()),
            // The server has compared it before it said so.
            Means::Token { .. } | Means::Session { .. } | Means::Certificate { .. } => self.people.contains_key(&identity.person),
            Means::Engine => false,
        }
    }

    /// The same person, by name or by the operating-system user behind it: renaming a person in the workspace while a run
    /// waits does not make two of one, nor does coming by another means.
    fn are_one(&self, one: &Identity, other: &Identity) -> bool {
        if let (Means::LocalUser { user: a, .. }, Means::LocalUser { user: b, .. }) = (&one.means, &other.means)
            && a == b
        {
            return true;
        }
        let by_user = |identity: &Identity| match &identity.means {
            Means::LocalUser { user, .. } => self.by_user(user).map(|(name, _)| name.to_owned()),
            _ => None,
        };
        let names = |identity: &Identity| [Some(identity.person.clone()), by_user(identity)];
        let others = names(other);
        names(one).iter().flatten().any(|name| others.iter().flatten().any(|other| name == other))
    }
}

impl PolicyContext {
    /// Whether `voter` may decide a request of a run that `requester` started, and on what ground.
    pub fn may_decide(&self, asked: Asked<'_>, requester: &Identity, voter: &Identity) -> Result<Standing, Refusal> {
        let who = || voter.person.clone();
        if voter.means == Means::Engine {
            return Err(Refusal::NotAPerson { from: asked.from.to_vec() });
        }
        if (asked.not_requester || asked.four_eyes) && self.people.are_one(requester, voter) {
            let rule = if asked.four_eyes { "a rule of the workspace (`four_eyes`)" } else { "the request (`not_requester`)" };
            let all = if asked.from.is_empty() {
                self.people.people.keys().map(String::as_str).collect()
            } else {
                self.people.members_of_all(asked.from)
            };
            let others = all.into_iter().filter(|name| *name != requester.person).map(str::to_owned).collect();
            return Err(Refusal::Requester { who: who(), rule, others });
        }
        let is_here = matches!(voter.means, Means::LocalUser { .. });
        if (!self.workspace || self.people.is_empty()) && is_here {
            return Ok(Standing::Alone { not_asked: asked.from.to_vec() });
        }
        if !self.people.vouches_for(voter) {
            let who = match &voter.means {
                Means::LocalUser { user, .. } => user.clone(),
                _ => who(),
            };
            // Who is here is whoever the system says; another name was written by hand.
            let near = nearest(&who, self.people.people.keys().map(String::as_str)).filter(|_| !is_here);
            return Err(Refusal::Stranger { near: near.map(str::to_owned), who, from: asked.from.to_vec() });
        }
        if asked.from.is_empty() {
            return Ok(Standing::Operator);
        }
        match asked.from.iter().find(|name| self.people.members(name).contains(voter.person.as_str())) {
            Some(by) => Ok(Standing::Named { by: by.clone() }),
            None => Err(self.not_asked(asked, who())),
        }
    }

    fn not_asked(&self, asked: Asked<'_>, who: String) -> Refusal {
        let members = self.people.members_of_all(asked.from).into_iter().map(str::to_owned).collect();
        Refusal::NotAsked { who, from: asked.from.to_vec(), members }
    }

    /// Whether the person of this name may, once they prove to be that person.
    pub fn could_decide(&self, asked: Asked<'_>, requester: &Identity, person: &str) -> Result<Standing, Refusal> {
        if !asked.from.is_empty() && !self.people.people.contains_key(person) {
            return Err(self.not_asked(asked, person.to_owned()));
        }
        let means = Means::Session { session: String::new() };
        self.may_decide(asked, requester, &Identity { person: person.to_owned(), means })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        let person = |users: &[&str]| Person { users: users.iter().map(|u| (*u).to_owned()).collect(), ..Person::default() };
        let group = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        People {
            people: [
                ("anna".to_owned(), person(&["anna", "ops-anna"])),
                ("bob".to_owned(), Person { ssh_keys: vec!["ssh-ed25519 AAAA".to_owned()], ..person(&["robert"]) }),
                ("cleo".to_owned(), person(&["cleo"])),
                ("twin_a".to_owned(), person(&["shared"])),
                ("twin_b".to_owned(), person(&["shared"])),
            ]
            .into(),
            groups: [
                ("dba".to_owned(), group(&["anna", "bob"])),
                ("all".to_owned(), group(&["dba", "cleo", "nobody"])),
                ("loop_a".to_owned(), group(&["loop_b", "anna"])),
                ("loop_b".to_owned(), group(&["loop_a", "cleo"])),
            ]
            .into(),
            ..People::default()
        }
    }

    fn user(person: &str, user: &str) -> Identity {
        Identity { person: person.into(), means: Means::LocalUser { user: user.into(), host: "h".into() } }
    }

    fn by_key(person: &str) -> Identity {
        Identity { person: person.into(), means: Means::SshKey { user: "anna".into(), host: "h".into() } }
    }

    fn by_token(person: &str) -> Identity {
        Identity { person: person.into(), means: Means::Token { token: "t1".into() } }
    }

    fn by_session(person: &str) -> Identity {
        Identity { person: person.into(), means: Means::Session { session: "s1".into() } }
    }

    #[test]
    fn groups_nest_and_cycles_end() {
        for (name, expect) in [
            ("anna", &["anna"][..]),
            ("dba", &["anna", "bob"]),
            ("all", &["anna", "bob", "cleo"]),
            ("loop_a", &["anna", "cleo"]),
            ("loop_b", &["anna", "cleo"]),
            ("nobody", &[]),
        ] {
            assert_eq!(people().members(name).into_iter().collect::<Vec<_>>(), expect, "{name}");
        }
    }

    #[test]
    fn a_user_is_one_person_or_none() {
        for (name, expect) in
            [("anna", Some("anna")), ("ops-anna", Some("anna")), ("robert", Some("bob")), ("bob", None), ("shared", None)]
        {
            assert_eq!(people().by_user(name).map(|(person, _)| person), expect, "{name}");
        }
    }

    #[test]
    fn who_may_decide() {
        let context = PolicyContext { workspace: true, people: people(), ..PolicyContext::default() };
        let engine = Identity { person: "engine".into(), means: Means::Engine };
        let anna = || user("anna", "anna");
        let dba = vec!["dba".to_owned()];
        let named = || Ok(Standing::Named { by: "dba".to_owned() });
        for (from, not_requester, four_eyes, requester, voter, expect) in [
            (&dba[..], false, false, anna(), anna(), named()),
            (&dba, false, false, anna(), user("bob", "robert"), named()),
            (&dba, true, false, anna(), user("bob", "robert"), named()),
            (&dba, true, false, anna(), anna(), Err("Requester")),
            (&dba, false, true, anna(), anna(), Err("Requester")),
            // Another name, the same user: still the one who asked.
            (&dba, true, false, user("old-name", "anna"), anna(), Err("Requester")),
            // Another user of the same person.
            (&dba, true, false, user("anna", "ops-anna"), anna(), Err("Requester")),
            (&dba, false, false, anna(), user("cleo", "cleo"), Err("NotAsked")),
            // The user `bob` is not the person `bob`.
            (&dba, false, false, anna(), user("bob", "bob"), Err("Stranger")),
            (&dba, false, false, anna(), user("anna", "mallory"), Err("Stranger")),
            (&dba, false, false, anna(), user("twin_a", "shared"), Err("Stranger")),
            (&[], false, false, anna(), anna(), Ok(Standing::Operator)),
            (&[], false, false, anna(), user("zoe", "zoe"), Err("Stranger")),
            (&[], false, false, anna(), engine.clone(), Err("NotAPerson")),
            // By key, at the terminal of whoever asked.
            (&dba, true, false, anna(), by_key("bob"), named()),
            (&dba, true, false, anna(), by_key("anna"), Err("Requester")),
            (&dba, false, false, anna(), by_key("cleo"), Err("Stranger")),
            (&dba, true, false, user("old-name", "anna"), by_key("bob"), named()),
            // By token, of whoever asked, by whatever name.
            (&dba, true, false, anna(), by_token("bob"), named()),
            (&dba, true, false, anna(), by_token("anna"), Err("Requester")),
            (&dba, true, false, user("old-name", "anna"), by_token("anna"), Err("Requester")),
            (&dba, true, false, by_token("anna"), user("new-name", "anna"), Err("Requester")),
            (&dba, false, false, anna(), by_token("cleo"), Err("NotAsked")),
            (&dba, false, false, anna(), by_token("dba"), Err("Stranger")),
            // By session, of whoever asked by token.
            (&dba, true, false, by_token("anna"), by_session("bob"), named()),
            (&dba, true, false, by_token("anna"), by_session("anna"), Err("Requester")),
            (&dba, false, false, anna(), by_session("dba"), Err("Stranger")),
            // A trigger asked for the run: anybody named may decide.
            (&dba, true, true, engine, anna(), named()),
        ] {
            let found = context.may_decide(Asked { from, not_requester, four_eyes }, &requester, &voter);
            match (&found, &expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect),
                (Err(found), Err(expect)) => assert!(format!("{found:?}").starts_with(expect), "{found:?} is not {expect}"),
                _ => panic!("{requester:?} {voter:?}: {found:?} is not {expect:?}"),
            }
        }
    }

    #[test]
    fn without_a_workspace_the_operator_is_alone_and_it_is_said() {
        let context = PolicyContext::default();
        let me = user("me", "me");
        for (from, notice) in [
            (vec![], "no workspace names people, so nobody else was asked"),
            (vec!["dba".to_owned()], "no workspace says who dba is, so nobody else was asked"),
        ] {
            let standing = context.may_decide(Asked { from: &from, ..Asked::default() }, &me, &me).unwrap();
            assert!(standing.notice().unwrap().contains(notice), "{standing:?}");
        }
        // Nobody has told the key of anybody.
        assert!(matches!(context.may_decide(Asked::default(), &me, &by_key("bob")), Err(Refusal::Stranger { .. })));
        let asked = Asked { not_requester: true, ..Asked::default() };
        assert!(matches!(context.may_decide(asked, &me, &me), Err(Refusal::Requester { .. })));
    }

    #[test]
    fn refusals_name_the_next_thing_to_do() {
        let context = PolicyContext { workspace: true, people: people(), ..PolicyContext::default() };
        let (anna, dba, all) = (user("anna", "anna"), vec!["dba".to_owned()], vec!["all".to_owned()]);
        for (from, not_requester, voter, expect) in [
            (
                &dba,
                true,
                &anna,
                "`anna` asked for this run, and the request (`not_requester`) wants another person to decide; ask `bob`",
            ),
            (
                &all,
                true,
                &anna,
                "`anna` asked for this run, and the request (`not_requester`) wants another person to decide; ask `bob` or `cleo`",
            ),
            (&dba, false, &by_key("bbo"), "`bbo` is nobody in the workspace's `people`; did you mean `bob`?"),
            (&dba, false, &user("cleo", "cleo"), "`cleo` is not among those who are asked (dba); ask `anna` or `bob`"),
            (
                &dba,
                false,
                &user("zoe", "zoe"),
                "`zoe` is nobody in the workspace's `people`; add `users: [zoe]` to the person in workspace.yaml, or ask `dba`",
            ),
        ] {
            let refusal = context.may_decide(Asked { from, not_requester, four_eyes: false }, &anna, voter).unwrap_err();
            assert_eq!(refusal.to_string(), expect);
        }
    }
}
