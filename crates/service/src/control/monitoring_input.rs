//! The parts that embedded and named monitoring definitions have in common: checks of what they say, and defaults.

use std::str::FromStr;

use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::{
    BatchTransformInput, EndpointInput, MonitoringConstraintsResource, MonitoringOutputConfig,
    MonitoringStatisticsResource, MonitoringStoppingCondition, MonitoringType, ProcessingS3DataDistributionType,
    ProcessingS3InputMode, ProcessingS3UploadMode,
};
use watchkeeper_aws::types::{S3Uri, TimeOffset};

use super::addresses::{check_local_path, check_uri};
use super::names;
use super::processing_job::ProcessingJob;

/// The time limit of a monitoring job whose definition has none.
pub const USUAL_TIME_LIMIT: i32 = 3600;

/// Fills what one input of a definition leaves out; there is one, either of an endpoint or of batch transform jobs.
pub fn fill(endpoint: Option<&mut EndpointInput>, batch: Option<&mut BatchTransformInput>) -> Result<(), Error> {
    let (path, mode, distribution, start, end) = match (endpoint, batch) {
        (Some(input), None) => (
            &input.local_path,
            &mut input.s3_input_mode,
            &mut input.s3_data_distribution_type,
            &input.start_time_offset,
            &input.end_time_offset,
        ),
        (None, Some(input)) => {
            check_uri("DataCapturedDestinationS3Uri", &input.data_captured_destination_s3_uri)?;
            (
                &input.local_path,
                &mut input.s3_input_mode,
                &mut input.s3_data_distribution_type,
                &input.start_time_offset,
                &input.end_time_offset,
            )
        }
        (Some(_), Some(_)) => {
            return Err(Error::validation("Only one of EndpointInput and BatchTransformInput can be specified"));
        }
        (None, None) => return Err(Error::validation("Either EndpointInput or BatchTransformInput is required")),
    };
    check_local_path("MonitoringInput", path)?;
    mode.get_or_insert(ProcessingS3InputMode::File);
    distribution.get_or_insert(ProcessingS3DataDistributionType::FullyReplicated);
    let start = start.as_deref().map(|text| offset("StartTimeOffset", text)).transpose()?;
    let end = end.as_deref().map(|text| offset("EndTimeOffset", text)).transpose()?;
    match (start, end) {
        (Some(start), Some(end)) if start.duration() >= end.duration() => {
            Err(Error::validation(format!("StartTimeOffset {start} must be earlier than EndTimeOffset {end}")))
        }
        _ => Ok(()),
    }
}

/// An offset of a request.
pub fn offset(member: &str, text: &str) -> Result<TimeOffset, Error> {
    TimeOffset::from_str(text).map_err(|error| Error::validation(format!("{member}: {error}")))
}

/// Fills what the output of a definition leaves out.
pub fn fill_output(config: &mut MonitoringOutputConfig) -> Result<(), Error> {
    for output in &mut config.monitoring_outputs {
        check_uri("MonitoringOutput", &output.s3_output.s3_uri)?;
        check_local_path("MonitoringOutput", &output.s3_output.local_path)?;
        output.s3_output.s3_upload_mode.get_or_insert(ProcessingS3UploadMode::Continuous);
    }
    Ok(())
}

/// Fills in the time limit.
pub fn fill_time_limit(condition: &mut Option<MonitoringStoppingCondition>) {
    condition.get_or_insert(MonitoringStoppingCondition { max_runtime_in_seconds: USUAL_TIME_LIMIT });
}

/// The file of a baselining job's results that a monitor compares with.
pub fn constraints_file(monitoring_type: MonitoringType) -> &'static str {
    match monitoring_type {
        MonitoringType::DataQuality | MonitoringType::ModelQuality => "constraints.json",
        MonitoringType::ModelBias | MonitoringType::ModelExplainability => "analysis.json",
    }
}

/// The baseline that a definition names: a job, the files, or both.
pub struct Baseline<'a> {
    /// The job that makes the files.
    pub job_name: Option<&'a str>,
    /// The constraints.
    pub constraints: &'a mut Option<MonitoringConstraintsResource>,
    /// The statistics, for monitors that compare with them.
    pub statistics: Option<&'a mut Option<MonitoringStatisticsResource>>,
}

impl Baseline<'_> {
    /// Fills in the addresses of the files that a baselining job makes; files that the definition names itself win. The
    /// job may still run, so nothing is looked for here.
    pub fn resolve(mut self, monitoring_type: MonitoringType, job: Option<&ProcessingJob>) -> Result<(), Error> {
        if let Some(uri) = self.constraints_uri() {
            check_uri("ConstraintsResource", uri)?;
        }
        if let Some(uri) = self.statistics_uri() {
            check_uri("StatisticsResource", uri)?;
        }
        let is_complete =
            self.constraints_uri().is_some() && (self.statistics.is_none() || self.statistics_uri().is_some());
        let Some(name) = self.job_name.filter(|_| !is_complete) else { return Ok(()) };
        let job = job.ok_or_else(|| names::job_not_found(name))?;
        let folder: S3Uri = job.first_output().and_then(|uri| uri.parse().ok()).ok_or_else(|| {
            Error::validation(format!("The baselining job {name} has no output that a baseline could be read from"))
        })?;
        let resource = self.constraints.get_or_insert_default();
        resource.s3_uri.get_or_insert_with(|| folder.join(constraints_file(monitoring_type)).to_string());
        if let Some(statistics) = &mut self.statistics {
            let resource = statistics.get_or_insert_default();
            resource.s3_uri.get_or_insert_with(|| folder.join("statistics.json").to_string());
        }
        Ok(())
    }

    fn constraints_uri(&self) -> Option<&str> {
        self.constraints.as_ref()?.s3_uri.as_deref()
    }

    fn statistics_uri(&self) -> Option<&str> {
        self.statistics.as_ref()?.as_ref()?.s3_uri.as_deref()
    }
}
