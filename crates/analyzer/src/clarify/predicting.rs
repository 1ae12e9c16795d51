//! The predicted labels that bias is measured with: the data's own, or the model's.

use watchkeeper_engine::prediction::{Answer, LabelRules};
use watchkeeper_engine::table::{Column, Table};

use super::material::{GivenPredictions, Material};
use super::scoring::{Scoring, is_full};
use super::{ClarifyError, Plan};
use crate::predictor::{EncodedCells, Model, Records};
use crate::{Error, Observer};

/// Name of the column of predicted labels where they have none.
const PREDICTED_LABEL: &str = "predicted_label";

/// The predicted labels of all rows; None where no metric needs any.
pub(super) fn predicted_labels(
    plan: &Plan,
    material: &Material,
    threshold: Option<f64>,
    model: Option<(&Model, &Table)>,
    observer: &dyn Observer,
) -> Result<Option<Column>, Error> {
    let Some(label) = material.label.filter(|_| plan.config.methods.post_training_bias.is_some()) else {
        return Ok(None);
    };
    let observed = &material.dataset.columns[label];
    let headers = plan.config.predictor.as_ref().and_then(|predictor| predictor.label_headers.as_deref());
    let rules = LabelRules::new(observed, headers.unwrap_or_default(), threshold);
    let labels = match &material.predictions {
        GivenPredictions::Dataset(column) => Ok(rules.labels_of_column(&material.dataset.columns[*column])),
        GivenPredictions::File(column) => Ok(rules.labels_of_column(column)),
        GivenPredictions::Answers(answers) => rules.labels(PREDICTED_LABEL, answers),
        GivenPredictions::None => {
            let Some((model, features)) = model else { return Ok(None) };
            rules.labels(PREDICTED_LABEL, &answers(model, features, observer)?)
        }
    };
    Ok(Some(labels.map_err(ClarifyError::from)?))
}

/// The model's answers for all rows.
fn answers(model: &Model, features: &Table, observer: &dyn Observer) -> Result<Vec<Answer>, Error> {
    let cells: Vec<_> = features.columns.iter().map(|column| model.encode(column)).collect();
    let bytes: usize = cells.iter().map(EncodedCells::bytes_in_records).sum();
    let scoring = Scoring::begin(model, observer, "predictions", (features.rows as u64, bytes as u64));
    let asked = scoring.told(features.rows, |scoring| {
        let mut answers = Vec::with_capacity(features.rows);
        let mut row = 0;
        while row < features.rows {
            let first = row;
            let mut records = Records::default();
            while row < features.rows && !is_full(&records) {
                records.push(cells.iter().map(|cells| cells.cell(row)));
                row += 1;
            }
            answers.extend(scoring.ask(&records, |record| first + record)?);
        }
        Ok(answers)
    })?;
    Ok(asked.into_iter().flatten().collect())
}
