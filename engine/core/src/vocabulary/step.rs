//! Steps, and what stands behind each verb.

use super::procedure::INPUT_TYPE;
use super::{Key, Names, Referent, Shape, Type, Word};
use crate::document::step::Verb;
use crate::limits;

pub(super) const PLAIN: Type = Type::Plain;
pub(super) const DATA: Type = Type::Data;
const TEXT: Type = Type::Text;
const EXPRESSION: Type = Type::Expression;
pub(super) const STEPS: Type = Type::Steps;
const ONE_OR_MANY_STEPS: Type = Type::AnyOf(&[&Type::Step, &STEPS]);
const TEXTS: Type = Type::Map(Names::Any, &TEXT);
pub(super) const PLAINS: Type = Type::List(&PLAIN);
pub(super) const SOME_PLAIN: Type = Type::AnyOf(&[&PLAIN, &PLAINS]);
const PEOPLE: Type = Type::Refers(Referent::People);
pub(super) const SOME_PEOPLE: Type = Type::AnyOf(&[&PEOPLE, &Type::List(&PEOPLE)]);
const ASKED: Type = Type::Refers(Referent::Asked);
pub(super) const SOME_ASKED: Type = Type::AnyOf(&[&ASKED, &Type::List(&ASKED)]);
const CHANNEL: Type = Type::Refers(Referent::Channel);
pub(super) const SOME_CHANNELS: Type = Type::AnyOf(&[&CHANNEL, &Type::List(&CHANNEL)]);
const STEP_ID: Type = Type::Refers(Referent::Step);
pub(super) const EXPRESSIONS: Type = Type::Map(Names::Ids, &EXPRESSION);
pub(super) const ENV: Type = Type::Map(Names::Variables, &EXPRESSION);
pub(super) const SECRETS: Type = Type::Map(Names::Ids, &Type::Shape(&SECRET));
const ITEMS: u32 = limits::ITEMS as u32;
const PARALLEL: u32 = limits::PARALLEL as u32;

pub(super) const EFFECTS: Type = Type::Word(&[
    Word::new("none", "nothing outside the run is touched"),
    Word::new("read", "something outside is looked at"),
    Word::new("change", "something outside is changed"),
    Word::new("destructive", "something outside is lost"),
]);

pub(super) const SHELLS: Type =
    Type::Word(&[Word::new("sh", "`sh -eu`, the default"), Word::new("bash", "`bash -eu -o pipefail`")]);

pub(super) const ON_TIMEOUT: Type = Type::Word(&[
    Word::new("fail", "the step ends `timed_out`; the default"),
    Word::new("reject", "as a no"),
    Word::new("escalate", "the next step of the escalation is asked too; after the last as `fail`"),
]);

const ON_FAILURE: Type = Type::AnyOf(&[
    &Type::Word(&[
        Word::new("stop", "the step that holds it fails too, and so on outwards; the default"),
        Word::new("continue", "the next step; what this one gave is absent"),
        Word::new("rollback", "as `stop`, and then every change of the run is undone"),
    ]),
    &Type::Shape(&FAILURE),
]);

