//! Reading the dataset of a processing job, and the files beside it that have its facets or predictions (sections 2.4 and 2.5 of the
//! bias specification).

use std::path::Path;

use watchkeeper_data::table::{self, JsonPlaces, ReadTable, TableReading, column_of};
use watchkeeper_engine::table::{Column, Table};
use watchkeeper_formats::clarify::{AnalysisConfig, DatasetType, Reference};

use super::ClarifyError;
use super::error::refused;
use super::material::{GivenPredictions, Material, missing};
use super::places::{Place, Places};
use super::plan::Plan;
use crate::Error;

/// The column that a file of predictions has them in, where nothing is said.
const PREDICTED_LABEL: &str = "predicted_label";

/// Reads everything that a configuration names.
pub(super) fn read(plan: &Plan, dataset: &Path, places: &Places<'_>) -> Result<Material, Error> {
    let config = &plan.config;
    let mut notes = Vec::new();
    let place = match &config.dataset_uri {
        Some(uri) => places.find("dataset_uri", uri)?,
        None => Place::local(dataset.to_owned()),
    };
    let read = read_dataset(plan, &place)?;
    notes.extend(read.notes);
    let mut files = vec![read.rows_of_files.len()];
    let mut others = Others { facets: None, predictions: None };
    for (member, uri, slot) in [
        ("facet_dataset_uri", &config.facet_dataset_uri, &mut others.facets),
        ("predicted_label_dataset_uri", &config.predicted_label_dataset_uri, &mut others.predictions),
    ] {
        let Some(uri) = uri else { continue };
        let read = read_other(config, member, &places.find(member, uri)?)?;
        files.push(read.rows_of_files.len());
        notes.extend(read.notes.into_iter().map(|note| format!("{member}: {note}")));
        *slot = Some(read.table);
    }
    let has_others = files.len() > 1;
    if has_others && config.joinsource.is_none() && files.iter().any(|files| *files > 1) {
        return Err(refused(
            "joinsource_name_or_index must be set where the dataset, the facets or the predictions are in several files",
        ));
    }
    let (dataset, others) = pair(config, read.table, others)?;
    let roles = Roles::of(plan, &dataset)?;
    let predictions = match others.predictions {
        Some(table) => GivenPredictions::File(column_of_predictions(config, table)?),
        None => roles.predicted_label.map_or(GivenPredictions::None, GivenPredictions::Dataset),
    };
    Ok(Material {
        dataset,
        label: roles.label,
        join: roles.join,
        excluded: roles.excluded,
        predictions,
        facet_file: others.facets,
        content_types: (None, None),
        notes,
    })
}

/// Tables beside the dataset, row for row as it when they are paired.
struct Others {
    facets: Option<Table>,
    predictions: Option<Table>,
}

fn read_dataset(plan: &Plan, place: &Place) -> Result<ReadTable, Error> {
    let config = &plan.config;
    let path = |reference: &Option<Reference>| match reference {
        Some(Reference::Name(path)) if plan.is_json() => Some(path.clone()),
        _ => None,
    };
    // A file of its own has them, so the reference is none of the dataset.
    let predicted_label = config.predicted_label.clone().filter(|_| config.predicted_label_dataset_uri.is_none());
    let facets = config.facets.iter().map(|facet| &facet.column).filter(|_| config.facet_dataset_uri.is_none());
    // With facets in a file of their own the group may be there.
    let group = config.group_variable.clone().filter(|_| config.facet_dataset_uri.is_none());
    let columns = [&config.label, &predicted_label, &group, &config.joinsource];
    let references = columns.into_iter().flatten().chain(facets).chain(&config.excluded_columns);
    let reading = TableReading {
        dataset_type: config.dataset_type.unwrap_or(DatasetType::Csv),
        headers: config.headers.clone(),
        places: JsonPlaces {
            features: config.features.clone(),
            label: path(&config.label),
            predicted_label: path(&predicted_label),
        },
        references: references.cloned().collect(),
        possible_names: name_of(config.group_variable.as_ref()),
        keeps_written: plan.asks_model() || config.joinsource.is_some(),
    };
    Ok(table::read(place.files()?, &reading).map_err(ClarifyError::from)?)
}

