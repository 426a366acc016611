//! Every scheme of a shared secret: what it takes, and each way of getting past it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const BODY: &str = r#"{"id":"1","action":"opened"}"#;

/// A source, and a request that it takes.
fn schemes() -> Vec<(&'static str, Source, Sent)> {
    let at = now().as_second().to_string();
    let stamped = |between: &str, key: &[u8]| hex_hmac(key, format!("{at}{between}{BODY}").as_bytes());
    let whsec = STANDARD.decode(WHSEC.strip_prefix("whsec_").unwrap()).unwrap();
    let standard = STANDARD.encode(hmac_sha256(&whsec, format!("msg_1.{at}.{BODY}").as_bytes()));
    let alert = r#"{"alerts":[{"labels":{"a":"b"},"status":"firing","startsAt":"2026-11-22T05:00:00Z"}]}"#;
    let event = r#"{"event":{"id":"E1","event_type":"incident.triggered","data":{"id":"P1"}}}"#;
    let generic = |signed: &str, prefix: &str, time: &str| {
        source(&format!(
            "type: generic, secret: [secrets.new, secrets.old], hmac: {{header: X-Sig, prefix: '{prefix}', signed: '{signed}', {time}}}"
        ))
    };
    let time = "timestamp: {header: X-Time, within: 5m}";
    vec![
        (
            "github",
            source("type: github, secret: [secrets.new, secrets.old]"),
            Sent::new(BODY).header("X-GitHub-Event", "issues").signed("X-Hub-Signature-256", "sha256=", NEW),
        ),
        (
            "sentry",
            source("type: sentry, secret: [secrets.new, secrets.old]"),
            Sent::new(BODY).header("Sentry-Hook-Resource", "issue").signed("Sentry-Hook-Signature", "", NEW),
        ),
        (
            "pagerduty",
            source("type: pagerduty, secret: [secrets.new, secrets.old]"),
            Sent::new(event).signed("X-PagerDuty-Signature", "v1=", NEW),
        ),
        (
            "grafana",
            source("type: grafana, secret: [secrets.new, secrets.old]"),
            Sent::new(alert).signed("X-Grafana-Alerting-Signature", "", NEW),
        ),
        (
            "grafana with a time",
            source("type: grafana, secret: secrets.new, hmac: {timestamp: {header: X-Grafana-Alerting-Timestamp}}"),
            Sent::new(alert)
                .header("X-Grafana-Alerting-Timestamp", &at)
                .header("X-Grafana-Alerting-Signature", hex_hmac(NEW.as_bytes(), format!("{at}:{alert}").as_bytes())),
        ),
        (
            "standard-webhooks",
            source("type: standard-webhooks, secret: [secrets.whsec]"),
            Sent::new(BODY)
                .header("webhook-id", "msg_1")
                .header("webhook-timestamp", &at)
                .header("webhook-signature", format!("v1a,AAAA v1,{standard}")),
        ),
        (
            "generic",
            generic("{timestamp}.{body}", "v1=", time),
            Sent::new(BODY).header("X-Time", &at).header("X-Sig", format!("v1={}", stamped(".", NEW.as_bytes()))),
        ),
        (
            "generic in one header",
            generic("{timestamp}.{body}", "v1=", "timestamp: {header: X-Sig, prefix: t=}"),
            Sent::new(BODY).header("X-Sig", format!("t={at}, v1={}", stamped(".", NEW.as_bytes()))),
        ),
        (
            "generic of SHA-512 in base 64",
            source(
                "type: generic, secret: secrets.new, hmac: {header: X-Sig, algorithm: sha512, encoding: base64, signed: 'v0:{X-Id}:{body}'}",
            ),
            Sent::new(BODY).header("X-Id", "7").header("X-Sig", {
                let mac = Hmac::<sha2::Sha512>::new_from_slice(NEW.as_bytes()).unwrap();
                STANDARD.encode(mac.chain_update(format!("v0:7:{BODY}")).finalize().into_bytes())
            }),
        ),
    ]
}

/// The header that the signature stands in.
fn signature_of(sent: &Sent) -> usize {
    sent.headers.iter().position(|(name, _)| name.to_lowercase().contains("sig")).unwrap()
}

#[test]
fn what_is_signed_is_taken_and_says_how() {
    for (name, source, sent) in schemes() {
        let delivery = sent.to(&source).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(delivery.authenticated_by, Some(Mode::Hmac), "{name}");
        assert!(!Mode::Hmac.is_weaker() && delivery.events.len() == 1, "{name}");
        let replay = delivery.replay.unwrap();
        assert!(replay.until > now() && replay.key.len() == 64, "{name}");
        assert_eq!(sent.to(&source).unwrap().replay.unwrap(), replay, "{name}: the same delivery is the same");
    }
}

