//! What the service leaves in its data directory for the commands of its machine: where it is, and a key to it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watchkeeper_aws::signing::Credentials;

use crate::configuration::default_data_directory;

/// The file that says where the service is.
const SERVICE_FILE: &str = "service.json";
/// The file with the access key of the commands.
const CREDENTIALS_FILE: &str = "credentials.json";

/// Why the commands cannot reach the service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody said where the data is, and the machine does not either.
    #[error("there is no home folder to look for the service in: set --data-dir")]
    NoDataDirectory,
    /// No service was ever started there.
    #[error("no service has used {} yet: start one with `watchkeeper serve --data-dir {}`", .0.display(), .0.display())]
    NeverStarted(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// A file does not hold what a service writes.
    #[error("{} is damaged; starting the service again writes it anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
}

/// A data directory as the commands see it.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// Where the service is and what clients have to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceAddress {
    /// `http://127.0.0.1:8470`.
    pub endpoint_url: String,
    /// The region clients are told to use.
    pub region: String,
    /// The account.
    pub account: String,
    /// The bucket that scripts get from `default_bucket()`.
    pub default_bucket: String,
    /// The address of the SDK's defaults, as an S3 URI.
    pub sdk_defaults: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredCredentials {
    access_key_id: String,
    secret_access_key: String,
}

impl DataDirectory {
    /// The one that is named, else the platform's.
    pub fn of(path: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = path {
            return Ok(Self { path: path.to_owned() });
        }
        let variables = ["WATCHKEEPER_DATA_DIR", "XDG_DATA_HOME", "HOME"];
        let variables = variables.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let mut variables: std::collections::BTreeMap<String, String> = variables.collect();
        let path = match variables.remove("WATCHKEEPER_DATA_DIR").filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => default_data_directory(&variables).ok_or(Error::NoDataDirectory)?,
        };
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the service is, or was when it ran last.
    pub fn service(&self) -> Result<ServiceAddress, Error> {
        self.read(SERVICE_FILE)
    }

    /// The access key of the commands.
    pub fn credentials(&self) -> Result<Credentials, Error> {
        let stored: StoredCredentials = self.read(CREDENTIALS_FILE)?;
        Ok(Credentials {
            access_key_id: stored.access_key_id,
            secret_access_key: stored.secret_access_key,
            session_token: None,
        })
    }

    /// The certificate of our authority, which clients of the proxy mode trust.
    pub fn certificate(&self) -> PathBuf {
        self.path.join("ca.pem")
    }

    /// The same behind the certificates that this machine trusts.
    pub fn certificate_bundle(&self) -> PathBuf {
        self.path.join("ca-bundle.pem")
    }

    /// The private key of our authority.
    pub(super) fn certificate_key(&self) -> PathBuf {
        self.path.join("ca-key.pem")
    }

    pub(super) fn write_service(&self, address: &ServiceAddress) -> Result<(), Error> {
        write_file(&self.path.join(SERVICE_FILE), &json(address), 0o600)
    }

    pub(super) fn write_credentials(&self, access_key_id: &str, secret_access_key: &str) -> Result<(), Error> {
        let stored = StoredCredentials {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
        };
        write_file(&self.path.join(CREDENTIALS_FILE), &json(&stored), 0o600)
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<T, Error> {
        let path = self.path.join(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NeverStarted(self.path.clone()));
            }
            Err(source) => return Err(Error::File { action: "read", path, source }),
        };
        serde_json::from_str(&text).map_err(|source| Error::Damaged { path, source })
    }
}

/// Writes a file that is there whole, or as it was before.
pub(super) fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let temporary = path.with_extension("new");
    let failed = |action: &'static str| {
        let path = temporary.clone();
        move |source| Error::File { action, path, source }
    };
    // What a killed process left.
    let _ = std::fs::remove_file(&temporary);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&temporary).map_err(failed("create"))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed("write"))?;
    std::fs::rename(&temporary, path).map_err(failed("rename"))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("structs of texts are JSON");
    text.push(b'\n');
    text
}
