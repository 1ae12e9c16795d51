//! Where files of a job lie: paths of the contract, and keys below them. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::runner::Failure;

/// Where inputs and outputs have to be.
const JOB_FOLDER: &str = "opt/ml";
/// Folders there that belong to the contract.
const RESERVED: [&str; 3] = ["opt/ml/config", "opt/ml/output", "opt/ml/tmp"];
/// The longest name of a file, in bytes, and the longest path.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 3000;

/// A `LocalPath` as a path relative to the job's root, so that it can be joined to it. `what` names the input or output.
pub(in crate::runner) fn local_path(text: &str, what: &str) -> Result<PathBuf, Failure> {
    let refused = |reason: &str| Failure(format!("{what}: LocalPath `{text}` {reason}"));
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || text.contains('\0') {
        return Err(refused("must not hold `..` or a zero character"));
    }
    if parts.iter().any(|part| part.len() > LONGEST_NAME) {
        return Err(refused("has a name of more than 255 bytes"));
    }
    let path: PathBuf = parts.iter().collect();
    if !text.starts_with('/') || !path.starts_with(JOB_FOLDER) || path == Path::new(JOB_FOLDER) {
        return Err(refused("must be /opt/ml/processing or a path below it"));
    }
    if RESERVED.iter().any(|reserved| path.starts_with(reserved)) {
        return Err(refused("belongs to the job itself: use a path below /opt/ml/processing"));
    }
    Ok(path)
}

/// What remains of a key below a prefix. Where the prefix is a folder, with or without its slash, that is the path below
/// it; where it is the beginning of a name, that and what is beside it; for the key itself the last part of it.
pub(in crate::runner) fn below<'a>(key: &'a str, prefix: &str) -> &'a str {
    let rest = &key[prefix.len()..];
    if !rest.is_empty() && (prefix.is_empty() || prefix.ends_with('/') || rest.starts_with('/')) {
        return rest;
    }
    prefix.rfind('/').map_or(key, |slash| &key[slash + 1..])
}

/// A key, or the rest of one, as a relative path. Empty parts of it have no place in a file system and are left out.
pub(in crate::runner) fn relative_path(rest: &str, uri: &str) -> Result<PathBuf, Failure> {
    let refused = |reason: &str| Failure(format!("object {uri} cannot become a file: {reason}"));
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(refused("its key has a part `.` or `..`"));
    }
    if rest.contains('\0') {
        return Err(refused("its key has a zero character"));
    }
    if rest.len() > LONGEST_PATH || parts.iter().any(|part| part.len() > LONGEST_NAME) {
        return Err(refused("its key is too long for a path, or a part of it has more than 255 bytes"));
    }
    if parts.is_empty() {
        return Err(refused("its key has no name"));
    }
    Ok(parts.iter().collect())
}

/// The files and folders of a job, so that none gets two contents.
#[derive(Default)]
pub(in crate::runner) struct Layout {
    files: HashMap<PathBuf, String>,
    folders: HashSet<PathBuf>,
}

impl Layout {
    /// Takes a path for the object at `uri`.
    pub(in crate::runner) fn add(&mut self, path: &Path, uri: &str) -> Result<(), Failure> {
        if let Some(other) = self.files.get(path) {
            return Err(Failure(format!("objects {other} and {uri} would both become the file /{}", path.display())));
        }
        if self.folders.contains(path) {
            return Err(conflict(uri, path));
        }
        for folder in path.ancestors().skip(1) {
            if let Some(other) = self.files.get(folder) {
                return Err(conflict(other, folder));
            }
            if !self.folders.insert(folder.to_owned()) {
                break;
            }
        }
        self.files.insert(path.to_owned(), uri.to_owned());
        Ok(())
    }

    /// Takes a path for a folder that has to be there.
    pub(in crate::runner) fn add_folder(&mut self, path: &Path) -> Result<(), Failure> {
        for folder in path.ancestors() {
            if let Some(other) = self.files.get(folder) {
                return Err(conflict(other, folder));
            }
            if !self.folders.insert(folder.to_owned()) {
                break;
            }
        }
        Ok(())
    }

    /// All folders.
    pub(in crate::runner) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }
}

fn conflict(uri: &str, path: &Path) -> Failure {
    Failure(format!("object {uri} would become the file /{}, which has to be a folder for others", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn local_paths_stay_below_the_folder_of_the_contract() {
        let path = |text| local_path(text, "input `a`").map(|path| path.display().to_string());
        assert_eq!(path("/opt/ml/processing/input//x/./y/").unwrap(), "opt/ml/processing/input/x/y");
        assert_eq!(path("/opt/ml/processing").unwrap(), "opt/ml/processing");
        for text in [
            "",
            "/",
            "opt/ml/processing/x",
            "/opt/ml",
            "/opt/ml/config",
            "/opt/ml/output/",
            "/opt/mlx/y",
            "/opt/ml/processing/../config",
            "/opt/ml/processing/a\0b",
            "/etc/passwd",
        ] {
            let Failure(reason) = path(text).unwrap_err();
            assert!(reason.starts_with(&format!("input `a`: LocalPath `{text}` ")), "{reason}");
        }
    }

    #[test]
    fn what_remains_of_a_key() {
        for (key, prefix, rest) in [
            ("a/b/c.csv", "a/b/", "c.csv"),
            ("a/b/c.csv", "a/b", "/c.csv"),
            ("a/b/c.csv", "a/b/c.csv", "c.csv"),
            ("a/b/c.csv", "a/b/c", "c.csv"),
            ("a/b2/c.csv", "a/b", "b2/c.csv"),
            ("c.csv", "c.csv", "c.csv"),
            ("a/b/c.csv", "", "a/b/c.csv"),
            ("a//b", "a/", "/b"),
        ] {
            assert_eq!(below(key, prefix), rest, "{key} {prefix}");
        }
    }

    #[test]
    fn keys_that_are_no_path_are_refused() {
        let path = |rest| relative_path(rest, "s3://b/k").map(|path| path.display().to_string());
        assert_eq!(path("/a//b c+%ä").unwrap(), "a/b c+%ä");
        for rest in ["", "/", "..", "a/../b", "./a", "a\0", &"x".repeat(256), &"x/".repeat(2000)] {
            let Failure(reason) = path(rest).unwrap_err();
            assert!(reason.starts_with("object s3://b/k cannot become a file: "), "{reason}");
        }
    }

    #[test]
    fn a_path_has_one_content() {
        let mut layout = Layout::default();
        layout.add(Path::new("in/a/b"), "s3://b/1").unwrap();
        layout.add(Path::new("in/c"), "s3://b/2").unwrap();
        layout.add_folder(Path::new("out")).unwrap();
        let refused = [
            layout.add(Path::new("in/c"), "s3://b/3"),
            layout.add(Path::new("in/a"), "s3://b/4"),
            layout.add(Path::new("in/c/d"), "s3://b/5"),
            layout.add(Path::new("out"), "s3://b/6"),
            layout.add_folder(Path::new("in/c")),
        ];
        let reasons: Vec<String> = refused.into_iter().map(|one| one.unwrap_err().0).collect();
        assert_eq!(reasons[0], "objects s3://b/2 and s3://b/3 would both become the file /in/c");
        assert_eq!(reasons[1], "object s3://b/4 would become the file /in/a, which has to be a folder for others");
        assert_eq!(reasons[2], "object s3://b/2 would become the file /in/c, which has to be a folder for others");
        assert_eq!(reasons[3], "object s3://b/6 would become the file /out, which has to be a folder for others");
        assert_eq!(reasons[4], "object s3://b/2 would become the file /in/c, which has to be a folder for others");
    }
}
