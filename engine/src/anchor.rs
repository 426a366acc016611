//! Heads of records that are kept outside of them: a short text, signed with a person's SSH key, in a file of its own.
//!
//! A chain of hashes shows any change but one: whoever can write all of it can cut its end off, or make it anew. Whoever has
//! kept such a file sees both. It is checked with `ssh-keygen -Y verify` alone: the text before the signature is what was
//! signed, in the namespace `runbook-head`.

use runbook_core::policy::{HEAD_NAMESPACE, head_statement};

use crate::journal::{Anchor, SignedHead};
use crate::people::{self, PeopleError, Signers, SigningKey};

/// How the signature begins.
const ARMOUR: &str = "-----BEGIN SSH SIGNATURE-----";

/// Why a file is no anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no signed head of a record: {0}")]
pub struct NotAnAnchor(&'static str);

/// Signs an anchor for a person.
pub fn sign(anchor: Anchor, by: &str, key: &SigningKey) -> Result<Anchor, PeopleError> {
    let text = statement(&anchor, by);
    let armoured = people::sign(&text, HEAD_NAMESPACE, key)?.armoured;
    Ok(Anchor { signed: Some(SignedHead { by: by.to_owned(), armoured }), ..anchor })
}

/// Whether the anchor was signed by somebody among the signers. The error says why not.
pub fn check(anchor: &Anchor, signers: Signers<'_>) -> Result<(), String> {
    let signed = anchor.signed.as_ref().ok_or("it is not signed")?;
    let text = statement(anchor, &signed.by);
    people::verify_among(signers, &signed.by, &signed.armoured, &text, HEAD_NAMESPACE).map_err(|e| e.to_string())
}

/// The file: what was signed, and the signature behind it. Absent where nobody signed.
pub fn to_text(anchor: &Anchor) -> Option<String> {
    let signed = anchor.signed.as_ref()?;
    Some(format!("{}{}", statement(anchor, &signed.by), signed.armoured))
}

/// An anchor as a file holds it. Whether its signature holds is another question.
pub fn from_text(text: &str, place: &str) -> Result<Anchor, NotAnAnchor> {
    let armour = text.find(ARMOUR).ok_or(NotAnAnchor("it has no SSH signature"))?;
    let (said, armoured) = text.split_at(armour);
    let anchor = read(said, armoured, place).ok_or(NotAnAnchor("a line of it is missing or wrong"))?;
    // What was read is exactly what was signed.
    let same = anchor.signed.as_ref().is_some_and(|signed| statement(&anchor, &signed.by) == said);
    if same { Ok(anchor) } else { Err(NotAnAnchor("it says more than a head")) }
}

fn read(said: &str, armoured: &str, place: &str) -> Option<Anchor> {
    let mut lines = said.strip_prefix("runbook head v1\n")?.lines();
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
    Some(Anchor {
        run: field("run")?.parse().ok()?,
        seq: field("event")?.parse().ok()?,
        head: field("head")?.parse().ok()?,
        at: field("at")?.parse().ok()?,
        place: place.to_owned(),
        signed: Some(SignedHead { by: field("by")?.to_owned(), armoured: armoured.to_owned() }),
    })
}

/// What is signed in an anchor, by this person.
fn statement(anchor: &Anchor, by: &str) -> String {
    head_statement(&anchor.run, anchor.seq, &anchor.head, anchor.at, by)
}

#[cfg(test)]
mod tests {
    use runbook_core::{Digest, RunId};

    use super::*;

    #[test]
    fn a_file_is_its_anchor_and_nothing_else() {
        let anchor = Anchor {
            run: RunId::from_parts(1, 2),
            seq: 7,
            head: Digest::of_bytes(b"x"),
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            place: "here".into(),
            signed: Some(SignedHead { by: "anna".into(), armoured: format!("{ARMOUR}\nU1NI\n-----END SSH SIGNATURE-----\n") }),
        };
        let text = to_text(&anchor).unwrap();
        assert_eq!(from_text(&text, "here"), Ok(anchor.clone()));
        assert_eq!(to_text(&Anchor { signed: None, ..anchor }), None);
        for (from, to) in [
            ("runbook head v1", "runbook head v2"),
            ("event: 7", "event: 07"),
            ("event: 7", "event: 7 "),
            ("\nby: anna", ""),
            ("\nby: anna", "\nby: anna\nby: bob"),
            ("sha256:", "sha256: "),
            ("2026-01-02T", "2026-01-02 "),
            (ARMOUR, "-----BEGIN PGP SIGNATURE-----"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed != text && from_text(&changed, "here").is_err(), "{changed}");
        }
        for cut in 0..text.find(ARMOUR).unwrap() + ARMOUR.len() {
            assert!(from_text(&text[..cut], "here").is_err(), "cut at {cut}");
        }
    }
}