/// The canonical order: what it is, when it runs, what it does and in which surroundings, what that means for others, what follows
/// a failure, what it gives, and how it is taken back.
pub(crate) static STEP: Shape = Shape::new(
    "a step",
    &[
        Key::new("id", Type::Id, "Its name in expressions and texts; unique in the procedure"),
        Key::new("name", TEXT, "What people see; by default the id, or the verb"),
        Key::new("why", TEXT, "The reason: shown in a dry run, and to whoever approves"),
        Key::new("owner", PLAIN, "Who answers for this step: named where it fails"),
        Key::new("if", EXPRESSION, "A boolean: the step is skipped where it does not hold"),
        Key::new("run", Type::Shell, "A shell script. Each `{{…}}` in it is one word of data, whatever quotes stand around it"),
        Key::new("exec", Type::List(&TEXT), "A program with its arguments, without a shell: each item is one argument"),
        Key::new("rhai", Type::Script, "A Rhai script in a sandbox; its last expression is the result"),
        Key::new("http", Type::Shape(&HTTP), "One request, one response"),
        Key::new("check", Type::List(&Type::Shape(&ASSERTION)), "Assertions; all that do not hold are told, and fail the step"),
        Key::new("set", EXPRESSIONS, "Names for values; they are the result"),
        Key::new("wait", Type::Shape(&WAIT), "Waits for a time, until something holds, or for an event"),
        Key::new("approve", Type::Shape(&APPROVE), "Asks people whether to go on"),
        Key::new("ask", Type::Shape(&ASK), "Asks people for values; the answers are the result"),
        Key::new("manual", Type::AnyOf(&[&TEXT, &Type::Shape(&MANUAL)]), "A person does the work by hand, and confirms it"),
        Key::new("notify", Type::Shape(&NOTIFY), "A message to channels of the workspace"),
        Key::new(
            "call",
            Type::Refers(Referent::Procedure),
            "Another procedure, pinned by version: `name@^2`. Its steps become part of this run",
        ),
        Key::new("finish", Type::Shape(&FINISH), "Ends the procedure here"),
        Key::new("with", Type::Map(Names::Inputs, &EXPRESSION), "Input of the called procedure → expression").beside("call"),
        Key::new("shell", SHELLS, "The shell of the script").beside("run"),
        Key::new("max_parallel", Type::Whole(1, PARALLEL), "Branches at once; 100 by default").beside("parallel"),
        Key::new("dir", TEXT, "Where `run` and `exec` work, and all steps inside; by default the catalogue's root"),
        Key::new(
            "env",
            ENV,
            "Variable → expression, or `secrets.<name>`: the environment of `run` and `exec`, and of all steps inside",
        ),
        Key::new("secrets", SECRETS, "Secrets declared where they are used"),
        Key::new("on", DATA, "Targets: an error until they are built"),
        Key::new("effect", EFFECTS, "What it does to the world; by default that of the verb"),
        Key::new("idempotent", Type::Boolean, "Doing it twice is the same as doing it once"),
        Key::new("irreversible", PLAIN, "Why it cannot be taken back, and why that is acceptable"),
        Key::new(
            "verify",
            Type::AnyOf(&[&EXPRESSION, &Type::Step]),
            "An expression, or a step of effect `read`: tells whether the effect took place, where nobody knows",
        ),
        Key::new(
            "timeout",
            Type::Duration,
            "Of one attempt; of a call, of the body of the called procedure; of other verbs, of the whole step. By default 1 h for verbs that act",
        ),
        Key::new("retry", Type::Shape(&RETRY), "How often it is tried again where it fails"),
        Key::new("on_failure", ON_FAILURE, "What follows where it fails for good: `stop` by default"),
        Key::new("next", STEP_ID, "A later step of the same list, to go on with after success"),
        Key::new("outputs", EXPRESSIONS, "Values made from `result`; laid over it in `steps.<id>`"),
        Key::new("example", DATA, "Sample outputs for `dry-run --examples` and tests"),
        Key::new("by_hand", TEXT, "What a person does when the automation fails"),
        Key::new("group", Type::AnyOf(&[&STEPS, &Type::Shape(&GROUP)]), "Steps under one heading, which share its settings"),
        Key::new("choose", Type::List(&Type::Shape(&BRANCH)), "The first branch whose `when` holds, else `otherwise`"),
        Key::new("parallel", Type::Map(Names::Ids, &STEPS), "Named branches at once"),
        Key::new("each", Type::Shape(&EACH), "Its steps once for each item of a list"),
        Key::new("repeat", Type::Shape(&REPEAT), "Its steps again and again, until `until` holds"),
        Key::new("undo", ONE_OR_MANY_STEPS, "How it is taken back: a step, or steps"),
    ],
)
.with_one_of(&Verb::KEYS);

static FAILURE: Shape = Shape::new(
    "`on_failure`",
    &[Key::new("next", STEP_ID, "A later step of the same list, to go on with after a failure").required()],
);

