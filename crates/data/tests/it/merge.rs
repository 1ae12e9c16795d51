//! Captures joined with labels: what comes out, what is said of the rest, and that neither memory nor threads make a difference.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use watchkeeper_data::Error;
use watchkeeper_data::merge::{Merge, MergeOutput, merge, part_name};
use watchkeeper_formats::{DatasetFormat, MergeReport};

const HOUR: &str = "endpoint/variant/2021/05/26/00";

/// Folders of captures and labels.
struct Sides {
    folder: TempDir,
    format: Option<DatasetFormat>,
    window: Option<(&'static str, &'static str)>,
    budget: usize,
    threads: usize,
}

/// Merged lines by hour folder, and folders without any.
#[derive(Debug, Default, PartialEq)]
struct Lines {
    folders: Vec<(PathBuf, String)>,
    empty: Vec<PathBuf>,
}

impl MergeOutput for Lines {
    fn begin(&mut self, folder: &Path) -> std::io::Result<()> {
        self.folders.push((folder.to_owned(), String::new()));
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.folders.last_mut().unwrap().1.push_str(std::str::from_utf8(lines).unwrap());
        Ok(())
    }

    fn nothing(&mut self, folder: &Path) -> std::io::Result<()> {
        self.empty.push(folder.to_owned());
        Ok(())
    }
}

impl Lines {
    fn all(&self) -> Vec<&str> {
        self.folders.iter().flat_map(|(_, lines)| lines.lines()).collect()
    }

    fn values(&self) -> Vec<Value> {
        self.all().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Sides {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("captures")).unwrap();
        std::fs::create_dir(folder.path().join("labels")).unwrap();
        Self { folder, format: None, window: None, budget: 1 << 20, threads: 2 }
    }

    fn write(self, side: &str, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(side).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn captures(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write("captures", path, content)
    }

    fn labels(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write("labels", path, content)
    }

    fn of(captures: impl AsRef<[u8]>, labels: impl AsRef<[u8]>) -> Self {
        Self::new().captures(&format!("{HOUR}/a.jsonl"), captures).labels("2021/05/26/00/a.jsonl", labels)
    }

    fn batch(format: &str, captures: impl AsRef<[u8]>, labels: impl AsRef<[u8]>) -> Self {
        let sides = Self::new().captures("schedule/2021/05/26/00/a.out", captures);
        let mut sides = sides.labels("2021/05/26/00/a.jsonl", labels);
        sides.format = (!format.is_empty()).then(|| DatasetFormat::parse(format).unwrap());
        sides
    }

    fn run(&self) -> Result<(MergeReport, Lines), Error> {
        let window = self.window.map(|(start, end)| (start.parse().unwrap(), end.parse().unwrap()));
        let merged = Merge {
            captures: self.folder.path().join("captures"),
            ground_truth: self.folder.path().join("labels"),
            batch_format: self.format.clone(),
            window,
            scratch: self.folder.path().to_owned(),
            budget: self.budget,
            threads: self.threads,
        };
        let mut lines = Lines::default();
        merge(&merged, &mut lines, &|_| true).map(|report| (report, lines))
    }

    fn merged(&self) -> (MergeReport, Lines) {
        self.run().unwrap()
    }
}

fn capture(event: &str, inference: Option<&str>) -> String {
    let mut metadata = json!({"eventId": event, "inferenceTime": "2021-05-26T00:30:11Z"});
    if let Some(inference) = inference {
        metadata["inferenceId"] = json!(inference);
    }
    let part = json!({"observedContentType": "text/csv", "mode": "OUTPUT", "data": format!("0.5,{event}\n"), "encoding": "CSV"});
    format!("{}\n", json!({"captureData": {"endpointOutput": part}, "eventMetadata": metadata, "eventVersion": "0"}))
}

fn label(id: &str, data: &str) -> String {
    let data = json!({"data": data, "encoding": "CSV"});
    format!("{}\n", json!({"groundTruthData": data, "eventMetadata": {"eventId": id}, "eventVersion": "0"}))
}

fn labels_of(lines: &Lines) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |line: &Value| (text(&line["eventMetadata"]["eventId"]), text(&line["groundTruthData"]["data"]));
    lines.values().iter().map(pair).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(id, label)| (id.to_owned(), label.to_owned())).collect()
}

