//! Messages of SNS, signed with certificates that are made here with `openssl`: what holds, and each way in which it does not.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";
const URL: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem";
const ISSUER_URL: &str = "http://crt.r2m02.amazontrust.com/r2m02.cer";

const CONFIGURATION: &str = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n\
                             policy = any\nunique_subject = no\n[any]\ncommonName = supplied\n";

/// A root, an authority below it, and what that has issued, in a folder of their own.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Authority {
        let authority = Authority { folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.path("ca.cnf"), CONFIGURATION).unwrap();
        std::fs::write(authority.path("index.txt"), "").unwrap();
        let (from, to) = ("20200101000000Z", "20400101000000Z");
        authority.issue("root", None, "Root", (from, to), "basicConstraints=critical,CA:TRUE\n");
        authority.issue("ca", Some("root"), "Issuer", (from, to), "basicConstraints=critical,CA:TRUE,pathlen:0\n");
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) -> Vec<u8> {
        self.run(&arguments.split(' ').collect::<Vec<_>>())
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let done = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().expect("openssl is there");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Authorities sign with elliptic curves, which are made at once; SNS with RSA.
    fn issue(&self, name: &str, by: Option<&str>, subject: &str, (from, to): (&str, &str), extensions: &str) {
        let key = if extensions.contains("CA:TRUE") { "ec -pkeyopt ec_paramgen_curve:prime256v1" } else { "rsa:2048" };
        self.openssl(&format!("req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={subject}"));
        std::fs::write(self.path(&format!("{name}.ext")), extensions).unwrap();
        let by = by.map_or(format!("-selfsign -keyfile {name}.key"), |by| format!("-cert {by}.pem -keyfile {by}.key"));
        self.openssl(&format!(
            "ca -batch -config ca.cnf {by} -in {name}.csr -out {name}.pem -startdate {from} -enddate {to} -extfile {name}.ext -notext -create_serial"
        ));
    }

    /// A certificate as SNS has it.
    fn leaf(&self, name: &str, host: &str, from: &str, to: &str) {
        let extensions = format!(
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:{host}\n\
             authorityInfoAccess=caIssuers;URI:{ISSUER_URL}\n"
        );
        self.issue(name, Some("ca"), host, (from, to), &extensions);
    }

    fn pem(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(&format!("{name}.pem"))).unwrap()
    }

    fn roots(&self, name: &str) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(&self.pem(name)).map(Result::unwrap).collect()
    }

    /// The certificates of this authority, that of `leaf` at its address, and the issuer's at its own.
    fn certificates(&self, leaf: &str) -> Certificates {
        let certificates = Certificates::trusting(&self.roots("root"));
        certificates.keep(URL, self.pem(leaf));
        certificates.keep(ISSUER_URL, self.roots("ca")[0].to_vec());
        certificates
    }

    /// The message with its signature of version 1 or 2.
    fn sign(&self, leaf: &str, message: &[(&str, &str)], version: &str) -> Sent {
        let members: &[&str] = match message.iter().any(|(name, _)| *name == "Token") {
            true => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
            false => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        };
        let mut text = String::new();
        for name in members {
            if let Some((_, value)) = message.iter().find(|(known, _)| known == name) {
                text.push_str(&format!("{name}\n{value}\n"));
            }
        }
        std::fs::write(self.path("text"), text).unwrap();
        let digest = if version == "1" { "-sha1" } else { "-sha256" };
        let signature = self.run(&["dgst", digest, "-sign", &format!("{leaf}.key"), "text"]);
        let mut body: serde_json::Map<String, serde_json::Value> =
            message.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        body.insert("SignatureVersion".to_owned(), version.into());
        body.insert("Signature".to_owned(), STANDARD.encode(signature).into());
        body.insert("SigningCertURL".to_owned(), URL.into());
        Sent::new(serde_json::to_vec(&body).unwrap()).header("Content-Type", "text/plain; charset=UTF-8")
    }
}

const ALARM: &str = r#"{"AlarmName":"disk","NewStateValue":"ALARM","AWSAccountId":"123456789012","Region":"EU (Ireland)","StateChangeTime":"2026-11-22T05:58:00.000+0000"}"#;

fn notification(message: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Type", "Notification".to_owned()),
        ("MessageId", "22b80b92".to_owned()),
        ("TopicArn", TOPIC.to_owned()),
        ("Subject", "ALARM: disk\nand more".to_owned()),
        ("Message", message.to_owned()),
        ("Timestamp", "2026-11-22T05:59:00.000Z".to_owned()),
    ]
}

