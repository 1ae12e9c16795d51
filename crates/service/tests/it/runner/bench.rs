//! A runner on a store of its own, and what its tests say about jobs.

use std::borrow::Borrow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use watchkeeper_service::configuration::{Configuration, Image};
use watchkeeper_service::context::{Context, MachineClock};
use watchkeeper_service::control::processing_job::{JobEvent, ProcessingJob, apply};
use watchkeeper_service::processes::Processes;
use watchkeeper_service::program::launch::Launcher;
use watchkeeper_service::resources::{Error, Resources, Transaction};
use watchkeeper_service::runner::{Timing, run_with};
use watchkeeper_store::Store;
use watchkeeper_store::logs::EventsQuery;
use watchkeeper_store::metadata::{Kind, SeriesQuery};
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body, read_all};

/// Longer than anything takes; reached only by what hangs.
const FOREVER: Duration = Duration::from_secs(100);
pub(crate) const GROUP: &str = "/aws/sagemaker/ProcessingJobs";
pub(crate) const BUCKET: &str = "bucket";

/// Times that tests can wait for.
pub(crate) const TIMING: Timing = Timing {
    claim: Duration::from_secs(2),
    grace: Duration::from_secs(2),
    shutdown_grace: Duration::from_secs(1),
    look: Duration::from_millis(100),
};

/// What runs jobs, and the entry of the configuration for the image that they ask for.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) image: Image,
    /// The program that stands in for a container engine.
    pub(crate) container_engine: Option<PathBuf>,
}

/// The entry that leaves to jobs what they run on this machine.
fn shell() -> Image {
    Image { pattern: "*shell*".to_owned(), ..Image::default() }
}

impl Machine {
    /// Whose image is a shell of this machine.
    pub(crate) fn of(launcher: impl Launcher + 'static) -> Self {
        Self { launcher: Arc::new(launcher), image: shell(), container_engine: None }
    }
}

pub(crate) struct Bench {
    pub(crate) context: Arc<Context>,
    pub(crate) folder: TempDir,
    stop: watch::Sender<bool>,
    runner: Option<JoinHandle<()>>,
}

impl Bench {
    /// A store without a runner.
    #[allow(dead_code)] // only one of the two crates with this file starts one later
    pub(crate) async fn new() -> Self {
        Self::with(shell(), |_| {}).await
    }

    async fn with(image: Image, change: impl FnOnce(&mut Configuration)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        store.objects.create_bucket(BUCKET, "eu-west-1", jiff::Timestamp::now()).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let mut configuration =
            Configuration { data_dir: folder.path().to_owned(), images: vec![image], ..Configuration::default() };
        change(&mut configuration);
        let context = Context {
            configuration,
            resources: Resources::new(store.metadata.clone()),
            objects: store.objects.clone(),
            logs: store.logs.clone(),
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock: Arc::new(MachineClock),
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping,
            endpoint_url: OnceLock::from("http://127.0.0.1:8470".to_owned()),
            processes: Processes::default(),
            job_credentials: OnceLock::from(("AKIATEST".to_owned(), "secret".to_owned())),
            owner: "this runner".to_owned(),
        };
        Self { context: Arc::new(context), folder, stop, runner: None }
    }

