//! `kind: Workspace`.

use super::procedure::{API_VERSION, KIND, POLICY_PROPERTIES};
use super::step::{
    EFFECTS as STEP_EFFECTS, ON_TIMEOUT, PLAIN, PLAINS, SECRETS, SOME_ASKED, SOME_CHANNELS, SOME_PEOPLE, SOME_PLAIN,
};
use super::{Key, Names, Referent, Shape, Type, Word};
use crate::limits;

const TEXT: Type = Type::Text;
const NAMED_PEOPLE: Type = Type::Shape(&PERSON);

pub(super) static WORKSPACE: Shape = Shape::new(
    "a workspace",
    &[
        API_VERSION,
        KIND,
        Key::new("name", PLAIN, "What people call this catalogue"),
        Key::new("timezone", PLAIN, "An IANA zone for windows that name none; `UTC` by default"),
        Key::new("people", Type::Map(Names::Named, &NAMED_PEOPLE), "Who may decide. Without people the operator decides alone"),
        Key::new("groups", Type::Map(Names::Named, &SOME_PEOPLE), "Name → people and other groups"),
        Key::new("rotations", Type::Map(Names::Named, &Type::Shape(&ROTATION)), "Who takes turns at being on call"),
        Key::new("environments", Type::Map(Names::Named, &Type::Shape(&ENVIRONMENT)), "Where procedures run"),
        Key::new("policies", Type::List(&Type::Shape(&POLICY)), "What is required of changes, beyond what a procedure asks"),
        Key::new("escalations", Type::Map(Names::Named, &Type::Shape(&ESCALATION)), "Whom to ask next when nobody decides"),
        Key::new("secrets", Type::Map(Names::Named, &Type::Shape(&PROVIDER)), "Providers of secrets"),
        Key::new("channels", Type::Map(Names::Named, &Type::Shape(&CHANNEL)), "Where messages go"),
        Key::new("sources", Type::Map(Names::Named, &Type::Shape(&SOURCE)), "Where events come from"),
        Key::new("url", PLAIN, "Where people reach the pages of `runbook serve`: messages link there"),
        Key::new("http", Type::Shape(&NETWORK), "What requests may reach"),
        Key::new("access", Type::List(&Type::Shape(&GRANT)), "Who may do what through the server. Without it nobody"),
        Key::new("oidc", Type::Shape(&OIDC), "A provider of OpenID Connect, at which people log in to the server"),
    ],
);

static OIDC: Shape = Shape::new(
    "`oidc`",
    &[
        Key::new("issuer", PLAIN, "Its address, as it names itself").required(),
        Key::new("client", PLAIN, "What it calls this server").required(),
        Key::new("secret", PLAIN, "`secrets.<name>`, where it gave one"),
        Key::new(
            "claim",
            Type::Word(&[
                Word::new("sub", "what it gives to one person for ever"),
                Word::new("email", "an address, where it says that it was verified"),
            ]),
            "By what of it people are known; `sub` by default",
        ),
        Key::new("secrets", SECRETS, "Secrets of this provider"),
    ],
);

static GRANT: Shape = Shape::new(
    "a grant",
    &[
        Key::new("role", Type::Word(&ROLES), "What they may do").required(),
        Key::new("to", SOME_PEOPLE, "People and groups").required(),
        Key::new("labels", Type::Map(Names::Any, &PLAIN), "To procedures with these labels, and their runs; to any by default"),
    ],
);

const ROLES: [Word; 5] = [
    Word::new("viewer", "Look"),
    Word::new("operator", "Look, foresee, start, cancel, pause and resume"),
    Word::new("approver", "Look, and decide what they are asked"),
    Word::new("author", "Look, and foresee"),
    Word::new("admin", "All of it, and the audit log"),
];

static PERSON: Shape = Shape::new(
    "a person",
    &[
        Key::new("name", PLAIN, "Shown beside the key"),
        Key::new("users", SOME_PLAIN, "Users of the operating system; by default the key"),
        Key::new("ssh_keys", SOME_PLAIN, "Public keys, as lines of `authorized_keys`"),
        Key::new(
            "certificates",
            SOME_PLAIN,
            "Certificates for a server: `mail:`, `dns:`, `uri:` and a name that it carries, or `sha256:`",
        ),
        Key::new("oidc", PLAIN, "What the provider of `oidc` calls them: its `claim`"),
        Key::new("mail", PLAIN, "Their address: told to whoever looks for them, and how calendars of rotations know them"),
    ],
);

