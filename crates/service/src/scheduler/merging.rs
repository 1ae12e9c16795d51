//! From the merge of an execution to its analysis.
//!
//! The end of the merge job, the analysis job and the execution that goes on with it are one transaction, so that there is no
//! moment between the two jobs: whoever dies, the one job runs or the other waits for a runner.

use jiff::SignedDuration;
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ProcessingJobStatus};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::MergeReport;
use watchkeeper_store::objects::{ListObjects, ObjectInfo, read_all};

use super::{examine, look, remerge, start};
use crate::Context;
use crate::control::execution::{Execution, Trigger, Window};
use crate::control::execution_plan::{merged_folder, with_merged};
use crate::control::merge::{Merge, MergeCounts, Merged};
use crate::control::processing_job::ProcessingJob;
use crate::resources::{Error, Resource as _};

/// The folder of reports below that of the merged lines; readers of these skip names that begin so.
const REPORTS: &str = "_reports/";
/// The most bytes of a report: it is figures and samples.
const LARGEST_REPORT: u64 = 4 << 20;
/// Reports on a page, and the most pages that are looked through.
const PAGE: usize = 1000;
const MOST_PAGES: usize = 100;
/// How far before the window a report may begin: where there is not room for its hours one by one, whole months are merged.
const WIDEST: SignedDuration = SignedDuration::from_hours(31 * 24);

/// How an execution goes on after its merge.
pub(super) enum Next {
    /// With its analysis.
    Analysis {
        /// The execution with that job.
        execution: Box<Execution>,
        /// The job.
        job: Box<ProcessingJob>,
    },
    /// Not at all: it has ended.
    End(Box<Execution>),
}

/// How an execution goes on once a job of it has ended; None where that was no merge that went well.
///
/// # Errors
/// The store failed.
pub(super) async fn after_merge(
    context: &Context,
    execution: &Execution,
    job: &ProcessingJob,
) -> Result<Option<Next>, Error> {
    let Some(merge) = execution.merge.as_ref().filter(|merge| merge.job_arn == job.arn) else { return Ok(None) };
    let Some(analysis) = merge.analysis.as_deref().filter(|_| job.status == ProcessingJobStatus::Completed) else {
        return Ok(None);
    };
    let now = context.now();
    let mut after = execution.clone();
    if let Some(merge) = &mut after.merge {
        // However it goes on, the request is needed no more.
        merge.analysis = None;
    }
    let end = |after: Execution, status, reason| Ok(Some(Next::End(Box::new(after.ended(status, reason, now)))));
    if execution.status == ExecutionStatus::Stopping {
        // It was asked to stop, and had done its work when that was heard.
        return end(after, ExecutionStatus::Stopped, None);
    }
    let Some(folder) = merged_folder(analysis) else {
        let reason = "the analysis that was planned has no input for what was merged".to_owned();
        return end(after, ExecutionStatus::Failed, Some(reason));
    };
    let look::MergedHours { places, fingerprint, has_left } =
        look::merged(context.objects.as_ref(), &folder, merge.has_variants, merge.hours, &merge.left).await?;
    let report = report(context, job, merge).await?;
    let merged = Merged {
        fingerprint,
        counts: report.as_ref().map(|(_, report)| MergeCounts::from(report)),
        report: report.map(|(address, _)| address.to_string()),
    };
    if let Some(merge) = &mut after.merge {
        merge.merged = Some(merged);
    }
    if execution.trigger == Trigger::Remerge
        && let Some(earlier) = remerge::earlier(context, execution).await?
        && earlier.merge_analysed().is_some_and(|merged| merged.fingerprint == fingerprint)
    {
        let note = unchanged_note(after.merge.as_ref());
        return Ok(Some(Next::End(Box::new(after.unchanged(&earlier, note, now)))));
    }
    if places.is_empty() {
        let reason = examine::no_data(&folder.to_string(), merge.hours);
        return end(after, ExecutionStatus::Failed, Some(reason));
    }
    // The analysis cuts by time, which no merged record of a batch has.
    let each_hour = has_left || !merge.has_variants;
    let request = with_merged(analysis.clone(), &places, each_hour, duration(job));
    let job = match start::job_of(context, &after, request) {
        Ok(job) => job,
        Err(error) => return end(after, ExecutionStatus::Failed, Some(error.message)),
    };
    if context.resources.get::<ProcessingJob>(&job.key()).await?.is_some() {
        // Either this was done at the same time, which the transaction will notice, or somebody has taken the name.
        let reason = format!("there is a processing job with the name of the analysis, {}", job.name());
        return end(after, ExecutionStatus::Failed, Some(reason));
    }
    Ok(Some(Next::Analysis { execution: Box::new(after.in_progress(&job, now)), job: Box::new(job) }))
}

