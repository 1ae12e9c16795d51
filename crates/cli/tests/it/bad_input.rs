//! What is wrong with a dataset or a baseline is said in one message, and nothing is written.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::program::{Folder, Ran, command};
use crate::traffic::{self, TIME, part};

/// The dataset of this name cannot be read, for this reason.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, options: &[&str], reason: &str) {
    let folder = Folder::new();
    folder.write(name, content);
    let before = folder.contents("");
    let ran = folder.run(&[&["baseline", name, "-o", "out/of/it"], options].concat()).ended(2);
    assert_eq!(ran.stderr, format!("Error: {reason}\n"));
    assert_eq!(ran.stdout, "");
    assert!(folder.contents("") == before, "{:?}", folder.names(""));
}

#[test]
fn nothing_to_analyse() {
    let none = |name: &str| format!("No data found in dataset_source. There is no record in {name}.");
    refused("empty.csv", "", &[], &none("empty.csv"));
    refused("blank.csv", "\n\r\n\n", &[], &none("blank.csv"));
    refused("header.csv", "a,b,c\n", &[], &none("header.csv"));
    refused("header.csv", "a,b,c", &[], &none("header.csv"));
    refused("empty.jsonl", "", &[], &none("empty.jsonl"));
    refused("empty.json", "[]", &["--dataset-format", r#"{"json": {"lines": false}}"#], &none("empty.json"));
    let folder = Folder::new();
    std::fs::create_dir(folder.path("nothing")).unwrap();
    folder.write("hidden/_SUCCESS", "");
    for name in ["nothing", "hidden"] {
        let ran = folder.run(&["baseline", name, "-o", "out"]).ended(2);
        assert_eq!(ran.stderr, format!("Error: No data found in dataset_source. There is no file in {name}.\n"));
    }
    assert!(!folder.has("out"));
}

#[test]
fn quotes_that_are_never_closed() {
    let advice = "is never closed: \"\\\"x\\n3,y\\n\"; close it, or double it if it belongs to the text";
    refused(
        "quote.csv",
        "a,b\n1,w\n2,\"x\n3,y\n",
        &[],
        &format!("quote.csv, row 3: the quote that opens a field here {advice}"),
    );
    refused(
        "quote.csv",
        "a,b\n2,\"x\n3,y\n",
        &[],
        &format!("quote.csv, row 2: the quote that opens a field here {advice}"),
    );
    refused(
        "path.csv",
        "a,b\n1,w\n\"C:\\dir\\\",x\n2,y\n",
        &[],
        "path.csv, row 3: the quote that opens a field here is never closed: \"\\\"C:\\\\dir\\\\\\\",x\\n2,y\\n\"; close it, or double \
         it if it belongs to the text (a backslash before a quote makes the quote a part of the text)",
    );
}

#[test]
fn bytes_that_are_no_text() {
    let latin = "is it Latin-1 or Windows-1252? convert it to UTF-8";
    let csv = b"name,city\nanna,Wien\nbo,M\xFCnchen\n".as_slice();
    let at = csv.iter().position(|byte| *byte == 0xFC).unwrap();
    refused("latin.csv", csv, &[], &format!("latin.csv, row 3: byte {at} of the file (0xFC) is not UTF-8; {latin}"));
    let header = b"na\xEFve\n1\n".as_slice();
    refused("latin.csv", header, &[], &format!("latin.csv, row 1: byte 2 of the file (0xEF) is not UTF-8; {latin}"));
    let json = b"{\"a\": \"x\"}\n{\"a\": \"\xFC\"}\n".as_slice();
    let at = json.iter().position(|byte| *byte == 0xFC).unwrap();
    refused(
        "latin.jsonl",
        json,
        &[],
        &format!("latin.jsonl, row 2: byte {at} of the file (0xFC) is not UTF-8; {latin}"),
    );
    let lines = [traffic::record(0, "1", "2"), traffic::record(1, "1", "?")].concat();
    let lines: Vec<u8> = lines.bytes().map(|byte| if byte == b'?' { 0xFC } else { byte }).collect();
    let at = lines.iter().position(|byte| *byte == 0xFC).unwrap();
    let reason = format!("latin.jsonl, row 2: byte {at} of the file (0xFC) is not UTF-8; {latin}");
    refused("latin.jsonl", &lines, &["--format", "sagemakerCaptureJson"], &reason);

    refused(
        "nul.csv",
        "a,b\n1,2\n3,\0\n",
        &[],
        "nul.csv, row 3: byte 10 of the file is NUL; is it UTF-16 or a binary file?",
    );
    let utf16: Vec<u8> = "\u{feff}a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reason = "utf16.csv, row 1: byte 0 of the file (0xFF) is not UTF-8; is it UTF-16? convert it to UTF-8";
    refused("utf16.csv", &utf16, &[], reason);

    // The place is right in the second batch, too.
    let mut long = "id,name\n".to_owned();
    for row in 0..40_000 {
        writeln!(long, "{row},some name").unwrap();
    }
    let mut long = long.into_bytes();
    let at = long.len();
    long.extend_from_slice(b"\xE9,x\n");
    let reason = format!("long.csv, row 40002: byte {at} of the file (0xE9) is not UTF-8; {latin}");
    refused("long.csv", &long, &[], &reason);
}

#[test]
fn json_that_is_cut_off_or_none() {
    let folder = Folder::new();
    let cases = [
        ("cut.jsonl", "{\"a\": 1}\n{\"a\": 2, \"b\"", "cut.jsonl, row 2: not a JSON object: EOF while parsing"),
        ("cut.json", "[{\"a\": 1},\n {\"a\": 2", "cut.json, row 2: the document ends within an object: it is cut off"),
        ("cut.json", "[{\"a\": 1},\n", "cut.json, row 2: the document ends within its array: it is cut off"),
        ("list.jsonl", "{\"a\": 1}\n[1, 2]\n", "list.jsonl, row 2: not a JSON object: invalid type: sequence"),
        ("text.json", "[\n\"a\"\n]\n", "text.json, row 1: expected an object or an array of objects, found"),
        (
            "nested.jsonl",
            "{\"a\": 1}\n{\"a\": {\"b\": 2}}\n",
            "Only flat JSON is supported. Column a holds an object or array. (nested.jsonl, row 2)",
        ),
    ];
    for (name, content, expected) in cases {
        folder.write(name, content);
        let ran = folder.run(&["baseline", name, "-o", "out"]).ended(2);
        assert!(ran.stderr.starts_with(&format!("Error: {expected}")), "{}", ran.stderr);
        assert!(!folder.has("out"));
    }
    folder.run_with(&["baseline", "nested.jsonl"], &[("WATCHKEEPER_FLATTEN_JSON", "1")]).ended(0);
}

#[test]
fn compressed_files_that_are_cut_off_or_none() {
    let folder = Folder::new();
    let text: String = (0..20_000).fold("a,b\n".to_owned(), |text, row| format!("{text}{row},{}\n", row * 7919 % 1000));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    folder.write("whole.csv.gz", &whole);
    folder.run(&["baseline", "whole.csv.gz"]).ended(0);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xFF;
    for content in [&whole[..whole.len() / 2], &whole[..whole.len() - 4], &damaged, b"a,b\n1,2\n"] {
        folder.write("bad.csv.gz", content);
        let ran = folder.run(&["baseline", "bad.csv.gz", "-o", "out"]).ended(2);
        let expected = "Error: bad.csv.gz: the gzip data is damaged or cut off: ";
        assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
        assert!(!folder.has("out"));
    }
    folder.write("bad.parquet", &whole);
    let ran = folder.run(&["baseline", "bad.parquet", "-o", "out"]).ended(2);
    assert!(ran.stderr.starts_with("Error: bad.parquet: "), "{}", ran.stderr);
    assert!(!folder.has("out"));
}

#[test]
fn encodings_that_differ_within_a_capture() {
    let folder = Folder::new();
    let json = part("OUTPUT", "JSON", "{\"score\": 0.5}");
    let mixed = traffic::line(TIME, 0, &json, &part("INPUT", "CSV", "1,2"));
    folder.write("mixed.jsonl", &mixed);
    let ran = folder.run(&["baseline", "mixed.jsonl", "-o", "out"]).ended(2);
    let mismatch = "Error: Encoding mismatch: Encoding is CSV for endpointInput, but Encoding is JSON for endpointOutput. \
                    We currently only support the same type of input and output encoding at the moment.\n";
    assert_eq!(ran.stderr, mismatch);
    folder.run_with(&["baseline", "mixed.jsonl"], &[("WATCHKEEPER_MIXED_ENCODING", "1")]).ended(0);
    // One record after the other.
    let other = traffic::line(TIME, 1, &json, &part("INPUT", "JSON", "{\"age\": 1}"));
    folder.write("changing.jsonl", traffic::record(0, "0.5", "1") + &other);
    let ran = folder.run(&["baseline", "changing.jsonl", "-o", "out"]).ended(2);
    assert!(ran.stderr.starts_with("Error: changing.jsonl, row 2: "), "{}", ran.stderr);
    let mut picture = part("INPUT", "BASE64", "AAAA");
    folder.write("base64.jsonl", traffic::line(TIME, 0, &part("OUTPUT", "BASE64", "!!"), &picture));
    let ran = folder.run(&["baseline", "base64.jsonl", "-o", "out"]).ended(2);
    assert!(ran.stderr.starts_with("Error: base64.jsonl, row 1: a payload in base 64 is damaged: "), "{}", ran.stderr);
    picture["observedContentType"] = json!("image/png");
    folder.write("base64.jsonl", traffic::line(TIME, 0, &picture, &picture));
    let ran = folder.run(&["baseline", "base64.jsonl", "-o", "out"]).ended(2);
    assert!(
        ran.stderr.starts_with("Error: Encoding BASE64 is not supported without a record preprocessor script."),
        "{}",
        ran.stderr
    );
    // What is no record at all is left out and counted.
    folder.write("some.jsonl", traffic::record(0, "0.5", "1") + "{\"a\": 1}\nnonsense\n");
    let ran = folder.run(&["baseline", "some.jsonl"]).ended(0);
    assert_eq!(ran.stderr, "note: 2 of 3 lines skipped: not a capture record\n");
    assert!(!folder.has("out"));
}

#[test]
fn ragged_rows_are_noted() {
    let folder = Folder::new();
    folder.write("ragged.csv", "a,b\n1\n1,2\n1,2,3\n1,2,3,4\n\"x\"y,2\n");
    let ran = folder.run(&["baseline", "ragged.csv", "-o", "out"]).ended(0);
    for note in [
        "note: 1 row with fewer fields than there are columns: the rest taken as missing values\n",
        "note: 2 rows with more fields than there are columns: the surplus cut off",
        "note: 1 row with text behind a closing quote: the field taken as it stands, quotes and all\n",
    ] {
        assert!(ran.stderr.contains(note), "{}", ran.stderr);
    }
    let statistics = folder.json("out/statistics.json");
    assert_eq!(statistics["dataset"]["item_count"], 5);
    assert_eq!(
        statistics["features"][1]["numerical_statistics"]["common"],
        json!({"num_present": 4, "num_missing": 1})
    );
    let buckets = statistics["features"][0]["string_statistics"]["distribution"]["categorical"]["buckets"].to_string();
    assert!(buckets.contains(r#"\"x\"y"#), "{buckets}");
    // A check says so in its result.
    let ran = folder.run(&["check", "ragged.csv", "--baseline", "out"]).ended(1);
    assert!(ran.stdout.contains("2 rows with more fields"), "{}", ran.stdout);
    let ran = folder.run(&["check", "ragged.csv", "--baseline", "out", "--format", "json"]).ended(1);
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed["notes"].as_array().unwrap().len(), 3);
}

#[test]
fn names_that_repeat_or_are_none() {
    let folder = Folder::new();
    folder.write("names.csv", "a,,a,\"\"\n1,2,3,4\n5,6,7,8\n");
    folder.run(&["baseline", "names.csv", "-o", "out"]).ended(0);
    let statistics = folder.json("out/statistics.json");
    let names: Vec<&str> =
        statistics["features"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "_c1", "a", "_c3"]);
    let least: Vec<&Value> =
        statistics["features"].as_array().unwrap().iter().map(|one| &one["numerical_statistics"]["min"]).collect();
    assert_eq!(least, [1.0, 2.0, 3.0, 4.0]);
    folder.run(&["check", "names.csv", "--baseline", "out", "-o", "again"]).ended(0);
    assert_eq!(folder.read("again/statistics.json"), folder.read("out/statistics.json"));
    folder.run(&["report", "out", "again"]).ended(0);
    folder.run(&["inspect", "out/constraints.json"]).ended(0);
}

#[test]
fn twenty_thousand_columns() {
    let folder = Folder::new();
    let header: Vec<String> = (0..20_000).map(|index| format!("column_{index}")).collect();
    let row =
        |add: usize| (0..20_000).map(|index| ((index * 7 + add) % 1000).to_string()).collect::<Vec<_>>().join(",");
    folder.write("wide.csv", [header.join(","), row(0), row(1), row(2)].join("\n"));
    let ran = folder.run(&["baseline", "wide.csv", "-o", "out"]).ended(0);
    assert!(ran.stdout.contains("20,000 features"));
    let statistics = folder.json("out/statistics.json");
    assert_eq!(statistics["features"].as_array().unwrap().len(), 20_000);
    assert_eq!(statistics["features"][19_999]["name"], "column_19999");
    assert_eq!(statistics["features"][19_999]["numerical_statistics"]["sum"], f64::from(993 + 994 + 995));
    folder.run(&["check", "wide.csv", "--baseline", "out"]).ended(0);
}

/// Runs the program on what `write` writes to its standard input; also its peak memory in bytes.
fn measured(arguments: &[&str], write: impl FnOnce(&mut dyn std::io::Write) + Send) -> (Ran, u64) {
    // `ru_maxrss` of the one child; in kilobytes.
    let script = "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]); \
                  print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)";
    let folder = Folder::new();
    let mut python = command("python3");
    python.args(["-c", script, env!("CARGO_BIN_EXE_watchkeeper")]).args(arguments).current_dir(folder.path(""));
    python
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let ran = std::thread::scope(|scope| {
        scope.spawn(move || write(&mut pipe));
        Ran::of(child.wait_with_output().unwrap())
    });
    assert!(folder.names("").is_empty(), "{:?}", folder.names(""));
    let kilobytes: u64 = ran.stdout.lines().last().unwrap().parse().unwrap();
    (ran, kilobytes * 1024)
}

const MEGABYTE: usize = 1_000_000;

#[test]
fn a_line_of_a_hundred_megabytes() {
    let line = |start: &'static str, end: &'static str| {
        move |pipe: &mut dyn std::io::Write| {
            let _ = pipe.write_all(start.as_bytes());
            let piece = vec![b'x'; MEGABYTE];
            // The program has gone before the end.
            let _ = (0..100).try_for_each(|_| pipe.write_all(&piece));
            let _ = pipe.write_all(end.as_bytes());
        }
    };
    let capture = r#"{"captureData": {"endpointInput": {"encoding": "CSV", "mode": "INPUT", "data": ""#;
    let cases = [
        ("csv", "a,b\n1,2\n3,", "\n4,5\n", 3),
        ("csv", "a,b\n1,2\n3,\"", "\"\n4,5\n", 3),
        ("{\"json\": {\"lines\": true}}", "{\"a\": \"", "\"}\n", 1),
        ("{\"json\": {\"lines\": false}}", "[{\"a\": \"", "\"}]\n", 1),
        ("sagemakerCaptureJson", capture, "\"}}}\n", 1),
    ];
    for (format, start, end, row) in cases {
        let (ran, peak) = measured(&["baseline", "-", "--dataset-format", format, "-o", "out"], line(start, end));
        let ran = ran.ended(2);
        let expected = format!(
            "Error: standard input, row {row}: the record is longer than 32 MiB, the longest there may be; it begins "
        );
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
        assert!(ran.stderr.len() < 400, "{}", ran.stderr);
        assert!(peak < 150 * MEGABYTE as u64, "{format}: {peak} bytes");
    }
}

#[test]
fn long_lines_do_not_add_up() {
    // Each may be so long; on several threads, all of them could be in memory at once.
    let rows = |pipe: &mut dyn std::io::Write| {
        pipe.write_all(b"a,b\n").unwrap();
        let field = vec![b'x'; 15 * MEGABYTE];
        for row in 0..12 {
            pipe.write_all(&field).unwrap();
            writeln!(pipe, ",{row}").unwrap();
        }
    };
    let arguments = ["baseline", "-", "--dataset-format", "csv", "--threads", "4"];
    let (ran, peak) = measured(&arguments, rows);
    assert!(ran.ended(0).stdout.contains("12 records"));
    assert!(peak < 150 * MEGABYTE as u64, "{peak} bytes");
}

#[test]
fn a_dataset_that_is_no_file() {
    let folder = Folder::new();
    let ran = folder.run(&["baseline", "/dev/null", "--format", "csv", "-o", "out"]).ended(2);
    assert_eq!(ran.stderr, "Error: No data found in dataset_source. There is no record in /dev/null.\n");
    std::os::unix::fs::symlink("nowhere", folder.path("link.csv")).unwrap();
    let ran = folder.run(&["baseline", "link.csv", "-o", "out"]).ended(2);
    assert_eq!(ran.stderr, "Error: link.csv: no such file or folder\n");
    assert!(!folder.has("out"));
}
