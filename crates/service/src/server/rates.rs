//! How many requests each access key may make: so many at once, and so many a second on average.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::configuration::ServerSettings;

/// Keys of which is remembered what they have left before those that have it all are forgotten.
const MOST_REMEMBERED: usize = 4096;

/// What access keys have left. A key that has asked for nothing lately has all.
pub(super) struct Rates {
    /// 0: no limit.
    per_second: f64,
    burst: f64,
    left: Mutex<HashMap<String, Left>>,
}

/// What a key had left at a moment.
#[derive(Clone, Copy)]
struct Left {
    requests: f64,
    at: Instant,
}

impl Rates {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            per_second: f64::from(settings.requests_per_second),
            burst: f64::from(settings.request_burst.max(1)),
            left: Mutex::default(),
        }
    }

    /// Whether every key may ask for as much as it likes.
    pub(super) fn are_unlimited(&self) -> bool {
        self.per_second == 0.0
    }

    /// Takes one request of a key; false where it has none left.
    pub(super) fn take(&self, key: &str, now: Instant) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= MOST_REMEMBERED && !left.contains_key(key) {
            left.retain(|_, left| self.after(*left, now) < self.burst);
        }
        let before = left.get(key).map_or(self.burst, |left| self.after(*left, now));
        let is_enough = before >= 1.0;
        let requests = if is_enough { before - 1.0 } else { before };
        left.insert(key.to_owned(), Left { requests, at: now });
        is_enough
    }

    fn after(&self, left: Left, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(left.at).as_secs_f64();
        (left.requests + seconds * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rates(requests_per_second: u32, request_burst: u32) -> Rates {
        Rates::new(&ServerSettings { requests_per_second, request_burst, ..ServerSettings::default() })
    }

    proptest! {
        /// However requests come, no span of time has more of them than the burst and what comes back in it, and a request
        /// that is refused had as many before it.
        #[test]
        fn no_span_has_more_than_it_may(
            per_second in 1..50_u32,
            burst in 1..20_u32,
            pauses in prop::collection::vec(0..400_u64, 1..200),
        ) {
            let (rates, begun) = (rates(per_second, burst), Instant::now());
            let mut now = 0;
            let mut taken: Vec<u64> = Vec::new();
            for pause in pauses {
                now += pause;
                let may = |since: u64| f64::from(burst) + (now - since) as f64 / 1000.0 * f64::from(per_second);
                let is_taken = rates.take("key", begun + Duration::from_millis(now));
                let spans = |taken: &[u64]| (0..taken.len()).map(|first| (taken[first], taken.len() - first)).collect::<Vec<_>>();
                if is_taken {
                    taken.push(now);
                    prop_assert!(spans(&taken).into_iter().all(|(since, count)| count as f64 <= may(since) + 1e-6));
                } else {
                    let one_more = spans(&taken).into_iter().any(|(since, count)| (count + 1) as f64 > may(since) - 1e-6);
                    prop_assert!(one_more, "refused without need");
                }
            }
        }
    }

    #[test]
    fn keys_do_not_pay_for_each_other_and_are_forgotten() {
        let (rates, begun) = (rates(1, 2), Instant::now());
        assert!(rates.take("a", begun) && rates.take("a", begun) && !rates.take("a", begun));
        assert!(rates.take("b", begun));
        let later = begun + Duration::from_secs(5);
        for number in 0..3 * MOST_REMEMBERED {
            assert!(rates.take(&number.to_string(), later + Duration::from_secs(5 * number as u64)));
        }
        let remembered = rates.left.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(remembered <= MOST_REMEMBERED, "{remembered}");
    }
}
