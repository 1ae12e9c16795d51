"""What the cases of monitors by a definition of their own have in common."""

from collections.abc import Callable

from cases.building import HOURLY, ROLE, case, step
from cases.schedules import scheduled
from exchanges import Json


def monitor(name: str) -> Json:
    return step(name, {"role": ROLE})


def attachments(name: str, kind: str, other_kind: str, suggested: Json) -> list[Json]:
    """To schedules of its kind, where `suggested` comes next, and to others."""
    attached = step(f"{name}.attach", {"monitor_schedule_name": "nightly"})
    steps = [attached, suggested, step(".stop_monitoring_schedule"), step(".delete_monitoring_schedule")]
    return [
        case("bare", steps, given=scheduled(kind, full=False)),
        case("full", steps, given=scheduled(kind, full=True)),
        case("a schedule of another kind", [attached], given=scheduled(other_kind, full=False)),
        case("no such schedule", [attached]),
    ]


def whole_life(name: str, created: Json) -> list[Json]:
    """The steps of a schedule from its beginning to its end, and another by the same monitor."""
    return [
        monitor(name),
        step(".create_monitoring_schedule", created | {"monitor_schedule_name": "nightly"}),
        step(".start_monitoring_schedule"),
        step(".stop_monitoring_schedule"),
        step(".describe_schedule"),
        step(".update_monitoring_schedule", {"schedule_cron_expression": HOURLY}),
        step(".update_monitoring_schedule", {"max_runtime_in_seconds": 900}),
        step(".delete_monitoring_schedule"),
        step(".create_monitoring_schedule", created),
    ]


def suites_of(name: str, prefix: str, functions: tuple[Callable[[str], list[Json]], ...]) -> dict:
    """The suites of a class, named by their functions."""
    return {f"{prefix}.{function.__name__}": lambda function=function: function(name) for function in functions}
