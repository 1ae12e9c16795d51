//! The metrics file of a job as data of CloudWatch.
//!
//! Analyzers and programs of users write one JSON object a line with `MetricName`, `Timestamp`, `Value` or
//! `StatisticValues`, `Dimensions` and `Unit`. A line that is no datum is left out and named: a job's results do not hang
//! on its metrics.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use watchkeeper_aws::generated::sagemaker::CreateProcessingJobRequest;
use watchkeeper_store::metadata::Datum;

/// The most data of one job.
const MOST: usize = 100_000;
/// The most dimensions of a datum, and the longest of their names and values (CloudWatch's limits).
const MOST_DIMENSIONS: usize = 30;
const LONGEST_NAME: usize = 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    metric_name: String,
    timestamp: Option<Value>,
    value: Option<f64>,
    statistic_values: Option<Statistics>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// The namespace of a job's metrics: by the kind of monitor, and by whether it watches an endpoint or a batch transform.
pub fn namespace(request: &CreateProcessingJobRequest) -> &'static str {
    let variable = |name| request.environment.as_ref().and_then(|all| all.get(name)).map_or("", String::as_str);
    let is_batch = variable("monitoring_input_type") == "BATCH_TRANSFORM_INPUT";
    match (variable("analysis_type"), is_batch) {
        ("MODEL_QUALITY", false) => "aws/sagemaker/Endpoints/model-metrics",
        ("MODEL_BIAS", false) => "aws/sagemaker/Endpoints/bias-metrics",
        ("MODEL_EXPLAINABILITY", false) => "aws/sagemaker/Endpoints/explainability-metrics",
        (_, false) => "aws/sagemaker/Endpoints/data-metrics",
        ("MODEL_QUALITY", true) => "aws/sagemaker/ModelMonitoring/model-metrics",
        ("MODEL_BIAS", true) => "aws/sagemaker/ModelMonitoring/bias-metrics",
        ("MODEL_EXPLAINABILITY", true) => "aws/sagemaker/ModelMonitoring/explainability-metrics",
        (_, true) => "aws/sagemaker/ModelMonitoring/data-metrics",
    }
}

/// The data of a metrics file, and for each line that is none a sentence. `now` is the time of lines without one.
pub fn data(text: &str, namespace: &str, now: Timestamp) -> (Vec<Datum>, Vec<String>) {
    let (mut data, mut refused) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if data.len() == MOST {
            refused.push(format!("only the first {MOST} metrics were published"));
            break;
        }
        match datum(line, namespace, now) {
            Ok(datum) => data.push(datum),
            Err(reason) => refused.push(format!("line {} of the metrics file was left out: {reason}", number + 1)),
        }
    }
    (data, refused)
}

fn datum(line: &str, namespace: &str, now: Timestamp) -> Result<Datum, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if line.metric_name.is_empty() || line.metric_name.len() > LONGEST_NAME {
        return Err("MetricName has no or too many characters".to_owned());
    }
    let time = line.timestamp.as_ref().map_or(Ok(now), time)?;
    let (sample_count, sum, minimum, maximum) = match (line.value, line.statistic_values) {
        (Some(value), _) => (1.0, value, value, value),
        (None, Some(values)) => (values.sample_count, values.sum, values.minimum, values.maximum),
        (None, None) => return Err("it has neither Value nor StatisticValues".to_owned()),
    };
    if ![sample_count, sum, minimum, maximum].iter().all(|value| value.is_finite()) {
        return Err("a value is not a finite number".to_owned());
    }
    if line.dimensions.len() > MOST_DIMENSIONS {
        return Err(format!("it has more than {MOST_DIMENSIONS} dimensions"));
    }
    if line.dimensions.iter().any(|one| one.name.is_empty() || one.name.len().max(one.value.len()) > LONGEST_NAME) {
        return Err("a dimension's name or value has no or too many characters".to_owned());
    }
    let mut dimensions: Vec<_> = line.dimensions.into_iter().map(|one| (one.name, one.value)).collect();
    dimensions.sort();
    Ok(Datum {
        namespace: namespace.to_owned(),
        metric: line.metric_name,
        dimensions,
        time: time.as_millisecond(),
        unit: line.unit.unwrap_or_else(|| "None".to_owned()),
        sample_count,
        sum,
        minimum,
        maximum,
    })
}

