//! An analysis that a signal ends: no model is left running, and what was computed is not lost.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{Folder, Ran};
use crate::proxy::message;

/// A model server that answers for so many records, then keeps whoever asks waiting.
struct Model {
    url: String,
    answered: Arc<AtomicUsize>,
    stalled: Arc<(Mutex<bool>, Condvar)>,
}

impl Model {
    fn of(records: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let model = Self { url, answered: Arc::default(), stalled: Arc::default() };
        let (answered, stalled) = (Arc::clone(&model.answered), Arc::clone(&model.stalled));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answered, stalled) = (Arc::clone(&answered), Arc::clone(&stalled));
                std::thread::spawn(
                    move || while answer(stream.as_ref().unwrap(), records, &answered, &stalled).is_some() {},
                );
            }
        });
        model
    }

    fn wait_until_stalled(&self) {
        let (stalled, changed) = &*self.stalled;
        let wait = changed.wait_timeout_while(stalled.lock().unwrap(), Duration::from_mins(1), |stalled| !*stalled);
        assert!(*wait.unwrap().0, "the model has not been asked for enough");
    }
}

fn answer(stream: &TcpStream, limit: usize, answered: &AtomicUsize, stalled: &(Mutex<bool>, Condvar)) -> Option<()> {
    let (_, body) = message(&mut BufReader::new(stream))?;
    if answered.fetch_add(body.lines().count(), Ordering::Relaxed) > limit {
        *stalled.0.lock().unwrap() = true;
        stalled.1.notify_all();
        loop {
            std::thread::park();
        }
    }
    let score = |line: &str| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        format!("{}\n", cells[0] * cells[1] - cells[2])
    };
    let answer: String = body.lines().map(score).collect();
    let length = answer.len();
    let mut stream = stream;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + &answer).as_bytes()).ok()
}

fn arguments(model: &Model) -> [&str; 8] {
    ["explain", "data.csv", "--model", &model.url, "--baseline-rows", "rows.csv", "-o", "out"]
}

#[test]
fn an_explanation_goes_on_from_what_it_had_computed() {
    let folder = Folder::new();
    let rows = 4000;
    let lines: Vec<String> = (1..=rows).map(|row| format!("{row},{},{}", row % 7 + 1, row % 11 + 1)).collect();
    folder.write("data.csv", format!("a,b,c\n{}\n", lines.join("\n")));
    folder.write("rows.csv", "0,0,0\n");
    // A row takes itself and six coalitions.
    let stalling = Model::of(rows * 7 / 2);
    let child = folder.command(&arguments(&stalling)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    stalling.wait_until_stalled();
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let asked = Instant::now();
    let ran = Ran::of(child.wait_with_output().unwrap()).ended(2);
    assert!(asked.elapsed() < Duration::from_secs(5));
    let kept = "Stopped before the end; nothing was written; what was computed is kept in out/.resume, and the same command goes on from there";
    assert!(ran.stderr.ends_with(&format!("Error: {kept}\n")), "{}", ran.stderr);
    assert_eq!(folder.names("out"), [".resume/attributions.partial"]);

    let willing = Model::of(usize::MAX / 2);
    let ran = folder.run(&arguments(&willing)).ended(0);
    let again = willing.answered.load(Ordering::Relaxed);
    assert!(again < rows * 7 * 3 / 4, "{again} records were asked for again: {}", ran.stderr);
    assert!(!folder.has("out/.resume"));
    let resumed = folder.read("out/explanations_shap/out.csv");
    folder.run(&[&arguments(&willing)[..7], &["in-one-go"]].concat()).ended(0);
    assert_eq!(folder.read("in-one-go/explanations_shap/out.csv"), resumed);
}

#[test]
fn no_model_process_is_left() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = Folder::new();
        folder.write("data.csv", "a,y\n1,0\n2,1\n");
        folder.write("rows.csv", "0\n");
        // Its shell and a child of that.
        let model = "echo $$ > shell.pid; sleep 60 & echo $! > child.pid; wait";
        let words =
            ["explain", "data.csv", "--label", "y", "--baseline-rows", "rows.csv", "--model", model, "-o", "out"];
        let child = folder.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let is_written = |name: &str| folder.has(name) && folder.read(name).ends_with('\n');
        while !is_written("child.pid") {
            assert!(Instant::now() < deadline, "the model was not started");
            std::thread::yield_now();
        }
        let processes = ["shell.pid", "child.pid"].map(|name| Pid::from_raw(folder.read(name).trim().parse().unwrap()));
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap()).ended(2);
        assert!(ran.stderr.contains("Error: Stopped before the end"), "{}", ran.stderr);
        for process in processes {
            // One that was killed may be waited for by nobody but the machine's first process, which takes a moment.
            while kill(process, None).is_ok() {
                let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
                if status.is_empty() || status.contains(") Z ") {
                    break;
                }
                assert!(Instant::now() < deadline, "process {process} is still there");
                std::thread::yield_now();
            }
        }
        assert!(!folder.has("out/analysis.json"));
    }
}
