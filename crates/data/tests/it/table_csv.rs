//! CSV files as tables: the dialect, headers, widths, notes and messages. What cells come to is what pandas 3.1 reads of the same text.

use watchkeeper_data::list;
use watchkeeper_data::table::{JsonPlaces, ReadTable, TableError, TableReading, column_of, read};
use watchkeeper_engine::table::ColumnKind::{Boolean, Float, Integer, Text};
use watchkeeper_engine::table::{Column, ColumnKind, Table, Value};
use watchkeeper_formats::clarify::{DatasetType, Reference};

use crate::table::Folder;

pub fn reading(dataset_type: DatasetType) -> TableReading {
    TableReading {
        dataset_type,
        headers: None,
        places: JsonPlaces::default(),
        references: Vec::new(),
        possible_names: Vec::new(),
        keeps_written: false,
    }
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn with_headers(headers: &[&str]) -> TableReading {
    TableReading { headers: Some(names(headers)), ..reading(DatasetType::Csv) }
}

fn with_references(references: &[Reference]) -> TableReading {
    TableReading { references: references.to_vec(), ..reading(DatasetType::Csv) }
}

pub fn name(text: &str) -> Reference {
    Reference::Name(text.to_owned())
}

pub fn read_folder(folder: &Folder, reading: &TableReading) -> Result<ReadTable, TableError> {
    read(list(folder.path()).unwrap(), reading)
}

pub fn read_one(content: impl AsRef<[u8]>, reading: &TableReading) -> ReadTable {
    read_folder(&Folder::with("data", content), reading).unwrap()
}

pub fn refusal(content: impl AsRef<[u8]>, reading: &TableReading) -> String {
    let folder = Folder::with("data", content);
    let error = read_folder(&folder, reading).expect_err("the dataset should have been refused");
    folder.without_folder(&error.to_string())
}

/// A row's values as texts, a missing one as `-`, texts in quotes.
pub fn row(table: &Table, row: usize) -> Vec<String> {
    let shown = |value| match value {
        Value::Missing => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Text(text) => format!("{text:?}"),
    };
    table.columns.iter().map(|column| shown(column.value(row))).collect()
}

pub fn rows(table: &Table) -> Vec<Vec<String>> {
    (0..table.rows).map(|index| row(table, index)).collect()
}

pub fn column_names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

/// Rows of a file without a header.
fn cells(content: &str) -> Vec<Vec<String>> {
    let width = content.split(['\n', '\r']).next().unwrap().split(',').count();
    let headers: Vec<String> = (0..width).map(|index| index.to_string()).collect();
    let reading = TableReading { headers: Some(headers), ..reading(DatasetType::Csv) };
    rows(&read_one(content, &reading).table)
}

#[test]
fn the_dialect_is_that_of_excel() {
    // `x"y"z` keeps its quotes, `"q""r"` has one, text behind a closing quote belongs to the cell, a backslash is one.
    assert_eq!(cells("x\"y\"z,\"q\"\"r\"\n"), [["\"x\\\"y\\\"z\"", "\"q\\\"r\""]]);
    assert_eq!(cells("\"x\"y,2\n"), [["\"xy\"", "2"]]);
    assert_eq!(cells("\"x\"y\"z\",3\n"), [["\"xy\\\"z\\\"\"", "3"]]);
    assert_eq!(cells("a\\,\"b\\\"\n"), [["\"a\\\\\"", "\"b\\\\\""]]);
    assert_eq!(cells(" x,\"u\nv,w\"\n"), [["\" x\"", "\"u\\nv,w\""]]);
}

#[test]
fn rows_end_with_any_of_three_line_ends_and_blank_lines_are_none() {
    let expected = [["1", "2"], ["3", "4"]];
    for content in [
        "1,2\n3,4\n",
        "1,2\r\n3,4\r\n",
        "1,2\r3,4",
        "\n1,2\n\n  \t\n3,4\n\n",
        "1,2\r\r3,4\r",
        "1,2\r\n\r\n3,4",
        "1,2\n3,4\n  ",
    ] {
        assert_eq!(cells(content.trim_start_matches('\n')), expected, "{content:?}");
    }
    // A row of one empty cell is one where it is quoted.
    assert_eq!(cells("x\n\"\"\ny\n"), [["\"x\""], ["-"], ["\"y\""]]);
    assert_eq!(cells("\u{feff}1,2\n3,4\n"), expected);
}

#[test]
fn kinds_are_those_of_whole_columns_over_all_files() {
    let folder = Folder::with("a.csv", "1,1,true,x,1\n2,2,False,,2\n");
    folder.write("b.csv", "3,0.5,TRUE,NA,\n");
    let read = read_folder(&folder, &with_headers(&["i", "f", "b", "t", "m"])).unwrap();
    let kinds: Vec<ColumnKind> = read.table.columns.iter().map(Column::kind).collect();
    assert_eq!(kinds, [Integer, Float, Boolean, Text, Float]);
    assert_eq!(row(&read.table, 2), ["3", "0.5", "true", "-", "-"]);
    assert_eq!(read.rows_of_files, [2, 1]);
}

#[test]
fn a_first_row_of_the_given_names_is_left_out_of_every_file() {
    let folder = Folder::with("a.csv", "x,y\n1,2\n");
    folder.write("b.csv", "3,4\n");
    folder.write("c.csv", "x,y\n");
    folder.write("d.csv", "");
    let read = read_folder(&folder, &with_headers(&["x", "y"])).unwrap();
    assert_eq!(rows(&read.table), [["1", "2"], ["3", "4"]]);
    assert_eq!(read.rows_of_files, [1, 1, 0, 0]);
    assert_eq!(column_names(&read.table), ["x", "y"]);
}

#[test]
fn the_first_row_is_the_header_where_it_has_a_name_that_is_used() {
    let content = "a,b,c\nu,v,w\n1,2,3\n";
    let read = read_one(content, &with_references(&[name("b")]));
    assert_eq!(column_names(&read.table), ["a", "b", "c"]);
    assert_eq!(read.table.rows, 2);
    assert!(read.notes[0].ends_with("data: the first row is taken for the names of the columns"), "{:?}", read.notes);
    // None of the names is there: no header, however much it looks like one.
    let read = read_one("a,b\n1,2\n3,4\n", &with_references(&[name("z")]));
    assert_eq!(column_names(&read.table), ["column_0", "column_1"]);
    assert_eq!(read.table.rows, 3);
}

#[test]
fn with_indices_alone_the_kinds_of_cells_tell_a_header() {
    let indices = [Reference::Index(0), name("1")];
    for (content, header) in [
        ("a,b\n1,x\n2,y\n", true),
        // Missing cells are no numbers, and do not keep a column from being numeric.
        ("a,\n1,x\n,y\n", true),
        ("a,b\nu,x\nv,y\n", false),
        ("a,3\n1,x\n2,y\n", false),
        ("a,b\n1,x\nv,y\n", false),
        ("a,b\n,x\n,y\n", false),
    ] {
        let read = read_one(content, &with_references(&indices));
        assert_eq!(read.table.rows, if header { 2 } else { 3 }, "{content:?}");
        let read = read_one(content, &with_references(&[]));
        assert_eq!(read.table.rows, if header { 2 } else { 3 }, "{content:?} without references");
    }
    let read = read_one("a,\n1,x\n", &with_references(&indices));
    assert_eq!(column_names(&read.table), ["a", "column_1"]);
}

#[test]
fn a_name_that_is_a_number_is_a_name_where_the_row_can_be_a_header() {
    let read = read_one("id,1,2\nx,5,6\n", &with_references(&[name("1")]));
    assert_eq!(column_names(&read.table), ["id", "1", "2"]);
    // An index, and a value that happens to be the same.
    let read = read_one("0,r100,-1.5\n1,r101,2.5\n", &with_references(&[name("0")]));
    assert_eq!(read.table.rows, 2);
}

#[test]
fn headers_of_later_files_are_taken_by_name_and_files_without_by_position() {
    let folder = Folder::with("a.csv", "y,x\n1,10\n");
    folder.write("b.csv", "x,y\n20,2\n");
    folder.write("c.csv", "3,30\n");
    let read = read_folder(&folder, &with_references(&[name("y")])).unwrap();
    assert_eq!(column_names(&read.table), ["y", "x"]);
    assert_eq!(rows(&read.table), [["1", "10"], ["2", "20"], ["3", "30"]]);
    assert!(read.notes.iter().any(|note| note.ends_with("its columns are in another order; they are taken by name")));
    folder.write("d.csv", "y,z\n4,40\n");
    let error = read_folder(&folder, &with_references(&[name("y")])).unwrap_err().to_string();
    assert_eq!(folder.without_folder(&error), "d.csv: its columns are y, z, those of the files before y, x");
}

#[test]
fn what_is_wrong_is_said_with_file_and_row() {
    assert_eq!(
        refusal("1,2,3\n", &with_headers(&["a", "b"])),
        "Headers in config do not match with the number of columns in the dataset. `headers` has 2 names, data has 3 columns"
    );
    assert_eq!(
        refusal("1,2\n3\n", &with_headers(&["a", "b"])),
        "data, row 2: the row has 1 cell, the rows before it have 2"
    );
    assert_eq!(
        refusal("a,b\n1,2\n\n3,4,5\n", &with_headers(&["a", "b"])),
        "data, row 3: the row has 3 cells, the rows before it have 2 (is there a comma in a cell that is not quoted?)"
    );
    assert_eq!(
        refusal("1,2\n3,\"4\n5,6\n", &with_headers(&["a", "b"])),
        "data, row 2: the quote that opens a cell here is never closed: \"\\\"4\\n5,6\\n\"; close it, or double it if it belongs to \
         the text"
    );
    assert_eq!(refusal("\n \n", &with_headers(&["a"])), "The dataset has no rows: data holds none");
    assert_eq!(refusal("a\n", &with_headers(&["a"])), "The dataset has no rows: data holds none");
    assert!(
        refusal(b"a\n\xE4\n", &with_headers(&["a"])).starts_with("data, row 2: byte 2 of the file (0xE4) is not UTF-8")
    );
    let folder = Folder::with("a.csv", "1,2\n");
    folder.write("b.csv", "1,2,3\n");
    let error = read_folder(&folder, &with_references(&[])).unwrap_err().to_string();
    assert_eq!(folder.without_folder(&error), "b.csv: it has 3 columns, a.csv has 2");
    let error = read_folder(&Folder::new(), &with_references(&[])).unwrap_err().to_string();
    assert_eq!(error, "The dataset has no rows: there is no file");
}

#[test]
fn cells_are_kept_as_they_were_written() {
    let reading = TableReading { keeps_written: true, ..with_headers(&["a", "b", "c"]) };
    let read = read_one("1.50,007,\"x,y\"\n-5,1e3,\n", &reading);
    let written = |row: usize| -> Vec<&str> {
        read.table.columns.iter().map(|column| column.written.as_ref().unwrap().text(row)).collect()
    };
    assert_eq!(written(0), ["1.50", "007", "x,y"]);
    assert_eq!(written(1)[..2], ["-5", "1e3"]);
    assert_eq!(row(&read.table, 1), ["-5.0", "1000.0", "-"]);
}

#[test]
fn columns_are_meant_by_name_then_by_index() {
    let read = read_one("a,2,c\n1,2,3\n", &with_references(&[name("a")]));
    let column = |reference: &Reference| column_of(&read.table, reference);
    assert_eq!(column(&name("c")), Some(2));
    assert_eq!(column(&name("2")), Some(1), "a name before an index");
    assert_eq!(column(&name("0")), Some(0));
    assert_eq!(column(&Reference::Index(2)), Some(2));
    assert_eq!(column(&Reference::Index(3)), None);
    for missing in ["3", "", "+1", "-1", "C", "99999999999999999999999"] {
        assert_eq!(column(&name(missing)), None, "{missing:?}");
    }
}

#[test]
fn compressed_files_are_unpacked() {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"1,2\n3,4\n").unwrap();
    let folder = Folder::with("data.csv.gz", packed.finish().unwrap());
    assert_eq!(rows(&read_folder(&folder, &with_headers(&["a", "b"])).unwrap().table), [["1", "2"], ["3", "4"]]);
    let folder = Folder::with("data.csv.gz", b"\x1f\x8b\x08\x00nonsense");
    let error = read_folder(&folder, &with_headers(&["a"])).unwrap_err().to_string();
    assert!(folder.without_folder(&error).starts_with("data.csv.gz: the gzip data is damaged or cut off"), "{error}");
}