#[test]
fn a_bit_flipped_anywhere_is_refused() {
    for (name, source, sent) in schemes() {
        let place = signature_of(&sent);
        for (part, length) in [("body", sent.body.len()), ("signature", sent.headers[place].1.len())] {
            for byte in 0..length {
                for bit in 0..8 {
                    let mut flipped = sent.clone();
                    let bytes = if part == "body" { &mut flipped.body } else { &mut flipped.headers[place].1 };
                    bytes[byte] ^= 1 << bit;
                    let text = String::from_utf8_lossy(&flipped.headers[place].1).into_owned();
                    let judged = flipped.to(&source);
                    // What stands in the header beside the one signature that counts may say anything.
                    let beside = part == "signature" && signature_untouched(&sent, place, &text);
                    assert!(judged.is_err() || beside, "{name}: {part}, bit {bit} of byte {byte}: {text:?}");
                }
            }
        }
    }
}

/// Whether the entry that authenticates stands in the header as it was.
fn signature_untouched(sent: &Sent, place: usize, text: &str) -> bool {
    let before = String::from_utf8_lossy(&sent.headers[place].1).into_owned();
    let entry = before.rsplit([' ']).next().unwrap();
    text.split([' ', ',']).any(|part| part == entry) || text.ends_with(entry)
}

#[test]
fn a_time_outside_the_window_is_refused() {
    for (name, source, sent) in schemes() {
        for (seconds, expect) in [
            (0, None),
            (299, None),
            (-299, None),
            (301, Some(RefusalKind::Stale)),
            (-301, Some(RefusalKind::Stale)),
            (86_400 * 365, Some(RefusalKind::Stale)),
            (-86_400 * 365, Some(RefusalKind::Stale)),
        ] {
            let mut sent = sent.clone();
            sent.at = now() + jiff::SignedDuration::from_secs(seconds);
            let timed =
                sent.headers.iter().any(|(_, value)| String::from_utf8_lossy(value).contains(&now().as_second().to_string()));
            let judged = sent.to(&source);
            assert_eq!(judged.err().map(|refusal| refusal.kind), expect.filter(|_| timed), "{name} after {seconds} s");
        }
    }
}

#[test]
fn a_time_that_was_changed_is_no_time_of_this_signature() {
    for (name, source, sent) in schemes() {
        let (then, later) = (now().as_second().to_string(), (now().as_second() + 3600).to_string());
        let mut changed = sent.clone();
        changed.at = now() + jiff::SignedDuration::from_secs(3600);
        let mut found = false;
        for (_, value) in &mut changed.headers {
            let text = String::from_utf8_lossy(value).into_owned();
            found |= text.contains(&then);
            *value = text.replace(&then, &later).into_bytes();
        }
        assert!(!found || changed.kind(&source) == RefusalKind::WrongCredential, "{name}");
    }
}

#[test]
fn a_replay_is_the_same_whatever_is_not_signed() {
    let github = source("type: github, secret: secrets.new");
    let first = Sent::new(BODY).header("X-GitHub-Event", "issues").signed("X-Hub-Signature-256", "sha256=", NEW);
    let [one, other] = ["d1", "d2"].map(|id| first.clone().header("X-GitHub-Delivery", id).to(&github).unwrap());
    assert_ne!(one.events[0].id, other.events[0].id, "the header that names a delivery is not signed");
    assert_eq!(one.replay, other.replay);
    // Kept longer than the sender's time lasts, also where our clock was behind.
    let timed = source("type: generic, secret: secrets.new, hmac: {header: S, timestamp: {header: T, within: 10m}}");
    let at = now().as_second();
    let sent = Sent::new(BODY).header("T", at.to_string()).header("S", hex_hmac(NEW.as_bytes(), format!("{at}.{BODY}").as_bytes()));
    assert_eq!(sent.to(&timed).unwrap().replay.unwrap().until, now() + jiff::SignedDuration::from_mins(20));
}

#[test]
fn what_is_missing_is_said() {
    for (name, source, sent) in schemes() {
        let place = signature_of(&sent);
        let header = sent.headers[place].0.clone();
        assert_eq!(sent.clone().without(&header).kind(&source), RefusalKind::NoCredential, "{name}");
        let mut empty = sent.clone();
        empty.headers[place].1.clear();
        assert_eq!(empty.kind(&source), RefusalKind::NoCredential, "{name}");
        let twice = sent.clone().header(&header, sent.headers[place].1.clone());
        assert_eq!(twice.kind(&source), RefusalKind::Malformed, "{name}: two signatures in two headers");
        for time in ["X-Time", "webhook-timestamp", "X-Grafana-Alerting-Timestamp", "webhook-id", "X-Id"] {
            if sent.headers.iter().any(|(known, _)| known == time) {
                assert_eq!(sent.clone().without(time).kind(&source), RefusalKind::NoCredential, "{name} without {time}");
            }
        }
    }
}

