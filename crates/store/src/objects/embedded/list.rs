//! Listings.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{ListObjects, Listing, rows};
use crate::Error;
use crate::database::Database;

/// No key has this byte, as it is in no UTF-8 text: behind a prefix, it is above all keys that have the prefix, and
/// below all that are greater.
const ABOVE: u8 = 0xff;

pub(super) async fn list(database: &Database, list: &ListObjects) -> Result<Listing, Error> {
    let bucket = rows::bucket_id(database.readers(), &list.bucket).await?;
    if list.limit == 0 {
        return Ok(Listing::default());
    }
    let prefix = list.prefix.as_bytes();
    let end = [prefix, &[ABOVE]].concat();
    let delimiter = list.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let first = first_key(list, delimiter);
    // One more tells whether there are more.
    let limit = i64::try_from(list.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let rows = match delimiter {
        None => {
            sqlx::query(include_str!("../sql/list.sql"))
                .bind(bucket)
                .bind(first)
                .bind(end)
                .bind(limit)
                .fetch_all(database.readers())
                .await?
        }
        Some(delimiter) => {
            sqlx::query(include_str!("../sql/list_with_delimiter.sql"))
                .bind(bucket)
                .bind(first)
                .bind(end)
                .bind(limit)
                .bind(prefix.len() as i64)
                .bind(delimiter.as_bytes().to_vec())
                .fetch_all(database.readers())
                .await?
        }
    };
    page(&rows, list.limit, delimiter.is_some())
}

/// The smallest key whose entry is greater than `start_after`, whether there is such a key or not.
fn first_key(list: &ListObjects, delimiter: Option<&str>) -> Vec<u8> {
    let prefix = list.prefix.as_bytes();
    let Some(after) = &list.start_after else { return prefix.to_vec() };
    if let Some(rest) = after.strip_prefix(&list.prefix)
        && let Some(delimiter) = delimiter
        && let Some(at) = rest.find(delimiter)
    {
        // The common prefix of `start_after` is not greater than it, and stands for all keys that have it.
        let common_prefix = &after.as_bytes()[..prefix.len() + at + delimiter.len()];
        return [common_prefix, &[ABOVE]].concat();
    }
    let successor = [after.as_bytes(), &[0]].concat();
    successor.max(prefix.to_vec())
}

fn page(rows: &[SqliteRow], limit: usize, delimited: bool) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let more = rows.len() > limit;
    // With a delimiter there is a column for common prefixes behind the key.
    let size = if delimited { 2 } else { 1 };
    let mut last = None;
    for row in rows.iter().take(limit) {
        let common_prefix: Option<Vec<u8>> = if delimited { row.try_get(1)? } else { None };
        if let Some(common_prefix) = common_prefix {
            let common_prefix = text(common_prefix)?;
            last = Some(common_prefix.clone());
            listing.prefixes.push(common_prefix);
        } else {
            let key = text(row.try_get(0)?)?;
            last = Some(key.clone());
            let attributes: &str = row.try_get(size + 3)?;
            listing.objects.push(rows::info(
                key,
                row.try_get(size)?,
                row.try_get(size + 1)?,
                row.try_get(size + 2)?,
                attributes,
            )?);
        }
    }
    listing.next = if more { last } else { None };
    Ok(listing)
}

pub(super) fn text(key: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(key).map_err(|_| Error::Damaged("a key".into()))
}
