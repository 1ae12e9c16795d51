//! One attempt at one job, from its claim to its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::{FuturesOrdered, FuturesUnordered};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus;
use watchkeeper_store::metadata::Datum;

use super::documents::{self, host_name};
use super::stage::{self, Staged};
use super::upload::Uploads;
use super::{Failure, Runner, environment, made_endpoints};
use crate::api::cloudwatch::CloudWatch;
use crate::context::Context;
use crate::control::processing_job::{self, JobEvent, ProcessingJob, Usage};
use crate::program::container::{Container, Volume};
use crate::program::folder;
use crate::program::follow::follow;
use crate::program::image::{self, Place, Program};
use crate::program::launch::{Ended, HostContract, Limits, Running, Signal};
use crate::program::{confinement, container, instance};
use crate::resources::{Error, Resource as _, Transaction, Versioned};
use crate::scheduler::finish::job_ended;
use crate::telemetry::metric_lines;
use crate::telemetry::program_log::{PROCESSING_JOBS, ProgramLog};
use crate::watch::{Job, MOST_TRIES, Order, Watch};

/// How often a job is started at most.
const MOST_ATTEMPTS: u32 = 3;
/// How long the end of a program's output is waited for once the program has ended.
const END_OF_OUTPUT: Duration = Duration::from_secs(10);

impl Job for ProcessingJob {
    fn created(&self) -> Time {
        self.created
    }

    fn is_terminal(&self) -> bool {
        self.is_terminal()
    }

    fn is_stopping(&self) -> bool {
        self.status == ProcessingJobStatus::Stopping
    }
}

/// What becomes of an attempt.
enum Conclusion {
    /// The job ends.
    End(JobEvent, Vec<Datum>),
    /// The job is run again by whoever claims it next.
    Release,
    /// The job is no longer this runner's.
    Abandon,
}

/// Why a program is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Stop,
    TimeLimit,
    Sibling,
    Shutdown,
    Gone,
}

struct Attempt {
    runner: Arc<Runner>,
    job: ProcessingJob,
    watch: Watch<ProcessingJob>,
    folder: PathBuf,
    /// How many instances there are to be; the job's log has a stream for each.
    hosts: usize,
    /// Whether the program is the built-in Clarify, which does on one machine what is asked of several.
    is_clarify: bool,
    logs: Vec<ProgramLog>,
    usage: Usage,
    began: Instant,
}

/// Carries out a job that was claimed. `bell` is rung when the job may have been asked to stop.
pub(super) async fn carry_out(runner: Arc<Runner>, job: Versioned<ProcessingJob>, bell: watch::Receiver<()>) {
    let job = job.resource;
    let hosts = job.request.processing_resources.cluster_config.instance_count.unwrap_or(1);
    let is_clarify = image::is_clarify(&runner.context.configuration.images, &job.request.app_specification);
    let folder = runner.jobs_folder().join(format!("{}-{}", job.key(), job.attempts + 1));
    let watch = Watch::new(Arc::clone(&runner.context), &job, runner.timing.claim, bell);
    let hosts = usize::try_from(hosts).unwrap_or(1).max(1);
    let mut attempt = Attempt {
        runner,
        job,
        watch,
        folder,
        hosts,
        is_clarify,
        logs: Vec::new(),
        usage: Usage::default(),
        began: Instant::now(),
    };
    let conclusion = attempt.conclusion().await;
    if !matches!(conclusion, Conclusion::Abandon) {
        attempt.remove_made_endpoints().await;
    }
    match conclusion {
        Conclusion::End(event, metrics) => attempt.end(event, metrics).await,
        Conclusion::Release => attempt.release().await,
        Conclusion::Abandon => {}
    }
    if !attempt.runner.context.configuration.runner.keep_job_folders {
        folder::remove(&attempt.folder).await;
    }
}

