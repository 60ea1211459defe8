"""The meetings that exist, and what creating, changing and deleting does to one."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from zoom_sandbox.answers import Json, RefusalError, refusal
from zoom_sandbox.meeting_settings import effective_settings, new_settings
from zoom_sandbox.start_times import start_of_changed, start_of_new
from zoom_sandbox.users import User

INSTANT, SCHEDULED, NO_FIXED_TIME, FIXED_TIMES, SCREEN_SHARE = 1, 2, 3, 8, 10
EXPIRY = timedelta(days=30)
_PASSCODE_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz123456789"


@dataclass
class Meeting:
    """One meeting as Zoom keeps it; `start_time` is UTC, `timezone` only for display."""

    id: int
    uuid: str
    host_id: str
    host_email: str
    created_at: datetime
    topic: str
    type: int
    start_time: datetime
    duration: int
    timezone: str
    agenda: str
    password: str
    settings: Json
    recurrence: Json | None = None
    tracking_fields: list[Json] = field(default_factory=list)
    pre_schedule: bool = False
    status: str = "waiting"
    deleted: bool = False
    updates: int = 0

    @property
    def has_start(self) -> bool:
        return self.type in (SCHEDULED, FIXED_TIMES)

    @property
    def ends_at(self) -> datetime:
        return self.start_time + timedelta(minutes=self.duration)

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the number died, 30 days after a one-off's date (Zoom support: Meeting IDs)."""
        return self.type == SCHEDULED and now > self.start_time + EXPIRY


@dataclass
class Meetings:
    """All meetings ever made here; deleted ones stay, so that no id is used twice."""

    now: Callable[[], datetime]
    by_id: dict[int, Meeting] = field(default_factory=dict)

    def create(self, host: User, asked: Json, *, passcodes: bool) -> Meeting:
        """Make a meeting from checked fields. There is no idempotency: twice the same makes two."""
        now, timezone = self.now(), asked.get("timezone", host.timezone)
        meeting = Meeting(
            id=self._unused_id(),
            uuid=_uuid(len(self.by_id)),
            host_id=host.id,
            host_email=host.email,
            created_at=now,
            topic=asked.get("topic", "Zoom Meeting"),
            type=asked.get("type", SCHEDULED),
            start_time=start_of_new(asked.get("start_time"), timezone, now),
            duration=asked.get("duration", 60),
            timezone=timezone,
            agenda=asked.get("agenda", ""),
            password=_passcode(asked) if passcodes else "",
            settings=new_settings(host, asked.get("settings", {})),
            recurrence=asked.get("recurrence"),
            tracking_fields=asked.get("tracking_fields", []),
            pre_schedule=asked.get("pre_schedule", False),
        )
        self.by_id[meeting.id] = meeting
        return meeting

    def change(self, meeting: Meeting, host: User, asked: Json, *, passcodes: bool) -> Json:
        """Apply checked fields and return the previous value of each that changed."""
        before = {each.name: getattr(meeting, each.name) for each in fields(meeting)}
        timezone = asked.get("timezone", meeting.timezone)
        start = start_of_changed(asked.get("start_time"), timezone, self.now())
        after = {name: value for name, value in asked.items() if name in before} | {
            "start_time": start or meeting.start_time,
            "settings": effective_settings(host, meeting.settings | asked.get("settings", {})),
            "password": (asked.get("password") or meeting.password) if passcodes else "",
        }
        for name, value in after.items():
            setattr(meeting, name, value)
        meeting.updates += 1
        return {name: before[name] for name, value in after.items() if before[name] != value}

    def living(self, meeting_id: str) -> Meeting:
        """Find a meeting that is neither deleted nor expired, or refuse with Zoom's 3001."""
        if not meeting_id.isascii() or not meeting_id.isdecimal():
            raise refusal(400, 300, "Invalid meeting id.")
        meeting = self.by_id.get(int(meeting_id))
        if meeting is None or meeting.deleted or meeting.is_expired(self.now()):
            raise no_such_meeting(meeting_id)
        return meeting

    def hosted_by(self, host_id: str) -> list[Meeting]:
        own = [each for each in self.by_id.values() if each.host_id == host_id and not each.deleted]
        return sorted(own, key=lambda each: (each.start_time, each.id))

    def _unused_id(self) -> int:
        """Eleven digits: more than 32 bits hold (Zoom: Meetings API, `id` is int64)."""
        while (number := 80_000_000_000 + secrets.randbelow(10_000_000_000)) in self.by_id:
            pass
        return number


def no_such_meeting(meeting_id: Any) -> RefusalError:
    return refusal(404, 3001, f"Meeting does not exist: {meeting_id}.")


def _uuid(count: int) -> str:
    """Encode 16 bytes; every fifth begins with `/` or `//`, which must be URL-encoded twice (Zoom)."""
    prefix = {2: b"\xfc", 4: b"\xff\xff"}.get(count % 5, b"")
    return base64.b64encode((prefix + secrets.token_bytes(16))[:16]).decode()


def _passcode(asked: Json) -> str:
    if given := asked.get("password"):
        return str(given)
    if asked.get("default_password", True):
        return "".join(secrets.choice(_PASSCODE_SIGNS) for _ in range(6))
    return ""
