//! What is named: the ARNs of every kind of resource, names out of ARNs, and what is said of the names of jobs.
//!
//! ARNs hold names in lower case and names are unique without regard to case, so a name out of an ARN finds its resource.

use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::MonitoringType;
use watchkeeper_aws::types::{Arn, resource_arn};

use super::Stamp;

/// A kind of resource that has an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A processing job.
    ProcessingJob,
    /// A batch transform job.
    TransformJob,
    /// A monitoring schedule.
    MonitoringSchedule,
    /// A job definition of one of the four monitors.
    JobDefinition(MonitoringType),
    /// A model.
    Model,
    /// An endpoint configuration.
    EndpointConfig,
    /// An endpoint.
    Endpoint,
}

impl Named {
    const ALL: [Self; 10] = [
        Self::ProcessingJob,
        Self::TransformJob,
        Self::MonitoringSchedule,
        Self::JobDefinition(MonitoringType::DataQuality),
        Self::JobDefinition(MonitoringType::ModelQuality),
        Self::JobDefinition(MonitoringType::ModelBias),
        Self::JobDefinition(MonitoringType::ModelExplainability),
        Self::Model,
        Self::EndpointConfig,
        Self::Endpoint,
    ];

    /// The word before the slash of the resource part.
    pub fn path(self) -> &'static str {
        match self {
            Self::ProcessingJob => "processing-job",
            Self::TransformJob => "transform-job",
            Self::MonitoringSchedule => "monitoring-schedule",
            Self::JobDefinition(MonitoringType::DataQuality) => "data-quality-job-definition",
            Self::JobDefinition(MonitoringType::ModelQuality) => "model-quality-job-definition",
            Self::JobDefinition(MonitoringType::ModelBias) => "model-bias-job-definition",
            Self::JobDefinition(MonitoringType::ModelExplainability) => "model-explainability-job-definition",
            Self::Model => "model",
            Self::EndpointConfig => "endpoint-config",
            Self::Endpoint => "endpoint",
        }
    }

    /// The ARN of a resource of this kind where the stamp says.
    pub fn arn(self, stamp: &Stamp, name: &str) -> String {
        resource_arn(self.path(), &stamp.region, &stamp.account, name)
    }

    /// Kind and name that an ARN of this account speaks of; None for every other text.
    pub fn of_arn(text: &str, account: &str) -> Option<(Self, String)> {
        let arn: Arn = text.parse().ok()?;
        if arn.service != "sagemaker" || arn.account != account {
            return None;
        }
        let (path, name) = arn.resource.split_once('/')?;
        let kind = Self::ALL.into_iter().find(|kind| kind.path() == path)?;
        (!name.is_empty()).then(|| (kind, name.to_owned()))
    }
}

/// The name out of an ARN of this service's own.
pub fn name_in(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The error for a job that there is not, of either kind.
pub fn job_not_found(name: &str) -> Error {
    Error::validation(format!("Could not find requested job with name: {name}"))
}

/// The error for a name that another job of its kind has.
pub fn job_name_taken(arn: &str) -> Error {
    Error::resource_in_use(format!(
        "Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
    ))
}
