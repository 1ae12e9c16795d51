//! What a call says of a schedule's jobs that have a definition, what they run with apart: inputs, scripts, files and places.

use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::ProblemType;

use crate::{Error, Result, Source};

use super::job_definition::JobDefinition;
use super::monitor::Monitor;
use super::monitoring_type::MonitorKind;
use super::schedule::ScheduleTiming;
use super::settings_changes::SettingsChanges;
use super::{BatchTransformInput, ConstraintsSource, MonitoredInput, StatisticsSource};

/// What a call says of a definition; what is none stays as it is. Which of these a call can say is a matter of its setters; what
/// Clarify analyses is beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DefinitionParts {
    /// What an update calls the endpoint; what a creation is made for, whatever it is.
    pub(super) endpoint_input: Option<MonitoredInput>,
    /// What an update calls so.
    pub(super) batch_transform_input: Option<BatchTransformInput>,
    pub(super) ground_truth_input: Option<S3Uri>,
    pub(super) problem_type: Option<ProblemType>,
    pub(super) record_preprocessor_script: Option<Source>,
    pub(super) post_analytics_processor_script: Option<Source>,
    pub(super) output_s3_uri: Option<S3Uri>,
    pub(super) statistics: Option<StatisticsSource>,
    pub(super) constraints: Option<ConstraintsSource>,
    pub(super) enable_cloudwatch_metrics: Option<bool>,
}

impl DefinitionParts {
    /// Whether the call says nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is to be watched, if the call says it.
    ///
    /// # Errors
    /// The call says two things.
    pub(super) fn monitored_input(&self) -> Result<Option<MonitoredInput>> {
        one_input(self.endpoint_input.clone(), self.batch_transform_input.clone())
    }

    /// Uploads scripts, looks at files, and puts all of it into a definition, and what jobs run with.
    pub(super) async fn put_into(
        &self,
        definition: &mut JobDefinition,
        monitor: &Monitor,
        changes: &SettingsChanges,
    ) -> Result<()> {
        let input = self.monitored_input()?;
        definition.set_image_uri(&monitor.image_uri()?);
        if let Some(problem_type) = self.problem_type {
            definition.app_specification.insert("ProblemType".to_owned(), problem_type.as_str().into());
        }
        let scripts = self.scripts(monitor).await?;
        definition.set_scripts(scripts.record_preprocessor.as_ref(), scripts.post_analytics_processor.as_ref());
        definition.set_environment(changes.env.as_ref(), self.enable_cloudwatch_metrics);
        let baseline = BaselineFiles::checked(monitor, self.statistics.as_ref(), self.constraints.as_ref()).await?;
        if let Some(uri) = &baseline.constraints {
            definition.set_constraints(uri);
        }
        if let Some(uri) = &baseline.statistics {
            definition.set_statistics(uri);
        }
        if let Some(input) = &input {
            definition.set_monitored_input(input);
        }
        if let Some(uri) = &self.ground_truth_input {
            definition.set_ground_truth_input(uri);
        }
        if let Some(uri) = &self.output_s3_uri {
            definition.set_output_s3_uri(uri);
        }
        definition.apply(changes);
        Ok(())
    }

    /// The addresses of the scripts, which are uploaded when they are of this machine.
    pub(super) async fn scripts(&self, monitor: &Monitor) -> Result<Scripts> {
        Ok(Scripts {
            record_preprocessor: monitor.monitoring_script(self.record_preprocessor_script.as_ref()).await?,
            post_analytics_processor: monitor.monitoring_script(self.post_analytics_processor_script.as_ref()).await?,
        })
    }
}

impl Monitor {
    /// Makes a job definition of a call's parts, and a schedule of it.
    pub(super) async fn create_schedule_of_parts(
        &mut self,
        kind: &'static MonitorKind,
        mut parts: DefinitionParts,
        schedule_name: Option<String>,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        self.check_unused().await?;
        timing.check()?;
        let schedule_name = self.generate_monitoring_schedule_name(schedule_name);
        let definition_name = self.generate_job_definition_name(kind);
        parts.output_s3_uri = Some(self.monitoring_output_uri(&schedule_name, parts.output_s3_uri.take()).await?);
        parts.enable_cloudwatch_metrics.get_or_insert(true);
        let mut definition = JobDefinition::new(kind);
        parts.put_into(&mut definition, self, &SettingsChanges::all_of(&self.settings)).await?;
        if let Some(job_name) = &self.latest_baselining_job_name {
            definition.set_baselining_job_name(job_name);
        }
        self.create_schedule(definition, definition_name, schedule_name, timing).await
    }

