//! The standard deviation of metrics over bootstrap resamples.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// Of the resamples at least this share must give a metric a finite value; the spread of the few others would be none.
const FEWEST_FINITE: f64 = 0.5;

/// Where the drawing begins: the same rows have the same spread.
const SEED: u64 = 0;

/// The random numbers of one facet.
pub(super) fn random_of_facet(facet: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    random.set_stream(facet as u64);
    random
}

/// The values of one metric, added one by one (Welford's recurrence).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    finite: u32,
    all: u32,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Adds the value of a resample; one that is undefined or infinite only counts.
    pub(super) fn add(&mut self, value: Option<f64>) {
        self.all += 1;
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        self.finite += 1;
        let deviation = value - self.mean;
        self.mean += deviation / f64::from(self.finite);
        self.squares += deviation * (value - self.mean);
    }

    /// That of a sample (divided by n - 1).
    pub(super) fn standard_deviation(&self) -> Option<f64> {
        let is_known = self.finite >= 2 && f64::from(self.finite) >= FEWEST_FINITE * f64::from(self.all);
        is_known.then(|| (self.squares / f64::from(self.finite - 1)).sqrt())
    }
}
