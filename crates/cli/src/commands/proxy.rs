//! `watchkeeper proxy`: captures what passes between clients and a model server of the user's own.
//!
//! Captures go to the service, which then knows the endpoint and watches it, or into a folder. What passes is never held up
//! by either: both are the capture of hosted endpoints, with its bounds and its two modes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use watchkeeper_aws::client::Client;
use watchkeeper_service::api::operators::{CaptureView, EndpointRegistration, EndpointView};
use watchkeeper_service::configuration::{Configuration, Sources};
use watchkeeper_service::hosting::capture::{
    CaptureCounts, CapturePlan, CaptureSink, CaptureWriter, FolderSink, S3Sink,
};
use watchkeeper_service::hosting::front::{Front, serve};
use watchkeeper_service::hosting::model::Upstream;
use watchkeeper_service::server::{DataDirectory, listen};
use watchkeeper_service::telemetry::tracing_setup;

use super::serve::{Signals, block_on};
use crate::operators::Operators;
use crate::terminal::count;
use crate::{Ending, environment, output};

/// How often what was captured and dropped is told to the service.
const METRICS_PERIOD: Duration = Duration::from_secs(10);
/// How long captures may take to be written when the proxy ends.
const LAST_CAPTURES: Duration = Duration::from_secs(20);
/// How long the service may take for what it is told last.
const LAST_METRICS: Duration = Duration::from_secs(5);
/// The namespace of what is told, that of hosted endpoints.
const METRICS_NAMESPACE: &str = "Watchkeeper/DataCapture";
/// The variant that captures in a folder are of, as the service and the Python SDK name it.
const VARIANT: &str = "AllTraffic";

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct ProxyArguments {
    /// The model server, http://ADDR:PORT.
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// The endpoint that what passes is captured for; it is made in the service if it is not there.
    #[arg(long, value_name = "NAME")]
    endpoint: String,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8471")]
    listen: SocketAddr,
    /// A path whose POSTs are captured; may be repeated. All are unless given.
    #[arg(long, value_name = "/PATH")]
    path: Vec<String>,
    /// The folder of the service; the platform's data folder unless given.
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    data_dir: Option<PathBuf>,
    /// Folder for the captures, in place of a service.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Where captures go.
struct Target {
    plan: CapturePlan,
    sink: Arc<dyn CaptureSink>,
    /// The folder of the journals of the durable mode.
    journals: PathBuf,
    /// What is told about captures.
    service: Option<Client>,
    /// The same for people.
    shown: String,
}

pub(crate) fn run(arguments: &ProxyArguments) -> anyhow::Result<Ending> {
    let upstream = Upstream::new(&arguments.upstream).map_err(|reason| anyhow::anyhow!("--upstream: {reason}"))?;
    if let Some(path) = arguments.path.iter().find(|path| !path.starts_with('/')) {
        anyhow::bail!("--path: `{path}` does not begin with a slash");
    }
    let configuration = configuration(arguments)?;
    tracing_setup::start(&configuration.log)?;
    // Before an endpoint is made for what could not be listened to.
    let listener = listen(arguments.listen).with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let target = match &arguments.output {
        Some(folder) => Target::folder(&arguments.endpoint, folder)?,
        None => Target::service(&arguments.endpoint, arguments.data_dir.as_deref())?,
    };
    block_on(pass(arguments, upstream, configuration, target, listener))
}

/// The settings of capture and log, from variables and the file that they name.
fn configuration(arguments: &ProxyArguments) -> anyhow::Result<Configuration> {
    let mut flags = Vec::new();
    // The service keeps nothing here, but has to have a folder.
    if let Some(folder) = arguments.output.as_ref().or(arguments.data_dir.as_ref()) {
        let text = folder.to_str().with_context(|| format!("the path {} is not UTF-8", folder.display()))?;
        flags.push(("data_dir", text.to_owned()));
    }
    Ok(Configuration::load(&Sources { flags, file: None, variables: environment() })?.configuration)
}

impl Target {
    fn folder(endpoint: &str, folder: &Path) -> anyhow::Result<Self> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        };
        ensure!(is_name(endpoint), "--endpoint: a name takes letters, digits and hyphens, not `{endpoint}`");
        watchkeeper_analyzer::output::check_folder(folder)?;
        let plan = CapturePlan {
            endpoint: endpoint.to_owned(),
            variant: VARIANT.to_owned(),
            destination: String::new(),
            sampling_percentage: 100,
            input: true,
            output: true,
            csv_content_types: vec!["text/csv".to_owned()],
            json_content_types: vec!["application/json".to_owned(), "application/jsonlines".to_owned()],
            kms_key_id: None,
        };
        Ok(Self {
            plan,
            sink: Arc::new(FolderSink::new(folder)),
            journals: folder.join(".journals").join(endpoint),
            service: None,
            shown: folder.display().to_string(),
        })
    }

    fn service(endpoint: &str, data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let directory = DataDirectory::of(data_dir)?;
        let operators = Operators::open(data_dir)?;
        let view: EndpointView = operators.put(&["endpoints", endpoint], &EndpointRegistration::default())?;
        let capture =
            view.capture.with_context(|| format!("capture is switched off for the endpoint {}", view.name))?;
        let shown = format!("{}/{}", capture.destination, capture.endpoint);
        // A client of its own: connections belong to the runtime that made them.
        let service = directory.service()?;
        let client = Client::new(&service.endpoint_url, directory.credentials()?, &service.region)?;
        Ok(Self {
            plan: plan_of(capture),
            sink: Arc::new(S3Sink::new(client.clone())),
            journals: directory.path().join("proxies").join(&view.name),
            service: Some(client),
            shown,
        })
    }
}

