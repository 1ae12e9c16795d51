//! Measuring: from columns to the sections of the document.

use watchkeeper_formats::clarify::{
    BiasMetric, BiasSection, ConfiguredValue, FacetMetrics, MetricSelection, PostTrainingMetric, PreTrainingMetric,
};

use super::counts::{Counts, Rows, Sides};
use super::flip_test::{Features, Flips};
use super::metrics::{self, MetricError, OF_OTHERS};
use super::selection::{Number, Scale, ScaledColumn, present, printed};
use super::spread::{Spread, random_of_facet};
use super::{BiasAnalysis, BiasError, BiasResult, Facet, MetricSpread};
use crate::table::{Column, Distinct, MISSING};

/// Measures.
///
/// # Errors
/// What makes all metrics meaningless (section 3.1); a metric that cannot be computed has an error of its own instead.
pub fn analyze(analysis: &BiasAnalysis<'_>) -> Result<BiasResult, BiasError> {
    let mut notes = Vec::new();
    let labels = Labels::new(analysis, &mut notes)?;
    let metrics = Metrics::new(analysis);
    let groups = analysis.group_variable.map(Distinct::of);
    let features = metrics.has_flip_test().then(|| Features::of(analysis.dataset, &analysis.not_features));
    let measuring = Measuring { labels: &labels, groups: groups.as_ref(), features: features.as_ref() };

    let mut pre_training = Vec::new();
    let mut post_training = Vec::new();
    let mut spreads = Vec::new();
    for (number, facet) in analysis.facets.iter().enumerate() {
        let classes = Classes::of(facet, &mut notes)?;
        let measured = measuring.facet(facet, &classes, &mut notes);
        let (of_labels, of_predictions) = measured.entries(&classes, &metrics);
        if analysis.resamples > 0 {
            spreads.extend(measured.spreads(
                &facet.column.name,
                (&of_labels, &of_predictions),
                &metrics,
                number,
                analysis.resamples,
            ));
        }
        pre_training.push(of_labels);
        post_training.push(of_predictions);
    }
    let section = |facets| BiasSection {
        label: analysis.label.name.clone(),
        facets: by_name(analysis, facets),
        label_value_or_threshold: labels.printed.clone(),
    };
    let pre_training = analysis.pre_training.map(|_| section(pre_training));
    let post_training = analysis.post_training.map(|_| section(post_training));
    Ok(BiasResult { pre_training, post_training, spreads, notes })
}

/// Entries of a column that is a facet more than once stand under its one name.
fn by_name(analysis: &BiasAnalysis<'_>, facets: Vec<Vec<FacetMetrics>>) -> Vec<(String, Vec<FacetMetrics>)> {
    let mut named: Vec<(String, Vec<FacetMetrics>)> = Vec::new();
    for (facet, entries) in analysis.facets.iter().zip(facets) {
        let name = &facet.column.name;
        match named.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.extend(entries),
            None => named.push((name.clone(), entries)),
        }
    }
    named
}

/// Which labels are positive.
struct Labels {
    observed: Vec<bool>,
    /// Where metrics of the predictions are asked for.
    predicted: Option<Vec<bool>>,
    /// What a positive label is.
    printed: String,
}

impl Labels {
    fn new(analysis: &BiasAnalysis<'_>, notes: &mut Vec<String>) -> Result<Self, BiasError> {
        let configured = analysis.label_values_or_threshold;
        if configured.is_empty() {
            return Err(BiasError(format!(
                "Positive label values or thresholds are empty for Label column {}",
                analysis.label.name
            )));
        }
        let label = scaled("Label", analysis.label, configured, notes)?;
        let threshold = match label.scale {
            Scale::Continuous => Some(label.threshold(configured)?),
            Scale::Categorical => None,
        };
        let observed = match threshold {
            Some(threshold) => label.above(threshold, false),
            None => label.equal_to(configured)?,
        };
        notes.extend(observed.conversion);
        let printed = threshold.map_or_else(|| printed(configured), |threshold| label.interval(threshold));
        let predicted = match analysis.post_training {
            Some(_) => Some(predicted(analysis, label, threshold, notes)?),
            None => None,
        };
        Ok(Self { observed: observed.rows, predicted, printed })
    }
}

