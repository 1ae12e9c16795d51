//! Logs of processing jobs: one stream a machine, told as one log in the order of time.

use std::collections::{HashMap, VecDeque};

use serde::Deserialize;
use serde_json::json;

use super::{AwsService, Progress, Session, typed};
use crate::Result;

/// Where jobs log to.
const GROUP: &str = "/aws/sagemaker/ProcessingJobs";
/// How many streams a page of them has at most.
const STREAMS_PER_PAGE: u64 = 50;

/// A job's log, and how far it was told.
pub(super) struct JobLog {
    job_name: String,
    positions: HashMap<String, Position>,
}

/// Up to which event a stream was told.
#[derive(Clone, Copy, Default)]
struct Position {
    /// The time of the last event, in milliseconds since 1970.
    timestamp: i64,
    /// How many events of that time were told.
    told: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Streams {
    #[serde(default)]
    log_streams: Vec<Stream>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    #[serde(default)]
    events: Vec<Event>,
    next_forward_token: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    message: String,
}

/// What is new in a stream, a page at a time.
struct News {
    stream: String,
    start: Position,
    /// Events of the first pages that were told before.
    skip: usize,
    page: VecDeque<Event>,
    next_token: Option<String>,
    has_ended: bool,
}

impl JobLog {
    pub(super) fn new(job_name: &str) -> Self {
        Self { job_name: job_name.to_owned(), positions: HashMap::new() }
    }

    /// Tells what the log has that was not told yet.
    pub(super) async fn tell_news(&mut self, session: &Session, instance_count: u64) -> Result<()> {
        let mut news: Vec<News> =
            self.streams(session, instance_count).await?.into_iter().map(|stream| self.news_of(stream)).collect();
        for stream in &mut news {
            stream.fill(session, &self.job_name).await?;
        }
        // The earliest event of all streams, the first stream's where two are of one time.
        while let Some(first) = news
            .iter_mut()
            .filter(|stream| !stream.page.is_empty())
            .min_by_key(|stream| stream.page.front().map(|event| event.timestamp))
        {
            if let Some(event) = first.page.pop_front() {
                self.positions.entry(first.stream.clone()).or_default().pass(event.timestamp);
                for line in event.message.lines() {
                    session.tell(Progress::Log { stream: &first.stream, line });
                }
            }
            first.fill(session, &self.job_name).await?;
        }
        Ok(())
    }

    fn news_of(&self, stream: String) -> News {
        let start = self.positions.get(&stream).copied().unwrap_or_default();
        News { stream, start, skip: start.told, page: VecDeque::new(), next_token: None, has_ended: false }
    }

    /// The names of the streams; none while there is no log group yet.
    async fn streams(&self, session: &Session, instance_count: u64) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut request = json!({
            "logGroupName": GROUP,
            "logStreamNamePrefix": format!("{}/", self.job_name),
            "orderBy": "LogStreamName",
            "limit": instance_count.clamp(1, STREAMS_PER_PAGE),
        });
        loop {
            let answer = session.call(AwsService::CloudWatchLogs, "DescribeLogStreams", &self.job_name, &request).await;
            let page: Streams = match answer {
                Ok(answer) => typed("DescribeLogStreams", &self.job_name, answer)?,
                Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(names),
                Err(error) => return Err(error),
            };
            names.extend(page.log_streams.into_iter().map(|stream| stream.log_stream_name));
            match page.next_token {
                Some(token) if (names.len() as u64) < instance_count => request["nextToken"] = token.into(),
                _ => return Ok(names),
            }
        }
    }
}

impl Position {
    /// An event of this time was told.
    fn pass(&mut self, timestamp: i64) {
        if timestamp == self.timestamp {
            self.told += 1;
        } else {
            *self = Self { timestamp, told: 1 };
        }
    }
}

impl News {
    /// Sees to it that there is an event on the page, unless there are no more.
    async fn fill(&mut self, session: &Session, job_name: &str) -> Result<()> {
        while self.page.is_empty() && !self.has_ended {
            let mut request = json!({
                "logGroupName": GROUP,
                "logStreamName": self.stream,
                "startTime": self.start.timestamp,
                "startFromHead": true,
            });
            if let Some(token) = &self.next_token {
                request["nextToken"] = token.as_str().into();
            }
            let answer = session.call(AwsService::CloudWatchLogs, "GetLogEvents", job_name, &request).await?;
            let page: Events = typed("GetLogEvents", job_name, answer)?;
            self.has_ended = page.events.is_empty() || page.next_forward_token.is_none();
            self.next_token = page.next_forward_token;
            let skipped = self.skip.min(page.events.len());
            self.skip -= skipped;
            self.page = page.events.into_iter().skip(skipped).collect();
        }
        Ok(())
    }
}
