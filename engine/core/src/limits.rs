//! Every bound of the project, with its reason. A count, size or wait that stands anywhere else is a mistake.

use std::time::Duration;

/// Bytes of one document. Larger files are answered with an error before they are parsed.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;
/// Depth of nested YAML collections: deeper than any procedure a person can read, shallow enough for the stack.
pub const DOCUMENT_DEPTH: usize = 64;
/// YAML nodes of one document, aliases counted each time they are used: bounds alias bombs.
pub const DOCUMENT_NODES: usize = 200_000;
/// Bytes of a document's scalars, aliases counted each time they are used: bounds a long text behind many aliases.
pub const DOCUMENT_ALIASED_BYTES: usize = 4 * 1024 * 1024;
/// Faults of syntax that are mended to find what stands behind them.
pub const SYNTAX_FAULTS: usize = 20;
/// Diagnostics shown of one file.
pub const DIAGNOSTICS: usize = 200;
/// Names that a misspelt one is compared with.
pub const SPELLINGS: usize = 1000;
/// Names of one case of a test that are told to be no step's: those that all cases share come up with each of them.
pub const CASE_STRANGERS: usize = 20;
/// Bytes and files of a catalogue that are copied for a test on real systems: procedures and what stands beside them.
pub const REHEARSAL_BYTES: u64 = 64 * 1024 * 1024;
pub const REHEARSAL_FILES: usize = 20_000;
/// Steps named where a case expected others.
pub const PATHS_TOLD: usize = 50;
/// Bytes of one message of an editor: a document of the largest size whose every character is escaped, and some more.
pub const EDITOR_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one line of the head of such a message.
pub const EDITOR_HEADER_BYTES: usize = 1024;
/// Messages of an editor that wait to be answered; it waits beyond that.
pub const EDITOR_QUEUE: usize = 64;
/// Documents that an editor may have open.
pub const EDITOR_DOCUMENTS: usize = 1000;
/// Bytes of a value that an editor shows of an earlier run.
pub const EDITOR_VALUE_BYTES: usize = 400;
/// How long what an editor starts may take.
pub const EDITOR_COMMAND: Duration = Duration::from_secs(30);
/// Bytes of what it prints that the editor is told.
pub const EDITOR_TOLD_BYTES: usize = 64 * 1024;
/// Files of procedures in one catalogue.
pub const CATALOGUE_FILES: usize = 10_000;
/// How deep folders of a catalogue may nest.
pub const CATALOGUE_DEPTH: usize = 16;
/// Steps in one plan, called procedures included.
pub const PLAN_STEPS: usize = 10_000;
/// Bytes of the variables and folders of all steps of a plan, and of the approvals that policies add to them, those that a step has from
/// around it counted for each: they multiply.
pub const PLAN_SETTINGS_BYTES: usize = 8 * 1024 * 1024;
/// What one variable of a step, or name in an approval, counts beside its text.
pub const PLAN_VARIABLE_BYTES: usize = 100;
/// How deep procedures may call one another.
pub const CALL_DEPTH: usize = 16;
/// Bytes of an identifier or procedure name: fits a column of a terminal and a file name.
pub const ID_BYTES: usize = 64;
/// Bytes of a step's path.
pub const PATH_BYTES: usize = 2048;

