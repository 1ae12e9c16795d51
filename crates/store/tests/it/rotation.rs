//! Other materials of a key, and other master keys.

use std::collections::HashSet;
use std::path::Path;

use tempfile::TempDir;
use watchkeeper_store::keys::rotation::{Rotated, rotate_master_key};
use watchkeeper_store::keys::{KmsKeys, access_key_context};
use watchkeeper_store::metadata::{Change, Columns, Document, Kind};
use watchkeeper_store::objects::{ByteRange, CompletedPart, Precondition, body};
use watchkeeper_store::{Error, MasterKeySource, Store, StoreSettings};

use crate::data_directory::below;
use crate::encryption::{create_key, encrypted, get};
use crate::{bytes, new_store};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

async fn set_material(store: &Store, number: i64) {
    let mut key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    key.body = format!(r#"{{"material": {number}}}"#);
    store.metadata.commit(vec![Change::Update(key)]).await.unwrap();
}

async fn put(store: &Store, key: &str, content: &[u8]) {
    let put = store.objects.put("b", key, encrypted(), body(content.to_vec()), Precondition::None);
    put.await.unwrap();
}

/// Whether a text is in any file of a folder as it is.
fn is_anywhere(folder: &Path, text: &[u8]) -> bool {
    let files = below(folder).into_iter().filter(|path| path.metadata().unwrap().is_file());
    files.into_iter().any(|path| std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text))
}

#[tokio::test]
async fn what_older_materials_encrypted_stays_readable() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    let contents: Vec<Vec<u8>> = [100, 200_000].iter().map(|size| bytes(9, *size)).collect();
    // The fourth is skipped: rotated twice without a use between.
    for number in [1, 2, 3, 5] {
        set_material(&store, number).await;
        for (size, content) in contents.iter().enumerate() {
            put(&store, &format!("{number}-{size}"), content).await;
        }
    }
    store.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    for number in [1, 2, 3, 5] {
        for (size, content) in contents.iter().enumerate() {
            let key = format!("{number}-{size}");
            assert!(get(&store, &key, None).await.unwrap() == *content, "{key}");
        }
        let range = ByteRange::From { first: 65_530, last: Some(131_080) };
        assert!(get(&store, &format!("{number}-1"), Some(range)).await.unwrap() == contents[1][65_530..=131_080]);
    }
}

#[tokio::test]
async fn an_upload_goes_on_over_a_rotation() {
    let (_folder, store) = new_store().await;
    create_key(&store).await;
    let upload = store.objects.create_upload("b", "k", encrypted()).await.unwrap();
    let contents = [bytes(1, 5 << 20), bytes(2, 5 << 20), bytes(3, 100)];
    let mut parts = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        set_material(&store, i64::from(number)).await;
        let part = store.objects.put_part("b", "k", &upload, number, body(content.clone())).await.unwrap();
        parts.push(CompletedPart { number, etag: part.etag });
    }
    let checksums = std::collections::BTreeMap::new();
    store.objects.complete_upload("b", "k", &upload, &parts, checksums, Precondition::None).await.unwrap();
    assert!(get(&store, "k", None).await.unwrap() == contents.concat());
}

#[tokio::test]
async fn many_first_uses_make_one_material() {
    let (_folder, store) = new_store().await;
    create_key(&store).await;
    set_material(&store, 2).await;
    let puts = (0..50).map(|index| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, &index.to_string(), &[7; 50]).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    for index in 0..50 {
        assert_eq!(get(&store, &index.to_string(), None).await.unwrap(), [7; 50]);
    }
}

#[tokio::test]
async fn secrets_of_clients() {
    let (_folder, store) = new_store().await;
    create_key(&store).await;
    let sealed = store.kms.encrypt("1234", b"secret", "{}").await.unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    assert_eq!(KmsKeys::key_of(&sealed), Some("1234"));
    set_material(&store, 2).await;
    let again = store.kms.encrypt("1234", b"secret", "{}").await.unwrap();
    for (ciphertext, material) in [(&sealed, 1), (&again, 2)] {
        let opened = store.kms.decrypt(ciphertext, "{}").await.unwrap();
        assert_eq!((opened.plaintext.as_slice(), opened.material), (b"secret".as_slice(), material));
        assert!(matches!(store.kms.decrypt(ciphertext, "{\"a\":\"b\"}").await, Err(Error::Undecipherable(_))));
    }
    // Every byte counts: also those that name the key and its material.
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        let refused = store.kms.decrypt(&changed, "{}").await;
        assert!(
            matches!(refused, Err(Error::Undecipherable(_) | Error::KeyUnavailable { status: None, .. })),
            "byte {at}"
        );
    }
    for length in 0..sealed.len() {
        assert!(store.kms.decrypt(&sealed[..length], "{}").await.is_err(), "{length} bytes");
    }
    assert_eq!(KmsKeys::key_of(b"\x02\x04"), None);
}

