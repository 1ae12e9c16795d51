//! Servers that take no more than so many connections at once, and say nothing to the others.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper_analyzer::predictor::{Answers, Model};

use super::server::{Reply, Server, ok, refuse};
use super::{ask, csv_model, doubled, numbered, records_of, scores};

/// What a request takes the model.
const COST: Duration = Duration::from_millis(20);

fn answer_after(cost: Duration, body: &str) -> Reply {
    // Nobody sends: a model that is at work for so long.
    let (_working, done) = mpsc::channel::<()>();
    let _ = done.recv_timeout(cost);
    ok(doubled(body))
}

/// Asks for many different records from three threads at once, a hundred requests in all.
fn ask_from_three_threads(model: &Model) {
    thread::scope(|scope| {
        for part in 0..3_usize {
            scope.spawn(move || {
                for round in 0..10_usize {
                    let first = (part * 10 + round) * 1000;
                    let records = records_of((first..first + 1000).map(|number| number.to_string()));
                    let answers: Answers = ask(model, &records).unwrap();
                    assert!(answers.failures.is_empty(), "{:?}", answers.failures.first());
                    let expected: Vec<f64> = (first..first + 1000).map(|number| 2.0 * number as f64).collect();
                    assert_eq!(scores(&answers), expected);
                }
            });
        }
    });
    assert_eq!(model.asked().records, 30_000);
}

#[test]
fn a_server_of_one_thread_that_keeps_connections_alive_is_asked_over_one() {
    let server = Server::of_threads(1, "1.1", |request| answer_after(COST, &request.body));
    let model = csv_model(&server);
    let begun = Instant::now();
    ask_from_three_threads(&model);
    let taken = begun.elapsed();
    let ideal = COST * server.received().len() as u32;
    assert!(
        taken < 2 * ideal + Duration::from_secs(2),
        "{taken:?} for {} requests of {COST:?}",
        server.received().len()
    );
    assert!(model.asked().retries <= 2, "{} retries", model.asked().retries);
    // What was taken back never came as far as the model.
    assert_eq!(server.received().len() as u64, model.asked().requests - model.asked().retries);
}

#[test]
fn what_waits_beside_an_idle_connection_that_works_waits_for_no_second() {
    let server = Server::of_threads(1, "1.1", |request| answer_after(Duration::from_millis(1), &request.body));
    let model = csv_model(&server);
    let begun = Instant::now();
    let answers = ask(&model, &numbered(300)).unwrap();
    assert!(answers.failures.is_empty() && answers.answers.iter().all(Option::is_some));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_server_of_one_thread_gets_all_its_answers() {
    // Its first answer comes after others were tried.
    let server = Server::of_threads(1, "1.1", |request| answer_after(Duration::from_millis(600), &request.body));
    let model = csv_model(&server);
    let begun = Instant::now();
    let answers = ask(&model, &numbered(300)).unwrap();
    assert!(answers.failures.is_empty() && answers.answers.iter().all(Option::is_some));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_ends_the_connection_with_each_answer_is_asked_again() {
    for threads in [1, 3] {
        let server = Server::of_threads(threads, "1.0", |request| answer_after(COST, &request.body));
        let model = csv_model(&server);
        ask_from_three_threads(&model);
        assert_eq!(model.asked().retries, 0);
        assert!(server.most_under_way() <= threads);
    }
}

#[test]
fn a_server_of_two_threads_has_both_busy() {
    let server = Server::of_threads(2, "1.1", |request| answer_after(COST, &request.body));
    let model = csv_model(&server);
    ask_from_three_threads(&model);
    assert_eq!(server.most_under_way(), 2);
    assert!(model.asked().retries <= 3, "{} retries", model.asked().retries);
}

#[test]
fn a_server_that_refuses_what_is_more_than_it_can_take_is_asked_as_much_as_it_can() {
    let under_way = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request| {
        use std::sync::atomic::Ordering::SeqCst;
        let reply = if under_way.fetch_add(1, SeqCst) < 2 {
            answer_after(COST, &request.body)
        } else {
            refuse(503, "two at a time")
        };
        under_way.fetch_sub(1, SeqCst);
        reply
    });
    let model = csv_model(&server);
    ask_from_three_threads(&model);
    assert!(model.asked().retries <= 3, "{} retries", model.asked().retries);
}
