//! The fast mode: lines gather in memory, an object for each variant and hour.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::line::LineMaker;
use super::lines::Lines;
use super::queue::Record;
use super::room::Lane;
use super::trays::Written;
use super::{CaptureObject, Shared, hour_of};

/// The lines of the writer's thread.
pub(super) struct Gathering {
    shared: Arc<Shared>,
    flush_interval: Duration,
    object_bytes: usize,
    maker: LineMaker,
    /// Lanes that have lines, by their address: they live as long as they are here.
    lanes: HashMap<usize, Gathered>,
}

struct Gathered {
    lane: Arc<Lane>,
    begun: Instant,
    hours: BTreeMap<i64, Lines>,
    /// Bytes of the last object that was full: the next one is likely to be so, too, and does not grow to that step by step.
    last_full: usize,
}

impl Gathering {
    pub(super) fn new(shared: Arc<Shared>, flush_interval: Duration, object_bytes: u64) -> Self {
        let object_bytes = object_bytes as usize;
        Self { shared, flush_interval, object_bytes, maker: LineMaker::default(), lanes: HashMap::new() }
    }

    /// Takes a record.
    pub(super) fn add(&mut self, record: Record) {
        let Record { lane, exchange, cost, .. } = record;
        let room = (&*self.shared.room, &*self.shared.losses);
        let hour = hour_of(exchange.time);
        let lines = lines_of(&mut self.lanes, &lane, hour, exchange.time);
        lines.write(&mut self.maker, room, &lane, &exchange, cost);
        self.send_full(&lane, hour);
    }

    /// Takes lines.
    pub(super) fn add_lines(&mut self, written: &Written) {
        let Written { lane, hour, lines } = written;
        lines_of(&mut self.lanes, lane, *hour, lines.first).append(lines);
        self.send_full(lane, *hour);
    }

    /// Sends the lines of a lane's hour on their way, if they are enough for an object.
    fn send_full(&mut self, lane: &Arc<Lane>, hour: i64) {
        let Some(gathered) = self.lanes.get_mut(&(Arc::as_ptr(lane) as usize)) else { return };
        let is_full = gathered.hours.get(&hour).is_some_and(|lines| lines.bytes.len() >= self.object_bytes);
        if is_full && let Some(lines) = gathered.hours.remove(&hour) {
            gathered.last_full = lines.bytes.len();
            send(&self.shared, lane, lines);
        }
    }

    /// When the first lines have to go on their way. Those of a lane with an object under way wait for it: while the store
    /// does not keep up, few large objects are better than many small ones.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let free = self.lanes.values().filter(|gathered| gathered.is_free());
        free.filter_map(|gathered| gathered.begun.checked_add(self.flush_interval)).min()
    }

    /// Sends what is due on its way.
    pub(super) fn send_due(&mut self, now: Instant) {
        let interval = self.flush_interval;
        self.send_if(|gathered| gathered.is_free() && now.duration_since(gathered.begun) >= interval);
    }

    /// Sends the lines of an endpoint, or all, on their way.
    pub(super) fn send_of(&mut self, endpoint: Option<&str>) {
        self.send_if(|gathered| {
            endpoint.is_none_or(|endpoint| gathered.lane.plan.endpoint.eq_ignore_ascii_case(endpoint))
        });
    }

    fn send_if(&mut self, is_due: impl Fn(&Gathered) -> bool) {
        let shared = &self.shared;
        self.lanes.retain(|_, gathered| {
            if !is_due(gathered) {
                return true;
            }
            for lines in std::mem::take(&mut gathered.hours).into_values() {
                send(shared, &gathered.lane, lines);
            }
            false
        });
    }
}

/// The lines of a lane's hour, of which there may be none yet.
fn lines_of<'a>(
    lanes: &'a mut HashMap<usize, Gathered>,
    lane: &Arc<Lane>,
    hour: i64,
    first: Timestamp,
) -> &'a mut Lines {
    let gathered = lanes.entry(Arc::as_ptr(lane) as usize).or_insert_with(|| Gathered {
        lane: Arc::clone(lane),
        begun: Instant::now(),
        hours: BTreeMap::new(),
        last_full: 0,
    });
    let last_full = gathered.last_full;
    gathered.hours.entry(hour).or_insert_with(|| Lines::with_capacity(first, last_full))
}

impl Gathered {
    fn is_free(&self) -> bool {
        self.lane.under_way.load(Ordering::Relaxed) == 0
    }
}

fn send(shared: &Shared, lane: &Arc<Lane>, lines: Lines) {
    // The first of an hour may have found no room.
    if lines.records == 0 {
        return;
    }
    let plan = &lane.plan;
    let object = CaptureObject {
        destination: plan.destination.clone(),
        path: CaptureObject::path_of(&plan.endpoint, &plan.variant, lines.first, Uuid::new_v4()),
        kms_key_id: plan.kms_key_id.clone(),
        lines: Bytes::from(lines.bytes),
    };
    shared.outbox.send_lines(Arc::clone(lane), object, lines.records);
}