fn predicted(
    analysis: &BiasAnalysis<'_>,
    label: ScaledColumn<'_>,
    threshold: Option<Number>,
    notes: &mut Vec<String>,
) -> Result<Vec<bool>, BiasError> {
    let configured = analysis.label_values_or_threshold;
    let Some(column) = analysis.predicted_label else {
        return Err(BiasError("Post-training bias metrics need predicted labels or a predictor".to_owned()));
    };
    let prediction = ScaledColumn::of_predictions(column, label, configured);
    notes.push(classified(prediction));
    if prediction.scale != label.scale {
        return Err(BiasError(format!(
            "Predicted Label Column series datatype is not the same as Label Column series: {} is {}, {} is {}",
            column.name,
            prediction.scale.as_str(),
            label.column.name,
            label.scale.as_str()
        )));
    }
    let positive = match threshold {
        Some(threshold) => prediction.above(threshold, label.is_whole()),
        None => prediction.equal_to(configured)?,
    };
    notes.extend(positive.conversion);
    if !positive.rows.contains(&true) {
        let above = if threshold.is_some() { "> " } else { "" };
        return Err(BiasError(format!(
            "No Label values are present in the predicted Label Column,Positive Predicted Index Series contains all False \
             values; positive means {above}{}",
            printed(configured)
        )));
    }
    Ok(positive.rows)
}

/// A column and how it is read; one without any value cannot be.
fn scaled<'a>(
    role: &str,
    column: &'a Column,
    configured: &[ConfiguredValue],
    notes: &mut Vec<String>,
) -> Result<ScaledColumn<'a>, BiasError> {
    if present(column) == 0 {
        let rows = column.len();
        return Err(BiasError(format!("{role} column {} has no value in any of its {rows} rows", column.name)));
    }
    let scaled = ScaledColumn::new(column, configured);
    notes.push(classified(scaled));
    Ok(scaled)
}

fn classified(column: ScaledColumn<'_>) -> String {
    format!("Column {} is classified as a {} column", column.column.name, column.scale.as_str())
}

/// The entries of a facet, and which rows each is about.
struct Classes {
    /// The entry of each row; [`MISSING`] where it is of none.
    codes: Vec<u32>,
    /// What each entry is, printed.
    printed: Vec<String>,
}

impl Classes {
    fn of(facet: &Facet<'_>, notes: &mut Vec<String>) -> Result<Self, BiasError> {
        let configured = facet.value_or_threshold;
        let column = scaled("Facet", facet.column, configured, notes)?;
        let (selection, printed) = match column.scale {
            Scale::Continuous => {
                let threshold = column.threshold(configured)?;
                (column.above(threshold, false), column.interval(threshold))
            }
            Scale::Categorical if configured.is_empty() => {
                let Distinct { codes, first_rows } = Distinct::of(facet.column);
                let printed = first_rows.into_iter().map(|row| facet.column.value(row).printed()).collect();
                return Ok(Self { codes, printed });
            }
            Scale::Categorical => (column.equal_to(configured)?, printed(configured)),
        };
        notes.extend(selection.conversion);
        let code = |is_selected| if is_selected { 0 } else { MISSING };
        Ok(Self { codes: selection.rows.into_iter().map(code).collect(), printed: vec![printed] })
    }
}

/// The metrics that are asked for, in the order of the document.
struct Metrics {
    pre_training: Vec<PreTrainingMetric>,
    post_training: Vec<PostTrainingMetric>,
}

impl Metrics {
    fn new(analysis: &BiasAnalysis<'_>) -> Self {
        fn selected<M: Copy + PartialEq>(all: &[M], selection: Option<&MetricSelection<M>>) -> Vec<M> {
            let is_selected = |metric: &M| match selection {
                None => false,
                Some(MetricSelection::All) => true,
                Some(MetricSelection::Only(metrics)) => metrics.contains(metric),
            };
            all.iter().copied().filter(is_selected).collect()
        }
        Self {
            pre_training: selected(PreTrainingMetric::ALL, analysis.pre_training),
            post_training: selected(PostTrainingMetric::ALL, analysis.post_training),
        }
    }

    fn has_flip_test(&self) -> bool {
        self.post_training.contains(&PostTrainingMetric::Ft)
    }

    /// The values of one entry, of both stages one after the other.
    fn values(
        &self,
        sides: &Sides<'_>,
        flip_test: Result<f64, MetricError>,
    ) -> impl Iterator<Item = Result<f64, MetricError>> {
        let pre_training = self.pre_training.iter().map(|metric| metrics::pre_training(*metric, sides));
        pre_training
            .chain(self.post_training.iter().map(move |metric| metrics::post_training(*metric, sides, flip_test)))
    }
}

/// What all facets are measured with.
struct Measuring<'a> {
    labels: &'a Labels,
    groups: Option<&'a Distinct>,
    /// Where a flip test is asked for.
    features: Option<&'a Features<'a>>,
}

/// A facet: counts of its rows, and the flips of each entry.
struct Measured {
    counts: Counts,
    flips: Vec<Result<Flips, MetricError>>,
}

