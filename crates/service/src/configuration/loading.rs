//! From flags, variables and a file to the effective configuration.
//!
//! Every leaf of [`Configuration`] is a key; nested keys are joined by a dot in listings (`runner.parallel_jobs`) and by an
//! underscore in variables (`WATCHKEEPER_RUNNER_PARALLEL_JOBS`). Lists are written with commas in variables, or as TOML.
//! Unknown keys of the file are errors. Unknown variables are not: the analyzer has variables of that name too, and cluster
//! managers make `WATCHKEEPER_…` variables of whatever runs under that name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Configuration;

/// What a variable's name begins with.
const PREFIX: &str = "WATCHKEEPER_";
/// More connections than any machine has ports.
const MAX_CONNECTIONS: u32 = 100_000;
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
        if let Some(path) = sources.file.clone().or_else(|| sources.variables.get(FILE_VARIABLE).map(PathBuf::from)) {
            let file = read_file(&path)?;
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
    if configuration.roles.is_empty() {
        return fail("roles", "a process without a role does nothing".to_owned());
    }
    if !(1..=MAX_CONNECTIONS).contains(&configuration.server.max_connections) {
        return fail("server.max_connections", format!("it takes 1 to {MAX_CONNECTIONS} connections"));
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
    match configuration.images.iter().position(|image| image.pattern.is_empty()) {
        Some(index) => fail("images", format!("entry {} has no `match`", index + 1)),
        None => Ok(()),
    }
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
