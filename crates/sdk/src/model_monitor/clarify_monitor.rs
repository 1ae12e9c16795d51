//! What the two monitors of Clarify have in common: their jobs are told what to analyse by a file, `analysis_config.json`, and
//! write no statistics. Python has a base class `ClarifyModelMonitor` here, which nobody can make a value of.

use serde_json::Value;
use watchkeeper_formats::python_json;

use crate::clarify::analysis_config::Config;
use crate::clarify::{DataConfig, StartAnalysis};
use crate::processing::ProcessingJob;
use crate::session::unique;
use crate::{Error, Result};

use super::analysis_config::{AnalysisConfig, AnalysisDocument, ConfigFile};
use super::baselining_job::{CLARIFY_CONSTRAINTS_FILE_NAME, read_suggested};
use super::clarify_baselining::ClarifyBaseliningConfig;
use super::definition_parts::DefinitionParts;
use super::job_definition::JobDefinition;
use super::monitor::Monitor;
use super::monitoring_type::MonitorKind;
use super::schedule::ScheduleTiming;
use super::settings_changes::SettingsChanges;
use super::{Constraints, MonitoredInput};

impl Monitor {
    /// Uploads the configuration of an analysis, starts its job and keeps it. What is to be remembered of it is the caller's, who
    /// waits after that: so that giving up the wait loses nothing.
    pub(super) async fn start_clarify_baseline(
        &mut self,
        job_name: Option<String>,
        kms_key: Option<String>,
        data: &DataConfig,
        config: &Config,
    ) -> Result<ProcessingJob> {
        let job_name = self.generate_baselining_job_name(job_name);
        let start = StartAnalysis { job_name, kms_key, experiment_config: None };
        let processor = self.processor(self.settings.env.clone())?;
        let job = start.start(&self.session, &processor, data, config).await?;
        self.keep_baselining_job(job.clone());
        Ok(job)
    }

    /// Reads the constraints that the newest baselining job suggests.
    pub(super) async fn suggested_clarify_constraints(&self) -> Result<Constraints> {
        let kms_key = self.settings.output_kms_key.clone();
        read_suggested(self.last_baselining_job()?, Some(CLARIFY_CONSTRAINTS_FILE_NAME), kms_key).await
    }

    /// Makes a job definition and a schedule of it. What is analysed, and where predictions are, is as in the baselining job,
    /// unless the call says otherwise.
    pub(super) async fn create_clarify_schedule<C: AnalysisDocument + Sync>(
        &mut self,
        kind: &'static MonitorKind,
        mut parts: DefinitionParts,
        analysis_config: Option<AnalysisConfig<C>>,
        baseline: Option<&ClarifyBaseliningConfig<C>>,
        schedule_name: Option<String>,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        self.check_unused().await?;
        timing.check()?;
        let config_file = match (&analysis_config, baseline) {
            (Some(config), _) => ConfigFile::of(config)?,
            (None, Some(baseline)) => ConfigFile::New(baseline.analysis_config.to_document()?),
            (None, None) => {
                let reason = "analysis_config is mandatory: there was no baselining job to take it from";
                return Err(Error::argument("analysis_config", reason));
            }
        };
        let schedule_name = self.generate_monitoring_schedule_name(schedule_name);
        let definition_name = self.generate_job_definition_name(kind);
        parts.output_s3_uri = Some(self.monitoring_output_uri(&schedule_name, parts.output_s3_uri.take()).await?);
        parts.enable_cloudwatch_metrics.get_or_insert(true);
        let mut definition = JobDefinition::new(kind);
        let changes = SettingsChanges::all_of(&self.settings);
        self.put_config_file(config_file, &mut definition, &definition_name, &parts, &changes).await?;
        if let (None, Some(name)) = (&parts.constraints, &self.latest_baselining_job_name) {
            definition.set_baselining_job_name(name);
        }
        if let (Some(input), Some(baseline)) = (&mut parts.endpoint_input, baseline) {
            take_attributes(input, baseline);
        }
        parts.put_into(&mut definition, self, &changes).await?;
        self.create_schedule(definition, definition_name, schedule_name, timing).await
    }

    /// Makes another job definition of the one in use, and has the schedule use it; a new time alone needs none. With nothing to
    /// change, nothing is sent.
    pub(super) async fn update_clarify_schedule<C: AnalysisDocument + Sync>(
        &mut self,
        kind: &'static MonitorKind,
        parts: DefinitionParts,
        analysis_config: Option<AnalysisConfig<C>>,
        timing: &ScheduleTiming,
        changes: SettingsChanges,
    ) -> Result<()> {
        parts.monitored_input()?;
        self.settle().await?;
        if parts.is_empty() && analysis_config.is_none() && changes.is_empty() && timing.has_no_times() {
            return self.update_timing(kind, timing).await;
        }
        timing.check()?;
        let config_file = analysis_config.as_ref().map(ConfigFile::of).transpose()?;
        let mut definition = self.job_definition_in_use(kind).await?;
        let definition_name = self.generate_job_definition_name(kind);
        if let Some(config_file) = config_file {
            self.put_config_file(config_file, &mut definition, &definition_name, &parts, &changes).await?;
        }
        parts.put_into(&mut definition, self, &changes).await?;
        self.update_schedule(definition, definition_name, timing, changes).await
    }

