//! Reading what a monitored model was asked and answered (sections 5.2 of the bias, 5.1 of the explainability specification).

use watchkeeper_data::table::{Traffic, TrafficReading, column_of, read_traffic};
use watchkeeper_engine::table::Table;
use watchkeeper_formats::clarify::{AnalysisConfig, DatasetType, PredictorConfig, Reference};
use watchkeeper_formats::{DatasetFormat, MonitoredTraffic};

use super::ClarifyError;
use super::material::{GivenPredictions, Material, missing};
use super::places::Place;
use super::plan::{Origin, Plan};
use crate::Error;

/// Reads the records of a monitor's execution.
pub(super) fn read(plan: &Plan, monitored: &MonitoredTraffic) -> Result<Material, Error> {
    let config = &plan.config;
    let is_merged = plan.origin == Origin::MergedTraffic;
    let label_path = match &config.label {
        Some(Reference::Name(path)) => Some(path.clone()),
        _ => None,
    };
    let reading = TrafficReading {
        format: monitored.dataset_format.clone(),
        window: monitored.window,
        features: monitored.features_attribute.clone(),
        inference: monitored.inference_attribute.clone(),
        probability: monitored.probability_attribute.clone(),
        label: label_path.filter(|_| is_merged),
        headers: config.headers.clone(),
        label_header: label_header(config, is_merged),
        keeps_written: plan.asks_model(),
    };
    let files = Place::local(monitored.dataset_source.clone()).files()?;
    let count = files.len();
    let traffic = read_traffic(files, &reading).map_err(ClarifyError::from)?;
    if traffic.features.rows == 0 {
        return Err(nothing_usable(&traffic, monitored, is_merged, count));
    }
    let mut notes = traffic.notes;
    let reason = traffic.counts.first_reason.unwrap_or_default();
    // Lines that are no records are counted in the notes, but not shown.
    if traffic.counts.dropped > 0 && !notes.iter().any(|note| note.contains(&reason)) {
        notes.push(format!("the first that was dropped: {reason}"));
    }
    let mut dataset = traffic.features;
    let excluded = excluded(&dataset, &monitored.exclude_features, config)?;
    let label = traffic.labels.map(|labels| {
        dataset.columns.push(labels);
        dataset.columns.len() - 1
    });
    let predictions = if is_merged { GivenPredictions::Answers(traffic.answers) } else { GivenPredictions::None };
    Ok(Material {
        dataset,
        label,
        join: None,
        excluded,
        predictions,
        facet_file: None,
        content_types: traffic.content_types,
        notes,
    })
}

/// Which of the headers is the label's, or its name where there are no headers.
fn label_header(config: &AnalysisConfig, is_merged: bool) -> Option<String> {
    let Some(headers) = &config.headers else {
        return match &config.label {
            Some(Reference::Name(name)) if is_merged => Some(name.clone()),
            _ => None,
        };
    };
    let named = match &config.label {
        Some(Reference::Name(name)) => headers.iter().find(|header| *header == name),
        Some(Reference::Index(index)) => headers.get(*index),
        None => None,
    };
    // A path names no header: the label's is the last one then.
    named.or_else(|| headers.last().filter(|_| is_merged)).cloned()
}

fn excluded(features: &Table, names: &[String], config: &AnalysisConfig) -> Result<Vec<usize>, Error> {
    let excluded = names.iter().map(|name| Reference::Name(name.clone()));
    let named = excluded.map(|reference| ("exclude_features_attribute", reference));
    let configured = config.excluded_columns.iter().cloned().map(|reference| ("excluded_columns", reference));
    let place = |(member, reference): (&str, Reference)| {
        column_of(features, &reference)
            .ok_or_else(|| missing("Feature names not found.", member, &reference, &features.columns))
    };
    named.chain(configured).map(place).collect()
}

fn nothing_usable(traffic: &Traffic, monitored: &MonitoredTraffic, is_merged: bool, files: usize) -> Error {
    let counts = &traffic.counts;
    if counts.read == 0 {
        return crate::inputs::no_data(&monitored.dataset_source, files, &traffic.notes);
    }
    let outside = monitored.window.map(|(start, end)| format!("{} outside {start}…{end}", counts.outside_window));
    let what = if is_merged { "merged" } else { "captured" };
    Error::NoUsableRows {
        read: format!("{} {what} records", counts.read),
        outside,
        dropped: counts.dropped,
        first_reason: counts.first_reason.clone().unwrap_or_else(|| "none was dropped".to_owned()),
    }
}

/// The model of an execution: what its configuration leaves open follows from the traffic.
pub(super) fn predictor(
    config: &AnalysisConfig,
    monitored: &MonitoredTraffic,
    (request, answer): &(Option<String>, Option<String>),
) -> PredictorConfig {
    let mut predictor = config.predictor.clone().unwrap_or_default();
    if predictor.model_name.is_none() && predictor.endpoint_name.is_none() {
        predictor.endpoint_name.clone_from(&monitored.endpoint_name);
    }
    let reference = |text: &String| match text.trim().parse() {
        Ok(index) => Reference::Index(index),
        Err(_) => Reference::Name(text.clone()),
    };
    if let Some(probability) = &monitored.probability_attribute {
        predictor.probability = Some(reference(probability));
        predictor.label = None;
    } else if let Some(inference) = &monitored.inference_attribute {
        predictor.label = Some(reference(inference));
        predictor.probability = None;
    }
    let plain = |content_type: &Option<String>| {
        content_type.as_ref().and_then(|text| text.split(';').next()).map(|text| text.trim().to_owned())
    };
    predictor.content_type =
        predictor.content_type.or_else(|| plain(request)).or_else(|| of_batch(&monitored.dataset_format));
    predictor.accept_type = predictor.accept_type.or_else(|| plain(answer));
    predictor
}

/// The content type of what a batch transform was asked, which only its format tells.
fn of_batch(format: &DatasetFormat) -> Option<String> {
    let dataset_type = match format {
        DatasetFormat::Csv { .. } => DatasetType::Csv,
        DatasetFormat::Json { lines: true } => DatasetType::JsonLines,
        DatasetFormat::Json { lines: false } => DatasetType::Json,
        DatasetFormat::Parquet | DatasetFormat::CaptureJson { .. } | DatasetFormat::MergeJson { .. } => return None,
    };
    Some(dataset_type.as_str().to_owned())
}
