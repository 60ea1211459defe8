"""The whole system as the end-to-end tests hold it: its processes, its neighbours, and one tenant that uses it."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from local_stack.addresses import SERVICES
from local_stack.installation import CommandFailedError, OnProcesses
from local_stack.mailbox import Mailbox
from local_stack.mongodb import MongoDB
from local_stack.processes import ChildProcess, free_ports
from local_stack.rabbitmq import RabbitMQ
from local_stack.system import System
from local_stack.tenant import Tenant, new_tenant
from tests.e2e.mail_gate import MailGate
from tests.e2e.zoom import Zoom
from tests.support.commands import run_here

REPLICAS = 2
"""Of each service, while `two_of_each` lasts."""


class SystemBehindGate(System):
    """A system whose mails pass a gate on their way to the mail sink, with one replica of each service."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, replicas=dict.fromkeys(SERVICES, REPLICAS))
        self.gate = MailGate(self._surroundings.ports.smtp, self._sink_port)

    @contextmanager
    def two_of_each(self) -> Iterator[None]:
        """Run a second replica of each service meanwhile."""
        self._start_replica(1)
        yield
        for service in SERVICES:
            self.process(service, 1).ask_to_stop()
        for service in SERVICES:
            self.process(service, 1).stop()

    def _start_services(self) -> None:
        self._start_replica(0)

    def _start_replica(self, replica: int) -> None:
        for service in SERVICES:
            self.process(service, replica).start()
        for service in SERVICES:
            self._wait_for(service, replica)

    def _mail_sink(self) -> ChildProcess:
        (self._sink_port,) = free_ports(1, besides=self._surroundings.ports.numbers)
        http_port = str(self._surroundings.ports.mail_http)
        options = ["--smtp-port", str(self._sink_port), "--http-port", http_port]
        return self._python("mail-sink", ["local_stack.mail_sink", *options], {})


class CommandsHere:
    """An installation on processes, whose commands run in the process of the tests."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.urls, self.program = system.urls, OnProcesses(system).program

    def command(self, service: str, *arguments: str) -> str:
        done = run_here(SERVICES[service], *arguments, settings=self._system.settings(service))
        if done.exit_code:
            raise CommandFailedError(f"{service} {arguments}: {done.stderr.strip()[-500:]}")
        return done.stdout


@dataclass(frozen=True)
class World:
    """What every test gets; `tenant` is an organization with an API client and no connection to Zoom."""

    system: SystemBehindGate
    zoom: Zoom
    mails: Mailbox
    tenant: Tenant
    databases: MongoClient[dict[str, Any]]

    @property
    def rabbitmq(self) -> RabbitMQ:
        if self.system.rabbitmq is None:
            raise RuntimeError("these tests run a broker of their own")
        return self.system.rabbitmq

    @property
    def mongodb(self) -> MongoDB:
        if self.system.mongodb is None:
            raise RuntimeError("these tests run a database of their own")
        return self.system.mongodb

    @contextmanager
    def another_tenant(self, name: str) -> Iterator[Tenant]:
        installation = CommandsHere(self.system)
        with Tenant(installation, new_tenant(installation, name)) as tenant:
            yield tenant

    def pause_broker(self) -> None:
        """Let RabbitMQ keep its connections and do nothing, until `resume_broker` or `heal`."""
        os.kill(self.rabbitmq.processes[0].pid, signal.SIGSTOP)

    def resume_broker(self) -> None:
        if self.rabbitmq.processes[0].running:
            os.kill(self.rabbitmq.processes[0].pid, signal.SIGCONT)

    def lose_broker(self) -> None:
        """Have RabbitMQ come back without its disk: no queue, no exchange, no message that it had confirmed."""
        self.rabbitmq.stop()
        shutil.rmtree(self.rabbitmq.folder / "data")
        self.rabbitmq.start()
        self.rabbitmq.wait_until_ready()

    def unpublished(self, database: str, collection: str, text: str) -> bool:
        """Tell whether a document in which this id stands has an event that is not out yet."""
        left = self.databases[database][collection].find({"outbox.0": {"$exists": True}})
        return any(text in str(document) for document in left)

    def heal(self) -> None:
        """End every fault, and start again whatever does not run."""
        self.resume_broker()
        self.zoom.heal()
        self.system.gate.open()
        self.system.gate.release()
        for server in (self.rabbitmq, self.mongodb):
            if not all(process.running for process in server.processes):
                server.start()
                server.wait_until_ready()
        for service in SERVICES:
            self.system.start_again(service)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run a system in `folder`, with servers of its own: the tests kill them."""
    system = SystemBehindGate(folder)
    system.gate.open()
    with system, Zoom(system.urls["zoom"]) as zoom, Mailbox(system.urls["mails"]) as mails:
        installation = CommandsHere(system)
        databases: MongoClient[dict[str, Any]] = MongoClient(
            system.urls["mongodb"], tz_aware=True, readConcernLevel="majority"
        )
        with Tenant(installation, new_tenant(installation, "Tested")) as tenant, databases:
            yield World(system, zoom, mails, tenant, databases)
    system.gate.shut()
