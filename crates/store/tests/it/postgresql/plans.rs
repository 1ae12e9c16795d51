//! Large tables are read by their indexes.

use sqlx::{AssertSqlSafe, Executor as _};
use watchkeeper_store::metadata::{Kind, MetricFilter, Position, Query, Range, SeriesQuery, SortBy};

use super::TestDatabase;

const ROWS: i64 = 100_000;

/// The server counts how often it has read a whole table, and how many rows it has found by indexes.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn no_list_reads_a_whole_table_of_postgresql() {
    let database = TestDatabase::create().await;
    let (folder, store) = database.open().await;
    store.close().await;
    let mut connection = database.connect().await;
    for table in ["executions", "processing_jobs"] {
        let fill = format!(
            "INSERT INTO {table}
             SELECT 'key-' || n, 1, 'Name-' || n, CASE n % 1000 WHEN 0 THEN 'InProgress' ELSE 'Completed' END, '',
                    'endpoint', 'definition', 'Schedule-' || n % 1000, n, n, n,
                    CASE n % 1000 WHEN 0 THEN n END, '', 0, '{{}}'
             FROM generate_series(1, {ROWS}) AS n"
        );
        connection.execute(AssertSqlSafe(fill)).await.unwrap();
    }
    let fill = format!(
        "INSERT INTO metric_series (namespace, metric, dimensions)
         SELECT 'namespace', 'metric-' || n, '[]' FROM generate_series(1, 1000) AS n;
         INSERT INTO metric_data (series, time, unit, sample_count, sum, minimum, maximum)
         SELECT 1 + n % 1000, n, 'None', 1, 1, 1, 1 FROM generate_series(1, {ROWS}) AS n;
         ANALYZE;"
    );
    connection.execute(AssertSqlSafe(fill)).await.unwrap();
    let reads = "SELECT sum(seq_scan)::bigint, sum(idx_tup_fetch)::bigint FROM pg_stat_user_tables
                 WHERE relname IN ('executions', 'processing_jobs', 'metric_data')";
    // A backend reports what it has counted when it ends.
    connection.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let before: (i64, i64) = sqlx::query_as(reads).fetch_one(&mut connection).await.unwrap();

    let store = watchkeeper_store::Store::open_with(&database.settings(folder.path())).await.unwrap();
    let text = |value: &str| Some(value.to_owned());
    let after = |value: &str, key: &str| Some(Position { value: value.to_owned(), key: key.to_owned() });
    let query = || Query { limit: 100, ..Query::default() };
    let pages = [
        query(),
        Query { sort_by: SortBy::Name, ..query() },
        Query { sort_by: SortBy::Name, after: after("name-5000", "key-5000"), ..query() },
        Query { sort_by: SortBy::Created, descending: true, ..query() },
        Query { sort_by: SortBy::Created, descending: true, after: after("5000", "key-5000"), ..query() },
        Query { key_prefix: text("key-77"), ..query() },
        Query { schedule: text("schedule-7"), sort_by: SortBy::Scheduled, descending: true, ..query() },
        Query { schedule: text("SCHEDULE-7"), sort_by: SortBy::Created, descending: true, ..query() },
        Query { created: Range { after: Some(50_000), before: None }, sort_by: SortBy::Created, ..query() },
    ];
    for kind in [Kind::Execution, Kind::ProcessingJob] {
        // Six times: then the server makes plans that are for all values.
        for _ in 0..6 {
            for page in &pages {
                assert_eq!(store.metadata.list(kind, page).await.unwrap().len(), 100, "{page:?}");
            }
            assert_eq!(store.metadata.get(kind, "key-5").await.unwrap().unwrap().columns.created, 5);
            assert_eq!(store.metadata.claim(kind, &["inprogress"], "own", 5, 50_000, 5).await.unwrap().len(), 5);
            assert_eq!(store.metadata.next_due(kind).await.unwrap(), Some(1000));
        }
    }
    let unended = Query { statuses: vec!["InProgress".into(), "Stopping".into()], ..Query::default() };
    assert_eq!(store.metadata.count(Kind::ProcessingJob, &unended).await.unwrap(), 100);
    let series = SeriesQuery {
        namespace: "namespace".into(),
        metric: "metric-1".into(),
        end: i64::MAX,
        ..SeriesQuery::default()
    };
    assert_eq!(store.metadata.metric_data(&series).await.unwrap().len(), 100);
    let filter = MetricFilter { limit: 10, ..MetricFilter::default() };
    assert_eq!(store.metadata.list_metrics(&filter).await.unwrap().len(), 10);
    store.close().await;

    let after: (i64, i64) = sqlx::query_as(reads).fetch_one(&mut connection).await.unwrap();
    assert_eq!(after.0, before.0, "tables that were read as a whole");
    // 12 times all pages of 100, and little beside.
    assert!(after.1 - before.1 < 20_000, "{} rows were read", after.1 - before.1);
}
