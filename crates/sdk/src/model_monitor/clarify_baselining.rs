//! What a monitor of Clarify remembers of its baselining job, for the schedule that is made after it.

use crate::request::setters;

/// The analysis of a baselining job, and where predictions were in it. A schedule analyses the same, and finds predictions at
/// the same places, unless it is told otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClarifyBaseliningConfig<C> {
    /// The analysis.
    pub analysis_config: C,
    /// `JMESPath` of the features in what the model is given.
    pub features_attribute: Option<String>,
    /// Index, header or `JMESPath` of the predicted label in what the model answers.
    pub inference_attribute: Option<String>,
    /// Index or `JMESPath` of the scores in what the model answers.
    pub probability_attribute: Option<String>,
    /// A score above it is a positive prediction.
    pub probability_threshold_attribute: Option<f64>,
}

impl<C> ClarifyBaseliningConfig<C> {
    /// Of an analysis: a [`BiasAnalysisConfig`](super::BiasAnalysisConfig) or an
    /// [`ExplainabilityAnalysisConfig`](super::ExplainabilityAnalysisConfig).
    pub fn new(analysis_config: C) -> Self {
        Self {
            analysis_config,
            features_attribute: None,
            inference_attribute: None,
            probability_attribute: None,
            probability_threshold_attribute: None,
        }
    }

    setters! {
        /// `JMESPath` of the features in what the model is given, of JSON Lines.
        features_attribute: String,
        /// Index, header or `JMESPath` of the predicted label in what the model answers.
        inference_attribute: String,
        /// Index or `JMESPath` of the scores in what the model answers.
        probability_attribute: String,
        /// A score above it is a positive prediction.
        probability_threshold_attribute: f64,
    }
}
