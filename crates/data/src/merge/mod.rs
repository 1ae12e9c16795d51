//! The join of captured inferences with labels that came later (section 6 of model quality).
//!
//! Labels are few bytes, captures many: the labels' ids go into an index, captures stream past it and are written as they come,
//! the label put into the line. Where the index does not fit into its budget, both sides' ids are parted by hash into the scratch
//! folder and joined part by part, and captures are read a second time to be written in their own order.
//!
//! What was captured is copied, not printed anew: a line that needs no repair keeps its bytes up to the brace that closes it.

mod batch;
mod captures;
mod hours;
mod in_order;
mod join;
mod label_lines;
mod labels;
mod lines;
mod object;
mod pieces;
mod run;
mod samples;
mod scan;
mod shape;
mod spill;
mod window;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use watchkeeper_formats::{DatasetFormat, MergeReport};
use xxhash_rust::xxh3::xxh3_128;

use crate::Error;

/// What to merge.
#[derive(Clone, Debug)]
pub struct Merge {
    /// Folder of captures, with hour folders somewhere below it.
    pub captures: PathBuf,
    /// Folder of labels, with hour folders below it.
    pub ground_truth: PathBuf,
    /// What a batch transform wrote; None: capture lines of an endpoint, or where a line is none, what it looks like. Below folders
    /// of endpoint and variant there are capture lines alone.
    pub batch_format: Option<DatasetFormat>,
    /// The window of the analysis to come, for the report.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Where ids go that do not fit into memory.
    pub scratch: PathBuf,
    /// Bytes of memory for labels.
    pub budget: usize,
    /// Threads that parse.
    pub threads: usize,
}

/// Where merged lines go.
pub trait MergeOutput {
    /// Begins the lines of an hour folder, a path below the folder of captures such as `endpoint/variant/2021/05/26/00`; empty
    /// for captures that lie in none. Called before its first line, so that no folder is without lines.
    fn begin(&mut self, folder: &Path) -> std::io::Result<()>;

    /// Whole lines of the folder begun last.
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()>;

    /// An hour folder of captures none of which has a label: lines that an earlier merge wrote for it are out of date.
    fn nothing(&mut self, folder: &Path) -> std::io::Result<()>;
}

/// How far a merge has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeProgress {
    /// Bytes read of both sides, compressed where they are compressed; what is read a second time counts twice.
    pub bytes: u64,
    /// Labels and captures read.
    pub records: u64,
}

/// Merges; what is written is whole only when this returns. Called now and then, `progress` says false to stop.
///
/// # Errors
/// A folder cannot be read, the output takes no more, batch data without inference ids. That nothing matches is no error here: the
/// report says so.
pub fn merge(
    merge: &Merge,
    output: &mut dyn MergeOutput,
    progress: &dyn Fn(MergeProgress) -> bool,
) -> Result<MergeReport, Error> {
    join::Join::new(merge, progress)?.run(output)
}

/// The name of the file of merged lines of an hour folder: always the same, so that merging an hour again replaces what was there.
pub fn part_name(folder: &Path) -> String {
    let names: Vec<_> = folder.components().map(|component| component.as_os_str().as_encoded_bytes()).collect();
    let hash = xxh3_128(&names.join(&b'/'));
    // The layout of a UUID of version 8: its makers say what its bits are.
    let bits = hash & !(0xF << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let uuid = format!("{bits:032x}");
    let (a, b, c, d, e) = (&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]);
    format!("part-00000-{a}-{b}-{c}-{d}-{e}.c000.jsonl")
}
