"""Keys and flows travel over TLS. Plain text is for one machine alone: loopback never leaves it."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from paydispatch.domain.errors import BadSetting

_READ_DIFFERENTLY = re.compile(r"[\\\s\x00-\x1f\x7f]")
"""Characters in which two readers of URLs may see two hosts."""


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_protected(url: str) -> bool:
    """Whether this is an `https://` address, or an `http://` address of this machine."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def check_http_url(name: str, url: str) -> str:
    """Return the URL. Raises `BadSetting` by the setting's name; the message does not repeat the URL."""
    if not is_protected(url):
        raise BadSetting(
            f"{name} must be like https://HOST: keys travel there. "
            "http:// is for this machine alone (localhost, 127.0.0.1, [::1])."
        )
    return url


def check_redis_url(name: str, url: str, *, plaintext_allowed: bool) -> str:
    """Return the URL. Raises `BadSetting` for one that leaves this machine without TLS, unless that is allowed.

    What is no URL of a Redis at all is for its client to refuse.
    """
    parts = _split(url)
    if plaintext_allowed or parts is None or parts.scheme != "redis":
        return url
    if not is_loopback(parts.hostname or "localhost"):
        raise BadSetting(
            f"{name} must be like rediss://USER:PASSWORD@HOST:6379: redis:// is not encrypted, and outcomes travel "
            "there. In a network of your own, REDIS_ALLOW_PLAINTEXT=true takes it all the same."
        )
    return url


def _split(url: str) -> SplitResult | None:
    """`None` for what is no URL, or one that not every reader understands alike."""
    if _READ_DIFFERENTLY.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
