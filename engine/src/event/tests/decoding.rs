//! What each sender's bodies become: samples of our own, so that these always run.

use runbook_core::cloud_event::Status;

use super::*;
use runbook_core::value::Map;

fn alerts(kind: &str) -> Source {
    source(&format!("type: {kind}, bearer: secrets.new"))
}

fn lines(source: &Source, sent: Sent) -> Vec<String> {
    sent.bearer().events(source).iter().map(line).collect()
}

#[test]
fn one_webhook_of_alertmanager_carries_both_and_says_what_it_left_out() {
    let body = r#"{"version":"4","receiver":"hook","groupKey":"{}:{a=\"b\"}","externalURL":"http://am:9093","truncatedAlerts":7,"alerts":[
        {"status":"firing","labels":{"alertname":"Down","instance":"a"},"annotations":{"summary":"a is down"},
         "startsAt":"2026-11-22T05:00:00.5Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"aaaa"},
        {"status":"resolved","labels":{"alertname":"Down","instance":"b"},
         "startsAt":"2026-11-22T04:00:00Z","endsAt":"2026-11-22T05:30:00Z","fingerprint":"bbbb"}]}"#;
    let source = alerts("alertmanager");
    let delivery = Sent::new(body).bearer().to(&source).unwrap();
    assert_eq!((delivery.left_out, delivery.reply.clone()), (7, Reply::Accepted));
    assert_eq!(
        delivery.events.iter().map(line).collect::<Vec<_>>(),
        [
            "aaaa/2026-11-22T05:00:00.5Z/firing | http://am:9093 | alert | Down | 2026-11-22T05:00:00.5Z | aaaa | firing",
            "bbbb/2026-11-22T04:00:00Z/resolved/2026-11-22T05:30:00Z | http://am:9093 | alert | Down | 2026-11-22T05:30:00Z | bbbb | resolved",
        ]
    );
    let data = &delivery.events[0].data;
    assert_eq!(part::text(data, &["annotations", "summary"]), Some("a is down"));
    assert_eq!(part::text(data, &["group", "receiver"]), Some("hook"));
    // What is sent again is the same, also later and in another group; another life is another.
    let mut later = Sent::new(body.replace(r#""receiver":"hook""#, r#""receiver":"other""#)).bearer();
    later.at = now() + jiff::SignedDuration::from_hours(4);
    let again: Vec<String> = later.events(&source).into_iter().map(|event| event.id).collect();
    assert_eq!(again, delivery.events.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
    let next = Sent::new(body.replace("T05:00:00.5Z", "T05:59:00Z")).bearer().events(&source);
    assert_ne!(next[0].id, delivery.events[0].id);
    assert_eq!(next[0].key, delivery.events[0].key);
}

#[test]
fn labels_have_the_fingerprint_that_prometheus_gives_them() {
    // As a real Alertmanager 0.25 sent it.
    let labels = r#"{"alertname":"InstanceDown","cluster":"prod-eu1","instance":"127.0.0.1:2","job":"dead","replica":"a","severity":"page","team":"infra"}"#;
    let prometheus = |ends: &str| format!(r#"[{{"labels":{labels},"startsAt":"2026-11-22T05:00:00Z","endsAt":"{ends}"}}]"#);
    let source = alerts("alertmanager");
    // Prometheus itself says no status.
    assert_eq!(
        lines(&source, Sent::new(prometheus("2026-11-22T06:04:00Z"))),
        [
            "9ec0dd0d21ce4e4d/2026-11-22T05:00:00Z/firing | /it | alert | InstanceDown | 2026-11-22T05:00:00Z | 9ec0dd0d21ce4e4d | firing"
        ]
    );
    let over = lines(&source, Sent::new(prometheus("2026-11-22T05:55:00Z")));
    assert!(over[0].ends_with("| resolved"), "{over:?}");
    for (body, message) in [
        ("{}", "it has no `alerts`"),
        ("3", "it has no `alerts`"),
        (r#"{"alerts":3}"#, "not a list"),
        (r#"{"alerts":[{"status":"firing"}]}"#, "alert 0 has no `labels`"),
        (r#"{"alerts":["x"]}"#, "alert 0 has no `labels`"),
    ] {
        let refusal = Sent::new(body).bearer().to(&source).unwrap_err();
        assert!(refusal.kind == RefusalKind::Malformed && refusal.message.contains(message), "{body}: {refusal}");
    }
    assert_eq!(lines(&source, Sent::new(r#"{"alerts":[]}"#)), Vec::<String>::new());
    let many = format!(r#"{{"alerts":[{}{{}}]}}"#, "{},".repeat(limits::DELIVERY_EVENTS));
    assert_eq!(Sent::new(many).bearer().kind(&source), RefusalKind::TooLarge);
}

#[test]
fn numbers_beyond_64_bits_are_text_and_it_is_said() {
    let big = "123456789012345678901234567890";
    let body = format!(
        r#"{{"alerts":[{{"labels":{{"a":"b"}},"n":{big},"ok":{},"f":1.5,"l":[1,[-{big}]],"startsAt":"2026-11-22T05:00:00Z"}}]}}"#,
        i64::MAX
    );
    let event = Sent::new(body).bearer().events(&alerts("alertmanager")).remove(0);
    assert_eq!(event.data.get("n"), Some(&Value::text(big)));
    assert_eq!(event.data.get("ok"), Some(&Value::Int(i64::MAX)));
    assert_eq!(event.data.get("f"), Some(&Value::Float(1.5)));
    let told = Value::List(vec![Value::text("alerts[0].n"), Value::text("alerts[0].l[1][0]")]);
    assert_eq!(event.extensions, Map::from([("integersastext".to_owned(), told)]));
}

#[test]
fn json_is_read_as_everybody_else_reads_it_within_bounds() {
    for text in [
        "null",
        " [1, -2, 3.5, 1e3, true, false, null, \"a\\u00e9\\n\\\"\", {}] ",
        r#"{"a":{"b":[{"c":""}]},"ü":"\ud83d\ude00"}"#,
        "0",
        "1E-2",
    ] {
        let (value, big) = json::read(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why}"));
        let theirs = Value::from_plain_json(serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((value, big), (theirs, Vec::new()), "{text}");
    }
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\n\"",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e999",
        "--1",
        "nul",
        "truex",
        "[1] 2",
        "\u{feff}{}",
        "'a'",
        "NaN",
        "-01",
        "00000000000000000000000000001",
        "\"\\ud800\"",
    ] {
        assert!(json::read(text.as_bytes()).is_err(), "{text:?}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?}");
    }
    assert!(json::read(b"\"\xff\"").is_err());
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(json::read(nested(limits::VALUE_DEPTH).as_bytes()).is_ok());
    assert!(json::read(nested(limits::VALUE_DEPTH + 1).as_bytes()).unwrap_err().contains("deep"));
    assert!(json::read(nested(1_000_000).as_bytes()).is_err());
    let many = format!("[{}0]", "0,".repeat(limits::DELIVERY_VALUES));
    assert!(json::read(many.as_bytes()).unwrap_err().contains("values"));
}

#[test]
fn a_sender_that_nobody_knows_is_described() {
    let how = "type: generic, bearer: secrets.new, items: body.builds, event: {id: item.id, key: item.job, \
               type: '\"build.\" + item.kind', status: 'if item.state == \"failed\" { \"firing\" } else { \"resolved\" }', \
               subject: 'headers[\"x-ci\"]', time: item.at}";
    let body = r#"{"builds":[{"id":1,"job":"web","kind":"main","state":"failed","at":"2026-11-22T05:00:00Z"},
                             {"id":"2","job":"web","kind":"main","state":"ok","at":1795323600}]}"#;
    assert_eq!(
        lines(&source(how), Sent::new(body).header("X-CI", "jenkins")),
        [
            "1 | /it | build.main | jenkins | 2026-11-22T05:00:00Z | web | firing",
            "2 | /it | build.main | jenkins | 2026-11-22T05:00:00Z | web | resolved",
        ]
    );
    // Nothing is said: the body is one event that names itself in no way.
    let bare = source("type: generic, bearer: secrets.new");
    let event = Sent::new(r#"{"a":1}"#).bearer().events(&bare).remove(0);
    assert_eq!((event.kind.as_str(), event.status, event.key == event.id), ("it", Status::Once, true));
    let mut later = Sent::new(r#"{"a":1}"#).bearer();
    later.at = now() + jiff::SignedDuration::from_secs(1);
    assert_ne!(later.events(&bare)[0].id, event.id, "what happens twice is not one");
    for (how, body, message) in [
        ("event: {status: body.state}", r#"{"state":"on fire"}"#, "none of `firing`, `resolved` and `once`"),
        ("event: {id: body.no.such}", "{}", "`id` of event 0 gives nothing"),
        ("event: {key: body.list}", r#"{"list":[]}"#, "a value of type list"),
        ("event: {time: body.at}", r#"{"at":"soon"}"#, "is no time"),
        ("items: body.list", r#"{"list":{}}"#, "gives no list, but a value of type map"),
        ("items: body.list", "[]", "`items` gives nothing"),
        ("items: body", "nope", "cannot be read"),
    ] {
        let source = source(&format!("type: generic, bearer: secrets.new, {how}"));
        let refusal = Sent::new(body).bearer().to(&source).unwrap_err();
        assert!(refusal.kind == RefusalKind::Malformed && refusal.message.contains(message), "{how}: {refusal}");
    }
    // A secret in a header of its own is no part of an event.
    let header =
        source("type: generic, header: {name: X-Key, value: secrets.new}, event: {key: 'headers.get(\"x-key\", \"hidden\")'}");
    assert_eq!(Sent::new("{}").header("X-KEY", NEW).events(&header)[0].key, "hidden");
}

#[test]
fn cloudevents_come_in_three_forms() {
    let source = source("type: cloudevents, bearer: secrets.new");
    let one = |content: &str, body: &str| Sent::new(body).header("Content-Type", content).bearer();
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"disk","time":"2026-11-22T05:00:00Z","ext":5,
                    "status":"resolved","data":{"n":12345678901234567890}}"#;
    let structured = one("application/cloudevents+json; charset=utf-8", event).events(&source);
    assert_eq!(line(&structured[0]), "1 | /s | t | disk | 2026-11-22T05:00:00Z | /s disk | resolved");
    assert_eq!(structured[0].extensions.get("ext"), Some(&Value::Int(5)));
    assert_eq!(structured[0].data.get("n"), Some(&Value::text("12345678901234567890")));
    assert!(structured[0].extensions.contains_key("integersastext"));
    let batch =
        one("application/cloudevents-batch+json", &format!("[{event},{}]", event.replace("\"1\"", "\"2\""))).events(&source);
    assert_eq!(batch.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(one("application/cloudevents-batch+json", "[]").events(&source), []);
    let binary = |content: &str, body: &[u8]| {
        let sent = Sent::new(body).header("Content-Type", content).header("ce-specversion", "1.0").header("CE-Id", "b%201");
        sent.header("ce-source", "/s").header("ce-type", "t").header("ce-key", "k").header("ce-status", "firing").bearer()
    };
    for (content, body, data) in [
        ("application/json", &br#"{"a":1}"#[..], Value::Map(Map::from([("a".to_owned(), Value::Int(1))]))),
        ("application/vnd.x+json", b"[]", Value::List(Vec::new())),
        ("text/plain", b"hello", Value::text("hello")),
        ("application/octet-stream", b"\xff\x00", Value::Map(Map::from([("base64".to_owned(), Value::text("/wA="))]))),
        ("application/json", b"", Value::Null),
    ] {
        let event = binary(content, body).events(&source).remove(0);
        assert_eq!(line(&event), "b 1 | /s | t | - | - | k | firing", "{content}");
        assert_eq!(event.data, data, "{content}");
    }
    use RefusalKind::{Malformed, Unsupported};
    for (content, body, expect) in [
        ("application/cloudevents+xml", event.to_owned(), Unsupported),
        ("application/cloudevents+json", event.replace("1.0", "0.3"), Unsupported),
        ("application/cloudevents+json", event.replace("\"id\":\"1\"", "\"id\":\"\""), Malformed),
        ("application/cloudevents+json", event.replace("\"id\":\"1\"", "\"id\":1"), Malformed),
        ("application/cloudevents+json", event.replace("2026-11-22T05:00:00Z", "soon"), Malformed),
        ("application/cloudevents+json", event.replace("resolved", "over"), Malformed),
        ("application/cloudevents+json", event.replace("\"/s\"", &format!("\"{}\"", "s".repeat(2000))), Malformed),
        ("application/cloudevents+json", event.replace("\"data\"", "\"data_base64\":\"!\",\"x\""), Malformed),
        ("application/cloudevents+json", "[]".to_owned(), Malformed),
        ("application/cloudevents-batch+json", event.to_owned(), Malformed),
        ("application/json", event.to_owned(), Malformed),
    ] {
        assert_eq!(one(content, &body).kind(&source), expect, "{content} {body}");
    }
}

#[test]
fn cloudevents_ask_before_they_deliver() {
    let ask = |origin: &str| {
        let mut sent = Sent::new("").header("WebHook-Request-Origin", origin).header("WebHook-Request-Rate", "120");
        sent.method = "OPTIONS";
        sent
    };
    let (any, some) = (
        source("type: cloudevents, bearer: secrets.new"),
        source("type: cloudevents, bearer: secrets.new, origins: [events.example.org]"),
    );
    let headers = |origin: &str| {
        let own = [("Allow", "POST"), ("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*")];
        Reply::Headers(own.map(|(name, value)| (name, value.to_owned())).to_vec())
    };
    for (source, origin, expect) in [
        (&any, "anybody.example.org", Ok(headers("anybody.example.org"))),
        (&some, "events.example.org", Ok(headers("events.example.org"))),
        (&some, "anybody.example.org", Err(RefusalKind::NotAllowed)),
        (&any, "", Err(RefusalKind::Malformed)),
        (&any, "a b", Err(RefusalKind::NotAllowed)),
        (&any, "a\r\nSet-Cookie: x", Err(RefusalKind::NotAllowed)),
    ] {
        let judged = ask(origin).to(source);
        if let Ok(delivery) = &judged {
            assert_eq!((delivery.events.len(), delivery.authenticated_by), (0, None), "it lets nobody in");
        }
        assert_eq!(judged.map(|delivery| delivery.reply).map_err(|refusal| refusal.kind), expect, "{origin:?}");
    }
    // Who may ask still has to show who it is to deliver.
    assert_eq!(Sent::new("{}").kind(&any), RefusalKind::NoCredential);
}

#[test]
fn github_tells_in_headers_what_happened() {
    let source = source("type: github, secret: secrets.new");
    let send = |event: &str, body: &str| {
        let sent = Sent::new(body).header("X-GitHub-Event", event).header("X-GitHub-Delivery", "d-1");
        sent.signed("X-Hub-Signature-256", "sha256=", NEW)
    };
    let ping = send("ping", r#"{"zen":"x","hook_id":1}"#).to(&source).unwrap();
    assert_eq!((ping.events.len(), ping.reply), (0, Reply::Pong));
    let repository = r#""repository":{"full_name":"o/r","html_url":"https://github.com/o/r"}"#;
    for (event, body, expect) in [
        (
            "push",
            format!(r#"{{"ref":"refs/heads/main",{repository}}}"#),
            "push | refs/heads/main | - | o/r/push/refs/heads/main | once",
        ),
        (
            "issues",
            format!(r#"{{"action":"opened","issue":{{"number":3}},{repository}}}"#),
            "issues.opened | 3 | - | o/r/issues/3 | once",
        ),
        (
            "dependabot_alert",
            format!(r#"{{"action":"created","alert":{{"number":9}},{repository}}}"#),
            "dependabot_alert.created | 9 | - | o/r/dependabot_alert/9 | firing",
        ),
        (
            "dependabot_alert",
            format!(r#"{{"action":"fixed","alert":{{"number":9}},{repository}}}"#),
            "dependabot_alert.fixed | 9 | - | o/r/dependabot_alert/9 | resolved",
        ),
        ("star", format!(r#"{{"action":"created",{repository}}}"#), "star.created | - | - | o/r/star | once"),
    ] {
        let events = send(event, &body).events(&source);
        assert_eq!(events.iter().map(line).collect::<Vec<_>>(), [format!("d-1 | https://github.com/o/r | {expect}")]);
    }
    let form = send("push", "payload=%7B%7D").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(form.kind(&source), RefusalKind::Unsupported);
    assert_eq!(send("push", "{}").without("X-GitHub-Event").kind(&source), RefusalKind::Malformed);
    assert_eq!(send("push", "[]").kind(&source), RefusalKind::Malformed);
}

#[test]
fn pagerduty_tells_of_incidents_in_every_version() {
    let source = alerts("pagerduty");
    let third = |kind: &str, data: &str| {
        format!(
            r#"{{"event":{{"id":"E1","event_type":"{kind}","occurred_at":"2026-11-22T05:00:00Z","agent":{{"id":"U1"}},"client":null,"data":{data}}}}}"#
        )
    };
    let incident = r#"{"id":"P1","type":"incident","title":"Disk full","html_url":"https://a.pagerduty.com/incidents/P1"}"#;
    for (kind, data, expect) in [
        (
            "incident.triggered",
            incident,
            "E1 | https://a.pagerduty.com/incidents/P1 | incident.triggered | Disk full | 2026-11-22T05:00:00Z | P1 | firing",
        ),
        (
            "incident.resolved",
            incident,
            "E1 | https://a.pagerduty.com/incidents/P1 | incident.resolved | Disk full | 2026-11-22T05:00:00Z | P1 | resolved",
        ),
        (
            "incident.annotated",
            r#"{"id":"N1","content":"looking","incident":{"id":"P1","summary":"Disk full"}}"#,
            "E1 | /it | incident.annotated | Disk full | 2026-11-22T05:00:00Z | P1 | firing",
        ),
        ("pagey.ping", r#"{"message":"Hello"}"#, "E1 | /it | pagey.ping | - | 2026-11-22T05:00:00Z | E1 | once"),
    ] {
        assert_eq!(lines(&source, Sent::new(third(kind, data))), [expect]);
    }
    let event = Sent::new(third("incident.triggered", incident)).bearer().events(&source).remove(0);
    assert_eq!(event.data.get("title"), Some(&Value::text("Disk full")));
    assert_eq!(event.extensions.keys().collect::<Vec<_>>(), ["agent"]);
    let second = r#"{"messages":[{"id":"m1","event":"incident.resolve","created_on":"2026-11-22T05:00:00Z","incident":{"id":"P1","title":"Disk"}}]}"#;
    assert_eq!(lines(&source, Sent::new(second)), ["m1 | /it | incident.resolve | Disk | 2026-11-22T05:00:00Z | P1 | resolved"]);
    let api = r#"{"routing_key":"R0","dedup_key":"k","event_action":"resolve","payload":{"summary":"s"}}"#;
    let event = Sent::new(api).bearer().events(&source).remove(0);
    assert_eq!(line(&event), "k/resolve/2026-11-22T06:00:00Z | /it | alert.resolve | s | - | k | resolved");
    assert!(event.data.get("routing_key").is_none(), "it is a secret of PagerDuty's");
    for body in ["{}", "[]", r#"{"event":{}}"#, r#"{"messages":[{}]}"#, r#"{"event_action":"dance"}"#, r#"{"event":{"data":{}}}"#] {
        assert_eq!(Sent::new(body).bearer().kind(&source), RefusalKind::Malformed, "{body}");
    }
}

#[test]
fn datadog_is_read_as_its_templates_are_written() {
    let source = alerts("datadog");
    for (body, expect) in [
        (
            r#"{"id":"77","title":"[Triggered on {host:a}] Disk","last_updated":"1795323600000","event_type":"query_alert_monitor","body":"b"}"#,
            "77/firing | /it | query_alert_monitor | [Triggered on {host:a}] Disk | 2026-11-22T05:00:00Z | 77 | firing",
        ),
        (
            r#"{"alert_id":"5","alert_scope":"host:a","alert_transition":"Recovered","date":1795323600000,"title":"Disk"}"#,
            "5/host:a/resolved/1795323600000 | /it | alert | Disk | 2026-11-22T05:00:00Z | 5/host:a | resolved",
        ),
        (r#"{"aggreg_key":"g","alert_transition":"Re-Triggered","id":"1"}"#, "1/firing | /it | alert | - | - | g | firing"),
        (
            r#"{"title":"[Recovered] Disk","alert_cycle_key":"c","id":"2"}"#,
            "2/resolved | /it | alert | [Recovered] Disk | - | c | resolved",
        ),
        (r#"{"title":"A comment","id":"3","type":"comment"}"#, "3/once | /it | comment | A comment | - | 3 | once"),
        (r#"{"alert_type":"success","id":"4"}"#, "4/resolved | /it | alert | - | - | 4 | resolved"),
    ] {
        assert_eq!(lines(&source, Sent::new(body)), [expect], "{body}");
    }
    assert_eq!(Sent::new("[]").bearer().kind(&source), RefusalKind::Malformed);
}

#[test]
fn opsgenie_keeps_its_large_numbers() {
    let source = alerts("opsgenie");
    let body = |action: &str| {
        format!(
            r#"{{"action":"{action}","alert":{{"alertId":"a-1","alias":"disk","message":"Disk","createdAt":1795323600000,"updatedAt":1795323600000000110}}}}"#
        )
    };
    for (action, status) in
        [("Create", "firing"), ("Acknowledge", "firing"), ("AddNote", "firing"), ("Close", "resolved"), ("Delete", "resolved")]
    {
        let events = Sent::new(body(action)).bearer().events(&source);
        let kind = action.to_lowercase();
        assert_eq!(
            line(&events[0]),
            format!(
                "a-1/{action}/1795323600000000110 | /it | alert.{kind} | Disk | 2026-11-22T05:00:00.00000011Z | disk | {status}"
            )
        );
        assert_eq!(part::at(&events[0].data, &["alert", "updatedAt"]), Some(&Value::Int(1_795_323_600_000_000_110)));
    }
    for body in ["{}", "[]", r#"{"alert":{"alias":"a"}}"#, r#"{"action":"Create","alert":{}}"#] {
        assert_eq!(Sent::new(body).bearer().kind(&source), RefusalKind::Malformed, "{body}");
    }
}

#[test]
fn eventbridge_knows_alarms_health_and_findings() {
    let source = alerts("eventbridge");
    let event = |kind: &str, detail: &str| {
        format!(
            r#"{{"version":"0","id":"e-1","detail-type":"{kind}","source":"aws.x","account":"1","time":"2026-11-22T05:00:00Z","region":"eu-west-1","resources":["arn:x"],"detail":{detail}}}"#
        )
    };
    let alarm =
        |state: &str| event("CloudWatch Alarm State Change", &format!(r#"{{"alarmName":"a","state":{{"value":"{state}"}}}}"#));
    let finding = |state: &str| {
        event("Security Hub Findings - Imported", &format!(r#"{{"findings":[{{"Id":"f","RecordState":"{state}"}}]}}"#))
    };
    for (body, key, status) in [
        (alarm("ALARM"), "arn:x", "firing"),
        (alarm("OK"), "arn:x", "resolved"),
        (alarm("INSUFFICIENT_DATA"), "arn:x", "once"),
        (event("AWS Health Event", r#"{"eventArn":"h","statusCode":"open"}"#), "h", "firing"),
        (event("AWS Health Event", r#"{"eventArn":"h","statusCode":"closed"}"#), "h", "resolved"),
        (finding("ACTIVE"), "f", "firing"),
        (finding("ARCHIVED"), "f", "resolved"),
        (event("EC2 Instance State-change Notification", "{}"), "arn:x", "once"),
    ] {
        let found = lines(&source, Sent::new(&*body));
        assert!(found[0].starts_with("e-1 | aws.x |") && found[0].ends_with(&format!("| {key} | {status}")), "{body}: {found:?}");
    }
    for body in ["{}", r#"{"detail-type":"x"}"#, "[]"] {
        assert_eq!(Sent::new(body).bearer().kind(&source), RefusalKind::Malformed, "{body}");
    }
}

#[test]
fn sentry_alerts_are_about_their_issue() {
    let source = source("type: sentry, secret: secrets.new");
    for (resource, body, expect) in [
        (
            "issue",
            r#"{"action":"resolved","data":{"issue":{"id":"12","title":"T","web_url":"https://s/12"}}}"#,
            "| https://s/12 | issue.resolved | T | - | issue/12 | resolved",
        ),
        (
            "event_alert",
            r#"{"action":"triggered","data":{"event":{"issue_id":12,"title":"T","datetime":"2026-11-22T05:00:00Z"}}}"#,
            "| /it | event_alert.triggered | T | 2026-11-22T05:00:00Z | issue/12 | firing",
        ),
        (
            "metric_alert",
            r#"{"action":"critical","data":{"metric_alert":{"id":"9"},"description_title":"Many"}}"#,
            "| /it | metric_alert.critical | Many | - | metric_alert/9 | firing",
        ),
        (
            "metric_alert",
            r#"{"action":"resolved","data":{"metric_alert":{"id":"9"}}}"#,
            "| /it | metric_alert.resolved | - | - | metric_alert/9 | resolved",
        ),
        ("comment", r#"{"action":"created","data":{"issue_id":12}}"#, "| /it | comment.created | - | - | issue/12 | once"),
    ] {
        let sent = Sent::new(body).header("Sentry-Hook-Resource", resource).signed("Sentry-Hook-Signature", "", NEW);
        let found = sent.events(&source).iter().map(line).collect::<Vec<_>>();
        assert!(found[0].ends_with(expect), "{found:?}");
    }
    let bare = Sent::new("{}").signed("Sentry-Hook-Signature", "", NEW);
    assert_eq!(bare.kind(&source), RefusalKind::Malformed);
}

#[test]
fn names_are_bounded_and_what_is_long_keeps_its_difference() {
    let body = |end: &str| {
        let long = "x".repeat(5000);
        format!(
            r#"{{"alerts":[{{"fingerprint":"{long}{end}","labels":{{"alertname":"{}"}},"startsAt":"2026-11-22T05:00:00Z"}}]}}"#,
            "ü".repeat(5000)
        )
    };
    let source = alerts("alertmanager");
    let [one, other] = ["a", "b"].map(|end| Sent::new(body(end)).bearer().events(&source).remove(0));
    assert_ne!(one.key, other.key);
    assert!(one.key.len() < 100 && one.id.len() < 200 && one.subject.unwrap().len() <= limits::EVENT_NAME_BYTES);
}
