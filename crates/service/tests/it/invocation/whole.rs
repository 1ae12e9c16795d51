//! `InvokeEndpoint`: what reaches the model, what comes back.

use serde_json::{Value, json};

use super::{World, built_in, header, python, text};

#[tokio::test]
async fn headers_reach_the_model_and_come_back() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    let sent = [
        ("content-type", "text/csv; charset=utf-8"),
        ("accept", "application/json"),
        ("x-amzn-sagemaker-custom-attributes", "c000b4f9-df62-4c85-a0bf-7c525f9104a4"),
        ("x-amzn-sagemaker-target-model", "model-1.tar.gz"),
        ("x-amzn-sagemaker-target-variant", "blue"),
        ("x-amzn-sagemaker-inference-id", "order 7"),
        ("x-amzn-sagemaker-session-id", "NEW-SESSION"),
        ("x-amzn-sagemaker-enable-explanations", "`true`"),
        ("x-amzn-sagemaker-target-container-hostname", "second"),
        ("x-amzn-sagemaker-inference-component", "part"),
    ];
    let others = [("x-private", "1"), ("cookie", "a=b"), ("x-forwarded-for", "10.0.0.1")];
    let answer = world.invoke("shop", &[&sent[..], &others[..]].concat(), "headers please").await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((&seen["method"], &seen["path"]), (&json!("POST"), &json!("/invocations")));
    let headers = seen["headers"].as_object().unwrap();
    for (name, value) in sent {
        assert_eq!(headers[name], value, "{name}");
    }
    // AWS strips whatever it does not name; signatures and addresses are nobody's business.
    for (name, _) in headers {
        let is_known = sent.iter().any(|(sent, _)| sent == name) || ["host", "content-length"].contains(&name.as_str());
        assert!(is_known, "{name} reached the model");
    }

    let answer = world.invoke("shop", &[("content-type", "text/csv")], "attributes").await;
    assert_eq!((answer.status().as_u16(), text(&answer).as_str()), (200, "0.5\n"));
    assert_eq!(header(&answer, "content-type"), "text/csv; charset=utf-8");
    assert_eq!(header(&answer, "x-amzn-sagemaker-custom-attributes"), "trace=1");
    assert_eq!(header(&answer, "x-amzn-sagemaker-new-session-id"), "s1; Expires=2026-12-31T00:00:00Z");
    assert_eq!(header(&answer, "x-amzn-sagemaker-closed-session-id"), "s0");
    assert_eq!(header(&answer, "x-amzn-invoked-production-variant"), "blue");
    assert!(!header(&answer, "x-amzn-requestid").is_empty());
    assert!(!answer.headers().contains_key("x-private"));
    assert_eq!(header(&answer, "content-length"), "4");
}

#[tokio::test]
async fn bodies_pass_unchanged_up_to_six_mebibytes_in_both_directions() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    for length in [0, 1, 4_096, 70_000, (6 << 20) - 1, 6 << 20] {
        let body: Vec<u8> = (0..length).map(|index| b'a' + (index % 23) as u8).collect();
        let answer = world.invoke("shop", &[("content-type", "application/x-thing")], body.clone()).await;
        assert_eq!(answer.status(), 200, "{length}");
        assert_eq!(header(&answer, "content-type"), "application/x-thing");
        assert!(answer.body()[..] == body[..], "{length} bytes came back otherwise");
    }
    let large = (6 << 20) + 1;
    let answer = world.invoke("shop", &[], vec![b'a'; large]).await;
    assert_eq!(answer.status(), 413);
    let (status, code, body) = super::error(&world.invoke("shop", &[], format!("large {large}")).await);
    assert_eq!((status, code.as_str()), (424, "ModelError"));
    assert!(body["OriginalMessage"].as_str().unwrap().contains("6291456 bytes"), "{body}");
}

#[tokio::test]
async fn built_in_models_and_variants_answer() {
    let world = World::start().await;
    let logistic = built_in("logistic", &json!({ "intercept": 0.0, "coefficients": [1.0, -1.0] }));
    let variants = [("blue", built_in("constant", &json!({ "value": 7.5 }))), ("green", logistic)];
    world.deploy("shop", &variants, json!({})).await;
    let csv = ("content-type", "text/csv");
    let answer = world.invoke("shop", &[csv, ("x-amzn-sagemaker-target-variant", "green")], "3,3\n").await;
    assert_eq!((answer.status().as_u16(), text(&answer).trim()), (200, "0.5"));
    assert_eq!(header(&answer, "x-amzn-invoked-production-variant"), "green");
    let answer = world.invoke("shop", &[csv, ("x-amzn-sagemaker-target-variant", "blue")], "3,3\n").await;
    assert_eq!(text(&answer).trim(), "7.5");
    // What the model refuses is the model's error.
    let bad = world.invoke("shop", &[csv, ("x-amzn-sagemaker-target-variant", "green")], "3,x\n").await;
    let (status, code, body) = super::error(&bad);
    assert_eq!((status, code.as_str(), &body["OriginalStatusCode"]), (424, "ModelError", &json!(400)));
}
