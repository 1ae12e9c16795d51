//! What is on its way to the store.
//!
//! Each parcel, an object of lines from memory or a journal segment, has a task of its own that tries until it is stored.
//! At most so many are being put at the same time; one that failed waits for its next try without keeping others off.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use watchkeeper_store::keys::KmsKeys;

use super::queue::{Queue, UnderWay};
use super::room::{CountBook, Lane, Losses, Room};
use super::segment::Segment;
use super::{CaptureObject, CaptureSink};

/// Objects that are put at the same time.
const AT_ONCE: u32 = 32;
/// The share of a segment in that: it is read into memory for it, so there are few at a time.
const SEGMENT_SHARE: u32 = AT_ONCE / 2;
/// What a put may take before it counts as failed.
const PUT_TIMEOUT: Duration = Duration::from_mins(1);
/// The pause after the first failure; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// What could not be stored for so long is given up at its next try when there is no room for new records.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_mins(5);
/// The log says at most this often that the store fails.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// How far a parcel is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Tries that failed.
    pub(super) failures: u32,
    /// Whether it is stored, or given up.
    pub(super) is_settled: bool,
}

/// What is on its way to the store.
pub(super) struct Outbox {
    sink: Arc<dyn CaptureSink>,
    runtime: Handle,
    queue: Arc<Queue>,
    room: Arc<Room>,
    losses: Arc<Losses>,
    counts: Arc<CountBook>,
    permits: Semaphore,
    tasks: Mutex<JoinSet<()>>,
    under_way: Mutex<Vec<Tracked>>,
    /// Changed when all that waits for another try shall try now.
    now: watch::Sender<()>,
    /// How long something must have failed before it can be given up.
    given_up_after: Duration,
    /// Segments that were not tried yet.
    untried_segments: AtomicU64,
    warned: Mutex<Option<Instant>>,
}

/// A parcel that is not settled, or was not when somebody looked last.
struct Tracked {
    /// The endpoint it is of; a segment may be of any.
    endpoint: Option<String>,
    progress: watch::Receiver<Progress>,
}

/// Something to be stored.
enum Parcel {
    Lines { lane: Arc<Lane>, object: CaptureObject, records: u64 },
    Segment { segment: Segment, stored: HashSet<usize>, is_tried: bool },
}

