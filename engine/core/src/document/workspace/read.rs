//! The top of a workspace: people, groups, environments and providers, in an order in which each name is known before it
//! is used.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Provider, Workspace, access, channel, oidc, policy, rotation, schedule, source};
use crate::diagnostic::{Code, Span, nearest};
use crate::document::decode::{Fields, Reading, scalar, step};
use crate::document::input::is_host;
use crate::document::{Node, Scalar};
use crate::limits;
use crate::policy::{CertificateName, Environment, People, Person};

/// How the address of a server is written.
pub(super) const WEB: &str = "write `https://` and a host, and the path where it has one";

pub(super) fn workspace(mut fields: Fields) -> Workspace {
    let reading = fields.reading;
    fields.describe("a workspace");
    let name = fields.text("name").map(|name| name.value);
    let timezone = fields.text("timezone").and_then(|zone| schedule::zone(reading, &zone)).unwrap_or_else(|| "UTC".to_owned());
    let absent =
        [("url", "url"), ("environment", "environments")].into_iter().filter(|(_, key)| !fields.has(key)).collect::<Vec<_>>();
    let url = fields.text("url").filter(|url| is_web_address(reading, url, "the address of the server's pages", WEB));
    let url = url.map(|url| url.value.trim_end_matches('/').to_owned());
    let (Known { people, certificates, known_there }, groups) = (people(&mut fields), fields.entries("groups"));
    let mut people = with_groups(reading, people, groups);
    let (rotations, calendars) = rotation::rotations(&mut fields, &people, &timezone);
    people.rotations = rotations;
    let (environments, default_environment) = environments(&mut fields, &timezone);
    let providers = providers(&mut fields);
    let channels = channel::channels(reading, fields.entries("channels"), &providers, &absent);
    let sources = source::sources(reading, fields.entries("sources"), &providers, &timezone);
    let (rules, demands) = policy::rules(&mut fields, &people, &environments);
    let escalations = policy::escalations(&mut fields, &people, &channels);
    let http_allow = match fields.map("http", "`http`") {
        Some(mut http) => {
            let allow = http.some_texts("allow");
            http.finish();
            allow.into_iter().filter_map(|entry| host_or_network(reading, entry)).collect()
        }
        None => Vec::new(),
    };
    let access = access::grants(&mut fields, &people);
    let oidc = oidc::oidc(&mut fields, &providers);
    let workspace = Workspace {
        source: reading.source().clone(),
        span: fields.span(),
        name,
        timezone,
        environments,
        default_environment,
        people,
        calendars,
        rules,
        demands,
        escalations,
        channels,
        sources,
        providers,
        http_allow,
        url,
        access,
        certificates,
        oidc,
        known_there,
    };
    fields.finish();
    workspace
}

/// An address over TLS, or on this machine, without a query. `help` says how it is written.
pub(super) fn is_web_address(reading: &Reading, address: &Scalar, what: &str, help: &str) -> bool {
    let text = address.value.as_str();
    let place = text.strip_prefix("https://").map(|place| (place, true));
    let place = place.or_else(|| text.strip_prefix("http://").map(|place| (place, false)));
    let is_right = place.is_some_and(|(place, is_secret)| {
        let (server, path) = place.split_once('/').unwrap_or((place, ""));
        let is_plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&b));
        is_plain && host_of(server).is_some_and(|host| is_secret || is_this_machine(host))
    });
    if !is_right {
        let message = format!("`{}` is not {what}", scalar::clipped(text));
        let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, address.span), message);
        reading.report(fault.help(help));
    }
    is_right
}

/// The host of `host`, `host:port` or `[address]:port`, where it can be one.
fn host_of(server: &str) -> Option<&str> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (is_port && is_host(host.strip_suffix('.').unwrap_or(host))).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host name, an address, or a network such as `10.0.0.0/8`.
fn host_or_network(reading: &Reading, entry: Scalar) -> Option<String> {
    let right = match entry.value.split_once('/') {
        Some((network, bits)) => match (network.parse::<IpAddr>(), bits.parse::<u8>()) {
            (Ok(network), Ok(bits)) => bits <= if network.is_ipv4() { 32 } else { 128 },
            _ => false,
        },
        None => is_host(entry.value.trim_end_matches('.')),
    };
    if right {
        return Some(entry.value);
    }
    let message = format!("`{}` is neither a host nor a network", scalar::clipped(&entry.value));
    let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, entry.span), message);
    reading.report(fault.help("write a host name, an address, or a network such as `10.0.0.0/8`"));
    None
}

