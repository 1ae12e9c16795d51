//! Logs.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchkeeper_store::Error;
use watchkeeper_store::logs::{
    EventsPage, EventsQuery, FilterQuery, LogEvent, Logs, MAX_MESSAGE_BYTES, StoredEvent, StreamOrder, StreamPosition,
    StreamSelection, StreamsQuery,
};

type Store = Arc<dyn Logs>;

pub(crate) async fn all(store: &Store) {
    groups(store).await;
    streams(store).await;
    reading_on(store).await;
    windows(store).await;
    limits(store).await;
    filters(store).await;
    filter_agrees_with_sorting(store).await;
    retention(store).await;
}

fn event(timestamp: i64, message: impl Into<String>) -> LogEvent {
    LogEvent { timestamp, message: message.into() }
}

fn messages(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

async fn new_stream(store: &Store, group: &str, stream: &str) {
    match store.create_group(group, 1).await {
        Ok(()) | Err(Error::LogGroupExists(_)) => {}
        Err(error) => panic!("{error}"),
    }
    store.create_stream(group, stream, 1).await.unwrap();
}

async fn groups(store: &Store) {
    for group in ["/a/one", "/a/two", "/b"] {
        store.create_group(group, 5).await.unwrap();
    }
    assert!(matches!(store.create_group("/b", 6).await, Err(Error::LogGroupExists(_))));
    let names = async |prefix: &str, after: Option<&str>, limit| {
        let groups = store.groups(prefix, after, limit).await.unwrap();
        groups.into_iter().map(|group| group.name).collect::<Vec<_>>()
    };
    assert_eq!(names("", None, 10).await, ["/a/one", "/a/two", "/b"]);
    assert_eq!(names("/a", None, 1).await, ["/a/one"]);
    assert_eq!(names("/a", Some("/a/one"), 10).await, ["/a/two"]);
    assert!(names("%", None, 10).await.is_empty());

    store.create_stream("/b", "s", 7).await.unwrap();
    store.append("/b", "s", vec![event(1, "four")], 8).await.unwrap();
    assert_eq!(store.groups("/b", None, 1).await.unwrap()[0].stored_bytes, 4);
    store.delete_group("/b").await.unwrap();
    assert!(matches!(store.delete_group("/b").await, Err(Error::NoSuchLogGroup(_))));
    store.create_group("/b", 9).await.unwrap();
    let query = StreamsQuery { group: "/b".into(), ..StreamsQuery::default() };
    assert!(store.streams(&query).await.unwrap().is_empty(), "nothing of a deleted group comes back");
}

async fn streams(store: &Store) {
    let group = "streams";
    for stream in ["job/algo-2", "job/algo-1", "jobless", "other"] {
        new_stream(store, group, stream).await;
    }
    assert!(matches!(store.create_stream(group, "other", 1).await, Err(Error::LogStreamExists(_))));
    assert!(matches!(store.create_stream("none", "s", 1).await, Err(Error::NoSuchLogGroup(_))));
    let missing = store.append(group, "none", vec![event(1, "x")], 1).await;
    assert!(matches!(missing, Err(Error::NoSuchLogStream(_))));
    assert!(matches!(store.append("none", "none", vec![], 1).await, Err(Error::NoSuchLogGroup(_))));
    store.append(group, "job/algo-2", vec![event(30, "b"), event(20, "cc")], 99).await.unwrap();
    store.append(group, "jobless", vec![event(10, "x")], 99).await.unwrap();

    let names = async |query: &StreamsQuery| {
        let streams = store.streams(query).await.unwrap();
        streams.into_iter().map(|stream| stream.name).collect::<Vec<_>>()
    };
    let mut query = StreamsQuery { group: group.into(), prefix: "job/".into(), ..StreamsQuery::default() };
    assert_eq!(names(&query).await, ["job/algo-1", "job/algo-2"]);
    let algo_2 = store.streams(&query).await.unwrap().remove(1);
    assert_eq!((algo_2.first_event, algo_2.last_event, algo_2.last_ingestion), (Some(20), Some(30), Some(99)));
    assert_eq!((algo_2.created, algo_2.stored_bytes), (1, 3));
    query.limit = 1;
    query.after = Some(StreamPosition { last_event: None, name: "job/algo-1".into() });
    assert_eq!(names(&query).await, ["job/algo-2"]);
    query = StreamsQuery { group: group.into(), order: StreamOrder::LastEventTime, descending: true, ..query };
    (query.prefix, query.after, query.limit) = (String::new(), None, 0);
    assert_eq!(names(&query).await, ["job/algo-2", "jobless", "other", "job/algo-1"]);
    query.after = Some(StreamPosition { last_event: Some(10), name: "jobless".into() });
    assert_eq!(names(&query).await, ["other", "job/algo-1"]);
    let missing = store.streams(&StreamsQuery { group: "none".into(), ..StreamsQuery::default() }).await;
    assert!(matches!(missing, Err(Error::NoSuchLogGroup(_))));
}

async fn page(store: &Store, stream: &str, query: EventsQuery) -> EventsPage {
    store.events("pages", stream, &query).await.unwrap()
}

async fn reading_on(store: &Store) {
    new_stream(store, "pages", "s").await;
    let head = EventsQuery { from_head: true, ..EventsQuery::default() };
    let empty = page(store, "s", head.clone()).await;
    assert!(empty.events.is_empty());

    for batch in 0..10 {
        let events = (0..5).map(|number| event(100 - batch, format!("{batch}{number}"))).collect();
        store.append("pages", "s", events, 1000 + batch).await.unwrap();
    }
    let expected: Vec<String> = (0..50).map(|number| format!("{:02}", number / 5 * 10 + number % 5)).collect();
    // A token that was given before there were events reads them from the first on.
    let mut token = empty.forward;
    let mut read = Vec::new();
    let mut ids = BTreeSet::new();
    loop {
        let query = EventsQuery { token: Some(token.clone()), limit: 7, ..EventsQuery::default() };
        let next = page(store, "s", query).await;
        if next.events.is_empty() {
            assert_eq!(next.forward, token, "at the end the token stays the same");
            break;
        }
        ids.extend(next.events.iter().map(|event| event.id.clone()));
        read.extend(next.events.into_iter().map(|event| event.message));
        token = next.forward;
    }
    assert_eq!(read, expected);
    assert_eq!(ids.len(), 50);
    store.append("pages", "s", vec![event(5, "new")], 2000).await.unwrap();
    let next = page(store, "s", EventsQuery { token: Some(token), ..EventsQuery::default() }).await;
    assert_eq!(messages(&next.events), ["new"]);
    assert_eq!((next.events[0].ingestion, next.events[0].timestamp), (2000, 5));
    assert!(next.events[0].id.len() == 56 && next.events[0].id.bytes().all(|byte| byte.is_ascii_digit()));

    // Without `from_head` the newest, then backwards.
    let newest = page(store, "s", EventsQuery { limit: 3, ..EventsQuery::default() }).await;
    assert_eq!(messages(&newest.events), ["93", "94", "new"]);
    let before = EventsQuery { limit: 4, token: Some(newest.backward), ..EventsQuery::default() };
    let before = page(store, "s", before).await;
    assert_eq!(messages(&before.events), ["84", "90", "91", "92"]);
    let first = page(store, "s", EventsQuery { limit: 1, ..head.clone() }).await;
    let none = EventsQuery { token: Some(first.backward.clone()), ..EventsQuery::default() };
    let none = page(store, "s", none).await;
    assert!(none.events.is_empty());
    assert_eq!(none.backward, first.backward, "at the beginning the token stays the same");

    for token in ["", "f", "f/", "f/-1", "x/00000000000000000001", "eyJhIjoxfQ=="] {
        let query = EventsQuery { token: Some(token.to_owned()), ..EventsQuery::default() };
        assert!(matches!(store.events("pages", "s", &query).await, Err(Error::InvalidToken)), "{token}");
    }
    assert!(matches!(store.events("pages", "none", &head).await, Err(Error::NoSuchLogStream(_))));
    assert!(matches!(store.events("none", "s", &head).await, Err(Error::NoSuchLogGroup(_))));
}

async fn windows(store: &Store) {
    let window = |start, end| EventsQuery { start, end, from_head: true, limit: 100, token: None };
    let read = async |query| page(store, "s", query).await.events.len();
    assert_eq!(read(window(Some(100), None)).await, 5);
    assert_eq!(read(window(Some(92), Some(94))).await, 10);
    assert_eq!(read(window(None, Some(91))).await, 1);
    assert_eq!(read(window(Some(101), None)).await, 0);
}

async fn limits(store: &Store) {
    new_stream(store, "pages", "long").await;
    let long = "x".repeat(MAX_MESSAGE_BYTES);
    let refused = store.append("pages", "long", vec![event(1, "a"), event(1, format!("{long}x"))], 1).await;
    assert!(matches!(refused, Err(Error::LogEventTooLarge { .. })));
    let events = (0..6).map(|number| event(number, long.clone())).collect();
    store.append("pages", "long", events, 1).await.unwrap();
    let head = EventsQuery { from_head: true, ..EventsQuery::default() };
    let first = page(store, "long", head.clone()).await;
    assert_eq!(first.events.len(), 4, "a page holds 1 MiB of messages; the refused batch is not there");
    let rest = page(store, "long", EventsQuery { token: Some(first.forward), ..head.clone() }).await;
    assert_eq!(rest.events.len(), 2);
    let filtered = FilterQuery { streams: StreamSelection::Names(vec!["long".into()]), ..FilterQuery::default() };
    assert_eq!(filter(store, "pages", filtered).await.len(), 6);

    new_stream(store, "pages", "many").await;
    let events = (0..10_500).map(|number| event(number, format!("ü\n\0\"{number}"))).collect();
    store.append("pages", "many", events, 1).await.unwrap();
    let first = page(store, "many", head).await;
    assert_eq!(first.events.len(), 10_000);
    assert_eq!(first.events[9999].message, "ü\n\0\"9999");
}

/// All pages of a filter.
async fn filter(store: &Store, group: &str, mut query: FilterQuery) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    loop {
        let page = store.filter(group, query.clone()).await.unwrap();
        assert!(query.limit == 0 || page.events.len() <= query.limit);
        events.extend(page.events);
        match page.next {
            None => return events,
            next => {
                assert_ne!(next, query.token, "a page gets on");
                query.token = next;
            }
        }
    }
}