impl Outbox {
    pub(super) fn new(
        sink: Arc<dyn CaptureSink>,
        runtime: Handle,
        queue: Arc<Queue>,
        room: Arc<Room>,
        losses: Arc<Losses>,
        counts: Arc<CountBook>,
        given_up_after: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            sink,
            runtime,
            queue,
            room,
            losses,
            counts,
            permits: Semaphore::new(AT_ONCE as usize),
            tasks: Mutex::default(),
            under_way: Mutex::default(),
            now: watch::Sender::new(()),
            given_up_after,
            untried_segments: AtomicU64::new(0),
            warned: Mutex::default(),
        })
    }

    /// Sends lines that are held in memory for a lane.
    pub(super) fn send_lines(self: &Arc<Self>, lane: Arc<Lane>, object: CaptureObject, records: u64) {
        lane.under_way.fetch_add(1, Ordering::Relaxed);
        let endpoint = Some(lane.plan.endpoint.clone());
        self.send(endpoint, Parcel::Lines { lane, object, records });
    }

    /// Sends a segment, whose charge is held in the journals' room.
    pub(super) fn send_segment(self: &Arc<Self>, segment: Segment) {
        self.untried_segments.fetch_add(1, Ordering::Relaxed);
        self.send(None, Parcel::Segment { segment, stored: HashSet::new(), is_tried: false });
    }

    /// What journals of captures under a key are encrypted by.
    pub(super) fn journal_keys(&self) -> Option<&KmsKeys> {
        self.sink.journal_keys()
    }

    /// Whether a segment waits for its first try: the store does not keep up.
    pub(super) fn has_untried_segments(&self) -> bool {
        self.untried_segments.load(Ordering::Relaxed) > 0
    }

    fn send(self: &Arc<Self>, endpoint: Option<String>, mut parcel: Parcel) {
        let (sender, progress) = watch::channel(Progress::default());
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|tracked| !tracked.progress.borrow().is_settled);
        under_way.push(Tracked { endpoint, progress });
        drop(under_way);
        let outbox = Arc::clone(self);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(
            async move {
                outbox.deliver(&mut parcel, &sender).await;
                sender.send_modify(|progress| progress.is_settled = true);
                outbox.queue.nudge();
            },
            &self.runtime,
        );
    }

    /// What is on its way of an endpoint, or of all.
    pub(super) fn under_way(&self, endpoint: Option<&str>) -> UnderWay {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = under_way.iter().filter(|tracked| match (endpoint, &tracked.endpoint) {
            (Some(endpoint), Some(of)) => endpoint.eq_ignore_ascii_case(of),
            _ => true,
        });
        concerned.map(|tracked| (tracked.progress.clone(), tracked.progress.borrow().failures)).collect()
    }

    /// What waits for another try is tried now.
    pub(super) fn try_now(&self) {
        self.now.send_replace(());
    }

    /// Stores nothing more.
    pub(super) fn end(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Tries until a parcel is stored, or has to be given up.
    async fn deliver(&self, parcel: &mut Parcel, progress: &watch::Sender<Progress>) {
        let mut now = self.now.subscribe();
        let mut pause = FIRST_PAUSE;
        let mut failing_since = None;
        loop {
            now.borrow_and_update();
            let reason = match parcel.attempt(self).await {
                Ok(()) => return,
                Err(reason) => reason,
            };
            progress.send_modify(|progress| progress.failures += 1);
            self.warn(&reason);
            let since = *failing_since.get_or_insert_with(tokio::time::Instant::now);
            if since.elapsed() >= self.given_up_after && self.room.is_short() {
                parcel.give_up(self, &reason).await;
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                _ = now.changed() => pause = FIRST_PAUSE,
            }
        }
    }

    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        let address = format!("{}/{}", object.destination, object.path);
        // A panic would take the parcel, and all that is counted of it, with it.
        let put = AssertUnwindSafe(self.sink.put(object)).catch_unwind();
        let put = match tokio::time::timeout(PUT_TIMEOUT, put).await {
            Ok(Ok(put)) => put,
            Ok(Err(_)) => Err("the store failed (a panic, which standard error tells of)".to_owned()),
            Err(_) => Err(format!("no answer within {} s", PUT_TIMEOUT.as_secs())),
        };
        put.map_err(|reason| format!("{address}: {reason}"))
    }

    fn warn(&self, reason: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            *warned = Some(Instant::now());
            tracing::warn!(reason, "captured records could not be stored, and will be tried again");
        }
    }
}

impl Parcel {
    async fn attempt(&mut self, outbox: &Outbox) -> Result<(), String> {
        match self {
            Self::Lines { lane, object, records } => {
                let stored = {
                    let _permit = outbox.permits.acquire().await.expect("the semaphore is never closed");
                    outbox.put(object.clone()).await
                };
                lane.is_failing.store(stored.is_err(), Ordering::Relaxed);
                stored?;
                lane.counts.add_captured(*records);
                outbox.room.release(lane, object.lines.len() as u64);
                lane.under_way.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
            Self::Segment { segment, stored, is_tried } => {
                let result = Self::store_segment(outbox, segment, stored).await;
                if !std::mem::replace(is_tried, true) {
                    outbox.untried_segments.fetch_sub(1, Ordering::Relaxed);
                    outbox.queue.nudge();
                }
                result?;
                segment.remove().await;
                outbox.room.shrink_journal(segment.charge());
                Ok(())
            }
        }
    }

    /// Stores the objects of a segment that were not stored yet.
    async fn store_segment(outbox: &Outbox, segment: &Segment, stored: &mut HashSet<usize>) -> Result<(), String> {
        let _permits = outbox.permits.acquire_many(SEGMENT_SHARE).await.expect("the semaphore is never closed");
        let _held = Held::new(&outbox.room, segment.length);
        let objects = segment.objects(outbox.journal_keys()).await?;
        let mut failed = Ok(());
        for (number, found) in objects.into_iter().enumerate() {
            if stored.contains(&number) {
                continue;
            }
            match outbox.put(found.object).await {
                Ok(()) => {
                    stored.insert(number);
                    outbox.counts.of(&found.endpoint, &found.variant).add_captured(found.records);
                }
                Err(reason) => failed = Err(reason),
            }
        }
        failed
    }

    async fn give_up(&mut self, outbox: &Outbox, reason: &str) {
        match self {
            Self::Lines { lane, object, records } => {
                outbox.losses.drop_records(&lane.counts, *records, reason);
                outbox.room.release(lane, object.lines.len() as u64);
                lane.under_way.fetch_sub(1, Ordering::Relaxed);
            }
            Self::Segment { segment, stored, .. } => {
                // One that cannot be read is left to the next start: nobody knows what is lost with it.
                if let Ok(objects) = segment.objects(outbox.journal_keys()).await {
                    for (number, found) in objects.into_iter().enumerate() {
                        if !stored.contains(&number) {
                            let counts = outbox.counts.of(&found.endpoint, &found.variant);
                            outbox.losses.drop_records(&counts, found.records, reason);
                        }
                    }
                    segment.remove().await;
                }
                outbox.room.shrink_journal(segment.charge());
            }
        }
    }
}

/// Memory that is held while a segment is read and put.
struct Held<'a> {
    room: &'a Room,
    bytes: u64,
}

