//! A whole workspace, and every fault that one can have.

mod calendars;
mod sources;

use super::*;
use crate::document::{Document, load};
use crate::policy::{Channel, Window};

const WHOLE: &str = r#"
name: payments
timezone: Europe/Berlin
environments:
  staging: {default: true}
  production:
    production: true
    freeze:
      - {from: 2026-12-20, to: 2027-01-03, reason: Year end}
      - {from: 2026-11-27T18:00:00Z, to: 2026-11-27T20:00, reason: Black Friday}
    change_windows:
      - {days: [mon-fri], from: "09:00", to: "17:00"}
      - {days: [sat-mon, wed], from: "22:00", to: "24:00", zone: UTC}
people:
  anna: {name: Anna, users: [anna, a.meier], ssh_keys: [ssh-ed25519 AAAAC3Nz anna@example.org], mail: anna@example.org}
  bob: {}
groups:
  dba-oncall: [anna, bob]
  everybody: [dba-oncall]
policies:
  - name: changes
    when: {effect: change, environments: [production], labels: {tier: database}}
    require: {approve: {from: [everybody], count: 2, within: 15m, not_requester: true, on_timeout: escalate}, signed: true}
  - name: losses
    when: {effect: destructive}
    require: {four_eyes: true}
escalations:
  database:
    steps:
      - {to: [dba-oncall], after: 10m, channels: [ops]}
      - {to: [bob], after: 20m}
    pace: {critical: 0.5}
secrets:
  vault: {age: {file: secrets.age, identity: ~/keys/age.txt}}
  shell: {env: {prefix: RB_}}
  files: {file: {dir: /run/secrets}}
  pass: {command: [pass, show, "{key}"]}
channels:
  journal: {log: {file: notify.log}}
  desk: {command: [notify-send, "{{subject}}", "{{message}}"]}
  ops:
    http: {url: secrets.hook, headers: {X-Run: "{{run.id}}", Authorization: secrets.token}, json: {text: "{{message}}", n: 1, l: [true]}}
    secrets: {hook: {from: vault, key: ops/hook}, token: {env: OPS_TOKEN}}
  post:
    mail: {to: ops@example.org, from: rb@example.org, smtp: "mail.example.org:587", user: rb, password: secrets.smtp}
    secrets: {smtp: {from: pass, key: mail/rb}}
  chat: {slack: {webhook: secrets.hook}, secrets: {hook: {env: HOOK}}}
  phone: {ntfy: {topic: secrets.topic, priority: max, message: "{{run.url}}"}, secrets: {topic: {env: TOPIC}}}
  duty: {pagerduty: {key: secrets.k, server: "https://events.eu.pagerduty.com/"}, secrets: {k: {env: K}}}
url: https://runbook.example.org/
http: {allow: [10.0.0.0/8]}
"#;

fn read(text: &str) -> (Option<Workspace>, Vec<String>) {
    let source = Source::new("workspace.yaml", format!("apiVersion: runbook/v1\nkind: Workspace\n{}", text.trim_start()));
    let (document, faults) = load(&source);
    let shown = faults.into_sorted().into_iter().map(|fault| {
        let at = source.position(fault.span.start);
        let help = fault.help.unwrap_or_default();
        format!("{} {}:{} {} ({help})", fault.code.as_str(), at.line - 2, at.column, fault.message)
    });
    let workspace = match document {
        Some(Document::Workspace(workspace)) => Some(*workspace),
        _ => None,
    };
    (workspace, shown.collect())
}

fn whole() -> Workspace {
    let (workspace, faults) = read(WHOLE);
    assert_eq!(faults, Vec::<String>::new());
    workspace.unwrap()
}