#[tokio::test]
async fn the_materials_of_a_deleted_key_are_gone_from_the_disk() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    for number in 1..=3 {
        set_material(&store, number).await;
        put(&store, "k", b"content").await;
    }
    store.close().await;
    let materials = materials_of(folder.path()).await;
    assert_eq!(materials.len(), 3);
    for material in &materials {
        assert!(is_anywhere(folder.path(), material));
    }
    let store = Store::open(folder.path()).await.unwrap();
    let key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    let delete = Change::Delete { kind: key.kind, key: key.key.clone(), version: key.version };
    store.metadata.commit(vec![delete]).await.unwrap();
    store.close().await;
    assert!(materials_of(folder.path()).await.is_empty());
    for material in &materials {
        assert!(!is_anywhere(folder.path(), material), "what was deleted is still in a file");
    }
}

async fn materials_of(folder: &Path) -> Vec<Vec<u8>> {
    use sqlx::Connection as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("metadata.db"));
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let found = sqlx::query_scalar("SELECT material FROM key_materials").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

/// A store with an encrypted object, and an access key.
async fn store_with_secrets() -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    for number in 1..=2 {
        set_material(&store, number).await;
        put(&store, &number.to_string(), &bytes(3, 100_000)).await;
    }
    let sealed = store.keys.seal(SECRET, &access_key_context("AKIAIOSFODNN7EXAMPLE")).unwrap();
    let access_key = Document {
        kind: Kind::AccessKey,
        key: "AKIAIOSFODNN7EXAMPLE".into(),
        version: 0,
        columns: Columns::default(),
        body: serde_json::json!({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "sealed_secret": sealed}).to_string(),
    };
    store.metadata.commit(vec![Change::Insert(access_key)]).await.unwrap();
    (folder, store)
}

/// Everything is readable; gives what is sealed by the master key.
async fn check(store: &Store) -> String {
    for key in ["1", "2"] {
        assert!(get(store, key, None).await.unwrap() == bytes(3, 100_000));
    }
    let document = store.metadata.get(Kind::AccessKey, "AKIAIOSFODNN7EXAMPLE").await.unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_str(&document.body).unwrap();
    let sealed = body["sealed_secret"].as_str().unwrap();
    let context = access_key_context("AKIAIOSFODNN7EXAMPLE");
    assert_eq!(store.keys.open_sealed(sealed, &context).unwrap(), SECRET);
    assert_eq!(body["access_key_id"], "AKIAIOSFODNN7EXAMPLE");
    sealed.to_owned()
}

#[tokio::test]
async fn another_master_key_in_the_data_directory() {
    let (folder, store) = store_with_secrets().await;
    let before = check(&store).await;
    let settings = StoreSettings::in_directory(folder.path());
    assert!(matches!(rotate_master_key(&settings, None).await, Err(Error::InUse { .. })));
    store.close().await;
    let materials = materials_of(folder.path()).await;
    let own = folder.path().join("master.key");
    let old = std::fs::read(&own).unwrap();
    let Rotated { secrets, file } = rotate_master_key(&settings, None).await.unwrap();
    assert_eq!((secrets, &file), (3, &own));
    let new = std::fs::read(&own).unwrap();
    assert_ne!(new, old);
    assert!(!folder.path().join("master.key.next").try_exists().unwrap());
    let store = Store::open(folder.path()).await.unwrap();
    assert_ne!(check(&store).await, before);
    store.close().await;
    // The old key finds nothing that it opens, not even in what the database has left unused.
    assert!(!is_anywhere(folder.path(), before.as_bytes()));
    for material in materials {
        assert!(!is_anywhere(folder.path(), &material));
    }
    std::fs::write(&own, old).unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(Error::OtherMasterKey)));
    std::fs::write(&own, new).unwrap();
    check(&Store::open(folder.path()).await.unwrap()).await;
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_is_settled_at_the_next_start() {
    let (folder, store) = store_with_secrets().await;
    store.close().await;
    let (own, next) = (folder.path().join("master.key"), folder.path().join("master.key.next"));
    let old = std::fs::read(&own).unwrap();
    // Before its transaction: the next key has sealed nothing.
    std::fs::write(&next, "0".repeat(64)).unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    check(&store).await;
    store.close().await;
    assert!(!next.try_exists().unwrap() && std::fs::read(&own).unwrap() == old);
    // After its transaction: the old one opens nothing any more.
    rotate_master_key(&StoreSettings::in_directory(folder.path()), None).await.unwrap();
    let new = std::fs::read(&own).unwrap();
    std::fs::rename(&own, &next).unwrap();
    std::fs::write(&own, old).unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    check(&store).await;
    assert!(!next.try_exists().unwrap() && std::fs::read(&own).unwrap() == new);
}

