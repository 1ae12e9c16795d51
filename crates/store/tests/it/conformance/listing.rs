//! Listings.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use watchkeeper_store::objects::{ListObjects, ObjectAttributes, Objects, Precondition, body};

type Store = Arc<dyn Objects>;

async fn fill(store: &Store, bucket: &str, keys: impl IntoIterator<Item = &String>) {
    store.create_bucket(bucket, "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let puts = keys
        .into_iter()
        .map(|key| store.put(bucket, key, ObjectAttributes::default(), body(key.clone()), Precondition::None));
    for put in futures::future::join_all(puts).await {
        put.unwrap();
    }
}

/// All entries in order, page by page; objects are told from common prefixes by their mark.
async fn entries(store: &Store, list: &ListObjects) -> Vec<(String, bool)> {
    let mut list = list.clone();
    let mut entries = Vec::new();
    loop {
        let page = store.list(&list).await.unwrap();
        assert!(page.objects.len() + page.prefixes.len() <= list.limit);
        let mut of_page: Vec<(String, bool)> = page.prefixes.into_iter().map(|prefix| (prefix, true)).collect();
        for object in page.objects {
            assert_eq!(object.size, object.key.len() as u64);
            of_page.push((object.key, false));
        }
        of_page.sort();
        entries.append(&mut of_page);
        let Some(next) = page.next else { return entries };
        assert_eq!(entries.last().map(|(entry, _)| entry), Some(&next));
        list.start_after = Some(next);
    }
}

/// The same, from the definition.
fn naive_entries(keys: &BTreeSet<String>, list: &ListObjects) -> Vec<(String, bool)> {
    let delimiter = list.delimiter.as_deref().unwrap_or_default();
    let entry = |key: &String| {
        let rest = key.strip_prefix(&list.prefix)?;
        match rest.find(delimiter) {
            Some(at) if !delimiter.is_empty() => {
                Some((key[..list.prefix.len() + at + delimiter.len()].to_owned(), true))
            }
            _ => Some((key.clone(), false)),
        }
    };
    let entries: BTreeSet<(String, bool)> = keys.iter().filter_map(entry).collect();
    let after = list.start_after.clone().unwrap_or_default();
    entries.into_iter().filter(|(entry, _)| *entry > after).collect()
}

pub(crate) async fn of_many_entries(store: &Store) {
    let mut keys: Vec<String> = (0..2500).map(|number| format!("data/{number:04}/part")).collect();
    keys.extend(["a", "a/b", "a//b", "a/b/c", "data", "data/", "é/x", "z"].map(str::to_owned));
    fill(store, "many", &keys).await;
    let list = ListObjects { bucket: "many".into(), limit: 1000, ..ListObjects::default() };
    let first = store.list(&list).await.unwrap();
    assert_eq!(first.objects.len(), 1000);
    let slash = ListObjects { delimiter: Some("/".into()), ..list.clone() };
    let top = store.list(&slash).await.unwrap();
    assert_eq!(top.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["a", "data", "z"]);
    assert_eq!((top.prefixes, top.next), (vec!["a/".into(), "data/".into(), "é/".into()], None));
    let data = ListObjects { prefix: "data/".into(), ..slash.clone() };
    assert_eq!(entries(store, &data).await.len(), 2501);
    let none = store.list(&ListObjects { limit: 0, ..slash }).await.unwrap();
    assert!(none.objects.is_empty() && none.prefixes.is_empty() && none.next.is_none());
    assert!(store.list(&ListObjects { bucket: "missing".into(), ..list }).await.is_err());
}

pub(crate) fn agrees_with_a_naive_model(runtime: &Runtime, store: &Store) {
    let key =
        || prop_oneof![r"[ab/]{1,5}", r"[aé/\u{10ffff}\u{7f}%_]{1,4}", Just("a//".to_owned()), Just("a".to_owned())];
    let some_delimiter = || {
        prop_oneof![Just(None), Just(Some("/".to_owned())), Just(Some("//".to_owned())), r"[abé]{1,2}".prop_map(Some)]
    };
    let prefix = || prop_oneof![Just(String::new()), r"[ab/é]{1,3}"];
    let cases = (
        btree_set(key(), 0..25),
        prop::collection::vec((prefix(), some_delimiter(), prop::option::of(key()), 1..6_usize), 1..8),
    );
    let mut number = 0;
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let cell = std::cell::RefCell::new(&mut number);
    TestRunner::new(config)
        .run(&cases, |(keys, lists)| {
            let bucket = {
                let mut number = cell.borrow_mut();
                **number += 1;
                format!("bucket-{number}")
            };
            runtime.block_on(fill(store, &bucket, &keys));
            for (prefix, delimiter, start_after, limit) in lists {
                let list = ListObjects { bucket: bucket.clone(), prefix, delimiter, start_after, limit };
                prop_assert_eq!(runtime.block_on(entries(store, &list)), naive_entries(&keys, &list), "{:?}", list);
            }
            Ok(())
        })
        .unwrap();
}
