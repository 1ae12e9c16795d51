//! What the demo's model is asked about: rows of the churn example, cut to the columns of its model.

use anyhow::Context as _;
use serde::Deserialize;

/// The model, as the built-in image reads it.
pub(super) const MODEL: &str = include_str!("../../../../../examples/churn/model.json");
const BASELINE: &str = include_str!("../../../../../examples/churn/baseline.csv");
const CURRENT: &str = include_str!("../../../../../examples/churn/current.csv");
/// So many rows of the baseline, from the first on, has the model been trained on (`examples/churn/train.py`).
const TRAINING_ROWS: usize = 1_333;

/// The customers, a line of CSV each, in the order of the model's features.
pub(super) struct Customers {
    /// The columns.
    pub(super) features: Vec<String>,
    /// Those that the model was trained on.
    pub(super) known: Vec<String>,
    /// Those of the same time that it has not seen.
    pub(super) unseen: Vec<String>,
    /// Those of some months later.
    pub(super) later: Vec<String>,
}

impl Customers {
    pub(super) fn new() -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Model {
            features: Vec<String>,
        }
        let Model { features } = serde_json::from_str(MODEL).context("the model cannot be read")?;
        let mut known = rows(BASELINE, &features)?;
        let unseen = known.split_off(TRAINING_ROWS.min(known.len()));
        let later = rows(CURRENT, &features)?;
        Ok(Self { features, known, unseen, later })
    }
}

/// The rows of a table with these columns, in their order. The example's tables have no quotes.
fn rows(table: &str, columns: &[String]) -> anyhow::Result<Vec<String>> {
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let place =
        |column: &String| header.iter().position(|name| name == column).with_context(|| format!("no column {column}"));
    let places: Vec<usize> = columns.iter().map(place).collect::<anyhow::Result<_>>()?;
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let chosen: Option<Vec<&str>> = places.iter().map(|&place| fields.get(place).copied()).collect();
        chosen.map(|chosen| chosen.join(",")).context("a row is short")
    };
    lines.map(row).collect()
}
