//! Kernel SHAP, its background rows, partial dependence and drift.

mod background;
mod drift;
mod explanation;
mod goldens;
mod partial_dependence;
mod sampling;

use watchkeeper_engine::shap::{Explanation, Link};
use watchkeeper_engine::table::{ColumnBuilder, Table};

/// A game: what a set of players is worth. A set is a number whose bit j says whether player j is in it.
type Game<'a> = &'a dyn Fn(u64) -> f64;

/// The attributions of a game among the `varying` of so many features. Player j is the j-th of these.
fn attributions(features: usize, varying: &[usize], num_samples: Option<u64>, seed: u64, game: Game) -> Vec<f64> {
    let explanation = Explanation::new(features, varying, num_samples, seed, 0);
    let values: Vec<f64> = sets(&explanation, varying).into_iter().map(game).collect();
    explanation.attributions(&values, game(0), game((1 << varying.len()) - 1))
}

/// The coalitions as sets of players.
fn sets(explanation: &Explanation, varying: &[usize]) -> Vec<u64> {
    let coalitions = explanation.coalitions();
    let set = |coalition| {
        varying
            .iter()
            .enumerate()
            .map(|(player, &feature)| u64::from(coalitions.contains(coalition, feature)) << player)
            .sum()
    };
    (0..coalitions.len()).map(set).collect()
}

/// The Shapley values of a game by their definition: the mean gain that a player brings to those before it, over all orders.
fn shapley_values(players: usize, game: Game) -> Vec<f64> {
    let values: Vec<f64> = (0..1 << players).map(game).collect();
    // Orders in which exactly so many players come before one, as a share of all: 1 / (players · C(players − 1, before)).
    let mut share = vec![1.0 / players as f64];
    for before in 1..players {
        share.push(share[before - 1] * before as f64 / (players - before) as f64);
    }
    (0..players)
        .map(|player| {
            let without = (0..values.len()).filter(|set| set >> player & 1 == 0);
            without.map(|set| share[set.count_ones() as usize] * (values[set | 1 << player] - values[set])).sum()
        })
        .collect()
}

/// A game without any structure, its values in [-1, 1).
fn any_game(seed: u64) -> impl Fn(u64) -> f64 {
    move |set| {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ set;
        for _ in 0..2 {
            state = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state = (state ^ state >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            state ^= state >> 31;
        }
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "value {place}: {found}, expected {expected}");
    }
}

/// Explains a row of numbers of a model.
fn explain(
    model: &dyn Fn(&[f64]) -> f64,
    row: &[f64],
    background: &[Vec<f64>],
    num_samples: Option<u64>,
    link: Link,
) -> Vec<f64> {
    let varying: Vec<usize> =
        (0..row.len()).filter(|&feature| background.iter().any(|other| other[feature] != row[feature])).collect();
    let explanation = Explanation::new(row.len(), &varying, num_samples, 0, 0);
    let coalitions = explanation.coalitions();
    let mean = |is_own: &dyn Fn(usize) -> bool| {
        let mixed = |other: &Vec<f64>| -> Vec<f64> {
            (0..row.len()).map(|feature| if is_own(feature) { row[feature] } else { other[feature] }).collect()
        };
        link.of(background.iter().map(|other| model(&mixed(other))).sum::<f64>() / background.len() as f64)
    };
    let values: Vec<f64> =
        (0..coalitions.len()).map(|coalition| mean(&|feature| coalitions.contains(coalition, feature))).collect();
    explanation.attributions(&values, mean(&|_| false), mean(&|_| true))
}

/// A table of CSV text with a header.
fn table(text: &str) -> Table {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut builders: Vec<ColumnBuilder> = names.iter().map(|_| ColumnBuilder::new(true)).collect();
    let mut rows = 0;
    for record in reader.records() {
        builders.iter_mut().zip(record.unwrap().iter()).for_each(|(builder, cell)| builder.push_csv(cell));
        rows += 1;
    }
    Table { columns: builders.into_iter().zip(names).map(|(builder, name)| builder.finish(name)).collect(), rows }
}

/// A file of the goldens.
fn golden(path: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../analyzer/tests/goldens");
    std::fs::read_to_string(format!("{folder}/{path}")).unwrap()
}

fn golden_json(path: &str) -> serde_json::Value {
    serde_json::from_str(&golden(path)).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}
