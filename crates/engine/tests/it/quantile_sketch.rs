use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_engine::encoding::{DecodeError, Reader, Writer};
use watchkeeper_engine::sketch::Kll;

use crate::samples::{cases, numbers, sample};

fn sketch(values: &[f64]) -> Kll {
    let mut sketch = Kll::new();
    for &value in values {
        sketch.add(value);
    }
    sketch
}

fn encoded(sketch: &Kll) -> Vec<u8> {
    let mut writer = Writer::new();
    sketch.encode(&mut writer);
    writer.finish()
}

fn decoded(bytes: &[u8]) -> Result<Kll, DecodeError> {
    let mut reader = Reader::new(bytes);
    let sketch = Kll::decode(&mut reader)?;
    reader.finish()?;
    Ok(sketch)
}

fn level_sizes(sketch: &Kll) -> Vec<usize> {
    sketch.levels().map(<[f64]>::len).collect()
}

/// FNV-1a over the levels as the reference cases have it: each length, then the items, all as 8 bytes.
fn fingerprint(sketch: &Kll) -> String {
    let words = sketch
        .levels()
        .flat_map(|items| std::iter::once(items.len() as u64).chain(items.iter().map(|item| item.to_bits())));
    let bytes = words.flat_map(u64::to_le_bytes);
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let first = values[0];
    let min = values.iter().fold(first, |min, &value| if value < min { value } else { min });
    let max = values.iter().fold(first, |max, &value| if value > max { value } else { max });
    (min, max)
}

fn merged(parts: &[Vec<f64>], order: &str) -> Kll {
    let mut sketches: Vec<Kll> = parts.iter().map(|part| sketch(part)).collect();
    match order {
        "left" => {
            let mut all = sketches.remove(0);
            for later in sketches {
                all.merge(&later);
            }
            all
        }
        "right" => {
            let mut all = sketches.pop().unwrap();
            while let Some(mut earlier) = sketches.pop() {
                earlier.merge(&all);
                all = earlier;
            }
            all
        }
        _ => panic!("no order {order}"),
    }
}

#[test]
fn agrees_with_deequ_item_by_item() {
    for case in cases(include_str!("../deequ/kll.json")) {
        let id = &case["id"];
        let parts: Vec<Vec<f64>> = case["parts"].as_array().unwrap().iter().map(sample).collect();
        let sketch = merged(&parts, case["order"].as_str().unwrap_or("left"));
        assert_eq!(json!(level_sizes(&sketch)), case["level_sizes"], "{id}");
        assert_eq!(fingerprint(&sketch), case["fnv1a64"], "{id}");
        assert_eq!(json!(sketch.count()), case["n"], "{id}");
        let ranks = sketch.ranks();
        for (index, &probe) in numbers(&case["probes"]).iter().enumerate() {
            assert_eq!(json!(ranks.inclusive(probe)), case["rank"][index], "{id} at {probe}");
            assert_eq!(json!(ranks.exclusive(probe)), case["rank_exclusive"][index], "{id} at {probe}");
        }
        let (min, max) = extremes(&parts.concat());
        let buckets: Vec<Vec<f64>> = case["buckets"].as_array().unwrap().iter().map(numbers).collect();
        let ours = sketch.buckets(min, max);
        let ours: Vec<Vec<f64>> =
            ours.iter().map(|bucket| vec![bucket.lower_bound, bucket.upper_bound, bucket.count]).collect();
        assert_eq!(format!("{ours:?}"), format!("{buckets:?}"), "{id}");
    }
}

#[test]
fn agrees_with_an_implementation_that_reproduces_published_sketches() {
    let document: Value = serde_json::from_str(include_str!("../vectors/kll-vectors.json")).unwrap();
    for vector in document["vectors"].as_array().unwrap() {
        let n = vector["n"].as_u64().unwrap();
        let values: Vec<f64> = (0..n).map(|i| ((i * 7919) % 1009) as f64).collect();
        let sketch = sketch(&values);
        assert_eq!(json!(level_sizes(&sketch)), vector["level_sizes"], "{n}");
        let first_items: Vec<Vec<f64>> = sketch.levels().map(|items| items.iter().take(3).copied().collect()).collect();
        assert_eq!(json!(first_items), vector["first_items"], "{n}");
        let weighted = sketch.levels().enumerate().map(|(h, items)| f64::from(1 << h) * items.iter().sum::<f64>());
        assert_eq!(json!(weighted.sum::<f64>()), vector["checksum_sum_of_weight_times_value"], "{n}");
        let (min, max) = extremes(&values);
        let counts: Vec<f64> = sketch.buckets(min, max).iter().map(|bucket| bucket.count).collect();
        assert_eq!(counts, numbers(&vector["buckets"]), "{n}");
    }
}

/// Sizes that stand in published statistics files of AWS's analyzer.
#[test]
fn has_the_level_sizes_of_published_statistics() {
    let sizes_after = |n: u32| level_sizes(&sketch(&(0..n).map(f64::from).collect::<Vec<_>>()));
    assert_eq!(sizes_after(2_333), [283, 1025]);
    assert_eq!(sizes_after(23_432), [266, 1093, 2127, 1, 779]);
    assert_eq!(sizes_after(28_831), [1347, 1082, 0, 1607, 779]);
    assert_eq!(sizes_after(68_385), [177, 1134, 1127, 1, 1, 1919]);
}

