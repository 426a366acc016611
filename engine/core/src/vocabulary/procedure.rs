//! The top of runbooks and playbooks.

use super::step::{CONCURRENCY, DATA, ENV, EXPRESSIONS, PLAIN, RETRY, SECRETS, SHELLS, SOME_PLAIN, STEPS};
use super::{Key, Names, Referent, Shape, Type, Word};
use crate::limits;

const IMPACTS: Type = Type::Word(&[
    Word::new("low", "nobody waits for it"),
    Word::new("medium", "the usual"),
    Word::new("high", "people are hurt while it lasts"),
    Word::new("critical", "everything else waits"),
]);

pub(super) const API_VERSION: Key =
    Key::new("apiVersion", Type::Word(&[Word::new("runbook/v1", "the only version so far")]), "The version of this language")
        .required();

pub(super) const KIND: Key = Key::new(
    "kind",
    Type::Word(&[
        Word::new("Runbook", "a known procedure with a known outcome; a person or another procedure starts it"),
        Word::new("Playbook", "how to look into an event and answer it: has `triggers`, `owner`, `impact` and `escalation`"),
        Word::new("Workspace", "what holds for every procedure of a catalogue: `workspace.yaml` at its root"),
        Word::new("Test", "cases for a procedure, in `NAME.test.yaml` beside it"),
    ]),
    "What the file is",
)
.required();

pub(super) static DOCUMENT: Shape = Shape::new("a document", &[API_VERSION, KIND]);

const NAME: Key =
    Key::new("name", Type::ProcedureName, "How people and `call` name it: lower-case letters, digits, `-` and `_`").required();
const VERSION: Key = Key::new("version", Type::Version, "Three numbers; a `call` pins ranges of it").required();
const TITLE: Key = Key::new("title", Type::Plain, "What it does, in one line; by default the name");
const DESCRIPTION: Key = Key::new("description", Type::Plain, "Markdown: meaning, impact, what it does");
const OWNER: Key = Key::new("owner", Type::Plain, "Who answers for it: named where a run fails. A playbook must have it");
const IMPACT: Key =
    Key::new("impact", IMPACTS, "Order in a queue and pace of escalations; `medium` by default. A playbook must have it");
const REVIEWED: Key = Key::new("reviewed", Type::Date, "When somebody last read it against the real system");
const REVIEW_EVERY: Key = Key::new("review_every", Type::Duration, "Past it, `check` warns that it has to be read again");
const EXERCISE_EVERY: Key =
    Key::new("exercise_every", Type::Duration, "How often it should be exercised; kept for the overview of procedures");
const ESCALATION: Key = Key::new(
    "escalation",
    Type::Refers(Referent::Escalation),
    "Whom to ask next when nobody decides: an escalation of the workspace. A playbook must have it",
);
const LABELS: Key = Key::new("labels", Type::Map(Names::Any, &PLAIN), "Policies choose procedures by them");
const CONTACTS: Key = Key::new("contacts", SOME_PLAIN, "Where to turn to, named beside `owner`");
const INPUTS: Key = Key::new("inputs", Type::Map(Names::Ids, &INPUT_TYPE), "What it needs to be given");
const SECRETS_KEY: Key = Key::new("secrets", SECRETS, "Secrets by name, each with where it comes from");
const LOCK: Key = Key::new("lock", Type::Text, "Two runs with the same lock never overlap: the second waits. Text of inputs");
const CONCURRENT: Key =
    Key::new("concurrency", Type::Shape(&CONCURRENCY), "What a second run with the same key does; checked, without effect yet");
const TIMEOUT: Key = Key::new(
    "timeout",
    Type::Duration,
    "Of the body of a run, from its start on; then what runs is stopped, the run has failed, and `on_failure` and `finally` run",
);
const DEFAULTS_KEY: Key = Key::new("defaults", Type::Shape(&DEFAULTS), "What every step has that does not say otherwise");
const MUST: Key = Key::new("must", PROPERTIES, "Properties that every path keeps");
const BODY: Key = Key::new("steps", STEPS, "The body").required();
const ON_FAILURE: Key =
    Key::new("on_failure", STEPS, "Run once after the body failed, before any undo; each goes on after a failure");
const FINALLY: Key = Key::new("finally", STEPS, "Run once, however the run ends; cannot change the outcome");
const OUTPUTS: Key = Key::new("outputs", EXPRESSIONS, "What a `call` of this procedure gives");

pub(super) static RUNBOOK: Shape = Shape::new(
    "a runbook",
    &[
        API_VERSION,
        KIND,
        NAME,
        VERSION,
        TITLE,
        DESCRIPTION,
        OWNER,
        IMPACT,
        REVIEWED,
        REVIEW_EVERY,
        EXERCISE_EVERY,
        ESCALATION,
        LABELS,
        CONTACTS,
        INPUTS,
        SECRETS_KEY,
        LOCK,
        CONCURRENT,
        TIMEOUT,
        DEFAULTS_KEY,
        MUST,
        BODY,
        ON_FAILURE,
        FINALLY,
        OUTPUTS,
    ],
);

