//! A session put together by hand.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;
use watchkeeper_aws::client::{Proxy, Tls, Transport};

use super::credentials::{Cache, ProvideCredentials, Providing, provider};
use super::defaults::{Defaults, Named};
use super::endpoints::{AwsService, Endpoint, Partition};
use super::profile::{Environment, Profile, SharedFiles};
use super::progress::{Listener, Progress};
use super::retry::Retries;
use super::{Inner, Session};
use crate::{Error, Result};

/// What a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ATTEMPTS: u32 = 3;
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// What a [`Session`] is made of; what is not set comes from the environment and its profile.
#[derive(Clone, Default)]
#[must_use]
pub struct SessionBuilder {
    region: Option<String>,
    profile_name: Option<String>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    endpoint_urls: HashMap<Option<AwsService>, String>,
    default_bucket: Option<String>,
    default_bucket_prefix: Option<String>,
    pub(super) poll_every: Option<Duration>,
    max_attempts: Option<u32>,
    longest_backoff: Option<Duration>,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
    listener: Listener,
    ca_bundle: Option<PathBuf>,
    environment: Option<HashMap<String, String>>,
}

impl SessionBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The region of requests; else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The profile of the shared files; else `AWS_PROFILE`, `AWS_DEFAULT_PROFILE`, `default`.
    pub fn profile_name(mut self, profile_name: impl Into<String>) -> Self {
        self.profile_name = Some(profile_name.into());
        self
    }

    /// Who signs: fixed [`Credentials`](super::Credentials), or a provider that fetches them when they are needed.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// The address of every service in place of AWS's own, such as a Watchkeeper's `http://127.0.0.1:8470`; else `AWS_ENDPOINT_URL`,
    /// the profile's `endpoint_url`.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_urls.insert(None, url.into());
        self
    }

    /// The address of one service; else `AWS_ENDPOINT_URL_SAGEMAKER`, `…_SAGEMAKER_RUNTIME`, `…_S3`, `…_STS`, `…_IAM`,
    /// `…_CLOUDWATCH_LOGS`, the profile's `services` section.
    pub fn endpoint_url_of(mut self, service: AwsService, url: impl Into<String>) -> Self {
        self.endpoint_urls.insert(Some(service), url.into());
        self
    }

    /// The bucket for what a call is told no place for; else that of the SageMaker SDK's defaults
    /// (`SAGEMAKER_USER_CONFIG_OVERRIDE`), else `sagemaker-<region>-<account>`.
    pub fn default_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.default_bucket = Some(bucket.into());
        self
    }

    /// What keys in the default bucket begin with.
    pub fn default_bucket_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.default_bucket_prefix = Some(prefix.into());
        self
    }

    /// How long a wait pauses between two looks at a job, a schedule or an endpoint; else what Python waits: 5, 10 or 30 seconds.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = Some(interval);
        self
    }

    /// How often a request is sent at most; else `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, 3.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// The longest pause between two attempts; else 20 seconds.
    pub fn longest_backoff(mut self, pause: Duration) -> Self {
        self.longest_backoff = Some(pause);
        self
    }

    /// How long a connection may take to open; else 5 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = Some(limit);
        self
    }

    /// How long one attempt may wait for the begin of its answer, and again for each further piece of it; else one minute, 80
    /// seconds for models, and longer for long bodies.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Who is told what happens while calls wait; else lines of logs go to standard error.
    pub fn progress(mut self, listener: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Listener::new(listener);
        self
    }

    /// A file of the certificates (PEM) that are trusted; else `AWS_CA_BUNDLE`, `SSL_CERT_FILE`, what the system trusts.
    pub fn ca_bundle(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_bundle = Some(path.into());
        self
    }

    /// Variables in place of the process's own; without `HOME` and `AWS_CONFIG_FILE` among them no shared file is read.
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.environment = Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// The session; reads the shared files, sends nothing. Credentials that cannot be had are the error of the first call.
    pub fn build(self) -> Result<Session> {
        self.keeping(None)
    }

    /// The session, with something that is dropped after its last clone.
    pub(crate) fn keeping(self, kept: Option<Box<dyn Any + Send + Sync>>) -> Result<Session> {
        let environment = self.environment.clone().map_or_else(Environment::of_process, Environment::new);
        let files = SharedFiles::read(&environment)?;
        let asked = self.profile_name.as_deref().or_else(|| environment.any(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
        let profile = match asked {
            Some(name) => Some(files.named(name)?),
            None => files.profile("default"),
        };
        let surroundings = Surroundings { environment: &environment, profile };
        let settings = self.settings(&surroundings)?;
        let provider = self.credentials.clone().map_or_else(
            || {
                let name = (asked.unwrap_or("default"), self.profile_name.is_some());
                let session_with = |provider| settings.session(Cache::new(provider), &self, None);
                // Who never sends anything needs none.
                match provider(&environment, &files, name, &settings.transport, &session_with) {
                    Err(Error::Credentials(reason)) => Ok(Arc::new(Unavailable(reason)) as Arc<dyn ProvideCredentials>),
                    provider => provider,
                }
            },
            Ok,
        )?;
        Ok(settings.session(Cache::new(provider), &self, kept))
    }

    fn settings(&self, surroundings: &Surroundings<'_>) -> Result<Settings> {
        let environment = surroundings.environment;
        let configured = |name: &str| surroundings.configured(name);
        let region = self.region.as_deref().or_else(|| environment.any(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let region = region.or_else(|| configured("region")).ok_or_else(|| {
            Error::Session(
                "there is no region: give one, set AWS_REGION, or write `region = …` into the profile".to_owned(),
            )
        })?;
        let is_plain =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
        if region.is_empty() || !region.chars().all(is_plain) {
            return Err(Error::Session(format!("{region:?} is no region, such as us-east-1")));
        }
        let mut endpoint_urls = HashMap::new();
        for service in AwsService::ALL {
            if let Some((url, origin)) = self.endpoint_url_for(service, surroundings) {
                endpoint_urls.insert(service, Endpoint::parse(&url, &origin)?);
            } else if surroundings.say_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint") {
                // Whoever has to use these must not be sent elsewhere in silence.
                return Err(Error::Session(format!(
                    "AWS_USE_FIPS_ENDPOINT is set, whose addresses this session does not know: set AWS_ENDPOINT_URL_{}",
                    service.identifier()
                )));
            }
        }
        let attempts = environment.get("AWS_MAX_ATTEMPTS").or_else(|| configured("max_attempts"));
        let max_attempts = match (self.max_attempts, attempts) {
            (Some(number), _) => number.max(1),
            (None, Some(text)) => text.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                Error::Session(format!("AWS_MAX_ATTEMPTS or max_attempts is {text:?}, not a number from 1 on"))
            })?,
            (None, None) => MAX_ATTEMPTS,
        };
        let ca_bundle = environment.get("AWS_CA_BUNDLE").or_else(|| configured("ca_bundle"));
        let ca_bundle = ca_bundle.or_else(|| environment.get("SSL_CERT_FILE")).map(|path| environment.path(path));
        let connect_timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let no_proxy = environment.any(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let proxy = environment.any(&["HTTPS_PROXY", "https_proxy"]).map(|url| Proxy::parse(url, no_proxy));
        let tls = Tls::new(self.ca_bundle.clone().or(ca_bundle)).with_proxy(proxy.transpose().map_err(Error::Session)?);
        Ok(Settings {
            region: region.to_owned(),
            endpoint_urls,
            transport: Transport::plain(connect_timeout).with_tls(tls),
            max_attempts,
            document: environment.get("SAGEMAKER_USER_CONFIG_OVERRIDE").map(str::to_owned),
        })
    }

    /// The address of a service that is set in place of AWS's own, and where it is set.
    fn endpoint_url_for(&self, service: AwsService, surroundings: &Surroundings<'_>) -> Option<(String, String)> {
        let Surroundings { environment, profile } = surroundings;
        let given = self.endpoint_urls.get(&Some(service)).or_else(|| self.endpoint_urls.get(&None));
        if let Some(url) = given {
            return Some((url.clone(), "endpoint_url".to_owned()));
        }
        if surroundings.say_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
            return None;
        }
        let variable = format!("AWS_ENDPOINT_URL_{}", service.identifier());
        for variable in [variable.as_str(), "AWS_ENDPOINT_URL"] {
            if let Some(url) = environment.get(variable) {
                return Some((url.to_owned(), variable.to_owned()));
            }
        }
        let url = profile.and_then(|profile| profile.endpoint_url(&service.identifier().to_ascii_lowercase()))?;
        Some((url.to_owned(), "endpoint_url of the profile".to_owned()))
    }
}