#[test]
fn a_merged_line_is_the_captured_one_with_the_label() {
    let captured = capture("e1", Some("57"));
    let (report, lines) = Sides::of(&captured, label("57", "1")).merged();
    let whole = captured.trim_end().strip_suffix('}').unwrap();
    assert_eq!(lines.all(), [format!(r#"{whole},"groundTruthData":{{"data":"1","encoding":"CSV"}}}}"#)]);
    assert_eq!(lines.folders[0].0, Path::new(HOUR));
    assert_eq!((report.matched, report.captures.records, report.ground_truth.records), (1, 1, 1));
    assert_eq!(report.hours, Some(("2021/05/26/00".to_owned(), "2021/05/26/00".to_owned())));
}

#[test]
fn ids_are_the_inference_id_and_else_the_event_id() {
    let captures = [
        capture("e1", Some("i1")),
        capture("e2", None),
        capture("e3", Some("")),
        capture("e4", Some("unlabelled")),
        capture("e5", None).replace(r#""eventId""#, r#""inferenceId":null,"eventId""#),
    ];
    let labels: String = ["i1", "e1", "e2", "e3", "e4", "e5"].iter().map(|id| label(id, id)).collect();
    let (report, lines) = Sides::of(captures.concat(), labels).merged();
    assert_eq!(labels_of(&lines), pairs(&[("e1", "i1"), ("e2", "e2"), ("e3", "e3"), ("e5", "e5")]));
    assert_eq!(report.captures.unmatched_ids, ["unlabelled"]);
    assert_eq!(
        (report.ground_truth.unmatched, &*report.ground_truth.unmatched_ids),
        (2, &["e1".to_owned(), "e4".to_owned()][..])
    );
}

#[test]
fn every_capture_of_an_id_is_kept_and_the_last_label_counts() {
    let captures = capture("e1", Some("x")).repeat(3) + &capture("e2", Some("y"));
    let sides = Sides::new()
        .captures(&format!("{HOUR}/a.jsonl"), captures)
        .labels("2021/05/26/01/a.jsonl", label("x", "late") + &label("y", "same"))
        .labels("2021/05/26/00/z.jsonl", label("x", "early") + &label("y", "same"))
        .labels("2021/05/26/00/b.jsonl", label("x", "earlier"));
    let (report, lines) = sides.merged();
    assert_eq!(labels_of(&lines), pairs(&[("e1", "late"), ("e1", "late"), ("e1", "late"), ("e2", "same")]));
    let duplicates = report.duplicate_labels;
    assert_eq!((duplicates.replaced, duplicates.with_other_value), (3, 2));
    assert_eq!(duplicates.with_other_value_ids, ["x"]);
}

#[test]
fn hour_folders_come_in_their_order_and_those_without_lines_are_named() {
    let sides = Sides::new()
        .captures("b/v/2021/05/26/01/a.jsonl", capture("b1", None))
        .captures("b/v/2021/05/26/00/b.jsonl", capture("b0", None))
        .captures("a/v/2021/05/26/01/a.jsonl", capture("a1", None))
        .captures("a/v/2021/05/26/02/deeper/a.jsonl", capture("a2", None))
        .captures("a/v/2021/05/26/03/a.jsonl", capture("a3", None))
        .labels("2021/05/26/09/a", ["b1", "b0", "a1", "a2"].map(|id| label(id, "1")).concat());
    let (report, lines) = sides.merged();
    let folders: Vec<_> = lines.folders.iter().map(|(folder, _)| folder.to_str().unwrap()).collect();
    let hours = ["b/v/2021/05/26/00", "a/v/2021/05/26/01", "b/v/2021/05/26/01", "a/v/2021/05/26/02"];
    assert_eq!(folders, hours);
    assert_eq!(lines.empty, [Path::new("a/v/2021/05/26/03")]);
    assert_eq!(report.hours, Some(("2021/05/26/00".to_owned(), "2021/05/26/03".to_owned())));
}

#[test]
fn an_earlier_label_in_the_line_gives_way() {
    let captured = r#" { "groundTruthData" : {"data":"old"}, "captureData" : { "endpointOutput": {"data": "a b"} } , "eventMetadata":{"eventId":"e"} } "#;
    let (_, lines) = Sides::of(captured, label("e", "new")).merged();
    let merged = r#"{"captureData":{"endpointOutput":{"data":"a b"}},"eventMetadata":{"eventId":"e"},"groundTruthData":{"data":"new","encoding":"CSV"}}"#;
    assert_eq!(lines.all(), [merged]);
}

#[test]
fn ids_with_escapes_are_the_texts_they_stand_for() {
    let captured = r#"{"captureData":{},"eventMetadata":{"eventId":"\u00e4\"/"}}"#;
    let labelled = r#"{"groundTruthData":{"data":"1"},"eventMetadata":{"eventId":"ä\"\/"}}"#;
    let (report, lines) = Sides::of(captured, labelled).merged();
    assert_eq!(report.matched, 1);
    assert_eq!(lines.values()[0]["groundTruthData"], json!({"data": "1", "encoding": "CSV"}));
}

#[test]
fn lines_that_are_no_capture_are_counted_and_said() {
    let captures = [
        "{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"good\"}}\r\n".as_bytes(),
        b"\n",
        b"{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"cut\n",
        b"[]\n",
        b"{\"eventMetadata\":{\"eventId\":\"no data\"}}\n",
        b"{\"captureData\":null,\"eventMetadata\":{\"eventId\":\"no data\"}}\n",
        b"{\"captureData\":{}}\n",
        b"{\"captureData\":{\"a\":\"\xE4\"},\"eventMetadata\":{\"eventId\":\"latin\"}}\n",
        b"{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"tail\"}} x\n",
        b"{\"captureData\":{\"a\":tru},\"eventMetadata\":{\"eventId\":\"tru\"}}\n",
        b"{\"captureData\":{\"a\":\"\x01\"},\"eventMetadata\":{\"eventId\":\"control\"}}\n",
        b"{\"captureData\":{},\"eventMetadata\":{\"eventId\":7}}\n",
        b"{\"captureData\":{},\"eventMetadata\":{\"eventId\":\"good too\"}}",
    ]
    .concat();
    let (report, lines) = Sides::of(captures, label("good", "1") + &label("good too", "1")).merged();
    assert_eq!(lines.all().len(), 2);
    assert_eq!((report.captures.records, report.captures.rejected), (2, 10));
    let path = |sample: &str| sample.split_once("a.jsonl:").unwrap().1.to_owned();
    let samples: Vec<String> = report.captures.rejected_samples.iter().map(|sample| path(sample)).collect();
    assert!(samples[0].starts_with("3: not valid JSON: EOF while parsing a string at byte "), "{samples:?}");
    let said = ["4: not a JSON object", "5: there is no captureData", "6: there is no captureData"];
    assert_eq!(samples[1..4], said);
    assert_eq!(samples[4], "7: eventMetadata has neither inferenceId nor eventId");
    assert_eq!(samples[5], "8: byte 22 of the line (0xE4) is not UTF-8");
    assert!(samples[6].starts_with("9: not valid JSON: trailing characters"), "{samples:?}");
    assert!(samples[7].starts_with("10: not valid JSON: "), "{samples:?}");
    assert!(samples[8].starts_with("11: not valid JSON: control character"), "{samples:?}");
    assert_eq!(samples[9], "12: the id is no text");
}

#[test]
fn labels_stand_in_files_of_every_kind() {
    let record =
        |id: &str| json!({"groundTruthData": {"data": "1", "encoding": "csv"}, "eventMetadata": {"eventId": id}});
    let array = |ids: &[&str]| Value::Array(ids.iter().map(|id| record(id)).collect());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(label("gz", "1").as_bytes()).unwrap();
    let ids = ["line", "array1", "array2", "pretty", "list1", "list2", "gz", "bom", "7"];
    let captures: String = ids.iter().map(|id| capture("e", Some(id))).collect();
    let sides = Sides::new()
        .captures(&format!("{HOUR}/a.jsonl"), captures)
        .labels("2021/05/26/00/a", format!("{}\r\n\n{}\n", record("line"), array(&["array1", "array2"])))
        .labels("2021/05/26/00/b", format!("{:#}", record("pretty")))
        .labels("2021/05/26/00/c.json", format!("\n {:#}\n", array(&["list1", "list2"])))
        .labels("2021/05/26/00/d.jsonl.gz", gzip.finish().unwrap())
        .labels("2021/05/26/00/e", format!("\u{feff}{}", label("bom", "1")))
        .labels("2021/05/26/00/f", r#"{"groundTruthData":{"data":{"label": 1}},"eventMetadata":{"eventId":7}}"#)
        .labels("2021/05/26/00/empty", "")
        .labels("2021/05/26/00/_hidden", label("hidden", "1"));
    let (report, lines) = sides.merged();
    assert_eq!((report.matched, report.ground_truth.files, report.ground_truth.records), (9, 7, 9));
    assert_eq!(report.ground_truth.rejected, 0);
    assert_eq!(lines.values()[0]["groundTruthData"], json!({"data": "1", "encoding": "CSV"}));
    assert_eq!(lines.values()[8]["groundTruthData"], json!({"data": r#"{"label": 1}"#, "encoding": "JSON"}));
}

#[test]
fn label_files_that_are_broken_are_said_and_the_rest_of_them_is_used() {
    let sides = Sides::new()
        .captures(&format!("{HOUR}/a.jsonl"), ["good", "cut", "pretty"].map(|id| capture(id, None)).concat())
        .labels("2021/05/26/00/a", label("good", "1") + &label("cut", "1")[..40])
        .labels("2021/05/26/00/b", &format!("{:#}", json!([{"groundTruthData": {"data": "1"}}]))[..30])
        .labels("2021/05/26/00/c", b"\xFF\xFE\x00")
        .labels(
            "2021/05/26/00/d",
            r#"{"groundTruthData":{"data":"1","encoding":"XML"},"eventMetadata":{"eventId":"a"}}"#,
        );
    let (report, _) = sides.merged();
    let truth = report.ground_truth;
    assert_eq!((report.matched, truth.records, truth.rejected), (1, 1, 4));
    let samples: Vec<&str> = truth.rejected_samples.iter().map(|sample| sample.split_once("/00/").unwrap().1).collect();
    assert!(samples[0].starts_with("a:2: not valid JSON: EOF"), "{samples:?}");
    assert!(samples[1].starts_with("b:1: the file is neither one JSON text (EOF"), "{samples:?}");
    assert_eq!(samples[2], "c:1: byte 1 of the line (0xFF) is not UTF-8");
    assert!(samples[3].contains("XML"), "{samples:?}");
}

#[test]
fn a_damaged_gzip_file_is_an_error_that_names_it() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(label("e", "1").repeat(100).as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    let sides = Sides::of(capture("e", None), "").labels("2021/05/26/00/b.gz", &whole[..whole.len() - 12]);
    let error = sides.run().unwrap_err();
    assert!(matches!(&error, Error::Gzip { path, .. } if path.ends_with("2021/05/26/00/b.gz")), "{error}");
}

#[test]
fn either_side_may_be_empty() {
    let (report, lines) = Sides::of("", label("e", "1")).merged();
    assert_eq!((report.captures.records, report.captures.files, report.ground_truth.unmatched), (0, 1, 1));
    assert_eq!(lines, Lines::default());
    let (report, lines) = Sides::of(capture("e", None), "").merged();
    assert_eq!((report.captures.unmatched, report.ground_truth.records), (1, 0));
    assert_eq!((lines.folders.len(), lines.empty.len()), (0, 1));
    let missing = Sides::new();
    std::fs::remove_dir(missing.folder.path().join("labels")).unwrap();
    assert!(matches!(missing.run(), Err(Error::Missing(path)) if path.ends_with("labels")));
}

#[test]
fn ids_of_ten_kilobytes_are_joined_and_shown_shortened() {
    let long = |end: &str| "ö".repeat(5_000) + end;
    let captures = [long("a"), long("b"), long("a")].map(|id| capture("e", Some(&id))).concat();
    let (report, lines) = Sides::of(captures, label(&long("a"), "1") + &label(&long("c"), "1")).merged();
    assert_eq!(labels_of(&lines), pairs(&[("e", "1"), ("e", "1")]));
    assert_eq!(report.captures.unmatched_ids, ["ö".repeat(100) + "…"]);
    assert_eq!(report.ground_truth.unmatched_ids, ["ö".repeat(100) + "…"]);
}

#[test]
fn records_longer_than_a_piece_are_whole() {
    let big = "x".repeat(1_000_000);
    let captures =
        format!("{}{}{}", capture("e1", None), capture("e2", None).replace("0.5", &big), capture("e3", None));
    let (report, lines) = Sides::of(&captures, label("e1", "1") + &label("e2", &big) + &label("e3", "3")).merged();
    assert_eq!(report.matched, 3);
    assert_eq!(labels_of(&lines), pairs(&[("e1", "1"), ("e2", &big), ("e3", "3")]));
}

#[test]
fn a_line_that_is_too_long_is_said_and_what_follows_is_read() {
    let captures = format!("{}{}\n{}", capture("e1", None), "x".repeat(33 << 20), capture("e2", None));
    let (report, _) = Sides::of(captures, label("e1", "1") + &label("e2", "1")).merged();
    assert_eq!((report.matched, report.captures.rejected), (2, 1));
    assert!(
        report.captures.rejected_samples[0]
            .ends_with("a.jsonl:2: the line is longer than 32 MiB, the longest there may be")
    );
}

#[test]
fn the_report_counts_what_is_outside_the_window() {
    let at = |time: &str| capture("e", None).replace("2021-05-26T00:30:11Z", time);
    let times = [
        "2021-05-26T00:29:59Z",
        "2021-05-26T00:30:00Z",
        "2021-05-26T00:59:59.999999",
        "2021-05-26T01:00:00",
        "2021-05-26T02:30:00+02:00",
        "2021-05-26 00:29:00",
        "tomorrow",
    ];
    let mut sides = Sides::of(times.map(at).concat(), label("e", "1"));
    sides.window = Some(("2021-05-26T00:30:00Z", "2021-05-26T01:00:00Z"));
    let (report, lines) = sides.merged();
    assert_eq!((report.matched, report.out_of_window, lines.all().len()), (7, Some(3), 7));
    sides.window = Some(("2021-05-26T00:30:00.5Z", "2021-05-26T01:00:00Z"));
    assert_eq!(sides.merged().0.out_of_window, Some(5));
}

const CSV: &str = r#"{"csv":{"header":false}}"#;
const JSON_LINES: &str = r#"{"json":{"lines":true}}"#;

fn batch_value(id: &str, data: &str, encoding: &str, label: &str) -> Value {
    json!({
        "eventMetadata": {"eventId": id},
        "eventVersion": "0",
        "captureData": {"batchTransformOutput": {"data": data, "encoding": encoding}},
        "groundTruthData": {"data": label, "encoding": "CSV"},
    })
}

#[test]
fn csv_of_a_batch_transform_loses_its_last_two_columns() {
    let lines =
        "\"a, b\",0.10,\"say \"\"x\"\"\",id-1,2023-01-21T01:29:04Z\n0.5,id-2,\"2023-01-21T01:29:04Z\"\r\n1,2,3\n";
    for format in [CSV, ""] {
        let (report, merged) = Sides::batch(format, lines, label("id-1", "1") + &label("id-2", "0")).merged();
        let first = batch_value("id-1", r#""a, b",0.10,"say ""x""""#, "CSV", "1");
        assert_eq!(merged.values(), [first, batch_value("id-2", "0.5", "CSV", "0")]);
        assert_eq!(report.captures.rejected, 1);
        assert_eq!(merged.folders[0].0, Path::new("schedule/2021/05/26/00"));
    }
    let header = format!("x,inference id,time\n{lines}");
    let sides = Sides::batch(r#"{"csv":{"header":true}}"#, header, label("id-1", "1"));
    assert_eq!(sides.merged().0.captures.rejected, 1);
}

#[test]
fn json_of_a_batch_transform_loses_its_two_members() {
    let record = |id: &str| {
        format!(
            r#"{{"z": 1.50, "SageMakerInferenceId": "{id}", "a": "x y", "SageMakerInferenceTime": "2023-01-21T01:29:04Z", "SageMakerOutput": {{"p": [1, 1e2]}}}}"#
        )
    };
    let data = r#"{"z":1.50,"a":"x y","SageMakerOutput":{"p":[1,1e2]}}"#;
    let labels = label("i1", "1") + &label("i2", "0");
    let expected = [batch_value("i1", data, "JSON", "1"), batch_value("i2", data, "JSON", "0")];
    let lines = format!("{}\n{}\n", record("i1"), record("i2"));
    let array = format!("[{},\n{}]", record("i1"), record("i2"));
    for (format, text) in
        [(JSON_LINES, &lines), ("", &lines), (r#"{"json":{}}"#, &array), ("", &array), (JSON_LINES, &array)]
    {
        let (_, merged) = Sides::batch(format, text, &labels).merged();
        assert_eq!(merged.values(), expected, "{format} {text}");
    }
    let document = record("i1").replace(", ", ",\n ");
    let (report, merged) = Sides::batch("", document, &labels).merged();
    assert_eq!(merged.values(), expected[..1]);
    assert_eq!(report.captures.rejected, 0);
}

#[test]
fn a_batch_transform_without_ids_is_an_error_that_says_what_to_do() {
    for (format, text) in [(CSV, "0.5,1\n0.6,0\n"), (JSON_LINES, "{\"SageMakerOutput\":0.5}\n"), ("", "0.5,1,a\n")] {
        let error = Sides::batch(format, text, label("i", "1")).run().unwrap_err().to_string();
        assert!(error.contains("a.out") && error.contains("generate_inference_id=True"), "{error}");
    }
    let error = Sides::batch(r#"{"parquet":{}}"#, "", "").run().unwrap_err().to_string();
    assert!(error.contains("Parquet"), "{error}");
}

#[test]
fn a_merge_that_is_told_to_stop_does() {
    let sides = Sides::of(capture("e", None), label("e", "1"));
    let merged = Merge {
        captures: sides.folder.path().join("captures"),
        ground_truth: sides.folder.path().join("labels"),
        batch_format: None,
        window: None,
        scratch: sides.folder.path().to_owned(),
        budget: 1 << 20,
        threads: 2,
    };
    assert!(matches!(merge(&merged, &mut Lines::default(), &|_| false), Err(Error::Stopped)));
}

#[test]
fn a_full_output_is_an_error() {
    struct Full;
    impl MergeOutput for Full {
        fn begin(&mut self, _: &Path) -> std::io::Result<()> {
            Ok(())
        }
        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn nothing(&mut self, _: &Path) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sides = Sides::of(capture("e", None).repeat(100_000), label("e", "1"));
    let merged = Merge {
        captures: sides.folder.path().join("captures"),
        ground_truth: sides.folder.path().join("labels"),
        batch_format: None,
        window: None,
        scratch: sides.folder.path().to_owned(),
        budget: 1 << 20,
        threads: 3,
    };
    let error = merge(&merged, &mut Full, &|_| true).unwrap_err().to_string();
    assert!(error.starts_with(HOUR), "{error}");
}

#[test]
fn names_of_parts_are_uuids_that_depend_on_the_folder_alone() {
    let name = part_name(Path::new(HOUR));
    assert_eq!(name, part_name(Path::new("endpoint//variant/2021/05/26/00/")));
    assert_ne!(name, part_name(Path::new("endpoint/variant/2021/05/26/01")));
    let uuid = name.strip_prefix("part-00000-").and_then(|name| name.strip_suffix(".c000.jsonl")).unwrap();
    let widths: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(widths, [8, 4, 4, 4, 12]);
    assert!(uuid.as_bytes()[14] == b'8' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
}

/// The join as a book would write it, over parsed lines.
fn naive(captures: &[String], labels: &[String]) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let labels: HashMap<String, Value> = labels
        .iter()
        .map(parse)
        .map(|label| (label["eventMetadata"]["eventId"].as_str().unwrap().to_owned(), label["groundTruthData"].clone()))
        .collect();
    let id = |metadata: &Value, name: &str| metadata[name].as_str().filter(|id| !id.is_empty()).map(str::to_owned);
    let merged = captures.iter().map(parse).filter_map(|mut capture| {
        let metadata = &capture["eventMetadata"];
        let id = id(metadata, "inferenceId").or_else(|| id(metadata, "eventId"))?;
        capture["groundTruthData"] = labels.get(&id)?.clone();
        Some(capture)
    });
    merged.collect()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-e]{1,2}", 1 => "\\PC{0,40}", 1 => "[\"\\\\\\n\\t ,{}]{1,5}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_join_is_the_naive_one_whatever_memory_and_threads(
        captures in prop::collection::vec((texts(), prop::option::of(texts()), texts()), 0..60),
        labels in prop::collection::vec((texts(), texts()), 0..60),
        threads in 1_usize..4,
    ) {
        let captures: Vec<String> = captures.iter().map(|(event, inference, data)| {
            json!({
                "captureData": {"endpointInput": {"data": data, "x": [1.5e3, -0, null, {"true": false}]}},
                "eventMetadata": {"eventId": event, "inferenceId": inference},
            }).to_string()
        }).collect();
        let labels: Vec<String> = labels.iter().filter(|(id, _)| !id.is_empty()).map(|(id, data)| label(id, data).trim_end().to_owned()).collect();
        let mut sides = Sides::of(captures.join("\n"), labels.join("\n"));
        sides.threads = threads;
        let (report, lines) = sides.merged();
        let expected = naive(&captures, &labels);
        prop_assert_eq!(lines.values(), expected.clone());
        prop_assert_eq!(report.matched, expected.len() as u64);
        sides.budget = 0;
        let (parted, parted_lines) = sides.merged();
        prop_assert_eq!(parted_lines, lines);
        let sort = |mut report: MergeReport| {
            // Where not all are shown, others may be.
            if report.ground_truth.unmatched > 10 { report.ground_truth.unmatched_ids.clear(); }
            report.duplicate_labels.with_other_value_ids.clear();
            report
        };
        prop_assert_eq!(sort(parted), sort(report));
    }
}

#[test]
fn many_pieces_come_in_order_whatever_memory_and_threads() {
    let mut captures = String::new();
    let mut labels = String::new();
    for number in 0..30_000_u32 {
        // Each number once, in another order.
        let id = number.wrapping_mul(7919) % 30_000;
        captures += &capture(&id.to_string(), None);
        if number % 10 != 0 {
            labels += &label(&number.to_string(), &(number * 3).to_string());
        }
    }
    let mut sides = Sides::of(captures, labels);
    let (report, lines) = sides.merged();
    let mut expected = String::new();
    for number in 0..30_000_u32 {
        let id = number.wrapping_mul(7919) % 30_000;
        if id % 10 != 0 {
            writeln!(expected, "{id} {}", id * 3).unwrap();
        }
    }
    let found: String =
        labels_of(&lines).iter().fold(String::new(), |text, (id, label)| text + id + " " + label + "\n");
    assert!(found == expected);
    assert_eq!((report.matched, report.captures.unmatched, report.ground_truth.unmatched), (27_000, 3_000, 0));
    for (threads, budget) in [(1, 1 << 20), (5, 1 << 20), (2, 0), (3, 100_000)] {
        (sides.threads, sides.budget) = (threads, budget);
        let (again, other) = sides.merged();
        assert!(again == report && other == lines, "{threads} threads, {budget} bytes");
    }
}

#[test]
fn labels_of_every_captured_id_may_be_unmatched() {
    let labels: String =
        (0..25).map(|number| label(&number.to_string(), "1") + &label(&number.to_string(), "2")).collect();
    let mut sides = Sides::of(capture("e", None), labels);
    for budget in [1 << 20, 0] {
        sides.budget = budget;
        let (report, _) = sides.merged();
        assert_eq!((report.matched, report.captures.unmatched_ids), (0, vec!["e".to_owned()]));
        assert_eq!((report.ground_truth.unmatched, report.ground_truth.unmatched_ids.len()), (25, 10));
        let duplicates = report.duplicate_labels;
        assert_eq!((duplicates.replaced, duplicates.with_other_value), (25, 25));
        assert_eq!(duplicates.with_other_value_ids.len(), 10);
    }
}
