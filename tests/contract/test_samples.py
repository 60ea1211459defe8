"""The frozen samples: what was once on the wire can be read for ever, and is written the same way."""

import json
from pathlib import Path

import pytest

from convoke.contracts import EVENTS
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import Malformed, parse

SAMPLES = Path(__file__).parent / "samples"
TYPES = [event.event_type for event in EVENTS]


def test_every_event_class_has_one_sample_and_every_sample_a_class():
    assert sorted(path.name for path in SAMPLES.iterdir()) == sorted(f"{name}.json" for name in TYPES)


@pytest.mark.parametrize("event", EVENTS, ids=TYPES)
def test_a_sample_is_read_and_written_without_loss(event: type[EventData]):
    sample = (SAMPLES / f"{event.event_type}.json").read_bytes()
    parsed = parse(sample)
    assert isinstance(parsed.data, event)
    written = json.loads(parsed.body())
    assert _contains(written, json.loads(sample)), "a field of the sample is lost or changed when it is written again"


@pytest.mark.parametrize("event", EVENTS, ids=TYPES)
def test_a_reader_ignores_fields_that_it_does_not_know(event: type[EventData]):
    sample = json.loads((SAMPLES / f"{event.event_type}.json").read_text())
    sample["data"]["from_the_future"] = {"nested": True}
    sample["fromthefuture"] = "extension"
    assert isinstance(parse(json.dumps(sample).encode()).data, event)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"specversion": "0.3"}, "not_a_cloudevent"),
        ({"type": "booking.created.v2"}, "unknown_type"),
        ({"data": {}}, "invalid_data"),
        ({"data": None}, "not_a_cloudevent"),
        ({"organizationid": None}, "not_a_cloudevent"),
        ({"time": "yesterday"}, "not_a_cloudevent"),
    ],
)
def test_what_is_no_event_of_ours_is_refused_with_a_code(change: dict[str, object], code: str):
    sample = json.loads((SAMPLES / "booking.created.v1.json").read_text())
    with pytest.raises(Malformed) as refusal:
        parse(json.dumps(sample | change).encode())
    assert refusal.value.code == code


@pytest.mark.parametrize("zone", ["Mars/Base", "+02:00", "", "CEST"])
def test_a_zone_that_is_not_in_the_iana_list_is_refused(zone: str):
    sample = json.loads((SAMPLES / "booking.created.v1.json").read_text())
    sample["data"]["session"]["timezone"] = zone
    with pytest.raises(Malformed, match=r"session\.timezone") as refusal:
        parse(json.dumps(sample).encode())
    assert refusal.value.code == "invalid_data"


def test_an_instant_without_an_offset_is_refused():
    sample = json.loads((SAMPLES / "booking.created.v1.json").read_text())
    sample["data"]["session"]["starts_at"] = "2026-12-01T09:00:00"
    with pytest.raises(Malformed, match="timezone_aware"):
        parse(json.dumps(sample).encode())


def test_a_body_of_ten_megabytes_is_refused_unread():
    with pytest.raises(Malformed) as refusal:
        parse(b"{" * 10_000_000)
    assert refusal.value.code == "too_large"


def test_a_refusal_never_repeats_what_the_message_held():
    sample = json.loads((SAMPLES / "meeting.ready.v1.json").read_text())
    sample["data"]["meeting"]["id"] = "https://us05web.zoom.us/j/1?pwd=secret"
    with pytest.raises(Malformed) as refusal:
        parse(json.dumps(sample).encode())
    assert "secret" not in str(refusal.value)


def _contains(written: object, sample: object) -> bool:
    """Tell whether `written` has everything of `sample`; it may have defaults on top."""
    if isinstance(sample, dict):
        return isinstance(written, dict) and all(
            key in written and _contains(written[key], sample[key]) for key in sample
        )
    return written == sample
