//! Whole documents and checks.

use super::super::{check, constraints, statistics, violations};
use super::*;

fn cardio() -> Statistics {
    Statistics::parse(&golden("cardio-2025/statistics.json")).unwrap()
}

#[test]
fn statistics_in_a_wide_terminal() {
    assert_shown("statistics_cardio_wide", &statistics(&cardio(), &WIDE));
}

#[test]
fn statistics_in_a_narrow_terminal_name_what_is_left_out() {
    assert_shown("statistics_cardio_narrow", &statistics(&cardio(), &NARROW));
    assert_shown("statistics_cardio_tiny", &statistics(&cardio(), &Style { width: 30, ..NARROW }));
}

#[test]
fn statistics_of_the_first_generation() {
    let document = Statistics::parse(&golden("students-2021/baseline/statistics.json")).unwrap();
    assert_shown("statistics_students", &statistics(&document, &WIDE));
}

#[test]
fn statistics_in_ascii() {
    let shown = statistics(&cardio(), &ASCII);
    assert!(shown.is_ascii());
    assert_shown("statistics_cardio_ascii", &shown);
}

#[test]
fn constraints_with_domains_and_settings_of_one_feature() {
    let document = golden("cardio-2025/constraints.json");
    assert_shown("constraints_cardio", &constraints(&Constraints::parse(&document).unwrap(), &WIDE));
    let edited = document.replacen(
        r#""name" : "height_ft","#,
        r#""name" : "height_ft", "monitoringConfigOverrides" : { "distribution_constraints" : { "comparison_threshold" : 0.3 } },"#,
        1,
    );
    assert_ne!(document, edited);
    assert_shown("constraints_cardio_narrow", &constraints(&Constraints::parse(&edited).unwrap(), &NARROW));
}

/// Descriptions that AWS has written; the last two are of other monitors and no number is known.
fn worded_violations() -> ConstraintViolations {
    let of = |feature: &str, check: &str, description: &str| Violation {
        feature_name: feature.to_owned(),
        constraint_check_type: check.parse().unwrap(),
        description: description.to_owned(),
    };
    let violations = vec![
        of("auc", "LessThanThreshold", "Metric auc with 0.52 +/- 0.01 was LessThanThreshold '1.0'"),
        of(
            "science",
            "data_type_check",
            "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. Observed: Only 75.0% of data is Integral.",
        ),
        of(
            "value",
            "data_type_check",
            "Data type match requirement is not met. Expected data type: String, Expected match: 100.0%. Observed: Only 0.0% of data is String.",
        ),
        of(
            "Flow Duration",
            "completeness_check",
            "Data completeness requirement is not met. Expected: 100.0%. Observed: Only 0.8919722497522299%.",
        ),
        of(
            "Fwd Pkt Len Mean",
            "baseline_drift_check",
            "Baseline drift distance: 0.9293200129316993 exceeds threshold: 0.1",
        ),
        of(
            "state",
            "categorical_values_check",
            "Value: 0.009009009009009009 does not meet the constraint requirement! ",
        ),
        of(
            "Missing columns",
            "missing_column_check",
            "There are missing columns in current dataset. Number of columns in current dataset: 69, Number of columns in baseline constraints: 70",
        ),
        of(
            "Extra columns",
            "extra_column_check",
            "There are extra columns in current dataset. Number of columns in current dataset: 14, Number of columns in baseline constraints: 13",
        ),
        of("edited", "completeness_check", "too many\u{1b}[2J are empty"),
    ];
    ConstraintViolations { violations }
}

#[test]
fn violations_come_worst_first_in_plain_words() {
    assert_shown("violations_all_checks", &violations(&worded_violations(), &NARROW));
    assert_shown("violations_all_checks_tiny", &violations(&worded_violations(), &Style { width: 30, ..NARROW }));
    let document = ConstraintViolations::parse(&golden("students-2021/monitoring/constraint_violations.json")).unwrap();
    assert_shown("violations_students", &violations(&document, &NARROW));
    assert_eq!(violations(&ConstraintViolations::default(), &NARROW), "no violations\n");
}

