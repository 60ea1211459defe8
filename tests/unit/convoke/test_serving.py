"""The server of a service looks rarely whether to stop, and is told by a signal at once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from convoke import serving
from convoke.serving import QuietServer, server_config
from convoke.settings import ServiceSettings, load
from tests.support.eventually import eventually
from tests.unit.convoke.test_settings import VALID

HOURLY = 3_600.0


@asynccontextmanager
async def waiting(look_every: float) -> AsyncIterator[QuietServer]:
    """Give a server that waits for a reason to stop; one is a signal afterwards."""
    config = server_config(FastAPI(), load(ServiceSettings, VALID))
    config.load()
    server = QuietServer(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "LOOK_EVERY", look_every)
        task = asyncio.create_task(server.main_loop())
        yield server
        server.handle_exit(signal.SIGTERM, None)
        async with asyncio.timeout(5):
            await task


async def test_a_signal_is_heeded_at_once():
    async with waiting(HOURLY) as server:
        await eventually(lambda: server.server_state.default_headers)  # it has looked once, and waits
        assert not server.should_exit


async def test_a_signal_before_it_waits_is_heeded():
    async with waiting(HOURLY) as server:
        assert not server.server_state.default_headers


async def test_the_date_of_answers_is_renewed():
    async with waiting(0.01) as server:
        for _ in range(2):
            await eventually(lambda: server.server_state.default_headers)
            assert dict(server.server_state.default_headers)[b"date"].endswith(b"GMT")
            server.server_state.default_headers = []
