//! What a walk can find, and how it is told: where, on which path, and the one next thing to do.

use super::turn::Turn;
use super::walk::Walk;
use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::limits;
use crate::plan::{Origin, Plan, StepIx};

/// What stands before the path in the note of a diagnostic.
pub const PATH_NOTE: &str = "path: ";

/// A danger, on the shortest path that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    /// The place that the path leads to, and the turn after it.
    pub(super) at: u32,
    pub(super) turn: Option<Turn>,
    /// The turns of that path.
    pub(super) path: Vec<Turn>,
    /// What the run says of it.
    pub(super) why: String,
}

/// What is found of a step. Each is found once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It destroys something, and nobody has approved.
    Unapproved(StepIx),
    /// It could be taken back, and stays as it is after a failure.
    Left(StepIx),
    /// What takes it back reads what may be absent.
    UndoLacks(StepIx),
    /// It is the last change of a run that succeeds, and nothing looks at what it did.
    Unverified(StepIx),
    Unreached(StepIx),
    /// The branch with this number, from 0.
    Branch(StepIx, u32),
    /// An approval: yes and no lead to the same.
    Idle(StepIx),
    /// Two steps, or two items of one, do the same to the same at once.
    Clash(StepIx, StepIx),
    /// It asks people, and nothing ends the wait.
    Endless(StepIx),
    /// It may have changed something when it failed, and the run succeeds.
    Hidden(StepIx),
    /// The property of `must` with this number, from 0.
    Broken(usize),
}

impl Kind {
    pub fn code(self) -> Code {
        match self {
            Kind::Unapproved(_) => Code::RB0601,
            Kind::Left(_) => Code::RB0602,
            Kind::UndoLacks(_) => Code::RB0603,
            Kind::Unverified(_) => Code::RB0604,
            Kind::Unreached(_) | Kind::Branch(..) => Code::RB0605,
            Kind::Idle(_) => Code::RB0606,
            Kind::Clash(..) => Code::RB0607,
            Kind::Endless(_) => Code::RB0608,
            Kind::Hidden(_) => Code::RB0609,
            Kind::Broken(_) => Code::RB0610,
        }
    }

    /// The step that it is about; a property is about none.
    pub fn step(self) -> Option<StepIx> {
        match self {
            Kind::Unapproved(ix)
            | Kind::Left(ix)
            | Kind::UndoLacks(ix)
            | Kind::Unverified(ix)
            | Kind::Unreached(ix)
            | Kind::Branch(ix, _)
            | Kind::Idle(ix)
            | Kind::Clash(ix, _)
            | Kind::Endless(ix)
            | Kind::Hidden(ix) => Some(ix),
            Kind::Broken(_) => None,
        }
    }
}

