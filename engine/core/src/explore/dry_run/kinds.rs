//! What a step does on several ways, as the fewest things that say all of it: one that holds a name for what is not known says what the
//! same with a value in its place does.

use serde_json::{Value as Json, json};

use super::seen::Doing;
use super::{Does, PredictedRequest};
use crate::limits;
use crate::value::format_duration;

/// Those among them that say something else than the others, the first of them first.
pub(super) fn kinds(does: Vec<&Doing>) -> Vec<&Doing> {
    if does.len() < 2 {
        return does;
    }
    let mut told: Vec<(Json, &Doing)> = Vec::new();
    for doing in does {
        let own = self::told(doing);
        if !told.iter().any(|(other, _)| *other == own) {
            told.push((own, doing));
        }
    }
    // What stands behind that many is left as it is: nothing is said by being dropped.
    let held = told.get(..limits::DRY_RUN_KINDS).unwrap_or(&told);
    // A text that is known may hold what looks like a name.
    let says = |(told, doing): &(Json, &Doing), other: &Json| !doing.open.is_empty() && covers(told, other);
    let is_said = |place: usize, own: &(Json, &Doing)| {
        let mut others = held.iter().enumerate().filter(|(other, _)| *other != place);
        place < held.len() && others.any(|(at, other)| says(other, &own.0) && (at < place || !says(own, &other.0)))
    };
    told.iter().enumerate().filter(|(place, own)| !is_said(*place, own)).map(|(_, (_, doing))| *doing).collect()
}

/// Everything of it that is shown. What people are told of the run so far, and of what comes next, is that of other steps.
fn told(doing: &Doing) -> Json {
    json!([
        doing.title,
        doing.why,
        doing.work,
        doing.asks(),
        doing.undo,
        doing.repeats,
        doing.waits.map(format_duration),
        doing.ends
    ])
}

/// What one way asks, with what is known wherever the same is asked: that, and that alone, is shown to whoever is asked.
pub(super) fn asked_alike(shown: &Doing, does: &[Doing]) -> Vec<PredictedRequest> {
    let mut requests = shown.requests.clone();
    for (place, asked) in requests.iter_mut().enumerate() {
        let own = asked_alone(asked);
        let alike = |other: &&PredictedRequest| asked_alone(other) == own;
        for other in does.iter().filter_map(|doing| doing.requests.get(place)).filter(alike) {
            let (mine, others) = (&mut asked.request, &other.request);
            let (same, differs): (Vec<_>, Vec<_>) = mine.known.drain(..).partition(|known| others.known.contains(known));
            let missed = others.known.iter().filter(|known| !same.contains(known)).map(|(name, _)| name);
            mine.unknown.extend(differs.iter().map(|(name, _)| name).chain(missed).chain(&others.unknown).cloned());
            mine.unknown.sort();
            mine.unknown.dedup();
            mine.known = same;
        }
    }
    requests
}

/// What a question asks, without what it shows beside.
fn asked_alone(asked: &PredictedRequest) -> Option<Json> {
    let mut asked = serde_json::to_value(asked).ok()?;
    if let Some(request) = asked.get_mut("request").and_then(Json::as_object_mut) {
        ["next", "known", "unknown", "digest"].iter().for_each(|beside| drop(request.remove(*beside)));
    }
    Some(asked)
}

impl Doing {
    fn asks(&self) -> Vec<Json> {
        self.requests.iter().filter_map(asked_alone).collect()
    }

    /// What it does that the one that is shown does not.
    pub fn beside(&self, shown: &Doing) -> Does {
        fn other<T: Clone + PartialEq>(own: &T, shown: &T) -> Option<T> {
            (own != shown).then(|| own.clone())
        }
        Does {
            title: other(&self.title, &shown.title),
            why: other(&self.why, &shown.why).flatten(),
            repeats: other(&self.repeats, &shown.repeats).flatten(),
            waits: other(&self.waits, &shown.waits).flatten().map(format_duration),
            ends: other(&self.ends, &shown.ends).flatten(),
            work: other(&self.work, &shown.work).flatten(),
            requests: (self.asks() != shown.asks()).then(|| self.requests.clone()),
            undo: other(&self.undo, &shown.undo),
        }
    }
}

