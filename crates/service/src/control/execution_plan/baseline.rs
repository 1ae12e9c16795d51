//! What an execution compares with.

use watchkeeper_aws::generated::sagemaker::{MonitoringType, ProcessingJobStatus};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};

use super::definition::BaselineReference;
use crate::control::monitoring_input::constraints_file;
use crate::control::processing_job::ProcessingJob;

/// What an execution compares with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Address of the constraints.
    pub constraints: Option<String>,
    /// Address of the statistics.
    pub statistics: Option<String>,
    /// Where the prediction columns stand in the baseline, when they do not stand where AWS expects them.
    pub output_columns_position: Option<OutputColumnsPosition>,
    /// The job that makes it and has not ended well, with its status.
    pub unfinished_job: Option<(String, ProcessingJobStatus)>,
}

/// The baseline of a definition; `job` is the one that made it, when it is known. Addresses that the definition gives win.
///
/// AWS forgets where the prediction columns stood in the baseline, which shifts names for everybody whose label is the
/// last column; here a baseline that was made with `END` is compared with rows that are put together the same way.
pub fn baseline(
    reference: &BaselineReference,
    monitoring_type: MonitoringType,
    job: Option<&ProcessingJob>,
) -> Baseline {
    let mut baseline = Baseline {
        constraints: reference.constraints.clone(),
        statistics: reference.statistics.clone(),
        ..Baseline::default()
    };
    let Some(job) = job else { return baseline };
    let Some(folder) = output_folder(job) else { return baseline };
    let constraints = folder.join(constraints_file(monitoring_type)).to_string();
    if reference.job_name.is_some() && baseline.constraints.is_none() && baseline.statistics.is_none() {
        baseline.constraints = Some(constraints.clone());
        baseline.statistics =
            (monitoring_type == MonitoringType::DataQuality).then(|| folder.join("statistics.json").to_string());
    }
    if baseline.constraints.as_ref().is_some_and(|address| same_object(address, &constraints)) {
        baseline.output_columns_position = position(job).filter(|position| *position == OutputColumnsPosition::End);
        baseline.unfinished_job =
            (job.status != ProcessingJobStatus::Completed).then(|| (job.name().to_owned(), job.status));
    }
    baseline
}

/// The folder that a job's results go to.
fn output_folder(job: &ProcessingJob) -> Option<S3Uri> {
    let outputs = &job.request.processing_output_config.as_ref()?.outputs;
    outputs.first()?.s3_output.as_ref()?.s3_uri.parse().ok()
}

fn position(job: &ProcessingJob) -> Option<OutputColumnsPosition> {
    let format = job.request.environment.as_ref()?.get("dataset_format")?;
    match DatasetFormat::parse(format).ok()? {
        DatasetFormat::Csv { output_columns_position, .. } => Some(output_columns_position),
        _ => None,
    }
}

fn same_object(one: &str, other: &str) -> bool {
    matches!((one.parse::<S3Uri>(), other.parse::<S3Uri>()), (Ok(one), Ok(other)) if one == other)
}
