//! Background rows made of clusters.

use std::fmt::Write as _;

use proptest::prelude::*;
use watchkeeper_engine::shap::{Background, cluster};
use watchkeeper_engine::table::{Table, Value};

use super::{assert_near, golden, golden_json, table};

/// The cells as they are written.
fn written(rows: &Table) -> Vec<Vec<String>> {
    let cell = |column: usize, row| rows.columns[column].written.as_ref().unwrap().text(row).to_owned();
    (0..rows.rows).map(|row| (0..rows.columns.len()).map(|column| cell(column, row)).collect()).collect()
}

fn clusters(text: &str, number: Option<u32>) -> Background {
    cluster(&table(text), number, 0).unwrap()
}

#[test]
fn one_cluster_is_means_and_modes() {
    let mut dataset = table(&golden("explainability/additive-two-scores/dataset.csv"));
    dataset.columns.remove(dataset.position("y").unwrap());
    let found = cluster(&dataset, Some(1), 0).unwrap();
    let case = golden_json("explainability/additive-two-scores/case.json");
    let expected = case["analyses"].as_array().unwrap().iter().find(|it| it["name"] == "one-cluster").unwrap();
    let expected = expected["expected_baseline_csv"][1].as_array().unwrap();
    for (found, expected) in written(&found.rows)[0].iter().zip(expected) {
        let expected = expected.as_str().unwrap();
        match (found.parse::<f64>(), expected.parse::<f64>()) {
            (Ok(found), Ok(expected)) => assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}"),
            _ => assert_eq!(found, expected),
        }
    }
    assert_eq!(found.notes, ["baseline: 1 cluster of 41 rows, as configured"]);
}

#[test]
fn whole_numbers_stay_whole_and_go_to_the_even_one() {
    assert_eq!(written(&clusters("a,b\n1,x\n2,x\n", Some(1)).rows), [["2", "x"]]);
    assert_eq!(written(&clusters("a,b\n2,x\n3,x\n", Some(1)).rows), [["2", "x"]]);
    assert_eq!(written(&clusters("a,b\n-1,x\n-2,x\n", Some(1)).rows), [["-2", "x"]]);
    assert_eq!(written(&clusters("a,b\n-1,x\n0,x\n", Some(1)).rows), [["0", "x"]]);
    // Whole numbers with a gap are floats, and written as whole ones all the same.
    assert_eq!(written(&clusters("a,b\n4,x\n,x\n7,x\n", Some(1)).rows), [["6", "x"]]);
    assert_eq!(written(&clusters("a,b\n4.0,x\n,x\n7,x\n", Some(1)).rows), [["5.5", "x"]]);
}

#[test]
fn missing_cells_are_left_out_and_missing_where_there_is_nothing_else() {
    let found = clusters("a,b,c\n1.5,,\n,red,\n2.5,,\n", Some(1));
    assert_eq!(written(&found.rows), [["2.0", "red", ""]]);
    assert_eq!(found.rows.columns[2].value(0), Value::Missing);
}

#[test]
fn modes_are_written_as_in_the_data_the_first_of_equally_frequent_ones() {
    let found = clusters("a,b\nTRUE,late\nfalse,early\nTRUE,early\nfalse,late\n", Some(1));
    assert_eq!(written(&found.rows), [["TRUE", "late"]]);
    assert_eq!(found.rows.columns[0].value(0), Value::Boolean(true));
}

/// Rows around centres that are well apart.
fn clouds(centres: usize, each: usize) -> String {
    let mut text = "x,y,colour\n".to_owned();
    for row in 0..centres * each {
        let centre = row % centres;
        let (jump, turn) = ((row * 7919 % 97) as f64 / 970.0, row as f64);
        let (x, y) =
            (100.0 * centre as f64 + jump * turn.sin(), (centre * centre % 5) as f64 * 30.0 + jump * turn.cos());
        writeln!(text, "{x:.6},{y:.6},{}", ["red", "green", "blue"][centre % 3]).unwrap();
    }
    text
}

#[test]
fn clouds_are_told_apart() {
    for centres in [2, 3, 5, 8] {
        let found = clusters(&clouds(centres, 40), None);
        assert_eq!(found.rows.rows, centres, "{:?}", found.notes);
        let mut xs: Vec<f64> = written(&found.rows).iter().map(|row| row[0].parse().unwrap()).collect();
        xs.sort_by(f64::total_cmp);
        assert_near(&xs, &(0..centres).map(|centre| 100.0 * centre as f64).collect::<Vec<_>>(), 0.1);
    }
}

#[test]
fn one_cloud_is_one_cluster() {
    // Noise in ten dimensions: no number of clusters tells it apart.
    let mut text = "a,b,c,d,e,f,g,h,i,j\n".to_owned();
    for row in 0..300_u64 {
        let noise = |column: u64| {
            let mixed = (row * 10 + column).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40
        };
        let cells: Vec<String> = (0..10).map(|column| format!("{}.5", noise(column))).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    let found = clusters(&text, None);
    assert_eq!(found.rows.rows, 1);
    assert!(found.notes[0].contains("below 0.25"), "{:?}", found.notes);
}

#[test]
fn clusters_are_at_most_the_distinct_rows_and_a_tenth_of_the_rows_if_chosen() {
    let few = "a,b\n1,x\n1,x\n9,y\n9,y\n5,x\n";
    assert_eq!(clusters(few, Some(12)).rows.rows, 3);
    assert_eq!(clusters(few, None).rows.rows, 1);
    // Three clouds, but 29 rows.
    let text = clouds(3, 10).lines().take(30).collect::<Vec<_>>().join("\n");
    assert_eq!(clusters(&text, None).rows.rows, 2);
}

#[test]
fn many_rows_are_clustered_as_few_are() {
    let found = clusters(&clouds(4, 3_000), None);
    let mut xs: Vec<f64> = written(&found.rows).iter().map(|row| row[0].parse().unwrap()).collect();
    xs.sort_by(f64::total_cmp);
    assert_near(&xs, &[0.0, 100.0, 200.0, 300.0], 0.1);
}

#[test]
fn no_rows_or_no_features_are_errors() {
    assert!(cluster(&table("a,b\n"), None, 0).is_err());
    assert!(cluster(&Table { columns: Vec::new(), rows: 3 }, None, 0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Of few numbers every division into two can be tried: on a line the best ones are cut in one place.
    #[test]
    fn two_clusters_of_a_line_are_nearly_the_best_two(values in proptest::collection::vec(-1e3..1e3, 4..40), seed: u64) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let cost = |part: &[f64]| {
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            part.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
        };
        let best = (1..sorted.len()).map(|cut| cost(&sorted[..cut]) + cost(&sorted[cut..])).fold(f64::MAX, f64::min);
        let lines: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        let text = format!("a\n{}\n", lines.join("\n"));
        let found = cluster(&table(&text), Some(2), seed).unwrap();
        let centres: Vec<f64> = written(&found.rows).iter().map(|row| row[0].parse().unwrap()).collect();
        let found: f64 = values.iter().map(|value| centres.iter().map(|centre| (value - centre).powi(2)).fold(f64::MAX, f64::min)).sum();
        // Ten starts do not always find the best one.
        prop_assert!(found <= best * 1.3 + 1e-9, "{found} instead of {best}");
    }

    #[test]
    fn the_same_seed_gives_the_same_rows(seed: u64, number in 1..6_u32) {
        let features = table(&clouds(5, 8));
        prop_assert_eq!(cluster(&features, Some(number), seed).unwrap(), cluster(&features, Some(number), seed).unwrap());
    }
}
