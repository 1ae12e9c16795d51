//! `watchkeeper backup`: everything that the running service keeps, in one file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use watchkeeper_service::api::operators::Failure;
use watchkeeper_store::backup::{self, Manifest, MasterKeyPlace};

use crate::connection::Connection;
use crate::{Ending, output};

/// How long the service may take to copy its databases, and to send the next piece of the archive.
const PATIENCE: Duration = Duration::from_mins(30);
/// The most bytes of a refusal.
const MOST_REFUSAL_BYTES: usize = 1 << 20;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct BackupArguments {
    /// The archive to write, a tar file; it must not be there yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder of the service; the platform's data folder unless given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Leave out the master key, and with it the proxy's authority: whoever has the archive then reads neither secrets nor
    /// encrypted objects, and to restore it takes the key from elsewhere.
    #[arg(long)]
    without_master_key: bool,
}

pub(crate) fn run(arguments: &BackupArguments) -> anyhow::Result<Ending> {
    let file = &arguments.file;
    ensure!(
        !file.try_exists().with_context(|| shown(file))?,
        "{} is there already: choose another name",
        file.display()
    );
    let connection = Connection::open(arguments.data_dir.as_deref())?;
    let partial = partial_name(file);
    let written = download(&connection, &partial, arguments.without_master_key)
        .and_then(|()| backup::verify(&partial).map_err(anyhow::Error::from));
    let manifest = match written {
        Ok(manifest) => manifest,
        Err(error) => {
            // What there is of it is no backup.
            let _ = std::fs::remove_file(&partial);
            return Err(error);
        }
    };
    std::fs::hard_link(&partial, file).with_context(|| shown(file))?;
    std::fs::remove_file(&partial).with_context(|| shown(&partial))?;
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| shown(folder))?;
    output::print(&summary(file, &manifest)?)?;
    Ok(Ending::Fine)
}

fn shown(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn partial_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn download(connection: &Connection, path: &Path, without_master_key: bool) -> anyhow::Result<()> {
    // It holds keys: nobody else may read it.
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = opened.with_context(|| shown(path))?;
    let broken = |error| anyhow::anyhow!("the backup broke off: {error}");
    let client = connection.client.clone().with_timeout(PATIENCE);
    let address = format!("/_watchkeeper/backup?without_master_key={without_master_key}");
    connection.wait(async {
        let (head, mut body) = client.download(&address, "sagemaker").await?.into_parts();
        if !head.status.is_success() {
            let refusal = body.whole(MOST_REFUSAL_BYTES).await.map_err(broken)?;
            let refusal: Failure =
                serde_json::from_slice(&refusal).with_context(|| format!("the service answered {}", head.status))?;
            bail!(refusal.error);
        }
        while let Some(piece) = body.piece().await.map_err(broken)? {
            file.write_all(&piece).with_context(|| shown(path))?;
        }
        anyhow::Ok(())
    })?;
    file.sync_all().with_context(|| shown(path))
}

/// What was written, and what has to be kept beside it.
fn summary(file: &Path, manifest: &Manifest) -> anyhow::Result<String> {
    let size = std::fs::metadata(file).with_context(|| shown(file))?.len();
    let mut text = format!("{}: {size} bytes, as of {}\n", file.display(), manifest.created);
    match manifest.master_key {
        MasterKeyPlace::Included => text.push_str("it holds the master key: keep it as you keep passwords\n"),
        MasterKeyPlace::LeftOut => {
            text.push_str("it does not hold the master key: without a copy of that it is of no use\n");
        }
        MasterKeyPlace::Elsewhere => {}
    }
    for line in &manifest.elsewhere {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}
