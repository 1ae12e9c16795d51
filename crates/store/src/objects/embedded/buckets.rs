//! Rows of buckets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::{Bucket, from_json, moment, rows};
use crate::Error;
use crate::database::Database;
use crate::objects::MAX_BUCKETS;
use crate::sql::json;

pub(super) async fn create(database: &Database, name: &str, region: &str, now: Timestamp) -> Result<(), Error> {
    let (name, region) = (name.to_owned(), region.to_owned());
    database
        .write(move |connection| {
            Box::pin(async move {
                let inserted = sqlx::query(include_str!("../sql/insert_bucket.sql"))
                    .bind(name.clone())
                    .bind(region)
                    .bind(now.as_millisecond())
                    .execute(&mut *connection)
                    .await?;
                if inserted.rows_affected() == 0 {
                    return Err(Error::BucketExists(name));
                }
                let count: i64 =
                    sqlx::query_scalar(include_str!("../sql/count_buckets.sql")).fetch_one(connection).await?;
                if count as u64 > MAX_BUCKETS { Err(Error::TooManyBuckets(MAX_BUCKETS)) } else { Ok(()) }
            })
        })
        .await
}

/// The bucket of this name, or all.
pub(super) async fn read(database: &Database, name: Option<&str>) -> Result<Vec<Bucket>, Error> {
    let rows: Vec<(String, String, i64, String)> = sqlx::query_as(include_str!("../sql/buckets.sql"))
        .bind(name.map(str::to_owned))
        .fetch_all(database.readers())
        .await?;
    rows.into_iter().map(bucket).collect()
}

fn bucket((name, region, created, settings): (String, String, i64, String)) -> Result<Bucket, Error> {
    let settings = from_json(&settings, "the settings of a bucket")?;
    Ok(Bucket { name, region, created: moment(created)?, settings })
}

pub(super) async fn set_setting(
    database: &Database,
    name: &str,
    setting: &str,
    value: Option<String>,
) -> Result<(), Error> {
    let (name, setting) = (name.to_owned(), setting.to_owned());
    database
        .write(move |connection| {
            Box::pin(async move {
                let row: Option<(String, String, i64, String)> = sqlx::query_as(include_str!("../sql/buckets.sql"))
                    .bind(Some(name.clone()))
                    .fetch_optional(&mut *connection)
                    .await?;
                let row = row.ok_or_else(|| Error::NoSuchBucket(name.clone()))?;
                let mut settings: BTreeMap<String, String> = bucket(row)?.settings;
                match value {
                    Some(value) => settings.insert(setting, value),
                    None => settings.remove(&setting),
                };
                sqlx::query(include_str!("../sql/set_bucket_settings.sql"))
                    .bind(name)
                    .bind(json(&settings))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Deletes a bucket; gives the files of parts that are no longer needed.
pub(super) async fn delete(connection: &mut SqliteConnection, name: String) -> Result<((), Vec<String>), Error> {
    let bucket = rows::bucket_id(&mut *connection, &name).await?;
    let has_objects: bool = sqlx::query_scalar(include_str!("../sql/bucket_has_objects.sql"))
        .bind(bucket)
        .fetch_one(&mut *connection)
        .await?;
    if has_objects {
        return Err(Error::BucketNotEmpty(name));
    }
    let discarded = sqlx::query_scalar(include_str!("../sql/delete_bucket_parts.sql"))
        .bind(bucket)
        .fetch_all(&mut *connection)
        .await?;
    for sql in [include_str!("../sql/delete_bucket_uploads.sql"), include_str!("../sql/delete_bucket.sql")] {
        sqlx::query(sql).bind(bucket).execute(&mut *connection).await?;
    }
    Ok(((), discarded))
}
