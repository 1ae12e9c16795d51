//! Captured requests and answers.
//!
//! An hour's folder of an endpoint goes once the hour is old enough, unless a schedule has not looked at it: the window of
//! its next tick, of what is under way or asked for, or of a tick that was skipped, missed or paused and could be run yet.
//! Only what has the name of an object of captures goes: people keep other things beside them.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ScheduleStatus};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error as StoreError;
use watchkeeper_store::metadata::{Query, SortBy};
use watchkeeper_store::objects::{ListObjects, Listing};

use super::{PAGE, Pace, each};
use crate::Context;
use crate::control::endpoint::Endpoint;
use crate::control::endpoint_config::EndpointConfig;
use crate::control::execution::{Execution, Window};
use crate::control::execution_plan::{MonitoredInput, hour_path, hours, merged_hours};
use crate::control::schedule::{MonitoringSchedule, first_tick};
use crate::hosting::capture::hour_of;
use crate::resources::Error;
use crate::scheduler::{examine, look};

/// Objects that are looked at, and removed, in one step.
const OBJECTS: usize = 1000;
/// A folder in which so many pages have no captures is none of captures.
const MOST_FOREIGN_PAGES: usize = 10;

/// Removes captures of hours before a moment.
pub(super) async fn sweep(context: &Context, before: Timestamp, pace: &mut Pace) -> Result<u64, Error> {
    let destinations = destinations(context, pace).await?;
    let mut captures = Captures { context, before: hour_of(before), pace, held: HashMap::new(), removed: 0 };
    for destination in destinations {
        for endpoint in captures.folders(&destination, "").await? {
            for variant in captures.folders(&destination, &endpoint).await? {
                captures.sweep_variant(&destination, &endpoint, &variant).await?;
            }
        }
    }
    Ok(captures.removed)
}

/// The folders that endpoints capture to, or did.
async fn destinations(context: &Context, pace: &mut Pace) -> Result<BTreeSet<(String, String)>, Error> {
    let mut found = BTreeSet::new();
    let mut add = |destination: Option<&str>| {
        // What is captured is put behind the address and a slash.
        let address = destination.and_then(|destination| format!("{destination}/").parse::<S3Uri>().ok());
        found.extend(address.map(|S3Uri { bucket, key }| (bucket, key)));
    };
    each::<EndpointConfig>(context, Query::default(), pace, |config| {
        add(config.request.data_capture_config.as_ref().map(|capture| capture.destination_s3_uri.as_str()));
    })
    .await?;
    each::<Endpoint>(context, Query::default(), pace, |endpoint| {
        let configs = [Some(&endpoint.config), endpoint.update.as_ref().map(|update| &update.config)];
        for capture in configs.into_iter().flatten().filter_map(|config| config.data_capture_config.as_ref()) {
            add(Some(capture.destination_s3_uri.as_str()));
        }
    })
    .await?;
    Ok(found)
}

struct Captures<'a> {
    context: &'a Context,
    /// The first hour that stays.
    before: i64,
    pace: &'a mut Pace,
    /// By the endpoints' names in lower case.
    held: HashMap<String, Held>,
    removed: u64,
}

/// Hours that schedules have not looked at.
struct Held {
    /// This one and all later.
    from: i64,
    hours: BTreeSet<i64>,
}

impl Captures<'_> {
    async fn list(&self, list: &ListObjects) -> Result<Listing, Error> {
        match self.context.objects.list(list).await {
            Err(StoreError::NoSuchBucket(_)) => Ok(Listing::default()),
            result => Ok(result?),
        }
    }

    /// The names of the folders below a folder of a destination.
    async fn folders(&self, (bucket, prefix): &(String, String), folder: &str) -> Result<Vec<String>, Error> {
        let prefix = if folder.is_empty() { prefix.clone() } else { format!("{prefix}{folder}/") };
        let mut names = Vec::new();
        let mut start_after = None;
        loop {
            let list = ListObjects {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                delimiter: Some("/".to_owned()),
                start_after,
                limit: OBJECTS,
            };
            let page = self.list(&list).await?;
            let name = |found: &String| found[prefix.len()..].trim_end_matches('/').to_owned();
            names.extend(page.prefixes.iter().map(name).filter(|name| !name.is_empty()));
            start_after = page.next;
            if start_after.is_none() {
                return Ok(names);
            }
        }
    }

    async fn sweep_variant(
        &mut self,
        (bucket, prefix): &(String, String),
        endpoint: &str,
        variant: &str,
    ) -> Result<(), Error> {
        let prefix = format!("{prefix}{endpoint}/{variant}/");
        let (mut start_after, mut foreign) = (None, 0);
        loop {
            let list = ListObjects {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                delimiter: None,
                start_after,
                limit: OBJECTS,
            };
            let page = self.list(&list).await?;
            start_after = page.next;
            let mut going = Vec::new();
            let mut is_foreign = true;
            for object in page.objects {
                let Some(hour) = captured_hour(&object.key[prefix.len()..]) else { continue };
                is_foreign = false;
                // Keys are in the order of their hours.
                if hour >= self.before {
                    start_after = None;
                    break;
                }
                if self.is_held(endpoint, hour).await? {
                    // On behind the hour: a zero is the character after the slash.
                    let behind = format!("{prefix}{}0", path_of(hour));
                    start_after = start_after.map(|next: String| next.max(behind));
                } else {
                    going.push(object.key);
                }
            }
            if !going.is_empty() {
                let deleted = self.context.objects.delete(bucket, &going).await?;
                self.removed += deleted.into_iter().filter(|existed| *existed).count() as u64;
            }
            foreign = if is_foreign { foreign + 1 } else { 0 };
            if start_after.is_none() || foreign == MOST_FOREIGN_PAGES {
                return Ok(());
            }
            self.pace.rest().await;
        }
    }

    async fn is_held(&mut self, endpoint: &str, hour: i64) -> Result<bool, Error> {
        let name = endpoint.to_lowercase();
        if !self.held.contains_key(&name) {
            let held = held(self.context, endpoint, self.pace).await?;
            self.held.insert(name.clone(), held);
        }
        Ok(self.held.get(&name).is_some_and(|held| hour >= held.from || held.hours.contains(&hour)))
    }
}

