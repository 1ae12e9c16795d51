//! Lists: filters, orders, pages, tokens.

use jiff::SignedDuration;
use serde_json::{Value, json};
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger};
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;

use super::{Api, embedded, hourly, job_request};

/// Names of one page, and its token.
fn page(answer: &Value, list: &str, name: &str) -> (Vec<String>, Option<String>) {
    let names = answer[list].as_array().unwrap().iter().map(|entry| entry[name].as_str().unwrap().to_owned());
    (names.collect(), answer.get("NextToken").map(|token| token.as_str().unwrap().to_owned()))
}

async fn all_pages(api: &Api, operation: &str, mut input: Value, list: &str, name: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let (names, token) = page(&api.ok(operation, input.clone()).await, list, name);
        pages.push(names);
        let Some(token) = token else { return pages };
        assert!(pages.len() < 100, "the pages never end");
        input["NextToken"] = json!(token);
    }
}

async fn jobs(api: &Api, input: Value) -> Vec<Vec<String>> {
    all_pages(api, "ListProcessingJobs", input, "ProcessingJobSummaries", "ProcessingJobName").await
}

/// Twelve jobs: two at each moment, names not in the order of their creation.
async fn twelve_jobs() -> Api {
    let api = Api::new().await;
    for index in 0..12 {
        let name = format!("{}-{}", ["Beta", "alpha", "Gamma"][index % 3], index);
        api.ok("CreateProcessingJob", job_request(&name)).await;
        if index % 2 == 1 {
            api.advance(SignedDuration::from_secs(60));
        }
    }
    for name in ["beta-0", "alpha-1"] {
        api.ok("StopProcessingJob", json!({ "ProcessingJobName": name })).await;
    }
    api
}

#[tokio::test]
async fn newest_first_ten_a_page() {
    let api = twelve_jobs().await;
    let pages = jobs(&api, json!({})).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 2]);
    let indexes: Vec<usize> =
        pages.concat().iter().map(|name| name.rsplit('-').next().unwrap().parse().unwrap()).collect();
    let moments: Vec<usize> = indexes.iter().map(|index| index / 2).collect();
    assert_eq!(moments, [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0]);
}

#[tokio::test]
async fn pages_of_any_size_give_the_whole_list_in_one_order() {
    let api = twelve_jobs().await;
    for sort_by in ["Name", "CreationTime", "Status"] {
        let whole = jobs(&api, json!({ "SortBy": sort_by, "MaxResults": 100 })).await.concat();
        let mut backwards =
            jobs(&api, json!({ "SortBy": sort_by, "SortOrder": "Ascending", "MaxResults": 100 })).await.concat();
        backwards.reverse();
        assert_eq!(backwards, whole, "{sort_by}: the order is total");
        for size in 1..=13 {
            let pages = jobs(&api, json!({ "SortBy": sort_by, "MaxResults": size })).await;
            assert!(pages.iter().rev().skip(1).all(|page| page.len() == size), "{sort_by} {size}");
            assert!(pages.iter().all(|page| !page.is_empty()), "{sort_by} {size}: no empty last page");
            assert_eq!(pages.concat(), whole, "{sort_by} {size}");
        }
    }
    let names = jobs(&api, json!({ "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 100 })).await.concat();
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(names, sorted, "without regard to case");
}

#[tokio::test]
async fn what_is_created_and_deleted_between_pages_hides_nothing() {
    let api = twelve_jobs().await;
    let (first, token) = page(
        &api.ok("ListProcessingJobs", json!({ "MaxResults": 11 })).await,
        "ProcessingJobSummaries",
        "ProcessingJobName",
    );
    api.ok("CreateProcessingJob", job_request("Newer")).await;
    let last_shown = first.last().unwrap();
    api.ok("DeleteProcessingJob", json!({ "ProcessingJobName": last_shown })).await;
    let answer = api.ok("ListProcessingJobs", json!({ "MaxResults": 11, "NextToken": token.unwrap() })).await;
    let (rest, token) = page(&answer, "ProcessingJobSummaries", "ProcessingJobName");
    assert_eq!((rest.len(), token), (1, None));
    assert!(!first.contains(&rest[0]));
}

#[tokio::test]
async fn filters() {
    let api = twelve_jobs().await;
    let count = async |input: Value| jobs(&api, input).await.concat().len();
    let start = 1_772_360_430.25;
    assert_eq!(count(json!({ "NameContains": "ALPHA" })).await, 4);
    assert_eq!(
        count(json!({ "NameContains": "a-1" })).await,
        3,
        "alpha-1, beta-... and gamma-11 by the part of a name"
    );
    assert_eq!(count(json!({ "StatusEquals": "Stopped" })).await, 2);
    assert_eq!(count(json!({ "StatusEquals": "InProgress", "NameContains": "beta" })).await, 3);
    assert_eq!(count(json!({ "CreationTimeAfter": start })).await, 10, "later than, not at");
    assert_eq!(count(json!({ "CreationTimeBefore": start + 60.0 })).await, 2, "earlier than, not at");
    assert_eq!(count(json!({ "CreationTimeAfter": start, "CreationTimeBefore": start + 180.0 })).await, 4);
    assert_eq!(count(json!({ "LastModifiedTimeAfter": start + 350.0 })).await, 2, "those that were stopped");
    assert_eq!(count(json!({ "NameContains": "%" })).await, 0, "no pattern of the database");
}

#[tokio::test]
async fn tokens_of_another_list_and_made_up_ones_are_refused() {
    let api = twelve_jobs().await;
    let answer = api.ok("ListProcessingJobs", json!({ "MaxResults": 5, "SortBy": "Name" })).await;
    let token = answer["NextToken"].as_str().unwrap().to_owned();
    api.ok("ListProcessingJobs", json!({ "MaxResults": 7, "SortBy": "Name", "NextToken": token })).await;

    let mut changed = token.clone().into_bytes();
    let last = changed.len() - 1;
    changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
    let changed = String::from_utf8(changed).unwrap();
    let foreign = [
        ("ListProcessingJobs", json!({ "NextToken": token })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "SortOrder": "Ascending", "NextToken": token })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "StatusEquals": "Failed", "NextToken": token })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "NameContains": "a", "NextToken": token })),
        ("ListModels", json!({ "SortBy": "Name", "NextToken": token })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "NextToken": changed })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "NextToken": "" })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "NextToken": "e30=" })),
        ("ListProcessingJobs", json!({ "SortBy": "Name", "NextToken": &token[..token.len() / 2] })),
    ];
    for (operation, input) in foreign {
        assert_eq!(api.refused(operation, input.clone()).await.0, "ValidationException", "{operation} {input}");
    }
}

