//! `call: name@^2`: the requirement behind the name, and the newest loaded version that meets it.

use std::str::FromStr;

use crate::document::procedure::Version;
use crate::id::ProcedureName;

/// A range of versions, as `call` writes it: `^2`, `^2.1`, `~2.1.3`, `=2.1.3` or `2.1.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    from: Version,
    /// The first version that is too new.
    below: Version,
}

impl Requirement {
    pub fn allows(&self, version: Version) -> bool {
        self.from <= version && version < self.below
    }

    /// What a call of this version is pinned by: everything that says it is compatible.
    pub fn of(version: Version) -> String {
        if version.major > 0 { format!("^{}", version.major) } else { format!("^0.{}", version.minor) }
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Requirement, String> {
        let wrong = || format!("`{}` is not a range of versions; write `^2`, `~2.1` or `=2.1.3`", text.escape_debug());
        let (sign, numbers) = match text.chars().next() {
            Some(sign @ ('^' | '~' | '=')) => (sign, &text[1..]),
            _ => ('=', text),
        };
        let mut parts = Vec::new();
        for part in numbers.split('.') {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            parts.push(part.parse::<u32>().ok().filter(|_| plain).ok_or_else(wrong)?);
        }
        let (major, minor, patch) = match parts[..] {
            [major] => (major, None, None),
            [major, minor] => (major, Some(minor), None),
            [major, minor, patch] => (major, Some(minor), Some(patch)),
            _ => return Err(wrong()),
        };
        let from = Version { major, minor: minor.unwrap_or(0), patch: patch.unwrap_or(0) };
        let next_major = Version { major: major.saturating_add(1), minor: 0, patch: 0 };
        let next_minor = Version { major, minor: from.minor.saturating_add(1), patch: 0 };
        let next_patch = Version { patch: from.patch.saturating_add(1), ..from };
        let below = match (sign, minor, patch) {
            ('^', None, _) => next_major,
            ('^', ..) if major > 0 => next_major,
            ('^', Some(0), Some(_)) => next_patch,
            ('^', ..) => next_minor,
            ('~', None, _) => next_major,
            ('~', ..) => next_minor,
            (_, Some(_), Some(_)) => next_patch,
            _ => return Err(format!("`{}` names no single version; write `^{text}`, or all three numbers", text.escape_debug())),
        };
        Ok(Requirement { from, below })
    }
}

/// What a `call` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub name: ProcedureName,
    /// Absent where the call is not pinned.
    pub requirement: Option<Requirement>,
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Reference, String> {
        let (name, requirement) = match text.split_once('@') {
            Some((name, requirement)) => (name, Some(requirement.parse()?)),
            None => (text, None),
        };
        Ok(Reference { name: name.parse().map_err(|e: crate::id::InvalidId| e.to_string())?, requirement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_allow_what_semantic_versions_mean() {
        for (requirement, allowed, refused) in [
            ("^2", "2.0.0 2.9.9", "1.9.9 3.0.0"),
            ("^2.3", "2.3.0 2.4.0", "2.2.9 3.0.0"),
            ("^2.3.4", "2.3.4 2.9.0", "2.3.3 3.0.0"),
            ("^0", "0.0.0 0.9.1", "1.0.0"),
            ("^0.3", "0.3.0 0.3.9", "0.4.0 0.2.9"),
            ("^0.0.3", "0.0.3", "0.0.4 0.0.2"),
            ("~2", "2.0.0 2.9.9", "3.0.0"),
            ("~2.3", "2.3.0 2.3.9", "2.4.0"),
            ("~2.3.4", "2.3.4 2.3.9", "2.3.3 2.4.0"),
            ("=2.3.4", "2.3.4", "2.3.3 2.3.5"),
            ("2.3.4", "2.3.4", "2.3.3 2.3.5"),
        ] {
            let parsed: Requirement = requirement.parse().unwrap();
            for version in allowed.split(' ') {
                assert!(parsed.allows(version.parse().unwrap()), "{requirement} allows {version}");
            }
            for version in refused.split(' ') {
                assert!(!parsed.allows(version.parse().unwrap()), "{requirement} refuses {version}");
            }
        }
        for wrong in ["", "^", "2", "=2.1", "^2.x", "^02", ">1", "^1.2.3.4", "^2.1-rc", "^é"] {
            assert!(wrong.parse::<Requirement>().is_err(), "{wrong}");
        }
    }
}
