//! A server that restarts in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use watchkeeper_store::Store;
use watchkeeper_store::logs::{EventsQuery, LogEvent};
use watchkeeper_store::metadata::{Change, CommitError, Kind};

use super::database::TestServer;
use super::document;

/// Counts up; gives how far it has come, as it was told.
async fn count_up(store: Store, key: String, stop: Arc<AtomicBool>) -> (i64, u32) {
    let kind = Kind::Setting;
    store.metadata.commit(vec![Change::Insert(document(kind, &key))]).await.unwrap();
    let (mut acknowledged, mut failures) = (1, 0);
    while !stop.load(Ordering::SeqCst) {
        // Reading first makes it safe to try again: what is not known to be committed is found out.
        let Ok(read) = store.metadata.get(kind, &key).await else {
            failures += 1;
            continue;
        };
        let read = read.expect("what was acknowledged is there");
        assert!(read.version >= acknowledged, "{key}: version {} after {acknowledged}", read.version);
        let next = read.version + 1;
        match store.metadata.commit(vec![Change::Update(read)]).await {
            Ok(()) => acknowledged = next,
            Err(CommitError::Conflict { .. }) => panic!("nobody else changes {key}"),
            Err(CommitError::Failed(_)) => failures += 1,
        }
    }
    (acknowledged, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn nothing_is_lost_when_postgresql_restarts() {
    let server = tokio::task::spawn_blocking(TestServer::start).await.unwrap();
    let server = Arc::new(server);
    let database = server.database().await;
    let ((_folder, store), (_other_folder, other)) = (database.open().await, database.open().await);
    let stop = Arc::new(AtomicBool::new(false));
    let counters: Vec<_> =
        (0..8).map(|number| tokio::spawn(count_up(store.clone(), number.to_string(), Arc::clone(&stop)))).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let restarting = Arc::clone(&server);
        tokio::task::spawn_blocking(move || restarting.restart()).await.unwrap();
    }
    // Without an opening anew all works again, and goes on.
    store.logs.create_group("group", 1).await.unwrap();
    store.logs.create_stream("group", "stream", 1).await.unwrap();
    let event = LogEvent { timestamp: 1, message: "after the restart".into() };
    store.logs.append("group", "stream", vec![event], 1).await.unwrap();
    let events = other.logs.events("group", "stream", &EventsQuery::default()).await.unwrap().events;
    assert_eq!(events[0].message, "after the restart");
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    for (number, counter) in counters.into_iter().enumerate() {
        let (acknowledged, failures) = counter.await.unwrap();
        let stored = other.metadata.get(Kind::Setting, &number.to_string()).await.unwrap().unwrap();
        // A commit whose answer was lost may have taken place.
        assert!(stored.version >= acknowledged && stored.version <= acknowledged + 3, "{acknowledged} {stored:?}");
        assert!(failures <= 3, "{failures} calls failed in three restarts");
        assert!(acknowledged > 3);
    }
    // Whoever listens has missed something, and says so; then it listens again.
    let told =
        async || tokio::time::timeout(Duration::from_secs(30), other.metadata.changed_elsewhere()).await.unwrap();
    assert!(told().await.contains(&Kind::Setting));
    let mut number = 0;
    let told_alone = loop {
        store.metadata.commit(vec![Change::Insert(document(Kind::Alarm, &number.to_string()))]).await.unwrap();
        let kinds = told().await;
        if kinds.len() < Kind::ALL.len() {
            break kinds;
        }
        number += 1;
    };
    assert_eq!(told_alone, [Kind::Alarm]);
}
