//! Which values are classes, numbers, or missing (section 2.2). Referee: the specification's table and rules.

use watchkeeper_engine::quality::{Problem, Row};

use super::{BOTH, PREDICTIONS, Record, SCORES, Value, interpreted, number, outcome, pairs, text};

fn rows(problem: Problem, records: &[Record]) -> Vec<Row> {
    let (_, rows) = interpreted(problem, records).unwrap();
    rows.into_iter().map(|bytes| Row::from_bytes(problem, bytes)).collect()
}

fn labelled(values: &[Value]) -> Vec<Record> {
    values.iter().map(|value| [text("1"), Value::Missing, value.clone()]).collect()
}

#[test]
fn binary_labels_in_every_form() {
    let ones = [text("1"), text("1.0"), text(" 1e0 "), number("1"), text("TRUE"), text("true"), Value::Boolean(true)];
    let zeros = [text("0"), text("-0.0"), number("0.0"), text("False"), Value::Boolean(false), text("0e7")];
    for (values, expected) in [(&ones[..], true), (&zeros[..], false)] {
        let rows = rows(PREDICTIONS, &labelled(values));
        assert_eq!(rows.len(), values.len());
        assert!(rows.iter().all(|row| matches!(row, Row::Binary { truth, .. } if *truth == expected)), "{rows:?}");
    }
}

#[test]
fn values_that_are_missing_in_a_binary_problem() {
    let values =
        [text("yes"), text(""), text("  "), text("NaN"), text("-inf"), text("1 0"), text("0x1"), Value::Missing];
    let (interpreter, rows) = interpreted(PREDICTIONS, &labelled(&values)).unwrap();
    assert_eq!((rows.len(), interpreter.rows_read(), interpreter.rows_used()), (0, 8, 0));
    assert_eq!(interpreter.dropped().count, 8);
    assert_eq!(
        interpreter.dropped().first_reason.as_deref(),
        Some("the label of row 1 is `yes`, which is neither 0 nor 1")
    );
    let notes = interpreter.notes().join("\n");
    assert!(
        notes.contains("5 values are missing because they are neither 0 nor 1, such as `yes`, `NaN`, `-inf`"),
        "{notes}"
    );
    assert!(notes.contains("map them to 1 and 0"), "{notes}");
}

#[test]
fn other_numbers_end_a_binary_problem() {
    let error = interpreted(PREDICTIONS, &labelled(&[text("0"), number("2")])).err().unwrap().to_string();
    assert_eq!(error, "the label of row 2 is 2.0, and a label of a binary classification is 0 or 1");
    let records = [[text("0.83"), Value::Missing, Value::Missing]];
    let error = interpreted(PREDICTIONS, &records).err().unwrap().to_string();
    assert_eq!(
        error,
        "the prediction of row 1 is 0.83, and a prediction of a binary classification is 0 or 1: use probability_attribute for scores"
    );
}

#[test]
fn a_score_at_the_threshold_is_negative_and_a_prediction_goes_before_the_score() {
    let record = |prediction: &str, score: &str| [text(prediction), text(score), text("1")];
    let predicted = |problem, record| match rows(problem, &[record])[..] {
        [Row::Binary { prediction, score, .. }] => (prediction, score),
        ref rows => panic!("{rows:?}"),
    };
    assert_eq!(predicted(SCORES, record("1", "0.5")), (false, 0.5));
    assert_eq!(predicted(SCORES, record("0", "0.5000000000000001")), (true, 0.500_000_000_000_000_1));
    assert_eq!(predicted(BOTH, record("1", "0.1")), (true, 0.1));
    assert!(predicted(PREDICTIONS, record("1", "0.1")).1.is_nan());
    let strict = Problem::Binary { threshold: 0.9, has_inference: false, has_probability: true };
    assert_eq!(predicted(strict, record("", "0.9")), (false, 0.9));
    assert_eq!(predicted(strict, record("", "7")), (true, 7.0));
}

#[test]
fn every_named_value_is_needed() {
    let record = |prediction: &str, score: &str| [text(prediction), text(score), text("1")];
    let (interpreter, rows) = interpreted(BOTH, &[record("", "0.1"), record("1", "high"), record("1", "0.1")]).unwrap();
    assert_eq!((rows.len(), interpreter.dropped().count), (1, 2));
    assert_eq!(interpreter.dropped().first_reason.as_deref(), Some("the prediction of row 1 is empty"));
}

