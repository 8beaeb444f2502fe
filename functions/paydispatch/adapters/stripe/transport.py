"""The transport of the calls to Stripe: one call goes over the wire at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpx_aiohttp import AiohttpTransport

if TYPE_CHECKING:
    from aiohttp import ClientSession


class OneCallTransport(AiohttpTransport):
    """aiohttp's transport without its own repeats.

    aiohttp sends a DELETE once more if its connection ends before the answer (RFC 9112, section 9.3.1.1). If Stripe
    executed the first one, it answers the second with a 404. The caller would take this for the answer to its only
    call.
    """

    def get_client(self) -> ClientSession:
        """Return the session. The repeats have no public switch (`aiohttp.client.ClientSession`)."""
        session = super().get_client()
        session._retry_connection = False  # noqa: SLF001
        return session
