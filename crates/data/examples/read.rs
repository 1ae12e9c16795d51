//! Reads a dataset and does nothing with it: what reading costs by itself. `bench/run.py` runs it beside other readers.
//!
//! `cargo run --release -p watchkeeper-data --example read -- '{"sagemakerCaptureJson": {}}' FOLDER`

use watchkeeper_data::{Reading, list, open};
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::DatasetFormat;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(format), Some(source)) = (arguments.next(), arguments.next()) else {
        return Err("say a dataset_format and a file or folder".into());
    };
    let reading = Reading::of(DatasetFormat::parse(&format)?);
    let mut source = open(list(source.as_ref())?, &reading, None);
    let mut batch = Batch::default();
    let (mut rows, mut values) = (0, 0);
    while source.fill(&mut batch)? {
        rows += batch.rows;
        values += batch.cells.iter().filter(|cell| !cell.is_missing()).count();
    }
    println!("{rows} rows, {values} values");
    Ok(())
}
