//! Two stores on one database.

use std::collections::BTreeSet;
use std::time::Duration;

use watchkeeper_store::Store;
use watchkeeper_store::logs::{EventsQuery, LogEvent};
use watchkeeper_store::metadata::{Change, Columns, CommitError, Datum, Document, Kind, MetricFilter, SeriesQuery};

use super::{TestDatabase, document};
use crate::conformance::metrics;

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn claims_are_exclusive_on_postgresql() {
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    let kind = Kind::ProcessingJob;
    let due = |number: i64| Document {
        columns: Columns { due: Some(number), ..Columns::default() },
        ..document(kind, &format!("{number:03}"))
    };
    stores[0].1.metadata.commit((0..200).map(|number| Change::Insert(due(number))).collect()).await.unwrap();
    let claims = (0..40).map(|number| {
        let metadata = &stores[number % 2].1.metadata;
        async move {
            let owner = format!("owner-{number}");
            metadata.claim(kind, &[], &owner, 1000, 500, 5).await.unwrap()
        }
    });
    let claimed: Vec<String> =
        futures::future::join_all(claims).await.into_iter().flatten().map(|document| document.key).collect();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 200);
    // A store that opens takes none of them back; they run out.
    let (_folder, third) = database.open().await;
    assert!(third.metadata.claim(kind, &[], "third", 2000, 999, 10).await.unwrap().is_empty());
    assert_eq!(third.metadata.claim(kind, &[], "third", 2000, 1000, 10).await.unwrap().len(), 10);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn of_two_changes_one_wins_on_postgresql() {
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    let kind = Kind::Setting;
    let inserts =
        (0..20).map(|number| stores[number % 2].1.metadata.commit(vec![Change::Insert(document(kind, "one"))]));
    let outcomes = futures::future::join_all(inserts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(CommitError::Conflict { .. }))));

    let increments = (0..20).map(|number| increment(&stores[number % 2].1, "one"));
    futures::future::join_all(increments).await;
    let count = stores[0].1.metadata.get(kind, "one").await.unwrap().unwrap();
    assert_eq!((count.body.as_str(), count.version), ("20", 21));
}

async fn increment(store: &Store, key: &str) {
    loop {
        let mut read = store.metadata.get(Kind::Setting, key).await.unwrap().unwrap();
        read.body = (read.body.parse().unwrap_or(0) + 1).to_string();
        match store.metadata.commit(vec![Change::Update(read)]).await {
            Ok(()) => return,
            Err(CommitError::Conflict { .. }) => {}
            Err(CommitError::Failed(error)) => panic!("{error}"),
        }
    }
}

/// Changes of the same documents in other orders.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn opposite_orders_are_no_deadlock_on_postgresql() {
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    let kind = Kind::Alert;
    let keys: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
    let inserts = keys.iter().map(|key| Change::Insert(document(kind, key)));
    stores[0].1.metadata.commit(inserts.collect()).await.unwrap();
    let one_way = async |store: &Store, backwards: bool| {
        let mut committed = 0;
        for _ in 0..20 {
            let mut read = store.metadata.list(kind, &watchkeeper_store::metadata::Query::default()).await.unwrap();
            if backwards {
                read.reverse();
            }
            match store.metadata.commit(read.into_iter().map(Change::Update).collect()).await {
                Ok(()) => committed += 1,
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Failed(error)) => panic!("{error}"),
            }
        }
        committed
    };
    let (there, back, again) =
        tokio::join!(one_way(&stores[0].1, false), one_way(&stores[1].1, true), one_way(&stores[0].1, true));
    let versions: BTreeSet<i64> = futures::future::join_all(keys.iter().map(|key| stores[1].1.metadata.get(kind, key)))
        .await
        .into_iter()
        .map(|read| read.unwrap().unwrap().version)
        .collect();
    assert_eq!(versions, BTreeSet::from([1 + there + back + again]), "each commit has changed all or nothing");
    assert_eq!(deadlocks(&database).await, 0);
}

async fn deadlocks(database: &TestDatabase) -> i64 {
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(deadlocks).fetch_one(&mut database.connect().await).await.unwrap()
}

/// Those who make the same series in other orders wait for each other for ever, until the server ends one.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn a_deadlock_is_nobodys_failure_on_postgresql() {
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    let mut round = 0;
    while deadlocks(&database).await == 0 {
        let data: Vec<Datum> =
            (0..40).map(|number| Datum { metric: format!("{round} {number}"), ..datum(1) }).collect();
        let backwards = data.iter().rev().cloned().collect();
        let (one, other) = tokio::join!(
            stores[0].1.metadata.commit(vec![Change::PutMetrics(data)]),
            stores[1].1.metadata.commit(vec![Change::PutMetrics(backwards)]),
        );
        one.unwrap();
        other.unwrap();
        round += 1;
    }
    let series = stores[0].1.metadata.list_metrics(&MetricFilter::default()).await.unwrap();
    assert_eq!(series.len(), 40 * round);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn commits_of_others_are_told_on_postgresql() {
    let database = TestDatabase::create().await;
    let ((_folder, own), (_other_folder, other)) = (database.open().await, database.open().await);
    let told = async || {
        let waiting = own.metadata.changed_elsewhere();
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("a commit of the other wakes this one")
    };
    let due = |kind, key| Document { columns: Columns { due: Some(1), ..Columns::default() }, ..document(kind, key) };
    // Waiting already.
    let (kinds, ()) = tokio::join!(told(), async {
        other.metadata.commit(vec![Change::Insert(due(Kind::ProcessingJob, "job"))]).await.unwrap();
    });
    assert_eq!(kinds, [Kind::ProcessingJob]);

    // Neither one's own changes, nor claims, nor what was not committed, nor metrics; what comes next is told alone.
    own.metadata.commit(vec![Change::Insert(document(Kind::Model, "model"))]).await.unwrap();
    assert_eq!(other.metadata.claim(Kind::ProcessingJob, &[], "other", 100, 10, 1).await.unwrap().len(), 1);
    let conflict = vec![Change::Insert(document(Kind::Alarm, "alarm")), Change::Insert(document(Kind::Model, "model"))];
    assert!(matches!(other.metadata.commit(conflict).await, Err(CommitError::Conflict { .. })));
    other.metadata.commit(vec![Change::PutMetrics(vec![datum(1)])]).await.unwrap();
    other.metadata.commit(vec![Change::Insert(document(Kind::Setting, "setting"))]).await.unwrap();
    assert_eq!(told().await, [Kind::Setting]);

    // What comes while nobody waits is kept, and told together.
    other.metadata.commit(vec![Change::Insert(document(Kind::Endpoint, "endpoint"))]).await.unwrap();
    let execution = Change::Insert(document(Kind::Execution, "execution"));
    other.metadata.commit(vec![execution, Change::Insert(document(Kind::Alert, "alert"))]).await.unwrap();
    let mut kinds = BTreeSet::new();
    while kinds.len() < 3 {
        kinds.extend(told().await);
    }
    assert_eq!(kinds, BTreeSet::from([Kind::Endpoint, Kind::Execution, Kind::Alert]));
}

