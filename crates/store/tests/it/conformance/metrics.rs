//! Metrics.

use std::sync::Arc;

use watchkeeper_store::metadata::{Change, CommitError, Datum, Kind, MetadataStore, MetricFilter, SeriesQuery};

type Store = Arc<dyn MetadataStore>;

pub(crate) fn datum(namespace: &str, metric: &str, dimensions: &[(&str, &str)], time: i64, value: f64) -> Datum {
    Datum {
        namespace: namespace.into(),
        metric: metric.into(),
        dimensions: dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        time,
        unit: "None".into(),
        sample_count: 1.0,
        sum: value,
        minimum: value,
        maximum: value,
    }
}

pub(crate) async fn all(store: &Store) {
    let endpoint = [("Endpoint", "churn"), ("MonitoringSchedule", "hourly")];
    let schedule = [("MonitoringSchedule", "hourly")];
    let data = vec![
        datum("/aws/sagemaker/data", "drift", &endpoint, 20, 0.1 + 0.2),
        datum("aws/sagemaker/data", "drift", &endpoint, 10, -1e-300),
        datum("aws/sagemaker/data", "drift", &schedule, 10, f64::MAX),
        datum("aws/sagemaker/data", "completeness", &endpoint, 10, 1.0),
        datum("other", "drift", &[], 10, 5e-324),
    ];
    store.commit(vec![Change::PutMetrics(data)]).await.unwrap();

    let names = async |filter: MetricFilter| {
        let series = store.list_metrics(&filter).await.unwrap();
        series.into_iter().map(|series| (series.namespace, series.metric, series.dimensions.len())).collect::<Vec<_>>()
    };
    let of = |namespace: &str, metric: &str, dimensions: usize| (namespace.to_owned(), metric.to_owned(), dimensions);
    let every = [
        of("aws/sagemaker/data", "drift", 2),
        of("aws/sagemaker/data", "drift", 1),
        of("aws/sagemaker/data", "completeness", 2),
        of("other", "drift", 0),
    ];
    assert_eq!(names(MetricFilter::default()).await, every);
    let namespace = Some("/aws/sagemaker/data".to_owned());
    let filter = MetricFilter { namespace, metric: Some("drift".into()), ..MetricFilter::default() };
    assert_eq!(names(filter).await, every[..2]);
    let having = |name: &str, value: Option<&str>| MetricFilter {
        dimensions: vec![(name.to_owned(), value.map(str::to_owned))],
        ..MetricFilter::default()
    };
    assert_eq!(names(having("MonitoringSchedule", None)).await, every[..3]);
    assert_eq!(names(having("Endpoint", Some("churn"))).await, [every[0].clone(), every[2].clone()]);
    assert!(names(having("Endpoint", Some("other"))).await.is_empty());
    let first = store.list_metrics(&MetricFilter { limit: 1, ..MetricFilter::default() }).await.unwrap();
    assert_eq!(first.len(), 1);
    let rest = MetricFilter { after: Some(first[0].position), ..MetricFilter::default() };
    assert_eq!(names(rest).await, every[1..]);

    let mut query = SeriesQuery {
        namespace: "/aws/sagemaker/data".into(),
        metric: "drift".into(),
        dimensions: endpoint.iter().rev().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        start: 10,
        end: 21,
        unit: Some("None".into()),
        limit: 0,
    };
    let data = store.metric_data(&query).await.unwrap();
    let values: Vec<(i64, u64)> = data.iter().map(|datum| (datum.time, datum.sum.to_bits())).collect();
    assert_eq!(values, [(10, (-1e-300f64).to_bits()), (20, (0.1f64 + 0.2).to_bits())], "in order, and to the last bit");
    assert_eq!(
        data[1].dimensions,
        [("Endpoint".into(), "churn".into()), ("MonitoringSchedule".into(), "hourly".into())]
    );
    query.end = 20;
    assert_eq!(store.metric_data(&query).await.unwrap().len(), 1, "the end is not within");
    query.unit = Some("Count".into());
    assert!(store.metric_data(&query).await.unwrap().is_empty());

    // Nothing that a program prints stops what is stored together with it.
    let odd = datum("o\0dd", "m\0", &[("n\0", "v\0\\u0000")], 10, 1.0);
    store.commit(vec![Change::PutMetrics(vec![odd.clone()])]).await.unwrap();
    let of_odd = SeriesQuery {
        namespace: odd.namespace.clone(),
        metric: odd.metric.clone(),
        dimensions: odd.dimensions.clone(),
        end: 11,
        ..SeriesQuery::default()
    };
    assert_eq!(store.metric_data(&of_odd).await.unwrap(), [odd]);
    assert_eq!(names(having("n\0", Some("v\0\\u0000"))).await.len(), 1);
    assert!(names(having("n", Some("v"))).await.is_empty());
    let not_a_number = Change::PutMetrics(vec![datum("lost", "lost", &[], 1, f64::NAN)]);
    assert!(matches!(store.commit(vec![not_a_number]).await, Err(CommitError::Failed(_))));

    // Metrics of a commit that meets a conflict do not appear.
    let delete = Change::Delete { kind: Kind::Alarm, key: "missing".into(), version: 1 };
    let changes = vec![Change::PutMetrics(vec![datum("lost", "lost", &[], 1, 1.0)]), delete];
    assert!(matches!(store.commit(changes).await, Err(CommitError::Conflict { .. })));
    let lost = MetricFilter { namespace: Some("lost".into()), ..MetricFilter::default() };
    assert!(store.list_metrics(&lost).await.unwrap().is_empty());
    removal(store).await;
}

