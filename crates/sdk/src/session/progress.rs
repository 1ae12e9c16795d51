//! What whoever waits gets to see.

use std::io::Write as _;
use std::sync::Arc;

/// What happens while a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A resource was seen in this state.
    Status {
        /// What it is: `processing job nightly`.
        resource: &'a str,
        /// The state it is in.
        status: &'a str,
    },
    /// A line of a job's log.
    Log {
        /// The stream it is in.
        stream: &'a str,
        /// The line, without its end.
        line: &'a str,
    },
}

type Tell = dyn Fn(Progress<'_>) + Send + Sync;

/// Whoever is told.
#[derive(Clone, Default)]
pub(super) struct Listener(Option<Arc<Tell>>);

impl Listener {
    pub(super) fn new(listener: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(super) fn tell(&self, progress: Progress<'_>) {
        match (&self.0, progress) {
            (Some(listener), progress) => listener(progress),
            (None, Progress::Log { line, .. }) => {
                // Nobody is helped by a job that fails because nobody reads its log.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            (None, Progress::Status { .. }) => {}
        }
    }
}
