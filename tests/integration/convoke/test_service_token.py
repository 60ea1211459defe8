"""A service's own token: asked for once for all who need it, renewed ahead of its end, and had again after failures."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from convoke import identity
from convoke.identity import ServiceToken
from tests.integration.convoke.issuer import AUDIENCE, AuthService
from tests.support.eventually import eventually


@pytest.fixture
def service_token(auth: AuthService, http: httpx.AsyncClient) -> ServiceToken:
    return ServiceToken(http, auth.url, "meeting-service", "its secret", AUDIENCE)


async def test_fifty_that_need_the_services_own_token_ask_for_it_once(auth: AuthService, service_token: ServiceToken):
    assert set(await asyncio.gather(*(service_token.get() for _ in range(50)))) == {"token-1"}
    [(authorization, form)] = auth.token_requests
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"meeting-service:its secret"
    assert form == f"grant_type=client_credentials&audience={AUDIENCE}"


async def test_the_services_own_token_is_renewed_ahead_of_its_end(service_token: ServiceToken, later: Any):
    assert await service_token.get() == "token-1"
    later(300 - identity.RENEW_BEFORE - 1)
    assert await service_token.get() == "token-1"
    later(2)
    assert await service_token.get() == "token-2"


async def test_a_short_lived_token_is_not_fetched_for_every_request(
    auth: AuthService, service_token: ServiceToken, later: Any
):
    auth.tokens_live_for = 30
    assert await service_token.get() == await service_token.get() == "token-1"
    later(1.1)
    assert await service_token.get() == "token-2"


async def test_a_refused_token_is_forgotten(service_token: ServiceToken):
    await service_token.get()
    service_token.forget()
    assert await service_token.get() == "token-2"


async def test_a_token_that_cannot_be_had_is_an_http_error_and_the_next_try_asks_again(
    auth: AuthService, service_token: ServiceToken
):
    auth.away = True
    with pytest.raises(httpx.HTTPStatusError):
        await service_token.get()
    auth.away = False
    assert await service_token.get() == "token-2"


@pytest.fixture
async def hanging() -> AsyncIterator[str]:
    """Return the address of an auth-service that takes connections and never answers."""

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_sixteen_that_wait_for_an_auth_service_that_hangs_wait_as_long_as_one(hanging: str):
    async with httpx.AsyncClient(timeout=0.5, trust_env=False) as http:
        token = ServiceToken(http, hanging, "meeting-service", "its secret", AUDIENCE)
        async with asyncio.timeout(2):
            outcomes = await asyncio.gather(*(token.get() for _ in range(16)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [httpx.ReadTimeout] * 16


async def test_who_comes_after_a_failed_fetch_asks_again(auth: AuthService, service_token: ServiceToken):
    auth.away = True
    outcomes = await asyncio.gather(*(service_token.get() for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [httpx.HTTPStatusError] * 5
    assert len(auth.token_requests) == 1
    with pytest.raises(httpx.HTTPStatusError):
        await service_token.get()
    auth.away = False
    assert set(await asyncio.gather(*(service_token.get() for _ in range(5)))) == {"token-3"}


async def test_a_wait_that_is_given_up_leaves_the_others_a_token(auth: AuthService, service_token: ServiceToken):
    first, second = (asyncio.create_task(service_token.get()) for _ in range(2))
    await eventually(lambda: auth.token_requests, every=0)
    first.cancel()
    assert await second == f"token-{len(auth.token_requests)}"
