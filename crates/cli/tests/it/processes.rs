//! Several processes of the service on one PostgreSQL, with a further service as the outside S3 that all keep objects in.
//!
//! `cargo xtask test --only backends` starts the server that `WATCHKEEPER_TEST_POSTGRESQL` names.

#![expect(
    clippy::disallowed_methods,
    reason = "processes of the service tell nobody what they do: one has to look again and again"
)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;
use watchkeeper_aws::client::{Client, ClientError};
use watchkeeper_aws::signing::Credentials;
use watchkeeper_aws::xml;
use watchkeeper_service::server::DataDirectory;

use crate::program::{Folder, Ran};
use crate::runner::bench::GROUP;
use crate::running::Running;
use crate::service::{ANALYZER, BUCKET, ROLE};

/// The longest that anything here may take, on a machine that has much to do.
const PATIENCE: Duration = Duration::from_mins(2);
/// The time between two looks, short enough to see two programs of one job that run side by side for a moment.
const LOOK: Duration = Duration::from_millis(10);
const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const SAGEMAKER: &str = "SageMaker";
const ALL: &[&str] = &["api", "scheduler", "runner"];

fn wait<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Waits until something is so.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(LOOK);
    }
}

/// A database of its own on the server, which goes with it.
struct Database {
    server: String,
    name: String,
}

impl Database {
    fn new() -> Self {
        let server = std::env::var("WATCHKEEPER_TEST_POSTGRESQL").expect("WATCHKEEPER_TEST_POSTGRESQL names a server");
        let name = format!("processes_{}", uuid::Uuid::new_v4().simple());
        let database = Self { server, name };
        database.say(&format!("CREATE DATABASE {}", database.name));
        database
    }

    fn say(&self, sql: &str) {
        let statement = sqlx::AssertSqlSafe(sql.to_owned());
        let said = async {
            let mut connection = PgConnection::connect(&self.server).await?;
            sqlx::raw_sql(statement).execute(&mut connection).await?;
            connection.close().await
        };
        wait(said).unwrap();
    }

    /// Its address, at another port where one is named.
    fn url(&self, address: Option<SocketAddr>) -> String {
        let mut url: http::Uri = self.server.parse().unwrap();
        let authority = url.authority().unwrap().as_str();
        let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
        let host = address.map_or_else(|| host.to_owned(), |address| address.to_string());
        let authority = if user.is_empty() { host } else { format!("{user}@{host}") };
        let query = url.query().map_or(String::new(), |query| format!("?{query}"));
        url = format!("{}://{authority}/{}{query}", url.scheme_str().unwrap(), self.name).parse().unwrap();
        url.to_string()
    }

    fn address(&self) -> SocketAddr {
        let url: http::Uri = self.server.parse().unwrap();
        (url.host().unwrap(), url.port_u16().unwrap_or(5432)).to_socket_addrs().unwrap().next().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.say(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A wire that can be cut: connections stay open then, and nothing passes.
struct Wire {
    address: SocketAddr,
    cut: Arc<Cut>,
}

#[derive(Default)]
struct Cut {
    is_cut: Mutex<bool>,
    mended: Condvar,
}

impl Wire {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let cut: Arc<Cut> = Arc::default();
        let of_wire = Arc::clone(&cut);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(target) else { continue };
                for (from, to) in [(near.try_clone(), far.try_clone()), (far.try_clone(), near.try_clone())] {
                    let (from, to, cut) = (from.unwrap(), to.unwrap(), Arc::clone(&of_wire));
                    thread::spawn(move || pass(from, to, &cut));
                }
            }
        });
        Self { address, cut }
    }

    fn cut(&self) {
        *self.cut.is_cut.lock().unwrap() = true;
    }

    fn mend(&self) {
        *self.cut.is_cut.lock().unwrap() = false;
        self.cut.mended.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &Cut) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        drop(cut.mended.wait_while(cut.is_cut.lock().unwrap(), |is_cut| *is_cut).unwrap());
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// What the processes of a test share.
struct Site {
    folder: Folder,
    database: Database,
    /// The service that objects are kept in, and a key to it.
    outside: Running,
    key: Credentials,
}