/// A time as text, or as seconds since 1970 (milliseconds where the number is too large for seconds).
fn time(value: &Value) -> Result<Timestamp, String> {
    const SECONDS_END: f64 = 1e11;
    let found = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_f64().and_then(|number| {
            let milliseconds = if number.abs() < SECONDS_END { number * 1000.0 } else { number };
            Timestamp::from_millisecond(milliseconds as i64).ok()
        }),
        _ => None,
    };
    found.ok_or_else(|| format!("Timestamp {value} is no time such as 2026-01-31T23:00:00Z"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn values_and_statistics() {
        let text = concat!(
            r#"{"MetricName":"a","Timestamp":"2021-05-06T22:00:00Z","Dimensions":[{"Name":"MonitoringSchedule","Value":"s"},"#,
            r#"{"Name":"Endpoint","Value":"e"}],"Value":0.5,"Unit":"Count"}"#,
            "\n\n",
            r#"{"MetricName":"b","Timestamp":1620338400,"StatisticValues":{"SampleCount":4,"Sum":10,"Minimum":1,"Maximum":4}}"#,
            "\n",
            r#"{"MetricName":"c","Timestamp":1620338400000,"Value":1}"#,
        );
        let (data, refused) = data(text, "space", NOW);
        assert!(refused.is_empty(), "{refused:?}");
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(data[0].dimensions, [named("Endpoint", "e"), named("MonitoringSchedule", "s")]);
        assert_eq!((data[0].sample_count, data[0].sum, data[0].minimum, data[0].maximum), (1.0, 0.5, 0.5, 0.5));
        assert_eq!((data[1].sample_count, data[1].sum, data[1].minimum, data[1].maximum), (4.0, 10.0, 1.0, 4.0));
        // 2021-05-06T22:00:00Z is 1,620,338,400 seconds after 1970, by `date -d`.
        assert!(data.iter().all(|datum| datum.time == 1_620_338_400_000));
        assert_eq!((data[0].unit.as_str(), data[1].unit.as_str()), ("Count", "None"));
    }

    #[test]
    fn what_is_no_datum_is_named() {
        let text = "nonsense\n{\"MetricName\":\"a\"}\n{\"MetricName\":\"a\",\"Value\":1,\"Timestamp\":\"soon\"}\n\
                    {\"MetricName\":\"a\",\"Value\":1}\n";
        let (data, refused) = data(text, "space", NOW);
        assert_eq!(data.len(), 1);
        assert_eq!(data[0].time, 0);
        assert_eq!(refused.len(), 3);
        assert!(refused[0].starts_with("line 1 of the metrics file was left out: "), "{}", refused[0]);
        assert!(refused[1].ends_with("it has neither Value nor StatisticValues"), "{}", refused[1]);
        assert!(refused[2].contains("\"soon\" is no time"), "{}", refused[2]);
    }

    #[test]
    fn monitors_have_namespaces_of_their_own() {
        let of = |analysis_type: &str, input_type: &str| {
            let request = serde_json::json!({
                "ProcessingJobName": "j", "RoleArn": "arn:aws:iam::000000000000:role/monitor",
                "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
                "AppSpecification": {"ImageUri": "i"},
                "Environment": {"analysis_type": analysis_type, "monitoring_input_type": input_type},
            });
            namespace(&serde_json::from_value(request).unwrap())
        };
        // Section 7.3 of the specification of model quality, and E.7 of that of the service.
        assert_eq!(of("MODEL_QUALITY", "ENDPOINT_INPUT"), "aws/sagemaker/Endpoints/model-metrics");
        assert_eq!(of("MODEL_QUALITY", "BATCH_TRANSFORM_INPUT"), "aws/sagemaker/ModelMonitoring/model-metrics");
        assert_eq!(of("MODEL_BIAS", "ENDPOINT_INPUT"), "aws/sagemaker/Endpoints/bias-metrics");
        assert_eq!(of("MODEL_BIAS", "BATCH_TRANSFORM_INPUT"), "aws/sagemaker/ModelMonitoring/bias-metrics");
        assert_eq!(of("MODEL_EXPLAINABILITY", "ENDPOINT_INPUT"), "aws/sagemaker/Endpoints/explainability-metrics");
        let batch = "aws/sagemaker/ModelMonitoring/explainability-metrics";
        assert_eq!(of("MODEL_EXPLAINABILITY", "BATCH_TRANSFORM_INPUT"), batch);
        assert_eq!(of("", ""), "aws/sagemaker/Endpoints/data-metrics");
    }
}
