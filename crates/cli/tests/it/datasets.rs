//! Datasets of every format, in pieces and on any number of threads.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::program::Folder;
use crate::traffic;

/// A table whose cells read the same in every format, and its CSV.
const TABLE: [(i64, f64, &str); 4] = [(1, 1.5, "x"), (2, 2.25, "y"), (-3, 10.5, "x"), (40, 0.125, "\"z\", or so")];

fn table_as_csv() -> String {
    let row = |(a, b, c): &(i64, f64, &str)| format!("{a},{b},\"{}\"\n", c.replace('"', "\"\""));
    TABLE.iter().map(row).collect()
}

fn table_as_objects() -> Vec<Value> {
    TABLE.iter().map(|(a, b, c)| json!({"c": c, "a": a, "b": b})).collect()
}

fn table_as_parquet(path: &Path) {
    use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    let columns: [(&str, ArrayRef); 3] = [
        ("a", Arc::new(TABLE.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
        ("b", Arc::new(TABLE.iter().map(|row| Some(row.1)).collect::<Float64Array>())),
        ("c", Arc::new(TABLE.iter().map(|row| Some(row.2)).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The table as the traffic of an endpoint that answers with the first column.
fn table_as_capture() -> String {
    let mut lines = String::new();
    for (index, line) in table_as_csv().lines().enumerate() {
        let (output, input) = line.split_once(',').unwrap();
        lines.push_str(&traffic::record(index, output, input));
    }
    lines
}

#[test]
fn one_table_has_the_same_statistics_in_every_format() {
    let folder = Folder::new();
    let csv = table_as_csv();
    folder.write("table.csv", format!("a,b,c\n{csv}"));
    folder.write("bare.data", &csv);
    folder.write("lines.jsonl", table_as_objects().iter().fold(String::new(), |text, row| format!("{text}{row}\n")));
    folder.write("lines.json", folder.read("lines.jsonl"));
    folder.write("document.json", serde_json::to_string_pretty(&table_as_objects()).unwrap());
    table_as_parquet(&folder.path("table.parquet"));
    folder.write("capture.jsonl", table_as_capture());
    for (from, to) in [("table.csv", "csv.data"), ("document.json", "json.data"), ("table.parquet", "parquet.data")] {
        std::fs::copy(folder.path(from), folder.path(to)).unwrap();
    }
    folder.run(&["baseline", "table.csv", "-o", "expected"]).ended(0);
    let expected = folder.read("expected/statistics.json");

    // Each by its name, and by what is said about it.
    let cases: [&[&str]; 14] = [
        &["table.csv", "--format", "csv"],
        &["csv.data", "--format", "csv"],
        &["csv.data", "--dataset-format", "CSV", "--format", "json"],
        &["csv.data", "--dataset-format", r#"{"csv": {"header": "true"}}"#],
        &["lines.jsonl"],
        &["lines.json"],
        &["lines.json", "--dataset-format", "json"],
        &["document.json"],
        &["json.data", "--dataset-format", "json", "--no-lines"],
        &["json.data", "--dataset-format", r#"{"json": {"lines": false}}"#],
        &["table.parquet"],
        &["parquet.data", "--format", "parquet"],
        &["capture.jsonl"],
        &["capture.jsonl", "--format", "sagemakerCaptureJson"],
    ];
    for case in cases {
        let check = [&["check"], case, &["--baseline", "expected", "-o", "out"]].concat();
        // Traffic has no names of its own; the baseline gives them.
        folder.run(&check).ended(0);
        assert_eq!(folder.read("out/statistics.json"), expected, "{case:?}");
    }
    // Without a header, and without anything to name columns after.
    for case in [
        &["bare.data", "--dataset-format", "csv", "--no-header"][..],
        &["bare.data", "--dataset-format", r#"{"csv": {"header": false}}"#],
        &["bare.data", "--dataset-format", r#"{"csv": {}}"#, "--no-header"],
        &["capture.jsonl", "--dataset-format", r#"{"sagemakerCaptureJson": {}}"#],
    ] {
        folder.run(&[&["baseline"], case, &["-o", "numbered"]].concat()).ended(0);
        let statistics = folder.json("numbered/statistics.json");
        let names: Vec<&Value> = statistics["features"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["_c0", "_c1", "_c2"], "{case:?}");
        assert_eq!(statistics["dataset"]["item_count"], 4, "{case:?}");
    }
}

#[test]
fn prediction_columns_stand_first_or_last() {
    let folder = Folder::new();
    folder.write("capture.jsonl", table_as_capture());
    folder.write("end.csv", "b,c,a\n1.5,x,1\n");
    folder.run(&["baseline", "end.csv", "-o", "base"]).ended(0);
    for case in [
        &["--output-columns-position", "END"][..],
        &["--output-columns-position", "end", "--format", "sagemakerCaptureJson"],
        &["--dataset-format", r#"{"sagemakerCaptureJson": {"output_columns_position": "END"}}"#],
    ] {
        folder.run(&[&["check", "capture.jsonl", "--baseline", "base", "-o", "out"], case].concat());
        let statistics = folder.json("out/statistics.json");
        assert_eq!(statistics["features"][2]["name"], "a", "{case:?}");
        assert_eq!(statistics["features"][2]["numerical_statistics"]["max"], 40.0, "{case:?}");
    }
}

#[test]
fn a_format_that_cannot_be_told_is_asked_for() {
    let folder = Folder::new();
    folder.write("table.dat", "a\n1\n");
    let ran = folder.run(&["baseline", "table.dat"]).ended(2);
    assert_eq!(
        ran.stderr,
        "Error: table.dat: its name does not tell what it is; say --dataset-format csv, json, parquet, \
         sagemakerCaptureJson or sagemakerMergeJson\n"
    );
    let ran = folder.run(&["baseline", "table.dat", "--format", "xml"]).ended(2);
    assert_eq!(
        ran.stderr,
        "Error: no dataset format `xml`; there are csv, json, parquet, sagemakerCaptureJson and sagemakerMergeJson\n"
    );
    let ran = folder.run(&["baseline", "table.dat", "--format", "csv", "--dataset-format", "parquet"]).ended(2);
    assert!(ran.stderr.contains("more than once"), "{}", ran.stderr);
    let ran = folder.run(&["baseline", "table.dat", "--dataset-format", "{\"xml\": {}}"]).ended(2);
    assert!(ran.stderr.starts_with("Error: the dataset's format: "), "{}", ran.stderr);
    // What is said of the dataset holds for a baseline whose name does not tell either.
    folder.run(&["check", "table.dat", "--baseline", "table.dat", "--dataset-format", "csv"]).ended(0);
    folder.write("table.jsonl", "{\"a\": 1}\n");
    folder.run(&["check", "table.dat", "--baseline", "table.jsonl", "--dataset-format", "csv"]).ended(0);
}

/// Rows of all kinds, some 3 MB of them.
fn many_rows() -> String {
    let mut text = "id,amount,place,flag,note\n".to_owned();
    for row in 0_u64..65_000 {
        let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let amount = mixed % 100_000;
        let place = ["north", "south", "east", "west", "", "città, vecchia"][(mixed % 6) as usize];
        writeln!(text, "{row},{amount}.{:02},\"{place}\",{},note {mixed}", row % 100, row % 3 == 0).unwrap();
    }
    text
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::with_churn();
    let rows = many_rows();
    assert!(rows.len() > 3_000_000, "{}", rows.len());
    folder.write("many.csv", &rows);
    let mut lines = rows.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut objects = String::new();
    let mut captures = String::new();
    for (index, line) in lines.take(5_000).enumerate() {
        let (output, input) = line.split_once(',').unwrap();
        let object =
            json!({names[0]: output.parse::<u64>().unwrap(), names[1]: input, format!("only {}", index / 2500): 1});
        writeln!(objects, "{object}").unwrap();
        captures.push_str(&traffic::record(index, output, input));
    }
    folder.write("objects.jsonl", objects);
    folder.write("captures/2026/05/18/01.jsonl", &captures);
    folder.write("captures/2026/05/18/02.jsonl", &captures);
    for dataset in ["current.csv", "many.csv", "objects.jsonl", "captures"] {
        let baseline = if dataset == "current.csv" { "baseline.csv" } else { dataset };
        let ran = |threads: &str| {
            let out = format!("out-{threads}");
            let ran = folder.run(&["check", dataset, "--baseline", baseline, "--threads", threads, "-o", &out]);
            (ran.status, ran.stdout, folder.contents(&out))
        };
        let expected = ran("1");
        assert!(expected.2.len() >= 3, "{dataset}: {}", expected.1);
        for threads in ["2", "7"] {
            assert!(ran(threads) == expected, "{dataset} on {threads} threads");
        }
    }
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_dataset_comes_in_pieces_compressed_or_by_a_pipe() {
    let folder = Folder::with_churn();
    let text = folder.read("baseline.csv");
    folder.run(&["baseline", "baseline.csv", "-o", "expected"]).ended(0);
    let expected = folder.read("expected/statistics.json");

    let ran = folder.run_on(&["baseline", "-", "-o", "piped"], text.as_bytes()).ended(0);
    assert!(ran.stdout.contains("2,333 records"));
    assert_eq!(folder.read("piped/statistics.json"), expected);

    folder.write("whole.csv.gz", gzipped(&text));
    folder.run(&["baseline", "whole.csv.gz", "-o", "compressed"]).ended(0);
    assert_eq!(folder.read("compressed/statistics.json"), expected);
    // As `cat a.gz b.gz` makes it.
    let (first, second) = text.split_at(text.len() / 3);
    folder.write("members.csv.gz", [gzipped(first), gzipped(second)].concat());
    folder.run(&["baseline", "members.csv.gz", "-o", "members"]).ended(0);
    assert_eq!(folder.read("members/statistics.json"), expected);

    // A folder: path order, each file with its header; what begins with a dot or an underscore is no part of it.
    let lines: Vec<&str> = text.lines().collect();
    let piece = |rows: &[&str]| format!("{}\n{}\n", lines[0], rows.join("\n"));
    folder.write("pieces/part-1/a.csv", piece(&lines[1..500]));
    folder.write("pieces/part-1/b.csv.gz", gzipped(&piece(&lines[500..900])));
    folder.write("pieces/part-2.csv", piece(&lines[900..]));
    folder.write("pieces/_SUCCESS", "no data");
    folder.write("pieces/.hidden.csv", "no data");
    folder.write("pieces/_temporary/c.csv", "no data");
    folder.run(&["baseline", "pieces", "-o", "from_pieces"]).ended(0);
    assert_eq!(folder.read("from_pieces/statistics.json"), expected);

    // A named pipe is read once, whatever its name says.
    let pipe = folder.pipe("pipe.jsonl");
    std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(&pipe, "{\"a\": 1}\n{\"a\": 2}\n").unwrap());
        let ran = folder.run(&["baseline", "pipe.jsonl"]).ended(0);
        assert!(ran.stdout.contains("2 records"), "{}", ran.stdout);
    });
}
