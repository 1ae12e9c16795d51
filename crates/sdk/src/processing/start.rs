//! How a job is started: what Python's `Processor.run` does.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    AppSpecification, ClusterConfig, ExperimentConfig, ProcessingInput, ProcessingJob, ProcessingOutput,
    ProcessingOutputConfig, ProcessingResources, S3CompressionType, S3InputMode, Tag,
};
use crate::network::NetworkConfig;
use crate::session::{base_name_from_image, name_from_base};
use crate::{Error, Result, Session, Source};

/// What every job of a processor has: the arguments of Python's `Processor`.
#[derive(Clone, Debug)]
pub(crate) struct Processor {
    /// Name or ARN; a name is looked up.
    pub(crate) role: String,
    pub(crate) image_uri: String,
    pub(crate) instance_count: u32,
    pub(crate) instance_type: String,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) volume_size_in_gb: u32,
    pub(crate) volume_kms_key: Option<String>,
    pub(crate) output_kms_key: Option<String>,
    pub(crate) max_runtime_in_seconds: Option<u32>,
    pub(crate) base_job_name: Option<String>,
    pub(crate) env: Option<BTreeMap<String, String>>,
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) network_config: Option<NetworkConfig>,
}

/// What one job has: the arguments of Python's `Processor.run`, without waiting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) inputs: Vec<ProcessingInput>,
    pub(crate) outputs: Vec<ProcessingOutput>,
    pub(crate) arguments: Option<Vec<String>>,
    /// Made of the base name, else of the image's, when there is none.
    pub(crate) job_name: Option<String>,
    pub(crate) experiment_config: Option<ExperimentConfig>,
    /// For what is uploaded.
    pub(crate) kms_key: Option<String>,
}

/// Uploads what is of this machine, and starts the job. The caller keeps the job, and then waits with
/// [`ProcessingJob::wait_as`], so that giving up the wait loses nothing.
pub(crate) async fn start(session: &Session, processor: &Processor, run: Run) -> Result<ProcessingJob> {
    if processor.role.is_empty() {
        return Err(Error::argument("role", "An AWS IAM role is required to create a Processing job."));
    }
    let Run { inputs, outputs, arguments, job_name, experiment_config, kms_key } = run;
    let job_name = job_name.unwrap_or_else(|| {
        let base = processor.base_job_name.as_deref().filter(|base| !base.is_empty());
        name_from_base(base.unwrap_or_else(|| base_name_from_image(&processor.image_uri)))
    });
    inputs.iter().try_for_each(check_packing)?;
    let inputs = upload_inputs(session, &job_name, inputs, kms_key.as_deref()).await?;
    let outputs = place_outputs(session, &job_name, outputs).await?;
    let role_arn = session.expand_role(&processor.role).await?;
    let request = Request { processor, inputs: &inputs, outputs: &outputs, arguments, experiment_config };
    let request = request.into_json(&job_name, &role_arn)?;
    let name = json!({ "ProcessingJobName": job_name });
    session.create("CreateProcessingJob", &job_name, &request, ("DescribeProcessingJob", &name)).await?;
    Ok(ProcessingJob {
        session: session.clone(),
        job_name,
        inputs,
        outputs,
        output_kms_key: processor.output_kms_key.clone(),
    })
}

fn check_packing(input: &ProcessingInput) -> Result<()> {
    match &input.s3_input {
        Some(s3)
            if s3.s3_compression_type == Some(S3CompressionType::Gzip)
                && s3.s3_input_mode != Some(S3InputMode::Pipe) =>
        {
            Err(Error::argument("s3_compression_type", "Data can only be gzipped when the input mode is Pipe."))
        }
        _ => Ok(()),
    }
}

