//! Where the files that a configuration names are.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use watchkeeper_data::DatasetFile;
use watchkeeper_formats::{JobContract, ServiceAccess};

use super::error::refused;
use super::objects;
use crate::Error;

/// How the places of a configuration are found on this machine.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// The job, whose root stands for `/opt/ml`.
    pub(super) contract: Option<&'a JobContract>,
    /// The service that has the objects.
    pub(super) service: Option<&'a ServiceAccess>,
}

/// A file or folder; what was fetched is gone with it.
pub(super) struct Place {
    pub(super) path: PathBuf,
    _fetched: Option<TempDir>,
}

impl Place {
    /// A file or folder of this machine.
    pub(super) fn local(path: PathBuf) -> Self {
        Self { path, _fetched: None }
    }

    /// Its files, without empty ones. Standard input is one.
    pub(super) fn files(&self) -> Result<Vec<DatasetFile>, Error> {
        let mut files = watchkeeper_data::list(&self.path)?;
        files.retain(|file| file.size != Some(0));
        if files.is_empty() {
            return Err(crate::inputs::no_data(&self.path, 0, &[]));
        }
        Ok(files)
    }
}

impl Places<'_> {
    /// What a member of the configuration names: `s3://…`, or a path.
    pub(super) fn find(&self, member: &str, uri: &str) -> Result<Place, Error> {
        if uri.starts_with("s3://") {
            let Some(service) = self.service else {
                return Err(refused(format!(
                    "{member} is {uri}, but this job has no access to a service that has it: turn network isolation off, or \
                     name a path"
                )));
            };
            let folder = objects::fetch(service, member, uri)?;
            return Ok(Place { path: folder.path().to_owned(), _fetched: Some(folder) });
        }
        let uri = uri.strip_prefix("file://").unwrap_or(uri);
        let path = match self.contract {
            Some(contract) if Path::new(uri).starts_with("/opt/ml") => contract.path(uri),
            _ => PathBuf::from(uri),
        };
        Ok(Place::local(path))
    }
}
