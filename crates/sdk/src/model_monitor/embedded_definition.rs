//! Schedules that say themselves what their jobs are: those of monitors with an image of their own, and those that old versions
//! of the Python SDK made for data quality.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use watchkeeper_aws::types::S3Uri;

use crate::{Error, Result};

use super::job_definition::to_json;
use super::monitor::Monitor;
use super::schedule::{ONCE, ScheduleTiming, describe, lacks_times};
use super::settings_changes::SettingsChanges;
use super::{MonitoredInput, MonitoringOutput};

/// What a call says about such a definition; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct EmbeddedChanges {
    pub(super) input: Option<MonitoredInput>,
    pub(super) output: Option<MonitoringOutput>,
    pub(super) statistics: Option<S3Uri>,
    pub(super) constraints: Option<S3Uri>,
    pub(super) image_uri: Option<String>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) arguments: Option<Vec<String>>,
    pub(super) record_preprocessor_script: Option<S3Uri>,
    pub(super) post_analytics_processor_script: Option<S3Uri>,
    /// In place of all variables there were.
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// Its `env` is not sent, but kept.
    pub(super) settings: SettingsChanges,
}

impl EmbeddedChanges {
    /// Changes what a monitor has.
    fn keep(self, monitor: &mut Monitor) {
        self.settings.apply_to(&mut monitor.settings);
        monitor.entrypoint = self.entrypoint.or(monitor.entrypoint.take());
        monitor.arguments = self.arguments.or(monitor.arguments.take());
        monitor.image_uri = self.image_uri.or(monitor.image_uri.take());
    }

    /// Changes a definition, which may be empty.
    fn apply_to(&self, definition: &mut Map<String, Value>) {
        let settings = &self.settings;
        if let Some(input) = &self.input {
            definition.insert("MonitoringInputs".to_owned(), json!([input]));
        }
        let outputs = self.output.as_ref().map(|output| json!([{ "S3Output": output }]));
        set(definition, &["MonitoringOutputConfig", "MonitoringOutputs"], outputs);
        set(definition, &["MonitoringOutputConfig", "KmsKeyId"], settings.output_kms_key.as_ref().map(to_json));
        let cluster = |name| ["MonitoringResources", "ClusterConfig", name];
        set(definition, &cluster("InstanceCount"), settings.instance_count.map(Value::from));
        set(definition, &cluster("InstanceType"), settings.instance_type.as_ref().map(to_json));
        set(definition, &cluster("VolumeSizeInGB"), settings.volume_size_in_gb.map(Value::from));
        set(definition, &cluster("VolumeKmsKeyId"), settings.volume_kms_key.as_ref().map(to_json));
        let application = |name| ["MonitoringAppSpecification", name];
        set(definition, &application("ImageUri"), self.image_uri.as_ref().map(to_json));
        set(definition, &application("ContainerEntrypoint"), self.entrypoint.as_ref().map(to_json));
        set(definition, &application("ContainerArguments"), self.arguments.as_ref().map(to_json));
        let preprocessor = self.record_preprocessor_script.as_ref().map(to_json);
        set(definition, &application("RecordPreprocessorSourceUri"), preprocessor);
        let processor = self.post_analytics_processor_script.as_ref().map(to_json);
        set(definition, &application("PostAnalyticsProcessorSourceUri"), processor);
        set(definition, &["RoleArn"], settings.role.as_ref().map(to_json));
        set(definition, &["BaselineConfig", "StatisticsResource"], self.statistics.as_ref().map(resource));
        set(definition, &["BaselineConfig", "ConstraintsResource"], self.constraints.as_ref().map(resource));
        set(
            definition,
            &["StoppingCondition", "MaxRuntimeInSeconds"],
            settings.max_runtime_in_seconds.map(Value::from),
        );
        set(definition, &["Environment"], self.environment.as_ref().map(to_json));
        set(definition, &["NetworkConfig"], settings.network_config.as_ref().map(to_json));
    }
}

