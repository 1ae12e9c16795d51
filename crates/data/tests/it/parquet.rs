//! Parquet: every type's text form, and files that cannot be read. Files are written by the `parquet` crate.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Decimal256Type, Float16Type, Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StringViewArray,
    StructArray, Time32MillisecondArray, Time32SecondArray, Time64MicrosecondArray, Time64NanosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use watchkeeper_data::{DatasetFile, Reading, list, open};
use watchkeeper_engine::column::{Batch, CellKind};
use watchkeeper_formats::DatasetFormat;

use crate::table::{Folder, Table, Value, boolean, number, read, text};

fn reading() -> Reading {
    Reading::of(DatasetFormat::Parquet)
}

pub fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, rows_a_group: usize) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows_a_group)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn written(columns: Vec<(&str, ArrayRef)>) -> Folder {
    let folder = Folder::new();
    write(&folder.path().join("data.parquet"), columns, 1_000_000);
    folder
}

/// The values of one column.
fn values(array: impl Array + 'static) -> Vec<Value> {
    let table = written(vec![("a", Arc::new(array))]).read(&reading()).unwrap();
    assert_eq!(table.names, ["a"]);
    table.rows.into_iter().map(|mut row| row.remove(0)).collect()
}

fn numbers(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| number(text)).collect()
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|value| text(value)).collect()
}

#[test]
fn integers_are_decimal_digits() {
    assert_eq!(values(Int8Array::from(vec![i8::MIN, 0, i8::MAX])), numbers(&["-128", "0", "127"]));
    assert_eq!(values(Int16Array::from(vec![i16::MIN, -1, i16::MAX])), numbers(&["-32768", "-1", "32767"]));
    assert_eq!(values(Int32Array::from(vec![i32::MIN, 10, i32::MAX])), numbers(&["-2147483648", "10", "2147483647"]));
    assert_eq!(
        values(Int64Array::from(vec![i64::MIN, 100, i64::MAX])),
        numbers(&["-9223372036854775808", "100", "9223372036854775807"])
    );
    assert_eq!(values(UInt8Array::from(vec![0, u8::MAX])), numbers(&["0", "255"]));
    assert_eq!(values(UInt16Array::from(vec![0, u16::MAX])), numbers(&["0", "65535"]));
    assert_eq!(values(UInt32Array::from(vec![0, u32::MAX])), numbers(&["0", "4294967295"]));
    assert_eq!(values(UInt64Array::from(vec![0, u64::MAX])), numbers(&["0", "18446744073709551615"]));
}

#[test]
fn decimals_have_the_digits_of_their_scale() {
    let expected = numbers(&["1.50", "-0.07", "123.00", "0.00"]);
    let raw = [150, -7, 12_300, 0];
    assert_eq!(values(Decimal32Array::from(raw.to_vec()).with_precision_and_scale(9, 2).unwrap()), expected);
    let raw = raw.map(i64::from);
    assert_eq!(values(Decimal64Array::from(raw.to_vec()).with_precision_and_scale(18, 2).unwrap()), expected);
    let raw = raw.map(i128::from);
    assert_eq!(values(Decimal128Array::from(raw.to_vec()).with_precision_and_scale(38, 2).unwrap()), expected);
    let raw = raw.map(<Decimal256Type as ArrowPrimitiveType>::Native::from_i128).to_vec();
    assert_eq!(values(Decimal256Array::from(raw).with_precision_and_scale(76, 2).unwrap()), expected);
    let whole = Decimal128Array::from(vec![5, -12]).with_precision_and_scale(10, 0).unwrap();
    assert_eq!(values(whole), numbers(&["5", "-12"]));
}

