//! Any text as a constraints file: what is read is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_formats::Constraints;

fuzz_target!(|text: &str| {
    let Ok(constraints) = Constraints::parse(text) else { return };
    for feature in &constraints.features {
        let _ = feature.monitoring_config(&constraints.monitoring_config);
    }
    let is_valid = constraints.validate().is_ok();
    let written = constraints.to_json();
    let again = Constraints::parse(&written).expect("what we write can be read");
    assert_eq!(again.to_json(), written);
    assert_eq!(again.validate().is_ok(), is_valid);
});
