"""Between the queues and a service's handlers: what was erased is not stored again, however late an event comes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from structlog.stdlib import BoundLogger, get_logger

from convoke.contracts import PrivacyErasureRequested
from convoke.erasure.shares import Shares
from convoke.messaging.cloudevents import Event
from convoke.messaging.consumer import Handler, Subscription
from convoke.messaging.dead_letters.office import Preview, Previews

log: BoundLogger = get_logger(__name__)


def erase_on_request(shares: Shares, nudge: Callable[[], None]) -> Handler:
    """Return what handles a request to erase: it is kept, and worked on at once."""

    async def erase(event: Event[PrivacyErasureRequested]) -> None:
        if await shares.add(event):
            nudge()

    return erase


def unless_erased(subscriptions: Sequence[Subscription], shares: Shares) -> list[Subscription]:
    """Return the subscriptions with handlers that are not told of what was erased."""
    return [
        replace(
            subscription,
            handlers={event: _guarded(handler, shares) for event, handler in subscription.handlers.items()},
        )
        for subscription in subscriptions
    ]


def previews_unless_erased(previews: Previews, shares: Shares) -> Previews:
    """Return the previews of handlers that are not told of what was erased, and that of a request to erase."""

    async def of_request(event: Event[PrivacyErasureRequested]) -> str:
        known = await shares.knows(event.data.erasure_id)
        return f"no-op: erasure {event.subject} is known" if known else f"would erase what {event.subject} asks for"

    guarded = {event: _guarded_preview(preview, shares) for event, preview in previews.items()}
    return {**guarded, PrivacyErasureRequested: of_request}


def _guarded_preview(preview: Preview, shares: Shares) -> Preview:
    async def tell(event: Event[Any]) -> str:
        if await shares.forbid(event):
            return "no-op: what it is about was erased"
        return await preview(event)

    return tell


def _guarded(handler: Handler, shares: Shares) -> Handler:
    async def handle(event: Event[Any]) -> None:
        if await shares.forbid(event):
            log.info("event.erased", event_type=event.data.event_type, subject=event.subject)
        else:
            await handler(event)

    return handle
