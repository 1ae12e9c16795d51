//! When schedules run.

use watchkeeper_aws::types::{Extensions, ScheduleExpression, ScheduleExpressionError};

use crate::{Error, Result};

/// Makes the expressions that schedules take. All times are UTC.
///
/// ```
/// use watchkeeper::model_monitor::CronExpressionGenerator;
///
/// assert_eq!(CronExpressionGenerator::hourly().as_str(), "cron(0 * ? * * *)");
/// assert_eq!(CronExpressionGenerator::daily(5)?.as_str(), "cron(0 5 ? * * *)");
/// assert_eq!(CronExpressionGenerator::daily_every_x_hours(6, 2)?.as_str(), "cron(0 2/6 ? * * *)");
/// assert!(CronExpressionGenerator::daily(24).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CronExpressionGenerator;

impl CronExpressionGenerator {
    /// Every hour, on the hour.
    pub fn hourly() -> ScheduleExpression {
        of_aws("cron(0 * ? * * *)").expect("the hourly form is one of AWS's")
    }

    /// Every day at an hour from 0 to 23.
    ///
    /// # Errors
    /// There is no such hour.
    pub fn daily(hour: u8) -> Result<ScheduleExpression> {
        of_aws(&format!("cron(0 {hour} ? * * *)")).map_err(|_| no_hour("hour", hour))
    }

    /// Every day at `starting_hour`, and then every `hour_interval` hours until midnight.
    ///
    /// # Errors
    /// There is no such hour, or no such interval.
    pub fn daily_every_x_hours(hour_interval: u8, starting_hour: u8) -> Result<ScheduleExpression> {
        of_aws(&format!("cron(0 {starting_hour}/{hour_interval} ? * * *)")).map_err(|_| {
            if starting_hour > 23 {
                no_hour("starting_hour", starting_hour)
            } else {
                Error::argument("hour_interval", format!("{hour_interval} is no interval, which are 1 to 24 hours"))
            }
        })
    }

    /// Once, at once; the schedule then needs both ends of the time to look at.
    pub fn now() -> ScheduleExpression {
        of_aws("NOW").expect("NOW is one of AWS's forms")
    }
}

fn of_aws(text: &str) -> Result<ScheduleExpression, ScheduleExpressionError> {
    ScheduleExpression::parse(text, Extensions::default())
}

fn no_hour(argument: &'static str, hour: u8) -> Error {
    Error::argument(argument, format!("{hour} is no hour of a day, which are 0 to 23"))
}
