use super::{assert_close, golden, golden_json, linear};
use crate::program::Folder;

/// What the recorded job was asked for.
const CHECK: [&str; 10] =
    ["--headers", "Label,F1,F2,F3,F4", "--label", "Label", "--positive", "1", "--facet", "F1=0.5", "--group", "F2"];
const FILES: [&str; 3] = ["analysis.json", "report.html", "report.ipynb"];

fn arguments<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &CHECK].concat()
}

#[test]
fn bias_is_what_the_service_found() {
    let folder = Folder::new();
    let dataset = golden("bias/sdk-data-bias-check/dataset.csv");
    let ran = folder.run(&arguments(&["bias", &dataset, "-o", "out"])).ended(0);
    assert_eq!(folder.names("out"), FILES);
    assert_eq!(ran.stderr, "report: out/report.html\n");
    let expected = golden_json("bias/sdk-data-bias-check/expected_analysis.json");
    let found = folder.json("out/analysis.json");
    assert_close(&found["pre_training_bias_metrics"], &expected["pre_training_bias_metrics"], 1e-12);
    let title = "F1 in (0.5, 0.9936148802477393] against all others, in labels of Label = 1\n";
    assert!(ran.stdout.starts_with(&format!("bias of 1 group\n\n{title}")), "{}", ran.stdout);
    let row = ran.stdout.lines().find(|line| line.starts_with("DPL ")).unwrap();
    assert!(row.contains("Difference in Positive Proportions in Labels") && row.contains(" to "), "{row}");
    // The same by the job's own configuration.
    let config = golden("bias/sdk-data-bias-check/analysis_config.json");
    folder.run(&["bias", "baseline", &dataset, "--config", &config, "-o", "by-config"]).ended(0);
    assert_eq!(folder.read("by-config/analysis.json"), folder.read("out/analysis.json"));
    // And as a document on its own.
    let inspected = folder.run(&["inspect", "out/analysis.json"]).ended(0).stdout;
    assert!(inspected.starts_with(&format!("bias of 1 group\n\n{title}")), "{inspected}");
    let as_json = folder.run(&["inspect", "out/analysis.json", "--format", "json"]).ended(0).stdout;
    assert_eq!(as_json.trim_end(), folder.read("out/analysis.json"));
}

