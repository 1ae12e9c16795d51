//! The five monitors.

use watchkeeper::Result;
use watchkeeper::model_monitor::alerts::{AlertHistorySortKey, SortOrder};
use watchkeeper::model_monitor::{
    DefaultModelMonitor, ModelBiasMonitor, ModelExplainabilityMonitor, ModelMonitor, ModelQualityMonitor,
    MonitoringAlertStatus,
};

use super::{Current, Played, without_arguments};
use crate::requests::values::{
    Arguments, Values, baseline_output, batch_input, bias_analysis, bias_config, but, cron, dataset_format,
    endpoint_input, explainability_analysis, explainability_configs, flag, label_config, model_config, model_scores,
    monitored_input, monitoring_config, monitoring_output, network_config, number, offset, pairs, set, tags, text,
    texts, uri, wait,
};

/// A monitor by its constructor or by `attach`.
pub async fn made(class: &str, function: &str, arguments: &Arguments, values: &Values) -> Result<Current> {
    let session = &values.session;
    macro_rules! monitor {
        ($class:ident) => {
            monitor!($class, [text(&arguments["role"])], ["role"], {})
        };
        ($class:ident, [$($given:expr),*], [$($required:literal),*], { $($setter:ident: $converted:expr,)* }) => {
            Current::$class(if function == "attach" {
                $class::attach(session, text(&arguments["monitor_schedule_name"])).await?
            } else {
                let mut made = $class::new(session, $($given),*);
                for (name, value) in but(arguments, &[$($required),*]) {
                    made = match name.as_str() {
                        "instance_count" => made.instance_count(number(value)),
                        "instance_type" => made.instance_type(text(value)),
                        "volume_size_in_gb" => made.volume_size_in_gb(number(value)),
                        "volume_kms_key" => made.volume_kms_key(text(value)),
                        "output_kms_key" => made.output_kms_key(text(value)),
                        "max_runtime_in_seconds" => made.max_runtime_in_seconds(number(value)),
                        "base_job_name" => made.base_job_name(text(value)),
                        "env" => made.env(pairs(value)),
                        "tags" => made.tags(tags(value)),
                        "network_config" => made.network_config(network_config(value)),
                        $(stringify!($setter) => made.$setter($converted(value)),)*
                        other => panic!("no setter for the parameter {other}"),
                    };
                }
                made
            })
        };
    }
    Ok(match class {
        "ModelMonitor" => monitor!(
            ModelMonitor,
            [text(&arguments["role"]), text(&arguments["image_uri"])],
            ["role", "image_uri"],
            { entrypoint: texts, }
        ),
        "DefaultModelMonitor" => monitor!(DefaultModelMonitor),
        "ModelQualityMonitor" => monitor!(ModelQualityMonitor),
        "ModelBiasMonitor" => monitor!(ModelBiasMonitor),
        _ => monitor!(ModelExplainabilityMonitor),
    })
}

/// Sets what all schedules have, and what is given beside that.
macro_rules! created {
    ($request:ident, $arguments:expr, $values:ident, $value:ident => { $($setter:ident: $converted:expr,)* }) => {
        set!($request, $arguments, $value => {
            constraints: $values.constraints($value).await?,
            monitor_schedule_name: text($value),
            schedule_cron_expression: cron($value),
            data_analysis_start_time: offset($value),
            data_analysis_end_time: offset($value),
            $($setter: $converted,)*
        });
        return $request.await.map(drop);
    };
}

/// Sets what all updates may change, and what is given beside that.
macro_rules! updated {
    ($request:ident, $arguments:expr, $values:ident, $value:ident => { $($setter:ident: $converted:expr,)* }) => {
        set!($request, $arguments, $value => {
            endpoint_input: endpoint_input($value),
            batch_transform_input: batch_input($value),
            constraints: $values.constraints($value).await?,
            schedule_cron_expression: cron($value),
            data_analysis_start_time: offset($value),
            data_analysis_end_time: offset($value),
            role: text($value),
            instance_count: number($value),
            instance_type: text($value),
            volume_size_in_gb: number($value),
            volume_kms_key: text($value),
            output_kms_key: text($value),
            max_runtime_in_seconds: number($value),
            env: pairs($value),
            network_config: network_config($value),
            $($setter: $converted,)*
        });
        return $request.await.map(drop);
    };
}

