//! The durable mode: records go into a segment of the journal, and their answers wait until it is synced.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_store::StorageFault;
use watchkeeper_store::keys::{DataKey, KmsKeys};

use super::line::LineMaker;
use super::queue::Record;
use super::room::Lane;
use super::segment::{MAGIC, Segment};
use super::{LONGEST_WAIT, Shared, Ticket, folder};

/// The pause before a journal that failed is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The journal of the writer's thread.
pub(super) struct Journal {
    shared: Arc<Shared>,
    folder: PathBuf,
    flush_interval: Duration,
    segment_bytes: u64,
    maker: LineMaker,
    open: Option<OpenSegment>,
}

/// The segment that records are added to.
struct OpenSegment {
    /// Its length is what is synced; what is behind that is nothing.
    segment: Segment,
    file: File,
    opened: Instant,
    /// Streams that have a number in this segment: their lanes, which therefore live as long, by address.
    streams: HashMap<usize, (u32, Arc<Lane>)>,
    /// What encrypts records of streams under a key, and how many it has.
    data_key: Option<(DataKey, u64)>,
    /// Frames that are to be written.
    buffer: Vec<u8>,
    /// What waits for them.
    waiting: Vec<Waiting>,
}

struct Waiting {
    lane: Arc<Lane>,
    cost: u64,
    ticket: Option<Ticket>,
}

impl Journal {
    pub(super) fn new(shared: Arc<Shared>, folder: PathBuf, flush_interval: Duration, segment_bytes: u64) -> Self {
        Self { shared, folder, flush_interval, segment_bytes, maker: LineMaker::default(), open: None }
    }

    /// Takes a record; it is in the journal after the next [`Journal::commit`].
    pub(super) fn add(&mut self, record: Record) {
        let Record { lane, exchange, cost, ticket } = record;
        let waiting = Waiting { lane, cost, ticket };
        if waiting.ticket.as_ref().is_some_and(Ticket::is_given_up) {
            return self.drop_record(waiting, "the journal cannot be written fast enough");
        }
        if !self.shared.room.has_journal_room(cost) {
            return self.drop_record(waiting, "storage does not keep up, and the journal is full");
        }
        if folder::is_nearly_full(&self.folder, cost) {
            self.shared.room.refuse();
            return self.drop_record(waiting, "the disk of the journal is nearly full");
        }
        let opened = match self.open.take() {
            Some(open) => Ok(open),
            None => tried_for_a_second(|| self.open_segment()),
        };
        let open = match opened {
            Ok(open) => self.open.insert(open),
            Err(error) => {
                tracing::debug!(%error, folder = %self.folder.display(), "the journal cannot be written");
                return self.drop_record(waiting, &format!("the journal cannot be written: {error}"));
            }
        };
        let lane = &waiting.lane;
        let keys = self.shared.outbox.journal_keys().filter(|_| lane.plan.kms_key_id.is_some());
        if let Some(Err(error)) = keys.map(|keys| open.make_data_key(keys)) {
            return self.drop_record(waiting, &format!("the journal cannot be encrypted: {error}"));
        }
        let next = open.streams.len() as u32;
        let (number, _) = *open.streams.entry(Arc::as_ptr(lane) as usize).or_insert_with(|| {
            open.segment.write_stream(&mut open.buffer, next, &lane.plan);
            (next, Arc::clone(lane))
        });
        let maker = &mut self.maker;
        let line = |out: &mut Vec<u8>| maker.write(out, &lane.plan, &exchange);
        match &mut open.data_key {
            Some((data_key, sealed)) if keys.is_some() => {
                let sealing = (&*data_key, *sealed);
                open.segment.write_sealed_record(&mut open.buffer, number, exchange.time, sealing, line);
                *sealed += 1;
            }
            _ => open.segment.write_record(&mut open.buffer, number, exchange.time, line),
        }
        open.waiting.push(waiting);
        if open.segment.length + open.buffer.len() as u64 >= self.segment_bytes {
            self.commit();
            self.seal();
        }
    }

