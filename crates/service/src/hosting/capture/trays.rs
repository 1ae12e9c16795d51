//! Lines that requests have written themselves, until the writer's thread takes them.
//!
//! To hand a small exchange over costs a request more than to write its line: its parts, each in memory of its own, would be freed by
//! another thread, for whose locks on the memory the threads that answer then wait. So they write, each into a tray of its own, which
//! the writer's thread empties.
//!
//! That thread stands back: on a busy machine it may be stopped for tens of milliseconds while it empties a tray. A lane that waited for
//! it would stand still as long, with all its connections. So it has two trays, of which one at a time is emptied, and writes into the
//! other then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::line::LineMaker;
use super::lines::Lines;
use super::room::{Lane, Losses, Room};
use super::{Exchange, hour_of};
use crate::lanes;

/// Lines of a variant and an hour.
pub(super) struct Written {
    pub(super) lane: Arc<Lane>,
    pub(super) hour: i64,
    pub(super) lines: Lines,
}

/// Two trays for each lane that serves connections, and two for all other threads.
pub(super) struct Trays {
    /// The second is used while the first is emptied, which is done first: so a lane's lines stay in the order in which it wrote them.
    trays: Vec<[Mutex<Tray>; 2]>,
    /// Bytes with which a tray is full.
    full_bytes: usize,
}

#[derive(Default)]
struct Tray {
    written: Vec<Written>,
    maker: LineMaker,
    bytes: usize,
    is_closed: bool,
}

/// What has become of a tray by a line more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// It was empty.
    First,
    /// It was not.
    More,
    /// It is full now.
    Full,
    /// Nothing is taken any more.
    Closed,
}

impl Trays {
    pub(super) fn new(full_bytes: usize) -> Self {
        Self { trays: (0..lanes::places()).map(|_| Default::default()).collect(), full_bytes }
    }

    /// Writes the line of an exchange for which `cost` bytes are held into the tray of this thread.
    pub(super) fn write(&self, room: (&Room, &Losses), lane: &Arc<Lane>, exchange: &Exchange, cost: u64) -> Filled {
        let mut tray = free(&self.trays[lanes::place()]);
        let Tray { written, maker, bytes, is_closed } = &mut *tray;
        if *is_closed {
            return Filled::Closed;
        }
        let hour = hour_of(exchange.time);
        let known = written.iter().position(|it| it.hour == hour && Arc::ptr_eq(&it.lane, lane));
        let at = known.unwrap_or_else(|| {
            let lines = Lines::with_capacity(exchange.time, 0);
            written.push(Written { lane: Arc::clone(lane), hour, lines });
            written.len() - 1
        });
        let lines = &mut written[at].lines;
        if lines.records == 0 {
            lines.first = exchange.time;
        }
        let before = (*bytes, lines.bytes.len());
        lines.write(maker, room, lane, exchange, cost);
        *bytes += lines.bytes.len() - before.1;
        match before.0 {
            0 => Filled::First,
            before if before < self.full_bytes && *bytes >= self.full_bytes => Filled::Full,
            _ => Filled::More,
        }
    }

    /// Empties all trays.
    pub(super) fn take(&self, mut give: impl FnMut(Written)) {
        for tray in self.trays.as_flattened() {
            let mut tray = lock(tray);
            tray.bytes = 0;
            // Variants and hours of which nothing came since the last time are forgotten.
            tray.written.retain(|it| it.lines.records > 0);
            for it in &mut tray.written {
                // Hardly more than twice as much comes until the next time: a lane that had to make room for it could find the memory
                // that this thread takes from locked by it.
                let next = Lines::with_capacity(it.lines.first, 2 * it.lines.bytes.len());
                let lines = std::mem::replace(&mut it.lines, next);
                give(Written { lane: Arc::clone(&it.lane), hour: it.hour, lines });
            }
        }
    }

    /// Takes nothing more; what is there may be taken still.
    pub(super) fn close(&self) {
        for tray in self.trays.as_flattened() {
            lock(tray).is_closed = true;
        }
    }
}

/// A tray that nobody else holds; where both are held, as by other threads than lanes, the second once it is free.
fn free([first, second]: &[Mutex<Tray>; 2]) -> MutexGuard<'_, Tray> {
    match first.try_lock() {
        Ok(tray) => tray,
        Err(TryLockError::Poisoned(tray)) => tray.into_inner(),
        Err(TryLockError::WouldBlock) => lock(second),
    }
}

fn lock(tray: &Mutex<Tray>) -> MutexGuard<'_, Tray> {
    tray.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_tray_that_is_being_emptied() {
        let pair: [Mutex<Tray>; 2] = Default::default();
        let emptied = lock(&pair[0]);
        free(&pair).bytes = 1;
        drop(emptied);
        assert_eq!(pair.each_ref().map(|tray| lock(tray).bytes), [0, 1]);
        let emptied = lock(&pair[1]);
        free(&pair).bytes = 2;
        drop(emptied);
        assert_eq!(pair.each_ref().map(|tray| lock(tray).bytes), [2, 1]);
    }
}