#[test]
fn a_whole_workspace_is_read() {
    let workspace = whole();
    let production = workspace.environment(Some("production")).unwrap().unwrap();
    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    assert!(production.production);
    assert_eq!(
        production.freeze,
        [
            // Days begin at midnight in Berlin, and the last one is still inside.
            Window::Once { from: instant("2026-12-19T23:00:00Z"), to: instant("2027-01-03T23:00:00Z"), reason: "Year end".into() },
            Window::Once {
                from: instant("2026-11-27T18:00:00Z"),
                to: instant("2026-11-27T19:00:00Z"),
                reason: "Black Friday".into()
            },
        ]
    );
    let [Window::Weekly { days, from_minute, to_minute, zone, .. }, Window::Weekly { days: late, zone: utc, .. }] =
        production.change_windows.as_slice()
    else {
        panic!("two weekly windows")
    };
    assert_eq!((days.as_slice(), *from_minute, *to_minute, zone.as_str()), (&[1, 2, 3, 4, 5][..], 540, 1020, "Europe/Berlin"));
    assert_eq!((late.as_slice(), utc.as_str()), (&[1, 3, 6, 7][..], "UTC"));
    assert_eq!(workspace.people.people["anna"].users, ["anna", "a.meier"]);
    assert_eq!(workspace.people.people["bob"].users, ["bob"], "without `users`, the user of the same name");
    assert_eq!(workspace.people.members("everybody").len(), 2);
    assert_eq!(workspace.rules.len(), 2);
    let gate = workspace.rules[0].gate.as_ref().unwrap();
    assert_eq!((gate.count, gate.not_requester, workspace.rules[0].signed), (2, true, true));
    assert_eq!(workspace.escalations["database"].rungs.len(), 2);
    assert!(matches!(&workspace.channels["journal"].channel, Channel::Log { file: Some(file) } if file == "notify.log"));
    assert!(matches!(&workspace.channels["desk"].channel, Channel::Command(argv) if argv.len() == 3));
    let Channel::Mail(mail) = &workspace.channels["post"].channel else { panic!("a mail channel") };
    assert_eq!((mail.host.as_str(), mail.port, mail.to.as_slice()), ("mail.example.org", 587, &["ops@example.org".to_owned()][..]));
    let hook: crate::id::Id = "hook".parse().unwrap();
    assert_eq!(workspace.channels["ops"].secrets[&hook], workspace.providers["vault"].source("ops/hook").unwrap());
    assert_eq!(
        (workspace.http_allow.as_slice(), workspace.url.as_deref()),
        (&["10.0.0.0/8".to_owned()][..], Some("https://runbook.example.org"))
    );
    let Channel::Ntfy(ntfy) = &workspace.channels["phone"].channel else { panic!("a topic") };
    assert_eq!((ntfy.server.as_str(), ntfy.priority, ntfy.words.subject.is_none()), ("https://ntfy.sh", 5, true));
    let Channel::Pagerduty(duty) = &workspace.channels["duty"].channel else { panic!("a service") };
    assert_eq!((duty.server.as_str(), duty.severity), ("https://events.eu.pagerduty.com", crate::policy::Severity::Error));
}

#[test]
fn a_policy_context_survives_the_plan() {
    let context = PolicyContext::from_workspace(&whole(), Some("production")).unwrap();
    let json = serde_json::to_string(&context).unwrap();
    let back: PolicyContext = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert_eq!(back.environment.unwrap().name, "production");
}

#[test]
fn the_environment_is_named_or_default_or_the_only_one() {
    let (one, two) = ("environments: {prod: {}}", "environments: {prod: {}, test: {}}");
    for (text, name, expect) in [
        (WHOLE, None, Ok(Some("staging"))),
        (WHOLE, Some("production"), Ok(Some("production"))),
        (WHOLE, Some("prodction"), Err("the workspace has no environment `prodction`; did you mean `production`?")),
        (WHOLE, Some("prod"), Err("the workspace has no environment `prod`; did you mean `production`?")),
        (one, None, Ok(Some("prod"))),
        ("name: x", None, Ok(None)),
        ("name: x", Some("prod"), Err("the workspace has no environment `prod`; add it under `environments` in workspace.yaml")),
        (two, Some("x-y-z"), Err("the workspace has no environment `x-y-z`; it has prod, test")),
        (
            two,
            None,
            Err("the workspace has several environments (prod, test) and none was named; add `--env`, or `default: true` to one"),
        ),
    ] {
        let workspace = read(text).0.unwrap();
        let found = workspace.environment(name).map(|e| e.map(|e| e.name.as_str())).map_err(|e| e.to_string());
        assert_eq!(found, expect.map_err(str::to_owned), "{name:?}");
    }
    // To check a procedure without an environment is possible, and strict.
    let context = PolicyContext::from_workspace(&read(two).0.unwrap(), None).unwrap();
    assert!(context.workspace && context.environment.is_none());
}

