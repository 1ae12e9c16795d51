//! `PostgreSQL` as one of the SQL databases: a server that several processes share.
//!
//! Every call ends in bounded time, also where the network is cut without a word. A server that restarts is waited for a
//! while; calls then fail with [`Error::Database`], and work again as soon as the server does.
//!
//! Transactions read what is committed when each statement begins. What needs more locks its rows, or is a
//! compare-and-swap: an `UPDATE ... WHERE version = $1` waits for whoever changes the row, and finds another version
//! then. A deadlock, or a connection that is lost before the commit was sent, has changed nothing, and the work is run
//! again. A connection that is lost **while** a commit is under way leaves open whether it took place: that is an error,
//! and never tried again here. Callers that try again themselves read first, and find the new versions.
//!
//! A process that is cut off holds row locks for as long as the server keeps its transaction: the session's settings
//! bound that.

mod changes;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Connection as _, Postgres};
use uuid::Uuid;

use self::changes::Changes;
use super::{DatabaseFailure, Dialect, FromAnyRow, SqlConnection, SqlDatabase, Statement};
use crate::metadata::Kind;
use crate::{DatabaseSettings, Error};

/// How long a connection is waited for: longer than a server takes to restart.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one statement may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long work that failed for no fault of its own is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(10);
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The oldest server whose SQL this is (`MATERIALIZED`).
const OLDEST_VERSION: i64 = 120_000;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgresql");

/// A database of a server. Clones share its connections.
#[derive(Clone)]
pub(crate) struct PostgresDatabase {
    pool: PgPool,
    changes: Arc<Changes>,
}

impl PostgresDatabase {
    /// Connects, and brings the database to this program's version. Several processes may do so at once.
    pub(crate) async fn open(settings: &DatabaseSettings) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(&settings.url)
            .map_err(|error| Error::Unreachable { database: "of database.url".into(), source: Arc::new(error) })?
            .disable_statement_logging();
        let options = match options.get_application_name() {
            None => options.application_name("watchkeeper"),
            Some(_) => options,
        };
        // The server notices in half a minute that a client is gone without a word.
        let options = options.options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
        prepare(&options).await?;
        let process = Uuid::new_v4().to_string();
        let options = options.options([
            // Whose changes they are; see `notify.sql`.
            ("watchkeeper.process", process.as_str()),
            // The locks of a client that is cut off in the middle are free after so long, and nobody waits longer.
            ("idle_in_transaction_session_timeout", "5s"),
            ("lock_timeout", "5s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.clone());
        let changes = Changes::listen(options, process, pool.clone()).await?;
        Ok(Self { pool, changes: Arc::new(changes) })
    }

    /// Closes the connections when those who have one are ready.
    pub(crate) async fn close(&self) {
        self.changes.flush(&self.pool).await;
        self.pool.close().await;
    }

    async fn read_once(&self, statement: Statement) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut lease = Lease::of(&self.pool).await?;
        let rows = in_time(query(statement).fetch_all(lease.connection())).await;
        lease.give_back_after(rows)
    }

    /// Makes changes once.
    async fn write_once<T, E, F>(&self, work: &F) -> Result<T, Failure<E>>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, E>>,
        E: DatabaseFailure,
    {
        let mut lease = Lease::of(&self.pool).await.map_err(Failure::before_commit)?;
        let connection = lease.connection();
        in_time(sqlx::query("BEGIN").execute(&mut *connection)).await.map_err(Failure::before_commit)?;
        match work(&mut *connection).await {
            Ok(value) => {
                let committed = in_time(sqlx::query("COMMIT").execute(connection)).await;
                lease.give_back_after(committed).map_err(Failure::of_commit)?;
                Ok(value)
            }
            Err(error) => {
                let rolled_back = in_time(sqlx::query("ROLLBACK").execute(connection)).await;
                // Where that fails, the connection goes, and the transaction with it.
                let _ = lease.give_back_after(rolled_back);
                let is_transient = error.database_error().is_some_and(is_transient);
                Err(Failure { error, aftermath: Aftermath::of(is_transient) })
            }
        }
    }
}

#[async_trait::async_trait]
impl SqlDatabase for PostgresDatabase {
    type Connection = PgConnection;

