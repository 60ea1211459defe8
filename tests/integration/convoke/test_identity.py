"""Tokens against published keys: who is let in, what a look for keys costs, and what auth-service's absence means."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import Depends, FastAPI
from jwt.algorithms import OKPAlgorithm

from convoke import identity
from convoke.identity import Caller, KeysUnavailable, ServiceToken, TokenVerifier, requires
from convoke.problems import answer_with_problems
from tests.support.eventually import eventually

AUDIENCE = "booking-service"
CALLER = Caller("client_1", "org_1", frozenset({"bookings.read", "bookings.write"}))


class AuthService:
    """What auth-service publishes and gives out, over real HTTP; it counts what it is asked."""

    def __init__(self) -> None:
        self.keys = {"k1": Ed25519PrivateKey.generate()}
        self.away = False
        self.key_fetches = 0
        self.token_requests: list[tuple[str, str]] = []
        self.tokens_live_for = 300
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.key_fetches += 1
                self._answer({"keys": [server.published(kid) for kid in server.keys]})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                server.token_requests.append((self.headers["authorization"], body))
                lives = server.tokens_live_for
                self._answer({"access_token": f"token-{len(server.token_requests)}", "expires_in": lives})

            def _answer(self, body: dict[str, Any]) -> None:
                self.send_response(503 if server.away else 200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def run(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def published(self, kid: str) -> dict[str, Any]:
        public = OKPAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        return {**public, "kid": kid, "alg": "EdDSA", "use": "sig"}

    def token(self, kid: str = "k1", *, signed_by: Ed25519PrivateKey | None = None, **changes: Any) -> str:
        claims = {
            "iss": "auth-service",
            "aud": AUDIENCE,
            "sub": "client_1",
            "organization_id": "org_1",
            "scope": "bookings.read bookings.write",
            "exp": time.time() + 300,
            **changes,
        }
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, signed_by or self.keys[kid], algorithm="EdDSA", headers={"kid": kid})


@pytest.fixture
def auth() -> Iterator[AuthService]:
    auth = AuthService()
    auth.run()
    yield auth
    auth.stop()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        yield http


@pytest.fixture
def verifier(auth: AuthService, http: httpx.AsyncClient) -> TokenVerifier:
    return TokenVerifier(http, auth.url, AUDIENCE)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what lets seconds pass for the module `identity`, and only for it."""
    now = SimpleNamespace(seconds=1_000.0)
    monkeypatch.setattr(identity, "time", SimpleNamespace(monotonic=lambda: now.seconds))

    def pass_by(seconds: float) -> None:
        now.seconds += seconds

    return pass_by


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
