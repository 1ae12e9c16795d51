//! Bias metrics.

mod drift;
mod flip_test;
mod goldens;
mod messages;
mod referee_tables;
mod selection;
mod spread;

use serde_json::Value;
use watchkeeper_engine::bias::{BiasAnalysis, BiasError, BiasResult, Facet, analyze};
use watchkeeper_engine::table::{Column, ColumnBuilder, Table};
use watchkeeper_formats::clarify::{
    BiasMetric, BiasSection, ConfiguredValue, MetricSelection, PostTrainingMetric, PreTrainingMetric,
};

const ALL_OF_LABELS: MetricSelection<PreTrainingMetric> = MetricSelection::All;
const ALL_OF_PREDICTIONS: MetricSelection<PostTrainingMetric> = MetricSelection::All;

/// A column of a CSV file.
fn column<'a>(name: &str, cells: impl IntoIterator<Item = &'a str>) -> Column {
    let mut builder = ColumnBuilder::new(false);
    cells.into_iter().for_each(|cell| builder.push_csv(cell));
    builder.finish(name.to_owned())
}

fn table(columns: Vec<Column>) -> Table {
    Table { rows: columns[0].len(), columns }
}

/// A table of rows of cells that are separated by blanks, `-` being a missing one, under their names.
fn rows(names: &str, rows: &[&str]) -> Table {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split(' ').collect()).collect();
    let cells_of = |place: usize| cells.iter().map(move |row| if row[place] == "-" { "" } else { row[place] });
    let names = names.split(' ').enumerate();
    table(names.map(|(place, name)| column(name, cells_of(place))).collect())
}

/// What is to be measured, as a configuration says it.
#[derive(Clone, Debug)]
struct Question {
    label: String,
    positive: Vec<ConfiguredValue>,
    /// Column and values.
    facets: Vec<(String, Vec<ConfiguredValue>)>,
    group: Option<String>,
    predicted: bool,
    resamples: u32,
}

impl Question {
    /// Of the columns `y`, `p` (the prediction) and `f`.
    fn new(positive: ConfiguredValue, facet: Vec<ConfiguredValue>) -> Self {
        Self {
            label: "y".to_owned(),
            positive: vec![positive],
            facets: vec![("f".to_owned(), facet)],
            group: None,
            predicted: true,
            resamples: 0,
        }
    }

    /// Of an `analysis_config.json`.
    fn of_config(config: &Value) -> Self {
        let facet = |facet: &Value| {
            let values = facet.get("value_or_threshold").map(values).unwrap_or_default();
            (facet["name_or_index"].as_str().unwrap().to_owned(), values)
        };
        Self {
            label: config["label"].as_str().unwrap().to_owned(),
            positive: values(&config["label_values_or_threshold"]),
            facets: config["facet"].as_array().unwrap().iter().map(facet).collect(),
            group: config.get("group_variable").map(|name| name.as_str().unwrap().to_owned()),
            predicted: true,
            resamples: 0,
        }
    }

    /// The answer. The predictions are the column `predicted`, else the table's last one; they are no feature.
    fn ask(&self, table: &Table, predicted: Option<&Column>) -> Result<BiasResult, BiasError> {
        let place = |name: &str| table.position(name).unwrap_or_else(|| panic!("no column {name}"));
        let label = place(&self.label);
        let own = table.position("predicted").or_else(|| table.position("p"));
        let prediction = predicted.or_else(|| own.map(|place| &table.columns[place]));
        let facet = |(name, values)| (place(name), values);
        let facets = self.facets.iter().map(|(name, values)| facet((name.as_str(), values)));
        analyze(&BiasAnalysis {
            dataset: table,
            not_features: [Some(label), own].into_iter().flatten().collect(),
            label: &table.columns[label],
            label_values_or_threshold: &self.positive,
            predicted_label: prediction,
            facets: facets
                .map(|(place, values)| Facet {
                    column: &table.columns[place],
                    place: Some(place),
                    value_or_threshold: values,
                })
                .collect(),
            group_variable: self.group.as_ref().map(|name| &table.columns[place(name)]),
            pre_training: Some(&ALL_OF_LABELS),
            post_training: (self.predicted && prediction.is_some()).then_some(&ALL_OF_PREDICTIONS),
            resamples: self.resamples,
        })
    }
}

