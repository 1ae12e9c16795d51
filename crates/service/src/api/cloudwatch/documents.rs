//! Alarms, their changes, and dashboards as documents. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_aws::generated::cloudwatch::{
    AlarmHistoryItem, AlarmType, ComparisonOperator, HistoryItemType, Metric, MetricAlarm, MetricDataQuery,
    PutMetricAlarmInput, StandardUnit, StateValue,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::alarm_state::{Judgement, Missing, Rule};
use super::metrics::{check_period, statistic_text};
use super::statistics::Statistic;
use super::{invalid_combination, invalid_value};
use crate::control::Stamp;
use crate::resources::Resource;

/// The longest time an alarm may look back over, in seconds: a week.
const LONGEST_LOOK: i64 = 7 * 24 * 3600;
/// How long a state that somebody has set stays before it is evaluated again without a new datum.
const SET_STATE_SECONDS: i64 = 60;

/// An alarm: the description of it, and until when its state is not to be touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    pub(super) alarm: MetricAlarm,
    pub(super) held_until: Option<Time>,
}

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched {
    pub(super) metric: Metric,
    /// Seconds.
    pub(super) period: i64,
    pub(super) statistic: Statistic,
    pub(super) unit: Option<StandardUnit>,
}

/// One entry of an alarm's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AlarmChange {
    pub(super) id: String,
    pub(super) alarm: String,
    pub(super) time: Time,
    pub(super) kind: HistoryItemType,
    pub(super) summary: String,
    pub(super) data: String,
}

/// A dashboard, its body as it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dashboard {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) body: String,
    pub(super) modified: Time,
}

/// What alarms of one metric are found by.
pub(super) fn series_name(namespace: &str, metric: &str) -> String {
    format!("{} {metric}", namespace.strip_prefix('/').unwrap_or(namespace))
}

impl Resource for Alarm {
    const KIND: Kind = Kind::Alarm;

    fn key(&self) -> String {
        self.name().to_owned()
    }

    fn columns(&self) -> Columns {
        let metric = self.metric();
        Columns {
            name: self.name().to_owned(),
            status: self.state().as_str().to_owned(),
            definition: series_name(
                metric.namespace.as_deref().unwrap_or_default(),
                metric.metric_name.as_deref().unwrap_or_default(),
            ),
            modified: self.alarm.alarm_configuration_updated_timestamp.map_or(0, |time| time.0.as_millisecond()),
            ..Columns::default()
        }
    }
}

