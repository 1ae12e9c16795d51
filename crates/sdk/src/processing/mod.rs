//! Processing jobs: Python's `sagemaker.processing`, as far as monitors need it.
//!
//! What goes in is a [`ProcessingInput`], what comes out a [`ProcessingOutput`], the job itself a [`ProcessingJob`], which can
//! be waited for, described and stopped. Baselines and executions of schedules are such jobs with files of their own:
//! [`BaseliningJob`](crate::model_monitor::BaseliningJob) and [`MonitoringExecution`](crate::model_monitor::MonitoringExecution).

mod dataset_definition;
mod description;
mod input;
mod job;
mod output;
mod start;
mod tag;
mod words;

pub use dataset_definition::{AthenaDatasetDefinition, DatasetDefinition, RedshiftDatasetDefinition};
pub use description::{
    AppSpecification, ClusterConfig, ExperimentConfig, ProcessingJobDescription, ProcessingOutputConfig,
    ProcessingResources, StoppingCondition,
};
pub use input::{ProcessingInput, S3Input};
pub use job::{ProcessingJob, WaitForJob};
pub use output::{FeatureStoreOutput, ProcessingOutput, S3Output};
pub use tag::Tag;
pub use words::{
    ProcessingJobStatus, S3CompressionType, S3DataDistributionType, S3DataType, S3InputMode, S3UploadMode,
};

pub(crate) use start::{Processor, Run, start};
pub(crate) use tag::tags_of;

/// Whether a call that starts a job waits for its end: Python's `wait` and `logs` in one.
///
/// ```
/// use watchkeeper::processing::Wait;
///
/// assert_eq!(Wait::default(), Wait::WithLogs);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The call is done when the job is started: `wait=False, logs=False`.
    No,
    /// Waits, and tells of states alone: `wait=True, logs=False`.
    Quietly,
    /// Waits, and tells of every line of the job's log: `wait=True, logs=True`.
    #[default]
    WithLogs,
}
