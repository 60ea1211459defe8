"""A service's command in the process of the tests.

It does what the program does without its imports, 2 s of processor each time; tests/integration/commands starts each
program once.
"""

from collections.abc import Mapping
from importlib import import_module

from typer.testing import CliRunner, Result

from tests.support.logs import logs_restored


def run_here(program: str, *arguments: str, settings: Mapping[str, str]) -> Result:
    """Run a command of a program, for instance of `booking_service`, to its end; an error of its code is raised."""
    commands = import_module(f"{program}.commands").command_line()
    with logs_restored():
        return CliRunner().invoke(commands, arguments, env=dict(settings), catch_exceptions=False)
