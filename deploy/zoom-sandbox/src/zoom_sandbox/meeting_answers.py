"""A meeting as Zoom writes it: whole, as an entry of a list, and as the invitation's text."""

import hashlib
from datetime import datetime

from zoom_sandbox.answers import Json
from zoom_sandbox.clock import zulu
from zoom_sandbox.meeting_settings import answered_settings
from zoom_sandbox.meetings import Meeting
from zoom_sandbox.tokens import encrypted_passcode, start_token

HOST = "https://us05web.zoom.us"
LISTED_AGENDA = 250
_PHONE_PASSCODE = 6


def join_url(meeting: Meeting, *, passcode_in_link: bool) -> str:
    """Build the link from id and passcode alone, so that no other change moves it."""
    plain = f"{HOST}/j/{meeting.id}"
    if not meeting.password or not passcode_in_link:
        return plain
    return f"{plain}?pwd={encrypted_passcode(meeting.id, meeting.password)}"


def list_entry(meeting: Meeting, *, passcode_in_link: bool) -> Json:
    """Write what a list shows: no start_url, no passcode, a cut agenda (Zoom: Meetings API, List meetings)."""
    entry: Json = {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "duration": meeting.duration,
        "timezone": meeting.timezone,
        "created_at": zulu(meeting.created_at),
        "join_url": join_url(meeting, passcode_in_link=passcode_in_link),
    }
    if meeting.has_start:
        entry["start_time"] = zulu(meeting.start_time)
    if meeting.agenda:
        entry["agenda"] = meeting.agenda[:LISTED_AGENDA]
    return entry


def whole_meeting(meeting: Meeting, now: datetime, *, passcode_in_link: bool) -> Json:
    """Write a meeting with a fresh start_url (Zoom: Meetings API, Get a meeting)."""
    answer = list_entry(meeting, passcode_in_link=passcode_in_link) | {
        "host_email": meeting.host_email,
        "assistant_id": "",
        "status": meeting.status,
        "start_url": f"{HOST}/s/{meeting.id}?zak={start_token(meeting.host_id, now)}",
        "settings": answered_settings(meeting.settings),
        "creation_source": "open_api",
        "pre_schedule": meeting.pre_schedule,
    }
    if meeting.agenda:
        answer["agenda"] = meeting.agenda
    if meeting.recurrence:
        answer["recurrence"] = meeting.recurrence
    if meeting.tracking_fields:
        answer["tracking_fields"] = meeting.tracking_fields
    return answer | _passcodes(meeting)


def invitation(meeting: Meeting, *, passcode_in_link: bool) -> str:
    lines = [
        f"{meeting.host_email} is inviting you to a scheduled Zoom meeting.",
        f"Topic: {meeting.topic}",
        f"Join Zoom Meeting\r\n{join_url(meeting, passcode_in_link=passcode_in_link)}",
        f"Meeting ID: {meeting.id}",
        *([f"Passcode: {meeting.password}"] if meeting.password else []),
    ]
    return "\r\n\r\n".join(lines)


def _passcodes(meeting: Meeting) -> Json:
    if not meeting.password:
        return {}
    phone = meeting.password if _fits_a_phone(meeting.password) else _phone_passcode(meeting.password)
    return {
        "password": meeting.password,
        "h323_password": phone,
        "pstn_password": phone,
        "encrypted_password": encrypted_passcode(meeting.id, meeting.password),
    }


def _fits_a_phone(passcode: str) -> bool:
    return len(passcode) == _PHONE_PASSCODE and passcode.isascii() and passcode.isdecimal()


def _phone_passcode(passcode: str) -> str:
    return f"{int(hashlib.sha256(passcode.encode()).hexdigest(), 16) % 10**_PHONE_PASSCODE:06d}"
