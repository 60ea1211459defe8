"""What a service publishes and consumes, as an AsyncAPI 3.0 document of its own (asyncapi.com/docs/reference)."""

from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any, cast

from fastapi import APIRouter
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from convoke.contracts.topology import EXCHANGE, TOPOLOGY, Stream
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import CONTENT_TYPE, envelope_schema

Json = dict[str, Any]
_SCHEMAS = "#/components/schemas/"


def asyncapi_router(service: str, published: Sequence[type[EventData]]) -> APIRouter:
    """Return the route `/asyncapi`; what a service consumes are the streams that are named after it."""
    router = APIRouter(tags=["events"])
    consumed = [stream for stream in TOPOLOGY if stream.queue.startswith(f"{service}.")]
    # Made when somebody asks for it: every start would wait for it, and hardly any start is asked.
    description = cache(partial(asyncapi, f"Convoke {service}", published, consumed))

    @router.get("/asyncapi")
    async def get_asyncapi() -> Json:
        return description()

    return router


def asyncapi(title: str, published: Sequence[type[EventData]], consumed: Sequence[Stream]) -> Json:
    """Return the document of one service; a receiver's is not derived from the sender's."""
    events = dict.fromkeys([*published, *(event for stream in consumed for event in stream.events)])
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1.0"},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            **{event.event_type: _routed(event) for event in published},
            **{stream.queue: _queued(stream) for stream in consumed},
        },
        "operations": {
            **{f"publish.{event.event_type}": _operation("send", event.event_type) for event in published},
            **{f"consume.{stream.queue}": _operation("receive", stream.queue) for stream in consumed},
        },
        "components": {
            "messages": {event.__name__: _message(event) for event in events},
            "schemas": _schemas(events),
        },
    }


def _routed(event: type[EventData]) -> Json:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True}
    return {
        "address": event.event_type,
        "messages": _references([event]),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange}},
    }


def _queued(stream: Stream) -> Json:
    queue = {"name": stream.queue, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": stream.queue,
        "messages": _references(stream.events),
        "bindings": {"amqp": {"is": "queue", "queue": queue}},
    }


def _operation(action: str, channel: str) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _references(events: Iterable[type[EventData]]) -> Json:
    return {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in events}


def _message(event: type[EventData]) -> Json:
    payload = envelope_schema(event.event_type, {"$ref": f"{_SCHEMAS}{event.__name__}"})
    return {"name": event.event_type, "contentType": CONTENT_TYPE, "payload": payload}


def _schemas(events: Iterable[type[EventData]]) -> Json:
    models = [(cast("type[BaseModel]", event), "serialization") for event in events]
    _, definitions = models_json_schema(models, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]
    return dict(definitions["$defs"])