impl Attempt {
    async fn conclusion(&mut self) -> Conclusion {
        if self.job.status == ProcessingJobStatus::Stopping {
            // Whoever ran it has gone, or it was never started.
            return Conclusion::End(JobEvent::Stopped { time_limit: false, usage: Usage::default() }, Vec::new());
        }
        self.open_logs().await;
        let concluded = if self.job.attempts >= MOST_ATTEMPTS {
            Err(Failure(format!(
                "the service ended {MOST_ATTEMPTS} times while it ran this job, so it is not run again: see whether the job \
                 uses up the machine's memory"
            )))
        } else {
            self.run().await
        };
        match concluded {
            Ok(conclusion) => conclusion,
            Err(Failure(reason)) => self.failed(reason).await,
        }
    }

    async fn failed(&mut self, reason: String) -> Conclusion {
        if let Some(log) = self.logs.first() {
            log.say(&reason).await;
        }
        Conclusion::End(JobEvent::Failed { reason, usage: self.usage() }, Vec::new())
    }

    /// There are streams for jobs that fail before they start, too, and each begins with the job's ARN.
    async fn open_logs(&mut self) {
        let now = self.runner.context.now();
        let mut opening = FuturesOrdered::new();
        for number in 1..=self.hosts {
            opening.push_back(open_log(&self.runner.context, &self.job, number, now));
        }
        self.logs = opening.collect().await;
    }

    async fn run(&mut self) -> Result<Conclusion, Failure> {
        let runner = Arc::clone(&self.runner);
        let context = &runner.context;
        let request = self.job.request.clone();
        let program = image::resolve(&context.configuration.images, &runner.own_program, &request.app_specification)
            .map_err(Failure)?;
        if let Some(note) = &program.note {
            self.logs[0].say(note).await;
        }
        if let Some(order) = self.count().await? {
            return Ok(self.unstarted(order));
        }
        if self.job.attempts > 1 {
            // What the attempt before has left would take up the machine.
            self.remove_made_endpoints().await;
        }
        let machines = if self.is_clarify { 1 } else { self.hosts };
        if machines < self.hosts {
            self.logs[0].say(&format!("InstanceCount is {}: all is done on one machine", self.hosts)).await;
        }
        let roots: Vec<PathBuf> = (1..=machines).map(|number| self.folder.join(host_name(number))).collect();
        folder::remove(&self.folder).await;
        let in_container = matches!(program.place, Place::Container(_));
        let staging = async {
            // What a container engine makes of links to stored bodies is not for us to promise.
            let may_link = !in_container && runner.launcher.protects_inputs().await;
            stage::stage(&*context.objects, &request, &self.job.region, &roots, may_link).await
        };
        let staged = match self.watch.during(staging, true).await {
            Ok(staged) => staged?,
            Err(order) => return Ok(self.unstarted(order)),
        };
        (self.usage.input_bytes, self.usage.input_objects) = (staged.bytes, staged.objects);
        for (number, root) in roots.iter().enumerate() {
            documents::write_configuration(&self.job, root, number + 1, machines).await?;
        }
        let mut uploads = self.uploads(&roots).await?;
        if let Some(order) = self.start().await? {
            return Ok(self.unstarted(order));
        }
        let contracts: Vec<HostContract> = roots.iter().map(|root| self.contract(root, &program, &staged)).collect();
        let containers = self.containers(&contracts, &program).await?;
        let mut programs = Vec::new();
        for (number, mut contract) in contracts.into_iter().enumerate() {
            if let Some(container) = containers.get(number) {
                contract = contract.of_engine(container.command(None), Container::command_environment());
            }
            match runner.launcher.launch(&contract).await {
                Ok(running) => programs.push(running),
                Err(error) => {
                    drop(programs);
                    join_all(containers.iter().map(Container::remove)).await;
                    return Err(Failure(format!("the program could not be started: {error}")));
                }
            }
        }
        let (signals, ended, followers) = self.follow(programs);
        let continuous = Continuous::start(&mut uploads, runner.timing.look);
        let (ending, exits) = self.wait(&signals, ended).await;
        uploads = continuous.end(uploads).await;
        join_all(containers.iter().map(Container::remove)).await;
        end_of_output(followers).await;
        self.usage.peak_memory_bytes = exits.iter().filter_map(peak_memory).max();
        self.conclude(ending, &exits, &roots, uploads).await
    }

