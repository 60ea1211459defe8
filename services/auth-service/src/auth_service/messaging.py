"""What auth-service says on the wire: its outbox entries as events. It listens to nothing yet."""

from collections.abc import Sequence
from typing import Any

from auth_service.domain.connections import Connection
from auth_service.domain.scopes import missing_scopes
from auth_service.mongo.connections import connection_of
from convoke.contracts import Connection as ConnectionSnapshot
from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomMeetingChanged
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import Event
from convoke.mongo import Document

SOURCE = "/auth-service"

PUBLISHED: tuple[type[EventData], ...] = (ZoomConnected, ZoomDisconnected, ZoomMeetingChanged)


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


def _data(entry: Document, connection: ConnectionSnapshot) -> ZoomConnected | ZoomDisconnected:
    if entry["type"] == ZoomConnected.event_type:
        return ZoomConnected(connection=connection, previous_zoom_user_id=entry.get("previous_zoom_user_id"))
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
    )
