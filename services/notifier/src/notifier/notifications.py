"""What the notifier tells the others: notification.sent.v1 and notification.failed.v1."""

from collections.abc import Callable, Sequence
from typing import Any

from convoke.contracts import NotificationFailed, NotificationSent
from convoke.messaging.cloudevents import Event
from convoke.mongo import Document


def notifications(message_id: Callable[[str], str]) -> Callable[[Document, Document], Sequence[Event[Any]]]:
    """Return what builds the event of an outbox entry; `message_id` gives the Message-ID of a delivery's id."""

    def expand(document: Document, entry: Document) -> Sequence[Event[Any]]:
        delivery = next(found for found in document["deliveries"] if found["id"] == entry["delivery"])
        common = {
            "booking_id": document["_id"],
            "booking_revision": delivery["booking_revision"],
            "kind": delivery["kind"],
            "recipient": delivery["recipient"],
            "message_id": message_id(delivery["id"]),
        }
        data = (
            NotificationSent(**common)
            if entry["type"] == NotificationSent.event_type
            else NotificationFailed(**common, reason=delivery["reason"])
        )
        return [
            Event(
                id=entry["id"],
                source="/notifier",
                subject=document["_id"],
                time=entry["time"],
                organization_id=document["organization_id"],
                data=data,
                traceparent=entry["traceparent"],
            )
        ]

    return expand
