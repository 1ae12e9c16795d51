//! Changes of documents, each a compare-and-swap.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Change, CommitError, Document, Kind, document, metrics, statement};
use crate::Error;

pub(super) async fn apply(connection: &mut SqliteConnection, change: Change) -> Result<(), CommitError> {
    let (kind, key, changed) = match change {
        Change::Insert(document) => {
            let (kind, key) = (document.kind, document.key.clone());
            let sql = statement(include_str!("../sql/insert.sql"), kind);
            (kind, key, bind(sql, document).execute(connection).await?)
        }
        Change::Update(document) => {
            let (kind, key, version) = (document.kind, document.key.clone(), document.version);
            let sql = statement(include_str!("../sql/update.sql"), kind);
            (kind, key, bind(sql, document).bind(version).execute(connection).await?)
        }
        Change::Delete { kind, key, version } => {
            let sql = statement(include_str!("../sql/delete.sql"), kind);
            let deleted = sqlx::query(AssertSqlSafe(sql)).bind(key.clone()).bind(version).execute(connection).await?;
            (kind, key, deleted)
        }
        Change::PutMetrics(data) => {
            for datum in data {
                metrics::put(connection, datum).await?;
            }
            return Ok(());
        }
    };
    if changed.rows_affected() == 0 { Err(CommitError::Conflict { kind, key }) } else { Ok(()) }
}

/// Binds what `insert.sql` and `update.sql` have in common.
fn bind(
    sql: String,
    document: Document,
) -> sqlx::query::Query<'static, sqlx::Sqlite, <sqlx::Sqlite as sqlx::Database>::Arguments> {
    let columns = document.columns;
    sqlx::query(AssertSqlSafe(sql))
        .bind(document.key)
        .bind(columns.name)
        .bind(columns.status)
        .bind(columns.monitoring_type)
        .bind(columns.endpoint)
        .bind(columns.definition)
        .bind(columns.schedule)
        .bind(columns.created)
        .bind(columns.modified)
        .bind(columns.scheduled)
        .bind(columns.due)
        .bind(columns.claimed_by)
        .bind(columns.claimed_until)
        .bind(document.body)
}

pub(super) struct Claim {
    pub(super) kind: Kind,
    /// A JSON array.
    pub(super) statuses: String,
    pub(super) owner: String,
    pub(super) until: i64,
    pub(super) now: i64,
    pub(super) limit: i64,
}

pub(super) async fn claim(connection: &mut SqliteConnection, claim: Claim) -> Result<Vec<Document>, Error> {
    let sql = statement(include_str!("../sql/claim.sql"), claim.kind);
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(claim.statuses)
        .bind(claim.limit)
        .fetch_all(connection)
        .await?;
    let mut claimed: Vec<Document> = rows.iter().map(|row| document(claim.kind, row)).collect::<Result<_, _>>()?;
    // SQL promises no order of what it returns.
    claimed.sort_by(|left, right| (left.columns.due, &left.key).cmp(&(right.columns.due, &right.key)));
    Ok(claimed)
}
