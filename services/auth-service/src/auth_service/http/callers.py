"""Who may call: an organization's own client, or a service."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends

from convoke.identity import Caller, Verifier, requires
from convoke.problems import Problem

CallerOf = Callable[..., Awaitable[Caller]]


def tenant(verifier: Verifier, scope: str) -> CallerOf:
    """Return a dependency that gives the API client of an organization, or answers with a problem."""
    permitted = requires(verifier, scope)

    async def client(caller: Annotated[Caller, Depends(permitted)]) -> Caller:
        if not caller.organization_id:
            raise Problem(
                403, "organization-required", "A service cannot do this", "Use an API client of an organization."
            )
        return caller

    return client


def service(verifier: Verifier, scope: str) -> CallerOf:
    """Return a dependency that gives a service, or answers with a problem; it may name any organization."""
    permitted = requires(verifier, scope)

    async def identity(caller: Annotated[Caller, Depends(permitted)]) -> Caller:
        if caller.organization_id:
            raise Problem(403, "service-required", "Only a service can do this", "This path is internal.")
        return caller

    return identity
