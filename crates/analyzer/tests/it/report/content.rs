//! What the report says, and that it is true.

use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::profile::{DriftComparison, DriftOutcome};
use watchkeeper_formats::{CategoricalDriftMethod, CheckType, DriftRule, Violation};

use super::datasets::{Columns, baseline, check, check_by, column, noise};
use super::html::{Element, Page};

fn page(baseline: &Documents, run: &Run) -> Page {
    let runs = vec![run.clone()];
    Page::parse(&Report { title: "title".to_owned(), baseline: Some(baseline.clone()), runs }.to_html())
}

/// A number as shown, or the exact one where the pointer rests.
fn number(page: &Page, within: &Element, after: &str) -> f64 {
    let (_, rest) = within.text.split_once(after).unwrap_or_else(|| panic!("no {after:?} in {:?}", within.text));
    let shown: String =
        rest.chars().take_while(|it| it.is_ascii_digit() || matches!(it, '.' | 'e' | '-' | ',')).collect();
    let shown = shown.trim_end_matches(['.', ',']);
    let exact = page.within(within, |element| element.name == "span" && element.text == shown);
    exact.first().map_or(shown, |element| element.get("title").unwrap()).replace(',', "").parse().unwrap()
}

fn violation(feature: &str, check: CheckType, description: &str) -> Violation {
    Violation { feature_name: feature.to_owned(), constraint_check_type: check, description: description.to_owned() }
}

#[test]
fn the_worst_comes_first() {
    let columns: Columns = ["a", "b", "c", "d", "e", "f"].map(|name| column(name, [1, 2, 3])).into();
    let baseline = baseline(&columns);
    let mut run = check(&columns, &baseline);
    let type_text = |percent: &str| {
        format!(
            "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. Observed: \
             Only {percent}% of data is Integral."
        )
    };
    run.violations = vec![
        violation("a", CheckType::Other("custom_check".to_owned()), "something else"),
        // A tenth of the way from 0.1 to 1.
        violation("b", CheckType::BaselineDrift, "Baseline drift distance: 0.19 exceeds threshold: 0.1"),
        violation("c", CheckType::DataType, &type_text("75.0")),
        violation(
            "d",
            CheckType::Completeness,
            "Data completeness requirement is not met. Expected: 50.0%. Observed: Only 10.0%.",
        ),
        violation("e", CheckType::CategoricalValues, "Value: 0.5 does not meet the constraint requirement! "),
        violation("f", CheckType::BaselineDrift, "Baseline drift distance: 0.955 exceeds threshold: 0.1"),
        violation(
            "Missing columns",
            CheckType::MissingColumn,
            "There are missing columns in current dataset. Number of columns in current dataset: 5, Number of columns in \
             baseline constraints: 6",
        ),
    ];
    let page = page(&baseline, &run);
    assert_eq!(page.listed("violations"), ["Missing columns", "f", "d", "e", "c", "b", "a"]);
    let list = page.by_id("violations").unwrap();
    let severities = page.within(list, |element| element.has_class("severity"));
    let shown: Vec<&str> = severities.iter().map(|it| it.text.trim_start_matches("Severity ")).collect();
    assert_eq!(shown, ["100\u{202f}%", "95\u{202f}%", "80\u{202f}%", "50\u{202f}%", "25\u{202f}%", "10\u{202f}%"]);
    let descriptions = page.within(list, |element| element.has_class("description"));
    assert!(
        descriptions.iter().any(|it| it.text == "Value: 0.5 does not meet the constraint requirement! "),
        "AWS's words"
    );
    assert_eq!(page.by_id("verdict").unwrap().text, "7 violations in 7 features");
    assert!(page.section("f").get("open").is_some());
}

#[test]
fn violations_lead_to_their_features() {
    let before = baseline(&vec![column("first", [1, 2, 3, 4]), column("second", ["x", "y", "x", "y"])]);
    let run = check(&vec![column("first", ["1", "2", "", "4"]), column("second", ["x", "y", "z", "y"])], &before);
    let page = page(&before, &run);
    assert_eq!(page.listed("violations"), ["first", "second"], "equally bad, so in the document's order");
    let list = page.by_id("violations").unwrap();
    for link in page.within(list, |element| element.name == "a") {
        let target = page.by_id(link.get("href").unwrap().trim_start_matches('#')).unwrap();
        let section = &page.elements[*target.ancestors.last().unwrap()];
        assert_eq!(section.get("data-feature"), Some(link.text.as_str()));
        assert!(section.get("open").is_some());
    }
    let sentences = page.within(list, |element| element.has_class("sentence"));
    assert_eq!(
        sentences.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(),
        [
            "1 of 4 records have no value (25\u{202f}%); in the baseline none was missing.",
            "25\u{202f}% of the values are in no category of the baseline; none may be. New: z.",
        ]
    );
}

