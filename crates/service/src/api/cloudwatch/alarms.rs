//! Operations on alarms, and their evaluation.

use jiff::{SignedDuration, Timestamp};
use watchkeeper_aws::generated::cloudwatch::{
    AlarmType, DeleteAlarmsInput, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput, DescribeAlarmsInput,
    DescribeAlarmsOutput, PutMetricAlarmInput, ScanBy, SetAlarmStateInput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::{Kind, Position, Query, Range, SortBy};

use super::alarm_state::EXTRA_PERIODS;
use super::documents::{Alarm, AlarmChange, series_name};
use super::statistics::Periods;
use super::{CloudWatch, invalid_token};
use crate::api::{failure, paging, quota};
use crate::control::listing;
use crate::resources::{self, Transaction, Versioned};

const ALARMS: &str = "alarms";
const HISTORY: &str = "alarm history";
/// How often a change is tried again that met somebody else's.
const TRIES: usize = 5;
/// The most alarms.
const MOST_ALARMS: u64 = 5000;
/// How long entries of a history are kept, as on AWS, and how many go at once.
const HISTORY_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const MOST_FORGOTTEN: usize = 100;
/// Alarms that are evaluated for one answer or one datum at most.
const MOST_EVALUATED: usize = 1000;

impl CloudWatch {
    pub(super) async fn put_alarm(&self, call: &Call, input: PutMetricAlarmInput) -> Result<(), Error> {
        let stamp = self.0.stamp(&call.region);
        let name = input.alarm_name.clone();
        self.changed(&name, |known| {
            let alarm = Alarm::put(input.clone(), known, &stamp)?;
            let change = alarm.configured(if known.is_some() { "updated" } else { "created" }, &stamp);
            Ok((alarm, change))
        })
        .await
    }

    pub(super) async fn set_alarm(&self, call: &Call, input: SetAlarmStateInput) -> Result<(), Error> {
        let stamp = self.0.stamp(&call.region);
        let not_found = || Error::new("ResourceNotFound", format!("Alarm {} does not exist", input.alarm_name));
        self.changed(&input.alarm_name, |known| {
            let mut alarm = known.ok_or_else(not_found)?.clone();
            let (reason, data) = (input.state_reason.clone(), input.state_reason_data.clone());
            let change = alarm.force(input.state_value, reason, data, &stamp);
            Ok((alarm, change))
        })
        .await
    }

    /// Stores what `change` makes of an alarm, with the entry of its history; again when somebody else
    /// has changed it meanwhile.
    async fn changed(
        &self,
        name: &str,
        change: impl Fn(Option<&Alarm>) -> Result<(Alarm, AlarmChange), Error> + Send,
    ) -> Result<(), Error> {
        let mut tries = TRIES;
        loop {
            let known = self.0.resources.get::<Alarm>(name).await.map_err(failure::of_resources)?;
            let (alarm, entry) = change(known.as_ref().map(|known| &known.resource))?;
            let transaction = if let Some(known) = &known {
                Transaction::new().update(&alarm, known.version)
            } else {
                quota::one_more(&self.0, Kind::Alarm, MOST_ALARMS, "LimitExceeded").await?;
                Transaction::new().insert(&alarm)
            };
            tries -= 1;
            match self.0.resources.commit(transaction.insert(&entry)).await {
                Ok(()) => return self.forget_old_changes(name, entry.time.0).await,
                Err(resources::Error::Conflict { .. }) if tries > 0 => {}
                Err(error) => return Err(failure::of_resources(error)),
            }
        }
    }

    pub(super) async fn remove_alarms(&self, call: &Call, input: DeleteAlarmsInput) -> Result<(), Error> {
        let stamp = self.0.stamp(&call.region);
        for name in input.alarm_names {
            // An alarm that is not there, or goes meanwhile, is deleted.
            if let Some(known) = self.0.resources.get::<Alarm>(&name).await.map_err(failure::of_resources)? {
                let change = known.resource.configured("deleted", &stamp);
                let transaction = Transaction::new().delete(&known.resource, known.version).insert(&change);
                match self.0.resources.commit(transaction).await {
                    Ok(()) | Err(resources::Error::Conflict { .. }) => {}
                    Err(error) => return Err(failure::of_resources(error)),
                }
            }
        }
        Ok(())
    }

    pub(super) async fn alarms(&self, input: DescribeAlarmsInput) -> Result<DescribeAlarmsOutput, Error> {
        let empty = DescribeAlarmsOutput {
            composite_alarms: Some(Vec::new()),
            metric_alarms: Some(Vec::new()),
            ..DescribeAlarmsOutput::default()
        };
        let other_types = input.alarm_types.as_ref().is_some_and(|types| !types.contains(&AlarmType::MetricAlarm));
        if other_types || input.children_of_alarm_name.is_some() || input.parents_of_alarm_name.is_some() {
            return Ok(empty);
        }
        let size = paging::size(input.max_records, 50, 100);
        let now = self.0.now();
        let shown = |alarm: &Alarm| {
            let has_action = |prefix: &String| {
                let actions =
                    [&alarm.alarm.alarm_actions, &alarm.alarm.ok_actions, &alarm.alarm.insufficient_data_actions];
                actions.into_iter().flatten().flatten().any(|action| action.starts_with(prefix))
            };
            input.state_value.is_none_or(|state| alarm.state() == state)
                && input.action_prefix.as_ref().is_none_or(has_action)
        };
        let (alarms, next_token) = if let Some(names) = &input.alarm_names {
            let mut alarms = Vec::new();
            for name in names {
                alarms.extend(self.0.resources.get::<Alarm>(name).await.map_err(failure::of_resources)?);
            }
            (self.evaluated(alarms, now).await?, None)
        } else {
            let mut query = paging::query(ALARMS, input.next_token.as_deref(), size).ok_or_else(invalid_token)?;
            query.key_prefix.clone_from(&input.alarm_name_prefix);
            let found = self.0.resources.list::<Alarm>(&query).await.map_err(failure::of_resources)?;
            let evaluated = self.evaluated(found, now).await?;
            paging::cut_all(ALARMS, evaluated, size, |alarm: &Alarm| alarm.name().to_owned())
        };
        let metric_alarms = alarms.into_iter().filter(shown).map(|alarm| alarm.alarm).collect();
        Ok(DescribeAlarmsOutput { metric_alarms: Some(metric_alarms), next_token, ..empty })
    }

    pub(super) async fn alarm_history(
        &self,
        input: DescribeAlarmHistoryInput,
    ) -> Result<DescribeAlarmHistoryOutput, Error> {
        let size = paging::size(input.max_records, 50, 100);
        let mut query = Query {
            definition: input.alarm_name,
            status: input.history_item_type.map(|kind| kind.as_str().to_owned()),
            created: listing::range(input.start_date, input.end_date),
            sort_by: SortBy::Created,
            descending: input.scan_by != Some(ScanBy::TimestampAscending),
            limit: size + 1,
            ..Query::default()
        };
        if let Some(token) = &input.next_token {
            let position = paging::key_of(HISTORY, token);
            let position = position.as_deref().and_then(|position| position.split_once(' '));
            let position = position.filter(|(moment, _)| moment.parse::<i64>().is_ok());
            let (value, key) = position.ok_or_else(invalid_token)?;
            query.after = Some(Position { value: value.to_owned(), key: key.to_owned() });
        }
        let found = self.0.resources.list::<AlarmChange>(&query).await.map_err(failure::of_resources)?;
        let changes: Vec<AlarmChange> = found.into_iter().map(|found| found.resource).collect();
        let place = |change: &AlarmChange| format!("{} {}", change.time.0.as_millisecond(), change.id);
        let (changes, next_token) = paging::cut_all(HISTORY, changes, size, place);
        let items = changes.into_iter().map(AlarmChange::item).collect();
        Ok(DescribeAlarmHistoryOutput { alarm_history_items: Some(items), next_token })
    }

    /// Evaluates the alarms of a metric that has got a new datum; a state that somebody has set is over.
    pub(super) async fn evaluate_alarms_of(&self, namespace: &str, metric: &str, now: Timestamp) -> Result<(), Error> {
        let query =
            Query { definition: Some(series_name(namespace, metric)), limit: MOST_EVALUATED, ..Query::default() };
        let mut alarms = self.0.resources.list::<Alarm>(&query).await.map_err(failure::of_resources)?;
        for alarm in &mut alarms {
            alarm.resource.held_until = None;
        }
        self.evaluated(alarms, now).await.map(drop)
    }

    /// The alarms as they are at this moment: those whose state has changed are stored with an entry of their history.
    async fn evaluated(&self, alarms: Vec<Versioned<Alarm>>, now: Timestamp) -> Result<Vec<Alarm>, Error> {
        let mut evaluated = Vec::with_capacity(alarms.len());
        for Versioned { resource: mut alarm, version } in alarms {
            if alarm.may_be_evaluated(now)
                && let Some(change) = self.judge(&mut alarm, now).await?
            {
                let transaction = Transaction::new().update(&alarm, version).insert(&change);
                match self.0.resources.commit(transaction).await {
                    Ok(()) => self.forget_old_changes(alarm.name(), now).await?,
                    // Somebody else was quicker, and has come to the same.
                    Err(resources::Error::Conflict { .. }) => {}
                    Err(error) => return Err(failure::of_resources(error)),
                }
            }
            evaluated.push(alarm);
        }
        Ok(evaluated)
    }

    /// Deletes entries of an alarm's history that are too old; more than there are at once go with the next change.
    async fn forget_old_changes(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let before = now.saturating_sub(HISTORY_KEPT).unwrap_or(now).as_millisecond();
        let query = Query {
            definition: Some(name.to_owned()),
            created: Range { after: None, before: Some(before) },
            limit: MOST_FORGOTTEN,
            ..Query::default()
        };
        let mut transaction = Transaction::new();
        for old in self.0.resources.list::<AlarmChange>(&query).await.map_err(failure::of_resources)? {
            transaction = transaction.delete(&old.resource, old.version);
        }
        match self.0.resources.commit(transaction).await {
            Ok(()) | Err(resources::Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(failure::of_resources(error)),
        }
    }

    /// Evaluates an alarm; the entry of its history when its state has changed.
    async fn judge(&self, alarm: &mut Alarm, now: Timestamp) -> Result<Option<AlarmChange>, Error> {
        let (Ok(watched), Some(rule)) = (alarm.watched(), alarm.rule()) else { return Ok(None) };
        let periods = last_periods(now, watched.period, rule.evaluation_periods + EXTRA_PERIODS);
        let (data, _) = self.read(&watched.metric, periods, watched.unit).await?;
        let series = periods.series(&data, watched.statistic);
        let points: Vec<Option<(i64, f64)>> = (0..periods.count())
            .map(|index| periods.start + index * periods.length)
            .map(|beginning| series.iter().copied().find(|(time, _)| *time == beginning))
            .collect();
        let Some(judgement) = rule.judge(&points) else { return Ok(None) };
        let region =
            alarm.alarm.alarm_arn.as_deref().and_then(|arn| arn.split(':').nth(3)).unwrap_or_default().to_owned();
        Ok(alarm.judge(&rule, &judgement, &self.0.stamp(&region)))
    }
}

/// The last periods, this minute included (of periods shorter than a minute, this one included): what came in just now is
/// in the newest.
fn last_periods(now: Timestamp, seconds: i64, count: usize) -> Periods {
    let length = seconds * 1000;
    let step = length.min(60_000);
    let end = (now.as_millisecond().div_euclid(step) + 1) * step;
    Periods { start: end - length * count as i64, end, length }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_last_period_holds_this_moment() {
        for (now, seconds) in
            [("2026-03-01T12:00:00Z", 3600), ("2026-03-01T12:00:59.999Z", 300), ("2026-03-01T12:00:01Z", 10)]
        {
            let now: Timestamp = now.parse().unwrap();
            let periods = last_periods(now, seconds, 3);
            assert_eq!(periods.count(), 3);
            assert!((periods.end - periods.length..periods.end).contains(&now.as_millisecond()));
            assert!(periods.end - now.as_millisecond() <= 60_000);
        }
    }
}