/// Bytes of one expression. Parsing cannot be interrupted.
pub const EXPRESSION_BYTES: usize = 4 * 1024;
/// Depth of an expression's tree: deeper than anybody reads, shallow enough for the stack.
pub const EXPRESSION_DEPTH: u16 = 64;
/// How deep closures may nest in an expression: what they cost multiplies.
pub const CLOSURE_DEPTH: usize = 2;
/// Bytes of one Rhai script. Parsing cannot be interrupted.
pub const SCRIPT_BYTES: usize = 64 * 1024;
/// Depth of expressions, and of calls, in a Rhai script.
pub const SCRIPT_DEPTH: usize = 32;
/// Steps that the evaluation of one expression may take, copies of large values counted by their size: some milliseconds.
pub const EXPRESSION_OPERATIONS: u64 = 100_000;
/// Rhai operations of one script step, run in its own process.
pub const SCRIPT_OPERATIONS: u64 = 100_000_000;
/// Length of a text made by an expression or a template.
pub const TEXT_BYTES: usize = 1024 * 1024;
/// Elements of a list or map made by an expression.
pub const COLLECTION_LEN: usize = 100_000;
/// Depth of nested values.
pub const VALUE_DEPTH: usize = 64;
/// Bytes of the script of one `run` step.
pub const SHELL_BYTES: usize = 64 * 1024;
/// Bytes of what a step does as it is recorded, without its values: one event, but for some room for those.
pub const STEP_BYTES: usize = 60 * 1024;
/// Arguments of one `exec` step.
pub const ARGUMENTS: usize = 1000;
/// Answers that one decision can ask for.
pub const APPROVALS: u32 = 100;
/// Bytes of one template.
pub const TEMPLATE_BYTES: usize = 64 * 1024;
/// Placeholders in one block, or one line with blocks, of a template: its parser looks for the place of each from the beginning.
pub const TEMPLATE_TAGS: usize = 256;
/// Nested blocks in one template.
pub const TEMPLATE_DEPTH: usize = 16;
/// Bytes between `{{` and `}}`.
pub const MUSTACHE_BYTES: usize = 1024;
/// Nested brackets between `{{` and `}}`: the parser of Handlebars recurses over them.
pub const MUSTACHE_DEPTH: usize = 8;
/// Pieces that one rendering may write: bounds nested `each`.
pub const TEMPLATE_WRITES: usize = 100_000;
/// Bytes that the helpers of one rendering go over.
pub const TEMPLATE_WORK_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one value in a script's environment: Linux refuses a single string of 128 KiB or more.
pub const VARIABLE_BYTES: usize = 120 * 1024;
/// Bytes of one regular expression of an input.
pub const PATTERN_BYTES: usize = 1024;
/// Bytes of the compiled form of one regular expression: bounds `(a{1000}){1000}`.
pub const PATTERN_PROGRAM_BYTES: usize = 1024 * 1024;
/// Elements that `unique` compares with one another.
pub const UNIQUE_LEN: usize = 1000;
/// Steps of backtracking for one match of an input against its pattern.
pub const PATTERN_BACKTRACK: usize = 100_000;
/// Bytes of the automaton that one pattern may become.
pub const PATTERN_PROGRAM: usize = 1024 * 1024;

