//! What answers mean. Referee: the rules of the specification, and the examples of the guide that they come from.

use watchkeeper_engine::prediction::{Answer, Item, LabelRules, Scalar, score_names, scores};
use watchkeeper_engine::table::{Column, ColumnBuilder, ColumnKind};

fn observed(cells: &[&str]) -> Column {
    let mut builder = ColumnBuilder::new(false);
    for cell in cells {
        builder.push_csv(cell);
    }
    builder.finish("y".to_owned())
}

fn number(value: f64) -> Scalar {
    Scalar::Number { value, is_whole: value.fract() == 0.0 }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn score(value: f64) -> Answer {
    Answer { label: None, probability: Some(Item::One(number(value))) }
}

fn scores_with_labels(values: &[f64], labels: Option<&[&str]>) -> Answer {
    Answer {
        label: labels.map(|labels| Item::List(labels.iter().map(|label| text(label)).collect())),
        probability: Some(Item::List(values.iter().map(|value| number(*value)).collect())),
    }
}

fn labels(rules: &LabelRules, answers: &[Answer]) -> Vec<String> {
    let column = rules.labels("p", answers).unwrap();
    assert_eq!(column.name, "p");
    (0..column.len()).map(|row| column.value(row).printed()).collect()
}

fn headers(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn of_several_scores_the_highest_has_the_label() {
    let rules = LabelRules::new(&observed(&["a", "b"]), &[], None);
    let answers = [
        scores_with_labels(&[0.1, 0.7, 0.7], Some(&["a", "b", "c"])),
        scores_with_labels(&[0.5, 0.2], Some(&["b", "a"])),
    ];
    assert_eq!(labels(&rules, &answers), ["b", "b"], "the first of equal ones");
    let rules = LabelRules::new(&observed(&["a", "b"]), &headers(&["no", "yes"]), None);
    assert_eq!(labels(&rules, &[scores_with_labels(&[0.4, 0.6], None)]), ["yes"]);
}

#[test]
fn a_text_is_the_label() {
    let rules = LabelRules::new(&observed(&["a", "b"]), &[], None);
    let label = Answer { label: Some(Item::One(text("b"))), probability: None };
    let listed = Answer { label: None, probability: Some(Item::List(vec![text("a")])) };
    assert_eq!(labels(&rules, &[label, listed]), ["b", "a"]);
}

#[test]
fn a_score_beside_one_label_header_is_that_label_or_the_other() {
    let rules = LabelRules::new(&observed(&["no", "yes", "", "no"]), &headers(&["yes"]), Some(0.3));
    assert_eq!(labels(&rules, &[score(0.4), score(0.3)]), ["yes", "no"], "above is strict");
    let of_three = LabelRules::new(&observed(&["a", "b", "d", "c"]), &headers(&["c"]), None);
    assert_eq!(labels(&of_three, &[score(0.6), score(0.4)]), ["c", ""]);
    let of_numbers = LabelRules::new(&observed(&["1", "2"]), &headers(&["2.0"]), None);
    let found = of_numbers.labels("p", &[score(0.6), score(0.4)]).unwrap();
    assert_eq!((found.kind(), found.value(0).printed()), (ColumnKind::Integer, "2".to_owned()));
    let of_others = LabelRules::new(&observed(&["0", "1"]), &headers(&["fraud"]), None);
    assert_eq!(labels(&of_others, &[score(0.6)]), ["1"], "no observed label: the next rule");
}

#[test]
fn a_score_beside_labels_of_0_and_1_is_one_of_them() {
    for cells in [&["0", "1"][..], &["1.0", "", "0.0"], &["True", "False"], &["1"]] {
        let rules = LabelRules::new(&observed(cells), &[], Some(0.8));
        assert_eq!(labels(&rules, &[score(0.81), score(0.8), score(1.0)]), ["1", "0", "1"], "{cells:?}");
    }
    let by_label = Answer { label: Some(Item::One(number(1.0))), probability: None };
    assert_eq!(labels(&LabelRules::new(&observed(&["0", "1"]), &[], None), &[by_label]), ["1"]);
}

#[test]
fn any_other_number_is_the_label() {
    let rules = LabelRules::new(&observed(&["10", "20"]), &[], None);
    let column = rules.labels("p", &[score(10.0), score(20.0)]).unwrap();
    assert_eq!(column.kind(), ColumnKind::Integer);
    assert_eq!(labels(&rules, &[score(10.0), score(0.25)]), ["10.0", "0.25"]);
}

#[test]
fn predictions_of_the_data_follow_the_same_rules() {
    let rules = LabelRules::new(&observed(&["0", "1"]), &[], Some(0.8));
    let found = rules.labels_of_column(&observed(&["0.9", "", "0.8"]));
    assert_eq!((0..3).map(|row| found.value(row).printed()).collect::<Vec<_>>(), ["1.0", "", "0.0"]);
    let texts = observed(&["a", "", "b"]);
    assert_eq!(rules.labels_of_column(&texts), texts);
}

#[test]
fn what_is_no_label_is_said() {
    let rules = LabelRules::new(&observed(&["a", "b"]), &[], None);
    let refusal = |answers: &[Answer]| rules.labels("p", answers).unwrap_err().to_string();
    let fine = score(1.0);
    let list = Answer { label: Some(Item::List(vec![text("a"), text("b")])), probability: None };
    assert!(refusal(&[fine.clone(), list]).starts_with("record 1: the label is a list of 2, expected one label"));
    let unnamed = scores_with_labels(&[0.1, 0.9], None);
    assert!(refusal(&[unnamed]).starts_with("record 0: there are 2 scores and nothing says of which labels"));
    let uneven = scores_with_labels(&[0.1, 0.9], Some(&["a"]));
    assert!(refusal(&[uneven]).contains("2 scores and 1 labels, expected as many of each"));
    let of_text = Answer { label: None, probability: Some(Item::List(vec![text("x"), text("y")])) };
    assert!(refusal(&[of_text]).contains("a score is the text `x`, expected a number"));
    assert!(refusal(&[Answer::default()]).contains("no prediction"));
}

#[test]
fn scores_are_the_probability_else_the_label() {
    let both = Answer { label: Some(Item::One(text("yes"))), probability: Some(Item::One(number(0.2))) };
    let by_label = Answer { label: Some(Item::One(number(0.3))), probability: None };
    let found = scores(&[both, by_label]).unwrap();
    assert_eq!((found.values, found.outputs), (vec![0.2, 0.3], 1));
    let two = scores_with_labels(&[0.1, 0.9], None);
    let changing = scores(&[two, score(1.0)]).unwrap_err().to_string();
    assert_eq!(changing, "record 1: the answer has 1 scores, expected 2 as in the first one");
    let words = Answer { label: None, probability: Some(Item::One(text("high"))) };
    let message = scores(&[score(0.0), words]).unwrap_err().to_string();
    assert!(message.starts_with("record 1: the score is the text `high`, expected a number"), "{message}");
}

#[test]
fn scores_are_named_by_headers_else_by_the_labels_of_an_answer() {
    assert_eq!(score_names(2, &headers(&["a", "b"]), None).unwrap(), ["a", "b"]);
    assert!(score_names(1, &headers(&["a", "b"]), None).unwrap_err().to_string().contains("has 2 names, expected 1"));
    let answer = scores_with_labels(&[0.1, 0.9], Some(&["no", "yes"]));
    assert_eq!(score_names(2, &[], Some(&answer)).unwrap(), ["no", "yes"]);
    assert_eq!(score_names(2, &[], Some(&score(0.5))).unwrap(), ["label0", "label1"]);
}
