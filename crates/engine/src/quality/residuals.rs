//! What predictions of a regression are off by, as a distribution.

use crate::sketch::{Kll, Ranks};

/// The distribution of residuals, true value minus prediction.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// Values with the number of residuals up to each.
    pub ranks: Ranks,
    /// Their mean.
    pub mean: f64,
    /// Their smallest and largest.
    pub range: (f64, f64),
}

/// The distribution in the making.
pub(super) struct ResidualSketch {
    sketch: Kll,
    count: u64,
    sum: f64,
    range: (f64, f64),
}

impl Default for ResidualSketch {
    fn default() -> Self {
        Self { sketch: Kll::new(), count: 0, sum: 0.0, range: (f64::INFINITY, f64::NEG_INFINITY) }
    }
}

impl ResidualSketch {
    #[inline]
    pub(super) fn add(&mut self, residual: f64) {
        self.sketch.add(residual);
        self.count += 1;
        self.sum += residual;
        self.range = (self.range.0.min(residual), self.range.1.max(residual));
    }

    /// None of no rows.
    pub(super) fn finish(&self) -> Option<Residuals> {
        let mean = self.sum / self.count as f64;
        (self.count > 0).then(|| Residuals { ranks: self.sketch.ranks(), mean, range: self.range })
    }
}
