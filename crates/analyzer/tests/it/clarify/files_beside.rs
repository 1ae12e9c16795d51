//! Facets, groups and predictions in files of their own: which row of them is a header (section 2.5).

use serde_json::{Value, json};

use super::{Job, WELL};

const TABLE: &str = "row,y\n1,1\n2,0\n3,1\n4,0\n5,1\n6,0\n";
const FACETS: &str = "sex,region\nf,n\nm,s\nf,s\nm,n\nm,s\nf,n\n";
const SCORES: [&str; 6] = ["0.9", "0.2", "0.4", "0.6", "0.8", "0.1"];

/// What is measured of the table with these files beside it.
fn measured(config: Value, predictions: &str) -> Value {
    let mut whole = json!({
        "dataset_type": "text/csv",
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
        "facet_dataset_uri": "/opt/ml/processing/input/facets",
        "predicted_label_dataset_uri": "/opt/ml/processing/input/predictions",
        "methods": {"post_training_bias": {"methods": ["AD", "CDDPL"]}},
    });
    let Value::Object(config) = config else { panic!("a configuration is an object") };
    whole.as_object_mut().unwrap().extend(config);
    let job = Job::new(&whole);
    job.put("processing/input/data/data.csv", TABLE);
    job.put("processing/input/facets/facets.csv", FACETS);
    job.put("processing/input/predictions/predictions.csv", predictions);
    assert_eq!(job.run(), WELL);
    job.analysis()["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"].clone()
}

fn file(header: &str) -> String {
    format!("{header}\n{}\n", SCORES.join("\n"))
}

#[test]
fn the_only_column_of_a_file_of_predictions_has_any_name() {
    let named = measured(json!({"predicted_label": "score"}), &file("score"));
    // Of the others two of three are right, of the facet two of three.
    assert_eq!(named[0]["value"], json!(0.0));
    assert_eq!(measured(json!({}), &file("score")), named);
    assert_eq!(measured(json!({}), &file("predicted_label")), named);
    let words = "predicted_label\nyes\nno\nno\nno\nyes\nno\n";
    let labels = json!({"label_values_or_threshold": [1, "yes"]});
    assert_eq!(measured(labels, words)[0]["name"], "AD");
}

#[test]
fn predictions_beside_a_join_column_that_is_named_by_its_index() {
    let named = measured(json!({"predicted_label": "score"}), &file("score"));
    let rows: Vec<String> = (1..).zip(SCORES).map(|(row, score)| format!("{row},{score}\n")).collect();
    let facets: Vec<String> = FACETS.lines().skip(1).zip(1..).map(|(cells, row)| format!("{row},{cells}\n")).collect();
    let (rows, facets) = (rows.concat(), facets.concat());
    let mut config = json!({
        "dataset_type": "text/csv",
        "label": 1,
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": 1, "value_or_threshold": ["f"]}],
        "joinsource_name_or_index": 0,
        "facet_dataset_uri": "/opt/ml/processing/input/facets",
        "predicted_label_dataset_uri": "/opt/ml/processing/input/predictions",
        "methods": {"post_training_bias": {"methods": ["AD", "CDDPL"]}},
    });
    for header in ["row,score\n", ""] {
        let job = Job::new(&config);
        job.put("processing/input/data/data.csv", TABLE);
        job.put("processing/input/facets/facets.csv", &facets);
        job.put("processing/input/predictions/predictions.csv", &format!("{header}{rows}"));
        assert_eq!(job.run(), WELL);
        let facets = &job.analysis()["post_training_bias_metrics"]["facets"];
        assert_eq!(facets["column_1"][0]["metrics"], named);
        config["predicted_label"] = json!(1);
    }
}

#[test]
fn a_group_that_is_named_beside_facets_that_are_not() {
    let scores = file("predicted_label");
    let named = measured(json!({"group_variable": "region"}), &scores);
    assert!(named[1]["value"].is_number(), "{named}");
    let facet = json!([{"name_or_index": 0, "value_or_threshold": ["f"]}]);
    assert_eq!(measured(json!({"facet": facet, "group_variable": "region"}), &scores), named);
    assert_eq!(measured(json!({"label": 1, "facet": facet, "group_variable": "region"}), &scores), named);
}
