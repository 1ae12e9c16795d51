//! A whole service with a bucket in it, a model server that a test scripts, and jobs that are waited for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use watchkeeper_aws::generated::sagemaker::dispatch;
use watchkeeper_aws::{Call, Error};
use watchkeeper_service::api::sagemaker::SageMakerApi;
use watchkeeper_service::configuration::Image;
use watchkeeper_service::context::{Clock, MachineClock};
use watchkeeper_service::control::transform_job::TransformJob;
use watchkeeper_service::resources::Transaction;
use watchkeeper_service::{Configuration, Context, Service};
use watchkeeper_store::logs::{EventsQuery, StreamsQuery};
use watchkeeper_store::objects::{ListObjects, ObjectAttributes, ObjectInfo, Precondition, body, read_all};

pub(super) const BUCKET: &str = "jobs";
const REGION: &str = "eu-west-1";
const ECHO: &str = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/watchkeeper-echo:latest";

/// A request as the model server got it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) content_type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) body: String,
}

/// What the model server answers: status, content type, body.
pub(super) type Answer = (u16, &'static str, String);

/// A model server whose answers a test writes.
#[derive(Clone)]
pub(super) struct Model {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Requests under way, and the most that were.
    at_once: Arc<Mutex<(usize, usize)>>,
}

impl Model {
    /// One that answers by a function of the request's text and of the number of requests before.
    pub(super) async fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_slow(move |text, number| (answer(text, number), Duration::ZERO)).await
    }

    /// One whose answers take a while.
    pub(super) async fn start_slow(answer: impl Fn(&str, usize) -> (Answer, Duration) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let model = Self { address: listener.local_addr().unwrap(), asked: Arc::default(), at_once: Arc::default() };
        let (asked, at_once, answer) = (Arc::clone(&model.asked), Arc::clone(&model.at_once), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, at_once, answer) = (Arc::clone(&asked), Arc::clone(&at_once), Arc::clone(&answer));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (asked, at_once, answer) = (Arc::clone(&asked), Arc::clone(&at_once), Arc::clone(&answer));
                    async move {
                        if request.uri().path() == "/ping" {
                            return Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::new())));
                        }
                        let header =
                            |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                        let (content_type, accept) = (header("content-type"), header("accept"));
                        let body = request.into_body().collect().await?.to_bytes();
                        let body = String::from_utf8_lossy(&body).into_owned();
                        let number = {
                            let mut asked = asked.lock().unwrap();
                            asked.push(Asked { content_type, accept, body: body.clone() });
                            asked.len() - 1
                        };
                        let ((status, content_type, text), pause) = answer(&body, number);
                        {
                            let (now, most) = &mut *at_once.lock().unwrap();
                            *now += 1;
                            *most = *now.max(most);
                        }
                        tokio::time::sleep(pause).await;
                        at_once.lock().unwrap().0 -= 1;
                        let answer = Response::builder().status(status).header("content-type", content_type);
                        Ok(answer.body(Full::new(Bytes::from(text))).unwrap())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        model
    }

    /// One that answers `/ping`, and nothing else: it hangs up.
    pub(super) async fn cutting() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut request).await {
                        if !request[..read].starts_with(b"GET /ping") {
                            return;
                        }
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        Self { address, asked: Arc::default(), at_once: Arc::default() }
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The most requests that were under way at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.at_once.lock().unwrap().1
    }

    /// The bodies of all requests so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.body).collect()
    }
}

pub(super) struct World {
    /// None while it restarts.
    service: Option<Service>,
    configuration: Configuration,
    _folder: tempfile::TempDir,
}

impl World {
    /// With the model `echo`, which is built in.
    pub(super) async fn start() -> Self {
        Self::with(None, Arc::new(MachineClock)).await
    }

    /// With the model `scripted` as well.
    pub(super) async fn asking(model: &Model) -> Self {
        Self::with(Some(model), Arc::new(MachineClock)).await
    }

    /// With another clock.
    pub(super) async fn at(clock: Arc<dyn Clock>) -> Self {
        Self::with(None, clock).await
    }

    async fn with(model: Option<&Model>, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let images = model.map(|model| Image {
            pattern: "*scripted*".to_owned(),
            url: Some(format!("http://{}", model.address)),
            ..Image::default()
        });
        let configuration = Configuration {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: folder.path().to_owned(),
            region: REGION.to_owned(),
            images: images.into_iter().collect(),
            ..Configuration::default()
        };
        let service = Service::start_at(configuration.clone(), clock).await.unwrap();
        let world = Self { service: Some(service), configuration, _folder: folder };
        world.context().objects.create_bucket(BUCKET, REGION, world.context().now()).await.unwrap();
        world.model("echo", ECHO).await;
        world.model("scripted", "scripted").await;
        world
    }

    /// The service ends in order.
    pub(super) async fn shut_down(&mut self) {
        self.service.take().unwrap().shutdown().await;
    }

    /// The service starts again on what is kept.
    pub(super) async fn start_again(&mut self) {
        self.service = Some(Service::start(self.configuration.clone()).await.unwrap());
    }

    /// A job that has ended as a service leaves it that died in so many attempts, and a service that finds it.
    pub(super) async fn as_if_left(&mut self, name: &str, attempts: u32) {
        let found = self.context().resources.get::<TransformJob>(name).await.unwrap().unwrap();
        let mut job: Value = serde_json::to_value(&found.resource).unwrap();
        (job["status"], job["ended"], job["attempts"]) = (json!("InProgress"), Value::Null, json!(attempts));
        let job: TransformJob = serde_json::from_value(job).unwrap();
        self.context().resources.commit(Transaction::new().update(&job, found.version)).await.unwrap();
        self.shut_down().await;
        self.start_again().await;
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        self.service.as_ref().unwrap().context()
    }

