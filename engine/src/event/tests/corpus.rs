//! The payloads that real systems sent or document, where they are there (`../shared/corpus/events` beside the repository): each of a
//! sender that we know is read as that sender's, with its key and status. The others are read as a generic source reads them.

use std::path::{Path, PathBuf};

use super::*;

/// A file, the type of the source, the header that tells what it is, and the key and status of each event.
type Payload = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const ALARM: &str = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServiceAggregatedAlarm";
const GROUP: &str = "738bde33752bdab50bb2836197163fe5342e9507af7832edc63df93ae7e111a5";

const PAYLOADS: &[Payload] = &[
    ("alertmanager/prometheus_v3_alert.json", "alertmanager", "", &[("d2089d8d0f422129", "firing")]),
    ("alertmanager/prometheus_v4_alert.json", "alertmanager", "", &[("2f30fca22fdaa8ef", "firing")]),
    ("alertmanager/prometheus_MQThirdFull_Message_queue_is_over_33_.json", "alertmanager", "", &[("d6ddb8012eba829c", "firing")]),
    (
        "captured/alertmanager/001_webhook.json",
        "alertmanager",
        "",
        &[("9ec0dd0d21ce4e4d", "firing"), ("f5f4c63a3b0108b2", "firing")],
    ),
    (
        "captured/alertmanager/001_webhook.http",
        "alertmanager",
        "",
        &[("9ec0dd0d21ce4e4d", "firing"), ("f5f4c63a3b0108b2", "firing")],
    ),
    ("captured/opsgenie-api/005_opsgenie_v2_alerts.json", "opsgenie", "", &[(GROUP, "firing")]),
    ("captured/opsgenie-api/005_opsgenie_v2_alerts.http", "opsgenie", "", &[(GROUP, "firing")]),
    ("captured/pagerduty-events-v2/004_pagerduty_v2_enqueue.json", "pagerduty", "", &[(GROUP, "firing")]),
    ("captured/pagerduty-events-v2/004_pagerduty_v2_enqueue.http", "pagerduty", "", &[(GROUP, "firing")]),
    (
        "cloudevents/correlation__5.json",
        "cloudevents",
        "structured",
        &[("https://example.com/fulfillment com.example.order.fulfilled", "once")],
    ),
    (
        "cloudevents/dataref__0.json",
        "cloudevents",
        "structured",
        &[("https://github.com/cloudevents/spec/pull/123 com.github.pull_request.opened", "once")],
    ),
    ("cloudevents/json-format__4.json", "cloudevents", "structured", &[("/mycontext com.example.someevent", "once")]),
    ("cloudevents/verifiability__10.http", "cloudevents", "", &[("example/uri example.type", "once")]),
    ("cloudevents/verifiability__15.json", "cloudevents", "structured", &[("example/uri example.type", "once")]),
    ("cloudevents/verifiability__21.json", "cloudevents", "structured", &[("example/uri example.type.binary", "once")]),
    ("cloudevents/verifiability__26.json", "cloudevents", "structured", &[("example/uri example.type", "once")]),
    ("cloudwatch-eventbridge/cloudwatch-and-eventbridge__4.json", "eventbridge", "", &[(ALARM, "once")]),
    ("cloudwatch-eventbridge/cloudwatch-and-eventbridge__5.json", "eventbridge", "", &[(ALARM, "once")]),
    ("cloudwatch-eventbridge/cloudwatch-and-eventbridge__7.json", "eventbridge", "", &[(ALARM, "once")]),
    (
        "cloudwatch-eventbridge/cloudwatch-and-eventbridge__8.json",
        "eventbridge",
        "",
        &[("arn:aws:cloudwatch:us-east-1:123456789012:alarm:TotalNetworkTrafficTooHigh", "once")],
    ),
    ("cloudwatch-eventbridge/cloudwatch-and-eventbridge__9.json", "eventbridge", "", &[(ALARM, "once")]),
    (
        "aws-lambda-events/cloudWatchAlarmEventCompositeMetric.json",
        "eventbridge",
        "",
        &[("arn:aws:cloudwatch:us-east-1:111122223333:alarm:SuppressionDemo.Main", "firing")],
    ),
    (
        "aws-lambda-events/eventBridgeEvent.json",
        "eventbridge",
        "",
        &[("arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0", "once")],
    ),
    (
        "aws-lambda-events/s3EventBridgeNotificationObjectCreatedEvent.json",
        "eventbridge",
        "",
        &[("arn:aws:s3:::example-bucket", "once")],
    ),
    (
        "aws-lambda-events/s3EventBridgeNotificationObjectDeletedEvent.json",
        "eventbridge",
        "",
        &[("arn:aws:s3:::example-bucket", "once")],
    ),
    (
        "aws-lambda-events/s3EventBridgeNotificationObjectRestoreCompletedEvent.json",
        "eventbridge",
        "",
        &[("arn:aws:s3:::example-bucket", "once")],
    ),
    ("datadog/datadog_mq_consumer_struggling.json", "datadog", "", &[("1234567891", "firing")]),
    ("github/check_run_completed__1.json", "github", "check_run", &[("Codertocat/Hello-World/check_run/128620228", "once")]),
    (
        "github/dependabot_alert_created__1.json",
        "github",
        "dependabot_alert",
        &[("wolfy1339/pika-pack/dependabot_alert/20", "firing")],
    ),
    ("github/issue_comment_created__0.json", "github", "issue_comment", &[("Codertocat/Hello-World/issue_comment/1", "once")]),
    ("github/issues_edited__0.json", "github", "issues", &[("Codertocat/Hello-World/issues/1", "once")]),
    ("github/member_added__0.json", "github", "member", &[("Codertocat/Hello-World/member/hacktocat", "once")]),
    ("github/milestone_created__0.json", "github", "milestone", &[("Codertocat/Hello-World/milestone/1", "once")]),
    ("github/ping___0.json", "github", "ping", &[]),
    ("github/ping___1.json", "github", "ping", &[]),
    ("github/push___1.json", "github", "push", &[("Codertocat/Hello-World/push/refs/tags/simple-tag", "once")]),
    (
        "github/repository_dispatch_on-demand-test__0.json",
        "github",
        "repository_dispatch",
        &[("octo-org/octo-repo/repository_dispatch/master", "once")],
    ),
    (
        "github/security_advisory_published__0.json",
        "github",
        "security_advisory",
        &[("it/security_advisory/GHSA-rf4j-j272-fj86", "once")],
    ),
    (
        "github/workflow_dispatch___0.json",
        "github",
        "workflow_dispatch",
        &[("octo-org/octo-repo/workflow_dispatch/.github/workflows/hello-world-workflow.yml", "once")],
    ),
    (
        "github/workflow_dispatch___1.json",
        "github",
        "workflow_dispatch",
        &[("octo-org/octo-repo/workflow_dispatch/.github/workflows/hello-world-workflow.yml", "once")],
    ),
    (
        "github/workflow_job_completed__2.json",
        "github",
        "workflow_job",
        &[("Codertocat/Hello-World/workflow_job/289782451", "once")],
    ),
    (
        "github/workflow_run_completed__0.json",
        "github",
        "workflow_run",
        &[("Codertocat/Hello-World/workflow_run/1589141559", "once")],
    ),
    ("github/workflow_run_completed__1.json", "github", "workflow_run", &[("octo-org/octo-repo/workflow_run/289782451", "once")]),
    ("grafana/grafana_HighMemoryConsumption.json", "grafana", "", &[("7513c855a702cc8b", "firing")]),
    ("opsgenie/create.json", "opsgenie", "", &[("alert-alias", "firing")]),
    ("pagerduty/pagerduty_alert.json", "pagerduty", "", &[("PIJ90N7", "firing"), ("PIJ90N7", "resolved")]),
    ("sentry/sentry_browser_timeout.json", "sentry", "", &[("issue/4616132097", "firing")]),
    ("sentry/sentry_server_overload.json", "sentry", "", &[("issue/4616132098", "firing")]),
    ("sns-http/cloudwatch_high_error_rate.json", "sns", "", &[("APIErrorRate", "firing")]),
    ("sns-http/cloudwatch_insufficient_data.json", "sns", "", &[("1234567890/EU (Ireland)/notificationCountAlarm", "once")]),
    ("sns-http/cloudwatch_subscription_confirmation.json", "sns", "", &[]),
    // The page that it stands in shows its body elsewhere.
    ("sns-http/sns-message-and-json-formats__0.http", "sns", "", &[]),
    (
        "sns-http/sns-message-and-json-formats__3.http",
        "sns",
        "",
        &[("arn:aws:sns:us-west-2:123456789012:MyTopic/My First Message", "once")],
    ),
];