impl Resource for AlarmChange {
    const KIND: Kind = Kind::AlarmChange;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.alarm.clone(),
            definition: self.alarm.clone(),
            status: self.kind.as_str().to_owned(),
            created: self.time.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

impl Resource for Dashboard {
    const KIND: Kind = Kind::Dashboard;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn columns(&self) -> Columns {
        Columns { name: self.name.clone(), modified: self.modified.0.as_millisecond(), ..Columns::default() }
    }
}

impl Alarm {
    /// The alarm that a request describes. A known one keeps its state and is replaced in everything else.
    pub(super) fn put(input: PutMetricAlarmInput, known: Option<&Self>, stamp: &Stamp) -> Result<Self, Error> {
        if input.evaluation_criteria.is_some() || input.threshold_metric_id.is_some() {
            return Err(invalid_combination("Alarms on queries and on anomaly detection are not supported."));
        }
        let operator = input.comparison_operator;
        if !matches!(
            operator,
            Some(
                ComparisonOperator::GreaterThanOrEqualToThreshold
                    | ComparisonOperator::GreaterThanThreshold
                    | ComparisonOperator::LessThanThreshold
                    | ComparisonOperator::LessThanOrEqualToThreshold
            )
        ) {
            return Err(invalid_value("The parameter ComparisonOperator must compare with the threshold."));
        }
        if !input.threshold.is_some_and(f64::is_finite) {
            return Err(Error::new("MissingParameter", "The parameter Threshold is required."));
        }
        let state = known.map(|known| &known.alarm);
        let alarm = MetricAlarm {
            alarm_arn: Some(format!(
                "arn:aws:cloudwatch:{}:{}:alarm:{}",
                stamp.region, stamp.account, input.alarm_name
            )),
            alarm_name: Some(input.alarm_name),
            alarm_description: input.alarm_description,
            alarm_configuration_updated_timestamp: Some(stamp.time()),
            actions_enabled: Some(input.actions_enabled.unwrap_or(true)),
            ok_actions: Some(input.ok_actions.unwrap_or_default()),
            alarm_actions: Some(input.alarm_actions.unwrap_or_default()),
            insufficient_data_actions: Some(input.insufficient_data_actions.unwrap_or_default()),
            state_value: Some(state.and_then(|state| state.state_value).unwrap_or(StateValue::InsufficientData)),
            state_reason: Some(
                state
                    .and_then(|state| state.state_reason.clone())
                    .unwrap_or_else(|| "Unchecked: Initial alarm creation".to_owned()),
            ),
            state_updated_timestamp: Some(
                state.and_then(|state| state.state_updated_timestamp).unwrap_or(stamp.time()),
            ),
            state_transitioned_timestamp: Some(
                state.and_then(|state| state.state_transitioned_timestamp).unwrap_or(stamp.time()),
            ),
            metric_name: input.metric_name,
            namespace: input.namespace,
            statistic: input.statistic,
            extended_statistic: input.extended_statistic,
            dimensions: if input.metrics.is_some() { None } else { Some(input.dimensions.unwrap_or_default()) },
            period: input.period,
            unit: input.unit,
            evaluation_periods: input.evaluation_periods,
            datapoints_to_alarm: input.datapoints_to_alarm,
            threshold: input.threshold,
            comparison_operator: operator,
            treat_missing_data: input.treat_missing_data,
            evaluate_low_sample_count_percentile: input.evaluate_low_sample_count_percentile,
            metrics: input.metrics,
            ..MetricAlarm::default()
        };
        let made = Self { alarm, held_until: None };
        made.check()?;
        Ok(made)
    }

    fn check(&self) -> Result<(), Error> {
        let watched = self.watched()?;
        let periods = self.alarm.evaluation_periods.unwrap_or(0);
        if periods < 1 {
            return Err(Error::new("MissingParameter", "The parameter EvaluationPeriods is required."));
        }
        if self.alarm.datapoints_to_alarm.is_some_and(|needed| needed < 1 || needed > periods) {
            return Err(invalid_value("The parameter DatapointsToAlarm must be from 1 to EvaluationPeriods."));
        }
        if Missing::read(self.alarm.treat_missing_data.as_deref()).is_none() {
            return Err(invalid_value(
                "The parameter TreatMissingData must be one of missing, breaching, notBreaching and ignore.",
            ));
        }
        if watched.period * i64::from(periods) > LONGEST_LOOK {
            return Err(invalid_value(
                "Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800).",
            ));
        }
        Ok(())
    }

    /// What it looks at: its own metric, or the one of its one query.
    pub(super) fn watched(&self) -> Result<Watched, Error> {
        let alarm = &self.alarm;
        let (metric, period, text, unit) = match (alarm.metrics.as_deref(), &alarm.metric_name) {
            (Some([MetricDataQuery { metric_stat: Some(stat), .. }]), None) => {
                (stat.metric.clone(), stat.period, Some(stat.stat.clone()), stat.unit)
            }
            (None, Some(_)) => {
                let text = statistic_text(alarm.statistic, alarm.extended_statistic.as_ref());
                (self.metric(), alarm.period.unwrap_or(0), text, alarm.unit)
            }
            (Some(_), None) => {
                return Err(invalid_combination("An alarm on Metrics must have exactly one query, with a MetricStat."));
            }
            _ => return Err(invalid_combination("An alarm must have exactly one of MetricName and Metrics.")),
        };
        let (Some(_), Some(_)) = (&metric.namespace, &metric.metric_name) else {
            return Err(Error::new("MissingParameter", "The parameters Namespace and MetricName are required."));
        };
        check_period(period)?;
        let statistic = text.as_deref().and_then(Statistic::read);
        let statistic = statistic.ok_or_else(|| {
            invalid_combination("An alarm must have one of Statistic and ExtendedStatistic, such as p90.")
        })?;
        Ok(Watched { metric, period: i64::from(period), statistic, unit })
    }

