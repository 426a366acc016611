use std::time::Duration;

use runbook_core::policy::access::Role;
use serde_json::json;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn entry(act: &str, seconds: i64) -> Entry {
    Entry { person: Some("anna".to_owned()), ..Entry::new(act, "user anna".to_owned(), at(seconds)) }
}

struct Scene {
    access: Access,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        Scene { access: Access::open(folder.path(), Commits::OnTheSpot).unwrap(), folder }
    }

    fn token(&self, lives: i64) -> (Token, Secret) {
        let secret = Secret::draw(Kind::Token);
        let token = Token {
            id: secret.id().to_owned(),
            person: "anna".to_owned(),
            scope: Scope { roles: vec![Role::Viewer], ..Scope::default() },
            note: Some("a script".to_owned()),
            made_at: at(0),
            made_by: "root".to_owned(),
            expires_at: at(lives),
            revoked_at: None,
        };
        self.access.keep(token.clone(), &secret, entry("token_create", 0)).wait().unwrap();
        (token, secret)
    }
}

#[test]
fn a_token_lets_in_until_it_expires_or_is_revoked_also_after_a_restart() {
    let scene = Scene::new();
    let (token, secret) = scene.token(100);
    let shown: Secret = secret.expose().parse().unwrap();
    let recognise = |seconds| scene.access.recognise(&shown, at(seconds)).unwrap();
    assert_eq!(recognise(99), Ok(token.clone()));
    assert_eq!(recognise(100), Err(Unrecognised::Expired(Box::new(token.clone()))));
    let again = Access::open(scene.folder.path(), Commits::OnTheSpot).unwrap();
    assert_eq!(again.recognise(&shown, at(99)).unwrap(), Ok(token.clone()));
    assert_eq!(again.valid(&token.id, at(99)).unwrap(), Some(token.clone()));
    assert_eq!(again.valid(&token.id, at(100)).unwrap(), None);
    assert!(again.revoke(&token.id, entry("token_revoke", 50)).wait().unwrap());
    assert!(!again.revoke(&token.id, entry("token_revoke", 51)).wait().unwrap(), "twice is once");
    assert!(!again.revoke("ffffffffffff", entry("token_revoke", 51)).wait().unwrap());
    let revoked = Token { revoked_at: Some(at(50)), ..token };
    assert_eq!(recognise(99), Err(Unrecognised::Revoked(Box::new(revoked.clone()))), "the other process knows at once");
    assert_eq!(again.valid(&revoked.id, at(99)).unwrap(), None);
    assert_eq!(again.tokens().unwrap(), [revoked]);
}

#[test]
fn every_other_secret_is_wrong_and_nobody_learns_which_ids_there_are() {
    let scene = Scene::new();
    let (_, secret) = scene.token(100);
    let text = secret.expose();
    let wrong = |text: &str| scene.access.recognise(&text.parse().unwrap(), at(0)).unwrap();
    for place in "rbk_".len()..text.len() {
        let mut bytes = text.clone().into_bytes();
        if bytes[place] == b'_' {
            continue;
        }
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        assert_eq!(wrong(std::str::from_utf8(&bytes).unwrap()), Err(Unrecognised::Wrong), "place {place}");
    }
    for text in [
        "",
        "rbk_",
        "rbk_1_2",
        &text[1..],
        &text[..text.len() - 1],
        &format!("{text}0"),
        &text.to_uppercase(),
        &text.replace('_', "-"),
    ] {
        assert_eq!(text.parse::<Secret>(), Err(NoSecret), "{text}");
    }
}

#[test]
fn a_secret_is_nowhere_but_in_the_hands_of_whoever_has_it() {
    let scene = Scene::new();
    let (token, secret) = scene.token(100);
    assert!(scene.account("anna", "h"));
    let (session, of_session) = scene.session("anna", "h", 0).unwrap();
    let shown = format!("{secret:?}{token:?}{}{of_session:?}{session:?}{}", json!(token), json!(session));
    let mut read = 0;
    for text in [secret.expose(), of_session.expose(), of_session.proof()] {
        let half = text.rsplit('_').next().unwrap();
        assert!(!shown.contains(half));
        for file in std::fs::read_dir(scene.folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            read += bytes.len();
            assert!(!bytes.windows(half.len()).any(|window| window == half.as_bytes()));
        }
    }
    assert!(read > 4096, "{read} bytes");
}

/// What is kept of no real password: none is tried here.
fn hashed(text: &str) -> Hashed {
    Hashed(text.to_owned())
}

