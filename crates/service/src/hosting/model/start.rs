//! From the request that made a model to containers that can be asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::try_join_all;
use jiff::SignedDuration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{ContainerDefinition, ContainerMode};

use super::archive;
use super::built_in::BuiltIn;
use super::process::{PORT, Program, watch_over};
use super::remote::{Remote, watch_url};
use super::source::{Source, of_image};
use super::upstream::Upstream;
use super::{Container, Model, ModelServer, ModelSpecification, StartError, Supervision};
use crate::configuration::BuiltInModel;
use crate::context::Context;
use crate::program::container::{self, Container as ContainerRun, Volume};
use crate::program::environment::{Variables, Wanted, has_credentials, of_place, of_the_service};
use crate::program::image::{self, Place};
use crate::program::launch::{HostContract, Launcher, Limits, MODELS_FOLDER};
use crate::program::{self, confinement, folder, instance};
use crate::telemetry::program_log::ProgramLog;

/// How long a model server's credentials hold: as long as it may run, which ends by a restart of the service at the latest.
const CREDENTIALS_HOLD: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);
/// Where a program finds the model's files.
const MODEL: &str = "/opt/ml/model";
/// The variable that says so.
const MODEL_VARIABLE: &str = "SM_MODEL_DIR";
/// The variable of a container that holds the document of a built-in model.
const DOCUMENT_VARIABLE: &str = "WATCHKEEPER_MODEL";
/// The file that holds it else, and its most bytes.
const DOCUMENT_FILE: &str = "model.json";
const LARGEST_DOCUMENT: u64 = 16 << 20;
/// The most characters of a label in the name of a folder.
const LONGEST_LABEL: usize = 150;

/// Where the folders of models are.
pub(super) fn models_folder(context: &Context) -> PathBuf {
    context.configuration.data_dir.join(MODELS_FOLDER)
}

/// One container that is being started.
struct Start<'a> {
    context: &'a Arc<Context>,
    launcher: &'a Arc<dyn Launcher>,
    specification: &'a ModelSpecification,
    definition: &'a ContainerDefinition,
    supervision: Supervision,
    hostname: String,
    log: ProgramLog,
    folder: PathBuf,
}

/// Removes a folder that was not handed on to what watches over its program.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { folder::remove(&path).await });
        }
    }
}

/// Starts all containers of a model at the same time.
pub(super) async fn start(
    context: &Arc<Context>,
    launcher: &Arc<dyn Launcher>,
    specification: ModelSpecification,
    supervision: Supervision,
) -> Result<ModelServer, StartError> {
    let model = &specification.model;
    let definitions: Vec<&ContainerDefinition> = match (&model.primary_container, &model.containers) {
        (Some(primary), _) => vec![primary],
        (None, containers) => containers.iter().flatten().collect(),
    };
    if definitions.is_empty() {
        return Err(StartError::Failed(format!("model {} has no container", model.model_name)));
    }
    // Refused before anything is started.
    let sources = definitions.iter().map(|definition| source(context, definition)).collect::<Result<Vec<_>, _>>()?;
    let several = definitions.len() > 1;
    let mut starts = Vec::new();
    for (at, (definition, source)) in definitions.into_iter().zip(sources).enumerate() {
        let ModelSpecification { log_group, log_stream, label, .. } = &specification;
        let hostname = definition.container_hostname.clone().unwrap_or_else(|| format!("container-{}", at + 1));
        let stream = if several { format!("{log_stream}/{hostname}") } else { log_stream.clone() };
        let (logs, clock) = (Arc::clone(&context.logs), Arc::clone(&context.clock));
        let log = ProgramLog::open(logs, clock, log_group, stream).await;
        let folder = models_folder(context).join(folder_name(label));
        let specification = &specification;
        let start = Start { context, launcher, specification, definition, supervision, hostname, log, folder };
        starts.push(start.start(source));
    }
    let containers = try_join_all(starts).await?;
    let mode = model.inference_execution_config.as_ref().and_then(|config| config.get("Mode")?.as_str());
    Ok(ModelServer { containers, is_direct: several && mode == Some("Direct") })
}

fn source(context: &Context, definition: &ContainerDefinition) -> Result<Source, StartError> {
    let Some(image) = &definition.image else {
        let text = "a container of the model has no Image: model packages (ModelPackageName) are not supported";
        return Err(StartError::Failed(text.to_owned()));
    };
    let source = of_image(&context.configuration.images, image)?;
    let is_ours = !matches!(source, Source::Url(_));
    if is_ours && definition.mode == Some(ContainerMode::MultiModel) {
        let text = format!("Mode MultiModel is not supported for image `{image}`: use SingleModel, or map it to a url");
        return Err(StartError::Failed(text));
    }
    Ok(source)
}

