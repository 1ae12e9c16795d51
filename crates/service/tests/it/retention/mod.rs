//! What the sweeper removes, and what it must not.

mod captures;
mod executions;
mod jobs;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{CreateProcessingJobRequest, ProcessingJobStatus};
use watchkeeper_service::configuration::RetentionSettings;
use watchkeeper_service::control::execution::Execution;
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::resources::{Resource, Transaction};
use watchkeeper_service::retention::{Swept, sweep};
use watchkeeper_service::{Configuration, Context};
use watchkeeper_store::logs::{LogEvent, StreamsQuery};
use watchkeeper_store::metadata::{Change, Columns, Datum, Document, Kind, MetricFilter, Query};
use watchkeeper_store::objects::{ListUploads, ObjectAttributes, body};

use crate::scheduler::world::{IMAGE, REGION, ROLE, World, moment};

/// Sweeps as a service with these settings does, until nothing goes any more; gives all that went.
async fn sweep_with(world: &World, settings: RetentionSettings) -> Swept {
    let configuration = Configuration { retention: settings, ..Configuration::default() };
    let context = world.configured(configuration);
    let mut all = Swept::default();
    loop {
        let swept = sweep(&context).await.unwrap();
        if swept == Swept::default() {
            return all;
        }
        all.log_events += swept.log_events;
        all.metric_data += swept.metric_data;
        all.executions += swept.executions;
        all.alert_changes += swept.alert_changes;
        all.alarm_changes += swept.alarm_changes;
        all.jobs += swept.jobs;
        all.captures += swept.captures;
        all.uploads += swept.uploads;
    }
}

/// Nothing but what is set.
fn nothing() -> RetentionSettings {
    RetentionSettings { log_days: 0, metric_days: 0, execution_days: 0, job_days: 0, capture_days: 0 }
}

async fn keys<T: Resource>(context: &Context) -> BTreeSet<String> {
    let all = context.resources.list::<T>(&Query::default()).await.unwrap();
    all.iter().map(|found| found.resource.key()).collect()
}

/// A job that is stored as it is, made and ended at this moment, of an execution or of a client.
fn job(
    context: &Context,
    name: &str,
    output: &str,
    status: ProcessingJobStatus,
    of: Option<&Execution>,
) -> ProcessingJob {
    let request = json!({
        "ProcessingJobName": name,
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}},
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output":
            {"S3Uri": output, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}]},
    });
    let request: CreateProcessingJobRequest = serde_json::from_value(request).unwrap();
    let job = ProcessingJob::create(request, &context.stamp(REGION)).unwrap();
    ProcessingJob {
        status,
        execution: of.map(|execution| execution.key.clone()),
        monitoring_schedule_arn: of.map(|execution| execution.schedule_arn.clone()),
        ..job
    }
}

async fn insert<T: Resource>(context: &Context, resource: &T) {
    context.resources.commit(Transaction::new().insert(resource)).await.unwrap();
}

