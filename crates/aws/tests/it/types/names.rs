//! ARNs, addresses of objects, images.

use proptest::prelude::*;
use watchkeeper_aws::types::{Arn, ImageUri, S3Uri, resource_arn};

#[test]
fn an_arn_falls_into_its_parts() {
    let arn: Arn = "arn:aws:sagemaker:us-west-2:111122223333:monitoring-schedule/churn-hourly".parse().unwrap();
    assert_eq!((arn.partition.as_str(), arn.service.as_str(), arn.region.as_str()), ("aws", "sagemaker", "us-west-2"));
    assert_eq!(arn.account, "111122223333");
    assert_eq!((arn.resource_kind(), arn.resource_name()), ("monitoring-schedule", "churn-hourly"));

    let bucket: Arn = "arn:aws:s3:::bucket/a/b:c".parse().unwrap();
    assert_eq!((bucket.region.as_str(), bucket.account.as_str(), bucket.resource.as_str()), ("", "", "bucket/a/b:c"));
    let alarm: Arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:drift".parse().unwrap();
    assert_eq!((alarm.resource_kind(), alarm.resource_name()), ("alarm", "drift"));
}

#[test]
fn what_is_no_arn_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "does not begin"),
        ("arn:aws:sagemaker", "fewer than six parts"),
        ("arn:aws:sagemaker:us-west-2:111122223333", "fewer than six parts"),
        ("arn:aws:sagemaker:us-west-2:111122223333:", "must not be empty"),
        ("urn:aws:sagemaker:us-west-2:111122223333:x", "does not begin"),
        ("arn:aws:sagemaker:us-west-2:111122223333:endpoint/a b", "blank"),
    ] {
        let message = text.parse::<Arn>().unwrap_err().to_string();
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn a_resource_arn_has_its_name_in_lower_case() {
    assert_eq!(
        resource_arn("processing-job", "eu-central-1", "111122223333", "Nightly-Run"),
        "arn:aws:sagemaker:eu-central-1:111122223333:processing-job/nightly-run"
    );
}

/// The spellings of api.md D.1 and the ones AWS's documentation lists for virtual-hosted and path style.
#[test]
fn every_spelling_of_an_object_gives_bucket_and_key() {
    for text in [
        "s3://my.bucket/a/b.csv",
        "https://my.bucket.s3-us-west-2.amazonaws.com/a/b.csv",
        "https://my.bucket.s3.us-west-2.amazonaws.com/a/b.csv",
        "https://my.bucket.s3.dualstack.us-west-2.amazonaws.com/a/b.csv",
        "https://my.bucket.s3.amazonaws.com/a/b.csv",
        "https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a/b.csv",
        "https://s3-us-west-2.amazonaws.com/my.bucket/a/b.csv",
        "https://s3.us-west-2.amazonaws.com/my.bucket/a/b.csv",
        "https://s3.amazonaws.com/my.bucket/a/b.csv",
        "https://S3.Amazonaws.com:443/my.bucket/a/b.csv",
        "https://s3.amazonaws.com/my.bucket/%61/b%2Ecsv",
    ] {
        let uri: S3Uri = text.parse().unwrap();
        assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("my.bucket", "a/b.csv"), "{text}");
        assert_eq!(uri.to_string(), "s3://my.bucket/a/b.csv");
    }
    // A bucket whose own name looks like the service.
    let uri: S3Uri = "https://s3.data.s3.eu-west-1.amazonaws.com/k".parse().unwrap();
    assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("s3.data", "k"));
    // Keys are bytes to us: nothing in them is tidied.
    for key in ["a//b", "./a", "a/../b", "100%", "a b+c", "ä/ö", "/a"] {
        let uri: S3Uri = format!("s3://b/{key}").parse().unwrap();
        assert_eq!(uri.key, key);
    }
    for text in ["s3://bucket", "s3://bucket/"] {
        assert_eq!(text.parse::<S3Uri>().unwrap().key, "");
    }
}

#[test]
fn other_addresses_are_refused() {
    for text in [
        "",
        "s3://",
        "s3:///key",
        "S3://bucket/key",
        "http://bucket.s3.amazonaws.com/key",
        "https://example.com/bucket/key",
        "https://bucket.s3.amazonaws.com.example.com/key",
        "https://bucketxs3.amazonaws.com/key",
        "https://s3.amazonaws.com/",
        "https://s3.amazonaws.com/b/%ff",
        "/local/path",
        "s3://bucket/a\nb",
    ] {
        assert!(text.parse::<S3Uri>().is_err(), "{text:?}");
    }
}

#[test]
fn joining_puts_one_slash_unless_the_text_brings_its_own() {
    for (base, text, joined) in [
        ("s3://b", "x", "s3://b/x"),
        ("s3://b/", "x", "s3://b/x"),
        ("s3://b", "/x", "s3://b/x"),
        ("s3://b/p", "x", "s3://b/p/x"),
        ("s3://b/p/", "x", "s3://b/p/x"),
        ("s3://b/p", "/x", "s3://b/p/x"),
        ("s3://b/p/", "/x", "s3://b/p//x"),
        ("s3://b/p", "", "s3://b/p"),
    ] {
        assert_eq!(base.parse::<S3Uri>().unwrap().join(text).to_string(), joined, "{base} and {text}");
    }
}

#[test]
fn an_image_is_known_by_its_repository() {
    for (text, repository) in [
        (
            "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer",
            "sagemaker-model-monitor-analyzer",
        ),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/own-monitor:1.2", "team/own-monitor"),
        ("localhost:5000/own:latest", "own"),
        ("localhost/own", "own"),
        ("own", "own"),
        ("team/own", "team/own"),
        ("own:2@sha256:9b2c", "own"),
        ("registry.example.com/own@sha256:9b2c", "own"),
    ] {
        let image: ImageUri = text.parse().unwrap();
        assert_eq!(image.repository(), repository, "{text}");
        assert_eq!(image.to_string(), text);
    }
    for text in ["", "a b", "host.example.com/", "a//b", ":tag", "@sha256:00", "host.example.com/:tag"] {
        assert!(text.parse::<ImageUri>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic_and_what_is_read_is_read_again(text in ".{0,80}") {
        for prefix in ["", "arn:", "arn:aws:s3:::", "s3://", "https://", "https://s3.amazonaws.com/", "host.example.com/"] {
            let text = format!("{prefix}{text}");
            if let Ok(arn) = text.parse::<Arn>() {
                prop_assert_eq!(arn.to_string(), text.clone());
            }
            if let Ok(uri) = text.parse::<S3Uri>() {
                prop_assert_eq!(uri.to_string().parse::<S3Uri>().unwrap(), uri);
            }
            if let Ok(image) = text.parse::<ImageUri>() {
                prop_assert!(text.contains(image.repository()));
            }
        }
    }
}
