//! Streams and events that come in.

use sqlx::sqlite::SqliteConnection;

use super::MAX_CHUNK_SPAN;
use crate::Error;
use crate::logs::{LogEvent, MAX_MESSAGE_BYTES};

/// The most bytes of messages of a chunk, unless one message has more.
const MAX_CHUNK_BYTES: usize = 64 << 10;
/// The most events of a chunk.
const MAX_CHUNK_EVENTS: usize = 1000;

pub(super) async fn create_stream(
    connection: &mut SqliteConnection,
    group: String,
    stream: String,
    now: i64,
) -> Result<(), Error> {
    let group = group_id(&mut *connection, group).await?;
    let inserted = sqlx::query(include_str!("../sql/insert_stream.sql"))
        .bind(group)
        .bind(stream.clone())
        .bind(now)
        .execute(connection)
        .await?;
    if inserted.rows_affected() == 0 { Err(Error::LogStreamExists(stream)) } else { Ok(()) }
}

async fn group_id(connection: &mut SqliteConnection, group: String) -> Result<i64, Error> {
    let id =
        sqlx::query_scalar(include_str!("../sql/group_id.sql")).bind(group.clone()).fetch_optional(connection).await?;
    id.ok_or(Error::NoSuchLogGroup(group))
}

/// Refuses messages that are too long.
pub(super) fn check(events: &[LogEvent]) -> Result<(), Error> {
    match events.iter().map(|event| event.message.len()).find(|size| *size > MAX_MESSAGE_BYTES) {
        Some(size) => Err(Error::LogEventTooLarge { size, limit: MAX_MESSAGE_BYTES }),
        None => Ok(()),
    }
}

pub(super) async fn append(
    connection: &mut SqliteConnection,
    group: String,
    stream: String,
    events: Vec<LogEvent>,
    ingestion: i64,
) -> Result<(), Error> {
    let group = group_id(&mut *connection, group).await?;
    let row: Option<(i64, i64)> = sqlx::query_as(include_str!("../sql/stream.sql"))
        .bind(group)
        .bind(stream.clone())
        .fetch_optional(&mut *connection)
        .await?;
    let (stream, mut next) = row.ok_or(Error::NoSuchLogStream(stream))?;
    let times = events.iter().map(|event| event.timestamp);
    let (Some(first_time), Some(last_time)) = (times.clone().min(), times.max()) else { return Ok(()) };
    let mut bytes = 0;
    for chunk in chunks(&events) {
        let behind = next + chunk.events.len() as i64;
        sqlx::query(include_str!("../sql/insert_chunk.sql"))
            .bind(stream)
            .bind(next)
            .bind(behind)
            .bind(group)
            .bind(chunk.first_time)
            .bind(chunk.last_time)
            .bind(ingestion)
            .bind(json(chunk.events))
            .execute(&mut *connection)
            .await?;
        next = behind;
        bytes += chunk.bytes as i64;
    }
    sqlx::query(include_str!("../sql/extend_stream.sql"))
        .bind(stream)
        .bind(next)
        .bind(first_time)
        .bind(last_time)
        .bind(ingestion)
        .bind(bytes)
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("../sql/extend_group.sql")).bind(group).bind(bytes).execute(connection).await?;
    Ok(())
}

fn json(events: &[LogEvent]) -> String {
    let pairs: Vec<(i64, &str)> = events.iter().map(|event| (event.timestamp, event.message.as_str())).collect();
    serde_json::to_string(&pairs).expect("texts have a JSON form")
}

struct Chunk<'e> {
    events: &'e [LogEvent],
    bytes: usize,
    first_time: i64,
    last_time: i64,
}

/// Cuts events into chunks of bounded size and time.
fn chunks(mut events: &[LogEvent]) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    while let Some(first) = events.first() {
        let (mut bytes, mut first_time, mut last_time) = (0, first.timestamp, first.timestamp);
        let mut length = 0;
        for event in events.iter().take(MAX_CHUNK_EVENTS) {
            let (earliest, latest) = (first_time.min(event.timestamp), last_time.max(event.timestamp));
            let too_large = bytes + event.message.len() > MAX_CHUNK_BYTES;
            if length > 0 && (too_large || latest.saturating_sub(earliest) > MAX_CHUNK_SPAN) {
                break;
            }
            (first_time, last_time) = (earliest, latest);
            bytes += event.message.len();
            length += 1;
        }
        let (chunk, rest) = events.split_at(length);
        chunks.push(Chunk { events: chunk, bytes, first_time, last_time });
        events = rest;
    }
    chunks
}