#[test]
fn providers_turn_keys_into_sources_and_refuse_what_is_none() {
    let providers = whole().providers;
    let command = |argv: &[&str]| SecretSource::Command(argv.iter().map(|a| (*a).to_owned()).collect());
    for (provider, key, expect) in [
        (
            "vault",
            "db#password",
            Ok(SecretSource::Age {
                file: "secrets.age".into(),
                identity: Some("~/keys/age.txt".into()),
                key: "db#password".into(),
            }),
        ),
        ("shell", "TOKEN", Ok(SecretSource::Env("RB_TOKEN".into()))),
        ("shell", "A=B", Err("is not the name of an environment variable")),
        ("files", "db/token", Ok(SecretSource::File("/run/secrets/db/token".into()))),
        ("files", "../shadow", Err("is not a path beneath the provider's folder")),
        ("files", "/etc/shadow", Err("is not a path beneath the provider's folder")),
        ("pass", "a; rm -rf $HOME", Ok(command(&["pass", "show", "a; rm -rf $HOME"]))),
        ("pass", "--help", Err("would take it for an option")),
        ("pass", "", Err("it is empty")),
        ("vault", "a\nb", Err("control characters")),
    ] {
        match (providers[provider].source(key), expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect),
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{found}"),
            (found, expect) => panic!("{provider} {key}: {found:?}, not {expect:?}"),
        }
    }
}