/// A process of the service.
struct Process<'a> {
    site: &'a Site,
    name: String,
    running: Running,
    client: Client,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "outside"];
        let log = File::create(folder.path("outside.log")).unwrap();
        let outside = Running::start(folder.command(&arguments).stderr(log));
        let key = DataDirectory::of(Some(&folder.path("outside"))).unwrap().credentials().unwrap();
        Self { folder, database: Database::new(), outside, key }
    }

    /// Settings of a process.
    fn settings(&self, roles: &[&str], database_url: &str) -> String {
        let roles: Vec<String> = roles.iter().map(|role| format!("{role:?}")).collect();
        format!(
            "roles = [{}]\n\
             master_key = \"{MASTER_KEY}\"\n\
             runner.parallel_jobs = 2\n\
             capture.flush_seconds = 3600\n\
             database.url = \"{database_url}\"\n\
             objects.endpoint_url = \"http://{}\"\n\
             objects.access_key_id = \"{}\"\n\
             objects.secret_access_key = \"{}\"\n\
             [[images]]\n\
             match = \"*/program\"\n\
             command = [\"sh\", \"-c\"]\n",
            roles.join(", "),
            self.outside.address,
            self.key.access_key_id,
            self.key.secret_access_key,
        )
    }

    fn start(&self, name: &str, roles: &[&str]) -> Process<'_> {
        self.start_with(name, &self.settings(roles, &self.database.url(None)), &[])
    }

    fn start_with(&self, name: &str, settings: &str, variables: &[(&str, &str)]) -> Process<'_> {
        let mut command = self.command(name, settings);
        let log = File::options().create(true).append(true).open(self.folder.path(&format!("{name}.log"))).unwrap();
        let running = Running::start(command.envs(variables.iter().copied()).stderr(log));
        let client = self.client(name, &running.address);
        Process { site: self, name: name.to_owned(), running, client }
    }

    fn command(&self, name: &str, settings: &str) -> std::process::Command {
        let file = format!("{name}.toml");
        self.folder.write(&file, settings);
        self.folder.command(&["serve", "--listen", "127.0.0.1:0", "--data-dir", name, "--config", &file])
    }

    /// What a process says that does not start.
    fn refused(&self, name: &str, settings: &str) -> String {
        let mut command = self.command(name, settings);
        Ran::of(command.stdout(Stdio::null()).output().unwrap()).ended(2).stderr
    }

    fn client(&self, name: &str, address: &str) -> Client {
        let credentials = DataDirectory::of(Some(&self.folder.path(name))).unwrap().credentials().unwrap();
        Client::new(&format!("http://{address}"), credentials, "us-east-1").unwrap()
    }

    fn log(&self, name: &str) -> String {
        self.folder.read(&format!("{name}.log"))
    }
}

