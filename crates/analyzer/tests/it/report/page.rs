//! The report as a page: whole, closed in itself, the same every time, whatever the documents hold.

use std::collections::HashSet;

use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::profile::Profile;
use watchkeeper_formats::{DriftRule, Statistics};

use super::datasets::{Columns, baseline, baseline_of, check, check_profile, column, noise, profile};
use super::html::Page;

/// Names that try to break out.
pub(super) const HOSTILE_NAMES: [&str; 6] = [
    "</script><script>alert('x')</script>",
    "\" onmouseover=\"alert(1)",
    "it's & <b>bold</b>",
    "שלום עולם",
    "🎉 party \u{202e}reversed",
    "",
];

/// Numbers that readers accept and that no analysis makes.
pub(super) const ODD_NUMBERS: [f64; 9] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324, f64::MAX, f64::MIN, 1e-9];

const NAMES: [&str; 8] = {
    let [script, attribute, markup, leftward, reversed, empty] = HOSTILE_NAMES;
    ["plain", script, attribute, markup, leftward, reversed, empty, "javascript:alert(1)"]
};

/// Every kind of column under names that try to break out.
fn columns(seed: u64, shift: f64) -> Columns {
    let mut random = noise(seed);
    let mut numbers = |scale: f64| -> Vec<f64> { (0..300).map(|_| random.next().unwrap() * scale + shift).collect() };
    let texts = ["<img src=x onerror=alert(1)>", "north & \"south\"", "مرحبا", "x"];
    vec![
        column(NAMES[0], numbers(1.0)),
        column(NAMES[1], numbers(9.0).iter().map(|number| number.floor())),
        column(NAMES[2], numbers(2.0 + shift).iter().map(|number| texts[*number as usize % 4])),
        column(
            NAMES[3],
            numbers(1e9).iter().map(|number| if *number < 1e8 { String::new() } else { number.to_string() }),
        ),
        column(NAMES[4], (0..300).map(|index| format!("text {index}"))),
        column(NAMES[5], (0..300).map(|_| "")),
        column(NAMES[6], (0..300).map(|_| "7")),
        column(NAMES[7], numbers(1.0).iter().map(|number| if *number > 0.5 { "1e400" } else { "-1.5" })),
    ]
}

fn report() -> Report {
    let baseline = baseline(&columns(1, 0.0));
    let mut run = check(&columns(2, 2.0), &baseline);
    run.notes.push("7 rows were <cut>".to_owned());
    Report { title: "current & <baseline>".to_owned(), baseline: Some(baseline), runs: vec![run] }
}

/// Ids are unique, links lead to one, and the browser is given nothing to fetch.
pub(super) fn assert_closed(page: &Page) {
    let mut ids = HashSet::new();
    for id in page.elements.iter().filter_map(|element| element.get("id")) {
        assert!(ids.insert(id), "id `{id}` twice");
    }
    for element in &page.elements {
        for attribute in ["for", "aria-labelledby"] {
            assert!(element.get(attribute).is_none_or(|id| ids.contains(id)), "{element:?}");
        }
        for (attribute, value) in &element.attributes {
            match attribute.as_str() {
                "href" if element.name == "link" => assert_eq!(value, "data:,"),
                "href" => {
                    let target = value.strip_prefix('#').unwrap_or_else(|| panic!("a link out: {value}"));
                    assert!(ids.contains(target), "nothing has the id `{target}`");
                }
                "src" | "srcset" | "action" | "data" | "poster" | "xlink-href" => {
                    panic!("{attribute} of {}", element.name)
                }
                _ => assert!(!attribute.starts_with("on"), "{attribute} of {}", element.name),
            }
        }
        if matches!(element.name.as_str(), "style" | "script") {
            assert!(
                !element.text.contains("url(") && !element.text.contains("@import") && !element.text.contains("://")
            );
        }
    }
    let scripts = page.elements.iter().filter(|element| element.name == "script").count();
    assert_eq!(scripts, 1, "the report's own script, and no other");
}

#[test]
fn names_and_values_stay_text() {
    let report = report();
    let page = Page::parse(&report.to_html());
    assert_closed(&page);
    for name in NAMES {
        page.section(name);
    }
    assert!(page.elements.iter().all(|element| !matches!(element.name.as_str(), "b" | "img")));
    let heading = page.elements.iter().find(|element| element.name == "h1").unwrap();
    assert_eq!(heading.text, "current & <baseline>");
    assert!(page.by_id("notes").unwrap().text.contains("7 rows were <cut>"));
}

