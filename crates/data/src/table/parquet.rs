//! Parquet files as a table: kinds are those of the cells that [`crate::parquet`] makes.

use watchkeeper_engine::column::Batch;
use watchkeeper_engine::table::{ColumnBuilder, Table};

use super::{ReadTable, TableError, counted_as, finished, headers_do_not_match, other_columns};
use crate::Source as _;
use crate::files::DatasetFile;
use crate::parquet::ParquetSource;

/// Reads files as one table. Headers that are given take the place of the files' own names.
pub(super) fn read(
    files: Vec<DatasetFile>,
    headers: Option<&[String]>,
    keeps_written: bool,
) -> Result<ReadTable, TableError> {
    let mut columns: Vec<ColumnBuilder> = Vec::new();
    let mut rows_of_files = Vec::with_capacity(files.len());
    let mut names: Vec<String> = Vec::new();
    let mut batch = Batch::default();
    for file in files {
        let path = file.path.clone();
        let mut source = ParquetSource::new(vec![file]);
        let mut rows = 0;
        while source.fill(&mut batch)? {
            if columns.is_empty() {
                names = source.names().to_vec();
                columns = names.iter().map(|_| ColumnBuilder::new(keeps_written)).collect();
            } else if names != source.names() {
                return Err(other_columns(path, source.names(), &names).into());
            }
            rows += batch.rows;
            for (index, column) in columns.iter_mut().enumerate() {
                for cell in batch.column(index) {
                    if cell.is_missing() {
                        column.push_missing();
                    } else {
                        let text = std::str::from_utf8(batch.text_of(cell)).expect("cells of a batch are UTF-8");
                        column.push(cell.kind(), text);
                    }
                }
            }
        }
        rows_of_files.push(rows);
    }
    if let Some(headers) = headers {
        if !columns.is_empty() && headers.len() != columns.len() {
            return Err(headers_do_not_match(
                headers.len(),
                &format!("the files have {}", counted_as(columns.len(), "column")),
            ));
        }
        names = headers.to_vec();
    }
    let rows = rows_of_files.iter().sum();
    Ok(ReadTable { table: Table { columns: finished(columns, names), rows }, rows_of_files, notes: Vec::new() })
}
