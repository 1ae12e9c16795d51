//! Rows of objects.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Executor, Row as _, Sqlite};

use super::{ObjectInfo, Piece, Precondition, from_json, moment};
use crate::Error;
use crate::database::Database;
use crate::sql::json;

/// An object without its body.
pub(super) struct ObjectRow {
    pub(super) id: i64,
    pub(super) info: ObjectInfo,
    /// The wrapped data key of a body in the row.
    pub(super) data_key: Option<Vec<u8>>,
}

/// An object that is to be put.
pub(super) struct NewObject {
    pub(super) bucket: String,
    pub(super) info: ObjectInfo,
    pub(super) precondition: Precondition,
    /// The body, unless it is in files.
    pub(super) body: Option<Vec<u8>>,
    pub(super) data_key: Option<Vec<u8>>,
}

/// What a connection or the connections for reading can run statements on.
pub(super) trait Connection<'c>: Executor<'c, Database = Sqlite> {}
impl<'c, E: Executor<'c, Database = Sqlite>> Connection<'c> for E {}

pub(super) async fn bucket_id(connection: impl Connection<'_>, name: &str) -> Result<i64, Error> {
    let id = sqlx::query_scalar(include_str!("../sql/bucket_id.sql"))
        .bind(name.to_owned())
        .fetch_optional(connection)
        .await?;
    id.ok_or_else(|| Error::NoSuchBucket(name.to_owned()))
}

pub(super) async fn head(database: &Database, bucket: &str, key: &str) -> Result<Option<ObjectRow>, Error> {
    let row = fetch(database, include_str!("../sql/head.sql"), bucket, key).await?;
    row.map(|row| object_row(&row, key)).transpose()
}

/// An object, with its body if that is in the row.
pub(super) async fn get(
    database: &Database,
    bucket: &str,
    key: &str,
) -> Result<Option<(ObjectRow, Option<Vec<u8>>)>, Error> {
    let row = fetch(database, include_str!("../sql/get.sql"), bucket, key).await?;
    row.map(|row| Ok((object_row(&row, key)?, row.try_get(6)?))).transpose()
}

async fn fetch(database: &Database, sql: &'static str, bucket: &str, key: &str) -> Result<Option<SqliteRow>, Error> {
    let row = sqlx::query(sql)
        .bind(bucket.to_owned())
        .bind(key.as_bytes().to_vec())
        .fetch_optional(database.readers())
        .await?;
    if row.is_none() {
        bucket_id(database.readers(), bucket).await?;
    }
    Ok(row)
}

fn object_row(row: &SqliteRow, key: &str) -> Result<ObjectRow, Error> {
    let info = info(key.to_owned(), row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?)?;
    Ok(ObjectRow { id: row.try_get(0)?, info, data_key: row.try_get(5)? })
}

/// An object from its columns.
pub(super) fn info(key: String, size: i64, etag: String, modified: i64, attributes: &str) -> Result<ObjectInfo, Error> {
    let attributes = from_json(attributes, "the attributes of an object")?;
    Ok(ObjectInfo { key, size: size as u64, etag, modified: moment(modified)?, attributes })
}

/// The files of a body in their order; none if the object is gone.
pub(super) async fn pieces(database: &Database, object: i64) -> Result<Vec<Piece>, Error> {
    let rows: Vec<(String, i64, Option<Vec<u8>>)> =
        sqlx::query_as(include_str!("../sql/pieces.sql")).bind(object).fetch_all(database.readers()).await?;
    Ok(rows.into_iter().map(|(blob, size, data_key)| Piece { blob, size: size as u64, data_key }).collect())
}

pub(super) async fn object_exists(database: &Database, object: i64) -> Result<bool, Error> {
    let exists =
        sqlx::query_scalar(include_str!("../sql/object_exists.sql")).bind(object).fetch_one(database.readers()).await?;
    Ok(exists)
}

/// Puts an object whose body is in the row or in one file; gives the files that are no longer needed.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    mut object: NewObject,
    blob: Option<String>,
) -> Result<(ObjectInfo, Vec<String>), Error> {
    let piece_key = if blob.is_some() { object.data_key.take() } else { None };
    let (id, info, discarded) = replace(connection, object).await?;
    if let Some(blob) = blob {
        sqlx::query(include_str!("../sql/insert_piece.sql"))
            .bind(id)
            .bind(blob)
            .bind(info.size as i64)
            .bind(piece_key)
            .execute(connection)
            .await?;
    }
    Ok((info, discarded))
}

