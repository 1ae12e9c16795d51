//! A job that merges captures with ground truth, typed.

use std::path::PathBuf;

use jiff::Timestamp;

use super::JobContract;
use super::variables::{DATASET_FORMAT, DATASET_SOURCE, OUTPUT_PATH};
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
        Ok(Self {
            dataset_source: contract.required_path(DATASET_SOURCE, "the folder of the captures")?,
            ground_truth_source: contract.required_path("ground_truth_source", "the folder of the labels")?,
            output_path: contract.required_path(OUTPUT_PATH, "the folder of the results")?,
            dataset_format: contract.variable(DATASET_FORMAT).map(DatasetFormat::parse).transpose()?,
            window: contract.time(START_TIME)?.zip(contract.time(END_TIME)?),
            output_message_file: contract.output_message_file(),
        })
    }
}
