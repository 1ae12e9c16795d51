//! What the report says of attributions and of dependence.

use serde_json::Value;
use watchkeeper_analyzer::clarify::LocalAttributions;
use watchkeeper_formats::clarify::{Analysis, AttributionViolation, ClarifyViolation};

use super::documents::{
    Documents, analysis, attributions, golden, golden_json, interaction, model, number, text, with,
};
use crate::report::html::{Element, Page};

fn table<'a>(page: &'a Page, section: &Element, class: &str) -> Vec<&'a Element> {
    let is_wanted = |it: &Element| it.name == "table" && it.has_class(class);
    let [table] = page.within(section, is_wanted)[..] else { panic!("one table {class}") };
    page.within(table, |it| it.get("data-feature").is_some())
}

/// Features and values of rows.
fn values(page: &Page, rows: &[&Element]) -> Vec<(String, f64)> {
    let value = |row: &&Element| {
        let cells = page.within(row, |it| it.name == "td" && it.has_class("n"));
        // Ranks stand first in the table of all.
        let cell = cells.iter().rev().find(|cell| !cell.text.trim().is_empty()).unwrap();
        (row.get("data-feature").unwrap().to_owned(), number(page, cell))
    };
    rows.iter().map(value).collect()
}

#[test]
fn a_chart_has_the_ten_largest_values_and_a_table_has_all() {
    let text = golden("explainability/adult-linear-shap-baseline/observed_analysis.json");
    let page = Documents { analysis: Analysis::parse(&text).unwrap(), ..Documents::default() }.page();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let recorded = &recorded["explanations"]["kernel_shap"]["label0"]["global_shap_values"];
    let mut expected: Vec<(String, f64)> =
        recorded.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.as_f64().unwrap())).collect();
    expected.sort_by(|one, other| other.1.total_cmp(&one.1));
    assert_eq!(expected.len(), 14);
    let section = with(&page, "section", &[("data-label", "label0")]);
    assert_eq!(values(&page, &table(&page, section, "importance")), expected[..10]);
    let [all] = page.within(section, |it| it.has_class("all"))[..] else { panic!() };
    assert_eq!(values(&page, &page.within(all, |it| it.get("data-feature").is_some())), expected);
}

#[test]
fn every_score_has_its_order_whatever_the_signs() {
    let expected = golden_json("explainability/additive-two-scores/expected.json");
    let document = &expected["shap-and-top-features"];
    let page = Documents { analysis: analysis(document), ..Documents::default() }.page();
    for label in ["no", "yes"] {
        let section = with(&page, "section", &[("data-label", label)]);
        let shown = values(&page, &table(&page, section, "importance"));
        assert!(shown.is_sorted_by(|one, other| one.1.abs() >= other.1.abs()));
        for (feature, value) in shown {
            let expected = &document["explanations"]["kernel_shap"][label]["global_shap_values"][&feature];
            assert_eq!(value, expected.as_f64().unwrap());
        }
    }
}

