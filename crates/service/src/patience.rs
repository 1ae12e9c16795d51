//! The time limits of a connection, which cost next to nothing as long as they are kept.
//!
//! A small request has a limit for its headers, and one for the model's answer. To set an alarm for each, and to take it
//! back microseconds later, costs more than to read the request, and an alarm that is nearer than all others makes the
//! runtime wake itself, which is a system call. Here a connection has one alarm: it stays set when a limit is kept, and
//! is moved when it goes off for nothing, about once a minute.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt;
use tokio::time::{Instant, Sleep, sleep_until};

/// The alarm of a connection. One task alone may wait for it, which may be woken too early.
#[derive(Clone, Default)]
pub(crate) struct Patience(Arc<Mutex<Option<Pin<Box<Sleep>>>>>);

impl Patience {
    /// What a future gives, if it does so within a time. It stays where it is: to hand it over would make whatever waits for
    /// this larger by twice its size.
    pub(crate) async fn within<F: Future>(&self, limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
        let deadline = Instant::now() + limit;
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(deadline, context).map(|()| None),
        })
        .await
    }

    /// Ready when the deadline is over; until then the alarm is set for it, or for an earlier time.
    fn poll(&self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < alarm.deadline() {
            alarm.as_mut().reset(deadline);
        }
        while alarm.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// A deadline that the HTTP library waits for.
struct Waiting {
    patience: Patience,
    deadline: Instant,
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.patience.poll(self.deadline, context)
    }
}

impl rt::Sleep for Waiting {}

impl rt::Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Waiting { patience: self.clone(), deadline: deadline.into() })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn a_limit_is_kept_to_whatever_the_one_before_it_was() {
        let patience = Patience::default();
        for milliseconds in [3000, 60, 1, 60, 300, 2, 0] {
            let limit = Duration::from_millis(milliseconds);
            assert_eq!(patience.within(limit, pin!(ready(7))).await, Some(7));
            if milliseconds > 100 {
                assert_eq!(patience.within(limit, pin!(sleep(limit / 100))).await, Some(()));
                continue;
            }
            let begun = Instant::now();
            assert_eq!(patience.within(limit, pin!(pending::<()>())).await, None);
            assert!(begun.elapsed() >= limit, "{:?} for {limit:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn the_alarm_of_a_limit_that_was_kept_wakes_a_longer_one_for_nothing() {
        let patience = Patience::default();
        let soon = sleep(Duration::from_millis(1));
        assert_eq!(patience.within(Duration::from_millis(20), pin!(soon)).await, Some(()));
        let deadline = rt::Timer::now(&patience) + Duration::from_millis(60);
        rt::Timer::sleep_until(&patience, deadline).await;
        assert!(rt::Timer::now(&patience) >= deadline);
    }
}