/// A name that the author chose: letters, digits, `.`, `_` and `-`, so that it can stand in a list and on a command line.
pub(super) fn named(reading: &Reading, name: &Scalar, what: &str) -> Option<String> {
    let text = &name.value;
    let right = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(right) && text.len() <= limits::ID_BYTES {
        return Some(text.clone());
    }
    reading.report(
        reading
            .diagnostic(Code::RB0014, name.span, format!("`{}` is not the name of {what}", scalar::clipped(text)))
            .help("begin with a letter or digit; then letters, digits, `.`, `_` and `-`"),
    );
    None
}

/// `labels`: those that a procedure must carry.
pub(super) fn labels(fields: &mut Fields) -> BTreeMap<String, String> {
    let reading = fields.reading;
    let entries = fields.entries("labels").iter();
    entries.filter_map(|(key, node)| Some((key.value.clone(), scalar::text(reading, node, &key.value)?.value))).collect()
}

/// Reports a name that nothing has, with the nearest that something does.
pub(super) fn unknown<'n>(
    reading: &Reading,
    code: Code,
    span: Span,
    message: String,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) {
    if reading.is_full() {
        return;
    }
    let diagnostic = reading.diagnostic(code, span, message);
    reading.report(match nearest(name, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).replace(span, near),
        None => diagnostic.help("add it to workspace.yaml, or name another"),
    });
}

/// Names of people and groups, each of which exists.
pub(super) fn known_people(reading: &Reading, people: &People, names: Vec<Scalar>) -> Vec<String> {
    for name in &names {
        if people.people.contains_key(&name.value) || people.groups.contains_key(&name.value) {
            continue;
        }
        if people.rotations.contains_key(&name.value) && !reading.is_full() {
            let message = format!("`{}` is a rotation, and whoever is on call changes", scalar::clipped(&name.value));
            let fault = reading.diagnostic(Code::RB0310, name.span, message);
            reading.report(fault.help("name people and groups here; a rotation stands where somebody is asked"));
            continue;
        }
        let known = people.people.keys().chain(people.groups.keys()).map(String::as_str);
        let message = format!("`{}` is neither a person nor a group", scalar::clipped(&name.value));
        unknown(reading, Code::RB0310, name.span, message, &name.value, known);
    }
    names.into_iter().map(|name| name.value).collect()
}

/// Names of people, groups and rotations that are asked, each of which exists.
pub(super) fn known_deciders(reading: &Reading, people: &People, names: Vec<Scalar>) -> Vec<String> {
    for name in names.iter().filter(|name| !people.knows(&name.value)) {
        let message = format!("`{}` is neither a person nor a group nor a rotation", scalar::clipped(&name.value));
        unknown(reading, Code::RB0310, name.span, message, &name.value, people.names());
    }
    names.into_iter().map(|name| name.value).collect()
}

/// The people, and by what a server knows them.
struct Known {
    people: BTreeMap<String, Person>,
    certificates: BTreeMap<CertificateName, String>,
    known_there: BTreeMap<String, String>,
}

