//! Documents and metrics in the tables of a SQL database.

mod changes;
mod conditions;
mod metrics;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Change, Columns, CommitError, Datum, Document, Kind, MetadataStore, MetricFilter, MetricSeries, Query, SeriesQuery,
};
use crate::Error;
use crate::disk::Disk;
use crate::sql::{Dialect, SqlConnection, SqlDatabase, Statement};

/// Documents and metrics in one database.
pub(crate) struct TableMetadata<D> {
    database: D,
    /// The disk that the database is on, where that is ours.
    disk: Option<Arc<Disk>>,
}

impl<D: SqlDatabase> TableMetadata<D> {
    const DIALECT: Dialect = D::Connection::DIALECT;

    /// Where there is a disk, what only adds is refused while there is no room for it; what changes or removes something,
    /// and what the service itself has to note down, is not.
    pub(crate) fn new(database: D, disk: Option<Arc<Disk>>) -> Self {
        Self { database, disk }
    }

    /// Takes all claims back, in a database that only this process has: those that are left in it are of processes that
    /// are gone.
    pub(crate) async fn release_claims(&self) -> Result<(), Error> {
        self.database
            .write(|connection| {
                Box::pin(async move {
                    for kind in Kind::ALL {
                        connection.execute(statement(include_str!("../sql/release_claims.sql"), kind)).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }
}

#[async_trait::async_trait]
impl<D: SqlDatabase> MetadataStore for TableMetadata<D> {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        let mut select = statement(include_str!("../sql/select.sql"), kind);
        select.push(" WHERE key = ").push_bind(key);
        let row: Option<Row> = self.database.fetch_optional(select).await?;
        Ok(row.map(|row| row.document(kind)))
    }

    async fn list(&self, kind: Kind, query: &Query) -> Result<Vec<Document>, Error> {
        let select = statement(include_str!("../sql/select.sql"), kind);
        if kind == Kind::Execution
            && let Some([near, elsewhere]) = conditions::select_in_two(Self::DIALECT, &select, query)?
        {
            let mut rows: Vec<Row> = self.database.fetch_all(near).await?;
            rows.extend(self.database.fetch_all::<Row>(elsewhere).await?);
            rows.sort_by(|left, right| (left.columns.created, &left.key).cmp(&(right.columns.created, &right.key)));
            rows.dedup_by(|left, right| left.key == right.key);
            if query.descending {
                rows.reverse();
            }
            rows.truncate(query.limit);
            return Ok(documents(kind, rows));
        }
        let rows: Vec<Row> = self.database.fetch_all(conditions::select(Self::DIALECT, select, query)?).await?;
        Ok(documents(kind, rows))
    }

    async fn count(&self, kind: Kind, query: &Query) -> Result<u64, Error> {
        let count = statement(include_str!("../sql/count.sql"), kind);
        let row: Option<(i64,)> = self.database.fetch_optional(conditions::count(Self::DIALECT, count, query)).await?;
        Ok(row.map_or(0, |(count,)| count as u64))
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        if let Some(disk) = &self.disk
            && changes.iter().all(changes::only_adds)
        {
            disk.check(0)?;
        }
        let kinds: BTreeSet<Kind> = changes.iter().filter_map(changes::kind).collect();
        let changes: Arc<[Change]> = changes.into();
        self.database
            .write_documents(kinds.into_iter().collect(), move |connection| {
                let changes = Arc::clone(&changes);
                Box::pin(async move { changes::apply_all(connection, &changes).await })
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
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let claim = changes::claim(Self::DIALECT, kind, statuses, owner).bind(until).bind(now).bind(limit);
        let rows: Vec<Row> = self
            .database
            .write(move |connection| {
                let claim = claim.clone();
                Box::pin(async move { Ok::<_, Error>(connection.fetch_all(claim).await?) })
            })
            .await?;
        let mut claimed = documents(kind, rows);
        // SQL promises no order of what it returns.
        claimed.sort_by(|left, right| (left.columns.due, &left.key).cmp(&(right.columns.due, &right.key)));
        Ok(claimed)
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, Error> {
        let next_due = statement(include_str!("../sql/next_due.sql"), kind);
        let row: Option<(Option<i64>,)> = self.database.fetch_optional(next_due).await?;
        Ok(row.and_then(|(due,)| due))
    }

    async fn list_metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
        metrics::list(&self.database, filter).await
    }

    async fn metric_data(&self, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
        metrics::data(&self.database, query).await
    }

    async fn remove_metrics_before(&self, before: i64) -> Result<u64, Error> {
        metrics::remove_before(&self.database, before).await
    }

    async fn now(&self) -> Result<Option<i64>, Error> {
        self.database.now().await
    }

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        self.database.changed_elsewhere().await
    }
}

/// A statement on a kind's table. The table's name is one of ours.
fn statement(template: &str, kind: Kind) -> Statement {
    Statement::new(template.replace("{table}", kind.table()))
}

/// The columns of `select.sql`.
#[derive(sqlx::FromRow)]
struct Row {
    key: String,
    version: i64,
    #[sqlx(flatten)]
    columns: Columns,
    body: String,
}

impl Row {
    fn document(self, kind: Kind) -> Document {
        Document { kind, key: self.key, version: self.version, columns: self.columns, body: self.body }
    }
}

fn documents(kind: Kind, rows: Vec<Row>) -> Vec<Document> {
    rows.into_iter().map(|row| row.document(kind)).collect()
}
