//! Endpoints: Python's `Predictor`, as far as monitors meet it.
//!
//! Bodies go and come as bytes: serializers and deserializers are the caller's, who says their content types with
//! [`Predictor::content_type`] and [`Predictor::accept`].

mod data_capture;
mod deletion;
mod monitors;
mod prediction;

use crate::Session;

pub use deletion::DeleteEndpoint;
pub use monitors::EndpointMonitor;
pub use prediction::{Predict, Prediction};

/// An endpoint: asks its model, and changes what it captures.
///
/// ```no_run
/// # async fn run(session: &watchkeeper::Session) -> watchkeeper::Result<()> {
/// use watchkeeper::model_monitor::DataCaptureConfig;
/// use watchkeeper::predictor::Predictor;
///
/// let mut predictor = Predictor::new(session, "churn").content_type("text/csv");
/// predictor.update_data_capture_config(&DataCaptureConfig::new(true).sampling_percentage(100)).await?;
/// let prediction = predictor.predict("42,0.1,yes").inference_id("order-17").await?;
/// println!("{}", String::from_utf8_lossy(&prediction.body));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Predictor {
    session: Session,
    endpoint_name: String,
    component_name: Option<String>,
    content_type: String,
    accept: String,
    /// As first seen; Python asks once.
    endpoint_config_name: Option<String>,
    /// Of the models behind the endpoint; Python asks once.
    model_names: Option<Vec<String>>,
}

impl Predictor {
    /// The endpoint of a name. Sends nothing.
    pub fn new(session: &Session, endpoint_name: impl Into<String>) -> Self {
        Self {
            session: session.clone(),
            endpoint_name: endpoint_name.into(),
            component_name: None,
            content_type: "application/octet-stream".to_owned(),
            accept: "*/*".to_owned(),
            endpoint_config_name: None,
            model_names: None,
        }
    }

    /// The inference component that predictions are of.
    #[must_use]
    pub fn component_name(mut self, component_name: impl Into<String>) -> Self {
        self.component_name = Some(component_name.into());
        self
    }

    /// What bodies that go to the model are; `application/octet-stream` when not given.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// What bodies that come from the model shall be; `*/*` when not given.
    #[must_use]
    pub fn accept(mut self, accept: impl Into<String>) -> Self {
        self.accept = accept.into();
        self
    }

    /// The name of the endpoint.
    pub fn endpoint_name(&self) -> &str {
        &self.endpoint_name
    }
}
