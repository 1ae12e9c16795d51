//! Work on pieces in threads, and what comes of it in the order of the pieces.
//!
//! A fixed number of pieces goes round: a thread takes a free one, reads into it, works on it and hands it
//! to the calling thread, which takes the results in order and sets the piece free again. So memory is bounded whatever
//! the threads do, and what is written is written by one thread, the caller's. Where nothing is to be taken, the caller works as
//! the others do: a thread that did nothing but write would leave its core idle between two pieces, and waking it costs more than
//! some pieces do.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::pieces::{Piece, Pieces};
use crate::Error;

/// What all threads share. A thread that reads has a piece to read into, so it waits for nobody: no number is given out that
/// nobody works on.
struct Shared<'a, P> {
    source: Mutex<Source<'a>>,
    /// None when no more is wanted.
    free: Mutex<Option<Vec<(Piece, P)>>>,
    has_free: Condvar,
}

struct Source<'a> {
    pieces: Pieces<'a>,
    next: u64,
    ended: bool,
}

/// How a piece came back.
enum Outcome<P> {
    Done(Piece, P),
    Unreadable(Error),
    Panicked(Box<dyn Any + Send>),
}

/// Calls `work` with every piece in one of `threads` threads, the calling one among them, and `take` with its product in the
/// calling thread, in order, until that says false. A product is used again and again: `work` has to begin by clearing it.
pub(super) fn in_order<P: Default + Send>(
    pieces: Pieces<'_>,
    threads: usize,
    work: impl Fn(&Piece, &mut P) + Sync,
    mut take: impl FnMut(&Piece, &mut P) -> Result<bool, Error>,
) -> Result<(), Error> {
    let threads = threads.max(1);
    // Enough that the others work on while the caller is held up by the disk.
    let free = (0..=threads * 6).map(|_| Default::default()).collect();
    let shared = Shared {
        source: Mutex::new(Source { pieces, next: 0, ended: false }),
        free: Mutex::new(Some(free)),
        has_free: Condvar::new(),
    };
    let (hand_over, done) = channel();
    let (shared, work) = (&shared, &work);
    std::thread::scope(move |scope| {
        // Ends the threads, however this is left.
        let _close = Close(shared);
        for _ in 1..threads {
            let hand_over = hand_over.clone();
            scope.spawn(move || work_on(shared, work, &hand_over));
        }
        drop(hand_over);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        loop {
            waiting.extend(done.try_iter());
            while let Some(outcome) = waiting.remove(&next) {
                next += 1;
                match outcome {
                    Outcome::Done(piece, mut product) => {
                        if !take(&piece, &mut product)? {
                            return Ok(());
                        }
                        shared.set_free(piece, product);
                    }
                    Outcome::Unreadable(error) => return Err(error),
                    Outcome::Panicked(payload) => resume_unwind(payload),
                }
            }
            let of_others = match shared.free_now().and_then(|free| shared.read(free)) {
                Some((number, Ok((piece, mut product)))) => {
                    work(&piece, &mut product);
                    Some((number, Outcome::Done(piece, product)))
                }
                Some((number, Err(error))) => Some((number, Outcome::Unreadable(error))),
                // All pieces are with others, or there are no more.
                None => done.recv().ok(),
            };
            match of_others {
                Some((number, outcome)) => drop(waiting.insert(number, outcome)),
                None if waiting.is_empty() => return Ok(()),
                None => {}
            }
        }
    })
}

fn work_on<P>(shared: &Shared<'_, P>, work: &impl Fn(&Piece, &mut P), hand_over: &Sender<(u64, Outcome<P>)>) {
    while let Some((number, read)) = shared.wait_for_free().and_then(|free| shared.read(free)) {
        let outcome = match read {
            Err(error) => Outcome::Unreadable(error),
            // What a panic leaves behind in the product is dropped with it.
            Ok((piece, mut product)) => match catch_unwind(AssertUnwindSafe(|| work(&piece, &mut product))) {
                Ok(()) => Outcome::Done(piece, product),
                Err(payload) => Outcome::Panicked(payload),
            },
        };
        if hand_over.send((number, outcome)).is_err() {
            return;
        }
    }
}

/// A piece that was read, and its number.
type Read<P> = (u64, Result<(Piece, P), Error>);

impl<P> Shared<'_, P> {
    /// Reads the next piece; None after the last.
    fn read(&self, (mut piece, product): (Piece, P)) -> Option<Read<P>> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if source.ended {
            self.close();
            return None;
        }
        let read = source.pieces.next(&mut piece);
        source.ended = !matches!(read, Ok(true));
        let number = source.next;
        source.next += 1;
        drop(source);
        match read {
            Ok(true) => Some((number, piece.load().map(|()| (piece, product)))),
            Ok(false) => {
                self.close();
                None
            }
            Err(error) => Some((number, Err(error))),
        }
    }

    fn free(&self) -> MutexGuard<'_, Option<Vec<(Piece, P)>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn free_now(&self) -> Option<(Piece, P)> {
        self.free().as_mut()?.pop()
    }

    /// A free piece when there is one; None when no more is wanted.
    fn wait_for_free(&self) -> Option<(Piece, P)> {
        let is_none_free = |free: &mut Option<Vec<_>>| free.as_ref().is_some_and(Vec::is_empty);
        self.has_free.wait_while(self.free(), is_none_free).unwrap_or_else(PoisonError::into_inner).as_mut()?.pop()
    }

    /// Ends the threads that wait: pieces that are set free from now on are for nobody.
    fn close(&self) {
        *self.free() = None;
        self.has_free.notify_all();
    }

    fn set_free(&self, piece: Piece, product: P) {
        if let Some(free) = &mut *self.free() {
            free.push((piece, product));
        }
        self.has_free.notify_one();
    }
}

struct Close<'s, 'a, P>(&'s Shared<'a, P>);

impl<P> Drop for Close<'_, '_, P> {
    fn drop(&mut self) {
        self.0.close();
    }
}