#[test]
fn nobody_chooses_a_weaker_way() {
    for (name, source, sent) in schemes() {
        let header = sent.headers[signature_of(&sent)].0.clone();
        let bare = sent.clone().without(&header);
        for (way, value) in [
            ("Authorization", format!("Bearer {NEW}")),
            ("Authorization", format!("Basic {}", STANDARD.encode(format!("user:{NEW}")))),
            ("X-Api-Key", NEW.to_owned()),
        ] {
            assert_eq!(bare.clone().header(way, value).kind(&source), RefusalKind::NoCredential, "{name}: {way}");
        }
        // An algorithm that the sender names, the older and weaker header of GitHub, a key of nothing.
        for value in ["none", "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha256=", "v0=", "v1,", "v1=", ""] {
            let forged = bare.clone().header(&header, value).header("X-Algorithm", "none").header("X-Hub-Signature", value);
            assert!(forged.to(&source).is_err(), "{name}: {value}");
        }
        let mut unkeyed = bare.clone();
        let body = unkeyed.body.clone();
        unkeyed = unkeyed.header(&header, format!("sha256={}", hex_hmac(b"", &body)));
        assert_eq!(
            unkeyed.kind(&source),
            if name.contains("one header") { RefusalKind::NoCredential } else { RefusalKind::WrongCredential },
            "{name}"
        );
    }
}

#[test]
fn one_secret_follows_another() {
    let github = |secrets: &str| source(&format!("type: github, secret: {secrets}"));
    let signed = |secret: &str| Sent::new(BODY).header("X-GitHub-Event", "issues").signed("X-Hub-Signature-256", "sha256=", secret);
    for (secrets, new, old) in
        [("secrets.old", false, true), ("[secrets.new, secrets.old]", true, true), ("[secrets.new]", true, false)]
    {
        assert_eq!(signed(NEW).to(&github(secrets)).is_ok(), new, "{secrets}");
        assert_eq!(signed(OLD).to(&github(secrets)).is_ok(), old, "{secrets}");
        assert!(signed("another secret of somebody").to(&github(secrets)).is_err());
    }
    // PagerDuty gives a signature for each of its secrets.
    let pagerduty = source("type: pagerduty, secret: secrets.new");
    let body = r#"{"event":{"id":"E1","event_type":"incident.triggered","data":{"id":"P1"}}}"#;
    let (new, old) = (hex_hmac(NEW.as_bytes(), body.as_bytes()), hex_hmac(OLD.as_bytes(), body.as_bytes()));
    for (header, right) in [
        (format!("v1={new},v1={old}"), true),
        (format!("v1={old}, v1={new}"), true),
        (format!("v1={old}"), false),
        (format!("v0={new}"), false),
        (new.clone(), false),
        (format!("v1={old},").repeat(10) + &format!("v1={new}"), false),
        (format!("v1={},v1={new}", "zz".repeat(32)), true),
    ] {
        assert_eq!(Sent::new(body).header("X-PagerDuty-Signature", &header).to(&pagerduty).is_ok(), right, "{header}");
    }
}

#[test]
fn only_the_first_version_of_standard_webhooks_counts() {
    let source = source("type: standard-webhooks, secret: secrets.whsec");
    let key = STANDARD.decode(WHSEC.strip_prefix("whsec_").unwrap()).unwrap();
    // The example of the specification's own libraries.
    let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
    let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let at: Timestamp = Timestamp::from_second(1_614_265_330).unwrap();
    assert_eq!(format!("v1,{}", STANDARD.encode(hmac_sha256(&key, format!("{id}.{}.{body}", at.as_second()).as_bytes()))), known);
    let sent = |signature: &str| {
        let mut sent = Sent::new(body).header("Webhook-Id", id).header("Webhook-Timestamp", at.as_second().to_string());
        sent.at = at;
        sent.header("Webhook-Signature", signature)
    };
    let delivery = sent(known).to(&source).unwrap();
    assert_eq!(line(&delivery.events[0]), format!("{id} | /it | it | - | - | {id} | once"));
    for wrong in [known.replace("v1,", "v1a,"), known.replace("v1,", "v2,"), known.replace("v1,", ""), known.replace('g', "G")] {
        assert_eq!(sent(&wrong).kind(&source), RefusalKind::WrongCredential, "{wrong}");
    }
}

#[test]
fn a_secret_that_can_be_no_key_is_told_at_once() {
    let declared = declared("type: standard-webhooks, secret: secrets.whsec");
    for (value, right) in
        [(WHSEC, true), (&WHSEC[6..], true), ("whsec_short", false), ("not base 64!", false), ("whsec_!!!!", false)]
    {
        let opened = Source::open("it", &declared, |_| Ok(Arc::new(SecretString::from(value))));
        assert_eq!(opened.is_ok(), right, "{value}");
        if let Err(why) = opened {
            assert!(why.contains("`it`") && why.contains("`whsec`") && !why.contains(value), "{why}");
        }
    }
    let why = Source::open("it", &declared, |_| Err("the vault is closed".to_owned())).unwrap_err();
    assert_eq!(why, "the source `it` cannot be opened: the secret `whsec` has no value: the vault is closed");
}

