//! The rows that stand for clusters, in the columns of the dataset and written as it writes.

use watchkeeper_formats::number::python_float;

use super::clustering::modes;
use super::points::numbers;
use crate::column::CellKind;
use crate::table::{Column, Distinct, Table, Value, Values, WrittenCells};

/// A row for each of so many clusters.
pub(super) fn of(features: &Table, assigned: &[u32], clusters: usize) -> Table {
    let columns = features.columns.iter().map(|column| centre(column, assigned, clusters)).collect();
    Table { columns, rows: clusters }
}

fn centre(column: &Column, assigned: &[u32], clusters: usize) -> Column {
    let mut written = WrittenCells::default();
    let values = match &column.values {
        Values::Integer(values) => {
            let means = whole_means(values, assigned, clusters);
            write_numbers(&mut written, column, means.iter().map(|mean| Some(mean.to_string())));
            Values::Integer(means)
        }
        Values::Float(_) => {
            let mut means = means(column, assigned, clusters);
            if column.holds_whole_numbers {
                for mean in &mut means {
                    // No negative zero.
                    *mean = mean.round_ties_even() + 0.0;
                }
            }
            let text = |mean: f64| if column.holds_whole_numbers { format!("{mean:.0}") } else { python_float(mean) };
            write_numbers(&mut written, column, means.iter().map(|mean| (!mean.is_nan()).then(|| text(*mean))));
            Values::Float(means)
        }
        Values::Boolean(values) => {
            let rows = rows_of_modes(column, assigned, clusters);
            write_modes(&mut written, column, &rows);
            Values::Boolean(rows.iter().map(|row| row.and_then(|row| values[row])).collect())
        }
        Values::Text(texts) => {
            let rows = rows_of_modes(column, assigned, clusters);
            write_modes(&mut written, column, &rows);
            Values::Text(texts.rows_at(rows.iter().copied()))
        }
    };
    Column {
        name: column.name.clone(),
        values,
        holds_whole_numbers: column.holds_whole_numbers,
        written: Some(written),
    }
}

/// Means, half to even.
fn whole_means(values: &[i64], assigned: &[u32], clusters: usize) -> Vec<i64> {
    let mut sums = vec![(0_i128, 0_i128); clusters];
    for (value, cluster) in values.iter().zip(assigned) {
        let (sum, rows) = &mut sums[*cluster as usize];
        *sum += i128::from(*value);
        *rows += 1;
    }
    sums.into_iter().map(|(sum, rows)| rounded(sum, rows.max(1))).collect()
}

fn rounded(sum: i128, rows: i128) -> i64 {
    let (whole, rest) = (sum.div_euclid(rows), sum.rem_euclid(rows));
    let goes_up = rest * 2 > rows || (rest * 2 == rows && whole % 2 != 0);
    // A mean lies among its values.
    (whole + i128::from(goes_up)) as i64
}

/// Means of the numbers that are there; NaN where there is none.
fn means(column: &Column, assigned: &[u32], clusters: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); clusters];
    for (value, cluster) in numbers(column).unwrap_or_default().iter().zip(assigned) {
        if !value.is_nan() {
            let (sum, rows) = &mut sums[*cluster as usize];
            *sum += value;
            *rows += 1.0;
        }
    }
    sums.into_iter().map(|(sum, rows)| sum / rows).collect()
}

/// For each cluster the first row that has its most frequent value; None where all are missing.
fn rows_of_modes(column: &Column, assigned: &[u32], clusters: usize) -> Vec<Option<usize>> {
    let Distinct { codes, first_rows } = Distinct::of(column);
    let modes = modes(codes.into_iter(), first_rows.len(), assigned, clusters);
    modes.into_iter().map(|mode| mode.map(|code| first_rows[code as usize])).collect()
}

/// Writes numbers in the kind that the column's own have.
fn write_numbers(written: &mut WrittenCells, column: &Column, texts: impl Iterator<Item = Option<String>>) {
    let first = numbers(column).unwrap_or_default().iter().position(|number| !number.is_nan());
    let kind = column.written.as_ref().zip(first).map_or(CellKind::Number, |(written, row)| written.kinds[row]);
    for text in texts {
        written.push(kind, text.as_deref().unwrap_or_default());
    }
}

/// Writes the cells of rows as they are written there.
fn write_modes(written: &mut WrittenCells, column: &Column, rows: &[Option<usize>]) {
    for row in rows {
        let Some(row) = *row else {
            written.push(CellKind::Text, "");
            continue;
        };
        match (&column.written, column.value(row)) {
            (Some(cells), _) => written.push(cells.kinds[row], cells.text(row)),
            (None, Value::Boolean(value)) => written.push(CellKind::Boolean, if value { "true" } else { "false" }),
            (None, value) => written.push(CellKind::Text, &value.printed()),
        }
    }
}
