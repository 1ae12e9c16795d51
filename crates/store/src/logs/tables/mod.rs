//! Logs in the tables of a SQL database: streams, and chunks of their events.

mod append;
mod filter;
mod page;
mod retention;

use std::sync::Arc;

use super::{
    EventsPage, EventsQuery, FilterQuery, FilteredPage, LogEvent, LogGroup, LogStream, Logs, StreamOrder, StreamsQuery,
};
use crate::Error;
use crate::disk::Disk;
use crate::sql::{Dialect, SqlConnection, SqlDatabase, Statement, sql_limit};

/// The most events of a page.
const MAX_PAGE_EVENTS: usize = 10_000;
/// The most bytes of messages of a page; one event is always given.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// The longest time between two events of a chunk.
const MAX_CHUNK_SPAN: i64 = 3_600_000;

/// Chunks that a page reads first: of long events as many as fill it.
const FIRST_CHUNKS: i64 = 16;
/// The most chunks that are read at once: of short events a page takes very many.
const MOST_CHUNKS: i64 = 256;

/// Logs in one database.
pub(crate) struct TableLogs<D> {
    database: D,
    /// The disk that the database is on, where that is ours.
    disk: Option<Arc<Disk>>,
}

impl<D: SqlDatabase> TableLogs<D> {
    const DIALECT: Dialect = D::Connection::DIALECT;

    /// Where there is a disk, what adds something is refused while there is no room for it.
    pub(crate) fn new(database: D, disk: Option<Arc<Disk>>) -> Self {
        Self { database, disk }
    }

    fn check_room(&self, bytes: u64) -> Result<(), Error> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.check(bytes))
    }

    async fn group_id(&self, group: &str) -> Result<i64, Error> {
        let id: Option<(i64,)> = self.database.fetch_optional(select_group(group)).await?;
        id.map(|(id,)| id).ok_or_else(|| Error::NoSuchLogGroup(group.to_owned()))
    }
}

#[async_trait::async_trait]
impl<D: SqlDatabase> Logs for TableLogs<D> {
    async fn create_group(&self, group: &str, now: i64) -> Result<(), Error> {
        self.check_room(0)?;
        let insert = Statement::new(include_str!("../sql/insert_group.sql")).bind(group).bind(now);
        if self.database.execute(insert).await? == 0 { Err(Error::LogGroupExists(group.to_owned())) } else { Ok(()) }
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        self.database
            .write(move |connection| {
                let group = group.clone();
                Box::pin(async move { delete_group(connection, group).await })
            })
            .await
    }

    async fn groups(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<LogGroup>, Error> {
        let mut select = Statement::new(include_str!("../sql/groups.sql")).bind(after.unwrap_or_default());
        select.push_prefix("name", prefix);
        select.push(" ORDER BY name LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(String, i64, i64, Option<i64>)> = self.database.fetch_all(select).await?;
        let group = |(name, created, bytes, days): (String, i64, i64, Option<i64>)| LogGroup {
            name,
            created,
            stored_bytes: bytes as u64,
            retention_days: days.and_then(|days| u32::try_from(days).ok()),
        };
        Ok(rows.into_iter().map(group).collect())
    }

    async fn set_retention(&self, group: &str, days: Option<u32>) -> Result<(), Error> {
        let set = Statement::new(include_str!("../sql/set_retention.sql")).bind(group).bind(days.map(i64::from));
        if self.database.execute(set).await? == 0 { Err(Error::NoSuchLogGroup(group.to_owned())) } else { Ok(()) }
    }

    async fn remove_expired(&self, now: i64, default_days: Option<u32>) -> Result<u64, Error> {
        retention::remove_expired(&self.database, now, default_days).await
    }

    async fn create_stream(&self, group: &str, stream: &str, now: i64) -> Result<(), Error> {
        self.check_room(0)?;
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database
            .write(move |connection| {
                let (group, stream) = (group.clone(), stream.clone());
                Box::pin(async move { append::create_stream(connection, group, stream, now).await })
            })
            .await
    }

    async fn streams(&self, query: &StreamsQuery) -> Result<Vec<LogStream>, Error> {
        let group = self.group_id(&query.group).await?;
        let rows: Vec<StreamRow> = self.database.fetch_all(select_streams(Self::DIALECT, group, query)).await?;
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
        self.check_room(events.iter().map(|event| event.message.len() as u64).sum())?;
        append::check(&events)?;
        let batch = append::Batch::new(group, stream, &events, ingestion);
        self.database
            .write(move |connection| {
                let batch = batch.clone();
                Box::pin(async move { append::append(connection, &batch).await })
            })
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

async fn delete_group<C: SqlConnection>(connection: &mut C, group: String) -> Result<(), Error> {
    let mut lock = select_group(&group);
    lock.push(C::DIALECT.for_update());
    let id: Option<(i64,)> = connection.fetch_optional(lock).await?;
    let Some((id,)) = id else { return Err(Error::NoSuchLogGroup(group)) };
    let of_group = |sql: &str| Statement::new(sql).bind(id);
    while connection.execute(of_group(include_str!("../sql/delete_chunks.sql"))).await? > 0 {}
    connection.execute(of_group(include_str!("../sql/delete_streams.sql"))).await?;
    connection.execute(of_group(include_str!("../sql/delete_group.sql"))).await?;
    Ok(())
}

fn select_group(name: &str) -> Statement {
    Statement::new(include_str!("../sql/group_id.sql")).bind(name)
}

/// A stream's number, and that of its next event.
fn select_stream(group: i64, name: &str) -> Statement {
    Statement::new(include_str!("../sql/stream.sql")).bind(group).bind(name)
}

/// The columns of `streams.sql`.
type StreamRow = (String, i64, Option<i64>, Option<i64>, Option<i64>, i64);

/// The list of streams that is asked for.
fn select_streams(dialect: Dialect, group: i64, query: &StreamsQuery) -> Statement {
    let (comparison, direction) = if query.descending { ("<", "DESC") } else { (">", "ASC") };
    let last_event = dialect.or_minus_one("last_event");
    let mut sql = Statement::new(include_str!("../sql/streams.sql"));
    sql.push(" WHERE log_group = ").push_bind(group).push_prefix("name", &query.prefix);
    match (query.order, &query.after) {
        (_, None) => {}
        (StreamOrder::Name, Some(after)) => {
            sql.push(format_args!(" AND name {comparison} ")).push_bind(after.name.as_str());
        }
        (StreamOrder::LastEventTime, Some(after)) => {
            sql.push(format_args!(" AND ({last_event}, name) {comparison} ("));
            sql.push_bind(after.last_event.unwrap_or(-1)).push(", ").push_bind(after.name.as_str()).push(")");
        }
    }
    match query.order {
        StreamOrder::Name => sql.push(format_args!(" ORDER BY name {direction}")),
        StreamOrder::LastEventTime => sql.push(format_args!(" ORDER BY {last_event} {direction}, name {direction}")),
    };
    sql.push(" LIMIT ").push_bind(sql_limit(query.limit));
    sql
}

/// How many chunks to read after so many were not enough.
fn more_chunks(at_once: i64) -> i64 {
    (at_once * 4).min(MOST_CHUNKS)
}

/// An event's id: unique, and never another event's.
fn event_id(stream: i64, number: i64) -> String {
    format!("{stream:026}{number:030}")
}

/// The events of a chunk: times and messages.
fn chunk_events(json: &str) -> Result<Vec<(i64, String)>, Error> {
    serde_json::from_str(json).map_err(|_| Error::Damaged("a chunk of a log".into()))
}