const A_PERSON: Type = Type::Refers(Referent::Person);
const SOME_PERSONS: Type = Type::AnyOf(&[&A_PERSON, &Type::List(&A_PERSON)]);

static ROTATION: Shape = Shape::new(
    "a rotation",
    &[
        Key::new("members", SOME_PERSONS, "People, in the order of their turns"),
        Key::new("starts", PLAIN, "The day on which the first turn begins: one of those of `hand_over`").beside("members"),
        Key::new("hand_over", Type::Shape(&HAND_OVER), "When one turn ends and the next begins").beside("members"),
        Key::new("calendar", PLAIN, "A file of iCalendar that says whose turn it is, below the folder of the workspace"),
        Key::new("zone", PLAIN, "An IANA zone; by default that of the workspace"),
        Key::new("overrides", Type::List(&Type::Shape(&OVERRIDE)), "Who is on call whosever turn it is, and when"),
    ],
)
.with_one_of(&["members", "calendar"]);

static HAND_OVER: Shape = Shape::new(
    "`hand_over`",
    &[
        Key::new("days", SOME_PLAIN, "`mon` for each week, `mon-sun` for each day").required(),
        Key::new("at", PLAIN, "The time of day, such as `\"09:00\"`").required(),
        Key::new(
            "every",
            Type::Whole(1, limits::TURN_HAND_OVERS),
            "At which of these times a turn ends: with 2 at every second; 1 by default",
        ),
    ],
);

static OVERRIDE: Shape = Shape::new(
    "an override",
    &[
        Key::new("who", A_PERSON, "The person who stands in").required(),
        Key::new("from", PLAIN, "When it begins: a day or a time"),
        Key::new("to", PLAIN, "When it ends; a day is still inside"),
        Key::new("dates", SOME_PLAIN, "Whole days, such as holidays, in place of `from` and `to`"),
        Key::new("reason", PLAIN, "Told to whoever looks who is on call"),
    ],
);

static ENVIRONMENT: Shape = Shape::new(
    "an environment",
    &[
        Key::new("default", Type::Boolean, "Used where none is named"),
        Key::new("production", Type::Boolean, "Kept for the overview of environments: rules name environments"),
        Key::new("freeze", WINDOWS, "In these windows no step starts that changes something"),
        Key::new("change_windows", WINDOWS, "Where there is one, changes start in these windows only"),
    ],
);

pub(super) const WINDOWS: Type = Type::List(&Type::Shape(&WINDOW));

static WINDOW: Shape = Shape::new(
    "a window",
    &[
        Key::new("days", SOME_PLAIN, "`mon`, or `mon-fri`: the window is of every week"),
        Key::new("from", PLAIN, "When it begins: a day or a time, or with `days` a time of day").required(),
        Key::new("to", PLAIN, "When it ends; a day is still inside").required(),
        Key::new("zone", PLAIN, "An IANA zone; by default that of the workspace"),
        Key::new("reason", PLAIN, "Told to whoever is held up"),
    ],
);

static POLICY: Shape = Shape::new(
    "a policy",
    &[
        Key::new("name", PLAIN, "Named where it asks, and in the record").required(),
        Key::new("when", Type::Shape(&POLICY_WHEN), "Which steps it is about"),
        Key::new("require", Type::Shape(&POLICY_REQUIRE), "What it requires of them").required(),
    ],
);

const AN_ENVIRONMENT: Type = Type::Refers(Referent::Environment);
const SOME_ENVIRONMENTS: Type = Type::AnyOf(&[&AN_ENVIRONMENT, &Type::List(&AN_ENVIRONMENT)]);

const EFFECTS: Type = match STEP_EFFECTS {
    // A step without an effect needs no rule.
    Type::Word([_, rest @ ..]) => Type::Word(rest),
    other => other,
};

static POLICY_WHEN: Shape = Shape::new(
    "`when` of a policy",
    &[
        Key::new("effect", EFFECTS, "The least effect; `change` by default"),
        Key::new("environments", SOME_ENVIRONMENTS, "In one of these; in all by default"),
        Key::new("labels", Type::Map(Names::Any, &PLAIN), "Of procedures with these labels; of any by default"),
    ],
);

static POLICY_REQUIRE: Shape = Shape::new(
    "`require` of a policy",
    &[
        Key::new("approve", Type::Shape(&GATE), "People say yes before each such step"),
        Key::new("four_eyes", Type::Boolean, "Whoever asked for the run approves nothing in it"),
        Key::new("signed", Type::Boolean, "Every decision carries an SSH signature"),
        Key::new("must", POLICY_PROPERTIES, "Properties that every path of such a procedure keeps"),
    ],
);

