//! Counting tests from the summaries that the runners print.

use std::ops::AddAssign;

use crate::process::Ended;

/// Tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Tally {
    /// A check without tests of its own counts as one.
    pub fn of_check(check: &Ended) -> Self {
        Self { passed: u64::from(check.succeeded), failed: u64::from(!check.succeeded), skipped: 0 }
    }

    /// The sum over every summary line of `cargo test`, cargo-nextest or pytest in what a runner printed. A runner that
    /// fails without a failed test (it did not compile, it crashed) counts as one failure.
    pub fn of_runner(runner: &Ended) -> Self {
        let mut tally = Self::default();
        for line in runner.output.lines() {
            if let Some(counts) = summary_counts(line) {
                tally += count(counts);
            }
        }
        if !runner.succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }
}

/// The part of a summary line that holds counts, or nothing when the line is no summary.
fn summary_counts(line: &str) -> Option<&str> {
    // Indented, it is nextest's copy of what a failed test printed.
    if let Some(rest) = line.strip_prefix("test result: ") {
        // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
        return rest.split_once(". ").map(|(_, counts)| counts);
    }
    let line = line.trim();
    if line.starts_with("Summary [") {
        // Summary [   0.005s] 4 tests run: 3 passed (1 slow), 1 failed, 2 skipped
        return line.split_once(" run: ").map(|(_, counts)| counts);
    }
    // ===== 1 failed, 3 passed, 2 skipped, 1 error in 0.12s =====
    let bare = line.trim_matches('=').trim();
    let (counts, seconds) = bare.rsplit_once(" in ")?;
    let ends_with_seconds = seconds.starts_with(|first: char| first.is_ascii_digit()) && seconds.contains('s');
    let is_ruled = line.starts_with("==") && line.ends_with("==");
    (is_ruled && ends_with_seconds).then_some(counts)
}

fn count(counts: &str) -> Tally {
    let mut tally = Tally::default();
    for part in counts.split([',', ';']) {
        let mut words = part.split_whitespace();
        let (Some(number), Some(word)) = (words.next(), words.next()) else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match (word, words.next()) {
            ("passed" | "xfailed", _) => tally.passed += number,
            ("failed" | "error" | "errors" | "xpassed", _) | ("timed", Some("out")) | ("exec", Some("failed")) => {
                tally.failed += number;
            }
            ("skipped" | "ignored", _) => tally.skipped += number,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(succeeded: bool, output: &str) -> Tally {
        Tally::of_runner(&Ended { succeeded, output: output.to_owned() })
    }

    #[test]
    fn every_binary_of_cargo_test_counts() {
        let output = "\
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
noise, 9 passed in between
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s";
        assert_eq!(tally_of(false, output), Tally { passed: 4, failed: 2, skipped: 1 });
    }

    #[test]
    fn nextest_counts_time_outs_as_failures() {
        let output = "     Summary [   1.034s] 9 tests run: 5 passed (1 slow, 1 leaky), 2 failed, 1 timed out, 1 exec failed, 4 skipped";
        assert_eq!(tally_of(false, output), Tally { passed: 5, failed: 4, skipped: 4 });
        let with_copy = "    test result: FAILED. 0 passed; 1 failed; 0 ignored\n     Summary [   1.0s] 1 test run: 0 passed, 1 failed";
        assert_eq!(tally_of(false, with_copy), Tally { passed: 0, failed: 1, skipped: 0 });
        let interrupted = "     Summary [   1.034s] 2/9 tests run: 1 passed, 1 failed, 0 skipped";
        assert_eq!(tally_of(false, interrupted), Tally { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn pytest_counts_errors_as_failures() {
        let output = "=================== 1 failed, 3 passed, 2 skipped, 1 warning, 1 error in 0.12s (0:00:12) ===================";
        assert_eq!(tally_of(false, output), Tally { passed: 3, failed: 2, skipped: 2 });
    }

    #[test]
    fn a_runner_that_breaks_counts_as_a_failure() {
        assert_eq!(tally_of(false, "error: could not compile"), Tally { passed: 0, failed: 1, skipped: 0 });
        let broken_later = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\nsignal: 9";
        assert_eq!(tally_of(false, broken_later), Tally { passed: 3, failed: 1, skipped: 0 });
    }
}
