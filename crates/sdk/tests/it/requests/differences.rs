//! Where we differ from Python on purpose: each is a line of `docs/differences.md`, and no other difference is allowed.

use serde_json::{Value, json};

/// A case in which we differ.
pub struct Difference {
    suite: &'static str,
    case: &'static str,
    /// The step that differs: the last one, unless it is said.
    pub step: Option<usize>,
    pub how: How,
}

/// How.
pub enum How {
    /// Our types have no way to say what Python refuses.
    CannotBeSaid,
    /// We send the same, and fail where Python gives nothing.
    WeRefuse,
    /// We send the same, and succeed where Python fails on a slip of its own.
    WeSucceed,
    /// We send nothing, where Python sends something before it fails.
    NothingSent,
    /// What Python sends, with this change.
    Edited(fn(&mut [Value])),
    /// Python fails on a slip of its own before it has sent everything. We send what it sends in another case, with this change.
    Like(&'static str, fn(&mut [Value])),
}

pub fn difference(suite: &str, case: &str) -> Option<&'static Difference> {
    KNOWN.iter().find(|it| it.suite == suite && it.case == case)
}

pub fn cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().map(|it| (it.suite, it.case))
}

const fn known(suite: &'static str, case: &'static str, how: How) -> Difference {
    Difference { suite, case, step: None, how }
}

const KNOWN: &[Difference] = &[
    // A model is either to be served, with what that takes, or has an endpoint; each facet has its own values.
    known("clarify_processor.configurations", "ModelConfig of neither a model nor an endpoint", How::CannotBeSaid),
    known("clarify_processor.configurations", "BiasConfig with fewer values than facets", How::CannotBeSaid),
    // A file that a completed job did not write: Python gives none.
    known("baselines", "ModelMonitor.suggested_constraints, Completed", How::WeRefuse),
    known("baselines", "ModelMonitor.baseline_statistics, Completed", How::WeRefuse),
    known("baselines", "DefaultModelMonitor.suggested_constraints, Completed", How::WeRefuse),
    known("baselines", "DefaultModelMonitor.baseline_statistics, Completed", How::WeRefuse),
    known("baselines", "ModelQualityMonitor.suggested_constraints, Completed", How::WeRefuse),
    known("baselines", "ModelQualityMonitor.baseline_statistics, Completed", How::WeRefuse),
    known("baselines", "ModelBiasMonitor.suggested_constraints, Completed", How::WeRefuse),
    known("baselines", "ModelExplainabilityMonitor.suggested_constraints, Completed", How::WeRefuse),
    Difference {
        step: Some(1),
        ..known("monitoring_files.set_monitoring", ".set_monitoring of a feature that is not there", How::WeRefuse)
    },
    known("model_explainability_monitor.suggest_baseline", "several methods", How::WeSucceed),
    // Contradictions are found before anything is sent.
    known("model_bias_monitor.create_monitoring_schedule", "neither a config nor a baseline", How::NothingSent),
    known(
        "model_explainability_monitor.create_monitoring_schedule",
        "neither a config nor a baseline",
        How::NothingSent,
    ),
    known("model_quality_monitor.update_monitoring_schedule", "once without times", How::NothingSent),
    // Scores without a label.
    known(EXPLAINED, "after a baseline, ModelPredictedLabelConfig", How::Edited(without_inference)),
    known(EXPLAINED, "after a baseline, ModelPredictedLabelConfig with probability", How::Edited(without_inference)),
    known(
        EXPLAINED,
        "after a baseline, ModelPredictedLabelConfig with probability_threshold",
        How::Edited(without_inference),
    ),
    known(EXPLAINED, "after a baseline, ModelPredictedLabelConfig with label_headers", How::Edited(without_inference)),
    // An environment that is not set.
    known(
        "model_monitor.create_monitoring_schedule",
        "no environment",
        How::Like(".create_monitoring_schedule", |requests| {
            definition(requests).as_object_mut().unwrap().remove("Environment");
        }),
    ),
    // Updates of schedules whose definition is embedded.
    known(
        "model_monitor.update_monitoring_schedule",
        ".update_monitoring_schedule with output_kms_key, bare",
        How::Like(".update_monitoring_schedule with volume_kms_key, bare", key_of_output),
    ),
    known(
        "default_model_monitor.update_of_embedded_schedule",
        ".update_monitoring_schedule with output_kms_key, bare",
        How::Like(".update_monitoring_schedule with volume_kms_key, bare", key_of_output),
    ),
    known(
        "model_monitor.update_monitoring_schedule",
        ".update_monitoring_schedule with output_kms_key, full",
        How::Like(".update_monitoring_schedule with schedule_cron_expression, full", as_it_was_scheduled),
    ),
    known(
        "default_model_monitor.update_of_embedded_schedule",
        ".update_monitoring_schedule with output_kms_key, full",
        How::Like(".update_monitoring_schedule with schedule_cron_expression, full", as_it_was_scheduled),
    ),
    known(
        "model_monitor.update_monitoring_schedule",
        ".update_monitoring_schedule with output, full",
        How::Edited(keep_key_of_output),
    ),
    known(
        "default_model_monitor.update_of_embedded_schedule",
        ".update_monitoring_schedule with output_s3_uri, full",
        How::Edited(keep_key_of_output),
    ),
    known("model_monitor.update_monitoring_schedule", HOURLY, How::Edited(hourly)),
    known("model_monitor.update_monitoring_schedule", ALL_BUT_ENDPOINT, How::Edited(hourly_in_a_window)),
    known("model_monitor.update_monitoring_schedule", ALL_BUT_BATCH, How::Edited(hourly_in_a_window)),
    known("default_model_monitor.update_of_embedded_schedule", HOURLY, How::Edited(hourly)),
    known("default_model_monitor.update_of_embedded_schedule", ALL_BUT_ENDPOINT, How::Edited(hourly_in_a_window)),
    known("default_model_monitor.update_of_embedded_schedule", ALL_BUT_BATCH, How::Edited(hourly_in_a_window)),
    known(
        "model_monitor.update_monitoring_schedule",
        "statistics and constraints that are there",
        How::Edited(|requests| {
            definition(requests)["BaselineConfig"] = json!({
                "StatisticsResource": {"S3Uri": "s3://data/baseline/statistics.json"},
                "ConstraintsResource": {"S3Uri": "s3://data/baseline/constraints.json"},
            });
        }),
    ),
    // Ground truth stays when there is a new input.
    known(
        "model_quality_monitor.update_monitoring_schedule",
        "an endpoint by its name",
        How::Like(".update_monitoring_schedule with endpoint_input, full", other_endpoint),
    ),
    known(
        "model_bias_monitor.update_monitoring_schedule",
        "an endpoint by its name",
        How::Like(".update_monitoring_schedule with endpoint_input, full", other_endpoint),
    ),
    // An analysis configuration goes below the output that is there.
    known(
        "model_bias_monitor.update_monitoring_schedule",
        "a config object alone",
        How::Like("a config object and an output", below_the_old_output),
    ),
    known(
        "model_explainability_monitor.update_monitoring_schedule",
        "a config object alone",
        How::Like("a config object and an output", below_the_old_output),
    ),
];

