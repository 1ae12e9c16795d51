//! Metrics that are further from zero than before.

use watchkeeper_engine::bias::{MetricSpread, drift};
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, FacetMetrics};

/// A document whose pre-training section has one metric in each of these entries.
fn analysis(entries: &[(&str, &str, Option<f64>)]) -> Analysis {
    let mut facets: Vec<(String, Vec<FacetMetrics>)> = Vec::new();
    for (facet, value_or_threshold, value) in entries {
        let metric = BiasMetric { name: "DPL".to_owned(), description: String::new(), value: *value, error: None };
        let entry = FacetMetrics { value_or_threshold: (*value_or_threshold).to_owned(), metrics: vec![metric] };
        match facets.iter_mut().find(|(name, _)| name == facet) {
            Some((_, entries)) => entries.push(entry),
            None => facets.push(((*facet).to_owned(), vec![entry])),
        }
    }
    let section = BiasSection { label: "y".to_owned(), facets, label_value_or_threshold: "1".to_owned() };
    Analysis { pre_training_bias: Some(section), ..Analysis::default() }
}

fn is_violation(live: f64, baseline: f64) -> bool {
    let (live, baseline) = (analysis(&[("f", "d", Some(live))]), analysis(&[("f", "d", Some(baseline))]));
    !drift(&live, &baseline, None).violations.is_empty()
}

#[test]
fn the_distance_from_zero_decides() {
    // The guide's example: 0.1 and -0.3 beside 0.2.
    for (live, baseline, expected) in [
        (0.1, 0.2, false),
        (-0.3, 0.2, true),
        (0.2, -0.2, false),
        (0.200_000_000_000_000_04, 0.2, true),
        (0.0, 0.0, false),
        (-1e-300, 0.0, true),
        (f64::INFINITY, 5.0, true),
        (f64::NEG_INFINITY, f64::INFINITY, false),
        (1e300, f64::INFINITY, false),
    ] {
        assert_eq!(is_violation(live, baseline), expected, "{live} beside {baseline}");
    }
}

#[test]
fn the_text_says_both_values() {
    let live = analysis(&[("f", "d", Some(f64::NEG_INFINITY))]);
    let drifted = drift(&live, &analysis(&[("f", "d", Some(-0.5))]), None);
    let [violation] = drifted.violations.as_slice() else { panic!("{drifted:?}") };
    assert_eq!(violation.description, "Metric value -Infinity doesn't meet the baseline constraint requirement -0.5");
    assert_eq!((violation.facet.as_str(), violation.facet_value.as_str()), ("f", "d"));
    assert_eq!((violation.metric_name.as_str(), violation.constraint_check_type.as_str()), ("DPL", "bias_drift_check"));
}

#[test]
fn what_one_side_does_not_have_is_no_violation() {
    let baseline = analysis(&[("f", "d", None)]);
    assert!(drift(&analysis(&[("f", "d", Some(0.9))]), &baseline, None).violations.is_empty());
    assert!(drift(&baseline, &analysis(&[("f", "d", Some(0.1))]), None).violations.is_empty());

    let live = analysis(&[("f", "new", Some(0.9)), ("g", "d", Some(0.9))]);
    let drifted = drift(&live, &analysis(&[("f", "d", Some(0.1))]), None);
    assert_eq!(drifted.violations, []);
    assert_eq!(
        drifted.notes,
        [
            "The baseline's pre-training bias metrics have no entry new of facet f, it is not checked",
            "The baseline's pre-training bias metrics have no entry d of facet g, it is not checked",
        ]
    );
    let drifted = drift(&live, &Analysis::default(), None);
    assert_eq!(
        drifted.notes,
        ["The baseline has no pre-training bias metrics, those of this analysis are not checked"]
    );
}

#[test]
fn entries_are_paired_by_what_they_stand_for() {
    let baseline = analysis(&[
        ("f", "(100, 225]", Some(0.1)),
        ("f", "(200.0, 225.0]", Some(0.5)),
        ("f", "1", Some(0.2)),
        ("f", "01", Some(0.7)),
        ("f", "x,y", Some(0.1)),
    ]);
    for (entry, value, expected) in [
        // The upper end moves with the data.
        ("(100, 232]", 0.2, Some("0.1")),
        ("(200, 210]", 0.4, None),
        ("(200, 210]", 0.6, Some("0.5")),
        ("1.0", 0.3, Some("0.2")),
        ("01", 0.6, None),
        ("x,y", 0.2, Some("0.1")),
        ("y,x", 0.2, None),
    ] {
        let drifted = drift(&analysis(&[("f", entry, Some(value))]), &baseline, None);
        let description = drifted.violations.first().map(|violation| violation.description.clone());
        let requirement = description.as_deref().map(|text| text.rsplit(' ').next().unwrap());
        assert_eq!(requirement, expected, "{entry}");
        // The reported entry is the live one.
        assert!(drifted.violations.iter().all(|violation| violation.facet_value == entry));
    }
}

#[test]
fn with_a_level_the_interval_must_be_beyond() {
    let spread = |standard_deviation| MetricSpread {
        is_post_training: false,
        facet: "f".to_owned(),
        value_or_threshold: "d".to_owned(),
        metric: "DPL".to_owned(),
        standard_deviation,
    };
    let count = |live: f64, level: f64, spread: &MetricSpread| {
        let (live, baseline) = (analysis(&[("f", "d", Some(live))]), analysis(&[("f", "d", Some(0.2))]));
        drift(&live, &baseline, Some((level, std::slice::from_ref(spread)))).violations.len()
    };
    // 1.96 standard deviations on each side are 95 %, 2.58 are 99 %.
    for live in [0.3, -0.3] {
        assert_eq!(count(live, 0.95, &spread(Some(0.1 / 1.97))), 1);
        assert_eq!(count(live, 0.95, &spread(Some(0.1 / 1.95))), 0);
        assert_eq!(count(live, 0.99, &spread(Some(0.1 / 1.97))), 0);
        assert_eq!(count(live, 0.99, &spread(Some(0.1 / 2.58))), 1);
        assert_eq!(count(live, 0.95, &spread(None)), 1, "without a spread the value decides");
    }
}
