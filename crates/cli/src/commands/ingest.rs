//! `watchkeeper ingest`: predictions that were made elsewhere become captures of an endpoint.
//!
//! Of several batches those before a failure stay captured: the message says how many lines that were.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use watchkeeper_service::api::operators::{EndpointRegistration, EndpointView, IngestionAnswer};

use crate::Ending;
use crate::batches::send_lines;
use crate::operators::{Operators, ServiceArguments};
use crate::terminal::{count, counted};

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

pub(crate) fn run(arguments: &IngestArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    if arguments.register {
        register(&operators, &arguments.endpoint, arguments.destination.as_deref())?;
    }
    let mut ingested = IngestionAnswer { captured: 0 };
    for file in &arguments.files {
        let as_it_is = |_, line: &[u8], batch: &mut Vec<u8>| {
            batch.extend_from_slice(line);
            Ok(())
        };
        let result = send_lines(file, LONGEST_LINE, as_it_is, |lines| {
            let path = ["endpoints", &arguments.endpoint, "captures"];
            ingested.captured += operators.post_lines::<IngestionAnswer>(&path, lines)?.captured;
            Ok(())
        });
        if ingested.captured > 0 {
            result.with_context(|| format!("{} records were captured before this", count(ingested.captured)))?;
        } else {
            result?;
        }
    }
    let endpoint = &arguments.endpoint;
    arguments
        .service
        .print(&ingested, |ingested| format!("{} of {endpoint} captured\n", counted(ingested.captured, "record")))?;
    Ok(Ending::Fine)
}

/// Makes the endpoint, or finds it.
fn register(operators: &Operators, endpoint: &str, destination: Option<&str>) -> anyhow::Result<()> {
    let request =
        EndpointRegistration { destination: destination.map(str::to_owned), ..EndpointRegistration::default() };
    operators.put::<EndpointView>(&["endpoints", endpoint], &request)?;
    Ok(())
}
