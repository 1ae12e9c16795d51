//! From flags, variables and a file to the effective configuration.
//!
//! Every leaf of [`Configuration`] is a key; nested keys are joined by a dot in listings (`runner.parallel_jobs`) and by an
//! underscore in variables (`WATCHKEEPER_RUNNER_PARALLEL_JOBS`). Lists are written with commas in variables, or as TOML.
//! Unknown keys of the file are errors. Unknown variables are not: the analyzer has variables of that name too, and cluster
//! managers make `WATCHKEEPER_…` variables of whatever runs under that name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Configuration, DatabaseSettings, ObjectsSettings};

/// What a variable's name begins with.
const PREFIX: &str = "WATCHKEEPER_";
/// More connections than any machine has ports.
const MAX_CONNECTIONS: u32 = 100_000;
/// Ten times what a server takes by default, from all of its clients.
const MOST_DATABASE_CONNECTIONS: u32 = 1000;
/// Ten years, the longest that AWS keeps logs.
const MOST_DAYS: u32 = 3653;
/// The variable that names the file.
const FILE_VARIABLE: &str = "WATCHKEEPER_CONFIG";

/// Where values come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Keys that flags set, such as `listen`, with their texts.
    pub flags: Vec<(&'static str, String)>,
    /// The configuration file that a flag names.
    pub file: Option<PathBuf>,
    /// The variables of the process.
    pub variables: BTreeMap<String, String>,
}

/// The effective configuration and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective configuration.
    pub configuration: Configuration,
    /// Its values one by one, in the order of the types; secrets are hidden.
    pub settings: Vec<Setting>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its key, nested ones joined by dots.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the default.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// The variable of this name.
    Variable(String),
    /// The flag of this name.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(name) => write!(formatter, "--{name}"),
        }
    }
}

/// Why there is no effective configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has an unknown key or a value of the wrong kind.
    #[error("the configuration file {} is wrong: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What and where.
        message: String,
    },
    /// A flag or variable has no possible value.
    #[error("{origin} is wrong: {message}")]
    Value {
        /// Which.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
    /// A value that means nothing.
    #[error("the setting `{key}` is wrong: {message}")]
    Meaning {
        /// The key.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Nobody said where the data belongs, and the machine does not either.
    #[error("there is no home folder to keep data in: set --data-dir or WATCHKEEPER_DATA_DIR")]
    NoDataDirectory,
}

impl Configuration {
    /// The effective configuration of `sources`.
    pub fn load(sources: &Sources) -> Result<Loaded, Error> {
        let defaults = tree_of(&Self::default());
        let mut tree = defaults.clone();
        let mut origins = BTreeMap::new();
        let file = sources.file.clone().or_else(|| sources.variables.get(FILE_VARIABLE).map(PathBuf::from));
        if let Some(path) = &file {
            let file = read_file(path)?;
            for key in leaves(&file, &defaults) {
                origins.insert(key, Origin::File(path.clone()));
            }
            merge(&mut tree, file);
        }
        for key in leaves(&defaults, &defaults) {
            let name = format!("{PREFIX}{}", key.replace('.', "_").to_uppercase());
            if let Some(text) = sources.variables.get(&name) {
                set(&mut tree, &defaults, &key, text, Origin::Variable(name), &mut origins)?;
            }
        }
        for (key, text) in &sources.flags {
            set(&mut tree, &defaults, key, text, Origin::Flag(key.replace('_', "-")), &mut origins)?;
        }
        let mut configuration: Self = serde_json::from_value(tree)
            .map_err(|error| Error::Meaning { key: "configuration", message: error.to_string() })?;
        configuration.file = file;
        if configuration.data_dir.as_os_str().is_empty() {
            configuration.data_dir = default_data_directory(&sources.variables).ok_or(Error::NoDataDirectory)?;
        }
        check(&configuration)?;
        let settings = settings(&configuration, &defaults, &origins);
        Ok(Loaded { configuration, settings })
    }
}

/// The platform's folder for data: `$XDG_DATA_HOME/watchkeeper`, else `~/.local/share/watchkeeper`.
pub fn default_data_directory(variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let folder = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("watchkeeper"))
}

fn tree_of(configuration: &Configuration) -> Value {
    serde_json::to_value(configuration).expect("a configuration has text keys and finite numbers")
}

fn read_file(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let wrong = |error: toml::de::Error| Error::Content { path: path.to_owned(), message: error.to_string() };
    // Unknown keys and wrong kinds, with the line.
    toml::from_str::<Configuration>(&text).map_err(wrong)?;
    toml::from_str(&text).map_err(wrong)
}