    /// Removes the shadow endpoints of an ended program, which may have been killed. What the store does not let go now stays
    /// until its owner removes it.
    async fn remove_made_endpoints(&self) {
        if !self.is_clarify {
            return;
        }
        if let Err(error) = made_endpoints::remove(&self.runner.context, &self.job.arn).await {
            tracing::warn!(job = self.job.name(), %error, "what the job may have left of endpoints could not be removed");
        }
    }

    fn unstarted(&self, order: Order) -> Conclusion {
        match order {
            Order::Stop => Conclusion::End(JobEvent::Stopped { time_limit: false, usage: self.usage() }, Vec::new()),
            Order::Shutdown => Conclusion::Release,
            Order::Gone => Conclusion::Abandon,
        }
    }

    async fn uploads(&self, roots: &[PathBuf]) -> Result<Vec<Uploads>, Failure> {
        let context = &self.runner.context;
        let asked = self.job.request.processing_output_config.as_ref().and_then(|config| config.kms_key_id.as_deref());
        let key = match asked {
            Some(key) => super::encryption_key::usable(context, key, &self.logs[0]).await?,
            None => None,
        };
        let hosts = roots.iter().zip(&self.logs);
        hosts
            .map(|(root, log)| {
                Uploads::new(Arc::clone(&context.objects), &self.job.request, root, key.clone(), log.clone())
            })
            .collect()
    }

    /// Counts the attempt before anything is done that could take the service along; some order where it must not begin.
    async fn count(&mut self) -> Result<Option<Order>, Failure> {
        self.change(|job, _| Ok(ProcessingJob { attempts: job.attempts + 1, ..job.clone() })).await
    }

    /// Makes it known that the program starts now; some order where it must not.
    async fn start(&mut self) -> Result<Option<Order>, Failure> {
        let order = self.change(|job, now| processing_job::apply(job, JobEvent::Started, now)).await?;
        if order.is_none() {
            tracing::info!(job = self.job.name(), attempt = self.job.attempts, "job started");
        }
        Ok(order)
    }

    async fn change(
        &mut self,
        changed: impl Fn(&ProcessingJob, Timestamp) -> Result<ProcessingJob, watchkeeper_aws::Error>,
    ) -> Result<Option<Order>, Failure> {
        match self.watch.change(changed).await.map_err(Failure)? {
            Ok(job) => {
                self.job = job;
                Ok(None)
            }
            Err(order) => Ok(Some(order)),
        }
    }

    fn contract(&self, root: &Path, program: &Program, staged: &Staged) -> HostContract {
        let (runner, request) = (&self.runner, &self.job.request);
        let configuration = &runner.context.configuration;
        let (cluster, network) = (&request.processing_resources.cluster_config, request.network_config.as_ref());
        let entry = image::entry_of(&configuration.images, &request.app_specification.image_uri);
        HostContract {
            root: root.to_owned(),
            command: program.command(),
            environment: environment::variables(&runner.context, &self.job, program),
            read_only: staged.read_only.clone(),
            writable: staged.writable.clone(),
            linked: staged.linked,
            network_isolation: network.and_then(|network| network.enable_network_isolation) == Some(true),
            confinement: Some(confinement::of_image(configuration, &runner.own_program, entry)),
            limits: Limits {
                memory_bytes: cluster.instance_type.as_deref().and_then(instance::memory_bytes),
                file_bytes: Some(stage::volume_bytes(request)),
                volume_bytes: Some(stage::volume_bytes(request)),
                reserve_bytes: Some(configuration.objects.reserve_bytes),
                ..Limits::usual()
            },
        }
    }

