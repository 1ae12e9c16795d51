//! Jobs of the Clarify image: what is refused, one machine for all, and what is left of endpoints they made.

use std::sync::Arc;

use serde_json::json;
use watchkeeper_aws::Call;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed, Stopped};
use watchkeeper_aws::generated::sagemaker::{EndpointStatus, SageMaker as _};
use watchkeeper_service::api::sagemaker::SageMakerApi;
use watchkeeper_service::control::endpoint::Endpoint;
use watchkeeper_service::control::endpoint_config::EndpointConfig;
use watchkeeper_service::program::launch::{HostContract, Launcher, Running};

use super::bench::{Bench, Job, Machine};
use super::plain::Plain;

/// Starts the script of the variable `SCRIPT` in place of the program.
struct Scripted;

#[async_trait::async_trait]
impl Launcher for Scripted {
    async fn protects_inputs(&self) -> bool {
        false
    }

    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running> {
        assert_eq!(contract.command[1..], ["analyze", "clarify-processing"]);
        let script = format!("ml=$WATCHKEEPER_JOB_ROOT/opt/ml\n{}", contract.environment["SCRIPT"]);
        let command = vec!["sh".to_owned(), "-c".to_owned(), script];
        Plain.launch(&HostContract { command, ..contract.clone() }).await
    }
}

/// A job of the image whose program is a script.
fn clarify(name: &str, script: &str) -> Job {
    Job::shell(name, "")
        .with(
            "/AppSpecification",
            json!({"ImageUri": "131013547314.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-clarify-processing:1.0"}),
        )
        .with("/Environment", json!({ "SCRIPT": script }))
}