/// The keys of a tree: where the defaults have a table, its members; lists and `None` are values.
fn leaves(tree: &Value, defaults: &Value) -> Vec<String> {
    fn walk(tree: &Map<String, Value>, defaults: &Value, path: &str, keys: &mut Vec<String>) {
        for (name, value) in tree {
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match (value, &defaults[name]) {
                (Value::Object(members), table @ Value::Object(_)) => walk(members, table, &key, keys),
                _ => keys.push(key),
            }
        }
    }
    let mut keys = Vec::new();
    walk(tree.as_object().expect("a configuration is a table"), defaults, "", &mut keys);
    keys
}

fn merge(tree: &mut Value, from: Value) {
    match (tree, from) {
        (Value::Object(tree), Value::Object(from)) => {
            for (name, value) in from {
                merge(tree.entry(name).or_insert(Value::Null), value);
            }
        }
        (tree, from) => *tree = from,
    }
}

/// Puts the text of a flag or variable at its key, as the kind of value that belongs there.
fn set(
    tree: &mut Value,
    defaults: &Value,
    key: &str,
    text: &str,
    origin: Origin,
    origins: &mut BTreeMap<String, Origin>,
) -> Result<(), Error> {
    let wrong = |message: String| Error::Value { origin: origin.clone(), message };
    let default = key.split('.').fold(defaults, |value, name| &value[name]);
    let value = match default {
        Value::Array(_) => list(text).map_err(wrong)?,
        Value::Bool(_) => {
            text.parse().map(Value::Bool).map_err(|_| wrong(format!("`{text}` is neither true nor false")))?
        }
        Value::Number(_) => {
            text.parse::<u64>().map(Value::from).map_err(|_| wrong(format!("`{text}` is no whole number")))?
        }
        _ => Value::from(text),
    };
    let mut alone = value.clone();
    for name in key.rsplit('.') {
        alone = Value::Object(Map::from_iter([(name.to_owned(), alone)]));
    }
    serde_json::from_value::<Configuration>(alone.clone()).map_err(|error| wrong(error.to_string()))?;
    merge(tree, alone);
    origins.insert(key.to_owned(), origin);
    Ok(())
}

/// A TOML list, or texts between commas.
fn list(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('[') {
        let document: Value = toml::from_str(&format!("list = {text}")).map_err(|error| error.message().to_owned())?;
        return Ok(document["list"].clone());
    }
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect())
}

fn check(configuration: &Configuration) -> Result<(), Error> {
    let fail = |key, message: String| Err(Error::Meaning { key, message });
    let account = &configuration.account;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return fail("account", format!("`{account}` has not twelve digits"));
    }
    let region = &configuration.region;
    if region.split('-').count() < 3
        || !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return fail(
            "region",
            format!("`{region}` is no region of AWS, which clients want it to be (such as us-east-1)"),
        );
    }
    if configuration.server.requests_per_second > 0 && configuration.server.request_burst == 0 {
        return fail("server.request_burst", "a key that may make no request at once can make none".to_owned());
    }
    if configuration.runner.max_unended_jobs == 0 {
        return fail("runner.max_unended_jobs", "without a job that may wait or run there is nothing to do".to_owned());
    }
    let retention = &configuration.retention;
    let days = [
        ("retention.log_days", retention.log_days),
        ("retention.metric_days", retention.metric_days),
        ("retention.execution_days", retention.execution_days),
        ("retention.job_days", retention.job_days),
        ("retention.capture_days", retention.capture_days),
    ];
    if let Some((key, _)) = days.into_iter().find(|(_, days)| *days > MOST_DAYS) {
        return fail(key, format!("it takes up to {MOST_DAYS} days, and 0 for ever"));
    }
    if let Some(key) = &configuration.master_key {
        let key = key.expose().trim();
        if key.len() != 64 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return fail("master_key", "it takes 64 hexadecimal digits".to_owned());
        }
        if configuration.master_key_file.is_some() {
            return fail("master_key", "there is `master_key_file` too: take one of them away".to_owned());
        }
    }
    if configuration.roles.is_empty() {
        return fail("roles", "a process without a role does nothing".to_owned());
    }
    if !(1..=MAX_CONNECTIONS).contains(&configuration.server.max_connections) {
        return fail("server.max_connections", format!("it takes 1 to {MAX_CONNECTIONS} connections"));
    }
    if let Some(url) = &configuration.server.endpoint_url
        && !is_address(url)
    {
        return fail("server.endpoint_url", format!("`{url}` is not of the form http://host:port"));
    }
    if let Some(bucket) = &configuration.default_bucket
        && !s3s::path::check_bucket_name(bucket)
    {
        return fail("default_bucket", format!("`{bucket}` is no name of a bucket"));
    }
    if configuration.access_key_id.is_some() != configuration.secret_access_key.is_some() {
        return fail(
            "access_key_id",
            "the first access key needs both `access_key_id` and `secret_access_key`".to_owned(),
        );
    }
    if let Some(id) = &configuration.access_key_id
        && (!(3..=128).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    {
        return fail("access_key_id", "it takes 3 to 128 letters, digits and underscores".to_owned());
    }
    if let Some(secret) = &configuration.secret_access_key
        && (secret.expose().len() < 8 || !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return fail("secret_access_key", "it takes at least 8 visible ASCII characters".to_owned());
    }
    check_database(&configuration.database)?;
    check_objects(&configuration.objects)?;
    // A program in an unpacked image sees all of it.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let data = absolute(&configuration.data_dir);
    if let Some(rootfs) = configuration
        .images
        .iter()
        .filter_map(|image| image.rootfs.as_ref())
        .find(|rootfs| data.starts_with(absolute(rootfs)))
    {
        return fail(
            "images",
            format!("rootfs {} holds the data directory: unpack the image elsewhere", rootfs.display()),
        );
    }
    match configuration.images.iter().position(|image| image.pattern.is_empty()) {
        Some(index) => fail("images", format!("entry {} has no `match`", index + 1)),
        None => Ok(()),
    }
}

