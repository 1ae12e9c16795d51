//! Events of several streams in the order of their times.
//!
//! Chunks are taken in the order of their first times. Whatever is earlier than the first time of the next chunk is
//! complete, and goes out in order; what is later waits in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{MAX_CHUNK_SPAN, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, above, chunk_events, event_id};
use crate::Error;
use crate::database::Database;
use crate::logs::{FilterQuery, FilteredPage, Predicate, StoredEvent, StreamSelection};

/// Places of chunks that are looked up at once.
const LOOK_UP: i64 = 20_000;
/// Bytes of chunks that are read for one page: with a predicate that few events meet, a page may have none.
const MAX_READ_BYTES: usize = 16 << 20;

/// A place among events: time, stream, number. The next page begins behind it.
type Place = (i64, i64, i64);

pub(super) async fn read(database: &Database, group: i64, query: FilterQuery) -> Result<FilteredPage, Error> {
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

    let (chunks, complete) = chunk_places(database, group, streams.as_deref(), behind.0, end).await?;
    let mut read_bytes = 0;
    for (first_time, stream, first) in &chunks {
        if pending.drain(&mut page, *first_time) {
            return Ok(page.finish(true));
        }
        if read_bytes > MAX_READ_BYTES && *first_time > behind.0 {
            page.last = (*first_time, 0, 0);
            return Ok(page.finish(true));
        }
        read_bytes += pending.load(database, *stream, *first).await?;
    }
    match chunks.last() {
        Some((first_time, _, _)) if !complete => {
            if !pending.drain(&mut page, *first_time) {
                page.last = (*first_time, 0, 0);
            }
            Ok(page.finish(true))
        }
        _ => {
            let more = pending.drain(&mut page, i64::MAX);
            Ok(page.finish(more))
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
async fn selected(database: &Database, group: i64, selection: &StreamSelection) -> Result<Option<String>, Error> {
    let streams: Vec<i64> = match selection {
        StreamSelection::All => return Ok(None),
        StreamSelection::Prefix(prefix) => {
            sqlx::query_scalar(include_str!("../sql/streams_with_prefix.sql"))
                .bind(group)
                .bind(prefix.clone())
                .bind(above(prefix))
                .fetch_all(database.readers())
                .await?
        }
        StreamSelection::Names(names) => {
            let mut streams = Vec::new();
            for name in names {
                let stream: Option<(i64, i64)> = sqlx::query_as(include_str!("../sql/stream.sql"))
                    .bind(group)
                    .bind(name.clone())
                    .fetch_optional(database.readers())
                    .await?;
                streams.push(stream.ok_or_else(|| Error::NoSuchLogStream(name.clone()))?.0);
            }
            streams
        }
    };
    Ok(Some(serde_json::to_string(&streams).expect("numbers have a JSON form")))
}

/// Chunks with events from `start` on, in the order of their first times: first time, stream, number of the first event.
/// Tells whether these are all.
async fn chunk_places(
    database: &Database,
    group: i64,
    streams: Option<&str>,
    start: i64,
    end: i64,
) -> Result<(Vec<(i64, i64, i64)>, bool), Error> {
    let mut limit = LOOK_UP;
    loop {
        let query = match streams {
            None => sqlx::query_as(include_str!("../sql/group_chunks.sql")).bind(group),
            Some(streams) => sqlx::query_as(include_str!("../sql/stream_chunks.sql")).bind(streams.to_owned()),
        };
        let places: Vec<(i64, i64, i64)> = query
            .bind(start)
            .bind(start.saturating_sub(MAX_CHUNK_SPAN))
            .bind(end)
            .bind(limit)
            .fetch_all(database.readers())
            .await?;
        let complete = (places.len() as i64) < limit;
        // Without a later time among them the next page would begin where this one does.
        if complete || places.last().is_some_and(|(first_time, _, _)| *first_time > start) {
            return Ok((places, complete));
        }
        limit = limit.saturating_mul(4);
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
    /// Reads a chunk; gives its bytes.
    async fn load(&mut self, database: &Database, stream: i64, first: i64) -> Result<usize, Error> {
        let chunk: Option<(String, i64, String)> = sqlx::query_as(include_str!("../sql/chunk.sql"))
            .bind(stream)
            .bind(first)
            .fetch_optional(database.readers())
            .await?;
        // The group was deleted meanwhile.
        let Some((name, ingestion, json)) = chunk else { return Ok(0) };
        for (number, (timestamp, message)) in (first..).zip(chunk_events(&json)?) {
            let place = (timestamp, stream, number);
            let wanted = timestamp >= self.start && timestamp < self.end && place > self.behind;
            if wanted && self.predicate.as_ref().is_none_or(|predicate| predicate(&message)) {
                let reading = Reading { message, stream: name.clone(), ingestion };
                self.events.push(Reverse((place, reading)));
            }
        }
        Ok(json.len())
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