pub(super) static RETRY: Shape = Shape::new(
    "`retry`",
    &[
        Key::new("attempts", Type::Whole(1, limits::ATTEMPTS), "All attempts, the first included").required(),
        Key::new("delay", Type::Duration, "Before the second attempt; 1 s by default"),
        Key::new("backoff", Type::Number(1.0, 100.0), "The factor by which each delay is longer than the one before; 1 by default"),
        Key::new("max_delay", Type::Duration, "The longest delay; 1 min by default"),
        Key::new("jitter", Type::Number(0.0, 1.0), "The share of each delay that chance may take away; 0 by default"),
    ],
);

pub(super) static CONCURRENCY: Shape = Shape::new(
    "`concurrency`",
    &[
        Key::new("key", EXPRESSION, "Runs that give the same are of one kind").required(),
        Key::new(
            "then",
            Type::Word(&[
                Word::new("queue", "the second waits; the default"),
                Word::new("skip", "the second does not run"),
                Word::new("replace", "the first is ended"),
            ]),
            "What the second run does",
        ),
    ],
);

static SECRET: Shape = Shape::new(
    "a secret",
    &[
        Key::new("from", Type::Refers(Referent::Provider), "A provider of the workspace"),
        Key::new("key", PLAIN, "What to ask the provider for").beside("from"),
        Key::new("env", PLAIN, "A variable of the process that runs the procedure"),
        Key::new("file", PLAIN, "A file; relative to the catalogue's root"),
        Key::new("command", PLAINS, "A program that prints it"),
    ],
)
.with_one_of(&["from", "env", "file", "command"]);

static HTTP: Shape = Shape::new(
    "`http`",
    &[
        Key::new(
            "method",
            Type::Word(&[
                Word::new("GET", "the default"),
                Word::new("HEAD", ""),
                Word::new("POST", ""),
                Word::new("PUT", ""),
                Word::new("PATCH", ""),
                Word::new("DELETE", ""),
                Word::new("OPTIONS", ""),
            ]),
            "`GET` by default; required beside a body",
        ),
        Key::new("url", TEXT, "Each value in it is percent-encoded for the part it stands in").required(),
        Key::new("query", TEXTS, "Encoded and added to the URL"),
        Key::new("headers", TEXTS, "Name → text, or `secrets.<name>`"),
        Key::new("json", Type::Json, "A body in JSON. A string that is one value alone, `\"{{inputs.count}}\"`, keeps its type"),
        Key::new("form", TEXTS, "A form body"),
        Key::new("body", TEXT, "A body as it is"),
        Key::new("expect", Type::Shape(&EXPECT), "Which responses are a success; by default any status from 200 to 299"),
    ],
);

const STATUS: Type = Type::Whole(100, 599);

static EXPECT: Shape = Shape::new(
    "`expect`",
    &[
        Key::new("status", Type::AnyOf(&[&STATUS, &Type::List(&STATUS)]), "Which statuses succeed"),
        Key::new("that", EXPRESSION, "What else must hold of `result`"),
    ],
);

static ASSERTION: Shape = Shape::new(
    "an assertion",
    &[
        Key::new("that", EXPRESSION, "A boolean that must hold").required(),
        Key::new("else", TEXT, "What to say to people where it does not"),
    ],
);

static WAIT: Shape = Shape::new(
    "`wait`",
    &[
        Key::new("for", EXPRESSION, "A duration, or an expression that gives one"),
        Key::new("until", EXPRESSION, "A time to wait for, or a condition that is judged again and again"),
        Key::new("event", Type::Shape(&EVENT), "The next event of a source that fits"),
        Key::new("every", Type::Duration, "The pause between two judgements; 10 s by default").beside("until"),
        Key::new("within", Type::Duration, "Past it the step ends `timed_out`; required with `until` and `event`"),
        Key::new("probe", Type::Step, "A step of effect `none` or `read` that runs before each judgement").beside("until"),
    ],
)
.with_one_of(&["for", "until", "event"]);

