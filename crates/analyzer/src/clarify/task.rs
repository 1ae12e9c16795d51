//! One analysis from its plan to what was found, whoever asked for it.

use std::path::Path;

use watchkeeper_engine::bias::BiasResult;
use watchkeeper_engine::table::Table;
use watchkeeper_formats::MonitoredTraffic;
use watchkeeper_formats::clarify::{Analysis, DatasetType, PredictorConfig};

use super::check::{Baseline, check};
use super::error::refused;
use super::explanations::{self, Explained};
use super::material::Material;
use super::places::Places;
use super::plan::Plan;
use super::predicting::predicted_labels;
use super::{ClarifyAnalysis, bias, datasets, traffic};
use crate::predictor::{Model, ModelPlace};
use crate::{Error, Level, Observer};

/// Resamples that an interval of a bias metric is made of (section 6.1).
const RESAMPLES_OF_INTERVAL: u32 = 100;

/// An analysis to be carried out.
pub(super) struct Task<'a> {
    pub(super) plan: Plan,
    pub(super) source: Source<'a>,
    /// Where the model is, where one can be asked.
    pub(super) model: Option<ModelPlace>,
    pub(super) job_name: Option<&'a str>,
    pub(super) places: Places<'a>,
    pub(super) baseline: Option<&'a Analysis>,
    pub(super) bias_interval: Option<f64>,
    pub(super) ndcg_threshold: f64,
    /// The folder that keeps what an interrupted run has computed.
    pub(super) resume: Option<&'a Path>,
    pub(super) resamples: u32,
    pub(super) threads: usize,
    pub(super) observer: &'a dyn Observer,
}

/// Where the records are.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Dataset(&'a Path),
    Traffic(&'a MonitoredTraffic),
}

