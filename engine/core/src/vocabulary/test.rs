//! `kind: Test`.

use super::procedure::{API_VERSION, KIND};
use super::step::{DATA, PLAIN, PLAINS, SOME_ASKED};
use super::{Key, Names, Referent, Shape, Type, Word};

const WHOLE: Type = Type::Whole(0, u32::MAX);
const BY_NAME: Type = Type::Map(Names::Any, &DATA);
const TESTED: Type = Type::Refers(Referent::TestedStep);
const SOME_STEPS: Type = Type::AnyOf(&[&TESTED, &Type::List(&TESTED)]);

const INPUTS: Key = Key::new("inputs", Type::Map(Names::Inputs, &DATA), "As for `runbook exec`");
const ENVIRONMENT: Key = Key::new("environment", Type::Refers(Referent::Environment), "The environment of the workspace");
const REQUESTED_BY: Key = Key::new("requested_by", PLAIN, "The person, or user, whose run it is; else `operator`");
const EVENT: Key =
    Key::new("event", Type::Shape(&EVENT_SHAPE), "The event that starts it, of a playbook; what is left out is made up");
const AT: Key = Key::new("at", PLAIN, "When it starts, `2026-11-21T10:00:00Z`; else 1 January 2026");
const STEPS: Key = Key::new("steps", Type::Map(Names::Steps, &STAND_INS), "Step → what stands in for its attempts: one, or a list");
const ANSWERS: Key = Key::new("answers", Type::Map(Names::Steps, &ANSWER_LIST), "Step → what people say: one answer, or a list");

const CANCEL: Key = Key::new("cancel", Type::Shape(&CANCEL_SHAPE), "Somebody ends the run early");

const STAND_IN: Type = Type::AnyOf(&[&ENDS, &Type::Shape(&STAND_IN_SHAPE)]);
const STAND_INS: Type = Type::AnyOf(&[&ENDS, &Type::Shape(&STAND_IN_SHAPE), &Type::List(&STAND_IN)]);
const ANSWER: Type = Type::AnyOf(&[&SAYS, &Type::Shape(&ANSWER_SHAPE)]);
const ANSWER_LIST: Type = Type::AnyOf(&[&SAYS, &Type::Shape(&ANSWER_SHAPE), &Type::List(&ANSWER)]);

pub(super) static TEST: Shape = Shape::new(
    "a test",
    &[
        API_VERSION,
        KIND,
        Key::new("procedure", Type::Refers(Referent::Procedure), "The name of the procedure, or `name@^2`").required(),
        Key::new("defaults", Type::Shape(&SHARED), "What all cases share; a case's own stand before them, name by name"),
        Key::new("cases", Type::List(&Type::Shape(&CASE)), "The cases").required(),
    ],
);

static SHARED: Shape = Shape::new("what all cases share", &[INPUTS, ENVIRONMENT, REQUESTED_BY, EVENT, AT, STEPS, ANSWERS, CANCEL]);

static CASE: Shape = Shape::new(
    "a case",
    &[
        Key::new("name", PLAIN, "No two of one file are the same").required(),
        INPUTS,
        ENVIRONMENT,
        REQUESTED_BY,
        EVENT,
        AT,
        STEPS,
        ANSWERS,
        CANCEL,
        Key::new("real", Type::Boolean, "It is for `runbook test --real` alone"),
        Key::new("setup", Type::Steps, "What starts the systems that it is for, in a folder of its own; for `--real`"),
        Key::new("from_setup", Type::Map(Names::Inputs, &Type::Expression), "Input → expression of what the setup gave")
            .beside("setup"),
        Key::new("teardown", Type::Steps, "What ends them, whatever happened"),
        Key::new("expect", Type::Shape(&EXPECT), "What must come of it").required(),
    ],
);

static EVENT_SHAPE: Shape = Shape::new(
    "the event that starts it",
    &[
        Key::new("data", DATA, "What it says, read as `event.data`"),
        Key::new("id", PLAIN, "What its sender calls it"),
        Key::new("source", PLAIN, "Where it happened"),
        Key::new("type", PLAIN, "What kind of event it is"),
        Key::new("subject", PLAIN, "What of the source it is about"),
        Key::new("time", PLAIN, "When it happened, `2026-11-21T10:00:00Z`"),
        Key::new("extensions", Type::Map(Names::Any, &DATA), "Further attributes"),
        Key::new("key", PLAIN, "What it is about: the same while an alert fires and resolves"),
        Key::new("status", STATUS, "Else `once`"),
    ],
);

const STATUS: Type = Type::Word(&[
    Word::new("firing", "It began, or goes on"),
    Word::new("resolved", "It is over"),
    Word::new("once", "It has no end"),
]);

