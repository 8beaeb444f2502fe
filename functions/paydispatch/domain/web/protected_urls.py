"""Check that a URL is protected by TLS, because keys and outcomes travel there. Loopback addresses need no TLS."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from paydispatch.domain.errors import BadSetting

_READ_DIFFERENTLY = re.compile(r"[\\\s\x00-\x1f\x7f]")
"""Characters with which two URL parsers may find two different hosts."""


def is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_protected(url: str) -> bool:
    """Return whether this is an `https://` URL, or an `http://` URL of this machine."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def check_http_url(name: str, url: str) -> str:
    """Return the URL. Raises `BadSetting` with the setting's name, and without the URL."""
    if not is_protected(url):
        raise BadSetting(
            f"{name} must be like https://HOST, because keys travel there. "
            "http:// is only for this machine (localhost, 127.0.0.1, [::1])."
        )
    return url


def check_redis_url(name: str, url: str, *, plaintext_allowed: bool) -> str:
    """Return the URL. Raises `BadSetting` for another machine without TLS, unless that is allowed.

    A text that is not a URL of Redis passes, because the client of Redis refuses it.
    """
    parts = _split(url)
    if plaintext_allowed or parts is None or parts.scheme != "redis":
        return url
    if not is_loopback(parts.hostname or "localhost"):
        raise BadSetting(
            f"{name} must be like rediss://USER:PASSWORD@HOST:6379, because outcomes travel there and redis:// is not "
            "encrypted. In a private network, set REDIS_ALLOW_PLAINTEXT=true to use redis://."
        )
    return url


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL. None: it is not a URL, or two URL parsers may read it differently."""
    if _READ_DIFFERENTLY.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
