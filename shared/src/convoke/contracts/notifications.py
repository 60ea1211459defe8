"""notification.*.v1: what became of a mail."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from convoke.contracts.wire import WIRE, Id

NotificationKind = Literal["confirmation", "rescheduled", "link_changed", "cancellation"]
Recipient = Literal["host", "invitee"]


class NotificationSent(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "notification.sent.v1"
    booking_id: Id
    booking_revision: int
    kind: NotificationKind
    recipient: Recipient
    message_id: str


class NotificationFailed(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "notification.failed.v1"
    booking_id: Id
    booking_revision: int
    kind: NotificationKind
    recipient: Recipient
    message_id: str
    reason: str
