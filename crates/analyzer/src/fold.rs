//! Folds a dataset on threads.
//!
//! One thread reads and cuts; workers own columns. A column is folded by one worker, batch after batch in their order,
//! so the result is the same, to the last byte, for any number of threads. Batches go round: what the workers have
//! done with is filled again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use watchkeeper_data::Source;
use watchkeeper_engine::column::Batch;
use watchkeeper_engine::profile::{ColumnProfile, MergeTree, Profile};

use crate::{Error, Observer, Progress};

/// Batches in circulation for each worker: enough that a reader that was held up does not hold up the workers.
const BATCHES_PER_WORKER: usize = 4;

/// Time between two calls of the observer.
const BETWEEN_PROGRESS: Duration = Duration::from_millis(50);

/// The empty state of a column, by its place among the names known when the first batch has been read, and its name.
pub(crate) type NewColumn<'a> = dyn Fn(usize, &str) -> ColumnProfile + 'a;

/// Folds all of a source. Columns stand in the order in which the source met them.
///
/// `plan` is asked once, after the first batch, with the source as it is then.
pub(crate) fn fold<'a>(
    source: &mut dyn Source,
    plan: impl FnOnce(&dyn Source) -> Box<NewColumn<'a>>,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Profile, Error> {
    let mut batch = Batch::default();
    if !source.fill(&mut batch)? {
        return Ok(Profile::default());
    }
    let new_column = plan(source);
    let mut watch = Watch { observer, last: Instant::now(), records: 0 };
    let workers = threads.clamp(1, source.names().len().max(1));
    if workers == 1 {
        return fold_alone(source, batch, &*new_column, &mut watch);
    }
    std::thread::scope(|scope| {
        let (return_batch, returned) = channel();
        let workers: Vec<Worker> = (0..workers)
            .map(|_| {
                let (to_worker, tasks) = sync_channel(BATCHES_PER_WORKER);
                let (to_reader, folded) = channel();
                let return_batch = return_batch.clone();
                scope.spawn(move || work(&tasks, &return_batch, &to_reader));
                Worker { tasks: to_worker, folded }
            })
            .collect();
        drop(return_batch);
        let mut team = Team { workers, returned, to_make: 0, columns: 0 };
        team.to_make = team.workers.len() * BATCHES_PER_WORKER;
        fold_with(&mut team, source, batch, &*new_column, &mut watch)
    })
}

/// Keeps the observer informed.
struct Watch<'a> {
    observer: &'a dyn Observer,
    last: Instant,
    records: u64,
}

impl Watch<'_> {
    fn saw(&mut self, source: &dyn Source, rows: usize) -> Result<(), Error> {
        self.records += rows as u64;
        if self.last.elapsed() >= BETWEEN_PROGRESS {
            self.last = Instant::now();
            let (bytes_read, bytes_total) = source.progress();
            self.observer.progress(Progress { bytes_read, bytes_total, records: self.records });
        }
        if self.observer.stopped() { Err(Error::Stopped) } else { Ok(()) }
    }
}

fn fold_alone(
    source: &mut dyn Source,
    mut batch: Batch,
    new_column: &NewColumn<'_>,
    watch: &mut Watch<'_>,
) -> Result<Profile, Error> {
    let mut tree = MergeTree::default();
    let mut split = source.split();
    let mut columns: Vec<ColumnProfile> = Vec::new();
    let mut records = 0;
    loop {
        if source.split() != split {
            split = source.split();
            tree.push(profile(std::mem::take(&mut columns), source.names(), records));
            records = 0;
        }
        for index in columns.len()..batch.columns {
            columns.push(new_column(index, &source.names()[index]));
        }
        for (index, column) in columns.iter_mut().enumerate().take(batch.columns) {
            column.update(&batch, index);
        }
        records += batch.rows as u64;
        watch.saw(source, batch.rows)?;
        if !source.fill(&mut batch)? {
            break;
        }
    }
    tree.push(profile(columns, source.names(), records));
    Ok(tree.finish())
}

fn profile(columns: Vec<ColumnProfile>, names: &[String], records: u64) -> Profile {
    Profile { records, columns: names.iter().cloned().zip(columns).collect() }
}

