"""Zoom's OAuth endpoints and users/me, and nothing else of Zoom. No retries in here: the callers know what is safe.

Errors, by what the caller does next:
    ZoomUnavailable  no certain answer: the effect may have happened
    GrantRefused     the code or the token is dead: the owner must connect
    AppRefused       Zoom refuses this installation, not this owner: an operator must look
    AccessRefused    the access token may not read the user: a permission is missing
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Plan, Tokens, ZoomUser
from auth_service.domain.refusals import DEAD_GRANTS, Reason, reason_of
from convoke import outgoing
from convoke.clock import Clock, utc_now

log: BoundLogger = get_logger(__name__)

ANSWER_WITHIN = 25.0
"""Seconds for a whole call. Long, since a rotation whose answer we did not await costs the connection."""

LARGEST_ANSWER = 200_000
_HOST = re.compile(r"[a-z0-9.-]+")
"""Stricter than urlsplit, which takes `evil.example\\.zoom.us` for a host; others may not."""

INVALID_TOKEN = 124
"""Zoom's code (zoom.md 2.3)."""

PLANS: dict[int, Plan] = {1: "basic", 2: "licensed", 4: "unassigned"}


class ZoomUnavailable(Exception):
    """Zoom did not answer, or not with what it documents."""


class GrantRefused(Exception):
    """Zoom no longer takes this code or token, for one of DEAD_GRANTS."""

    def __init__(self, said: str, reason: Reason = "code-refused") -> None:
        super().__init__(said)
        self.reason: str = reason


class AppRefused(Exception):
    """Zoom refuses the app, our client id, secret or redirect address."""

    def __init__(self, said: str, reason: Reason | None = None) -> None:
        super().__init__(said)
        self.reason: str = reason or "app-refused"


class AccessRefused(Exception):
    """The owner did not allow reading who they are."""


class _TokenAnswer(BaseModel):
    """RFC 6749, 5.1, as Zoom gives it (zoom.md 1.1)."""

    model_config = ConfigDict(extra="ignore")
    access_token: str = Field(min_length=1, max_length=20_000)
    refresh_token: str = Field(min_length=1, max_length=20_000)
    expires_in: int = Field(ge=1, le=366 * 86_400)
    scope: str = ""
    api_url: str | None = None


class _Me(BaseModel):
    """The few fields of users/me that we keep (zoom.md 2.2)."""

    model_config = ConfigDict(extra="ignore")
    id: str = Field(min_length=1)
    account_id: str = ""
    email: str = ""
    type: int | None = None

    @field_validator("email", "account_id", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return "" if value is None else value


class Zoom:
    """One registered Zoom app."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        oauth_url: str,
        api_url: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        consent_url: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._http = http
        self._oauth_url = oauth_url
        self._api_url = api_url
        self._client_id = client_id
        self._credentials = httpx.BasicAuth(client_id, client_secret)
        self._redirect_uri = redirect_uri
        self.consent_url = consent_url or oauth_url
        self._clock = clock

    def authorization_url(self, state: str, code_challenge: str) -> str:
        """Return Zoom's consent page; without `scope`, which Zoom takes from the app's registration (zoom.md 1.1)."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.consent_url}/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, code_verifier: str) -> Tokens:
        """Trade a code for tokens. Raises ZoomUnavailable, GrantRefused or AppRefused."""
        return await self._tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": code_verifier,
            }
        )

    async def refresh(self, refresh_token: str) -> Tokens:
        """Trade a refresh token for a new pair. Raises ZoomUnavailable, GrantRefused or AppRefused.

        After ZoomUnavailable the old token may be spent.
        """
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def revoke(self, access_token: str) -> None:
        """End what the owner has allowed. Raises ZoomUnavailable, GrantRefused (it has ended) or AppRefused."""
        async with certain_answers():
            answer = await self._http.post(
                f"{self._oauth_url}/oauth/revoke", data={"token": access_token}, auth=self._credentials
            )
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)

    async def me(self, tokens: Tokens) -> ZoomUser:
        """Return whose tokens these are. Raises ZoomUnavailable, AccessRefused, or GrantRefused if they ended."""
        headers = {"Authorization": f"Bearer {tokens.access}"}
        async with certain_answers():
            answer = await self._http.get(f"{tokens.api_url}/v2/users/me", headers=headers)
        if _json(answer).get("code") == INVALID_TOKEN:
            raise GrantRefused(_reason(answer))
        if answer.status_code in (400, 401, 403):
            raise AccessRefused(_reason(answer))
        if answer.status_code != httpx.codes.OK:
            raise ZoomUnavailable(f"users/me answered {answer.status_code}")
        user = _parsed(_Me, answer)
        return ZoomUser(user.id, user.account_id, user.email, PLANS.get(user.type or 0, "unknown"))

    async def _tokens(self, form: dict[str, str]) -> Tokens:
        async with certain_answers():
            answer = await self._http.post(f"{self._oauth_url}/oauth/token", data=form, auth=self._credentials)
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        body = _parsed(_TokenAnswer, answer)
        return Tokens(
            access=body.access_token,
            refresh=body.refresh_token,
            expires_at=self._clock() + timedelta(seconds=body.expires_in),
            scopes=tuple(body.scope.split()),
            api_url=self._allowed(body.api_url),
        )

    def _allowed(self, api_url: str | None) -> str:
        """Return the regional address where it is Zoom's, else the general one, which always works (zoom.md 1.1)."""
        if api_url is None:
            return self._api_url
        origin = origin_of(api_url)
        if origin and (is_zooms(origin) or origin in (origin_of(self._api_url), origin_of(self._oauth_url))):
            return origin
        log.warning("zoom.api_url_refused", host=str(urlsplit(api_url).hostname) if origin else "")
        return self._api_url


