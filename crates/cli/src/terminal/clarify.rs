//! What the Clarify monitors found, in a terminal: bias metrics, attributions of features, partial dependence.

use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation, ClarifyViolations};

use super::figures::{count, counted};
use super::text::{push_notes, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, attributions, bias, dependence, paints};

/// Everything that is known of an analysis.
#[derive(Clone, Copy, Debug)]
pub struct ClarifyView<'a> {
    /// What was found.
    pub analysis: &'a Analysis,
    /// What it is compared with.
    pub baseline: Option<&'a Analysis>,
    /// What is violated; None where nothing was judged.
    pub violations: Option<&'a [ClarifyViolation]>,
    /// Spreads of bias metrics.
    pub spreads: &'a [MetricSpread],
    /// What else the person should know, a line each.
    pub notes: &'a [String],
}

/// A headline, a table for each sensitive group and stage, one for each score with the features in order, curves of dependence, and notes.
pub fn clarify(view: &ClarifyView<'_>, style: &Style) -> String {
    let mut text = String::new();
    let subject = subject(view.analysis);
    match view.violations {
        None => push_headline(&mut text, &subject, paints::TITLE, style),
        Some([]) if !is_anything_judged(view) => {
            push_headline(&mut text, &format!("nothing judged in {subject}"), paints::NOTICE, style);
        }
        Some([]) => push_headline(&mut text, &format!("no violations in {subject}"), paints::GOOD, style),
        Some(found) => {
            let violations = counted(found.len() as u64, "violation");
            push_headline(&mut text, &format!("{violations} in {subject}"), paints::BAD, style);
        }
    }
    bias::push_sections(&mut text, view, style);
    attributions::push_scores(&mut text, view, style);
    dependence::push_features(&mut text, view.analysis, style);
    push_notes(&mut text, view.notes, style);
    text
}

/// `analysis.json` as tables.
pub fn analysis(document: &Analysis, style: &Style) -> String {
    clarify(&ClarifyView { analysis: document, baseline: None, violations: None, spreads: &[], notes: &[] }, style)
}

/// `constraint_violations.json` of the Clarify monitors: a sentence a violation, in the order of the file.
pub fn clarify_violations(document: &ClarifyViolations, style: &Style) -> String {
    let mut text = String::new();
    if document.violations.is_empty() {
        push_headline(&mut text, "no violations", paints::GOOD, style);
        return text;
    }
    let violations = counted(document.violations.len() as u64, "violation");
    push_headline(&mut text, &violations, paints::BAD, style);
    text.push('\n');
    for violation in &document.violations {
        let sentence = match violation {
            ClarifyViolation::Bias(violation) => {
                let metric = visible(&violation.metric_name, style);
                let facet = visible(&violation.facet, style);
                let value = visible(&violation.facet_value, style);
                format!("{metric} of {facet} = {value}: {}", visible(&violation.description, style))
            }
            ClarifyViolation::Attribution(violation) => {
                format!("{}: {}", visible(&violation.label, style), visible(&violation.description, style))
            }
        };
        push_wrapped(&mut text, &sentence, 0, style);
    }
    text
}

/// What there is in an analysis, in words.
fn subject(analysis: &Analysis) -> String {
    let mut parts = Vec::new();
    let sections = [&analysis.post_training_bias, &analysis.pre_training_bias];
    let groups = sections
        .into_iter()
        .flatten()
        .map(|section| section.facets.iter().map(|(_, entries)| entries.len()).sum::<usize>());
    if let Some(groups) = groups.max() {
        parts.push(format!("bias of {}", counted(groups as u64, "group")));
    }
    let explanations = analysis.explanations.as_ref();
    if let Some(labels) = explanations.and_then(|explanations| explanations.kernel_shap.as_ref()) {
        let features = labels.first().map_or(0, |(_, label)| label.global_shap_values.len());
        let scores =
            if labels.len() > 1 { format!(" for {} scores", count(labels.len() as u64)) } else { String::new() };
        parts.push(format!("attributions of {}{scores}", counted(features as u64, "feature")));
    }
    if let Some(features) = explanations.and_then(|explanations| explanations.pdp.as_ref()) {
        parts.push(format!("partial dependence on {}", counted(features.len() as u64, "feature")));
    }
    if parts.is_empty() { "an empty analysis".to_owned() } else { parts.join(", ") }
}

/// False where baseline and analysis have nothing in common: that nothing is violated means nothing then.
fn is_anything_judged(view: &ClarifyView<'_>) -> bool {
    let Some(baseline) = view.baseline else { return false };
    bias::is_anything_judged(view.analysis, baseline) || attributions::is_anything_judged(view.analysis, baseline)
}
