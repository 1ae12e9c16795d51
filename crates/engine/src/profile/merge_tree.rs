//! Merging the profiles of splits along a tree that is fixed by their number alone.

use super::Profile;

/// Takes the profiles of splits in their order and merges them pairwise: neighbours first, then neighbouring pairs,
/// and so on, an odd one going up alone. A cluster that merges the same tree gets the same bytes.
#[derive(Debug, Default)]
pub struct MergeTree {
    /// Merged so far, each with its height; heights fall from left to right.
    roots: Vec<(u32, Profile)>,
}

impl MergeTree {
    /// Takes the profile of the next split.
    pub fn push(&mut self, profile: Profile) {
        let mut height = 0;
        let mut merged = profile;
        while let Some((_, mut left)) = self.roots.pop_if(|(other, _)| *other == height) {
            left.merge(merged);
            merged = left;
            height += 1;
        }
        self.roots.push((height, merged));
    }

    /// The profile of all splits; that of nothing when there was none.
    pub fn finish(mut self) -> Profile {
        let Some((_, mut merged)) = self.roots.pop() else { return Profile::default() };
        while let Some((_, mut left)) = self.roots.pop() {
            left.merge(merged);
            merged = left;
        }
        merged
    }
}
