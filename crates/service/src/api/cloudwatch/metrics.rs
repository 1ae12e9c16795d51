//! Operations on metrics.

use std::collections::BTreeMap;

use watchkeeper_aws::generated::cloudwatch::{
    Datapoint, Dimension, GetMetricDataInput, GetMetricDataOutput, GetMetricStatisticsInput, GetMetricStatisticsOutput,
    ListMetricsInput, ListMetricsOutput, Metric, MetricDataQuery, MetricDataResult, MetricDatum, MetricStat,
    PutMetricDataInput, ScanBy, StandardUnit, Statistic as StatisticName, StatusCode,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Datum, MetricFilter, SeriesQuery};

use super::expression::{Expression, Series};
use super::statistics::{Periods, Statistic};
use super::{CloudWatch, invalid_combination, invalid_token, invalid_value};
use crate::api::{failure, paging};
use crate::resources::Transaction;

/// Metrics on a page of `ListMetrics`.
const METRICS_PAGE: usize = 500;
const METRICS: &str = "metrics";
/// Data points that `GetMetricStatistics` gives at most.
const MOST_STATISTICS: i64 = 1440;
/// Data points of one `GetMetricData`.
const MOST_POINTS: i64 = 100_800;
/// Queries of one `GetMetricData`.
const MOST_QUERIES: usize = 500;
/// Data that are read of one series in one go.
const MOST_DATA: usize = 500_000;
/// Values of one datum, and data of one request.
const MOST_VALUES: usize = 150;
const MOST_METRICS: usize = 1000;

/// The moment of a request's time, in milliseconds.
fn milliseconds(time: Time) -> i64 {
    time.0.as_millisecond()
}

