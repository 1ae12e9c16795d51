//! Archives of models, made by Python's `tarfile`: what is unpacked, and what is refused.

use std::path::Path;

use serde_json::{Value, json};

use super::bench::{Bench, Start, ask, command, python, request};

const CONSTANT: &str = "watchkeeper-constant";

/// Archives, each in an object of its name: all, or those that are named.
async fn stored(names: &[&str]) -> Bench {
    let bench = Bench::new().await;
    let made = tempfile::tempdir().unwrap();
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/models/archives.py"));
    python(script, &[&[made.path().to_str().unwrap()], names].concat());
    for entry in std::fs::read_dir(made.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        bench.put(name, std::fs::read(&path).unwrap()).await;
    }
    bench
}

fn archive(image: &str, name: &str) -> Value {
    json!({"Image": image, "ModelDataUrl": format!("https://models.s3-eu-west-1.amazonaws.com/{name}.tar.gz")})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_finds_in_its_folder() {
    let bench = stored(&["good", "good-pax"]).await;
    for name in ["good", "good-pax"] {
        let model = bench.start(Start::of(archive("server", name))).await.unwrap();
        let told: Value = serde_json::from_str(&command(&model, "told").await).unwrap();
        let long = format!("long/{}", ["x".repeat(50).as_str(); 6].join("/"));
        let files = json!([
            ["blobs/weights", "file", "1234"],
            ["code/again", "link", "1234"],
            ["code/inference.py", "file", "new"],
            ["code/run.sh", "program", "#!/bin/sh"],
            ["hard", "file", "1234"],
            [long, "file", "deep"],
            ["model.json", "file", "{\"value\": 7}"],
            ["no-access", "file", "still read"],
            ["weights", "link", "1234"],
        ]);
        assert_eq!(told["files"], files);
        model.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_in_model_is_read_from_its_archive() {
    let bench = stored(&["good"]).await;
    let model = bench.start(Start::of(archive(CONSTANT, "good"))).await.unwrap();
    assert_eq!(ask(&model, request("text/csv", "1\n2")).await.2, "7\n7");
    bench.until_no_folders().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_attack_or_are_broken_are_refused_and_named() {
    let bench = stored(&[]).await;
    // What lies beside the model's folder, for links that would reach it.
    let outside = bench.folder.path().join("models/secret");
    std::fs::create_dir_all(outside.parent().unwrap()).unwrap();
    std::fs::write(&outside, "secret").unwrap();
    for (name, reason) in [
        ("dot-dot", "member `../evil` of the archive cannot become a file: its name has a part `..`"),
        ("dot-dot-inside", "`code/../../evil`"),
        ("absolute", "member `/tmp/evil` of the archive cannot become a file: its name is an absolute path"),
        ("absolute-link", "member `link` of the archive is a link to `/etc/passwd`, an absolute path"),
        ("link-out", "member `link` of the archive is a link to `../../secret`, where nothing is"),
        ("link-to-folder-out", "member `out` of the archive is a link to `..`"),
        ("link-through-links", "member `above` of the archive is a link to `a/b/c/root/..`, which is outside"),
        ("link-replaced", "member `out` of the archive is a link to `..`"),
        ("link-twice", "another member of this name"),
        ("dangling", "member `link` of the archive is a link to `nowhere`, where nothing is"),
        ("hard-link-out", "is a link to `../../secret`"),
        ("hard-link-absolute", "is a link to `/etc/passwd`"),
        ("hard-link-to-link", "is a link to `soft`"),
        ("device", "member `null` of the archive is a device"),
        ("pipe", "member `pipe` of the archive is a pipe"),
        ("file-as-folder", "member `a/b` of the archive could not be made"),
        ("header", "more than 1048576 bytes of headers"),
        ("too-large", "more than 68719476736 bytes"),
        ("short", "the archive cannot be read: unexpected EOF"),
        ("sparse", "more than 68719476736 bytes"),
        ("zeros-behind", "more than 1048576 bytes of headers"),
        ("plain", "no gzip-compressed tar archive"),
        ("not-gzip", "no gzip-compressed tar archive"),
        ("empty", "no gzip-compressed tar archive"),
        ("text", "the archive cannot be read"),
        ("cut", "cannot be read"),
        ("cut-at-the-end", "cannot be read"),
        ("wrong-checksum", "cannot be read"),
    ] {
        let failure = bench.failure(archive(CONSTANT, name)).await;
        assert!(failure.contains(&format!("s3://models/{name}.tar.gz")), "{failure}");
        assert!(failure.contains(reason), "{name}: {failure}");
    }
    std::fs::remove_file(outside).unwrap();
    bench.until_no_folders().await;
    for path in [Path::new("/tmp/evil"), &bench.folder.path().join("models/evil"), &bench.folder.path().join("evil")] {
        assert!(!path.try_exists().unwrap(), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn model_data_sources() {
    let bench = stored(&["good"]).await;
    bench.put("plain/model.json", b"{\"value\": 1}".to_vec()).await;
    bench.put("plain/sub/weights", b"w".to_vec()).await;
    bench.put("plain/folder/", Vec::new()).await;
    bench.put("attack/../model.json", Vec::new()).await;
    let source = |image: &str, uri: &str, kind: &str, compression: &str| {
        let source = json!({"S3Uri": uri, "S3DataType": kind, "CompressionType": compression});
        json!({"Image": image, "ModelDataSource": {"S3DataSource": source}})
    };
    for uri in ["s3://models/plain/", "s3://models/plain"] {
        let model = bench.start(Start::of(source("server", uri, "S3Prefix", "None"))).await.unwrap();
        let told: Value = serde_json::from_str(&command(&model, "told").await).unwrap();
        assert_eq!(told["files"], json!([["model.json", "file", "{\"value\": 1}"], ["sub/weights", "file", "w"]]));
    }
    for (uri, kind, compression, answer) in [
        ("s3://models/plain/model.json", "S3Object", "None", "1"),
        ("s3://models/good.tar.gz", "S3Object", "Gzip", "7"),
    ] {
        let model = bench.start(Start::of(source(CONSTANT, uri, kind, compression))).await.unwrap();
        assert_eq!(ask(&model, request("text/csv", "x")).await.2, answer);
    }
    for (uri, kind, compression, reason) in [
        ("s3://models/nothing/", "S3Prefix", "None", "there is no model data at s3://models/nothing/"),
        ("s3://nowhere/plain/", "S3Prefix", "None", "there is no bucket `nowhere`"),
        ("s3://models/plain", "S3Prefix", "Gzip", "an archive is an S3Object"),
        ("s3://models/attack/", "S3Prefix", "None", "s3://models/attack/../model.json cannot become a file"),
        ("s3://models/missing", "S3Object", "None", "bucket `models` has no key `missing`"),
    ] {
        let failure = bench.failure(source(CONSTANT, uri, kind, compression)).await;
        assert!(failure.contains(reason), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn model_data_that_is_not_there() {
    let bench = Bench::new().await;
    let failure = bench.failure(json!({"Image": CONSTANT, "ModelDataUrl": "s3://models/none.tar.gz"})).await;
    assert!(failure.contains("s3://models/none.tar.gz: bucket `models` has no key `none.tar.gz`"), "{failure}");
    let failure = bench.failure(json!({"Image": CONSTANT, "ModelDataUrl": "s3://nowhere/none.tar.gz"})).await;
    assert!(failure.contains("there is no bucket `nowhere`"), "{failure}");
    let failure = bench.failure(json!({"Image": CONSTANT, "ModelDataUrl": "ftp://nowhere/none.tar.gz"})).await;
    assert!(failure.contains("ModelDataUrl: 'ftp://nowhere/none.tar.gz' is not an S3 address"), "{failure}");
}