async fn filters(store: &Store) {
    for stream in ["a/1", "a/2", "b"] {
        new_stream(store, "filters", stream).await;
    }
    store.append("filters", "a/1", vec![event(1, "one"), event(4, "four")], 9).await.unwrap();
    store.append("filters", "b", vec![event(2, "two"), event(3, "three")], 9).await.unwrap();
    store.append("filters", "a/2", vec![event(3, "drei"), event(5, "five")], 9).await.unwrap();
    let query = FilterQuery::default;
    assert_eq!(messages(&filter(store, "filters", query()).await), ["one", "two", "drei", "three", "four", "five"]);
    let prefix = FilterQuery { streams: StreamSelection::Prefix("a/".into()), limit: 1, ..query() };
    assert_eq!(messages(&filter(store, "filters", prefix).await), ["one", "drei", "four", "five"]);
    let names = FilterQuery { streams: StreamSelection::Names(vec!["b".into(), "a/2".into()]), ..query() };
    assert_eq!(messages(&filter(store, "filters", names).await), ["two", "drei", "three", "five"]);
    let window = FilterQuery { start: Some(2), end: Some(4), ..query() };
    assert_eq!(messages(&filter(store, "filters", window).await), ["two", "drei", "three"]);
    let predicate: Option<watchkeeper_store::logs::Predicate> = Some(Arc::new(|message| message.contains('r')));
    let predicate = FilterQuery { predicate, ..query() };
    let found = filter(store, "filters", predicate).await;
    assert_eq!(messages(&found), ["drei", "three", "four"]);
    assert_eq!(found[2].stream, "a/1");
    let of_stream = store.events("filters", "a/1", &EventsQuery::default()).await.unwrap();
    assert_eq!(of_stream.events[1], found[2], "an event is the same, whichever way it is read");

    let missing = FilterQuery { streams: StreamSelection::Names(vec!["none".into()]), ..query() };
    assert!(matches!(store.filter("filters", missing).await, Err(Error::NoSuchLogStream(_))));
    assert!(matches!(store.filter("none", query()).await, Err(Error::NoSuchLogGroup(_))));
    let token = FilterQuery { token: Some("f/1".into()), ..query() };
    assert!(matches!(store.filter("filters", token).await, Err(Error::InvalidToken)));
}