/// Sets a member of members when there is a value for it; objects on the way are made.
fn set(object: &mut Map<String, Value>, path: &[&str], value: Option<Value>) {
    let (Some(value), [way @ .., name]) = (value, path) else { return };
    let mut object = object;
    for step in way {
        let next = object.entry(*step).or_insert_with(|| json!({}));
        if !next.is_object() {
            *next = json!({});
        }
        object = next.as_object_mut().expect("it was made an object the line before");
    }
    object.insert((*name).to_owned(), value);
}

fn resource(uri: &S3Uri) -> Value {
    json!({ "S3Uri": uri })
}

impl Monitor {
    /// `CreateMonitoringSchedule` of a definition that is only made of what the call says.
    pub(super) async fn create_embedded_schedule(
        &mut self,
        schedule_name: String,
        mut changes: EmbeddedChanges,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        changes.settings.role = Some(self.role_arn(&self.settings.role).await?);
        let mut definition = Map::new();
        changes.apply_to(&mut definition);
        let mut input = json!({
            "MonitoringScheduleName": schedule_name,
            "MonitoringScheduleConfig": { "MonitoringJobDefinition": definition },
        });
        if let Some(config) = timing.schedule_config() {
            input["MonitoringScheduleConfig"]["ScheduleConfig"] = config;
        }
        if let Some(tags) = &self.settings.tags {
            input["Tags"] = to_json(tags);
        }
        self.create_schedule_once(&schedule_name, &input).await?;
        self.is_deletion_accepted = false;
        self.monitoring_schedule_name = Some(schedule_name);
        Ok(())
    }

    /// Describes the schedule, changes what the call says, sends all of it, and waits. This value has what was changed as soon
    /// as the service took it.
    pub(super) async fn update_embedded_schedule(
        &mut self,
        changes: EmbeddedChanges,
        timing: &ScheduleTiming,
    ) -> Result<()> {
        let name = self.schedule_name()?;
        let settings = &changes.settings;
        let mut sent = changes.clone();
        // As in Python, role and network are sent as this value has them, changed or not.
        sent.settings.role = Some(self.role_arn(settings.role.as_ref().unwrap_or(&self.settings.role)).await?);
        sent.settings.network_config = settings.network_config.clone().or(self.settings.network_config.clone());
        let mut description = describe(&self.session, name).await?;
        let config = &mut description["MonitoringScheduleConfig"];
        let Value::Object(mut definition) = config["MonitoringJobDefinition"].take() else {
            return Err(Error::Answer {
                operation: "DescribeMonitoringSchedule",
                resource: name.to_owned(),
                reason: "it has no MonitoringScheduleConfig.MonitoringJobDefinition".to_owned(),
            });
        };
        sent.apply_to(&mut definition);
        let mut new_config = json!({ "MonitoringJobDefinition": definition });
        if let Some(schedule_config) = merged_schedule_config(config["ScheduleConfig"].take(), timing)? {
            new_config["ScheduleConfig"] = schedule_config;
        }
        let input = json!({ "MonitoringScheduleName": name, "MonitoringScheduleConfig": new_config });
        let describe = json!({ "MonitoringScheduleName": name });
        self.session
            .update("UpdateMonitoringSchedule", name, &input, ("DescribeMonitoringSchedule", &describe))
            .await?;
        changes.keep(self);
        self.wait_for_schedule_changes_to_apply().await
    }
}

/// When the schedule runs: as the call says, and what it does not say as it was.
fn merged_schedule_config(existing: Value, timing: &ScheduleTiming) -> Result<Option<Value>> {
    let Value::Object(mut config) = existing else {
        timing.check()?;
        return Ok(timing.schedule_config());
    };
    timing.put_into(&mut config);
    let has = |name: &str| config.get(name).is_some_and(Value::is_string);
    if config.get("ScheduleExpression").and_then(Value::as_str) == Some(ONCE)
        && !(has("DataAnalysisStartTime") && has("DataAnalysisEndTime"))
    {
        return Err(lacks_times());
    }
    Ok(Some(config.into()))
}
