//! Who may do what through the server: roles, given to people for procedures of certain labels. What nobody was given, nobody may.
//!
//! A role opens a way; it decides nothing. Whether somebody may take a decision is judged by the run's policy as well, as
//! everywhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::People;

/// The labels of a procedure, or those that something wants of it.
pub type Labels = BTreeMap<String, String>;

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Look at procedures, runs, decisions and what steps wrote.
    View,
    /// Ask what a procedure would do.
    Foresee,
    /// Start a run.
    Start,
    /// Cancel, pause, resume or remark on a run.
    Steer,
    Decide,
    /// See who did what, and who was refused.
    Audit,
}

impl Act {
    pub const ALL: [Act; 6] = [Act::View, Act::Foresee, Act::Start, Act::Steer, Act::Decide, Act::Audit];

    pub const fn name(self) -> &'static str {
        match self {
            Act::View => "view",
            Act::Foresee => "foresee",
            Act::Start => "start",
            Act::Steer => "steer",
            Act::Decide => "decide",
            Act::Audit => "audit",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Approver,
    Author,
    Admin,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Operator, Role::Approver, Role::Author, Role::Admin];

    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Author => "author",
            Role::Admin => "admin",
        }
    }

    pub fn may(self, act: Act) -> bool {
        use Act::{Audit, Decide, Foresee, Start, Steer, View};
        match self {
            Role::Viewer => matches!(act, View),
            Role::Operator => matches!(act, View | Foresee | Start | Steer),
            Role::Approver => matches!(act, View | Decide),
            Role::Author => matches!(act, View | Foresee),
            Role::Admin => matches!(act, View | Foresee | Start | Steer | Decide | Audit),
        }
    }
}

/// One role, for these people and groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub role: Role,
    pub to: Vec<String>,
    /// Of procedures with all of these labels; empty: of any.
    pub labels: Labels,
}

/// What of a person's rights a credential carries; without bounds, all of them. It only takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What these roles may, and nothing else; empty: all.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// For procedures with these labels alone.
    #[serde(default)]
    pub labels: Labels,
}

/// What somebody may do, and to what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    grants: Vec<(Role, Labels)>,
    /// Of the credential, beside what the grants say.
    scope: Scope,
}

impl Rights {
    /// Those that the grants of a workspace give to a person who comes with a credential of this scope.
    pub fn of(grants: &[Grant], people: &People, person: &str, scope: &Scope) -> Rights {
        let is_theirs = |grant: &&Grant| grant.to.iter().any(|name| people.members(name).contains(person));
        let grants = grants.iter().filter(is_theirs).map(|grant| (grant.role, grant.labels.clone())).collect();
        Rights { grants, scope: scope.clone() }
    }

    /// The labels that each grant which allows it wants.
    fn that_allow(&self, act: Act) -> impl Iterator<Item = &Labels> {
        let is_within = self.scope.roles.is_empty() || self.scope.roles.iter().any(|role| role.may(act));
        let allow = self.grants.iter().filter(move |(role, _)| is_within && role.may(act));
        allow.map(|(_, labels)| labels)
    }

    /// Whether they may do it to a procedure with these labels, or to a run of it.
    pub fn may(&self, act: Act, labels: &Labels) -> bool {
        let has = |wanted: &Labels| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
        has(&self.scope.labels) && self.that_allow(act).any(has)
    }

    /// Whether they may do it to some procedure.
    pub fn may_at_all(&self, act: Act) -> bool {
        self.that_allow(act).next().is_some()
    }

