//! The state of an alarm from the data points of its last periods. Pure.
//!
//! The rules are those of AWS's page "Configuring how CloudWatch alarms treat missing data": of the periods looked at
//! (some more than are evaluated) the newest real points are taken, as many as there are evaluation periods; only when
//! there are fewer of them, missing ones are treated as the alarm says.

use jiff::Timestamp;
use watchkeeper_aws::generated::cloudwatch::{ComparisonOperator, StateValue};

/// Periods that are looked at beyond those that are evaluated.
pub(super) const EXTRA_PERIODS: usize = 2;

/// What a missing point counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Missing {
    /// Neither.
    #[default]
    Unknown,
    /// Beyond the threshold.
    Breaching,
    /// Within it.
    NotBreaching,
    /// The state stays.
    Ignore,
}

impl Missing {
    /// Reads `TreatMissingData`.
    pub(super) fn read(text: Option<&str>) -> Option<Self> {
        Some(match text {
            None | Some("missing") => Self::Unknown,
            Some("breaching") => Self::Breaching,
            Some("notBreaching") => Self::NotBreaching,
            Some("ignore") => Self::Ignore,
            Some(_) => return None,
        })
    }
}

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) operator: ComparisonOperator,
    pub(super) threshold: f64,
    pub(super) evaluation_periods: usize,
    pub(super) datapoints_to_alarm: usize,
    pub(super) missing: Missing,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    pub(super) state: StateValue,
    /// The real points that were taken, the newest first: the beginnings of their periods in milliseconds, and values.
    pub(super) points: Vec<(i64, f64)>,
    /// How many of them are beyond the threshold.
    pub(super) breaching: usize,
}

impl Rule {
    /// Judges the points of the last periods, the newest last; None is a period without one. The answer is None when the
    /// state stays as it is.
    pub(super) fn judge(&self, points: &[Option<(i64, f64)>]) -> Option<Judgement> {
        let (wanted, needed) = (self.evaluation_periods, self.datapoints_to_alarm);
        let real: Vec<(usize, (i64, f64))> = points
            .iter()
            .rev()
            .enumerate()
            .filter_map(|(age, point)| point.map(|point| (age + 1, point)))
            .take(wanted)
            .collect();
        let breaching = real.iter().filter(|(_, (_, value))| self.breaches(*value)).count();
        let state = if breaching >= needed {
            StateValue::Alarm
        } else if real.len() >= wanted {
            StateValue::Ok
        } else {
            let unknown = wanted - real.len();
            // Every point there is is beyond, and the first of them long enough ago.
            let all_breach = !real.is_empty() && breaching == real.len();
            let is_old = real.last().is_some_and(|(age, _)| *age >= needed);
            match self.missing {
                Missing::Breaching if breaching + unknown >= needed => StateValue::Alarm,
                Missing::Unknown if real.is_empty() => StateValue::InsufficientData,
                Missing::Unknown if all_breach && is_old => StateValue::Alarm,
                Missing::Ignore if real.is_empty() || all_breach => return None,
                _ => StateValue::Ok,
            }
        };
        Some(Judgement { state, points: real.into_iter().map(|(_, point)| point).collect(), breaching })
    }

    fn breaches(&self, point: f64) -> bool {
        match self.operator {
            ComparisonOperator::GreaterThanOrEqualToThreshold => point >= self.threshold,
            ComparisonOperator::GreaterThanThreshold => point > self.threshold,
            ComparisonOperator::LessThanThreshold => point < self.threshold,
            ComparisonOperator::LessThanOrEqualToThreshold => point <= self.threshold,
            // Those of anomaly detection, which no alarm here can have.
            _ => false,
        }
    }

    /// The reason as AWS words it.
    pub(super) fn reason(&self, judgement: &Judgement) -> String {
        let Judgement { state, points, breaching } = judgement;
        if points.is_empty() {
            let (count, missing) = (self.evaluation_periods, points_of(self.evaluation_periods));
            let treated = match self.missing {
                Missing::Breaching => "Breaching",
                Missing::NotBreaching => "NonBreaching",
                Missing::Unknown | Missing::Ignore => {
                    return format!("Insufficient Data: {missing} {} unknown.", were(count));
                }
            };
            let periods = if count == 1 { "period" } else { "periods" };
            return format!(
                "Threshold Crossed: no datapoints were received for {count} {periods} and {count} missing {} {} treated as \
                 [{treated}].",
                if count == 1 { "datapoint" } else { "datapoints" },
                were(count),
            );
        }
        let (count, needed, negation, transition) = if *state == StateValue::Alarm {
            (*breaching, self.datapoints_to_alarm, "", "OK -> ALARM")
        } else {
            let needed = self.evaluation_periods - self.datapoints_to_alarm + 1;
            (points.len() - breaching, needed, "not ", "ALARM -> OK")
        };
        format!(
            "Threshold Crossed: {count} out of the last {} datapoints [{}] {} {negation}{} the threshold ({:?}) (minimum {} \
             for {transition} transition).",
            points.len(),
            points.iter().map(|point| shown(*point)).collect::<Vec<_>>().join(", "),
            were(points.len()),
            words(self.operator),
            self.threshold,
            points_of(needed),
        )
    }
}

