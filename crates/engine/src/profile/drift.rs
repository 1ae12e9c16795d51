//! Distances between what a column looks like now and what its baseline looked like (specification, section 8), as
//! Deequ 2 computes them: operation by operation, so that the last digit agrees.

use std::collections::HashMap;

use statrs::distribution::{ChiSquared as ChiSquaredDistribution, ContinuousCDF};
use watchkeeper_formats::{ComparisonMethod, DriftRule};

use crate::sketch::{Kll, Ranks};

/// The largest difference between the distribution functions of two columns of numbers; `None` when one of them has no
/// values.
///
/// With [`DriftRule::Exact`] and up to 2,050 values a side, the simple distance is the two-sample Kolmogorov-Smirnov
/// statistic of the values.
pub fn numeric_distance(current: &Kll, baseline: &Kll, rule: DriftRule, method: ComparisonMethod) -> Option<f64> {
    let (current, baseline) = (rank_map(current, rule), rank_map(baseline, rule));
    if current.is_empty() || baseline.is_empty() {
        return None;
    }
    let (n, m) = (current.total() as f64, baseline.total() as f64);
    let simple = largest_gap(&current, n, &baseline, m);
    Some(distance(simple, n, m, method))
}

/// The ranks that the distance is computed from.
///
/// [`DriftRule::Aws`] keeps a defect of Deequ: of the items of equal value only the one at the highest level counts, so
/// that repeated values weigh hardly more than single ones.
pub fn rank_map(sketch: &Kll, rule: DriftRule) -> Ranks {
    let mut items = sketch.sorted_items();
    if rule == DriftRule::Aws {
        // Items of equal value stand with the highest level last, and 0.0, which Deequ takes for equal, behind -0.0.
        items.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                *kept = *later;
            }
            same
        });
    }
    Ranks::from_sorted(items)
}

/// The largest difference over all values of both sides, walking up both at once.
fn largest_gap(current: &Ranks, n: f64, baseline: &Ranks, m: f64) -> f64 {
    let (mut currents, mut baselines) = (current.iter().peekable(), baseline.iter().peekable());
    let (mut current_rank, mut baseline_rank) = (0, 0);
    let mut largest = 0.0_f64;
    loop {
        let value = match (currents.peek(), baselines.peek()) {
            (Some(current), Some(baseline)) => current.0.min(baseline.0),
            (Some(next), None) | (None, Some(next)) => next.0,
            (None, None) => return largest,
        };
        if let Some((_, rank)) = currents.next_if(|next| next.0 == value) {
            current_rank = rank;
        }
        if let Some((_, rank)) = baselines.next_if(|next| next.0 == value) {
            baseline_rank = rank;
        }
        largest = largest.max((current_rank as f64 / n - baseline_rank as f64 / m).abs());
    }
}

/// The largest difference between the shares that a category has on either side; `None` when a side has no values.
pub fn linfinity(current: &[(String, u64)], baseline: &[(String, u64)], method: ComparisonMethod) -> Option<f64> {
    let (n, m) = (total(current), total(baseline));
    if n == 0 || m == 0 {
        return None;
    }
    let (n, m) = (n as f64, m as f64);
    let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
    for (category, count) in current {
        let counts = counts.entry(category).or_default();
        counts.0 = counts.0.saturating_add(*count);
    }
    for (category, count) in baseline {
        let counts = counts.entry(category).or_default();
        counts.1 = counts.1.saturating_add(*count);
    }
    let gap = |&(current, baseline): &(u64, u64)| (current as f64 / n - baseline as f64 / m).abs();
    let simple = counts.values().map(gap).fold(0.0, f64::max);
    Some(distance(simple, n, m, method))
}

fn total(counts: &[(String, u64)]) -> u64 {
    // The counts of a baseline come from a file that anyone may have written.
    counts.iter().fold(0, |total, (_, count)| total.saturating_add(*count))
}

/// `Robust` takes off what samples of n and m values from one distribution can be expected to differ by.
fn distance(simple: f64, n: f64, m: f64, method: ComparisonMethod) -> f64 {
    match method {
        ComparisonMethod::Simple => simple,
        ComparisonMethod::Robust => (simple - 1.8 * ((n + m) / (n * m)).sqrt()).max(0.0),
    }
}

/// What a chi-squared test of the current counts against the baseline's shares came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChiSquared {
    /// The test was made.
    Tested {
        /// Pearson's statistic, infinite where the baseline expects no record and there are some.
        statistic: f64,
        /// The probability of such a statistic, or a larger one, when nothing has changed.
        p_value: f64,
    },
    /// There are records on both sides, but no current one is in a category of the baseline.
    NoKnownCategory,
    /// A side has no values, or fewer than two categories were left after small ones had been put together.
    TooFewCategories,
}

