//! Model quality: metrics, spreads, curves, judgement.

mod edge_cases;
mod goldens;
mod judgement;
mod labels;
mod properties;
mod spread;

use watchkeeper_engine::column::{Batch, Cell, CellKind};
use watchkeeper_engine::quality::{
    Curves, Interpreter, LabelError, Measures, Problem, Residuals, Row, ScoredRow, Subsamples,
};
use watchkeeper_formats::{
    BinaryClassificationMetrics, ModelQualityMetrics, MulticlassClassificationMetrics, RegressionMetrics,
};

/// A value as it stands in its source.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(String),
    Boolean(bool),
    Missing,
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn number(text: &str) -> Value {
    Value::Number(text.to_owned())
}

/// Prediction, probability, label.
type Record = [Value; 3];

fn batch(records: &[Record]) -> Batch {
    let mut batch = Batch { columns: 3, rows: records.len(), ..Batch::default() };
    for value in records.iter().flatten() {
        let (text, kind) = match value {
            Value::Text(text) => (text.as_str(), CellKind::Text),
            Value::Number(text) => (text.as_str(), CellKind::Number),
            Value::Boolean(flag) => (if *flag { "true" } else { "false" }, CellKind::Boolean),
            Value::Missing => {
                batch.cells.push(Cell::MISSING);
                continue;
            }
        };
        batch.text.extend_from_slice(text.as_bytes());
        batch.cells.push(Cell::new(batch.text.len() - text.len(), text.len(), kind));
    }
    batch
}

/// What came of some records.
struct Outcome {
    interpreter: Interpreter,
    metrics: ModelQualityMetrics,
    residuals: Option<Residuals>,
}

fn interpreted(problem: Problem, records: &[Record]) -> Result<(Interpreter, Vec<[u8; 16]>), LabelError> {
    let mut interpreter = Interpreter::new(problem);
    let mut rows = Vec::new();
    for records in records.chunks(1000) {
        interpreter.read(&batch(records), &mut |row| rows.push(row.to_bytes()))?;
    }
    Ok((interpreter, rows))
}

fn outcome(problem: Problem, records: &[Record]) -> Outcome {
    let (interpreter, rows) = interpreted(problem, records).unwrap();
    let mut measures = Measures::new(&interpreter);
    let mut subsamples = Subsamples::new(interpreter.rows_used(), interpreter.seed());
    let mut scores = Vec::new();
    for bytes in rows {
        let row = Row::from_bytes(problem, bytes);
        let subsamples = subsamples.draw();
        measures.add(row, subsamples);
        if let Row::Binary { truth, score, .. } = row {
            scores.push(ScoredRow { score, is_positive: truth, subsamples }.to_bytes());
        }
    }
    let has_scores = matches!(problem, Problem::Binary { has_probability: true, .. });
    let curves = has_scores.then(|| {
        scores.sort_unstable();
        let rows: Vec<ScoredRow> = scores.into_iter().map(ScoredRow::from_bytes).collect();
        let distinct = rows.chunk_by(|left, right| left.score == right.score).count();
        let mut curves = Curves::new(measures.class_counts(), distinct as u64);
        for row in rows {
            curves.add(row);
        }
        curves.finish()
    });
    let residuals = measures.residuals();
    Outcome { interpreter, metrics: measures.finish(curves), residuals }
}

impl Outcome {
    #[track_caller]
    fn value(&self, name: &str) -> f64 {
        self.metrics.scalars().into_iter().find(|(metric, _)| *metric == name).unwrap().1.value
    }

    fn binary(self) -> BinaryClassificationMetrics {
        match self.metrics {
            ModelQualityMetrics::BinaryClassification(metrics) => *metrics,
            other => panic!("{other:?}"),
        }
    }

    fn multiclass(self) -> MulticlassClassificationMetrics {
        match self.metrics {
            ModelQualityMetrics::MulticlassClassification(metrics) => *metrics,
            other => panic!("{other:?}"),
        }
    }

    fn regression(self) -> RegressionMetrics {
        match self.metrics {
            ModelQualityMetrics::Regression(metrics) => metrics,
            other => panic!("{other:?}"),
        }
    }
}

/// Predictions and scores.
const BOTH: Problem = Problem::Binary { threshold: 0.5, has_inference: true, has_probability: true };
/// Scores alone.
const SCORES: Problem = Problem::Binary { threshold: 0.5, has_inference: false, has_probability: true };
/// Predictions alone.
const PREDICTIONS: Problem = Problem::Binary { threshold: 0.5, has_inference: true, has_probability: false };

/// Binary records of prediction, truth and score.
fn scored(rows: &[(u8, u8, f64)]) -> Vec<Record> {
    let record = |&(prediction, truth, score): &(u8, u8, f64)| {
        [number(&prediction.to_string()), number(&score.to_string()), number(&truth.to_string())]
    };
    rows.iter().map(record).collect()
}

/// Records of prediction and truth as texts.
fn pairs(rows: &[(&str, &str)]) -> Vec<Record> {
    rows.iter().map(|(prediction, truth)| [text(prediction), Value::Missing, text(truth)]).collect()
}
