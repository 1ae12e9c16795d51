//! Records that give no row: which of them end the job, and what is said of the others.

use watchkeeper_formats::CaptureRecord;

use super::counted;
use crate::members::BadRecord;

/// Why a record gives no row.
pub(crate) enum Unused {
    /// It is dropped and counted.
    Dropped(String),
    /// It ends the job.
    Bad(BadRecord),
}

impl From<BadRecord> for Unused {
    fn from(problem: BadRecord) -> Self {
        Self::Bad(problem)
    }
}

/// Records that were dropped.
#[derive(Default)]
pub(crate) struct Dropped {
    count: u64,
    first_reason: Option<String>,
}

impl Dropped {
    /// Counts a record that gives no row; `record` is what it is called.
    pub(crate) fn settle(
        &mut self,
        added: Result<(), Unused>,
        record: impl FnOnce() -> String,
    ) -> Result<(), BadRecord> {
        match added {
            Ok(()) => Ok(()),
            Err(Unused::Bad(problem)) => Err(problem),
            Err(Unused::Dropped(reason)) => {
                self.count += 1;
                self.first_reason.get_or_insert_with(|| format!("{}: {reason}", record()));
                Ok(())
            }
        }
    }

    /// How many there are, and why the first was dropped.
    pub(crate) fn count_and_reason(&self) -> (u64, Option<String>) {
        (self.count, self.first_reason.clone())
    }

    /// What whoever reads the result should know of them.
    pub(crate) fn notes(&self) -> Vec<String> {
        match &self.first_reason {
            None => Vec::new(),
            Some(reason) => vec![format!("{} dropped, the first: {reason}", counted(self.count))],
        }
    }
}

/// What a record is called in a message.
pub(crate) fn name_of(record: &CaptureRecord<'_>) -> String {
    let metadata = &record.event_metadata;
    let id = metadata.inference_id.as_deref().or(metadata.event_id.as_deref()).unwrap_or("without an id");
    format!("capture `{}`", &id[..id.floor_char_boundary(60)])
}
