//! Properties that hold of any rows.

use proptest::collection::vec;
use proptest::prelude::*;
use watchkeeper_engine::quality::{Curves, Problem, ScoredRow};

use super::{BOTH, Record, SCORES, Value, interpreted, number, outcome, scored, text};

fn binary_rows() -> impl Strategy<Value = Vec<(u8, u8, f64)>> {
    // Few different scores, so that there are ties.
    vec((0..2_u8, 0..2_u8, (0..30_u8).prop_map(|score| f64::from(score) / 16.0 - 0.3)), 1..300)
}

proptest! {
    /// The area under the ROC curve is the share of pairs of a positive and a negative row that are in order, ties half.
    #[test]
    fn area_is_the_share_of_pairs_in_order(rows in binary_rows()) {
        let (mut pairs, mut in_order) = (0.0, 0.0);
        for (_, _, positive) in rows.iter().filter(|row| row.1 == 1) {
            for (_, _, negative) in rows.iter().filter(|row| row.1 == 0) {
                pairs += 1.0;
                in_order += if positive > negative { 1.0 } else if positive == negative { 0.5 } else { 0.0 };
            }
        }
        let auc = outcome(BOTH, &scored(&rows)).binary().auc.unwrap().value;
        if pairs > 0.0 {
            prop_assert!((auc - in_order / pairs).abs() < 1e-12, "{auc} {in_order} of {pairs}");
        }
    }

    #[test]
    fn curves_begin_end_and_rise_as_they_must(rows in binary_rows()) {
        let metrics = outcome(BOTH, &scored(&rows)).binary();
        let roc = metrics.receiver_operating_characteristic_curve.unwrap();
        let curve = metrics.precision_recall_curve.unwrap();
        let mut distinct: Vec<f64> = rows.iter().map(|row| row.2).collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        prop_assert_eq!(roc.true_positive_rates.len(), distinct.len() + 2);
        prop_assert_eq!(curve.recalls.len(), distinct.len() + 1);
        for rates in [&roc.false_positive_rates, &roc.true_positive_rates, &curve.recalls] {
            prop_assert!(rates.is_sorted());
            prop_assert_eq!(rates[0], 0.0);
        }
        prop_assert_eq!((roc.false_positive_rates.last(), roc.true_positive_rates.last()), (Some(&1.0), Some(&1.0)));
        prop_assert_eq!(curve.precisions[0], curve.precisions[1]);
        prop_assert!(curve.precisions.iter().all(|precision| (0.0..=1.0).contains(precision)));
    }

    /// Everything but the spread and its seed is independent of the order of rows in a classification.
    #[test]
    fn order_of_rows_plays_no_part(rows in binary_rows(), shift in 0..300_usize) {
        let values = |rows: &[(u8, u8, f64)]| {
            let scalars = outcome(BOTH, &scored(rows)).metrics.scalars();
            scalars.into_iter().map(|(_, metric)| metric.value).collect::<Vec<_>>()
        };
        let mut turned = rows.clone();
        turned.rotate_left(shift % rows.len());
        prop_assert_eq!(values(&rows), values(&turned));
    }

    #[test]
    fn scores_sort_as_their_bytes(left in any::<f64>(), right in any::<f64>()) {
        let row = |score: f64| ScoredRow { score, is_positive: true, subsamples: 31 };
        prop_assume!(left.is_finite() && right.is_finite());
        prop_assert_eq!(ScoredRow::from_bytes(row(left).to_bytes()), row(left));
        let order = row(right).to_bytes()[..8].cmp(&row(left).to_bytes()[..8]);
        prop_assert_eq!(Some(order), left.partial_cmp(&right));
    }

    /// Any cells: an error or rows, never a panic, and each row is read once.
    #[test]
    fn any_text_is_read(records in vec((".{0,8}", ".{0,8}", "[0-9a-zNI.eE+-]{0,6}"), 0..20)) {
        let records: Vec<Record> = records
            .iter()
            .map(|(prediction, probability, truth)| [text(prediction), text(probability), text(truth)])
            .collect();
        for problem in [Problem::Regression, BOTH, SCORES, Problem::Multiclass] {
            if let Ok((interpreter, rows)) = interpreted(problem, &records) {
                prop_assert_eq!(interpreter.rows_read(), records.len() as u64);
                prop_assert_eq!(interpreter.rows_used() + interpreter.dropped().count, records.len() as u64);
                prop_assert_eq!(interpreter.rows_used(), rows.len() as u64);
                prop_assert_eq!(interpreter.dropped().count > 0, interpreter.dropped().first_reason.is_some());
                let _ = interpreter.notes();
            }
        }
    }

    /// Metrics of a regression by their definitions, from sums in another order.
    #[test]
    fn regression_is_by_definition(rows in vec((-1e3..1e3_f64, -1e3..1e3_f64), 2..200)) {
        let records: Vec<Record> = rows
            .iter()
            .map(|(prediction, truth)| [number(&prediction.to_string()), Value::Missing, number(&truth.to_string())])
            .collect();
        let metrics = outcome(Problem::Regression, &records).regression();
        let count = rows.len() as f64;
        let mean = rows.iter().rev().map(|row| row.1).sum::<f64>() / count;
        let squares: f64 = rows.iter().rev().map(|row| (row.1 - row.0).powi(2)).sum();
        let about_mean: f64 = rows.iter().rev().map(|row| (row.1 - mean).powi(2)).sum();
        let absolute: f64 = rows.iter().rev().map(|row| (row.1 - row.0).abs()).sum();
        let close = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0);
        prop_assert!(close(metrics.mae.value, absolute / count));
        prop_assert!(close(metrics.mse.value, squares / count));
        prop_assert!(close(metrics.rmse.value, (squares / count).sqrt()));
        if about_mean > 1e-6 {
            prop_assert!(close(metrics.r2.value, 1.0 - squares / about_mean));
        }
    }
}

/// Above 100,000 distinct scores every k-th point is kept, and the last one; the area stays exact.
#[test]
fn long_curves_keep_every_kth_point() {
    for (scores, interval) in [(100_000_u64, 1), (100_001, 2), (250_000, 3)] {
        let row =
            |index: u64| ScoredRow { score: -(index as f64), is_positive: index.is_multiple_of(2), subsamples: 0 };
        let mut counts = [(0, 0); 6];
        counts[0] = (scores.div_ceil(2), scores / 2);
        let mut curves = Curves::new(counts, scores);
        (0..scores).map(row).for_each(|row| curves.add(row));
        let measured = curves.finish();
        let kept = (scores - 1) / interval + 1 + u64::from(!(scores - 1).is_multiple_of(interval));
        let rates = &measured.receiver_operating_characteristic.true_positive_rates;
        assert_eq!(rates.len() as u64, kept + 2);
        assert_eq!(measured.precision_recall.recalls.len() as u64, kept + 1);
        // After the first score, and after one more interval.
        let positives = counts[0].0 as f64;
        assert_eq!(rates[1..3], [1.0 / positives, (interval / 2 + 1) as f64 / positives]);
        assert_eq!((measured.precision_recall.recalls.last(), rates[rates.len() - 2]), (Some(&1.0), 1.0));
        // Positive rows come first in each pair: above the diagonal by half a step.
        let negatives = counts[0].1 as f64;
        let exact = (0..counts[0].1).map(|index| (index + 1) as f64 / positives).sum::<f64>() / negatives;
        assert!((measured.auc.value - exact).abs() < 1e-9, "{} {exact}", measured.auc.value);
    }
}