/// Tables have captions, headers scopes, charts titles, fields labels.
pub(super) fn assert_described(page: &Page) {
    for element in &page.elements {
        match element.name.as_str() {
            "table" => assert_eq!(page.within(element, |inner| inner.name == "caption").len(), 1),
            "th" => assert!(element.get("scope").is_some()),
            "svg" => {
                assert_eq!(element.get("role"), Some("img"));
                assert_eq!(page.within(element, |inner| inner.name == "title").len(), 1);
            }
            "input" => {
                let is_label =
                    |label: &super::html::Element| label.name == "label" && label.get("for") == element.get("id");
                let is_inside = element.ancestors.iter().any(|&index| page.elements[index].name == "label");
                assert!(is_inside || page.elements.iter().any(is_label), "{element:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn every_table_and_chart_says_what_it_is() {
    assert_described(&Page::parse(&report().to_html()));
}

#[test]
fn the_same_documents_make_the_same_bytes() {
    assert_eq!(report().to_html(), report().to_html());
}

#[test]
fn paths_stay_within_their_box() {
    let page = Page::parse(&report().to_html());
    assert!(page.elements.iter().filter(|element| element.name == "path").count() > 10);
    assert_within_box(&page);
}

/// Drawings stay in boxes of up to 400 by 400.
pub(super) fn assert_within_box(page: &Page) {
    let paths: Vec<&str> = page.elements.iter().filter(|it| it.name == "path").map(|it| it.get("d").unwrap()).collect();
    for path in paths {
        assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
        for number in
            path.split(|it: char| !it.is_ascii_digit() && !matches!(it, '.' | '-')).filter(|it| !it.is_empty())
        {
            let number: f64 = number.parse().unwrap();
            assert!((-120.0..=400.0).contains(&number), "{number} in {path}");
        }
    }
}

#[test]
fn every_combination_of_sides_is_a_page() {
    let before = baseline(&columns(1, 0.0));
    let run = check(&columns(2, 2.0), &before);
    let title = "title".to_owned();
    let cases = [
        (None, vec![]),
        (Some(before.clone()), vec![]),
        (None, vec![run.clone()]),
        (Some(before.clone()), vec![run.clone(), run.clone(), check(&columns(1, 0.0), &before)]),
        (Some(Documents { constraints: None, ..before.clone() }), vec![Run { drift: Vec::new(), ..run.clone() }]),
    ];
    for (baseline, runs) in cases {
        let report = Report { title: title.clone(), baseline, runs };
        let page = Page::parse(&report.to_html());
        assert_closed(&page);
        assert_eq!(page.by_id("settings").is_some(), report.baseline.is_some_and(|it| it.constraints.is_some()));
    }
}

#[test]
fn several_runs_have_a_verdict_each() {
    let before = baseline(&columns(1, 0.0));
    let runs = vec![check(&columns(2, 2.0), &before), check(&columns(1, 0.0), &before)];
    let count = runs[0].violations.len();
    let page = Page::parse(&Report { title: "two".to_owned(), baseline: Some(before), runs }.to_html());
    let verdict = page.by_id("verdict").unwrap();
    assert_eq!(verdict.text, format!("{count} violations in 1 of 2 datasets"));
    assert!(verdict.has_class("bad"));
    let rows = page.rows(page.by_id("runs").unwrap());
    assert_eq!(rows[1], ["current.csv", "300", "No violations"]);
    assert!(page.by_id("overview-2").is_some());
}

#[test]
fn names_may_repeat() {
    let columns = vec![column("same", [1, 2, 3]), column("same", [7, 8, 9]), column("other", [1, 1, 1])];
    let before = baseline(&columns);
    let runs = vec![check(&columns, &before)];
    let page = Page::parse(&Report { title: "twice".to_owned(), baseline: Some(before), runs }.to_html());
    assert_closed(&page);
    let overview = page.rows(page.by_id("overview").unwrap());
    assert_eq!(
        overview.iter().map(|row| row[row.len() - 2..].to_vec()).collect::<Vec<_>>(),
        [["2", "2"], ["8", "8"], ["1", "1"]]
    );
}

/// What readers accept and the analyzer does not write.
#[test]
fn odd_statistics_are_shown_as_they_are() {
    let feature = |numbers: &str| {
        let text = format!(
            r#"{{"version":0,"dataset":{{"item_count":4}},"features":[{{"name":"odd","inferred_type":"Fractional",
            "numerical_statistics":{{"common":{{"num_present":4,"num_missing":0}},{numbers}}}}}]}}"#
        );
        Statistics::parse(&text).unwrap()
    };
    let moments = r#""mean":1.0,"sum":4.0,"std_dev":0.0,"min":0.0,"max":2.0"#;
    let buckets = r#""buckets":[{"lower_bound":0.0,"upper_bound":1.0,"count":3.0},
        {"lower_bound":1.0,"upper_bound":2.0,"count":1.0}]"#;
    let sketch = |data: &str| format!(r#"{moments},"distribution":{{"kll":{{"sketch":{{"data":{data}}}}}}}"#);
    let infinite = r#""mean":"NaN","sum":"NaN","std_dev":"NaN","min":"-Infinity","max":"Infinity""#;
    let cases = [
        moments.to_owned(),
        format!(r#"{moments},"distribution":{{"kll":{{{buckets}}}}}"#),
        format!(r#"{moments},"distribution":{{"kll":{{}}}}"#),
        sketch("[]"),
        sketch("[[]]"),
        sketch("[[0.0, 1.0], [2.0]]"),
        sketch(r#"[["NaN"]]"#),
        sketch("[[1.7976931348623157E308, -1.7976931348623157E308, 0.0, 5.0E-324]]"),
        format!(r#"{infinite},"distribution":{{"kll":{{"sketch":{{"data":[["-Infinity", 1.0, 2.5, "Infinity"]]}}}}}}"#),
        format!(r#"{infinite},"distribution":{{"kll":{{"sketch":{{"data":[["-Infinity", "Infinity"]]}}}}}}"#),
    ];
    for before in &cases {
        for now in &cases {
            let documents =
                |text: &str| Documents { name: "odd".to_owned(), statistics: feature(text), constraints: None };
            let run = Run { documents: documents(now), violations: vec![], drift: vec![], notes: vec![] };
            let report = Report { title: "odd".to_owned(), baseline: Some(documents(before)), runs: vec![run] };
            let page = Page::parse(&report.to_html());
            assert_closed(&page);
            let paths = page.within(page.section("odd"), |element| element.name == "path");
            for path in paths {
                let path = path.get("d").unwrap();
                assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
            }
        }
    }
    let bucketed = Documents { name: "odd".to_owned(), statistics: feature(&cases[1]), constraints: None };
    let page = Page::parse(&Report { title: "odd".to_owned(), baseline: Some(bucketed), runs: vec![] }.to_html());
    let section = page.section("odd");
    assert!(section.text.contains("no usable sketch"));
    assert_eq!(page.within(section, |element| element.has_class("histogram")).len(), 1);
}

#[test]
fn twenty_thousand_features_stay_readable() {
    let one =
        |seed, shift| profile(&vec![column("", noise(seed).map(|it| it + shift).take(30))], None).columns[0].1.clone();
    let (before, same, moved) = (one(1, 0.0), one(2, 0.0), one(2, 5.0));
    let wide = |drifted: usize| Profile {
        records: 30,
        columns: (0..20_000)
            .map(|index| {
                (format!("feature {index}"), if index % 1000 < drifted { moved.clone() } else { same.clone() })
            })
            .collect(),
    };
    let before =
        Profile { columns: wide(0).columns.into_iter().map(|(name, _)| (name, before.clone())).collect(), records: 30 };
    let baseline = baseline_of(&before);
    for (drifted, violations, sections) in [(1, 20, 200), (10, 200, 200), (50, 1000, 500)] {
        let run = check_profile(DriftRule::Aws, &wide(drifted), &baseline);
        assert_eq!(run.violations.len(), violations);
        let html = Report { title: "wide".to_owned(), baseline: Some(baseline.clone()), runs: vec![run] }.to_html();
        assert!(html.len() < 12_000_000, "{} bytes", html.len());
        assert_eq!(html.matches("<details class=\"feature\"").count(), sections);
        assert_eq!(html.matches("<li data-feature=").count(), violations);
        assert_eq!(html.matches("<tr><th scope=\"row\"><").count(), 20_000, "each has its row");
        assert!(html.contains("id=\"left-out\""));
    }
}
