//! What every launcher has to do: one suite, made of real processes.

use std::time::Instant;

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed, InProgress, Stopped};

use super::bench::{Bench, Job, Lifeline, Machine, TIMING};

/// The tests, for a machine. In containers, what a program is told and that there is none are the engine's business, and have
/// other tests.
#[macro_export]
macro_rules! launcher_suite {
    ($machine:expr) => {
        $crate::launcher_suite!($machine, in containers);
        $crate::launcher_suite!($machine => a_program_that_is_not_there, what_a_program_is_told);
    };
    ($machine:expr, in containers) => {
        $crate::launcher_suite!(
            $machine =>
            a_program_that_ends_well,
            a_program_that_fails,
            a_program_that_is_stopped,
            a_program_that_ignores_being_stopped,
            a_program_whose_time_is_over,
            a_program_that_leaves_others_behind,
            a_talkative_program,
            inputs_and_outputs,
            an_output_that_is_uploaded_while_the_program_runs,
            several_instances,
            metrics_of_a_program,
            a_service_that_stops_and_starts_again
        );
    };
    ($machine:expr => $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                $crate::runner::suite::$test($machine).await;
            }
        )+
    };
}

pub(crate) async fn a_program_that_ends_well(machine: Machine) {
    let bench = Bench::running(machine).await;
    let job =
        bench.run(&Job::shell("well", "echo said; echo also >&2; printf 'Completed: fine' > $ml/output/message")).await;
    assert_eq!((job.status, job.exit_message.as_deref()), (Completed, Some("Completed: fine")), "{job:?}");
    assert_eq!((job.attempts, job.failure_reason), (1, None));
    assert!(job.started.is_some() && job.ended >= job.started);
    let log = bench.log("well", 1).await;
    assert!(log[0].contains(&job.arn), "{log:?}");
    assert!(log.ends_with(&["said".to_owned(), "also".to_owned()]), "{log:?}");
    bench.until_swept().await;
}

pub(crate) async fn a_program_that_fails(machine: Machine) {
    let bench = Bench::running(machine).await;
    let job = bench.run(&Job::shell("Failing", "printf 'no column age' > $ml/output/message; exit 7")).await;
    assert_eq!((job.status, job.failure_reason.as_deref()), (Failed, Some("AlgorithmError: no column age")));
    let job = bench.run(&Job::shell("silent", "exit 7")).await;
    assert!(job.failure_reason.as_deref().unwrap().ends_with("exit code: 7"), "{job:?}");
    let job = bench.run(&Job::shell("killed", "kill -SEGV $$")).await;
    assert!(job.failure_reason.as_deref().unwrap().contains("signal 11"), "{job:?}");
    bench.until_swept().await;
}

pub(crate) async fn a_program_that_is_not_there(machine: Machine) {
    let bench = Bench::running(machine).await;
    let entrypoint = json!(["no-such-program", "--x"]);
    let job = bench.run(&Job::shell("nothing", "").with("/AppSpecification/ContainerEntrypoint", entrypoint)).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().contains("no-such-program"), "{job:?}");
}

pub(crate) async fn a_program_that_is_stopped(machine: Machine) {
    let bench = Bench::running(machine).await;
    let mut lifeline = Lifeline::new(bench.folder.path());
    let script = format!("trap 'echo ending; exit 0' TERM; {}; while :; do sleep 0.1; done", lifeline.hold());
    let name = bench.create(&Job::shell("stopped", &script)).await;
    lifeline.until_held().await;
    assert_eq!(bench.job(&name).await.status, InProgress);
    bench.stop_job(&name).await;
    let job = bench.ended(&name).await;
    assert_eq!(job.status, Stopped);
    lifeline.until_released().await;
    assert!(bench.log(&name, 1).await.contains(&"ending".to_owned()));
}

pub(crate) async fn a_program_that_ignores_being_stopped(machine: Machine) {
    let bench = Bench::running(machine).await;
    let mut lifeline = Lifeline::new(bench.folder.path());
    let script = format!("trap '' TERM; {}; while :; do sleep 0.1; done", lifeline.hold());
    let name = bench.create(&Job::shell("ignoring", &script)).await;
    lifeline.until_held().await;
    let since = Instant::now();
    bench.stop_job(&name).await;
    assert_eq!(bench.ended(&name).await.status, Stopped);
    assert!(since.elapsed() >= TIMING.grace, "{:?}", since.elapsed());
    lifeline.until_released().await;
}

pub(crate) async fn a_program_whose_time_is_over(machine: Machine) {
    let bench = Bench::running(machine).await;
    let limit = json!({"MaxRuntimeInSeconds": 1});
    let job = Job::shell("slow", "trap '' TERM; sleep 100").with("/StoppingCondition", limit);
    let job = bench.run(&job).await;
    assert_eq!(job.status, Stopped);
    assert!(job.failure_reason.as_deref().unwrap().contains("MaxRuntimeInSeconds"), "{job:?}");
}