/// Bytes of one event's payload; larger values live in log objects.
pub const EVENT_BYTES: usize = 64 * 1024;
/// Bytes of the inputs of a run: one event, but for some room for what else its first one says.
pub const INPUTS_BYTES: usize = 56 * 1024;
/// Characters of an outcome's message that are kept where all of it does not fit into an event.
pub const OUTCOME_CHARS: usize = 1000;
/// Bytes of a step's output that are part of its result (`stdout`, `stderr`: the head); all of it is in the log.
pub const RESULT_BYTES: usize = 16 * 1024;
/// Bytes of output kept for one attempt; more is counted and dropped, visibly.
pub const LOG_BYTES: u64 = 1024 * 1024 * 1024;
/// Items of one `each`.
pub const ITEMS: usize = 10_000;
/// Rounds of one `repeat`.
pub const ROUNDS: u32 = 10_000;
/// How often a wait looks where it does not say.
pub const POLL_EVERY: Duration = Duration::from_secs(10);
/// Attempts of one step through `retry`.
pub const ATTEMPTS: u32 = 100;
/// Branches and items that run at once where a step does not say.
pub const PARALLEL_DEFAULT: usize = 100;
/// Branches and items that may run at once in one run.
pub const PARALLEL: usize = 500;
/// The longest duration that a procedure can name: ten years.
pub const DURATION: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// Time that a step has where neither it nor `defaults` says.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long a run has to wait for a time before whoever drives many of them lets go of it: to take it up again costs a replay.
pub const REST: Duration = Duration::from_secs(30);
/// Events that are judged together: what they lead to is one commit.
pub const JUDGED_TOGETHER: usize = 1_000;
/// Steps that began to wait for an event and are offered what came before, at once; and of each, how far back is looked, and how much it is
/// offered. It takes one event; others in its run may take some before it.
pub const WAITS_TOGETHER: usize = 100;
pub const AWAITED_BACK: usize = 100_000;
pub const AWAITED_OFFERS: usize = 1_000;
/// Runs that the `limit` of one trigger may allow in its time.
pub const TRIGGER_RUNS: u32 = 10_000;
/// Events that `accumulate` counts before a run starts.
pub const ACCUMULATED_EVENTS: u32 = 10_000;
/// Events that wait at one trigger: for a key that is busy, the end of a quiet time, a limit, or others of their kind. At some
/// 300 bytes each; beyond that they are dropped, and say so.
pub const DEFERRED_EVENTS: usize = 10_000;
/// Events that wait for a decision before senders are told to keep theirs: they are on the disk, and some minutes of work.
pub const UNJUDGED_EVENTS: u64 = 1_000_000;
/// How long a server that has just judged events lets others come before it judges them.
pub const DISPATCH_PAUSE: Duration = Duration::from_millis(10);
/// How often a server looks for events that other processes wrote down, and tries again what failed.
pub const DISPATCH_LOOK: Duration = Duration::from_millis(250);
pub const DISPATCH_RETRY: Duration = Duration::from_secs(1);
/// Deliveries that a server takes at once, and what their bodies may hold together: eight of the largest.
pub const DELIVERIES_UNDER_WAY: usize = 1_024;
pub const DELIVERIES_BYTES: usize = 32 * 1024 * 1024;
/// Files and connections that a server has open at once, where the system allows so many.
pub const DESCRIPTORS: u64 = 65_536;
/// Connections that a server holds at once.
pub const CONNECTIONS: usize = 2_048;
/// How long the head of a request may take, its bytes, and how long its body.
pub const REQUEST_HEAD_TIME: Duration = Duration::from_secs(10);
pub const REQUEST_HEAD_BYTES: usize = 64 * 1024;
pub const REQUEST_BODY_TIME: Duration = Duration::from_secs(30);
/// Where as many deliveries come in as may, one whose body has been coming for so long makes room: an honest one is there in far less.
pub const BODY_GRACE: Duration = Duration::from_secs(2);
/// How long whoever waits for such room waits at most.
pub const ROOM_WAIT: Duration = Duration::from_millis(500);
/// How long the other end of a connection may take nothing of what it asked for.
pub const STALLED: Duration = Duration::from_secs(30);
/// How long a server waits before it accepts again where the system gave it no connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests that have begun are answered once a server stops.
pub const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long what is under way in runs may take to end once a server stops: less than service managers wait before they kill.
pub const DRAIN: Duration = Duration::from_secs(60);
/// Runs whose traces wait for a collector, and ends of runs that are remembered so that each is told once.
pub const TRACES_WAITING: usize = 10_000;
/// Steps in one trace, and events that it links to: a request of some megabytes.
pub const TRACE_STEPS: usize = 10_000;
pub const TRACE_LINKS: usize = 100;
/// How long a collector may take, how often it is asked, and the first pause between; each later one is twice as long.
pub const TRACE_TIME: Duration = Duration::from_secs(10);
pub const TRACE_ATTEMPTS: u32 = 5;
pub const TRACE_RETRY: Duration = Duration::from_secs(1);
/// What a server gets for one source in a minute: two certificates in a new region, and a subscription for each topic.
pub const FETCHES: usize = 20;
pub const FETCHES_PER: Duration = Duration::from_secs(60);
pub const FETCH_TIME: Duration = Duration::from_secs(10);
pub const FETCH_BYTES: usize = 64 * 1024;
/// How often a server looks whether the files of its catalogue have changed; it takes two looks at what stays the same.
pub const RELOAD_LOOK: Duration = Duration::from_secs(1);
/// Runs that a server drives at once; others wait for their turn, those of the highest impact first.
pub const RUNS_DRIVEN: usize = 100;
/// How often a server looks which runs have grown, and how often for those whose process has died.
pub const RUNS_LOOK: Duration = Duration::from_millis(100);
pub const RUNS_SWEEP: Duration = Duration::from_secs(2);
/// When a run that wants a lock, that another process drives, or that could not be taken up is looked at again.
pub const RUN_RETRY: Duration = Duration::from_secs(5);
/// Bytes of one delivery to a source of events: a group of some thousand alerts. What is larger is refused before it is read, and
/// a sender such as Alertmanager does not try again, so this is generous.
pub const DELIVERY_BYTES: usize = 4 * 1024 * 1024;
/// Values in one delivery: bounds what `[[],[],…]` takes in memory.
pub const DELIVERY_VALUES: usize = 400_000;
/// Events of one delivery: each is decided upon and recorded for itself.
pub const DELIVERY_EVENTS: usize = 10_000;
/// Bytes of a name that a sender gives an event (its id, key, type, source, subject); a longer id or key is kept as its hash.
pub const EVENT_NAME_BYTES: usize = 1024;
/// Integers beyond 64 bits that an event names as kept in text.
pub const BIG_INTEGERS_TOLD: usize = 20;
/// Secrets of one source that are tried: two while one follows the other, and some for many senders.
pub const SOURCE_SECRETS: usize = 5;
/// Signatures of one delivery that are tried: senders give one for each secret of theirs.
pub const DELIVERY_SIGNATURES: usize = 10;
/// How far the time that a sender signed may lie from our clock where its scheme, or the source, does not say: what Standard Webhooks
/// recommends.
pub const DELIVERY_WITHIN: Duration = Duration::from_secs(5 * 60);
/// The longest such time that a source may name: the ids of all deliveries are kept for twice as long.
pub const DELIVERY_WITHIN_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// How late a tick of a schedule may be and still count, where its source does not say: as long as a restart takes.
pub const TICK_LATE: Duration = Duration::from_secs(5 * 60);
/// Characters of `cron`: the minutes of an hour, one by one, and more.
pub const CRON_BYTES: usize = 256;
/// How long a token lives where nobody says, and at most: whoever forgets one is not let in with it for ever.
pub const TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
pub const TOKEN_LIFE_MOST: Duration = Duration::from_secs(366 * 24 * 3600);
/// What a token is said to be for.
pub const TOKEN_NOTE_BYTES: usize = 200;
/// Characters of a password, which people can remember as some words, and its bytes.
pub const PASSWORD_CHARACTERS: usize = 12;
pub const PASSWORD_BYTES: usize = 1024;
/// What it takes to try one: memory in KiB, and passes over it (argon2id, as OWASP recommends it).
pub const PASSWORD_MEMORY_KIB: u32 = 19_456;
pub const PASSWORD_PASSES: u32 = 2;
/// Passwords that a server tries at once, and how long one waits for its turn.
pub const PASSWORDS_AT_ONCE: usize = 2;
pub const PASSWORD_TURN: Duration = Duration::from_secs(5);
/// Log-ins that fail before one has to wait: of one person, and from one address, behind which several people may be. Then each wait is
/// twice as long as the one before, from the first to the longest, which still lets in a person whom somebody else keeps failing for.
pub const LOGINS_OF_ONE: u32 = 5;
pub const LOGINS_FROM_ONE: u32 = 20;
pub const LOGIN_WAIT: Duration = Duration::from_secs(1);
pub const LOGIN_WAIT_MOST: Duration = Duration::from_secs(5 * 60);
/// When the failures of a person and of an address are forgotten, and of how many a server knows.
pub const LOGINS_FORGOTTEN: Duration = Duration::from_secs(3600);
pub const LOGINS_KNOWN: usize = 10_000;
/// Bytes of a name that a certificate carries, and the names of one that are looked at.
pub const CERTIFICATE_NAME_BYTES: usize = 1024;
pub const CERTIFICATE_NAMES: usize = 100;
/// How long people have to log in elsewhere, and how long what a provider says of itself counts.
pub const LOGIN_ELSEWHERE: Duration = Duration::from_secs(10 * 60);
pub const PROVIDER_KNOWN: Duration = Duration::from_secs(10 * 60);
/// Log-ins for which a server asks a provider at once.
pub const LOGINS_ASKED: usize = 4;
/// How long a provider may take to answer, and the bytes of an answer: some keys, or a token.
pub const PROVIDER_TIME: Duration = Duration::from_secs(10);
pub const PROVIDER_BYTES: usize = 256 * 1024;
/// How many of its keys are tried on one token.
pub const PROVIDER_KEYS: usize = 16;
/// How long a session lives that nobody uses, and at most: a shift.
pub const SESSION_IDLE: Duration = Duration::from_secs(3600);
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);
/// How often it is written down that one is used, and how long one that is over is known as such.
pub const SESSION_USES_KEPT: Duration = Duration::from_secs(60);
pub const SESSION_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Sessions of one person: each browser has one.
pub const SESSIONS_OF_ONE: usize = 20;
/// Tokens and sessions whose requests are counted at once.
pub const CALLERS_KNOWN: usize = 10_000;
/// A key that makes a write count once, and how long it is known: longer than any client tries again.
pub const REQUEST_KEY_BYTES: usize = 128;
pub const REQUEST_KEY_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Requests of one token or session to the API at once, and how many more there may be each second.
pub const CALLS_AT_ONCE: f64 = 400.0;
pub const CALLS_PER_SECOND: f64 = 200.0;
/// Refusals of one token or session, of all strangers together, and of log-ins, that are written into the audit log each minute; the others are counted.
pub const REFUSALS_A_MINUTE: u32 = 60;
/// Requests to the API that read a whole record, or walk a procedure, at once: each may take a tenth of a second.
pub const HEAVY_CALLS: usize = 4;
/// The body of a request to the API.
pub const CALL_BYTES: usize = 1024 * 1024;
/// Lines of one answer of the API where the request does not say, and at most.
pub const PAGE_DEFAULT: usize = 100;
pub const PAGE: usize = 1_000;
/// Runs that are looked at for one page of those that somebody may see.
pub const PAGE_SCAN: usize = 20_000;
/// Streams of events that are open at once: each is a connection.
pub const STREAMS: usize = 1_500;
/// How often a stream says that it is still there, and looks whether its token or session is still valid.
pub const STREAM_BEAT: Duration = Duration::from_secs(15);
/// What a client of the API waits for: a connection, and bytes where some are to come; a stream says each [`STREAM_BEAT`] that it is there.
pub const REMOTE_CONNECT: Duration = Duration::from_secs(10);
pub const REMOTE_SILENCE: Duration = Duration::from_secs(45);
/// How often it asks where no answer came, or one that says to ask again; the pause between, and the longest that it is told to make.
pub const REMOTE_TRIES: u32 = 4;
pub const REMOTE_PAUSE: Duration = Duration::from_millis(500);
pub const REMOTE_PAUSE_MOST: Duration = Duration::from_secs(10);
/// Bytes of one answer: a page of records, or a plan.
pub const REMOTE_BYTES: usize = 64 * 1024 * 1024;
/// The first and the longest pause before a stream that was lost is asked for again, and how long that goes on: a server may be updated
/// meanwhile.
pub const REMOTE_RECONNECT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
pub const REMOTE_PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Messages that limits were reached which are under way at once: each trigger has one in the time of its limit.
pub const ESCALATIONS_TOLD: usize = 16;
/// Plans whose labels are kept in memory.
pub const LABELS_KEPT: usize = 10_000;
/// Entries of the audit log that are read at once.
pub const AUDIT_PAGE: usize = 1000;
/// How often it is counted how many events wait for a decision: up to a million are counted.
pub const BACKLOG_LOOK: Duration = Duration::from_millis(250);
/// Ticks at which nobody was there that are counted one by one; of more it is said that they are more.
pub const TICKS_COUNTED: u64 = 10_000;
/// How far the time that Amazon SNS signed may lie from our clock: it tries to deliver for an hour at most.
pub const SNS_WITHIN: Duration = Duration::from_secs(2 * 60 * 60);
/// Certificates of one chain, from that of SNS to the one below a root.
pub const CERTIFICATE_CHAIN: usize = 4;
/// Certificates that are kept: one for each region, and those who issued them.
pub const CERTIFICATES: usize = 100;
/// How long a signed delivery without a time is remembered, so that it cannot be sent again by somebody else.
pub const REPLAY_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Events of one run.
pub const RUN_EVENTS: u64 = 2_000_000;
/// How long an acknowledgement leaves those alone who would be asked next, at most and where nothing else is said.
pub const ACKNOWLEDGED: Duration = Duration::from_secs(24 * 3600);
pub const ACKNOWLEDGED_USUALLY: Duration = Duration::from_secs(30 * 60);
/// Bytes of a reason, a note or an answer that a person gives.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// Steps that one decision shows: more than anybody reads.
pub const PREVIEW_STEPS: usize = 200;
/// Values that one decision shows.
pub const PREVIEW_KNOWN: usize = 50;
/// Bytes of the steps that one decision shows with their commands.
pub const PREVIEW_WORK_BYTES: usize = 24 * 1024;
/// Bytes of all steps that one decision shows. With the texts below, a request fits into an event.
pub const PREVIEW_BYTES: usize = 36 * 1024;
/// Bytes of the reason for a step that a decision shows: a paragraph.
pub const PREVIEW_WHY_BYTES: usize = 400;
/// Bytes of a title, a condition or a value that a decision shows.
pub const PREVIEW_TEXT_BYTES: usize = 120;
/// Bytes of the list that an `each` goes over, as a decision shows it.
pub const PREVIEW_ITEMS_BYTES: usize = 2 * 1024;
/// Bytes of a question: some screens.
pub const QUESTION_BYTES: usize = 4 * 1024;
/// Runs, the last ones, whose records say how long a step usually takes, and the events of them that are read.
pub const USUAL_RUNS: usize = 20;
pub const USUAL_EVENTS: u64 = 20_000;
/// Ways that a dry run follows at once; those that meet again in the same state are one.
pub const DRY_RUN_PATHS: usize = 256;
/// Ways that it still follows once there were more than that.
pub const DRY_RUN_REST: usize = 4;
/// Bytes of all that it keeps to be told.
pub const DRY_RUN_BYTES: usize = 16 * 1024 * 1024;
/// Steps that a dry run goes through, those of every way and of every item counted: more than anybody reads, within a second.
pub const DRY_RUN_STEPS: usize = 12_000;
/// Things that one step does on different ways: those that are held against one another, and those that are shown beside the first.
pub const DRY_RUN_KINDS: usize = 32;
pub const DRY_RUN_OTHERS: usize = 4;

