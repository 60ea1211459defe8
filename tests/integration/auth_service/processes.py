"""auth-service as it runs in production: a process of its own, with what it writes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from typer.testing import CliRunner

from auth_service.commands import command_line
from auth_service.settings import Settings
from tests.integration.auth_service.replicas import soon


@dataclass(frozen=True)
class Finished:
    status: int
    output: str
    errors: str


async def command(environment: Mapping[str, str], *arguments: str) -> Finished:
    """Do what `python -m auth_service` does with these arguments, without a second of processor for imports."""
    run = CliRunner().invoke
    done = await asyncio.to_thread(
        run, command_line(), arguments, env=_nothing_else(environment), catch_exceptions=False
    )
    return Finished(done.exit_code, done.stdout, done.stderr)


async def command_in_process(environment: Mapping[str, str], *arguments: str) -> Finished:
    """Run `python -m auth_service` with these arguments to its end."""
    child = await _start(environment, *arguments)
    output, errors = await child.communicate()
    return Finished(child.returncode or 0, output.decode(), errors.decode())


def _nothing_else(settings: Mapping[str, str]) -> dict[str, str | None]:
    """Return the settings, and none for whatever else auth-service would read."""
    return {name.upper(): None for name in Settings.model_fields} | dict(settings)


@asynccontextmanager
async def serving(environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Serve; killed at the end unless it has ended by itself."""
    child = await _start(environment)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


async def is_up(http: httpx.AsyncClient) -> None:
    async def ready() -> bool:
        try:
            return (await http.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False

    await soon(ready)


async def _start(environment: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "auth_service",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
