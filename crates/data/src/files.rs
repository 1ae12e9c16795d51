//! The files of a dataset: which there are, in which order, and where splits begin.
//!
//! Splits depend on the data alone, never on the number of threads or machines: whole files in the order of their keys, packed up
//! to [`SPLIT_BYTES`]; a larger file that can be cut at a record is cut there.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::Error;

/// Size of a split.
pub const SPLIT_BYTES: u64 = 256 * 1024 * 1024;

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFile {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// Bytes on disk, `None` for standard input and pipes.
    pub size: Option<u64>,
}

impl DatasetFile {
    pub(crate) fn is_compressed(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "gz")
    }

    /// All of the file, decompressed.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0));
        let read = self.open()?.read_to_end(&mut bytes);
        read.map_err(|error| unreadable(&self.path, self.is_compressed(), error))?;
        Ok(bytes)
    }

    /// Opens the file, decompressed where its name ends in `.gz`.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        self.open_counted(&Arc::default())
    }

    fn open_counted(&self, count: &Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, Error> {
        let count = Arc::clone(count);
        if self.path == Path::new("-") {
            return Ok(Box::new(Counted { inner: io::stdin(), count }));
        }
        let inner = File::open(&self.path).map_err(|error| Error::io(&self.path, error))?;
        let counted = Counted { inner, count };
        if !self.is_compressed() {
            return Ok(Box::new(counted));
        }
        // The decompressor reads in small steps.
        Ok(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(64 * 1024, counted))))
    }
}

/// The regular files of a dataset in the order of their keys, the bytes of their paths: the file itself, or all below the folder but those that begin with
/// `.` or `_`. The path `-` is standard input.
pub fn list(source: &Path) -> Result<Vec<DatasetFile>, Error> {
    if source == Path::new("-") {
        return Ok(vec![DatasetFile { path: source.to_owned(), size: None }]);
    }
    let metadata = std::fs::metadata(source).map_err(|error| Error::io(source, error))?;
    let mut files = Vec::new();
    if metadata.is_dir() {
        walk(source, &mut Vec::new(), &mut files)?;
        // Paths compare folder by folder: `a/b` would come before `a-b`.
        files.sort_by(|a, b| a.path.as_os_str().as_encoded_bytes().cmp(b.path.as_os_str().as_encoded_bytes()));
    } else {
        files.push(DatasetFile { path: source.to_owned(), size: metadata.is_file().then_some(metadata.len()) });
    }
    Ok(files)
}

/// `above` are the folders that lead here, without links: a link to one of them leads to files that are listed already.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<DatasetFile>) -> Result<(), Error> {
    let resolved = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
    if above.contains(&resolved) {
        return Ok(());
    }
    above.push(resolved);
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_") {
            continue;
        }
        let path = entry.path();
        // Follows links, as a job's inputs may be links into an object store.
        let metadata = std::fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
        if metadata.is_dir() {
            walk(&path, above, files)?;
        } else if metadata.is_file() {
            files.push(DatasetFile { path, size: Some(metadata.len()) });
        }
    }
    above.pop();
    Ok(())
}

/// Counts the bytes that leave the disk.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// An open file of a dataset, decompressed.
pub(crate) struct OpenFile {
    pub(crate) path: PathBuf,
    compressed: bool,
    reader: Box<dyn Read + Send>,
    ended: bool,
}

impl OpenFile {
    /// Opens a file whose bytes are added to `count`.
    pub(crate) fn open(file: &DatasetFile, count: &Arc<AtomicU64>) -> Result<Self, Error> {
        let reader = file.open_counted(count)?;
        Ok(Self { path: file.path.clone(), compressed: file.is_compressed(), reader, ended: false })
    }

    /// True when the file can be read from the middle.
    pub(crate) fn can_be_cut(&self) -> bool {
        !self.compressed
    }

    /// True when reading has met the end of the file; with the last byte alone it has not yet.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads until the buffer is full or the file ends; returns how many bytes.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() && !self.ended {
            let read = self.read(&mut buffer[filled..])?;
            self.ended = read == 0;
            filled += read;
        }
        Ok(filled)
    }

    /// Reads some bytes; 0 at the end of the file.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, self.compressed, error)),
            }
        }
    }
}

/// What is wrong with an open file that cannot be read on.
fn unreadable(path: &Path, is_compressed: bool, source: io::Error) -> Error {
    if is_compressed { Error::Gzip { path: path.to_owned(), source } } else { Error::io(path, source) }
}

/// Opens the files of a dataset one after the other and numbers splits.
pub(crate) struct Files {
    rest: std::vec::IntoIter<DatasetFile>,
    count: Arc<AtomicU64>,
    total: Option<u64>,
    split: u32,
    /// Bytes of the whole files in the current split; `None` before the first file.
    in_split: Option<u64>,
}

impl Files {
    pub(crate) fn new(files: Vec<DatasetFile>) -> Self {
        let total = files.iter().map(|file| file.size).sum();
        Self { rest: files.into_iter(), count: Arc::default(), total, split: 0, in_split: None }
    }

    /// The next file, and which split it belongs to.
    pub(crate) fn next_listed(&mut self) -> Option<DatasetFile> {
        let file = self.rest.next()?;
        let size = file.size.unwrap_or(0);
        match &mut self.in_split {
            None => self.in_split = Some(size),
            Some(packed) if *packed + size <= SPLIT_BYTES => *packed += size,
            Some(packed) => {
                *packed = size;
                self.split += 1;
            }
        }
        Some(file)
    }

    /// Opens the next file, `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<OpenFile>, Error> {
        self.next_listed().map(|file| OpenFile::open(&file, &self.count)).transpose()
    }

    /// Begins a new split within the current file, if it can be cut: the next file is packed behind what remains.
    pub(crate) fn cut(&mut self) {
        self.split += 1;
        self.in_split = self.in_split.map(|size| size.saturating_sub(SPLIT_BYTES));
    }

    /// The current split.
    pub(crate) fn split(&self) -> u32 {
        self.split
    }

    /// Counts bytes read past [`OpenFile`], by a library of its own.
    pub(crate) fn add_read(&self, bytes: u64) {
        self.count.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes read from disk, and bytes of all files where known.
    pub(crate) fn progress(&self) -> (u64, Option<u64>) {
        (self.count.load(Ordering::Relaxed), self.total)
    }
}
