"""privacy.*.v1: a request to erase, and what each service removed."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from convoke.contracts.wire import WIRE, Id


class PrivacyErasureRequested(BaseModel):
    """`person` is a mail address where the scope is one person."""

    model_config = WIRE
    event_type: ClassVar[str] = "privacy.erasure_requested.v1"
    erasure_id: Id
    organization_id: Id
    scope: Literal["zoom_data", "person", "organization"]
    person: str | None = None


class PrivacyErased(BaseModel):
    """What a service has removed so far, and what is left because it is still needed; both by kind.

    `removed` only grows. `left` is absent where nothing is.
    """

    model_config = WIRE
    event_type: ClassVar[str] = "privacy.erased.v1"
    erasure_id: Id
    service: str
    removed: dict[str, int]
    left: dict[str, int] | None = None
