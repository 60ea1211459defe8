"""What happened to a booking, in words for its host."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

What = Literal[
    "booked",
    "rescheduled",
    "canceled",
    "meeting_ready",
    "meeting_changed_in_zoom",
    "meeting_failed",
    "meeting_canceled",
    "mail_accepted",
    "mail_failed",
]


@dataclass(frozen=True)
class TimelineEntry:
    at: datetime
    what: What
    detail: str
