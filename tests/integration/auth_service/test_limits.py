"""Who guesses secrets, or only asks too often, is told to wait; what Zoom has signed never is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke.settings import load
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.replicas import Caller, MovableClock, replica
from tests.integration.auth_service.test_webhooks import changed, post

FEW = {"FAILED_LOGINS_PER_MINUTE": "3", "REQUESTS_PER_MINUTE": "20"}


@pytest.fixture
async def strict(environment: dict[str, str], clock: MovableClock, clients: Clients) -> AsyncIterator[Caller]:
    """A product at a replica that allows each address only a few requests a minute."""
    async with replica(load(Settings, environment | FEW), clock) as http:
        yield await product_of(http, clients)


def is_told_to_wait(answer: httpx.Response) -> bool:
    assert "retry-after" not in answer.headers or 0 < int(answer.headers["retry-after"]) <= 60
    return answer.status_code == 429 and "retry-after" in answer.headers


async def test_api2_a_guesser_of_secrets_is_told_to_wait_also_with_the_right_one(strict: Caller):
    guesser = replace(strict, secret="a guess")
    answers = [await guesser.ask_token() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert is_told_to_wait(await strict.ask_token()), "else the guesser would see which guess was right"


async def test_api2_guesses_side_by_side_are_counted_too(strict: Caller):
    guesser = replace(strict, secret="a guess")
    answers = await asyncio.gather(*(guesser.ask_token() for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 3 + [429] * 9


async def test_api4_right_credentials_count_no_guess(strict: Caller):
    assert [(await strict.ask_token()).status_code for _ in range(10)] == [200] * 10
    assert [(await strict.ask_token(audience="nowhere")).status_code for _ in range(5)] == [400] * 5


async def test_api4_the_callback_and_the_tokens_of_one_address_have_a_limit_together(strict: Caller):
    answers = [await strict.http.get("/v1/zoom/callback") for _ in range(15)]
    assert not any(map(is_told_to_wait, answers))
    answers = [await strict.ask_token() for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    page = await strict.http.get("/v1/zoom/callback")
    assert is_told_to_wait(page)
    assert page.headers["content-type"].startswith("text/html")


async def test_api4_authorizations_are_limited(strict: Caller):
    token = {"authorization": f"Bearer {await strict.token()}"}
    answers = [await strict.http.post("/v1/zoom/authorizations", json={}, headers=token) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [201] * 19 + [429]


async def test_api4_what_zoom_has_signed_is_taken_whoever_else_floods_the_path(strict: Caller):
    flood = [await post(strict.http, b"{}", secret="a guess") for _ in range(35)]
    assert [answer.status_code for answer in flood] == [401] * 30 + [429] * 5
    assert (await post(strict.http, changed())).status_code == 204
