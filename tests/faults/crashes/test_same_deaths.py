"""Deaths are taken for the same only where nothing that outlives a process has changed between them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from booking_service.domain.answers import Answer
from tests.faults.crashes.client import Client
from tests.faults.crashes.effects import Effects, Life
from tests.faults.crashes.neighbours import Delivered
from tests.faults.crashes.scenarios import connect
from tests.faults.crashes.world import HOST, World


async def a_document(world: World) -> None:
    hosts = world.around.database("booking")["hosts"]
    await hosts.update_one({"_id": HOST.id}, {"$set": {"name": "another"}})


async def a_mail(world: World) -> None:
    world.mails.append(Delivered("host@host.test", b"", world.clock()))


async def a_meeting(world: World) -> None:
    await Client(world).book()
    await world.rest()
    before = world.photographed()
    world.zoom.meetings()[0].deleted = True
    assert world.photographed() != before


async def a_message(world: World) -> None:
    await connect(Client(world), "host-1", None)


async def an_acknowledgement(world: World) -> None:
    world.queues.acked["booking-service.meetings"] += 1


async def the_time(world: World) -> None:
    await world.pass_time(timedelta(milliseconds=1))


async def the_zoom_user(world: World) -> None:
    world.connected.user_id = "host-2"


async def an_answer(world: World) -> None:
    world.answered["key"] = Answer(200, "")


async def the_next_rest(world: World) -> None:
    await world.rest(timedelta())


CHANGES = (
    a_document,
    a_mail,
    a_meeting,
    a_message,
    an_acknowledgement,
    the_time,
    the_zoom_user,
    an_answer,
    the_next_rest,
)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_picture_shows_whatever_outlives_a_process(change: Callable[[World], Awaitable[None]]):
    world = await World.begun()
    before = world.photographed()
    assert world.photographed() == before
    await change(world)
    assert world.photographed() != before


@pytest.mark.parametrize(("between", "same"), [(b"as it was", {1}), (b"later", set[int]())])
async def test_deaths_are_the_same_where_nothing_happens_between_two_effects(between: bytes, same: set[int]):
    seen = b"as it was"
    effects = Effects(photographed=lambda: seen)
    await Life(effects).do("one", _nothing)
    seen = between
    await Life(effects).do("other", _nothing)
    assert effects.same_as_next == same


async def test_nobody_dies_after_an_effect_that_raises():
    effects = Effects(photographed=lambda: b"as it was")
    with pytest.raises(KeyError):
        await Life(effects).do("refused", _refused)
    await Life(effects).do("next", _nothing)
    assert not effects.same_as_next


async def _nothing() -> None:
    pass


async def _refused() -> None:
    raise KeyError
