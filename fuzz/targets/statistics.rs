//! Any text as a statistics file: what is read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_formats::Statistics;

fuzz_target!(|text: &str| {
    let Ok(statistics) = Statistics::parse(text) else { return };
    let is_valid = statistics.validate().is_ok();
    let written = statistics.to_json();
    let again = Statistics::parse(&written).expect("what we write can be read");
    assert_eq!(again.to_json(), written);
    assert_eq!(again.validate().is_ok(), is_valid);
});
