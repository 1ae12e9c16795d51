//! The work of one attempt: the model, and every object with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesOrdered, FuturesUnordered};
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use watchkeeper_aws::generated::sagemaker::CreateModelInput;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::ObjectAttributes;

use super::Failure;
use super::inputs::{Inputs, Object, objects_of};
use super::model::{self, Answer, Unanswered};
use super::output::{OpenUploads, Output, abort_left, failure};
use super::plan::Plan;
use super::records::{Batch, Records};
use super::{answers, captured};
use crate::api::kms::encrypting_key;
use crate::context::Context;
use crate::control::transform_job::TransformJob;
use crate::hosting::Hosting;
use crate::hosting::model::{ModelServer, ModelSpecification, StartError};
use crate::telemetry::program_log::{ProgramLog, TRANSFORM_JOBS};

/// How long a model may take to become ready.
const STARTUP: Duration = Duration::from_mins(10);
/// How long its archive may take to be fetched.
const DOWNLOAD: Duration = Duration::from_hours(1);

/// So many objects in a row whose model could not be reached end the work: what is wrong is not theirs.
const HOPELESS: u32 = 3;

/// The work of an attempt.
pub(super) struct Work {
    hosting: Arc<Hosting>,
    job: TransformJob,
    plan: Plan,
    log: ProgramLog,
    open: OpenUploads,
    model: Mutex<Option<Arc<ModelServer>>>,
    /// Where results go: it ends in a slash, unless it is a whole bucket.
    results: S3Uri,
}

/// Why an object has no results.
struct Untransformed {
    /// For the person who reads `FailureReason`.
    reason: String,
    log_lines: Vec<String>,
    is_of_client: bool,
    /// How near it is that no other object can be transformed either: at [`HOPELESS`] it is so.
    despair: u32,
}

impl From<Failure> for Untransformed {
    fn from(Failure(reason): Failure) -> Self {
        Self { log_lines: vec![reason.clone()], reason, is_of_client: true, despair: 0 }
    }
}

impl From<Unanswered> for Untransformed {
    fn from(unanswered: Unanswered) -> Self {
        Self {
            reason: unanswered.reason(),
            log_lines: unanswered.log_lines(),
            is_of_client: unanswered.is_of_client(),
            despair: match unanswered {
                Unanswered::Status(..) | Unanswered::Broken(_) => 0,
                Unanswered::Unreachable(_) => 1,
                Unanswered::Gone(_) => HOPELESS,
            },
        }
    }
}

/// What became of all objects.
#[derive(Default)]
struct Done {
    /// Those that have results.
    transformed: Vec<Object>,
    /// The first that has none, and why.
    failed: Option<String>,
    failures: usize,
}

impl Work {
    pub(super) fn new(hosting: Arc<Hosting>, job: &TransformJob, log: ProgramLog) -> Result<Self, Failure> {
        let plan = Plan::of(&job.request)?;
        let results: S3Uri = job
            .request
            .transform_output
            .s3_output_path
            .parse()
            .map_err(|error| Failure(format!("TransformOutput: {error}")))?;
        let results = if results.key.is_empty() { results } else { S3Uri { key: folder(&results.key), ..results } };
        let (open, model) = (OpenUploads::default(), Mutex::new(None));
        Ok(Self { hosting, job: job.clone(), plan, log, open, model, results })
    }