/// The name of a new folder, of its own also where an earlier start with this label is still being undone.
fn folder_name(label: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let plain: String = label.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
    let start: String = plain.chars().take(LONGEST_LABEL).collect();
    format!("{start}-{:08x}", Uuid::new_v4().as_fields().0)
}

impl Start<'_> {
    async fn start(self, source: Source) -> Result<Container, StartError> {
        let (hostname, log) = (self.hostname.clone(), self.log.clone());
        let started = match source {
            Source::BuiltIn(model) => self.built_in(model).await.map(|model| Model::BuiltIn(Arc::new(model))),
            Source::Url(url) => self.url(&url).await.map(Model::Remote),
            Source::Program(program) => self.program(program).await.map(Model::Remote),
        };
        match started {
            Ok(model) => Ok(Container { hostname, model }),
            Err(reason) => {
                log.say(&reason).await;
                Err(StartError::Failed(reason))
            }
        }
    }

    async fn url(self, url: &str) -> Result<Remote, String> {
        let upstream = Upstream::new(url)?;
        let (remote, watcher) = Remote::new();
        let (tell, ready) = oneshot::channel();
        let startup = self.specification.startup_timeout;
        tokio::spawn(watch_url(watcher, upstream, self.log, startup, self.supervision, tell));
        until(ready).await?;
        Ok(remote)
    }

    async fn built_in(self, model: BuiltInModel) -> Result<BuiltIn, String> {
        let ends_lines = self.specification.batch.is_some();
        let image = self.definition.image.as_deref().unwrap_or_default();
        let refused = |reason: String| format!("the built-in model of image `{image}`: {reason}");
        self.log.say(&format!("the built-in model of image `{image}` answers in the service itself")).await;
        if model == BuiltInModel::Echo {
            return BuiltIn::new(model, None, ends_lines).map_err(refused);
        }
        let own = self.definition.environment.as_ref();
        if let Some(text) = own.and_then(|own| own.get(DOCUMENT_VARIABLE)) {
            return BuiltIn::new(model, Some(text), ends_lines)
                .map_err(|error| refused(format!("{DOCUMENT_VARIABLE}: {error}")));
        }
        let _removed = Unfinished(Some(self.folder.clone()));
        let folder = self.fetch(true).await?;
        let text =
            tokio::task::spawn_blocking(move || read_document(&folder)).await.map_err(|error| error.to_string())?;
        let text = text.map_err(|error| {
            refused(format!(
                "{error}: put {DOCUMENT_FILE} into the archive of ModelDataUrl, or its text into the variable \
                 {DOCUMENT_VARIABLE} of the container"
            ))
        })?;
        BuiltIn::new(model, Some(&text), ends_lines).map_err(|error| refused(format!("{DOCUMENT_FILE}: {error}")))
    }

    async fn program(self, program: image::Program) -> Result<Remote, String> {
        let may_link = !matches!(program.place, Place::Container(_)) && self.launcher.protects_inputs().await;
        let mut unfinished = Unfinished(Some(self.folder.clone()));
        let contract = self.contract(&program, may_link)?;
        let container = self.container(&program, &contract);
        if let Some(container) = &container {
            container.check_engine().await?;
        }
        self.fetch(may_link).await?;
        if let Some(container) = &container {
            container.write_variables().map_err(|error| format!("{}: {error}", container.variables_file.display()))?;
        }
        self.note_isolation().await;
        let remote = self.watch_over(contract, container).await?;
        unfinished.0 = None;
        Ok(remote)
    }

    fn contract(&self, program: &image::Program, may_link: bool) -> Result<HostContract, String> {
        let mut environment = of_place(&program.place);
        environment.extend(program.environment.clone());
        environment.extend(self.variables());
        // Where folders cannot be put at /opt/ml, the model is where it lies.
        let model = if may_link { MODEL.to_owned() } else { self.model_folder().display().to_string() };
        environment.insert(MODEL_VARIABLE.to_owned(), model);
        environment.extend(self.definition.environment.clone().unwrap_or_default());
        let configuration = &self.context.configuration;
        let own_program = program::own(configuration).map_err(|error| error.to_string())?;
        let entry = image::entry_of(&configuration.images, self.definition.image.as_deref().unwrap_or_default());
        let memory_bytes = self.specification.instance_type.as_deref().and_then(instance::memory_bytes);
        Ok(HostContract {
            root: self.folder.clone(),
            command: program.command(),
            environment,
            read_only: vec![MODEL.to_owned()],
            writable: Vec::new(),
            linked: may_link,
            network_isolation: false,
            confinement: Some(confinement::of_image(configuration, &own_program, entry)),
            limits: Limits { memory_bytes, ..Limits::usual() },
        })
    }

    /// The container that a program of this contract is run in, if it is.
    fn container(&self, program: &image::Program, contract: &HostContract) -> Option<ContainerRun> {
        let Place::Container(image) = &program.place else { return None };
        let folder_name = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Port and model are where the container has them, whatever the model's own variables say.
        let mut environment = contract.environment.clone();
        environment.insert(PORT.to_owned(), container::PORT.to_string());
        environment.insert(MODEL_VARIABLE.to_owned(), MODEL.to_owned());
        Some(ContainerRun {
            engine: self.context.configuration.hosting.container_engine.clone(),
            name: format!("watchkeeper-{folder_name}"),
            owner: container::owner_of_models(&self.context.configuration.data_dir),
            image: image.clone(),
            entrypoint: program.entrypoint.clone(),
            arguments: program.arguments.clone(),
            volumes: vec![Volume { folder: self.model_folder(), place: MODEL.to_owned(), writable: false }],
            network_isolation: false,
            environment,
            variables_file: self.folder.join("variables"),
            memory_bytes: contract.limits.memory_bytes,
            processes: contract.limits.processes,
        })
    }

    /// Hands a program to a task that watches over it; returns when it is ready.
    async fn watch_over(&self, contract: HostContract, container: Option<ContainerRun>) -> Result<Remote, String> {
        let program = Program {
            launcher: Arc::clone(self.launcher),
            contract,
            container,
            folder: self.folder.clone(),
            log: self.log.clone(),
            log_place: format!("stream {} of log group {}", self.log.stream(), self.specification.log_group),
            startup: self.specification.startup_timeout,
            supervision: self.supervision,
        };
        let (remote, watcher) = Remote::new();
        let (tell, ready) = oneshot::channel();
        tokio::spawn(watch_over(program, watcher, tell));
        until(ready).await?;
        Ok(remote)
    }

    async fn note_isolation(&self) {
        if self.specification.model.enable_network_isolation == Some(true) {
            let text = "EnableNetworkIsolation is not honoured for models: their port has to be reached";
            self.log.say(text).await;
        }
    }

    fn model_folder(&self) -> PathBuf {
        self.folder.join(MODEL.trim_start_matches('/'))
    }

    /// What leads to this service, and what a model server of a transform job is told.
    fn variables(&self) -> Variables {
        let own = self.definition.environment.as_ref();
        let credentials = (!has_credentials(own)).then_some(Wanted { lifetime: CREDENTIALS_HOLD, job: None });
        let mut variables = of_the_service(self.context, &self.specification.region, credentials);
        if let Some(batch) = &self.specification.batch {
            let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
            set("SAGEMAKER_BATCH", "true".to_owned());
            set("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", batch.max_concurrent_transforms.to_string());
            set("SAGEMAKER_MAX_PAYLOAD_IN_MB", batch.max_payload_in_mb.to_string());
            set("SAGEMAKER_BATCH_STRATEGY", batch.strategy.clone());
        }
        variables
    }

    /// Makes the folders of the contract, with the model's files; returns where these are.
    async fn fetch(&self, may_link: bool) -> Result<PathBuf, String> {
        folder::make(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))?;
        let job = self.folder.join("opt/ml");
        for path in ["tmp", "output"] {
            let path = job.join(path);
            let made = tokio::fs::create_dir_all(&path).await;
            made.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let (model, limit) = (self.model_folder(), self.specification.download_timeout);
        let fetching =
            archive::fetch(&*self.context.objects, self.definition, &model, may_link, archive::Limits::default());
        let fetched = timeout(limit, fetching).await;
        fetched.unwrap_or_else(|_| Err(format!("the model data was not there within {limit:?}")))?;
        Ok(model)
    }
}

async fn until(ready: oneshot::Receiver<Result<(), String>>) -> Result<(), String> {
    ready.await.unwrap_or_else(|_| Err("what watched over the model ended early".to_owned()))
}

fn read_document(folder: &Path) -> Result<String, String> {
    use std::io::Read as _;

    let file = folder::open(folder, Path::new(DOCUMENT_FILE)).map_err(|error| format!("{DOCUMENT_FILE}: {error}"))?;
    let mut text = String::new();
    file.take(LARGEST_DOCUMENT).read_to_string(&mut text).map_err(|error| format!("{DOCUMENT_FILE}: {error}"))?;
    Ok(text)
}
