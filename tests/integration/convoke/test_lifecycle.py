"""A service waits for its neighbours, says that it waits, stops in order, and ends where it can never work."""

import asyncio
import base64
import json
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from local_stack.mongodb import MongoDB
from local_stack.processes import free_port
from tests.support.eventually import eventually

REPOSITORY = Path(__file__).parents[3]
Lines = list[dict[str, Any]]


@asynccontextmanager
async def tiny_service(
    mongodb_url: str, rabbitmq_url: str, port: int = 0
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """Run the tiny service as a process and yield it with a client; what still runs at the end is killed."""
    port = port or free_port()
    environment = {
        "MONGODB_URL": mongodb_url,
        "RABBITMQ_URL": rabbitmq_url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HTTP_PORT": str(port),
        "ENCRYPTION_KEYS": f"k1={base64.b64encode(b'k' * 32).decode()}",
    }
    command = (sys.executable, "-m", "tests.integration.convoke.tiny_service")
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=REPOSITORY, stdout=-1, stderr=-1)
    async with httpx.AsyncClient(base_url=environment["PUBLIC_URL"], trust_env=False) as client:
        try:
            yield process, client
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def ended(process: Process) -> tuple[Lines, str]:
    """Return the lines of its log and its standard error, once it has ended."""
    async with asyncio.timeout(20):
        output, errors = await process.communicate()
    return [json.loads(line) for line in output.splitlines()], errors.decode()


async def status(client: httpx.AsyncClient, path: str) -> int:
    try:
        return (await client.get(path)).status_code
    except httpx.TransportError:
        return 0


async def test_a_service_lives_at_once_and_is_ready_when_its_database_has_come(vhost: str, tmp_path: Path):
    server = MongoDB(tmp_path)
    async with tiny_service(server.url, vhost) as (process, client):
        await eventually(lambda: is_status(client, "/health/live", 200), within=20)
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["mongodb"], answer.json()["started"]) == (503, False, False)
        server.start()
        await asyncio.to_thread(server.wait_until_ready)
        await eventually(lambda: is_status(client, "/health/ready", 200), within=20)
        process.send_signal(signal.SIGTERM)
        lines, errors = await ended(process)
    server.kill()
    assert [line["event"] for line in lines][-3:] == ["service.ready", "service.stopping", "service.stopped"]
    assert (process.returncode, errors) == (0, "")


async def is_status(client: httpx.AsyncClient, path: str, expected: int) -> bool:
    return await status(client, path) == expected


async def test_a_service_that_can_never_work_ends_with_status_1_and_the_reason(standalone_mongodb: str, vhost: str):
    async with tiny_service(standalone_mongodb, vhost) as (process, _):
        lines, errors = await ended(process)
    assert process.returncode == 1
    [reason] = [line for line in lines if line["event"] == "service.cannot_start"]
    assert "NotAReplicaSet: MONGODB_URL leads to a standalone server; a replica set is required" in reason["exception"]
    assert errors == ""


async def test_a_service_whose_port_is_taken_names_the_setting_and_ends_with_status_1(vhost: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        async with tiny_service("mongodb://127.0.0.1:9/", vhost, port) as (process, _):
            lines, errors = await ended(process)
    assert (process.returncode, errors) == (1, "")
    [line] = lines
    assert (line["level"], line["event"]) == ("error", "http.cannot_listen")
    assert line["reason"].startswith(f"HTTP_PORT={port}, HTTP_HOST=127.0.0.1: Address already in use")


async def test_a_service_asked_to_stop_before_it_could_start_stops(vhost: str):
    async with tiny_service(f"mongodb://127.0.0.1:{free_port()}/", vhost) as (process, client):
        await eventually(lambda: is_status(client, "/health/live", 200), within=20)
        process.send_signal(signal.SIGTERM)
        lines, _ = await ended(process)
    assert lines[-1]["event"] == "service.stopped"
    assert process.returncode == 0
