//! Background rows made of a dataset: centres of clusters (section 2.1).
//!
//! Clusters are found on some rows where there are many, as their centres hardly depend on more of them, and then settle on
//! all rows.

mod centres;
mod clustering;
mod points;
mod silhouette;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use clustering::Clustering;
use points::Points;

use crate::table::Table;

/// The largest number of clusters that is chosen.
const MOST_CLUSTERS: usize = 12;
/// One cluster is chosen where no number of them is told apart better.
const LEAST_SILHOUETTE: f64 = 0.25;
/// Rows that a number of clusters is chosen on: the silhouette takes all pairs of them.
const ROWS_TO_CHOOSE_ON: usize = 2_000;
/// Rows that clusters are started on.
const ROWS_TO_START_ON: usize = 10_000;
/// Rounds over all rows, where these are more.
const ROUNDS_OVER_ALL: usize = 10;

/// Background rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    /// One row a cluster, columns as the features; every column has its cells as written.
    pub rows: Table,
    /// What the log should say: how many clusters, and why.
    pub notes: Vec<String>,
}

/// Why there can be no clusters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BackgroundError(pub String);

/// Clusters the rows of features: k-means, or k-prototypes where there are texts or booleans.
pub fn cluster(features: &Table, num_clusters: Option<u32>, seed: u64) -> Result<Background, BackgroundError> {
    if features.rows == 0 || features.columns.is_empty() {
        return Err(BackgroundError("a baseline of clusters needs a row of features at least".to_owned()));
    }
    let points = Points::of(features);
    let (clusters, reason) = match num_clusters {
        Some(asked) => {
            let asked = asked.max(1) as usize;
            let distinct = points.distinct_rows(asked);
            let reason = if distinct < asked { "as many as there are distinct rows" } else { "as configured" };
            (distinct, reason.to_owned())
        }
        None => choose(&points, seed),
    };
    let assigned = assign(&points, clusters, seed);
    let note = format!(
        "baseline: {clusters} cluster{} of {} rows, {reason}",
        if clusters == 1 { "" } else { "s" },
        features.rows
    );
    Ok(Background { rows: centres::of(features, &assigned, clusters), notes: vec![note] })
}

/// How many clusters tell the rows apart best, and the reason.
fn choose(points: &Points, seed: u64) -> (usize, String) {
    let most = points.distinct_rows(MOST_CLUSTERS.min(points.rows() / 10));
    if most < 2 {
        return (1, "too few rows for more".to_owned());
    }
    let sample = points.spread(ROWS_TO_CHOOSE_ON, &mut generator(seed, 0));
    let found: Vec<Vec<u32>> = (2..=most).map(|clusters| best_start(&sample, clusters, seed).assigned).collect();
    let (clusters, silhouette) = silhouette::of(&sample, &found)
        .into_iter()
        .zip(2..)
        .fold((1, f64::NEG_INFINITY), |best, (score, clusters)| if score > best.1 { (clusters, score) } else { best });
    if silhouette < LEAST_SILHOUETTE {
        let reason = format!("as 2 to {most} have silhouettes up to {silhouette:.3}, below {LEAST_SILHOUETTE}");
        return (1, reason);
    }
    (clusters, format!("the best silhouette of 2 to {most} ({silhouette:.3})"))
}

/// The cluster of every row.
fn assign(points: &Points, clusters: usize, seed: u64) -> Vec<u32> {
    if clusters == 1 {
        return vec![0; points.rows()];
    }
    if points.rows() <= ROWS_TO_START_ON {
        return best_start(points, clusters, seed).assigned;
    }
    let started = best_start(&points.spread(ROWS_TO_START_ON, &mut generator(seed, 0)), clusters, seed);
    started.settle(points, ROUNDS_OVER_ALL).assigned
}

/// The clustering of least cost of several starts, the first of equal ones.
fn best_start(points: &Points, clusters: usize, seed: u64) -> Clustering {
    const STARTS: u64 = 10;
    const ROUNDS: usize = 100;
    let from_start =
        |start: u64| Clustering::start(points, clusters, &mut generator(seed, start)).settle(points, ROUNDS);
    (2..=STARTS).map(from_start).fold(from_start(1), |best, next| if next.cost < best.cost { next } else { best })
}

/// Explained rows draw from the streams of their numbers, clusters from the other end.
fn generator(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::MAX - number);
    random
}
