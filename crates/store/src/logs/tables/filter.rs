//! Events of several streams in the order of their times.
//!
//! Chunks are taken in the order of their first times. Whatever is earlier than the first time of the next chunk is
//! complete, and goes out in order; what is later waits in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{
    FIRST_CHUNKS, MAX_CHUNK_SPAN, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, chunk_events, event_id, more_chunks, select_stream,
};
use crate::Error;
use crate::logs::{FilterQuery, FilteredPage, Predicate, StoredEvent, StreamSelection};
use crate::sql::{SqlConnection, SqlDatabase, Statement, json};

/// Bytes of chunks that are read for one page: with a predicate that few events meet, a page may have none.
const MAX_READ_BYTES: usize = 16 << 20;

/// A place among events: time, stream, number. The next page begins behind it.
type Place = (i64, i64, i64);

pub(super) async fn read<D: SqlDatabase>(database: &D, group: i64, query: FilterQuery) -> Result<FilteredPage, Error> {
    let start = query.start.unwrap_or(0).max(0);
    let behind = match &query.token {
        Some(token) => parse(token)?,
        // Streams have numbers from 1.
        None => (start, 0, 0),
    };
    let streams = selected(database, group, &query.streams).await?;
    let end = query.end.unwrap_or(i64::MAX);
    let most = if query.limit == 0 { MAX_PAGE_EVENTS } else { query.limit.min(MAX_PAGE_EVENTS) };
    let mut pending = Pending { behind, start, end, predicate: query.predicate, events: BinaryHeap::new() };
    let mut page = Page { most, bytes: 0, events: Vec::new(), last: behind };

    let mut chunks = Chunks::new::<D>(group, streams.as_deref(), behind.0, end);
    let mut read_bytes = 0;
    loop {
        let (batch, complete) = chunks.next(database).await?;
        for chunk in batch {
            if pending.drain(&mut page, chunk.first_time) {
                return Ok(page.finish(true));
            }
            if read_bytes > MAX_READ_BYTES && chunk.first_time > behind.0 {
                page.last = (chunk.first_time, 0, 0);
                return Ok(page.finish(true));
            }
            read_bytes += chunk.events.len();
            pending.add(&chunk)?;
        }
        if complete {
            let more = pending.drain(&mut page, i64::MAX);
            return Ok(page.finish(more));
        }
    }
}

fn parse(token: &str) -> Result<Place, Error> {
    let mut numbers = token.split('/').map(str::parse::<i64>);
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(time)), Some(Ok(stream)), Some(Ok(number)), None) => Ok((time, stream, number)),
        _ => Err(Error::InvalidToken),
    }
}

/// The streams that are selected, as a JSON array; none for all.
async fn selected(
    database: &impl SqlDatabase,
    group: i64,
    selection: &StreamSelection,
) -> Result<Option<String>, Error> {
    let streams: Vec<i64> = match selection {
        StreamSelection::All => return Ok(None),
        StreamSelection::Prefix(prefix) => {
            let mut select = Statement::new(include_str!("../sql/streams_of_group.sql")).bind(group);
            select.push_prefix("name", prefix);
            let rows: Vec<(i64,)> = database.fetch_all(select).await?;
            rows.into_iter().map(|(id,)| id).collect()
        }
        StreamSelection::Names(names) => {
            let mut streams = Vec::new();
            for name in names {
                let stream: Option<(i64, i64)> = database.fetch_optional(select_stream(group, name)).await?;
                streams.push(stream.ok_or_else(|| Error::NoSuchLogStream(name.clone()))?.0);
            }
            streams
        }
    };
    Ok(Some(json(&streams)))
}

/// Chunks with events of a window, in the order of their first times.
struct Chunks {
    select: Statement,
    /// First time, stream, number of the first event.
    behind: Option<(i64, i64, i64)>,
    at_once: i64,
}

/// The columns of `chunks.sql`.
#[derive(sqlx::FromRow)]
struct Chunk {
    first_time: i64,
    stream: i64,
    first: i64,
    name: String,
    ingestion: i64,
    events: String,
}

