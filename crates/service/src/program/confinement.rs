//! What a program sees of this machine beside the job's folder and the system's own folders.
//!
//! Nothing of the service, and of the rest what the operator names: the folders of the search path, with the Python
//! installations in them, and what the configuration's entry of the image names by its path, in its command or in a variable.
//! What a request names, such as an entrypoint, shows nothing: it is not the operator's.

use std::path::{Path, PathBuf};

use super::environment::Variables;
use super::launch::{Confinement, is_of_the_system};
use crate::Configuration;
use crate::configuration::Image;

/// Folders of everybody, where a file is not among others that belong to it.
const OF_EVERYBODY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// What lies beside the folder of an installation's executables.
const OF_AN_INSTALLATION: [&str; 3] = ["lib", "lib64", "libexec"];
/// What shows that a folder is an installation of Python, or of its versions, and nothing else.
const PYTHON_MARKS: [&str; 3] = ["pyvenv.cfg", "conda-meta", "libexec/pyenv"];
/// Names of the interpreter.
const PYTHON: [&str; 2] = ["python3", "python"];
/// How many links are followed from an executable.
const MOST_LINKS: usize = 8;

/// What the program of an image's entry sees. `own_program` is this program: an executable and its first arguments.
pub(crate) fn of_image(configuration: &Configuration, own_program: &[String], entry: Option<&Image>) -> Confinement {
    if let Some(rootfs) = entry.and_then(|entry| entry.rootfs.clone()) {
        let working_directory = super::rootfs::read(&rootfs).ok().and_then(|image| image.working_directory);
        return Confinement { rootfs: Some(absolute(&rootfs)), working_directory, ..Confinement::default() };
    }
    let working_directory = std::env::current_dir().ok();
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let mut shown = Shown { paths: Vec::new(), home: home.clone(), working_directory: working_directory.clone() };
    shown.command(own_program);
    for folder in search_path() {
        shown.executables(&folder);
    }
    if let Some(python) = std::env::var_os("WATCHKEEPER_PYTHON") {
        shown.program(Path::new(&python));
    }
    if let Some(home) = &home {
        shown.add(&home.join(".local/lib"));
    }
    if let Some(entry) = entry {
        shown.command(&entry.command);
        shown.variables(&entry.environment);
    }
    Confinement { rootfs: None, shown: shown.paths, hidden: hidden(configuration), working_directory, home }
}

/// What is the service's own.
fn hidden(configuration: &Configuration) -> Vec<PathBuf> {
    let files = [&configuration.master_key_file, &configuration.file];
    let named = files.into_iter().flatten().chain([&configuration.data_dir]);
    let mut hidden = Vec::new();
    for path in named {
        // By its name and where that leads to.
        let path = absolute(path);
        hidden.extend(path.canonicalize().ok().filter(|real| *real != path));
        if path.is_absolute() {
            hidden.push(path);
        }
    }
    hidden
}

fn search_path() -> Vec<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).filter(|folder| folder.is_absolute()).collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

struct Shown {
    paths: Vec<PathBuf>,
    home: Option<PathBuf>,
    working_directory: Option<PathBuf>,
}

impl Shown {
    fn add(&mut self, path: &Path) {
        if path.is_absolute()
            && !is_of_the_system(path)
            && !self.paths.iter().any(|shown| shown == path)
            && path.try_exists().unwrap_or(false)
        {
            self.paths.push(path.to_owned());
        }
    }

    /// Whether a folder holds more than what belongs together: a home, what holds homes, or a folder of everybody.
    fn is_of_many(&self, folder: &Path) -> bool {
        let holds_home = self.home.as_ref().is_some_and(|home| home.starts_with(folder));
        holds_home
            || folder.parent().is_none()
            || OF_EVERYBODY.iter().any(|of_everybody| folder == Path::new(of_everybody))
    }

    /// The files that a command names, each with what lies beside it.
    fn command(&mut self, command: &[String]) {
        let Some((program, arguments)) = command.split_first() else { return };
        if program.contains('/') {
            let program = self.resolved(program);
            self.program(&program);
        } else if let Some(program) = search_path()
            .iter()
            .map(|folder| folder.join(program))
            .find(|program| program.metadata().is_ok_and(|found| found.is_file()))
        {
            self.links(&program, MOST_LINKS);
        }
        for argument in arguments {
            let path = self.resolved(argument);
            if path.metadata().is_ok_and(|found| found.is_dir())
                && path.parent().is_some()
                && Path::new(argument).is_absolute()
            {
                self.add(&path);
            } else if path.metadata().is_ok_and(|found| found.is_file()) {
                let folder = path.parent().unwrap_or(&path).to_owned();
                let belongs_together = !self.is_of_many(&folder);
                self.add(if belongs_together { &folder } else { &path });
            }
        }
    }