impl Scene {
    fn account(&self, person: &str, password: &str) -> bool {
        let account =
            Account { person: person.to_owned(), made_at: at(0), made_by: "root".to_owned(), set_at: at(0), has_password: true };
        self.access.add_account(account, hashed(password), entry("account_add", 0)).wait().unwrap()
    }

    fn session(&self, person: &str, password: &str, seconds: i64) -> Option<(Session, Secret)> {
        let secret = Secret::draw(Kind::Session);
        let session = Session::begin(&secret, person, "192.0.2.1".to_owned(), at(seconds));
        let begun = self.access.begin_session(session.clone(), &secret, Some(hashed(password)), entry("session_begin", seconds));
        begun.wait().unwrap().then_some((session, secret))
    }

    fn recognised(&self, secret: &Secret, seconds: i64) -> Result<String, Unrecognised<Session>> {
        self.access.session(&secret.expose().parse().unwrap(), at(seconds)).unwrap().map(|session| session.person)
    }
}

const IDLE: i64 = runbook_core::limits::SESSION_IDLE.as_secs() as i64;
const LIFE: i64 = runbook_core::limits::SESSION_LIFE.as_secs() as i64;

#[test]
fn a_session_ends_when_it_is_idle_and_after_its_time_however_it_is_used() {
    let scene = Scene::new();
    assert!(scene.account("anna", "h") && !scene.account("anna", "i"), "one for each person");
    let (session, secret) = scene.session("anna", "h", 0).unwrap();
    assert_eq!(scene.recognised(&secret, IDLE - 1), Ok("anna".to_owned()));
    assert!(matches!(scene.recognised(&secret, IDLE), Err(Unrecognised::Expired(_))));
    let mut now = 0;
    while now < LIFE {
        assert_eq!(scene.recognised(&secret, now), Ok("anna".to_owned()), "{now}");
        scene.access.use_session(&session.id, at(now)).wait().unwrap();
        scene.access.use_session(&session.id, at(now - 100)).wait().unwrap();
        now += IDLE - 1;
    }
    assert!(matches!(scene.recognised(&secret, LIFE), Err(Unrecognised::Expired(_))));
    assert_eq!(scene.access.valid_session(&session.id, at(LIFE)).unwrap(), None);
    assert_eq!(scene.access.valid_session(&session.id, at(LIFE - 1)).unwrap().map(|session| session.id), Some(session.id));
    let other = Secret::draw(Kind::Session);
    assert_eq!(scene.recognised(&other, 0), Err(Unrecognised::Wrong));
    assert_eq!(scene.access.recognise(&secret, at(0)).unwrap(), Err(Unrecognised::Wrong), "a session is no token");
    let token = scene.token(100).1;
    assert_eq!(scene.access.session(&token, at(0)).unwrap(), Err(Unrecognised::Wrong), "nor a token a session");
}

#[test]
fn sessions_end_at_once_with_what_they_rest_on() {
    for (what, ended) in [("ended", 1), ("all", 2), ("password", 2), ("removed", 2), ("restored", 3)] {
        let scene = Scene::new();
        assert!(scene.account("anna", "h") && scene.account("bob", "b"));
        let (first, secret) = scene.session("anna", "h", 0).unwrap();
        let (_, second) = scene.session("anna", "h", 1).unwrap();
        let (_, others) = scene.session("bob", "b", 1).unwrap();
        let other = Access::open(scene.folder.path(), Commits::OnTheSpot).unwrap();
        let entry = || entry(what, 2);
        let counted = match what {
            "ended" => u64::from(other.end_session(&first.id, entry()).wait().unwrap()),
            "all" => other.end_sessions_of("anna", entry()).wait().unwrap(),
            "password" => other.set_password("anna", hashed("new"), entry()).wait().unwrap().unwrap(),
            "removed" => other.remove_account("anna", entry()).wait().unwrap().unwrap(),
            _ => {
                let revoked = other.revoke_all(at(2), entry()).wait().unwrap();
                assert_eq!((revoked.passwords, revoked.tokens), (2, 0));
                revoked.sessions
            }
        };
        assert_eq!(counted, ended, "{what}");
        assert!(matches!(scene.recognised(&secret, 3), Err(Unrecognised::Revoked(_))), "{what}: the other process knows at once");
        assert_eq!(scene.recognised(&second, 3).is_ok(), what == "ended", "{what}");
        assert_eq!(scene.recognised(&others, 3).is_ok(), what != "restored", "{what}");
        assert!(!other.end_session(&first.id, entry()).wait().unwrap(), "{what}: twice is once");
        let begins = ["password", "removed", "restored"].contains(&what);
        assert_eq!(scene.session("anna", "h", 4).is_none(), begins, "{what}: what was shown is no password any more");
        assert_eq!(other.audited(None, 1).unwrap().entries[0].entry.act, if begins { what } else { "session_begin" });
        assert_eq!(other.password_of("anna").unwrap().is_some(), !["removed", "restored"].contains(&what), "{what}");
    }
}