/// Both go by the server's clock.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn now_is_the_servers_on_postgresql() {
    let database = TestDatabase::create().await;
    let (_folder, store) = database.open().await;
    let first = store.metadata.now().await.unwrap().unwrap();
    let second = store.metadata.now().await.unwrap().unwrap();
    let here = jiff::Timestamp::now().as_millisecond();
    assert!(first <= second && (here - first).abs() < 60_000, "{first} {second} {here}");
}

fn datum(time: i64) -> Datum {
    metrics::datum("n", "m", &[], time, 1.0)
}

/// A series that loses its last datum just when it gets another one.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn no_metric_is_lost_to_a_sweeper_on_postgresql() {
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    let sweeping = async {
        loop {
            // Every other datum is old.
            stores[1].1.metadata.remove_metrics_before(1000).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let putting = async {
        for number in 0..150 {
            let old = Change::PutMetrics(vec![datum(number)]);
            stores[0].1.metadata.commit(vec![old]).await.unwrap();
            let young = Change::PutMetrics(vec![Datum { metric: format!("m-{number}"), ..datum(number) }]);
            let put = stores[0].1.metadata.commit(vec![young]);
            let again = Change::PutMetrics(vec![Datum { metric: format!("m-{number}"), ..datum(2000 + number) }]);
            let puts = tokio::join!(put, stores[0].1.metadata.commit(vec![again]));
            assert!(puts.0.is_ok() && puts.1.is_ok());
        }
    };
    tokio::select! { () = sweeping => {}, () = putting => {} }
    while stores[1].1.metadata.remove_metrics_before(1000).await.unwrap() > 0 {}
    let series = stores[1].1.metadata.list_metrics(&MetricFilter::default()).await.unwrap();
    assert_eq!(series.len(), 150);
    for number in 0..150 {
        let query = SeriesQuery {
            namespace: "n".into(),
            metric: format!("m-{number}"),
            end: i64::MAX,
            ..SeriesQuery::default()
        };
        let data = stores[1].1.metadata.metric_data(&query).await.unwrap();
        assert_eq!(data.iter().map(|datum| datum.time).collect::<Vec<_>>(), [2000 + number]);
    }
}

/// Several processes may write to one stream, one of them removes what is old, and another deletes groups.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn no_log_event_is_lost_or_numbered_twice_on_postgresql() {
    const DAY: i64 = 86_400_000;
    let database = TestDatabase::create().await;
    let stores = [database.open().await, database.open().await];
    stores[0].1.logs.create_group("group", 0).await.unwrap();
    stores[0].1.logs.set_retention("group", Some(1)).await.unwrap();
    for stream in ["a", "b"] {
        stores[0].1.logs.create_stream("group", stream, 10 * DAY).await.unwrap();
    }
    let sweeping = async {
        loop {
            stores[1].1.logs.remove_expired(10 * DAY, None).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let appends = (0..120).map(|number| {
        let store = &stores[number % 2].1;
        async move {
            let stream = ["a", "b"][number / 2 % 2];
            let timestamp = if number % 3 == 0 { DAY } else { 10 * DAY };
            let event = LogEvent { timestamp, message: number.to_string() };
            store.logs.append("group", stream, vec![event], 10 * DAY).await.unwrap();
        }
    });
    tokio::select! { () = sweeping => {}, _ = futures::future::join_all(appends) => {} }
    while stores[1].1.logs.remove_expired(10 * DAY, None).await.unwrap() > 0 {}
    let (mut ids, mut messages) = (BTreeSet::new(), BTreeSet::new());
    for stream in ["a", "b"] {
        let query = EventsQuery { from_head: true, ..EventsQuery::default() };
        for event in stores[0].1.logs.events("group", stream, &query).await.unwrap().events {
            ids.insert(event.id);
            messages.insert(event.message.parse::<usize>().unwrap());
        }
    }
    assert_eq!(ids.len(), 80);
    assert_eq!(messages, (0..120).filter(|number| number % 3 != 0).collect());
    let bytes = messages.iter().map(|number| number.to_string().len() as u64).sum::<u64>();
    assert_eq!(stores[0].1.logs.groups("", None, 10).await.unwrap()[0].stored_bytes, bytes);
}
