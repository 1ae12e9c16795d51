//! Explains the rows of a case by Kernel SHAP, its model in the same process: what the engine costs by itself. `bench/shap.py` runs
//! it beside the shap library.
//!
//! `cargo run --release -p watchkeeper-engine --example kernel_shap -- CASE.json ATTRIBUTIONS.json`
//!
//! The model is a layer of neurons, each of as many features, next to each other: Σₖ scalesₖ · softsign(Σⱼ weightsₖⱼ · xₖⱼ), where
//! softsign(z) is z / (1 + |z|).

use std::fs;

use serde_json::Value;
use watchkeeper_engine::shap::Explanation;

struct Model {
    /// For each neuron the weights of its features.
    weights: Vec<Vec<f64>>,
    scales: Vec<f64>,
}

impl Model {
    fn score(&self, row: &[f64]) -> f64 {
        let neurons = self.weights.iter().zip(&self.scales).zip(row.chunks_exact(row.len() / self.scales.len()));
        neurons
            .map(|((weights, scale), values)| {
                let sum: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                scale * sum / (1.0 + sum.abs())
            })
            .sum()
    }
}

/// The mean scores of coalitions over the background.
fn values(model: &Model, background: &[Vec<f64>], row: &[f64], explanation: &Explanation) -> Vec<f64> {
    let coalitions = explanation.coalitions();
    let mut from_row = vec![0_u64; row.len()];
    let mut mixed = vec![0.0; row.len()];
    let mut value = |coalition: usize| {
        for (feature, from_row) in from_row.iter_mut().enumerate() {
            *from_row = if coalitions.contains(coalition, feature) { u64::MAX } else { 0 };
        }
        let mut sum = 0.0;
        for background in background {
            for (((cell, from_row), own), other) in mixed.iter_mut().zip(&from_row).zip(row).zip(background) {
                *cell = f64::from_bits((own.to_bits() & from_row) | (other.to_bits() & !from_row));
            }
            sum += model.score(&mixed);
        }
        sum / background.len() as f64
    };
    (0..coalitions.len()).map(&mut value).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().into_iter().flatten().map(numbers).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(case), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("say a case and a file for the attributions".into());
    };
    let case: Value = serde_json::from_str(&fs::read_to_string(case)?)?;
    let model = Model { weights: rows(&case["weights"]), scales: numbers(&case["scales"]) };
    let (background, explained) = (rows(&case["background"]), rows(&case["rows"]));
    let (num_samples, seed) = (case["num_samples"].as_u64(), case["seed"].as_u64().unwrap_or(0));
    let none = background.iter().map(|row| model.score(row)).sum::<f64>() / background.len() as f64;
    let mut attributions = Vec::new();
    for (place, row) in explained.iter().enumerate() {
        let varying: Vec<usize> =
            (0..row.len()).filter(|&feature| background.iter().any(|other| other[feature] != row[feature])).collect();
        let explanation = Explanation::new(row.len(), &varying, num_samples, seed, place as u64);
        let values = values(&model, &background, row, &explanation);
        attributions.push(explanation.attributions(&values, none, model.score(row)));
    }
    fs::write(output, serde_json::to_string(&attributions)?)?;
    Ok(())
}
