//! The effective configuration: one TOML file, every key also an environment variable `WATCHKEEPER_…`, the common ones a flag.
//! Flag before variable before file before default; unknown keys are errors. The types are here, how they are filled is in
//! [`loading`].

mod loading;
mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use loading::{Error, Loaded, Origin, Setting, Sources, default_data_directory};
pub use secret::Secret;

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// Address and port of the one listener.
    pub listen: SocketAddr,
    /// The folder of everything that is kept.
    pub data_dir: PathBuf,
    /// The twelve-digit account of all ARNs.
    pub account: String,
    /// The region clients are told to use; the ARNs of what a request creates have the request's.
    pub region: String,
    /// The bucket that exists from the first start; without one `sagemaker-<region>-<account>`.
    pub default_bucket: Option<String>,
    /// Identifier of the first access key, in place of a fresh one.
    pub access_key_id: Option<String>,
    /// Secret of the first access key, in place of a fresh one.
    pub secret_access_key: Option<Secret>,
    /// What this process does.
    pub roles: Vec<Role>,
    /// The listener's limits.
    pub server: ServerSettings,
    /// The scheduler's settings.
    pub scheduler: SchedulerSettings,
    /// The runner's settings.
    pub runner: RunnerSettings,
    /// The settings of endpoints and batch transform jobs.
    pub hosting: HostingSettings,
    /// The settings of data capture.
    pub capture: CaptureSettings,
    /// The proxy mode's settings.
    pub proxy: ProxySettings,
    /// The log's settings.
    pub log: LogSettings,
    /// What images run; the first that matches wins, the built-in ones come last.
    pub images: Vec<Image>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers requests.
    Api,
    /// Makes executions of ticks.
    Scheduler,
    /// Runs jobs.
    Runner,
}

/// The listener's limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Connections that are served at the same time; more wait.
    pub max_connections: u32,
    /// Seconds within which the headers of a request have to come; idle connections are closed then, too.
    pub header_seconds: u64,
    /// Seconds that a request's or answer's body may stand still.
    pub idle_seconds: u64,
    /// Seconds that requests and jobs have to end in when the service stops.
    pub shutdown_seconds: u64,
}

/// The scheduler's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerSettings {
    /// Whether expressions beyond AWS's are taken: minutes other than 0 and `rate(…)`.
    pub extended_expressions: bool,
    /// Executions start up to so many seconds after their tick, spread by schedule.
    pub jitter_seconds: u32,
}

/// The runner's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerSettings {
    /// Jobs that run at the same time; 0 means as many as the machine has cores.
    pub parallel_jobs: usize,
    /// Whether the folders of ended jobs are kept, to look at.
    pub keep_job_folders: bool,
    /// The program of the built-in images: an executable and its first arguments; the service's own executable when empty.
    pub program: Vec<String>,
}

/// The settings of endpoints and batch transform jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostingSettings {
    /// Seconds that a model may take for an answer.
    pub invocation_seconds: u64,
    /// Whether endpoints whose image nothing is known of reach `InService` all the same. What they are asked is captured, and
    /// answered with an error.
    pub accept_unmapped_images: bool,
    /// The program that runs images with a `container`: Docker, Podman, or what takes the same arguments.
    pub container_engine: String,
    /// Batch transform jobs that run at the same time.
    pub parallel_transforms: usize,
    /// Asynchronous invocations that run at the same time.
    pub parallel_async_invocations: usize,
}

/// The settings of data capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureSettings {
    /// What a crash can lose.
    pub durability: Durability,
    /// Seconds after which what was captured is in its object.
    pub flush_seconds: u64,
    /// Bytes of captured requests and answers that wait in memory; what finds no room is dropped and counted.
    pub memory_bytes: u64,
    /// Bytes of journals that wait on disk for the store, in the durable mode; what finds no room is dropped and counted.
    pub journal_bytes: u64,
}

/// What a crash can lose of what was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// What was captured since the last flush.
    #[default]
    Fast,
    /// Nothing that a client has the whole answer of: the answer ends once the record is in a journal on disk.
    Durable,
}

/// The proxy mode's settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// Whether CONNECT to other hosts than AWS's is passed through; refused otherwise.
    pub pass_through: bool,
}

/// The log's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// A `tracing` filter, such as `info` or `watchkeeper_service=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What an image runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// A pattern of the image's name: `*` stands for any text.
    #[serde(rename = "match")]
    pub pattern: String,
    /// A program of this machine with its first arguments; `ContainerEntrypoint` and `ContainerArguments` of the request
    /// replace and follow it as they would in a container.
    pub command: Vec<String>,
    /// Variables that the image itself would set.
    pub environment: BTreeMap<String, String>,
    /// A model server that already runs: what serves `/ping` and `/invocations`.
    pub url: Option<String>,
    /// A model that is built in.
    pub built_in: Option<BuiltInModel>,
    /// An image of the container engine, which is run as a model server; `*` is the image that was asked for.
    pub container: Option<String>,
}

/// The models that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltInModel {
    /// Answers what it was asked, with its content type.
    Echo,
    /// Answers the same to every record.
    Constant,
    /// A weighted sum of the features.
    Linear,
    /// The probability, or the class, of a logistic regression.
    Logistic,
}

impl Configuration {
    /// The bucket that exists from the first start.
    pub fn default_bucket(&self) -> String {
        self.default_bucket.clone().unwrap_or_else(|| format!("sagemaker-{}-{}", self.region, self.account))
    }

    /// Whether this process does something.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            data_dir: PathBuf::new(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            default_bucket: None,
            access_key_id: None,
            secret_access_key: None,
            roles: vec![Role::Api, Role::Scheduler, Role::Runner],
            server: ServerSettings::default(),
            scheduler: SchedulerSettings::default(),
            runner: RunnerSettings::default(),
            hosting: HostingSettings::default(),
            capture: CaptureSettings::default(),
            proxy: ProxySettings::default(),
            log: LogSettings::default(),
            images: Vec::new(),
        }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self { max_connections: 1024, header_seconds: 60, idle_seconds: 60, shutdown_seconds: 25 }
    }
}

impl Default for HostingSettings {
    fn default() -> Self {
        Self {
            invocation_seconds: 60,
            accept_unmapped_images: false,
            container_engine: "docker".to_owned(),
            parallel_transforms: 2,
            parallel_async_invocations: 4,
        }
    }
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self { durability: Durability::Fast, flush_seconds: 2, memory_bytes: 64 << 20, journal_bytes: 1 << 30 }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}
