//! Metrics of a data quality run as CloudWatch takes them (section 10).

use jiff::Timestamp;
use watchkeeper_engine::profile::DriftComparison;
use watchkeeper_formats::{
    DataQualityJob, Dimension, FeatureStatistics, Measurement, MetricLine, StatisticValues, Statistics,
};

/// The lines of the metrics file.
pub(crate) fn metric_lines(
    job: &DataQualityJob,
    statistics: &Statistics,
    drift: &[DriftComparison],
) -> Vec<MetricLine> {
    let timestamp = job.metric_time.or(job.start_time).unwrap_or_else(Timestamp::now);
    let named = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| Dimension { name: name.to_owned(), value: value.clone() })
    };
    let dimensions: Vec<Dimension> = named("Endpoint", &job.endpoint_name)
        .into_iter()
        .chain(named("MonitoringSchedule", &job.monitoring_schedule_name))
        .collect();
    let line = |metric_name: String, measurement| MetricLine {
        metric_name,
        timestamp,
        dimensions: dimensions.clone(),
        measurement,
    };
    let mut lines = Vec::new();
    for feature in &statistics.features {
        if let Some(values) = values(feature) {
            lines.push(line(format!("feature_data_{}", feature.name), Measurement::StatisticValues(values)));
        }
        let present = feature.common().map_or(0, |common| common.num_present) as f64;
        lines.push(line(format!("feature_non_null_{}", feature.name), Measurement::Value(present)));
    }
    for comparison in drift {
        if let Some(distance) = comparison.distance() {
            let name = format!("feature_baseline_drift_{}", comparison.feature);
            lines.push(line(name, Measurement::Value(distance)));
        }
    }
    lines
}

fn values(feature: &FeatureStatistics) -> Option<StatisticValues> {
    let statistics = feature.numerical_statistics.as_ref()?;
    Some(StatisticValues {
        sample_count: statistics.common.num_present as f64,
        sum: statistics.sum,
        minimum: statistics.min,
        maximum: statistics.max,
    })
}
