//! Statistics of a series over periods. Pure.

use watchkeeper_store::metadata::Datum;

/// A statistic of the samples in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// Of the whole, from 0 to 100.
    Percentile(f64),
}

impl Statistic {
    /// Reads `Average`, `p90`, `p99.9`.
    pub(super) fn read(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            percentile => {
                let digits = percentile.strip_prefix('p')?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && digits.len() <= 16;
                let share: f64 = plain.then(|| digits.parse().ok()).flatten()?;
                (0.0..=100.0).contains(&share).then_some(Self::Percentile(share))?
            }
        })
    }

    /// Its value over some data; None where there is none: of nothing, and a percentile of sets whose samples are not
    /// known.
    pub(super) fn of(self, data: &[&Datum]) -> Option<f64> {
        let count: f64 = data.iter().map(|datum| datum.sample_count).sum();
        if data.is_empty() || count <= 0.0 {
            return None;
        }
        let sum: f64 = data.iter().map(|datum| datum.sum).sum();
        let value = match self {
            Self::SampleCount => count,
            Self::Average => sum / count,
            Self::Sum => sum,
            Self::Minimum => data.iter().map(|datum| datum.minimum).fold(f64::INFINITY, f64::min),
            Self::Maximum => data.iter().map(|datum| datum.maximum).fold(f64::NEG_INFINITY, f64::max),
            Self::Percentile(share) => return percentile(data, share, count),
        };
        Some(value)
    }
}

/// The smallest value that at least this share of the samples does not exceed.
fn percentile(data: &[&Datum], share: f64, count: f64) -> Option<f64> {
    if data.iter().any(|datum| datum.minimum != datum.maximum) {
        return None;
    }
    let mut samples: Vec<(f64, f64)> = data.iter().map(|datum| (datum.minimum, datum.sample_count)).collect();
    samples.sort_by(|left, right| left.0.total_cmp(&right.0));
    let needed = share / 100.0 * count;
    let mut seen = 0.0;
    for (value, weight) in &samples {
        seen += weight;
        if seen >= needed {
            return Some(*value);
        }
    }
    samples.last().map(|(value, _)| *value)
}

/// Periods of equal length, one after the other. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Periods {
    /// Where the first begins.
    pub(super) start: i64,
    /// Where the last one ends at the latest: data at or behind it do not count.
    pub(super) end: i64,
    /// Never 0.
    pub(super) length: i64,
}

impl Periods {
    /// Periods that begin at the minute of `start`, as `GetMetricStatistics` has them (at a multiple of the length when
    /// that is shorter than a minute).
    pub(super) fn from_minute(start: i64, end: i64, length: i64) -> Self {
        Self { start: floor(start, length.min(60_000)), end, length }
    }

    /// Periods that begin at multiples of their length, as `GetMetricData` has them.
    pub(super) fn aligned(start: i64, end: i64, length: i64) -> Self {
        Self { start: floor(start, length), end, length }
    }

    /// How many there are.
    pub(super) fn count(self) -> i64 {
        (self.end - self.start).max(0).div_euclid(self.length)
            + i64::from((self.end - self.start).max(0) % self.length > 0)
    }

    /// The data of each period that has any, with the period's beginning, in the order of time; `data` are in it.
    pub(super) fn divide(self, data: &[Datum]) -> Vec<(i64, Vec<&Datum>)> {
        let mut divided: Vec<(i64, Vec<&Datum>)> = Vec::new();
        for datum in data.iter().filter(|datum| (self.start..self.end).contains(&datum.time)) {
            let beginning = self.start + floor(datum.time - self.start, self.length);
            match divided.last_mut() {
                Some((last, data)) if *last == beginning => data.push(datum),
                _ => divided.push((beginning, vec![datum])),
            }
        }
        divided
    }

    /// A statistic for each period that has one.
    pub(super) fn series(self, data: &[Datum], statistic: Statistic) -> Vec<(i64, f64)> {
        let value = |(beginning, data): (i64, Vec<&Datum>)| Some((beginning, statistic.of(&data)?));
        self.divide(data).into_iter().filter_map(value).collect()
    }
}

