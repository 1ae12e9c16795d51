//! Opening a database: by several processes at once, and where it cannot be used.

use std::process::Command;

use sqlx::Executor as _;
use watchkeeper_store::metadata::{Change, Kind, Query};
use watchkeeper_store::{DatabaseSettings, Error, MasterKeySource, Store, StoreSettings};

use super::{TestDatabase, document};

const URL: &str = "WATCHKEEPER_TEST_DATABASE";
const KEY: &str = "WATCHKEEPER_TEST_KEY";

/// Not a test: a process of the test below. Opens the database and writes one document.
#[tokio::test]
#[ignore = "run by processes_that_open_at_once_on_postgresql"]
async fn opens() {
    let (Ok(url), Ok(key)) = (std::env::var(URL), std::env::var(KEY)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        database: Some(DatabaseSettings { url, max_connections: 2 }),
        master_key: MasterKeySource::Text("5a".repeat(32)),
        ..StoreSettings::in_directory(folder.path())
    };
    let store = Store::open_with(&settings).await.unwrap();
    store.metadata.commit(vec![Change::Insert(document(Kind::Setting, &key))]).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn processes_that_open_at_once_on_postgresql() {
    let database = TestDatabase::create().await;
    let processes: Vec<_> = (0..5)
        .map(|number| {
            let mut process = Command::new(std::env::current_exe().unwrap());
            process.args(["--exact", "postgresql::opening::opens", "--ignored"]);
            process.env(URL, database.url()).env(KEY, number.to_string()).spawn().unwrap()
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let (_folder, store) = database.open().await;
    assert_eq!(store.metadata.count(Kind::Setting, &Query::default()).await.unwrap(), 5);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn a_newer_schema_of_postgresql_is_refused() {
    let database = TestDatabase::create().await;
    let (folder, store) = database.open().await;
    store.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of a newer program', true, '', 0)";
    database.connect().await.execute(newer).await.unwrap();
    let error = Store::open_with(&database.settings(folder.path())).await.err().unwrap();
    assert!(matches!(error, Error::Migration { .. }));
    let expected = format!("at 127.0.0.1:{} cannot be used by this version of the program: ", database.port());
    assert!(error.to_string().contains(&expected), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn another_master_key_is_refused_on_postgresql() {
    let database = TestDatabase::create().await;
    let (_folder, store) = database.open().await;
    let sealed = store.keys.seal("secret", "context").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let own_key = StoreSettings { master_key: MasterKeySource::DataDirectory, ..database.settings(folder.path()) };
    assert!(matches!(Store::open_with(&own_key).await.err().unwrap(), Error::OtherMasterKey));
    let (_folder, other) = database.open().await;
    assert_eq!(other.keys.open_sealed(&sealed, "context").unwrap(), "secret");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn a_database_that_is_not_there_is_told_without_the_password_on_postgresql() {
    let database = TestDatabase::create().await;
    let nobody_listens = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (format!("postgresql://postgres:s3cr3t@127.0.0.1:{nobody_listens}/lost"), "onnection refused"),
        (
            format!("postgresql://postgres:s3cr3t@127.0.0.1:{}/lost", database.port()),
            "database \"lost\" does not exist",
        ),
        ("postgresql://postgres:s3cr3t@127.0.0.1:none/lost".to_owned(), "invalid port"),
    ];
    for (url, problem) in cases {
        let settings = StoreSettings {
            database: Some(DatabaseSettings { url, max_connections: 4 }),
            ..database.settings(folder.path())
        };
        let error = Store::open_with(&settings).await.err().unwrap();
        let message = error.to_string();
        assert!(matches!(error, Error::Unreachable { .. }) && message.contains(problem), "{message}");
        assert!(!format!("{message} {error:?} {settings:?}").contains("s3cr3t"), "{error:?}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn a_closed_store_answers_no_more_on_postgresql() {
    let database = TestDatabase::create().await;
    let (folder, store) = database.open().await;
    let clone = store.clone();
    store.close().await;
    assert!(clone.metadata.get(Kind::Setting, "x").await.is_err());
    Store::open_with(&database.settings(folder.path())).await.unwrap();
}
