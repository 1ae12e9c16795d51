//! Models that are asked for predictions: over real sockets and with real processes.

mod answers;
mod asking;
mod command;
mod endpoint;
mod https;
mod lanes;
mod requests;
mod server;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use watchkeeper_analyzer::predictor::{Answers, Model, ModelPlace, PredictorError, Records};
use watchkeeper_analyzer::{Level, Observer};
use watchkeeper_engine::prediction::{Answer, Item, Scalar};
use watchkeeper_engine::table::{Column, ColumnBuilder, Table};
use watchkeeper_formats::clarify::{DatasetType, PredictorConfig, Template};

use self::server::Server;

/// Keeps the log; can be told to stop.
#[derive(Default)]
struct Watcher {
    lines: Mutex<Vec<(Level, String)>>,
    stopped: AtomicBool,
}

impl Observer for Watcher {
    fn log(&self, level: Level, line: &str) {
        self.lines.lock().unwrap().push((level, line.to_owned()));
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

impl Watcher {
    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    fn log_text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }
}

fn open(config: &PredictorConfig, place: &ModelPlace, features: &[&str]) -> Result<Model, PredictorError> {
    let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
    Model::open(config, place, DatasetType::Csv, &features, None, &Watcher::default())
}

/// A model of CSV behind a server.
fn csv_model(server: &Server) -> Model {
    open(&PredictorConfig::default(), &ModelPlace::Url(server.url()), &["x"]).unwrap()
}

fn json_lines(content_template: &str) -> PredictorConfig {
    PredictorConfig {
        content_type: Some("application/jsonlines".to_owned()),
        content_template: Some(Template(content_template.to_owned())),
        ..PredictorConfig::default()
    }
}

fn json(content_template: &str, record_template: &str) -> PredictorConfig {
    PredictorConfig {
        content_type: Some("application/json".to_owned()),
        content_template: Some(Template(content_template.to_owned())),
        record_template: Some(Template(record_template.to_owned())),
        ..PredictorConfig::default()
    }
}

/// The column of a CSV file.
fn csv_column(name: &str, cells: &[&str]) -> Column {
    let mut builder = ColumnBuilder::new(true);
    for cell in cells {
        builder.push_csv(cell);
    }
    builder.finish(name.to_owned())
}

fn table(columns: Vec<Column>) -> Table {
    let rows = columns.first().map_or(0, Column::len);
    Table { columns, rows }
}

/// Records of one cell each.
fn records_of(cells: impl IntoIterator<Item = String>) -> Records {
    let mut records = Records::default();
    cells.into_iter().for_each(|cell| records.push(std::iter::once(cell.as_bytes())));
    records
}

/// Records 0, 1, 2, ….
fn numbered(count: usize) -> Records {
    records_of((0..count).map(|number| number.to_string()))
}

fn ask(model: &Model, records: &Records) -> Result<Answers, PredictorError> {
    model.ask(records, &Watcher::default())
}

/// The one number at the probability of each answer.
fn scores(answers: &Answers) -> Vec<f64> {
    let score = |answer: &Option<Answer>| match answer.as_ref().unwrap().probability.as_ref().unwrap() {
        Item::One(Scalar::Number { value, .. }) => *value,
        other => panic!("no number: {other:?}"),
    };
    answers.answers.iter().map(score).collect()
}

/// Twice what each line says.
fn doubled(body: &str) -> String {
    let lines = body.split('\n').map(|line| (line.parse::<f64>().unwrap() * 2.0).to_string());
    lines.collect::<Vec<_>>().join("\n")
}
