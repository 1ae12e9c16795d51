//! What features contribute to predictions: attributions of rows, what they come to for features, and partial dependence.

use std::collections::HashSet;

use watchkeeper_engine::prediction::{Answer, score_names, scores};
use watchkeeper_engine::shap::aggregate;
use watchkeeper_engine::table::Table;
use watchkeeper_formats::clarify::{
    DatasetType, Explanations, LabelAttributions, PartialDependence, PartialDependenceConfig, PredictorConfig,
    ShapConfig,
};

use super::attributions::{Attributions, Explaining};
use super::background::{self, written};
use super::error::refused;
use super::material::Material;
use super::plan::Origin;
use super::resume::Resumption;
use super::scoring::Scoring;
use super::task::Task;
use super::{ClarifyError, LocalAttributions, dependence};
use crate::predictor::{Model, Records};
use crate::{Error, Level};

/// Rows that a model is asked about for attributions, at most, by a monitor's execution (section 5.1).
const MOST_MODEL_ROWS: u64 = 20_000_000;

/// The model, and how it is spoken with.
pub(super) struct Asking<'a> {
    pub(super) model: &'a Model,
    pub(super) predictor: &'a PredictorConfig,
    pub(super) dataset_type: DatasetType,
}

/// What was found.
#[derive(Default)]
pub(super) struct Explained {
    pub(super) explanations: Option<Explanations>,
    pub(super) local: Option<LocalAttributions>,
    pub(super) background: Option<(Vec<String>, Vec<Vec<String>>)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
}

/// The scores of the model by name.
struct Outputs {
    names: Vec<String>,
    /// Means over the records that were asked.
    means: Vec<f64>,
}

/// Explains the features of all rows: their columns in the dataset, and as a table.
pub(super) fn explain(
    task: &Task<'_>,
    asking: &Asking<'_>,
    material: &Material,
    features: (&[usize], &Table),
) -> Result<Explained, Error> {
    let methods = &task.plan.config.methods;
    let mut explained = Explained::default();
    let mut explanations = Explanations::default();
    check_names(features.1)?;
    // Looked up before the model is asked anything, which may take hours.
    let named = methods.pdp.as_ref().and_then(|pdp| pdp.features.as_ref());
    let named = named
        .map(|names| material.features_of("features of pdp", names, features.0, counts_features(task)))
        .transpose()?;
    if let Some(shap) = &methods.shap {
        let global = attribute(task, asking, material, features, shap, &mut explained)?;
        explanations.kernel_shap = Some(global);
    }
    if let Some(pdp) = &methods.pdp {
        let attributions = explanations.kernel_shap.as_deref().unwrap_or_default();
        let places = named.unwrap_or_else(|| most_important(features.1, attributions, pdp));
        let names = explained.local.as_ref().map(|local| local.labels.clone());
        explanations.pdp = Some(depend(task, asking, features.1, &places, pdp, names)?);
        explained.parameters.push(("Buckets of partial dependence".to_owned(), pdp.grid_resolution.to_string()));
    }
    explained.explanations = Some(explanations);
    Ok(explained)
}

/// Attributions and curves are found by the names of their features, in all documents.
fn check_names(features: &Table) -> Result<(), Error> {
    let mut names = HashSet::new();
    match features.columns.iter().find(|column| !names.insert(column.name.as_str())) {
        None => Ok(()),
        Some(column) => Err(refused(format!(
            "Two features are named `{}`, and attributions are told apart by names: give each a name of its own in headers",
            column.name
        ))),
    }
}

/// Whether an index of a feature counts features, and not the columns of a dataset.
fn counts_features(task: &Task<'_>) -> bool {
    task.plan.is_json() || task.plan.origin != Origin::Dataset
}

