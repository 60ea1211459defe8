"""The four services, the sandbox and a mail server on one event loop in a thread, spoken to over HTTP as from outside.

Settings are those of the local stack, so that a setting which a service learns to need is given here too.
"""

import asyncio
import importlib
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from auth_service.mongo.clients import Clients
from convoke import mongo
from convoke.serving import KEEP_ALIVE
from convoke.settings import load
from local_stack import addresses, secrets_file
from local_stack.addresses import SERVICES, Ports
from local_stack.installation import Program
from local_stack.settings_of_services import Surroundings, of_sandbox, of_service
from local_stack.tenant import Credentials
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from zoom_sandbox.app import build_app as build_sandbox
from zoom_sandbox.server import serving as serving_sandbox
from zoom_sandbox.settings import Settings as SandboxSettings

Value = TypeVar("Value")

NO_LIMITS = dict.fromkeys(("REQUESTS_PER_MINUTE", "FAILED_LOGINS_PER_MINUTE", "INVITATIONS_PER_HOUR"), "1000000")
"""Who is told to wait has been asked nothing."""


@dataclass(frozen=True)
class System:
    """`urls` leads to the services, to `zoom` and to nobody else; it is an Installation for local_stack's Tenant."""

    urls: dict[str, str]
    apps: dict[str, FastAPI]
    settings: dict[str, Any]
    mongodb_url: str
    mails: MailServer
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, Value], within: float = 60) -> Value:
        """Return what a coroutine gives on the services' own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(within)

    def command(self, service: str, *arguments: str) -> str:
        return self.program(service, *arguments).output()

    def program(self, service: str, *arguments: str) -> Program:
        raise NotImplementedError(f"no {service} {arguments} here: see `organization`")

    def organization(self, name: str, scopes: tuple[str, ...]) -> tuple[str, Credentials]:
        """Make an organization and its API client, as an operator does."""

        async def make() -> tuple[str, Credentials]:
            client = mongo.connect(self.mongodb_url)
            clients = Clients(mongo.database(client, self.settings["auth-service"].mongodb_database))
            organization_id = await clients.create_organization(name)
            made, secret = await clients.create(organization_id, name, scopes)
            client.close()
            return organization_id, Credentials(made.id, secret)

        return self.run(make())


@contextmanager
def system(
    folder: Path, rabbitmq_url: str, mongodb_url: str, databases: str, replicas: Mapping[str, int] | None = None
) -> Iterator[System]:
    """Run everything until the end of the block; names of databases begin with `databases`.

    `replicas` counts the apps of a service, by its name; one where it says nothing. `apps` and `urls` have the first.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = AsyncExitStack()
    ports = addresses.load_or_choose(folder / "ports.json", dict(replicas or {}))
    started = _started(stack, folder, ports, rabbitmq_url=rabbitmq_url, mongodb_url=mongodb_url, databases=databases)
    try:
        yield asyncio.run_coroutine_threadsafe(started, loop).result(90)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _started(
    stack: AsyncExitStack, folder: Path, ports: Ports, *, rabbitmq_url: str, mongodb_url: str, databases: str
) -> System:
    mails = MailServer()
    await mails.start()
    stack.push_async_callback(mails.stop)
    secrets = secrets_file.load_or_make(folder / "secrets.json")
    surroundings = Surroundings(rabbitmq_url, mongodb_url, ports, secrets, told={"smtp": mails.url})
    sandbox = {name.lower(): value for name, value in of_sandbox(surroundings).items()}
    await stack.enter_async_context(
        serving_sandbox(build_sandbox(SandboxSettings.model_validate(sandbox)), port=ports.zoom)
    )
    settings = {name: _settings(name, surroundings, databases) for name in SERVICES}
    apps = {name: _module(name, "app").build_app(settings[name]) for name in SERVICES}
    for name, own_ports in ports.services.items():
        for replica, port in enumerate(own_ports):
            app = _module(name, "app").build_app(settings[name]) if replica else apps[name]
            await stack.enter_async_context(_serving(app, port))
    urls = {name: surroundings.service_url(name) for name in SERVICES} | {"zoom": surroundings.zoom_url}
    async with httpx.AsyncClient(trust_env=False) as http:
        for name, own_ports in ports.services.items():
            for replica in range(len(own_ports)):
                await eventually(partial(_is_ready, http, surroundings.service_url(name, replica)), within=30)
    return System(urls, apps, settings, mongodb_url, mails, asyncio.get_running_loop())


def _settings(service: str, surroundings: Surroundings, databases: str) -> Any:
    settings = _module(service, "settings").Settings
    database = f"{databases}-{settings.model_fields['mongodb_database'].default}"
    return load(settings, {**of_service(service, 0, surroundings), **NO_LIMITS, "MONGODB_DATABASE": database})


def _module(service: str, name: str) -> Any:
    return importlib.import_module(f"{SERVICES[service]}.{name}")


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    return (await http.get(f"{url}/health/ready")).status_code == httpx.codes.OK


@asynccontextmanager
async def _serving(app: FastAPI, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app, http="httptools", log_config=None, access_log=False, server_header=False, timeout_keep_alive=KEEP_ALIVE
    )
    server = uvicorn.Server(config)
    # Only with the protocol named does asyncio switch Nagle's delay off.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await running