#[test]
fn floats_are_doubles_in_java_s_layout() {
    let doubles =
        vec![0.5, 1.0, -0.0, 1e7, 1e-4, 1.5e300, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    // As `Double.toString` writes them.
    let mut expected = numbers(&[
        "0.5",
        "1.0",
        "-0.0",
        "1.0E7",
        "1.0E-4",
        "1.5E300",
        "2.2250738585072014E-308",
        "Infinity",
        "-Infinity",
    ]);
    expected.push(None);
    assert_eq!(values(Float64Array::from(doubles)), expected);
    // Widened exactly: a float's own shortest digits would be those of another double.
    assert_eq!(
        values(Float32Array::from(vec![0.5, 0.1, f32::NAN, f32::MAX])),
        [number("0.5"), number("0.10000000149011612"), None, number("3.4028234663852886E38")]
    );
    let halves = [0.5, 0.1, 65_504.0].map(<Float16Type as ArrowPrimitiveType>::Native::from_f64).to_vec();
    assert_eq!(values(Float16Array::from(halves)), numbers(&["0.5", "0.0999755859375", "65504.0"]));
}

#[test]
fn booleans_are_booleans() {
    assert_eq!(values(BooleanArray::from(vec![Some(true), None, Some(false)])), [boolean(true), None, boolean(false)]);
}

#[test]
fn texts_are_as_they_are() {
    let content = ["plain", "with, \"comma\"", "é🦀", " ", "1", "a\nb", "null"];
    let expected = texts(&content);
    assert_eq!(values(StringArray::from(content.to_vec())), expected);
    assert_eq!(values(LargeStringArray::from(content.to_vec())), expected);
    assert_eq!(values(StringViewArray::from(content.to_vec())), expected);
    let dictionary: DictionaryArray<Int32Type> = content.into_iter().collect();
    assert_eq!(values(dictionary), expected);
}

#[test]
fn an_empty_text_is_a_value() {
    assert_eq!(values(StringArray::from(vec![Some(""), None, Some("a")])), [text(""), None, text("a")]);
}

#[test]
fn dates_times_and_timestamps_are_texts() {
    let day = 24 * 60 * 60;
    let dates = ["1970-01-01", "2026-01-31", "1969-12-31", "2024-02-29"];
    let days = [0, 20_484, -1, 19_782];
    assert_eq!(values(Date32Array::from(days.to_vec())), texts(&dates));
    let milliseconds = days.map(|days| i64::from(days) * day * 1_000).to_vec();
    assert_eq!(
        values(Date64Array::from(milliseconds)),
        texts(&["1970-01-01", "2026-01-31", "1969-12-31", "2024-02-29"])
    );

    let noon = 12 * 60 * 60 + 30 * 60;
    assert_eq!(values(Time32SecondArray::from(vec![0, noon])), texts(&["00:00:00", "12:30:00"]));
    assert_eq!(
        values(Time32MillisecondArray::from(vec![noon * 1_000, noon * 1_000 + 250])),
        texts(&["12:30:00", "12:30:00.25"])
    );
    let noon = i64::from(noon);
    assert_eq!(
        values(Time64MicrosecondArray::from(vec![noon * 1_000_000, noon * 1_000_000 + 1])),
        texts(&["12:30:00", "12:30:00.000001"])
    );
    assert_eq!(
        values(Time64NanosecondArray::from(vec![noon * 1_000_000_000, day * 1_000_000_000 - 1])),
        texts(&["12:30:00", "23:59:59.999999999"])
    );

    let moment = 20_484 * day + noon;
    assert_eq!(
        values(TimestampSecondArray::from(vec![moment, 0, -1])),
        texts(&["2026-01-31 12:30:00", "1970-01-01 00:00:00", "1969-12-31 23:59:59"])
    );
    assert_eq!(
        values(TimestampMillisecondArray::from(vec![moment * 1_000 + 500, -1])),
        texts(&["2026-01-31 12:30:00.5", "1969-12-31 23:59:59.999"])
    );
    assert_eq!(
        values(TimestampMicrosecondArray::from(vec![moment * 1_000_000 + 120]).with_timezone("Europe/Berlin")),
        texts(&["2026-01-31 12:30:00.00012"])
    );
    assert_eq!(
        values(TimestampNanosecondArray::from(vec![moment * 1_000_000_000 + 7]).with_timezone_utc()),
        texts(&["2026-01-31 12:30:00.000000007"])
    );
    // Beyond the years that a calendar has.
    assert_eq!(values(TimestampSecondArray::from(vec![i64::MAX, i64::MIN])), [None, None]);
}

#[test]
fn nulls_are_missing_in_every_type() {
    let of = |array: ArrayRef| written(vec![("a", array)]).read(&reading()).unwrap().rows;
    let with_null: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![None, Some(1), None])),
        Arc::new(Float64Array::from(vec![None, Some(1.0), None])),
        Arc::new(BooleanArray::from(vec![None, Some(true), None])),
        Arc::new(StringArray::from(vec![None, Some("a"), None])),
        Arc::new(StringViewArray::from(vec![None, Some("a"), None])),
        Arc::new(Date32Array::from(vec![None, Some(1), None])),
        Arc::new(Time64NanosecondArray::from(vec![None, Some(1), None])),
        Arc::new(TimestampSecondArray::from(vec![None, Some(1), None])),
        Arc::new(Decimal128Array::from(vec![None, Some(1), None])),
        Arc::new([None, Some("a"), None].into_iter().collect::<DictionaryArray<Int8Type>>()),
    ];
    for array in with_null {
        let data_type = array.data_type().clone();
        let missing: Vec<bool> = of(array).into_iter().map(|row| row[0].is_none()).collect();
        assert_eq!(missing, [true, false, true], "{data_type}");
    }
    let nothing_else: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(3)),
        Arc::new(StringArray::new_null(3)),
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::new_null(3), Arc::new(StringArray::new_null(0)))),
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::new_null(3), Arc::new(StringArray::from(vec!["a"])))),
    ];
    for array in nothing_else {
        assert_eq!(of(array), [[None], [None], [None]]);
    }
}