#[test]
fn no_violation_is_said_as_well() {
    let columns = vec![column("a", [1, 2, 3])];
    let before = baseline(&columns);
    let page = page(&before, &check(&columns, &before));
    let verdict = page.by_id("verdict").unwrap();
    assert_eq!(verdict.text, "No violations");
    assert!(verdict.has_class("good"));
    assert!(page.by_id("violations").is_none());
    let settings = &page.by_id("settings").unwrap().text;
    assert!(
        settings.contains("distance at most 0.1") && settings.contains("at least 100\u{202f}% of the expected type")
    );
}

#[test]
fn missing_columns_are_named() {
    let before = baseline(&vec![column("stays", [1, 2]), column("goes", [1, 2]), column("goes too", [1, 2])]);
    let page = page(&before, &check(&vec![column("stays", [1, 2])], &before));
    let list = page.by_id("violations").unwrap();
    let [sentence] = page.within(list, |element| element.has_class("sentence"))[..] else { panic!("one violation") };
    assert_eq!(
        sentence.text,
        "The dataset has 1 column, the baseline 3; nothing else was checked. Not there by name: goes, goes too."
    );
}

/// The chart's text takes the distance apart; put together again it is the engine's, to the last digit.
#[test]
fn the_derivation_adds_up_to_the_distance() {
    let numbers = |seed, scale: f64, count| noise(seed).map(move |it| (it * it * scale).round() / 4.0).take(count);
    let before = baseline(&vec![column("a", numbers(1, 900.0, 3000)), column("b", noise(3).take(2000))]);
    let now = vec![column("a", numbers(2, 1200.0, 2500)), column("b", noise(4).map(|it| it * it).take(2500))];
    let mut derivations = 0;
    for rule in [DriftRule::Aws, DriftRule::Exact] {
        let run = check_by(rule, &now, &before);
        let page = page(&before, &run);
        for DriftComparison { feature, outcome, .. } in &run.drift {
            let DriftOutcome::Compared { distance, by_other_rule } = outcome else { panic!("both are compared") };
            let panels = page.within(page.section(feature), |it| it.name == "figure");
            let panels: Vec<_> = panels.into_iter().filter(|it| it.text.contains("Farthest apart")).collect();
            for (panel, distance) in panels.into_iter().zip([Some(*distance), *by_other_rule]) {
                let [text] = page.within(panel, |it| it.has_class("derivation"))[..] else { panic!("one derivation") };
                let (gap, allowance) = (number(&page, text, "a gap of "), number(&page, text, "Less "));
                let expected = distance.unwrap().value;
                assert_eq!((gap - allowance).max(0.0), expected);
                assert_eq!(number(&page, text, "distance "), expected);
                derivations += 1;
            }
        }
    }
    assert!(derivations >= 6, "{derivations}");
}

#[test]
fn a_disagreement_of_the_rules_is_explained() {
    let few = |shift: usize| (0..1000).map(move |index| (index % 7 * (index % 3 + shift)) % 5);
    let before = baseline(&vec![column("few", few(0))]);
    let run = check(&vec![column("few", few(1))], &before);
    let [DriftComparison { outcome: DriftOutcome::Compared { distance, by_other_rule: Some(exact) }, .. }] =
        &run.drift[..]
    else {
        panic!("compared by both rules")
    };
    assert!(!distance.exceeds && exact.exceeds);
    let page = page(&before, &run);
    assert_eq!(page.listed("rule-disagreements"), ["few"]);
    let [remark] = page.within(page.by_id("rule-disagreements").unwrap(), |it| it.name == "p")[..] else { panic!() };
    assert_eq!(number(&page, remark, "in force, the distance is "), 0.0);
    assert_eq!(number(&page, remark, "the exact rule the distance is "), exact.value);
    assert!(remark.text.contains("counts a repeated value once, here 5 of the baseline's 1,000 values"));
    assert_eq!(page.within(page.section("few"), |it| it.has_class("cumulative")).len(), 2, "a chart by each rule");
}

