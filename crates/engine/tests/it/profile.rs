//! Profiles: equal to Deequ's, and the same however a dataset is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use watchkeeper_engine::column::{Batch, Cell, CellKind};
use watchkeeper_engine::profile::{ColumnProfile, MergeTree, Profile};
use watchkeeper_engine::sketch::category_order;
use watchkeeper_formats::{InferredType, KllBucket, MonitoringConfig, NumericalStatistics};

/// A row: for each column its text and how it stood in its source, or nothing.
type Row = Vec<Option<(String, CellKind)>>;

fn batch(rows: &[Row]) -> Batch {
    let mut batch = Batch { columns: rows.first().map_or(0, Vec::len), rows: rows.len(), ..Batch::default() };
    for value in rows.iter().flatten() {
        let cell = value.as_ref().map_or(Cell::MISSING, |(text, kind)| {
            batch.text.extend_from_slice(text.as_bytes());
            Cell::new(batch.text.len() - text.len(), text.len(), *kind)
        });
        batch.cells.push(cell);
    }
    batch
}

/// Rows folded in batches of at most this many.
fn folded(rows: &[Row], names: &[String], at_once: usize) -> Profile {
    let mut columns: Vec<ColumnProfile> = names.iter().map(|_| ColumnProfile::default()).collect();
    for rows in rows.chunks(at_once) {
        let batch = batch(rows);
        for (index, column) in columns.iter_mut().enumerate() {
            column.update(&batch, index);
        }
    }
    Profile { records: rows.len() as u64, columns: names.iter().cloned().zip(columns).collect() }
}

