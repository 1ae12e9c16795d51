//! Grids of features.

use proptest::prelude::*;
use serde_json::json;
use watchkeeper_engine::shap::{Grid, data_type, grid};
use watchkeeper_engine::table::{Column, Values};
use watchkeeper_formats::clarify::DataType;

use super::{assert_near, golden, golden_json, numbers, table};

fn of(cells: &[&str], resolution: u32) -> Result<Grid, String> {
    grid(&column(cells), resolution)
}

fn column(cells: &[&str]) -> Column {
    let lines: Vec<String> = cells.iter().map(|cell| format!("{cell},1")).collect();
    table(&format!("x,y\n{}\n", lines.join("\n"))).columns.remove(0)
}

#[test]
fn every_kind_of_column_of_the_golden() {
    let dataset = table(&golden("explainability/additive-two-scores/dataset.csv"));
    let expected = golden_json("explainability/additive-two-scores/expected.json");
    for expected in expected["pdp-every-kind"]["explanations"]["pdp"].as_array().unwrap() {
        let name = expected["feature_name"].as_str().unwrap();
        let column = &dataset.columns[dataset.position(name).unwrap()];
        assert_eq!(data_type(column).as_str(), expected["data_type"], "{name}");
        match grid(column, 4) {
            Err(text) => assert_eq!(text, expected["error"], "{name}"),
            Ok(found) => {
                assert_near(&found.distribution, &numbers(&expected["data_distribution"]), 1e-12);
                let values = expected["feature_values"].as_array().unwrap();
                if found.data_type == DataType::Numerical {
                    let found: Vec<f64> = found.values.iter().map(|value| value.as_f64().unwrap()).collect();
                    assert_near(&found, &numbers(&expected["feature_values"]), 1e-12);
                } else {
                    assert_eq!(&found.values, values, "{name}");
                }
            }
        }
    }
}

#[test]
fn kinds() {
    let of = |cells: &[&str]| data_type(&column(cells));
    assert_eq!(of(&["1.5", "2.5"]), DataType::Numerical);
    assert_eq!(of(&["true", "false"]), DataType::Categorical);
    assert_eq!(of(&["7", "8", "9"]), DataType::Numerical);
    assert_eq!(of(&["7", "8", "7"]), DataType::Categorical);
    // Whole numbers with a gap: by their number of values, then as the floats that they are read as.
    assert_eq!(of(&["7", "", "8"]), DataType::Categorical);
    assert_eq!(of(&["7", "", "8", "9"]), DataType::Numerical);
    assert_eq!(of(&["red", "blue"]), DataType::Categorical);
    assert_eq!(of(&["a cat", "a dog", "an ant"]), DataType::FreeText);
    assert_eq!(of(&["a cat", "a cat", "a dog", "a dog"]), DataType::Categorical);
    // 3 distinct of 61 are below 5 %, of 60 they are not.
    let many = |rows: usize| ["1", "2", "3"].into_iter().cycle().take(rows).collect::<Vec<_>>();
    assert_eq!(of(&many(61)), DataType::Categorical);
    assert_eq!(of(&many(60)), DataType::Numerical);
}

#[test]
fn categories_keep_their_kind_and_order() {
    let found = of(&["b", "", "a", "b"], 9).unwrap();
    assert_eq!(found.values, [json!("b"), json!("a")]);
    assert_eq!(found.distribution, [2.0 / 3.0, 1.0 / 3.0]);
    assert_eq!(of(&["False", "True", "True"], 9).unwrap().values, [json!(false), json!(true)]);
    assert_eq!(of(&["5", "", "4"], 9).unwrap().values, [json!(5), json!(4)]);
}

#[test]
fn ranges_of_one_value_or_none() {
    let found = of(&["2.5", "2.5", ""], 15).unwrap();
    assert_eq!((found.values, found.distribution), (vec![json!(2.5)], vec![1.0]));
    let found = of(&["", ""], 15).unwrap();
    assert_eq!((found.values.len(), found.distribution.len()), (0, 0));
}

#[test]
fn the_largest_numbers_have_buckets() {
    let found = of(&["-1.7e308", "0.5", "1.7e308"], 4).unwrap();
    assert_eq!(found.distribution, [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]);
    assert!(found.values.iter().all(|value| value.as_f64().unwrap().is_finite()));
}

proptest! {
    #[test]
    fn buckets_are_of_equal_width_and_hold_every_value(
        values in proptest::collection::vec(-1e6..1e6, 2..200), resolution in 1..40_u32
    ) {
        let column = Column { name: "x".to_owned(), values: Values::Float(values.clone()), holds_whole_numbers: false, written: None };
        let found = grid(&column, resolution).unwrap();
        let centres: Vec<f64> = found.values.iter().map(|value| value.as_f64().unwrap()).collect();
        prop_assert_eq!(centres.len(), resolution as usize);
        let (low, high) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
        let width = (high - low) / f64::from(resolution);
        for (place, (centre, share)) in centres.iter().zip(&found.distribution).enumerate() {
            prop_assert!((centre - (low + (place as f64 + 0.5) * width)).abs() < 1e-6);
            // A value near an edge may be on either side of it as far as this test's own arithmetic can tell.
            let inside = |margin: f64| values.iter().filter(|value| (**value - centre).abs() <= width / 2.0 + margin).count() as f64;
            let rows = share * values.len() as f64;
            prop_assert!(inside(-1e-6) - 1e-9 <= rows && rows <= inside(1e-6) + 1e-9);
        }
        prop_assert!((found.distribution.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