fn unchanged_note(merge: Option<&Merge>) -> String {
    let counts = merge.and_then(|merge| merge.merged.as_ref()).and_then(|merged| merged.counts);
    let matched = counts.map_or_else(String::new, |counts| format!(", {} matched as before", counts.matched));
    format!("labels that have come change nothing in this window{matched}: it was not analysed again")
}

fn duration(job: &ProcessingJob) -> SignedDuration {
    let ended = job.ended.unwrap_or(job.modified);
    job.started.map_or(SignedDuration::ZERO, |started| ended.0.duration_since(started.0))
}

/// The reports of merges on hours that overlap these.
///
/// # Errors
/// The store failed.
pub(super) async fn reports(context: &Context, job: &ProcessingJob, hours: Window) -> Result<Vec<ObjectInfo>, Error> {
    let Some(folder) = reports_folder(job) else { return Ok(Vec::new()) };
    let hour = |moment: jiff::Timestamp| moment.strftime("%Y%m%d%H").to_string();
    let last = hour(hours.end.0.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(hours.end.0));
    let (first, earliest) = (hour(hours.start.0), hour(hours.start.0.saturating_sub(WIDEST).unwrap_or(hours.start.0)));
    let mut list = ListObjects {
        bucket: folder.bucket.clone(),
        prefix: folder.key.clone(),
        start_after: Some(format!("{}{earliest}", folder.key)),
        limit: PAGE,
        ..ListObjects::default()
    };
    let overlaps = |key: &str| {
        let name = key[folder.key.len()..].strip_suffix(".json");
        let span = name.and_then(|name| name.split_once('-'));
        span.is_some_and(|(start, end)| start <= last.as_str() && end >= first.as_str())
    };
    let mut found = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = match context.objects.list(&list).await {
            Ok(page) => page,
            Err(watchkeeper_store::Error::NoSuchBucket(_)) => break,
            Err(error) => return Err(error.into()),
        };
        found.extend(page.objects.into_iter().filter(|object| overlaps(&object.key)));
        let Some(next) = page.next else { break };
        list.start_after = Some(next);
    }
    Ok(found)
}

/// Where a merge puts its reports.
fn reports_folder(job: &ProcessingJob) -> Option<S3Uri> {
    Some(job.first_output()?.parse::<S3Uri>().ok()?.join(REPORTS))
}

/// The report of a merge on its hours, and its address. What cannot be read is no reason to lose an execution.
async fn report(context: &Context, job: &ProcessingJob, merge: &Merge) -> Result<Option<(S3Uri, MergeReport)>, Error> {
    let reports = reports(context, job, merge.hours).await?;
    let (left, written): (Vec<_>, Vec<_>) =
        reports.into_iter().partition(|object| merge.left.contains(&look::put(object)));
    let newest = |objects: Vec<ObjectInfo>| objects.into_iter().max_by_key(|object| object.modified);
    let newest = newest(written).or_else(|| newest(left));
    let Some(folder) = reports_folder(job) else { return Ok(None) };
    let Some(object) = newest.filter(|object| object.size <= LARGEST_REPORT) else { return Ok(None) };
    let address = S3Uri { bucket: folder.bucket, key: object.key };
    let read = async {
        let found =
            context.objects.get(&address.bucket, &address.key, None).await.map_err(|error| error.to_string())?;
        let Some((_, body)) = found else { return Err("it is gone".to_owned()) };
        let bytes = read_all(body).await.map_err(|error| error.to_string())?;
        MergeReport::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| error.to_string())
    };
    match read.await {
        Ok(report) => Ok(Some((address, report))),
        Err(reason) => {
            tracing::warn!(%address, reason, "the report of a merge cannot be read");
            Ok(None)
        }
    }
}