impl Process<'_> {
    fn try_call(&self, operation: &str, input: &Value) -> Result<Value, ClientError> {
        wait(self.client.call(SAGEMAKER, operation, input))
    }

    #[track_caller]
    fn call(&self, operation: &str, input: &Value) -> Value {
        let answered = self.try_call(operation, input);
        answered.unwrap_or_else(|error| panic!("{operation} at {}: {error}\n{}", self.name, self.site.log(&self.name)))
    }

    /// Status and text of an answer.
    fn ask(&self, method: Method, path: &str, body: &str, service: &str) -> (u16, String) {
        ask(&self.client, method, path, body, service)
    }

    /// The keys of objects that begin with a text.
    fn keys(&self, prefix: &str) -> Vec<String> {
        let (_, listed) = self.ask(Method::GET, &format!("/{BUCKET}?list-type=2&prefix={prefix}"), "", "s3");
        xml::elements(&listed, "Key").map(str::to_owned).collect()
    }

    fn invoke(&self, endpoint: &str, body: &str) -> (u16, String) {
        let path = format!("/endpoints/{endpoint}/invocations");
        let headers = [("content-type", "text/csv")];
        let answer = wait(self.client.request(Method::POST, &path, &headers, body.to_owned(), "sagemaker")).unwrap();
        (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
    }

    fn endpoint_status(&self, name: &str) -> Option<String> {
        let described = self.try_call("DescribeEndpoint", &json!({ "EndpointName": name })).ok()?;
        Some(described["EndpointStatus"].as_str()?.to_owned())
    }

    fn in_service(&self, name: &str) {
        until("InService", || (self.endpoint_status(name)? == "InService").then_some(()));
    }

    /// A model that answers the same to whatever it is asked, and a configuration of the same name that captures.
    fn constant(&self, name: &str, value: u32) {
        let model = json!({ "value": value }).to_string();
        let container = json!({ "Image": "watchkeeper-constant", "Environment": { "WATCHKEEPER_MODEL": model } });
        self.call("CreateModel", &json!({ "ModelName": name, "PrimaryContainer": container }));
        self.call(
            "CreateEndpointConfig",
            &json!({
                "EndpointConfigName": name,
                "ProductionVariants": [
                    { "VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1 },
                ],
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 100,
                    "DestinationS3Uri": format!("s3://{BUCKET}/captured"),
                    "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
                    "CaptureContentTypeHeader": { "CsvContentTypes": ["text/csv"] },
                },
            }),
        );
    }

    /// A job that runs a script.
    fn start_job(&self, name: &str, script: &str) {
        self.call(
            "CreateProcessingJob",
            &json!({
                "ProcessingJobName": name,
                "RoleArn": ROLE,
                "AppSpecification": { "ImageUri": "registry.example/program", "ContainerArguments": [script] },
                "ProcessingResources": {
                    "ClusterConfig": { "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1 },
                },
                "StoppingCondition": { "MaxRuntimeInSeconds": 600 },
            }),
        );
    }

    fn job(&self, name: &str) -> Value {
        self.call("DescribeProcessingJob", &json!({ "ProcessingJobName": name }))
    }

    fn ended(&self, name: &str) -> Value {
        until("the job's end", || {
            let job = self.job(name);
            (!["InProgress", "Stopping"].contains(&job["ProcessingJobStatus"].as_str()?)).then_some(job)
        })
    }

    /// The lines of a job's log, of all its attempts.
    fn lines(&self, job: &str) -> Vec<String> {
        let logs = |operation: &str, input: Value| wait(self.client.call("Logs_20140328", operation, &input)).unwrap();
        let streams = logs("DescribeLogStreams", json!({ "logGroupName": GROUP, "logStreamNamePrefix": job }));
        let mut lines = Vec::new();
        for stream in streams["logStreams"].as_array().unwrap() {
            let input =
                json!({ "logGroupName": GROUP, "logStreamName": stream["logStreamName"], "startFromHead": true });
            let events = logs("GetLogEvents", input);
            let messages = events["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap());
            lines.extend(messages.map(str::to_owned));
        }
        lines
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.site.folder.run(&[arguments, &["--data-dir", &self.name]].concat())
    }
}

fn ask(client: &Client, method: Method, path: &str, body: &str, service: &str) -> (u16, String) {
    let answer = wait(client.request(method, path, &[], body.to_owned(), service)).unwrap();
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
}

/// How many processes of this machine have a word among their arguments.
fn running_with(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

/// A word that no other test runs a program with: a number of seconds that is enough for any of them.
fn long_sleep() -> String {
    format!("600.{}", uuid::Uuid::new_v4().as_u128() % 1_000_000_007)
}

/// Definition of a schedule that watches `churn` for a baseline of numbers.
fn monitoring() -> Value {
    json!({
        "ScheduleConfig": { "ScheduleExpression": "cron(0 0 ? * * *)" },
        "MonitoringJobDefinition": {
            "BaselineConfig": {
                "ConstraintsResource": { "S3Uri": format!("s3://{BUCKET}/baseline/constraints.json") },
                "StatisticsResource": { "S3Uri": format!("s3://{BUCKET}/baseline/statistics.json") },
            },
            "MonitoringInputs": [
                { "EndpointInput": { "EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint" } },
            ],
            "MonitoringOutputConfig": { "MonitoringOutputs": [{ "S3Output": {
                "S3Uri": format!("s3://{BUCKET}/reports"), "LocalPath": "/opt/ml/processing/output",
            } }] },
            "MonitoringResources": {
                "ClusterConfig": { "InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20 },
            },
            "MonitoringAppSpecification": { "ImageUri": ANALYZER },
            "RoleArn": ROLE,
        },
    })
}

/// Each role in a process of its own. An execution sees what another process captured a moment ago, and jobs find the process
/// that answers.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_each_role_alone() {
    let site = Site::new();
    let api = site.start("api", &["api"]);
    let scheduler = site.start("scheduler", &["scheduler"]);
    let runner = site.start("runner", &["runner"]);

    // Who has not the role says so.
    let (status, text) = runner.ask(Method::POST, "/", "{}", "sagemaker");
    assert_eq!((status, text.contains("`api`")), (404, true), "{text}");

    let script = "echo url=$AWS_ENDPOINT_URL; echo id=$AWS_ACCESS_KEY_ID; echo secret=$AWS_SECRET_ACCESS_KEY; \
                  echo token=$AWS_SESSION_TOKEN";
    api.start_job("variables", script);
    assert_eq!(api.ended("variables")["ProcessingJobStatus"], "Completed");
    let lines = api.lines("variables");
    let value = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name} in {lines:?}")).to_owned()
    };
    assert_eq!(value("url"), format!("http://{}", api.running.address));
    let credentials = Credentials {
        access_key_id: value("id"),
        secret_access_key: value("secret"),
        session_token: Some(value("token")),
    };
    let job = Client::new(&value("url"), credentials, "us-east-1").unwrap();
    let described = wait(job.call(SAGEMAKER, "DescribeProcessingJob", &json!({ "ProcessingJobName": "variables" })));
    assert_eq!(described.unwrap()["ProcessingJobName"], "variables");

    let rows: Vec<String> = (0..40).map(|row| format!("1,{}", f64::from(row) + 0.5)).collect();
    site.folder.write("baseline.csv", format!("answer,request\n{}\n", rows.join("\n")));
    site.folder.run(&["baseline", "baseline.csv", "--output", "made"]).ended(0);
    for name in ["statistics.json", "constraints.json"] {
        let content = site.folder.read(&format!("made/{name}"));
        let (status, text) = api.ask(Method::PUT, &format!("/{BUCKET}/baseline/{name}"), &content, "s3");
        assert_eq!(status, 200, "{text}");
    }
    api.constant("churn", 1);
    api.call("CreateEndpoint", &json!({ "EndpointName": "churn", "EndpointConfigName": "churn" }));
    api.in_service("churn");
    let schedule = json!({ "MonitoringScheduleName": "hourly", "MonitoringScheduleConfig": monitoring() });
    api.call("CreateMonitoringSchedule", &schedule);
    // Captures are stored once an hour, unless somebody waits for them.
    for number in 0..40 {
        assert_eq!(api.invoke("churn", &format!("{}", f64::from(number) + 0.5)), (200, "1".to_owned()));
    }
    let ran = scheduler.run(&["run", "hourly", "--format", "json"]).ended(0);
    let ran: Value = serde_json::from_str(&ran.stdout).unwrap();
    let reports = api.keys("reports/");
    let document = |name: &str| {
        let key = reports.iter().find(|key| key.ends_with(name))?;
        Some(api.ask(Method::GET, &format!("/{BUCKET}/{key}"), "", "s3").1)
    };
    assert_eq!(ran["execution"]["status"], "Completed", "{:?}", document("constraint_violations.json"));
    let statistics = document("statistics.json").unwrap();
    let statistics: Value = serde_json::from_str(&statistics).unwrap();
    assert_eq!(statistics["dataset"]["item_count"], 40);

    let status = scheduler.run(&["status", "--format", "json"]).ended(0);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    let processes: Vec<&Value> = status["processes"].as_array().unwrap().iter().map(|one| &one["roles"][0]).collect();
    assert_eq!(processes, ["api", "scheduler", "runner"]);
    for process in [runner, scheduler] {
        process.running.end();
    }
    let status = api.run(&["status"]).ended(0).stdout;
    assert_eq!(status.lines().filter(|line| line.starts_with("process: http://127.0.0.1:")).count(), 1, "{status}");
    api.running.end();
}

/// What one process is told of an endpoint the other does, too.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_endpoints_of_two_processes() {
    let site = Site::new();
    let (one, other) = (site.start("one", &["api"]), site.start("other", &["api"]));
    let answers = |process: &Process<'_>, answer: &str| {
        until(&format!("{answer} of {}", process.name), || {
            let (status, text) = process.invoke("churn", "1");
            (if status == 200 { text == answer } else { status.to_string() == answer }).then_some(())
        });
    };
    for (name, value) in [("first", 1), ("second", 2)] {
        one.constant(name, value);
    }
    one.call("CreateEndpoint", &json!({ "EndpointName": "churn", "EndpointConfigName": "first" }));
    other.in_service("churn");
    answers(&one, "1");
    answers(&other, "1");

    other.call("UpdateEndpoint", &json!({ "EndpointName": "churn", "EndpointConfigName": "second" }));
    one.in_service("churn");
    answers(&other, "2");
    answers(&one, "2");

    // What either has captured is there once the deletion is answered.
    one.call("DeleteEndpoint", &json!({ "EndpointName": "churn" }));
    let keys = one.keys("captured/churn/");
    let captured: usize =
        keys.iter().map(|key| one.ask(Method::GET, &format!("/{BUCKET}/{key}"), "", "s3").1.lines().count()).sum();
    assert!(captured >= 4, "{captured} records in {keys:?}");
    until("the end of the endpoint", || one.endpoint_status("churn").is_none().then_some(()));
    answers(&one, "400");
    answers(&other, "400");

    // Another endpoint of the same name is not the one that was.
    other.call("CreateEndpoint", &json!({ "EndpointName": "churn", "EndpointConfigName": "first" }));
    one.in_service("churn");
    answers(&one, "1");
    answers(&other, "1");

    // A process that comes later knows it, and one that was away when it changed.
    let Process { running, .. } = other;
    running.end();
    one.call("UpdateEndpoint", &json!({ "EndpointName": "churn", "EndpointConfigName": "second" }));
    one.in_service("churn");
    let other = site.start("other", &["api"]);
    answers(&other, "2");

    // Many ask both for the same model elsewhere at the same time: it is registered once.
    let registered: Mutex<Vec<u16>> = Mutex::default();
    thread::scope(|scope| {
        for process in [&one, &other, &one, &other] {
            let (client, registered) = (process.client.clone(), &registered);
            scope.spawn(move || {
                let (status, text) = ask(&client, Method::PUT, "/_watchkeeper/endpoints/elsewhere", "{}", "sagemaker");
                assert!(status < 300, "{status} {text}");
                registered.lock().unwrap().push(status);
            });
        }
    });
    let mut registered = registered.into_inner().unwrap();
    registered.sort_unstable();
    assert_eq!(registered, [200, 200, 200, 201]);
}

