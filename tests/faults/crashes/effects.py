"""What leaves a process counts: each such effect is a place where the process can die or stand still."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

How = Literal["before", "after", "frozen"]
"""Dies before the effect; dies with the effect done and its answer lost; stands still past its leases, then goes on."""

HOWS: tuple[How, ...] = ("before", "after", "frozen")

Result = TypeVar("Result")


class Crash(BaseException):
    """The process dies here: nothing after it runs, as with SIGKILL. No `except Exception` may stop it."""


@dataclass(frozen=True)
class Fault:
    """What happens at effect number `at`, counted from the first one after the fault before it."""

    at: int
    how: How

    def __str__(self) -> str:
        return f"{self.how} {self.at}"


async def _nobody_else() -> None:
    raise NotImplementedError("nobody works while this process stands still")


@dataclass
class Effects:
    """Counts the effects of all services, and makes the planned faults come true."""

    faults: list[Fault] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    since_fault: int = 0
    is_counting: bool = True
    while_frozen: Callable[[], Awaitable[None]] = _nobody_else

    def due(self) -> How | None:
        """Count one effect; return what happens at it."""
        self.since_fault += 1
        if not self.faults or self.faults[0].at != self.since_fault:
            return None
        self.since_fault = 0
        return self.faults.pop(0).how


@dataclass
class Life:
    """One life of the services' processes, from a start to a crash."""

    effects: Effects
    is_over: bool = False

    async def do(self, name: str, act: Callable[[], Awaitable[Result]]) -> Result:
        """Carry out an effect, unless it is where this life ends. Raises Crash."""
        self.must_live()
        if not self.effects.is_counting:
            return await act()
        self.effects.names.append(name)
        how = self.effects.due()
        if how == "before":
            self.die()
        if how == "frozen":
            await self.effects.while_frozen()
        result = await act()
        self.must_live()
        if how == "after":
            self.die()
        return result

    def die(self) -> None:
        self.is_over = True
        raise Crash

    def must_live(self) -> None:
        """Raise Crash where this life is over."""
        if self.is_over:
            raise Crash
