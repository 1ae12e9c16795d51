//! Metrics of a regression (section 3.2), in the order of operations of Spark's `RegressionMetrics` and its summarizer.

use watchkeeper_formats::RegressionMetrics;

use super::Residuals;
use super::residuals::ResidualSketch;
use super::spread::{Measured, SAMPLES, samples};

/// Sums of every sample, and the distribution of all residuals.
#[derive(Default)]
pub(super) struct RegressionMeasures {
    sums: [Sums; SAMPLES],
    residuals: ResidualSketch,
}

/// What one pass over a sample leaves.
#[derive(Clone, Copy, Default)]
struct Sums {
    rows: u64,
    absolute_errors: f64,
    squared_errors: f64,
    truth: Truth,
}

/// The true values: their squares about the mean in one pass, zeros left out and accounted for at the end.
#[derive(Clone, Copy, Default)]
struct Truth {
    first: f64,
    differs: bool,
    mean: f64,
    squares: f64,
    /// How many are not zero.
    weight: f64,
}

impl RegressionMeasures {
    #[inline]
    pub(super) fn add(&mut self, prediction: f64, truth: f64, subsamples: u8) {
        let error = truth - prediction;
        self.residuals.add(error);
        let samples = samples(subsamples);
        for (index, sums) in self.sums.iter_mut().enumerate() {
            if samples >> index & 1 == 1 {
                sums.add(error, truth);
            }
        }
    }

    pub(super) fn residuals(&self) -> Option<Residuals> {
        self.residuals.finish()
    }

    pub(super) fn finish(&self, has_subsamples: bool) -> RegressionMetrics {
        let values = self.sums.map(|sums| sums.metrics());
        let [mae, mse, rmse, r2] = Measured { values, has_subsamples }.metrics();
        RegressionMetrics { mae, mse, rmse, r2 }
    }
}

impl Sums {
    #[inline]
    fn add(&mut self, error: f64, truth: f64) {
        if self.rows == 0 {
            self.truth.first = truth;
        }
        self.rows += 1;
        self.absolute_errors += error.abs();
        self.squared_errors += error * error;
        self.truth.add(truth);
    }

    /// mae, mse, rmse, r2.
    fn metrics(&self) -> [f64; 4] {
        let rows = self.rows as f64;
        let norm = self.squared_errors.sqrt();
        let squared_errors = norm * norm;
        let mse = squared_errors / rows;
        [self.absolute_errors / rows, mse, mse.sqrt(), self.r2(squared_errors, rows)]
    }

    /// Of true values that are all the same no share can be explained, unless every prediction is right.
    fn r2(&self, squared_errors: f64, rows: f64) -> f64 {
        if self.truth.differs {
            return 1.0 - squared_errors / self.truth.squares_about_mean(rows);
        }
        if self.rows > 0 && self.absolute_errors == 0.0 { 1.0 } else { f64::NAN }
    }
}

impl Truth {
    #[inline]
    fn add(&mut self, value: f64) {
        self.differs |= value != self.first;
        if value != 0.0 {
            let difference = value - self.mean;
            self.weight += 1.0;
            self.mean += difference / self.weight;
            self.squares += (value - self.mean) * difference;
        }
    }

    fn squares_about_mean(&self, rows: f64) -> f64 {
        let of_zeros = self.mean * self.mean * self.weight * (rows - self.weight) / rows;
        let variance = (self.squares + of_zeros) / (rows - 1.0);
        variance * (rows - 1.0)
    }
}