/// Streams that overlap, times in any order and days apart: pages of any length are the sorted whole.
async fn filter_agrees_with_sorting(store: &Store) {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut expected = Vec::new();
    for stream in 0..6 {
        let name = format!("stream-{stream}");
        new_stream(store, "random", &name).await;
        for batch in 0..20 {
            let base = i64::try_from(random(5) * 86_400_000 + batch * 1000).unwrap();
            let times: Vec<i64> = (0..random(30)).map(|_| base + i64::try_from(random(8_000_000)).unwrap()).collect();
            let events = times.iter().map(|time| event(*time, format!("{stream} {batch} {time}"))).collect::<Vec<_>>();
            expected.extend(events.iter().map(|event| (event.timestamp, event.message.clone())));
            store.append("random", &name, events, 1).await.unwrap();
        }
    }
    expected.sort();
    for limit in [9, 97, 0] {
        for streams in [StreamSelection::All, StreamSelection::Prefix("stream".into())] {
            let read = filter(store, "random", FilterQuery { limit, streams, ..FilterQuery::default() }).await;
            let ids: BTreeSet<&String> = read.iter().map(|event| &event.id).collect();
            assert_eq!(ids.len(), read.len());
            assert!(read.is_sorted_by_key(|event| event.timestamp));
            let mut read: Vec<(i64, String)> = read.into_iter().map(|event| (event.timestamp, event.message)).collect();
            read.sort();
            assert!(read == expected);
        }
    }
}

