//! A metric of all rows, with its spread over the subsamples.

use watchkeeper_formats::Metric;

use super::SUBSAMPLES;

/// All rows, and then each subsample.
pub(super) const SAMPLES: usize = SUBSAMPLES + 1;

/// The samples that a row is in, a bit each: all rows are the first one.
#[inline]
pub(super) fn samples(subsamples: u8) -> u8 {
    subsamples << 1 | 1
}

/// A part of a whole; of nothing it is nothing.
#[inline]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// F-score of a precision and a recall, from `beta_squared`.
pub(super) fn f_score(beta_squared: f64, precision: f64, recall: f64) -> f64 {
    if precision + recall == 0.0 {
        return 0.0;
    }
    ((1.0 + beta_squared) * precision) * recall / (beta_squared * precision + recall)
}

/// The squares of the betas 0.5, 1 and 2.
pub(super) const BETAS_SQUARED: [f64; 3] = [0.25, 1.0, 4.0];

/// The same metrics of every sample.
pub(super) struct Measured<const N: usize> {
    pub(super) values: [[f64; N]; SAMPLES],
    /// Without them there is no spread.
    pub(super) has_subsamples: bool,
}

impl<const N: usize> Measured<N> {
    pub(super) fn metrics(&self) -> [Metric; N] {
        std::array::from_fn(|index| {
            let values = self.values.map(|values| values[index]);
            metric(&values, self.has_subsamples)
        })
    }
}

/// A metric from its values on every sample.
pub(super) fn metric(values: &[f64; SAMPLES], has_subsamples: bool) -> Metric {
    let (value, subsamples) = (values[0], &values[1..]);
    let is_spread = has_subsamples && subsamples.iter().all(|value| value.is_finite());
    Metric { value, standard_deviation: if is_spread { standard_deviation(subsamples) } else { f64::NAN } }
}

/// That of a sample (divided by n - 1).
fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (count - 1.0)).sqrt()
}