/// Places of a plan that an exploration goes to before it stops, and says so.
pub const EXPLORE_PLACES: usize = 50_000;
/// Parts of runs that each walk of an exploration copies: bounds its time, at some 15 ns for each.
pub const EXPLORE_WORK: usize = 12_000_000;
/// Parts of runs that an exploration holds at once: bounds its memory, at some 270 bytes for each.
pub const EXPLORE_HELD: usize = 200_000;
/// Events between two places where something is decided.
pub const EXPLORE_AT_ONCE: usize = 100_000;
/// Parts of a run that go on in any order; of more at once, the first and the last do.
pub const EXPLORE_AT_A_TIME: usize = 3;
/// Items of a loop that are walked: the second shows what the first does to it.
pub const EXPLORE_ITEMS: usize = 2;
/// The same where a loop bears that some of its items fail.
pub const EXPLORE_MANY_ITEMS: usize = 5;
/// Rounds of a `repeat` that are walked; the next thing is that it has gone through all of them.
pub const EXPLORE_ROUNDS: u32 = 2;
/// Rows of a pre-mortem, and names in one: more than anybody reads.
pub const EXPLORE_FALLS: usize = 2_000;
pub const EXPLORE_NAMED: usize = 20;
/// Branches of one choice that are remembered as passed over when another one is taken: what it costs grows with their square.
pub const ASSUMED_BRANCHES: usize = 50;
/// Turns for the better that are named before one for the worse.
pub const EXPLORE_TURNS_TOLD: usize = 3;

