//! How often each text of a column occurs, before and now.

use std::collections::{HashMap, HashSet};

use watchkeeper_formats::{CategoricalBucket, StringStatistics};

use super::figures::{Figure, readable};

/// Categories that have a row of their own.
const MOST_ROWS: usize = 20;

/// The frequencies of a column's texts, those that changed most first.
pub(super) struct Categories {
    pub(super) rows: Vec<CategoryRow>,
    /// Both sides are known, so that there is a change to show.
    pub(super) has_change: bool,
}

/// One text, or all those without a row of their own.
pub(super) struct CategoryRow {
    pub(super) text: String,
    /// Occurs now, and is not among those that the constraints accept.
    pub(super) is_new: bool,
    pub(super) baseline: Option<Frequency>,
    pub(super) current: Option<Frequency>,
    /// Current share less the baseline's, in percentage points with its sign.
    pub(super) change: Option<Figure>,
}

/// How often a text occurs.
pub(super) struct Frequency {
    pub(super) count: Figure,
    pub(super) share: Figure,
    /// Length of the bar in per cent of the longest; the one of all others ends there.
    pub(super) bar: String,
}

/// Counts of one text on both sides.
#[derive(Clone)]
struct Counts<'a> {
    text: &'a str,
    baseline: u64,
    current: u64,
}

impl Counts<'_> {
    fn change(&self, totals: (u64, u64)) -> f64 {
        share(self.current, totals.1) - share(self.baseline, totals.0)
    }
}

fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { count as f64 / total as f64 }
}

fn buckets(statistics: Option<&StringStatistics>) -> Option<&[CategoricalBucket]> {
    Some(&statistics?.distribution.as_ref()?.categorical.buckets)
}

/// The text whose share changed most.
pub(super) struct LargestChange<'a> {
    pub(super) text: &'a str,
    pub(super) baseline: f64,
    pub(super) current: f64,
    pub(super) totals: (u64, u64),
}

/// `None` when a side has no categories.
pub(super) fn largest_change<'a>(
    baseline: Option<&'a StringStatistics>,
    current: Option<&'a StringStatistics>,
) -> Option<LargestChange<'a>> {
    let (baseline, current) = (buckets(baseline)?, buckets(current)?);
    let (counts, totals) = paired(baseline, current);
    let size = |counts: &Counts<'_>| counts.change(totals).abs();
    let largest =
        counts.into_iter().reduce(|largest, next| if size(&next) > size(&largest) { next } else { largest })?;
    (totals.0 > 0 && totals.1 > 0).then_some(LargestChange {
        text: largest.text,
        baseline: share(largest.baseline, totals.0),
        current: share(largest.current, totals.1),
        totals,
    })
}

/// The texts that occur now and are not in the domain, in the document's order.
pub(super) fn outside_domain<'a>(current: Option<&'a StringStatistics>, domains: &[String]) -> Vec<&'a str> {
    let known: HashSet<&str> = domains.iter().map(String::as_str).collect();
    let texts = buckets(current).unwrap_or_default().iter().map(|bucket| bucket.value.as_str());
    texts.filter(|text| !known.contains(text)).collect()
}

impl Categories {
    /// `None` when neither side has categories.
    pub(super) fn new(
        baseline: Option<&StringStatistics>,
        current: Option<&StringStatistics>,
        domains: Option<&[String]>,
    ) -> Option<Self> {
        let (baseline, current) = (buckets(baseline), buckets(current));
        if baseline.or(current)?.is_empty() && current.is_none_or(<[_]>::is_empty) {
            return None;
        }
        let (mut counts, totals) = paired(baseline.unwrap_or_default(), current.unwrap_or_default());
        let has_change = baseline.is_some() && current.is_some();
        let weight = |counts: &Counts<'_>| {
            if has_change { counts.change(totals).abs() } else { counts.baseline.max(counts.current) as f64 }
        };
        counts.sort_by(|left, right| {
            weight(right)
                .total_cmp(&weight(left))
                .then(right.baseline.cmp(&left.baseline))
                .then(left.text.cmp(right.text))
        });
        let others = counts.split_off(counts.len().min(MOST_ROWS));
        let known: Option<HashSet<&str>> = domains.map(|texts| texts.iter().map(String::as_str).collect());
        let larger_share = |counts: &Counts<'_>| share(counts.baseline, totals.0).max(share(counts.current, totals.1));
        let longest = counts.iter().map(larger_share).fold(f64::MIN_POSITIVE, f64::max);
        let mut rows: Vec<(String, bool, Counts<'_>)> = counts
            .iter()
            .map(|counts| {
                let is_new = counts.current > 0 && known.as_ref().is_some_and(|known| !known.contains(counts.text));
                (readable(counts.text), is_new, counts.clone())
            })
            .collect();
        if !others.is_empty() {
            let sum = |count: fn(&Counts<'_>) -> u64| others.iter().map(count).sum();
            let counts = Counts { text: "", baseline: sum(|it| it.baseline), current: sum(|it| it.current) };
            rows.push((format!("{} others", others.len()), false, counts));
        }
        let frequency = |count, total| Frequency {
            count: Figure::count(count),
            share: Figure::share(share(count, total)),
            bar: format!("{:.1}", (share(count, total) / longest * 100.0).min(100.0)),
        };
        let rows = rows.into_iter().map(|(text, is_new, counts)| CategoryRow {
            text,
            is_new,
            baseline: baseline.map(|_| frequency(counts.baseline, totals.0)),
            current: current.map(|_| frequency(counts.current, totals.1)),
            change: has_change.then(|| Figure::signed_points(counts.change(totals))),
        });
        Some(Self { rows: rows.collect(), has_change })
    }
}

/// Counts of all texts of either side, the baseline's first, and the total of each side.
fn paired<'a>(baseline: &'a [CategoricalBucket], current: &'a [CategoricalBucket]) -> (Vec<Counts<'a>>, (u64, u64)) {
    let mut counts: Vec<Counts<'a>> = Vec::with_capacity(baseline.len() + current.len());
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut place = |counts: &mut Vec<Counts<'a>>, text: &'a str| {
        *places.entry(text).or_insert_with(|| {
            counts.push(Counts { text, baseline: 0, current: 0 });
            counts.len() - 1
        })
    };
    for bucket in baseline {
        let index = place(&mut counts, &bucket.value);
        counts[index].baseline = counts[index].baseline.saturating_add(bucket.count);
    }
    for bucket in current {
        let index = place(&mut counts, &bucket.value);
        counts[index].current = counts[index].current.saturating_add(bucket.count);
    }
    let total = |count: fn(&Counts<'_>) -> u64| counts.iter().map(count).fold(0, u64::saturating_add);
    let totals = (total(|counts| counts.baseline), total(|counts| counts.current));
    (counts, totals)
}