    /// The containers of the job, ready to be run; none where it runs in none.
    async fn containers(&self, contracts: &[HostContract], program: &Program) -> Result<Vec<Container>, Failure> {
        let Place::Container(image) = &program.place else { return Ok(Vec::new()) };
        let mut containers = Vec::new();
        for (number, contract) in (1..).zip(contracts) {
            let container = self.container(image, &host_name(number), program, contract);
            if containers.is_empty() {
                container.check_engine().await.map_err(Failure)?;
            }
            // It goes with the job's folder.
            container.write_variables().map_err(|error| Failure::of_file(&container.variables_file, &error))?;
            containers.push(container);
        }
        Ok(containers)
    }

    /// The container of an instance, which is told what its contract says.
    fn container(&self, image: &str, host: &str, program: &Program, contract: &HostContract) -> Container {
        let configuration = &self.runner.context.configuration;
        let volume =
            |place: &str, writable| Volume { folder: contract.place(place), place: place.to_owned(), writable };
        let mut volumes = vec![volume("/opt/ml", true)];
        volumes.extend(contract.inputs().map(|input| volume(input, false)));
        volumes.extend(contract.outputs_in_inputs().map(|output| volume(output, true)));
        volumes.sort_by(|one, other| one.place.cmp(&other.place));
        Container {
            engine: configuration.hosting.container_engine.clone(),
            name: format!("watchkeeper-{}-{}-{host}", self.job.key(), self.job.attempts),
            owner: container::owner_of_jobs(&configuration.data_dir),
            image: image.to_owned(),
            entrypoint: program.entrypoint.clone(),
            arguments: program.arguments.clone(),
            volumes,
            network_isolation: contract.network_isolation,
            environment: contract.environment.clone(),
            variables_file: contract.root.join("variables"),
            memory_bytes: contract.limits.memory_bytes,
            processes: contract.limits.processes,
        }
    }

    #[allow(clippy::type_complexity)] // the parts of the programs, each in a list
    fn follow(
        &self,
        programs: Vec<Running>,
    ) -> (Vec<mpsc::UnboundedSender<Signal>>, Vec<oneshot::Receiver<Ended>>, Vec<JoinHandle<()>>) {
        let mut parts = (Vec::new(), Vec::new(), Vec::new());
        for (program, log) in programs.into_iter().zip(&self.logs) {
            parts.0.push(program.signals);
            parts.1.push(program.ended);
            parts.2.push(tokio::spawn(follow(program.output, log.clone())));
        }
        parts
    }

    /// Waits until all programs have ended, and ends them when something asks for it.
    async fn wait(
        &mut self,
        signals: &[mpsc::UnboundedSender<Signal>],
        ended: Vec<oneshot::Receiver<Ended>>,
    ) -> (Option<Ending>, Vec<Ended>) {
        let timing = self.runner.timing;
        let seconds = self.job.request.stopping_condition.as_ref().map_or(0, |limit| limit.max_runtime_in_seconds);
        let deadline = Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let send = |signal| signals.iter().for_each(|program| _ = program.send(signal));
        let mut running: FuturesUnordered<_> = ended.into_iter().collect();
        let mut exits = Vec::new();
        let mut ending = None;
        let mut kill: Option<Instant> = None;
        loop {
            let (begun, grace) = tokio::select! {
                exit = running.next() => {
                    let Some(exit) = exit else { return (ending, exits) };
                    let exit = exit.unwrap_or_else(|_| Ended::Lost { reason: "the launcher ended".to_owned() });
                    let is_failure = !matches!(exit, Ended::Exited { status: Some(0), .. });
                    exits.push(exit);
                    if !is_failure || ending.is_some() || running.is_empty() {
                        continue;
                    }
                    (Ending::Sibling, timing.grace)
                }
                () = sleep_until(deadline), if ending.is_none() && seconds > 0 => (Ending::TimeLimit, timing.grace),
                order = self.watch.order(), if !matches!(ending, Some(Ending::Gone | Ending::Shutdown)) => match order {
                    Order::Stop if ending.is_none() => (Ending::Stop, timing.grace),
                    Order::Stop => continue,
                    Order::Shutdown => (Ending::Shutdown, timing.shutdown_grace),
                    Order::Gone => (Ending::Gone, Duration::ZERO),
                },
                () = at(kill) => {
                    send(Signal::Kill);
                    kill = None;
                    continue;
                }
            };
            ending = Some(begun);
            send(Signal::Terminate);
            kill = Some(Instant::now() + grace);
        }
    }

