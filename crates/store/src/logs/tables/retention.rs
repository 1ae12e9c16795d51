//! Events that are too old, and the streams that they leave empty.

use std::collections::BTreeMap;

use super::chunk_events;
use crate::Error;
use crate::sql::{Dialect, FromAnyRow, SqlConnection, SqlDatabase, Statement};

/// Chunks, or streams, that one step removes at most: others wait for its commit.
const MOST_REMOVED: i64 = 500;
/// Milliseconds.
const DAY: i64 = 86_400_000;

/// Looks for what is too old without keeping writers waiting, then removes it.
pub(super) async fn remove_expired<D: SqlDatabase>(
    database: &D,
    now: i64,
    default_days: Option<u32>,
) -> Result<u64, Error> {
    let dialect = D::Connection::DIALECT;
    let mut chunks: Vec<(i64, i64)> =
        expired(database, include_str!("../sql/expired_chunks.sql").to_owned(), now, default_days).await?;
    if !chunks.is_empty() {
        // Whoever else removes does so in the same order.
        chunks.sort_unstable();
        return database
            .write(move |connection| {
                let chunks = chunks.clone();
                Box::pin(async move { remove_chunks(connection, &chunks).await })
            })
            .await;
    }
    let mut streams: Vec<(i64,)> = expired(database, expired_streams(dialect), now, default_days).await?;
    if streams.is_empty() {
        return Ok(0);
    }
    streams.sort_unstable();
    database
        .write(move |connection| {
            let streams = streams.clone();
            Box::pin(async move { remove_streams(connection, &streams).await })
        })
        .await
}

async fn expired<T: FromAnyRow>(
    database: &impl SqlDatabase,
    sql: String,
    now: i64,
    default_days: Option<u32>,
) -> Result<Vec<T>, Error> {
    let select = Statement::new(sql).bind(now).bind(default_days.map(i64::from)).bind(DAY).bind(MOST_REMOVED);
    database.fetch_all(select).await
}

fn expired_streams(dialect: Dialect) -> String {
    include_str!("../sql/expired_streams.sql").replace("{last_event}", &dialect.or_minus_one("stream.last_event"))
}

async fn remove_chunks<C: SqlConnection>(connection: &mut C, chunks: &[(i64, i64)]) -> Result<u64, Error> {
    let mut removed = 0;
    let mut bytes_of_groups: BTreeMap<i64, i64> = BTreeMap::new();
    for (stream, first) in chunks {
        lock_stream(connection, *stream).await?;
        let delete = Statement::new(include_str!("../sql/delete_chunk.sql")).bind(*stream).bind(*first);
        let deleted: Option<(i64, String)> = connection.fetch_optional(delete).await?;
        // The group was deleted meanwhile.
        let Some((group, events)) = deleted else { continue };
        let events = chunk_events(&events)?;
        let bytes: usize = events.iter().map(|(_, message)| message.len()).sum();
        removed += events.len() as u64;
        *bytes_of_groups.entry(group).or_default() += bytes as i64;
        let shrink = Statement::new(include_str!("../sql/shrink_stream.sql")).bind(*stream).bind(bytes as i64);
        connection.execute(shrink).await?;
    }
    for (group, bytes) in bytes_of_groups {
        let shrink = Statement::new(include_str!("../sql/extend_group.sql")).bind(group).bind(-bytes);
        connection.execute(shrink).await?;
    }
    Ok(removed)
}

async fn remove_streams<C: SqlConnection>(connection: &mut C, streams: &[(i64,)]) -> Result<u64, Error> {
    let mut removed = 0;
    for (stream,) in streams {
        lock_stream(connection, *stream).await?;
        let delete = Statement::new(include_str!("../sql/delete_stream.sql")).bind(*stream);
        removed += connection.execute(delete).await?;
    }
    Ok(removed)
}

/// Whoever appends to the stream waits, or was waited for and is seen by what comes next.
async fn lock_stream<C: SqlConnection>(connection: &mut C, stream: i64) -> Result<(), Error> {
    let mut lock = Statement::new(include_str!("../sql/lock_stream.sql")).bind(stream);
    lock.push(C::DIALECT.for_update());
    let _: Option<(i64,)> = connection.fetch_optional(lock).await?;
    Ok(())
}
