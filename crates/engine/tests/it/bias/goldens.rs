//! The goldens that are CSV files, and those that are counts.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use watchkeeper_engine::bias::{BiasResult, drift};
use watchkeeper_engine::table::{Column, Table};
use watchkeeper_formats::clarify::{Analysis, BiasViolation};

use super::{Question, assert_sections, column, integer, metric, table};

fn path(case: &str, file: &str) -> PathBuf {
    let goldens = concat!(env!("CARGO_MANIFEST_DIR"), "/../analyzer/tests/goldens/bias");
    PathBuf::from(goldens).join(case).join(file)
}

fn text(case: &str, file: &str) -> String {
    fs::read_to_string(path(case, file)).unwrap()
}

fn json(case: &str, file: &str) -> Value {
    serde_json::from_str(&text(case, file)).unwrap()
}

/// A CSV file, which has a header row unless names are given.
fn read(case: &str, file: &str, names: Option<&Value>) -> Table {
    let mut reader = csv::ReaderBuilder::new().has_headers(names.is_none()).from_path(path(case, file)).unwrap();
    let names: Vec<String> = match names {
        Some(names) => names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        None => reader.headers().unwrap().iter().map(str::to_owned).collect(),
    };
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    table(
        names
            .iter()
            .enumerate()
            .map(|(place, name)| column(name, records.iter().map(|record| &record[place])))
            .collect(),
    )
}

fn check(case: &str, description: &Value, config: &Value, predictions: Option<&Column>, expected: &Value, name: &str) {
    let dataset = read(case, "dataset.csv", config.get("headers"));
    let mut question = Question::of_config(config);
    question.predicted = predictions.is_some();
    let tolerance = description["abs_tol"].as_f64().unwrap();
    let flip_test = description.get("ft_abs_tol").map_or(tolerance, |tolerance| tolerance.as_f64().unwrap());
    let found = question.ask(&dataset, predictions);
    match expected {
        Value::String(error) => {
            let found = found.expect_err(name).to_string();
            assert!(found.contains(error.as_str()), "{name}: {found}");
        }
        expected => assert!(assert_sections(&found.unwrap(), expected, tolerance, flip_test, name) > 0),
    }
}

#[test]
fn datasets_in_csv() {
    for case in ["edge-small-table", "fraud-continuous-facets", "fraud-numeric-facets", "sdk-data-bias-check"] {
        let description = json(case, "case.json");
        let predictions = description.get("predictions").map(|_| read(case, "predictions.csv", None));
        let config = json(case, "analysis_config.json");
        let predictions = predictions.as_ref().map(|table| &table.columns[0]);
        check(case, &description, &config, predictions, &json(case, "expected_analysis.json"), case);
    }
}

#[test]
fn missing_cells_and_types() {
    let case = "edge-missing-and-types";
    let (description, expected) = (json(case, "case.json"), json(case, "expected.json"));
    let predictions = read(case, "predictions.csv", None);
    for analysis in description["analyses"].as_array().unwrap() {
        let name = analysis["name"].as_str().unwrap();
        let column = analysis["predictions_column"]
            .as_str()
            .map(|column| &predictions.columns[predictions.position(column).unwrap()]);
        let expected = analysis.get("expected_failure_contains").unwrap_or(&expected[name]);
        check(case, &description, &analysis["analysis_config"], column, expected, name);
    }
}

/// A facet `d` beside `a`: rows by observed and predicted label, which are 1 or 0.
fn of_counts(sides: [(&str, [u64; 4]); 2]) -> BiasResult {
    let mut rows = Vec::new();
    for (side, counts) in sides {
        for (outcome, count) in [("1", "1"), ("0", "1"), ("1", "0"), ("0", "0")].into_iter().zip(counts) {
            rows.extend((0..count).map(|_| (side, outcome.0, outcome.1)));
        }
    }
    let columns = vec![
        column("f", rows.iter().map(|row| row.0)),
        column("y", rows.iter().map(|row| row.1)),
        column("p", rows.iter().map(|row| row.2)),
    ];
    Question::new(integer(1), vec![super::text("d")]).ask(&table(columns), None).unwrap()
}

