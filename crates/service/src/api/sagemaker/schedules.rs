//! Monitoring schedules.

use watchkeeper_aws::generated::sagemaker::{
    CreateMonitoringScheduleRequest, CreateMonitoringScheduleResponse, DescribeMonitoringScheduleResponse,
    ListMonitoringSchedulesRequest, ListMonitoringSchedulesResponse, MonitoringScheduleConfig, MonitoringType,
    UpdateMonitoringScheduleRequest, UpdateMonitoringScheduleResponse,
};
use watchkeeper_aws::types::Extensions;
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use crate::api::quota;
use crate::context::{Context, ring};
use crate::control::alert::Alert;
use crate::control::job_definition::JobDefinition;
use crate::control::listing::{self, Page};
use crate::control::names::Named;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::config::{References, definition_ambiguous};
use crate::control::schedule::{self, MonitoringSchedule};
use crate::resources::{Transaction, Versioned};

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateMonitoringScheduleRequest,
) -> Result<CreateMonitoringScheduleResponse, Error> {
    let arn = retrying(|| async {
        let key = MonitoringSchedule::key_of(&request.monitoring_schedule_name);
        if let Some(other) = find::<MonitoringSchedule>(context, &key).await? {
            return Err(schedule::name_taken(&other.resource.arn).into());
        }
        quota::one_more_resource::<MonitoringSchedule>(context).await?;
        let loaded = Loaded::of(context, &request.monitoring_schedule_config, None).await?;
        let stamp = context.stamp(&call.region);
        let schedule = MonitoringSchedule::create(request.clone(), &loaded.references(context), &stamp)?;
        let alert = Alert::of_schedule(&schedule);
        let transaction = loaded.locked(Transaction::new().insert(&schedule).insert(&alert));
        context.resources.commit(transaction).await?;
        Ok(schedule.arn)
    })
    .await?;
    ring(&context.scheduler_bell);
    Ok(CreateMonitoringScheduleResponse { monitoring_schedule_arn: arn })
}

pub(super) async fn update(
    context: &Context,
    call: &Call,
    request: UpdateMonitoringScheduleRequest,
) -> Result<UpdateMonitoringScheduleResponse, Error> {
    let config = &request.monitoring_schedule_config;
    let arn = retrying(|| async {
        let found = load(context, call, &request.monitoring_schedule_name).await?;
        let loaded = Loaded::of(context, config, Some(found.resource.monitoring_type)).await?;
        let updated = found.resource.update(config.clone(), &loaded.references(context), context.now())?;
        let transaction = loaded.locked(Transaction::new().update(&updated, found.version));
        context.resources.commit(transaction).await?;
        Ok(updated.arn)
    })
    .await?;
    ring(&context.scheduler_bell);
    Ok(UpdateMonitoringScheduleResponse { monitoring_schedule_arn: arn })
}

pub(super) async fn describe(
    context: &Context,
    call: &Call,
    name: &str,
) -> Result<DescribeMonitoringScheduleResponse, Error> {
    Ok(load(context, call, name).await?.resource.describe())
}

pub(super) async fn start(context: &Context, call: &Call, name: &str) -> Result<(), Error> {
    change(context, call, name, |schedule| schedule.start(context.now())).await
}

pub(super) async fn stop(context: &Context, call: &Call, name: &str) -> Result<(), Error> {
    change(context, call, name, |schedule| schedule.stop(context.now())).await
}

pub(super) async fn delete(context: &Context, call: &Call, name: &str) -> Result<(), Error> {
    change(context, call, name, |schedule| schedule.delete(context.now())).await
}

/// Commits what `become` makes of a schedule, and nothing when it makes nothing of it.
async fn change(
    context: &Context,
    call: &Call,
    name: &str,
    change: impl Fn(&MonitoringSchedule) -> Result<Option<MonitoringSchedule>, Error>,
) -> Result<(), Error> {
    retrying(|| async {
        let found = load(context, call, name).await?;
        if let Some(changed) = change(&found.resource)? {
            context.resources.commit(Transaction::new().update(&changed, found.version)).await?;
        }
        Ok(())
    })
    .await?;
    ring(&context.scheduler_bell);
    Ok(())
}

