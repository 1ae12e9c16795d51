//! Objects in the store of the process, in an S3, and in a folder.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, watch};
use watchkeeper_aws::Call;
use watchkeeper_aws::generated::kms;
use watchkeeper_service::api::kms::Kms;
use watchkeeper_service::configuration::Durability;
use watchkeeper_service::context::MachineClock;
use watchkeeper_service::hosting::capture::{CaptureObject, CapturePlan, CaptureSink, FolderSink, S3Sink, StoreSink};
use watchkeeper_service::processes::Processes;
use watchkeeper_service::resources::Resources;
use watchkeeper_service::{Configuration, Context};
use watchkeeper_store::Store;
use watchkeeper_store::metadata::{Change, Kind, Query};
use watchkeeper_store::objects::{ListObjects, read_all};

use super::ingestion::Server;
use super::{NEVER, World, exchange, ids_of, plan, settings};

async fn context(folder: &Path) -> Arc<Context> {
    let store = Store::open(folder).await.unwrap();
    Arc::new(Context {
        configuration: Configuration { data_dir: folder.to_owned(), ..Configuration::default() },
        resources: Resources::new(Arc::clone(&store.metadata)),
        objects: Arc::clone(&store.objects),
        logs: Arc::clone(&store.logs),
        kms: store.kms.clone(),
        backups: store.backups.clone(),
        clock: Arc::new(MachineClock),
        scheduler_bell: Notify::new(),
        runner_bell: Notify::new(),
        hosting_bell: Notify::new(),
        capture: OnceLock::new(),
        stopping: watch::channel(false).1,
        endpoint_url: OnceLock::new(),
        processes: Processes::default(),
        job_credentials: OnceLock::new(),
        owner: "test".to_owned(),
    })
}

fn object(path: &str, kms_key_id: Option<&str>, lines: &'static str) -> CaptureObject {
    CaptureObject {
        destination: "s3://captures/here".to_owned(),
        path: path.to_owned(),
        kms_key_id: kms_key_id.map(str::to_owned),
        lines: lines.into(),
    }
}

