"""The campaigns by their names."""

from campaign import Campaign
from capture import Capture, FastCapture
from clock import Clock
from jobs import Jobs
from outages import DatabaseRestart, S3Outage
from processes import Processes
from schedules import Schedules
from storage import FullDisk, ReadOnly
from uploads import Uploads

ALL: tuple[type[Campaign], ...] = (
    Uploads,
    Jobs,
    Schedules,
    Capture,
    FastCapture,
    FullDisk,
    ReadOnly,
    Clock,
    DatabaseRestart,
    S3Outage,
    Processes,
)
CAMPAIGNS: dict[str, type[Campaign]] = {campaign.name: campaign for campaign in ALL}
