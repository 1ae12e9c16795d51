//! `watchkeeper demo`: one command, from nothing to the violations of drifting traffic.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::Folder;

/// What follows a text up to the end of its line.
fn after<'a>(shown: &'a str, text: &str) -> &'a str {
    let (_, rest) = shown.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {shown}"));
    rest.lines().next().unwrap()
}

#[test]
fn good_traffic_is_quiet_and_drifting_traffic_is_not() {
    let folder = Folder::new();
    let arguments = ["demo", "--exit", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    let ran = folder.run(&arguments).ended(0);
    let shown = &ran.stdout;
    assert_eq!(ran.stderr, "");
    let (good, drifting) = shown.split_once("drifting requests").unwrap_or_else(|| panic!("{shown}"));
    assert!(good.contains(": no violations in ") && !good.contains('✗'), "{shown}");
    assert!(drifting.contains('✗'), "{shown}");
    // What examples/churn/drift.py has done to the columns, and what the model makes of it.
    for (feature, check) in [
        ("Day Mins", "baseline drift"),
        ("Night Mins", "baseline drift"),
        ("prediction", "baseline drift"),
        ("Intl Calls", "data type"),
    ] {
        let is_found = |line: &str| line.starts_with(feature) && line.contains(check);
        assert!(drifting.lines().any(is_found), "{feature}: {shown}");
    }
    assert!(drifting.contains("4 violations in "), "{shown}");

    let report = Path::new(after(shown, "report: "));
    let html = std::fs::read_to_string(report).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("Day Mins"), "{}", &html[..200]);
    let kept = folder.json("data/demo/churn/drifting/constraint_violations.json");
    assert_eq!(kept["violations"].as_array().map(Vec::len), Some(4));
    assert!(!folder.has("data/demo/churn/good/constraint_violations.json"));
    let described: Value = folder.json("data/demo/churn/baseline/statistics.json");
    assert_eq!(described["dataset"]["item_count"], 1333);
}

#[test]
fn it_stays_up_for_scripts_and_finds_another_port_where_its_own_is_taken() {
    let folder = Folder::new();
    // Where somebody else has it, it is taken as well.
    let _taken = TcpListener::bind("127.0.0.1:8470");
    let mut demo = folder.command(&["demo", "--data-dir", "data"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let address = first.trim_end().rsplit_once("http://127.0.0.1:").unwrap_or_else(|| panic!("{first}")).1;
    assert_ne!(address, "8470");
    while !first.contains("In another shell:") {
        assert!(lines.read_line(&mut first).unwrap() > 0, "{first}");
    }
    let shown = folder.run(&["executions", "churn", "--data-dir", "data"]).ended(0).stdout;
    assert!(shown.contains("CompletedWithViolations"), "{shown}");
    kill(Pid::from_raw(demo.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(demo.wait().unwrap().success(), "{first}{rest}");
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = folder.run(&["demo", "--exit", "--listen", &address, "--data-dir", "data"]).ended(2);
    assert!(ran.stderr.contains(&format!("cannot listen on {address}")), "{}", ran.stderr);
}

#[test]
fn one_that_cannot_start_leaves_no_folder() {
    let folder = Folder::new();
    folder.write("temporary/keep", "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = folder.command(&["demo", "--exit", "--listen", &address]);
    let ended = command.env("TMPDIR", folder.path("temporary")).stderr(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(2));
    assert_eq!(folder.names("temporary"), ["keep"]);
}

#[test]
fn one_that_is_ended_before_it_has_shown_anything_has_failed() {
    let folder = Folder::new();
    let mut command = folder.command(&["demo", "--exit", "--listen", "127.0.0.1:0", "--data-dir", "data"]);
    let mut demo = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    kill(Pid::from_raw(demo.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = demo.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("ended by a signal"), "{ended:?}");
}