#[test]
fn a_person_has_so_many_sessions_and_what_is_long_over_goes() {
    let scene = Scene::new();
    assert!(scene.account("anna", "h"));
    let most = i64::try_from(runbook_core::limits::SESSIONS_OF_ONE).unwrap();
    let all: Vec<Secret> = (0..most + 2).map(|number| scene.session("anna", "h", number).unwrap().1).collect();
    let open: Vec<bool> = all.iter().map(|secret| scene.recognised(secret, most + 2).is_ok()).collect();
    assert_eq!(open, (0..most + 2).map(|number| number >= 2).collect::<Vec<_>>(), "those that were idle for longest ended");
    scene.session("anna", "h", 30 * 24 * 3600).unwrap();
    assert_eq!(scene.access.sessions().unwrap().len(), 1);
}

#[test]
fn what_a_page_shows_beside_the_cookie_is_of_its_session_and_is_not_kept() {
    let secret = Secret::draw(Kind::Session);
    let proof = secret.proof();
    assert!(secret.is_proven_by(proof.as_bytes()));
    for wrong in ["", &proof[1..], &proof.to_uppercase(), &Secret::draw(Kind::Session).proof(), secret.expose().as_str()] {
        assert!(!secret.is_proven_by(wrong.as_bytes()), "{wrong}");
    }
    assert!(!secret.hash().as_str().contains(&proof) && !secret.expose().contains(&proof));
}

#[test]
fn the_audit_log_is_a_chain_in_which_any_change_is_seen() {
    let scene = Scene::new();
    for number in 0..5 {
        scene.access.audit(entry("run_start", number)).wait().unwrap();
    }
    let page = scene.access.audited(None, 10).unwrap();
    assert_eq!(page.broken_at, None);
    assert_eq!(page.entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    let part = scene.access.audited(Some(4), 2).unwrap();
    assert_eq!(
        (part.entries.as_slice(), part.broken_at),
        (&page.entries[2..4], None),
        "a part is checked against what is before it"
    );
    let path = scene.folder.path().join("access.db");
    for (change, broken_at) in [
        ("UPDATE audit SET body = replace(body, 'anna', 'bob') WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 2", 3),
        ("DELETE FROM audit WHERE number = 1", 2),
        ("DELETE FROM audit WHERE number > 3", 4),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET number = 9 WHERE number = 5", 9),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 1) WHERE number = 4", 4),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::set_permissions(copy.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for file in ["access.db", "access.db-wal"] {
            std::fs::copy(path.with_file_name(file), copy.path().join(file)).unwrap();
        }
        rusqlite::Connection::open(copy.path().join("access.db")).unwrap().execute(change, []).unwrap();
        let page = Access::open(copy.path(), Commits::OnTheSpot).unwrap().audited(None, 10).unwrap();
        assert_eq!(page.broken_at, Some(broken_at), "{change}");
    }
}

#[test]
fn a_write_counts_once_for_its_person_and_its_key() {
    let scene = Scene::new();
    let run: RunId = RunId::from_parts(1, 2);
    let once = |person: &str, request: &str| Once {
        person: person.to_owned(),
        key: "k".to_owned(),
        request: Digest::of_bytes(request.as_bytes()),
        run: Some(run.clone()),
    };
    let begin = |once: Once, seconds| scene.access.begin(once, at(seconds)).wait().unwrap();
    let anna = once("anna", "start a");
    assert_eq!(begin(anna.clone(), 0), Known::New);
    assert_eq!(
        begin(Once { run: Some(RunId::from_parts(3, 4)), ..anna.clone() }, 1),
        Known::Begun(Some(run.clone())),
        "of the first time"
    );
    assert_eq!(begin(once("anna", "start b"), 1), Known::Other);
    assert_eq!(begin(once("bob", "start b"), 1), Known::New, "another person's keys are another's");
    scene.access.done(&anna, json!({"run": "r"})).wait().unwrap();
    scene.access.forget(&anna).wait().unwrap();
    assert_eq!(begin(anna.clone(), 2), Known::Done(json!({"run": "r"})), "what was done is not forgotten");
    scene.access.forget(&once("bob", "start b")).wait().unwrap();
    assert_eq!(begin(once("bob", "start c"), 2), Known::New);
    let life = i64::try_from(limits().as_secs()).unwrap();
    assert_eq!(begin(anna, life), Known::New, "its time is over");
}

fn limits() -> Duration {
    runbook_core::limits::REQUEST_KEY_LIFE
}
