//! Whatever bytes arrive, they are answered: no panic, no event without a name, nothing beyond the bounds.

use proptest::prelude::*;

use super::*;

/// One source of each type, by the credential that a test can show.
fn all() -> Vec<(Source, &'static str)> {
    let bearer = ["alertmanager", "grafana", "eventbridge", "pagerduty", "datadog", "opsgenie", "cloudevents"];
    let mut all: Vec<(Source, &str)> =
        bearer.map(|kind| (source(&format!("type: {kind}, bearer: secrets.new")), "bearer")).into_iter().collect();
    all.push((source("type: generic, bearer: secrets.new, items: body.items, event: {id: item.id, key: item.key}"), "bearer"));
    all.push((source("type: generic, bearer: secrets.new, event: {key: body.key, status: body.status, time: body.at}"), "bearer"));
    all.push((source("type: github, secret: secrets.new"), "X-Hub-Signature-256"));
    all.push((source("type: sentry, secret: secrets.new"), "Sentry-Hook-Signature"));
    all.push((source("type: sns, topics: [arn:aws:sns:eu-west-1:123456789012:alarms]"), ""));
    all
}

fn judge(body: &[u8], headers: &[(String, Vec<u8>)]) {
    for (source, credential) in all() {
        let mut sent = Sent::new(body);
        sent.headers = headers.to_vec();
        let sent = match credential {
            "bearer" => sent.bearer(),
            "" => sent,
            header => sent.signed(header, if header.starts_with("X-Hub") { "sha256=" } else { "" }, NEW),
        };
        let Ok(delivery) = sent.to(&source) else { continue };
        assert!(delivery.events.len() <= limits::DELIVERY_EVENTS);
        for event in &delivery.events {
            assert!(
                !event.id.is_empty() && !event.key.is_empty() && !event.kind.is_empty() && !event.source.is_empty(),
                "{event:?}"
            );
            for name in [&event.id, &event.key, &event.kind, &event.source].into_iter().chain(&event.subject) {
                assert!(name.len() <= limits::EVENT_NAME_BYTES, "{event:?}");
            }
            let written = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::from_str::<CloudEvent>(&written).unwrap(), *event);
        }
    }
}

/// JSON made of the words that decoders look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "alerts",
        "labels",
        "status",
        "fingerprint",
        "startsAt",
        "endsAt",
        "event",
        "data",
        "incident",
        "id",
        "messages",
        "alert",
        "action",
        "alias",
        "Message",
        "TopicArn",
        "Type",
        "detail-type",
        "detail",
        "resources",
        "specversion",
        "source",
        "type",
        "items",
        "key",
        "at",
        "alarmData",
        "AlarmName",
        "repository",
        "full_name",
        "alertId",
        "updatedAt",
        "event_action",
        "title",
        "event_type",
        "findings",
    ]);
    let texts = prop_oneof![
        words.clone().prop_map(str::to_owned),
        Just("resolved".to_owned()),
        Just("1.0".to_owned()),
        Just("2026-11-22T05:00:00Z".to_owned()),
        Just("0001-01-01T00:00:00Z".to_owned()),
        Just("-009999-01-01T00:00:00Z".to_owned()),
        Just("é".repeat(900)),
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        texts.prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..200), value in prop::collection::vec(any::<u8>(), 0..40)) {
        let names = ["Content-Type", "X-GitHub-Event", "Sentry-Hook-Resource", "ce-id", "ce-specversion", "webhook-id"];
        judge(&body, &names.map(|name| (name.to_owned(), value.clone())));
        judge(&body, &[]);
    }

    #[test]
    fn any_json_is_answered(body in json(), content in prop::sample::select(vec!["application/json", "application/cloudevents+json", "application/cloudevents-batch+json"]), word in "[a-z_]{0,12}") {
        let headers = [("Content-Type", content), ("X-GitHub-Event", &word), ("Sentry-Hook-Resource", &word)];
        judge(&serde_json::to_vec(&body).unwrap(), &headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
    }

    #[test]
    fn json_is_what_serde_json_reads(body in json()) {
        let text = serde_json::to_string(&body).unwrap();
        let (value, big) = json::read(text.as_bytes()).unwrap();
        if big.is_empty() {
            prop_assert_eq!(value, Value::from_plain_json(body).unwrap());
        }
    }
}
