//! Waiting for what happens elsewhere: in another thread, another program, or a server.

use std::time::{Duration, Instant};

/// Waits until a condition holds, which nobody announces.
pub async fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_mins(1), "it does not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
