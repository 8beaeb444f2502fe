"""The TLS context for Stripe: its authorities, and the sessions that later handshakes resume."""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any, Self

import certifi

from paydispatch.domain.errors import BadSetting

if TYPE_CHECKING:
    from pathlib import Path


class ResumingContext(ssl.SSLContext):
    """Resumes the last TLS session of a host, so that a new connection needs no certificates again.

    asyncio opens connections without a session. A server sends the ticket of a session after the handshake. So the
    context keeps the last connection of each host, and reads its session when it opens the next one.
    """

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self) -> None:
        self._last: dict[str, ssl.SSLObject] = {}

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        host = str(server_hostname)
        made = super().wrap_bio(
            incoming, outgoing, server_side, server_hostname, session or self._session_of(host)
        )
        self._last[host] = made
        return made

    def _session_of(self, host: str) -> ssl.SSLSession | None:
        last = self._last.get(host)
        session = last.session if last is not None else None
        return session if session is not None and session.has_ticket else None


def stripe_tls(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in `ca_bundle`. None: the usual ones.

    Raises `BadSetting` for a bundle without certificates.
    """
    context = ResumingContext()
    context.set_alpn_protocols(["http/1.1"])
    if sys.version_info >= (3, 13):  # as `ssl.create_default_context` does, which makes no subclass
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    bundle: dict[str, Any] = {"cafile": certifi.where()}
    if ca_bundle is not None:
        bundle = {"capath" if ca_bundle.is_dir() else "cafile": str(ca_bundle)}
    try:
        context.load_verify_locations(**bundle)
    except OSError as error:
        raise BadSetting(
            f"The CA bundle {ca_bundle} cannot be used: {error.strerror}. "
            "It must be a file or a folder with PEM certificates."
        ) from None
    return context