static GATE: Shape = Shape::new(
    "`approve` of a policy",
    &[
        Key::new("from", SOME_ASKED, "People, groups and rotations who may decide"),
        Key::new("count", Type::Whole(1, limits::APPROVERS), "How many different people must say yes"),
        Key::new("within", Type::Duration, "How long they have"),
        Key::new("on_timeout", ON_TIMEOUT, "What follows when nobody answers in time; never a yes"),
        Key::new("not_requester", Type::Boolean, "Whoever asked for the run may not decide"),
    ],
);

static ESCALATION: Shape = Shape::new(
    "an escalation",
    &[
        Key::new("steps", Type::List(&Type::Shape(&RUNG)), "Whom to ask, one after the other").required(),
        Key::new("channels", SOME_CHANNELS, "Where it is told as soon as somebody is asked"),
        Key::new("pace", Type::Shape(&PACE_SHAPE), "Impact → a factor on every `after`"),
    ],
);

static RUNG: Shape = Shape::new(
    "a step of an escalation",
    &[
        Key::new("to", SOME_ASKED, "People, groups and rotations").required(),
        Key::new("after", Type::Duration, "How long they have until the next step").required(),
        Key::new("channels", SOME_CHANNELS, "Where they are told"),
    ],
);

const PACE: Type = Type::Number(limits::PACE.0, limits::PACE.1);

static PACE_SHAPE: Shape = Shape::new(
    "`pace`",
    &[
        Key::new("low", PACE, "The factor for procedures of low impact"),
        Key::new("medium", PACE, "The factor for procedures of medium impact"),
        Key::new("high", PACE, "The factor for procedures of high impact"),
        Key::new("critical", PACE, "The factor for procedures of critical impact"),
    ],
);

static PROVIDER: Shape = Shape::new(
    "a provider of secrets",
    &[
        Key::new("age", Type::Shape(&AGE), "Entries of an age-encrypted YAML file; the key is `name` or `name#member`"),
        Key::new("env", Type::Shape(&VARIABLES), "Variables of the process that runs the procedure"),
        Key::new("file", Type::Shape(&FOLDER), "One file for each key"),
        Key::new("command", PLAINS, "What a program prints; `{key}` in an argument stands for the key"),
    ],
)
.with_one_of(&["age", "env", "file", "command"]);

static AGE: Shape = Shape::new(
    "`age`",
    &[
        Key::new("file", PLAIN, "The encrypted file").required(),
        Key::new("identity", PLAIN, "The file with the private key; by default that of the user's settings"),
    ],
);

static VARIABLES: Shape = Shape::new("`env`", &[Key::new("prefix", PLAIN, "Stands before each key")]);

static FOLDER: Shape = Shape::new("`file`", &[Key::new("dir", PLAIN, "The folder that the files stand in").required()]);

static CHANNEL: Shape = Shape::new(
    "a channel",
    &[
        Key::new("log", Type::Shape(&LOG), "Writes to the record"),
        Key::new("command", Type::List(&TEXT), "A program that gets the message on its standard input"),
        Key::new("http", Type::Shape(&HOOK), "Posts the message"),
        Key::new("mail", Type::Shape(&MAIL), "Sends the message by mail"),
        Key::new("slack", Type::Shape(&SLACK), "Posts the message to a channel of Slack"),
        Key::new("teams", Type::Shape(&TEAMS), "Posts the message to a channel of Microsoft Teams"),
        Key::new("ntfy", Type::Shape(&NTFY), "Publishes the message to a topic of ntfy"),
        Key::new("pagerduty", Type::Shape(&PAGERDUTY), "Triggers an alert of PagerDuty"),
        Key::new("secrets", SECRETS, "Secrets of this channel"),
    ],
)
.with_one_of(&["log", "command", "http", "mail", "slack", "teams", "ntfy", "pagerduty"]);

static LOG: Shape = Shape::new("`log`", &[Key::new("file", PLAIN, "A file that gets each message as a line of JSON too")]);

static HOOK: Shape = Shape::new(
    "`http`",
    &[
        Key::new("url", PLAIN, "Where to, or `secrets.<name>`").required(),
        Key::new("headers", Type::Map(Names::Any, &PLAIN), "Name → text, or `secrets.<name>`"),
        Key::new("json", Type::Json, "The body; its texts know `message`, `subject`, `channel` and `run`").required(),
    ],
);

