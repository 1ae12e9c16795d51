//! Where requests go, who signs them, and the small things that every monitor needs of S3, IAM, STS and the logs.
//!
//! Promises: nothing is sent before a call needs it; a request is repeated as the official SDKs repeat it (`standard` mode), and
//! what it makes is made once; a session is cheap to clone, and its clones share connections, credentials and what was found
//! out about the account.

mod answers;
#[cfg(feature = "aws-config")]
mod aws_config;
mod bucket;
mod builder;
pub mod credentials;
mod defaults;
mod download;
mod endpoints;
#[cfg(feature = "local")]
mod local;
mod logs;
mod multipart;
mod name;
mod objects;
mod profile;
mod progress;
mod refusal;
mod request;
mod retry;
mod roles;
mod waiting;

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use watchkeeper_aws::client::Transport;

use crate::Result;

pub(crate) use answers::{typed, with_whole_numbers};
pub use builder::SessionBuilder;
pub use credentials::{Credentials, ProvideCredentials, Providing};
pub use endpoints::AwsService;
pub(crate) use endpoints::Partition;
pub(crate) use name::{base_name_from_image, name_from_base};
pub use progress::Progress;
pub(crate) use request::RequestParts;

/// Where requests go and who signs them; cheap to clone, connections are shared.
///
/// ```no_run
/// # fn run() -> Result<(), watchkeeper::Error> {
/// use watchkeeper::Session;
/// use watchkeeper::session::Credentials;
///
/// let session = Session::builder()
///     .endpoint_url("http://127.0.0.1:8470")
///     .region("eu-central-1")
///     .credentials(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    region: String,
    partition: &'static Partition,
    /// Addresses that replace AWS's own.
    endpoint_urls: HashMap<AwsService, endpoints::Endpoint>,
    credentials: credentials::Cache,
    transport: Transport,
    retries: retry::Retries,
    /// How long one attempt may wait for its answer, in place of our own limits.
    timeout: Option<Duration>,
    /// Seconds by which the services' clock is ahead of this machine's, once that has mattered.
    clock_offset: AtomicI64,
    /// Buckets that were found to be in another region.
    bucket_regions: Mutex<HashMap<String, String>>,
    /// Replaces what Python waits between two looks at a resource.
    poll_every: Option<Duration>,
    listener: progress::Listener,
    defaults: defaults::Defaults,
    /// The default bucket, once it is known to be there.
    default_bucket: OnceCell<String>,
    /// The account of the credentials, once STS was asked.
    account: OnceCell<String>,
    /// What ends with the last clone: an embedded service.
    _kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Session {
    /// From `AWS_…` variables and the profile they name, in the order of the official SDKs. Sends nothing.
    pub async fn from_env() -> Result<Self> {
        // Profiles are files of a few lines.
        std::future::ready(Self::builder().build()).await
    }

    /// A session put together by hand; what is not set comes from the environment, as in [`Self::from_env`].
    pub fn builder() -> SessionBuilder {
        SessionBuilder::new()
    }

    /// The region of requests.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Calls an operation of SageMaker or of the logs with JSON; an operation without output gives null, and members of the
    /// answer that are null are left out. `resource` is what it is about, for errors. Retried as the official SDKs do.
    pub async fn call(
        &self,
        service: AwsService,
        operation: &'static str,
        resource: &str,
        input: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Value> {
        self.call_json(service, request::json_request(service, operation, resource, input)?).await
    }

    /// [`Self::call`] of SageMaker.
    pub(crate) async fn sagemaker(
        &self,
        operation: &'static str,
        resource: &str,
        input: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Value> {
        self.call(AwsService::SageMaker, operation, resource, input).await
    }

    /// [`Self::sagemaker`] of a `Create…` operation, such that nothing is made twice and what was made is not called a failure:
    /// when an attempt got no answer, and no other did or the next one is told that the name is taken, the description (`describe`: operation and
    /// input) says whether it was that attempt that made it. The answer is then the description, which has the ARN too.
    pub(crate) async fn create(
        &self,
        operation: &'static str,
        resource: &str,
        input: &(impl Serialize + Sync + ?Sized),
        describe: (&'static str, &Value),
    ) -> Result<Value> {
        self.create_once(request::json_request(AwsService::SageMaker, operation, resource, input)?, describe).await
    }

    /// [`Self::sagemaker`] of an `Update…` operation, such that what was changed is not called a failure: when an attempt got no
    /// answer and it all ends without a success, the description (`describe`: operation and input) says whether everything is as
    /// it was to be. The answer is then the description.
    pub(crate) async fn update(
        &self,
        operation: &'static str,
        resource: &str,
        input: &(impl Serialize + Sync + ?Sized),
        describe: (&'static str, &Value),
    ) -> Result<Value> {
        self.update_once(request::json_request(AwsService::SageMaker, operation, resource, input)?, describe).await
    }

    /// Waits as long as one look at a resource is apart from the next; `seconds` is what Python waits, which the session's own
    /// interval replaces when it has one.
    pub(crate) async fn pause(&self, seconds: u64) {
        let pause = self.inner.poll_every.unwrap_or(Duration::from_secs(seconds));
        tokio::time::sleep(pause).await;
    }

    /// Tells whoever listens what happens.
    pub(crate) fn tell(&self, progress: Progress<'_>) {
        self.inner.listener.tell(progress);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("region", &self.inner.region).finish_non_exhaustive()
    }
}

/// A random identifier in the form of a UUID of version 4.
pub(crate) fn unique() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let text = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_have_the_form_of_a_uuid_and_differ() {
        let one = super::unique();
        assert_eq!(one.len(), 36);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
        assert_ne!(one, super::unique());
    }
}
