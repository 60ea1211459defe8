"""After the 204 nothing is made, moved, deleted or read at Zoom by any replica, a second later at the latest.

F60, F61, F62; what is owed is remembered and carried out on reconnecting (F85, B1), and what is in Zoom stays (F63).
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from convoke.clock import utc_now
from tests.integration.auth_service.replicas import soon
from tests.integration.auth_service.test_deauthorization import removal, remove_app
from tests.integration.auth_service.test_webhooks import post
from tests.integration.leaving.world import Life, Product

A_SECOND = timedelta(seconds=1)
BUSY_WITH = 12


async def calls(life: Life, after: datetime) -> list[dict[str, Any]]:
    """Return the calls of Zoom's API from a time on; revoking is none of them, and is what a disconnect is for."""
    found = (await life.zoom.http.get("/sandbox/calls")).json()
    late = [call for call in found if datetime.fromisoformat(call["time"]).astimezone(UTC) > after]
    return [call for call in late if call["operation"] not in {"revoke", "token"}]


async def busy(life: Life, product: Product) -> tuple[list[Any], list[Any]]:
    """Have both replicas keep tokens and be at work: bookings with links that move, and new ones."""
    linked = [await product.book() for _ in range(BUSY_WITH)]
    await product.linked(*linked)
    await life.zoom.forget_calls()
    moved = [await product.reschedule(session) for session in linked[: BUSY_WITH // 2]]
    return [*moved, *linked[BUSY_WITH // 2 :]], [await product.book() for _ in range(BUSY_WITH)]


async def test_f60_f61_f62_f63_no_replica_calls_zoom_a_second_after_a_disconnect(life: Life, product: Product):
    own = await product.connect()
    linked, new = await busy(life, product)
    assert (await product.disconnect(own["id"])).status_code == 204
    over = utc_now()
    later = [await product.book() for _ in range(4)]
    moved = await product.reschedule(linked[-1])
    gone = await product.cancel(linked[-2])
    for session in (*later, moved, gone):
        await soon(partial(product.waits, session, "zoom_not_connected"))
    await asyncio.sleep((over + A_SECOND - utc_now()).total_seconds() + 0.5)  # what is measured is this time
    assert await calls(life, over + A_SECOND) == []
    assert len(await product.at_zoom(*linked)) == len(linked)
    assert await product.at_zoom(*later) == []
    # B1, F85: reconnecting carries out all that is owed.
    await product.connect()
    await product.linked(*linked[:-2], *new, *later, moved)

    async def is_deleted() -> bool:
        return await product.at_zoom(gone) == []

    await soon(is_deleted)


async def test_f60_f86_no_replica_calls_zoom_a_second_after_a_removal_inside_zoom(life: Life, product: Product):
    own = await product.connect()
    await busy(life, product)
    await remove_app(life.zoom)
    report, answers = removal(), list[int]()

    async def is_answered() -> bool:  # 503 says that it was not stored in time: Zoom sends it again, the same
        answers.append((await post(life.auth, report)).status_code)
        return answers[-1] != 503

    await soon(is_answered)
    assert answers[-1] == 204
    over = utc_now()

    async def has_ended() -> bool:
        return bool((await product.connection(own["id"]))["status"] == "disconnected")

    await soon(has_ended)
    later = await product.book()
    await soon(partial(product.waits, later, "zoom_not_connected"))
    await asyncio.sleep((over + A_SECOND - utc_now()).total_seconds() + 0.5)  # what is measured is this time
    assert await calls(life, over + A_SECOND) == []
