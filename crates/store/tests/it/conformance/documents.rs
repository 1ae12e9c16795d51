//! Documents.

use std::sync::Arc;

use watchkeeper_store::metadata::{
    Change, Columns, CommitError, Document, Kind, MetadataStore, Position, Query, Range, SortBy,
};

type Store = Arc<dyn MetadataStore>;

pub(crate) async fn all(store: &Store) {
    round_trip(store).await;
    conflicts(store).await;
    all_or_nothing(store).await;
    conflicts_of_a_common_commit(store).await;
    conditions(store).await;
    pages(store).await;
    scheduled_times_in_the_order_of_creation(store).await;
    claims(store).await;
    rival_claims(store).await;
}

fn document(kind: Kind, key: &str) -> Document {
    let columns = Columns { name: key.to_owned(), ..Columns::default() };
    Document { kind, key: key.to_owned(), version: 0, columns, body: format!("{{\"of\":\"{key}\"}}") }
}

async fn insert(store: &Store, documents: impl IntoIterator<Item = Document>) {
    store.commit(documents.into_iter().map(Change::Insert).collect()).await.unwrap();
}

async fn keys(store: &Store, kind: Kind, query: &Query) -> Vec<String> {
    let listed = store.list(kind, query).await.unwrap();
    if query.limit == 0 && query.after.is_none() {
        assert_eq!(store.count(kind, query).await.unwrap(), listed.len() as u64);
    }
    listed.into_iter().map(|document| document.key).collect()
}

fn conflict_of(result: Result<(), CommitError>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(CommitError::Conflict { key, .. }) => Some(key),
        Err(CommitError::Failed(error)) => panic!("{error}"),
    }
}

async fn round_trip(store: &Store) {
    for kind in Kind::ALL {
        let columns = Columns {
            name: "Näme".into(),
            status: "InService".into(),
            monitoring_type: "DataQuality".into(),
            endpoint: "endpoint".into(),
            definition: "definition".into(),
            schedule: "schedule".into(),
            created: 1_700_000_000_123,
            modified: -5,
            scheduled: 7,
            due: Some(8),
            claimed_by: "somebody".into(),
            claimed_until: 9,
        };
        let written =
            Document { kind, key: "a/ü '\"".into(), version: 77, columns, body: "{\"x\":\"\\u0000\"}".into() };
        insert(store, [written.clone()]).await;
        let read = store.get(kind, &written.key).await.unwrap().unwrap();
        assert_eq!(read, Document { version: 1, ..written.clone() }, "an inserted document has version 1");
        let changed = Document { body: "{}".into(), columns: Columns::default(), ..read };
        store.commit(vec![Change::Update(changed.clone())]).await.unwrap();
        let read = store.get(kind, &written.key).await.unwrap().unwrap();
        assert_eq!(read, Document { version: 2, ..changed });
        store.commit(vec![Change::Delete { kind, key: written.key.clone(), version: 2 }]).await.unwrap();
        assert_eq!(store.get(kind, &written.key).await.unwrap(), None);
        assert!(keys(store, kind, &Query::default()).await.is_empty());
    }
}

async fn conflicts(store: &Store) {
    let kind = Kind::Model;
    insert(store, [document(kind, "one")]).await;
    let again = store.commit(vec![Change::Insert(document(kind, "one"))]).await;
    assert_eq!(conflict_of(again).as_deref(), Some("one"));
    let read = store.get(kind, "one").await.unwrap().unwrap();
    store.commit(vec![Change::Update(read.clone())]).await.unwrap();
    assert_eq!(conflict_of(store.commit(vec![Change::Update(read.clone())]).await).as_deref(), Some("one"));
    let delete = Change::Delete { kind, key: "one".into(), version: 1 };
    assert_eq!(conflict_of(store.commit(vec![delete]).await).as_deref(), Some("one"));
    let missing = Document { version: 1, ..document(kind, "missing") };
    assert_eq!(conflict_of(store.commit(vec![Change::Update(missing)]).await).as_deref(), Some("missing"));
    let delete = Change::Delete { kind, key: "missing".into(), version: 1 };
    assert_eq!(conflict_of(store.commit(vec![delete]).await).as_deref(), Some("missing"));
    store.commit(vec![Change::Delete { kind, key: "one".into(), version: 2 }]).await.unwrap();
}