impl Measuring<'_> {
    fn facet(&self, facet: &Facet<'_>, classes: &Classes, notes: &mut Vec<String>) -> Measured {
        let rows = Rows {
            classes: &classes.codes,
            groups: self.groups.map(|groups| groups.codes.as_slice()),
            observed: &self.labels.observed,
            predicted: self.labels.predicted.as_deref(),
        };
        let counts = Counts::of(rows, classes.printed.len(), self.groups.map_or(0, Distinct::len));
        let flips = (0..classes.printed.len()).map(|class| self.flips(facet, classes, class, &counts.sides(class)));
        let flips: Vec<_> = flips.collect();
        for (flips, printed) in flips.iter().zip(&classes.printed) {
            if let Ok(flips) = flips
                && flips.rows() < flips.facet_rows
            {
                notes.push(format!(
                    "Flip test of facet {} ({printed}): {} evenly spaced rows of the facet stand for its {} rows",
                    facet.column.name,
                    flips.rows(),
                    flips.facet_rows
                ));
            }
        }
        Measured { counts, flips }
    }

    fn flips(
        &self,
        facet: &Facet<'_>,
        classes: &Classes,
        class: usize,
        sides: &Sides<'_>,
    ) -> Result<Flips, MetricError> {
        metrics::both(sides, OF_OTHERS)?;
        match (self.features, &self.labels.predicted) {
            (Some(features), Some(predicted)) => {
                features.flips(facet.place, |row| classes.codes[row] == class as u32, predicted)
            }
            // Then no entry has that metric.
            _ => Err("not asked for"),
        }
    }
}

impl Measured {
    /// The entries of both stages.
    fn entries(&self, classes: &Classes, metrics: &Metrics) -> (Vec<FacetMetrics>, Vec<FacetMetrics>) {
        let entry = |(class, printed): (usize, &String)| {
            let sides = self.counts.sides(class);
            let pre_training = metrics
                .pre_training
                .iter()
                .map(|metric| document(metric.as_str(), metric.description(), metrics::pre_training(*metric, &sides)));
            let flip_test = self.flips[class].map(|flips| flips.value());
            let post_training = metrics.post_training.iter().map(|metric| {
                let value = metrics::post_training(*metric, &sides, flip_test);
                document(metric.as_str(), metric.description(), value)
            });
            let of = |metrics| FacetMetrics { value_or_threshold: printed.clone(), metrics };
            (of(pre_training.collect()), of(post_training.collect()))
        };
        classes.printed.iter().enumerate().map(entry).unzip()
    }

    /// The spreads of all metrics of these entries: pre-training ones, then post-training ones, entry by entry.
    fn spreads<'a>(
        &self,
        name: &str,
        (pre_training, post_training): (&'a [FacetMetrics], &'a [FacetMetrics]),
        metrics: &Metrics,
        number: usize,
        resamples: u32,
    ) -> Vec<MetricSpread> {
        let width = metrics.pre_training.len() + metrics.post_training.len();
        let mut spreads = vec![Spread::default(); pre_training.len() * width];
        let mut random = random_of_facet(number);
        for _ in 0..resamples {
            let counts = self.counts.resampled(&mut random);
            for class in 0..pre_training.len() {
                let sides = counts.sides(class);
                let flip_test = self.flips[class].map(|flips| flips.resampled(&mut random).value());
                let values = metrics.values(&sides, flip_test);
                for (spread, value) in spreads[class * width..].iter_mut().zip(values) {
                    spread.add(value.ok());
                }
            }
        }
        let metrics_of = |is_post_training: bool, entry: &'a FacetMetrics| {
            entry.metrics.iter().map(move |metric| (is_post_training, &entry.value_or_threshold, metric))
        };
        let measured = pre_training
            .iter()
            .zip(post_training)
            .flat_map(|(before, after)| metrics_of(false, before).chain(metrics_of(true, after)));
        let named = |((is_post_training, value_or_threshold, metric), spread): ((_, &String, &BiasMetric), Spread)| {
            let is_finite = metric.value.is_some_and(f64::is_finite);
            MetricSpread {
                is_post_training,
                facet: name.to_owned(),
                value_or_threshold: value_or_threshold.clone(),
                metric: metric.name.clone(),
                standard_deviation: spread.standard_deviation().filter(|_| is_finite),
            }
        };
        measured.zip(spreads).map(named).collect()
    }
}

fn document(name: &str, description: &str, value: Result<f64, MetricError>) -> BiasMetric {
    BiasMetric {
        name: name.to_owned(),
        description: description.to_owned(),
        value: value.ok(),
        error: value.err().map(str::to_owned),
    }
}