#[test]
fn every_fault_has_its_code_place_and_next_step() {
    for (text, expect) in [
        ("nmae: x", &["RB0010 1:1 a workspace has no key `nmae` (did you mean `name`?)"][..]),
        ("timezone: Europe/Berln", &["RB0403 1:11 `Europe/Berln` is not a time zone (did you mean `Europe/Berlin`?)"]),
        (
            "people: {a: {users: [x]}, b: {users: [x]}}",
            &[
                "RB0401 1:39 the user `x` is two people (give each user to one person; where people share a user, nobody can say who decided)",
            ],
        ),
        (
            "people: {a: {}}\ngroups: {a: []}",
            &["RB0402 2:10 `a` is a person and a group (give the group another name: it decides who may approve)"],
        ),
        ("people: {anna: {}}\ngroups: {g: [ana]}", &["RB0310 2:14 `ana` is neither a person nor a group (did you mean `anna`?)"]),
        (
            "people: {a: {ssh_keys: [SHA256:abc]}}",
            &[
                "RB0406 1:25 this is not a public SSH key (write one line as in `authorized_keys`: its type, the key, a comment (`cat ~/.ssh/id_ed25519.pub`))",
            ],
        ),
        (
            "people: {a: {certificates: ['mail:a@x.org', a@x.org]}, b: {certificates: ['mail:a@X.org']}}",
            &[
                "RB0409 1:45 `a@x.org` is not the name of a certificate (write `mail:`, `dns:` or `uri:` before a name that it carries, or `sha256:` before its fingerprint)",
                "RB0401 1:75 the certificate `mail:a@X.org` is two people's (give each to one person; where people share one, nobody can say who decided)",
            ],
        ),
        (
            "people: {a: {oidc: x}, b: {oidc: x}}\noidc: {issuer: 'http://login.example.org', client: runbook, secret: hush, claim: name}",
            &[
                "RB0401 1:34 `x` is two people (give each to one person; where people share one, nobody can say who decided)",
                "RB0018 2:16 `http://login.example.org` is not the address of a provider (write it as the provider names itself (`issuer`), with `https://`)",
                "RB0408 2:69 a secret stands in the file (declare it under `secrets` of `oidc` and write `secrets.<name>` here)",
                "RB0013 2:82 `name` is not a value of `claim` (write one of `sub` and `email`)",
            ],
        ),
        (
            "people: {\"a b\": {}}",
            &[
                "RB0014 1:10 `a b` is not the name of a person (begin with a letter or digit; then letters, digits, `.`, `_` and `-`)",
            ],
        ),
        (
            "environments: {p: {freeze: [{from: 2027-01-03, to: 2026-12-20}]}}",
            &["RB0405 1:52 the window ends before it begins (put the later time under `to`)"],
        ),
        (
            "environments: {p: {freeze: [{from: soon, to: 2026-12-20}]}}",
            &[
                "RB0404 1:36 `soon` is not a time (write a day (`2026-12-20`), or a time (`2026-12-20T18:00`, `2026-12-20T18:00+01:00`))",
            ],
        ),
        (
            "environments: {p: {change_windows: [{days: [mo], from: \"9:00\", to: \"24:01\"}]}}",
            &["RB0404 1:45 `mo` is not a day of the week (did you mean `mon`?)"],
        ),
        (
            "environments: {p: {change_windows: [{days: [mon], from: \"9:00\", to: \"24:01\"}]}}",
            &[
                "RB0404 1:57 `9:00` is not a time of day (write hours and minutes, such as `\"09:00\"`)",
                "RB0404 1:69 `24:01` is not a time of day (write hours and minutes, such as `\"09:00\"`)",
            ],
        ),
        (
            "environments: {a: {default: true}, b: {default: true}}",
            &["RB0023 1:49 a second environment is the default (keep `default: true` at one of them)"],
        ),
        (
            "environments: {production: {}}\npolicies: [{name: x, when: {environments: [prod]}, require: {four_eyes: true}}]",
            &["RB0315 2:44 the workspace has no environment `prod` (add it to workspace.yaml, or name another)"],
        ),
        (
            "policies: [{name: x, require: {signed: false}}]",
            &[
                "RB0407 1:13 the policy `x` requires nothing (add `approve`, `four_eyes: true`, `signed: true` or `must` under `require`)",
            ],
        ),
        (
            "policies: [{name: x, require: {must: []}}]",
            &[
                "RB0407 1:13 the policy `x` requires nothing (add `approve`, `four_eyes: true`, `signed: true` or `must` under `require`)",
            ],
        ),
        ("policies: [{name: x, require: {must: [{never: {effect: destructive}}]}}]", &[]),
        (
            "policies: [{name: x, require: {must: [{never: restart}, {always_before: {effect: change}, comes: {step: look}}]}}]",
            &[
                "RB0103 1:47 a policy knows no step `restart` (name an `effect`, a `verb` or how the `run` ends)",
                "RB0010 1:99 a moment of `must` in a policy has no key `step` (the keys of a moment of `must` in a policy are `effect`, `ends`, `run` and `verb`)",
            ],
        ),
        (
            "people: {a: {}}\npolicies: [{name: x, require: {approve: {from: [a], within: 1h, count: 2}}}]",
            &["RB0313 2:72 2 people must approve, and only 1 can (lower `count`, or name more people in `from`)"],
        ),
        (
            "people: {a: {}}\npolicies: [{name: x, require: {approve: {within: 1h, count: 2}}}]",
            &["RB0313 2:61 2 people must approve, and only 1 can (lower `count`, or name more people in `from`)"],
        ),
        (
            "people: {a: {}}\nescalations: {e: {steps: [{to: [a], after: 5m, channels: [ops]}]}}",
            &["RB0311 2:59 the workspace has no channel `ops` (add it to workspace.yaml, or name another)"],
        ),
        (
            "secrets: {v: {}}",
            &[
                "RB0011 1:14 a provider of secrets does not say where its secrets are (add one of `age`, `env`, `file` and `command`)",
            ],
        ),
        (
            "secrets: {v: {command: [pass]}}",
            &["RB0407 1:24 the command is not told the key (write `{key}` where the key of the secret belongs)"],
        ),
        (
            "channels: {c: {log: {}, command: [a]}}",
            &["RB0023 1:25 a channel has `log` or `command`, not both (keep one of them in a channel)"],
        ),
        (
            "channels: {c: {command: [say, \"{{mesage}}\"]}}",
            &["RB0118 1:34 `mesage` is not known in a channel (did you mean `message`?)"],
        ),
        (
            "channels: {c: {http: {url: \"https://x.org\", headers: {\"a b\": c}, json: \"{{run.nmae}} {{message\"}}}",
            &[
                "RB0014 1:55 `a b` is not the name of a header (use letters, digits and `-`)",
                "RB0113 1:86 the text cannot be read (write values as `{{message}}`, and braces that are text as `\\{{`)",
            ],
        ),
        (
            "channels: {c: {http: {url: \"https://x.org/{{run.nmae}}\", json: {}}}}",
            &["RB0118 1:49 `nmae` is not known in a channel (did you mean `name`?)"],
        ),
        (
            "channels: {c: {command: [sh, -c, \"echo {{message}}\"]}, d: {command: [\"{{message}}\"]}}",
            &[
                "RB0116 1:34 a value is pasted into code (read the message from standard input, or pass it behind the code, as `\"$1\"`)",
                "RB0116 1:70 a value is pasted into code (read the message from standard input, or pass it behind the code, as `\"$1\"`)",
            ],
        ),
        ("channels: {c: {command: [sh, -c, 'pager \"$1\"', _, \"{{message}}\"]}}", &[]),
        (
            "channels: {c: {command: [say, \"{{run.url}} {{run.environment}}\"]}}",
            &[
                "RB0121 1:34 `run.url` is nothing here, so nothing would be sent (add `url` to the workspace, or say what stands there without it: `{{default run.url \"…\"}}`)",
                "RB0121 1:46 `run.environment` is nothing here, so nothing would be sent (add `environments` to the workspace, or say what stands there without it: `{{default run.environment \"…\"}}`)",
            ],
        ),
        (
            "channels: {c: {command: [say, '{{default run.url \"none\"}}{{#if run.environment}} in {{run.environment}}{{/if}}']}}",
            &[],
        ),
        ("channels: {c: {command: [say, \"{{run.url}}\"]}}\nurl: \"http://[::1]:8080/ops/\"", &[]),
        (
            "channels: {c: {ntfy: {topic: \"on call/{{run.name}}\"}}, d: {ntfy: {topic: on-call_1}}, e: {ntfy: {topic: secrets.t}, secrets: {t: {env: T}}}}",
            &[
                "RB0018 1:30 `on call/{{run.name}}` is not a topic of ntfy (write at most 64 letters, digits, `-` and `_`, or `secrets.<name>`)",
            ],
        ),
        (
            "channels: {c: {mail: {to: [nobody, Ben <b@x.org>], from: a@b, smtp: \"h:25\"}}}",
            &["RB0018 1:28 `nobody` is not a mail address (write `name@example.org`, or `Name <name@example.org>`)"],
        ),
        (
            "http: {allow: [10.0.0.0/33, example.org, 300.1.1.1, fd00::/8]}",
            &[
                "RB0018 1:16 `10.0.0.0/33` is neither a host nor a network (write a host name, an address, or a network such as `10.0.0.0/8`)",
                "RB0018 1:42 `300.1.1.1` is neither a host nor a network (write a host name, an address, or a network such as `10.0.0.0/8`)",
            ],
        ),
        (
            "people: {p: {}}\ngroups: {a: [b], b: [a], c: [p]}",
            &[
                "RB0407 2:10 nobody is in the group `a` (name a person in it, or remove it)",
                "RB0407 2:18 nobody is in the group `b` (name a person in it, or remove it)",
            ],
        ),
        (
            "people: {a: {}}\ngroups: {g: a}\nrotations: {a: {}, g: {}, r: {}}",
            &[
                "RB0402 3:13 `a` is a person and a rotation (give the rotation another name: it decides who may approve)",
                "RB0402 3:20 `g` is a group and a rotation (give the rotation another name: it decides who may approve)",
                "RB0011 3:30 a rotation does not say who is on call (add one of `members` and `calendar`)",
            ],
        ),
        (
            "people: {anna: {}}\ngroups: {g: anna}\nrotations: {r: {members: [ana, g], starts: 2026-01-05, hand_over: {days: mon, at: '9:00'}}}",
            &[
                "RB0310 3:27 `ana` is not a person (did you mean `anna`?)",
                "RB0310 3:32 `g` is a group, and people take turns (name each person)",
                "RB0404 3:83 `9:00` is not a time of day (write hours and minutes, such as `\"09:00\"`)",
            ],
        ),
        (
            "rotations: {r: {members: [], starts: monday, hand_over: {days: mon, at: '09:00', every: 0}, zone: Europe/Pari}}",
            &[
                "RB0407 1:13 nobody is in the rotation `r` (name people under `members`, in the order of their turns)",
                "RB0404 1:38 `monday` is not a day (write the day on which the first turn begins, such as `2026-01-05`)",
                "RB0018 1:89 `every` is 0; it must be from 1 to 366 ()",
                "RB0403 1:99 `Europe/Pari` is not a time zone (did you mean `Europe/Paris`?)",
            ],
        ),
        (
            "people: {a: {}}\nrotations: {r: {members: a, starts: 2026-01-06, hand_over: {days: [mon, thu], at: '09:00'}}}\n\
             escalations: {e: {steps: [{to: r, after: 5m}]}}",
            &[
                "RB0411 2:37 2026-01-06 is a tue, and it is handed over on mon, thu (let the first turn begin on a day of the hand-over)",
            ],
        ),
        (
            "people: {a: {}, b: {}}\nrotations: {r: {members: a, starts: 2026-01-05, hand_over: {days: mon, at: '09:00'}, overrides: [\n\
             {who: b, from: 2026-12-24, to: 2026-12-26}, {who: a, dates: [2026-12-26]}, {who: c, from: 2026-12-30, to: 2026-12-29}, \
             {who: a, dates: 2026-01-01, to: 2026-01-02}, {who: a, from: 2026-01-01}]}}",
            &[
                "RB0410 3:62 `b` and `a` stand in at the same time (let one end where the other begins; a day under `to` is still inside)",
                "RB0310 3:82 `c` is not a person (add it to workspace.yaml, or name another)",
                "RB0405 3:107 the window ends before it begins (put the later time under `to`)",
                "RB0023 3:148 an override has `dates` or `to`, not both (keep one of them in an override)",
                "RB0011 3:166 an override has no `to` (add `to`)",
            ],
        ),
        (
            "people: {a: {}, b: {}}\ngroups: {g: [r]}\nrotations: {r: {members: [a, b], starts: 2026-01-05, hand_over: {days: mon, at: '09:00'}}}\n\
             access: [{role: viewer, to: r}]\nescalations: {e: {steps: [{to: [r, s], after: 5m}]}}\n\
             policies: [{name: x, require: {approve: {from: r, within: 1h, count: 2}}}]",
            &[
                "RB0310 2:14 `r` is neither a person nor a group (add it to workspace.yaml, or name another)",
                "RB0310 4:29 `r` is a rotation, and whoever is on call changes (name people and groups here; a rotation stands where somebody is asked)",
                "RB0310 5:36 `s` is neither a person nor a group nor a rotation (add it to workspace.yaml, or name another)",
                "RB0313 6:70 2 people must approve, and only 1 can (lower `count`, or name more people in `from`)",
            ],
        ),
        (
            "escalations: {e: {steps: []}}",
            &["RB0019 1:15 the escalation `e` has no step (say whom to ask and after which time: `{to: [group], after: 10m}`)"],
        ),
        (
            "channels: {c: {http: {url: secrets.hok, json: {}}, secrets: {hook: {env: HOOK}}}}",
            &["RB0111 1:28 the channel has no secret `hok` (did you mean `secrets.hook`?)"],
        ),
        (
            "channels: {c: {log: {}, secrets: {k: {from: valt, key: x}}}}\nsecrets: {vault: {env: {}}}",
            &["RB0317 1:45 the workspace has no secret provider `valt` (did you mean `vault`?)"],
        ),
        (
            "channels: {c: {slack: {webhook: \"https://hooks.slack.com/x\"}}, d: {teams: {webhook: secrets.f}}, e: {pagerduty: {key: 0123}}}",
            &[
                "RB0408 1:33 a secret stands in the file (declare it under `secrets` of the channel and write `secrets.<name>` here)",
                "RB0111 1:85 the channel has no secret `f` (declare it under `secrets` of the channel)",
                "RB0408 1:119 a secret stands in the file (declare it under `secrets` of the channel and write `secrets.<name>` here)",
            ],
        ),
        (
            "channels: {c: {ntfy: {server: \"http://ntfy.example.org\", topic: t, priority: loud, subject: \"{{run.who}}\"}}}\nurl: ops",
            &[
                "RB0018 1:31 `http://ntfy.example.org` is not the address of a server (write `https://` and a host, and the path where it has one)",
                "RB0013 1:78 `loud` is not a value of `priority` (write one of `min`, `low`, `default`, `high` and `max`)",
                "RB0118 1:100 `who` is not known in a channel (the texts of a channel know `message`, `subject`, `channel` and `run`, and of `run` `id`, `name`, `version`, `environment`, `requested_by` and `url`)",
                "RB0018 2:6 `ops` is not the address of the server's pages (write `https://` and a host, and the path where it has one)",
            ],
        ),
        (
            "channels: {c: {mail: {to: a@b, from: a@b, smtp: \"h:25\", user: u, password: hunter2}}}",
            &[
                "RB0408 1:76 a password stands in the file (declare it under `secrets` of the channel and write `secrets.<name>` here)",
            ],
        ),
        (
            "channels: {c: {mail: {to: a@b, from: a@b, smtp: \"h:25\", security: none, user: u, password: secrets.p}, secrets: {p: {env: P}}}}",
            &[
                "RB0408 1:67 a password would travel in the clear (use `security: starttls` or `tls`, or remove `user` and `password`)",
            ],
        ),
        (
            "channels: {c: {mail: {to: a@b, from: a@b, smtp: host}}}",
            &["RB0018 1:49 `host` is not a server and its port (write `host:port`, such as `mail.example.org:587`)"],
        ),
    ] {
        assert_eq!(read(text).1, expect, "{text}");
    }
}

