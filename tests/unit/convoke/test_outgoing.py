"""Requests go to named hosts only, follow no redirect, and read no answer without end; over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from convoke.outgoing import LARGEST_ANSWER, NotAllowed, TooLarge, client


@dataclass
class Peer:
    """A server that gives each request the same answer."""

    address: str = ""
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    asked: list[bytes] = field(default_factory=list)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(peer.answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        peer.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield peer


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.1:1/",
        "http://localhost:{port}/",
        "https://127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "https://zoom.us.evil.example/",
        "https://evilzoom.us/",
        "http://api.zoom.us/",
        "https://api.zoom.us:8443/",
        "https://evil.example/@api.zoom.us",
        "https://api.zoom.us@evil.example/",
        "https://evil.example#.zoom.us",
    ],
)
async def test_api7_ssrf_no_request_leaves_for_a_host_that_is_not_named(peer: Peer, elsewhere: str):
    port = peer.address.rpartition(":")[2]
    async with client(timeout=5, addresses=[f"{peer.address}/some/path"], domains=["zoom.us"]) as http:
        with pytest.raises(NotAllowed):
            await http.get(elsewhere.format(port=port), headers={"Authorization": "Bearer canary"})
        assert (await http.get(f"{peer.address}/")).status_code == 200
    assert len(peer.asked) == 1


async def test_asvs_1_3_6_a_named_domain_is_spoken_to_by_https_and_below_it_too(monkeypatch: pytest.MonkeyPatch):
    async def nobody_is_there(*_: object) -> httpx.Response:
        raise httpx.ConnectError("the request went out")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", nobody_is_there)
    async with client(timeout=5, addresses=[], domains=["zoom.us"]) as http:
        for address in ("https://zoom.us/", "https://api.zoom.us/", "https://eu01api.zoom.us:443/v2"):
            with pytest.raises(httpx.ConnectError):
                await http.get(address)


async def test_asvs_15_3_2_a_redirect_is_an_answer_and_not_followed(peer: Peer):
    peer.answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with client(timeout=5, addresses=[peer.address]) as http:
        assert (await http.get(f"{peer.address}/")).status_code == 302
    assert len(peer.asked) == 1


@pytest.mark.parametrize("told", [f"Content-Length: {LARGEST_ANSWER + 1}\r\n", ""], ids=["told", "not told"])
async def test_api10_an_answer_without_measure_is_not_read_to_its_end(peer: Peer, told: str):
    peer.answer = f"HTTP/1.1 200 OK\r\n{told}\r\n".encode() + b" " * (LARGEST_ANSWER + 1)
    async with client(timeout=5, addresses=[peer.address]) as http:
        with pytest.raises(TooLarge):
            await http.get(f"{peer.address}/")


async def test_api10_a_small_answer_does_not_become_a_huge_one(peer: Peer):
    packed = gzip.compress(b" " * 100_000_000)
    assert len(packed) < LARGEST_ANSWER
    peer.answer = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed
    )
    async with client(timeout=5, addresses=[peer.address]) as http:
        with pytest.raises(TooLarge):
            await http.get(f"{peer.address}/")
    assert b"identity" in peer.asked[0].lower()


async def test_nothing_is_taken_from_the_environment(peer: Peer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with client(timeout=5, addresses=[peer.address]) as http:
        assert (await http.get(f"{peer.address}/")).json() == {}
