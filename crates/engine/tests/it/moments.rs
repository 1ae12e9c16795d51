use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use watchkeeper_engine::encoding::{DecodeError, Reader, Writer};
use watchkeeper_engine::sketch::Moments;

use crate::samples::{Generator, cases, sample};

fn folded(values: &[f64]) -> Moments {
    let mut moments = Moments::new();
    for &value in values {
        moments.add(value);
    }
    moments
}

fn encoded(moments: &Moments) -> Vec<u8> {
    let mut writer = Writer::new();
    moments.encode(&mut writer);
    writer.finish()
}

fn decoded(bytes: &[u8]) -> Result<Moments, DecodeError> {
    let mut reader = Reader::new(bytes);
    let moments = Moments::decode(&mut reader)?;
    reader.finish()?;
    Ok(moments)
}

/// The values in as many partitions as Spark had, merged in turn; a single one as it is.
fn in_partitions(values: &[f64], partitions: usize) -> Moments {
    let n = values.len();
    let mut parts = (0..partitions).map(|j| folded(&values[j * n / partitions..(j + 1) * n / partitions]));
    let mut all = parts.next().unwrap();
    for later in parts {
        all.merge(&later);
    }
    all
}

fn assert_spread_and_extremes(moments: &Moments, expected: &Value, case: &str) {
    assert_eq!(moments.std_dev(), expected["std_dev"], "{case}: std_dev");
    assert_eq!(moments.min().to_bits(), expected["min"].as_f64().unwrap().to_bits(), "{case}: min");
    assert_eq!(moments.max().to_bits(), expected["max"].as_f64().unwrap().to_bits(), "{case}: max");
}

#[test]
fn agree_with_spark_for_one_two_and_three_partitions() {
    for case in cases(include_str!("../deequ/moments.json")) {
        let values = sample(&case["gen"]);
        for partitions in 1..=3 {
            let name = format!("{} in {partitions}", case["id"]);
            let expected = &case[format!("partitions_{partitions}")];
            if expected.is_null() {
                assert!(values.len() < 10, "{name} is missing");
                continue;
            }
            let moments = in_partitions(&values, partitions);
            assert_eq!(moments.count(), values.len() as u64, "{name}");
            assert_eq!(moments.sum(), expected["sum"], "{name}: sum");
            assert_eq!(moments.sum() / moments.count() as f64, expected["mean"], "{name}: mean");
            assert_spread_and_extremes(&moments, expected, &name);
            // Merging into a state without values is what Spark does with the first partition, too.
            let mut from_empty = Moments::new();
            from_empty.merge(&moments);
            assert_eq!(from_empty.std_dev(), moments.std_dev(), "{name}: merged into an empty state");
        }
    }
}

/// But for sum and mean: those of integers are not added in doubles.
#[test]
fn agree_with_spark_on_large_integers() {
    for case in cases(include_str!("../deequ/moments-integral.json")) {
        let whole = |key: &str| case[key].as_str().unwrap().parse::<u64>().unwrap();
        let mut generator = Generator::new(whole("seed"));
        let shift = case["shift"].as_u64().unwrap();
        let mut value = || (generator.draw() >> shift).wrapping_sub(whole("subtract")).cast_signed();
        let values: Vec<i64> = (0..case["n"].as_u64().unwrap()).map(|_| value()).collect();
        assert_eq!(values[0].to_string(), case["first"], "generator");
        let doubles: Vec<f64> = values.iter().map(|&value| value as f64).collect();
        let partitions = case["partitions"].as_u64().unwrap() as usize;
        let name = format!("{} in {partitions}", case["id"]);
        assert_spread_and_extremes(&in_partitions(&doubles, partitions), &case, &name);
    }
}

#[test]
fn without_values_all_are_zero() {
    let mut moments = Moments::new();
    moments.merge(&Moments::new());
    assert_eq!((moments.count(), moments.sum(), moments.std_dev()), (0, 0.0, 0.0));
    assert_eq!((moments.min(), moments.max()), (0.0, 0.0));
}

#[test]
fn infinities_are_extremes_like_other_numbers() {
    let moments = folded(&[f64::INFINITY, f64::INFINITY]);
    assert_eq!((moments.min(), moments.max(), moments.sum()), (f64::INFINITY, f64::INFINITY, f64::INFINITY));
    assert!(moments.std_dev().is_nan());
}

proptest! {
    #[test]
    fn reading_back_gives_the_same_state(first in vec(-1e9..1e9, 0..50), second in vec(-1e9..1e9, 0..50)) {
        let mut moments = folded(&first);
        prop_assert_eq!(&decoded(&encoded(&moments)).unwrap(), &moments);
        moments.merge(&folded(&second));
        prop_assert_eq!(&decoded(&encoded(&moments)).unwrap(), &moments);
    }

    #[test]
    fn no_bytes_make_them_panic(bytes in vec(any::<u8>(), 0..60)) {
        let _ = decoded(&bytes);
        let mut likely = vec![1];
        likely.extend(&bytes);
        let _ = decoded(&likely);
    }
}
