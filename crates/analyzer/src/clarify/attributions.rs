//! Kernel SHAP of the rows of a table: which rows a model is asked about, and what follows from its scores (section 3).
//!
//! Rows are explained in chunks by several workers. While one waits for the model, others make records or solve, so that the model is
//! what the time goes to. A row's attributions depend on nothing but the row, its number and the background: results are the same for
//! any number of workers.

use std::sync::{Mutex, PoisonError};

use watchkeeper_engine::shap::{Coalitions, Explanation, Link};
use watchkeeper_engine::table::{Table, Value};
use watchkeeper_formats::clarify::ShapConfig;

use super::resume::{Resumed, Resumption};
use super::scoring::{RECORD_BYTES, RECORD_COUNT, Scoring, is_full};
use super::workers;
use crate::predictor::{EncodedCells, Model, Records};
use crate::{Error, Level, Observer};

/// Chunks that the rows are cut into at least, so that there is something to do while the model is asked.
const CHUNKS: usize = 16;
/// More rows at a time than this are not worth while, nor are more than fit into one question.
const ROWS_OF_CHUNK: usize = 1024;

/// What is explained.
pub(super) struct Explaining<'a> {
    pub(super) model: &'a Model,
    /// All rows; columns are what the model gets.
    pub(super) features: &'a Table,
    /// Background rows, columns as `features`.
    pub(super) background: &'a Table,
    /// The rows to be explained.
    pub(super) rows: &'a [usize],
    /// The features to be explained, ascending.
    pub(super) explained: &'a [usize],
    pub(super) shap: &'a ShapConfig,
    pub(super) threads: usize,
    pub(super) resumption: Option<&'a Resumption>,
    pub(super) observer: &'a dyn Observer,
}

/// The attributions of the rows.
pub(super) struct Attributions {
    /// Row after row: output after output, explained feature after explained feature.
    pub(super) values: Vec<f64>,
    /// Scores of the rows before the link: row after row, output after output.
    pub(super) predictions: Vec<f64>,
}

impl Attributions {
    /// Puts in the entry of the row at a place: its scores, so many, and its attributions.
    fn put(&mut self, place: usize, outputs: usize, entry: &[f64]) {
        let (predictions, values) = entry.split_at(outputs);
        self.predictions[place * outputs..][..outputs].copy_from_slice(predictions);
        self.values[place * values.len()..][..values.len()].copy_from_slice(values);
    }
}

impl Explaining<'_> {
    /// How many coalitions a row has at most.
    pub(super) fn coalitions_of_row(&self) -> u64 {
        Coalitions::count(self.features.columns.len(), self.explained.len(), self.shap.num_samples)
    }

    /// Records that the model is asked about for one row, at most.
    pub(super) fn records_of_row(&self) -> u64 {
        let background = self.background.rows as u64;
        let beside = if self.explains_all() { 0 } else { background };
        self.coalitions_of_row().saturating_mul(background).saturating_add(beside).saturating_add(1)
    }

    /// Explains. `expected` are the links of the mean scores of the background.
    pub(super) fn explain(&self, expected: &[f64]) -> Result<Attributions, Error> {
        let outputs = expected.len();
        let cells = Cells::of(self.model, self.features);
        let background = Cells::of(self.model, self.background);
        let width = outputs * self.explained.len();
        let mut done = Attributions {
            values: vec![f64::NAN; self.rows.len() * width],
            predictions: vec![f64::NAN; self.rows.len() * outputs],
        };
        let mut resumed = self.resumption.map(|resumption| resumption.open(outputs, width)).transpose()?;
        let todo = match &mut resumed {
            Some(resumed) => self.take_up(resumed, &mut done, &cells, outputs)?,
            None => (0..self.rows.len()).collect(),
        };
        let bytes_of_record = cells.bytes() / self.features.rows.max(1);
        let records = self.records_of_row().saturating_mul(todo.len() as u64);
        let estimate = (records, records.saturating_mul(bytes_of_record as u64));
        let scoring = Scoring::begin(self.model, self.observer, "attributions", estimate);
        scoring.told(self.rows.len(), |scoring| {
            let work = Work {
                explaining: self,
                scoring,
                cells: &cells,
                background: &background,
                expected,
                done: Mutex::new(&mut done),
                resumed: resumed.as_ref(),
            };
            work.do_all(&todo)
        })?;
        Ok(done)
    }

    fn explains_all(&self) -> bool {
        self.explained.len() == self.features.columns.len()
    }

    /// The features to be explained in which a row differs from the background, ascending.
    fn varying(&self, row: usize) -> Vec<usize> {
        let varies = |feature: &usize| {
            let value = self.features.columns[*feature].value(row);
            let other = &self.background.columns[*feature];
            (0..self.background.rows).any(|row| !are_equal(value, other.value(row)))
        };
        self.explained.iter().copied().filter(varies).collect()
    }

    pub(super) fn link(&self) -> Link {
        if self.shap.use_logit { Link::Logit } else { Link::Identity }
    }

    /// Takes over what an interrupted run has computed, as far as it is of the model that there is now; gives the places in `rows` of
    /// the rest.
    fn take_up(
        &self,
        resumed: &mut Resumed,
        done: &mut Attributions,
        cells: &Cells,
        outputs: usize,
    ) -> Result<Vec<usize>, Error> {
        if !resumed.entries().is_empty() && !self.is_of_same_model(resumed, cells, outputs)? {
            let line =
                "the model is another one than that of the run that was interrupted, nothing is taken over from it";
            self.observer.log(Level::Warning, line);
            resumed.start_over()?;
        }
        let mut is_done = vec![false; self.rows.len()];
        for (place, entry) in resumed.entries() {
            is_done[*place] = true;
            done.put(*place, outputs, entry);
        }
        let todo: Vec<usize> = (0..self.rows.len()).filter(|place| !is_done[*place]).collect();
        if todo.len() < self.rows.len() {
            let before = self.rows.len() - todo.len();
            let line = format!("{before} of {} rows were explained by a run that was interrupted", self.rows.len());
            self.observer.log(Level::Info, &line);
        }
        Ok(todo)
    }

    /// Whether the rows of an interrupted run still have the scores that they had: what stands behind an address or a command may have
    /// become another model.
    fn is_of_same_model(&self, resumed: &Resumed, cells: &Cells, outputs: usize) -> Result<bool, Error> {
        let entries = resumed.entries();
        let rows = || entries.iter().map(|(place, _)| self.rows[*place]);
        let bytes: usize = rows().flat_map(|row| cells.row(row)).map(|cell| cell.len() + 1).sum();
        let estimate = (entries.len() as u64, bytes as u64);
        let scoring = Scoring::begin(self.model, self.observer, "rows of the run that was interrupted", estimate);
        let scores = scoring.told(entries.len(), |scoring| {
            let mut means = Means::new(scoring, outputs);
            rows().try_for_each(|row| means.push(row, std::iter::once(cells.row(row))))?;
            means.end()
        })?;
        let before = entries.iter().flat_map(|(_, entry)| &entry[..outputs]);
        Ok(scores.iter().zip(before).all(|(now, before)| is_same_score(*now, *before)))
    }
}

