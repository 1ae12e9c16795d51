//! Any bytes as CSV, with and without a header.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_data::Reading;
use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};
use watchkeeper_fuzz::read_to_the_end;

fuzz_target!(|content: &[u8]| {
    for header in [true, false] {
        let output_columns_position = OutputColumnsPosition::default();
        read_to_the_end(content, &Reading::of(DatasetFormat::Csv { header, output_columns_position }));
    }
});
