"""`outbox replay`, for the program of every service that publishes."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated

import typer

from convoke.contracts.wire import EventData
from convoke.messaging.outbox_replay import OutboxReplay, Wanted
from convoke.messaging.publisher import NotPublished
from convoke.mongo import DATABASE_AWAY

Opened = Callable[[], AbstractAsyncContextManager[OutboxReplay]]

SAY_EVERY = 1.0
"""Seconds between two lines of progress."""


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no time; one looks like 2026-11-21T07:00:00Z") from None
    if instant.tzinfo is None:
        raise typer.BadParameter(f"'{text}' names no zone; add Z for UTC") from None
    return instant


Since = Annotated[
    datetime, typer.Option(parser=_instant, metavar="ISO-TIME", help="From then on, such as 2026-11-21T07:00:00Z.")
]


def outbox_commands(opened: Opened, published: Iterable[type[EventData]]) -> typer.Typer:
    """Return the group; `opened` gives the service's replay, with its connections closed afterwards."""
    known = sorted(event.event_type for event in published)

    def check_type(name: str | None) -> str | None:
        if name is not None and name not in known:
            raise typer.BadParameter(f"this service publishes {', '.join(known)}")
        return name

    commands = typer.Typer(help="Events that were published: tell them again where the broker lost them.")

    @commands.command()
    def replay(
        since: Since,
        event_type: Annotated[
            str | None, typer.Option("--type", callback=check_type, help="One type of event; all where none is named.")
        ] = None,
    ) -> None:
        """Publish again what was told since a time, as it is now; safe to repeat.

        Nobody is mailed twice and no meeting is made twice: whoever knows an event already changes nothing.
        """
        asyncio.run(_run(opened, Wanted(since, event_type)))

    return commands


async def _run(opened: Opened, wanted: Wanted) -> None:
    async with opened() as outbox:
        try:
            await _replay(outbox, wanted)
        except NotPublished as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        except DATABASE_AWAY as error:
            typer.echo(f"MongoDB cannot be reached: {type(error).__name__}", err=True)
            raise typer.Exit(1) from None


async def _replay(outbox: OutboxReplay, wanted: Wanted) -> None:
    counted = await outbox.count(wanted)
    for event_type, number in sorted(counted.items()):
        typer.echo(f"{event_type}: {_events(number)} to tell again")
    await _tell(outbox, wanted, of=counted.total())
    for document, why in outbox.unreadable.items():
        typer.echo(f"nothing could be told of '{document}': {why}", err=True)
    if outbox.unreadable:
        raise typer.Exit(1)


async def _tell(outbox: OutboxReplay, wanted: Wanted, of: int) -> None:
    told, said_at = 0, time.monotonic()
    try:
        async for _ in outbox.tell(wanted):
            told += 1
            if time.monotonic() - said_at >= SAY_EVERY:
                said_at = time.monotonic()
                typer.echo(f"{told} of {_events(of)}", err=True)
    finally:
        typer.echo(f"{_events(told)} told again; who knows them already changes nothing")


def _events(number: int) -> str:
    return f"{number} {'event' if number == 1 else 'events'}"