#[test]
fn numbers_of_a_regression() {
    let table = [
        ("1.5", Some(1.5)),
        (" -2 ", Some(-2.0)),
        ("+1e3", Some(1000.0)),
        (".5", Some(0.5)),
        ("007", Some(7.0)),
        ("1e400", None),
        ("nan", None),
        ("-Infinity", None),
        ("", None),
        ("1,5", None),
        ("true", None),
        ("0x10", None),
        ("1_000", None),
        ("-", None),
        (".", None),
    ];
    for (value, expected) in table {
        let rows = rows(Problem::Regression, &[[text("0"), Value::Missing, text(value)]]);
        let truths: Vec<f64> = rows
            .iter()
            .map(|row| match row {
                Row::Regression { truth, .. } => *truth,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(truths, expected.into_iter().collect::<Vec<f64>>(), "{value}");
    }
    let booleans = [[Value::Boolean(true), Value::Missing, Value::Boolean(false)]];
    assert_eq!(rows(Problem::Regression, &booleans), [Row::Regression { prediction: 1.0, truth: 0.0 }]);
}

/// The names of the classes that some labels are of, in order of the files.
fn classes(values: &[Value]) -> Vec<String> {
    let records: Vec<Record> = values.iter().map(|value| [value.clone(), Value::Missing, value.clone()]).collect();
    outcome(Problem::Multiclass, &records).multiclass().confusion_matrix.classes
}

#[test]
fn numbers_of_one_value_are_one_class() {
    assert_eq!(classes(&[text("1"), text("1.0"), text(" 1.00 "), number("1"), number("1.0"), number("10e-1")]), ["1"]);
    assert_eq!(classes(&[text("-0"), number("0.0"), text("0")]), ["0"]);
    assert_eq!(classes(&[number("2.50"), text("2.5")]), ["2.5"]);
    assert_eq!(classes(&[number("0.00001"), text("0.00001")]), ["1.0E-5"]);
    assert_eq!(classes(&[number("1e15")]), ["1000000000000000"]);
}

#[test]
fn texts_are_their_own_class() {
    let values = [" cat", "Cat", "cat", "01", "1e0", "+1", "1.", ".5", "true"].map(text);
    assert_eq!(classes(&values), ["+1", ".5", "01", "1.", "1e0", "Cat", "cat", "true"]);
    assert_eq!(classes(&[Value::Boolean(true), text("true")]), ["true"]);
    assert_eq!(
        classes(&[text("9007199254740993"), text("9007199254740992")]),
        ["9007199254740992", "9007199254740993"]
    );
    assert_eq!(classes(&[text("größer"), text("z")]), ["größer", "z"]);
}

#[test]
fn classes_sort_as_numbers_only_if_all_are() {
    assert_eq!(classes(&["10", "9", "-1.5", "2"].map(text)), ["-1.5", "2", "9", "10"]);
    assert_eq!(classes(&["10", "9", "x", "2"].map(text)), ["10", "2", "9", "x"]);
}

/// Referee: Python's integers.
#[test]
fn whole_numbers_beyond_the_doubles_sort_as_numbers() {
    let ascending = [
        "-10000000000000000",
        "-9999999999999999",
        "2",
        "10",
        "9007199254740992",
        "9007199254740993",
        "9999999999999999",
        "10000000000000000",
        "123456789012345678901",
    ];
    let beyond_all_doubles = "9".repeat(400);
    let ascending: Vec<&str> = ascending.into_iter().chain([beyond_all_doubles.as_str()]).collect();
    let mut values: Vec<Value> = ascending.iter().map(|name| text(name)).collect();
    assert_eq!(classes(&values), ascending);
    values.reverse();
    assert_eq!(classes(&values), ascending);
    let notes = interpreted(Problem::Multiclass, &labelled(&values)).unwrap().0.notes();
    assert!(!notes.iter().any(|note| note.contains("how the number is written")), "{notes:?}");
}

/// The order is that of the classes met, and not of what was met first.
#[test]
fn one_spelling_with_the_form_of_a_number_makes_a_class_a_number() {
    let mut values = [text("1.0E-5"), number("0.00001"), text("10"), text("9")];
    assert_eq!(classes(&values), ["1.0E-5", "9", "10"]);
    values.reverse();
    assert_eq!(classes(&values), ["1.0E-5", "9", "10"]);
}

/// A class of rows that cannot be used is none.
#[test]
fn a_class_needs_a_usable_row() {
    let records = [
        [text("ghost"), Value::Missing, text("")],
        [text("ghost"), Value::Missing, text("NaN")],
        [number("1e999"), Value::Missing, text("a")],
        [text("a"), Value::Missing, text("a")],
    ];
    let outcome = outcome(Problem::Multiclass, &records);
    assert_eq!(outcome.interpreter.dropped().count, 3);
    assert_eq!(outcome.interpreter.dropped().first_reason.as_deref(), Some("the label of row 1 is empty"));
    assert_eq!(outcome.multiclass().confusion_matrix.classes, ["a"]);
}

#[test]
fn notes_say_how_labels_were_read() {
    let records = [
        [text("1.0"), Value::Missing, text("1")],
        [text("Cat"), Value::Missing, text("cat")],
        [text("01"), Value::Missing, text("dog")],
    ];
    let notes = interpreted(Problem::Multiclass, &records).unwrap().0.notes();
    assert_eq!(
        notes,
        [
            "5 classes, read as texts: `01`, `1`, `Cat`, `cat`, `dog`",
            "predicted, but never a label: `01`, `Cat`",
            "a label, but never predicted: `cat`, `dog`",
            "`1.0` was read as class `1`",
            "`Cat`, `cat` differ in letter case only, and count as different classes",
            "`01`, `1` differ in how the number is written only, and count as different classes",
        ]
    );
    let notes = interpreted(PREDICTIONS, &pairs(&[("1.0", "true"), ("1", "1")])).unwrap().0.notes();
    assert_eq!(
        notes,
        ["classes 0 and 1: 2 of 2 rows are labelled 1, 2 are predicted 1", "read as class 1: `true`, `1.0`"]
    );
    let notes = interpreted(PREDICTIONS, &pairs(&[(" 1 ", "1")])).unwrap().0.notes();
    assert_eq!(notes, ["classes 0 and 1: 1 of 1 rows are labelled 1, 1 are predicted 1"]);
    let notes = interpreted(PREDICTIONS, &pairs(&[("0", "1"), ("0", "0")])).unwrap().0.notes();
    assert_eq!(
        notes,
        ["classes 0 and 1: 1 of 2 rows are labelled 1, 0 are predicted 1", "class 1 is a label, but never predicted"]
    );
    let notes = interpreted(SCORES, &[[Value::Missing, text("0.7"), text("1")]]).unwrap().0.notes();
    assert_eq!(notes[0], "class 1 is predicted where the probability is above 0.5");
}

#[test]
fn notes_of_many_classes_are_few() {
    let labels: Vec<Value> =
        (0..100).flat_map(|class| [text(&format!("c{class}")), text(&format!("C{class}"))]).collect();
    let records: Vec<Record> = labels.iter().map(|label| [label.clone(), Value::Missing, label.clone()]).collect();
    let notes = interpreted(Problem::Multiclass, &records).unwrap().0.notes();
    assert_eq!(notes.len(), 18, "{notes:?}");
    assert_eq!(notes[16], "`C22`, `c22` differ in letter case only, and count as different classes");
    assert_eq!(notes[17], "84 more groups of classes differ as little");
}

#[test]
fn a_regression_is_not_taken_for_classes() {
    let labels: Vec<String> = (0..5000).map(|label| format!("{label}.5")).collect();
    let records: Vec<Record> = labels.iter().map(|label| [text(label), Value::Missing, text(label)]).collect();
    let error = interpreted(Problem::Multiclass, &records).err().unwrap().to_string();
    assert_eq!(
        error,
        "there are more than 4096 classes, the next is the prediction `4096.5` of row 4097: is this a regression?"
    );
    let (interpreter, _) = interpreted(Problem::Multiclass, &records[..4096]).unwrap();
    assert_eq!(interpreter.rows_used(), 4096);
}

#[test]
fn rows_survive_their_bytes() {
    for (problem, row) in [
        (Problem::Regression, Row::Regression { prediction: -0.0, truth: 1e300 }),
        (BOTH, Row::Binary { prediction: true, truth: false, score: -0.25 }),
        (BOTH, Row::Binary { prediction: false, truth: true, score: 5e-324 }),
        (Problem::Multiclass, Row::Multiclass { prediction: 4095, truth: 0 }),
    ] {
        assert_eq!(Row::from_bytes(problem, row.to_bytes()), row);
    }
}
