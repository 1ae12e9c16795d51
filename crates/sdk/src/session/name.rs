//! Names that are made up: Python's `name_from_base` and its kin.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// The longest name of a job or a schedule.
const LONGEST: usize = 63;

/// `<base>-YYYY-MM-DD-HH-MM-SS-mmm` of this moment in UTC, the base cut so that all of it has 63 characters at most. No two names
/// of a process are of the same moment: calls that begin together would make the same thing, and upload to the same place.
pub(crate) fn name_from_base(base: &str) -> String {
    static LATEST: AtomicI64 = AtomicI64::new(0);
    let now = Timestamp::now().as_millisecond();
    let later = |latest: i64| now.max(latest + 1);
    let latest = LATEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(later(latest)));
    let moment = later(latest.unwrap_or_else(|latest| latest));
    name_at(base, Timestamp::from_millisecond(moment).unwrap_or_else(|_| Timestamp::now()))
}

fn name_at(base: &str, now: Timestamp) -> String {
    let milliseconds = now.as_millisecond().rem_euclid(1000);
    let timestamp = format!("{}-{milliseconds:03}", now.strftime("%Y-%m-%d-%H-%M-%S"));
    let room = LONGEST - timestamp.len() - 1;
    let base: String = base.chars().take(room).collect();
    format!("{base}-{timestamp}")
}

/// The last part of an image's path, without its tag: `sagemaker-model-monitor-analyzer`. A text that is no image is itself.
pub(crate) fn base_name_from_image(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    let mut parts = last.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) if !name.is_empty() => name,
        (Some(name), Some(tag), None) if !name.is_empty() && !tag.is_empty() => name,
        _ => image,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_at_once_differ() {
        let names = || std::thread::spawn(|| (0..500).map(|_| name_from_base("job")).collect::<Vec<_>>());
        let threads = [names(), names(), names()];
        let mut made: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 1500);
    }

    /// `sagemaker.utils.name_from_base` of SDK 2.257.7 with `time.time` at these moments.
    #[test]
    fn names_are_those_of_python() {
        for (milliseconds, base, name) in [
            (1_767_225_600_123, "baseline-suggestion-job", "baseline-suggestion-job-2026-01-01-00-00-00-123"),
            (1_767_225_600_000, "baseline-suggestion-job", "baseline-suggestion-job-2026-01-01-00-00-00-000"),
            (1_798_761_599_999, "", "-2026-12-31-23-59-59-999"),
        ] {
            let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_millis(milliseconds);
            assert_eq!(name_at(base, now), name);
        }
        let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_millis(1_767_225_600_123);
        for letter in ["x", "é"] {
            assert_eq!(name_at(&letter.repeat(70), now), format!("{}-2026-01-01-00-00-00-123", letter.repeat(39)));
        }
        assert_eq!(name_at(&"x".repeat(70), now).len(), 63);
    }

    /// `sagemaker.utils.base_name_from_image` of SDK 2.257.7.
    #[test]
    fn base_names_of_images_are_those_of_python() {
        for (image, name) in [
            (
                "048819808253.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-model-monitor-analyzer",
                "sagemaker-model-monitor-analyzer",
            ),
            ("1.dkr.ecr.x/a/b-c:1.0", "b-c"),
            ("plain", "plain"),
            ("plain:tag", "plain"),
            ("host:5000/name", "name"),
            ("host:5000/name:tag", "name"),
            ("name@sha256:abc", "name@sha256"),
            ("a:b:c", "a:b:c"),
            ("a/", "a/"),
            (":x", ":x"),
            ("", ""),
        ] {
            assert_eq!(base_name_from_image(image), name);
        }
    }
}
