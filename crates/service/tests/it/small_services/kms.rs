//! KMS.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Services;

async fn created(services: &Services) -> Value {
    services.answer("kms", "CreateKey", json!({"Description": "capture"})).await["KeyMetadata"].clone()
}

#[tokio::test]
async fn a_key_is_found_by_id_arn_and_alias() {
    let services = Services::new().await;
    let key = created(&services).await;
    services.answer("kms", "CreateAlias", json!({"AliasName": "alias/capture", "TargetKeyId": key["KeyId"]})).await;
    for name in [
        key["KeyId"].clone(),
        key["Arn"].clone(),
        json!("alias/capture"),
        json!("arn:aws:kms:eu-central-1:111122223333:alias/capture"),
    ] {
        let found = services.answer("kms", "DescribeKey", json!({"KeyId": name})).await;
        assert_eq!(found["KeyMetadata"], key, "{name}");
    }
    assert_eq!(
        (&key["KeyState"], &key["Enabled"], &key["KeyManager"]),
        (&json!("Enabled"), &json!(true), &json!("CUSTOMER"))
    );
    for (name, text) in [
        ("alias/none", "Alias arn:aws:kms:eu-central-1:111122223333:alias/none is not found."),
        ("none", "Key 'arn:aws:kms:eu-central-1:111122223333:key/none' does not exist"),
    ] {
        let error = services.refusal("kms", "DescribeKey", json!({"KeyId": name})).await;
        assert_eq!((error.code.as_str(), error.message.as_str()), ("NotFoundException", text));
    }
    let twice = json!({"AliasName": "alias/capture", "TargetKeyId": key["KeyId"]});
    assert_eq!(services.refusal("kms", "CreateAlias", twice).await.code, "AlreadyExistsException");
    let prefix = json!({"AliasName": "capture", "TargetKeyId": key["KeyId"]});
    assert_eq!(services.refusal("kms", "CreateAlias", prefix).await.code, "ValidationException");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let services = Services::new().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let key = created(&services).await;
        let alias = json!({"AliasName": format!("alias/{number}"), "TargetKeyId": key["KeyId"]});
        services.answer("kms", "CreateAlias", alias).await;
        ids.push(key["KeyId"].as_str().unwrap().to_owned());
    }
    ids.sort();
    let first = services.answer("kms", "ListKeys", json!({"Limit": 2})).await;
    assert_eq!(first["Truncated"], true);
    let second = services.answer("kms", "ListKeys", json!({"Limit": 2, "Marker": first["NextMarker"]})).await;
    assert_eq!(second["Truncated"], false);
    let listed: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["Keys"].as_array().unwrap())
        .map(|key| key["KeyId"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ids);
    assert_eq!(services.refusal("kms", "ListKeys", json!({"Marker": "x"})).await.code, "InvalidMarkerException");
    let aliases = services.answer("kms", "ListAliases", json!({"KeyId": ids[0]})).await;
    assert_eq!(aliases["Aliases"].as_array().unwrap().len(), 1);
    assert_eq!(aliases["Aliases"][0]["TargetKeyId"], ids[0]);
    assert_eq!(services.answer("kms", "ListAliases", json!({})).await["Aliases"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_key_goes_when_its_time_has_come_with_its_aliases() {
    let services = Services::new().await;
    let key = created(&services).await;
    let id = key["KeyId"].clone();
    services.answer("kms", "CreateAlias", json!({"AliasName": "alias/capture", "TargetKeyId": id})).await;
    services.answer("kms", "DisableKey", json!({"KeyId": "alias/capture"})).await;
    assert_eq!(
        services.answer("kms", "DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["KeyState"],
        "Disabled"
    );
    services.answer("kms", "EnableKey", json!({"KeyId": id})).await;
    let scheduled = services.answer("kms", "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    assert_eq!((&scheduled["KeyState"], &scheduled["PendingWindowInDays"]), (&json!("PendingDeletion"), &json!(7)));
    assert_eq!(services.refusal("kms", "EnableKey", json!({"KeyId": id})).await.code, "KMSInvalidStateException");
    services.answer("kms", "CancelKeyDeletion", json!({"KeyId": id})).await;
    services.answer("kms", "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    services.pass(SignedDuration::from_hours(7 * 24));
    assert_eq!(services.refusal("kms", "DescribeKey", json!({"KeyId": id})).await.code, "NotFoundException");
    assert_eq!(services.answer("kms", "ListAliases", json!({})).await["Aliases"], json!([]));
}

#[tokio::test]
async fn policies_and_rotation_are_kept() {
    let services = Services::new().await;
    let id = created(&services).await["KeyId"].clone();
    let usual = services.answer("kms", "GetKeyPolicy", json!({"KeyId": id, "PolicyName": "default"})).await;
    assert!(usual["Policy"].as_str().unwrap().contains("arn:aws:iam::111122223333:root"));
    let policy = "{\"Version\":\n\"2012-10-17\"}";
    services.answer("kms", "PutKeyPolicy", json!({"KeyId": id, "PolicyName": "default", "Policy": policy})).await;
    assert_eq!(services.answer("kms", "GetKeyPolicy", json!({"KeyId": id})).await["Policy"], policy);
    let broken = json!({"KeyId": id, "PolicyName": "default", "Policy": "no policy"});
    assert_eq!(services.refusal("kms", "PutKeyPolicy", broken).await.code, "MalformedPolicyDocumentException");
    assert_eq!(services.answer("kms", "GetKeyRotationStatus", json!({"KeyId": id})).await["KeyRotationEnabled"], false);
    services.answer("kms", "EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    let status = services.answer("kms", "GetKeyRotationStatus", json!({"KeyId": id})).await;
    assert_eq!((&status["KeyRotationEnabled"], &status["RotationPeriodInDays"]), (&json!(true), &json!(90)));
    services.answer("kms", "DisableKeyRotation", json!({"KeyId": id})).await;
    assert_eq!(services.answer("kms", "GetKeyRotationStatus", json!({"KeyId": id})).await["KeyRotationEnabled"], false);
}

#[tokio::test]
async fn a_key_is_rotated_when_it_is_due_and_what_it_encrypted_stays_readable() {
    let services = Services::new().await;
    let key = created(&services).await;
    let id = key["KeyId"].clone();
    let encrypt = json!({"KeyId": id, "Plaintext": "c2VjcmV0"});
    let mut ciphertexts = vec![services.answer("kms", "Encrypt", encrypt.clone()).await["CiphertextBlob"].clone()];
    services.answer("kms", "EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    let status = services.answer("kms", "GetKeyRotationStatus", json!({"KeyId": id})).await;
    // 2026-05-30T12:00:00Z, 90 days after the clock's beginning.
    assert_eq!(status["NextRotationDate"], 1_780_142_400.0);
    services.pass(SignedDuration::from_hours(90 * 24) - SignedDuration::from_secs(1));
    let none = services.answer("kms", "ListKeyRotations", json!({"KeyId": id})).await;
    assert_eq!((&none["Rotations"], &none["Truncated"]), (&json!([]), &json!(false)));
    services.pass(SignedDuration::from_secs(1));
    ciphertexts.push(services.answer("kms", "Encrypt", encrypt.clone()).await["CiphertextBlob"].clone());
    let rotations = services.answer("kms", "ListKeyRotations", json!({"KeyId": id})).await["Rotations"].clone();
    assert_eq!(rotations.as_array().unwrap().len(), 1);
    assert_eq!(
        (&rotations[0]["RotationType"], &rotations[0]["RotationDate"], &rotations[0]["KeyMaterialState"]),
        (&json!("AUTOMATIC"), &json!(1_780_142_400.0), &json!("CURRENT"))
    );
    // Off for a year: rotated once when it is on again.
    services.answer("kms", "DisableKey", json!({"KeyId": id})).await;
    services.pass(SignedDuration::from_hours(365 * 24));
    let rotations =
        async || services.answer("kms", "ListKeyRotations", json!({"KeyId": id})).await["Rotations"].clone();
    assert_eq!(rotations().await.as_array().unwrap().len(), 1);
    services.answer("kms", "EnableKey", json!({"KeyId": id})).await;
    assert_eq!(rotations().await.as_array().unwrap().len(), 2);
    ciphertexts.push(services.answer("kms", "Encrypt", encrypt).await["CiphertextBlob"].clone());
    let mut materials = Vec::new();
    for ciphertext in ciphertexts {
        let opened = services.answer("kms", "Decrypt", json!({"CiphertextBlob": ciphertext})).await;
        assert_eq!(opened["Plaintext"], "c2VjcmV0");
        materials.push(opened["KeyMaterialId"].clone());
    }
    let all = json!({"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let listed = services.answer("kms", "ListKeyRotations", all).await["Rotations"].clone();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|entry| entry["KeyMaterialId"].clone()).collect();
    assert_eq!(listed, materials);
}

#[tokio::test]
async fn a_key_that_is_gone_decrypts_nothing() {
    let services = Services::new().await;
    let id = created(&services).await["KeyId"].clone();
    let encrypted = services.answer("kms", "Encrypt", json!({"KeyId": id, "Plaintext": "c2VjcmV0"})).await;
    let decrypt = json!({"CiphertextBlob": encrypted["CiphertextBlob"]});
    services.answer("kms", "ScheduleKeyDeletion", json!({"KeyId": id, "PendingWindowInDays": 7})).await;
    assert_eq!(services.refusal("kms", "Decrypt", decrypt.clone()).await.code, "KMSInvalidStateException");
    services.pass(SignedDuration::from_hours(7 * 24));
    assert_eq!(services.refusal("kms", "Decrypt", decrypt).await.code, "NotFoundException");
}
