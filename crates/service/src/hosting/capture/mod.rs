//! Captured requests and answers: chosen, written as lines, and put into objects.
//!
//! A request's thread hands its exchange over ([`CaptureStream::record`]) and never waits. One thread of its own (`scribe`) makes
//! the lines and, in the durable mode, writes the journal; tasks of the runtime (`outbox`) put objects, and try again what
//! failed. The line of a small exchange is written at once in the fast mode (`trays`), and handed over then.
//!
//! What is promised:
//! - **Memory** is bounded: captured bytes count from the moment they are handed over until their object is stored. A
//!   record that finds no room is dropped and counted; the log says so at most once a minute. A variant whose objects
//!   cannot be stored may have half of the room, so that its missing bucket is not everybody's. What could not be stored for
//!   five minutes is given up, and counted as dropped, when there is no room for new records, and not before.
//! - **Fast mode**: a crash loses at most what was recorded in the last flush interval and what is on its way to the store;
//!   while the store fails, that is all that waits in memory.
//! - **Durable mode**: what [`CaptureStream::record`] returns is done once the record is in a journal on disk, synced
//!   together with all that wait (group commit). Objects are made of whole journal segments under names that follow from the
//!   segment, so that a put that is repeated after a crash overwrites its own object: nothing is lost, nothing is there
//!   twice. Captures under a key are encrypted in the journal too. A journal that cannot be written for a second drops what
//!   waits for it, and counts it: answers go on.
//!
//! Lines are gathered and stored by threads that stand back behind those that answer: on a machine that has no time left what
//! cannot be captured is dropped and counted, and answers take as long as without.
//!
//! Decided against: lines of large exchanges made on the request's thread (an answer would wait for its capture), a file a variant (a sync
//! each, where one does for all), and the store's own write-ahead log as the journal (its writers would wait for captures).

mod background;
mod folder;
mod journal;
mod line;
mod lines;
mod memory;
mod outbox;
mod plan;
mod queue;
mod room;
mod sampling;
mod scribe;
mod segment;
mod sinks;
mod trays;

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;
use watchkeeper_store::keys::KmsKeys;

use self::background::Background;
use self::outbox::Outbox;
use self::queue::{Entry, Queue, Record, Sealed, UnderWay};
use self::room::{CountBook, Lane, Losses, Room};
use self::sampling::Sampler;
use crate::configuration::{CaptureSettings, Durability};

pub use plan::CapturePlan;
pub use room::CaptureCounts;
pub use sinks::{FolderSink, S3Sink, StoreSink};

/// The longest that an answer waits for the journal.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Lines of about this size make an object, however short the time since the last.
const OBJECT_BYTES: u64 = 8 << 20;
/// Requests write the lines of exchanges of about this size themselves, in the fast mode: that takes a microsecond, and to hand them
/// over takes longer.
const WRITTEN_AT_ONCE: u64 = 4 << 10;

/// Where objects of captured lines go: the store of this process, another S3, a folder.
#[async_trait::async_trait]
pub trait CaptureSink: Send + Sync {
    /// Puts an object, in place of one at the same address. When this returns it is durable.
    async fn put(&self, object: CaptureObject) -> Result<(), String>;

    /// What journals of captures under a key are encrypted by until they are in objects; None where there is no key.
    fn journal_keys(&self) -> Option<&KmsKeys> {
        None
    }
}

/// An object of captured lines.
#[derive(Clone, Debug)]
pub struct CaptureObject {
    /// `DestinationS3Uri` as it was configured.
    pub destination: String,
    /// What follows it, without a slash at its start: `<endpoint>/<variant>/YYYY/MM/DD/HH/MM-SS-mmm-<uuid>.jsonl`.
    pub path: String,
    /// The key that encrypts it.
    pub kms_key_id: Option<String>,
    /// Whole lines.
    pub lines: Bytes,
}

impl CaptureObject {
    /// The path of an object of an endpoint's variant whose first record is of this moment.
    pub fn path_of(endpoint: &str, variant: &str, first: Timestamp, id: Uuid) -> String {
        let moment = jiff::tz::Offset::UTC.to_datetime(first);
        format!(
            "{endpoint}/{variant}/{:04}/{:02}/{:02}/{:02}/{:02}-{:02}-{:03}-{id}.jsonl",
            moment.year(),
            moment.month(),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.millisecond(),
        )
    }
}

