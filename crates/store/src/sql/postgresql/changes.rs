//! What other processes have changed: one connection of each process listens, and what is committed is told right after.
//!
//! Not by the commits themselves: those that notify take place one after the other, an `fsync` each, where others share
//! one. So a process that dies in between tells nobody; whoever has to know for sure looks now and then as well.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{ACQUIRE_TIMEOUT, Lease, in_time};
use crate::Error;
use crate::metadata::Kind;

/// The channel. A notification is the process's id, a blank, and tables with commas between.
const CHANNEL: &str = "watchkeeper_changes";
/// After so long without a word the server is asked whether it is still there: a connection that was cut off says nothing.
const SILENCE: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Changes of others that nobody has asked for yet, and those of this process that the others have not been told yet.
pub(super) struct Changes {
    coming: Arc<Kinds>,
    going: Arc<Kinds>,
    tasks: [AbortHandle; 2],
}

/// Kinds that gather until somebody takes them.
#[derive(Default)]
struct Kinds {
    kinds: Mutex<BTreeSet<Kind>>,
    arrived: Notify,
}

impl Kinds {
    fn add(&self, kinds: impl IntoIterator<Item = Kind>) {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).extend(kinds);
        self.arrived.notify_one();
    }

    fn take(&self) -> Vec<Kind> {
        std::mem::take(&mut *self.kinds.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }

    /// Waits until there are some, and takes them.
    async fn wait(&self) -> Vec<Kind> {
        loop {
            let kinds = self.take();
            if !kinds.is_empty() {
                return kinds;
            }
            self.arrived.notified().await;
        }
    }
}

impl Changes {
    /// Listens from now on. What this process itself tells is left out.
    pub(super) async fn listen(options: PgConnectOptions, process: String, pool: PgPool) -> Result<Self, Error> {
        let listener = connect(&options).await?;
        let (coming, going) = (Arc::<Kinds>::default(), Arc::<Kinds>::default());
        let following = tokio::spawn(follow(listener, options, process, Arc::clone(&coming)));
        let telling = tokio::spawn(tell(pool, Arc::clone(&going)));
        Ok(Self { coming, going, tasks: [following.abort_handle(), telling.abort_handle()] })
    }

    /// Waits for changes; gives all kinds that have come together.
    pub(super) async fn wait(&self) -> Vec<Kind> {
        self.coming.wait().await
    }

    /// Tells the others, soon.
    pub(super) fn announce(&self, kinds: &[Kind]) {
        if !kinds.is_empty() {
            self.going.add(kinds.iter().copied());
        }
    }

    /// Tells the others what they have not been told yet.
    pub(super) async fn flush(&self, pool: &PgPool) {
        let kinds = self.going.take();
        if !kinds.is_empty()
            && let Err(error) = notify(pool, &kinds).await
        {
            tracing::debug!(%error, "the last changes could not be told");
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Tells the others what has gathered, again and again until it is told.
async fn tell(pool: PgPool, going: Arc<Kinds>) {
    loop {
        let kinds = going.wait().await;
        if let Err(error) = notify(&pool, &kinds).await {
            tracing::debug!(%error, "changes could not be told");
            going.add(kinds);
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
}

async fn notify(pool: &PgPool, kinds: &[Kind]) -> Result<(), sqlx::Error> {
    let mut lease = Lease::of(pool).await?;
    let notify = sqlx::query(include_str!("notify.sql")).bind(CHANNEL).bind(text_of(kinds));
    let notified = in_time(notify.execute(lease.connection())).await;
    lease.give_back_after(notified).map(drop)
}

/// The notification's text for these kinds.
fn text_of(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.table()).collect::<Vec<_>>().join(",")
}

/// The kinds of a notification, unless this process itself has sent it. A newer program may name tables that are not
/// known here.
fn kinds_of<'n>(notification: &'n str, process: &str) -> impl Iterator<Item = Kind> + use<'n> {
    let (sender, tables) = notification.split_once(' ').unwrap_or_default();
    let tables = if sender == process { "" } else { tables };
    tables.split(',').filter_map(|table| Kind::ALL.into_iter().find(|kind| kind.table() == table))
}

/// A connection of its own: a listener never gives it back.
async fn connect(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let connecting = async {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.max_lifetime(None).idle_timeout(None).connect_with(options.clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        // After a loss all is new: see `follow`.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, connecting).await;
    connected.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

async fn follow(mut listener: PgListener, options: PgConnectOptions, process: String, coming: Arc<Kinds>) {
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                let kinds: Vec<Kind> = kinds_of(notification.payload(), &process).collect();
                if !kinds.is_empty() {
                    coming.add(kinds);
                }
            }
            Err(_) if answers(&mut listener).await => {}
            Ok(Ok(None) | Err(_)) | Err(_) => {
                tracing::warn!("the connection that is told of changes was lost");
                listener = reconnect(&options).await;
                // Nobody knows what was missed.
                coming.add(Kind::ALL);
            }
        }
    }
}

async fn answers(listener: &mut PgListener) -> bool {
    let asked = sqlx::query("SELECT 1").execute(listener);
    matches!(tokio::time::timeout(ANSWER_TIMEOUT, asked).await, Ok(Ok(_)))
}

async fn reconnect(options: &PgConnectOptions) -> PgListener {
    loop {
        match connect(options).await {
            Ok(listener) => return listener,
            Err(error) => tracing::debug!(%error, "no connection that is told of changes"),
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_names_the_kinds_of_other_processes() {
        let kinds = [Kind::Execution, Kind::ProcessingJob];
        let notification = format!("one {},newer_table", text_of(&kinds));
        assert_eq!(notification, "one executions,processing_jobs,newer_table");
        assert_eq!(kinds_of(&notification, "two").collect::<Vec<_>>(), kinds);
        assert_eq!(kinds_of(&notification, "one").count(), 0);
        assert_eq!(kinds_of("one ", "two").count(), 0);
        assert_eq!(kinds_of("", "two").count(), 0);
    }
}
