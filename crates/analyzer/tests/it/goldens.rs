//! Real AWS output, recomputed from the data it was made of: equal to the last digit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use watchkeeper_analyzer::data_quality::{Analysis, Baseline, analyze};
use watchkeeper_analyzer::{Level, Observer};
use watchkeeper_formats::{ConstraintViolations, Constraints, DataQualityJob, JobContract, Statistics, Violation};

struct Silent;

impl Observer for Silent {
    fn log(&self, _: Level, _: &str) {}
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(here().join("tests/goldens").join(name)).unwrap()
}

/// Goldens whose bytes are original live with the formats.
fn original(name: &str) -> String {
    std::fs::read_to_string(here().join("../formats/tests/goldens").join(name)).unwrap()
}

fn job(source: &Path, format: &str) -> DataQualityJob {
    let variables = BTreeMap::from([
        ("dataset_format".to_owned(), format.to_owned()),
        ("dataset_source".to_owned(), source.display().to_string()),
        ("output_path".to_owned(), "unused".to_owned()),
    ]);
    DataQualityJob::from_contract(&JobContract { variables, root: None }).unwrap()
}

const CSV: &str = r#"{"csv": {"header": true}}"#;
const CAPTURE: &str = r#"{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}"#;

fn analyzed(source: &Path, format: &str, baseline: Option<Baseline>) -> Analysis {
    analyze(&job(source, format), baseline, 2, &Silent).unwrap()
}

/// As the first generation of the analyzer wrote it.
fn first_generation_statistics(mut document: Statistics) -> Statistics {
    for feature in &mut document.features {
        if let Some(statistics) = &mut feature.numerical_statistics {
            statistics.approximate_num_distinct_values = None;
            statistics.completeness = None;
        }
        if let Some(statistics) = &mut feature.string_statistics {
            statistics.completeness = None;
        }
    }
    document
}

fn first_generation_constraints(mut document: Constraints) -> Constraints {
    document.monitoring_config.distribution_constraints.categorical_comparison_threshold = None;
    document.monitoring_config.distribution_constraints.categorical_drift_method = None;
    document
}

#[test]
fn churn_baseline_is_equal_in_every_number() {
    let analysis = analyzed(&here().join("../../examples/churn/baseline.csv"), CSV, None);
    let ours = first_generation_constraints(analysis.constraints);
    let theirs = Constraints::parse(&golden("churn-baseline/constraints.json")).unwrap();
    assert_eq!(ours, theirs);

    let ours = first_generation_statistics(analysis.statistics);
    let theirs = Statistics::parse(&golden("churn-baseline/statistics.partial.json")).unwrap();
    assert_eq!(ours.dataset, theirs.dataset);
    assert_eq!(theirs.features.len(), 33);
    for theirs in &theirs.features {
        let mut ours = ours.features.iter().find(|feature| feature.name == theirs.name).unwrap().clone();
        let distribution = |feature: &watchkeeper_formats::FeatureStatistics| {
            feature.numerical_statistics.clone().unwrap().distribution.unwrap()
        };
        if distribution(theirs).kll.sketch.is_none() {
            let statistics = ours.numerical_statistics.as_mut().unwrap();
            statistics.distribution.as_mut().unwrap().kll.sketch = None;
        }
        assert_eq!(&ours, theirs);
    }
}

#[test]
fn students_baseline_is_equal_byte_for_byte() {
    let source = here().join("../formats/tests/goldens/students-2021/baseline/dataset.csv");
    let analysis = analyzed(&source, CSV, None);
    let statistics = first_generation_statistics(analysis.statistics);
    assert!(statistics.to_json() == original("students-2021/baseline/statistics.json"));
    let constraints = first_generation_constraints(analysis.constraints);
    assert_eq!(constraints.to_json(), original("students-2021/baseline/constraints.json"));
}

