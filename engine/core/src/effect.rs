//! What a step does to the world. Dry run, policy, resume and rollback are all decided from it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Ordered: a later one includes the danger of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing outside the run is touched.
    #[default]
    None,
    /// Something outside is looked at.
    Read,
    /// Something outside is changed.
    Change,
    /// Something outside is lost.
    Destructive,
}

impl Effect {
    pub const ALL: [Effect; 4] = [Effect::None, Effect::Read, Effect::Change, Effect::Destructive];

    pub fn name(self) -> &'static str {
        match self {
            Effect::None => "none",
            Effect::Read => "read",
            Effect::Change => "change",
            Effect::Destructive => "destructive",
        }
    }

    pub fn changes(self) -> bool {
        self >= Effect::Change
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
