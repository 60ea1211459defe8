"""A TCP proxy that misbehaves on order: resets, black holes, half-open connections, delays, throttling.

One listener stands before one server, or before several that do the same, as a load balancer does. What a fault did
is counted where it was done: connections cut, bytes held or swallowed, and only that counts as a fault.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

_PIECE = 65_536
_RESET = struct.pack("ii", 1, 0)
_CONNECT_WITHIN = 3.0


class Way(Enum):
    """A direction, seen from whoever connected."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass
class Hold:
    """Keeps back what travels one way, until it is released or cut; `held` is what has arrived meanwhile.

    It concerns connections that greeted with `of`, and each only from a request on in which `at` stands.
    """

    ways: frozenset[Way]
    of: bytes = b""
    at: bytes = b""
    swallows: bool = False
    held: bytearray = field(default_factory=bytearray)
    met: "set[Connection]" = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, connection: "Connection", way: Way, piece: bytes) -> bool:
        """Tell whether this piece stays here, and remember the connection."""
        begins = way is Way.REQUEST and self.at in piece
        if connection not in self.met and self.of in connection.greeting and (begins or not self.at):
            self.met.add(connection)
        return way in self.ways and connection in self.met


@dataclass
class Pace:
    """Slows every piece: `seconds` for each, and no more than `bytes_per_second`."""

    seconds: float = 0.0
    bytes_per_second: float = float("inf")
    pieces: int = 0

    def of_piece(self, size: int) -> float:
        self.pieces += 1
        return self.seconds + size / self.bytes_per_second


class Proxy:
    """Passes connections on from `port` to one of `targets`, each in turn, the next where one does not answer.

    Connections whose first bytes hold `spared` are never disturbed: those between the servers of a cluster.
    """

    def __init__(self, name: str, port: int, targets: Sequence[int], *, spared: bytes | None = None) -> None:
        self.name = name
        self.port = port
        self.connections: set[Connection] = set()
        self.cut = 0
        self._spared = spared
        self.aim(targets)
        self._holds: list[Hold] = []
        self._pace: Pace | None = None
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def aim(self, targets: Sequence[int]) -> None:
        """Pass new connections on to these ports of this machine."""
        self._targets = itertools.cycle(targets)
        self._count = len(targets)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)

    async def close(self) -> None:
        self.heal()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.reset()

    def reset(self, *, share: Callable[[], bool] = lambda: True) -> int:
        """Cut connections as a firewall that lost its table does (RST to both ends); returns how many there were."""
        doomed = [each for each in self.connections if not self._is_spared(each) and share()]
        for connection in doomed:
            connection.reset()
        self.cut += len(doomed)
        return len(doomed)

    def hold(self, *ways: Way, of: bytes = b"", at: bytes = b"") -> Hold:
        """Let nothing more through these ways, without a word to either end."""
        return self._begin(Hold(frozenset(ways), of, at))

    def swallow(self, way: Way, *, at: bytes = b"") -> Hold:
        """Drop what travels this way: a connection of which one half is gone."""
        return self._begin(Hold(frozenset({way}), at=at, swallows=True))

    def release(self, hold: Hold) -> None:
        """Let what was held go on."""
        if hold in self._holds:
            self._holds.remove(hold)
        hold.over.set()

    def cut_held(self, hold: Hold) -> int:
        """End the hold by cutting every connection it met: what was held never arrives."""
        if hold in self._holds:
            self._holds.remove(hold)
        doomed = [each for each in self.connections if each in hold.met]
        for connection in doomed:
            connection.reset()
        hold.over.set()
        self.cut += len(doomed)
        return len(doomed)

    def slow_down(self, *, seconds: float = 0.0, bytes_per_second: float = float("inf")) -> Pace:
        self._pace = Pace(seconds, bytes_per_second)
        return self._pace

    def keep_pace(self) -> None:
        self._pace = None

    def heal(self) -> None:
        """End every fault. What a half-open connection swallowed is missing for ever: such a connection has to end."""
        self.keep_pace()
        for hold in list(self._holds):
            if hold.swallows:
                self.cut_held(hold)
            self.release(hold)

    async def pass_on(self, connection: "Connection", way: Way, piece: bytes) -> bytes:
        """Return what of a piece goes on now, after whatever stands in its way."""
        if self._is_spared(connection):
            return piece
        if self._pace is not None:
            await asyncio.sleep(self._pace.of_piece(len(piece)))
        for hold in [each for each in self._holds if each.takes(connection, way, piece)]:
            hold.held += piece
            if hold.swallows:
                return b""
            await hold.over.wait()
        return piece

    def _begin(self, hold: Hold) -> Hold:
        self._holds.append(hold)
        return hold

    def _is_spared(self, connection: "Connection") -> bool:
        return self._spared is not None and self._spared in connection.greeting

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await self._far_end()
        if far is None:
            writer.transport.abort()
            return
        connection = Connection(self, (reader, writer), far)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    async def _far_end(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(self._count):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_WITHIN):
                    return await asyncio.open_connection("127.0.0.1", next(self._targets))
        return None


class Connection:
    """One connection with its two ends; `greeting` is the first piece that came from the one who connected."""

    def __init__(
        self,
        proxy: Proxy,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.greeting = b""
        self._proxy = proxy
        self._near, self._near_writer = near
        self._far, self._far_writer = far

    async def run(self) -> None:
        """Pour both ways until either end is gone, then end the other too."""
        tasks = [
            asyncio.create_task(self._pour(self._near, self._far_writer, Way.REQUEST)),
            asyncio.create_task(self._pour(self._far, self._near_writer, Way.ANSWER)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # An end that said goodbye may have its last answer still on the way.
            _, unfinished = await asyncio.wait(tasks, timeout=0.05)
            for task in unfinished:
                task.cancel()
            for writer in (self._near_writer, self._far_writer):
                writer.close()

    def reset(self) -> None:
        for writer in (self._near_writer, self._far_writer):
            end: socket.socket | None = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                if end is not None:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _pour(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(_PIECE):
                if way is Way.REQUEST and not self.greeting:
                    self.greeting = piece
                on = await self._proxy.pass_on(self, way, piece)
                if sink.transport.is_closing():
                    return  # cut while the piece was held
                if on:
                    sink.write(on)
                    await sink.drain()