const DAY: i64 = 86_400_000;

/// Removes until nothing goes any more; gives how many went.
async fn remove_all(store: &Store, now: i64, default_days: Option<u32>) -> u64 {
    let mut removed = 0;
    loop {
        match store.remove_expired(now, default_days).await.unwrap() {
            0 => return removed,
            some => removed += some,
        }
    }
}

async fn stream_of(store: &Store, group: &str, stream: &str) -> Option<watchkeeper_store::logs::LogStream> {
    let query = StreamsQuery { group: group.into(), prefix: stream.into(), ..StreamsQuery::default() };
    store.streams(&query).await.unwrap().into_iter().find(|found| found.name == stream)
}

async fn group_of(store: &Store, group: &str) -> watchkeeper_store::logs::LogGroup {
    let groups = store.groups(group, None, 100).await.unwrap();
    groups.into_iter().find(|found| found.name == group).unwrap()
}

async fn retention(store: &Store) {
    let (long, short, other) = ("retention/long", "retention/short", "retention/other");
    // Long after the events of the other tests.
    let now = 1000 * DAY;
    for group in [long, short, other] {
        store.create_group(group, now).await.unwrap();
        for stream in ["all-old", "some-old", "empty"] {
            store.create_stream(group, stream, now - 100 * DAY).await.unwrap();
        }
        store.create_stream(group, "new", now).await.unwrap();
        let old = [event(now - 40 * DAY, "äb"), event(now - 39 * DAY, "c"), event(now - 38 * DAY, "\"d\n")];
        for stream in ["all-old", "some-old"] {
            store.append(group, stream, old.to_vec(), now - 40 * DAY).await.unwrap();
        }
        store.append(group, "some-old", vec![event(now - DAY, "young")], now - DAY).await.unwrap();
    }
    // A stream that is written to late is not taken for one that is done with.
    store.append(short, "all-old", vec![event(now - 39 * DAY, "late")], now - 2 * DAY).await.unwrap();

    let days = async |group: &str| group_of(store, group).await.retention_days;
    store.set_retention(long, Some(60)).await.unwrap();
    store.set_retention(short, Some(30)).await.unwrap();
    assert_eq!((days(long).await, days(short).await, days(other).await), (Some(60), Some(30), None));
    assert!(matches!(store.set_retention("none", Some(1)).await, Err(Error::NoSuchLogGroup(_))));

    let all = async |group: &str| {
        let found = filter(store, group, FilterQuery::default()).await;
        found.into_iter().map(|event| (event.stream, event.message, event.id)).collect::<Vec<_>>()
    };
    let (long_before, other_before, short_before) = (all(long).await, all(other).await, all(short).await);
    let token = page_of(store, short, "some-old", EventsQuery { from_head: true, limit: 1, ..EventsQuery::default() });
    let token = token.await.forward;

    // Without a default, those of the groups that say so: seven events, and two streams that never had any.
    assert_eq!(remove_all(store, now, None).await, 7 + 2);
    assert_eq!(all(long).await, long_before);
    assert_eq!(all(other).await, other_before);
    let young: Vec<_> = short_before.into_iter().filter(|(_, message, _)| message == "young").collect();
    assert_eq!(all(short).await, young, "what stays has its id");
    let group = group_of(store, short).await;
    assert_eq!(group.stored_bytes, 5);
    let some_old = stream_of(store, short, "some-old").await.unwrap();
    assert_eq!((some_old.first_event, some_old.last_event), (Some(now - DAY), Some(now - DAY)));
    assert_eq!((some_old.stored_bytes, some_old.last_ingestion), (5, Some(now - DAY)));
    let all_old = stream_of(store, short, "all-old").await.unwrap();
    assert_eq!((all_old.first_event, all_old.last_event, all_old.stored_bytes), (None, None, 0));
    assert!(stream_of(store, short, "empty").await.is_none(), "a stream that had no event for so long goes");
    assert!(stream_of(store, short, "new").await.is_some());
    let on = EventsQuery { token: Some(token), ..EventsQuery::default() };
    assert_eq!(messages(&page_of(store, short, "some-old", on).await.events), ["young"], "tokens read on");
    store.append(short, "all-old", vec![event(now, "again")], now).await.unwrap();
    assert_eq!(stream_of(store, short, "all-old").await.unwrap().first_event, Some(now));

    // With a default, those of the groups without one of their own as well.
    remove_all(store, now, Some(30)).await;
    assert_eq!(all(long).await, long_before);
    assert_eq!(all(other).await.into_iter().map(|(_, message, _)| message).collect::<Vec<_>>(), ["young"]);
    assert!(stream_of(store, other, "all-old").await.is_none());
    // A group says so no more.
    store.set_retention(long, None).await.unwrap();
    assert_eq!(days(long).await, None);
    remove_all(store, now, Some(30)).await;
    assert_eq!(all(long).await.len(), 1);

    // More than one step may remove.
    store.create_stream(long, "many", now).await.unwrap();
    for day in 0..700 {
        store.append(long, "many", vec![event(day * DAY, "x")], now).await.unwrap();
    }
    assert_eq!(remove_all(store, now, Some(30)).await, 700);
    assert!(stream_of(store, long, "many").await.unwrap().last_event.is_none());
}

async fn page_of(store: &Store, group: &str, stream: &str, query: EventsQuery) -> EventsPage {
    store.events(group, stream, &query).await.unwrap()
}
