//! Calls of cases, made with this SDK.

mod endpoints;
mod files;
mod jobs;
mod monitors;
mod processors;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use watchkeeper::clarify::SageMakerClarifyProcessor;
use watchkeeper::model_monitor::{
    BaseliningJob, ClarifyBaseliningJob, ClarifyMonitoringExecution, ConstraintViolations, Constraints,
    DefaultModelMonitor, ModelBiasMonitor, ModelExplainabilityMonitor, ModelMonitor, ModelQualityMonitor,
    MonitoringExecution, Statistics,
};
use watchkeeper::predictor::Predictor;
use watchkeeper::processing::ProcessingJob;
use watchkeeper::session::Credentials;
use watchkeeper::{Result, Session};

use crate::requests::recording::Step;
use crate::requests::server::Server;
use crate::requests::values::{Arguments, Values, batch_data_capture_config, text, uri};

pub type Played = Result<()>;

/// What the last constructor gave: methods are called on it.
#[allow(clippy::large_enum_variant, reason = "there is one")]
pub enum Current {
    Nothing,
    ModelMonitor(ModelMonitor),
    DefaultModelMonitor(DefaultModelMonitor),
    ModelQualityMonitor(ModelQualityMonitor),
    ModelBiasMonitor(ModelBiasMonitor),
    ModelExplainabilityMonitor(ModelExplainabilityMonitor),
    BaseliningJob(BaseliningJob),
    ClarifyBaseliningJob(ClarifyBaseliningJob),
    MonitoringExecution(MonitoringExecution),
    ClarifyMonitoringExecution(ClarifyMonitoringExecution),
    ProcessingJob(ProcessingJob),
    Processor(SageMakerClarifyProcessor),
    Predictor(Predictor),
    Statistics(Statistics),
    Constraints(Constraints),
    ConstraintViolations(ConstraintViolations),
}

pub struct Player {
    values: Values,
    current: Current,
}