/// A schedule by its name.
pub(super) async fn load(context: &Context, call: &Call, name: &str) -> Result<Versioned<MonitoringSchedule>, Error> {
    let found = find(context, &MonitoringSchedule::key_of(name)).await?;
    found.ok_or_else(|| schedule::not_found(&Named::MonitoringSchedule.arn(&context.stamp(&call.region), name)))
}

pub(super) async fn list_schedules(
    context: &Context,
    request: ListMonitoringSchedulesRequest,
) -> Result<ListMonitoringSchedulesResponse, Error> {
    let query = Query {
        name_contains: request.name_contains,
        status: request.status_equals.map(|status| status.as_str().to_owned()),
        monitoring_type: request.monitoring_type_equals.map(|kind| kind.as_str().to_owned()),
        endpoint: request.endpoint_name,
        definition: request.monitoring_job_definition_name,
        created: listing::range(request.creation_time_after, request.creation_time_before),
        modified: listing::range(request.last_modified_time_after, request.last_modified_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListMonitoringSchedules", query, request.next_token.as_deref(), request.max_results)?;
    let (schedules, next_token) = list::<MonitoringSchedule>(context, &page).await?;
    let monitoring_schedule_summaries = schedules.into_iter().map(MonitoringSchedule::summary).collect();
    Ok(ListMonitoringSchedulesResponse { monitoring_schedule_summaries, next_token })
}

/// What a configuration names, as far as it is there.
#[derive(Default)]
struct Loaded {
    definition: Option<Versioned<JobDefinition>>,
    baselining_job: Option<ProcessingJob>,
}

impl Loaded {
    /// Where a configuration names a definition without its type, the type of the schedule decides if there are several.
    async fn of(
        context: &Context,
        config: &MonitoringScheduleConfig,
        present: Option<MonitoringType>,
    ) -> Result<Self, Error> {
        let embedded = config.monitoring_job_definition.as_ref();
        let baseline = embedded.and_then(|definition| definition.baseline_config.as_ref());
        let mut loaded = Self::default();
        if let Some(name) = baseline.and_then(|baseline| baseline.baselining_job_name.as_ref()) {
            loaded.baselining_job = find(context, &name.to_lowercase()).await?.map(|found| found.resource);
        }
        if let Some(name) = &config.monitoring_job_definition_name {
            loaded.definition = definition(context, name, config.monitoring_type, present).await?;
        }
        Ok(loaded)
    }

    fn references(&self, context: &Context) -> References<'_> {
        References {
            definition: self.definition.as_ref().map(|found| &found.resource),
            baselining_job: self.baselining_job.as_ref(),
            extensions: Extensions { minutes: context.configuration.scheduler.extended_expressions },
        }
    }

    /// The transaction, which a deletion of the definition at the same moment makes fail, and the other way round.
    fn locked(&self, transaction: Transaction) -> Transaction {
        match &self.definition {
            Some(found) => transaction.update(&found.resource, found.version),
            None => transaction,
        }
    }
}

async fn definition(
    context: &Context,
    name: &str,
    asked: Option<MonitoringType>,
    present: Option<MonitoringType>,
) -> Result<Option<Versioned<JobDefinition>>, Error> {
    if let Some(kind) = asked {
        return find(context, &JobDefinition::key_of(kind, name)).await;
    }
    let mut all = Vec::new();
    for kind in MonitoringType::ALL {
        all.extend(find::<JobDefinition>(context, &JobDefinition::key_of(*kind, name)).await?);
    }
    if all.len() > 1 {
        all.retain(|found| Some(found.resource.specification.monitoring_type()) == present);
        if all.is_empty() {
            return Err(definition_ambiguous(name));
        }
    }
    Ok(all.pop())
}
