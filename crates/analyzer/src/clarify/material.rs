//! The records that an analysis looks at, whichever way they come, and which column of them is what.

use watchkeeper_data::table::column_of;
use watchkeeper_engine::prediction::Answer;
use watchkeeper_engine::table::{Column, Table};
use watchkeeper_formats::clarify::{AnalysisConfig, Reference};

use super::error::refused;
use crate::Error;

/// Records, and which column is what.
pub(super) struct Material {
    /// All columns of the dataset, or features and label of traffic.
    pub(super) dataset: Table,
    /// The label's column.
    pub(super) label: Option<usize>,
    /// The column that rows of several files are joined by.
    pub(super) join: Option<usize>,
    /// Columns that the model does not get, and that a monitor takes for no features at all.
    pub(super) excluded: Vec<usize>,
    /// Predictions that come with the data.
    pub(super) predictions: GivenPredictions,
    /// The columns of a file of its own that has the facets, row for row as the dataset.
    pub(super) facet_file: Option<Table>,
    /// Content types of captured requests and answers.
    pub(super) content_types: (Option<String>, Option<String>),
    /// Records of traffic within the window that were dropped, and the like.
    pub(super) notes: Vec<String>,
}

/// Predictions that come with the data.
pub(super) enum GivenPredictions {
    None,
    /// Of a column of the dataset.
    Dataset(usize),
    /// Of another file.
    File(Column),
    /// Captured.
    Answers(Vec<Answer>),
}

impl Material {
    /// The columns that a model gets.
    pub(super) fn features(&self) -> Vec<usize> {
        let is_feature = |column: &usize| !self.is_no_feature(*column) && !self.excluded.contains(column);
        (0..self.dataset.columns.len()).filter(is_feature).collect()
    }

    /// Columns that are neither sent to a model nor features of a flip test.
    pub(super) fn not_features(&self) -> Vec<usize> {
        (0..self.dataset.columns.len()).filter(|column| self.is_no_feature(*column)).collect()
    }

    fn is_no_feature(&self, column: usize) -> bool {
        let prediction = match self.predictions {
            GivenPredictions::Dataset(column) => Some(column),
            _ => None,
        };
        [self.label, self.join, prediction].contains(&Some(column))
    }

    /// The dataset's features alone.
    pub(super) fn feature_table(&self, features: &[usize]) -> Table {
        let columns = features.iter().map(|column| self.dataset.columns[*column].clone()).collect();
        Table { columns, rows: self.dataset.rows }
    }

    /// A facet's column, and its place in the dataset where it is of that.
    pub(super) fn facet(&self, reference: &Reference) -> Result<(&Column, Option<usize>), Error> {
        let table = self.facet_file.as_ref().unwrap_or(&self.dataset);
        let Some(place) = column_of(table, reference) else {
            return Err(missing("Unable to locate the facet.", "facet", reference, &table.columns));
        };
        Ok((&table.columns[place], self.facet_file.is_none().then_some(place)))
    }

    /// The column of groups.
    pub(super) fn group_variable(&self, config: &AnalysisConfig) -> Result<Option<&Column>, Error> {
        let Some(reference) = &config.group_variable else { return Ok(None) };
        for table in [Some(&self.dataset), self.facet_file.as_ref()].into_iter().flatten() {
            if let Some(place) = column_of(table, reference) {
                return Ok(Some(&table.columns[place]));
            }
        }
        Err(missing("Feature names not found.", "group_variable", reference, &self.dataset.columns))
    }

    /// The places in `features` of references of `member`: by name, or by index of the dataset's columns (CSV, Parquet) or of the features
    /// (JSON).
    pub(super) fn features_of(
        &self,
        member: &str,
        references: &[Reference],
        features: &[usize],
        counts_features: bool,
    ) -> Result<Vec<usize>, Error> {
        let position = |reference: &Reference| {
            let column = match reference {
                Reference::Index(index) if counts_features => features.get(*index).copied(),
                reference => column_of(&self.dataset, reference),
            };
            let place = column.and_then(|column| features.iter().position(|feature| *feature == column));
            place.ok_or_else(|| {
                missing(
                    "Feature names not found.",
                    member,
                    reference,
                    features.iter().map(|column| &self.dataset.columns[*column]),
                )
            })
        };
        references.iter().map(position).collect()
    }
}

/// A reference that leads nowhere, and what there is.
pub(super) fn missing<'a>(
    beginning: &str,
    member: &str,
    reference: &Reference,
    columns: impl IntoIterator<Item = &'a Column>,
) -> Error {
    const SHOWN: usize = 30;
    let named = match reference {
        Reference::Name(name) => format!("`{name}`"),
        Reference::Index(index) => format!("index {index}"),
    };
    let mut columns = columns.into_iter().map(|column| column.name.as_str());
    let names: Vec<&str> = columns.by_ref().take(SHOWN).collect();
    let more = if columns.next().is_some() { ", …" } else { "" };
    refused(format!("{beginning} {member}: there is no column {named} among {}{more}", names.join(", ")))
}
