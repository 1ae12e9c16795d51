//! Metrics: a table of series, and one of data.

use super::{Datum, MetricFilter, MetricSeries, SeriesQuery};
use crate::Error;
use crate::sql::{SqlConnection, SqlDatabase, Statement, json, sql_limit};

/// Data that one step of removal removes at most: others wait for its commit.
const MOST_REMOVED: i64 = 20_000;
/// Series that a list reads at once.
const SERIES_AT_ONCE: i64 = 500;
/// Series that one step of removal looks at.
const MOST_SERIES: i64 = 500;

pub(super) async fn put<C: SqlConnection>(connection: &mut C, datum: &Datum) -> Result<(), sqlx::Error> {
    let dimensions = stored_dimensions(&datum.dimensions);
    let of_series = |sql: &str| {
        let statement = Statement::new(sql).bind(stored_namespace(&datum.namespace));
        statement.bind(datum.metric.as_str()).bind(dimensions.as_str())
    };
    let insert_datum = C::DIALECT.choose(
        include_str!("../sql/insert_datum.sql"),
        // Nobody removes the series until the datum is there.
        concat!(include_str!("../sql/insert_datum.sql"), "FOR KEY SHARE"),
    );
    loop {
        let insert = of_series(insert_datum)
            .bind(datum.time)
            .bind(datum.unit.as_str())
            .bind(datum.sample_count)
            .bind(datum.sum)
            .bind(datum.minimum)
            .bind(datum.maximum);
        if connection.execute(insert).await? > 0 {
            return Ok(());
        }
        // The first of its series, or the first after the series was removed, which may happen just now.
        connection.execute(of_series(include_str!("../sql/insert_series.sql"))).await?;
    }
}

pub(super) async fn list<D: SqlDatabase>(database: &D, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
    let limit = if filter.limit == 0 { usize::MAX } else { filter.limit };
    let select = Statement::new(include_str!("../sql/list_series.sql"));
    let at_once =
        if filter.dimensions.is_empty() { sql_limit(filter.limit).min(SERIES_AT_ONCE) } else { SERIES_AT_ONCE };
    let mut behind = filter.after.unwrap_or(0);
    let mut found = Vec::new();
    loop {
        let select = select
            .clone()
            .bind(behind)
            .bind(filter.namespace.as_deref().map(|namespace| stored_namespace(namespace).to_owned()))
            .bind(filter.metric.clone())
            .bind(at_once);
        let rows: Vec<(i64, String, String, String)> = database.fetch_all(select).await?;
        let complete = (rows.len() as i64) < at_once;
        for (position, namespace, metric, dimensions) in rows {
            behind = position;
            let dimensions: Vec<(String, String)> = serde_json::from_str(&dimensions)
                .map_err(|_| Error::Damaged(format!("the metric series {position}")))?;
            // Not in SQL: what `PostgreSQL` reads as JSON must hold no NUL.
            if has_dimensions(&dimensions, &filter.dimensions) {
                found.push(MetricSeries { position, namespace, metric, dimensions });
            }
            if found.len() == limit {
                return Ok(found);
            }
        }
        if complete {
            return Ok(found);
        }
    }
}

/// Whether each wanted dimension is there, with the wanted value or any.
fn has_dimensions(dimensions: &[(String, String)], wanted: &[(String, Option<String>)]) -> bool {
    wanted.iter().all(|(wanted_name, wanted_value)| {
        dimensions.iter().any(|(name, value)| {
            name == wanted_name && wanted_value.as_ref().is_none_or(|wanted_value| value == wanted_value)
        })
    })
}

pub(super) async fn data<D: SqlDatabase>(database: &D, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
    let namespace = stored_namespace(&query.namespace);
    let mut dimensions = query.dimensions.clone();
    dimensions.sort();
    let select = Statement::new(include_str!("../sql/data.sql"))
        .bind(namespace)
        .bind(query.metric.as_str())
        .bind(stored_dimensions(&dimensions))
        .bind(query.start)
        .bind(query.end)
        .bind(query.unit.clone())
        .bind(sql_limit(query.limit));
    let rows: Vec<(i64, String, f64, f64, f64, f64)> = database.fetch_all(select).await?;
    let datum = |(time, unit, sample_count, sum, minimum, maximum)| Datum {
        namespace: namespace.to_owned(),
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

/// Removes some of the data before a moment, with the series that have none left; gives how many data went.
pub(super) async fn remove_before<D: SqlDatabase>(database: &D, before: i64) -> Result<u64, Error> {
    let expired = Statement::new(include_str!("../sql/series_with_expired.sql")).bind(before).bind(MOST_SERIES);
    let series: Vec<(i64,)> = database.fetch_all(expired).await?;
    if series.is_empty() {
        return Ok(0);
    }
    database
        .write(move |connection| {
            let series = series.clone();
            Box::pin(async move {
                let mut left = MOST_REMOVED;
                for (series,) in series {
                    left -= remove_of_series(connection, series, before, left).await? as i64;
                    if left == 0 {
                        break;
                    }
                }
                Ok((MOST_REMOVED - left) as u64)
            })
        })
        .await
}

async fn remove_of_series<C: SqlConnection>(
    connection: &mut C,
    series: i64,
    before: i64,
    most: i64,
) -> Result<u64, Error> {
    // Whoever puts data into the series waits, and is seen by what comes below, or finds no series any more.
    let mut lock = Statement::new(include_str!("../sql/series.sql")).bind(series);
    lock.push(C::DIALECT.for_update());
    let _: Option<(i64,)> = connection.fetch_optional(lock).await?;
    let delete = Statement::new(include_str!("../sql/delete_expired_data.sql")).bind(series).bind(before).bind(most);
    let deleted = connection.execute(delete).await?;
    connection.execute(Statement::new(include_str!("../sql/delete_empty_series.sql")).bind(series)).await?;
    Ok(deleted)
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
