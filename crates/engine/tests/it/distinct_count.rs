use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_engine::encoding::{DecodeError, Reader, Writer};
use watchkeeper_engine::sketch::{HyperLogLog, hash};

use crate::samples::cases;

fn sketch<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> HyperLogLog {
    let mut sketch = HyperLogLog::new();
    for text in texts {
        sketch.add_hash(hash(text.as_ref().as_bytes()));
    }
    sketch
}

fn encoded(sketch: &HyperLogLog) -> Vec<u8> {
    let mut writer = Writer::new();
    sketch.encode(&mut writer);
    writer.finish()
}

fn decoded(bytes: &[u8]) -> Result<HyperLogLog, DecodeError> {
    let mut reader = Reader::new(bytes);
    let sketch = HyperLogLog::decode(&mut reader)?;
    reader.finish()?;
    Ok(sketch)
}

#[test]
fn agrees_with_deequ() {
    for case in cases(include_str!("../deequ/distinct.json")) {
        let text = case["text"].as_str().unwrap();
        let texts = (0..case["n"].as_u64().unwrap()).map(|i| text.replace("{i}", &i.to_string()));
        assert_eq!(json!(sketch(texts).estimate()), case["estimate"], "{}", case["id"]);
    }
}

#[test]
fn agrees_with_an_implementation_that_reproduces_published_counts() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/hllpp-vectors.json")).unwrap();
    for vector in vectors["xxh64"].as_array().unwrap() {
        let text = vector["text"].as_str().unwrap();
        assert_eq!(format!("{:016x}", hash(text.as_bytes())), vector["xxh64_seed42_hex"], "{text}");
    }
    for vector in vectors["hllpp_p9"].as_array().unwrap() {
        let n = vector["n"].as_u64().unwrap();
        assert_eq!(json!(sketch((0..n).map(|i| i.to_string())).estimate()), vector["estimate"], "{n} texts");
    }
}

#[test]
fn tells_when_a_text_filled_an_empty_register() {
    let mut sketch = HyperLogLog::new();
    let mut filled = 0;
    for i in 0..100_000 {
        filled += u32::from(sketch.add_hash(hash(i.to_string().as_bytes())));
    }
    assert_eq!(filled, 512);
    assert_eq!(HyperLogLog::new().estimate(), 0);
}

#[test]
fn lying_bytes_are_errors() {
    let bytes = encoded(&sketch(["a", "b"]));
    assert!(decoded(&bytes[..bytes.len() - 1]).is_err());
    let mut out_of_range = bytes;
    out_of_range[100] = 57;
    assert_eq!(decoded(&out_of_range).unwrap_err().to_string(), "a register of a distinct count state is out of range");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_gives_what_all_texts_together_give(first in vec("[a-f]{0,4}", 0..900), second in vec(".{0,3}", 0..900)) {
        let mut merged = sketch(&first);
        merged.merge(&sketch(&second));
        prop_assert_eq!(&merged, &sketch(first.iter().chain(&second)));
        prop_assert_eq!(&decoded(&encoded(&merged)).unwrap(), &merged);
    }

    #[test]
    fn the_category_limit_is_an_estimate_of_120(number in 90_u32..160, start in any::<u32>()) {
        let sketch = sketch((0..number).map(|i| (u64::from(start) + u64::from(i)).to_string()));
        prop_assert_eq!(sketch.exceeds_category_limit(), sketch.estimate() > 120);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(0_u8..=60, 513), length in 0_usize..600) {
        bytes[0] = 1;
        bytes.resize(length, 0);
        if let Ok(sketch) = decoded(&bytes) {
            sketch.estimate();
        }
    }
}
