"""Whose data a request is about: the organization in its token, never one in its path or body."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from convoke.identity import Caller, Verifier, requires
from convoke.problems import Problem


class Tenants:
    """Gives the dependencies that the routes ask for."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def with_scope(self, scope: str) -> Callable[..., Awaitable[str]]:
        """Return a FastAPI dependency that gives the organization's id, or answers with a problem.

        The id is also put into the request's state, for the log.
        """
        permitted = requires(self._verifier, scope)

        async def organization_id(request: Request, caller: Annotated[Caller, Depends(permitted)]) -> str:
            if not caller.organization_id:
                raise Problem(403, "no-organization", "The token is of no organization", "Use an API client's token.")
            request.state.organization_id = caller.organization_id
            return caller.organization_id

        return organization_id
