//! What is drawn from a generator's numbers, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;

/// A uniform number in [0, 1), of 53 bits.
pub(crate) fn fraction(random: &mut ChaCha8Rng) -> f64 {
    fraction_of(random.next_u64())
}

/// The number in [0, 1) that the upper 53 bits are.
#[inline]
pub(crate) fn fraction_of(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number below `limit`, as likely as any other but for one part in 2^64; 0 where there is none.
#[inline]
pub(crate) fn below(limit: u64, random: &mut ChaCha8Rng) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(limit)) >> 64) as u64
}

/// The place that a number in [0, 1) falls into when places are as wide as their weights; the first where all are 0.
pub(crate) fn place_by_weight(number: f64, weights: &[f64]) -> usize {
    let mut left = number * weights.iter().sum::<f64>();
    for (place, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return place;
        }
    }
    // Rounding may leave a little: the last place of any weight.
    weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0)
}
