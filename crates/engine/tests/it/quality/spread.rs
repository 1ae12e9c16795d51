//! Subsamples and the standard deviations over them (section 3.1).

use watchkeeper_engine::quality::{Problem, SUBSAMPLES, Subsamples};

use super::{BOTH, Record, outcome, pairs, scored};

/// Rows with a bit of everything, from a fixed congruence.
fn rows(count: u64) -> Vec<(u8, u8, f64)> {
    (0..count)
        .map(|index| {
            let score = (index * 7919 % 1009) as f64 / 1009.0;
            (u8::from(score > 0.4), u8::from(index * 104_729 % 1013 < 500), score)
        })
        .collect()
}

#[test]
fn two_hundred_rows_have_a_spread_and_fewer_have_none() {
    for (count, has_spread) in [(199, false), (200, true), (201, true)] {
        let metrics = outcome(BOTH, &scored(&rows(count))).metrics;
        assert_eq!(metrics.scalars().len(), 17);
        for (name, metric) in metrics.scalars() {
            assert_eq!(metric.standard_deviation.is_finite(), has_spread, "{name} of {count} rows");
        }
    }
}

#[test]
fn every_subsample_is_four_fifths_of_the_rows() {
    for rows in [200_u64, 201, 204, 1009] {
        let mut subsamples = Subsamples::new(rows, 7);
        let mut sizes = [0; SUBSAMPLES];
        let mut draws = Vec::new();
        for _ in 0..rows {
            let drawn = subsamples.draw();
            draws.push(drawn);
            for (index, size) in sizes.iter_mut().enumerate() {
                *size += u64::from(drawn >> index & 1);
            }
        }
        assert_eq!(sizes, [rows * 4 / 5; SUBSAMPLES]);
        assert!(draws.iter().any(|drawn| drawn.count_ones() == 3), "subsamples are drawn one by one");
    }
    let mut none = Subsamples::new(199, 7);
    assert!((0..199).all(|_| none.draw() == 0));
}

/// Every row is as likely as any other: of 2,000 seeds each row is in 80 % of the samples, within five standard deviations.
#[test]
fn rows_are_drawn_alike() {
    const ROWS: usize = 250;
    const SEEDS: u64 = 2000;
    let mut hits = [0_u64; ROWS];
    for seed in 0..SEEDS {
        let mut subsamples = Subsamples::new(ROWS as u64, seed);
        for hits in &mut hits {
            *hits += u64::from(subsamples.draw().count_ones());
        }
    }
    let draws = (SEEDS * SUBSAMPLES as u64) as f64;
    let deviation = (draws * 0.8 * 0.2).sqrt();
    for (row, hits) in hits.into_iter().enumerate() {
        assert!((hits as f64 - draws * 0.8).abs() < 5.0 * deviation, "row {row}: {hits}");
    }
}

#[test]
fn the_same_rows_have_the_same_spread_and_others_another() {
    let records = scored(&rows(300));
    assert_eq!(outcome(BOTH, &records).metrics, outcome(BOTH, &records).metrics);
    let seed = |records: &[Record]| outcome(BOTH, records).interpreter.seed();
    assert_ne!(seed(&records), seed(&records[1..]));
}

/// A metric that is the same in every subsample has no spread, and one that some subsample does not have has none to give.
#[test]
fn constant_and_undefined_metrics() {
    let right = pairs(&[("1", "1"); 250]);
    let metrics = outcome(Problem::Regression, &right).regression();
    assert_eq!((metrics.mae.standard_deviation, metrics.r2.standard_deviation), (0.0, 0.0));
    // The one row that differs is missing in some subsample, whose true values are then all the same.
    let mut records = pairs(&[("1", "2"); 250]);
    records[17] = pairs(&[("1", "3")])[0].clone();
    let mut tried = 0;
    let undefined = (0..30).any(|length| {
        tried += 1;
        let metrics = outcome(Problem::Regression, &records[..220 + length]).regression();
        assert!(metrics.r2.value.is_finite());
        metrics.r2.standard_deviation.is_nan()
    });
    assert!(undefined, "{tried} tries");
}

/// The spread of a share: close to that of draws without replacement, sqrt(p(1-p)/n * (N-n)/(N-1)).
#[test]
fn spread_of_accuracy_is_of_the_right_size() {
    let mut ratios = Vec::new();
    for length in 0..40 {
        let count = 1000 + length;
        let metrics = outcome(BOTH, &scored(&rows(count))).binary();
        let share = metrics.accuracy.value;
        let size = (count * 4 / 5) as f64;
        let population = count as f64;
        let expected = (share * (1.0 - share) / size * (population - size) / (population - 1.0)).sqrt();
        ratios.push(metrics.accuracy.standard_deviation / expected);
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((0.85..1.1).contains(&mean), "{mean}");
}
