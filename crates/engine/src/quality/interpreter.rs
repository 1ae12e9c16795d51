//! Cells as predictions, scores and labels: what counts as a number, as a class, as missing.

use watchkeeper_formats::ConfusionMatrix;
use watchkeeper_formats::number::java_double;
use xxhash_rust::xxh64::Xxh64;

use super::cells::{BinaryLabel, binary_label, list, number, quoted};
use super::classes::{ClassOrder, Classes, has_no_class};
use super::{GROUND_TRUTH, INFERENCE, PROBABILITY};
use crate::column::{Batch, Cell};

/// What is predicted, and how predictions are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Problem {
    /// A number.
    Regression,
    /// One of two classes.
    Binary {
        /// Above it a row without a prediction of its own is predicted positive.
        threshold: f64,
        /// Predictions are given: the probability only makes curves.
        has_inference: bool,
        /// Probabilities are given.
        has_probability: bool,
    },
    /// One of any number of classes. Where predictions are lists of probabilities, the reader has made the index of the largest the
    /// prediction.
    Multiclass,
}

/// A row whose values are all there.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the field's standard names
pub enum Row {
    Regression {
        prediction: f64,
        truth: f64,
    },
    /// `score` is NaN where no probability is given.
    Binary {
        prediction: bool,
        truth: bool,
        score: f64,
    },
    /// Numbers of classes, in the order in which they were met.
    Multiclass {
        prediction: u32,
        truth: u32,
    },
}

/// Rows that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// Why the first one was dropped, such as "the label of row 3 is missing".
    pub first_reason: Option<String>,
}

/// A value that no row of the problem may have; ends the job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelError(pub String);

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Prediction,
    Probability,
    Label,
}

/// Makes rows of cells.
pub struct Interpreter {
    problem: Problem,
    rows_read: u64,
    rows_used: u64,
    dropped: Dropped,
    digest: Xxh64,
    labels: BinaryLabels,
    classes: Classes,
}

/// Rows by predicted and true class, and what else labels of a binary classification looked like.
#[derive(Default)]
struct BinaryLabels {
    predicted: [u64; 2],
    labelled: [u64; 2],
    /// Spellings other than 0 and 1 of each class.
    spellings: [Examples; 2],
    /// Texts that are neither class.
    unreadable: Examples,
    unreadable_count: u64,
}

/// Some texts, each once.
#[derive(Default)]
struct Examples(Vec<Box<[u8]>>);

impl Examples {
    fn add(&mut self, text: &[u8]) {
        const MOST: usize = 5;
        if self.0.len() < MOST && self.0.iter().all(|known| **known != *text) {
            self.0.push(text.into());
        }
    }
}

/// The value that makes a row unusable.
struct Unusable {
    side: Side,
    cell: Cell,
}

impl Side {
    fn as_str(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Probability => "probability",
            Self::Label => "label",
        }
    }
}

impl Row {
    /// Sixteen bytes; [`Self::from_bytes`] needs the problem to take them apart.
    #[inline]
    pub fn to_bytes(self) -> [u8; 16] {
        let (first, second) = match self {
            Self::Regression { prediction, truth } => (prediction.to_bits(), truth.to_bits()),
            Self::Binary { prediction, truth, score } => {
                (score.to_bits(), u64::from(prediction) | u64::from(truth) << 1)
            }
            Self::Multiclass { prediction, truth } => (u64::from(prediction), u64::from(truth)),
        };
        (u128::from(first) | u128::from(second) << 64).to_le_bytes()
    }

    /// The reverse of [`Self::to_bytes`].
    #[inline]
    pub fn from_bytes(problem: Problem, bytes: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(bytes);
        let (first, second) = (both as u64, (both >> 64) as u64);
        match problem {
            Problem::Regression => {
                Self::Regression { prediction: f64::from_bits(first), truth: f64::from_bits(second) }
            }
            Problem::Binary { .. } => {
                Self::Binary { prediction: second & 1 == 1, truth: second >> 1 & 1 == 1, score: f64::from_bits(first) }
            }
            Problem::Multiclass => Self::Multiclass { prediction: first as u32, truth: second as u32 },
        }
    }
}

impl Interpreter {
    /// For rows of a problem.
    pub fn new(problem: Problem) -> Self {
        Self {
            problem,
            rows_read: 0,
            rows_used: 0,
            dropped: Dropped::default(),
            digest: Xxh64::new(0),
            labels: BinaryLabels::default(),
            classes: Classes::default(),
        }
    }