/// Steps of a guide, those of called procedures counted each time they are called: some 100 pages.
pub const GUIDE_STEPS: usize = 2_000;
/// Approvals that rules of the workspace add to the steps of a guide, those of every environment counted: five for each of them.
pub const GUIDE_GATES: usize = 10_000;
/// Steps of a chart: more than anybody follows with a finger, and few enough for those who draw Mermaid.
pub const CHART_STEPS: usize = 150;
/// Of the chart of a run, which a telephone loads again whenever the run goes on: below 100 kB.
pub const RUN_CHART_STEPS: usize = 80;
/// Bytes of a line of a chart.
pub const CHART_LABEL_BYTES: usize = 120;
/// Bytes of a runbook in Markdown that a procedure is drafted from.
pub const DRAFT_BYTES: usize = 512 * 1024;
/// How deep lists and quotes of it are taken apart; deeper ones stay text.
pub const DRAFT_DEPTH: usize = 12;
/// Steps of a draft, each of which somebody has to confirm.
pub const DRAFT_STEPS: usize = 1_000;
/// Values in what a draft is made from that may look like secrets: each is looked for everywhere.
pub const DRAFT_SECRETS: usize = 200;
/// Lines of comments that may stand between one of them and the command that it is about.
pub const DRAFT_COMMENT_LINES: usize = 50;
/// Bytes of a shell's history.
pub const HISTORY_BYTES: usize = 16 * 1024 * 1024;
/// Commands of it that a draft is made from.
pub const DRAFT_COMMANDS: usize = 2_000;
/// Commands that were left out of a draft and are named.
pub const DRAFT_NAMED: usize = 5;

