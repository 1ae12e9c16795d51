//! Any text as a Clarify job's `analysis_config.json`: it is read, or refused with a reason.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_formats::clarify::AnalysisConfig;

fuzz_target!(|text: &str| {
    let of_job = AnalysisConfig::parse(text);
    let of_monitor = AnalysisConfig::parse_of_monitor(text);
    for read in [&of_job, &of_monitor] {
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    }
    if let (Ok(job), Err(error)) = (&of_job, &of_monitor) {
        panic!("a monitor refuses what a job takes: {error}; {job:?}");
    }
});
