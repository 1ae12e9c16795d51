//! Metrics: data of named series.

/// One point of a metric, or a set of statistics of several samples (a single value has `sample_count` 1 and is all of
/// `sum`, `minimum` and `maximum`). A value that is not a number cannot be stored: the commit fails. The sign of a zero is
/// not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// The namespace; stored without a leading slash.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// Names and values, sorted by name.
    pub dimensions: Vec<(String, String)>,
    /// Milliseconds since 1970 in UTC.
    pub time: i64,
    /// The unit, `None` where there is none.
    pub unit: String,
    /// How many samples.
    pub sample_count: f64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
}

/// Which series a list shows. Conditions are joined by AND.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricFilter {
    /// The namespace, with or without a leading slash.
    pub namespace: Option<String>,
    /// The metric's name.
    pub metric: Option<String>,
    /// Dimensions that a series must have, with this value or any; it may have more.
    pub dimensions: Vec<(String, Option<String>)>,
    /// Only series behind this [`MetricSeries::position`].
    pub after: Option<i64>,
    /// The most series; 0: no limit.
    pub limit: usize,
}

/// A series that there are data of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSeries {
    /// Its place among all series.
    pub position: i64,
    /// The namespace, without a leading slash.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// Names and values, sorted by name.
    pub dimensions: Vec<(String, String)>,
}

/// One series and a window of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesQuery {
    /// The namespace, with or without a leading slash.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// All dimensions of the series, in any order.
    pub dimensions: Vec<(String, String)>,
    /// The first millisecond.
    pub start: i64,
    /// The first millisecond behind the window.
    pub end: i64,
    /// Only data of this unit.
    pub unit: Option<String>,
    /// The most data; 0: no limit.
    pub limit: usize,
}
