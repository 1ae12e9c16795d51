//! What a model's answer means: labels and scores (sections 2.3 of the bias and 2.4 of the explainability specification).

use std::cmp::Ordering;

use watchkeeper_formats::number::python_float;

use crate::column::CellKind;
use crate::table::{Column, ColumnBuilder, Distinct, Value, Values};

/// A value in an answer. Numbers keep their text, which tells whole ones from others.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number: its value and whether it is written as a whole one.
    Number {
        /// The value.
        value: f64,
        /// Written without point and exponent.
        is_whole: bool,
    },
    /// True or false.
    Boolean(bool),
    /// A text.
    Text(String),
}

impl Scalar {
    /// The number that a text without blanks around it is, where it is one.
    pub fn number(text: &str) -> Option<Self> {
        // `parse` knows words such as `infinity` too, which are texts.
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let value = text.parse().ok().filter(|_| is_decimal)?;
        Some(Self::Number { value, is_whole: !text.contains(['.', 'e', 'E']) })
    }
}

/// What an answer has for one record at one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// One value.
    One(Scalar),
    /// Several.
    List(Vec<Scalar>),
}

/// An answer for one record. With neither path given the whole of it is the probability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// At the path `label`.
    pub label: Option<Item>,
    /// At the path `probability`.
    pub probability: Option<Item>,
}

/// Why answers cannot be taken for labels or scores. The text says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", record.map_or_else(String::new, |record| format!("record {record}: ")))]
pub struct NotAPrediction {
    /// Which answer (from 0), where it is a certain one.
    pub record: Option<usize>,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl NotAPrediction {
    fn at(record: usize, problem: String) -> Self {
        Self { record: Some(record), problem }
    }
}

/// Makes predicted labels of answers, by the first of five rules that fits.
///
/// Also for predictions that come with the data: a column of them is given as answers with a probability alone.
#[derive(Clone, Debug)]
pub struct LabelRules {
    label_headers: Vec<String>,
    threshold: f64,
    scores: ScoreMeaning,
}

/// What a number means, beside the labels that were observed.
#[derive(Clone, Debug, PartialEq)]
enum ScoreMeaning {
    /// Above the threshold one label, else another.
    Labels { above: (CellKind, String), not_above: (CellKind, String) },
    /// Above the threshold 1, else 0.
    ZeroOrOne,
    /// It is the label.
    Label,
}

/// The score above which a prediction is positive, where nothing else is said.
const DEFAULT_THRESHOLD: f64 = 0.5;

impl LabelRules {
    /// Rules beside the `observed` labels. `label_headers` are empty where not given; `threshold` None: 0.5.
    pub fn new(observed: &Column, label_headers: &[String], threshold: Option<f64>) -> Self {
        let scores = match label_headers {
            [header] => meaning_beside_header(observed, header),
            _ => None,
        };
        let zero_or_one = || if is_zero_or_one(observed) { ScoreMeaning::ZeroOrOne } else { ScoreMeaning::Label };
        Self {
            label_headers: label_headers.to_vec(),
            threshold: threshold.unwrap_or(DEFAULT_THRESHOLD),
            scores: scores.unwrap_or_else(zero_or_one),
        }
    }

    /// The column of predicted labels, one for each answer.
    ///
    /// # Errors
    /// Names the record (from 0) whose answer is no label, and what was expected.
    pub fn labels(&self, name: &str, answers: &[Answer]) -> Result<Column, NotAPrediction> {
        let mut labels = ColumnBuilder::new(false);
        for (record, answer) in answers.iter().enumerate() {
            let label = self.label_of(answer).map_err(|problem| NotAPrediction::at(record, problem))?;
            self.push_label(&mut labels, &label);
        }
        Ok(labels.finish(name.to_owned()))
    }

    /// The column of predicted labels that a column of labels or scores of the data means.
    pub fn labels_of_column(&self, predictions: &Column) -> Column {
        let is_number = matches!(predictions.values, Values::Integer(_) | Values::Float(_));
        if !is_number || self.scores == ScoreMeaning::Label {
            return predictions.clone();
        }
        let mut labels = ColumnBuilder::new(false);
        for row in 0..predictions.len() {
            match predictions.value(row) {
                Value::Integer(value) => self.push_score(&mut labels, value as f64, true),
                Value::Float(value) => self.push_score(&mut labels, value, false),
                _ => labels.push_missing(),
            }
        }
        labels.finish(predictions.name.clone())
    }

