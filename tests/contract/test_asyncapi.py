"""Each service's AsyncAPI document: complete, without a loose reference, and true to the frozen samples."""

import json
from pathlib import Path
from typing import Any

import pytest

import auth_service.messaging
import booking_service.messaging
import meeting_service.messaging
import notifier.messaging
from convoke.asyncapi import asyncapi
from convoke.contracts import PrivacyErased
from convoke.contracts.topology import TOPOLOGY

SAMPLES = Path(__file__).parent / "samples"
PUBLISHED = {
    "auth-service": auth_service.messaging.PUBLISHED,
    "booking-service": booking_service.messaging.PUBLISHED,
    "meeting-service": meeting_service.messaging.PUBLISHED,
    "notifier": notifier.messaging.PUBLISHED,
}


def document(service: str) -> dict[str, Any]:
    consumed = [stream for stream in TOPOLOGY if stream.queue.startswith(f"{service}.")]
    return asyncapi(service, PUBLISHED[service], consumed)


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


@pytest.mark.parametrize("service", PUBLISHED)
def test_every_reference_leads_somewhere(service: str):
    whole = document(service)
    for reference in references(whole):
        target: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@pytest.mark.parametrize("service", PUBLISHED)
def test_the_frozen_samples_are_what_the_document_says(service: str):
    import jsonschema  # noqa: PLC0415 - builds forty grammars: two seconds of every test worker

    whole = document(service)
    messages = whole["components"]["messages"].values()
    assert messages
    for message in messages:
        sample = json.loads((SAMPLES / f"{message['name']}.json").read_text())
        jsonschema.validate(sample, {**message["payload"], "components": whole["components"]})


def test_every_event_is_published_by_one_service_at_most_save_the_answer_that_each_gives():
    published = [event for events in PUBLISHED.values() for event in events if event is not PrivacyErased]
    assert len(published) == len(set(published))


def test_every_event_that_is_published_has_a_queue():
    bound = {event for stream in TOPOLOGY for event in stream.events}
    assert {event for events in PUBLISHED.values() for event in events} <= bound
