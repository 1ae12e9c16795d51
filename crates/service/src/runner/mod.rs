//! From jobs to results.
//!
//! A loop claims processing jobs, as many as may run at the same time, and carries each out: image to program,
//! inputs to files ([`stage`]), a process of the program for each instance (both in [`crate::program`]), its output to the
//! log, its files to objects ([`upload`]), and its end to the job, the execution, the schedule,
//! the alert and the metrics in one transaction (`scheduler::finish`).
//!
//! Promised: a job whose runner dies is run again, three times at most; outputs and log are complete before the job's
//! status says that it has ended; no process, no folder and no shadow endpoint of a job outlives it. A claim says who runs a
//! job: it runs out unless it is renewed, and whoever finds that a job is no longer his ends its program and touches nothing.

mod documents;
mod encryption_key;
mod environment;
mod job;
mod made_endpoints;
mod stage;
mod upload;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::channel;
use tokio::task::{Id, JoinSet};

use crate::context::Context;
use crate::control::UNENDED_JOBS;
use crate::control::processing_job::ProcessingJob;
use crate::program::launch::{JOBS_FOLDER, Launcher};
use crate::program::{self, container, folder};
use crate::resources::{Resource as _, Versioned};
use crate::watch::claimed_until;

/// Why a job cannot be run or its results not stored, for the person who reads `FailureReason`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure(String);

impl Failure {
    fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a claim lasts: so long nobody takes up the jobs of a runner that died.
    pub claim: Duration,
    /// What a program has from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// The same when the service stops.
    pub shutdown_grace: Duration,
    /// The time between two looks through the outputs of a job that are uploaded while it runs.
    pub look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            claim: Duration::from_secs(15),
            grace: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(5),
            look: Duration::from_secs(1),
        }
    }
}

/// What jobs are run with.
struct Runner {
    context: Arc<Context>,
    launcher: Arc<dyn Launcher>,
    /// This program: an executable and its first arguments.
    own_program: Vec<String>,
    timing: Timing,
}

impl Runner {
    fn jobs_folder(&self) -> PathBuf {
        self.context.configuration.data_dir.join(JOBS_FOLDER)
    }

    /// Until when a claim that is made now lasts.
    fn claimed_until(&self) -> i64 {
        claimed_until(&self.context, self.timing.claim)
    }
}

/// Runs jobs by a launcher until the service stops; when this returns none runs any more, and those that did can be claimed
/// again.
pub async fn run(context: Arc<Context>, launcher: Arc<dyn Launcher>) {
    let settings = &context.configuration;
    let own_program = match program::own(settings) {
        Ok(program) => program,
        Err(error) => {
            tracing::error!(%error, "this program's file is not known, so no job can run: set runner.program");
            return;
        }
    };
    let half = Duration::from_secs(settings.server.shutdown_seconds) / 2;
    let usual = Timing::default();
    let timing = Timing { shutdown_grace: usual.shutdown_grace.min(half), ..usual };
    run_with(context, launcher, own_program, timing).await;
}

/// As [`run`], with another program of the built-in images, and other times.
pub async fn run_with(context: Arc<Context>, launcher: Arc<dyn Launcher>, own_program: Vec<String>, timing: Timing) {
    let runner = Arc::new(Runner { context, launcher, own_program, timing });
    let settings = &runner.context.configuration;
    container::sweep(settings, &container::owner_of_jobs(&settings.data_dir)).await;
    folder::sweep(&runner.jobs_folder()).await;
    // Asked once, before there is a job that would wait for the answer.
    runner.launcher.protects_inputs().await;
    let most = match runner.context.configuration.runner.parallel_jobs {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        most => most,
    };
    let mut stopping = runner.context.stopping.clone();
    let (ring, bell) = channel(());
    let mut tasks = JoinSet::new();
    let mut running: HashMap<String, Id> = HashMap::new();
    loop {
        if *stopping.borrow() {
            break;
        }
        let was_full = claim(&runner, most, &mut running, &mut tasks, &bell).await;
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = runner.context.runner_bell.notified() => ring.send_replace(()),
            ended = tasks.join_next_with_id(), if !tasks.is_empty() => forget(ended, &mut running),
            // Jobs whose runner died make no noise.
            () = tokio::time::sleep(timing.claim / 3), if !was_full => {}
        }
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        forget(Some(ended), &mut running);
    }
}

type Joined = Option<Result<(Id, ()), tokio::task::JoinError>>;

fn forget(ended: Joined, running: &mut HashMap<String, Id>) {
    let id = match ended {
        Some(Ok((id, ()))) => id,
        Some(Err(error)) => {
            // Its claim runs out, and the job is run again.
            tracing::error!(%error, "a task that ran a job ended early");
            error.id()
        }
        None => return,
    };
    running.retain(|_, running| *running != id);
}

/// Claims and starts jobs until as many run as may, or there are no more; tells whether as many run as may.
async fn claim(
    runner: &Arc<Runner>,
    most: usize,
    running: &mut HashMap<String, Id>,
    tasks: &mut JoinSet<()>,
    bell: &tokio::sync::watch::Receiver<()>,
) -> bool {
    while running.len() < most {
        let context = &runner.context;
        let (now, until) = (context.now().as_millisecond(), runner.claimed_until());
        // What runs here is claimed here, so it is among what comes back.
        let claimed = context.resources.claim::<ProcessingJob>(&UNENDED_JOBS, &context.owner, now, until, most).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "no jobs could be claimed");
                return false;
            }
        };
        let new: Vec<Versioned<ProcessingJob>> =
            claimed.into_iter().filter(|job| !running.contains_key(&job.resource.key())).collect();
        if new.is_empty() {
            return false;
        }
        for job in new.into_iter().take(most - running.len()) {
            let key = job.resource.key();
            let task = tasks.spawn(job::carry_out(Arc::clone(runner), job, bell.clone()));
            running.insert(key, task.id());
        }
    }
    true
}
