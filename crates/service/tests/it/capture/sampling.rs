//! Which requests are captured.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchkeeper_service::configuration::Durability;
use watchkeeper_service::hosting::capture::CaptureStream;

use super::{NEVER, World, plan, settings};

fn stream(percentage: u8) -> Arc<CaptureStream> {
    let writer = World::new().start(settings(Durability::Fast, NEVER));
    let mut plan = plan("churn");
    plan.sampling_percentage = percentage;
    writer.stream(plan)
}

fn sampled(stream: &CaptureStream, requests: usize) -> Vec<bool> {
    (0..requests).map(|_| stream.sample()).collect()
}

#[tokio::test]
async fn the_percentage_is_exact_in_every_hundred() {
    for percentage in [0, 1, 20, 50, 99, 100] {
        let sampled = sampled(&stream(percentage), 50_000);
        for block in sampled.chunks(100) {
            assert_eq!(block.iter().filter(|&&taken| taken).count(), usize::from(percentage));
        }
    }
}

#[tokio::test]
async fn the_percentage_is_exact_for_requests_at_the_same_time() {
    let stream = stream(20);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let stream = Arc::clone(&stream);
            std::thread::spawn(move || sampled(&stream, 12_500).into_iter().filter(|&taken| taken).count())
        })
        .collect();
    assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 20_000);
}

/// Traffic that repeats itself, such as one client in five, is sampled as any other.
#[tokio::test]
async fn nothing_in_the_traffic_can_be_in_step_with_it() {
    let blocks = 2000;
    for percentage in [1, 20, 50] {
        let sampled = sampled(&stream(percentage), 100 * blocks);
        for period in 1..=300 {
            let repeats = sampled.iter().zip(&sampled[period..]).all(|(one, other)| one == other);
            assert!(!repeats, "{percentage} %: it repeats after {period} requests");
        }
        // Each place of a block is taken in its share of blocks, within six standard deviations.
        let share = f64::from(percentage) / 100.0;
        let deviation = (share * (1.0 - share) / blocks as f64).sqrt();
        for place in 0..100 {
            let taken = sampled.iter().skip(place).step_by(100).filter(|&&taken| taken).count();
            let difference = (taken as f64 / blocks as f64 - share).abs();
            assert!(difference < 6.0 * deviation, "{percentage} %: place {place} was taken {taken} times");
        }
    }
}

#[tokio::test]
async fn two_streams_choose_for_themselves() {
    let chosen: BTreeSet<Vec<bool>> = (0..10).map(|_| sampled(&stream(20), 1000)).collect();
    assert_eq!(chosen.len(), 10);
}
