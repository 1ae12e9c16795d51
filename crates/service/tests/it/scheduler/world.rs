//! A store in a folder of its own, a clock that stands still, and schedules, endpoints and captures in it.

use std::sync::{Arc, Mutex, OnceLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use uuid::Uuid;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{
    CreateEndpointConfigInput, CreateMonitoringScheduleRequest, CreateProcessingJobRequest, EndpointStatus,
    ProcessingJobStatus,
};
use watchkeeper_service::configuration::Configuration;
use watchkeeper_service::context::{Clock, Context};
use watchkeeper_service::control::Stamp;
use watchkeeper_service::control::alert::Alert;
use watchkeeper_service::control::endpoint::Endpoint;
use watchkeeper_service::control::execution::Execution;
use watchkeeper_service::control::job_definition::JobDefinition;
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::control::schedule::config::References;
use watchkeeper_service::processes::Processes;
use watchkeeper_service::resources::{Resources, Transaction, Versioned};
use watchkeeper_service::scheduler::Scheduler;
use watchkeeper_service::scheduler::finish::job_ended;
use watchkeeper_store::Store;
use watchkeeper_store::metadata::{Query, SortBy};
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/monitor";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer";

/// A clock that is set.
pub(crate) struct SetClock(Mutex<Timestamp>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) struct World {
    pub(crate) context: Arc<Context>,
    store: Store,
    clock: Arc<SetClock>,
    _folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

/// A moment from its text.
pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    /// A world at a moment, with the bucket `b` and the endpoint `churn` that captures to `s3://b/captured`.
    pub(crate) async fn at(now: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let clock = Arc::new(SetClock(Mutex::new(moment(now))));
        let (stop, stopping) = watch::channel(false);
        let context = context(&store, &clock, &stopping, Configuration::default());
        context.objects.create_bucket("b", REGION, moment(now)).await.unwrap();
        let world = Self { context, store, clock, _folder: folder, _stop: stop };
        world.endpoint("churn", Some("s3://b/captured")).await;
        world
    }

    /// Another process on the same store.
    pub(crate) fn another(&self) -> Arc<Context> {
        self.configured(Configuration::default())
    }

    /// Another process with other settings.
    pub(crate) fn configured(&self, configuration: Configuration) -> Arc<Context> {
        context(&self.store, &self.clock, &self.context.stopping, configuration)
    }

    pub(crate) fn set(&self, now: Timestamp) {
        *self.clock.0.lock().unwrap() = now;
    }

    pub(crate) fn set_text(&self, now: &str) {
        self.set(moment(now));
    }

    /// A new scheduler's first round.
    pub(crate) async fn round(&self) {
        Scheduler::new(Arc::clone(&self.context)).round().await.unwrap();
    }

    pub(crate) async fn endpoint(&self, name: &str, destination: Option<&str>) {
        let capture = destination.map(|destination| {
            json!({"InitialSamplingPercentage": 100, "DestinationS3Uri": destination, "CaptureOptions": [{"CaptureMode": "Input"}]})
        });
        let mut config =
            json!({"EndpointConfigName": "c", "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "m"}]});
        if let Some(capture) = capture {
            config["DataCaptureConfig"] = capture;
        }
        let now = Time(self.context.now());
        let config: CreateEndpointConfigInput = serde_json::from_value(config).unwrap();
        let endpoint = json!({
            "name": name, "arn": format!("arn:aws:sagemaker:{REGION}:000000000000:endpoint/{name}"), "tags": [],
            "config": config, "status": EndpointStatus::InService, "failure_reason": null, "created": now, "modified": now,
        });
        let endpoint: Endpoint = serde_json::from_value(endpoint).unwrap();
        self.context.resources.commit(Transaction::new().insert(&endpoint)).await.unwrap();
    }

    /// An object of a few bytes.
    pub(crate) async fn put(&self, key: &str, content: &str) {
        let attributes = ObjectAttributes::default();
        let body = body(content.to_owned());
        self.context.objects.put("b", key, attributes, body, Precondition::None).await.unwrap();
    }

    /// Captured data of the endpoint `churn` in an hour's folder.
    pub(crate) async fn capture(&self, hour: &str) {
        self.put(&format!("captured/churn/AllTraffic/{hour}/00-00-000-x.jsonl"), "{}\n").await;
    }

    fn stamp(&self) -> Stamp {
        self.context.stamp(REGION)
    }

    /// So many schedules `s0`, `s1`, … in one transaction.
    pub(crate) async fn schedules(&self, number: usize, config: &Value) {
        let transaction = (0..number).fold(Transaction::new(), |transaction, index| {
            let schedule = self.new_schedule(&format!("s{index}"), config, None);
            transaction.insert(&schedule).insert(&Alert::of_schedule(&schedule))
        });
        self.context.resources.commit(transaction).await.unwrap();
    }

    /// A schedule from the members of its configuration, Pending as the API makes it, with its alert.
    pub(crate) async fn schedule(&self, name: &str, config: Value) {
        self.schedule_of(name, config, None).await;
    }

    /// A schedule whose definition has a name.
    pub(crate) async fn schedule_of(&self, name: &str, config: Value, definition: Option<&JobDefinition>) {
        let schedule = self.new_schedule(name, &config, definition);
        let transaction = Transaction::new().insert(&schedule).insert(&Alert::of_schedule(&schedule));
        self.context.resources.commit(transaction).await.unwrap();
    }

    fn new_schedule(&self, name: &str, config: &Value, definition: Option<&JobDefinition>) -> MonitoringSchedule {
        let request = json!({"MonitoringScheduleName": name, "MonitoringScheduleConfig": config});
        let request: CreateMonitoringScheduleRequest = serde_json::from_value(request).unwrap();
        let extensions = watchkeeper_aws::types::Extensions { minutes: true };
        let references = References { definition, extensions, ..References::default() };
        MonitoringSchedule::create(request, &references, &self.stamp()).unwrap()
    }

    /// The schedule `nightly-check`, hourly, settled.
    pub(crate) async fn hourly(&self) {
        self.schedule("nightly-check", embedded("cron(0 * ? * * *)")).await;
        self.settle().await;
    }

    /// Lets a second pass, so that what is Pending is no longer.
    pub(crate) async fn settle(&self) {
        self.set(self.context.now() + SignedDuration::from_secs(1));
        self.round().await;
    }

    pub(crate) async fn describe(&self, name: &str) -> MonitoringSchedule {
        self.context.resources.get::<MonitoringSchedule>(name).await.unwrap().unwrap().resource
    }

    /// All rows of a schedule, the oldest tick first.
    pub(crate) async fn rows(&self, schedule: &str) -> Vec<Execution> {
        let query = Query { schedule: Some(schedule.to_owned()), sort_by: SortBy::Scheduled, ..Query::default() };
        let rows = self.context.resources.list::<Execution>(&query).await.unwrap();
        rows.into_iter().map(|row| row.resource).collect()
    }

    pub(crate) async fn jobs(&self) -> Vec<Versioned<ProcessingJob>> {
        let query = Query { sort_by: SortBy::Created, ..Query::default() };
        self.context.resources.list::<ProcessingJob>(&query).await.unwrap()
    }

    pub(crate) async fn alert(&self, schedule: &str) -> Alert {
        let query = Query { schedule: Some(schedule.to_owned()), ..Query::default() };
        self.context.resources.list::<Alert>(&query).await.unwrap().remove(0).resource
    }

    /// The one job that runs.
    pub(crate) async fn running_job(&self) -> Versioned<ProcessingJob> {
        let mut running = self.jobs().await;
        running.retain(|job| !job.resource.is_terminal());
        assert_eq!(running.len(), 1, "one job runs");
        running.remove(0)
    }

    /// Ends the one job that runs, as a runner does.
    pub(crate) async fn end_job(&self, message: &str) -> Versioned<ProcessingJob> {
        let mut job = self.running_job().await;
        job.resource.status = ProcessingJobStatus::Completed;
        job.resource.exit_message = Some(message.to_owned());
        job.resource.ended = Some(Time(self.context.now()));
        job_ended(&self.context, &job, Vec::new()).await.unwrap();
        job
    }

    /// A job of a client, which has made a baseline.
    pub(crate) async fn baselining_job(&self, name: &str, dataset_format: &str, status: ProcessingJobStatus) {
        let request = json!({
            "ProcessingJobName": name,
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}},
            "AppSpecification": {"ImageUri": IMAGE},
            "RoleArn": ROLE,
            "Environment": {"dataset_format": dataset_format},
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "monitoring_output", "S3Output":
                {"S3Uri": "s3://b/baseline", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}]},
        });
        let request: CreateProcessingJobRequest = serde_json::from_value(request).unwrap();
        let mut job = ProcessingJob::create(request, &self.stamp()).unwrap();
        job.status = status;
        self.context.resources.commit(Transaction::new().insert(&job)).await.unwrap();
    }
}

