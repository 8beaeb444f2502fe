"""Let only the person with the printed address in: loopback names, one token, one origin."""

from __future__ import annotations

import hmac
import logging
import traceback
from collections.abc import Awaitable, Callable

from aiohttp import web

from paydispatch.domain.text.redaction import redact

_log = logging.getLogger("paydispatch.console")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost")


class Guard:
    """Checks each request. The name in `Host` stops a page whose DNS name points to this machine."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self._hosts = {f"{name}:{port}" for name in LOOPBACK}
        self._cookie = f"paydispatch_console_{port}"  # a cookie is sent to every port of a host

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._answer(request, handler)
        answer.headers.update(HEADERS)
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_here(request):
            return _refuse("The console answers only to its own page on this machine.")
        if self._is_token(request.query.get("token")):
            return self._sign_in()
        if not self._is_token(request.cookies.get(self._cookie)):
            return _refuse("Open the address with its token, as `paydispatch console` printed it.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.json_response({"error": error.reason}, status=error.status)
        except Exception:
            # Here, because aiohttp logs the traceback as it is, and answers with it in asyncio's debug mode.
            _log.error("%s", redact(traceback.format_exc()))
            return web.json_response({"error": "The console failed. Its log says why."}, status=500)

    def _is_here(self, request: web.Request) -> bool:
        """Return whether the page of this console asks. A command needs an Origin, which browsers always send."""
        if request.host not in self._hosts:
            return False
        origin = request.headers.get("Origin")
        if origin is None:
            return request.method == "GET" and request.headers.get("Sec-Fetch-Site") in (
                None,
                "none",
                "same-origin",
            )
        return origin == f"http://{request.host}"

    def _is_token(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _sign_in(self) -> web.Response:
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict", path="/")
        return answer


def _refuse(why: str) -> web.Response:
    return web.json_response({"error": why}, status=403)
