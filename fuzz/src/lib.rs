//! What the targets share: reading a whole dataset, with the promises of a batch checked on the way, and requests.

pub mod request;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use watchkeeper_data::{Reading, list, open};
use watchkeeper_engine::column::Batch;

/// Reads `content` as a dataset of one file to its end or its first error. Panics where a batch breaks a promise, and
/// where an error has nothing to say.
pub fn read_to_the_end(content: &[u8], reading: &Reading) {
    let path = dataset_path();
    fs::write(path, content).expect("the temporary folder can be written");
    let files = list(path).expect("the file has just been written");
    let mut source = open(files, reading, None);
    let mut batch = Batch::default();
    loop {
        match source.fill(&mut batch) {
            Ok(true) => check(&batch, source.names().len()),
            Ok(false) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    }
    let mut order = source.order();
    order.sort_unstable();
    assert!(order.into_iter().eq(0..source.names().len()), "the order names every column once");
}

fn check(batch: &Batch, names: usize) {
    assert_eq!(batch.cells.len(), batch.rows * batch.columns, "rows are whole");
    assert!(batch.columns <= names, "every column has a name");
    for cell in &batch.cells {
        assert!(std::str::from_utf8(batch.text_of(*cell)).is_ok(), "cells are UTF-8");
    }
}

/// One file for the life of the process, as libFuzzer runs one input after the other.
fn dataset_path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::temp_dir().join(format!("watchkeeper-fuzz-{}", std::process::id())))
}
