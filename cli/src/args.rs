//! The command line as it is written: every command, flag and help text. The help is the reference; the man pages and
//! completions are made from it. Nothing is decided here.

mod access;
mod decide;
mod docs;
mod editors;
mod events;
mod on_call;
mod record;
mod review;
mod serve;
mod service;
mod steer;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use runbook_core::id::{Id, ProcedureName, StepPath};

use crate::settings::{Color, Progress};
pub use access::{Account, AccountPart, Audit, Create as TokenCreate, Revoked, Session, SessionPart, Token, TokenPart};
pub use decide::{Acknowledge, Answer, Approve, Reject, Voice};
pub use docs::{Docs, GuideFormat, Page};
pub use editors::{Fmt, Lsp, Schema};
pub use events::{Events, EventsPart, Replay as ReplayEvents, Trigger};
pub use on_call::{OnCall, OnCallPart, Override};
pub use record::{Anchor, Export, Replay, Verify};
pub use review::{Annotations, Diff, DryRun, Explore, Format, Play, Record, ReportFormat, Review, ReviewFormat, Test, TestPart};
pub use serve::{LogForm, Serve};
pub use service::{Backup, Doctor, Prune, Restore};
pub use steer::{Cancel, Note, Pause, Undo};

const EXIT_CODES: &str = "\
Exit codes:
  0    succeeded
  1    failed or rolled back
  2    not valid: nothing ran
  3    waiting for a person, or parked
  4    rejected
  5    unknown outcome: a person must look
  130  cancelled";

/// Runs procedures that people can read: checked before they run, recorded while they run, and safe to pick up again after
/// a crash.
#[derive(Debug, Parser)]
#[command(name = "runbook", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the words of a command line, the name of the program first. All commands are made ready only for somebody who asks for help
    /// or mistyped: that takes longer than a short run's whole command line.
    pub fn read(words: &[OsString]) -> Result<Cli, clap::Error> {
        let all = Command::augment_subcommands(clap::Command::new("runbook"));
        let named = words.iter().skip(1).find_map(|word| all.get_subcommands().find(|command| *command.get_name() == **word));
        if let Some(named) = named {
            let program = Global::augment_args(
                clap::Command::new("runbook").subcommand(named.clone()).subcommand_required(true).disable_help_subcommand(true),
            );
            if let Ok(matches) = program.try_get_matches_from(words) {
                return Cli::from_arg_matches(&matches);
            }
        }
        Cli::try_parse_from(words)
    }
}

/// Settings that a flag can give; `runbook config` shows each with where it came from.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Folder with the runs' records and logs [default: the XDG state folder]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Settings")]
    pub state: Option<PathBuf>,
    /// Folder with the procedures [default: the nearest folder upward with a workspace.yaml, else this one]
    #[arg(long, short = 'C', global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Settings")]
    pub catalogue: Option<PathBuf>,
    /// Address of a server (`runbook serve`) whose runs are meant, in place of those of the state folder; the token stands in RUNBOOK_TOKEN
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Settings")]
    pub server: Option<String>,
    /// Certificates of the authority that vouches for the server, as PEM [default: those of this machine]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Settings")]
    pub server_ca: Option<PathBuf>,
    /// When to colour [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_enum, help_heading = "Settings")]
    pub color: Option<Color>,
    /// How to show a run as it goes [default: auto]
    #[arg(long, global = true, value_name = "HOW", value_enum, help_heading = "Settings")]
    pub progress: Option<Progress>,
}

