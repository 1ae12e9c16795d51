//! What a merge of captures and labels found: the answer to "where are my rows". AWS has no such file.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json;

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeReport {
    /// First and last hour folder that captures were read from, `2021/05/26/00`.
    pub hours: Option<(String, String)>,
    /// Files and records of captures.
    pub captures: SideOfMerge,
    /// Files and records of labels.
    pub ground_truth: SideOfMerge,
    /// Captured records that got a label.
    pub matched: u64,
    /// Matched records whose time is outside the window, where the window is known; the analysis leaves them out.
    pub out_of_window: Option<u64>,
    /// Labels that came for an id which had one: the last one counts.
    pub duplicate_labels: DuplicateLabels,
}

/// One side of the join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideOfMerge {
    /// Files read.
    pub files: u64,
    /// Records read.
    pub records: u64,
    /// Records (captures) or ids (labels) without a partner.
    pub unmatched: u64,
    /// Some ids of those, the first ones met; long ones cut.
    pub unmatched_ids: Vec<String>,
    /// Pieces of files that are no record.
    pub rejected: u64,
    /// Some of those: file, line and what is wrong.
    pub rejected_samples: Vec<String>,
}

/// Labels for ids that had one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateLabels {
    /// Labels that were replaced by a later one.
    pub replaced: u64,
    /// Of these, labels that differ from the one which replaced them.
    pub with_other_value: u64,
    /// Some ids of those, the first ones met; long ones cut.
    pub with_other_value_ids: Vec<String>,
}

impl MergeReport {
    /// Reads a file.
    ///
    /// # Errors
    /// Not a document of this kind.
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }
}
