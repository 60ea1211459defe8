"""Without its database the token endpoint answers in the form that its callers read (RFC 6749, section 5.2)."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretBytes

from auth_service.handlers.issuing import Issuing
from auth_service.http import oauth
from auth_service.mongo.clients import Clients
from auth_service.signing import SigningKeys
from convoke import mongo
from convoke.rate_limits import RateLimit


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Return the address of a database that takes connections and never answers."""

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    async with server:
        yield f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize("patience", [0.2, 20.0])
async def test_a_token_that_cannot_be_had_is_refused_in_the_form_of_the_rfc(
    silent: str, patience: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(oauth, "ISSUE_WITHIN", patience)
    keys = SigningKeys({"k1": SecretBytes(b"k" * 32)})
    client = mongo.connect(silent)
    app, issuing = FastAPI(), Issuing(Clients(mongo.database(client, "auth")), keys)
    app.include_router(oauth.oauth_router(issuing, keys, RateLimit(1, 60)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", timeout=30) as http:
        form = {"grant_type": "client_credentials", "audience": "notifier"}
        answer = await http.post("/oauth/token", data=form, auth=("client_x", "secret"))
    client.close()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["retry-after"]) > 0
