//! Partial dependence: the mean score when a feature is set to a value, for each of its values (section 4.1).

use std::collections::HashSet;

use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::shap::{Grid, data_type, grid};
use watchkeeper_engine::table::{Column, ColumnBuilder, Table, Value};
use watchkeeper_formats::clarify::{DataType, PartialDependence, PartialDependenceCurve};

use super::scoring::{RECORD_BYTES, RECORD_COUNT, Scoring, is_full};
use super::workers;
use crate::predictor::{EncodedCells, Model, Records};
use crate::{Error, Observer};

/// A feature whose curve can be had.
struct Looked {
    feature: usize,
    grid: Grid,
    /// The values as the model gets them.
    cells: EncodedCells,
}

/// The partial dependence of features (places in `features`); `scores` are the names of the model's.
pub(super) fn partial_dependence(
    model: &Model,
    (features, places): (&Table, &[usize]),
    scores: &[String],
    resolution: u32,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Vec<PartialDependence>, Error> {
    let encoded: Vec<EncodedCells> = features.columns.iter().map(|column| model.encode(column)).collect();
    let looked: Vec<Result<Looked, (usize, String)>> = places
        .iter()
        .map(|feature| {
            let column = &features.columns[*feature];
            let grid = grid(column, resolution).map_err(|words| (*feature, words))?;
            let cells = model.encode(&values(column, &grid));
            Ok(Looked { feature: *feature, grid, cells })
        })
        .collect();
    let points: Vec<(&Looked, usize)> = looked
        .iter()
        .flatten()
        .flat_map(|looked| (0..looked.grid.values.len()).map(move |value| (looked, value)))
        .collect();
    let bytes: usize = encoded.iter().map(EncodedCells::bytes_in_records).sum();
    let estimate = ((points.len() * features.rows) as u64, (points.len() * bytes) as u64);
    let scoring = Scoring::begin(model, observer, "partial dependence", estimate);
    let pieces: Vec<&[(&Looked, usize)]> = points.chunks(asked_together(features.rows, bytes)).collect();
    let means = scoring.told(features.rows, |scoring| {
        workers::map(pieces.len(), threads, |piece| {
            means(scoring, (features.rows, scores.len()), &encoded, pieces[piece])
        })
    })?;
    let mut means = means.into_iter().flatten();
    let dependence = looked.into_iter().map(|looked| match looked {
        Err((feature, words)) => unsupported(&features.columns[feature], words),
        Ok(looked) => {
            let means: Vec<Vec<f64>> = means.by_ref().take(looked.grid.values.len()).collect();
            supported(&features.columns[looked.feature], looked.grid, &means, scores)
        }
    });
    Ok(dependence.collect())
}

/// `means` are those of all scores, value after value.
fn supported(column: &Column, grid: Grid, means: &[Vec<f64>], scores: &[String]) -> PartialDependence {
    let of_output = |output: usize| means.iter().map(|means| means[output]).collect();
    let curve = PartialDependenceCurve {
        feature_values: grid.values,
        data_distribution: grid.distribution,
        model_predictions: (0..scores.len()).map(of_output).collect(),
        label_headers: scores.to_vec(),
    };
    PartialDependence { feature_name: column.name.clone(), data_type: grid.data_type, curve: Ok(curve) }
}

fn unsupported(column: &Column, words: String) -> PartialDependence {
    PartialDependence { feature_name: column.name.clone(), data_type: data_type(column), curve: Err(words) }
}

/// The values of a grid as a column: those of categories as the data has them, the others as Python prints them.
fn values(column: &Column, grid: &Grid) -> Column {
    let mut values = ColumnBuilder::new(true);
    if grid.data_type == DataType::Numerical {
        for value in &grid.values {
            let text = value.as_f64().map_or_else(|| value.to_string(), watchkeeper_formats::number::python_float);
            values.push(CellKind::Number, &text);
        }
        return values.finish(column.name.clone());
    }
    column.rows_at(&first_rows(column))
}

/// Rows that have a value which no row before has.
fn first_rows(column: &Column) -> Vec<usize> {
    let mut seen = HashSet::new();
    let is_first = |row: &usize| match column.value(*row) {
        Value::Missing => false,
        value => seen.insert(value.printed()),
    };
    (0..column.len()).filter(is_first).collect()
}

/// Values of grids whose rows are asked together, so that a model of few rows is not asked for each value by itself.
fn asked_together(rows: usize, bytes: usize) -> usize {
    (RECORD_COUNT / rows.max(1)).min(RECORD_BYTES / bytes.max(1)).max(1)
}

/// The mean scores of all rows with a feature set to a value of its grid, for each of some values.
fn means(
    scoring: &Scoring<'_>,
    (rows, outputs): (usize, usize),
    encoded: &[EncodedCells],
    points: &[(&Looked, usize)],
) -> Result<Vec<Vec<f64>>, Error> {
    let mut sums = vec![vec![0.0; outputs]; points.len()];
    let (mut next, end) = (0, points.len() * rows);
    while next < end {
        let first = next;
        let mut records = Records::default();
        while next < end && !is_full(&records) {
            let ((looked, value), row) = (points[next / rows], next % rows);
            records.push(encoded.iter().enumerate().map(|(feature, cells)| {
                if feature == looked.feature { looked.cells.cell(value) } else { cells.cell(row) }
            }));
            next += 1;
        }
        let scores = scoring.scores(&records, Some(outputs), |record| (first + record) % rows)?;
        for (record, scores) in scores.values.chunks_exact(outputs).enumerate() {
            let sums = &mut sums[(first + record) / rows];
            sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        }
    }
    sums.iter_mut().flatten().for_each(|sum| *sum /= rows as f64);
    Ok(sums)
}
