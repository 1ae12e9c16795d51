//! What the reader makes of files: rows, names, splits, notes and messages.
#![allow(clippy::unwrap_used, missing_docs)]
// Files of a few thousand rows, and values made ready for comparison.
#![allow(clippy::format_collect, clippy::unnecessary_wraps)]

mod bad_csv;
mod bad_json;
mod capture;
mod capture_json;
mod chunk_boundaries;
mod csv;
mod csv_dialect;
mod files;
mod headers;
mod json_documents;
mod json_lines;
mod merge;
mod parquet;
mod preprocessed;
mod scored;
mod scored_merged;
mod spill;
mod splits;
mod table;
mod table_csv;
mod table_json;
mod table_pandas;
mod table_traffic;
