//! Drawing rows again from their counts: a bootstrap of a million rows costs as much as one of ten.
//!
//! Rows that count alike are alike, so that a resample is a draw from the multinomial distribution of their counts: one binomial
//! draw after the other, each of what the former ones have left.

use rand_chacha::ChaCha8Rng;
use statrs::function::factorial::ln_factorial;

use crate::random::fraction;

/// Below this expected number a binomial draw walks up from 0.
const FEW_EXPECTED: f64 = 10.0;

/// Replaces counts, whose sum is `total`, by those of as many draws with replacement.
pub(super) fn resample<'a>(counts: impl Iterator<Item = &'a mut u64>, total: u64, random: &mut ChaCha8Rng) {
    let (mut rows, mut draws) = (total, total);
    for count in counts.filter(|count| **count > 0) {
        let drawn = if *count >= rows { draws } else { binomial(draws, *count as f64 / rows as f64, random) };
        rows -= *count;
        draws -= drawn;
        *count = drawn;
    }
}

/// How many of `trials` succeed, each with this probability.
fn binomial(trials: u64, probability: f64, random: &mut ChaCha8Rng) -> u64 {
    if probability > 0.5 {
        return trials - binomial(trials, 1.0 - probability, random);
    }
    if trials as f64 * probability < FEW_EXPECTED {
        binomial_by_inversion(trials, probability, random)
    } else {
        binomial_by_rejection(trials, probability, random)
    }
}

/// Adds up probabilities from 0 on until they exceed a uniform number.
fn binomial_by_inversion(trials: u64, probability: f64, random: &mut ChaCha8Rng) -> u64 {
    let odds = probability / (1.0 - probability);
    let mut mass = ((-probability).ln_1p() * trials as f64).exp();
    let mut remaining = fraction(random);
    let mut successes = 0;
    while remaining >= mass && successes < trials {
        remaining -= mass;
        mass *= odds * (trials - successes) as f64 / (successes + 1) as f64;
        successes += 1;
    }
    successes
}

/// Hörmann's transformed rejection with squeeze, algorithm BTRS ("The generation of binomial random variates", 1993).
fn binomial_by_rejection(trials: u64, probability: f64, random: &mut ChaCha8Rng) -> u64 {
    let (count, complement) = (trials as f64, 1.0 - probability);
    let spread = (count * probability * complement).sqrt();
    let b = 1.15 + 2.53 * spread;
    let a = -0.0873 + 0.0248 * b + 0.01 * probability;
    let centre = count * probability + 0.5;
    let squeeze = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * spread;
    let log_odds = (probability / complement).ln();
    let mode = ((count + 1.0) * probability).floor();
    let log_mass = |successes: f64| {
        (successes - mode) * log_odds - ln_factorial(successes as u64) - ln_factorial((count - successes) as u64)
    };
    let log_mass_of_mode = log_mass(mode);
    loop {
        let offset = fraction(random) - 0.5;
        let height = fraction(random);
        let distance = 0.5 - offset.abs();
        let successes = ((2.0 * a / distance + b) * offset + centre).floor();
        if successes < 0.0 || successes > count {
            continue;
        }
        if distance >= 0.07 && height <= squeeze {
            return successes as u64;
        }
        if (height * alpha / (a / (distance * distance) + b)).ln() <= log_mass(successes) - log_mass_of_mode {
            return successes as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    /// Mean and variance of a binomial distribution, each within five standard deviations of their estimates.
    #[test]
    fn draws_have_the_moments_of_the_distribution() {
        const DRAWS: u64 = 40_000;
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for (trials, probability) in [
            (1, 0.3),
            (20, 0.1),
            (50, 0.5),
            (40, 0.9),
            (1_000, 0.011),
            (1_000, 0.4),
            (1_000_000, 1e-6),
            (1_000_000, 0.7),
        ] {
            let (mut sum, mut squares) = (0.0, 0.0);
            let mean = trials as f64 * probability;
            for _ in 0..DRAWS {
                let deviation = binomial(trials, probability, &mut random) as f64 - mean;
                sum += deviation;
                squares += deviation * deviation;
            }
            let variance = mean * (1.0 - probability);
            let draws = DRAWS as f64;
            assert!((sum / draws).abs() < 5.0 * (variance / draws).sqrt(), "{trials} of {probability}: mean");
            // The fourth central moment of a binomial distribution.
            let fourth = variance * (1.0 + 3.0 * (trials as f64 - 2.0) * probability * (1.0 - probability));
            let error = 5.0 * ((fourth - variance * variance) / draws).sqrt();
            assert!((squares / draws - variance).abs() < error, "{trials} of {probability}: variance");
        }
    }

    #[test]
    fn a_resample_has_as_many_rows_and_none_where_there_were_none() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..1_000 {
            let mut counts = [0, 3, 0, 1_000, 1, 7, 0];
            resample(counts.iter_mut(), 1_011, &mut random);
            assert_eq!(counts.iter().sum::<u64>(), 1_011);
            assert_eq!([counts[0], counts[2], counts[6]], [0; 3]);
        }
    }
}