    async fn conclude(
        &mut self,
        ending: Option<Ending>,
        exits: &[Ended],
        roots: &[PathBuf],
        uploads: Vec<Uploads>,
    ) -> Result<Conclusion, Failure> {
        let time_limit = match ending {
            Some(Ending::Gone) => return Ok(Conclusion::Abandon),
            Some(Ending::Shutdown) => return Ok(Conclusion::Release),
            Some(Ending::Stop) => Some(false),
            Some(Ending::TimeLimit) => Some(true),
            Some(Ending::Sibling) | None => None,
        };
        let failed = exits.iter().find(|exit| !matches!(exit, Ended::Exited { status: Some(0), .. }));
        let completed = time_limit.is_none() && failed.is_none();
        let storing = async {
            for uploads in &uploads {
                uploads.finish(completed).await?;
            }
            Ok::<(), Failure>(())
        };
        match self.watch.during(storing, false).await {
            Err(order) => return Ok(self.unstarted(order)),
            Ok(Err(failure)) if completed => return Err(failure),
            // What ended before its time has a reason of its own; what could not be stored of it is in the log.
            Ok(Err(Failure(reason))) => self.logs[0].say(&reason).await,
            Ok(Ok(())) => {}
        }
        if let Some(time_limit) = time_limit {
            return Ok(Conclusion::End(JobEvent::Stopped { time_limit, usage: self.usage() }, Vec::new()));
        }
        let mut message = None;
        for root in roots {
            if message.is_none() {
                message = documents::message(root).await;
            }
        }
        let usage = self.usage();
        let event = match failed {
            None => JobEvent::Exited { status: Some(0), signal: None, message, usage },
            Some(&Ended::Exited { status, signal, .. }) => JobEvent::Exited { status, signal, message, usage },
            Some(Ended::Refused { reason } | Ended::OverLimit { reason } | Ended::Lost { reason }) => {
                return Err(Failure(reason.clone()));
            }
        };
        let metrics = if completed { self.metrics(roots).await } else { Vec::new() };
        Ok(Conclusion::End(event, metrics))
    }

    async fn metrics(&self, roots: &[PathBuf]) -> Vec<Datum> {
        let namespace = metric_lines::namespace(&self.job.request);
        let mut all = Vec::new();
        for (root, log) in roots.iter().zip(&self.logs) {
            let text = documents::metrics(root).await;
            let (data, refused) = metric_lines::data(&text, namespace, self.runner.context.now());
            all.extend(data);
            log.say(&refused.join("\n")).await;
        }
        all
    }

    fn usage(&self) -> Usage {
        Usage { seconds: self.began.elapsed().as_secs_f64(), ..self.usage.clone() }
    }

