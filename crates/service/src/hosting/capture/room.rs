//! How much may wait, and what is counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::CapturePlan;

/// The log says at most this often that records were dropped.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);
/// How long ago a record that found no room means that there is none.
const RECENTLY: Duration = Duration::from_mins(1);

/// One generation of a variant's captures: what its stream and the writer's thread share.
pub(super) struct Lane {
    pub(super) plan: CapturePlan,
    pub(super) counts: Arc<Counts>,
    /// Bytes that wait.
    held: AtomicU64,
    /// Objects on their way to the store.
    pub(super) under_way: AtomicU64,
    /// Whether the last try to store an object failed.
    pub(super) is_failing: AtomicBool,
}

impl Lane {
    pub(super) fn new(plan: CapturePlan, counts: Arc<Counts>) -> Self {
        Self { plan, counts, held: AtomicU64::new(0), under_way: AtomicU64::new(0), is_failing: AtomicBool::new(false) }
    }
}

/// The bytes that may wait in memory, and in journals.
pub(super) struct Room {
    memory_limit: u64,
    memory: AtomicU64,
    journal_limit: u64,
    journal: AtomicU64,
    begun: Instant,
    /// When a record last found no room, in milliseconds since the beginning, plus one; 0 is never.
    refused: AtomicU64,
}

impl Room {
    pub(super) fn new(memory_limit: u64, journal_limit: u64) -> Self {
        Self {
            memory_limit,
            memory: AtomicU64::new(0),
            journal_limit,
            journal: AtomicU64::new(0),
            begun: Instant::now(),
            refused: AtomicU64::new(0),
        }
    }

    /// Holds memory for a lane, if there is room.
    pub(super) fn hold(&self, lane: &Lane, bytes: u64) -> bool {
        let limit = if lane.is_failing.load(Ordering::Relaxed) { self.memory_limit / 2 } else { self.memory_limit };
        let of_all = self.memory.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let of_lane = lane.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if of_all <= self.memory_limit && of_lane <= limit {
            return true;
        }
        self.release(lane, bytes);
        self.refuse();
        false
    }

    /// Gives memory of a lane back.
    pub(super) fn release(&self, lane: &Lane, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
        lane.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Holds memory for what must be read to become less, room or not.
    pub(super) fn hold_anyway(&self, bytes: u64) {
        self.memory.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back what was held for nobody in particular.
    pub(super) fn release_anyway(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether journals may grow by so much.
    pub(super) fn has_journal_room(&self, bytes: u64) -> bool {
        let has_room = self.journal.load(Ordering::Relaxed) + bytes <= self.journal_limit;
        if !has_room {
            self.refuse();
        }
        has_room
    }

    /// Journals have grown.
    pub(super) fn grow_journal(&self, bytes: u64) {
        self.journal.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Journals have gone.
    pub(super) fn shrink_journal(&self, bytes: u64) {
        self.journal.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Notes that a record found no room.
    pub(super) fn refuse(&self) {
        let now = self.begun.elapsed().as_millis() as u64 + 1;
        self.refused.store(now, Ordering::Relaxed);
    }

    /// Whether a record found no room a short time ago.
    pub(super) fn is_short(&self) -> bool {
        let refused = self.refused.load(Ordering::Relaxed);
        let now = self.begun.elapsed().as_millis() as u64 + 1;
        refused > 0 && now.saturating_sub(refused) <= RECENTLY.as_millis() as u64
    }
}

/// What was captured and dropped of a variant since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureCounts {
    /// The endpoint.
    pub endpoint: String,
    /// The variant.
    pub variant: String,
    /// Records that are in their objects.
    pub captured: u64,
    /// Records that were dropped.
    pub dropped: u64,
}

/// The counts of a variant.
#[derive(Default)]
pub(super) struct Counts {
    captured: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    pub(super) fn add_captured(&self, records: u64) {
        self.captured.fetch_add(records, Ordering::Relaxed);
    }
}

/// The counts of all variants: they outlive a variant's streams, as its objects do.
#[derive(Default)]
pub(super) struct CountBook(Mutex<HashMap<(String, String), Arc<Counts>>>);

impl CountBook {
    pub(super) fn of(&self, endpoint: &str, variant: &str) -> Arc<Counts> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(book.entry((endpoint.to_owned(), variant.to_owned())).or_default())
    }

    /// What was counted since the last time; variants that are gone are forgotten.
    pub(super) fn take(&self) -> Vec<CaptureCounts> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        book.retain(|(endpoint, variant), counts| {
            // Asked first: whoever lets go of the counts has counted before.
            let is_in_use = Arc::strong_count(counts) > 1;
            let captured = counts.captured.swap(0, Ordering::Relaxed);
            let dropped = counts.dropped.swap(0, Ordering::Relaxed);
            if captured + dropped > 0 {
                taken.push(CaptureCounts { endpoint: endpoint.clone(), variant: variant.clone(), captured, dropped });
            }
            is_in_use
        });
        taken.sort_by(|one, other| (&one.endpoint, &one.variant).cmp(&(&other.endpoint, &other.variant)));
        taken
    }
}

/// Counts what is dropped, and tells the log now and then.
#[derive(Default)]
pub(super) struct Losses {
    untold: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Losses {
    pub(super) fn drop_records(&self, counts: &Counts, records: u64, reason: &str) {
        counts.dropped.fetch_add(records, Ordering::Relaxed);
        self.untold.fetch_add(records, Ordering::Relaxed);
        // Whoever finds it locked has somebody who tells.
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.is_none_or(|told| told.elapsed() >= WARNING_INTERVAL) {
            *told = Some(Instant::now());
            let records = self.untold.swap(0, Ordering::Relaxed);
            tracing::warn!(records, reason, "captured records were dropped");
        }
    }
}