/// Every command. The arguments of one are made when it is the one that was asked for.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Start a catalogue: a workspace and a first procedure
    ///
    /// Writes workspace.yaml and hello.yaml into the folder, and the schema that editors complete and check them by. Never overwrites
    /// what somebody wrote; the schema is renewed.
    Init(Init),

    /// Write a new procedure: from a template, a Markdown runbook or the history of a shell
    ///
    /// Makes NAME.yaml in the catalogue, and from a template also NAME.test.yaml. The file names the schema that `runbook init` wrote, if it
    /// did, passes `runbook check`, and is in the form of `runbook fmt`.
    ///
    /// With --from the steps are those of the source: headings and fenced commands of a Markdown runbook, or the commands that a shell
    /// remembers (bash, zsh, fish, or what `history` prints). Nothing in them is confirmed: every step counts as a change until somebody says what it
    /// is, `runbook check` names each, and a run asks a person first. What looks like a secret is never written; check that nothing was missed.
    New(New),

    /// Find every fault of procedures without running anything
    ///
    /// Checks all files of the catalogue, or those given. Exits 2 if there is an error; warnings alone exit 0.
    Check(Check),

    /// Explain a diagnostic code, or list them all
    Explain(Explain),

    /// Put documents into their canonical form
    ///
    /// Keys stand in the order of `runbook docs format`, two spaces indent, and every comment stays. What is written says what was
    /// read: a file of which that cannot be shown is left as it is. Exits 2 if a file cannot be read.
    Fmt(Fmt),

    /// Serve an editor: faults while you type, completion, hover, definitions, renaming, dry runs
    ///
    /// The language server protocol over standard input and output; an editor starts it. It reads the documents that are open, the
    /// folders they stand in, and what steps gave in earlier runs. It changes nothing: edits are the editor's. docs/editors.md says how
    /// to set up VS Code, Neovim, Helix and the JetBrains family.
    Lsp(Lsp),

    /// Print the language as JSON Schema, for editors
    ///
    /// Draft 7, for every kind of document. `runbook init` writes it to .runbook/schema-v1.json, which the first line of a file names:
    /// `# yaml-language-server: $schema=.runbook/schema-v1.json`.
    Schema(Schema),

    /// Run a procedure
    ///
    /// Asks for missing inputs, shows what will happen and with which effects, and asks once to start where anything above `read`
    /// will run. Approvals and questions are answered in place. Without a terminal nothing is ever asked: the run starts at once, and
    /// where only a person can go on it is parked, the exit code is 3, and the command to go on is printed.
    ///
    /// Ctrl-C once lets the steps under way finish and asks what to do; twice cancels. Closing the terminal parks the run.
    Exec(Exec),

    /// Let an event start the runs that it is meant to start
    ///
    /// The event is written down first. Then each trigger of its source decides, exactly once: it runs, joins a run, is dropped, or is
    /// deferred, and why; `runbook events` lists all of it. Runs that follow go on here, one after the other, or in the background.
    Trigger(Trigger),

    /// List the events that came in, and what was decided on each
    Events(Events),

    /// Take events in over HTTP, start the runs that they are meant to start, and look after all that wait
    ///
    /// Senders post to /events/SOURCE, the sources of the workspace; each shows who it is. An event is answered with 202 once it is on
    /// the disk. Runs are driven here, those of the highest impact first; runs whose process died are taken up; runs that wait for people or
    /// for time cost nothing and go on when it is time, or when `runbook approve` says so. A catalogue that changes is read again: new
    /// runs are of the new version. GET /health says how the server is.
    ///
    /// SIGTERM or Ctrl-C lets steps under way end and leaves the runs to the next server; a second one stops at once, and the runs that
    /// were in the midst of a step are named (exit 5). `runbook docs serve` has all of it.
    Serve(Serve),

    /// Make, list and revoke the tokens by which people and programs come to `runbook serve`
    Token(Token),

    /// Make, list and remove the accounts with which people log in to `runbook serve`, and change their passwords
    Account(Account),

    /// List the sessions of people who are logged in to `runbook serve`, and end them
    Session(Session),

    /// Show who did what through `runbook serve`, and who was refused
    ///
    /// The newest first. The log is a chain: where an entry does not follow from the one before, it says so and exits 1.
    Audit(Audit),

    /// Look at all that runs rest on, and say what is wrong and what to do about it
    ///
    /// The machine, the disk, the state folder and its databases, what processes that have ended left there, the catalogue, its secrets
    /// (each is fetched once, and none is shown), the port and the certificate. A line each: ok, warn or fail, and the one next thing to do.
    /// Nothing is changed. Exits 1 if anything fails; warnings alone exit 0.
    Doctor(Doctor),

    /// Write a copy of the state folder to a file, while runs go on
    ///
    /// The records, logs, events, tokens, accounts and the audit log, as they are at one moment, in one tar archive with a digest of each. Whatever
    /// is written meanwhile is not in it, and nothing waits. `runbook docs serve` says what a restored copy does and does not do.
    Backup(Backup),

    /// Make a state folder out of a backup
    ///
    /// Into an empty folder, and only where the file is whole: every digest is compared, and every record proved. Nothing acts twice: each run
    /// that was not over when the backup was made is paused until a person who has looked what was done since resumes or cancels it; events that
    /// waited for a decision are dropped; approvals ahead of time are void; tokens, passwords and sessions let nobody in. Exits 1 where a record in the backup is not
    /// whole; it is restored all the same, and named.
    Restore(Restore),

    /// Let go of old logs, of what steps did in old runs, and of old events
    ///
    /// Only of runs that have ended, each once it has been proved whole. With --logs-after all events stay, and say of each log how long it was and
    /// its digest. With --steps-after the inputs, all that people did and the outcome stay as they were recorded, and of every other event the
    /// time and the hash: `runbook verify` still proves what is left, and finds any head that was kept. The audit log tells of each run.
    /// Runs that ended `needs_attention` stay. With --events-after events go whole, where nothing depends on them any more. `runbook docs serve` has all of it.
    Prune(Prune),

    /// Show what a run would do, without doing it
    ///
    /// The same machine runs the procedure with predicted outcomes. Each step says would run, would skip, or cannot know, and why; with
    /// what it needs, who would be asked, what takes it back, and how long it can take. Nothing is started, asked or recorded.
    DryRun(DryRun),

    /// Walk every path of a procedure, without doing anything
    ///
    /// Each step succeeds, fails, runs out of time and ends with nobody knowing how; each decision is granted, rejected and left alone;
    /// each condition that depends on a run goes both ways. What is wrong on any path is shown with the shortest one that shows it,
    /// and a table says for each step what follows if it goes wrong. How far the walk went is said. Exits 1 where a property of
    /// `must` does not hold; other findings exit 0.
    Explore(Explore),

    /// Say what one version of a procedure changes, by meaning
    ///
    /// Steps added, removed, moved and changed: their commands, effects, questions and the people who are asked, deadlines, undo, secrets,
    /// and what policy adds in each environment; comments, order of keys and formatting mean nothing. Says how far the version must be
    /// raised: a gate that is gone or can be passed, a higher effect or an input that is taken no longer is a major change. `runbook
    /// docs format` has the rules under "Versions compared".
    Diff(Diff),

    /// Say what a change of the catalogue means, for whoever reviews it
    ///
    /// Compares the catalogue with what it was where the branch parted from REVISION. For each procedure that means something else: what
    /// changes and whether its version says so, what `check` and `explore` find that they did not find before, whether its tests pass and
    /// what they cover, and a dry run of each case. Rules are those of every environment that either version of the workspace has, and
    /// what is so in some of them is told with their names. Exits 1 if something speaks against the change.
    Review(Review),

    /// Play the cases of tests, without doing anything
    ///
    /// A test (`kind: Test`) says what stands in for the world, and what must come of it. Each case is played on the machine that runs
    /// procedures, with a clock of its own. Exits 1 if an expectation does not hold, 2 if a case cannot be played. `runbook test record`
    /// writes a case out of a run.
    Test(Test),

    /// Go on with a run that was parked, paused or cut off
    ///
    /// Shows first what will not run again, what will run, and what nobody knows the end of.
    Resume(Resume),

    /// List runs, newest first
    Runs(Runs),

    /// Show who is on call in the rotations of the workspace, until when, and who is next
    ///
    /// Times are those of the rotation's zone. With --days the shifts to come, with those who stand in. `override` lets somebody of a rotation stand in, and
    /// `cancel` takes that back.
    #[command(name = "oncall")]
    OnCall(OnCall),

    /// Show a run: its steps, decisions, how it ended and what to do next
    Show(Show),

    /// Write the account of a run, for those who were not there
    ///
    /// What happened on a time line with the event that started it, who decided what, what was changed and what became of it, what is left to do, and what
    /// proves it: from the record alone.
    Report(Report),

    /// Print what steps wrote
    Logs(Logs),

    /// List decisions that wait for a person
    Decisions(Decisions),

    /// Approve what a run waits for, now or ahead of time
    ///
    /// Shows the request first and asks; with --digest, which says what was shown, it decides at once. Without a terminal that is needed.
    /// An approval is of exactly what was shown: if what would run has changed, it is asked again.
    Approve(Approve),

    /// Reject what a run waits for; the reason is required
    Reject(Reject),

    /// Answer a question, or say how a step ended that nobody knows about
    ///
    /// With a terminal and no answers it shows the form and asks. For an unknown outcome give one of --probe, --done and --again;
    /// for an undo that failed --done, --again or --leave.
    Answer(Answer),

    /// Say that you are at a decision, so that those who would be asked next are left alone for a while
    ///
    /// Nothing is decided by it. Each step of the escalation still has its whole time, so all that comes after it comes later by as much;
    /// where nobody would be asked next, it is refused. With --to you hand it over to somebody else who may decide.
    #[command(visible_alias = "ack")]
    Acknowledge(Acknowledge),

    /// End a run early
    ///
    /// What is under way is stopped with its whole process tree. The procedure's `finally` still runs. Where no process is at work on
    /// the run, it ends here.
    Cancel(Cancel),

    /// Start nothing further in a run until `runbook resume`
    Pause(Pause),

    /// Take back what a run that has ended did, from its last change to its first
    ///
    /// Exits 0 once everything is taken back.
    Undo(Undo),

    /// Add a remark to the record of a run
    Note(Note),

    /// Prove that a record is whole and unchanged
    Verify(Verify),

    /// Sign the head of a run's record, to be kept where nobody who can change the record can change it too
    ///
    /// The file says which run stood at which event with which hash, and carries your SSH signature. `runbook verify --anchor FILE`
    /// then finds a record that was cut or made anew since; so does `ssh-keygen -Y verify` alone (`runbook docs record`).
    Anchor(Anchor),

    /// Write a run's whole record to a file that `runbook verify` can prove by itself
    Export(Export),

    /// Show a recorded run again as it was seen when it ran
    Replay(Replay),

    /// Show every setting and where it came from
    Config(Config),

    /// Write what procedures are for and do, or print a page of the reference
    ///
    /// Of a procedure: what it is for, who answers for it and decides, its inputs, a chart, and each step with its command, effect and undo,
    /// under the number that a run shows. `--format manual` makes a sheet to print and tick, for when the automation fails. With --out each
    /// procedure gets a page in a folder; without a procedure, all of the catalogue and an index. Such pages say nothing that depends on the
    /// day or this machine, so --check tells in CI whether they are as they would be written now; it exits 1 where one is not.
    ///
    /// The pages of the reference are `format` (every key of the language; printed where nothing is named), `dry-run`, `editors`,
    /// `serve` and `record`. A procedure of such a name is meant by its file.
    Docs(Docs),

    /// Print completions for a shell
    ///
    /// For example: runbook completions bash > ~/.local/share/bash-completion/completions/runbook
    Completions(Completions),

    /// Print the manual page, or write all of them to a folder
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Init {
    /// Where; made if it is not there [default: the folder of --catalogue, else this one]
    #[arg(value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct New {
    /// Name of the procedure: lower-case letters, digits, `-` and `_`
    #[arg(required_unless_present = "list")]
    pub name: Option<ProcedureName>,
    /// A playbook answers an event and has triggers; a runbook is started by a person or another procedure [default: runbook]
    #[arg(long, value_enum, conflicts_with_all = ["template", "from"])]
    pub kind: Option<Kind>,
    /// What to begin with; --list names all
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "from")]
    pub template: Option<String>,
    /// List the templates
    #[arg(long, conflicts_with_all = ["name", "kind", "template", "from"])]
    pub list: bool,
    /// A Markdown runbook, or the history of a shell; `-` reads standard input
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub from: Option<PathBuf>,
    /// Of a history, only the last COUNT commands
    #[arg(long, value_name = "COUNT", requires = "from")]
    pub last: Option<NonZeroUsize>,
    /// Of a history, only what was typed from the last command on that holds TEXT
    #[arg(long, value_name = "TEXT", requires = "from")]
    pub since: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Runbook,
    Playbook,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Files, folders or names of procedures; the whole catalogue where none is given
    #[arg(value_name = "PROCEDURE|PATH", value_hint = ValueHint::AnyPath)]
    pub what: Vec<String>,
    /// Check with the rules of this environment of the workspace
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
    /// Print one JSON object per fault
    #[arg(long)]
    pub json: bool,
    /// Print what the one procedure takes as JSON Schema, for forms and for programs that start it
    #[arg(long, conflicts_with = "json", requires = "what")]
    pub schema: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A code, such as RB0001
    pub code: Option<String>,
}