/// What a worker is told.
enum Task {
    /// A column more for this worker, with its place in batches.
    Column(usize, Box<ColumnProfile>),
    /// Rows to fold.
    Batch(Arc<Batch>),
    /// The split has ended: hand over its columns.
    EndOfSplit,
}

struct Worker {
    tasks: SyncSender<Task>,
    folded: Receiver<Vec<(usize, ColumnProfile)>>,
}

/// The workers, as the reader sees them.
struct Team {
    workers: Vec<Worker>,
    returned: Receiver<Arc<Batch>>,
    /// Batches that may still be made.
    to_make: usize,
    /// Columns of the current split.
    columns: usize,
}

fn fold_with(
    team: &mut Team,
    source: &mut dyn Source,
    mut batch: Batch,
    new_column: &NewColumn<'_>,
    watch: &mut Watch<'_>,
) -> Result<Profile, Error> {
    let mut tree = MergeTree::default();
    let mut split = source.split();
    let mut records = 0;
    loop {
        if source.split() != split {
            split = source.split();
            tree.push(profile(team.end_split(), source.names(), records));
            records = 0;
        }
        team.know_columns(batch.columns, |index| new_column(index, &source.names()[index]));
        records += batch.rows as u64;
        watch.saw(source, batch.rows)?;
        team.send(batch);
        batch = team.free_batch();
        if !source.fill(&mut batch)? {
            break;
        }
    }
    tree.push(profile(team.end_split(), source.names(), records));
    Ok(tree.finish())
}

impl Team {
    /// Deals out columns so that neighbours, and columns that lie alike in a repeating pattern, have different owners.
    fn know_columns(&mut self, columns: usize, new_column: impl Fn(usize) -> ColumnProfile) {
        for index in self.columns..columns {
            let count = self.workers.len();
            let worker = &self.workers[(index + index / count) % count];
            tell(worker, Task::Column(index, Box::new(new_column(index))));
        }
        self.columns = self.columns.max(columns);
    }

    fn send(&self, batch: Batch) {
        let batch = Arc::new(batch);
        for worker in &self.workers {
            tell(worker, Task::Batch(Arc::clone(&batch)));
        }
    }

    /// A batch that no worker uses any more.
    fn free_batch(&mut self) -> Batch {
        if self.to_make > 0 {
            self.to_make -= 1;
            return Batch::default();
        }
        loop {
            // The last worker to be done with a batch is the one whose copy can be taken apart.
            let returned = self.returned.recv().expect("workers live as long as the team");
            if let Ok(batch) = Arc::try_unwrap(returned) {
                return batch;
            }
        }
    }

    fn end_split(&mut self) -> Vec<ColumnProfile> {
        for worker in &self.workers {
            tell(worker, Task::EndOfSplit);
        }
        let mut columns: Vec<(usize, ColumnProfile)> = Vec::with_capacity(self.columns);
        for worker in &self.workers {
            columns.extend(worker.folded.recv().expect("a worker answers the end of a split"));
        }
        self.columns = 0;
        columns.sort_unstable_by_key(|(index, _)| *index);
        columns.into_iter().map(|(_, column)| column).collect()
    }
}

fn tell(worker: &Worker, task: Task) {
    worker.tasks.send(task).expect("a worker lives until the team is gone");
}

fn work(tasks: &Receiver<Task>, return_batch: &Sender<Arc<Batch>>, to_reader: &Sender<Vec<(usize, ColumnProfile)>>) {
    let mut columns: Vec<(usize, ColumnProfile)> = Vec::new();
    for task in tasks {
        match task {
            Task::Column(index, column) => columns.push((index, *column)),
            Task::Batch(batch) => {
                for (index, column) in &mut columns {
                    // A batch from before a column was met does not have it.
                    if *index < batch.columns {
                        column.update(&batch, *index);
                    }
                }
                // The reader may have gone, with an error.
                let _ = return_batch.send(batch);
            }
            Task::EndOfSplit => {
                let _ = to_reader.send(std::mem::take(&mut columns));
            }
        }
    }
}
