"""Tokens against published keys: who is let in, what a look for keys costs, and what auth-service's absence means."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import Depends, FastAPI

from convoke import identity
from convoke.identity import Caller, KeysUnavailable, TokenVerifier, requires
from convoke.problems import answer_with_problems
from tests.integration.convoke.issuer import AUDIENCE, AuthService

CALLER = Caller("client_1", "org_1", frozenset({"bookings.read", "bookings.write"}))


@pytest.fixture
def verifier(auth: AuthService, http: httpx.AsyncClient) -> TokenVerifier:
    return TokenVerifier(http, auth.url, AUDIENCE)


async def test_a_token_tells_who_holds_it(auth: AuthService, verifier: TokenVerifier):
    assert await verifier.verify(auth.token()) == CALLER
    assert await verifier.verify(auth.token(organization_id=None, scope=None)) == Caller("client_1", "", frozenset())


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"exp": time.time() - 3_600}, jwt.ExpiredSignatureError),
        ({"exp": None}, jwt.MissingRequiredClaimError),
        ({"aud": "auth-service"}, jwt.InvalidAudienceError),
        ({"aud": None}, jwt.MissingRequiredClaimError),
        ({"iss": "https://evil.example"}, jwt.InvalidIssuerError),
        ({"iss": None}, jwt.MissingRequiredClaimError),
        ({"sub": None}, jwt.MissingRequiredClaimError),
        ({"nbf": time.time() + 3_600}, jwt.ImmatureSignatureError),
    ],
)
async def test_a_token_with_a_wrong_or_missing_claim_is_refused(
    auth: AuthService, verifier: TokenVerifier, changes: dict[str, Any], refusal: type[Exception]
):
    with pytest.raises(refusal):
        await verifier.verify(auth.token(**changes))


async def test_two_clocks_may_differ_by_the_leeway_and_not_more(auth: AuthService, verifier: TokenVerifier):
    assert await verifier.verify(auth.token(exp=time.time() - identity.LEEWAY + 5)) == CALLER
    with pytest.raises(jwt.ExpiredSignatureError):
        await verifier.verify(auth.token(exp=time.time() - identity.LEEWAY - 5))


async def test_a_key_of_somebody_else_under_our_key_id_is_refused(auth: AuthService, verifier: TokenVerifier):
    with pytest.raises(jwt.InvalidSignatureError):
        await verifier.verify(auth.token(signed_by=Ed25519PrivateKey.generate()))


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def forged(auth: AuthService, algorithm: str) -> str:
    """Return a token of ours, whole but for its algorithm; HMAC takes the published key for its secret."""
    signing_input = f"{part({'alg': algorithm, 'kid': 'k1', 'typ': 'JWT'})}.{auth.token().split('.')[1]}"
    public = auth.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = hmac.new(public, signing_input.encode(), hashlib.sha256).digest() if algorithm == "HS256" else b""
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
async def test_asvs_9_1_2_no_other_algorithm_is_let_in(auth: AuthService, verifier: TokenVerifier, algorithm: str):
    with pytest.raises(jwt.InvalidAlgorithmError):
        await verifier.verify(forged(auth, algorithm))


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "é.é.é", "x" * 10_000])
async def test_what_is_no_token_is_refused_without_a_look_for_keys(
    auth: AuthService, verifier: TokenVerifier, token: str
):
    with pytest.raises(jwt.InvalidTokenError):
        await verifier.verify(token)
    assert auth.key_fetches == 0


async def test_fifty_requests_at_once_fetch_the_keys_once(auth: AuthService, verifier: TokenVerifier):
    assert await asyncio.gather(*(verifier.verify(auth.token()) for _ in range(50))) == [CALLER] * 50
    assert auth.key_fetches == 1


async def test_made_up_key_ids_cost_one_fetch_in_five_seconds(auth: AuthService, verifier: TokenVerifier, later: Any):
    async def knock(number: int) -> None:
        with pytest.raises(jwt.InvalidTokenError, match="is published"):
            await verifier.verify(auth.token(f"made-up-{number}", signed_by=auth.keys["k1"]))

    await verifier.verify(auth.token())
    later(5.1)
    await asyncio.gather(*map(knock, range(20)))
    assert auth.key_fetches == 2
    later(4.8)
    await knock(21)
    assert auth.key_fetches == 2
    later(0.3)
    await knock(22)
    assert auth.key_fetches == 3


async def test_a_rotated_key_is_picked_up_and_a_withdrawn_one_is_refused(
    auth: AuthService, verifier: TokenVerifier, later: Any
):
    old = auth.token()
    await verifier.verify(old)
    auth.keys["k2"] = Ed25519PrivateKey.generate()
    later(5.1)
    assert await verifier.verify(auth.token("k2")) == await verifier.verify(old) == CALLER
    del auth.keys["k1"]
    later(identity.KEYS_ARE_FRESH_FOR + 1)
    with pytest.raises(jwt.InvalidTokenError, match="no key 'k1'"):
        await verifier.verify(old)


async def test_known_keys_still_count_while_auth_service_is_away(
    auth: AuthService, verifier: TokenVerifier, later: Any
):
    await verifier.verify(auth.token())
    auth.away = True
    later(identity.KEYS_ARE_FRESH_FOR + 1)
    assert await verifier.verify(auth.token()) == CALLER
    assert auth.key_fetches == 2


async def test_asvs_9_1_3_without_keys_nobody_is_let_in_and_nobody_waits_in_a_queue(
    auth: AuthService, verifier: TokenVerifier, later: Any
):
    auth.away = True
    outcomes = await asyncio.gather(*(verifier.verify(auth.token()) for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {KeysUnavailable}
    assert auth.key_fetches == 1
    auth.away = False
    later(identity.ASK_AGAIN_AFTER + 0.1)
    assert await verifier.verify(auth.token()) == CALLER


@pytest.fixture
async def api(verifier: TokenVerifier) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    answer_with_problems(app)

    @app.get("/")
    async def who(caller: Annotated[Caller, Depends(requires(verifier, "bookings.read"))]) -> str:
        return caller.organization_id

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_the_right_scope_is_let_in_and_another_is_not(auth: AuthService, api: httpx.AsyncClient):
    let_in = await api.get("/", headers={"authorization": f"bearer {auth.token()}"})
    assert (let_in.status_code, let_in.json()) == (200, "org_1")
    kept_out = await api.get("/", headers={"authorization": f"Bearer {auth.token(scope='bookings.readers')}"})
    assert (kept_out.status_code, kept_out.json()["type"]) == (403, "missing-scope")
    assert "bookings.read" in kept_out.json()["detail"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c"])
async def test_who_brings_no_valid_token_is_told_how_to_get_one(api: httpx.AsyncClient, header: str | None):
    answer = await api.get("/", headers={} if header is None else {"authorization": header})
    assert (answer.status_code, answer.json()["type"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_is_told_apart(auth: AuthService, api: httpx.AsyncClient):
    answer = await api.get("/", headers={"authorization": f"Bearer {auth.token(exp=1)}"})
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_a_token_for_another_service_is_told_which_to_ask_for(auth: AuthService, api: httpx.AsyncClient):
    answer = await api.get("/", headers={"authorization": f"Bearer {auth.token(aud='notifier')}"})
    assert answer.status_code == 401
    assert answer.json()["detail"] == (
        "The token is for the audience 'notifier'; ask auth-service's /oauth/token for one with "
        "audience=booking-service."
    )


async def test_tokens_that_cannot_be_checked_are_503(auth: AuthService, api: httpx.AsyncClient):
    auth.away = True
    answer = await api.get("/", headers={"authorization": f"Bearer {auth.token()}"})
    assert (answer.status_code, answer.json()["type"]) == (503, "keys-unavailable")
    assert int(answer.headers["retry-after"]) > 0
