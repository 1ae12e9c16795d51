//! How a model is asked: in which requests, how often, and what comes of failures.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper_analyzer::predictor::{ModelPlace, PredictorError};
use watchkeeper_formats::clarify::PredictorConfig;

use super::server::{Reply, Server, ok, refuse};
use super::{Watcher, ask, csv_model, doubled, numbered, open, records_of, scores};

fn all_doubled(count: usize) -> Vec<f64> {
    (0..count).map(|number| 2.0 * number as f64).collect()
}

#[test]
fn answers_stand_in_the_order_of_the_records() {
    let server = Server::start(|request| ok(doubled(&request.body)));
    let model = csv_model(&server);
    let answers = ask(&model, &numbered(20_000)).unwrap();
    assert_eq!(scores(&answers), all_doubled(20_000));
    assert_eq!((model.asked().records, model.asked().retries), (20_000, 0));
    assert_eq!(model.asked().requests, server.received().len() as u64);
    assert!(server.received().len() <= 8, "{} requests", server.received().len());
}

#[test]
fn equal_records_are_asked_for_once() {
    let server = Server::start(|request| ok(doubled(&request.body)));
    let model = csv_model(&server);
    let records = records_of((0..3000).map(|number| (number % 7).to_string()));
    let answers = ask(&model, &records).unwrap();
    assert_eq!(scores(&answers), (0..3000).map(|number| f64::from(number % 7) * 2.0).collect::<Vec<_>>());
    let requests = server.received();
    let lines: Vec<&str> = requests.iter().flat_map(|request| request.lines()).collect();
    assert_eq!((lines.len(), lines.iter().collect::<HashSet<_>>().len()), (7, 7));
    assert_eq!(model.asked().records, 3000);
}

#[test]
fn several_requests_are_under_way_and_no_more_than_allowed() {
    let arrived = (Mutex::new(0), Condvar::new());
    let server = Server::start(move |request| {
        let (count, more) = &arrived;
        let mut count = count.lock().unwrap();
        *count += 1;
        more.notify_all();
        // The first one gets no answer before there is another.
        let (count, waited) = more.wait_timeout_while(count, Duration::from_secs(20), |count| *count < 2).unwrap();
        assert!(!waited.timed_out());
        drop(count);
        ok(doubled(&request.body))
    });
    let model = csv_model(&server);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(scores(&ask(&model, &numbered(2000)).unwrap()), all_doubled(2000)));
        }
    });
    let allowed = (2 * thread::available_parallelism().unwrap().get()).min(16);
    assert!((2..=allowed).contains(&server.most_under_way()), "{} under way", server.most_under_way());
}

#[test]
fn a_model_that_is_busy_is_asked_again() {
    let requests = AtomicUsize::new(0);
    let server = Server::start(move |request| match requests.fetch_add(1, Ordering::SeqCst) {
        0 => refuse(503, "starting"),
        1 => Reply::Answer(429, vec![("retry-after", "1".to_owned())], "slowly".to_owned()),
        2 => Reply::Close,
        3 => refuse(504, ""),
        _ => ok(doubled(&request.body)),
    });
    let model = csv_model(&server);
    let started = Instant::now();
    assert_eq!(scores(&ask(&model, &numbered(3)).unwrap()), all_doubled(3));
    assert!(started.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    assert_eq!((model.asked().requests, model.asked().retries), (5, 4));
}

#[test]
fn requests_that_are_too_large_are_halved() {
    for refusal in [(413, ""), (400, "Request body too large: 512 records at most")] {
        let server = Server::start(move |request| match request.lines().len() {
            0..=100 => ok(doubled(&request.body)),
            _ => refuse(refusal.0, refusal.1),
        });
        let model = csv_model(&server);
        let watcher = Watcher::default();
        let answers = model.ask(&numbered(2000), &watcher).unwrap();
        assert_eq!(scores(&answers), all_doubled(2000));
        assert!(watcher.log_text().contains("to fit max payload size limit."), "{}", watcher.log_text());
        let before = server.received().len();
        assert_eq!(scores(&ask(&model, &numbered(2000)).unwrap()), all_doubled(2000));
        let refused = server.received()[before..].iter().filter(|request| request.lines().len() > 100).count();
        assert_eq!(refused, 0, "what was learned is kept");
    }
}

#[test]
fn an_answer_that_is_too_long_is_not_asked_for_again() {
    let endless = "1,".repeat(33 << 20);
    let server =
        Server::start(
            move |request| {
                if request.lines().contains(&"7") { ok(endless.clone()) } else { ok(doubled(&request.body)) }
            },
        );
    let answers = ask(&csv_model(&server), &numbered(8)).unwrap();
    assert_eq!(answers.failures, [(7, "an answer of more than 64 MiB; the request was `7`".to_owned())]);
    assert!(server.received().len() < 16, "{} requests", server.received().len());
}

#[test]
fn the_records_on_which_a_model_fails_are_found() {
    let server = Server::start(|request| match request.lines().iter().find(|line| line.ends_with("77")) {
        Some(line) => refuse(500, &format!("ValueError: {line} is beyond me")),
        None => ok(doubled(&request.body)),
    });
    let model = csv_model(&server);
    let watcher = Watcher::default();
    let answers = model.ask(&numbered(1000), &watcher).unwrap();
    let failed: Vec<usize> = answers.failures.iter().map(|(place, _)| *place).collect();
    assert_eq!(failed, (0..10).map(|hundred| 100 * hundred + 77).collect::<Vec<_>>());
    assert_eq!(answers.failures[1].1, "status 500: ValueError: 177 is beyond me; the request was `177`");
    for (place, answer) in answers.answers.iter().enumerate() {
        assert_eq!(answer.is_none(), failed.contains(&place));
    }
    assert!(!answers.gave_up);
    assert!(
        watcher.log_text().contains("Fallback to per-record prediction because of model error. status 500: ValueError"),
        "{}",
        watcher.log_text()
    );
    assert!(server.received().len() < 600, "{} requests", server.received().len());
}

#[test]
fn a_failing_record_fails_at_each_of_its_places() {
    let server =
        Server::start(
            |request| {
                if request.lines().contains(&"1") { refuse(400, "no") } else { ok(doubled(&request.body)) }
            },
        );
    let records = records_of(["1", "2", "1", "3"].map(str::to_owned));
    let answers = ask(&csv_model(&server), &records).unwrap();
    assert_eq!(answers.failures.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 2]);
    assert!(answers.answers[1].is_some() && answers.answers[3].is_some());
}