#[test]
fn worked_examples_of_the_guide() {
    let description = json("documented-worked-examples", "case.json");
    for case in description["cases"].as_array().unwrap() {
        let name = case["metric"].as_str().unwrap();
        let side = |side: &str| {
            let counts = &case[side];
            let count = |member: &str| counts.get(member).map(|count| count.as_u64().unwrap());
            let (true_positives, false_positives) = (count("tp").unwrap_or(0), count("fp").unwrap_or(0));
            let (false_negatives, true_negatives) = (count("fn").unwrap_or(0), count("tn").unwrap_or(0));
            if let (Some(observed), Some(predicted)) = (count("observed_positive"), count("predicted_positive")) {
                let both = observed.min(predicted);
                return [both, predicted - both, observed - both, 0];
            }
            if let (Some(observed), Some(predicted)) = (count("observed_negative"), count("predicted_negative")) {
                let both = observed.min(predicted);
                return [1, observed - both, predicted - both, both];
            }
            let extra = u64::from(name == "DRR");
            [true_positives + extra, false_positives, false_negatives, true_negatives]
        };
        let found = of_counts([("a", side("a")), ("d", side("d"))]);
        let value = metric(found.post_training.as_ref(), name).value.unwrap();
        let expected = case["expected"].as_f64().unwrap();
        assert!((value - expected).abs() <= 1e-9, "{name}: {value}, not {expected}");
    }
}

#[test]
fn labels_of_the_whole_adult_data() {
    let description = json("adult-full-pretraining-from-counts", "case.json");
    let side = |side: &str| {
        let (rows, positive) = (&description["counts"][side]["rows"], &description["counts"][side]["positive"]);
        let (rows, positive) = (rows.as_u64().unwrap(), positive.as_u64().unwrap());
        [positive, 0, 0, rows - positive]
    };
    let found = of_counts([("a", side("complement")), ("d", side("facet"))]);
    for (name, expected) in description["expected"].as_object().unwrap() {
        let value = metric(found.pre_training.as_ref(), name).value.unwrap();
        assert!((value - expected.as_f64().unwrap()).abs() <= 1e-12, "{name}: {value}, not {expected}");
    }
}

/// The recorded violations of a window: the same entries in the same order.
#[test]
fn violations_of_a_recorded_window() {
    let live = Analysis::parse(&text("adult-linear-live-jsonlines", "live_metrics.json")).unwrap();
    let baseline = Analysis::parse(&text("adult-linear-baseline", "expected_analysis.json")).unwrap();
    let observed = json("adult-linear-live-jsonlines", "observed_violations.json");
    let drifted = drift(&live, &baseline, None);
    assert_eq!(drifted.notes, Vec::<String>::new());
    let observed: Vec<BiasViolation> = serde_json::from_value(observed["violations"].clone()).unwrap();
    assert_eq!(drifted.violations.len(), 9);
    for (found, wanted) in drifted.violations.iter().zip(&observed) {
        assert_eq!(numbers_of(&found.description).0, numbers_of(&wanted.description).0);
        let without_text =
            |violation: &BiasViolation| BiasViolation { description: String::new(), ..violation.clone() };
        assert_eq!(without_text(found), without_text(wanted));
        for (number, wanted) in numbers_of(&found.description).1.iter().zip(numbers_of(&wanted.description).1) {
            let tolerance = if found.metric_name == "FT" { 0.02 } else { 1e-9 };
            assert!(
                *number == wanted || (number - wanted).abs() <= tolerance,
                "{}: {number}, not {wanted}",
                found.metric_name
            );
        }
    }
    assert_eq!(drift(&baseline, &baseline, None).violations, []);
}

/// The words and the numbers of a text.
fn numbers_of(text: &str) -> (Vec<&str>, Vec<f64>) {
    let (numbers, words): (Vec<&str>, Vec<&str>) = text.split(' ').partition(|word| word.parse::<f64>().is_ok());
    (words, numbers.into_iter().map(|number| number.parse().unwrap()).collect())
}
