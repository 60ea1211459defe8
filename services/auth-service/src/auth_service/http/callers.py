"""Who may call: an organization's own client, or a service."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends

from auth_service.domain.connections import Owner
from convoke.identity import Caller, Verifier, requires
from convoke.problems import Problem

CallerOf = Callable[..., Awaitable[Caller]]

CONNECT, ADMINISTER = "zoom.connect", "zoom.administer"
"""The first is for hosts' own connections, the second for the organization's too."""


def tenant(verifier: Verifier, *scopes: str) -> CallerOf:
    """Return a dependency that gives an organization's API client with one of the scopes, or answers with a problem."""
    permitted = requires(verifier, *scopes)

    async def client(caller: Annotated[Caller, Depends(permitted)]) -> Caller:
        if not caller.organization_id:
            raise Problem(
                403, "organization-required", "A service cannot do this", "Use an API client of an organization."
            )
        return caller

    return client


def connects(verifier: Verifier) -> CallerOf:
    """Return a dependency that gives whoever may see connections; `check_may_change` says which they may change."""
    return tenant(verifier, CONNECT, ADMINISTER)


def check_may_change(caller: Caller, owner: Owner) -> None:
    """Answer with a problem where a connection is the organization's and the caller acts for no administrator."""
    if owner.host_id is None and ADMINISTER not in caller.scopes:
        raise Problem(
            403,
            "administrator-required",
            "Only an administrator may do this",
            "This is the organization's own connection, which all hosts share. Ask /oauth/token for a token with the "
            f"scope '{ADMINISTER}', and use it for administrators only; or name a host_id.",
        )


def service(verifier: Verifier, scope: str) -> CallerOf:
    """Return a dependency that gives a service, or answers with a problem; it may name any organization."""
    permitted = requires(verifier, scope)

    async def identity(caller: Annotated[Caller, Depends(permitted)]) -> Caller:
        if caller.organization_id:
            raise Problem(403, "service-required", "Only a service can do this", "This path is internal.")
        return caller

    return identity
