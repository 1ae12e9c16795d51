//! CloudWatch.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Services;

const NAMESPACE: &str = "aws/sagemaker/Endpoints/data-metrics";

fn dimensions(endpoint: &str) -> Value {
    json!([{"Name": "Endpoint", "Value": endpoint}, {"Name": "MonitoringSchedule", "Value": "hourly"}])
}

/// Puts a value of this moment.
async fn put(services: &Services, metric: &str, value: f64) {
    let datum = json!({"MetricName": metric, "Dimensions": dimensions("churn"), "Value": value, "Timestamp": services.now().as_second()});
    services.answer("cloudwatch", "PutMetricData", json!({"Namespace": NAMESPACE, "MetricData": [datum]})).await;
}

#[tokio::test]
async fn a_namespace_is_one_with_and_without_its_slash() {
    let services = Services::new().await;
    put(&services, "drift", 0.5).await;
    for namespace in [NAMESPACE.to_owned(), format!("/{NAMESPACE}")] {
        let listed = services.answer("cloudwatch", "ListMetrics", json!({"Namespace": namespace})).await;
        let metric = json!({"Namespace": namespace, "MetricName": "drift", "Dimensions": dimensions("churn")});
        assert_eq!(listed["Metrics"], json!([metric]));
        let input = json!({"Namespace": namespace, "MetricName": "drift", "Dimensions": dimensions("churn"),
            "StartTime": services.now().as_second() - 3600, "EndTime": services.now().as_second() + 60, "Period": 3600,
            "Statistics": ["Average", "SampleCount"], "ExtendedStatistics": ["p90"]});
        let read = services.answer("cloudwatch", "GetMetricStatistics", input).await;
        assert_eq!(read["Label"], "drift");
        let points = read["Datapoints"].as_array().unwrap();
        assert_eq!(points.len(), 1);
        assert_eq!(
            (&points[0]["Average"], &points[0]["SampleCount"], &points[0]["Unit"]),
            (&json!(0.5), &json!(1.0), &json!("None"))
        );
        assert_eq!(points[0]["ExtendedStatistics"], json!({"p90": 0.5}));
    }
}

#[tokio::test]
async fn metrics_are_listed_by_the_dimensions_they_have_at_least() {
    let services = Services::new().await;
    put(&services, "drift", 0.5).await;
    let plain = json!({"MetricName": "drift", "Value": 1.0});
    services.answer("cloudwatch", "PutMetricData", json!({"Namespace": "own", "MetricData": [plain]})).await;
    for (filter, count) in [
        (json!({}), 2),
        (json!({"MetricName": "drift"}), 2),
        (json!({"MetricName": "other"}), 0),
        (json!({"Dimensions": [{"Name": "Endpoint"}]}), 1),
        (json!({"Dimensions": [{"Name": "Endpoint", "Value": "churn"}]}), 1),
        (json!({"Dimensions": [{"Name": "Endpoint", "Value": "other"}]}), 0),
    ] {
        let listed = services.answer("cloudwatch", "ListMetrics", filter.clone()).await;
        assert_eq!(listed["Metrics"].as_array().unwrap().len(), count, "{filter}");
    }
    assert_eq!(services.refusal("cloudwatch", "ListMetrics", json!({"NextToken": "x"})).await.code, "InvalidNextToken");
}

