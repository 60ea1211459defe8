"""What an invitee sees at the addresses of a booking."""

import re
from html import unescape

import httpx
import pytest

from convoke.clock import utc_now
from tests.integration.booking_service.neighbours import JOIN_URL, REASON, Neighbours
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually


async def page(tenant: Tenant, address: str) -> httpx.Response:
    """Open an address as a stranger with a browser does."""
    return await tenant.http.get(address)


def text(answer: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)).split())


async def shows(tenant: Tenant, address: str, words: str) -> httpx.Response:
    async def found() -> httpx.Response | None:
        answer = await page(tenant, address)
        return answer if words in text(answer) else None

    answer = await eventually(found)
    assert answer is not None
    return answer


async def test_a_pending_booking_shows_title_host_and_the_invitees_own_time(tenant: Tenant) -> None:
    booking = await tenant.book("2031-07-04T20:30:00Z")

    answer = await page(tenant, booking["join_address"])

    assert answer.status_code == 200
    assert "Intro With Ada" in text(answer)
    assert "Friday, 4 July 2031, 16:30 to 17:00 (UTC-04:00) your time zone: America/New_York" in text(answer)
    assert "The video link is being prepared, it will appear here." in text(answer)


async def test_f37_f39_a_ready_booking_has_the_way_in(tenant: Tenant, wire: Wire, neighbours: Neighbours) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.ready(await wire.told(booking["id"]), 1)

    answer = await shows(tenant, booking["join_address"], "Join Zoom meeting")

    assert f'<a class="join" href="{JOIN_URL}"' in answer.text
    for words in ("Meeting ID 123", "Passcode canary-passcode", "Dial in (DE, toll) +49 69 1234"):
        assert words in text(answer)


async def test_a_failed_booking_says_why_in_words_for_a_guest(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.failed(await wire.told(booking["id"]), 1)

    answer = await shows(tenant, booking["join_address"], f"The video link is not ready yet: {REASON.title}.")

    assert "Join Zoom meeting" not in text(answer)
    assert REASON.detail not in text(answer), "the detail is for the host and the operator"
    assert "where to meet, or for a link" in text(answer)
    assert "by itself" not in text(answer), "nobody said that it is tried again"


async def test_a_failure_that_is_tried_again_says_that_the_link_will_follow(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.failed(await wire.told(booking["id"]), 1, retry_at=utc_now())

    await shows(tenant, booking["join_address"], "It will appear here, and in a mail to you, by itself")


async def test_f45_a_moved_booking_says_that_zoom_is_being_told(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.ready(await wire.told(booking["id"]), 1)
    await shows(tenant, booking["join_address"], "Join Zoom meeting")

    await tenant.try_to_reschedule(booking["id"], hour(11))

    moved = text(await page(tenant, booking["join_address"]))
    assert "Zoom is just being told of the new time" in moved
    assert "Join Zoom meeting" in moved


async def test_b6_a_cancelled_booking_says_so_and_has_no_way_in(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.ready(await wire.told(booking["id"]), 1)
    await shows(tenant, booking["join_address"], "Join Zoom meeting")

    await tenant.try_to_cancel(booking["id"])

    answer = await page(tenant, booking["join_address"])
    assert "This booking was cancelled." in text(answer)
    assert JOIN_URL not in answer.text


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ({"kind": "phone", "detail": "+49 30 1234"}, "By phone +49 30 1234"),
        ({"kind": "in_person", "detail": "Unter den Linden 1"}, "Where Unter den Linden 1"),
        ({"kind": "link", "detail": "https://meet.example/room"}, "Open the meeting link https://meet.example/room"),
    ],
)
async def test_a_booking_elsewhere_says_where(tenant: Tenant, location: dict[str, str], words: str) -> None:
    tenant.event_type_id = await tenant.add_event_type(location=location)
    booking = await tenant.book(hour(9))

    assert words in text(await page(tenant, booking["join_address"]))


async def test_the_manage_page_says_how_to_change_the_booking(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))

    assert "To move or cancel this booking, write to ada@example.com" in text(
        await page(tenant, booking["manage_address"])
    )
    assert "ada@example.com" not in (await page(tenant, booking["join_address"])).text


async def test_whatever_people_typed_stays_text(tenant: Tenant) -> None:
    nasty = "<script>alert('\"x\"')</script>{{ 7*7 }}"
    tenant.host_id = await tenant.add_host(name=nasty)
    location = {"kind": "in_person", "detail": f'"><img src=x onerror=alert(1)> {nasty}'}
    tenant.event_type_id = await tenant.add_event_type(title=nasty, description=nasty, location=location)
    booking = await tenant.book(hour(9))

    answer = await page(tenant, booking["manage_address"])

    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert nasty in unescape(answer.text)


@pytest.mark.parametrize("path", ["/j/unknown", "/manage/unknown", "/j/%00%ff", "/j/%F0%9F%8D%95"])
async def test_an_unknown_address_gets_a_friendly_page(tenant: Tenant, path: str) -> None:
    answer = await page(tenant, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no booking at this address" in text(answer)


async def test_b6_an_address_opens_only_its_own_page(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))
    join_token = booking["join_address"].rpartition("/")[2]

    assert (await page(tenant, f"/manage/{join_token}")).status_code == 404


@pytest.mark.parametrize("known", [True, False])
async def test_api8_a_page_is_neither_kept_nor_framed_nor_told_of(tenant: Tenant, *, known: bool) -> None:
    address = (await tenant.book(hour(9)))["join_address"] if known else "/j/unknown"

    headers = (await page(tenant, address)).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
