//! The first half of an execution of two jobs: what was captured is merged with ground truth before it is analysed.
//!
//! All that the second half needs is kept with the execution when the first begins, so that nothing which happens meanwhile
//! to the schedule or its definition changes what is analysed.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::CreateProcessingJobRequest;
use watchkeeper_formats::MergeReport;

use super::execution::Window;

/// The merge of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The merge job's ARN.
    pub job_arn: String,
    /// The request of the job to come, whose data is a folder that has yet to be narrowed down to its hours; None once that
    /// job is there, or never will be.
    pub analysis: Option<Box<CreateProcessingJobRequest>>,
    /// Whether folders of variants stand above those of the hours: an endpoint's captures.
    pub has_variants: bool,
    /// The hours whose folders are merged.
    pub hours: Window,
    /// What earlier merges left in these hours, by [`fingerprint_of_put`]: what is still among it once this one has ended was
    /// not written by it. Moments alone would not do, as clocks are put back.
    #[serde(default)]
    pub left: Vec<u64>,
    /// Labels that were there when the merge was planned.
    pub labels: Labels,
    /// What came of it; None before its end and where it failed.
    pub merged: Option<Merged>,
}

/// The objects that held ground truth at some moment: a time alone would not do, as objects come to folders of other hours,
/// and are listed in no order of their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// How many.
    pub objects: u64,
    /// A sum over their keys and contents, whatever their order.
    pub fingerprint: u64,
    /// When the newest was put.
    pub newest: Option<Time>,
}

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// A fingerprint of the merged lines: of two merges with the same the second has found out nothing.
    pub fingerprint: u64,
    /// What the program has counted; None where it left no report.
    pub counts: Option<MergeCounts>,
    /// Address of its report.
    pub report: Option<String>,
}

/// Figures of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeCounts {
    /// Captured records.
    pub captures: u64,
    /// Records of ground truth.
    pub labels: u64,
    /// Captured records that got a label.
    pub matched: u64,
    /// Labels without a captured record, by their ids.
    pub labels_without_capture: u64,
    /// Matched records outside the window, where the program knew it.
    pub out_of_window: Option<u64>,
}

impl Labels {
    /// Whether these were the same objects with the same content.
    pub fn are_those_of(&self, other: &Self) -> bool {
        (self.objects, self.fingerprint) == (other.objects, other.fingerprint)
    }

    /// With one more object.
    pub fn add(&mut self, key: &str, content: &str, put: Time) {
        self.objects += 1;
        self.fingerprint = self.fingerprint.wrapping_add(fingerprint_of_object(key, content));
        self.newest = self.newest.max(Some(put));
    }
}

impl std::ops::AddAssign for Labels {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
        self.newest = self.newest.max(other.newest);
    }
}

/// A fingerprint of an object by its key and its `ETag`.
pub fn fingerprint_of_object(key: &str, etag: &str) -> u64 {
    xxhash_rust::xxh64::xxh64(key.as_bytes(), xxhash_rust::xxh64::xxh64(etag.as_bytes(), 0))
}

/// The same by the moment at which it was put, too: it differs once the object is put again.
pub fn fingerprint_of_put(key: &str, etag: &str, put: Time) -> u64 {
    xxhash_rust::xxh64::xxh64(&put.0.as_nanosecond().to_le_bytes(), fingerprint_of_object(key, etag))
}

impl From<&MergeReport> for MergeCounts {
    fn from(report: &MergeReport) -> Self {
        Self {
            captures: report.captures.records,
            labels: report.ground_truth.records,
            matched: report.matched,
            labels_without_capture: report.ground_truth.unmatched,
            out_of_window: report.out_of_window,
        }
    }
}
