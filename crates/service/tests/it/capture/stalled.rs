//! A store that does not keep up, or does not answer at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use watchkeeper_service::configuration::{CaptureSettings, Durability};
use watchkeeper_service::hosting::capture::{CaptureObject, CaptureSink, Exchange, FolderSink};

use super::{NEVER, World, exchange_now, payload, plan, settings, totals};

const ALL_BYTES: usize = 40_000_000;
const BODY: usize = 10_000;

/// A store that does not answer until it is let.
struct Stalled {
    folder: Arc<FolderSink>,
    is_open: watch::Receiver<bool>,
}

#[async_trait::async_trait]
impl CaptureSink for Stalled {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        self.is_open.clone().wait_for(|is_open| *is_open).await.unwrap();
        self.folder.put(object).await
    }
}

/// A store that panics at the first object.
struct Panics {
    folder: Arc<FolderSink>,
    has: AtomicBool,
}

#[async_trait::async_trait]
impl CaptureSink for Panics {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        assert!(self.has.swap(true, Ordering::SeqCst), "the test wants it");
        self.folder.put(object).await
    }
}

#[tokio::test]
async fn a_store_that_panics_has_failed_and_is_tried_again() {
    for durability in [Durability::Fast, Durability::Durable] {
        let world = World::new();
        let sink = Panics { folder: world.sink(), has: AtomicBool::new(false) };
        let writer = world.start_with(settings(durability, NEVER), Arc::new(sink));
        let stream = writer.stream(plan("churn"));
        if let Some(written) = stream.record(exchange_now("1")) {
            written.await;
        }
        // What fails is no longer waited for.
        writer.flush("churn").await;
        writer.shutdown().await;
        assert_eq!((world.ids(), totals(&writer.take_counts())), (vec!["1".to_owned()], (1, 0)));
    }
}

fn large(number: usize, body: &Bytes) -> Exchange {
    Exchange { input: payload(Some("text/csv"), body.clone()), ..exchange_now(&number.to_string()) }
}

