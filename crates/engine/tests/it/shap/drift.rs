//! The score of an order of features, and what follows from it.

use proptest::prelude::*;
use watchkeeper_engine::shap::{aggregate, attribution_drift, ndcg};
use watchkeeper_formats::clarify::{Aggregation, Analysis, Explanations, LabelAttributions};

use super::{golden_json, numbers};

/// The score by its definition, equal live values in this order.
fn in_order(gains: &[f64]) -> f64 {
    gains.iter().enumerate().map(|(place, gain)| gain / ((place + 2) as f64).log2()).sum()
}

fn permutations(items: &[f64]) -> Vec<Vec<f64>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |first: usize| {
        let mut rest = items.to_vec();
        let item = rest.remove(first);
        permutations(&rest).into_iter().map(move |rest| [&[item][..], &rest].concat())
    };
    (0..items.len()).flat_map(with_first).collect()
}

proptest! {
    #[test]
    fn ties_count_as_the_mean_of_their_orders(
        tied in proptest::collection::vec(0.01..1.0, 1..6), above in proptest::collection::vec(0.01..1.0, 0..4)
    ) {
        let pairs: Vec<(f64, f64)> = above.iter().map(|gain| (*gain, 9.0)).chain(tied.iter().map(|gain| (*gain, 3.0))).collect();
        let orders: Vec<f64> = permutations(&above).iter().flat_map(|above| {
            permutations(&tied).into_iter().map(move |tied| in_order(&[&above[..], &tied].concat()))
        }).collect();
        let mean = orders.iter().sum::<f64>() / orders.len() as f64;
        let best = permutations(&[&above[..], &tied].concat()).iter().map(|order| in_order(order)).fold(0.0, f64::max);
        prop_assert!((ndcg(&pairs) - mean / best).abs() < 1e-12);
    }

    #[test]
    fn scores_are_at_most_one_and_ignore_signs_and_scale(
        pairs in proptest::collection::vec((-1.0..1.0, -1.0..1.0), 1..30), scale in 0.1..10.0_f64
    ) {
        let score = ndcg(&pairs);
        prop_assert!(score > 0.0 && score <= 1.0 + 1e-12);
        let other: Vec<(f64, f64)> = pairs.iter().map(|(gain, live)| (-gain * scale, live.abs() / scale)).collect();
        prop_assert!((ndcg(&other) - score).abs() < 1e-12);
        let own: Vec<(f64, f64)> = pairs.iter().map(|(gain, _)| (*gain, *gain)).collect();
        prop_assert!((ndcg(&own) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn nothing_in_the_baseline_is_no_drift() {
    assert_eq!(ndcg(&[(0.0, 0.3), (0.0, 0.1)]), 1.0);
    assert_eq!(ndcg(&[]), 1.0);
}

#[test]
fn goldens() {
    let documented = golden_json("explainability/ndcg-documented/case.json");
    let near = golden_json("explainability/ndcg-near-threshold/case.json");
    for case in near["cases"].as_array().unwrap().iter().chain([&documented]) {
        let baseline = case["baseline"].as_object().unwrap();
        let pairs: Vec<(f64, f64)> = baseline
            .iter()
            .map(|(name, value)| (value.as_f64().unwrap(), case["live"][name].as_f64().unwrap()))
            .collect();
        let expected = case["expected"].as_f64().unwrap();
        assert!((ndcg(&pairs) - expected).abs() < 1e-12, "{} instead of {expected}", ndcg(&pairs));
    }
}

type Values<'a> = &'a [(&'a str, f64)];

fn analysis(labels: &[(&str, Values)]) -> Analysis {
    let label = |(name, values): &(&str, Values)| {
        let global_shap_values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        ((*name).to_owned(), LabelAttributions { global_shap_values, expected_value: 0.5 })
    };
    let explanations = Explanations { kernel_shap: Some(labels.iter().map(label).collect()), pdp: None };
    Analysis { explanations: Some(explanations), ..Analysis::default() }
}

const BASELINE: Values = &[("SAT score", 0.7), ("GPA", 0.5), ("Class rank", 0.05)];
const SHIFTED: Values = &[("SAT score", 0.1), ("GPA", 0.2), ("Class rank", 0.7)];

#[test]
fn a_drifted_label_is_a_violation() {
    let (violations, _) = attribution_drift(
        &analysis(&[("yes", SHIFTED), ("no", BASELINE)]),
        &analysis(&[("no", BASELINE), ("yes", BASELINE)]),
        0.9,
    );
    let [violation] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!(violation.label, "yes");
    assert_eq!(violation.metric_name, "shap");
    assert_eq!(violation.constraint_check_type, "feature_attribution_drift_check");
    assert_eq!(violation.description, "Feature attribution drift 0.6876396241226223 exceeds threshold 0.9");
}

#[test]
fn the_threshold_itself_is_no_violation() {
    let (live, baseline) = (analysis(&[("label0", SHIFTED)]), analysis(&[("label0", BASELINE)]));
    let score = ndcg(&[(0.7, 0.1), (0.5, 0.2), (0.05, 0.7)]);
    assert!(attribution_drift(&live, &baseline, score).0.is_empty());
    assert_eq!(attribution_drift(&live, &baseline, score + 1e-9).0.len(), 1);
}

#[test]
fn only_labels_belong_together_whatever_their_names() {
    let baseline = analysis(&[("0.7956783771514893", BASELINE)]);
    let (violations, _) = attribution_drift(&analysis(&[("label0", SHIFTED)]), &baseline, 0.9);
    assert_eq!(violations[0].label, "label0");
    let (violations, notes) = attribution_drift(&analysis(&[("label0", SHIFTED), ("label1", SHIFTED)]), &baseline, 0.9);
    assert!(violations.is_empty());
    assert_eq!(notes, ["label `0.7956783771514893` of the baseline is not in the live result and is not compared"]);
}

#[test]
fn features_of_one_side() {
    // Without the largest: places 1 and 2 are those of 0.5 and 0.05, the missing one shares no place and is last.
    let live: Values = &[("GPA", 0.3), ("Class rank", 0.1), ("new", 5.0)];
    let (violations, notes) =
        attribution_drift(&analysis(&[("label0", live)]), &analysis(&[("label0", BASELINE)]), 0.95);
    let score = in_order(&[0.5, 0.05, 0.7]) / in_order(&[0.7, 0.5, 0.05]);
    assert_eq!(violations.len(), usize::from(score < 0.95));
    assert!(notes.contains(&"label `label0`: feature `new` is not in the baseline and is not compared".to_owned()));
    assert!(notes.contains(
        &"label `label0`: feature `SAT score` of the baseline is not in the live result and counts 0".to_owned()
    ));
}

#[test]
fn without_attributions_there_is_nothing_to_compare() {
    let (violations, notes) = attribution_drift(&Analysis::default(), &analysis(&[("label0", BASELINE)]), 0.9);
    assert!(violations.is_empty());
    assert_eq!(notes.len(), 1);
}

#[test]
fn aggregations() {
    let case = golden_json("explainability/interaction-identity-link/case.json");
    let local: Vec<Vec<f64>> = case["local"].as_array().unwrap().iter().map(numbers).collect();
    for method in [Aggregation::MeanAbs, Aggregation::Median, Aggregation::MeanSq] {
        let expected = numbers(&case["global"][method.as_str()]);
        for (feature, expected) in expected.iter().enumerate() {
            let mut values: Vec<f64> = local.iter().map(|row| row[feature]).collect();
            assert!((aggregate(method, &mut values) - expected).abs() < 1e-12);
            assert_eq!(aggregate(method, &mut []), 0.0);
        }
    }
    assert_eq!(aggregate(Aggregation::Median, &mut [3.0, -1.0, 2.0]), 2.0);
}
