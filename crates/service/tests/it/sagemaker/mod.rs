//! `SageMaker`'s control plane over a real store, called by its wire names and judged by the service's public model.

mod concurrency;
mod definitions;
mod endpoints;
mod lists;
mod processing_jobs;
mod schedules;
mod stopping;
mod tags;

use std::sync::{Arc, Mutex, OnceLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use watchkeeper_aws::generated::sagemaker::{SERVICE, dispatch};
use watchkeeper_aws::model::Shape;
use watchkeeper_aws::{Call, Error};
use watchkeeper_service::api::sagemaker::SageMakerApi;
use watchkeeper_service::context::Clock;
use watchkeeper_service::control::alert::Alert;
use watchkeeper_service::control::schedule::{MonitoringSchedule, Settled, settle};
use watchkeeper_service::hosting::Hosting;
use watchkeeper_service::processes::Processes;
use watchkeeper_service::resources::{Resource, Resources, Transaction, Versioned};
use watchkeeper_service::{Configuration, Context};
use watchkeeper_store::Store;
use watchkeeper_store::metadata::MetadataStore;

use crate::runner::plain::Plain;

pub const START: &str = "2026-03-01T10:20:30.25Z";
pub const ROLE: &str = "arn:aws:iam::111122223333:role/monitor";

/// A clock that stands still until it is moved.
struct SettableClock(Mutex<Timestamp>);

impl Clock for SettableClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// The interface over a store of its own.
pub struct Api {
    service: SageMakerApi,
    pub context: Arc<Context>,
    clock: Arc<SettableClock>,
    hosting: OnceLock<Arc<Hosting>>,
    _folder: TempDir,
}

impl Api {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Configuration)) -> Self {
        Self::made(change, |store| store).await
    }

    /// The interface over another store, which is made of one of its own.
    pub async fn over(store: impl FnOnce(Arc<dyn MetadataStore>) -> Arc<dyn MetadataStore>) -> Self {
        Self::made(|_| {}, store).await
    }

    async fn made(
        change: impl FnOnce(&mut Configuration),
        metadata: impl FnOnce(Arc<dyn MetadataStore>) -> Arc<dyn MetadataStore>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let clock = Arc::new(SettableClock(Mutex::new(START.parse().unwrap())));
        let mut configuration = Configuration {
            account: "111122223333".to_owned(),
            data_dir: folder.path().to_owned(),
            ..Configuration::default()
        };
        change(&mut configuration);
        let context = Arc::new(Context {
            configuration,
            resources: Resources::new(metadata(Arc::clone(&store.metadata))),
            objects: store.objects,
            logs: store.logs,
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping: watch::channel(false).1,
            endpoint_url: OnceLock::new(),
            processes: Processes::default(),
            job_credentials: OnceLock::new(),
            owner: "test".to_owned(),
        });
        Self { service: SageMakerApi(Arc::clone(&context)), context, clock, hosting: OnceLock::new(), _folder: folder }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, by: SignedDuration) {
        *self.clock.0.lock().unwrap() += by;
    }

    /// Lets hosting do all there is to do at the endpoints, a second later.
    pub async fn host(&self) {
        self.advance(SignedDuration::from_secs(1));
        let hosting = self.hosting.get_or_init(|| Hosting::start(&self.context, Arc::new(Plain)).unwrap());
        hosting.look_once().await.unwrap();
    }

    /// What a client gets.
    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let call = Call {
            region: "eu-central-1".to_owned(),
            account: self.context.configuration.account.clone(),
            access_key_id: "AKIAEXAMPLE".to_owned(),
            request_id: "request".to_owned(),
            now: self.now(),
        };
        let answer = dispatch(&self.service, &call, operation, input).await?.unwrap_or(Value::Null);
        if let Some(shape) = SERVICE.operation(operation).unwrap().output {
            judge(shape, &answer, operation);
        }
        Ok(answer)
    }

    /// The answer of a call that succeeds.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Code and text of a call that is refused.
    pub async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        let error = self.call(operation, input).await.expect_err(operation);
        assert_eq!(error.status, 400, "{operation}");
        (error.code, error.message)
    }

    pub async fn load<T: Resource>(&self, key: &str) -> Versioned<T> {
        self.context.resources.get(key).await.unwrap().expect("it is stored")
    }

    /// What the scheduler does with a schedule in a moment.
    pub async fn settle(&self, name: &str) {
        self.advance(SignedDuration::from_secs(1));
        let found = self.load::<MonitoringSchedule>(&MonitoringSchedule::key_of(name)).await;
        let transaction = match settle(&found.resource, self.now()) {
            Settled::Updated(settled) => Transaction::new().update(&settled, found.version),
            Settled::Gone => {
                let alert = self.load::<Alert>(&Alert::of_schedule(&found.resource).key()).await;
                Transaction::new().delete(&found.resource, found.version).delete(&alert.resource, alert.version)
            }
        };
        self.context.resources.commit(transaction).await.unwrap();
    }

    pub async fn schedule_status(&self, name: &str) -> String {
        let described = self.ok("DescribeMonitoringSchedule", json!({ "MonitoringScheduleName": name })).await;
        described["MonitoringScheduleStatus"].as_str().unwrap().to_owned()
    }
}

