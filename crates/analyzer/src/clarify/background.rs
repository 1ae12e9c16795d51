//! The background rows that features are compared with: given, of a file, or made of the dataset (section 2.1).

use std::borrow::Cow;
use std::io::Write as _;

use serde_json::Value as Json;
use watchkeeper_data::table::{self, JsonPlaces, TableReading};
use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::shap::cluster;
use watchkeeper_engine::table::{Column, ColumnBuilder, ColumnKind, Table, Value};
use watchkeeper_formats::clarify::{DatasetType, ShapBaseline, ShapConfig};

use super::ClarifyError;
use super::error::refused;
use super::places::{Place, Places};
use super::plan::{Plan, is_json};
use crate::{Error, Level, Observer};

/// The background rows, columns as `features`, each with its cells as written.
pub(super) fn rows(
    plan: &Plan,
    shap: &ShapConfig,
    features: &Table,
    dataset_type: DatasetType,
    places: &Places<'_>,
    observer: &dyn Observer,
) -> Result<Table, Error> {
    let rows = match &shap.baseline {
        None => {
            let made =
                cluster(features, shap.num_clusters, shap.seed.unwrap_or_default()).map_err(ClarifyError::from)?;
            made.notes.iter().for_each(|note| observer.log(Level::Info, note));
            return Ok(made.rows);
        }
        Some(ShapBaseline::Inline(rows)) if is_json(dataset_type) => of_records(plan, rows, features, dataset_type)?,
        Some(ShapBaseline::Inline(rows)) => of_cells(rows, features)?,
        Some(ShapBaseline::Uri(uri)) => {
            let place = places.find("baseline of shap", uri)?;
            of_files(plan, &place, features, dataset_type)?
        }
    };
    if rows.rows == 0 {
        return Err(refused("baseline of shap has no row"));
    }
    Ok(rows)
}

/// Rows of cells: `[[1, "a"], …]`.
fn of_cells(rows: &Json, features: &Table) -> Result<Table, Error> {
    let unreadable = || refused("baseline of shap must be a list of rows, each a list of cells: [[1, \"a\"], …]");
    let rows: Vec<&Vec<Json>> =
        rows.as_array().and_then(|rows| rows.iter().map(Json::as_array).collect()).ok_or_else(unreadable)?;
    for (place, row) in rows.iter().enumerate() {
        check_cells(&format!("row {place}"), row.len(), features)?;
    }
    let columns = features.columns.iter().enumerate().map(|(place, feature)| {
        let mut column = ColumnBuilder::new(true);
        for row in &rows {
            match &row[place] {
                Json::Null => column.push_missing(),
                Json::Bool(true) => push_like(&mut column, feature, "True"),
                Json::Bool(false) => push_like(&mut column, feature, "False"),
                Json::Number(number) => push_like(&mut column, feature, &number.to_string()),
                Json::String(text) => push_like(&mut column, feature, text),
                Json::Array(_) | Json::Object(_) => return Err(unreadable()),
            }
        }
        Ok(column.finish(feature.name.clone()))
    });
    let columns = columns.collect::<Result<_, Error>>()?;
    Ok(Table { columns, rows: rows.len() })
}

/// Adds a cell of CSV to a column that is to be of the kind of the dataset's: there a number is a text when others are.
fn push_like(column: &mut ColumnBuilder, feature: &Column, text: &str) {
    if feature.kind() == ColumnKind::Text && !is_missing(text) {
        column.push(CellKind::Text, text);
    } else {
        column.push_csv(text);
    }
}

fn is_missing(text: &str) -> bool {
    let mut column = ColumnBuilder::new(false);
    column.push_csv(text);
    column.finish(String::new()).value(0) == Value::Missing
}

/// Records in the shape of the dataset's.
fn of_records(plan: &Plan, records: &Json, features: &Table, dataset_type: DatasetType) -> Result<Table, Error> {
    // A file is what knows how to read them: places, kinds, the text of numbers.
    let mut text = String::new();
    match (dataset_type, records) {
        (DatasetType::JsonLines, Json::Array(records)) => {
            for record in records {
                text.push_str(&record.to_string());
                text.push('\n');
            }
        }
        _ => text = records.to_string(),
    }
    let unwritable = |source| Error::Output { path: std::env::temp_dir(), source };
    let mut file = tempfile::Builder::new().prefix("watchkeeper-baseline-").tempfile().map_err(unwritable)?;
    file.write_all(text.as_bytes()).map_err(unwritable)?;
    of_files(plan, &Place::local(file.path().to_owned()), features, dataset_type)
}

fn of_files(plan: &Plan, place: &Place, features: &Table, dataset_type: DatasetType) -> Result<Table, Error> {
    let names = || features.columns.iter().map(|column| column.name.clone()).collect();
    let reading = TableReading {
        dataset_type,
        // They tell whether a first row of names is one.
        headers: (dataset_type == DatasetType::Csv).then(names),
        places: JsonPlaces { features: plan.config.features.clone(), ..JsonPlaces::default() },
        references: Vec::new(),
        possible_names: Vec::new(),
        keeps_written: true,
    };
    let read = table::read(place.files()?, &reading);
    let read = read.map_err(|error| in_baseline(&ClarifyError::from(error), &place.path))?;
    check_cells("every row", read.table.columns.len(), features)?;
    let columns = read.table.columns.into_iter().zip(&features.columns);
    let columns = columns.map(|(column, feature)| like(column, feature, is_json(dataset_type))).collect();
    Ok(Table { columns, rows: read.table.rows })
}

fn in_baseline(error: &ClarifyError, path: &std::path::Path) -> Error {
    // The path of a temporary file says nothing to anybody.
    let text = error.to_string().replace(&path.display().to_string(), "it");
    refused(format!("baseline of shap cannot be used: {text}"))
}

/// A column of the dataset's name, and of text where the dataset's is.
fn like(column: Column, feature: &Column, keeps_kinds: bool) -> Column {
    if keeps_kinds || feature.kind() != ColumnKind::Text || column.kind() == ColumnKind::Text {
        return Column { name: feature.name.clone(), ..column };
    }
    let mut texts = ColumnBuilder::new(true);
    for row in 0..column.len() {
        if column.value(row) == Value::Missing {
            texts.push_missing();
        } else {
            texts.push(CellKind::Text, &written(&column, row));
        }
    }
    texts.finish(feature.name.clone())
}

fn check_cells(what: &str, cells: usize, features: &Table) -> Result<(), Error> {
    let expected = features.columns.len();
    if cells == expected {
        return Ok(());
    }
    Err(refused(format!("baseline of shap: {what} has {cells} cells, expected {expected}, one for each feature")))
}

/// The background as a document: names, and cells as written.
pub(super) fn document(background: &Table) -> (Vec<String>, Vec<Vec<String>>) {
    let names = background.columns.iter().map(|column| column.name.clone()).collect();
    let cells = |row| background.columns.iter().map(|column| written(column, row).into_owned()).collect();
    let rows = (0..background.rows).map(cells);
    (names, rows.collect())
}

/// A cell as it was written; empty where it is missing.
pub(super) fn written(column: &Column, row: usize) -> Cow<'_, str> {
    match (column.value(row), &column.written) {
        (Value::Missing, _) => "".into(),
        (_, Some(written)) => written.text(row).into(),
        (value, None) => value.printed().into(),
    }
}
