//! Objects as files below a folder.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use watchkeeper_store::write_in_pieces;

use crate::hosting::capture::{CaptureObject, CaptureSink, folder};

/// Writes objects as files below a folder, whatever their destination. A file is there whole or not at all.
#[derive(Clone, Debug)]
pub struct FolderSink {
    folder: PathBuf,
}

impl FolderSink {
    /// Below this folder; folders are made as they are needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

#[async_trait::async_trait]
impl CaptureSink for FolderSink {
    async fn put(&self, object: CaptureObject) -> Result<(), String> {
        let path = Path::new(&object.path);
        // Names of endpoints and variants are a part of it.
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err("its name leads out of the folder".to_owned());
        }
        let path = self.folder.join(path);
        let written = tokio::task::spawn_blocking(move || write(&path, &object.lines)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// Writes a file beside its place, syncs it, and moves it there.
fn write(path: &Path, lines: &Bytes) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(std::io::Error::other("it has no name"));
    };
    folder::make(folder)?;
    let beside = folder.join(format!(".{name}.part"));
    let mut file = File::create(&beside)?;
    write_in_pieces(&mut file, lines)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    folder::sync(folder)
}
