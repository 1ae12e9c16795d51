//! Job definitions: what the jobs of a schedule are, as an object of its own that schedules name.
//!
//! A definition cannot be changed: an update describes the one in use, makes another from it and has the schedule use that. So
//! that nothing is lost on the way, what the service described is sent back as it came, this crate changing only the members
//! that a call is about.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use watchkeeper_aws::types::S3Uri;

use crate::{Error, Result};

use super::environment::Environment;
use super::monitor::{CONTAINER_OUTPUT_PATH, Monitor};
use super::monitoring_type::MonitorKind;
use super::schedule::unless_gone;
use super::settings_changes::SettingsChanges;
use super::{MonitoredInput, MonitoringOutput};

/// A job definition that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct JobDefinition {
    pub(crate) kind: &'static MonitorKind,
    /// `…AppSpecification`.
    pub(crate) app_specification: Map<String, Value>,
    /// `…BaselineConfig`, left out when empty.
    pub(crate) baseline_config: Map<String, Value>,
    /// `…JobInput`.
    job_input: Map<String, Value>,
    /// `…JobOutputConfig`.
    job_output: Map<String, Value>,
    cluster_config: Map<String, Value>,
    network_config: Option<Value>,
    /// Left out when empty.
    stopping_condition: Map<String, Value>,
    role: Option<String>,
}

impl JobDefinition {
    /// An empty one.
    pub(crate) fn new(kind: &'static MonitorKind) -> Self {
        Self {
            kind,
            app_specification: Map::new(),
            baseline_config: Map::new(),
            job_input: Map::new(),
            job_output: Map::new(),
            cluster_config: Map::new(),
            network_config: None,
            stopping_condition: Map::new(),
            role: None,
        }
    }

    /// One that is as another, of which this is the description.
    fn from_description(kind: &'static MonitorKind, mut description: Value) -> Self {
        let mut object = |pointer: String| match description.pointer_mut(&pointer).map(Value::take) {
            Some(Value::Object(object)) => object,
            _ => Map::new(),
        };
        let app_specification = object(format!("/{}", kind.app_specification));
        let baseline_config = object(format!("/{}", kind.baseline_config));
        let job_input = object(format!("/{}", kind.job_input));
        let job_output = object(format!("/{}", kind.job_output_config));
        let cluster_config = object("/JobResources/ClusterConfig".to_owned());
        let stopping_condition = object("/StoppingCondition".to_owned());
        Self {
            kind,
            app_specification,
            baseline_config,
            job_input,
            job_output,
            cluster_config,
            network_config: description.get("NetworkConfig").filter(|network| !network.is_null()).cloned(),
            stopping_condition,
            role: description["RoleArn"].as_str().map(ToOwned::to_owned),
        }
    }