/// A cell as CSV has it: quoted where it must be, or where it need not.
fn quoted(text: &str, always: bool) -> String {
    if always || text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

proptest::proptest! {
    /// What the `csv` crate reads of well-formed CSV, we read.
    #[test]
    fn well_formed_csv_is_read_as_the_csv_crate_reads_it(
        table in proptest::collection::vec(
            proptest::collection::vec(("[a-c\"\n\r,\\\\é ]{0,70}", proptest::bool::ANY), 3),
            1..20,
        ),
        line_end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let content: String = table
            .iter()
            .map(|cells| cells.iter().map(|(text, always)| quoted(&format!("x{text}"), *always)).collect::<Vec<_>>().join(",") + line_end)
            .collect();
        let mut referee = csv::ReaderBuilder::new().has_headers(false).from_reader(content.as_bytes());
        let expected: Vec<Vec<String>> = referee
            .records()
            .map(|record| record.unwrap().iter().map(|cell| format!("{cell:?}")).collect())
            .collect();
        let read = read_one(&content, &with_headers(&["a", "b", "c"]));
        proptest::prop_assert_eq!(rows(&read.table), expected);
    }
}

proptest::proptest! {
    /// Whatever a file holds, reading it ends with rows of one width or an error.
    #[test]
    fn no_bytes_are_too_strange(
        bytes in proptest::collection::vec(proptest::sample::select(b"ab0,,\"\"\\\n\r \t.-[]{}:fl\xC3\xA9\0".to_vec()), 0..200),
    ) {
        for dataset_type in [DatasetType::Csv, DatasetType::JsonLines, DatasetType::Json] {
            for features in ["f", "[*]", "f || @"] {
                let places = JsonPlaces { features: Some(features.to_owned()), ..JsonPlaces::default() };
                let reading = TableReading { places, ..reading(dataset_type) };
                if let Ok(read) = read_folder(&Folder::with("data", &bytes), &reading) {
                    assert!(read.table.rows > 0);
                    assert!(read.table.columns.iter().all(|column| column.len() == read.table.rows));
                }
            }
        }
    }
}

#[test]
fn a_possible_name_tells_a_header_where_it_is_there_and_nothing_where_it_is_not() {
    let reading = TableReading { possible_names: names(&["predicted_label"]), ..reading(DatasetType::Csv) };
    assert_eq!(column_names(&read_one("predicted_label\nyes\nno\n", &reading).table), ["predicted_label"]);
    assert_eq!(column_names(&read_one("yes\nno\n", &reading).table), ["column_0"]);
    // The kinds of cells tell too.
    assert_eq!(column_names(&read_one("score\n0.25\n0.75\n", &reading).table), ["score"]);
    let named = TableReading { references: vec![name("id")], ..reading };
    assert_eq!(column_names(&read_one("score\n0.25\n0.75\n", &named).table), ["column_0"]);
}