#[tokio::test]
async fn metric_data_and_expressions_over_them() {
    let services = Services::new().await;
    let hour = SignedDuration::from_hours(1);
    for (good, bad) in [(8.0, 2.0), (9.0, 1.0)] {
        put(&services, "good", good).await;
        put(&services, "bad", bad).await;
        services.pass(hour);
    }
    let stat = |metric: &str| json!({"Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions("churn")}, "Period": 3600, "Stat": "Sum"});
    let queries = json!([
        {"Id": "share", "Expression": "100 * bad / (good + bad)", "Label": "bad share"},
        {"Id": "good", "MetricStat": stat("good"), "ReturnData": false},
        {"Id": "bad", "MetricStat": stat("bad")},
        {"Id": "none", "MetricStat": stat("none")},
    ]);
    let noon = services.now().as_second() - 7200;
    let ask = |queries: &Value, scan: &str| json!({"MetricDataQueries": queries, "StartTime": noon, "EndTime": noon + 7200, "ScanBy": scan});
    let answer = services.answer("cloudwatch", "GetMetricData", ask(&queries, "TimestampAscending")).await;
    let results = answer["MetricDataResults"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert_eq!((&results[0]["Label"], &results[0]["Values"]), (&json!("bad share"), &json!([20.0, 10.0])));
    assert_eq!((&results[1]["Label"], &results[1]["Values"]), (&json!("bad"), &json!([2.0, 1.0])));
    let seconds: Vec<f64> =
        results[1]["Timestamps"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect();
    assert_eq!(seconds, [noon as f64, (noon + 3600) as f64]);
    assert_eq!((&results[2]["Values"], &results[2]["StatusCode"]), (&json!([]), &json!("Complete")));
    let latest_first = services.answer("cloudwatch", "GetMetricData", ask(&queries, "TimestampDescending")).await;
    assert_eq!(latest_first["MetricDataResults"][1]["Values"], json!([1.0, 2.0]));
    for (query, reason) in [
        (json!([{"Id": "e1", "Expression": "SEARCH('x', 'Sum', 60)"}]), "the function 'SEARCH' is not supported"),
        (json!([{"Id": "E1", "Expression": "bad"}]), "lower case letter"),
        (json!([{"Id": "e1"}]), "exactly one of MetricStat and Expression"),
    ] {
        let error = services.refusal("cloudwatch", "GetMetricData", ask(&query, "TimestampAscending")).await;
        assert_eq!(error.code, "ValidationError");
        assert!(error.message.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn statistics_need_a_window_a_period_and_a_statistic() {
    let services = Services::new().await;
    let input = |changes: Value| {
        let mut input = json!({"Namespace": "n", "MetricName": "m", "StartTime": 0, "EndTime": 3600, "Period": 60, "Statistics": ["Sum"]});
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        input
    };
    assert_eq!(services.answer("cloudwatch", "GetMetricStatistics", input(json!({}))).await["Datapoints"], json!([]));
    for (changes, code) in [
        (json!({"StartTime": 3600}), "InvalidParameterValue"),
        (json!({"Period": 61}), "InvalidParameterValue"),
        (json!({"Statistics": null}), "InvalidParameterCombination"),
        (json!({"EndTime": 60 * 1441}), "InvalidParameterCombination"),
        (json!({"ExtendedStatistics": ["q9"]}), "InvalidParameterValue"),
    ] {
        assert_eq!(
            services.refusal("cloudwatch", "GetMetricStatistics", input(changes.clone())).await.code,
            code,
            "{changes}"
        );
    }
}

fn alarm(changes: &Value) -> Value {
    let mut alarm = json!({"AlarmName": "drift", "Namespace": format!("/{NAMESPACE}"), "MetricName": "drift",
        "Dimensions": dimensions("churn"), "Statistic": "Maximum", "Period": 600, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
        "Threshold": 0.1, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": ["arn:aws:sns:eu-central-1:111122223333:t"]});
    alarm.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    alarm
}

async fn state(services: &Services, name: &str) -> String {
    let described = services.answer("cloudwatch", "DescribeAlarms", json!({"AlarmNames": [name]})).await;
    assert_eq!(described["CompositeAlarms"], json!([]));
    described["MetricAlarms"][0]["StateValue"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_alarm_follows_its_metric() {
    let services = Services::new().await;
    services.answer("cloudwatch", "PutMetricAlarm", alarm(&json!({}))).await;
    assert_eq!(state(&services, "drift").await, "INSUFFICIENT_DATA");
    put(&services, "drift", 0.5).await;
    assert_eq!(state(&services, "drift").await, "ALARM");
    services.pass(SignedDuration::from_mins(10));
    put(&services, "drift", 0.05).await;
    assert_eq!(state(&services, "drift").await, "OK");
    services.pass(SignedDuration::from_hours(2));
    assert_eq!(state(&services, "drift").await, "INSUFFICIENT_DATA");

    let history = services.answer("cloudwatch", "DescribeAlarmHistory", json!({"AlarmName": "drift"})).await;
    let summaries: Vec<&str> = history["AlarmHistoryItems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["HistorySummary"].as_str().unwrap())
        .collect();
    assert_eq!(
        summaries,
        [
            "Alarm updated from OK to INSUFFICIENT_DATA",
            "Alarm updated from ALARM to OK",
            // Both of the same moment as the creation, so in no order of time.
            summaries[2],
            summaries[3],
        ]
    );
    assert!(summaries.contains(&"Alarm updated from INSUFFICIENT_DATA to ALARM"));
    assert!(summaries.contains(&"Alarm \"drift\" created"));
    let states = json!({"AlarmName": "drift", "HistoryItemType": "StateUpdate", "MaxRecords": 2});
    let page = services.answer("cloudwatch", "DescribeAlarmHistory", states).await;
    assert_eq!(page["AlarmHistoryItems"].as_array().unwrap().len(), 2);
    let next = json!({"AlarmName": "drift", "HistoryItemType": "StateUpdate", "MaxRecords": 2, "NextToken": page["NextToken"]});
    let page = services.answer("cloudwatch", "DescribeAlarmHistory", next).await;
    assert_eq!(page["AlarmHistoryItems"].as_array().unwrap().len(), 1);
    assert!(page.get("NextToken").is_none());

    // History is kept for thirty days.
    services.pass(SignedDuration::from_hours(31 * 24));
    services.answer("cloudwatch", "PutMetricAlarm", alarm(&json!({}))).await;
    let history = services.answer("cloudwatch", "DescribeAlarmHistory", json!({"AlarmName": "drift"})).await;
    let kept: Vec<&Value> =
        history["AlarmHistoryItems"].as_array().unwrap().iter().map(|item| &item["HistorySummary"]).collect();
    assert_eq!(kept, [&json!("Alarm \"drift\" updated")]);

    services.answer("cloudwatch", "DeleteAlarms", json!({"AlarmNames": ["drift", "none"]})).await;
    let described = services.answer("cloudwatch", "DescribeAlarms", json!({})).await;
    assert_eq!(described["MetricAlarms"], json!([]));
}

#[tokio::test]
async fn an_alarm_is_described_as_it_was_put() {
    let services = Services::new().await;
    let put = alarm(&json!({"TreatMissingData": "breaching", "AlarmDescription": "d"}));
    services.answer("cloudwatch", "PutMetricAlarm", put.clone()).await;
    let described = services.answer("cloudwatch", "DescribeAlarms", json!({"AlarmNamePrefix": "dr"})).await;
    let shown = &described["MetricAlarms"][0];
    for (name, value) in put.as_object().unwrap() {
        if value.is_number() {
            assert_eq!(shown[name].as_f64(), value.as_f64(), "{name}");
        } else {
            assert_eq!(&shown[name], value, "{name}");
        }
    }
    assert_eq!(shown["AlarmArn"], "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:drift");
    // Nothing has come, and that counts as beyond.
    assert_eq!(shown["StateValue"], "ALARM");
    for filter in [
        json!({"AlarmNamePrefix": "x"}),
        json!({"StateValue": "OK"}),
        json!({"AlarmTypes": ["CompositeAlarm"]}),
        json!({"ActionPrefix": "arn:aws:lambda"}),
    ] {
        assert_eq!(
            services.answer("cloudwatch", "DescribeAlarms", filter.clone()).await["MetricAlarms"],
            json!([]),
            "{filter}"
        );
    }
    for number in 0..3 {
        services.answer("cloudwatch", "PutMetricAlarm", alarm(&json!({"AlarmName": format!("n{number}")}))).await;
    }
    let first = services.answer("cloudwatch", "DescribeAlarms", json!({"MaxRecords": 3})).await;
    let second = services
        .answer("cloudwatch", "DescribeAlarms", json!({"MaxRecords": 3, "NextToken": first["NextToken"]}))
        .await;
    assert_eq!(second["MetricAlarms"][0]["AlarmName"], "n2");
    assert!(second.get("NextToken").is_none());
}

#[tokio::test]
async fn a_state_that_was_set_stays_a_minute_or_until_the_next_datum() {
    let services = Services::new().await;
    services.answer("cloudwatch", "PutMetricAlarm", alarm(&json!({}))).await;
    let set = json!({"AlarmName": "drift", "StateValue": "ALARM", "StateReason": "testing"});
    services.answer("cloudwatch", "SetAlarmState", set.clone()).await;
    assert_eq!(state(&services, "drift").await, "ALARM");
    services.pass(SignedDuration::from_secs(60));
    assert_eq!(state(&services, "drift").await, "INSUFFICIENT_DATA");
    services.answer("cloudwatch", "SetAlarmState", set).await;
    put(&services, "drift", 0.0).await;
    assert_eq!(state(&services, "drift").await, "OK");
    let missing = json!({"AlarmName": "none", "StateValue": "OK", "StateReason": "testing"});
    assert_eq!(services.refusal("cloudwatch", "SetAlarmState", missing).await.code, "ResourceNotFound");
}

#[tokio::test]
async fn dashboards_are_kept_as_they_came() {
    let services = Services::new().await;
    let body = "{\"widgets\": [ ]}";
    for name in ["drift", "drift-2", "other"] {
        let put =
            services.answer("cloudwatch", "PutDashboard", json!({"DashboardName": name, "DashboardBody": body})).await;
        assert_eq!(put["DashboardValidationMessages"], json!([]));
    }
    let changed = "{\"widgets\": [{}]}";
    services.answer("cloudwatch", "PutDashboard", json!({"DashboardName": "drift", "DashboardBody": changed})).await;
    let read = services.answer("cloudwatch", "GetDashboard", json!({"DashboardName": "drift"})).await;
    assert_eq!(
        (&read["DashboardBody"], &read["DashboardArn"]),
        (&json!(changed), &json!("arn:aws:cloudwatch::111122223333:dashboard/drift"))
    );
    let listed = services.answer("cloudwatch", "ListDashboards", json!({"DashboardNamePrefix": "drift"})).await;
    let names: Vec<&Value> =
        listed["DashboardEntries"].as_array().unwrap().iter().map(|entry| &entry["DashboardName"]).collect();
    assert_eq!(names, [&json!("drift"), &json!("drift-2")]);
    assert_eq!(listed["DashboardEntries"][1]["Size"], body.len());
    // All or none.
    let error = services.refusal("cloudwatch", "DeleteDashboards", json!({"DashboardNames": ["drift", "none"]})).await;
    assert_eq!((error.code.as_str(), error.status), ("DashboardNotFoundError", 404));
    services.answer("cloudwatch", "DeleteDashboards", json!({"DashboardNames": ["drift", "drift-2"]})).await;
    assert_eq!(
        services.refusal("cloudwatch", "GetDashboard", json!({"DashboardName": "drift"})).await.code,
        "DashboardNotFoundError"
    );
    assert_eq!(
        services.refusal("cloudwatch", "PutDashboard", json!({"DashboardName": "b", "DashboardBody": "no"})).await.code,
        "DashboardInvalidInputError"
    );
}
