//! The distribution function that a sketch stands for.

/// Distinct values in ascending order, each with the number of values up to and including it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    values: Vec<f64>,
    through: Vec<u64>,
}

impl Ranks {
    /// From values in ascending order, each with how many values it stands for. Equal ones (-0.0 and 0.0 are equal)
    /// add up.
    pub(crate) fn from_sorted(items: Vec<(f64, u64)>) -> Self {
        let mut ranks = Self { values: Vec::with_capacity(items.len()), through: Vec::with_capacity(items.len()) };
        let mut total = 0;
        for (value, weight) in items {
            total += weight;
            if ranks.values.last() == Some(&value) {
                ranks.through.pop();
            } else {
                ranks.values.push(value);
            }
            ranks.through.push(total);
        }
        ranks
    }

    /// The number of distinct values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of all values.
    pub fn total(&self) -> u64 {
        self.through.last().copied().unwrap_or(0)
    }

    /// How many values are below `value`.
    pub fn exclusive(&self, value: f64) -> u64 {
        self.before(self.values.partition_point(|&own| own < value))
    }

    /// How many values are `value` or below it.
    pub fn inclusive(&self, value: f64) -> u64 {
        self.before(self.values.partition_point(|&own| own <= value))
    }

    fn before(&self, index: usize) -> u64 {
        index.checked_sub(1).map_or(0, |last| self.through[last])
    }

    /// The smallest value that at least the share `quantile` (0 to 1) of all values does not exceed; `None` when there
    /// are no values.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let wanted = quantile * self.total() as f64;
        let index = self.through.partition_point(|&through| (through as f64) < wanted);
        self.values.get(index).or(self.values.last()).copied()
    }

    /// Every distinct value, ascending, with the number of values up to and including it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (f64, u64)> {
        self.values.iter().copied().zip(self.through.iter().copied())
    }
}
