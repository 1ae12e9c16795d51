"""What is recorded: every method of every class, with every parameter unset, set alone, and set with all the others.

Cases are data. `suites()` gives them by the name of the file that their recordings go to.
"""

from collections.abc import Callable

from cases import alerts, clarify_configurations, clarify_monitors, endpoints, executions, files, jobs, quality_monitors
from cases import own_images, sessions
from exchanges import Json

MODULES = (
    own_images,
    quality_monitors,
    clarify_monitors,
    clarify_configurations,
    executions,
    alerts,
    files,
    jobs,
    endpoints,
    sessions,
)


def suites() -> dict[str, Callable[[], list[Json]]]:
    """The functions that make the cases, by the name of their file."""
    return {name: function for module in MODULES for name, function in module.SUITES.items()}
