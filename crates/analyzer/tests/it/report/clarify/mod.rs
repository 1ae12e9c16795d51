//! The report of bias and attributions.

mod attributions;
mod disparities;
mod documents;
mod notebook;
mod page;