pub(super) static PLAYBOOK: Shape = Shape::new(
    "a playbook",
    &[
        API_VERSION,
        KIND,
        NAME,
        VERSION,
        TITLE,
        DESCRIPTION,
        OWNER.required(),
        IMPACT.required(),
        REVIEWED,
        REVIEW_EVERY,
        EXERCISE_EVERY,
        ESCALATION.required(),
        LABELS,
        CONTACTS,
        Key::new("triggers", Type::List(&Type::Shape(&TRIGGER)), "Which events start it; at least one").required(),
        INPUTS,
        SECRETS_KEY,
        LOCK,
        CONCURRENT,
        TIMEOUT,
        DEFAULTS_KEY,
        MUST,
        BODY,
        ON_FAILURE,
        FINALLY,
        OUTPUTS,
    ],
);

static DEFAULTS: Shape = Shape::new(
    "`defaults`",
    &[
        Key::new("shell", SHELLS, "The shell of `run`"),
        Key::new("env", ENV, "Variable → expression: the environment of `run` and `exec`"),
        Key::new("on", DATA, "Targets: an error until they are built"),
        Key::new("timeout", Type::Duration, "Of one attempt"),
        Key::new("retry", Type::Shape(&RETRY), "How often a step that fails is tried again"),
    ],
);

const PROPERTIES: Type = Type::List(&PROPERTY_TYPE);
const PROPERTY_TYPE: Type = Type::Shape(&PROPERTY);

static PROPERTY: Shape = Shape::new(
    "a property of `must`",
    &[
        Key::new("never", MOMENT, "What no path comes to; a step alone means that it begins"),
        Key::new("after", MOMENT, "Only once this has come; a step alone means that it has succeeded").beside("never"),
        Key::new("always_before", MOMENT, "What no path comes to first; a step alone means that it begins"),
        Key::new("comes", MOMENT, "What has come before it; a step alone means that it has succeeded").beside("always_before"),
        Key::new("why", Type::Plain, "Why that is so, for whoever breaks it"),
    ],
)
.with_one_of(&["never", "always_before"]);

const STEP_ID: Type = Type::Refers(Referent::Step);
const MOMENT: Type = Type::AnyOf(&[&STEP_ID, &Type::Shape(&MOMENT_OF)]);

const MOMENT_EFFECT: Key = Key::new(
    "effect",
    Type::Word(&[
        Word::new("read", "Looks"),
        Word::new("change", "Changes something"),
        Word::new("destructive", "Destroys something"),
    ]),
    "Any step of this effect or a higher one",
);
const MOMENT_VERB: Key = Key::new(
    "verb",
    Type::Word(&[
        Word::new("approve", "People were asked for a yes"),
        Word::new("ask", "People were asked for answers"),
        Word::new("manual", "People did something by hand"),
        Word::new("check", "Assertions were judged"),
        Word::new("notify", "People were told"),
    ]),
    "Any step of this verb",
);
const MOMENT_RUN: Key = Key::new(
    "run",
    Type::Word(&[
        Word::new("succeeded", "It came to its end"),
        Word::new("failed", "A step failed"),
        Word::new("rejected", "People said no"),
        Word::new("rolled_back", "Its changes were taken back"),
        Word::new("needs_attention", "People must put right what is left"),
    ]),
    "The run ends so",
);
const MOMENT_ENDS: Key = Key::new(
    "ends",
    Type::Word(&[
        Word::new("succeeded", "It did its work; of an `approve`, it was granted"),
        Word::new("failed", "It failed, ran out of time or was refused"),
        Word::new("unknown", "Nobody knows how it ended"),
        Word::new("skipped", "Its `if` did not hold"),
    ]),
    "How the step ends",
);

/// The properties of a policy, which is about many procedures and knows no step.
pub(super) const POLICY_PROPERTIES: Type = Type::List(&Type::Shape(&POLICY_PROPERTY));
const POLICY_MOMENT: Type = Type::Shape(&POLICY_MOMENT_OF);

static POLICY_PROPERTY: Shape = Shape::new(
    "a property of `must` in a policy",
    &[
        Key::new("never", POLICY_MOMENT, "What no path comes to"),
        Key::new("after", POLICY_MOMENT, "Only once this has come").beside("never"),
        Key::new("always_before", POLICY_MOMENT, "What no path comes to first"),
        Key::new("comes", POLICY_MOMENT, "What has come before it").beside("always_before"),
        Key::new("why", Type::Plain, "Why that is so, for whoever breaks it"),
    ],
)
.with_one_of(&["never", "always_before"]);

static POLICY_MOMENT_OF: Shape =
    Shape::new("a moment of `must` in a policy", &[MOMENT_EFFECT, MOMENT_VERB, MOMENT_RUN, MOMENT_ENDS]);

