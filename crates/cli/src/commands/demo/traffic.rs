//! Requests that fall into one window of the schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::site::Site;

/// The distance of two checks. Short, so that nobody waits; long enough for what is sent in between.
pub(super) const PERIOD_SECONDS: i64 = 10;
/// What is left of a window that is worth sending in.
pub(super) const ROOM_TO_SEND: SignedDuration = SignedDuration::from_secs(6);
/// The same where the schedule has to be made first.
pub(super) const ROOM_TO_WATCH_AND_SEND: SignedDuration = SignedDuration::from_secs(8);
/// The end of a window, in which nothing is sent: a request belongs to the window that it comes in.
const ROOM_TO_END: SignedDuration = SignedDuration::from_secs(1);
/// Requests under way at the same time.
const CLIENTS: usize = 8;

/// The time between two checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Its end, the tick that checks it, in seconds since 1970.
    pub(super) tick: i64,
}

impl Window {
    /// The next window with room: this one, or the one after it.
    pub(super) fn with(room: SignedDuration) -> Self {
        let now = Timestamp::now();
        let tick = (now.as_second().div_euclid(PERIOD_SECONDS) + 1) * PERIOD_SECONDS;
        let has_room = moment(tick).duration_since(now) >= room;
        Self { tick: if has_room { tick } else { tick + PERIOD_SECONDS } }
    }

    /// Its first moment.
    pub(super) fn start(self) -> Timestamp {
        moment(self.tick - PERIOD_SECONDS)
    }

    /// The first moment after it.
    pub(super) fn end(self) -> Timestamp {
        moment(self.tick)
    }

    /// Returns once it has begun.
    pub(super) async fn begun(self) {
        let ahead = self.start().duration_since(Timestamp::now());
        tokio::time::sleep(Duration::try_from(ahead).unwrap_or_default()).await;
    }

    fn is_open(self) -> bool {
        self.end().duration_since(Timestamp::now()) > ROOM_TO_END
    }
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// Sends requests of a row each, as many of them as fit into the window, and says how many those were.
pub(super) async fn send(site: &Site, endpoint: &str, rows: &[String], window: Window) -> anyhow::Result<u64> {
    let rows: Arc<[String]> = rows.into();
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (site, endpoint, rows, next) = (site.clone(), endpoint.to_owned(), Arc::clone(&rows), Arc::clone(&next));
        clients.spawn(async move {
            let mut sent = 0;
            while window.is_open()
                && let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed))
            {
                site.invoke(&endpoint, row.clone()).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(client) = clients.join_next().await {
        sent += client??;
    }
    Ok(sent)
}
