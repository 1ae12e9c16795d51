//! Batch transform jobs: a model asked about whole objects.
//!
//! A loop claims jobs, as many as may run at the same time, and carries each out: which objects ([`inputs`]), the model, each
//! object from its bytes to requests ([`records`]), from answers to results ([`answers`]), the results as an object
//! ([`output`]), and the lists of both for batch monitors ([`captured`]).
//!
//! Promised: results of an object appear whole or not at all; memory does not depend on the size of objects whose records
//! are lines; one object that cannot be transformed keeps no other from it; a job whose service dies is run again, three
//! times at most. A claim says who carries a job out: whoever finds that a job is no longer his touches nothing.

mod answers;
mod attempt;
mod captured;
mod csv_record;
mod inputs;
mod json_path;
mod model;
mod output;
mod plan;
mod records;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::{Receiver, channel};
use tokio::task::{Id, JoinError, JoinSet};

use super::Hosting;
use crate::control::UNENDED_JOBS;
use crate::control::transform_job::TransformJob;
use crate::resources::{Resource as _, Versioned};
use crate::watch::claimed_until;

/// The time between two looks for jobs that nobody rang for: those of a service that died.
const LOOK: Duration = Duration::from_secs(5);

/// How long a claim lasts: so long nobody takes up the jobs of a service that died.
const CLAIM: Duration = Duration::from_secs(15);

/// Why something cannot be done, for the person who reads `FailureReason`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure(String);

/// Carries out transform jobs until the service stops; when this returns none is under way, and those that were can be
/// claimed again.
pub async fn run(hosting: Arc<Hosting>) {
    let context = Arc::clone(&hosting.context);
    let most = context.configuration.hosting.parallel_transforms.max(1);
    let mut stopping = context.stopping.clone();
    let (ring, bell) = channel(());
    let mut tasks = JoinSet::new();
    let mut running: HashMap<String, Id> = HashMap::new();
    while !*stopping.borrow() {
        // Others wait for the same bell: what rings from here on is heard here, too.
        let notified = context.hosting_bell.notified();
        claim(&hosting, most, &mut running, &mut tasks, &bell).await;
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = notified => ring.send_replace(()),
            ended = tasks.join_next_with_id(), if !tasks.is_empty() => forget(ended, &mut running),
            () = tokio::time::sleep(LOOK), if running.len() < most => {}
        }
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        forget(Some(ended), &mut running);
    }
}

fn forget(ended: Option<Result<(Id, ()), JoinError>>, running: &mut HashMap<String, Id>) {
    let id = match ended {
        Some(Ok((id, ()))) => id,
        Some(Err(error)) => {
            // Its claim runs out, and the job is run again.
            tracing::error!(%error, "a task that carried out a transform job ended early");
            error.id()
        }
        None => return,
    };
    running.retain(|_, running| *running != id);
}

/// Claims and starts jobs until as many run as may, or there are no more.
async fn claim(
    hosting: &Arc<Hosting>,
    most: usize,
    running: &mut HashMap<String, Id>,
    tasks: &mut JoinSet<()>,
    bell: &Receiver<()>,
) {
    let context = &hosting.context;
    while running.len() < most {
        let (now, until) = (context.now().as_millisecond(), claimed_until(context, CLAIM));
        // What runs here is claimed here, so it is among what comes back.
        let claimed = context.resources.claim::<TransformJob>(&UNENDED_JOBS, &context.owner, now, until, most).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => return tracing::warn!(%error, "no transform jobs could be claimed"),
        };
        let new: Vec<Versioned<TransformJob>> =
            claimed.into_iter().filter(|job| !running.contains_key(&job.resource.key())).collect();
        if new.is_empty() {
            return;
        }
        for job in new.into_iter().take(most - running.len()) {
            let key = job.resource.key();
            let task = tasks.spawn(attempt::carry_out(Arc::clone(hosting), job, bell.clone()));
            running.insert(key, task.id());
        }
    }
}