/// Kernel SHAP: values of features by label.
fn attribute(
    task: &Task<'_>,
    asking: &Asking<'_>,
    material: &Material,
    (columns, features): (&[usize], &Table),
    shap: &ShapConfig,
    found: &mut Explained,
) -> Result<Vec<(String, LabelAttributions)>, Error> {
    let places = match &shap.features_to_explain {
        Some(references) if !references.is_empty() => {
            let places = material.features_of("features_to_explain", references, columns, counts_features(task))?;
            in_order(places)
        }
        _ => (0..features.columns.len()).collect(),
    };
    let background = background::rows(&task.plan, shap, features, asking.dataset_type, &task.places, task.observer)?;
    let outputs = score(task, asking, &background, ("expected value", "baseline row"))?;
    let mut explaining = Explaining {
        model: asking.model,
        features,
        background: &background,
        rows: &[],
        explained: &places,
        shap,
        threads: task.threads,
        resumption: None,
        observer: task.observer,
    };
    let rows = rows_to_explain(task, features.rows, explaining.records_of_row(), &mut found.notes);
    let resumption = task.resume.map(|folder| {
        let model = format!("{:?} {:?}", task.model, asking.predictor);
        Resumption::new(folder, &task.plan.config, &model, features, &background, &rows)
    });
    explaining.rows = &rows;
    explaining.resumption = resumption.as_ref();
    let expected: Vec<f64> = outputs.means.iter().map(|mean| explaining.link().of(*mean)).collect();
    let attributions = explaining.explain(&expected)?;
    let global = global_values(shap, features, &places, &outputs.names, &expected, &attributions);
    found.parameters.extend(parameters(&explaining));
    found.local = Some(local(material, (features, &places), &rows, outputs.names, attributions));
    found.background = Some(background::document(&background));
    Ok(global)
}

/// Each place once, in ascending order: features are listed as the data has them.
fn in_order(mut places: Vec<usize>) -> Vec<usize> {
    places.sort_unstable();
    places.dedup();
    places
}

/// All rows, or an evenly spaced sample where a monitor's execution would take too long.
fn rows_to_explain(task: &Task<'_>, rows: usize, records_of_row: u64, notes: &mut Vec<String>) -> Vec<usize> {
    let most = (MOST_MODEL_ROWS / records_of_row.max(1)).max(1) as usize;
    if task.plan.origin == Origin::Dataset || rows <= most {
        return (0..rows).collect();
    }
    let note = format!(
        "{most} of {rows} rows, evenly spaced, are explained: each takes {records_of_row} model rows, and no more than \
         {MOST_MODEL_ROWS} are asked"
    );
    task.observer.log(Level::Warning, &note);
    notes.push(note);
    evenly_spaced(rows, most)
}

/// `count` of so many rows, at equal distances.
fn evenly_spaced(rows: usize, count: usize) -> Vec<usize> {
    (0..count).map(|place| (place as u128 * rows as u128 / count as u128) as usize).collect()
}

fn global_values(
    shap: &ShapConfig,
    features: &Table,
    places: &[usize],
    names: &[String],
    expected: &[f64],
    attributions: &Attributions,
) -> Vec<(String, LabelAttributions)> {
    let width = names.len() * places.len();
    let of_label = |(label, name): (usize, &String)| {
        let of_feature = |(place, feature): (usize, &usize)| {
            let values = attributions.values.iter().skip(label * places.len() + place).step_by(width);
            let mut values: Vec<f64> = values.copied().collect();
            (features.columns[*feature].name.clone(), aggregate(shap.agg_method, &mut values))
        };
        let global_shap_values = places.iter().enumerate().map(of_feature).collect();
        (name.clone(), LabelAttributions { global_shap_values, expected_value: expected[label] })
    };
    names.iter().enumerate().map(of_label).collect()
}

fn local(
    material: &Material,
    (features, places): (&Table, &[usize]),
    rows: &[usize],
    labels: Vec<String>,
    attributions: Attributions,
) -> LocalAttributions {
    let cell = |column, row| written(column, row).into_owned();
    let cells = rows.iter().flat_map(|row| places.iter().map(|place| cell(&features.columns[*place], *row)));
    let join = material.join.map(|join| {
        let column = &material.dataset.columns[join];
        (column.name.clone(), rows.iter().map(|row| cell(column, *row)).collect())
    });
    LocalAttributions {
        features: places.iter().map(|place| features.columns[*place].name.clone()).collect(),
        labels,
        values: attributions.values,
        cells: cells.collect(),
        predictions: attributions.predictions,
        join,
    }
}