#[test]
fn chi_squared_without_a_known_category_is_a_disagreement() {
    let mut before = baseline(&vec![column("text", (0..100).map(|index| ["a", "b"][index % 2]))]);
    let constraints = before.constraints.as_mut().unwrap();
    constraints.monitoring_config.distribution_constraints.categorical_drift_method =
        Some(CategoricalDriftMethod::ChiSquared);
    let run = check(&vec![column("text", (0..100).map(|_| "c"))], &before);
    let page = page(&before, &run);
    assert_eq!(page.listed("rule-disagreements"), ["text"]);
    assert!(page.by_id("rule-disagreements").unwrap().text.contains("the exact rule takes the distance for 1"));
    assert!(page.by_id("skipped").unwrap().text.contains("No current record is in a category that the baseline knows"));
    assert!(page.by_id("settings").unwrap().text.contains("ChiSquared"));
}

/// Up to 2,050 values a sketch holds them all, so counting by hand is the referee.
#[test]
fn charts_and_quantiles_are_those_of_the_values() {
    let whole: Vec<usize> = (0..1000).map(|index| index * index % 11).collect();
    let page_of = |columns: &Columns| {
        let report = Report { title: "title".to_owned(), baseline: Some(baseline(columns)), runs: vec![] };
        Page::parse(&report.to_html())
    };
    let page = page_of(&vec![column("whole", whole.clone())]);
    let [figures] = page.within(page.section("whole"), |it| it.has_class("figures"))[..] else {
        panic!("one histogram")
    };
    let [table] = page.within(figures, |it| it.name == "table")[..] else { panic!("one table") };
    for row in page.rows(table) {
        let count = whole.iter().filter(|value| value.to_string() == row[0]).count();
        let share: f64 = row[1].trim_end_matches("\u{202f}%").parse().unwrap();
        assert!((share * 10.0 - count as f64).abs() < 1e-9, "{row:?}, counted {count}");
    }

    let mut values: Vec<f64> = noise(7).map(|it| (it * 1000.0).floor()).take(500).collect();
    let page = page_of(&vec![column("numbers", values.clone())]);
    values.sort_by(f64::total_cmp);
    let quantiles = page.table("numbers", "quantiles");
    assert_eq!(quantiles.len(), 7);
    for row in quantiles {
        let percent: f64 = row[0].split(' ').next().unwrap().parse().unwrap();
        // The smallest value that a share of the values does not exceed: `method="inverted_cdf"` in NumPy.
        let expected = values[(percent / 100.0 * 500.0).ceil() as usize - 1];
        assert_eq!(row[1], expected.to_string(), "{percent} %");
    }
}

#[test]
fn categories_show_both_sides_and_what_is_new() {
    let texts = |counts: &[(&'static str, usize)]| -> Vec<&str> {
        counts.iter().flat_map(|&(text, count)| std::iter::repeat_n(text, count)).collect()
    };
    let before = baseline(&vec![column("city", texts(&[("north", 60), ("south", 40)]))]);
    let run = check(&vec![column("city", texts(&[("north", 20), ("south", 70), ("east", 110)]))], &before);
    let page = page(&before, &run);
    let rows = page.table("city", "categories");
    let expected = [
        ["east new", "0\u{202f}%0", "55\u{202f}%110", "+55"],
        ["north", "60\u{202f}%60", "10\u{202f}%20", "−50"],
        ["south", "40\u{202f}%40", "35\u{202f}%70", "−5"],
    ];
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!([row[0], row[2], row[3], row[4]], expected);
    }
}

#[test]
fn rare_categories_are_put_together() {
    let before = baseline(&vec![column("many", (0..1000).map(|index| format!("text {}", index % 45)))]);
    let page = Page::parse(&Report { title: "title".to_owned(), baseline: Some(before), runs: vec![] }.to_html());
    let rows = page.table("many", "categories");
    assert_eq!(rows.len(), 21);
    assert_eq!(rows[20][0], "25 others");
}

#[test]
fn measures_stand_side_by_side() {
    let before = baseline(&vec![column("a", ["1.5", "2.5", "", "1000000.25"])]);
    let run = check(&vec![column("a", ["1.5", "2.5", "-3.25", "4.0"])], &before);
    let page = page(&before, &run);
    let measures = page.table("a", "measures");
    assert!(measures.contains(&vec!["Missing", "1", "0"]));
    assert!(measures.contains(&vec!["Completeness", "75\u{202f}%", "100\u{202f}%"]));
    assert!(measures.contains(&vec!["Smallest", "1.5", "−3.25"]));
    assert!(measures.contains(&vec!["Largest", "1,000,000", "4"]));
    let exact = page.within(page.section("a"), |it| it.name == "td" && it.text == "1,000,000");
    assert!(exact.iter().any(|it| it.get("title") == Some("1000000.25")));
}
