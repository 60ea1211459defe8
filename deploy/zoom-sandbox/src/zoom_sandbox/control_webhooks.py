"""The control API's part about webhooks: subscribing, and delivering twice, late or out of order."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from zoom_sandbox.answers import Json
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.webhooks import Subscription


class SubscriptionOrder(BaseModel):
    """Where to send events; null for all of them."""

    model_config = ConfigDict(extra="forbid")
    url: str
    events: list[str] | None = None


class Release(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reverse: bool = False


def webhook_control_routes(sandbox: Sandbox) -> APIRouter:
    router = APIRouter(prefix="/sandbox/webhooks")
    _add_subscriptions(router, sandbox)
    _add_deliveries(router, sandbox)
    return router


def _add_subscriptions(router: APIRouter, sandbox: Sandbox) -> None:
    @router.post("", status_code=201)
    async def subscribe(order: SubscriptionOrder) -> Subscription:
        return sandbox.webhooks.subscribe(order.url, order.events)

    @router.get("")
    async def read_subscriptions() -> list[Subscription]:
        return list(sandbox.webhooks.subscriptions.values())

    @router.delete("/{subscription_id}", status_code=204)
    async def unsubscribe(subscription_id: str) -> None:
        if sandbox.webhooks.subscriptions.pop(subscription_id, None) is None:
            raise HTTPException(404, f"no subscription {subscription_id}")

    @router.post("/{subscription_id}/validation")
    async def validate(subscription_id: str) -> Json:
        subscription = sandbox.webhooks.subscriptions.get(subscription_id)
        if subscription is None:
            raise HTTPException(404, f"no subscription {subscription_id}")
        return {"valid": await sandbox.webhooks.validate(subscription)}


def _add_deliveries(router: APIRouter, sandbox: Sandbox) -> None:
    @router.get("/deliveries")
    async def read_deliveries() -> list[Json]:
        return [each.as_json() for each in sandbox.webhooks.deliveries.values()]

    @router.post("/deliveries/{delivery_id}/repeat", status_code=204)
    async def send_again(delivery_id: str) -> None:
        delivery = sandbox.webhooks.deliveries.get(delivery_id)
        if delivery is None:
            raise HTTPException(404, f"no delivery {delivery_id}")
        await sandbox.webhooks.send_again(delivery)

    @router.post("/release")
    async def release(order: Release) -> Json:
        return {"released": await sandbox.webhooks.release(reverse=order.reverse)}