impl Chunks {
    fn new<D: SqlDatabase>(group: i64, streams: Option<&str>, start: i64, end: i64) -> Self {
        let mut select = Statement::new(include_str!("../sql/chunks.sql"));
        match streams {
            None => select.push(" WHERE chunk.log_group = ").push_bind(group),
            Some(streams) => {
                // Within SQL, as the statement is always the same then.
                let elements = D::Connection::DIALECT.elements_of_json("$1");
                let numbers = format_args!("(SELECT cast(value AS bigint) FROM {elements})");
                select = select.bind(streams);
                select.push(" WHERE chunk.stream IN ").push(numbers)
            }
        };
        select.push(" AND chunk.last_time >= ").push_bind(start);
        // Within the longest span of a chunk: this is what is found by an index.
        select.push(" AND chunk.first_time >= ").push_bind(start.saturating_sub(MAX_CHUNK_SPAN));
        select.push(" AND chunk.first_time < ").push_bind(end);
        Self { select, behind: None, at_once: FIRST_CHUNKS }
    }

    /// The next ones, and whether these are the last.
    async fn next(&mut self, database: &impl SqlDatabase) -> Result<(Vec<Chunk>, bool), Error> {
        let mut select = self.select.clone();
        if let Some((first_time, stream, first)) = self.behind {
            select.push(" AND (chunk.first_time, chunk.stream, chunk.first) > (");
            select.push_bind(first_time).push(", ").push_bind(stream).push(", ").push_bind(first).push(")");
        }
        select.push(" ORDER BY chunk.first_time, chunk.stream, chunk.first LIMIT ").push_bind(self.at_once);
        let chunks: Vec<Chunk> = database.fetch_all(select).await?;
        let complete = (chunks.len() as i64) < self.at_once;
        self.behind = chunks.last().map(|last| (last.first_time, last.stream, last.first)).or(self.behind);
        self.at_once = more_chunks(self.at_once);
        Ok((chunks, complete))
    }
}

/// Events that were read and are not on the page yet.
struct Pending {
    behind: Place,
    start: i64,
    end: i64,
    predicate: Option<Predicate>,
    events: BinaryHeap<Reverse<(Place, Reading)>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    message: String,
    stream: String,
    ingestion: i64,
}

impl Pending {
    /// Takes what is wanted of a chunk.
    fn add(&mut self, chunk: &Chunk) -> Result<(), Error> {
        for (number, (timestamp, message)) in (chunk.first..).zip(chunk_events(&chunk.events)?) {
            let place = (timestamp, chunk.stream, number);
            let wanted = timestamp >= self.start && timestamp < self.end && place > self.behind;
            if wanted && self.predicate.as_ref().is_none_or(|predicate| predicate(&message)) {
                let reading = Reading { message, stream: chunk.name.clone(), ingestion: chunk.ingestion };
                self.events.push(Reverse((place, reading)));
            }
        }
        Ok(())
    }

    /// Moves events before a time to the page. True if the page is full before all of them are on it.
    fn drain(&mut self, page: &mut Page, before: i64) -> bool {
        while let Some(Reverse((place, reading))) = self.events.peek() {
            if place.0 >= before {
                break;
            }
            if !page.has_room(reading.message.len()) {
                return true;
            }
            let Some(Reverse((place, reading))) = self.events.pop() else { break };
            page.push(place, reading);
        }
        false
    }
}

struct Page {
    most: usize,
    bytes: usize,
    events: Vec<StoredEvent>,
    last: Place,
}

impl Page {
    fn has_room(&self, bytes: usize) -> bool {
        self.events.is_empty() || self.events.len() < self.most && self.bytes + bytes <= MAX_PAGE_BYTES
    }

    fn push(&mut self, place: Place, reading: Reading) {
        let (timestamp, stream, number) = place;
        self.bytes += reading.message.len();
        self.last = place;
        self.events.push(StoredEvent {
            id: event_id(stream, number),
            stream: reading.stream,
            timestamp,
            message: reading.message,
            ingestion: reading.ingestion,
        });
    }

    fn finish(self, more: bool) -> FilteredPage {
        let (time, stream, number) = self.last;
        FilteredPage { events: self.events, next: more.then(|| format!("{time}/{stream}/{number}")) }
    }
}