def http_client(*addresses: str) -> httpx.AsyncClient:
    """Return a client for Zoom and, for other installations of it, `addresses`; with explicit time-outs.

    No connection is kept open: the answer to a rotation would be lost on one that Zoom is just closing.
    """
    timeout = httpx.Timeout(connect=3, read=20, write=5, pool=5)
    return outgoing.client(timeout=timeout, addresses=addresses, domains=["zoom.us"], kept_open=0)


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an address that consists of nothing else; None for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or not _HOST.fullmatch(host) or parts.path not in ("", "/") or any(mark in url for mark in "@?#"):
        return None
    return f"{parts.scheme}://{host}:{port}" if port else f"{parts.scheme}://{host}"


def is_zooms(origin: str) -> bool:
    """Tell whether an origin is https on zoom.us or on a host below it."""
    return origin == "https://zoom.us" or (origin.startswith("https://") and origin.endswith(".zoom.us"))


@asynccontextmanager
async def certain_answers() -> AsyncIterator[None]:
    """Bound a call in time. Raises ZoomUnavailable where no answer came."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            yield
    except (TimeoutError, httpx.HTTPError) as error:
        raise ZoomUnavailable(type(error).__name__) from error


def _refusal(answer: httpx.Response) -> Exception:
    """Return what a refusal of the token endpoint means (zoom.md 1.3); its bodies carry `reason` and `error`."""
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return ZoomUnavailable(f"the token endpoint answered {answer.status_code}")
    body = _json(answer)
    error, words = str(body.get("error", "")), str(body.get("reason", ""))
    reason = reason_of(f"{body.get('code', '')} {error} {words}")
    if reason in DEAD_GRANTS:
        return GrantRefused(error, reason)
    if error == "invalid_grant" or (error == "invalid_request" and words in _WORDS_OF_DEAD_GRANTS):
        return GrantRefused(error)
    return AppRefused(f"{answer.status_code} {error[:40]}", reason)


_WORDS_OF_DEAD_GRANTS = ("Invalid Token!", "Invalid authorization code")


def _reason(answer: httpx.Response) -> str:
    return f"{answer.status_code} {_json(answer).get('code', '')}"


def _parsed(model: type[Any], answer: httpx.Response) -> Any:
    try:
        return model.model_validate_json(answer.content[:LARGEST_ANSWER])
    except ValidationError as error:
        fields = " ".join(str(problem["loc"]) for problem in error.errors()[:3])
        raise ZoomUnavailable(f"an answer that cannot be read: {fields}") from None


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
