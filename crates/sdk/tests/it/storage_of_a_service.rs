//! Files to a real S3 and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watchkeeper::{S3Uri, Session};

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

/// The files below a folder, by the ends of their paths.
fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if std::fs::metadata(&path).unwrap().is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[tokio::test]
async fn what_went_up_comes_down() {
    let session = Session::local().await.unwrap();
    let here = tempfile::tempdir().unwrap();
    let sent = here.path().join("sent");
    std::fs::create_dir_all(sent.join("deep/er")).unwrap();
    let large: Vec<u8> = (0..17_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(sent.join("deep/large.bin"), &large).unwrap();
    for name in ["empty", "a b+c&<ü>%41.csv", "deep/er/~.(x)'!*.json", "deep/exactly-one-part"] {
        let body = if name.ends_with("part") { &large[..8 << 20] } else { &large[..name.len() - 5] };
        std::fs::write(sent.join(name), body).unwrap();
    }
    let bucket = session.default_bucket().await.unwrap();
    let place = S3Uri { bucket, key: "data/of ours".to_owned() };
    assert_eq!(session.upload(&sent, &place, None).await.unwrap(), place);
    let listed = session.list_s3_files(&place.join("deep/")).await.unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(listed.contains(&place.join("deep/er/~.(x)'!*.json")), "{listed:?}");
    let got = here.path().join("got");
    assert_eq!(session.download(&place, &got).await.unwrap().len(), 5);
    assert!(files_below(&got) == files_below(&sent));
    let missing = session.read_s3_file(&place.join("none")).await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchKey"));
    let missing = session.list_s3_files(&uri("s3://no-such-bucket/a")).await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn more_objects_than_a_page_holds_are_listed() {
    let session = Session::local().await.unwrap();
    let bucket = session.default_bucket().await.unwrap();
    let place = S3Uri { bucket, key: "many".to_owned() };
    for number in 0..1001 {
        session.upload_string_as_file_body("", &place.join(&format!("{number:04}")), None).await.unwrap();
    }
    let listed = session.list_s3_files(&place).await.unwrap();
    assert_eq!(listed.len(), 1001);
    assert!(listed.is_sorted());
    let here = tempfile::tempdir().unwrap();
    assert_eq!(session.download(&place, here.path()).await.unwrap().len(), 1001);
}

#[tokio::test]
async fn keys_are_kept_as_they_are() {
    let session = Session::local().await.unwrap();
    let bucket = session.default_bucket().await.unwrap();
    let longest = format!("longest/{}/{}", "\u{fc}".repeat(100), "x".repeat(1024 - 8 - 200 - 1));
    assert_eq!(longest.len(), 1024);
    let keys = [
        "sp ace",
        " begins",
        "ends ",
        "a+b",
        "a%2Bb",
        "100%",
        "a//b",
        "a/./b",
        "a/../b",
        "../c",
        "./d",
        "e/",
        "e//",
        "f?x=1",
        "g#h",
        "i&j;k=l",
        "\u{65e5}\u{672c}/\u{1f980}",
        "e\u{301}",
        "\u{e9}",
        "q\"'<>",
        "back\\slash",
        "~-_.*()!",
        "tab\tand\u{1}",
        &longest,
    ];
    let mut expected = Vec::new();
    for key in keys {
        let place = S3Uri { bucket: bucket.clone(), key: key.to_owned() };
        session
            .upload_string_as_file_body(key.to_owned(), &place, None)
            .await
            .unwrap_or_else(|error| panic!("{key}: {error}"));
        expected.push(place);
    }
    for place in &expected {
        let text = session.read_s3_file(place).await.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(text, place.key);
    }
    expected.sort_by(|one, other| one.key.as_bytes().cmp(other.key.as_bytes()));
    assert_eq!(session.list_s3_files(&S3Uri { bucket: bucket.clone(), key: String::new() }).await.unwrap(), expected);
    let too_long = S3Uri { bucket, key: longest + "y" };
    let error = session.upload_string_as_file_body("", &too_long, None).await.unwrap_err();
    assert_eq!(error.code(), Some("KeyTooLongError"), "{error}");
}
