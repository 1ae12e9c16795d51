//! Which requests are captured.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Requests in whose every block the percentage is exact.
const BLOCK: u64 = 100;

/// Chooses requests: of every hundred that follow one another exactly the percentage, at places that nothing in the
/// traffic can be in step with. In each block the places are permuted by `(factor · place + shift) mod 100`, with a factor
/// that has no divisor in common with 100, and those that come below the percentage are chosen; factor and shift come
/// from a hash of the block's number and a start of chance.
pub(super) struct Sampler {
    percentage: u64,
    start: u64,
    asked: AtomicU64,
}

impl Sampler {
    pub(super) fn new(percentage: u8) -> Self {
        let start = Uuid::new_v4().as_u128() as u64;
        Self { percentage: u64::from(percentage), start, asked: AtomicU64::new(0) }
    }

    /// Whether the next request is captured.
    pub(super) fn next(&self) -> bool {
        match self.percentage {
            0 => false,
            BLOCK.. => true,
            percentage => {
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                let hash = mixed(self.start ^ (number / BLOCK));
                // The numbers below 100 without a divisor in common with it are the odd ones that do not end in 5.
                let factor = [1, 3, 7, 9][(hash % 4) as usize] + 10 * (hash / 4 % 10);
                let shift = hash / 40 % BLOCK;
                (factor * (number % BLOCK) + shift) % BLOCK < percentage
            }
        }
    }
}

/// The output function of `SplitMix64` (Steele, Lea, Flood 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
