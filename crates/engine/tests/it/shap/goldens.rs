//! The goldens of Kernel SHAP.

use watchkeeper_engine::shap::{Link, aggregate};
use watchkeeper_formats::clarify::Aggregation;

use super::{assert_near, explain, golden, golden_json, numbers};

#[test]
fn three_background_rows_and_interactions() {
    let case = golden_json("explainability/interaction-identity-link/case.json");
    let rows = |key: &str| -> Vec<Vec<f64>> { case[key].as_array().unwrap().iter().map(numbers).collect() };
    let model =
        |x: &[f64]| 0.3 * x[0] + 0.5 * x[1] * x[2] - 0.2 * x[3] * x[3] + 0.1 * x[0] * x[3] * x[4] - 0.4 * x[4].tanh();
    for (row, expected) in rows("rows").iter().zip(rows("local")) {
        assert_near(&explain(&model, row, &rows("baseline_rows"), Some(30), Link::Identity), &expected, 1e-9);
    }
}

#[test]
fn a_logistic_model_of_census_rows() {
    let folder = "explainability/adult-linear-shap-baseline";
    let case = golden_json(&format!("{folder}/model.json"));
    let (weights, bias) = (numbers(&case["weights"]), case["bias"].as_f64().unwrap());
    let model = |row: &[f64]| {
        let sum: f64 = row.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
        1.0 / (1.0 + (-(sum + bias)).exp())
    };
    let config = golden_json(&format!("{folder}/analysis_config.json"));
    let background = vec![numbers(&config["methods"]["shap"]["baseline"][0]["features"])];
    let dataset = golden("bias/adult-linear-baseline/dataset.jsonl");
    let rows: Vec<Vec<f64>> = dataset
        .lines()
        .map(|line| numbers(&serde_json::from_str::<serde_json::Value>(line).unwrap()["features"]))
        .collect();
    assert_eq!(rows.len(), 666);

    let exact: Vec<Vec<f64>> =
        rows.iter().map(|row| explain(&model, row, &background, Some(16_382), Link::Identity)).collect();
    let first = golden(&format!("{folder}/exact_local_first_40.csv"));
    for (found, line) in exact.iter().zip(first.lines().skip(1)) {
        let expected: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert_near(found, &expected, 1e-9);
    }
    let expected = golden_json(&format!("{folder}/exact_global.json"));
    let expected: Vec<f64> =
        expected["global_shap_values"].as_object().unwrap().values().map(|value| value.as_f64().unwrap()).collect();
    assert_near(&global(&exact), &expected, 1e-9);

    let sampled: Vec<Vec<f64>> =
        rows.iter().map(|row| explain(&model, row, &background, Some(100), Link::Identity)).collect();
    assert_near(&global(&sampled), &expected, 0.002);
    for (row, attributions) in rows.iter().zip(&sampled) {
        assert!((attributions.iter().sum::<f64>() - (model(row) - model(&background[0]))).abs() < 1e-9);
    }
}

fn global(local: &[Vec<f64>]) -> Vec<f64> {
    (0..local[0].len())
        .map(|feature| aggregate(Aggregation::MeanAbs, &mut local.iter().map(|row| row[feature]).collect::<Vec<_>>()))
        .collect()
}
