//! Any bytes as captured traffic, by AWS's rules and with every lenience.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_data::Reading;
use watchkeeper_formats::DatasetFormat;
use watchkeeper_fuzz::read_to_the_end;

fuzz_target!(|content: &[u8]| {
    let strict = Reading::of(DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: None });
    let lenient = Reading { flatten_json: true, mixed_encoding: true, ..strict.clone() };
    read_to_the_end(content, &strict);
    read_to_the_end(content, &lenient);
});
