//! The worker process: started, fed, watched, and gone when the job is done with it.
//!
//! Three threads stand between the job and the pipes, so that nobody can block anybody: one writes requests, one reads
//! replies, one reads the log. The last two feed one bounded queue that the job's own thread empties while it waits;
//! a script that prints megabytes is slowed down by that and holds no memory here.
//!
//! The worker runs in a process group of its own, which is killed as a whole. It is started *by the thread that writes
//! requests*, because Linux sends the signal a worker asks for at its parent's death when the parent *thread* dies; that
//! thread lives exactly as long as the [`Worker`], whichever thread of the job uses it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

use super::error::Stage;
use crate::Observer;

const WORKER_SOURCE: &str = include_str!("worker.py");

/// The variable that names another interpreter.
const PYTHON_VARIABLE: &str = "WATCHKEEPER_PYTHON";

/// What the worker writes to the log after each reply (`LOG_MARKER` there), without the line end.
const LOG_MARKER: &[u8] = b"\x1ewatchkeeper: end of batch\x1e";

/// The longest piece of a line that is held and logged.
const LONGEST_LINE: usize = 64 * 1024;

/// Pieces of the log that may wait: together with their length, what a script's prints can occupy here.
const QUEUED_EVENTS: usize = 16;

/// How often a waiting job looks whether it shall stop.
const POLL: Duration = Duration::from_millis(50);

/// How long to wait for what is certain to come from a process that ends or was killed.
const GRACE: Duration = Duration::from_secs(1);

enum Event {
    Printed(String),
    Marker,
    LogEnded,
    Reply(Vec<u8>),
    RepliesEnded,
}

/// Why a worker gave no reply.
#[derive(Debug)]
pub(super) enum Interruption {
    /// It ended, with this status, or (`None`) only closed its end.
    Ended(Option<ExitStatus>),
    TimeLimit,
    Stopped,
}

/// A running interpreter with a user's script.
pub(super) struct Worker<'a> {
    child: Child,
    /// `None` once the worker is gone.
    requests: Option<Sender<Vec<u8>>>,
    events: Receiver<Event>,
    /// Keeps the queue open when both readers have ended, so that waiting for an event waits.
    _event_sender: SyncSender<Event>,
    log_ended: bool,
    /// Holds the number of the record that the script has in hand; the worker keeps it mapped into its memory, so it is
    /// right however the process ends.
    position_file: NamedTempFile,
    time_limit: Duration,
    observer: &'a dyn Observer,
}

impl<'a> Worker<'a> {
    /// Starts the interpreter; the first reply, without a request, tells that the script is loaded.
    pub(super) fn start(
        stage: Stage,
        script: &Path,
        variables: &BTreeMap<String, String>,
        time_limit: Duration,
        observer: &'a dyn Observer,
    ) -> io::Result<Self> {
        let position_file = new_position_file()
            .map_err(|error| io::Error::other(format!("no file in the folder for temporary files: {error}")))?;

        let mut command = Command::new(interpreter(variables));
        command.args(["-B", "-c", WORKER_SOURCE, &stage.to_string()]).arg(script).arg(position_file.path());
        command.envs(variables).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());

