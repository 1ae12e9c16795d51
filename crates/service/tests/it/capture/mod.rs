//! Data capture: which requests, as what lines, in which objects, and what a crash or a stalled store costs.

mod durability;
mod ingestion;
mod lines;
mod objects;
mod sampling;
mod sinks;
mod stalled;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_formats::CaptureRecord;
use watchkeeper_service::configuration::{CaptureSettings, Durability};
use watchkeeper_service::hosting::capture::{
    CaptureCounts, CapturePlan, CaptureSink, CaptureWriter, Exchange, FolderSink, Payload,
};

/// The hour that is flushed when the test is over.
const NEVER: u64 = 3600;

fn settings(durability: Durability, flush_seconds: u64) -> CaptureSettings {
    CaptureSettings { durability, flush_seconds, ..CaptureSettings::default() }
}

fn plan(endpoint: &str) -> CapturePlan {
    CapturePlan {
        endpoint: endpoint.to_owned(),
        variant: "AllTraffic".to_owned(),
        destination: "s3://bucket/captures".to_owned(),
        sampling_percentage: 100,
        input: true,
        output: true,
        csv_content_types: vec!["text/csv".to_owned()],
        json_content_types: vec!["application/json".to_owned(), "application/jsonlines".to_owned()],
        kms_key_id: None,
    }
}

fn payload(content_type: Option<&str>, body: impl Into<Bytes>) -> Payload {
    Payload { content_type: content_type.map(str::to_owned), body: vec![body.into()] }
}

/// An exchange of CSV that is known again by its inference id.
fn exchange(id: &str, time: &str) -> Exchange {
    Exchange {
        event_id: Uuid::new_v4(),
        time: time.parse().unwrap(),
        inference_id: Some(id.to_owned()),
        custom_attributes: None,
        input: payload(Some("text/csv"), "1,2,3"),
        output: payload(Some("text/csv; charset=utf-8"), "0.5\n"),
        is_answered: true,
    }
}

fn exchange_now(id: &str) -> Exchange {
    Exchange { time: Timestamp::now(), ..exchange(id, "2026-03-01T00:00:00Z") }
}

/// A folder with journals and objects.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    fn journals(&self) -> PathBuf {
        self.folder.path().join("journals")
    }

    fn sink(&self) -> Arc<FolderSink> {
        Arc::new(FolderSink::new(self.objects()))
    }

    fn start(&self, settings: CaptureSettings) -> Arc<CaptureWriter> {
        self.start_with(settings, self.sink())
    }

    fn start_with(&self, settings: CaptureSettings, sink: Arc<dyn CaptureSink>) -> Arc<CaptureWriter> {
        CaptureWriter::start(settings, self.journals(), sink).unwrap()
    }

    fn files(&self) -> BTreeMap<String, String> {
        files_in(&self.objects())
    }

    /// Inference ids in the objects, in the order of the objects' names.
    fn ids(&self) -> Vec<String> {
        self.files().values().flat_map(|lines| ids_of(lines)).collect()
    }

    fn journal_files(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(self.journals()) else { return 0 };
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "journal")).count()
    }
}

/// Texts of the files below a folder by their path in it. None may have a line without an end.
fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "jsonl") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.ends_with('\n'), "{} ends within a line", path.display());
                files.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), text);
            }
        }
    }
    files
}

/// The inference ids of lines; all of them are whole records.
fn ids_of(lines: &str) -> Vec<String> {
    let id = |line: &str| CaptureRecord::parse(line).unwrap().event_metadata.inference_id.unwrap().into_owned();
    lines.lines().map(id).collect()
}

fn totals(counts: &[CaptureCounts]) -> (u64, u64) {
    counts.iter().fold((0, 0), |(captured, dropped), counts| (captured + counts.captured, dropped + counts.dropped))
}
