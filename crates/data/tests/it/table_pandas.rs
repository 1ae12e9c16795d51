//! Kinds and values of columns against pandas: `tests/pandas/tables.json`, which `make.py` beside it wrote.

use serde_json::Value as Json;
use watchkeeper_data::table::TableReading;
use watchkeeper_engine::table::{Column, Value};
use watchkeeper_formats::clarify::DatasetType;

use crate::table_csv::{name, read_one, reading};

/// Whether a value is what pandas has: floats by their text, as JSON has no infinity.
fn is_same(value: Value<'_>, expected: &Json) -> bool {
    match value {
        Value::Missing => expected.is_null(),
        Value::Integer(number) => expected.as_i64() == Some(number),
        Value::Float(number) => expected.as_str().and_then(|text| text.parse().ok()) == Some(number),
        Value::Boolean(flag) => expected.as_bool() == Some(flag),
        Value::Text(text) => expected.as_str() == Some(text),
    }
}

fn is_column(column: &Column, expected: &Json) -> bool {
    let values = expected["values"].as_array().unwrap();
    expected["kind"] == format!("{:?}", column.kind())
        && column.len() == values.len()
        && values.iter().enumerate().all(|(row, expected)| is_same(column.value(row), expected))
}

#[test]
fn columns_are_what_pandas_reads() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("../pandas/tables.json")).unwrap();
    assert_eq!(cases.len(), 150);
    let reading = TableReading { references: vec![name("c0")], ..reading(DatasetType::Csv) };
    for case in cases {
        let csv = case["csv"].as_str().unwrap();
        let table = read_one(csv, &reading).table;
        let expected = case["columns"].as_array().unwrap();
        assert_eq!(table.columns.len(), expected.len(), "{csv:?}");
        for (column, expected) in table.columns.iter().zip(expected) {
            assert!(is_column(column, expected), "{csv:?}: {column:?}, pandas has {expected}");
        }
    }
}
