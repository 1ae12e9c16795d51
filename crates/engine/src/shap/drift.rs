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
        let Some((live_name, found)) = counterpart(name, live, baseline) else {
            notes.push(format!("label `{name}` of the baseline is not in the live result and is not compared"));
            continue;
        };
        let pairs = pairs(expected, found, live_name, &mut notes);
        let score = ndcg(&pairs);
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

/// The live label of the same name; two labels that are the only ones of their side belong together whatever their names.
fn counterpart<'a>(name: &str, live: &'a Labels, baseline: &Labels) -> Option<&'a (String, LabelAttributions)> {
    live.iter().find(|(other, _)| other == name).or(match (live, baseline) {
        ([only], [_]) => Some(only),
        _ => None,
    })
}

/// The values of the baseline's features on both sides; one that the live result lacks counts nothing there.
fn pairs(
    expected: &LabelAttributions,
    found: &LabelAttributions,
    label: &str,
    notes: &mut Vec<String>,
) -> Vec<(f64, f64)> {
    let value_in = |of: &LabelAttributions, name: &str| {
        of.global_shap_values.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    };
    let new = found.global_shap_values.iter().filter(|(name, _)| value_in(expected, name).is_none());
    for (name, _) in new {
        notes.push(format!("label `{label}`: feature `{name}` is not in the baseline and is not compared"));
    }
    let mut pair = |(name, value): &(String, f64)| {
        let live = value_in(found, name).unwrap_or_else(|| {
            notes.push(format!(
                "label `{label}`: feature `{name}` of the baseline is not in the live result and counts 0"
            ));
            0.0
        });
        (*value, live)
    };
    expected.global_shap_values.iter().map(&mut pair).collect()
}
