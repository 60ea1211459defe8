"""Client credentials in, signed tokens out; and who may do what with them."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient

from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke import mongo
from convoke.identity import TokenVerifier
from convoke.settings import load
from tests.integration.auth_service.conftest import SCOPES, environment_of, key_of
from tests.integration.auth_service.replicas import PUBLIC_URL, SERVICE, SERVICE_SECRET, Caller, MovableClock, replica

SIGNING_KEY, RETIRED_KEY = (
    Ed25519PrivateKey.from_private_bytes(b"n" * 32),
    Ed25519PrivateKey.from_private_bytes(b"o" * 32),
)


@pytest.fixture(scope="module")
async def auth(
    rabbitmq_url: str, mongodb_url: str, worker_prefix: str, sandbox: str
) -> AsyncIterator[httpx.AsyncClient]:
    """One replica for all of these tests: none of them moves the clock or connects Zoom."""
    name = f"{worker_prefix}-tokens"
    settings = load(Settings, environment_of(rabbitmq_url, mongodb_url, name, sandbox))
    async with replica(settings, MovableClock()) as http:
        yield http
    async with AsyncMongoClient[dict[str, Any]](mongodb_url, readConcernLevel="majority") as client:
        await client.drop_database(name)


@pytest.fixture
async def clients(mongodb_url: str, worker_prefix: str) -> AsyncIterator[Clients]:
    client = mongo.connect(mongodb_url)
    yield Clients(mongo.database(client, f"{worker_prefix}-tokens"))
    client.close()


def signed(product: Caller, key: Any = SIGNING_KEY, kid: str = "new", algorithm: str = "EdDSA", **changes: Any) -> str:
    """Forge a token that is right in all but the changes."""
    now = int(time.time())
    claims = {
        "iss": "auth-service",
        "sub": product.client_id,
        "aud": "auth-service",
        "iat": now,
        "exp": now + 300,
        "scope": "zoom.connect",
        "organization_id": product.organization_id,
        **changes,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, algorithm, headers={"kid": kid})


async def answer_to(product: Caller, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await product.http.get("/v1/zoom/connections", headers=headers)).status_code


async def test_a_token_tells_who_holds_it_for_whom_and_for_how_long(product: Caller):
    answer = await product.ask_token("booking-service")
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["scope"]) == ("Bearer", " ".join(SCOPES))
    assert answer.headers["cache-control"] == "no-store"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["iss"] == "auth-service"
    assert claims["aud"] == "booking-service"
    assert claims["sub"] == product.client_id
    assert claims["organization_id"] == product.organization_id
    assert claims["exp"] - claims["iat"] == body["expires_in"] <= 300
    assert claims["jti"] != jwt.decode(await product.token(), options={"verify_signature": False})["jti"]
    assert jwt.get_unverified_header(body["access_token"])["alg"] == "EdDSA"


async def test_other_services_check_tokens_with_the_published_keys(product: Caller):
    verifier = TokenVerifier(product.http, PUBLIC_URL, "booking-service")
    caller = await verifier.verify(await product.token("booking-service"))
    assert (caller.client_id, caller.organization_id) == (product.client_id, product.organization_id)
    assert caller.scopes == set(SCOPES)


async def test_all_keys_are_published_without_their_private_halves_and_may_be_cached(auth: httpx.AsyncClient):
    answer = await auth.get("/.well-known/jwks.json")
    assert "max-age" in answer.headers["cache-control"]
    assert [key["kid"] for key in answer.json()["keys"]] == ["new", "old"]
    assert not [key for key in answer.json()["keys"] if "d" in key]


async def test_a_part_of_the_scopes_may_be_asked_for_and_more_may_not(product: Caller):
    assert (await product.ask_token(scope="bookings.read")).json()["scope"] == "bookings.read"
    refused = await product.ask_token(scope="bookings.read zoom.access-tokens")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


async def test_credentials_may_stand_in_the_form(product: Caller):
    form = {"grant_type": "client_credentials", "audience": "notifier"}
    credentials = {"client_id": product.client_id, "client_secret": product.secret}
    assert (await product.http.post("/oauth/token", data={**form, **credentials})).status_code == 200
    twice = await product.http.post("/oauth/token", data={**form, **credentials}, auth=(product.client_id, "x"))
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_request"),
        (b"grant_type=client_credentials", "invalid_target"),
        (b"grant_type=client_credentials&audience=nobody", "invalid_target"),
        (b"grant_type=password&audience=notifier", "unsupported_grant_type"),
        (b"grant_type=client_credentials&audience=notifier&audience=notifier", "invalid_request"),
        (b"grant_type=client_credentials&" + b"&".join(b"a%d=" % n for n in range(50)), "invalid_request"),
        (b"\xff\xfe", "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "invalid_request"),
    ],
)
async def test_a_malformed_token_request_is_told_what_is_wrong_with_it(body: bytes, error: str, product: Caller):
    answer = await product.http.post("/oauth/token", content=body, auth=(product.client_id, product.secret))
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == error
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"no-colon").decode()},
        {"authorization": "Basic " + base64.b64encode(b"client_x:\xff").decode()},
        {"authorization": "Basic " + base64.b64encode(b"client_x:secret").decode()},
        {"authorization": "Bearer x"},
    ],
)
async def test_without_good_credentials_there_is_no_token(header: dict[str, str], auth: httpx.AsyncClient):
    form = {"grant_type": "client_credentials", "audience": "notifier"}
    answer = await auth.post("/oauth/token", data=form, headers=header)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


SCHEMES = st.sampled_from([b"Basic ", b"basic  ", b"Basic\t", b"Basic", b"Bearer ", b""])
CREDENTIALS = st.binary() | st.binary().map(base64.b64encode) | st.text().map(str.encode).map(base64.b64encode)


@hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
@given(header=st.builds(bytes.__add__, SCHEMES, CREDENTIALS))
@example(header=b"Basic \xe9")
@example(header=b"Basic ====")
async def test_no_authorization_header_gets_anything_but_a_refusal(auth: httpx.AsyncClient, header: bytes):
    form = {"grant_type": "client_credentials", "audience": "notifier"}
    answer = await auth.post("/oauth/token", data=form, headers=[(b"authorization", header)])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_wrong_secret_and_a_revoked_client_are_refused_alike(product: Caller, clients: Clients):
    wrong = await Caller(product.http, product.client_id, product.secret + "x").ask_token()
    assert (await product.ask_token()).status_code == 200
    await clients.revoke(product.client_id)
    revoked = await product.ask_token()
    assert (wrong.status_code, wrong.json()) == (revoked.status_code, revoked.json())
    assert wrong.status_code == 401


FORGERIES: dict[str, Callable[[Caller], str]] = {
    "expired": lambda product: signed(product, exp=int(time.time()) - 60),
    "for another audience": lambda product: signed(product, aud="booking-service"),
    "from another issuer": lambda product: signed(product, iss="somebody"),
    "with a key of its own": lambda product: signed(product, Ed25519PrivateKey.generate()),
    "with a key id that nobody has": lambda product: signed(product, kid="made-up"),
    "with another key's id": lambda product: signed(product, RETIRED_KEY, "new"),
    "unsigned": lambda product: signed(product, None, algorithm="none"),
    "signed with the public key as a password": lambda product: signed(
        product, SIGNING_KEY.public_key().public_bytes_raw(), algorithm="HS256"
    ),
    "without an end": lambda product: signed(product, exp=None),
    "garbage": lambda _: "a.b.c",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_asvs_9_1_2_9_1_3_10_3_1_a_forged_token_is_refused(forgery: str, product: Caller):
    assert await answer_to(product, FORGERIES[forgery](product)) == 401


async def test_a_token_of_the_retired_key_is_good_until_that_key_is_taken_away(product: Caller):
    assert await answer_to(product, signed(product)) == 200
    assert await answer_to(product, signed(product, RETIRED_KEY, "old")) == 200


async def test_a_token_without_the_scope_is_refused(product: Caller):
    assert await answer_to(product, signed(product, scope="bookings.read")) == 403


async def test_asvs_10_1_1_only_a_service_gets_zooms_tokens_and_no_service_connects_zoom(
    product: Caller, meeting_service: Caller
):
    body = {"organization_id": product.organization_id, "host_id": "hst_1"}
    forged = {"authorization": f"Bearer {signed(product, scope='zoom.access-tokens')}"}
    assert (await product.access_token(**body)).status_code == 403
    assert (await product.http.post("/internal/v1/zoom/access-tokens", json=body, headers=forged)).status_code == 403
    assert (await meeting_service.call("GET", "/v1/zoom/connections")).status_code == 403
    service = {"authorization": f"Bearer {signed(meeting_service, organization_id=None)}"}
    assert (await product.http.get("/v1/zoom/connections", headers=service)).status_code == 403


async def test_a_services_identity_follows_the_settings_also_when_its_secret_changes(
    environment: dict[str, str], clock: MovableClock
):
    changed = {**environment, "SERVICE_CLIENTS": f"{SERVICE}=another=zoom.access-tokens"}
    for environ, good, bad in ((environment, SERVICE_SECRET, "another"), (changed, "another", SERVICE_SECRET)):
        for _ in range(2):
            async with replica(load(Settings, environ), clock) as http:
                assert (await Caller(http, SERVICE, good).ask_token()).status_code == 200
                assert (await Caller(http, SERVICE, bad).ask_token()).status_code == 401


async def test_signing_keys_and_secrets_never_show_in_the_interface_description(auth: httpx.AsyncClient):
    described = json.dumps((await auth.get("/openapi.json")).json())
    assert "/oauth/token" in described
    assert key_of(b"n") not in described
