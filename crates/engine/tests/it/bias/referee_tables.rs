//! Random small tables beside smclarify (`tests/smclarify`).

use serde_json::Value;

use super::{Question, assert_sections, column, table};

#[test]
fn random_tables_have_the_metrics_of_the_library() {
    let mut compared = 0;
    let mut errors = 0;
    for (number, line) in include_str!("../../smclarify/tables.jsonl").lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let columns = case["columns"].as_array().unwrap().iter().map(|named| {
            let cells = named[1].as_array().unwrap().iter().map(|cell| cell.as_str().unwrap());
            column(named[0].as_str().unwrap(), cells)
        });
        let answer = Question::of_config(&case["config"]).ask(&table(columns.collect()), None);
        let place = format!("line {}, {}", number + 1, case["config"]);
        match case.get("error") {
            Some(error) => {
                let found = answer.expect_err(&place).to_string();
                assert!(found.starts_with(error.as_str().unwrap()), "{place}: {found}");
                errors += 1;
            }
            None => compared += assert_sections(&answer.expect(&place), &case["expected"], 1e-12, 1e-12, &place),
        }
    }
    assert!(compared > 2_500 && errors > 0, "{compared} metrics, {errors} errors");
}
