//! A message as a mail, over SMTP. The text travels as data: lettre encodes every header and the body, so that nothing in a
//! message can add a header or end the mail. A lone carriage return is made a line end first: some servers read it as one.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use runbook_core::Digest;
use runbook_core::limits;
use runbook_core::policy::{Mail, MailSecurity};
use secrecy::{ExposeSecret, SecretString};

use super::Trouble;

pub async fn send(
    mail: &Mail,
    subject: &str,
    message: &str,
    key: &str,
    password: Option<&SecretString>,
) -> Result<String, Trouble> {
    crate::action::http::install_provider();
    let mailbox = |text: &String| {
        text.parse::<Mailbox>().map_err(|error| format!("`{}` is not a mail address: {error}", text.escape_debug()))
    };
    let one_line = subject.split(|c: char| c.is_control()).collect::<Vec<_>>().join(" ");
    let id = Digest::of_bytes(key.as_bytes());
    let id = id.as_str().rsplit(':').next().unwrap_or_default();
    let mut letter = Message::builder()
        .from(mailbox(&mail.from)?)
        .subject(one_line)
        .message_id(Some(format!("<{id}@runbook.invalid>")))
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    let lines = message.replace("\r\n", "\n").replace('\r', "\n");
    let letter = letter.body(lines).map_err(|error| format!("the mail cannot be written: {error}"))?;
    let answer = transport(mail, password)?.send(letter).await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let said = |kind| format!("{}:{} {kind}: {cause}", mail.host, mail.port);
        // The library tells this kind of its faults by its text alone.
        let unconnected = error.to_string().starts_with("Connection error");
        if error.is_permanent() {
            Trouble::Refused(said("refused the mail"))
        } else if error.is_transient() || unconnected {
            Trouble::Later { why: said("did not take the mail"), after: None }
        } else if error.is_tls() || error.is_client() {
            Trouble::Refused(said("did not take the mail"))
        } else {
            Trouble::Lost(said("did not say that it took the mail"))
        }
    })?;
    Ok(format!("{}:{} took it with {}", mail.host, mail.port, answer.code()))
}

fn transport(mail: &Mail, password: Option<&SecretString>) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters =
        || TlsParameters::new(mail.host.clone()).map_err(|error| format!("TLS to {} cannot be set up: {error}", mail.host));
    let tls = match mail.security {
        MailSecurity::Starttls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::None => {
            let loopback = mail.host == "localhost" || mail.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
            if !loopback {
                return Err(format!("`security: none` would send the mail in the clear to {}; use `starttls` or `tls`", mail.host));
            }
            Tls::None
        }
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
        .port(mail.port)
        .tls(tls)
        .timeout(Some(limits::HTTP_CONNECT));
    if let (Some((user, _)), Some(password)) = (&mail.login, password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}
