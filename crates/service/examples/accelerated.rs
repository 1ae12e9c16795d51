//! A service whose clock runs faster than the machine's, for `bench/soak.py`: hours of schedules and retention in minutes.
//!
//!     accelerated CONFIG.toml FACTOR
//!
//! Prints `Watchkeeper is listening on …` and the moment at which both clocks agreed, in milliseconds since 1970, and serves
//! until its standard input ends.

#![allow(clippy::print_stdout, reason = "its output is read by the bench")]

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use watchkeeper_service::configuration::Sources;
use watchkeeper_service::context::Clock;
use watchkeeper_service::{Configuration, Service};

/// The machine's clock at the start, and so many times as fast from then on.
struct AcceleratedClock {
    start: Timestamp,
    begun: Instant,
    factor: u32,
}

impl Clock for AcceleratedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begun.elapsed() * self.factor).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("the first argument is a configuration file")?;
    let factor = arguments.next().ok_or("the second argument is how many times as fast the clock runs")?.parse()?;
    let sources = Sources { file: Some(file.into()), variables: std::env::vars().collect(), ..Sources::default() };
    let configuration = Configuration::load(&sources)?.configuration;
    let clock = AcceleratedClock { start: Timestamp::now(), begun: Instant::now(), factor };
    let start = clock.start.as_millisecond();
    let service = Service::start_at(configuration, Arc::new(clock)).await?;
    println!("Watchkeeper is listening on http://{}", service.address());
    println!("{start}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    service.shutdown().await;
    Ok(())
}
