//! Kinds of columns and their values. Referee: what pandas 2 gives for such CSV cells (`read_csv` with the words of the specification), and
//! the specification for JSON.

use proptest::prelude::*;
use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::table::{Column, ColumnBuilder, ColumnKind, Value, Values};

fn of_csv(cells: &[&str]) -> Column {
    let mut builder = ColumnBuilder::new(true);
    for cell in cells {
        builder.push_csv(cell);
    }
    builder.finish("c".to_owned())
}

fn printed(column: &Column) -> Vec<String> {
    (0..column.len()).map(|row| column.value(row).printed()).collect()
}

#[test]
fn csv_columns_are_of_the_kinds_that_pandas_finds() {
    use ColumnKind::{Boolean, Float, Integer, Text};
    for (cells, kind, values) in [
        (&["1", "-2", "007", "+5", " 8 "][..], Integer, &["1", "-2", "7", "5", "8"][..]),
        (&["", "3", "NA", "4"], Float, &["", "3.0", "", "4.0"]),
        (&["1", "2.50", "1e-5", ".5", "1."], Float, &["1.0", "2.5", "1e-05", "0.5", "1.0"]),
        (&["inf", "-Infinity", "nan"], Float, &["inf", "-inf", ""]),
        (&["True", "false", "FALSE"], Boolean, &["True", "False", "False"]),
        (&["True", "", "false"], Boolean, &["True", "", "False"]),
        (&["1", "2.5", "", "x "], Text, &["1", "2.5", "", "x "]),
        (&["007", "x"], Text, &["007", "x"]),
        (&["true", "1"], Text, &["true", "1"]),
        (&["1", "true"], Text, &["1", "true"]),
        (&["1_000", "0x1", "1e", "+", ".", "e5", "--1"], Text, &["1_000", "0x1", "1e", "+", ".", "e5", "--1"]),
        (&["None", "NAN", "1"], Text, &["None", "NAN", "1"]),
        (&["", "#N/A N/A", "-1.#IND", "<NA>", "null", "n/a", "-nan"], Float, &["", "", "", "", "", "", ""]),
        (&["9223372036854775807", "9223372036854775808"], Float, &["9.223372036854776e+18", "9.223372036854776e+18"]),
        (&["-9223372036854775808"], Integer, &["-9223372036854775808"]),
    ] {
        let column = of_csv(cells);
        assert_eq!(column.kind(), kind, "{cells:?}");
        assert_eq!(printed(&column), values, "{cells:?}");
    }
}

#[test]
fn cells_are_kept_as_they_were_written() {
    let column = of_csv(&["1", "2.50", "", "NA", "1e-5"]);
    let written = column.written.as_ref().unwrap();
    assert_eq!((0..5).map(|row| written.text(row)).collect::<Vec<_>>(), ["1", "2.50", "", "", "1e-5"]);
    assert!(written.kinds.iter().all(|kind| *kind == CellKind::Number), "found in the texts");
    assert!(of_csv(&["a", "1"]).written.unwrap().kinds.iter().all(|kind| *kind == CellKind::Text));
}

#[test]
fn whole_numbers_are_told_apart_from_others() {
    assert!(of_csv(&["1", "", "0"]).holds_whole_numbers, "a float column only because a cell is missing");
    assert!(of_csv(&["1"]).holds_whole_numbers);
    for cells in [&["1", "1.0"][..], &["", ""], &["a"], &["True"]] {
        assert!(!of_csv(cells).holds_whole_numbers, "{cells:?}");
    }
}

#[test]
fn typed_cells_are_what_they_say() {
    let column = |cells: &[(CellKind, &str)]| {
        let mut builder = ColumnBuilder::new(true);
        for (kind, text) in cells {
            builder.push(*kind, text);
        }
        builder.push_missing();
        builder.finish("c".to_owned())
    };
    let (text, number, boolean) = (CellKind::Text, CellKind::Number, CellKind::Boolean);
    assert_eq!(column(&[(text, "1"), (text, "")]).kind(), ColumnKind::Text);
    assert_eq!(column(&[(text, "")]).value(0), Value::Text(""), "an empty text is not missing");
    assert_eq!(printed(&column(&[(number, "1"), (number, "2")])), ["1.0", "2.0", ""]);
    let mixed = column(&[(number, "1.50"), (boolean, "true"), (text, "x")]);
    assert_eq!(printed(&mixed), ["1.50", "True", "x", ""]);
    let written = mixed.written.unwrap();
    assert_eq!(written.kinds[..3], [number, boolean, text], "as they stood in their source");
    assert_eq!(written.text(1), "true");
    assert_eq!(column(&[(boolean, "false")]).value(0), Value::Boolean(false));
    assert_eq!(column(&[]).kind(), ColumnKind::Float, "nothing but missing cells");
}

#[test]
fn chosen_rows_keep_their_values() {
    let column = of_csv(&["b", "a", "", "b", "c"]);
    let chosen = column.rows_at(&[4, 0, 2, 3]);
    assert_eq!(printed(&chosen), ["c", "b", "", "b"]);
    let Values::Text(texts) = &chosen.values else { panic!("{chosen:?}") };
    assert_eq!(texts.distinct, ["c", "b"]);
    assert_eq!(chosen.written.unwrap().text(1), "b");
}

proptest! {
    /// However the cells mix, a column holds what was put in: as text if it is one, else as the number that the standard library reads.
    #[test]
    fn no_cell_is_lost(
        cells in prop::collection::vec(prop::sample::select(vec!["", "1", "-3", "007", "2.50", "1e3", "x", "y z", "True", "NA", "4"]), 0..40),
        keeps_written: bool,
    ) {
        let mut builder = ColumnBuilder::new(keeps_written);
        for cell in &cells {
            builder.push_csv(cell);
        }
        let column = builder.finish("c".to_owned());
        prop_assert_eq!(column.len(), cells.len());
        for (row, cell) in cells.iter().enumerate() {
            match column.value(row) {
                Value::Missing => prop_assert!(matches!(*cell, "" | "NA")),
                Value::Integer(value) => prop_assert_eq!(value, cell.parse::<i64>().unwrap()),
                Value::Float(value) => prop_assert_eq!(value, cell.parse::<f64>().unwrap()),
                Value::Boolean(value) => prop_assert!(value && *cell == "True"),
                Value::Text(text) => prop_assert_eq!(text, *cell),
            }
        }
        prop_assert_eq!(column.written.is_some(), keeps_written);
    }

    /// Texts are told apart whatever they are, and how many.
    #[test]
    fn distinct_texts_are_kept_once(texts in prop::collection::vec("[a-c]{1,3}x", 1..300)) {
        let mut builder = ColumnBuilder::new(false);
        for text in &texts {
            builder.push_csv(text);
        }
        let column = builder.finish("c".to_owned());
        let mut expected: Vec<&String> = Vec::new();
        for text in &texts {
            if !expected.contains(&text) {
                expected.push(text);
            }
        }
        let Values::Text(found) = &column.values else { panic!("{column:?}") };
        prop_assert_eq!(found.distinct.iter().collect::<Vec<_>>(), expected);
        for (row, text) in texts.iter().enumerate() {
            prop_assert_eq!(column.value(row), Value::Text(text));
        }
    }
}
