//! Where objects of captured lines can go.

mod folder;
mod s3;
mod store;

pub use folder::FolderSink;
pub use s3::S3Sink;
pub use store::StoreSink;

/// What an object of captured lines is.
const CONTENT_TYPE: &str = "application/jsonlines";