static EVENT: Shape = Shape::new(
    "`event`",
    &[
        Key::new("source", Type::Refers(Referent::Source), "Where the event comes from").required(),
        Key::new("when", EXPRESSION, "A boolean over `event`: which of its events end the wait; by default any"),
        Key::new(
            "since",
            Type::Word(&[
                Word::new("run", "events that came since the run began; the default"),
                Word::new("step", "events that come from when the step waits"),
            ]),
            "From when on events count",
        ),
    ],
);

const WITHIN: Key = Key::new("within", Type::Duration, "How long they have");
const TIMED_OUT: Key = Key::new("on_timeout", ON_TIMEOUT, "What follows when nobody answers in time; never a yes");
const FROM: Key = Key::new("from", SOME_ASKED, "People, groups and rotations who may decide; by default whoever may operate");
const QUESTION: Key = Key::new("question", TEXT, "What people are asked; may be of several lines").required();

static APPROVE: Shape = Shape::new(
    "`approve`",
    &[
        QUESTION,
        FROM,
        Key::new("count", Type::Whole(1, limits::APPROVALS), "How many different people must say yes; one no is a no"),
        WITHIN,
        TIMED_OUT,
        Key::new("not_requester", Type::Boolean, "Whoever asked for the run may not decide"),
    ],
);

static ASK: Shape = Shape::new(
    "`ask`",
    &[
        QUESTION,
        Key::new("fields", Type::Map(Names::Ids, &INPUT_TYPE), "What is asked for, declared as inputs are").required(),
        FROM,
        WITHIN,
        TIMED_OUT,
    ],
);

static MANUAL: Shape = Shape::new(
    "`manual`",
    &[
        Key::new("do", TEXT, "What to do").required(),
        Key::new("expect", TEXT, "What shows that it worked"),
        Key::new("evidence", TEXT, "What to hand in"),
        FROM,
        WITHIN,
        TIMED_OUT,
    ],
);

static NOTIFY: Shape = Shape::new(
    "`notify`",
    &[
        Key::new("to", SOME_CHANNELS, "Channels of the workspace").required(),
        Key::new("subject", TEXT, "One line"),
        Key::new("message", TEXT, "What to say").required(),
    ],
);

static BRANCH: Shape = Shape::new(
    "a branch of `choose`",
    &[
        Key::new("when", EXPRESSION, "A boolean: the branch is taken where it is the first that holds"),
        Key::new("steps", STEPS, "What the branch does").beside("when"),
        Key::new("otherwise", STEPS, "What is done where no branch is taken; stands last"),
    ],
)
.with_one_of(&["when", "otherwise"]);

static EACH: Shape = Shape::new(
    "`each`",
    &[
        Key::new("in", EXPRESSION, "The list; at most 10,000 items").required(),
        Key::new("as", Type::Id, "The name of the item inside; `item` by default. `index` counts from 0"),
        Key::new("batches", Type::List(&Type::Batch), "Sizes of the waves: `[1, 10%, 100%]`; the last size repeats"),
        Key::new("max_parallel", Type::Whole(1, PARALLEL), "Items at once: 1 by default, with `batches` 100"),
        Key::new("max_failures", Type::Whole(0, ITEMS), "How many items may fail before no more are started; 0 by default"),
        Key::new("steps", STEPS, "What is done for each item").required(),
    ],
);

static REPEAT: Shape = Shape::new(
    "`repeat`",
    &[
        Key::new("until", EXPRESSION, "A boolean, judged after each round").required(),
        Key::new("times", Type::Whole(1, limits::ROUNDS), "At most so many rounds; then the step fails"),
        Key::new("every", Type::Duration, "The pause between rounds; by default none"),
        Key::new("steps", STEPS, "What a round does").required(),
    ],
);

static GROUP: Shape = Shape::new("`group`", &[Key::new("steps", STEPS, "The steps").required()]);

static FINISH: Shape = Shape::new(
    "`finish`",
    &[
        Key::new(
            "outcome",
            Type::Word(&[Word::new("succeeded", "the procedure has done what it is for"), Word::new("failed", "it has not")]),
            "How it ends",
        )
        .required(),
        Key::new("message", TEXT, "Why"),
    ],
);
