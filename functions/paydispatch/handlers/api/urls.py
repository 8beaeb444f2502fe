"""Find the operation of a request URL, or explain why there is none."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import quote

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.stripe.left_out import reason_left_out
from paydispatch.domain.stripe.operations import all_operations, operation_at

if TYPE_CHECKING:
    from paydispatch.domain.stripe.operations import Ids, Operation

_ALL = "GET /v1/openapi.json lists every call, such as POST /v1/payment_intents."


def operation_of_url(method: str, path: str) -> tuple[Operation, Ids] | None:
    """Return the operation of a request, and the ids in its URL.

    `path` is decoded, because an HTTP API decodes it (`docs/adr/0038-one-route-for-every-operation.md`). It is encoded
    again for the table, which decodes each id once. Otherwise the id `50%25` would arrive as `50%`.
    """
    return operation_at(method, quote(path, safe="/", errors="surrogatepass"))


def unknown_url(method: str, path: str) -> InvalidField:
    """Return the error for a URL without an operation."""
    message = f"Unrecognized request URL ({method}: {path[:100]}). {_explain(method, path)}"
    return InvalidField(None, message, code="url_unknown")


def _explain(method: str, path: str) -> str:
    reason = reason_left_out(method, path)
    if reason:
        return f"paydispatch leaves this call of Stripe out: {reason} Call Stripe for it yourself."
    if "//" in path or path.endswith("/"):
        return f"A part of the path is empty, so an id may be missing. {_ALL}"
    calls = [f"{operation.method} {operation.path}" for operation in all_operations()]
    close = get_close_matches(f"{method} {path[:100]}", calls, n=2, cutoff=0.8)
    return f"Did you mean {' or '.join(close)}? {_ALL}" if close else _ALL