impl<'a> Held<'a> {
    fn new(room: &'a Room, bytes: u64) -> Self {
        room.hold_anyway(bytes);
        Self { room, bytes }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.room.release_anyway(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::hosting::capture::{CapturePlan, FolderSink};

    const MEMORY: u64 = 1000;

    /// Sends three records of a lane whose folder is a file until they have failed for long. Gives, when the file is gone,
    /// whether there is room again, and what was captured and dropped.
    async fn failing(is_short: bool) -> (bool, (u64, u64)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("churn"), "").unwrap();
        let room = Arc::new(Room::new(MEMORY, MEMORY));
        let counts = Arc::new(CountBook::default());
        let outbox = Outbox::new(
            Arc::new(FolderSink::new(folder.path())),
            Handle::current(),
            Arc::new(Queue::new(Duration::ZERO, MEMORY)),
            Arc::clone(&room),
            Arc::default(),
            Arc::clone(&counts),
            Duration::from_millis(100),
        );
        let plan = CapturePlan {
            endpoint: "churn".to_owned(),
            variant: "AllTraffic".to_owned(),
            destination: "s3://bucket".to_owned(),
            sampling_percentage: 100,
            input: true,
            output: true,
            csv_content_types: Vec::new(),
            json_content_types: Vec::new(),
            kms_key_id: None,
        };
        let lane = Arc::new(Lane::new(plan, counts.of("churn", "AllTraffic")));
        assert!(room.hold(&lane, 6));
        let object = CaptureObject {
            destination: "s3://bucket".to_owned(),
            path: "churn/1.jsonl".to_owned(),
            kms_key_id: None,
            lines: "a\nb\nc\n".into(),
        };
        outbox.send_lines(Arc::clone(&lane), object, 3);
        let (mut progress, _) = outbox.under_way(Some("Churn")).remove(0);
        if is_short {
            assert!(!room.hold(&lane, MEMORY));
        }
        progress.wait_for(|now| now.is_settled || now.failures > 2).await.unwrap();
        std::fs::remove_file(folder.path().join("churn")).unwrap();
        outbox.try_now();
        progress.wait_for(|now| now.is_settled).await.unwrap();
        let counts = counts.take().remove(0);
        // All that a lane may have that failed last.
        (room.hold(&lane, MEMORY / 2), (counts.captured, counts.dropped))
    }

    #[tokio::test]
    async fn what_fails_for_long_is_given_up_where_there_is_no_room() {
        assert_eq!(failing(true).await, (true, (0, 3)));
    }

    #[tokio::test]
    async fn what_fails_is_kept_while_there_is_room() {
        assert_eq!(failing(false).await, (true, (3, 0)));
    }
}
