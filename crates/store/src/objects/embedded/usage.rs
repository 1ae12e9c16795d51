//! How many bytes objects and parts have together, and whether that is within the quota.

use sqlx::sqlite::SqliteConnection;

use crate::Error;
use crate::database::Database;
use crate::disk::Disk;

/// Bytes of everything but this object; 0 where nobody asks for a quota.
pub(super) async fn beside_object(database: &Database, disk: &Disk, bucket: &str, key: &str) -> Result<u64, Error> {
    if disk.quota() == 0 {
        return Ok(0);
    }
    let bytes: i64 = sqlx::query_scalar(include_str!("../sql/usage_beside_object.sql"))
        .bind(bucket.to_owned())
        .bind(key.as_bytes().to_vec())
        .fetch_one(database.readers())
        .await?;
    Ok(bytes as u64)
}

/// Bytes of everything but this part; 0 where nobody asks for a quota.
pub(super) async fn beside_part(database: &Database, disk: &Disk, upload: &str, number: u32) -> Result<u64, Error> {
    if disk.quota() == 0 {
        return Ok(0);
    }
    let bytes: i64 = sqlx::query_scalar(include_str!("../sql/usage_beside_part.sql"))
        .bind(upload.to_owned())
        .bind(number)
        .fetch_one(database.readers())
        .await?;
    Ok(bytes as u64)
}

/// Refuses a transaction that has left more than the quota.
pub(super) async fn check(connection: &mut SqliteConnection, disk: &Disk) -> Result<(), Error> {
    if disk.quota() == 0 {
        return Ok(());
    }
    let bytes: i64 = sqlx::query_scalar(include_str!("../sql/usage.sql")).fetch_one(connection).await?;
    disk.check_quota(bytes as u64)
}