pub(crate) async fn a_program_that_leaves_others_behind(machine: Machine) {
    let bench = Bench::running(machine).await;
    let mut lifeline = Lifeline::new(bench.folder.path());
    let script = format!("{}; sleep 1000 & exit 0", lifeline.hold());
    let name = bench.create(&Job::shell("leaving", &script)).await;
    lifeline.until_held().await;
    assert_eq!(bench.ended(&name).await.status, Completed);
    lifeline.until_released().await;
}

pub(crate) async fn a_talkative_program(machine: Machine) {
    const LINES: usize = 200_000;
    let bench = Bench::running(machine).await;
    let script = format!("import sys\nfor n in range({LINES}):\n  print(n, 'x' * 100)\nsys.stdout.write('last')");
    let job = bench.run(&Job::python("talkative", &script)).await;
    assert_eq!(job.status, Completed, "{job:?}");
    let log = bench.log("talkative", 1).await;
    let said = &log[log.len() - LINES - 1..];
    assert_eq!(said[LINES], "last");
    let numbers = said[..LINES].iter().map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
    assert!(numbers.eq(0..LINES));
}

pub(crate) async fn inputs_and_outputs(machine: Machine) {
    let bench = Bench::running(machine).await;
    let large = "0123456789".repeat(20_000);
    bench.put("data/a.csv", b"1,2\n").await;
    bench.put("data/deep/large.csv", large.as_bytes()).await;
    bench.put("data2/other.csv", b"3\n").await;
    bench.put("list/manifest.json", br#"[{"prefix":"s3://bucket/data"},"/a.csv","2/other.csv"]"#).await;
    let script = "mkdir $ml/processing/out/sub; cd $ml/processing; cat data/a.csv > out/copy.csv
        wc -c < data/deep/large.csv > out/sub/size.txt; find named whole -type f | sort > out/names.txt; ln -s /etc out/link";
    let job = Job::shell("files", script)
        .input("data", "s3://bucket/data/", json!({}))
        .input("whole", "s3://bucket/data", json!({}))
        .input("named", "s3://bucket/list/manifest.json", json!({"S3DataType": "ManifestFile"}))
        .output("out", "s3://bucket/results/", "EndOfJob");
    let job = bench.run(&job).await;
    assert_eq!(job.status, Completed, "{job:?} {:?}", bench.log("files", 1).await);
    assert_eq!(bench.object("results/copy.csv").await.unwrap(), "1,2\n");
    assert_eq!(bench.object("results/sub/size.txt").await.unwrap().trim(), large.len().to_string());
    let names = "named/2/other.csv\nnamed/a.csv\nwhole/a.csv\nwhole/data2/other.csv\nwhole/deep/large.csv\n";
    assert_eq!(bench.object("results/names.txt").await.unwrap(), names);
    let usage = job.usage.unwrap();
    assert_eq!((usage.input_objects, usage.input_bytes), (7, 2 * (4 + large.len() as u64) + 2 + 4 + 2));
    let log = bench.log("files", 1).await;
    assert!(log.contains(&"output `out`: link is no file and was not uploaded".to_owned()), "{log:?}");
}

pub(crate) async fn an_output_that_is_uploaded_while_the_program_runs(machine: Machine) {
    let bench = Bench::running(machine).await;
    let script = "echo first > $ml/processing/out/a.txt; echo x > $ml/processing/late/b.txt
        trap 'echo last > $ml/processing/out/c.txt; exit' TERM; while :; do sleep 0.05; done";
    let job = Job::shell("continuous", script).output("out", "s3://bucket/out", "Continuous").output(
        "late",
        "s3://bucket/late",
        "EndOfJob",
    );
    let name = bench.create(&job).await;
    assert_eq!(bench.awaited("out/a.txt").await, "first\n");
    assert_eq!(bench.job(&name).await.status, InProgress);
    bench.stop_job(&name).await;
    assert_eq!(bench.ended(&name).await.status, Stopped);
    assert_eq!(bench.object("out/c.txt").await.unwrap(), "last\n");
    assert_eq!(bench.object("late/b.txt").await, None);
}

pub(crate) async fn several_instances(machine: Machine) {
    let bench = Bench::running(machine).await;
    for number in 0..7 {
        bench.put(&format!("in/{number}"), b"x").await;
    }
    let program = "import json
resources = json.load(open(ml + '/config/resourceconfig.json'))
host = resources['current_host']
files = sorted(os.listdir(ml + '/processing/in'))
json.dump([files, len(os.listdir(ml + '/processing/all')), resources['hosts']], open(f'{ml}/processing/out/{host}.json', 'w'))
print('I am', host)";
    let job = Job::python("several", program)
        .with("/ProcessingResources/ClusterConfig/InstanceCount", json!(3))
        .input("in", "s3://bucket/in/", json!({"S3DataDistributionType": "ShardedByS3Key"}))
        .input("all", "s3://bucket/in/", json!({}))
        .output("out", "s3://bucket/out", "EndOfJob");
    assert_eq!(bench.run(&job).await.status, Completed, "{:?}", bench.log("several", 1).await);
    let hosts = ["algo-1", "algo-2", "algo-3"];
    for (number, files) in [(1, vec!["0", "3", "6"]), (2, vec!["1", "4"]), (3, vec!["2", "5"])] {
        let said = bench.object(&format!("out/algo-{number}.json")).await.unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap(), json!([files, 7, hosts]));
        assert!(bench.log("several", number).await.contains(&format!("I am algo-{number}")));
    }
    let script =
        "case $(cat $ml/config/resourceconfig.json) in *'\"current_host\":\"algo-2\"'*) exit 3;; esac; sleep 1000";
    let job = Job::shell("one-fails", script).with("/ProcessingResources/ClusterConfig/InstanceCount", json!(2));
    let job = bench.run(&job).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().ends_with("exit code: 3"), "{job:?}");
}

