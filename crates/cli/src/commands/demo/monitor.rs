//! From a model file to a schedule that watches its endpoint, as a script would do it.

use std::io::Write as _;

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::customers::{Customers, MODEL};
use super::site::Site;

/// Where AWS has the analyzer of this region; the service has it built in.
const ANALYZER: &str = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer";
/// The image of the model, built in as well.
const LOGISTIC: &str = "watchkeeper-logistic";
const ROLE: &str = "arn:aws:iam::000000000000:role/demo";
/// The column of the model's answers.
const PREDICTION: &str = "prediction";

/// An endpoint, the baseline of what passes it, and the schedule of its checks. All of them have one name.
pub(super) struct Monitor {
    site: Site,
    name: String,
}

/// What an execution has left.
pub(super) struct Results {
    /// The address of its folder.
    pub(super) folder: String,
    /// Whether a document of violations is in there. What an execution of the same hour left does not count.
    pub(super) has_violations: bool,
}

impl Monitor {
    /// Deploys the model under a name that is free. Nothing is captured yet.
    pub(super) async fn deploy(site: &Site) -> anyhow::Result<Self> {
        let monitor = Self { site: site.clone(), name: free_name(site).await? };
        let name = &monitor.name;
        let archive = format!("{name}/model/model.tar.gz");
        site.put(&archive, archive_of("model.json", MODEL).context("the model cannot be packed")?).await?;
        let container = json!({"Image": LOGISTIC, "ModelDataUrl": site.address(&archive)});
        let model = json!({"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container});
        site.call("CreateModel", &model).await?;
        site.call("CreateEndpointConfig", &monitor.endpoint_config(name, false)).await?;
        site.call("CreateEndpoint", &json!({"EndpointName": name, "EndpointConfigName": name})).await?;
        monitor.in_service().await?;
        Ok(monitor)
    }

    /// The name of everything.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the model answers to what it was trained on, described: what later traffic is held against.
    pub(super) async fn baseline(&self, customers: &Customers) -> anyhow::Result<()> {
        let Self { site, name } = self;
        let answers = site.invoke(name, customers.known.join("\n")).await?;
        let answers: Vec<&str> = answers.lines().collect();
        ensure!(answers.len() == customers.known.len(), "the model gave {} answers", answers.len());
        let mut table = format!("{PREDICTION},{}\n", customers.features.join(","));
        for (answer, row) in answers.iter().zip(&customers.known) {
            table.extend([answer, ",", row, "\n"]);
        }
        let job = format!("baseline-suggestion-job-{name}");
        let dataset = format!("model-monitor/baselining/{job}/input/baseline_dataset_input/{name}.csv");
        site.put(&dataset, table).await?;
        let request = self.baselining_job(&job, &site.address(&dataset));
        site.call("CreateProcessingJob", &request).await?;
        let is_over = |job: &Value| job["ProcessingJobStatus"] != "InProgress";
        let ended = site.until("DescribeProcessingJob", &json!({"ProcessingJobName": job}), is_over).await?;
        if ended["ProcessingJobStatus"] != "Completed" {
            bail!("the baselining job did not complete: {}", reason(&ended));
        }
        Ok(())
    }

    /// Where the documents of the baseline are.
    pub(super) fn baseline_address(&self, document: &str) -> String {
        self.site.address(&format!("{}/baseline/{document}", self.name))
    }

    /// Captures what passes from here on, and has it checked again and again.
    pub(super) async fn watch(&self, expression: &str) -> anyhow::Result<()> {
        let Self { site, name } = self;
        let config = format!("{name}-captured");
        site.call("CreateEndpointConfig", &self.endpoint_config(&config, true)).await?;
        site.call("UpdateEndpoint", &json!({"EndpointName": name, "EndpointConfigName": config})).await?;
        self.in_service().await?;
        site.call("CreateDataQualityJobDefinition", &self.job_definition()).await?;
        let config = json!({
            "ScheduleConfig": {"ScheduleExpression": expression},
            "MonitoringJobDefinitionName": name,
            "MonitoringType": "DataQuality",
        });
        let schedule = json!({"MonitoringScheduleName": name, "MonitoringScheduleConfig": config});
        site.call("CreateMonitoringSchedule", &schedule).await?;
        Ok(())
    }

    /// Ends the checks; everything else stays.
    pub(super) async fn stop_watching(&self) -> anyhow::Result<()> {
        self.site.call("StopMonitoringSchedule", &json!({"MonitoringScheduleName": self.name})).await?;
        Ok(())
    }

    /// What an execution of the schedule has left, once it has ended. `tick` is the second that it was due.
    pub(super) async fn results(&self, tick: i64) -> anyhow::Result<Results> {
        let of_tick = |list: &Value| {
            let executions = list["MonitoringExecutionSummaries"].as_array()?.iter();
            let mut executions =
                executions.filter(|one| one["ScheduledTime"].as_f64().is_some_and(|time| time as i64 == tick));
            executions.next().cloned()
        };
        let is_over = |list: &Value| {
            let status = |one: &Value| one["MonitoringExecutionStatus"].as_str().map(str::to_owned);
            of_tick(list)
                .and_then(|one| status(&one))
                .is_some_and(|status| !matches!(&*status, "Pending" | "InProgress"))
        };
        let request = json!({
            "MonitoringScheduleName": self.name, "SortBy": "ScheduledTime", "SortOrder": "Descending", "MaxResults": 20,
        });
        let list = self.site.until("ListMonitoringExecutions", &request, is_over).await?;
        let execution = of_tick(&list).context("an execution is gone")?;
        let status = execution["MonitoringExecutionStatus"].as_str().unwrap_or_default();
        if !status.starts_with("Completed") {
            bail!("the check is {status}: {}", reason(&execution));
        }
        let arn = execution["ProcessingJobArn"].as_str().context("an execution without a job")?;
        let job = arn.rsplit('/').next().unwrap_or(arn);
        let job = self.site.call("DescribeProcessingJob", &json!({"ProcessingJobName": job})).await?;
        let folder = &job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"];
        let folder = folder.as_str().context("a job without an output")?.to_owned();
        Ok(Results { folder, has_violations: status == "CompletedWithViolations" })
    }

    async fn in_service(&self) -> anyhow::Result<()> {
        let is_over = |endpoint: &Value| !matches!(endpoint["EndpointStatus"].as_str(), Some("Creating" | "Updating"));
        let endpoint = self.site.until("DescribeEndpoint", &json!({"EndpointName": self.name}), is_over).await?;
        if endpoint["EndpointStatus"] != "InService" || endpoint.get("FailureReason").is_some() {
            bail!("the endpoint is {}: {}", endpoint["EndpointStatus"].as_str().unwrap_or_default(), reason(&endpoint));
        }
        Ok(())
    }

    fn endpoint_config(&self, config: &str, is_captured: bool) -> Value {
        let mut request = json!({
            "EndpointConfigName": config,
            "ProductionVariants": [{
                "VariantName": "AllTraffic", "ModelName": self.name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
            }],
        });
        if is_captured {
            request["DataCaptureConfig"] = json!({
                "EnableCapture": true,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": self.site.address(&format!("{}/captured", self.name)),
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
            });
        }
        request
    }

    /// What `DefaultModelMonitor.suggest_baseline` sends.
    fn baselining_job(&self, job: &str, dataset: &str) -> Value {
        const INPUT: &str = "/opt/ml/processing/input/baseline_dataset_input";
        const OUTPUT: &str = "/opt/ml/processing/output";
        json!({
            "ProcessingJobName": job,
            "ProcessingInputs": [{"InputName": "baseline_dataset_input", "S3Input": {
                "S3Uri": dataset, "LocalPath": INPUT, "S3DataType": "S3Prefix", "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None",
            }}],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "monitoring_output", "S3Output": {
                "S3Uri": self.site.address(&format!("{}/baseline", self.name)), "LocalPath": OUTPUT,
                "S3UploadMode": "EndOfJob",
            }}]},
            "ProcessingResources": resources(),
            "AppSpecification": {"ImageUri": ANALYZER},
            "Environment": {
                "dataset_format": r#"{"csv": {"header": true, "output_columns_position": "START"}}"#,
                "dataset_source": INPUT,
                "output_path": OUTPUT,
                "publish_cloudwatch_metrics": "Disabled",
            },
            "RoleArn": ROLE,
        })
    }

    fn job_definition(&self) -> Value {
        json!({
            "JobDefinitionName": self.name,
            "DataQualityBaselineConfig": {
                "ConstraintsResource": {"S3Uri": self.baseline_address("constraints.json")},
                "StatisticsResource": {"S3Uri": self.baseline_address("statistics.json")},
            },
            "DataQualityAppSpecification": {"ImageUri": ANALYZER},
            "DataQualityJobInput": {"EndpointInput": {
                "EndpointName": self.name, "LocalPath": "/opt/ml/processing/input/endpoint",
            }},
            "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {
                "S3Uri": self.site.address(&format!("{}/results", self.name)), "LocalPath": "/opt/ml/processing/output",
            }}]},
            "JobResources": resources(),
            "RoleArn": ROLE,
        })
    }
}

fn resources() -> Value {
    json!({"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}})
}

fn reason(described: &Value) -> &str {
    described["FailureReason"].as_str().unwrap_or("no reason was given")
}

/// `churn`, or where an earlier demo has left that, `churn-2` and so on.
async fn free_name(site: &Site) -> anyhow::Result<String> {
    for number in 1_u32.. {
        let name = if number == 1 { "churn".to_owned() } else { format!("churn-{number}") };
        match site.call("DescribeEndpoint", &json!({"EndpointName": name})).await {
            Ok(_) => {}
            Err(error) if error.code() == Some("ValidationException") => return Ok(name),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("no name is free")
}

/// A `.tar.gz` of one file.
fn archive_of(name: &str, content: &str) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    archive.append_data(&mut header, name, content.as_bytes())?;
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}
