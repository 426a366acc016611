//! `sources`: what each becomes, and every fault that one can have.

use super::*;
use crate::event_source::{Credential, Encoding, Format, Missed, Schedule, Signed, SourceKind, Webhook};

fn webhook(text: &str) -> Webhook {
    let (workspace, faults) = read(&format!("sources: {{it: {{{text}, secrets: {{a: {{env: A}}, b: {{env: B}}}}}}}}"));
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    let SourceKind::Webhook(webhook) = workspace.unwrap().sources["it"].kind.clone() else { panic!("{text}") };
    webhook
}

#[test]
fn a_folder_takes_json_that_has_settled() {
    let folder = |text: &str| {
        let (workspace, faults) = read(&format!("sources: {{it: {{type: folder, {text}}}}}"));
        assert_eq!(faults, Vec::<String>::new(), "{text}");
        let SourceKind::Folder(folder) = workspace.unwrap().sources["it"].kind.clone() else { panic!("{text}") };
        (folder.path, folder.suffix, folder.settled.as_millis(), folder.reading.items.is_some(), folder.reading.id.is_some())
    };
    assert_eq!(folder("path: drops"), ("drops".to_owned(), ".json".to_owned(), 2000, false, false));
    let own = folder("path: /var/spool/x, suffix: .event, settled: 10s, items: body.all, event: {id: item.id}");
    assert_eq!(own, ("/var/spool/x".to_owned(), ".event".to_owned(), 10_000, true, true));
}

#[test]
fn a_stream_of_nats_is_fetched_with_one_secret_or_none() {
    let secrets = "secrets: {a: {env: A}, b: {env: B}}";
    let nats = |text: &str| {
        let (workspace, faults) = read(&format!("sources: {{it: {{type: nats, {text}}}}}"));
        let kind = workspace.and_then(|mut workspace| workspace.sources.remove("it")).map(|source| source.kind);
        let nats = kind.map(|kind| match kind {
            SourceKind::Nats(nats) => nats,
            other => panic!("{other:?}"),
        });
        (nats, faults)
    };
    let (plain, faults) = nats("url: 'nats://127.0.0.1:4222', stream: S");
    let plain = plain.unwrap();
    assert_eq!((plain.consumer.as_str(), &plain.subject, &plain.credential, faults), ("runbook", &None, &None, Vec::new()));
    let text = format!(
        "url: 'tls://n:4222', stream: S, consumer: c, subject: 'a.*.>', basic: {{user: u, password: secrets.a}}, {secrets}"
    );
    let own = nats(&text).0.unwrap();
    assert_eq!((own.consumer.as_str(), own.subject.as_deref()), ("c", Some("a.*.>")));
    assert!(matches!(own.credential, Some(Credential::Basic { ref user, ref passwords }) if user == "u" && passwords.len() == 1));
    for (text, fault) in [
        ("stream: S", "url"),
        ("url: 'nats://n:1'", "stream"),
        ("url: 'http://n', stream: S", "is not the address of a server of NATS"),
        ("url: 'nats://u:p@n:1', stream: S", "is not the address of a server of NATS"),
        ("url: 'nats://n:1', stream: a.b", "is not the name of a stream"),
        ("url: 'nats://n:1', stream: S, consumer: 'a b'", "is not the name of a consumer"),
        ("url: 'nats://n:1', stream: S, subject: ''", "is not a subject"),
        ("url: 'nats://n:1', stream: S, path: x", "has no `path`"),
        ("url: 'nats://n:1', stream: S, secret: secrets.a, secrets: {a: {env: A}}", "has no `secret`"),
        ("url: 'nats://n:1', stream: S, bearer: [secrets.a, secrets.b], secrets: {a: {env: A}, b: {env: B}}", "shows one secret"),
    ] {
        let (_, faults) = nats(text);
        assert!(faults.iter().any(|told| told.contains(fault)), "{text}: {faults:?}");
    }
}

