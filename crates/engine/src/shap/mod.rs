//! Kernel SHAP, its background rows, partial dependence, and the drift of an order of features (explainability specification).
//!
//! Nothing here asks a model: an [`Explanation`] hands out the coalitions whose rows are to be scored, and takes the scores. Rows are
//! never made here either: a coalition says which features come from the explained row and which from a background row.
//!
//! Every explained row draws from a generator of its own, made of seed and row number, so that threads and batches change nothing.

mod aggregate;
mod background;
mod coalitions;
mod drift;
mod explanation;
mod least_squares;
mod partial_dependence;

pub use aggregate::aggregate;
pub use background::{Background, BackgroundError, cluster};
pub use coalitions::Coalitions;
pub use drift::{agreement, attribution_drift, counterpart, ndcg};
pub use explanation::{Explanation, Link};
pub use partial_dependence::{Grid, data_type, grid};