// What a procedure is given. (A doc comment of what is flattened would be the help of the command.)
#[derive(Debug, Clone, Default, Args)]
pub struct Given {
    /// An input; may be given many times
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// A file with inputs, as a YAML or JSON map; `-` reads standard input
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub inputs: Option<PathBuf>,
    /// The environment of the workspace to run in
    #[arg(long, short = 'e', value_name = "ENV")]
    pub env: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Exec {
    /// Name of a procedure of the catalogue, or a file
    #[arg(value_name = "PROCEDURE|FILE", value_hint = ValueHint::FilePath)]
    pub procedure: String,
    #[command(flatten)]
    pub given: Given,
    /// Skip the question whether to start; never answers a decision
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Go on in the background and print the id of the run
    #[arg(long, conflicts_with_all = ["step", "json"])]
    pub detach: bool,
    /// Ask before each step
    #[arg(long)]
    pub step: bool,
    /// Print the events of the run as JSON lines on standard output
    #[arg(long)]
    pub json: bool,
    /// Start at this step of the outermost list; needs a decision, and is recorded
    #[arg(long, value_name = "STEP")]
    pub from: Option<Id>,
    /// Run only these steps of the outermost list; needs a decision, and is recorded
    #[arg(long, value_name = "STEP", conflicts_with = "from")]
    pub only: Vec<Id>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Resume {
    #[command(flatten)]
    pub run: RunArg,
    /// Skip the question whether to go on; never answers a decision
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Go on in the background
    #[arg(long, conflicts_with = "json")]
    pub detach: bool,
    /// Print the events of the run as JSON lines on standard output
    #[arg(long)]
    pub json: bool,
}

// Which run.
#[derive(Debug, Clone, Args)]
pub struct RunArg {
    /// The id of a run, its beginning or end where that is enough, or `last`
    #[arg(value_name = "RUN")]
    pub run: String,
}

#[derive(Debug, Args)]
pub struct Runs {
    /// Only runs of this procedure
    #[arg(long, value_name = "NAME")]
    pub procedure: Option<ProcedureName>,
    /// Only runs that have not ended
    #[arg(long)]
    pub open: bool,
    /// At most this many
    #[arg(long, short = 'n', value_name = "COUNT", default_value = "20")]
    pub limit: NonZeroUsize,
    /// Print one JSON object per run
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    pub run: RunArg,
    /// Print the events of the run as JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub run: RunArg,
    /// The form
    #[arg(long, value_enum, default_value_t = AccountFormat::Markdown)]
    pub format: AccountFormat,
    /// Write it to this new file
    #[arg(long, short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccountFormat {
    Markdown,
    Html,
}

#[derive(Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    pub run: RunArg,
    /// The path of a step, as `runbook show` prints it; every step where none is given
    pub step: Option<StepPath>,
    /// Wait for more until the run ends
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// One attempt of the step [default: all]
    #[arg(long, value_name = "NUMBER", requires = "step")]
    pub attempt: Option<u32>,
    /// Start at this byte
    #[arg(long, value_name = "BYTE", requires = "step")]
    pub from: Option<u64>,
    /// Print the bytes as they are, control characters included, without headings
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Args)]
pub struct Decisions {
    /// Only those of this run, each with all that it shows
    pub run: Option<String>,
    /// What is approved ahead of time for this procedure, and neither used up nor over
    #[arg(long, value_name = "PROCEDURE", conflicts_with = "run")]
    pub ahead: Option<ProcedureName>,
    /// List at most this many; all of them with `--json`
    #[arg(long, short = 'n', value_name = "COUNT", default_value = "50", conflicts_with_all = ["run", "ahead", "json"])]
    pub limit: NonZeroUsize,
    /// Print one JSON object per decision
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Config {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The page of one command
    pub command: Option<String>,
    /// Write runbook.1, runbook-exec.1 and so on into this folder
    #[arg(long, short = 'o', value_name = "DIR", conflicts_with = "command", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_parser_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_visible_argument_says_what_it_is() {
        let mut program = Cli::command();
        program.build();
        for command in program.get_subcommands().filter(|c| !c.is_hide_set()) {
            assert!(command.get_about().is_some(), "`{}` has no help", command.get_name());
            for arg in command.get_arguments().filter(|a| !a.is_hide_set() && !a.is_positional()) {
                assert!(arg.get_help().is_some(), "`{} --{}` has no help", command.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn what_is_refused() {
        for (line, why) in [
            ("runbook exec", "PROCEDURE"),
            ("runbook exec a --detach --json", "cannot be used"),
            ("runbook exec a --from b --only c", "cannot be used"),
            ("runbook exec a --from B", "identifier"),
            ("runbook approve", "RUN"),
            ("runbook approve --ahead a --step go --uses 1", "expires"),
            ("runbook answer last --done --again", "cannot be used"),
            ("runbook logs last --attempt 1", "STEP"),
            ("runbook runs -n 0", "zero"),
            ("runbook check --schema", "PROCEDURE"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn the_named_command_alone_reads_as_all_of_them_do() {
        for line in [
            "exec a",
            "-C exec dry-run a",
            "--state s exec --yes a -i x=1 --color never",
            "exec check",
            "check exec",
            "test record last",
            "test a --filter b",
            "runs --open -n 3 -C d",
            "exec",
            "exec --help",
            "exce a",
            "exec a --nonsense",
            "--help",
            "-V",
            "help",
            "test help",
            "exec help",
            "-- exec a",
            "exec -e exec a",
            "-Cexec runs",
            "-C exec",
            "",
        ] {
            let words: Vec<OsString> = std::iter::once("runbook").chain(line.split_whitespace()).map(OsString::from).collect();
            let said = |read: Result<Cli, clap::Error>| read.map(|cli| format!("{cli:?}")).map_err(|error| error.to_string());
            assert_eq!(said(Cli::read(&words)), said(Cli::try_parse_from(&words)), "{line}");
        }
    }
}