/// Whether two scores are of one model and one record. The records that share its request may move the last digits.
fn is_same_score(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-5 * one.abs().max(other.abs())
}

/// The encoded cells of a table.
struct Cells(Vec<EncodedCells>);

impl Cells {
    fn of(model: &Model, table: &Table) -> Self {
        Self(table.columns.iter().map(|column| model.encode(column)).collect())
    }

    /// Bytes of the records of all rows.
    fn bytes(&self) -> usize {
        self.0.iter().map(EncodedCells::bytes_in_records).sum()
    }

    fn row(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(move |cells| cells.cell(row))
    }
}

/// Whether two cells have the same value, however it is written; two missing ones have.
fn are_equal(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Integer(whole), Value::Float(number)) | (Value::Float(number), Value::Integer(whole)) => {
            whole as f64 == number
        }
        (one, other) => one == other,
    }
}

/// The rows of a job, shared by its workers.
struct Work<'a> {
    explaining: &'a Explaining<'a>,
    scoring: &'a Scoring<'a>,
    cells: &'a Cells,
    background: &'a Cells,
    expected: &'a [f64],
    done: Mutex<&'a mut Attributions>,
    resumed: Option<&'a Resumed>,
}

impl Work<'_> {
    fn do_all(&self, todo: &[usize]) -> Result<(), Error> {
        let at_once = (RECORD_COUNT as u64 / self.explaining.records_of_row()) as usize;
        // A row's equations are half a matrix.
        let features = self.explaining.explained.len();
        let in_memory = RECORD_BYTES / (features * features * size_of::<f64>() / 2).max(1);
        let rows = (todo.len() / CHUNKS).min(ROWS_OF_CHUNK).min(at_once).min(in_memory).max(1);
        let chunks: Vec<&[usize]> = todo.chunks(rows).collect();
        workers::map(chunks.len(), self.explaining.threads, |chunk| self.explain_chunk(chunks[chunk]))?;
        Ok(())
    }

    /// Explains some rows: makes all their records, in parts that are asked one after the other, then solves.
    fn explain_chunk(&self, chunk: &[usize]) -> Result<(), Error> {
        let explaining = self.explaining;
        let outputs = self.expected.len();
        let explanation = |place: &usize| {
            let row = explaining.rows[*place];
            let features = explaining.features.columns.len();
            let (samples, seed) = (explaining.shap.num_samples, explaining.shap.seed.unwrap_or_default());
            Explanation::new(features, &explaining.varying(row), samples, seed, row as u64)
        };
        let explanations: Vec<Explanation> = chunk.iter().map(explanation).collect();
        let mut means = Means::new(self.scoring, outputs);
        for (place, explanation) in chunk.iter().zip(&explanations) {
            self.push_row(&mut means, explaining.rows[*place], explanation)?;
        }
        let means = means.end()?;
        let mut rest = means.as_slice();
        for (place, explanation) in chunk.iter().zip(&explanations) {
            let groups = 1 + usize::from(!explaining.explains_all()) + explanation.coalitions().len();
            let (of_row, behind) = rest.split_at(groups * outputs);
            self.solve(*place, explanation, of_row)?;
            rest = behind;
        }
        Ok(())
    }

    /// The records of one row: itself, the empty coalition where it is the row's own, and the coalitions.
    fn push_row(&self, means: &mut Means<'_>, row: usize, explanation: &Explanation) -> Result<(), Error> {
        means.push(row, std::iter::once(self.cells.row(row)))?;
        let background = self.explaining.background.rows;
        if !self.explaining.explains_all() {
            let is_of_row = |feature: usize| !self.explaining.explained.contains(&feature);
            means.push(row, (0..background).map(|other| self.mixed(row, other, is_of_row)))?;
        }
        let coalitions = explanation.coalitions();
        for coalition in 0..coalitions.len() {
            let is_of_row = |feature: usize| coalitions.contains(coalition, feature);
            means.push(row, (0..background).map(|other| self.mixed(row, other, is_of_row)))?;
        }
        Ok(())
    }

    /// The cells of a row, and of a background row where they are not to be of the row.
    fn mixed(&self, row: usize, other: usize, is_of_row: impl Fn(usize) -> bool) -> impl Iterator<Item = &[u8]> {
        (self.cells.0.iter().zip(&self.background.0)).enumerate().map(move |(feature, (cells, background))| {
            if is_of_row(feature) { cells.cell(row) } else { background.cell(other) }
        })
    }

    /// `means` are those of the row's groups, in the order they were pushed.
    fn solve(&self, place: usize, explanation: &Explanation, means: &[f64]) -> Result<(), Error> {
        if self.scoring.has_failures() && means.iter().any(|mean| mean.is_nan()) {
            return Ok(());
        }
        let link = self.explaining.link();
        let outputs = self.expected.len();
        let (prediction, means) = means.split_at(outputs);
        let explains_all = self.explaining.explains_all();
        let (none, coalitions) = means.split_at(if explains_all { 0 } else { outputs });
        let mut entry = prediction.to_vec();
        for output in 0..outputs {
            let values: Vec<f64> = coalitions.iter().skip(output).step_by(outputs).map(|mean| link.of(*mean)).collect();
            let none = if explains_all { self.expected[output] } else { link.of(none[output]) };
            let attributions = explanation.attributions(&values, none, link.of(prediction[output]));
            entry.extend(self.explaining.explained.iter().map(|feature| attributions[*feature]));
        }
        self.done.lock().unwrap_or_else(PoisonError::into_inner).put(place, outputs, &entry);
        self.resumed.map_or(Ok(()), |resumed| resumed.add(place, &entry))
    }
}