/// One capture file whose records are these rows: the last columns as requests, the first as answers.
fn capture(rows: impl Iterator<Item = (String, String)>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (index, (output, input)) in rows.enumerate() {
        let part = |mode: &str, data: &str| {
            format!(r#"{{"observedContentType":"text/csv","mode":"{mode}","data":"{data}","encoding":"CSV"}}"#)
        };
        writeln!(
            text,
            r#"{{"captureData":{{"endpointInput":{},"endpointOutput":{}}},"eventMetadata":{{"eventId":"{index}","inferenceTime":"2021-05-18T01:00:00Z"}},"eventVersion":"0"}}"#,
            part("INPUT", &input),
            part("OUTPUT", &output),
        )
        .unwrap();
    }
    let path = folder.path().join("capture.jsonl");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn students_monitoring_is_equal_to_the_last_digit() {
    let theirs = Statistics::parse(&original("students-2021/monitoring/statistics.json")).unwrap();
    // Four records; the sketches hold the values in order. What is Fractional there was written with a fraction, but
    // for the three in four of `science` that the violation counts.
    let column = |name: &str| {
        let feature = theirs.features.iter().find(|feature| feature.name == name).unwrap();
        let statistics = feature.numerical_statistics.clone().unwrap();
        let values = statistics.distribution.unwrap().kll.sketch.unwrap().data.concat();
        let is_fractional = feature.inferred_type == watchkeeper_formats::InferredType::Fractional;
        let text = move |value: f64| {
            let keep_point = is_fractional && (name == "approved" || value.fract() != 0.0);
            if keep_point { watchkeeper_formats::number::java_double(value) } else { format!("{value}") }
        };
        values.into_iter().map(text).collect::<Vec<String>>()
    };
    let columns: Vec<Vec<String>> = theirs.features.iter().map(|feature| column(&feature.name)).collect();
    let row = |index: usize| columns.iter().map(|column| column[index].clone()).collect::<Vec<_>>();
    let rows = (0..4).map(row).map(|row| (row[0].clone(), row[1..].join(",")));
    let (_folder, source) = capture(rows);
    let constraints = Constraints::parse(&original("students-2021/monitoring/baseline_constraints_used.json")).unwrap();
    let statistics = Statistics::parse(&original("students-2021/baseline/statistics.json")).unwrap();
    let analysis = analyzed(&source, CAPTURE, Some(Baseline { constraints, statistics: Some(statistics) }));

    let (_, judgement) = analysis.judged.unwrap();
    let violations = ConstraintViolations { violations: judgement.violations };
    assert_eq!(violations.to_json(), original("students-2021/monitoring/constraint_violations.json"));
    // AWS read the four records in two partitions, which moves the last digit of one number.
    let mut ours = first_generation_statistics(analysis.statistics);
    let approved = |document: &Statistics| document.features[0].numerical_statistics.as_ref().unwrap().std_dev;
    assert!((approved(&ours) - approved(&theirs)).abs() <= f64::EPSILON);
    ours.features[0].numerical_statistics.as_mut().unwrap().std_dev = approved(&theirs);
    assert_eq!(ours, theirs);
}

#[test]
fn churn_monitoring_has_the_violations_of_every_run() {
    let expected: serde_json::Value = serde_json::from_str(&golden("churn-monitoring/expected_runs.json")).unwrap();
    let traffic = golden("churn-monitoring/test-dataset-input-cols.csv");
    let lines: Vec<&str> = traffic.lines().collect();
    let constraints = Constraints::parse(&golden("churn-baseline/constraints.json")).unwrap();
    let baseline = analyzed(&here().join("../../examples/churn/baseline.csv"), CSV, None);
    for run in expected["runs"].as_array().unwrap() {
        let rows = usize::try_from(run["rows"].as_u64().unwrap()).unwrap();
        // The first 180 rows once, then the whole file again and again. Any score between 0 and 1 does.
        let replayed = lines.iter().take(180).chain(lines.iter().cycle()).take(rows);
        let (_folder, source) = capture(replayed.map(|line| ("0.014719".to_owned(), (*line).to_owned())));
        let baseline = Baseline { constraints: constraints.clone(), statistics: Some(baseline.statistics.clone()) };
        let analysis = analyzed(&source, CAPTURE, Some(baseline));
        assert_eq!(analysis.statistics.dataset.item_count, rows as u64);
        let (_, judgement) = analysis.judged.unwrap();
        // One run had a violation more than its data explains.
        assert_eq!(judgement.violations.len(), 60, "{}", run["month"]);
        let columns = expected["columns_with_data_type_violation"].as_array().unwrap();
        for column in columns {
            assert!(judgement.violations.iter().any(|violation| column == violation.feature_name.as_str()), "{column}");
        }
        for observed in run["first_ten_observed"].as_array().unwrap() {
            let observed: Violation = serde_json::from_value(observed.clone()).unwrap();
            assert!(judgement.violations.contains(&observed), "{observed:?} in {}", run["month"]);
        }
    }
}

#[test]
fn ids_violations_have_the_observed_numbers() {
    // 1,009 records: 9 ordinary ones and 1,000 without a duration and with a fractional packet count.
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &dyn Fn(usize) -> String| {
        let text: String =
            std::iter::once("Tot Fwd Pkts,Flow Duration\n".to_owned()).chain((0..1009).map(rows)).collect();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let baseline = write("baseline.csv", &|row| format!("{row},{row}\n"));
    let current = write("current.csv", &|row| if row < 9 { format!("{row},{row}\n") } else { format!("{row}.5,\n") });
    let baseline = analyzed(&baseline, CSV, None);
    let baseline = Baseline { constraints: baseline.constraints, statistics: None };
    let analysis = analyzed(&current, CSV, Some(baseline));
    let (_, judgement) = analysis.judged.unwrap();
    let theirs = ConstraintViolations::parse(&golden("ids-monitoring/constraint_violations.json")).unwrap();
    assert_eq!(judgement.violations, theirs.violations[..2]);
    let suggested = Constraints::parse(&golden("ids-monitoring/constraints.json")).unwrap();
    let completeness = |document: &Constraints| {
        document.features.iter().find(|feature| feature.name == "Flow Duration").unwrap().completeness
    };
    assert_eq!(completeness(&analysis.constraints), completeness(&suggested));
}

#[test]
fn a_wording_of_every_kind_is_the_observed_one() {
    let wordings: serde_json::Value = serde_json::from_str(&golden("wording.json")).unwrap();
    let shape = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let numbers = |shift: usize| (shift..shift + 300).fold(String::new(), |text, number| format!("{text}{number}\n"));
    let cases = [
        ("missing_column_check", "a,b\n1,2\n".to_owned(), "a\n1\n".to_owned()),
        ("extra_column_check", "a\n1\n".to_owned(), "a,b\n1,2\n".to_owned()),
        ("data_type_check", "a\n1\n2\n3\n4\n".to_owned(), "a\n1\n2\n3\n4.5\n".to_owned()),
        ("completeness_check", "a,b\n1,2\n1,2\n".to_owned(), "a,b\n1,2\n,2\n".to_owned()),
        ("categorical_values_check", "a\nx\ny\n".to_owned(), "a\nx\nz\n".to_owned()),
        ("baseline_drift_check", format!("a\n{}", numbers(0)), format!("a\n{}", numbers(250))),
    ];
    for (check, baseline, current) in cases {
        let baseline = analyzed(&file("baseline.csv", &baseline), CSV, None);
        let baseline = Baseline { constraints: baseline.constraints, statistics: Some(baseline.statistics) };
        let analysis = analyzed(&file("current.csv", &current), CSV, Some(baseline));
        let (_, judgement) = analysis.judged.unwrap();
        assert_eq!(judgement.violations.len(), 1, "{check}: {:?}", judgement.violations);
        let ours = &judgement.violations[0];
        assert_eq!(ours.constraint_check_type.as_str(), check);
        let theirs = wordings.as_array().unwrap().iter().filter(|wording| wording["type"] == check);
        let theirs: Vec<String> = theirs.map(|wording| shape(wording["description"].as_str().unwrap())).collect();
        assert!(theirs.contains(&shape(&ours.description)), "{} is none of {theirs:?}", ours.description);
    }
}

#[test]
fn buckets_of_lossy_sketches_are_the_observed_ones() {
    for (name, text) in [
        ("bank", golden("bank-2022/statistics.partial.json")),
        ("cardio", original("cardio-2025/statistics.json")),
        ("churn", golden("churn-baseline/statistics.partial.json")),
        ("ids", golden("ids-monitoring/statistics.partial.json")),
    ] {
        let document = Statistics::parse(&text).unwrap();
        let mut compared = 0;
        for feature in document.features {
            let Some(statistics) = feature.numerical_statistics else { continue };
            let kll = statistics.distribution.unwrap().kll;
            let Some(sketch) = kll.sketch else { continue };
            let sketch = watchkeeper_engine::sketch::Kll::from_levels(sketch.data).unwrap();
            assert_eq!(sketch.count(), statistics.common.num_present, "{name} {}", feature.name);
            assert_eq!(sketch.buckets(statistics.min, statistics.max), kll.buckets, "{name} {}", feature.name);
            compared += 1;
        }
        assert!(compared >= 5, "{name}: only {compared} sketches");
    }
}

#[test]
fn categories_stand_in_the_observed_order() {
    let document = Statistics::parse(&original("cardio-2025/statistics.json")).unwrap();
    let constraints = Constraints::parse(&original("cardio-2025/constraints.json")).unwrap();
    let mut compared = 0;
    for (feature, constraints) in document.features.iter().zip(&constraints.features) {
        let Some(statistics) = &feature.string_statistics else { continue };
        let buckets = &statistics.distribution.as_ref().unwrap().categorical.buckets;
        let mut ours: Vec<(String, u64)> = buckets.iter().map(|bucket| (bucket.value.clone(), bucket.count)).collect();
        ours.sort_unstable();
        watchkeeper_engine::sketch::category_order(&feature.name, &mut ours);
        let ours: Vec<&str> = ours.iter().map(|(value, _)| value.as_str()).collect();
        let theirs: Vec<&str> = buckets.iter().map(|bucket| bucket.value.as_str()).collect();
        assert_eq!(ours, theirs, "{}", feature.name);
        assert_eq!(constraints.string_constraints.as_ref().unwrap().domains, theirs);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn ids_sketches_give_the_observed_numbers_of_two_partitions() {
    use watchkeeper_engine::sketch::Moments;
    let document = Statistics::parse(&golden("ids-monitoring/statistics.partial.json")).unwrap();
    let mut compared = 0;
    for feature in &document.features {
        let statistics = feature.numerical_statistics.as_ref().unwrap();
        let values = statistics.distribution.as_ref().unwrap().kll.sketch.as_ref().unwrap().data.concat();
        let moments = |values: &[f64]| {
            let mut moments = Moments::new();
            for &value in values {
                moments.add(value);
            }
            moments
        };
        if values.len() != 1009 {
            continue;
        }
        let mut merged = moments(&values[300..]);
        merged.merge(&moments(&values[..300]));
        assert_eq!(merged.sum(), statistics.sum, "{}", feature.name);
        assert_eq!(merged.std_dev(), statistics.std_dev, "{}", feature.name);
        assert_eq!(merged.min(), statistics.min, "{}", feature.name);
        assert_eq!(merged.max(), statistics.max, "{}", feature.name);
        compared += 1;
    }
    assert_eq!(compared, 26);
}
