"""`python -m zoom_sandbox`: serve until SIGTERM or SIGINT."""

import asyncio
import signal
import sys

import uvloop
from pydantic import ValidationError

from zoom_sandbox.app import build_app
from zoom_sandbox.server import serving
from zoom_sandbox.settings import Settings


async def serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    host, port = settings.zoom_sandbox_host, settings.zoom_sandbox_port
    async with serving(build_app(settings), host=host, port=port) as address:
        print(f"Zoom sandbox on {address}", flush=True)
        await stopped.wait()


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as invalid:
        problems = (f"{str(each['loc'][0]).upper()}: {each['msg']}" for each in invalid.errors())
        sys.exit(f"zoom_sandbox cannot start. {'; '.join(problems)}")
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
