//! What ends a whole analysis, and what the log is told.

use watchkeeper_formats::clarify::ConfiguredValue;

use super::{Question, integer, metric, rows, text};

const NAMES: &str = "f y p x";

fn error(question: &Question, table: &[&str]) -> String {
    question.ask(&rows(NAMES, table), None).unwrap_err().to_string()
}

#[test]
fn errors_of_the_whole_analysis() {
    let table = ["u 1 1 0.5", "v 0 0 1.5", "v 1 0 2.5"];
    let question = |positive, facet| Question::new(positive, facet);
    let mut no_label = question(integer(1), vec![]);
    no_label.positive.clear();
    let cases = [
        (no_label, "Positive label values or thresholds are empty for Label column"),
        (
            question(integer(7), vec![]),
            "No Label values are present in the predicted Label Column,Positive Predicted Index Series contains all False \
             values; positive means > 7",
        ),
        (
            question(text("many"), vec![]),
            "Facet/label value provided must be a single numeric threshold for continuous data",
        ),
    ];
    for (question, beginning) in cases {
        let found = error(&question, &table);
        assert!(found.starts_with(beginning), "{found}");
    }
    let mut of_numbers = question(integer(1), vec![]);
    of_numbers.facets[0].0 = "x".to_owned();
    let found = error(&of_numbers, &table);
    assert!(found.starts_with("Threshold values must be provided for continuous features"), "{found}");
    assert!(found.contains("column x"), "{found}");
}

#[test]
fn columns_without_a_value() {
    let question = Question::new(integer(1), vec![text("u")]);
    assert_eq!(error(&question, &["u - 1 1", "v - 0 2"]), "Label column y has no value in any of its 2 rows");
    assert_eq!(error(&question, &["- 1 1 1", "- 0 0 2"]), "Facet column f has no value in any of its 2 rows");
}

#[test]
fn labels_and_predictions_of_different_kinds() {
    let numbers: Vec<String> = (0..30).map(|row| format!("u {row}.5 word 1")).collect();
    let table: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert_eq!(
        error(&Question::new(integer(5), vec![text("u")]), &table),
        "Predicted Label Column series datatype is not the same as Label Column series: p is CATEGORICAL, y is CONTINUOUS"
    );
}

#[test]
fn values_that_are_no_numbers() {
    let mut table = vec!["1 1 1 1"; 100];
    table.extend(["2 0 0 2", "3 0 0 2", "4 0 0 2"]);
    let found = error(&Question::new(integer(1), vec![text("one")]), &table);
    assert_eq!(found, "Could not convert string to float. 'one' for column f");
}

/// In small tables and where cells are missing, too, a column of 0 and 1 is two categories.
#[test]
fn two_codes_are_categories() {
    let table = rows(NAMES, &["1 1 1 0.5", "0 0 0 1.5", "0 1 1 2.5", "- 0 1 2.5"]);
    for value in [integer(1), ConfiguredValue::Float(1.0), text("1"), ConfiguredValue::Boolean(true)] {
        let found = Question::new(integer(1), vec![value.clone()]).ask(&table, None).unwrap();
        let section = found.pre_training.as_ref();
        assert_eq!(section.unwrap().label_value_or_threshold, "1");
        assert_eq!(section.unwrap().facets[0].1[0].value_or_threshold, value.printed());
        assert_eq!(metric(section, "CI").value, Some(0.5), "{value:?}: one of four rows");
        assert_eq!(metric(section, "DPL").value, Some(1.0 / 3.0 - 1.0));
    }
    // A threshold between them is one.
    let found = Question::new(integer(1), vec![ConfiguredValue::Float(0.5)]).ask(&table, None).unwrap();
    let section = found.pre_training.as_ref();
    assert_eq!(section.unwrap().facets[0].1[0].value_or_threshold, "(0.5, 1.0]");
    assert_eq!(metric(section, "CI").value, Some(0.5));
    // Without a value there is an entry for each.
    let found = Question::new(integer(1), vec![]).ask(&table, None).unwrap();
    let entries = &found.pre_training.as_ref().unwrap().facets[0].1;
    let printed: Vec<&str> = entries.iter().map(|entry| entry.value_or_threshold.as_str()).collect();
    assert_eq!(printed, ["1.0", "0.0"]);
}

#[test]
fn groups_of_text_may_be_missing() {
    let mut question = Question::new(integer(1), vec![text("u")]);
    question.group = Some("g".to_owned());
    let found = question.ask(&rows("f y p g", &["u 1 1 k", "v 0 0 k", "u 0 1 -", "v 1 0 -"]), None).unwrap();
    // Of the one group the facet has the positive, the complement the negative.
    assert_eq!(metric(found.pre_training.as_ref(), "CDDL").value, Some(-1.0));
}

#[test]
fn a_column_that_is_a_facet_twice_has_all_entries_under_its_name() {
    let mut question = Question::new(integer(1), vec![text("u")]);
    question.facets = vec![
        ("f".to_owned(), vec![text("u")]),
        ("x".to_owned(), vec![integer(1)]),
        ("f".to_owned(), vec![text("v"), text("w")]),
    ];
    let found = question.ask(&rows(NAMES, &["u 1 1 0.5", "v 0 0 1.5", "w 0 1 2.5"]), None).unwrap();
    let facets: Vec<(&str, Vec<&str>)> = found
        .post_training
        .as_ref()
        .unwrap()
        .facets
        .iter()
        .map(|(name, entries)| (name.as_str(), entries.iter().map(|entry| entry.value_or_threshold.as_str()).collect()))
        .collect();
    assert_eq!(facets, [("f", vec!["u", "v,w"]), ("x", vec!["(1.0, 2.5]"])]);
}

#[test]
fn the_log_is_told_how_columns_are_read() {
    let mut table = vec!["1 1 1 1"; 100];
    table.extend(["2 0 0 2", "3 0 0 2", "4 0 0 2"]);
    let found = Question::new(integer(1), vec![text("3")]).ask(&rows(NAMES, &table), None).unwrap();
    let mut notes = found.notes.clone();
    notes.sort();
    assert_eq!(
        notes,
        [
            "Column f is classified as a CATEGORICAL column",
            "Column f: no row equals 3, which is read as 3",
            "Column p is classified as a CATEGORICAL column",
            "Column y is classified as a CATEGORICAL column",
        ]
    );
}