#[test]
fn dictionaries_of_other_types_are_those_types() {
    let keys = Int8Array::from(vec![Some(1), Some(0), None, Some(1)]);
    let array = DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![Some(7), None])));
    assert_eq!(values(array), [None, number("7"), None, None]);
}

/// A table in which each row can be told.
fn numbered(rows: std::ops::Range<i64>) -> Vec<(&'static str, ArrayRef)> {
    let text = |row| (row % 3 > 0).then(|| format!("text {row}"));
    let picked: DictionaryArray<Int32Type> = rows.clone().map(|row| ["x", "y", "z"][row as usize % 3]).collect();
    vec![
        ("number", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        ("text", Arc::new(rows.map(text).collect::<StringArray>())),
        ("picked", Arc::new(picked)),
    ]
}

fn check_numbered(table: &Table, rows: i64) {
    assert_eq!(table.names, ["number", "text", "picked"]);
    assert!(table.has_own_names && table.notes.is_empty());
    assert_eq!(table.rows.len(), rows as usize);
    for (row, texts) in (0..rows).zip(table.texts()) {
        let text = if row % 3 > 0 { format!("text {row}") } else { String::new() };
        assert_eq!(texts, [row.to_string(), text, ["x", "y", "z"][row as usize % 3].to_owned()]);
    }
}

#[test]
fn row_groups_and_files_follow_each_other() {
    let folder = Folder::new();
    write(&folder.path().join("1.parquet"), numbered(0..50_000), 7_000);
    check_numbered(&folder.read(&reading()).unwrap(), 50_000);
    write(&folder.path().join("2.parquet"), numbered(50_000..50_000), 7_000);
    write(&folder.path().join("3.parquet"), numbered(50_000..50_001), 7_000);
    write(&folder.path().join("4.parquet"), numbered(50_001..70_000), 100);
    let table = folder.read(&reading()).unwrap();
    check_numbered(&table, 70_000);
    assert!(table.splits.iter().all(|split| *split == 0));
}

#[test]
fn progress_ends_at_the_size() {
    let folder = written(numbered(0..50_000));
    let files = list(folder.path()).unwrap();
    let size = files[0].size.unwrap();
    let mut source = open(files, &reading(), None);
    let mut batch = Batch::default();
    let mut last = 0;
    while source.fill(&mut batch).unwrap() {
        let (read, total) = source.progress();
        assert!(last < read && read <= size && total == Some(size));
        last = read;
    }
    assert!(last > size * 9 / 10);
}

#[test]
fn whole_files_are_packed() {
    let folder = Folder::new();
    let files = (0..4).map(|index| {
        let path = folder.path().join(format!("{index}.parquet"));
        write(&path, numbered(index..index + 1), 100);
        DatasetFile { path, size: Some(100 * 1024 * 1024) }
    });
    let table = read(files.collect(), &reading(), None).unwrap();
    check_numbered(&table, 4);
    assert_eq!(table.splits, [0, 0, 1, 1]);
}

#[test]
fn long_texts_are_read_in_bounded_batches() {
    // A hundred values share a text of eight mebibytes: 800 MiB in all, in a file of eight.
    let long = "é".repeat(4 * 1024 * 1024);
    let folder = Folder::new();
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(&long, 100)));
    write(&folder.path().join("a.parquet"), vec![("a", column)], 1_000);
    let mut source = open(list(folder.path()).unwrap(), &reading(), None);
    let mut batch = Batch::default();
    let mut rows = 0;
    while source.fill(&mut batch).unwrap() {
        assert!(batch.text.capacity() <= 40 * 1024 * 1024, "{}", batch.text.capacity());
        assert!(batch.column(0).all(|cell| batch.text_of(cell) == long.as_bytes()));
        rows += batch.rows;
    }
    assert_eq!(rows, 100);
}

