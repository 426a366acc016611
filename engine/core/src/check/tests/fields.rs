//! What stands in single fields: values of `env`, names of items, the lock, what people decided.

use super::{faults, plan, said, whole};
use crate::diagnostic::{Code, Severity};
use crate::document::yaml::LOCATED;
use crate::plan::{EnvValue, Verb};

#[test]
fn a_text_in_env_needs_quotes_and_is_told_so() {
    for (written, mended) in [
        ("C", Some("'\"C\"'")),
        ("en_US.UTF-8", Some("'\"en_US.UTF-8\"'")),
        ("\"C\"", Some("'\"C\"'")),
        ("/usr/bin", Some("'\"/usr/bin\"'")),
        ("a b", Some("'\"a b\"'")),
        ("db-1", Some("'\"db-1\"'")),
        ("2026-01-01", Some("'\"2026-01-01\"'")),
        ("10.0.0.0/8", Some("'\"10.0.0.0/8\"'")),
    ] {
        let text = whole(&format!("steps: [{{run: x, effect: read, env: {{A: {written}}}}}]\n"));
        let found = faults(&text);
        let [fault] = found.as_slice() else { panic!("{written}: {found:?}") };
        assert_eq!(fault.code, Code::RB0120, "{written}");
        assert_eq!(fault.suggestion.as_ref().map(|s| s.replacement.as_str()), mended, "{written}");
        if let Some(suggestion) = &fault.suggestion {
            let mut mended = text.clone();
            mended.replace_range(suggestion.span.start as usize..suggestion.span.end as usize, &suggestion.replacement);
            assert_eq!(faults(&mended), [], "{mended}");
        }
    }
    for (written, code) in [("inptus.a", "RB0101"), ("steps.x ==", "RB0112"), ("inputs.b", "RB0102"), ("secrets.y", "RB0111")] {
        let said = said(&format!("steps: [{{run: x, effect: read, env: {{A: {written}}}}}]\n"));
        assert!(matches!(&said[..], [one] if one.starts_with(code)), "{written}: {said:?}");
    }
}

#[test]
fn a_number_in_env_stays_as_it_was_written() {
    for (written, expect) in [("1.10", "\"1.10\""), ("0755", "\"0755\""), ("-3", "-3"), ("60 * 5", "60 * 5"), ("true", "true")] {
        let plan = plan(&format!("steps: [{{run: x, effect: read, env: {{A: {written}}}}}]\n"));
        let [(_, EnvValue::Expression(value))] = plan.steps[0].env.as_slice() else { panic!("{written}") };
        assert_eq!(value.source, expect, "{written}");
        assert!(matches!(plan.steps[0].verb, Verb::Run { .. }));
    }
}

#[test]
fn names_that_cannot_be_read_are_refused_where_they_are_given() {
    for (name, refused) in
        [("host", false), ("now", true), ("let", true), ("if", true), ("this", true), ("true", true), ("item", false)]
    {
        let said = said(&format!("steps: [{{each: {{in: '[1]', as: '{name}', steps: [{{effect: read, exec: [look]}}]}}}}]\n"));
        assert_eq!(said.iter().any(|line| line.starts_with("RB0119")), refused, "{name}: {said:?}");
    }
}

#[test]
fn the_lock_is_named_by_inputs() {
    for (text, expect) in
        [("'a'", ""), ("'{{inputs.a}}'", ""), ("'{{run.name}}'", "RB0118"), ("'{{now}}'", "RB0118"), ("'{{item}}'", "RB0118")]
    {
        let said = said(&format!(
            "inputs: {{a: {{type: string}}}}\nlock: {text}\nsteps: [{{effect: read, exec: [x, '{{{{inputs.a}}}}']}}]\n"
        ));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{text}: {said:?}");
    }
}

