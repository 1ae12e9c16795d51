//! A network that goes silent without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use watchkeeper_store::metadata::{Change, Columns, Document, Kind};

use super::{TestDatabase, document};

/// Passes on what comes, until it is cut; connections stay open all the same.
struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Wire {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), cut: Arc::default() };
        let cut = Arc::clone(&wire.cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(client_in, server_out, Arc::clone(&cut)));
                tokio::spawn(pass_on(server_in, client_out, Arc::clone(&cut)));
            }
        });
        wire
    }
}

async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    cut: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 65_536];
    let mut was_cut = false;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        was_cut |= cut.load(Ordering::SeqCst);
        if !was_cut && to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    if was_cut {
        // What was lost is never made up for, and the other side is never told.
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn a_silent_network_is_noticed_on_postgresql() {
    let database = TestDatabase::create().await;
    let (_other_folder, other) = database.open().await;
    let wire = Wire::to(database.port()).await;
    let (_folder, store) = database.behind(wire.port).open().await;
    let due = |key: &str| Document {
        columns: Columns { due: Some(1), ..Columns::default() },
        ..document(Kind::ProcessingJob, key)
    };
    store.metadata.commit(vec![Change::Insert(due("one")), Change::Insert(due("two"))]).await.unwrap();
    assert_eq!(store.metadata.claim(Kind::ProcessingJob, &[], "own", 100, 10, 1).await.unwrap().len(), 1);

    wire.cut.store(true, Ordering::SeqCst);
    let start = Instant::now();
    let (read, committed, claimed, appended) = tokio::join!(
        store.metadata.get(Kind::ProcessingJob, "one"),
        store.metadata.commit(vec![Change::Insert(document(Kind::Setting, "lost"))]),
        store.metadata.claim(Kind::ProcessingJob, &[], "own", 100, 10, 5),
        store.logs.create_group("lost", 1),
    );
    assert!(read.is_err() && committed.is_err() && claimed.is_err() && appended.is_err());
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    // The others go on, and get what was claimed when it runs out.
    assert_eq!(other.metadata.claim(Kind::ProcessingJob, &[], "other", 200, 99, 5).await.unwrap().len(), 1);
    assert_eq!(other.metadata.claim(Kind::ProcessingJob, &[], "other", 200, 100, 5).await.unwrap().len(), 2);
    assert!(other.metadata.get(Kind::Setting, "lost").await.unwrap().is_none());

    wire.cut.store(false, Ordering::SeqCst);
    let job = store.metadata.get(Kind::ProcessingJob, "one").await.unwrap().unwrap();
    assert_eq!(job.columns.claimed_by, "other");
    let told = tokio::time::timeout(Duration::from_secs(40), store.metadata.changed_elsewhere()).await.unwrap();
    assert!(told.contains(&Kind::ProcessingJob));
}
