//! Jobs that clients asked for, and asynchronous invocations that nobody carried out.
//!
//! A job that made a baseline says how the baseline is to be read: it stays while a definition or a schedule compares
//! with it, by its name or by the address of what it wrote.

use std::collections::BTreeSet;

use jiff::Timestamp;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::metadata::Query;

use super::{Pace, each, older, remove_all};
use crate::Context;
use crate::control::async_invocation::AsyncInvocation;
use crate::control::execution_plan::Definition;
use crate::control::job_definition::JobDefinition;
use crate::control::monitoring_input::constraints_file;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::control::transform_job::TransformJob;
use crate::resources::{Error, Resource, Transaction, Versioned};

/// Removes what was made, and has ended, before a moment.
pub(super) async fn sweep(context: &Context, before: Timestamp, pace: &mut Pace) -> Result<u64, Error> {
    let baselines = Baselines::of(context, pace).await?;
    // Jobs of schedules go with their executions.
    let of_clients = Query { schedule: Some(String::new()), ..Query::default() };
    let is_done = |job: &ProcessingJob| {
        job.is_terminal() && job.modified.0 < before && job.execution.is_none() && !baselines.are_of(job)
    };
    let mut removed = remove(context, &of_clients, before, pace, is_done).await?;
    let is_done = |job: &TransformJob| job.is_terminal() && job.modified.0 < before;
    removed += remove(context, &Query::default(), before, pace, is_done).await?;
    let is_over = |invocation: &AsyncInvocation| invocation.is_over(before);
    removed += remove(context, &Query::default(), before, pace, is_over).await?;
    Ok(removed)
}

async fn remove<T: Resource>(
    context: &Context,
    query: &Query,
    before: Timestamp,
    pace: &mut Pace,
    may_go: impl Fn(&T) -> bool,
) -> Result<u64, Error> {
    let (mut removed, mut after) = (0, None);
    loop {
        let page = older::<T>(context, query.clone(), before, after).await?;
        let going: Vec<Versioned<T>> = page.found.into_iter().filter(|found| may_go(&found.resource)).collect();
        let delete =
            |transaction: Transaction, found: &Versioned<T>| transaction.delete(&found.resource, found.version);
        removed += remove_all(context, &going, delete).await?.len() as u64;
        after = page.next;
        if after.is_none() {
            return Ok(removed);
        }
        pace.rest().await;
    }
}

/// What schedules and definitions compare with.
#[derive(Default)]
struct Baselines {
    /// Keys of the jobs that they name.
    jobs: BTreeSet<String>,
    /// Addresses of constraints that they name.
    constraints: BTreeSet<String>,
    /// What a file of constraints is called.
    files: BTreeSet<&'static str>,
}

impl Baselines {
    async fn of(context: &Context, pace: &mut Pace) -> Result<Self, Error> {
        let mut baselines = Self::default();
        each::<MonitoringSchedule>(context, Query::default(), pace, |schedule| {
            let embedded = schedule.config.monitoring_job_definition.as_ref();
            baselines.add(embedded.and_then(|embedded| Definition::embedded(schedule.monitoring_type, embedded)));
        })
        .await?;
        each::<JobDefinition>(context, Query::default(), pace, |definition| {
            baselines.add(Definition::named(&definition.specification));
        })
        .await?;
        Ok(baselines)
    }

    fn add(&mut self, definition: Option<Definition>) {
        let Some(Definition { baseline, monitoring_type, .. }) = definition else { return };
        self.jobs.extend(baseline.job_name.map(|name| name.to_lowercase()));
        let constraints = baseline.constraints.and_then(|address| address.parse::<S3Uri>().ok());
        self.constraints.extend(constraints.map(|address| address.to_string()));
        self.files.insert(constraints_file(monitoring_type));
    }

    fn are_of(&self, job: &ProcessingJob) -> bool {
        let folder = job.first_output().and_then(|output| output.parse::<S3Uri>().ok());
        let wrote =
            |folder: S3Uri| self.files.iter().any(|file| self.constraints.contains(&folder.join(file).to_string()));
        self.jobs.contains(&job.key()) || folder.is_some_and(wrote)
    }
}
