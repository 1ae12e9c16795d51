//! Which metrics of bias are computed.

use serde::{Serialize, Serializer};

use crate::word::word;

word! {
    /// A metric of the labels alone, before a model is trained.
    pub enum PreTrainingMethod {
        /// Class imbalance.
        Ci = "CI",
        /// Difference in positive proportions in labels.
        Dpl = "DPL",
        /// Kullback-Leibler divergence.
        Kl = "KL",
        /// Jensen-Shannon divergence.
        Js = "JS",
        /// L-p norm.
        Lp = "LP",
        /// Total variation distance.
        Tvd = "TVD",
        /// Kolmogorov-Smirnov distance.
        Ks = "KS",
        /// Conditional demographic disparity in labels.
        Cddl = "CDDL",
    }
}

word! {
    /// A metric of labels and predictions, after a model is trained.
    pub enum PostTrainingMethod {
        /// Difference in positive proportions in predicted labels.
        Dppl = "DPPL",
        /// Disparate impact.
        Di = "DI",
        /// Difference in conditional acceptance.
        Dca = "DCA",
        /// Difference in conditional rejection.
        Dcr = "DCR",
        /// Recall difference.
        Rd = "RD",
        /// Specificity difference.
        Sd = "SD",
        /// Difference in acceptance rates.
        Dar = "DAR",
        /// Difference in rejection rates.
        Drr = "DRR",
        /// Accuracy difference.
        Ad = "AD",
        /// Conditional demographic disparity in predicted labels.
        Cddpl = "CDDPL",
        /// Treatment equality.
        Te = "TE",
        /// Flip test.
        Ft = "FT",
        /// Generalized entropy.
        Ge = "GE",
    }
}

/// All metrics of a stage, or some. An empty list leaves the stage out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BiasMethods<M> {
    /// Every one.
    #[default]
    All,
    /// These.
    Only(Vec<M>),
}

impl<M> BiasMethods<M> {
    /// Whether the stage is left out.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Only(methods) if methods.is_empty())
    }
}

impl<M, I: Into<M>, const N: usize> From<[I; N]> for BiasMethods<M> {
    fn from(methods: [I; N]) -> Self {
        Self::Only(methods.into_iter().map(Into::into).collect())
    }
}

impl<M, I: Into<M>> From<Vec<I>> for BiasMethods<M> {
    fn from(methods: Vec<I>) -> Self {
        Self::Only(methods.into_iter().map(Into::into).collect())
    }
}

impl<M: Serialize> Serialize for BiasMethods<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Only(methods) => methods.serialize(serializer),
        }
    }
}
