//! Bodies of JSON lines.

use jiff::Timestamp;
use watchkeeper_aws::Time;

use super::Error;

/// Hands out the lines of a body that are not blank; how many there were. The first that is refused refuses the body, with
/// its number, counted from one with the blank ones.
pub(super) fn each_line(body: &[u8], mut take: impl FnMut(&str) -> Result<(), String>) -> Result<u64, Error> {
    let mut taken = 0;
    for (number, line) in (1..).zip(body.split(|&byte| byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned());
        line.and_then(&mut take).map_err(|reason| Error::invalid(format!("line {number}: {reason}")))?;
        taken += 1;
    }
    Ok(taken)
}

/// The moment in a member of a line.
pub(super) fn moment(member: &str, text: &str) -> Result<Timestamp, String> {
    let moment = Time::parse(text).map(|time| time.0);
    moment.ok_or_else(|| format!("{member}: `{text}` is no moment; write it as 2026-01-31T23:00:00Z"))
}
