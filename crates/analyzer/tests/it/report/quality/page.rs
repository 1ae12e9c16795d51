//! The report of model quality as a page: whole, closed in itself, the same every time, whatever the documents hold.

use watchkeeper_analyzer::report::{QualityDocuments, QualityReport, QualityRun};
use watchkeeper_formats::{Metric, ModelQualityMetrics, ModelQualityStatistics};

use super::documents::{churn_baseline, churn_window, judged, multiclass, regression, report};
use crate::report::html::Page;
use crate::report::page::{HOSTILE_NAMES as NAMES, ODD_NUMBERS, assert_closed, assert_described, assert_within_box};

fn reports() -> Vec<QualityReport> {
    let names = multiclass(NAMES[0], &NAMES, |truth, prediction| (truth * 7 + prediction * 3 + 1) as u64);
    let mut hostile = judged(names.clone(), &names);
    hostile.notes = NAMES.map(str::to_owned).to_vec();
    let title = NAMES[2].to_owned();
    let errors = regression("errors", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    vec![
        report(&churn_baseline(), &[churn_window()]),
        report(&churn_baseline(), &[churn_window(), judged(churn_baseline(), &churn_baseline()), churn_window()]),
        report(&errors, &[judged(errors.clone(), &errors)]),
        QualityReport { title: title.clone(), baseline: Some(names.clone()), runs: vec![hostile.clone(), hostile] },
        QualityReport { title: title.clone(), baseline: Some(names), runs: vec![] },
        QualityReport { title: title.clone(), baseline: None, runs: vec![churn_window()] },
        // Documents that do not belong together.
        report(&errors, &[churn_window(), judged(errors.clone(), &errors)]),
        QualityReport { title, baseline: None, runs: vec![] },
    ]
}

#[test]
fn every_report_is_a_page_of_its_own() {
    for report in reports() {
        let html = report.to_html();
        assert_eq!(html, report.to_html(), "the same bytes");
        let page = Page::parse(&html);
        assert_closed(&page);
        assert_described(&page);
        assert!(page.elements.iter().all(|element| !matches!(element.name.as_str(), "b" | "img")));
        let heading = page.elements.iter().find(|element| element.name == "h1").unwrap();
        assert_eq!(heading.text, report.title);
        if page.elements.iter().any(|element| element.name == "svg") {
            assert_within_box(&page);
        }
    }
}

#[test]
fn odd_numbers_are_shown_as_they_are() {
    let made = |value: f64, standard_deviation: f64| {
        let mut documents = churn_baseline();
        let ModelQualityMetrics::BinaryClassification(metrics) = &mut documents.statistics.metrics else { panic!() };
        let metric = Metric { value, standard_deviation };
        (metrics.recall, metrics.f1, metrics.auc) = (metric, metric, Some(metric));
        let roc = metrics.receiver_operating_characteristic_curve.as_mut().unwrap();
        roc.true_positive_rates[3] = value;
        roc.false_positive_rates.truncate(20);
        metrics.precision_recall_curve.as_mut().unwrap().recalls = vec![value];
        metrics.confusion_matrix.counts[0] = vec![u64::MAX, u64::MAX];
        documents
    };
    let in_words =
        |value: f64, spread: f64| regression("odd", [(value, spread), (1.0, spread), (value, 0.1), (value, value)]);
    for value in ODD_NUMBERS {
        for other in ODD_NUMBERS {
            for (before, now) in
                [(made(value, other), made(other, value)), (in_words(value, other), in_words(other, value))]
            {
                let run = judged(now, &before);
                let page = Page::parse(&report(&before, &[run.clone(), run]).to_html());
                assert_closed(&page);
                assert_within_box(&page);
            }
        }
    }
}

#[test]
fn a_month_of_hours_stays_readable() {
    let before = churn_baseline();
    let runs: Vec<QualityRun> = (0..720)
        .map(|hour| {
            let mut run = churn_window();
            run.documents.name = format!("out/{hour}");
            run.documents.statistics.metrics = before.statistics.metrics.clone();
            run
        })
        .collect();
    let html = report(&before, &runs).to_html();
    assert!(html.len() < 40_000_000, "{} bytes", html.len());
    assert_eq!(html.matches("<details class=\"run\"").count(), 720);
}

#[test]
fn a_document_with_no_rows_of_a_class_is_a_page() {
    let empty = multiclass("empty", &["a", "b", "c"], |_, _| 0);
    let page = Page::parse(&report(&empty, &[judged(empty.clone(), &empty)]).to_html());
    assert_closed(&page);
    let statistics = ModelQualityStatistics { item_count: 0, ..empty.statistics };
    let documents = QualityDocuments { statistics, ..churn_baseline() };
    Page::parse(&QualityReport { title: "title".to_owned(), baseline: Some(documents), runs: vec![] }.to_html());
}
