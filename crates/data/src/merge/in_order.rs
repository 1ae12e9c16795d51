//! Work on pieces in threads, and what comes of it in the order of the pieces.
//!
//! A fixed number of pieces goes round: a thread takes a free one, reads into it (one thread at a time), works on it and hands it
//! to the calling thread, which takes the results in order and sets the piece free again. So memory is bounded whatever
//! the threads do, and what is written is written by one thread, the caller's.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::pieces::{Piece, Pieces};
use crate::Error;

struct Source<'a, P> {
    pieces: Pieces<'a>,
    free: Receiver<(Piece, P)>,
    next: u64,
    ended: bool,
}

/// How a piece came back.
enum Outcome<P> {
    Done(Piece, P),
    Unreadable(Error),
    Panicked(Box<dyn Any + Send>),
}

/// Calls `work` with every piece in one of `threads` threads, and `take` with its product in the calling thread, in order, until
/// that says false. A product is used again and again: `work` has to begin by clearing it.
pub(super) fn in_order<P: Default + Send>(
    pieces: Pieces<'_>,
    threads: usize,
    work: impl Fn(&Piece, &mut P) + Sync,
    mut take: impl FnMut(&Piece, &mut P) -> Result<bool, Error>,
) -> Result<(), Error> {
    let threads = threads.max(1);
    let (set_free, free) = channel();
    for _ in 0..=threads * 2 {
        // The receiver is alive.
        let _ = set_free.send((Piece::default(), P::default()));
    }
    let source = Mutex::new(Source { pieces, free, next: 0, ended: false });
    let (hand_over, done) = channel();
    let (source, work) = (&source, &work);
    std::thread::scope(move |scope| {
        for _ in 0..threads {
            let hand_over = hand_over.clone();
            scope.spawn(move || work_on(source, work, &hand_over));
        }
        drop(hand_over);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        // Leaving this drops `done` and `set_free`, which ends the threads.
        while let Ok((number, outcome)) = done.recv() {
            waiting.insert(number, outcome);
            while let Some(outcome) = waiting.remove(&next) {
                next += 1;
                match outcome {
                    Outcome::Done(piece, mut product) => {
                        if !take(&piece, &mut product)? {
                            return Ok(());
                        }
                        let _ = set_free.send((piece, product));
                    }
                    Outcome::Unreadable(error) => return Err(error),
                    Outcome::Panicked(payload) => resume_unwind(payload),
                }
            }
        }
        Ok(())
    })
}

fn work_on<P>(source: &Mutex<Source<'_, P>>, work: &impl Fn(&Piece, &mut P), hand_over: &Sender<(u64, Outcome<P>)>) {
    loop {
        let (number, read) = {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            if source.ended {
                return;
            }
            let Ok((mut piece, product)) = source.free.recv() else { return };
            let number = source.next;
            source.next += 1;
            let read = source.pieces.next(&mut piece).map(|is_one| is_one.then_some((piece, product)));
            source.ended = !matches!(read, Ok(Some(_)));
            (number, read)
        };
        let outcome = match read {
            Ok(None) => return,
            Err(error) => Outcome::Unreadable(error),
            // What a panic leaves behind in the product is dropped with it.
            Ok(Some((piece, mut product))) => match catch_unwind(AssertUnwindSafe(|| work(&piece, &mut product))) {
                Ok(()) => Outcome::Done(piece, product),
                Err(payload) => Outcome::Panicked(payload),
            },
        };
        if hand_over.send((number, outcome)).is_err() {
            return;
        }
    }
}