fn floor(value: i64, multiple: i64) -> i64 {
    value.div_euclid(multiple) * multiple
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datum(time: i64, values: &[f64]) -> Datum {
        Datum {
            namespace: "n".to_owned(),
            metric: "m".to_owned(),
            dimensions: Vec::new(),
            time,
            unit: "None".to_owned(),
            sample_count: values.len() as f64,
            sum: values.iter().sum(),
            minimum: values.iter().copied().fold(f64::INFINITY, f64::min),
            maximum: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    #[test]
    fn statistics_of_samples() {
        let data = [datum(0, &[4.0]), datum(1, &[1.0, 2.0, 5.0])];
        let data: Vec<&Datum> = data.iter().collect();
        for (name, value) in [
            ("SampleCount", Some(4.0)),
            ("Average", Some(3.0)),
            ("Sum", Some(12.0)),
            ("Minimum", Some(1.0)),
            ("Maximum", Some(5.0)),
            // The samples of a set are not known.
            ("p50", None),
        ] {
            assert_eq!(Statistic::read(name).and_then(|statistic| statistic.of(&data)), value, "{name}");
            assert_eq!(Statistic::read(name).and_then(|statistic| statistic.of(&[])), None, "{name}");
        }
        for name in ["", "average", "p", "p101", "p-1", "pNaN", "p1e1", "tm90", "p1.2.3"] {
            assert_eq!(Statistic::read(name), None, "{name}");
        }
    }

    /// The nearest-rank percentiles of 15, 20, 35, 40, 50, the textbook's example.
    #[test]
    fn percentiles_by_nearest_rank() {
        let data: Vec<Datum> = [50.0, 15.0, 40.0, 20.0, 35.0].iter().map(|value| datum(0, &[*value])).collect();
        let data: Vec<&Datum> = data.iter().collect();
        for (share, value) in [(5.0, 15.0), (30.0, 20.0), (40.0, 20.0), (50.0, 35.0), (100.0, 50.0), (0.0, 15.0)] {
            assert_eq!(Statistic::Percentile(share).of(&data), Some(value), "{share}");
        }
        let weighted = [Datum { sample_count: 9.0, sum: 9.0, ..datum(0, &[1.0]) }, datum(0, &[7.0])];
        let weighted: Vec<&Datum> = weighted.iter().collect();
        assert_eq!(Statistic::read("p90").and_then(|statistic| statistic.of(&weighted)), Some(1.0));
        assert_eq!(Statistic::read("p91").and_then(|statistic| statistic.of(&weighted)), Some(7.0));
    }

    #[test]
    fn periods_begin_where_the_operation_has_them() {
        let hour = 3_600_000;
        let minute = 60_000;
        let start = 10 * hour + 18 * minute + 30_000;
        assert_eq!(Periods::from_minute(start, start + hour, hour).start, 10 * hour + 18 * minute);
        assert_eq!(Periods::from_minute(start, start + hour, 10_000).start, start);
        assert_eq!(Periods::aligned(start, start + hour, hour).start, 10 * hour);
        assert_eq!(Periods::aligned(start, start + hour, hour).count(), 2);
        assert_eq!(Periods::aligned(10 * hour, 12 * hour, hour).count(), 2);
        assert_eq!(Periods::aligned(10 * hour, 9 * hour, hour).count(), 0);
    }

    #[test]
    fn data_fall_into_their_periods() {
        let data: Vec<Datum> = [99, 100, 149, 150, 250, 299, 300].iter().map(|time| datum(*time, &[1.0])).collect();
        let periods = Periods { start: 100, end: 300, length: 50 };
        assert_eq!(periods.series(&data, Statistic::Sum), [(100, 2.0), (150, 1.0), (250, 2.0)]);
        assert_eq!(periods.count(), 4);
    }
}