    /// Whether they may do it to what is of no procedure, or of all.
    pub fn may_everywhere(&self, act: Act) -> bool {
        self.scope.labels.is_empty() && self.that_allow(act).any(Labels::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Person;
    use super::*;

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn rights(person: &str, scope: &Scope) -> Rights {
        let people = People {
            people: ["anna", "bob", "cleo"].map(|name| (name.to_owned(), Person::default())).into(),
            groups: [("dba".to_owned(), vec!["anna".to_owned()]), ("all".to_owned(), vec!["dba".to_owned(), "bob".to_owned()])]
                .into(),
            ..People::default()
        };
        let grant = |role, to: &str, of: &[(&str, &str)]| Grant { role, to: vec![to.to_owned()], labels: labels(of) };
        let grants = [
            grant(Role::Viewer, "all", &[]),
            grant(Role::Operator, "dba", &[("tier", "database")]),
            grant(Role::Approver, "bob", &[("tier", "database"), ("team", "billing")]),
        ];
        Rights::of(&grants, &people, person, scope)
    }

    #[test]
    fn a_role_holds_for_its_people_and_its_labels() {
        let (database, billing) = (labels(&[("tier", "database")]), labels(&[("tier", "database"), ("team", "billing")]));
        let none = Labels::new();
        for (person, act, of, may) in [
            ("anna", Act::View, &none, true),
            ("anna", Act::Start, &none, false),
            ("anna", Act::Start, &database, true),
            ("anna", Act::Start, &labels(&[("tier", "web")]), false),
            ("anna", Act::Decide, &billing, false),
            ("bob", Act::View, &database, true),
            ("bob", Act::Start, &database, false),
            ("bob", Act::Decide, &database, false),
            ("bob", Act::Decide, &billing, true),
            ("cleo", Act::View, &none, false),
            ("nobody", Act::View, &none, false),
        ] {
            assert_eq!(rights(person, &Scope::default()).may(act, of), may, "{person} {act:?} {of:?}");
        }
        assert!(rights("anna", &Scope::default()).may_everywhere(Act::View));
        assert!(!rights("anna", &Scope::default()).may_everywhere(Act::Start));
        assert!(rights("anna", &Scope::default()).may_at_all(Act::Start));
        assert!(!rights("cleo", &Scope::default()).may_at_all(Act::View));
    }

    #[test]
    fn a_scope_only_takes_away() {
        let database = labels(&[("tier", "database")]);
        let of_role = Scope { roles: vec![Role::Viewer, Role::Author], labels: Labels::new() };
        assert!(rights("anna", &of_role).may_everywhere(Act::View));
        assert!(rights("anna", &of_role).may(Act::Foresee, &database), "an operator may what an author may");
        assert!(!rights("anna", &of_role).may_at_all(Act::Start), "none of the roles in the scope may");
        let of_admin = Scope { roles: vec![Role::Admin], labels: Labels::new() };
        assert_eq!(
            rights("anna", &of_admin).may(Act::Start, &database),
            rights("anna", &Scope::default()).may(Act::Start, &database)
        );
        assert!(!rights("bob", &of_admin).may_at_all(Act::Start), "a role that nobody gave is not had by naming it");
        let of_label = Scope { roles: Vec::new(), labels: database.clone() };
        assert!(rights("anna", &of_label).may(Act::View, &database));
        assert!(!rights("anna", &of_label).may(Act::View, &Labels::new()));
        assert!(!rights("anna", &of_label).may_everywhere(Act::View));
    }

    #[test]
    fn no_role_but_admin_sees_the_audit_log_and_only_some_change_anything() {
        let with = |act: Act| -> Vec<&str> { Role::ALL.into_iter().filter(|role| role.may(act)).map(Role::name).collect() };
        assert_eq!(with(Act::Audit), ["admin"]);
        assert_eq!(with(Act::Decide), ["approver", "admin"]);
        assert_eq!((with(Act::Start), with(Act::Steer)), (vec!["operator", "admin"], vec!["operator", "admin"]));
        assert_eq!(with(Act::Foresee), ["operator", "author", "admin"]);
        assert_eq!(with(Act::View).len(), Role::ALL.len());
        assert!(Act::ALL.into_iter().all(|act| Role::Admin.may(act)));
    }
}
