//! Which files a dataset has, in which order, and how they are opened.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use watchkeeper_data::{format_of, list};
use watchkeeper_formats::DatasetFormat;

use crate::table::{Folder, capture, csv, json_lines};

fn listed(folder: &Folder) -> Vec<String> {
    let files = list(folder.path()).unwrap();
    files.iter().map(|file| file.path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_come_in_key_order_from_all_folders() {
    let folder = Folder::new();
    for name in ["b.csv", "a/2.csv", "a/10.csv", "a/c/1.csv", "a.csv", "a-1.csv", "B.csv", "z.csv", "é.csv"] {
        folder.write(name, "x\n");
    }
    // As an object store lists them: `/` comes behind `-` and `.`.
    let keys = ["B.csv", "a-1.csv", "a.csv", "a/10.csv", "a/2.csv", "a/c/1.csv", "b.csv", "z.csv", "é.csv"];
    assert_eq!(listed(&folder), keys);
}

#[test]
fn names_that_begin_with_a_dot_or_underscore_are_left_out() {
    let folder = Folder::new();
    for name in [".hidden", "_SUCCESS", "_temporary/1.csv", ".git/1.csv", "a/.part.crc", "a/_metadata", "a/part_1.csv"]
    {
        folder.write(name, "x\n");
    }
    assert_eq!(listed(&folder), ["a/part_1.csv"]);
    // What is named by the user is read.
    assert_eq!(list(&folder.path().join("_SUCCESS")).unwrap().len(), 1);
}

#[test]
fn an_empty_folder_has_no_files() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    assert!(listed(&folder).is_empty());
    assert!(folder.read(&csv(true)).unwrap().rows.is_empty());
}

#[test]
fn sizes_are_those_on_disk() {
    let folder = Folder::with("a", "12345");
    assert_eq!(list(folder.path()).unwrap()[0].size, Some(5));
    assert_eq!(list(Path::new("-")).unwrap()[0].size, None);
}

#[test]
fn a_missing_path_is_named() {
    let folder = Folder::new();
    let error = list(&folder.path().join("nothing/here.csv")).unwrap_err();
    assert_eq!(folder.without_folder(&error.to_string()), "nothing/here.csv: no such file or folder");
}

#[test]
fn a_file_that_went_away_is_named() {
    let folder = Folder::with("a.csv", "a\n1\n");
    let files = list(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    let error = crate::table::read(files, &csv(true), None).unwrap_err();
    assert_eq!(folder.without_folder(&error.to_string()), "a.csv: no such file or folder");
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_round() {
    use std::os::unix::fs::symlink;

    let folder = Folder::with("a/1.csv", "x\n");
    folder.write("elsewhere/2.csv", "x\n");
    symlink(folder.path().join("elsewhere"), folder.path().join("a/linked")).unwrap();
    symlink("..", folder.path().join("a/up")).unwrap();
    symlink(".", folder.path().join("a/itself")).unwrap();
    symlink("../elsewhere/2.csv", folder.path().join("a/3.csv")).unwrap();
    assert_eq!(listed(&folder), ["a/1.csv", "a/3.csv", "a/linked/2.csv", "elsewhere/2.csv"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_named() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("nothing", folder.path().join("a.csv")).unwrap();
    let error = list(folder.path()).unwrap_err();
    assert_eq!(folder.without_folder(&error.to_string()), "a.csv: no such file or folder");
}

#[test]
fn compressed_files_are_read_as_if_they_were_not() {
    let content = "a,b\n".to_owned() + &"1,\"x\ny\"\n".repeat(50_000);
    let plain = Folder::with("a.csv", &content).read(&csv(true)).unwrap();
    let folder = Folder::with("a.csv.gz", gzip(content.as_bytes()));
    assert_eq!(folder.read(&csv(true)).unwrap(), plain);
    // As `cat a.gz b.gz` makes it.
    let (first, second) = content.split_at(100_001);
    folder.write("a.csv.gz", [gzip(first.as_bytes()), gzip(b""), gzip(second.as_bytes())].concat());
    assert_eq!(folder.read(&csv(true)).unwrap(), plain);
}

#[test]
fn compressed_and_plain_files_stand_side_by_side() {
    let folder = Folder::with("1.jsonl", "{\"a\":1}\n");
    folder.write("2.jsonl.gz", gzip(b"{\"a\":2}\n{\"a\":3}"));
    folder.write("3.jsonl", "{\"a\":4}");
    folder.write("4.jsonl.gz", gzip(b""));
    assert_eq!(folder.read(&json_lines()).unwrap().texts(), [["1"], ["2"], ["3"], ["4"]]);
}

#[test]
fn damaged_compressed_files_are_named() {
    let content = "a,b\n".to_owned() + &(0..20_000).map(|number| format!("{number},x\n")).collect::<String>();
    let whole = gzip(content.as_bytes());
    for length in [0, 5, 12, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let folder = Folder::with("b/a.csv.gz", &whole[..length]);
        let message = folder.message(&csv(true));
        assert!(message.starts_with("b/a.csv.gz: the gzip data is damaged or cut off: "), "{length}: {message}");
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    damaged[middle + 1] ^= 0x55;
    let message = Folder::with("a.csv.gz", &damaged).message(&csv(true));
    assert!(message.starts_with("a.csv.gz: the gzip data is damaged or cut off: "), "{message}");
    let message = Folder::with("a.csv.gz", "a,b\n1,2\n").message(&csv(true));
    assert!(message.starts_with("a.csv.gz: the gzip data is damaged or cut off: "), "{message}");
}

#[test]
fn empty_files_among_others_hold_nothing() {
    for empty in ["", "\n", "\r\n\r\n", "\u{feff}", "\u{feff}\n"] {
        let folder = Folder::with("1", empty);
        folder.write("2", "a,b\n1,2\n");
        folder.write("3", empty);
        folder.write("4", "a,b\n3,4\n");
        folder.write("5", empty);
        let table = folder.read(&csv(true)).unwrap();
        assert_eq!(table.names, ["a", "b"], "{empty:?}");
        assert_eq!(table.texts(), [["1", "2"], ["3", "4"]], "{empty:?}");
        for reading in [csv(false), json_lines(), crate::table::json_document(), capture()] {
            let table = Folder::with("1", empty).read(&reading).unwrap();
            assert!(table.rows.is_empty() && table.names.is_empty(), "{empty:?}");
        }
    }
}

#[test]
fn a_header_alone_gives_names_and_no_rows() {
    for content in ["a,b\n", "a,b", "\u{feff}a,b\r\n\r\n"] {
        let table = Folder::with("1", content).read(&csv(true)).unwrap();
        assert_eq!(table.names, ["a", "b"]);
        assert!(table.rows.is_empty() && table.notes.is_empty());
    }
}

#[test]
fn formats_are_guessed_from_names() {
    let guess = |name: &str| {
        let folder = Folder::with(name, "");
        format_of(&list(folder.path()).unwrap())
    };
    for name in ["a.csv", "a.CSV", "b/a.csv.gz", "a.b.csv"] {
        assert!(matches!(guess(name), Some(DatasetFormat::Csv { header: true, .. })), "{name}");
    }
    assert_eq!(guess("a.json"), Some(DatasetFormat::Json { lines: false }));
    for name in ["a.jsonl", "a.ndjson", "a.JSONL.GZ"] {
        assert_eq!(guess(name), Some(DatasetFormat::Json { lines: true }), "{name}");
    }
    assert_eq!(guess("a.parquet"), Some(DatasetFormat::Parquet));
    for name in ["a", "a.txt", "csv", "a.gz"] {
        assert_eq!(guess(name), None, "{name}");
    }
    assert_eq!(format_of(&[]), None);
}
