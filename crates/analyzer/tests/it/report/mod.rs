//! The HTML report.

mod content;
mod datasets;
mod html;
mod page;
mod quality;
