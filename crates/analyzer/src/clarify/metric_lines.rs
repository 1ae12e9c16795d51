//! Metrics of a monitor's execution as CloudWatch takes them (sections 6.3 of the bias, 5.4 of the explainability specification).

use jiff::Timestamp;
use watchkeeper_formats::clarify::{Analysis, BiasSection, LabelAttributions};
use watchkeeper_formats::{Dimension, Measurement, MetricLine, MonitoredTraffic, Unit};

use crate::metrics::{dimensions, monitored_endpoint};

/// What an infinite value is published as: CloudWatch takes no larger one.
const LARGEST: f64 = 2.348_543e108;

/// The lines of the metrics file of an execution.
pub(super) fn metric_lines(traffic: &MonitoredTraffic, analysis: &Analysis) -> Vec<MetricLine> {
    let timestamp = traffic.metric_time.or(traffic.window.map(|(start, _)| start)).unwrap_or_else(Timestamp::now);
    let endpoint = monitored_endpoint(traffic.endpoint_name.as_deref(), traffic.monitoring_input_type);
    let beginning = dimensions(endpoint, traffic.monitoring_schedule_name.as_deref());
    let mut lines = Lines { timestamp, beginning, written: Vec::new() };
    for (stage, section) in
        [("Pre-training", &analysis.pre_training_bias), ("Post-Training", &analysis.post_training_bias)]
    {
        if let Some(section) = section {
            lines.add_bias(stage, section);
        }
    }
    let labels = analysis.explanations.as_ref().and_then(|explanations| explanations.kernel_shap.as_deref());
    for (label, attributions) in labels.unwrap_or_default() {
        lines.add_attributions(label, attributions);
    }
    lines.written
}

struct Lines {
    timestamp: Timestamp,
    beginning: Vec<Dimension>,
    written: Vec<MetricLine>,
}

impl Lines {
    fn add_bias(&mut self, stage: &str, section: &BiasSection) {
        for (facet, entries) in &section.facets {
            for entry in entries {
                let dimensions = [
                    ("BiasStage", stage),
                    ("Label", &section.label),
                    ("LabelValue", &section.label_value_or_threshold),
                    ("Facet", facet),
                    ("FacetValue", &entry.value_or_threshold),
                ];
                if dimensions.iter().any(|(_, text)| text.is_empty()) {
                    continue;
                }
                for metric in &entry.metrics {
                    if let Some(value) = metric.value.filter(|value| !value.is_nan()) {
                        self.add(format!("bias_metric_{}", metric.name), &dimensions, value.clamp(-LARGEST, LARGEST));
                    }
                }
            }
        }
    }

    fn add_attributions(&mut self, label: &str, attributions: &LabelAttributions) {
        let dimensions =
            |value_type| [("ExplainabilityMethod", "KernelShap"), ("Label", label), ("ValueType", value_type)];
        for (feature, value) in &attributions.global_shap_values {
            self.add(format!("feature_{feature}"), &dimensions("GlobalShapValues"), *value);
        }
        self.add("ExpectedValue".to_owned(), &dimensions("ExpectedValue"), attributions.expected_value);
    }

    fn add(&mut self, metric_name: String, dimensions: &[(&str, &str)], value: f64) {
        let dimension = |(name, value): &(&str, &str)| Dimension { name: (*name).into(), value: (*value).into() };
        let further = dimensions.iter().map(dimension);
        self.written.push(MetricLine {
            metric_name,
            timestamp: self.timestamp,
            dimensions: self.beginning.iter().cloned().chain(further).collect(),
            measurement: Measurement::Value(value),
            unit: Unit::None,
        });
    }
}
