"""zoom.*.v1: what auth-service says of Zoom connections, and relays of Zoom's webhooks."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from convoke.contracts.wire import WIRE, Id


class Finding(BaseModel):
    """What the last check-up of a connection found; an `error` keeps meetings from being made, moved or deleted."""

    model_config = WIRE
    code: str
    severity: Literal["error", "warning", "notice"]
    title: str
    detail: str
    next_step: str


class Connection(BaseModel):
    """A connection of an organization, or of one host where `host_id` is there, as it is when the event is published.

    `revision` grows with every change of the connection; messages from before it was there read as 0. What is None
    below was not yet told in such messages; `findings` is None too until the connection was checked up.
    """

    model_config = WIRE
    id: Id
    revision: int = 0
    organization_id: Id
    host_id: Id | None = None
    zoom_user_id: str
    zoom_account_id: str
    email: str
    plan: Literal["basic", "licensed", "unassigned", "unknown"]
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    status: Literal["active", "reauthorization_required", "disconnected"] | None = None
    enabled_for_new_bookings: bool | None = None
    findings: tuple[Finding, ...] | None = None


class ZoomConnected(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "zoom.connected.v1"
    connection: Connection
    previous_zoom_user_id: str | None = None


class ZoomDisconnected(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "zoom.disconnected.v1"
    connection: Connection
    reason: Literal["user", "deauthorized", "reauthorization_required"]


class ZoomSettingsChanged(BaseModel):
    """Its owner has paused or resumed a connection, or a check-up has found something else than the one before."""

    model_config = WIRE
    event_type: ClassVar[str] = "zoom.settings_changed.v1"
    connection: Connection
    enabled_for_new_bookings: bool


class ZoomMeetingChanged(BaseModel):
    """A nudge to look at Zoom: one Zoom user may be connected in several tenants."""

    model_config = WIRE
    event_type: ClassVar[str] = "zoom.meeting_changed.v1"
    connection_ids: tuple[Id, ...]
    zoom_meeting_id: int
    change: Literal["updated", "deleted"]
