//! Where splits begin: that depends on the data alone, and a fold's result depends on it.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use watchkeeper_data::{DatasetFile, Reading, SPLIT_BYTES, list, open};
use watchkeeper_engine::column::Batch;

use crate::table::{Folder, csv, json_document, json_lines, read};

/// Rows of one length, numbered, which does not divide a split's.
const ROW: u64 = 1_020;

struct Rows {
    folder: Folder,
    count: u64,
    offset: u64,
}

/// A file that is cut twice: `offset` bytes, then rows.
fn large_file(offset: &str, row: impl Fn(u64) -> String) -> Rows {
    let folder = Folder::with("large", "");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(folder.path().join("large")).unwrap());
    file.write_all(offset.as_bytes()).unwrap();
    let count = 600 * 1024 * 1024 / ROW;
    for number in 0..count {
        let row = row(number);
        assert_eq!(row.len() as u64, ROW);
        file.write_all(row.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    Rows { folder, count, offset: offset.len() as u64 }
}

/// Reads a large file: each row is whole, in its place, and in the split that its first byte is in.
fn check_rows(rows: &Rows, reading: &Reading) {
    let mut source = open(list(rows.folder.path()).unwrap(), reading, None);
    let mut batch = Batch::default();
    let mut number = 0;
    while source.fill(&mut batch).unwrap() {
        for cell in batch.column(0) {
            assert_eq!(batch.text_of(cell), format!("{number:010}").as_bytes());
            let begins = rows.offset + number * ROW;
            assert_eq!(u64::from(source.split()), begins / SPLIT_BYTES, "row {number}, which begins at {begins}");
            number += 1;
        }
        assert!(batch.column(1).all(|cell| cell.length() > 900));
    }
    assert_eq!(number, rows.count);
    assert_eq!(source.split(), 2);
    let size = rows.offset + rows.count * ROW;
    assert_eq!(source.progress(), (size, Some(size)));
}

#[test]
fn a_large_csv_file_is_cut_at_the_first_record_of_every_256_mib() {
    let text = "x\n".repeat(503);
    let rows = large_file("number,text\n", |number| format!("{number:010},\"{text}\"\n"));
    check_rows(&rows, &csv(true));
}

#[test]
fn a_large_file_of_json_lines_is_cut_likewise() {
    let text = "x".repeat(989);
    let rows = large_file("", |number| format!("{{\"a\":\"{number:010}\",\"b\":\"{text}\"}}\n\n\n\n\n\n"));
    check_rows(&rows, &json_lines());
}

/// A tiny file that is said to be large.
fn said_to_be(folder: &Folder, name: &str, content: &str, mebibytes: u64) -> DatasetFile {
    DatasetFile { path: folder.write(name, content), size: Some(mebibytes * 1024 * 1024) }
}

#[test]
fn whole_files_are_packed() {
    let folder = Folder::new();
    let files = |sizes: &[u64]| {
        let file = |(index, size): (usize, &u64)| said_to_be(&folder, &index.to_string(), &format!("{index}\n"), *size);
        sizes.iter().enumerate().map(file).collect::<Vec<_>>()
    };
    for (sizes, splits) in [
        (&[10, 20, 30][..], &[0, 0, 0][..]),
        (&[256, 1, 255, 1], &[0, 1, 1, 2]),
        (&[0, 256, 0, 1], &[0, 0, 0, 1]),
        (&[100, 100, 100, 200], &[0, 0, 1, 2]),
        (&[200, 100, 100, 56, 1], &[0, 1, 1, 1, 2]),
    ] {
        let table = read(files(sizes), &csv(false), None).unwrap();
        assert_eq!(table.splits, splits, "{sizes:?}");
    }
}

#[test]
fn documents_are_cut_nowhere() {
    let folder = Folder::new();
    let files = vec![
        said_to_be(&folder, "1", "[{\"a\":1},{\"a\":2}]", 1_000),
        said_to_be(&folder, "2", "[{\"a\":3}]", 1),
        said_to_be(&folder, "3", "[{\"a\":4}]", 1),
    ];
    assert_eq!(read(files, &json_document(), None).unwrap().splits, [0, 0, 1, 1]);
}

#[test]
fn files_that_cannot_be_packed_leave_no_split_out() {
    // Splits are merged along a tree over their numbers.
    let folder = Folder::new();
    let files = (0..5).map(|index| said_to_be(&folder, &index.to_string(), "1\n", 300)).collect();
    assert_eq!(read(files, &csv(false), None).unwrap().splits, [0, 1, 2, 3, 4]);
}

#[test]
fn an_empty_source_is_in_the_first_split() {
    let mut source = open(Vec::new(), &csv(true), None);
    assert!(!source.fill(&mut Batch::default()).unwrap());
    assert_eq!((source.split(), source.progress()), (0, (0, Some(0))));
}
