//! Distributions in a line of text: histograms of block characters, bars, shares of categories.

use watchkeeper_engine::sketch::{Kll, Ranks};
use watchkeeper_formats::{CategoricalBucket, FeatureStatistics, InferredType};

use super::Style;
use super::figures::{share, whole_percent};
use super::text::{cut_middle, visible, width};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// From little to much ink.
const ASCII_BLOCKS: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '@'];
/// A bar's end, in eighths of a cell.
const BAR_ENDS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// How much of a category's text a line of shares shows.
const CATEGORY_WIDTH: usize = 12;
/// What the two histograms over each other leave to their outer cells, at either end and of either side.
const TAIL: f64 = 0.005;

/// One character per height, relative to the highest; blank where there is nothing, and only there.
pub(super) fn blocks(heights: &[f64], highest: f64, style: &Style) -> String {
    let blocks = if style.unicode { BLOCKS } else { ASCII_BLOCKS };
    let block = |&height: &f64| {
        if height > 0.0 && highest > 0.0 {
            let eighths = (height / highest * 8.0).ceil() as usize;
            blocks[eighths.clamp(1, 8) - 1]
        } else {
            ' '
        }
    };
    heights.iter().map(block).collect()
}

/// A bar whose length is a share of the room; never blank for a share above 0.
pub(super) fn bar(share: f64, room: usize, style: &Style) -> String {
    let eighths = (share.clamp(0.0, 1.0) * room as f64 * 8.0).ceil() as usize;
    let (whole, rest) = (eighths / 8, eighths % 8);
    if !style.unicode {
        return "#".repeat(eighths.div_ceil(8));
    }
    let end = rest.checked_sub(1).map(|index| BAR_ENDS[index]);
    std::iter::repeat_n('█', whole).chain(end).collect()
}

/// The distribution of a feature in about `room` cells: the buckets of its numbers, or the shares of its most frequent
/// texts; `None` when its statistics hold neither.
pub(super) fn of_feature(feature: &FeatureStatistics, room: usize, style: &Style) -> Option<String> {
    if let Some(numbers) = &feature.numerical_statistics {
        let buckets = &numbers.distribution.as_ref()?.kll.buckets;
        let heights: Vec<f64> = buckets.iter().map(|bucket| bucket.count).collect();
        let highest = heights.iter().copied().fold(0.0, f64::max);
        return (highest > 0.0).then(|| blocks(&heights, highest, style).trim_end().to_owned());
    }
    let buckets = &feature.string_statistics.as_ref()?.distribution.as_ref()?.categorical.buckets;
    (!buckets.is_empty()).then(|| shares(buckets, room, style))
}

/// The most frequent texts with their shares, as many as there is room for, and how many there are more: at least one.
fn shares(buckets: &[CategoricalBucket], room: usize, style: &Style) -> String {
    let mut line = String::new();
    let ranked = by_count(buckets);
    for (shown, (bucket, share)) in ranked.iter().enumerate() {
        let value = cut_middle(&visible(&bucket.value, style), CATEGORY_WIDTH, style);
        let entry = format!("{value} {}", whole_percent(*share));
        let more = ranked.len() - shown;
        let reserved = if more == 1 { 0 } else { 1 + format!("+{}", more - 1).len() };
        if shown > 0 && width(&line) + 1 + width(&entry) + reserved > room {
            return format!("{line} +{more}");
        }
        if shown > 0 {
            line.push(' ');
        }
        line.push_str(&entry);
    }
    line
}

/// Categories with their share of all values counted, the most frequent first.
pub(super) fn by_count(buckets: &[CategoricalBucket]) -> Vec<(&CategoricalBucket, f64)> {
    let total = buckets.iter().fold(0_u64, |total, bucket| total.saturating_add(bucket.count));
    let mut ranked: Vec<_> = buckets.iter().map(|bucket| (bucket, share(bucket.count, total))).collect();
    ranked.sort_by_key(|(bucket, _)| std::cmp::Reverse(bucket.count));
    ranked
}

/// The distribution function of a feature's numbers; `None` without values or with a sketch that no fold has made.
pub(super) fn ranks(feature: &FeatureStatistics) -> Option<Ranks> {
    let sketch = feature.numerical_statistics.as_ref()?.distribution.as_ref()?.kll.sketch.as_ref()?;
    let ranks = Kll::from_levels(sketch.data.clone())?.ranks();
    (!ranks.is_empty()).then_some(ranks)
}

/// Two distributions on the same cells.
pub(super) struct Overlay {
    /// Lower end of the first cell, were it as wide as the others.
    pub(super) lower: f64,
    /// Upper end of the last cell.
    pub(super) upper: f64,
    /// Whether the outer cells hold values beyond these ends.
    pub(super) has_tails: bool,
    /// Share of the baseline's values in each cell.
    pub(super) baseline: Vec<f64>,
    /// Share of the current values in each cell.
    pub(super) current: Vec<f64>,
}

/// Two distributions on at most `cells` common cells of equal width. They span what remains of both sides without
/// their outermost half percents, so that one far value does not press all others into one cell. Whole numbers get
/// cells of a whole width, so that no cell holds more numbers than the next. `None` for values too far apart.
pub(super) fn over_each_other(
    baseline: &Ranks,
    current: &Ranks,
    inferred_type: InferredType,
    cells: usize,
) -> Option<Overlay> {
    let (lower, upper) = span(baseline, current, TAIL)?;
    // Nearly all values equal one: then everything matters.
    let (lower, upper) = if lower < upper { (lower, upper) } else { span(baseline, current, 0.0)? };
    let is_whole = inferred_type == InferredType::Integral;
    let (start, step, cells) = if is_whole && upper - lower < 1e15 {
        let numbers = upper - lower + 1.0;
        let step = (numbers / cells as f64).ceil();
        (lower - 0.5, step, (numbers / step).ceil() as usize)
    } else if lower < upper {
        (lower, (upper - lower) / cells as f64, cells)
    } else {
        (lower, 1.0, 1)
    };
    let shares = |ranks: &Ranks| {
        let mut before = 0;
        let share = |cell: usize| {
            let through =
                if cell + 1 == cells { ranks.total() } else { ranks.exclusive(start + step * (cell + 1) as f64) };
            let inside = through.saturating_sub(before);
            before = through;
            share(inside, ranks.total())
        };
        (0..cells).map(share).collect()
    };
    let end = if is_whole { lower + step * cells as f64 - 1.0 } else { upper };
    let has_tails =
        [baseline, current].iter().any(|ranks| ranks.exclusive(lower) > 0 || ranks.inclusive(end) < ranks.total());
    Some(Overlay { lower, upper: end, has_tails, baseline: shares(baseline), current: shares(current) })
}

/// From the smaller of both sides' lower quantiles to the larger of their upper ones.
fn span(baseline: &Ranks, current: &Ranks, tail: f64) -> Option<(f64, f64)> {
    let lower = baseline.quantile(tail)?.min(current.quantile(tail)?);
    let upper = baseline.quantile(1.0 - tail)?.max(current.quantile(1.0 - tail)?);
    (upper - lower).is_finite().then_some((lower, upper))
}