async fn bench() -> Bench {
    Bench::running(Machine::of(Scripted)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entrypoint_is_refused() {
    let bench = bench().await;
    for (name, member) in [("entry", "ContainerEntrypoint"), ("arguments", "ContainerArguments")] {
        let job = clarify(name, "exit 0").with(&format!("/AppSpecification/{member}"), json!(["python3"]));
        let job = bench.run(&job).await;
        let reason = job.failure_reason.clone().unwrap_or_default();
        assert!(job.status == Failed && reason.starts_with("ClientError: image `131013547314."), "{job:?}");
        assert!(reason.contains("takes neither ContainerEntrypoint nor ContainerArguments"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_fault_is_called_so() {
    let bench = bench().await;
    let text = "ClientError: Headers must contain label. `y` is not among them";
    let job = clarify("fault", &format!("mkdir -p $ml/output; echo '{text}' > $ml/output/message; exit 1"));
    assert_eq!(bench.run(&job).await.failure_reason.as_deref(), Some(text));
}

/// Sharded inputs come whole, results are written once, and there is a log stream for every instance.
#[tokio::test(flavor = "multi_thread")]
async fn several_instances_are_one_machine() {
    let bench = bench().await;
    bench.put("data/a", b"1\n").await;
    bench.put("data/b", b"2\n").await;
    let script = "cat $ml/processing/in/* >> $ml/processing/out/all; cat $ml/config/resourceconfig.json >> $ml/processing/out/all";
    let job = clarify("many", script)
        .input("in", "s3://bucket/data", json!({"S3DataDistributionType": "ShardedByS3Key"}))
        .output("out", "s3://bucket/out", "EndOfJob")
        .with("/ProcessingResources/ClusterConfig/InstanceCount", json!(3));
    assert_eq!(bench.run(&job).await.status, Completed, "{:?}", bench.log("many", 1).await);
    let all = bench.object("out/all").await.unwrap();
    let config = all.strip_prefix("1\n2\n").unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(config).unwrap()["hosts"], json!(["algo-1"]));
    assert!(bench.log("many", 1).await.concat().contains("InstanceCount is 3"));
    for host in [2, 3] {
        assert!(bench.log("many", host).await[0].contains(&bench.job("many").await.arn), "instance {host}");
    }
}

/// A call of the holder of a key.
fn call(bench: &Bench, access_key_id: &str) -> Call {
    Call {
        region: "eu-west-1".to_owned(),
        account: "000000000000".to_owned(),
        access_key_id: access_key_id.to_owned(),
        request_id: String::new(),
        now: bench.context.now(),
    }
}

/// Makes an endpoint as the holder of a key does.
async fn make_endpoint(bench: &Bench, access_key_id: &str, name: &str) {
    let api = SageMakerApi(Arc::clone(&bench.context));
    let call = call(bench, access_key_id);
    let variant = json!({"VariantName": "AllTraffic", "ModelName": "model", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"});
    let config = json!({"EndpointConfigName": name, "ProductionVariants": [variant]});
    api.create_endpoint_config(&call, serde_json::from_value(config).unwrap()).await.unwrap();
    let endpoint = json!({"EndpointName": name, "EndpointConfigName": name});
    api.create_endpoint(&call, serde_json::from_value(endpoint).unwrap()).await.unwrap();
}

async fn make_model(bench: &Bench) {
    let api = SageMakerApi(Arc::clone(&bench.context));
    let call = call(bench, "AKIACLIENT");
    let model = json!({"ModelName": "model", "PrimaryContainer": {"Image": "x/model:1"}, "ExecutionRoleArn": "arn:aws:iam::000000000000:role/tests"});
    api.create_model(&call, serde_json::from_value(model).unwrap()).await.unwrap();
}

/// Whether an endpoint and its configuration are there to stay, or both are gone.
async fn stays(bench: &Bench, name: &str) -> bool {
    let endpoint = bench.context.resources.get::<Endpoint>(name).await.unwrap().unwrap().resource;
    let config = bench.context.resources.get::<EndpointConfig>(name).await.unwrap();
    let stays = endpoint.status != EndpointStatus::Deleting;
    assert_eq!(stays, config.is_some(), "{endpoint:?} {config:?}");
    stays
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_program_left_goes_with_the_job() {
    let bench = bench().await;
    make_model(&bench).await;
    let tells = "printf %s $AWS_ACCESS_KEY_ID > $ml/processing/out/key";
    // One that does not hear that it is to stop.
    let deaf = clarify("deaf", &format!("trap '' TERM; {tells}; while :; do sleep 1; done")).output(
        "out",
        "s3://bucket/deaf",
        "Continuous",
    );
    let other = clarify("other", &format!("{tells}; sleep 1000")).output("out", "s3://bucket/other", "Continuous");
    for job in [deaf, other] {
        bench.create(&job).await;
    }
    let (deaf, other) = (bench.awaited("deaf/key").await, bench.awaited("other/key").await);
    make_endpoint(&bench, &deaf, "sm-clarify-deaf").await;
    make_endpoint(&bench, &deaf, "a-prefix-of-its-own").await;
    make_endpoint(&bench, &other, "sm-clarify-other").await;
    make_endpoint(&bench, "AKIACLIENT", "sm-clarify-client").await;
    bench.stop_job("deaf").await;
    assert_eq!(bench.ended("deaf").await.status, Stopped);
    for (name, expected) in [
        ("sm-clarify-deaf", false),
        ("a-prefix-of-its-own", false),
        ("sm-clarify-other", true),
        ("sm-clarify-client", true),
    ] {
        assert_eq!(stays(&bench, name).await, expected, "{name}");
    }
    bench.stop_job("other").await;
    bench.ended("other").await;
    assert!(!stays(&bench, "sm-clarify-other").await && stays(&bench, "sm-clarify-client").await);
}

/// To deploy may be what a job of somebody's own program is for.
#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_make_stays() {
    let bench = Bench::running(Machine::of(Plain)).await;
    make_model(&bench).await;
    let job = Job::shell("deploys", "printf %s $AWS_ACCESS_KEY_ID > $ml/processing/out/key; sleep 1000").output(
        "out",
        "s3://bucket/deploys",
        "Continuous",
    );
    bench.create(&job).await;
    make_endpoint(&bench, &bench.awaited("deploys/key").await, "deployed").await;
    bench.stop_job("deploys").await;
    bench.ended("deploys").await;
    assert!(stays(&bench, "deployed").await);
}
