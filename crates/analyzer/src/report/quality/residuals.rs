//! What predictions of a regression are off by.

use watchkeeper_engine::quality::Residuals;

use crate::report::charts::{Bins, Histogram, column};
use crate::report::distribution::Distribution;
use crate::report::figures::Prose;

/// The histogram of residuals.
pub(super) struct ResidualsView {
    pub(super) histogram: Histogram,
    /// Where no error is, in the box of the histogram; none where that is beyond the axis.
    pub(super) zero: Option<i32>,
    pub(super) prose: Prose,
}

impl ResidualsView {
    /// None when there is no finite residual.
    pub(super) fn new(residuals: &Residuals) -> Option<Self> {
        let quantile = |share| residuals.ranks.quantile(share);
        let (median, half) = (quantile(0.5)?, (quantile(0.25)?, quantile(0.75)?));
        let most = (quantile(0.05)?, quantile(0.95)?);
        let (smallest, largest) = residuals.range;
        let distribution = Distribution::of_ranks(residuals.ranks.clone(), residuals.range);
        let bins = Bins::over(&[&distribution])?;
        let prose = match residuals.mean {
            mean if mean > 0.0 => {
                Prose::new("On average the truth is ").number(mean).words(" above the prediction; the median is ")
            }
            mean if mean < 0.0 => {
                Prose::new("On average the truth is ").number(-mean).words(" below the prediction; the median is ")
            }
            mean => Prose::new("The mean is ").number(mean).words("; the median is "),
        };
        let prose = prose.number(median).words(". Half of the residuals lie between ").number(half.0);
        let prose = prose.words(" and ").number(half.1).words(", nine in ten between ").number(most.0);
        let prose = prose.words(" and ").number(most.1).words(", all between ").number(smallest);
        Some(Self {
            zero: (smallest <= 0.0 && largest >= 0.0).then(|| column(&bins, 0.0)),
            histogram: Histogram::new(&bins, None, Some(&distribution)),
            prose: prose.words(" and ").number(largest).words("."),
        })
    }
}
