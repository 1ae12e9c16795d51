//! Metrics of a run as CloudWatch takes them (sections 10 of data quality, 7.3 of model quality).

use jiff::Timestamp;
use watchkeeper_engine::profile::DriftComparison;
use watchkeeper_formats::{
    DataQualityJob, Dimension, FeatureStatistics, Measurement, MetricLine, ModelQualityJob, ModelQualityMetrics,
    MonitoringInputType, StatisticValues, Statistics, Unit,
};

/// The lines of the metrics file of a data quality run.
pub(crate) fn metric_lines(
    job: &DataQualityJob,
    statistics: &Statistics,
    drift: &[DriftComparison],
) -> Vec<MetricLine> {
    let timestamp = job.metric_time.or(job.start_time).unwrap_or_else(Timestamp::now);
    let dimensions = dimensions(job.endpoint_name.as_deref(), job.monitoring_schedule_name.as_deref());
    let line = |metric_name: String, measurement| MetricLine {
        metric_name,
        timestamp,
        dimensions: dimensions.clone(),
        measurement,
        unit: Unit::Count,
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

/// The lines of the metrics file of a model quality run: every scalar metric that is a number.
pub(crate) fn model_quality_lines(job: &ModelQualityJob, metrics: &ModelQualityMetrics) -> Vec<MetricLine> {
    let timestamp = job.metric_time.or(job.start_time).unwrap_or_else(Timestamp::now);
    let endpoint = monitored_endpoint(job.endpoint_name.as_deref(), job.monitoring_input_type);
    let dimensions = dimensions(endpoint, job.monitoring_schedule_name.as_deref());
    let finite = metrics.scalars().into_iter().filter(|(_, metric)| metric.value.is_finite());
    finite
        .map(|(name, metric)| MetricLine {
            metric_name: name.to_owned(),
            timestamp,
            dimensions: dimensions.clone(),
            measurement: Measurement::Value(metric.value),
            unit: Unit::None,
        })
        .collect()
}

/// The endpoint whose traffic is looked at: none where that is a batch transform's.
pub(crate) fn monitored_endpoint(name: Option<&str>, input_type: Option<MonitoringInputType>) -> Option<&str> {
    name.filter(|_| input_type != Some(MonitoringInputType::BatchTransformInput))
}

/// The dimensions that all metrics of an execution have.
pub(crate) fn dimensions(endpoint: Option<&str>, schedule: Option<&str>) -> Vec<Dimension> {
    let named = |name: &str, value: Option<&str>| {
        value.map(|value| Dimension { name: name.to_owned(), value: value.to_owned() })
    };
    named("Endpoint", endpoint).into_iter().chain(named("MonitoringSchedule", schedule)).collect()
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
