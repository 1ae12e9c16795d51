//! How baselining jobs are started: what they read, where they write, and who keeps them.

use std::collections::BTreeMap;

use watchkeeper_aws::types::S3Uri;

use crate::processing::{self, ProcessingInput, ProcessingJob, ProcessingOutput, Processor, Run, Wait};
use crate::session::unique;
use crate::{Result, Source};

use super::monitor::{CONTAINER_INPUT_PATH, CONTAINER_OUTPUT_PATH, Monitor};

/// What the output of a job is called.
pub(super) const OUTPUT_NAME: &str = "monitoring_output";
/// What the inputs of a baselining job are called.
pub(super) const DATASET_INPUT_NAME: &str = "baseline_dataset_input";
pub(super) const RECORD_PREPROCESSOR_INPUT_NAME: &str = "record_preprocessor_script_input";
pub(super) const POST_ANALYTICS_PROCESSOR_INPUT_NAME: &str = "post_analytics_processor_script_input";

/// A script of a baselining job.
pub(super) struct Script {
    pub(super) input: ProcessingInput,
    /// Where the job finds it in its container.
    pub(super) container_path: String,
}

impl Monitor {
    /// What a baselining job reads from a folder of this name, uploaded when it is of this machine.
    pub(super) async fn baseline_input(&self, job_name: &str, source: Source, name: &str) -> Result<ProcessingInput> {
        let uri = match source {
            Source::S3(uri) => uri,
            Source::Local(path) => {
                let place = ["model-monitor", "baselining", job_name, "input", name];
                let uri = self.session.default_location(&place).await?;
                self.session.upload(&path, &uri, None).await?;
                uri
            }
        };
        Ok(ProcessingInput::new(uri, container_folder(name)).input_name(name))
    }

    /// A script of a baselining job, uploaded when it is of this machine.
    pub(super) async fn baseline_script(
        &self,
        job_name: &str,
        source: Option<Source>,
        name: &str,
    ) -> Result<Option<Script>> {
        let Some(source) = source else { return Ok(None) };
        let container_path = format!("{}/{}", container_folder(name), base_name(&source));
        let input = self.baseline_input(job_name, source, name).await?;
        Ok(Some(Script { input, container_path }))
    }

    /// Where a baselining job writes to: the given place, or one of its own in the default bucket.
    pub(super) async fn baseline_output(&self, job_name: &str, uri: Option<S3Uri>) -> Result<ProcessingOutput> {
        let uri = match uri {
            Some(uri) => uri,
            None => self.session.default_location(&["model-monitor", "baselining", job_name, "results"]).await?,
        };
        Ok(ProcessingOutput::new(CONTAINER_OUTPUT_PATH).destination(uri).output_name(OUTPUT_NAME))
    }

    /// What runs the jobs of this monitor.
    pub(crate) fn processor(&self, env: Option<BTreeMap<String, String>>) -> Result<Processor> {
        let settings = &self.settings;
        Ok(Processor {
            role: settings.role.clone(),
            image_uri: self.image_uri()?,
            instance_count: settings.instance_count,
            instance_type: settings.instance_type.clone(),
            entrypoint: self.entrypoint.clone(),
            volume_size_in_gb: settings.volume_size_in_gb,
            volume_kms_key: settings.volume_kms_key.clone(),
            output_kms_key: settings.output_kms_key.clone(),
            max_runtime_in_seconds: settings.max_runtime_in_seconds,
            base_job_name: settings.base_job_name.clone(),
            env,
            tags: settings.tags.clone(),
            network_config: settings.network_config.clone(),
        })
    }

    /// Starts a baselining job, keeps it, and then waits for it.
    pub(super) async fn run_baseline(&mut self, processor: &Processor, run: Run, wait: Wait) -> Result<ProcessingJob> {
        let job = processing::start(&self.session, processor, run).await?;
        self.keep_baselining_job(job.clone());
        job.wait_as(wait).await?;
        Ok(job)
    }

    /// Where executions put what they find: the given place, or one of the schedule's own in the default bucket.
    pub(crate) async fn monitoring_output_uri(&self, schedule_name: &str, uri: Option<S3Uri>) -> Result<S3Uri> {
        match uri {
            Some(uri) => Ok(uri),
            None => self.session.default_location(&["model-monitor", "monitoring", schedule_name, "results"]).await,
        }
    }

    /// The address of a script of a schedule, uploaded when it is of this machine.
    pub(super) async fn monitoring_script(&self, source: Option<&Source>) -> Result<Option<S3Uri>> {
        match source {
            None => Ok(None),
            Some(Source::S3(uri)) => Ok(Some(uri.clone())),
            Some(source @ Source::Local(path)) => {
                // A schedule that is only being made has no part in the address, as in Python.
                let schedule = self.monitoring_schedule_name.as_deref().unwrap_or_default();
                let place = ["model-monitor", "monitoring", schedule, "input", &unique()];
                let folder = self.session.default_location(&place).await?;
                self.session.upload(path, &folder, None).await?;
                Ok(Some(folder.join(&base_name(source))))
            }
        }
    }
}

/// The folder of the container that an input is in.
fn container_folder(input_name: &str) -> String {
    format!("{CONTAINER_INPUT_PATH}/{input_name}")
}

/// The last part of a path or an address.
fn base_name(source: &Source) -> String {
    match source {
        Source::Local(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        Source::S3(uri) => uri.key.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}