#[tokio::test]
async fn without_settings_only_old_metrics_and_abandoned_uploads_go() {
    let world = World::at("2026-01-01T00:00:00Z").await;
    let context = &world.context;
    let now = context.now().as_millisecond();
    let datum = |time| Datum {
        namespace: "n".into(),
        metric: "m".into(),
        dimensions: Vec::new(),
        time,
        unit: "None".into(),
        sample_count: 1.0,
        sum: 1.0,
        minimum: 1.0,
        maximum: 1.0,
    };
    let day = 86_400_000;
    context.resources.store().commit(vec![Change::PutMetrics(vec![datum(now), datum(now + day)])]).await.unwrap();
    context.logs.create_group("g", now).await.unwrap();
    context.logs.create_stream("g", "s", now).await.unwrap();
    let event = LogEvent { timestamp: now, message: "m".into() };
    context.logs.append("g", "s", vec![event], now).await.unwrap();
    insert(context, &job(context, "old", "s3://b/out", ProcessingJobStatus::Completed, None)).await;
    world.capture("2025/12/01/00").await;
    let columns = Columns { created: now, ..Columns::default() };
    let entry = |key: String| Document {
        kind: Kind::AlarmChange,
        key,
        version: 0,
        columns: columns.clone(),
        body: "{}".into(),
    };
    let history = (0..450).map(|number| Change::Insert(entry(number.to_string()))).collect();
    context.resources.store().commit(history).await.unwrap();
    world.set_text("2026-01-30T23:59:59Z");
    assert_eq!(sweep_with(&world, nothing()).await.alarm_changes, 0);
    world.set_text("2026-01-31T00:00:01Z");
    assert_eq!(sweep_with(&world, nothing()).await.alarm_changes, 450);
    // Fifteen months after the first of the two data.
    world.set(moment("2027-04-01T12:00:00Z"));
    sweep_with(&world, RetentionSettings::default()).await;
    assert_eq!(context.resources.store().list_metrics(&MetricFilter::default()).await.unwrap().len(), 1);
    world.set(moment("2027-04-02T12:00:00Z"));
    sweep_with(&world, RetentionSettings::default()).await;
    assert!(context.resources.store().list_metrics(&MetricFilter::default()).await.unwrap().is_empty());
    // Uploads are stamped by the machine's clock.
    context.objects.create_upload("b", "abandoned", ObjectAttributes::default()).await.unwrap();
    let used = context.objects.create_upload("b", "used", ObjectAttributes::default()).await.unwrap();
    context.objects.put_part("b", "used", &used, 1, body("x")).await.unwrap();

    let settings = RetentionSettings::default();
    world.set(jiff::Timestamp::now() + SignedDuration::from_hours(6 * 24));
    assert_eq!(sweep_with(&world, settings.clone()).await.uploads, 0, "a week is not over");
    world.set(jiff::Timestamp::now() + SignedDuration::from_hours(8 * 24));
    let swept = sweep_with(&world, settings.clone()).await;
    assert_eq!(swept, Swept { uploads: 2, ..Swept::default() });
    let list = ListUploads { bucket: "b".into(), prefix: String::new(), after: None, limit: 10 };
    assert!(context.objects.list_uploads(&list).await.unwrap().uploads.is_empty());

    assert_eq!(keys::<ProcessingJob>(context).await.len(), 1);

    // Logs go once somebody says so: of one group, or of all.
    context.logs.set_retention("g", Some(7)).await.unwrap();
    let swept = sweep_with(&world, nothing()).await;
    assert_eq!(swept, Swept { log_events: 2, ..Swept::default() });
    let query = StreamsQuery { group: "g".into(), ..StreamsQuery::default() };
    assert!(
        context.logs.streams(&query).await.unwrap().is_empty(),
        "nor is the stream there that is empty for so long"
    );
}

#[tokio::test]
async fn what_is_kept_for_so_many_days_is_there_for_that_long() {
    let world = World::at("2026-01-01T00:00:00Z").await;
    let context = &world.context;
    insert(context, &job(context, "job", "s3://b/out", ProcessingJobStatus::Completed, None)).await;
    let mut unended = job(context, "unended", "s3://b/out", ProcessingJobStatus::InProgress, None);
    insert(context, &unended).await;
    let settings = RetentionSettings { job_days: 3, ..nothing() };
    world.set_text("2026-01-04T00:00:00Z");
    assert_eq!(sweep_with(&world, settings.clone()).await, Swept::default());
    world.set_text("2026-01-04T00:00:01Z");
    assert_eq!(sweep_with(&world, settings.clone()).await, Swept { jobs: 1, ..Swept::default() });
    // From its end on: what runs for long is not old when it has ended.
    let stored = context.resources.get::<ProcessingJob>("unended").await.unwrap().unwrap();
    (unended.status, unended.modified) = (ProcessingJobStatus::Stopped, Time(moment("2026-01-03T00:00:00Z")));
    context.resources.commit(Transaction::new().update(&unended, stored.version)).await.unwrap();
    world.set_text("2026-01-06T00:00:00Z");
    assert_eq!(sweep_with(&world, settings.clone()).await, Swept::default());
    world.set_text("2026-01-06T00:00:01Z");
    assert_eq!(sweep_with(&world, settings).await, Swept { jobs: 1, ..Swept::default() });
}
