//! What can be wrong with a dataset, said to the person who has to mend it.

use std::path::{Path, PathBuf};

/// Why a dataset cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", shown(path))]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// There is nothing at the path.
    #[error("{}: no such file or folder", shown(.0))]
    Missing(PathBuf),
    /// A compressed file ends early or is damaged.
    #[error("{}: the gzip data is damaged or cut off: {source}", shown(path))]
    Gzip {
        /// File.
        path: PathBuf,
        /// The decompressor's words.
        source: std::io::Error,
    },
    /// Something in the file is not what its format asks for.
    #[error("{}, row {row}: {problem}", shown(path))]
    Row {
        /// File.
        path: PathBuf,
        /// Record in the file, from 1, a header counted.
        row: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Something in the file as a whole is not what its format asks for.
    #[error("{}: {problem}", shown(path))]
    File {
        /// File.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Objects or arrays where only plain values can be analysed.
    #[error("Only flat JSON is supported. Column {column} holds an object or array. ({}, row {row})", shown(path))]
    NestedJson {
        /// File.
        path: PathBuf,
        /// Record in the file, from 1.
        row: u64,
        /// Key of the value.
        column: String,
    },
    /// Request and answer of a captured record are encoded differently.
    #[error(
        "Encoding mismatch: Encoding is {input} for endpointInput, but Encoding is {output} for endpointOutput. We \
         currently only support the same type of input and output encoding at the moment."
    )]
    EncodingMismatch {
        /// Of the request.
        input: String,
        /// Of the answer.
        output: String,
    },
    /// A payload that is neither CSV nor JSON.
    #[error("Encoding {0} is not supported without a record preprocessor script.")]
    UnsupportedEncoding(String),
    /// The folder for what does not fit into memory takes no more.
    #[error("{}: cannot keep there what does not fit into memory: {source}", shown(path))]
    Scratch {
        /// Folder.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Whoever asked for the reading said to stop.
    #[error("stopped before the end")]
    Stopped,
    /// The user's preprocessor failed.
    #[error("{0}")]
    Preprocessor(crate::ScriptFailure),
    /// Not one line of the captured data is a capture record.
    #[error(
        "none of the {lines} lines of the captured data is a capture record; the first: {}, row {row}: {problem}",
        shown(path)
    )]
    NoCaptureRecord {
        /// Lines read.
        lines: u64,
        /// File of the first one.
        path: PathBuf,
        /// Its row.
        row: u64,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Self::Missing(path.to_owned());
        }
        Self::Io { path: path.to_owned(), source }
    }
}

/// A path as the user knows it: standard input has a name of its own.
pub(crate) fn shown(path: &Path) -> std::borrow::Cow<'_, str> {
    if path == Path::new("-") { "standard input".into() } else { path.to_string_lossy() }
}