#[tokio::test]
async fn schedules_by_endpoint_definition_type_and_status() {
    let api = Api::new().await;
    for name in ["One", "Two", "Three"] {
        let request = json!({ "MonitoringScheduleName": name, "MonitoringScheduleConfig": hourly(embedded()) });
        api.ok("CreateMonitoringSchedule", request).await;
    }
    api.settle("One").await;
    let names = async |input: Value| {
        let pages =
            all_pages(&api, "ListMonitoringSchedules", input, "MonitoringScheduleSummaries", "MonitoringScheduleName");
        pages.await.concat()
    };
    assert_eq!(
        names(json!({ "EndpointName": "SHOP", "SortBy": "Name", "SortOrder": "Ascending" })).await,
        ["One", "Three", "Two"]
    );
    assert_eq!(names(json!({ "StatusEquals": "Scheduled" })).await, ["One"]);
    assert_eq!(names(json!({ "NameContains": "t", "SortBy": "Name" })).await, ["Two", "Three"]);
    assert!(names(json!({ "MonitoringTypeEquals": "ModelBias" })).await.is_empty());
    assert!(names(json!({ "MonitoringJobDefinitionName": "d" })).await.is_empty());
    assert!(names(json!({ "EndpointName": "other" })).await.is_empty());
    let listed = api.ok("ListMonitoringSchedules", json!({ "StatusEquals": "Scheduled" })).await;
    assert_eq!(
        listed["MonitoringScheduleSummaries"][0],
        json!({
            "MonitoringScheduleName": "One",
            "MonitoringScheduleArn": "arn:aws:sagemaker:eu-central-1:111122223333:monitoring-schedule/one",
            "CreationTime": 1_772_360_430.25,
            "LastModifiedTime": 1_772_360_431.25,
            "MonitoringScheduleStatus": "Scheduled",
            "EndpointName": "Shop",
            "MonitoringType": "DataQuality",
        })
    );
}

#[tokio::test]
async fn executions_are_the_ticks_that_started() {
    let api = Api::new().await;
    let request = json!({ "MonitoringScheduleName": "Hourly", "MonitoringScheduleConfig": hourly(embedded()) });
    api.ok("CreateMonitoringSchedule", request).await;
    api.settle("Hourly").await;
    let schedule = api.load::<MonitoringSchedule>("hourly").await.resource;
    let first = schedule.next_tick.unwrap().0;
    let mut transaction = Transaction::new();
    for (index, outcome) in
        [Outcome::Started, Outcome::Skipped, Outcome::Missed, Outcome::Paused, Outcome::Started].into_iter().enumerate()
    {
        let tick = first + SignedDuration::from_hours(index as i64);
        transaction = transaction.insert(&Execution::new(&schedule, tick, Trigger::Tick, outcome, tick));
    }
    api.context.resources.commit(transaction).await.unwrap();

    let listed = api.ok("ListMonitoringExecutions", json!({ "MonitoringScheduleName": "hourly" })).await;
    let at = |hours: i64| first.as_second() + hours * 3600;
    let times = |listed: &Value| {
        let entries = listed["MonitoringExecutionSummaries"].as_array().unwrap().iter();
        entries.map(|entry| entry["ScheduledTime"].as_f64().unwrap() as i64).collect::<Vec<_>>()
    };
    assert_eq!(times(&listed), [at(4), at(0)], "newest first");
    assert_eq!(
        listed["MonitoringExecutionSummaries"][1],
        json!({
            "MonitoringScheduleName": "Hourly",
            "ScheduledTime": at(0) as f64,
            "CreationTime": at(0) as f64,
            "LastModifiedTime": at(0) as f64,
            "MonitoringExecutionStatus": "Pending",
            "EndpointName": "Shop",
            "MonitoringType": "DataQuality",
        })
    );
    let scheduled = json!({ "SortBy": "ScheduledTime", "SortOrder": "Ascending", "ScheduledTimeBefore": at(4) });
    assert_eq!(times(&api.ok("ListMonitoringExecutions", scheduled).await), [at(0)]);
    for empty in [
        json!({ "StatusEquals": "Completed" }),
        json!({ "EndpointName": "other" }),
        json!({ "MonitoringTypeEquals": "ModelBias" }),
        json!({ "MonitoringJobDefinitionName": "d" }),
    ] {
        assert_eq!(times(&api.ok("ListMonitoringExecutions", empty).await), Vec::<i64>::new());
    }
}
