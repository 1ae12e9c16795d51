//! The user's own Python scripts: the record preprocessor, and the script that is called after an analysis.
//!
//! What a script is given and what it may return is the contract of the service that the scripts were written for; the
//! object model is in `worker.py`. A script runs in a `python3` process of its own, never inside this one: it may crash,
//! leak, hang or end its process, and the job still ends with a message that says what happened and on which record.
//! Records travel in batches, since a round trip for each would cost more than most handlers do.
//!
//! Promises: a script's output reaches the log line by line, in order, before the result of its batch; memory is bounded
//! by a batch and its results, however much a script prints; when the job ends, for whatever reason, no process of the
//! script's group is left.
//!
//! Decided against: embedding the interpreter (it ties the binary to one Python, and a hanging script could not be
//! killed), and a temporary file with the worker's source (one more thing to find on a full disk).

mod dry_run;
mod error;
mod preprocessor;
mod process;
mod reader;

pub use dry_run::{DryRunSummary, dry_run};
pub use error::{ScriptError, Stage};
pub use preprocessor::{Preprocessor, post_analytics};
pub(crate) use reader::{Script, unwrap_script_error};
pub use watchkeeper_data::Preprocessed;