/// The hour that a record's object belongs to, counted from the epoch.
pub(crate) fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(3600)
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The event's id.
    pub event_id: Uuid,
    /// When the request came.
    pub time: Timestamp,
    /// The caller's own name of the inference.
    pub inference_id: Option<String>,
    /// The caller's custom attributes.
    pub custom_attributes: Option<String>,
    /// What was asked.
    pub input: Payload,
    /// What was answered.
    pub output: Payload,
    /// Whether there was an answer: where nobody gave one, what was asked is all there is.
    pub is_answered: bool,
}

impl Exchange {
    /// Bytes that it is counted with: its texts and bodies, and about what a line has beside them.
    fn cost(&self) -> u64 {
        const FRAME: usize = 512;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let body = |payload: &Payload| text(&payload.content_type) + payload.body.iter().map(Bytes::len).sum::<usize>();
        let texts = text(&self.inference_id) + text(&self.custom_attributes);
        (FRAME + texts + body(&self.input) + body(&self.output)) as u64
    }
}

/// One side of an exchange.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The content type as it came.
    pub content_type: Option<String>,
    /// The body, in the pieces it came in.
    pub body: Vec<Bytes>,
}

/// Done when a record is in the journal, or was dropped.
pub type Written = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The captures of a variant.
pub struct CaptureStream {
    lane: Arc<Lane>,
    sampler: Sampler,
    shared: Arc<Shared>,
}

impl CaptureStream {
    /// How it captures.
    pub fn plan(&self) -> &CapturePlan {
        &self.lane.plan
    }

    /// Whether this request is captured; to be asked once a request.
    pub fn sample(&self) -> bool {
        self.sampler.next()
    }

    /// Takes an exchange, and never waits. In the durable mode the answer must not end before what this returns is done.
    pub fn record(&self, mut exchange: Exchange) -> Option<Written> {
        if !self.lane.plan.input {
            exchange.input.body = Vec::new();
        }
        if !self.lane.plan.output {
            exchange.output.body = Vec::new();
        }
        let cost = exchange.cost();
        if !self.shared.room.hold(&self.lane, cost) {
            self.shared.losses.drop_records(&self.lane.counts, 1, lines::NO_ROOM);
            return None;
        }
        if self.shared.durability == Durability::Fast && cost <= WRITTEN_AT_ONCE {
            let room = (&*self.shared.room, &*self.shared.losses);
            if !self.shared.queue.write(room, &self.lane, &exchange, cost) {
                self.refuse(cost);
            }
            return None;
        }
        let (ticket, written) = match self.shared.durability {
            Durability::Fast => (None, None),
            Durability::Durable => {
                let (ticket, written) = Ticket::new();
                (Some(ticket), Some(written))
            }
        };
        let record = Record { lane: Arc::clone(&self.lane), exchange, cost, ticket };
        if self.shared.queue.push(Entry::Record(record), cost) {
            return written;
        }
        self.refuse(cost);
        None
    }

    /// Drops a record that came after the end.
    fn refuse(&self, cost: u64) {
        self.shared.room.release(&self.lane, cost);
        self.shared.losses.drop_records(&self.lane.counts, 1, "the writer has ended");
    }
}

/// The writer's half of what a request waits for in the durable mode.
struct Ticket {
    done: oneshot::Sender<()>,
    /// Whether nobody waits any more, because it took too long.
    given_up: Arc<AtomicBool>,
}

