//! Events of one stream, by their numbers.

use super::{FIRST_CHUNKS, MAX_PAGE_BYTES, MAX_PAGE_EVENTS, chunk_events, event_id, more_chunks, select_stream};
use crate::Error;
use crate::logs::{EventsPage, EventsQuery, StoredEvent};
use crate::sql::{SqlDatabase, Statement};

/// Where to read, and which way.
#[derive(Clone, Copy)]
enum Place {
    /// From this event on.
    Forward(i64),
    /// What is before this event, the latest of it.
    Backward(i64),
}

impl Place {
    fn includes(self, event: i64) -> bool {
        match self {
            Self::Forward(number) => event >= number,
            Self::Backward(number) => event < number,
        }
    }

    fn token(self) -> String {
        match self {
            Self::Forward(number) => format!("f/{number:020}"),
            Self::Backward(number) => format!("b/{number:020}"),
        }
    }

    fn parse(token: &str) -> Result<Self, Error> {
        let (way, number) = token.split_once('/').ok_or(Error::InvalidToken)?;
        let number = number.parse().ok().filter(|number| *number >= 0).ok_or(Error::InvalidToken)?;
        match way {
            "f" => Ok(Self::Forward(number)),
            "b" => Ok(Self::Backward(number)),
            _ => Err(Error::InvalidToken),
        }
    }
}

pub(super) async fn read(
    database: &impl SqlDatabase,
    group: i64,
    stream: &str,
    query: &EventsQuery,
) -> Result<EventsPage, Error> {
    let row: Option<(i64, i64)> = database.fetch_optional(select_stream(group, stream)).await?;
    let (id, next) = row.ok_or_else(|| Error::NoSuchLogStream(stream.to_owned()))?;
    let place = match &query.token {
        Some(token) => Place::parse(token)?,
        None if query.from_head => Place::Forward(0),
        None => Place::Backward(next),
    };
    let mut found = read_chunks(database, id, query, place).await?;
    if matches!(place, Place::Backward(_)) {
        found.reverse();
    }
    let (Place::Forward(number) | Place::Backward(number)) = place;
    let forward = Place::Forward(found.last().map_or(number, |last| last.number + 1));
    let backward = Place::Backward(found.first().map_or(number, |first| first.number));
    let event = |found: Found| StoredEvent {
        id: event_id(id, found.number),
        stream: stream.to_owned(),
        timestamp: found.timestamp,
        message: found.message,
        ingestion: found.ingestion,
    };
    Ok(EventsPage {
        events: found.into_iter().map(event).collect(),
        forward: forward.token(),
        backward: backward.token(),
    })
}

struct Found {
    number: i64,
    timestamp: i64,
    message: String,
    ingestion: i64,
}

/// The events of a page in the order in which they were read.
async fn read_chunks(
    database: &impl SqlDatabase,
    stream: i64,
    query: &EventsQuery,
    mut place: Place,
) -> Result<Vec<Found>, Error> {
    let most = if query.limit == 0 { MAX_PAGE_EVENTS } else { query.limit.min(MAX_PAGE_EVENTS) };
    let mut found = FoundEvents { most, bytes: 0, events: Vec::new() };
    let mut at_once = FIRST_CHUNKS;
    loop {
        let select = select_chunks(stream, query, place).bind(at_once);
        let chunks: Vec<(i64, i64, String)> = database.fetch_all(select).await?;
        let complete = (chunks.len() as i64) < at_once;
        at_once = more_chunks(at_once);
        for (first, ingestion, json) in chunks {
            let events = chunk_events(&json)?;
            let behind = first + events.len() as i64;
            let mut wanted: Vec<Found> = (first..)
                .zip(events)
                .filter(|(number, (timestamp, _))| place.includes(*number) && is_within(query, *timestamp))
                .map(|(number, (timestamp, message))| Found { number, timestamp, message, ingestion })
                .collect();
            if matches!(place, Place::Backward(_)) {
                wanted.reverse();
            }
            if !wanted.into_iter().all(|event| found.push(event)) {
                return Ok(found.events);
            }
            place = match place {
                Place::Forward(_) => Place::Forward(behind),
                Place::Backward(_) => Place::Backward(first),
            };
        }
        if complete {
            return Ok(found.events);
        }
    }
}

/// The next chunks that may have events of the window; it lacks how many.
fn select_chunks(stream: i64, query: &EventsQuery, place: Place) -> Statement {
    let (sql, number) = match place {
        Place::Forward(number) => (include_str!("../sql/chunks_forward.sql"), number),
        Place::Backward(number) => (include_str!("../sql/chunks_backward.sql"), number),
    };
    Statement::new(sql)
        .bind(stream)
        .bind(number)
        .bind(query.start.unwrap_or(i64::MIN))
        .bind(query.end.unwrap_or(i64::MAX))
}

fn is_within(query: &EventsQuery, timestamp: i64) -> bool {
    query.start.is_none_or(|start| timestamp >= start) && query.end.is_none_or(|end| timestamp < end)
}

/// What fits on a page.
struct FoundEvents {
    most: usize,
    bytes: usize,
    events: Vec<Found>,
}

impl FoundEvents {
    /// False if the page is full without the event.
    fn push(&mut self, event: Found) -> bool {
        self.bytes += event.message.len();
        if self.events.len() == self.most || self.bytes > MAX_PAGE_BYTES && !self.events.is_empty() {
            return false;
        }
        self.events.push(event);
        true
    }
}