const EXPLAINED: &str = "model_explainability_monitor.create_monitoring_schedule";
const HOURLY: &str = ".update_monitoring_schedule with schedule_cron_expression, bare";
const ALL_BUT_ENDPOINT: &str = ".update_monitoring_schedule with everything but endpoint_input, bare";
const ALL_BUT_BATCH: &str = ".update_monitoring_schedule with everything but batch_transform_input, bare";
const KEY: &str = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef";

/// The input of the request whose operation begins with this.
fn input<'a>(requests: &'a mut [Value], operation: &str) -> &'a mut Value {
    let is_it = |request: &&mut Value| request["operation"].as_str().unwrap().starts_with(operation);
    &mut requests.iter_mut().find(is_it).unwrap()["input"]
}

/// The schedule that is created or updated.
fn schedule(requests: &mut [Value]) -> &mut Value {
    let is_created = requests.iter().any(|request| request["operation"] == "CreateMonitoringSchedule");
    let operation = if is_created { "CreateMonitoringSchedule" } else { "UpdateMonitoringSchedule" };
    &mut input(requests, operation)["MonitoringScheduleConfig"]
}

/// Its embedded definition.
fn definition(requests: &mut [Value]) -> &mut Value {
    &mut schedule(requests)["MonitoringJobDefinition"]
}

fn without_inference(requests: &mut [Value]) {
    let input = &mut input(requests, "CreateModelExplainability")["ModelExplainabilityJobInput"]["EndpointInput"];
    input.as_object_mut().unwrap().remove("InferenceAttribute");
}

fn key_of_output(requests: &mut [Value]) {
    let definition = definition(requests);
    definition["MonitoringResources"]["ClusterConfig"].as_object_mut().unwrap().remove("VolumeKmsKeyId");
    keep_key(definition);
}

/// The key is the one that the output has already.
fn as_it_was_scheduled(requests: &mut [Value]) {
    schedule(requests)["ScheduleConfig"] = json!({"ScheduleExpression": "cron(0 0 ? * * *)"});
}

fn keep_key_of_output(requests: &mut [Value]) {
    keep_key(definition(requests));
}

fn keep_key(definition: &mut Value) {
    definition["MonitoringOutputConfig"]["KmsKeyId"] = KEY.into();
}

fn hourly(requests: &mut [Value]) {
    schedule(requests)["ScheduleConfig"] = json!({"ScheduleExpression": "cron(0 * ? * * *)"});
}

fn hourly_in_a_window(requests: &mut [Value]) {
    hourly(requests);
    schedule(requests)["ScheduleConfig"]["DataAnalysisStartTime"] = "-PT4H".into();
    schedule(requests)["ScheduleConfig"]["DataAnalysisEndTime"] = "-PT3H".into();
}

fn other_endpoint(requests: &mut [Value]) {
    let definition = input(requests, "CreateModel");
    let kind = if definition["ModelBiasJobInput"].is_null() { "ModelQualityJobInput" } else { "ModelBiasJobInput" };
    definition[kind] = json!({
        "EndpointInput": {
            "EndpointName": "other",
            "LocalPath": "/opt/ml/processing/input/endpoint",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
        "GroundTruthS3Input": {"S3Uri": "s3://data/labels"},
    });
}

fn below_the_old_output(requests: &mut [Value]) {
    // The two examples differ in nothing else.
    for request in requests {
        *request = serde_json::from_str(
            &request.to_string().replace("s3://data/other", "s3://data/results").replace("\"other/", "\"results/"),
        )
        .unwrap();
    }
}
