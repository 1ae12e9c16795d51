//! What an interrupted run has computed, so that the next one goes on from there.
//!
//! A file of entries of one size, appended row by row behind a line that says of which analysis they are; those of another analysis are
//! thrown away, and so is a last entry that was cut short. There is no file before the first entry.

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use watchkeeper_engine::table::Table;
use watchkeeper_formats::clarify::AnalysisConfig;

use super::background::written;
use crate::Error;

/// The file in the folder of a resumption.
const FILE: &str = "attributions.partial";

/// Where the entries of an analysis are.
pub(super) struct Resumption {
    path: PathBuf,
    fingerprint: u64,
    /// How many rows there are.
    rows: usize,
}

/// Entries of an earlier run, and the file that takes further ones.
pub(super) struct Resumed {
    path: PathBuf,
    /// The line that says of which analysis entries are.
    head: Vec<u8>,
    entries: Vec<(usize, Vec<f64>)>,
    /// None as long as there is nothing to be kept.
    file: Mutex<Option<BufWriter<File>>>,
}

impl Resumption {
    /// Of an analysis with this configuration, of these rows against this background.
    pub(super) fn new(
        folder: &Path,
        config: &AnalysisConfig,
        model: &str,
        features: &Table,
        background: &Table,
        rows: &[usize],
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        format!("{config:?} {model}").hash(&mut hasher);
        for table in [features, background] {
            for column in &table.columns {
                column.name.hash(&mut hasher);
                (0..table.rows).for_each(|row| written(column, row).hash(&mut hasher));
            }
        }
        rows.hash(&mut hasher);
        Self { path: folder.join(FILE), fingerprint: hasher.finish(), rows: rows.len() }
    }

    /// Opens the file: `outputs` predictions and `width` attributions are an entry.
    pub(super) fn open(&self, outputs: usize, width: usize) -> Result<Resumed, Error> {
        let failed = |source| Error::Output { path: self.path.clone(), source };
        let size = (1 + outputs + width) * 8;
        let head = format!("watchkeeper attributions {:016x} {outputs} {width}\n", self.fingerprint).into_bytes();
        let content = match std::fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(failed)?,
        };
        let entries = content.strip_prefix(head.as_slice()).unwrap_or_default();
        let whole = entries.len() / size * size;
        let entries = entries[..whole].chunks_exact(size).map(entry);
        let entries: Vec<(usize, Vec<f64>)> = entries.filter(|(place, _)| *place < self.rows).collect();
        let mut resumed = Resumed { path: self.path.clone(), head, entries, file: Mutex::default() };
        if resumed.entries.is_empty() {
            resumed.start_over()?;
        } else {
            let file = OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
            // What was cut short goes.
            file.set_len((resumed.head.len() + whole) as u64).map_err(failed)?;
            resumed.file = Mutex::new(Some(BufWriter::new(file)));
        }
        Ok(resumed)
    }
}

impl Resumed {
    /// Places of rows, and their predictions and attributions.
    pub(super) fn entries(&self) -> &[(usize, Vec<f64>)] {
        &self.entries
    }

    /// Forgets all entries; the next one begins the file.
    pub(super) fn start_over(&mut self) -> Result<(), Error> {
        self.entries.clear();
        self.file = Mutex::default();
        forget(self.path.parent().unwrap_or(Path::new("")))
    }

    /// Adds a row.
    pub(super) fn add(&self, place: usize, values: &[f64]) -> Result<(), Error> {
        let mut bytes = (place as u64).to_le_bytes().to_vec();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = || {
            if file.is_none() {
                self.path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                file.insert(BufWriter::new(File::create(&self.path)?)).write_all(&self.head)?;
            }
            file.as_mut().map_or(Ok(()), |file| file.write_all(&bytes).and_then(|()| file.flush()))
        };
        add().map_err(|source| Error::Output { path: self.path.clone(), source })
    }
}

fn entry(bytes: &[u8]) -> (usize, Vec<f64>) {
    let mut words = bytes.chunks_exact(8).map(|word| word.try_into().unwrap_or([0; 8]));
    let place = words.next().map_or(usize::MAX, |word| u64::from_le_bytes(word) as usize);
    (place, words.map(f64::from_le_bytes).collect())
}

/// Forgets what an interrupted run has computed, once its documents are written. A folder with nothing else in it goes too.
pub fn forget(folder: &Path) -> Result<(), Error> {
    let path = folder.join(FILE);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(Error::Output { path, source }),
        _ => {}
    }
    // Whoever has put something there keeps it.
    let _ = std::fs::remove_dir(folder);
    Ok(())
}
