//! The monitor with a container of your own, and its requests.

use crate::processing::{ProcessingInput, ProcessingOutput, Run, Wait};
use crate::request::{awaitable, setters};
use crate::{Error, Result, Session, Source};

use super::baselining::OUTPUT_NAME;
use super::definition_parts::{BaselineFiles, one_input};
use super::embedded_definition::EmbeddedChanges;
use super::latest_files::statistics_methods;
use super::monitor::{Monitor, schedule_methods, settings_setters};
use super::schedule::{ScheduleTiming, describe, timing_setters};
use super::settings_changes::{SettingsChanges, settings_change_setters};
use super::{
    BaseliningJob, BatchTransformInput, ConstraintsSource, MonitoredInput, MonitoringOutput, StatisticsSource,
};

/// Runs a container of your own on a schedule, over what an endpoint or batch transform jobs captured.
///
/// ```no_run
/// # async fn run(session: watchkeeper::Session) -> Result<(), Box<dyn std::error::Error>> {
/// use watchkeeper::S3Uri;
/// use watchkeeper::model_monitor::{CronExpressionGenerator, ModelMonitor, MonitoringOutput};
/// use watchkeeper::processing::{ProcessingInput, ProcessingOutput};
///
/// let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/own-analyzer:1";
/// let mut monitor = ModelMonitor::new(&session, "monitoring-role", image).env([("threshold", "0.8")]);
/// let dataset = ProcessingInput::new(std::path::Path::new("train.csv"), "/opt/ml/processing/input/data");
/// let output = ProcessingOutput::new("/opt/ml/processing/output").destination("s3://bucket/baseline".parse()?);
/// monitor.run_baseline([dataset], output).await?;
/// monitor
///     .create_monitoring_schedule("churn", MonitoringOutput::new("/opt/ml/processing/output"))
///     .constraints("s3://bucket/baseline/constraints.json".parse::<S3Uri>()?)
///     .schedule_cron_expression(CronExpressionGenerator::hourly())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelMonitor {
    pub(crate) monitor: Monitor,
}

impl ModelMonitor {
    /// A monitor whose jobs take `role` (a name or an ARN) and run `image_uri`. Sends nothing.
    pub fn new(session: &Session, role: impl Into<String>, image_uri: impl Into<String>) -> Self {
        Self { monitor: Monitor::with_image(session, role, image_uri) }
    }

    /// The monitor of a schedule that exists and says itself what its jobs are.
    ///
    /// # Errors
    /// There is no such schedule, or its jobs have a definition, as those of the other monitors do.
    pub async fn attach(session: &Session, monitor_schedule_name: impl Into<String> + Send) -> Result<Self> {
        let name = monitor_schedule_name.into();
        let schedule = describe(session, &name).await?;
        if let Some(definition) = schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"].as_str() {
            let reason = format!(
                "schedule {name} uses job definition {definition}: attach the monitor of its kind, such as DefaultModelMonitor"
            );
            return Err(Error::argument("monitor_schedule_name", reason));
        }
        let monitor = Monitor::with_image(session, String::new(), String::new());
        Ok(Self { monitor: monitor.attach_to_embedded(&name, &schedule).await? })
    }

    /// What runs in the container in place of the image's own entry point.
    #[must_use]
    pub fn entrypoint(mut self, entrypoint: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.monitor.entrypoint = Some(entrypoint.into_iter().map(Into::into).collect());
        self
    }

    settings_setters! {}

    /// The image that jobs run.
    pub fn image_uri(&self) -> &str {
        self.monitor.image_uri.as_deref().unwrap_or_default()
    }

    /// Runs a job that makes a baseline of datasets. Unless [`RunBaseline::wait`] says otherwise, its end is waited for, and
    /// its log shown.
    ///
    /// `output` is a folder of the container, by its path alone or as a [`ProcessingOutput`].
    pub fn run_baseline(
        &mut self,
        baseline_inputs: impl IntoIterator<Item = ProcessingInput>,
        output: impl Into<BaselineOutput>,
    ) -> RunBaseline<'_> {
        RunBaseline {
            monitor: &mut self.monitor,
            baseline_inputs: baseline_inputs.into_iter().collect(),
            output: output.into(),
            arguments: None,
            wait: Wait::WithLogs,
            job_name: None,
        }
    }

    /// Makes a schedule. It is not waited until it leaves the state `Pending`.
    pub fn create_monitoring_schedule(
        &mut self,
        monitored_input: impl Into<MonitoredInput>,
        output: MonitoringOutput,
    ) -> CreateMonitoringSchedule<'_> {
        CreateMonitoringSchedule {
            monitor: &mut self.monitor,
            monitored_input: monitored_input.into(),
            output,
            statistics: None,
            constraints: None,
            monitor_schedule_name: None,
            arguments: None,
            timing: ScheduleTiming::default(),
        }
    }

    /// Changes the schedule, and waits until that has come into effect. What is not said stays as it is.
    pub fn update_monitoring_schedule(&mut self) -> UpdateMonitoringSchedule<'_> {
        UpdateMonitoringSchedule {
            monitor: &mut self.monitor,
            endpoint_input: None,
            batch_transform_input: None,
            output: None,
            statistics: None,
            constraints: None,
            entrypoint: None,
            arguments: None,
            image_uri: None,
            timing: ScheduleTiming::default(),
            changes: SettingsChanges::default(),
        }
    }

    /// Deletes the schedule, which this value then no longer stands for. It is not waited until it is gone.
    ///
    /// # Errors
    /// There is no schedule, or the service refuses.
    pub async fn delete_monitoring_schedule(&mut self) -> Result<()> {
        self.monitor.delete_schedule().await
    }

    schedule_methods! {}
    statistics_methods! {}
}

