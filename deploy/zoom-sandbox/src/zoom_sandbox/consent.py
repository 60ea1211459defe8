"""The pages on which a Zoom user lets the app in: consent, Marketplace install, and the refusal to show either.

Zoom: OAuth 2.0 (authorize), Using apps (pre-approval), OAuth error messages.
"""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from zoom_sandbox.grants import ChallengeMethod
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.users import User

ECHOED = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")


class ConsentError(Exception):
    """The page cannot be shown; the app's callback is not called."""


def consent_routes(sandbox: Sandbox) -> list[Route]:
    async def ask(request: Request) -> Response:
        return _page_or_error(sandbox, dict(request.query_params), "/oauth/authorize")

    async def decide(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        return _decided(sandbox, form)

    async def offer(request: Request) -> Response:
        return _page_or_error(sandbox, _installation(sandbox, request.query_params), "/marketplace/install")

    async def install(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        return _decided(sandbox, _installation(sandbox, form))

    return [
        Route("/oauth/authorize", ask, methods=["GET"]),
        Route("/oauth/authorize", decide, methods=["POST"]),
        Route("/marketplace/install", offer, methods=["GET"]),
        Route("/marketplace/install", install, methods=["POST"]),
    ]


def callback_address(sandbox: Sandbox, asked: Mapping[str, str]) -> str:
    """Record a user's decision and return the address of the app's callback.

    Raises ConsentError where Zoom shows a page of its own instead.
    """
    _check(sandbox, asked)
    answer = {"error": "access_denied"} if asked.get("decision") != "allow" else _granted(sandbox, asked)
    if asked.get("state"):
        answer["state"] = asked["state"]
        sandbox.grants.states_heard.append(asked["state"])
    address = asked["redirect_uri"]
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(answer)}"


def _granted(sandbox: Sandbox, asked: Mapping[str, str]) -> dict[str, str]:
    user = sandbox.users.get(asked.get("user_id", ""))
    if user is None:
        raise ConsentError("Sign in as one of the users of this sandbox.")
    method: ChallengeMethod = "S256" if asked.get("code_challenge_method") == "S256" else "plain"
    challenge = asked.get("code_challenge") or None
    return {"code": sandbox.grants.authorize(user, asked["redirect_uri"], challenge, method)}


def _check(sandbox: Sandbox, asked: Mapping[str, str]) -> None:
    """Refuse as Zoom's page does; `scope` is ignored, the app's configuration decides."""
    settings = sandbox.settings
    if asked.get("client_id") != settings.zoom_client_id:
        raise ConsentError("Invalid client_id. (4,702)")
    if asked.get("redirect_uri") not in settings.zoom_redirect_uris:
        raise ConsentError("Invalid redirect. (4,709)")
    if asked.get("response_type") != "code":
        raise ConsentError("Invalid response_type: code is the only one.")
    if asked.get("code_challenge_method", "plain") not in ("", "plain", "S256"):
        raise ConsentError("Invalid code_challenge_method: plain or S256.")
    if sandbox.switches.pre_approval_required:
        raise ConsentError(
            f"You cannot authorize {settings.zoom_sandbox_app_name}. "
            "Your account's administrator must pre-approve this app first."
        )


def _installation(sandbox: Sandbox, asked: Mapping[str, str]) -> dict[str, str]:
    """Turn a Marketplace install into a consent that the app never asked for, so without state."""
    return {
        "response_type": "code",
        "client_id": sandbox.settings.zoom_client_id,
        "redirect_uri": asked.get("redirect_uri") or sandbox.settings.zoom_redirect_uris[0],
        "user_id": asked.get("user_id", ""),
        "decision": asked.get("decision", "allow"),
    }


def _decided(sandbox: Sandbox, form: Mapping[str, str]) -> Response:
    try:
        return RedirectResponse(callback_address(sandbox, form), status_code=302)
    except ConsentError as refused:
        return _error_page(refused)


def _page_or_error(sandbox: Sandbox, asked: Mapping[str, str], action: str) -> Response:
    try:
        _check(sandbox, asked)
    except ConsentError as refused:
        return _error_page(refused)
    return HTMLResponse(_page(sandbox, asked, action))


def _error_page(refused: ConsentError) -> Response:
    text = escape(str(refused))
    status = 200 if text.startswith("You cannot authorize") else 400
    return HTMLResponse(_framed(f"<h1>Zoom sandbox</h1><p>{text}</p>"), status)


def _page(sandbox: Sandbox, asked: Mapping[str, str], action: str) -> str:
    app = escape(sandbox.settings.zoom_sandbox_app_name)
    echoed = "".join(
        f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in ECHOED if name in asked
    )
    users = list(sandbox.users.values())
    options = "".join(_option(user) for user in users)
    scopes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in users[0].scopes) if users else ""
    verb = "Allow" if action == "/oauth/authorize" else "Add"
    return _framed(
        f"<h1>{app} is requesting access to your Zoom account</h1><p>{app} would be able to:</p>"
        f'<ul>{scopes}</ul><form method="post" action="{action}">{echoed}'
        f'<label>Sign in as <select name="user_id">{options}</select></label>'
        f'<p><button name="decision" value="allow">{verb}</button> '
        '<button name="decision" value="decline">Decline</button></p></form>'
    )


def _option(user: User) -> str:
    kind = "Basic" if user.is_basic else "Licensed"
    return f'<option value="{escape(user.id)}">{escape(user.email)} ({kind})</option>'


def _framed(content: str) -> str:
    style = "body{font:16px/1.5 system-ui;max-width:34rem;margin:3rem auto;padding:0 1rem}"
    head = f'<meta charset="utf-8"><title>Zoom sandbox</title><style>{style}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{content}</body></html>'