#[test]
fn what_is_close_to_its_limit_is_told_apart_from_it() {
    let description = "Baseline drift distance: 0.10000004 exceeds threshold: 0.1";
    let mut document = worded_violations();
    document.violations.retain(|violation| violation.constraint_check_type == CheckType::BaselineDrift);
    description.clone_into(&mut document.violations[0].description);
    let shown = violations(&document, &NARROW);
    assert!(shown.contains("  0.10000004     ≤ 0.1\n"), "{shown}");
}

#[test]
fn a_check_shows_drift_as_two_histograms() {
    assert_shown("check_churn", &check(&Checked::churn(DriftRule::Aws).view(), &NARROW));
}

#[test]
fn a_check_by_the_exact_rule_says_where_aws_would_judge_otherwise() {
    assert_shown("check_churn_exact", &check(&Checked::churn(DriftRule::Exact).view(), &NARROW));
}

/// Ten rows of `yes` and `no` become others; the numbers of `amount` move out of the baseline's range and then are no
/// whole numbers any more.
fn shop(method: CategoricalDriftMethod) -> Checked {
    let folder = tempfile::tempdir().unwrap();
    let rows = |row: fn(u32) -> String| (0..200).map(row).collect::<String>();
    let baseline =
        rows(|row| format!("{},{},{},{row}\n", if row % 4 == 0 { "yes" } else { "no" }, 10 + row % 7, 20 + row % 31));
    let current = rows(|row| {
        let answer = ["yes", "no", "maybe", "日本"][(row % 4) as usize];
        let size = if row % 9 == 0 { "x".to_owned() } else { (12 + row % 7).to_string() };
        format!("{answer},{size},{},{row}.5\n", 31 + row % 31)
    });
    let write = |name: &str, rows: String| {
        let path = folder.path().join(name);
        fs::write(&path, format!("answer,size,price,amount\n{rows}")).unwrap();
        path
    };
    let mut config = MonitoringConfig::default();
    config.distribution_constraints.categorical_drift_method = Some(method);
    Checked::new(&write("baseline.csv", baseline), &write("current.csv", current), config, DriftRule::Aws)
}

#[test]
fn a_check_shows_categories_side_by_side_and_what_was_not_compared() {
    let checked = shop(CategoricalDriftMethod::LInfinity);
    let notes = ["3 rows were cut\u{7}".to_owned()];
    let view = CheckView { notes: &notes, ..checked.view() };
    assert_shown("check_shop", &check(&view, &NARROW));
    let shown = check(&view, &Style { width: 60, ..ASCII });
    assert!(shown.is_ascii());
    assert_shown("check_shop_ascii", &shown);
    let chi_squared = shop(CategoricalDriftMethod::ChiSquared);
    assert_shown("check_shop_chi_squared", &check(&chi_squared.view(), &NARROW));
}