/// Folders whose every file belongs to a sender that we know.
const KNOWN: [&str; 11] = [
    "alertmanager/",
    "captured/",
    "cloudevents/",
    "cloudwatch-eventbridge/",
    "datadog/",
    "github/",
    "grafana/",
    "opsgenie/",
    "pagerduty/",
    "sentry/",
    "sns-http/",
];

fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let places = [root.join("../shared/corpus/events"), root.join("../../shared/corpus/events")];
    let found = places.iter().find(|place| place.is_dir()).cloned();
    if found.is_none() {
        eprintln!("SKIPPED: the corpus of payloads is not there ({})", places[0].display());
    }
    found
}

/// The request that a file shows: the headers of a `.http`, and the body.
fn sent(path: &Path) -> Sent {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "http") {
        return Sent::new(bytes);
    }
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut sent = Sent::new(body);
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(':').unwrap();
        if !name.eq_ignore_ascii_case("authorization") {
            sent = sent.header(name, value.trim());
        }
    }
    sent
}

/// As it would arrive with the credential of its source.
fn events(kind: &str, header: &str, sent: Sent) -> Result<Vec<CloudEvent>, Refusal> {
    let (source, sent) = match kind {
        "github" => {
            let source = source("type: github, secret: secrets.new");
            (
                source,
                sent.header("X-GitHub-Event", header).header("X-GitHub-Delivery", "d").signed(
                    "X-Hub-Signature-256",
                    "sha256=",
                    NEW,
                ),
            )
        }
        "sentry" => (source("type: sentry, secret: secrets.new"), sent.signed("Sentry-Hook-Signature", "", NEW)),
        "cloudevents" if header == "structured" => {
            (source("type: cloudevents, bearer: secrets.new"), sent.header("Content-Type", "application/cloudevents+json").bearer())
        }
        // Nobody can sign for Amazon: what is behind the signature is read.
        "sns" => {
            let (message, _) = read_json(&sent.body)?;
            if message.get("Type") == Some(&Value::text("SubscriptionConfirmation")) {
                return Ok(Vec::new());
            }
            let request = Request { method: "POST", headers: &[], body: &sent.body, query: None, received_at: sent.at };
            return super::super::sns::read(&Here { name: "it", request: &request, hidden: None }, &message)
                .map(|event| vec![event]);
        }
        kind => (source(&format!("type: {kind}, bearer: secrets.new")), sent.bearer()),
    };
    sent.to(&source).map(|delivery| delivery.events)
}

