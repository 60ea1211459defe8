"""The events that Zoom sends about meetings and about the app's removal (Zoom: Webhook reference)."""

import secrets
from datetime import datetime

from zoom_sandbox.answers import Json
from zoom_sandbox.clock import zulu
from zoom_sandbox.meeting_answers import join_url
from zoom_sandbox.meetings import Meeting
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.users import User

_CHANGEABLE = ("topic", "type", "start_time", "duration", "timezone", "agenda", "password", "settings")


def meeting_created(sandbox: Sandbox, meeting: Meeting) -> None:
    facts = _facts(meeting) | {
        "join_url": join_url(meeting, passcode_in_link=sandbox.switches.passcode_in_link),
        "settings": meeting.settings,
    }
    if meeting.password:
        facts["password"] = meeting.password
    _emit(sandbox, "meeting.created", meeting, {"operation": "all", "object": facts})


def meeting_deleted(sandbox: Sandbox, meeting: Meeting) -> None:
    _emit(sandbox, "meeting.deleted", meeting, {"operation": "all", "object": _facts(meeting)})


def meeting_updated(sandbox: Sandbox, meeting: Meeting, previous: Json) -> None:
    """Send the changed values and the ones before; only `id` is certain to be there."""
    changed = [name for name in _CHANGEABLE if name in previous]
    after = {name: _written(getattr(meeting, name)) for name in changed}
    before = {name: _written(previous[name]) for name in changed}
    identity = {"id": meeting.id, "uuid": meeting.uuid}
    payload = {
        "scope": "all",
        "time_stamp": _milliseconds(sandbox),
        "object": identity | after,
        "old_object": identity | before,
    }
    _emit(sandbox, "meeting.updated", meeting, payload)


def app_deauthorized(sandbox: Sandbox, user: User) -> None:
    """Tell that a user removed the app; `event_ts` is inside the payload (Zoom: Marketplace webhooks)."""
    payload = {
        "account_id": user.account_id,
        "user_id": user.id,
        "client_id": sandbox.settings.zoom_client_id,
        "deauthorization_time": zulu(sandbox.clock.now()),
        "signature": secrets.token_hex(32),
        "event_ts": _milliseconds(sandbox),
    }
    sandbox.webhooks.emit("app_deauthorized", {"payload": payload}, held=sandbox.switches.webhooks_held)


def _emit(sandbox: Sandbox, event: str, meeting: Meeting, payload: Json) -> None:
    """Send an event of a meeting, if its host has installed the app (user-managed apps see no other)."""
    host = sandbox.users[meeting.host_id]
    if host.id not in sandbox.grants.installed:
        return
    actor = {"account_id": host.account_id, "operator": host.email, "operator_id": host.id}
    message = {"event_ts": _milliseconds(sandbox), "payload": actor | payload}
    sandbox.webhooks.emit(event, message, held=sandbox.switches.webhooks_held)


def _facts(meeting: Meeting) -> Json:
    facts = {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "duration": meeting.duration,
        "timezone": meeting.timezone,
    }
    return facts | ({"start_time": zulu(meeting.start_time)} if meeting.has_start else {})


def _written(value: object) -> object:
    return zulu(value) if isinstance(value, datetime) else value


def _milliseconds(sandbox: Sandbox) -> int:
    return int(sandbox.clock.now().timestamp() * 1000)
