//! Metrics in `SQLite`: a table of series, and one of data.

use sqlx::sqlite::SqliteConnection;

use super::{Datum, MetricFilter, MetricSeries, SeriesQuery, json, sql_limit};
use crate::Error;
use crate::database::Database;

pub(super) async fn put(connection: &mut SqliteConnection, datum: Datum) -> Result<(), sqlx::Error> {
    let namespace = stored_namespace(&datum.namespace).to_owned();
    let dimensions = stored_dimensions(&datum.dimensions);
    sqlx::query(include_str!("../sql/insert_series.sql"))
        .bind(namespace.clone())
        .bind(datum.metric.clone())
        .bind(dimensions.clone())
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("../sql/insert_datum.sql"))
        .bind(namespace)
        .bind(datum.metric)
        .bind(dimensions)
        .bind(datum.time)
        .bind(datum.unit)
        .bind(datum.sample_count)
        .bind(datum.sum)
        .bind(datum.minimum)
        .bind(datum.maximum)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn list(database: &Database, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(include_str!("../sql/list_series.sql"))
        .bind(filter.after.unwrap_or(0))
        .bind(filter.namespace.as_deref().map(|namespace| stored_namespace(namespace).to_owned()))
        .bind(filter.metric.clone())
        .bind(json(&filter.dimensions))
        .bind(sql_limit(filter.limit))
        .fetch_all(database.readers())
        .await?;
    rows.into_iter()
        .map(|(position, namespace, metric, dimensions)| {
            let dimensions = serde_json::from_str(&dimensions)
                .map_err(|_| Error::Damaged(format!("the metric series {position}")))?;
            Ok(MetricSeries { position, namespace, metric, dimensions })
        })
        .collect()
}

pub(super) async fn data(database: &Database, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
    let namespace = stored_namespace(&query.namespace).to_owned();
    let mut dimensions = query.dimensions.clone();
    dimensions.sort();
    let rows: Vec<(i64, String, f64, f64, f64, f64)> = sqlx::query_as(include_str!("../sql/data.sql"))
        .bind(namespace.clone())
        .bind(query.metric.clone())
        .bind(stored_dimensions(&dimensions))
        .bind(query.start)
        .bind(query.end)
        .bind(query.unit.clone())
        .bind(sql_limit(query.limit))
        .fetch_all(database.readers())
        .await?;
    let datum = |(time, unit, sample_count, sum, minimum, maximum)| Datum {
        namespace: namespace.clone(),
        metric: query.metric.clone(),
        dimensions: dimensions.clone(),
        time,
        unit,
        sample_count,
        sum,
        minimum,
        maximum,
    };
    Ok(rows.into_iter().map(datum).collect())
}

/// Scripts write namespaces with and without a leading slash; they mean the same.
fn stored_namespace(namespace: &str) -> &str {
    namespace.strip_prefix('/').unwrap_or(namespace)
}

fn stored_dimensions(dimensions: &[(String, String)]) -> String {
    let mut sorted = dimensions.to_vec();
    sorted.sort();
    json(&sorted)
}