/// Old data go, with the series that have none left; nothing else does.
async fn removal(store: &Store) {
    let old = |series: u32| format!("old-{series:03}");
    // More than one step removes of one series, and more series than one step looks at.
    let long = (0..30_000).map(|time| datum("removal", "long", &[], time, 1.0)).collect::<Vec<_>>();
    for part in long.chunks(5000) {
        store.commit(vec![Change::PutMetrics(part.to_vec())]).await.unwrap();
    }
    let many = (0..600).map(|series| datum("removal", &old(series), &[], 5, 1.0));
    let kept = [datum("removal", "both", &[], 29_989, 1.0), datum("removal", "both", &[], 29_990, 2.0)];
    store.commit(vec![Change::PutMetrics(many.chain(kept).collect())]).await.unwrap();

    let series = async || {
        let filter = MetricFilter { namespace: Some("removal".into()), ..MetricFilter::default() };
        store.list_metrics(&filter).await.unwrap()
    };
    let before = series().await;
    assert_eq!(before.len(), 602);
    let mut steps = 0;
    let mut removed = 0;
    loop {
        match store.remove_metrics_before(29_990).await.unwrap() {
            0 => break,
            some => removed += some,
        }
        steps += 1;
    }
    assert!(steps > 1, "a step is bounded");
    // Of the tests before: six data at 20 and earlier.
    assert_eq!(removed, 29_990 + 600 + 1 + 6);
    let names = |series: &[watchkeeper_store::metadata::MetricSeries]| {
        series.iter().map(|series| (series.position, series.metric.clone())).collect::<Vec<_>>()
    };
    let left: Vec<_> = names(&before).into_iter().filter(|(_, name)| !name.starts_with("old-")).collect();
    assert_eq!(names(&series().await), left, "series with data stay as they are");
    let read = async |metric: &str| {
        let query = SeriesQuery {
            namespace: "removal".into(),
            metric: metric.into(),
            start: 0,
            end: i64::MAX,
            ..SeriesQuery::default()
        };
        store.metric_data(&query).await.unwrap().into_iter().map(|datum| datum.time).collect::<Vec<_>>()
    };
    assert_eq!(read("long").await, (29_990..30_000).collect::<Vec<_>>());
    assert_eq!(read("both").await, [29_990]);
    assert!(read(&old(3)).await.is_empty());

    // A series that is there again is behind all that were seen before.
    store.commit(vec![Change::PutMetrics(vec![datum("removal", &old(3), &[], 40_000, 1.0)])]).await.unwrap();
    let again = series().await.pop().unwrap();
    assert_eq!(again.metric, old(3));
    assert!(before.iter().all(|series| series.position < again.position));
}
