//! What things cost, for whoever measures: `cargo test -p watchkeeper-store -- --ignored --nocapture cost`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use watchkeeper_store::objects::{ListObjects, ObjectAttributes, Precondition, body};

use crate::{bytes, new_store};

fn report(what: &str, duration: Duration, times: u32) {
    let each = duration / times;
    std::io::stdout().lock().write_all(format!("{what}: {each:.1?} each\n").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn puts() {
    let (_folder, store) = new_store().await;
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    for (size, writers, each) in [(4096, 1, 200_u32), (4096, 16, 200), (1 << 20, 1, 30), (1 << 20, 16, 10)] {
        let content = bytes::Bytes::from(bytes(1, size));
        let start = Instant::now();
        let tasks = (0..writers).map(|writer| {
            let (objects, content) = (store.objects.clone(), content.clone());
            tokio::spawn(async move {
                for number in 0..each {
                    let key = format!("{writer}/{number}");
                    let attributes = ObjectAttributes::default();
                    objects.put("b", &key, attributes, body(content.clone()), Precondition::None).await.unwrap();
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
        report(&format!("put of {size} bytes, {writers} at once"), start.elapsed(), writers * each);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn listing_pages() {
    let (_folder, store) = new_store().await;
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let mut objects = 0;
    for until in [1000, 100_000] {
        let numbers: Vec<u32> = (objects..until).collect();
        for numbers in numbers.chunks(500) {
            let puts = numbers.iter().map(|number| {
                // A hundred objects of each prefix.
                let key = format!("capture/{:06}/{:03}.jsonl", number / 100, number % 100);
                let attributes = ObjectAttributes::default();
                let store = store.objects.clone();
                async move { store.put("b", &key, attributes, body("{}"), Precondition::None).await }
            });
            for put in futures::future::join_all(puts).await {
                put.unwrap();
            }
        }
        objects = until;
        let flat = ListObjects { bucket: "b".into(), prefix: "capture/".into(), limit: 1000, ..ListObjects::default() };
        let delimited = ListObjects { delimiter: Some("/".into()), ..flat.clone() };
        let small = ListObjects { limit: 10, ..delimited.clone() };
        for (name, list) in [("plain", flat), ("delimited", delimited), ("delimited, of 10", small)] {
            let page = store.objects.list(&list).await.unwrap();
            let entries = page.objects.len() + page.prefixes.len();
            let start = Instant::now();
            for _ in 0..20 {
                store.objects.list(&list).await.unwrap();
            }
            report(&format!("{name} page ({entries} entries) at {objects} objects"), start.elapsed(), 20);
        }
    }
}
