//! Logs in `SQLite`: streams, and chunks of their events.

mod append;
mod filter;
mod page;

use sqlx::{QueryBuilder, Sqlite};

use super::{
    EventsPage, EventsQuery, FilterQuery, FilteredPage, LogEvent, LogGroup, LogStream, Logs, StreamOrder, StreamsQuery,
};
use crate::Error;
use crate::database::Database;

/// The most events of a page.
const MAX_PAGE_EVENTS: usize = 10_000;
/// The most bytes of messages of a page; one event is always given.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// The longest time between two events of a chunk.
const MAX_CHUNK_SPAN: i64 = 3_600_000;

/// Logs in one `SQLite` file.
pub(crate) struct SqliteLogs {
    database: Database,
}

impl SqliteLogs {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    async fn group_id(&self, group: &str) -> Result<i64, Error> {
        let id = sqlx::query_scalar(include_str!("../sql/group_id.sql"))
            .bind(group.to_owned())
            .fetch_optional(self.database.readers())
            .await?;
        id.ok_or_else(|| Error::NoSuchLogGroup(group.to_owned()))
    }
}

#[async_trait::async_trait]
impl Logs for SqliteLogs {
    async fn create_group(&self, group: &str, now: i64) -> Result<(), Error> {
        let group = group.to_owned();
        self.database
            .write(move |connection| {
                Box::pin(async move {
                    let inserted = sqlx::query(include_str!("../sql/insert_group.sql"))
                        .bind(group.clone())
                        .bind(now)
                        .execute(connection)
                        .await?;
                    if inserted.rows_affected() == 0 { Err(Error::LogGroupExists(group)) } else { Ok(()) }
                })
            })
            .await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = self.group_id(group).await?;
        self.database
            .write(move |connection| {
                Box::pin(async move {
                    for sql in [
                        include_str!("../sql/delete_chunks.sql"),
                        include_str!("../sql/delete_streams.sql"),
                        include_str!("../sql/delete_group.sql"),
                    ] {
                        sqlx::query(sql).bind(group).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn groups(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<LogGroup>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(include_str!("../sql/groups.sql"))
            .bind(prefix.to_owned())
            .bind(above(prefix))
            .bind(after.unwrap_or_default().to_owned())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.database.readers())
            .await?;
        let group = |(name, created, bytes): (String, i64, i64)| LogGroup {
            name,
            created,
            stored_bytes: bytes as u64,
            retention_days: None,
        };
        Ok(rows.into_iter().map(group).collect())
    }

    async fn set_retention(&self, group: &str, _days: Option<u32>) -> Result<(), Error> {
        self.group_id(group).await.map(drop)
    }

    async fn remove_expired(&self, _now: i64, _default_days: Option<u32>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn create_stream(&self, group: &str, stream: &str, now: i64) -> Result<(), Error> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database.write(move |connection| Box::pin(append::create_stream(connection, group, stream, now))).await
    }

    async fn streams(&self, query: &StreamsQuery) -> Result<Vec<LogStream>, Error> {
        let group = self.group_id(&query.group).await?;
        let mut sql = select_streams(group, query);
        let rows: Vec<StreamRow> = sql.build_query_as().fetch_all(self.database.readers()).await?;
        let stream = |(name, created, first_event, last_event, last_ingestion, bytes): StreamRow| LogStream {
            name,
            created,
            first_event,
            last_event,
            last_ingestion,
            stored_bytes: bytes as u64,
        };
        Ok(rows.into_iter().map(stream).collect())
    }

    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>, ingestion: i64) -> Result<(), Error> {
        append::check(&events)?;
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database
            .write(move |connection| Box::pin(append::append(connection, group, stream, events, ingestion)))
            .await
    }

    async fn events(&self, group: &str, stream: &str, query: &EventsQuery) -> Result<EventsPage, Error> {
        let group = self.group_id(group).await?;
        page::read(&self.database, group, stream, query).await
    }

    async fn filter(&self, group: &str, query: FilterQuery) -> Result<FilteredPage, Error> {
        let group = self.group_id(group).await?;
        filter::read(&self.database, group, query).await
    }
}

/// The columns of `streams.sql`.
type StreamRow = (String, i64, Option<i64>, Option<i64>, Option<i64>, i64);

/// The list of streams that is asked for. Names of columns are ours; values are always bound.
fn select_streams(group: i64, query: &StreamsQuery) -> QueryBuilder<Sqlite> {
    let (comparison, direction) = if query.descending { ("<", "DESC") } else { (">", "ASC") };
    let mut sql = QueryBuilder::new(include_str!("../sql/streams.sql").trim_end());
    sql.push(" WHERE log_group = ").push_bind(group);
    if !query.prefix.is_empty() {
        sql.push(" AND name >= ").push_bind(query.prefix.clone());
        sql.push(" AND name < CAST(").push_bind(above(&query.prefix)).push(" AS TEXT)");
    }
    match (query.order, &query.after) {
        (_, None) => {}
        (StreamOrder::Name, Some(after)) => {
            sql.push(format_args!(" AND name {comparison} ")).push_bind(after.name.clone());
        }
        (StreamOrder::LastEventTime, Some(after)) => {
            sql.push(format_args!(" AND (ifnull(last_event, -1), name) {comparison} ("));
            sql.push_bind(after.last_event.unwrap_or(-1)).push(", ").push_bind(after.name.clone()).push(")");
        }
    }
    match query.order {
        StreamOrder::Name => sql.push(format_args!(" ORDER BY name {direction}")),
        StreamOrder::LastEventTime => {
            sql.push(format_args!(" ORDER BY ifnull(last_event, -1) {direction}, name {direction}"))
        }
    };
    let limit = if query.limit == 0 { -1 } else { i64::try_from(query.limit).unwrap_or(-1) };
    sql.push(" LIMIT ").push_bind(limit);
    sql
}

/// Above all texts that begin with the prefix, and below all that are greater; no text has a byte 255.
fn above(prefix: &str) -> Vec<u8> {
    [prefix.as_bytes(), &[0xff]].concat()
}

/// An event's id: unique, and never another event's.
fn event_id(stream: i64, number: i64) -> String {
    format!("{stream:026}{number:030}")
}

/// The events of a chunk: times and messages.
fn chunk_events(json: &str) -> Result<Vec<(i64, String)>, Error> {
    serde_json::from_str(json).map_err(|_| Error::Damaged("a chunk of a log".into()))
}
