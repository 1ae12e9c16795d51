//! The writer's thread: takes records from the queue and makes lines of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::background::stand_back;
use super::journal::Journal;
use super::memory::Gathering;
use super::queue::{Entry, Record, Sealed, Woken};
use super::trays::Written;
use super::{OBJECT_BYTES, Shared};
use crate::configuration::{CaptureSettings, Durability};

/// Where lines go.
enum Keeper {
    Memory(Gathering),
    Journal(Box<Journal>),
}

/// Starts the thread. It ends when the queue is closed.
pub(super) fn start(shared: Arc<Shared>, settings: CaptureSettings, journals: PathBuf) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("capture".to_owned());
    thread
        .spawn(move || {
            // In the durable mode answers wait for it.
            if settings.durability == Durability::Fast {
                stand_back();
            }
            let _after = Aftermath(&shared);
            run(&shared, Keeper::new(&shared, &settings, journals));
        })
        .map(drop)
}

/// What is left to do when the thread has ended, of a panic too: nobody may wait for it, and what it did not take is
/// counted.
struct Aftermath<'a>(&'a Shared);

impl Drop for Aftermath<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the writer of captures has failed: nothing is captured until the service starts again");
        }
        let Self(shared) = self;
        for entry in shared.queue.abandon() {
            let (lane, records, bytes) = match entry {
                Entry::Record(record) => (record.lane, 1, record.cost),
                Entry::Lines(written) => (written.lane, written.lines.records, written.lines.bytes.len() as u64),
                Entry::Seal { .. } => continue,
            };
            shared.losses.drop_records(&lane.counts, records, "the writer has ended");
            shared.room.release(&lane, bytes);
        }
    }
}

fn run(shared: &Shared, mut keeper: Keeper) {
    let mut entries = Vec::new();
    let mut last_seals = Vec::new();
    while shared.queue.take(&mut entries, keeper.deadline()) == Woken::ToWork {
        for entry in entries.drain(..) {
            match entry {
                Entry::Record(record) => keeper.add(record),
                Entry::Lines(written) => keeper.add_lines(&written),
                Entry::Seal { what: Sealed::Last, reply } => {
                    shared.queue.close();
                    last_seals.push(reply);
                }
                Entry::Seal { what, reply } => {
                    keeper.send_of(what.endpoint());
                    // Whoever asked may have gone.
                    let _ = reply.send(shared.outbox.under_way(what.endpoint()));
                }
            }
        }
        keeper.commit();
        keeper.send_due(Instant::now());
        // A burst of large batches does not keep its memory.
        entries.shrink_to(1024);
    }
    for reply in last_seals {
        keeper.send_of(None);
        let _ = reply.send(shared.outbox.under_way(None));
    }
}

impl Keeper {
    fn new(shared: &Arc<Shared>, settings: &CaptureSettings, journals: PathBuf) -> Self {
        let interval = Duration::from_secs(settings.flush_seconds);
        // Little memory makes small objects, so that some can be under way while others gather.
        let object_bytes = OBJECT_BYTES.min(settings.memory_bytes / 8);
        let shared = Arc::clone(shared);
        match settings.durability {
            Durability::Fast => Self::Memory(Gathering::new(shared, interval, object_bytes)),
            Durability::Durable => Self::Journal(Box::new(Journal::new(shared, journals, interval, object_bytes))),
        }
    }

    fn add(&mut self, record: Record) {
        match self {
            Self::Memory(gathering) => gathering.add(record),
            Self::Journal(journal) => journal.add(record),
        }
    }

    fn add_lines(&mut self, written: &Written) {
        match self {
            Self::Memory(gathering) => gathering.add_lines(written),
            Self::Journal(_) => unreachable!("requests write no lines in the durable mode"),
        }
    }

    /// Makes what was added durable, where that is what was asked for.
    fn commit(&mut self) {
        match self {
            Self::Memory(_) => {}
            Self::Journal(journal) => journal.commit(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Memory(gathering) => gathering.deadline(),
            Self::Journal(journal) => journal.deadline(),
        }
    }

    fn send_due(&mut self, now: Instant) {
        match self {
            Self::Memory(gathering) => gathering.send_due(now),
            Self::Journal(journal) => {
                if journal.deadline().is_some_and(|deadline| deadline <= now) {
                    journal.seal();
                }
            }
        }
    }

    /// Sends what there is of an endpoint, or all, on its way; a segment goes as a whole.
    fn send_of(&mut self, endpoint: Option<&str>) {
        match self {
            Self::Memory(gathering) => gathering.send_of(endpoint),
            Self::Journal(journal) => {
                journal.commit();
                journal.seal();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::sync::oneshot;

    use super::*;
    use crate::hosting::capture::outbox::{self, Outbox};
    use crate::hosting::capture::queue::Queue;
    use crate::hosting::capture::room::{CountBook, Lane, Losses, Room};
    use crate::hosting::capture::{CapturePlan, Exchange, FolderSink, Payload, Ticket};

    const MEMORY: u64 = 1000;

    fn shared(counts: &Arc<CountBook>) -> Shared {
        let queue = Arc::new(Queue::new(Duration::ZERO, MEMORY));
        let (room, losses) = (Arc::new(Room::new(MEMORY, MEMORY)), Arc::<Losses>::default());
        let outbox = Outbox::new(
            Arc::new(FolderSink::new("never written")),
            tokio::runtime::Handle::current(),
            Arc::clone(&queue),
            Arc::clone(&room),
            Arc::clone(&losses),
            Arc::clone(counts),
            outbox::GIVEN_UP_AFTER,
        );
        Shared { durability: Durability::Durable, queue, room, losses, outbox }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_thread_that_has_failed() {
        let counts = Arc::new(CountBook::default());
        let shared = Arc::new(shared(&counts));
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
        let exchange = Exchange {
            event_id: uuid::Uuid::new_v4(),
            time: jiff::Timestamp::UNIX_EPOCH,
            inference_id: None,
            custom_attributes: None,
            input: Payload::default(),
            output: Payload::default(),
            is_answered: true,
        };
        assert!(shared.room.hold(&lane, MEMORY));
        let (ticket, written) = Ticket::new();
        let record = Record { lane: Arc::clone(&lane), exchange, cost: MEMORY, ticket: Some(ticket) };
        assert!(shared.queue.push(Entry::Record(record), MEMORY));
        let (reply, sealed) = oneshot::channel();
        assert!(shared.queue.push(Entry::Seal { what: Sealed::Last, reply }, 0));
        let failing = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let _after = Aftermath(&failing);
            panic!("the test wants it");
        });
        assert!(thread.join().is_err());
        assert!(sealed.await.is_err());
        let begun = Instant::now();
        written.await;
        assert!(begun.elapsed() < Duration::from_millis(900), "it waited for its time limit");
        assert!(!shared.queue.push(Entry::Seal { what: Sealed::Last, reply: oneshot::channel().0 }, 0));
        assert!(shared.room.hold(&lane, MEMORY), "what was held is given back");
        assert_eq!(counts.take()[0].dropped, 1);
    }
}