impl Task<'_> {
    /// Reads, asks, measures, judges.
    pub(super) fn carry_out(&self) -> Result<ClarifyAnalysis, Error> {
        let config = &self.plan.config;
        if config.has_segment_config {
            self.observer.log(Level::Warning, "segment_config is not supported and was not used");
        }
        let material = self.read()?;
        if self.plan.measures_bias() {
            // Before the model is asked for long.
            config.facets.iter().try_for_each(|facet| material.facet(&facet.column).map(drop))?;
            material.group_variable(config)?;
        }
        let features = material.features();
        let table = if self.plan.asks_model() { material.feature_table(&features) } else { Table::default() };
        let asked = self.plan.asks_model().then(|| self.open_model(&material, &table)).transpose()?;
        let bias = self.measure_bias(&material, asked.as_ref().map(|(model, ..)| (model, &table)))?;
        let explained = match &asked {
            Some((model, predictor, dataset_type)) if self.plan.explains() => {
                let asking = explanations::Asking { model, predictor, dataset_type: *dataset_type };
                explanations::explain(self, &asking, &material, (&features, &table))?
            }
            _ => Explained::default(),
        };
        let parameters = self.parameters(&material, &explained);
        if let Some((model, ..)) = asked {
            let asked = model.asked();
            // Not among the parameters: the same analysis has the same report, and may take other requests.
            let line = format!("{} records were sent to the model in {} requests", asked.records, asked.requests);
            self.observer.log(Level::Info, &line);
            if let Err(error) = model.close() {
                self.observer.log(Level::Warning, &error.to_string());
            }
        }
        Ok(self.judge(bias, explained, material.notes, parameters))
    }

    fn read(&self) -> Result<Material, Error> {
        let material = match self.source {
            Source::Dataset(path) => datasets::read(&self.plan, path, &self.places)?,
            Source::Traffic(monitored) => traffic::read(&self.plan, monitored)?,
        };
        material.notes.iter().for_each(|note| self.observer.log(Level::Warning, note));
        let (rows, columns) = (material.dataset.rows, material.dataset.columns.len());
        self.observer.log(Level::Info, &format!("{rows} rows of {columns} columns were read"));
        if self.observer.stopped() { Err(Error::Stopped) } else { Ok(material) }
    }

    fn open_model(
        &self,
        material: &Material,
        features: &Table,
    ) -> Result<(Model, PredictorConfig, DatasetType), Error> {
        if features.columns.is_empty() {
            return Err(refused("Data must contain features. There is no column left that a model could be sent"));
        }
        let Some(place) = &self.model else {
            return Err(refused(
                "The model cannot be reached: the job has no access to a service (network isolation must be off for it), and no \
                 watchkeeper_predictor_url",
            ));
        };
        let config = &self.plan.config;
        let predictor = match self.source {
            Source::Dataset(_) => config.predictor.clone().unwrap_or_default(),
            Source::Traffic(monitored) => traffic::predictor(config, monitored, &material.content_types),
        };
        let of_requests = predictor.content_type.as_deref().and_then(|text| text.parse().ok());
        let dataset_type = config.dataset_type.or(of_requests).unwrap_or(DatasetType::Csv);
        let names: Vec<String> = features.columns.iter().map(|column| column.name.clone()).collect();
        let model = Model::open(&predictor, place, dataset_type, &names, self.job_name, self.observer)?;
        Ok((model, predictor, dataset_type))
    }

    fn measure_bias(&self, material: &Material, model: Option<(&Model, &Table)>) -> Result<BiasResult, Error> {
        if !self.plan.measures_bias() {
            let nothing =
                BiasResult { pre_training: None, post_training: None, spreads: Vec::new(), notes: Vec::new() };
            return Ok(nothing);
        }
        let threshold = match self.source {
            Source::Dataset(_) => self.plan.config.probability_threshold,
            Source::Traffic(monitored) => monitored.probability_threshold,
        };
        let predicted = predicted_labels(&self.plan, material, threshold, model, self.observer)?;
        let resamples = match self.bias_interval {
            Some(_) if self.baseline.is_some() => self.resamples.max(RESAMPLES_OF_INTERVAL),
            _ => self.resamples,
        };
        let result = bias::measure(&self.plan, material, predicted.as_ref(), resamples)?;
        result.notes.iter().for_each(|note| self.observer.log(Level::Info, note));
        Ok(result)
    }

    fn judge(
        &self,
        bias: BiasResult,
        explained: Explained,
        mut notes: Vec<String>,
        parameters: Vec<(String, String)>,
    ) -> ClarifyAnalysis {
        let analysis = Analysis {
            explanations: explained.explanations,
            post_training_bias: bias.post_training,
            pre_training_bias: bias.pre_training,
        };
        notes.extend(bias.notes);
        notes.extend(explained.notes);
        let violations = self.baseline.map(|baseline| {
            let by =
                Baseline { analysis: baseline, bias_interval: self.bias_interval, ndcg_threshold: self.ndcg_threshold };
            let (violations, remarks) = check(&analysis, &by, &bias.spreads);
            for remark in &remarks {
                self.observer.log(Level::Warning, remark);
            }
            notes.extend(remarks);
            violations
        });
        ClarifyAnalysis {
            analysis,
            violations,
            spreads: bias.spreads,
            local: explained.local,
            saves_local: self.plan.config.methods.shap.as_ref().is_some_and(|shap| shap.save_local_shap_values),
            report: self.plan.report(),
            background: explained.background,
            parameters,
            notes,
        }
    }

    fn parameters(&self, material: &Material, explained: &Explained) -> Vec<(String, String)> {
        let config = &self.plan.config;
        let mut parameters = vec![("Rows".to_owned(), material.dataset.rows.to_string())];
        let label = material.label.map(|label| material.dataset.columns[label].name.clone());
        parameters.extend(label.map(|label| ("Label".to_owned(), label)));
        if self.plan.measures_bias() {
            let printed = |values: &[watchkeeper_formats::clarify::ConfiguredValue]| {
                values.iter().map(watchkeeper_formats::clarify::ConfiguredValue::printed).collect::<Vec<_>>().join(", ")
            };
            parameters.push(("Positive label".to_owned(), printed(&config.label_values_or_threshold)));
        }
        parameters.extend(explained.parameters.iter().cloned());
        parameters
    }
}
