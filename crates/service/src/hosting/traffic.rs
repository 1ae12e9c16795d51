//! What is counted of the requests to a variant, and published as `CloudWatch` metrics.
//!
//! Names, units and meanings are those of AWS's reference "Metrics for monitoring Amazon SageMaker AI with Amazon
//! CloudWatch": every request is one sample of each of the six metrics, so that averages of the error counts are rates. What was
//! dropped and captured is published beside them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use watchkeeper_store::metadata::Datum;

use super::Hosting;
use super::capture::CaptureCounts;
use crate::resources::Transaction;

/// The namespace of what AWS counts, too.
const NAMESPACE: &str = "AWS/SageMaker";
/// The namespace of what is counted of captures.
const CAPTURE_NAMESPACE: &str = "Watchkeeper/DataCapture";
/// The time between two publications.
const PERIOD: Duration = Duration::from_secs(10);
/// The most data that are kept while the store takes none.
const MOST_UNPUBLISHED: usize = 10_000;

/// The requests of one generation of a variant: each that is under way holds this until it is over, its answer's stream
/// too. What is counted is counted for the variant, across its generations.
#[derive(Debug)]
pub struct Traffic {
    figures: Arc<Mutex<Figures>>,
}

/// How the model took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, with this status.
    Answered(u16),
    /// It gave no answer: nobody was there, it took too long, it spoke no HTTP.
    Unanswered,
}

/// What was counted since the last publication.
#[derive(Clone, Debug, Default, PartialEq)]
struct Figures {
    client_errors: Samples,
    server_errors: Samples,
    model_errors: Samples,
    model_latency: Samples,
    overhead_latency: Samples,
}

/// A statistic set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Samples {
    count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl Samples {
    fn add(&mut self, value: f64) {
        self.minimum = if self.count == 0.0 { value } else { self.minimum.min(value) };
        self.maximum = if self.count == 0.0 { value } else { self.maximum.max(value) };
        self.count += 1.0;
        self.sum += value;
    }
}

impl Traffic {
    /// Counts a request: how the model took it, how long that took, and how long everything else did.
    pub fn count(&self, outcome: Outcome, model: Duration, overhead: Duration) {
        let status = match outcome {
            Outcome::Answered(status) => status,
            Outcome::Unanswered => 0,
        };
        let flag = |is_so: bool| f64::from(u8::from(is_so));
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.client_errors.add(flag((400..500).contains(&status)));
        figures.server_errors.add(flag((500..600).contains(&status)));
        figures.model_errors.add(flag(!(200..300).contains(&status)));
        figures.model_latency.add(model.as_micros() as f64);
        figures.overhead_latency.add(overhead.as_micros() as f64);
    }
}

/// The figures of all variants of a process.
#[derive(Debug, Default)]
pub struct TrafficBook {
    entries: Mutex<Vec<Entry>>,
    /// What the store did not take.
    unpublished: Mutex<Vec<Datum>>,
}

#[derive(Debug)]
struct Entry {
    endpoint: String,
    variant: String,
    figures: Arc<Mutex<Figures>>,
}

impl TrafficBook {
    /// What a new generation of a variant counts with: into the same figures for as long as any generation is there.
    pub fn traffic(&self, endpoint: &str, variant: &str) -> Arc<Traffic> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().find(|entry| entry.endpoint == endpoint && entry.variant == variant);
        let figures = if let Some(entry) = known {
            Arc::clone(&entry.figures)
        } else {
            let figures = Arc::default();
            let (endpoint, variant) = (endpoint.to_owned(), variant.to_owned());
            entries.push(Entry { endpoint, variant, figures: Arc::clone(&figures) });
            figures
        };
        Arc::new(Traffic { figures })
    }

    /// What was counted since this was asked last, as data of a moment.
    fn take(&self, now: i64) -> Vec<Datum> {
        let mut data = std::mem::take(&mut *self.unpublished.lock().unwrap_or_else(PoisonError::into_inner));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| {
            // Who holds it can count once more, so this is looked at first.
            let is_held = Arc::strong_count(&entry.figures) > 1;
            let figures = std::mem::take(&mut *entry.figures.lock().unwrap_or_else(PoisonError::into_inner));
            if figures.model_errors.count > 0.0 {
                data.extend(figures.data(&dimensions(&entry.endpoint, &entry.variant), now));
            }
            is_held
        });
        data
    }

    /// Keeps what the store did not take for the next time, the latest of it where it is too much.
    fn keep(&self, mut data: Vec<Datum>) {
        let surplus = data.len().saturating_sub(MOST_UNPUBLISHED);
        data.drain(..surplus);
        *self.unpublished.lock().unwrap_or_else(PoisonError::into_inner) = data;
    }
}

impl Figures {
    fn data(&self, dimensions: &[(String, String)], now: i64) -> [Datum; 6] {
        let count = self.model_errors.count;
        let invocations = Samples { count, sum: count, minimum: 1.0, maximum: 1.0 };
        [
            ("Invocations", invocations, "None"),
            ("Invocation4XXErrors", self.client_errors, "None"),
            ("Invocation5XXErrors", self.server_errors, "None"),
            ("InvocationModelErrors", self.model_errors, "None"),
            ("ModelLatency", self.model_latency, "Microseconds"),
            ("OverheadLatency", self.overhead_latency, "Microseconds"),
        ]
        .map(|(metric, samples, unit)| datum(NAMESPACE, metric, samples, unit, dimensions, now))
    }
}

fn datum(
    namespace: &str,
    metric: &str,
    samples: Samples,
    unit: &str,
    dimensions: &[(String, String)],
    now: i64,
) -> Datum {
    Datum {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions: dimensions.to_vec(),
        time: now,
        unit: unit.to_owned(),
        sample_count: samples.count,
        sum: samples.sum,
        minimum: samples.minimum,
        maximum: samples.maximum,
    }
}

/// Sorted by name, as the store wants them.
fn dimensions(endpoint: &str, variant: &str) -> [(String, String); 2] {
    [("EndpointName".to_owned(), endpoint.to_owned()), ("VariantName".to_owned(), variant.to_owned())]
}

fn capture_data(counts: &CaptureCounts, now: i64) -> Vec<Datum> {
    let dimensions = dimensions(&counts.endpoint, &counts.variant);
    [("CapturedRecords", counts.captured), ("DroppedRecords", counts.dropped)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(metric, count)| {
            let sum = count as f64;
            let samples = Samples { count: sum, sum, minimum: 1.0, maximum: 1.0 };
            datum(CAPTURE_NAMESPACE, metric, samples, "Count", &dimensions, now)
        })
        .collect()
}

/// Publishes what was counted, every ten seconds and once more when the service stops.
pub async fn run(hosting: Arc<Hosting>) {
    let mut stopping = hosting.context.stopping.clone();
    loop {
        let is_over = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => true,
            () = tokio::time::sleep(PERIOD) => false,
        };
        publish(&hosting).await;
        if is_over {
            return;
        }
    }
}

/// Publishes what was counted since this was called last. What the store does not take is published with what follows.
pub(super) async fn publish(hosting: &Hosting) {
    let now = hosting.context.now().as_millisecond();
    let book = hosting.invocations.book();
    let mut data = book.take(now);
    data.extend(hosting.capture.take_counts().iter().flat_map(|counts| capture_data(counts, now)));
    if data.is_empty() {
        return;
    }
    if let Err(error) = hosting.context.resources.commit(Transaction::new().metrics(data.clone())).await {
        tracing::warn!(%error, "what was counted of endpoints' requests could not be stored, and is tried again");
        book.keep(data);
    }
}
