//! Which objects lines are in, and when.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_service::configuration::Durability;
use watchkeeper_service::hosting::capture::CaptureObject;

use super::{NEVER, World, exchange, exchange_now, ids_of, payload, plan, settings, totals};

const BOTH: [Durability; 2] = [Durability::Fast, Durability::Durable];

#[test]
fn the_path_of_an_object() {
    let id = Uuid::nil();
    let first: Timestamp = "2026-03-01T09:05:07.0429Z".parse().unwrap();
    let path = CaptureObject::path_of("Churn", "AllTraffic", first, id);
    assert_eq!(path, format!("Churn/AllTraffic/2026/03/01/09/05-07-042-{id}.jsonl"));
}

#[tokio::test]
async fn an_object_never_spans_two_hours() {
    for durability in BOTH {
        let world = World::new();
        let writer = world.start(settings(durability, NEVER));
        let stream = writer.stream(plan("churn"));
        for (id, time) in [
            ("1", "2026-03-01T09:59:58.500Z"),
            ("2", "2026-03-01T09:59:59.999999999Z"),
            ("3", "2026-03-01T10:00:00Z"),
            ("4", "2026-03-01T09:59:59.000Z"),
            ("5", "2026-03-02T10:00:00.001Z"),
        ] {
            drop(stream.record(exchange(id, time)));
        }
        writer.shutdown().await;
        let files = world.files();
        let found: Vec<_> = files
            .iter()
            .map(|(path, lines)| (&path[.."churn/AllTraffic/2026/03/01/09/59-58-500-".len()], ids_of(lines)))
            .collect();
        let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                ("churn/AllTraffic/2026/03/01/09/59-58-500-", ids(&["1", "2", "4"])),
                ("churn/AllTraffic/2026/03/01/10/00-00-000-", ids(&["3"])),
                ("churn/AllTraffic/2026/03/02/10/00-00-001-", ids(&["5"])),
            ]
        );
        assert_eq!(world.journal_files(), 0);
    }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_the_interval() {
    for durability in BOTH {
        let world = World::new();
        let writer = world.start(settings(durability, 1));
        let stream = writer.stream(plan("churn"));
        for round in 0..2 {
            let begun = Instant::now();
            drop(stream.record(exchange_now("1")));
            while world.ids().len() == round {
                assert!(begun.elapsed() < Duration::from_secs(20), "nothing came");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(begun.elapsed() >= Duration::from_millis(900), "records of an interval are in one object");
        }
    }
}

#[tokio::test]
async fn a_flush_returns_when_everything_of_the_endpoint_is_there() {
    for durability in BOTH {
        let world = World::new();
        let writer = world.start(settings(durability, NEVER));
        let (churn, other) = (writer.stream(plan("Churn")), writer.stream(plan("other")));
        for number in 0..500 {
            drop(churn.record(exchange_now(&number.to_string())));
        }
        drop(other.record(exchange_now("other")));
        writer.flush("churn").await;
        let expected: Vec<_> = (0..500).map(|number| number.to_string()).collect();
        let (mut ids, others): (Vec<_>, Vec<_>) = world.ids().into_iter().partition(|id| id != "other");
        ids.sort_by_key(|id| id.parse::<u32>().unwrap());
        assert_eq!(ids, expected);
        // A segment of the journal goes as a whole.
        assert_eq!(others.len(), usize::from(durability == Durability::Durable));
        writer.flush("nobody").await;
        writer.shutdown().await;
        assert_eq!(world.ids().len(), 501);
        assert_eq!(totals(&writer.take_counts()), (501, 0));
        assert_eq!(writer.take_counts(), []);
    }
}

#[tokio::test]
async fn what_many_threads_record_at_the_same_time_is_there_once() {
    const THREADS: usize = 4;
    const RECORDS: usize = 5_000;
    let world = World::new();
    let writer = world.start(settings(Durability::Fast, NEVER));
    let streams = [writer.stream(plan("churn")), writer.stream(plan("other"))];
    // Every tenth is too large for its line to be written where it is recorded.
    let large = bytes::Bytes::from(vec![b'7'; 20_000]);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (streams, large) = (&streams, &large);
            scope.spawn(move || {
                for number in thread * RECORDS..(thread + 1) * RECORDS {
                    let mut exchange = exchange_now(&number.to_string());
                    if number % 10 == 0 {
                        exchange.output = payload(Some("text/csv"), large.clone());
                    }
                    assert!(streams[number % 2].record(exchange).is_none());
                }
            });
        }
    });
    writer.flush_all().await;
    let mut ids: Vec<usize> = world.ids().iter().map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..THREADS * RECORDS), "a record is missing, or there twice");
    let counts = writer.take_counts();
    assert_eq!(counts.len(), streams.len());
    let half = (THREADS * RECORDS / 2) as u64;
    assert!(counts.iter().all(|it| (it.captured, it.dropped) == (half, 0)), "{counts:?}");
}

#[tokio::test]
async fn what_comes_after_the_end_is_dropped_and_counted() {
    for durability in BOTH {
        let world = World::new();
        let writer = world.start(settings(durability, NEVER));
        let stream = writer.stream(plan("churn"));
        drop(stream.record(exchange_now("1")));
        writer.shutdown().await;
        assert!(stream.record(exchange_now("2")).is_none());
        writer.shutdown().await;
        assert_eq!(world.ids(), ["1"]);
        assert_eq!(totals(&writer.take_counts()), (1, 1));
    }
}

#[tokio::test]
async fn many_lines_make_an_object_before_the_interval_is_over() {
    for durability in BOTH {
        let world = World::new();
        let mut settings = settings(durability, NEVER);
        settings.memory_bytes = 8 << 20;
        let writer = world.start(settings);
        let stream = writer.stream(plan("churn"));
        for number in 0..10_000 {
            if let Some(written) = stream.record(exchange_now(&number.to_string())) {
                written.await;
            }
        }
        let begun = Instant::now();
        while world.files().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        writer.shutdown().await;
        assert_eq!(world.ids().len(), 10_000);
        assert!(world.files().len() > 1);
    }
}

#[tokio::test]
async fn an_interval_may_be_as_long_as_can_be_written() {
    for durability in [Durability::Fast, Durability::Durable] {
        let world = World::new();
        let writer = world.start(settings(durability, u64::MAX));
        let stream = writer.stream(plan("churn"));
        for id in ["1", "2"] {
            if let Some(written) = stream.record(exchange_now(id)) {
                written.await;
            }
            // The writer looks at the interval after each batch.
            writer.flush("shop").await;
        }
        writer.shutdown().await;
        assert_eq!(world.ids(), ["1", "2"]);
    }
}

/// Two writers would store each other's segments.
#[tokio::test]
async fn a_folder_of_journals_has_one_writer() {
    let world = World::new();
    let first = world.start(settings(Durability::Durable, NEVER));
    let second = || {
        watchkeeper_service::hosting::capture::CaptureWriter::start(
            settings(Durability::Fast, NEVER),
            world.journals(),
            world.sink(),
        )
    };
    let refused = second().err().unwrap().to_string();
    assert!(refused.starts_with("another process writes its captures in "), "{refused}");
    first.shutdown().await;
    assert!(second().is_ok());
}
