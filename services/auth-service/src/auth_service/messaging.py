"""What auth-service says on the wire, its outbox entries as events, and what it listens to."""

from collections.abc import Callable, Sequence
from typing import Any

from auth_service.domain.connections import Connection
from auth_service.domain.findings import findings_of
from auth_service.domain.scopes import missing_scopes
from auth_service.handlers.erasing import Erasing
from auth_service.mongo.documents import connection_of
from convoke.contracts import Connection as ConnectionSnapshot
from convoke.contracts import (
    Finding,
    PrivacyErased,
    PrivacyErasureRequested,
    ZoomConnected,
    ZoomDisconnected,
    ZoomMeetingChanged,
    ZoomSettingsChanged,
)
from convoke.contracts.topology import AUTH_SERVICE_PRIVACY
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import Event
from convoke.messaging.consumer import Subscription
from convoke.messaging.outbox import Expand
from convoke.mongo import Document

SOURCE = "/auth-service"

PUBLISHED: tuple[type[EventData], ...] = (
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
    ZoomMeetingChanged,
    PrivacyErasureRequested,
)


def subscriptions(erasing: Erasing) -> list[Subscription]:
    return [Subscription(AUTH_SERVICE_PRIVACY, {PrivacyErased: erasing.add_on_erased})]


def events_of(document: Document, entry: Document) -> Sequence[Event[Any]]:
    """Return the events of one entry, with the connection as it is now."""
    connection = connection_of(document)
    return [
        Event(
            id=entry["id"],
            source=SOURCE,
            subject=connection.id,
            time=entry["time"],
            organization_id=connection.owner.organization_id,
            data=_data(entry, _snapshot(connection)),
            traceparent=entry["traceparent"],
        )
    ]


def changes_of(document: Document, entry: Document) -> Sequence[Event[Any]]:
    """Return the event of one entry of a webhook: there is an entry for each organization."""
    changed = ZoomMeetingChanged(
        connection_ids=tuple(entry["connection_ids"]),
        zoom_meeting_id=document["zoom_meeting_id"],
        change=document["change"],
    )
    return [
        Event(
            id=entry["id"],
            source=SOURCE,
            subject=changed.connection_ids[0],
            time=entry["time"],
            organization_id=entry["organization_id"],
            data=changed,
            traceparent=entry["traceparent"],
        )
    ]


def requests_of(person_of: Callable[[Document], str | None]) -> Expand:
    """Return what makes the event of an erasure: none once everybody has erased the person whose address it needs."""

    def expand(document: Document, entry: Document) -> Sequence[Event[Any]]:
        scope, person = document["scope"], person_of(document)
        if scope == "person" and person is None:
            return []
        asked = PrivacyErasureRequested(
            erasure_id=document["_id"], organization_id=document["organization_id"], scope=scope, person=person
        )
        return [
            Event(
                id=entry["id"],
                source=SOURCE,
                subject=asked.erasure_id,
                time=entry["time"],
                organization_id=asked.organization_id,
                data=asked,
                traceparent=entry["traceparent"],
            )
        ]

    return expand


def _data(entry: Document, connection: ConnectionSnapshot) -> ZoomConnected | ZoomDisconnected | ZoomSettingsChanged:
    if entry["type"] == ZoomConnected.event_type:
        return ZoomConnected(connection=connection, previous_zoom_user_id=entry.get("previous_zoom_user_id"))
    if entry["type"] == ZoomSettingsChanged.event_type:
        is_enabled = bool(connection.enabled_for_new_bookings)
        return ZoomSettingsChanged(connection=connection, enabled_for_new_bookings=is_enabled)
    return ZoomDisconnected(connection=connection, reason=entry["reason"])


def _snapshot(connection: Connection) -> ConnectionSnapshot:
    return ConnectionSnapshot(
        id=connection.id,
        revision=connection.revision,
        organization_id=connection.owner.organization_id,
        host_id=connection.owner.host_id,
        zoom_user_id=connection.user.id,
        zoom_account_id=connection.user.account_id,
        email=connection.user.email,
        plan=connection.user.plan,
        scopes=connection.scopes,
        missing_scopes=tuple(scope.name for scope in missing_scopes(connection.scopes)),
        status=connection.status,
        enabled_for_new_bookings=connection.enabled_for_new_bookings and not connection.is_being_left,
        findings=tuple(Finding(**vars(finding)) for finding in findings_of(connection)),
    )