#[test]
fn a_sketch_without_values_has_one_empty_level_and_empty_buckets() {
    let sketch = Kll::new();
    assert!(sketch.is_empty());
    assert_eq!(level_sizes(&sketch), [0]);
    assert_eq!(Kll::from_levels(Vec::new()), Some(Kll::new()));
    assert!(sketch.ranks().is_empty());
    let buckets = sketch.buckets(0.0, 0.0);
    assert_eq!(buckets.len(), 10);
    assert!(buckets.iter().all(|bucket| bucket.count == 0.0));
}

#[test]
fn levels_that_no_fold_can_have_made_are_no_sketch() {
    assert_eq!(Kll::from_levels(vec![vec![f64::NAN]]), None);
    assert_eq!(Kll::from_levels(vec![Vec::new(); 41]), None);
    let mut levels = vec![Vec::new(); 40];
    levels[39] = vec![0.0; 1 << 14];
    assert!(Kll::from_levels(levels.clone()).is_some(), "2^53 values");
    levels[0].push(0.0);
    assert_eq!(Kll::from_levels(levels), None, "one more");
}

#[test]
fn lying_bytes_are_errors() {
    let sketch = sketch(&(0..5_000).map(f64::from).collect::<Vec<_>>());
    let bytes = encoded(&sketch);
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decoded(&longer).unwrap_err().to_string(), "1 bytes follow the end of the state");
    let mut lying = bytes.clone();
    lying[10..18].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(decoded(&lying).unwrap_err().to_string().starts_with("the state ends too early"), "number of items");
    lying = bytes.clone();
    lying[1..9].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(decoded(&lying).unwrap_err().to_string().starts_with("the state ends too early"), "number of levels");
    lying = bytes;
    lying[0] = 9;
    assert_eq!(
        decoded(&lying).unwrap_err().to_string(),
        "the quantile state has version 9, this program reads version 1"
    );
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<f64>().prop_filter("no value of a column", |value| !value.is_nan()),
        4 => (-1_000_i32..1_000).prop_map(f64::from),
        1 => Just(0.0),
        1 => Just(-0.0),
    ]
}

/// Parts of a column of some thousand values, so that several levels are compacted.
fn parts() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let part = (vec(any_number(), 1..200), 0_usize..12_000)
        .prop_map(|(values, n)| values.into_iter().cycle().take(n).collect::<Vec<f64>>());
    vec(part, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_back_gives_a_sketch_that_goes_on_alike(parts in parts(), later in vec(any_number(), 0..4_000)) {
        let mut sketch = merged(&parts, "left");
        let mut read_back = decoded(&encoded(&sketch)).unwrap();
        prop_assert_eq!(encoded(&read_back), encoded(&sketch));
        for &value in &later {
            sketch.add(value);
            read_back.add(value);
        }
        prop_assert_eq!(encoded(&read_back), encoded(&sketch));
    }

    /// A compaction at level h moves no rank by more than 2^h and takes as many items as the level's capacity, which
    /// stand for 2^h values each: over all compactions of the level, no rank moves by more than n / capacity.
    #[test]
    fn ranks_stay_within_the_bound_of_the_compactions(parts in parts(), order in prop_oneof!["left", "right"]) {
        let sketch = merged(&parts, &order);
        let mut values = parts.concat();
        values.sort_by(f64::total_cmp);
        prop_assert_eq!(sketch.count(), values.len() as u64);
        let capacity = |height: usize| 2.0 * ((1024.0 * 0.64_f64.powi(height as i32)).ceil() + 1.0);
        let compacted = sketch.levels().len() - 1;
        let bound = values.len() as f64 * (0..compacted).map(|height| 1.0 / capacity(height)).sum::<f64>();
        let ranks = sketch.ranks();
        for &value in values.iter().step_by(37) {
            let below = values.partition_point(|&other| other < value) as f64;
            let through = values.partition_point(|&other| other <= value) as f64;
            prop_assert!((ranks.exclusive(value) as f64 - below).abs() <= bound);
            prop_assert!((ranks.inclusive(value) as f64 - through).abs() <= bound);
        }
    }

    #[test]
    fn up_to_2050_values_quantiles_are_those_of_the_values(values in vec(any_number(), 1..2_050), step in 0_u32..=20) {
        let share = f64::from(step) / 20.0;
        let quantile = sketch(&values).ranks().quantile(share).unwrap();
        let through = values.iter().filter(|&&value| value <= quantile).count() as f64;
        let below = values.iter().filter(|&&value| value < quantile).count() as f64;
        prop_assert!(through >= share * values.len() as f64);
        prop_assert!(below < share * values.len() as f64 || below == 0.0);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), levels in 0_u64..50) {
        let _ = decoded(&bytes);
        // A likely beginning, so that more than the version is looked at.
        let mut likely = vec![1];
        likely.extend(levels.to_le_bytes());
        likely.extend(&bytes);
        if let Ok(mut sketch) = decoded(&likely) {
            sketch.merge(&sketch.clone());
        }
    }
}
