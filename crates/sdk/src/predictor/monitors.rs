//! The monitors of an endpoint.

use serde_json::{Value, json};

use super::Predictor;
use crate::Result;
use crate::image_uris::ANALYZER_REPOSITORY;
use crate::model_monitor::{
    DefaultModelMonitor, ModelBiasMonitor, ModelExplainabilityMonitor, ModelMonitor, ModelQualityMonitor,
};

/// A monitor of an endpoint, attached to its schedule.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // an endpoint has a handful of monitors
pub enum EndpointMonitor {
    /// With a container of one's own.
    Generic(ModelMonitor),
    /// Of the quality of data.
    DataQuality(DefaultModelMonitor),
    /// Of predictions against true labels.
    ModelQuality(ModelQualityMonitor),
    /// Of bias.
    ModelBias(ModelBiasMonitor),
    /// Of what features contribute to predictions.
    ModelExplainability(ModelExplainabilityMonitor),
    /// Of a type that this version does not know.
    Other {
        /// Its schedule.
        monitoring_schedule_name: String,
        /// Its type, as the service says it.
        monitoring_type: Option<String>,
    },
}

impl EndpointMonitor {
    /// The schedule that the monitor is attached to.
    pub fn monitoring_schedule_name(&self) -> Option<&str> {
        match self {
            Self::Generic(monitor) => monitor.monitoring_schedule_name(),
            Self::DataQuality(monitor) => monitor.monitoring_schedule_name(),
            Self::ModelQuality(monitor) => monitor.monitoring_schedule_name(),
            Self::ModelBias(monitor) => monitor.monitoring_schedule_name(),
            Self::ModelExplainability(monitor) => monitor.monitoring_schedule_name(),
            Self::Other { monitoring_schedule_name, .. } => Some(monitoring_schedule_name),
        }
    }
}

/// Which monitor attaches to a schedule.
enum Kind {
    Generic,
    DataQuality,
    ModelQuality,
    ModelBias,
    ModelExplainability,
    Other,
}

impl Predictor {
    /// The monitors of the endpoint's schedules, the newest first.
    ///
    /// # Errors
    /// The service refuses, or a schedule was deleted while it was read.
    pub async fn list_monitors(&self) -> Result<Vec<EndpointMonitor>> {
        let mut monitors = Vec::new();
        let mut next_token: Option<Value> = None;
        loop {
            let mut request = json!({
                "EndpointName": self.endpoint_name,
                "SortBy": "CreationTime",
                "SortOrder": "Descending",
                "MaxResults": 100,
            });
            if let Some(token) = next_token {
                request["NextToken"] = token;
            }
            let answer = self.session.sagemaker("ListMonitoringSchedules", &self.endpoint_name, &request).await?;
            for summary in answer["MonitoringScheduleSummaries"].as_array().into_iter().flatten() {
                monitors.push(self.attached(summary).await?);
            }
            next_token =
                answer.get("NextToken").filter(|token| token.as_str().is_some_and(|token| !token.is_empty())).cloned();
            if next_token.is_none() {
                return Ok(monitors);
            }
        }
    }

    async fn attached(&self, summary: &Value) -> Result<EndpointMonitor> {
        let name = summary["MonitoringScheduleName"].as_str().unwrap_or_default();
        let session = &self.session;
        let monitoring_type = summary["MonitoringType"].as_str();
        Ok(match self.kind(name, monitoring_type).await? {
            Kind::Other => EndpointMonitor::Other {
                monitoring_schedule_name: name.to_owned(),
                monitoring_type: monitoring_type.map(str::to_owned),
            },
            Kind::Generic => EndpointMonitor::Generic(ModelMonitor::attach(session, name).await?),
            Kind::DataQuality => EndpointMonitor::DataQuality(DefaultModelMonitor::attach(session, name).await?),
            Kind::ModelQuality => EndpointMonitor::ModelQuality(ModelQualityMonitor::attach(session, name).await?),
            Kind::ModelBias => EndpointMonitor::ModelBias(ModelBiasMonitor::attach(session, name).await?),
            Kind::ModelExplainability => {
                EndpointMonitor::ModelExplainability(ModelExplainabilityMonitor::attach(session, name).await?)
            }
        })
    }

    /// Schedules of the Clarify monitors always refer to a definition; for others the description says whether theirs is embedded.
    /// Embedded definitions of data quality are known by their image.
    async fn kind(&self, schedule: &str, monitoring_type: Option<&str>) -> Result<Kind> {
        match monitoring_type {
            Some("ModelBias") => return Ok(Kind::ModelBias),
            Some("ModelExplainability") => return Ok(Kind::ModelExplainability),
            _ => {}
        }
        let request = json!({ "MonitoringScheduleName": schedule });
        let description = self.session.sagemaker("DescribeMonitoringSchedule", schedule, &request).await?;
        let embedded = &description["MonitoringScheduleConfig"]["MonitoringJobDefinition"];
        if !embedded.is_null() {
            let image = embedded["MonitoringAppSpecification"]["ImageUri"].as_str().unwrap_or_default();
            let is_analyzer = image.ends_with(ANALYZER_REPOSITORY);
            return Ok(if is_analyzer { Kind::DataQuality } else { Kind::Generic });
        }
        match monitoring_type {
            Some("DataQuality") => Ok(Kind::DataQuality),
            Some("ModelQuality") => Ok(Kind::ModelQuality),
            _ => Ok(Kind::Other),
        }
    }
}
