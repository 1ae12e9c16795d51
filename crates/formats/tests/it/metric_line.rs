//! Lines of the metrics file. Referee: the members of CloudWatch's `MetricDatum`.

use watchkeeper_formats::{Dimension, Measurement, MetricLine, StatisticValues, Unit};

fn line(name: &str, measurement: Measurement) -> MetricLine {
    let dimension = |name: &str, value: &str| Dimension { name: name.to_owned(), value: value.to_owned() };
    MetricLine {
        metric_name: name.to_owned(),
        timestamp: "2020-02-19T06:00:00Z".parse().unwrap(),
        dimensions: vec![dimension("Endpoint", "e-1"), dimension("MonitoringSchedule", "s")],
        measurement,
        unit: Unit::Count,
    }
}

#[test]
fn summary() {
    let values = StatisticValues { sample_count: 4.0, sum: 10.5, minimum: -1.0, maximum: 6.0 };
    assert_eq!(
        line("feature_data_age", Measurement::StatisticValues(values)).to_json_line(),
        r#"{"MetricName":"feature_data_age","Timestamp":"2020-02-19T06:00:00Z","Dimensions":[{"Name":"Endpoint","Value":"e-1"},{"Name":"MonitoringSchedule","Value":"s"}],"StatisticValues":{"SampleCount":4.0,"Sum":10.5,"Minimum":-1.0,"Maximum":6.0},"Unit":"Count"}"#
    );
}

#[test]
fn single_value() {
    let text = line("feature_non_null_age", Measurement::Value(4.0)).to_json_line();
    assert!(text.ends_with(r#""Value":4.0,"Unit":"Count"}"#), "{text}");
    let infinite = line("feature_baseline_drift_age", Measurement::Value(f64::INFINITY)).to_json_line();
    assert!(infinite.contains(r#""Value":"Infinity""#), "{infinite}");
}

#[test]
fn refused_characters_become_underscores() {
    let text = line("feature_data_größe\t\"m/s\" [x]", Measurement::Value(0.0)).to_json_line();
    assert!(text.starts_with(r#"{"MetricName":"feature_data_gr__e_\"m/s\" [x]","#), "{text}");
    let long = line(&"é".repeat(300), Measurement::Value(0.0)).to_json_line();
    assert!(long.starts_with(&format!(r#"{{"MetricName":"{}","#, "_".repeat(255))), "{long}");
}
