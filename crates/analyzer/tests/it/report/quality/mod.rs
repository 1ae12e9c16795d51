//! The report of model quality.

mod content;
mod documents;
mod page;