    pub(super) async fn model(&self, name: &str, image: &str) {
        let request = json!({
            "ModelName": name, "PrimaryContainer": {"Image": image}, "ExecutionRoleArn": "arn:aws:iam::000000000000:role/r",
        });
        self.call("CreateModel", request).await.unwrap();
    }

    /// What a client gets.
    pub(super) async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let context = self.context();
        let call = Call {
            region: REGION.to_owned(),
            account: context.configuration.account.clone(),
            access_key_id: "AKIAEXAMPLE".to_owned(),
            request_id: "request".to_owned(),
            now: context.now(),
        };
        let answer = dispatch(&SageMakerApi(Arc::clone(context)), &call, operation, input).await?;
        Ok(answer.unwrap_or(Value::Null))
    }

    pub(super) async fn put(&self, key: &str, content: impl Into<Bytes>) {
        let objects = &self.context().objects;
        objects.put(BUCKET, key, ObjectAttributes::default(), body(content), Precondition::None).await.unwrap();
    }

    /// An object's content; None where there is none.
    pub(super) async fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        let found = self.context().objects.get(BUCKET, key, None).await.unwrap();
        match found {
            Some((_, body)) => Some(read_all(body).await.unwrap()),
            None => None,
        }
    }

    pub(super) async fn text(&self, key: &str) -> Option<String> {
        self.bytes(key).await.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub(super) async fn list(&self, prefix: &str) -> Vec<ObjectInfo> {
        let list =
            ListObjects { bucket: BUCKET.to_owned(), prefix: prefix.to_owned(), limit: 1000, ..ListObjects::default() };
        self.context().objects.list(&list).await.unwrap().objects
    }

    pub(super) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.list(prefix).await.into_iter().map(|object| object.key).collect()
    }

    /// Starts a job.
    pub(super) async fn create(&self, job: &Job) -> String {
        self.call("CreateTransformJob", job.0.clone()).await.unwrap();
        job.name()
    }

    pub(super) async fn describe(&self, name: &str) -> Value {
        self.call("DescribeTransformJob", json!({ "TransformJobName": name })).await.unwrap()
    }

    /// The description of a job once it has ended.
    pub(super) async fn ended(&self, name: &str) -> Value {
        self.until(name, |job| !matches!(job["TransformJobStatus"].as_str(), Some("InProgress" | "Stopping"))).await
    }

    /// The description of a job once it is so.
    pub(super) async fn until(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let described = self.describe(name).await;
                if is_so(&described) {
                    return described;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), wait).await.expect("the job gets there in time")
    }

    /// Runs a job that has to succeed.
    pub(super) async fn complete(&self, job: &Job) -> Value {
        let name = self.create(job).await;
        let described = self.ended(&name).await;
        assert_eq!(described["TransformJobStatus"], "Completed", "{described:#}");
        described
    }

    /// Runs a job that has to fail, and gives its reason.
    pub(super) async fn fail(&self, job: &Job) -> String {
        let name = self.create(job).await;
        let described = self.ended(&name).await;
        assert_eq!(described["TransformJobStatus"], "Failed", "{described:#}");
        described["FailureReason"].as_str().unwrap().to_owned()
    }

    /// Names and lines of a job's log streams.
    pub(super) async fn log(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let (logs, group) = (&self.context().logs, "/aws/sagemaker/TransformJobs");
        let query = StreamsQuery { group: group.to_owned(), prefix: format!("{name}/"), ..StreamsQuery::default() };
        let mut found = Vec::new();
        for stream in logs.streams(&query).await.unwrap() {
            let query = EventsQuery { from_head: true, ..EventsQuery::default() };
            let page = logs.events(group, &stream.name, &query).await.unwrap();
            found.push((stream.name, page.events.into_iter().map(|event| event.message).collect()));
        }
        found
    }
}

/// A request for a job: of one object or prefix of the bucket, to `out`.
#[derive(Clone)]
pub(super) struct Job(pub(super) Value);

impl Job {
    /// A job over CSV lines.
    pub(super) fn csv(name: &str, model: &str, key: &str) -> Self {
        Self::new(name, model, key)
            .with("/TransformInput/ContentType", json!("text/csv"))
            .with("/TransformInput/SplitType", json!("Line"))
            .with("/TransformOutput/Accept", json!("text/csv"))
            .with("/TransformOutput/AssembleWith", json!("Line"))
    }

    /// A job over JSON lines.
    pub(super) fn json_lines(name: &str, model: &str, key: &str) -> Self {
        Self::csv(name, model, key)
            .with("/TransformInput/ContentType", json!("application/jsonlines"))
            .with("/TransformOutput/Accept", json!("application/jsonlines"))
    }

    /// A job with nothing but what a request has to have.
    pub(super) fn new(name: &str, model: &str, key: &str) -> Self {
        Self(json!({
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": format!("s3://{BUCKET}/{key}")}},
            },
            "TransformOutput": {"S3OutputPath": format!("s3://{BUCKET}/out")},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }))
    }

    /// The request with another member; its object is made where there is none.
    pub(super) fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.0;
        for part in pointer[1..].split('/') {
            place = &mut place[part];
        }
        *place = value;
        self
    }

    pub(super) fn processing(self, member: &str, value: &str) -> Self {
        self.with(&format!("/DataProcessing/{member}"), json!(value))
    }

    pub(super) fn name(&self) -> String {
        self.0["TransformJobName"].as_str().unwrap().to_owned()
    }
}