    /// Interprets the next batch, whose columns are [`super::INFERENCE`], [`super::PROBABILITY`] and
    /// [`super::GROUND_TRUTH`]; those of attributes that are not given are missing in every row. `take` gets the rows
    /// that can be used, in order.
    ///
    /// # Errors
    /// A label that no row may have, such as 2 in a binary classification, or too many classes.
    ///
    /// # Panics
    /// When the batch has other columns.
    pub fn read(&mut self, batch: &Batch, take: &mut dyn FnMut(Row)) -> Result<(), LabelError> {
        const COLUMNS: usize = 3;
        assert!(batch.rows == 0 || batch.columns == COLUMNS, "a batch of model quality has three columns");
        for cells in batch.cells.as_chunks::<COLUMNS>().0 {
            self.rows_read += 1;
            match self.row(batch, cells)? {
                Ok(row) => {
                    self.rows_used += 1;
                    self.digest.update(&row.to_bytes());
                    take(row);
                }
                Err(unusable) => self.drop_row(batch, &unusable),
            }
        }
        Ok(())
    }

    #[inline]
    fn row(&mut self, batch: &Batch, cells: &[Cell; 3]) -> Result<Result<Row, Unusable>, LabelError> {
        match self.problem {
            Problem::Regression => Ok(regression_row(batch, cells)),
            Problem::Binary { threshold, has_inference, has_probability } => {
                self.binary_row(batch, cells, has_inference, has_probability || !has_inference, threshold)
            }
            Problem::Multiclass => self.multiclass_row(batch, cells),
        }
    }

    #[inline]
    fn binary_row(
        &mut self,
        batch: &Batch,
        cells: &[Cell; 3],
        has_inference: bool,
        has_probability: bool,
        threshold: f64,
    ) -> Result<Result<Row, Unusable>, LabelError> {
        let truth = self.binary_label(batch, Side::Label, cells[GROUND_TRUTH])?;
        let inference =
            if has_inference { self.binary_label(batch, Side::Prediction, cells[INFERENCE])? } else { None };
        let score = if has_probability { value(batch, cells[PROBABILITY]) } else { Some(f64::NAN) };
        let unusable = |side, cell| Ok(Err(Unusable { side, cell }));
        let Some(score) = score else { return unusable(Side::Probability, cells[PROBABILITY]) };
        let prediction = match inference {
            Some(prediction) => prediction,
            None if has_inference => return unusable(Side::Prediction, cells[INFERENCE]),
            None => score > threshold,
        };
        let Some(truth) = truth else { return unusable(Side::Label, cells[GROUND_TRUTH]) };
        self.labels.predicted[usize::from(prediction)] += 1;
        self.labels.labelled[usize::from(truth)] += 1;
        Ok(Ok(Row::Binary { prediction, truth, score }))
    }

    #[inline]
    fn binary_label(&mut self, batch: &Batch, side: Side, cell: Cell) -> Result<Option<bool>, LabelError> {
        if cell.is_missing() {
            return Ok(None);
        }
        let text = batch.text_of(cell);
        match binary_label(cell.kind(), text) {
            BinaryLabel::Class(class) => {
                let text = text.trim_ascii();
                if !matches!(text, b"0" | b"1") {
                    self.labels.spellings[usize::from(class)].add(text);
                }
                Ok(Some(class))
            }
            BinaryLabel::Missing => {
                if !text.trim_ascii().is_empty() {
                    self.labels.unreadable_count += 1;
                    self.labels.unreadable.add(text.trim_ascii());
                }
                Ok(None)
            }
            BinaryLabel::Other(number) => {
                let advice = if side == Side::Prediction { ": use probability_attribute for scores" } else { "" };
                Err(LabelError(format!(
                    "the {side} of row {} is {}, and a {side} of a binary classification is 0 or 1{advice}",
                    self.rows_read,
                    java_double(number),
                    side = side.as_str(),
                )))
            }
        }
    }

    #[inline]
    fn multiclass_row(&mut self, batch: &Batch, cells: &[Cell; 3]) -> Result<Result<Row, Unusable>, LabelError> {
        for (side, cell) in [(Side::Prediction, cells[INFERENCE]), (Side::Label, cells[GROUND_TRUTH])] {
            if cell.is_missing() || has_no_class(cell.kind(), batch.text_of(cell)) {
                return Ok(Err(Unusable { side, cell }));
            }
        }
        let prediction = self.class(batch, Side::Prediction, cells[INFERENCE])?;
        let truth = self.class(batch, Side::Label, cells[GROUND_TRUTH])?;
        Ok(Ok(Row::Multiclass { prediction, truth }))
    }

