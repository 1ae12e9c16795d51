//! What a statistics document tells of the distribution of a numeric column, and how two of them differ.

use watchkeeper_engine::profile::rank_map;
use watchkeeper_engine::sketch::{Kll, Ranks};
use watchkeeper_formats::{DriftRule, KllBucket, NumericalStatistics};

/// The distribution of a numeric column, as finely as its document has it.
pub(super) struct Distribution {
    source: Source,
    /// Smallest and largest value of the column: a sketch need not have kept them.
    ends: (f64, f64),
}

enum Source {
    /// From the quantile sketch.
    Sketch(Ranks),
    /// From the ten buckets, in a document without a usable sketch; values are taken to lie evenly in a bucket.
    Buckets(Vec<KllBucket>),
}

impl Distribution {
    /// `None` when there are no values, or neither sketch nor buckets.
    pub(super) fn of(statistics: &NumericalStatistics) -> Option<Self> {
        let ends = (statistics.min, statistics.max);
        if let Some(ranks) = ranks(statistics, DriftRule::Exact) {
            return Some(Self { source: Source::Sketch(ranks), ends });
        }
        let is_usable = |bucket: &&KllBucket| {
            bucket.lower_bound.is_finite() && bucket.upper_bound.is_finite() && bucket.count.is_finite()
        };
        let buckets = &statistics.distribution.as_ref()?.kll.buckets;
        let buckets: Vec<KllBucket> = buckets.iter().filter(is_usable).cloned().collect();
        buckets.iter().any(|bucket| bucket.count > 0.0).then_some(Self { source: Source::Buckets(buckets), ends })
    }

    /// Of values that were ranked, of which there are some; `ends` are the smallest and the largest.
    pub(super) fn of_ranks(ranks: Ranks, ends: (f64, f64)) -> Self {
        Self { source: Source::Sketch(ranks), ends }
    }

    pub(super) fn ranks(&self) -> Option<&Ranks> {
        match &self.source {
            Source::Sketch(ranks) => Some(ranks),
            Source::Buckets(_) => None,
        }
    }

    /// The number of all values.
    pub(super) fn total(&self) -> f64 {
        match &self.source {
            Source::Sketch(ranks) => ranks.total() as f64,
            Source::Buckets(buckets) => buckets.iter().map(|bucket| bucket.count).sum(),
        }
    }

    /// The number of values below `value`.
    pub(super) fn below(&self, value: f64) -> f64 {
        match &self.source {
            Source::Sketch(ranks) => ranks.exclusive(value) as f64,
            Source::Buckets(buckets) => buckets.iter().map(|bucket| part_below(bucket, value)).sum(),
        }
    }

    /// Smallest and largest finite value, and those that all but the outermost half percent lie between.
    pub(super) fn extent(&self) -> Option<Extent> {
        let kept = match &self.source {
            Source::Sketch(ranks) => {
                let finite = || ranks.iter().map(|(value, _)| value).filter(|value| value.is_finite());
                (finite().next()?, finite().last()?)
            }
            Source::Buckets(buckets) => (buckets.first()?.lower_bound, buckets.last()?.upper_bound),
        };
        let (min, max) = self.ends;
        let all = (
            if min.is_finite() { min.min(kept.0) } else { kept.0 },
            if max.is_finite() { max.max(kept.1) } else { kept.1 },
        );
        let quantile = |share| self.ranks().and_then(|ranks| ranks.quantile(share)).filter(|value| value.is_finite());
        Some(Extent { all, bulk: (quantile(0.005).unwrap_or(all.0), quantile(0.995).unwrap_or(all.1)) })
    }

    /// Whether every value is a whole number that a double tells from its neighbours.
    pub(super) fn is_whole(&self) -> bool {
        let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < 1e15;
        self.ranks().is_some_and(|ranks| ranks.iter().all(|(value, _)| is_whole(value)))
    }
}

/// Where the values of a distribution lie, lower end first.
pub(super) struct Extent {
    pub(super) all: (f64, f64),
    pub(super) bulk: (f64, f64),
}

fn part_below(bucket: &KllBucket, value: f64) -> f64 {
    let (lower, upper) = (bucket.lower_bound, bucket.upper_bound);
    if value > upper {
        bucket.count
    } else if value <= lower {
        0.0
    } else {
        bucket.count * position(value, lower, upper)
    }
}

/// Where `value` lies between two bounds, 0 to 1. Halved first, since the difference of two doubles may be infinite.
pub(super) fn position(value: f64, lower: f64, upper: f64) -> f64 {
    let width = upper / 2.0 - lower / 2.0;
    if width > 0.0 { ((value / 2.0 - lower / 2.0) / width).clamp(0.0, 1.0) } else { 0.5 }
}

/// The next round number; numbers too small or too large for that as they are.
pub(super) fn rounded_up(reach: f64) -> f64 {
    let power = 10_f64.powi(reach.log10().floor() as i32);
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.map(|step| step * power).into_iter().find(|round| *round >= reach).unwrap_or(reach)
}

/// The distribution function that a drift rule compares; `None` when the document has no usable sketch or no value.
pub(super) fn ranks(statistics: &NumericalStatistics, rule: DriftRule) -> Option<Ranks> {
    let levels = statistics.distribution.as_ref()?.kll.sketch.as_ref()?.data.clone();
    Kll::from_levels(levels).map(|sketch| rank_map(&sketch, rule)).filter(|ranks| !ranks.is_empty())
}

/// Where two distribution functions are farthest apart.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    /// The smallest value at which they are.
    pub(super) at: f64,
    /// Share of the baseline's values up to `at`.
    pub(super) baseline: f64,
    /// Share of the current values up to `at`.
    pub(super) current: f64,
}

impl Gap {
    /// Between two distributions that have values.
    pub(super) fn between(baseline: &Ranks, current: &Ranks) -> Self {
        let share = |ranks: &Ranks, value| ranks.inclusive(value) as f64 / ranks.total() as f64;
        let mut values: Vec<f64> = baseline.iter().chain(current.iter()).map(|(value, _)| value).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let mut widest = Self { at: f64::NAN, baseline: 0.0, current: 0.0 };
        for at in values {
            let gap = Self { at, baseline: share(baseline, at), current: share(current, at) };
            if widest.at.is_nan() || gap.size() > widest.size() {
                widest = gap;
            }
        }
        widest
    }

    pub(super) fn size(&self) -> f64 {
        (self.current - self.baseline).abs()
    }
}
