"""Commands: serving, handing out what is stored of somebody, and repairing what the broker or a key lost."""

import asyncio
import json
from typing import Annotated

import typer

from booking_service.app import build_app, dead_letter_office, exporting, outbox_replay, rekeying
from booking_service.messaging import PUBLISHED
from booking_service.settings import Settings
from convoke.commands.dead_letters import dead_letter_commands
from convoke.commands.outbox import outbox_commands
from convoke.commands.rekey import rekey_command
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit


def command_line() -> typer.Typer:
    """Return the whole command line; without a command it serves."""
    commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    commands.callback(invoke_without_command=True)(_serve_by_default)
    commands.add_typer(dead_letter_commands(lambda: dead_letter_office(load_or_exit(Settings))), name="dead-letters")
    commands.add_typer(outbox_commands(lambda: outbox_replay(load_or_exit(Settings)), PUBLISHED), name="outbox")
    commands.command("export")(_export)
    commands.command("rekey")(rekey_command(lambda: rekeying(load_or_exit(Settings))))
    return commands


def _export(
    organization: Annotated[str, typer.Option(help="The organization's id.")],
    person: Annotated[str | None, typer.Option(help="A mail address; everybody where none is named.")] = None,
) -> None:
    """Write what is stored of a person, or of a whole organization, a line of JSON each; no token is among it."""

    async def write() -> None:
        async with exporting(load_or_exit(Settings)) as export:
            async for record in export.records(organization, person):
                typer.echo(json.dumps(record, ensure_ascii=False))

    asyncio.run(write())


def _serve_by_default(context: typer.Context) -> None:
    """Serve, unless a command is named."""
    if context.invoked_subcommand is None:
        settings = load_or_exit(Settings)
        set_up_logs("booking-service", settings.log_level)
        serve(build_app(settings), settings)
