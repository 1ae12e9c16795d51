//! Jobs: of baselines, of executions, and others.

use watchkeeper::Result;
use watchkeeper::model_monitor::{
    BaseliningJob, ClarifyBaseliningJob, ClarifyMonitoringExecution, MonitoringExecution,
};
use watchkeeper::processing::ProcessingJob;

use super::{Current, Played};
use crate::requests::values::{Arguments, Values, flag, set, text};

pub async fn made(class: &str, function: &str, arguments: &Arguments, values: &Values) -> Result<Current> {
    let session = &values.session;
    Ok(match (class, function) {
        ("MonitoringExecution", "from_processing_arn") => Current::MonitoringExecution(
            MonitoringExecution::from_processing_arn(session, text(&arguments["processing_job_arn"])).await?,
        ),
        ("ProcessingJob", "from_processing_arn") => Current::ProcessingJob(
            ProcessingJob::from_processing_arn(session, text(&arguments["processing_job_arn"])).await?,
        ),
        ("ProcessingJob", "from_processing_name") => Current::ProcessingJob(
            ProcessingJob::from_processing_name(session, text(&arguments["processing_job_name"])).await?,
        ),
        _ => panic!("no function {function} of {class}"),
    })
}

pub async fn of_job(job: &ProcessingJob, name: &str, arguments: &Arguments) -> Played {
    match name {
        "describe" => job.describe().await.map(drop),
        "stop" => job.stop().await,
        "wait" => {
            let mut request = job.wait();
            set!(request, arguments, value => { logs: flag(value), });
            request.await
        }
        other => panic!("no method {other}"),
    }
}

pub async fn of_baselining_job(job: &BaseliningJob, name: &str, arguments: &Arguments) -> Played {
    match name {
        "baseline_statistics" => {
            let mut request = job.baseline_statistics();
            set!(request, arguments, value => { file_name: text(value), kms_key: text(value), });
            request.await.map(drop)
        }
        "suggested_constraints" => {
            let mut request = job.suggested_constraints();
            set!(request, arguments, value => { file_name: text(value), kms_key: text(value), });
            request.await.map(drop)
        }
        other => of_job(job, other, arguments).await,
    }
}

pub async fn of_clarify_baselining_job(job: &ClarifyBaseliningJob, name: &str, arguments: &Arguments) -> Played {
    if name != "suggested_constraints" {
        return of_job(job, name, arguments).await;
    }
    let mut request = job.suggested_constraints();
    set!(request, arguments, value => { kms_key: text(value), });
    request.await.map(drop)
}

pub async fn of_execution(execution: &MonitoringExecution, name: &str, arguments: &Arguments) -> Played {
    match name {
        "statistics" => {
            let mut request = execution.statistics();
            set!(request, arguments, value => { file_name: text(value), kms_key: text(value), });
            request.await.map(drop)
        }
        "constraint_violations" => {
            let mut request = execution.constraint_violations();
            set!(request, arguments, value => { file_name: text(value), kms_key: text(value), });
            request.await.map(drop)
        }
        other => of_job(execution, other, arguments).await,
    }
}

pub async fn of_clarify_execution(execution: &ClarifyMonitoringExecution, name: &str, arguments: &Arguments) -> Played {
    if name != "constraint_violations" {
        return of_job(execution, name, arguments).await;
    }
    let mut request = execution.constraint_violations();
    set!(request, arguments, value => { file_name: text(value), kms_key: text(value), });
    request.await.map(drop)
}