/// The chi-squared test of Deequ. The order of `baseline` decides the last digit, and which of equally small categories
/// are put together.
pub fn chi_squared(current: &[(String, u64)], baseline: &[(String, u64)]) -> ChiSquared {
    chi_squared_by(&SmallCategories::DEFAULT, current, baseline)
}

/// Which categories are too small for the test (the rules of Yates and, for two, of Cochran).
struct SmallCategories {
    /// Expected count below which one of more than two categories is small.
    expected_of_many: f64,
    /// Share of more than two categories that may be small.
    allowed_share: f64,
    /// Expected count below which one of two categories is small; neither may be.
    expected_of_two: f64,
}

impl SmallCategories {
    const DEFAULT: Self = Self { expected_of_many: 5.0, allowed_share: 0.2, expected_of_two: 10.0 };

    fn are_too_many(&self, cells: &[Cell]) -> bool {
        let (least, allowed) = match cells.len() {
            0 | 1 => return false,
            2 => (self.expected_of_two, 0),
            many => (self.expected_of_many, (self.allowed_share * many as f64).floor() as usize),
        };
        cells.iter().filter(|cell| cell.expected < least).count() > allowed
    }
}

/// Expected and current number of records of a category.
struct Cell {
    expected: f64,
    observed: f64,
}

fn chi_squared_by(small: &SmallCategories, current: &[(String, u64)], baseline: &[(String, u64)]) -> ChiSquared {
    if total(current) == 0 || total(baseline) == 0 {
        return ChiSquared::TooFewCategories;
    }
    let mut cells = cells(current, baseline);
    if cells.iter().all(|cell| cell.observed == 0.0) {
        return ChiSquared::NoKnownCategory;
    }
    while small.are_too_many(&cells) {
        let removed = cells.remove(smallest(&cells));
        let next = smallest(&cells);
        cells[next].expected += removed.expected;
        cells[next].observed += removed.observed;
    }
    if cells.len() < 2 {
        return ChiSquared::TooFewCategories;
    }
    let statistic = pearson(&cells);
    let p_value = if statistic.is_finite() { upper_tail(statistic, cells.len() - 1) } else { 0.0 };
    ChiSquared::Tested { statistic, p_value }
}

/// The categories of the baseline, in its order, with its counts scaled to as many records as there are current ones in
/// them. Those without a record on either side are left out.
fn cells(current: &[(String, u64)], baseline: &[(String, u64)]) -> Vec<Cell> {
    let current: HashMap<&str, u64> = current.iter().map(|(category, count)| (category.as_str(), *count)).collect();
    let pairs = baseline.iter().map(|(category, count)| (*count, current.get(category.as_str()).copied().unwrap_or(0)));
    let pairs: Vec<(u64, u64)> = pairs.filter(|&pair| pair != (0, 0)).collect();
    let baseline_total = pairs.iter().fold(0, |total: u64, pair| total.saturating_add(pair.0)) as f64;
    let current_total = pairs.iter().fold(0, |total: u64, pair| total.saturating_add(pair.1)) as f64;
    let cell = |(baseline, current)| Cell {
        expected: baseline as f64 / baseline_total * current_total,
        observed: current as f64,
    };
    pairs.into_iter().map(cell).collect()
}

/// The place of the category with the fewest expected records, the first of equal ones; there must be one.
fn smallest(cells: &[Cell]) -> usize {
    let mut smallest = 0;
    for (index, cell) in cells.iter().enumerate() {
        if cell.expected < cells[smallest].expected {
            smallest = index;
        }
    }
    smallest
}

/// Pearson's statistic as Spark computes it.
fn pearson(cells: &[Cell]) -> f64 {
    let observed: f64 = cells.iter().map(|cell| cell.observed).sum();
    let expected: f64 = cells.iter().map(|cell| cell.expected).sum();
    let scale = if (observed - expected).abs() < 1e-7 { 1.0 } else { observed / expected };
    let mut statistic = 0.0;
    for cell in cells {
        let expected = cell.expected * scale;
        let difference = cell.observed - expected;
        statistic += if expected == 0.0 { f64::INFINITY } else { difference * difference / expected };
    }
    statistic
}

fn upper_tail(statistic: f64, degrees_of_freedom: usize) -> f64 {
    ChiSquaredDistribution::new(degrees_of_freedom as f64)
        .expect("at least one degree of freedom, as there are two categories or more")
        .sf(statistic)
}

#[cfg(test)]
mod tests;
