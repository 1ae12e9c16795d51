//! Where the objects of a shared store are: in an outside S3, or in the data directory of one process, which is alone then.
//!
//! A second process with another data directory would find every document and none of the objects, so that it is refused.

use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_store::metadata::{Columns, Kind};

use super::data_directory::{self, write_file};
use crate::context::Context;
use crate::resources::{self, Resource, Transaction};

/// The file with the data directory's name among all.
const ID_FILE: &str = "directory-id";

/// Where the objects are, a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ObjectsPlace {
    /// In the data directory of this id.
    DataDirectory(String),
    /// In an outside S3.
    OutsideS3,
}

impl ObjectsPlace {
    const KEY: &'static str = "objects/place";
}

impl Resource for ObjectsPlace {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn columns(&self) -> Columns {
        Columns { name: Self::KEY.to_owned(), ..Columns::default() }
    }
}

/// Why a process does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The objects are in a data directory that this process has not.
    #[error(
        "the objects of this database are in the data directory of another process: start this one with that data directory \
         and the other one not, or keep the objects of both in an S3 service (`objects.endpoint_url`)"
    )]
    Elsewhere,
    /// The objects are in an S3 service that this process was not told of.
    #[error("the objects of this database are in an S3 service: set `objects.endpoint_url` and a key to it here too")]
    Outside,
    /// The data directory's id cannot be read or written.
    #[error(transparent)]
    File(#[from] data_directory::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] resources::Error),
}

/// Makes sure that this process finds the objects where the others do. Objects that are moved from a data directory to an S3
/// service are there from the first start that is told so.
///
/// # Errors
/// They are elsewhere; or the store or a file fails.
pub(super) async fn settle(context: &Context) -> Result<(), Error> {
    if !context.is_shared() {
        return Ok(());
    }
    let settings = &context.configuration;
    let own = match &settings.objects.endpoint_url {
        Some(_) => ObjectsPlace::OutsideS3,
        None => ObjectsPlace::DataDirectory(directory_id(&settings.data_dir)?),
    };
    loop {
        let transaction = match context.resources.get::<ObjectsPlace>(ObjectsPlace::KEY).await? {
            None => Transaction::new().insert(&own),
            Some(known) if known.resource == own => return Ok(()),
            Some(known) => match (&known.resource, &own) {
                (ObjectsPlace::DataDirectory(_), ObjectsPlace::OutsideS3) => {
                    tracing::warn!("the objects of this database are looked for in the S3 service from now on");
                    Transaction::new().update(&own, known.version)
                }
                (ObjectsPlace::DataDirectory(_), _) => return Err(Error::Elsewhere),
                (ObjectsPlace::OutsideS3, _) => return Err(Error::Outside),
            },
        };
        match context.resources.commit(transaction).await {
            // Another process was quicker: it may have said the same.
            Err(resources::Error::Conflict { .. }) => {}
            other => return Ok(other?),
        }
    }
}

fn directory_id(directory: &Path) -> Result<String, Error> {
    let path = directory.join(ID_FILE);
    match std::fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(data_directory::Error::File { action: "read", path, source }.into()),
    }
    let id = Uuid::new_v4().to_string();
    write_file(&path, format!("{id}\n").as_bytes(), 0o600)?;
    Ok(id)
}
