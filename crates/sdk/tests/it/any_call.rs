//! A call as good as any other, for what is true of all of them.

use serde_json::{Value, json};
use watchkeeper::session::AwsService;
use watchkeeper::{Error, Session};

pub async fn describe(session: &Session) -> Result<Value, Error> {
    let input = json!({"ProcessingJobName": "nightly"});
    session.call(AwsService::SageMaker, "DescribeProcessingJob", "nightly", &input).await
}

/// As many calls as this side by side, which all succeed.
pub async fn describe_at_once(session: &Session, number: usize) {
    let calls: Vec<_> = (0..number)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { describe(&session).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}