/// The awkward table, its names and what Deequ made of each column.
fn nasty() -> (Vec<Row>, Vec<String>, Vec<Value>) {
    // The reference was made with quotes doubled, as this reader takes them.
    let mut reader = csv::Reader::from_reader(include_str!("../deequ/nasty.csv").as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let field = |field: &str| (!field.is_empty()).then(|| (field.to_owned(), CellKind::Text));
    let rows: Vec<Row> = reader.records().map(|record| record.unwrap().iter().map(field).collect()).collect();
    let reference: Value = serde_json::from_str(include_str!("../deequ/profile.json")).unwrap();
    let reference = reference["columns"].as_array().unwrap().clone();
    assert_eq!((rows.len(), names.len(), reference.len()), (4, 33, 33));
    (rows, names, reference)
}

fn double(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[track_caller]
fn assert_same(ours: f64, theirs: &Value, what: &str) {
    let theirs = double(theirs);
    assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "{what}: {ours} is not {theirs}");
}

/// Where Deequ wraps around or knows no number; the README beside the cases has the reasons.
const EXACT_SUM: [&str; 1] = ["integral_huge"];
const TRUE_BOUNDS: [&str; 2] = ["big_bounds", "low_bounds"];
const WITHOUT_NUMBERS: &str = "integral_only_huge";

#[test]
fn types_counts_and_categories_are_those_of_deequ() {
    let (rows, names, reference) = nasty();
    let profile = folded(&rows, &names, 3);
    for (place, (column, theirs)) in profile.columns.iter().zip(&reference).enumerate() {
        let (name, column) = (&column.0, &column.1);
        assert_eq!(name, theirs["column"].as_str().unwrap());
        let values: Vec<Option<&str>> =
            rows.iter().map(|row| row[place].as_ref().map(|(text, _)| text.as_str())).collect();
        let expected: Vec<Option<&str>> = theirs["values"].as_array().unwrap().iter().map(Value::as_str).collect();
        assert_eq!(values, expected, "{name}");

        let expected = match theirs["data_type"].as_str().unwrap() {
            "Integral" => InferredType::Integral,
            "Fractional" => InferredType::Fractional,
            "String" | "Boolean" => InferredType::String,
            _ => InferredType::Unknown,
        };
        assert_eq!(column.inferred_type(), expected, "{name}");
        let count = |kind: &str| theirs["type_counts"][kind].as_u64().unwrap();
        assert_eq!(profile.records - column.present(), count("Unknown"), "{name}");
        let share = |kind| (column.share_of_type(kind, false) * column.present() as f64).round() as u64;
        assert_eq!(share(InferredType::Integral), count("Integral"), "{name}");
        assert_eq!(share(InferredType::Fractional), count("Fractional"), "{name}");
        assert_eq!(share(InferredType::String), count("String") + count("Boolean"), "{name}");

        assert_eq!(column.distinct(), theirs["approximate_num_distinct_values"].as_u64().unwrap(), "{name}");
        let mut categories: Vec<(String, u64)> =
            column.categories().unwrap().map(|(text, count)| (text.to_owned(), count)).collect();
        let missing = profile.records - column.present();
        if missing > 0 {
            categories.push(("NullValue".to_owned(), missing));
        }
        if theirs["histogram_in_order"].is_null() {
            // Of nothing but missing values it was not asked for.
            assert_eq!(column.present(), 0, "{name}");
            continue;
        }
        category_order(name, &mut categories);
        assert_eq!(serde_json::json!(categories), theirs["histogram_in_order"], "{name}");
    }
    let constraints = profile.suggest_constraints(MonitoringConfig::default());
    for (ours, theirs) in constraints.features.iter().zip(&reference) {
        assert_same(ours.completeness.unwrap(), &theirs["completeness"], &ours.name);
    }
}

#[test]
fn numbers_sketches_and_buckets_are_those_of_deequ() {
    let (rows, names, reference) = nasty();
    let statistics = folded(&rows, &names, 1).statistics();
    let mut compared = 0;
    for (feature, theirs) in statistics.features.iter().zip(&reference) {
        let name = feature.name.as_str();
        let Some(ours) = &feature.numerical_statistics else {
            assert!(theirs.get("kll").is_none(), "{name}");
            continue;
        };
        compared += 1;
        let sketch = &ours.distribution.as_ref().unwrap().kll.sketch.as_ref().unwrap().data;
        if name == WITHOUT_NUMBERS {
            assert!(theirs["sum"].is_null());
            assert_eq!((ours.sum, ours.mean, ours.std_dev, ours.min, ours.max), (0.0, 0.0, 0.0, 0.0, 0.0));
            assert_eq!(sketch, &[Vec::<f64>::new()]);
            continue;
        }
        for (key, value) in [("std_dev", ours.std_dev), ("min", ours.min), ("max", ours.max)] {
            assert_same(value, &theirs[key], &format!("{name} {key}"));
        }
        if EXACT_SUM.contains(&name) {
            // 9223372036854775807 + 1 + 2 is -9223372036854775806 in 64 bits.
            assert_eq!(double(&theirs["sum"]), -9_223_372_036_854_775_806.0);
            assert_eq!(ours.sum, 9_223_372_036_854_775_810.0);
            assert_eq!(ours.mean, ours.sum / 3.0);
        } else {
            assert_same(ours.sum, &theirs["sum"], &format!("{name} sum"));
            assert_same(ours.mean, &theirs["mean"], &format!("{name} mean"));
        }
        let expected: Vec<Vec<f64>> = theirs["kll"]["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|level| level.as_array().unwrap().iter().map(double).collect())
            .collect();
        // Bits, for the sign of zero.
        let bits =
            |data: &[Vec<f64>]| data.iter().map(|level| level.iter().map(|item| item.to_bits()).collect()).collect();
        let (ours_in_bits, theirs_in_bits): (Vec<Vec<u64>>, Vec<Vec<u64>>) = (bits(sketch), bits(&expected));
        assert_eq!(ours_in_bits, theirs_in_bits, "{name}");
        assert_buckets(name, ours, &theirs["kll"]["buckets"]);
    }
    assert_eq!(compared, 17);
}

fn assert_buckets(name: &str, ours: &NumericalStatistics, theirs: &Value) {
    let buckets = &ours.distribution.as_ref().unwrap().kll.buckets;
    let theirs = theirs.as_array().unwrap();
    assert_eq!((buckets.len(), theirs.len()), (10, 10));
    if TRUE_BOUNDS.contains(&name) {
        let KllBucket { lower_bound, .. } = buckets[0];
        assert_eq!((lower_bound, buckets[9].upper_bound), (ours.min, ours.max), "{name}");
        assert!(
            double(&theirs[0][0]).abs() < 2_147_483_649.0 || double(&theirs[9][1]).abs() < 2_147_483_649.0,
            "{name}"
        );
        return;
    }
    for (bucket, theirs) in buckets.iter().zip(theirs) {
        assert_same(bucket.lower_bound, &theirs[0], name);
        assert_same(bucket.upper_bound, &theirs[1], name);
        assert_same(bucket.count, &theirs[2], name);
    }
}

/// A value as some column might hold it.
fn any_value() -> impl Strategy<Value = Option<(String, CellKind)>> {
    let text = |strategy: BoxedStrategy<String>| strategy.prop_map(|text| (text, CellKind::Text)).boxed();
    let value = prop_oneof![
        4 => text((-50..50_i64).prop_map(|value| value.to_string()).boxed()),
        2 => text(any::<i64>().prop_map(|value| value.to_string()).boxed()),
        2 => text(any::<f64>().prop_map(|value| format!("{value:e}")).boxed()),
        1 => text(prop::sample::select(vec!["-0", "0", "-0.0", "0.0", "9223372036854775808", " 7", "+7", "- 7", "1e400"])
            .prop_map(str::to_owned).boxed()),
        1 => text(prop::sample::select(vec!["true", "false"]).prop_map(str::to_owned).boxed()),
        2 => text("\\PC{1,6}".boxed()),
        1 => any::<i32>().prop_map(|value| (value.to_string(), CellKind::Number)),
        1 => any::<bool>().prop_map(|value| (value.to_string(), CellKind::Boolean)),
    ];
    prop::option::weighted(0.9, value)
}

/// A column of mixed values, or one of few of its kinds.
fn any_column(rows: usize) -> impl Strategy<Value = Vec<Option<(String, CellKind)>>> {
    prop_oneof![
        vec(any_value(), rows),
        // Numbers alone, so that the sketch lives to the end.
        vec((-1000..1000_i32).prop_map(|value| Some((value.to_string(), CellKind::Text))), rows),
        vec((-1000..1000_i32).prop_map(|value| Some((format!("{value}.5"), CellKind::Text))), rows),
        vec(prop::option::of(prop::sample::select(vec!["-0", "0", "9223372036854775808", "2"])), rows)
            .prop_map(|texts| texts.into_iter().map(|text| Some((text?.to_owned(), CellKind::Text))).collect()),
        vec("[a-c]{1,3}".prop_map(|text| Some((text, CellKind::Text))), rows),
        vec(any::<i64>().prop_map(|value| Some((value.to_string(), CellKind::Number))), rows),
    ]
}

/// Rows, names that may repeat, and where splits end.
fn any_table(most: usize) -> impl Strategy<Value = (Vec<Row>, Vec<String>, Vec<usize>)> {
    (0..=most, 1..4_usize).prop_flat_map(|(rows, width)| {
        let columns = vec(any_column(rows), width);
        let cuts = vec(0..=rows, 0..6);
        let names = vec("[ab]|\\PC{1,3}", width);
        (columns, names, cuts).prop_map(move |(columns, names, mut cuts)| {
            cuts.sort_unstable();
            let row = |index: usize| columns.iter().map(|column| column[index].clone()).collect();
            ((0..rows).map(row).collect(), names, cuts)
        })
    })
}

/// The pieces between cuts, each folded.
fn splits(rows: &[Row], names: &[String], cuts: &[usize], at_once: usize) -> Vec<Profile> {
    let ends = cuts.iter().copied().chain([rows.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| folded(&rows[start..end], names, at_once)).collect()
}

fn merged(profiles: Vec<Profile>) -> Profile {
    let mut tree = MergeTree::default();
    for profile in profiles {
        tree.push(profile);
    }
    tree.finish()
}

fn passed_on(profile: &Profile) -> Profile {
    let bytes = profile.to_bytes();
    let read = Profile::from_bytes(&bytes).unwrap();
    assert!(read.to_bytes() == bytes);
    read
}

/// A long column of numbers, so that sketches have several levels.
fn long_table() -> (Vec<Row>, Vec<String>) {
    let number = |row: u64| row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let row = |row: u64| {
        let text = |text: String| Some((text, CellKind::Text));
        vec![
            text(number(row).to_string()),
            text(format!("{}.{}", number(row) % 1000, row % 10)),
            (!row.is_multiple_of(7)).then(|| (format!("{}", number(row) % 150), CellKind::Text)),
        ]
    };
    ((0..20_000).map(row).collect(), vec!["a".to_owned(), "b".to_owned(), "c".to_owned()])
}

#[test]
fn splits_that_travelled_as_bytes_merge_to_the_same_bytes() {
    let (rows, names) = long_table();
    for cuts in [
        vec![],
        vec![1],
        vec![7_000, 14_000],
        vec![100, 2_050, 2_051, 6_000, 19_999],
        (1..40).map(|cut| cut * 500).collect(),
    ] {
        let here = merged(splits(&rows, &names, &cuts, 1_000));
        let elsewhere = merged(splits(&rows, &names, &cuts, 77).iter().map(passed_on).collect());
        assert!(here.to_bytes() == elsewhere.to_bytes(), "{cuts:?}");
        assert!(passed_on(&here).statistics() == here.statistics(), "{cuts:?}");
        let weight = |profile: &Profile, column: usize| {
            let statistics = profile.statistics().features[column].numerical_statistics.clone().unwrap();
            let sketch = statistics.distribution.unwrap().kll.sketch.unwrap();
            sketch.data.iter().zip(0..).map(|(level, height)| (level.len() as u64) << height).sum::<u64>()
        };
        for column in 0..3 {
            assert_eq!(weight(&here, column), here.columns[column].1.present());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_cut_leaves_what_can_be_counted((rows, names, cuts) in any_table(120)) {
        let whole = folded(&rows, &names, 1_000);
        let parts = splits(&rows, &names, &cuts, 13);
        let cut = merged(parts.clone());
        prop_assert!(cut.to_bytes() == merged(parts.iter().map(passed_on).collect()).to_bytes());
        if cuts.is_empty() {
            prop_assert!(cut.to_bytes() == whole.to_bytes());
        }
        // Types, completeness, signs and domains, all in one.
        let config = MonitoringConfig::default;
        prop_assert_eq!(cut.suggest_constraints(config()), whole.suggest_constraints(config()));
        prop_assert_eq!(cut.records, whole.records);
        for ((cut_name, cut), (name, whole)) in cut.columns.iter().zip(&whole.columns) {
            prop_assert_eq!(cut_name, name);
            prop_assert_eq!(cut.present(), whole.present());
            prop_assert_eq!(cut.distinct(), whole.distinct());
            for kind in [InferredType::Integral, InferredType::Fractional, InferredType::String] {
                prop_assert_eq!(cut.share_of_type(kind, false), whole.share_of_type(kind, false));
            }
            let categories = |column: &ColumnProfile| {
                column.categories().map(|all| all.map(|(text, count)| (text.to_owned(), count)).collect::<Vec<_>>())
            };
            prop_assert_eq!(categories(cut), categories(whole));
        }
        let (ours, expected) = (cut.statistics(), whole.statistics());
        for (ours, expected) in ours.features.iter().zip(&expected.features) {
            prop_assert_eq!(&ours.string_statistics, &expected.string_statistics);
            let numbers = ours.numerical_statistics.as_ref().zip(expected.numerical_statistics.as_ref());
            if let Some((ours, expected)) = numbers {
                prop_assert_eq!(&ours.common, &expected.common);
                prop_assert_eq!(ours.min.to_bits(), expected.min.to_bits());
                prop_assert_eq!(ours.max.to_bits(), expected.max.to_bits());
                // Few enough values for a sketch that holds them all, in order.
                let data = |statistics: &NumericalStatistics| {
                    let sketch = statistics.distribution.clone().unwrap().kll.sketch.unwrap();
                    sketch.data.into_iter().flatten().map(f64::to_bits).collect::<Vec<_>>()
                };
                prop_assert_eq!(data(ours), data(expected));
            }
        }
    }

    #[test]
    fn batches_do_not_show((rows, names, _) in any_table(60), at_once in 1..20_usize) {
        prop_assert!(folded(&rows, &names, at_once).to_bytes() == folded(&rows, &names, 1_000).to_bytes());
    }

    #[test]
    fn columns_meet_by_name((rows, names, cuts) in any_table(40)) {
        // A part with its columns in another order is the same part, where names tell them apart.
        let names: Vec<String> = names.iter().zip(0..).map(|(name, index)| format!("{name}{index}")).collect();
        let parts = splits(&rows, &names, &cuts, 100);
        let turned = parts.iter().enumerate().map(|(index, part)| {
            let mut part = part.clone();
            if index > 0 {
                part.columns.reverse();
            }
            part
        });
        prop_assert!(merged(turned.collect()).to_bytes() == merged(parts.clone()).to_bytes());
    }

    #[test]
    fn arbitrary_bytes_are_a_profile_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Profile::from_bytes(&bytes);
        let _ = Profile::from_bytes(&[&[1], bytes.as_slice()].concat());
    }

    #[test]
    fn damaged_bytes_are_a_profile_or_an_error(
        (rows, names, _) in any_table(30),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = folded(&rows, &names, 100);
        let bytes = whole.to_bytes();
        prop_assert!(Profile::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(Profile::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        let mut damaged = bytes.clone();
        for (place, byte) in damage {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        if let Ok(profile) = Profile::from_bytes(&damaged) {
            prop_assert!(profile.to_bytes() == damaged);
            // What has been read can be used.
            let statistics = profile.statistics().to_json();
            prop_assert!(!statistics.is_empty());
            profile.suggest_constraints(MonitoringConfig::default());
            let mut merged = whole.clone();
            merged.merge(profile);
            merged.statistics();
        }
    }
}
