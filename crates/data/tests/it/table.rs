//! Reads a dataset whole, checks what a source promises on the way, and gives it as a table.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use watchkeeper_data::{DatasetFile, Error, Preprocess, Reading, Source, list, open};
use watchkeeper_engine::column::{Batch, CellKind};
use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};

/// A value as a fold sees it.
pub type Value = Option<(CellKind, String)>;

/// A dataset, its columns in dataset order.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub names: Vec<String>,
    pub has_own_names: bool,
    pub rows: Vec<Vec<Value>>,
    pub notes: Vec<String>,
    /// The split of each row.
    pub splits: Vec<u32>,
}

impl Table {
    /// The values without their kinds, the empty text standing for a missing one: no cell is empty.
    pub fn texts<'a>(&'a self) -> Vec<Vec<&'a str>> {
        let text = |value: &'a Value| value.as_ref().map_or("", |(_, text)| text.as_str());
        self.rows.iter().map(|row| row.iter().map(text).collect()).collect()
    }
}

pub fn text(value: &str) -> Value {
    Some((CellKind::Text, value.to_owned()))
}

pub fn number(value: &str) -> Value {
    Some((CellKind::Number, value.to_owned()))
}

pub fn boolean(value: bool) -> Value {
    Some((CellKind::Boolean, value.to_string()))
}

pub fn csv(header: bool) -> Reading {
    Reading::of(DatasetFormat::Csv { header, output_columns_position: OutputColumnsPosition::default() })
}

pub fn json_lines() -> Reading {
    Reading::of(DatasetFormat::Json { lines: true })
}

pub fn json_document() -> Reading {
    Reading::of(DatasetFormat::Json { lines: false })
}

pub fn capture() -> Reading {
    Reading::of(DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: None })
}

/// A folder that is removed at the end of the test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with one file.
    pub fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, content);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, reading: &Reading) -> Result<Table, Error> {
        read(list(self.path()).unwrap(), reading, None)
    }

    /// The message that reading ends with, paths shown from the folder on.
    pub fn message(&self, reading: &Reading) -> String {
        let error = self.read(reading).expect_err("the dataset should have been refused");
        self.without_folder(&error.to_string())
    }

    pub fn without_folder(&self, message: &str) -> String {
        message.replace(&format!("{}/", self.path().display()), "")
    }
}

/// One file's table.
pub fn read_text(content: impl AsRef<[u8]>, reading: &Reading) -> Table {
    Folder::with("data", content).read(reading).unwrap()
}

/// One file's message.
pub fn refused(content: impl AsRef<[u8]>, reading: &Reading) -> String {
    Folder::with("data", content).message(reading)
}

pub fn read<'a>(
    files: Vec<DatasetFile>,
    reading: &Reading,
    preprocessor: Option<&'a mut (dyn Preprocess + 'a)>,
) -> Result<Table, Error> {
    let mut source = match preprocessor {
        Some(preprocessor) => open(files, reading, Some(preprocessor)),
        None => open(files, reading, None),
    };
    read_source(&mut *source)
}

pub fn read_source(source: &mut dyn Source) -> Result<Table, Error> {
    let mut batch = Batch::default();
    let (mut rows, mut splits) = (Vec::new(), Vec::new());
    while source.fill(&mut batch)? {
        assert!(batch.rows > 0, "a batch has rows");
        assert_eq!(batch.cells.len(), batch.rows * batch.columns, "rows are whole");
        assert!(batch.columns <= source.names().len(), "every column has a name");
        assert!(splits.last().is_none_or(|last| *last <= source.split()), "splits are numbered in order");
        splits.resize(splits.len() + batch.rows, source.split());
        let mut cells = batch.cells.iter();
        for _ in 0..batch.rows {
            let value = |&cell| {
                let text = std::str::from_utf8(batch.text_of(cell)).expect("cells are UTF-8");
                (!cell.is_missing()).then(|| (cell.kind(), text.to_owned()))
            };
            rows.push(cells.by_ref().take(batch.columns).map(value).collect::<Vec<Value>>());
        }
    }
    let order = source.order();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..source.names().len()), "the order names every column once");
    let in_order = |mut row: Vec<Value>| -> Vec<Value> {
        row.resize(order.len(), None);
        order.iter().map(|&place| row[place].clone()).collect()
    };
    Ok(Table {
        names: order.iter().map(|&place| source.names()[place].clone()).collect(),
        has_own_names: source.has_own_names(),
        rows: rows.into_iter().map(in_order).collect(),
        notes: source.notes(),
        splits,
    })
}
