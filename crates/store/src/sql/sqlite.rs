//! `SQLite` as one of the SQL databases.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{DatabaseFailure, Dialect, FromAnyRow, SqlConnection, SqlDatabase, Statement};
use crate::Error;
use crate::database::Database;
use crate::metadata::Kind;

#[async_trait::async_trait]
impl SqlConnection for SqliteConnection {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        Ok(statement.query::<Sqlite>().execute(self).await?.rows_affected())
    }

    async fn fetch_all<T: FromAnyRow>(&mut self, statement: Statement) -> Result<Vec<T>, sqlx::Error> {
        read(&statement.query::<Sqlite>().fetch_all(self).await?)
    }
}

#[async_trait::async_trait]
impl SqlDatabase for Database {
    type Connection = SqliteConnection;

    async fn fetch_all<T: FromAnyRow>(&self, statement: Statement) -> Result<Vec<T>, Error> {
        Ok(read(&statement.query::<Sqlite>().fetch_all(self.readers()).await?)?)
    }

    /// There are no other processes.
    async fn write_documents<T, E, F>(&self, _kinds: Arc<[Kind]>, work: F) -> Result<T, E>
    where
        F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: DatabaseFailure,
    {
        // The queue's own, not that of the trait.
        Self::write(self, work).await
    }

    /// One process has the file.
    async fn changed_elsewhere(&self) -> Vec<Kind> {
        std::future::pending().await
    }

    async fn now(&self) -> Result<Option<i64>, Error> {
        Ok(None)
    }
}

fn read<T: FromAnyRow>(rows: &[SqliteRow]) -> Result<Vec<T>, sqlx::Error> {
    rows.iter().map(T::from_row).collect()
}
