//! Whether the order of features has changed (section 5.2).

use watchkeeper_formats::clarify::{Analysis, AttributionViolation, LabelAttributions};

type Labels = [(String, LabelAttributions)];

/// The normalised discounted cumulative gain of live values ordered by size, the baseline's being the gains; pairs of one feature.
///
/// As scikit-learn's `ndcg_score` has it: features of equal live value share their places' gains. Signs are ignored; 1 where the
/// baseline has nothing but zeros.
pub fn ndcg(baseline_and_live: &[(f64, f64)]) -> f64 {
    let mut pairs: Vec<(f64, f64)> = baseline_and_live.iter().map(|(gain, live)| (gain.abs(), live.abs())).collect();
    pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
    let ideal: f64 = pairs.iter().enumerate().map(|(place, (gain, _))| gain / discount(place)).sum();
    if ideal == 0.0 {
        return 1.0;
    }
    pairs.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut gained = 0.0;
    let mut place = 0;
    for tied in pairs.chunk_by(|one, other| one.1 == other.1) {
        let discounts: f64 = (place..place + tied.len()).map(|place| 1.0 / discount(place)).sum();
        gained += tied.iter().map(|(gain, _)| gain).sum::<f64>() / tied.len() as f64 * discounts;
        place += tied.len();
    }
    gained / ideal
}

/// Of a place from 0.
fn discount(place: usize) -> f64 {
    ((place + 2) as f64).log2()
}

/// The labels whose order of features has drifted, and sentences for the log.
pub fn attribution_drift(
    live: &Analysis,
    baseline: &Analysis,
    threshold: f64,
) -> (Vec<AttributionViolation>, Vec<String>) {
    let mut violations = Vec::new();
    let mut notes = Vec::new();
    let (Some(live), Some(baseline)) = (labels(live), labels(baseline)) else {
        notes.push(
            "feature attribution drift is not looked for: live result and baseline do not both have SHAP values"
                .to_owned(),
        );
        return (violations, notes);
    };
    for (name, expected) in baseline {
        let Some((live_name, found)) = counterpart(name, baseline, live) else {
            notes.push(format!("label `{name}` of the baseline is not in the live result and is not compared"));
            continue;
        };
        notes.extend(notes_on_features(live_name, found, expected));
        let score = agreement(found, expected);
        notes.push(format!("label `{live_name}`: the order of features agrees with the baseline's to nDCG {score}"));
        if score < threshold {
            violations.push(AttributionViolation::new(live_name, score, threshold));
        }
    }
    (violations, notes)
}

fn labels(analysis: &Analysis) -> Option<&Labels> {
    analysis.explanations.as_ref()?.kernel_shap.as_deref()
}

/// The label of the other side that a label of this side is compared with: that of the same name; two labels that are the only
/// ones of their side belong together whatever their names.
pub fn counterpart<'a>(
    name: &str,
    this: &[(String, LabelAttributions)],
    other: &'a [(String, LabelAttributions)],
) -> Option<&'a (String, LabelAttributions)> {
    other.iter().find(|(same, _)| same == name).or(match (this, other) {
        ([_], [only]) => Some(only),
        _ => None,
    })
}

/// How much of the baseline's order of features is kept, as [`ndcg`] has it; a feature that the live result lacks counts 0 there,
/// one that the baseline lacks is not compared.
pub fn agreement(live: &LabelAttributions, baseline: &LabelAttributions) -> f64 {
    let pair = |(name, value): &(String, f64)| (*value, value_in(live, name).unwrap_or(0.0));
    let pairs: Vec<(f64, f64)> = baseline.global_shap_values.iter().map(pair).collect();
    ndcg(&pairs)
}

/// The features that one side lacks, in sentences for the log.
fn notes_on_features<'a>(
    label: &'a str,
    live: &'a LabelAttributions,
    baseline: &'a LabelAttributions,
) -> impl Iterator<Item = String> {
    let lacking = |of: &'a LabelAttributions, other: &'a LabelAttributions| {
        of.global_shap_values.iter().map(|(name, _)| name).filter(|name| value_in(other, name).is_none())
    };
    let new = lacking(live, baseline)
        .map(move |name| format!("label `{label}`: feature `{name}` is not in the baseline and is not compared"));
    let missing = lacking(baseline, live).map(move |name| {
        format!("label `{label}`: feature `{name}` of the baseline is not in the live result and counts 0")
    });
    new.chain(missing)
}

fn value_in(attributions: &LabelAttributions, name: &str) -> Option<f64> {
    attributions.global_shap_values.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
}
