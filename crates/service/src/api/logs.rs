//! CloudWatch Logs over the store's logs. Times are milliseconds since 1970.

mod filter_pattern;

use std::sync::Arc;

use watchkeeper_aws::generated::logs::{
    CreateLogGroupRequest, CreateLogStreamRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest,
    DescribeLogGroupsRequest, DescribeLogGroupsResponse, DescribeLogStreamsRequest, DescribeLogStreamsResponse,
    FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest, GetLogEventsResponse,
    InputLogEvent, LogGroup, LogStream, Logs as LogsApi, OrderBy, OutputLogEvent, PutLogEventsRequest,
    PutLogEventsResponse, PutRetentionPolicyRequest, RejectedLogEventsInfo,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::Error as StoreError;
use watchkeeper_store::logs::{
    EventsQuery, FilterQuery, LogEvent, StoredEvent, StreamOrder, StreamPosition, StreamSelection, StreamsQuery,
};

use self::filter_pattern::FilterPattern;
use super::{failure, paging};
use crate::Context;

const GROUPS: &str = "groups";
/// Groups and streams of a page when the request does not say, and at most.
const PAGE: i32 = 50;
/// Events of a page when the request does not say, and at most.
const EVENTS: i32 = 10_000;
/// Groups that are looked at in one go while a pattern is searched for.
const SEARCHED_GROUPS: usize = 500;
/// How far the time of an event may be off: 14 days back, two hours ahead.
const OLDEST_EVENT: i64 = 14 * 24 * 3600 * 1000;
const NEWEST_EVENT: i64 = 2 * 3600 * 1000;
/// The most bytes of one `PutLogEvents`, and what each event counts beside its text.
const BATCH_BYTES: usize = 1_048_576;
const EVENT_BYTES: usize = 26;

/// The days that a group's retention may have.
const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The service.
pub struct Logs(pub Arc<Context>);

fn invalid(message: impl Into<String>) -> Error {
    Error::new("InvalidParameterException", message)
}

fn invalid_token() -> Error {
    invalid("The specified nextToken is invalid.")
}

/// A failure of the store as AWS says it.
fn refusal(error: StoreError) -> Error {
    let not_found =
        |what: &str| Error::new("ResourceNotFoundException", format!("The specified {what} does not exist."));
    let exists =
        |what: &str| Error::new("ResourceAlreadyExistsException", format!("The specified {what} already exists"));
    match error {
        StoreError::NoSuchLogGroup(_) => not_found("log group"),
        StoreError::NoSuchLogStream(_) => not_found("log stream"),
        StoreError::LogGroupExists(_) => exists("log group"),
        StoreError::LogStreamExists(_) => exists("log stream"),
        StoreError::LogEventTooLarge { size, limit } => {
            invalid(format!("Log event too large: {size} bytes exceeds limit of {limit}"))
        }
        StoreError::InvalidToken => invalid_token(),
        error => failure::internal(&error),
    }
}

/// The group of a request, by its name or its ARN.
fn group_of(name: Option<String>, identifier: Option<String>) -> Result<String, Error> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) if identifier.starts_with("arn:") => {
            let name = identifier.splitn(7, ':').nth(6).map(|name| name.trim_end_matches(":*").to_owned());
            name.filter(|name| !name.is_empty())
                .ok_or_else(|| invalid("The logGroupIdentifier is no ARN of a log group"))
        }
        (None, Some(identifier)) => Ok(identifier),
        _ => Err(invalid("Exactly one of logGroupName and logGroupIdentifier is needed")),
    }
}

fn group_arn(call: &Call, group: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{group}", call.region, call.account)
}

fn shown_group(call: &Call, group: watchkeeper_store::logs::LogGroup) -> LogGroup {
    let arn = group_arn(call, &group.name);
    LogGroup {
        log_group_name: Some(group.name),
        creation_time: Some(group.created),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        stored_bytes: Some(group.stored_bytes as i64),
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        ..LogGroup::default()
    }
}

