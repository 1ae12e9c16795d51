//! Events of one stream, by their numbers.

use futures::TryStreamExt as _;

use super::{MAX_PAGE_BYTES, MAX_PAGE_EVENTS, chunk_events, event_id};
use crate::Error;
use crate::database::Database;
use crate::logs::{EventsPage, EventsQuery, StoredEvent};

/// Where to read, and which way.
#[derive(Clone, Copy)]
enum Place {
    /// From this event on.
    Forward(i64),
    /// What is before this event, the latest of it.
    Backward(i64),
}

impl Place {
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
    database: &Database,
    group: i64,
    stream: &str,
    query: &EventsQuery,
) -> Result<EventsPage, Error> {
    let row: Option<(i64, i64)> = sqlx::query_as(include_str!("../sql/stream.sql"))
        .bind(group)
        .bind(stream.to_owned())
        .fetch_optional(database.readers())
        .await?;
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
async fn read_chunks(database: &Database, stream: i64, query: &EventsQuery, place: Place) -> Result<Vec<Found>, Error> {
    let (sql, number) = match place {
        Place::Forward(number) => (include_str!("../sql/chunks_forward.sql"), number),
        Place::Backward(number) => (include_str!("../sql/chunks_backward.sql"), number),
    };
    let (start, end) = (query.start.unwrap_or(i64::MIN), query.end.unwrap_or(i64::MAX));
    let most = if query.limit == 0 { MAX_PAGE_EVENTS } else { query.limit.min(MAX_PAGE_EVENTS) };
    let mut chunks = sqlx::query_as::<_, (i64, i64, String)>(sql)
        .bind(stream)
        .bind(number)
        .bind(start)
        .bind(end)
        .fetch(database.readers());
    let mut found: Vec<Found> = Vec::new();
    let mut bytes = 0;
    while let Some((first, ingestion, json)) = chunks.try_next().await? {
        let mut events: Vec<(i64, (i64, String))> = (first..).zip(chunk_events(&json)?).collect();
        if matches!(place, Place::Backward(_)) {
            events.reverse();
        }
        for (event, (timestamp, message)) in events {
            let wanted = match place {
                Place::Forward(number) => event >= number,
                Place::Backward(number) => event < number,
            };
            if !wanted || timestamp < start || timestamp >= end {
                continue;
            }
            bytes += message.len();
            if found.len() == most || bytes > MAX_PAGE_BYTES && !found.is_empty() {
                return Ok(found);
            }
            found.push(Found { number: event, timestamp, message, ingestion });
        }
    }
    Ok(found)
}
