//! One value of a feature from those of all rows (section 3.6).

use watchkeeper_formats::clarify::Aggregation;

/// Aggregates the attributions of one feature; the order of `values` may be changed. 0 where there are none.
pub fn aggregate(method: Aggregation, values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let rows = values.len() as f64;
    match method {
        Aggregation::MeanAbs => values.iter().map(|value| value.abs()).sum::<f64>() / rows,
        Aggregation::MeanSq => values.iter().map(|value| value * value).sum::<f64>() / rows,
        Aggregation::Median => median(values),
    }
}

/// The mean of the two middle values where there is an even number of them.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if is_even => lower.midpoint(upper),
        _ => upper,
    }
}