/// Holds an answer against the model: every required member, no unknown one, no null, the right kinds, known values.
fn judge(shape: &Shape, value: &Value, path: &str) {
    match (shape, value) {
        (Shape::Structure { members, .. }, Value::Object(object)) => {
            for member in *members {
                let value = object.get(member.name);
                assert!(!member.required || value.is_some(), "{path} lacks {}", member.name);
                if let Some(value) = value {
                    judge(member.shape, value, &format!("{path}.{}", member.name));
                }
            }
            for name in object.keys() {
                assert!(members.iter().any(|member| member.name == name), "{path} has an unknown {name}");
            }
        }
        (Shape::List { member, .. }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                judge(member, item, &format!("{path}[{index}]"));
            }
        }
        (Shape::Text { length, pattern, values }, Value::String(text)) => {
            assert!(values.is_empty() || values.contains(&text.as_str()), "{path}: {text}");
            let count = text.chars().count() as i64;
            assert!(length.maximum.is_none_or(|maximum| count <= maximum), "{path} is longer than it may be");
            if let Some(pattern) = pattern.filter(|_| !text.is_empty()) {
                assert!(pattern.matches(text), "{path}: {text} is not {}", pattern.text);
            }
        }
        (Shape::Opaque, value) => assert!(!value.is_null(), "{path} is null"),
        (_, Value::Null | Value::Array(_)) => panic!("{path} is {value}"),
        _ => {}
    }
}

pub fn validation(text: &str) -> (String, String) {
    ("ValidationException".to_owned(), text.to_owned())
}

pub fn job_request(name: &str) -> Value {
    json!({
        "ProcessingJobName": name,
        "ProcessingInputs": [{
            "InputName": "baseline_dataset_input",
            "S3Input": {
                "S3Uri": "s3://bucket/dataset.csv",
                "LocalPath": "/opt/ml/processing/input/baseline_dataset_input",
                "S3DataType": "S3Prefix"
            }
        }],
        "ProcessingOutputConfig": { "Outputs": [{
            "OutputName": "monitoring_output",
            "S3Output": {
                "S3Uri": "s3://bucket/baseline",
                "LocalPath": "/opt/ml/processing/output",
                "S3UploadMode": "EndOfJob"
            }
        }] },
        "ProcessingResources": { "ClusterConfig": { "InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20 } },
        "AppSpecification": { "ImageUri": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-model-monitor-analyzer" },
        "Environment": { "dataset_source": "/opt/ml/processing/input/baseline_dataset_input" },
        "RoleArn": ROLE
    })
}

pub fn endpoint_input() -> Value {
    json!({ "EndpointInput": { "EndpointName": "Shop", "LocalPath": "/opt/ml/processing/input/endpoint" } })
}

pub fn output_config() -> Value {
    json!({ "MonitoringOutputs": [{ "S3Output": { "S3Uri": "s3://bucket/reports", "LocalPath": "/opt/ml/processing/output" } }] })
}

pub fn cluster() -> Value {
    json!({ "ClusterConfig": { "InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20 } })
}

/// An embedded definition.
pub fn embedded() -> Value {
    json!({
        "MonitoringInputs": [endpoint_input()],
        "MonitoringOutputConfig": output_config(),
        "MonitoringResources": cluster(),
        "MonitoringAppSpecification": { "ImageUri": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/own-monitor" },
        "RoleArn": ROLE
    })
}

pub fn hourly(definition: Value) -> Value {
    let mut config = json!({ "ScheduleConfig": { "ScheduleExpression": "cron(0 * ? * * *)" } });
    config["MonitoringJobDefinition"] = definition;
    config
}

/// The object with other members, by their path from the root; null takes a member away.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).expect(pointer).as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name).expect(pointer);
    } else {
        parent.insert(name.to_owned(), value);
    }
    object
}
