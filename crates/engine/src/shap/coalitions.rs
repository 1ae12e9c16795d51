//! Which sets of features a row is explained by (section 3.2; the sampling of the shap library's Kernel explainer).
//!
//! Small and large sets say most about single features. Their sizes are therefore gone through from both ends as long as the samples
//! suffice for all sets of a size, and the rest of the samples is drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::random::{fraction_of, place_by_weight};

/// Sets of features, each a row of bits, in the order their scores are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Coalitions {
    pub(super) words: Vec<u64>,
    pub(super) words_each: usize,
}

/// No row has more coalitions, whatever is asked for: they are held in memory.
const MOST: u64 = 1 << 24;

impl Coalitions {
    /// How many a row of `features` features has, of which `varying` differ from the background. `num_samples`: None for the
    /// default of so many features. All of them are at most 2ᵐ − 2, and never more than 2²⁴.
    pub fn count(features: usize, varying: usize, num_samples: Option<u64>) -> u64 {
        if varying < 2 {
            return 0;
        }
        let all = if varying < 64 { (1_u64 << varying) - 2 } else { u64::MAX };
        num_samples.unwrap_or(2 * features as u64 + 2048).max(1).min(all).min(MOST)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.words.len().checked_div(self.words_each).unwrap_or(0)
    }

    /// Whether there is none: the row differs in at most one feature from the background.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `feature` (an index of all features) of the coalition comes from the explained row. Features that do not vary come from
    /// the explained row, as they are equal to the background's; features outside `features_to_explain` do, too.
    pub fn contains(&self, coalition: usize, feature: usize) -> bool {
        let word = self.words[coalition * self.words_each + feature / 64];
        word >> (feature % 64) & 1 == 1
    }

    /// The coalition's bits.
    pub(super) fn set(&self, coalition: usize) -> &[u64] {
        &self.words[coalition * self.words_each..][..self.words_each]
    }
}

/// Coalitions with their weights. The complete sizes come first, then what was drawn.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub coalitions: Coalitions,
    /// The weight of each coalition; their sum is 1.
    pub weights: Vec<f64>,
    /// The sets of complete sizes see all features alike: what they add to the matrix of normal equations is this much times the
    /// identity and a matrix of ones.
    pub symmetric_weight: f64,
    /// What was drawn, behind the complete sizes.
    pub draws: Vec<Draw>,
    /// The weight of something drawn once.
    pub draw_weight: f64,
}

/// A set that was drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// Its place among the coalitions; its complement, if there is one, follows.
    pub place: usize,
    /// How often.
    pub times: u32,
    /// Whether its complement is there, too.
    pub is_paired: bool,
}

/// How much the sizes weigh. Index 0 is size 1; a size stands for its complement's, too.
struct Sizes {
    weights: Vec<f64>,
    /// So many of them differ from their complement's size.
    paired: usize,
}

impl Sizes {
    fn of(features: usize) -> Self {
        let paired = (features - 1) / 2;
        let weights = (1..=features / 2)
            .map(|size| {
                let weight = (features - 1) as f64 / (size as f64 * (features - size) as f64);
                if size <= paired { 2.0 * weight } else { weight }
            })
            .collect();
        Self { weights, paired }
    }

    fn is_paired(&self, size: usize) -> bool {
        size <= self.paired
    }

    /// The weight of these sizes and all larger ones.
    fn from(&self, size: usize) -> f64 {
        self.weights[size - 1..].iter().sum()
    }
}

impl Sample {
    /// Of a row of so many features, two or more of which vary (ascending). At most `samples` coalitions.
    pub fn new(features: usize, varying: &[usize], samples: u64, seed: u64, row: u64) -> Self {
        let sizes = Sizes::of(varying.len());
        let mut making = Making::new(features, varying, samples);
        let mut size = 1;
        while size <= sizes.weights.len() && making.has_room_for_all(&sizes, size) {
            making.add_all(&sizes, size);
            size += 1;
        }
        if size <= sizes.weights.len() {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(row);
            making.draw(&sizes, size, &mut random);
        }
        making.sample
    }
}