fn plan_of(view: CaptureView) -> CapturePlan {
    CapturePlan {
        endpoint: view.endpoint,
        variant: view.variant,
        destination: view.destination,
        sampling_percentage: view.sampling_percentage,
        input: view.input,
        output: view.output,
        csv_content_types: view.csv_content_types,
        json_content_types: view.json_content_types,
        kms_key_id: view.kms_key_id,
    }
}

async fn pass(
    arguments: &ProxyArguments,
    upstream: Upstream,
    configuration: Configuration,
    target: Target,
    listener: std::net::TcpListener,
) -> anyhow::Result<Ending> {
    let mut signals = Signals::new().context("signals cannot be waited for")?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let writer = CaptureWriter::start(configuration.capture, target.journals.clone(), target.sink)
        .with_context(|| format!("the journals in {}", target.journals.display()))?;
    output::print(&format!(
        "Watchkeeper passes http://{address} on to {}\nand captures for the endpoint {} to {}\n",
        upstream.address(),
        target.plan.endpoint,
        target.shown
    ))?;
    let front = Front {
        upstream,
        endpoint: target.plan.endpoint.clone(),
        paths: arguments.path.clone(),
        capture: writer.stream(target.plan),
    };
    let (stop, stops) = watch::channel(false);
    let mut server = tokio::spawn(serve(listener, front, stops));
    let mut counted = Counted { service: target.service, ..Counted::default() };
    let told = async {
        loop {
            tokio::time::sleep(METRICS_PERIOD).await;
            counted.take(&writer).await;
        }
    };
    let has_failed = tokio::select! {
        () = told => false,
        () = signals.next() => false,
        // Only a panic ends it here: what was captured is no less worth for that.
        _ = &mut server => true,
    };
    stop.send_replace(true);
    let ended = async {
        if !has_failed {
            let _ = server.await;
        }
        let is_written = tokio::time::timeout(LAST_CAPTURES, writer.shutdown()).await.is_ok();
        if tokio::time::timeout(LAST_METRICS, counted.take(&writer)).await.is_err() {
            tracing::warn!("the service does not take the metrics of captures in time");
        }
        is_written
    };
    let is_written = tokio::select! {
        is_written = ended => is_written,
        () = signals.next() => anyhow::bail!("ended at once by a second signal"),
    };
    output::print(&format!("{} captured, {} dropped\n", count(counted.captured), count(counted.dropped)))?;
    ensure!(is_written, "what was captured last could not be written in {} seconds", LAST_CAPTURES.as_secs());
    ensure!(!has_failed, "the proxy failed: its log says why");
    Ok(Ending::Fine)
}

/// What has become of all captures.
#[derive(Default)]
struct Counted {
    captured: u64,
    dropped: u64,
    service: Option<Client>,
    /// What the service was not told yet.
    untold: Vec<CaptureCounts>,
}

impl Counted {
    /// Takes what is new, and tells the service; what it does not take, it is told again the next time.
    async fn take(&mut self, writer: &CaptureWriter) {
        for counts in writer.take_counts() {
            self.captured += counts.captured;
            self.dropped += counts.dropped;
            let is_same = |untold: &&mut CaptureCounts| {
                (&untold.endpoint, &untold.variant) == (&counts.endpoint, &counts.variant)
            };
            match self.untold.iter_mut().find(is_same) {
                Some(untold) => {
                    untold.captured += counts.captured;
                    untold.dropped += counts.dropped;
                }
                None => self.untold.push(counts),
            }
        }
        let Some(service) = &self.service else { return };
        while let Some(counts) = self.untold.last() {
            let input = json!({"Namespace": METRICS_NAMESPACE, "MetricData": metrics(counts)});
            if let Err(error) = service.call("GraniteServiceVersion20100801", "PutMetricData", &input).await {
                tracing::warn!(%error, "the service does not take the metrics of captures, and is told them again");
                return;
            }
            self.untold.pop();
        }
    }
}

fn metrics(counts: &CaptureCounts) -> Vec<Value> {
    let dimensions = json!([
        {"Name": "EndpointName", "Value": counts.endpoint},
        {"Name": "VariantName", "Value": counts.variant},
    ]);
    [("CapturedRecords", counts.captured), ("DroppedRecords", counts.dropped)]
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(name, number)| json!({"MetricName": name, "Dimensions": dimensions, "Value": number, "Unit": "Count"}))
        .collect()
}
