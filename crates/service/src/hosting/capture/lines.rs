//! Lines of one variant and hour, on their way to an object.

use jiff::Timestamp;

use super::Exchange;
use super::line::LineMaker;
use super::room::{Lane, Losses, Room};

/// They count as memory of their lane by their length.
pub(super) struct Lines {
    /// The moment of the first record.
    pub(super) first: Timestamp,
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
}

impl Lines {
    pub(super) fn with_capacity(first: Timestamp, bytes: usize) -> Self {
        Self { first, bytes: Vec::with_capacity(bytes), records: 0 }
    }

    /// Adds the line of an exchange for which `cost` bytes of memory are held. From here on the line counts, whose text may be longer
    /// than the payloads; where there is no room for that it is dropped.
    pub(super) fn write(
        &mut self,
        maker: &mut LineMaker,
        (room, losses): (&Room, &Losses),
        lane: &Lane,
        exchange: &Exchange,
        cost: u64,
    ) {
        let start = self.bytes.len();
        maker.write(&mut self.bytes, &lane.plan, exchange);
        let length = (self.bytes.len() - start) as u64;
        if length <= cost {
            room.release(lane, cost - length);
        } else if !room.hold(lane, length - cost) {
            self.bytes.truncate(start);
            room.release(lane, cost);
            return losses.drop_records(&lane.counts, 1, NO_ROOM);
        }
        self.records += 1;
    }

    /// Adds lines of the same variant and hour.
    pub(super) fn append(&mut self, other: &Self) {
        if self.records == 0 {
            self.first = other.first;
        }
        self.bytes.extend_from_slice(&other.bytes);
        self.records += other.records;
    }
}

/// Why records are dropped while the store does not take them.
pub(super) const NO_ROOM: &str = "storage does not keep up, and the memory for it is full";
