"""The control API under `/sandbox`: what a test or a person changes and sees behind Zoom's back."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoom_sandbox import webhook_events
from zoom_sandbox.answers import Json, RefusalError
from zoom_sandbox.clock import zulu
from zoom_sandbox.consent import ConsentError, callback_address
from zoom_sandbox.faults import Fault, FaultOrder
from zoom_sandbox.meeting_answers import join_url
from zoom_sandbox.meetings import Meeting
from zoom_sandbox.operations import change_meeting, remove_meeting
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.switches import Switches
from zoom_sandbox.tokens import encrypted_passcode
from zoom_sandbox.users import User
from zoom_sandbox.validation import fields_to_change

Model = TypeVar("Model", bound=BaseModel)


class Advance(BaseModel):
    model_config = ConfigDict(extra="forbid")
    advance_seconds: float = Field(ge=0)


class Deauthorization(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user_id: str


class Consent(BaseModel):
    """What a person would send from the consent page, all but the session cookies."""

    model_config = ConfigDict(extra="forbid")
    user_id: str
    redirect_uri: str
    state: str | None = None
    code_challenge: str | None = None
    code_challenge_method: Literal["plain", "S256"] | None = None
    decision: Literal["allow", "decline"] = "allow"


def control_routes(sandbox: Sandbox) -> APIRouter:
    router = APIRouter(prefix="/sandbox")
    for add in (_add_state, _add_users, _add_meetings, _add_secrets, _add_faults, _add_consents):
        add(router, sandbox)
    return router


def _add_state(router: APIRouter, sandbox: Sandbox) -> None:
    @router.get("/health")
    async def health() -> Json:
        return {"status": "ok", "now": zulu(sandbox.clock.now())}

    @router.post("/reset", status_code=204)
    async def reset() -> None:
        sandbox.reset()

    @router.post("/clock")
    async def advance_clock(step: Advance) -> Json:
        sandbox.clock.advance(step.advance_seconds)
        return {"now": zulu(sandbox.clock.now())}

    @router.get("/switches")
    async def read_switches() -> Switches:
        return sandbox.switches

    @router.patch("/switches")
    async def turn_switches(turned: dict[str, Any]) -> Switches:
        sandbox.switches = _merged(sandbox.switches, turned)
        return sandbox.switches

    @router.get("/calls")
    async def read_calls(operation: str | None = None) -> list[Json]:
        return [each.as_json() for each in sandbox.calls.calls if operation in (None, each.operation)]

    @router.delete("/calls", status_code=204)
    async def forget_calls() -> None:
        sandbox.calls.calls.clear()


def _add_users(router: APIRouter, sandbox: Sandbox) -> None:
    @router.get("/users")
    async def read_users() -> list[User]:
        return list(sandbox.users.values())

    @router.post("/users")
    async def put_user(fields: dict[str, Any]) -> User:
        known = sandbox.users.get(str(fields.get("id")))
        user = _validated(User, fields) if known is None else _merged(known, fields)
        sandbox.users[user.id] = user
        return user

    @router.post("/deauthorize", status_code=204)
    async def deauthorize(removal: Deauthorization) -> None:
        user = sandbox.users.get(removal.user_id)
        if user is None:
            raise HTTPException(404, f"no user {removal.user_id}")
        sandbox.grants.uninstall(user.id)
        webhook_events.app_deauthorized(sandbox, user)


def _add_meetings(router: APIRouter, sandbox: Sandbox) -> None:
    def living(meeting_id: str) -> Meeting:
        try:
            return sandbox.meetings.living(meeting_id)
        except RefusalError as refused:
            raise HTTPException(404, refused.answer.body) from None

    @router.get("/meetings")
    async def read_meetings(host_id: str | None = None) -> list[Json]:
        found = sandbox.meetings.by_id.values()
        return [_everything(sandbox, each) for each in found if host_id in (None, each.host_id)]

    @router.patch("/meetings/{meeting_id}")
    async def edit_meeting(meeting_id: str, request: Request) -> Json:
        meeting = living(meeting_id)
        try:
            change_meeting(sandbox, meeting, fields_to_change(await request.body()))
        except RefusalError as refused:
            raise HTTPException(refused.answer.status, refused.answer.body) from None
        return _everything(sandbox, meeting)

    @router.delete("/meetings/{meeting_id}", status_code=204)
    async def delete_meeting(meeting_id: str) -> None:
        remove_meeting(sandbox, living(meeting_id))


def _add_secrets(router: APIRouter, sandbox: Sandbox) -> None:
    @router.get("/secrets")
    async def read_secrets() -> dict[str, list[str]]:
        return _secrets(sandbox)


def _add_faults(router: APIRouter, sandbox: Sandbox) -> None:
    @router.post("/faults", status_code=201)
    async def order_fault(order: FaultOrder) -> Fault:
        return sandbox.faults.order(order)

    @router.get("/faults")
    async def read_faults() -> list[Fault]:
        return list(sandbox.faults.ordered.values())

    @router.delete("/faults", status_code=204)
    async def remove_faults() -> None:
        sandbox.faults.ordered.clear()

    @router.delete("/faults/{fault_id}", status_code=204)
    async def remove_fault(fault_id: str) -> None:
        if sandbox.faults.ordered.pop(fault_id, None) is None:
            raise HTTPException(404, f"no fault {fault_id}")


def _add_consents(router: APIRouter, sandbox: Sandbox) -> None:
    @router.post("/consents")
    async def consent(decision: Consent) -> Json:
        asked = {"response_type": "code", "client_id": sandbox.settings.zoom_client_id}
        asked |= decision.model_dump(exclude_none=True)
        try:
            return {"location": callback_address(sandbox, asked)}
        except ConsentError as refused:
            raise HTTPException(409, str(refused)) from None


def _secrets(sandbox: Sandbox) -> dict[str, list[str]]:
    """Return what nobody but the app, or whoever is invited, may ever read; spent ones too, no start_url."""
    grants, meetings = sandbox.grants, [each for each in sandbox.meetings.by_id.values() if each.password]
    return {
        "access_token": list(grants.access),
        "refresh_token": list(grants.refresh),
        "code": grants.codes_given,
        "state": grants.states_heard,
        "code_verifier": [verifier for verifier in grants.verifiers_heard if verifier],
        "passcode": [each.password for each in meetings],
        "passcode_in_link": [encrypted_passcode(each.id, each.password) for each in meetings],
    }


def _everything(sandbox: Sandbox, meeting: Meeting) -> Json:
    instants = {"created_at": zulu(meeting.created_at), "start_time": zulu(meeting.start_time)}
    link = join_url(meeting, passcode_in_link=sandbox.switches.passcode_in_link)
    return vars(meeting) | instants | {"join_url": link}


def _merged(known: Model, fields: Mapping[str, Any]) -> Model:
    return _validated(type(known), {**known.model_dump(), **fields})


def _validated(model: type[Model], fields: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as invalid:
        raise RequestValidationError(invalid.errors(include_context=False)) from None
