//! Against the real OpenSSH, with keys made for the test.

use std::process::Command;

use runbook_core::policy::DECISION_NAMESPACE;

use super::*;

fn key(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, public.trim().to_owned())
}

fn people(keys: &[(&str, &str)]) -> People {
    let person = |key: &str| Person { ssh_keys: vec![key.to_owned()], ..Person::default() };
    People { people: keys.iter().map(|(name, key)| ((*name).to_owned(), person(key))).collect(), ..People::default() }
}

#[test]
fn a_signature_holds_for_its_person_text_and_purpose_only() {
    let folder = tempfile::tempdir().unwrap();
    let (anna_file, anna) = key(folder.path(), "anna");
    let (bob_file, bob) = key(folder.path(), "bob");
    let people = people(&[("anna", &anna), ("bob", &bob)]);
    let text = "runbook decision v1\nchoice: approve\n";
    let by_anna = sign(text, DECISION_NAMESPACE, &SigningKey::File(anna_file)).unwrap();
    let by_bob = sign(text, DECISION_NAMESPACE, &SigningKey::File(bob_file.clone())).unwrap();
    let elsewhere = sign(text, "git", &SigningKey::File(bob_file)).unwrap();
    let claims_to_be_anna = Signature { key: by_anna.key.clone(), armoured: by_bob.armoured.clone() };
    let broken = Signature { armoured: by_anna.armoured.replacen("\nU1NI", "\nU1NX", 1), ..by_anna.clone() };
    let endless = Signature { armoured: "x".repeat(limits::SIGNATURE_BYTES + 1), ..by_anna.clone() };
    let no_key = Signature { key: "ssh-ed25519 AAAA\nvoter ssh-ed25519 BBBB".to_owned(), ..by_anna.clone() };
    let other_text = text.replace("approve", "reject");
    for (case, person, signature, text, holds) in [
        ("anna's own", "anna", &by_anna, text, true),
        ("bob's own", "bob", &by_bob, text, true),
        ("bob's as anna's", "anna", &by_bob, text, false),
        ("bob's with anna's key beside it", "anna", &claims_to_be_anna, text, false),
        ("another text", "anna", &by_anna, &other_text, false),
        ("without its last line end", "anna", &by_anna, text.trim_end(), false),
        ("another purpose", "bob", &elsewhere, text, false),
        ("a stranger", "zoe", &by_anna, text, false),
        ("broken", "anna", &broken, text, false),
        ("endless", "anna", &endless, text, false),
        ("a key of two lines", "anna", &no_key, text, false),
    ] {
        let verified = verify(&people, person, signature, text, DECISION_NAMESPACE);
        assert_eq!(verified.is_ok(), holds, "{case}: {verified:?}");
    }
}

#[test]
fn anybody_can_check_with_openssh_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, public) = key(folder.path(), "anna");
    let signature = sign("hello\n", DECISION_NAMESPACE, &SigningKey::File(file)).unwrap();
    assert!(public.starts_with(&signature.key), "{public} {}", signature.key);
    std::fs::write(folder.path().join("signers"), format!("anna@example.org {public}\n")).unwrap();
    std::fs::write(folder.path().join("text"), "hello\n").unwrap();
    std::fs::write(folder.path().join("signature"), &signature.armoured).unwrap();
    let checked = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", DECISION_NAMESPACE, "-I", "anna@example.org", "-f", "signers", "-s", "signature"])
        .stdin(std::fs::File::open(folder.path().join("text")).unwrap())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_key_without_its_public_half_and_a_file_that_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (file, public) = key(folder.path(), "anna");
    std::fs::remove_file(file.with_extension("pub")).unwrap();
    let signature = sign("hello\n", DECISION_NAMESPACE, &SigningKey::File(file)).unwrap();
    assert!(public.starts_with(&signature.key));
    std::fs::write(folder.path().join("junk"), "no key").unwrap();
    for wrong in ["junk", "absent"] {
        let error = sign("hello\n", DECISION_NAMESPACE, &SigningKey::File(folder.path().join(wrong))).unwrap_err();
        assert!(matches!(error, PeopleError::Sign(_)), "{error}");
    }
}

#[test]
fn public_keys_are_read_without_what_stands_around_them() {
    for (line, expect) in [
        ("ssh-ed25519 AAAAC3Nz anna@host", Some("ssh-ed25519 AAAAC3Nz")),
        ("  sk-ssh-ed25519@openssh.com AAAAG+/= ", Some("sk-ssh-ed25519@openssh.com AAAAG+/=")),
        ("command=\"rm\" ssh-ed25519 AAAAC3Nz", None),
        ("ssh-ed25519 AAAAC3Nz\nroot ssh-ed25519 AAAA", None),
        ("ssh-ed25519", None),
        ("", None),
    ] {
        assert_eq!(PublicKey::parse(line).ok().map(|key| key.to_string()).as_deref(), expect, "{line}");
    }
}

#[test]
fn the_local_user_is_the_real_one() {
    let name = String::from_utf8(Command::new("id").args(["-run"]).output().unwrap().stdout).unwrap();
    assert_eq!(local_user().unwrap().user, name.trim());
    assert!(user_name(4_294_900_000).is_err());
}

#[test]
fn a_user_is_a_person_where_the_workspace_says_so() {
    let people = People {
        people: [("anna".to_owned(), Person { users: vec!["a.meier".to_owned()], ..Person::default() })].into(),
        ..People::default()
    };
    for (user, expect) in [("a.meier", "anna"), ("anna", "anna"), ("zoe", "zoe")] {
        let identity = identity(&LocalUser { user: user.to_owned(), host: "h".to_owned() }, &people);
        assert_eq!(identity.person, expect);
        // The user that is only called like a person is not that person.
        assert_eq!(people.vouches_for(&identity), user == "a.meier");
    }
}
