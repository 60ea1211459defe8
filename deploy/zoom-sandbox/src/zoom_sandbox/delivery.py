"""Performs a call under the faults that were ordered for it, and writes it into the call log."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from zoom_sandbox.answers import (
    Answer,
    NoAnswer,
    RefusalError,
    as_xml,
    gateway_page,
    oauth_refusal,
    written,
)
from zoom_sandbox.calls import ReceivedCall
from zoom_sandbox.faults import Fault, FaultKind
from zoom_sandbox.limits import Label, day_limit_reached, host_limit_reached, second_limit_reached
from zoom_sandbox.sandbox import Sandbox

Perform = Callable[[], Answer]
Effect = Callable[[Sandbox, Fault, ReceivedCall, Perform], Awaitable[Answer | None]]
SERVER_ERROR = 500
_LIGHT_CALLS_A_DAY = 6000


async def deliver(
    sandbox: Sandbox, request: Request, operation: str, user_id: str | None, perform: Perform
) -> Response:
    """Answer a call, or close its connection where a fault says so."""
    call = sandbox.calls.received(operation, user_id, request.url.path)
    fault = sandbox.faults.take(operation, user_id)
    if fault is None:
        answer: Answer | None = _performed(call, perform)
    else:
        call.fault = fault.kind
        answer = await EFFECTS[fault.kind](sandbox, fault, call, perform)
    if answer is None or sandbox.clock.stopped:
        return NoAnswer()
    call.status, call.answered = answer.status, True
    return written(_in_the_form_asked_for(sandbox, request, answer))


def _performed(call: ReceivedCall, perform: Perform) -> Answer:
    try:
        answer = perform()
    except RefusalError as refused:
        answer = refused.answer
    call.status = answer.status
    return answer


def _in_the_form_asked_for(sandbox: Sandbox, request: Request, answer: Answer) -> Answer:
    wants_json = "json" in request.headers.get("accept", "")
    is_error = answer.status >= 400 and isinstance(answer.body, dict)
    return as_xml(answer) if sandbox.switches.xml_errors and is_error and not wants_json else answer


async def _answer_lost(_: Sandbox, __: Fault, call: ReceivedCall, perform: Perform) -> None:
    _performed(call, perform)


async def _late_commit(sandbox: Sandbox, fault: Fault, call: ReceivedCall, perform: Perform) -> None:
    async def commit() -> None:
        await sandbox.clock.sleep(fault.delay_seconds)
        if not sandbox.clock.stopped:
            _performed(call, perform)

    sandbox.background.start(commit())


async def _status_after_commit(_: Sandbox, fault: Fault, call: ReceivedCall, perform: Perform) -> Answer:
    _performed(call, perform)
    return _status(fault.status or SERVER_ERROR)


async def _slow(sandbox: Sandbox, fault: Fault, call: ReceivedCall, perform: Perform) -> Answer | None:
    await sandbox.clock.sleep(fault.delay_seconds)
    return None if sandbox.clock.stopped else _performed(call, perform)


async def _down(_: Sandbox, __: Fault, ___: ReceivedCall, ____: Perform) -> None:
    return None


async def _refuse(sandbox: Sandbox, fault: Fault, _: ReceivedCall, __: Perform) -> Answer:
    return REFUSALS[fault.kind](sandbox, fault)


def _status(status: int) -> Answer:
    if status == SERVER_ERROR:
        return Answer(status, {"code": status, "message": "Internal server error."})
    return gateway_page(status)


def _xml(_: Sandbox, fault: Fault) -> Answer:
    status = fault.status or 400
    code, message = (300, "Validation Failed.") if status < SERVER_ERROR else (status, "Server error.")
    return as_xml(Answer(status, {"code": code, "message": message}))


REFUSALS: dict[FaultKind, Callable[[Sandbox, Fault], Answer]] = {
    FaultKind.STATUS: lambda _, fault: _status(fault.status or SERVER_ERROR),
    FaultKind.XML_ERROR: _xml,
    FaultKind.RATE_LIMITED_SECOND: lambda sandbox, _: (
        second_limit_reached(Label.LIGHT, 30, sandbox.switches.rate_limit_code).answer
    ),
    FaultKind.RATE_LIMITED_DAY: lambda sandbox, _: (
        day_limit_reached(Label.LIGHT, _LIGHT_CALLS_A_DAY, sandbox.clock.now(), sandbox.switches.rate_limit_code).answer
    ),
    FaultKind.RATE_LIMITED_HOST: lambda sandbox, _: host_limit_reached(sandbox.switches.host_daily_limit or 100).answer,
    FaultKind.GRANT_REFUSED: lambda _, fault: oauth_refusal(400, fault.reason, "invalid_request").answer,
    FaultKind.STALE_REFRESH_TOKEN: lambda _, __: oauth_refusal(400, "Invalid Token!", "invalid_grant").answer,
}
EFFECTS: dict[FaultKind, Effect] = {
    FaultKind.ANSWER_LOST: _answer_lost,
    FaultKind.LATE_COMMIT: _late_commit,
    FaultKind.STATUS_AFTER_COMMIT: _status_after_commit,
    FaultKind.SLOW: _slow,
    FaultKind.DOWN: _down,
    **dict.fromkeys(REFUSALS, _refuse),
}
