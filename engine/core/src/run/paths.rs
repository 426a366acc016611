//! The steps of a run by their paths, made so that a run is copied in little time: an exploration copies it at every turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::NodeIx;
use crate::id::StepPath;

/// Of each path, the last step that was begun there.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// Shared with the runs that this one was copied from and to.
    shared: Arc<BTreeMap<StepPath, NodeIx>>,
    /// What came since, which hides what is shared.
    own: BTreeMap<StepPath, NodeIx>,
}

/// Steps that a copy has for itself before it has all of them for itself.
const OWN: usize = 64;

impl Paths {
    pub fn get(&self, path: &StepPath) -> Option<NodeIx> {
        self.own.get(path).or_else(|| self.shared.get(path)).copied()
    }

    pub fn insert(&mut self, path: StepPath, node: NodeIx) {
        self.own.insert(path, node);
        if self.own.len() >= OWN || Arc::strong_count(&self.shared) == 1 {
            // One by one: `append` goes through all that is there.
            Arc::make_mut(&mut self.shared).extend(std::mem::take(&mut self.own));
        }
    }
}

impl PartialEq for Paths {
    fn eq(&self, other: &Paths) -> bool {
        let whole = |paths: &Paths| {
            let mut all = (*paths.shared).clone();
            all.extend(paths.own.clone());
            all
        };
        whole(self) == whole(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(n: u32) -> StepPath {
        StepPath::within("", &format!("s{n}"))
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let mut one = Paths::default();
        (0..100).for_each(|n| one.insert(path(n), NodeIx(n)));
        let mut other = one.clone();
        assert!(one == other);
        for n in 50..200 {
            other.insert(path(n), NodeIx(n + 1));
            assert!(one != other);
        }
        for n in 0..200 {
            assert_eq!(one.get(&path(n)), (n < 100).then_some(NodeIx(n)), "{n}");
            assert_eq!(other.get(&path(n)), Some(NodeIx(if n < 50 { n } else { n + 1 })), "{n}");
        }
    }

    #[test]
    fn how_steps_are_shared_makes_no_difference() {
        let (mut one, mut other) = (Paths::default(), Paths::default());
        let mut copies = Vec::new();
        for n in 0..200 {
            one.insert(path(n % 90), NodeIx(n));
            other.insert(path(n % 90), NodeIx(n));
            copies.push(other.clone());
            assert!(one == other, "{n}");
        }
    }
}
