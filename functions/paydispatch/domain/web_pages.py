"""A page of any web site can send requests to this machine: what only a page sends is refused, before it is read.

Host             a name of this machine, so that no foreign name leads here (DNS rebinding)
Origin           absent, or this very server: browsers name the page's own with every POST
Sec-Fetch-Site   the same in newer browsers, with every request
Content-Type     neither text/plain nor multipart: with those a plain HTML form can send JSON, and an old
                 browser sends it without an Origin
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paydispatch.domain.protected_urls import is_loopback

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
    """Return why a request is refused. `headers` have their names in small letters. None: it may be read."""
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return Refusal(403, "The Host header must name this machine: localhost or 127.0.0.1.")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return Refusal(403, "Requests of a web page are not taken here (Origin).")
    if headers.get("sec-fetch-site") in _OF_ANOTHER_SITE:
        return Refusal(403, "Requests of a web page are not taken here (Sec-Fetch-Site).")
    if headers.get("content-type", "").partition(";")[0].strip().lower() in _OF_A_FORM:
        return Refusal(415, "Send the body as Content-Type: application/json.")
    return None


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