    fn metric(&self) -> Metric {
        let of_query = self.alarm.metrics.iter().flatten().find_map(|query| query.metric_stat.as_ref());
        match of_query {
            Some(stat) => stat.metric.clone(),
            None => Metric {
                namespace: self.alarm.namespace.clone(),
                metric_name: self.alarm.metric_name.clone(),
                dimensions: self.alarm.dimensions.clone(),
            },
        }
    }

    pub(super) fn name(&self) -> &str {
        self.alarm.alarm_name.as_deref().unwrap_or_default()
    }

    pub(super) fn state(&self) -> StateValue {
        self.alarm.state_value.unwrap_or(StateValue::InsufficientData)
    }

    /// Its rule; check has seen to it that there is one.
    pub(super) fn rule(&self) -> Option<Rule> {
        let evaluation_periods = usize::try_from(self.alarm.evaluation_periods?).ok()?;
        let needed = self.alarm.datapoints_to_alarm.and_then(|needed| usize::try_from(needed).ok());
        Some(Rule {
            operator: self.alarm.comparison_operator?,
            threshold: self.alarm.threshold?,
            evaluation_periods,
            datapoints_to_alarm: needed.unwrap_or(evaluation_periods).clamp(1, evaluation_periods.max(1)),
            missing: Missing::read(self.alarm.treat_missing_data.as_deref())?,
        })
    }

    /// Whether its state may be evaluated: a state that somebody has set stays a moment.
    pub(super) fn may_be_evaluated(&self, now: Timestamp) -> bool {
        self.held_until.is_none_or(|until| until.0 <= now)
    }

    /// Takes over what came out; the entry of its history when the state is another.
    pub(super) fn judge(&mut self, rule: &Rule, judgement: &Judgement, stamp: &Stamp) -> Option<AlarmChange> {
        self.held_until = None;
        if judgement.state == self.state() {
            return None;
        }
        Some(self.set_state(judgement.state, rule.reason(judgement), None, stamp))
    }

    /// Sets its state by hand.
    pub(super) fn force(
        &mut self,
        state: StateValue,
        reason: String,
        data: Option<String>,
        stamp: &Stamp,
    ) -> AlarmChange {
        let until = stamp.now.saturating_add(jiff::SignedDuration::from_secs(SET_STATE_SECONDS)).unwrap_or(stamp.now);
        self.held_until = Some(crate::control::milliseconds(until));
        self.set_state(state, reason, data, stamp)
    }

    fn set_state(&mut self, state: StateValue, reason: String, data: Option<String>, stamp: &Stamp) -> AlarmChange {
        let old = self.state();
        let old_reason = self.alarm.state_reason.take().unwrap_or_default();
        let history = serde_json::json!({
            "version": "1.0",
            "oldState": {"stateValue": old.as_str(), "stateReason": old_reason},
            "newState": {"stateValue": state.as_str(), "stateReason": reason},
        });
        self.alarm.state_value = Some(state);
        self.alarm.state_reason = Some(reason);
        self.alarm.state_reason_data = data;
        self.alarm.state_updated_timestamp = Some(stamp.time());
        if state != old {
            self.alarm.state_transitioned_timestamp = Some(stamp.time());
        }
        self.change(HistoryItemType::StateUpdate, format!("Alarm updated from {old} to {state}"), &history, stamp)
    }

    /// The entry of its history for what happened to its configuration: `created`, `updated`, `deleted`.
    pub(super) fn configured(&self, what: &str, stamp: &Stamp) -> AlarmChange {
        let kind = match what {
            "created" => "Create",
            "deleted" => "Delete",
            _ => "Update",
        };
        let data = serde_json::json!({"version": "1.0", "type": kind});
        self.change(HistoryItemType::ConfigurationUpdate, format!("Alarm \"{}\" {what}", self.name()), &data, stamp)
    }

