//! The rows that stand for clusters, in the columns of the dataset and written as it writes.

use watchkeeper_formats::number::python_float;

use super::clustering::most_frequent;
use super::points::{codes, is_missing, numbers};
use crate::column::CellKind;
use crate::table::{Column, Table, Texts, Values, WrittenCells};

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
            Values::Text(texts_at(texts, &rows))
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
    let (codes, distinct) = codes(column).unwrap_or_default();
    let mut first = vec![usize::MAX; distinct];
    let mut counts = vec![0_u32; distinct * clusters];
    for (row, (code, cluster)) in codes.iter().zip(assigned).enumerate() {
        if !is_missing(*code) {
            let code = *code as usize;
            first[code] = first[code].min(row);
            counts[*cluster as usize * distinct + code] += 1;
        }
    }
    (0..clusters)
        .map(|cluster| most_frequent(&counts[cluster * distinct..][..distinct]).map(|code| first[code as usize]))
        .collect()
}

fn texts_at(texts: &Texts, rows: &[Option<usize>]) -> Texts {
    let mut found = Texts::default();
    for row in rows {
        let text = row.and_then(|row| texts.codes[row]).map(|code| &texts.distinct[code as usize]);
        let code = text.map(|text| {
            found.distinct.iter().position(|other| other == text).unwrap_or_else(|| {
                found.distinct.push(text.clone());
                found.distinct.len() - 1
            }) as u32
        });
        found.codes.push(code);
    }
    found
}

/// Writes numbers in the kind that the column's own have.
fn write_numbers(written: &mut WrittenCells, column: &Column, texts: impl Iterator<Item = Option<String>>) {
    let first = numbers(column).unwrap_or_default().iter().position(|number| !number.is_nan());
    let kind = column.written.as_ref().zip(first).map_or(CellKind::Number, |(written, row)| written.kinds[row]);
    for text in texts {
        write(written, kind, text.as_deref());
    }
}

/// Writes the cells of rows as they are written there.
fn write_modes(written: &mut WrittenCells, column: &Column, rows: &[Option<usize>]) {
    for row in rows {
        let Some(row) = *row else {
            write(written, CellKind::Text, None);
            continue;
        };
        match (&column.written, &column.values) {
            (Some(cells), _) => write(written, cells.kinds[row], Some(cells.text(row))),
            (None, Values::Boolean(values)) => {
                write(written, CellKind::Boolean, values[row].map(|value| if value { "true" } else { "false" }));
            }
            (None, _) => write(written, CellKind::Text, Some(&column.value(row).printed())),
        }
    }
}

fn write(written: &mut WrittenCells, kind: CellKind, text: Option<&str>) {
    written.text.extend_from_slice(text.unwrap_or_default().as_bytes());
    written.ends.push(written.text.len() as u64);
    written.kinds.push(kind);
}
