//! Headers that are out of the ordinary, and files whose headers differ.

use crate::table::{Folder, csv, read_text};

#[test]
fn a_column_without_a_name_is_named_by_its_place() {
    let table = read_text("a,,\"\",d\n1,2,3,4\n", &csv(true));
    assert_eq!(table.names, ["a", "_c1", "_c2", "d"]);
    assert_eq!(table.notes, ["2 columns have no name in the header: named by their places, `_c0` the first"]);
    let table = read_text(",a\n1,2\n", &csv(true));
    assert_eq!(table.names, ["_c0", "a"]);
    assert_eq!(table.notes, ["1 column has no name in the header: named by its place, `_c0` the first"]);
}

#[test]
fn a_name_that_stands_twice_is_told() {
    let table = read_text("a,b,a,c,b,a\n1,2,3,4,5,6\n", &csv(true));
    assert_eq!(table.names, ["a", "b", "a", "c", "b", "a"]);
    assert_eq!(table.texts(), [["1", "2", "3", "4", "5", "6"]]);
    assert_eq!(table.notes, ["more than one column is named `a`, `b`: they are told apart by their order alone"]);
}

#[test]
fn names_in_another_order_are_found_by_name() {
    let folder = Folder::with("1.csv", "a,b,c\n1,2,3\n");
    folder.write("2.csv", "c,a,b\n3,1,2\n3,,\n3\n");
    folder.write("3.csv", "a,b,c\n1,2,3\n");
    let table = folder.read(&csv(true)).unwrap();
    assert_eq!(table.names, ["a", "b", "c"]);
    assert_eq!(table.texts(), [["1", "2", "3"], ["1", "2", "3"], ["", "", "3"], ["", "", "3"], ["1", "2", "3"]]);
    assert_eq!(
        folder.without_folder(&table.notes[0]),
        "2.csv: the header has the first file's names in another order; columns are taken by name"
    );
}

#[test]
fn other_names_are_taken_by_position() {
    let folder = Folder::with("1.csv", "a,b\n1,2\n");
    folder.write("2.csv", "a,x\n3,4\n");
    folder.write("3.csv", "b,a,c\n5,6,7\n");
    folder.write("4.csv", "a\n8\n");
    let table = folder.read(&csv(true)).unwrap();
    assert_eq!(table.names, ["a", "b"]);
    assert_eq!(table.texts(), [["1", "2"], ["3", "4"], ["5", "6"], ["8", ""]]);
    assert_eq!(
        folder.without_folder(&table.notes[0]),
        "2.csv and 2 other files: the header is not that of the first file; columns are taken by position"
    );
}

#[test]
fn names_that_stand_twice_are_taken_by_position() {
    let folder = Folder::with("1.csv", "a,a,b\n1,2,3\n");
    folder.write("2.csv", "b,a,a\n4,5,6\n");
    let table = folder.read(&csv(true)).unwrap();
    assert_eq!(table.texts(), [["1", "2", "3"], ["4", "5", "6"]]);
}

#[test]
fn many_files_with_other_headers_are_one_note() {
    let folder = Folder::with("000.csv", "a,b\n1,2\n");
    for number in 1..=300 {
        folder.write(&format!("{number:03}.csv"), if number % 2 == 0 { "b,a\n2,1\n" } else { "c,d\n1,2\n" });
    }
    let table = folder.read(&csv(true)).unwrap();
    assert!(table.texts().iter().all(|row| row == &["1", "2"]));
    let notes: Vec<String> = table.notes.iter().map(|note| folder.without_folder(note)).collect();
    assert_eq!(
        notes,
        [
            "002.csv and 149 other files: the header has the first file's names in another order; columns are taken by \
             name",
            "001.csv and 149 other files: the header is not that of the first file; columns are taken by position",
        ]
    );
}

#[test]
fn twenty_thousand_columns() {
    let names: Vec<String> = (0..20_000).map(|index| format!("column_{index}")).collect();
    let row = |row: usize| (0..20_000).map(|column| (row * column).to_string()).collect::<Vec<_>>();
    let mut content = names.join(",");
    for number in 0..30 {
        content += "\n";
        content += &row(number).join(",");
    }
    let table = read_text(content, &csv(true));
    assert_eq!(table.names, names);
    let texts = table.texts();
    assert_eq!(texts.len(), 30);
    for (number, found) in texts.iter().enumerate() {
        assert_eq!(*found, row(number));
    }
}

#[test]
fn twenty_thousand_columns_in_another_order() {
    let names: Vec<String> = (0..20_000).map(|index| format!("column_{index}")).collect();
    let values: Vec<String> = (0..20_000).map(|index| index.to_string()).collect();
    let backwards = |texts: &[String]| texts.iter().rev().cloned().collect::<Vec<_>>().join(",");
    let folder = Folder::with("1.csv", format!("{}\n{}\n", names.join(","), values.join(",")));
    folder.write("2.csv", format!("{}\n{}\n", backwards(&names), backwards(&values)));
    assert_eq!(folder.read(&csv(true)).unwrap().texts(), [values.clone(), values]);
}

#[test]
fn short_rows_of_a_wide_table_are_read_in_bounded_batches() {
    let header = vec!["c"; 50_000].join(",");
    let table = read_text(format!("{header}\n{}", "1\n".repeat(200)), &csv(true));
    assert_eq!(table.rows.len(), 200);
    assert!(table.rows.iter().all(|row| row.len() == 50_000 && row[1..].iter().all(Option::is_none)));
}
