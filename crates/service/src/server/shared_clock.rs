//! The clock of processes that share a store: that of the database server.
//!
//! Claims on work run out at a moment, and ticks come at one, so that processes whose clocks differ would take each other's
//! work away. Each process asks the server what time it is, goes on from there by its own monotonic clock, and asks again
//! every few seconds. Setting a machine's clock changes nothing then. Decided against: a limit on how much clocks may differ,
//! which nobody keeps when time servers fail, and the server's clock in the statements alone, as ticks need it too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use watchkeeper_store::Error;
use watchkeeper_store::metadata::MetadataStore;

use crate::context::Clock;

/// The time between two questions.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// How wrong the clock may be before it is set: a moment that steps back has consequences, and nobody cares for less.
const TOLERANCE: SignedDuration = SignedDuration::from_millis(100);
/// An answer that took longer says too little.
const LONGEST_ANSWER: Duration = Duration::from_secs(2);
/// How much a machine's clock may differ before the log says so.
const NOTABLE: SignedDuration = SignedDuration::from_secs(2);

/// A moment of the server, and when it was that here.
struct Known {
    at: Instant,
    moment: Timestamp,
}

impl Known {
    fn now(&self) -> Timestamp {
        self.moment.saturating_add(self.at.elapsed()).unwrap_or(self.moment)
    }
}

/// A clock that goes by that of a store's server.
pub(super) struct SharedClock {
    store: Arc<dyn MetadataStore>,
    known: Mutex<Known>,
}

impl SharedClock {
    /// The clock of a store; None where its processes share none.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn of(store: &Arc<dyn MetadataStore>) -> Result<Option<Arc<Self>>, Error> {
        let Some((known, _)) = ask(store.as_ref()).await? else { return Ok(None) };
        let difference = Timestamp::now().duration_since(known.now());
        if difference.abs() > NOTABLE {
            tracing::warn!(
                seconds = difference.as_secs_f64(),
                "this machine's clock differs from that of the database server, which counts: set one of them right"
            );
        }
        Ok(Some(Arc::new(Self { store: Arc::clone(store), known: Mutex::new(known) })))
    }

    /// Keeps it right until the service stops. While the server does not answer it goes on by itself.
    pub(super) async fn keep_right(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(ASKED_EVERY) => {}
            }
            if let Ok(Some((known, took))) = ask(self.store.as_ref()).await
                && took <= LONGEST_ANSWER
            {
                self.set(known, took);
            }
        }
    }

    fn set(&self, asked: Known, took: Duration) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let difference = asked.now().duration_since(known.now());
        let uncertain = SignedDuration::try_from(took / 2).unwrap_or(TOLERANCE);
        if difference.abs() > TOLERANCE.saturating_add(uncertain) {
            tracing::info!(seconds = difference.as_secs_f64(), "the clock was set by that of the database server");
            *known = asked;
        }
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).now()
    }
}

/// What time it is at the server, as of the middle of the time that the answer took.
async fn ask(store: &dyn MetadataStore) -> Result<Option<(Known, Duration)>, Error> {
    let began = Instant::now();
    let Some(milliseconds) = store.now().await? else { return Ok(None) };
    let took = began.elapsed();
    let moment = Timestamp::from_millisecond(milliseconds)
        .map_err(|_| Error::Damaged("the database server's clock".to_owned()))?;
    Ok(Some((Known { at: began + took / 2, moment }, took)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn it_follows_what_is_more_than_a_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let store = watchkeeper_store::Store::open(folder.path()).await.unwrap().metadata;
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let known = |text: &str| Known { at: Instant::now(), moment: moment(text) };
        let clock = SharedClock { store, known: Mutex::new(known("2026-01-31T12:00:00Z")) };
        let start = moment("2026-01-31T12:00:00Z");
        let seconds = |clock: &SharedClock| clock.now().duration_since(start).as_millis().div_euclid(1000);
        assert_eq!(seconds(&clock), 0);
        clock.set(known("2026-01-31T12:00:00.050Z"), Duration::ZERO);
        clock.set(known("2026-01-31T12:01:00Z"), Duration::from_mins(5));
        assert_eq!(seconds(&clock), 0, "an answer that took minutes says less than the clock itself");
        clock.set(known("2026-01-31T12:01:00Z"), Duration::from_millis(3));
        assert_eq!(seconds(&clock), 60);
        clock.set(known("2026-01-31T11:00:00Z"), Duration::from_millis(3));
        assert_eq!(seconds(&clock), -3600);
    }
}