async fn all_or_nothing(store: &Store) {
    let kind = Kind::Endpoint;
    insert(store, [document(kind, "there")]).await;
    let changes = ["new", "newer", "there", "newest"].map(|key| Change::Insert(document(kind, key)));
    assert_eq!(conflict_of(store.commit(changes.to_vec()).await).as_deref(), Some("there"));
    assert_eq!(keys(store, kind, &Query::default()).await, ["there"]);
}

/// Writes that wait together are committed together; one that meets a conflict takes back only its own.
async fn conflicts_of_a_common_commit(store: &Store) {
    let kind = Kind::Setting;
    insert(store, [document(kind, "taken")]).await;
    let commits = (0..200).map(|number| {
        let mut changes = vec![Change::Insert(document(kind, &format!("{number:03}")))];
        if number % 3 == 0 {
            changes.push(Change::Insert(document(kind, "taken")));
        }
        store.commit(changes)
    });
    let outcomes = futures::future::join_all(commits).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let committed = store.get(kind, &format!("{number:03}")).await.unwrap().is_some();
        assert_eq!(conflict_of(outcome).is_none(), committed);
        assert_eq!(committed, number % 3 != 0);
    }

    // Of all who change what they have read, one wins each time.
    let increments = (0..20).map(|_| async {
        loop {
            let mut read = store.get(kind, "taken").await.unwrap().unwrap();
            let count: u32 = read.body.parse().unwrap_or(0);
            read.body = (count + 1).to_string();
            if conflict_of(store.commit(vec![Change::Update(read)]).await).is_none() {
                break;
            }
        }
    });
    futures::future::join_all(increments).await;
    assert_eq!(store.get(kind, "taken").await.unwrap().unwrap().body, "20");
}

async fn conditions(store: &Store) {
    let kind = Kind::Execution;
    let columns = |number: i64| Columns {
        name: format!("Name-{number}"),
        status: if number % 2 == 0 { "Completed" } else { "Failed" }.into(),
        monitoring_type: "DataQuality".into(),
        endpoint: format!("endpoint-{}", number / 5),
        definition: "Definition".into(),
        schedule: if number < 5 { "first" } else { "second" }.into(),
        created: number,
        modified: 100 - number,
        scheduled: number * 10,
        ..Columns::default()
    };
    insert(store, (0..10).map(|number| Document { columns: columns(number), ..document(kind, &format!("k{number}")) }))
        .await;
    let text = |value: &str| Some(value.to_owned());
    let cases = [
        (Query { name_contains: text("NAME-7"), ..Query::default() }, "7"),
        (Query { name_contains: text("%"), ..Query::default() }, ""),
        (Query { name_contains: text("\0"), ..Query::default() }, ""),
        (Query { status: text("Failed\0"), ..Query::default() }, ""),
        (Query { key_prefix: text("k1\0"), ..Query::default() }, ""),
        (Query { status: text("failed"), ..Query::default() }, "1 3 5 7 9"),
        (Query { statuses: vec!["Failed".into(), "Stopped".into()], ..Query::default() }, "1 3 5 7 9"),
        (Query { endpoint: text("ENDPOINT-1"), ..Query::default() }, "5 6 7 8 9"),
        (Query { definition: text("definition"), schedule: text("FIRST"), ..Query::default() }, "0 1 2 3 4"),
        (Query { monitoring_type: text("ModelQuality"), ..Query::default() }, ""),
        (Query { created: Range { after: Some(2), before: Some(5) }, ..Query::default() }, "3 4"),
        (Query { modified: Range { after: Some(98), before: None }, ..Query::default() }, "0 1"),
        (Query { scheduled: Range { after: None, before: Some(10) }, ..Query::default() }, "0"),
        (Query { key_prefix: text("k1"), ..Query::default() }, "1"),
        (Query { key_prefix: text("K"), ..Query::default() }, ""),
        (Query { status: text("Failed"), schedule: text("second"), descending: true, ..Query::default() }, "9 7 5"),
        (Query { sort_by: SortBy::Modified, limit: 3, ..Query::default() }, "9 8 7"),
        (Query { sort_by: SortBy::Status, limit: 6, ..Query::default() }, "0 2 4 6 8 1"),
        (Query { sort_by: SortBy::Scheduled, descending: true, limit: 2, ..Query::default() }, "9 8"),
    ];
    assert_eq!(store.get(kind, "k1\0").await.unwrap(), None);
    for (query, expected) in cases {
        let expected: Vec<String> = expected.split_whitespace().map(|number| format!("k{number}")).collect();
        assert_eq!(keys(store, kind, &query).await, expected, "{query:?}");
    }
}

