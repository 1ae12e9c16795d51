//! Documents and metrics in `SQLite`.

mod changes;
mod conditions;
mod metrics;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Change, Columns, CommitError, Datum, Document, Kind, MetadataStore, MetricFilter, MetricSeries, Query, SeriesQuery,
};
use crate::Error;
use crate::database::Database;

/// Documents and metrics in one `SQLite` file.
pub(crate) struct SqliteMetadata {
    database: Database,
}

impl SqliteMetadata {
    /// Over a database that only this process has open: claims that are left in it are of processes that are gone.
    pub(crate) async fn open(database: Database) -> Result<Self, Error> {
        database
            .write(move |connection| {
                Box::pin(async move {
                    for kind in Kind::ALL {
                        let sql = statement(include_str!("../sql/release_claims.sql"), kind);
                        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(Self { database })
    }
}

#[async_trait::async_trait]
impl MetadataStore for SqliteMetadata {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        let sql = statement(include_str!("../sql/select.sql"), kind) + " WHERE key = ?1";
        let row = sqlx::query(AssertSqlSafe(sql)).bind(key.to_owned()).fetch_optional(self.database.readers()).await?;
        row.map(|row| document(kind, &row)).transpose()
    }

    async fn list(&self, kind: Kind, query: &Query) -> Result<Vec<Document>, Error> {
        let mut sql = conditions::select(&statement(include_str!("../sql/select.sql"), kind), query)?;
        let rows = sql.build().fetch_all(self.database.readers()).await?;
        rows.iter().map(|row| document(kind, row)).collect()
    }

    async fn count(&self, kind: Kind, query: &Query) -> Result<u64, Error> {
        let mut sql = conditions::count(&statement(include_str!("../sql/count.sql"), kind), query);
        let count: i64 = sql.build_query_scalar().fetch_one(self.database.readers()).await?;
        Ok(count as u64)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        self.database
            .write(move |connection| {
                Box::pin(async move {
                    for change in changes {
                        changes::apply(connection, change).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn claim(
        &self,
        kind: Kind,
        statuses: &[&str],
        owner: &str,
        until: i64,
        now: i64,
        limit: usize,
    ) -> Result<Vec<Document>, Error> {
        let claim = changes::Claim {
            kind,
            statuses: json(&statuses),
            owner: owner.to_owned(),
            until,
            now,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        self.database.write(move |connection| Box::pin(changes::claim(connection, claim))).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, Error> {
        let sql = statement(include_str!("../sql/next_due.sql"), kind);
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(self.database.readers()).await?)
    }

    async fn list_metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
        metrics::list(&self.database, filter).await
    }

    async fn metric_data(&self, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
        metrics::data(&self.database, query).await
    }

    async fn remove_metrics_before(&self, _before: i64) -> Result<u64, Error> {
        Ok(0)
    }

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        std::future::pending().await
    }
}

/// A statement on a kind's table. The table's name is one of ours.
fn statement(template: &str, kind: Kind) -> String {
    template.trim_end().replace("{table}", kind.table())
}

/// SQL's `LIMIT`, in which a negative number is none.
fn sql_limit(limit: usize) -> i64 {
    if limit == 0 { -1 } else { i64::try_from(limit).unwrap_or(-1) }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts have a JSON form")
}

/// A document from the columns of `select.sql`.
fn document(kind: Kind, row: &SqliteRow) -> Result<Document, Error> {
    Ok(Document {
        kind,
        key: row.try_get(0)?,
        version: row.try_get(1)?,
        columns: Columns {
            name: row.try_get(2)?,
            status: row.try_get(3)?,
            monitoring_type: row.try_get(4)?,
            endpoint: row.try_get(5)?,
            definition: row.try_get(6)?,
            schedule: row.try_get(7)?,
            created: row.try_get(8)?,
            modified: row.try_get(9)?,
            scheduled: row.try_get(10)?,
            due: row.try_get(11)?,
            claimed_by: row.try_get(12)?,
            claimed_until: row.try_get(13)?,
        },
        body: row.try_get(14)?,
    })
}