impl Player {
    /// Settings of the session are Python's: `default_bucket`, `default_bucket_prefix`.
    pub fn new(server: &Server, settings: &Arguments) -> Self {
        let mut session = Session::builder()
            .environment([("HOME", "/nonexistent"); 0])
            .region("us-west-2")
            .endpoint_url(server.url())
            .credentials(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
            .progress(|_| {})
            .max_attempts(1)
            .poll_every(Duration::ZERO);
        for (name, value) in settings {
            session = match name.as_str() {
                "default_bucket" => session.default_bucket(text(value)),
                "default_bucket_prefix" => session.default_bucket_prefix(text(value)),
                other => panic!("no setting {other} of sessions"),
            };
        }
        Self { values: Values::new(session.build().unwrap()), current: Current::Nothing }
    }

    pub async fn play(&mut self, step: &Step) -> Played {
        let arguments = &step.arguments;
        if let Some(form) = &step.gives {
            let made = serde_json::to_value(batch_data_capture_config(&arguments["value"])).unwrap();
            assert_eq!(made, *form, "{}", step.call);
            return Ok(());
        }
        match step.call.strip_prefix('.') {
            Some(method) => self.method(method, arguments).await,
            None => self.function(&step.call, arguments).await,
        }
    }

    async fn function(&mut self, name: &str, arguments: &Arguments) -> Played {
        let (class, function) = name.split_once('.').unwrap_or((name, ""));
        let values = &self.values;
        self.current = match class {
            "ModelMonitor"
            | "DefaultModelMonitor"
            | "ModelQualityMonitor"
            | "ModelBiasMonitor"
            | "ModelExplainabilityMonitor" => monitors::made(class, function, arguments, values).await?,
            "SageMakerClarifyProcessor" => Current::Processor(processors::made(arguments, values)),
            "ProcessingJob" | "MonitoringExecution" => jobs::made(class, function, arguments, values).await?,
            "Statistics" | "Constraints" | "ConstraintViolations" => {
                files::made(class, function, arguments, values).await?
            }
            "Predictor" => Current::Predictor(Predictor::new(&values.session, text(&arguments["endpoint_name"]))),
            "session" | "S3Uploader" | "S3Downloader" => return session_function(function, arguments, values).await,
            other => panic!("no class {other}"),
        };
        Ok(())
    }

    async fn method(&mut self, name: &str, arguments: &Arguments) -> Played {
        if let Some(next) = self.member(name).await? {
            self.current = next;
            return Ok(());
        }
        let values = &self.values;
        match &mut self.current {
            Current::ModelMonitor(monitor) => monitors::of_model_monitor(monitor, name, arguments, values).await,
            Current::DefaultModelMonitor(monitor) => {
                monitors::of_default_model_monitor(monitor, name, arguments, values).await
            }
            Current::ModelQualityMonitor(monitor) => {
                monitors::of_model_quality_monitor(monitor, name, arguments, values).await
            }
            Current::ModelBiasMonitor(monitor) => {
                monitors::of_model_bias_monitor(monitor, name, arguments, values).await
            }
            Current::ModelExplainabilityMonitor(monitor) => {
                monitors::of_model_explainability_monitor(monitor, name, arguments, values).await
            }
            Current::BaseliningJob(job) => jobs::of_baselining_job(job, name, arguments).await,
            Current::ClarifyBaseliningJob(job) => jobs::of_clarify_baselining_job(job, name, arguments).await,
            Current::MonitoringExecution(execution) => jobs::of_execution(execution, name, arguments).await,
            Current::ClarifyMonitoringExecution(execution) => {
                jobs::of_clarify_execution(execution, name, arguments).await
            }
            Current::ProcessingJob(job) => jobs::of_job(job, name, arguments).await,
            Current::Processor(processor) => processors::run(processor, name, arguments, values).await,
            Current::Predictor(predictor) => endpoints::of_predictor(predictor, name, arguments).await,
            Current::Statistics(file) => files::saved(file, name, arguments).await,
            Current::Constraints(file) => files::of_constraints(file, name, arguments).await,
            Current::ConstraintViolations(file) => files::saved(file, name, arguments).await,
            Current::Nothing => panic!("{name} is called on nothing"),
        }
    }

    /// What the next step is called on, when the name is that of a part.
    async fn member(&self, name: &str) -> Result<Option<Current>> {
        Ok(match (name, &self.current) {
            ("latest_baselining_job", Current::ModelMonitor(monitor)) => {
                monitor.latest_baselining_job().map(Current::BaseliningJob)
            }
            ("latest_baselining_job", Current::ModelBiasMonitor(monitor)) => {
                monitor.latest_baselining_job().map(Current::ClarifyBaseliningJob)
            }
            ("latest_execution", Current::ModelBiasMonitor(monitor)) => {
                monitor.list_executions().await?.pop().map(Current::ClarifyMonitoringExecution)
            }
            _ => None,
        })
    }
}

async fn session_function(name: &str, arguments: &Arguments, values: &Values) -> Played {
    let session = &values.session;
    let kms_key = arguments.get("kms_key").map(text);
    match name {
        "default_bucket" => session.default_bucket().await.map(drop),
        "expand_role" => session.expand_role(text(&arguments["role"])).await.map(drop),
        "upload" => {
            let path = values.path(&arguments["local_path"]);
            session.upload(&path, &uri(&arguments["desired_s3_uri"]), kms_key).await.map(drop)
        }
        "upload_string_as_file_body" => {
            let body = text(&arguments["body"]).to_owned();
            session.upload_string_as_file_body(body, &uri(&arguments["desired_s3_uri"]), kms_key).await.map(drop)
        }
        "read_file" => session.read_s3_file(&uri(&arguments["s3_uri"])).await.map(drop),
        "list" => session.list_s3_files(&uri(&arguments["s3_uri"])).await.map(drop),
        "download" => {
            let folder: PathBuf = values.path(&arguments["local_path"]);
            session.download(&uri(&arguments["s3_uri"]), &folder).await.map(drop)
        }
        other => panic!("no function {other} of sessions"),
    }
}

/// A request that has nothing to set.
fn without_arguments(arguments: &Arguments) {
    assert!(arguments.is_empty(), "no setters for {}", Value::from(arguments.clone()));
}