/// However pages are cut, and although most values are equal, they are the whole list and nothing twice.
async fn pages(store: &Store) {
    let kind = Kind::ProcessingJob;
    let columns = |number: i64| Columns {
        name: ["alpha", "Alpha", "beta"][(number % 3) as usize].into(),
        status: ["Completed", "InProgress"][(number % 2) as usize].into(),
        created: number / 10,
        modified: 5,
        scheduled: -number / 7,
        ..Columns::default()
    };
    let key = |number: i64| format!("{}{number}", ["x", "X", "ü", "/"][(number % 4) as usize]);
    insert(store, (0..50).map(|number| Document { columns: columns(number), ..document(kind, &key(number)) })).await;
    let orders = [SortBy::Name, SortBy::Created, SortBy::Modified, SortBy::Scheduled, SortBy::Status, SortBy::Key];
    for sort_by in orders {
        for descending in [false, true] {
            let whole = keys(store, kind, &Query { sort_by, descending, ..Query::default() }).await;
            assert_eq!(whole.len(), 50);
            for limit in [1, 7, 49, 50, 51] {
                let mut paged = Vec::new();
                let mut after = None;
                loop {
                    let query = Query { sort_by, descending, limit, after, ..Query::default() };
                    let page = store.list(kind, &query).await.unwrap();
                    let Some(last) = page.last() else { break };
                    assert!(page.len() <= limit);
                    after = Some(Position::of(last, sort_by));
                    paged.extend(page.into_iter().map(|document| document.key));
                }
                assert_eq!(paged, whole, "{sort_by:?} {descending} {limit}");
            }
            let backwards = keys(store, kind, &Query { sort_by, descending: !descending, ..Query::default() }).await;
            assert!(whole.iter().eq(backwards.iter().rev()));
        }
    }
}

/// Executions are made when they are due, but for some that are made hours later, or before.
async fn scheduled_times_in_the_order_of_creation(store: &Store) {
    const MINUTE: i64 = 60_000;
    let kind = Kind::Execution;
    let columns = |number: i64| {
        let late = match number {
            number if number % 7 == 0 => 120,
            number if number % 11 == 0 => -60,
            // As far off as still counts as due, and a moment more.
            number if number % 13 == 0 => 10,
            _ => number % 2,
        };
        let scheduled = number / 2 * MINUTE;
        let created = scheduled + late * MINUTE + i64::from(number % 26 == 0);
        Columns { scheduled, created, ..Columns::default() }
    };
    let key = |number: i64| format!("late-{number:03}");
    let executions = (0..200).map(|number| Document { columns: columns(number), ..document(kind, &key(number)) });
    insert(store, executions).await;
    let (after, before) = (20 * MINUTE, 60 * MINUTE);
    for scheduled in [
        Range { after: Some(after), before: Some(before) },
        Range { after: Some(after), before: None },
        Range { after: None, before: Some(before) },
    ] {
        for descending in [false, true] {
            let mut expected: Vec<i64> = (0..200)
                .filter(|&number| {
                    let scheduled_for = columns(number).scheduled;
                    scheduled.after.is_none_or(|after| scheduled_for > after)
                        && scheduled.before.is_none_or(|before| scheduled_for < before)
                })
                .collect();
            expected.sort_by_key(|&number| (columns(number).created, number));
            if descending {
                expected.reverse();
            }
            let expected: Vec<String> = expected.into_iter().map(key).collect();
            let (mut paged, mut position) = (Vec::new(), None);
            loop {
                let query = Query {
                    sort_by: SortBy::Created,
                    descending,
                    scheduled,
                    key_prefix: Some("late-".to_owned()),
                    limit: 7,
                    after: position,
                    ..Query::default()
                };
                let page = store.list(kind, &query).await.unwrap();
                let Some(last) = page.last() else { break };
                position = Some(Position::of(last, SortBy::Created));
                paged.extend(page.into_iter().map(|document| document.key));
            }
            assert_eq!(paged, expected, "{scheduled:?} {descending}");
        }
    }
}

