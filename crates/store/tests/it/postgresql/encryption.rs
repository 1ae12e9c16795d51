//! Keys that processes share, and connections that nobody reads along.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use watchkeeper_store::keys::rotation::rotate_master_key;
use watchkeeper_store::metadata::{Change, Document, Kind};
use watchkeeper_store::{DatabaseSettings, Error, MasterKeySource, Store, StoreSettings};

use super::database::TestServer;
use super::{TestDatabase, document};
use crate::encryption::insert_key;

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn keys_are_shared_on_postgresql() {
    let database = TestDatabase::create().await;
    let ((folder, one), (_folder, other)) = (database.open().await, database.open().await);
    insert_key(&one).await;
    // Both may be the first to use it.
    let (first, second) =
        tokio::join!(one.kms.encrypt("1234", b"first", "c"), other.kms.encrypt("1234", b"second", "c"));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(other.kms.decrypt(&first, "c").await.unwrap().plaintext, b"first");
    assert_eq!(one.kms.decrypt(&second, "c").await.unwrap().plaintext, b"second");
    let body = r#"{"material":2}"#.to_owned();
    let rotated = Document { body, ..one.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap() };
    one.metadata.commit(vec![Change::Update(rotated)]).await.unwrap();
    let third = other.kms.encrypt("1234", b"third", "c").await.unwrap();
    let decrypted = one.kms.decrypt(&third, "c").await.unwrap();
    assert_eq!((decrypted.plaintext.as_slice(), decrypted.material), (&b"third"[..], 2));
    let access_key = Document {
        body: format!(r#"{{"sealed_secret":"{}","a":1}}"#, one.keys.seal("secret", "access key AKIA").unwrap()),
        ..document(Kind::AccessKey, "AKIA")
    };
    one.metadata.commit(vec![Change::Insert(access_key)]).await.unwrap();

    // Another master key: all is sealed by it, and the old one opens nothing any more.
    one.close().await;
    other.close().await;
    let file = folder.path().join("another.key");
    std::fs::write(&file, "a5".repeat(32)).unwrap();
    let settings = database.settings(folder.path());
    assert_eq!(rotate_master_key(&settings, Some(&file)).await.unwrap().secrets, 3);
    assert!(matches!(Store::open_with(&settings).await.err().unwrap(), Error::OtherMasterKey));
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings { master_key: MasterKeySource::File(file), ..database.settings(folder.path()) };
    let store = Store::open_with(&settings).await.unwrap();
    for (ciphertext, secret) in [(first, "first"), (second, "second"), (third, "third")] {
        assert_eq!(store.kms.decrypt(&ciphertext, "c").await.unwrap().plaintext, secret.as_bytes());
    }
    let access_key = store.metadata.get(Kind::AccessKey, "AKIA").await.unwrap().unwrap();
    let members: serde_json::Value = serde_json::from_str(&access_key.body).unwrap();
    let secret = store.keys.open_sealed(members["sealed_secret"].as_str().unwrap(), "access key AKIA").unwrap();
    assert_eq!((secret.as_str(), &members["a"], access_key.version), ("secret", &1.into(), 2));
    // What a key has encrypted goes with it.
    let key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    let delete = Change::Delete { kind: key.kind, key: key.key.clone(), version: key.version };
    store.metadata.commit(vec![delete]).await.unwrap();
    let materials: i64 = sqlx::query_scalar("SELECT count(*) FROM key_materials")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(materials, 0);
}

/// The server's certificate, and settings that make it use it.
fn certificate(folder: &Path) -> Vec<String> {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = |setting: &str, path: &Path| format!("{setting}={}", path.display());
    vec!["ssl=on".to_owned(), file("ssl_cert_file", &certificate), file("ssl_key_file", &key)]
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn connections_are_encrypted_and_servers_checked_on_postgresql() {
    let trusted = tempfile::tempdir().unwrap();
    let server = tokio::task::spawn_blocking({
        let copy = trusted.path().join("trusted.crt");
        move || {
            TestServer::start_with(|folder| {
                let settings = certificate(folder);
                std::fs::copy(folder.join("server.crt"), copy).unwrap();
                settings
            })
        }
    });
    let server = server.await.unwrap();
    let database = server.database().await;
    let open = async |parameters: &str| {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("{}?{parameters}", database.url());
        let settings = StoreSettings {
            database: Some(DatabaseSettings { url, max_connections: 2 }),
            ..database.settings(folder.path())
        };
        Store::open_with(&settings).await
    };
    let certificate = trusted.path().join("trusted.crt").display().to_string();
    let store = open(&format!("sslmode=verify-full&sslrootcert={certificate}")).await.unwrap();
    store.metadata.commit(vec![Change::Insert(document(Kind::Setting, "x"))]).await.unwrap();
    let encrypted = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'watchkeeper'";
    let (encrypted, connections): (bool, i64) =
        sqlx::query_as(encrypted).fetch_one(&mut database.connect().await).await.unwrap();
    assert!(encrypted && connections >= 2);
    let error = open("sslmode=verify-full").await.err().unwrap();
    assert!(matches!(error, Error::Unreachable { .. }), "nobody has signed the server's certificate: {error}");
    open("sslmode=require").await.unwrap();
}