    /// Puts the address of a configuration into a definition. One that is not in S3 goes to a folder of its own below the output
    /// that the call says or the definition has, encrypted with the key of the output.
    async fn put_config_file(
        &self,
        file: ConfigFile,
        definition: &mut JobDefinition,
        definition_name: &str,
        parts: &DefinitionParts,
        changes: &SettingsChanges,
    ) -> Result<()> {
        let uri = match file {
            ConfigFile::There(uri) => uri,
            ConfigFile::New(document) => {
                let output = parts.output_s3_uri.clone().or_else(|| definition.output_s3_uri()).ok_or_else(|| {
                    let reason = "the schedule has no output to upload the analysis_config below, give one";
                    Error::argument("output_s3_uri", reason)
                })?;
                let uri = output.join(definition_name).join(&unique()).join("analysis_config.json");
                let body = python_json::dumps(&document);
                self.session.upload_string_as_file_body(body, &uri, changes.output_kms_key.as_deref()).await?
            }
        };
        definition.app_specification.insert("ConfigUri".to_owned(), Value::String(uri.to_string()));
        Ok(())
    }
}

/// Predictions are where they were in the baselining job, unless the input says where.
fn take_attributes<C>(input: &mut MonitoredInput, baseline: &ClarifyBaseliningConfig<C>) {
    fn take<T: Clone>(attribute: &mut Option<T>, of_baseline: Option<&T>) {
        if attribute.is_none() {
            *attribute = of_baseline.cloned();
        }
    }
    macro_rules! take_all {
        ($input:ident) => {{
            take(&mut $input.features_attribute, baseline.features_attribute.as_ref());
            take(&mut $input.inference_attribute, baseline.inference_attribute.as_ref());
            take(&mut $input.probability_attribute, baseline.probability_attribute.as_ref());
            take(&mut $input.probability_threshold_attribute, baseline.probability_threshold_attribute.as_ref());
        }};
    }
    match input {
        MonitoredInput::Endpoint(input) => take_all!(input),
        MonitoredInput::BatchTransform(input) => take_all!(input),
        MonitoredInput::Other(_) => {}
    }
}

/// The calls about baselines and executions, for a struct with the fields `monitor: Monitor` and
/// `latest_baselining_job_config`.
macro_rules! clarify_methods {
    ($config:ty) => {
        /// The newest baselining job of this value.
        pub fn latest_baselining_job(&self) -> Option<$crate::model_monitor::ClarifyBaseliningJob> {
            self.monitor.baselining_jobs.last().cloned().map($crate::model_monitor::ClarifyBaseliningJob::new)
        }

        /// The baselining jobs of this value, oldest first.
        pub fn baselining_jobs(&self) -> Vec<$crate::model_monitor::ClarifyBaseliningJob> {
            self.monitor.baselining_jobs.iter().cloned().map($crate::model_monitor::ClarifyBaseliningJob::new).collect()
        }

        /// What was analysed by the newest baselining job of this value, and is by a schedule made after it.
        pub fn latest_baselining_job_config(&self) -> Option<&$crate::model_monitor::ClarifyBaseliningConfig<$config>> {
            self.latest_baselining_job_config.as_ref()
        }

        /// Reads the constraints that the newest baselining job suggests: its analysis.
        ///
        /// # Errors
        /// There was no job, or there is no such file because the job is not completed.
        pub async fn suggested_constraints(&self) -> $crate::Result<$crate::model_monitor::Constraints> {
            self.monitor.suggested_clarify_constraints().await
        }

        /// The newest hundred executions of the schedule, oldest first: the newest is the **last**. Executions whose job could
        /// not be started are left out.
        ///
        /// # Errors
        /// There is no schedule, or the service refuses.
        pub async fn list_executions(&self) -> $crate::Result<Vec<$crate::model_monitor::ClarifyMonitoringExecution>> {
            self.monitor.list_executions().await
        }

        /// Reads what the newest execution found against the constraints; none before the first, and none when it completed
        /// without anything to report.
        pub fn latest_monitoring_constraint_violations(
            &self,
        ) -> $crate::model_monitor::latest_files::LatestMonitoringConstraintViolations<'_> {
            $crate::model_monitor::latest_files::LatestMonitoringConstraintViolations::new(&self.monitor)
        }
    };
}

pub(super) use clarify_methods;