    /// A store with a runner.
    pub(crate) async fn running(machine: Machine) -> Self {
        Self::running_with(machine, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn running_with(machine: Machine, change: impl FnOnce(&mut Configuration)) -> Self {
        let Machine { launcher, image, container_engine } = machine;
        let mut bench = Self::with(image, |settings| {
            if let Some(engine) = container_engine {
                settings.hosting.container_engine = engine.display().to_string();
            }
            change(settings);
        })
        .await;
        bench.start(launcher);
        bench
    }

    pub(crate) fn start(&mut self, launcher: Arc<dyn Launcher>) {
        self.stop.send_replace(false);
        let program = vec!["no-such-program".to_owned()];
        self.runner = Some(tokio::spawn(run_with(Arc::clone(&self.context), launcher, program, TIMING)));
    }

    /// Stops the runner, as the service does when it stops.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        timeout(FOREVER, self.runner.take().unwrap()).await.unwrap().unwrap();
    }

    pub(crate) async fn put(&self, key: &str, content: &[u8]) {
        let (attributes, content) = (ObjectAttributes::default(), body(content.to_vec()));
        self.context.objects.put(BUCKET, key, attributes, content, Precondition::None).await.unwrap();
    }

    pub(crate) async fn object(&self, key: &str) -> Option<String> {
        let (_, content) = self.context.objects.get(BUCKET, key, None).await.unwrap()?;
        Some(String::from_utf8(read_all(content).await.unwrap()).unwrap())
    }

    /// Waits for an object.
    pub(crate) async fn awaited(&self, key: &str) -> String {
        let deadline = Instant::now() + FOREVER;
        while Instant::now() < deadline {
            if let Some(content) = self.object(key).await {
                return content;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{key} never came");
    }

    /// Stores a job as the interface does.
    pub(crate) async fn create(&self, job: &Job) -> String {
        self.insert(job.document(&self.context)).await
    }

    pub(crate) async fn insert(&self, job: ProcessingJob) -> String {
        self.context.resources.commit(Transaction::new().insert(&job)).await.unwrap();
        self.context.runner_bell.notify_one();
        job.name().to_owned()
    }

    pub(crate) async fn job(&self, name: &str) -> ProcessingJob {
        self.context.resources.get::<ProcessingJob>(&name.to_lowercase()).await.unwrap().unwrap().resource
    }

    /// Waits until a job is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&ProcessingJob) -> bool) -> ProcessingJob {
        let deadline = Instant::now() + FOREVER;
        loop {
            let job = self.job(name).await;
            if wanted(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "{job:?} {:?}", self.log(name, 1).await);
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn ended(&self, name: &str) -> ProcessingJob {
        self.until(name, ProcessingJob::is_terminal).await
    }

    /// Runs a job to its end.
    pub(crate) async fn run(&self, job: &Job) -> ProcessingJob {
        let name = self.create(job).await;
        self.ended(&name).await
    }

    /// Asks a job to stop, as the interface does.
    pub(crate) async fn stop_job(&self, name: &str) {
        loop {
            let job = self.context.resources.get::<ProcessingJob>(&name.to_lowercase()).await.unwrap().unwrap();
            let stopping = apply(&job.resource, JobEvent::StopRequested, self.context.now()).unwrap();
            match self.context.resources.commit(Transaction::new().update(&stopping, job.version)).await {
                Ok(()) => break,
                Err(Error::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        self.context.runner_bell.notify_one();
    }

    /// The lines of an instance's log, and the name of its stream.
    pub(crate) async fn log(&self, name: &str, host: usize) -> Vec<String> {
        let query = watchkeeper_store::logs::StreamsQuery {
            group: GROUP.to_owned(),
            prefix: format!("{name}/algo-{host}-"),
            ..Default::default()
        };
        let Ok(streams) = self.context.logs.streams(&query).await else { return Vec::new() };
        let mut lines = Vec::new();
        for stream in streams {
            let mut query = EventsQuery { from_head: true, ..EventsQuery::default() };
            loop {
                let page = self.context.logs.events(GROUP, &stream.name, &query).await.unwrap();
                if page.events.is_empty() {
                    break;
                }
                lines.extend(page.events.into_iter().map(|event| event.message));
                query.token = Some(page.forward);
            }
        }
        lines
    }

    /// Values of a metric.
    pub(crate) async fn metric(&self, namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> Vec<f64> {
        let dimensions = dimensions.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let query = SeriesQuery {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions,
            start: 0,
            end: i64::MAX,
            ..SeriesQuery::default()
        };
        let data = self.context.resources.store().metric_data(&query).await.unwrap();
        data.iter().map(|datum| datum.sum).collect()
    }

    /// The folders of jobs that are there.
    pub(crate) fn job_folders(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("jobs")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits until no folder of a job is left.
    pub(crate) async fn until_swept(&self) {
        let deadline = Instant::now() + FOREVER;
        while !self.job_folders().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.job_folders());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Who has a claim on a job.
    pub(crate) async fn claimed_by(&self, name: &str) -> String {
        let document = self.context.resources.store().get(Kind::ProcessingJob, &name.to_lowercase()).await.unwrap();
        document.unwrap().columns.claimed_by
    }
}

/// A request for a job whose image is a shell.
#[derive(Clone)]
pub(crate) struct Job(pub(crate) Value);

impl Job {
    /// A job that runs a script. The job's folder is in `$ml`.
    pub(crate) fn shell(name: &str, script: &str) -> Self {
        let script = format!("ml=$WATCHKEEPER_JOB_ROOT/opt/ml\n{script}");
        Self(json!({
            "ProcessingJobName": name,
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "VolumeSizeInGB": 1}},
            "AppSpecification": {"ImageUri": "host.example/shell:1", "ContainerEntrypoint": ["sh", "-c", script]},
            "RoleArn": "arn:aws:iam::000000000000:role/tests",
        }))
    }

    /// A job that runs a Python program. The job's folder is in `ml`.
    pub(crate) fn python(name: &str, program: &str) -> Self {
        let program = format!("import os\nml = os.environ.get('WATCHKEEPER_JOB_ROOT', '') + '/opt/ml'\n{program}");
        Self::shell(name, "").with("/AppSpecification/ContainerEntrypoint", json!(["python3", "-c", program]))
    }

    /// With a member of the request.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap()[member] = value;
        self
    }

    /// With an input at `/opt/ml/processing/<name>`, and other members of its `S3Input`.
    pub(crate) fn input(mut self, name: &str, uri: &str, members: impl Borrow<Value>) -> Self {
        let mut source = json!({
            "S3Uri": uri, "LocalPath": format!("/opt/ml/processing/{name}"), "S3DataType": "S3Prefix", "S3InputMode": "File",
        });
        source.as_object_mut().unwrap().extend(members.borrow().as_object().unwrap().clone());
        let input = json!({"InputName": name, "S3Input": source});
        self.0
            .as_object_mut()
            .unwrap()
            .entry("ProcessingInputs")
            .or_insert(json!([]))
            .as_array_mut()
            .unwrap()
            .push(input);
        self
    }

    /// With an output from `/opt/ml/processing/<name>`.
    pub(crate) fn output(mut self, name: &str, uri: &str, mode: &str) -> Self {
        let output = json!({"OutputName": name, "S3Output": {
            "S3Uri": uri, "LocalPath": format!("/opt/ml/processing/{name}"), "S3UploadMode": mode,
        }});
        let config = self.0.as_object_mut().unwrap().entry("ProcessingOutputConfig").or_insert(json!({"Outputs": []}));
        config["Outputs"].as_array_mut().unwrap().push(output);
        self
    }

    pub(crate) fn document(&self, context: &Context) -> ProcessingJob {
        let request = serde_json::from_value(self.0.clone()).unwrap();
        ProcessingJob::create(request, &context.stamp("eu-west-1")).unwrap()
    }
}

/// A pipe in a job's folder whose end says that nobody holds it any more: none of the job's processes is left.
pub(crate) struct Lifeline {
    folder: PathBuf,
    held: Option<std::fs::File>,
}

/// Where it is in a job's folder.
const LIFELINE: &str = "opt/ml/tmp/lifeline";

impl Lifeline {
    /// Of a job whose folder this is, or of the one job of a service whose data folder it is.
    pub(crate) fn new(folder: &std::path::Path) -> Self {
        Self { folder: folder.to_owned(), held: None }
    }

    /// What a shell says to hold it, from then on.
    #[allow(clippy::unused_self)] // it says whose lifeline
    pub(crate) fn hold(&self) -> String {
        let path = format!("$WATCHKEEPER_JOB_ROOT/{LIFELINE}");
        format!("mkfifo {path}; exec 9>{path}; echo held >&9")
    }

    fn path(&self) -> Option<PathBuf> {
        let below =
            |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let jobs = below(self.folder.join("jobs")).flat_map(below);
        let mut paths = jobs.chain([self.folder.clone()]).map(|folder| folder.join(LIFELINE));
        paths.find(|path| path.try_exists().unwrap_or(false))
    }

    /// Waits until somebody holds it.
    pub(crate) async fn until_held(&mut self) {
        let deadline = Instant::now() + FOREVER;
        let path = loop {
            match self.path() {
                Some(path) => break path,
                None => assert!(Instant::now() < deadline, "nobody holds the lifeline"),
            }
            sleep(Duration::from_millis(5)).await;
        };
        let reading = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::open(path).unwrap();
            std::io::Read::read_exact(&mut file, &mut [0; 5]).unwrap();
            file
        });
        self.held = Some(timeout(FOREVER, reading).await.unwrap().unwrap());
    }

    /// Waits until nobody holds it any more.
    pub(crate) async fn until_released(&mut self) {
        let mut file = self.held.take().unwrap();
        let reading = tokio::task::spawn_blocking(move || std::io::Read::read(&mut file, &mut [0]).unwrap());
        assert_eq!(timeout(FOREVER, reading).await.expect("a process of the job still runs").unwrap(), 0);
    }
}
