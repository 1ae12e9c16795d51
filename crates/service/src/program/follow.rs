//! What a program says, line by line into the job's log.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;
use watchkeeper_store::logs::LogEvent;

use crate::telemetry::program_log::ProgramLog;

/// The longest line; longer ones become several. What each byte that is no UTF-8 becomes has three bytes, so that the
/// longest event stays below the store's limit.
const LONGEST_LINE: usize = 64 << 10;
/// How many bytes are taken from the program before they have to be stored.
const LARGEST_CHUNK: usize = 256 << 10;
/// How long a line waits for others at most, when one before it was stored just now. A line after a silence waits for none.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// Reads until nobody can write any more. While a chunk is being stored nothing is read: a program that says more than can
/// be stored waits in its own write.
pub(crate) async fn follow(mut output: impl AsyncRead + Unpin, log: ProgramLog) {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 64 << 10];
    let mut events = Vec::new();
    let mut bytes = 0;
    let mut due = None;
    let mut next = Instant::now();
    loop {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let mut ended = false;
        tokio::select! {
            read = output.read(&mut buffer) => match read {
                Ok(0) | Err(_) => {
                    ended = true;
                    let timestamp = log.now();
                    events.extend(lines.end().map(|message| LogEvent { timestamp, message }));
                }
                Ok(length) => {
                    let timestamp = log.now();
                    lines.push(&buffer[..length], |message| events.push(LogEvent { timestamp, message }));
                    bytes += length;
                    due = due.or_else(|| (!events.is_empty()).then_some(next));
                }
            },
            () = wait => bytes = LARGEST_CHUNK,
        }
        if ended || bytes >= LARGEST_CHUNK {
            log.append(std::mem::take(&mut events)).await;
            (bytes, due, next) = (0, None, Instant::now() + LONGEST_WAIT);
        }
        if ended {
            return;
        }
    }
}

/// Cuts bytes into lines. Empty lines are no events.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.begun.extend_from_slice(piece);
            while self.begun.len() > LONGEST_LINE {
                let rest = self.begun.split_off(cut(&self.begun));
                take(text(&std::mem::replace(&mut self.begun, rest)));
            }
            if self.begun.ends_with(b"\n") {
                self.end().into_iter().for_each(&mut take);
            }
        }
    }

    /// The line that has begun.
    fn end(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.begun);
        let line = without_end(&line);
        (!line.is_empty()).then(|| text(line))
    }
}

/// Where a line that is too long is cut: not within a character.
fn cut(line: &[u8]) -> usize {
    let is_inside = |at: usize| line[at] & 0b1100_0000 == 0b1000_0000;
    (LONGEST_LINE - 3..=LONGEST_LINE).rev().find(|&at| !is_inside(at)).unwrap_or(LONGEST_LINE)
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// The line without its end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut taken) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| taken.push(line));
        }
        taken.extend(lines.end());
        taken
    }

    #[test]
    fn lines_end_where_they_end_however_they_come() {
        assert_eq!(lines(&[b"a\nb", b"c\r", b"\n\n", b"\nd"]), ["a", "bc", "d"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn lines_without_an_end_are_cut_between_characters() {
        let long = "x".to_owned() + &"ä".repeat(LONGEST_LINE);
        let cut = lines(&[long.as_bytes(), b"\nlast"]);
        assert_eq!(cut.last().map(String::as_str), Some("last"));
        assert_eq!(cut[..cut.len() - 1].concat(), long);
        assert!(cut.iter().all(|line| line.len() <= LONGEST_LINE));
    }
}
