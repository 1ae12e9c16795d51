//! The unpacked file system of an image, and what the image says of its program: the file `config.json` beside the folder,
//! which is the configuration of a bundle (as `umoci unpack` and `runc` have it) or of an image (as `skopeo` copies it).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::Variables;

/// What an image says of its program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageConfiguration {
    /// The program, and its first arguments.
    pub(crate) entrypoint: Vec<String>,
    /// Arguments behind it, unless others are given.
    pub(crate) arguments: Vec<String>,
    /// Variables that the image sets.
    pub(crate) environment: Variables,
    /// Where the program starts.
    pub(crate) working_directory: Option<PathBuf>,
}

/// The two forms of the file, as far as they matter.
#[derive(Deserialize)]
struct Document {
    /// <https://github.com/opencontainers/runtime-spec/blob/main/config.md#process>
    process: Option<Process>,
    /// <https://github.com/opencontainers/image-spec/blob/main/config.md#properties>
    config: Option<Execution>,
}

#[derive(Deserialize)]
struct Process {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    cwd: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<PathBuf>,
}

/// What the file beside an unpacked image says; nothing where there is none. An error is for the operator.
pub(crate) fn read(rootfs: &Path) -> Result<ImageConfiguration, String> {
    let path = rootfs.with_file_name("config.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ImageConfiguration::default()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let document: Document = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is no configuration of an image: {error}", path.display()))?;
    if let Some(process) = document.process {
        return Ok(ImageConfiguration {
            entrypoint: process.args,
            arguments: Vec::new(),
            environment: variables(&process.env),
            working_directory: process.cwd,
        });
    }
    let Execution { entrypoint, cmd, env, working_dir } = document.config.unwrap_or_default();
    Ok(ImageConfiguration {
        entrypoint: entrypoint.unwrap_or_default(),
        arguments: cmd.unwrap_or_default(),
        environment: variables(&env.unwrap_or_default()),
        working_directory: working_dir.filter(|path| path.is_absolute()),
    })
}

fn variables(lines: &[String]) -> Variables {
    lines
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read_beside(text: &str) -> Result<ImageConfiguration, String> {
        let bundle = tempfile::tempdir().unwrap();
        std::fs::write(bundle.path().join("config.json"), text).unwrap();
        read(&bundle.path().join("rootfs"))
    }

    #[test]
    fn both_forms_are_read() {
        // As `umoci unpack` writes it.
        let bundle = r#"{"ociVersion": "1.0.0", "process": {"terminal": true, "args": ["python3", "serve.py"],
            "env": ["PATH=/usr/bin", "A=b=c"], "cwd": "/srv", "user": {"uid": 0}}, "root": {"path": "rootfs"}}"#;
        let read = read_beside(bundle).unwrap();
        assert_eq!(read.entrypoint, ["python3", "serve.py"]);
        assert_eq!(read.environment["A"], "b=c");
        assert_eq!(read.working_directory, Some(PathBuf::from("/srv")));
        let image = r#"{"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/bin"],
            "Entrypoint": ["/entry"], "Cmd": ["serve"], "WorkingDir": ""}, "rootfs": {"type": "layers", "diff_ids": []}}"#;
        let read = read_beside(image).unwrap();
        assert_eq!((read.entrypoint, read.arguments), (vec!["/entry".to_owned()], vec!["serve".to_owned()]));
        assert_eq!((read.environment["PATH"].as_str(), read.working_directory), ("/usr/bin", None));
        // An image without any of it, as `FROM scratch` makes.
        assert_eq!(read_beside(r#"{"config": {"Env": null}}"#).unwrap(), ImageConfiguration::default());
    }

    #[test]
    fn none_is_fine_and_garbage_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("rootfs")).unwrap(), ImageConfiguration::default());
        let reason = read_beside("[").unwrap_err();
        assert!(reason.contains("config.json is no configuration of an image"), "{reason}");
    }
}