#[test]
fn a_check_finds_the_one_metric_that_was_nearer_to_zero() {
    let folder = Folder::new();
    let dataset = golden("bias/sdk-data-bias-check/dataset.csv");
    folder.run(&arguments(&["bias", "baseline", &dataset, "-o", "base"])).ended(0);
    let ran = folder.run(&arguments(&["bias", "check", &dataset, "--baseline", "base", "-o", "out"])).ended(0);
    assert!(ran.stdout.starts_with("no violations in bias of 1 group\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("attribution"), "{}", ran.stdout);
    assert_eq!(folder.names("out"), FILES, "no violations, no file of them");

    let mut baseline = folder.json("base/analysis.json");
    let metrics = &mut baseline["pre_training_bias_metrics"]["facets"]["F1"][0]["metrics"];
    let live = metrics[1]["value"].as_f64().unwrap();
    assert_eq!((&metrics[1]["name"], live), (&"CI".into(), -0.08));
    metrics[1]["value"] = 0.079.into();
    folder.write("edited.json", baseline.to_string());
    let ran = folder.run(&arguments(&["bias", "check", &dataset, "--baseline", "edited.json", "-o", "out"])).ended(1);
    assert!(ran.stdout.starts_with("1 violation in bias of 1 group\n"), "{}", ran.stdout);
    let row = ran.stdout.lines().find(|line| line.starts_with("CI ")).unwrap();
    assert!(row.ends_with("violation") && row.contains("-0.08 ") && row.contains(" 0.079 "), "{row}");
    let violation = &folder.json("out/constraint_violations.json")["violations"][0];
    assert_eq!(violation["metric_name"], "CI");
    let description = "Metric value -0.08 doesn't meet the baseline constraint requirement 0.079";
    assert_eq!(violation["description"], description);
    let inspected = folder.run(&["inspect", "out/constraint_violations.json"]).ended(0).stdout;
    assert!(inspected.contains(&format!("CI of F1 = (0.5, 0.9936148802477393]: {description}")), "{inspected}");
    // A metric of a few rows is not sure to have left the range.
    let sure = ["bias", "check", &dataset, "--baseline", "edited.json", "--interval", "0.95"];
    folder.run(&arguments(&sure)).ended(0);
    let ran =
        folder.run(&arguments(&["bias", "check", &dataset, "--baseline", "edited.json", "--format", "json"])).ended(1);
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed["message"], "CompletedWithViolations: Job completed successfully with 1 violations.");
    assert_eq!(printed["violations"][0]["metric_name"], "CI");
    assert_eq!(printed["analysis"], folder.json("out/analysis.json"));
}

#[test]
fn predictions_come_from_a_column_or_from_a_model() {
    let folder = Folder::new();
    folder.write("data.csv", "sex,x,y,score\nF,1,1,0.9\nM,2,0,0.2\nF,0,0,0.1\nM,3,1,0.7\nF,1,0,0.8\n");
    let common = ["--label", "y", "--positive", "1", "--facet", "sex=F"];
    let by_column =
        ["bias", "data.csv", "--predicted-label", "score", "--threshold", "0.75", "--metrics", "DPPL,AD,ci"];
    let ran = folder.run(&[&by_column[..], &common, &["--format", "json"]].concat()).ended(0);
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let metrics = |stage: &str| printed["analysis"][stage]["facets"]["sex"][0]["metrics"].as_array().unwrap().clone();
    let of_predictions = metrics("post_training_bias_metrics");
    let named: Vec<(&str, f64)> = of_predictions
        .iter()
        .map(|metric| (metric["name"].as_str().unwrap(), metric["value"].as_f64().unwrap()))
        .collect();
    // Of the women two of three are predicted 1 and two of three are right; of the men none is, and one of two is right.
    assert_eq!(named, [("AD", 0.5 - 2.0 / 3.0), ("DPPL", 0.0 - 2.0 / 3.0)]);
    assert_eq!(metrics("pre_training_bias_metrics").len(), 1);

    // The model is sent what is left: x alone.
    let model = linear(&[0.4]);
    let by_model = ["bias", "data.csv", "--model", &model, "--exclude", "sex,score", "--metrics", "DPPL"];
    let ran = folder.run(&[&by_model[..], &common].concat()).ended(0);
    let row = ran.stdout.lines().find(|line| line.starts_with("DPPL ")).unwrap();
    assert!(row.contains(" 1 "), "all men and no woman are above one half: {row}");
    assert_eq!(ran.stderr, "predictions: about 5 model rows in about 1 request\n");
}

#[test]
fn codes_of_digits_are_found_as_they_are_written() {
    let folder = Folder::new();
    let imbalance = |rows: &str, facet: &str| {
        folder.write("data.csv", format!("zip,y\n{rows}"));
        let words =
            ["bias", "data.csv", "--label", "y", "--positive", "1", "--facet", facet, "--metrics", "CI", "-o", "out"];
        folder.run(&words).ended(0);
        let entry = &folder.json("out/analysis.json")["pre_training_bias_metrics"]["facets"]["zip"][0];
        (entry["value_or_threshold"].as_str().unwrap().to_owned(), entry["metrics"][0]["value"].as_f64().unwrap())
    };
    // One row of four is of the group.
    let texts = "01234,1\nA1,0\n1234,0\nB2,1\n";
    assert_eq!(imbalance(texts, "zip=01234"), ("01234".to_owned(), 0.5));
    assert_eq!(imbalance(texts, "zip=1234"), ("1234".to_owned(), 0.5));
    // In a column of numbers it is one.
    assert_eq!(imbalance("01234,1\n05678,0\n05678,1\n05678,0\n", "zip=01234"), ("01234".to_owned(), 0.5));
    assert_eq!(imbalance("1.5,1\n2.5,0\n0.5,1\n1.0,0\n", "zip=1.50"), ("(1.5, 2.5]".to_owned(), 0.5));
}

/// The configuration of a job may have another one.
#[test]
fn the_dataset_that_is_named_is_the_one_that_is_measured() {
    let folder = Folder::new();
    let dataset = golden("bias/sdk-data-bias-check/dataset.csv");
    let mut config = golden_json("bias/sdk-data-bias-check/analysis_config.json");
    folder.write("config.json", config.to_string());
    config["dataset_uri"] = "s3://bucket/other.csv".into();
    folder.write("elsewhere.json", config.to_string());
    for name in ["config", "elsewhere"] {
        folder.run(&["bias", &dataset, "--config", &format!("{name}.json"), "-o", name]).ended(0);
    }
    assert_eq!(folder.read("elsewhere/analysis.json"), folder.read("config/analysis.json"));
}