/// Where a baselining job writes to: a folder of its container.
#[derive(Clone, Debug, PartialEq)]
pub enum BaselineOutput {
    /// The folder; it is uploaded to `s3://<default bucket>/<job>/output`.
    ContainerPath(String),
    /// The folder, and where it is uploaded to.
    Output(Box<ProcessingOutput>),
}

impl From<&str> for BaselineOutput {
    fn from(path: &str) -> Self {
        Self::ContainerPath(path.to_owned())
    }
}

impl From<String> for BaselineOutput {
    fn from(path: String) -> Self {
        Self::ContainerPath(path)
    }
}

impl From<ProcessingOutput> for BaselineOutput {
    fn from(output: ProcessingOutput) -> Self {
        Self::Output(Box::new(output))
    }
}

/// Runs a baselining job when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct RunBaseline<'a> {
    monitor: &'a mut Monitor,
    baseline_inputs: Vec<ProcessingInput>,
    output: BaselineOutput,
    arguments: Option<Vec<String>>,
    wait: Wait,
    job_name: Option<String>,
}

impl RunBaseline<'_> {
    setters! {
        /// Arguments of the container; also of schedules that are made later.
        arguments: [String],
    }

    /// Whether to wait for the job's end, and whether to show its log.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    setters! {
        /// The name of the job; generated when not set.
        job_name: String,
    }

    async fn send(self) -> Result<BaseliningJob> {
        let Self { monitor, baseline_inputs, output, arguments, wait, job_name } = self;
        let job_name = monitor.generate_baselining_job_name(job_name);
        monitor.arguments = arguments;
        let mut inputs = Vec::new();
        for (mut input, number) in baseline_inputs.into_iter().zip(1..) {
            let name = input.input_name.get_or_insert_with(|| format!("input-{number}")).clone();
            if let Some(Source::Local(path)) = input.source() {
                // Python uploads what is of this machine here and, when the job is started, once more to where the job
                // reads it from.
                let place = monitor.session.default_location(&[&job_name, &name]).await?;
                monitor.session.upload(path, &place, None).await?;
            }
            inputs.push(input);
        }
        let output = match output {
            BaselineOutput::Output(output) => *output,
            BaselineOutput::ContainerPath(path) => {
                let uri = monitor.session.default_location(&[&job_name, "output"]).await?;
                ProcessingOutput::new(path).destination(uri).output_name(OUTPUT_NAME)
            }
        };
        let processor = monitor.processor(monitor.settings.env.clone())?;
        let run = Run {
            inputs,
            outputs: vec![output],
            arguments: monitor.arguments.clone(),
            job_name: Some(job_name),
            ..Run::default()
        };
        monitor.run_baseline(&processor, run, wait).await.map(BaseliningJob::from_processing_job)
    }
}

awaitable!(RunBaseline => BaseliningJob);

/// Makes a schedule when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct CreateMonitoringSchedule<'a> {
    monitor: &'a mut Monitor,
    monitored_input: MonitoredInput,
    output: MonitoringOutput,
    statistics: Option<StatisticsSource>,
    constraints: Option<ConstraintsSource>,
    monitor_schedule_name: Option<String>,
    arguments: Option<Vec<String>>,
    timing: ScheduleTiming,
}

