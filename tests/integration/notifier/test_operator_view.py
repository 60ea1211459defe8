"""What an operator sees of the mails of a booking, and who else does not."""

import json
import time
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import OKPAlgorithm

from convoke import mongo
from convoke.clock import utc_now
from convoke.identity import ALGORITHM, ISSUER, TokenVerifier
from convoke.problems import answer_with_problems
from convoke.vault import Vault
from notifier.http import deliveries_router
from notifier.mongo.correspondence import Correspondences
from notifier.settings import Settings
from tests.integration.notifier.conftest import Publish, settled
from tests.unit.notifier.bookings import JOIN_URL, PASSCODE, Story

KEY = Ed25519PrivateKey.generate()


def bearer(scope: str = "notifier.read", organization_id: str = "", audience: str = "notifier") -> dict[str, str]:
    claims = {
        "iss": ISSUER, "aud": audience, "sub": "operator", "scope": scope, "organization_id": organization_id,
        "exp": int(time.time()) + 60,
    }  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, ALGORITHM, {'kid': 'k'})}"}


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the operator's path, whose tokens are checked against keys published as auth-service does."""
    keys = FastAPI()
    published = json.loads(OKPAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k", "alg": ALGORITHM}
    keys.add_api_route("/.well-known/jwks.json", lambda: {"keys": [published]})
    database = mongo.connect(settings.mongodb_url.get_secret_value())
    store = Correspondences(
        mongo.database(database, settings.mongodb_database), Vault(settings.encryption_keys), utc_now
    )
    app = FastAPI()
    answer_with_problems(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(keys)) as auth_service:
        app.include_router(deliveries_router(store, TokenVerifier(auth_service, "http://auth.example", "notifier")))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notifier.example") as caller:
            yield caller
    database.close()


@pytest.fixture(scope="module")
async def mailed(notifier: None, publish: Publish, collection: mongo.Collection) -> Story:  # noqa: ARG001
    """A booking whose both sides have their mail."""
    story = Story()
    await publish(story.ready())
    await settled(collection, story)
    return story


async def test_the_states_are_shown_without_content(client: httpx.AsyncClient, mailed: Story) -> None:
    """Kind, side and state of each mail; no link, no passcode, no address."""
    answer = await client.get("/internal/v1/deliveries", params={"booking_id": mailed.booking_id}, headers=bearer())
    assert answer.status_code == 200
    assert [(row["recipient"], row["kind"], row["state"]) for row in answer.json()["deliveries"]] == [
        ("host", "confirmation", "sent"),
        ("invitee", "confirmation", "sent"),
    ]
    for secret in (JOIN_URL, PASSCODE, mailed.host_email, mailed.invitee_email):
        assert secret not in answer.text


async def test_a_tenant_sees_its_own_only(client: httpx.AsyncClient, mailed: Story) -> None:
    """Another organization's booking is as unknown as one that does not exist."""
    params = {"booking_id": mailed.booking_id}
    own = await client.get(
        "/internal/v1/deliveries", params=params, headers=bearer("notifier.read", mailed.organization_id)
    )
    other = await client.get("/internal/v1/deliveries", params=params, headers=bearer("notifier.read", "org_other"))
    assert (own.status_code, other.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("token", "params", "status"),
    [
        (None, {"booking_id": "bkg_1"}, 401),
        ({"scope": "bookings.read"}, {"booking_id": "bkg_1"}, 403),
        ({"audience": "booking-service"}, {"booking_id": "bkg_1"}, 401),
        ({}, {"booking_id": "bkg_unknown"}, 404),
        ({}, {}, 422),
        ({}, {"booking_id": "x" * 101}, 422),
    ],
)
async def test_who_may_not_or_asks_wrongly_gets_a_problem(
    client: httpx.AsyncClient, token: dict[str, str] | None, params: dict[str, str], status: int
) -> None:
    """With a reason and never a 5xx."""
    headers = {} if token is None else bearer(**token)
    answer = await client.get("/internal/v1/deliveries", params=params, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
