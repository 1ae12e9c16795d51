//! When a request is sent again, and when no more: `standard` mode of the official SDKs.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Retry behavior"; codes and costs as botocore has them.

use std::sync::Mutex;
use std::time::Duration;

/// What all repetitions of a session may cost together, until successes pay it back.
const ALLOWANCE: u32 = 500;
const COST: u32 = 5;
/// Of a repetition after an answer that did not come.
const COST_OF_TIMEOUT: u32 = 10;

/// The rules of a session, and what is left of its allowance.
pub(super) struct Retries {
    pub max_attempts: u32,
    pub longest_backoff: Duration,
    left: Mutex<u32>,
}

/// Why an attempt may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The service asks for less, or has failed, or the connection has.
    Transient,
    /// There was no answer in time.
    Timeout,
}

/// What was taken from the allowance, to be paid back by a success.
#[derive(Debug, Default)]
pub(super) struct Debt(u32);

impl Retries {
    pub(super) fn new(max_attempts: u32, longest_backoff: Duration) -> Self {
        Self { max_attempts, longest_backoff, left: Mutex::new(ALLOWANCE) }
    }

    /// The pause before another attempt, after so many; none when there is to be no other.
    pub(super) fn pause_after(&self, attempts: u32, reason: Reason, debt: &mut Debt) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let cost = if reason == Reason::Timeout { COST_OF_TIMEOUT } else { COST };
        let mut left = self.left.lock().expect("nobody panics while holding it");
        *left = left.checked_sub(cost)?;
        debt.0 = cost;
        Some(self.backoff(attempts, fraction()))
    }

    /// Takes a success into account.
    pub(super) fn succeeded(&self, debt: &Debt) {
        let mut left = self.left.lock().expect("nobody panics while holding it");
        *left = ALLOWANCE.min(*left + debt.0.max(1));
    }

    /// Up to 1, 2, 4, ... seconds, evenly spread by a fraction of one.
    fn backoff(&self, attempts: u32, fraction: f64) -> Duration {
        let longest = self.longest_backoff.as_secs_f64();
        let seconds = fraction * 2_f64.powi(attempts.saturating_sub(1).min(30) as i32);
        Duration::from_secs_f64(seconds.min(longest))
    }
}

/// Evenly between 0 and 1.
fn fraction() -> f64 {
    f64::from(u32::from_be_bytes(super::random())) / f64::from(u32::MAX)
}

/// Whether a refusal passes by itself.
pub(super) fn is_transient(status: u16, code: &str) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
        || matches!(
            code,
            "RequestTimeout"
                | "RequestTimeoutException"
                | "PriorRequestNotComplete"
                | "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestThrottledException"
                | "TooManyRequestsException"
                | "ProvisionedThroughputExceededException"
                | "TransactionInProgressException"
                | "RequestLimitExceeded"
                | "BandwidthLimitExceeded"
                | "LimitExceededException"
                | "RequestThrottled"
                | "SlowDown"
                | "EC2ThrottledException"
        )
}

/// Whether the credentials are over.
pub(super) fn is_expired(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired")
}

/// Whether the clocks may differ.
pub(super) fn is_skewed(code: &str) -> bool {
    matches!(
        code,
        "RequestTimeTooSkewed"
            | "RequestInTheFuture"
            | "RequestExpired"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
            | "403"
            | "AccessDeniedException"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let retries = Retries::new(9, Duration::from_secs(20));
        let seconds: Vec<f64> = (1..8).map(|attempts| retries.backoff(attempts, 1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]);
        assert_eq!(retries.backoff(3, 0.5), Duration::from_secs(2));
    }

    #[test]
    fn the_allowance_ends_and_comes_back() {
        let retries = Retries::new(u32::MAX, Duration::ZERO);
        let mut debt = Debt::default();
        let granted = (1..1000).take_while(|n| retries.pause_after(*n, Reason::Transient, &mut debt).is_some()).count();
        assert_eq!(granted, 100);
        retries.succeeded(&Debt::default());
        assert_eq!(retries.pause_after(1, Reason::Transient, &mut debt), None);
        retries.succeeded(&debt);
        assert!(retries.pause_after(1, Reason::Transient, &mut Debt::default()).is_some());
        assert_eq!(retries.pause_after(1, Reason::Timeout, &mut Debt::default()), None);
    }
}
