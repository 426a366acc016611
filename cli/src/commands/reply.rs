//! One decision answered by the person at the terminal: the whole request is shown, then only what it offers can be said.
//! The vote names the digest of what was shown.

use runbook_core::document::input::accept_all;
use runbook_core::policy::{DECISION_NAMESPACE, People};
use runbook_core::run::decision::{Choice, Decision, Purpose};
use runbook_core::run::event::{Identity, Vote};
use runbook_core::value::Value;
use runbook_core::{Digest, Run};
use runbook_engine::people::{self, SigningKey};
use runbook_engine::permit;

use super::store::split;
use crate::exit::{Exit, Trouble};
use crate::ui::ask::{self, Lines, Said, Word};
use crate::ui::{Ui, request};

pub enum Reply {
    Vote(Box<Vote>),
    Later,
    /// This person may not decide it, or cannot prove who they are: why.
    NotYours(String),
}

/// What the command line has said already, of a yes.
#[derive(Default)]
pub struct Given {
    pub reason: Option<String>,
    pub evidence: Option<String>,
    /// To sign, also where the request does not demand it.
    pub sign: bool,
    /// With which key; the agent's where none is given.
    pub key: Option<SigningKey>,
}

/// Shows a request and asks.
pub async fn ask(
    ui: &mut Ui,
    lines: &mut Lines,
    run: &Run,
    decision: &Decision,
    by: &Identity,
    head: Option<Digest>,
    given: Given,
) -> Reply {
    let now = jiff::Timestamp::now();
    ui.say("");
    ui.say(&request::screen(run, decision, now));
    ui.say("");
    let blank = vote(decision, by, Choice::Approve, head);
    let signs = decision.request.signed || given.sign;
    if !signs
        && let Some(id) = run.id()
        && let Err(why) = permit::permit_vote(run, id, decision.id, &blank)
    {
        return Reply::NotYours(why);
    }
    let Some(mut vote) = choose(ui, lines, run, decision, blank, &given).await else { return Reply::Later };
    if signs && let Err(why) = sign(run, decision, &mut vote, given.key) {
        return Reply::NotYours(format!("{why}; sign with `runbook approve RUN --sign --key FILE`"));
    }
    Reply::Vote(Box::new(vote))
}

/// A vote that says nothing beyond its choice yet.
pub fn vote(decision: &Decision, by: &Identity, choice: Choice, head: Option<Digest>) -> Vote {
    Vote { head, ..Vote::new(by.clone(), choice, decision.request.digest.clone()) }
}

/// `None` where it is left for later.
async fn choose(ui: &mut Ui, lines: &mut Lines, run: &Run, decision: &Decision, blank: Vote, given: &Given) -> Option<Vote> {
    let (question, words): (&str, Vec<(Word<'_>, Choice)>) = match decision.purpose {
        Purpose::Manual => (
            "is the work",
            vec![
                (("done", "it is done, as asked"), Choice::Approve),
                (("impossible", "it cannot be done: the step fails, and you are asked why"), Choice::Reject),
            ],
        ),
        Purpose::Ask => (
            "answer now",
            vec![
                (("yes", "each answer is asked for"), Choice::Approve),
                (("refuse", "there will be no answer, and you are asked why"), Choice::Reject),
            ],
        ),
        Purpose::Unknown | Purpose::UndoFailed => (
            "what now",
            vec![
                (("probe", "look with the step's `verify`"), Choice::Probe),
                (("done", "it took effect, and you are asked how you know"), Choice::Done),
                (("again", "run it again, and you are asked why that is safe"), Choice::Again),
                (("leave", "stop undoing, and leave the rest to people"), Choice::Leave),
            ],
        ),
        _ => (
            "your decision",
            vec![
                (("approve", "what is shown above goes on"), Choice::Approve),
                (("reject", "it does not, and you are asked why"), Choice::Reject),
            ],
        ),
    };
    let known = request::offered(run, decision);
    let offered: Vec<(Word<'_>, Choice)> = words.into_iter().filter(|(_, choice)| known.contains(choice)).collect();
    let mut said: Vec<Word<'_>> = offered.iter().map(|(word, _)| *word).collect();
    said.push(("later", "nothing is decided, and the run keeps waiting"));
    let word = ask::choice(ui, lines, question, &said).await?;
    let choice = offered.iter().find(|((w, _), _)| *w == word).map(|(_, choice)| *choice)?;
    let mut vote = Vote { choice, ..blank };
    if choice == Choice::Approve {
        for field in &decision.request.fields {
            if let Some(value) = ask::value(ui, lines, field).await.ok()? {
                vote.answers.insert(field.name.as_str().to_owned(), value);
            }
        }
        // With the defaults, since a signature is over what is recorded.
        vote.answers = accept_all(&decision.request.fields, vote.answers).ok()?;
        vote.reason = given.reason.clone();
        if let Some(evidence) = &given.evidence {
            vote.answers.insert("evidence".to_owned(), Value::text(evidence.as_str()));
        } else if let Some(wanted) = &decision.request.evidence {
            crate::ui::plain(wanted).lines().for_each(|text| ui.say(&format!("│ {text}")));
            loop {
                match ask::text(ui, lines, "evidence: ").await {
                    Said::Line(text) if !text.is_empty() => {
                        vote.answers.insert("evidence".to_owned(), Value::text(text));
                        break;
                    }
                    Said::Line(_) => ui.say("  it is wanted: without it the work cannot be confirmed"),
                    Said::End => return None,
                }
            }
        }
    }
    if choice.needs_reason() {
        vote.reason = Some(ask::reason(ui, lines).await?);
    }
    Some(vote)
}

/// Signs a vote with the person's key: the given one, or the first of theirs that the agent holds.
pub fn sign(run: &Run, decision: &Decision, vote: &mut Vote, key: Option<SigningKey>) -> Result<(), Trouble> {
    let trouble = |why: String| Trouble::not_valid(why);
    let id = run.id().ok_or_else(|| trouble("the run has not started".to_owned()))?;
    let key = signing_key(&run.plan().policy.people, &vote.by.person, key)?;
    let text = permit::statement(id, decision.id, vote).map_err(trouble)?;
    vote.signature = Some(people::sign(&text, DECISION_NAMESPACE, &key).map_err(|why| split(Exit::NotValid, &why.to_string()))?);
    Ok(())
}

/// The given key, or the first of this person's that the agent holds.
pub fn signing_key(people: &People, name: &str, given: Option<SigningKey>) -> Result<SigningKey, Trouble> {
    if let Some(key) = given {
        return Ok(key);
    }
    let person = people.people.get(name).ok_or_else(|| {
        Trouble::not_valid(format!("`{name}` is no person of the workspace, so there is no key to sign with"))
            .next("give --key FILE")
    })?;
    people::agent_key(name, person).map_err(|why| split(Exit::NotValid, &why.to_string()))
}