/// The guide's example.
#[test]
fn a_changed_order_has_its_ndcg_and_where_each_feature_went() {
    let case = golden_json("explainability/ndcg-documented/case.json");
    let side = |name: &str| -> Vec<(String, f64)> {
        let values = case[name].as_object().unwrap();
        values.iter().map(|(feature, value)| (feature.clone(), value.as_f64().unwrap())).collect()
    };
    let made =
        |name: &str| attributions(&side(name).iter().map(|(it, value)| (it.as_str(), *value)).collect::<Vec<_>>());
    let expected = case["expected"].as_f64().unwrap();
    let documents = Documents {
        analysis: made("live"),
        baseline: Some(made("baseline")),
        violations: Some(vec![ClarifyViolation::Attribution(AttributionViolation::new("label0", expected, 0.9))]),
        ..Documents::default()
    };
    let page = documents.page();
    assert_eq!(page.by_id("verdict").unwrap().text, "1 violation: the order of features changed for 1 score");
    let section = with(&page, "section", &[("data-label", "label0")]);
    assert!(section.has_class("violated"));
    let [agreement] = page.within(section, |it| it.has_class("agreement"))[..] else { panic!() };
    assert!((number(&page, agreement) - expected).abs() < 1e-12);
    assert!(text(agreement).ends_with("below the limit 0.9."), "{}", text(agreement));
    let [item] = page.within(page.by_id("violations").unwrap(), |it| it.name == "li")[..] else { panic!() };
    assert!(text(item).contains(&format!("Feature attribution drift {expected} exceeds threshold 0.9")));
    let order = |name: &str| {
        let mut values = side(name);
        values.sort_by(|one, other| other.1.total_cmp(&one.1));
        values.into_iter().map(|(feature, _)| feature).collect::<Vec<_>>()
    };
    let (before, now) = (order("baseline"), order("live"));
    let ranks: Vec<String> =
        page.within(section, |it| it.name == "td" && it.has_class("rank")).into_iter().map(text).collect();
    for (place, feature) in now.iter().enumerate() {
        let was = before.iter().position(|other| other == feature).unwrap();
        let words = match was.cmp(&place) {
            std::cmp::Ordering::Less => format!("↓ down from {}", was + 1),
            std::cmp::Ordering::Equal => "= as before".to_owned(),
            std::cmp::Ordering::Greater => format!("↑ up from {}", was + 1),
        };
        assert_eq!(ranks[place], words, "{feature}");
    }
    let [slopes] = page.within(section, |it| it.has_class("slopes"))[..] else { panic!("a slope chart") };
    let lines: usize =
        page.within(slopes, |it| it.name == "path").iter().map(|it| it.get("d").unwrap().matches('M').count()).sum();
    assert_eq!(lines, now.len());
}

#[test]
fn features_of_one_side_alone_are_told_apart() {
    let documents = Documents {
        analysis: attributions(&[("old", 0.5), ("new", 0.75)]),
        baseline: Some(attributions(&[("old", 0.5), ("gone", 0.25)])),
        violations: Some(Vec::new()),
        ..Documents::default()
    };
    let page = documents.page();
    let section = with(&page, "section", &[("data-label", "label0")]);
    let ranks: Vec<String> =
        page.within(section, |it| it.name == "td" && it.has_class("rank")).into_iter().map(text).collect();
    assert_eq!(ranks, ["+ new", "↓ down from 1"]);
    let ends: Vec<String> =
        page.within(section, |it| it.has_class("end") && it.name == "span").into_iter().map(text).collect();
    assert_eq!(ends, ["old", "gone now absent", "new was absent", "old"]);
    assert_eq!(page.by_id("verdict").unwrap().text, "No violations");
}

