//! A service that is killed in the middle of its writes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use futures::StreamExt as _;
use watchkeeper_store::Store;
use watchkeeper_store::metadata::{Change, Columns, Document, Kind, Query};
use watchkeeper_store::objects::{ListObjects, ObjectAttributes, Precondition, body, read_all};

use crate::bytes;
use crate::data_directory::body_files;

const FOLDER: &str = "WATCHKEEPER_TEST_DATA_DIRECTORY";
const KEYS: u64 = 12;
const ROUNDS: u64 = 6;

/// In the row, in the row to the last byte, and in files.
fn content(key: u64, version: u64) -> Vec<u8> {
    let sizes = [100, 4096, 65_536, 65_537, 300_000, 1_500_000];
    let mut content = bytes(key * 1_000_003 + version, sizes[(key % 6) as usize]);
    content[..8].copy_from_slice(&version.to_le_bytes());
    content
}

/// Not a test: what the test below starts as a process of its own. Writes until it is killed, and tells on standard
/// output what was acknowledged.
#[test]
#[ignore = "run by killed_in_the_middle_of_writes"]
fn writer_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(Path::new(&folder)).await.unwrap();
        let _ = store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await;
        let writers = (0..KEYS).map(|key| write_versions(store.clone(), key));
        futures::future::join_all(writers).await;
    });
}

async fn write_versions(store: Store, key: u64) {
    let name = key.to_string();
    let before = store.metadata.get(Kind::Setting, &name).await.unwrap();
    let mut version = before.map_or(0, |document| document.version as u64);
    loop {
        let body = body(content(key, version + 1));
        store.objects.put("b", &name, ObjectAttributes::default(), body, Precondition::None).await.unwrap();
        let document = Document {
            kind: Kind::Setting,
            key: name.clone(),
            version: version as i64,
            columns: Columns::default(),
            body: (version + 1).to_string(),
        };
        // Only what follows an acknowledged object is written: the object's version is never behind the document's.
        let change = if version == 0 { Change::Insert(document) } else { Change::Update(document) };
        store.metadata.commit(vec![change]).await.unwrap();
        version += 1;
        // A write to a pipe of one line is not split.
        std::io::stdout().lock().write_all(format!("acknowledged {key} {version}\n").as_bytes()).unwrap();
    }
}

#[test]
fn killed_in_the_middle_of_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::writer_that_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut left = 5 + round * 23;
        let mut killed = false;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((key, version)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            acknowledged.insert(key.parse().unwrap(), version.parse().unwrap());
            left = left.saturating_sub(1);
            if left == 0 && !killed {
                // SIGKILL. What was acknowledged before it is still in the pipe.
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the writer ended by itself");
        tokio::runtime::Runtime::new().unwrap().block_on(check(folder.path(), &acknowledged));
    }
    assert_eq!(acknowledged.len() as u64, KEYS);
}

async fn check(folder: &Path, acknowledged: &BTreeMap<u64, u64>) {
    let store = Store::open(folder).await.unwrap();
    let list = ListObjects { bucket: "b".into(), limit: 1000, ..ListObjects::default() };
    let mut in_files = 0;
    for object in store.objects.list(&list).await.unwrap().objects {
        let key: u64 = object.key.parse().unwrap();
        let (_, mut body) = store.objects.get("b", &object.key, None).await.unwrap().unwrap();
        let first = body.next().await.unwrap().unwrap();
        let rest = read_all(body).await.unwrap();
        let read = [first.to_vec(), rest].concat();
        let version = u64::from_le_bytes(read[..8].try_into().unwrap());
        assert!(read == content(key, version), "the object is one version, whole");
        let document = store.metadata.get(Kind::Setting, &object.key).await.unwrap();
        let of_document = document.map_or(0, |document| document.version as u64);
        let of_client = acknowledged.get(&key).copied().unwrap_or(0);
        assert!(of_client <= of_document && of_document <= version, "{of_client} {of_document} {version}");
        in_files += usize::from(read.len() > 65_536);
    }
    let documents = store.metadata.list(Kind::Setting, &Query::default()).await.unwrap();
    for key in acknowledged.keys() {
        assert!(documents.iter().any(|document| document.key == key.to_string()));
    }
    assert_eq!(body_files(folder).len(), in_files, "no file without an object");
    store.close().await;
}
