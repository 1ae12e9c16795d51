//! Attributions against Shapley values by their definition, and their axioms.

use proptest::prelude::*;
use watchkeeper_engine::shap::{Coalitions, Explanation, Link};

use super::{any_game, assert_near, attributions, sets, shapley_values};

/// So many players of any number of features.
fn players(most: usize) -> impl Strategy<Value = (usize, Vec<usize>)> {
    (1..=most, 0..140_usize).prop_flat_map(|(players, others)| {
        let features = players + others;
        (Just(features), proptest::sample::subsequence((0..features).collect::<Vec<_>>(), players))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn with_all_coalitions_the_values_are_exact((features, varying) in players(12), seed: u64) {
        let game = any_game(seed);
        let found = attributions(features, &varying, Some(1 << 12), seed, &game);
        let exact = shapley_values(varying.len(), &game);
        let of_varying: Vec<f64> = varying.iter().map(|&feature| found[feature]).collect();
        assert_near(&of_varying, &exact, 1e-9);
        prop_assert!((0..features).all(|feature| varying.contains(&feature) || found[feature] == 0.0));
    }

    #[test]
    fn attributions_sum_to_the_difference((features, varying) in players(40), samples in 1..300_u64, seed: u64) {
        let game = any_game(seed);
        let found = attributions(features, &varying, Some(samples), seed, &game);
        let total = game((1 << varying.len()) - 1) - game(0);
        // A value that is almost nothing is nothing.
        prop_assert!((found.iter().sum::<f64>() - total).abs() < 1e-9 + 1e-10 * varying.len() as f64);
    }

    #[test]
    fn an_additive_game_is_exact_as_soon_as_there_are_enough_samples(
        (features, varying) in players(60), weights in proptest::collection::vec(-1.0..1.0, 60), more in 0..200_u64, seed: u64
    ) {
        let game = |set: u64| -> f64 { (0..varying.len()).map(|player| (set >> player & 1) as f64 * weights[player]).sum() };
        // Enough for all single features and all but single ones.
        let found = attributions(features, &varying, Some(16 * varying.len() as u64 + more), seed, &game);
        let of_varying: Vec<f64> = varying.iter().map(|&feature| found[feature]).collect();
        assert_near(&of_varying, &weights[..varying.len()], 1e-9);
    }

    #[test]
    fn players_that_bring_nothing_get_nothing_and_equal_ones_get_the_same(seed: u64, players in 3..=10_usize) {
        let inner = any_game(seed);
        // Player 0 brings nothing; players 1 and 2 are only counted.
        let game = |set: u64| inner((set >> 1 & 1) + (set >> 2 & 1) + (set >> 3 << 2));
        let varying: Vec<usize> = (0..players).collect();
        let found = attributions(players, &varying, Some(1 << 12), seed, &game);
        prop_assert_eq!(found[0], 0.0);
        prop_assert!((found[1] - found[2]).abs() < 1e-12);
    }

    #[test]
    fn attributions_of_a_sum_of_games_are_the_sums(seed: u64, samples in 30..400_u64) {
        let varying: Vec<usize> = (0..20).collect();
        let (one, other) = (any_game(seed), any_game(!seed));
        let of = |game: &dyn Fn(u64) -> f64| attributions(20, &varying, Some(samples), 3, game);
        let sums: Vec<f64> = of(&one).iter().zip(of(&other)).map(|(one, other)| one + other).collect();
        assert_near(&of(&|set| one(set) + other(set)), &sums, 1e-9);
    }

    /// With few samples many attributions fit. Those found fit what was scored: a coalition and its complement say twice the same of an
    /// attribution, so their mean is met.
    #[test]
    fn few_samples_are_met_exactly(seed: u64, players in 6..25_usize) {
        // Of an odd number every set has its complement, and two different sets do not contradict each other.
        let players = 2 * players + 1;
        let varying: Vec<usize> = (0..players).collect();
        let game = any_game(seed);
        let explanation = Explanation::new(players, &varying, Some(4), seed, 0);
        let sets = sets(&explanation, &varying);
        let (none, all) = (game(0), game((1 << players) - 1));
        let values: Vec<f64> = sets.iter().map(|set| game(*set)).collect();
        let found = explanation.attributions(&values, none, all);
        let full = (1_u64 << players) - 1;
        for set in &sets {
            let said: Vec<f64> = sets.iter().zip(&values).filter_map(|(other, value)| match *other {
                other if other == *set => Some(value - none),
                other if other == full ^ set => Some(all - value),
                _ => None,
            }).collect();
            let sum: f64 = (0..players).filter(|player| set >> player & 1 == 1).map(|player| found[player]).sum();
            prop_assert!((sum - said.iter().sum::<f64>() / said.len() as f64).abs() < 1e-8);
        }
    }
}

#[test]
fn one_sample_says_what_one_feature_brings() {
    // One coalition of one of three features or of two: the unknown of least norm is shared by the features that it tells apart.
    for row in 0..20 {
        let explanation = Explanation::new(3, &[0, 1, 2], Some(1), 0, row);
        assert_eq!(explanation.coalitions().len(), 1);
        let found = explanation.attributions(&[0.25], 0.0, 1.0);
        let inside: Vec<usize> = (0..3).filter(|&feature| explanation.coalitions().contains(0, feature)).collect();
        let sum: f64 = inside.iter().map(|&feature| found[feature]).sum();
        assert!((sum - 0.25).abs() < 1e-12 && (found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found:?}");
    }
}

#[test]
fn rows_that_hardly_differ_need_no_scores() {
    let nothing = Explanation::new(5, &[], None, 0, 0);
    assert!(nothing.coalitions().is_empty());
    assert_eq!(nothing.attributions(&[], 0.5, 0.5), [0.0; 5]);
    let one = Explanation::new(5, &[3], None, 0, 0);
    assert!(one.coalitions().is_empty());
    assert_eq!(one.attributions(&[], 0.25, 0.75), [0.0, 0.0, 0.0, 0.5, 0.0]);
}

#[test]
fn what_is_almost_nothing_is_nothing() {
    let found = attributions(3, &[0, 1, 2], None, 0, &|set| [0.0, 5e-11, 1.0, 1.0 + 5e-11][set as usize & 3]);
    assert_eq!(found[0], 0.0);
    assert!((found[1] - 1.0).abs() < 1e-9);
}

#[test]
fn numbers_of_coalitions() {
    // min(2·M + 2048, 2^m − 2) by default.
    assert_eq!(Coalitions::count(1, 1, None), 0);
    assert_eq!(Coalitions::count(2, 2, None), 2);
    assert_eq!(Coalitions::count(11, 11, None), 2046);
    assert_eq!(Coalitions::count(69, 69, None), 2186);
    assert_eq!(Coalitions::count(69, 4, None), 14);
    assert_eq!(Coalitions::count(69, 69, Some(100)), 100);
    // Never more than can be held.
    assert_eq!(Coalitions::count(69, 69, Some(u64::MAX)), 1 << 24);
    for features in [2, 11, 69, 200] {
        let varying: Vec<usize> = (0..features).collect();
        let explanation = Explanation::new(features, &varying, None, 0, 0);
        assert_eq!(explanation.coalitions().len() as u64, Coalitions::count(features, features, None));
    }
}

#[test]
fn log_odds() {
    assert_eq!(Link::Identity.of(0.3), 0.3);
    assert_eq!(Link::Logit.of(0.5), 0.0);
    // Python: math.log(0.9 / (1 - 0.9))
    assert_near(&[Link::Logit.of(0.9)], &[2.197_224_577_336_219_6], 1e-15);
    // Python: math.log(1e-12 / (1 - 1e-12))
    assert_near(&[Link::Logit.of(0.0), Link::Logit.of(1.0)], &[-27.631_021_115_927_547, 27.631_021_115_950_28], 1e-3);
    assert!(Link::Logit.of(-1.0).is_finite() && Link::Logit.of(2.0).is_finite());
}