fn borrowed<'a>(message: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    message.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn sns() -> Source {
    source(&format!("type: sns, topics: [{TOPIC}]"))
}

fn changed(sent: &Sent, name: &str, value: serde_json::Value) -> Sent {
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&sent.body).unwrap();
    body.insert(name.to_owned(), value);
    Sent { body: serde_json::to_vec(&body).unwrap(), ..sent.clone() }
}

fn kind(sent: &Sent, certificates: &Certificates) -> RefusalKind {
    sent.with(&sns(), certificates).unwrap_err().kind
}

#[test]
fn a_message_is_what_its_signature_says() {
    let authority = Authority::new();
    authority.leaf("leaf", "sns.amazonaws.com", "20260101000000Z", "20270101000000Z");
    let certificates = authority.certificates("leaf");
    let source = sns();
    let message = notification(ALARM);
    for version in ["1", "2"] {
        let sent = authority.sign("leaf", &borrowed(&message), version);
        let delivery = sent.with(&source, &certificates).unwrap_or_else(|refusal| panic!("{version}: {refusal:?}"));
        assert_eq!(delivery.authenticated_by, Some(Mode::Certificate));
        assert_eq!(
            line(&delivery.events[0]),
            "22b80b92 | aws.cloudwatch | CloudWatch Alarm State Change | disk | 2026-11-22T05:58:00Z | 123456789012/EU (Ireland)/disk | firing"
        );
        assert_eq!(delivery.replay.unwrap().until, "2026-11-22T09:59:00Z".parse().unwrap());
        // Any member that is signed, changed; and what is not known to anybody.
        for name in ["Message", "MessageId", "Subject", "Timestamp"] {
            assert_eq!(kind(&changed(&sent, name, "x".into()), &certificates), RefusalKind::WrongCredential, "{name}");
        }
        assert_eq!(kind(&changed(&sent, "Subject", serde_json::Value::Null), &certificates), RefusalKind::WrongCredential);
        let other = if version == "1" { "2" } else { "1" };
        assert_eq!(kind(&changed(&sent, "SignatureVersion", other.into()), &certificates), RefusalKind::WrongCredential);
        for (version, expect) in [("3", RefusalKind::Unsupported), ("", RefusalKind::Unsupported)] {
            assert_eq!(kind(&changed(&sent, "SignatureVersion", version.into()), &certificates), expect);
        }
        assert_eq!(kind(&changed(&sent, "Signature", "EXAMPLE...".into()), &certificates), RefusalKind::WrongCredential);
        // Each byte of the signature.
        let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
        let signature = STANDARD.decode(body["Signature"].as_str().unwrap()).unwrap();
        for byte in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[byte] ^= 1 << (byte % 8);
            let sent = changed(&sent, "Signature", STANDARD.encode(&flipped).into());
            assert_eq!(kind(&sent, &certificates), RefusalKind::WrongCredential, "byte {byte}");
        }
        for (minutes, expect) in [(0, None), (118, None), (122, Some(RefusalKind::Stale)), (-122, Some(RefusalKind::Stale))] {
            let at = now() + jiff::SignedDuration::from_mins(minutes);
            let judged = Sent { at, ..sent.clone() }.with(&source, &certificates);
            assert_eq!(judged.err().map(|refusal| refusal.kind), expect, "{minutes} min");
        }
    }
    // Without a subject, and what no alarm is.
    let plain: Vec<_> = notification("Hello world!").into_iter().filter(|(name, _)| *name != "Subject").collect();
    let event = authority.sign("leaf", &borrowed(&plain), "2").with(&source, &certificates).unwrap().events.remove(0);
    assert_eq!(line(&event), format!("22b80b92 | {TOPIC} | Notification | - | 2026-11-22T05:59:00Z | {TOPIC} | once"));
    assert_eq!(event.data.get("message"), Some(&Value::text("Hello world!")));
    // Raw delivery has nothing that could be judged.
    let raw = Sent::new(ALARM).with(&source, &certificates).unwrap_err();
    assert_eq!(raw.kind, RefusalKind::Malformed);
    let bare =
        Sent::new(format!(r#"{{"Type":"Notification","TopicArn":"{TOPIC}","Message":"m","MessageId":"1","Timestamp":"t"}}"#));
    assert_eq!(kind(&bare, &certificates), RefusalKind::NoCredential);
}

#[test]
fn only_certificates_of_sns_count() {
    let authority = Authority::new();
    let (from, to) = ("20260101000000Z", "20270101000000Z");
    authority.leaf("leaf", "sns.eu-west-1.amazonaws.com", from, to);
    authority.leaf("over", "sns.amazonaws.com", "20240101000000Z", "20250101000000Z");
    authority.leaf("early", "sns.amazonaws.com", "20270101000000Z", "20280101000000Z");
    authority.leaf("stranger", "sns.example.org", from, to);
    authority.leaf("another-region", "sns.us-east-1.amazonaws.com", from, to);
    let own = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:sns.amazonaws.com\n";
    authority.issue("unissued", Some("leaf"), "sns.amazonaws.com", (from, to), own);
    authority.issue(
        "code",
        Some("ca"),
        "sns.amazonaws.com",
        (from, to),
        "basicConstraints=CA:FALSE\nextendedKeyUsage=codeSigning\nsubjectAltName=DNS:sns.amazonaws.com\n",
    );
    let message = notification(ALARM);
    for (leaf, right) in [
        ("leaf", true),
        ("over", false),
        ("early", false),
        ("stranger", false),
        ("another-region", false),
        ("unissued", false),
        ("code", false),
    ] {
        let sent = authority.sign(leaf, &borrowed(&message), "2");
        let judged = sent.with(&sns(), &authority.certificates(leaf));
        assert_eq!(
            judged.as_ref().err().map(|refusal| refusal.kind),
            (!right).then_some(RefusalKind::WrongCredential),
            "{leaf}: {judged:?}"
        );
    }
    // Issued by an authority that nobody here trusts.
    let theirs = Authority::new();
    theirs.leaf("leaf", "sns.amazonaws.com", from, to);
    let sent = theirs.sign("leaf", &borrowed(&message), "2");
    let certificates = Certificates::trusting(&authority.roots("root"));
    certificates.keep(URL, theirs.pem("leaf"));
    certificates.keep(ISSUER_URL, theirs.roots("ca")[0].to_vec());
    assert_eq!(kind(&sent, &certificates), RefusalKind::WrongCredential);
    // The key of one, the certificate of another.
    let sent = authority.sign("over", &borrowed(&message), "2");
    assert_eq!(kind(&sent, &authority.certificates("leaf")), RefusalKind::WrongCredential);
    // The whole chain in one file, as well.
    let certificates = Certificates::trusting(&authority.roots("root"));
    certificates.keep(URL, [authority.pem("leaf"), authority.pem("ca")].concat());
    assert!(authority.sign("leaf", &borrowed(&message), "2").with(&sns(), &certificates).is_ok());
}

#[test]
fn what_is_missing_is_fetched_from_amazon_alone() {
    let authority = Authority::new();
    authority.leaf("leaf", "sns.amazonaws.com", "20260101000000Z", "20270101000000Z");
    let message = notification(ALARM);
    let sent = authority.sign("leaf", &borrowed(&message), "2");
    let empty = || Certificates::trusting(&authority.roots("root"));
    let refusal = sent.with(&sns(), &empty()).unwrap_err();
    assert_eq!((refusal.kind, refusal.fetch.as_deref()), (RefusalKind::NeedsCertificate, Some(URL)));
    for url in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.example.org/a.pem",
        "https://sns.eu-west-1.amazonaws.com@example.org/a.pem",
        "https://example.org/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://SNS.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com./a.pem",
        "https://sns-eu-west-1.amazonaws.com/a.pem",
        "https://evil.sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com\\@example.org/a.pem",
        "https://s3.eu-west-1.amazonaws.com/bucket/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=.pem",
        "https://sns.eu-west-1.amazonaws.com/?Action=x&.pem",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://sns.eu-west-1.amazonaws.com/a",
        "https://169.254.169.254/a.pem",
        "",
    ] {
        let refusal = changed(&sent, "SigningCertURL", url.into()).with(&sns(), &empty()).unwrap_err();
        assert_eq!((refusal.kind, refusal.fetch), (RefusalKind::WrongCredential, None), "{url}");
    }
    let of_china = changed(&sent, "SigningCertURL", "https://sns.eu-west-1.amazonaws.com.cn/a.pem".into());
    assert_eq!(of_china.with(&sns(), &empty()).unwrap_err().kind, RefusalKind::NeedsCertificate);
    // Nothing is fetched for a topic that is not allowed.
    let other = changed(&sent, "TopicArn", "arn:aws:sns:eu-west-1:123456789012:other".into()).with(&sns(), &empty()).unwrap_err();
    assert_eq!((other.kind, other.fetch), (RefusalKind::NotAllowed, None));

    let headers: Vec<(&str, &[u8])> = Vec::new();
    let request = Request { method: "POST", headers: &headers, body: &sent.body, query: None, received_at: now() };
    let asked = std::sync::Mutex::new(Vec::new());
    let fetch = |answers: Vec<(&'static str, Vec<u8>)>| {
        let asked = &asked;
        move |url: String| {
            asked.lock().unwrap().push(url.clone());
            let found = answers.iter().find(|(known, _)| *known == url).map(|(_, bytes)| bytes.clone());
            async move { found.ok_or_else(|| "no answer".to_owned()) }
        }
    };
    let certificates = empty();
    let source = sns();
    let all = vec![(URL, authority.pem("leaf")), (ISSUER_URL, authority.roots("ca")[0].to_vec())];
    let delivery = source.receive_with(&request, &certificates, fetch(all)).now_or_never().unwrap();
    assert!(delivery.is_ok(), "{delivery:?}");
    assert_eq!(*asked.lock().unwrap(), [URL, ISSUER_URL]);
    assert!(source.receive(&request, &certificates).is_ok(), "both are kept");
    for (answers, expect) in [
        (vec![], RefusalKind::NeedsCertificate),
        (vec![(URL, b"<html>an error page</html>".to_vec())], RefusalKind::NeedsCertificate),
        (vec![(URL, vec![0x30; 40])], RefusalKind::NeedsCertificate),
        (vec![(URL, Vec::new())], RefusalKind::NeedsCertificate),
        (vec![(URL, authority.pem("leaf")), (ISSUER_URL, authority.pem("leaf"))], RefusalKind::WrongCredential),
    ] {
        asked.lock().unwrap().clear();
        let refusal = source.receive_with(&request, &empty(), fetch(answers)).now_or_never().unwrap().unwrap_err();
        assert_eq!(refusal.kind, expect, "{refusal:?}");
        assert!(asked.lock().unwrap().len() <= limits::CERTIFICATE_CHAIN);
    }
}