fn context(
    store: &Store,
    clock: &Arc<SetClock>,
    stopping: &watch::Receiver<bool>,
    configuration: Configuration,
) -> Arc<Context> {
    Arc::new(Context {
        configuration,
        resources: Resources::new(Arc::clone(&store.metadata)),
        objects: Arc::clone(&store.objects),
        logs: Arc::clone(&store.logs),
        kms: store.kms.clone(),
        backups: store.backups.clone(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        scheduler_bell: Notify::new(),
        runner_bell: Notify::new(),
        hosting_bell: Notify::new(),
        capture: OnceLock::new(),
        stopping: stopping.clone(),
        endpoint_url: OnceLock::new(),
        processes: Processes::default(),
        job_credentials: OnceLock::new(),
        owner: Uuid::new_v4().to_string(),
    })
}

/// A configuration with an embedded definition that watches the endpoint `churn`.
pub(crate) fn embedded(expression: &str) -> Value {
    json!({
        "ScheduleConfig": {"ScheduleExpression": expression},
        "MonitoringJobDefinition": {
            "MonitoringInputs": [{"EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint"}}],
            "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output":
                {"S3Uri": "s3://b/reports", "LocalPath": "/opt/ml/processing/output"}}]},
            "MonitoringResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
            "MonitoringAppSpecification": {"ImageUri": IMAGE},
            "RoleArn": ROLE,
        },
    })
}