#[test]
fn weaker_ways_are_labelled_so() {
    let alert = r#"{"alerts":[{"labels":{"a":"b"},"status":"firing","startsAt":"2026-11-22T05:00:00Z"}]}"#;
    let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let (bearer, password, header) = (
        source("type: alertmanager, bearer: [secrets.new, secrets.old]"),
        source("type: alertmanager, basic: {user: am, password: [secrets.new, secrets.old]}"),
        source("type: alertmanager, header: {name: X-Api-Key, value: secrets.new}"),
    );
    use RefusalKind::{NoCredential, WrongCredential};
    for (source, name, value, expect) in [
        (&bearer, "Authorization", format!("Bearer {NEW}"), Ok(Mode::Bearer)),
        (&bearer, "authorization", format!("bearer {OLD}"), Ok(Mode::Bearer)),
        (&bearer, "Authorization", format!("Bearer {NEW}x"), Err(WrongCredential)),
        (&bearer, "Authorization", format!("Bearer {}", &NEW[1..]), Err(WrongCredential)),
        (&bearer, "Authorization", "Bearer ".to_owned(), Err(NoCredential)),
        (&bearer, "Authorization", NEW.to_owned(), Err(NoCredential)),
        (&bearer, "Authorization", basic("am", NEW), Err(NoCredential)),
        (&bearer, "X-Other", format!("Bearer {NEW}"), Err(NoCredential)),
        (&password, "Authorization", basic("am", NEW), Ok(Mode::Basic)),
        (&password, "Authorization", basic("am", OLD), Ok(Mode::Basic)),
        (&password, "Authorization", basic("AM", NEW), Err(WrongCredential)),
        (&password, "Authorization", basic("am", ""), Err(WrongCredential)),
        (&password, "Authorization", basic("", NEW), Err(WrongCredential)),
        (&password, "Authorization", "Basic %%%".to_owned(), Err(WrongCredential)),
        (&password, "Authorization", format!("Bearer {NEW}"), Err(NoCredential)),
        (&header, "x-api-key", NEW.to_owned(), Ok(Mode::Header)),
        (&header, "X-Api-Key", OLD.to_owned(), Err(WrongCredential)),
        (&header, "X-Api-Key", String::new(), Err(WrongCredential)),
        (&header, "Authorization", format!("Bearer {NEW}"), Err(NoCredential)),
    ] {
        let judged = Sent::new(alert).header(name, &value).to(source);
        let found = judged.map(|delivery| {
            assert_eq!(delivery.replay, None, "nothing of it depends on the body");
            delivery.authenticated_by.unwrap()
        });
        assert_eq!(found.as_ref().map_err(|refusal| refusal.kind).copied(), expect, "{name}: {value}");
        if let Ok(mode) = found {
            assert!(mode.is_weaker());
        }
    }
    let twice = Sent::new(alert).bearer().header("authorization", "Bearer wrong");
    assert_eq!(twice.kind(&bearer), RefusalKind::Malformed, "two credentials could be read in two ways");
    let strange = Sent::new(alert).header("Authorization", b"Bearer \xff\xfe");
    assert_eq!(strange.kind(&bearer), RefusalKind::Malformed);
}

#[test]
fn nothing_is_read_of_who_does_not_authenticate() {
    let source = source("type: alertmanager, bearer: secrets.new");
    assert_eq!(Sent::new("not JSON").kind(&source), RefusalKind::NoCredential);
    assert_eq!(Sent::new("not JSON").bearer().kind(&source), RefusalKind::Malformed);
    let large = vec![b' '; limits::DELIVERY_BYTES + 1];
    assert_eq!(Sent::new(large).bearer().kind(&source), RefusalKind::TooLarge);
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "post"] {
        let mut sent = Sent::new("{}").bearer();
        sent.method = method;
        assert_eq!(sent.kind(&source), RefusalKind::Unsupported, "{method}");
    }
    for (kind, status) in [
        (RefusalKind::NoCredential, 401),
        (RefusalKind::WrongCredential, 401),
        (RefusalKind::Stale, 401),
        (RefusalKind::NotAllowed, 403),
        (RefusalKind::Malformed, 400),
        (RefusalKind::TooLarge, 413),
        (RefusalKind::Unsupported, 415),
        (RefusalKind::NeedsCertificate, 503),
    ] {
        assert_eq!(Refusal::new(kind, "x").status(), status);
    }
}