/// The hour of an object of captures, from what follows its variant: `YYYY/MM/DD/HH/MM-SS-mmm-<uuid>.jsonl`.
fn captured_hour(path: &str) -> Option<i64> {
    let (hour, name) = look::hour_in(path)?;
    let (time, id) = name.strip_suffix(".jsonl")?.split_at_checked("59-59-999-".len())?;
    let digits = time.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    (digits.eq(*b"00-00-000-") && Uuid::try_parse(id).is_ok()).then(|| hour_of(hour))
}

fn path_of(hour: i64) -> String {
    hour_path(Timestamp::from_second(hour * 3600).unwrap_or(Timestamp::MIN))
}

/// The hours of an endpoint that its schedules have not looked at.
async fn held(context: &Context, endpoint: &str, pace: &mut Pace) -> Result<Held, Error> {
    let mut held = Held { from: i64::MAX, hours: BTreeSet::new() };
    let mut after = None;
    loop {
        let query =
            Query { endpoint: Some(endpoint.to_owned()), sort_by: SortBy::Key, after, limit: PAGE, ..Query::default() };
        let page = context.resources.page::<MonitoringSchedule>(&query).await?;
        for schedule in page.found {
            held.add_schedule(context, &schedule.resource, pace).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(held);
        }
    }
}

impl Held {
    async fn add_schedule(
        &mut self,
        context: &Context,
        schedule: &MonitoringSchedule,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        let Ok(definition) = examine::definition(context, schedule).await? else {
            // Whatever it watches, nobody knows what of it.
            self.from = i64::MIN;
            return Ok(());
        };
        let input = &definition.input;
        if let Some(next) = next_tick(schedule, context.now()) {
            self.add_all_from(schedule, next, input);
        }
        if let Some(backfill) = &schedule.operator.backfill {
            self.add_all_from(schedule, backfill.next.0, input);
        }
        for window in schedule.operator.remerge.iter().flat_map(|remerge| &remerge.windows) {
            self.add(window.window);
        }
        self.add_executions(context, schedule, input, pace).await
    }

    /// What is under way, and ticks that nothing was started for.
    async fn add_executions(
        &mut self,
        context: &Context,
        schedule: &MonitoringSchedule,
        input: &MonitoredInput,
        pace: &mut Pace,
    ) -> Result<(), Error> {
        let unended = [ExecutionStatus::Pending, ExecutionStatus::InProgress, ExecutionStatus::Stopping];
        let statuses = unended.into_iter().map(ExecutionStatus::as_str).chain(Execution::unstarted_statuses());
        let query = Query {
            schedule: Some(schedule.name.clone()),
            key_prefix: Some(Execution::key_prefix(schedule)),
            statuses: statuses.map(str::to_owned).collect(),
            sort_by: SortBy::Scheduled,
            ..Query::default()
        };
        each::<Execution>(context, query, pace, |row| {
            let tick = row.scheduled.0;
            if let Ok(window) = row.window.map_or_else(|| examine::window_of(schedule, tick, input), Ok) {
                self.add(window);
            }
        })
        .await
    }

    fn add(&mut self, window: Window) {
        // With offsets a merge looks at the hour of the end as well.
        self.hours.extend(hours(merged_hours(window, true)).map(hour_of));
    }

    fn add_all_from(&mut self, schedule: &MonitoringSchedule, tick: Timestamp, input: &MonitoredInput) {
        let first = examine::window_of(schedule, tick, input).map_or(i64::MIN, |window| hour_of(window.start.0));
        self.from = self.from.min(first);
    }
}

/// The next tick of a schedule that has one, or will in a moment.
fn next_tick(schedule: &MonitoringSchedule, now: Timestamp) -> Option<Timestamp> {
    let first = || first_tick(&schedule.config, now).filter(|_| schedule.status == ScheduleStatus::Pending);
    schedule.next_tick.or_else(first).map(|tick| tick.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_captures_are_captures() {
        let id = "0d1c7a0e-53ab-4b4e-9f3f-3f5a1ad4a0f7";
        let hour = Timestamp::from_second(493_849 * 3600).map(|moment| moment.strftime("%Y/%m/%d/%H").to_string());
        let hour = hour.unwrap_or_default();
        assert_eq!(captured_hour(&format!("{hour}/12-00-007-{id}.jsonl")), Some(493_849));
        for other in [
            format!("{hour}/12-00-007-{id}.json"),
            format!("{hour}/12-00-007-{id}"),
            format!("{hour}/part-0.jsonl"),
            format!("{hour}/x/12-00-007-{id}.jsonl"),
            format!("{hour}/1a-00-007-{id}.jsonl"),
            format!("2026/13/01/00/12-00-007-{id}.jsonl"),
            format!("{hour}é/12-00-007-{id}.jsonl"),
            String::new(),
        ] {
            assert_eq!(captured_hour(&other), None, "{other}");
        }
    }
}
