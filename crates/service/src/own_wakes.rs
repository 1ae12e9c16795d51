//! Wakes that a connection's task gives itself for nothing.
//!
//! When a piece of a body is taken out, the HTTP library wakes the task of the connection that it came in on, so that the next one is
//! read. On a lane that is the task that takes the piece out, and reads on anyway: woken, it is polled once more, by which a small
//! request and its answer each took 2 to 4 % more instructions. Such a wake is not passed on here.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    /// The waker of the task that is taking a piece out on this thread, as an identity; and whether it was woken by that.
    static TAKING: Cell<*const ()> = const { Cell::new(ptr::null()) };
    static IS_IGNORED: Cell<bool> = const { Cell::new(false) };
}

/// A task whose own wakes while it takes pieces out ([`taking`]) are not passed on.
pub(crate) struct OwnWakesIgnored<F> {
    task: F,
    waker: Option<TaskWaker>,
}

struct TaskWaker {
    given: Waker,
    filtered: Waker,
}

struct Filter(Waker);

impl<F> OwnWakesIgnored<F> {
    pub(crate) fn new(task: F) -> Self {
        Self { task, waker: None }
    }
}

impl<F: Future + Unpin> Future for OwnWakesIgnored<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { task, waker } = &mut *self;
        let given = context.waker();
        let known = waker.take().filter(|known| known.given.will_wake(given));
        let TaskWaker { filtered, .. } = waker.insert(known.unwrap_or_else(|| TaskWaker::new(given)));
        Pin::new(task).poll(&mut Context::from_waker(filtered))
    }
}

impl TaskWaker {
    fn new(given: &Waker) -> Self {
        Self { given: given.clone(), filtered: Arc::new(Filter(given.clone())).into() }
    }
}

impl Wake for Filter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if ptr::eq(TAKING.get(), Arc::as_ptr(self).cast()) {
            IS_IGNORED.set(true);
        } else {
            self.0.wake_by_ref();
        }
    }
}

/// Polls a body for its next piece on behalf of the task of this context. Gives whether that would have woken it: whoever calls this
/// sees to it that the connection is driven again if it has more to give.
pub(crate) fn taking<T>(context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> T) -> (T, bool) {
    let _taking = Taking(TAKING.replace(context.waker().data()));
    let polled = poll(context);
    (polled, IS_IGNORED.take())
}

/// What was taking before, until this goes: after a panic too.
struct Taking(*const ());

impl Drop for Taking {
    fn drop(&mut self) {
        TAKING.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often a task was woken that does this once.
    fn wakes(act: impl Fn(&mut Context<'_>)) -> u32 {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let acting = poll_fn(|context| {
            act(context);
            Poll::<()>::Pending
        });
        let task = pin!(OwnWakesIgnored::new(Box::pin(acting)));
        assert!(task.poll(&mut Context::from_waker(&waker)).is_pending());
        count.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_task_is_not_woken_by_what_it_takes_out_and_by_all_else() {
        fn wake(context: &mut Context<'_>) {
            context.waker().wake_by_ref();
        }
        assert_eq!(wakes(|context| assert!(taking(context, wake).1)), 0);
        assert_eq!(wakes(wake), 1);
        let afterwards = wakes(|context| {
            assert!(!taking(context, |_| ()).1);
            wake(context);
        });
        assert_eq!(afterwards, 1);
        let of_another_thread = wakes(|context| {
            let waker = context.waker().clone();
            let (woken, is_ignored) = taking(context, |_| std::thread::spawn(|| waker.wake()).join());
            assert!(woken.is_ok() && !is_ignored);
        });
        assert_eq!(of_another_thread, 1);
        // One whose body another task takes out.
        let of_another_task = wakes(|context| {
            let mut other = Context::from_waker(Waker::noop());
            assert!(!taking(&mut other, |_| wake(context)).1);
        });
        assert_eq!(of_another_task, 1);
    }

    #[test]
    fn a_task_that_moves_is_woken_where_it_is() {
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut task = pin!(OwnWakesIgnored::new(Box::pin(pending::<()>())));
        let mut poll = |count: &Arc<Count>| {
            let waker = Waker::from(Arc::clone(count));
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        };
        poll(&first);
        poll(&second);
        let filtered = task.waker.as_ref().map(|waker| waker.filtered.clone());
        filtered.into_iter().for_each(Waker::wake);
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (0, 1));
    }
}
