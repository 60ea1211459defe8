"""Commands: serving, and what an operator does with dead letters and with events that the broker lost."""

import typer

from convoke.commands.dead_letters import dead_letter_commands
from convoke.commands.outbox import outbox_commands
from convoke.commands.rekey import rekey_command
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit
from notifier.app import build_app, dead_letter_office, outbox_replay, rekeying
from notifier.messaging import PUBLISHED
from notifier.settings import Settings


def command_line() -> typer.Typer:
    """Return the whole command line; without a command it serves."""
    commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    commands.callback(invoke_without_command=True)(_serve_by_default)
    commands.add_typer(dead_letter_commands(lambda: dead_letter_office(load_or_exit(Settings))), name="dead-letters")
    commands.add_typer(outbox_commands(lambda: outbox_replay(load_or_exit(Settings)), PUBLISHED), name="outbox")
    commands.command("rekey")(rekey_command(lambda: rekeying(load_or_exit(Settings))))
    return commands


def _serve_by_default(context: typer.Context) -> None:
    """Serve, unless a command is named."""
    if context.invoked_subcommand is None:
        settings = load_or_exit(Settings)
        set_up_logs("notifier", settings.log_level)
        serve(build_app(settings), settings)