/// Keys that are made, switched off or deleted at one process are so at the other; there is one first key, and it stays.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_access_keys_of_two_processes() {
    let site = Site::new();
    let mut processes: Vec<Process<'_>> = thread::scope(|scope| {
        let started: Vec<_> = ["one", "other"].map(|name| scope.spawn(|| site.start(name, &["api"]))).into();
        started.into_iter().map(|started| started.join().unwrap()).collect()
    });
    let key_of = |name: &str| DataDirectory::of(Some(&site.folder.path(name))).unwrap().credentials().unwrap();
    assert_eq!(key_of("one").access_key_id, key_of("other").access_key_id, "both made the first key");
    let other = processes.pop().unwrap();
    let one = processes.pop().unwrap();

    let (status, made) = one.ask(Method::POST, "/_watchkeeper/keys", "{}", "sagemaker");
    assert_eq!(status, 200, "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let credentials = Credentials {
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
        session_token: None,
    };
    let of = |process: &Process<'_>, credentials: &Credentials| {
        Client::new(&format!("http://{}", process.running.address), credentials.clone(), "us-east-1").unwrap()
    };
    let passes = |client: &Client| wait(client.call(SAGEMAKER, "ListModels", &json!({}))).is_ok();
    let at_other = of(&other, &credentials);
    until("the key at the other process", || passes(&at_other).then_some(()));

    // A temporary key of one process holds at the other.
    let form = "Action=GetSessionToken&Version=2011-06-15";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = wait(at_other.request(Method::POST, "/", &headers, form, "sts")).unwrap();
    let answer = String::from_utf8(answer.body().to_vec()).unwrap();
    let part = |name: &str| xml::text(&answer, name).unwrap().into_owned();
    let temporary = Credentials {
        access_key_id: part("AccessKeyId"),
        secret_access_key: part("SecretAccessKey"),
        session_token: Some(part("SessionToken")),
    };
    let session = of(&one, &temporary);
    assert!(passes(&session));

    let path = format!("/_watchkeeper/keys/{}/disable", credentials.access_key_id);
    assert_eq!(one.ask(Method::POST, &path, "", "sagemaker").0, 200);
    until("the end of the key at the other process", || (!passes(&at_other)).then_some(()));
    assert!(!passes(&session), "a temporary key outlives the one it comes from");

    // Of the last two keys both cannot go, even if each process is asked to delete one at the same moment.
    let path = format!("/_watchkeeper/keys/{}/enable", credentials.access_key_id);
    assert_eq!(one.ask(Method::POST, &path, "", "sagemaker").0, 200);
    until("the key at the other process", || passes(&at_other).then_some(()));
    let first = key_of("one").access_key_id;
    let statuses = thread::scope(|scope| {
        let asked = [(&one.client, &first), (&at_other, &credentials.access_key_id)].map(|(client, key)| {
            scope.spawn(move || ask(client, Method::DELETE, &format!("/_watchkeeper/keys/{key}"), "", "sagemaker").0)
        });
        asked.map(|asked| asked.join().unwrap())
    });
    let gone = statuses.iter().filter(|status| **status == 204).count();
    assert_eq!(gone, 1, "{statuses:?}");
    // Each process' file names the key that is left.
    until("the file of the key that is left", || {
        let left = [key_of("one"), key_of("other")].map(|key| key.access_key_id);
        (left[0] == left[1] && passes(&of(&one, &key_of("other")))).then_some(())
    });
}

