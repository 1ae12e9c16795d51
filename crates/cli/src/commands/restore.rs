//! `watchkeeper restore`: a data directory out of a backup, whole or not at all.

use std::path::PathBuf;

use clap::Args;
use watchkeeper_service::server::DataDirectory;
use watchkeeper_store::backup::{self, MasterKeyPlace};

use super::serve::block_on;
use crate::{Ending, output};

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// The archive that `watchkeeper backup` has written.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder to make, which is not there yet or empty; the platform's data folder unless given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &RestoreArguments) -> anyhow::Result<Ending> {
    let directory = DataDirectory::of(arguments.data_dir.as_deref())?;
    let restored = block_on(async { Ok(backup::restore(&arguments.file, directory.path()).await?) })?;
    let (folder, manifest) = (directory.path().display(), restored.manifest);
    let mut text = format!(
        "{folder}: as of {}, {} bytes, {} bodies of objects, all checked\n",
        manifest.created, restored.bytes, restored.bodies
    );
    if manifest.master_key == MasterKeyPlace::LeftOut {
        text += "the master key was left out: put it to master.key of that folder before the service starts\n";
    }
    for line in manifest.elsewhere {
        text += &line;
        text.push('\n');
    }
    output::print(&text)?;
    Ok(Ending::Fine)
}
