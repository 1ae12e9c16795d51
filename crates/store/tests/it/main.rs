//! The store as its callers meet it: on a real `SQLite` file and real folders.

#![allow(clippy::unwrap_used, missing_docs)]

mod backup;
mod conformance;
mod cost;
mod data_directory;
mod durability;
mod encryption;
mod files;
mod limits;
mod outside_s3;
mod postgresql;
mod rotation;
mod upgrade;

use tempfile::TempDir;
use watchkeeper_store::Store;
use watchkeeper_store::metadata::{Columns, Document, Kind};

/// A store in a folder of its own. The folder goes with the value.
pub(crate) async fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    (folder, store)
}

/// A document that says nothing.
pub(crate) fn document(kind: Kind, key: &str) -> Document {
    Document { kind, key: key.to_owned(), version: 0, columns: Columns::default(), body: "{}".into() }
}

/// Bytes that differ for each seed and have no period that a segment or a chunk could hide.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
