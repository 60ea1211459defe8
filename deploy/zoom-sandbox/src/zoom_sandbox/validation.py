"""Zoom's rules for the fields of a meeting request, and the refusal that names each broken one.

Unknown fields are dropped, as Zoom drops them; null counts as not given.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from zoom_sandbox.answers import Json, refusal, validation_failed
from zoom_sandbox.start_times import is_written_instant, is_zone

Rule = Callable[[Any], bool]
LONGEST_AGENDA = 2000
_NEW_PASSCODE = re.compile(r"[!-~]{0,10}")
_CHANGED_PASSCODE = re.compile(r"[A-Za-z0-9@_*-]{0,10}")


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def text(longest: int) -> Rule:
    return lambda value: isinstance(value, str) and len(value) <= longest


def whole(least: int, most: int) -> Rule:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def one_of(*allowed: int | str) -> Rule:
    return lambda value: (
        not isinstance(value, bool) and any(type(value) is type(each) and value == each for each in allowed)
    )


def objects_with(required: str) -> Rule:
    return lambda value: (
        isinstance(value, list)
        and all(isinstance(each, dict) and isinstance(each.get(required), str) for each in value)
    )


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def recurrence(value: Any) -> bool:
    return isinstance(value, dict) and one_of(1, 2, 3)(value.get("type"))


# Zoom: Meetings API, Create a meeting (request body), 2026-03.
MEETING: dict[str, Rule] = {
    "topic": text(200),
    "type": one_of(1, 2, 3, 8, 10),
    "start_time": is_written_instant,
    "timezone": is_zone,
    "duration": whole(1, 1440),
    "agenda": text(LONGEST_AGENDA),
    "default_password": flag,
    "schedule_for": text(200),
    "pre_schedule": flag,
    "template_id": text(200),
    "tracking_fields": objects_with("field"),
    "recurrence": recurrence,
    "settings": lambda value: isinstance(value, dict),
}
FLAGS = (
    "host_video participant_video cn_meeting in_meeting join_before_host mute_upon_entry watermark use_pmi "
    "waiting_room enforce_login close_registration registrants_email_notification "
    "registrants_confirmation_email meeting_authentication alternative_hosts_email_notification "
    "alternative_host_update_polls email_notification private_meeting push_change_to_calendar "
    "show_share_button allow_multiple_devices show_join_info focus_mode internal_meeting "
    "host_save_video_order auto_start_meeting_summary auto_start_ai_companion_questions"
).split()
OBJECTS = "waiting_room_options continuous_meeting_chat breakout_room language_interpretation".split()
TEXTS = (
    "alternative_hosts contact_name contact_email enforce_login_domains authentication_option "
    "authentication_domains authentication_name"
).split()
SETTINGS: dict[str, Rule] = {
    **dict.fromkeys(FLAGS, flag),
    **dict.fromkeys(TEXTS, text(2000)),
    **dict.fromkeys(OBJECTS, lambda value: isinstance(value, dict)),
    "jbh_time": one_of(0, 5, 10, 15),
    "approval_type": one_of(0, 1, 2),
    "registration_type": one_of(1, 2, 3),
    "audio": one_of("both", "telephony", "voip", "thirdParty"),
    "auto_recording": one_of("none", "local", "cloud"),
    "calendar_type": one_of(1, 2),
    "encryption_type": one_of("enhanced_encryption", "e2ee"),
    "global_dial_in_countries": texts,
    "additional_data_center_regions": texts,
    "meeting_invitees": objects_with("email"),
    "resources": objects_with("resource_type"),
}


def json_object(body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise refusal(400, 300, "Request Body should be a valid JSON object.")
    return _without_nulls(value)


def fields_to_create(body: bytes) -> Json:
    """Return the known fields of a new meeting, or refuse with every broken one named."""
    fields = _checked(json_object(body), _NEW_PASSCODE)
    if fields.get("type") == 8 and "recurrence" not in fields:
        raise validation_failed([{"field": "recurrence", "message": "Missing field."}])
    return fields


def fields_to_change(body: bytes) -> Json:
    """Return the known fields of a change; a changed passcode may hold fewer signs than a new one."""
    return _checked(json_object(body), _CHANGED_PASSCODE)


def _checked(fields: Json, passcode: re.Pattern[str]) -> Json:
    rules = MEETING | {"password": lambda value: isinstance(value, str) and bool(passcode.fullmatch(value))}
    errors = [{"field": name, "message": "Invalid field."} for name in _broken(fields, rules)]
    settings = fields.get("settings")
    if isinstance(settings, dict):
        settings = _without_nulls(settings)
        errors += [
            {"field": f"settings.{name}", "message": f"Invalid parameter: {name}."}
            for name in _broken(settings, SETTINGS)
        ]
        fields = fields | {"settings": {name: settings[name] for name in settings if name in SETTINGS}}
    if errors:
        raise validation_failed(errors)
    return {name: value for name, value in fields.items() if name in rules}


def _broken(fields: Json, rules: Mapping[str, Rule]) -> list[str]:
    return [name for name, value in fields.items() if name in rules and not rules[name](value)]


def _without_nulls(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
