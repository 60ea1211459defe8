"""Zoom's API operations that the app may call: path, weight, scope, and what each does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoom_sandbox import webhook_events
from zoom_sandbox.answers import Answer, Json, RefusalError, refusal
from zoom_sandbox.limits import Label
from zoom_sandbox.listing import listed
from zoom_sandbox.meeting_answers import invitation, list_entry, whole_meeting
from zoom_sandbox.meetings import INSTANT, Meeting, no_such_meeting
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.users import User, preferences, profile
from zoom_sandbox.validation import fields_to_change, fields_to_create

NOT_ALLOWED = "Your user account is not allowed meeting hosting and scheduling capabilities."
NOT_ALLOWED_TO_LIST_OR_DELETE = "Meeting hosting and scheduling capabilities are not allowed for your user account."


@dataclass(frozen=True)
class Call:
    """One authenticated call, before its operation has looked at it."""

    user: User
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


Perform = Callable[[Sandbox, Call], Answer]


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    label: Label
    scope: str
    classic_scope: str
    perform: Perform


def get_user(_: Sandbox, call: Call) -> Answer:
    return Answer(200, profile(call.user))


def get_user_settings(sandbox: Sandbox, call: Call) -> Answer:
    switches = sandbox.switches
    settings = preferences(call.user, passcodes=switches.passcodes, passcode_in_link=switches.passcode_in_link)
    return Answer(200, settings)


def create_meeting(sandbox: Sandbox, call: Call) -> Answer:
    sandbox.limits.admit_change(call.user.id, sandbox.switches.host_daily_limit)
    _require_scheduling(call.user, NOT_ALLOWED)
    asked = fields_to_create(call.body)
    _require_own_schedule(call.user, asked)
    meeting = sandbox.meetings.create(call.user, asked, passcodes=sandbox.switches.passcodes)
    webhook_events.meeting_created(sandbox, meeting)
    return Answer(201, _whole(sandbox, meeting))


def get_meeting(sandbox: Sandbox, call: Call) -> Answer:
    _require_scheduling(call.user, NOT_ALLOWED)
    return Answer(200, _whole(sandbox, _own_meeting(sandbox, call)))


def update_meeting(sandbox: Sandbox, call: Call) -> Answer:
    sandbox.limits.admit_change(call.user.id, sandbox.switches.host_daily_limit)
    _require_scheduling(call.user, NOT_ALLOWED)
    meeting = _own_meeting(sandbox, call)
    change_meeting(sandbox, meeting, fields_to_change(call.body))
    return Answer(204)


def delete_meeting(sandbox: Sandbox, call: Call) -> Answer:
    _require_scheduling(call.user, NOT_ALLOWED_TO_LIST_OR_DELETE)
    remove_meeting(sandbox, _own_meeting(sandbox, call))
    return Answer(204)


def list_meetings(sandbox: Sandbox, call: Call) -> Answer:
    _require_scheduling(call.user, NOT_ALLOWED_TO_LIST_OR_DELETE)
    page = sandbox.page_tokens.page_asked_for(call.user.id, call.query)
    found = listed(sandbox.meetings.hosted_by(call.user.id), page, sandbox.clock.now())
    end = page.offset + page.size
    in_link = sandbox.switches.passcode_in_link
    shown = [list_entry(each, passcode_in_link=in_link) for each in found[page.offset : end]]
    answer = {
        "page_count": -(-len(found) // page.size),
        "page_number": page.offset // page.size + 1,
        "page_size": page.size,
        "total_records": len(found),
        "next_page_token": sandbox.page_tokens.issue(page, end) if end < len(found) else "",
        "meetings": shown,
    }
    return Answer(200, answer)


def get_invitation(sandbox: Sandbox, call: Call) -> Answer:
    meeting = _own_meeting(sandbox, call)
    text = invitation(meeting, passcode_in_link=sandbox.switches.passcode_in_link)
    return Answer(200, {"invitation": text})


def change_meeting(sandbox: Sandbox, meeting: Meeting, asked: Json) -> None:
    """Change a meeting, whoever does it, and tell the subscribers what changed."""
    host = sandbox.users[meeting.host_id]
    previous = sandbox.meetings.change(meeting, host, asked, passcodes=sandbox.switches.passcodes)
    webhook_events.meeting_updated(sandbox, meeting, previous)


def remove_meeting(sandbox: Sandbox, meeting: Meeting) -> None:
    meeting.deleted = True
    webhook_events.meeting_deleted(sandbox, meeting)


def missing_scopes(operation: Operation, *, status: int) -> RefusalError:
    """Name the scope that is missing, with its admin form (zoom_rb's fixtures)."""
    wanted = f"{operation.scope}, {operation.scope}:admin"
    return refusal(status, 4711, f"Invalid access token, does not contain scopes:[{wanted}].")


def require_me(sandbox: Sandbox, operation: Operation, user_id: str) -> None:
    """Refuse any user but `me`: others, even oneself by id, need the admin scope (user-managed apps)."""
    if user_id == "me":
        return
    if sandbox.user_called(user_id) is None:
        raise refusal(404, 1001, f"User does not exist: {user_id}.")
    status, scope = sandbox.switches.scope_refusal_status, f"{operation.scope}:admin"
    raise refusal(status, 4711, f"Invalid access token, does not contain scopes:[{scope}].")


def _own_meeting(sandbox: Sandbox, call: Call) -> Meeting:
    meeting = sandbox.meetings.living(call.path["meeting_id"])
    if meeting.host_id != call.user.id:
        raise no_such_meeting(meeting.id)
    return meeting


def _whole(sandbox: Sandbox, meeting: Meeting) -> Json:
    in_link = sandbox.switches.passcode_in_link
    return whole_meeting(meeting, sandbox.clock.now(), passcode_in_link=in_link)


def _require_scheduling(user: User, message: str) -> None:
    if not user.hosts_meetings:
        raise refusal(400, 3161, message)


def _require_own_schedule(user: User, asked: Json) -> None:
    other = asked.get("schedule_for", user.email)
    if other not in (user.id, user.email) or ("schedule_for" in asked and asked.get("type") == INSTANT):
        raise refusal(400, 3000, f"You cannot schedule a meeting for {other}")


# Labels and scopes: Zoom's OpenAPI documents, 2026-03.
OPERATIONS = (
    Operation("get_user", "GET", "/users/{user_id}", Label.LIGHT, "user:read:user", "user:read", get_user),
    Operation(
        "get_user_settings",
        "GET",
        "/users/{user_id}/settings",
        Label.MEDIUM,
        "user:read:settings",
        "user:read",
        get_user_settings,
    ),
    Operation(
        "create_meeting",
        "POST",
        "/users/{user_id}/meetings",
        Label.LIGHT,
        "meeting:write:meeting",
        "meeting:write",
        create_meeting,
    ),
    Operation(
        "list_meetings",
        "GET",
        "/users/{user_id}/meetings",
        Label.MEDIUM,
        "meeting:read:list_meetings",
        "meeting:read",
        list_meetings,
    ),
    Operation(
        "get_meeting",
        "GET",
        "/meetings/{meeting_id}",
        Label.LIGHT,
        "meeting:read:meeting",
        "meeting:read",
        get_meeting,
    ),
    Operation(
        "update_meeting",
        "PATCH",
        "/meetings/{meeting_id}",
        Label.LIGHT,
        "meeting:update:meeting",
        "meeting:write",
        update_meeting,
    ),
    Operation(
        "delete_meeting",
        "DELETE",
        "/meetings/{meeting_id}",
        Label.LIGHT,
        "meeting:delete:meeting",
        "meeting:write",
        delete_meeting,
    ),
    Operation(
        "get_invitation",
        "GET",
        "/meetings/{meeting_id}/invitation",
        Label.LIGHT,
        "meeting:read:invitation",
        "meeting:read",
        get_invitation,
    ),
)
