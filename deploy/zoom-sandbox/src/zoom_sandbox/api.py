"""Zoom's REST API under `/v2`: tokens, limits and scopes are checked in that order, then the operation runs."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zoom_sandbox.answers import Answer, refusal
from zoom_sandbox.delivery import deliver
from zoom_sandbox.grants import Grant
from zoom_sandbox.limits import Label
from zoom_sandbox.operations import OPERATIONS, Call, Operation, missing_scopes, require_me
from zoom_sandbox.sandbox import Sandbox


def api_routes(sandbox: Sandbox) -> list[Route]:
    return [_route(sandbox, operation) for operation in OPERATIONS]


def _route(sandbox: Sandbox, operation: Operation) -> Route:
    async def endpoint(request: Request) -> Response:
        body, token = await request.body(), _bearer(request)

        def perform() -> Answer:
            return _perform(sandbox, operation, request, body)

        owner = sandbox.grants.owner_of(token)
        return await deliver(sandbox, request, operation.name, owner, perform)

    return Route(f"/v2{operation.path}", endpoint, methods=[operation.method], name=operation.name)


def _perform(sandbox: Sandbox, operation: Operation, request: Request, body: bytes) -> Answer:
    if "access_token" in request.query_params:  # refused since 2023 (Zoom: platform announcements)
        raise refusal(401, 124, "Invalid access token.")
    grant = sandbox.grants.admit(_bearer(request))
    user, label = sandbox.users[grant.user_id], _label(sandbox, operation)
    if sandbox.switches.rate_limits:
        sandbox.limits.admit_call(user.account_id, user.plan, label, sandbox.switches.rate_limit_code)
    _require_scope(sandbox, operation, grant)
    if "user_id" in request.path_params:
        require_me(sandbox, operation, request.path_params["user_id"])
    answer = operation.perform(sandbox, Call(user, request.path_params, request.query_params, body))
    return Answer(answer.status, answer.body, {"x-ratelimit-category": str(label)})


def _require_scope(sandbox: Sandbox, operation: Operation, grant: Grant) -> None:
    enough = {operation.scope, operation.classic_scope}
    if enough.isdisjoint(grant.scopes):
        raise missing_scopes(operation, status=sandbox.switches.scope_refusal_status)


def _label(sandbox: Sandbox, operation: Operation) -> Label:
    return sandbox.switches.create_meeting_label if operation.name == "create_meeting" else operation.label


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
