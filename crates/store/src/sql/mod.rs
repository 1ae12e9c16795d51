//! What the SQL databases have in common, so that documents, metrics, logs and keys are written once for both.
//!
//! A [`Statement`] is SQL with its values; parameters are `$1`, `$2`, ..., which `SQLite` and `PostgreSQL` both know. Most
//! statements are the same in both. Where they cannot be, there are two files, `x.sqlite.sql` and `x.postgresql.sql`, and
//! [`Dialect::choose`] between them; what is smaller is a method of [`Dialect`].
//!
//! Decided against: `sqlx::Any` (it knows the types that all databases have, and no others), an ORM, a second set of
//! modules for the second database (whatever is mended in one has to be mended in the other).

mod dialect;
pub(crate) mod postgresql;
mod sqlite;
mod statement;

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

pub(crate) use dialect::Dialect;
pub(crate) use statement::{Statement, json, sql_limit};

use crate::Error;
use crate::metadata::{CommitError, Kind};

/// What a row of either database is read as: tuples and structures of texts, numbers and bytes.
pub(crate) trait FromAnyRow:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

impl<T> FromAnyRow for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static {}

/// A connection within a transaction.
#[async_trait::async_trait]
pub(crate) trait SqlConnection: Send + 'static {
    /// The database's own SQL.
    const DIALECT: Dialect;

    /// Runs a statement; gives how many rows it changed.
    async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error>;

    /// The rows of a statement.
    async fn fetch_all<T: FromAnyRow>(&mut self, statement: Statement) -> Result<Vec<T>, sqlx::Error>;

    /// The first row of a statement.
    async fn fetch_optional<T: FromAnyRow>(&mut self, statement: Statement) -> Result<Option<T>, sqlx::Error> {
        Ok(self.fetch_all(statement).await?.into_iter().next())
    }
}

/// A database.
#[async_trait::async_trait]
pub(crate) trait SqlDatabase: Clone + Send + Sync + 'static {
    /// What changes are made on.
    type Connection: SqlConnection;

    /// The rows of a statement that only reads.
    async fn fetch_all<T: FromAnyRow>(&self, statement: Statement) -> Result<Vec<T>, Error>;

    /// The first row of a statement that only reads.
    async fn fetch_optional<T: FromAnyRow>(&self, statement: Statement) -> Result<Option<T>, Error> {
        Ok(self.fetch_all(statement).await?.into_iter().next())
    }

    /// Runs a statement as a transaction of its own; gives how many rows it changed.
    async fn execute(&self, statement: Statement) -> Result<u64, Error> {
        self.write(move |connection| {
            let statement = statement.clone();
            Box::pin(async move { Ok(connection.execute(statement).await?) })
        })
        .await
    }

    /// Makes changes in one transaction and returns when they are durable. An error takes all of them back.
    ///
    /// The work may be run more than once, each time on the state of that moment: of what it did before, nothing is left.
    /// Once begun it takes place even if whoever waits for it goes away.
    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> Fn(&'c mut Self::Connection) -> BoxFuture<'c, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: DatabaseFailure,
    {
        self.write_documents(Arc::default(), work).await
    }

    /// The same; other processes are told that documents of these kinds have changed.
    async fn write_documents<T, E, F>(&self, kinds: Arc<[Kind]>, work: F) -> Result<T, E>
    where
        F: for<'c> Fn(&'c mut Self::Connection) -> BoxFuture<'c, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: DatabaseFailure;

    /// See [`crate::metadata::MetadataStore::changed_elsewhere`].
    async fn changed_elsewhere(&self) -> Vec<Kind>;

    /// See [`crate::metadata::MetadataStore::now`].
    async fn now(&self) -> Result<Option<i64>, Error>;
}

/// An error that may be one of the database.
pub(crate) trait DatabaseFailure: From<Error> + Send + 'static {
    /// The database's own error.
    fn database_error(&self) -> Option<&sqlx::Error>;
}

impl DatabaseFailure for Error {
    fn database_error(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl DatabaseFailure for CommitError {
    fn database_error(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Failed(error) => error.database_error(),
            Self::Conflict { .. } => None,
        }
    }
}
