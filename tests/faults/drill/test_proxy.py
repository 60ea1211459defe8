"""The proxy does what it is told, to whom it is told, and counts what it really did."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local_stack.processes import free_ports
from tests.faults.drill.proxy import Proxy, Way
from tests.support.eventually import eventually

LINE = b"hello\n"


@asynccontextmanager
async def echoing(spared: bytes | None = None) -> AsyncIterator[tuple[Proxy, bytearray]]:
    """Run a proxy before a server that gives back every line; what the server got is kept."""
    got = bytearray()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            got.extend(line)
            writer.write(line)
        writer.close()

    dead, port, target = free_ports(3)
    server = await asyncio.start_server(echo, "127.0.0.1", target)
    proxy = Proxy("tested", port, [dead, target], spared=spared)
    await proxy.open()
    try:
        yield proxy, got
    finally:
        await proxy.close()
        server.close()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, line: bytes = LINE) -> bytes:
        self.writer.write(line)
        async with asyncio.timeout(2):
            return await self.reader.readline()


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_it_passes_on_both_ways_to_whichever_target_answers() -> None:
    """One of the two targets is dead; a load balancer takes the next."""
    async with echoing() as (proxy, _):
        for _ in range(4):
            async with connected(proxy) as client:
                assert await client.says() == LINE


async def test_a_reset_ends_connections_at_once_and_is_counted() -> None:
    async with echoing() as (proxy, _), connected(proxy) as first, connected(proxy) as second:
        assert [await first.says(), await second.says()] == [LINE, LINE]
        assert proxy.reset() == 2
        with pytest.raises(ConnectionResetError):
            await first.says()
        await eventually(lambda: not proxy.connections)


async def test_a_held_request_arrives_when_it_is_released() -> None:
    async with echoing() as (proxy, got), connected(proxy) as client:
        hold = proxy.hold(Way.REQUEST)
        client.writer.write(LINE)
        await eventually(lambda: bytes(hold.held) == LINE)
        assert not got
        proxy.release(hold)
        assert await client.reader.readline() == LINE


async def test_a_held_request_that_is_cut_never_arrives() -> None:
    async with echoing() as (proxy, got), connected(proxy) as client:
        hold = proxy.hold(Way.REQUEST)
        client.writer.write(LINE)
        await eventually(lambda: bytes(hold.held) == LINE)
        assert proxy.cut_held(hold) == 1
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        await eventually(lambda: not proxy.connections)
        assert not got


async def test_an_answer_is_held_only_after_the_request_that_is_named() -> None:
    """The request arrives: what it asked for is done, and its answer is not known."""
    async with echoing() as (proxy, got), connected(proxy) as client, connected(proxy) as other:
        hold = proxy.hold(Way.ANSWER, at=b"commit")
        assert await client.says() == LINE
        client.writer.write(b"commit\n")
        await eventually(lambda: bytes(hold.held) == b"commit\n")
        assert got.endswith(b"commit\n")
        assert await other.says() == LINE
        proxy.cut_held(hold)
        assert await other.says() == LINE


async def test_only_connections_of_the_one_who_greeted_so_are_held() -> None:
    async with echoing() as (proxy, _), connected(proxy) as notifier, connected(proxy) as booking:
        hold = proxy.hold(Way.REQUEST, of=b"notifier")
        assert await booking.says(b"booking\n") == b"booking\n"
        notifier.writer.write(b"notifier\n")
        await eventually(lambda: bytes(hold.held) == b"notifier\n")
        proxy.release(hold)


async def test_what_is_swallowed_is_gone_and_healing_ends_such_a_connection() -> None:
    async with echoing() as (proxy, got), connected(proxy) as client:
        assert await client.says() == LINE
        hold = proxy.swallow(Way.ANSWER)
        client.writer.write(b"lost\n")
        await eventually(lambda: bytes(hold.held) == b"lost\n")
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert got == LINE + b"lost\n"


async def test_a_slow_link_delays_every_piece() -> None:
    async with echoing() as (proxy, _), connected(proxy) as client:
        pace = proxy.slow_down(seconds=0.1)
        began = time.monotonic()
        assert await client.says() == LINE
        assert time.monotonic() - began >= 0.2
        assert pace.pieces == 2
        proxy.keep_pace()


async def test_a_narrow_link_carries_so_many_bytes_a_second() -> None:
    async with echoing() as (proxy, _), connected(proxy) as client:
        proxy.slow_down(bytes_per_second=10_000)
        began = time.monotonic()
        await client.says(b"x" * 999 + b"\n")
        assert time.monotonic() - began >= 0.2


async def test_spared_connections_are_never_disturbed() -> None:
    """Those between the members of a replica set: the drill kills members, and disturbs clients."""
    async with echoing(spared=b"member") as (proxy, _), connected(proxy) as member, connected(proxy) as client:
        assert await member.says(b"member\n") == b"member\n"
        assert await client.says() == LINE
        hold = proxy.hold(*Way)
        assert await member.says() == LINE
        proxy.release(hold)
        assert proxy.reset() == 1
        assert await member.says() == LINE