    fn resolved(&self, path: &str) -> PathBuf {
        self.working_directory.as_ref().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// Paths in the values of variables, also of lists.
    fn variables(&mut self, variables: &Variables) {
        for path in variables.values().flat_map(|value| value.split(':')) {
            if Path::new(path).parent().is_some() {
                self.add(Path::new(path));
            }
        }
    }

    /// A program, where it leads to if it is a link, and the installations that those belong to.
    fn program(&mut self, program: &Path) {
        self.add(program);
        self.links(program, MOST_LINKS);
    }

    /// The folders that hold a program and what it is a link to.
    fn links(&mut self, program: &Path, most: usize) {
        if let Some(folder) = program.parent() {
            self.installation(folder);
        }
        if let (Ok(target), Some(folder), 1..) = (program.read_link(), program.parent(), most) {
            let target = folder.join(target);
            self.add(&target);
            self.links(&target, most - 1);
        }
    }

    /// A folder of the search path.
    fn executables(&mut self, folder: &Path) {
        if self.is_of_many(folder) {
            return;
        }
        self.add(folder);
        self.installation(folder);
        for name in PYTHON {
            self.links(&folder.join(name), MOST_LINKS);
        }
    }

    /// What belongs to the executables of a folder such as `bin`.
    fn installation(&mut self, folder: &Path) {
        let Some(prefix) = folder.parent().filter(|prefix| !self.is_of_many(prefix)).map(Path::to_owned) else {
            return;
        };
        if PYTHON_MARKS.iter().any(|mark| prefix.join(mark).try_exists().unwrap_or(false)) {
            self.add(&prefix);
        } else if PYTHON.iter().any(|name| folder.join(name).try_exists().unwrap_or(false)) {
            self.add(folder);
            for name in OF_AN_INSTALLATION {
                self.add(&prefix.join(name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn folder(folders: &[&str], files: &[&str]) -> TempDir {
        let made = tempfile::tempdir().unwrap();
        for path in folders {
            create_dir_all(made.path().join(path)).unwrap();
        }
        for path in files {
            write(made.path().join(path), "").unwrap();
        }
        made
    }

    fn shown(entry: &Image) -> Vec<PathBuf> {
        of_image(&Configuration::default(), &[], Some(entry)).shown
    }

    #[test]
    fn what_an_entry_names_is_shown() {
        let made = folder(&["programs", "models", "weights"], &["programs/serve.py", "models/one"]);
        let path = |path: &str| made.path().join(path);
        let command =
            ["python3", path("programs/serve.py").to_str().unwrap(), "no/such/file", "--x"].map(str::to_owned);
        let paths = format!("{}:{}:relative", path("weights").display(), path("models/one").display());
        let environment = [("PATHS".to_owned(), paths), ("TEXT".to_owned(), "/no/such/folder".to_owned())].into();
        let shown = shown(&Image { command: command.to_vec(), environment, ..Image::default() });
        for expected in ["programs", "weights", "models/one"] {
            assert!(shown.contains(&path(expected)), "{expected}: {shown:?}");
        }
        let below = shown.iter().filter(|path| path.starts_with(made.path()));
        assert_eq!(below.count(), 3, "{shown:?}");
    }

    #[test]
    fn a_virtual_environment_is_shown_with_what_it_is_made_of() {
        let made =
            folder(&["base/bin", "base/lib", "base/secrets", "own/bin"], &["base/bin/python3.11", "own/pyvenv.cfg"]);
        let path = |path: &str| made.path().join(path);
        symlink("python3.11", path("base/bin/python3")).unwrap();
        symlink(path("base/bin/python3"), path("own/bin/python3")).unwrap();
        let program = path("own/bin/python3").display().to_string();
        let shown = shown(&Image { command: vec![program], ..Image::default() });
        for expected in ["own", "base/bin", "base/lib"] {
            assert!(shown.contains(&path(expected)), "{expected}: {shown:?}");
        }
        assert!(!shown.contains(&path("base")) && !shown.contains(&path("base/secrets")), "{shown:?}");
    }

    #[test]
    fn nothing_is_shown_for_a_folder_that_holds_everything() {
        let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
        for command in [vec!["sh".to_owned(), "/".to_owned()], vec!["sh".to_owned(), "-c".to_owned()]] {
            let shown = shown(&Image { command, ..Image::default() });
            assert!(!shown.iter().any(|path| path.parent().is_none() || Path::new(&home) == path), "{shown:?}");
        }
    }

    #[test]
    fn the_services_own_is_hidden_by_all_its_names() {
        let made = folder(&["real"], &["settings.toml", "key"]);
        let path = |path: &str| made.path().join(path);
        symlink(path("real"), path("data")).unwrap();
        let configuration = Configuration {
            data_dir: path("data"),
            master_key_file: Some(path("key")),
            file: Some(path("settings.toml")),
            ..Configuration::default()
        };
        let hidden = of_image(&configuration, &[], None).hidden;
        for expected in ["data", "real", "key", "settings.toml"] {
            let expected = path(expected);
            assert!(hidden.contains(&expected) || hidden.contains(&expected.canonicalize().unwrap()), "{hidden:?}");
        }
    }

    #[test]
    fn an_unpacked_image_shows_nothing_of_the_machine() {
        let made = folder(&["rootfs"], &[]);
        let rootfs = Some(made.path().join("rootfs"));
        let confinement =
            of_image(&Configuration::default(), &[], Some(&Image { rootfs: rootfs.clone(), ..Image::default() }));
        assert_eq!(confinement, Confinement { rootfs, ..Confinement::default() });
    }
}