#[test]
fn a_text_longer_than_a_record_may_be_is_refused() {
    let long = "x".repeat(33 * 1024 * 1024);
    let column: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", &long, "c"]));
    assert_eq!(
        written(vec![("a", column)]).message(&reading()),
        "data.parquet, row 3: the row is longer than 32 MiB, the longest there may be"
    );
}

#[test]
fn twenty_thousand_columns() {
    let names: Vec<String> = (0..20_000).map(|column| format!("column {column}")).collect();
    let column = |column: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..50).map(|row| row * column))) };
    let columns = names.iter().zip(0..).map(|(name, number)| (name.as_str(), column(number))).collect();
    let table = written(columns).read(&reading()).unwrap();
    assert_eq!(table.names, names);
    for (row, values) in (0..50).zip(&table.rows) {
        assert!(values.iter().zip(0..).all(|(value, column)| *value == number(&(row * column).to_string())));
    }
}

#[test]
fn nested_and_binary_columns_are_refused() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let field = Arc::new(arrow_schema::Field::new("b", arrow_schema::DataType::Int32, true));
    let columns: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(list), "List"),
        (Arc::new(StructArray::from(vec![(field, Arc::clone(&number))])), "Struct"),
        (Arc::new(BinaryArray::from(vec![&b"a"[..]])), "Binary"),
    ];
    for (array, kind) in columns {
        let message = written(vec![("a", Arc::clone(&number)), ("the column", array)]).message(&reading());
        assert!(message.starts_with(&format!("data.parquet: column `the column` is of the type {kind}")), "{message}");
        assert!(message.ends_with("; only numbers, booleans, text, dates and times can be analysed"), "{message}");
    }
}

#[test]
fn files_with_other_columns_are_refused() {
    let folder = Folder::new();
    let column = || -> ArrayRef { Arc::new(Int32Array::from(vec![1])) };
    write(&folder.path().join("1.parquet"), vec![("a", column()), ("b", column())], 10);
    write(&folder.path().join("2.parquet"), vec![("b", column()), ("c", column())], 10);
    assert_eq!(
        folder.message(&reading()),
        "2.parquet: its columns are not those of the first file: b, c, expected a, b"
    );
}

#[test]
fn files_of_one_column_and_two_types_are_read() {
    let folder = Folder::new();
    write(&folder.path().join("1.parquet"), vec![("a", Arc::new(Int32Array::from(vec![1])))], 10);
    write(&folder.path().join("2.parquet"), vec![("a", Arc::new(StringArray::from(vec!["x"])))], 10);
    let rows = folder.read(&reading()).unwrap().rows;
    assert_eq!(rows, [[Some((CellKind::Number, "1".to_owned()))], [Some((CellKind::Text, "x".to_owned()))]]);
}

#[test]
fn damaged_files_are_named() {
    let folder = written(numbered(0..10_000));
    let path = folder.path().join("data.parquet");
    let content = std::fs::read(&path).unwrap();
    for (content, what) in [
        (&content[..content.len() - 1], "cut off by a byte"),
        (&content[..content.len() / 2], "cut in half"),
        (&content[..5], "next to nothing"),
        (&[][..], "empty"),
        (b"a,b\n1,2\n3,4\n5,6\n", "text"),
    ] {
        std::fs::write(&path, content).unwrap();
        let message = folder.message(&reading());
        assert!(message.starts_with("data.parquet: cannot be read as Parquet: "), "{what}: {message}");
    }
    // The end, which is read first, is whole.
    let mut damaged = content.clone();
    damaged[4..2_000].fill(0xA5);
    std::fs::write(&path, damaged).unwrap();
    let message = folder.message(&reading());
    assert!(message.starts_with("data.parquet: cannot be read as Parquet: "), "{message}");
}

#[test]
fn standard_input_is_refused() {
    let mut source = open(list(Path::new("-")).unwrap(), &reading(), None);
    assert_eq!(
        source.fill(&mut Batch::default()).unwrap_err().to_string(),
        "standard input: a Parquet file is read from its end and cannot come from standard input"
    );
}