async fn claims(store: &Store) {
    let kind = Kind::MonitoringSchedule;
    let due = |key: &str, due: Option<i64>, status: &str| Document {
        columns: Columns { due, status: status.into(), ..Columns::default() },
        ..document(kind, key)
    };
    insert(
        store,
        [
            due("later", Some(101), "Scheduled"),
            due("never", None, "Scheduled"),
            due("stopped", Some(1), "Stopped"),
            due("b", Some(100), "Scheduled"),
            due("a", Some(100), "Pending"),
            due("oldest", Some(5), "Scheduled"),
        ],
    )
    .await;
    let claim = async |owner: &str, until, now, limit| {
        let claimed = store.claim(kind, &["Scheduled", "Pending"], owner, until, now, limit).await.unwrap();
        claimed.into_iter().map(|document| document.key).collect::<Vec<_>>()
    };
    assert_eq!(store.next_due(kind).await.unwrap(), Some(1));
    assert_eq!(store.next_due(Kind::Repository).await.unwrap(), None);
    assert_eq!(claim("one", 200, 100, 2).await, ["oldest", "a"]);
    let claimed = store.get(kind, "oldest").await.unwrap().unwrap();
    assert_eq!((claimed.version, claimed.columns.claimed_until), (2, 200));
    assert_eq!(claimed.columns.claimed_by, "one");
    assert_eq!(claim("two", 200, 100, 10).await, ["b"]);
    assert_eq!(claim("one", 250, 150, 10).await, ["oldest", "a", "later"], "an owner's own are prolonged");
    assert_eq!(claim("two", 300, 199, 10).await, ["b"]);
    assert_eq!(claim("two", 300, 250, 10).await, ["oldest", "a", "b", "later"], "claims that ran out are free");
    assert_eq!(store.claim(kind, &[], "three", 400, 250, 10).await.unwrap().len(), 1, "no status: any");
    assert!(claim("one", 400, 299, 10).await.is_empty());
    assert!(claim("one", 400, 300, 0).await.is_empty());
}

/// Whoever claims at the same time gets documents of his own.
async fn rival_claims(store: &Store) {
    let kind = Kind::TransformJob;
    let columns = || Columns { due: Some(1), ..Columns::default() };
    insert(store, (0..100).map(|number| Document { columns: columns(), ..document(kind, &number.to_string()) })).await;
    let owners: Vec<String> = (0..8).map(|number| format!("owner-{number}")).collect();
    let claims = owners.iter().map(|owner| async move {
        let mut keys = Vec::new();
        for _ in 0..3 {
            // Own claims are given again, so that these overlap by design; what counts is who has what in the end.
            let claimed = store.claim(kind, &[], owner, 100, 10, 9).await.unwrap();
            keys.extend(claimed.into_iter().map(|document| document.key));
        }
        keys.sort();
        keys.dedup();
        keys
    });
    let claimed = futures::future::join_all(claims).await;
    let mut all: Vec<&String> = claimed.iter().flatten().collect();
    let before = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), before, "nobody has what another has");
    assert_eq!(before, 8 * 9);
    for (owner, keys) in owners.iter().zip(&claimed) {
        for key in keys {
            assert_eq!(store.get(kind, key).await.unwrap().unwrap().columns.claimed_by, *owner);
        }
    }
}
