"""Checking a connection up on request."""

import math
from typing import Annotated

from fastapi import APIRouter, Depends

from auth_service.domain.connections import ConnectionUnknown
from auth_service.handlers.access_tokens import RefreshPending
from auth_service.handlers.checking_up import LATER, AskedTooOften, CheckingUp
from auth_service.http.callers import connects
from auth_service.http.connections import ConnectionAnswer, answer_of, unknown
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem

ASK_AGAIN_AFTER = 30.0


def checkups_router(checking_up: CheckingUp, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom/connections", tags=["zoom"])
    allowed = Depends(connects(verifier))

    @router.post("/{connection_id}/checkup", responses=problems(404, 429, 503))
    async def check_up(connection_id: str, caller: Annotated[Caller, allowed]) -> ConnectionAnswer:
        """Ask Zoom now what it thinks of the connection's user, and return the connection with its findings.

        It happens at connecting and daily by itself. Where Zoom does not answer, what was found before stays.
        """
        try:
            return answer_of(await checking_up.check_now(caller.organization_id, connection_id))
        except ConnectionUnknown:
            raise unknown() from None
        except AskedTooOften as often:
            raise _later(429, "too-many-checkups", "It was checked up just now", often.wait.total_seconds()) from None
        except LATER as error:
            after = error.retry_after if isinstance(error, RefreshPending) else ASK_AGAIN_AFTER
            raise _later(503, "zoom-unavailable", "Zoom cannot be asked just now", after) from None

    return router


def _later(status: int, slug: str, title: str, seconds: float) -> Problem:
    after = math.ceil(seconds)
    detail = f"GET the connection for what was found last, or ask again in {after} seconds."
    return Problem(status, slug, title, detail, headers={"Retry-After": str(after)})
