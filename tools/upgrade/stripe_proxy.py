"""A proxy before the Stripe twin of a recording. It ends each call as its scene says, and keeps the executed writes."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_HEADERS = (
    *("Authorization", "Idempotency-Key", "Stripe-Version", "Stripe-Account", "Content-Type"),
)

REFUSED = {"error": {"type": "invalid_request_error", "message": "No.", "code": "resource_missing"}}
AWAY = {"error": {"type": "api_error", "message": "Not now."}}
LIMITED = {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Slower."}}

ANSWERS: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
    "refused": (400, REFUSED, {}),
    "keyed_refused": (400, REFUSED, {}),
    "unread_refused": (400, REFUSED, {}),
    "limited": (429, LIMITED, {}),
    "absent": (500, AWAY, {"Stripe-Should-Retry": "false"}),
}
"""What the scene is answered without being executed."""

EXECUTED_AND_LOST = {"gone": (500, AWAY, {"Stripe-Should-Retry": "false"})}
"""What the scene is answered after it was executed."""


class StripeProxy:
    """Serves on loopback until `close`. `kill` ends the process that made the call."""

    def __init__(self, twin: str, kill: Callable[[], None]) -> None:
        self.twin, self.kill = twin, kill
        self.executed: list[dict[str, Any]] = []
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: StripeProxy

    def do_GET(self) -> None:
        if self.path.startswith("/v1/account"):
            self._send(*self._forward(b""))
            return
        self._send(500, json.dumps(AWAY).encode(), {})  # no list shows what became of a request

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scene = (parse_qs(body.decode()).get("metadata[scene]") or [""])[0]
        if scene == "killed_before":
            self.owner.kill()
            self.close_connection = True
            return
        if scene in ANSWERS:
            status, said, headers = ANSWERS[scene]
            self._send(status, json.dumps(said).encode(), headers)
            return
        answer = self._forward(body)
        if scene in ("lost", "killed_after"):
            if scene == "killed_after":
                self.owner.kill()
            self.close_connection = True  # without an answer
        elif scene in EXECUTED_AND_LOST:
            status, said, headers = EXECUTED_AND_LOST[scene]
            self._send(status, json.dumps(said).encode(), headers)
        else:
            self._send(*answer)

    do_DELETE = do_POST  # noqa: N815 - the name that the server looks for

    def _forward(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        headers = {name: self.headers[name] for name in KEPT_HEADERS if name in self.headers}
        asked = urllib.request.Request(  # noqa: S310 - a URL of this machine
            self.owner.twin + self.path,
            data=body if self.command == "POST" else None,
            headers=headers,
            method=self.command,
        )
        try:
            with urllib.request.urlopen(asked) as answer:  # noqa: S310 - the twin on loopback # nosec B310
                if self.command != "GET":
                    call = {"method": self.command, "path": self.path, "headers": headers}
                    self.owner.executed.append({**call, "body": body.decode()})
                return answer.status, answer.read(), {"Request-Id": "req_recorded"}
        except urllib.error.HTTPError as error:
            return error.code, error.read(), {}

    def _send(self, status: int, text: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""
