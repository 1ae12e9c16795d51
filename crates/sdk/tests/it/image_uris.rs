//! Addresses of images, against those that the Python SDK gives.

use serde_json::Value;
use watchkeeper::image_uris;

#[test]
fn images_are_those_of_python_in_every_region() {
    let golden: Value = serde_json::from_str(include_str!("../data/image_uris.json")).unwrap();
    let mut count = 0;
    for framework in ["model-monitor", "clarify"] {
        for (region, address) in golden[framework].as_object().unwrap() {
            assert_eq!(image_uris::retrieve(framework, region).unwrap(), address.as_str().unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 30 + 28);
}

#[test]
fn what_has_no_image_is_told_with_what_has() {
    let error = image_uris::retrieve("clarify", "il-central-1").unwrap_err().to_string();
    assert!(
        error.starts_with("region: Unsupported region: il-central-1. Supported region(s): af-south-1, "),
        "{error}"
    );
    let error = image_uris::retrieve("xgboost", "eu-central-1").unwrap_err().to_string();
    assert_eq!(error, "framework: \"xgboost\" is neither 'model-monitor' nor 'clarify'");
}
