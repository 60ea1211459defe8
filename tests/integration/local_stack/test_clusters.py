"""The clusters that drills run on are clusters: what was confirmed outlives the death of any one node."""

from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pymongo import AsyncMongoClient

from local_stack.mongodb_replica_set import MongoDBReplicaSet
from local_stack.processes import free_ports
from local_stack.rabbitmq_cluster import RabbitMQCluster
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(180)


async def test_a_queue_has_three_members_and_gives_back_its_message_after_a_node_died(tmp_path: Path) -> None:
    """Also through another node than the one that took it, while the dead one is away."""
    cluster = RabbitMQCluster(tmp_path)
    try:
        cluster.start()
        assert cluster.is_whole()
        async with await aio_pika.connect(cluster.nodes[0].url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
            message = aio_pika.Message(b"confirmed", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, routing_key="kept", mandatory=True)
        [queue] = cluster.queues()
        assert sorted(queue["members"]) == sorted(queue["online"]) == [node.name for node in cluster.nodes]
        cluster.nodes[0].kill()
        assert not cluster.is_whole()
        async with await aio_pika.connect(cluster.nodes[1].url) as connection:
            channel = await connection.channel()
            kept = await channel.declare_queue("kept", passive=True)
            message_back = await kept.get(timeout=20)
            assert message_back is not None
            assert message_back.body == b"confirmed"
        cluster.nodes[0].start()
        cluster.nodes[0].wait_until_ready()
        await eventually(cluster.is_whole, within=30, every=0.5)
    finally:
        cluster.kill()


async def test_another_member_takes_over_from_a_dead_primary_with_everything(tmp_path: Path) -> None:
    ports = free_ports(3)
    replica_set = MongoDBReplicaSet(tmp_path, ports=ports)
    try:
        replica_set.start()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(replica_set.url, w="majority", journal=True)
        async with client:
            await client["kept"]["things"].insert_one({"_id": 1})
            first = replica_set.primary()
            assert first is not None
            first.kill()
            second = await eventually(replica_set.primary, within=20, every=0.2)
            assert second is not None
            assert second.port != first.port
            assert await client["kept"]["things"].find_one() == {"_id": 1}
            first.start()
            await eventually(replica_set.is_whole, within=30, every=0.2)
            assert replica_set.step_down()
            await eventually(lambda: replica_set.primary() not in (None, second), within=20, every=0.2)
    finally:
        replica_set.kill()