    /// Makes another job definition of the one in use and a call's parts, and has the schedule use it.
    pub(super) async fn update_schedule_of_parts(
        &mut self,
        kind: &'static MonitorKind,
        parts: DefinitionParts,
        timing: &ScheduleTiming,
        changes: SettingsChanges,
    ) -> Result<()> {
        let mut definition = self.job_definition_in_use(kind).await?;
        let definition_name = self.generate_job_definition_name(kind);
        parts.put_into(&mut definition, self, &changes).await?;
        self.update_schedule(definition, definition_name, timing, changes).await
    }
}

/// Addresses of scripts.
pub(super) struct Scripts {
    pub(super) record_preprocessor: Option<S3Uri>,
    pub(super) post_analytics_processor: Option<S3Uri>,
}

/// Addresses of what jobs check against.
pub(super) struct BaselineFiles {
    pub(super) statistics: Option<S3Uri>,
    pub(super) constraints: Option<S3Uri>,
}

impl BaselineFiles {
    /// The addresses, once it is sure that there are such files.
    pub(super) async fn checked(
        monitor: &Monitor,
        statistics: Option<&StatisticsSource>,
        constraints: Option<&ConstraintsSource>,
    ) -> Result<Self> {
        let statistics = match statistics {
            Some(file) => Some(file.checked(&monitor.session).await?),
            None => None,
        };
        let constraints = match constraints {
            Some(file) => Some(file.checked(&monitor.session).await?),
            None => None,
        };
        Ok(Self { statistics, constraints })
    }
}

/// What is to be watched from now on, if the call says it.
///
/// # Errors
/// The call says two things.
pub(super) fn one_input(
    endpoint_input: Option<MonitoredInput>,
    batch_transform_input: Option<BatchTransformInput>,
) -> Result<Option<MonitoredInput>> {
    match (endpoint_input, batch_transform_input) {
        (Some(_), Some(_)) => Err(Error::argument(
            "batch_transform_input",
            "Cannot update both batch_transform_input and endpoint_input to update an Amazon Model Monitoring Schedule. \
             Please provide atmost one of the above required inputs",
        )),
        (Some(input), None) => Ok(Some(input)),
        (None, batch) => Ok(batch.map(MonitoredInput::BatchTransform)),
    }
}

/// Setters of a request with a field `parts: DefinitionParts`: those of the two monitors whose analyzer takes scripts.
macro_rules! script_setters {
    () => {
        /// A script in Python that is called for every record.
        pub fn record_preprocessor_script(mut self, script: impl Into<$crate::Source>) -> Self {
            self.parts.record_preprocessor_script = Some(script.into());
            self
        }

        /// A script in Python that is called after the analysis.
        pub fn post_analytics_processor_script(mut self, script: impl Into<$crate::Source>) -> Self {
            self.parts.post_analytics_processor_script = Some(script.into());
            self
        }
    };
}

/// Setters of a request with a field `parts: DefinitionParts`: those of every monitor for both creating and changing.
macro_rules! definition_setters {
    () => {
        /// Where results go; those of a new schedule to `s3://<default bucket>/model-monitor/monitoring/<schedule>/results`
        /// when not set.
        pub fn output_s3_uri(mut self, output_s3_uri: impl Into<$crate::S3Uri>) -> Self {
            self.parts.output_s3_uri = Some(output_s3_uri.into());
            self
        }

        /// The constraints to check against; a file given by its address is read before anything is made or changed.
        pub fn constraints(mut self, constraints: impl Into<$crate::model_monitor::ConstraintsSource>) -> Self {
            self.parts.constraints = Some(constraints.into());
            self
        }

        /// Whether metrics are published; those of a new schedule are when not set. Setting this on a schedule that exists
        /// replaces all its environment variables by this one and those that the same request sets.
        pub fn enable_cloudwatch_metrics(mut self, enable_cloudwatch_metrics: bool) -> Self {
            self.parts.enable_cloudwatch_metrics = Some(enable_cloudwatch_metrics);
            self
        }
    };
}

/// Setters of a request with a field `parts: DefinitionParts`: what a schedule that exists is to watch.
macro_rules! input_setters {
    () => {
        /// The endpoint to watch from now on: its name, or an [`EndpointInput`](crate::model_monitor::EndpointInput).
        pub fn endpoint_input(mut self, endpoint_input: impl Into<$crate::model_monitor::MonitoredInput>) -> Self {
            self.parts.endpoint_input = Some(endpoint_input.into());
            self
        }

        /// The batch transform jobs to watch from now on.
        pub fn batch_transform_input(
            mut self,
            batch_transform_input: impl Into<$crate::model_monitor::BatchTransformInput>,
        ) -> Self {
            self.parts.batch_transform_input = Some(batch_transform_input.into());
            self
        }
    };
}

pub(super) use {definition_setters, input_setters, script_setters};