    /// What is watched, in place of what was; the ground truth stays.
    pub(crate) fn set_monitored_input(&mut self, input: &MonitoredInput) {
        let ground_truth = self.job_input.remove("GroundTruthS3Input");
        self.job_input = match to_json(input) {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        if let Some(ground_truth) = ground_truth {
            self.job_input.insert("GroundTruthS3Input".to_owned(), ground_truth);
        }
    }

    /// Where the truth about predictions is.
    pub(crate) fn set_ground_truth_input(&mut self, uri: &S3Uri) {
        self.job_input.insert("GroundTruthS3Input".to_owned(), json!({ "S3Uri": uri }));
    }

    /// Where executions put what they find.
    pub(crate) fn set_output_s3_uri(&mut self, uri: &S3Uri) {
        let output = MonitoringOutput::new(CONTAINER_OUTPUT_PATH).destination(uri.clone());
        self.job_output.insert("MonitoringOutputs".to_owned(), json!([{ "S3Output": output }]));
    }

    /// The image that runs.
    pub(crate) fn set_image_uri(&mut self, image_uri: &str) {
        self.app_specification.insert("ImageUri".to_owned(), image_uri.into());
    }

    /// Scripts of the user; those that are none stay as they are.
    pub(crate) fn set_scripts(
        &mut self,
        record_preprocessor: Option<&S3Uri>,
        post_analytics_processor: Option<&S3Uri>,
    ) {
        let scripts = [
            ("RecordPreprocessorSourceUri", record_preprocessor),
            ("PostAnalyticsProcessorSourceUri", post_analytics_processor),
        ];
        for (name, uri) in scripts {
            if let Some(uri) = uri {
                self.app_specification.insert(name.to_owned(), to_json(uri));
            }
        }
    }

    /// Where executions put what they find.
    pub(super) fn output_s3_uri(&self) -> Option<S3Uri> {
        let output = self.job_output.get("MonitoringOutputs")?.get(0)?.get("S3Output")?;
        output.get("S3Uri")?.as_str()?.parse().ok()
    }

    /// The constraints to check against.
    pub(crate) fn set_constraints(&mut self, uri: &S3Uri) {
        self.baseline_config.insert("ConstraintsResource".to_owned(), json!({ "S3Uri": uri }));
    }

    /// The statistics to check against.
    pub(crate) fn set_statistics(&mut self, uri: &S3Uri) {
        self.baseline_config.insert("StatisticsResource".to_owned(), json!({ "S3Uri": uri }));
    }

    /// The job that suggested what to check against.
    pub(crate) fn set_baselining_job_name(&mut self, name: &str) {
        self.baseline_config.insert("BaseliningJobName".to_owned(), name.into());
    }

    /// Environment variables, in place of all there were, unless there are none to set.
    pub(crate) fn set_environment(
        &mut self,
        env: Option<&BTreeMap<String, String>>,
        enable_cloudwatch_metrics: Option<bool>,
    ) {
        let environment = Environment::new(env).publish_cloudwatch_metrics(enable_cloudwatch_metrics).into_variables();
        if !environment.is_empty() {
            self.app_specification.insert("Environment".to_owned(), json!(environment));
        }
    }

    /// What jobs run with; the environment apart, which [`Self::set_environment`] sets.
    pub(crate) fn apply(&mut self, changes: &SettingsChanges) {
        fn set(map: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
            if let Some(value) = value {
                map.insert(name.to_owned(), to_json(&value));
            }
        }
        set(&mut self.job_output, "KmsKeyId", changes.output_kms_key.as_ref());
        set(&mut self.cluster_config, "InstanceCount", changes.instance_count);
        set(&mut self.cluster_config, "InstanceType", changes.instance_type.as_ref());
        set(&mut self.cluster_config, "VolumeSizeInGB", changes.volume_size_in_gb);
        set(&mut self.cluster_config, "VolumeKmsKeyId", changes.volume_kms_key.as_ref());
        set(&mut self.stopping_condition, "MaxRuntimeInSeconds", changes.max_runtime_in_seconds);
        if let Some(network) = &changes.network_config {
            self.network_config = Some(to_json(network));
        }
        if let Some(role) = &changes.role {
            self.role = Some(role.clone());
        }
    }

    fn into_request(self, name: &str, role_arn: String, tags: Option<Value>) -> Value {
        let mut request = Map::new();
        let mut set = |name: &str, value: Value| request.insert(name.to_owned(), value);
        set("JobDefinitionName", name.into());
        set(self.kind.app_specification, self.app_specification.into());
        set(self.kind.job_input, self.job_input.into());
        set(self.kind.job_output_config, self.job_output.into());
        set("JobResources", json!({ "ClusterConfig": self.cluster_config }));
        set("RoleArn", role_arn.into());
        if !self.baseline_config.is_empty() {
            set(self.kind.baseline_config, self.baseline_config.into());
        }
        if let Some(network) = self.network_config {
            set("NetworkConfig", network);
        }
        if !self.stopping_condition.is_empty() {
            set("StoppingCondition", self.stopping_condition.into());
        }
        if let Some(tags) = tags {
            set("Tags", tags);
        }
        request.into()
    }
}

impl Monitor {
    /// The definition that the schedule uses, as the beginning of another.
    pub(crate) async fn job_definition_in_use(&self, kind: &'static MonitorKind) -> Result<JobDefinition> {
        let description = describe(self, kind, self.definition_name()?).await?;
        Ok(JobDefinition::from_description(kind, description))
    }

    /// `Create…JobDefinition`, of a role that is looked up first.
    pub(super) async fn create_job_definition(&self, definition: JobDefinition, name: &str) -> Result<()> {
        let kind = definition.kind;
        let role_arn = self.role_arn(definition.role.as_deref().unwrap_or(&self.settings.role)).await?;
        let request = definition.into_request(name, role_arn, self.settings.tags.as_ref().map(to_json));
        let describe = json!({ "JobDefinitionName": name });
        let describe = (kind.describe_job_definition, &describe);
        self.session.create(kind.create_job_definition, name, &request, describe).await?;
        Ok(())
    }

    /// `Delete…JobDefinition`, of one that may be gone already.
    pub(super) async fn delete_job_definition(&self, kind: &MonitorKind, name: &str) -> Result<()> {
        let input = json!({ "JobDefinitionName": name });
        unless_gone(self.session.sagemaker(kind.delete_job_definition, name, &input).await.map(drop))
    }
}

/// The description of a definition, as the service gives it.
pub(super) async fn describe(monitor: &Monitor, kind: &MonitorKind, name: &str) -> Result<Value> {
    let input = json!({ "JobDefinitionName": name });
    let description = monitor.session.sagemaker(kind.describe_job_definition, name, &input).await?;
    if description.get(kind.app_specification).is_none() {
        return Err(Error::Answer {
            operation: kind.describe_job_definition,
            resource: name.to_owned(),
            reason: format!("it has no {}", kind.app_specification),
        });
    }
    Ok(description)
}

/// A value of this crate as JSON.
pub(super) fn to_json(value: &(impl Serialize + ?Sized)) -> Value {
    serde_json::to_value(value).expect("the values of requests have texts as keys and nothing that fails")
}