#[test]
fn what_people_decided_has_its_members() {
    let manual = "manual: {do: x, evidence: y, within: 1h}, irreversible: it is";
    for (step, read, expect) in [
        ("approve: {question: a, within: 1h}", "granted", ""),
        ("approve: {question: a, within: 1h}", "grantd", "RB0104"),
        ("approve: {question: a, within: 1h}", "evidence", "RB0104"),
        (manual, "evidence == \"x\"", ""),
        (manual, "evidence == 1", "RB0108"),
    ] {
        let said = said(&format!("steps:\n- {{id: a, {step}}}\n- check:\n  - that: steps.a.{read}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{step} {read}: {said:?}");
    }
}

#[test]
fn a_trigger_reads_the_event_and_gives_the_inputs() {
    let head = "kind: Playbook\nowner: o\nimpact: low\nescalation: database\n";
    let steps = "inputs: {a: {type: string}, b: {type: string, default: x}}\nsteps: [{effect: read, exec: [x, '{{inputs.a}}', '{{inputs.b}}']}]\n";
    for (trigger, expect) in [
        ("{source: s, inputs: {a: event.id}}", ""),
        ("{source: s}", "RB0307"),
        ("{source: s, inputs: {a: inputs.b}}", "RB0118"),
        ("{source: s, inputs: {a: event.id}, environment: '{{event.data.env}}'}", ""),
        ("{source: s, inputs: {a: event.id}, environment: nowhere}", "RB0315"),
        ("{source: s, inputs: {a: event.id}, environment: '{{run.id}}'}", "RB0118"),
        ("{source: s, inputs: {a: event.id}, accumulate: {events: 2, within: 1m, key: steps.x}}", "RB0118"),
        ("{source: s, inputs: {a: event.id}, dedup: {key: steps.x, window: 1m}}", "RB0118"),
        ("{source: s, inputs: {a: event.id}, correlate: {key: 'event.'}}", "RB0112"),
        ("{source: s, inputs: {a: event.id}, concurrency: {key: now.unix, then: skip}}", ""),
    ] {
        let said = said(&format!("{head}triggers: [{trigger}]\n{steps}"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{trigger}: {said:?}");
    }
    for (key, expect) in [("inputs.a", ""), ("steps.x.y", "RB0118"), ("run.id", "RB0118")] {
        let said = said(&format!("concurrency: {{key: {key}}}\n{steps}"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).collect();
        assert_eq!(codes.join(" "), expect, "{key}: {said:?}");
    }
}

#[test]
fn a_wait_for_an_event_reads_it_and_names_a_source_that_is_there() {
    let wait = |event: &str| {
        format!(
            "inputs: {{n: {{type: integer}}}}\nsteps:\n- {{id: news, wait: {{event: {event}, within: 1h}}}}\n- {{check: [{{that: steps.news.event.key != steps.news.event.status && inputs.n > 0}}]}}\n"
        )
    };
    for (event, expect) in [
        ("{source: alertmanager, when: event.data.n == inputs.n && now.year > 2025}", &[][..]),
        ("{source: runs}", &[]),
        ("{source: alertmanger}", &["RB0320"]),
        ("{source: runs, when: event.data.n}", &[]),
        ("{source: runs, when: inputs.n + 1}", &["RB0109"]),
        ("{source: runs, when: event.data.n == inputs.m}", &["RB0102"]),
        ("{source: runs, when: steps.news.number > 1}", &["RB0105"]),
        ("{source: runs, when: result.number > 1}", &["RB0118"]),
        ("{source: runs, when: secrets.x == event.id}", &["RB0110"]),
    ] {
        let codes: Vec<String> = said(&wait(event)).iter().map(|line| line[..6].to_owned()).collect();
        assert_eq!(codes, expect, "{event}: {:?}", said(&wait(event)));
    }
    let said = |text: &str| said(text).iter().map(|line| line[..6].to_owned()).collect::<Vec<_>>();
    assert_eq!(said("steps: [{wait: {event: {source: runs}}}]\n"), ["RB0212"]);
    assert_eq!(said("steps: [{wait: {event: {source: runs}, within: 1h}, retry: {attempts: 2}}]\n"), ["RB0215"]);
    let reads = "steps: [{id: news, wait: {event: {source: runs}, within: 1h}}, {exec: [echo, '{{steps.news.event.kez}}'], effect: read}]\n";
    assert_eq!(said(reads), ["RB0104"]);
    // Elsewhere in a runbook there is no event.
    assert_eq!(said("steps: [{check: [{that: event.id == \"\"}]}]\n"), ["RB0118"]);
    let plan = plan("defaults: {retry: {attempts: 3}, timeout: 5m}\nsteps: [{wait: {event: {source: runs}, within: 1h}}]\n");
    let step = &plan.steps[0];
    let Verb::Listen(listen) = &step.verb else { panic!("{step:#?}") };
    assert_eq!((listen.within.as_secs(), step.retry, step.label.as_str()), (3600, None, "wait-1"));
}

#[test]
fn what_may_be_nothing_is_asked_for_before_it_is_text() {
    let ask =
        "- {id: q, ask: {question: x, within: 1h, fields: {a: {type: string, required: false}, b: {type: string, default: x}}}}\n";
    for (step, expect) in [
        ("{run: 'echo {{inputs.a}}', effect: read}", "RB0121"),
        ("{run: 'echo \"{{inputs.b}}\"', effect: read}", "RB0121"),
        ("{run: 'echo {{inputs.c}} {{inputs.d}}', effect: read}", ""),
        ("{run: 'echo {{default inputs.a \"x\"}}', effect: read}", ""),
        ("{if: inputs.a != (), run: 'echo {{inputs.a}}', effect: read}", ""),
        ("{if: inputs.a != (), group: [{exec: [x, '{{inputs.a}}'], effect: read}]}", ""),
        ("{exec: [x, '{{#if inputs.a}}{{inputs.a}}{{/if}}'], effect: read}", ""),
        ("{exec: [x, '{{steps.q.a}}', '{{steps.q.b}}'], effect: read}", "RB0121"),
        ("{exec: [x, '{{run.environment}}'], effect: read}", "RB0121"),
        ("{exec: [x], env: {A: inputs.a}, effect: read}", "RB0121"),
        ("{exec: [x], env: {A: inputs.a ?? \"\"}, effect: read}", ""),
        ("{http: {url: 'https://a/{{inputs.a}}'}}", "RB0121"),
        ("{http: {url: 'https://a', query: {q: '{{inputs.a}}'}, headers: {h: '{{inputs.b}}'}}}", "RB0121 RB0121"),
        ("{http: {url: 'https://a', method: POST, json: {a: '{{inputs.a}}', b: 'b {{inputs.a}}'}}, irreversible: x}", "RB0121"),
        ("{approve: {question: 'Go {{inputs.a}}?', within: 1h}}", "RB0121"),
        ("{notify: {to: [db-channel], message: '{{inputs.a}}'}}", "RB0121"),
        ("{name: 'Look at {{inputs.a}}', exec: [x], effect: read}", "RB0121"),
    ] {
        let inputs = "inputs: {a: {type: string, required: false}, b: {type: string, required: false, default: null}, \
                      c: {type: string, required: false, default: x}, d: {type: string}}\n";
        let said = said(&format!("{inputs}steps:\n{ask}- {step}\n"));
        let codes: Vec<&str> = said.iter().map(|line| &line[..6]).filter(|code| *code != "RB0217").collect();
        assert_eq!(codes.join(" "), expect, "{step}: {said:?}");
    }
}

#[test]
fn a_value_from_outside_is_not_put_into_a_variable_that_is_code() {
    let head = "kind: Playbook\nowner: a\nimpact: low\nescalation: database\ntriggers: [{source: s, when: 'true'}]\n\
                inputs: {dir: {type: path, default: /opt}, mode: {type: enum, choices: [a, b], default: a}, n: {type: integer, default: 1}}\n";
    for (env, refused) in [
        ("{BASH_ENV: inputs.dir}", true),
        ("{ENV: 'inputs.dir + \"/x\"'}", true),
        ("{LD_PRELOAD: event.data.x}", true),
        ("{PATH: 'inputs.dir + \":/bin\"'}", true),
        ("{PYTHONSTARTUP: run.requested_by}", true),
        ("{PERL5OPT: steps.first.stdout}", true),
        ("{NODE_OPTIONS: inputs.dir}", true),
        ("{GIT_SSH_COMMAND: 'if inputs.n > 1 { inputs.dir } else { \"ssh\" }'}", true),
        ("{RSYNC_RSH: inputs.dir}", true),
        ("{BASH_ENV: '\"/opt/env.sh\"'}", false),
        ("{PATH: '\"/opt/bin:/usr/bin\"'}", false),
        ("{PATH: '\"/opt/\" + inputs.mode'}", false),
        ("{NODE_OPTIONS: '\"--max-old-space-size=\" + inputs.n'}", false),
        ("{GIT_SSH: 'if inputs.n > 1 { \"a\" } else { \"b\" }'}", false),
        ("{DIR: inputs.dir, WHO: run.requested_by}", false),
    ] {
        let steps = format!("steps: [{{id: first, run: x, effect: read}}, {{run: x, effect: read, env: {env}}}]\n");
        let found = faults(&whole(&format!("{head}{steps}")));
        let code: Vec<_> = found.iter().filter(|fault| fault.code == Code::RB0116).collect();
        assert_eq!(code.len(), usize::from(refused), "{env}: {found:#?}");
        assert!(code.iter().all(|fault| fault.help.is_some()), "{env}");
        assert!(refused || found.iter().all(|fault| fault.severity != Severity::Error), "{env}: {found:#?}");
    }
    let of_all =
        said("inputs: {dir: {type: path, default: /opt}}\ndefaults: {env: {PATH: inputs.dir}}\nsteps: [{run: x, effect: read}]\n");
    assert!(of_all.iter().any(|line| line.starts_with("RB0116")), "{of_all:?}");
}

#[test]
fn items_that_the_author_wrote_need_no_two_dashes() {
    for (list, host, refused) in [
        ("[\"db1\", \"db2\"]", "h", 0),
        ("[\"db1\", \"-oProxyCommand=x\"]", "h", 1),
        ("[\"db1\", \" -x\"]", "h", 1),
        ("[\"db1\", \"\"]", "h", 1),
        ("[{name: \"a\"}, {name: \"b\"}]", "h.name", 0),
        ("[#{name: \"a\"}, #{name: \"-b\"}]", "h.name", 1),
        ("[[\"a\"]]", "h", 1),
        ("inputs.hosts", "h", 1),
        ("[inputs.one]", "h", 1),
        ("\"a b\".split(\" \")", "h", 1),
    ] {
        let list = list.replace("[{name", "[#{name").replace(", {name", ", #{name");
        let text = |step: &str| {
            format!(
                "inputs: {{hosts: {{type: list, items: {{type: string}}, default: [a]}}, one: {{type: string, default: a}}}}\n\
                 steps:\n- each: {{in: '{list}', as: h, steps: [{{{step}, effect: read}}]}}\n"
            )
        };
        for step in [format!("run: 'ssh {{{{{host}}}}} uptime'"), format!("exec: [ssh, '{{{{{host}}}}}', uptime]")] {
            let said = said(&text(&step));
            assert_eq!(said.iter().filter(|line| line.starts_with("RB0116")).count(), refused, "{list} {step}: {said:?}");
        }
    }
    // The second value decides too.
    let both = "inputs: {a: {type: host, default: b}, s: {type: string, default: x}}\nsteps: [{run: 'ssh {{default inputs.a inputs.s}} x', effect: read}]\n";
    assert!(said(both).iter().any(|line| line.starts_with("RB0116")));
}

#[test]
fn what_may_be_empty_leaves_the_beginning_to_what_follows() {
    let inputs = "inputs: {h: {type: host, default: a}, s: {type: string, default: x}, n: {type: integer, default: 1}, k: {type: integer, min: 0, default: 1}, \
                  f: {type: boolean, default: true}, c: {type: enum, choices: [a, b], default: a}}\n";
    for (word, in_a_script, refused) in [
        ("{{inputs.h}}", true, false),
        ("{{default inputs.h \"\"}}", true, false),
        ("{{default inputs.h \"\"}}{{inputs.s}}", true, true),
        ("{{default inputs.h \" \"}}{{inputs.s}}", true, true),
        ("{{default inputs.h \"\"}}{{inputs.h}}", false, false),
        ("{{default inputs.h \"b\"}}{{inputs.s}}", true, false),
        ("{{default inputs.h \"-o\"}}", true, true),
        ("{{trim \"\"}}{{inputs.s}}", true, true),
        ("{{lower (default inputs.c \"\")}}{{inputs.s}}", true, true),
        ("{{#if inputs.f}}a{{/if}}{{inputs.s}}", false, true),
        ("{{#if inputs.f}}a{{else}}b{{/if}}{{inputs.s}}", false, false),
        ("{{#if inputs.f}}-a{{else}}b{{/if}}", false, true),
        ("{{#if inputs.f}}{{inputs.h}}{{/if}}", false, false),
        ("{{inputs.n}}", true, false),
        ("{{inputs.n}}{{inputs.s}}", true, true),
        ("{{inputs.k}}{{inputs.s}}", true, false),
        ("{{len inputs.s}}{{inputs.s}}", true, false),
    ] {
        let exec = format!("exec: [ssh, '{word}', uptime]");
        let run = format!("run: 'ssh {word} uptime'");
        for step in [Some(exec), in_a_script.then_some(run)].into_iter().flatten() {
            let said = said(&format!("{inputs}steps: [{{{step}, effect: read}}]\n"));
            assert_eq!(said.iter().any(|line| line.starts_with("RB0116")), refused, "{step}: {said:?}");
        }
    }
    // A variable of the shell behind a value that may be empty is not followed.
    for (script, refused) in [("ssh {{default inputs.h \\\"\\\"}}$x", true), ("ssh \\\"{{default inputs.h ''}}\\\" uptime", false)]
    {
        let said = said(&format!("{inputs}steps: [{{run: \"{script}\", effect: read}}]\n"));
        assert_eq!(said.iter().any(|line| line.starts_with("RB0116")), refused, "{script}: {said:?}");
    }
}

#[test]
fn a_value_of_many_names_is_located_few_times() {
    let located = |text: &str| {
        LOCATED.with(|located| located.set(0));
        faults(&whole(text));
        LOCATED.with(std::cell::Cell::get)
    };
    for (before, part) in [
        ("set: {v: '1'}, name: \"", "{{run.id}} "),
        ("set: {v: '1'}, name: \"", "{{run.di}} "),
        ("set: {v: '1'}, name: \"", "{{inputs.none}} "),
        ("effect: read, run: \"echo ", "{{inputs.x}} "),
        ("effect: read, run: \"ssh ", "; ssh {{inputs.x}} a"),
        ("effect: read, exec: [look, \"", "{{inputs.nothing}} "),
    ] {
        for count in [10, 1000] {
            let end = if before.contains('[') { "\"]" } else { "\"" };
            let text = format!(
                "inputs: {{x: {{type: string, default: a}}, nothing: {{type: string}}}}\nsteps: [{{{before}{}{end}}}]\n",
                part.repeat(count)
            );
            let walked = located(&text);
            assert!(walked > 0 && walked < 8 * text.len(), "{part} × {count}: {walked} of {}", text.len());
        }
    }
}
