"""Refuse requests of web pages to this machine, because a browser lets the page of any site send them.

Host             must name this machine, because a foreign name can lead here (DNS rebinding)
Origin           must be absent or name this server, because browsers send the origin of the page with every POST
Sec-Fetch-Site   must not name another site, because newer browsers send it with every request
Content-Type     must be neither text/plain nor multipart, because an HTML form can send JSON with these, and an
                 old browser sends a form without an Origin
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paydispatch.domain.web.protected_urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_ANOTHER_SITE = ("cross-site", "same-site")
_OF_A_FORM = ("text/plain", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    message: str

    def body(self) -> bytes:
        """Return the answer's body, in Stripe's own shape."""
        error = {"type": "invalid_request_error", "message": self.message}
        return json.dumps({"error": error}).encode()


def refuse_web_page(headers: Mapping[str, str]) -> Refusal | None:
    """Return the refusal of a web page's request. None: it is accepted. The names of `headers` are in lower case."""
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return Refusal(403, "The Host header must name this machine: localhost or 127.0.0.1.")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return Refusal(
            403, "Requests of web pages are refused: Origin must be absent, or this server."
        )
    if headers.get("sec-fetch-site") in _OF_ANOTHER_SITE:
        return Refusal(
            403, "Requests of web pages are refused: Sec-Fetch-Site must not name another site."
        )
    if headers.get("content-type", "").partition(";")[0].strip().lower() in _OF_A_FORM:
        return Refusal(415, "Send the body as Content-Type: application/json.")
    return None


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
