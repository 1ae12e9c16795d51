//! A writer that is killed in the middle of its work.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_service::configuration::{CaptureSettings, Durability};
use watchkeeper_service::hosting::capture::{CaptureObject, CaptureSink, CaptureStream, CaptureWriter, FolderSink};

use super::{NEVER, World, exchange_now, files_in, ids_of, plan, settings};

const FOLDER: &str = "WATCHKEEPER_TEST_CAPTURE_FOLDER";
const WORK: &str = "WATCHKEEPER_TEST_CAPTURE_WORK";
const ROUNDS: usize = 100;

/// Small segments, so that a process that lives for a moment has some of every age.
fn small_segments() -> CaptureSettings {
    CaptureSettings { memory_bytes: 128 << 10, ..settings(Durability::Durable, 1) }
}

/// Stores an object, says so, and never returns: whoever kills it then does so between put and delete.
struct PutAndHang(FolderSink);

#[async_trait::async_trait]
impl CaptureSink for PutAndHang {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        self.0.put(object).await?;
        say("put");
        std::future::pending().await
    }
}

fn say(line: &str) {
    // A write to a pipe of one line is not split.
    std::io::stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Not a test: what the tests below start as a process of its own. It records until it is killed, and tells on
/// standard output what was acknowledged.
#[test]
#[ignore = "run by the tests of this file"]
fn recorder_that_is_killed() {
    let (Some(folder), Ok(work)) = (std::env::var_os(FOLDER), std::env::var(WORK)) else { return };
    let folder = Path::new(&folder);
    let objects = FolderSink::new(folder.join("objects"));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (settings, sink): (_, Arc<dyn CaptureSink>) = match work.as_str() {
            "put" => (settings(Durability::Durable, 1), Arc::new(PutAndHang(objects))),
            "fast" => (settings(Durability::Fast, 1), Arc::new(objects)),
            _ => (small_segments(), Arc::new(objects)),
        };
        let writer = CaptureWriter::start(settings, folder.join("journals"), sink).unwrap();
        let stream = writer.stream(plan("churn"));
        let recorders = (0..8).map(|recorder| record_for_ever(&stream, recorder, work == "fast"));
        futures::future::join_all(recorders).await;
    });
}

async fn record_for_ever(stream: &CaptureStream, recorder: usize, is_slow: bool) {
    for number in 0.. {
        let id = format!("{}-{recorder}-{number}", std::process::id());
        let begun = Instant::now();
        match stream.record(exchange_now(&id)) {
            Some(written) => written.await,
            None => assert!(is_slow, "a record was dropped"),
        }
        // An answer that the journal kept for a second goes without it.
        if begun.elapsed() < Duration::from_millis(900) {
            say(&format!("acknowledged {id}"));
        }
        if is_slow {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Starts a recorder and kills it when `is_enough` says so of a line. Gives the ids that were acknowledged, with when that
/// was heard.
fn killed(world: &World, work: &str, mut is_enough: impl FnMut(&str) -> bool) -> BTreeMap<String, Instant> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "capture::durability::recorder_that_is_killed", "--ignored", "--nocapture"])
        .env(FOLDER, world.folder.path())
        .env(WORK, work)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut acknowledged, mut was_killed) = (BTreeMap::new(), false);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(id) = line.strip_prefix("acknowledged ") {
            acknowledged.insert(id.to_owned(), Instant::now());
        }
        if !was_killed && is_enough(&line) {
            // SIGKILL. What was acknowledged before it is still in the pipe.
            child.kill().unwrap();
            was_killed = true;
        }
    }
    child.wait().unwrap();
    assert!(was_killed, "the recorder ended by itself");
    acknowledged
}