    #[inline]
    fn class(&mut self, batch: &Batch, side: Side, cell: Cell) -> Result<u32, LabelError> {
        let text = batch.text_of(cell);
        self.classes.class_of(side, cell.kind(), text).map_err(|_| {
            LabelError(format!(
                "there are more than {} classes, the next is the {} {} of row {}: is this a regression?",
                ConfusionMatrix::MAX_CLASSES,
                side.as_str(),
                quoted(text),
                self.rows_read,
            ))
        })
    }

    #[cold]
    fn drop_row(&mut self, batch: &Batch, unusable: &Unusable) {
        self.dropped.count += 1;
        if self.dropped.first_reason.is_some() {
            return;
        }
        let text = batch.text_of(unusable.cell);
        let what = match self.problem {
            _ if unusable.cell.is_missing() => "missing".to_owned(),
            _ if text.trim_ascii().is_empty() => "empty".to_owned(),
            Problem::Binary { .. } if unusable.side != Side::Probability => {
                format!("{}, which is neither 0 nor 1", quoted(text))
            }
            Problem::Multiclass => format!("{}, which is no class", quoted(text)),
            _ => format!("{}, which is no finite number", quoted(text)),
        };
        let reason = format!("the {} of row {} is {what}", unusable.side.as_str(), self.rows_read);
        self.dropped.first_reason = Some(reason);
    }

    /// The problem.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// Rows read, usable or not.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Rows that can be used.
    pub fn rows_used(&self) -> u64 {
        self.rows_used
    }

    /// Rows that cannot.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Sentences for whoever reads the result: how text and numeric labels were mapped on classes, labels that only one side
    /// has, values taken for others (`1.0` as `1`).
    pub fn notes(&self) -> Vec<String> {
        match self.problem {
            Problem::Regression => Vec::new(),
            Problem::Binary { threshold, has_inference, .. } => {
                self.labels.notes((!has_inference).then_some(threshold))
            }
            Problem::Multiclass => self.classes.notes(),
        }
    }

    /// A number that follows from all usable rows and nothing else.
    pub fn seed(&self) -> u64 {
        self.digest.digest()
    }

    pub(super) fn class_order(&self) -> ClassOrder {
        self.classes.order()
    }
}

#[inline]
fn value(batch: &Batch, cell: Cell) -> Option<f64> {
    if cell.is_missing() { None } else { number(cell.kind(), batch.text_of(cell)) }
}

#[inline]
fn regression_row(batch: &Batch, cells: &[Cell; 3]) -> Result<Row, Unusable> {
    let of = |side, cell| value(batch, cell).ok_or(Unusable { side, cell });
    let prediction = of(Side::Prediction, cells[INFERENCE])?;
    let truth = of(Side::Label, cells[GROUND_TRUTH])?;
    Ok(Row::Regression { prediction, truth })
}

impl BinaryLabels {
    /// `threshold` where predictions are made of probabilities.
    fn notes(&self, threshold: Option<f64>) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(threshold) = threshold {
            notes.push(format!("class 1 is predicted where the probability is above {}", java_double(threshold)));
        }
        let rows = self.labelled[0] + self.labelled[1];
        notes.push(format!(
            "classes 0 and 1: {} of {rows} rows are labelled 1, {} are predicted 1",
            self.labelled[1], self.predicted[1]
        ));
        for class in 0..2 {
            match (self.predicted[class], self.labelled[class]) {
                (0, 0) | (1.., 1..) => {}
                (0, _) => notes.push(format!("class {class} is a label, but never predicted")),
                (_, 0) => notes.push(format!("class {class} is predicted, but never a label")),
            }
            let spellings = &self.spellings[class].0;
            if !spellings.is_empty() {
                notes.push(format!("read as class {class}: {}", list(spellings)));
            }
        }
        if self.unreadable_count > 0 {
            notes.push(format!(
                "{} values are missing because they are neither 0 nor 1, such as {}: map them to 1 and 0",
                self.unreadable_count,
                list(&self.unreadable.0)
            ));
        }
        notes
    }
}
