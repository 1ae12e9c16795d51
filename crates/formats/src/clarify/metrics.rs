//! The bias metrics, in the order of the documents, which is that of their names.

use crate::named_enum::named_enum;

named_enum! {
    /// Metrics of the labels alone.
    #[allow(clippy::upper_case_acronyms)]
    pub enum PreTrainingMetric {
        /// Conditional demographic disparity in labels.
        Cddl = "CDDL",
        /// Class imbalance.
        Ci = "CI",
        /// Difference in positive proportions in labels.
        Dpl = "DPL",
        /// Jensen-Shannon divergence.
        Js = "JS",
        /// Kullback-Leibler divergence.
        Kl = "KL",
        /// Kolmogorov-Smirnov distance.
        Ks = "KS",
        /// L-p norm.
        Lp = "LP",
        /// Total variation distance.
        Tvd = "TVD",
    }
}

named_enum! {
    /// Metrics of labels and predictions.
    pub enum PostTrainingMetric {
        /// Accuracy difference.
        Ad = "AD",
        /// Conditional demographic disparity in predicted labels.
        Cddpl = "CDDPL",
        /// Difference in acceptance rates.
        Dar = "DAR",
        /// Difference in conditional acceptance.
        Dca = "DCA",
        /// Difference in conditional rejection.
        Dcr = "DCR",
        /// Disparate impact.
        Di = "DI",
        /// Difference in positive proportions in predicted labels.
        Dppl = "DPPL",
        /// Difference in rejection rates.
        Drr = "DRR",
        /// Flip test.
        Ft = "FT",
        /// Generalized entropy.
        Ge = "GE",
        /// Recall difference.
        Rd = "RD",
        /// Specificity difference.
        Sd = "SD",
        /// Treatment equality.
        Te = "TE",
    }
}

impl PreTrainingMetric {
    /// The `description` of the document; "Liebler" is how AWS writes it.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Cddl => "Conditional Demographic Disparity in Labels (CDDL)",
            Self::Ci => "Class Imbalance (CI)",
            Self::Dpl => "Difference in Positive Proportions in Labels (DPL)",
            Self::Js => "Jensen-Shannon Divergence (JS)",
            Self::Kl => "Kullback-Liebler Divergence (KL)",
            Self::Ks => "Kolmogorov-Smirnov Distance (KS)",
            Self::Lp => "L-p Norm (LP)",
            Self::Tvd => "Total Variation Distance (TVD)",
        }
    }
}

impl PostTrainingMetric {
    /// The `description` of the document.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Ad => "Accuracy Difference (AD)",
            Self::Cddpl => "Conditional Demographic Disparity in Predicted Labels (CDDPL)",
            Self::Dar => "Difference in Acceptance Rates (DAR)",
            Self::Dca => "Difference in Conditional Acceptance (DCA)",
            Self::Dcr => "Difference in Conditional Rejection (DCR)",
            Self::Di => "Disparate Impact (DI)",
            Self::Dppl => "Difference in Positive Proportions in Predicted Labels (DPPL)",
            Self::Drr => "Difference in Rejection Rates (DRR)",
            Self::Ft => "Flip Test (FT)",
            Self::Ge => "Generalized Entropy (GE)",
            Self::Rd => "Recall Difference (RD)",
            Self::Sd => "Specificity Difference (SD)",
            Self::Te => "Treatment Equality (TE)",
        }
    }
}
