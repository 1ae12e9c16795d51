//! What requests hand to the writer's thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::outbox::Progress;
use super::room::{Lane, Losses, Room};
use super::trays::{Filled, Trays, Written};
use super::{Exchange, Ticket};

/// For how long the thread lets records gather in the fast mode: it is woken two hundred times a second at most.
pub(super) const GATHERING: Duration = Duration::from_millis(5);

/// The most bytes of lines that a thread lets gather.
const TRAY_BYTES: usize = 256 << 10;

/// A record on its way to a line.
pub(super) struct Record {
    pub(super) lane: Arc<Lane>,
    pub(super) exchange: Exchange,
    /// Bytes of memory that are held for it.
    pub(super) cost: u64,
    /// In the durable mode, what its answer waits for.
    pub(super) ticket: Option<Ticket>,
}

/// What is on its way to the store, each with its failures so far.
pub(super) type UnderWay = Vec<(watch::Receiver<Progress>, u32)>;

/// Something for the thread.
pub(super) enum Entry {
    Record(Record),
    /// Lines that requests have written.
    Lines(Written),
    /// Send what was recorded on its way.
    Seal {
        what: Sealed,
        reply: oneshot::Sender<UnderWay>,
    },
}

/// Of what is sent on its way all that was recorded so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    Endpoint(String),
    All,
    /// Of all, and nothing more is taken.
    Last,
}

impl Sealed {
    /// The endpoint, where it is one.
    pub(super) fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Endpoint(name) => Some(name),
            Self::All | Self::Last => None,
        }
    }
}

/// What waits for the thread.
#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    bytes: u64,
    /// Whether it must not let more gather.
    is_urgent: bool,
    /// Whether there is something else to look at: lines in a tray, or an object that has been stored.
    is_nudged: bool,
    is_closed: bool,
}

/// Why the thread was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There is something to do, or the time has come.
    ToWork,
    /// Nothing comes any more.
    ToEnd,
}

/// The way from requests to the thread. A request pays a lock that nobody holds longer than it takes to add or swap.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    trays: Trays,
    gathering: Duration,
    /// Bytes at which no more are let gather.
    urgent_bytes: u64,
}

impl Queue {
    pub(super) fn new(gathering: Duration, urgent_bytes: u64) -> Self {
        let trays = Trays::new(TRAY_BYTES.min(urgent_bytes as usize));
        Self { state: Mutex::default(), changed: Condvar::new(), trays, gathering, urgent_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry; false where nothing is taken any more.
    pub(super) fn push(&self, entry: Entry, bytes: u64) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        let was_empty = state.entries.is_empty();
        let was_urgent = state.is_urgent;
        state.bytes += bytes;
        state.is_urgent |= matches!(entry, Entry::Seal { .. }) || state.bytes >= self.urgent_bytes;
        state.entries.push(entry);
        let wakes = was_empty || state.is_urgent && !was_urgent;
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        true
    }

    /// Writes the line of an exchange, for which `cost` bytes are held, on this thread; false where nothing is taken any more.
    pub(super) fn write(&self, room: (&Room, &Losses), lane: &Arc<Lane>, exchange: &Exchange, cost: u64) -> bool {
        let filled = self.trays.write(room, lane, exchange, cost);
        match filled {
            Filled::More => {}
            Filled::Closed => return false,
            Filled::First | Filled::Full => {
                let mut state = self.lock();
                let was_told = std::mem::replace(&mut state.is_nudged, true);
                state.is_urgent |= filled == Filled::Full;
                drop(state);
                if !was_told || filled == Filled::Full {
                    self.changed.notify_one();
                }
            }
        }
        true
    }

    /// Makes the thread look at what is due.
    pub(super) fn nudge(&self) {
        self.lock().is_nudged = true;
        self.changed.notify_one();
    }

    /// Takes nothing more; what is there may be taken still.
    pub(super) fn close(&self) {
        // First, so that nothing comes into them once the thread knows.
        self.trays.close();
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Takes nothing more, and gives what nobody will take.
    pub(super) fn abandon(&self) -> Vec<Entry> {
        self.close();
        let mut entries = std::mem::take(&mut self.lock().entries);
        self.trays.take(|written| entries.push(Entry::Lines(written)));
        entries
    }

    /// Waits for entries until the deadline, and puts them into `entries`, which is empty.
    pub(super) fn take(&self, entries: &mut Vec<Entry>, deadline: Option<Instant>) -> Woken {
        let mut state = self.lock();
        while state.entries.is_empty() && !state.is_nudged && !state.is_closed {
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if !self.gathering.is_zero() && (state.is_nudged || !state.entries.is_empty()) {
            let waits = |state: &mut State| !state.is_urgent && !state.is_closed;
            let waited = self.changed.wait_timeout_while(state, self.gathering, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let State { entries: mut others, is_closed, .. } = std::mem::take(&mut *state);
        state.is_closed = is_closed;
        drop(state);
        // What was written before a seal was asked for is in a tray by now, and comes before it.
        self.trays.take(|written| entries.push(Entry::Lines(written)));
        entries.append(&mut others);
        if is_closed && entries.is_empty() { Woken::ToEnd } else { Woken::ToWork }
    }
}
