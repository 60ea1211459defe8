"""CloudEvents 1.0 in structured JSON mode (cloudevents/spec, formats/json-format.md), and their refusal."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from convoke.contracts import EVENTS
from convoke.contracts.wire import EventData, Instant

CONTENT_TYPE = "application/cloudevents+json"
LARGEST_BODY = 1_000_000
"""Bytes; our largest event is a few kilobytes, so more is a mistake or an attack."""

Data = TypeVar("Data", bound=EventData)


class Malformed(Exception):
    """A message that no retry can mend. `code` is stable, the text says what is wrong with it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore")
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    organizationid: str
    traceparent: str | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]


@dataclass(frozen=True)
class Event(Generic[Data]):
    """One event with its envelope; `subject` is the booking's or the connection's id."""

    id: str
    source: str
    subject: str
    time: Instant
    organization_id: str
    data: Data
    traceparent: str | None = None

    def body(self) -> bytes:
        """Return the structured-mode JSON."""
        return (
            _Envelope(
                specversion="1.0",
                id=self.id,
                source=self.source,
                type=self.data.event_type,
                subject=self.subject,
                time=self.time,
                organizationid=self.organization_id,
                traceparent=self.traceparent,
                data=cast("BaseModel", self.data).model_dump(mode="json", exclude_none=True),
            )
            .model_dump_json(exclude_none=True)
            .encode()
        )


_CLASSES: dict[str, type[EventData]] = {event.event_type: event for event in EVENTS}


def parse(body: bytes) -> Event[Any]:
    """Return the event in a message body.

    Raises Malformed with one of the codes too_large, not_json, not_a_cloudevent, unknown_type, invalid_data.
    """
    if len(body) > LARGEST_BODY:
        raise Malformed("too_large", f"{len(body)} bytes; at most {LARGEST_BODY} are read")
    envelope = _parse_envelope(body)
    event_class = _CLASSES.get(envelope.type)
    if event_class is None:
        raise Malformed("unknown_type", f"no event class has the type '{envelope.type}'")
    try:
        data = cast("type[BaseModel]", event_class).model_validate(envelope.data)
    except ValidationError as error:
        raise Malformed("invalid_data", f"{envelope.type}: {_first_errors(error)}") from None
    return Event(
        id=envelope.id,
        source=envelope.source,
        subject=envelope.subject,
        time=envelope.time,
        organization_id=envelope.organizationid,
        data=cast("EventData", data),
        traceparent=envelope.traceparent,
    )


def envelope_schema(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an event whose data has the schema `data`."""
    schema = _Envelope.model_json_schema(mode="serialization")
    schema["properties"] |= {"type": {"type": "string", "const": event_type}, "data": data}
    return schema


def _parse_envelope(body: bytes) -> _Envelope:
    try:
        return _Envelope.model_validate_json(body)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Malformed("not_json", "the body is not JSON") from None
        raise Malformed("not_a_cloudevent", _first_errors(error)) from None


def _first_errors(error: ValidationError) -> str:
    """Name the fields and what is wrong with them, never their values: those may be personal."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['type']}" for problem in error.errors()[:3]
    )