#[test]
fn the_examples_of_the_pages_are_what_they_say() {
    use crate::diagnostic::{Code, explain};
    for code in Code::ALL.iter().copied().filter(|code| ("RB0401".."RB0500").contains(&code.as_str())) {
        let page = explain(code);
        assert!(page.starts_with(&format!("# {}: {}\n", code.as_str(), code.title())), "{}", code.as_str());
        let examples: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [wrong, right] = examples.as_slice() else { panic!("{}: two examples", code.as_str()) };
        assert!(read(wrong).1.iter().any(|fault| fault.starts_with(code.as_str())), "{}: {:?}", code.as_str(), read(wrong).1);
        assert_eq!(read(right).1, Vec::<String>::new(), "{}", code.as_str());
    }
}

#[test]
fn a_plan_carries_what_governs_it() {
    use crate::check::{Catalogue, CheckOptions, check};
    let text = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nlabels: {tier: database}\n\
                secrets: {password: {from: vault, key: db#password}}\n\
                steps:\n  - {id: go, run: deploy, env: {P: secrets.password}, idempotent: true}\n";
    let (Some(Document::Procedure(procedure)), _) = load(&Source::new("a.yaml", text)) else { panic!("a procedure") };
    let workspace = whole();
    let catalogue = Catalogue::new([&*procedure], Some(&workspace));
    for (environment, gates) in [(Some("production"), &["changes"][..]), (Some("staging"), &[]), (None, &[])] {
        let options = CheckOptions { environment: environment.map(str::to_owned), ..CheckOptions::default() };
        let (plan, faults) = check(&procedure, &catalogue, &options);
        let plan = plan.unwrap_or_else(|| panic!("{faults:?}"));
        let found: Vec<&str> = plan.steps.iter().flat_map(|step| &step.gates).map(|gate| gate.rule.as_str()).collect();
        assert_eq!(found, gates, "{environment:?}");
        assert!(plan.policy.workspace && plan.policy.channels.contains_key("ops"));
        let source = plan.main().secrets.values().next();
        assert!(matches!(source, Some(SecretSource::Age { key, .. }) if key == "db#password"), "{source:?}");
    }
    let options = CheckOptions { environment: Some("prodction".to_owned()), ..CheckOptions::default() };
    let (plan, faults) = check(&procedure, &catalogue, &options);
    assert!(plan.is_none() && faults.iter().any(|fault| fault.code == crate::diagnostic::Code::RB0315), "{faults:?}");
}

#[test]
fn an_address_has_a_host() {
    for (address, is_right) in [
        ("https://ops.example.org", true),
        ("https://ops.example.org:8443/runbook/", true),
        ("https://[2001:db8::1]:8443", true),
        ("http://localhost:8080", true),
        ("http://127.0.0.1", true),
        ("http://[::1]", true),
        ("http://ops.example.org", false),
        ("http://127.0.0.1.example.org", false),
        ("https:///", false),
        ("https://[", false),
        ("https://[::1]x", false),
        ("https://..", false),
        ("https://a:0", false),
        ("https://a:b@example.org", false),
        ("https://a.example.org/?x", false),
        ("https://a.example.org/#x", false),
        ("https://a.example.org/\\\"><script>", false),
        ("ftp://a.example.org", false),
    ] {
        let (_, found) = read(&format!("url: \"{address}\""));
        assert_eq!(found.is_empty(), is_right, "{address}: {found:?}");
    }
}
