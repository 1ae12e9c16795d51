//! The report of bias and attributions as a page: whole, closed in itself, the same every time, whatever the documents hold.

use serde_json::{Value, json};
use watchkeeper_analyzer::clarify::LocalAttributions;
use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{
    Analysis, AttributionViolation, BiasViolation, ClarifyViolation, DataType, Explanations, LabelAttributions,
    PartialDependence, PartialDependenceCurve,
};

use super::documents::{Documents, adult_window, analysis, golden, golden_json, interaction};
use crate::report::html::Page;
use crate::report::page::{HOSTILE_NAMES as NAMES, ODD_NUMBERS, assert_closed, assert_described, assert_within_box};

/// Every text of it tries to break out.
fn hostile() -> Documents {
    let metric = |name: &&str| json!({"name": name, "description": name, "value": 0.5});
    let failed = json!({"name": "FT", "description": "Flip Test (FT)", "value": null, "error": NAMES[0]});
    let metrics: Vec<Value> = NAMES.iter().map(metric).chain([failed]).collect();
    let entry = |name: &str| json!([{"value_or_threshold": name, "metrics": metrics}]);
    let facets: serde_json::Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), entry(name))).collect();
    let section = json!({"label": NAMES[2], "facets": facets, "label_value_or_threshold": NAMES[1]});
    let mut analysis = analysis(&json!({
        "version": "1.0", "post_training_bias_metrics": section, "pre_training_bias_metrics": section,
    }));
    let names = || NAMES.iter().map(|name| (*name).to_owned());
    let global_shap_values: Vec<(String, f64)> = names().zip([0.1, -0.5, 0.3, 0.0, 0.2, 0.4]).collect();
    let label = LabelAttributions { global_shap_values, expected_value: 0.5 };
    let curve = PartialDependenceCurve {
        feature_values: NAMES.iter().map(|name| json!(name)).collect(),
        data_distribution: vec![1.0 / 6.0; 6],
        model_predictions: vec![vec![0.5; 6], vec![0.25; 6]],
        label_headers: names().collect(),
    };
    let dependence =
        |(feature_name, curve)| PartialDependence { feature_name, data_type: DataType::Categorical, curve };
    let curves = [Ok(curve), Err(NAMES[0].to_owned())];
    analysis.explanations = Some(Explanations {
        kernel_shap: Some(names().map(|name| (name, label.clone())).collect()),
        pdp: Some(names().zip(curves).map(dependence).collect()),
    });
    let bias = |name: &str| ClarifyViolation::Bias(BiasViolation::new(name, name, name, 0.5, 0.25));
    let order = |name: &str| ClarifyViolation::Attribution(AttributionViolation::new(name, 0.5, 0.9));
    Documents {
        baseline: Some(analysis.clone()),
        analysis,
        violations: Some(NAMES.iter().flat_map(|name| [bias(name), order(name)]).collect()),
        spreads: Vec::new(),
        local: Some(LocalAttributions {
            features: names().collect(),
            labels: names().collect(),
            values: (0..72).map(|place| f64::from(place % 7) - 3.0).collect(),
            cells: names().chain(names()).collect(),
            predictions: vec![0.5; 12],
            join: Some((NAMES[1].to_owned(), names().collect())),
        }),
        parameters: names().map(|name| (name.clone(), name)).collect(),
        notes: names().collect(),
    }
}

fn reports() -> Vec<Documents> {
    let parsed = |path: &str| Analysis::parse(&golden(path)).unwrap();
    let two_scores = golden_json("explainability/additive-two-scores/expected.json");
    let scores = analysis(&two_scores["shap-and-top-features"]);
    let small = parsed("bias/edge-small-table/expected_analysis.json");
    let alone = |analysis: Analysis| Documents { analysis, ..Documents::default() };
    let against = |analysis: Analysis, baseline: &Analysis| Documents {
        analysis,
        baseline: Some(baseline.clone()),
        violations: Some(Vec::new()),
        ..Documents::default()
    };
    vec![
        adult_window(),
        hostile(),
        interaction().0,
        alone(Analysis::default()),
        alone(small.clone()),
        alone(analysis(&two_scores["pdp-every-kind"])),
        alone(parsed("explainability/observed-pdp-format/observed_analysis.json")),
        against(scores.clone(), &analysis(&two_scores["pdp-every-kind"])),
        against(small, &scores),
        against(scores.clone(), &scores),
        Documents { violations: hostile().violations, ..against(scores, &Analysis::default()) },
    ]
}

#[test]
fn every_report_is_a_page_of_its_own() {
    for documents in reports() {
        let report = documents.report();
        let html = report.to_html();
        assert_eq!(html, report.to_html(), "the same bytes");
        let page = Page::parse(&html);
        assert_closed(&page);
        assert_described(&page);
        assert_within_box(&page);
        assert!(page.elements.iter().all(|element| !matches!(element.name.as_str(), "b" | "img")));
        assert_eq!(report.to_notebook(), report.to_notebook());
    }
}