    /// What an answer has as a label, or as a score that stands for one.
    fn label_of<'a>(&'a self, answer: &'a Answer) -> Result<LabelOrScore<'a>, String> {
        if let Some(Item::List(scores)) = &answer.probability
            && scores.len() > 1
        {
            return self.label_at_highest(scores, answer.label.as_ref());
        }
        match answer.probability.as_ref().or(answer.label.as_ref()) {
            Some(Item::One(value)) => Ok(LabelOrScore::Value(value)),
            Some(Item::List(values)) => match values.as_slice() {
                [value] => Ok(LabelOrScore::Value(value)),
                [] => Err("the prediction is an empty list, expected a label or a score".to_owned()),
                values => Err(format!(
                    "the label is a list of {}, expected one label, or scores beside it: set `probability`",
                    values.len()
                )),
            },
            None => Err("the answer has no prediction, expected a label or a score".to_owned()),
        }
    }

    fn label_at_highest<'a>(&'a self, scores: &[Scalar], labels: Option<&'a Item>) -> Result<LabelOrScore<'a>, String> {
        let count = scores.len();
        let highest = position_of_highest(scores)?;
        if let Some(Item::List(labels)) = labels {
            return match labels.get(highest) {
                Some(label) if labels.len() == count => Ok(LabelOrScore::Value(label)),
                _ => Err(format!("there are {count} scores and {} labels, expected as many of each", labels.len())),
            };
        }
        match self.label_headers.get(highest) {
            Some(header) if self.label_headers.len() == count => Ok(LabelOrScore::Header(header)),
            None if self.label_headers.is_empty() => Err(format!(
                "there are {count} scores and nothing says of which labels, expected a list of labels at `label`, or \
                 `label_headers`"
            )),
            _ => {
                let headers = self.label_headers.len();
                Err(format!("there are {count} scores and {headers} `label_headers`, expected as many of each"))
            }
        }
    }

    fn push_label(&self, labels: &mut ColumnBuilder, label: &LabelOrScore<'_>) {
        match label {
            LabelOrScore::Header(header) => labels.push(CellKind::Text, header),
            LabelOrScore::Value(Scalar::Text(text)) => labels.push(CellKind::Text, text),
            LabelOrScore::Value(Scalar::Boolean(value)) => {
                labels.push(CellKind::Boolean, if *value { "true" } else { "false" });
            }
            LabelOrScore::Value(Scalar::Number { value, is_whole }) => self.push_score(labels, *value, *is_whole),
        }
    }

    fn push_score(&self, labels: &mut ColumnBuilder, value: f64, is_whole: bool) {
        let is_above = value > self.threshold;
        match &self.scores {
            ScoreMeaning::Labels { above, not_above } => {
                let (kind, text) = if is_above { above } else { not_above };
                labels.push(*kind, text);
            }
            ScoreMeaning::ZeroOrOne => labels.push(CellKind::Number, if is_above { "1" } else { "0" }),
            ScoreMeaning::Label if is_whole => labels.push(CellKind::Number, &format!("{value:.0}")),
            ScoreMeaning::Label => labels.push(CellKind::Number, &python_float(value)),
        }
    }
}

/// A label, or a number that may stand for one.
enum LabelOrScore<'a> {
    Header(&'a str),
    Value(&'a Scalar),
}

/// The place of the highest score, the first of equal ones.
fn position_of_highest(scores: &[Scalar]) -> Result<usize, String> {
    let mut highest = (0, f64::NEG_INFINITY);
    for (position, score) in scores.iter().enumerate() {
        let value = number(score).map_err(|found| format!("a score is {found}, expected a number"))?;
        if value.partial_cmp(&highest.1) == Some(Ordering::Greater) {
            highest = (position, value);
        }
    }
    Ok(highest.0)
}

fn number(scalar: &Scalar) -> Result<f64, String> {
    match scalar {
        Scalar::Number { value, .. } => Ok(*value),
        Scalar::Boolean(value) => Err(value.to_string()),
        Scalar::Text(text) => Err(format!("the text `{text}`")),
    }
}

/// Whether every label that is there is the number 0 or 1, or a boolean.
fn is_zero_or_one(observed: &Column) -> bool {
    match &observed.values {
        Values::Integer(values) => !values.is_empty() && values.iter().all(|value| matches!(value, 0 | 1)),
        Values::Float(values) => {
            let mut present = values.iter().filter(|value| !value.is_nan()).peekable();
            present.peek().is_some() && present.all(|&value| value == 0.0 || value == 1.0)
        }
        Values::Boolean(values) => values.iter().any(Option::is_some),
        Values::Text(_) => false,
    }
}

/// What a score means where one label has a name that is an observed label: above the threshold that one, else the other one where there
/// are just two, else no label, which is an empty text.
fn meaning_beside_header(observed: &Column, header: &str) -> Option<ScoreMeaning> {
    let labels = Distinct::at_most(2, observed);
    let labels = labels.map(|labels| labels.first_rows.into_iter().map(|row| observed.value(row)).collect::<Vec<_>>());
    let header_number: Option<f64> = header.parse().ok();
    let is_named = |label: &Value<'_>| {
        let as_number = match *label {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        };
        label.printed() == header || (as_number.is_some() && as_number == header_number)
    };
    let named = match &labels {
        Some(labels) => labels.iter().copied().find(is_named),
        // With more than two labels the one with the name may be any.
        None => (0..observed.len()).map(|row| observed.value(row)).find(is_named),
    }?;
    let not_above = match labels.as_deref() {
        Some([first, second]) => cell(if *first == named { *second } else { *first }),
        _ => (CellKind::Text, String::new()),
    };
    Some(ScoreMeaning::Labels { above: cell(named), not_above })
}

/// A label as a typed cell.
fn cell(label: Value<'_>) -> (CellKind, String) {
    let kind = match label {
        Value::Integer(_) | Value::Float(_) => CellKind::Number,
        Value::Boolean(_) => CellKind::Boolean,
        Value::Text(_) | Value::Missing => CellKind::Text,
    };
    (kind, label.printed())
}

/// The scores of answers: as many for every record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Scores, record after record.
    pub values: Vec<f64>,
    /// How many a record has.
    pub outputs: usize,
}