impl CreateMonitoringSchedule<'_> {
    setters! {
        /// The statistics to check against; a file given by its address is read before anything is made.
        statistics: StatisticsSource,
        /// The constraints to check against; a file given by its address is read before anything is made.
        constraints: ConstraintsSource,
        /// The name of the schedule; generated when not set.
        monitor_schedule_name: String,
        /// Arguments of the container.
        arguments: [String],
    }

    timing_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, monitored_input, mut output, timing, .. } = self;
        monitor.check_unused().await?;
        timing.check()?;
        let schedule_name = monitor.generate_monitoring_schedule_name(self.monitor_schedule_name);
        set_destination(monitor, &schedule_name, &mut output).await?;
        let BaselineFiles { statistics, constraints } =
            BaselineFiles::checked(monitor, self.statistics.as_ref(), self.constraints.as_ref()).await?;
        if self.arguments.is_some() {
            monitor.arguments = self.arguments;
        }
        let changes = EmbeddedChanges {
            input: Some(monitored_input),
            output: Some(output),
            statistics,
            constraints,
            image_uri: Some(monitor.image_uri()?),
            entrypoint: monitor.entrypoint.clone(),
            arguments: monitor.arguments.clone(),
            environment: monitor.settings.env.clone(),
            settings: SettingsChanges::all_of(&monitor.settings),
            ..EmbeddedChanges::default()
        };
        monitor.create_embedded_schedule(schedule_name, changes, &timing).await
    }
}

awaitable!(CreateMonitoringSchedule => ());

/// Changes a schedule when awaited.
#[must_use = "requests are sent when they are awaited"]
#[derive(Debug)]
pub struct UpdateMonitoringSchedule<'a> {
    monitor: &'a mut Monitor,
    endpoint_input: Option<MonitoredInput>,
    batch_transform_input: Option<BatchTransformInput>,
    output: Option<MonitoringOutput>,
    statistics: Option<StatisticsSource>,
    constraints: Option<ConstraintsSource>,
    entrypoint: Option<Vec<String>>,
    arguments: Option<Vec<String>>,
    image_uri: Option<String>,
    timing: ScheduleTiming,
    changes: SettingsChanges,
}

impl UpdateMonitoringSchedule<'_> {
    setters! {
        /// The endpoint to watch from now on: its name, or an [`EndpointInput`](super::EndpointInput).
        endpoint_input: MonitoredInput,
        /// The batch transform jobs to watch from now on.
        batch_transform_input: BatchTransformInput,
        /// Where executions put what they find from now on.
        output: MonitoringOutput,
        /// The statistics to check against; a file given by its address is read before anything is changed.
        statistics: StatisticsSource,
        /// The constraints to check against; a file given by its address is read before anything is changed.
        constraints: ConstraintsSource,
        /// The image that jobs run.
        image_uri: String,
        /// What runs in the container in place of the image's own entry point.
        entrypoint: [String],
        /// Arguments of the container.
        arguments: [String],
    }

    timing_setters! {}
    settings_change_setters! {}

    async fn send(self) -> Result<()> {
        let Self { monitor, mut output, entrypoint, arguments, image_uri, timing, changes, .. } = self;
        let input = one_input(self.endpoint_input, self.batch_transform_input)?;
        let schedule_name = monitor.schedule_name()?.to_owned();
        if let Some(output) = &mut output {
            set_destination(monitor, &schedule_name, output).await?;
        }
        let BaselineFiles { statistics, constraints } =
            BaselineFiles::checked(monitor, self.statistics.as_ref(), self.constraints.as_ref()).await?;
        let changes = EmbeddedChanges {
            input,
            output,
            statistics,
            constraints,
            image_uri,
            entrypoint,
            arguments,
            environment: changes.env.clone(),
            settings: changes,
            ..EmbeddedChanges::default()
        };
        monitor.update_embedded_schedule(changes, &timing).await
    }
}

awaitable!(UpdateMonitoringSchedule => ());

/// Gives an output without a place one in the default bucket.
async fn set_destination(monitor: &Monitor, schedule_name: &str, output: &mut MonitoringOutput) -> Result<()> {
    if output.destination.is_none() {
        output.destination = Some(monitor.session.default_location(&[schedule_name, "output"]).await?);
    }
    Ok(())
}
