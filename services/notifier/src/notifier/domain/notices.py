"""Which notice the owner of a broken Zoom connection is owed: on four days after the break, as long as it lasts.

Events come late, twice and in any order, and each carries the newest snapshot: so the snapshot of the highest revision
says how the connection stands, and the events' own times say when it was connected last, and when it broke since.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomSettingsChanged

ToldOfZoom = ZoomConnected | ZoomDisconnected | ZoomSettingsChanged
Status = Literal["active", "reauthorization_required", "disconnected"]
Reason = Literal["user", "deauthorized", "reauthorization_required"]

DAYS = (1, 3, 7, 14)
"""Days after the break on which a notice is due."""

SENT_WITHIN = timedelta(days=15)
"""How long after the break a notice may be sent at all: a mail server that is away for longer has the last one lost."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ending:
    """What one `zoom.disconnected` tells."""

    time: datetime
    reason: Reason


@dataclass(frozen=True)
class Standing:
    """How a connection stands. Endings from before `since`, when it was connected last, count no more.

    `email` is the Zoom account's; None while nobody is to be told that the connection broke.
    """

    connection_id: str
    organization_id: str
    host_id: str | None
    revision: int
    status: Status
    email: str | None
    since: datetime = NEVER
    endings: tuple[Ending, ...] = ()

    @property
    def broken_by(self) -> Ending | None:
        """Return the ending that its owner does not want, with when the connection broke; None if there is none.

        Who disconnects by themselves know it, and get no notice.
        """
        if self.status == "active" or not self.endings:
            return None
        last = self.endings[-1]
        is_unwanted = self.status == "reauthorization_required" or last.reason == "deauthorized"
        return Ending(self.endings[0].time, last.reason) if is_unwanted else None


@dataclass(frozen=True)
class NoticeMail:
    """A notice as it was rendered, for the address `to`."""

    id: str
    day: int
    to: str
    mime: bytes


@dataclass(frozen=True)
class Notices:
    """A connection, and what its owner was told. `settled_day` was settled last, at `settled_at`.

    `mail` may have left, and is sent again until there is an answer.
    """

    standing: Standing
    settled_day: int = 0
    settled_at: datetime = NEVER
    mail: NoticeMail | None = None
    attempts: int = 0

    def day_due(self, now: datetime) -> int | None:
        """Return the newest day whose notice is due and not settled: after an outage the older ones are left out."""
        broken = self.standing.broken_by
        if broken is None or now >= broken.time + SENT_WITHIN:
            return None
        due = [day for day in DAYS if self._settled_in(broken) < day and broken.time + timedelta(days=day) <= now]
        return due[-1] if due else None

    def due_at(self) -> datetime | None:
        """Return when the next notice is due, which may have been a while ago; None where none is owed any more."""
        broken = self.standing.broken_by
        if broken is None:
            return None
        owed = (day for day in DAYS if day > self._settled_in(broken))
        return next((broken.time + timedelta(days=day) for day in owed), None)

    def settled(self, day: int, now: datetime) -> "Notices":
        """Return what is known once the notice of a day was sent, or there was nothing to say."""
        return replace(self, settled_day=day, settled_at=now, mail=None)

    def _settled_in(self, broken: Ending) -> int:
        return self.settled_day if self.settled_at >= broken.time else 0


def with_event(known: Standing | None, told: ToldOfZoom, time: datetime) -> Standing:
    """Return how a connection stands after an event of that time; in which order they come changes nothing."""
    # MongoDB keeps milliseconds.
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    newest = _newest(known, told)
    since = max(newest.since, time) if isinstance(told, ZoomConnected) else newest.since
    ends = {Ending(time, told.reason)} if isinstance(told, ZoomDisconnected) else set()
    endings = sorted((ending for ending in {*newest.endings} | ends if ending.time > since), key=_in_time)
    standing = replace(newest, since=since, endings=tuple(endings))
    return replace(standing, email=_email(known, told) if standing.broken_by else None)


def notice_id(connection_id: str, broken_at: datetime, day: int) -> str:
    """Return the id of a notice, from which its Message-ID follows."""
    return hashlib.sha256(f"{connection_id}\n{broken_at.isoformat()}\n{day}".encode()).hexdigest()[:40]


def _newest(known: Standing | None, told: ToldOfZoom) -> Standing:
    said = told.connection
    if known and said.revision <= known.revision:
        return known
    status = said.status or _status_after(told)
    return Standing(
        connection_id=said.id,
        organization_id=said.organization_id,
        host_id=said.host_id,
        revision=said.revision,
        status=status,
        email=said.email or None,
        since=known.since if known else NEVER,
        endings=known.endings if known else (),
    )


def _email(known: Standing | None, told: ToldOfZoom) -> str | None:
    said = told.connection
    if known and known.email and said.revision < known.revision:
        return known.email
    return said.email or None


def _status_after(told: ToldOfZoom) -> Status:
    """Return the status that an event from before snapshots had one speaks of."""
    if not isinstance(told, ZoomDisconnected):
        return "active"
    return "reauthorization_required" if told.reason == "reauthorization_required" else "disconnected"


def _in_time(ending: Ending) -> tuple[datetime, str]:
    return ending.time, ending.reason