#[test]
fn a_waterfall_goes_from_the_expected_value_to_what_the_model_says() {
    let (documents, rows) = interaction();
    let page = documents.page();
    let tables: Vec<&Element> = page.elements.iter().filter(|it| it.has_class("waterfall")).collect();
    let predictions: Vec<f64> = rows.iter().map(|row| model(row)).collect();
    let place = |wanted: f64| predictions.iter().position(|it| *it == wanted).unwrap();
    let largest = place(predictions.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    let smallest = place(predictions.iter().copied().fold(f64::INFINITY, f64::min));
    let local = documents.local.as_ref().unwrap();
    let moved: Vec<f64> = local.values.chunks(5).map(|row| row.iter().map(|it| it.abs()).sum()).collect();
    let most = moved.iter().position(|it| *it == moved.iter().copied().fold(0.0, f64::max)).unwrap();
    let mut expected: Vec<(usize, Vec<&str>)> = Vec::new();
    let names = ["largest prediction", "smallest prediction", "largest sum of absolute attributions"];
    for (row, name) in [largest, smallest, most].into_iter().zip(names) {
        match expected.iter_mut().find(|(other, _)| *other == row) {
            Some((_, names)) => names.push(name),
            None => expected.push((row, vec![name])),
        }
    }
    assert_eq!(tables.len(), expected.len());
    for (table, (row, names)) in tables.into_iter().zip(expected) {
        let [caption] = page.within(table, |it| it.name == "caption")[..] else { panic!() };
        assert_eq!(text(caption).to_lowercase(), format!("{}: row {}", names.join(", "), row + 1));
        let numbers: Vec<f64> =
            page.within(table, |it| it.name == "td" && it.has_class("n")).iter().map(|it| number(&page, it)).collect();
        let (end, steps) = numbers.split_last().unwrap();
        assert!((steps.iter().sum::<f64>() - end).abs() < 1e-9, "{steps:?} {end}");
        assert!((end - predictions[row]).abs() < 1e-9);
        assert!((steps[0] - -0.201_545_887_460_768_65).abs() < 1e-12);
        assert!(steps[1..].is_sorted_by(|one, other| one.abs() >= other.abs()));
        assert!(text(table).contains(&format!("x0 = {}", rows[row][0])));
    }
}

/// Log-odds are explained, the score is said too.
#[test]
fn a_waterfall_of_log_odds_names_the_score() {
    let documents = Documents {
        analysis: attributions(&[("a", 0.5), ("b", 0.25)]),
        local: Some(LocalAttributions {
            features: vec!["a".to_owned(), "b".to_owned()],
            labels: vec!["label0".to_owned()],
            values: vec![-0.5, 0.25],
            cells: vec!["1".to_owned(), String::new()],
            // ln(p / (1 - p)) = 0.25 - 0.5 + 0.25 = 0
            predictions: vec![0.5],
            join: Some(("id".to_owned(), vec!["row 7".to_owned()])),
        }),
        parameters: vec![("Explained".to_owned(), "log-odds".to_owned())],
        ..Documents::default()
    };
    let page = documents.page();
    let table = page.elements.iter().find(|it| it.has_class("waterfall")).unwrap();
    let shown = text(table);
    assert!(shown.contains("id = row 7"), "{shown}");
    assert!(shown.contains("Expected value0.25") && shown.ends_with("Prediction score 0.50"), "{shown}");
    assert!(shown.contains("b missing"), "{shown}");
}

/// Many rows, values of one feature rising.
fn many_rows(rows: usize) -> Documents {
    let noise = |row: usize| ((row * 7919) % 1000) as f64 / 1000.0 - 0.5;
    Documents {
        analysis: attributions(&[("age", 0.5), ("city", 0.25)]),
        local: Some(LocalAttributions {
            features: vec!["age".to_owned(), "city".to_owned()],
            labels: vec!["label0".to_owned()],
            values: (0..rows).flat_map(|row| [noise(row), 0.1]).collect(),
            cells: (0..rows).flat_map(|row| [noise(row).to_string(), "oslo".to_owned()]).collect(),
            ..LocalAttributions::default()
        }),
        ..Documents::default()
    }
}

/// Dots of a feature by class.
fn dots<'a>(page: &'a Page, feature: &str) -> Vec<(&'a str, &'a str)> {
    let row = page.elements.iter().find(|it| it.has_class("swarm-row") && it.get("data-feature") == Some(feature));
    let paths = page.within(row.unwrap(), |it| it.name == "path" && !it.has_class("zero"));
    paths.iter().map(|path| (path.get("class").unwrap(), path.get("d").unwrap())).collect()
}

#[test]
fn a_swarm_has_a_dot_for_each_row_up_to_five_hundred() {
    for (rows, drawn) in [(6, 6), (500, 500), (501, 500), (20_000, 500)] {
        let documents = many_rows(rows);
        let page = documents.page();
        for feature in ["age", "city"] {
            let count: usize = dots(&page, feature).iter().map(|(_, path)| path.matches('M').count()).sum();
            assert_eq!(count, drawn);
        }
        let html = documents.report().to_html();
        assert_eq!(html.contains("rows are drawn, evenly spaced"), rows > drawn);
        assert_eq!(html, documents.report().to_html());
    }
}