#[tokio::test]
async fn the_store_takes_objects_encrypted_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path()).await;
    let now = Timestamp::now();
    context.objects.create_bucket("captures", "eu-west-1", now).await.unwrap();
    let call = Call {
        region: "eu-west-1".to_owned(),
        account: context.configuration.account.clone(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        request_id: "request".to_owned(),
        now,
    };
    let service = Kms(Arc::clone(&context));
    let key = kms::dispatch(&service, &call, "CreateKey", json!({})).await.unwrap().unwrap();
    let arn = key["KeyMetadata"]["Arn"].as_str().unwrap();
    let alias = json!({"AliasName": "alias/captures", "TargetKeyId": arn});
    kms::dispatch(&service, &call, "CreateAlias", alias).await.unwrap();
    let sink = StoreSink::new(Arc::clone(&context));
    for (path, asked, used) in [
        ("plain", None, None),
        ("by-arn", Some(arn), Some(arn)),
        ("by-alias", Some("alias/captures"), Some(arn)),
        ("unknown", Some("alias/unknown"), None),
    ] {
        sink.put(object(path, asked, "line\n")).await.unwrap();
        let (info, body) = context.objects.get("captures", &format!("here/{path}"), None).await.unwrap().unwrap();
        assert_eq!(info.attributes.kms_key_id.as_deref(), used, "{path}");
        assert_eq!(info.attributes.content_type.as_deref(), Some("application/jsonlines"));
        assert_eq!(read_all(body).await.unwrap(), b"line\n");
    }
    // A key that is off refuses, and takes what waited for it when it is on again.
    let of_key = json!({"KeyId": arn});
    kms::dispatch(&service, &call, "DisableKey", of_key.clone()).await.unwrap();
    let refused = sink.put(object("off", Some("alias/captures"), "line\n")).await.unwrap_err();
    assert_eq!(refused, "the encryption key `alias/captures` is Disabled, not Enabled");
    kms::dispatch(&service, &call, "EnableKey", of_key.clone()).await.unwrap();
    sink.put(object("off", Some("alias/captures"), "line\n")).await.unwrap();
    // What was to be encrypted by a key that is deleted is not stored in the clear.
    kms::dispatch(&service, &call, "ScheduleKeyDeletion", of_key).await.unwrap();
    let mut deleted: Vec<_> = context.resources.store().list(Kind::EncryptionKey, &Query::default()).await.unwrap();
    let mut key = deleted.pop().unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&key.body).unwrap();
    document["deletion"] = json!(1_600_000_000.0);
    key.body = document.to_string();
    context.resources.store().commit(vec![Change::Update(key)]).await.unwrap();
    for asked in [arn, "alias/captures"] {
        let refused = sink.put(object("gone", Some(asked), "line\n")).await.unwrap_err();
        assert_eq!(refused, format!("the encryption key `{asked}` was deleted"));
    }
    assert!(context.objects.head("captures", "here/gone").await.unwrap().is_none());
    sink.put(object("plain", None, "other\n")).await.unwrap();
    let (_, body) = context.objects.get("captures", "here/plain", None).await.unwrap().unwrap();
    assert_eq!(read_all(body).await.unwrap(), b"other\n", "a put that is repeated overwrites");
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_waited_for() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path()).await;
    let sink = Arc::new(StoreSink::new(Arc::clone(&context)));
    let writer = world.start_with(settings(Durability::Fast, NEVER), sink);
    let destination = "s3://captures/".to_owned();
    let stream = writer.stream(CapturePlan { destination, ..plan("churn") });
    assert!(stream.record(exchange("1", "2026-03-01T10:20:30Z")).is_none());
    tokio::time::timeout(Duration::from_secs(20), writer.flush("churn")).await.expect("the store has failed");
    assert_eq!(writer.take_counts(), []);
    context.objects.create_bucket("captures", "eu-west-1", Timestamp::now()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), writer.shutdown()).await.expect("it is stored now");
    let list = ListObjects { bucket: "captures".to_owned(), limit: 10, ..ListObjects::default() };
    let objects = context.objects.list(&list).await.unwrap().objects;
    assert_eq!(objects.len(), 1);
    // As on the real service, a slash at the destination's end stays.
    let key = &objects[0].key;
    assert!(key.starts_with("/churn/AllTraffic/2026/03/01/10/20-30-000-"), "{key}");
    let (_, body) = context.objects.get("captures", key, None).await.unwrap().unwrap();
    assert_eq!(ids_of(&String::from_utf8(read_all(body).await.unwrap()).unwrap()), ["1"]);
}

#[tokio::test]
async fn an_s3_at_an_address_takes_objects() {
    let server = Server::start().await;
    let sink = S3Sink::new(server.client());
    let missing = sink.put(object("churn/a b/1.jsonl", None, "line\n")).await.unwrap_err();
    assert!(missing.contains("404") && missing.contains("NoSuchBucket"), "{missing}");
    server.create_bucket("captures").await;
    sink.put(object("churn/a b/1.jsonl", None, "line\n")).await.unwrap();
    assert_eq!(server.object("/captures/here/churn/a%20b/1.jsonl").await, "line\n");
    // Stored without a key that there is not.
    sink.put(object("2.jsonl", Some("alias/unknown"), "line\n")).await.unwrap();
    assert_eq!(server.object("/captures/here/2.jsonl").await, "line\n");
}

#[tokio::test]
async fn a_folder_takes_no_object_outside() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FolderSink::new(folder.path().join("objects"));
    for path in ["../out.jsonl", "/out.jsonl", "a/../../out.jsonl"] {
        assert!(sink.put(object(path, None, "line\n")).await.is_err(), "{path}");
    }
    sink.put(object("a/b.jsonl", None, "line\n")).await.unwrap();
    sink.put(object("a/b.jsonl", None, "other\n")).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path().join("objects/a")).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing else is left beside it");
    assert_eq!(std::fs::read(folder.path().join("objects/a/b.jsonl")).unwrap(), b"other\n");
    assert!(!folder.path().join("out.jsonl").try_exists().unwrap());
}
