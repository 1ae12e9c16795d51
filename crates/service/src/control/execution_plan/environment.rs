//! The variables of a job.

use std::collections::BTreeMap;

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::{MonitoringDatasetFormat, MonitoringType};

use super::Planned;
use super::definition::Source;
use super::inputs::{
    CONSTRAINTS_FOLDER, Data, POSTPROCESSOR_FOLDER, PREPROCESSOR_FOLDER, STATISTICS_FOLDER, file_name,
};

/// The definition's variables and the service's. The service's win where a script that was written for a baselining job
/// would otherwise mislead the analyzer: format, places, window, names; the definition's win in all else.
pub(super) fn environment(planned: &Planned<'_>) -> BTreeMap<String, String> {
    let mut environment = usual(planned);
    environment.extend(planned.definition.environment.clone());
    environment.extend(binding(planned));
    environment
}

/// What the definition may say otherwise.
fn usual(planned: &Planned<'_>) -> BTreeMap<String, String> {
    let definition = planned.definition;
    let input = &definition.input;
    let file = |folder: &str, uri: &Option<String>| uri.as_ref().map(|uri| format!("{folder}/{}", file_name(uri)));
    let is_endpoint = matches!(input.source, Source::Endpoint { .. });
    let analysis_type = match definition.monitoring_type {
        MonitoringType::DataQuality => None,
        MonitoringType::ModelQuality => Some("MODEL_QUALITY"),
        MonitoringType::ModelBias => Some("MODEL_BIAS"),
        MonitoringType::ModelExplainability => Some("MODEL_EXPLAINABILITY"),
    };
    let capture_prefix = match planned.data {
        Data::Captures { destination, .. } => Some(destination.to_string()),
        Data::Manifests(_) | Data::Merged { .. } => None,
    };
    let variables = [
        ("metric_time", Some(planned.window.start.to_string())),
        ("publish_cloudwatch_metrics", Some("Enabled".to_owned())),
        (
            "monitoring_input_type",
            Some(if is_endpoint { "ENDPOINT_INPUT" } else { "BATCH_TRANSFORM_INPUT" }.to_owned()),
        ),
        ("sagemaker_endpoint_datacapture_prefix", capture_prefix),
        ("baseline_statistics", file(STATISTICS_FOLDER, &planned.baseline.statistics)),
        ("baseline_constraints", file(CONSTRAINTS_FOLDER, &planned.baseline.constraints)),
        ("record_preprocessor_script", file(PREPROCESSOR_FOLDER, &definition.record_preprocessor)),
        ("post_analytics_processor_script", file(POSTPROCESSOR_FOLDER, &definition.post_analytics_processor)),
        ("analysis_type", analysis_type.map(str::to_owned)),
        ("problem_type", definition.problem_type.map(|problem| problem.as_str().to_owned())),
        ("features_attribute", input.features_attribute.clone()),
        ("inference_attribute", input.inference_attribute.clone()),
        ("probability_attribute", input.probability_attribute.clone()),
        (
            "probability_threshold_attribute",
            input.probability_threshold_attribute.map(|threshold| threshold.to_string()),
        ),
        ("exclude_features_attribute", input.exclude_features_attribute.clone()),
    ];
    given(variables)
}

/// What the definition cannot change.
fn binding(planned: &Planned<'_>) -> BTreeMap<String, String> {
    let input = &planned.definition.input;
    let (endpoint, format) = match &input.source {
        Source::Endpoint { name } => (Some(name.clone()), capture_format(planned)),
        Source::BatchTransform { format, .. } => (None, batch_format(format)),
    };
    let is_merged = matches!(planned.data, Data::Merged { .. });
    let format = if is_merged { merge_format(planned) } else { format };
    given([
        ("dataset_format", Some(format)),
        ("dataset_source", Some(input.local_path.clone())),
        ("output_path", Some(planned.definition.output_destination().local_path.clone())),
        ("start_time", Some(planned.window.start.to_string())),
        ("end_time", Some(planned.window.end.to_string())),
        ("sagemaker_endpoint_name", endpoint),
        ("sagemaker_monitoring_schedule_name", Some(planned.schedule.name.clone())),
    ])
}

fn given<const N: usize>(variables: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn capture_format(planned: &Planned<'_>) -> String {
    let mut format = json!({"captureIndexNames": ["endpointInput", "endpointOutput"]});
    if let Some(position) = planned.baseline.output_columns_position {
        format["output_columns_position"] = json!(position);
    }
    json!({ "sagemakerCaptureJson": format }).to_string()
}

/// What was merged: bias looks at the features, too.
fn merge_format(planned: &Planned<'_>) -> String {
    let names: &[&str] = match (&planned.definition.input.source, planned.definition.monitoring_type) {
        (Source::BatchTransform { .. }, _) => &["batchTransformOutput"],
        (Source::Endpoint { .. }, MonitoringType::ModelBias) => &["endpointInput", "endpointOutput"],
        (Source::Endpoint { .. }, _) => &["endpointOutput"],
    };
    json!({ "sagemakerMergeJson": { "captureIndexNames": names } }).to_string()
}

/// The analyzer's spelling of a definition's format.
pub(super) fn batch_format(format: &MonitoringDatasetFormat) -> String {
    if let Some(json) = &format.json {
        return json!({"json": json.line.map_or_else(|| json!({}), |line| json!({"line": line}))}).to_string();
    }
    if format.parquet.is_some() {
        return json!({"parquet": {}}).to_string();
    }
    let header = format.csv.as_ref().and_then(|csv| csv.header);
    json!({"csv": header.map_or_else(|| json!({}), |header| json!({"header": header}))}).to_string()
}
