//! What the tables of the vocabulary are made of.

/// A map of the language: its keys, in their canonical order.
#[derive(Debug)]
pub struct Shape {
    /// What the map describes, with its article, as the decoder says it: `a step`.
    pub what: &'static str,
    pub keys: &'static [Key],
    /// Exactly one of these stands in the map; empty where there is no such rule.
    pub one_of: &'static [&'static str],
}

/// One key of a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub value: Type,
    pub required: bool,
    /// The key that this one stands beside, and without which it may not stand.
    pub beside: Option<&'static str>,
    /// What it means, in Markdown: a sentence or two, without a full stop at the end.
    pub doc: &'static str,
}

/// One of a few words that a value may be, and what it means.
#[derive(Debug)]
pub struct Word {
    pub name: &'static str,
    pub doc: &'static str,
}

/// What the names of a map are that its author chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Identifiers, which both small languages can name.
    Ids,
    /// Names of environment variables.
    Variables,
    /// Letters, digits, `.`, `_` and `-`.
    Named,
    /// What a test calls steps by: ids, paths and labels.
    Steps,
    /// Inputs of the procedure that a test is of, or that a step calls.
    Inputs,
    Any,
}

/// What a value names that is declared elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referent {
    /// A step of the same procedure, by its id.
    Step,
    /// A step as a test calls it.
    TestedStep,
    /// A procedure of the catalogue, with a range of versions where one is wanted.
    Procedure,
    /// A person of the workspace.
    Person,
    /// A person or a group of the workspace.
    People,
    /// Whoever can be asked: a person, a group or a rotation of the workspace.
    Asked,
    Channel,
    Escalation,
    Environment,
    /// A provider of secrets.
    Provider,
    /// A source of events.
    Source,
}

/// What a value is.
#[derive(Debug)]
pub enum Type {
    /// Text with `{{…}}` in it.
    Text,
    /// Text that is taken as it is.
    Plain,
    Expression,
    /// A script of the shell, with `{{…}}` in it.
    Shell,
    /// A Rhai script.
    Script,
    Id,
    Refers(Referent),
    ProcedureName,
    Version,
    Date,
    /// `30s`, `1h 30m`.
    Duration,
    Boolean,
    /// A whole number, from and to.
    Whole(u32, u32),
    /// A number, from and to.
    Number(f64, f64),
    /// The size of a batch: a count or a percentage.
    Batch,
    Word(&'static [Word]),
    /// Any YAML; nothing in it is evaluated.
    Data,
    /// YAML whose strings are text.
    Json,
    Step,
    /// A list of steps, at least one.
    Steps,
    Shape(&'static Shape),
    List(&'static Type),
    Map(Names, &'static Type),
    /// The first that fits.
    AnyOf(&'static [&'static Type]),
}

impl Key {
    pub const fn new(name: &'static str, value: Type, doc: &'static str) -> Key {
        Key { name, value, required: false, beside: None, doc }
    }

    #[must_use]
    pub const fn required(self) -> Key {
        let Key { name, value, beside, doc, .. } = self;
        Key { name, value, required: true, beside, doc }
    }

    #[must_use]
    pub const fn beside(self, key: &'static str) -> Key {
        let Key { name, value, required, doc, .. } = self;
        Key { name, value, required, beside: Some(key), doc }
    }
}

impl Shape {
    pub const fn new(what: &'static str, keys: &'static [Key]) -> Shape {
        Shape { what, keys, one_of: &[] }
    }

    #[must_use]
    pub const fn with_one_of(self, one_of: &'static [&'static str]) -> Shape {
        Shape { one_of, ..self }
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Where a key stands in the canonical order; behind all others where it is none of ours.
    pub fn rank(&self, name: &str) -> usize {
        self.keys.iter().position(|key| key.name == name).unwrap_or(self.keys.len())
    }
}

impl Word {
    pub const fn new(name: &'static str, doc: &'static str) -> Word {
        Word { name, doc }
    }
}

impl Type {
    /// What stands here, as a hover or a completion says it.
    pub fn describe(&self) -> String {
        match self {
            Type::Text => "text".to_owned(),
            Type::Plain | Type::ProcedureName => "plain text".to_owned(),
            Type::Expression => "expression".to_owned(),
            Type::Shell => "shell script".to_owned(),
            Type::Script => "Rhai script".to_owned(),
            Type::Id => "id".to_owned(),
            Type::Refers(Referent::Step | Referent::TestedStep) => "a step".to_owned(),
            Type::Refers(Referent::Procedure) => "a procedure".to_owned(),
            Type::Refers(Referent::Person) => "a person".to_owned(),
            Type::Refers(Referent::People) => "a person or a group".to_owned(),
            Type::Refers(Referent::Asked) => "a person, a group or a rotation".to_owned(),
            Type::Refers(Referent::Channel) => "a channel".to_owned(),
            Type::Refers(Referent::Escalation) => "an escalation".to_owned(),
            Type::Refers(Referent::Environment) => "an environment".to_owned(),
            Type::Refers(Referent::Provider) => "a provider of secrets".to_owned(),
            Type::Refers(Referent::Source) => "a source of events".to_owned(),
            Type::Version => "version, `1.2.0`".to_owned(),
            Type::Date => "day, `2026-10-02`".to_owned(),
            Type::Duration => "duration, `1h 30m`".to_owned(),
            Type::Boolean => "`true` or `false`".to_owned(),
            Type::Whole(least, most) if *most == u32::MAX => format!("whole number from {least}"),
            Type::Whole(least, most) => format!("whole number from {least} to {most}"),
            Type::Number(least, most) => format!("number from {least} to {most}"),
            Type::Batch => "count, or percentage".to_owned(),
            Type::Word(words) => words.iter().map(|word| format!("`{}`", word.name)).collect::<Vec<_>>().join(", "),
            Type::Data => "data".to_owned(),
            Type::Json => "data whose strings are text".to_owned(),
            Type::Step => "a step".to_owned(),
            Type::Steps => "steps".to_owned(),
            Type::Shape(shape) => shape.what.to_owned(),
            Type::List(of) => format!("list: {}", of.describe()),
            Type::Map(Names::Steps, of) => format!("step → {}", of.describe()),
            Type::Map(Names::Inputs, of) => format!("input → {}", of.describe()),
            Type::Map(Names::Ids, of) => format!("id → {}", of.describe()),
            Type::Map(Names::Variables, of) => format!("variable → {}", of.describe()),
            Type::Map(_, of) => format!("name → {}", of.describe()),
            Type::AnyOf(types) => types.iter().map(|of| of.describe()).collect::<Vec<_>>().join(", or "),
        }
    }
}
