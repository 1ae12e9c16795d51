//! The flip test.

use proptest::prelude::*;
use watchkeeper_engine::bias::BiasResult;
use watchkeeper_engine::table::Table;
use watchkeeper_formats::clarify::BiasMetric;

use super::{Question, column, integer, metric, rows, table, text};

fn flip_test(table: &Table) -> BiasMetric {
    metric(answer(table).post_training.as_ref(), "FT").clone()
}

fn answer(table: &Table) -> BiasResult {
    Question::new(integer(1), vec![text("d")]).ask(table, None).unwrap()
}

#[test]
fn among_equally_distant_neighbours_the_earlier_rows_decide() {
    // Nine others: the first of the nearest decides alone.
    let nine = |first: &[&'static str]| {
        let mut nine = first.to_vec();
        nine.resize(9, "a 1 0 5");
        nine.push("d 0 0 5");
        flip_test(&rows("f y p x", &nine)).value
    };
    assert_eq!(nine(&["a 0 1 5"]), Some(-1.0));
    assert_eq!(nine(&["a 0 0 5", "a 0 1 5"]), Some(0.0));
    // Ten others: the first five vote.
    for (positive, value) in [(3, -1.0), (2, 0.0)] {
        let mut ten = vec!["a 0 1 5"; positive];
        ten.resize(5, "a 0 0 5");
        ten.resize(10, "a 1 1 5");
        ten.push("d 0 0 5");
        assert_eq!(flip_test(&rows("f y p x", &ten)).value, Some(value), "{positive} of five");
    }
}

#[test]
fn a_nearer_row_that_comes_late_counts() {
    let mut table: Vec<&str> = vec!["a 0 0 5"; 20];
    table.extend(["a 0 1 3.5", "a 0 1 3", "a 0 1 2.5", "d 1 0 3"]);
    assert_eq!(flip_test(&rows("f y p x", &table)).value, Some(-1.0));
}

#[test]
fn columns_that_are_no_numbers_are_said_so() {
    let value = |names: &str, table: &[&str]| flip_test(&rows(names, table)).error;
    let two = |names, first, second| value(names, &[first, second]);
    let not_numeric = Some("FlipTest does not support non-numeric columns".to_owned());
    assert_eq!(two("f y p x word", "a 0 0 - w", "d 1 1 1 v"), not_numeric);
    assert_eq!(value("f y p x flag", &["a 0 0 1 True", "d 1 1 2 -", "d 1 1 2 False"]), not_numeric);
    assert_eq!(two("f y p x", "a 0 0 -", "d 1 1 1"), Some("FlipTest does not support missing values".to_owned()));
    assert_eq!(two("f y p", "a 0 0", "d 1 1"), Some("FlipTest needs at least one feature column".to_owned()));
    assert_eq!(two("f y p x flag", "a 0 0 1 True", "d 1 1 2 False"), None);
}

/// Of 20,000 rows beside 20,000 others, every second one is looked at: those predicted positive.
#[test]
fn many_rows_are_represented_by_evenly_spaced_ones() {
    const ROWS: usize = 20_000;
    let facet = (0..2 * ROWS).map(|row| if row < ROWS { "d" } else { "a" });
    let predicted = (0..2 * ROWS).map(|row| if row < ROWS && row % 2 == 0 { "1" } else { "0" });
    let numbers: Vec<String> = (0..2 * ROWS).map(|row| (row % ROWS).to_string()).collect();
    let table = table(vec![
        column("f", facet),
        column("y", predicted.clone()),
        column("p", predicted),
        column("x", numbers.iter().map(String::as_str)),
    ]);
    let answer = answer(&table);
    assert_eq!(metric(answer.post_training.as_ref(), "FT").value, Some(1.0));
    let note = "Flip test of facet f (d): 10000 evenly spaced rows of the facet stand for its 20000 rows";
    assert!(answer.notes.iter().any(|found| found == note), "{:?}", answer.notes);
}

/// All rows sorted by distance, the earlier first: what the metric is defined by.
fn by_definition(facet: &[bool], predicted: &[bool], points: &[Vec<i32>]) -> f64 {
    let complement: Vec<usize> = (0..facet.len()).filter(|row| !facet[*row]).collect();
    let voters = if complement.len() <= 9 { 1 } else { 5 };
    let mut flips = 0_i32;
    for row in (0..facet.len()).filter(|row| facet[*row]) {
        let mut nearest = complement.clone();
        nearest.sort_by_key(|other| {
            points[row].iter().zip(&points[*other]).map(|(number, other)| (number - other).pow(2)).sum::<i32>()
        });
        let votes = nearest[..voters].iter().filter(|row| predicted[**row]).count();
        flips += i32::from(predicted[row]) - i32::from(votes * 2 > voters);
    }
    f64::from(flips) / facet.iter().filter(|is_facet| **is_facet).count() as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn neighbours_are_those_of_the_definition(
        rows in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(0..4_i32, 3)), 2..200),
        width in 1..=3_usize,
    ) {
        let facet: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let predicted: Vec<bool> = rows.iter().map(|row| row.1).collect();
        prop_assume!(facet.contains(&true) && facet.contains(&false) && predicted.contains(&true));
        let points: Vec<Vec<i32>> = rows.iter().map(|row| row.2[..width].to_vec()).collect();
        let label = || predicted.iter().map(|is_positive| if *is_positive { "1" } else { "0" });
        let mut columns = vec![
            column("f", facet.iter().map(|is_facet| if *is_facet { "d" } else { "a" })),
            column("y", label()),
            column("p", label()),
        ];
        for place in 0..width {
            let cells: Vec<String> = points.iter().map(|point| point[place].to_string()).collect();
            columns.push(column(&format!("x{place}"), cells.iter().map(String::as_str)));
        }
        let found = flip_test(&table(columns)).value.unwrap();
        prop_assert!((found - by_definition(&facet, &predicted, &points)).abs() < 1e-12);
    }
}
