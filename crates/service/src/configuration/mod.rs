//! The effective configuration: one TOML file, every key also an environment variable `WATCHKEEPER_…`, the common ones a flag.
//! Flag before variable before file before default; unknown keys are errors. The types are here, how they are filled is in
//! [`loading`].

mod loading;
mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use watchkeeper_store::{DatabaseSettings as StoreDatabase, MasterKeySource, S3Settings, StoreSettings};

pub use loading::{Error, Loaded, Origin, Setting, Sources, default_data_directory};
pub use secret::Secret;

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
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
    /// The key that secrets and keys are encrypted by, as 64 hexadecimal digits; without one a file has it.
    pub master_key: Option<Secret>,
    /// The file that has it; without one `master.key` in the data directory, made at the first start.
    pub master_key_file: Option<PathBuf>,
    /// Where documents, metrics and logs are kept.
    pub database: DatabaseSettings,
    /// Where objects are kept.
    pub objects: ObjectsSettings,
    /// How long things are kept.
    pub retention: RetentionSettings,
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

impl Role {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Runner => "runner",
        }
    }
}

/// Where documents, metrics and logs are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgresql://user:password@host:5432/database`; without one they are in the data directory.
    pub url: Option<Secret>,
    /// The most connections of this process.
    pub max_connections: u32,
}

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectsSettings {
    /// The S3 service that they are kept in, `https://host:port`; without one they are in the data directory.
    pub endpoint_url: Option<String>,
    /// The region that requests to it are signed for.
    pub region: String,
    /// A key to it.
    pub access_key_id: Option<String>,
    /// The key's secret half.
    pub secret_access_key: Option<Secret>,
    /// The most bytes of all objects in the data directory; 0 means no limit.
    pub quota_bytes: u64,
    /// Bytes that stay free on the disk of the data directory.
    pub reserve_bytes: u64,
}

/// How long things are kept, in days; 0 means for ever. What something that is kept refers to is kept as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Log events of groups that have no retention of their own.
    pub log_days: u32,
    /// Data of metrics.
    pub metric_days: u32,
    /// Executions of schedules, with their jobs.
    pub execution_days: u32,
    /// Processing and transform jobs of nobody's schedule, and asynchronous invocations.
    pub job_days: u32,
    /// Captured requests and answers.
    pub capture_days: u32,
}

/// The listener's limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Connections that are served at the same time; more wait.
    pub max_connections: u32,
    /// Where clients and jobs reach the service, where that is not the address it listens on: `http://host:port`.
    pub endpoint_url: Option<String>,
    /// Requests a second that one access key may make, on average; 0 means no limit.
    pub requests_per_second: u32,
    /// Requests that it may make at once.
    pub request_burst: u32,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunnerSettings {
    /// Jobs that run at the same time; 0 means as many as the machine has cores.
    pub parallel_jobs: usize,
    /// Jobs that wait or run; more are refused.
    pub max_unended_jobs: u64,
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
    /// An image of the container engine; `*` is the image that was asked for.
    pub container: Option<String>,
    /// A folder with the unpacked file system of an image, in which the command is run.
    pub rootfs: Option<PathBuf>,
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

    /// Where the state is kept.
    pub fn store(&self) -> StoreSettings {
        let text =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        StoreSettings {
            data_directory: self.data_dir.clone(),
            database: self.database.url.as_ref().map(|url| StoreDatabase {
                url: url.expose().to_owned(),
                max_connections: self.database.max_connections,
            }),
            outside_s3: self.objects.endpoint_url.clone().map(|endpoint_url| S3Settings {
                endpoint_url,
                region: self.objects.region.clone(),
                access_key_id: self.objects.access_key_id.clone().unwrap_or_default(),
                secret_access_key: text(&self.objects.secret_access_key),
            }),
            master_key: match (&self.master_key, &self.master_key_file) {
                (Some(key), _) => MasterKeySource::Text(key.expose().to_owned()),
                (None, Some(path)) => MasterKeySource::File(path.clone()),
                (None, None) => MasterKeySource::DataDirectory,
            },
            quota_bytes: self.objects.quota_bytes,
            reserve_bytes: self.objects.reserve_bytes,
        }
    }

    /// Whether this process does something.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            file: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            data_dir: PathBuf::new(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            default_bucket: None,
            access_key_id: None,
            secret_access_key: None,
            roles: vec![Role::Api, Role::Scheduler, Role::Runner],
            master_key: None,
            master_key_file: None,
            database: DatabaseSettings::default(),
            objects: ObjectsSettings::default(),
            retention: RetentionSettings::default(),
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
        Self {
            max_connections: 1024,
            endpoint_url: None,
            requests_per_second: 0,
            request_burst: 100,
            header_seconds: 60,
            idle_seconds: 60,
            shutdown_seconds: 25,
        }
    }
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { url: None, max_connections: 16 }
    }
}

impl Default for ObjectsSettings {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            quota_bytes: 0,
            reserve_bytes: 256 << 20,
        }
    }
}

impl Default for RetentionSettings {
    fn default() -> Self {
        // CloudWatch keeps metrics for fifteen months.
        Self { log_days: 0, metric_days: 455, execution_days: 0, job_days: 0, capture_days: 0 }
    }
}

impl Default for RunnerSettings {
    fn default() -> Self {
        Self { parallel_jobs: 0, max_unended_jobs: 10_000, keep_job_folders: false, program: Vec::new() }
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