/// What the environment says.
struct Surroundings<'a> {
    environment: &'a Environment,
    profile: Option<Profile<'a>>,
}

impl<'a> Surroundings<'a> {
    /// A setting of the profile.
    fn configured(&self, setting: &str) -> Option<&'a str> {
        self.profile?.get(setting)
    }

    /// Whether a variable or a setting of the profile is `true`.
    fn say_true(&self, variable: &str, setting: &str) -> bool {
        self.environment.is_true(variable)
            || self.configured(setting).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// What was found out for a session, without its credentials.
struct Settings {
    region: String,
    endpoint_urls: HashMap<AwsService, Endpoint>,
    transport: Transport,
    max_attempts: u32,
    document: Option<String>,
}

impl Settings {
    fn session(
        &self,
        credentials: Cache,
        builder: &SessionBuilder,
        kept: Option<Box<dyn Any + Send + Sync>>,
    ) -> Session {
        Session {
            inner: Arc::new(Inner {
                region: self.region.clone(),
                partition: Partition::of_region(&self.region),
                endpoint_urls: self.endpoint_urls.clone(),
                credentials,
                transport: self.transport.clone(),
                retries: Retries::new(self.max_attempts, builder.longest_backoff.unwrap_or(LONGEST_BACKOFF)),
                timeout: builder.timeout,
                clock_offset: AtomicI64::new(0),
                bucket_regions: Mutex::default(),
                poll_every: builder.poll_every,
                listener: builder.listener.clone(),
                defaults: Defaults {
                    given: Named {
                        bucket: builder.default_bucket.clone(),
                        prefix: builder.default_bucket_prefix.clone(),
                    },
                    document: self.document.clone(),
                    complete: OnceCell::new(),
                },
                default_bucket: OnceCell::new(),
                account: OnceCell::new(),
                _kept: kept,
            }),
        }
    }
}

/// Why there are no credentials, told to the first call that needs some.
struct Unavailable(String);

impl ProvideCredentials for Unavailable {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(std::future::ready(Err(Error::Credentials(self.0.clone()))))
    }
}
