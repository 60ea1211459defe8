"""Everything that the drill runs: clusters, two replicas of each service, proxies between them, Zoom, a mail server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pymongo import MongoClient

from local_stack.addresses import SERVICES
from local_stack.mongodb_replica_set import MongoDBReplicaSet
from local_stack.processes import free_ports
from local_stack.rabbitmq_cluster import RabbitMQCluster
from local_stack.system import System
from tests.e2e.zoom import Zoom
from tests.faults.drill.proxy import Proxy
from tests.faults.drill.smtp_sink import SmtpSink

REPLICAS = 2
SERVERS = 3
BETWEEN_SERVERS = b"internalClient"
"""What stands in the greeting of MongoDB's members to each other: the drill disturbs clients, and kills members."""

Value = TypeVar("Value")


async def aside(work: Callable[..., Value], *arguments: Any) -> Value:
    """Do what blocks in a thread: the proxies live on this event loop."""
    return await asyncio.to_thread(work, *arguments)


@dataclass
class Stage:
    """What runs, by name. Proxies are called by who connects to what: `notifier to smtp`."""

    folder: Path
    proxies: dict[str, Proxy]
    sink: SmtpSink
    rabbitmq: RabbitMQCluster
    mongodb: MongoDBReplicaSet
    system: System
    zoom: Zoom
    databases: MongoClient[dict[str, Any]]

    @property
    def clients_urls(self) -> dict[str, str]:
        """Where a customer's own program asks."""
        names = {"booking-service": "clients to booking-service", "auth-service": "all to auth-service"}
        return {service: f"http://{self.proxies[name].address}" for service, name in names.items()}

    @property
    def rabbitmq_url(self) -> str:
        """A node of the broker, past the proxies."""
        return self.rabbitmq.nodes[0].url

    def described(self) -> str:
        """Say what is shown to be there; raises RuntimeError where a queue has fewer than three members."""
        durable = [queue for queue in self.rabbitmq.queues() if queue["type"] == "quorum"]
        if not durable or any(len(queue["online"]) < SERVERS for queue in durable):
            raise RuntimeError(f"not every quorum queue has {SERVERS} members: {durable}")
        return (
            f"{len(durable)} quorum queues on {SERVERS} nodes each, MongoDB on {SERVERS} members, "
            f"{REPLICAS} replicas of each service, {len(self.proxies)} proxies"
        )

    def towards(self, server: str) -> list[Proxy]:
        """Return the proxies before a server, such as the three before the members of MongoDB."""
        return [proxy for name, proxy in self.proxies.items() if f" to {server}" in name]

    async def heal(self) -> None:
        """End every fault of network, Zoom and mail server; who is down or frozen is not woken from here."""
        for proxy in self.proxies.values():
            proxy.heal()
        self.sink.heal()
        await aside(self.zoom.heal)


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Run everything in `folder`; whatever happens, nothing of it is left running."""
    async with AsyncExitStack() as ended:
        rabbitmq = RabbitMQCluster(folder / "rabbitmq")
        mongodb, proxies = _members_behind_proxies(folder)
        proxies |= _before_rabbitmq(rabbitmq)
        proxies |= {name: Proxy(name, port, []) for name, port in zip(_HTTP_AND_MAIL, free_ports(4), strict=True)}
        sink, sink_port = SmtpSink(), free_ports(1)[0]
        system = System(
            folder / "system", replicas=dict.fromkeys(SERVICES, REPLICAS), told=_told(proxies, mongodb, rabbitmq)
        )
        _aim(proxies, system, sink_port)
        await sink.open(sink_port)
        ended.push_async_callback(sink.close)
        for proxy in proxies.values():
            await proxy.open()
            ended.push_async_callback(proxy.close)
        for server in (mongodb, rabbitmq):
            ended.push_async_callback(aside, server.kill)
        await asyncio.gather(*(aside(server.start) for server in (mongodb, rabbitmq)))
        ended.push_async_callback(aside, system.stop)
        await aside(system.start)
        zoom = ended.enter_context(Zoom(system.urls["zoom"]))
        databases: MongoClient[dict[str, Any]] = ended.enter_context(
            MongoClient(mongodb.url, tz_aware=True, readConcernLevel="majority")
        )
        yield Stage(folder, proxies, sink, rabbitmq, mongodb, system, zoom, databases)


_HTTP_AND_MAIL = (
    "clients to booking-service",
    "all to auth-service",
    "all to zoom",
    "notifier to smtp",
)


def _members_behind_proxies(folder: Path) -> tuple[MongoDBReplicaSet, dict[str, Proxy]]:
    ports = free_ports(2 * SERVERS)
    members, listening = ports[:SERVERS], ports[SERVERS:]
    proxies = {
        (name := f"all to mongodb {number}"): Proxy(name, port, [member], spared=BETWEEN_SERVERS)
        for number, (port, member) in enumerate(zip(listening, members, strict=True), 1)
    }
    addresses = [proxy.address for proxy in proxies.values()]
    return MongoDBReplicaSet(folder / "mongodb", ports=members, addresses=addresses), proxies


def _before_rabbitmq(rabbitmq: RabbitMQCluster) -> dict[str, Proxy]:
    names = [f"{service} to rabbitmq" for service in SERVICES]
    nodes = [node.port for node in rabbitmq.nodes]
    return {name: Proxy(name, port, nodes) for name, port in zip(names, free_ports(len(names)), strict=True)}


def _told(proxies: dict[str, Proxy], mongodb: MongoDBReplicaSet, rabbitmq: RabbitMQCluster) -> dict[str, str]:
    def url(name: str) -> str:
        return f"http://{proxies[name].address}"

    return {
        "rabbitmq": rabbitmq.nodes[0].url,
        "mongodb": mongodb.url,
        **{f"{service} mongodb": f"{mongodb.url}&appName={service}" for service in SERVICES},
        **{
            f"{service} rabbitmq": f"amqp://guest:guest@{proxies[f'{service} to rabbitmq'].address}/"
            for service in SERVICES
        },
        "booking-service": url("clients to booking-service"),
        "auth-service": url("all to auth-service"),
        "zoom": url("all to zoom"),
        "smtp": f"smtp://{proxies['notifier to smtp'].address}",
    }


def _aim(proxies: dict[str, Proxy], system: System, sink_port: int) -> None:
    def ports(service: str) -> list[int]:
        return [int(system.url(service, replica).rpartition(":")[2]) for replica in range(REPLICAS)]

    zoom = int(system.urls["zoom"].rpartition(":")[2])
    targets = (ports("booking-service"), ports("auth-service"), [zoom], [sink_port])
    for name, found in zip(_HTTP_AND_MAIL, targets, strict=True):
        proxies[name].aim(found)
