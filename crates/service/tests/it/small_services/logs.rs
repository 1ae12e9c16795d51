//! CloudWatch Logs.

use base64::Engine as _;
use serde_json::{Value, json};

use super::Services;

const GROUP: &str = "/aws/sagemaker/ProcessingJobs";

async fn with_streams(names: &[&str]) -> Services {
    let services = Services::new().await;
    services.answer("logs", "CreateLogGroup", json!({"logGroupName": GROUP})).await;
    for name in names {
        services.answer("logs", "CreateLogStream", json!({"logGroupName": GROUP, "logStreamName": name})).await;
    }
    services
}

/// Puts messages a second apart; the last is of this moment.
async fn put(services: &Services, stream: &str, messages: &[&str]) {
    let now = services.now().as_millisecond();
    let count = i64::try_from(messages.len()).unwrap();
    let event =
        |(index, message): (i64, &&str)| json!({"timestamp": now - 1000 * (count - 1 - index), "message": message});
    let events: Vec<Value> = (0..).zip(messages).map(event).collect();
    services
        .answer("logs", "PutLogEvents", json!({"logGroupName": GROUP, "logStreamName": stream, "logEvents": events}))
        .await;
}

fn messages(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_missing_says_what_clients_look_for() {
    let services = with_streams(&["a"]).await;
    for (operation, input, what) in [
        ("DescribeLogStreams", json!({"logGroupName": "none"}), "log group"),
        ("GetLogEvents", json!({"logGroupName": "none", "logStreamName": "a"}), "log group"),
        ("GetLogEvents", json!({"logGroupName": GROUP, "logStreamName": "none"}), "log stream"),
        ("FilterLogEvents", json!({"logGroupName": "none"}), "log group"),
        ("DeleteLogGroup", json!({"logGroupName": "none"}), "log group"),
        ("CreateLogStream", json!({"logGroupName": "none", "logStreamName": "a"}), "log group"),
    ] {
        let error = services.refusal("logs", operation, input).await;
        assert_eq!(error.code, "ResourceNotFoundException");
        assert_eq!(error.message, format!("The specified {what} does not exist."));
    }
    assert_eq!(
        services.refusal("logs", "CreateLogGroup", json!({"logGroupName": GROUP})).await.code,
        "ResourceAlreadyExistsException"
    );
}

/// As the SDK reads a job's log: the token stays at the end of the stream and later brings what has come since.
#[tokio::test]
async fn a_token_at_the_end_of_a_stream_stays_and_reads_on() {
    let services = with_streams(&["job/algo-1-1"]).await;
    put(&services, "job/algo-1-1", &["one", "two"]).await;
    let read = async |token: Option<&Value>| {
        let mut input = json!({"logGroupName": GROUP, "logStreamName": "job/algo-1-1", "startFromHead": true});
        if let Some(token) = token {
            input["nextToken"] = token.clone();
        }
        services.answer("logs", "GetLogEvents", input).await
    };
    let first = read(None).await;
    assert_eq!(messages(&first), ["one", "two"]);
    let token = &first["nextForwardToken"];
    let second = read(Some(token)).await;
    assert_eq!(messages(&second), Vec::<&str>::new());
    assert_eq!(&second["nextForwardToken"], token);
    put(&services, "job/algo-1-1", &["three"]).await;
    assert_eq!(messages(&read(Some(token)).await), ["three"]);
    for token in [token, &first["nextBackwardToken"]] {
        let decoded = base64::prelude::BASE64_STANDARD.decode(token.as_str().unwrap());
        assert!(
            decoded
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
                .is_none_or(|value| !value.is_object())
        );
    }
    let error = services
        .refusal(
            "logs",
            "GetLogEvents",
            json!({"logGroupName": GROUP, "logStreamName": "job/algo-1-1", "nextToken": "x"}),
        )
        .await;
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn streams_are_listed_by_prefix_and_a_token_comes_only_with_more() {
    let services = with_streams(&["b/1", "a/2", "a/1", "a/3"]).await;
    let list = async |more: Value| {
        let mut input = json!({"logGroupName": GROUP, "logStreamNamePrefix": "a/", "orderBy": "LogStreamName"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        services.answer("logs", "DescribeLogStreams", input).await
    };
    let names = |page: &Value| -> Vec<String> {
        page["logStreams"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stream| stream["logStreamName"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = list(json!({"limit": 3})).await;
    assert_eq!(names(&all), ["a/1", "a/2", "a/3"]);
    assert!(all.get("nextToken").is_none());
    let first = list(json!({"limit": 2})).await;
    assert_eq!(names(&first), ["a/1", "a/2"]);
    let second = list(json!({"limit": 2, "nextToken": first["nextToken"]})).await;
    assert_eq!(names(&second), ["a/3"]);
    assert!(second.get("nextToken").is_none());
    put(&services, "a/1", &["late"]).await;
    let newest = services
        .answer(
            "logs",
            "DescribeLogStreams",
            json!({"logGroupName": GROUP, "orderBy": "LastEventTime", "descending": true, "limit": 1}),
        )
        .await;
    assert_eq!(names(&newest), ["a/1"]);
    assert_eq!(newest["logStreams"][0]["lastEventTimestamp"], services.now().as_millisecond());
}

#[tokio::test]
async fn filtered_events_have_ids_that_stay() {
    let services = with_streams(&["a/1", "a/2"]).await;
    put(&services, "a/1", &["ERROR one", "INFO two"]).await;
    put(&services, "a/2", &["ERROR three", "WARN four"]).await;
    let filter = async |more: Value| {
        let mut input = json!({"logGroupName": GROUP});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        services.answer("logs", "FilterLogEvents", input).await
    };
    assert_eq!(messages(&filter(json!({"filterPattern": "ERROR"})).await), ["ERROR one", "ERROR three"]);
    assert_eq!(messages(&filter(json!({"filterPattern": "?INFO ?WARN"})).await), ["INFO two", "WARN four"]);
    assert_eq!(messages(&filter(json!({"logStreamNames": ["a/2"], "filterPattern": "-ERROR"})).await), ["WARN four"]);
    assert_eq!(messages(&filter(json!({"logStreamNamePrefix": "a/1"})).await), ["ERROR one", "INFO two"]);
    assert_eq!(
        messages(&filter(json!({"startTime": services.now().as_millisecond()})).await),
        ["INFO two", "WARN four"]
    );
    assert_eq!(
        messages(&filter(json!({"endTime": services.now().as_millisecond() - 1000})).await),
        ["ERROR one", "ERROR three"]
    );
    let ids = |page: &Value| -> Vec<String> {
        page["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&filter(json!({})).await);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    // In pages of one, the same events with the same ids; the last page has no token.
    let (mut paged, mut token) = (Vec::new(), Value::Null);
    loop {
        let input = if token.is_null() { json!({"limit": 1}) } else { json!({"limit": 1, "nextToken": token}) };
        let page = filter(input).await;
        paged.extend(ids(&page));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(paged, all);
    let error = services
        .refusal("logs", "FilterLogEvents", json!({"logGroupName": GROUP, "filterPattern": "{ $.a = 1 }"}))
        .await;
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn groups_are_listed_and_deleted() {
    let services = with_streams(&["a"]).await;
    for number in 0..3 {
        services.answer("logs", "CreateLogGroup", json!({"logGroupName": format!("/own/{number}")})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["logGroups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["logGroupName"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = services.answer("logs", "DescribeLogGroups", json!({"logGroupNamePrefix": "/own/", "limit": 2})).await;
    assert_eq!(names(&first), ["/own/0", "/own/1"]);
    let second = services
        .answer(
            "logs",
            "DescribeLogGroups",
            json!({"logGroupNamePrefix": "/own/", "limit": 2, "nextToken": first["nextToken"]}),
        )
        .await;
    assert_eq!(names(&second), ["/own/2"]);
    assert!(second.get("nextToken").is_none());
    let found = services.answer("logs", "DescribeLogGroups", json!({"logGroupNamePattern": "sagemaker"})).await;
    assert_eq!(names(&found), [GROUP]);
    assert_eq!(found["logGroups"][0]["arn"], format!("arn:aws:logs:eu-central-1:111122223333:log-group:{GROUP}:*"));
    services.answer("logs", "DeleteLogGroup", json!({"logGroupName": GROUP})).await;
    assert_eq!(names(&services.answer("logs", "DescribeLogGroups", json!({})).await).len(), 3);
}

#[tokio::test]
async fn a_group_has_a_retention_until_it_is_deleted() {
    let services = with_streams(&[]).await;
    let days = async || {
        let groups = services.answer("logs", "DescribeLogGroups", json!({"logGroupNamePrefix": GROUP})).await;
        groups["logGroups"][0]["retentionInDays"].clone()
    };
    assert_eq!(days().await, Value::Null);
    let policy = |days: i64| json!({"logGroupName": GROUP, "retentionInDays": days});
    services.answer("logs", "PutRetentionPolicy", policy(30)).await;
    assert_eq!(days().await, 30);
    for wrong in [0, -1, 2, 29, 4000] {
        let error = services.refusal("logs", "PutRetentionPolicy", policy(wrong)).await;
        assert_eq!(error.code, "InvalidParameterException");
    }
    let error =
        services.refusal("logs", "PutRetentionPolicy", json!({"logGroupName": "none", "retentionInDays": 1})).await;
    assert_eq!(error.code, "ResourceNotFoundException");
    services.answer("logs", "DeleteRetentionPolicy", json!({"logGroupName": GROUP})).await;
    assert_eq!(days().await, Value::Null);
    let error = services.refusal("logs", "DeleteRetentionPolicy", json!({"logGroupName": "none"})).await;
    assert_eq!(error.code, "ResourceNotFoundException");
}
