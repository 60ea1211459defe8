# ruff: noqa: INP001  # a script of its own in each image, of no package
"""Exit with 0 where this container's server answers the path with 200: `healthy.py /health/ready`.

On a bare socket: this runs every few seconds in every container, and to load an HTTP library costs most of its time.
"""

import os
import socket
import sys

_WITHIN = 2.5


def main(path: str) -> int:
    port = os.environ.get("ZOOM_SANDBOX_PORT") or os.environ["HTTP_PORT"]  # noqa: TID251  # nothing passes them down
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=_WITHIN) as server:
            server.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            status = server.recv(64).split(b" ")[1:2]
    except OSError as failure:
        sys.stdout.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{status}\n")
    return 0 if status == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