fn read_other(config: &AnalysisConfig, member: &str, place: &Place) -> Result<ReadTable, Error> {
    let (headers, references, possible_names): (_, Vec<&Reference>, _) = if member == "facet_dataset_uri" {
        let facets = config.facets.iter().map(|facet| &facet.column).collect();
        (&config.facet_headers, facets, name_of(config.group_variable.as_ref()))
    } else {
        let predicted_label = config.predicted_label.iter().collect();
        (&config.predicted_label_headers, predicted_label, vec![PREDICTED_LABEL.to_owned()])
    };
    let reading = TableReading {
        dataset_type: DatasetType::Csv,
        headers: headers.clone(),
        places: JsonPlaces::default(),
        references: references.into_iter().chain(&config.joinsource).cloned().collect(),
        possible_names,
        keeps_written: config.joinsource.is_some(),
    };
    Ok(table::read(place.files()?, &reading).map_err(ClarifyError::from)?)
}

/// The name of a column that is referred to by name.
fn name_of(reference: Option<&Reference>) -> Vec<String> {
    match reference {
        Some(Reference::Name(name)) => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// Rows that all tables have, in the order of the dataset.
fn pair(config: &AnalysisConfig, mut dataset: Table, others: Others) -> Result<(Table, Others), Error> {
    let mut paired = Others { facets: None, predictions: None };
    for (member, other) in [("facet_dataset_uri", others.facets), ("predicted_label_dataset_uri", others.predictions)] {
        let Some(other) = other else { continue };
        let columns = match &config.joinsource {
            None => None,
            Some(reference) => {
                let found = |table: &Table| {
                    column_of(table, reference).ok_or_else(|| {
                        missing("Feature names not found.", "joinsource_name_or_index", reference, &table.columns)
                    })
                };
                Some((found(&dataset)?, found(&other)?))
            }
        };
        let (rows, other_rows) = table::join(&dataset, &other, columns, member).map_err(ClarifyError::from)?;
        let other = rows_at(other, &other_rows);
        if member == "facet_dataset_uri" {
            paired.facets = Some(other);
        } else {
            paired.facets = paired.facets.map(|facets| rows_at(facets, &rows));
            paired.predictions = Some(other);
        }
        dataset = rows_at(dataset, &rows);
    }
    Ok((dataset, paired))
}

fn rows_at(table: Table, rows: &[usize]) -> Table {
    if rows.len() == table.rows && rows.iter().enumerate().all(|(place, row)| place == *row) {
        return table;
    }
    Table { columns: table.columns.iter().map(|column| column.rows_at(rows)).collect(), rows: rows.len() }
}

/// Which column of a dataset is what.
struct Roles {
    label: Option<usize>,
    predicted_label: Option<usize>,
    join: Option<usize>,
    excluded: Vec<usize>,
}

impl Roles {
    fn of(plan: &Plan, dataset: &Table) -> Result<Self, Error> {
        let config = &plan.config;
        let of = |member: &str, reference: &Reference, beginning: &str| {
            column_of(dataset, reference).ok_or_else(|| missing(beginning, member, reference, &dataset.columns))
        };
        let predicted_label = config.predicted_label.as_ref().filter(|_| config.predicted_label_dataset_uri.is_none());
        let label = config.label.as_ref();
        let (label, predicted_label) = if plan.is_json() {
            // Behind the features, as they are read.
            let behind = usize::from(predicted_label.is_some());
            let last = dataset.columns.len().checked_sub(1);
            (label.and_then(|_| last.and_then(|last| last.checked_sub(behind))), predicted_label.and(last))
        } else {
            let label = label.map(|label| of("label", label, "Headers must contain label.")).transpose()?;
            let predicted = predicted_label.map(|label| of("predicted_label", label, "Feature names not found."));
            (label, predicted.transpose()?)
        };
        let join = config.joinsource.as_ref();
        let join = join.map(|join| of("joinsource_name_or_index", join, "Feature names not found.")).transpose()?;
        let excluded = config.excluded_columns.iter();
        let excluded = excluded.map(|column| of("excluded_columns", column, "Feature names not found."));
        Ok(Self { label, predicted_label, join, excluded: excluded.collect::<Result<_, _>>()? })
    }
}

/// The column of a file of predictions that has them.
fn column_of_predictions(config: &AnalysisConfig, mut table: Table) -> Result<Column, Error> {
    let join = config.joinsource.as_ref().and_then(|reference| column_of(&table, reference));
    let place = if let Some(reference) = &config.predicted_label {
        column_of(&table, reference)
            .ok_or_else(|| missing("Feature names not found.", "predicted_label", reference, &table.columns))?
    } else if let Some(place) = table.position(PREDICTED_LABEL) {
        place
    } else {
        let mut others = (0..table.columns.len()).filter(|column| Some(*column) != join);
        match (others.next(), others.next()) {
            (Some(only), None) => only,
            _ => {
                return Err(refused(
                    "the file of predicted_label_dataset_uri has several columns: set predicted_label to the one with predictions",
                ));
            }
        }
    };
    Ok(table.columns.swap_remove(place))
}