/// Puts the row of an object in place of the one with its key; gives the new row's id and the files that are no longer
/// needed.
pub(super) async fn replace(
    connection: &mut SqliteConnection,
    object: NewObject,
) -> Result<(i64, ObjectInfo, Vec<String>), Error> {
    let NewObject { bucket, info, precondition, body, data_key } = object;
    let bucket_id = bucket_id(&mut *connection, &bucket).await?;
    let key = info.key.as_bytes().to_vec();
    let current = current(connection, bucket_id, key.clone()).await?;
    match (&precondition, &current) {
        (Precondition::None, _) | (Precondition::Absent, None) => {}
        (Precondition::Etag(wanted), Some((_, etag))) if wanted == etag => {}
        (Precondition::Absent | Precondition::Etag(_), Some(_)) => return Err(Error::PreconditionFailed),
        (Precondition::Etag(_), None) => return Err(Error::NoSuchKey { bucket, key: info.key }),
    }
    let discarded = match current {
        Some((id, _)) => remove(connection, id).await?,
        None => Vec::new(),
    };
    let inserted = sqlx::query(include_str!("../sql/insert_object.sql"))
        .bind(bucket_id)
        .bind(key)
        .bind(info.size as i64)
        .bind(info.etag.clone())
        .bind(info.modified.as_millisecond())
        .bind(json(&info.attributes))
        .bind(data_key)
        .bind(body)
        .execute(connection)
        .await?;
    Ok((inserted.last_insert_rowid(), info, discarded))
}

async fn current(
    connection: &mut SqliteConnection,
    bucket: i64,
    key: Vec<u8>,
) -> Result<Option<(i64, String)>, sqlx::Error> {
    sqlx::query_as(include_str!("../sql/current_object.sql")).bind(bucket).bind(key).fetch_optional(connection).await
}

/// Removes an object; gives its files.
async fn remove(connection: &mut SqliteConnection, object: i64) -> Result<Vec<String>, sqlx::Error> {
    let in_files: bool =
        sqlx::query_scalar(include_str!("../sql/delete_object.sql")).bind(object).fetch_one(&mut *connection).await?;
    if !in_files {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(include_str!("../sql/delete_pieces.sql")).bind(object).fetch_all(connection).await
}

/// Deletes objects; tells which there were, and gives the files that are no longer needed.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    bucket: String,
    keys: Vec<String>,
) -> Result<(Vec<bool>, Vec<String>), Error> {
    let bucket = bucket_id(&mut *connection, &bucket).await?;
    let mut existed = Vec::with_capacity(keys.len());
    let mut discarded = Vec::new();
    for key in keys {
        let current = current(connection, bucket, key.into_bytes()).await?;
        existed.push(current.is_some());
        if let Some((id, _)) = current {
            discarded.append(&mut remove(connection, id).await?);
        }
    }
    Ok((existed, discarded))
}

/// Puts one file in place of an object's files, if the object is still there; gives the files that are no longer needed.
pub(super) async fn join_pieces(
    connection: &mut SqliteConnection,
    object: i64,
    blob: String,
) -> Result<(bool, Vec<String>), Error> {
    let taken: Option<SqliteRow> =
        sqlx::query(include_str!("../sql/take_object.sql")).bind(object).fetch_optional(&mut *connection).await?;
    let Some(taken) = taken else { return Ok((false, vec![blob])) };
    let size: i64 = taken.try_get(2)?;
    let inserted = sqlx::query(include_str!("../sql/insert_object.sql"))
        .bind(taken.try_get::<i64, _>(0)?)
        .bind(taken.try_get::<Vec<u8>, _>(1)?)
        .bind(size)
        .bind(taken.try_get::<String, _>(3)?)
        .bind(taken.try_get::<i64, _>(4)?)
        .bind(taken.try_get::<String, _>(5)?)
        .bind(None::<Vec<u8>>)
        .bind(None::<Vec<u8>>)
        .execute(&mut *connection)
        .await?;
    let discarded =
        sqlx::query_scalar(include_str!("../sql/delete_pieces.sql")).bind(object).fetch_all(&mut *connection).await?;
    sqlx::query(include_str!("../sql/insert_piece.sql"))
        .bind(inserted.last_insert_rowid())
        .bind(blob)
        .bind(size)
        .bind(None::<Vec<u8>>)
        .execute(connection)
        .await?;
    Ok((true, discarded))
}