/// What all monitors have.
macro_rules! shared {
    ($monitor:ident, $name:ident, $arguments:ident) => {
        match $name {
            "get_latest_execution_logs" => {
                let mut request = $monitor.get_latest_execution_logs();
                set!(request, $arguments, value => { wait: flag(value), });
                request.await
            }
            "update_monitoring_alert" => {
                let (points, period) = (&$arguments["data_points_to_alert"], &$arguments["evaluation_period"]);
                let alert = text(&$arguments["monitoring_alert_name"]);
                $monitor.update_monitoring_alert(alert, number(points), number(period)).await
            }
            "list_monitoring_alerts" => {
                let mut request = $monitor.list_monitoring_alerts();
                set!(request, $arguments, value => { next_token: text(value), max_results: number(value), });
                request.await.map(drop)
            }
            "list_monitoring_alert_history" => {
                let mut request = $monitor.list_monitoring_alert_history();
                set!(request, $arguments, value => {
                    monitoring_alert_name: text(value),
                    sort_by: AlertHistorySortKey::from(text(value)),
                    sort_order: SortOrder::from(text(value)),
                    next_token: text(value),
                    max_results: number(value),
                    creation_time_before: text(&value["$datetime"]).parse::<jiff::Timestamp>().unwrap(),
                    creation_time_after: text(&value["$datetime"]).parse::<jiff::Timestamp>().unwrap(),
                    status_equals: MonitoringAlertStatus::from(text(value)),
                });
                request.await.map(drop)
            }
            "latest_monitoring_constraint_violations" => {
                let mut request = $monitor.latest_monitoring_constraint_violations();
                set!(request, $arguments, value => { file_name: text(value), });
                request.await.map(drop)
            }
            _ => {
                without_arguments($arguments);
                match $name {
                    "start_monitoring_schedule" => $monitor.start_monitoring_schedule().await,
                    "stop_monitoring_schedule" => $monitor.stop_monitoring_schedule().await,
                    "delete_monitoring_schedule" => $monitor.delete_monitoring_schedule().await,
                    "describe_schedule" => $monitor.describe_schedule().await.map(drop),
                    "describe_latest_baselining_job" => $monitor.describe_latest_baselining_job().await.map(drop),
                    "list_executions" => $monitor.list_executions().await.map(drop),
                    "suggested_constraints" => $monitor.suggested_constraints().await.map(drop),
                    other => panic!("no method {other}"),
                }
            }
        }
    };
}

/// What monitors of data have beside that.
macro_rules! shared_with_statistics {
    ($monitor:ident, $name:ident, $arguments:ident) => {
        match $name {
            "baseline_statistics" => {
                let mut request = $monitor.baseline_statistics();
                set!(request, $arguments, value => { file_name: text(value), });
                request.await.map(drop)
            }
            "suggested_constraints" => {
                let mut request = $monitor.suggested_constraints();
                set!(request, $arguments, value => { file_name: text(value), });
                request.await.map(drop)
            }
            "latest_monitoring_statistics" => {
                let mut request = $monitor.latest_monitoring_statistics();
                set!(request, $arguments, value => { file_name: text(value), });
                request.await.map(drop)
            }
            _ => shared!($monitor, $name, $arguments),
        }
    };
}

const INPUTS: [&str; 2] = ["endpoint_input", "batch_transform_input"];

pub async fn of_model_monitor(
    monitor: &mut ModelMonitor,
    name: &str,
    arguments: &Arguments,
    values: &Values,
) -> Played {
    match name {
        "run_baseline" => {
            let inputs = values.processing_inputs(&arguments["baseline_inputs"]);
            let mut request = monitor.run_baseline(inputs, baseline_output(&arguments["output"]));
            if let Some(wait) = wait(arguments, (true, true)) {
                request = request.wait(wait);
            }
            set!(request, but(arguments, &["baseline_inputs", "output", "wait", "logs"]), value => {
                arguments: texts(value),
                job_name: text(value),
            });
            request.await.map(drop)
        }
        "create_monitoring_schedule" => {
            let output = monitoring_output(&arguments["output"]);
            let mut request = monitor.create_monitoring_schedule(monitored_input(arguments), output);
            created!(request, but(arguments, &[INPUTS[0], INPUTS[1], "output"]), values, value => {
                statistics: values.statistics(value).await?,
                arguments: texts(value),
            });
        }
        "update_monitoring_schedule" => {
            let mut request = monitor.update_monitoring_schedule();
            updated!(request, arguments, values, value => {
                output: monitoring_output(value),
                statistics: values.statistics(value).await?,
                entrypoint: texts(value),
                arguments: texts(value),
                image_uri: text(value),
            });
        }
        _ => shared_with_statistics!(monitor, name, arguments),
    }
}

pub async fn of_default_model_monitor(
    monitor: &mut DefaultModelMonitor,
    name: &str,
    arguments: &Arguments,
    values: &Values,
) -> Played {
    match name {
        "suggest_baseline" => {
            let dataset = values.source(&arguments["baseline_dataset"]);
            let mut request = monitor.suggest_baseline(dataset, dataset_format(&arguments["dataset_format"]));
            if let Some(wait) = wait(arguments, (true, true)) {
                request = request.wait(wait);
            }
            set!(request, but(arguments, &["baseline_dataset", "dataset_format", "wait", "logs"]), value => {
                record_preprocessor_script: values.source(value),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                job_name: text(value),
                monitoring_config_override: monitoring_config(value),
            });
            request.await.map(drop)
        }
        "create_monitoring_schedule" => {
            let mut request = monitor.create_monitoring_schedule(monitored_input(arguments));
            created!(request, but(arguments, &INPUTS), values, value => {
                record_preprocessor_script: values.source(value),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                statistics: values.statistics(value).await?,
                enable_cloudwatch_metrics: flag(value),
            });
        }
        "update_monitoring_schedule" => {
            let mut request = monitor.update_monitoring_schedule();
            updated!(request, arguments, values, value => {
                record_preprocessor_script: values.source(value),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                statistics: values.statistics(value).await?,
                enable_cloudwatch_metrics: flag(value),
            });
        }
        _ => shared_with_statistics!(monitor, name, arguments),
    }
}