impl Finding {
    /// Where it is written.
    pub fn origin(&self, plan: &Plan) -> Origin {
        match self.kind {
            Kind::Broken(number) => plan.musts().nth(number).map(|must| must.at.clone()).unwrap_or_default(),
            kind => kind.step().map(|step| plan.step(step).at.clone()).unwrap_or_default(),
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self, plan: &Plan) -> String {
        let label = |ix: StepIx| plan.step(ix).label.as_str();
        match self.kind {
            Kind::Unapproved(ix) => format!("`{}` destroys something, and nobody has approved before", label(ix)),
            Kind::Left(ix) => format!("what `{}` changed stays after a failure", label(ix)),
            Kind::UndoLacks(ix) => format!("what takes `{}` back may have nothing to read", label(ix)),
            Kind::Unverified(ix) => format!("nothing looks at what `{}` did", label(ix)),
            Kind::Unreached(ix) => format!("no path comes to `{}`", label(ix)),
            Kind::Branch(ix, branch) => format!("no path takes branch {} of `{}`", branch + 1, label(ix)),
            Kind::Idle(ix) => format!("whatever people answer `{}`, the same happens", label(ix)),
            Kind::Clash(one, other) if one == other => format!("`{}` can change the same twice at once", label(one)),
            Kind::Clash(one, other) => format!("`{}` and `{}` change the same at once", label(one), label(other)),
            Kind::Endless(ix) => format!("the run can wait for `{}` for ever", label(ix)),
            Kind::Hidden(ix) => format!("`{}` may leave a change behind when it fails, and the run succeeds", label(ix)),
            Kind::Broken(number) => plan.broken(number).unwrap_or_else(|| "a property does not hold".to_owned()),
        }
    }

    /// Why it is so, where the run says.
    pub fn reason(&self) -> &str {
        &self.why
    }

    /// The one next thing to do.
    pub fn help(&self, plan: &Plan) -> String {
        match self.kind {
            Kind::Unapproved(_) => {
                "put an `approve` before it, or add a gate for its effect to the workspace's policies".to_owned()
            }
            Kind::Left(_) => {
                "write `on_failure: rollback` at the step that fails, or say in its `by_hand` what a person does then".to_owned()
            }
            Kind::UndoLacks(_) => "read what the undo needs in a step of effect `read` before the change".to_owned(),
            Kind::Unverified(_) => {
                "add a step of effect `read`, a `check` or a `wait` behind it that shows that it worked, and whose failure counts"
                    .to_owned()
            }
            Kind::Unreached(_) | Kind::Branch(..) => "remove it, or change the condition that never lets it run".to_owned(),
            Kind::Idle(_) => "let a no stop the run (without `on_failure`), or read `granted` of the step".to_owned(),
            Kind::Clash(..) => "put one after the other, or set `max_parallel: 1`".to_owned(),
            Kind::Endless(_) => "add `within`, or a `timeout` to the procedure".to_owned(),
            Kind::Hidden(_) => {
                "look with a `check` afterwards, read how it ended, or move it to `finally` if it only tidies up".to_owned()
            }
            Kind::Broken(number) => match plan.musts().nth(number).and_then(|must| must.why.clone()) {
                Some(why) => format!("keep it: {}", why.trim()),
                None => "change the path, or the property if it asks for too much".to_owned(),
            },
        }
    }
}

impl Walk {
    /// The path to a finding in words; rows of plain turns are counted.
    pub fn told(&self, finding: &Finding) -> Vec<String> {
        words(&self.path(finding))
    }

    /// A finding as a diagnostic of the file that it stands in.
    pub fn diagnostic(&self, finding: &Finding, source: &Source) -> Diagnostic {
        let at = finding.origin(&self.plan);
        let span = span(source, &at);
        let told = Diagnostic::new(finding.kind.code(), source, span, finding.message(&self.plan))
            .reason(finding.reason())
            .help(finding.help(&self.plan));
        match self.told(finding).join(", then ") {
            path if path.is_empty() => told,
            path => told.note(format!("{PATH_NOTE}{path}")),
        }
    }
}

/// Turns in words. Of what goes as everybody hopes, the last few before each turn for the worse are named, and the rest is counted;
/// what tidies up at the end and goes well is not told.
fn words(turns: &[Turn]) -> Vec<String> {
    let mut told = Vec::new();
    let turns: Vec<&Turn> = turns.iter().filter(|turn| !(turn.is_plain() && turn.path.as_str().starts_with("~finally"))).collect();
    for row in turns.chunk_by(|one, next| one.is_plain() == next.is_plain()) {
        let plain = row.first().is_some_and(|turn| turn.is_plain());
        let left_out = if plain { row.len().saturating_sub(limits::EXPLORE_TURNS_TOLD) } else { 0 };
        if left_out == 1 {
            told.extend(row.iter().map(|turn| turn.words()));
            continue;
        }
        if left_out > 1 {
            told.push(format!("{left_out} steps go well"));
        }
        told.extend(row.iter().skip(left_out).map(|turn| turn.words()));
    }
    told
}

/// The word that stands at a place: a key, or the text of a line.
fn span(source: &Source, at: &Origin) -> Span {
    let mut lines = source.text.split_inclusive('\n');
    let line = (at.position.line as usize).saturating_sub(1);
    let before: usize = lines.by_ref().take(line).map(str::len).sum();
    let text = lines.next().unwrap_or_default();
    let column = (at.position.column as usize).saturating_sub(1);
    let start = text.char_indices().nth(column).map_or(text.trim_end().len(), |(at, _)| at);
    let rest = text.get(start..).unwrap_or_default();
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
    Span::new(before + start, before + start + word.max(1).min(rest.len()))
}
