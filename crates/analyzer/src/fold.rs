//! Folds a dataset on threads.
//!
//! One thread reads and cuts; workers own columns. A column is folded by one worker, batch after batch in their order,
//! so the result is the same, to the last byte, for any number of threads. Batches go round: what the workers have
//! done with is filled again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use watchkeeper_data::Source;
use watchkeeper_engine::column::{BATCH_BYTES, Batch};
use watchkeeper_engine::profile::{ColumnProfile, MergeTree, Profile};

use crate::{Error, Observer, Progress};

/// Batches in circulation for each worker: enough that a reader that was held up does not hold up the workers.
const BATCHES_PER_WORKER: usize = 4;

/// Workers at most, whatever number of threads is asked for: beyond a process's share of the machine there is none to be
/// had.
const MOST_WORKERS: usize = 256;

/// A batch with more text than this holds a record of unusual length. Such a batch goes round alone and gives back its
/// memory, so that all of them together take no more than one would.
const LARGE_BATCH_BYTES: usize = 16 * BATCH_BYTES;

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
    let workers = threads.min(source.names().len()).clamp(1, MOST_WORKERS);
    if workers == 1 {
        return fold_with(&mut Alone::default(), source, batch, &*new_column, &mut watch);
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
        let to_make = workers.len() * BATCHES_PER_WORKER;
        let mut team = Team { workers, returned, to_make, in_use: 0, columns: 0 };
        fold_with(&mut team, source, batch, &*new_column, &mut watch)
    })
}

/// Those who fold the columns of a split.
trait Hands {
    /// Columns known so far in this split.
    fn columns(&self) -> usize;

    /// Takes on the next column.
    fn take_column(&mut self, column: ColumnProfile);

    /// Folds a batch; hands out one to be filled next.
    fn fold(&mut self, batch: Batch) -> Batch;

    /// Gives up the columns of the split, in their order.
    fn end_split(&mut self) -> Vec<ColumnProfile>;
}

fn fold_with(
    hands: &mut impl Hands,
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
            tree.push(profile(hands.end_split(), source.names(), std::mem::take(&mut records)));
        }
        for index in hands.columns()..batch.columns {
            hands.take_column(new_column(index, &source.names()[index]));
        }
        records += batch.rows as u64;
        watch.saw(source, batch.rows)?;
        batch = hands.fold(batch);
        if !source.fill(&mut batch)? {
            break;
        }
    }
    tree.push(profile(hands.end_split(), source.names(), records));
    Ok(tree.finish())
}

fn profile(columns: Vec<ColumnProfile>, names: &[String], records: u64) -> Profile {
    Profile { records, columns: names.iter().cloned().zip(columns).collect() }
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

/// The reader's own thread.
#[derive(Default)]
struct Alone(Vec<ColumnProfile>);

impl Hands for Alone {
    fn columns(&self) -> usize {
        self.0.len()
    }

    fn take_column(&mut self, column: ColumnProfile) {
        self.0.push(column);
    }

    fn fold(&mut self, batch: Batch) -> Batch {
        for (index, column) in self.0.iter_mut().enumerate().take(batch.columns) {
            column.update(&batch, index);
        }
        if batch.text.len() > LARGE_BATCH_BYTES { Batch::default() } else { batch }
    }

    fn end_split(&mut self) -> Vec<ColumnProfile> {
        std::mem::take(&mut self.0)
    }
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
    /// Batches sent and not yet returned by every worker.
    in_use: usize,
    /// Columns of the current split.
    columns: usize,
}

impl Hands for Team {
    fn columns(&self) -> usize {
        self.columns
    }

    /// Deals out columns so that neighbours, and columns that lie alike in a repeating pattern, have different owners.
    fn take_column(&mut self, column: ColumnProfile) {
        let count = self.workers.len();
        let worker = &self.workers[(self.columns + self.columns / count) % count];
        tell(worker, Task::Column(self.columns, Box::new(column)));
        self.columns += 1;
    }

    fn fold(&mut self, batch: Batch) -> Batch {
        let is_large = batch.text.len() > LARGE_BATCH_BYTES;
        let batch = Arc::new(batch);
        for worker in &self.workers {
            tell(worker, Task::Batch(Arc::clone(&batch)));
        }
        drop(batch);
        self.in_use += 1;
        if is_large { self.all_returned() } else { self.free_batch() }
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

impl Team {
    /// A batch that no worker uses any more.
    fn free_batch(&mut self) -> Batch {
        if self.to_make > 0 {
            self.to_make -= 1;
            return Batch::default();
        }
        self.returned()
    }

    fn returned(&mut self) -> Batch {
        loop {
            // The last worker to be done with a batch is the one whose copy can be taken apart.
            let returned = self.returned.recv().expect("workers live as long as the team");
            if let Ok(batch) = Arc::try_unwrap(returned) {
                self.in_use -= 1;
                return batch;
            }
        }
    }

    /// Waits until no worker has anything to do, and gives all memory back.
    fn all_returned(&mut self) -> Batch {
        while self.in_use > 0 {
            self.returned();
            self.to_make += 1;
        }
        self.free_batch()
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
