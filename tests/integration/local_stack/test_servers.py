"""The servers that tests get: real, empty and durable."""

from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pymongo import AsyncMongoClient

from local_stack.mongodb import MongoDB
from local_stack.rabbitmq import RabbitMQ
from tests.support.eventually import eventually


async def _publish(url: str, body: bytes) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue.name, mandatory=True)


async def _fetch(url: str) -> bytes:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = await queue.get(timeout=10)
        assert message is not None
        await message.ack()
        return message.body


def _client(url: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(url, w="majority", journal=True)


async def test_a_virtual_host_takes_and_gives_back_a_message(rabbitmq_url: str) -> None:
    """The broker of the test run answers AMQP in the worker's own virtual host."""
    await _publish(rabbitmq_url, b"hello")
    assert await _fetch(rabbitmq_url) == b"hello"


async def test_a_fresh_virtual_host_is_empty(rabbitmq_url: str, fresh_vhost: str) -> None:
    """What another virtual host holds is not seen in a fresh one."""
    await _publish(rabbitmq_url, b"elsewhere")
    connection = await aio_pika.connect(fresh_vhost)
    async with connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue("kept", passive=True)


async def test_mongodb_is_the_primary_of_a_replica_set(mongodb_url: str, fresh_database: str) -> None:
    """The database of the test run is a replica set and stores with the write concern the services use."""
    async with _client(mongodb_url) as client:
        hello = await client.admin.command("hello")
        assert hello["isWritablePrimary"]
        assert hello["setName"]
        await client[fresh_database]["things"].insert_one({"_id": 1})
        assert await client[fresh_database]["things"].count_documents({}) == 1


async def test_a_killed_broker_comes_back_with_its_confirmed_message(tmp_path: Path) -> None:
    """A durable message that was confirmed survives SIGKILL of the node and its second start."""
    node = RabbitMQ(tmp_path)
    try:
        node.start()
        node.wait_until_ready()
        await _publish(node.url, b"confirmed")
        await eventually(lambda: node.remembers("kept"))
        node.kill()
        node.start()
        node.wait_until_ready()
        assert await _fetch(node.url) == b"confirmed"
    finally:
        node.kill()


async def test_a_killed_database_comes_back_with_its_data_on_another_port(tmp_path: Path) -> None:
    """Data outlives SIGKILL, also where the next start has to take another port."""
    first, second = MongoDB(tmp_path), MongoDB(tmp_path)
    try:
        first.start()
        first.wait_until_ready()
        async with _client(first.url) as client:
            await client["kept"]["things"].insert_one({"_id": 1})
        first.kill()
        second.start()
        second.wait_until_ready()
        async with _client(second.url) as client:
            assert await client["kept"]["things"].find_one() == {"_id": 1}
    finally:
        first.kill()
        second.kill()
