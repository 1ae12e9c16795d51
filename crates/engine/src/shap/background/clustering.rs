//! k-means and k-prototypes: Lloyd's rounds from a k-means++ start.

use rand_chacha::ChaCha8Rng;

use super::points::{Point, Points};
use crate::random::{fraction, place_by_weight};
use crate::table::MISSING;

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
                place_by_weight(fraction(random), &nearest)
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
            let codes = (0..points.rows()).map(|row| points.row(row).codes[kind]);
            for (cluster, mode) in modes(codes, distinct, &self.assigned, self.clusters).into_iter().enumerate() {
                self.codes[cluster * kinds + kind] = mode.unwrap_or(MISSING);
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

/// The code of each cluster that is most frequent among its rows, of so many `distinct` ones.
pub(super) fn modes(
    codes: impl Iterator<Item = u32>,
    distinct: usize,
    assigned: &[u32],
    clusters: usize,
) -> Vec<Option<u32>> {
    let mut counts = vec![0_u32; distinct * clusters];
    for (code, cluster) in codes.zip(assigned) {
        if code != MISSING {
            counts[*cluster as usize * distinct + code as usize] += 1;
        }
    }
    (0..clusters).map(|cluster| most_frequent(&counts[cluster * distinct..][..distinct])).collect()
}

/// The code that is most frequent, the first to appear of equally frequent ones; None where there is none.
fn most_frequent(counts: &[u32]) -> Option<u32> {
    let mut best: Option<usize> = None;
    for (code, count) in counts.iter().enumerate() {
        if *count > best.map_or(0, |best| counts[best]) {
            best = Some(code);
        }
    }
    best.map(|code| code as u32)
}