fn people(fields: &mut Fields) -> Known {
    let reading = fields.reading;
    let (mut people, mut certificates, mut known_there) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut owners_there: BTreeMap<String, Scalar> = BTreeMap::new();
    let mut owners: BTreeMap<String, Scalar> = BTreeMap::new();
    let mut owners_of_certificates: BTreeMap<CertificateName, Scalar> = BTreeMap::new();
    for (name, node) in fields.entries("people") {
        let Some(key) = named(reading, name, "a person") else { continue };
        let Some(mut person) = Fields::of(reading, node, "a person") else { continue };
        let users = if person.has("users") { person.texts("users") } else { vec![name.clone()] };
        for user in &users {
            if let Some(other) = owners.insert(user.value.clone(), name.clone()) {
                reading.report(
                    reading
                        .diagnostic(Code::RB0401, user.span, format!("the user `{}` is two people", scalar::clipped(&user.value)))
                        .label(other.span, "this person has it too")
                        .help("give each user to one person; where people share a user, nobody can say who decided"),
                );
            }
        }
        for certificate in person.texts("certificates") {
            let Ok(known_by) = certificate.value.parse::<CertificateName>() else {
                let message = format!("`{}` is not the name of a certificate", scalar::clipped(&certificate.value));
                let fault = reading.diagnostic(Code::RB0409, scalar::shown(reading, certificate.span), message);
                reading
                    .report(fault.help(
                        "write `mail:`, `dns:` or `uri:` before a name that it carries, or `sha256:` before its fingerprint",
                    ));
                continue;
            };
            if let Some(other) = owners_of_certificates.insert(known_by.clone(), name.clone()) {
                let message = format!("the certificate `{}` is two people's", scalar::clipped(&certificate.value));
                let fault = reading.diagnostic(Code::RB0401, certificate.span, message).label(other.span, "this person has it too");
                reading.report(fault.help("give each to one person; where people share one, nobody can say who decided"));
            }
            certificates.insert(known_by, key.clone());
        }
        if let Some(there) = person.text("oidc") {
            if let Some(other) = owners_there.insert(there.value.clone(), name.clone()) {
                let message = format!("`{}` is two people", scalar::clipped(&there.value));
                let fault = reading.diagnostic(Code::RB0401, there.span, message).label(other.span, "this person is so too");
                reading.report(fault.help("give each to one person; where people share one, nobody can say who decided"));
            }
            known_there.insert(there.value, key.clone());
        }
        let keys = person.texts("ssh_keys");
        for key in keys.iter().filter(|key| !is_ssh_key(&key.value)) {
            reading.report(
                reading
                    .diagnostic(Code::RB0406, scalar::shown(reading, key.span), "this is not a public SSH key")
                    .help("write one line as in `authorized_keys`: its type, the key, a comment (`cat ~/.ssh/id_ed25519.pub`)"),
            );
        }
        let read = Person {
            name: person.text("name").map(|text| text.value),
            users: users.into_iter().map(|user| user.value).collect(),
            ssh_keys: keys.into_iter().map(|key| key.value.trim().to_owned()).collect(),
            mail: person.text("mail").map(|text| text.value),
        };
        person.finish();
        people.insert(key, read);
    }
    Known { people, certificates, known_there }
}

fn is_ssh_key(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let kinds = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];
    let kind = words.next().is_some_and(|kind| kinds.iter().any(|known| kind.starts_with(known)));
    let body = words
        .next()
        .is_some_and(|body| body.starts_with("AAAA") && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)));
    kind && body && !text.trim().contains(['\n', '\r'])
}

fn with_groups(reading: &Reading, people: BTreeMap<String, Person>, entries: &[(Scalar, Node)]) -> People {
    let mut all = People { people, ..People::default() };
    let mut members = Vec::new();
    for (name, node) in entries {
        let Some(key) = named(reading, name, "a group") else { continue };
        if all.people.contains_key(&key) {
            let message = format!("`{key}` is a person and a group");
            let fault = reading.diagnostic(Code::RB0402, name.span, message);
            reading.report(fault.help("give the group another name: it decides who may approve"));
            continue;
        }
        let names = scalar_list(reading, node, &key);
        all.groups.insert(key, names.iter().map(|name| name.value.clone()).collect());
        members.push(names);
    }
    for names in members {
        known_people(reading, &all, names);
    }
    let inhabited = inhabited(&all);
    let exists = |name: &String| all.people.contains_key(name) || all.groups.contains_key(name);
    for (name, _) in entries {
        let Some(members) = all.groups.get(&name.value) else { continue };
        if members.iter().all(exists) && !inhabited.contains(name.value.as_str()) {
            let fault = reading.diagnostic(Code::RB0407, name.span, format!("nobody is in the group `{}`", name.value));
            reading.report(
                fault.reason("a question that is put to it can never be answered").help("name a person in it, or remove it"),
            );
        }
    }
    all
}

/// The groups that some person is in, at whatever depth: from the people up, each membership looked at once.
fn inhabited(all: &People) -> BTreeSet<&str> {
    let mut groups_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, members) in &all.groups {
        for member in members {
            groups_of.entry(member).or_default().push(group);
        }
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = all.people.keys().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        open.extend(groups_of.get(name).into_iter().flatten().filter(|group| found.insert(**group)));
    }
    found
}

