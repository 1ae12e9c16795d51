//! Log events and what is asked for.

/// An event that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Its time.
    pub timestamp: i64,
    /// Its text.
    pub message: String,
}

/// An event that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Unique among all events, and the same whenever it is read: 56 decimal digits.
    pub id: String,
    /// The stream's name.
    pub stream: String,
    /// Its time.
    pub timestamp: i64,
    /// Its text.
    pub message: String,
    /// When it came in.
    pub ingestion: i64,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: i64,
    /// Bytes of all messages.
    pub stored_bytes: u64,
    /// Days after which events are removed; none: never.
    pub retention_days: Option<u32>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: i64,
    /// The earliest time of an event.
    pub first_event: Option<i64>,
    /// The latest time of an event.
    pub last_event: Option<i64>,
    /// When an event came in last.
    pub last_ingestion: Option<i64>,
    /// Bytes of all messages.
    pub stored_bytes: u64,
}

/// What streams are sorted by; ties are in the order of their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamOrder {
    /// The name.
    #[default]
    Name,
    /// The latest time of an event; a stream without events comes first.
    LastEventTime,
}

/// A place in a list of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The latest time of an event, for that order.
    pub last_event: Option<i64>,
    /// The stream's name.
    pub name: String,
}

/// Which streams of a group to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamsQuery {
    /// The group.
    pub group: String,
    /// What names begin with; may be empty.
    pub prefix: String,
    /// The order.
    pub order: StreamOrder,
    /// The order backwards.
    pub descending: bool,
    /// Only streams behind this position.
    pub after: Option<StreamPosition>,
    /// The most streams; 0: no limit.
    pub limit: usize,
}

/// Which events of one stream to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsQuery {
    /// The first millisecond.
    pub start: Option<i64>,
    /// The first millisecond behind the window.
    pub end: Option<i64>,
    /// Without a token: from the oldest event on, else the newest ones.
    pub from_head: bool,
    /// The most events; 0: as many as a page holds (10,000 events, 1 MiB of messages).
    pub limit: usize,
    /// A token of a page before.
    pub token: Option<String>,
}

/// Events of one stream, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Reads on behind this page. At the end of the stream it stays the same, and later returns what has come since.
    pub forward: String,
    /// Reads backwards from this page. At the beginning of the stream it stays the same.
    pub backward: String,
}

/// Which streams of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamSelection {
    /// All.
    #[default]
    All,
    /// Those whose names begin with this.
    Prefix(String),
    /// Those with these names.
    Names(Vec<String>),
}

/// Says of a message whether it is wanted.
pub type Predicate = std::sync::Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which events of several streams to read.
#[derive(Clone, Default)]
pub struct FilterQuery {
    /// Which streams.
    pub streams: StreamSelection,
    /// The first millisecond.
    pub start: Option<i64>,
    /// The first millisecond behind the window.
    pub end: Option<i64>,
    /// Which messages; none: all.
    pub predicate: Option<Predicate>,
    /// The most events; 0: as many as a page holds (10,000 events, 1 MiB of messages).
    pub limit: usize,
    /// The token of the page before.
    pub token: Option<String>,
}

/// Events of several streams in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilteredPage {
    /// The events; there may be none, and more to come.
    pub events: Vec<StoredEvent>,
    /// Reads on; none where there are no more.
    pub next: Option<String>,
}