/// How long a lease lasts without renewal. What is shown is true within this time.
pub const LEASE: Duration = Duration::from_secs(10);
/// How often an owner renews its lease.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(3);
/// How long a cancelled process tree has between SIGTERM and SIGKILL.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Days that are searched for the next opening of a weekly window: every weekday comes up, whatever the clock does.
pub const WINDOW_DAYS: i64 = 8;
/// Freezes and windows that are passed over in search of the next time that is free for changes.
pub const WINDOW_JUMPS: usize = 1000;
/// How often a decision ahead of time may be used at most.
pub const AHEAD_USES: u32 = 1000;
/// How long a decision ahead of time may wait at most: the world changes.
pub const AHEAD_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long `ssh-keygen` may take to sign: a person may have to touch a key or type its passphrase.
pub const SIGN_TIMEOUT: Duration = Duration::from_secs(120);
/// How long `ssh-keygen` may take to verify.
pub const VERIFY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one armoured signature.
pub const SIGNATURE_BYTES: usize = 16 * 1024;

/// How long the command behind a secret may take.
pub const SECRET_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of one secret: a key or a certificate chain, not a file store.
pub const SECRET_BYTES: usize = 64 * 1024;
/// Bytes of an encrypted file of secrets.
pub const SECRET_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Fewer bytes cannot be masked without masking half of every output; such a secret is refused.
pub const SECRET_MIN_BYTES: usize = 4;
/// Up to how many bytes the base 64 of a secret is looked for with a line end anywhere in it: there are hundreds of such forms, and
/// each is as long as the whole.
pub const SECRET_WRAPPED_BYTES: usize = 1024;
/// From how many bytes on the path of a secret URL is masked alone too: shorter ones are those of any URL.
pub const SECRET_PATH_BYTES: usize = 12;

/// Changes of the journal that share one commit. More would only make the first of them wait longer.
pub const COMMIT_GROUP: usize = 256;
/// How long a commit waits at most for those that share its sync; it never waits longer than half of what the last sync took.
pub const COMMIT_WAIT: Duration = Duration::from_millis(2);
/// Pages (4 KiB) of the journal's write-ahead log before they are copied into the database between two commits: seldom
/// enough that its two syncs do not count among those of the steps.
pub const LOG_PAGES: i32 = 4_096;
/// The same when a process ends. The next process reads what is left before it does anything, at a few microseconds a page.
pub const LOG_PAGES_AT_END: i32 = 128;
/// Bytes of the log that are asked for ahead of writing them, by a process that has made so many commits.
pub const LOG_AHEAD: u64 = 256 * 1024;
pub const LOG_AHEAD_FROM: u32 = 5;
/// How long a change waits for another process that holds the journal.
pub const STORE_BUSY: Duration = Duration::from_secs(10);
/// How often the journal is asked whether another process has written to it.
pub const STORE_POLL: Duration = Duration::from_millis(50);
/// Read connections that are kept open.
pub const IDLE_READERS: usize = 8;
/// Bytes of one line of an export: the first holds the plan.
pub const EXPORT_LINE: u64 = 256 * 1024 * 1024;
/// Bytes of a log that are read at once.
pub const LOG_RANGE: u64 = 1024 * 1024;
/// Records that are read at once.
pub const RECORDS_PAGE: usize = 1_000;
/// The same where they are gone through one after the other: few enough that their memory is used again, and not fetched anew.
pub const REPLAY_PAGE: usize = 128;
/// Bytes of one entry of the user database.
pub const PASSWD_BYTES: usize = 64 * 1024;

