"""Zoom's token endpoint and its revocation: Basic client authentication, form bodies only (Zoom: OAuth 2.0)."""

import base64
import secrets
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zoom_sandbox.answers import Answer, oauth_refusal
from zoom_sandbox.delivery import deliver
from zoom_sandbox.grants import Issued
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.tokens import ACCESS_LIFE

Form = dict[str, str]
# Live answers say 3599 or 3600; the odd one catches clients that expect the round number.
ANSWERED_LIFE = int(ACCESS_LIFE.total_seconds()) - 1


def oauth_routes(sandbox: Sandbox) -> list[Route]:
    return [
        _route(sandbox, "token", "/oauth/token", _token),
        _route(sandbox, "revoke", "/oauth/revoke", _revoke),
    ]


def _route(sandbox: Sandbox, operation: str, path: str, act: Callable[[Sandbox, Request, Form], Answer]) -> Route:
    async def endpoint(request: Request) -> Response:
        form = _form(request, await request.body())
        credential = form.get("refresh_token") or form.get("code") or form.get("token") or ""
        owner = sandbox.grants.owner_of(credential)

        def perform() -> Answer:
            _require_client(sandbox, request)
            return act(sandbox, request, form)

        return await deliver(sandbox, request, operation, owner, perform)

    return Route(path, endpoint, methods=["POST"], name=operation)


def _token(sandbox: Sandbox, request: Request, form: Form) -> Answer:
    match form.get("grant_type"):
        case "authorization_code":
            issued = sandbox.grants.exchange(
                form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier", "")
            )
        case "refresh_token":
            switches = sandbox.switches
            issued = sandbox.grants.rotate(
                form.get("refresh_token", ""),
                grace=switches.refresh_grace,
                end_access=switches.refresh_ends_access_token,
            )
        case None | "":
            raise oauth_refusal(400, "Missing grant type", "invalid_request")
        case _:
            raise oauth_refusal(400, "unsupported grant type", "unsupported_grant_type")
    return Answer(200, _token_answer(issued, api_url(sandbox, request)))


def _revoke(sandbox: Sandbox, _: Request, form: Form) -> Answer:
    sandbox.grants.revoke(form.get("token", ""))
    return Answer(200, {"status": "success"})


def api_url(sandbox: Sandbox, request: Request) -> str:
    return sandbox.settings.zoom_sandbox_public_url or str(request.base_url).rstrip("/")


def _token_answer(issued: Issued, address: str) -> dict[str, str | int]:
    return {
        "access_token": issued.access.value,
        "token_type": "bearer",
        "refresh_token": issued.refresh.value,
        "expires_in": ANSWERED_LIFE,
        "scope": " ".join(issued.access.grant.scopes),
        "api_url": address,
    }


def _form(request: Request, body: bytes) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _require_client(sandbox: Sandbox, request: Request) -> None:
    settings = sandbox.settings
    expected = f"{settings.zoom_client_id}:{settings.zoom_client_secret.get_secret_value()}".encode()
    if not secrets.compare_digest(_basic(request), expected):
        status = sandbox.switches.invalid_client_status
        raise oauth_refusal(status, "Invalid client_id or client_secret", "invalid_client")


def _basic(request: Request) -> bytes:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""
