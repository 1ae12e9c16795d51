//! A job that merges captures with ground truth, typed.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{JobContract, OUTPUT_MESSAGE_FILE};
use crate::dataset_format::DatasetFormat;
use crate::error::Error;

const START_TIME: &str = "WATCHKEEPER_START_TIME";
const END_TIME: &str = "WATCHKEEPER_END_TIME";

/// A merge of captures with ground truth.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeJob {
    /// `dataset_source`: folder of the captures, `<endpoint>/<variant>/yyyy/mm/dd/hh` below it; of a batch transform its output,
    /// `<schedule>/yyyy/mm/dd/hh`.
    pub dataset_source: PathBuf,
    /// `ground_truth_source`: folder of the labels, `yyyy/mm/dd/hh` below it.
    pub ground_truth_source: PathBuf,
    /// `output_path`: folder of the results, which has the layout of the captures.
    pub output_path: PathBuf,
    /// `dataset_format`: what a batch transform wrote; None for captures of an endpoint.
    pub dataset_format: Option<DatasetFormat>,
    /// `WATCHKEEPER_START_TIME` and `WATCHKEEPER_END_TIME`: the window of the analysis to come, for the report.
    pub window: Option<(Timestamp, Timestamp)>,
    /// `output_message_file`: file of the exit message.
    pub output_message_file: PathBuf,
}

impl MergeJob {
    /// The typed reading of the variables.
    ///
    /// # Errors
    /// Names the variable, its value and what is expected.
    pub fn from_contract(contract: &JobContract) -> Result<Self, Error> {
        let path = |name, expected| contract.required(name, expected).map(|value| contract.path(value));
        Ok(Self {
            dataset_source: path("dataset_source", "the folder of the captures")?,
            ground_truth_source: path("ground_truth_source", "the folder of the labels")?,
            output_path: path("output_path", "the folder of the results")?,
            dataset_format: contract.variable("dataset_format").map(DatasetFormat::parse).transpose()?,
            window: contract.time(START_TIME)?.zip(contract.time(END_TIME)?),
            output_message_file: contract.path(contract.variable("output_message_file").unwrap_or(OUTPUT_MESSAGE_FILE)),
        })
    }
}