fn shown_stream(call: &Call, group: &str, stream: watchkeeper_store::logs::LogStream) -> LogStream {
    LogStream {
        arn: Some(format!("{}:log-stream:{}", group_arn(call, group), stream.name)),
        log_stream_name: Some(stream.name),
        creation_time: Some(stream.created),
        first_event_timestamp: stream.first_event,
        last_event_timestamp: stream.last_event,
        last_ingestion_time: stream.last_ingestion,
        upload_sequence_token: None,
        stored_bytes: Some(stream.stored_bytes as i64),
    }
}

fn shown_event(event: StoredEvent) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(event.timestamp),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion),
    }
}

fn filtered_event(event: StoredEvent) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(event.stream),
        timestamp: Some(event.timestamp),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion),
        event_id: Some(event.id),
    }
}

/// The name of a list of streams in its tokens: a token is of one group, prefix and order.
fn streams_list(query: &StreamsQuery) -> String {
    let StreamsQuery { group, prefix, order, descending, .. } = query;
    format!("streams {group} {prefix} {order:?} {descending}")
}

fn stream_token(query: &StreamsQuery, last: &watchkeeper_store::logs::LogStream) -> String {
    let moment = last.last_event.map(|moment| moment.to_string()).unwrap_or_default();
    paging::token_of(&streams_list(query), &format!("{moment} {}", last.name))
}

fn stream_position(query: &StreamsQuery, token: &str) -> Option<StreamPosition> {
    let key = paging::key_of(&streams_list(query), token)?;
    let (moment, name) = key.split_once(' ')?;
    let last_event = if moment.is_empty() { None } else { Some(moment.parse().ok()?) };
    Some(StreamPosition { last_event, name: name.to_owned() })
}

/// The events whose times are taken, and which are not.
fn taken(events: Vec<InputLogEvent>, now: i64) -> Result<(Vec<LogEvent>, Option<RejectedLogEventsInfo>), Error> {
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_BYTES).sum();
    if bytes > BATCH_BYTES {
        return Err(invalid(format!("Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES}")));
    }
    // In the order of time, so that what is too old is at the beginning and what is too new at the end.
    let old = events.iter().take_while(|event| event.timestamp < now - OLDEST_EVENT).count();
    let good = events.iter().take_while(|event| event.timestamp <= now + NEWEST_EVENT).count();
    let index = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let rejected = (old > 0 || good < events.len()).then(|| RejectedLogEventsInfo {
        too_new_log_event_start_index: (good < events.len()).then(|| index(good)),
        too_old_log_event_end_index: (old > 0).then(|| index(old)),
        expired_log_event_end_index: None,
    });
    let kept = events.into_iter().take(good).skip(old);
    Ok((kept.map(|event| LogEvent { timestamp: event.timestamp, message: event.message }).collect(), rejected))
}

impl LogsApi for Logs {
    async fn create_log_group(&self, call: &Call, input: CreateLogGroupRequest) -> Result<(), Error> {
        self.0.logs.create_group(&input.log_group_name, call.now.as_millisecond()).await.map_err(refusal)
    }

    async fn delete_log_group(&self, _: &Call, input: DeleteLogGroupRequest) -> Result<(), Error> {
        self.0.logs.delete_group(&input.log_group_name).await.map_err(refusal)
    }

    async fn create_log_stream(&self, call: &Call, input: CreateLogStreamRequest) -> Result<(), Error> {
        let now = call.now.as_millisecond();
        self.0.logs.create_stream(&input.log_group_name, &input.log_stream_name, now).await.map_err(refusal)
    }

    async fn put_retention_policy(&self, _: &Call, input: PutRetentionPolicyRequest) -> Result<(), Error> {
        let days = u32::try_from(input.retention_in_days).ok().filter(|days| RETENTIONS.contains(days));
        let Some(days) = days else {
            let all = RETENTIONS.map(|days| days.to_string()).join(", ");
            return Err(invalid(format!("Invalid retention value. Valid values are: [{all}]")));
        };
        self.0.logs.set_retention(&input.log_group_name, Some(days)).await.map_err(refusal)
    }