pub async fn of_model_quality_monitor(
    monitor: &mut ModelQualityMonitor,
    name: &str,
    arguments: &Arguments,
    values: &Values,
) -> Played {
    match name {
        "suggest_baseline" => {
            let mut request = monitor.suggest_baseline(
                values.source(&arguments["baseline_dataset"]),
                dataset_format(&arguments["dataset_format"]),
                text(&arguments["problem_type"]).parse().unwrap(),
            );
            if let Some(wait) = wait(arguments, (false, false)) {
                request = request.wait(wait);
            }
            let said = ["baseline_dataset", "dataset_format", "problem_type", "wait", "logs"];
            set!(request, but(arguments, &said), value => {
                inference_attribute: text(value),
                probability_attribute: text(value),
                ground_truth_attribute: text(value),
                probability_threshold_attribute: text(value).parse().unwrap(),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                job_name: text(value),
            });
            request.await.map(drop)
        }
        "create_monitoring_schedule" => {
            let mut request = monitor.create_monitoring_schedule(
                monitored_input(arguments),
                uri(&arguments["ground_truth_input"]),
                text(&arguments["problem_type"]).parse().unwrap(),
            );
            let said = [INPUTS[0], INPUTS[1], "ground_truth_input", "problem_type"];
            created!(request, but(arguments, &said), values, value => {
                record_preprocessor_script: values.source(value),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        "update_monitoring_schedule" => {
            let mut request = monitor.update_monitoring_schedule();
            updated!(request, arguments, values, value => {
                ground_truth_input: uri(value),
                problem_type: text(value).parse().unwrap(),
                record_preprocessor_script: values.source(value),
                post_analytics_processor_script: values.source(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        _ => shared_with_statistics!(monitor, name, arguments),
    }
}

pub async fn of_model_bias_monitor(
    monitor: &mut ModelBiasMonitor,
    name: &str,
    arguments: &Arguments,
    values: &Values,
) -> Played {
    match name {
        "suggest_baseline" => {
            let data = values.data_config(&arguments["data_config"]);
            let bias = bias_config(&arguments["bias_config"]);
            let model = model_config(&arguments["model_config"]);
            let label = arguments.get("model_predicted_label_config").map(label_config);
            let mut request = monitor.suggest_baseline(&data, &bias, &model);
            if let Some(label) = &label {
                request = request.model_predicted_label_config(label);
            }
            if let Some(wait) = wait(arguments, (false, false)) {
                request = request.wait(wait);
            }
            let said = ["data_config", "bias_config", "model_config", "model_predicted_label_config", "wait", "logs"];
            set!(request, but(arguments, &said), value => { job_name: text(value), kms_key: text(value), });
            request.await.map(drop)
        }
        "create_monitoring_schedule" => {
            let truth = uri(&arguments["ground_truth_input"]);
            let mut request = monitor.create_monitoring_schedule(monitored_input(arguments), truth);
            created!(request, but(arguments, &[INPUTS[0], INPUTS[1], "ground_truth_input"]), values, value => {
                analysis_config: bias_analysis(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        "update_monitoring_schedule" => {
            let mut request = monitor.update_monitoring_schedule();
            updated!(request, arguments, values, value => {
                ground_truth_input: uri(value),
                analysis_config: bias_analysis(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        _ => shared!(monitor, name, arguments),
    }
}

pub async fn of_model_explainability_monitor(
    monitor: &mut ModelExplainabilityMonitor,
    name: &str,
    arguments: &Arguments,
    values: &Values,
) -> Played {
    match name {
        "suggest_baseline" => {
            let data = values.data_config(&arguments["data_config"]);
            let model = model_config(&arguments["model_config"]);
            let methods = explainability_configs(&arguments["explainability_config"]);
            let mut request = monitor.suggest_baseline(&data, methods, &model);
            if let Some(wait) = wait(arguments, (false, false)) {
                request = request.wait(wait);
            }
            let said = ["data_config", "explainability_config", "model_config", "wait", "logs"];
            set!(request, but(arguments, &said), value => {
                model_scores: model_scores(value),
                job_name: text(value),
                kms_key: text(value),
            });
            request.await.map(drop)
        }
        "create_monitoring_schedule" => {
            let mut request = monitor.create_monitoring_schedule(monitored_input(arguments));
            created!(request, but(arguments, &INPUTS), values, value => {
                analysis_config: explainability_analysis(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        "update_monitoring_schedule" => {
            let mut request = monitor.update_monitoring_schedule();
            updated!(request, arguments, values, value => {
                analysis_config: explainability_analysis(value),
                output_s3_uri: uri(value),
                enable_cloudwatch_metrics: flag(value),
            });
        }
        _ => shared!(monitor, name, arguments),
    }
}