#[tokio::test]
async fn no_acknowledged_record_is_lost_and_none_is_there_twice() {
    let world = World::new();
    let (mut journals_left, mut objects_stored) = (0, 0);
    for round in 0..ROUNDS {
        let mut left = 1 + round * 37 % 1500;
        let acknowledged = killed(&world, "durable", |line| {
            left = left.saturating_sub(usize::from(line.starts_with("acknowledged ")));
            left == 0
        });
        journals_left += world.journal_files();
        objects_stored += world.files().len();
        let writer = world.start(settings(Durability::Durable, NEVER));
        writer.shutdown().await;
        assert_eq!(world.journal_files(), 0);
        let ids = world.ids();
        let distinct: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(distinct.len(), ids.len(), "round {round}: a record is there twice");
        let lost: Vec<_> = acknowledged.keys().filter(|id| !distinct.contains(*id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        std::fs::remove_dir_all(world.objects()).unwrap();
    }
    // It was killed at work, both ways.
    assert!(journals_left >= ROUNDS / 2 && objects_stored > 0, "{journals_left} journals, {objects_stored} objects");
}

#[tokio::test]
async fn a_put_that_is_repeated_overwrites_its_own_object() {
    let world = World::new();
    for round in 1..=3 {
        let acknowledged = killed(&world, "put", |line| line == "put");
        let before = world.files();
        assert!(!before.is_empty() && world.journal_files() > 0, "it was killed between put and delete");
        let writer = world.start(settings(Durability::Fast, NEVER));
        writer.shutdown().await;
        let after = world.files();
        for (path, lines) in &before {
            assert_eq!(after.get(path), Some(lines), "round {round}: {path}");
        }
        let ids = world.ids();
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "round {round}: a record is there twice");
        assert!(acknowledged.keys().all(|id| distinct.contains(id)), "round {round}");
        assert_eq!(world.journal_files(), 0);
        std::fs::remove_dir_all(world.objects()).unwrap();
    }
}

/// What a crash cut off, or something else wrote over, is no record.
#[tokio::test]
async fn a_torn_end_is_dropped() {
    let world = World::new();
    killed(&world, "put", |line| line == "put");
    let writer_free = || std::fs::read_dir(world.journals()).unwrap().map(|entry| entry.unwrap().path());
    let journal = writer_free().find(|path| path.extension().is_some_and(|end| end == "journal")).unwrap();
    let whole = std::fs::read(&journal).unwrap();
    std::fs::remove_dir_all(world.objects()).unwrap();
    for path in writer_free().filter(|path| path.extension().is_some_and(|end| end == "journal")) {
        std::fs::remove_file(path).unwrap();
    }
    let mut all = None;
    for (cut, damage) in [(0, 0), (1, 0), (100, 0), (0, 1), (0, 400), (whole.len() - 4, 0), (whole.len() - 9, 0)] {
        let mut bytes = whole[..whole.len() - cut].to_vec();
        if damage > 0 {
            let place = bytes.len() - damage;
            bytes[place] ^= 1;
        }
        std::fs::write(&journal, &bytes).unwrap();
        let writer = world.start(settings(Durability::Durable, NEVER));
        writer.shutdown().await;
        let ids: Vec<_> = files_in(&world.objects()).values().flat_map(|lines| ids_of(lines)).collect();
        let all = all.get_or_insert_with(|| ids.clone());
        assert!(all.starts_with(&ids), "cut {cut}, damaged {damage}: records before it stay, in their order");
        assert_eq!(ids.len() == all.len(), (cut, damage) == (0, 0));
        assert!(cut > 1000 || ids.len() + 5 > all.len(), "cut {cut}, damaged {damage}: {} of {}", ids.len(), all.len());
        assert_eq!(world.journal_files(), 0);
        let _ = std::fs::remove_dir_all(world.objects());
    }
}

#[tokio::test]
async fn the_fast_mode_loses_the_last_interval_at_most() {
    let world = World::new();
    let begun = Instant::now();
    let acknowledged = killed(&world, "fast", |_| begun.elapsed() >= Duration::from_secs(6));
    let end = begun + Duration::from_secs(6);
    let stored: BTreeSet<_> = world.ids().into_iter().collect();
    // The interval is a second. Two more for a machine that is busy.
    let safe: Vec<_> = acknowledged.iter().filter(|(_, heard)| **heard + Duration::from_secs(3) < end).collect();
    assert!(safe.len() > 100, "{} records", safe.len());
    let lost: Vec<_> = safe.iter().filter(|(id, _)| !stored.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), safe.len());
}