static MAIL: Shape = Shape::new(
    "`mail`",
    &[
        Key::new("to", SOME_PLAIN, "Addresses").required(),
        Key::new("from", PLAIN, "An address").required(),
        Key::new("smtp", PLAIN, "`host:port`").required(),
        Key::new(
            "security",
            Type::Word(&[
                Word::new("starttls", "TLS after the greeting"),
                Word::new("tls", "TLS from the start"),
                Word::new("none", "no TLS"),
            ]),
            "How the connection is protected",
        ),
        Key::new("user", PLAIN, "Who logs in; together with `password`"),
        Key::new("password", PLAIN, "`secrets.<name>`"),
    ],
);

const SUBJECT: Key = Key::new("subject", Type::Text, "Its first line; that of the message by default");
const MESSAGE: Key = Key::new("message", Type::Text, "Its text; the message by default");

static SLACK: Shape = Shape::new(
    "`slack`",
    &[Key::new("webhook", PLAIN, "`secrets.<name>`: the address of an incoming webhook").required(), SUBJECT, MESSAGE],
);

static TEAMS: Shape = Shape::new(
    "`teams`",
    &[
        Key::new("webhook", PLAIN, "`secrets.<name>`: the address of a workflow that posts what it gets").required(),
        SUBJECT,
        MESSAGE,
    ],
);

static NTFY: Shape = Shape::new(
    "`ntfy`",
    &[
        Key::new("server", PLAIN, "Its address; `https://ntfy.sh` by default"),
        Key::new("topic", PLAIN, "Its name, or `secrets.<name>`: whoever knows it can read along").required(),
        Key::new("token", PLAIN, "`secrets.<name>`: an access token"),
        Key::new(
            "priority",
            Type::Word(&[
                Word::new("min", "No sound, and out of sight"),
                Word::new("low", "No sound"),
                Word::new("default", "A short sound"),
                Word::new("high", "A long sound"),
                Word::new("max", "A very long sound"),
            ]),
            "How loud it is; `default` by default",
        ),
        SUBJECT,
        MESSAGE,
    ],
);

static PAGERDUTY: Shape = Shape::new(
    "`pagerduty`",
    &[
        Key::new("key", PLAIN, "`secrets.<name>`: the integration key of a service, for the Events API of version 2").required(),
        Key::new("server", PLAIN, "Its address; `https://events.pagerduty.com` by default"),
        Key::new(
            "severity",
            Type::Word(&[
                Word::new("critical", "Critical"),
                Word::new("error", "Error"),
                Word::new("warning", "Warning"),
                Word::new("info", "Information"),
            ]),
            "How bad it is; `error` by default",
        ),
        SUBJECT,
        MESSAGE,
    ],
);

static NETWORK: Shape = Shape::new(
    "`http`",
    &[Key::new("allow", SOME_PLAIN, "Hosts and networks that runs started by events may reach although they are private")],
);

