//! The text that a person signs when deciding: short, canonical, and rebuilt by anybody from the record, so that a
//! signature can be checked with OpenSSH alone.

use jiff::Timestamp;

use super::ahead::Ahead;
use crate::id::{DecisionId, Digest, RunId};
use crate::run::decision::Choice;
use crate::value::Map;

/// The namespace of the signature (`ssh-keygen -Y sign -n …`): what is signed here means nothing elsewhere.
pub const DECISION_NAMESPACE: &str = "runbook-decision";

/// The namespace of a signature over the head of a record.
pub const HEAD_NAMESPACE: &str = "runbook-head";

/// What is signed for the head of a record: that this run stood so after this event.
pub fn head_statement(run: &RunId, seq: u64, head: &Digest, at: Timestamp, by: &str) -> String {
    format!("runbook head v1\nrun: {run}\nevent: {seq}\nhead: {head}\nat: {at}\nby: {}\n", one_line(by))
}

/// What is signed for one vote. Every line ends in a line feed; no value can hold one.
///
/// `digest` is that of the request as it was shown. Reason and answers enter by their digests: a text may be long, and
/// the statement stays one that a person can read. The digest of answers is over their canonical JSON.
pub fn decision_statement(
    run: &RunId,
    decision: DecisionId,
    choice: Choice,
    digest: &Digest,
    by: &str,
    reason: Option<&str>,
    answers: &Map,
) -> Result<String, serde_json::Error> {
    Ok(format!(
        "runbook decision v1\nrun: {run}\ndecision: {decision}\nchoice: {}\ndigest: {digest}\nby: {}\n\
         reason-{}\nanswers-{}\n",
        choice.name(),
        one_line(by),
        Digest::of_bytes(reason.unwrap_or_default().as_bytes()),
        Digest::of_json(answers)?,
    ))
}

/// What is signed for a decision ahead of time: all that bounds it. How often it was used is not part of it.
pub fn ahead_statement(ahead: &Ahead) -> String {
    let or_any = |text: Option<String>| text.unwrap_or_else(|| "any".to_owned());
    format!(
        "runbook decision ahead v1\nid: {}\nprocedure: {} {}\nplan: {}\nstep: {}\nenvironment: {}\ninputs: {}\nuses: {}\n\
         expires: {}\nby: {}\nreason-{}\n",
        one_line(&ahead.id),
        ahead.procedure,
        ahead.version,
        ahead.plan,
        ahead.step,
        one_line(&or_any(ahead.environment.clone())),
        or_any(ahead.inputs.as_ref().map(Digest::to_string)),
        ahead.uses,
        ahead.expires,
        one_line(&ahead.by.person),
        Digest::of_bytes(ahead.reason.as_bytes()),
    )
}

/// Control characters are written as `\u{…}`: no name can add a line.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_unicode())
        } else {
            line.push(c)
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn statement(choice: Choice, by: &str, reason: Option<&str>, answers: &Map) -> String {
        let run = RunId::from_parts(1, 2);
        decision_statement(&run, DecisionId(1), choice, &Digest::of_bytes(b"shown"), by, reason, answers).unwrap()
    }

    #[test]
    fn the_statement_is_this_and_nothing_else() {
        assert_eq!(
            statement(Choice::Approve, "anna", Some("lag is real"), &Map::new()),
            "runbook decision v1\n\
             run: 00000000010000000000000002\n\
             decision: d1\n\
             choice: approve\n\
             digest: sha256:baaf53622a51d975235f276287bdc1b64aa4640c77142cbca076877d9eac6815\n\
             by: anna\n\
             reason-sha256:40e843c2623616cfa95959fd5cbd1d31cf500ec3a198842b777ba3f76cec5dd0\n\
             answers-sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
        );
    }

    #[test]
    fn the_statement_of_a_head_is_this_and_nothing_else() {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(
            head_statement(&RunId::from_parts(1, 2), 7, &Digest::of_bytes(b"last"), at, "anna\nby: bob"),
            "runbook head v1\n\
             run: 00000000010000000000000002\n\
             event: 7\n\
             head: sha256:3547cb112ac4489af2310c0626cdba6f3097a2ad5a3b42ddd3b59c76c7a079a3\n\
             at: 2026-01-02T03:04:05Z\n\
             by: anna\\u{a}by: bob\n"
        );
    }

    #[test]
    fn whatever_changes_the_meaning_changes_the_text() {
        let plain = statement(Choice::Approve, "anna", None, &Map::new());
        let answers = Map::from([("size".to_owned(), Value::Int(3))]);
        for other in [
            statement(Choice::Reject, "anna", None, &Map::new()),
            statement(Choice::Approve, "bob", None, &Map::new()),
            statement(Choice::Approve, "anna", Some("x"), &Map::new()),
            statement(Choice::Approve, "anna", None, &answers),
        ] {
            assert_ne!(plain, other);
        }
        assert_eq!(plain, statement(Choice::Approve, "anna", Some(""), &Map::new()));
    }

    #[test]
    fn a_name_cannot_add_a_line() {
        let forged = statement(Choice::Approve, "anna\nby: bob", None, &Map::new());
        assert_eq!(forged.lines().count(), 8, "{forged}");
        assert!(forged.contains("by: anna\\u{a}by: bob\n"), "{forged}");
    }
}
