//! An endpoint at work: one generation of it, from one configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::DataCaptureConfig;

use super::capture::CaptureStream;
use super::model::ModelServer;
use super::traffic::Traffic;
use crate::control::endpoint::{Endpoint, Revision};

/// 2^64 divided by the golden ratio: multiples of it, taken modulo 2^64, are spread over the range more evenly than chance
/// would (the Weyl sequence of Knuth's multiplicative hashing).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// An endpoint as one configuration has it. An update makes another; requests under way keep the one they began with.
pub struct Deployment {
    /// The endpoint's name as it was given.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The region it was created in.
    pub region: String,
    /// What answers, with the shares of requests.
    pub variants: Vec<Variant>,
    /// What is asked as well, and whose answers nobody gets.
    pub shadows: Vec<Variant>,
    /// `AsyncInferenceConfig` as it was sent.
    pub async_config: Option<serde_json::Value>,
    /// How what passes is captured.
    pub capture_config: Option<DataCaptureConfig>,
    /// What it was made from.
    pub origin: Origin,
    /// The number of requests that were spread over its variants.
    pub spread: AtomicU64,
}

/// What an endpoint's place was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// When the endpoint was created: another of the same name has another moment.
    pub created: Time,
    /// What it ran then.
    pub revision: Revision,
}

impl Origin {
    /// Whether this is what the endpoint's document says that it runs.
    pub(super) fn is_current(&self, endpoint: &Endpoint) -> bool {
        self.created == endpoint.created && endpoint.runs(&self.revision)
    }
}

/// A production variant.
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its share is this weight among the sum of all weights.
    pub weight: f64,
    /// What answers; None where nothing is known of its image and the configuration lets it pass.
    pub model: Option<Arc<ModelServer>>,
    /// Where requests and answers are captured; None while capture is off.
    pub capture: Option<Arc<CaptureStream>>,
    /// What counts its requests, and is held by each that is under way.
    pub traffic: Arc<Traffic>,
}

impl Deployment {
    /// The variant of a request: the one that it names, or one by the weights; None where there is none of that name.
    ///
    /// A variant whose weight is 0 answers only who names it. Where all weights are 0 nobody was preferred, so that all
    /// variants have the same share: an endpoint in service answers.
    pub fn choose(&self, target: Option<&str>) -> Option<&Variant> {
        if let Some(name) = target {
            return self.variants.iter().find(|variant| variant.name == name);
        }
        if let [only] = self.variants.as_slice() {
            return Some(only);
        }
        let turn = self.spread.fetch_add(1, Ordering::Relaxed);
        let weights = self.variants.iter().map(|variant| variant.weight);
        self.variants.get(chosen(weights, place(turn)))
    }

    /// Whether a request is under way, or somebody else holds it.
    pub(super) fn is_in_use(self: &Arc<Self>) -> bool {
        // A stream is passed on without the deployment that it began with.
        let has_requests = |variant: &Variant| Arc::strong_count(&variant.traffic) > 1;
        Arc::strong_count(self) > 1 || self.variants.iter().chain(&self.shadows).any(has_requests)
    }

    /// All its models.
    pub(super) fn models(&self) -> impl Iterator<Item = &Arc<ModelServer>> {
        self.variants.iter().chain(&self.shadows).filter_map(|variant| variant.model.as_ref())
    }
}

/// Where from 0 to 1 a turn falls. The first falls in the middle: at the edge it would be the first variant's, whatever its
/// weight, after every update.
fn place(turn: u64) -> f64 {
    const MIDDLE: u64 = 1 << 63;
    // Of the 64 bits a double holds 53.
    (turn.wrapping_mul(GOLDEN).wrapping_add(MIDDLE) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Which of some weights a place from 0 to 1 falls on, when they lie one behind the other.
fn chosen(weights: impl ExactSizeIterator<Item = f64> + Clone, place: f64) -> usize {
    let total: f64 = weights.clone().sum();
    if total <= 0.0 {
        return (place * weights.len() as f64) as usize;
    }
    let mut last = 0;
    let mut end = 0.0;
    for (index, weight) in weights.enumerate().filter(|&(_, weight)| weight > 0.0) {
        last = index;
        end += weight;
        if place * total < end {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each weight is chosen of so many requests.
    fn counts(weights: &[f64], requests: u64) -> Vec<u64> {
        let mut counts = vec![0; weights.len()];
        for turn in 0..requests {
            counts[chosen(weights.iter().copied(), place(turn))] += 1;
        }
        counts
    }

    #[test]
    fn requests_are_shared_out_in_proportion_to_the_weights() {
        for weights in [&[1.0, 1.0][..], &[9.0, 1.0], &[0.5, 0.3, 0.2], &[1.0, 0.0, 3.0], &[1e-3, 1.0], &[1e30, 1e30]] {
            let total: f64 = weights.iter().sum();
            let counts = counts(weights, 100_000);
            for (count, weight) in counts.iter().zip(weights) {
                let expected = 100_000.0 * weight / total;
                assert!((*count as f64 - expected).abs() <= 10.0, "{weights:?} {counts:?}");
                assert!(*weight > 0.0 || *count == 0, "{weights:?} {counts:?}");
            }
        }
    }

    #[test]
    fn a_weight_of_next_to_nothing_is_not_chosen_first() {
        assert_eq!(counts(&[1e-9, 1.0], 1_000), [0, 1_000]);
    }

    #[test]
    fn without_any_weight_all_have_the_same_share() {
        let counts = counts(&[0.0, 0.0, 0.0, 0.0], 10_000);
        assert!(counts.iter().all(|count| count.abs_diff(2_500) <= 10), "{counts:?}");
    }

    #[test]
    fn the_ends_of_the_range_fall_on_a_variant_with_a_weight() {
        let almost_one = 1.0 - f64::EPSILON / 2.0;
        for weights in [[0.0, 0.1, 0.2, 0.0], [0.0, 1.0, 1e-300, 0.0]] {
            assert!(weights[chosen(weights.into_iter(), 0.0)] > 0.0);
            assert!(weights[chosen(weights.into_iter(), almost_one)] > 0.0);
        }
        assert_eq!(chosen([0.0, 0.0].into_iter(), almost_one), 1);
    }
}