    async fn delete_retention_policy(&self, _: &Call, input: DeleteRetentionPolicyRequest) -> Result<(), Error> {
        self.0.logs.set_retention(&input.log_group_name, None).await.map_err(refusal)
    }

    async fn put_log_events(&self, call: &Call, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Error> {
        let now = call.now.as_millisecond();
        let (events, rejected) = taken(input.log_events, now)?;
        // Also without an event that is taken, so that a missing stream is noticed.
        self.0.logs.append(&input.log_group_name, &input.log_stream_name, events, now).await.map_err(refusal)?;
        Ok(PutLogEventsResponse {
            // Any token is taken by now, so any will do.
            next_sequence_token: Some(format!("{now:056}")),
            rejected_log_events_info: rejected,
            rejected_entity_info: None,
        })
    }

    async fn describe_log_groups(
        &self,
        call: &Call,
        input: DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, Error> {
        let (prefix, pattern) = match (input.log_group_name_prefix, input.log_group_name_pattern) {
            (Some(_), Some(_)) => {
                return Err(invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive parameters."));
            }
            (prefix, pattern) => (prefix.unwrap_or_default(), pattern.unwrap_or_default()),
        };
        let size = paging::size(input.limit, PAGE, PAGE);
        let mut after = match &input.next_token {
            Some(token) => Some(paging::key_of(GROUPS, token).ok_or_else(invalid_token)?),
            None => None,
        };
        let mut found = Vec::new();
        loop {
            let step = if pattern.is_empty() { size + 1 } else { SEARCHED_GROUPS };
            let groups = self.0.logs.groups(&prefix, after.as_deref(), step).await.map_err(refusal)?;
            let was_last = groups.len() < step;
            after = groups.last().map(|group| group.name.clone());
            found.extend(groups.into_iter().filter(|group| group.name.contains(&pattern)));
            if was_last || found.len() > size {
                break;
            }
        }
        let more = found.len() > size;
        found.truncate(size);
        let next_token = found.last().filter(|_| more).map(|group| paging::token_of(GROUPS, &group.name));
        let log_groups = found.into_iter().map(|group| shown_group(call, group)).collect();
        Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token })
    }

    async fn describe_log_streams(
        &self,
        call: &Call,
        input: DescribeLogStreamsRequest,
    ) -> Result<DescribeLogStreamsResponse, Error> {
        let order = match input.order_by {
            Some(OrderBy::LastEventTime) => StreamOrder::LastEventTime,
            _ => StreamOrder::Name,
        };
        if order == StreamOrder::LastEventTime && input.log_stream_name_prefix.is_some() {
            return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let size = paging::size(input.limit, PAGE, PAGE);
        let mut query = StreamsQuery {
            group: group_of(input.log_group_name, input.log_group_identifier)?,
            prefix: input.log_stream_name_prefix.unwrap_or_default(),
            order,
            descending: input.descending.unwrap_or(false),
            after: None,
            // One more than is shown: a token on a list without more would make clients loop.
            limit: size + 1,
        };
        if let Some(token) = &input.next_token {
            query.after = Some(stream_position(&query, token).ok_or_else(invalid_token)?);
        }
        let mut streams = self.0.logs.streams(&query).await.map_err(refusal)?;
        let more = streams.len() > size;
        streams.truncate(size);
        let next_token = streams.last().filter(|_| more).map(|last| stream_token(&query, last));
        let log_streams = streams.into_iter().map(|stream| shown_stream(call, &query.group, stream)).collect();
        Ok(DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
    }

    async fn get_log_events(&self, _: &Call, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Error> {
        let group = group_of(input.log_group_name, input.log_group_identifier)?;
        let query = EventsQuery {
            start: input.start_time,
            end: input.end_time,
            from_head: input.start_from_head.unwrap_or(false),
            limit: paging::size(input.limit, EVENTS, EVENTS),
            token: input.next_token,
        };
        let page = self.0.logs.events(&group, &input.log_stream_name, &query).await.map_err(refusal)?;
        Ok(GetLogEventsResponse {
            events: Some(page.events.into_iter().map(shown_event).collect()),
            next_forward_token: Some(page.forward),
            next_backward_token: Some(page.backward),
        })
    }

    async fn filter_log_events(
        &self,
        _: &Call,
        input: FilterLogEventsRequest,
    ) -> Result<FilterLogEventsResponse, Error> {
        let group = group_of(input.log_group_name, input.log_group_identifier)?;
        let streams = match (input.log_stream_names, input.log_stream_name_prefix) {
            (Some(_), Some(_)) => {
                return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."));
            }
            (Some(names), None) => StreamSelection::Names(names),
            (None, Some(prefix)) => StreamSelection::Prefix(prefix),
            (None, None) => StreamSelection::All,
        };
        let pattern = FilterPattern::read(input.filter_pattern.as_deref().unwrap_or_default())?;
        let query = FilterQuery {
            streams,
            start: input.start_time,
            // Here, other than in GetLogEvents, the end belongs to the window.
            end: input.end_time.map(|end| end.saturating_add(1)),
            predicate: (!pattern.is_empty()).then(|| -> watchkeeper_store::logs::Predicate {
                Arc::new(move |message: &str| pattern.matches(message))
            }),
            limit: paging::size(input.limit, EVENTS, EVENTS),
            token: input.next_token,
        };
        let page = self.0.logs.filter(&group, query).await.map_err(refusal)?;
        Ok(FilterLogEventsResponse {
            events: Some(page.events.into_iter().map(filtered_event).collect()),
            searched_log_streams: Some(Vec::new()),
            next_token: page.next,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn event(timestamp: i64) -> InputLogEvent {
        InputLogEvent { timestamp, message: "m".to_owned() }
    }

    #[test]
    fn events_that_are_too_old_or_too_new_are_named() {
        let now = 1_800_000_000_000;
        let events =
            vec![event(now - OLDEST_EVENT - 1), event(now - OLDEST_EVENT), event(now), event(now + NEWEST_EVENT + 1)];
        let (kept, rejected) = taken(events, now).unwrap();
        assert_eq!(kept.iter().map(|event| event.timestamp).collect::<Vec<_>>(), [now - OLDEST_EVENT, now]);
        let rejected = rejected.unwrap();
        assert_eq!((rejected.too_old_log_event_end_index, rejected.too_new_log_event_start_index), (Some(1), Some(3)));
        assert_eq!(taken(vec![event(now)], now).unwrap().1, None);
        assert!(taken(vec![event(now), event(now - 1)], now).unwrap_err().message.contains("chronological"));
        let large = InputLogEvent { timestamp: now, message: "x".repeat(BATCH_BYTES) };
        assert!(taken(vec![large], now).unwrap_err().message.contains("too large"));
    }

    #[test]
    fn a_group_is_named_or_identified() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(group_of(name("/aws/a"), None).unwrap(), "/aws/a");
        assert_eq!(group_of(None, name("/aws/a")).unwrap(), "/aws/a");
        assert_eq!(group_of(None, name("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/a:*")).unwrap(), "/aws/a");
        assert!(group_of(None, name("arn:aws:logs:eu-west-1")).is_err());
        assert!(group_of(None, None).is_err());
        assert!(group_of(name("a"), name("a")).is_err());
    }

    #[test]
    fn a_token_of_streams_is_of_one_list() {
        let query = StreamsQuery { group: "g".to_owned(), prefix: "p/".to_owned(), ..StreamsQuery::default() };
        let stream = |last_event| watchkeeper_store::logs::LogStream {
            name: "p/a b".to_owned(),
            created: 0,
            first_event: last_event,
            last_event,
            last_ingestion: None,
            stored_bytes: 0,
        };
        for last_event in [None, Some(-5), Some(7)] {
            let token = stream_token(&query, &stream(last_event));
            let position = stream_position(&query, &token).unwrap();
            assert_eq!((position.last_event, position.name.as_str()), (last_event, "p/a b"));
            assert!(stream_position(&StreamsQuery { prefix: "q/".to_owned(), ..query.clone() }, &token).is_none());
        }
        for token in ["", "zz", "00", "eyJhIjoxfQ=="] {
            assert!(stream_position(&query, token).is_none());
        }
    }
}