    /// Commits the job's end state. Others may change the job meanwhile, also by asking it to stop.
    async fn end(&mut self, event: JobEvent, metrics: Vec<Datum>) {
        for number in 0..MOST_TRIES {
            match self.try_end(&event, &metrics).await {
                Ok(()) => return self.evaluate_alarms(&metrics).await,
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(job = self.job.name(), %error, "the end of a job could not be stored");
                    let pause = Duration::from_millis(50 << number.min(6));
                    let _ = self.watch.during(tokio::time::sleep(pause), false).await;
                }
            }
        }
        // The claim runs out, and the job is run again.
        tracing::error!(job = self.job.name(), "the end of a job was not stored");
    }

    /// Alarms follow the data; one that could not be evaluated now is when somebody asks for it.
    async fn evaluate_alarms(&self, metrics: &[Datum]) {
        let alarms = CloudWatch(Arc::clone(&self.runner.context));
        let series: BTreeSet<(&str, &str)> =
            metrics.iter().map(|datum| (datum.namespace.as_str(), datum.metric.as_str())).collect();
        for (namespace, metric) in series {
            if let Err(error) = alarms.evaluate_alarms(namespace, metric, self.runner.context.now()).await {
                tracing::warn!(namespace, metric, %error, "the alarms of a metric could not be evaluated");
            }
        }
    }

    async fn try_end(&self, event: &JobEvent, metrics: &[Datum]) -> Result<(), Error> {
        let Some(Versioned { resource, version }) = self.watch.load().await? else { return Ok(()) };
        let ended = match processing_job::apply(&resource, event.clone(), self.runner.context.now()) {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(job = self.job.name(), %error, "a job could not end");
                return Ok(());
            }
        };
        let (status, reason) = (ended.status, ended.failure_reason.clone());
        job_ended(&self.runner.context, &Versioned { resource: ended, version }, metrics.to_vec()).await?;
        let seconds = self.began.elapsed().as_secs_f64();
        tracing::info!(job = self.job.name(), %status, reason, seconds, "job ended");
        Ok(())
    }

    /// Gives the job back. An attempt that the service itself broke off does not count.
    async fn release(&mut self) {
        for _ in 0..MOST_TRIES {
            let Ok(Some(Versioned { resource: mut job, version })) = self.watch.load().await else { return };
            if job.status == ProcessingJobStatus::Stopping {
                let event = JobEvent::Stopped { time_limit: false, usage: self.usage() };
                return self.end(event, Vec::new()).await;
            }
            job.started = None;
            job.attempts = job.attempts.saturating_sub(1);
            match self.runner.context.resources.commit(Transaction::new().update(&job, version)).await {
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    return tracing::warn!(job = self.job.name(), %error, "a job could not be given back");
                }
                Ok(()) => return,
            }
        }
    }
}

async fn open_log(context: &Context, job: &ProcessingJob, number: usize, now: Timestamp) -> ProgramLog {
    let (logs, clock) = (Arc::clone(&context.logs), Arc::clone(&context.clock));
    let host = host_name(number);
    let log = ProgramLog::open(logs, clock, PROCESSING_JOBS, ProgramLog::job_stream(job.name(), &host, now)).await;
    log.say(&format!("processing job {}, instance {host}, attempt {}", job.arn, job.attempts + 1)).await;
    log
}

fn peak_memory(ended: &Ended) -> Option<u64> {
    match ended {
        Ended::Exited { peak_memory_bytes, .. } => *peak_memory_bytes,
        Ended::Refused { .. } | Ended::OverLimit { .. } | Ended::Lost { .. } => None,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Everything that was started has ended, so nobody holds the other end of the pipes; should somebody do so nevertheless,
/// the job does not wait for it.
async fn end_of_output(followers: Vec<JoinHandle<()>>) {
    let abort: Vec<_> = followers.iter().map(JoinHandle::abort_handle).collect();
    if tokio::time::timeout(END_OF_OUTPUT, join_all(followers)).await.is_err() {
        abort.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// The looks through continuous outputs while the programs run.
struct Continuous {
    looking: Vec<JoinHandle<Uploads>>,
    stop: watch::Sender<bool>,
}

impl Continuous {
    /// Takes the uploads that have something to do.
    fn start(uploads: &mut Vec<Uploads>, every: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let taken = std::mem::take(uploads);
        let (busy, idle): (Vec<_>, Vec<_>) = taken.into_iter().partition(Uploads::are_continuous);
        *uploads = idle;
        let looking = busy.into_iter().map(|mut uploads| {
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                while tokio::time::timeout(every, stopped.wait_for(|stop| *stop)).await.is_err() {
                    uploads.look().await;
                }
                uploads
            })
        });
        Self { looking: looking.collect(), stop }
    }

    /// Gives all uploads back, once the looks that go on have ended.
    async fn end(self, mut idle: Vec<Uploads>) -> Vec<Uploads> {
        self.stop.send_replace(true);
        idle.extend(join_all(self.looking).await.into_iter().flatten());
        idle
    }
}