#[tokio::test]
async fn a_rotation_that_meets_what_it_cannot_open_changes_nothing() {
    let (folder, store) = store_with_secrets().await;
    let mut document = store.metadata.get(Kind::AccessKey, "AKIAIOSFODNN7EXAMPLE").await.unwrap().unwrap();
    let sound = document.body.clone();
    let foreign = store.keys.seal(SECRET, "something else").unwrap();
    document.body = serde_json::json!({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "sealed_secret": foreign}).to_string();
    store.metadata.commit(vec![Change::Update(document)]).await.unwrap();
    store.close().await;
    let settings = StoreSettings::in_directory(folder.path());
    let materials = materials_of(folder.path()).await;
    let key = std::fs::read(folder.path().join("master.key")).unwrap();
    assert!(matches!(rotate_master_key(&settings, None).await, Err(Error::Undecipherable(_))));
    assert_eq!(materials_of(folder.path()).await, materials);
    assert_eq!(std::fs::read(folder.path().join("master.key")).unwrap(), key);
    let store = Store::open(folder.path()).await.unwrap();
    let mut document = store.metadata.get(Kind::AccessKey, "AKIAIOSFODNN7EXAMPLE").await.unwrap().unwrap();
    document.body = sound;
    store.metadata.commit(vec![Change::Update(document)]).await.unwrap();
    check(&store).await;
}

#[tokio::test]
async fn a_master_key_from_elsewhere() {
    let (folder, store) = store_with_secrets().await;
    store.close().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("key");
    let in_directory = StoreSettings::in_directory(folder.path());
    let missing = rotate_master_key(&in_directory, Some(&file)).await;
    assert!(matches!(missing, Err(Error::MasterKeyFileMissing(path)) if path == file));
    std::fs::write(&file, "no key").unwrap();
    assert!(matches!(rotate_master_key(&in_directory, Some(&file)).await, Err(Error::MasterKeyDamaged(_))));
    let text = "a0".repeat(32);
    std::fs::write(&file, format!("{text}\n")).unwrap();
    rotate_master_key(&in_directory, Some(&file)).await.unwrap();
    assert!(!folder.path().join("master.key").try_exists().unwrap());
    assert!(matches!(Store::open(folder.path()).await, Err(Error::MasterKeyMissing(_))));

    let with = |master_key| StoreSettings { master_key, ..in_directory.clone() };
    for source in [MasterKeySource::File(file.clone()), MasterKeySource::Text(text)] {
        let store = Store::open_with(&with(source.clone())).await.unwrap();
        check(&store).await;
        store.close().await;
        assert!(!folder.path().join("master.key").try_exists().unwrap(), "no key is made where one is given");
        assert!(matches!(rotate_master_key(&with(source), None).await, Err(Error::MasterKeyElsewhere)));
    }
    let refusals = [MasterKeySource::Text("b0".repeat(32)), MasterKeySource::Text("b0".into())].map(with);
    let messages = [Store::open_with(&refusals[0]).await, Store::open_with(&refusals[1]).await]
        .map(|opened| opened.err().unwrap().to_string());
    assert_eq!(
        messages,
        [
            "the master key is another one than the secrets here were encrypted by; give the service the one that they were",
            "the setting `master_key` does not hold a key of 64 hexadecimal digits"
        ]
    );
    // Another file, another key; nothing is ever encrypted the same way twice.
    let other = elsewhere.path().join("other");
    std::fs::write(&other, "c0".repeat(32)).unwrap();
    rotate_master_key(&with(MasterKeySource::File(file.clone())), Some(&other)).await.unwrap();
    assert!(matches!(Store::open_with(&with(MasterKeySource::File(file))).await, Err(Error::OtherMasterKey)));
    check(&Store::open_with(&with(MasterKeySource::File(other))).await.unwrap()).await;
    let distinct: HashSet<Vec<u8>> = materials_of(folder.path()).await.into_iter().collect();
    assert_eq!(distinct.len(), 2);
}
