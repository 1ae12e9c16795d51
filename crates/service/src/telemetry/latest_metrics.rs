//! The newest value of each metric, for Prometheus.
//!
//! The store passes through here: whoever puts data, by the API or at the end of a job, is seen. What was put before this
//! start is read once, when somebody first asks; what other processes put, twice a minute at most.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use watchkeeper_store::Error;
use watchkeeper_store::metadata::{
    Change, CommitError, Datum, Document, Kind, MetadataStore, MetricFilter, MetricSeries, Query, SeriesQuery,
};

/// The most series that are shown.
const MOST_SERIES: usize = 10_000;
/// How far back values of an earlier start are looked for, in milliseconds: two days, so that daily schedules are there.
const LOOK_BACK: i64 = 48 * 60 * 60 * 1000;
/// The most series that are looked for so.
const MOST_EARLIER_SERIES: usize = 2_000;
/// After so many milliseconds the data of other processes are read again.
const READ_EVERY: i64 = 30 * 1000;
/// Data may be put so much later than the moment they are of.
const OVERLAP: i64 = 5 * 60 * 1000;

/// A metric with its dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    namespace: String,
    metric: String,
    dimensions: Vec<(String, String)>,
}

/// A store that remembers the newest value of each metric.
pub struct LatestMetrics {
    store: Arc<dyn MetadataStore>,
    values: Mutex<BTreeMap<Series, (i64, f64)>>,
    /// Whether other processes put data into the same store.
    is_shared: bool,
    /// Up to when data were read that did not pass through here.
    read_until: tokio::sync::Mutex<Option<i64>>,
}

impl LatestMetrics {
    /// One over a store, into which other processes put data as well if it is shared.
    pub fn over(store: Arc<dyn MetadataStore>, is_shared: bool) -> Self {
        Self { store, values: Mutex::default(), is_shared, read_until: tokio::sync::Mutex::default() }
    }

    fn remember(&self, data: &[Datum]) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        for datum in data {
            let series = Series {
                namespace: datum.namespace.trim_start_matches('/').to_owned(),
                metric: datum.metric.clone(),
                dimensions: datum.dimensions.clone(),
            };
            let value = if datum.sample_count > 0.0 { datum.sum / datum.sample_count } else { datum.sum };
            if values.len() >= MOST_SERIES && !values.contains_key(&series) {
                continue;
            }
            let newest = values.entry(series).or_insert((i64::MIN, value));
            if datum.time >= newest.0 {
                *newest = (datum.time, value);
            }
        }
    }

    /// Reads what did not pass through here.
    async fn read(&self, now: i64) -> Result<(), Error> {
        let mut read_until = self.read_until.lock().await;
        let start = match *read_until {
            None => now - LOOK_BACK,
            Some(until) if self.is_shared && now - until >= READ_EVERY => until - OVERLAP,
            Some(_) => return Ok(()),
        };
        let filter = MetricFilter { limit: MOST_EARLIER_SERIES, ..MetricFilter::default() };
        for series in self.store.list_metrics(&filter).await? {
            let query = SeriesQuery {
                namespace: series.namespace,
                metric: series.metric,
                dimensions: series.dimensions,
                start,
                end: now + 1,
                unit: None,
                limit: 0,
            };
            let data = self.store.metric_data(&query).await?;
            self.remember(&data[data.len().saturating_sub(1)..]);
        }
        *read_until = Some(now);
        Ok(())
    }

    /// The values in Prometheus's text form, the names of `CloudWatch` as labels.
    pub async fn page(&self, now: i64) -> String {
        if let Err(error) = self.read(now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "metrics could not be read");
        }
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.is_empty() {
            return String::new();
        }
        let mut page = "# HELP watchkeeper_metric The newest value of a metric, as CloudWatch names it.\n\
                        # TYPE watchkeeper_metric gauge\n"
            .to_owned();
        for (series, (_, value)) in values.iter() {
            let _ = write!(
                page,
                "watchkeeper_metric{{namespace=\"{}\",metric=\"{}\"",
                escaped(&series.namespace),
                escaped(&series.metric)
            );
            for (name, text) in &series.dimensions {
                let _ = write!(page, ",{}=\"{}\"", label(name), escaped(text));
            }
            let _ = writeln!(page, "}} {value}");
        }
        page
    }
}

/// A dimension's name as a label's: Prometheus takes letters, digits and underscores.
fn label(name: &str) -> String {
    let label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match label.as_str() {
        // Ours, and those that begin as Prometheus's own do or with a digit.
        "namespace" | "metric" => format!("dimension_{label}"),
        text if text.starts_with(|c: char| c == '_' || c.is_ascii_digit()) || text.is_empty() => {
            format!("dimension_{text}")
        }
        _ => label,
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[async_trait::async_trait]
impl MetadataStore for LatestMetrics {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        self.store.get(kind, key).await
    }

    async fn list(&self, kind: Kind, query: &Query) -> Result<Vec<Document>, Error> {
        self.store.list(kind, query).await
    }

    async fn count(&self, kind: Kind, query: &Query) -> Result<u64, Error> {
        self.store.count(kind, query).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        let put = |change: &Change| match change {
            Change::PutMetrics(data) => data.clone(),
            _ => Vec::new(),
        };
        let data: Vec<Datum> = changes.iter().flat_map(put).collect();
        self.store.commit(changes).await?;
        self.remember(&data);
        Ok(())
    }

    async fn claim(
        &self,
        kind: Kind,
        statuses: &[&str],
        owner: &str,
        until: i64,
        now: i64,
        limit: usize,
    ) -> Result<Vec<Document>, Error> {
        self.store.claim(kind, statuses, owner, until, now, limit).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, Error> {
        self.store.next_due(kind).await
    }

    async fn list_metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
        self.store.list_metrics(filter).await
    }

    async fn metric_data(&self, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
        self.store.metric_data(query).await
    }

    async fn remove_metrics_before(&self, before: i64) -> Result<u64, Error> {
        self.store.remove_metrics_before(before).await
    }

    async fn now(&self) -> Result<Option<i64>, Error> {
        self.store.now().await
    }

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        self.store.changed_elsewhere().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ones_that_prometheus_takes() {
        for (name, expected) in [
            ("Endpoint", "Endpoint"),
            ("my dimension", "my_dimension"),
            ("metric", "dimension_metric"),
            ("__name__", "dimension___name__"),
            ("1st", "dimension_1st"),
        ] {
            assert_eq!(label(name), expected);
        }
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
