//! The vocabulary and the decoder, held together: every key that one of them knows, the other knows too.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::diagnostic::Source;
use crate::document::decode::asked;
use crate::document::{Node, load, yaml};

/// Documents in which every key stands at least once.
const WHOLE: [&str; 3] =
    [include_str!("tests/playbook.yaml"), include_str!("tests/workspace.yaml"), include_str!("tests/test.yaml")];

/// Every shape of the vocabulary, each once.
fn shapes() -> Vec<&'static Shape> {
    fn add(shape: &'static Shape, found: &mut Vec<&'static Shape>) {
        if !found.iter().any(|known| std::ptr::eq(*known, shape)) {
            found.push(shape);
            shape.keys.iter().for_each(|key| inside(&key.value, found));
        }
    }
    fn inside(of: &'static Type, found: &mut Vec<&'static Shape>) {
        match of {
            Type::Step | Type::Steps => add(&STEP, found),
            Type::Shape(shape) => add(shape, found),
            Type::List(of) | Type::Map(_, of) => inside(of, found),
            Type::AnyOf(types) => types.iter().for_each(|of| inside(of, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    KINDS.iter().for_each(|(_, of)| inside(of, &mut found));
    found
}

#[test]
fn the_decoder_asks_for_the_keys_of_the_vocabulary_and_for_no_others() {
    let documents = WHOLE.iter().map(|text| (*text).to_owned()).chain([WHOLE[0].replace("kind: Playbook", "kind: Runbook")]);
    let mut left: BTreeSet<(usize, &str)> = BTreeSet::new();
    let all = shapes();
    for (place, shape) in all.iter().enumerate() {
        left.extend(shape.keys.iter().map(|key| (place, key.name)));
    }
    for text in documents {
        let _ = asked::take();
        let _ = load(&Source::new("whole.yaml", text));
        for (what, mut keys) in asked::take().maps {
            // A runbook is asked for them to say that it may not have them.
            keys.retain(|key| (what, *key) != ("a runbook", "triggers"));
            let fits = |shape: &&Shape| shape.what == what && keys.iter().all(|key| shape.key(key).is_some());
            let fitting: Vec<usize> = (0..all.len()).filter(|place| fits(&all[*place])).collect();
            assert!(!fitting.is_empty(), "no shape of {what} has all of {keys:?}");
            for place in fitting {
                left.retain(|(of, key)| *of != place || !keys.contains(key));
            }
        }
    }
    let left: Vec<String> = left.into_iter().map(|(place, key)| format!("{}: {key}", all[place].what)).collect();
    assert!(left.is_empty(), "the decoder never asks for {left:?}");
}

#[test]
fn the_words_of_a_value_are_those_of_the_decoder() {
    fn words(key: &'static str, of: &'static Type, found: &mut BTreeMap<(String, Vec<&str>), bool>) {
        match of {
            Type::Word(words) => {
                found.insert((key.to_owned(), words.iter().map(|word| word.name).collect()), false);
            }
            Type::AnyOf(types) => types.iter().for_each(|of| words(key, of, found)),
            Type::List(of) | Type::Map(_, of) => words(key, of, found),
            _ => {}
        }
    }
    let mut told = BTreeMap::new();
    for key in shapes().iter().flat_map(|shape| shape.keys) {
        words(key.name, &key.value, &mut told);
    }
    let _ = asked::take();
    WHOLE.iter().for_each(|text| drop(load(&Source::new("whole.yaml", *text))));
    for (key, words) in asked::take().words {
        let known = told.get_mut(&(key.clone(), words.clone()));
        *known.unwrap_or_else(|| panic!("the vocabulary does not know that `{key}` is one of {words:?}")) = true;
    }
    // These two are told apart by the decoder itself.
    let rest: Vec<_> = told.iter().filter(|((key, _), seen)| !**seen && !["apiVersion", "kind"].contains(&key.as_str())).collect();
    assert!(rest.is_empty(), "the decoder never asks for {rest:?}");
}

/// The keys of a node that are ours, each with its value's type.
fn walk(of: &'static Type, node: &Node, seen: &mut BTreeSet<(usize, &'static str)>) {
    let of = of.of(Form::from(&node.kind));
    match (&node.kind, of) {
        (NodeKind::Map(entries), Type::Map(_, of)) => entries.iter().for_each(|(_, node)| walk(of, node, seen)),
        (NodeKind::Map(entries), _) => {
            let Some(shape) = of.shape() else { return };
            for (key, node) in entries {
                let known = shape.key(&key.value).unwrap_or_else(|| panic!("{} has no key {}", shape.what, key.value));
                seen.insert((std::ptr::from_ref(shape).addr(), known.name));
                walk(&known.value, node, seen);
            }
        }
        (NodeKind::List(items), _) => {
            if let Some(of) = of.item() {
                items.iter().for_each(|node| walk(of, node, seen));
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_stands_in_a_document_and_has_a_description() {
    let mut seen = BTreeSet::new();
    let kinds = [Type::Shape(&procedure::PLAYBOOK), Type::Shape(&workspace::WORKSPACE), Type::Shape(&test::TEST)];
    for (text, kind) in WHOLE.iter().zip(Box::leak(Box::new(kinds))) {
        let source = Source::new("whole.yaml", *text);
        let reading = crate::document::decode::Reading::new(&source);
        walk(kind, &yaml::parse(&reading).unwrap(), &mut seen);
    }
    for shape in shapes().into_iter().filter(|shape| shape.what != "a runbook") {
        for key in shape.keys {
            // What the decoder always refuses.
            let refused = key.name == "on";
            let stands = seen.contains(&(std::ptr::from_ref(shape).addr(), key.name));
            assert!(stands || refused, "`{}` of {} stands in no document", key.name, shape.what);
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "`{}` of {}: {:?}", key.name, shape.what, key.doc);
        }
    }
}