    fn change(&self, kind: HistoryItemType, summary: String, data: &serde_json::Value, stamp: &Stamp) -> AlarmChange {
        AlarmChange {
            id: Uuid::new_v4().to_string(),
            alarm: self.name().to_owned(),
            time: stamp.time(),
            kind,
            summary,
            data: data.to_string(),
        }
    }
}

impl AlarmChange {
    /// As it is listed.
    pub(super) fn item(self) -> AlarmHistoryItem {
        AlarmHistoryItem {
            alarm_name: Some(self.alarm),
            alarm_type: Some(AlarmType::MetricAlarm),
            timestamp: Some(self.time),
            history_item_type: Some(self.kind),
            history_summary: Some(self.summary),
            history_data: Some(self.data),
            ..AlarmHistoryItem::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            region: "eu-central-1".to_owned(),
            account: "111122223333".to_owned(),
            unique: Uuid::nil(),
        }
    }

    fn request(changes: &Value) -> PutMetricAlarmInput {
        let mut request = json!({
            "AlarmName": "drift", "Namespace": "/aws/sagemaker/Endpoints/data-metrics", "MetricName": "feature_baseline_drift_age",
            "Statistic": "Maximum", "Period": 3600, "EvaluationPeriods": 1, "Threshold": 0.1,
            "ComparisonOperator": "GreaterThanThreshold",
        });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                request.as_object_mut().unwrap().remove(name);
            } else {
                request[name] = value.clone();
            }
        }
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn an_alarm_keeps_its_state_when_it_is_replaced() {
        let mut alarm = Alarm::put(request(&json!({})), None, &stamp()).unwrap();
        assert_eq!(alarm.state(), StateValue::InsufficientData);
        assert_eq!(alarm.alarm.alarm_arn.as_deref(), Some("arn:aws:cloudwatch:eu-central-1:111122223333:alarm:drift"));
        assert_eq!(alarm.columns().definition, "aws/sagemaker/Endpoints/data-metrics feature_baseline_drift_age");
        let change = alarm.force(StateValue::Alarm, "testing".to_owned(), None, &stamp());
        assert_eq!(change.summary, "Alarm updated from INSUFFICIENT_DATA to ALARM");
        assert!(!alarm.may_be_evaluated(stamp().now));
        assert!(alarm.may_be_evaluated("2026-03-01T12:01:00Z".parse().unwrap()));
        let replaced = Alarm::put(request(&json!({"Threshold": 0.5})), Some(&alarm), &stamp()).unwrap();
        assert_eq!((replaced.state(), replaced.alarm.threshold), (StateValue::Alarm, Some(0.5)));
    }

    #[test]
    fn one_query_stands_for_the_metric() {
        let stat = json!({"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "p90"});
        let metrics = json!({"MetricName": null, "Namespace": null, "Statistic": null, "Period": null,
            "Metrics": [{"Id": "m1", "MetricStat": stat}]});
        let watched = Alarm::put(request(&metrics), None, &stamp()).unwrap().watched().unwrap();
        assert_eq!((watched.period, watched.statistic), (60, Statistic::Percentile(90.0)));
        assert_eq!(watched.metric.metric_name.as_deref(), Some("m"));
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        for (changes, code) in [
            (json!({"Threshold": null}), "MissingParameter"),
            (json!({"EvaluationPeriods": null}), "MissingParameter"),
            (json!({"Namespace": null}), "MissingParameter"),
            (json!({"Statistic": null}), "InvalidParameterCombination"),
            (json!({"MetricName": null}), "InvalidParameterCombination"),
            (json!({"Metrics": [{"Id": "e", "Expression": "m1"}]}), "InvalidParameterCombination"),
            (json!({"MetricName": null, "Metrics": [{"Id": "e", "Expression": "m1"}]}), "InvalidParameterCombination"),
            (json!({"ThresholdMetricId": "m1"}), "InvalidParameterCombination"),
            (json!({"ComparisonOperator": "LessThanLowerThreshold"}), "InvalidParameterValue"),
            (json!({"Period": 90}), "InvalidParameterValue"),
            (json!({"DatapointsToAlarm": 2}), "InvalidParameterValue"),
            (json!({"TreatMissingData": "maybe"}), "InvalidParameterValue"),
            (json!({"EvaluationPeriods": 169}), "InvalidParameterValue"),
        ] {
            let error = Alarm::put(request(&changes), None, &stamp()).unwrap_err();
            assert_eq!(error.code, code, "{changes}: {error}");
        }
    }
}