/// A sample that is being made.
struct Making<'a> {
    varying: &'a [usize],
    /// The set of all features that vary.
    mask: Vec<u64>,
    /// The set of all others.
    constant: Vec<u64>,
    left: u64,
    sample: Sample,
}

impl<'a> Making<'a> {
    fn new(features: usize, varying: &'a [usize], samples: u64) -> Self {
        let words_each = features.div_ceil(64);
        let mask = set_of(words_each, varying.iter().copied());
        let constant = set_of(words_each, (0..features).filter(|feature| !contains(&mask, *feature)));
        let sample = Sample {
            coalitions: Coalitions { words: Vec::with_capacity(samples as usize * words_each), words_each },
            weights: Vec::with_capacity(samples as usize),
            symmetric_weight: 0.0,
            draws: Vec::new(),
            draw_weight: 0.0,
        };
        Self { varying, mask, constant, left: samples, sample }
    }

    /// Whether the samples that are left suffice for all sets of this size and its complement's, going by the size's share of the
    /// weight that is left.
    fn has_room_for_all(&self, sizes: &Sizes, size: usize) -> bool {
        let share = sizes.weights[size - 1] / sizes.from(size);
        self.left as f64 * share / self.sets_of(sizes, size) >= 1.0 - 1e-8
    }

    fn sets_of(&self, sizes: &Sizes, size: usize) -> f64 {
        binomial(self.varying.len(), size) * if sizes.is_paired(size) { 2.0 } else { 1.0 }
    }

    fn add_all(&mut self, sizes: &Sizes, size: usize) {
        let features = self.varying.len();
        let size_weight = sizes.weights[size - 1] / sizes.from(1);
        let weight = size_weight / self.sets_of(sizes, size);
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            let mut set = self.constant.clone();
            for &index in &chosen {
                insert(&mut set, self.varying[index]);
            }
            self.push(&set, weight);
            if sizes.is_paired(size) {
                self.push_complement(&set, weight);
            }
            if !advance(&mut chosen, features) {
                break;
            }
        }
        let features = features as f64;
        let size = size as f64;
        self.sample.symmetric_weight += size_weight * size * (features - size) / (features * (features - 1.0));
    }

    /// Draws sizes from `first` on until no sample is left, or four times as many draws were made as there were samples.
    fn draw(&mut self, sizes: &Sizes, first: usize, random: &mut ChaCha8Rng) {
        let fixed = self.sample.weights.len();
        // Two sets come of a draw of a paired size.
        let chances: Vec<f64> = (first..=sizes.weights.len())
            .map(|size| sizes.weights[size - 1] / if sizes.is_paired(size) { 2.0 } else { 1.0 })
            .collect();
        let mut drawn = DrawnSets::new(self.left);
        let mut draws_left = self.left.saturating_mul(4);
        let mut set = self.constant.clone();
        let mut sequence = Sequence::new(random);
        let mut deck = Deck::new(self.varying.len());
        while self.left > 0 && draws_left > 0 {
            draws_left -= 1;
            let size = first + place_by_weight(sequence.next(), &chances);
            set.copy_from_slice(&self.constant);
            deck.deal(size, random, |index| insert(&mut set, self.varying[index]));
            if let Some(index) = drawn.find_or_add(&set, &self.sample) {
                self.sample.draws[index].times += 1;
                continue;
            }
            let place = self.sample.weights.len();
            self.push(&set, 1.0);
            let is_paired = sizes.is_paired(size) && self.left > 0;
            if is_paired {
                self.push_complement(&set, 1.0);
            }
            self.sample.draws.push(Draw { place, times: 1, is_paired });
        }
        self.weigh_draws(fixed, sizes.from(first) / sizes.from(1));
    }

    /// Gives what was drawn the weight that the complete sizes have left over.
    fn weigh_draws(&mut self, fixed: usize, weight: f64) {
        let Sample { draws, weights, draw_weight, .. } = &mut self.sample;
        for draw in draws.iter() {
            weights[draw.place] = f64::from(draw.times);
            if draw.is_paired {
                weights[draw.place + 1] = f64::from(draw.times);
            }
        }
        *draw_weight = weight / weights[fixed..].iter().sum::<f64>();
        for weight in &mut weights[fixed..] {
            *weight *= *draw_weight;
        }
    }

    fn push(&mut self, set: &[u64], weight: f64) {
        self.sample.coalitions.words.extend_from_slice(set);
        self.sample.weights.push(weight);
        self.left -= 1;
    }

    fn push_complement(&mut self, set: &[u64], weight: f64) {
        // Only what varies changes sides.
        self.sample.coalitions.words.extend(set.iter().zip(&self.mask).map(|(set, mask)| set ^ mask));
        self.sample.weights.push(weight);
        self.left -= 1;
    }
}

