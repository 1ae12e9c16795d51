//! `watchkeeper ingest`: predictions that were made elsewhere become captures of an endpoint.
//!
//! The service takes a batch whole or not at all, and answers once its captures are durable. Of several batches those
//! before a failure stay captured: the message says how many lines that were.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use watchkeeper_service::api::operators::{EndpointRegistration, EndpointView, IngestionAnswer};

use crate::Ending;
use crate::operators::{Operators, ServiceArguments};
use crate::terminal::count;

/// Bytes of a batch, which may be longer by its last line: the operators' interface takes 10 MiB.
const BATCH: usize = 1 << 20;
/// The longest line that is sent.
const LONGEST_LINE: usize = 9 << 20;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct IngestArguments {
    /// The endpoint.
    #[arg(value_name = "ENDPOINT")]
    endpoint: String,
    /// Files of JSON lines; - is standard input. A line is a captured record, or an object with `input` and `output`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Make the endpoint if there is none, as one whose model is served elsewhere.
    #[arg(long)]
    register: bool,
    /// Where the captures of an endpoint that is made go; the folder `captures` of the default bucket unless given.
    #[arg(long, value_name = "S3-URI", requires = "register")]
    destination: Option<String>,
    #[command(flatten)]
    service: ServiceArguments,
}

/// Lines that are sent together.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    /// Lines of the file before these.
    before: u64,
    /// How many there are.
    count: u64,
}

pub(crate) fn run(arguments: &IngestArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    if arguments.register {
        register(&operators, &arguments.endpoint, arguments.destination.as_deref())?;
    }
    let mut ingested = IngestionAnswer { captured: 0 };
    for file in &arguments.files {
        let result = if file.as_os_str() == "-" {
            ingest(&operators, &arguments.endpoint, &mut stdin().lock(), Path::new("standard input"), &mut ingested)
        } else {
            let opened = File::open(file).with_context(|| file.display().to_string());
            opened.and_then(|opened| {
                ingest(&operators, &arguments.endpoint, &mut BufReader::new(opened), file, &mut ingested)
            })
        };
        if ingested.captured > 0 {
            result.with_context(|| format!("{} records were captured before this", count(ingested.captured)))?;
        } else {
            result?;
        }
    }
    let endpoint = &arguments.endpoint;
    arguments.service.print(&ingested, |ingested| {
        let noun = if ingested.captured == 1 { "record" } else { "records" };
        format!("{} {noun} of {endpoint} captured\n", count(ingested.captured))
    })?;
    Ok(Ending::Fine)
}

/// Makes the endpoint, or finds it.
fn register(operators: &Operators, endpoint: &str, destination: Option<&str>) -> anyhow::Result<()> {
    let request =
        EndpointRegistration { destination: destination.map(str::to_owned), ..EndpointRegistration::default() };
    operators.put::<EndpointView>(&["endpoints", endpoint], &request)?;
    Ok(())
}

fn ingest(
    operators: &Operators,
    endpoint: &str,
    lines: &mut dyn BufRead,
    name: &Path,
    ingested: &mut IngestionAnswer,
) -> anyhow::Result<()> {
    let mut batch = Batch::default();
    loop {
        let mut line = (&mut *lines).take(LONGEST_LINE as u64 + 1);
        let read = line.read_until(b'\n', &mut batch.lines).with_context(|| name.display().to_string())?;
        batch.count += u64::from(read > 0);
        if read > LONGEST_LINE {
            bail!("{}: line {} is longer than {} MiB", name.display(), batch.before + batch.count, LONGEST_LINE >> 20);
        }
        if read > 0 && batch.lines.len() < BATCH {
            continue;
        }
        if !batch.lines.trim_ascii().is_empty() {
            let content = std::mem::take(&mut batch.lines);
            let answer: anyhow::Result<IngestionAnswer> =
                operators.post_lines(&["endpoints", endpoint, "captures"], content);
            let place = || match batch.before {
                0 => name.display().to_string(),
                before => format!("{}, after its first {} lines", name.display(), count(before)),
            };
            ingested.captured += answer.with_context(place)?.captured;
        }
        batch = Batch { before: batch.before + batch.count, ..Batch::default() };
        if read == 0 {
            return Ok(());
        }
    }
}
