"""Stands for auth-service: signs tokens with a key of its own and serves that key over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

KID = "test-key"


class Issuer:
    """Makes tokens that booking-service believes, and others."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.url = ""

    def jwks(self) -> bytes:
        key: dict[str, Any] = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": KID, "alg": "EdDSA", "use": "sig"}]}).encode()

    def token(self, organization_id: str, scope: str, **other: Any) -> str:
        claims = {
            "iss": "auth-service",
            "aud": "booking-service",
            "sub": "a-client",
            "exp": int(time.time()) + 300,
            "organization_id": organization_id,
            "scope": scope,
            **other,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": KID})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Serve a new issuer's key and yield the issuer."""
    issuer = Issuer()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.jwks()
            self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: what a test prints is about the test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