    async fn fetch_all<T: FromAnyRow>(&self, statement: Statement) -> Result<Vec<T>, Error> {
        let mut retry = Retry::new();
        loop {
            match self.read_once(statement.clone()).await {
                Ok(rows) => return Ok(read(&rows)?),
                Err(error) if is_transient(&error) && retry.pause().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn write_documents<T, E, F>(&self, kinds: Arc<[Kind]>, work: F) -> Result<T, E>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: DatabaseFailure,
    {
        let this = self.clone();
        // A task of its own goes on when the caller goes away.
        let writing = tokio::spawn(async move {
            let mut retry = Retry::new();
            loop {
                let failure = match this.write_once(&work).await {
                    Ok(value) => {
                        this.changes.announce(&kinds);
                        return Ok(value);
                    }
                    Err(failure) => failure,
                };
                match failure.aftermath {
                    Aftermath::MayRepeat if retry.pause().await => continue,
                    Aftermath::MayRepeat | Aftermath::Unchanged => {}
                    Aftermath::Unknown => this.changes.announce(&kinds),
                }
                return Err(failure.error);
            }
        });
        writing.await.map_err(Error::from)?
    }

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        self.changes.wait().await
    }

    async fn now(&self) -> Result<Option<i64>, Error> {
        let row: Option<(i64,)> = self.fetch_optional(Statement::new(include_str!("now.sql"))).await?;
        Ok(row.map(|(now,)| now))
    }
}

#[async_trait::async_trait]
impl SqlConnection for PgConnection {
    const DIALECT: Dialect = Dialect::Postgresql;

    async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        Ok(in_time(query(statement).execute(self)).await?.rows_affected())
    }

    async fn fetch_all<T: FromAnyRow>(&mut self, statement: Statement) -> Result<Vec<T>, sqlx::Error> {
        read(&in_time(query(statement).fetch_all(self)).await?)
    }
}

/// What sqlx runs. No text of `PostgreSQL` holds a NUL: what is looked for by one is not there, and of what is stored by
/// one it is better to keep the rest than to fail for ever. Texts within JSON, bodies and log events among them, are exact.
fn query(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    statement.without_nul().query()
}

/// Checks the server, and brings the database to this program's version; sqlx does so under an advisory lock.
async fn prepare(options: &PgConnectOptions) -> Result<(), Error> {
    let name = database_name(options);
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, options.connect()).await;
    let mut connection = connected
        .map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
        .flatten()
        .map_err(|error| Error::Unreachable { database: name.clone(), source: Arc::new(error) })?;
    let (version, encoding): (i64, String) =
        sqlx::query_as(include_str!("server.sql")).fetch_one(&mut connection).await?;
    let unfit = |problem: String| Error::Migration { database: name.clone(), problem };
    if version < OLDEST_VERSION {
        return Err(unfit(format!("the server is PostgreSQL {}; 12 or later is needed", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(unfit(format!("its encoding is {encoding}, not UTF8")));
    }
    MIGRATIONS.run(&mut connection).await.map_err(|error| unfit(error.to_string()))?;
    connection.close().await?;
    Ok(())
}

/// The database as messages name it: without the password.
fn database_name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} of the PostgreSQL server at {}", socket.display()),
        None => format!("{database} of the PostgreSQL server at {}:{}", options.get_host(), options.get_port()),
    }
}

/// A connection that goes back to the pool only when it is known to be well: not when a call was given up in the middle,
/// nor with a transaction that is open. The server ends what a closed connection had begun.
struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    async fn of(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self(Some(pool.acquire().await?)))
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("a lease has its connection until it ends")
    }

    /// Ends the lease after the last answer of the server.
    fn give_back_after<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if matches!(result, Ok(_) | Err(sqlx::Error::Database(_))) {
            drop(self.0.take());
        }
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// Work that failed.
struct Failure<E> {
    error: E,
    aftermath: Aftermath,
}

/// What a failure has left.
enum Aftermath {
    /// Nothing, and it is likely that the same succeeds another time.
    MayRepeat,
    /// Nothing.
    Unchanged,
    /// Everything or nothing.
    Unknown,
}

impl Aftermath {
    const fn of(is_transient: bool) -> Self {
        if is_transient { Self::MayRepeat } else { Self::Unchanged }
    }
}

impl<E: DatabaseFailure> Failure<E> {
    fn before_commit(error: sqlx::Error) -> Self {
        Self { aftermath: Aftermath::of(is_transient(&error)), error: Error::from(error).into() }
    }

    fn of_commit(error: sqlx::Error) -> Self {
        let aftermath = if was_rolled_back(&error) { Aftermath::MayRepeat } else { Aftermath::Unknown };
        Self { aftermath, error: Error::from(error).into() }
    }
}

/// Pauses between attempts, ever longer, within a bounded period.
struct Retry {
    until: Instant,
    pause: Duration,
}

impl Retry {
    fn new() -> Self {
        Self { until: Instant::now() + RETRY_PERIOD, pause: FIRST_RETRY_PAUSE }
    }

    /// Waits; false if it is too late for another attempt.
    async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_RETRY_PAUSE);
        true
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, answer).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the server says that it has taken everything back, to let others go on.
fn was_rolled_back(error: &sqlx::Error) -> bool {
    // serialization_failure, deadlock_detected
    matches!(error, sqlx::Error::Database(error) if matches!(error.code().as_deref(), Some("40001" | "40P01")))
}

/// Whether the same may succeed another time: it stood in the way of others, or the connection or the server went away.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::TimedOut,
        sqlx::Error::Database(database_error) => {
            let code = database_error.code().unwrap_or_default();
            // Connection exceptions; idle_in_transaction_session_timeout, lock_not_available; admin_shutdown,
            // crash_shutdown, cannot_connect_now.
            was_rolled_back(error)
                || code.starts_with("08")
                || matches!(&*code, "25P03" | "55P03" | "57P01" | "57P02" | "57P03")
        }
        _ => false,
    }
}

fn read<T: FromAnyRow>(rows: &[PgRow]) -> Result<Vec<T>, sqlx::Error> {
    rows.iter().map(T::from_row).collect()
}
