//! Files of lines, handed to the service in batches.
//!
//! The service takes a batch whole or not at all, and answers once it is durable. Of several batches those before a failure
//! stay where they are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, stdin};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

use crate::terminal::count;

/// Bytes of a batch, which may be longer by its last line: the operators' interface takes 10 MiB.
const BATCH: usize = 1 << 20;

/// Hands over the lines of a file; - is standard input. `convert` gets the number of a line and the line, and appends what the
/// service is to have of it to the batch; what is wrong with a line is said after the file's name.
pub(crate) fn send_lines(
    file: &Path,
    longest_line: usize,
    mut convert: impl FnMut(u64, &[u8], &mut Vec<u8>) -> Result<(), String>,
    mut send: impl FnMut(Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let of_file = || name.clone();
    let mut reader: Box<dyn BufRead> = if is_stdin {
        Box::new(stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).with_context(of_file)?))
    };
    let mut batch = Vec::new();
    let mut line = Vec::new();
    // Lines of the file before the batch, and up to its end.
    let (mut before, mut number) = (0, 0);
    loop {
        line.clear();
        let mut limited = (&mut reader).take(longest_line as u64 + 1);
        let is_over = limited.read_until(b'\n', &mut line).with_context(of_file)? == 0;
        if !is_over {
            number += 1;
            if line.len() > longest_line {
                bail!("{name}: line {number} is longer than {} MiB", longest_line >> 20);
            }
            convert(number, &line, &mut batch).map_err(|reason| anyhow!("{name}: {reason}"))?;
        }
        if is_over || batch.len() >= BATCH {
            let lines = std::mem::take(&mut batch);
            if !lines.trim_ascii().is_empty() {
                send(lines).with_context(|| match before {
                    0 => name.clone(),
                    before => format!("{name}, after its first {} lines", count(before)),
                })?;
            }
            before = number;
        }
        if is_over {
            return Ok(());
        }
    }
}
