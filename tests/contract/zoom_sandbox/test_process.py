"""The sandbox as a process of its own: started from the environment, stopped by SIGTERM."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.contract.zoom_sandbox.app_at_zoom import true_in_the_end

ENVIRONMENT = {
    "ZOOM_SANDBOX_PORT": "0",
    "ZOOM_CLIENT_ID": "the-app",
    "ZOOM_CLIENT_SECRET": "the-secret",
    "ZOOM_REDIRECT_URIS": "https://one.test/callback, https://two.test/callback",
    "ZOOM_WEBHOOK_SECRET_TOKEN": "the-webhook-secret",
    "ZOOM_SANDBOX_PUBLIC_URL": "https://zoom.sandbox.test",
}


async def _start(environment: dict[str, str]) -> Process:
    command = (sys.executable, "-m", "zoom_sandbox")
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)


@asynccontextmanager
async def _started() -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    process = await _start(ENVIRONMENT)
    assert process.stdout
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as http:
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_stops_it_at_once_and_cleanly_even_under_a_slow_call() -> None:
    async with _started() as (process, http):
        fault = {"operation": "get_user", "kind": "slow", "delay_seconds": 600, "times": None}
        await http.post("/sandbox/faults", json=fault)
        slow = asyncio.create_task(http.get("/v2/users/me"))

        async def is_under_way() -> bool:
            return bool((await http.get("/sandbox/calls")).json())

        await true_in_the_end(is_under_way)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        assert time.monotonic() - began < 3
        with pytest.raises(httpx.TransportError):
            await slow


async def test_the_environment_names_callbacks_and_the_public_address() -> None:
    async with _started() as (_, http):
        consent = {"user_id": "host-1", "redirect_uri": "https://two.test/callback"}
        location = (await http.post("/sandbox/consents", json=consent)).json()["location"]
        code = location.partition("code=")[2]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": consent["redirect_uri"]}
        answer = await http.post("/oauth/token", data=form, auth=("the-app", "the-secret"))
        assert answer.json()["api_url"] == "https://zoom.sandbox.test"


async def test_a_missing_setting_stops_the_start_with_one_line_that_names_it() -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "ZOOM_CLIENT_SECRET"}
    process = await _start(environment)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode() == "zoom_sandbox cannot start. ZOOM_CLIENT_SECRET: Field required\n"
