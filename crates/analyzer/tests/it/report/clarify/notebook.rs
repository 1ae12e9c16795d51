//! The report as a notebook.

use serde_json::Value;
use watchkeeper_formats::clarify::ClarifyViolation;

use super::documents::{Documents, adult_window, analysis, attributions, golden_json};

fn notebook(documents: &Documents) -> (Value, Vec<String>) {
    let notebook: Value = serde_json::from_str(&documents.report().to_notebook()).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter().map(|cell| cell["source"].as_str().unwrap().to_owned());
    let cells = cells.collect();
    (notebook, cells)
}

/// What the schema of nbformat 4.4 demands of a notebook of markdown cells.
#[test]
fn it_is_a_notebook_of_markdown_cells() {
    let (notebook, cells) = notebook(&adult_window());
    let keys: Vec<&String> = notebook.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["cells", "metadata", "nbformat", "nbformat_minor"]);
    assert_eq!((&notebook["nbformat"], &notebook["nbformat_minor"]), (&Value::from(4), &Value::from(4)));
    assert!(notebook["metadata"].is_object());
    for cell in notebook["cells"].as_array().unwrap() {
        assert_eq!(cell["cell_type"], "markdown");
        assert!(cell["metadata"].is_object() && cell["source"].is_string());
        assert_eq!(cell.as_object().unwrap().len(), 3);
    }
    assert!(cells[0].starts_with("# title"));
}

#[test]
fn it_has_every_number_of_the_documents_with_all_digits() {
    let documents = adult_window();
    let (_, cells) = notebook(&documents);
    let text = cells.join("\n");
    for violation in documents.violations.iter().flatten() {
        let ClarifyViolation::Bias(violation) = violation else { panic!() };
        assert!(text.contains(&violation.description));
    }
    let recorded = golden_json("bias/adult-linear-live-jsonlines/live_metrics.json");
    for section in ["post_training_bias_metrics", "pre_training_bias_metrics"] {
        for metric in recorded[section]["facets"]["Sex"][0]["metrics"].as_array().unwrap() {
            let (name, value) = (metric["name"].as_str().unwrap(), &metric["value"]);
            let is_row = |line: &&str| line.starts_with(&format!("| {name} |"));
            let row = text.lines().find(is_row).unwrap_or_else(|| panic!("no row of {name}"));
            let shown = row.split('|').nth(3).unwrap().trim().replace('\u{2212}', "-").replace('∞', "inf");
            let value = value.as_f64().unwrap_or(f64::INFINITY);
            assert_eq!(shown.parse::<f64>().unwrap(), value, "{row}");
        }
    }
}

/// A table has as many cells in each row, whatever the names are, and nothing becomes markup.
#[test]
fn names_stay_text_in_their_cell() {
    let names = ["a|b", "<img src=x>", "*bold*", "[x](javascript:alert(1))", "two\nlines", "`code`", "$x$"];
    let values: Vec<(&str, f64)> = names.iter().zip(1..).map(|(name, value)| (*name, f64::from(value))).collect();
    let (_, cells) = notebook(&Documents { analysis: attributions(&values), ..Documents::default() });
    let table: Vec<&str> = cells.iter().flat_map(|cell| cell.lines()).filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), names.len() + 2);
    for row in table {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        assert!(!row.contains('<') && !row.replace("\\[", "").contains('['), "{row}");
    }
}

#[test]
fn it_has_curves_as_tables_and_errors_as_text() {
    let expected = golden_json("explainability/additive-two-scores/expected.json");
    let (_, cells) = notebook(&Documents { analysis: analysis(&expected["pdp-every-kind"]), ..Documents::default() });
    let text = cells.join("\n");
    assert!(text.contains("Detected data type is not supported for PDP"));
    assert!(text.contains("| bergen | 41.46") && text.contains("| 0.3798658536585366 |"), "{text}");
    assert!(text.contains("### city, label1"));
}
