"""A stretch of network between a replica and its neighbour, which a test can cut or make swallow answers."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Network:
    """Passes bytes on to one address; `cut` closes every connection, `swallow` drops all that comes back.

    It lives on a thread of its own: closing a Motor client blocks the test's event loop until MongoDB answers.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._is_up = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._swallows = False
        self.swallowed = 0
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self._is_up.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(5)

    def cut(self) -> None:
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._abort_all)

    def mend(self) -> None:
        self._is_cut = False

    def swallow(self) -> None:
        self._swallows = True

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stopping.wait()
        server.close()
        self._abort_all()

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._pass_on(reader, far_writer, is_answer=False), self._pass_on(far_reader, writer, is_answer=True)
        )
        self._writers -= {writer, far_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if is_answer and self._swallows:
                    self.swallowed += len(data)
                else:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def network_to(host: str, port: int) -> AsyncIterator[Network]:
    network = Network(host, port)
    network.start()
    try:
        yield network
    finally:
        network.stop()