/// Records forty megabytes while nothing can be stored; gives what is stored in the end.
async fn stall(settings: CaptureSettings, body_bytes: usize) -> (World, u64, u64) {
    let world = World::new();
    let (open, is_open) = watch::channel(false);
    let writer = world.start_with(settings, Arc::new(Stalled { folder: world.sink(), is_open }));
    let stream = writer.stream(plan("churn"));
    let body = Bytes::from(vec![b'7'; body_bytes]);
    let records = ALL_BYTES / body_bytes;
    let mut longest = Duration::ZERO;
    for number in 0..records {
        let begun = Instant::now();
        let written = stream.record(large(number, &body));
        longest = longest.max(begun.elapsed());
        if let Some(written) = written {
            written.await;
        }
        tokio::task::yield_now().await;
    }
    // A put would take for ever; a lock that a busy machine gives late is no matter.
    assert!(longest < Duration::from_secs(1), "a record waited {longest:?}");
    let (captured, dropped) = totals(&writer.take_counts());
    assert_eq!(captured, 0, "nothing is stored");
    assert!(dropped > 0);
    open.send(true).unwrap();
    writer.shutdown().await;
    let (captured, dropped_later) = totals(&writer.take_counts());
    assert_eq!(dropped_later, 0);
    assert_eq!(captured + dropped, records as u64);
    assert_eq!(world.ids().len() as u64, captured, "all that was kept is stored, once");
    let stored = world.files().values().map(|lines| lines.len() as u64).sum();
    (world, stored, captured)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_while_the_store_stalls() {
    let memory = 4 << 20;
    // Lines of small exchanges wait elsewhere than large exchanges do.
    for body_bytes in [BODY, 1 << 10] {
        let settings = CaptureSettings { memory_bytes: memory, ..settings(Durability::Fast, 1) };
        let (_world, stored, captured) = stall(settings, body_bytes).await;
        assert!(stored <= memory, "{stored} bytes were kept");
        assert!(captured as usize * body_bytes > memory as usize / 2, "{captured} records were kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_bounded_while_the_store_stalls() {
    let journal = 6 << 20;
    let settings =
        CaptureSettings { memory_bytes: 2 << 20, journal_bytes: journal, ..settings(Durability::Durable, 1) };
    let (world, stored, captured) = stall(settings, BODY).await;
    assert!(stored <= journal + (1 << 20), "{stored} bytes were kept");
    assert!(captured as usize * BODY > journal as usize / 2, "{captured} records were kept");
    assert_eq!(world.journal_files(), 0);
}

/// An endpoint whose objects cannot be stored does not take the room of the others, nor their journal.
#[tokio::test]
async fn a_failing_destination_is_not_everybodys() {
    for durability in [Durability::Fast, Durability::Durable] {
        let world = World::new();
        // A file in the place of its folder.
        std::fs::create_dir_all(world.objects()).unwrap();
        std::fs::write(world.objects().join("broken"), "").unwrap();
        let writer = world.start(CaptureSettings { memory_bytes: 1 << 20, ..settings(durability, 1) });
        let (broken, churn) = (writer.stream(plan("broken")), writer.stream(plan("churn")));
        drop(broken.record(exchange_now("0")));
        writer.flush("broken").await;
        let body = Bytes::from(vec![b'7'; 1000]);
        for number in 0..2000 {
            if let Some(written) = broken.record(large(number, &body)) {
                written.await;
            }
        }
        for number in 0..100 {
            if let Some(written) = churn.record(large(number, &body)) {
                written.await;
            }
        }
        writer.flush("churn").await;
        let of_churn = |path: &String| path.starts_with("churn/");
        let stored: usize =
            world.files().iter().filter(|(path, _)| of_churn(path)).map(|(_, lines)| lines.lines().count()).sum();
        assert_eq!(stored, 100, "{durability:?}");
        // Once the fault is mended everything that was kept is stored.
        std::fs::remove_file(world.objects().join("broken")).unwrap();
        writer.shutdown().await;
        let counts = writer.take_counts();
        let broken = counts.iter().find(|counts| counts.endpoint == "broken").unwrap();
        assert_eq!(broken.captured + broken.dropped, 2001);
        assert_eq!(broken.dropped > 0, durability == Durability::Fast, "the journal has more room than memory");
        assert_eq!(world.ids().len() as u64, broken.captured + 100);
    }
}

/// In the durable mode an answer does not wait for a journal that cannot be written.
#[tokio::test]
async fn a_journal_that_cannot_be_written_lets_answers_go() {
    let world = World::new();
    let writer = world.start(settings(Durability::Durable, NEVER));
    let stream = writer.stream(plan("churn"));
    std::fs::remove_dir_all(world.journals()).unwrap();
    std::fs::write(world.journals(), "in its place").unwrap();
    let begun = Instant::now();
    let written: Vec<_> = (0..20).filter_map(|number| stream.record(exchange_now(&number.to_string()))).collect();
    for written in written {
        written.await;
    }
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(5), "answers waited {waited:?}");
    std::fs::remove_file(world.journals()).unwrap();
    std::fs::create_dir(world.journals()).unwrap();
    stream.record(exchange_now("20")).unwrap().await;
    writer.shutdown().await;
    // One that was being tried when the folder was back may have made it.
    let (captured, dropped) = totals(&writer.take_counts());
    assert_eq!(captured + dropped, 21);
    assert!(dropped >= 18, "{dropped} dropped");
    let ids = world.ids();
    assert!(ids.contains(&"20".to_owned()) && ids.len() as u64 == captured, "{ids:?}");
}

/// Whoever gives up waiting for the end leaves journals for the next start.
#[tokio::test]
async fn journals_stay_where_the_end_is_not_waited_for() {
    let world = World::new();
    let (_open, is_open) = watch::channel(false);
    let writer =
        world.start_with(settings(Durability::Durable, NEVER), Arc::new(Stalled { folder: world.sink(), is_open }));
    let stream = writer.stream(plan("churn"));
    for number in 0..10 {
        stream.record(exchange_now(&number.to_string())).unwrap().await;
    }
    assert!(tokio::time::timeout(Duration::from_millis(200), writer.shutdown()).await.is_err());
    assert_eq!(world.ids().len(), 0);
    // The next start may be in the fast mode.
    let next = world.start(settings(Durability::Fast, NEVER));
    next.flush("churn").await;
    assert_eq!(world.ids().len(), 10);
    assert_eq!(totals(&next.take_counts()), (10, 0));
    assert_eq!(world.journal_files(), 0);
}