/// The jobs of a process that is killed are run by another one, and nothing of them is left.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_a_process_is_killed() {
    let site = Site::new();
    let stays = site.start("stays", &["api", "scheduler"]);
    let mut dies = Some(site.start("dies", ALL));
    let seconds = long_sleep();
    stays.start_job("long", &format!("sleep {seconds}"));
    until("the program", || (running_with(&seconds) > 0).then_some(()));
    let runner = site.start("runner", &["runner"]);
    dies.take().unwrap().running.send(Signal::SIGKILL);
    until("the end of its program", || (running_with(&seconds) == 0).then_some(()));
    until("the program at the other process", || (running_with(&seconds) > 0).then_some(()));
    stays.call("StopProcessingJob", &json!({ "ProcessingJobName": "long" }));
    assert_eq!(stays.ended("long")["ProcessingJobStatus"], "Stopped");
    assert_eq!(running_with(&seconds), 0);
    let attempts = stays.lines("long").into_iter().filter(|line| line.contains("attempt")).count();
    assert_eq!(attempts, 2);
    assert!(site.folder.names("runner/jobs").is_empty());
    drop(runner);
}

/// A process that is cut off from the database ends its jobs before another one takes them up, and comes back by itself.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_a_process_is_cut_off() {
    let site = Site::new();
    let api = site.start("api", &["api"]);
    let wire = Wire::to(site.database.address());
    let settings = site.settings(&["runner"], &site.database.url(Some(wire.address)));
    let cut_off = site.start_with("cut-off", &settings, &[]);
    let seconds = long_sleep();
    // What it says last would be seen if two ran to their end.
    api.start_job("long", &format!("sleep {seconds}"));
    until("the program", || (running_with(&seconds) > 0).then_some(()));
    let at_once = running_with(&seconds);
    let other = site.start("other", &["runner"]);
    wire.cut();
    let began = Instant::now();
    let mut has_ended = false;
    until("the end of the program, and the one of the other process", || {
        let running = running_with(&seconds);
        assert!(running <= at_once, "{running} programs of one job after {:?}", began.elapsed());
        assert!(began.elapsed() < PATIENCE, "{}", site.log("cut-off"));
        has_ended |= running == 0;
        (has_ended && running > 0).then_some(())
    });
    assert!(site.folder.names("cut-off/jobs").is_empty(), "the folder of a job that is another's");
    assert!(site.log("cut-off").contains("the store was away for too long"));
    api.call("StopProcessingJob", &json!({ "ProcessingJobName": "long" }));
    assert_eq!(api.ended("long")["ProcessingJobStatus"], "Stopped");

    // Alone again, it runs what comes.
    other.running.end();
    wire.mend();
    api.start_job("short", "echo done");
    assert_eq!(api.ended("short")["ProcessingJobStatus"], "Completed", "{}", site.log("cut-off"));
    assert!(api.lines("short").contains(&"done".to_owned()));
    drop(cut_off);
}

