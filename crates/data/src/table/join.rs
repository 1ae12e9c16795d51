//! Pairing the rows of two tables (section 2.5).

use std::borrow::Cow;
use std::collections::HashMap;

use watchkeeper_engine::table::{Column, Table, Value};
use watchkeeper_formats::number::python_float;

use super::{TableError, counted_as};

/// Pairs the rows of two tables: by position, or by equal text in the join columns, in the order of `table`. Gives for every row that stays
/// its row in `table` and in `other`.
///
/// The texts are those that were written where both columns keep them, else the values as they are printed. A missing id is equal to none.
///
/// # Errors
/// Unequal numbers of rows without join columns; an id that is twice in `other`; no common id at all. `other_is` names the other table.
pub fn join(
    table: &Table,
    other: &Table,
    join_columns: Option<(usize, usize)>,
    other_is: &str,
) -> Result<(Vec<usize>, Vec<usize>), TableError> {
    let Some((own, others)) = join_columns else {
        if table.rows != other.rows {
            return Err(TableError::Refused(format!(
                "The {other_is} has {}, the dataset {}: without joinsource_name_or_index rows are paired by their position",
                counted_as(other.rows, "row"),
                table.rows
            )));
        }
        return Ok(((0..table.rows).collect(), (0..table.rows).collect()));
    };
    let (own, others) = (&table.columns[own], &other.columns[others]);
    let as_written = own.written.is_some() && others.written.is_some();
    let mut rows = HashMap::with_capacity(other.rows);
    for row in 0..other.rows {
        let Some(id) = text_of(others, row, as_written) else { continue };
        if let Some(earlier) = rows.insert(id.clone(), row) {
            return Err(TableError::Refused(format!(
                "The id `{id}` occurs twice in the column `{}` of the {other_is}, in rows {} and {}: it cannot be joined",
                others.name,
                earlier + 1,
                row + 1
            )));
        }
    }
    let pairs = (0..table.rows).filter_map(|row| Some((row, *rows.get(&text_of(own, row, as_written)?)?)));
    let (kept, found): (Vec<usize>, Vec<usize>) = pairs.unzip();
    if kept.is_empty() {
        return Err(TableError::Refused(format!(
            "No row of the dataset can be joined with the {other_is}: the columns `{}` and `{}` have no common value",
            own.name, others.name
        )));
    }
    Ok((kept, found))
}

/// The text of a cell; None of a missing one.
fn text_of(column: &Column, row: usize, as_written: bool) -> Option<Cow<'_, str>> {
    let value = column.value(row);
    if as_written && value != Value::Missing {
        return column.written.as_ref().map(|written| written.text(row).into());
    }
    match value {
        Value::Missing => None,
        Value::Integer(number) => Some(number.to_string().into()),
        // Whole ones are floats only because others are missing.
        Value::Float(number) if column.holds_whole_numbers => Some(format!("{number:.0}").into()),
        Value::Float(number) => Some(python_float(number).into()),
        Value::Boolean(flag) => Some(if flag { "True" } else { "False" }.into()),
        Value::Text(text) => Some(text.into()),
    }
}
