//! k-means and k-prototypes: Lloyd's rounds from a k-means++ start.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;

use super::points::{Point, Points, is_missing, missing};

/// Clusters of rows.
#[derive(Clone, Debug)]
pub(super) struct Clustering {
    clusters: usize,
    /// The centres' numbers and codes, as in [`Points`].
    numbers: Vec<f64>,
    codes: Vec<u32>,
    /// The cluster of each row; empty before the first round.
    pub assigned: Vec<u32>,
    /// Sum of the squared distances of rows from their centres.
    pub cost: f64,
}

impl Clustering {
    /// Rows as centres: the first any, the next each with a chance in proportion to its squared distance from the nearest so far.
    pub fn start(points: &Points, clusters: usize, random: &mut ChaCha8Rng) -> Self {
        let mut clustering =
            Self { clusters: 0, numbers: Vec::new(), codes: Vec::new(), assigned: Vec::new(), cost: f64::INFINITY };
        let mut nearest = vec![f64::INFINITY; points.rows()];
        while clustering.clusters < clusters {
            let row = if clustering.clusters == 0 {
                (fraction(random) * points.rows() as f64) as usize
            } else {
                drawn_by_weight(&nearest, fraction(random))
            };
            let centre = points.row(row);
            clustering.numbers.extend_from_slice(centre.numbers);
            clustering.codes.extend_from_slice(centre.codes);
            clustering.clusters += 1;
            for (row, nearest) in nearest.iter_mut().enumerate() {
                *nearest = nearest.min(points.row(row).distance(centre));
            }
        }
        clustering
    }

    /// Goes on until no row changes its cluster, or so many rounds.
    pub fn settle(mut self, points: &Points, rounds: usize) -> Self {
        self.assigned = vec![u32::MAX; points.rows()];
        for _ in 0..rounds {
            if !self.assign(points) {
                break;
            }
            self.move_centres(points);
        }
        self
    }

    fn centre(&self, points: &Points, cluster: usize) -> Point<'_> {
        let (width, kinds) = (points.width(), points.distinct().len());
        Point { numbers: &self.numbers[cluster * width..][..width], codes: &self.codes[cluster * kinds..][..kinds] }
    }

    /// Gives every row to the nearest centre, the first of equally near ones, and every centre a row. True when something changed.
    fn assign(&mut self, points: &Points) -> bool {
        let mut distances = vec![0.0; points.rows()];
        let mut members = vec![0_usize; self.clusters];
        let mut changed = false;
        for (row, distance) in distances.iter_mut().enumerate() {
            let point = points.row(row);
            let mut best = (0, f64::INFINITY);
            for cluster in 0..self.clusters {
                let distance = point.distance(self.centre(points, cluster));
                if distance < best.1 {
                    best = (cluster, distance);
                }
            }
            *distance = best.1;
            members[best.0] += 1;
            changed |= self.assigned[row] != best.0 as u32;
            self.assigned[row] = best.0 as u32;
        }
        self.cost = distances.iter().sum();
        for cluster in 0..self.clusters {
            if members[cluster] == 0 {
                changed |= self.take_farthest(cluster as u32, &mut members, &mut distances);
            }
        }
        changed
    }

    /// Gives an empty cluster the row that is farthest from its centre and not alone with it.
    fn take_farthest(&mut self, cluster: u32, members: &mut [usize], distances: &mut [f64]) -> bool {
        let mut farthest: Option<usize> = None;
        for (row, distance) in distances.iter().enumerate() {
            let can_go = members[self.assigned[row] as usize] > 1;
            if can_go && farthest.is_none_or(|other| *distance > distances[other]) {
                farthest = Some(row);
            }
        }
        let Some(row) = farthest else { return false };
        members[self.assigned[row] as usize] -= 1;
        members[cluster as usize] = 1;
        self.assigned[row] = cluster;
        distances[row] = 0.0;
        true
    }

    /// Means of numbers and most frequent codes; where no row of a cluster has any, its centre has none either.
    fn move_centres(&mut self, points: &Points) {
        self.move_numbers(points);
        let kinds = points.distinct().len();
        for (kind, &distinct) in points.distinct().iter().enumerate() {
            let mut counts = vec![0_u32; distinct * self.clusters];
            for (row, cluster) in self.assigned.iter().enumerate() {
                let code = points.row(row).codes[kind];
                if !is_missing(code) {
                    counts[*cluster as usize * distinct + code as usize] += 1;
                }
            }
            for cluster in 0..self.clusters {
                let mode = most_frequent(&counts[cluster * distinct..][..distinct]);
                self.codes[cluster * kinds + kind] = mode.unwrap_or(missing());
            }
        }
    }

    fn move_numbers(&mut self, points: &Points) {
        let width = points.width();
        self.numbers.fill(0.0);
        let mut rows = vec![0_u32; self.numbers.len()];
        for (row, cluster) in self.assigned.iter().enumerate() {
            let start = *cluster as usize * width;
            let sums = self.numbers[start..start + width].iter_mut().zip(&mut rows[start..start + width]);
            for ((sum, rows), number) in sums.zip(points.row(row).numbers) {
                let is_there = !number.is_nan();
                *sum += if is_there { *number } else { 0.0 };
                *rows += u32::from(is_there);
            }
        }
        for (sum, rows) in self.numbers.iter_mut().zip(rows) {
            // Not a number, that is missing, where there was none.
            *sum /= f64::from(rows);
        }
    }
}

/// The code that is most frequent, the first to appear of equally frequent ones; None where there is none.
pub(super) fn most_frequent(counts: &[u32]) -> Option<u32> {
    let mut best: Option<usize> = None;
    for (code, count) in counts.iter().enumerate() {
        if *count > best.map_or(0, |best| counts[best]) {
            best = Some(code);
        }
    }
    best.map(|code| code as u32)
}

/// A number in [0, 1).
fn fraction(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The row that a number in [0, 1) falls on when rows are as wide as their weights; the first where all are 0.
fn drawn_by_weight(weights: &[f64], number: f64) -> usize {
    let mut left = number * weights.iter().sum::<f64>();
    for (row, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return row;
        }
    }
    // Rounding may leave a little: the last row of any weight.
    weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0)
}