pub(super) fn scalar_list(reading: &Reading, node: &Node, key: &str) -> Vec<Scalar> {
    match &node.kind {
        crate::document::NodeKind::List(items) => items.iter().filter_map(|item| scalar::text(reading, item, key)).collect(),
        _ => scalar::text(reading, node, key).into_iter().collect(),
    }
}

fn environments(fields: &mut Fields, timezone: &str) -> (Vec<Environment>, Option<String>) {
    let reading = fields.reading;
    let mut environments = Vec::new();
    let mut default: Option<(String, Span)> = None;
    for (name, node) in fields.entries("environments") {
        let Some(key) = named(reading, name, "an environment") else { continue };
        let Some(mut entry) = Fields::of(reading, node, "an environment") else { continue };
        if let Some(chosen) = entry.boolean("default").filter(|chosen| chosen.value) {
            match &default {
                Some((_, first)) => reading.report(
                    reading
                        .diagnostic(Code::RB0023, chosen.span, "a second environment is the default")
                        .label(*first, "this one is, too")
                        .help("keep `default: true` at one of them"),
                ),
                None => default = Some((key.clone(), chosen.span)),
            }
        }
        environments.push(Environment {
            name: key,
            production: entry.boolean("production").is_some_and(|production| production.value),
            freeze: schedule::windows(&mut entry, "freeze", timezone, "a freeze"),
            change_windows: schedule::windows(&mut entry, "change_windows", timezone, "a time for changes"),
        });
        entry.finish();
    }
    (environments, default.map(|(name, _)| name))
}

fn providers(fields: &mut Fields) -> BTreeMap<String, Provider> {
    let reading = fields.reading;
    let mut providers = BTreeMap::new();
    for (name, node) in fields.entries("secrets") {
        let Some(key) = named(reading, name, "a provider of secrets") else { continue };
        if let Some(provider) = provider(reading, node) {
            providers.insert(key, provider);
        }
    }
    providers
}

const PROVIDERS: [&str; 4] = ["age", "env", "file", "command"];

fn provider(reading: &Reading, node: &Node) -> Option<Provider> {
    let mut fields = Fields::of(reading, node, "a provider of secrets")?;
    only_one_of(&fields, &PROVIDERS, "a provider of secrets does not say where its secrets are");
    let mut found = None;
    if let Some(mut age) = fields.map("age", "`age`") {
        let file = age.require_text("file");
        let identity = age.text("identity").map(|text| text.value);
        age.finish();
        found = found.or(file.map(|file| Provider::Age { file: file.value, identity }));
    }
    if let Some(mut env) = fields.map("env", "`env`") {
        let prefix = env.text("prefix").map(|text| text.value).unwrap_or_default();
        env.finish();
        found = found.or(Some(Provider::Env { prefix }));
    }
    if let Some(mut file) = fields.map("file", "`file`") {
        let dir = file.require_text("dir");
        file.finish();
        found = found.or(dir.map(|dir| Provider::File { dir: dir.value }));
    }
    if let Some(node) = fields.take("command") {
        let argv: Vec<String> = step::arguments(reading, node, "command").into_iter().map(|text| text.value).collect();
        if !argv.is_empty() && !argv.iter().any(|argument| argument.contains("{key}")) {
            let fault = reading.diagnostic(Code::RB0407, scalar::shown(reading, node.span), "the command is not told the key");
            reading.report(fault.help("write `{key}` where the key of the secret belongs"));
        }
        found = found.or((!argv.is_empty()).then_some(Provider::Command(argv)));
    }
    fields.finish();
    found
}

/// Reports a map that has none, or more than one, of some keys.
pub(super) fn only_one_of(fields: &Fields, kinds: &[&str], none: &str) {
    let reading = fields.reading;
    let mut found = fields.keys().filter(|key| kinds.contains(&key.value.as_str()));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => fields.exclude(first, second),
        (None, _) => {
            let fault = reading.diagnostic(Code::RB0011, fields.head(), none);
            reading.report(fault.help(format!("add one of {}", scalar::listed(kinds))));
        }
        _ => {}
    }
}
