//! One `SQLite` file: one connection that writes, and some that read.
//!
//! `SQLite` has one writer at a time, and a durable commit costs an `fsync`. So writes stand in a queue, and whatever waits
//! there is committed together: each one's changes are within a savepoint of their own, so that one that fails takes back
//! only its own. Nobody is told of success before the common commit.
//!
//! A write that stands in the queue takes place even if whoever waits for it goes away.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::data_directory::{DataDirectory, private_file};

/// The most writes of one commit: a bound on how long the first waits for the last.
const MAX_GROUP: usize = 256;
/// The most writes that stand in the queue; further ones wait before it.
const QUEUE_LENGTH: usize = 1024;
const READERS: u32 = 4;

/// A database with its queue of writes. Clones share it.
#[derive(Clone)]
pub(crate) struct Database {
    readers: SqlitePool,
    queue: mpsc::Sender<Message>,
    /// Locked for as long as anything of the database is used.
    _directory: Arc<DataDirectory>,
}

enum Message {
    Write(Box<dyn Write>),
    /// The writes before this are the last ones.
    Close(oneshot::Sender<()>),
}

/// A write in the queue.
trait Write: Send {
    /// Makes the changes; false if they are to be taken back.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// Tells who waits, now that the changes are durable, or that they are not.
    fn reply(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>);
}

struct Waiting<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write for Waiting<F, T, E>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let work = self.work.take().expect("a write runs once");
            let result = work(connection).await;
            let succeeded = result.is_ok();
            self.result = Some(result);
            succeeded
        })
    }

    fn reply(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>) {
        let result = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(Error::Database(error).into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // Who waited may be gone.
        let _ = self.reply.send(result);
    }
}

impl Database {
    /// Opens the file, makes it where there is none, and brings it to this program's version.
    pub(crate) async fn open(
        directory: &Arc<DataDirectory>,
        name: &str,
        migrations: &'static Migrator,
        synchronous: SqliteSynchronous,
    ) -> Result<Self, Error> {
        let path = directory.file(name);
        // SQLite gives its other files the permissions of this one.
        private_file().open(&path).map_err(Error::file("create", &path))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
            // A burst of writes leaves no large file for good.
            .pragma("journal_size_limit", "67108864")
            // What a deleted key was wrapped in is gone with it; pages that become free are left as they are.
            .pragma("secure_delete", "fast")
            .disable_statement_logging();
        let mut writer = options.connect().await?;
        migrations.run(&mut writer).await.map_err(|error| {
            let database = path.display().to_string();
            Error::Migration { database, problem: error.to_string() }
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        let (queue, waiting) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(write_in_groups(writer, waiting, Arc::clone(directory)));
        Ok(Self { readers, queue, _directory: Arc::clone(directory) })
    }

    /// The connections for reading.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Makes changes and returns when they are durable. An error takes all of them back.
    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let write = Waiting { work: Some(work), result: None, reply };
        self.queue.send(Message::Write(Box::new(write))).await.map_err(|_| Error::Closed)?;
        replied.await.map_err(|_| Error::Closed)?
    }

    /// Waits for the writes that stand in the queue, and closes the connections.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        // Where the queue is gone, or goes now, it is closed.
        if self.queue.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// Holds the directory until the connection is closed.
async fn write_in_groups(
    mut connection: SqliteConnection,
    mut waiting: mpsc::Receiver<Message>,
    directory: Arc<DataDirectory>,
) {
    let mut closed = None;
    while closed.is_none()
        && let Some(message) = waiting.recv().await
    {
        match message {
            Message::Write(first) => closed = commit_group(&mut connection, first, &mut waiting).await,
            Message::Close(done) => closed = Some(done),
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database could not be closed");
    }
    drop(directory);
    if let Some(closed) = closed {
        // Who waited may be gone.
        let _ = closed.send(());
    }
}

/// Commits the first write together with whatever waits, and replies to all; gives the end of the queue if that was met.
async fn commit_group(
    connection: &mut SqliteConnection,
    first: Box<dyn Write>,
    waiting: &mut mpsc::Receiver<Message>,
) -> Option<oneshot::Sender<()>> {
    let mut group = vec![first];
    let mut closed = None;
    let outcome = match run_group(connection, &mut group, waiting, &mut closed).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // Where SQLite has rolled back already, this fails, and that is all right.
            let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
            tracing::error!(%error, "a commit failed");
            Err(Arc::new(error))
        }
    };
    for write in group {
        write.reply(outcome.clone());
    }
    closed
}

async fn run_group(
    connection: &mut SqliteConnection,
    group: &mut Vec<Box<dyn Write>>,
    waiting: &mut mpsc::Receiver<Message>,
    closed: &mut Option<oneshot::Sender<()>>,
) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    loop {
        let write = group.last_mut().expect("a group has its first write");
        sqlx::query("SAVEPOINT waiter").execute(&mut *connection).await?;
        if !write.run(connection).await {
            sqlx::query("ROLLBACK TO waiter").execute(&mut *connection).await?;
        }
        sqlx::query("RELEASE waiter").execute(&mut *connection).await?;
        if group.len() == MAX_GROUP {
            break;
        }
        match waiting.try_recv() {
            Ok(Message::Write(next)) => group.push(next),
            Ok(Message::Close(done)) => {
                *closed = Some(done);
                break;
            }
            Err(_) => break,
        }
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}
