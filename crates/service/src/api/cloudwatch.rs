//! CloudWatch: metrics, alarms and dashboards over the metadata store.
//!
//! Namespaces with and without a leading slash are one. An alarm is evaluated whenever its metric gets a datum through
//! this interface, and whenever it is looked at; its actions are stored and never sent.

mod alarm_state;
mod alarms;
mod dashboards;
mod documents;
mod expression;
mod metrics;
mod statistics;

use std::sync::Arc;

use jiff::Timestamp;
use watchkeeper_aws::generated::cloudwatch::{
    CloudWatch as CloudWatchApi, DeleteAlarmsInput, DeleteDashboardsInput, DeleteDashboardsOutput,
    DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput, DescribeAlarmsInput, DescribeAlarmsOutput,
    GetDashboardInput, GetDashboardOutput, GetMetricDataInput, GetMetricDataOutput, GetMetricStatisticsInput,
    GetMetricStatisticsOutput, ListDashboardsInput, ListDashboardsOutput, ListMetricsInput, ListMetricsOutput,
    PutDashboardInput, PutDashboardOutput, PutMetricAlarmInput, PutMetricDataInput, SetAlarmStateInput,
};
use watchkeeper_aws::{Call, Error};

use crate::Context;

/// The service.
pub struct CloudWatch(pub Arc<Context>);

fn invalid_value(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterValue", message)
}

fn invalid_combination(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterCombination", message)
}

fn invalid_token() -> Error {
    Error::new("InvalidNextToken", "The NextToken is not one that this list has given out")
}

impl CloudWatch {
    /// Evaluates the alarms of a metric: for who writes data past this interface, such as the end of a job.
    pub async fn evaluate_alarms(&self, namespace: &str, metric: &str, now: Timestamp) -> Result<(), Error> {
        self.evaluate_alarms_of(namespace, metric, now).await
    }
}

impl CloudWatchApi for CloudWatch {
    async fn put_metric_data(&self, _: &Call, input: PutMetricDataInput) -> Result<(), Error> {
        self.put_data(&input).await
    }

    async fn get_metric_statistics(
        &self,
        _: &Call,
        input: GetMetricStatisticsInput,
    ) -> Result<GetMetricStatisticsOutput, Error> {
        self.statistics(input).await
    }

    async fn get_metric_data(&self, _: &Call, input: GetMetricDataInput) -> Result<GetMetricDataOutput, Error> {
        self.metric_data(input).await
    }

    async fn list_metrics(&self, _: &Call, input: ListMetricsInput) -> Result<ListMetricsOutput, Error> {
        self.metrics(input).await
    }

    async fn put_metric_alarm(&self, call: &Call, input: PutMetricAlarmInput) -> Result<(), Error> {
        self.put_alarm(call, input).await
    }

    async fn describe_alarms(&self, _: &Call, input: DescribeAlarmsInput) -> Result<DescribeAlarmsOutput, Error> {
        self.alarms(input).await
    }

    async fn delete_alarms(&self, call: &Call, input: DeleteAlarmsInput) -> Result<(), Error> {
        self.remove_alarms(call, input).await
    }

    async fn describe_alarm_history(
        &self,
        _: &Call,
        input: DescribeAlarmHistoryInput,
    ) -> Result<DescribeAlarmHistoryOutput, Error> {
        self.alarm_history(input).await
    }

    async fn set_alarm_state(&self, call: &Call, input: SetAlarmStateInput) -> Result<(), Error> {
        self.set_alarm(call, input).await
    }

    async fn put_dashboard(&self, call: &Call, input: PutDashboardInput) -> Result<PutDashboardOutput, Error> {
        self.save_dashboard(call, input).await
    }

    async fn get_dashboard(&self, _: &Call, input: GetDashboardInput) -> Result<GetDashboardOutput, Error> {
        self.dashboard(input).await
    }

    async fn list_dashboards(&self, _: &Call, input: ListDashboardsInput) -> Result<ListDashboardsOutput, Error> {
        self.dashboards(input).await
    }

    async fn delete_dashboards(&self, _: &Call, input: DeleteDashboardsInput) -> Result<DeleteDashboardsOutput, Error> {
        self.remove_dashboards(input).await
    }
}