/// A process with a wrong clock (by less than an S3 service refuses requests for) goes by that of the database: it takes nobody's jobs away, and ticks come when they are due.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_clocks_differ() {
    let library =
        ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];
    let library = library.into_iter().find(|path| std::path::Path::new(path).try_exists().unwrap());
    let library = library.expect("the package faketime is installed");
    let site = Site::new();
    let right = site.start("right", ALL);
    let seconds = long_sleep();
    right.start_job("long", &format!("sleep {seconds}"));
    until("the program", || (running_with(&seconds) > 0).then_some(()));
    let at_once = running_with(&seconds);
    let variables = [("LD_PRELOAD", library), ("FAKETIME", "+10m"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let settings = site.settings(&["scheduler", "runner"], &site.database.url(None));
    let wrong = site.start_with("wrong", &settings, &variables);
    assert!(site.log("wrong").contains("this machine's clock differs"), "{}", site.log("wrong"));
    // By its own clock every claim would have run out; this is for longer than one lasts.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        assert_eq!(running_with(&seconds), at_once, "after {:?}", began.elapsed());
        thread::sleep(LOOK);
    }
    right.call("StopProcessingJob", &json!({ "ProcessingJobName": "long" }));
    assert_eq!(right.ended("long")["ProcessingJobStatus"], "Stopped");
    let attempts = right.lines("long").into_iter().filter(|line| line.contains("attempt")).count();
    assert_eq!(attempts, 1);
    drop(wrong);
}

/// What would divide the state between processes is refused at the start.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
fn postgresql_processes_that_do_not_fit() {
    let site = Site::new();
    let settings = site.settings(ALL, &site.database.url(None));
    let embedded: Vec<&str> = settings.lines().filter(|line| !line.starts_with("objects.")).collect();
    let embedded = embedded.join("\n");
    let first = site.start_with("first", &embedded, &[]);
    assert!(site.refused("second", &embedded).contains("in the data directory of another process"));
    first.running.end();
    // Not because it runs: it has the objects.
    assert!(site.refused("second", &embedded).contains("in the data directory of another process"));
    site.start_with("first", &embedded, &[]).running.end();
    // They may move out, and not back unnoticed.
    site.start_with("second", &settings, &[]).running.end();
    assert!(site.refused("first", &embedded).contains("`objects.endpoint_url`"));
    let other_key = settings.replace(MASTER_KEY, &MASTER_KEY.replace('0', "f"));
    let refused = site.refused("third", &other_key);
    assert!(refused.contains("master key"), "{refused}");
}
