//! Bias, attributions and partial dependence.

use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_engine::shap::attribution_drift;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation, ClarifyViolations};

use super::super::{ClarifyView, analysis, clarify, clarify_violations};
use super::*;

fn clarify_golden(name: &str) -> String {
    fs::read_to_string(here().join("../analyzer/tests/goldens").join(name)).unwrap()
}

/// What the real service found, recorded.
fn recorded(name: &str) -> Analysis {
    Analysis::parse(&clarify_golden(name)).unwrap()
}

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(width(line) <= NARROW.width, "{line:?} is wider than {}", NARROW.width);
    }
}

#[test]
fn an_analysis_of_bias_with_values_that_cannot_be_computed() {
    let document = recorded("bias/edge-small-table/expected_analysis.json");
    assert_shown("bias_edge_cases", &analysis(&document, &WIDE));
    assert_fits(&analysis(&document, &NARROW));
    assert!(analysis(&document, &ASCII).is_ascii());
}

#[test]
fn bias_beside_its_baseline() {
    let live = recorded("bias/adult-linear-baseline/expected_analysis.json");
    let mut baseline = live.clone();
    let metrics = &mut baseline.post_training_bias.as_mut().unwrap().facets[0].1[0].metrics;
    metrics[0].value = Some(0.1);
    // Less by one unit in the last place: no digit that is usually shown tells.
    let value = metrics[1].value.unwrap();
    metrics[1].value = Some(value.next_down());
    let violation = |metric: usize, value: f64, name: &str| {
        let baseline = baseline.post_training_bias.as_ref().unwrap().facets[0].1[0].metrics[metric].value.unwrap();
        ClarifyViolation::Bias(watchkeeper_formats::clarify::BiasViolation::new("Sex", "0", name, value, baseline))
    };
    let violations = [violation(0, -0.151_566_416_040_100_24, "AD"), violation(1, value, "CDDPL")];
    let spreads = [MetricSpread {
        is_post_training: true,
        facet: "Sex".to_owned(),
        value_or_threshold: "0".to_owned(),
        metric: "AD".to_owned(),
        standard_deviation: Some(0.01),
    }];
    let notes = ["Column Sex is classified as a CATEGORICAL column".to_owned()];
    let view = ClarifyView {
        analysis: &live,
        baseline: Some(&baseline),
        violations: Some(&violations),
        spreads: &spreads,
        notes: &notes,
    };
    assert_shown("bias_beside_its_baseline", &clarify(&view, &WIDE));
    assert_fits(&clarify(&view, &NARROW));
    let judged = ClarifyView { violations: Some(&[]), ..view };
    assert!(clarify(&judged, &WIDE).starts_with("no violations in bias of 1 group\n"));
    let of_others = recorded("explainability/adult-linear-shap-baseline/observed_analysis.json");
    let unjudged = ClarifyView { baseline: Some(&of_others), ..judged };
    assert!(clarify(&unjudged, &WIDE).starts_with("nothing judged in bias of 1 group\n"));
}

/// Whole numbers of one run, and the same as floats of another: judged, and shown so.
#[test]
fn a_baseline_that_writes_its_values_otherwise() {
    let live = recorded("bias/adult-linear-baseline/expected_analysis.json");
    let mut baseline = live.clone();
    for section in [&mut baseline.post_training_bias, &mut baseline.pre_training_bias] {
        section.as_mut().unwrap().facets[0].1[0].value_or_threshold = "0.0".to_owned();
    }
    assert!(watchkeeper_engine::bias::drift(&live, &baseline, None).notes.is_empty());
    let view =
        ClarifyView { analysis: &live, baseline: Some(&baseline), violations: Some(&[]), spreads: &[], notes: &[] };
    let shown = clarify(&view, &WIDE);
    assert!(shown.starts_with("no violations in bias of 1 group\n") && shown.contains("  ok\n"), "{shown}");
}

#[test]
fn what_has_no_room_in_a_table_is_said_below_it() {
    let document = recorded("bias/edge-small-table/expected_analysis.json");
    let shown = analysis(&document, &Style { width: 40, ..NARROW }).replace('\n', " ");
    assert!(shown.contains(" no FT: FlipTest does not support non-numeric columns "), "{shown}");
    let document = recorded("explainability/adult-linear-shap-baseline/observed_analysis.json");
    let shown = analysis(&document, &Style { width: 40, ..NARROW });
    assert!(!shown.contains("not in 40 columns"), "{shown}");
}

#[test]
fn attributions_and_dependence() {
    let document = recorded("explainability/observed-pdp-format/observed_analysis.json");
    assert_shown("attributions_and_dependence", &analysis(&document, &WIDE));
    assert_fits(&analysis(&document, &NARROW));
    assert!(analysis(&document, &ASCII).is_ascii());
}

#[test]
fn an_order_of_features_beside_its_baseline() {
    let baseline = recorded("explainability/adult-linear-shap-baseline/observed_analysis.json");
    let mut live = baseline.clone();
    let labels = live.explanations.as_mut().unwrap().kernel_shap.as_mut().unwrap();
    let values = &mut labels[0].1.global_shap_values;
    // The most important one and the least change places.
    values.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let last = values.len() - 1;
    (values[0].1, values[last].1) = (values[last].1, values[0].1);
    let (violations, _) = attribution_drift(&live, &baseline, 0.99);
    assert_eq!(violations.len(), 1);
    let violations: Vec<ClarifyViolation> = violations.into_iter().map(ClarifyViolation::Attribution).collect();
    let view = ClarifyView {
        analysis: &live,
        baseline: Some(&baseline),
        violations: Some(&violations),
        spreads: &[],
        notes: &[],
    };
    assert_shown("attributions_beside_their_baseline", &clarify(&view, &WIDE));
    assert_fits(&clarify(&view, &NARROW));
}

#[test]
fn violations_are_sentences() {
    let recorded =
        ClarifyViolations::parse(&clarify_golden("bias/adult-linear-live-jsonlines/observed_violations.json"));
    let shown = clarify_violations(&recorded.unwrap(), &WIDE);
    assert!(
        shown.starts_with("9 violations\n\nCDDPL of Sex = 0: Metric value 0.37745519271384836 doesn't meet"),
        "{shown}"
    );
    assert_eq!(clarify_violations(&ClarifyViolations::default(), &WIDE), "no violations\n");
}
