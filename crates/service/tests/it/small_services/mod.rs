//! STS, IAM, KMS, ECR, Logs and CloudWatch over a real store, called as the protocols call them.

mod cloudwatch;
mod identity;
mod kms;
mod logs;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use watchkeeper_aws::{Call, Error, generated};
use watchkeeper_service::api::cloudwatch::CloudWatch;
use watchkeeper_service::api::ecr::Ecr;
use watchkeeper_service::api::iam::Iam;
use watchkeeper_service::api::kms::Kms;
use watchkeeper_service::api::logs::Logs;
use watchkeeper_service::api::sts::Sts;
use watchkeeper_service::context::Clock;
use watchkeeper_service::processes::Processes;
use watchkeeper_service::resources::Resources;
use watchkeeper_service::{Configuration, Context};
use watchkeeper_store::Store;

/// A clock that stands until it is moved.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// The services over a store of their own.
struct Services {
    context: Arc<Context>,
    clock: Arc<SetClock>,
    /// Kept, as the service stops when it is dropped.
    #[expect(dead_code, reason = "held, not used")]
    stopping: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl Services {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).await.unwrap();
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(noon.as_millisecond())));
        let (stop, stopping) = watch::channel(false);
        let configuration = Configuration {
            data_dir: PathBuf::from(directory.path()),
            account: "111122223333".to_owned(),
            ..Configuration::default()
        };
        let context = Context {
            configuration,
            resources: Resources::new(Arc::clone(&store.metadata)),
            objects: Arc::clone(&store.objects),
            logs: Arc::clone(&store.logs),
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping,
            endpoint_url: OnceLock::new(),
            processes: Processes::default(),
            job_credentials: OnceLock::from(("AKIAJOB".to_owned(), "secret".to_owned())),
            owner: "test".to_owned(),
        };
        Self { context: Arc::new(context), clock, stopping: stop, _directory: directory }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock.
    fn pass(&self, duration: SignedDuration) {
        self.clock.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn call(&self) -> Call {
        Call {
            region: "eu-central-1".to_owned(),
            account: "111122223333".to_owned(),
            access_key_id: "AKIATEST".to_owned(),
            request_id: "request".to_owned(),
            now: self.now(),
        }
    }

    async fn try_call(&self, service: &str, operation: &str, input: Value) -> Result<Value, Error> {
        let (context, call) = (Arc::clone(&self.context), self.call());
        let output = match service {
            "sts" => generated::sts::dispatch(&Sts(context), &call, operation, input).await,
            "iam" => generated::iam::dispatch(&Iam(context), &call, operation, input).await,
            "kms" => generated::kms::dispatch(&Kms(context), &call, operation, input).await,
            "ecr" => generated::ecr::dispatch(&Ecr(context), &call, operation, input).await,
            "logs" => generated::logs::dispatch(&Logs(context), &call, operation, input).await,
            "cloudwatch" => generated::cloudwatch::dispatch(&CloudWatch(context), &call, operation, input).await,
            other => panic!("no service {other}"),
        };
        output.map(Option::unwrap_or_default)
    }

    async fn answer(&self, service: &str, operation: &str, input: Value) -> Value {
        self.try_call(service, operation, input.clone())
            .await
            .unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    async fn refusal(&self, service: &str, operation: &str, input: Value) -> Error {
        match self.try_call(service, operation, input.clone()).await {
            Ok(output) => panic!("{operation} {input} gave {output}"),
            Err(error) => error,
        }
    }
}
