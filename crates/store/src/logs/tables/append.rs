//! Streams and events that come in.

use std::sync::Arc;

use super::{MAX_CHUNK_SPAN, select_group, select_stream};
use crate::Error;
use crate::logs::{LogEvent, MAX_MESSAGE_BYTES};
use crate::sql::{SqlConnection, Statement, json};

/// The most bytes of messages of a chunk, unless one message has more.
const MAX_CHUNK_BYTES: usize = 64 << 10;
/// The most events of a chunk.
const MAX_CHUNK_EVENTS: usize = 1000;

pub(super) async fn create_stream(
    connection: &mut impl SqlConnection,
    group: String,
    stream: String,
    now: i64,
) -> Result<(), Error> {
    let group = group_id(connection, &group).await?;
    let insert = Statement::new(include_str!("../sql/insert_stream.sql")).bind(group).bind(stream.as_str()).bind(now);
    let inserted = connection.execute(insert).await?;
    if inserted == 0 { Err(Error::LogStreamExists(stream)) } else { Ok(()) }
}

/// The group's number. It is not deleted until the end of the transaction.
async fn group_id<C: SqlConnection>(connection: &mut C, group: &str) -> Result<i64, Error> {
    let mut select = select_group(group);
    select.push(C::DIALECT.for_key_share());
    let id: Option<(i64,)> = connection.fetch_optional(select).await?;
    id.map(|(id,)| id).ok_or_else(|| Error::NoSuchLogGroup(group.to_owned()))
}

/// Refuses messages that are too long.
pub(super) fn check(events: &[LogEvent]) -> Result<(), Error> {
    match events.iter().map(|event| event.message.len()).find(|size| *size > MAX_MESSAGE_BYTES) {
        Some(size) => Err(Error::LogEventTooLarge { size, limit: MAX_MESSAGE_BYTES }),
        None => Ok(()),
    }
}

/// Events that come in together.
#[derive(Clone)]
pub(super) struct Batch {
    group: String,
    stream: String,
    chunks: Arc<[Chunk]>,
    ingestion: i64,
}

impl Batch {
    pub(super) fn new(group: &str, stream: &str, events: &[LogEvent], ingestion: i64) -> Self {
        Self { group: group.to_owned(), stream: stream.to_owned(), chunks: chunks(events).into(), ingestion }
    }
}

pub(super) async fn append<C: SqlConnection>(connection: &mut C, batch: &Batch) -> Result<(), Error> {
    let group = group_id(connection, &batch.group).await?;
    let mut select = select_stream(group, &batch.stream);
    // Whoever appends to the stream as well waits for these events to have their numbers.
    select.push(C::DIALECT.for_update());
    let row: Option<(i64, i64)> = connection.fetch_optional(select).await?;
    let (stream, mut next) = row.ok_or_else(|| Error::NoSuchLogStream(batch.stream.clone()))?;
    let first_time = batch.chunks.iter().map(|chunk| chunk.first_time).min();
    let last_time = batch.chunks.iter().map(|chunk| chunk.last_time).max();
    let (Some(first_time), Some(last_time)) = (first_time, last_time) else { return Ok(()) };
    let mut bytes = 0;
    for chunk in &*batch.chunks {
        let behind = next + chunk.length;
        let insert = Statement::new(include_str!("../sql/insert_chunk.sql"))
            .bind(stream)
            .bind(next)
            .bind(behind)
            .bind(group)
            .bind(chunk.first_time)
            .bind(chunk.last_time)
            .bind(batch.ingestion)
            .bind(chunk.events.as_str());
        connection.execute(insert).await?;
        next = behind;
        bytes += chunk.bytes;
    }
    let extend_stream = Statement::new(include_str!("../sql/extend_stream.sql"))
        .bind(stream)
        .bind(next)
        .bind(first_time)
        .bind(last_time)
        .bind(batch.ingestion)
        .bind(bytes);
    connection.execute(extend_stream).await?;
    connection.execute(Statement::new(include_str!("../sql/extend_group.sql")).bind(group).bind(bytes)).await?;
    Ok(())
}

struct Chunk {
    /// A JSON array of [time, message].
    events: String,
    /// How many.
    length: i64,
    /// Bytes of the messages.
    bytes: i64,
    first_time: i64,
    last_time: i64,
}

/// Cuts events into chunks of bounded size and time.
fn chunks(mut events: &[LogEvent]) -> Vec<Chunk> {
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
        let pairs: Vec<(i64, &str)> = chunk.iter().map(|event| (event.timestamp, event.message.as_str())).collect();
        chunks.push(Chunk { events: json(&pairs), length: length as i64, bytes: bytes as i64, first_time, last_time });
        events = rest;
    }
    chunks
}
