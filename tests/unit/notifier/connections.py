"""A Zoom connection as auth-service tells of it, event by event."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomSettingsChanged
from convoke.contracts.zoom import Connection
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event

CONNECTED_AT = datetime(2026, 11, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Link:
    """One connection at one revision; the methods give the events that carry it."""

    organization_id: str = field(default_factory=lambda: new_id("org"))
    host_id: str | None = "hst_1"
    id: str = field(default_factory=lambda: new_id("zcn"))
    revision: int = 1
    status: Any = "active"
    email: str = field(default_factory=lambda: f"{new_id('zoe')}@zoom.example")

    def next(self, status: str) -> "Link":
        """Return the connection after its next change."""
        return replace(self, revision=self.revision + 1, status=status)

    @property
    def snapshot(self) -> Connection:
        return Connection(
            id=self.id,
            revision=self.revision,
            organization_id=self.organization_id,
            host_id=self.host_id,
            zoom_user_id="u1",
            zoom_account_id="a1",
            email=self.email,
            plan="licensed",
            scopes=(),
            missing_scopes=(),
            status=self.status,
        )

    def connected(self, time: datetime = CONNECTED_AT) -> Event[Any]:
        return self._event(ZoomConnected(connection=self.snapshot), time)

    def disconnected(self, time: datetime, reason: Any) -> Event[Any]:
        return self._event(ZoomDisconnected(connection=self.snapshot, reason=reason), time)

    def paused(self, time: datetime) -> Event[Any]:
        return self._event(ZoomSettingsChanged(connection=self.snapshot, enabled_for_new_bookings=False), time)

    def _event(self, data: Any, time: datetime) -> Event[Any]:
        return Event(
            id=new_id("evt"),
            source="/auth-service",
            subject=self.id,
            time=time,
            organization_id=self.organization_id,
            data=data,
        )