    /// Does everything; what failed comes at the end, after what did not.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let request = &self.job.request;
        let context = self.context();
        let source = &request.transform_input.data_source.s3_data_source;
        let inputs = objects_of(&*context.objects, source, &self.job.region).await?;
        let attributes = ObjectAttributes {
            content_type: request.transform_output.accept.clone(),
            ..self.encrypted(request.transform_output.kms_key_id.as_deref(), "TransformOutput").await?
        };
        let capture = match &request.data_capture_config {
            Some(config) => Some((config, self.encrypted(config.kms_key_id.as_deref(), "DataCaptureConfig").await?)),
            None => None,
        };
        if context.objects.bucket(&self.results.bucket).await.map_err(|error| failure(&self.results, &error))?.is_none()
        {
            return Err(failure(&self.results, &Error::NoSuchBucket(self.results.bucket.clone())));
        }
        let specification = self.plan.batch_specification();
        self.say(&format!(
            "MaxConcurrentTransforms={}, MaxPayloadInMB={}, BatchStrategy={}",
            specification.max_concurrent_transforms, specification.max_payload_in_mb, specification.strategy
        ))
        .await;
        let model = self.start_model().await?;
        let done = self.transform_all(&model, &inputs, &attributes).await;
        if let Some((config, attributes)) = capture
            && !done.transformed.is_empty()
        {
            let prefixes = (inputs.prefix.as_str(), self.results_prefix());
            let prefixes = (prefixes.0, prefixes.1.as_str());
            captured::write(&*context.objects, config, prefixes, &done.transformed, &attributes, context.now()).await?;
        }
        let Some(reason) = done.failed else { return Ok(()) };
        let number = inputs.objects.len();
        Err(Failure(match done.failures {
            1 => reason,
            failures => format!("{reason} (and {} more of {number} objects; the log names them)", failures - 1),
        }))
    }

    /// Ends what is left, whether the work was done or broken off.
    pub(super) async fn clear(&self) {
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(model) = model {
            model.stop().await;
        }
        self.open.abort(&*self.context().objects).await;
    }

    fn context(&self) -> &Context {
        &self.hosting.context
    }

    /// The prefix of all results, which ends in a slash.
    fn results_prefix(&self) -> String {
        format!("s3://{}/{}", self.results.bucket, self.results.key)
    }

    async fn start_model(&self) -> Result<Arc<ModelServer>, Failure> {
        let request = &self.job.request;
        let mut model = self.job.model.clone();
        let environment = request.environment.clone().unwrap_or_default();
        for container in containers(&mut model) {
            container.environment.get_or_insert_default().extend(environment.clone());
        }
        let name = model.model_name.clone();
        let specification = ModelSpecification {
            model,
            region: self.job.region.clone(),
            instance_type: Some(request.transform_resources.instance_type.clone()),
            log_group: TRANSFORM_JOBS.to_owned(),
            log_stream: self.log.stream().to_owned(),
            label: format!("transform-{}-{}", self.job.name().to_lowercase(), self.job.attempts),
            startup_timeout: STARTUP,
            download_timeout: DOWNLOAD,
            batch: Some(self.plan.batch_specification()),
        };
        let started = ModelServer::start(&self.hosting.context, &self.hosting.launcher, specification).await;
        let model = started.map_err(|error| match error {
            StartError::Unmapped(reason) | StartError::Failed(reason) => Failure(reason),
            StartError::External => Failure(format!(
                "model {name} is served elsewhere, so a transform job cannot ask it: let its image stand for a `url` in the \
                 service's configuration"
            )),
        })?;
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&model));
        Ok(model)
    }

    async fn transform_all(&self, model: &Arc<ModelServer>, inputs: &Inputs, attributes: &ObjectAttributes) -> Done {
        // A request and its results are in memory from the moment it is read until they are written: this bounds them all.
        let room = Arc::new(Semaphore::new(self.plan.at_once));
        let mut waiting = inputs.objects.iter().enumerate();
        let mut under_way = FuturesUnordered::new();
        let (mut numbers, mut failed, mut failures) = (Vec::new(), None::<(usize, String)>, 0);
        let mut despair = 0;
        loop {
            for (number, object) in waiting.by_ref().take(self.plan.at_once - under_way.len()) {
                let transformed = self.transform(model, object, attributes, Arc::clone(&room));
                under_way.push(async move { (number, object, transformed.await) }.boxed());
            }
            let Some((number, object, result)) = under_way.next().await else { break };
            let Err(untransformed) = result else {
                numbers.push(number);
                despair = 0;
                continue;
            };
            failures += 1;
            self.say_of(object, &untransformed.log_lines).await;
            if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                let whose = if untransformed.is_of_client { "ClientError" } else { "AlgorithmError" };
                failed = Some((number, format!("{whose}: {}: {}", object.uri, untransformed.reason)));
            }
            despair = if untransformed.despair == 0 { 0 } else { despair + untransformed.despair };
            if despair >= HOPELESS {
                break;
            }
        }
        numbers.sort_unstable();
        let transformed = numbers.into_iter().map(|number| inputs.objects[number].clone()).collect();
        Done { transformed, failed: failed.map(|(_, reason)| reason), failures }
    }

    /// One object, from its bytes to its results.
    async fn transform(
        &self,
        model: &Arc<ModelServer>,
        object: &Object,
        attributes: &ObjectAttributes,
        room: Arc<Semaphore>,
    ) -> Result<(), Untransformed> {
        let store = &*self.context().objects;
        let target =
            S3Uri { bucket: self.results.bucket.clone(), key: format!("{}{}.out", self.results.key, object.result) };
        if self.job.attempts > 1 {
            let left = abort_left(store, &target, self.job.created.0).await;
            left.map_err(|error| failure(&target, &error))?;
        }
        let body = match store.get(&object.uri.bucket, &object.uri.key, None).await {
            Ok(Some((_, body))) => body,
            Ok(None) | Err(Error::NoSuchBucket(_)) => return Err(Failure("it is not there".to_owned()).into()),
            Err(error) => return Err(Failure(format!("it could not be read: {error}")).into()),
        };
        let mut output = Output::new(store, target, attributes.clone(), &self.open);
        let mut reading = Some(read(Records::new(&self.plan, body), Arc::clone(&room)).boxed());
        let mut asked = FuturesOrdered::new();
        loop {
            tokio::select! {
                read = async { reading.as_mut().expect("the branch is taken while something is read").await },
                    if reading.is_some() && asked.len() < self.plan.at_once =>
                {
                    let (records, request) = read?;
                    reading = request.is_some().then(|| self::read(records, Arc::clone(&room)).boxed());
                    asked.extend(request.map(|(batch, permit)| self.answer(model, batch, permit).boxed()));
                }
                Some(answered) = asked.next(), if !asked.is_empty() => {
                    let (batch, answer, _permit) = answered?;
                    output.write(&answers::assemble(&self.plan, self.started(), &batch, &answer)?).await?;
                }
                else => break,
            }
        }
        output.finish().await?;
        Ok(())
    }

    async fn answer(
        &self,
        model: &Arc<ModelServer>,
        batch: Batch,
        permit: OwnedSemaphorePermit,
    ) -> Result<(Batch, Answer, OwnedSemaphorePermit), Untransformed> {
        let answer = model::ask(model, &self.plan, batch.body.clone()).await?;
        Ok((batch, answer, permit))
    }

    fn started(&self) -> Timestamp {
        self.job.started.unwrap_or(self.job.created).0
    }

    /// What objects are put with that a key encrypts. Requests are taken with keys that do not exist, as on the real
    /// service: what such a job makes is stored without one, and its log says so. A key that may not be used refuses.
    async fn encrypted(&self, asked: Option<&str>, member: &str) -> Result<ObjectAttributes, Failure> {
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(ObjectAttributes::default()) };
        let found = encrypting_key(self.context(), asked).await;
        let Some(key) = found.map_err(|error| Failure(format!("{member}: {error}")))? else {
            self.say(&format!("{member}: there is no encryption key `{asked}`: objects are stored without one")).await;
            return Ok(ObjectAttributes::default());
        };
        Ok(ObjectAttributes {
            server_side_encryption: Some("aws:kms".to_owned()),
            kms_key_id: Some(key),
            ..ObjectAttributes::default()
        })
    }

    /// A line of the log in the real service's form.
    async fn say(&self, text: &str) {
        let time = self.context().now().strftime("%Y-%m-%dT%H:%M:%S%.3f");
        let lines: Vec<String> = text.split('\n').map(|line| format!("{time}:[sagemaker logs]: {line}")).collect();
        self.log.say(&lines.join("\n")).await;
    }

    async fn say_of(&self, object: &Object, lines: &[String]) {
        let S3Uri { bucket, key } = &object.uri;
        let lines: Vec<String> = lines.iter().map(|line| format!("{bucket}/{key}: {line}")).collect();
        self.say(&lines.join("\n")).await;
    }
}

/// The next request, read as soon as there is room for it.
async fn read(
    mut records: Records<'_>,
    room: Arc<Semaphore>,
) -> Result<(Records<'_>, Option<(Batch, OwnedSemaphorePermit)>), Untransformed> {
    let permit = room.acquire_owned().await.expect("the semaphore is never closed");
    let request = records.next().await?.map(|batch| (batch, permit));
    Ok((records, request))
}

fn containers(
    model: &mut CreateModelInput,
) -> impl Iterator<Item = &mut watchkeeper_aws::generated::sagemaker::ContainerDefinition> {
    model.primary_container.iter_mut().chain(model.containers.iter_mut().flatten())
}

fn folder(key: &str) -> String {
    if key.ends_with('/') { key.to_owned() } else { format!("{key}/") }
}
