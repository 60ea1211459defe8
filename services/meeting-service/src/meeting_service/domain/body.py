"""The one body that Zoom is sent for a session, for a create and for an update alike.

Field limits and formats: Zoom, Meetings API, "Create a meeting" and "Update a meeting".
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from convoke.contracts import Session, ZoomOptions

SCHEDULED = 2
LONGEST_TOPIC = 200
LONGEST_AGENDA = 2000

START = "%Y-%m-%dT%H:%M:%SZ"

Body = dict[str, Any]


def body_of(session: Session, marker: str) -> Body:
    """Return the body that says of a session all that Zoom is to know; what is left out stays as Zoom has it."""
    return {
        "topic": session.title[:LONGEST_TOPIC],
        "type": SCHEDULED,
        # With `Z` it is GMT; `timezone` then only says how Zoom displays it.
        "start_time": session.starts_at.strftime(START),
        "duration": math.ceil((session.ends_at - session.starts_at).total_seconds() / 60),
        "timezone": session.timezone,
        "agenda": f"{marker}\n{session.description}".strip()[:LONGEST_AGENDA],
        "settings": {"use_pmi": False, **_chosen(session.zoom)},
    }


def has_start_of(body: Body, starts_at: datetime | None) -> bool:
    """Tell whether a meeting starts as a body says; one for which Zoom says no start does."""
    return starts_at is None or starts_at.astimezone(UTC).strftime(START) == body["start_time"]


def start_of(body: Body) -> datetime:
    return datetime.strptime(body["start_time"], START).replace(tzinfo=UTC)


def starts_as(body: Body, starts_at: datetime | None, now: datetime) -> bool:
    """Tell whether a meeting starts as a body says, or, where that has passed, within the time that it says.

    Zoom makes a start that has passed the time of the create, and leaves it alone in an update.
    """
    if has_start_of(body, starts_at) or starts_at is None:
        return True
    began = start_of(body)
    return began <= now and began <= starts_at <= began + timedelta(minutes=body["duration"])


def _chosen(options: ZoomOptions) -> Body:
    chosen: Body = options.model_dump(include={"waiting_room", "join_before_host"}, exclude_none=True)
    if options.alternative_hosts:
        chosen["alternative_hosts"] = ";".join(options.alternative_hosts)
    return chosen