fn parameters(explaining: &Explaining<'_>) -> Vec<(String, String)> {
    let shap = explaining.shap;
    [
        ("Rows explained", explaining.rows.len().to_string()),
        ("Coalitions of a row, at most", explaining.coalitions_of_row().to_string()),
        ("Baseline rows", explaining.background.rows.to_string()),
        ("Aggregation", shap.agg_method.to_string()),
        ("Explained", if shap.use_logit { "log-odds".to_owned() } else { "scores".to_owned() }),
        ("Seed", shap.seed.unwrap_or_default().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The features with the largest values over all labels, largest first; equal ones in their own order.
fn most_important(
    features: &Table,
    global: &[(String, LabelAttributions)],
    pdp: &PartialDependenceConfig,
) -> Vec<usize> {
    let Some((_, first)) = global.first() else { return Vec::new() };
    let sum = |place: usize| global.iter().map(|(_, label)| label.global_shap_values[place].1.abs()).sum::<f64>();
    let mut ranked: Vec<(f64, &str)> =
        first.global_shap_values.iter().enumerate().map(|(place, (name, _))| (sum(place), name.as_str())).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    let places = ranked.iter().take(pdp.top_k_features as usize).filter_map(|(_, name)| features.position(name));
    places.collect()
}

fn depend(
    task: &Task<'_>,
    asking: &Asking<'_>,
    features: &Table,
    places: &[usize],
    pdp: &PartialDependenceConfig,
    names: Option<Vec<String>>,
) -> Result<Vec<PartialDependence>, Error> {
    let names = if let Some(names) = names {
        names
    } else {
        let columns = features.columns.iter().map(|column| column.rows_at(&[0])).collect();
        score(task, asking, &Table { columns, rows: 1 }, ("names of scores", "row"))?.names
    };
    dependence::partial_dependence(
        asking.model,
        (features, places),
        &names,
        pdp.grid_resolution,
        task.threads,
        task.observer,
    )
}

/// Asks about a few rows: their mean scores, and what the scores are called.
fn score(
    task: &Task<'_>,
    asking: &Asking<'_>,
    rows: &Table,
    (purpose, what): (&'static str, &'static str),
) -> Result<Outputs, Error> {
    let records = Records::of_table(asking.model, rows);
    let estimate = (records.len() as u64, records.bytes() as u64);
    let scoring = Scoring::begin(asking.model, task.observer, purpose, estimate).of(what);
    let (answers, scores) = scoring.told(rows.rows, |scoring| {
        let answers: Vec<Answer> = scoring.ask(&records, |record| record)?.into_iter().flatten().collect();
        let scores = scores(&answers).map_err(|problem| scoring.refused(&problem, |record| record))?;
        Ok((answers, scores))
    })?;
    let headers = asking.predictor.label_headers.as_deref().unwrap_or_default();
    let names = score_names(scores.outputs, headers, answers.first()).map_err(ClarifyError::from)?;
    let mean = |output: usize| {
        let values = scores.values.iter().skip(output).step_by(scores.outputs);
        values.sum::<f64>() / rows.rows as f64
    };
    Ok(Outputs { names, means: (0..scores.outputs).map(mean).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_sample_are_distinct_and_far_apart() {
        for (rows, count) in [(10, 10), (10, 3), (1_000_003, 999), (7, 1)] {
            let sample = evenly_spaced(rows, count);
            assert_eq!((sample.len(), sample[0]), (count, 0));
            let distances = || sample.windows(2).map(|pair| pair[1] - pair[0]).chain([rows - sample[count - 1]]);
            assert!(distances().all(|distance| (rows / count..=rows.div_ceil(count)).contains(&distance)));
        }
    }
}
