//! Which coalitions are scored.

use std::collections::HashSet;

use proptest::prelude::*;
use watchkeeper_engine::shap::Explanation;

use super::{any_game, attributions, sets, shapley_values};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn coalitions_are_distinct_and_never_trivial(players in 2..60_usize, samples in 1..500_u64, seed: u64, row: u64) {
        let varying: Vec<usize> = (0..players).map(|player| 3 * player + 1).collect();
        let explanation = Explanation::new(3 * players + 1, &varying, Some(samples), seed, row);
        let sets = sets(&explanation, &varying);
        let all = (1_u64 << players) - 2;
        prop_assert!(sets.len() as u64 <= samples.min(all) && !sets.is_empty());
        prop_assert_eq!(sets.iter().collect::<HashSet<_>>().len(), sets.len());
        prop_assert!(sets.iter().all(|set| *set != 0 && *set != all + 1));
        // What does not vary comes from the explained row.
        let constant = (0..=3 * players).filter(|feature| !varying.contains(feature));
        for feature in constant {
            prop_assert!((0..sets.len()).all(|coalition| explanation.coalitions().contains(coalition, feature)));
        }
    }

    #[test]
    fn draws_follow_from_seed_and_row(players in 12..40_usize, seed: u64, row in 0..1_000_000_u64) {
        let varying: Vec<usize> = (0..players).collect();
        let of = |seed, row| sets(&Explanation::new(players, &varying, Some(200), seed, row), &varying);
        let sets = of(seed, row);
        prop_assert_eq!(&sets, &of(seed, row));
        prop_assert_ne!(&sets, &of(seed, row + 1));
        prop_assert_ne!(&sets, &of(seed ^ 1, row));
    }

    #[test]
    fn sizes_are_complete_from_both_ends(players in 4..30_usize) {
        let varying: Vec<usize> = (0..players).collect();
        let explanation = Explanation::new(players, &varying, Some(16 * players as u64), 0, 0);
        let sets = sets(&explanation, &varying);
        for player in 0..players {
            prop_assert!(sets.contains(&(1 << player)));
            prop_assert!(sets.contains(&(((1 << players) - 1) ^ 1 << player)));
        }
    }
}

#[test]
fn drawn_features_are_as_frequent_as_each_other() {
    // 60 features: of 400 samples all but those of single features are drawn. Each feature is in half of them, as complements are there, too.
    let varying: Vec<usize> = (0..60).collect();
    let mut counts = [0_u32; 60];
    let mut drawn = 0;
    for row in 0..200 {
        for set in &sets(&Explanation::new(60, &varying, Some(400), 7, row), &varying)[120..] {
            drawn += 1;
            // The smaller of a set and its complement.
            if set.count_ones() < 30 {
                counts.iter_mut().enumerate().for_each(|(player, count)| *count += (set >> player & 1) as u32);
            }
        }
    }
    assert_eq!(drawn, 200 * 280);
    let mean = f64::from(counts.iter().sum::<u32>()) / 60.0;
    // Each is nearly a Poisson number: the sum of squares over the mean is a chi-square of 59 degrees, above 100 once in a thousand.
    let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
    assert!(mean > 1_000.0 && chi_square < 100.0, "{chi_square} around {mean}");
}

#[test]
fn more_samples_are_more_accurate() {
    let varying: Vec<usize> = (0..12).collect();
    // Means of 20 games; what a sample of n of 4,094 leaves open shrinks.
    let error = |samples| -> f64 {
        (0..20)
            .map(|seed| {
                let game = any_game(seed);
                let exact = shapley_values(12, &game);
                let found = attributions(12, &varying, Some(samples), seed, &game);
                found.iter().zip(exact).map(|(found, exact)| (found - exact).powi(2)).sum::<f64>()
            })
            .sum()
    };
    let errors = [50, 200, 800, 3_000, 4_094].map(error);
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0] / 1.5), "{errors:?}");
    assert!(errors[4] < 1e-20);
}