static SOURCE: Shape = Shape::new(
    "a source of events",
    &[
        Key::new(
            "type",
            Type::Word(&[
                Word::new("alertmanager", "alerts of Alertmanager, or of Prometheus itself"),
                Word::new("grafana", "alerts of Grafana"),
                Word::new("sns", "alarms of CloudWatch and other messages through Amazon SNS"),
                Word::new("eventbridge", "events of Amazon EventBridge through an API destination"),
                Word::new("pagerduty", "webhooks of PagerDuty, version 3"),
                Word::new("datadog", "webhooks of Datadog"),
                Word::new("opsgenie", "webhooks of Opsgenie"),
                Word::new("github", "webhooks of GitHub"),
                Word::new("sentry", "webhooks of Sentry's integrations"),
                Word::new("cloudevents", "CloudEvents over HTTP: binary, structured, batch"),
                Word::new("standard-webhooks", "Standard Webhooks, signed with a shared secret"),
                Word::new("generic", "any other JSON, read by expressions"),
                Word::new("schedule", "our own clock, at the times of `cron`"),
                Word::new("folder", "whoever drops files into a folder"),
                Word::new("nats", "a stream of NATS JetStream, which we fetch"),
            ]),
            "Who sends",
        )
        .required(),
        Key::new("secret", SOME_PLAIN, "`secrets.<name>` that deliveries are signed with; several while one follows another"),
        Key::new("bearer", SOME_PLAIN, "`secrets.<name>` in `Authorization: Bearer`; weaker than a signature"),
        Key::new("basic", Type::Shape(&BASIC), "A user and a password; weaker than a signature"),
        Key::new("header", Type::Shape(&SECRET_HEADER), "A header with a secret in it; weaker than a signature"),
        Key::new("hmac", Type::Shape(&HMAC), "How deliveries are signed, where their type does not say it").beside("secret"),
        Key::new("topics", SOME_PLAIN, "ARNs of the topics of SNS whose messages are taken"),
        Key::new("origins", SOME_PLAIN, "Who may ask to deliver CloudEvents; by default anybody who then authenticates"),
        Key::new("items", Type::Expression, "The events in a `body` that holds several"),
        Key::new("event", Type::Shape(&EVENT), "What an event is, over `body`, or with `items` over `item`"),
        Key::new("cron", PLAIN, "When a schedule ticks: minute, hour, day of month, month, day of week"),
        Key::new("zone", PLAIN, "The time zone of `cron`; by default that of the workspace"),
        Key::new("late", Type::Duration, "How late a tick may be and still count; 5m by default"),
        Key::new(
            "missed",
            Type::Word(&[
                Word::new("skip", "they are recorded, and start nothing"),
                Word::new("once", "the last of them counts once somebody is there; the others are recorded"),
            ]),
            "Ticks at which nobody was there; `skip` by default",
        ),
        Key::new("path", PLAIN, "The folder into which events are dropped, from the root of the catalogue on"),
        Key::new("suffix", PLAIN, "How the names of files end that are events; `.json` by default"),
        Key::new("settled", Type::Duration, "How long a file has to stay as it is before it is taken; 2s by default"),
        Key::new("url", PLAIN, "The server of NATS, such as `nats://127.0.0.1:4222`"),
        Key::new("stream", PLAIN, "The stream of JetStream whose messages are events"),
        Key::new("consumer", PLAIN, "The name under which the server of NATS remembers what was taken; `runbook` by default"),
        Key::new("subject", PLAIN, "The subjects whose messages are taken, such as `plant.*.alarms`; by default all of the stream"),
        Key::new("secrets", SECRETS, "Secrets of this source"),
    ],
);

static BASIC: Shape = Shape::new(
    "`basic`",
    &[
        Key::new("user", PLAIN, "The user").required(),
        Key::new("password", SOME_PLAIN, "`secrets.<name>`; several while one follows another").required(),
    ],
);

static SECRET_HEADER: Shape = Shape::new(
    "`header`",
    &[
        Key::new("name", PLAIN, "The name of the header").required(),
        Key::new("value", SOME_PLAIN, "`secrets.<name>`; several while one follows another").required(),
    ],
);

static HMAC: Shape = Shape::new(
    "`hmac`",
    &[
        Key::new("header", PLAIN, "The header that the signature stands in"),
        Key::new(
            "algorithm",
            Type::Word(&[
                Word::new("sha256", "HMAC with SHA-256"),
                Word::new("sha384", "HMAC with SHA-384"),
                Word::new("sha512", "HMAC with SHA-512"),
            ]),
            "`sha256` by default; what a sender says of it is not heeded",
        ),
        Key::new(
            "encoding",
            Type::Word(&[Word::new("hex", "two digits for each byte"), Word::new("base64", "the base 64 of RFC 4648")]),
            "How the signature is written; `hex` by default",
        ),
        Key::new("prefix", PLAIN, "What stands before each signature, such as `sha256=`"),
        Key::new("signed", PLAIN, "What is signed: text with `{body}`, `{timestamp}` and `{Name-Of-A-Header}` in it"),
        Key::new("timestamp", Type::Shape(&SIGNED_TIME), "When the sender signed"),
    ],
);

static SIGNED_TIME: Shape = Shape::new(
    "`timestamp`",
    &[
        Key::new("header", PLAIN, "The header that it stands in: seconds since 1970, or RFC 3339").required(),
        Key::new("prefix", PLAIN, "What stands before it in a list, such as `t=`"),
        Key::new("within", Type::Duration, "How far it may lie from our clock; `5m` by default, a day at most"),
    ],
);

static EVENT: Shape = Shape::new(
    "`event`",
    &[
        Key::new("id", Type::Expression, "The same where the same is sent again; by default a hash of it"),
        Key::new("key", Type::Expression, "What it is about, the same while it lasts; by default the id"),
        Key::new("type", Type::Expression, "What kind of event it is; by default the name of the source"),
        Key::new("status", Type::Expression, "`firing`, `resolved` or `once`; by default `once`"),
        Key::new("subject", Type::Expression, "What of the source it is about, in words"),
        Key::new("time", Type::Expression, "When it happened: RFC 3339, or seconds since 1970"),
    ],
);