#[test]
fn a_swarm_is_coloured_by_values_where_they_have_an_order() {
    let page = many_rows(400).page();
    let classes: Vec<&str> = dots(&page, "city").iter().map(|(class, _)| *class).collect();
    assert_eq!(classes, ["unordered"]);
    let of_age = dots(&page, "age");
    let classes: Vec<&str> = of_age.iter().map(|(class, _)| *class).collect();
    assert_eq!(classes, ["value-1", "value-2", "value-3", "value-4", "value-5"]);
    // Value and attribution are the same here: each colour lies right of the one before.
    let ends = |path: &str| {
        let places: Vec<f64> =
            path.split('M').skip(1).map(|dot| dot.split(' ').next().unwrap().parse().unwrap()).collect();
        (places.iter().copied().fold(f64::INFINITY, f64::min), places.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    };
    assert!(of_age.windows(2).all(|pair| ends(pair[0].1).1 <= ends(pair[1].1).0));
    // The documents alone have no cells.
    let mut documents = many_rows(400);
    documents.local.as_mut().unwrap().cells.clear();
    let page = documents.page();
    assert_eq!(dots(&page, "age").iter().map(|(class, _)| *class).collect::<Vec<_>>(), ["unordered"]);
}

#[test]
fn dependence_has_a_curve_a_score_and_says_why_there_is_none() {
    let expected = golden_json("explainability/additive-two-scores/expected.json");
    let document = &expected["pdp-every-kind"];
    let page = Documents { analysis: analysis(document), ..Documents::default() }.page();
    for feature in document["explanations"]["pdp"].as_array().unwrap() {
        let name = feature["feature_name"].as_str().unwrap();
        let figures = page.within(page.by_id("dependence").unwrap(), |it| it.get("data-feature") == Some(name));
        if let Some(error) = feature["error"].as_str() {
            let [figure] = figures[..] else { panic!("one figure of {name}") };
            assert!(figure.text.contains(error));
            continue;
        }
        assert_eq!(figures.len(), 2);
        for (figure, predictions) in figures.into_iter().zip(feature["model_predictions"].as_array().unwrap()) {
            let is_curve = feature["data_type"] == "numerical";
            assert_eq!(page.within(figure, |it| it.name == "svg").len(), usize::from(is_curve), "{name}");
            assert_eq!(page.within(figure, |it| it.has_class("bars-table")).len(), usize::from(!is_curve), "{name}");
            let [numbers] = page.within(figure, |it| it.has_class("figures"))[..] else { panic!() };
            let rows = page.within(numbers, |it| it.name == "tr");
            let predictions = predictions.as_array().unwrap();
            assert_eq!(rows.len(), predictions.len() + 1);
            for (row, prediction) in rows[1..].iter().zip(predictions) {
                let cells = page.within(row, |it| it.name == "td");
                assert_eq!(number(&page, cells[1]), prediction.as_f64().unwrap());
            }
        }
    }
}

#[test]
fn a_curve_of_the_baseline_is_drawn_under_the_current_one() {
    let text = golden("explainability/observed-pdp-format/observed_analysis.json");
    let recorded = Analysis::parse(&text).unwrap();
    let documents = Documents {
        analysis: recorded.clone(),
        baseline: Some(recorded),
        violations: Some(Vec::new()),
        ..Documents::default()
    };
    let page = documents.page();
    let figure = with(&page, "figure", &[("data-feature", "Age")]);
    let lines: Vec<&str> =
        page.within(figure, |it| it.has_class("line")).iter().map(|it| it.get("d").unwrap()).collect();
    let [before, now] = lines[..] else { panic!("two lines") };
    assert_eq!(before, now);
    assert_eq!(page.by_id("verdict").unwrap().text, "No violations");
}