#[test]
fn odd_numbers_are_shown_as_they_are() {
    let made = |one: f64, other: f64| {
        let mut documents = adult_window();
        for section in [&mut documents.analysis.post_training_bias, &mut documents.analysis.pre_training_bias] {
            let metrics = &mut section.as_mut().unwrap().facets[0].1[0].metrics;
            (metrics[0].value, metrics[1].value, metrics[2].value) = (Some(one), Some(other), None);
        }
        let (rows, _) = interaction();
        let mut explanations = rows.analysis.explanations.unwrap();
        let label = &mut explanations.kernel_shap.as_mut().unwrap()[0].1;
        (label.global_shap_values[0].1, label.global_shap_values[1].1) = (one, other);
        label.expected_value = other;
        let curve = |data_type, feature_values| PartialDependence {
            feature_name: "odd".to_owned(),
            data_type,
            curve: Ok(PartialDependenceCurve {
                feature_values,
                data_distribution: vec![one, other],
                model_predictions: vec![vec![one, other, 0.5], vec![other], vec![]],
                label_headers: Vec::new(),
            }),
        };
        explanations.pdp = Some(vec![
            curve(DataType::Numerical, vec![json!(one), json!(other), json!("text")]),
            curve(DataType::Numerical, vec![json!(1), json!(1), json!(1)]),
            curve(DataType::Categorical, vec![json!(null), json!([1]), json!(true)]),
            curve(DataType::FreeText, Vec::new()),
        ]);
        documents.analysis.explanations = Some(explanations);
        let mut local = rows.local.unwrap();
        (local.values[0], local.values[7], local.predictions[2]) = (one, other, one);
        local.cells[3] = one.to_string();
        documents.local = Some(local);
        documents.spreads = vec![MetricSpread {
            is_post_training: true,
            facet: "Sex".to_owned(),
            value_or_threshold: "0".to_owned(),
            metric: "AD".to_owned(),
            standard_deviation: Some(other),
        }];
        documents
    };
    for one in ODD_NUMBERS {
        for other in ODD_NUMBERS {
            let baseline = made(other, one).analysis;
            let documents = Documents { baseline: Some(baseline), ..made(one, other) };
            let page = documents.page();
            assert_closed(&page);
            assert_within_box(&page);
            documents.report().to_notebook();
        }
    }
}

/// Attributions of single rows that do not fit the document, or one another.
#[test]
fn attributions_of_another_shape_are_left_out() {
    let (whole, _) = interaction();
    let local = whole.local.clone().unwrap();
    let cases = [
        (LocalAttributions { values: local.values[1..].to_vec(), ..local.clone() }, false),
        (LocalAttributions { values: Vec::new(), ..local.clone() }, false),
        (LocalAttributions { labels: Vec::new(), ..local.clone() }, false),
        (LocalAttributions { labels: vec!["another".to_owned()], ..local.clone() }, false),
        (LocalAttributions { features: Vec::new(), ..local.clone() }, false),
        (
            LocalAttributions {
                features: local.features.iter().map(|name| format!("{name}'")).collect(),
                ..local.clone()
            },
            false,
        ),
        (LocalAttributions { cells: Vec::new(), predictions: Vec::new(), ..local.clone() }, true),
        (LocalAttributions { cells: vec!["1".to_owned()], predictions: vec![0.5], ..local }, true),
    ];
    for (local, is_drawn) in cases {
        let page = Documents { local: Some(local), ..whole.clone() }.page();
        assert_closed(&page);
        assert_eq!(page.elements.iter().any(|it| it.has_class("swarm-row")), is_drawn);
    }
}

#[test]
fn many_scores_features_and_rows_stay_readable() {
    let (labels, features, rows) = (100, 200, 50);
    let name = |kind: &str, place: usize| format!("{kind} {place}");
    let values =
        |label: usize| (0..features).map(move |place| (name("feature", place), ((place * 37 + label) % 101) as f64));
    let label = |place: usize| LabelAttributions { global_shap_values: values(place).collect(), expected_value: 0.5 };
    let kernel_shap: Vec<_> = (0..labels).map(|place| (name("label", place), label(place))).collect();
    let analysis = Analysis {
        explanations: Some(Explanations { kernel_shap: Some(kernel_shap), pdp: None }),
        ..Analysis::default()
    };
    let local = LocalAttributions {
        features: (0..features).map(|place| name("feature", place)).collect(),
        labels: (0..labels).map(|place| name("label", place)).collect(),
        values: (0..labels * features * rows).map(|place| ((place * 7919) % 1000) as f64 - 500.0).collect(),
        ..LocalAttributions::default()
    };
    let documents = Documents {
        baseline: Some(analysis.clone()),
        analysis,
        violations: Some(Vec::new()),
        local: Some(local),
        ..Documents::default()
    };
    let html = documents.report().to_html();
    assert!(html.len() < 20_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("class=\"label\"").count(), labels);
    assert_eq!(html.matches("class=\"swarms\"").count(), 8);
    assert!(html.contains("Single rows are drawn for the first scores alone"));
}
