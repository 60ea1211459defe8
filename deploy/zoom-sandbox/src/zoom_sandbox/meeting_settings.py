"""A meeting's settings: Zoom's defaults, and what Zoom does to settings that a host cannot have."""

from zoom_sandbox.answers import Json
from zoom_sandbox.users import User

# Zoom: Meetings API, Create a meeting (settings), 2026-03.
_DEFAULTS: Json = {
    "host_video": False,
    "participant_video": False,
    "cn_meeting": False,
    "in_meeting": False,
    "join_before_host": False,
    "jbh_time": 0,
    "mute_upon_entry": False,
    "watermark": False,
    "use_pmi": False,
    "approval_type": 2,
    "audio": "both",
    "auto_recording": "none",
    "enforce_login": False,
    "enforce_login_domains": "",
    "alternative_hosts": "",
    "alternative_hosts_email_notification": True,
    "close_registration": False,
    "show_share_button": False,
    "allow_multiple_devices": False,
    "registrants_confirmation_email": True,
    "registrants_email_notification": True,
    "meeting_authentication": False,
    "encryption_type": "enhanced_encryption",
    "waiting_room": False,
    "email_notification": True,
    "private_meeting": False,
    "push_change_to_calendar": False,
    "meeting_invitees": [],
    "global_dial_in_countries": ["US"],
}
_DIAL_IN: list[Json] = [
    {
        "country": "US",
        "country_name": "US",
        "city": "New York",
        "number": "+1 646 555 0100",
        "type": "toll",
    },
    {"country": "US", "country_name": "US", "number": "+1 888 555 0100", "type": "tollfree"},
]
_LICENSED_ONLY = {"approval_type", "registration_type", "alternative_hosts"}
_SWITCHED_OFF = {"breakout_room", "language_interpretation"}


def new_settings(host: User, asked: Json) -> Json:
    return effective_settings(host, _DEFAULTS | {"waiting_room": host.waiting_room} | asked)


def effective_settings(host: User, wanted: Json) -> Json:
    """Drop what the account cannot do, silently, and let a waiting room end join-before-host.

    Measured with `breakout_room`: success, and the setting discarded.
    """
    unavailable = _SWITCHED_OFF | (_LICENSED_ONLY if host.is_basic else set())
    kept = {name: value for name, value in wanted.items() if name not in unavailable}
    if host.is_basic and kept.get("auto_recording") == "cloud":
        kept["auto_recording"] = "none"
    if kept["waiting_room"]:
        kept["join_before_host"] = False
    return {name: _DEFAULTS[name] for name in _DEFAULTS if name in unavailable} | kept


def answered_settings(settings: Json) -> Json:
    return settings | {"global_dial_in_numbers": _DIAL_IN}