/// `2.0 (26/11/26 10:00:00)`.
fn shown((time, value): (i64, f64)) -> String {
    let moment = Timestamp::from_millisecond(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{value:?} ({})", moment.strftime("%d/%m/%y %H:%M:%S"))
}

fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn points_of(count: usize) -> String {
    if count == 1 { "1 datapoint".to_owned() } else { format!("{count} datapoints") }
}

fn words(operator: ComparisonOperator) -> &'static str {
    match operator {
        ComparisonOperator::GreaterThanOrEqualToThreshold => "greater than or equal to",
        ComparisonOperator::LessThanThreshold => "less than",
        ComparisonOperator::LessThanOrEqualToThreshold => "less than or equal to",
        _ => "greater than",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ALARM: Option<StateValue> = Some(StateValue::Alarm);
    const OK: Option<StateValue> = Some(StateValue::Ok);
    const INSUFFICIENT: Option<StateValue> = Some(StateValue::InsufficientData);
    const RETAIN: Option<StateValue> = None;

    fn rule(evaluation_periods: usize, datapoints_to_alarm: usize, missing: Missing) -> Rule {
        Rule {
            operator: ComparisonOperator::GreaterThanThreshold,
            threshold: 1.0,
            evaluation_periods,
            datapoints_to_alarm,
            missing,
        }
    }

    /// The tables of AWS's page, row by row: X is beyond the threshold, 0 within, - missing; the newest is the last.
    #[test]
    fn missing_data_is_treated_as_on_aws() {
        let table = [
            // evaluation periods, datapoints to alarm, points: missing, ignore, breaching, notBreaching
            (3, 3, "0-X-X", [OK, OK, OK, OK]),
            (3, 3, "----0", [OK, OK, OK, OK]),
            (3, 3, "-----", [INSUFFICIENT, RETAIN, ALARM, OK]),
            (3, 3, "0XX-X", [ALARM, ALARM, ALARM, ALARM]),
            (3, 3, "--X--", [ALARM, RETAIN, ALARM, OK]),
            (3, 3, "----X", [OK, RETAIN, ALARM, OK]),
            (3, 2, "0-X-X", [ALARM, ALARM, ALARM, ALARM]),
            (3, 2, "00X0X", [ALARM, ALARM, ALARM, ALARM]),
            (3, 2, "0-X--", [OK, OK, ALARM, OK]),
            (3, 2, "----0", [OK, OK, ALARM, OK]),
            (3, 2, "---X-", [ALARM, RETAIN, ALARM, OK]),
            (1, 1, "--X", [ALARM, ALARM, ALARM, ALARM]),
            (1, 1, "X-0", [OK, OK, OK, OK]),
        ];
        for (periods, needed, points, states) in table {
            let points: Vec<Option<(i64, f64)>> = points
                .chars()
                .map(|point| match point {
                    'X' => Some((0, 2.0)),
                    '0' => Some((0, 0.0)),
                    _ => None,
                })
                .collect();
            let ways = [Missing::Unknown, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
            for (missing, state) in ways.into_iter().zip(states) {
                let judged = rule(periods, needed, missing).judge(&points).map(|judgement| judgement.state);
                assert_eq!(judged, state, "{needed} of {periods}, {points:?}, {missing:?}");
            }
        }
    }

    #[test]
    fn the_four_comparisons() {
        use ComparisonOperator::{
            GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanOrEqualToThreshold, LessThanThreshold,
        };
        for (operator, states) in [
            (GreaterThanThreshold, [OK, OK, ALARM]),
            (GreaterThanOrEqualToThreshold, [OK, ALARM, ALARM]),
            (LessThanThreshold, [ALARM, OK, OK]),
            (LessThanOrEqualToThreshold, [ALARM, ALARM, OK]),
        ] {
            for (point, state) in [0.5, 1.0, 1.5].into_iter().zip(states) {
                let rule = Rule { operator, ..rule(1, 1, Missing::Unknown) };
                assert_eq!(
                    rule.judge(&[Some((0, point))]).map(|judgement| judgement.state),
                    state,
                    "{operator} {point}"
                );
            }
        }
    }

    #[test]
    fn reasons_read_as_those_of_aws() {
        let reason = |rule: Rule, points: &[Option<(i64, f64)>]| rule.reason(&rule.judge(points).unwrap());
        let (earlier, later) = (1_795_687_200_000, 1_795_690_800_000);
        assert_eq!(
            reason(rule(1, 1, Missing::Unknown), &[Some((earlier, 2.0))]),
            "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (26/11/26 10:00:00)] was greater than the threshold \
             (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        assert_eq!(
            reason(rule(2, 1, Missing::Unknown), &[Some((earlier, 0.25)), Some((later, 0.5))]),
            "Threshold Crossed: 2 out of the last 2 datapoints [0.5 (26/11/26 11:00:00), 0.25 (26/11/26 10:00:00)] were \
             not greater than the threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition)."
        );
        assert_eq!(reason(rule(1, 1, Missing::Unknown), &[None]), "Insufficient Data: 1 datapoint was unknown.");
        assert_eq!(
            reason(rule(2, 1, Missing::Breaching), &[None, None]),
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as \
             [Breaching]."
        );
    }
}