/// Names the inputs, and brings those of this machine to `s3://<default bucket>/<prefix>/<job>/input/<input>`.
async fn upload_inputs(
    session: &Session,
    job_name: &str,
    mut inputs: Vec<ProcessingInput>,
    kms_key: Option<&str>,
) -> Result<Vec<ProcessingInput>> {
    for (number, input) in (1..).zip(&mut inputs) {
        let name = input.input_name.get_or_insert_with(|| format!("input-{number}"));
        if let Some(s3_input) = &mut input.s3_input
            && let Source::Local(path) = &s3_input.s3_uri
        {
            let place = session.default_location(&[job_name, "input", name]).await?;
            s3_input.s3_uri = Source::S3(session.upload(path, &place, kms_key).await?);
        }
    }
    Ok(inputs)
}

/// Names the outputs, and gives those without a place `s3://<default bucket>/<prefix>/<job>/output/<output>`.
async fn place_outputs(
    session: &Session,
    job_name: &str,
    mut outputs: Vec<ProcessingOutput>,
) -> Result<Vec<ProcessingOutput>> {
    for (number, output) in (1..).zip(&mut outputs) {
        let name = output.output_name.get_or_insert_with(|| format!("output-{number}"));
        if let Some(s3_output) = &mut output.s3_output
            && s3_output.s3_uri.is_none()
        {
            s3_output.s3_uri = Some(session.default_location(&[job_name, "output", name]).await?);
        }
    }
    Ok(outputs)
}

/// What `CreateProcessingJob` is told.
struct Request<'a> {
    processor: &'a Processor,
    inputs: &'a [ProcessingInput],
    outputs: &'a [ProcessingOutput],
    arguments: Option<Vec<String>>,
    experiment_config: Option<ExperimentConfig>,
}

impl Request<'_> {
    fn into_json(self, job_name: &str, role_arn: &str) -> Result<Value> {
        let processor = self.processor;
        let cluster_config = ClusterConfig {
            instance_count: processor.instance_count,
            instance_type: processor.instance_type.clone(),
            volume_size_in_gb: processor.volume_size_in_gb,
            volume_kms_key_id: processor.volume_kms_key.clone(),
            other: Map::new(),
        };
        let app_specification = AppSpecification {
            image_uri: processor.image_uri.clone(),
            container_entrypoint: processor.entrypoint.clone(),
            container_arguments: self.arguments,
            other: Map::new(),
        };
        let mut request = Map::new();
        let mut put = |member: &str, value: serde_json::Result<Value>| -> Result<()> {
            let value = value.map_err(|error| Error::argument("input", format!("{member}: {error}")))?;
            request.insert(member.to_owned(), value);
            Ok(())
        };
        put("ProcessingJobName", Ok(job_name.into()))?;
        let resources = ProcessingResources { cluster_config, other: Map::new() };
        put("ProcessingResources", serde_json::to_value(resources))?;
        put("AppSpecification", serde_json::to_value(app_specification))?;
        put("RoleArn", Ok(role_arn.into()))?;
        if !self.inputs.is_empty() {
            put("ProcessingInputs", serde_json::to_value(self.inputs))?;
        }
        if !self.outputs.is_empty() {
            let kms_key_id = processor.output_kms_key.clone();
            let config = ProcessingOutputConfig { outputs: self.outputs.to_vec(), kms_key_id, other: Map::new() };
            put("ProcessingOutputConfig", serde_json::to_value(config))?;
        }
        if let Some(env) = &processor.env {
            put("Environment", serde_json::to_value(env))?;
        }
        if let Some(network_config) = &processor.network_config {
            put("NetworkConfig", serde_json::to_value(network_config))?;
        }
        if let Some(seconds) = processor.max_runtime_in_seconds {
            put("StoppingCondition", Ok(json!({ "MaxRuntimeInSeconds": seconds })))?;
        }
        if let Some(tags) = &processor.tags {
            put("Tags", serde_json::to_value(tags))?;
        }
        if let Some(experiment_config) = self.experiment_config {
            put("ExperimentConfig", serde_json::to_value(experiment_config))?;
        }
        Ok(Value::Object(request))
    }
}
