//! The cells of two histograms over each other.

use watchkeeper_engine::sketch::{Kll, Ranks};
use watchkeeper_formats::InferredType;

use super::super::histogram::over_each_other;

fn ranks(values: impl IntoIterator<Item = f64>) -> Ranks {
    let mut sketch = Kll::new();
    values.into_iter().for_each(|value| sketch.add(value));
    sketch.ranks()
}

fn whole(range: std::ops::Range<u32>) -> Ranks {
    ranks(range.map(f64::from))
}

#[test]
fn whole_numbers_fall_evenly_into_cells() {
    for (numbers, cells) in [(10, 10), (32, 32), (100, 25), (1, 1)] {
        let even = whole(0..numbers);
        let overlay = over_each_other(&even, &even, InferredType::Integral, 32).unwrap();
        assert_eq!(overlay.baseline, vec![1.0 / f64::from(cells); cells as usize]);
        assert_eq!(overlay.current, overlay.baseline);
        assert_eq!((overlay.lower, overlay.upper, overlay.has_tails), (0.0, f64::from(numbers - 1), false));
    }
}

/// Below 2,051 values a sketch holds every one, so that counting them is the referee.
#[test]
fn every_value_is_in_the_cell_of_its_range() {
    let baseline: Vec<f64> = (0..500_u32).map(|index| f64::from(index * index % 977) / 10.0).collect();
    let current: Vec<f64> = (0..700_u32).map(|index| f64::from(index * index % 1499) / 9.0).collect();
    let (before, now) = (ranks(baseline.iter().copied()), ranks(current.iter().copied()));
    let overlay = over_each_other(&before, &now, InferredType::Fractional, 8).unwrap();
    let step = (overlay.upper - overlay.lower) / 8.0;
    let counted = |values: &[f64]| {
        let mut shares = [0.0; 8];
        for value in values {
            let cell = (0..7).find(|cell| *value < overlay.lower + step * f64::from(cell + 1)).unwrap_or(7);
            shares[cell as usize] += 1.0;
        }
        shares.map(|count| count / values.len() as f64).to_vec()
    };
    assert_eq!(overlay.baseline, counted(&baseline));
    assert_eq!(overlay.current, counted(&current));
}

#[test]
fn a_far_value_does_not_press_the_others_into_one_cell() {
    let far = ranks((0..1000_u32).map(f64::from).chain([1e9]));
    let overlay = over_each_other(&whole(0..1000), &far, InferredType::Integral, 32).unwrap();
    assert!(overlay.has_tails);
    assert!(overlay.upper < 1100.0, "{}", overlay.upper);
    let sum: f64 = overlay.current.iter().sum();
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn one_rare_value_beside_a_constant_is_seen() {
    let constant = ranks([0.0; 1000]);
    let rare = ranks((0..1000_u32).map(|index| if index == 7 { 5.0 } else { 0.0 }));
    let overlay = over_each_other(&constant, &rare, InferredType::Fractional, 4).unwrap();
    assert_eq!(overlay.baseline, [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(overlay.current, [0.999, 0.0, 0.0, 0.001]);
}

#[test]
fn values_too_far_apart_have_no_cells() {
    let extremes = ranks([f64::MIN, f64::MAX]);
    assert!(over_each_other(&extremes, &extremes, InferredType::Fractional, 8).is_none());
    let infinite = ranks([f64::NEG_INFINITY, 1.0, f64::INFINITY]);
    assert!(over_each_other(&infinite, &infinite, InferredType::Integral, 8).is_none());
}
