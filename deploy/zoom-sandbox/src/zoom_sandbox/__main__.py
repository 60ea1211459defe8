"""`python -m zoom_sandbox`: serve until SIGTERM or SIGINT."""

import asyncio
import signal
import sys

from pydantic import ValidationError

from zoom_sandbox.app import build_app
from zoom_sandbox.server import SandboxServer
from zoom_sandbox.settings import Settings


async def serve(settings: Settings) -> None:
    server = SandboxServer(build_app(settings), settings.zoom_sandbox_host, settings.zoom_sandbox_port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


try:
    chosen = Settings()
except ValidationError as invalid:
    problems = (f"{str(each['loc'][0]).upper()}: {each['msg']}" for each in invalid.errors())
    sys.exit(f"zoom_sandbox cannot start. {'; '.join(problems)}")
asyncio.run(serve(chosen))
