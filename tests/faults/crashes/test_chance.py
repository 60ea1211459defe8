"""A run with the same faults is the same run, and only there does chance fall the same way."""

import random
import secrets

from convoke.ids import new_id, new_token
from tests.faults.crashes.chance import repeatable_chance
from tests.faults.crashes.effects import Fault
from tests.faults.crashes.enumerator import run


def drawn() -> tuple[object, ...]:
    return new_id("evt"), new_token(), secrets.randbelow(10**12), secrets.choice(range(9**13)), random.random()  # noqa: S311


def test_chance_falls_the_same_way_in_each_run_and_is_chance_again_after_it():
    runs = []
    for _ in range(2):
        with repeatable_chance():
            runs.append(drawn() + drawn())
    assert runs[0] == runs[1]
    assert len({*runs[0], *drawn(), *drawn()}) == 20


async def test_a_run_with_the_same_fault_is_the_same_run():
    assert await run("cancel", Fault(20, "frozen")) == await run("cancel", Fault(20, "frozen"))