/// Numbers in [0, 1) that fill it evenly, however many are taken (multiples of the golden ratio from a random start): sizes are
/// drawn with them, so that each comes as often as it should, give or take one, where independent draws would stray by the
/// square root of that.
struct Sequence(u64);

impl Sequence {
    fn new(random: &mut ChaCha8Rng) -> Self {
        Self(random.next_u64())
    }

    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        fraction_of(self.0)
    }
}

/// Deals features without putting them back while there are enough for a set. A set is any of its size, each as likely, and features are
/// in equally many sets together, which makes attributions a little more accurate than sets that know nothing of one another.
struct Deck {
    /// The features that are left come first.
    features: Vec<usize>,
    left: usize,
}

impl Deck {
    fn new(features: usize) -> Self {
        Self { features: (0..features).collect(), left: features }
    }

    fn deal(&mut self, size: usize, random: &mut ChaCha8Rng, mut take: impl FnMut(usize)) {
        if self.left < size {
            self.left = self.features.len();
        }
        for _ in 0..size {
            let any = (u64::from(random.next_u32()) * self.left as u64) >> 32;
            self.left -= 1;
            self.features.swap(any as usize, self.left);
            take(self.features[self.left]);
        }
    }
}

/// Finds a set among those drawn: an open hash table of places among the draws.
struct DrawnSets {
    /// One more than the place; 0 is free. Never more than half full.
    slots: Vec<u32>,
    drawn: u32,
}

impl DrawnSets {
    fn new(samples: u64) -> Self {
        Self { slots: vec![0; (samples as usize * 2).next_power_of_two()], drawn: 0 }
    }

    /// The draw of this set, or nothing; then the set is the next draw.
    fn find_or_add(&mut self, set: &[u64], sample: &Sample) -> Option<usize> {
        let mut slot = (hash(set) >> 7) as usize & (self.slots.len() - 1);
        loop {
            match self.slots[slot] {
                0 => {
                    self.drawn += 1;
                    self.slots[slot] = self.drawn;
                    return None;
                }
                draw => {
                    let draw = draw as usize - 1;
                    if sample.coalitions.set(sample.draws[draw].place) == set {
                        return Some(draw);
                    }
                }
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

fn hash(set: &[u64]) -> u64 {
    set.iter().fold(0, |hash: u64, word| (hash.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)).swap_bytes()
}

/// The next choice of so many out of `all` in lexical order; false after the last.
fn advance(chosen: &mut [usize], all: usize) -> bool {
    let size = chosen.len();
    let Some(place) = (0..size).rev().find(|&place| chosen[place] < all - size + place) else { return false };
    chosen[place] += 1;
    for next in place + 1..size {
        chosen[next] = chosen[next - 1] + 1;
    }
    true
}

fn binomial(all: usize, chosen: usize) -> f64 {
    (0..chosen).fold(1.0, |count, taken| (count * (all - taken) as f64 / (taken + 1) as f64).round())
}

/// The set of these features, in so many words.
pub(super) fn set_of(words: usize, features: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut set = vec![0; words];
    features.for_each(|feature| insert(&mut set, feature));
    set
}

fn insert(set: &mut [u64], feature: usize) {
    set[feature / 64] |= 1 << (feature % 64);
}

pub(super) fn contains(set: &[u64], feature: usize) -> bool {
    set[feature / 64] >> (feature % 64) & 1 == 1
}
