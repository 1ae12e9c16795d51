//! Bars of signed values that begin at zero.

use crate::report::distribution::position;

/// The range of the bars of one chart.
#[derive(Clone, Copy)]
pub(super) struct BarScale {
    lower: f64,
    upper: f64,
}

/// A bar, in per cent of the width there is.
#[derive(Clone)]
pub(super) struct Bar {
    pub(super) start: String,
    pub(super) width: String,
}

impl BarScale {
    pub(super) fn over(values: impl Iterator<Item = f64>) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (lower, upper) = finite.fold((0.0_f64, 0.0_f64), |(lower, upper), it| (lower.min(it), upper.max(it)));
        Self { lower, upper }
    }

    /// What is no number, or beyond the range, ends where the range does.
    pub(super) fn bar(self, value: f64) -> Bar {
        let place = |value: f64| {
            if self.lower < self.upper { position(value, self.lower, self.upper) * 100.0 } else { 0.0 }
        };
        let (zero, end) = (place(0.0), if value.is_nan() { place(0.0) } else { place(value) });
        Bar { start: format!("{:.2}", zero.min(end)), width: format!("{:.2}", (zero - end).abs()) }
    }
}