    /// Writes and syncs what was added, and lets the answers go.
    pub(super) fn commit(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| !open.buffer.is_empty()) else { return };
        let written = tried_for_a_second(|| open.write());
        let waiting = std::mem::take(&mut open.waiting);
        match written {
            Ok(()) => {
                let before = open.segment.charge();
                open.segment.length += open.buffer.len() as u64;
                self.shared.room.grow_journal(open.segment.charge() - before);
                open.buffer.clear();
                // A batch of large records does not keep its memory.
                open.buffer.shrink_to(1 << 20);
                for Waiting { lane, cost, ticket } in waiting {
                    self.shared.room.release(&lane, cost);
                    ticket.into_iter().for_each(Ticket::settle);
                }
            }
            Err(error) => {
                open.buffer.clear();
                for waiting in waiting {
                    self.drop_record(waiting, &format!("the journal cannot be written: {error}"));
                }
                // The numbers of streams in what was not written are not in the file.
                self.seal();
            }
        }
    }

    /// When the open segment has to go on its way.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // While the store does not keep up, few large segments are better than many small ones.
        let open = self.open.as_ref().filter(|_| !self.shared.outbox.has_untried_segments())?;
        open.opened.checked_add(self.flush_interval)
    }

    /// Sends the open segment on its way.
    pub(super) fn seal(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.segment.length > MAGIC.len() as u64 {
            return self.shared.outbox.send_segment(open.segment);
        }
        self.shared.room.shrink_journal(open.segment.charge());
        if let Err(error) = std::fs::remove_file(&open.segment.path) {
            tracing::debug!(%error, path = %open.segment.path.display(), "an empty journal could not be deleted");
        }
    }

    fn open_segment(&self) -> std::io::Result<OpenSegment> {
        let segment = Segment::new(&self.folder);
        let path = segment.path.clone();
        let opened = self.begin(segment);
        if opened.is_err() {
            // A full disk that is tried again and again would fill with names.
            let _ = std::fs::remove_file(path);
        }
        opened
    }

    fn begin(&self, segment: Segment) -> std::io::Result<OpenSegment> {
        let file = File::create_new(&segment.path)?;
        let mut open = OpenSegment {
            segment,
            file,
            opened: Instant::now(),
            streams: HashMap::new(),
            data_key: None,
            buffer: MAGIC.to_vec(),
            waiting: Vec::new(),
        };
        open.write()?;
        // The file is there after a crash of the machine if its folder says so.
        folder::sync(&self.folder)?;
        open.segment.length = open.buffer.len() as u64;
        open.buffer.clear();
        self.shared.room.grow_journal(open.segment.charge());
        Ok(open)
    }

    fn drop_record(&self, waiting: Waiting, reason: &str) {
        self.shared.losses.drop_records(&waiting.lane.counts, 1, reason);
        self.shared.room.release(&waiting.lane, waiting.cost);
        waiting.ticket.into_iter().for_each(Ticket::settle);
    }
}

impl OpenSegment {
    /// Has a data key from now on.
    fn make_data_key(&mut self, keys: &KmsKeys) -> Result<(), watchkeeper_store::Error> {
        if self.data_key.is_none() {
            let (data_key, wrapped) = keys.new_data_key(&self.segment.key_context())?;
            self.segment.write_data_key(&mut self.buffer, &wrapped);
            self.data_key = Some((data_key, 0));
        }
        Ok(())
    }

    /// Writes what is in the buffer behind what is synced. It may be tried again: what a failed try has written is cut
    /// off first, because pages that could not be synced count as clean afterwards.
    fn write(&mut self) -> std::io::Result<()> {
        let written = self.file.write_all_at(&self.buffer, self.segment.length).and_then(|()| self.file.sync_data());
        if written.is_err() {
            let _ = self.file.set_len(self.segment.length);
        }
        written
    }
}

/// Tries until it works, for as long as an answer may wait.
#[expect(
    clippy::disallowed_methods,
    reason = "a disk tells nobody that it can be written again; the thread is our own"
)]
fn tried_for_a_second<T>(mut attempt: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    let begun = Instant::now();
    loop {
        match attempt() {
            // A disk that is full, or mounted read-only, stays so for longer than anybody may wait.
            Err(error) if StorageFault::of_file(&error).is_none() && begun.elapsed() + PAUSE < LONGEST_WAIT => {
                std::thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}