impl Ticket {
    fn new() -> (Self, Written) {
        let (done, committed) = oneshot::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
        let flag = Arc::clone(&given_up);
        let written = async move {
            // An error is a writer that has ended; it has counted what it dropped.
            if tokio::time::timeout_at(deadline, committed).await.is_err() {
                flag.store(true, Ordering::Relaxed);
            }
        };
        (Self { done, given_up }, Box::pin(written))
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    fn settle(self) {
        // A client that went away waits no more.
        let _ = self.done.send(());
    }
}

/// What requests, the writer's thread and the tasks share.
struct Shared {
    durability: Durability,
    queue: Arc<Queue>,
    room: Arc<Room>,
    losses: Arc<Losses>,
    outbox: Arc<Outbox>,
}

/// Writes the captures of all endpoints of a process.
pub struct CaptureWriter {
    shared: Arc<Shared>,
    counts: Arc<CountBook>,
    /// Held on the journals' folder: two writers would store each other's segments.
    lock: Mutex<Option<File>>,
    /// Where puts run, until this is dropped.
    _background: Background,
}

impl CaptureWriter {
    /// Starts the writer; journals that an earlier process left in the folder are put into their objects. The folder is
    /// made in the durable mode alone.
    ///
    /// # Errors
    /// The folder cannot be made or read, another process writes journals in it, or there are no more threads.
    pub fn start(
        settings: CaptureSettings,
        journals: PathBuf,
        sink: Arc<dyn CaptureSink>,
    ) -> std::io::Result<Arc<Self>> {
        let background = Background::start()?;
        let is_durable = settings.durability == Durability::Durable;
        if is_durable {
            folder::make(&journals)?;
        }
        let lock = if journals.try_exists()? { Some(lock(&journals)?) } else { None };
        let counts = Arc::new(CountBook::default());
        // In the durable mode an answer waits for it.
        let gathering = if is_durable { Duration::ZERO } else { queue::GATHERING };
        let queue = Arc::new(Queue::new(gathering, settings.memory_bytes / 8));
        let room = Arc::new(Room::new(settings.memory_bytes, settings.journal_bytes));
        let losses = Arc::new(Losses::default());
        let outbox = Outbox::new(
            sink,
            background.handle(),
            Arc::clone(&queue),
            Arc::clone(&room),
            Arc::clone(&losses),
            Arc::clone(&counts),
            outbox::GIVEN_UP_AFTER,
        );
        if lock.is_some() {
            for segment in segment::left_in(&journals)? {
                room.grow_journal(segment.charge());
                outbox.send_segment(segment);
            }
        }
        let shared = Arc::new(Shared { durability: settings.durability, queue, room, losses, outbox });
        scribe::start(Arc::clone(&shared), settings, journals)?;
        Ok(Arc::new(Self { shared, counts, lock: Mutex::new(lock), _background: background }))
    }

    /// The captures of a variant.
    pub fn stream(self: &Arc<Self>, plan: CapturePlan) -> Arc<CaptureStream> {
        let counts = self.counts.of(&plan.endpoint, &plan.variant);
        Arc::new(CaptureStream {
            sampler: Sampler::new(plan.sampling_percentage),
            lane: Arc::new(Lane::new(plan, counts)),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Returns when all that was recorded of an endpoint so far is in its objects, or the store has failed: what it failed
    /// to take is tried again all the same.
    pub async fn flush(&self, endpoint: &str) {
        self.tried(Sealed::Endpoint(endpoint.to_owned())).await;
    }

    /// The same of all endpoints.
    pub async fn flush_all(&self) {
        self.tried(Sealed::All).await;
    }

    async fn tried(&self, what: Sealed) {
        for (mut progress, failures) in self.sealed(what).await {
            // An error is a task that was ended.
            let _ = progress.wait_for(|now| now.is_settled || now.failures > failures).await;
        }
    }

    /// What was captured and dropped since this was asked last, of variants of which there was any.
    pub fn take_counts(&self) -> Vec<CaptureCounts> {
        self.counts.take()
    }

    /// Writes all there is, for as long as the caller waits, and then ends: what is recorded later is dropped. What the
    /// store has not taken when the caller gives up is lost in the fast mode; journals stay for the next start.
    pub async fn shutdown(&self) {
        // Also where the caller gives up.
        let _end = End(self);
        for (mut progress, _) in self.sealed(Sealed::Last).await {
            let _ = progress.wait_for(|now| now.is_settled).await;
        }
    }

    /// What is on its way to the store once all that was recorded so far is.
    async fn sealed(&self, what: Sealed) -> UnderWay {
        let (reply, sealed) = oneshot::channel();
        // A writer that has ended adds nothing to what is on its way.
        let under_way = self.shared.outbox.under_way(what.endpoint());
        let is_taken = self.shared.queue.push(Entry::Seal { what, reply }, 0);
        let sealed = if is_taken { sealed.await.unwrap_or(under_way) } else { under_way };
        self.shared.outbox.try_now();
        sealed
    }

    fn end(&self) {
        self.shared.queue.close();
        self.shared.outbox.end();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for CaptureWriter {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends a writer when it goes.
struct End<'a>(&'a CaptureWriter);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Makes the folder this process's own, until the file is closed.
fn lock(folder: &Path) -> std::io::Result<File> {
    let file = File::create(folder.join("lock"))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => {
            let folder = folder.display();
            std::io::Error::other(format!("another process writes its captures in {folder}; choose another folder"))
        }
        std::fs::TryLockError::Error(error) => error,
    })?;
    Ok(file)
}
