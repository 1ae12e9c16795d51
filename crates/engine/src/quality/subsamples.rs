//! The five subsamples that a metric's spread is measured on (section 3.1).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::random::below;

/// How many subsamples there are.
pub const SUBSAMPLES: usize = 5;

/// Rows below which a spread would say nothing.
const FEWEST_ROWS: u64 = 200;

/// Draws for each row, in row order, the subsamples that it is in: each is 80 % of the rows, without replacement.
///
/// Selection sampling: a row is taken with the probability that the still missing ones have among the rows still to come (Knuth,
/// "The Art of Computer Programming", volume 2, algorithm 3.4.2 S). The draws follow from the seed, on every machine.
pub struct Subsamples {
    random: ChaCha8Rng,
    /// Rows still to come.
    remaining: u64,
    /// Rows that each subsample still takes.
    missing: [u64; SUBSAMPLES],
}

impl Subsamples {
    /// For so many rows; below 200 there are none, and no row is in any.
    pub fn new(rows: u64, seed: u64) -> Self {
        let size = if has_subsamples(rows) { (u128::from(rows) * 4 / 5) as u64 } else { 0 };
        Self { random: ChaCha8Rng::seed_from_u64(seed), remaining: rows, missing: [size; SUBSAMPLES] }
    }

    /// The subsamples that the next row is in, a bit each.
    pub fn draw(&mut self) -> u8 {
        let mut subsamples = 0;
        for (index, missing) in self.missing.iter_mut().enumerate() {
            let is_taken = below(self.remaining, &mut self.random) < *missing;
            *missing -= u64::from(is_taken);
            subsamples |= u8::from(is_taken) << index;
        }
        self.remaining = self.remaining.saturating_sub(1);
        subsamples
    }
}

/// Whether so many rows are enough.
pub(super) fn has_subsamples(rows: u64) -> bool {
    rows >= FEWEST_ROWS
}