#[test]
fn a_subscription_is_confirmed_for_allowed_topics_alone() {
    let authority = Authority::new();
    authority.leaf("leaf", "sns.amazonaws.com", "20260101000000Z", "20270101000000Z");
    let certificates = authority.certificates("leaf");
    let right = format!("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=23364");
    let message = |url: &str, topic: &str| {
        vec![
            ("Type", "SubscriptionConfirmation".to_owned()),
            ("MessageId", "8a14e4f3".to_owned()),
            ("Token", "23364".to_owned()),
            ("TopicArn", topic.to_owned()),
            ("Message", "You have chosen to subscribe".to_owned()),
            ("SubscribeURL", url.to_owned()),
            ("Timestamp", "2026-11-22T05:59:00.000Z".to_owned()),
        ]
    };
    for (url, topic, expect) in [
        (right.as_str(), TOPIC, Ok(Reply::Confirm { url: right.clone() })),
        (&right, "arn:aws:sns:eu-west-1:123456789012:other", Err(RefusalKind::NotAllowed)),
        (&right.replace("ConfirmSubscription", "DeleteTopic"), TOPIC, Err(RefusalKind::Malformed)),
        (&right.replace("alarms", "other"), TOPIC, Err(RefusalKind::Malformed)),
        (&format!("{right}&Action=DeleteTopic"), TOPIC, Err(RefusalKind::Malformed)),
        (&right.replace("amazonaws.com", "example.org"), TOPIC, Err(RefusalKind::Malformed)),
        (&right.replace("https", "http"), TOPIC, Err(RefusalKind::Malformed)),
        (&format!("{right}#\r\nX: y"), TOPIC, Err(RefusalKind::Malformed)),
    ] {
        let sent = authority.sign("leaf", &borrowed(&message(url, topic)), "2");
        let judged = sent.with(&sns(), &certificates);
        if let Ok(delivery) = &judged {
            assert!(delivery.events.is_empty() && delivery.replay.is_some());
        }
        assert_eq!(judged.map(|delivery| delivery.reply).map_err(|refusal| refusal.kind), expect, "{url}");
    }
    // Unsigned, or with the signature of something else, nothing is confirmed.
    let sent = authority.sign("leaf", &borrowed(&message(&right, TOPIC)), "2");
    let forged = changed(&sent, "Token", "666".into());
    assert_eq!(kind(&forged, &certificates), RefusalKind::WrongCredential);
    // Whoever unsubscribes us is not contradicted.
    let mut gone = message(&right, TOPIC);
    gone[0].1 = "UnsubscribeConfirmation".to_owned();
    let delivery = authority.sign("leaf", &borrowed(&gone), "1").with(&sns(), &certificates).unwrap();
    assert_eq!((delivery.reply, delivery.events.len()), (Reply::Accepted, 0));
}
