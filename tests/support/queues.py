"""Queues that tests use one after another: to make a quorum queue costs the broker more than most tests do."""

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from convoke.contracts.topology import TOPOLOGY

# Dead letters last: what is in the others may become such.
_ALL = [stream.queue for stream in TOPOLOGY] + [stream.dead_letter_queue for stream in TOPOLOGY]


@pytest.fixture(scope="package")
async def rabbitmq_url(rabbitmq_url: str) -> str:
    """Return the address of the worker's virtual host once nothing waits there for another folder's services.

    A conftest that imports it has it for its folder.
    """
    await empty_all_queues(rabbitmq_url)
    return rabbitmq_url


async def empty_all_queues(url: str) -> None:
    """Take away what another test has left on a virtual host; a queue that is not there is left so."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in _ALL:
            await _empty(channel, name)


async def _empty(channel: aio_pika.abc.AbstractChannel, name: str) -> None:
    try:
        await (await channel.get_queue(name, ensure=False)).purge()
    except ChannelNotFoundEntity:
        await channel.reopen()
