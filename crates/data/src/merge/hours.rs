//! Files by hour folder, in the order in which the join reads them.

use std::path::{Component, Path, PathBuf};

use crate::Error;
use crate::files::{DatasetFile, list};

/// A file of captures or labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HourFile {
    pub(super) file: DatasetFile,
    /// The hour folder it lies in, relative to the folder of all of them; empty where there is none.
    pub(super) folder: PathBuf,
    /// `2021/05/26/00`.
    pub(super) hour: Option<String>,
    /// Folders above those of the hour: endpoint and variant, or a schedule.
    pub(super) owners: usize,
}

/// The files below a folder: the earliest hour first, then by path.
pub(super) fn hour_files(root: &Path) -> Result<Vec<HourFile>, Error> {
    let mut files: Vec<HourFile> = list(root)?.into_iter().map(|file| in_hour(root, file)).collect();
    files.sort_by(|a, b| (&a.hour, &a.folder, &a.file.path).cmp(&(&b.hour, &b.folder, &b.file.path)));
    Ok(files)
}

fn in_hour(root: &Path, file: DatasetFile) -> HourFile {
    let relative = file.path.strip_prefix(root).ok().and_then(Path::parent).unwrap_or(Path::new(""));
    let names: Vec<&str> = relative
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str().unwrap_or(""),
            _ => "",
        })
        .collect();
    let owners = (0..names.len().saturating_sub(3)).rev().find(|&at| is_hour(&names[at..at + 4]));
    match owners {
        Some(owners) => HourFile {
            folder: relative.components().take(owners + 4).collect(),
            hour: Some(names[owners..owners + 4].join("/")),
            owners,
            file,
        },
        None => HourFile { folder: PathBuf::new(), hour: None, owners: 0, file },
    }
}

/// Year, month, day and hour, two digits each, the year four.
fn is_hour(names: &[&str]) -> bool {
    let widths = [4, 2, 2, 2];
    names.iter().zip(widths).all(|(name, width)| name.len() == width && name.bytes().all(|byte| byte.is_ascii_digit()))
}