const ENDS: Type = Type::Word(&[
    Word::new("ok", "it works, and prints nothing"),
    Word::new("example", "it gives the step's own `example`"),
    Word::new("fails", "it fails"),
    Word::new("times_out", "it takes as long as its timeout, and is ended"),
    Word::new("unknown", "nobody knows how it ended"),
    Word::new("crash", "the engine stops while it is under way, and the run is taken up again"),
    Word::new("crash_after", "it works, the engine stops right after, and the run is taken up again"),
]);

static STAND_IN_SHAPE: Shape = Shape::new(
    "what stands in for a step",
    &[
        Key::new("end", ENDS, "How the attempt ends; `ok` by default"),
        Key::new("fails", PLAIN, "Why it fails"),
        Key::new("stdout", PLAIN, "What a program prints"),
        Key::new("stderr", PLAIN, "What a program prints to standard error"),
        Key::new("exit_code", DATA, "Another one than 0 is a failure"),
        Key::new("status", DATA, "Of a response; one that is not expected is a failure"),
        Key::new("headers", DATA, "Of a response"),
        Key::new("body", PLAIN, "Of a response"),
        Key::new("json", DATA, "In the place of what is read from `stdout` or `body`"),
        Key::new("gives", DATA, "Members of the result, or, of a script, all of it"),
        Key::new("takes", Type::Duration, "How long the attempt takes; longer than its timeout, it times out"),
    ],
);

const SAYS: Type = Type::Word(&[
    Word::new("approve", "yes"),
    Word::new("reject", "no"),
    Word::new("probe", "look whether it took place"),
    Word::new("done", "it took place"),
    Word::new("again", "run it again"),
    Word::new("leave", "leave what could not be undone"),
    Word::new("nobody", "nobody answers"),
]);

static ANSWER_SHAPE: Shape = Shape::new(
    "an answer",
    &[
        Key::new("say", SAYS, "What is said; `approve` by default"),
        Key::new("by", PLAIN, "By whom; else the first who may"),
        Key::new("reason", PLAIN, "Why"),
        Key::new("after", Type::Duration, "How long after the question, or after the answer before"),
        Key::new("with", BY_NAME, "The fields of an `ask`"),
        Key::new("evidence", PLAIN, "Of a `manual`"),
    ],
);

static CANCEL_SHAPE: Shape = Shape::new(
    "somebody who ends the run",
    &[
        Key::new("after", Type::Duration, "How long after its start").required(),
        Key::new("by", PLAIN, "Who; else whoever asked for the run"),
        Key::new("undo", Type::Boolean, "What was changed is taken back"),
        Key::new("reason", PLAIN, "Why"),
    ],
);

static EXPECT: Shape = Shape::new(
    "what is expected",
    &[
        Key::new(
            "outcome",
            Type::Word(&[
                Word::new("succeeded", "its body ended, or `finish` said so"),
                Word::new("failed", "a step failed, its time was over, or `finish` said so"),
                Word::new("rejected", "a person said no"),
                Word::new("cancelled", "a person ended it"),
                Word::new("rolled_back", "its changes were undone"),
                Word::new("needs_attention", "changes are left that could not be undone, or nobody knows"),
                Word::new("waiting", "it waits for an answer"),
            ]),
            "How it ends",
        ),
        Key::new("message", PLAIN, "The message of the outcome has this text in it"),
        Key::new("steps", SOME_STEPS, "Exactly these steps began, in this order"),
        Key::new("skipped", SOME_STEPS, "These did not begin"),
        Key::new(
            "commands",
            Type::Map(Names::Steps, &Type::AnyOf(&[&PLAIN, &PLAINS])),
            "Step → exactly these arguments (a list), or text that is part of what would run",
        ),
        Key::new("gives", Type::Map(Names::Steps, &DATA), "Step → its values; of maps, those that are named"),
        Key::new("outputs", BY_NAME, "The outputs of the procedure, those that are named"),
        Key::new(
            "asked",
            Type::Map(Names::Steps, &Type::Shape(&ASKED)),
            "Step → who was asked what; `{}`: nobody was asked anything",
        ),
        Key::new("undone", SOME_STEPS, "Exactly these were taken back, in this order"),
        Key::new("left", SOME_STEPS, "Exactly these changes stay, in this order"),
        Key::new("record", Type::Map(Names::Any, &WHOLE), "Kind of event → how many the record has"),
        Key::new("within", Type::Duration, "It takes no longer, by the clock of the run"),
    ],
);

static ASKED: Shape = Shape::new(
    "who is asked",
    &[
        Key::new("from", SOME_ASKED, "People, groups and rotations"),
        Key::new("count", Type::Whole(1, u32::MAX), "How many must say yes"),
        Key::new("within", Type::Duration, "How long they have"),
        Key::new("question", PLAIN, "Text of the question"),
        Key::new("rule", PLAIN, "The policy of the workspace that asks"),
    ],
);