pub(crate) async fn what_a_program_is_told(machine: Machine) {
    let bench = Bench::running(machine).await;
    let program = "import json
wanted = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'PROCESSING_JOB_ARN', 'mine', 'CARGO']
config = json.load(open(ml + '/config/processingjobconfig.json'))
json.dump([[os.environ.get(name) for name in wanted], config], open(ml + '/processing/out/told.json', 'w'))";
    let job = Job::python("told", program)
        .with("/Environment", json!({"mine": "yes", "AWS_REGION": "eu-north-1"}))
        .output("out", "s3://bucket/out", "EndOfJob");
    let request = job.0.clone();
    let job = bench.run(&job).await;
    assert_eq!(job.status, Completed, "{:?}", bench.log("told", 1).await);
    let told: serde_json::Value = serde_json::from_str(&bench.object("out/told.json").await.unwrap()).unwrap();
    let arn = job.arn.as_str();
    // The last is a variable of whoever runs the tests.
    let wanted = json!(["http://127.0.0.1:8470", "eu-north-1", arn, "yes", null]);
    assert_eq!(told[0], wanted);
    assert_eq!(told[1]["ProcessingJobArn"], arn);
    assert_eq!(told[1]["Environment"], request["Environment"]);
    assert_eq!(told[1]["AppSpecification"], request["AppSpecification"]);
}

pub(crate) async fn metrics_of_a_program(machine: Machine) {
    let bench = Bench::running(machine).await;
    let line = r#"{"MetricName":"m","Timestamp":"2026-01-31T23:00:00Z","Value":2.5,"Dimensions":[{"Name":"Endpoint","Value":"e"}]}"#;
    let script = format!("printf '%s\\nnonsense\\n' '{line}' > $ml/output/metrics/cloudwatch/cloudwatch_metrics.jsonl");
    assert_eq!(bench.run(&Job::shell("measuring", &script)).await.status, Completed);
    let namespace = "/aws/sagemaker/Endpoints/data-metrics";
    assert_eq!(bench.metric(namespace, "m", &[("Endpoint", "e")]).await, [2.5]);
    let log = bench.log("measuring", 1).await;
    assert!(log.iter().any(|line| line.starts_with("line 2 of the metrics file was left out: ")), "{log:?}");
}

pub(crate) async fn a_service_that_stops_and_starts_again(machine: Machine) {
    let launcher = machine.launcher.clone();
    let mut bench = Bench::running(machine).await;
    let mut lifeline = Lifeline::new(bench.folder.path());
    bench.put("in/first", b"x").await;
    // The second run finds what the first has not.
    let script = format!("[ -e $ml/processing/in/again ] && exit 0; trap '' TERM; {}; sleep 1000", lifeline.hold());
    let job = Job::shell("interrupted", &script).input("in", "s3://bucket/in/", json!({}));
    let name = bench.create(&job).await;
    lifeline.until_held().await;
    assert_eq!(bench.claimed_by(&name).await, "this runner");
    bench.stop().await;
    lifeline.until_released().await;
    let job = bench.job(&name).await;
    assert_eq!((job.status, job.attempts, job.started), (InProgress, 0, None));
    assert_eq!(bench.claimed_by(&name).await, "");
    assert!(bench.job_folders().is_empty());
    bench.put("in/again", b"x").await;
    bench.start(launcher);
    let job = bench.ended(&name).await;
    assert_eq!((job.status, job.attempts), (Completed, 1));
}