/// How long a process tree may take to vanish after SIGKILL; what is left then is named.
pub const KILL_WAIT: Duration = Duration::from_secs(2);
/// How long a process may seem to have no environment while it turns into another program.
pub const EXEC_PAUSE: Duration = Duration::from_micros(500);
/// Processes that a step left behind which are named one by one.
pub const SURVIVORS: usize = 20;
/// How often a program is asked whether it has ended, where the system cannot tell by itself.
pub const WAIT_POLL: Duration = Duration::from_millis(10);
/// How long an adopted process is left dead, so that whoever started it can collect it first.
pub const ORPHAN_AGE: Duration = Duration::from_secs(1);
/// How long output is still read after a program has ended, where something it left behind holds the pipe.
pub const OUTPUT_DRAIN: Duration = Duration::from_secs(1);
/// Bytes of output read at first; who fills them is given the next two.
pub const OUTPUT_FIRST: usize = 4 * 1024;
/// Bytes of output read at once.
pub const OUTPUT_CHUNK: usize = 64 * 1024;
/// Bytes that the pipe of a program that writes much can hold: the most that the kernel gives to everybody.
pub const PIPE_BYTES: i32 = 1024 * 1024;
/// Bytes of a log that are on their way to the disk before more of it is written.
pub const LOG_WRITE_BEHIND: u64 = 16 * 1024 * 1024;
/// Bytes and lines of the end of the output that a failure shows.
pub const DETAIL_BYTES: usize = 4 * 1024;
pub const DETAIL_LINES: usize = 20;
/// Bytes of one argument or variable of a program, the terminating NUL included: the kernel's own bound.
pub const ARGUMENT_BYTES: usize = 128 * 1024;
/// People who may have to agree on one thing.
pub const APPROVERS: u32 = 20;
/// Hand-overs of a rotation that pass within one turn, at most: those of a year, day by day.
pub const TURN_HAND_OVERS: u32 = 366;
/// Shifts of a rotation that are told with the one that is under way.
pub const SHIFTS_AHEAD: usize = 8;
/// Days ahead of which `runbook oncall` tells the shifts: those of a year.
pub const ON_CALL_DAYS: u16 = 366;
/// Events of the calendar that a rotation is kept in: those of five years, day by day.
pub const CALENDAR_EVENTS: usize = 2_000;
/// How often an event of it happens at most, and after how many days or weeks again.
pub const CALENDAR_TIMES: u32 = 10_000;
/// How often an event of it is looked at to find a time at which nobody is on call.
pub const CALENDAR_LOOKS: usize = 100_000;
/// Overrides beside the workspace that have not ended: those of fifty teams for a month.
pub const OVERRIDES: usize = 2_000;
/// How far ahead such an override may end: what is planned for longer stands in the workspace.
pub const OVERRIDE_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);
/// Why somebody stands in.
pub const OVERRIDE_REASON_BYTES: usize = 200;
/// The factors that an escalation's pace may have for an impact: from 100 times faster to 100 times slower.
pub const PACE: (f64, f64) = (0.01, 100.0);
/// Maps of one file named whose order `fmt` leaves as it is.
pub const LEFT_NAMED: usize = 3;
/// Pairs of steps that two versions are looked through for: those without an id that stayed, beyond which they are paired in
/// their order, and changes that come in another order, beyond which they are taken to.
pub const COMPARED_PAIRS: usize = 4_000_000;
/// People named of a group where two versions of it are compared.
pub const COMPARED_PEOPLE: usize = 50;
/// Steps and conditions named that hold a step back no longer.
pub const COMPARED_GUARDS: usize = 5;
/// Reasons for another version that one message beside a line names.
pub const CAUSES_TOLD: usize = 5;
/// Environments under whose rules two versions of a procedure are compared, those of production first: each is checked as if it were the
/// only one.
pub const COMPARED_ENVIRONMENTS: usize = 20;
/// Bytes of address space of a script's process.
pub const SCRIPT_MEMORY: u64 = 512 * 1024 * 1024;
/// Time of the processor that a script's process has.
pub const SCRIPT_CPU: Duration = Duration::from_secs(60);
/// How long a connection to a server may take, its name and TLS included.
pub const HTTP_CONNECT: Duration = Duration::from_secs(10);
/// Bytes of a response's headers that are part of the result.
pub const HTTP_HEADERS_BYTES: usize = 8 * 1024;
/// How long `git` may take to list a revision or to give files of it.
pub const GIT_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes that `git` may say: the names of a million files.
pub const GIT_BYTES: usize = 256 * 1024 * 1024;
/// How long one channel may take to accept a message, each time that it is sent.
pub const CHANNEL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the text of its answer is listened to: its status says what became of the message.
pub const ANSWER_TEXT: Duration = Duration::from_secs(2);
/// How long a message is sent anew to a channel that does not take it: somebody is to hear of it from elsewhere soon after.
pub const DELIVERY_TIME: Duration = Duration::from_secs(2 * 60);
/// The first and the longest pause between; the receiver may ask for a longer one.
pub const DELIVERY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(20));
/// Characters of a heading in Slack and a title of ntfy; of a summary of PagerDuty.
pub const HEADING_CHARS: usize = 150;
pub const SUMMARY_CHARS: usize = 1024;
/// Characters of a text in Slack, and lines and characters of a card of Teams.
pub const CHAT_CHARS: usize = 3000;
pub const CARD_LINES: usize = 60;
/// Bytes of a message of ntfy inside JSON: it makes a file of longer ones, and takes no more than twice as much with all around it.
pub const NTFY_BYTES: usize = 4000;
/// Characters that PagerDuty knows an alert by.
pub const DEDUP_CHARS: usize = 255;

