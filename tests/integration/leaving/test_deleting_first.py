"""Disconnecting with `future_meetings=delete`: they go first, then the tokens; a reconnect makes new links."""

from datetime import timedelta
from functools import partial
from typing import Any

from auth_service.handlers.ending import NO_MORE_CREATES_AFTER
from tests.integration.auth_service.replicas import soon
from tests.integration.leaving.world import Life, Product


async def status(product: Product, connection_id: str) -> str:
    return str((await product.connection(connection_id))["status"])


async def has_status(product: Product, connection_id: str, expected: str) -> bool:
    return await status(product, connection_id) == expected


async def none_left(product: Product, connection_id: str) -> bool:
    found = await product.connection(connection_id)
    return bool(found["disconnecting"] and found["disconnecting"]["left"] == 0)


async def ended(life: Life, product: Product, connection_id: str) -> dict[str, Any]:
    """Let the time pass in which a replica may go on with an old token, and return the connection that has ended."""
    life.clock.advance(seconds=NO_MORE_CREATES_AFTER.total_seconds())
    await soon(partial(has_status, product, connection_id, "disconnected"))
    return await product.connection(connection_id)


async def test_f63_future_meetings_are_deleted_first_and_then_the_connection_ends(life: Life, product: Product):
    """The bookings stay (F65), each says why it has no link, and reconnecting makes new ones by itself (F67, F68)."""
    own = await product.connect()
    sessions = [await product.book() for _ in range(3)]
    await product.linked(*sessions)
    begun = await product.disconnect(own["id"], future_meetings="delete")
    assert (begun.status_code, begun.json()["status"]) == (202, "disconnecting")
    await soon(partial(none_left, product, own["id"]))
    assert await product.at_zoom(*sessions) == []
    assert await status(product, own["id"]) == "disconnecting"
    over = await ended(life, product, own["id"])
    [line] = [line for line in over["history"] if line["what"] == "disconnected"]
    assert (line["by"], line["detail"]) == (product.caller.client_id, "3 future meetings deleted, 0 could not be")
    for session in sessions:
        assert await product.waits(session, "zoom_not_connected")
    assert await product.at_zoom(*sessions) == []
    await product.connect()
    await product.linked(*sessions)
    assert len(await product.at_zoom(*sessions)) == 3


async def test_f61_f63_nothing_new_is_made_while_meetings_are_deleted_and_what_has_begun_stays(
    life: Life, product: Product
):
    own = await product.connect()
    begun, later = await product.book(ahead=timedelta(seconds=-5)), await product.book()
    await product.linked(begun, later)
    assert (await product.disconnect(own["id"], future_meetings="delete")).status_code == 202
    new = await product.book()
    await soon(partial(product.waits, new, "zoom_not_connected"))
    await soon(partial(none_left, product, own["id"]))
    assert (await product.at_zoom(later, new), len(await product.at_zoom(begun))) == ([], 1)
    await ended(life, product, own["id"])
    assert len(await product.at_zoom(begun)) == 1


async def test_f67_connecting_again_calls_the_deleting_off(life: Life, product: Product):
    own = await product.connect()
    session = await product.book()
    await product.linked(session)
    await life.zoom.fault("delete_meeting", "rate_limited_day", times=None)
    await product.disconnect(own["id"], future_meetings="delete")

    async def was_tried() -> bool:
        return bool((await life.zoom.http.get("/sandbox/calls", params={"operation": "delete_meeting"})).json())

    await soon(was_tried)
    again = await product.connect()
    assert (again["id"], again["status"], again["disconnecting"]) == (own["id"], "active", None)
    await life.zoom.heal()
    await soon(partial(product.has_link, session))

    async def is_called_off() -> bool:
        row = await product.row(session)
        return row is not None and row["leaving"] is None and row["due_at"] is None

    await soon(is_called_off)
    assert len(await product.at_zoom(session)) == 1


async def test_f63_what_cannot_be_deleted_within_an_hour_is_told_and_the_connection_ends(life: Life, product: Product):
    own = await product.connect()
    session = await product.book()
    await product.linked(session)
    await life.zoom.fault("delete_meeting", "rate_limited_day", times=None)
    await product.disconnect(own["id"], future_meetings="delete")

    async def is_counted() -> bool:
        return bool((await product.connection(own["id"]))["disconnecting"]["left"] == 1)

    await soon(is_counted)
    life.clock.advance(hours=1)
    await soon(partial(has_status, product, own["id"], "disconnected"))
    lines = [line["detail"] for line in (await product.connection(own["id"]))["history"]]
    assert "0 future meetings deleted, 1 could not be" in lines
    assert len(await product.at_zoom(session)) == 1


async def test_f64_the_owner_who_does_not_want_to_wait_ends_it_at_once(life: Life, product: Product):
    own = await product.connect()
    session = await product.book()
    await product.linked(session)
    await life.zoom.fault("delete_meeting", "rate_limited_day", times=None)
    await product.disconnect(own["id"], future_meetings="delete")
    assert (await product.disconnect(own["id"])).status_code == 204
    assert await status(product, own["id"]) == "disconnected"
    assert len(await product.at_zoom(session)) == 1


async def test_f63_where_zoom_no_longer_takes_the_tokens_it_is_said_that_nothing_can_be_deleted(
    life: Life, product: Product
):
    own = await product.connect()
    await life.databases["auth"]["connections"].update_one(
        {"_id": own["id"]}, {"$set": {"status": "reauthorization_required"}}
    )
    refused = await product.disconnect(own["id"], future_meetings="delete")
    assert (refused.status_code, refused.json()["type"]) == (409, "zoom-reauthorization-required")
    assert (await product.disconnect(own["id"], future_meetings="perhaps")).status_code == 422