fn moment(milliseconds: i64) -> Time {
    Time(jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// Names and values of dimensions, sorted by name.
pub(super) fn dimensions(dimensions: Option<&Vec<Dimension>>) -> Vec<(String, String)> {
    let pairs = dimensions.into_iter().flatten().map(|one| (one.name.clone(), one.value.clone()));
    let mut pairs: Vec<(String, String)> = pairs.collect();
    pairs.sort();
    pairs
}

/// Refuses a period that CloudWatch has none of.
pub(super) fn check_period(period: i32) -> Result<(), Error> {
    if matches!(period, 1 | 5 | 10 | 20 | 30) || (period > 0 && period % 60 == 0) {
        Ok(())
    } else {
        Err(invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."))
    }
}

/// The data that one datum of a request stands for.
fn data_of(namespace: &str, datum: &MetricDatum, index: usize, now: i64) -> Result<Vec<Datum>, Error> {
    let place = format!("MetricData.member.{}", index + 1);
    let base = Datum {
        namespace: namespace.to_owned(),
        metric: datum.metric_name.clone(),
        dimensions: dimensions(datum.dimensions.as_ref()),
        time: datum.timestamp.map_or(now, milliseconds),
        unit: datum.unit.unwrap_or(StandardUnit::None).as_str().to_owned(),
        sample_count: 1.0,
        sum: 0.0,
        minimum: 0.0,
        maximum: 0.0,
    };
    let same = |value: f64, count: f64| Datum {
        sample_count: count,
        sum: value * count,
        minimum: value,
        maximum: value,
        ..base.clone()
    };
    let data = match (datum.value, &datum.statistic_values, &datum.values) {
        (Some(value), None, None) => vec![same(value, 1.0)],
        (None, Some(set), None) => {
            vec![Datum {
                sample_count: set.sample_count,
                sum: set.sum,
                minimum: set.minimum,
                maximum: set.maximum,
                ..base
            }]
        }
        (None, None, Some(values)) => {
            let counts = datum.counts.clone().unwrap_or_else(|| vec![1.0; values.len()]);
            if counts.len() != values.len() {
                return Err(invalid_value(format!(
                    "The parameters {place}.Values and {place}.Counts must be of the same size."
                )));
            }
            if values.is_empty() || values.len() > MOST_VALUES {
                return Err(invalid_value(format!(
                    "The parameter {place}.Values must have 1 to {MOST_VALUES} values."
                )));
            }
            values.iter().zip(counts).map(|(value, count)| same(*value, count)).collect()
        }
        (None, None, None) => {
            return Err(invalid_combination(format!(
                "At least one of the parameters {place}.Value, {place}.Values and {place}.StatisticValues must be specified."
            )));
        }
        _ => {
            return Err(invalid_combination(format!(
                "The parameters {place}.Value, {place}.Values and {place}.StatisticValues are mutually exclusive and you \
                 have specified more than one."
            )));
        }
    };
    let is_good = |datum: &Datum| {
        [datum.sum, datum.minimum, datum.maximum].iter().all(|value| value.is_finite())
            && datum.sample_count.is_finite()
            && datum.sample_count >= 0.0
            && datum.minimum <= datum.maximum
    };
    if data.iter().all(is_good) {
        Ok(data)
    } else {
        Err(invalid_value(format!(
            "The values of {place} must be finite, its counts not negative, and no minimum above its maximum."
        )))
    }
}

/// All data of a request.
fn data(input: &PutMetricDataInput, now: i64) -> Result<Vec<Datum>, Error> {
    let entities = input.entity_metric_data.iter().flatten().filter_map(|entity| entity.metric_data.as_ref());
    let all: Vec<&MetricDatum> = input.metric_data.iter().chain(entities).flatten().collect();
    if all.is_empty() {
        return Err(Error::new("MissingParameter", "The parameter MetricData is required."));
    }
    if all.len() > MOST_METRICS {
        return Err(invalid_value(format!(
            "The collection MetricData must not have a size greater than {MOST_METRICS}."
        )));
    }
    if input.namespace.starts_with("AWS/") {
        return Err(invalid_value("The value AWS/ for parameter Namespace is invalid."));
    }
    let mut data = Vec::with_capacity(all.len());
    for (index, datum) in all.into_iter().enumerate() {
        data.append(&mut data_of(&input.namespace, datum, index, now)?);
    }
    Ok(data)
}

impl CloudWatch {
    pub(super) async fn put_data(&self, input: &PutMetricDataInput) -> Result<(), Error> {
        let now = self.0.now();
        let data = data(input, now.as_millisecond())?;
        let mut series: Vec<(String, String)> =
            data.iter().map(|datum| (datum.namespace.clone(), datum.metric.clone())).collect();
        series.sort();
        series.dedup();
        self.0.resources.commit(Transaction::new().metrics(data)).await.map_err(failure::of_resources)?;
        for (namespace, metric) in series {
            self.evaluate_alarms_of(&namespace, &metric, now).await?;
        }
        Ok(())
    }

    /// The data of a series in some periods, and whether these are all.
    pub(super) async fn read(
        &self,
        metric: &Metric,
        periods: Periods,
        unit: Option<StandardUnit>,
    ) -> Result<(Vec<Datum>, bool), Error> {
        let query = SeriesQuery {
            namespace: metric.namespace.clone().unwrap_or_default(),
            metric: metric.metric_name.clone().unwrap_or_default(),
            dimensions: dimensions(metric.dimensions.as_ref()),
            start: periods.start,
            end: periods.end,
            unit: unit.map(|unit| unit.as_str().to_owned()),
            limit: MOST_DATA,
        };
        let data = self.0.resources.store().metric_data(&query).await.map_err(|error| failure::internal(&error))?;
        let whole = data.len() < MOST_DATA;
        Ok((data, whole))
    }

    pub(super) async fn statistics(&self, input: GetMetricStatisticsInput) -> Result<GetMetricStatisticsOutput, Error> {
        check_period(input.period)?;
        let (start, end) = (milliseconds(input.start_time), milliseconds(input.end_time));
        if start >= end {
            return Err(invalid_value("The parameter StartTime must be less than the parameter EndTime."));
        }
        let names: Vec<String> = input.statistics.iter().flatten().map(|name| name.as_str().to_owned()).collect();
        let extended = input.extended_statistics.unwrap_or_default();
        if names.is_empty() && extended.is_empty() {
            return Err(invalid_combination(
                "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
            ));
        }
        let mut wanted = Vec::new();
        for name in names.into_iter().chain(extended) {
            let statistic = Statistic::read(&name).ok_or_else(|| {
                invalid_value(format!("The value {name} for parameter ExtendedStatistics is not supported."))
            })?;
            wanted.push((name, statistic));
        }
        let periods = Periods::from_minute(start, end, i64::from(input.period) * 1000);
        if periods.count() > MOST_STATISTICS {
            return Err(invalid_combination(format!(
                "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may reduce the datapoints \
                 requested by increasing Period, or decreasing the time range.",
                grouped(periods.count())
            )));
        }
        let metric = Metric {
            namespace: Some(input.namespace),
            metric_name: Some(input.metric_name.clone()),
            dimensions: input.dimensions,
        };
        let (data, _) = self.read(&metric, periods, input.unit).await?;
        Ok(GetMetricStatisticsOutput {
            label: Some(input.metric_name),
            datapoints: Some(datapoints(&data, periods, &wanted)),
        })
    }

    pub(super) async fn metrics(&self, input: ListMetricsInput) -> Result<ListMetricsOutput, Error> {
        let after = match &input.next_token {
            Some(token) => {
                let position = paging::key_of(METRICS, token).and_then(|position| position.parse().ok());
                Some(position.ok_or_else(invalid_token)?)
            }
            None => None,
        };
        let filter = MetricFilter {
            namespace: input.namespace.clone(),
            metric: input.metric_name,
            dimensions: input.dimensions.into_iter().flatten().map(|one| (one.name, one.value)).collect(),
            after,
            limit: METRICS_PAGE + 1,
        };
        let mut series =
            self.0.resources.store().list_metrics(&filter).await.map_err(|error| failure::internal(&error))?;
        let more = series.len() > METRICS_PAGE;
        series.truncate(METRICS_PAGE);
        let next_token =
            series.last().filter(|_| more).map(|last| paging::token_of(METRICS, &last.position.to_string()));
        let metrics = series.into_iter().map(|series| Metric {
            // A namespace is one with and without its slash: the answer has the one that was asked for.
            namespace: Some(input.namespace.clone().unwrap_or(series.namespace)),
            metric_name: Some(series.metric),
            dimensions: Some(series.dimensions.into_iter().map(|(name, value)| Dimension { name, value }).collect()),
        });
        Ok(ListMetricsOutput { metrics: Some(metrics.collect()), next_token, owning_accounts: None })
    }

    pub(super) async fn metric_data(&self, input: GetMetricDataInput) -> Result<GetMetricDataOutput, Error> {
        let (start, end) = (milliseconds(input.start_time), milliseconds(input.end_time));
        if start >= end {
            return Err(validation("The parameter StartTime must be less than the parameter EndTime."));
        }
        if input.next_token.is_some() {
            // Everything is on the first page.
            return Err(invalid_token());
        }
        let queries = input.metric_data_queries;
        check_queries(&queries)?;
        let points: i64 = queries
            .iter()
            .filter_map(|query| query.metric_stat.as_ref())
            .map(|stat| Periods::aligned(start, end, i64::from(stat.period.max(1)) * 1000).count())
            .sum();
        if points > MOST_POINTS {
            return Err(validation(format!(
                "You have requested up to {} datapoints, which exceeds the limit of 100,800. You may reduce the datapoints \
                 requested by increasing Period, or decreasing the time range.",
                grouped(points)
            )));
        }
        let mut known: BTreeMap<String, Series> = BTreeMap::new();
        let mut partial = false;
        for query in &queries {
            if let Some(stat) = &query.metric_stat {
                let periods = Periods::aligned(start, end, i64::from(stat.period) * 1000);
                let (data, whole) = self.read(&stat.metric, periods, stat.unit).await?;
                let statistic = Statistic::read(&stat.stat).ok_or_else(|| unsupported_statistic(stat))?;
                known.insert(query.id.clone(), periods.series(&data, statistic));
                partial |= !whole;
            }
        }
        evaluate_expressions(&queries, &mut known)?;
        let ascending = input.scan_by == Some(ScanBy::TimestampAscending);
        let results = queries.into_iter().filter(|query| query.return_data != Some(false)).map(|query| {
            let mut series = known.get(&query.id).cloned().unwrap_or_default();
            if !ascending {
                series.reverse();
            }
            result(query, &series, partial)
        });
        Ok(GetMetricDataOutput {
            metric_data_results: Some(results.collect()),
            next_token: None,
            messages: Some(Vec::new()),
        })
    }
}

fn validation(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

fn unsupported_statistic(stat: &MetricStat) -> Error {
    validation(format!(
        "The value {} for parameter MetricDataQueries.member.MetricStat.Stat is not supported.",
        stat.stat
    ))
}

/// A whole number with commas between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The data points of `GetMetricStatistics`: each unit has its own.
fn datapoints(data: &[Datum], periods: Periods, wanted: &[(String, Statistic)]) -> Vec<Datapoint> {
    let mut units: BTreeMap<&str, Vec<Datum>> = BTreeMap::new();
    for datum in data {
        units.entry(&datum.unit).or_default().push(datum.clone());
    }
    let mut points = Vec::new();
    for (unit, data) in &units {
        for (beginning, data) in periods.divide(data) {
            let mut point =
                Datapoint { timestamp: Some(moment(beginning)), unit: unit.parse().ok(), ..Datapoint::default() };
            for (name, statistic) in wanted {
                let value = statistic.of(&data);
                match statistic {
                    Statistic::SampleCount => point.sample_count = value,
                    Statistic::Average => point.average = value,
                    Statistic::Sum => point.sum = value,
                    Statistic::Minimum => point.minimum = value,
                    Statistic::Maximum => point.maximum = value,
                    Statistic::Percentile(_) => {
                        if let Some(value) = value {
                            point.extended_statistics.get_or_insert_default().insert(name.clone(), value);
                        }
                    }
                }
            }
            points.push(point);
        }
    }
    points
}

/// Ids are unique and each query is one of two things.
fn check_queries(queries: &[MetricDataQuery]) -> Result<(), Error> {
    if queries.is_empty() || queries.len() > MOST_QUERIES {
        return Err(validation(format!("The collection MetricDataQueries must have 1 to {MOST_QUERIES} members.")));
    }
    let mut ids = std::collections::BTreeSet::new();
    for query in queries {
        let id = &query.id;
        if !id.starts_with(|first: char| first.is_ascii_lowercase())
            || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(validation(format!(
                "The value {id} for parameter Id is invalid: it must begin with a lower case letter and hold letters, digits and underscores."
            )));
        }
        if !ids.insert(id) {
            return Err(validation(format!("The values for parameter id in MetricDataQueries are not unique: {id}.")));
        }
        match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => {
                check_period(stat.period)?;
                if Statistic::read(&stat.stat).is_none() {
                    return Err(unsupported_statistic(stat));
                }
            }
            (None, Some(_)) => {}
            _ => return Err(validation(format!("The query {id} must have exactly one of MetricStat and Expression."))),
        }
    }
    Ok(())
}

/// Calculates every expression once those it needs are there.
fn evaluate_expressions(queries: &[MetricDataQuery], known: &mut BTreeMap<String, Series>) -> Result<(), Error> {
    let wrong = |id: &str, text: String| validation(format!("Error in expression '{id}': {text}"));
    let mut open = Vec::new();
    for query in queries {
        if let Some(text) = &query.expression {
            let expression = Expression::read(text).map_err(|reason| wrong(&query.id, reason))?;
            if expression.ids().is_empty() {
                return Err(wrong(&query.id, "it holds no id".to_owned()));
            }
            if let Some(missing) = expression.ids().into_iter().find(|id| !queries.iter().any(|query| query.id == *id))
            {
                return Err(wrong(&query.id, format!("there is no query with the id '{missing}'")));
            }
            open.push((query.id.clone(), expression));
        }
    }
    while !open.is_empty() {
        let before = open.len();
        open.retain(|(id, expression)| match expression.evaluate(known) {
            Some(series) => {
                known.insert(id.clone(), series);
                false
            }
            None => true,
        });
        if open.len() == before {
            return Err(wrong(&open[0].0, "it needs itself".to_owned()));
        }
    }
    Ok(())
}

fn result(query: MetricDataQuery, series: &Series, partial: bool) -> MetricDataResult {
    let usual = query.metric_stat.and_then(|stat| stat.metric.metric_name).unwrap_or_else(|| query.id.clone());
    MetricDataResult {
        label: Some(query.label.unwrap_or(usual)),
        id: Some(query.id),
        timestamps: Some(series.iter().map(|(time, _)| moment(*time)).collect()),
        values: Some(series.iter().map(|(_, value)| *value).collect()),
        status_code: Some(if partial { StatusCode::PartialData } else { StatusCode::Complete }),
        messages: None,
    }
}

/// The text of a statistic in the wire's enumeration.
pub(super) fn statistic_text(statistic: Option<StatisticName>, extended: Option<&String>) -> Option<String> {
    statistic.map(|name| name.as_str().to_owned()).or_else(|| extended.cloned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use watchkeeper_aws::generated::cloudwatch::StatisticSet;

    use super::*;

    fn datum() -> MetricDatum {
        serde_json::from_value(serde_json::json!({"MetricName": "m"})).unwrap()
    }

    #[test]
    fn a_datum_is_a_value_a_set_or_several_values() {
        let sums = |datum: MetricDatum| -> Result<Vec<[f64; 4]>, String> {
            let data = data_of("n", &datum, 0, 5).map_err(|error| error.code)?;
            Ok(data.iter().map(|datum| [datum.sample_count, datum.sum, datum.minimum, datum.maximum]).collect())
        };
        let set = StatisticSet { sample_count: 3.0, sum: 6.0, minimum: 1.0, maximum: 3.0 };
        assert_eq!(sums(MetricDatum { value: Some(2.5), ..datum() }), Ok(vec![[1.0, 2.5, 2.5, 2.5]]));
        assert_eq!(
            sums(MetricDatum { statistic_values: Some(set.clone()), ..datum() }),
            Ok(vec![[3.0, 6.0, 1.0, 3.0]])
        );
        assert_eq!(
            sums(MetricDatum { values: Some(vec![1.0, 4.0]), counts: Some(vec![2.0, 1.0]), ..datum() }),
            Ok(vec![[2.0, 2.0, 1.0, 1.0], [1.0, 4.0, 4.0, 4.0]])
        );
        assert_eq!(sums(MetricDatum { values: Some(vec![1.0]), ..datum() }), Ok(vec![[1.0, 1.0, 1.0, 1.0]]));
        let combination = Err("InvalidParameterCombination".to_owned());
        let value = Err("InvalidParameterValue".to_owned());
        assert_eq!(sums(datum()), combination);
        assert_eq!(sums(MetricDatum { value: Some(1.0), statistic_values: Some(set.clone()), ..datum() }), combination);
        assert_eq!(sums(MetricDatum { value: Some(f64::NAN), ..datum() }), value);
        assert_eq!(sums(MetricDatum { values: Some(vec![]), ..datum() }), value);
        assert_eq!(sums(MetricDatum { values: Some(vec![1.0]), counts: Some(vec![1.0, 1.0]), ..datum() }), value);
        assert_eq!(sums(MetricDatum { values: Some(vec![1.0]), counts: Some(vec![-1.0]), ..datum() }), value);
        let reversed = StatisticSet { minimum: 4.0, ..set };
        assert_eq!(sums(MetricDatum { statistic_values: Some(reversed), ..datum() }), value);
    }

    #[test]
    fn periods_are_those_of_cloudwatch() {
        for (period, good) in
            [(1, true), (10, true), (60, true), (3600, true), (0, false), (-60, false), (45, false), (90, false)]
        {
            assert_eq!(check_period(period).is_ok(), good, "{period}");
        }
    }

    #[test]
    fn expressions_wait_for_each_other() {
        let query = |id: &str, expression: &str| MetricDataQuery {
            id: id.to_owned(),
            metric_stat: None,
            expression: Some(expression.to_owned()),
            label: None,
            return_data: None,
            period: None,
            account_id: None,
        };
        let stat = |id: &str| MetricDataQuery { expression: None, ..query(id, "") };
        let known = BTreeMap::from([("m1".to_owned(), vec![(0, 2.0)])]);
        let evaluated = |queries: &[MetricDataQuery]| {
            let mut known = known.clone();
            evaluate_expressions(queries, &mut known).map(|()| known).map_err(|error| error.message)
        };
        let good = evaluated(&[query("e2", "e1 * 10"), query("e1", "m1 + 1"), stat("m1")]).unwrap();
        assert_eq!(good["e2"], [(0, 30.0)]);
        for (queries, reason) in [
            (vec![query("e1", "e2"), query("e2", "e1")], "needs itself"),
            (vec![query("e1", "m9")], "no query with the id 'm9'"),
            (vec![query("e1", "1 + 1")], "it holds no id"),
            (vec![query("e1", "SUM(m1)")], "Error in expression 'e1': the function 'SUM'"),
        ] {
            let error = evaluated(&queries).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn thousands_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1440, "1,440"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
