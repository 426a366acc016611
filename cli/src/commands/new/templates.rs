//! The templates: procedures that begin as an operator would, with real commands, each with a test that covers it.

/// A procedure to start from, and its test. `NAME`, `ESCALATION` and `SOURCE` are filled in.
pub struct Template {
    pub name: &'static str,
    pub purpose: &'static str,
    pub procedure: &'static str,
    pub test: &'static str,
}

impl Template {
    pub fn is_playbook(&self) -> bool {
        self.procedure.contains("\nkind: Playbook\n")
    }
}

macro_rules! templates {
    ($($name:literal $purpose:literal;)*) => {
        pub const ALL: &[Template] = &[$(Template {
            name: $name,
            purpose: $purpose,
            procedure: include_str!(concat!($name, ".yaml")),
            test: include_str!(concat!($name, ".test.yaml")),
        }),*];
    };
}

templates! {
    "runbook" "look, ask, change, look again: what most procedures need";
    "playbook" "answer an alert: look from several sides at once, decide, act or hand over";
    "restart" "restart a service on hosts, in waves, and stop at the first that does not come back";
    "change" "change a configuration, with the way back taken by itself if it does not work";
    "database" "change a database: backup, proof of the backup, change, proof of the change";
    "checklist" "a list of things that people do by hand, with evidence";
    "verification" "look and judge, without changing anything: for a schedule, or before a release";
}

pub fn named(name: &str) -> Option<&'static Template> {
    ALL.iter().find(|template| template.name == name)
}
