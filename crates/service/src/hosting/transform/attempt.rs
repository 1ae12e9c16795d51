//! One attempt at one job, from its claim to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::TransformJobStatus;

use super::work::Work;
use super::{CLAIM, Failure};
use crate::context::Context;
use crate::control::transform_job::{TransformEvent, TransformJob, apply};
use crate::hosting::Hosting;
use crate::resources::{Error, Transaction, Versioned};
use crate::telemetry::program_log::{ProgramLog, TRANSFORM_JOBS};
use crate::watch::{Job, MOST_TRIES, Order, Watch};

/// How often a job is started at most.
const MOST_ATTEMPTS: u32 = 3;

impl Job for TransformJob {
    fn created(&self) -> Time {
        self.created
    }

    fn is_terminal(&self) -> bool {
        self.is_terminal()
    }

    fn is_stopping(&self) -> bool {
        self.status == TransformJobStatus::Stopping
    }
}

/// What becomes of an attempt.
enum Conclusion {
    /// The job ends.
    End(TransformEvent),
    /// The job is run again by whoever claims it next.
    Release,
    /// The job is no longer ours.
    Abandon,
}

struct Attempt {
    hosting: Arc<Hosting>,
    job: TransformJob,
    watch: Watch<TransformJob>,
    began: Instant,
}

/// Carries out a job that was claimed. `bell` is rung when the job may have been asked to stop.
pub(super) async fn carry_out(hosting: Arc<Hosting>, job: Versioned<TransformJob>, bell: Receiver<()>) {
    let job = job.resource;
    let watch = Watch::new(Arc::clone(&hosting.context), &job, CLAIM, bell);
    let mut attempt = Attempt { hosting, job, watch, began: Instant::now() };
    match Box::pin(attempt.conclusion()).await {
        Conclusion::End(event) => attempt.end(event).await,
        Conclusion::Release => attempt.release().await,
        Conclusion::Abandon => {}
    }
}

impl Attempt {
    async fn conclusion(&mut self) -> Conclusion {
        if self.job.status == TransformJobStatus::Stopping {
            // Whoever carried it out has gone, or nobody ever did.
            return Conclusion::End(TransformEvent::Stopped);
        }
        let log = self.open_logs().await;
        let concluded = if self.job.attempts >= MOST_ATTEMPTS {
            Err(Failure(format!(
                "the service ended {MOST_ATTEMPTS} times while it ran this job, so it is not run again: see whether the job \
                 uses up the machine's memory"
            )))
        } else {
            Box::pin(self.work(&log)).await
        };
        match concluded {
            Ok(conclusion) => conclusion,
            Err(Failure(reason)) => {
                log.say(&reason).await;
                Conclusion::End(TransformEvent::Failed { reason })
            }
        }
    }

    /// There are as many streams as instances, which clients wait for; one server does the work, and the first is its log.
    async fn open_logs(&self) -> ProgramLog {
        let context = &self.hosting.context;
        let instances = self.job.request.transform_resources.instance_count.max(1);
        let now = context.now();
        let first = open_log(context, &self.job, 1, now).await;
        first.say(&format!("transform job {}, attempt {}", self.job.arn, self.job.attempts + 1)).await;
        for number in 2..=instances {
            let log = open_log(context, &self.job, number, now).await;
            log.say(&format!("transform job {}: its work is in the log of instance algo-1", self.job.arn)).await;
        }
        first
    }

    async fn work(&mut self, log: &ProgramLog) -> Result<Conclusion, Failure> {
        if let Some(order) = self.start().await? {
            return Ok(concluded(order));
        }
        let work = Work::new(Arc::clone(&self.hosting), &self.job, log.clone())?;
        let done = self.watch.during(Box::pin(work.run()), true).await;
        work.clear().await;
        match done {
            Ok(Ok(())) => Ok(Conclusion::End(TransformEvent::Completed)),
            Ok(Err(failure)) => Err(failure),
            Err(order) => Ok(concluded(order)),
        }
    }

    /// Counts the attempt and makes it known that the work begins; some order where it must not.
    async fn start(&mut self) -> Result<Option<Order>, Failure> {
        let started = |job: &TransformJob, now| {
            let started = apply(job, TransformEvent::Started, now)?;
            Ok(TransformJob { attempts: job.attempts + 1, ..started })
        };
        match self.watch.change(started).await.map_err(Failure)? {
            Ok(job) => {
                tracing::info!(job = job.name(), attempt = job.attempts, "transform job started");
                self.job = job;
                Ok(None)
            }
            Err(order) => Ok(Some(order)),
        }
    }

    /// Commits the job's end state. Others may change the job meanwhile, also by asking it to stop.
    async fn end(&mut self, event: TransformEvent) {
        for number in 0..MOST_TRIES {
            match self.try_end(&event).await {
                Ok(()) => return,
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(job = self.job.name(), %error, "the end of a transform job could not be stored");
                    sleep(Duration::from_millis(50 << number.min(6))).await;
                }
            }
        }
        // The claim runs out, and the job is run again.
        tracing::error!(job = self.job.name(), "the end of a transform job was not stored");
    }

    async fn try_end(&self, event: &TransformEvent) -> Result<(), Error> {
        let Some(Versioned { resource, version }) = self.watch.load().await? else { return Ok(()) };
        let context = &self.hosting.context;
        let ended = match apply(&resource, event.clone(), context.now()) {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(job = self.job.name(), %error, "a transform job could not end");
                return Ok(());
            }
        };
        context.resources.commit(Transaction::new().update(&ended, version)).await?;
        let (status, reason, seconds) = (ended.status, &ended.failure_reason, self.began.elapsed().as_secs_f64());
        tracing::info!(job = ended.name(), %status, reason, seconds, "transform job ended");
        Ok(())
    }

    /// Gives the job back. An attempt that the service itself broke off does not count.
    async fn release(&mut self) {
        for _ in 0..MOST_TRIES {
            let Ok(Some(Versioned { resource: mut job, version })) = self.watch.load().await else { return };
            if job.status == TransformJobStatus::Stopping {
                return self.end(TransformEvent::Stopped).await;
            }
            job.started = None;
            job.attempts = job.attempts.saturating_sub(1);
            match self.hosting.context.resources.commit(Transaction::new().update(&job, version)).await {
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    return tracing::warn!(job = self.job.name(), %error, "a transform job could not be given back");
                }
                Ok(()) => return,
            }
        }
    }
}

fn concluded(order: Order) -> Conclusion {
    match order {
        Order::Stop => Conclusion::End(TransformEvent::Stopped),
        Order::Shutdown => Conclusion::Release,
        Order::Gone => Conclusion::Abandon,
    }
}

async fn open_log(context: &Context, job: &TransformJob, number: i32, now: jiff::Timestamp) -> ProgramLog {
    let (logs, clock) = (Arc::clone(&context.logs), Arc::clone(&context.clock));
    let stream = ProgramLog::job_stream(job.name(), &format!("algo-{number}"), now);
    ProgramLog::open(logs, clock, TRANSFORM_JOBS, stream).await
}