#[test]
fn a_schedule_ticks_in_its_own_zone_or_in_that_of_the_workspace() {
    let schedule = |text: &str| {
        let (workspace, faults) = read(&format!("timezone: Europe/Berlin\nsources: {{it: {{type: schedule, {text}}}}}"));
        assert_eq!(faults, Vec::<String>::new(), "{text}");
        let SourceKind::Schedule(schedule) = workspace.unwrap().sources["it"].kind.clone() else { panic!("{text}") };
        schedule
    };
    let plain = Schedule {
        cron: "30 2 * * mon-fri".to_owned(),
        zone: "Europe/Berlin".to_owned(),
        late: crate::limits::TICK_LATE,
        missed: Missed::Skip,
    };
    assert_eq!(schedule("cron: 30 2 * * mon-fri"), plain);
    let own = Schedule { zone: "UTC".to_owned(), late: std::time::Duration::from_secs(3600), missed: Missed::Once, ..plain };
    assert_eq!(schedule("cron: 30 2 * * mon-fri, zone: UTC, late: 1h, missed: once"), own);
}

#[test]
fn each_type_has_its_format_and_what_its_sender_signs() {
    for (text, format, header, prefix) in [
        ("type: github, secret: secrets.a", "github", "X-Hub-Signature-256", "sha256="),
        ("type: sentry, secret: [secrets.a]", "sentry", "Sentry-Hook-Signature", ""),
        ("type: pagerduty, secret: [secrets.a, secrets.b]", "pagerduty", "X-PagerDuty-Signature", "v1="),
        ("type: grafana, secret: secrets.a", "grafana", "X-Grafana-Alerting-Signature", ""),
        ("type: standard-webhooks, secret: secrets.a", "standard-webhooks", "webhook-signature", "v1,"),
        ("type: generic, secret: secrets.a, hmac: {header: X-S, prefix: p}", "generic", "X-S", "p"),
        ("type: cloudevents, secret: secrets.a, hmac: {header: X-S}", "cloudevents", "X-S", ""),
        ("type: alertmanager, bearer: secrets.a", "alertmanager", "", ""),
        ("type: eventbridge, header: {name: X-K, value: [secrets.a, secrets.b]}", "eventbridge", "", ""),
        ("type: datadog, basic: {user: u, password: secrets.a}", "datadog", "", ""),
        ("type: opsgenie, bearer: secrets.a", "opsgenie", "", ""),
        ("type: sns, topics: arn:aws:sns:eu-west-1:1:t", "sns", "", ""),
    ] {
        let Webhook { format: found, credential } = webhook(text);
        assert_eq!(found.as_str(), format);
        match credential {
            Credential::Hmac { hmac, secrets } => {
                assert_eq!((hmac.header.as_str(), hmac.prefix.as_str(), secrets.is_empty()), (header, prefix, false), "{text}");
            }
            _ => assert_eq!(header, "", "{text}"),
        }
    }
    assert_eq!(webhook("type: sns, topics: [arn:aws:sns:eu-west-1:1:t]").credential, Credential::Certificate);
    let topics = Format::Sns { topics: vec!["arn:aws-cn:sns:cn-north-1:1:t".to_owned()] };
    assert_eq!(webhook("type: sns, topics: arn:aws-cn:sns:cn-north-1:1:t").format, topics);
}

#[test]
fn what_is_signed_is_read_from_its_text() {
    let signed = |text: &str| match webhook(&format!("type: generic, secret: secrets.a, hmac: {{header: S, {text}}}")).credential {
        Credential::Hmac { hmac, .. } => hmac,
        other => panic!("{other:?}"),
    };
    let text = |text: &str| Signed::Text(text.to_owned());
    assert_eq!(signed("encoding: base64").signed, [Signed::Body]);
    assert_eq!(signed("encoding: base64").encoding, Encoding::Base64);
    assert_eq!(signed("timestamp: {header: T}").signed, [Signed::Timestamp, text("."), Signed::Body]);
    assert_eq!(signed("timestamp: {header: T}").timestamp.unwrap().within, crate::limits::DELIVERY_WITHIN);
    let own = signed("signed: \"v0:{timestamp}:{X-Id}:{body}!\", timestamp: {header: T, within: 1m}");
    let parts = [text("v0:"), Signed::Timestamp, text(":"), Signed::Header("X-Id".to_owned()), text(":"), Signed::Body, text("!")];
    assert_eq!(own.signed, parts);
    // Grafana puts another character between them.
    let grafana = webhook("type: grafana, secret: secrets.a, hmac: {timestamp: {header: T}}");
    let Credential::Hmac { hmac, .. } = grafana.credential else { panic!() };
    assert_eq!(hmac.signed, [Signed::Timestamp, text(":"), Signed::Body]);
    assert_eq!(hmac.header, "X-Grafana-Alerting-Signature");
}

