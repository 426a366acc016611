//! What the cases of a procedure no longer hold it to: cases that are gone, and expectations that are gone or others. What is asked for
//! in addition is nothing that anybody has to look at.

use std::collections::BTreeMap;

use runbook_core::document::Procedure;
use runbook_core::document::test::{Asked, Case, Expect, Test};

use crate::catalogue::Catalogue;

/// A case that asks for something else than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    pub file: String,
    pub case: String,
    /// Keys of `expect`, with the step where it is of one.
    pub keys: Vec<String>,
}

/// How the cases of a procedure differ from those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// File and name of cases that are gone, and that no new one stands for.
    pub gone: Vec<(String, String)>,
    /// Cases that do not look at something any more.
    pub less: Vec<Altered>,
    /// Cases that ask for another value.
    pub other: Vec<Altered>,
}

/// A case with all that it asks for, by key.
struct Known<'t> {
    file: &'t str,
    case: &'t Case,
    asks: BTreeMap<String, String>,
}

/// Holds the cases of `new` against those of `old`, each a catalogue and the procedure in it.
pub fn compared(old: (&Catalogue, &Procedure), new: (&Catalogue, &Procedure)) -> Expected {
    let (before, after) = (cases(old.0, old.1), cases(new.0, new.1));
    let mut expected = Expected::default();
    let is_new = |now: &&Known<'_>| !before.iter().any(|then| then.case.name.value == now.case.name.value);
    for then in &before {
        let of_the_name = || after.iter().filter(|now| now.case.name.value == then.case.name.value);
        let Some(now) = of_the_name().find(|now| now.file == then.file).or_else(|| of_the_name().next()) else {
            let renamed =
                after.iter().filter(is_new).any(|now| then.asks.iter().all(|(key, value)| now.asks.get(key) == Some(value)));
            if !renamed {
                expected.gone.push((then.file.to_owned(), then.case.name.value.clone()));
            }
            continue;
        };
        let altered = |keys: Vec<String>| Altered { file: now.file.to_owned(), case: now.case.name.value.clone(), keys };
        let (there, less): (Vec<_>, Vec<_>) = then.asks.iter().partition(|(key, _)| now.asks.contains_key(*key));
        let names = |of: &[(&String, &String)]| of.iter().map(|(key, _)| (*key).clone()).collect::<Vec<_>>();
        let other: Vec<_> = there.into_iter().filter(|(key, value)| now.asks.get(*key) != Some(*value)).collect();
        expected.less.extend((!less.is_empty()).then(|| altered(names(&less))));
        expected.other.extend((!other.is_empty()).then(|| altered(names(&other))));
    }
    expected
}

/// The tests of a procedure.
fn tests<'c>(catalogue: &'c Catalogue, procedure: &Procedure) -> impl Iterator<Item = &'c Test> {
    let is_of = |test: &&Test| catalogue.tested(test).0.is_some_and(|tested| tested.source.name == procedure.source.name);
    catalogue.tests().filter(is_of)
}

/// The files of the tests of a procedure.
pub fn files(catalogue: &Catalogue, procedure: &Procedure) -> impl Iterator<Item = String> {
    tests(catalogue, procedure).map(|test| test.source.name.to_string())
}

fn cases<'c>(catalogue: &'c Catalogue, procedure: &Procedure) -> Vec<Known<'c>> {
    let known = |test: &'c Test, case: &'c Case| Known { file: &test.source.name, case, asks: asks(case) };
    tests(catalogue, procedure).flat_map(|test| test.cases.iter().map(move |case| known(test, case))).collect()
}

/// Everything that a case asks for.
fn asks(case: &Case) -> BTreeMap<String, String> {
    let Expect { span: _, outcome, message, steps, skipped, commands, gives, outputs, asked, undone, left, record, within } =
        &case.expect;
    let mut asks = BTreeMap::new();
    let mut put = |key: String, value: String| drop(asks.insert(key, value));
    // What is for real systems alone is no part of the tests that are played here.
    if !case.real {
        put("that it is played".to_owned(), String::new());
    }
    outcome.iter().for_each(|outcome| put("outcome".to_owned(), format!("{:?}", outcome.value)));
    message.iter().for_each(|message| put("message".to_owned(), message.value.clone()));
    within.iter().for_each(|within| put("within".to_owned(), format!("{:?}", within.value)));
    for (key, list) in [("steps", steps), ("undone", undone), ("left", left)] {
        let names = |names: &[runbook_core::document::Scalar]| names.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
        list.iter().for_each(|list| put(key.to_owned(), names(&list.value).join(", ")));
    }
    skipped.iter().for_each(|step| put(format!("skipped {}", step.value), String::new()));
    commands.iter().for_each(|(step, command)| put(format!("commands of {}", step.value), format!("{:?}", command.value)));
    gives.iter().for_each(|(step, value)| put(format!("gives of {}", step.value), value.value.to_plain_json().to_string()));
    outputs.iter().for_each(|(name, value)| put(format!("outputs {}", name.value), value.value.to_plain_json().to_string()));
    record.iter().for_each(|(kind, count)| put(format!("record {}", kind.value), count.value.to_string()));
    for (step, asked) in asked.iter().flat_map(|asked| &asked.value) {
        let Asked { span: _, from, count, within, question, rule } = asked;
        let mut part = |what: &str, value: Option<String>| {
            value.into_iter().for_each(|value| put(format!("{what} asked at {}", step.value), value))
        };
        let mut who: Vec<&str> = from.iter().flatten().map(|name| name.value.as_str()).collect();
        who.sort_unstable();
        part("who is", from.as_ref().map(|_| who.join(", ")));
        part("how many are", count.map(|count| count.to_string()));
        part("how long is", within.map(|within| format!("{within:?}")));
        part("what is", question.as_ref().map(|question| question.value.clone()));
        part("by which rule is", rule.as_ref().map(|rule| rule.value.clone()));
    }
    if let Some(asked) = asked {
        let mut steps: Vec<&str> = asked.value.iter().map(|(step, _)| step.value.as_str()).collect();
        steps.sort_unstable();
        put("asked".to_owned(), steps.join(", "));
    }
    asks
}