#[test]
fn colours_stress_and_take_no_room() {
    let checked = shop(CategoricalDriftMethod::LInfinity);
    let plain = check(&checked.view(), &NARROW);
    let coloured = check(&checked.view(), &Style { color: true, ..NARROW });
    assert_shown("check_shop_coloured", &coloured.replace('\u{1b}', "ESC"));
    let mut without = String::new();
    for (index, part) in coloured.split("\u{1b}[").enumerate() {
        without.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(without, plain);
}

#[test]
fn a_check_that_finds_nothing_is_one_line() {
    let checked = Checked::churn(DriftRule::Aws);
    let view = CheckView { violations: &[], drift: &[], ..checked.view() };
    assert_eq!(check(&view, &NARROW), "no violations in 1,000 records of 70 features\n");
    let view = CheckView { baseline: None, ..view };
    assert_shown("check_without_statistics", &check(&view, &NARROW));
}

#[test]
fn a_missing_column_is_named() {
    let mut checked = Checked::churn(DriftRule::Aws);
    checked.current.features.remove(3);
    let description = "There are missing columns in current dataset. Number of columns in current dataset: 69, Number \
                       of columns in baseline constraints: 70";
    let violation = Violation {
        feature_name: "Missing columns".to_owned(),
        constraint_check_type: CheckType::MissingColumn,
        description: description.to_owned(),
    };
    checked.judgement = Judgement { violations: vec![violation], drift: Vec::new() };
    assert_shown("check_missing_column", &check(&checked.view(), &NARROW));
}

/// A document that means harm: names that steer a terminal, are enormous, blank, or twice as wide as their length;
/// numbers and sketches that cannot be.
fn hostile() -> (Statistics, Constraints, ConstraintViolations) {
    let mut statistics = cardio();
    let mut constraints = Constraints::parse(&golden("cardio-2025/constraints.json")).unwrap();
    let names = [
        "\u{1b}[2J\u{1b}]0;title\u{7}",
        "line\nfeed\r",
        "\u{202e}right to left",
        "",
        "   ",
        "日本語の長い長い長い長い列の名前です",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦 family",
        "\u{301}\u{301}\u{301}",
        "a\u{301}\u{302}\u{303}",
    ];
    let long = "n".repeat(10_000);
    for (index, feature) in statistics.features.iter_mut().enumerate() {
        feature.name = names.get(index).map_or(long.as_str(), |name| name).to_owned();
        constraints.features[index].name.clone_from(&feature.name);
        if let Some(numbers) = &mut feature.numerical_statistics {
            (numbers.mean, numbers.std_dev, numbers.min) = (f64::NAN, f64::INFINITY, -1e308);
            numbers.common.num_missing = u64::MAX;
            let kll = &mut numbers.distribution.as_mut().unwrap().kll;
            kll.buckets[0].count = [f64::NAN, f64::INFINITY, -1.0, 1e300][index % 4];
            let item = [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN][index % 4];
            kll.sketch.as_mut().unwrap().data.iter_mut().flatten().for_each(|value| *value = item);
        }
        if let Some(strings) = &mut feature.string_statistics {
            strings.distinct_count = f64::NAN;
            for bucket in &mut strings.distribution.as_mut().unwrap().categorical.buckets {
                bucket.count = u64::MAX;
                bucket.value.insert_str(0, "\u{1b}[31m\n");
            }
        }
    }
    let checks = ["baseline_drift_check", "categorical_values_check", "\u{1b}[5m_check", "data_type_check"];
    let descriptions = [
        "Baseline drift distance: NaN exceeds threshold: 1.0",
        "\u{1b}[31m",
        "Value: NaN does",
        "distance:  exceeds threshold: ",
    ];
    let violation = |(index, feature): (usize, &watchkeeper_formats::FeatureStatistics)| Violation {
        feature_name: feature.name.clone(),
        constraint_check_type: checks[index % 4].parse().unwrap(),
        description: descriptions[index / 4 % 4].to_owned(),
    };
    let violations = statistics.features.iter().enumerate().map(violation).collect();
    (statistics, constraints, ConstraintViolations { violations })
}

#[test]
fn no_document_steers_the_terminal_or_leaves_its_width() {
    let (current, expected, found) = hostile();
    let baseline = cardio();
    let mut renamed = baseline.clone();
    for (feature, current) in renamed.features.iter_mut().zip(&current.features) {
        feature.name.clone_from(&current.name);
    }
    for (width, unicode) in (24..200).step_by(7).flat_map(|width| [(width, true), (width, false)]) {
        let style = Style { color: false, width, unicode };
        let view = CheckView {
            records: u64::MAX,
            baseline: Some(&renamed),
            current: &current,
            constraints: &expected,
            violations: &found.violations,
            drift: &[],
            notes: &["\u{1b}[2Jnote".to_owned()],
        };
        let shown = [
            statistics(&current, &style),
            constraints(&expected, &style),
            violations(&found, &style),
            check(&view, &style),
        ];
        for line in shown.iter().flat_map(|text| text.lines()) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(super::width(line) <= width, "{width}: {line}");
            assert_eq!(line.trim_end(), line);
            assert!(unicode || line.is_ascii(), "{line}");
        }
    }
}

#[test]
fn of_many_violations_the_worst_are_shown() {
    let checked = Checked::churn(DriftRule::Aws);
    let violations: Vec<Violation> = (0..20_000)
        .map(|index| Violation {
            feature_name: format!("feature {index}"),
            constraint_check_type: CheckType::BaselineDrift,
            description: format!("Baseline drift distance: 0.{:05} exceeds threshold: 0.1", 20_000 + index),
        })
        .collect();
    let shown = check(&CheckView { violations: &violations, drift: &[], ..checked.view() }, &NARROW);
    assert!(shown.starts_with("20,000 violations in 1,000 records of 70 features\n"));
    assert!(shown.contains("feature 19999 "));
    assert!(!shown.contains("feature 19949 "));
    assert!(shown.ends_with("and 19,950 more, less severe\n"));
}