fn values(list: &Value) -> Vec<ConfiguredValue> {
    let value = |value: &Value| match value {
        Value::Bool(value) => ConfiguredValue::Boolean(*value),
        Value::String(text) => ConfiguredValue::Text(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(value) => ConfiguredValue::Integer(value),
            None => ConfiguredValue::Float(number.as_f64().unwrap()),
        },
        other => panic!("no value of a facet or label: {other}"),
    };
    list.as_array().unwrap().iter().map(value).collect()
}

fn integer(value: i64) -> ConfiguredValue {
    ConfiguredValue::Integer(value)
}

fn text(value: &str) -> ConfiguredValue {
    ConfiguredValue::Text(value.to_owned())
}

/// A metric of the first entry of the first facet.
fn metric<'a>(section: Option<&'a BiasSection>, name: &str) -> &'a BiasMetric {
    let (_, entries) = &section.unwrap().facets[0];
    entries[0].metrics.iter().find(|metric| metric.name == name).unwrap()
}

/// Compares with the sections of a document; a metric there is an object with `value` and perhaps `error`, or the one of
/// the two that is there. Gives the number of metrics that were compared.
fn assert_sections(found: &BiasResult, wanted: &Value, tolerance: f64, flip_test_tolerance: f64, case: &str) -> usize {
    let mut compared = 0;
    let sections =
        [("pre_training_bias_metrics", &found.pre_training), ("post_training_bias_metrics", &found.post_training)];
    for (name, found) in sections {
        let Some(wanted) = wanted.get(name) else { continue };
        let found = found.as_ref().unwrap();
        assert_eq!(found.label, wanted["label"], "{case}, {name}");
        assert_eq!(found.label_value_or_threshold, wanted["label_value_or_threshold"], "{case}, {name}");
        let facets = wanted["facets"].as_object().unwrap();
        assert_eq!(found.facets.len(), facets.len(), "{case}, {name}");
        for (facet, entries) in &found.facets {
            let wanted = facets[facet].as_array().unwrap();
            assert_eq!(entries.len(), wanted.len(), "{case}, {name}, {facet}");
            for (entry, wanted) in entries.iter().zip(wanted) {
                assert_eq!(entry.value_or_threshold, wanted["value_or_threshold"], "{case}, {name}, {facet}");
                let metrics = metrics_of(&wanted["metrics"]);
                assert_eq!(entry.metrics.len(), metrics.len(), "{case}, {name}, {facet}");
                for (metric, wanted) in entry.metrics.iter().zip(metrics) {
                    let tolerance = if metric.name == "FT" { flip_test_tolerance } else { tolerance };
                    let place = format!("{case}, {name}, {facet} `{}`", entry.value_or_threshold);
                    assert_metric(metric, &wanted, tolerance, &place);
                    compared += 1;
                }
            }
        }
    }
    compared
}

/// Name, description where there is one, and value or error.
fn metrics_of(metrics: &Value) -> Vec<(String, Option<String>, Value)> {
    let text = |metric: &Value, member: &str| metric[member].as_str().unwrap().to_owned();
    let answer =
        |metric: &Value| if metric["value"].is_null() { metric["error"].clone() } else { metric["value"].clone() };
    match metrics {
        Value::Array(metrics) => {
            metrics.iter().map(|it| (text(it, "name"), Some(text(it, "description")), answer(it))).collect()
        }
        // The order of names is that of the alphabet.
        Value::Object(metrics) => metrics.iter().map(|(name, value)| (name.clone(), None, value.clone())).collect(),
        other => panic!("no metrics: {other}"),
    }
}

fn assert_metric(
    found: &BiasMetric,
    (name, description, wanted): &(String, Option<String>, Value),
    tolerance: f64,
    place: &str,
) {
    assert_eq!(&found.name, name, "{place}");
    if let Some(description) = description {
        assert_eq!(&found.description, description, "{place}");
    }
    let wanted_value = match wanted {
        Value::String(text) if text == "Infinity" => Some(f64::INFINITY),
        Value::String(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        other => other.as_f64(),
    };
    match (found.value, wanted_value) {
        (Some(value), Some(wanted)) => {
            let is_close = value == wanted || (value - wanted).abs() <= tolerance;
            assert!(is_close, "{place}: {name} is {value}, not {wanted}");
            assert_eq!(found.error, None, "{place}: {name}");
        }
        (None, None) => assert_eq!(found.error.as_deref(), wanted.as_str(), "{place}: {name}"),
        _ => panic!("{place}: {name} is {found:?}, not {wanted}"),
    }
}
