//! The page for Prometheus: how the service itself does, and the newest values of what is monitored.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use watchkeeper_store::metadata::{Kind, Query};

use super::latest_metrics::LatestMetrics;
use crate::Context;

/// Upper bounds of the classes of durations, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
/// Requests after which what was recorded is added up, so that it takes no memory when nobody asks for the page.
const UPKEEP: u64 = 1024;

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Sets up the recorder of this process; again does nothing.
pub fn install() {
    RECORDER.get_or_init(|| {
        let installed = PrometheusBuilder::new().set_buckets(&SECONDS).and_then(PrometheusBuilder::install_recorder);
        installed.inspect_err(|error| tracing::warn!(%error, "requests are not counted")).ok()
    });
}

/// The most series whose handles a thread keeps.
const MOST_KNOWN: usize = 64;

thread_local! {
    /// What this thread has counted: to find a series by its labels takes longer than to count.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// The series of requests of one kind and outcome.
struct Known {
    service: &'static str,
    operation: String,
    status: u16,
    requests: metrics::Counter,
    seconds: metrics::Histogram,
}

impl Known {
    fn of(service: &'static str, operation: &str, status: u16) -> Self {
        Self {
            service,
            operation: operation.to_owned(),
            status,
            requests: metrics::counter!(
                "watchkeeper_requests_total",
                "service" => service,
                "operation" => operation.to_owned(),
                "status" => status.to_string()
            ),
            seconds: metrics::histogram!("watchkeeper_request_seconds", "service" => service),
        }
    }
}

/// Counts an answered request. The operation is empty where there is none of that name: labels must be few.
pub fn count_request(service: &'static str, operation: &str, status: u16, took: Duration) {
    KNOWN.with_borrow_mut(|known| {
        let place = known
            .iter()
            .position(|known| known.status == status && known.service == service && known.operation == operation);
        let place = place.unwrap_or_else(|| {
            // Names are few; what a client makes up is none.
            if known.len() == MOST_KNOWN {
                known.clear();
            }
            known.push(Known::of(service, operation, status));
            known.len() - 1
        });
        known[place].requests.increment(1);
        known[place].seconds.record(took.as_secs_f64());
    });
    if REQUESTS.fetch_add(1, Ordering::Relaxed) % UPKEEP == UPKEEP - 1
        && let Some(Some(recorder)) = RECORDER.get()
    {
        recorder.run_upkeep();
    }
}

/// The page.
pub async fn page(context: &Context, latest: &LatestMetrics) -> String {
    let mut page = match RECORDER.get() {
        Some(Some(recorder)) => {
            recorder.run_upkeep();
            recorder.render()
        }
        _ => String::new(),
    };
    page.push_str(&latest.page(context.now().as_millisecond()).await);
    if let Some(bytes) = resident_bytes() {
        let _ = writeln!(page, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {bytes}");
    }
    if let Ok(disk) = nix::sys::statvfs::statvfs(&context.configuration.data_dir) {
        let bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
        let _ = writeln!(page, "# TYPE watchkeeper_disk_free_bytes gauge\nwatchkeeper_disk_free_bytes {bytes}");
    }
    for (name, kind, status) in [
        ("watchkeeper_jobs_in_progress", Kind::ProcessingJob, "InProgress"),
        ("watchkeeper_executions_in_progress", Kind::Execution, "InProgress"),
        ("watchkeeper_schedules", Kind::MonitoringSchedule, "Scheduled"),
    ] {
        let query = Query { status: Some(status.to_owned()), ..Query::default() };
        match context.resources.store().count(kind, &query).await {
            Ok(count) => {
                let _ = writeln!(page, "# TYPE {name} gauge\n{name} {count}");
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "{name} cannot be counted"),
        }
    }
    page
}

/// Memory of this process, where the operating system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
