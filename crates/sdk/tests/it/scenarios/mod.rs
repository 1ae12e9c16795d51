//! Whole stories: from a model to the violations of its traffic, as users of the SDK write them.
//!
//! Each is told to a session and knows nothing of what answers: here it is `Session::local()`, in the tests of the command line
//! a started `watchkeeper serve`. What they are held against comes from AWS's analyzers or is arithmetic of the test.

mod census;
mod goldens;
mod site;

pub(crate) mod batch_transform;
pub(crate) mod clarify_processor;
pub(crate) mod data_quality;
pub(crate) mod model_bias;
pub(crate) mod model_explainability;
pub(crate) mod model_quality;
pub(crate) mod own_image;
pub(crate) mod own_rules;
