//! The names by which a case calls steps.

use crate::document::Scalar;
use crate::id::StepPath;

/// How well a case's name for a step fits a path; `None` where it does not. A step is called by its id or label, by its path, by
/// its path without the numbers of items and rounds, or, where it takes a step back, by `STEP~undo`.
pub(super) fn fit(name: &str, path: &StepPath) -> Option<u8> {
    let plain = path.without_indexes();
    if path.as_str() == name {
        return Some(3);
    }
    if plain.as_str() == name {
        return Some(2);
    }
    if let Some(of) = name.strip_suffix("~undo") {
        let (step, _) = plain.as_str().rsplit_once("~undo/")?;
        return (step == of || step.rsplit('/').next() == Some(of)).then_some(1);
    }
    // A label that was made up from the verb and the place is that of a step of the procedure, not of one beside it.
    let beside = plain.as_str().contains("~undo/") || plain.as_str().contains("~verify/");
    (plain.label() == name && !(beside && name.contains('-'))).then_some(1)
}

/// The label of the step that a name is of.
pub(super) fn label(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(['[', '~']).next().unwrap_or(last)
}

/// The entry whose name fits the path best.
pub(super) fn best<'t, T>(entries: &'t [(Scalar, T)], path: &StepPath) -> Option<&'t T> {
    let fitting = entries.iter().filter_map(|(name, what)| Some((fit(&name.value, path)?, what)));
    // The first of equals.
    fitting.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_called_by_id_by_path_and_by_what_they_take_back() {
        for (name, path, expect) in [
            ("copy", "copy", Some(3)),
            ("copy", "rebuild/copy", Some(1)),
            ("rebuild/copy", "rebuild[2]/copy", Some(2)),
            ("rebuild[2]/copy", "rebuild[2]/copy", Some(3)),
            ("copy", "rebuild[2]/copy", Some(1)),
            ("copy", "copying", None),
            ("install~undo", "install~undo/run-1", Some(1)),
            ("install~undo", "group/install~undo/run-1", Some(1)),
            ("group/install~undo", "group/install~undo/run-1", Some(1)),
            ("install~undo", "install/run-1", None),
            ("run-1", "install~undo/run-1", None),
            ("restore", "install~undo/restore", Some(1)),
            ("run-1", "run-1", Some(3)),
        ] {
            assert_eq!(fit(name, &path.parse().unwrap()), expect, "{name} {path}");
        }
    }
}