#[test]
fn an_empty_answer_and_a_broken_connection_are_failures_of_the_model() {
    let server = Server::start(|request| match request.lines()[..] {
        ["3"] => ok(""),
        _ if request.lines().contains(&"3") => Reply::Close,
        _ => ok(doubled(&request.body)),
    });
    let model = csv_model(&server);
    assert_eq!(scores(&ask(&model, &numbered(3)).unwrap()), all_doubled(3));
    let answers = ask(&model, &numbered(4)).unwrap();
    assert_eq!(answers.failures, [(3, "an empty answer; the request was `3`".to_owned())]);
}

#[test]
fn a_model_that_takes_single_records_alone_is_found_out() {
    let server = Server::start(|request| match request.lines().len() {
        1 => ok(doubled(&request.body)),
        _ => refuse(500, "one at a time"),
    });
    let model = csv_model(&server);
    let watcher = Watcher::default();
    assert_eq!(scores(&model.ask(&numbered(500), &watcher).unwrap()), all_doubled(500));
    assert!(
        watcher.log_text().contains("reduced to 1 as the model takes single records alone"),
        "{}",
        watcher.log_text()
    );
    let before = server.received().len();
    assert_eq!(scores(&ask(&model, &numbered(500)).unwrap()), all_doubled(500));
    assert_eq!(server.received().len() - before, 500);
}

#[test]
fn a_model_that_fails_on_everything_is_given_up() {
    let server = Server::start(|_| refuse(500, "model.pkl is broken"));
    let model = csv_model(&server);
    let answers = ask(&model, &numbered(5000)).unwrap();
    assert!(answers.gave_up);
    assert!((100..200).contains(&answers.failures.len()), "{} failures", answers.failures.len());
    assert!(answers.failures.iter().all(|(_, words)| words.starts_with("status 500: model.pkl is broken")));
    assert!(answers.answers.iter().all(Option::is_none));
    let before = server.received().len();
    assert!(ask(&model, &numbered(10)).unwrap().gave_up);
    assert_eq!(server.received().len(), before, "it is not asked again");
}

#[test]
fn a_thousand_failures_are_enough() {
    let server = Server::start(|request| {
        let numbers: Vec<usize> = request.lines().iter().map(|line| line.parse().unwrap()).collect();
        if numbers.iter().any(|number| number % 2 == 1) { refuse(400, "odd") } else { ok(doubled(&request.body)) }
    });
    let answers = ask(&csv_model(&server), &numbered(4000)).unwrap();
    assert!(answers.gave_up);
    assert!((1000..1100).contains(&answers.failures.len()), "{} failures", answers.failures.len());
    assert!(answers.answers.iter().filter(|answer| answer.is_some()).count() > 900);
}

#[test]
fn a_silent_model_is_named_so() {
    let server = Server::start(|_| Reply::Silence);
    let model = csv_model(&server).with_timeout(Duration::from_secs(1));
    let error = ask(&model, &numbered(1000)).unwrap_err();
    assert!(matches!(error, PredictorError::Unavailable(_)), "{error:?}");
    // Several find out together whether there is an answer to a single record.
    let text = error.to_string();
    let record = text.strip_prefix("the model does not answer: no answer within 1 seconds to the request `");
    let record = record.and_then(|text| text.strip_suffix('`')).unwrap_or_else(|| panic!("{text}"));
    assert!(record.parse::<u32>().is_ok_and(|record| record < 1000), "{text}");
}

