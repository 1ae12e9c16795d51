"""Alerts of schedules."""

from cases.building import ROLE, calls, case, step
from cases.executions import NAMES, attached, there
from exchanges import Json
from services import TIME

ALERT = {
    "MonitoringAlertName": "churn-alert",
    "CreationTime": TIME,
    "LastModifiedTime": TIME,
    "AlertStatus": "InAlert",
    "DatapointsToAlert": 1,
    "EvaluationPeriod": 2,
    "Actions": {"ModelDashboardIndicator": {"Enabled": True}},
}
CHANGE = {
    "MonitoringScheduleName": "nightly",
    "MonitoringAlertName": "churn-alert",
    "CreationTime": TIME,
    "AlertStatus": "OK",
}


def methods() -> list[Json]:
    optional: dict[str, Json] = {
        "monitoring_alert_name": "churn-alert",
        "sort_by": "Status",
        "sort_order": "Ascending",
        "next_token": "more",
        "max_results": 5,
        "creation_time_before": {"$datetime": "2026-01-02T03:04:05+00:00"},
        "creation_time_after": {"$datetime": "2026-01-01T03:04:05.250000+00:00"},
        "status_equals": "InAlert",
    }
    update = {"monitoring_alert_name": "churn-alert", "data_points_to_alert": 3, "evaluation_period": 4}
    made = []
    for name in NAMES:
        given = there(name, alerts=[ALERT], history=[CHANGE])
        for method, arguments in {
            "list_monitoring_alerts": {},
            "list_monitoring_alert_history": {},
            "update_monitoring_alert": update,
        }.items():
            made.append(case(f"{name}.{method}", [attached(name), step(f".{method}", arguments)], given=given))
    name = "DefaultModelMonitor"
    given = there(name, alerts=[ALERT], history=[CHANGE], next_token="more")
    for variant, arguments in calls({}, {"next_token": "more", "max_results": 5}):
        made.append(
            case(
                f".list_monitoring_alerts{variant}",
                [attached(name), step(".list_monitoring_alerts", arguments)],
                given=given,
            )
        )
    for variant, arguments in calls({}, optional):
        steps = [attached(name), step(".list_monitoring_alert_history", arguments)]
        made.append(case(f".list_monitoring_alert_history{variant}", steps, given=given))
    without = step(name, {"role": ROLE})
    for method, arguments in {
        "list_monitoring_alerts": {},
        "list_monitoring_alert_history": {},
        "update_monitoring_alert": update,
    }.items():
        made.append(case(f".{method}, no schedule", [without, step(f".{method}", arguments)]))
    return made


SUITES = {"alerts": methods}
