//! Monitoring alerts and their history.

use watchkeeper_aws::generated::sagemaker::{
    ListMonitoringAlertHistoryRequest, ListMonitoringAlertHistoryResponse, ListMonitoringAlertsRequest,
    ListMonitoringAlertsResponse, UpdateMonitoringAlertRequest, UpdateMonitoringAlertResponse,
};
use watchkeeper_aws::{Call, Error, Time};
use watchkeeper_store::metadata::{Query, SortBy};

use super::documents::{find, list, retrying};
use super::schedules;
use crate::api::failure::internal;
use crate::context::Context;
use crate::control::alert::{self, Alert, AlertChange};
use crate::control::listing::{self, Page};
use crate::control::milliseconds;
use crate::resources::Transaction;

pub(super) async fn list_alerts(
    context: &Context,
    call: &Call,
    request: ListMonitoringAlertsRequest,
) -> Result<ListMonitoringAlertsResponse, Error> {
    schedules::load(context, call, &request.monitoring_schedule_name).await?;
    let query = Query {
        schedule: Some(request.monitoring_schedule_name),
        sort_by: SortBy::Created,
        descending: true,
        ..Query::default()
    };
    let page = Page::of_request("ListMonitoringAlerts", query, request.next_token.as_deref(), request.max_results)?;
    let (alerts, next_token) = list::<Alert>(context, &page).await?;
    let summaries = alerts.into_iter().map(Alert::summary).collect();
    Ok(ListMonitoringAlertsResponse { monitoring_alert_summaries: Some(summaries), next_token })
}

pub(super) async fn update(
    context: &Context,
    call: &Call,
    request: UpdateMonitoringAlertRequest,
) -> Result<UpdateMonitoringAlertResponse, Error> {
    let (schedule_name, alert_name) = (&request.monitoring_schedule_name, &request.monitoring_alert_name);
    retrying(|| async {
        let schedule = schedules::load(context, call, schedule_name).await?;
        let found = find::<Alert>(context, &Alert::key_of(schedule_name, alert_name)).await?;
        let alert = found.ok_or_else(|| alert::not_found(&schedule.resource.name, alert_name))?;
        let now = milliseconds(context.now());
        let updated = alert.resource.update(request.datapoints_to_alert, request.evaluation_period, now)?;
        context.resources.commit(Transaction::new().update(&updated, alert.version)).await?;
        Ok(UpdateMonitoringAlertResponse {
            monitoring_schedule_arn: schedule.resource.arn,
            monitoring_alert_name: Some(updated.name),
        })
    })
    .await
}

pub(super) async fn list_history(
    context: &Context,
    call: &Call,
    request: ListMonitoringAlertHistoryRequest,
) -> Result<ListMonitoringAlertHistoryResponse, Error> {
    let mut schedule_name = request.monitoring_schedule_name;
    let mut created = listing::range(request.creation_time_after, request.creation_time_before);
    if let Some(name) = &schedule_name {
        let Time(since) = schedules::load(context, call, name).await?.resource.created;
        // The history of an earlier schedule of the same name is not this one's.
        let before_it = since.as_millisecond() - 1;
        created.after = Some(created.after.map_or(before_it, |after| after.max(before_it)));
    }
    if let Some(name) = &request.monitoring_alert_name {
        let alert = named(context, schedule_name.as_deref(), name).await?;
        let before_it = alert.created.0.as_millisecond() - 1;
        created.after = Some(created.after.map_or(before_it, |after| after.max(before_it)));
        // A schedule has one alert, so the history of the alert is that of its schedule.
        schedule_name = Some(alert.schedule_name);
    }
    let query = Query {
        schedule: schedule_name,
        status: request.status_equals.map(|status| status.as_str().to_owned()),
        created,
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page =
        Page::of_request("ListMonitoringAlertHistory", query, request.next_token.as_deref(), request.max_results)?;
    let (changes, next_token) = list::<AlertChange>(context, &page).await?;
    let history = changes.into_iter().map(AlertChange::summary).collect();
    Ok(ListMonitoringAlertHistoryResponse { monitoring_alert_history: Some(history), next_token })
}

/// The alert of a name, of one schedule or of any.
async fn named(context: &Context, schedule: Option<&str>, name: &str) -> Result<Alert, Error> {
    let query =
        Query { name_contains: Some(name.to_owned()), schedule: schedule.map(str::to_owned), ..Query::default() };
    let alerts = context.resources.list::<Alert>(&query).await.map_err(|error| internal(&error))?;
    let found = alerts.into_iter().map(|found| found.resource).find(|alert| alert.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| alert::not_found(schedule.unwrap_or("(any)"), name))
}