#[test]
fn a_model_that_is_too_slow_for_many_records_gets_fewer() {
    let server = Server::start(|request| match request.lines().len() {
        0..=100 => ok(doubled(&request.body)),
        _ => Reply::Silence,
    });
    let model = csv_model(&server).with_timeout(Duration::from_secs(1));
    let watcher = Watcher::default();
    assert_eq!(scores(&model.ask(&numbered(1000), &watcher).unwrap()), all_doubled(1000));
    assert!(watcher.log_text().contains("as there was no answer within 1 seconds"), "{}", watcher.log_text());
}

#[test]
fn a_record_that_never_gets_an_answer_is_a_failure_of_its_own() {
    let server =
        Server::start(
            |request| {
                if request.lines().contains(&"5") { Reply::Silence } else { ok(doubled(&request.body)) }
            },
        );
    let model = csv_model(&server).with_timeout(Duration::from_secs(1));
    assert_eq!(scores(&ask(&model, &numbered(5)).unwrap()), all_doubled(5));
    let answers = ask(&model, &numbered(8)).unwrap();
    assert_eq!(answers.failures, [(5, "no answer within 1 seconds; the request was `5`".to_owned())]);
}

#[test]
fn a_record_that_hangs_does_not_make_the_requests_of_others_small() {
    let server =
        Server::start(
            |request| {
                if request.lines().contains(&"70") { Reply::Silence } else { ok(doubled(&request.body)) }
            },
        );
    let model = csv_model(&server).with_timeout(Duration::from_secs(1));
    let answers = ask(&model, &numbered(1000)).unwrap();
    assert_eq!(answers.failures, [(70, "no answer within 1 seconds; the request was `70`".to_owned())]);
    let before = server.received().len();
    let others = records_of((1000..3000).map(|number| number.to_string()));
    assert!(ask(&model, &others).unwrap().failures.is_empty());
    assert!(server.received().len() - before <= 16, "{} requests", server.received().len() - before);
}

#[test]
fn one_long_record_does_not_make_the_requests_of_others_small() {
    let server = Server::start(|request| match request.body.len() {
        0..=2_000_000 => ok(vec!["1"; request.lines().len()].join("\n")),
        _ => refuse(413, "too long"),
    });
    let model = csv_model(&server);
    let long = records_of((0..1000).map(|number| number.to_string()).chain([format!("1{}", "0".repeat(4_000_000))]));
    let answers = ask(&model, &long).unwrap();
    assert_eq!(answers.failures.len(), 1);
    assert!(answers.failures[0].0 == 1000 && answers.failures[0].1.starts_with("status 413: too long"));
    let before = server.received().len();
    assert!(ask(&model, &numbered(4000)).unwrap().failures.is_empty());
    assert!(server.received().len() - before <= 16, "{} requests", server.received().len() - before);
}

#[test]
fn an_address_where_nobody_is_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = ModelPlace::Url(format!("http://{nobody}/"));
    let model = open(&PredictorConfig::default(), &place, &["x"]).unwrap();
    let error = ask(&model, &numbered(10)).unwrap_err();
    assert!(matches!(error, PredictorError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().starts_with("the model cannot be reached: "), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
}

#[test]
fn a_server_that_knows_no_such_address_ends_it_at_once() {
    let server = Server::start(|_| refuse(404, "nothing here"));
    let error = ask(&csv_model(&server), &numbered(10)).unwrap_err();
    assert_eq!(error.to_string(), "the model cannot be asked: status 404: nothing here");
    assert_eq!(server.received().len(), 1);
}

#[test]
fn addresses_that_are_none_are_refused() {
    for (url, expected) in [
        ("localhost:80", "it must be http://HOST… or https://HOST…"),
        ("ftp://example.com/", "it must be http://HOST… or https://HOST…"),
        ("http://", "the model's URL \"http://\" cannot be used"),
    ] {
        let opened = open(&PredictorConfig::default(), &ModelPlace::Url(url.to_owned()), &["x"]).map(drop);
        let error = opened.unwrap_err();
        assert!(matches!(error, PredictorError::Configuration(_)) && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_job_that_is_stopped_stops_asking_within_a_second() {
    let server = Server::start(|_| Reply::Silence);
    let model = csv_model(&server);
    let watcher = Watcher::default();
    thread::scope(|scope| {
        let asking = scope.spawn(|| (model.ask(&numbered(10), &watcher), Instant::now()));
        while server.received().is_empty() {
            thread::yield_now();
        }
        let stopped = Instant::now();
        watcher.stop();
        let (outcome, ended) = asking.join().unwrap();
        assert!(matches!(outcome, Err(PredictorError::Stopped)), "{outcome:?}");
        assert!(ended - stopped < Duration::from_secs(1));
    });
}

#[test]
fn nothing_is_asked_for_no_records() {
    let server = Server::start(|_| refuse(500, ""));
    let answers = ask(&csv_model(&server), &numbered(0)).unwrap();
    assert!(answers.answers.is_empty() && server.received().is_empty());
}
