//! The HTML report.

mod clarify;
mod content;
mod datasets;
mod html;
mod page;
mod quality;
