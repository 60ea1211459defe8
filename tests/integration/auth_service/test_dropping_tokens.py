"""Every replica of meeting-service drops the tokens that it keeps when Zoom is disconnected, not one of them only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from convoke.contracts import ZoomDisconnected
from convoke.identity import ServiceToken
from convoke.messaging.cloudevents import Event
from convoke.messaging.connections import Connections
from meeting_service.auth import AuthService, ZoomAccessTokens
from meeting_service.ports import Refused
from tests.integration.auth_service.replicas import PUBLIC_URL, SERVICE, SERVICE_SECRET, Caller, soon

Connect = Callable[..., Awaitable[dict[str, Any]]]
FAR_BELOW_THE_CACHE = 5


@asynccontextmanager
async def keeping_tokens(auth: httpx.AsyncClient, rabbitmq_url: str) -> AsyncIterator[ZoomAccessTokens]:
    own = ServiceToken(auth, PUBLIC_URL, SERVICE, SERVICE_SECRET, "auth-service")
    tokens = ZoomAccessTokens(AuthService(auth, PUBLIC_URL, own))

    async def drop(event: Event[ZoomDisconnected]) -> None:
        tokens.forget(event.organization_id)

    connections = Connections(rabbitmq_url)
    connections.subscribe_replica("meeting-service", ZoomDisconnected, drop)
    await connections.start()
    yield tokens
    await connections.stop_consuming()
    await connections.close()


async def test_two_replicas_refuse_within_seconds_of_a_disconnect(
    product: Caller, connect: Connect, auth: httpx.AsyncClient, rabbitmq_url: str
):
    own = await connect(product, host_id="hst_1")
    async with AsyncExitStack() as both:
        replicas = [await both.enter_async_context(keeping_tokens(auth, rabbitmq_url)) for _ in range(2)]
        for tokens in replicas:
            assert (await tokens.to_change(product.organization_id, own["id"])).connection_id == own["id"]
        await product.call("DELETE", f"/v1/zoom/connections/{own['id']}")

        async def refused() -> bool:
            return [await refusal(tokens, product.organization_id, own["id"]) for tokens in replicas] == [
                "zoom_not_connected"
            ] * 2

        await soon(refused, within=FAR_BELOW_THE_CACHE)


async def test_a_token_that_was_asked_for_before_the_disconnect_and_comes_after_it_is_not_kept(
    product: Caller, connect: Connect, auth: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    own = await connect(product, host_id="hst_1")
    service = ServiceToken(auth, PUBLIC_URL, SERVICE, SERVICE_SECRET, "auth-service")
    asked = AuthService(auth, PUBLIC_URL, service)
    tokens = ZoomAccessTokens(asked)
    ask = asked.ask

    async def answered_late(*question: Any, **request: Any) -> Any:
        answer = await ask(*question, **request)
        await product.call("DELETE", f"/v1/zoom/connections/{own['id']}")
        tokens.forget(product.organization_id)
        return answer

    with monkeypatch.context() as late:
        late.setattr(asked, "ask", answered_late)
        await tokens.to_change(product.organization_id, own["id"])
    assert await refusal(tokens, product.organization_id, own["id"]) == "zoom_not_connected"


async def refusal(tokens: ZoomAccessTokens, organization_id: str, connection_id: str) -> str | None:
    try:
        await tokens.to_change(organization_id, connection_id)
    except Refused as refused:
        return refused.cause
    return None
