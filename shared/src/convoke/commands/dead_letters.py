"""`dead-letters list|show|replay|discard`, for the program of every service that consumes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from itertools import groupby
from typing import Annotated

import typer

from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice, NotWaiting
from convoke.messaging.publisher import NotPublished
from convoke.vault import CannotDecrypt

Opened = Callable[[], AbstractAsyncContextManager[DeadLetterOffice]]
Work = Callable[[DeadLetterOffice], Awaitable[None]]

LetterId = Annotated[str | None, typer.Argument(metavar="[ID]", help="The letter's id, as `list` shows it.")]
Cause = Annotated[
    str | None, typer.Option(help="All of one cause, as `list` shows it, or of one reason code whatever the event.")
]
SHOWN_AT_MOST = 5
"""Of the ids and of the reasons of one cause, in a list."""

SAY_EVERY = 1.0
"""Seconds between two lines of progress."""


def dead_letter_commands(opened: Opened) -> typer.Typer:
    """Return the group; `opened` gives the service's office, with its connections closed afterwards."""

    def run(work: Work) -> None:
        asyncio.run(_run(opened, work))

    commands = typer.Typer(help="Messages that could not be handled: see them, replay them, discard them.")

    @commands.command("list")
    def list_letters(
        *,
        decided: Annotated[bool, typer.Option("--decided", help="Those replayed or discarded within a year.")] = False,
    ) -> None:
        """List what waits, by cause."""
        run(_list_decided if decided else _list_waiting)

    @commands.command()
    def show(letter_id: LetterId = None, cause: Cause = None) -> None:
        """Say what a replay would do now, and do nothing."""
        _exactly_one(letter_id, cause)
        run(lambda office: _show(office, letter_id, cause))

    @commands.command()
    def replay(
        letter_id: LetterId = None,
        cause: Cause = None,
        *,
        everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    ) -> None:
        """Put one letter, or all of a cause, back into this service's own queue; safe to repeat."""
        _exactly_one(letter_id, cause, everything)
        run(lambda office: _replay_one(office, letter_id) if letter_id else _replay_all(office, cause))

    @commands.command()
    def discard(
        letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id.")],
        note: Annotated[str, typer.Option(help="Why; kept for a year.")],
        by: Annotated[str, typer.Option(help="Who decides; kept for a year.")],
    ) -> None:
        """Give a letter up for good; its content is erased, who, when and why stay."""
        run(lambda office: _discard(office, letter_id, by, note))

    return commands


async def _run(opened: Opened, work: Work) -> None:
    async with opened() as office:
        try:
            await work(office)
        except (NotWaiting, NotPublished, CannotDecrypt) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


def _exactly_one(*choices: object) -> None:
    if sum(map(bool, choices)) != 1:
        raise typer.BadParameter("name one letter by its id, or the letters of one --cause")


async def _list_waiting(office: DeadLetterOffice) -> None:
    letters = sorted(await office.waiting(), key=lambda letter: (letter.queue, letter.cause))
    for (queue, cause), group in groupby(letters, key=lambda letter: (letter.queue, letter.cause)):
        for line in _cause_lines(queue, cause, list(group)):
            typer.echo(line)
    typer.echo(_letters(len(letters)) + (" wait: `show` says what a replay would do" if letters else " wait"))


def _cause_lines(queue: str, cause: str, letters: Sequence[Letter]) -> Iterator[str]:
    oldest, newest = min(letter.first_died_at for letter in letters), max(letter.died_at for letter in letters)
    yield f"{cause}: {_letters(len(letters))} in {queue}, from {_utc(oldest)} to {_utc(newest)}"
    yield f"    why: {_some(letter.reason for letter in letters)}"
    if any(letter.subject for letter in letters):
        yield f"    of: {_some(letter.subject for letter in letters if letter.subject)}"
    yield f"    letters: {_some(letter.id for letter in letters)}"


async def _list_decided(office: DeadLetterOffice) -> None:
    async for letter in office.letters.all(decided=True):
        last = letter.decisions[-1]
        by = f" by {last.by}: {last.note}" if last.by else ""
        typer.echo(f"{letter.id} {letter.cause} {letter.subject or '-'}: {last.state} {_utc(last.at)}{by}")


async def _show(office: DeadLetterOffice, letter_id: str | None, cause: str | None) -> None:
    async for letter in _read(office, [letter_id] if letter_id else [one.id for one in await office.waiting(cause)]):
        times = f", {letter.deaths} times" if letter.deaths > 1 else ""
        typer.echo(f"{letter.id} {letter.event_type or 'no event'} of {letter.subject or 'nobody'} in {letter.queue}")
        typer.echo(f"    died: {_utc(letter.died_at)}{times}: {letter.reason_code}: {letter.reason}")
        typer.echo(f"    a replay now: {await office.preview(letter)}")


async def _read(office: DeadLetterOffice, ids: Sequence[str]) -> AsyncIterator[Letter]:
    for letter_id in ids:
        try:
            yield await office.read(letter_id)
        except NotWaiting:
            if len(ids) == 1:
                raise


async def _replay_one(office: DeadLetterOffice, letter_id: str) -> None:
    letter = await office.read(letter_id)
    await office.replay(letter)
    typer.echo(f"{letter.id} is in {letter.queue} again; it comes back to the list where it fails again")


async def _replay_all(office: DeadLetterOffice, cause: str | None) -> None:
    done, said_at = 0, time.monotonic()
    try:
        async for done, of in office.replay_all(cause):
            if time.monotonic() - said_at >= SAY_EVERY:
                said_at = time.monotonic()
                typer.echo(f"{done} of {_letters(of)}", err=True)
    finally:
        typer.echo(f"{_letters(done)} put back; what fails again comes back to the list")


async def _discard(office: DeadLetterOffice, letter_id: str, by: str, note: str) -> None:
    letter = await office.read(letter_id, with_body=False)  # also one whose key is lost
    await office.discard(letter, by, note)
    typer.echo(f"{letter.id} is discarded; `list --decided` shows it for a year")


def _some(texts: Iterator[str]) -> str:
    different = list(dict.fromkeys(texts))
    more = f", and {len(different) - SHOWN_AT_MOST} more" if len(different) > SHOWN_AT_MOST else ""
    return ", ".join(different[:SHOWN_AT_MOST]) + more


def _letters(number: int) -> str:
    return f"{number} {'letter' if number == 1 else 'letters'}"


def _utc(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
