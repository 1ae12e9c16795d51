use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use watchkeeper_engine::encoding::{DecodeError, Reader, Writer};
use watchkeeper_engine::sketch::{Categories, category_order, hash};

use crate::samples::{cases, counts};

fn counted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Categories {
    let mut categories = Categories::new();
    for text in texts {
        categories.add(hash(text.as_ref().as_bytes()), text.as_ref().as_bytes());
    }
    categories
}

fn listed(categories: &Categories) -> Vec<(String, u64)> {
    categories.iter().map(|(text, count)| (String::from_utf8(text.to_vec()).unwrap(), count)).collect()
}

fn encoded(categories: &Categories) -> Vec<u8> {
    let mut writer = Writer::new();
    categories.encode(&mut writer);
    writer.finish()
}

fn decoded(bytes: &[u8]) -> Result<Categories, DecodeError> {
    let mut reader = Reader::new(bytes);
    let categories = Categories::decode(&mut reader)?;
    reader.finish()?;
    Ok(categories)
}

#[test]
fn are_written_in_the_order_of_deequ() {
    for case in cases(include_str!("../deequ/category-order.json")) {
        let mut values = counts(&case["values"]);
        category_order(case["feature"].as_str().unwrap(), &mut values);
        assert_eq!(json!(values), case["in_order"], "{}", case["id"]);
    }
}

/// Values of equal trie key, which no order of Deequ's tells apart.
#[test]
fn of_equal_hash_keep_their_order() {
    for texts in [["Aa", "BB", "Ac", "BD", "x"], ["BB", "Aa", "BD", "Ac", "x"]] {
        let mut values: Vec<(String, u64)> = texts.iter().map(|&text| (text.to_owned(), 1)).collect();
        category_order("feature", &mut values);
        let place = |text| values.iter().position(|(value, _)| value == text).unwrap();
        assert!(place(texts[0]) < place(texts[1]));
        assert!(place(texts[2]) < place(texts[3]));
    }
}

#[test]
fn texts_of_equal_hash_are_told_apart() {
    let mut categories = Categories::new();
    for text in ["a", "b", "a", "", "b", "a"] {
        categories.add(7, text.as_bytes());
    }
    assert_eq!(listed(&categories), [("a".to_owned(), 3), ("b".to_owned(), 2), (String::new(), 1)]);
    assert_eq!(categories.len(), 3);
}

#[test]
fn lying_bytes_are_errors() {
    let bytes = encoded(&counted(["a", "b"]));
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut twice = bytes.clone();
    let last = twice.len() - 1;
    twice[last] = b'a';
    assert_eq!(decoded(&twice).unwrap_err().to_string(), "a text occurs twice in a categories state");
    let mut huge = bytes.clone();
    huge[9..17].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(decoded(&huge).unwrap_err().to_string(), "a categories state counts more than 2^53 values");
    let mut lying = bytes;
    lying[1..9].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(decoded(&lying).is_err());
}

/// What is counted one by one from a list.
fn reference(texts: &[String]) -> Vec<(String, u64)> {
    let mut list: Vec<(String, u64)> = Vec::new();
    for text in texts {
        match list.iter_mut().find(|(other, _)| other == text) {
            Some((_, count)) => *count += 1,
            None => list.push((text.clone(), 1)),
        }
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn are_exact_and_in_order_of_first_appearance(texts in vec("[a-e]{0,3}", 0..600)) {
        prop_assert_eq!(listed(&counted(&texts)), reference(&texts));
    }

    #[test]
    fn merging_gives_what_all_texts_together_give(first in vec("[a-e]{0,3}", 0..200), second in vec(".{0,2}", 0..200)) {
        let mut merged = counted(&first);
        merged.merge(&counted(&second));
        prop_assert_eq!(&merged, &counted(first.iter().chain(&second)));
        let mut read_back = decoded(&encoded(&merged)).unwrap();
        prop_assert_eq!(&read_back, &merged);
        read_back.merge(&merged);
        prop_assert_eq!(read_back.len(), merged.len());
    }

    #[test]
    fn no_bytes_make_them_panic(bytes in vec(any::<u8>(), 0..80), length in 0_u64..4) {
        let _ = decoded(&bytes);
        let mut likely = vec![1];
        likely.extend(length.to_le_bytes());
        likely.extend(&bytes);
        let _ = decoded(&likely);
    }
}
