"""Choose the proxy for a call by the rules that boto3 has for calls to AWS."""

from __future__ import annotations

from urllib.parse import urlsplit

from paydispatch.domain.errors import BadSetting
from paydispatch.domain.web.protected_urls import is_loopback


def proxy_for(url: str, *, proxy: str, exceptions: str) -> str | None:
    """Return the proxy for a call to `url`. `proxy` and `exceptions` are HTTPS_PROXY and NO_PROXY, empty if not set.

    A call to this machine has no proxy. Raises `BadSetting` without the proxy, because its URL may hold a password.
    """
    if not proxy or is_loopback(urlsplit(url).hostname) or _is_exempt(url, exceptions):
        return None
    named = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(named):
        raise BadSetting("HTTPS_PROXY must be like http://USER:PASSWORD@HOST:3128.")
    return named


def _is_exempt(url: str, exceptions: str) -> bool:
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    return bool(proxy_bypass_environment(urlsplit(url).netloc, {"no": exceptions}))


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