static MOMENT_OF: Shape = Shape::new(
    "a moment of `must`",
    &[Key::new("step", STEP_ID, "A step of this procedure"), MOMENT_EFFECT, MOMENT_VERB, MOMENT_RUN, MOMENT_ENDS],
)
.with_one_of(&["step", "effect", "verb", "run"]);

static TRIGGER: Shape = Shape::new(
    "a trigger",
    &[
        Key::new("id", Type::Id, "What it is called in the decisions on events; where absent, its number in the list"),
        Key::new("source", Type::Refers(Referent::Source), "Where the event comes from").required(),
        Key::new("when", Type::Expression, "Which of its events start a run; a boolean over `event`"),
        Key::new("inputs", EXPRESSIONS, "What the run is given: every input that has no default"),
        Key::new("environment", Type::Text, "Where the run is; text over `event`. Where absent, the workspace's default"),
        Key::new("dedup", Type::Shape(&DEDUP), "Events with the same `key` are one for a `window`"),
        Key::new("accumulate", Type::Shape(&ACCUMULATE), "Only so many events within a time start a run"),
        Key::new("quiet", super::workspace::WINDOWS, "Times in which nothing starts: it starts at their end"),
        Key::new("limit", Type::Shape(&LIMIT), "At most so many runs in a time"),
        Key::new(
            "on_resolved",
            Type::Word(&[
                Word::new("ignore", "the run goes on"),
                Word::new("annotate", "the run is told"),
                Word::new("cancel_if_waiting", "a run that waits is cancelled"),
            ]),
            "What follows when the event is over",
        ),
        Key::new("correlate", Type::Shape(&CORRELATE), "Joins an event to the run with the same `key`"),
        Key::new("concurrency", Type::Shape(&CONCURRENCY), "What a second run with the same key does"),
    ],
);

static DEDUP: Shape = Shape::new(
    "`dedup`",
    &[
        Key::new("key", Type::Expression, "Events that give the same are one").required(),
        Key::new("window", Type::Duration, "For how long").required(),
    ],
);

static ACCUMULATE: Shape = Shape::new(
    "`accumulate`",
    &[
        Key::new("events", Type::Whole(2, limits::ACCUMULATED_EVENTS), "So many start one run").required(),
        Key::new("within", Type::Duration, "As long as the first of them is no older than this").required(),
        Key::new("key", Type::Expression, "Those that give the same are counted together; where absent, all of the trigger"),
    ],
);

static LIMIT: Shape = Shape::new(
    "`limit`",
    &[
        Key::new("runs", Type::Whole(1, limits::TRIGGER_RUNS), "At most so many").required(),
        Key::new("per", Type::Duration, "In each of these times").required(),
        Key::new(
            "then",
            Type::Word(&[
                Word::new("drop", "the event starts nothing; the default"),
                Word::new("defer", "the run starts later"),
                Word::new("escalate", "people are told"),
            ]),
            "What follows beyond that",
        ),
    ],
);

static CORRELATE: Shape =
    Shape::new("`correlate`", &[Key::new("key", Type::Expression, "What the event and the run have in common").required()]);

/// The types of inputs, and of the fields of an `ask`.
const TYPES: Type = Type::Word(&[
    Word::new("string", "text"),
    Word::new("integer", "a whole number of 64 bits"),
    Word::new("number", "a number; whole ones up to 2^53"),
    Word::new("boolean", "`true` or `false`"),
    Word::new("duration", "`30s`; in expressions with `.seconds` and the like"),
    Word::new("time", "`2026-01-02T03:04:05Z`, with its zone"),
    Word::new("enum", "one of `choices`"),
    Word::new("list", "a list, of `items`"),
    Word::new("map", "a map, with values of `items`"),
    Word::new("path", "a path of the file system"),
    Word::new("url", "an absolute URL without a user in it"),
    Word::new("host", "a host name, or an address"),
]);

pub(super) static INPUT_TYPE: Type = Type::Shape(&INPUT);

static INPUT: Shape = Shape::new(
    "an input",
    &[
        Key::new("type", TYPES, "What its values are").required(),
        Key::new("items", Type::Shape(&INPUT), "What each item of a `list`, or each value of a `map`, is"),
        Key::new("choices", Type::List(&DATA), "The only values; an `enum` must have it"),
        Key::new("pattern", Type::Plain, "A regular expression that the whole text must match"),
        Key::new("min", DATA, "The least value, or the least length of a text, list or map"),
        Key::new("max", DATA, "The greatest value, or the greatest length of a text, list or map"),
        Key::new("required", Type::Boolean, "`true` unless there is a `default`; an optional one that is not given is `()`"),
        Key::new("default", DATA, "What it is where it is not given"),
        Key::new("examples", Type::List(&DATA), "Shown when asking"),
        Key::new("description", Type::Plain, "What to say when asking for it"),
    ],
);