        let (requests, request_queue) = mpsc::channel();
        let mut child = start_with_writer(command, request_queue)?;
        let (event_sender, events) = mpsc::sync_channel(QUEUED_EVENTS);
        let replies = child.stdout.take().expect("standard output was asked to be a pipe");
        let log = child.stderr.take().expect("standard error was asked to be a pipe");
        // From here on a failure drops the worker, which kills the process.
        let worker = Self {
            child,
            requests: Some(requests),
            events,
            _event_sender: event_sender.clone(),
            log_ended: false,
            position_file,
            time_limit,
            observer,
        };
        let reply_sender = event_sender.clone();
        thread::Builder::new().name("script-replies".to_owned()).spawn(move || read_replies(replies, &reply_sender))?;
        thread::Builder::new().name("script-log".to_owned()).spawn(move || read_log(log, &event_sender))?;
        Ok(worker)
    }

    /// Sends a request, if there is one, and waits for the reply. `print` gets what the script printed up to it.
    pub(super) fn exchange(
        &mut self,
        request: Option<Vec<u8>>,
        print: &mut dyn FnMut(&str),
    ) -> Result<Vec<u8>, Interruption> {
        if let (Some(request), Some(requests)) = (request, &self.requests) {
            // The writer ends only after this sender does.
            let _ = requests.send(request);
        }
        let deadline = Instant::now() + self.time_limit;
        let mut process_ended_at = None;
        let mut reply = None;
        let mut marked = false;
        loop {
            if self.observer.stopped() {
                return Err(Interruption::Stopped);
            }
            if marked && reply.is_some() {
                return Ok(reply.unwrap_or_default());
            }
            if Instant::now() >= deadline {
                self.show_where_it_hangs(print);
                return Err(Interruption::TimeLimit);
            }
            match self.next_event(print) {
                Some(Event::Reply(bytes)) => reply = Some(bytes),
                Some(Event::Marker) => marked = true,
                Some(Event::RepliesEnded) if reply.is_none() => return Err(Interruption::Ended(self.end(print))),
                // A child of the worker may hold the pipes open when the worker itself is gone.
                None if self.has_exited() => {
                    let ended_at = *process_ended_at.get_or_insert_with(Instant::now);
                    if ended_at.elapsed() > 2 * POLL {
                        return Err(Interruption::Ended(self.end(print)));
                    }
                }
                Some(_) | None => {}
            }
            marked |= self.log_ended;
        }
    }

    /// The number of the record that the script has or had in hand, counted from one; 0 before the first.
    pub(super) fn position(&self) -> u64 {
        let bytes = fs::read(self.position_file.path()).unwrap_or_default();
        bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Lets the interpreter end in order (threads joined, exit handlers run).
    pub(super) fn finish(mut self, print: &mut dyn FnMut(&str)) -> Result<(), Interruption> {
        if let Some(requests) = &self.requests {
            let _ = requests.send(0_u64.to_le_bytes().to_vec());
        }
        let deadline = Instant::now() + self.time_limit;
        while !self.has_exited() {
            if self.observer.stopped() {
                return Err(Interruption::Stopped);
            }
            if Instant::now() >= deadline {
                self.show_where_it_hangs(print);
                return Err(Interruption::TimeLimit);
            }
            // The end of both pipes is the end of the process, give or take the moment it needs to become a zombie.
            if let Some(Event::RepliesEnded) = self.next_event(print) {
                self.wait_for_exit(print);
            }
        }
        match self.end(print) {
            Some(status) if status.success() => Ok(()),
            status => Err(Interruption::Ended(status)),
        }
    }

    /// Takes one event, giving what was printed to `print`; waits a moment if there is none.
    fn next_event(&mut self, print: &mut dyn FnMut(&str)) -> Option<Event> {
        self.event_within(POLL, print)
    }

    fn event_within(&mut self, moment: Duration, print: &mut dyn FnMut(&str)) -> Option<Event> {
        match self.events.recv_timeout(moment) {
            Ok(Event::Printed(line)) => {
                print(&line);
                Some(Event::Printed(line))
            }
            Ok(Event::LogEnded) => {
                self.log_ended = true;
                Some(Event::LogEnded)
            }
            Ok(event) => Some(event),
            Err(_) => None,
        }
    }

    /// What remains when the worker ends by itself: its status, what it printed last, and the rest of its group.
    fn end(&mut self, print: &mut dyn FnMut(&str)) -> Option<ExitStatus> {
        self.wait_for_exit(print);
        let status = self.child.try_wait().ok().flatten();
        self.kill();
        let deadline = Instant::now() + GRACE;
        while !self.log_ended && Instant::now() < deadline {
            self.next_event(print);
        }
        status
    }

    fn wait_for_exit(&mut self, print: &mut dyn FnMut(&str)) {
        let deadline = Instant::now() + GRACE;
        while !self.has_exited() && Instant::now() < deadline {
            self.event_within(Duration::from_millis(1), print);
        }
    }

    /// Has the worker write where it is, for a moment.
    fn show_where_it_hangs(&mut self, print: &mut dyn FnMut(&str)) {
        if let Some(group) = self.group() {
            let _ = nix::sys::signal::kill(group, Signal::SIGUSR1);
        }
        let deadline = Instant::now() + GRACE;
        let mut answered = false;
        while Instant::now() < deadline {
            match self.next_event(print) {
                Some(_) => answered = true,
                None if answered => break,
                None => {}
            }
        }
    }

    fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The worker's process group, which has its process number.
    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().map(Pid::from_raw)
    }

    /// Kills the worker and its children, and reaps it. Children outlive it in its group, hence also when it has ended.
    fn kill(&mut self) {
        if self.requests.take().is_none() {
            return;
        }
        if let Some(group) = self.group() {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

fn new_position_file() -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(&0_u64.to_le_bytes())?;
    Ok(file)
}

/// The interpreter that runs the scripts of a job with these variables.
pub(super) fn interpreter(variables: &BTreeMap<String, String>) -> &str {
    variables.get(PYTHON_VARIABLE).filter(|program| !program.is_empty()).map_or("python3", String::as_str)
}

fn start_with_writer(mut command: Command, request_queue: Receiver<Vec<u8>>) -> io::Result<Child> {
    let (started, child) = mpsc::sync_channel(1);
    thread::Builder::new().name("script-requests".to_owned()).spawn(move || {
        let mut child = command.spawn();
        let pipe = child.as_mut().ok().and_then(|child| child.stdin.take());
        if started.send(child).is_ok()
            && let Some(mut pipe) = pipe
        {
            for request in request_queue {
                // A worker that no longer reads is found out by its missing reply.
                let _ = pipe.write_all(&request);
            }
        }
    })?;
    child.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that starts the interpreter ended")))
}

/// Passes on each frame: its length as a 64-bit number, then that many bytes.
fn read_replies(pipe: ChildStdout, events: &SyncSender<Event>) {
    let mut pipe = BufReader::new(pipe);
    let mut header = [0; 8];
    while pipe.read_exact(&mut header).is_ok() {
        let length = u64::from_le_bytes(header);
        let mut reply = Vec::new();
        // Grows with what comes, so a length that lies takes no memory.
        if !matches!((&mut pipe).take(length).read_to_end(&mut reply), Ok(read) if read as u64 == length) {
            break;
        }
        if events.send(Event::Reply(reply)).is_err() {
            return;
        }
    }
    let _ = events.send(Event::RepliesEnded);
}

/// Passes on each line, an overlong one in pieces.
fn read_log(pipe: ChildStderr, events: &SyncSender<Event>) {
    let mut pipe = BufReader::with_capacity(LONGEST_LINE, pipe);
    let mut line = Vec::new();
    loop {
        let room = (LONGEST_LINE - line.len()) as u64;
        // An unreadable pipe is at its end.
        let _ = (&mut pipe).take(room).read_until(b'\n', &mut line);
        let complete = line.ends_with(b"\n");
        let ended = !complete && line.len() < LONGEST_LINE;
        if ended && line.is_empty() {
            break;
        }
        if complete {
            line.pop();
        }
        let marked = complete && line.ends_with(LOG_MARKER);
        let length = if marked {
            line.len() - LOG_MARKER.len()
        } else if complete || ended {
            line.len()
        } else {
            piece_length(&line)
        };
        // The marker alone is no empty line.
        if (length > 0 || !marked) && events.send(Event::Printed(logged_text(&line[..length]))).is_err() {
            return;
        }
        if marked && events.send(Event::Marker).is_err() {
            return;
        }
        if complete || ended {
            line.clear();
        } else {
            line.drain(..length);
        }
    }
    let _ = events.send(Event::LogEnded);
}

/// Where an overlong line is cut: not within a marker that may end it, nor within a character.
fn piece_length(line: &[u8]) -> usize {
    let mut length = line.len() - LOG_MARKER.len();
    while length > 1 && line[length] & 0b1100_0000 == 0b1000_0000 {
        length -= 1;
    }
    length
}

fn logged_text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}