/// Means of the scores of groups of records, asked in parts.
struct Means<'a> {
    scoring: &'a Scoring<'a>,
    outputs: usize,
    records: Records,
    /// Of each group of them: how many records, and the row they are of.
    groups: Vec<(usize, usize)>,
    /// Group after group, output after output.
    found: Vec<f64>,
}

impl<'a> Means<'a> {
    fn new(scoring: &'a Scoring<'a>, outputs: usize) -> Self {
        Self { scoring, outputs, records: Records::default(), groups: Vec::new(), found: Vec::new() }
    }

    /// Adds a group of records of a row.
    fn push<'c>(
        &mut self,
        row: usize,
        records: impl Iterator<Item = impl Iterator<Item = &'c [u8]>>,
    ) -> Result<(), Error> {
        let mut count = 0;
        for record in records {
            self.records.push(record);
            count += 1;
        }
        self.groups.push((count, row));
        if is_full(&self.records) { self.ask() } else { Ok(()) }
    }

    fn ask(&mut self) -> Result<(), Error> {
        let records = std::mem::take(&mut self.records);
        let groups = std::mem::take(&mut self.groups);
        let mut starts = Vec::with_capacity(groups.len());
        let mut start = 0;
        for (count, _) in &groups {
            starts.push(start);
            start += count;
        }
        let row_of = |record: usize| groups[starts.partition_point(|start| *start <= record) - 1].1;
        let scores = self.scoring.scores(&records, Some(self.outputs), row_of)?;
        let mut records = scores.values.chunks_exact(self.outputs);
        for (count, _) in groups {
            let first = self.found.len();
            self.found.resize(first + self.outputs, 0.0);
            for record in records.by_ref().take(count) {
                self.found[first..].iter_mut().zip(record).for_each(|(sum, score)| *sum += score);
            }
            self.found[first..].iter_mut().for_each(|sum| *sum /= count as f64);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Vec<f64>, Error> {
        if !self.groups.is_empty() {
            self.ask()?;
        }
        Ok(self.found)
    }
}