/// Free bytes and free share of the disk beneath the state folder, of its bytes and of its files, below which `doctor` warns.
pub const SPACE_LOW: u64 = 1024 * 1024 * 1024;
pub const SPACE_LOW_PERCENT: u64 = 5;
/// Free bytes below which it calls that a fault: the end of a run that is under way may not fit any more.
pub const SPACE_OUT: u64 = 64 * 1024 * 1024;
/// Bytes of a write-ahead log that is not copied into its database any more.
pub const LOG_BEHIND: u64 = 256 * 1024 * 1024;
/// Bytes of a database that is looked through page by page unasked: some seconds.
pub const LOOKED_THROUGH: u64 = 256 * 1024 * 1024;
/// How long before its end a certificate or a token is told of.
pub const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How far the clock may stand behind the last event of the record.
pub const CLOCK_BEHIND: Duration = Duration::from_secs(5);
/// Files that a server with many connections and runs has open.
pub const OPEN_FILES: u64 = 4_096;
/// How long whoever listens on the port may take to answer `doctor`.
pub const DOCTOR_ANSWER: Duration = Duration::from_secs(5);
/// Runs, locks, tokens and secrets of one kind that `doctor` names one by one.
pub const DOCTOR_NAMED: usize = 10;
/// Bytes of the manifest of a backup: a million logs.
pub const MANIFEST_BYTES: u64 = 512 * 1024 * 1024;
/// Runs that follow one another, each started by the end of the one before: two playbooks that start each other stop here.
pub const RUN_CHAIN: u64 = 8;
/// Records in which no run ended, after which it is written down that they were looked through for ends.
pub const ENDS_UNWRITTEN: u64 = 10_000;
/// How long a file has to stay as it is before it is taken as an event, where the workspace says nothing.
pub const FOLDER_SETTLED: Duration = Duration::from_secs(2);
/// How often a folder is looked at for files.
pub const FOLDER_LOOK: Duration = Duration::from_millis(500);
/// Files of a folder that are looked at in one look, and those that are taken: what they hold is decided upon before the next ones.
pub const FOLDER_FILES: usize = 1_000;
pub const FOLDER_TAKEN: usize = 50;
/// When a file that the system refused to move, read or remove is tried again.
pub const FOLDER_RETRY: Duration = Duration::from_secs(5);
/// Messages of a stream that are fetched ahead, and those that are written down together.
pub const STREAM_AHEAD: usize = 500;
pub const STREAM_TOGETHER: usize = 100;
/// How long a server of NATS waits for our word about a message before it gives it to somebody again.
pub const STREAM_ACK: Duration = Duration::from_secs(60);
/// How often a server of NATS shows that it is there while it has nothing to give; it is missed after twice as long.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a server of NATS may take to answer, and how long until it is asked again; each time twice as long, at most the second.
pub const STREAM_CONNECT: Duration = Duration::from_secs(10);
pub const STREAM_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Events, the last ones, by which it is said what recurs and what nothing answers.
pub const PROBLEM_EVENTS: usize = 1_000;
/// Moments of a run's account that are told from its beginning, and as many from its end.
pub const ACCOUNT_MOMENTS: usize = 250;
/// Files of one name that are put aside.
pub const REFUSED_NAMES: usize = 1_000;
