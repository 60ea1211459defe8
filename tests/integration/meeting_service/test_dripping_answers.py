"""A peer that sends a byte now and then keeps nobody waiting longer than the whole call may take."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from meeting_service.ports import Access, InDoubt
from meeting_service.zoom.client import ZoomMeetings


@pytest.fixture
async def dripping() -> AsyncIterator[str]:
    """The address of a server whose answer never ends."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)
        await writer.wait_closed()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_create_is_in_doubt_when_its_time_is_up_although_bytes_still_come(dripping: str):
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(10):
        zoom = ZoomMeetings(http, within=0.3)
        with pytest.raises(InDoubt, match="TimeoutError"):
            await zoom.create(Access("zcn_1", "host-1", "token", dripping), {})
