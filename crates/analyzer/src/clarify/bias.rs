//! Measuring bias on the material of a job.

use watchkeeper_engine::bias::{self, BiasAnalysis, BiasResult, Facet};
use watchkeeper_engine::table::Column;

use super::ClarifyError;
use super::error::refused;
use super::material::Material;
use super::plan::{Origin, Plan};
use crate::Error;

/// Measures all metrics that are asked for. `resamples` of the bootstrap give their spread.
pub(super) fn measure(
    plan: &Plan,
    material: &Material,
    predicted_label: Option<&Column>,
    resamples: u32,
) -> Result<BiasResult, Error> {
    let config = &plan.config;
    let Some(label) = material.label else {
        return Err(refused("Headers must contain label. The data has no labels"));
    };
    let mut not_features = material.not_features();
    if plan.origin != Origin::Dataset {
        not_features.extend(&material.excluded);
    }
    let facets = config.facets.iter().map(|facet| {
        let (column, place) = material.facet(&facet.column)?;
        Ok(Facet { column, place, value_or_threshold: &facet.value_or_threshold })
    });
    let analysis = BiasAnalysis {
        dataset: &material.dataset,
        not_features,
        label: &material.dataset.columns[label],
        label_values_or_threshold: &config.label_values_or_threshold,
        predicted_label,
        facets: facets.collect::<Result<_, Error>>()?,
        group_variable: material.group_variable(config)?,
        pre_training: config.methods.pre_training_bias.as_ref(),
        post_training: config.methods.post_training_bias.as_ref(),
        resamples,
    };
    Ok(bias::analyze(&analysis).map_err(ClarifyError::from)?)
}