/// The settings of a database server. What is said about its address does not repeat it, as a password is in it.
fn check_database(database: &DatabaseSettings) -> Result<(), Error> {
    let fail = |key, message: String| Err(Error::Meaning { key, message });
    let is_of_scheme = |url: &str| url.starts_with("postgresql://") || url.starts_with("postgres://");
    if database.url.as_ref().is_some_and(|url| !is_of_scheme(url.expose())) {
        return fail("database.url", "it must be postgresql://user:password@host:port/database".to_owned());
    }
    if !(1..=MOST_DATABASE_CONNECTIONS).contains(&database.max_connections) {
        return fail("database.max_connections", format!("it takes 1 to {MOST_DATABASE_CONNECTIONS} connections"));
    }
    Ok(())
}

/// The settings of an outside S3: an address, a key, and nothing of it alone.
fn check_objects(objects: &ObjectsSettings) -> Result<(), Error> {
    let fail = |key, message: &str| Err(Error::Meaning { key, message: message.to_owned() });
    let key = (objects.access_key_id.is_some(), objects.secret_access_key.is_some());
    let Some(url) = &objects.endpoint_url else {
        if key != (false, false) {
            return fail(
                "objects.endpoint_url",
                "there is a key to an S3 service, and no address of it: set it, or take the key away",
            );
        }
        return Ok(());
    };
    // A password in the address would be in every message of it.
    let uri = url.parse::<http::Uri>().ok().filter(|uri| {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        matches!(uri.scheme_str(), Some("http" | "https"))
            && !authority.is_empty()
            && !authority.contains('@')
            && uri.query().is_none()
    });
    if uri.is_none() {
        return fail(
            "objects.endpoint_url",
            "it must be http://host:port or https://host:port, without user and query",
        );
    }
    if key != (true, true) {
        return fail(
            "objects.access_key_id",
            "the S3 service needs both `objects.access_key_id` and `objects.secret_access_key`",
        );
    }
    if objects.region.is_empty() {
        return fail("objects.region", "requests have to be signed for some region, such as us-east-1");
    }
    Ok(())
}

/// Whether a text is the address of a server, without a path.
fn is_address(text: &str) -> bool {
    text.parse().is_ok_and(|uri: http::Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.path() == "/"
            && !text.ends_with('/')
    })
}

fn settings(configuration: &Configuration, defaults: &Value, origins: &BTreeMap<String, Origin>) -> Vec<Setting> {
    let mut tree = tree_of(configuration);
    for image in tree["images"].as_array_mut().into_iter().flatten() {
        // Variables of images are where people put passwords.
        for value in image["environment"].as_object_mut().into_iter().flat_map(|variables| variables.values_mut()) {
            *value = Value::from("(hidden)");
        }
    }
    leaves(&tree, defaults)
        .into_iter()
        .map(|key| Setting {
            value: key.split('.').fold(&tree, |value, name| &value[name]).clone(),
            origin: origins.get(&key).cloned().unwrap_or(Origin::Default),
            key,
        })
        .collect()
}
