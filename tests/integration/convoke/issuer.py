"""Stands for auth-service: publishes keys and gives out tokens over real HTTP, and counts what it is asked."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

AUDIENCE = "booking-service"


class AuthService:
    """What auth-service publishes and gives out, over real HTTP; it counts what it is asked."""

    def __init__(self) -> None:
        self.keys = {"k1": Ed25519PrivateKey.generate()}
        self.away = False
        self.key_fetches = 0
        self.token_requests: list[tuple[str, str]] = []
        self.tokens_live_for = 300
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.key_fetches += 1
                self._answer({"keys": [server.published(kid) for kid in server.keys]})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                server.token_requests.append((self.headers["authorization"], body))
                lives = server.tokens_live_for
                self._answer({"access_token": f"token-{len(server.token_requests)}", "expires_in": lives})

            def _answer(self, body: dict[str, Any]) -> None:
                self.send_response(503 if server.away else 200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def run(self) -> None:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def published(self, kid: str) -> dict[str, Any]:
        public = OKPAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        return {**public, "kid": kid, "alg": "EdDSA", "use": "sig"}

    def token(self, kid: str = "k1", *, signed_by: Ed25519PrivateKey | None = None, **changes: Any) -> str:
        claims = {
            "iss": "auth-service",
            "aud": AUDIENCE,
            "sub": "client_1",
            "organization_id": "org_1",
            "scope": "bookings.read bookings.write",
            "exp": time.time() + 300,
            **changes,
        }
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, signed_by or self.keys[kid], algorithm="EdDSA", headers={"kid": kid})