#[test]
fn every_fault_of_a_source_has_its_code_and_next_step() {
    let own = "secrets: {a: {env: A}}";
    for (text, expect) in [
        ("bearer: secrets.a", "RB0011 a source of events has no `type` (add `type`)"),
        ("type: alertmanger, bearer: secrets.a", "RB0013 `alertmanger` is not a value of `type`"),
        (
            "type: alertmanager",
            "RB0011 a source of type `alertmanager` does not say how its sender shows who it is (add one of `bearer`, `basic` and `header`)",
        ),
        (
            "type: github",
            "RB0011 a source of type `github` does not say how its sender shows who it is (add `secret`, the secret that its deliveries are signed with)",
        ),
        ("type: github, bearer: secrets.a", "RB0023 a source of type `github` has no `bearer` (write `secret`)"),
        (
            "type: datadog, secret: secrets.a",
            "RB0023 a source of type `datadog` has no `secret` (write one of `bearer`, `basic` and `header`)",
        ),
        (
            "type: pagerduty, secret: secrets.a, bearer: secrets.a",
            "RB0023 a source of events has `secret` or `bearer`, not both (keep one of them in a source of events)",
        ),
        (
            "type: sns, topics: arn:aws:sns:eu-west-1:1:t, bearer: secrets.a",
            "RB0023 a source of type `sns` has no `bearer` (remove it, and name its `topics`)",
        ),
        ("type: sns", "RB0011 a source of events has no `topics` (add `topics`)"),
        ("type: schedule", "RB0011 a source of events has no `cron` (add `cron`)"),
        (
            "type: schedule, cron: 0 0 30 2 *",
            "RB0018 `0 0 30 2 *` does not say when to tick (write minute, hour, day of month, month and day of week, such as `30 2 * * mon-fri`)",
        ),
        ("type: schedule, cron: '@daily', zone: Berlin", "RB0403 `Berlin` is not a time zone"),
        ("type: schedule, cron: '@daily', bearer: secrets.a", "RB0023 a source of type `schedule` has no `bearer` (remove it)"),
        ("type: folder", "RB0011 a source of events has no `path` (add `path`)"),
        ("type: folder, path: \"a\\nb\"", "RB0018 `a\\nb` cannot be a path (name a folder of its own"),
        ("type: folder, path: a, suffix: b/c", "RB0018 `b/c` cannot be a suffix (name a folder of its own"),
        ("type: folder, path: ./.", "RB0018 `./.` cannot be a path (name a folder of its own"),
        ("type: folder, path: a, suffix: ''", "RB0018 `` cannot be a suffix (name a folder of its own"),
        ("type: folder, path: a, bearer: secrets.a", "RB0023 a source of type `folder` has no `bearer` (remove it)"),
        ("type: folder, path: a, cron: '@daily'", "RB0023 a source of type `folder` has no `cron` (remove it)"),
        ("type: folder, path: a, event: {id: item.id}", "RB0118 `item` is not known here (add `items`, or read the whole `body`)"),
        ("type: generic, bearer: secrets.a, path: a", "RB0023 a source of type `generic` has no `path` (remove it)"),
        ("type: alertmanager, bearer: secrets.a, late: 1m", "RB0023 a source of type `alertmanager` has no `late` (remove it)"),
        (
            "type: sns, topics: alarms",
            "RB0018 `alarms` is not the ARN of a topic (write it whole, such as `arn:aws:sns:eu-west-1:123456789012:alarms`)",
        ),
        (
            "type: github, secret: secrets.a, topics: arn:aws:sns:eu-west-1:1:t",
            "RB0023 a source of type `github` has no `topics` (remove it)",
        ),
        ("type: github, secret: secrets.a, hmac: {header: X}", "RB0023 a source of type `github` has no `hmac` (remove it)"),
        (
            "type: generic, bearer: secrets.a, hmac: {header: X}",
            "RB0023 `hmac` stands beside `bearer` (write `secret` in place of it, or remove `hmac`)",
        ),
        (
            "type: generic, secret: secrets.a",
            "RB0011 how a sender of type `generic` signs with its secret is not said (add `hmac` with the `header` that the signature stands in)",
        ),
        ("type: generic, secret: secrets.a, hmac: {prefix: x}", "RB0011 `hmac` has no `header` (add `header`)"),
        (
            "type: alertmanager, bearer: hunter2",
            "RB0408 a secret stands in the file (declare it under `secrets` of the source and write `secrets.<name>` here)",
        ),
        ("type: alertmanager, bearer: secrets.b", "RB0111 the source has no secret `b`"),
        (
            "type: alertmanager, bearer: [secrets.a, secrets.a, secrets.a, secrets.a, secrets.a, secrets.a]",
            "RB0018 a source has at most 5 secrets at a time (remove those that nobody uses any more)",
        ),
        ("type: alertmanager, bearer: []", "RB0019 `bearer` names nothing"),
        ("type: alertmanager, basic: {user: u}", "RB0011 `basic` has no `password` (add `password`)"),
        (
            "type: alertmanager, header: {name: 'a b', value: secrets.a}",
            "RB0014 `a b` is not the name of a header (use letters, digits and `-`)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, algorithm: md5}",
            "RB0013 `md5` is not a value of `algorithm` (write one of `sha256`, `sha384` and `sha512`)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, signed: x}",
            "RB0018 `signed` does not name the body (add `{body}`: what is not signed can be changed on its way)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, signed: '{body', }",
            "RB0018 `signed` has a brace that is not closed (write names in braces, such as `{timestamp}.{body}`)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, signed: '{body}{body}'}",
            "RB0018 `signed` names something twice (name `{body}` and `{timestamp}` once)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, signed: '{timestamp}{body}'}",
            "RB0018 `signed` names a timestamp, and nothing says where it stands (add `timestamp` with its `header`)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, signed: '{body}', timestamp: {header: T}}",
            "RB0018 `signed` does not name the timestamp (add `{timestamp}`: one that is not signed can be changed)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, timestamp: {header: T, within: 2d}}",
            "RB0018 `within` is longer than a day (write some minutes, such as `5m`)",
        ),
        (
            "type: generic, secret: secrets.a, hmac: {header: X, timestamp: {header: T, within: 0s}}",
            "RB0018 `within` is no time at all (write a longer one, or remove `within`)",
        ),
        ("type: alertmanager, bearer: secrets.a, items: body", "RB0023 a source of type `alertmanager` has no `items` (remove it)"),
        ("type: generic, bearer: secrets.a, items: bdy.x", "RB0118 `bdy` is not known here (did you mean `body`?)"),
        (
            "type: generic, bearer: secrets.a, items: body.x, event: {id: body.id}",
            "RB0118 `body` is not known here (with `items`, each of them is read as `item`)",
        ),
        (
            "type: generic, bearer: secrets.a, event: {id: item.id}",
            "RB0118 `item` is not known here (add `items`, or read the whole `body`)",
        ),
        (
            "type: generic, bearer: secrets.a, event: {id: steps.a}",
            "RB0118 `steps` is not known here (it knows `body` and `headers`)",
        ),
        ("type: generic, bearer: secrets.a, event: {id: 'body.'}", "RB0112 the expression cannot be read ()"),
        ("type: generic, bearer: secrets.a, event: {kind: body.x}", "RB0010 `event` has no key `kind`"),
    ] {
        let (_, faults) = read(&format!("sources: {{it: {{{text}, {own}}}}}"));
        let first = faults.first().map(|fault| {
            let (code, rest) = fault.split_once(' ').unwrap();
            format!("{code} {}", rest.split_once(' ').unwrap().1)
        });
        assert!(first.as_ref().is_some_and(|first| first.starts_with(expect)), "{text}: {faults:?}");
    }
    for (name, expect) in [
        ("runs", "RB0119 1:11 `runs` is a source of its own: the end of another run (give this one another name)"),
        ("stdin", "RB0119 1:11 `stdin` is a source of its own: what `runbook trigger` is given (give this one another name)"),
        (
            "\"a b\"",
            "RB0014 1:11 `a b` is not the name of a source of events (begin with a letter or digit; then letters, digits, `.`, `_` and `-`)",
        ),
    ] {
        let (_, faults) = read(&format!("sources: {{{name}: {{type: alertmanager, bearer: secrets.a, {own}}}}}"));
        assert_eq!(faults, [expect]);
    }
}