#[test]
fn every_payload_of_the_corpus_is_read_as_its_senders() {
    let Some(folder) = folder() else { return };
    for (file, kind, header, expect) in PAYLOADS {
        let read = events(kind, header, sent(&folder.join(file)));
        if *file == "sns-http/sns-message-and-json-formats__0.http" {
            assert_eq!(read.unwrap_err().kind, RefusalKind::Malformed);
            continue;
        }
        let read = read.unwrap_or_else(|refusal| panic!("{file}: {refusal}"));
        let found: Vec<(&str, &str)> = read.iter().map(|event| (event.key.as_str(), event.status.as_str())).collect();
        assert_eq!(found, *expect, "{file}");
        for event in &read {
            assert!(!event.id.is_empty() && !event.source.is_empty() && !event.kind.is_empty(), "{file}: {event:?}");
            // It is kept as it was read.
            let written = serde_json::to_string(event).unwrap();
            assert_eq!(serde_json::from_str::<CloudEvent>(&written).unwrap(), *event, "{file}");
        }
        let ids: std::collections::BTreeSet<&str> = read.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids.len(), read.len(), "{file}: two events have one id");
    }
}

#[test]
fn no_payload_of_the_corpus_is_left_out() {
    let Some(folder) = folder() else { return };
    let mut open = vec![folder.clone()];
    let (mut told, mut generic) = (0, 0);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let file = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        if PAYLOADS.iter().any(|(known, ..)| *known == file) {
            told += 1;
            continue;
        }
        let of_us = KNOWN.iter().any(|folder| file.starts_with(folder)) && !file.starts_with("captured/victorops");
        assert!(!of_us, "{file} is of a sender that we know, and stands in no table");
        let read = events("generic", "", sent(&path)).unwrap_or_else(|refusal| panic!("{file}: {refusal}"));
        assert_eq!((read.len(), read[0].status.as_str()), (1, "once"), "{file}");
        generic += 1;
    }
    assert_eq!(told, PAYLOADS.len(), "{generic} others");
}

#[test]
fn a_generic_source_reads_what_no_decoder_is_for() {
    let Some(folder) = folder() else { return };
    for (file, event, key, status) in [
        (
            "captured/victorops/002_victorops_k_r.http",
            "key: body.entity_id, status: 'if body.message_type == \"RECOVERY\" { \"resolved\" } else { \"firing\" }'",
            GROUP,
            "firing",
        ),
        (
            "securityhub/afsbp-config.1.json",
            "key: body.GeneratorId, status: 'if body.RecordState == \"ACTIVE\" { \"firing\" } else { \"resolved\" }'",
            "aws-foundational-security-best-practices/v/1.0.0/Config.1",
            "firing",
        ),
    ] {
        let source = source(&format!("type: generic, bearer: secrets.new, event: {{{event}}}"));
        let read = sent(&folder.join(file)).bearer().events(&source);
        assert_eq!(
            read.iter().map(|event| (event.key.as_str(), event.status.as_str())).collect::<Vec<_>>(),
            [(key, status)],
            "{file}"
        );
    }
}