/// Whether one says what the other says, with names in the place of values.
fn covers(general: &Json, other: &Json) -> bool {
    match (general, other) {
        (Json::Object(map), _) if map.len() == 1 && map.contains_key("$unknown") => true,
        (Json::String(general), Json::String(text)) => covers_text(general, text),
        // A name may stand for what is no text.
        (Json::String(general), _) if is_name(general) => true,
        (Json::Array(general), Json::Array(other)) => {
            general.len() == other.len() && general.iter().zip(other).all(|(general, other)| covers(general, other))
        }
        (Json::Object(general), Json::Object(other)) => {
            general.len() == other.len()
                && general.iter().all(|(key, general)| other.get(key).is_some_and(|other| covers(general, other)))
        }
        _ => general == other,
    }
}

fn is_name(text: &str) -> bool {
    text.strip_prefix('‹').and_then(|rest| rest.strip_suffix('›')).is_some_and(|name| !name.contains(['‹', '›']))
}

/// Whether a text is another with something in the place of each `‹name›`.
fn covers_text(general: &str, mut text: &str) -> bool {
    let mut known = general.split('‹');
    let first = known.next().unwrap_or_default();
    let Some(rest) = text.strip_prefix(first) else { return false };
    text = rest;
    let mut ends_open = false;
    for piece in known {
        let Some((_, after)) = piece.split_once('›') else { return false };
        let Some(at) = text.find(after) else { return false };
        text = text.get(at + after.len()..).unwrap_or_default();
        ends_open = after.is_empty();
    }
    // The last piece stands at the end.
    text.is_empty() || ends_open || general.rsplit('›').next().is_some_and(|last| general.contains('‹') && text.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::super::PredictedUndo;
    use super::*;

    #[test]
    fn a_name_stands_for_any_value_in_its_place() {
        for (general, text, covered) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("‹n› hosts", "0 hosts", true),
            ("‹n› hosts", "‹n› hosts", true),
            ("‹n› hosts", "0 host", false),
            ("keep ‹n›", "keep 1 or 2", true),
            ("‹a› of ‹b›", "1 of 2", true),
            ("‹a› of ‹b›.", "1 of 2", false),
            ("x‹a›x", "xaxbx", true),
            ("0 hosts", "‹n› hosts", false),
        ] {
            assert_eq!(covers_text(general, text), covered, "{general} {text}");
        }
        assert!(covers(&json!({"v": {"$unknown": "steps.a"}, "w": [1, "‹b›"]}), &json!({"v": [1], "w": [1, 7]})));
        assert!(!covers(&json!({"v": 1, "w": 2}), &json!({"v": 1})));
    }

    fn saying(title: &str) -> Doing {
        Doing {
            title: title.to_owned(),
            why: None,
            open: Vec::new(),
            closed: None,
            fails: None,
            is_broken: false,
            work: None,
            requests: Vec::new(),
            waits: None,
            undo: PredictedUndo::None,
            repeats: None,
            ends: None,
            waves: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn each_kind_is_told_once_however_many_there_are() {
        let titles: Vec<String> = (0..limits::DRY_RUN_KINDS + 8).map(|n| format!("host {n}")).collect();
        let does: Vec<Doing> = titles.iter().chain(&titles).map(|title| saying(title)).collect();
        let told: Vec<&str> = kinds(does.iter().collect()).into_iter().map(|doing| doing.title.as_str()).collect();
        assert_eq!(told, titles);
        let mut any = [saying("host 1"), saying("host ‹n›"), saying("port 1")];
        let told = |any: &[Doing]| kinds(any.iter().collect()).into_iter().map(|doing| doing.title.clone()).collect::<Vec<_>>();
        assert_eq!(told(&any), ["host 1", "host ‹n›", "port 1"], "all of it is known");
        any[1].open.push("it depends on n".to_owned());
        assert_eq!(told(&any), ["host ‹n›", "port 1"]);
    }
}