/// Reads scores: the probability, else the label.
///
/// # Errors
/// Text, null and a changing number of them, with the record (from 0).
pub fn scores(answers: &[Answer]) -> Result<Scores, NotAPrediction> {
    let mut scores = Scores::default();
    for (record, answer) in answers.iter().enumerate() {
        let refuse = |problem: String| Err(NotAPrediction::at(record, problem));
        let values = match answer.probability.as_ref().or(answer.label.as_ref()) {
            Some(Item::One(value)) => std::slice::from_ref(value),
            Some(Item::List(values)) => values,
            None => return refuse("the answer has no score, expected a number or a list of numbers".to_owned()),
        };
        if record == 0 {
            scores.outputs = values.len();
            scores.values.reserve(values.len() * answers.len());
        }
        if values.is_empty() {
            return refuse("the answer is an empty list, expected a number or a list of numbers".to_owned());
        }
        if values.len() != scores.outputs {
            let (found, first) = (values.len(), scores.outputs);
            return refuse(format!("the answer has {found} scores, expected {first} as in the first one"));
        }
        for value in values {
            match number(value) {
                Ok(value) if value.is_finite() => scores.values.push(value),
                Ok(value) => return refuse(format!("the score is {value}, expected a finite number")),
                Err(found) => {
                    return refuse(format!(
                        "the score is {found}, expected a number: say where the scores are with `predictor.probability` or \
                     `predictor.label`"
                    ));
                }
            }
        }
    }
    Ok(scores)
}

/// Names of `outputs` scores: `label_headers` if given, else the texts of a label list of as many in `first`, else `label0`, `label1`, ….
///
/// # Errors
/// Another number of `label_headers` than scores.
pub fn score_names(
    outputs: usize,
    label_headers: &[String],
    first: Option<&Answer>,
) -> Result<Vec<String>, NotAPrediction> {
    if !label_headers.is_empty() {
        if label_headers.len() != outputs {
            let headers = label_headers.len();
            let problem = format!(
                "`predictor.label_headers` has {headers} names, expected {outputs}, as many as the model gives scores"
            );
            return Err(NotAPrediction { record: None, problem });
        }
        return Ok(label_headers.to_vec());
    }
    let named = first.filter(|answer| answer.probability.is_some()).and_then(|answer| answer.label.as_ref());
    if let Some(Item::List(labels)) = named
        && labels.len() == outputs
    {
        let text = |label: &Scalar| if let Scalar::Text(text) = label { Some(text.clone()) } else { None };
        if let Some(names) = labels.iter().map(text).collect() {
            return Ok(names);
        }
    }
    Ok((0..outputs).map(|output| format!("label{output}")).collect())
}
