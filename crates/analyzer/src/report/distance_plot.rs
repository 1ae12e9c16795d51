//! The drawing of a metric in a row of a table: what it is now, with its whisker, and what it was, against a line that all rows share.
//!
//! Paths in a box of [`WIDTH`] by 32; where a value stands in it is the business of the axis.

/// Width of the box.
pub(super) const WIDTH: f64 = 400.0;
/// What the axis leaves at its ends, so that dots there are whole.
pub(super) const MARGIN: f64 = 8.0;
/// Heights of the baseline's and of the current dot.
pub(super) const BASELINE_ROW: i32 = 8;
pub(super) const CURRENT_ROW: i32 = 21;

/// The line that everything is held against.
pub(super) fn line(at: f64) -> String {
    format!("M{at:.1} 0V32")
}

/// From the line to the current dot.
pub(super) fn bar(line: f64, dot: f64) -> String {
    format!("M{line:.1} {CURRENT_ROW}H{dot:.1}")
}

pub(super) fn dot(at: f64, row: i32) -> String {
    format!("M{at:.1} {row}h0")
}

pub(super) fn whisker(left: f64, right: f64, row: i32) -> String {
    let (top, bottom) = (row - 4, row + 4);
    format!("M{left:.1} {row}H{right:.1}M{left:.1} {top}V{bottom}M{right:.1} {top}V{bottom}")
}
